/* SPDX-License-Identifier: ISC */
/*
 * How a vbd comes and goes: attach, detach, destroy, close, resize, and the death of either
 * end, with requests under way and many times over. Each request is reported once, whatever
 * happens; what was not answered is carried out by the next backend; nothing is left behind.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/blkif_suites.h"
#include "tests/drivers/blkif_world.h"

#define CYCLES 200u
#define REPLACEMENTS 4u
#define SECTOR 512u

static const struct load_shape small = { .depth = 4,
					 .max_bytes = 16u << 10,
					 .buffers = LOAD_ORDINARY | LOAD_ALIGNED | LOAD_DEVICE,
					 .reads = 1,
					 .writes = 1,
					 .zeroes = 1 };

static enum host_mode mode_of(int i)
{
	return i ? HOST_THREADS : HOST_STEPPED;
}

static void detach(struct blkif_world *world, uint32_t client)
{
	ck_assert_int_eq(blkif_world_detach(world, client, 0), 0);
}

struct progress {
	struct blkif_load *load;
	uint32_t reported;
};

static bool has_reported(void *argument)
{
	const struct progress *progress = argument;

	return atomic_load(&progress->load->reported) >= progress->reported;
}

static void wait_reported(struct blkif_world *world, uint32_t client, uint32_t more)
{
	struct progress progress = { .load = &world->clients[client].disks[0].load };

	progress.reported = atomic_load(&progress.load->reported) + more;
	ck_assert(host_run_until(world->machine, has_reported, &progress, 30 * BLKIF_SECOND));
}

static void load_without_end(struct blkif_world *world, uint32_t client)
{
	blkif_world_load(world, client, 0, &blkif_mixed, UINT64_MAX);
	wait_reported(world, client, 20 + (uint32_t)(host_random(world->machine) % 100));
}

static void assert_ended_once(struct blkif_world *world, uint32_t client)
{
	const struct blkif_load *load = &world->clients[client].disks[0].load;

	ck_assert(!atomic_load(&load->running));
	blkif_world_assert_load(world, client, 0, false);
	ck_assert_uint_eq(atomic_load(&load->failed_io), 0);
	ck_assert_uint_eq(atomic_load(&load->kept), 0);
}

/* ---- the ordinary ends ---- */

