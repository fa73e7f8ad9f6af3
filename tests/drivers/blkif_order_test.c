/* SPDX-License-Identifier: ISC */
/*
 * blkfront against a disk that answers late, in another order and with errors: what is in
 * order all the same, because somebody asked for it or because a backend was replaced.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "tests/drivers/blkif_script.h"
#include "tests/drivers/blkif_suites.h"

#define SECTOR 512u

static struct blkif_script script;
static struct blkif_world world;
static struct guest_batch batch;
static uint8_t data[BATCH_MOST * SECTOR];

static void begin(uint32_t variant)
{
	blkif_script_begin(&script, &world, variant);
	memset(&batch, 0, sizeof(batch));
	batch.disk = &world.clients[0].disks[0];
}

static void attach(void)
{
	blkif_script_serve(&script);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
}

static void end(void)
{
	script.silent = false;
	ck_assert_int_eq(blkif_world_detach(&world, 0, 0), 0);
	ck_assert(blkif_world_wait_down(&world, 0, 0, BLKIF_SECOND));
	blkif_world_assert_clean(&world.clients[0].guest, "client");
	blkif_script_end(&script);
}

/* Adds a write of one sector, which holds `value`. */
static void add_write(uint64_t sector, uint32_t flags, uint8_t value)
{
	uint8_t *at = data + (size_t)batch.count * SECTOR;

	memset(at, value, SECTOR);
	batch.entries[batch.count++].request = (struct block_request){
		.op = BLOCK_WRITE, .flags = flags, .sector = sector, .count = 1, .data = at
	};
}

static const struct load_shape plain = { .depth = 24,
					 .max_bytes = 64u << 10,
					 .buffers = LOAD_ORDINARY | LOAD_ALIGNED | LOAD_DEVICE,
					 .reads = 50,
					 .writes = 50,
					 .flushes = 3,
					 .fua = 5,
					 .barriers = 3 };

/* Answers to requests that came after one that had none yet. */
static uint32_t answered_early(void)
{
	uint32_t early = 0, latest = 0;

	for (uint32_t i = script.event_count; i--;) {
		const struct script_event *event = &script.events[i];

		if (!event->answer)
			continue;
		early += latest && event->request > latest;
		if (!latest || event->request < latest)
			latest = event->request;
	}
	return early;
}

START_TEST(answers_in_any_order_agree_with_the_model)
{
	begin((uint32_t)_i);
	script.reorder = true;
	script.most_answers = _i ? 3 : 0;
	script.offer.max_indirect = _i & 1 ? NULL : "64";
	script.offer.barrier = _i & 2 ? "1" : NULL;
	attach();
	blkif_world_run(&world, 0, 0, &plain, 1500);
	ck_assert_uint_gt(answered_early(), 100);
	end();
}
END_TEST

START_TEST(errors_are_reported_and_nothing_else_is_wrong)
{
	const struct blkif_load *load = &world.clients[0].disks[0].load;

	begin((uint32_t)_i);
	script.reorder = true;
	script.error_one_in = 20;
	attach();
	blkif_world_load(&world, 0, 0, &plain, 1500);
	ck_assert(blkif_world_wait_load(&world, 0, 0, 30 * BLKIF_SECOND));
	blkif_world_assert_load(&world, 0, 0, false);
	ck_assert_uint_gt(script.errors, 0);
	ck_assert_uint_gt(atomic_load(&load->failed_io), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_gone) + atomic_load(&load->failed_other), 0);
	ck_assert_uint_eq(atomic_load(&load->reported), 1500);
	script.error_one_in = 0;
	blkif_world_run(&world, 0, 0, &plain, 200);
	end();
}
END_TEST

