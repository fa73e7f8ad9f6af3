/* SPDX-License-Identifier: ISC */
/* Bytes between two stacks: all of them, in order, and when each segment leaves. */
#include <errno.h>
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000

static struct lab *lab;
static struct tcp_connection *client, *server;
static uint8_t buffer[1 << 20];

static void begin(void)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	lab_run(lab, 100 * LAB_MS);
}

/* ---- bulk ---- */

static uint8_t byte_at(uint32_t place)
{
	return (uint8_t)(place * 2654435761u >> 24);
}

struct stream {
	struct tcp_connection *from, *to;
	uint32_t total, sent, received;
};

static void stream_step(struct stream *s)
{
	uint32_t wrong = 0;
	int got;

	while (s->sent < s->total) {
		uint32_t part = s->total - s->sent < 10000 ? s->total - s->sent : 10000;
		int taken;

		for (uint32_t i = 0; i < part; i++)
			buffer[i] = byte_at(s->sent + i);
		taken = tcp_send(s->from, buffer, part, lab->now);
		ck_assert_int_ge(taken, 0);
		s->sent += (uint32_t)taken;
		if ((uint32_t)taken < part)
			break;
	}
	while ((got = tcp_receive(s->to, buffer, sizeof(buffer), lab->now)) > 0) {
		for (int i = 0; i < got; i++)
			wrong += buffer[i] != byte_at(s->received + (uint32_t)i);
		ck_assert_uint_eq(wrong, 0);
		s->received += (uint32_t)got;
	}
	ck_assert(got == -EAGAIN || got == 0);
}

/* Both at once until all has come; returns how long that took. */
static uint64_t transfer(struct stream *a, struct stream *b, uint64_t limit)
{
	uint64_t start = lab->now;

	while (a->received < a->total || (b && b->received < b->total)) {
		stream_step(a);
		if (b)
			stream_step(b);
		lab_run(lab, LAB_MS);
		ck_assert_uint_lt(lab->now - start, limit);
	}
	return lab->now - start;
}

static bool lose_some(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	const unsigned int *one_in = l->context;

	(void)from;
	(void)segment;
	return unit_random(&l->random) % *one_in != 0;
}

START_TEST(all_bytes_arrive)
{
	struct stream s;

	begin();
	s = (struct stream){ client, server, 4000000, 0, 0 };
	transfer(&s, NULL, 20 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.stats.retransmissions, 0);
	ck_assert_uint_eq(lab->host[0].stack.stats.timeouts, 0);
	lab_end(lab);
}
END_TEST

START_TEST(all_bytes_arrive_both_ways_with_loss)
{
	static unsigned int one_in[] = { 1000, 100, 20, 5 };
	struct stream a, b;

	begin();
	lab->filter = lose_some;
	lab->context = &one_in[_i];
	a = (struct stream){ client, server, 500000, 0, 0 };
	b = (struct stream){ server, client, 300000, 0, 0 };
	transfer(&a, &b, 2000 * LAB_S);
	tcp_shutdown(client, lab->now);
	tcp_shutdown(server, lab->now);
	lab_run(lab, 300 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_CLOSED);
	ck_assert_uint_eq(server->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(client), 0);
	lab_end(lab);
}
END_TEST

static void no_offers(struct tcp_config *config)
{
	config->gso_bytes = 0;
	config->receive_bytes = 50000; /* no scale is needed */
}

START_TEST(all_bytes_arrive_without_options)
{
	static unsigned int one_in = 50;
	struct stream s;

	lab = lab_begin(no_offers);
	lab_pair(lab, PORT, &client, &server);
	client->flags &= ~(uint32_t)(TCP_FLAG_SACK | TCP_FLAG_TIMESTAMPS | TCP_FLAG_SCALE);
	server->flags &= ~(uint32_t)(TCP_FLAG_SACK | TCP_FLAG_TIMESTAMPS | TCP_FLAG_SCALE);
	lab->filter = lose_some;
	lab->context = &one_in;
	s = (struct stream){ client, server, 400000, 0, 0 };
	transfer(&s, NULL, 2000 * LAB_S);
	lab_end(lab);
}
END_TEST

static bool late_reader_lossless(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	(void)from;
	ck_assert_uint_le(segment->bytes, 1448);
	return true;
}

START_TEST(rfc7323_2_3_windows_beyond_64_kib)
{
	struct stream s;

	begin();
	lab->filter = late_reader_lossless;
	s = (struct stream){ client, server, 8000000, 0, 0 };
	transfer(&s, NULL, 20 * LAB_S);
	ck_assert_uint_gt(server->window.limit, 200000);
	ck_assert_uint_gt(client->snd_wnd_max, 65535);
	lab_end(lab);
}
END_TEST

/* ---- without a copy ---- */

