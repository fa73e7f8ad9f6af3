/* SPDX-License-Identifier: ISC */
/* ringwall-log: reads the log that a firewall keeps on a disk. See the man page. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configs/log/log.h"
#include "lib/time_text.h"

#define LINES_DEFAULT 10u

static int usage(void)
{
	fputs("usage: ringwall-log list [OPTIONS] DISK\n"
	      "       ringwall-log tail [-n LINES] [-f] [OPTIONS] DISK\n"
	      "       ringwall-log export [-o OUT.pcapng] [OPTIONS] DISK\n"
	      "options: --since TIME, --until TIME (2026-11-21T15:15:55Z), --offset BYTES\n",
	      stderr);
	return LOG_TROUBLE;
}

bool options_want(const struct log_options *options, const struct log_disk_record *record)
{
	return record->time_ns >= options->since_ns && record->time_ns < options->until_ns;
}

void reader_complain(const struct log_options *options, const struct log_disk_reader *reader)
{
	const char *name = options->name;

	if (reader->second)
		fprintf(stderr, "ringwall-log: %s: the first superblock is damaged\n", name);
	if (reader->missing)
		fprintf(stderr, "ringwall-log: %s: it ends before its last %" PRIu32 " segments\n",
			name, reader->missing);
	if (reader->unreadable)
		fprintf(stderr, "ringwall-log: %s: %" PRIu32 " segments are damaged\n", name,
			reader->unreadable);
	if (reader->damaged)
		fprintf(stderr,
			"ringwall-log: %s: %" PRIu64
			" batches are damaged or were never finished\n",
			name, reader->damaged);
	if (reader->left_out)
		fprintf(stderr, "ringwall-log: %s: %" PRIu64 " records are missing\n", name,
			reader->left_out);
}

static bool number_read(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* One option; false: it makes no sense. */
static bool option_read(struct log_options *options, int letter, const char *text)
{
	switch (letter) {
	case 'n':
		return number_read(text, &options->count);
	case 'f':
		options->follow = true;
		return true;
	case 'o':
		options->output = text;
		return true;
	case 's':
		return time_text_parse(text, strlen(text), &options->since_ns) == 0;
	case 'u':
		return time_text_parse(text, strlen(text), &options->until_ns) == 0;
	case 'O':
		return number_read(text, &options->offset) &&
		       options->offset % LOG_DISK_UNIT_LEAST == 0 && options->offset <= INT64_MAX;
	default:
		return false;
	}
}

/* What stands behind the command; false: wrong words. */
static bool options_read(struct log_options *options, int count, char **words, const char *letters)
{
	static const struct option longer[] = { { "since", required_argument, NULL, 's' },
						{ "until", required_argument, NULL, 'u' },
						{ "offset", required_argument, NULL, 'O' },
						{ NULL, 0, NULL, 0 } };
	int letter;

	while ((letter = getopt_long(count, words, letters, longer, NULL)) != -1) {
		if (letter == '?')
			return false;
		if (!option_read(options, letter, optarg)) {
			fprintf(stderr, "ringwall-log: %s: makes no sense\n", optarg);
			return false;
		}
	}
	options->name = words[optind];
	return optind + 1 == count;
}

struct command {
	const char *name;
	const char *letters;
	int (*run)(struct log_disk_reader *reader, const struct log_options *options);
};

static int run(const struct command *command, const struct log_options *options)
{
	static struct log_disk_reader reader;
	struct disk *disk = disk_open(options->name, options->offset);
	int result = LOG_TROUBLE;

	if (!disk)
		return LOG_TROUBLE;
	if (disk_read_log(disk, &reader)) {
		result = command->run(&reader, options);
		reader_complain(options, &reader);
	}
	if (result != LOG_TROUBLE && (fflush(stdout) || ferror(stdout))) {
		fputs("ringwall-log: the standard output cannot be written\n", stderr);
		result = LOG_TROUBLE;
	}
	disk_close(disk);
	return result;
}

int main(int count, char **words)
{
	static const struct command commands[] = { { "list", "", list_run },
						   { "tail", "n:f", tail_run },
						   { "export", "o:", export_run } };
	struct log_options options = { .output = "-",
				       .until_ns = UINT64_MAX,
				       .count = LINES_DEFAULT };

	for (size_t i = 0; count > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(words[1], commands[i].name) == 0)
			return options_read(&options, count - 1, words + 1, commands[i].letters)
				       ? run(&commands[i], &options)
				       : usage();
	return usage();
}
