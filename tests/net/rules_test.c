/* SPDX-License-Identifier: ISC */
#include "net/rules.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/rules_internal.h"
#include "tests/host/unit.h"

static struct ruleset *parse(const char *text)
{
	struct ruleset *set = NULL;
	struct rules_error error;
	int result = ruleset_parse(text, strlen(text), &set, &error);

	ck_assert_msg(result == 0, "%u:%u: %s", error.line, error.column, error.message);
	return set;
}

static be32 address(const char *text)
{
	be32 value;

	ck_assert_int_eq(ip4_text_parse(text, strlen(text), &value), 0);
	return value;
}

static struct rules_query tcp(enum rules_direction direction, const char *from, const char *to,
			      uint16_t port)
{
	return (struct rules_query){
		.direction = direction,
		.interface = direction == RULES_IN ? "client3.0" : "uplink0",
		.interface_group = direction == RULES_IN ? "clients" : "uplink",
		.source = ip_address_of4(address(from)),
		.destination = ip_address_of4(address(to)),
		.protocol = 6,
		.source_port = 40000,
		.destination_port = port,
		.tcp_flags = 0x02,
	};
}

/* Does the text pass a SYN from 10.0.0.5 to 192.0.2.1 port 80, coming in? */
static bool passes(const char *text)
{
	struct ruleset *set = parse(text);
	struct rules_query query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);
	bool pass = ruleset_judge(set, &query).action == RULES_PASS;

	ruleset_free(set);
	return pass;
}

START_TEST(closed_by_default)
{
	struct rules_query query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);

	ck_assert_int_eq(ruleset_judge(NULL, &query).action, RULES_BLOCK_DROP);
	ck_assert(!passes(""));
	ck_assert(!passes("# nothing\n\n"));
	ck_assert(passes("pass"));
}
END_TEST

START_TEST(the_last_match_wins_and_quick_ends)
{
	ck_assert(passes("block all\npass in proto tcp to any port 80\n"));
	ck_assert(!passes("pass all\nblock in proto tcp to any port 80\n"));
	ck_assert(passes("pass in quick proto tcp to any port 80\nblock all\n"));
	ck_assert(!passes("block quick all\npass all"));
}
END_TEST

