/* SPDX-License-Identifier: ISC */
/* What the core tells congestion control: how much was under way, and how much has arrived. */
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000
#define SEGMENTS 10u

static struct lab *lab;
static struct tcp_connection *client, *server;
static uint8_t bytes[1 << 16];

/* The client has sent an initial window, which nobody has heard of, and has no more. */
static void begin(void)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	client->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, SEGMENTS * client->mss, lab->now), 0);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(tcp_outstanding(client), SEGMENTS * client->mss);
}

/* An acknowledgement of the first `acked` segments, and SACK for [from, to). */
static void acknowledge(uint32_t acked, uint32_t from, uint32_t to, uint8_t flags)
{
	uint32_t una = client->iss + 1, mss = client->mss;
	be32 edges[] = { be32_of(una + from * mss), be32_of(una + to * mss) };
	uint8_t options[12] = { 1, 1, 5, 10 };

	memcpy(options + 4, edges, sizeof(edges));
	lab_inject_options(lab, 0, PORT, client->rcv_nxt, una + acked * mss, TCP_ACK | flags, 60000,
			   options, from < to ? sizeof(options) : 0);
}

START_TEST(rfc5681_3_1_flight_size_at_a_loss)
{
	begin();
	for (uint32_t i = 2; i <= 4; i++)
		acknowledge(0, 1, i, 0);
	ck_assert_uint_eq(client->flight->recovery.state, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, SEGMENTS * client->mss * 7 / 10);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5681_3_1_flight_size_at_a_reordering_timeout)
{
	begin();
	acknowledge(0, 1, 2, 0);
	ck_assert_uint_eq(client->flight->recovery.state, TCP_RECOVERY_OPEN);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_uint_eq(client->flight->recovery.state, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, SEGMENTS * client->mss * 7 / 10);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5681_3_1_flight_size_at_a_timeout)
{
	begin();
	/* What is SACKed is no longer in the network, but counts. */
	acknowledge(0, 1, 3, 0);
	client->flight->recovery.reorder_at_ns = 0; /* it would find the loss before */
	tcp_timer_set(client, TCP_TIMER_RECOVERY, client->flight->recovery.rto_at_ns);
	lab_run(lab, 400 * LAB_MS);
	ck_assert_uint_eq(client->flight->recovery.board.sacked, 2 * client->mss);
	ck_assert_uint_eq(client->flight->recovery.state, TCP_RECOVERY_LOSS);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, SEGMENTS * client->mss * 7 / 10);
	lab_end(lab);
}
END_TEST

START_TEST(rfc3168_6_1_2_flight_size_at_a_mark)
{
	begin();
	acknowledge(0, 1, 3, 0);
	acknowledge(1, 0, 0, TCP_ECE);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, SEGMENTS * client->mss * 7 / 10);
	lab_end(lab);
}
END_TEST

/* No window is smaller than a segment; then it is time that is given (RFC 3168, 6.1.2). */
START_TEST(rfc3168_6_1_2_at_one_segment)
{
	begin();
	client->flight->cubic.cwnd = client->mss;
	acknowledge(SEGMENTS, 0, 0, TCP_ECE);
	ck_assert_uint_eq(tcp_outstanding(client), 0);
	ck_assert_int_gt(tcp_send(client, bytes, 5000, lab->now), 0);
	ck_assert_uint_eq(tcp_outstanding(client), 0);
	lab_run(lab, 150 * LAB_MS);
	ck_assert_uint_eq(tcp_outstanding(client), 0);
	lab_run(lab, 100 * LAB_MS);
	ck_assert_uint_gt(tcp_outstanding(client), 0);
	lab_end(lab);
}
END_TEST

/* Slow start grows by what has newly arrived, however far the acknowledgement reaches. */
START_TEST(rfc5681_3_1_sacked_bytes_count_once)
{
	begin();
	acknowledge(0, 1, 3, 0);
	ck_assert_uint_eq(tcp_cubic_window(&client->flight->cubic), SEGMENTS * client->mss);
	acknowledge(3, 0, 0, 0);
	ck_assert_uint_eq(tcp_cubic_window(&client->flight->cubic), (SEGMENTS + 1) * client->mss);
	lab_end(lab);
}
END_TEST

/* Half of the window is in use, also when some of it has arrived. */
START_TEST(rfc5681_3_1_the_window_is_used)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	client->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, 6 * client->mss, lab->now), 0);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(tcp_outstanding(client), 6 * client->mss);
	acknowledge(0, 1, 3, 0);
	acknowledge(3, 0, 0, 0);
	ck_assert_uint_eq(tcp_cubic_window(&client->flight->cubic), (SEGMENTS + 1) * client->mss);
	lab_end(lab);
}
END_TEST

START_TEST(rfc6298_5_7_a_lost_syn_begins_slowly)
{
	struct tcp_key key = lab_key(0, 4, PORT, 80);
	int error;

	lab = lab_begin(NULL);
	lab_listen(lab, 4, false);
	lab->host[0].cut_off = true;
	client = tcp_connect(&lab->host[0].stack, &key, NULL, NULL, lab->now, &error);
	lab_run(lab, 900 * LAB_MS);
	lab->host[0].cut_off = false;
	lab_run(lab, 200 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, sizeof(bytes), lab->now), 0);
	lab_run(lab, LAB_MS);
	ck_assert_uint_eq(tcp_outstanding(client), client->mss);
	ck_assert(tcp_rto_now(client) == TCP_RTO_INITIAL_SYN_LOST_NS);
	lab_end(lab);
}
END_TEST

static bool lose_resets(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	return from == 1 || !(segment->flags & TCP_RST);
}

/* Of a connection that a cookie made nothing says that its SYN was lost. */
START_TEST(rfc6928_2_a_cookie_has_the_initial_window)
{
	lab = lab_begin(NULL);
	lab->filter = lose_resets;
	lab_listen(lab, 2, true);
	for (uint16_t port = 2000; port < 2002; port++)
		lab_inject(lab, 1, port, 77, 0, TCP_SYN, 1000, NULL, 0);
	lab_pair(lab, PORT, &client, &server);
	ck_assert_uint_eq(lab->host[1].stack.stats.cookies_taken, 1);
	lab->host[1].cut_off = true;
	ck_assert_int_gt(tcp_send(server, bytes, sizeof(bytes), lab->now), 0);
	lab_run(lab, LAB_MS);
	ck_assert_uint_eq(tcp_outstanding(server), tcp_cubic_initial_window(server->mss));
	ck_assert(tcp_rto_now(server) == TCP_RTO_INITIAL_NS);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc5681_3_1_flight_size_at_a_loss);
	tcase_add_test(cases, rfc5681_3_1_flight_size_at_a_reordering_timeout);
	tcase_add_test(cases, rfc5681_3_1_flight_size_at_a_timeout);
	tcase_add_test(cases, rfc3168_6_1_2_flight_size_at_a_mark);
	tcase_add_test(cases, rfc3168_6_1_2_at_one_segment);
	tcase_add_test(cases, rfc5681_3_1_sacked_bytes_count_once);
	tcase_add_test(cases, rfc5681_3_1_the_window_is_used);
	tcase_add_test(cases, rfc6298_5_7_a_lost_syn_begins_slowly);
	tcase_add_test(cases, rfc6928_2_a_cookie_has_the_initial_window);
}

int main(void)
{
	return unit_main("net/tcp_core_congestion", add_cases);
}
