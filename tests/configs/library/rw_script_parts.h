/* SPDX-License-Identifier: ISC */
/* What the parts of the scenario harness share: a packet in numbers, its text, its bytes. */
#pragma once

#include "tests/configs/library/rw_script.h"

#define SEGMENT_RAW 120u /* bytes of a packet that are kept, to quote it */

enum segment_has {
	HAS_ACK = 1 << 0,
	HAS_WINDOW = 1 << 1,
	HAS_URGENT = 1 << 2,
	HAS_OPTIONS = 1 << 3, /* there is a <...> */
	HAS_MSS = 1 << 4,
	HAS_SCALE = 1 << 5,
	HAS_SACK_PERMITTED = 1 << 6,
	HAS_TS = 1 << 7,
	HAS_ECN = 1 << 8,
	HAS_NO_TS = 1 << 9,
	HAS_PUSH = 1 << 10,
	HAS_JUNK = 1 << 11,
	HAS_BAD_SUM = 1 << 12,
	HAS_OTHER = 1 << 13, /* options that are none of these */
};

/* `any` are bits of numbers that may be anything. */
struct number {
	uint32_t value;
	bool any;
};

/* Relative numbers, as in the text. */
struct segment {
	uint32_t has;
	bool other; /* not TCP: only `text` */
	uint8_t flags;
	struct number sequence, ack, window, urgent, mss, scale, ts_value, ts_echo;
	uint32_t bytes;
	uint8_t ecn, ttl;
	unsigned int sack_count;
	struct number sacks[4][2];
	uint8_t option_raw[40]; /* as written, of a packet to be made */
	unsigned int option_bytes;
	char text[64];
};

/* rw_script_text.c; errors are of the scenario: they fail it. */
void segment_parse(struct script *s, const char *text, struct segment *to);
void segment_print(const struct segment *segment, char *to, size_t room);
/* Is `seen` as expected? */
bool segment_matches(const struct segment *expected, const struct segment *seen);

/* rw_script_wire.c */
#define WIRE_MAX 65536u
/* The packet that the peer sends in this flow; its bytes. */
size_t wire_make(struct script *s, struct segment *segment, uint8_t *to);
/* A packet of ours; finds its flow. Fails the test when something about it is never right. */
void wire_read(struct script *s, const uint8_t *packet, size_t bytes, struct segment *to,
	       unsigned int *flow);
size_t wire_make_udp(const struct script *s, uint16_t from, uint16_t to_port, uint32_t bytes,
		     uint8_t *to);
size_t wire_make_echo(const struct script *s, uint32_t bytes, uint8_t *to);
/* Quotes `bytes` bytes of a packet of ours. */
size_t wire_make_icmp(const struct script *s, enum script_icmp what, uint16_t mtu,
		      const uint8_t *quoted, size_t bytes, uint8_t *to);
/* Writes another sequence number into a packet of ours. */
void wire_set_sequence(const struct script *s, uint8_t *packet, uint32_t sequence);

/* rw_script.c */
void script_note(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void script_fail(struct script *s, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void script_inject(struct script *s, const uint8_t *packet, size_t bytes);
/* Takes what the stack sends into the log. */
void script_collect(struct script *s);
