lib_SRCS := \
	lib/base64.c \
	lib/bytes.c \
	lib/checksum.c \
	lib/checksum_bytes.c \
	lib/crc32c.c \
	lib/drop.c \
	lib/frame_hash.c \
	lib/iopage.c \
	lib/ip4_text.c \
	lib/ip6_text.c \
	lib/ip_text.c \
	lib/json.c \
	lib/log.c \
	lib/log_disk.c \
	lib/log_disk_reader.c \
	lib/log_history.c \
	lib/packet.c \
	lib/params.c \
	lib/pcapng.c \
	lib/random.c \
	lib/ring.c \
	lib/ring_locked.c \
	lib/siphash.c \
	lib/time_text.c \
	lib/wheel.c
# What reads and writes text is in no packet's way: small counts.
$(patsubst %,$(BUILD)/kernel/lib/%.o,base64 ip4_text ip6_text ip_text json log log_disk \
	log_disk_reader log_history params pcapng time_text): KERNEL_CFLAGS += -Os
