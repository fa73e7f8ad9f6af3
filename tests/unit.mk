# SPDX-License-Identifier: ISC
# Unit tests of lib and net under AddressSanitizer and UBSan: each
# tests/{lib,net,xen}/NAME_test.c is a program of its own, linked with all of lib, net
# and the parts of xen that need no hypervisor; those of a guest with its parts, too.

UNIT_BUILD = $(BUILD)/unit
UNIT_CFLAGS = -std=gnu11 -g -O1 $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fno-strict-aliasing -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
UNIT_SRCS = $(lib_SRCS) $(net_SRCS) xen/store_wire.c xen/qrexec_wire.c xen/qubesdb_tree.c \
	xen/qubesdb_wire.c arch/x86/wall_clock.c \
	arch/x86/checksum_bytes.c \
	tests/unit/panic.c tests/host/relax.c
# Those of vchan need two guests and are hosted (tests/host.mk).
UNIT_TESTS = $(sort $(filter-out tests/xen/vchan_%,$(wildcard tests/lib/*_test.c tests/net/*_test.c \
	tests/xen/*_test.c)) $(wildcard tests/configs/*_test.c tests/configs/blktest/*_test.c \
	tests/configs/firewall/*_test.c tests/configs/iperf/*_test.c tests/configs/library/*_test.c \
	tests/configs/ramdisk/*_test.c tests/drivers/blkback_persistent_test.c \
	tests/drivers/blkback_request_test.c tests/drivers/blkfront_plan_test.c))
UNIT_HELPERS = $(filter-out %_test.c,$(wildcard tests/lib/*.c tests/net/*.c))
UNIT_OBJS = $(patsubst %.c,$(UNIT_BUILD)/%.o,$(UNIT_SRCS) $(UNIT_HELPERS))
UNIT_PROGRAMS = $(patsubst tests/%.c,$(UNIT_BUILD)/bin/%,$(UNIT_TESTS))
UNIT_QUBES = $(patsubst %.c,$(UNIT_BUILD)/%.o,$(wildcard configs/firewall/qubes*.c) \
	configs/firewall/clients.c configs/firewall/host_names.c configs/lines_buffer.c \
	tests/configs/firewall/fake_qubes.c)

# Scenarios are packets and calls to libringwall-net.
UNIT_IPERF = $(patsubst %.c,$(UNIT_BUILD)/%.o,$(iperf_CORE) tests/configs/iperf/world.c)
UNIT_LIBRARY = $(patsubst %.c,$(UNIT_BUILD)/%.o,$(wildcard configs/library/rw_*.c \
	tests/configs/library/rw_script*.c))

$(UNIT_BUILD)/bin/configs/firewall/qubes_test: $(UNIT_QUBES)
$(filter $(UNIT_BUILD)/bin/configs/iperf/%,$(UNIT_PROGRAMS)): $(UNIT_IPERF)
$(filter $(UNIT_BUILD)/bin/configs/library/%,$(UNIT_PROGRAMS)): $(UNIT_LIBRARY)
$(filter $(UNIT_BUILD)/bin/configs/blktest/%,$(UNIT_PROGRAMS)): \
	$(UNIT_BUILD)/bin/configs/blktest/%_test: $(UNIT_BUILD)/configs/blktest/%.o
$(UNIT_BUILD)/bin/configs/ramdisk/options_test: $(patsubst %.c,$(UNIT_BUILD)/%.o,\
	configs/ramdisk/options.c drivers/blkback_request.c)
$(UNIT_BUILD)/bin/drivers/blkback_request_test: $(UNIT_BUILD)/drivers/blkback_request.o
# Grants and time are played by the test.
$(UNIT_BUILD)/bin/drivers/blkback_persistent_test: $(UNIT_BUILD)/drivers/blkback_persistent.o
$(UNIT_BUILD)/bin/drivers/blkfront_plan_test: $(UNIT_BUILD)/drivers/blkfront_plan.o \
	$(UNIT_BUILD)/drivers/blkfront_name.o
# Fibers are played by the test.
$(UNIT_BUILD)/bin/configs/socket_fiber_test: $(UNIT_BUILD)/configs/socket_fiber.o
# So are they here, and the disk.
$(UNIT_BUILD)/bin/configs/rules_disk_test: $(UNIT_BUILD)/configs/rules_disk.o \
	$(UNIT_BUILD)/drivers/block.o
$(UNIT_BUILD)/bin/configs/firewall/disk_rules_test: $(patsubst %.c,$(UNIT_BUILD)/%.o, \
	configs/firewall/disk_rules.c configs/firewall/host_names.c configs/rules_disk.c \
	configs/rules_file.c drivers/block.c)
$(UNIT_BUILD)/bin/configs/metrics_test: $(patsubst %.c,$(UNIT_BUILD)/%.o,configs/http_request.c \
	configs/http_server.c configs/metrics.c configs/metrics_source.c configs/status.c \
	configs/status_rows.c configs/text_out.c)
# Its pages are played by the test.
$(UNIT_BUILD)/bin/configs/management_test: $(patsubst %.c,$(UNIT_BUILD)/%.o,configs/http_request.c \
	configs/http_server.c configs/firewall/management.c)
# The disk is played by the test.
$(UNIT_BUILD)/bin/configs/log_disk_test $(UNIT_BUILD)/bin/configs/log_disk_crash_test: \
	$(patsubst %.c,$(UNIT_BUILD)/%.o,configs/log_disk.c configs/log_disk_look.c drivers/block.c \
	tests/configs/fake_block.c)
# The server on sockets that the test plays.
UNIT_HTTP = $(patsubst %.c,$(UNIT_BUILD)/%.o,configs/http_request.c configs/http_server.c)
$(UNIT_BUILD)/bin/configs/http_request_test $(UNIT_BUILD)/bin/configs/http_server_test: \
		$(UNIT_BUILD)/bin/configs/%: $(UNIT_BUILD)/tests/configs/%.o $(UNIT_HTTP) \
		$(patsubst %.c,$(UNIT_BUILD)/%.o,lib/ip4_text.c lib/ip6_text.c lib/ip_text.c \
		tests/configs/fake_sockets.c)
	@mkdir -p $(@D)
	@gcc -fsanitize=address,undefined -o $@ $^ -lcheck -lsubunit -lm -lrt -lpthread
$(UNIT_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  unit $<"
	@gcc $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<
$(UNIT_BUILD)/bin/%: $(UNIT_BUILD)/tests/%.o $(UNIT_OBJS)
	@mkdir -p $(@D)
	@gcc -fsanitize=address,undefined -o $@ $^ -lcheck -lsubunit -lm -lrt -lpthread

unit-programs: $(UNIT_PROGRAMS)
unit-only: $(UNIT_PROGRAMS)
	@tests/unit/run $(UNIT_PROGRAMS)
library-only: library
	@tests/configs/library/run-example $(BUILD)/libringwall-net.so

-include $(shell [ -d $(UNIT_BUILD) ] && find $(UNIT_BUILD) -name '*.d')
.PHONY: unit-programs unit-only library-only
.SECONDARY:
