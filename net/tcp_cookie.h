/* SPDX-License-Identifier: ISC */
/*
 * SYN cookies (RFC 4987, 3.6): a listener whose backlog is full answers a SYN and keeps
 * nothing of it. What it has to know again lies in the answer, and comes back with the ACK:
 *
 *	sequence number		31..3	keyed hash of all the rest
 *				 2..0	MSS, as an index into a table
 *	timestamp, if the	 5	the client speaks ECN
 *	client has them		 4	and SACK
 *				 3..0	its window scale, 15: none
 *
 * The hash is over the connection's name, the client's first sequence number, the index and
 * the timestamp's bits, so that one guess in 2^28 is right. Its key is random, renewed every
 * TCP_COOKIE_PERIOD_NS, and good for one more period: a cookie lives for one to two of them.
 * Nothing is taken for a cookie unless one has been made within that time, so that most of
 * the time guessing is in vain. Without timestamps a client gets neither scale nor SACK.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "net/tcp_core_segment.h"
#include "net/tcp_options.h"

#define TCP_COOKIE_PERIOD_NS 32000000000ull /* a client sends its ACK's data again until then */
#define TCP_COOKIE_TIMESTAMP_BITS 6u

struct tcp_cookies {
	struct random *random;
	struct siphash_key key, previous;
	uint64_t period;  /* number of the one that `key` was made in */
	uint64_t last_ns; /* when the last cookie was made */
	bool made;	  /* any cookie at all */
};

void tcp_cookies_init(struct tcp_cookies *cookies, struct random *random);

/* Those that are out are good for nothing any more. */
void tcp_cookies_forget(struct tcp_cookies *cookies);

/*
 * The sequence number of the SYN-ACK to a SYN of sequence number `client_isn`, whose options
 * are `syn` and that asks for ECN or not. `timestamp`: our timestamp for the answer, in: now,
 * out: with the bits above, and not later than now; it may be 63 ticks old, so that it is no
 * good for measuring. Only used when the client has timestamps.
 */
uint32_t tcp_cookie_make(struct tcp_cookies *cookies, const struct tcp_key *key,
			 uint32_t client_isn, const struct tcp_options *syn, bool ecn,
			 uint32_t *timestamp, uint64_t now_ns);

/*
 * Is `cookie` (SEG.ACK - 1 of an ACK without SYN and RST that belongs to no connection) one
 * of ours, for the client's number `client_isn` (SEG.SEQ - 1) and the ACK's options `ack`? If
 * so, `syn` becomes the options that the SYN had as far as they are known, with the ACK's
 * timestamp as its own, and `ecn` whether it asked for that. The MSS is that of the table: not
 * above the one announced. An ACK is good any number of times within the cookie's life:
 * the connection that it makes takes the others.
 */
must_check bool tcp_cookie_check(struct tcp_cookies *cookies, const struct tcp_key *key,
				 uint32_t client_isn, uint32_t cookie,
				 const struct tcp_options *ack, uint64_t now_ns,
				 struct tcp_options *syn, bool *ecn);
