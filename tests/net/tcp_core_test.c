/* SPDX-License-Identifier: ISC */
/* TCP's states: opening and closing in every order, and what a stack has left afterwards. */
#include <errno.h>
#include <string.h>

#include "tests/net/test_tcp.h"

static struct lab *lab;
static struct tcp_connection *client, *server;

START_TEST(idle_connection_is_small)
{
	ck_assert_uint_le(sizeof(struct tcp_connection), 464);
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	lab_run(lab, 20 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 0);
	ck_assert_uint_eq(lab->host[1].stack.config.memory.used, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_5_three_way_handshake)
{
	uint8_t events;

	lab = lab_begin(NULL);
	lab_listen(lab, 4, false);
	client = lab_connect(lab, 1000);
	ck_assert_uint_eq(client->end.state, TCP_SYN_SENT);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->flags & ~(TCP_ECE | TCP_CWR), TCP_SYN);
	lab_run(lab, 25 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	ck_assert_ptr_eq(tcp_next_event(&lab->host[0].stack, &events), client);
	ck_assert_uint_eq(events, TCP_EVENT_CONNECTED | TCP_EVENT_WRITABLE);
	ck_assert_ptr_null(tcp_next_event(&lab->host[0].stack, &events));
	ck_assert_ptr_null(tcp_accept(&lab->host[1].listener, NULL));
	lab_run(lab, 10 * LAB_MS);
	server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(server);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(server->rcv_nxt, client->snd_nxt);
	ck_assert_uint_eq(client->rcv_nxt, server->snd_nxt);
	ck_assert_uint_eq(lab->host[0].sent, 2);
	ck_assert_uint_eq(lab->host[1].sent, 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_5_simultaneous_open)
{
	struct tcp_key a = lab_key(0, 4, 1000, 80), b = lab_key(1, 4, 1000, 80);
	int error;

	lab = lab_begin(NULL);
	client = tcp_connect(&lab->host[0].stack, &a, NULL, NULL, lab->now, &error);
	server = tcp_connect(&lab->host[1].stack, &b, NULL, NULL, lab->now, &error);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_SYN_RECEIVED);
	ck_assert_uint_eq(server->end.state, TCP_SYN_RECEIVED);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	ck_assert_int_eq(tcp_send(client, "abc", 3, lab->now), 3);
	lab_run(lab, 50 * LAB_MS);
	ck_assert_uint_eq(tcp_receivable(server), 3);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_6_normal_close)
{
	char byte;

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	ck_assert_uint_eq(client->end.state, TCP_FIN_WAIT_1);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(server->end.state, TCP_CLOSE_WAIT);
	ck_assert_int_eq(tcp_receive(server, &byte, 1, lab->now), 0);
	lab_run(lab, 10 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_FIN_WAIT_2);
	tcp_close(server, lab->now);
	ck_assert_uint_eq(server->end.state, TCP_LAST_ACK);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	ck_assert_uint_eq(lab->host[0].stack.connection_used, 0);
	lab_run(lab, 10 * LAB_MS);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	ck_assert_uint_eq(lab->host[1].stack.time_wait_used, 0);
	lab_run(lab, 59 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_6_simultaneous_close)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	tcp_close(server, lab->now);
	lab_run(lab, 12 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_CLOSING);
	ck_assert_uint_eq(server->end.state, TCP_CLOSING);
	lab_run(lab, 12 * LAB_MS);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(lab->host[i].stack.connection_used, 0);
		ck_assert_uint_eq(lab->host[i].stack.time_wait_used, 1);
	}
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_6_half_close)
{
	char text[8];

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_shutdown(client, lab->now);
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), -EPIPE);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_int_eq(tcp_send(server, "later", 5, lab->now), 5);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_int_eq(tcp_receive(client, text, sizeof(text), lab->now), 5);
	ck_assert_mem_eq(text, "later", 5);
	ck_assert_int_eq(tcp_receive(client, text, sizeof(text), lab->now), -EAGAIN);
	tcp_close(server, lab->now);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_int_eq(tcp_receive(client, text, sizeof(text), lab->now), 0);
	ck_assert_int_eq(tcp_error(client), 0);
	tcp_close(client, lab->now);
	ck_assert_uint_eq(lab->host[0].stack.connection_used, 0);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	lab_end(lab);
}
END_TEST

