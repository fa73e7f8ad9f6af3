/* SPDX-License-Identifier: ISC */
/*
 * Loss recovery over a path that loses, delays, reorders and duplicates at random, to a receiver
 * that acknowledges with SACK and D-SACK, or without: everything must arrive, in a time that is
 * bounded, and little may be sent in vain. And towards a peer that says anything at all.
 */
#include <string.h>

#include "net/tcp_recovery.h"
#include "tests/host/unit.h"

#define MSS 1000u
#define MS UINT64_C(1000000)
#define SEGMENTS 600u /* to be transferred */
#define WINDOW 64u    /* segments the receiver takes */
#define WIRE 4096u
#define CAPACITY 256u

struct path {
	uint32_t loss, ack_loss; /* of 1000 */
	uint32_t reorder, duplicate;
	uint64_t delay_ns; /* one way */
	bool has_sack, has_timestamps;
	uint16_t capacity;
};

/* Something under way: data to the receiver, or an acknowledgement back. */
struct item {
	uint64_t at_ns, order; /* what is due at once keeps its order */
	uint64_t sent_ns, echo_ns;
	uint32_t begin, end; /* of an acknowledgement: what it acknowledges, and nothing */
	struct tcp_sack_block blocks[4];
	uint8_t count;
	bool is_ack;
};

static struct tcp_range ranges[CAPACITY];
static struct tcp_recovery r;
static struct tcp_recovery_result result;
static struct item wire[WIRE];
static uint32_t items;
static uint64_t state, now_ns, ordered;
static const struct path *path;
static uint32_t start, cwnd, ssthresh, saved_cwnd;
static uint32_t sent_bytes, needless_bytes;
static bool received[SEGMENTS];
static uint32_t expected;  /* the receiver's, in segments */
static uint64_t recent_ns; /* the timestamp it echoes */

static uint32_t pick(uint32_t below)
{
	return (uint32_t)(unit_random(&state) >> 33) % below;
}

static void put(const struct item *item, uint32_t loss)
{
	uint32_t copies = pick(1000) < path->duplicate ? 2 : 1;

	if (pick(1000) < loss)
		return;
	while (copies-- && items < WIRE) {
		wire[items] = *item;
		wire[items].at_ns = now_ns + path->delay_ns;
		wire[items].order = ++ordered;
		if (pick(1000) < path->reorder)
			wire[items].at_ns += pick((uint32_t)path->delay_ns);
		items++;
	}
}

/* ---- the sender ---- */

static void answer(void)
{
	if (result.events & TCP_RECOVERY_SPURIOUS)
		cwnd = saved_cwnd > cwnd ? saved_cwnd : cwnd;
	if (result.events & TCP_RECOVERY_PROBE_REPAIRED)
		cwnd = ssthresh = cwnd / 2 > 2 * MSS ? cwnd / 2 : 2 * MSS;
	if (result.events & (TCP_RECOVERY_ENTERED | TCP_RECOVERY_TIMEOUT) &&
	    !(result.events & TCP_RECOVERY_IS_REPEATED)) {
		saved_cwnd = cwnd;
		ssthresh = cwnd / 2 > 2 * MSS ? cwnd / 2 : 2 * MSS;
	}
	if (result.events & TCP_RECOVERY_TIMEOUT)
		cwnd = MSS;
	cwnd = tcp_recovery_window(&r, &result, cwnd, ssthresh);
	if (r.state != TCP_RECOVERY_FAST && cwnd < WINDOW * MSS)
		cwnd += result.acked < MSS ? result.acked : MSS;
}

static void transmit(uint32_t begin, uint32_t bytes)
{
	const struct item item = { .sent_ns = now_ns, .begin = begin, .end = begin + bytes };

	ck_assert_int_eq(tcp_recovery_on_send(&r, begin, bytes, now_ns), 0);
	sent_bytes += bytes;
	put(&item, path->loss);
}

static bool may_send_new(void)
{
	return r.board.nxt - start < SEGMENTS * MSS && r.board.nxt - r.board.una < WINDOW * MSS &&
	       tcp_scoreboard_has_room(&r.board, MSS);
}

static void send_probe(void)
{
	uint32_t begin, bytes;
	bool is_new = may_send_new();

	if (!(result.events & TCP_RECOVERY_SEND_PROBE))
		return;
	if (is_new) {
		transmit(r.board.nxt, MSS);
	} else {
		if (!tcp_recovery_probe(&r, &begin, &bytes))
			return;
		transmit(begin, bytes);
	}
	tcp_recovery_on_probe(&r, !is_new);
}

static void send_all(void)
{
	uint32_t begin, bytes;

	send_probe();
	while (tcp_recovery_pipe(&r) < cwnd && tcp_recovery_next(&r, MSS, &begin, &bytes))
		transmit(begin, bytes);
	while (tcp_recovery_pipe(&r) + MSS <= cwnd && may_send_new())
		transmit(r.board.nxt, MSS);
}