/* Fills what it gets, up to `most` bytes; returns how many. */
static uint32_t fill_rooms(uint32_t sent, uint32_t most)
{
	struct tcp_room rooms[5];
	uint32_t part = most, done = 0;
	int count = tcp_reserve(client, rooms, ARRAY_SIZE(rooms), &part);

	ck_assert_int_ge(count, 0);
	for (int r = 0; r < count; r++)
		for (uint32_t i = 0; i < rooms[r].bytes; i++)
			rooms[r].data[i] = byte_at(sent + done++);
	ck_assert_uint_eq(done, part);
	return part;
}

START_TEST(all_bytes_arrive_without_a_copy)
{
	static unsigned int one_in = 50;
	struct stream s;
	uint32_t sent = 0;

	begin();
	lab->filter = lose_some;
	lab->context = &one_in;
	s = (struct stream){ client, server, 0, 0, 0 };
	while (s.received < 500000) {
		uint32_t part = fill_rooms(sent, 1 + (uint32_t)(unit_random(&lab->random) % 9000));

		/* Not all of it is used each time. */
		part -= part ? (uint32_t)(unit_random(&lab->random) % part) : 0;
		tcp_commit(client, part, lab->now);
		sent += part;
		stream_step(&s);
		lab_run(lab, LAB_MS);
	}
	lab_end(lab);
}
END_TEST

START_TEST(rooms_are_bounded)
{
	struct tcp_room room;
	uint32_t part = 1 << 20;

	begin();
	lab->host[0].cut_off = true;
	/* Without a place for them there are no bytes. */
	tcp_commit(client, 100, lab->now);
	ck_assert_uint_eq(client->sending.bytes, 0);
	ck_assert_int_eq(tcp_reserve(client, &room, 1, &part), 1);
	ck_assert_uint_eq(part, TCP_BLOCK_BYTES);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 1);
	tcp_commit(client, 0, lab->now);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 0);
	ck_assert_int_eq(tcp_reserve(client, &room, 1, &part), 1);
	tcp_commit(client, 1 << 20, lab->now);
	ck_assert_uint_eq(client->sending.bytes, TCP_BLOCK_BYTES);
	while (tcp_send(client, buffer, 10000, lab->now) > 0)
		;
	part = 1;
	ck_assert_int_eq(tcp_reserve(client, &room, 1, &part), 0);
	ck_assert_uint_eq(part, 0);
	ck_assert(client->flags & TCP_FLAG_WANTS_ROOM);
	tcp_shutdown(client, lab->now);
	part = 1;
	ck_assert_int_eq(tcp_reserve(client, &room, 1, &part), -EPIPE);
	lab_end(lab);
}
END_TEST

/* ---- acknowledgements ---- */

START_TEST(rfc9293_3_8_6_3_ack_is_delayed)
{
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	lab_run(lab, 10 * LAB_MS);
	ck_assert_uint_eq(tcp_receivable(server), 1);
	ck_assert_uint_eq(lab->host[1].sent, sent);
	lab_run(lab, 41 * LAB_MS);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	ck_assert_uint_eq(client->snd_una, client->snd_nxt - 1);
	lab_run(lab, 10 * LAB_MS);
	ck_assert_uint_eq(client->snd_una, client->snd_nxt);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_8_6_3_answer_carries_the_ack)
{
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	lab_run(lab, 11 * LAB_MS);
	ck_assert_int_eq(tcp_send(server, "y", 1, lab->now), 1);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->acknowledgement, client->snd_nxt);
	lab_run(lab, 39 * LAB_MS);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5681_4_2_every_second_full_segment)
{
	struct stream s;
	uint32_t before;

	begin();
	s = (struct stream){ client, server, 100 * 1448, 0, 0 };
	before = lab->host[1].sent;
	transfer(&s, NULL, 10 * LAB_S);
	ck_assert_uint_ge(lab->host[1].sent - before, 50);
	ck_assert_uint_le(lab->host[1].sent - before, 75);
	lab_end(lab);
}
END_TEST

/* ---- Nagle ---- */

START_TEST(rfc9293_3_7_4_nagle)
{
	uint32_t sent;

	begin();
	sent = lab->host[0].sent;
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1);
	lab_run(lab, 70 * LAB_MS);
	ck_assert_uint_eq(lab->host[0].sent, sent + 2);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->bytes, 9);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_7_4_nagle_off)
{
	uint32_t sent;

	begin();
	tcp_set_no_delay(client, true, lab->now);
	sent = lab->host[0].sent;
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	lab_run(lab, 5 * LAB_MS);
	ck_assert_uint_eq(lab->host[0].sent, sent + 5);
	lab_end(lab);
}
END_TEST

START_TEST(fin_does_not_wait_for_nagle)
{
	begin();
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	ck_assert_int_eq(tcp_send(client, "y", 1, lab->now), 1);
	tcp_close(client, lab->now);
	lab_run(lab, LAB_MS);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->flags, TCP_ACK | TCP_PSH | TCP_FIN);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->bytes, 1);
	lab_end(lab);
}
END_TEST

