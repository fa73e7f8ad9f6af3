/* SPDX-License-Identifier: ISC */
/*
 * Packets: small descriptors over io-pages.
 *
 *	data .. data+head_length	contiguous headers (for an ordinary frame
 *					that a client sent: the whole frame)
 *	frags[0 .. frag_count)		the rest, in order
 *	length == head_length + sum of the fragments' lengths
 *
 * `data` lies either in `head_page` (an io-page that the packet owns) or in the
 * packet's own private head area of PACKET_HEAD_BYTES, never crosses a page, and
 * has head room in front. Only [data, data+head_length) is ever parsed; fragment
 * bytes of a packet that came from the uplink may still be written by the
 * uplink, so nobody looks at them: the hypervisor copies them.
 *
 * Ownership: a packet has one owner. A function named *_input, *_transmit or
 * packet_drop/packet_free consumes the packet on every path. Functions that take
 * `const struct packet *` do not.
 *
 * Packets travel in vectors of up to PACKET_VECTOR_MAX.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/iopage.h"

#define PACKET_MAX_FRAGS 17u
#define PACKET_HEAD_BYTES 256u /* private head area, a divisor of the page size */
#define PACKET_HEADROOM 64u    /* kept free in front of what a driver receives */
#define PACKET_VECTOR_MAX 32u
#define PACKET_MAX_BYTES (65535u + 18u)

enum packet_flags {
	/* The transport checksum field holds only the pseudo-header's sum. */
	PACKET_CSUM_BLANK = 1 << 0,
	/* The sender vouches for the transport checksum (it never crossed a wire). */
	PACKET_CSUM_VALID = 1 << 1,
	/*
	 * All its bytes went to the uplink's backend: its pages need no scrubbing. A packet
	 * without it leaves zeros in pages that this backend may read (XSA-403).
	 */
	PACKET_SENT_UP = 1 << 2,
};

enum packet_gso {
	PACKET_GSO_NONE = 0,
	PACKET_GSO_TCPV4 = 1,
	PACKET_GSO_TCPV6 = 2,
};

struct packet_frag {
	struct iopage *page;
	uint16_t offset; /* bytes from the start of the page */
	uint16_t length; /* bytes, never 0 */
};

struct netdev;
struct packet_pool;

struct packet {
	uint8_t *data;
	uint32_t length;      /* bytes, whole packet */
	uint16_t head_length; /* bytes at data */
	uint8_t frag_count;
	uint8_t flags;		  /* enum packet_flags */
	uint8_t gso_type;	  /* enum packet_gso */
	uint8_t l3_offset;	  /* bytes from data to the network header, set by the stack */
	uint16_t gso_size;	  /* bytes of payload a segment (MSS), when gso_type is set */
	uint16_t l4_offset;	  /* bytes from data to the transport header, set by the stack */
	uint16_t slots_under_way; /* for the driver that sends it: not answered yet */
	struct netdev *in;	  /* interface it came from; NULL for our own */
	struct iopage *head_page; /* owned page that data lies in; NULL: private head */
	uint8_t *private_head;	  /* PACKET_HEAD_BYTES, fixed for the descriptor's life */
	uint64_t private_frame;	  /* frame number of the page that private_head lies in */
	struct packet_pool *pool;
	struct list link; /* for whoever owns the packet */
	struct packet_frag frags[PACKET_MAX_FRAGS];
};

struct packet_vector {
	uint32_t count;
	struct packet *packets[PACKET_VECTOR_MAX];
};

struct packet_pool {
	struct iopage_pool *pages;
	struct packet *packets;
	uint32_t total;
	uint32_t free_count;
	struct list free;
	uint64_t drops[DROP_REASON_COUNT];
};

/*
 * Makes a pool of `count` packets. Their private heads come from PRIVATE pages
 * of `pages`. `packets` is an array of `count` that lives for ever. Returns 0 or
 * -ENOMEM.
 */
must_check int packet_pool_init(struct packet_pool *pool, struct iopage_pool *pages,
				struct packet *packets, uint32_t count);

/*
 * A packet whose data is an empty private head with PACKET_HEADROOM in front;
 * NULL when none is free. The caller owns it.
 */
must_check struct packet *packet_alloc(struct packet_pool *pool);

/*
 * A packet with a head page of `class` and PACKET_HEADROOM in front; NULL when
 * no packet or page is free. For frames that we make ourselves, and for netback.
 */
must_check struct packet *packet_alloc_page(struct packet_pool *pool, enum iopage_class class);

/*
 * Frees the packet and its pages (each to its home). NULL is allowed. Unless it was sent
 * there, nothing of it stays in pages that the uplink's backend may read.
 */
void packet_free(struct packet *packet);

/* Counts the reason and frees the packet. */
void packet_drop(struct packet *packet, enum drop_reason reason);

/* Bytes free in front of / behind the head in the same page or private area. */
size_t packet_headroom(const struct packet *packet);
size_t packet_tailroom(const struct packet *packet);

/*
 * Moves the start of the head by `bytes` outwards (push) or inwards (pull).
 * Returns the new data, or NULL when there is no such room and nothing changed.
 */
must_check uint8_t *packet_push(struct packet *packet, size_t bytes);
must_check uint8_t *packet_pull(struct packet *packet, size_t bytes);

/* Appends `bytes` to the head (no fragments yet); NULL when there is no room. */
must_check uint8_t *packet_append(struct packet *packet, size_t bytes);

/*
 * The same with zeroes, for who makes a packet: the packet, or NULL when there is no such room
 * and it has been freed. NULL stays NULL.
 */
must_check struct packet *packet_append_zeroes(struct packet *packet, size_t bytes);

/*
 * Cuts the packet to `length` bytes in all, freeing fragments that fall away. What is cut
 * off stays in no page that the uplink's backend may read.
 */
void packet_trim(struct packet *packet, uint32_t length);

/*
 * Adds a fragment; the packet owns `page` afterwards. -ENOSPC: it already has
 * PACKET_MAX_FRAGS, and the caller still owns the page.
 */
must_check int packet_add_frag(struct packet *packet, struct iopage *page, uint16_t offset,
			       uint16_t length);

/* The frame number and in-page offset of the head, for a grant copy or a slot. */
uint64_t packet_head_frame(const struct packet *packet);
uint16_t packet_head_offset(const struct packet *packet);

/*
 * A snapshot of the packet's bytes [offset, offset+bytes) in `to`. For packets
 * whose fragments nobody else can write (DESIGN: judge on private bytes).
 * Returns 0, or -EINVAL when the range is not inside the packet.
 */
must_check int packet_copy_out(const struct packet *packet, uint32_t offset, void *to,
			       size_t bytes);

/* Is the packet consistent? For tests: lengths add up, bounds hold. */
bool packet_is_valid(const struct packet *packet);

/* Pieces of memory that it takes up: what a packet that waits keeps from others. */
static inline uint32_t packet_pieces(const struct packet *packet)
{
	return 1u + packet->frag_count;
}

/* Adds at the end; the vector must not be full. */
static inline void packet_vector_add(struct packet_vector *vector, struct packet *packet)
{
	vector->packets[vector->count++] = packet;
}

static inline bool packet_vector_is_full(const struct packet_vector *vector)
{
	return vector->count == PACKET_VECTOR_MAX;
}

/* Drops every packet of the vector for one reason and empties it. */
void packet_vector_drop(struct packet_vector *vector, enum drop_reason reason);
