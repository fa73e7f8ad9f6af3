/* SPDX-License-Identifier: ISC */
/* What dom0 writes to QubesDB and calls by qrexec, against a router in a box. */
#include "configs/firewall/qubes.h"

#include <stdio.h>
#include <string.h>

#include "configs/firewall/clients.h"
#include "configs/firewall/host_names.h"
#include "lib/log.h"
#include "lib/log_history.h"
#include "net/names_udp.h"
#include "tests/configs/firewall/fake_qubes.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define FLOWS 256u
#define NAMES 16u /* that there is room for */
#define TREE "/qubes-firewall/10.138.0.10"
#define HANDLED "/qubes-firewall-handled/10.138.0.10"

static struct test_net *net;
static struct params params;
static struct netback_client about[2];
static struct frame frame;

static void print_stats(void (*line)(void *context, const char *text), void *context)
{
	router_print_stats(&net->router, line, context);
	qubes_print_stats(line, context);
}

static void begin(const char *cmdline)
{
	struct qubes_config config = { .params = &params, .print_stats = print_stats };

	log_init(log_history_add, NULL);
	ck_assert_int_eq(params_parse_qubes(cmdline, &params), 0);
	net = test_net_begin(NULL, FLOWS);
	fake_now_ns = net->now_ns;
	config.router = &net->router;
	host_names_make(&net->router, &net->random, NULL, NAMES);
	clients_make(&net->router, true);
	ck_assert_int_eq(qubes_start(&config), 0);
	for (unsigned int i = 0; i < 2; i++) {
		router_detach(&net->router, &net->client[i].netdev);
		snprintf(about[i].ip, sizeof(about[i].ip), "10.138.0.%u", 10 + i);
	}
	fake_write("/qubes-ip", "10.137.0.5");
	fake_write("/qubes-gateway", "10.137.0.1");
	fake_write("/qubes-primary-dns", "10.139.1.1");
	fake_write("/qubes-secondary-dns", "10.139.1.2");
	fake_write("/qubes-netvm-primary-dns", "10.139.1.1");
	fake_write("/qubes-netvm-secondary-dns", "10.139.1.2");
}

static void start(void)
{
	fake_loaded();
	fake_run();
	for (unsigned int i = 0; i < 2; i++)
		clients_attached(&net->client[i].netdev, &about[i], NULL);
	net->now_ns = fake_now_ns;
	test_net_advance(net, 1);
}

static void end(void)
{
	for (unsigned int i = 0; i < 2; i++)
		clients_detached(&net->client[i].netdev, NULL);
	router_set_rules(&net->router, NULL);
	net->router.service = NULL;
	net->router.names = NULL;
	test_net_end(net);
}

/* Sends `frame` from a client: what leaves by the uplink, beside ARP, or NULL. */
static const struct frame *sent(unsigned int client)
{
	const struct frame *out;

	test_link_skip(&net->uplink);
	test_link_input(&net->client[client], &frame);
	test_link_skip(&net->client[client]);
	do
		out = test_link_take(&net->uplink);
	while (out && frame_is_arp(out));
	return out;
}

/* Whether the client's UDP to a port leaves by the uplink; a port of its own each time. */
static bool passes(unsigned int client, uint16_t port)
{
	static uint16_t from = 2000;
	struct ends ends = ends_out(client, SERVER_IP);

	frame_udp(&frame, &ends, from++, port, 20);
	return sent(client) != NULL;
}

static const char *log_text(void)
{
	static char text[LOG_HISTORY_BYTES + 1];

	text[log_history_copy(text, LOG_HISTORY_BYTES)] = '\0';
	return text;
}

START_TEST(a_list_holds_with_its_commit)
{
	begin("");
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=accept proto=udp dstports=100-100");
	fake_write(TREE, "");
	start();
	ck_assert(passes(0, 100) && !passes(0, 200));
	ck_assert_str_eq(fake_written(HANDLED), "1");
	/* Removed and half written: what was committed holds. */
	fake_remove(TREE "/");
	fake_run();
	ck_assert(passes(0, 100) && !passes(0, 200));
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0003", "action=accept proto=udp dstports=200-200");
	fake_write(TREE "/0007", "action=accept proto=udp dstports=300");
	fake_run();
	ck_assert(passes(0, 100) && !passes(0, 200));
	ck_assert_str_eq(fake_written(HANDLED), "1");
	fake_write(TREE, "");
	fake_run();
	ck_assert(!passes(0, 100) && passes(0, 200) && passes(0, 300));
	ck_assert_str_eq(fake_written(HANDLED), "2");
	ck_assert_ptr_nonnull(strstr(log_text(), "rules of 10.138.0.10 applied (2 rules)"));
	/* A client without a list. */
	ck_assert(!passes(1, 100) && !passes(1, 200));
	/* The list's own entry goes. */
	fake_remove(TREE);
	fake_run();
	ck_assert(!passes(0, 200));
	end();
}
END_TEST