/* One request of the ring fails; only those that went along in it are told so. */
START_TEST(a_failed_request_fails_alone)
{
	begin(0);
	attach();
	for (uint32_t i = 0; i < 20; i++)
		add_write(i * 8, 0, 1);
	script.silent = true;
	blkif_world_submit(&world, 0, &batch);
	host_run_for(world.machine, BLKIF_MS);
	ck_assert_uint_eq(script.unanswered, 20);
	script.error_one_in = 1;
	script.most_answers = 1;
	script.silent = false;
	while (script.unanswered == 20)
		host_run_for(world.machine, 10000);
	script.error_one_in = 0;
	blkif_world_wait_batch(&world, &batch);
	ck_assert_uint_ge(script.errors, 1);
	for (uint32_t i = 0; i < batch.count; i++)
		ck_assert_int_eq(batch.entries[i].error, i < script.errors ? -EIO : 0);
	end();
}
END_TEST

/* ---- barriers and flushes ---- */

static int event_index(bool answer, uint64_t sector)
{
	for (uint32_t i = 0; i < script.event_count; i++) {
		if (script.events[i].answer == answer &&
		    (script.events[i].op == BLKIF_OP_WRITE ||
		     script.events[i].op == BLKIF_OP_WRITE_BARRIER) &&
		    script.events[i].sector == sector)
			return (int)i;
	}
	return -1;
}

/* With its own operation (_i 0) and by waiting; neighbouring sectors are not merged over it. */
START_TEST(a_barrier_stands_between_what_was_before_and_after)
{
	int came, answered;

	begin((uint32_t)_i);
	script.offer.barrier = _i & 1 ? NULL : "1";
	script.offer.flush = _i & 2 ? NULL : "1";
	script.reorder = true;
	script.most_answers = 2;
	attach();
	for (uint32_t i = 0; i < 10; i++)
		add_write(100 + 2 * i, 0, 1);
	add_write(121, BLOCK_BARRIER, 2);
	for (uint32_t i = 0; i < 10; i++)
		add_write(122 + 2 * i, 0, 3);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	came = event_index(false, 121);
	answered = event_index(true, 121);
	ck_assert_int_ge(came, 0);
	ck_assert_int_eq(script.events[came].sectors, 1);
	for (uint32_t i = 0; i < 10; i++) {
		ck_assert_int_eq(batch.entries[i].error, 0);
		if (script.events[came].op == BLKIF_OP_WRITE_BARRIER) {
			ck_assert_int_lt(event_index(false, 100 + 2 * i), came);
			ck_assert_int_gt(event_index(false, 122 + 2 * i), came);
			continue;
		}
		ck_assert_int_lt(event_index(true, 100 + 2 * i), came);
		ck_assert_int_gt(event_index(false, 122 + 2 * i), answered);
	}
	end();
}
END_TEST

START_TEST(a_fua_write_is_reported_when_it_is_stable)
{
	begin((uint32_t)_i);
	script.forgets = true;
	script.offer.barrier = _i & 1 ? "1" : NULL;
	script.most_answers = 1;
	attach();
	for (uint8_t i = 1; i < 40; i++) {
		batch.count = 0;
		add_write(i * 7u, BLOCK_FUA | (i & 1 ? BLOCK_BARRIER : 0), i);
		blkif_world_submit(&world, 0, &batch);
		blkif_world_wait_batch(&world, &batch);
		ck_assert_int_eq(batch.entries[0].error, 0);
		ck_assert_mem_eq(script.stable + i * 7ul * SECTOR, data, SECTOR);
	}
	end();
}
END_TEST

START_TEST(a_flush_makes_stable_what_was_reported)
{
	struct guest_operation flush = { .op = BLOCK_FLUSH, .disk = &world.clients[0].disks[0] };

	begin(0);
	script.forgets = true;
	attach();
	for (uint32_t i = 0; i < 60; i++)
		add_write(i * 3, 0, (uint8_t)(i + 1));
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	ck_assert_mem_eq(script.stable, script.contents, script.bytes);
	for (uint32_t i = 0; i < 60; i++)
		ck_assert_uint_eq(script.stable[i * 3 * SECTOR], i + 1);
	end();
}
END_TEST