static void take_ack(const struct item *item)
{
	const struct tcp_recovery_ack ack = { .ack = item->begin,
					      .blocks = item->blocks,
					      .count = item->count,
					      .is_bare = true,
					      .may_send_new = may_send_new(),
					      .echo_ns = item->echo_ns,
					      .now_ns = now_ns };

	tcp_recovery_on_ack(&r, &ack, &result);
	answer();
}

/* ---- the receiver ---- */

static void add_block(struct item *item, uint32_t segment)
{
	uint32_t first = segment, end = segment;
	struct tcp_sack_block block;

	while (first > expected && received[first - 1])
		first--;
	while (end < SEGMENTS && received[end])
		end++;
	block = (struct tcp_sack_block){ start + first * MSS, start + end * MSS };
	for (uint8_t k = 0; k < item->count; k++)
		if (item->blocks[k].begin == block.begin && item->blocks[k].end == block.end)
			return;
	if (item->count < 3)
		item->blocks[item->count++] = block;
}

/* Data on the boundaries of segments; parts of one that were cut count when all is here. */
static void take_data(const struct item *item)
{
	uint32_t segment = (item->begin - start) / MSS;
	struct item ack = { .is_ack = true };

	if (item->end - item->begin == MSS && received[segment] && path->has_sack)
		ack.blocks[ack.count++] = (struct tcp_sack_block){ item->begin, item->end };
	if (received[segment])
		needless_bytes += item->end - item->begin;
	if (segment <= expected)
		recent_ns = item->sent_ns;
	received[segment] = true;
	while (expected < SEGMENTS && received[expected])
		expected++;
	if (path->has_sack && segment > expected)
		add_block(&ack, segment);
	for (uint32_t s = expected; path->has_sack && s < SEGMENTS && ack.count < 3; s++)
		if (received[s] && (s == expected || !received[s - 1]) && pick(2))
			add_block(&ack, s);
	ack.begin = start + expected * MSS;
	/* In ticks of a millisecond, to their end. */
	if (path->has_timestamps)
		ack.echo_ns = (recent_ns / MS + 1) * MS;
	put(&ack, path->ack_loss);
}

/* ---- the run ---- */

static uint32_t earliest(void)
{
	uint32_t which = items;

	for (uint32_t k = 0; k < items; k++)
		if (which == items || wire[k].at_ns < wire[which].at_ns ||
		    (wire[k].at_ns == wire[which].at_ns && wire[k].order < wire[which].order))
			which = k;
	return which;
}

/* The next thing that happens. */
static void step(void)
{
	uint64_t deadline = tcp_recovery_deadline(&r);
	uint32_t k = earliest();
	struct item item;

	if (k < items && (!deadline || wire[k].at_ns <= deadline)) {
		item = wire[k];
		wire[k] = wire[--items];
		now_ns = item.at_ns > now_ns ? item.at_ns : now_ns;
		memset(&result, 0, sizeof(result));
		if (item.is_ack)
			take_ack(&item);
		else
			take_data(&item);
	} else {
		ck_assert_uint_ne(deadline, 0);
		now_ns = deadline > now_ns ? deadline : now_ns;
		tcp_recovery_on_timer(&r, now_ns, &result);
		answer();
	}
	send_all();
	if (!tcp_scoreboard_is_valid(&r.board))
		ck_abort_msg("the scoreboard is broken");
}

static void transfer(const struct path *over, uint64_t seed)
{
	struct tcp_recovery_options options = { .ranges = ranges, .mss = MSS };

	path = over;
	state = seed | 1;
	items = expected = sent_bytes = needless_bytes = 0;
	memset(received, 0, sizeof(received));
	recent_ns = now_ns = 1000 * MS;
	start = 0u - pick(SEGMENTS * MSS);
	cwnd = saved_cwnd = 10 * MSS;
	ssthresh = UINT32_MAX;
	options.una = start;
	options.capacity = over->capacity ? over->capacity : CAPACITY;
	options.has_sack = over->has_sack;
	tcp_recovery_init(&r, &options);
	send_all();
	for (uint32_t steps = 0; r.board.una - start < SEGMENTS * MSS; steps++) {
		if (steps > 60 * SEGMENTS)
			ck_abort_msg("no end: seed %llu, %u of %u", (unsigned long long)seed,
				     (r.board.una - start) / MSS, SEGMENTS);
		step();
	}
	ck_assert_uint_eq(tcp_recovery_deadline(&r), 0);
	ck_assert_uint_eq(expected, SEGMENTS);
}

#define EACH_SEED(k) for (uint64_t k = unit_seed(); k < unit_seed() + 12; k++)

START_TEST(rfc8985_a_clean_path_sends_nothing_twice)
{
	static const struct path clean = { .delay_ns = 10 * MS, .has_sack = true };

	EACH_SEED(seed)
	{
		transfer(&clean, seed * 2);
		ck_assert_uint_eq(sent_bytes, SEGMENTS * MSS);
		ck_assert_uint_eq(r.timeouts, 0);
	}
}
END_TEST

