images += ringwall
ringwall_SRCS := $(wildcard configs/firewall/*.c) configs/capture_lines.c configs/lines_buffer.c configs/pools.c configs/rules_file.c \
	configs/stats_lines.c configs/uplink.c $(lib_SRCS) $(net_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