/* A disk that offers to flush and then fails to is not believed. */
START_TEST(a_flush_that_fails_is_reported)
{
	struct guest_operation flush = { .op = BLOCK_FLUSH, .disk = &world.clients[0].disks[0] };

	begin(0);
	attach();
	script.flush_status = BLKIF_RSP_ERROR;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), -EIO);
	add_write(5, BLOCK_FUA, 1);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	ck_assert_int_eq(batch.entries[0].error, -EIO);
	/* Also where it comes before the write, which is then not carried out. */
	batch.count = 0;
	add_write(6, BLOCK_BARRIER, 2);
	add_write(7, 0, 3);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	ck_assert_int_eq(batch.entries[0].error, -EIO);
	ck_assert_int_eq(batch.entries[1].error, 0);
	ck_assert_uint_eq(script.contents[6 * SECTOR], 0);
	script.flush_status = BLKIF_RSP_EOPNOTSUPP;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), -EOPNOTSUPP);
	end();
}
END_TEST

START_TEST(nothing_is_promised_where_nothing_can_be_flushed)
{
	struct guest_operation operation = { .op = BLOCK_FLUSH,
					     .disk = &world.clients[0].disks[0] };

	begin(0);
	script.offer.flush = NULL;
	attach();
	ck_assert(!blkif_world_look(&world, 0, 0)->geometry.flush);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), -EOPNOTSUPP);
	operation = (struct guest_operation){ .op = BLOCK_WRITE,
					      .flags = BLOCK_FUA,
					      .count = 1,
					      .data = data,
					      .disk = &world.clients[0].disks[0] };
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), -EOPNOTSUPP);
	operation.flags = 0;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &operation), 0);
	end();
}
END_TEST

/* ---- another backend ---- */

/* More than the ring holds, none answered, and one backend after the other. */
START_TEST(what_was_not_answered_is_issued_again_in_order)
{
	uint32_t next = 0;

	begin((uint32_t)_i);
	script.offer.max_ring_order = "0";
	attach();
	script.silent = true;
	for (uint32_t i = 0; i < 50; i++)
		add_write((i * 37 % 50) * 8, 0, (uint8_t)(i + 1));
	blkif_world_submit(&world, 0, &batch);
	host_run_for(world.machine, BLKIF_MS);
	ck_assert_uint_eq(script.unanswered, 32);
	for (int i = 0; i < 2; i++) {
		script.event_count = 0;
		blkif_script_replace(&script);
		host_run_for(world.machine, BLKIF_SECOND);
		ck_assert_uint_eq(script.unanswered, 32);
		ck_assert_uint_eq(atomic_load(&batch.reported), 0);
	}
	script.silent = false;
	blkif_world_wait_batch(&world, &batch);
	for (uint32_t i = 0; i < script.event_count; i++) {
		if (script.events[i].answer)
			continue;
		ck_assert_uint_eq(script.events[i].sector, next * 37 % 50 * 8);
		next++;
	}
	ck_assert_uint_eq(next, 50);
	ck_assert_uint_eq(blkif_world_look(&world, 0, 0)->stats.reissued, 64);
	end();
}
END_TEST

/* Some answered, in any order: those never again, the others in order. */
START_TEST(what_was_answered_is_not_issued_again)
{
	bool answered[50] = { false };
	uint32_t last = 0, came = 0;

	begin((uint32_t)_i);
	attach();
	script.silent = script.reorder = true;
	script.most_answers = 1;
	for (uint32_t i = 0; i < 50; i++)
		add_write(8 + i * 8, 0, (uint8_t)(i + 1));
	blkif_world_submit(&world, 0, &batch);
	host_run_for(world.machine, BLKIF_MS);
	script.silent = false;
	host_run_for(world.machine, 10 * 50000u);
	script.silent = true;
	host_run_for(world.machine, BLKIF_MS);
	for (uint32_t i = 0; i < 50; i++)
		answered[i] = atomic_load(&batch.entries[i].times) > 0;
	ck_assert_uint_gt(atomic_load(&batch.reported), 0);
	ck_assert_uint_lt(atomic_load(&batch.reported), 50);
	script.event_count = 0;
	script.silent = false;
	blkif_script_replace(&script);
	blkif_world_wait_batch(&world, &batch);
	for (uint32_t i = 0; i < script.event_count; i++) {
		if (script.events[i].answer)
			continue;
		ck_assert_uint_gt(script.events[i].sector, last);
		last = (uint32_t)script.events[i].sector;
		ck_assert(!answered[last / 8 - 1]);
		came++;
	}
	for (uint32_t i = 0; i < 50; i++)
		came += answered[i];
	ck_assert_uint_eq(came, 50);
	end();
}
END_TEST

