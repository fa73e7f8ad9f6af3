/* SPDX-License-Identifier: ISC */
/*
 * The log on a disk that loses power at every instant: what was flushed is found, all of
 * it, in order and once; what was not is there or not; nothing else is. Lines come at
 * random, requests are carried out at random or fail, and now and then the power really
 * goes, and a writer begins anew on what is left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configs/log_disk.h"
#include "lib/log_disk_reader.h"
#include "tests/configs/fake_block.h"
#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define SEGMENTS 4u
#define DISK_BYTES (LOG_DISK_HEAD_BYTES + SEGMENTS * LOG_DISK_SEGMENT_LEAST)
#define LINES_MOST 50000u

/* What is known of each line, by the number that is written in it. */
struct line {
	bool flushed;
	uint64_t sequence; /* of its segment */
	uint32_t length;
};

static struct {
	struct fake_block disk;
	struct log_disk log;
	struct random random;
	uint8_t memory[4 * LOG_DISK_MEMORY_LEAST];
	uint8_t *image;
	uint8_t *batch;
	struct log_disk_reader *reader;
	struct line *lines;
	uint32_t count;
	uint32_t first_of_run; /* the line that has record number 0 */
	uint64_t flushes_seen;
	struct log_disk_batch batch_seen;
	uint64_t sequence_seen;
	uint64_t sequence_most; /* that was begun, also if a loss of power undid that */
	uint64_t now_ns;
	uint64_t state; /* of unit_random() */
	uint64_t found; /* records, by all looks */
	uint64_t looks;
} world;

/* Check notes each of its assertions in a file: too slow for millions. */
static void must(bool holds, const char *what, uint32_t number)
{
	if (!holds)
		ck_abort_msg("line %u of %u %s", number, world.count, what);
}

static uint64_t now_ns(void)
{
	return world.now_ns;
}

static uint64_t wall_ns(void)
{
	return world.now_ns + 1700000000ull * SECOND;
}

static uint32_t below(uint32_t bound)
{
	return (uint32_t)(unit_random(&world.state) % bound);
}

/* ---- lines: a number, and a length and bytes that follow from it ---- */

static uint32_t line_make(uint32_t number, uint32_t length, char *to)
{
	uint32_t used = (uint32_t)sprintf(to, "%u:", number);

	while (used < length) {
		to[used] = (char)('a' + (used * 7 + number) % 26);
		used++;
	}
	return used;
}

static void line_give(void)
{
	char text[LOG_DISK_LINE_MOST];
	struct line *line = &world.lines[world.count];
	uint32_t length = below(8) ? 20 + below(200) : 20 + below(LOG_DISK_LINE_MOST - 20);

	must(world.count < LINES_MOST, "is too many", world.count);
	*line = (struct line){ .length = length };
	log_disk_line(&world.log, text, line_make(world.count, length, text));
	world.count++;
}

/* ---- what is flushed ---- */

static void flushed_note(void)
{
	const struct log_disk_batch *batch = &world.batch_seen;

	if (world.log.stats.flushes != world.flushes_seen) {
		must(world.log.stats.flushes == world.flushes_seen + 1, "skips a flush", 0);
		for (uint32_t i = 0; i < batch->records; i++) {
			struct line *line =
				&world.lines[world.first_of_run + batch->first_record + i];

			line->flushed = true;
			line->sequence = world.sequence_seen;
		}
	}
	world.flushes_seen = world.log.stats.flushes;
	world.batch_seen = world.log.batch;
	world.sequence_seen = world.log.segment.sequence;
	if (world.sequence_most < world.sequence_seen)
		world.sequence_most = world.sequence_seen;
}

static void run(void)
{
	log_disk_run(&world.log, world.now_ns);
	flushed_note();
}

/* ---- what is found ---- */

static int image_read(void *context, uint64_t at, void *to, size_t bytes)
{
	(void)context;
	memcpy(to, world.image + at, bytes);
	return 0;
}

/* A line that has to be there, as it was flushed and no segment was begun in its place. */
static bool has_to_be_there(const struct line *line)
{
	return line->flushed && line->sequence + SEGMENTS > world.sequence_most;
}

static void missing_check(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		must(!has_to_be_there(&world.lines[i]), "was flushed and is lost", i);
}

static uint32_t number_of(const struct log_disk_record *record)
{
	char text[LOG_DISK_LINE_MOST + 1];
	uint32_t number, length;

	must(record->kind == LOG_DISK_LINE && record->line.length <= LOG_DISK_LINE_MOST,
	     "is no line", 0);
	memcpy(text, record->line.bytes, record->line.length);
	text[record->line.length] = '\0';
	number = (uint32_t)strtoul(text, NULL, 10);
	must(number < world.count, "was never given", number);
	length = line_make(number, world.lines[number].length, text);
	must(length == record->line.length && memcmp(text, record->line.bytes, length) == 0,
	     "is another one", number);
	return number;
}

/* Reads the image. */
static void image_check(void)
{
	struct log_disk_source source = { .read = image_read, .bytes = DISK_BYTES };
	struct log_disk_record record;
	uint32_t next = 0;

	world.looks++;
	if (log_disk_reader_open(world.reader, &source, world.batch)) {
		missing_check(0, world.count);
		return;
	}
	while (log_disk_reader_next(world.reader, &record)) {
		uint32_t number = number_of(&record);

		must(number >= next, "comes too late", number);
		missing_check(next, number);
		next = number + 1;
		world.found++;
	}
	missing_check(next, world.count);
}