/* The last bytes and FIN in one segment, and what was not read when all is over. */
START_TEST(bytes_stay_readable_after_the_end)
{
	char text[8];

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	ck_assert_int_eq(tcp_send(server, "bye", 3, lab->now), 3);
	tcp_close(server, lab->now);
	tcp_shutdown(client, lab->now);
	lab_run(lab, 100 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_receive(client, text, 2, lab->now), 2);
	ck_assert_int_eq(tcp_receive(client, text, 2, lab->now), 1);
	ck_assert_int_eq(tcp_receive(client, text, 2, lab->now), 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_4_close_with_unread_bytes_resets)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	ck_assert_int_eq(tcp_send(client, "unread", 6, lab->now), 6);
	lab_run(lab, 15 * LAB_MS);
	tcp_close(server, lab->now);
	ck_assert(lab_last(lab, 1, 0)->flags & TCP_RST);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_int_eq(tcp_error(client), -ECONNRESET);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_4_data_after_close_is_reset)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(server, lab->now);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_int_eq(tcp_send(client, "more", 4, lab->now), 4);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_int_eq(tcp_error(client), -ECONNRESET);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_5_abort)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_abort(client, lab->now);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_uint_eq(server->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(server), -ECONNRESET);
	ck_assert_int_eq(tcp_send(server, "x", 1, lab->now), -ECONNRESET);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_7_1_closed_answers_with_reset)
{
	lab = lab_begin(NULL);
	lab->host[1].cut_off = true;
	lab_inject(lab, 1, 1000, 500, 900, TCP_ACK, 100, "abc", 3);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->flags, TCP_RST);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->sequence, 900);
	lab_inject(lab, 1, 1000, 500, 0, TCP_SYN, 100, "abc", 3);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->flags, TCP_RST | TCP_ACK);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->acknowledgement, 504);
	lab_inject(lab, 1, 1000, 500, 0, TCP_RST, 100, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, 2);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_7_2_listen)
{
	lab = lab_begin(NULL);
	lab_listen(lab, 4, false);
	lab->host[1].cut_off = true;
	lab_inject(lab, 1, 1000, 500, 0, TCP_RST, 100, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, 0);
	lab_inject(lab, 1, 1000, 500, 900, TCP_ACK, 100, NULL, 0);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->flags, TCP_RST);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->sequence, 900);
	lab_inject(lab, 1, 1000, 500, 0, TCP_SYN, 100, NULL, 0);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->flags, TCP_SYN | TCP_ACK);
	ck_assert_uint_eq(lab_last(lab, 1, 0)->acknowledgement, 501);
	/* Back to LISTEN. */
	lab_inject(lab, 1, 1000, 501, 0, TCP_RST, 100, NULL, 0);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	ck_assert_uint_eq(lab->host[1].listener.half_open, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc7323_1_3_only_what_both_offer)
{
	const uint8_t mss_only[] = { 2, 4, 0x02, 0x58 };
	const struct tcp_connection *c;

	lab = lab_begin(NULL);
	lab_listen(lab, 4, false);
	lab->host[1].cut_off = true;
	lab_inject_options(lab, 1, 1000, 500, 0, TCP_SYN, 100, mss_only, sizeof(mss_only));
	ck_assert_uint_eq(lab_last(lab, 1, 0)->option_bytes, 4); /* MSS */
	lab_inject(lab, 1, 1000, 501, lab_last(lab, 1, 0)->sequence + 1, TCP_ACK, 100, NULL, 0);
	c = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->mss, 600);
	ck_assert_uint_eq(c->snd_wnd, 100);
	ck_assert_uint_eq(c->scale_send, 0);
	ck_assert_uint_eq(c->window.scale, 0);
	ck_assert(!(c->flags & (TCP_FLAG_SCALE | TCP_FLAG_TIMESTAMPS | TCP_FLAG_SACK)));
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_7_3_syn_sent)
{
	lab = lab_begin(NULL);
	lab->host[0].cut_off = true;
	client = lab_connect(lab, 1000);
	lab_inject(lab, 0, 1000, 500, client->snd_nxt + 1, TCP_ACK, 100, NULL, 0);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->flags, TCP_RST);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->sequence, client->snd_nxt + 1);
	lab_inject(lab, 0, 1000, 500, client->snd_nxt + 1, TCP_ACK | TCP_RST, 100, NULL, 0);
	lab_inject(lab, 0, 1000, 500, 0, TCP_RST, 100, NULL, 0);
	lab_inject(lab, 0, 1000, 500, client->snd_nxt, TCP_ACK, 100, NULL, 0);
	ck_assert_uint_eq(client->end.state, TCP_SYN_SENT);
	lab_inject(lab, 0, 1000, 500, client->snd_nxt, TCP_ACK | TCP_RST, 100, NULL, 0);
	ck_assert_uint_eq(client->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(client), -ECONNREFUSED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_8_3_syn_is_given_up)
{
	lab = lab_begin(NULL);
	lab->host[0].cut_off = true;
	client = lab_connect(lab, 1000);
	lab_run(lab, 900 * LAB_MS);
	ck_assert_uint_eq(lab->host[0].sent, 1);
	lab_run(lab, 200 * LAB_MS);
	ck_assert_uint_eq(lab->host[0].sent, 2);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, 3);
	lab_run(lab, 180 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, 8);
	ck_assert_int_eq(tcp_error(client), 0);
	lab_run(lab, 80 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, 8);
	ck_assert_int_eq(tcp_error(client), -ETIMEDOUT);
	lab_end(lab);
}
END_TEST

