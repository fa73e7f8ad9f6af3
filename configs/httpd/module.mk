images += httpd
httpd_SRCS = configs/httpd/main.c configs/machine_info.c configs/station.c \
	configs/params_lines.c configs/uplink.c configs/pools.c configs/rules_file.c \
	configs/stats_lines.c $(http_SRCS) pages/httpd_pages.c $(lib_SRCS) $(net_SRCS) \
	$(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
