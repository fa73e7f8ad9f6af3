# SPDX-License-Identifier: ISC
# TCP against others on this machine: `make bench-tcp`; tests/bench_tcp/README.md. Our stack
# is compiled with the kernel's own flags, by the rules of bench-net. Nothing here is a test.

BENCH_TCP_BUILD = $(BUILD)/bench-tcp
BENCH_TCP_OWN = $(BENCH_NET_PRODUCT) tests/unit/panic.c tests/host/relax.c tests/bench_tcp/own_end.c
BENCH_TCP_DRIVER = tests/bench_tcp/main.c tests/bench_tcp/wire.c
BENCH_TCP_LWIP = $(BUILD)/lwip

$(BENCH_TCP_BUILD)/bench-tcp-ringwall: $(call bench_net_objects,$(BENCH_TCP_OWN) \
		$(BENCH_TCP_DRIVER) tests/bench_tcp/pair_own.c)
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

$(BENCH_TCP_LWIP)/src/core/tcp.c:
	@tests/bench_tcp/fetch-lwip $(BENCH_TCP_LWIP)
# lwIP's sources have warnings of their own.
define bench_tcp_lwip
	@echo "  link $@"
	@$(CC) -std=gnu11 -O2 -g -w -I. -Itests/bench_tcp/lwip -I$(BENCH_TCP_LWIP)/src/include $(1) \
		-o $@ $(BENCH_TCP_DRIVER) tests/bench_tcp/pair_lwip.c \
		$(BENCH_TCP_LWIP)/src/core/*.c $(BENCH_TCP_LWIP)/src/core/ipv4/*.c
endef
BENCH_TCP_LWIP_SRCS = $(BENCH_TCP_LWIP)/src/core/tcp.c $(wildcard tests/bench_tcp/lwip/*.h \
	tests/bench_tcp/lwip/arch/*.h) $(BENCH_TCP_DRIVER) tests/bench_tcp/pair_lwip.c
$(BENCH_TCP_BUILD)/bench-tcp-lwip: $(BENCH_TCP_LWIP_SRCS)
	$(call bench_tcp_lwip)
# Room for many idle connections and in TIME-WAIT, which its lists then have to be walked for.
$(BENCH_TCP_BUILD)/bench-tcp-lwip-idle: $(BENCH_TCP_LWIP_SRCS)
	$(call bench_tcp_lwip,-DBENCH_LWIP_PCBS=21120)
# Windows for a path that is long, which cost it speed on one that is short.
$(BENCH_TCP_BUILD)/bench-tcp-lwip-wide: $(BENCH_TCP_LWIP_SRCS)
	$(call bench_tcp_lwip,-DBENCH_LWIP_WINDOW=1048576)

BENCH_TCP_PROGRAMS = $(addprefix $(BENCH_TCP_BUILD)/,bench-tcp-ringwall path peer)
bench-tcp: packages
	@$(MAKE) -s $(BENCH_TCP_PROGRAMS)
	@$(MAKE) -s $(addprefix $(BENCH_TCP_BUILD)/,bench-tcp-lwip bench-tcp-lwip-idle \
		bench-tcp-lwip-wide) || \
		echo "no sources of lwIP: its rows are left out"
	@tests/bench_tcp/run $(BENCH_TCP_BUILD) $(if $(ONLY),--only '$(ONLY)') $(if $(SHORT),--short)
.PHONY: bench-tcp
