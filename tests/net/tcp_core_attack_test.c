/* SPDX-License-Identifier: ISC */
/*
 * What is acceptable (RFC 9293, 3.10.7.4), and what somebody may try who does not see the
 * connection (RFC 5961, RFC 7323).
 */
#include <errno.h>
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000

static struct lab *lab;
static struct tcp_connection *client, *server;

static void without_timestamps(struct lab *l)
{
	(void)l;
	client->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
	server->flags &= ~(uint32_t)TCP_FLAG_TIMESTAMPS;
}

/* An established pair, that test segments without options belong to; host 0 is mute. */
static void begin(void)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	without_timestamps(lab);
	lab_run(lab, 2 * LAB_S);
}

static bool last_is_ack(uint32_t before)
{
	const struct lab_sent *sent = lab_last(lab, 1, 0);

	return lab->host[1].sent == before + 1 && sent->flags == TCP_ACK && sent->bytes == 0 &&
	       sent->sequence == server->snd_nxt && sent->acknowledgement == server->rcv_nxt;
}

/* Where a segment begins, seen from the receiver. */
struct place {
	int64_t offset;	 /* from RCV.NXT */
	bool from_right; /* from the right edge instead */
	bool acceptable; /* one without payload */
	bool byte;	 /* one with a byte */
};

static const struct place places[] = {
	{ -1, false, false, false }, { -100000, false, false, false }, { 0, false, true, true },
	{ 1, false, true, true },    { -1, true, true, true },	       { 0, true, true, false },
	{ 1, true, false, false },   { 1 << 30, false, false, false },
};

START_TEST(rfc9293_3_10_7_4_acceptable_segments)
{
	const struct place *place = &places[_i / 2];
	bool byte = _i % 2;
	uint32_t sequence, sent, una;

	begin();
	ck_assert_int_eq(tcp_send(server, "q", 1, lab->now), 1);
	una = server->snd_una;
	sent = lab->host[1].sent;
	sequence = (place->from_right ? tcp_window_right(&server->window) : server->rcv_nxt) +
		   (uint32_t)place->offset;
	lab_inject(lab, 1, PORT, sequence, server->snd_nxt, TCP_ACK, 100, byte ? "x" : NULL, byte);
	if (byte ? place->byte : place->acceptable) {
		ck_assert_uint_eq(server->snd_una, una + 1);
	} else {
		ck_assert_uint_eq(server->snd_una, una);
		ck_assert_uint_eq(lab->host[1].sent, sent + 1);
		ck_assert_uint_eq(lab_last(lab, 1, 0)->acknowledgement, server->rcv_nxt);
	}
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_3_2_reset_exactly_at_rcv_nxt)
{
	begin();
	lab_inject(lab, 1, PORT, server->rcv_nxt, 0, TCP_RST, 0, NULL, 0);
	ck_assert_uint_eq(server->end.state, TCP_CLOSED);
	ck_assert_int_eq(tcp_error(server), -ECONNRESET);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_3_2_reset_in_the_window_is_challenged)
{
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	lab_inject(lab, 1, PORT, server->rcv_nxt + 1, 0, TCP_RST, 0, NULL, 0);
	ck_assert(last_is_ack(sent));
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_3_2_reset_outside_the_window_is_dropped)
{
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	lab_inject(lab, 1, PORT, server->rcv_nxt - 1, 0, TCP_RST, 0, NULL, 0);
	lab_inject(lab, 1, PORT, tcp_window_right(&server->window) + 1, 0, TCP_RST, 0, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, sent);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_4_2_syn_is_challenged)
{
	static const int32_t offsets[] = { -1000, 0, 1, 1 << 29 };
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	lab_inject(lab, 1, PORT, server->rcv_nxt + (uint32_t)offsets[_i], 0, TCP_SYN, 0, NULL, 0);
	ck_assert(last_is_ack(sent));
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_end(lab);
}
END_TEST

