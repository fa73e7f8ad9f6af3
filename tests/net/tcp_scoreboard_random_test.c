/* SPDX-License-Identifier: ISC */
/*
 * The scoreboard and RACK against a slow, obvious model that keeps everything for each byte:
 * random sending, acknowledging, SACK blocks good and bad, loss detection and retransmission.
 * With few ranges the scoreboard may know less than the model, but nothing that is not so.
 */
#include <string.h>

#include "net/tcp_rack.h"
#include "tests/host/unit.h"

#define WINDOW 3000u /* bytes outstanding at most */
#define STEPS 400u
#define RUNS 20u
#define RANGES 4096u

enum byte_state { IN_FLIGHT, LOST, SACKED };

struct byte {
	uint8_t state;
	bool again;
	uint64_t sent_ns;
};

static struct byte model[WINDOW]; /* from SND.UNA on */
static uint32_t count;
static struct tcp_range ranges[RANGES];
static struct tcp_scoreboard board;
static struct tcp_rack rack;
static struct tcp_delivery want, got;
static uint64_t state, now_ns;
static bool is_exact; /* there are ranges for everything */

static uint32_t pick(uint32_t below)
{
	return (uint32_t)(unit_random(&state) >> 33) % below;
}

static uint32_t model_count(uint8_t which)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += model[i].state == which;
	return bytes;
}

static uint32_t model_lowest_lost(void)
{
	uint32_t i = 0;

	while (i < count && model[i].state != LOST)
		i++;
	return i;
}

/* What is said of byte i is that it has arrived. */
static void model_arrive(uint32_t i, bool is_sack)
{
	uint32_t end = board.una + i + 1;

	if (!want.delivered++ || (int32_t)(end - want.highest_end) > 0)
		want.highest_end = end;
	want.sacked += is_sack;
	want.originals += !model[i].again;
}

static void compare_delivery(void)
{
	ck_assert_uint_eq(got.acked, want.acked);
	if (!is_exact)
		return;
	ck_assert_uint_eq(got.sacked, want.sacked);
	ck_assert_uint_eq(got.delivered, want.delivered);
	ck_assert_uint_eq(got.originals, want.originals);
	ck_assert_uint_eq(got.has_original, want.originals > 0);
	if (want.delivered)
		ck_assert_uint_eq(got.highest_end, want.highest_end);
}

static bool byte_is_like_model(uint32_t i)
{
	const struct tcp_range *range = &ranges[tcp_scoreboard_find(&board, board.una + i)];

	return !!(range->flags & TCP_RANGE_RETRANSMITTED) == model[i].again &&
	       (model[i].state != IN_FLIGHT || range->sent_ns == model[i].sent_ns);
}

static void compare(void)
{
	uint16_t lowest = tcp_scoreboard_lowest_lost(&board);

	ck_assert(tcp_scoreboard_is_valid(&board));
	ck_assert_uint_eq(board.nxt - board.una, count);
	ck_assert_uint_le(board.sacked, model_count(SACKED));
	if (!is_exact)
		return;
	ck_assert_uint_eq(board.sacked, model_count(SACKED));
	ck_assert_uint_eq(board.lost, model_count(LOST));
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), model_count(IN_FLIGHT));
	ck_assert_uint_eq(lowest == TCP_RANGE_NONE ? count : ranges[lowest].begin - board.una,
			  model_lowest_lost());
	for (uint32_t i = pick(100); i < count; i += 1 + pick(100))
		ck_assert(byte_is_like_model(i));
}

/* What left now: later than all before it, also where that was said to be later than now. */
static uint64_t stamped(void)
{
	ck_assert_uint_ge(board.stamp_ns, now_ns);
	return board.stamp_ns;
}

static void send(void)
{
	uint32_t bytes = 1 + pick(pick(4) ? 60 : 600);

	if (bytes > WINDOW - count || !tcp_scoreboard_has_room(&board, bytes))
		return;
	now_ns += 1 + pick(100);
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, bytes, now_ns), 0);
	for (; bytes; bytes--)
		model[count++] = (struct byte){ IN_FLIGHT, false, stamped() };
}

/* SACK ranges are one whatever their history: the board then takes all as sent again. */
static void model_join_sacked(void)
{
	for (uint32_t i = 0; i < count;) {
		uint32_t end = i;
		bool again = false;

		for (; end < count && model[end].state == SACKED; end++)
			again |= model[end].again;
		if (end == i)
			end++;
		else
			for (uint32_t k = i; k < end; k++)
				model[k].again = again;
		i = end;
	}
}

