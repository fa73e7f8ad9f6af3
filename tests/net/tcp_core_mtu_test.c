/* SPDX-License-Identifier: ISC */
/*
 * Ways that do not take what our link takes: with routers that say so (RFC 1191, RFC 8201), with
 * such as do not (RFC 4821), and with somebody who says what is not so (RFC 5927).
 */
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000
#define FULL 1448u /* with timestamps, on a link of 1500 */
#define OF(mtu) ((mtu)-52u)

static struct lab *lab;
static struct tcp_connection *client, *server;
static uint8_t bytes[1 << 20];

/* A router on the way from host 0. What it says is said when the core is not at work. */
static struct way {
	uint32_t mtu;
	bool tells, tells_no_size;
	bool has_said;
	uint32_t sequence;
	uint32_t dropped, largest;
} way;

static bool routes(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	uint32_t headers = (segment->key.version == 6 ? 60u : 40u) + segment->option_bytes;

	(void)l;
	if (from == 1)
		return true;
	if (segment->bytes + headers <= way.mtu) {
		if (segment->bytes > way.largest)
			way.largest = segment->bytes;
		return true;
	}
	way.dropped++;
	if (way.tells && !way.has_said) {
		way.has_said = true;
		way.sequence = segment->sequence;
	}
	return false;
}

static void router_speaks(void)
{
	if (!way.has_said)
		return;
	way.has_said = false;
	tcp_input_problem(&lab->host[0].stack, &client->end.key, way.sequence, TCP_PROBLEM_TOO_BIG,
			  way.tells_no_size ? 0 : (uint16_t)way.mtu, lab->now);
}

/* The client sends so much, and it arrives. */
static void transfer(uint32_t total, uint64_t limit)
{
	uint64_t end = lab->now + limit;
	uint32_t sent = 0, received = 0;

	while (received < total) {
		uint32_t part = total - sent < 100000 ? total - sent : 100000;
		int did = part ? tcp_send(client, bytes, part, lab->now) : 0;

		ck_assert_int_ge(did, 0);
		sent += (uint32_t)did;
		lab_run(lab, LAB_MS);
		router_speaks();
		did = tcp_receive(server, bytes, sizeof(bytes), lab->now);
		received += did > 0 ? (uint32_t)did : 0;
		ck_assert_uint_lt(lab->now, end);
	}
	lab_run(lab, 200 * LAB_MS);
	router_speaks();
}

static void begin(uint8_t version, uint32_t mtu, bool tells)
{
	struct tcp_key key = lab_key(0, version, PORT, 80);
	int error;

	way = (struct way){ .mtu = mtu, .tells = tells };
	lab = lab_begin(NULL);
	lab->filter = routes;
	lab_listen(lab, 8, false);
	client = tcp_connect(&lab->host[0].stack, &key, NULL, NULL, lab->now, &error);
	lab_run(lab, 60 * LAB_MS);
	server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(server);
}

static const struct tcp_stats *stats(void)
{
	return &lab->host[0].stack.stats;
}

/* ---- routers that say so ---- */

