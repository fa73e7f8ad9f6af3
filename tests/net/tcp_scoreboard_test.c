/* SPDX-License-Identifier: ISC */
/* What is outstanding: sending, acknowledging, SACK, marks, and what a hostile peer can do. */
#include <errno.h>
#include <string.h>

#include "net/tcp_scoreboard.h"
#include "tests/host/unit.h"

#define RANGES 64u
#define START 0xfffff000u /* so that sequence numbers wrap */

static struct tcp_range ranges[RANGES];
static struct tcp_scoreboard board;
static struct tcp_delivery delivery;
static uint64_t now_ns;

static void begin_with(uint16_t capacity)
{
	now_ns = 1000;
	tcp_scoreboard_init(&board, ranges, capacity, START);
}

static void begin(void)
{
	begin_with(RANGES);
}

static void check(void)
{
	ck_assert(tcp_scoreboard_is_valid(&board));
}

/* Segments of 1000 bytes, one every 10 ns. */
static void send(unsigned int segments)
{
	while (segments--) {
		ck_assert_int_eq(tcp_scoreboard_on_send(&board, 1000, now_ns += 10), 0);
		check();
	}
}

static void ack(uint32_t offset)
{
	tcp_delivery_begin(&delivery, UINT64_MAX);
	tcp_scoreboard_on_ack(&board, START + offset, &delivery);
	check();
}

/* A segment that acknowledges `offset` with blocks, as pairs of offsets. */
static void sack(uint32_t offset, unsigned int count, const uint32_t *edges)
{
	struct tcp_sack_block blocks[8];

	for (unsigned int k = 0; k < count; k++)
		blocks[k] =
			(struct tcp_sack_block){ START + edges[2 * k], START + edges[2 * k + 1] };
	tcp_delivery_begin(&delivery, UINT64_MAX);
	tcp_scoreboard_on_ack(&board, START + offset, &delivery);
	tcp_scoreboard_on_sack(&board, START + offset, blocks, count, &delivery);
	check();
}

#define SACK(offset, ...)                                 \
	do {                                              \
		const uint32_t edges[] = { __VA_ARGS__ }; \
		sack(offset, sizeof(edges) / 8, edges);   \
	} while (0)

static void lose(uint32_t offset)
{
	uint16_t i = tcp_scoreboard_find(&board, START + offset);

	ck_assert_uint_ne(i, TCP_RANGE_NONE);
	tcp_scoreboard_mark_lost(&board, i);
	check();
}

static uint32_t lowest_lost(void)
{
	uint16_t i = tcp_scoreboard_lowest_lost(&board);

	return i == TCP_RANGE_NONE ? UINT32_MAX : ranges[i].begin - START;
}

START_TEST(rfc9293_3_4_cumulative_ack_frees_what_it_covers)
{
	begin();
	send(5);
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 5000);
	ack(2500);
	ck_assert_uint_eq(delivery.acked, 2500);
	ck_assert_uint_eq(delivery.delivered, 2500);
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 2500);
	ack(5000); /* beyond 2^32 */
	ck_assert_uint_eq(board.una, board.nxt);
	ck_assert_uint_eq(board.used, 0);
}
END_TEST

START_TEST(rfc9293_3_4_old_and_impossible_acks_do_nothing)
{
	begin();
	send(5);
	ack(2000);
	ack(1000);
	ck_assert_uint_eq(delivery.acked, 0);
	ack(5001);
	ck_assert_uint_eq(delivery.acked, 0);
	ack(0x80000000u);
	ck_assert_uint_eq(delivery.acked, 0);
	ck_assert_uint_eq(board.una, START + 2000);
}
END_TEST

START_TEST(segments_of_one_moment_are_one_range)
{
	begin();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(tcp_scoreboard_on_send(&board, 1000, 7), 0);
	ck_assert_uint_eq(board.used, 1);
	check();
}
END_TEST

START_TEST(rfc2018_4_sacked_data_leaves_the_pipe)
{
	begin();
	send(5);
	SACK(0, 1000, 3000);
	ck_assert_uint_eq(delivery.sacked, 2000);
	ck_assert_uint_eq(delivery.delivered, 2000);
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 3000);
	SACK(0, 1000, 3000);
	ck_assert_uint_eq(delivery.delivered, 0);
	SACK(0, 4000, 5000, 1000, 3000);
	ck_assert_uint_eq(delivery.delivered, 1000);
	ck_assert_uint_eq(board.sacked_ranges, 2);
}
END_TEST

