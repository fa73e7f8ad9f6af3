/* SPDX-License-Identifier: ISC */
/* ringwall-check: reads a rule file as the firewall would, on any host. See the man page. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "configs/check/check.h"

/* The file, or one byte more than a rule file may have. */
static int file_read(const char *name, struct file *file)
{
	FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");

	file->text = malloc(RULES_MAX_BYTES + 1);
	if (!from || !file->text) {
		fprintf(stderr, "ringwall-check: %s: %s\n", name, strerror(errno));
		return CHECK_TROUBLE;
	}
	file->bytes = fread(file->text, 1, RULES_MAX_BYTES + 1, from);
	if (ferror(from)) {
		fprintf(stderr, "ringwall-check: %s: cannot be read\n", name);
		return CHECK_TROUBLE;
	}
	if (from != stdin)
		fclose(from);
	return CHECK_GOOD;
}

void show_caret(const struct file *file, uint32_t number, uint32_t column)
{
	const char *line = file->text, *end = file->text + file->bytes, *stop;

	for (uint32_t i = 1; i < number && line < end; i++) {
		stop = memchr(line, '\n', (size_t)(end - line));
		line = stop ? stop + 1 : end;
	}
	stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
	fprintf(stderr, "%.*s\n", (int)((stop ? stop : end) - line), line);
	for (uint32_t i = 1; i < column; i++)
		fputc(line + i <= end && line[i - 1] == '\t' ? '\t' : ' ', stderr);
	fputs("^\n", stderr);
}

static int pf_read(const char *name, const struct file *file, struct ruleset **set)
{
	struct rules_error error;

	if (ruleset_parse(file->text, file->bytes, set, &error) == 0)
		return CHECK_GOOD;
	fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": %s\n", name, error.line, error.column,
		error.message[0] ? error.message : "no memory");
	if (error.line)
		show_caret(file, error.line, error.column);
	return CHECK_NOTHING;
}

static int rules_read(const char *name, bool qubes, struct ruleset **set)
{
	struct file file = { 0 };
	int result = file_read(name, &file);

	if (result == CHECK_GOOD)
		result = qubes ? qubes_read(name, &file, set) : pf_read(name, &file, set);
	free(file.text);
	return result;
}

static void show_all(const struct ruleset *set)
{
	show_options(stdout, set);
	for (uint32_t i = 0; i < ruleset_count(set); i++) {
		show_rule(stdout, set, &set->rules[i]);
		printf("    # rule %" PRIu32 ", line %" PRIu32 "\n", i, set->rules[i].line);
	}
}

static bool judge_and_show(struct ruleset *set, const struct rules_query *query)
{
	struct rules_verdict verdict = ruleset_judge(set, query);

	printf("%s on %s: ", query->direction == RULES_IN ? "in" : "out", query->interface);
	show_action(stdout, (uint8_t)verdict.action, verdict.icmp4_answer, verdict.icmp6_answer);
	show_verdict(stdout, &verdict);
	if (verdict.rule == RULES_NO_RULE) {
		puts(", no rule matches");
	} else {
		printf(", line %" PRIu32 ": ", ruleset_rule_line(set, verdict.rule));
		show_rule(stdout, set, &set->rules[verdict.rule]);
		putchar('\n');
	}
	return verdict.action == RULES_PASS;
}

static void place(struct rules_query *query, enum rules_direction direction, const char *name,
		  const char *group)
{
	query->direction = direction;
	query->interface = name;
	query->interface_group = group;
}

/* The --name options, behind the packet. */
static bool names_read(char **words, int count, struct name_list *names)
{
	for (int i = 0; i < count; i += 2) {
		const char *wrong = "expected --name NAME=ADDRESS";

		if (i + 1 < count && strcmp(words[i], "--name") == 0)
			wrong = name_list_add(names, words[i + 1]);
		if (wrong) {
			fprintf(stderr, "ringwall-check: %s\n", wrong);
			return false;
		}
	}
	return true;
}

static int test(struct ruleset *set, const char *text)
{
	struct packet_text packet;
	const char *wrong = packet_text_parse(text, &packet);
	bool pass;

	if (wrong) {
		fprintf(stderr, "ringwall-check: packet: %s\n", wrong);
		return CHECK_TROUBLE;
	}
	if (packet.has_direction) {
		if (!packet.interface[0])
			place(&packet.query, packet.query.direction,
			      packet.query.direction == RULES_IN ? "client1.0" : "uplink0",
			      packet.query.direction == RULES_IN ? "clients" : "uplink");
		return judge_and_show(set, &packet.query) ? CHECK_GOOD : CHECK_NOTHING;
	}
	place(&packet.query, RULES_IN, "client1.0", "clients");
	pass = judge_and_show(set, &packet.query);
	/* What is for the firewall itself goes no further. */
	if (!pass || packet.query.destination_is_self)
		return pass ? CHECK_GOOD : CHECK_NOTHING;
	place(&packet.query, RULES_OUT, "uplink0", "uplink");
	return judge_and_show(set, &packet.query) ? CHECK_GOOD : CHECK_NOTHING;
}

static int usage(void)
{
	fputs("usage: ringwall-check check [--qubes] FILE\n"
	      "       ringwall-check show [--qubes] FILE\n"
	      "       ringwall-check test [--qubes] FILE 'tcp 10.137.0.10:4000 > 1.1.1.1:443' "
	      "[--name NAME=ADDRESS ...]\n"
	      "       ringwall-check decode CONSOLE OUT.pcapng\n",
	      stderr);
	return CHECK_TROUBLE;
}

/* The command's words behind its name and behind --qubes. */
static int run(const char *command, bool qubes, char **words, int count)
{
	static struct name_list names;
	struct ruleset *set = NULL;
	bool is_test = strcmp(command, "test") == 0 && count >= 2;
	bool is_show = strcmp(command, "show") == 0 && count == 1;
	int result;

	if (strcmp(command, "decode") == 0 && count == 2 && !qubes)
		return decode(words[0], words[1]);
	if (!is_test && !is_show && !(strcmp(command, "check") == 0 && count == 1))
		return usage();
	if (is_test && !names_read(words + 2, count - 2, &names))
		return CHECK_TROUBLE;
	result = rules_read(words[0], qubes, &set);
	/* A list of QubesOS that is wrong is closed, and the others are as they are. */
	if (set && is_test) {
		name_list_resolve(&names, set);
		result = test(set, words[1]);
	} else if (set && is_show) {
		show_all(set);
	}
	ruleset_free(set);
	return result;
}

int main(int count, char **words)
{
	bool qubes = count > 2 && strcmp(words[2], "--qubes") == 0;
	int skip = qubes ? 3 : 2;

	return count < skip ? usage() : run(words[1], qubes, words + skip, count - skip);
}
