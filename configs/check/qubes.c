/* SPDX-License-Identifier: ISC */
/* Entries of QubesDB, one a line, read as a firewall in QubesOS would. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "configs/check/check.h"
#include "lib/ip_text.h"
#include "net/qubes_rules.h"

#define DNS_MAX 4u

struct reader {
	const char *name;
	const struct file *file;
	struct qubes_rules *rules;
	struct ip_address dns[DNS_MAX];
	uint32_t dns_count;
	bool reported[QUBES_RULES_SOURCES_MAX];
	bool bad;
};

static void complain(struct reader *r, uint32_t line, uint32_t column, const char *message)
{
	fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": %s\n", r->name, line, column, message);
	show_caret(r->file, line, column);
	r->bad = true;
}

/* What a line closed, or, for line 0, what only the whole shows. `at`: where its value begins. */
static void report_closed(struct reader *r, uint32_t line, uint32_t at)
{
	char text[IP6_TEXT_BYTES];

	for (uint32_t i = 0; i < qubes_rules_count(r->rules); i++) {
		struct qubes_rules_source source = qubes_rules_source(r->rules, i);

		if (!source.error || r->reported[i])
			continue;
		r->reported[i] = true;
		r->bad = true;
		if (line)
			complain(r, line, source.error->column ? at + source.error->column : 1,
				 source.error->message);
		else if (source.error->number != QUBES_RULES_POLICY)
			fprintf(stderr, "%s: %s: rule %04" PRIu32 ": %s\n", r->name,
				ip_text_format(&source.address, text), source.error->number,
				source.error->message);
		else
			fprintf(stderr, "%s: %s: %s\n", r->name,
				ip_text_format(&source.address, text), source.error->message);
	}
}

static bool is_dns(const char *path, size_t length)
{
	static const char *const paths[] = { "/qubes-primary-dns", "/qubes-secondary-dns" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (strlen(paths[i]) == length && memcmp(paths[i], path, length) == 0)
			return true;
	return false;
}

static bool take_dns(struct reader *r, const char *value, size_t length)
{
	if (r->dns_count == DNS_MAX || ip_text_parse(value, length, &r->dns[r->dns_count]))
		return false;
	r->dns_count++;
	return true;
}

/* "PATH = VALUE" */
static void take_line(struct reader *r, uint32_t number, const char *line, size_t length)
{
	const char *blank = memchr(line, ' ', length);
	size_t path = blank ? (size_t)(blank - line) : length;
	size_t value = path + 3;
	int error;

	if (length == 0 || line[0] == '#')
		return;
	/* An empty value may have lost the blank at its end. */
	if (length == path + 2 && memcmp(line + path, " =", 2) == 0)
		value = length;
	else if (length < value || memcmp(line + path, " = ", 3) != 0) {
		complain(r, number, (uint32_t)path + 1, "expected PATH = VALUE");
		return;
	}
	if (is_dns(line, path)) {
		if (!take_dns(r, line + value, length - value))
			complain(r, number, (uint32_t)value + 1, "expected an address");
		return;
	}
	error = qubes_rules_entry(r->rules, line, path, line + value, length - value);
	if (error == -E2BIG)
		complain(r, number, 1, "too many addresses have rules");
	else if (error && error != -ENOENT)
		report_closed(r, number, (uint32_t)value);
}

static void take_file(struct reader *r)
{
	const char *at = r->file->text, *end = at + r->file->bytes;

	for (uint32_t number = 1; at < end; number++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop ? stop : end) - at);

		take_line(r, number, at, length);
		at += length + 1;
	}
}

int qubes_read(const char *name, const struct file *file, struct ruleset **set)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct qubes_rules *rules = qubes_rules_new();
	struct rules_error error = { 0 };
	uint64_t expiry;
	int result = CHECK_TROUBLE;

	if (r && rules) {
		struct qubes_rules_compile how = { .now = (uint64_t)time(NULL) };

		*r = (struct reader){ .name = name, .file = file, .rules = rules };
		take_file(r);
		how.dns = r->dns;
		how.dns_count = r->dns_count;
		if (qubes_rules_compile(rules, &how, set, &expiry, &error) == 0) {
			report_closed(r, 0, 0);
			result = r->bad ? CHECK_NOTHING : CHECK_GOOD;
		}
	}
	if (result == CHECK_TROUBLE)
		fprintf(stderr, "%s: %s\n", name, error.message[0] ? error.message : "no memory");
	qubes_rules_free(rules);
	free(r);
	return result;
}
