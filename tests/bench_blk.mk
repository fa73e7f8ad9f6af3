# SPDX-License-Identifier: ISC
# Disks beside Linux's, on real Xen: `make bench-blk`; tests/bench/README.md. No test.

bench-blk: packages
	@$(MAKE) -s $(BUILD)/blktest $(BUILD)/count.so
	@tests/bench/measure_blk.py $(BUILD)/blktest $(BUILD)/count.so $(BUILD)/bench-blk \
		$(if $(ONLY),--only '$(ONLY)') $(if $(MODE),--mode $(MODE)) \
		$(if $(DISK),--disk $(DISK)) $(if $(PROFILE),--profile)
.PHONY: bench-blk
