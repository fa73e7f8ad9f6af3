/* SPDX-License-Identifier: ISC */
/* RACK-TLP step by step: RFC 8985, sections 6 and 7. */
#include "net/tcp_rack.h"
#include "tests/host/unit.h"

#define MS UINT64_C(1000000)
#define MSS 1000u
#define START 0xfffff800u

static struct tcp_range ranges[64];
static struct tcp_scoreboard board;
static struct tcp_rack rack;
static struct tcp_tlp tlp;

/* `segments`, one each millisecond from `from` on. */
static void begin(unsigned int segments, uint64_t from)
{
	tcp_scoreboard_init(&board, ranges, 64, START);
	tcp_rack_init(&rack, START);
	for (unsigned int k = 0; k < segments; k++)
		ck_assert_int_eq(tcp_scoreboard_on_send(&board, MSS, from + k * MS), 0);
}

/* An ACK of `ack` segments, that SACKs those from `first` to before `end`. */
static struct tcp_delivery deliver(uint32_t ack, uint32_t first, uint32_t end, uint64_t now_ns)
{
	const struct tcp_sack_block block = { START + first * MSS, START + end * MSS };
	struct tcp_delivery delivery;

	tcp_delivery_begin(&delivery, tcp_rack_retransmitted_until(&rack, now_ns, 0));
	tcp_scoreboard_on_ack(&board, START + ack * MSS, &delivery);
	if (first < end)
		tcp_scoreboard_on_sack(&board, START + ack * MSS, &block, 1, &delivery);
	tcp_rack_on_delivery(&rack, &board, &delivery, false, now_ns);
	return delivery;
}

static uint64_t window(bool in_recovery)
{
	return tcp_rack_reordering_window(&rack, &board, in_recovery, 0, MSS);
}

START_TEST(rfc8985_6_2_step_1_smallest_round_trip_of_a_window)
{
	begin(1, MS);
	tcp_rack_on_sample(&rack, 20 * MS, 100 * MS);
	tcp_rack_on_sample(&rack, 30 * MS, 110 * MS);
	ck_assert_uint_eq(rack.min_rtt_ns, 20 * MS);
	tcp_rack_on_sample(&rack, 15 * MS, 120 * MS);
	ck_assert_uint_eq(rack.min_rtt_ns, 15 * MS);
	tcp_rack_on_sample(&rack, 40 * MS, 120 * MS + TCP_RACK_MIN_RTT_NS);
	ck_assert_uint_eq(rack.min_rtt_ns, 40 * MS);
}
END_TEST

START_TEST(rfc8985_6_2_step_2_what_was_sent_last_counts)
{
	begin(5, 100 * MS);
	deliver(0, 3, 4, 130 * MS);
	ck_assert_uint_eq(rack.newest_ns, 103 * MS);
	ck_assert_uint_eq(rack.newest_end, START + 4000);
	ck_assert_uint_eq(rack.rtt_ns, 27 * MS);
	deliver(1, 3, 4, 131 * MS); /* sent before */
	ck_assert_uint_eq(rack.newest_ns, 103 * MS);
	ck_assert_uint_eq(rack.rtt_ns, 31 * MS);
}
END_TEST

START_TEST(rfc8985_6_2_step_2_not_if_the_retransmission_cannot_have_arrived)
{
	begin(5, 100 * MS);
	tcp_rack_on_sample(&rack, 20 * MS, 120 * MS);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, MSS, 130 * MS), 0);
	deliver(1, 0, 0, 135 * MS);
	ck_assert(!rack.has_newest);
	ck_assert_uint_eq(tcp_rack_retransmitted_until(&rack, 200 * MS, 150 * MS), 150 * MS);
}
END_TEST

START_TEST(rfc8985_6_2_step_3_a_hole_that_fills_by_itself_is_reordering)
{
	begin(5, 100 * MS);
	deliver(0, 2, 3, 130 * MS);
	ck_assert(!rack.reordering_seen);
	deliver(2, 0, 0, 131 * MS);
	ck_assert(rack.reordering_seen);
}
END_TEST

START_TEST(rfc8985_6_2_step_3_one_that_was_sent_again_is_not)
{
	begin(5, 100 * MS);
	deliver(0, 1, 3, 130 * MS);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, MSS, 131 * MS), 0);
	deliver(3, 0, 0, 160 * MS);
	ck_assert(!rack.reordering_seen);
}
END_TEST

START_TEST(rfc8985_6_2_step_4_no_window_in_recovery_or_with_three_sacked)
{
	begin(6, 100 * MS);
	tcp_rack_on_sample(&rack, 20 * MS, 120 * MS);
	ck_assert_uint_eq(window(false), 5 * MS);
	ck_assert_uint_eq(window(true), 0);
	deliver(0, 2, 4, 130 * MS);
	ck_assert_uint_eq(window(false), 5 * MS);
	deliver(0, 2, 5, 130 * MS);
	ck_assert_uint_eq(window(false), 0);
	rack.reordering_seen = true;
	ck_assert_uint_eq(window(true), 5 * MS);
}
END_TEST

