/* SPDX-License-Identifier: ISC */
/* The rules of QubesOS: what is refused, and that the rest means what the text says. */
#include "net/qubes_rules.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/rules_internal.h"
#include "tests/host/unit.h"

#define SOURCE4 "10.137.0.10"
#define SOURCE6 "fd09:24ef:4179::a89:10"

static struct ip_address address(const char *text)
{
	uint8_t bytes[16];
	be32 four;

	if (strchr(text, ':')) {
		ck_assert_int_eq(ip6_text_parse(text, strlen(text), bytes), 0);
		return ip_address_of6(bytes);
	}
	ck_assert_int_eq(ip4_text_parse(text, strlen(text), &four), 0);
	return ip_address_of4(four);
}

/* The list of one source; rules are separated by line ends and numbered with gaps. */
static void list(struct qubes_rules *rules, const char *source, const char *text,
		 const char *policy)
{
	struct ip_address from = address(source);
	uint32_t number = 0;

	ck_assert_int_eq(qubes_rules_begin(rules, &from), 0);
	while (*text) {
		size_t length = strcspn(text, "\n");

		(void)qubes_rules_add(rules, number, text, length);
		number += 7;
		text += length + (text[length] == '\n');
	}
	if (policy)
		(void)qubes_rules_policy(rules, policy, strlen(policy));
	(void)qubes_rules_end(rules);
}

static const struct ip_address *dns_servers(void)
{
	static struct ip_address servers[3];

	servers[0] = address("10.139.1.1");
	servers[1] = address("10.139.1.2");
	servers[2] = address("fd09::53");
	return servers;
}

static struct ruleset *compile_at(struct qubes_rules *rules, uint64_t now, uint64_t *expiry)
{
	struct qubes_rules_compile how = { .dns = dns_servers(), .dns_count = 3, .now = now };
	struct rules_error error = { 0 };
	struct ruleset *set = NULL;

	ck_assert_msg(qubes_rules_compile(rules, &how, &set, expiry, &error) == 0, "%u:%u: %s",
		      error.line, error.column, error.message);
	return set;
}

static struct ruleset *compile(struct qubes_rules *rules)
{
	uint64_t expiry;

	return compile_at(rules, 0, &expiry);
}

static struct rules_query query(const char *from, const char *to, uint8_t protocol, uint16_t port)
{
	return (struct rules_query){ .direction = RULES_IN,
				     .interface = "client1.0",
				     .interface_group = "clients",
				     .source = address(from),
				     .destination = address(to),
				     .protocol = protocol,
				     .source_port = 40000,
				     .destination_port = port,
				     .tcp_flags = 2 };
}

static enum rules_action judge(struct ruleset *set, const char *from, const char *to,
			       uint8_t protocol, uint16_t port)
{
	struct rules_query q = query(from, to, protocol, port);

	return ruleset_judge(set, &q).action;
}