START_TEST(mistakes_close_their_source)
{
	static const char *const bad[][2] = {
		{ "/0001", "action=accept colour=blue" },
		{ "/0001", "proto=udp" },
		{ "/0001", "action=accept dst6=::1" },
		{ "/policy", "maybe" },
		{ "/colour", "blue" },
		{ "/0001", "" },
	};

	begin("");
	fake_write("/qubes-firewall/10.138.0.11/policy", "accept");
	fake_write("/qubes-firewall/10.138.0.11", "");
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[64];

		fake_remove(TREE "/");
		fake_write(TREE "/policy", "accept");
		fake_write(TREE "/0000", "action=accept");
		fake_write(TREE, "");
		fake_run();
		ck_assert(passes(0, 100));
		snprintf(path, sizeof(path), TREE "%s", bad[i][0]);
		fake_write(path, bad[i][1]);
		fake_write(TREE, "");
		fake_run();
		ck_assert_msg(!passes(0, 100), "%s: %s", bad[i][0], bad[i][1]);
		ck_assert(passes(1, 100));
	}
	/* Twice six, and all of them counted. */
	ck_assert_str_eq(fake_written(HANDLED), "12");
	ck_assert_ptr_nonnull(strstr(log_text(), "rules of 10.138.0.10: closed: "));
	/* No policy at all. */
	fake_remove(TREE "/");
	fake_write(TREE "/0000", "action=accept");
	fake_write(TREE, "");
	fake_run();
	ck_assert(!passes(0, 100));
	fake_write("/qubes-firewall/not-an-address", "");
	fake_run();
	ck_assert_ptr_nonnull(strstr(log_text(), "not-an-address"));
	end();
}
END_TEST

START_TEST(what_could_not_be_kept_closes_all)
{
	begin("");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	ck_assert(passes(0, 100));
	fake_whole = false;
	fake_write(TREE, "");
	fake_run();
	ck_assert(!passes(0, 100));
	/* It is tried again, and good as soon as all is there. */
	fake_whole = true;
	fake_run();
	ck_assert(!passes(0, 100));
	fake_now_ns += 2 * TEST_SECOND;
	fake_run();
	ck_assert(passes(0, 100));
	end();
}
END_TEST

START_TEST(an_expired_rule_ends_by_itself)
{
	char rule[64];

	begin("");
	snprintf(rule, sizeof(rule), "action=accept expire=%llu",
		 (unsigned long long)(fake_wall_ns / TEST_SECOND + 5));
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", rule);
	fake_write(TREE, "");
	start();
	ck_assert(passes(0, 100));
	fake_now_ns += 4 * TEST_SECOND;
	fake_wall_ns += 4 * TEST_SECOND;
	fake_run();
	ck_assert(passes(0, 100));
	fake_now_ns += 2 * TEST_SECOND;
	fake_wall_ns += 2 * TEST_SECOND;
	fake_run();
	ck_assert(!passes(0, 100));
	end();
}
END_TEST

START_TEST(read_again_after_a_restart)
{
	begin("");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	fake_loaded();
	fake_run();
	ck_assert(passes(0, 100));
	ck_assert_str_eq(fake_written(HANDLED), "2");
	end();
}
END_TEST

START_TEST(a_new_daemon_knows_no_old_rules)
{
	begin("");
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=drop proto=udp dstports=100");
	fake_write(TREE "/0001", "action=accept");
	fake_write(TREE, "");
	start();
	ck_assert(!passes(0, 100) && passes(0, 200));
	/* Nothing is said of the list: it holds on, and is not applied again. */
	fake_restarted();
	fake_loaded();
	fake_run();
	ck_assert(!passes(0, 100) && passes(0, 200));
	ck_assert_str_eq(fake_written(HANDLED), "1");
	/* Half a list, and the daemon goes once more: it was not committed. */
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=accept");
	fake_restarted();
	fake_loaded();
	fake_run();
	ck_assert(!passes(0, 100) && passes(0, 200));
	/* A shorter one: nothing of the old one comes behind it. */
	fake_remove(TREE "/");
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=accept proto=udp dstports=100");
	fake_write(TREE, "");
	fake_run();
	ck_assert(passes(0, 100) && !passes(0, 200));
	end();
}
END_TEST

