drivers_SRCS := \
	drivers/blkback.c \
	drivers/blkback_connect.c \
	drivers/blkback_persistent.c \
	drivers/blkback_request.c \
	drivers/blkback_ring.c \
	drivers/blkfront.c \
	drivers/blkfront_build.c \
	drivers/blkfront_connect.c \
	drivers/blkfront_disk.c \
	drivers/blkfront_name.c \
	drivers/blkfront_pages.c \
	drivers/blkfront_plan.c \
	drivers/blkfront_pump.c \
	drivers/blkfront_recover.c \
	drivers/blkfront_ring.c \
	drivers/blkif_ring.c \
	drivers/block.c \
	drivers/event_storm.c \
	drivers/netback.c \
	drivers/netback_connect.c \
	drivers/netback_multicast.c \
	drivers/netback_rx.c \
	drivers/netback_tx.c \
	drivers/netfront.c \
	drivers/netfront_connect.c \
	drivers/netfront_grants.c \
	drivers/netfront_lost.c \
	drivers/netfront_rx.c \
	drivers/netfront_tx.c \
	drivers/store_pace.c
# Connecting and disconnecting is in nobody's way: small counts.
$(patsubst %,$(BUILD)/kernel/drivers/%.o,blkfront_connect blkfront_disk blkfront_name \
	blkfront_recover netback netback_connect netfront netfront_connect netfront_grants \
	netfront_lost): KERNEL_CFLAGS += -Os