/*
 * Another domain may not have what the last one had not made stable. That is said once, to
 * who asks for everything; a write that must be stable by itself is.
 */
START_TEST(a_flush_after_a_backend_died_with_writes_fails_once)
{
	struct guest_operation flush = { .op = BLOCK_FLUSH, .disk = &world.clients[0].disks[0] };
	struct guest_operation fua = { .op = BLOCK_WRITE,
				       .flags = BLOCK_FUA,
				       .sector = 9,
				       .count = 1,
				       .data = data,
				       .disk = &world.clients[0].disks[0] };

	begin(0);
	attach();
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	blkif_script_replace(&script);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	add_write(5, 0, 1);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	blkif_script_replace(&script);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &fua), 0);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), -EIO);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	blkif_script_replace(&script);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	end();
}
END_TEST

static struct guest_batch flushes[2];

static void submit_flush(struct guest_batch *flush)
{
	flush->disk = &world.clients[0].disks[0];
	flush->count = 1;
	flush->entries[0].request = (struct block_request){ .op = BLOCK_FLUSH };
	blkif_world_submit(&world, 0, flush);
	host_run_for(world.machine, BLKIF_MS);
}

/* Who asked before anybody was told relies on it as much as who is told. */
START_TEST(all_flushes_that_were_under_way_fail_when_one_has_to)
{
	struct guest_operation flush = { .op = BLOCK_FLUSH, .disk = &world.clients[0].disks[0] };

	begin(0);
	attach();
	add_write(5, 0, 1);
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	blkif_script_replace(&script);
	ck_assert(blkif_world_wait_up(&world, 0, 0, 10 * BLKIF_SECOND));
	script.silent = true;
	for (uint32_t i = 0; i < 2; i++) {
		submit_flush(&flushes[i]);
		ck_assert_uint_eq(script.unanswered, i + 1);
	}
	script.silent = false;
	for (uint32_t i = 0; i < 2; i++) {
		blkif_world_wait_batch(&world, &flushes[i]);
		ck_assert_int_eq(flushes[i].entries[0].error, -EIO);
	}
	ck_assert_int_eq(blkif_world_operate(&world, 0, &flush), 0);
	end();
}
END_TEST

/* ---- reports ---- */

#define READS 8u

struct reading {
	struct block_request requests[READS];
	struct block_device *device;
	void *buffer;
	uint32_t reported;
};

/* A buffer is empty when it is got, wherever it comes from. */
static void take_a_buffer(struct block_request *request, int error)
{
	struct reading *reading = request->context;
	struct block_device *device = reading->device;

	ck_assert_int_eq(error, 0);
	if (!reading->reported++)
		reading->buffer = device->ops->buffer_alloc(device, SECTOR);
}

static void read_joined(void *argument)
{
	struct reading *reading = argument;
	struct block_request *requests[READS];

	reading->device = world.clients[0].disks[0].device;
	for (uint32_t i = 0; i < READS; i++) {
		reading->requests[i] = (struct block_request){ .op = BLOCK_READ,
							       .sector = i,
							       .count = 1,
							       .data = data + (size_t)i * SECTOR,
							       .done = take_a_buffer,
							       .context = reading };
		requests[i] = &reading->requests[i];
	}
	reading->device->ops->submit(reading->device, requests, READS);
}

static void give_buffer_back(void *argument)
{
	struct reading *reading = argument;

	reading->device->ops->buffer_free(reading->device, reading->buffer, SECTOR);
}