START_TEST(rfc1191_3_the_router_says)
{
	begin(4, 1000, true);
	transfer(500000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, OF(1000));
	ck_assert_uint_eq(stats()->timeouts, 0);
	ck_assert_uint_eq(stats()->mtu_probes, 0);
	ck_assert_uint_le(way.dropped, 10);
	/* It is no congestion. */
	ck_assert_uint_eq(client->flight->cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	lab_end(lab);
}
END_TEST

START_TEST(rfc8201_4_the_router_says)
{
	begin(6, 1300, true);
	transfer(500000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, 1300 - 72);
	ck_assert_uint_eq(stats()->timeouts, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc1191_5_the_router_says_no_size)
{
	begin(4, 1100, true);
	way.tells_no_size = true;
	transfer(500000, 20 * LAB_S);
	ck_assert_uint_eq(client->mss, OF(1006));
	lab_end(lab);
}
END_TEST

/* What is learnt of the way holds for the next connection, and for ten minutes. */
START_TEST(rfc1191_6_the_next_connection_knows)
{
	struct tcp_connection *first;

	begin(4, 1000, true);
	transfer(100000, 10 * LAB_S);
	first = client;
	lab_pair(lab, PORT + 1, &client, &server);
	ck_assert_uint_eq(client->mss, OF(1000));
	ck_assert_uint_eq(client->mss_max, FULL);
	way.dropped = 0;
	transfer(100000, 10 * LAB_S);
	ck_assert_uint_eq(way.dropped, 0);
	lab_run(lab, 700 * LAB_S);
	lab_pair(lab, PORT + 2, &client, &server);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_ptr_ne(first, client);
	lab_end(lab);
}
END_TEST

/* After ten minutes larger ones are tried. */
START_TEST(rfc1191_6_3_larger_again)
{
	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	way.mtu = 1500;
	lab_run(lab, 500 * LAB_S);
	transfer(300000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, OF(1000));
	ck_assert_uint_eq(stats()->mtu_probes, 0);
	lab_run(lab, 110 * LAB_S);
	transfer(300000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_uint_eq(stats()->mtu_probes, 1);
	lab_end(lab);
}
END_TEST

/* And if a router says no again, it was no loss. */
START_TEST(rfc8201_5_3_a_larger_one_is_answered)
{
	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	lab_run(lab, 700 * LAB_S);
	way.mtu = 1200;
	way.dropped = 0;
	transfer(900000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, OF(1200));
	ck_assert_uint_eq(way.dropped, 1);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	lab_end(lab);
}
END_TEST

/* ---- routers that do not ---- */

START_TEST(rfc4821_7_7_black_hole)
{
	begin(4, 1100, false);
	transfer(800000, 60 * LAB_S);
	ck_assert_uint_ge(stats()->mtu_black_holes, 1);
	ck_assert_uint_le(stats()->timeouts, 4);
	/* And then the search has found what the way takes. */
	ck_assert_uint_le(client->mss, OF(1100));
	ck_assert_uint_gt(client->mss, OF(1100) - 16);
	ck_assert_uint_eq(client->mss_high, client->mss);
	lab_end(lab);
}
END_TEST

START_TEST(rfc4821_7_7_black_hole_that_is_smaller)
{
	begin(4, 700, false);
	transfer(800000, 100 * LAB_S);
	ck_assert_uint_ge(stats()->mtu_black_holes, 2);
	ck_assert_uint_le(client->mss, OF(700));
	ck_assert_uint_gt(client->mss, OF(700) - 16);
	lab_end(lab);
}
END_TEST

START_TEST(rfc4821_7_7_black_hole_of_ipv6)
{
	begin(6, 1280, false);
	transfer(800000, 60 * LAB_S);
	ck_assert_uint_ge(stats()->mtu_black_holes, 1);
	ck_assert_uint_eq(client->mss, 1280 - 72);
	lab_end(lab);
}
END_TEST

/* An outage looks the same; then the first try finds it. */
START_TEST(rfc4821_7_7_an_outage_is_none)
{
	begin(4, 1500, false);
	transfer(100000, 10 * LAB_S);
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, 50000, lab->now), 0);
	lab_run(lab, 4 * LAB_S);
	lab->host[0].cut_off = false;
	ck_assert_uint_lt(client->mss, FULL);
	lab_run(lab, 20 * LAB_S);
	ck_assert_int_gt(tcp_receive(server, bytes, sizeof(bytes), lab->now), 0);
	transfer(800000, 60 * LAB_S);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_uint_eq(stats()->mtu_probes, 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc4821_7_5_a_lost_probe_is_no_congestion)
{
	uint32_t timeouts;

	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	lab_run(lab, 700 * LAB_S);
	way.mtu = 1200;
	way.tells = false;
	way.dropped = 0;
	timeouts = (uint32_t)stats()->timeouts;
	transfer(1000000, 20 * LAB_S);
	transfer(1000000, 20 * LAB_S);
	ck_assert_uint_le(client->mss, OF(1200));
	ck_assert_uint_gt(client->mss, OF(1200) - 16);
	ck_assert_uint_ge(way.dropped, 2);
	ck_assert_uint_eq(stats()->timeouts, timeouts);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	lab_end(lab);
}
END_TEST

/* Nor does it make the window smaller for a while. */
START_TEST(rfc4821_7_5_the_window_stays)
{
	uint32_t least = UINT32_MAX;

	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	lab_run(lab, 700 * LAB_S);
	way.mtu = 1200;
	way.tells = false;
	way.dropped = 0;
	transfer(100000, 10 * LAB_S);
	client->flight->cubic.ssthresh = 2u * client->mss;
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert_int_ge(tcp_send(client, bytes, 50000, lab->now), 0);
		lab_run(lab, LAB_MS);
		(void)!tcp_receive(server, bytes, sizeof(bytes), lab->now);
		if (client->flight->window < least)
			least = client->flight->window;
	}
	ck_assert_uint_ge(way.dropped, 2);
	ck_assert_uint_ge(least, 10 * OF(1000));
	lab_end(lab);
}
END_TEST

static bool loses_one_large(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	bool *done = l->context;

	if (from == 1 || segment->bytes <= OF(1000) || *done)
		return true;
	*done = true;
	return false;
}

/* It may have been lost like any other. */
START_TEST(rfc4821_7_6_a_probe_is_repeated)
{
	bool done = false;

	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	lab_run(lab, 700 * LAB_S);
	lab->filter = loses_one_large;
	lab->context = &done;
	transfer(900000, 10 * LAB_S);
	ck_assert(done);
	ck_assert_uint_eq(stats()->mtu_probes, 2);
	ck_assert_uint_eq(client->mss, FULL);
	lab_end(lab);
}
END_TEST

/* ---- who says what is not so ---- */

static void claim(uint32_t sequence, uint16_t mtu)
{
	tcp_input_problem(&lab->host[0].stack, &client->end.key, sequence, TCP_PROBLEM_TOO_BIG, mtu,
			  lab->now);
}

/* Large segments get through: one who says they do not is believed only if one is not answered. */
START_TEST(rfc5927_7_2_large_ones_get_through)
{
	begin(4, 1500, false);
	transfer(100000, 10 * LAB_S);
	ck_assert_uint_eq(client->mss_acked, FULL);
	ck_assert_int_gt(tcp_send(client, bytes, 50000, lab->now), 0);
	claim(client->snd_una, 600);
	ck_assert_uint_eq(client->mss, FULL);
	lab_run(lab, LAB_S);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_uint_eq(client->flight->said_mss, 0);
	/* The way has changed, and it is true. */
	way.mtu = 600;
	ck_assert_int_gt(tcp_send(client, bytes, 50000, lab->now), 0);
	claim(client->snd_una, 600);
	ck_assert_uint_eq(client->mss, FULL);
	lab_run(lab, 10 * LAB_S);
	ck_assert_uint_eq(client->mss, OF(600));
	ck_assert_uint_eq(client->snd_una, client->snd_nxt);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5927_7_2_no_way_is_that_small)
{
	begin(4, 1500, false);
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, 50000, lab->now), 0);
	claim(client->snd_una, 100);
	ck_assert_uint_eq(client->mss, OF(576));
	lab_end(lab);
}
END_TEST