static bool lose_first_syn_ack(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)segment;
	return from == 0 || l->host[1].sent > 1;
}

START_TEST(rfc9293_3_10_7_4_syn_again_is_answered)
{
	lab = lab_begin(NULL);
	lab->filter = lose_first_syn_ack;
	lab_listen(lab, 4, false);
	client = lab_connect(lab, 1000);
	lab_run(lab, 1100 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(server);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 1);
	lab_end(lab);
}
END_TEST

/* The last ACK of the opening is lost: data makes up for it. */
START_TEST(backlog_is_a_bound)
{
	struct tcp_connection *clients[6];

	lab = lab_begin(NULL);
	lab_listen(lab, 2, false);
	for (unsigned int i = 0; i < 6; i++)
		clients[i] = lab_connect(lab, (uint16_t)(1000 + i));
	lab_run(lab, 35 * LAB_MS);
	ck_assert_uint_le(lab->host[1].listener.waiting, 2);
	ck_assert_uint_le(lab->host[1].listener.half_open, 2);
	ck_assert_uint_le(lab->host[1].stack.connection_used, 4);
	for (unsigned int i = 0; i < 40; i++) {
		lab_run(lab, LAB_S);
		server = tcp_accept(&lab->host[1].listener, NULL);
		if (server)
			tcp_close(server, lab->now);
	}
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_uint_ne(clients[i]->end.state, TCP_SYN_SENT);
	lab_end(lab);
}
END_TEST

/* Of what was never begun there. */
static bool lose_resets(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	return from == 1 || !(segment->flags & TCP_RST);
}