START_TEST(a_client_waits_for_its_rules)
{
	begin("");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	clients_detached(&net->client[0].netdev, NULL);
	/* Started again with other rules, which are known and do not hold yet. */
	fake_remove(TREE "/");
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=accept proto=udp dstports=100");
	fake_write(TREE, "");
	clients_attached(&net->client[0].netdev, &about[0], NULL);
	ck_assert(!passes(0, 100) && !passes(0, 200));
	fake_run();
	ck_assert(passes(0, 100) && !passes(0, 200));
	/* With rules that have not even been read. */
	clients_detached(&net->client[0].netdev, NULL);
	fake_drained = false;
	clients_attached(&net->client[0].netdev, &about[0], NULL);
	fake_run();
	ck_assert(!passes(0, 100));
	fake_write(TREE "/0000", "action=accept proto=udp dstports=300");
	fake_write(TREE, "");
	fake_run();
	ck_assert(!passes(0, 100) && !passes(0, 300));
	fake_drained = true;
	fake_now_ns += TEST_SECOND;
	fake_run();
	ck_assert(!passes(0, 100) && passes(0, 300));
	/* Others' rules that come all the time do not keep it waiting. */
	clients_detached(&net->client[0].netdev, NULL);
	fake_write("/qubes-firewall/10.138.0.11", "");
	clients_attached(&net->client[0].netdev, &about[0], NULL);
	ck_assert(!passes(0, 300));
	fake_step();
	fake_write("/qubes-firewall/10.138.0.11", "");
	ck_assert(passes(0, 300));
	fake_run();
	/* Gone before its turn. */
	clients_detached(&net->client[0].netdev, NULL);
	fake_drained = false;
	clients_attached(&net->client[0].netdev, &about[0], NULL);
	clients_detached(&net->client[0].netdev, NULL);
	fake_drained = true;
	fake_now_ns += TEST_SECOND;
	fake_run();
	clients_attached(&net->client[0].netdev, &about[0], NULL);
	ck_assert(passes(0, 300));
	end();
}
END_TEST

/* Disposable qubes come and go, each with an address of its own. */
START_TEST(lists_of_clients_that_are_gone_go)
{
	char tree[64], path[80];

	begin("");
	fake_write("/connected-ips", "10.138.0.12");
	fake_write("/mapped-ip/10.138.0.13/visible-ip", "192.168.1.1");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	for (unsigned int i = 12; i < 1200; i++) {
		snprintf(tree, sizeof(tree), "/qubes-firewall/10.138.%u.%u", i / 256, i % 256);
		snprintf(path, sizeof(path), "%s/policy", tree);
		fake_write(path, "accept");
		fake_write(tree, "");
		if (i % 16 == 0)
			fake_run();
	}
	fake_run();
	ck_assert_int_eq(fake_call("ringwall.Status", ""), 0);
	ck_assert_ptr_null(strstr(fake_output(), "1189 lists"));
	ck_assert(passes(0, 100));
	ck_assert(fake_has(TREE) && fake_has("/qubes-firewall/10.138.0.12"));
	ck_assert(fake_has("/qubes-firewall/10.138.0.13"));
	ck_assert(!fake_has("/qubes-firewall/10.138.0.14"));
	ck_assert(!fake_has("/qubes-firewall/10.138.0.14/policy"));
	ck_assert(!fake_has("/qubes-firewall-handled/10.138.0.14"));
	/* The newest is nobody's yet. */
	ck_assert(fake_has("/qubes-firewall/10.138.4.175"));
	ck_assert_str_eq(fake_written("/qubes-firewall-handled/10.138.4.175"), "1");
	end();
}
END_TEST

static void write_names(const char *prefix)
{
	char path[64], rule[64];

	fake_remove(TREE "/");
	fake_write(TREE "/policy", "drop");
	for (unsigned int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), TREE "/%04u", i);
		snprintf(rule, sizeof(rule), "action=accept dsthost=%s%u.example.com", prefix, i);
		fake_write(path, rule);
	}
	fake_write(TREE, "");
	fake_run();
}

START_TEST(all_names_at_once_are_others)
{
	begin("");
	start();
	write_names("old");
	ck_assert_uint_eq(net->router.names->names->used, NAMES);
	write_names("new");
	ck_assert_uint_eq(net->router.names->names->used, NAMES);
	ck_assert_ptr_null(strstr(log_text(), "too many host names"));
	end();
}
END_TEST

static bool address_is(be32 address, uint32_t expected)
{
	return be32_get(address) == expected;
}

