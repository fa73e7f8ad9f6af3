/* SPDX-License-Identifier: ISC */
/* RFC 768 and RFC 1122, 4.1: UDP. */
#include <string.h>

#include "tests/configs/library/rw_script.h"

static void send_to(struct script *s, uint16_t port, uint32_t bytes, ssize_t wanted)
{
	struct sockaddr_storage peer;
	socklen_t size = script_peer_address(s, port, &peer);
	uint8_t *data = malloc(bytes + 1);

	ck_assert_ptr_nonnull(data);
	for (uint32_t i = 0; i < bytes; i++)
		data[i] = script_pattern(i);
	ck_assert_int_eq(
		rw_sendto(s->stack, s->flow->fd, data, bytes, (struct sockaddr *)&peer, size),
		wanted);
	free(data);
	after_ms(s, 0);
}

/* The next datagram has so many bytes and is from this port. */
static void receive_from(struct script *s, uint16_t port, uint32_t bytes)
{
	struct sockaddr_storage from, wanted;
	socklen_t size = sizeof(from), wanted_size = script_peer_address(s, port, &wanted);
	uint8_t data[2000];

	ck_assert_int_eq(rw_recvfrom(s->stack, s->flow->fd, data, sizeof(data),
				     (struct sockaddr *)&from, &size),
			 bytes);
	ck_assert_uint_eq(size, wanted_size);
	ck_assert_mem_eq(&from, &wanted, size);
	for (uint32_t i = 0; i < bytes; i++)
		ck_assert_uint_eq(data[i], script_pattern(i));
}

static ssize_t receive(struct script *s)
{
	uint8_t data[2000];

	return rw_read(s->stack, s->flow->fd, data, sizeof(data));
}

static void connect_to(struct script *s, uint16_t port)
{
	struct sockaddr_storage peer;
	socklen_t size = script_peer_address(s, port, &peer);

	ck_assert_int_eq(rw_connect(s->stack, s->flow->fd, (struct sockaddr *)&peer, size), 0);
}

START_TEST(rfc768_a_datagram_goes_and_one_comes)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	send_to(s, 4000, 100, 100);
	expect(s, "udp 53>4000 (100)");
	ck_assert_int_eq(script_poll(s), POLLOUT);
	peer_datagram(s, 4000, 53, 200);
	ck_assert_int_eq(script_poll(s), POLLIN | POLLOUT);
	receive_from(s, 4000, 200);
	ck_assert_int_eq(receive(s), -EAGAIN);
	script_end(s);
}
END_TEST

START_TEST(rfc768_sizes_from_nothing_to_all_that_fits)
{
	static const uint32_t sizes[] = { 0, 1, 2, 3, 511, 1000 };
	struct script *s = script_begin(version_of(_i));
	uint32_t most = 1500 - (_i ? 40 : 20) - 8;

	script_open_udp(s, 53);
	for (unsigned int i = 0; i < 7; i++) {
		uint32_t bytes = i < 6 ? sizes[i] : most;

		send_to(s, 4000, bytes, bytes);
		expect(s, "udp 53>4000 (%u)", bytes);
		peer_datagram(s, 4000, 53, bytes);
		receive_from(s, 4000, bytes);
	}
	send_to(s, 4000, most + 1, -EMSGSIZE);
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_1_3_1_nobody_at_a_port_is_said_so)
{
	struct script *s = script_begin(version_of(_i));
	unsigned int headers = (_i ? 40 : 20) + 8;

	peer_datagram(s, 4000, 53, 100);
	expect(s, _i ? "icmp 1/4 (%u)" : "icmp 3/3 (%u)", headers + 100);
	script_open_udp(s, 53);
	peer_datagram(s, 4000, 53, 100);
	expect_nothing(s);
	ck_assert_int_eq(rw_close(s->stack, s->flow->fd), 0);
	peer_datagram(s, 4000, 53, 10);
	expect(s, _i ? "icmp 1/4 (%u)" : "icmp 3/3 (%u)", headers + 10);
	script_end(s);
}
END_TEST