/* A peer that has started anew: the challenge makes it reset us, and it begins again. */
START_TEST(rfc5961_4_2_restarted_peer)
{
	begin();
	server->flags |= TCP_FLAG_TIMESTAMPS;
	/* The client forgets. */
	lab->host[0].cut_off = true;
	tcp_abort(client, lab->now);
	lab->host[0].cut_off = false;
	client = lab_connect(lab, PORT);
	lab_run(lab, 5 * LAB_S);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	ck_assert_int_eq(tcp_error(server), -ECONNRESET);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_5_2_ack_out_of_range_is_challenged)
{
	uint32_t sent, una;

	begin();
	sent = lab->host[1].sent;
	una = server->snd_una;
	lab_inject(lab, 1, PORT, server->rcv_nxt, _i ? una - server->snd_wnd_max - 1 : una + 1,
		   TCP_ACK, 100, "x", 1);
	ck_assert(last_is_ack(sent));
	ck_assert_uint_eq(tcp_receivable(server), 0);
	ck_assert_uint_eq(server->snd_una, una);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_5_2_old_ack_in_range_carries_data)
{
	begin();
	lab_inject(lab, 1, PORT, server->rcv_nxt, server->snd_una - server->snd_wnd_max, TCP_ACK,
		   100, "x", 1);
	ck_assert_uint_eq(tcp_receivable(server), 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5961_7_challenges_are_rationed)
{
	uint32_t sent;

	begin();
	sent = lab->host[1].sent;
	for (unsigned int i = 0; i < 1000; i++)
		lab_inject(lab, 1, PORT, server->rcv_nxt + 1 + i, 0, TCP_RST, 0, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	lab_run(lab, 600 * LAB_MS);
	lab_inject(lab, 1, PORT, server->rcv_nxt + 1, 0, TCP_RST, 0, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, sent + 2);
	lab_end(lab);
}
END_TEST

/* No counter that all connections share has a size that could be counted (CVE-2016-5696). */
START_TEST(rfc5961_7_the_ration_is_not_the_same)
{
	uint32_t first;
	bool differs = false;

	lab = lab_begin(NULL);
	first = lab->host[0].stack.challenge.burst;
	differs = lab->host[1].stack.challenge.burst != first;
	ck_assert(differs);
	lab_end(lab);
}
END_TEST

START_TEST(resets_to_strangers_are_rationed)
{
	lab = lab_begin(NULL);
	lab->host[1].cut_off = true;
	for (unsigned int i = 0; i < 5000; i++)
		lab_inject(lab, 1, (uint16_t)(1 + i), 1, 2, TCP_ACK, 0, NULL, 0);
	ck_assert_uint_eq(lab->host[1].sent, 1000);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_10_7_4_no_ack_is_dropped)
{
	begin();
	lab_inject(lab, 1, PORT, server->rcv_nxt, 0, 0, 100, "x", 1);
	lab_inject(lab, 1, PORT, server->rcv_nxt, 0, TCP_FIN, 100, NULL, 0);
	ck_assert_uint_eq(tcp_receivable(server), 0);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9293_3_8_5_urgent_is_data)
{
	begin();
	lab_inject(lab, 1, PORT, server->rcv_nxt, server->snd_nxt, TCP_ACK | TCP_URG, 100, "x", 1);
	ck_assert_uint_eq(tcp_receivable(server), 1);
	lab_end(lab);
}
END_TEST

static void timestamps(uint8_t options[12], uint32_t value, uint32_t echo)
{
	const uint8_t head[] = { 1, 1, 8, 10 };
	be32 fields[] = { be32_of(value), be32_of(echo) };

	memcpy(options, head, 4);
	memcpy(options + 4, fields, 8);
}

static void inject_at(uint32_t value, uint8_t flags)
{
	uint8_t options[12];

	timestamps(options, value, server->timestamp_offset);
	lab_inject_options(lab, 1, PORT, server->rcv_nxt, server->snd_nxt, flags, 100, options,
			   sizeof(options));
}

START_TEST(rfc7323_5_3_paws)
{
	uint32_t recent, sent;

	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	recent = server->timestamp_recent;
	sent = lab->host[1].sent;
	inject_at(recent - 1, TCP_ACK | TCP_FIN);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(lab->host[1].sent, sent + 1);
	inject_at(recent - 1, TCP_RST); /* needs none */
	ck_assert_uint_eq(server->end.state, TCP_CLOSED);
	lab_end(lab);
}
END_TEST

START_TEST(rfc7323_3_2_missing_timestamp_is_dropped)
{
	uint32_t sent;

	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	sent = lab->host[1].sent;
	lab_inject(lab, 1, PORT, server->rcv_nxt, server->snd_nxt, TCP_ACK, 100, "x", 1);
	ck_assert_uint_eq(tcp_receivable(server), 0);
	ck_assert_uint_eq(lab->host[1].sent, sent);
	lab_end(lab);
}
END_TEST

START_TEST(rfc7323_5_5_paws_forgets_after_24_days)
{
	uint32_t recent;

	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	recent = server->timestamp_recent;
	lab->now += 25ull * 86400 * LAB_S;
	inject_at(recent - 1, TCP_ACK | TCP_FIN);
	ck_assert_uint_eq(server->end.state, TCP_CLOSE_WAIT);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5927_4_problems_must_quote_what_is_under_way)
{
	struct tcp_key key = lab_key(0, 4, PORT, 80);
	uint8_t data[20000] = { 0 };
	uint16_t mss;

	begin();
	mss = client->mss;
	lab->host[0].cut_off = true;
	ck_assert_int_gt(tcp_send(client, data, sizeof(data), lab->now), 0);
	tcp_input_problem(&lab->host[0].stack, &key, client->snd_una - 1, TCP_PROBLEM_TOO_BIG, 1000,
			  lab->now);
	tcp_input_problem(&lab->host[0].stack, &key, client->snd_nxt, TCP_PROBLEM_TOO_BIG, 1000,
			  lab->now);
	ck_assert_uint_eq(client->mss, mss);
	lab->host[0].cut_off = false;
	tcp_input_problem(&lab->host[0].stack, &key, client->snd_una, TCP_PROBLEM_TOO_BIG, 1000,
			  lab->now);
	ck_assert_uint_eq(client->mss, 960);
	lab_run(lab, 5 * LAB_S);
	ck_assert_uint_eq(tcp_receivable(server), sizeof(data));
	ck_assert_uint_eq(lab->host[0].stack.stats.timeouts, 0);
	lab_end(lab);
}
END_TEST

/* A soft problem ends nothing, but is why it timed out, unless something has arrived since. */
START_TEST(rfc9293_3_9_2_2_soft_problems)
{
	struct tcp_key key = lab_key(0, 4, PORT, 80);

	begin();
	tcp_set_user_timeout(client, 5000);
	lab->host[0].cut_off = true;
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	ck_assert(tcp_input_problem(&lab->host[0].stack, &key, client->snd_una,
				    _i == 0 ? TCP_PROBLEM_SOFT : TCP_PROBLEM_HARD, 0, lab->now));
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	if (_i == 2) {
		lab_inject(lab, 0, PORT, client->rcv_nxt, client->snd_nxt, TCP_ACK, 100, NULL, 0);
		ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	}
	lab_run(lab, 10 * LAB_S);
	ck_assert_int_eq(tcp_error(client), _i == 2 ? -ETIMEDOUT : -EHOSTUNREACH);
	lab_end(lab);
}
END_TEST

START_TEST(rfc5461_4_1_problems_of_a_syn)
{
	struct tcp_key key = lab_key(0, 4, PORT, 80);

	lab = lab_begin(NULL);
	lab->host[0].cut_off = true;
	client = lab_connect(lab, PORT);
	ck_assert(tcp_input_problem(&lab->host[0].stack, &key, client->snd_una,
				    _i ? TCP_PROBLEM_HARD : TCP_PROBLEM_SOFT, 0, lab->now));
	ck_assert_uint_eq(client->end.state, _i ? TCP_CLOSED : TCP_SYN_SENT);
	lab_run(lab, 400 * LAB_S);
	ck_assert_int_eq(tcp_error(client), -EHOSTUNREACH);
	lab_end(lab);
}
END_TEST

/* Peers that take nothing more keep no memory of what nobody waits for. */
START_TEST(rfc6429_orphans_end_without_progress)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	for (unsigned int i = 0; i < 200; i++) {
		(void)!tcp_send(server, lab, 10000, lab->now);
		lab_run(lab, 5 * LAB_MS);
	}
	lab_run(lab, 10 * LAB_S);
	if (_i == 0) {
		/* A closed window, and every probe is answered. */
		ck_assert_uint_eq(server->snd_wnd, 0);
		lab_run(lab, 1000 * LAB_S);
		ck_assert_int_eq(tcp_error(server), 0);
	} else {
		lab->host[0].cut_off = true;
		while (client->receiving.bytes)
			tcp_consume(client, 1u << 20, lab->now);
	}
	tcp_close(server, lab->now);
	lab_run(lab, 100 * LAB_S);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 1);
	lab_run(lab, 150 * LAB_S);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	ck_assert_uint_eq(lab->host[1].stack.config.memory.used, 0);
	lab->host[0].cut_off = false;
	lab_end(lab);
}
END_TEST