static void dsack(uint64_t now_ns)
{
	struct tcp_delivery delivery;

	tcp_delivery_begin(&delivery, now_ns);
	tcp_rack_on_delivery(&rack, &board, &delivery, true, now_ns);
}

START_TEST(rfc8985_6_2_step_4_dsacks_widen_once_a_round_trip)
{
	begin(6, 100 * MS);
	tcp_rack_on_sample(&rack, 20 * MS, 120 * MS);
	dsack(130 * MS);
	dsack(130 * MS);
	ck_assert_uint_eq(window(false), 10 * MS);
	deliver(6, 0, 0, 140 * MS);
	dsack(150 * MS);
	ck_assert_uint_eq(window(false), 15 * MS);
	ck_assert_uint_eq(tcp_rack_reordering_window(&rack, &board, false, 12 * MS, MSS), 12 * MS);
}
END_TEST

START_TEST(rfc8985_6_2_step_4_sixteen_recoveries_without_narrow_it)
{
	begin(6, 100 * MS);
	dsack(130 * MS);
	for (unsigned int k = 0; k < TCP_RACK_PERSIST; k++) {
		ck_assert_uint_eq(rack.mult, 2);
		tcp_rack_on_recovery_end(&rack);
	}
	ck_assert_uint_eq(rack.mult, 1);
	tcp_rack_on_recovery_end(&rack);
	ck_assert_uint_eq(rack.mult, 1);
}
END_TEST

START_TEST(rfc8985_6_2_step_4_the_multiple_is_bounded)
{
	begin(1, 100 * MS);
	for (unsigned int k = 0; k < 1000; k++) {
		rack.in_dsack_round = false;
		dsack(200 * MS);
	}
	ck_assert_uint_eq(rack.mult, TCP_RACK_MULT_MAX);
}
END_TEST

START_TEST(rfc8985_6_2_step_5_lost_is_what_is_late_enough)
{
	uint32_t lost = 0;

	begin(6, 100 * MS);
	deliver(0, 3, 4, 123 * MS); /* sent at 103: a round trip of 20 */
	/* Sent at 100, 101, 102, and due at 125, 126, 127 with a window of 5. */
	ck_assert_uint_eq(tcp_rack_detect_loss(&rack, &board, 5 * MS, 123 * MS, &lost), 125 * MS);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_eq(tcp_rack_detect_loss(&rack, &board, 5 * MS, 126 * MS, &lost), 127 * MS);
	ck_assert_uint_eq(lost, 2 * MSS);
	ck_assert_uint_eq(tcp_rack_detect_loss(&rack, &board, 5 * MS, 900 * MS, &lost), 0);
	ck_assert_uint_eq(lost, 3 * MSS); /* and never what was sent later */
	ck_assert(tcp_scoreboard_is_valid(&board));
}
END_TEST

START_TEST(rfc8985_6_2_step_5_sequence_decides_within_one_packet)
{
	uint32_t lost = 0;

	begin(0, 0);
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, 10 * MSS, 100 * MS), 0);
	deliver(0, 4, 5, 120 * MS);
	ck_assert_uint_eq(tcp_rack_detect_loss(&rack, &board, 0, 120 * MS, &lost), 0);
	ck_assert_uint_eq(lost, 4 * MSS);
}
END_TEST

START_TEST(rfc8985_6_2_order_of_sending_decides_within_one_moment)
{
	uint32_t lost = 0;

	begin(3, 100 * MS);
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, MSS, 120 * MS), 0);
	ck_assert_int_eq(tcp_scoreboard_on_retransmit(&board, START, MSS, 120 * MS), 0);
	deliver(0, 3, 4, 140 * MS);
	tcp_rack_detect_loss(&rack, &board, 0, 141 * MS, &lost);
	ck_assert_uint_eq(lost,
			  2 * MSS); /* of the first flight; not what was sent again after it */
	ck_assert(!(ranges[board.first].flags & TCP_RANGE_LOST));
}
END_TEST

START_TEST(rfc8985_6_3_on_timeout_the_first_and_what_is_old)
{
	begin(6, 100 * MS);
	deliver(0, 5, 6, 125 * MS); /* a round trip of 20 */
	ck_assert_uint_eq(tcp_rack_mark_losses_on_rto(&rack, &board, 0, MSS, 122 * MS), 3 * MSS);
	ck_assert_uint_eq(tcp_rack_mark_losses_on_rto(&rack, &board, 0, MSS, 122 * MS), 0);
	begin(0, 0);
	ck_assert_int_eq(tcp_scoreboard_on_send(&board, 10 * MSS, 100 * MS), 0);
	rack.rtt_ns = 50 * MS;
	ck_assert_uint_eq(tcp_rack_mark_losses_on_rto(&rack, &board, 0, MSS, 101 * MS), MSS);
}
END_TEST