/* But not without end. */
START_TEST(rfc1122_3_2_2_1_answers_to_nobody_are_rationed)
{
	struct script *s = script_begin(version_of(_i));
	unsigned int answers;

	for (unsigned int i = 0; i < 3000; i++)
		peer_datagram(s, 4000, 53, 10);
	answers = script_skip(s, NULL);
	ck_assert_uint_ge(answers, 100);
	ck_assert_uint_le(answers, 1000);
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_1_3_3_a_refusal_is_told_to_who_is_connected)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	connect_to(s, 4000);
	script_send(s, 100);
	expect(s, "udp 53>4000 (100)");
	peer_icmp(s, SCRIPT_PORT_UNREACHABLE, 0);
	ck_assert_int_eq(receive(s), -ECONNREFUSED);
	ck_assert_int_eq(receive(s), -EAGAIN);
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_1_3_3_a_refusal_of_what_was_not_sent_is_not_told)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	connect_to(s, 4000);
	script_choose(s, 1);
	script_open_udp(s, 54);
	connect_to(s, 4001);
	script_send(s, 100);
	expect(s, "udp 54>4001 (100)");
	peer_icmp(s, SCRIPT_PORT_UNREACHABLE, 0);
	script_choose(s, 0);
	ck_assert_int_eq(receive(s), -EAGAIN);
	script_choose(s, 1);
	ck_assert_int_eq(receive(s), -ECONNREFUSED);
	script_end(s);
}
END_TEST

START_TEST(rfc1122_4_1_3_4_a_wrong_checksum_is_dropped)
{
	struct script *s = script_begin(version_of(_i));
	uint8_t packet[200];
	size_t bytes, at = (_i ? 40 : 20) + 8;

	script_open_udp(s, 53);
	bytes = script_datagram(s, packet, 4000, 53, 50);
	packet[at + 10] ^= 1;
	(void)rw_packet_in(s->stack, packet, bytes);
	ck_assert_int_eq(receive(s), -EAGAIN);
	packet[at + 10] ^= 1;
	ck_assert_int_eq(rw_packet_in(s->stack, packet, bytes), 0);
	receive_from(s, 4000, 50);
	script_end(s);
}
END_TEST

/* None at all is allowed in IPv4 (MUST), and not in IPv6 (RFC 8200, 8.1). */
START_TEST(rfc1122_4_1_3_4_no_checksum)
{
	struct script *s = script_begin(version_of(_i));
	uint8_t packet[200];
	size_t bytes, at = (_i ? 40 : 20) + 6;

	script_open_udp(s, 53);
	bytes = script_datagram(s, packet, 4000, 53, 50);
	packet[at] = 0;
	packet[at + 1] = 0;
	(void)rw_packet_in(s->stack, packet, bytes);
	if (_i)
		ck_assert_int_eq(receive(s), -EAGAIN);
	else
		receive_from(s, 4000, 50);
	script_end(s);
}
END_TEST

START_TEST(rfc768_a_length_that_is_not_right_is_dropped)
{
	struct script *s = script_begin(version_of(_i));
	static const uint8_t lengths[] = { 0, 7, 59, 255 };
	uint8_t packet[200];
	size_t bytes, at = (_i ? 40 : 20) + 4;

	script_open_udp(s, 53);
	for (unsigned int i = 0; i < 4; i++) {
		bytes = script_datagram(s, packet, 4000, 53, 50);
		packet[at + 1] = lengths[i];
		script_fix(s, packet, bytes);
		(void)rw_packet_in(s->stack, packet, bytes);
		ck_assert_int_eq(receive(s), -EAGAIN);
	}
	expect_nothing(s);
	script_end(s);
}
END_TEST

START_TEST(rfc768_a_connected_socket_hears_its_peer_alone)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	connect_to(s, 4000);
	peer_datagram(s, 4001, 53, 10);
	ck_assert_int_eq(receive(s), -EAGAIN);
	(void)script_skip(s, NULL); /* who is not its peer may be told that nobody is there */
	peer_datagram(s, 4000, 53, 20);
	receive_from(s, 4000, 20);
	script_end(s);
}
END_TEST

START_TEST(rfc768_a_socket_without_a_port_is_given_one)
{
	struct script *s = script_begin(version_of(_i));
	struct sockaddr_storage own;
	socklen_t bytes = sizeof(own);
	uint16_t port;

	s->flow->fd = rw_socket(s->stack, _i ? AF_INET6 : AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(receive(s), -EAGAIN);
	send_to(s, 4000, 10, 10);
	ck_assert_int_eq(rw_getsockname(s->stack, s->flow->fd, (struct sockaddr *)&own, &bytes), 0);
	port = ntohs(((struct sockaddr_in *)&own)->sin_port);
	ck_assert_uint_ge(port, 1024);
	expect(s, "udp %u>4000 (10)", port);
	peer_datagram(s, 4000, port, 30);
	receive_from(s, 4000, 30);
	script_end(s);
}
END_TEST

START_TEST(rfc768_one_socket_at_a_port)
{
	struct script *s = script_begin(version_of(_i));
	struct sockaddr_storage own;
	socklen_t bytes = script_own_address(s, 53, &own);
	int fd = rw_socket(s->stack, own.ss_family, SOCK_DGRAM);

	script_open_udp(s, 53);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&own, bytes), -EADDRINUSE);
	ck_assert_int_eq(rw_close(s->stack, s->flow->fd), 0);
	ck_assert_int_eq(rw_bind(s->stack, fd, (struct sockaddr *)&own, bytes), 0);
	script_end(s);
}
END_TEST

