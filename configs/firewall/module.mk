images += ringwall
ringwall_SRCS := configs/firewall/main.c configs/pools.c $(lib_SRCS) $(net_SRCS) \
	$(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
