/* SPDX-License-Identifier: ISC */
/* The compiled rules give the verdicts of a walk over all rules, and are fast. */
#include "net/rules_index.h"

#include <stdarg.h>
#include <string.h>

#include "tests/host/unit.h"

#define TEXT_BYTES (2u << 20)
#define NAMES 12u

struct text {
	char *bytes;
	size_t length;
	uint64_t state;
	bool names; /* host names too */
};

static uint32_t pick(struct text *t, uint32_t bound)
{
	return (uint32_t)(unit_random(&t->state) % bound);
}

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	t->length +=
		(size_t)vsnprintf(t->bytes + t->length, TEXT_BYTES - t->length, format, arguments);
	va_end(arguments);
	ck_assert_uint_lt(t->length, TEXT_BYTES);
}

static void put_address(struct text *t, bool six)
{
	static const uint32_t lengths[] = { 0, 1, 8, 24, 30, 31, 32 };
	uint32_t length = lengths[pick(t, 7)];

	if (six)
		put(t, "2001:db8::%x:%x/%u", pick(t, 4), pick(t, 16), pick(t, 3) ? 96 + length : 0);
	else
		put(t, "%u.0.%u.%u/%u", pick(t, 4) ? 10 : 255, pick(t, 4), pick(t, 16), length);
}

static void put_name(struct text *t)
{
	put(t, "%s w%u.example.com", pick(t, 3) ? "" : "!", pick(t, NAMES));
}

static void put_host(struct text *t, bool six)
{
	uint32_t kind = pick(t, t->names ? 12 : 8);

	if (kind == 0)
		put(t, "%s self", pick(t, 3) ? "" : "!");
	else if (kind == 1)
		put(t, "%s <t%u>", pick(t, 3) ? "" : "!", pick(t, 3));
	else if (kind == 2) {
		put(t, "any");
	} else if (kind >= 8) {
		put_name(t);
	} else {
		put(t, "%s", pick(t, 5) ? "" : "! ");
		put_address(t, six);
	}
}

static void put_port(struct text *t)
{
	static const char *const marks[] = { "=", "!=", "<", "<=", ">", ">=" };
	uint32_t kind = pick(t, 4);

	if (kind == 0)
		put(t, " port %u:%u", pick(t, 8), 8 + pick(t, 8));
	else if (kind == 1)
		put(t, " port %s %u", marks[pick(t, 6)], pick(t, 16));
	else if (kind == 2)
		put(t, " port %u <> %u", pick(t, 4), 4 + pick(t, 4));
	else
		put(t, " port %u", pick(t, 16));
}

static void put_rule(struct text *t)
{
	static const char *const starts[] = { "pass", "pass", "block", "block return", "match" };
	static const char *const words[] = { "in",   "out",    "on clients", "on ! uplink",
					     "on a", "on ! b", "on uplink",  "log" };
	static const char *const protocols[] = { "",	       "proto tcp",
						 "proto udp",  "proto { tcp udp }",
						 "proto icmp", "proto icmp6",
						 "proto 47" };
	bool six = pick(t, 2);
	uint32_t start = pick(t, 5), protocol = pick(t, 7);
	bool ports = protocol >= 1 && protocol <= 3;

	put(t, "%s", starts[start]);
	if (start != 4 && pick(t, 10) == 0)
		put(t, " quick");
	if (pick(t, 2))
		put(t, " %s", words[pick(t, 8)]);
	put(t, " %s from ",
	    six && protocol == 4    ? "proto icmp6"
	    : !six && protocol == 5 ? "proto icmp"
				    : protocols[protocol]);
	put_host(t, six);
	if (ports && pick(t, 3) == 0)
		put_port(t);
	put(t, " to ");
	put_host(t, six);
	if (ports && pick(t, 2))
		put_port(t);
	if (protocol == 1 && pick(t, 4) == 0)
		put(t, " flags A/A");
	if ((protocol == 4 || protocol == 5) && pick(t, 2))
		put(t, " icmp%s-type %u%s", six ? "6" : "", pick(t, 4),
		    pick(t, 2) ? " code 1" : "");
	if (start == 4 && pick(t, 2))
		put(t, " scrub (max-mss %u)", 1000 + pick(t, 400));
	put(t, "\n");
}

static struct ruleset *parse(const struct text *t)
{
	struct ruleset *set = NULL;
	struct rules_error error;