START_TEST(rfc8201_4_no_way_is_that_small)
{
	begin(6, 1500, false);
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, 50000, lab->now), 0);
	claim(client->snd_una, 1279);
	ck_assert_uint_eq(client->mss, 1500 - 72);
	claim(client->snd_una, 1280);
	ck_assert_uint_eq(client->mss, 1280 - 72);
	lab_end(lab);
}
END_TEST

START_TEST(claims_of_larger_ones_do_nothing)
{
	uint32_t sent;

	begin(4, 1500, false);
	ck_assert_int_gt(tcp_send(client, bytes, 5000, lab->now), 0);
	sent = lab->host[0].sent;
	claim(client->snd_una, 9000);
	claim(client->snd_una, 1500);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_uint_eq(lab->host[0].sent, sent);
	lab_run(lab, LAB_S);
	ck_assert_uint_eq(stats()->retransmissions, 0);
	lab_end(lab);
}
END_TEST

/* A claim that waits for a time-out makes nothing larger. */
START_TEST(claims_do_not_raise)
{
	begin(4, 1500, false);
	transfer(100000, 10 * LAB_S);
	tcp_set_mss(client, 600);
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, bytes, 5000, lab->now), 0);
	claim(client->snd_una, 1000);
	ck_assert_uint_eq(client->flight->said_mss, OF(1000));
	lab_run(lab, LAB_S);
	ck_assert_uint_ge(stats()->timeouts, 1);
	ck_assert_uint_le(client->mss, 588);
	lab_end(lab);
}
END_TEST