START_TEST(rfc8985_losses_are_repaired_without_timeouts)
{
	static const struct path lossy = { .loss = 10, .delay_ns = 10 * MS, .has_sack = true };
	uint32_t timeouts = 0, needless = 0;

	EACH_SEED(seed)
	{
		transfer(&lossy, seed * 2);
		timeouts += r.timeouts;
		needless += needless_bytes;
	}
	ck_assert_uint_le(timeouts, 2);
	ck_assert_uint_le(needless, 12 * 3 * MSS);
}
END_TEST

START_TEST(rfc8985_reordering_is_learnt)
{
	static const struct path reordering = {
		.reorder = 50, .delay_ns = 10 * MS, .has_sack = true, .has_timestamps = true
	};
	uint32_t needless = 0;

	EACH_SEED(seed)
	{
		transfer(&reordering, seed * 2);
		ck_assert_uint_eq(r.timeouts, 0);
		needless += needless_bytes;
	}
	ck_assert_uint_le(needless, 12 * SEGMENTS * MSS / 20);
}
END_TEST

START_TEST(rfc6582_losses_without_sack)
{
	static const struct path lossy = { .loss = 20, .ack_loss = 20, .delay_ns = 10 * MS };

	EACH_SEED(seed)
	transfer(&lossy, seed * 2);
}
END_TEST

START_TEST(every_kind_of_bad_path)
{
	EACH_SEED(seed)
	{
		uint64_t mixed = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
		struct path bad;

		state = mixed;
		for (int i = 0; i < 8; i++)
			unit_random(&state);
		bad = (struct path){ .loss = pick(250),
				     .ack_loss = pick(250),
				     .reorder = pick(300),
				     .duplicate = pick(200),
				     .delay_ns = MS + pick(100) * MS,
				     .has_sack = pick(3),
				     .has_timestamps = pick(2),
				     .capacity = (uint16_t)(pick(2) ? 8 + pick(30) : 0) };
		transfer(&bad, mixed);
	}
}
END_TEST

/* ---- a peer that says anything ---- */

static uint32_t any_sequence(void)
{
	switch (pick(8)) {
	case 0:
		return (uint32_t)unit_random(&state);
	case 1:
		return r.board.una - pick(5000);
	case 2:
		return r.board.nxt + pick(3);
	default:
		return r.board.una + pick(r.board.nxt - r.board.una + 1);
	}
}

static void say_anything(void)
{
	struct item item = { .begin = any_sequence(), .count = (uint8_t)pick(5) };

	if (pick(4))
		item.begin = r.board.una + (pick(6) ? 0 : pick(3 * MSS));
	for (unsigned int k = 0; k < item.count; k++)
		item.blocks[k] = (struct tcp_sack_block){ any_sequence(), any_sequence() };
	if (pick(2))
		item.echo_ns = 1 + pick(2) * (now_ns - pick(1000000));
	take_ack(&item);
}

START_TEST(whatever_a_peer_says_the_bounds_hold)
{
	static const struct path none = { .loss = 1000 };

	for (uint64_t run = 0; run < 24; run++) {
		struct tcp_recovery_options options = {
			.ranges = ranges, .mss = MSS, .has_sack = run % 4, .una = 0u - 100000
		};

		path = &none;
		state = (unit_seed() + run) * 2 + 1;
		items = 0;
		now_ns = 1000 * MS;
		cwnd = saved_cwnd = WINDOW * MSS;
		ssthresh = UINT32_MAX;
		start = options.una;
		options.capacity = (uint16_t)(8 + run * 8);
		tcp_recovery_init(&r, &options);
		for (uint32_t k = 0; k < 1500; k++) {
			uint64_t deadline = tcp_recovery_deadline(&r);

			start = r.board.una - pick(100) * MSS; /* there is always more to send */
			now_ns += pick(4) ? pick(100000) : pick(10 * (uint32_t)MS);
			memset(&result, 0, sizeof(result));
			if (deadline && pick(20) == 0) {
				now_ns = deadline > now_ns ? deadline : now_ns;
				tcp_recovery_on_timer(&r, now_ns, &result);
				answer();
			} else {
				say_anything();
			}
			if (cwnd < MSS)
				cwnd = MSS;
			send_all();
			if (!tcp_scoreboard_is_valid(&r.board) || r.board.used > options.capacity)
				ck_abort_msg("the scoreboard is broken");
			if (r.board.nxt != r.board.una && !tcp_recovery_deadline(&r))
				ck_abort_msg("data is out and no timer runs");
		}
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc8985_a_clean_path_sends_nothing_twice);
	tcase_add_test(cases, rfc8985_losses_are_repaired_without_timeouts);
	tcase_add_test(cases, rfc8985_reordering_is_learnt);
	tcase_add_test(cases, rfc6582_losses_without_sack);
	tcase_add_test(cases, every_kind_of_bad_path);
	tcase_add_test(cases, whatever_a_peer_says_the_bounds_hold);
}

int main(void)
{
	return unit_main("net/tcp_recovery_random", add_cases);
}
