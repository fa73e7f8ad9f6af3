images += hostile
hostile_SRCS := $(wildcard configs/hostile/*.c) configs/echo_frame.c $(lib_SRCS) \
	$(arch_SRCS) $(xen_SRCS)
