/* SPDX-License-Identifier: ISC */
/* Datagrams in pieces: every order, every overlap, every lie, every limit. */
#include "tests/net/test_fragments.h"

#include <string.h>

#include "tests/host/unit.h"

#define SECOND 1000000000ull

static const uint8_t versions[] = { 4, 6 };

static enum fragment_result send(struct test_fragments *box, uint8_t version, uint32_t id,
				 uint32_t offset, uint32_t length, bool more)
{
	struct test_fragment fragment = udp_fragment(version, id, offset, length, more);

	return test_send(box, &fragment);
}

static void send_dropped(struct test_fragments *box, uint8_t version, uint32_t id, uint32_t offset,
			 uint32_t length, bool more, enum drop_reason reason)
{
	struct test_fragment fragment = udp_fragment(version, id, offset, length, more);

	test_send_dropped(box, &fragment, reason);
}

/* The `index`th order of `count` things. */
static void permute(unsigned int index, unsigned int count, unsigned int *order)
{
	unsigned int left[4] = { 0, 1, 2, 3 };

	for (unsigned int n = count; n > 0; n--) {
		unsigned int pick = index % n;

		index /= n;
		*order++ = left[pick];
		memmove(left + pick, left + pick + 1, (n - 1 - pick) * sizeof(*left));
	}
}

static void one_order(uint8_t version, unsigned int count, unsigned int index, bool pass)
{
	struct test_fragments *box = test_fragments_begin(NULL);
	unsigned int order[4], held = 0;
	bool first_came = false;

	box->pass = pass;
	permute(index, count, order);
	for (unsigned int i = 0; i < count; i++) {
		bool first = order[i] == 0;
		enum fragment_result result =
			send(box, version, 1, order[i] * 16, 16, order[i] + 1 < count);

		first_came = first_came || first;
		if (first)
			ck_assert_uint_eq(result, FRAGMENT_JUDGE);
		else if (!first_came)
			ck_assert_uint_eq(result, FRAGMENT_HOLD);
		else
			ck_assert_uint_eq(result, pass ? FRAGMENT_FOLLOW : FRAGMENT_DROP);
		held += !first && !first_came;
		ck_assert_uint_eq(box->table.held_packets, first_came ? 0 : held);
		ck_assert_uint_eq(box->log_count, first_came && pass ? i + 1 : 0);
		ck_assert(fragments_check(&box->table));
	}
	if (pass) {
		unsigned int at = 0;

		ck_assert_uint_eq(box->log[at++], 0); /* the receiver's filter sees ports first */
		for (unsigned int i = 0; i < count; i++) {
			if (order[i])
				ck_assert_uint_eq(box->log[at++], order[i] * 16);
		}
		ck_assert_uint_eq(list_is_empty(&box->table.owners[0].states[FRAGMENT_DONE]), 0);
	} else {
		ck_assert_uint_eq(box->pool.drops[DROP_BLOCKED], count);
	}
	test_fragments_end(box);
}

START_TEST(every_order_of_arrival)
{
	static const unsigned int orders[] = { 1, 1, 2, 6, 24 };

	for (unsigned int count = 2; count <= 4; count++) {
		for (unsigned int i = 0; i < orders[count] * 4; i++)
			one_order(versions[i & 1], count, i / 4, i & 2);
	}
}
END_TEST

START_TEST(what_is_whole_is_alone)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	ck_assert_uint_eq(send(box, 6, 1, 16, 16, true), FRAGMENT_HOLD);
	ck_assert_uint_eq(send(box, 6, 1, 0, 13, false), FRAGMENT_WHOLE);
	ck_assert_uint_eq(send(box, 4, 1, 0, 13, false), FRAGMENT_WHOLE);
	ck_assert_uint_eq(box->table.used, 1); /* RFC 6946: those that wait are untouched */
	ck_assert_uint_eq(send(box, 6, 1, 0, 16, true), FRAGMENT_JUDGE);
	ck_assert_uint_eq(box->entry->verdict.id, 99);
	test_fragments_end(box);
}
END_TEST