static void crash_check(void)
{
	fake_block_crash(&world.disk, world.image);
	image_check();
}

/* ---- the run ---- */

static void writer_begin(void)
{
	struct log_disk_config config = { .memory = world.memory,
					  .bytes = sizeof(world.memory),
					  .random = &world.random,
					  .now_ns = now_ns,
					  .wall_ns = wall_ns,
					  .flush_ns = SECOND / 10,
					  .flush_bytes = 4096 };

	log_disk_init(&world.log, &config);
	world.first_of_run = world.count;
	world.flushes_seen = 0;
	ck_assert_int_eq(log_disk_attach(&world.log, &world.disk.device, 0, false), 0);
}

/* The power goes and comes back. */
static void power_cycle(void)
{
	crash_check();
	free(world.log.buffer);
	fake_block_restart(&world.disk, world.image);
	writer_begin();
	while (world.log.state != LOG_DISK_READY && world.log.device) {
		fake_block_step(&world.disk);
		world.now_ns += SECOND;
		run();
	}
	/* It says so and waits for somebody, if the very first sector became garbage. */
	if (world.log.state == LOG_DISK_REFUSED && !world.sequence_most) {
		memset(world.image, 0, DISK_BYTES);
		fake_block_restart(&world.disk, world.image);
		writer_begin();
		return;
	}
	ck_assert_int_eq(world.log.state, LOG_DISK_READY);
}

static void world_make(uint32_t logical, uint32_t physical, uint64_t seed)
{
	uint8_t bytes[RANDOM_SEED_BYTES] = { 0 };

	memset(&world, 0, sizeof(world));
	memcpy(bytes, &seed, sizeof(seed));
	random_init(&world.random, bytes);
	world.state = seed * 2 + 1;
	fake_block_init(&world.disk, DISK_BYTES, logical, physical, seed);
	world.image = calloc(1, DISK_BYTES);
	world.batch = malloc(LOG_DISK_BATCH_MOST);
	world.reader = malloc(sizeof(*world.reader));
	world.lines = calloc(LINES_MOST, sizeof(*world.lines));
	writer_begin();
}

static void world_free(void)
{
	free(world.log.buffer);
	fake_block_free(&world.disk);
	free(world.image);
	free(world.batch);
	free(world.reader);
	free(world.lines);
}

static void step(uint32_t error_chance)
{
	uint32_t lines = below(4) ? below(6) : below(40);

	for (uint32_t i = 0; i < lines; i++)
		line_give();
	world.disk.write_error = error_chance && !below(error_chance) ? -EIO : 0;
	switch (below(4)) {
	case 0:
		run();
		break;
	case 1:
		world.now_ns += below(3) * SECOND / 20;
		break;
	default:
		(void)fake_block_step(&world.disk);
		if (world.disk.write_error)
			world.now_ns += 70 * SECOND;
	}
}

/* Steps, looks after every `each`, and losses of power. */
static void go(uint32_t steps, uint32_t each, uint32_t cycles_chance, uint32_t error_chance)
{
	for (uint32_t i = 0; i < steps; i++) {
		step(error_chance);
		if (i % each == 0)
			crash_check();
		if (cycles_chance && !below(cycles_chance))
			power_cycle();
	}
	crash_check();
}

/* Every instant from an empty disk on. */
START_TEST(first_instants)
{
	for (uint64_t i = 0; i < 8; i++) {
		world_make(512, i % 2 ? 4096 : 512, unit_seed() + i);
		go(120, 1, 25, 0);
		world_free();
	}
}
END_TEST

/* Rounds and rounds, and every instant of the last of them. */
START_TEST(many_rounds)
{
	static const uint32_t sectors[][2] = {
		{ 512, 512 }, { 512, 4096 }, { 4096, 4096 }, { 4096, 16384 }
	};

	world_make(sectors[_i][0], sectors[_i][1], unit_seed() + 100 + (uint64_t)_i);
	go(1500, 20, 0, 0);
	go(100, 1, 0, 0);
	ck_assert_uint_gt(world.log.segment.sequence, 2 * SEGMENTS);
	ck_assert_uint_gt(world.found, world.looks * 50);
	world_free();
}
END_TEST

/* With writes that fail, in part done, and losses of power. */
START_TEST(errors)
{
	world_make(512, 4096, unit_seed() + 200 + (uint64_t)_i);
	go(1500, 10, 60, 20);
	ck_assert_uint_gt(world.found, world.looks * 20);
	world_free();
}
END_TEST

/* A disk so slow that most is dropped. */
START_TEST(slow)
{
	world_make(512, 512, unit_seed() + 300);
	while (world.log.state != LOG_DISK_READY)
		step(0);
	for (uint32_t i = 0; i < 60; i++) {
		for (uint32_t k = 0; k < 50; k++)
			line_give();
		step(0);
		if (i % 3 == 0)
			crash_check();
	}
	ck_assert_uint_gt(world.log.stats.dropped, 1000);
	ck_assert_uint_gt(world.log.stats.flushed, 100);
	world_free();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, first_instants);
	tcase_add_loop_test(cases, many_rounds, 0, 4);
	tcase_add_loop_test(cases, errors, 0, 3);
	tcase_add_test(cases, slow);
}

int main(void)
{
	return unit_main("configs/log_disk_crash", add_cases);
}
