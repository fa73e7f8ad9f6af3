/* SPDX-License-Identifier: ISC */
/*
 * A fragment table in a box, with a virtual clock: sends fragments into it, decides on
 * first ones, and notes what goes on.
 */
#pragma once

#include "net/fragments.h"

#define TEST_OWNERS 4u
#define TEST_PACKETS 512u
#define TEST_LOG 256u

struct test_fragment {
	uint8_t version; /* 4 or 6 */
	uint8_t owner;
	uint8_t protocol;
	uint32_t id;
	uint32_t offset;
	uint32_t length;
	bool more;
	uint8_t tcp_words; /* what the data offset of a TCP header says; 0: 5 */
};

struct test_fragments {
	struct fragment_table table;
	struct wheel wheel;
	struct packet_pool pool;
	uint64_t now_ns;
	bool pass;		      /* the verdict on first ones */
	enum drop_reason reason;      /* of the last drop */
	struct fragment_entry *entry; /* of the last first one or follower */
	uint32_t log_count;
	uint32_t log[TEST_LOG]; /* offsets of what went on, in order */
};

/* One box; ends the one before. NULL: generous limits. */
struct test_fragments *test_fragments_begin(const struct fragments_config *config);

/* All packets must be back after everything has expired. */
void test_fragments_end(struct test_fragments *box);

enum fragment_result test_send(struct test_fragments *box, const struct test_fragment *fragment);

/* It must be dropped, for `reason`. */
void test_send_dropped(struct test_fragments *box, const struct test_fragment *fragment,
		       enum drop_reason reason);

/* Moves the clock on and runs timers. */
void test_wait_ns(struct test_fragments *box, uint64_t ns);

/* A UDP fragment from owner 0. */
struct test_fragment udp_fragment(uint8_t version, uint32_t id, uint32_t offset, uint32_t length,
				  bool more);