/* [0,80) and [160,240) are there, the first before or after the second; then one more. */
static void one_overlap(uint8_t version, bool waiting, uint32_t start, uint32_t end)
{
	struct test_fragments *box = test_fragments_begin(NULL);
	bool exact = start == (waiting ? 80 : 0) && end == start + (waiting ? 8 : 80);
	bool clear = (start >= 80 && end <= 160) || start >= 240;
	uint32_t went;

	if (!waiting)
		ck_assert_uint_eq(send(box, version, 1, 0, 80, true), FRAGMENT_JUDGE);
	else
		ck_assert_uint_eq(send(box, version, 1, 80, 8, true), FRAGMENT_HOLD);
	if (waiting) /* there, [80,88) stands for [0,80) */
		clear = (start >= 88 && end <= 160) || start >= 240 || end <= 80;
	exact = exact || (start == 160 && end == 240);
	ck_assert_uint_eq(send(box, version, 1, 160, 80, true),
			  waiting ? FRAGMENT_HOLD : FRAGMENT_FOLLOW);
	went = box->log_count;
	if (exact) {
		send_dropped(box, version, 1, start, end - start, true, DROP_FRAGMENT_TWICE);
		ck_assert_uint_ne(send(box, version, 1, 240, 8, false), FRAGMENT_DROP);
	} else if (clear) {
		ck_assert_uint_ne(send(box, version, 1, start, end - start, true), FRAGMENT_DROP);
	} else {
		send_dropped(box, version, 1, start, end - start, true, DROP_FRAGMENT_OVERLAP);
		ck_assert_uint_eq(box->table.held_packets, 0);
		ck_assert_uint_eq(box->pool.drops[DROP_FRAGMENT_OVERLAP], waiting ? 3 : 1);
		send_dropped(box, version, 1, 0, 80, true, DROP_FRAGMENT_OVERLAP);
		send_dropped(box, version, 1, 240, 8, false, DROP_FRAGMENT_OVERLAP);
		ck_assert_uint_eq(box->log_count, went);
	}
	ck_assert(fragments_check(&box->table));
	test_fragments_end(box);
}

START_TEST(every_overlap)
{
	for (uint32_t start = 0; start <= 256; start += 8) {
		for (uint32_t end = start + 8; end <= 264; end += 8) {
			for (unsigned int i = 0; i < 4; i++)
				one_overlap(versions[i & 1], i & 2, start, end);
		}
	}
}
END_TEST

START_TEST(teardrop)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	ck_assert_uint_eq(send(box, 4, 242, 0, 40, true), FRAGMENT_JUDGE);
	send_dropped(box, 4, 242, 24, 4, false, DROP_FRAGMENT_BAD); /* ends inside the first */
	send_dropped(box, 4, 242, 40, 8, false, DROP_FRAGMENT_BAD);
	test_fragments_end(box);
}
END_TEST

START_TEST(lies_about_length)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t version = versions[i];

		send_dropped(box, version, 1, 0, 0, true, DROP_FRAGMENT_BAD);
		send_dropped(box, version, 1, 8, 0, false, DROP_FRAGMENT_BAD);
		send_dropped(box, version, 1, 80, 0, true, DROP_FRAGMENT_BAD);
		for (uint32_t odd = 1; odd < 8; odd++)
			send_dropped(box, version, 1, 80, 80 + odd, true, DROP_FRAGMENT_BAD);
		send_dropped(box, version, 1, 65528, 8, true, DROP_FRAGMENT_LONG);
		send_dropped(box, version, 1, 65520, 1480, false, DROP_FRAGMENT_LONG);
	}
	send_dropped(box, 4, 1, 65512, 4, false, DROP_FRAGMENT_LONG); /* 20 of header, too */
	ck_assert_uint_eq(box->table.used, 0);
	ck_assert_uint_eq(send(box, 4, 1, 65512, 3, false), FRAGMENT_HOLD);
	ck_assert_uint_eq(send(box, 6, 1, 65528, 7, false), FRAGMENT_HOLD);
	test_fragments_end(box);
}
END_TEST

