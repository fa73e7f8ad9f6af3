/* SPDX-License-Identifier: ISC */
/*
 * The rules of QubesOS in a router, packet by packet: what its reference firewall does beside
 * the lists, its unit tests of the lists, and the ladder of its integration tests. A row there
 * is a test here, by number where it has one.
 *
 *	client 0   10.138.0.10, fd00:2::10     the client whose lists these are
 *	client 1   10.138.0.11, fd00:2::11     may do everything
 *	client 2   10.138.0.12, fd00:2::12     has no list
 */
#include <stdio.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/qubes_rules.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define DNS1 IP(10, 139, 1, 1)
#define DNS2 IP(10, 139, 1, 2)
#define MINE4 "10.138.0.10"
#define MINE6 "fd00:2::10"

static struct frame frame, answer;
static struct test_net *net;
static struct ip_address dns[3]; /* both of IPv4, and where a test says so one of IPv6 */
static uint32_t dns_count;

static struct ip_address four(uint32_t address)
{
	return ip_address_of4(be32_of(address));
}

static struct ip_address address_of(const char *text)
{
	be32 ip4;

	if (ip4_text_parse(text, strlen(text), &ip4) == 0)
		return ip_address_of4(ip4);
	return ip_address_of6(six(text).bytes);
}

/* `text`: rules, a line each; a number is as far from the next as in dom0's lists. */
static void list(struct qubes_rules *rules, const char *source, const char *text,
		 const char *policy)
{
	struct ip_address address = address_of(source);
	uint32_t number = 0;

	ck_assert_int_eq(qubes_rules_begin(rules, &address), 0);
	for (; *text; number += 3) {
		size_t length = strcspn(text, "\n");

		(void)qubes_rules_add(rules, number, text, length);
		text += length + (text[length] == '\n');
	}
	if (policy)
		(void)qubes_rules_policy(rules, policy, strlen(policy));
	(void)qubes_rules_end(rules);
}

/* Lists of client 0; NULL: the tree is not there. */
static void use_lists(const char *text4, const char *text6, const char *policy)
{
	struct qubes_rules_compile how = { .dns = dns, .dns_count = dns_count };
	struct qubes_rules *rules = qubes_rules_new();
	struct ruleset *set = NULL;
	struct rules_error error;
	uint64_t expiry;

	if (text4)
		list(rules, MINE4, text4, policy);
	if (text6)
		list(rules, MINE6, text6, policy);
	list(rules, "10.138.0.11", "action=accept", "drop");
	list(rules, "fd00:2::11", "action=accept", "drop");
	ck_assert_int_eq(qubes_rules_compile(rules, &how, &set, &expiry, &error), 0);
	ruleset_free(router_set_rules(&net->router, set));
	net->rules = set;
	qubes_rules_free(rules);
}

static void setup(void)
{
	net = test_net_begin6(RULES_OPEN, 64);
	dns[0] = four(DNS1);
	dns[1] = four(DNS2);
	dns_count = 2;
	use_lists("action=accept", "action=accept", "drop");
}

static void teardown(void)
{
	test_net_end(net);
}

enum verdict { PASSES, REFUSED, SILENT };

/* What came of `frame`, from client 0 or `from`. Refused is "administratively prohibited". */
static enum verdict outcome(unsigned int from)
{
	const struct frame *got;

	test_link_input(&net->client[from], &frame);
	if (test_link_take(&net->uplink))
		return PASSES;
	got = test_link_take(&net->client[from]);
	if (!got)
		return SILENT;
	if (frame_is6(&frame)) {
		ck_assert_uint_eq(frame6_icmp_type(got), 1);
		ck_assert_uint_eq(frame6_icmp_code(got), 1);
	} else {
		ck_assert_uint_eq(frame_protocol(got), 1);
		ck_assert_uint_eq(frame_icmp_type(got), 3);
		ck_assert_uint_eq(frame_icmp_code(got), 13);
		ck_assert_uint_eq(frame_source(got), OUR_IP);
	}
	return REFUSED;
}

