# SPDX-License-Identifier: ISC
# TCP against others on this machine: `make bench-tcp`; tests/bench_tcp/README.md. Our stack
# is compiled with the kernel's own flags, as for bench-net, whose rules make its objects.

BENCH_TCP_BUILD = $(BUILD)/bench-tcp
BENCH_TCP_COMMON = tests/bench_tcp/main.c tests/bench_tcp/wire.c
BENCH_TCP_PANIC = tests/unit/panic.c tests/host/relax.c
BENCH_TCP_OWN = $(BENCH_NET_PRODUCT) $(BENCH_TCP_PANIC) tests/bench_tcp/own_end.c

$(BENCH_TCP_BUILD)/bench-tcp-ringwall: $(call bench_net_objects,$(BENCH_TCP_OWN) \
		$(BENCH_TCP_COMMON) tests/bench_tcp/pair_own.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CC) -no-pie -o $@ $^
$(BENCH_TCP_BUILD)/path: $(call bench_net_objects,$(BENCH_TCP_OWN) tests/bench_tcp/wire.c \
		tests/bench_tcp/path.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CC) -no-pie -o $@ $^
$(BENCH_TCP_BUILD)/peer: tests/bench_tcp/linux/peer.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -g $(WARNINGS) -o $@ $<
