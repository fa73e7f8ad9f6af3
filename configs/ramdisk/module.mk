images += ramdisk
ramdisk_SRCS := configs/ramdisk/main.c configs/ramdisk/options.c configs/stats_lines.c \
	$(lib_SRCS) $(net_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
