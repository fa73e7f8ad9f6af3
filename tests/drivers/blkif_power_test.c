/* SPDX-License-Identifier: ISC */
/*
 * The promise of block.h: whatever was reported by a flush, or by a write with FUA, is there
 * after a loss of power. The disk has a cache that forgets any part of what it was not told
 * to keep, and the power fails at random moments with requests of all kinds under way. After
 * it another backend serves what is left, and the client goes on: it is told once that what
 * it has not flushed may be lost.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/blkif_script.h"
#include "tests/drivers/blkif_suites.h"

#define SECTOR 512u
#define SECTORS 512u /* of the disk, that are used */
#define BATCHES 6u   /* under way at most */
#define REQUESTS 12u /* of a batch at most */
#define FAILURES 8u
#define FAILURES_MOST 64u

/* What is known of a sector. Versions are numbers that only grow. */
struct sector {
	uint32_t busy;	   /* a write is under way */
	uint32_t reported; /* the last version that was reported, and that nobody says is lost */
	uint32_t promised; /* there after a loss of power, or a later one */
	uint32_t written;  /* the last version handed over */
};

struct entry_note {
	bool seen;
	bool is_void;  /* since it was handed over we were told that writes are lost */
	uint32_t told; /* of how many failures we knew then */
	uint32_t version;
	uint32_t snapshot[SECTORS]; /* of a flush: what was reported when it was handed over */
};

struct power_batch {
	struct guest_batch batch;
	struct entry_note notes[REQUESTS];
	uint8_t data[REQUESTS][8 * SECTOR];
};

static struct blkif_script script;
static struct blkif_world world;
static struct sector sectors[SECTORS];
static struct power_batch batches[BATCHES];
static uint32_t version, failures, told;

static uint32_t draw(uint32_t bound)
{
	return (uint32_t)(host_random(world.machine) % bound);
}

static bool is_idle(uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		if (sectors[i].busy)
			return false;
	}
	return true;
}

static void stamp(uint8_t *at, uint64_t sector, uint32_t number)
{
	const uint32_t words[2] = { (uint32_t)sector, number };

	for (uint32_t i = 0; i < SECTOR; i += sizeof(words))
		memcpy(at + i, words, sizeof(words));
}

/* The version that a sector holds; 0: none yet. Half a sector of each fails the test. */
static uint32_t version_of(const uint8_t *at, uint64_t sector)
{
	uint32_t words[2];
	uint8_t whole[SECTOR];

	memcpy(words, at, sizeof(words));
	if (!words[0] && !words[1])
		return 0;
	stamp(whole, sector, words[1]);
	ck_assert_mem_eq(at, whole, SECTOR);
	return words[1];
}

/* ---- work ---- */

static void add_flush(struct power_batch *batch)
{
	struct entry_note *note = &batch->notes[batch->batch.count];

	batch->batch.entries[batch->batch.count++].request =
		(struct block_request){ .op = BLOCK_FLUSH };
	for (uint32_t i = 0; i < SECTORS; i++)
		note->snapshot[i] = sectors[i].reported;
}

static void add_write(struct power_batch *batch)
{
	uint32_t index = batch->batch.count;
	uint64_t count = 1 + draw(8), first = draw((uint32_t)(SECTORS - count));
	uint32_t flags = (draw(4) ? 0 : BLOCK_FUA) | (draw(10) ? 0 : BLOCK_BARRIER);

	if (!is_idle(first, count))
		return;
	version++;
	for (uint64_t i = 0; i < count; i++) {
		stamp(batch->data[index] + i * SECTOR, first + i, version);
		sectors[first + i].busy = 1;
		sectors[first + i].written = version;
	}
	batch->notes[index].version = version;
	batch->batch.entries[index].request = (struct block_request){ .op = BLOCK_WRITE,
								      .flags = flags,
								      .sector = first,
								      .count = count,
								      .data = batch->data[index] };
	batch->batch.count++;
}

static void submit(struct power_batch *batch)
{
	uint32_t count = 1 + draw(REQUESTS);

	memset(batch->notes, 0, sizeof(batch->notes));
	for (uint32_t i = 0; i < REQUESTS; i++)
		batch->notes[i].told = told;
	batch->batch.count = 0;
	batch->batch.disk = &world.clients[0].disks[0];
	while (count--) {
		if (draw(6) == 0)
			add_flush(batch);
		else
			add_write(batch);
	}
	if (!batch->batch.count)
		return;
	blkif_world_submit(&world, 0, &batch->batch);
	ck_assert_int_eq(batch->batch.error, 0);
}

/*
 * After a failure a flush, or a barrier, says that it cannot promise what the last backend
 * had. Who hears it looks at what is there; other flushes that were handed over before
 * promise nothing, either. No other error is right.
 */
static void take_error(const struct entry_note *note, const struct batch_entry *entry)
{
	ck_assert_int_eq(entry->error, -EIO);
	ck_assert(entry->request.op == BLOCK_FLUSH || (entry->request.flags & BLOCK_BARRIER));
	ck_assert_uint_lt(note->told, failures);
	told = failures;
	for (uint64_t i = 0; i < SECTORS; i++)
		sectors[i].reported = version_of(script.contents + i * SECTOR, i);
	for (uint32_t i = 0; i < BATCHES; i++) {
		for (uint32_t j = 0; j < batches[i].batch.count; j++)
			batches[i].notes[j].is_void = true;
	}
}

