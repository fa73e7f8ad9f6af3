/* SPDX-License-Identifier: ISC */
/*
 * Random traffic of both IP versions over the bridge's filter, whole and in pieces, in any
 * order: what may pass crosses once and not one bit of it has changed, what may not does not,
 * and no packet is lost. Frames are told apart by a number in their destination's MAC, which
 * the filter has no reason to look at.
 */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_bridge.h"

#define FLOWS 64u
#define FRAMES 96u
#define PIECES_MOST 5u
#define BLOCKED_PORT 7u
#define RULES "pass\nblock proto { tcp udp } to any port 7\n"

/* What was sent in one round. */
static struct {
	struct box_frame frames[FRAMES];
	enum bridge_side side[FRAMES];
	bool may_pass[FRAMES], known[FRAMES]; /* known: what must become of it */
	uint32_t seen[FRAMES];
	uint32_t count;
} sent;

static uint32_t number_of(const struct box_frame *frame)
{
	return get32(frame->bytes + 2);
}

static struct box_frame *add(enum bridge_side side, const struct box_frame *frame, bool may_pass)
{
	struct box_frame *place = &sent.frames[sent.count];

	*place = *frame;
	put32(place->bytes + 2, sent.count);
	sent.side[sent.count] = side;
	sent.may_pass[sent.count] = may_pass;
	sent.known[sent.count] = true;
	sent.seen[sent.count++] = 0;
	return place;
}

static void random_whole(uint64_t *state, enum bridge_side side, bool blocked,
			 struct box_frame *whole)
{
	static const char *const addresses[2][BRIDGE_SIDES] = {
		{ [BRIDGE_UPLINK] = BRIDGE_SERVER4, [BRIDGE_CLIENTS] = BRIDGE_CLIENT4 },
		{ [BRIDGE_UPLINK] = BRIDGE_SERVER6, [BRIDGE_CLIENTS] = BRIDGE_CLIENT6 },
	};
	const char *const *ends = addresses[unit_random(state) % 2];
	uint16_t from = (uint16_t)(1000 + unit_random(state) % 4);
	uint16_t to = blocked ? BLOCKED_PORT : (uint16_t)(1000 + unit_random(state) % 4);
	uint32_t payload = (uint32_t)(unit_random(state) % 1400);

	if (blocked || unit_random(state) % 4)
		bridge_udp(whole, side, ends[side], ends[!side], from, to, payload);
	else
		bridge_echo(whole, side, ends[side], ends[!side], false, from);
}

/* In pieces of at least 8 bytes, all but the last of a multiple of 8. */
static void add_pieces(uint64_t *state, enum bridge_side side, bool blocked,
		       const struct box_frame *whole)
{
	uint32_t bytes = whole->length - bridge_start(whole);
	uint32_t most = bytes / 8 < PIECES_MOST ? bytes / 8 : PIECES_MOST;
	uint32_t pieces = 1 + (uint32_t)(unit_random(state) % most);
	uint32_t step = (bytes / pieces + 8) & ~7u, id = sent.count;
	static struct box_frame piece;

	if (pieces == 1) {
		add(side, whole, !blocked);
		return;
	}
	for (uint32_t at = 0; at < bytes; at += step) {
		bridge_cut(&piece, whole, id, at, bytes - at < step ? bytes - at : step);
		add(side, &piece, !blocked);
	}
}

