/* SPDX-License-Identifier: ISC */
/* The command `tail`: the last records as lines, and those that come. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "configs/log/log.h"

#define LOOK_SECONDS 1u

static uint64_t count_from(struct log_disk_reader *reader, uint32_t which,
			   const struct log_options *options)
{
	struct log_disk_record record;
	uint64_t count = 0;

	log_disk_reader_begin(reader, which);
	while (log_disk_reader_next(reader, &record))
		count += options_want(options, &record);
	return count;
}

/*
 * Goes back to where at least as many records follow as are wanted, farther each time, so that
 * no more than twice as much is read; how many of them are too many.
 */
static uint64_t go_back(struct log_disk_reader *reader, const struct log_options *options)
{
	uint32_t back = 1, which = 0;
	uint64_t count = 0;

	if (!options->count) {
		log_disk_reader_begin(reader, 0);
		return 0;
	}
	for (; reader->count; back *= 2) {
		which = reader->count > back ? reader->count - back : 0;
		count = count_from(reader, which, options);
		if (count >= options->count || which == 0)
			break;
	}
	log_disk_reader_begin(reader, which);
	return count > options->count ? count - options->count : 0;
}

static uint64_t print(struct log_disk_reader *reader, const struct log_options *options,
		      uint64_t skip)
{
	uint64_t missing = reader->left_out, printed = 0;
	struct log_disk_record record;
	char text[RECORD_TEXT_BYTES];

	while (log_disk_reader_next(reader, &record)) {
		uint64_t gap = reader->left_out - missing;

		missing = reader->left_out;
		if (!options_want(options, &record))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		if (gap)
			printf("-- %" PRIu64 " records are missing here\n", gap);
		record_text(&record, text, sizeof(text));
		fputs(text, stdout);
		printed++;
	}
	fflush(stdout);
	return printed;
}

int tail_run(struct log_disk_reader *reader, const struct log_options *options)
{
	uint64_t skip = go_back(reader, options), printed;

	printed = print(reader, options, skip);
	while (options->follow && !ferror(stdout)) {
		sleep(LOOK_SECONDS);
		log_disk_reader_again(reader);
		printed += print(reader, options, 0);
	}
	return printed ? LOG_GOOD : LOG_NOTHING;
}