	if (ruleset_parse(t->bytes, t->length, &set, &error))
		ck_abort_msg("%u:%u: %s in\n%s", error.line, error.column, error.message, t->bytes);
	return set;
}

static struct ruleset *random_set(struct text *t, uint32_t rules)
{
	for (uint32_t i = 0; i < 3; i++) {
		put(t, "table <t%u> {", i);
		for (uint32_t k = pick(t, 10); k; k--) {
			put(t, " %s", pick(t, 3) ? "" : "!");
			put_address(t, pick(t, 2));
		}
		for (uint32_t k = t->names ? pick(t, 4) : 0; k; k--)
			put_name(t);
		put(t, " }\n");
	}
	for (uint32_t i = 0; i < rules; i++)
		put_rule(t);
	return parse(t);
}

static struct ip_address random_address(struct text *t, bool six)
{
	struct ip_address a = { .version = six ? 6 : 4 };

	if (six) {
		memcpy(a.bytes, "\x20\x01\x0d\xb8", 4);
		a.bytes[13] = (uint8_t)pick(t, 5);
		a.bytes[15] = (uint8_t)pick(t, 17);
		return a;
	}
	a.bytes[0] = pick(t, 4) ? 10 : 255;
	a.bytes[2] = (uint8_t)pick(t, 5);
	a.bytes[3] = (uint8_t)pick(t, 17);
	return a;
}

static struct rules_query random_query(struct text *t)
{
	static const uint8_t protocols[] = { 6, 6, 6, 17, 17, 1, 58, 47, 50 };
	static const char *const names[] = { "a", "b", "c" };
	bool six = pick(t, 2);

	return (struct rules_query){
		.direction = pick(t, 2) ? RULES_IN : RULES_OUT,
		.interface = names[pick(t, 3)],
		.interface_group = pick(t, 2) ? "uplink" : "clients",
		.source = random_address(t, six),
		.destination = random_address(t, six),
		.protocol = protocols[pick(t, 9)],
		.source_port = (uint16_t)pick(t, 18),
		.destination_port = (uint16_t)pick(t, 18),
		.icmp_type = (uint8_t)pick(t, 5),
		.icmp_code = (uint8_t)pick(t, 2),
		.tcp_flags = pick(t, 4) ? 0x02 : 0x10,
		.source_is_self = pick(t, 8) == 0,
		.destination_is_self = pick(t, 8) == 0,
	};
}

/* Names that have addresses by chance, the same until `seed` changes. */
struct fake {
	const struct ruleset *set;
	uint64_t seed;
	uint32_t one_in; /* a name has an address; 1: always */
};

static bool chance(const struct fake *fake, uint32_t name, const void *data, size_t bytes)
{
	uint64_t hash = fake->seed ^ name * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull;
	return (hash ^ hash >> 32) % fake->one_in == 0;
}

static bool fake_contains(void *context, uint16_t name, const struct ip_address *address)
{
	return chance(context, name, address->bytes, sizeof(address->bytes));
}

static bool fake_known(void *context, uint16_t name, uint8_t version)
{
	return !chance(context, name, &version, 1);
}

static uint32_t fake_names_of(void *context, const struct ip_address *address, uint16_t *names,
			      uint32_t room)
{
	const struct fake *fake = context;
	uint32_t count = 0;

	for (uint32_t i = 0; i < ruleset_names_count(fake->set); i++)
		if (fake_contains(context, (uint16_t)i, address) && count++ < room)
			names[count - 1] = (uint16_t)i;
	return count;
}

static void fake_names(struct fake *fake, struct ruleset *set, struct text *t)
{
	static const uint32_t chances[] = { 1, 2, 4, 20 };
	struct rules_resolver resolver = { fake_contains, fake_known, fake_names_of, fake };

	*fake = (struct fake){ set, unit_random(&t->state), chances[pick(t, 4)] };
	ruleset_set_resolver(set, pick(t, 8) ? &resolver : NULL);
}

