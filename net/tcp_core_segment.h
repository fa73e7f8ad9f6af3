/* SPDX-License-Identifier: ISC */
/*
 * A TCP segment in plain numbers, as it comes to the core and as it leaves, and the
 * arithmetic of sequence numbers. Numbers are in host order; ports and addresses in a key
 * are in network order, as on the wire, for a key is only hashed and compared.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/ip_address.h"

/* Is a before b, on the circle? (RFC 9293, 3.4) */
static inline bool tcp_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool tcp_after(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) < 0;
}

/* Is a in [low, high]? low must not be after high. */
static inline bool tcp_between(uint32_t a, uint32_t low, uint32_t high)
{
	return a - low <= high - low;
}

/* What names a connection, seen from this end. Zero where nothing is set: it is hashed. */
struct tcp_key {
	uint8_t own[16]; /* as in struct ip_address */
	uint8_t peer[16];
	be16 own_port;
	be16 peer_port;
	uint8_t version; /* 4 or 6 */
	uint8_t zone;	 /* the owner's: which link or instance it is on; usually 0 */
	uint8_t zero[2];
};
static_assert(sizeof(struct tcp_key) == 40, "hashed as five words");

static inline bool tcp_key_equal(const struct tcp_key *a, const struct tcp_key *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

/* A run of payload bytes somewhere. */
struct tcp_piece {
	const uint8_t *data;
	uint32_t bytes;
};

/* A run of bytes that may be written. */
struct tcp_room {
	uint8_t *data;
	uint32_t bytes;
};

#define TCP_PIECES_MAX 18u /* the head of a packet and its fragments */
#define TCP_OPTIONS_MAX 40u
#define TCP_GSO_MAX 65160u /* payload bytes in one transmission: 45 x 1,448 */

enum tcp_ecn_field { TCP_ECN_NONE, TCP_ECN_ECT1, TCP_ECN_ECT0, TCP_ECN_CE };

/*
 * A segment that came, its checksum verified and its header's length checked. All that it
 * points to is the caller's and only read during the call; what is kept of it is copied.
 */
struct tcp_segment {
	struct tcp_key key;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window; /* as it stands */
	uint8_t flags;	 /* TCP_FIN and so on, net/wire.h */
	uint8_t ecn;	 /* enum tcp_ecn_field, from the IP header */
	uint8_t option_bytes;
	uint8_t piece_count;
	uint16_t segments; /* how many the link has merged into it; 0 or 1: none */
	uint32_t bytes;	   /* payload: the sum of the pieces */
	const uint8_t *options;
	struct tcp_piece pieces[TCP_PIECES_MAX];
};

/*
 * What the core wants sent: one segment, or where `gso_size` is set as many as it takes, of
 * that many payload bytes each (the last may have fewer), all with these options and flags;
 * FIN and PSH belong to the last one and CWR to the first. Pieces point into the send
 * buffer and hold until the call returns.
 */
struct tcp_transmission {
	struct tcp_key key;
	uint32_t sequence;
	uint32_t acknowledgement; /* valid with TCP_ACK */
	uint16_t window;	  /* as it is to stand */
	uint8_t flags;
	uint8_t ecn; /* for the IP header */
	uint8_t option_bytes;
	uint8_t piece_count;
	uint16_t gso_size;
	uint32_t bytes;
	void *route; /* the connection's, or NULL: not known */
	uint8_t options[TCP_OPTIONS_MAX];
	struct tcp_piece pieces[TCP_PIECES_MAX];
};

/* Sequence numbers that a segment takes up (RFC 9293, 3.4). */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->bytes + (segment->flags >> 1 & 1u) + (segment->flags & 1u);
}
