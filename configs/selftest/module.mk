images += selftest
selftest_SRCS := $(wildcard configs/selftest/*.c) $(lib_SRCS) $(arch_SRCS) $(xen_SRCS)