START_TEST(rfc4987_3_6_cookies_when_the_backlog_is_full)
{
	char text[8];

	lab = lab_begin(NULL);
	lab->filter = lose_resets;
	lab_listen(lab, 2, true);
	for (uint16_t port = 2000; port < 2010; port++)
		lab_inject(lab, 1, port, 77, 0, TCP_SYN, 1000, NULL, 0);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 2);
	ck_assert_uint_eq(lab->host[1].stack.stats.cookies_sent, 8);
	client = lab_connect(lab, 1000);
	lab_run(lab, 25 * LAB_MS);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 2);
	lab_run(lab, 10 * LAB_MS);
	ck_assert_uint_eq(lab->host[1].stack.stats.cookies_taken, 1);
	server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(server);
	ck_assert_uint_eq(server->scale_send, client->window.scale);
	ck_assert_int_eq(tcp_send(client, "hello", 5, lab->now), 5);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_int_eq(tcp_receive(server, text, sizeof(text), lab->now), 5);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_6_1_time_wait_answers_fin)
{
	uint32_t fin, ack;

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	lab_run(lab, 30 * LAB_MS);
	tcp_close(server, lab->now);
	fin = lab_last(lab, 1, 0)->sequence;
	ack = lab_last(lab, 1, 0)->acknowledgement;
	lab_run(lab, 30 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	lab_inject(lab, 0, 1000, fin, ack, TCP_FIN | TCP_ACK, 100, NULL, 0);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->flags, TCP_ACK);
	ck_assert_uint_eq(lab_last(lab, 0, 0)->acknowledgement, fin + 1);
	/* And begins again. */
	lab_run(lab, 40 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	lab_run(lab, 21 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 0);
	lab_end(lab);
}
END_TEST

START_TEST(rfc1337_reset_does_not_end_time_wait)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	lab_run(lab, 30 * LAB_MS);
	tcp_close(server, lab->now);
	lab_run(lab, 30 * LAB_MS);
	lab_inject(lab, 0, 1000, lab_last(lab, 1, 0)->sequence + 1, 0, TCP_RST, 0, NULL, 0);
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc6191_2_new_connection_in_time_wait)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(server, lab->now);
	lab_run(lab, 30 * LAB_MS);
	tcp_close(client, lab->now);
	lab_run(lab, 30 * LAB_MS);
	ck_assert_uint_eq(lab->host[1].stack.time_wait_used, 1);
	ck_assert_uint_eq(lab->host[0].stack.connection_used, 0);
	lab_pair(lab, 1000, &client, &server);
	ck_assert_uint_eq(lab->host[1].stack.time_wait_used, 0);
	lab_end(lab);
}
END_TEST

START_TEST(time_wait_table_is_a_bound)
{
	lab = lab_begin(NULL);
	for (uint16_t i = 0; i < LAB_WAITS + 5; i++) {
		lab_pair(lab, (uint16_t)(1000 + i), &client, &server);
		tcp_close(client, lab->now);
		lab_run(lab, 30 * LAB_MS);
		tcp_close(server, lab->now);
		lab_run(lab, 30 * LAB_MS);
	}
	ck_assert_uint_eq(lab->host[0].stack.time_wait_used, LAB_WAITS);
	ck_assert_uint_eq(lab->host[0].stack.stats.time_wait_evicted, 5);
	lab_end(lab);
}
END_TEST

START_TEST(orphans_leave_fin_wait_2)
{
	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	lab_run(lab, 59 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_FIN_WAIT_2);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.connection_used, 0);
	lab_end(lab);
}
END_TEST

static bool lose_first_fin(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	return from == 1 || !(segment->flags & TCP_FIN) || l->host[0].sent > 4;
}

START_TEST(rfc9293_3_10_8_fin_is_sent_again)
{
	lab = lab_begin(NULL);
	lab->filter = lose_first_fin;
	lab_pair(lab, 1000, &client, &server);
	tcp_close(client, lab->now);
	lab_run(lab, 5 * LAB_S);
	ck_assert_uint_eq(server->end.state, TCP_CLOSE_WAIT);
	ck_assert_uint_eq(client->end.state, TCP_FIN_WAIT_2);
	lab_end(lab);
}
END_TEST

/* What came again late, and says that it is the end: the end is where new data is. */
START_TEST(rfc9293_3_10_7_4_old_fin_is_none)
{
	uint32_t old;

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	server->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab->host[1].cut_off = true;
	old = server->rcv_nxt;
	lab_inject(lab, 1, 1000, old, server->snd_nxt, TCP_ACK, 100, "abcd", 4);
	lab_inject(lab, 1, 1000, old, server->snd_nxt, TCP_ACK | TCP_FIN, 100, "ab", 2);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_inject(lab, 1, 1000, old + 4, server->snd_nxt, TCP_ACK | TCP_FIN, 100, "e", 1);
	ck_assert_uint_eq(server->end.state, TCP_CLOSE_WAIT);
	ck_assert_uint_eq(tcp_receivable(server), 5);
	lab_end(lab);
}
END_TEST

