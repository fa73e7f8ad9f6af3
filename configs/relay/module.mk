images += relay
relay_SRCS := configs/relay/main.c configs/relay/filter.c configs/pools.c configs/rules_file.c \
	configs/stats_lines.c $(lib_SRCS) $(net_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
