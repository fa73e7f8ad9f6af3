lib_SRCS := \
	lib/checksum.c \
	lib/checksum_bytes.c \
	lib/drop.c \
	lib/frame_hash.c \
	lib/iopage.c \
	lib/ip4_text.c \
	lib/ip6_text.c \
	lib/log.c \
	lib/packet.c \
	lib/params.c \
	lib/random.c \
	lib/ring.c \
	lib/ring_locked.c \
	lib/siphash.c \
	lib/wheel.c