static const struct {
	const char *text;
	const char *to;
	uint8_t protocol;
	uint16_t port; /* of ICMP: the type */
	bool pass;     /* under the policy drop */
} examples[] = {
	{ "action=accept", "1.1.1.1", 6, 80, true },
	{ "action=accept", "1.1.1.1", 47, 0, true },
	{ "action=drop", "1.1.1.1", 6, 80, false },
	{ "action=accept dst4=1.1.1.1/32", "1.1.1.1", 6, 80, true },
	{ "action=accept dst4=1.1.1.1/32", "1.1.1.2", 6, 80, false },
	{ "action=accept dst4=1.1.1.1", "1.1.1.1", 17, 80, true },
	{ "action=accept dst4=1.1.1.77/24", "1.1.1.2", 6, 80, true },
	{ "action=accept dst4=0.0.0.0/0", "1.1.1.2", 6, 80, true },
	{ "action=accept proto=tcp", "1.1.1.2", 6, 80, true },
	{ "action=accept proto=tcp", "1.1.1.2", 17, 80, false },
	{ "action=accept proto=udp", "1.1.1.2", 17, 80, true },
	{ "action=accept proto=icmp", "1.1.1.2", 1, 8, true },
	{ "action=accept proto=icmp", "1.1.1.2", 6, 8, false },
	{ "action=accept proto=icmp icmptype=8", "1.1.1.2", 1, 8, true },
	{ "action=accept proto=icmp icmptype=8", "1.1.1.2", 1, 0, false },
	{ "action=accept icmptype=8", "1.1.1.2", 1, 8, true },
	{ "action=accept icmptype=8", "1.1.1.2", 6, 8, false },
	{ "action=accept proto=tcp dstports=80-80", "1.1.1.2", 6, 80, true },
	{ "action=accept proto=tcp dstports=80-80", "1.1.1.2", 6, 81, false },
	{ "action=accept proto=tcp dstports=80-90", "1.1.1.2", 6, 90, true },
	{ "action=accept proto=tcp dstports=80", "1.1.1.2", 6, 80, true },
	{ "action=accept dstports=80", "1.1.1.2", 6, 80, true },
	{ "action=accept dstports=80", "1.1.1.2", 17, 80, true },
	{ "action=accept dstports=0-65535", "1.1.1.2", 17, 80, true },
	{ "action=accept dstports=0-65535", "1.1.1.2", 47, 0, false },
	{ "action=accept specialtarget=dns", "10.139.1.1", 17, 53, true },
	{ "action=accept specialtarget=dns", "10.139.1.2", 6, 53, true },
	{ "action=accept specialtarget=dns", "10.139.1.3", 17, 53, false },
	{ "action=accept specialtarget=dns", "10.139.1.1", 17, 54, false },
	{ "action=accept specialtarget=dns", "10.139.1.1", 1, 53, false },
	{ "action=accept proto=tcp specialtarget=dns", "10.139.1.1", 17, 53, false },
	{ "action=accept proto=udp specialtarget=dns", "10.139.1.1", 17, 53, true },
	{ "action=accept specialtarget=dns dstports=53-53", "10.139.1.1", 17, 53, true },
	{ "action=accept specialtarget=dns dstports=53-54", "10.139.1.1", 17, 53, false },
	{ "action=accept specialtarget=dns dst4=10.139.1.2", "10.139.1.1", 17, 53, false },
	{ "action=accept specialtarget=dns dst4=10.139.1.2", "10.139.1.2", 17, 53, true },
	{ "action=drop dst4=1.1.1.1\naction=accept", "1.1.1.1", 6, 80, false },
	{ "action=drop dst4=1.1.1.1\naction=accept", "1.1.1.2", 6, 80, true },
	{ "action=accept dst4=1.1.1.1\naction=drop", "1.1.1.1", 6, 80, true },
	{ "dst4=1.1.1.1 action=accept", "1.1.1.1", 6, 80, true },
	{ "action=accept comment=a b=c action=drop", "1.1.1.1", 6, 80, true },
	{ " action=accept  proto=tcp ", "1.1.1.1", 6, 80, true },
	{ "", "1.1.1.1", 6, 80, false },
};

START_TEST(example)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct rules_query q =
		query(SOURCE4, examples[_i].to, examples[_i].protocol, examples[_i].port);
	struct ruleset *set;

	q.icmp_type = (uint8_t)examples[_i].port;
	list(rules, SOURCE4, examples[_i].text, "drop");
	ck_assert_ptr_null(qubes_rules_source(rules, 0).error);
	set = compile(rules);
	ck_assert_msg((ruleset_judge(set, &q).action == RULES_PASS) == examples[_i].pass, "%s",
		      examples[_i].text);
	/* Nobody else has anything of it. */
	q.source = address("10.137.0.11");
	ck_assert_int_eq(ruleset_judge(set, &q).action, RULES_BLOCK_DROP);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