static void little_memory(struct tcp_config *config)
{
	config->memory.limit = 20;
}

/* Sooner where they hold what others need. */
START_TEST(orphans_end_soon_where_memory_is_short)
{
	static const uint8_t data[100000];

	lab = lab_begin(little_memory);
	lab_pair(lab, PORT, &client, &server);
	lab->host[0].cut_off = _i == 0;
	for (unsigned int i = 0; i < 100; i++) {
		(void)!tcp_send(server, data, sizeof(data), lab->now);
		lab_run(lab, 20 * LAB_MS);
	}
	ck_assert(tcp_memory_is_short(&lab->host[1].stack));
	tcp_close(server, lab->now);
	lab_run(lab, 40 * LAB_S);
	ck_assert_uint_eq(lab->host[1].stack.connection_used, 0);
	ck_assert_uint_eq(lab->host[1].stack.config.memory.used, 0);
	lab->host[0].cut_off = false;
	lab_end(lab);
}
END_TEST

static bool loses_data_and_ends(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	return from == 0 || !(segment->bytes || segment->flags & TCP_FIN);
}

/* Nor do they keep a place of somebody who would come in: the longest closed one goes. */
START_TEST(orphans_make_room)
{
	struct tcp_stack *stack;
	uint32_t before;

	lab = lab_begin(NULL);
	stack = &lab->host[1].stack;
	/* Of the first kind the peer has it all, of the second nothing. */
	if (_i)
		lab->filter = loses_data_and_ends;
	for (uint16_t i = 0; i < LAB_CONNECTIONS; i++) {
		lab_pair(lab, (uint16_t)(PORT + i), &client, &server);
		if (_i)
			(void)!tcp_send(server, lab, 1000, lab->now);
		tcp_close(server, lab->now);
		lab_run(lab, 50 * LAB_MS);
		tcp_forget(client, 0, lab->now);
		tcp_abort(client, lab->now);
	}
	ck_assert_uint_eq(stack->connection_used, LAB_CONNECTIONS);
	lab->host[0].cut_off = true;
	before = lab->host[1].sent;
	lab_inject(lab, 1, 5000, 1, 0, TCP_SYN, 1000, NULL, 0);
	ck_assert_uint_eq(stack->connection_used, LAB_CONNECTIONS);
	ck_assert_uint_eq(stack->stats.orphans_evicted, 1);
	ck_assert_uint_eq(stack->stats.no_connection_memory, 0);
	ck_assert_uint_eq(lab->host[1].sent, before + (_i ? 2 : 1));
	ck_assert_uint_eq(lab_last(lab, 1, 0)->flags & (TCP_SYN | TCP_ACK), TCP_SYN | TCP_ACK);
	if (_i)
		ck_assert_uint_ne(lab_last(lab, 1, 1)->flags & TCP_RST, 0);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_10_7_4_acceptable_segments, 0,
			    2 * (int)ARRAY_SIZE(places));
	tcase_add_test(cases, rfc5961_3_2_reset_exactly_at_rcv_nxt);
	tcase_add_test(cases, rfc5961_3_2_reset_in_the_window_is_challenged);
	tcase_add_test(cases, rfc5961_3_2_reset_outside_the_window_is_dropped);
	tcase_add_loop_test(cases, rfc5961_4_2_syn_is_challenged, 0, 4);
	tcase_add_test(cases, rfc5961_4_2_restarted_peer);
	tcase_add_loop_test(cases, rfc5961_5_2_ack_out_of_range_is_challenged, 0, 2);
	tcase_add_test(cases, rfc5961_5_2_old_ack_in_range_carries_data);
	tcase_add_test(cases, rfc5961_7_challenges_are_rationed);
	tcase_add_test(cases, rfc5961_7_the_ration_is_not_the_same);
	tcase_add_test(cases, resets_to_strangers_are_rationed);
	tcase_add_test(cases, rfc9293_3_10_7_4_no_ack_is_dropped);
	tcase_add_test(cases, rfc9293_3_8_5_urgent_is_data);
	tcase_add_test(cases, rfc7323_5_3_paws);
	tcase_add_test(cases, rfc7323_3_2_missing_timestamp_is_dropped);
	tcase_add_test(cases, rfc7323_5_5_paws_forgets_after_24_days);
	tcase_add_loop_test(cases, rfc9293_3_9_2_2_soft_problems, 0, 3);
	tcase_add_loop_test(cases, rfc5461_4_1_problems_of_a_syn, 0, 2);
	tcase_add_test(cases, rfc5927_4_problems_must_quote_what_is_under_way);
	tcase_add_loop_test(cases, rfc6429_orphans_end_without_progress, 0, 2);
	tcase_add_loop_test(cases, orphans_make_room, 0, 2);
	tcase_add_loop_test(cases, orphans_end_soon_where_memory_is_short, 0, 2);
}

int main(void)
{
	return unit_main("net/tcp_core_attack", add_cases);
}
