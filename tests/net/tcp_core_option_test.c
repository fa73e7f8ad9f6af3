/* SPDX-License-Identifier: ISC */
/* What an application may set of a connection or a listener, and what it is told. */
#include <errno.h>
#include <string.h>

#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000

static struct lab *lab;
static struct tcp_connection *client, *server;
static uint8_t bytes[1 << 20];

static void begin(const struct tcp_options_set *ours, const struct tcp_options_set *listeners)
{
	struct tcp_key key = lab_key(0, 4, PORT, 80);
	int error;

	lab = lab_begin(NULL);
	lab_listen(lab, 8, false);
	if (listeners)
		lab->host[1].listener.options = *listeners;
	client = tcp_connect_with(&lab->host[0].stack, &key, ours, NULL, NULL, lab->now, &error);
	ck_assert_ptr_nonnull(client);
	lab_run(lab, 60 * LAB_MS);
	server = tcp_accept(&lab->host[1].listener, NULL);
	ck_assert_ptr_nonnull(server);
}

START_TEST(keepalive_of_a_connection)
{
	const struct tcp_options_set set = {
		.keepalive = true,
		.keepalive_idle_s = 10,
		.keepalive_interval_s = 3,
		.keepalive_count = 2,
	};
	uint32_t sent;

	begin(&set, NULL);
	lab->host[0].cut_off = true;
	sent = lab->host[0].sent;
	lab_run(lab, 9 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1);
	lab_run(lab, 3 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent + 2);
	lab_run(lab, 3 * LAB_S);
	ck_assert_int_eq(tcp_error(client), -ETIMEDOUT);
	lab_end(lab);
}
END_TEST

START_TEST(keepalive_set_later)
{
	uint32_t sent;

	begin(NULL, NULL);
	lab->host[0].cut_off = true;
	lab_run(lab, 100 * LAB_S);
	sent = lab->host[0].sent;
	tcp_set_keepalive(client, true, lab->now);
	tcp_set_keepalive_idle(client, 5, lab->now);
	tcp_set_keepalive_interval(client, 2, lab->now);
	tcp_set_keepalive_count(client, 1);
	lab_run(lab, 6 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent + 1);
	lab_run(lab, 2 * LAB_S);
	ck_assert_int_eq(tcp_error(client), -ETIMEDOUT);
	lab_end(lab);
}
END_TEST

/* The longest silence that can be set, and the clock's 49 days go by. */
START_TEST(keepalive_for_months)
{
	uint32_t sent;

	begin(NULL, NULL);
	lab_run(lab, 60 * 86400 * LAB_S);
	sent = lab->host[0].sent;
	tcp_set_keepalive_idle(client, UINT16_MAX, lab->now);
	tcp_set_keepalive(client, true, lab->now);
	lab_run(lab, 65530 * LAB_S);
	ck_assert_uint_eq(lab->host[0].sent, sent);
	lab_run(lab, 100 * 86400 * LAB_S);
	ck_assert_uint_ge(lab->host[0].sent, sent + 131);
	ck_assert_uint_le(lab->host[0].sent, sent + 132);
	ck_assert_uint_eq(client->end.state, TCP_ESTABLISHED);
	ck_assert_int_eq(tcp_send(client, "x", 1, lab->now), 1);
	lab_run(lab, LAB_S);
	ck_assert_uint_eq(tcp_receivable(server), 1);
	lab_end(lab);
}
END_TEST

START_TEST(user_timeout_of_a_listener)
{
	const struct tcp_options_set set = { .user_timeout_ms = 1500, .no_delay = true };

	begin(NULL, &set);
	ck_assert(server->flags & TCP_FLAG_NO_DELAY);
	lab->host[1].cut_off = true;
	ck_assert_int_eq(tcp_send(server, "x", 1, lab->now), 1);
	lab_run(lab, 1400 * LAB_MS);
	ck_assert_uint_eq(server->end.state, TCP_ESTABLISHED);
	lab_run(lab, 200 * LAB_MS);
	ck_assert_int_eq(tcp_error(server), -ETIMEDOUT);
	lab_end(lab);
}
END_TEST