static const struct {
	const char *text;
	bool pass;
} clauses[] = {
	{ "pass in", true },
	{ "pass out", false },
	{ "pass on clients", true },
	{ "pass on client3.0", true },
	{ "pass on client30.0", false },
	{ "pass on ! uplink", true },
	{ "pass proto udp", false },
	{ "pass proto { udp tcp }", true },
	{ "pass proto 6", true },
	{ "pass from 10.0.0.0/8", true },
	{ "pass from 10.0.0.99/24", true },
	{ "pass from 10.0.1.0/24", false },
	{ "pass from ! 10.0.1.0/24", true },
	{ "pass from { 1.2.3.4, 10.0.0.5 }", true },
	{ "pass from self", false },
	{ "pass from ! self to 192.0.2.1", true },
	{ "pass proto tcp to port 80", true },
	{ "pass proto tcp to any port http", true },
	{ "pass proto tcp to any port 79:81", true },
	{ "pass proto tcp to any port 81:90", false },
	{ "pass proto tcp to any port != 80", false },
	{ "pass proto tcp to any port < 80", false },
	{ "pass proto tcp to any port <= 80", true },
	{ "pass proto tcp to any port > 80", false },
	{ "pass proto tcp to any port >= 80", true },
	{ "pass proto tcp to any port 79 >< 81", true },
	{ "pass proto tcp to any port 80 >< 82", false },
	{ "pass proto tcp to any port 80 <> 82", false },
	{ "pass proto tcp to any port 81 <> 82", true },
	{ "pass proto tcp from any port 40000 to any port { 22 80 }", true },
	{ "pass proto tcp from any port 1 to any port { 22 80 }", false },
	{ "pass proto tcp flags S/SA", true },
	{ "pass proto tcp flags A/A", false },
	{ "pass proto tcp flags any no state", true },
	{ "web = \"{ 80 443 }\"\npass proto tcp to any port $web", true },
	{ "web = { 80 443 }\npass proto tcp to any port $web", true },
	{ "net = 10.0.0.0/24\npass \\\n from $net", true },
	{ "pass proto { tcp\n udp } to any port {\n 80, # web\n 443 }", true },
	{ "pass inet6", false },
	{ "pass from { 2001:db8::/32 10.0.0.5 }", true },
	{ "pass from ! 2001:db8::/32", false },
	{ "pass from { 1.2.3.4 { 5.6.7.8, 10.0.0.5 } }", true },
	{ "a = { 1.2.3.4 }\nb = { 10.0.0.5 }\npass from { $a $b }", true },
	{ "table <t> { 10.0.0.0/8 }\npass from <t>", true },
	{ "table <t> { 10.0.0.0/8, !10.0.0.0/24 }\npass from <t>", false },
	{ "table <t> { 10.0.0.0/8 !10.0.0.0/24 10.0.0.5 }\npass from <t>", true },
	{ "table <t> const { 10.0.0.0/8 }\npass from ! <t>", false },
	{ "pass from !<t>\ntable <t> persist\n", true },
	{ "pass from { 1.2.3.4 <t> }\ntable <t> {\n 2001:db8::1\n 10.0.0.4/31\n}\n", true },
	{ "match in proto tcp rdr-to 10.0.0.9", false },
	{ "pass in proto tcp rdr-to 10.0.0.9 port 8080", true },
	{ "pass proto { tcp icmp6 icmp }", true },
	{ "set skip on lo0\npass", true },
	{ "pass in on { a clients }", true },
	{ "pass in on { a b }", false },
	{ "pass in on { ! clients b }", false },
	{ "pass in on egress", false },
	{ "pass proto tcp to port www", true },
	{ "pass in\nantispoof quick for { uplink clients }", true },
	{ "block return-rst\nblock return-icmp6 (noroute-unr)\npass in", true },
	{ "pass log quick inet label \"a b\" keep state", true },
};

START_TEST(clause)
{
	ck_assert_msg(passes(clauses[_i].text) == clauses[_i].pass, "%s", clauses[_i].text);
}
END_TEST

