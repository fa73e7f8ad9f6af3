/* SPDX-License-Identifier: ISC */
/* Packets as text: read, written, compared. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "net/wire.h"
#include "tests/configs/library/rw_script_parts.h"

/* Where reading is. */
struct reader {
	struct script *script;
	const char *whole;
	const char *at;
};

static const char letters[] = "FSRP.UEW"; /* from the lowest bit */

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ')
		r->at++;
}

/* The word, if it comes next. */
static bool take(struct reader *r, const char *word)
{
	size_t bytes = strlen(word);

	skip_blanks(r);
	if (strncmp(r->at, word, bytes) != 0)
		return false;
	if (isalnum((unsigned char)word[bytes - 1]) && isalnum((unsigned char)r->at[bytes]))
		return false;
	r->at += bytes;
	return true;
}

static void need(struct reader *r, const char *word)
{
	if (!take(r, word))
		script_fail(r->script, "scenario: \"%s\" wants '%s' at \"%s\"", r->whole, word,
			    r->at);
}

static struct number read_number(struct reader *r)
{
	char *end;
	struct number number = { 0 };

	skip_blanks(r);
	if (*r->at == '*') {
		r->at++;
		number.any = true;
		return number;
	}
	number.value = (uint32_t)strtoul(r->at, &end, 10);
	if (end == r->at)
		script_fail(r->script, "scenario: \"%s\" wants a number at \"%s\"", r->whole,
			    r->at);
	r->at = end;
	return number;
}

static void read_flags(struct reader *r, struct segment *to)
{
	skip_blanks(r);
	for (; *r->at && *r->at != ' '; r->at++) {
		const char *letter = strchr(letters, *r->at);

		if (!letter)
			script_fail(r->script, "scenario: \"%s\" has a flag '%c'", r->whole,
				    *r->at);
		to->flags |= (uint8_t)(1u << (letter - letters));
	}
	if (to->flags & TCP_PSH)
		to->has |= HAS_PUSH;
}

static void read_range(struct reader *r, struct segment *to)
{
	struct number end = { 0 };

	to->sequence = read_number(r);
	if (*r->at == ':') {
		r->at++;
		end = read_number(r);
	} else {
		end.any = true;
	}
	need(r, "(");
	to->bytes = read_number(r).value;
	need(r, ")");
	if (!end.any && !to->sequence.any && end.value != to->sequence.value + to->bytes)
		script_fail(r->script, "scenario: \"%s\" does not add up", r->whole);
}

static void add_raw(struct segment *to, const void *bytes, size_t count)
{
	ck_assert_uint_le(to->option_bytes + count, sizeof(to->option_raw));
	memcpy(to->option_raw + to->option_bytes, bytes, count);
	to->option_bytes += (unsigned int)count;
}

static void read_hex(struct reader *r, struct segment *to)
{
	skip_blanks(r);
	while (isxdigit((unsigned char)r->at[0]) && isxdigit((unsigned char)r->at[1])) {
		const char digits[3] = { r->at[0], r->at[1], 0 };
		uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);

		add_raw(to, &byte, 1);
		r->at += 2;
	}
	to->has |= HAS_OTHER;
}

/* Options of relative numbers are filled in when the packet is made: a mark stands for them. */
static void read_sacks(struct reader *r, struct segment *to)
{
	const uint8_t kind = 5;

	skip_blanks(r);
	while (isdigit((unsigned char)*r->at) || *r->at == '*') {
		ck_assert_uint_lt(to->sack_count, 4);
		to->sacks[to->sack_count][0] = read_number(r);
		need(r, ":");
		to->sacks[to->sack_count++][1] = read_number(r);
		skip_blanks(r);
	}
	add_raw(to, &kind, 1);
	add_raw(to, (uint8_t[33]){ (uint8_t)(2 + 8 * to->sack_count) }, 1 + 8 * to->sack_count);
}

