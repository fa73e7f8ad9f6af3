/* SPDX-License-Identifier: ISC */
/*
 * TCP options (RFC 9293, 3.1 and 3.2), as they lie behind the header and as plain numbers.
 *
 * Reading never leaves the bytes that it is given: tcp_option_next() is the only one that
 * touches them, and it checks each length before anything behind it is looked at. An option
 * of a length that its kind does not have is passed over, as one of an unknown kind is
 * (RFC 9293, 3.1, MUST-6); a length that leads out of the header, or nowhere, ends it all
 * (MUST-7). Of several options of one kind the first counts, as for the flow table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/tcp_core_segment.h"
#include "net/tcp_sack.h"

#define TCP_SCALE_MAX 14u	   /* RFC 7323, 2.3 */
#define TCP_FASTOPEN_COOKIE_MIN 4u /* bytes; RFC 7413, 2 */
#define TCP_FASTOPEN_COOKIE_MAX 16u
#define TCP_MSS_DEFAULT4 536u /* when none is announced; RFC 9293, 3.7.1 */
#define TCP_MSS_DEFAULT6 1220u
/*
 * What we make of a smaller announcement: nobody needs one, and it would multiply segments
 * and whatever is kept for each of them (CVE-2019-11479). With all options it still leaves
 * room for data.
 */
#define TCP_MSS_MIN 48u

/* What there is in a struct tcp_options, as bits. */
enum tcp_option_present {
	TCP_HAS_MSS = 1 << 0,
	TCP_HAS_SCALE = 1 << 1,
	TCP_HAS_SACK_PERMITTED = 1 << 2,
	TCP_HAS_TIMESTAMPS = 1 << 3,
	TCP_HAS_FASTOPEN = 1 << 4,
	/* SACK blocks: sack_count */
};

/* Options in host order. A field says nothing unless its bit is set in `present`. */
struct tcp_options {
	uint8_t present;	/* enum tcp_option_present */
	uint8_t sack_count;	/* at most TCP_SACK_BLOCKS_MAX */
	uint8_t scale;		/* window scale shift, at most TCP_SCALE_MAX */
	uint8_t fastopen_bytes; /* of the cookie; 0: one is asked for (RFC 7413, 4.1.1) */
	uint16_t mss;		/* as announced */
	uint32_t ts_value;
	uint32_t ts_echo;
	struct tcp_sack_block sacks[TCP_SACK_BLOCKS_MAX]; /* none is empty or turned round */
	uint8_t fastopen[TCP_FASTOPEN_COOKIE_MAX];
};

/* An option as it lies on the wire. `data` points into what is read. */
struct tcp_option {
	uint8_t kind;
	uint8_t bytes; /* of data, without kind and length */
	const uint8_t *data;
};

/* Where reading has come to. */
struct tcp_option_cursor {
	const uint8_t *at;
	size_t left;
};

/*
 * The next option but NOP and END. 1: there is one; 0: the end; -EPROTO: what follows is no
 * option (the cursor then stays at the end, so that the next call returns 0).
 */
must_check int tcp_option_next(struct tcp_option_cursor *cursor, struct tcp_option *option);

/*
 * Reads the `bytes` bytes behind a TCP header with `flags` (net/wire.h) into `options`. What
 * only a SYN may carry (MSS, window scale, SACK permitted, Fast Open) counts in nothing
 * else, SACK blocks in anything but a SYN. Reads at most TCP_OPTIONS_MAX bytes.
 * 0, or -EPROTO: malformed; `options` then has what stood before the fault, for whoever
 * would rather go on.
 */
must_check int tcp_options_parse(const void *data, size_t bytes, uint8_t flags,
				 struct tcp_options *options);

/*
 * Bytes that tcp_options_write() makes of these options, a multiple of 4: what a segment has
 * less for its payload.
 */
size_t tcp_options_bytes(const struct tcp_options *options);

/*
 * Writes them to `to`, aligned as RFC 7323, appendix A wants; returns how many bytes, a
 * multiple of 4. Of the SACK blocks it writes as many as there is room for, the first ones.
 * All options of a SYN fit with the longest cookie.
 */
size_t tcp_options_write(const struct tcp_options *options, uint8_t to[static TCP_OPTIONS_MAX]);

/* How many SACK blocks fit behind what else `options` has. */
unsigned int tcp_options_sack_room(const struct tcp_options *options);

/*
 * The payload of the largest segment that we may send to who sent these options in a SYN:
 * its MSS, or the default of the IP version, but neither below TCP_MSS_MIN nor above `own`
 * (what our link takes, tcp_mss_of_mtu()). Options of a segment count into it: take
 * tcp_options_bytes() off (RFC 6691).
 */
uint16_t tcp_options_mss(const struct tcp_options *options, uint8_t version, uint16_t own);
