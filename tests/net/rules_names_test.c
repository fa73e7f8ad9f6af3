/* SPDX-License-Identifier: ISC */
/* Rule sets come and go; their names keep their addresses as long as one set has them. */
#include "net/rules_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/names_internal.h"
#include "tests/host/unit.h"

#define CAPACITY 8u
#define SECOND 1000000000ull

static struct names names;
static struct rules_names bound;
static struct wheel wheel;
static struct random numbers;
static void *memory;
static uint64_t now;
static uint32_t changes;
static struct ruleset *changed_set;

static void on_send(void *context, const struct names_datagram *datagram)
{
	(void)context;
	(void)datagram;
}

static void on_changed(void *context, struct ruleset *set)
{
	ck_assert_ptr_eq(context, &changes);
	changes++;
	changed_set = set;
}

static void setup(void)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	struct names_config config = {
		.capacity = CAPACITY,
		.wheel = &wheel,
		.random = &numbers,
		.output = { on_send, rules_names_changed, &bound },
	};

	now = SECOND;
	changes = 0;
	wheel_init(&wheel, now);
	random_init(&numbers, seed);
	memory = malloc(names_memory_bytes(CAPACITY));
	config.memory = memory;
	ck_assert_int_eq(names_init(&names, &config), 0);
	rules_names_init(&bound, &names, &now, on_changed, &changes);
}

static void teardown(void)
{
	free(memory);
}

static struct ruleset *parse(const char *text)
{
	struct ruleset *set = NULL;
	struct rules_error error;

	ck_assert_int_eq(ruleset_parse(text, strlen(text), &set, &error), 0);
	return set;
}

static uint16_t number(const char *text)
{
	struct dns_name name;

	ck_assert_int_eq(dns_name_from_text(&name, text, strlen(text)), 0);
	return names_find(&names, &name);
}

static void resolve(const char *text, uint32_t address)
{
	struct names_answer answer = { .ttl = 60, .count = 1 };

	answer.addresses[0] = names_address_ip4(be32_of(address));
	ck_assert_uint_ne(number(text), NAMES_NONE);
	names_put(&names, number(text), &answer, now);
}

static bool passes(struct ruleset *set, uint32_t address)
{
	struct rules_query query = {
		.direction = RULES_OUT,
		.interface = "uplink0",
		.interface_group = "uplink",
		.source = ip_address_of4(be32_of(0x0a000005)),
		.destination = ip_address_of4(be32_of(address)),
		.protocol = 17,
	};

	return ruleset_judge(set, &query).action == RULES_PASS;
}

START_TEST(a_bound_set_asks_the_names)
{
	struct ruleset *set = parse("pass to { a.example.com b.example.com }");

	ck_assert_int_eq(rules_names_bind(&bound, set), 0);
	ck_assert(!passes(set, 0xc0000201));
	resolve("b.example.com", 0xc0000201);
	ck_assert_uint_eq(changes, 1);
	ck_assert_ptr_eq(changed_set, set);
	ck_assert(passes(set, 0xc0000201));
	ck_assert(!passes(set, 0xc0000202));
	now += (60 + NAMES_STALE_S) * SECOND;
	ck_assert(!passes(set, 0xc0000201));
	now = SECOND;
	rules_names_unbind(&bound, set);
	ck_assert(!passes(set, 0xc0000201));
	ck_assert_uint_eq(number("a.example.com"), NAMES_NONE);
	rules_names_unbind(&bound, set);
	ruleset_free(set);
}
END_TEST

START_TEST(common_names_keep_their_addresses)
{
	struct ruleset *old = parse("pass to { a.example.com b.example.com }");
	struct ruleset *new = parse("pass to { c.example.com b.example.com }");

	ck_assert_int_eq(rules_names_bind(&bound, old), 0);
	resolve("a.example.com", 0xc0000201);
	resolve("b.example.com", 0xc0000202);
	ck_assert_int_eq(rules_names_bind(&bound, new), 0);
	/* An address of a name that the other set alone has. */
	ck_assert(passes(old, 0xc0000201));
	ck_assert(!passes(new, 0xc0000201));
	ck_assert(passes(new, 0xc0000202));
	changes = 0;
	resolve("b.example.com", 0xc0000203);
	ck_assert_uint_eq(changes, 2); /* both are told */
	rules_names_unbind(&bound, old);
	ruleset_free(old);
	ck_assert(passes(new, 0xc0000202));
	changes = 0;
	resolve("b.example.com", 0xc0000204);
	resolve("c.example.com", 0xc0000204);
	ck_assert_uint_eq(changes, 2);
	ck_assert_uint_eq(number("a.example.com"), NAMES_NONE);
	rules_names_unbind(&bound, new);
	ruleset_free(new);
}
END_TEST

START_TEST(too_many_names_change_nothing)
{
	struct ruleset *old = parse("pass to { a.example.com b.example.com }");
	struct ruleset *new = parse("pass to { b.example.com 1.a 2.a 3.a 4.a 5.a. 6.a 7.a }");
	struct ruleset *none = parse("pass to 192.0.2.9");

	ck_assert_int_eq(rules_names_bind(&bound, old), 0);
	resolve("b.example.com", 0xc0000202);
	ck_assert_int_eq(rules_names_bind(&bound, new), -ENOSPC);
	ck_assert(passes(old, 0xc0000202));
	ck_assert(!passes(new, 0xc0000202));
	ck_assert_uint_eq(number("1.a"), NAMES_NONE);
	ck_assert_int_eq(rules_names_bind(&bound, none), 0);
	ck_assert(passes(none, 0xc0000209));
	rules_names_unbind(&bound, none);
	rules_names_unbind(&bound, old);
	/* Now there is room. */
	ck_assert_int_eq(rules_names_bind(&bound, new), 0);
	rules_names_unbind(&bound, new);
	ruleset_free(old);
	ruleset_free(new);
	ruleset_free(none);
}
END_TEST

/* An address of more names than a search takes one by one. */
START_TEST(an_address_of_all_names)
{
	struct ruleset *set =
		parse("block all\npass to { 1.a 2.a 3.a 4.a }\nblock to 5.a\npass to 6.a\n");
	struct ruleset *other = parse("pass to { 7.a 8.a }");

	ck_assert_int_eq(rules_names_bind(&bound, set), 0);
	ck_assert_int_eq(rules_names_bind(&bound, other), 0);
	for (uint32_t i = 1; i <= 8; i++) {
		char text[] = { (char)('0' + i), '.', 'a', 0 };

		resolve(text, 0xc0000201);
		ck_assert_int_eq(passes(set, 0xc0000201), i != 5);
		ck_assert_int_eq(passes(other, 0xc0000201), i >= 7);
	}
	rules_names_unbind(&bound, set);
	rules_names_unbind(&bound, other);
	ruleset_free(set);
	ruleset_free(other);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, a_bound_set_asks_the_names);
	tcase_add_test(cases, common_names_keep_their_addresses);
	tcase_add_test(cases, too_many_names_change_nothing);
	tcase_add_test(cases, an_address_of_all_names);
}

int main(void)
{
	return unit_main("net/rules_names", add_cases);
}
