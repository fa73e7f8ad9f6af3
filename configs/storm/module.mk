images += storm
storm_SRCS := configs/storm/main.c configs/pools.c tests/drivers/netif_traffic.c $(lib_SRCS) $(arch_SRCS) \
	$(xen_SRCS) $(drivers_SRCS)