START_TEST(addresses_follow)
{
	const struct router_uplink4 *ip4;

	begin("");
	start();
	ip4 = &net->router.ip4;
	ck_assert(address_is(ip4->address, OUR_IP) && address_is(ip4->gateway, GATEWAY_IP));
	ck_assert_uint_eq(ip4->prefix, 32);
	fake_write("/qubes-ip", "10.137.0.77");
	fake_write("/qubes-gateway", "10.137.0.9");
	fake_write("/qubes-ip6", "fd09:24ef:4179::a89:5");
	fake_write("/qubes-gateway6", "fe80::fcff:ffff:feff:ffff");
	ck_assert(address_is(ip4->address, IP(10, 137, 0, 77)));
	ck_assert(address_is(ip4->gateway, IP(10, 137, 0, 9)));
	ck_assert(net->router.has6);
	/* /vm-config counts more. */
	fake_write("/vm-config/ringwall-ip", "192.168.5.2/24");
	fake_write("/vm-config/ringwall-gateway", "192.168.5.1");
	ck_assert(address_is(ip4->address, IP(192, 168, 5, 2)));
	ck_assert(address_is(ip4->gateway, IP(192, 168, 5, 1)));
	ck_assert_uint_eq(ip4->prefix, 24);
	fake_remove("/vm-config/");
	ck_assert(address_is(ip4->address, IP(10, 137, 0, 77)));
	/* Without a net VM there is no address. */
	fake_remove("/qubes-ip");
	fake_remove("/qubes-gateway");
	ck_assert(address_is(ip4->address, 0));
	/* Nonsense is as good as nothing. */
	fake_write("/qubes-ip", "10.137.0.5x");
	ck_assert(address_is(ip4->address, 0));
	end();
}
END_TEST

START_TEST(the_command_line_counts_most)
{
	begin("root=/dev/mapper/dmroot ip=172.16.0.2/30 gw=172.16.0.1 dns=9.9.9.9");
	fake_write("/vm-config/ringwall-ip", "192.168.5.2/24");
	start();
	ck_assert(address_is(net->router.ip4.address, IP(172, 16, 0, 2)));
	ck_assert(address_is(net->router.ip4.gateway, IP(172, 16, 0, 1)));
	end();
}
END_TEST

START_TEST(a_client_gets_the_address_that_was_ours)
{
	begin("");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	fake_write("/qubes-ip", "10.138.0.10");
	start();
	ck_assert(!passes(0, 100));
	fake_write("/qubes-ip", "10.137.0.5");
	fake_run();
	ck_assert(passes(0, 100));
	end();
}
END_TEST

static const struct frame *dns_sent(uint32_t server)
{
	struct ends ends = ends_out(0, server);
	static uint16_t from = 3000;

	frame_udp(&frame, &ends, from++, 53, 20);
	return sent(0);
}

START_TEST(only_dns)
{
	begin("");
	fake_write(TREE "/policy", "drop");
	fake_write(TREE "/0000", "action=accept specialtarget=dns");
	fake_write(TREE, "");
	start();
	ck_assert(dns_sent(IP(10, 139, 1, 1)) && dns_sent(IP(10, 139, 1, 2)));
	ck_assert(!dns_sent(IP(9, 9, 9, 9)) && !passes(0, 53));
	/* Another net VM has another one, and clients know nothing of it. */
	fake_write("/qubes-primary-dns", "192.168.1.53");
	fake_remove("/qubes-secondary-dns");
	fake_run();
	ck_assert(dns_sent(IP(10, 139, 1, 1)) && dns_sent(IP(10, 139, 1, 2)));
	ck_assert_uint_eq(
		frame_destination(net->uplink.kept[(net->uplink.sent - 1) % TEST_LINK_KEEPS]),
		IP(192, 168, 1, 53));
	end();
}
END_TEST

START_TEST(clients_that_are_not_here)
{
	struct ends ends;

	begin("");
	fake_write("/connected-ips", "10.138.0.10  10.138.0.99 nonsense 10.138.0.11");
	fake_write("/connected-ips6", "fd09::a");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	ck_assert(passes(0, 100));
	ends = ends_out(0, IP(10, 138, 0, 99));
	frame_udp(&frame, &ends, 5000, 100, 20);
	test_drop(net, &net->client[0], &frame, DROP_DOWNSTREAM);
	ck_assert_ptr_nonnull(strstr(log_text(), "nonsense"));
	fake_write("/connected-ips", "");
	frame_udp(&frame, &ends, 5001, 100, 20);
	test_link_input(&net->client[0], &frame);
	ck_assert_uint_eq(test_net_drops(net, DROP_DOWNSTREAM), 1);
	test_link_skip(&net->uplink);
	end();
}
END_TEST

