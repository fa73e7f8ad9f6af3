/* SPDX-License-Identifier: ISC */
/*
 * A netdev whose other end is the test: frames go in as a driver would bring them, and
 * what the stack transmits is checked for what a driver relies on, copied, and kept.
 */
#pragma once

#include "net/netdev.h"
#include "tests/net/test_frames.h"

#define TEST_LINK_KEEPS 512u
#define TEST_ALL_FEATURES (NETDEV_TX_CSUM_IPV4 | NETDEV_TX_GSO_TCPV4 | NETDEV_TX_SG)
#define TEST_ALL_FEATURES6 (NETDEV_TX_CSUM_IPV6 | NETDEV_TX_GSO_TCPV6 | NETDEV_TX_SG)

struct test_link {
	struct netdev netdev;
	struct packet_pool *packets;
	bool is_uplink;
	bool sends_for_others; /* of a bridge: frames with any source */
	bool damaged;	       /* what was put in had wrong transport checksums, and so has this */
	uint32_t uplink_head;  /* bytes of a frame that the uplink's driver copies */
	uint32_t shared;       /* frames sent with pages that the uplink can write */
	uint32_t transmits;    /* calls */
	uint32_t sent;	       /* frames, in all */
	uint32_t taken;	       /* of them, looked at by the test */
	struct frame *kept[TEST_LINK_KEEPS]; /* frame i at i % TEST_LINK_KEEPS */
	char error[128]; /* the first thing that no driver would have stood for */
};

void test_link_init(struct test_link *link, struct packet_pool *packets, const char *name,
		    bool is_uplink, const uint8_t *mac);

/* Frees what was kept. */
void test_link_end(struct test_link *link);

/*
 * A packet as the driver of this link makes it: a client's in pages of UPLINK_READ, the
 * uplink's with a private head and the rest in pages of UPLINK_WRITE. NULL: no memory.
 */
struct packet *test_link_packet(struct test_link *link, const struct frame *frame);

/* One frame, or many as one vector, from the other end. */
void test_link_input(struct test_link *link, const struct frame *frame);
void test_link_input_vector(struct test_link *link, const struct frame *frames, uint32_t count);

/* The next frame that was sent and not yet looked at; NULL when there is none. */
const struct frame *test_link_take(struct test_link *link);

/* Looks at none of them. */
void test_link_skip(struct test_link *link);
