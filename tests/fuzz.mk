# SPDX-License-Identifier: ISC
# Fuzzers: `make fuzz` runs each for FUZZ_SECONDS, from the seeds in tests/fuzz/corpus.
# What they find, and the corpora that they grow, stay in build/fuzz.

FUZZ_BUILD = $(BUILD)/fuzz
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS = -std=gnu11 -g $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fno-strict-aliasing -fno-omit-frame-pointer
FUZZ_CHECKS = -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
# What plays xenstored is no target, and half of the time without this; nor is what fragments
# and segments are compared with.
$(FUZZ_BUILD)/tests/host/store_%.o: FUZZ_CHECKS = -O2
$(FUZZ_BUILD)/tests/net/fragment_model.o $(FUZZ_BUILD)/tests/net/test_fragments.o \
	$(FUZZ_BUILD)/tests/net/tcp_reassembly_model.o: \
	FUZZ_CHECKS = -O2
$(FUZZ_BUILD)/tests/host/%.o: FUZZ_CHECKS = -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all
# Those who share memory tell of their loads (tests/fuzz/shared.c).
$(FUZZ_BUILD)/drivers/%.o $(FUZZ_BUILD)/tests/fuzz/store_connection_again.o: FUZZ_LOADS = \
	-fsanitize-coverage=trace-loads
# And those whose loads are counted.
$(FUZZ_BUILD)/tests/fuzz/%_counted.o: FUZZ_LOADS = -fsanitize-coverage=trace-loads

FUZZ_HOST = $(filter-out %_test.c %/image.c,$(wildcard tests/host/*.c)) \
	tests/host/context_switch.S arch/x86/context.c
FUZZ_WRAPPED_HEAP = $(HOSTED_LDFLAGS)
FUZZ_DRIVERS = $(lib_SRCS) $(drivers_SRCS) xen/bus.c $(FUZZ_HOST) tests/fuzz/guest.c \
	tests/fuzz/shared.c tests/fuzz/world.c

FUZZ_TARGETS = router ring netback netfront store rules dns dhcp icmp6 fragments qrexec qubesdb \
	tcp tcp_receive http iperf blkback blkfront log_disk
FUZZ_NET = $(lib_SRCS) $(net_SRCS) tests/unit/panic.c tests/host/relax.c
router_FUZZ = $(FUZZ_NET) tests/fuzz/check_abort.c $(filter-out %_test.c,$(wildcard tests/net/*.c))
rules_FUZZ = $(FUZZ_NET)
dns_FUZZ = $(FUZZ_NET)
dhcp_FUZZ = $(FUZZ_NET)
icmp6_FUZZ = $(FUZZ_NET)
fragments_FUZZ = $(FUZZ_NET) tests/fuzz/check_abort.c tests/net/fragment_model.c \
	tests/net/test_fragments.c
tcp_FUZZ = $(FUZZ_NET) tests/fuzz/tcp_hosts.c
tcp_receive_FUZZ = net/tcp_options.c tests/fuzz/tcp_reassembly_counted.c \
	tests/fuzz/tcp_spans_counted.c tests/unit/panic.c tests/fuzz/check_abort.c \
	tests/net/tcp_reassembly_model.c
tcp_receive_FUZZ_LDFLAGS = -Wl,--wrap=tcp_reassembly_add
http_FUZZ = configs/http_request.c configs/http_server.c lib/ip4_text.c lib/ip6_text.c lib/ip_text.c \
	tests/configs/fake_sockets.c tests/unit/panic.c
iperf_FUZZ = configs/iperf/messages.c configs/iperf/options.c lib/json.c lib/ip4_text.c \
	lib/ip6_text.c lib/ip_text.c tests/unit/panic.c
log_disk_FUZZ = configs/log/packet_text.c configs/log/record_text.c lib/crc32c.c lib/drop.c \
	lib/log_disk.c lib/log_disk_reader.c lib/time_text.c
ring_FUZZ = lib/ring.c tests/unit/panic.c
netback_FUZZ = $(FUZZ_DRIVERS)
netback_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)
netfront_FUZZ = $(FUZZ_DRIVERS)
netfront_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)
blkback_FUZZ = $(FUZZ_DRIVERS)
blkback_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)
blkfront_FUZZ = $(FUZZ_DRIVERS)
blkfront_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)
qubesdb_FUZZ = xen/qubesdb_tree.c xen/qubesdb_wire.c tests/unit/panic.c
qubesdb_FUZZ_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,malloc calloc)
# The real store, with the rest of the machine around it.
store_FUZZ = $(filter-out tests/host/store.c,$(FUZZ_HOST)) lib/iopage.c lib/log.c xen/store_wire.c \
	tests/fuzz/shared.c tests/fuzz/store_again.c tests/fuzz/store_connection_again.c
store_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)
qrexec_FUZZ = $(FUZZ_HOST) lib/iopage.c lib/log.c $(filter xen/qrexec%,$(xen_SRCS)) \
	tests/fuzz/qrexec_vchan.c
qrexec_FUZZ_LDFLAGS = $(FUZZ_WRAPPED_HEAP)

$(FUZZ_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  fuzz $<"
	@clang $(FUZZ_CFLAGS) $(FUZZ_CHECKS) $(FUZZ_LOADS) -MMD -MP -c -o $@ $<
$(FUZZ_BUILD)/%.o: %.S
	@mkdir -p $(@D)
	@clang -I. -c -o $@ $<

define fuzz_program
$(FUZZ_BUILD)/$(1)_fuzz: $(patsubst %,$(FUZZ_BUILD)/%.o,$(basename tests/fuzz/$(1)_fuzz.c $($(1)_FUZZ)))
	@echo "  link $$@"
	@clang -fsanitize=address,undefined,fuzzer $($(1)_FUZZ_LDFLAGS) -o $$@ $$^ -lpthread
FUZZ_PROGRAMS += $(FUZZ_BUILD)/$(1)_fuzz
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_program,$(target))))

fuzz-programs: $(FUZZ_PROGRAMS)
fuzz: packages
	@$(MAKE) -s -j2 fuzz-programs
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ_PROGRAMS)

-include $(shell [ -d $(FUZZ_BUILD) ] && find $(FUZZ_BUILD) -name '*.d')
.PHONY: fuzz fuzz-programs