static void read_option(struct reader *r, struct segment *to)
{
	if (take(r, "mss")) {
		to->mss = read_number(r);
		to->has |= HAS_MSS;
		add_raw(to,
			(uint8_t[]){ 2, 4, (uint8_t)(to->mss.value >> 8), (uint8_t)to->mss.value },
			4);
	} else if (take(r, "wscale")) {
		to->scale = read_number(r);
		to->has |= HAS_SCALE;
		add_raw(to, (uint8_t[]){ 3, 3, (uint8_t)to->scale.value }, 3);
	} else if (take(r, "sackOK")) {
		to->has |= HAS_SACK_PERMITTED;
		add_raw(to, (uint8_t[]){ 4, 2 }, 2);
	} else if (take(r, "TS")) {
		need(r, "val");
		to->ts_value = read_number(r);
		need(r, "ecr");
		to->ts_echo = read_number(r);
		to->has |= HAS_TS;
		add_raw(to, (uint8_t[10]){ 8, 10 }, 10);
	} else if (take(r, "noTS")) {
		to->has |= HAS_NO_TS;
	} else if (take(r, "sack")) {
		read_sacks(r, to);
	} else if (take(r, "nop")) {
		add_raw(to, (uint8_t[]){ 1 }, 1);
	} else if (take(r, "eol")) {
		add_raw(to, (uint8_t[]){ 0 }, 1);
	} else if (take(r, "raw")) {
		read_hex(r, to);
	} else {
		script_fail(r->script, "scenario: \"%s\" has an option \"%s\"", r->whole, r->at);
	}
}

static void read_options(struct reader *r, struct segment *to)
{
	to->has |= HAS_OPTIONS;
	if (take(r, ">"))
		return;
	do
		read_option(r, to);
	while (take(r, ","));
	need(r, ">");
}

static bool read_ecn(struct reader *r, struct segment *to)
{
	static const char *const names[] = { "not-ect", "ect1", "ect0", "ce" };

	for (uint8_t i = 0; i < 4; i++) {
		if (!take(r, names[i]))
			continue;
		to->ecn = i;
		to->has |= HAS_ECN;
		return true;
	}
	return false;
}

static void read_rest(struct reader *r, struct segment *to)
{
	if (take(r, "ack")) {
		to->ack = read_number(r);
		to->has |= HAS_ACK;
	} else if (take(r, "win")) {
		to->window = read_number(r);
		to->has |= HAS_WINDOW;
	} else if (take(r, "urg")) {
		to->urgent = read_number(r);
		to->has |= HAS_URGENT;
	} else if (take(r, "ttl")) {
		to->ttl = (uint8_t)read_number(r).value;
	} else if (take(r, "junk")) {
		to->has |= HAS_JUNK;
	} else if (take(r, "badsum")) {
		to->has |= HAS_BAD_SUM;
	} else if (take(r, "<")) {
		read_options(r, to);
	} else if (!read_ecn(r, to)) {
		script_fail(r->script, "scenario: \"%s\" has \"%s\"", r->whole, r->at);
	}
}

void segment_parse(struct script *s, const char *text, struct segment *to)
{
	struct reader r = { s, text, text };

	*to = (struct segment){ .ttl = 64 };
	if (strncmp(text, "udp ", 4) == 0 || strncmp(text, "icmp ", 5) == 0) {
		to->other = true;
		snprintf(to->text, sizeof(to->text), "%s", text);
		return;
	}
	read_flags(&r, to);
	read_range(&r, to);
	for (skip_blanks(&r); *r.at; skip_blanks(&r))
		read_rest(&r, to);
	if (!(to->flags & TCP_ACK) != !(to->has & HAS_ACK))
		script_fail(s, "scenario: \"%s\": '.' and ack go together", text);
}

/* ---- to text ---- */

struct writer {
	char *at;
	size_t room;
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *format, ...)
{
	va_list arguments;
	size_t wrote;

	va_start(arguments, format);
	wrote = (size_t)vsnprintf(w->at, w->room, format, arguments);
	va_end(arguments);
	wrote = wrote < w->room ? wrote : w->room - 1;
	w->at += wrote;
	w->room -= wrote;
}

static void put_number(struct writer *w, const char *before, struct number number)
{
	if (number.any)
		put(w, "%s*", before);
	else
		put(w, "%s%u", before, number.value);
}