static const struct {
	const char *source;
	const char *text;
	uint32_t column;
} refusals[] = {
	{ SOURCE4, "\n", 1 },
	{ SOURCE4, "proto=tcp", 10 },
	{ SOURCE4, "action=reject", 8 },
	{ SOURCE4, "action=", 8 },
	{ SOURCE4, "action=accept forward=yes", 15 },
	{ SOURCE4, "action=accept dpi=http", 15 },
	{ SOURCE4, "action=accept Proto=tcp", 15 },
	{ SOURCE4, "action=accept proto", 15 },
	{ SOURCE4, "action=accept\tproto=tcp", 8 },
	{ SOURCE4, "action=accept =tcp", 15 },
	{ SOURCE4, "action=accept action=accept", 15 },
	{ SOURCE4, "action=accept dst4=1.1.1.1 dst4=1.1.1.1", 28 },
	{ SOURCE4, "action=accept dst4=1.1.1", 20 },
	{ SOURCE4, "action=accept dst4=1.1.1.1/33", 20 },
	{ SOURCE4, "action=accept dst4=01.1.1.1", 20 },
	{ SOURCE4, "action=accept dst4=1.1.1.1=2", 20 },
	{ SOURCE4, "action=accept dst6=2001:db8::1", 20 },
	{ SOURCE6, "action=accept dst4=1.1.1.1", 20 },
	{ SOURCE6, "action=accept dst6=2001:db8::1/129", 20 },
	{ SOURCE6, "action=accept dst6=2001:db8:", 20 },
	{ SOURCE4, "action=accept dsthost=", 23 },
	{ SOURCE4, "action=accept dsthost=a_b.c/d", 28 },
	{ SOURCE4, "action=accept dst4=1.1.1.1 dsthost=example.org", 36 },
	{ SOURCE4, "action=accept specialtarget=dns dsthost=example.org", 41 },
	{ SOURCE4, "action=accept proto=gre", 21 },
	{ SOURCE4, "action=accept proto=6", 21 },
	{ SOURCE4, "action=accept proto=icmpv6", 21 },
	{ SOURCE4, "action=accept dstports=", 24 },
	{ SOURCE4, "action=accept dstports=65536", 24 },
	{ SOURCE4, "action=accept dstports=80-", 27 },
	{ SOURCE4, "action=accept dstports=80-x", 27 },
	{ SOURCE4, "action=accept dstports=90-80", 24 },
	{ SOURCE4, "action=accept dstports=-80", 24 },
	{ SOURCE4, "action=accept proto=icmp dstports=80", 35 },
	{ SOURCE4, "action=accept icmptype=256", 24 },
	{ SOURCE4, "action=accept icmptype=echo", 24 },
	{ SOURCE4, "action=accept proto=tcp icmptype=8", 34 },
	{ SOURCE4, "action=accept dstports=80 icmptype=8", 36 },
	{ SOURCE4, "action=accept specialtarget=dns icmptype=8", 42 },
	{ SOURCE4, "action=accept specialtarget=ntp", 29 },
	{ SOURCE4, "action=accept proto=icmp specialtarget=dns", 40 },
	{ SOURCE4, "action=accept expire=0", 22 },
	{ SOURCE4, "action=accept expire=tomorrow", 22 },
	{ SOURCE4, "action=accept expire=99999999999999999999", 22 },
};

/* A mistake closes its source and no other. */
START_TEST(refusal)
{
	struct qubes_rules *rules = qubes_rules_new();
	bool six = strcmp(refusals[_i].source, SOURCE6) == 0;
	const char *to = six ? "2001:db8::1" : "1.1.1.1";
	char text[128];
	struct qubes_rules_source source;
	struct ruleset *set;

	snprintf(text, sizeof(text), "action=accept\n%s\naction=accept", refusals[_i].text);
	list(rules, refusals[_i].source, text, "accept");
	list(rules, six ? "fd09::1" : "10.137.0.99", "action=accept", "accept");
	source = qubes_rules_source(rules, 0);
	ck_assert_ptr_nonnull(source.error);
	ck_assert_uint_eq(source.error->number, 7);
	ck_assert_msg(source.error->column == refusals[_i].column, "%s: %u: %s", refusals[_i].text,
		      source.error->column, source.error->message);
	ck_assert_uint_gt(strlen(source.error->message), 5);
	set = compile(rules);
	ck_assert_int_eq(judge(set, refusals[_i].source, to, 6, 80), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, six ? "fd09::1" : "10.137.0.99", to, 6, 80), RULES_PASS);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