static enum verdict udp(uint32_t to, uint16_t port)
{
	struct ends ends = ends_out(0, to);

	frame_udp(&frame, &ends, 5000, port, 10);
	return outcome(0);
}

static enum verdict tcp(uint32_t to, uint16_t port)
{
	struct ends ends = ends_out(0, to);

	frame_tcp(&frame, &ends, 5000, port, SYN, 1, 0, 0);
	return outcome(0);
}

static enum verdict ping(uint32_t to)
{
	struct ends ends = ends_out(0, to);

	frame_echo(&frame, &ends, false, 5, 1, 8);
	return outcome(0);
}

static enum verdict tcp6(const char *to, uint16_t port)
{
	struct ends6 ends = ends6_out(0, to);

	frame6_tcp(&frame, &ends, 5000, port, SYN, 1, 0, 0);
	return outcome(0);
}

static enum verdict udp6(const char *to, uint16_t port)
{
	struct ends6 ends = ends6_out(0, to);

	frame6_udp(&frame, &ends, 5000, port, 10);
	return outcome(0);
}

static enum verdict ping6(const char *to)
{
	struct ends6 ends = ends6_out(0, to);

	frame6_echo(&frame, &ends, false, 5, 1, 8);
	return outcome(0);
}

/* ---- table qubes, chain input ---- */

START_TEST(input_icmp_of_a_client_is_answered)
{
	struct ends ends = ends_out(2, OUR_IP); /* also one without a list */
	struct ends6 ends6 = ends6_out(0, OUR_IP6);

	frame_echo(&frame, &ends, false, 5, 1, 8);
	ck_assert_uint_eq(frame_icmp_type(test_pass(net, &net->client[2], &net->client[2], &frame)),
			  0);
	frame6_echo(&frame, &ends6, false, 5, 1, 8);
	ck_assert_uint_eq(
		frame6_icmp_type(test_pass(net, &net->client[0], &net->client[0], &frame)), 129);
}
END_TEST

START_TEST(input_udp_68_is_dropped)
{
	struct ends ends = ends_out(0, OUR_IP);

	frame_udp(&frame, &ends, 67, 68, 10);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
}
END_TEST

START_TEST(input_else_is_host_prohibited)
{
	struct ends ends = ends_out(0, OUR_IP);
	struct ends6 ends6 = ends6_out(0, OUR_IP6);
	const struct frame *got;

	for (unsigned int i = 0; i < 3; i++) {
		if (i == 0)
			frame_tcp(&frame, &ends, 5000, 22, SYN, 1, 0, 0);
		else if (i == 1)
			frame_udp(&frame, &ends, 5000, 53, 10);
		else
			frame_ip4(&frame, &ends, 47, 20);
		got = test_pass(net, &net->client[0], &net->client[0], &frame);
		ck_assert_uint_eq(frame_icmp_type(got), 3);
		ck_assert_uint_eq(frame_icmp_code(got), 10);
	}
	frame6_tcp(&frame, &ends6, 5000, 22, SYN, 1, 0, 0);
	got = test_pass(net, &net->client[0], &net->client[0], &frame);
	ck_assert_uint_eq(frame6_icmp_type(got), 1);
	ck_assert_uint_eq(frame6_icmp_code(got), 1);
	frame6_udp(&frame, &ends6, 67, 68, 10); /* only IPv4's is silent */
	got = test_pass(net, &net->client[0], &net->client[0], &frame);
	ck_assert_uint_eq(frame6_icmp_code(got), 1);
}
END_TEST