static void put_options(struct writer *w, const struct segment *segment)
{
	const char *comma = "<";

	if (segment->has & HAS_MSS) {
		put(w, " %s", comma);
		put_number(w, "mss ", segment->mss);
		comma = ",";
	}
	if (segment->has & HAS_SACK_PERMITTED) {
		put(w, "%s%ssackOK", *comma == '<' ? " " : "", comma);
		comma = ",";
	}
	if (segment->has & HAS_TS) {
		put(w, "%s%sTS", *comma == '<' ? " " : "", comma);
		put_number(w, " val ", segment->ts_value);
		put_number(w, " ecr ", segment->ts_echo);
		comma = ",";
	}
	if (segment->has & HAS_SCALE) {
		put(w, "%s%s", *comma == '<' ? " " : "", comma);
		put_number(w, "wscale ", segment->scale);
		comma = ",";
	}
	for (unsigned int i = 0; i < segment->sack_count; i++) {
		put(w, "%s%s", i == 0 && *comma == '<' ? " <" : i == 0 ? "," : "", i ? "" : "sack");
		put_number(w, " ", segment->sacks[i][0]);
		put_number(w, ":", segment->sacks[i][1]);
		comma = ",";
	}
	if (segment->has & HAS_OTHER) {
		put(w, "%s%sothers", *comma == '<' ? " " : "", comma);
		comma = ",";
	}
	if (*comma == ',')
		put(w, ">");
}

void segment_print(const struct segment *segment, char *to, size_t room)
{
	static const char *const ecn[] = { "not-ect", "ect1", "ect0", "ce" };
	struct writer w = { to, room };

	if (segment->other) {
		put(&w, "%s", segment->text);
		return;
	}
	for (unsigned int i = 0; letters[i]; i++)
		if (segment->flags & 1u << i)
			put(&w, "%c", letters[i]);
	put_number(&w, " ", segment->sequence);
	if (!segment->sequence.any)
		put(&w, ":%u", segment->sequence.value + segment->bytes);
	put(&w, "(%u)", segment->bytes);
	if (segment->has & HAS_ACK)
		put_number(&w, " ack ", segment->ack);
	if (segment->has & HAS_WINDOW)
		put_number(&w, " win ", segment->window);
	if (segment->has & HAS_URGENT)
		put_number(&w, " urg ", segment->urgent);
	put_options(&w, segment);
	if (segment->has & HAS_ECN && segment->ecn)
		put(&w, " %s", ecn[segment->ecn]);
}

/* ---- comparison ---- */

static bool same(struct number expected, struct number seen)
{
	return expected.any || expected.value == seen.value;
}

static bool same_options(const struct segment *expected, const struct segment *seen)
{
	const uint32_t all = HAS_MSS | HAS_SCALE | HAS_SACK_PERMITTED | HAS_OTHER;

	if ((expected->has ^ seen->has) & all || expected->sack_count != seen->sack_count)
		return false;
	if (seen->flags & TCP_SYN && (expected->has ^ seen->has) & HAS_TS)
		return false;
	if (expected->has & HAS_NO_TS && seen->has & HAS_TS)
		return false;
	if (expected->has & HAS_TS &&
	    (!(seen->has & HAS_TS) || !same(expected->ts_value, seen->ts_value) ||
	     !same(expected->ts_echo, seen->ts_echo)))
		return false;
	for (unsigned int i = 0; i < expected->sack_count; i++)
		if (!same(expected->sacks[i][0], seen->sacks[i][0]) ||
		    !same(expected->sacks[i][1], seen->sacks[i][1]))
			return false;
	return same(expected->mss, seen->mss) && same(expected->scale, seen->scale);
}

bool segment_matches(const struct segment *expected, const struct segment *seen)
{
	uint8_t flags = expected->has & HAS_PUSH ? 0xff : (uint8_t)~TCP_PSH;

	if (expected->other || seen->other)
		return expected->other && seen->other && !strcmp(expected->text, seen->text);
	if ((expected->flags ^ seen->flags) & flags || expected->bytes != seen->bytes ||
	    !same(expected->sequence, seen->sequence))
		return false;
	if (expected->has & HAS_ACK && !same(expected->ack, seen->ack))
		return false;
	if (expected->has & HAS_WINDOW && !same(expected->window, seen->window))
		return false;
	if (expected->has & HAS_URGENT && !same(expected->urgent, seen->urgent))
		return false;
	if (expected->has & HAS_ECN && expected->ecn != seen->ecn)
		return false;
	return !(expected->has & HAS_OPTIONS) || same_options(expected, seen);
}