static void shuffle(uint64_t *state, uint32_t *order, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = (uint32_t)(unit_random(state) % i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

/* As many as come next from one side, up to a vector. */
static uint32_t send_some(uint64_t *state, const uint32_t *order, uint32_t count)
{
	static struct box_frame frames[PACKET_VECTOR_MAX];
	enum bridge_side side = sent.side[order[0]];
	uint32_t most = 1 + (uint32_t)(unit_random(state) % PACKET_VECTOR_MAX), n = 0;

	while (n < count && n < most && sent.side[order[n]] == side) {
		frames[n] = sent.frames[order[n]];
		n++;
	}
	test_bridge_send(side, frames, n);
	return n;
}

static void compare(void)
{
	const struct box_frame *crossed;

	while ((crossed = test_bridge_take())) {
		uint32_t number = number_of(crossed);

		ck_assert_uint_lt(number, sent.count);
		ck_assert_uint_le(crossed->length, sent.frames[number].length);
		ck_assert_mem_eq(crossed->bytes, sent.frames[number].bytes, crossed->length);
		if (sent.known[number])
			ck_assert_uint_eq(crossed->length, sent.frames[number].length);
		sent.seen[number]++;
	}
}

static void run_round(uint64_t *state)
{
	uint32_t order[FRAMES];

	shuffle(state, order, sent.count);
	for (uint32_t at = 0; at < sent.count;)
		at += send_some(state, order + at, sent.count - at);
	compare();
	for (uint32_t i = 0; i < sent.count; i++) {
		ck_assert_uint_le(sent.seen[i], 1);
		if (sent.known[i] && sent.seen[i] != sent.may_pass[i]) {
			ck_abort_msg("frame %u of %u crossed %u times", i, sent.count,
				     sent.seen[i]);
		}
	}
	ck_assert(flow_table_is_valid(&test_bridge.filter.flows));
	ck_assert(fragments_check(&test_bridge.filter.fragments));
}

static void add_random_datagram(uint64_t *state)
{
	static struct box_frame whole;
	enum bridge_side side = unit_random(state) % BRIDGE_SIDES;
	bool blocked = unit_random(state) % 5 == 0;

	random_whole(state, side, blocked, &whole);
	add_pieces(state, side, blocked, &whole);
}

START_TEST(all_that_may_pass_crosses_unchanged)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t crossed = 0, frames = 0;

	test_bridge_begin(RULES, FLOWS);
	for (unsigned int round = 0; round < 500; round++) {
		sent.count = 0;
		while (sent.count + PIECES_MOST <= FRAMES)
			add_random_datagram(&state);
		run_round(&state);
		ck_assert_uint_eq(test_bridge.filter.fragments.held_packets, 0);
		for (uint32_t i = 0; i < sent.count; i++)
			crossed += sent.seen[i];
		frames += sent.count;
		test_bridge_advance((FRAGMENT_SECONDS + 1) * BOX_SECOND);
	}
	ck_assert_uint_gt(crossed, frames / 2);
	ck_assert_uint_lt(crossed, frames);
	test_bridge_end();
}
END_TEST

/* Any bytes may have become others: nobody knows what passes, but that is what was sent. */
static void damage(uint64_t *state, struct box_frame *frame)
{
	uint32_t number = number_of(frame);

	for (uint64_t n = 1 + unit_random(state) % 4; n; n--) {
		uint32_t at = 6 + (uint32_t)(unit_random(state) % 60);

		if (at < frame->length)
			frame->bytes[at] = (uint8_t)unit_random(state);
	}
	if (unit_random(state) % 8 == 0)
		frame->length = 14 + (uint32_t)(unit_random(state) % (frame->length - 13));
	sent.known[number] = false;
}

START_TEST(nothing_is_lost_of_what_is_damaged)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t crossed = 0;

	test_bridge_begin(RULES, FLOWS);
	for (unsigned int round = 0; round < 500; round++) {
		sent.count = 0;
		while (sent.count + PIECES_MOST <= FRAMES)
			add_random_datagram(&state);
		for (uint32_t i = 0; i < sent.count; i++) {
			sent.known[i] = false; /* it may be of one datagram with a damaged one */
			if (unit_random(&state) % 2)
				damage(&state, &sent.frames[i]);
		}
		run_round(&state);
		for (uint32_t i = 0; i < sent.count; i++)
			crossed += sent.seen[i];
		/* Nothing may come out later, when its number is another's. */
		test_bridge_advance((FRAGMENT_SECONDS + 1) * BOX_SECOND);
		ck_assert_uint_eq(test_bridge.filter.fragments.used, 0);
		box6_skip();
	}
	ck_assert_uint_gt(crossed, 500);
	test_bridge_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, all_that_may_pass_crosses_unchanged);
	tcase_add_test(cases, nothing_is_lost_of_what_is_damaged);
}

int main(void)
{
	return unit_main("net/bridge_random", add_cases);
}
