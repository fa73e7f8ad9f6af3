images += ringwall
firewall_DISK_SRCS = configs/log_disk.c configs/log_disk_look.c configs/rules_disk.c
ringwall_SRCS = $(wildcard configs/firewall/*.c) $(firewall_DISK_SRCS) configs/capture_lines.c \
	configs/lines_buffer.c configs/machine_info.c configs/params_lines.c configs/pools.c \
	configs/rules_file.c configs/stats_lines.c configs/uplink.c $(http_SRCS) $(lib_SRCS) \
	$(net_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
# None of it is in the way of packets: small counts.
$(BUILD)/kernel/configs/firewall/%.o: KERNEL_CFLAGS += -Os
$(patsubst %.c,$(BUILD)/kernel/%.o,$(firewall_DISK_SRCS)): KERNEL_CFLAGS += -Os
