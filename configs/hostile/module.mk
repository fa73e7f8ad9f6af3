images += hostile
hostile_SRCS := $(wildcard configs/hostile/*.c) $(lib_SRCS) $(arch_SRCS) $(xen_SRCS)
