/* SPDX-License-Identifier: ISC */
#include "net/rules.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
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
		.source = address(from),
		.destination = address(to),
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
	{ "pass from 2001:db8::1", 1, 11 },
	{ "pass inet6", 1, 6 },
	{ "pass on", 1, 8 },
	{ "pass proto { tcp udp", 1, 12 },
	{ "pass in in port", 1, 12 },
	{ "pass proto tcp flags S/A", 1, 22 },
	{ "pass $nothing", 1, 6 },
	{ "a = 1\na = 2", 2, 1 },
	{ "pass label \"no end", 1, 12 },
	{ "set limit states 5", 1, 5 },
	{ "pass ;", 1, 6 },
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
		"pass",	 "block",  "in",	"out",	 "on",	       "proto",	  "tcp",
		"udp",	 "icmp",   "from",	"to",	 "any",	       "port",	  "80",
		"{",	 "}",	   ",",		"!",	 "10.0.0.0/8", "quick",	  "log",
		"\n",	 "\n",	   "$m",	"m",	 "=",	       "\"x y\"", "label",
		"flags", "S/SA",   "keep",	"state", "\\\n",       "#",	  "<",
		"><",	 "1:2",	   "icmp-type", "self",	 "\"",	       "set",	  "block-policy",
		"(",	 "uplink",
	};
	uint64_t state = (unit_seed() + (uint64_t)_i) | 1;
	char text[512] = "";
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
	tcase_add_test(cases, expansion_is_bounded);
	tcase_add_loop_test(cases, random_words, 0, 500);
}

int main(void)
{
	return unit_main("net/rules", add_cases);
}