START_TEST(rfc2018_4_blocks_may_cut_segments)
{
	begin();
	send(3);
	SACK(0, 1200, 1300);
	ck_assert_uint_eq(delivery.sacked, 100);
	SACK(0, 1100, 2500);
	ck_assert_uint_eq(delivery.sacked, 1300);
	ck_assert_uint_eq(board.sacked_ranges, 1);
	ack(1200);
	ck_assert_uint_eq(delivery.acked, 1200);
	ck_assert_uint_eq(delivery.delivered, 1100);
	ck_assert_uint_eq(board.sacked, 1300);
}
END_TEST

START_TEST(rfc2018_8_reneging_is_seen_and_undone)
{
	begin();
	send(4);
	SACK(0, 1000, 3000);
	ck_assert(!tcp_scoreboard_is_reneged(&board));
	ack(1000);
	ck_assert(tcp_scoreboard_is_reneged(&board));
	tcp_scoreboard_forget_sacks(&board);
	check();
	ck_assert_uint_eq(board.sacked, 0);
	ck_assert_uint_eq(board.lost, 2000);
	ck_assert_uint_eq(lowest_lost(), 1000);
	ack(3000);
	ck_assert_uint_eq(delivery.originals, 0);
}
END_TEST

START_TEST(rfc6675_4_pipe_leaves_out_lost_and_counts_sent_again)
{
	begin();
	send(4);
	lose(1000);
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 3000);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 1000, 1000, now_ns += 10), 0);
	check();
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 4000);
	lose(1000); /* the retransmission, too */
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 3000);
}
END_TEST

START_TEST(rfc6675_4_nextseg_lowest_lost_first)
{
	begin();
	send(8);
	lose(6000);
	lose(2000);
	lose(4000);
	ck_assert_uint_eq(lowest_lost(), 2000);
	SACK(0, 2000, 3000);
	ck_assert_uint_eq(lowest_lost(), 4000);
	ack(5000);
	ck_assert_uint_eq(lowest_lost(), 6000);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 6000, 1000, now_ns += 10), 0);
	ck_assert_uint_eq(lowest_lost(), UINT32_MAX);
	check();
}
END_TEST

START_TEST(lost_ranges_are_sent_again_in_parts)
{
	begin();
	send(4);
	lose(0);
	lose(1000);
	lose(2000);
	ck_assert_uint_eq(board.used, 2);
	now_ns += 10;
	for (uint32_t at = 0; at < 3000; at += 600) {
		ck_assert_uint_eq(lowest_lost(), at);
		ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + at, 600, now_ns), 0);
		check();
	}
	ck_assert_uint_eq(lowest_lost(), UINT32_MAX);
	ck_assert_uint_eq(board.used, 2); /* of one moment, and so one */
}
END_TEST

START_TEST(only_what_is_outstanding_is_sent_again)
{
	begin();
	send(2);
	SACK(0, 1000, 2000);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 1000, 10, 9000), -EINVAL);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 2000, 10, 9000), -EINVAL);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 500, 501, 9000), -EINVAL);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START - 1, 1, 9000), -EINVAL);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, 0, 9000), -EINVAL);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START + 500, 500, 9000), 0);
	check();
}
END_TEST

START_TEST(rfc6298_3_karn_times_of_originals_only)
{
	begin();
	send(3); /* at 1010, 1020, 1030 */
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, 1000, 2000), 0);
	now_ns = 2000;
	ack(2000);
	ck_assert(delivery.acked_retransmitted);
	ck_assert_uint_eq(delivery.originals, 1000);
	ck_assert_uint_eq(delivery.original_acked_ns, 1020);
	ck_assert_uint_eq(delivery.newest_ns, 2000);
	ack(3000);
	ck_assert(!delivery.acked_retransmitted);
	ck_assert_uint_eq(delivery.original_last_ns, 1030);
}
END_TEST

START_TEST(rfc8985_6_2_too_early_for_the_retransmission)
{
	begin();
	send(2);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, 1000, 2000), 0);
	tcp_delivery_begin(&delivery, 1999);
	tcp_scoreboard_on_ack(&board, START + 1000, &delivery);
	ck_assert(!delivery.has_newest);
	ck_assert_uint_eq(delivery.delivered, 1000);
}
END_TEST

