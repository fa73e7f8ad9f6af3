/* SPDX-License-Identifier: ISC */
/*
 * Traffic whose every byte can be checked. The frame number `seq` of a flow
 * follows from the seed: its kind, length, offload flags and bytes. A receiver
 * makes the frame again and compares, so that loss, doubling, reordering, mixing
 * and damage all show. The destination MAC carries flow and number:
 *
 *	02 flow seq(4, big-endian) | source MAC | type | ...
 *
 * A shape with lanes spreads its TCP frames over as many connections, and order is
 * demanded only within a lane: the frames of a connection, or those that are none.
 *
 * An end belongs to one domain. Fields marked (shared) are read by the other end's
 * thread and by the test.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/netdev.h"

#define TRAFFIC_MAX_FRAME 65535u
#define TRAFFIC_MIN_FRAME 15u /* an Ethernet header and one byte */
#define TRAFFIC_MTU_FRAME 1514u
#define TRAFFIC_MOST_LANES 16u

/* Shares of the kinds, out of 100; the rest are plain frames of any type. */
struct traffic_shape {
	uint32_t min_frame; /* of plain frames */
	uint32_t max_frame;
	uint32_t blank_share; /* TCP with a blank checksum, up to the MTU */
	uint32_t gso_share;   /* TCP of many segments, up to 64 KiB */
	uint32_t lanes;	      /* 0: all frames are in one order */
};

struct traffic_frame {
	uint32_t length;
	uint8_t flags;	  /* enum packet_flags */
	uint8_t gso_type; /* enum packet_gso */
	uint16_t gso_size;
	uint8_t bytes[TRAFFIC_MAX_FRAME];
};

struct traffic_end {
	struct netdev *netdev;
	struct packet_pool *packets;
	enum iopage_class send_class;
	struct traffic_shape shape;
	uint64_t seed;
	uint8_t send_flow;
	uint8_t receive_flow;
	const struct traffic_end *peer; /* whose `taken` opens our window */
	uint32_t window;		/* slots that may be on their way; UINT32_MAX: no limit */
	uint64_t random;
	uint32_t send_count; /* frames to send */
	/* (shared) */
	atomic_uint sent; /* frames handed to the driver, or left out for lack of pages */
	atomic_uint not_made;
	_Atomic uint64_t sent_slots;  /* pages of them, an upper bound of slots */
	_Atomic uint64_t taken_slots; /* the same measure, of what was received */
	atomic_uint received;
	atomic_uint missing; /* numbers skipped */
	atomic_uint wrong;   /* frames with an error; the first is told in `error` */
	atomic_bool sending;
	/* own */
	uint32_t next_seq[1 + TRAFFIC_MOST_LANES]; /* of each lane; the first is of no connection */
	char error[160];
	struct traffic_frame *expected;
	uint8_t *flat;
};

/* Allocates its buffers; call in the domain. `seed` is the same for both ends. */
void traffic_begin(struct traffic_end *end, struct netdev *netdev, struct packet_pool *packets,
		   uint64_t seed);
void traffic_end(struct traffic_end *end);

/* Makes frame `seq` of `flow` again. */
void traffic_make(const struct traffic_end *end, const struct traffic_shape *shape, uint8_t flow,
		  uint32_t seq, struct traffic_frame *frame);

/* Pages that a frame of this length takes at most on its way, for the window. */
uint32_t traffic_slots(uint32_t length);

/* For netdev->input, with netdev->stack being the end: checks and consumes. */
void traffic_input(struct netdev *netdev, struct packet_vector *vector);

/*
 * The body of a fiber: sends `send_count` frames in vectors of random size, never
 * more on their way than the window, sleeping while it is shut. Without a window, a
 * frame for which no page is free is left out; with one, it waits.
 * Gives up when the netdev is down.
 */
void traffic_send(void *end);