static const struct {
	const char *text;
	uint32_t line, column;
} mistakes[] = {
	{ "pas in", 1, 1 },
	{ "block all\npass in proto tpc", 2, 15 },
	{ "pass proto tcp to any port 70000", 1, 28 },
	{ "pass proto tcp to any port 90:80", 1, 28 },
	{ "pass to any port 80", 1, 13 },
	{ "pass proto icmp to any port 80", 1, 24 },
	{ "pass proto tcp icmp-type echoreq", 1, 16 },
	{ "pass from 10.0.0.0/33", 1, 11 },
	{ "pass from 10.0.0", 1, 11 },
	{ "pass from ! any", 1, 13 },
	{ "pass on", 1, 8 },
	{ "pass proto { tcp udp", 1, 12 },
	{ "pass in in port", 1, 12 },
	{ "pass proto tcp flags S/A", 1, 22 },
	{ "pass $nothing", 1, 6 },
	{ "a = 1\na = 2", 2, 1 },
	{ "pass label \"no end", 1, 12 },
	{ "set limit stats 5", 1, 11 },
	{ "pass inet6 from 10.0.0.1", 1, 1 },
	{ "pass inet inet6", 1, 11 },
	{ "pass from 10.0.0.1 to 2001:db8::1", 1, 1 },
	{ "pass from 2001:db8::/129", 1, 11 },
	{ "pass proto icmp icmp6-type echoreq", 1, 17 },
	{ "pass inet proto icmp6", 1, 1 },
	{ "pass from ! { 10.0.0.1 }", 1, 13 },
	{ "\npass from <t>", 2, 11 },
	{ "table <t> { }\ntable <t> { }", 2, 7 },
	{ "table <t> { any }", 1, 13 },
	{ "table t { }", 1, 7 },
	{ "pass nat-to (uplink)", 1, 6 },
	{ "pass out nat-to (eth0)", 1, 18 },
	{ "pass out nat-to 10.0.0.0/8", 1, 17 },
	{ "pass out inet6 nat-to 10.0.0.1", 1, 23 },
	{ "block in rdr-to 10.0.0.1", 1, 10 },
	{ "pass in rdr-to 10.0.0.1 port != 5", 1, 30 },
	{ "pass in rdr-to 10.0.0.1 nat-to 10.0.0.2", 1, 25 },
	{ "match quick", 1, 1 },
	{ "match keep state", 1, 7 },
	{ "pass keep state (max 0)", 1, 22 },
	{ "pass keep state (tcp.nonsense 5)", 1, 18 },
	{ "pass scrub (no-df)", 1, 13 },
	{ "set timeout udp.first no", 1, 23 },
	{ "pass ;", 1, 6 },
	{ "anchor \"ftp-proxy/*\"", 1, 1 },
	{ "nat on em0 from any to any -> (em0)", 1, 1 },
	{ "rdr pass on em0 proto tcp to port 80 -> 10.0.0.1", 1, 1 },
	{ "no nat on em0", 1, 1 },
	{ "scrub in all", 1, 1 },
	{ "include \"/etc/pf/more\"", 1, 1 },
	{ "set skip on { lo internal }", 1, 13 },
	{ "set loginterface em0", 1, 5 },
	{ "set state-policy if-bound", 1, 5 },
	{ "pass in user root", 1, 9 },
	{ "pass in probability 20%", 1, 9 },
	{ "pass tagged red", 1, 6 },
	{ "pass modulate state", 1, 6 },
	{ "pass in route-to 10.0.0.1", 1, 9 },
	{ "pass keep state (sloppy)", 1, 18 },
	{ "pass keep state (max 5, overload <t>)", 1, 25 },
	{ "match in all scrub (no-df max-mss 1440)", 1, 21 },
	{ "pass from (em0)", 1, 11 },
	{ "block from urpf-failed", 1, 12 },
	{ "pass from em0:network", 1, 11 },
	{ "table <t> persist file \"/etc/t\"", 1, 19 },
	{ "antispoof quick em0", 1, 17 },
	{ "antispoof for", 1, 14 },
	{ "block return-icmp (16)", 1, 20 },
	{ "block return-icmp (host-unr, port-nur)", 1, 30 },
	{ "block return-icmp6 (5)", 1, 21 },
	{ "block return-rst (ttl 5)", 1, 18 },
	{ "pass out from 10.0.0.0/8 nat-to 192.0.2.0/24 bitmask", 1, 26 },
	{ "pass out from any nat-to 192.0.2.0/24 bitmask", 1, 19 },
	{ "pass out nat-to 192.0.2.0/24 round-robin", 1, 17 },
	{ "pass out nat-to 192.0.2.1 round-robin", 1, 27 },
	{ "pass out nat-to 192.0.2.1 port 5 static-port", 1, 34 },
	{ "pass in rdr-to 192.0.2.1 symmetric", 1, 26 },
	{ "pass out from 10.0.0.0/24 nat-to 192.0.2.0/24 nptv6", 1, 47 },
	{ "pass out from 2001:db8::/96 nat-to 2001:db8:1::/96 nptv6", 1, 52 },
	{ "pass out from 2001:db8::/48 nat-to 2001:db8:1::/56 nptv6", 1, 29 },
	{ "match on uplink from 10.0.0.0/24 binat-to 192.0.2.1", 1, 34 },
	{ "match on uplink from { 10.0.0.1 ! 10.0.0.2 } binat-to 192.0.2.1", 1, 46 },
	{ "match on uplink from self binat-to 192.0.2.1", 1, 27 },
	{ "match on uplink binat-to 192.0.2.1", 1, 17 },
	{ "match out on uplink from 10.0.0.1 binat-to 192.0.2.1", 1, 35 },
	{ "match no nat", 1, 7 },
	{ "match out no nat nat-to (uplink)", 1, 18 },
	{ "block out no nat", 1, 11 },
	{ "\n\n  pass keep", 3, 12 },
};

