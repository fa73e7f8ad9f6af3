/* SPDX-License-Identifier: ISC */
#include "configs/blktest/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/blktest/blktest.h"
#include "configs/blktest/words.h"
#include "lib/minmax.h"

#define BATCH 64u
#define NS_PER_S 1000000000ull
#define WORD_BYTES 16u

struct job_slot {
	struct block_request request;
	struct job *job;
	struct list link; /* in job->idle */
};

static bool has_data(const struct job *job)
{
	return job->options.op == BLOCK_READ || job->options.op == BLOCK_WRITE;
}

/* ---- submitting ---- */

static uint64_t place_next(struct job *job)
{
	uint64_t place = job->next_place;

	if (job->options.random_order)
		return random_u64(&job->random) % job->places;
	job->next_place = place + 1 == job->places ? 0 : place + 1;
	return place;
}

static void slot_aim(struct job *job, struct job_slot *slot)
{
	const struct job_options *options = &job->options;
	uint32_t sector_bytes = options->device->geometry.sector_bytes;

	slot->request.op = options->op;
	slot->request.flags = options->flags;
	slot->request.sector = (options->offset + place_next(job) * options->bytes) / sector_bytes;
	slot->request.count = options->bytes / sector_bytes;
	if (options->prepare)
		options->prepare(&slot->request, options->context);
}

static void failed(struct job *job, int error)
{
	job->result.errors++;
	if (!job->result.error)
		job->result.error = error;
	if (error == -ENODEV || error == -EBUSY)
		job->ending = true;
}

static bool wants_more(struct job *job)
{
	const struct job_options *options = &job->options;

	if (job->submitted >= options->ios || job->end_ns - job->start_ns >= options->duration_ns)
		job->ending = true;
	return !job->ending && !list_is_empty(&job->idle);
}

static void batch_submit(struct job *job, struct block_request *const *batch, uint32_t count)
{
	int error = block_submit(job->options.device, batch, count);

	if (!error) {
		job->under_way += count;
		return;
	}
	failed(job, error);
	job->ending = true; /* the next one would fail like it */
}

static void fill_ring(struct job *job)
{
	struct block_request *batch[BATCH];
	uint32_t count = 0;

	while (count < BATCH && wants_more(job)) {
		struct job_slot *slot =
			list_entry(list_pop_front(&job->idle), struct job_slot, link);

		slot_aim(job, slot);
		batch[count++] = &slot->request;
		job->submitted++;
	}
	if (count)
		batch_submit(job, batch, count);
}

static bool poll(struct loop_source *source, uint32_t budget)
{
	struct job *job = container_of(source, struct job, source);

	(void)budget;
	job->end_ns = clock_now_ns();
	fill_ring(job);
	if (job->ending && !job->under_way)
		fiber_event_signal(&job->ended);
	return wants_more(job);
}

static void done(struct block_request *request, int error)
{
	struct job_slot *slot = container_of(request, struct job_slot, request);
	struct job *job = slot->job;

	job->under_way--;
	if (error == -EBUSY) {
		request->data = NULL; /* it is not ours any more */
	} else if (!error) {
		job->result.ios++;
		job->result.bytes += job->options.bytes;
		if (job->options.judge)
			job->options.judge(request, job->options.context);
	}
	if (error)
		failed(job, error);
	list_push_back(&job->idle, &slot->link);
	loop_schedule(&job->source);
}

/* ---- the whole of it ---- */

static int slots_make(struct job *job)
{
	const struct job_options *options = &job->options;

	job->slots = calloc(options->depth, sizeof(*job->slots));
	if (!job->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < options->depth; i++) {
		struct job_slot *slot = &job->slots[i];

		slot->job = job;
		slot->request.done = done;
		if (has_data(job)) {
			slot->request.data =
				buffers_alloc(options->device, options->buffers, options->bytes);
			if (!slot->request.data)
				return -ENOMEM;
		}
		list_push_back(&job->idle, &slot->link);
		job->slot_count++;
	}
	return 0;
}

static void slots_free(struct job *job)
{
	for (uint32_t i = 0; i < job->slot_count; i++)
		if (job->slots[i].request.data)
			buffers_free(job->options.device, job->options.buffers,
				     job->slots[i].request.data, job->options.bytes);
	free(job->slots);
}

static void seed_set(struct random *random, uint64_t seed)
{
	uint8_t bytes[RANDOM_SEED_BYTES] = { 0 };

	memcpy(bytes, &seed, sizeof(seed));
	random_init(random, bytes);
}

static void run(struct job *job)
{
	loop_source_init(&job->source, poll);
	fiber_event_init(&job->ended);
	job->start_ns = job->end_ns = clock_now_ns();
	loop_schedule(&job->source);
	while (!job->ending || job->under_way)
		(void)!fiber_event_wait(&job->ended, FIBER_FOREVER);
	job->result.ns = clock_now_ns() - job->start_ns;
	loop_unschedule(&job->source);
}

int job_run(struct job *job, const struct job_options *options)
{
	int error;

	memset(job, 0, sizeof(*job));
	job->options = *options;
	list_init(&job->idle);
	seed_set(&job->random, options->seed);
	job->places = options->size / options->bytes;
	if (!job->places)
		return -EINVAL;
	error = slots_make(job);
	if (!error)
		run(job);
	slots_free(job);
	return error;
}

/* ---- words ---- */

static int wrong(const char *what)
{
	say("not understood: %s", what);
	return -EINVAL;
}

static int buffers_of(const char *line, enum buffers *to)
{
	char word[WORD_BYTES];

	*to = BUFFERS_DEVICE;
	if (words_find(line, "buffers", word, sizeof(word)))
		*to = buffers_parse(word);
	return *to == BUFFERS_COUNT ? wrong("buffers=") : 0;
}

static uint64_t seconds_ns(const char *line)
{
	uint64_t seconds = words_number(line, "seconds", 0);

	return seconds ? seconds * NS_PER_S : JOB_NO_LIMIT;
}

static bool is_whole(uint64_t bytes, uint32_t sector_bytes)
{
	return bytes && bytes % sector_bytes == 0;
}

int job_options_parse(const char *line, struct block_device *device, uint64_t bytes, uint32_t depth,
		      struct job_options *options)
{
	uint32_t sector_bytes = device->geometry.sector_bytes;
	uint64_t disk_bytes = device->geometry.sectors * sector_bytes;

	*options = (struct job_options){ .device = device,
					 .depth = (uint32_t)words_number(line, "depth", depth),
					 .offset = words_number(line, "offset", 0),
					 .ios = words_number(line, "ios", JOB_NO_LIMIT),
					 .duration_ns = seconds_ns(line),
					 .seed = words_number(line, "seed", 1) };
	if (options->offset % sector_bytes || options->offset >= disk_bytes)
		return wrong("offset=");
	options->size = min64(words_number(line, "size", disk_bytes), disk_bytes - options->offset);
	options->bytes = words_number(line, "bs", min64(bytes, options->size));
	if (!is_whole(options->bytes, sector_bytes) || options->bytes > BLOCK_BYTES_MOST)
		return wrong("bs=");
	if (!is_whole(options->size, sector_bytes) || options->size < options->bytes)
		return wrong("size=");
	if (!options->depth || options->depth > JOB_DEPTH_MOST)
		return wrong("depth=");
	return buffers_of(line, &options->buffers);
}

void job_report(const char *word, const struct job *job)
{
	const struct job_result *result = &job->result;

	if (result->error)
		say("%s: %s: %s", word, job->options.device->name, block_error_name(result->error));
	say("%s: %s ios %" PRIu64 " bytes %" PRIu64 " ns %" PRIu64 " errors %" PRIu64, word,
	    job->options.device->name, result->ios, result->bytes, result->ns, result->errors);
}
