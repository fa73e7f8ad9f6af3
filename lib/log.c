/* SPDX-License-Identifier: ISC */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 256u
#define NS_PER_MS 1000000u
#define NS_PER_SECOND 1000000000u

static log_sink *sink;
static log_clock *clock;
static enum log_level level_limit = LOG_INFO;
static const char *const level_names[LOG_LEVEL_COUNT] = { "error", "warn", "info", "debug" };

void log_init(log_sink *new_sink, log_clock *new_clock)
{
	sink = new_sink;
	clock = new_clock;
}

void log_set_level(enum log_level level)
{
	level_limit = level;
}

int log_level_parse(const char *word)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(word, level_names[i]) == 0)
			return i;
	return -EINVAL;
}

static uint64_t now_ns(void)
{
	return clock ? clock() : 0;
}

/* Control characters in what a neighbour chose must not reach a terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text >= 127)
			*text = '?';
}

static void line_write(enum log_level level, const char *subsystem, const char *format,
		       va_list arguments)
{
	char line[LINE_BYTES];
	uint64_t ms = now_ns() / NS_PER_MS;
	int used = snprintf(line, sizeof(line), "[%5u.%03u] %-5s %s: ", (unsigned int)(ms / 1000),
			    (unsigned int)(ms % 1000), level_names[level], subsystem);
	size_t length;

	if (used < 0 || (size_t)used >= sizeof(line))
		return;
	if (vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments) < 0)
		return;
	make_printable(line);
	length = strlen(line);
	line[length++] = '\n';
	sink(line, length);
}

void log_line(enum log_level level, const char *subsystem, const char *format, ...)
{
	va_list arguments;

	if (level > level_limit || !sink)
		return;
	va_start(arguments, format);
	line_write(level, subsystem, format, arguments);
	va_end(arguments);
}

static bool limit_take(struct log_limit *limit)
{
	uint64_t now = now_ns();
	uint64_t seconds = (now - limit->refilled_ns) / NS_PER_SECOND;

	if (seconds) {
		uint64_t tokens = limit->tokens + seconds;

		limit->tokens = tokens > limit->burst ? limit->burst : (uint32_t)tokens;
		limit->refilled_ns += seconds * NS_PER_SECOND;
	}
	if (limit->tokens == 0) {
		limit->suppressed++;
		return false;
	}
	limit->tokens--;
	return true;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *subsystem,
		 const char *format, ...)
{
	va_list arguments;

	if (level > level_limit || !sink || !limit_take(limit))
		return;
	if (limit->suppressed) {
		log_line(level, subsystem, "%u lines like the next were left out",
			 limit->suppressed);
		limit->suppressed = 0;
	}
	va_start(arguments, format);
	line_write(level, subsystem, format, arguments);
	va_end(arguments);
}