START_TEST(rfc2883_4_dsack_below_the_acknowledgement)
{
	begin();
	send(5);
	SACK(3000, 1000, 2000);
	ck_assert(delivery.has_dsack);
	ck_assert_uint_eq(delivery.dsack_begin, START + 1000);
	ck_assert_uint_eq(delivery.dsack_end, START + 2000);
	ck_assert_uint_eq(board.sacks_invalid, 0);
	SACK(3000, 1000, 2000, 4000, 5000);
	ck_assert(delivery.has_dsack);
	ck_assert_uint_eq(delivery.sacked, 1000);
}
END_TEST

START_TEST(rfc2883_4_dsack_within_the_second_block)
{
	begin();
	send(5);
	SACK(0, 2000, 3000, 1000, 4000);
	ck_assert(delivery.has_dsack);
	ck_assert_uint_eq(delivery.dsack_begin, START + 2000);
	ck_assert_uint_eq(delivery.sacked, 3000);
	SACK(0, 1000, 4000, 2000, 3000); /* the other way round it is none */
	ck_assert(!delivery.has_dsack);
}
END_TEST

START_TEST(rfc2883_4_an_overtaken_ack_is_no_dsack)
{
	begin();
	send(5);
	ack(4000);
	SACK(1000, 2000, 3000);
	ck_assert(!delivery.has_dsack);
	ck_assert_uint_eq(delivery.delivered, 0);
	SACK(1000, 2000, 4500);
	ck_assert_uint_eq(delivery.sacked, 500);
	ck_assert_uint_eq(board.sacks_invalid, 0);
}
END_TEST

START_TEST(hostile_blocks_are_counted_and_ignored)
{
	begin();
	send(5);
	SACK(1000, 3000, 5001);
	SACK(1000, 3000, 3000);
	SACK(1000, 4000, 3000);
	SACK(1000, 500, 2000);
	SACK(1000, 0x40000000u, 0x40001000u);
	SACK(1000, 0x80000000u, 0x80000001u);
	SACK(1000, 0xc0000000u, 2000);
	ck_assert_uint_eq(board.sacks_invalid, 7);
	SACK(6000, 1000, 2000, 3000, 4000); /* of a segment that acknowledges too much */
	ck_assert_uint_eq(board.sacks_invalid, 8);
	ck_assert_uint_eq(board.sacked, 0);
}
END_TEST

START_TEST(more_blocks_than_fit_are_not_read)
{
	begin();
	send(12);
	SACK(0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000);
	ck_assert_uint_eq(board.sacked, 4000);
}
END_TEST

/* CVE-2019-11477 to 11479: holes of one byte. */
START_TEST(a_torn_window_cannot_take_more_than_it_was_lent)
{
	begin_with(16);
	send(3);
	for (uint32_t at = 2999; at > 0 && at < 3000; at -= 2)
		SACK(0, at, at + 1);
	ck_assert_uint_gt(board.sacks_refused, 1000);
	ck_assert_uint_le(board.used, 14);
	/* All can still be sent again, lost or not, byte by byte or whole. */
	for (uint16_t i = board.first; i != TCP_RANGE_NONE; i = ranges[i].next)
		tcp_scoreboard_mark_lost(&board, i);
	check();
	for (uint32_t guard = 0; board.lost; guard++) {
		uint16_t i = tcp_scoreboard_lowest_lost(&board);

		ck_assert_uint_lt(guard, 3000);
		ck_assert_int_eq(
			tcp_scoreboard_on_retransmit(&board, ranges[i].begin, 1, now_ns += 10), 0);
		check();
	}
	ack(3000);
	ck_assert_uint_eq(board.used, 0);
	ck_assert(tcp_scoreboard_has_room(&board, 1000));
}
END_TEST

START_TEST(with_few_ranges_new_data_joins_the_last)
{
	begin_with(8);
	send(100);
	ck_assert_uint_le(board.used, 8 - 4);
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 100000);
	/* Its time is that of its end, and that is all that is said of it. */
	ack(50000);
	ck_assert_uint_ne(delivery.original_last_ns, now_ns);
	ack(100000);
	ck_assert_uint_eq(delivery.original_last_ns, now_ns);
}
END_TEST

START_TEST(of_what_was_cut_from_several_no_time_is_certain)
{
	begin_with(8);
	send(100);
	SACK(0, 50000, 51000);
	ck_assert_uint_eq(board.sacked, 1000);
	ack(50000);
	ck_assert_uint_eq(delivery.original_last_ns, 1030); /* the last that is alone */
}
END_TEST