static void acknowledge(void)
{
	uint32_t bytes = count ? pick(pick(8) ? 1 + count / 4 : 1 + count) : 0;

	now_ns += 1 + pick(100);
	memset(&want, 0, sizeof(want));
	want.acked = bytes;
	for (uint32_t i = 0; i < bytes; i++)
		if (model[i].state != SACKED)
			model_arrive(i, false);
	tcp_delivery_begin(&got, UINT64_MAX);
	tcp_scoreboard_on_ack(&board, board.una + bytes, &got);
	memmove(model, model + bytes, (count - bytes) * sizeof(*model));
	count -= bytes;
	compare_delivery();
	tcp_rack_on_delivery(&rack, &board, &got, false, now_ns);
}

static struct tcp_sack_block random_block(void)
{
	uint32_t begin = pick(count + 1), end = begin + 1 + pick(pick(3) ? 80 : 800);

	switch (pick(20)) {
	case 0:
		return (struct tcp_sack_block){ (uint32_t)unit_random(&state),
						(uint32_t)unit_random(&state) };
	case 1:
		return (struct tcp_sack_block){ board.una + end, board.una + begin };
	case 2:
		return (struct tcp_sack_block){ board.una + begin, board.una + count + 1 };
	default:
		if (end > count)
			end = count;
		return (struct tcp_sack_block){ board.una + begin, board.una + end };
	}
}

/* What a block says, to the model: nothing if it is impossible. True if so. */
static bool model_block(const struct tcp_sack_block *block)
{
	uint64_t begin = block->begin - board.una, end = block->end - board.una;

	if (begin >= end || end > count)
		return false;
	for (uint64_t i = begin; i < end; i++) {
		if (model[i].state == SACKED)
			continue;
		model_arrive((uint32_t)i, true);
		model[i].state = SACKED;
	}
	model_join_sacked();
	return true;
}

static bool model_is_dsack(const struct tcp_sack_block *blocks, unsigned int n)
{
	int64_t b0 = (int32_t)(blocks[0].begin - board.una),
		e0 = (int32_t)(blocks[0].end - board.una);
	int64_t b1 = n > 1 ? (int32_t)(blocks[1].begin - board.una) : 0;
	int64_t e1 = n > 1 ? (int32_t)(blocks[1].end - board.una) : 0;

	if (b0 >= e0)
		return false;
	return (e0 <= 0 && b0 >= -(int64_t)TCP_SCOREBOARD_BYTES_MAX) ||
	       (b1 < e1 && b1 >= 0 && e1 <= (int64_t)count && b0 >= b1 && e0 <= e1);
}

static void sack(void)
{
	struct tcp_sack_block blocks[4];
	unsigned int n = 1 + pick(4), invalid = 0;
	uint32_t counted = board.sacks_invalid;

	now_ns += 1 + pick(100);
	for (unsigned int k = 0; k < n; k++)
		blocks[k] = random_block();
	memset(&want, 0, sizeof(want));
	want.has_dsack = model_is_dsack(blocks, n);
	for (unsigned int k = want.has_dsack; k < n; k++)
		invalid += !model_block(&blocks[k]);
	tcp_delivery_begin(&got, UINT64_MAX);
	tcp_scoreboard_on_sack(&board, board.una, blocks, n, &got);
	ck_assert_uint_eq(got.has_dsack, want.has_dsack);
	ck_assert_uint_eq(board.sacks_invalid - counted, invalid);
	compare_delivery();
	tcp_rack_on_delivery(&rack, &board, &got, false, now_ns);
}

static void retransmit(void)
{
	uint16_t i = tcp_scoreboard_lowest_lost(&board);
	uint32_t at, bytes;

	now_ns += 1 + pick(100);
	if (pick(10) == 0 && board.last != TCP_RANGE_NONE &&
	    !(ranges[board.last].flags & TCP_RANGE_SACKED))
		i = board.last; /* a probe */
	if (i == TCP_RANGE_NONE)
		return;
	at = ranges[i].begin - board.una;
	bytes = 1 + pick(ranges[i].end - ranges[i].begin);
	if (pick(3) == 0)
		at = ranges[i].end - bytes - board.una;
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, board.una + at, bytes, now_ns), 0);
	for (uint32_t k = at; k < at + bytes; k++)
		if (model[k].state != SACKED) /* which a board with few ranges may not know */
			model[k] = (struct byte){ IN_FLIGHT, true, stamped() };
}

