/* SPDX-License-Identifier: ISC */
/*
 * Linux's own sockets, as the other stacks are driven.
 *
 *	peer serve				ports 5001: discard, 5002: echo
 *	peer bulk ADDRESS SECONDS FLOWS		sends with CUBIC, prints bytes a second
 *	peer requests ADDRESS SECONDS		1 byte there and back, prints how many a second
 *	peer connections ADDRESS SECONDS	connect, 1 byte there and back, close
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DISCARD_PORT 5001
#define ECHO_PORT 5002
#define FLOWS_MAX 64

static char data[262144];

static void fail(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double wall(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void watch(int epoll, int fd, uint32_t events, uint64_t kind)
{
	struct epoll_event event = { .events = events, .data.u64 = kind << 32 | (uint32_t)fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		fail("epoll");
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1024))
		fail("listen");
	return fd;
}

enum kind { LISTEN_DISCARD = 1, LISTEN_ECHO, DISCARD, ECHO };

static void serve(void)
{
	int epoll = epoll_create1(0), one = 1;

	watch(epoll, listen_at(DISCARD_PORT), EPOLLIN, LISTEN_DISCARD);
	watch(epoll, listen_at(ECHO_PORT), EPOLLIN, LISTEN_ECHO);
	for (;;) {
		struct epoll_event event;
		int fd, accepted;
		ssize_t got;

		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		fd = (int)(uint32_t)event.data.u64;
		switch (event.data.u64 >> 32) {
		case LISTEN_DISCARD:
		case LISTEN_ECHO:
			accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
			if (accepted < 0)
				break;
			setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			watch(epoll, accepted, EPOLLIN, (event.data.u64 >> 32) + 2);
			break;
		default:
			got = recv(fd, data, sizeof(data), 0);
			if (got == 0 || (got < 0 && errno != EAGAIN))
				close(fd);
			else if (got > 0 && event.data.u64 >> 32 == ECHO)
				(void)!send(fd, data, (size_t)got, MSG_NOSIGNAL);
			break;
		}
	}
}

static int connect_to(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		fail("cubic");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	return fd;
}

static double bulk(const char *address, double seconds, int flows)
{
	double begin = wall(), end = begin + seconds;
	int epoll = epoll_create1(0);
	uint64_t sent = 0;

	for (int i = 0; i < flows; i++) {
		int fd = connect_to(address, DISCARD_PORT);

		fcntl(fd, F_SETFL, O_NONBLOCK);
		watch(epoll, fd, EPOLLOUT, 0);
	}
	while (wall() < end) {
		struct epoll_event event;
		ssize_t part;

		if (epoll_wait(epoll, &event, 1, 100) != 1)
			continue;
		part = send((int)(uint32_t)event.data.u64, data, sizeof(data), MSG_NOSIGNAL);
		sent += part > 0 ? (uint64_t)part : 0;
	}
	return (double)sent / (wall() - begin);
}

static void ask(int fd)
{
	if (send(fd, data, 1, MSG_NOSIGNAL) != 1 || recv(fd, data, 1, 0) != 1)
		fail("echo");
}

static double requests(const char *address, double seconds)
{
	double begin = wall(), end = begin + seconds;
	int fd = connect_to(address, ECHO_PORT);
	uint64_t count = 0;

	for (; wall() < end; count++)
		ask(fd);
	return (double)count / (wall() - begin);
}

static double connections(const char *address, double seconds)
{
	double begin = wall(), end = begin + seconds;
	uint64_t count = 0;

	for (; wall() < end; count++) {
		int fd = connect_to(address, ECHO_PORT);

		ask(fd);
		close(fd);
	}
	return (double)count / (wall() - begin);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	if (argc == 5 && strcmp(argv[1], "bulk") == 0)
		printf("%.1f\n", bulk(argv[2], strtod(argv[3], NULL), atoi(argv[4])));
	else if (argc == 4 && strcmp(argv[1], "requests") == 0)
		printf("%.1f\n", requests(argv[2], strtod(argv[3], NULL)));
	else if (argc == 4 && strcmp(argv[1], "connections") == 0)
		printf("%.1f\n", connections(argv[2], strtod(argv[3], NULL)));
	else
		return 2;
	return 0;
}