START_TEST(policy)
{
	static const struct {
		const char *text;
		enum rules_action action;
		bool closed;
	} policies[] = {
		{ "accept", RULES_PASS, false },      { "drop", RULES_BLOCK_ICMP, false },
		{ NULL, RULES_BLOCK_ICMP, true },     { "", RULES_BLOCK_ICMP, true },
		{ "reject", RULES_BLOCK_ICMP, true }, { "accept ", RULES_BLOCK_ICMP, true }
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(policies); i++) {
		struct qubes_rules *rules = qubes_rules_new();
		struct rules_query q = query(SOURCE4, "1.1.1.1", 6, 80);
		struct rules_verdict v;
		struct ruleset *set;

		list(rules, SOURCE4, "action=accept dst4=1.1.1.2", policies[i].text);
		set = compile(rules);
		v = ruleset_judge(set, &q);
		ck_assert_int_eq(v.action, policies[i].action);
		ck_assert_int_eq(qubes_rules_source(rules, 0).error != NULL, policies[i].closed);
		ck_assert_str_eq(ruleset_rule_label(set, v.rule),
				 policies[i].closed ? SOURCE4 " closed" : SOURCE4 " policy");
		if (v.action == RULES_BLOCK_ICMP) {
			ck_assert_uint_eq(v.icmp4_answer, 13);
			ck_assert_uint_eq(v.icmp6_answer, 1);
		}
		ruleset_free(set);
		qubes_rules_free(rules);
	}
}
END_TEST

/* What QubesOS says beside the lists. */
START_TEST(base)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct rules_query q = query(SOURCE4, "10.137.0.1", 1, 0);
	struct rules_verdict v;
	struct ruleset *set;

	list(rules, SOURCE4, "action=accept", "drop");
	set = compile(rules);
	q.destination_is_self = true;
	q.icmp_type = 8;
	ck_assert_int_eq(ruleset_judge(set, &q).action, RULES_PASS);
	q.protocol = 6;
	v = ruleset_judge(set, &q);
	ck_assert_int_eq(v.action, RULES_BLOCK_ICMP);
	ck_assert_uint_eq(v.icmp4_answer, 10);
	q.protocol = 17;
	q.destination_port = 68;
	ck_assert_int_eq(ruleset_judge(set, &q).action, RULES_BLOCK_DROP);
	/* Out to a client, whoever sends. */
	q = query(SOURCE4, "10.137.0.11", 6, 80);
	q.direction = RULES_OUT;
	ck_assert_int_eq(ruleset_judge(set, &q).action, RULES_BLOCK_DROP);
	q.interface = "uplink0";
	q.interface_group = "uplink";
	v = ruleset_judge(set, &q);
	ck_assert_int_eq(v.action, RULES_PASS);
	ck_assert_ptr_nonnull(v.nat_to);
	/* In from outside. */
	q.direction = RULES_IN;
	ck_assert_int_eq(ruleset_judge(set, &q).action, RULES_BLOCK_DROP);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

START_TEST(another_base)
{
	struct qubes_rules *rules = qubes_rules_new();
	static const char text[] = "pass in quick on clients proto tcp to any port 81\nblock bad\n";
	struct qubes_rules_compile how = { .base = text, .base_bytes = 50 };
	struct rules_error error = { 0 };
	struct ruleset *set = NULL;
	uint64_t expiry;

	list(rules, SOURCE4, "action=accept dstports=80", "drop");
	ck_assert_int_eq(qubes_rules_compile(rules, &how, &set, &expiry, &error), 0);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 81), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 82), RULES_BLOCK_ICMP);
	ruleset_free(set);
	how.base_bytes = sizeof(text) - 1;
	ck_assert_int_eq(qubes_rules_compile(rules, &how, &set, &expiry, &error), -EINVAL);
	ck_assert_uint_eq(error.line, 2);
	qubes_rules_free(rules);
}
END_TEST

START_TEST(rules_expire)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct ruleset *set;
	uint64_t expiry;

	list(rules, SOURCE4,
	     "action=accept dstports=80 expire=1000\naction=drop dstports=81 expire=2000\n"
	     "action=accept dstports=81",
	     "drop");
	set = compile_at(rules, 500, &expiry);
	ck_assert_uint_eq(expiry, 1000);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 81), RULES_BLOCK_ICMP);
	ruleset_free(set);
	set = compile_at(rules, 1000, &expiry);
	ck_assert_uint_eq(expiry, 2000);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 80), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 81), RULES_BLOCK_ICMP);
	ruleset_free(set);
	set = compile_at(rules, 3000, &expiry);
	ck_assert_uint_eq(expiry, 0);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 81), RULES_PASS);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

static bool names_contain(void *context, uint16_t name, const struct ip_address *address)
{
	(void)name;
	return ip_address_equal(context, address);
}

static bool names_known(void *context, uint16_t name, uint8_t version)
{
	(void)name;
	return ((const struct ip_address *)context)->version == version;
}

