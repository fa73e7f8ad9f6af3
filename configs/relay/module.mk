images += relay
relay_SRCS := configs/relay/main.c configs/pools.c $(lib_SRCS) $(arch_SRCS) \
	$(xen_SRCS) $(drivers_SRCS)