START_TEST(small_segments_know_of_no_black_hole)
{
	begin(4, 1500, false);
	lab->host[0].cut_off = true;
	ck_assert_int_eq(tcp_send(client, bytes, 1, lab->now), 1);
	lab_run(lab, 10 * LAB_S);
	ck_assert_uint_ge(stats()->timeouts, 4);
	ck_assert_uint_eq(client->mss, FULL);
	ck_assert_uint_eq(stats()->mtu_black_holes, 0);
	lab_end(lab);
}
END_TEST

/* While what was too large leaves again, an acknowledgement comes: there was no loss. */
START_TEST(rfc8201_5_4_the_window_stays)
{
	uint32_t una;

	begin(4, 1500, false);
	client->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab->host[0].cut_off = true;
	tcp_set_no_delay(client, true, lab->now);
	una = client->snd_una;
	ck_assert_int_eq(tcp_send(client, bytes, 1, lab->now), 1);
	ck_assert_int_gt(tcp_send(client, bytes, 9 * FULL, lab->now), 0);
	lab_run(lab, 15 * LAB_MS);
	claim(una + 1, 1000);
	ck_assert_uint_eq(client->mss, 960);
	ck_assert_uint_gt(client->flight->recovery.board.lost, 0);
	lab_inject(lab, 0, PORT, client->rcv_nxt, una + 1, TCP_ACK, 60000, NULL, 0);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	lab_end(lab);
}
END_TEST

static struct {
	bool probe;
	uint32_t behind;
} losing;

/* A large one, and another some way behind it. */
static bool loses_two(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	if (from == 1 || segment->bytes < 100)
		return true;
	if (segment->bytes > OF(1000) && !losing.probe) {
		losing.probe = true;
		return false;
	}
	return !losing.probe || losing.behind++ != 9;
}

START_TEST(rfc4821_7_5_another_loss_is_congestion)
{
	losing.probe = false;
	losing.behind = 0;
	begin(4, 1000, true);
	transfer(200000, 10 * LAB_S);
	lab_run(lab, 700 * LAB_S);
	lab->filter = loses_two;
	transfer(900000, 10 * LAB_S);
	ck_assert_uint_gt(losing.behind, 9);
	ck_assert_uint_ne(client->flight->cubic.ssthresh, TCP_CUBIC_SSTHRESH_NONE);
	ck_assert_uint_eq(stats()->timeouts, 0);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc1191_3_the_router_says);
	tcase_add_test(cases, rfc8201_4_the_router_says);
	tcase_add_test(cases, rfc1191_5_the_router_says_no_size);
	tcase_add_test(cases, rfc1191_6_the_next_connection_knows);
	tcase_add_test(cases, rfc1191_6_3_larger_again);
	tcase_add_test(cases, rfc8201_5_3_a_larger_one_is_answered);
	tcase_add_test(cases, rfc4821_7_7_black_hole);
	tcase_add_test(cases, rfc4821_7_7_black_hole_that_is_smaller);
	tcase_add_test(cases, rfc4821_7_7_black_hole_of_ipv6);
	tcase_add_test(cases, rfc4821_7_7_an_outage_is_none);
	tcase_add_test(cases, rfc4821_7_5_a_lost_probe_is_no_congestion);
	tcase_add_test(cases, rfc4821_7_5_the_window_stays);
	tcase_add_test(cases, rfc4821_7_6_a_probe_is_repeated);
	tcase_add_test(cases, rfc5927_7_2_large_ones_get_through);
	tcase_add_test(cases, rfc5927_7_2_no_way_is_that_small);
	tcase_add_test(cases, rfc8201_4_no_way_is_that_small);
	tcase_add_test(cases, claims_of_larger_ones_do_nothing);
	tcase_add_test(cases, claims_do_not_raise);
	tcase_add_test(cases, small_segments_know_of_no_black_hole);
	tcase_add_test(cases, rfc8201_5_4_the_window_stays);
	tcase_add_test(cases, rfc4821_7_5_another_loss_is_congestion);
}

int main(void)
{
	return unit_main("net/tcp_core_mtu", add_cases);
}
