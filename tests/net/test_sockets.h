/* SPDX-License-Identifier: ISC */
/*
 * Two instances of sockets, back to back, with a virtual clock. Each has an address of either
 * version, 10.0.0.1 and fd00::1 or 10.0.0.2 and fd00::2. test_sockets_end() fails when a packet,
 * a block or a socket has not come home.
 */
#pragma once

#include <check.h>

#include "net/socket.h"

#define TEST_MS UINT64_C(1000000)
#define TEST_SIDES 2u

struct test_side {
	struct sockets *sockets;
	void *memory;
	struct netdev netdev;
	struct packet **queue; /* on their way to the other */
	uint32_t queued;
	bool no_way;
	uint16_t mtu;
	/* What is about to leave; true: it is lost, and has been consumed. May be NULL. */
	bool (*filter)(struct packet *packet);
	uint64_t sent;	   /* packets */
	uint64_t unwanted; /* that came and that no socket wanted */
};

extern struct test_side test_sides[TEST_SIDES];
extern uint64_t test_now;
extern struct packet_pool test_packet_pool;

/* Makes both with this configuration; `links` and `random` are filled in. */
void test_sockets_begin(const struct sockets_config *config);
/* Fails unless all that was ever taken is back; sockets must have been closed. */
void test_sockets_end(void);
/* Lets time pass, by milliseconds: packets, timers, callbacks. */
void test_sockets_run(uint32_t ms);
/* Takes no notice of time: hands over what is queued and runs both, until nothing moves. */
void test_sockets_settle(void);
/* Gives a packet, which is consumed, to that side as if it had come. False: nobody wanted it. */
bool test_sockets_deliver(unsigned int side, struct packet *packet);

/* The same; one that cannot be parsed is freed. */
bool test_sockets_deliver_any(unsigned int side, struct packet *packet);

/* The address of that side. */
struct socket_address test_address(unsigned int side, uint8_t version, uint16_t port);
/* `bytes` bytes from one to the other, each of them checked; `run` lets milliseconds pass. */
void test_sockets_transfer(struct socket *from, struct socket *to, uint32_t bytes,
			   void (*run)(uint32_t ms));
/* A socket of side 0 that is connected to one of side 1, which becomes *server. */
struct socket *test_sockets_pair(uint8_t version, struct socket **server);