/* ---- the peer's window ---- */

/* Fills the server's window until nothing more goes. */
static void fill(void)
{
	memset(buffer, 'a', sizeof(buffer));
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_int_ge(tcp_send(client, buffer, 20000, lab->now), 0);
		lab_run(lab, 50 * LAB_MS);
	}
	ck_assert_uint_eq(client->snd_wnd, 0);
	ck_assert_uint_eq(client->snd_una, client->snd_nxt);
	ck_assert_uint_gt(client->sending.bytes, 0);
}

START_TEST(rfc9293_3_8_6_1_zero_window_probes)
{
	uint32_t sent;
	uint64_t first, second;

	begin();
	fill();
	lab_run(lab, 30 * LAB_S);
	sent = lab->host[0].sent;
	first = lab_last(lab, 0, 0)->at - lab_last(lab, 0, 1)->at;
	lab_run(lab, 300 * LAB_S);
	ck_assert_uint_gt(lab->host[0].sent, sent);
	second = lab_last(lab, 0, 0)->at - lab_last(lab, 0, 1)->at;
	ck_assert_uint_gt(second, first);
	ck_assert_uint_le(second, 61 * LAB_S);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->sequence, client->snd_nxt - 1);
	ck_assert_uint_eq(lab->host[0].stack.stats.timeouts, 0);
	/* For ever, as long as it is answered. */
	lab_run(lab, 3600 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_8_6_1_window_opens_again)
{
	uint32_t sent;

	begin();
	fill();
	sent = client->snd_nxt;
	while (tcp_receive(server, buffer, sizeof(buffer), lab->now) > 0)
		;
	lab_run(lab, 30 * LAB_MS);
	ck_assert(client->snd_nxt != sent);
	ck_assert_uint_gt(tcp_receivable(server), 0);
	lab_end(lab);
}
END_TEST

static bool lose_updates(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	const bool *lose = l->context;

	(void)segment;
	return from == 0 || !*lose;
}

START_TEST(rfc9293_3_8_6_1_lost_update_is_probed_for)
{
	bool lose = true;
	uint32_t sent;

	begin();
	fill();
	sent = client->snd_nxt;
	lab->filter = lose_updates;
	lab->context = &lose;
	while (tcp_receive(server, buffer, sizeof(buffer), lab->now) > 0)
		;
	lab_run(lab, 30 * LAB_MS);
	lose = false;
	ck_assert_uint_eq(client->snd_nxt, sent);
	lab_run(lab, 61 * LAB_S);
	ck_assert_uint_ne(client->snd_nxt, sent);
	lab_end(lab);
}
END_TEST

/* A reader of single bytes does not make the window open by single bytes. */
START_TEST(rfc9293_3_8_6_2_2_silly_window_of_the_receiver)
{
	uint32_t sent;

	begin();
	fill();
	sent = lab->host[1].sent;
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert_int_eq(tcp_receive(server, buffer, 1, lab->now), 1);
	ck_assert_uint_eq(lab->host[1].sent, sent);
	ck_assert_int_eq(tcp_receive(server, buffer, 3000, lab->now), 3000);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	ck_assert_uint_gt(lab_last(lab, 1, 0)->window, 0);
	lab_end(lab);
}
END_TEST

/* A peer that offers little gets no small segments, until nothing else will happen. */
START_TEST(rfc9293_3_8_6_2_1_silly_window_of_the_sender)
{
	uint32_t nxt, sent;

	begin();
	lab->host[0].cut_off = true;
	client->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab_inject(lab, 0, PORT, client->rcv_nxt, client->snd_nxt, TCP_ACK, 0, NULL, 0);
	ck_assert_int_eq(tcp_send(client, buffer, 5000, lab->now), 5000);
	nxt = client->snd_nxt;
	client->scale_send = 0;
	sent = lab->host[0].sent;
	lab_inject(lab, 0, PORT, client->rcv_nxt, nxt, TCP_ACK, 100, NULL, 0);
	ck_assert_uint_eq(lab->host[0].sent, sent);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_eq(client->snd_nxt, nxt + 100);
	lab_end(lab);
}
END_TEST

/* ---- silence ---- */

