xen_SRCS := \
	xen/bus.c \
	xen/console.c \
	xen/entropy.c \
	xen/evtchn.c \
	xen/fiber.c \
	xen/gnttab.c \
	xen/loop.c \
	xen/qrexec.c \
	xen/qrexec_call.c \
	xen/qrexec_data.c \
	xen/qrexec_trigger.c \
	xen/qrexec_wire.c \
	xen/qubesdb.c \
	xen/qubesdb_tree.c \
	xen/qubesdb_wire.c \
	xen/shutdown.c \
	xen/start.c \
	xen/stats.c \
	xen/store.c \
	xen/store_connection.c \
	xen/store_wire.c \
	xen/vchan.c \
	xen/vchan_client.c \
	xen/vchan_pages.c \
	xen/vchan_ring.c \
	xen/vchan_server.c
# What dom0 has to say, and how neighbours find one another, is in no packet's way: small counts.
$(BUILD)/kernel/xen/qrexec%.o $(BUILD)/kernel/xen/qubesdb%.o: KERNEL_CFLAGS += -Os
$(patsubst %,$(BUILD)/kernel/xen/%.o,bus console shutdown start store store_connection store_wire \
	vchan_client vchan_pages vchan_server): KERNEL_CFLAGS += -Os
