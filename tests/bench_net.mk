# SPDX-License-Identifier: ISC
# What the forwarding path costs on this machine: `make bench-net`. lib and net are
# compiled with the kernel's own flags, and linked into a hosted program with links that
# are memory. Nothing here is a test: no limit on a time fails.

BENCH_NET_BUILD = $(BUILD)/bench-net
# Without those that belong to the image: its C library, where it lies in memory.
BENCH_NET_KERNEL_CFLAGS = $(filter-out -isystem $(NEWLIB)/% -mcmodel=small,$(KERNEL_CFLAGS))
BENCH_NET_CFLAGS = -std=gnu11 -O2 -g $(WARNINGS) -I. -fno-strict-aliasing -fno-pie
BENCH_NET_PRODUCT = $(lib_SRCS) $(net_SRCS) arch/x86/checksum_bytes.c
BENCH_NET_SRCS = $(wildcard tests/bench_net/*.c) tests/unit/panic.c tests/host/relax.c
bench_net_objects = $(patsubst %,$(BENCH_NET_BUILD)/%.o,$(basename $(1)))

$(BENCH_NET_BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	@$(CC) $(BENCH_NET_KERNEL_CFLAGS) -MMD -MP -c -o $@ $<
$(BENCH_NET_BUILD)/net/%.o: net/%.c
	@mkdir -p $(@D)
	@$(CC) $(BENCH_NET_KERNEL_CFLAGS) -MMD -MP -c -o $@ $<
$(BENCH_NET_BUILD)/arch/%.o: arch/%.c
	@mkdir -p $(@D)
	@$(CC) $(BENCH_NET_KERNEL_CFLAGS) -MMD -MP -c -o $@ $<
$(BENCH_NET_BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@$(CC) $(BENCH_NET_CFLAGS) -MMD -MP -c -o $@ $<
# The memcpy() of the image's C library, under a name of its own.
$(BENCH_NET_BUILD)/newlib_memcpy.o: $(NEWLIB_STAMP)
	@mkdir -p $(@D)
	@ar p $(NEWLIB)/x86_64-elf/lib/libc.a lib_a-memcpy.o >$@
	@$(OBJCOPY) --redefine-sym memcpy=newlib_memcpy --add-section .note.GNU-stack=/dev/null $@
$(BENCH_NET_BUILD)/bench-net: $(call bench_net_objects,$(BENCH_NET_PRODUCT) $(BENCH_NET_SRCS)) \
		$(BENCH_NET_BUILD)/newlib_memcpy.o
	@echo "  link $@"
	@$(CC) -no-pie -o $@ $^
# What sends through Linux's own forwarding, for the rows beside ours.
$(BENCH_NET_BUILD)/send: tests/bench_net/linux/send.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -g $(WARNINGS) -o $@ $<

bench-net: packages
	@$(MAKE) -s $(BENCH_NET_BUILD)/bench-net $(BENCH_NET_BUILD)/send
	@tests/bench_net/run $(BENCH_NET_BUILD)/bench-net $(BENCH_NET_BUILD)/send $(BENCH_NET_BUILD) \
		$(if $(ONLY),--only '$(ONLY)')

-include $(shell [ -d $(BENCH_NET_BUILD) ] && find $(BENCH_NET_BUILD) -name '*.d')
.PHONY: bench-net
