/* SPDX-License-Identifier: ISC */
/* The command `run`: a load to be measured. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "configs/blktest/blktest.h"
#include "configs/blktest/job.h"
#include "configs/blktest/words.h"

#define NS_PER_S 1000000000ull
#define REQUEST_BYTES 4096u

static const struct {
	const char *word;
	enum block_op op;
	bool random_order;
} kinds[] = {
	{ "read", BLOCK_READ, false },	     { "write", BLOCK_WRITE, false },
	{ "randread", BLOCK_READ, true },    { "randwrite", BLOCK_WRITE, true },
	{ "discard", BLOCK_DISCARD, false }, { "zeroes", BLOCK_WRITE_ZEROES, false },
};

static int kind_set(const char *line, struct job_options *options)
{
	char word[16];

	(void)!words_find(line, "rw", word, sizeof(word));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(word, kinds[i].word) == 0) {
			options->op = kinds[i].op;
			options->random_order = kinds[i].random_order;
			return 0;
		}
	say("not understood: rw=%s", word);
	return -EINVAL;
}

static void run_on(const char *line, struct block_device *device)
{
	struct job *job = calloc(1, sizeof(*job));
	struct job_options options;
	int error = job ? job_options_parse(line, device, REQUEST_BYTES, 1, &options) : -ENOMEM;

	if (!error)
		error = kind_set(line, &options);
	if (!error && options.ios == JOB_NO_LIMIT && options.duration_ns == JOB_NO_LIMIT)
		options.duration_ns = NS_PER_S;
	if (!error && words_is(line, "fua", "yes"))
		options.flags = BLOCK_FUA;
	if (!error)
		error = job_run(job, &options);
	if (error)
		say("run: %s: %s", device->name,
		    error == -ENOMEM ? "not enough memory" : "not understood");
	else
		job_report("job", job);
	free(job);
}

void command_run(const char *line)
{
	disk_command(line, run_on);
}