static uint32_t names_of(void *context, const struct ip_address *address, uint16_t *names,
			 uint32_t room)
{
	if (!room || !ip_address_equal(context, address))
		return 0;
	names[0] = 0;
	return 1;
}

/* Nobody gains by a name that is not known: accept does not match, drop does. */
START_TEST(host_names)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct ip_address known = address("192.0.2.1");
	const struct rules_resolver resolver = { names_contain, names_known, names_of, &known };
	struct ruleset *set;

	list(rules, SOURCE4,
	     "action=accept dsthost=Example.org dstports=80\n"
	     "action=drop dsthost=example.org dstports=81",
	     "accept");
	list(rules, SOURCE6, "action=accept dsthost=example.org", "drop");
	list(rules, "10.137.0.11", "action=accept dsthost=a..b", "accept");
	set = compile(rules);
	ck_assert_uint_eq(ruleset_names_count(set), 1);
	ck_assert_ptr_nonnull(qubes_rules_source(rules, 2).error);
	ck_assert_int_eq(judge(set, "10.137.0.11", "192.0.2.1", 6, 80), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.9", 6, 81), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.9", 6, 82), RULES_PASS);
	ruleset_set_resolver(set, &resolver);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.1", 6, 81), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.9", 6, 81), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.1", 6, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE6, "2001:db8::1", 6, 80), RULES_BLOCK_ICMP);
	known = address("2001:db8::1");
	ck_assert_int_eq(judge(set, SOURCE6, "2001:db8::1", 6, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE4, "192.0.2.1", 6, 81), RULES_BLOCK_ICMP);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

static int entry(struct qubes_rules *rules, const char *path, const char *value)
{
	return qubes_rules_entry(rules, path, strlen(path), value, strlen(value));
}

/* As QubesDB sends them: last first, sources mixed, numbers with gaps. */
START_TEST(entries_of_qubesdb)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct ip_address source = address(SOURCE4);
	struct ruleset *set;

	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE4 "/policy", "drop"), 0);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE6 "/policy", "accept"), 0);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE4 "/0009", "action=accept"), 0);
	ck_assert_int_eq(
		entry(rules, "/qubes-firewall/" SOURCE6 "/0000", "action=drop dst6=2001:db8::/32"),
		0);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE4 "/0002", "action=drop proto=tcp"),
			 0);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE4, ""), 0);
	ck_assert_int_eq(entry(rules, "/qubes-ip", "10.137.0.2"), -ENOENT);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/", ""), -ENOENT);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/nobody/0000", "action=drop"), -ENOENT);
	ck_assert_uint_eq(qubes_rules_count(rules), 2);
	set = compile(rules);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 6, 80), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 17, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, SOURCE6, "2001:db8::1", 17, 80), RULES_BLOCK_ICMP);
	ck_assert_int_eq(judge(set, SOURCE6, "2001:db9::1", 17, 80), RULES_PASS);
	ruleset_free(set);
	qubes_rules_remove(rules, &source);
	set = compile(rules);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 17, 80), RULES_BLOCK_DROP);
	ck_assert_int_eq(judge(set, SOURCE6, "2001:db9::1", 17, 80), RULES_PASS);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

START_TEST(wrong_entries_close)
{
	static const char *const paths[] = {
		"/qubes-firewall/" SOURCE4 "/expert", "/qubes-firewall/" SOURCE4 "/",
		"/qubes-firewall/" SOURCE4 "/000x",   "/qubes-firewall/" SOURCE4 "/00000",
		"/qubes-firewall/" SOURCE4 "/12",     "/qubes-firewall/" SOURCE4 "/0000/x"
	};
	struct qubes_rules *rules = qubes_rules_new();
	struct ip_address source = address(SOURCE4);
	struct ruleset *set;

	for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++) {
		list(rules, SOURCE4, "action=accept", "accept");
		ck_assert_msg(entry(rules, paths[i], "action=accept") == -EINVAL, "%s", paths[i]);
		ck_assert_ptr_nonnull(qubes_rules_source(rules, 0).error);
	}
	/* Beginning anew opens it; a number that is there twice closes it when compiled. */
	list(rules, SOURCE4, "action=accept", "accept");
	ck_assert_ptr_null(qubes_rules_source(rules, 0).error);
	ck_assert_int_eq(entry(rules, "/qubes-firewall/" SOURCE4 "/0000", "action=accept"), 0);
	set = compile(rules);
	ck_assert_ptr_nonnull(qubes_rules_source(rules, 0).error);
	ck_assert_int_eq(judge(set, SOURCE4, "1.1.1.1", 17, 80), RULES_BLOCK_ICMP);
	ruleset_free(set);
	qubes_rules_remove(rules, &source);
	ck_assert_int_eq(qubes_rules_add(rules, 1, "action=accept", 13), -EINVAL);
	ck_assert_int_eq(qubes_rules_policy(rules, "accept", 6), -EINVAL);
	ck_assert_int_eq(qubes_rules_end(rules), -EINVAL);
	qubes_rules_free(rules);
}
END_TEST