START_TEST(mistake)
{
	struct ruleset *set = NULL;
	struct rules_error error;
	const char *text = mistakes[_i].text;

	ck_assert_msg(ruleset_parse(text, strlen(text), &set, &error) == -EINVAL, "%s", text);
	ck_assert_ptr_null(set);
	ck_assert_msg(error.line == mistakes[_i].line && error.column == mistakes[_i].column,
		      "%s: %u:%u: %s", text, error.line, error.column, error.message);
	ck_assert_uint_gt(strlen(error.message), 0);
}
END_TEST

START_TEST(block_policy_and_icmp)
{
	struct ruleset *set = parse("set block-policy return\nblock all\nblock drop proto udp\n"
				    "pass proto icmp icmp-type unreach code 4 label x\n");
	struct rules_query query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);
	struct rules_verdict verdict = ruleset_judge(set, &query);

	ck_assert_int_eq(verdict.action, RULES_BLOCK_RETURN);
	query.protocol = 17;
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_DROP);
	query.protocol = 1;
	query.icmp_type = 3;
	query.icmp_code = 4;
	verdict = ruleset_judge(set, &query);
	ck_assert_int_eq(verdict.action, RULES_PASS);
	ck_assert_str_eq(ruleset_rule_label(set, verdict.rule), "x");
	ck_assert_uint_eq(ruleset_rule_line(set, verdict.rule), 4);
	ck_assert_uint_eq(ruleset_rule_hits(set, verdict.rule), 1);
	query.icmp_code = 5;
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_RETURN);
	ruleset_free(set);
}
END_TEST

static struct ip_address address6(const char *text)
{
	uint8_t bytes[16];

	ck_assert_int_eq(ip6_text_parse(text, strlen(text), bytes), 0);
	return ip_address_of6(bytes);
}

START_TEST(both_versions)
{
	struct ruleset *set = parse("table <nets> { 10.0.0.0/8 2001:db8::/32 !2001:db8:bad::/48 }\n"
				    "pass from <nets>\n"
				    "block inet6 proto icmp6 icmp6-type { echoreq, redir }\n"
				    "pass to 2001:db8:2::/48 label six\n");
	struct rules_query query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);

	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_PASS);
	query.source = address6("2001:db8::5");
	query.destination = address6("2001:db8:1::1");
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_PASS);
	query.protocol = 58;
	query.icmp_type = 128;
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_DROP);
	query.icmp_type = 129;
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_PASS);
	query.source = address6("2001:db8:bad::5");
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_DROP);
	query.destination = address6("2001:db8:2:ffff::");
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_PASS);
	query.destination = address6("2001:db8:3::");
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_DROP);
	ruleset_free(set);
}
END_TEST

/* Random tables, whose prefixes lie in one another: the narrowest decides. */
START_TEST(tables_by_the_narrowest)
{
	uint64_t state = (unit_seed() + (uint64_t)_i) | 1;
	struct ruleset set = { 0 };
	struct rules_table *table = rules_table_get(&set, "t", 1);
	struct rules_entry entries[40];
	size_t count = unit_random(&state) % 40;
	uint8_t version = _i % 2 ? 4 : 6;

	for (size_t i = 0; i < count; i++) {
		struct rules_entry *e = &entries[i];

		*e = (struct rules_entry){ .address.version = version };
		e->address.bytes[0] = unit_random(&state) % 4 ? 0 : 0xff;
		e->address.bytes[3] = (uint8_t)unit_random(&state);
		e->prefix = (uint8_t)(unit_random(&state) % 33);
		e->negated = unit_random(&state) % 2;
		ip_address_mask(&e->address, e->prefix);
		ck_assert_int_eq(rules_table_add(&set, table, e), 0);
	}
	ck_assert_int_eq(rules_table_finish(table), 0);
	for (unsigned int n = 0; n < 512; n++) {
		struct ip_address a = { .version = version };
		int best = -1;
		bool inside = false;

		a.bytes[0] = n & 256 ? 0xff : 0;
		a.bytes[3] = (uint8_t)n;
		for (size_t i = 0; i < count; i++) {
			struct ip_address masked = a;

			ip_address_mask(&masked, entries[i].prefix);
			if (!ip_address_equal(&masked, &entries[i].address))
				continue;
			if (entries[i].prefix == best && entries[i].negated)
				inside = false;
			if (entries[i].prefix > best)
				inside = !entries[i].negated;
			if (entries[i].prefix > best)
				best = entries[i].prefix;
		}
		ck_assert_msg(rules_table_contains(table, &a) == inside, "%u", n);
	}
	rules_tables_free(&set);
}
END_TEST