/* One ahead of what has come, that data then goes beyond: it was somebody else's. */
START_TEST(rfc9293_3_10_7_4_fin_in_the_middle_is_none)
{
	uint32_t next;

	lab = lab_begin(NULL);
	lab_pair(lab, 1000, &client, &server);
	server->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	lab->host[1].cut_off = true;
	next = server->rcv_nxt;
	lab_inject(lab, 1, 1000, next + 2, server->snd_nxt, TCP_ACK | TCP_FIN, 100, NULL, 0);
	lab_inject(lab, 1, 1000, next, server->snd_nxt, TCP_ACK, 100, "abcd", 4);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_inject(lab, 1, 1000, next + 4, server->snd_nxt, TCP_ACK | TCP_FIN, 100, NULL, 0);
	ck_assert_uint_eq(server->end.state, TCP_CLOSE_WAIT);
	lab_end(lab);
}
END_TEST

START_TEST(unlisten_resets_what_waits)
{
	lab = lab_begin(NULL);
	lab_listen(lab, 4, false);
	client = lab_connect(lab, 1000);
	lab_run(lab, 35 * LAB_MS);
	tcp_unlisten(&lab->host[1].stack, &lab->host[1].listener, lab->now);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	lab_run(lab, 15 * LAB_MS);
	ck_assert_int_eq(tcp_error(client), -ECONNRESET);
	lab_end(lab);
}
END_TEST

static void few_connections(struct tcp_config *config)
{
	config->connection_count = 2;
}

START_TEST(no_connection_is_free)
{
	struct tcp_key key = lab_key(0, 6, 3000, 80);
	int error;

	lab = lab_begin(few_connections);
	lab->host[0].cut_off = true;
	lab_connect(lab, 1000);
	lab_connect(lab, 1001);
	ck_assert_ptr_null(tcp_connect(&lab->host[0].stack, &key, NULL, NULL, lab->now, &error));
	ck_assert_int_eq(error, -ENOBUFS);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, idle_connection_is_small);
	tcase_add_test(cases, rfc9293_3_5_three_way_handshake);
	tcase_add_test(cases, rfc9293_3_5_simultaneous_open);
	tcase_add_test(cases, rfc9293_3_6_normal_close);
	tcase_add_test(cases, rfc9293_3_6_simultaneous_close);
	tcase_add_test(cases, rfc9293_3_6_half_close);
	tcase_add_test(cases, bytes_stay_readable_after_the_end);
	tcase_add_test(cases, rfc9293_3_10_4_close_with_unread_bytes_resets);
	tcase_add_test(cases, rfc9293_3_10_4_data_after_close_is_reset);
	tcase_add_test(cases, rfc9293_3_10_5_abort);
	tcase_add_test(cases, rfc9293_3_10_7_1_closed_answers_with_reset);
	tcase_add_test(cases, rfc9293_3_10_7_2_listen);
	tcase_add_test(cases, rfc7323_1_3_only_what_both_offer);
	tcase_add_test(cases, rfc9293_3_10_7_3_syn_sent);
	tcase_add_test(cases, rfc9293_3_8_3_syn_is_given_up);
	tcase_add_test(cases, rfc9293_3_10_7_4_syn_again_is_answered);
	tcase_add_test(cases, backlog_is_a_bound);
	tcase_add_test(cases, rfc4987_3_6_cookies_when_the_backlog_is_full);
	tcase_add_test(cases, rfc9293_3_6_1_time_wait_answers_fin);
	tcase_add_test(cases, rfc1337_reset_does_not_end_time_wait);
	tcase_add_test(cases, rfc6191_2_new_connection_in_time_wait);
	tcase_add_test(cases, time_wait_table_is_a_bound);
	tcase_add_test(cases, orphans_leave_fin_wait_2);
	tcase_add_test(cases, rfc9293_3_10_8_fin_is_sent_again);
	tcase_add_test(cases, rfc9293_3_10_7_4_old_fin_is_none);
	tcase_add_test(cases, rfc9293_3_10_7_4_fin_in_the_middle_is_none);
	tcase_add_test(cases, unlisten_resets_what_waits);
	tcase_add_test(cases, no_connection_is_free);
}

int main(void)
{
	return unit_main("net/tcp_core", add_cases);
}