START_TEST(fake_addresses)
{
	struct ends ends;

	begin("");
	fake_write("/mapped-ip/10.138.0.10/visible-ip", "192.168.1.128");
	fake_write("/mapped-ip/10.138.0.10/visible-gateway", "192.168.1.1");
	fake_write(TREE "/policy", "accept");
	fake_write(TREE, "");
	start();
	ck_assert(!passes(0, 100)); /* from the real one: spoofed */
	ends = ends_out(0, SERVER_IP);
	ends.from = IP(192, 168, 1, 128);
	frame_udp(&frame, &ends, 5000, 100, 20);
	ck_assert_ptr_nonnull(sent(0));
	ck_assert_uint_eq(frame_source(sent(0)), OUR_IP);
	/* dom0 thinks better of it while the client is here. */
	fake_remove("/mapped-ip/10.138.0.10/");
	ck_assert(passes(0, 100));
	fake_write("/mapped-ip/10.138.0.10/visible-ip", "192.168.1.129");
	ck_assert(!passes(0, 100));
	/* Its own address is no fake. */
	fake_write("/mapped-ip/10.138.0.10/visible-ip", "10.138.0.10");
	ck_assert(passes(0, 100));
	end();
}
END_TEST

START_TEST(agents)
{
	begin("");
	fake_daemon();
	ck_assert_str_eq(fake_triggered(), "");
	start();
	ck_assert_str_eq(fake_triggered(), "qubes.FeaturesRequest");
	ck_assert_str_eq(fake_written("/features-request/qubes-firewall"), "1");
	ck_assert_ptr_nonnull(strstr(log_text(), "agents connected in "));
	end();
}
END_TEST

START_TEST(services)
{
	begin("");
	start();
	ck_assert_int_eq(fake_call("qubes.WaitForSession", ""), 0);
	ck_assert_int_eq(fake_call("qubes.SuspendPre", ""), 0);
	ck_assert_int_eq(fake_call("qubes.SetDateTime", "2026-11-21T17:00:00+00:00\n"), 0);
	ck_assert_uint_eq(fake_wall_ns, 1795280400000000000ull);
	ck_assert_int_eq(fake_call("qubes.SetDateTime", "2026-11-21T17:00:01+00:00"), 0);
	ck_assert_uint_eq(fake_wall_ns, 1795280401000000000ull);
	ck_assert_int_ne(fake_call("qubes.SetDateTime", "yesterday\n"), 0);
	ck_assert_int_ne(fake_call("qubes.SetDateTime", ""), 0);
	ck_assert_int_ne(fake_call("qubes.SetDateTime",
				   "2026-11-21T17:00:00+00:00 "
				   "                                          "),
			 0);
	ck_assert_uint_eq(fake_wall_ns, 1795280401000000000ull);
	ck_assert_str_ne(fake_error(), "");
	ck_assert_int_eq(fake_call("ringwall.Status", ""), 0);
	ck_assert_ptr_nonnull(strstr(fake_output(), "qubes rules: 0 lists"));
	ck_assert_int_eq(fake_call("ringwall.Log", ""), 0);
	ck_assert_ptr_nonnull(strstr(fake_output(), "it is 2026-11-21T17:00:01.000Z"));
	ck_assert_int_eq(fake_call("qubes.WaitForNetworkUplink", ""), 0);
	net->uplink.netdev.up = false;
	ck_assert_int_ne(fake_call("qubes.WaitForNetworkUplink", ""), 0);
	net->uplink.netdev.up = true;
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_list_holds_with_its_commit);
	tcase_add_test(cases, mistakes_close_their_source);
	tcase_add_test(cases, what_could_not_be_kept_closes_all);
	tcase_add_test(cases, an_expired_rule_ends_by_itself);
	tcase_add_test(cases, read_again_after_a_restart);
	tcase_add_test(cases, a_new_daemon_knows_no_old_rules);
	tcase_add_test(cases, a_client_waits_for_its_rules);
	tcase_add_test(cases, lists_of_clients_that_are_gone_go);
	tcase_add_test(cases, all_names_at_once_are_others);
	tcase_add_test(cases, addresses_follow);
	tcase_add_test(cases, the_command_line_counts_most);
	tcase_add_test(cases, a_client_gets_the_address_that_was_ours);
	tcase_add_test(cases, only_dns);
	tcase_add_test(cases, clients_that_are_not_here);
	tcase_add_test(cases, fake_addresses);
	tcase_add_test(cases, agents);
	tcase_add_test(cases, services);
}

int main(void)
{
	return unit_main("configs/firewall/qubes", add_cases);
}