/* Who reads slowly loses what is too much, and nothing of others. */
START_TEST(rfc1122_4_1_4_a_queue_is_bounded)
{
	struct script *s = script_begin(version_of(_i));
	unsigned int got = 0;

	script_open_udp(s, 53);
	script_choose(s, 1);
	script_open_udp(s, 54);
	for (unsigned int i = 0; i < 10000; i++)
		peer_datagram(s, 4000, 53, 1000);
	peer_datagram(s, 4000, 54, 77);
	receive_from(s, 4000, 77);
	script_choose(s, 0);
	while (receive(s) == 1000)
		got++;
	ck_assert_uint_ge(got, 10);
	ck_assert_uint_lt(got, 9000);
	peer_datagram(s, 4000, 53, 10);
	receive_from(s, 4000, 10);
	script_end(s);
}
END_TEST

START_TEST(rfc768_what_is_not_read_of_a_datagram_is_lost)
{
	struct script *s = script_begin(version_of(_i));
	uint8_t data[10];

	script_open_udp(s, 53);
	peer_datagram(s, 4000, 53, 100);
	peer_datagram(s, 4000, 53, 5);
	ck_assert_int_eq(rw_read(s->stack, s->flow->fd, data, sizeof(data)), 10);
	receive_from(s, 4000, 5);
	script_end(s);
}
END_TEST

START_TEST(rfc768_datagrams_come_in_order)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	for (unsigned int i = 0; i < 50; i++)
		peer_datagram(s, (uint16_t)(4000 + i), 53, i);
	for (unsigned int i = 0; i < 50; i++)
		receive_from(s, (uint16_t)(4000 + i), i);
	script_end(s);
}
END_TEST

START_TEST(rfc768_sending_needs_somebody_to_send_to)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, 53);
	ck_assert_int_eq(rw_write(s->stack, s->flow->fd, "x", 1), -EDESTADDRREQ);
	ck_assert_int_eq(rw_shutdown(s->stack, s->flow->fd, SHUT_WR), -ENOTCONN);
	ck_assert_int_eq(rw_listen(s->stack, s->flow->fd, 1), -EOPNOTSUPP);
	script_end(s);
}
END_TEST

/* Ports of TCP are others. */
START_TEST(rfc768_ports_of_tcp_are_others)
{
	struct script *s = script_begin(version_of(_i));

	script_open_udp(s, SCRIPT_PORT);
	script_choose(s, 1);
	script_passive(s, "");
	script_choose(s, 0);
	peer_datagram(s, 4000, SCRIPT_PORT, 10);
	receive_from(s, 4000, 10);
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc768_a_datagram_goes_and_one_comes, 0, 2);
	tcase_add_loop_test(cases, rfc768_sizes_from_nothing_to_all_that_fits, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_1_3_1_nobody_at_a_port_is_said_so, 0, 2);
	tcase_add_loop_test(cases, rfc1122_3_2_2_1_answers_to_nobody_are_rationed, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_1_3_3_a_refusal_is_told_to_who_is_connected, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_1_3_3_a_refusal_of_what_was_not_sent_is_not_told, 0,
			    2);
	tcase_add_loop_test(cases, rfc1122_4_1_3_4_a_wrong_checksum_is_dropped, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_1_3_4_no_checksum, 0, 2);
	tcase_add_loop_test(cases, rfc768_a_length_that_is_not_right_is_dropped, 0, 2);
	tcase_add_loop_test(cases, rfc768_a_connected_socket_hears_its_peer_alone, 0, 2);
	tcase_add_loop_test(cases, rfc768_a_socket_without_a_port_is_given_one, 0, 2);
	tcase_add_loop_test(cases, rfc768_one_socket_at_a_port, 0, 2);
	tcase_add_loop_test(cases, rfc1122_4_1_4_a_queue_is_bounded, 0, 2);
	tcase_add_loop_test(cases, rfc768_what_is_not_read_of_a_datagram_is_lost, 0, 2);
	tcase_add_loop_test(cases, rfc768_datagrams_come_in_order, 0, 2);
	tcase_add_loop_test(cases, rfc768_sending_needs_somebody_to_send_to, 0, 2);
	tcase_add_loop_test(cases, rfc768_ports_of_tcp_are_others, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/udp", add_cases);
}