START_TEST(parameters_of_match_and_pass)
{
	struct ruleset *set =
		parse("set limit { states 5000 frags 10 }\nset timeout tcp.established 600\n"
		      "match in scrub (max-mss 1400)\n"
		      "match out on uplink nat-to (uplink)\n"
		      "match out on uplink from 10.0.0.7 nat-to 192.0.2.7 port 1024:2047\n"
		      "match log from 10.0.0.7\n"
		      "pass out keep state (max 10, max-src-states 3 tcp.established 60)\n"
		      "pass in quick proto tcp to port 80 rdr-to 10.0.0.9 port 8080\n"
		      "match in scrub (max-mss 1300)\n");
	struct rules_query query = tcp(RULES_OUT, "10.0.0.5", "192.0.2.1", 80);
	struct rules_verdict v = ruleset_judge(set, &query);

	ck_assert_int_eq(v.action, RULES_PASS);
	ck_assert_uint_eq(v.nat_to->address.version, 0);
	ck_assert(!v.log && !v.rdr_to && !v.max_mss);
	ck_assert_uint_eq(v.limits->max_states, 10);
	ck_assert_uint_eq(v.limits->max_source_states, 3);
	ck_assert_uint_eq(v.limits->timeout[RULES_TCP_ESTABLISHED], 60);
	query.source.bytes[3] = 7;
	v = ruleset_judge(set, &query);
	ck_assert(v.log);
	ck_assert_uint_eq(be32_get(ip_address_get4(&v.nat_to->address)), 0xc0000207);
	ck_assert_uint_eq(v.nat_to->port_low, 1024);
	ck_assert_uint_eq(v.nat_to->port_high, 2047);
	query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.max_mss, 1400); /* quick came before the last match rule */
	ck_assert_uint_eq(v.rdr_to->port_low, 8080);
	query.destination_port = 81;
	v = ruleset_judge(set, &query);
	ck_assert_int_eq(v.action, RULES_BLOCK_DROP);
	ck_assert_uint_eq(v.max_mss, 1300);
	ck_assert_uint_eq(ruleset_options(set)->limit_states, 5000);
	ck_assert_uint_eq(ruleset_options(set)->limit_fragments, 10);
	ck_assert_uint_eq(ruleset_options(set)->timeout[RULES_TCP_ESTABLISHED], 600);
	ruleset_free(set);
}
END_TEST

START_TEST(block_says_how)
{
	struct ruleset *set = parse("block return-icmp\n"
				    "block return-icmp (host-unr) proto tcp to port 81\n"
				    "block return-icmp (13, admin-unr) proto tcp to port 82\n"
				    "block return-icmp6 (beyond-unr) proto tcp to port 83\n"
				    "block return-rst proto tcp to port 84\n");
	static const struct {
		enum rules_action action;
		uint8_t code4, code6;
	} answers[] = { { RULES_BLOCK_ICMP, 3, 4 },
			{ RULES_BLOCK_ICMP, 1, 4 },
			{ RULES_BLOCK_ICMP, 13, 1 },
			{ RULES_BLOCK_ICMP, 3, 2 },
			{ RULES_BLOCK_RST, 0, 0 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		struct rules_query query =
			tcp(RULES_IN, "10.0.0.5", "192.0.2.1", (uint16_t)(80 + i));
		struct rules_verdict v = ruleset_judge(set, &query);

		ck_assert_int_eq(v.action, answers[i].action);
		ck_assert_uint_eq(v.icmp4_answer, answers[i].code4);
		ck_assert_uint_eq(v.icmp6_answer, answers[i].code6);
	}
	ruleset_free(set);
}
END_TEST

START_TEST(antispoof_is_of_our_own)
{
	struct ruleset *set = parse("pass in\nantispoof log for { uplink clients } inet\n");
	struct rules_query query = tcp(RULES_IN, "10.0.0.5", "192.0.2.1", 80);

	ck_assert_uint_eq(ruleset_count(set), 2);
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_PASS);
	query.source_is_self = true;
	ck_assert_int_eq(ruleset_judge(set, &query).action, RULES_BLOCK_DROP);
	ck_assert(ruleset_judge(set, &query).log);
	ruleset_free(set);
}
END_TEST