START_TEST(agrees_with_the_walk)
{
	static const uint32_t sizes[] = { 1, 5, 30, 200, 1500 };
	struct text t = { .bytes = calloc(1, TEXT_BYTES),
			  .state = (unit_seed() + (uint64_t)_i * 7919) | 1,
			  .names = _i % 3 != 0 };
	struct ruleset *set = random_set(&t, sizes[_i % 5]);
	struct fake fake;

	for (uint32_t n = 0; n < 1000; n++) {
		struct rules_query query = random_query(&t);
		struct rules_verdict walk, v;
		uint64_t hits;

		if (n % 50 == 0)
			fake_names(&fake, set, &t);
		walk = rules_walk(set, &query);
		hits = walk.rule == RULES_NO_RULE ? 0 : ruleset_rule_hits(set, walk.rule);
		v = ruleset_judge(set, &query);

		ck_assert_msg(v.rule == walk.rule && v.action == walk.action &&
				      v.keep_state == walk.keep_state && v.log == walk.log &&
				      v.max_mss == walk.max_mss,
			      "query %u: rule %u, not %u", n, v.rule, walk.rule);
		if (v.rule != RULES_NO_RULE)
			ck_assert_uint_eq(ruleset_rule_hits(set, v.rule), hits + 1);
	}
	ruleset_free(set);
	free(t.bytes);
}
END_TEST

/* A client for each rule, as one who has many writes them. */
static struct ruleset *clients_set(struct text *t, uint32_t rules)
{
	t->length = 0;
	put(t, "block all\n");
	for (uint32_t i = 1; i < rules; i++)
		put(t, "pass in proto tcp from 10.%u.%u.%u to 192.0.%u.0/24 port %u\n", i >> 16,
		    i >> 8 & 255, i & 255, i % 200, 1 + i % 1000);
	return parse(t);
}

/* The right one of 10,000, in bounded memory. */
START_TEST(large_sets_are_small_and_exact)
{
	struct text t = { .bytes = calloc(1, TEXT_BYTES), .state = 1 };
	struct ruleset *set = clients_set(&t, 10000);
	const struct rules_sets *sets = &set->deciders->sets;
	struct rules_query query = { .direction = RULES_IN,
				     .interface = "client1.0",
				     .interface_group = "clients",
				     .source = ip_address_of4(be32_of(0x0a000000 + 7777)),
				     .destination = ip_address_of4(be32_of(0xc000b105)),
				     .protocol = 6,
				     .source_port = 4000,
				     .destination_port = 778,
				     .tcp_flags = 2 };
	struct rules_verdict v = ruleset_judge(set, &query);

	ck_assert_int_eq(v.action, RULES_PASS);
	ck_assert_uint_eq(v.rule, 7777);
	query.destination_port = 779;
	ck_assert_uint_eq(ruleset_judge(set, &query).rule, 0);
	ck_assert_uint_lt(sets->block_count * sizeof(struct rules_block) +
				  (size_t)sets->count * sets->width * sizeof(uint32_t),
			  4u << 20);
	ruleset_free(set);
	free(t.bytes);
}
END_TEST

