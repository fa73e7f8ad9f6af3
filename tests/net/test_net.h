/* SPDX-License-Identifier: ISC */
/*
 * A router in a box: memory, an uplink, three clients, rules, a virtual clock. Every
 * test ends with test_net_end(), which fails when a packet or page has not come home.
 *
 *	client 0..2  10.137.0.10 + i        our uplink address 10.137.0.5/24
 *	gateway      10.137.0.1             a server far away 192.0.2.80
 *
 * and in IPv6 where a test asks for it
 *
 *	client 0..2  fd00:2::10 + i         our uplink address fd00:1::5/64
 *	gateway      its link-local one     a server far away 2001:db8:9::80
 */
#pragma once

#include <check.h>

#include "net/router.h"
#include "tests/net/test_frames6.h"
#include "tests/net/test_link.h"

#define TEST_CLIENTS 3u
#define TEST_PACKETS 256u
#define TEST_PAGES 512u
#define TEST_SECOND 1000000000ull

#define OUR_IP IP(10, 137, 0, 5)
#define GATEWAY_IP IP(10, 137, 0, 1)
#define SERVER_IP IP(192, 0, 2, 80)
#define CLIENT_IP(i) (IP(10, 138, 0, 10) + (i))
#define OUR_IP6 "fd00:1::5"
#define SERVER_IP6 "2001:db8:9::80"

/* Pass everything, both ways. */
#define RULES_OPEN "pass\n"

struct test_net {
	struct iopage *descriptors;
	struct packet *descriptors_of_packets;
	void *flow_memory;
	struct iopage_pool pages;
	struct packet_pool packets;
	struct random random;
	struct router router;
	struct ruleset *rules;
	struct test_link uplink;
	struct test_link client[TEST_CLIENTS];
	uint32_t free_pages[IOPAGE_CLASS_COUNT];
	uint64_t now_ns;
};

/* "fd00:2::10" + i */
struct six client_ip6(unsigned int client);

extern const uint8_t our_uplink_mac[6], our_client_mac[6], gateway_mac[6], client_mac[3][6];

/* A net with room for `flows`, everything attached, the gateway's MAC known. */
struct test_net *test_net_begin(const char *rules, uint32_t flows);

/* The same without any packet sent yet and the gateway unknown. */
struct test_net *test_net_begin_cold(const char *rules, uint32_t flows);

/* The same with IPv6, and the gateway's MAC known for that too; nothing masqueraded there. */
struct test_net *test_net_begin6(const char *rules, uint32_t flows);

/* Detaches all, checks that nothing is lost and that no link complained, frees. */
void test_net_end(struct test_net *net);

/* Other rules; NULL: closed. */
void test_net_set_rules(struct test_net *net, const char *rules);

/* Attaches client i with its address, or both. 0 or a negative errno. */
int test_net_attach_client(struct test_net *net, unsigned int i, bool six_too);

/* Lets time pass in steps of the timer wheel. */
void test_net_advance(struct test_net *net, uint64_t ns);

/* Ends for a frame from client i to `to`, and from `from` over the uplink to us. */
struct ends ends_out(unsigned int client, uint32_t to);
struct ends ends_in(uint32_t from);

/* The same in IPv6; and by text, from client i or the uplink's gateway. */
struct ends6 ends6_out(unsigned int client, const char *to);
struct ends6 ends6_in(const char *from, struct six to);

uint64_t test_net_drops(const struct test_net *net, enum drop_reason reason);

/* Sends and expects exactly one frame on `to`, which is returned. */
const struct frame *test_pass(struct test_net *net, struct test_link *from, struct test_link *to,
			      const struct frame *frame);

/* Sends and expects that it is dropped for `reason`. */
void test_drop(struct test_net *net, struct test_link *from, const struct frame *frame,
	       enum drop_reason reason);