START_TEST(ends_that_disagree)
{
	static const struct {
		uint32_t offset, length;
		bool more;
	} after[] = {
		{ 80, 15, false }, { 80, 17, false }, { 96, 8, true },	{ 96, 8, false },
		{ 80, 16, true },  { 88, 8, true },   { 16, 8, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(after) * 4; i++) {
		struct test_fragments *box = test_fragments_begin(NULL);
		uint8_t version = versions[i & 1];

		if (i & 2)
			ck_assert_uint_eq(send(box, version, 1, 0, 16, true), FRAGMENT_JUDGE);
		ck_assert_uint_ne(send(box, version, 1, 80, 16, false), FRAGMENT_DROP);
		send_dropped(box, version, 1, after[i / 4].offset, after[i / 4].length,
			     after[i / 4].more, DROP_FRAGMENT_BAD);
		send_dropped(box, version, 1, 32, 8, true, DROP_FRAGMENT_BAD);
		test_fragments_end(box);
		box = test_fragments_begin(NULL);
		ck_assert_uint_eq(send(box, version, 1, 80, 16, true), FRAGMENT_HOLD);
		send_dropped(box, version, 1, 80, 16, false, DROP_FRAGMENT_BAD);
		test_fragments_end(box);
	}
}
END_TEST

START_TEST(tiny_first_fragments)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	for (unsigned int i = 0; i < 2; i++) {
		struct test_fragment fragment = udp_fragment(versions[i], 1, 0, 16, true);

		fragment.protocol = IP_PROTOCOL_TCP;
		test_send_dropped(box, &fragment, DROP_FRAGMENT_TINY);
		fragment.length = 8;
		test_send_dropped(box, &fragment, DROP_FRAGMENT_TINY);
		ck_assert_uint_eq(box->table.used, 0);
		fragment.length = 24;
		fragment.tcp_words = 7;
		test_send_dropped(box, &fragment, DROP_FRAGMENT_TINY);
		fragment.tcp_words = 6;
		ck_assert_uint_eq(test_send(box, &fragment), FRAGMENT_JUDGE);
		/* RFC 3128: an offset that would write over the flags */
		fragment.offset = 8;
		test_send_dropped(box, &fragment,
				  i == 0 ? DROP_FRAGMENT_TINY : DROP_FRAGMENT_OVERLAP);
		fragment.offset = 16;
		test_send_dropped(box, &fragment,
				  i == 0 ? DROP_FRAGMENT_TINY : DROP_FRAGMENT_OVERLAP);
		fragment.id = 2;
		fragment.offset = 24;
		ck_assert_uint_eq(test_send(box, &fragment), FRAGMENT_HOLD);
		test_wait_ns(box, 16 * SECOND);
	}
	test_fragments_end(box);
}
END_TEST

START_TEST(too_many_fragments)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	for (uint32_t i = 0; i < FRAGMENT_RANGES; i++)
		ck_assert_uint_ne(send(box, 6, 1, i * 16, 8, true), FRAGMENT_DROP);
	send_dropped(box, 6, 1, FRAGMENT_RANGES * 16, 8, true, DROP_FRAGMENT_MANY);
	send_dropped(box, 6, 1, 8, 8, true, DROP_FRAGMENT_MANY);
	test_fragments_end(box);
}
END_TEST

START_TEST(identification_comes_round)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	for (unsigned int round = 0; round < 3; round++) {
		ck_assert_uint_eq(send(box, 4, 1, 0, 16, true), FRAGMENT_JUDGE);
		ck_assert_uint_eq(send(box, 4, 1, 16, 5, false), FRAGMENT_FOLLOW);
		ck_assert_uint_eq(box->table.used, 1);
	}
	ck_assert_uint_eq(send(box, 4, 1, 16, 5, false), FRAGMENT_HOLD);
	ck_assert_uint_eq(send(box, 6, 1, 0, 16, true), FRAGMENT_JUDGE);
	ck_assert_uint_eq(send(box, 6, 1, 16, 5, false), FRAGMENT_FOLLOW);
	send_dropped(box, 6, 1, 16, 5, false, DROP_FRAGMENT_TWICE);
	send_dropped(box, 6, 1, 8, 8, true, DROP_FRAGMENT_OVERLAP);
	send_dropped(box, 6, 1, 24, 8, true, DROP_FRAGMENT_BAD);
	test_fragments_end(box);
}
END_TEST