/* CPU time of 2,000 verdicts, the best of several tries. */
static double cost(struct ruleset *set, uint32_t rules)
{
	struct rules_query query = { .direction = RULES_IN,
				     .interface = "client1.0",
				     .interface_group = "clients",
				     .destination = ip_address_of4(be32_of(0xc0000105)),
				     .protocol = 6,
				     .tcp_flags = 2 };
	double best = 1e9;

	for (uint32_t try = 0; try < 20; try++) {
		struct timespec begin, end;
		double seconds;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
		for (uint32_t i = 0; i < 2000; i++) {
			query.source = ip_address_of4(be32_of(0x0a000000 + i * 7 % rules));
			query.destination_port = (uint16_t)(1 + i % 1000);
			ck_assert_uint_lt(ruleset_judge(set, &query).rule, rules);
		}
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
		seconds = (double)(end.tv_sec - begin.tv_sec) +
			  (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
		best = seconds < best ? seconds : best;
	}
	return best;
}

/* A walk would cost a hundred times as much; sanitizers and a busy machine cost less. */
START_TEST(many_rules_cost_little_more)
{
	struct text t = { .bytes = calloc(1, TEXT_BYTES), .state = 1 };
	struct ruleset *few = clients_set(&t, 10), *many = clients_set(&t, 1000);
	double ratio = cost(many, 1000) / cost(few, 10);

	ck_assert_msg(ratio < 3, "1,000 rules cost %.2f x of 10", ratio);
	printf("1,000 rules cost %.2f x of 10\n", ratio);
	ruleset_free(few);
	ruleset_free(many);
	free(t.bytes);
}
END_TEST

/* Name i has the address 192.0.x.y with the low bits i, and no other name has. */
static uint32_t one_name_of(void *context, const struct ip_address *address, uint16_t *names,
			    uint32_t room)
{
	uint32_t low = be32_get(ip_address_get4(address)) & 0xffff;
	const struct ruleset *set = context;

	if (low >= ruleset_names_count(set) || !room)
		return 0;
	names[0] = (uint16_t)low;
	return 1;
}

static bool one_contains(void *context, uint16_t name, const struct ip_address *address)
{
	(void)context;
	return (be32_get(ip_address_get4(address)) & 0xffff) == name;
}

/* As of a client each of whose rules names a host. */
static struct ruleset *names_set(struct text *t, uint32_t rules)
{
	struct rules_resolver resolver = { one_contains, fake_known, one_name_of, NULL };
	struct ruleset *set;

	t->length = 0;
	put(t, "block all\n");
	for (uint32_t i = 1; i < rules; i++)
		put(t, "pass in proto tcp to host%u.example.com port 443\n", i);
	set = parse(t);
	resolver.context = set;
	ruleset_set_resolver(set, &resolver);
	return set;
}

static double names_cost(struct ruleset *set, uint32_t rules)
{
	struct rules_query query = { .direction = RULES_IN,
				     .interface = "client1.0",
				     .interface_group = "clients",
				     .source = ip_address_of4(be32_of(0x0a000001)),
				     .protocol = 6,
				     .destination_port = 443,
				     .tcp_flags = 2 };
	double best = 1e9;

	for (uint32_t try = 0; try < 20; try++) {
		clock_t begin = clock();
		double seconds;

		for (uint32_t i = 0; i < 2000; i++) {
			uint32_t name = i * 7 % (rules - 1);

			query.destination = ip_address_of4(be32_of(0xc0000000 + name));
			ck_assert_uint_eq(ruleset_judge(set, &query).rule, name + 1);
		}
		seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
		best = seconds < best ? seconds : best;
	}
	return best;
}

START_TEST(many_names_cost_little_more)
{
	struct text t = { .bytes = calloc(1, TEXT_BYTES), .state = 1 };
	struct ruleset *few = names_set(&t, 10), *many = names_set(&t, 1000);
	double ratio = names_cost(many, 1000) / names_cost(few, 10);

	ck_assert_msg(ratio < 3, "1,000 names cost %.2f x of 10", ratio);
	printf("1,000 names cost %.2f x of 10\n", ratio);
	ruleset_free(few);
	ruleset_free(many);
	free(t.bytes);
}
END_TEST

/* Tables of many names in many rules: what does not fit is found without its names. */
START_TEST(tables_of_many_names_agree_too)
{
	struct text t = { .bytes = calloc(1, TEXT_BYTES), .state = 1 };
	struct ruleset *set;
	struct fake fake;
	uint32_t passed = 0;

	put(&t, "table <n> { 10.0.1.0/24");
	for (uint32_t i = 0; i < 300; i++)
		put(&t, " w%u.example.com", i);
	put(&t, " }\nblock all\n");
	for (uint32_t i = 0; i < 300; i++)
		put(&t, "pass in inet proto tcp from 10.0.0.%u to %s<n> port %u\n", i % 16,
		    i % 5 ? "" : "! ", i % 20);
	set = parse(&t);
	for (uint32_t n = 0; n < 10000; n++) {
		struct rules_query query = random_query(&t);
		struct rules_verdict walk;

		query.direction = RULES_IN;
		query.protocol = 6;
		if (n % 100 == 0)
			fake_names(&fake, set, &t);
		walk = rules_walk(set, &query);
		passed += walk.action == RULES_PASS;
		ck_assert_uint_eq(ruleset_judge(set, &query).rule, walk.rule);
	}
	ck_assert_uint_gt(passed, 20);
	ruleset_free(set);
	free(t.bytes);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, agrees_with_the_walk, 0, 60);
	tcase_add_test(cases, large_sets_are_small_and_exact);
	tcase_add_test(cases, many_rules_cost_little_more);
	tcase_add_test(cases, many_names_cost_little_more);
	tcase_add_test(cases, tables_of_many_names_agree_too);
}

int main(void)
{
	return unit_main("net/rules_index", add_cases);
}