START_TEST(with_no_ranges_nothing_new_is_sent)
{
	begin_with(8);
	send(4);
	SACK(0, 3000, 4000); /* nothing can join that */
	ck_assert(!tcp_scoreboard_has_room(&board, 1));
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, 1000, now_ns + 10), -ENOBUFS);
	check();
	ack(1000);
	ck_assert(tcp_scoreboard_has_room(&board, 1));
}
END_TEST

START_TEST(no_more_than_2_to_the_30_is_outstanding)
{
	begin();
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, TCP_SCOREBOARD_BYTES_MAX - 1, 5), 0);
	ck_assert(tcp_scoreboard_has_room(&board, 1));
	ck_assert(!tcp_scoreboard_has_room(&board, 2));
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, 2, 5), -ENOBUFS);
}
END_TEST

START_TEST(it_moves_to_a_larger_array)
{
	static struct tcp_range more[RANGES * 2];

	begin_with(8);
	send(4);
	SACK(0, 1000, 2000);
	tcp_scoreboard_move(&board, more, RANGES * 2);
	memset(ranges, 0xaa, sizeof(ranges));
	check();
	send(50);
	SACK(0, 10000, 12000, 20500, 20600);
	ack(54000);
	ck_assert_uint_eq(board.used, 0);
	tcp_scoreboard_move(&board, ranges, 8);
	send(2);
}
END_TEST

START_TEST(rfc6582_3_2_the_first_segment_alone_is_lost)
{
	begin();
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, 5000, 5), 0);
	ck_assert_uint_eq(tcp_scoreboard_mark_first_lost(&board, 1000), 1000);
	check();
	ck_assert_uint_eq(tcp_scoreboard_mark_first_lost(&board, 1000), 0);
	ck_assert_uint_eq(board.lost, 1000);
}
END_TEST

START_TEST(rfc4015_what_was_not_lost_is_in_flight_again)
{
	begin();
	send(6);
	lose(1000);
	lose(3000);
	tcp_scoreboard_unmark_lost(&board);
	check();
	ck_assert_uint_eq(tcp_scoreboard_pipe(&board), 6000);
	ck_assert_uint_eq(lowest_lost(), UINT32_MAX);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc9293_3_4_cumulative_ack_frees_what_it_covers);
	tcase_add_test(cases, rfc9293_3_4_old_and_impossible_acks_do_nothing);
	tcase_add_test(cases, segments_of_one_moment_are_one_range);
	tcase_add_test(cases, rfc2018_4_sacked_data_leaves_the_pipe);
	tcase_add_test(cases, rfc2018_4_blocks_may_cut_segments);
	tcase_add_test(cases, rfc2018_8_reneging_is_seen_and_undone);
	tcase_add_test(cases, rfc6675_4_pipe_leaves_out_lost_and_counts_sent_again);
	tcase_add_test(cases, rfc6675_4_nextseg_lowest_lost_first);
	tcase_add_test(cases, lost_ranges_are_sent_again_in_parts);
	tcase_add_test(cases, only_what_is_outstanding_is_sent_again);
	tcase_add_test(cases, rfc6298_3_karn_times_of_originals_only);
	tcase_add_test(cases, rfc8985_6_2_too_early_for_the_retransmission);
	tcase_add_test(cases, rfc2883_4_dsack_below_the_acknowledgement);
	tcase_add_test(cases, rfc2883_4_dsack_within_the_second_block);
	tcase_add_test(cases, rfc2883_4_an_overtaken_ack_is_no_dsack);
	tcase_add_test(cases, hostile_blocks_are_counted_and_ignored);
	tcase_add_test(cases, more_blocks_than_fit_are_not_read);
	tcase_add_test(cases, a_torn_window_cannot_take_more_than_it_was_lent);
	tcase_add_test(cases, with_few_ranges_new_data_joins_the_last);
	tcase_add_test(cases, of_what_was_cut_from_several_no_time_is_certain);
	tcase_add_test(cases, with_no_ranges_nothing_new_is_sent);
	tcase_add_test(cases, no_more_than_2_to_the_30_is_outstanding);
	tcase_add_test(cases, it_moves_to_a_larger_array);
	tcase_add_test(cases, rfc6582_3_2_the_first_segment_alone_is_lost);
	tcase_add_test(cases, rfc4015_what_was_not_lost_is_in_flight_again);
}

int main(void)
{
	return unit_main("net/tcp_scoreboard", add_cases);
}