/* The end of the range that byte i was last sent as, as far as it is still in flight. */
static uint32_t model_end(uint32_t i)
{
	uint32_t end = i;

	while (end < count && model[end].state == IN_FLIGHT &&
	       model[end].sent_ns == model[i].sent_ns)
		end++;
	return board.una + end;
}

/* RFC 8985, 6.2 step 5, byte for byte. */
static void detect_loss(void)
{
	uint64_t window_ns = pick(300);
	uint64_t next_ns = 0, first_ns;
	uint32_t lost = 0, lost_want = 0, end;

	now_ns += 1 + pick(100);
	for (uint32_t i = 0; i < count && rack.has_newest; i = end - board.una) {
		uint64_t sent_ns = model[i].sent_ns, due_ns = sent_ns + rack.rtt_ns + window_ns;

		end = board.una + i + 1;
		if (model[i].state != IN_FLIGHT)
			continue;
		end = model_end(i);
		if (sent_ns > rack.newest_ns ||
		    (sent_ns == rack.newest_ns && (int32_t)(rack.newest_end - end) <= 0))
			continue;
		if (due_ns > now_ns) {
			next_ns = !next_ns || due_ns < next_ns ? due_ns : next_ns;
			continue;
		}
		for (uint32_t k = i; k < end - board.una; k++, lost_want++)
			model[k].state = LOST;
	}
	first_ns = tcp_rack_detect_loss(&rack, &board, window_ns, now_ns, &lost);
	if (!is_exact)
		return;
	ck_assert_uint_eq(lost, lost_want);
	ck_assert_uint_eq(first_ns, next_ns);
}

static void forget_or_unmark(void)
{
	if (pick(2)) {
		tcp_scoreboard_forget_sacks(&board);
		for (uint32_t i = 0; i < count; i++)
			if (model[i].state == SACKED)
				model[i] = (struct byte){ LOST, true, 0 };
		return;
	}
	/* The board says anew when they were sent; the model believes it. */
	tcp_scoreboard_unmark_lost(&board);
	for (uint32_t i = 0; i < count; i++) {
		if (model[i].state != LOST)
			continue;
		model[i].state = IN_FLIGHT;
		model[i].sent_ns = ranges[tcp_scoreboard_find(&board, board.una + i)].sent_ns;
	}
}

static void step(void)
{
	switch (pick(12)) {
	case 0:
		acknowledge();
		break;
	case 1:
	case 2:
	case 3:
		sack();
		break;
	case 4:
	case 5:
	case 6:
		retransmit();
		break;
	case 7:
		detect_loss();
		break;
	case 8:
		if (pick(20) == 0 && is_exact)
			forget_or_unmark();
		break;
	default:
		send();
		break;
	}
	compare();
}

static void run(uint64_t seed, uint16_t capacity)
{
	state = seed | 1;
	for (int i = 0; i < 10; i++)
		unit_random(&state);
	is_exact = capacity == RANGES;
	count = 0;
	now_ns = 1;
	tcp_scoreboard_init(&board, ranges, capacity, 0u - pick(100000));
	tcp_rack_init(&rack, board.una);
	for (uint32_t i = 0; i < STEPS; i++)
		step();
	tcp_delivery_begin(&got, UINT64_MAX);
	tcp_scoreboard_on_ack(&board, board.nxt, &got);
	ck_assert_uint_eq(board.used, 0);
}

START_TEST(the_scoreboard_is_as_the_model_says)
{
	for (uint64_t k = 0; k < RUNS; k++)
		run(unit_seed() + k * 2, RANGES);
}
END_TEST

START_TEST(with_few_ranges_it_never_knows_more_than_is_so)
{
	for (uint64_t k = 0; k < RUNS; k++)
		run(unit_seed() + k * 2, (uint16_t)(8 + k % 24));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, the_scoreboard_is_as_the_model_says);
	tcase_add_test(cases, with_few_ranges_it_never_knows_more_than_is_so);
}

int main(void)
{
	return unit_main("net/tcp_scoreboard_random", add_cases);
}