START_TEST(time_runs_out)
{
	struct test_fragments *box = test_fragments_begin(NULL);

	ck_assert_uint_eq(send(box, 4, 1, 16, 8, true), FRAGMENT_HOLD);
	ck_assert_uint_eq(send(box, 4, 2, 0, 16, true), FRAGMENT_JUDGE);
	test_wait_ns(box, 14 * SECOND);
	ck_assert_uint_eq(send(box, 4, 1, 24, 8, true), FRAGMENT_HOLD); /* prolongs nothing */
	ck_assert_uint_eq(send(box, 4, 2, 16, 8, true), FRAGMENT_FOLLOW);
	test_wait_ns(box, SECOND - 1);
	ck_assert_uint_eq(box->table.used, 2);
	test_wait_ns(box, 3ull << WHEEL_TICK_SHIFT);
	ck_assert_uint_eq(box->table.used, 0);
	ck_assert_uint_eq(box->pool.drops[DROP_FRAGMENT_TIMEOUT], 2);
	ck_assert_uint_eq(send(box, 4, 2, 24, 8, true), FRAGMENT_HOLD);
	test_fragments_end(box);
}
END_TEST

static const struct fragments_config tight = {
	.entries = 32,
	.owners = TEST_OWNERS,
	.held_packets = 24,
	.held_bytes = 24 * 100,
	.owner_entries = 8,
	.owner_held_packets = 6,
	.owner_held_bytes = 500,
};

START_TEST(a_flood_costs_only_its_sender)
{
	struct test_fragments *box = test_fragments_begin(&tight);
	struct test_fragment flood = udp_fragment(6, 0, 16, 16, true);
	uint64_t state = unit_seed() | 1;

	ck_assert_uint_eq(send(box, 4, 1, 0, 16, true), FRAGMENT_JUDGE);
	ck_assert_uint_eq(send(box, 4, 2, 16, 16, true), FRAGMENT_HOLD);
	for (uint32_t i = 0; i < 3000; i++) {
		flood.owner = (uint8_t)(1 + i % (TEST_OWNERS - 1));
		flood.id = i;
		flood.offset = (uint32_t)(unit_random(&state) % 3) * 16;
		ck_assert_uint_ne(test_send(box, &flood), FRAGMENT_DROP);
		box->log_count = 0;
		ck_assert(fragments_check(&box->table));
	}
	ck_assert_uint_eq(box->table.owners[1].entries, tight.owner_entries);
	ck_assert_uint_gt(box->pool.drops[DROP_FRAGMENT_QUOTA], 100);
	ck_assert_uint_eq(send(box, 4, 1, 16, 16, false), FRAGMENT_FOLLOW);
	ck_assert_uint_eq(send(box, 4, 2, 0, 16, true), FRAGMENT_JUDGE);
	ck_assert_uint_eq(box->log_count, 3); /* the held one as well */
	test_fragments_end(box);
}
END_TEST

START_TEST(limits_of_holding)
{
	struct test_fragments *box = test_fragments_begin(&tight);

	for (uint32_t i = 1; i <= 6; i++) /* the seventh of one datagram finds nothing to evict */
		ck_assert_uint_eq(send(box, 6, 1, i * 8, 8, true), FRAGMENT_HOLD);
	send_dropped(box, 6, 1, 56, 8, true, DROP_FRAGMENT_QUOTA);
	ck_assert_uint_eq(box->table.held_packets, 6);
	ck_assert_uint_eq(send(box, 6, 2, 8, 8, true), FRAGMENT_HOLD); /* another evicts it */
	ck_assert_uint_eq(box->table.held_packets, 1);
	ck_assert_uint_eq(box->pool.drops[DROP_FRAGMENT_QUOTA], 7);
	for (uint32_t i = 2; i <= 4; i++) /* bytes: 62 and then 3 x 110, of 500 */
		ck_assert_uint_eq(send(box, 6, 2, i * 56, 56, true), FRAGMENT_HOLD);
	ck_assert_uint_eq(box->table.held_bytes, 62 + 3 * 110);
	send_dropped(box, 6, 2, 280, 56, true, DROP_FRAGMENT_QUOTA);
	ck_assert_uint_eq(send(box, 6, 2, 336, 8, true), FRAGMENT_HOLD);
	ck_assert(fragments_check(&box->table));
	test_fragments_end(box);
}
END_TEST

