/* SPDX-License-Identifier: ISC */
/* Which segments become one, and which must not. */
#include <string.h>

#include "net/tcp_core_merge.h"
#include "net/wire.h"
#include "tests/host/unit.h"

#define EACH 100u

static struct iopage_pool pages;
static struct packet_pool pool;
static struct iopage descriptors[8];
static struct packet packets[64];
static uint8_t arena[8 * IOPAGE_SIZE] __attribute__((aligned(IOPAGE_SIZE)));
static uint8_t data[EACH], options[2][12];
static struct tcp_merge merge;
static struct netdev *const link = (struct netdev *)arena; /* only compared */

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page >> 12;
}

static void begin(void)
{
	iopage_pool_init(&pages, arena, descriptors, ARRAY_SIZE(descriptors), frame_of);
	ck_assert_int_eq(packet_pool_init(&pool, &pages, packets, ARRAY_SIZE(packets)), 0);
	memset(&merge, 0, sizeof(merge));
	memset(options, 1, sizeof(options));
}

static void end(void)
{
	tcp_merge_end(&merge);
	ck_assert_uint_eq(merge.count, 0);
	ck_assert_uint_eq(pool.free_count, ARRAY_SIZE(packets));
}

static struct tcp_segment nth(uint32_t n)
{
	return (struct tcp_segment){ .key = { .own = { 1 }, .peer = { 2 }, .version = 4 },
				     .sequence = UINT32_MAX - 150 + n * EACH,
				     .acknowledgement = 7,
				     .window = 9,
				     .flags = TCP_ACK,
				     .option_bytes = 12,
				     .options = options[n & 1],
				     .piece_count = 1,
				     .segments = 1,
				     .bytes = EACH,
				     .pieces = { { data, EACH } } };
}

static bool begins(const struct tcp_segment *segment)
{
	struct packet *packet = packet_alloc(&pool);
	bool taken = tcp_merge_begin(&merge, link, packet, segment);

	if (!taken)
		packet_free(packet);
	return taken;
}

static bool joins(const struct tcp_segment *segment)
{
	struct packet *packet = packet_alloc(&pool);
	bool taken = tcp_merge_join(&merge, link, packet, segment);

	if (!taken)
		packet_free(packet);
	return taken;
}

START_TEST(what_follows_joins_until_there_is_no_place)
{
	struct tcp_segment segment = nth(0);

	begin();
	ck_assert(!joins(&segment));
	ck_assert(begins(&segment));
	for (uint32_t n = 1; n < TCP_PIECES_MAX; n++) {
		ck_assert(!tcp_merge_is_complete(&merge));
		segment = nth(n);
		ck_assert(joins(&segment));
	}
	ck_assert(tcp_merge_is_complete(&merge));
	ck_assert_uint_eq(merge.segment.bytes, TCP_PIECES_MAX * EACH);
	ck_assert_uint_eq(merge.segment.segments, TCP_PIECES_MAX);
	ck_assert_uint_eq(merge.segment.sequence, nth(0).sequence);
	segment = nth(TCP_PIECES_MAX);
	ck_assert(!joins(&segment));
	end();
}
END_TEST

START_TEST(a_short_one_is_the_last)
{
	struct tcp_segment segment = nth(0);

	begin();
	ck_assert(begins(&segment));
	segment = nth(1);
	segment.bytes = segment.pieces[0].bytes = 10;
	ck_assert(joins(&segment));
	ck_assert(tcp_merge_is_complete(&merge));
	segment = nth(1);
	segment.sequence += 10;
	ck_assert(!joins(&segment));
	end();
}
END_TEST

START_TEST(push_is_the_last_and_is_kept)
{
	struct tcp_segment segment = nth(0);

	begin();
	segment.flags |= TCP_PSH;
	ck_assert(!begins(&segment));
	segment = nth(0);
	ck_assert(begins(&segment));
	segment = nth(1);
	segment.flags |= TCP_PSH;
	ck_assert(joins(&segment));
	ck_assert(tcp_merge_is_complete(&merge));
	ck_assert_uint_eq(merge.segment.flags, TCP_ACK | TCP_PSH);
	end();
}
END_TEST

/* Each changes the segment that would have joined. */
static const struct {
	const char *what;
	uint32_t sequence, acknowledgement, more;
	uint16_t window, segments;
	uint8_t flags, ecn, option_bytes, option, peer;
} others[] = {
	{ "a gap", .sequence = 1 },
	{ "an overlap", .sequence = UINT32_MAX },
	{ "another acknowledgement", .acknowledgement = 1 },
	{ "another window", .window = 1 },
	{ "larger than the first", .more = 1 },
	{ "merged by the link", .segments = 2 },
	{ "FIN", .flags = TCP_FIN },
	{ "RST", .flags = TCP_RST },
	{ "SYN", .flags = TCP_SYN },
	{ "ECE", .flags = TCP_ECE },
	{ "CWR", .flags = TCP_CWR },
	{ "URG", .flags = TCP_URG },
	{ "CE", .ecn = TCP_ECN_CE },
	{ "fewer options", .option_bytes = 8 },
	{ "other options", .option = 2 },
	{ "another peer", .peer = 3 },
};

START_TEST(what_says_something_else_does_not_join)
{
	struct tcp_segment segment = nth(0);

	begin();
	ck_assert(begins(&segment));
	segment = nth(1);
	segment.sequence += others[_i].sequence;
	segment.acknowledgement += others[_i].acknowledgement;
	segment.window = (uint16_t)(segment.window + others[_i].window);
	segment.bytes += others[_i].more;
	segment.segments = (uint16_t)(segment.segments + others[_i].segments);
	segment.flags |= others[_i].flags;
	segment.ecn = others[_i].ecn;
	if (others[_i].option_bytes)
		segment.option_bytes = others[_i].option_bytes;
	if (others[_i].option)
		options[1][11] = others[_i].option;
	if (others[_i].peer)
		segment.key.peer[0] = others[_i].peer;
	ck_assert_msg(!joins(&segment), "%s", others[_i].what);
	segment = nth(1);
	memset(options, 1, sizeof(options));
	ck_assert(joins(&segment));
	end();
}
END_TEST

START_TEST(of_another_link_does_not_join)
{
	struct tcp_segment segment = nth(0);
	struct packet *packet;

	begin();
	ck_assert(begins(&segment));
	segment = nth(1);
	packet = packet_alloc(&pool);
	ck_assert(!tcp_merge_join(&merge, NULL, packet, &segment));
	packet_free(packet);
	end();
}
END_TEST

START_TEST(without_payload_none_begins)
{
	struct tcp_segment segment = nth(0);

	begin();
	segment.bytes = segment.piece_count = 0;
	ck_assert(!begins(&segment));
	segment = nth(0);
	segment.flags |= TCP_FIN;
	ck_assert(!begins(&segment));
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, what_follows_joins_until_there_is_no_place);
	tcase_add_test(cases, a_short_one_is_the_last);
	tcase_add_test(cases, push_is_the_last_and_is_kept);
	tcase_add_loop_test(cases, what_says_something_else_does_not_join, 0,
			    (int)ARRAY_SIZE(others));
	tcase_add_test(cases, of_another_link_does_not_join);
	tcase_add_test(cases, without_payload_none_begins);
}

int main(void)
{
	return unit_main("net/tcp_core_merge", add_cases);
}
