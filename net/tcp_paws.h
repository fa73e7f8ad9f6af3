/* SPDX-License-Identifier: ISC */
/*
 * Timestamps (RFC 7323): protection against wrapped sequence numbers, and our own clock.
 * Pure functions over what a connection remembers: TS.Recent and when it was set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A peer's clock may have wrapped its sign bit after so long (RFC 7323, 5.5). */
#define TCP_PAWS_IDLE_NS (24ull * 24 * 3600 * 1000000000)
#define TCP_TIMESTAMP_NS 1000000ull /* our clock's tick: RFC 7323, 5.4 allows 1 ms to 1 s */

/* Our timestamp at `now_ns`: a tick each millisecond, from the connection's own `offset`. */
static inline uint32_t tcp_timestamp(uint32_t offset, uint64_t now_ns)
{
	return offset + (uint32_t)(now_ns / TCP_TIMESTAMP_NS);
}

/* What is to become of a segment of a connection that uses timestamps. */
enum tcp_paws {
	TCP_PAWS_OK,
	TCP_PAWS_OLD,	  /* not acceptable: answer with an ACK and drop it (5.3, R1) */
	TCP_PAWS_MISSING, /* it has none: drop it without an answer (3.2) */
};

/*
 * Judges a segment by its timestamp. `flags` as in net/wire.h: a reset needs none and is
 * never too old (5.2). `recent` was set at `recent_ns`. -> 5.3, R1 and 5.5.
 */
enum tcp_paws tcp_paws_judge(uint8_t flags, bool has_timestamps, uint32_t ts_value, uint32_t recent,
			     uint64_t recent_ns, uint64_t now_ns);

/*
 * Does the acceptable segment at `sequence` set TS.Recent to its timestamp? `last_ack` is
 * the acknowledgement that we sent last (Last.ACK.sent). -> 4.3 (2) and 5.3, R3.
 */
bool tcp_paws_updates(uint32_t sequence, uint32_t ts_value, uint32_t last_ack, uint32_t recent,
		      uint64_t recent_ns, uint64_t now_ns);

/*
 * May a SYN at `sequence` open a connection anew whose old one is in TIME-WAIT? `next` is the
 * old RCV.NXT. What of timestamps and sequence numbers decides depends on which of the two
 * has timestamps. -> RFC 6191, 2; RFC 9293, 3.6.1.
 */
bool tcp_paws_reopens(uint32_t sequence, uint32_t next, bool has_timestamps, uint32_t ts_value,
		      bool had_timestamps, uint32_t recent);
