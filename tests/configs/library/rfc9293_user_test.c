/* SPDX-License-Identifier: ISC */
/* RFC 9293, 3.9.1 and 3.10.1 to 3.10.6: what users call, in every state; and the library's own
 * promises. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/configs/library/rw_script.h"

static struct script *begin_established(int i)
{
	struct script *s = script_begin(version_of(i));

	script_passive(s, "mss 1000");
	return s;
}

static int family_of(const struct script *s)
{
	return s->version == 6 ? AF_INET6 : AF_INET;
}

START_TEST(rfc9293_3_10_2_send_without_a_connection)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
	script_send_error(s, ENOTCONN);
	script_receive_error(s, ENOTCONN);
	ck_assert_int_eq(rw_shutdown(s->stack, s->flow->fd, SHUT_WR), -ENOTCONN);
	script_listen(s, 1);
	ck_assert_int_eq(rw_write(s->stack, s->listener, "x", 1), -ENOTCONN);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_2_send_before_it_is_established)
{
	struct script *s = script_begin(version_of(_i));

	script_connect(s);
	expect(s, "SEW 0:0(0)");
	ck_assert_int_lt(script_send_some(s, 10), 0);
	ck_assert_int_lt(rw_read(s->stack, s->flow->fd, &(uint8_t){ 0 }, 1), 0);
	peer_sends(s, "S. 0:0(0) ack 1");
	expect(s, ". 1:1(0) ack 1");
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_2_a_full_buffer_takes_what_fits)
{
	struct script *s = script_begin_with(
		&(struct script_how){ .version = version_of(_i), .buffer_bytes = 64 << 10 });
	ssize_t took;

	s->flow->peer_window = 10000;
	script_passive(s, "mss 1000");
	took = script_send_some(s, 200000);
	ck_assert_int_ge(took, 60000);
	ck_assert_int_le(took, 70000);
	ck_assert_int_eq(script_send_some(s, 1000), -EAGAIN);
	ck_assert_int_eq(script_poll(s), 0);
	ck_assert_uint_eq(script_skip(s, NULL), 10);
	peer_sends(s, ". 1:1(0) ack 10001 win 65535");
	while (script_skip(s, NULL))
		peer_sends(s, ". 1:1(0) ack %u win 65535", 10001 + script_info(s).unacknowledged);
	after_ms(s, 100);
	ck_assert_int_eq(script_poll(s), POLLOUT);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_2_nothing_may_be_sent)
{
	struct script *s = begin_established(_i);

	ck_assert_int_eq(rw_write(s->stack, s->flow->fd, "", 0), 0);
	expect_nothing_for_ms(s, 500);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_3_receive_takes_part_of_what_is_there)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:101(100) ack 1");
	for (unsigned int i = 0; i < 100; i++)
		script_receive(s, 1);
	script_receive_nothing(s);
	after_ms(s, 100);
	expect(s, ". 1:1(0) ack 101");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_3_what_came_before_the_end_can_be_read)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "PF. 1:101(100) ack 1");
	expect(s, ". 1:1(0) ack 102");
	script_shutdown(s);
	expect(s, "F. 1:1(0) ack 102");
	peer_sends(s, ". 102:102(0) ack 2");
	expect_state(s, STATE_CLOSED);
	script_receive(s, 100);
	script_receive_end(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_6_the_state_is_told)
{
	struct script *s = script_begin(version_of(_i));
	struct rw_tcp_info info;

	s->flow->peer_window = 5000;
	script_passive(s, "mss 1000");
	after_ms(s, 30);
	script_send(s, 7000);
	ck_assert_uint_eq(script_skip(s, NULL), 5);
	info = script_info(s);
	ck_assert_uint_eq(info.state, STATE_ESTABLISHED);
	ck_assert_uint_eq(info.mss, 1000);
	ck_assert_uint_eq(info.send_window, 5000);
	ck_assert_uint_eq(info.unacknowledged, 5000);
	ck_assert_uint_eq(info.unsent, 2000);
	ck_assert_uint_ge(info.congestion_window, 10000);
	ck_assert_uint_eq(info.retransmissions, 0);
	after_ms(s, 40);
	peer_sends(s, ". 1:1(0) ack 5001");
	ck_assert_uint_ge(script_info(s).rtt_us, 1);
	(void)script_skip(s, NULL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_1_6_names_of_both_ends)
{
	struct script *s = begin_established(_i);
	struct sockaddr_storage wanted, got;
	socklen_t bytes = sizeof(got), size;

	size = script_peer_address(s, SCRIPT_PEER_PORT, &wanted);
	ck_assert_int_eq(rw_getpeername(s->stack, s->flow->fd, (struct sockaddr *)&got, &bytes), 0);
	ck_assert_uint_eq(bytes, size);
	ck_assert_mem_eq(&got, &wanted, size);
	script_own_address(s, SCRIPT_PORT, &wanted);
	bytes = sizeof(got);
	ck_assert_int_eq(rw_getsockname(s->stack, s->flow->fd, (struct sockaddr *)&got, &bytes), 0);
	ck_assert_mem_eq(&got, &wanted, size);
	ck_assert_int_eq(rw_getpeername(s->stack, s->listener, (struct sockaddr *)&got, &bytes),
			 -ENOTCONN);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_calls_on_what_is_not_there)
{
	struct script *s = script_begin(version_of(_i));
	struct pollfd fds[2] = { { 7, POLLIN, 0 }, { -1, POLLIN, 5 } };
	uint8_t byte;

	ck_assert_int_eq(rw_close(s->stack, 7), -EBADF);
	ck_assert_int_eq(rw_close(s->stack, -1), -EBADF);
	ck_assert_int_eq(rw_close(s->stack, 1 << 30), -EBADF);
	ck_assert_int_eq(rw_read(s->stack, 7, &byte, 1), -EBADF);
	ck_assert_int_eq(rw_write(s->stack, 7, &byte, 1), -EBADF);
	ck_assert_int_eq(rw_listen(s->stack, 7, 1), -EBADF);
	ck_assert_int_eq(rw_accept(s->stack, 7, NULL, NULL), -EBADF);
	ck_assert_int_eq(rw_poll(s->stack, fds, 2), 1);
	ck_assert_int_eq(fds[0].revents, POLLNVAL);
	ck_assert_int_eq(fds[1].revents, 0);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_calls_of_the_wrong_kind)
{
	struct script *s = begin_established(_i);
	struct sockaddr_storage own, other = { .ss_family = _i ? AF_INET : AF_INET6 };
	socklen_t bytes = script_own_address(s, 99, &own);
	int fd;

	ck_assert_int_eq(rw_listen(s->stack, s->flow->fd, 1), -EINVAL);
	ck_assert_int_eq(rw_accept(s->stack, s->flow->fd, NULL, NULL), -EINVAL);
	ck_assert_int_eq(rw_bind(s->stack, s->flow->fd, (struct sockaddr *)&own, bytes), -EINVAL);
	ck_assert_int_eq(rw_connect(s->stack, s->flow->fd, (struct sockaddr *)&own, bytes),
			 -EISCONN);
	ck_assert_int_eq(rw_connect(s->stack, s->listener, (struct sockaddr *)&own, bytes),
			 -EOPNOTSUPP);
	ck_assert_int_eq(rw_socket(s->stack, AF_UNIX, SOCK_STREAM), -EAFNOSUPPORT);
	ck_assert_int_eq(rw_socket(s->stack, AF_INET, SOCK_RAW), -EPROTONOSUPPORT);
	fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&other, sizeof(other)),
			 -EAFNOSUPPORT);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&own, 3), -EINVAL);
	script_peer_address(s, 99, &own);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&own, bytes), -EADDRNOTAVAIL);
	script_peer_address(s, 0, &own);
	ck_assert_int_eq(rw_connect(s->stack, fd, (struct sockaddr *)&own, bytes), -EADDRNOTAVAIL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_numbers_are_used_again)
{
	struct script *s = script_begin(version_of(_i));
	int fds[4];

	for (int i = 0; i < 4; i++) {
		fds[i] = rw_socket(s->stack, family_of(s), SOCK_STREAM);
		ck_assert_int_eq(fds[i], i);
	}
	ck_assert_int_eq(rw_close(s->stack, 2), 0);
	ck_assert_int_eq(rw_close(s->stack, 1), 0);
	ck_assert_int_eq(rw_socket(s->stack, family_of(s), SOCK_DGRAM), 1);
	ck_assert_int_eq(rw_socket(s->stack, family_of(s), SOCK_STREAM), 2);
	ck_assert_int_eq(rw_socket(s->stack, family_of(s), SOCK_STREAM), 4);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_sockets_are_bounded)
{
	struct script *s =
		script_begin_with(&(struct script_how){ .version = version_of(_i), .sockets = 4 });
	int fd = 0, made = 0;

	while (fd >= 0) {
		fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
		made += fd >= 0;
	}
	ck_assert_int_eq(fd, -EMFILE);
	ck_assert_int_ge(made, 4);
	ck_assert_int_le(made, 12);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_connections_are_bounded)
{
	struct script *s =
		script_begin_with(&(struct script_how){ .version = version_of(_i), .sockets = 4 });
	struct sockaddr_storage peer;
	socklen_t bytes = script_peer_address(s, SCRIPT_PEER_PORT, &peer);
	int fd;

	for (unsigned int i = 0; i < 4; i++) {
		script_choose(s, i);
		script_connect(s);
		expect(s, "SEW 0:0(0)");
	}
	fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
	ck_assert_int_eq(rw_connect(s->stack, fd, (struct sockaddr *)&peer, bytes), -ENOBUFS);
	script_abort(s);
	script_again(s, 5);
	s->flow->fd = fd;
	script_connect(s);
	expect(s, "SEW 0:0(0)");
	script_end(s);
}
END_TEST

/* MUST-46 */
START_TEST(rfc9293_3_9_2_3_nothing_is_opened_to_many)
{
	static const char *const many[2][4] = {
		{ "224.0.0.1", "255.255.255.255", "239.1.2.3", "127.0.0.1" },
		{ "ff02::1", "ff0e::1:2", "::1", "ff05::2" },
	};
	struct script *s = script_begin(version_of(_i));

	for (unsigned int i = 0; i < 4; i++) {
		struct sockaddr_storage peer;
		socklen_t bytes = script_peer_address(s, 80, &peer);
		int fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);

		ck_assert_int_eq(inet_pton(family_of(s), many[_i][i],
					   _i ? (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
					      : (void *)&((struct sockaddr_in *)&peer)->sin_addr),
				 1);
		ck_assert_int_eq(rw_connect(s->stack, fd, (struct sockaddr *)&peer, bytes),
				 -ENETUNREACH);
	}
	expect_nothing_for_ms(s, 2000);
	script_end(s);
}
END_TEST