/* Who has too many rules is closed, and nobody else; with fewer it opens again. */
START_TEST(bounds)
{
	struct qubes_rules *rules = qubes_rules_new();
	struct ip_address source = address(SOURCE4);
	struct ruleset *set;
	char text[64];

	for (uint32_t s = 0; s < 3; s++) {
		source.bytes[3] = (uint8_t)s;
		ck_assert_int_eq(qubes_rules_begin(rules, &source), 0);
		for (uint32_t i = 0; i < 6000; i++) {
			int n = snprintf(text, sizeof(text), "action=accept dst4=1.%u.%u.1", i >> 8,
					 i & 255);

			ck_assert_int_eq(qubes_rules_add(rules, i, text, (size_t)n), 0);
		}
		ck_assert_int_eq(qubes_rules_policy(rules, "drop", 4), 0);
		ck_assert_int_eq(qubes_rules_end(rules), 0);
	}
	set = compile(rules);
	ck_assert_uint_le(ruleset_count(set), RULES_MAX);
	ck_assert_int_eq(judge(set, "10.137.0.1", "1.2.3.1", 6, 80), RULES_PASS);
	ck_assert_int_eq(judge(set, "10.137.0.2", "1.2.3.1", 6, 80), RULES_BLOCK_ICMP);
	ck_assert_ptr_null(qubes_rules_source(rules, 1).error);
	ck_assert_ptr_nonnull(qubes_rules_source(rules, 2).error);
	ruleset_free(set);
	source.bytes[3] = 0;
	qubes_rules_remove(rules, &source);
	set = compile(rules);
	ck_assert_int_eq(judge(set, "10.137.0.2", "1.2.3.1", 6, 80), RULES_PASS);
	ruleset_free(set);
	ck_assert_int_eq(qubes_rules_begin(rules, &source), 0);
	ck_assert_int_eq(qubes_rules_add(rules, 10000, "action=accept", 13), -EINVAL);
	for (uint32_t s = 3; s < QUBES_RULES_SOURCES_MAX; s++) {
		source.bytes[2] = (uint8_t)(1 + (s >> 8));
		source.bytes[3] = (uint8_t)s;
		ck_assert_int_eq(qubes_rules_begin(rules, &source), 0);
	}
	source.bytes[1] = 0;
	ck_assert_int_eq(qubes_rules_begin(rules, &source), -E2BIG);
	ck_assert_int_eq(qubes_rules_add(rules, 1, "action=accept", 13), -EINVAL);
	set = compile(rules);
	ck_assert_int_eq(judge(set, "10.0.1.1", "1.2.3.1", 6, 80), RULES_BLOCK_DROP);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

/* ---- random lists against a reader that walks over the text, packet by packet ---- */

struct random_list {
	char source[48];
	bool six;
	char text[30][160];
	uint32_t count;
	bool accept;
};

static uint32_t pick(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(unit_random(state) % bound);
}

/* Few different addresses, so that rules and packets meet. */
static void random_address(uint64_t *state, bool six, char *to, size_t size)
{
	static const char *const special4[] = { "10.139.1.1", "10.139.1.2" };

	if (!six && pick(state, 6) == 0)
		snprintf(to, size, "%s", special4[pick(state, 2)]);
	else if (six && pick(state, 6) == 0)
		snprintf(to, size, "fd09::53");
	else if (six)
		snprintf(to, size, "2001:db8::%x:%x", pick(state, 3), pick(state, 4));
	else
		snprintf(to, size, "192.0.%u.%u", pick(state, 3), pick(state, 4));
}

static void add_word(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add_word(char *text, size_t size, const char *format, ...)
{
	size_t at = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + at, size - at, format, arguments);
	va_end(arguments);
}

static void random_rule(uint64_t *state, bool six, char *text, size_t size)
{
	static const uint32_t lengths[] = { 0, 1, 8, 22, 30, 31, 32 };
	static const char *const protocols[] = { " proto=tcp", " proto=udp", " proto=icmp", "",
						 "" };
	uint32_t protocol = pick(state, 5), low;
	char address[48];
	bool icmp = protocol == 2;

	snprintf(text, size, "action=%s", pick(state, 2) ? "accept" : "drop");
	if (pick(state, 2)) {
		random_address(state, six, address, sizeof(address));
		add_word(text, size, " dst%u=%s", six ? 6 : 4, address);
		if (pick(state, 2))
			add_word(text, size, "/%u",
				 lengths[pick(state, 7)] + (six && pick(state, 3) ? 96 : 0));
	}
	add_word(text, size, "%s", protocols[protocol]);
	if (!icmp && pick(state, 4) == 0)
		add_word(text, size, " specialtarget=dns");
	low = 50 + pick(state, 8);
	if (!icmp && pick(state, 2))
		add_word(text, size, pick(state, 2) ? " dstports=%u-%u" : " dstports=%u", low,
			 low + pick(state, 5));
	if (icmp && pick(state, 2))
		add_word(text, size, " icmptype=%u", pick(state, 4));
	if (pick(state, 5) == 0)
		add_word(text, size, " expire=%u", 1 + pick(state, 3));
	if (pick(state, 8) == 0)
		add_word(text, size, " comment=dst4=1.2.3.4 x");
}

/* Does a rule's text match? Word by word; `now` is 2. */
static bool text_matches(const char *text, const struct rules_query *q)
{
	bool dns = false, matches = true, has_ports = false, ported;
	bool six = q->source.version == 6;
	char copy[160], *save = NULL, *comment;

	snprintf(copy, sizeof(copy), "%s", text);
	comment = strstr(copy, " comment=");
	if (comment)
		*comment = '\0';
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '=') + 1, *slash = strchr(value, '/');
		unsigned int low, high, length;

		if (strncmp(w, "dst4=", 5) == 0 || strncmp(w, "dst6=", 5) == 0) {
			struct ip_address wanted;

			length = slash ? (unsigned int)atoi(slash + 1) : six ? 128 : 32;
			if (slash)
				*slash = '\0';
			wanted = address(value);
			for (unsigned int bit = 0; bit < length; bit++)
				matches &=
					!((wanted.bytes[bit / 8] ^ q->destination.bytes[bit / 8]) >>
						  (7 - bit % 8) &
					  1);
		} else if (strcmp(w, "proto=tcp") == 0) {
			matches &= q->protocol == 6;
		} else if (strcmp(w, "proto=udp") == 0) {
			matches &= q->protocol == 17;
		} else if (strcmp(w, "proto=icmp") == 0) {
			matches &= q->protocol == (six ? 58 : 1);
		} else if (strncmp(w, "icmptype=", 9) == 0) {
			matches &= q->icmp_type == atoi(value);
		} else if (strncmp(w, "expire=", 7) == 0) {
			matches &= atoi(value) > 2;
		} else if (strcmp(w, "specialtarget=dns") == 0) {
			dns = true;
		} else if (strncmp(w, "dstports=", 9) == 0) {
			if (sscanf(value, "%u-%u", &low, &high) == 1)
				high = low;
			has_ports = true;
			matches &= q->destination_port >= low && q->destination_port <= high;
			if (strstr(text, "specialtarget"))
				matches &= low == 53 && high == 53;
		}
	}
	ported = q->protocol == 6 || q->protocol == 17;
	if (dns) {
		bool server = false;

		for (unsigned int i = 0; i < 3; i++)
			server |= ip_address_equal(&dns_servers()[i], &q->destination);
		matches &= server && ported && q->destination_port == 53;
	}
	return matches && (!has_ports || ported);
}

