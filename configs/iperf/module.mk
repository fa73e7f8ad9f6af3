# Everything but main.c runs anywhere.
iperf_CORE := $(filter-out configs/iperf/main.c,$(wildcard configs/iperf/*.c))
images += iperf
iperf_SRCS := $(iperf_CORE) configs/iperf/main.c configs/station.c configs/params_lines.c \
	configs/pools.c configs/rules_file.c configs/stats_lines.c configs/uplink.c $(lib_SRCS) $(net_SRCS) \
	$(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
