/* SPDX-License-Identifier: ISC */
/* What the application of a scenario does. */
#include <string.h>

#include "tests/configs/library/rw_script_parts.h"

static socklen_t address_of(const struct script *s, uint8_t last, uint16_t port,
			    struct sockaddr_storage *to)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(to, 0, sizeof(*to));
	if (s->version == 6) {
		const uint8_t address[16] = { 0x20, 1, 0xd, 0xb8, [15] = last };

		memcpy(&in6.sin6_addr, address, sizeof(address));
		memcpy(to, &in6, sizeof(in6));
		return sizeof(in6);
	}
	in.sin_addr.s_addr = htonl(0xc0000200u + last);
	memcpy(to, &in, sizeof(in));
	return sizeof(in);
}

socklen_t script_own_address(const struct script *s, uint16_t port, struct sockaddr_storage *to)
{
	return address_of(s, 1, port, to);
}

socklen_t script_peer_address(const struct script *s, uint16_t port, struct sockaddr_storage *to)
{
	return address_of(s, 2, port, to);
}

static int make_socket(struct script *s, int type)
{
	int fd = rw_socket(s->stack, s->version == 6 ? AF_INET6 : AF_INET, type);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* ---- opening ---- */

void script_listen(struct script *s, int backlog)
{
	struct sockaddr_storage own;
	socklen_t bytes = script_own_address(s, SCRIPT_PORT, &own);

	s->listener = make_socket(s, SOCK_STREAM);
	ck_assert_int_eq(rw_bind(s->stack, s->listener, (struct sockaddr *)&own, bytes), 0);
	ck_assert_int_eq(rw_listen(s->stack, s->listener, backlog), 0);
	for (unsigned int i = 0; i < SCRIPT_FLOWS; i++)
		s->flows[i].our_port = SCRIPT_PORT;
	script_note(s, "listen(%d)", backlog);
}

void script_accept(struct script *s)
{
	struct sockaddr_storage peer, wanted;
	socklen_t bytes = sizeof(peer), wanted_bytes;
	int fd = rw_accept(s->stack, s->listener, (struct sockaddr *)&peer, &bytes);

	script_collect(s);
	if (fd < 0)
		script_fail(s, "accept(): %s", strerror(-fd));
	wanted_bytes = script_peer_address(s, s->flow->peer_port, &wanted);
	ck_assert_uint_eq(bytes, wanted_bytes);
	ck_assert_mem_eq(&peer, &wanted, bytes);
	s->flow->fd = fd;
	script_note(s, "accept()");
}

void script_accept_nothing(struct script *s)
{
	int fd = rw_accept(s->stack, s->listener, NULL, NULL);

	if (fd != -EAGAIN)
		script_fail(s, "accept(): %d instead of -EAGAIN", fd);
}

void script_connect(struct script *s)
{
	struct sockaddr_storage peer;
	socklen_t bytes = script_peer_address(s, s->flow->peer_port, &peer);
	int result;

	if (s->flow->fd < 0)
		s->flow->fd = make_socket(s, SOCK_STREAM);
	s->flow->our_port = 0;
	script_note(s, "connect()");
	result = rw_connect(s->stack, s->flow->fd, (struct sockaddr *)&peer, bytes);
	script_collect(s);
	if (result != -EINPROGRESS)
		script_fail(s, "connect(): %d instead of -EINPROGRESS", result);
}

void script_passive(struct script *s, const char *options)
{
	if (s->listener < 0)
		script_listen(s, 16);
	peer_sends(s, "S 0:0(0) <%s>", options);
	expect(s, "S. 0:0(0) ack 1");
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	expect_nothing(s);
}

void script_active(struct script *s, const char *options)
{
	script_connect(s);
	expect(s, "SEW 0:0(0)");
	peer_sends(s, "S. 0:0(0) ack 1 <%s>", options);
	expect(s, ". 1:1(0) ack 1");
	expect_nothing(s);
}

/* ---- bytes ---- */

ssize_t script_send_some(struct script *s, uint32_t bytes)
{
	uint8_t *data = malloc(bytes + 1u);
	ssize_t took;

	ck_assert_ptr_nonnull(data);
	for (uint32_t i = 0; i < bytes; i++)
		data[i] = script_pattern((uint32_t)(s->flow->written + i));
	script_note(s, "write(%u)", bytes);
	took = rw_write(s->stack, s->flow->fd, data, bytes);
	free(data);
	if (took > 0)
		s->flow->written += (uint64_t)took;
	script_collect(s);
	return took;
}

void script_send(struct script *s, uint32_t bytes)
{
	ssize_t took = script_send_some(s, bytes);

	if (took != (ssize_t)bytes)
		script_fail(s, "write(%u): %zd", bytes, took);
}

void script_send_error(struct script *s, int error)
{
	ssize_t took = script_send_some(s, 1);

	if (took != -error)
		script_fail(s, "write(): %zd instead of -%d (%s)", took, error, strerror(error));
}

void script_receive(struct script *s, uint32_t bytes)
{
	uint8_t *data = malloc(bytes);
	uint32_t got = 0;

	ck_assert_ptr_nonnull(data);
	while (got < bytes) {
		ssize_t part = rw_read(s->stack, s->flow->fd, data + got, bytes - got);

		if (part <= 0)
			script_fail(s, "read(): %zd after %u of %u bytes", part, got, bytes);
		got += (uint32_t)part;
	}
	script_note(s, "read(%u)", bytes);
	for (uint32_t i = 0; i < bytes; i++)
		if (data[i] != script_pattern((uint32_t)(s->flow->read + i)))
			script_fail(s, "byte %llu was received as 0x%02x instead of 0x%02x",
				    (unsigned long long)(s->flow->read + i), data[i],
				    script_pattern((uint32_t)(s->flow->read + i)));
	s->flow->read += bytes;
	free(data);
	script_collect(s);
}

static void receive_is(struct script *s, ssize_t wanted)
{
	uint8_t byte;
	ssize_t got = rw_read(s->stack, s->flow->fd, &byte, 1);

	script_collect(s);
	script_note(s, "read(): %zd", got);
	if (got != wanted)
		script_fail(s, "read(): %zd instead of %zd", got, wanted);
}

void script_receive_nothing(struct script *s)
{
	receive_is(s, -EAGAIN);
}

void script_receive_end(struct script *s)
{
	receive_is(s, 0);
}

void script_receive_error(struct script *s, int error)
{
	receive_is(s, -error);
}

/* ---- ending ---- */

void script_shutdown(struct script *s)
{
	script_note(s, "shutdown(SHUT_WR)");
	ck_assert_int_eq(rw_shutdown(s->stack, s->flow->fd, SHUT_WR), 0);
	script_collect(s);
}

void script_close(struct script *s)
{
	script_note(s, "close()");
	ck_assert_int_eq(rw_close(s->stack, s->flow->fd), 0);
	s->flow->fd = -1;
	script_collect(s);
}

void script_abort(struct script *s)
{
	struct linger linger = { .l_onoff = 1 };

	ck_assert_int_eq(rw_setsockopt(s->stack, s->flow->fd, SOL_SOCKET, SO_LINGER, &linger,
				       sizeof(linger)),
			 0);
	script_close(s);
}

/* ---- options and state ---- */

void script_set(struct script *s, int level, int option, int value)
{
	int fd = s->flow->fd >= 0 ? s->flow->fd : s->listener;

	ck_assert_int_eq(rw_setsockopt(s->stack, fd, level, option, &value, sizeof(value)), 0);
	script_note(s, "setsockopt(%d, %d, %d)", level, option, value);
	script_collect(s);
}

int script_error(struct script *s)
{
	int error = -1;
	socklen_t bytes = sizeof(error);

	ck_assert_int_eq(rw_getsockopt(s->stack, s->flow->fd, SOL_SOCKET, SO_ERROR, &error, &bytes),
			 0);
	return error;
}

struct rw_tcp_info script_info(struct script *s)
{
	struct rw_tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	ck_assert_int_eq(rw_getsockopt(s->stack, s->flow->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes),
			 0);
	return info;
}

short script_poll(struct script *s)
{
	struct pollfd fd = { s->flow->fd, POLLIN | POLLOUT, 0 };

	(void)rw_poll(s->stack, &fd, 1);
	return fd.revents;
}

int script_open_udp(struct script *s, uint16_t port)
{
	struct sockaddr_storage own;
	socklen_t bytes = script_own_address(s, port, &own);

	s->flow->fd = make_socket(s, SOCK_DGRAM);
	ck_assert_int_eq(rw_bind(s->stack, s->flow->fd, (struct sockaddr *)&own, bytes), 0);
	return s->flow->fd;
}