static enum rules_action walk(const struct random_list *l, const struct rules_query *q)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (text_matches(l->text[i], q))
			return strncmp(l->text[i], "action=accept", 13) == 0 ? RULES_PASS
									     : RULES_BLOCK_ICMP;
	return l->accept ? RULES_PASS : RULES_BLOCK_ICMP;
}

START_TEST(agrees_with_the_text)
{
	uint64_t state = (unit_seed() + (uint64_t)_i * 7919) | 1, expiry;
	static const uint8_t protocols[] = { 6, 6, 17, 17, 1, 58, 47 };
	struct qubes_rules *rules = qubes_rules_new();
	struct random_list lists[6];
	struct ruleset *set;
	uint32_t passed = 0;

	for (uint32_t s = 0; s < 6; s++) {
		struct random_list *l = &lists[s];
		struct ip_address source;

		l->six = s % 2;
		l->count = pick(&state, 30);
		l->accept = pick(&state, 2);
		snprintf(l->source, sizeof(l->source), l->six ? "fd09::%u" : "10.137.0.%u", s);
		source = address(l->source);
		ck_assert_int_eq(qubes_rules_begin(rules, &source), 0);
		for (uint32_t i = 0; i < l->count; i++)
			random_rule(&state, l->six, l->text[i], sizeof(l->text[i]));
		for (uint32_t i = l->count; i-- > 0;)
			ck_assert_msg(
				qubes_rules_add(rules, 3 * i, l->text[i], strlen(l->text[i])) == 0,
				"%s", l->text[i]);
		ck_assert_int_eq(
			qubes_rules_policy(rules, l->accept ? "accept" : "drop", l->accept ? 6 : 4),
			0);
		ck_assert_int_eq(qubes_rules_end(rules), 0);
	}
	set = compile_at(rules, 2, &expiry);
	for (uint32_t n = 0; n < 500; n++) {
		const struct random_list *l = &lists[pick(&state, 6)];
		char to[48];
		struct rules_query q;
		enum rules_action wanted, got;

		random_address(&state, l->six, to, sizeof(to));
		q = query(l->source, to, protocols[pick(&state, 7)],
			  (uint16_t)(50 + pick(&state, 12)));
		q.icmp_type = (uint8_t)pick(&state, 4);
		q.tcp_flags = pick(&state, 2) ? 0x02 : 0x10;
		wanted = walk(l, &q);
		got = ruleset_judge(set, &q).action;
		passed += got == RULES_PASS;
		ck_assert_msg(got == wanted, "%s > %s proto %u port %u type %u: %d, not %d",
			      l->source, to, q.protocol, q.destination_port, q.icmp_type, got,
			      wanted);
	}
	ck_assert_uint_gt(passed, 0);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

/* Random bytes and words never crash it. */
START_TEST(random_words)
{
	static const char *const words[] = {
		"action=accept",
		"action=",
		"dst4=1.2.3.4",
		"/24",
		"dst6=::",
		"dsthost=a.b",
		"proto=tcp",
		"proto=icmp",
		"dstports=1-2",
		"-",
		"icmptype=8",
		"specialtarget=dns",
		"expire=9",
		"comment=",
		"=",
		" ",
		"  ",
		"\n",
		"\x80",
		"x",
	};
	uint64_t state = (unit_seed() + (uint64_t)_i) | 1;
	struct qubes_rules *rules = qubes_rules_new();
	char text[1024] = "";
	struct ruleset *set;

	for (uint32_t i = pick(&state, 20); i; i--) {
		strcat(text, words[pick(&state, ARRAY_SIZE(words))]);
		strcat(text, pick(&state, 4) ? " " : "");
	}
	list(rules, pick(&state, 2) ? SOURCE4 : SOURCE6, text, "drop");
	set = compile(rules);
	ck_assert_uint_ge(ruleset_count(set), 2);
	ruleset_free(set);
	qubes_rules_free(rules);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, example, 0, ARRAY_SIZE(examples));
	tcase_add_loop_test(cases, refusal, 0, ARRAY_SIZE(refusals));
	tcase_add_test(cases, policy);
	tcase_add_test(cases, base);
	tcase_add_test(cases, another_base);
	tcase_add_test(cases, rules_expire);
	tcase_add_test(cases, host_names);
	tcase_add_test(cases, entries_of_qubesdb);
	tcase_add_test(cases, wrong_entries_close);
	tcase_add_test(cases, bounds);
	tcase_add_loop_test(cases, agrees_with_the_text, 0, 40);
	tcase_add_loop_test(cases, random_words, 0, 100);
}

int main(void)
{
	return unit_main("net/qubes_rules", add_cases);
}
