/* SPDX-License-Identifier: ISC */
/* What the console command `pcap` has printed (configs/capture_lines.h), as a capture file. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "configs/check/check.h"
#include "lib/base64.h"

#define MARK "pcap: "
#define LINE_BYTES 1024u
#define CAPTURE_BYTES_MOST (64u << 20)

struct decoder {
	uint8_t *bytes; /* of the capture that was last begun */
	size_t used;
	uint64_t lines;
	uint64_t lost;
	bool any;
	bool whole; /* its end has been seen */
	const char *wrong;
};

static void data_line(struct decoder *decoder, const char *text, uint64_t number)
{
	size_t length = strcspn(text, " \r\n");
	int bytes;

	if (number != decoder->lines++) {
		decoder->wrong = "a line is missing";
		return;
	}
	if (decoder->used + length > CAPTURE_BYTES_MOST) {
		decoder->wrong = "it is too long";
		return;
	}
	bytes = base64_read(decoder->bytes + decoder->used, text, length);
	if (bytes < 0)
		decoder->wrong = "a line is damaged";
	else
		decoder->used += (size_t)bytes;
}

/* A number and the blanks behind it; `*text` moves on. False: there is none. */
static bool number_take(const char **text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(*text, &end, 10);
	if (end == *text || errno)
		return false;
	*text = end + strspn(end, " ");
	return true;
}

/* How many lines there were, and how many records were lost. */
static void end_line(struct decoder *decoder, const char *text)
{
	uint64_t lines;

	if (!number_take(&text, &lines) || !number_take(&text, &decoder->lost))
		return;
	decoder->whole = true;
	if (lines != decoder->lines)
		decoder->wrong = "a line is missing";
}

/* A line behind the mark. */
static void line_take(struct decoder *decoder, const char *text)
{
	uint64_t number;

	if (strncmp(text, "BEGIN", 5) == 0)
		*decoder = (struct decoder){ .bytes = decoder->bytes, .any = true };
	else if (!decoder->any || decoder->whole || decoder->wrong)
		return;
	else if (strncmp(text, "END ", 4) == 0)
		end_line(decoder, text + 4);
	else if (number_take(&text, &number))
		data_line(decoder, text, number);
}

static void lines_take(struct decoder *decoder, FILE *from)
{
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), from)) {
		const char *mark = strstr(line, MARK);

		if (mark)
			line_take(decoder, mark + strlen(MARK));
	}
	if (decoder->any && !decoder->wrong && !decoder->whole)
		decoder->wrong = "its end is missing";
}

static int write_capture(const struct decoder *decoder, const char *name)
{
	FILE *to = fopen(name, "wb");
	bool good;

	if (!to) {
		fprintf(stderr, "ringwall-check: %s: %s\n", name, strerror(errno));
		return CHECK_TROUBLE;
	}
	good = fwrite(decoder->bytes, 1, decoder->used, to) == decoder->used;
	if (fclose(to) || !good) {
		fprintf(stderr, "ringwall-check: %s: cannot be written\n", name);
		return CHECK_TROUBLE;
	}
	if (decoder->lost)
		fprintf(stderr,
			"ringwall-check: %" PRIu64 " records were lost on the way to the console\n",
			decoder->lost);
	return CHECK_GOOD;
}

int decode(const char *console, const char *capture)
{
	FILE *from = strcmp(console, "-") == 0 ? stdin : fopen(console, "rb");
	struct decoder decoder = { .bytes = malloc(CAPTURE_BYTES_MOST) };
	int result = CHECK_TROUBLE;

	if (!from || !decoder.bytes) {
		fprintf(stderr, "ringwall-check: %s: %s\n", console, strerror(errno));
	} else {
		lines_take(&decoder, from);
		if (decoder.wrong)
			fprintf(stderr, "ringwall-check: %s: the last capture: %s\n", console,
				decoder.wrong);
		else
			result = decoder.any ? write_capture(&decoder, capture) : CHECK_NOTHING;
	}
	if (from && from != stdin)
		fclose(from);
	free(decoder.bytes);
	return result;
}