START_TEST(what_is_done_goes_first)
{
	struct test_fragments *box = test_fragments_begin(&tight);
	struct test_fragment stranger = udp_fragment(4, 1, 0, 16, true);

	ck_assert_uint_eq(send(box, 4, 1, 0, 16, true), FRAGMENT_JUDGE);
	for (uint32_t i = 2; i < 100; i++) {
		ck_assert_uint_eq(send(box, 4, i, 0, 16, true), FRAGMENT_JUDGE);
		ck_assert_uint_eq(send(box, 4, i, 16, 5, false), FRAGMENT_FOLLOW);
	}
	ck_assert_uint_eq(send(box, 4, 1, 16, 5, false), FRAGMENT_FOLLOW);
	stranger.owner = TEST_OWNERS;
	test_send_dropped(box, &stranger, DROP_FRAGMENT_QUOTA);
	test_fragments_end(box);
}
END_TEST

START_TEST(purges)
{
	struct test_fragments *box = test_fragments_begin(NULL);
	struct test_fragment other = udp_fragment(4, 3, 16, 16, true);

	ck_assert_uint_eq(send(box, 4, 1, 0, 16, true), FRAGMENT_JUDGE); /* leaves by 2 */
	ck_assert_uint_eq(send(box, 4, 2, 16, 16, true), FRAGMENT_HOLD);
	other.owner = 1;
	ck_assert_uint_eq(test_send(box, &other), FRAGMENT_HOLD);
	fragments_purge_all(&box->table, DROP_BLOCKED);
	send_dropped(box, 4, 1, 16, 16, true, DROP_BLOCKED);
	ck_assert_uint_eq(box->table.held_packets, 2);
	fragments_purge_interface(&box->table, 0);
	ck_assert_uint_eq(box->table.used, 1);
	ck_assert_uint_eq(box->pool.drops[DROP_DETACHED], 1);
	ck_assert_uint_eq(send(box, 4, 1, 0, 16, true), FRAGMENT_JUDGE);
	fragments_purge_interface(&box->table, 2);
	ck_assert_uint_eq(box->table.used, 1);
	ck_assert(fragments_check(&box->table));
	test_fragments_end(box);
}
END_TEST

/* Keys that a neighbour counts up fall into buckets as chance would have it. */
START_TEST(hash_floods)
{
	static const struct fragments_config large = { .entries = 1024,
						       .owners = 1,
						       .owner_entries = 1024 };
	struct test_fragments *box = test_fragments_begin(&large);
	unsigned int longest = 0;

	for (uint32_t i = 0; i < 1024; i++) {
		ck_assert_uint_eq(send(box, 6, i << 10, 0, 8, true), FRAGMENT_JUDGE);
		box->log_count = 0;
	}
	for (uint32_t i = 0; i <= box->table.bucket_mask; i++) {
		unsigned int chain = 0;

		for (uint32_t at = box->table.buckets[i]; at; at = box->table.entries[at - 1].next)
			chain++;
		longest = chain > longest ? chain : longest;
	}
	ck_assert_uint_gt(longest, 1);
	ck_assert_uint_lt(longest, 16);
	test_fragments_end(box);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, every_order_of_arrival);
	tcase_add_test(cases, what_is_whole_is_alone);
	tcase_add_test(cases, every_overlap);
	tcase_add_test(cases, teardrop);
	tcase_add_test(cases, lies_about_length);
	tcase_add_test(cases, ends_that_disagree);
	tcase_add_test(cases, tiny_first_fragments);
	tcase_add_test(cases, too_many_fragments);
	tcase_add_test(cases, identification_comes_round);
	tcase_add_test(cases, time_runs_out);
	tcase_add_test(cases, a_flood_costs_only_its_sender);
	tcase_add_test(cases, limits_of_holding);
	tcase_add_test(cases, what_is_done_goes_first);
	tcase_add_test(cases, purges);
	tcase_add_test(cases, hash_floods);
}

int main(void)
{
	return unit_main("fragments", add_cases);
}