START_TEST(rfc8985_7_2_probe_timeout)
{
	ck_assert_uint_eq(tcp_tlp_timeout_ns(0, false, 3000 * MS), 1000 * MS);
	ck_assert_uint_eq(tcp_tlp_timeout_ns(0, false, 700 * MS), 700 * MS);
	ck_assert_uint_ge(tcp_tlp_timeout_ns(20 * MS, false, 300 * MS), 40 * MS);
	ck_assert_uint_le(tcp_tlp_timeout_ns(20 * MS, false, 300 * MS), 42 * MS);
	ck_assert_uint_eq(tcp_tlp_timeout_ns(20 * MS, true, 300 * MS), 240 * MS);
	ck_assert_uint_eq(tcp_tlp_timeout_ns(200 * MS, true, 300 * MS), 300 * MS);
}
END_TEST

static bool tlp_ack(uint32_t ack, bool has_dsack, bool is_plain_duplicate)
{
	const struct tcp_delivery delivery = { .has_dsack = has_dsack,
					       .dsack_begin = START + 4000,
					       .dsack_end = START + 5000 };

	return tcp_tlp_on_ack(&tlp, START + ack, &delivery, is_plain_duplicate);
}

START_TEST(rfc8985_7_4_new_data_as_a_probe_needs_nothing)
{
	tcp_tlp_on_probe(&tlp, START + 5000, false);
	ck_assert(!tlp_ack(4000, false, false));
	ck_assert(tlp.is_out);
	ck_assert(!tlp_ack(5000, false, false));
	ck_assert(!tlp.is_out);
}
END_TEST

START_TEST(rfc8985_7_4_case_1_a_dsack)
{
	tcp_tlp_on_probe(&tlp, START + 5000, true);
	ck_assert(!tlp_ack(5000, true, false));
	ck_assert(!tlp.is_out);
}
END_TEST

START_TEST(rfc8985_7_4_case_2_more_is_acknowledged_and_no_dsack)
{
	tcp_tlp_on_probe(&tlp, START + 5000, true);
	ck_assert(!tlp_ack(5000, false, false));
	ck_assert(tlp.is_out);
	ck_assert(tlp_ack(6000, false, false));
	ck_assert(!tlp_ack(7000, false, false));
}
END_TEST

START_TEST(rfc8985_7_4_case_3_a_plain_duplicate)
{
	tcp_tlp_on_probe(&tlp, START + 5000, true);
	ck_assert(!tlp_ack(5000, false, false));
	ck_assert(!tlp_ack(5000, false, true));
	ck_assert(!tlp.is_out);
	ck_assert(!tlp_ack(6000, false, false));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc8985_6_2_step_1_smallest_round_trip_of_a_window);
	tcase_add_test(cases, rfc8985_6_2_step_2_what_was_sent_last_counts);
	tcase_add_test(cases, rfc8985_6_2_step_2_not_if_the_retransmission_cannot_have_arrived);
	tcase_add_test(cases, rfc8985_6_2_step_3_a_hole_that_fills_by_itself_is_reordering);
	tcase_add_test(cases, rfc8985_6_2_step_3_one_that_was_sent_again_is_not);
	tcase_add_test(cases, rfc8985_6_2_step_4_no_window_in_recovery_or_with_three_sacked);
	tcase_add_test(cases, rfc8985_6_2_step_4_dsacks_widen_once_a_round_trip);
	tcase_add_test(cases, rfc8985_6_2_step_4_sixteen_recoveries_without_narrow_it);
	tcase_add_test(cases, rfc8985_6_2_step_4_the_multiple_is_bounded);
	tcase_add_test(cases, rfc8985_6_2_step_5_lost_is_what_is_late_enough);
	tcase_add_test(cases, rfc8985_6_2_step_5_sequence_decides_within_one_packet);
	tcase_add_test(cases, rfc8985_6_2_order_of_sending_decides_within_one_moment);
	tcase_add_test(cases, rfc8985_6_3_on_timeout_the_first_and_what_is_old);
	tcase_add_test(cases, rfc8985_7_2_probe_timeout);
	tcase_add_test(cases, rfc8985_7_4_new_data_as_a_probe_needs_nothing);
	tcase_add_test(cases, rfc8985_7_4_case_1_a_dsack);
	tcase_add_test(cases, rfc8985_7_4_case_2_more_is_acknowledged_and_no_dsack);
	tcase_add_test(cases, rfc8985_7_4_case_3_a_plain_duplicate);
}

int main(void)
{
	return unit_main("net/tcp_rack", add_cases);
}
