arch_SRCS := \
	arch/x86/backtrace.c \
	arch/x86/boot.S \
	arch/x86/checksum_bytes.c \
	arch/x86/clock.c \
	arch/x86/context.c \
	arch/x86/cpu.c \
	arch/x86/emergency.c \
	arch/x86/entry.S \
	arch/x86/fault.c \
	arch/x86/libc_bytes.c \
	arch/x86/memory.c \
	arch/x86/newlib_syscalls.c \
	arch/x86/paging_pv.c \
	arch/x86/paging_pvh.c \
	arch/x86/relax.c \
	arch/x86/start.c \
	arch/x86/traps.c \
	arch/x86/wall_clock.c
# The beginning and the end of a guest, and its page tables, need no speed: small counts.
$(patsubst %,$(BUILD)/kernel/arch/x86/%.o,backtrace emergency fault newlib_syscalls paging_pv \
	paging_pvh start): KERNEL_CFLAGS += -Os
