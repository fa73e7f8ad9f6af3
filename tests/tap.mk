# SPDX-License-Identifier: ISC
# The router between Linux network namespaces: once under the sanitizers for the tests,
# once as fast as it gets.

TAP_BUILD = $(BUILD)/tap
TAP_CFLAGS = -std=gnu11 -g -D_GNU_SOURCE $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fno-strict-aliasing -fno-omit-frame-pointer
TAP_FLAGS_asan = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
TAP_FLAGS_plain = -O2
TAP_SRCS = $(lib_SRCS) $(net_SRCS) tests/unit/panic.c tests/host/relax.c tests/tap/box.c
# With an application (configs/station.h) an end point.
TAP_STATION_SRCS = $(TAP_SRCS) tests/tap/link_text.c tests/tap/rough_link.c tests/tap/station.c \
	tests/tap/tap_netdev.c

TAP_STATIONS = iperf httpd
httpd_STATION_SRCS = $(http_SRCS) pages/httpd_pages.c tests/tap/machine_info.c

# $(call tap_compile,KIND): how sources compile and programs link in one kind.
define tap_compile
$(TAP_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  tap  $$<"
	@gcc $(TAP_CFLAGS) $(TAP_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$(TAP_BUILD)/$(1)/pages/%.o: $(BUILD)/pages/%.c
	@mkdir -p $$(@D)
	@gcc $(TAP_CFLAGS) $(TAP_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$(TAP_BUILD)/$(1)/firewall: $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_SRCS) \
		tests/tap/firewall.c tests/tap/link_text.c tests/tap/rough_link.c \
		tests/tap/tap_netdev.c configs/firewall/management.c $(http_SRCS))
$(TAP_BUILD)/$(1)/verdicts: $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_SRCS) \
		tests/tap/verdicts.c)
$(TAP_BUILD)/$(1)/ends: $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_STATION_SRCS) \
		tests/tap/ends.c tests/tap/ends_ask.c tests/tap/ends_serve.c)
$(TAP_BUILD)/$(1)/firewall $(TAP_BUILD)/$(1)/verdicts $(TAP_BUILD)/$(1)/ends:
	@gcc $(TAP_FLAGS_$(1)) -o $$@ $$^
endef
# $(call tap_station,KIND,APPLICATION): a guest's application as a program, of what lies in its
# folder and of APPLICATION_STATION_SRCS.
define tap_station
$(TAP_BUILD)/$(1)/$(2): $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_STATION_SRCS) \
		$(wildcard configs/$(2)/*.c) $($(2)_STATION_SRCS))
	@gcc $(TAP_FLAGS_$(1)) -o $$@ $$^
endef
$(foreach kind,asan plain,$(foreach app,$(TAP_STATIONS),$(eval $(call tap_station,$(kind),$(app)))))
$(foreach kind,asan plain,$(eval $(call tap_compile,$(kind))))

tap-programs: $(TAP_BUILD)/asan/firewall $(TAP_BUILD)/asan/verdicts $(TAP_BUILD)/plain/firewall \
	$(TAP_BUILD)/asan/ends $(TAP_BUILD)/asan/httpd \
	$(TAP_BUILD)/asan/iperf
tap: packages
	@$(MAKE) -s -j2 tap-programs
	@tests/tap/run $(TAP_BUILD) $(if $(ONLY),--only '$(ONLY)')

-include $(shell [ -d $(TAP_BUILD) ] && find $(TAP_BUILD) -name '*.d')
.PHONY: tap tap-programs
