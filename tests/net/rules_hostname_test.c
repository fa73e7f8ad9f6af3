/* SPDX-License-Identifier: ISC */
/* What host names in rules mean before and after they are resolved. */
#include <errno.h>
#include <string.h>

#include "net/rules_internal.h"
#include "tests/host/unit.h"

/* The name "here.example.com" has the packet's address; "there..." has others. */
#define HERE "here.example.com"
#define THERE "there.example.com"

static struct ruleset *parse(const char *text)
{
	struct ruleset *set = NULL;
	struct rules_error error;
	int result = ruleset_parse(text, strlen(text), &set, &error);

	ck_assert_msg(result == 0, "%u:%u: %s", error.line, error.column, error.message);
	return set;
}

static bool contains(void *set, uint16_t name, const struct ip_address *address)
{
	(void)address;
	return strcmp(ruleset_name(set, name), HERE) == 0;
}

static bool known(void *set, uint16_t name, uint8_t version)
{
	(void)set;
	(void)name;
	return version == 4;
}

static uint32_t names_of(void *set, const struct ip_address *address, uint16_t *names,
			 uint32_t room)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < ruleset_names_count(set); i++)
		if (contains(set, (uint16_t)i, address) && count++ < room)
			names[count - 1] = (uint16_t)i;
	return count;
}

/* Is a packet from 10.0.0.5 to 192.0.2.1 passed? Asked of the index and of the walk. */
static bool passes(const char *text, bool resolved, uint8_t version)
{
	struct ruleset *set = parse(text);
	struct rules_resolver resolver = { contains, known, names_of, set };
	struct rules_query query = {
		.direction = RULES_IN,
		.interface = "client3.0",
		.interface_group = "clients",
		.source = ip_address_of4(be32_of(0x0a000005)),
		.destination = ip_address_of4(be32_of(0xc0000201)),
		.protocol = 17,
	};
	bool pass;

	query.source.version = version;
	query.destination.version = version;
	ruleset_set_resolver(set, resolved ? &resolver : NULL);
	pass = ruleset_judge(set, &query).action == RULES_PASS;
	ck_assert_int_eq(rules_walk(set, &query).action == RULES_PASS, pass);
	ruleset_free(set);
	return pass;
}

static const struct {
	const char *text;
	bool before, after;
} cases_of[] = {
	{ "pass to " HERE, false, true },
	{ "pass from " HERE, false, true },
	{ "pass to " THERE, false, false },
	{ "pass to ! " HERE, false, false },
	{ "pass to ! " THERE, false, true },
	{ "pass to { " THERE " " HERE " }", false, true },
	{ "pass\nblock to " HERE, true, false },
	{ "pass\nblock to " THERE, true, true },
	{ "pass\nblock to ! " THERE, false, false },
	{ "pass\nblock to ! " HERE, false, true },
	{ "table <t> { " HERE " }\npass to <t>", false, true },
	{ "table <t> { " THERE " }\npass to <t>", false, false },
	{ "table <t> { " THERE " }\npass to ! <t>", false, true },
	{ "table <t> { " HERE " }\npass to ! <t>", false, false },
	{ "table <t> { 192.0.2.0/24 " THERE " }\npass to <t>", true, true },
	{ "table <t> { 192.0.2.0/24 ! " THERE " }\npass to <t>", false, true },
	{ "table <t> { 192.0.2.0/24 ! " HERE " }\npass to <t>", false, false },
	{ "table <t> { " HERE " ! 192.0.2.0/24 }\npass to <t>", false, true },
	{ "table <t> { " HERE " ! 192.0.2.1 }\npass to <t>", false, false },
	{ "table <t> { " HERE " ! 192.0.2.1 }\npass to ! <t>", true, true },
	{ "table <t> { " HERE " ! " HERE " }\npass to <t>", false, false },
	{ "table <t> { " HERE " }\npass\nblock to <t>", true, false },
	{ "table <t> { " THERE " }\npass\nblock to ! <t>", false, false },
	{ "table <t> { 192.0.2.0/24 ! " HERE " }\npass\nblock to <t>", false, true },
};

START_TEST(meaning)
{
	ck_assert(passes(cases_of[_i].text, false, 4) == cases_of[_i].before);
	ck_assert(passes(cases_of[_i].text, true, 4) == cases_of[_i].after);
}
END_TEST

/* What is known of IPv4 says nothing of IPv6. */
START_TEST(versions_are_known_apart)
{
	ck_assert(passes("pass to ! " THERE, true, 4));
	ck_assert(!passes("pass to ! " THERE, true, 6));
	ck_assert(!passes("pass\nblock to ! " THERE, true, 6));
}
END_TEST

START_TEST(names_are_counted_once)
{
	struct ruleset *set = parse("table <t> { a.example.com }\n"
				    "pass to { A.Example.Com b.example.com printer. }\n"
				    "pass from { ! a.example.com. b.example.com }");

	ck_assert_uint_eq(ruleset_names_count(set), 3);
	ck_assert_str_eq(ruleset_name(set, 0), "a.example.com");
	ck_assert_str_eq(ruleset_name(set, 1), "b.example.com");
	ck_assert_str_eq(ruleset_name(set, 2), "printer");
	ruleset_free(set);
	ck_assert_uint_eq(ruleset_names_count(NULL), 0);
}
END_TEST

START_TEST(many_names)
{
	struct ruleset *set = calloc(1, sizeof(*set));
	char text[32];
	uint16_t name;

	for (uint32_t i = 0; i < RULES_NAMES_MAX; i++) {
		int length = snprintf(text, sizeof(text), "h%u.example.com", i);

		ck_assert_int_eq(ruleset_add_name(set, text, (size_t)length, &name), 0);
		ck_assert_uint_eq(name, i);
	}
	ck_assert_int_eq(ruleset_add_name(set, "one.more", 8, &name), -E2BIG);
	ck_assert_int_eq(ruleset_add_name(set, "H77.example.com", 15, &name), 0);
	ck_assert_uint_eq(name, 77);
	ck_assert_int_eq(ruleset_add_name(set, "-a.example.com", 14, &name), -EINVAL);
	ruleset_free(set);
}
END_TEST

static const char *const wrong[] = {
	"pass to www",
	"pass to 10.0.0.300",
	"pass to www.example.1",
	"pass to 1.2.3",
	"pass to a..b",
	"pass to -a.example.com",
	"pass to www.example.com/24",
	"pass to .",
	"pass out nat-to www.example.com",
	"table <t> { 10.0.0.256 }",
};

START_TEST(no_names)
{
	struct ruleset *set = NULL;
	struct rules_error error;

	ck_assert_int_eq(ruleset_parse(wrong[_i], strlen(wrong[_i]), &set, &error), -EINVAL);
	ck_assert_uint_gt(error.column, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, meaning, 0, sizeof(cases_of) / sizeof(*cases_of));
	tcase_add_test(cases, versions_are_known_apart);
	tcase_add_test(cases, names_are_counted_once);
	tcase_add_test(cases, many_names);
	tcase_add_loop_test(cases, no_names, 0, sizeof(wrong) / sizeof(*wrong));
}

int main(void)
{
	return unit_main("net/rules_hostname", add_cases);
}