static void take_report(struct entry_note *note, const struct batch_entry *entry)
{
	const struct block_request *request = &entry->request;

	note->seen = true;
	if (entry->error)
		take_error(note, entry);
	if (request->op == BLOCK_FLUSH) {
		for (uint32_t i = 0; i < SECTORS && !entry->error && !note->is_void; i++) {
			if (sectors[i].promised < note->snapshot[i])
				sectors[i].promised = note->snapshot[i];
		}
		return;
	}
	for (uint64_t i = request->sector; i < request->sector + request->count; i++) {
		sectors[i].busy = 0;
		if (entry->error)
			continue;
		sectors[i].reported = note->version;
		if (request->flags & BLOCK_FUA)
			sectors[i].promised = note->version;
	}
}

static bool is_reported(const struct batch_entry *entry)
{
	uint32_t times = atomic_load(&entry->times);

	ck_assert_uint_le(times, 1);
	return times;
}

/* Of what was reported since the last time, the first. */
static struct entry_note *next_report(const struct batch_entry **next)
{
	struct entry_note *note = NULL;

	for (uint32_t i = 0; i < BATCHES; i++) {
		for (uint32_t j = 0; j < batches[i].batch.count; j++) {
			const struct batch_entry *entry = &batches[i].batch.entries[j];

			if (!is_reported(entry) || batches[i].notes[j].seen ||
			    (note && entry->order > (*next)->order))
				continue;
			*next = entry;
			note = &batches[i].notes[j];
		}
	}
	return note;
}

/* In the order of the reports: one that tells of a loss is for those that come after it. */
static void look(void)
{
	const struct batch_entry *entry;
	struct entry_note *note;

	while ((note = next_report(&entry)))
		take_report(note, entry);
}

static bool all_are_seen(const struct power_batch *batch)
{
	for (uint32_t i = 0; i < batch->batch.count; i++) {
		if (!batch->notes[i].seen)
			return false;
	}
	return true;
}

static void work(uint32_t rounds)
{
	while (rounds--) {
		for (uint32_t i = 0; i < BATCHES; i++) {
			look();
			if (all_are_seen(&batches[i]) && draw(2))
				submit(&batches[i]);
		}
		host_run_for(world.machine, draw(150000));
	}
}

/* ---- the failure ---- */

static void check_what_is_left(void)
{
	for (uint64_t i = 0; i < SECTORS; i++) {
		uint32_t there = version_of(script.contents + i * SECTOR, i);

		ck_assert_msg(there >= sectors[i].promised && there <= sectors[i].written,
			      "seed %llu: sector %llu has version %u; %u was promised, %u written",
			      (unsigned long long)world.seed, (unsigned long long)i, there,
			      sectors[i].promised, sectors[i].written);
	}
}

static bool all_is_reported(void *argument)
{
	(void)argument;
	look();
	for (uint32_t i = 0; i < BATCHES; i++) {
		if (!all_are_seen(&batches[i]))
			return false;
	}
	return true;
}

START_TEST(what_was_promised_is_there_after_a_loss_of_power)
{
	blkif_script_begin(&script, &world, (uint32_t)_i);
	memset(sectors, 0, sizeof(sectors));
	memset(batches, 0, sizeof(batches));
	version = failures = told = 0;
	script.forgets = true;
	script.reorder = true;
	script.most_answers = 1 + draw(8);
	script.offer.barrier = _i & 1 ? "1" : NULL;
	script.offer.max_indirect = _i & 2 ? "64" : NULL;
	blkif_script_serve(&script);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	/* Where everything is flushed at once, nothing is lost for a while. */
	for (uint32_t i = 0; i < FAILURES || (!script.lost && i < FAILURES_MOST); i++) {
		/* Now and then the next one fails, too, before it has connected. */
		if (draw(4))
			ck_assert(blkif_world_wait_up(&world, 0, 0, 5 * BLKIF_SECOND));
		work(10 + draw(60));
		/* Dead first: what is reported until then is promised. */
		host_domain_kill(world.server.domain);
		look();
		blkif_script_lose_power(&script);
		failures++;
		check_what_is_left();
	}
	ck_assert(host_run_until(world.machine, all_is_reported, NULL, 30 * BLKIF_SECOND));
	ck_assert_uint_gt(version, 40);
	ck_assert_uint_gt(script.lost, 0);
	ck_assert_int_eq(blkif_world_detach(&world, 0, 0), 0);
	blkif_world_assert_clean(&world.clients[0].guest, "client");
	blkif_script_end(&script);
}
END_TEST

TCase *blkif_power_tests(void)
{
	TCase *tests = tcase_create("power");

	tcase_set_timeout(tests, 180);
	MODES_TEST_STEPPED(tests, what_was_promised_is_there_after_a_loss_of_power, 6);
	return tests;
}