START_TEST(segment_size_both_ways)
{
	const struct tcp_options_set small = { .mss = 700 }, smaller = { .mss = 600 };

	begin(&small, &smaller);
	ck_assert_uint_eq(client->mss, 600 - 12);
	ck_assert_uint_eq(server->mss, 600 - 12);
	ck_assert_int_eq(tcp_send(server, bytes, 5000, lab->now), 5000);
	lab_run(lab, LAB_MS);
	ck_assert_uint_eq(lab_last(lab, 1, 1)->bytes, 588);
	tcp_set_mss(server, 300);
	tcp_set_mss(server, 400); /* never raised */
	lab_run(lab, LAB_S);
	ck_assert_int_eq(tcp_send(server, bytes, 5000, lab->now), 5000);
	lab_run(lab, LAB_MS);
	ck_assert_uint_eq(lab_last(lab, 1, 1)->bytes, 288);
	tcp_set_mss(server, 1);
	ck_assert_uint_eq(server->mss, TCP_MSS_MIN - 12);
	lab_end(lab);
}
END_TEST

static uint16_t mtu_to(void *context, const struct tcp_key *key, void *route)
{
	(void)context;
	(void)route;
	return be16_get(key->peer_port) == PORT || be16_get(key->own_port) == PORT ? 1400 : 0;
}

static void asks_for_mtu(struct tcp_config *config)
{
	config->mtu_to = mtu_to;
}

START_TEST(segment_size_of_the_link)
{
	lab = lab_begin(asks_for_mtu);
	lab_pair(lab, PORT, &client, &server);
	ck_assert_uint_eq(client->mss, 1400 - 52);
	ck_assert_uint_eq(server->mss, 1400 - 52);
	lab_pair(lab, PORT + 1, &client, &server);
	ck_assert_uint_eq(client->mss, 1500 - 52);
	lab_end(lab);
}
END_TEST

START_TEST(send_buffer_has_a_limit)
{
	const struct tcp_options_set set = { .send_bytes = 10000 };

	begin(&set, NULL);
	lab->host[0].cut_off = true;
	ck_assert_int_eq(tcp_send(client, bytes, 50000, lab->now), 10000);
	tcp_set_send_bytes(client, 4000);
	ck_assert_uint_eq(tcp_send_room(client), 0);
	tcp_set_send_bytes(client, 0);
	ck_assert_uint_gt(tcp_send_room(client), 20000);
	lab_end(lab);
}
END_TEST

START_TEST(receive_buffer_has_a_limit)
{
	const struct tcp_options_set set = { .receive_bytes = 20000 };
	struct tcp_info info;

	begin(NULL, &set);
	ck_assert_uint_eq(server->window.scale, 0);
	ck_assert_int_gt(tcp_send(client, bytes, 60000, lab->now), 0);
	lab_run(lab, LAB_S);
	ck_assert_uint_le(tcp_receivable(server), 20000);
	ck_assert_uint_gt(tcp_receivable(server), 17000);
	tcp_get_info(server, &info);
	ck_assert_uint_eq(info.receive_most, 20000);
	lab_end(lab);
}
END_TEST

/* A window that was offered stays; beyond it nothing is. */
START_TEST(receive_buffer_made_smaller)
{
	uint32_t right;

	begin(NULL, NULL);
	right = tcp_window_right(&server->window);
	tcp_set_receive_bytes(server, 5000);
	ck_assert_uint_eq(tcp_window_right(&server->window), right);
	ck_assert_int_gt(tcp_send(client, bytes, 65000, lab->now), 0);
	lab_run(lab, LAB_S);
	ck_assert_uint_ge(tcp_receivable(server), 63000);
	ck_assert_uint_eq(lab->host[1].stack.stats.out_of_window, 0);
	while (tcp_receive(server, bytes, sizeof(bytes), lab->now) > 0)
		lab_run(lab, 100 * LAB_MS);
	tcp_set_receive_bytes(server, 5000);
	ck_assert_uint_eq(server->window.max, 5000);
	ck_assert_uint_le(server->window.limit, 65535);
	lab_end(lab);
}
END_TEST

static uint64_t time_for(uint32_t total)
{
	uint64_t from = lab->now;
	uint32_t sent = 0, got = 0;

	while (got < total) {
		int did = tcp_send(client, bytes, total - sent, lab->now);

		ck_assert_int_ge(did, 0);
		sent += (uint32_t)did;
		lab_run(lab, LAB_MS);
		did = tcp_receive(server, bytes, sizeof(bytes), lab->now);
		got += did > 0 ? (uint32_t)did : 0;
		ck_assert_uint_lt(lab->now - from, 100 * LAB_S);
	}
	return lab->now - from;
}

START_TEST(pacing_has_a_limit)
{
	uint64_t took;

	begin(NULL, NULL);
	tcp_set_pacing(client, 100000);
	took = time_for(500000);
	ck_assert_uint_ge(took, 4800 * LAB_MS);
	ck_assert_uint_le(took, 5500 * LAB_MS);
	tcp_set_pacing(client, 0);
	ck_assert_uint_le(time_for(500000), LAB_S);
	lab_end(lab);
}
END_TEST