START_TEST(modes_of_translation)
{
	struct ruleset *set = parse(
		"pass\n"
		"match out on uplink nat-to (uplink) symmetric\n"
		"match out on uplink from 10.0.0.6 nat-to 192.0.2.6 port 1024:2000 symmetric\n"
		"match out on uplink from 10.0.1.0/24 nat-to 192.0.3.0/24 bitmask\n"
		"match out on uplink from 10.0.0.7 nat-to (egress) static-port\n"
		"match out on uplink to 10.0.0.0/8 no nat\n"
		"match out on uplink from fd00:1::/48 nat-to 2001:db8:1::/48 nptv6\n"
		"match in on uplink to 192.0.3.0/24 rdr-to 10.0.1.0/24 bitmask\n"
		"match in on uplink from 192.0.2.99 no rdr\n");
	struct rules_query query = tcp(RULES_OUT, "10.0.0.5", "192.0.2.1", 80);
	struct rules_verdict v = ruleset_judge(set, &query);

	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_SYMMETRIC);
	ck_assert_uint_eq(v.nat_to->address.version, 0);
	query.source.bytes[3] = 6;
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_SYMMETRIC);
	ck_assert_uint_eq(v.nat_to->prefix, 32);
	ck_assert_uint_eq(v.nat_to->port_high, 2000);
	query.source.bytes[3] = 7;
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_ADDRESS);
	ck_assert(v.nat_to->static_port);
	query.source.bytes[2] = 1;
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_BITMASK);
	ck_assert_uint_eq(v.nat_to->prefix, 24);
	ck_assert(v.nat_to->static_port);
	query.destination = ip_address_of4(address("10.1.1.1"));
	ck_assert_ptr_null(ruleset_judge(set, &query).nat_to);
	query.source = address6("fd00:1::5");
	query.destination = address6("2001:db8:9::1");
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_NPTV6);
	ck_assert_uint_eq(v.nat_to->prefix, 48);
	query = tcp(RULES_IN, "192.0.2.9", "192.0.3.4", 80);
	query.interface_group = "uplink";
	v = ruleset_judge(set, &query);
	ck_assert_uint_eq(v.rdr_to->mode, RULES_TARGET_BITMASK);
	query.source.bytes[3] = 99;
	ck_assert_ptr_null(ruleset_judge(set, &query).rdr_to);
	ruleset_free(set);
}
END_TEST