START_TEST(rfc9293_3_8_4_keep_alive)
{
	uint32_t sent;

	begin();
	sent = lab->host[0].sent;
	lab_run(lab, 8000 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent); /* off at first */
	tcp_set_keepalive(client, true, lab->now);
	lab_run(lab, 7190 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent);
	lab_run(lab, 20 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->sequence, client->snd_nxt - 1);
	lab_run(lab, 7100 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1);
	lab->host[0].cut_off = true;
	lab_run(lab, 8000 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(client), -ETIMEDOUT);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1 + 9 + 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_8_3_user_timeout)
{
	begin();
	tcp_set_user_timeout(client, 20000);
	lab->host[0].cut_off = true;
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	lab_run(lab, 19 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	lab_run(lab, 40 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(client), -ETIMEDOUT);
	lab_end(lab);
}
END_TEST

/* ---- ECN ---- */

static bool mark_all(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	if (from == 0 && segment->ecn == TCP_ECN_ECT0)
		segment->ecn = TCP_ECN_CE;
	return true;
}

START_TEST(rfc3168_6_1_marks_reduce_the_window)
{
	struct stream s;
	uint32_t window, with_cwr = 0;

	begin();
	ck_assert(client->flags & server->flags & TCP_FLAG_ECN);
	s = (struct stream){ client, server, 200000, 0, 0 };
	lab->filter = mark_all;
	stream_step(&s);
	window = client->flight->window;
	transfer(&s, NULL, 100 * LAB_S);
	ck_assert_uint_lt(client->flight->window, window);
	for (uint32_t i = 0; i < LAB_LOG && i < lab->host[0].sent; i++)
		with_cwr += !(lab_last(lab, 0, i)->flags & TCP_SYN) &&
			    lab_last(lab, 0, i)->flags & TCP_CWR;
	ck_assert_uint_gt(with_cwr, 0);
	ck_assert_uint_eq(lab->host[0].stack.stats.retransmissions, 0);
	lab_end(lab);
}
END_TEST

/* ---- what the owner does not have ---- */

START_TEST(link_without_room)
{
	begin();
	lab->host[0].busy = true;
	ck_assert_int_eq(tcp_send(client, "hello", 5, lab->now), 5);
	lab_run(lab, 20 * LAB_MS);
	lab->host[0].busy = false;
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(tcp_receivable(server), 5);
	lab_end(lab);
}
END_TEST

static void little_memory(struct tcp_config *config)
{
	config->memory.limit = 20;
}

START_TEST(memory_has_a_bound)
{
	struct stream a, b;
	struct tcp_connection *client2, *server2;

	lab = lab_begin(little_memory);
	lab_pair(lab, PORT, &client, &server);
	lab_pair(lab, PORT + 1, &client2, &server2);
	a = (struct stream){ client, server, 300000, 0, 0 };
	b = (struct stream){ client2, server2, 300000, 0, 0 };
	transfer(&a, &b, 600 * LAB_S);
	lab_end(lab);
}
END_TEST

static bool reorder(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)segment;
	l->delay = from == 0 ? (5 + unit_random(&l->random) % 10) * LAB_MS : 10 * LAB_MS;
	return true;
}

START_TEST(all_bytes_arrive_out_of_order)
{
	struct stream s;

	begin();
	lab->filter = reorder;
	s = (struct stream){ client, server, 500000, 0, 0 };
	transfer(&s, NULL, 200 * LAB_S);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, all_bytes_arrive);
	tcase_add_loop_test(cases, all_bytes_arrive_both_ways_with_loss, 0, 4);
	tcase_add_test(cases, all_bytes_arrive_without_options);
	tcase_add_test(cases, all_bytes_arrive_out_of_order);
	tcase_add_test(cases, all_bytes_arrive_without_a_copy);
	tcase_add_test(cases, rooms_are_bounded);
	tcase_add_test(cases, rfc7323_2_3_windows_beyond_64_kib);
	tcase_add_test(cases, rfc9293_3_8_6_3_ack_is_delayed);
	tcase_add_test(cases, rfc9293_3_8_6_3_answer_carries_the_ack);
	tcase_add_test(cases, rfc5681_4_2_every_second_full_segment);
	tcase_add_test(cases, rfc9293_3_7_4_nagle);
	tcase_add_test(cases, rfc9293_3_7_4_nagle_off);
	tcase_add_test(cases, fin_does_not_wait_for_nagle);
	tcase_add_test(cases, rfc9293_3_8_6_1_zero_window_probes);
	tcase_add_test(cases, rfc9293_3_8_6_1_window_opens_again);
	tcase_add_test(cases, rfc9293_3_8_6_1_lost_update_is_probed_for);
	tcase_add_test(cases, rfc9293_3_8_6_2_2_silly_window_of_the_receiver);
	tcase_add_test(cases, rfc9293_3_8_6_2_1_silly_window_of_the_sender);
	tcase_add_test(cases, rfc9293_3_8_4_keep_alive);
	tcase_add_test(cases, rfc9293_3_8_3_user_timeout);
	tcase_add_test(cases, rfc3168_6_1_marks_reduce_the_window);
	tcase_add_test(cases, link_without_room);
	tcase_add_test(cases, memory_has_a_bound);
}

int main(void)
{
	return unit_main("net/tcp_core_flow", add_cases);
}