START_TEST(send_buffer_grows_with_the_window)
{
	struct tcp_info info;

	begin(NULL, NULL);
	tcp_get_info(client, &info);
	ck_assert_uint_eq(info.send_most, TCP_BUFFER_FIRST);
	time_for(3000000);
	tcp_get_info(client, &info);
	ck_assert_uint_ge(info.send_most, 200000);
	ck_assert_uint_le(info.send_most, 1 << 20);
	lab_end(lab);
}
END_TEST

static void little_memory(struct tcp_config *config)
{
	config->memory.limit = 64;
}

/* Of little memory one takes no more than leaves some for others. */
START_TEST(send_buffer_leaves_some_memory)
{
	struct tcp_info info;

	lab = lab_begin(little_memory);
	lab_pair(lab, PORT, &client, &server);
	time_for(2000000);
	tcp_get_info(client, &info);
	ck_assert_uint_ge(info.send_most, TCP_BUFFER_FIRST);
	ck_assert_uint_le(info.send_most, 64 * TCP_BLOCK_BYTES / 2);
	lab_end(lab);
}
END_TEST

/* And gives back what it may have, when memory becomes short. */
START_TEST(send_buffer_shrinks_when_memory_is_short)
{
	struct tcp_info before, info;
	struct tcp_memory *memory;

	begin(NULL, NULL);
	memory = &lab->host[0].stack.config.memory;
	time_for(3000000);
	tcp_get_info(client, &before);
	memory->limit = memory->used + 20;
	time_for(100000);
	tcp_get_info(client, &info);
	ck_assert_uint_ge(info.send_most, TCP_BUFFER_FIRST);
	/* What there is in all, and much less than what there was. */
	ck_assert_uint_le(info.send_most, memory->limit * TCP_BLOCK_BYTES);
	ck_assert_uint_le(info.send_most, before.send_most * 3 / 4);
	lab_end(lab);
}
END_TEST

START_TEST(what_is_told)
{
	struct tcp_info info;

	begin(NULL, NULL);
	tcp_get_info(client, &info);
	ck_assert_uint_eq(info.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(info.congestion_window, 0);
	ck_assert_uint_eq(info.mss, 1448);
	ck_assert_uint_eq(info.path_mtu, 1500);
	ck_assert_uint_eq(info.rtt_us, 20000);
	ck_assert_uint_eq(info.send_window, 65535);
	lab->host[0].cut_off = true;
	ck_assert_int_eq(tcp_send(client, bytes, 30000, lab->now), 30000);
	lab_run(lab, 15 * LAB_MS);
	tcp_get_info(client, &info);
	ck_assert_uint_eq(info.unacknowledged, 10 * 1448);
	ck_assert_uint_eq(info.unsent, 30000 - 10 * 1448);
	ck_assert_uint_eq(info.congestion_window, 10 * 1448);
	ck_assert_uint_eq(info.slow_start_threshold, UINT32_MAX);
	ck_assert_uint_eq(info.retransmissions, 0);
	lab->host[0].cut_off = false;
	lab_run(lab, 5 * LAB_S);
	tcp_get_info(client, &info);
	ck_assert_uint_ge(info.retransmissions, 10);
	ck_assert_uint_eq(info.unacknowledged, 0);
	tcp_get_info(server, &info);
	ck_assert_uint_eq(tcp_receivable(server), 30000);
	ck_assert_uint_le(info.receive_window, 65535);
	tcp_shutdown(client, lab->now);
	tcp_shutdown(server, lab->now);
	lab_run(lab, LAB_S);
	tcp_get_info(client, &info);
	ck_assert_uint_eq(info.state, TCP_CLOSED);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, keepalive_of_a_connection);
	tcase_add_test(cases, keepalive_set_later);
	tcase_add_test(cases, keepalive_for_months);
	tcase_add_test(cases, user_timeout_of_a_listener);
	tcase_add_test(cases, segment_size_both_ways);
	tcase_add_test(cases, segment_size_of_the_link);
	tcase_add_test(cases, send_buffer_has_a_limit);
	tcase_add_test(cases, receive_buffer_has_a_limit);
	tcase_add_test(cases, receive_buffer_made_smaller);
	tcase_add_test(cases, pacing_has_a_limit);
	tcase_add_test(cases, send_buffer_grows_with_the_window);
	tcase_add_test(cases, send_buffer_leaves_some_memory);
	tcase_add_test(cases, send_buffer_shrinks_when_memory_is_short);
	tcase_add_test(cases, what_is_told);
}

int main(void)
{
	return unit_main("net/tcp_core_option", add_cases);
}
