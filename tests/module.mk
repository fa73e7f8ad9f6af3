# SPDX-License-Identifier: ISC
# Everything that is tested or measured. `test` runs all stages and sums them up.

include tests/unit.mk
include tests/host.mk
include tests/stress.mk
include tests/fuzz.mk
include tests/model.mk
include tests/package.mk
include tests/tap.mk
include tests/bench_net.mk
include tests/bench_tcp.mk
include tests/bench_blk.mk
include tests/qubes.mk

packages:
	@tests/bench/install-packages

lint: packages
	@tests/lint/run

unit: packages
	@tests/unit/run-both

check: packages
	@$(MAKE) -s -j2 check-program log-program $(UNIT_BUILD)/bin/net/packet_log_test \
		$(UNIT_BUILD)/bin/net/capture_lines_test $(UNIT_BUILD)/bin/configs/log_disk_test
	@tests/check/run $(BUILD)/ringwall-check $(UNIT_BUILD)/bin $(BUILD)/ringwall-log

test-xen: packages
	@$(MAKE) -s -j2 images check-program log-program $(BUILD)/vchan-peer qubes-dom0
	@$(MAKE) -s -j2 BUILD=$(BUILD)/trap NEWLIB=$(NEWLIB) SANITIZE=trap $(BUILD)/trap/ringwall
	@tests/bench/integration.py $(BUILD)/ringwall $(BUILD)/churn $(BUILD)/selftest \
		--trap $(BUILD)/trap/ringwall --hostile $(BUILD)/hostile --relay $(BUILD)/relay \
		--vchan $(BUILD)/vchan $(BUILD)/vchan-peer --qubes $(QUBES_BUILD) \
		--iperf $(BUILD)/iperf --httpd $(BUILD)/httpd --blktest $(BUILD)/blktest \
		--ramdisk $(BUILD)/ramdisk

run: packages
	@$(MAKE) -s images
	@tests/bench/show.py $(BUILD)/ringwall

bench: packages
	@$(MAKE) -s images $(BUILD)/count.so $(STRESS_BUILD)/ring-stress-plain
	@tests/bench/measure.py $(BUILD)/ringwall $(BUILD)/churn $(BUILD)/relay \
		$(STRESS_BUILD)/ring-stress-plain $(BUILD)/count.so $(BUILD)/bench \
		--iperf $(BUILD)/iperf \
		$(if $(ONLY),--only '$(ONLY)') $(if $(MODE),--mode $(MODE)) $(if $(PROFILE),--profile)

test: packages
	@tests/run-all

$(BUILD)/count.so: tests/bench/count/plugin.c
	@mkdir -p $(@D)
	@gcc -O2 $(WARNINGS) -shared -fPIC -fvisibility=hidden -o $@ $< -lpthread

.PHONY: packages lint unit check test-xen run bench test