/* As in pf: out by nat-to, in by rdr-to, ports and addresses of the far end exchanged. */
START_TEST(binat_is_two_rules)
{
	struct ruleset *set =
		parse("pass\n"
		      "match on uplink proto tcp from 10.0.0.5 to port 80 "
		      "binat-to 192.0.2.5\n"
		      "match on uplink from 10.0.1.0/24 binat-to 192.0.3.0/24\n"
		      "match on uplink from 10.0.0.9 binat-to (uplink)\n"
		      "match on uplink from fd00:1::/48 binat-to 2001:db8:1::/48 nptv6");
	struct rules_query out = tcp(RULES_OUT, "10.0.0.5", "198.51.100.1", 80);
	struct rules_query in = tcp(RULES_IN, "198.51.100.1", "192.0.2.5", 5);
	struct rules_verdict v = ruleset_judge(set, &out);

	in.interface_group = "uplink";
	in.source_port = 80;
	ck_assert_uint_eq(ruleset_count(set), 9);
	ck_assert_uint_eq(v.nat_to->mode, RULES_TARGET_BITMASK);
	ck_assert_uint_eq(be32_get(ip_address_get4(&v.nat_to->address)), 0xc0000205);
	ck_assert_ptr_null(v.rdr_to);
	v = ruleset_judge(set, &in);
	ck_assert_uint_eq(be32_get(ip_address_get4(&v.rdr_to->address)), 0x0a000005);
	ck_assert_uint_eq(v.rdr_to->prefix, 32);
	ck_assert_ptr_null(v.nat_to);
	in.source_port = 81;
	ck_assert_ptr_null(ruleset_judge(set, &in).rdr_to);
	in.destination = ip_address_of4(address("192.0.3.77"));
	v = ruleset_judge(set, &in);
	ck_assert_uint_eq(be32_get(ip_address_get4(&v.rdr_to->address)), 0x0a000100);
	ck_assert_uint_eq(v.rdr_to->prefix, 24);
	in.destination = ip_address_of4(address("203.0.113.1"));
	ck_assert_ptr_null(ruleset_judge(set, &in).rdr_to);
	in.destination_is_self = true;
	v = ruleset_judge(set, &in);
	ck_assert_uint_eq(be32_get(ip_address_get4(&v.rdr_to->address)), 0x0a000009);
	in.destination_is_self = false;
	in.source = address6("2001:db8:9::1");
	in.destination = address6("2001:db8:1::77");
	v = ruleset_judge(set, &in);
	ck_assert_uint_eq(v.rdr_to->mode, RULES_TARGET_NPTV6);
	ck_assert_uint_eq(v.rdr_to->address.bytes[0], 0xfd);
	ruleset_free(set);
}
END_TEST

/* Neither macros nor lists can make a short file long to read. */
START_TEST(work_is_bounded)
{
	static char text[1u << 20];
	struct ruleset *set = NULL;
	struct rules_error error;
	size_t at = (size_t)sprintf(text, "a = \"{");

	memset(text + at, ',', 500000);
	at += 500000;
	at += (size_t)sprintf(text + at, " 10.0.0.1 }\"\n");
	for (unsigned int i = 0; i < 1000; i++)
		at += (size_t)sprintf(text + at, "pass from $a\n");
	ck_assert_int_eq(ruleset_parse(text, at, &set, &error), -EINVAL);
	ck_assert_uint_eq(error.line, 2 + RULES_MAX_BYTES * 4 / 500014);
	at = (size_t)sprintf(text, "a = \"{ 2001:db8::1");
	for (unsigned int i = 0; i < 250; i++)
		at += (size_t)sprintf(text + at, " 10.0.0.%u", i);
	at += (size_t)sprintf(text + at, " }\"\nb = \"{ 2001:db8::1");
	for (unsigned int i = 0; i < 250; i++)
		at += (size_t)sprintf(text + at, " 2001:db8::%x", i);
	at += (size_t)sprintf(text + at, " }\"\n");
	for (unsigned int i = 0; i < 1000; i++)
		at += (size_t)sprintf(text + at, "pass from $a to $b\n");
	ck_assert_int_eq(ruleset_parse(text, at, &set, &error), -E2BIG);
	ck_assert_uint_lt(error.line, 10);
}
END_TEST

START_TEST(expansion_is_bounded)
{
	static char text[4096];
	struct ruleset *set = NULL;
	struct rules_error error;
	size_t at = (size_t)sprintf(text, "l = \"{");

	for (unsigned int i = 1; i <= 64; i++)
		at += (size_t)sprintf(text + at, " %u", i);
	sprintf(text + at, " }\"\npass proto { tcp udp } from any port $l to any port $l\n"
			   "pass proto { tcp udp } from any port $l to any port $l\n");
	ck_assert_int_eq(ruleset_parse(text, strlen(text), &set, &error), 0);
	ck_assert_uint_eq(ruleset_count(set), RULES_MAX);
	ruleset_free(set);
	strcat(text, "pass\n");
	ck_assert_int_eq(ruleset_parse(text, strlen(text), &set, &error), -E2BIG);
	ck_assert_uint_eq(error.line, 4);
}
END_TEST

