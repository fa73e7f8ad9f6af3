/* SPDX-License-Identifier: ISC */
/*
 * Numbers that a connection begins with and nobody can guess who does not see it: its first
 * sequence number (RFC 6528) and the offset of its timestamps (RFC 7323, 7.1). Both are a
 * keyed hash of the connection's name, so that an old connection of the same name and a new
 * one have numbers that go on, and two of different names have nothing in common.
 */
#pragma once

#include <stdint.h>

#include "lib/random.h"
#include "lib/siphash.h"
#include "net/tcp_core_segment.h"

#define TCP_ISN_TICK_NS 4000ull /* RFC 9293, 3.4.1: the clock ticks each 4 us or so */

struct tcp_isn {
	struct siphash_key sequence; /* random for each boot */
	struct siphash_key timestamp;
};

void tcp_isn_init(struct tcp_isn *isn, struct random *random);

/* The first sequence number of a connection that begins now (RFC 6528, 3). */
uint32_t tcp_isn_make(const struct tcp_isn *isn, const struct tcp_key *key, uint64_t now_ns);

/* What tcp_timestamp() adds to the clock for this connection; the same at any time. */
uint32_t tcp_isn_timestamp_offset(const struct tcp_isn *isn, const struct tcp_key *key);
