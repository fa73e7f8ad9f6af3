images += blktest
blktest_SRCS := $(wildcard configs/blktest/*.c) configs/stats_lines.c $(lib_SRCS) $(arch_SRCS) \
	$(xen_SRCS) $(drivers_SRCS)