/* Random words never crash it, and an error points into the text. */
START_TEST(random_words)
{
	static const char *const words[] = {
		"pass",	       "block",	      "in",
		"out",	       "on",	      "proto",
		"tcp",	       "udp",	      "icmp",
		"from",	       "to",	      "any",
		"port",	       "80",	      "{",
		"}",	       ",",	      "!",
		"10.0.0.0/8",  "quick",	      "log",
		"\n",	       "\n",	      "$m",
		"m",	       "=",	      "\"x y\"",
		"label",       "flags",	      "S/SA",
		"keep",	       "state",	      "\\\n",
		"#",	       "<",	      "><",
		"1:2",	       "icmp-type",   "self",
		"\"",	       "set",	      "block-policy",
		"(",	       "uplink",      ")",
		"match",       "table",	      "nat-to",
		"t",	       "inet6",	      "2001:db8::/32",
		"antispoof",   "for",	      "binat-to",
		"rdr-to",      "10.0.0.1",    "192.0.2.1",
		"no",	       "nat",	      "bitmask",
		"return-icmp", "static-port", "symmetric",
		"nptv6",       "port-unr",    "max",
		"(",
	};
	uint64_t state = (unit_seed() + (uint64_t)_i) | 1;
	char text[1024] = "";
	size_t count = unit_random(&state) % 40;
	struct ruleset *set = NULL;
	struct rules_error error;
	uint32_t lines = 1;

	for (size_t i = 0; i < count; i++) {
		strcat(text, words[unit_random(&state) % (sizeof(words) / sizeof(words[0]))]);
		strcat(text, unit_random(&state) % 8 ? " " : "");
	}
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	if (ruleset_parse(text, strlen(text), &set, &error) == 0) {
		ruleset_free(set);
	} else {
		ck_assert_uint_ge(error.line, 1);
		ck_assert_uint_le(error.line, lines);
		ck_assert_uint_ge(error.column, 1);
	}
}
END_TEST

/* The files that users begin with; the tests run at the root of the tree. */
static const char *const samples[] = { "configs/firewall/rules.conf", "configs/relay/rules.conf" };

START_TEST(sample_files_are_good)
{
	static char text[65536];
	struct rules_error error;
	struct ruleset *set = NULL;
	FILE *file = fopen(samples[_i], "r");
	size_t bytes;

	ck_assert_ptr_nonnull(file);
	bytes = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (ruleset_parse(text, bytes, &set, &error))
		ck_abort_msg("%s:%u:%u: %s", samples[_i], error.line, error.column, error.message);
	ck_assert_uint_gt(ruleset_count(set), 1);
	ruleset_free(set);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, closed_by_default);
	tcase_add_test(cases, the_last_match_wins_and_quick_ends);
	tcase_add_loop_test(cases, clause, 0, sizeof(clauses) / sizeof(clauses[0]));
	tcase_add_loop_test(cases, mistake, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_loop_test(cases, sample_files_are_good, 0, sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(cases, block_policy_and_icmp);
	tcase_add_test(cases, both_versions);
	tcase_add_loop_test(cases, tables_by_the_narrowest, 0, 60);
	tcase_add_test(cases, parameters_of_match_and_pass);
	tcase_add_test(cases, block_says_how);
	tcase_add_test(cases, antispoof_is_of_our_own);
	tcase_add_test(cases, modes_of_translation);
	tcase_add_test(cases, binat_is_two_rules);
	tcase_add_test(cases, work_is_bounded);
	tcase_add_test(cases, expansion_is_bounded);
	tcase_add_loop_test(cases, random_words, 0, 500);
}

int main(void)
{
	return unit_main("net/rules", add_cases);
}