START_TEST(input_of_the_uplink_is_established_only)
{
	struct ends ends = ends_in(SERVER_IP);
	struct ends6 ends6 = ends6_in(SERVER_IP6, six(OUR_IP6));

	frame_echo(&answer, &ends, false, 5, 1, 8);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	frame_tcp(&answer, &ends, 5000, 22, SYN, 1, 0, 0);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	frame6_echo(&answer, &ends6, false, 5, 1, 8);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(input_router_advertisements_and_redirects_are_dropped)
{
	struct ends6 ends = { client_mac[0], our_client_mac, six_link_local(client_mac[0]),
			      six_link_local(our_client_mac) };

	frame6_router(&frame, &ends, 134);
	test_drop(net, &net->client[0], &frame, DROP_BAD_NDP);
	frame6_neighbour(&frame, &ends, 137, 0, six(SERVER_IP6));
	test_drop(net, &net->client[0], &frame, DROP_BAD_NDP);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
}
END_TEST

/* ---- table qubes, chain forward; 040, 540 ---- */

START_TEST(forward_no_client_reaches_another)
{
	struct ends ends = ends_out(1, CLIENT_IP(0));
	struct ends6 ends6 = { client_mac[1], our_client_mac, client_ip6(1), client_ip6(0) };

	frame_tcp(&frame, &ends, 5000, 80, SYN, 1, 0, 0);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
	frame_echo(&frame, &ends, false, 5, 1, 8);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
	frame6_echo(&frame, &ends6, false, 5, 1, 8);
	test_drop(net, &net->client[1], &frame, DROP_BLOCKED);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_ptr_null(test_link_take(&net->client[i]));
	/* Nor by the name that the other one has outside. */
	ck_assert_int_eq(udp(SERVER_IP, 53), PASSES);
	ends.to = OUR_IP;
	frame_udp(&frame, &ends, 53, 5000, 10);
	test_link_input(&net->client[1], &frame);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
}
END_TEST

START_TEST(forward_nothing_new_comes_in)
{
	struct ends ends = ends_in(SERVER_IP);
	struct ends6 ends6 = ends6_in(SERVER_IP6, client_ip6(0));

	ends.to = CLIENT_IP(0);
	frame_tcp(&answer, &ends, 5000, 80, SYN, 1, 0, 0);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	frame6_echo(&answer, &ends6, false, 5, 1, 8);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(forward_established_and_related_come_in)
{
	struct ends in = ends_in(SERVER_IP), router = ends_in(IP(203, 0, 113, 1));
	struct ends out = ends_out(0, SERVER_IP);
	static struct frame sent;

	frame_udp(&frame, &out, 5000, 53, 10);
	sent = *test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_udp(&answer, &in, 53, frame_source_port(&sent), 10);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	frame_icmp_error(&answer, &router, 3, 1, &sent, 28);
	test_pass(net, &net->uplink, &net->client[0], &answer);
}
END_TEST

/* table qubes, chain postrouting: both versions */
START_TEST(postrouting_masquerades)
{
	struct ends out = ends_out(0, SERVER_IP);
	struct ends6 out6 = ends6_out(0, SERVER_IP6);

	frame_udp(&frame, &out, 5000, 53, 10);
	ck_assert_uint_eq(frame_source(test_pass(net, &net->client[0], &net->uplink, &frame)),
			  OUR_IP);
	frame6_udp(&frame, &out6, 5000, 53, 10);
	ck_assert(six_equal(frame6_source(test_pass(net, &net->client[0], &net->uplink, &frame)),
			    six(OUR_IP6)));
}
END_TEST

/* ---- antispoof; 050, 550 ---- */

START_TEST(antispoof_of_clients)
{
	struct ends ends = ends_out(0, SERVER_IP);
	struct ends6 ends6 = ends6_out(0, SERVER_IP6);

	ends.from = IP(10, 137, 1, 128);
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends.from = CLIENT_IP(1);
	frame_udp(&frame, &ends, 5000, 53, 10);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends6.from = client_ip6(1);
	frame6_udp(&frame, &ends6, 5000, 53, 10);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends6.from = six("::");
	frame6_udp(&frame, &ends6, 5000, 53, 10);
	test_link_input(&net->client[0], &frame);
	/* Link-local senders go nowhere, not even to us. */
	ends6.from = six_link_local(client_mac[0]);
	frame6_udp(&frame, &ends6, 5000, 53, 10);
	test_drop(net, &net->client[0], &frame, DROP_SPOOFED);
	ends6.to = six_link_local(our_client_mac);
	frame6_echo(&frame, &ends6, false, 5, 1, 8);
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	ck_assert_ptr_null(test_link_take(&net->uplink));
}
END_TEST

START_TEST(antispoof_of_the_uplink)
{
	struct ends ends = ends_in(CLIENT_IP(0));
	struct ends6 ends6 = ends6_in("fd00:2::10", six(OUR_IP6));

	frame_udp(&answer, &ends, 53, 5000, 10);
	test_drop(net, &net->uplink, &answer, DROP_SPOOFED);
	frame6_udp(&answer, &ends6, 53, 5000, 10);
	test_drop(net, &net->uplink, &answer, DROP_SPOOFED);
}
END_TEST

/* 008-010 connected_ips: set, empty, missing */
START_TEST(connected_ips)
{
	const struct ip_address gone[] = { four(IP(10, 138, 0, 99)), address_of("fd00:2::99") };
	struct ends ends = ends_in(IP(10, 138, 0, 99));

	ck_assert_int_eq(router_set_downstream(&net->router, gone, 2), 0);
	frame_udp(&answer, &ends, 53, 5000, 10);
	test_drop(net, &net->uplink, &answer, DROP_DOWNSTREAM);
	ck_assert_int_eq(udp(IP(10, 138, 0, 99), 53), SILENT);
	ck_assert_int_eq(udp6("fd00:2::99", 53), SILENT);
	ck_assert_int_eq(router_set_downstream(&net->router, NULL, 0), 0);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	ck_assert_int_eq(udp(IP(10, 138, 0, 99), 53), PASSES);
}
END_TEST

/* ---- the lists: core-agent-linux, test_firewall.py ---- */

/* 002 prepare_rules4 */
START_TEST(prepare_rules4)
{
	dns[0] = four(IP(1, 1, 1, 1));
	dns[1] = four(IP(2, 2, 2, 2));
	use_lists("action=accept proto=tcp dstports=80-80 dst4=1.2.3.0/24\n"
		  "action=accept proto=udp dstports=443-1024 dsthost=yum.qubes-os.org\n"
		  "action=accept specialtarget=dns\n"
		  "action=drop proto=udp specialtarget=dns\n"
		  "action=drop proto=icmp\n"
		  "action=drop",
		  NULL, "accept");
	ck_assert_int_eq(tcp(IP(1, 2, 3, 4), 80), PASSES);
	ck_assert_int_eq(tcp(IP(1, 2, 3, 4), 81), REFUSED);
	ck_assert_int_eq(tcp(IP(1, 2, 4, 4), 80), REFUSED);
	ck_assert_int_eq(udp(IP(1, 2, 3, 4), 80), REFUSED);
	for (unsigned int i = 1; i <= 2; i++) {
		ck_assert_int_eq(tcp(IP(i, i, i, i), 53), PASSES);
		ck_assert_int_eq(udp(IP(i, i, i, i), 53), PASSES);
		ck_assert_int_eq(udp(IP(i, i, i, i), 54), REFUSED);
		ck_assert_int_eq(ping(IP(i, i, i, i)), REFUSED);
	}
	/* A name that is not known: what it would accept is not accepted. */
	ck_assert_int_eq(udp(IP(82, 94, 215, 165), 443), REFUSED);
}
END_TEST

/* 003 prepare_rules6 */
START_TEST(prepare_rules6)
{
	dns[2] = address_of("2001::1");
	dns_count = 3;
	use_lists(NULL,
		  "action=accept proto=tcp dstports=80-80 dst6=a::b/128\n"
		  "action=accept proto=tcp dsthost=ripe.net\n"
		  "action=accept specialtarget=dns\n"
		  "action=drop proto=udp specialtarget=dns\n"
		  "action=drop proto=icmp icmptype=128\n"
		  "action=drop",
		  "accept");
	ck_assert_int_eq(tcp6("a::b", 80), PASSES);
	ck_assert_int_eq(tcp6("a::c", 80), REFUSED);
	ck_assert_int_eq(tcp6("2001::1", 53), PASSES);
	ck_assert_int_eq(udp6("2001::1", 53), PASSES);
	ck_assert_int_eq(udp6("2001::2", 53), REFUSED);
	ck_assert_int_eq(ping6("a::b"), REFUSED);
	ck_assert_int_eq(tcp6("2001:67c:2e8:22::c100:68b", 443), REFUSED);
}
END_TEST

/* The family's servers only: with none of IPv6 the rule never matches there. */
START_TEST(dns_of_the_other_family)
{
	use_lists("action=accept specialtarget=dns", "action=accept specialtarget=dns", "drop");
	ck_assert_int_eq(udp(DNS1, 53), PASSES);
	ck_assert_int_eq(udp6("2001::1", 53), REFUSED);
}
END_TEST

/* 002, 003, read_rules, handle_addr: what closes a source, each for a reason of its own */
static const char *const closing4[] = {
	"unknown=xxx",
	"action=accept unknown=xxx",
	"action=accept dst6=a::b",
	"action=accept dst4=1.2.3.4 dst4=1.2.3.4",
	"proto=tcp",
	"action=accept dst4=1.2.3",
	"action=accept\nproto=tcp\naction=accept",
	"action=reject",
	"action=accept dpi=http",
};

START_TEST(read_rules_block_all)
{
	use_lists(closing4[_i], "action=accept", "accept");
	ck_assert_int_eq(udp(SERVER_IP, 53), REFUSED);
	ck_assert_int_eq(tcp(SERVER_IP, 80), REFUSED);
	ck_assert_int_eq(ping(SERVER_IP), REFUSED);
}
END_TEST

START_TEST(read_rules_no_policy)
{
	use_lists("action=accept", "action=accept", NULL);
	ck_assert_int_eq(udp(SERVER_IP, 53), REFUSED);
	ck_assert_int_eq(udp6(SERVER_IP6, 53), REFUSED);
}
END_TEST

START_TEST(read_rules_wrong_family)
{
	use_lists("action=accept", "action=accept dst4=3.3.3.3", "accept");
	ck_assert_int_eq(udp(SERVER_IP, 53), PASSES); /* the trees are apart */
	ck_assert_int_eq(udp6(SERVER_IP6, 53), REFUSED);
}
END_TEST

START_TEST(no_tree_is_silence)
{
	use_lists(NULL, "action=accept", "accept");
	ck_assert_int_eq(udp(SERVER_IP, 53), SILENT);
	ck_assert_int_eq(tcp(SERVER_IP, 80), SILENT);
	ck_assert_int_eq(udp6(SERVER_IP6, 53), PASSES);
	router_set_rules(&net->router, NULL); /* nor is there anything before lists are loaded */
	ck_assert_int_eq(udp6(SERVER_IP6, 54), SILENT);
	ck_assert_int_eq(ping(OUR_IP), SILENT);
	router_set_rules(&net->router, net->rules);
}
END_TEST

/* drop is an answer, for every protocol but ICMP's errors */
START_TEST(drop_is_admin_prohibited)
{
	struct ends ends = ends_out(0, SERVER_IP);

	use_lists("action=drop", "action=drop", "accept");
	ck_assert_int_eq(tcp(SERVER_IP, 80), REFUSED);
	ck_assert_int_eq(udp(SERVER_IP, 80), REFUSED);
	ck_assert_int_eq(ping(SERVER_IP), REFUSED);
	frame_ip4(&frame, &ends, 47, 10);
	ck_assert_int_eq(outcome(0), REFUSED);
	ck_assert_int_eq(tcp6(SERVER_IP6, 80), REFUSED);
	ck_assert_int_eq(udp6(SERVER_IP6, 80), REFUSED);
	ck_assert_int_eq(ping6(SERVER_IP6), REFUSED);
}
END_TEST

START_TEST(policy_after_all_rules)
{
	use_lists("action=drop dst4=192.0.2.80", "", "accept");
	ck_assert_int_eq(tcp(SERVER_IP, 80), REFUSED);
	ck_assert_int_eq(tcp(SERVER_IP + 1, 80), PASSES);
	ck_assert_int_eq(tcp6(SERVER_IP6, 80), PASSES);
	use_lists("action=accept dst4=192.0.2.80", "", "drop");
	ck_assert_int_eq(tcp(SERVER_IP, 80), PASSES);
	ck_assert_int_eq(tcp(SERVER_IP + 1, 80), REFUSED);
	ck_assert_int_eq(tcp6(SERVER_IP6, 80), REFUSED);
}
END_TEST

/* ---- is_blocked: which flows live on when a list changes ---- */

static const struct {
	const char *rules;
	bool udp53, tcp80, echo; /* a flow to SERVER_IP is blocked */
} is_blocked[] = {
	{ "action=accept", false, false, false },
	{ "action=drop", true, true, true },
	{ "", true, true, true },
	{ "action=accept proto=tcp", true, false, true },
	{ "action=accept proto=udp", false, true, true },
	{ "action=accept proto=icmp", true, true, false },
	{ "action=accept proto=icmp icmptype=8", true, true, false },
	{ "action=accept proto=icmp icmptype=3", true, true, true },
	{ "action=accept dstports=53-53", false, true, true },
	{ "action=accept dstports=80-90", true, false, true },
	{ "action=accept proto=udp dstports=80-80", true, true, true },
	{ "action=accept dst4=192.0.2.0/24", false, false, false },
	{ "action=accept dst4=192.0.3.0/24", true, true, true },
	{ "action=drop proto=tcp\naction=accept", false, true, false },
	{ "action=accept proto=tcp\naction=drop proto=tcp\naction=accept proto=udp", false, false,
	  true },
	{ "action=accept specialtarget=dns", true, true, true },
	{ "action=accept dsthost=example.org", true, true, true },
	{ "action=nonsense", true, true, true },
};

START_TEST(is_blocked_table)
{
	struct ends in = ends_in(SERVER_IP);

	ck_assert_int_eq(udp(SERVER_IP, 53), PASSES);
	ck_assert_int_eq(tcp(SERVER_IP, 80), PASSES);
	ck_assert_int_eq(ping(SERVER_IP), PASSES);
	ck_assert_uint_eq(net->router.flows.used, 3);
	use_lists(is_blocked[_i].rules, "", "drop");
	ck_assert_uint_eq(net->router.flows.used,
			  3u - is_blocked[_i].udp53 - is_blocked[_i].tcp80 - is_blocked[_i].echo);
	frame_udp(&answer, &in, 53, 5000, 10);
	test_link_input(&net->uplink, &answer);
	ck_assert_int_eq(test_link_take(&net->client[0]) != NULL, !is_blocked[_i].udp53);
	frame_tcp(&answer, &in, 80, 5000, SYN | ACK, 1, 2, 0);
	test_link_input(&net->uplink, &answer);
	ck_assert_int_eq(test_link_take(&net->client[0]) != NULL, !is_blocked[_i].tcp80);
	frame_echo(&answer, &in, true, 5, 1, 8);
	test_link_input(&net->uplink, &answer);
	ck_assert_int_eq(test_link_take(&net->client[0]) != NULL, !is_blocked[_i].echo);
}
END_TEST

/* ---- core-admin, integ/network.py ---- */

/* 030, 530 firewall: the ladder */
START_TEST(ladder_030)
{
	use_lists("", "", "drop");
	ck_assert_int_eq(ping(SERVER_IP), REFUSED);
	ck_assert_int_eq(tcp(SERVER_IP, 1234), REFUSED);
	ck_assert_int_eq(udp(DNS1, 53), REFUSED);
	use_lists("action=accept proto=icmp", "action=accept proto=icmp", "drop");
	ck_assert_int_eq(ping(SERVER_IP), PASSES);
	ck_assert_int_eq(ping6(SERVER_IP6), PASSES);
	ck_assert_int_eq(udp(DNS1, 53), REFUSED);
	use_lists("action=accept proto=icmp\naction=accept specialtarget=dns", "", "drop");
	ck_assert_int_eq(udp(DNS1, 53), PASSES);
	ck_assert_int_eq(tcp(SERVER_IP, 1234), REFUSED);
	use_lists("action=accept dst4=192.0.2.80/32 proto=tcp dstports=1234-1234",
		  "action=accept dst6=2001:db8:9::80/128 proto=tcp dstports=1234-1234", "drop");
	ck_assert_int_eq(tcp(SERVER_IP, 1234), PASSES);
	ck_assert_int_eq(tcp6(SERVER_IP6, 1234), PASSES);
	ck_assert_int_eq(ping(SERVER_IP), REFUSED);
	use_lists("action=drop dst4=192.0.2.80/32 proto=tcp dstports=1234-1234\naction=accept",
		  "action=drop dst6=2001:db8:9::80/128 proto=tcp dstports=1234-1234\naction=accept",
		  "drop");
	ck_assert_int_eq(tcp(SERVER_IP, 1234), REFUSED);
	ck_assert_int_eq(tcp6(SERVER_IP6, 1234), REFUSED);
	ck_assert_int_eq(ping(SERVER_IP), PASSES);
}
END_TEST

static uint16_t connect_to(uint16_t from_port, uint16_t port)
{
	struct ends out = ends_out(0, SERVER_IP), in = ends_in(SERVER_IP);
	uint16_t outer;

	frame_tcp(&frame, &out, from_port, port, SYN, 100, 0, 0);
	outer = frame_source_port(test_pass(net, &net->client[0], &net->uplink, &frame));
	frame_tcp(&answer, &in, port, outer, SYN | ACK, 900, 101, 0);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	frame_tcp(&frame, &out, from_port, port, ACK, 101, 901, 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	return outer;
}

/* 031: of two live connections one is blocked, and not even its end passes */
START_TEST(dynamic_block_031)
{
	struct ends out = ends_out(0, SERVER_IP), in = ends_in(SERVER_IP);
	uint16_t one = connect_to(6000, 1234), two = connect_to(6001, 1235);

	use_lists("action=drop proto=tcp dstports=1234-1234\naction=accept", "", "drop");
	frame_tcp(&answer, &in, 1235, two, ACK, 901, 101, 50);
	test_pass(net, &net->uplink, &net->client[0], &answer);
	frame_tcp(&frame, &out, 6001, 1235, ACK, 101, 951, 50);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_tcp(&answer, &in, 1234, one, FIN | ACK, 901, 101, 0);
	test_drop(net, &net->uplink, &answer, DROP_BLOCKED);
	frame_tcp(&frame, &out, 6000, 1234, FIN | ACK, 101, 901, 0);
	ck_assert_int_eq(outcome(0), REFUSED);
}
END_TEST

/* 010, 030: the names of servers as clients know them, which are not ours */
START_TEST(dns_after_redirection)
{
	const struct ip_address seen[] = { four(DNS1), four(DNS2) };

	dns[0] = four(SERVER_IP);
	dns_count = 1;
	ck_assert_int_eq(router_set_dns(&net->router, seen, 2, dns, 1), 0);
	use_lists("action=accept specialtarget=dns", "", "drop");
	ck_assert_int_eq(udp(DNS1, 53), PASSES);
	ck_assert_int_eq(tcp(DNS2, 53), PASSES);
	ck_assert_int_eq(udp(SERVER_IP, 53), PASSES);
	ck_assert_int_eq(udp(DNS1, 54), REFUSED);
	/* A list sees the address that the query goes to. */
	use_lists("action=drop dst4=192.0.2.80\naction=accept", "", "drop");
	ck_assert_int_eq(udp(DNS1, 53), REFUSED);
	use_lists("action=drop dst4=10.139.1.1\naction=accept", "", "drop");
	ck_assert_int_eq(udp(DNS1, 53), PASSES);
}
END_TEST

/* 202: lists are of the real address */
START_TEST(fake_ip_firewall_202)
{
	const struct router_visible visible = { be32_of(CLIENT_IP(0)),
						be32_of(IP(192, 168, 1, 128)),
						be32_of(IP(192, 168, 1, 1)) };
	struct ends ends = { client_mac[0], our_client_mac, IP(192, 168, 1, 128), SERVER_IP };
	const struct frame *got;

	router_detach(&net->router, &net->client[0].netdev);
	ck_assert_int_eq(
		router_attach_client_visible(&net->router, &net->client[0].netdev, &visible), 0);
	use_lists("action=accept dst4=192.0.2.80/32 proto=tcp dstports=1234-1234", NULL, "drop");
	frame_tcp(&frame, &ends, 5000, 1234, SYN, 1, 0, 0);
	test_pass(net, &net->client[0], &net->uplink, &frame);
	frame_tcp(&frame, &ends, 5000, 1235, SYN, 1, 0, 0);
	got = test_pass(net, &net->client[0], &net->client[0], &frame);
	ck_assert_uint_eq(frame_icmp_type(got), 3);
	ck_assert_uint_eq(frame_icmp_code(got), 13);
	ck_assert_uint_eq(frame_source(got), IP(192, 168, 1, 1));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, input_icmp_of_a_client_is_answered);
	tcase_add_test(cases, input_udp_68_is_dropped);
	tcase_add_test(cases, input_else_is_host_prohibited);
	tcase_add_test(cases, input_of_the_uplink_is_established_only);
	tcase_add_test(cases, input_router_advertisements_and_redirects_are_dropped);
	tcase_add_test(cases, forward_no_client_reaches_another);
	tcase_add_test(cases, forward_nothing_new_comes_in);
	tcase_add_test(cases, forward_established_and_related_come_in);
	tcase_add_test(cases, postrouting_masquerades);
	tcase_add_test(cases, antispoof_of_clients);
	tcase_add_test(cases, antispoof_of_the_uplink);
	tcase_add_test(cases, connected_ips);
	tcase_add_test(cases, prepare_rules4);
	tcase_add_test(cases, prepare_rules6);
	tcase_add_test(cases, dns_of_the_other_family);
	tcase_add_loop_test(cases, read_rules_block_all, 0, ARRAY_SIZE(closing4));
	tcase_add_test(cases, read_rules_no_policy);
	tcase_add_test(cases, read_rules_wrong_family);
	tcase_add_test(cases, no_tree_is_silence);
	tcase_add_test(cases, drop_is_admin_prohibited);
	tcase_add_test(cases, policy_after_all_rules);
	tcase_add_loop_test(cases, is_blocked_table, 0, ARRAY_SIZE(is_blocked));
	tcase_add_test(cases, ladder_030);
	tcase_add_test(cases, dynamic_block_031);
	tcase_add_test(cases, dns_after_redirection);
	tcase_add_test(cases, fake_ip_firewall_202);
}

int main(void)
{
	return unit_main("net/qubes_router", add_cases);
}