/* 3.9.1.1, MUST-41 and MUST-42: a listener beside connections at the same port */
START_TEST(rfc9293_3_9_1_1_a_listener_leaves_connections_alone)
{
	struct script *s = begin_established(_i);

	ck_assert_int_eq(rw_close(s->stack, s->listener), 0);
	script_listen(s, 1);
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_choose(s, 1);
	script_passive(s, "");
	script_choose(s, 0);
	peer_sends(s, ". 1:1(0) ack 11");
	ck_assert_uint_eq(script_info(s).unacknowledged, 0);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_options_before_there_is_a_connection)
{
	struct script *s = script_begin(version_of(_i));
	int value = 0;
	socklen_t bytes = sizeof(value);

	s->flow->fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
	script_set(s, IPPROTO_TCP, TCP_NODELAY, 5);
	ck_assert_int_eq(
		rw_getsockopt(s->stack, s->flow->fd, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
	ck_assert_int_eq(value, 1);
	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S. 0:0(0) ack 1 <mss 1000>");
	expect(s, ". 1:1(0) ack 1");
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	expect(s, "P. 11:21(10) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_options_of_a_listener_are_inherited)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 4);
	script_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	script_passive(s, "mss 1000");
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 1");
	script_send(s, 10);
	expect(s, "P. 11:21(10) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_the_application_may_ask_for_smaller_segments)
{
	struct script *s = script_begin(version_of(_i));

	script_listen(s, 4);
	script_set(s, IPPROTO_TCP, TCP_MAXSEG, 700);
	peer_sends(s, "S 0:0(0) <mss 1460>");
	expect(s, "S. 0:0(0) ack 1 <mss 700>");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	script_send(s, 1400);
	expect(s, ". 1:701(700) ack 1");
	expect(s, "P. 701:1401(700) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_7_1_also_where_we_connect)
{
	struct script *s = script_begin(version_of(_i));

	s->flow->fd = rw_socket(s->stack, family_of(s), SOCK_STREAM);
	script_set(s, IPPROTO_TCP, TCP_MAXSEG, 700);
	script_connect(s);
	expect(s, "SEW 0:0(0) <mss 700,sackOK,TS val 0 ecr 0,wscale *>");
	peer_sends(s, "S. 0:0(0) ack 1 <mss 1460>");
	expect(s, ". 1:1(0) ack 1");
	script_send(s, 1400);
	expect(s, ". 1:701(700) ack 1");
	expect(s, "P. 701:1401(700) ack 1");
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_10_1_options_that_are_none)
{
	struct script *s = begin_established(_i);
	int fd = s->flow->fd, value = 1;
	socklen_t bytes = sizeof(value);

	ck_assert_int_eq(rw_setsockopt(s->stack, fd, 4711, 1, &value, bytes), -ENOPROTOOPT);
	ck_assert_int_eq(rw_setsockopt(s->stack, fd, SOL_SOCKET, SO_ERROR, &value, bytes),
			 -ENOPROTOOPT);
	ck_assert_int_eq(rw_setsockopt(s->stack, fd, IPPROTO_TCP, TCP_NODELAY, &value, 1), -EINVAL);
	ck_assert_int_eq(rw_setsockopt(s->stack, fd, IPPROTO_TCP, TCP_NODELAY, NULL, bytes),
			 -EINVAL);
	value = -5;
	ck_assert_int_eq(rw_setsockopt(s->stack, fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, bytes),
			 -EINVAL);
	bytes = 1;
	ck_assert_int_eq(rw_getsockopt(s->stack, fd, SOL_SOCKET, SO_ERROR, &value, &bytes),
			 -EINVAL);
	ck_assert_int_eq(rw_shutdown(s->stack, fd, 77), -EINVAL);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_1_reading_may_be_given_up)
{
	struct script *s = begin_established(_i);

	peer_sends(s, "P. 1:101(100) ack 1");
	ck_assert_int_eq(rw_shutdown(s->stack, s->flow->fd, SHUT_RD), 0);
	script_receive_end(s);
	script_send(s, 10);
	expect(s, "P. 1:11(10) ack 101");
	script_end(s);
}
END_TEST

/* The library's own: packets that are not for it, and none that nobody fetches without end. */
START_TEST(rfc9293_3_9_2_packets_for_others_are_not_taken)
{
	struct script *s = script_begin(version_of(_i));
	uint8_t packet[100] = { 0 };
	size_t bytes;

	ck_assert_int_eq(rw_packet_in(s->stack, packet, 0), -EINVAL);
	ck_assert_int_eq(rw_packet_in(s->stack, packet, sizeof(packet)), -EINVAL);
	bytes = script_packet(s, packet, "S 0:0(0)");
	packet[_i ? 39 : 19] ^= 4;
	script_fix(s, packet, bytes);
	ck_assert_int_eq(rw_packet_in(s->stack, packet, bytes), -EINVAL);
	bytes = script_packet(s, packet, "S 0:0(0)");
	ck_assert_int_eq(rw_packet_in(s->stack, packet, bytes - 5), -EINVAL);
	packet[0] = 0x55;
	ck_assert_int_eq(rw_packet_in(s->stack, packet, bytes), -EINVAL);
	after_ms(s, 1);
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_2_what_nobody_fetches_is_lost_in_the_end)
{
	struct rw_config config = { .seed = 1, .queue_packets = 3 };
	struct script *s = script_begin(4);
	struct rw_stack *stack;
	struct sockaddr_storage peer;
	socklen_t bytes = script_peer_address(s, 80, &peer);
	uint8_t packet[1500];

	script_own_address(s, 0, &config.address4);
	stack = rw_new(&config);
	ck_assert_ptr_nonnull(stack);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(rw_connect(stack, rw_socket(stack, AF_INET, SOCK_STREAM),
					    (struct sockaddr *)&peer, bytes),
				 -EINPROGRESS);
	ck_assert_int_eq(rw_packet_out(stack, packet, 20), -EMSGSIZE);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(rw_packet_out(stack, packet, sizeof(packet)), 60);
	ck_assert_int_eq(rw_packet_out(stack, packet, sizeof(packet)), 0);
	ck_assert_uint_le(rw_next(stack), 1100000000ull);
	ck_assert_int_eq(rw_socket(stack, AF_INET6, SOCK_STREAM), 10);
	ck_assert_int_eq(rw_listen(stack, 10, 1), -EADDRNOTAVAIL);
	rw_free(stack);
	script_end(s);
}
END_TEST

START_TEST(rfc9293_3_9_2_a_configuration_that_is_none)
{
	struct rw_config config = { .seed = 1, .mtu = 1000 };

	config.address6.ss_family = AF_INET6;
	ck_assert_ptr_null(rw_new(&config));
	config = (struct rw_config){ 0 };
	config.address4.ss_family = AF_UNIX;
	ck_assert_ptr_null(rw_new(&config));
	rw_free(NULL);
}
END_TEST

/* Both versions beside each other, at the same port. */
START_TEST(rfc9293_3_9_2_both_versions_in_one_stack)
{
	struct script *four = script_begin(4), *six = script_begin(6);
	struct rw_config config = { .seed = 1 };
	struct sockaddr_storage own;
	struct rw_stack *stack;
	uint8_t packet[1500];
	size_t bytes;

	script_own_address(four, 0, &config.address4);
	script_own_address(six, 0, &config.address6);
	stack = rw_new(&config);
	ck_assert_ptr_nonnull(stack);
	for (int i = 0; i < 2; i++) {
		struct script *s = i ? six : four;

		bytes = script_own_address(s, SCRIPT_PORT, &own);
		ck_assert_int_eq(rw_socket(stack, own.ss_family, SOCK_STREAM), i);
		ck_assert_int_eq(rw_bind(stack, i, (struct sockaddr *)&own, (socklen_t)bytes), 0);
		ck_assert_int_eq(rw_listen(stack, i, 2), 0);
		s->flow->our_port = SCRIPT_PORT;
		bytes = script_packet(s, packet, "S 0:0(0)");
		ck_assert_int_eq(rw_packet_in(stack, packet, bytes), 0);
		ck_assert_int_eq(rw_packet_out(stack, packet, sizeof(packet)), i ? 64 : 44);
	}
	rw_free(stack);
	script_end(four);
	script_end(six);
}
END_TEST

START_TEST(rfc9293_3_4_1_the_same_seed_does_the_same_again)
{
	uint8_t packets[2][20][1500];
	static const uint8_t data[6000];
	int bytes[2][20];

	for (unsigned int run = 0; run < 2; run++) {
		struct script *s = script_begin(4);
		unsigned int i;

		script_passive(s, SCRIPT_FULL);
		ck_assert_int_eq(rw_write(s->stack, s->flow->fd, data, 6000), 6000);
		for (i = 0; i < 20; i++) {
			bytes[run][i] = rw_packet_out(s->stack, packets[run][i], 1500);
			if (bytes[run][i] <= 0)
				break;
		}
		ck_assert_uint_ge(i, 4);
		for (; i < 20; i++)
			bytes[run][i] = 0;
		script_end(s);
	}
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert_int_eq(bytes[0][i], bytes[1][i]);
		ck_assert_mem_eq(packets[0][i], packets[1][i], (size_t)bytes[0][i]);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc9293_3_10_2_send_without_a_connection, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_2_send_before_it_is_established, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_2_a_full_buffer_takes_what_fits, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_2_nothing_may_be_sent, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_3_receive_takes_part_of_what_is_there, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_3_what_came_before_the_end_can_be_read, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_6_the_state_is_told, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_6_names_of_both_ends, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_calls_on_what_is_not_there, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_calls_of_the_wrong_kind, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_numbers_are_used_again, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_sockets_are_bounded, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_connections_are_bounded, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_2_3_nothing_is_opened_to_many, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_1_a_listener_leaves_connections_alone, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_options_before_there_is_a_connection, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_options_of_a_listener_are_inherited, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_7_1_the_application_may_ask_for_smaller_segments, 0,
			    2);
	tcase_add_loop_test(cases, rfc9293_3_7_1_also_where_we_connect, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_10_1_options_that_are_none, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_1_reading_may_be_given_up, 0, 2);
	tcase_add_loop_test(cases, rfc9293_3_9_2_packets_for_others_are_not_taken, 0, 2);
	tcase_add_test(cases, rfc9293_3_9_2_what_nobody_fetches_is_lost_in_the_end);
	tcase_add_test(cases, rfc9293_3_9_2_a_configuration_that_is_none);
	tcase_add_test(cases, rfc9293_3_9_2_both_versions_in_one_stack);
	tcase_add_test(cases, rfc9293_3_4_1_the_same_seed_does_the_same_again);
}

int main(void)
{
	return unit_main("configs/library/rfc9293_user", add_cases);
}