/* Requests that went along in one may have shared a page, which is free too early then. */
START_TEST(a_buffer_that_is_taken_in_a_report_takes_nothing_of_others)
{
	static struct reading reading;

	begin(0);
	memset(script.contents, 7, READS * SECTOR);
	attach();
	host_call(world.clients[0].guest.domain, read_joined, &reading);
	host_run_for(world.machine, 10 * BLKIF_MS);
	ck_assert_uint_eq(reading.reported, READS);
	ck_assert_ptr_nonnull(reading.buffer);
	for (uint32_t i = 0; i < READS * SECTOR; i++)
		ck_assert_uint_eq(data[i], 7);
	host_call(world.clients[0].guest.domain, give_buffer_back, &reading);
	end();
}
END_TEST

/* What a struct had before is nothing to a flush, nor to what it says of a disk that shrank. */
START_TEST(a_flush_has_no_sector)
{
	begin(0);
	attach();
	batch.count = 1;
	batch.entries[0].request =
		(struct block_request){ .op = BLOCK_FLUSH, .sector = UINT64_MAX };
	blkif_world_submit(&world, 0, &batch);
	blkif_world_wait_batch(&world, &batch);
	ck_assert_int_eq(batch.entries[0].error, 0);
	end();
}
END_TEST

/* Detached with everything unanswered. */
START_TEST(a_silent_disk_that_goes_reports_each_request_once)
{
	begin(0);
	attach();
	script.silent = true;
	for (uint32_t i = 0; i < 200; i++)
		add_write(i * 8, 0, 1);
	blkif_world_submit(&world, 0, &batch);
	host_run_for(world.machine, BLKIF_MS);
	ck_assert_int_eq(blkif_world_detach(&world, 0, 0), 0);
	ck_assert(blkif_world_wait_down(&world, 0, 0, 5 * BLKIF_SECOND));
	blkif_world_wait_batch(&world, &batch);
	for (uint32_t i = 0; i < batch.count; i++)
		ck_assert_int_eq(batch.entries[i].error, -ENODEV);
	blkif_world_assert_clean(&world.clients[0].guest, "client");
	blkif_script_end(&script);
}
END_TEST

TCase *blkif_order_tests(void)
{
	TCase *tests = tcase_create("order");

	tcase_set_timeout(tests, 180);
	MODES_TEST_STEPPED(tests, answers_in_any_order_agree_with_the_model, 4);
	MODES_TEST_STEPPED(tests, errors_are_reported_and_nothing_else_is_wrong, 2);
	MODES_TEST_STEPPED(tests, a_failed_request_fails_alone, 1);
	MODES_TEST_STEPPED(tests, a_barrier_stands_between_what_was_before_and_after, 4);
	MODES_TEST_STEPPED(tests, a_fua_write_is_reported_when_it_is_stable, 2);
	MODES_TEST_STEPPED(tests, a_flush_makes_stable_what_was_reported, 1);
	MODES_TEST_STEPPED(tests, a_flush_that_fails_is_reported, 1);
	MODES_TEST_STEPPED(tests, nothing_is_promised_where_nothing_can_be_flushed, 1);
	MODES_TEST_STEPPED(tests, what_was_not_answered_is_issued_again_in_order, 2);
	MODES_TEST_STEPPED(tests, what_was_answered_is_not_issued_again, 4);
	MODES_TEST_STEPPED(tests, a_flush_after_a_backend_died_with_writes_fails_once, 1);
	MODES_TEST_STEPPED(tests, all_flushes_that_were_under_way_fail_when_one_has_to, 1);
	MODES_TEST_STEPPED(tests, a_buffer_that_is_taken_in_a_report_takes_nothing_of_others, 1);
	MODES_TEST_STEPPED(tests, a_flush_has_no_sector, 1);
	MODES_TEST_STEPPED(tests, a_silent_disk_that_goes_reports_each_request_once, 1);
	return tests;
}