START_TEST(a_detach_in_mid_load_reports_each_request_once)
{
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	for (int i = 0; i < 3; i++) {
		load_without_end(&world, 0);
		detach(&world, 0);
		ck_assert(blkif_world_wait_down(&world, 0, 0, BLKIF_SECOND));
		assert_ended_once(&world, 0);
		blkif_world_check_disk(&world, 0);
		blkif_world_assert_clean(&world.server, "server");
		blkif_world_assert_clean(&world.clients[0].guest, "client");
		ck_assert_uint_eq(blkif_world_collect(&world.clients[0].guest)->pages_out, 0);
		ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	}
	blkif_world_run(&world, 0, 0, &blkif_mixed, 100);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(a_destroyed_client_leaves_nothing)
{
	struct blkif_world world;

	blkif_world_begin(&world, mode_of(_i));
	for (int i = 0; i < 4; i++) {
		struct host_domain *gone;

		blkif_world_client_start(&world, 0);
		ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
		load_without_end(&world, 0);
		gone = world.clients[0].guest.domain;
		ck_assert_int_eq(host_toolstack_destroy_domain(gone), 0);
		blkif_world_assert_clean(&world.server, "server");
		ck_assert_uint_eq(host_domain_counters(gone).held, 0);
	}
	blkif_world_end(&world);
}
END_TEST

/* Crashed, and the toolstack comes to it only later. */
START_TEST(a_client_that_dies_in_mid_load_disturbs_nobody)
{
	struct blkif_world world;

	blkif_world_begin(&world, mode_of(_i));
	for (uint32_t i = 0; i < 2; i++) {
		blkif_world_client_start(&world, i);
		ck_assert_int_eq(blkif_world_attach(&world, i, 0, i), 0);
	}
	blkif_world_load(&world, 1, 0, &blkif_mixed, 600);
	load_without_end(&world, 0);
	host_domain_kill(world.clients[0].guest.domain);
	host_run_for(world.machine, 20 * BLKIF_MS);
	ck_assert_int_eq(host_toolstack_destroy_domain(world.clients[0].guest.domain), 0);
	ck_assert_uint_eq(host_domain_counters(world.clients[0].guest.domain).held, 0);
	ck_assert(blkif_world_wait_load(&world, 1, 0, 60 * BLKIF_SECOND));
	blkif_world_assert_load(&world, 1, 0, true);
	blkif_world_check_disk(&world, 1);
	/* Another comes in its place, and knows nothing of what the disk holds. */
	blkif_world_client_start(&world, 0);
	memset(world.models[0].doubt, 1, world.models[0].size / LOAD_UNIT);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	blkif_world_run(&world, 0, 0, &blkif_mixed, 100);
	detach(&world, 1);
	blkif_world_assert_clean(&world.clients[1].guest, "client");
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(two_hundred_cycles_leave_nothing)
{
	struct blkif_world world;

	blkif_world_begin(&world, HOST_STEPPED);
	blkif_world_client_start(&world, 0);
	for (uint32_t i = 0; i < CYCLES; i++) {
		ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
		blkif_world_run(&world, 0, 0, &small, 1 + i % 7);
		detach(&world, 0);
		ck_assert(blkif_world_wait_down(&world, 0, 0, BLKIF_SECOND));
		blkif_world_assert_clean(&world.server, "server");
		blkif_world_assert_clean(&world.clients[0].guest, "client");
		ck_assert_uint_eq(blkif_world_collect(&world.clients[0].guest)->pages_out, 0);
	}
	ck_assert_uint_eq(atomic_load(&world.clients[0].disks[0].attached), CYCLES);
	ck_assert_uint_eq(atomic_load(&world.clients[0].disks[0].detached), CYCLES);
	blkif_world_end(&world);
}
END_TEST

/* Plugged and unplugged while another disk of the same client works. */
START_TEST(disks_come_and_go_beside_a_busy_one)
{
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	for (uint32_t i = 0; i < 2 * BLKIF_CLIENT_DISKS; i++) {
		uint32_t disk = 1 + i % (BLKIF_CLIENT_DISKS - 1);

		/* Waiting is free in virtual time, and what is done meanwhile is not. */
		blkif_world_load(&world, 0, 0, &blkif_mixed, 200);
		ck_assert_int_eq(blkif_world_attach(&world, 0, disk, disk), 0);
		blkif_world_run(&world, 0, disk, &small, 20);
		ck_assert_int_eq(blkif_world_detach(&world, 0, disk), 0);
		ck_assert(blkif_world_wait_load(&world, 0, 0, 30 * BLKIF_SECOND));
		blkif_world_assert_load(&world, 0, 0, true);
	}
	blkif_world_check_disk(&world, 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* ---- closing by a driver ---- */

START_TEST(a_frontend_that_closes_reports_everything)
{
	struct blkif_world world;
	struct blkif_machine_guest *client = &world.clients[0].guest;

	blkif_world_one(&world, mode_of(_i));
	load_without_end(&world, 0);
	host_call_fiber_must(client->domain, client->program->close_front, &client->guest);
	ck_assert(blkif_world_wait_down(&world, 0, 0, 5 * BLKIF_SECOND));
	host_run_for(world.machine, BLKIF_SECOND);
	blkif_world_stop_load(&world, 0, 0);
	assert_ended_once(&world, 0);
	blkif_world_check_disk(&world, 0);
	ck_assert_uint_eq(host_domain_counters(client->domain).granted, 0);
	ck_assert_uint_eq(host_domain_counters(client->domain).ports, 0);
	ck_assert_uint_eq(host_domain_counters(world.server.domain).mapped, 0);
	blkif_world_end(&world);
}
END_TEST

/* ---- a backend that goes, and the next ---- */

/*
 * The disk domain is shut down (_i & 2) or dies, again and again, at any moment. Nothing fails
 * but, once a time, the flush or barrier that cannot speak for what the last one had.
 */
START_TEST(a_replaced_backend_gets_what_was_not_answered)
{
	struct blkif_world world;
	struct blkif_load *load = &world.clients[0].disks[0].load;

	blkif_world_one(&world, mode_of(_i & 1));
	blkif_world_load(&world, 0, 0, &blkif_mixed, UINT64_MAX);
	for (uint32_t i = 0; i < REPLACEMENTS; i++) {
		wait_reported(&world, 0, 1 + (uint32_t)(host_random(world.machine) % 200));
		host_run_for(world.machine, host_random(world.machine) % BLKIF_MS);
		if (_i & 2)
			host_call_fiber_must(world.server.domain, world.server.program->close_back,
					     &world.server.guest);
		blkif_world_server_replace(&world, 1);
		ck_assert(blkif_world_wait_up(&world, 0, 0, 10 * BLKIF_SECOND));
	}
	wait_reported(&world, 0, 200);
	blkif_world_stop_load(&world, 0, 0);
	blkif_world_assert_load(&world, 0, 0, false);
	ck_assert_uint_eq(atomic_load(&load->failed_io), 0);
	ck_assert_uint_le(atomic_load(&load->failed_flushes), REPLACEMENTS * blkif_mixed.depth);
	ck_assert_uint_eq(atomic_load(&load->failed_gone), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_other), 0);
	ck_assert_uint_eq(atomic_load(&world.clients[0].disks[0].attached), 1);
	blkif_world_check_disk(&world, 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

START_TEST(requests_wait_for_a_backend_that_is_away)
{
	static uint8_t data[20 * SECTOR];
	static struct guest_batch batch;
	struct blkif_world world;

	blkif_world_one(&world, mode_of(_i));
	blkif_world_server_kill(&world);
	ck_assert_int_eq(host_toolstack_destroy_domain(world.server.domain), 0);
	ck_assert(blkif_world_wait_down(&world, 0, 0, 5 * BLKIF_SECOND));
	ck_assert_uint_eq(host_domain_counters(world.clients[0].guest.domain).granted, 0);
	batch.disk = &world.clients[0].disks[0];
	batch.count = 20;
	for (uint32_t i = 0; i < batch.count; i++) {
		memset(data + (size_t)i * SECTOR, (int)i + 1, SECTOR);
		batch.entries[i].request =
			(struct block_request){ .op = BLOCK_WRITE,
						.sector = i * 3ul,
						.count = 1,
						.data = data + (size_t)i * SECTOR };
	}
	blkif_world_submit(&world, 0, &batch);
	host_run_for(world.machine, _i ? 100 * BLKIF_MS : 30 * BLKIF_SECOND);
	ck_assert_uint_eq(atomic_load(&batch.reported), 0);
	blkif_world_server_start(&world);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	blkif_world_wait_batch(&world, &batch);
	for (uint32_t i = 0; i < batch.count; i++) {
		ck_assert_int_eq(batch.entries[i].error, 0);
		ck_assert_mem_eq(world.server.guest.served[0].memory + i * 3ul * SECTOR,
				 data + (size_t)i * SECTOR, SECTOR);
	}
	blkif_world_end_cleanly(&world);
}
END_TEST

/* Taken away while nobody served it: each request that waited is reported, once. */
START_TEST(a_disk_that_goes_while_its_backend_is_away_reports_everything)
{
	struct blkif_world world;
	struct blkif_load *load = &world.clients[0].disks[0].load;

	blkif_world_one(&world, mode_of(_i));
	load_without_end(&world, 0);
	blkif_world_server_kill(&world);
	ck_assert_int_eq(host_toolstack_destroy_domain(world.server.domain), 0);
	host_run_for(world.machine, BLKIF_SECOND);
	detach(&world, 0);
	ck_assert(blkif_world_wait_down(&world, 0, 0, 5 * BLKIF_SECOND));
	ck_assert(blkif_world_wait_load(&world, 0, 0, 5 * BLKIF_SECOND));
	assert_ended_once(&world, 0);
	ck_assert_uint_gt(atomic_load(&load->failed_gone), 0);
	blkif_world_assert_clean(&world.clients[0].guest, "client");
	blkif_world_end(&world);
}
END_TEST

/* Until the toolstack does something the frontend only waits: no polling, no storm. */
START_TEST(a_frontend_of_a_dead_backend_waits_in_peace)
{
	struct host_costs before, after;
	struct blkif_world world;
	struct host_domain *client;

	blkif_world_one(&world, HOST_STEPPED);
	client = world.clients[0].guest.domain;
	load_without_end(&world, 0);
	host_domain_kill(world.server.domain);
	host_run_for(world.machine, 5 * BLKIF_SECOND);
	host_store_remove(world.machine, "/local/domain/1");
	host_run_for(world.machine, 5 * BLKIF_SECOND);
	before = host_domain_costs(client);
	host_run_for(world.machine, 60 * BLKIF_SECOND);
	after = host_domain_costs(client);
	ck_assert_uint_le(after.store_requests - before.store_requests, 20);
	ck_assert_uint_eq(after.notifies, before.notifies);
	ck_assert_uint_eq(host_domain_counters(client).granted, 0);
	ck_assert_uint_eq(host_domain_counters(client).ports, 0);
	blkif_world_end(&world);
}
END_TEST

/* ---- another size ---- */

static void resize(struct blkif_world *world, uint64_t bytes)
{
	struct guest_resize wanted = { .guest = &world->server.guest, .bytes = bytes };

	host_call_fiber_must(world->server.domain, world->server.program->resize, &wanted);
	ck_assert_int_eq(world->server.guest.error, 0);
}

struct awaited_size {
	struct blkif_world *world;
	uint64_t sectors;
};

static bool has_size(void *argument)
{
	const struct awaited_size *awaited = argument;

	return blkif_world_look(awaited->world, 0, 0)->geometry.sectors == awaited->sectors;
}

static void wait_size(struct blkif_world *world, uint64_t bytes)
{
	struct awaited_size awaited = { world, bytes / SECTOR };

	ck_assert(host_run_until(world->machine, has_size, &awaited, 5 * BLKIF_SECOND));
}

START_TEST(a_disk_changes_its_size_under_load)
{
	static uint8_t data[SECTOR] = { 1, 2, 3 };
	struct blkif_world world;
	struct guest_operation last = { .op = BLOCK_WRITE, .count = 1, .data = data };

	blkif_world_prepare(&world, mode_of(_i), 0, 0);
	world.server.guest.served[0].bytes = 1u << 20;
	world.server.guest.served_most[0] = 4u << 20;
	blkif_world_server_start(&world);
	blkif_world_client_start(&world, 0);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	blkif_world_load(&world, 0, 0, &blkif_mixed, UINT64_MAX);
	wait_reported(&world, 0, 50);
	last.disk = &world.clients[0].disks[0];
	last.sector = (4u << 20) / SECTOR - 1;
	ck_assert_int_eq(blkif_world_operate(&world, 0, &last), -ENOSPC);
	resize(&world, 4u << 20);
	wait_size(&world, 4u << 20);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &last), 0);
	ck_assert_mem_eq(world.server.guest.served[0].memory + (4u << 20) - SECTOR, data, SECTOR);
	wait_reported(&world, 0, 50);
	resize(&world, 2u << 20);
	wait_size(&world, 2u << 20);
	ck_assert_int_eq(blkif_world_operate(&world, 0, &last), -ENOSPC);
	wait_reported(&world, 0, 50);
	blkif_world_stop_load(&world, 0, 0);
	blkif_world_assert_load(&world, 0, 0, false);
	ck_assert_uint_eq(atomic_load(&world.clients[0].disks[0].load.failed_io), 0);
	ck_assert_uint_gt(atomic_load(&world.clients[0].disks[0].changes), 0);
	blkif_world_end_cleanly(&world);
}
END_TEST

/* ---- faults ---- */

/* Whatever fails at random at either end: no crash, and it all works again afterwards. */
START_TEST(random_faults_end_with_a_working_disk)
{
	struct host_faults faults = { .malloc_one_in = 20,
				      .grant_one_in = 500,
				      .map_one_in = 50,
				      .copy_one_in = 50,
				      .evtchn_one_in = 5,
				      .commit_one_in = 4 };
	const struct host_faults none = { 0 };
	struct blkif_world world;
	struct blkif_load *load = &world.clients[0].disks[0].load;

	blkif_world_begin_variant(&world, HOST_STEPPED, (uint32_t)_i);
	world.clients[0].guest.guest.front.max_queues = 1u + (uint32_t)_i / 2;
	world.clients[0].guest.guest.front.direct = _i & 2;
	blkif_world_client_start(&world, 0);
	if (_i & 1)
		faults.store_one_in = 40;
	host_domain_set_faults(world.server.domain, &faults);
	host_domain_set_faults(world.clients[0].guest.domain, &faults);
	for (int i = 0; i < 4; i++) {
		if (blkif_world_attach_only(&world, 0, 0, 0) == 0 &&
		    blkif_world_wait_up(&world, 0, 0, 10 * BLKIF_SECOND)) {
			blkif_world_load(&world, 0, 0, &blkif_mixed, 200);
			host_run_for(world.machine, BLKIF_SECOND);
			ck_assert_msg(!atomic_load(&load->wrong), "%s", load->error);
		}
		(void)!blkif_world_detach(&world, 0, 0);
	}
	host_domain_set_faults(world.server.domain, &none);
	host_domain_set_faults(world.clients[0].guest.domain, &none);
	host_run_for(world.machine, 5 * BLKIF_SECOND);
	(void)!host_toolstack_destroy_vbd(world.clients[0].guest.domain, HOST_VBD_XVDA);
	host_run_for(world.machine, 15 * BLKIF_SECOND);
	ck_assert(blkif_world_wait_load(&world, 0, 0, BLKIF_SECOND));
	blkif_world_assert_load(&world, 0, 0, false);
	ck_assert_int_eq(blkif_world_attach(&world, 0, 0, 0), 0);
	blkif_world_run(&world, 0, 0, &blkif_mixed, 200);
	blkif_world_end_cleanly(&world);
}
END_TEST

TCase *blkif_life_tests(void)
{
	TCase *tests = tcase_create("life");

	tcase_set_timeout(tests, 180);
	MODES_TEST_BOTH(tests, a_detach_in_mid_load_reports_each_request_once);
	MODES_TEST_BOTH(tests, a_destroyed_client_leaves_nothing);
	MODES_TEST_BOTH(tests, a_client_that_dies_in_mid_load_disturbs_nobody);
	MODES_TEST_STEPPED(tests, two_hundred_cycles_leave_nothing, 1);
	MODES_TEST_BOTH(tests, disks_come_and_go_beside_a_busy_one);
	MODES_TEST_BOTH(tests, a_frontend_that_closes_reports_everything);
	MODES_TEST_BY_TURNS(tests, a_replaced_backend_gets_what_was_not_answered, 4);
	MODES_TEST_BOTH(tests, requests_wait_for_a_backend_that_is_away);
	MODES_TEST_BOTH(tests, a_disk_that_goes_while_its_backend_is_away_reports_everything);
	MODES_TEST_STEPPED(tests, a_frontend_of_a_dead_backend_waits_in_peace, 1);
	MODES_TEST_BOTH(tests, a_disk_changes_its_size_under_load);
	MODES_TEST_STEPPED(tests, random_faults_end_with_a_working_disk, 8);
	return tests;
}
