# SPDX-License-Identifier: ISC
# The router between Linux network namespaces: once under the sanitizers for the tests,
# once as fast as it gets.

TAP_BUILD = $(BUILD)/tap
TAP_CFLAGS = -std=gnu11 -g -D_GNU_SOURCE $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fno-strict-aliasing -fno-omit-frame-pointer
TAP_FLAGS_asan = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
TAP_FLAGS_plain = -O2
TAP_SRCS = $(lib_SRCS) $(net_SRCS) tests/unit/panic.c tests/host/relax.c tests/tap/box.c

# $(call tap_compile,KIND): how sources compile and programs link in one kind.
define tap_compile
$(TAP_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  tap  $$<"
	@gcc $(TAP_CFLAGS) $(TAP_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$(TAP_BUILD)/$(1)/firewall: $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_SRCS) \
		tests/tap/firewall.c tests/tap/tap_netdev.c)
$(TAP_BUILD)/$(1)/verdicts: $(patsubst %.c,$(TAP_BUILD)/$(1)/%.o,$(TAP_SRCS) \
		tests/tap/verdicts.c)
$(TAP_BUILD)/$(1)/firewall $(TAP_BUILD)/$(1)/verdicts:
	@gcc $(TAP_FLAGS_$(1)) -o $$@ $$^
endef
$(foreach kind,asan plain,$(eval $(call tap_compile,$(kind))))

tap-programs: $(TAP_BUILD)/asan/firewall $(TAP_BUILD)/asan/verdicts $(TAP_BUILD)/plain/firewall
tap: packages
	@$(MAKE) -s -j2 tap-programs
	@tests/tap/run $(TAP_BUILD) $(if $(ONLY),--only '$(ONLY)')

-include $(shell [ -d $(TAP_BUILD) ] && find $(TAP_BUILD) -name '*.d')
.PHONY: tap tap-programs
