/* SPDX-License-Identifier: ISC */
/* A server and a client of ours against each other: every byte arrives, and nobody waits in vain.
 */
#include <errno.h>
#include <string.h>

#include "tests/xen/vchan_suites.h"
#include "tests/xen/vchan_world.h"

#define MIB (1u << 20)
/* Waits are for events; one that was not sent would show as the look once a second. */
#define STEPPED_MOST_NS (WORLD_SECOND / 2)

/* Both ways at once: four fibers. */
static void flood(struct vchan_world *world, uint64_t up, uint64_t down, enum job_way way,
		  uint32_t most)
{
	uint64_t seed = host_random(world->machine);
	struct job jobs[4] = {
		{ .side = &world->client, .writes = true, .bytes = up, .seed = seed },
		{ .side = &world->server, .bytes = up, .seed = seed },
		{ .side = &world->server, .writes = true, .bytes = down, .seed = seed + 1 },
		{ .side = &world->client, .bytes = down, .seed = seed + 1 },
	};
	uint64_t began = host_now_ns(world->machine);

	for (uint32_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i].way = way;
		jobs[i].most = most;
	}
	jobs_must(jobs, ARRAY_SIZE(jobs));
	if (host_machine_mode(world->machine) == HOST_STEPPED)
		ck_assert_uint_lt(host_now_ns(world->machine) - began, STEPPED_MOST_NS);
}

START_TEST(every_combination_of_orders)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t left = 10; left <= 20; left++)
		for (uint32_t right = 10; right <= 20; right++) {
			if (left == right && left < 12)
				continue;
			if ((left == 10 && right == 20) || (left == 20 && right == 10))
				continue; /* the list of grants would lie in the ring */
			world_open(&world, left, right, 0u - 3000u);
			flood(&world, (4u << left) + 1, (4u << right) + 1,
			      host_random(world.machine) % JOB_WAYS, 0);
			world_close(&world);
		}
	world_end(&world);
}
END_TEST

START_TEST(sizes_from_a_byte_to_sixteen_mebibytes)
{
	static const uint64_t sizes[] = { 1,	2,     3,     1023,  1024,    4095,   4096,
					  4097, 65535, 65536, 65537, 1048577, 5000011 };
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	world_open(&world, 12, 16, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		flood(&world, sizes[i], sizes[ARRAY_SIZE(sizes) - 1 - i], JOB_WAITS,
		      (uint32_t)sizes[i] + 1);
	flood(&world, 16 * MIB, 16 * MIB, JOB_WAITS, MIB);
	for (uint32_t i = 0; i < 40; i++)
		flood(&world, 1 + host_random(world.machine) % 200000,
		      1 + host_random(world.machine) % 200000,
		      host_random(world.machine) % JOB_WAYS,
		      1 + (uint32_t)(host_random(world.machine) % 20000));
	world_close(&world);
	world_end(&world);
}
END_TEST

/* 2^32 lies within what is sent, at another place of the ring each time. */
START_TEST(indices_wrap)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint32_t i = 0; i < 20; i++) {
		world_open(&world, 10 + i % 2 * 3, 11, 0u - 1 - i * 37);
		flood(&world, 20000, 20000, i % JOB_WAYS, 1 + i * 100);
		world_close(&world);
	}
	world_end(&world);
}
END_TEST

static void listen_by_size(void *argument)
{
	struct vchan_side *side = argument;

	side->error = side->program->listen(side->peer->domid, WORLD_PATH, 65536, 4096, NULL,
					    &side->vchan);
}

START_TEST(rings_of_the_sizes_asked_for)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	host_call_fiber_must(world.server.domain, listen_by_size, &world.server);
	ck_assert_int_eq(world.server.error, 0);
	ck_assert_uint_eq(host_domain_counters(world.server.domain).granted, 1 + 16 + 1);
	host_call_fiber_must(world.client.domain, side_connect, &world.client);
	ck_assert_int_eq(world.client.error, 0);
	ck_assert_uint_eq(host_domain_counters(world.client.domain).mapped, 1 + 16 + 1);
	flood(&world, 100000, 100000, JOB_WAITS, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

/* A reader that finds nothing asks once; a writer that goes on writing tells it once. */
START_TEST(events_are_sent_when_asked_for_alone)
{
	struct vchan_world world;
	struct job write = {
		.side = &world.client, .writes = true, .way = JOB_TRIES, .bytes = 3000, .most = 10
	};
	struct job read = { .side = &world.server, .way = JOB_TRIES, .bytes = 3000, .most = 10 };
	uint64_t before;

	world_begin(&world, HOST_STEPPED);
	world_open(&world, 12, 12, 0);
	host_run_for(world.machine, WORLD_MS);
	before = host_domain_costs(world.client.domain).notifies;
	jobs_start(&write, 1);
	jobs_wait(&write, 1);
	ck_assert_uint_eq(write.moved, 3000);
	ck_assert_uint_eq(host_domain_costs(world.client.domain).notifies - before, 1);
	before = host_domain_costs(world.server.domain).notifies;
	jobs_must(&read, 1); /* nobody waits for room */
	ck_assert_uint_eq(host_domain_costs(world.server.domain).notifies - before, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

START_TEST(floods_on_threads)
{
	struct vchan_world world;

	world_begin(&world, HOST_THREADS);
	world_open(&world, 12, 12, 0u - 100u);
	flood(&world, 2 * MIB, 2 * MIB, JOB_WAITS, 0);
	flood(&world, MIB, MIB, JOB_TRIES, 3000);
	flood(&world, MIB, MIB, JOB_EVENTS, 3000);
	flood(&world, 20000, 20000, JOB_WAITS, 3);
	world_close(&world);
	world_open(&world, 10, 11, 0);
	flood(&world, MIB, MIB, JOB_WAITS, 0);
	world_close(&world);
	world_open(&world, 16, 20, 0);
	flood(&world, 16 * MIB, 16 * MIB, JOB_WAITS, MIB);
	world_close(&world);
	world_end(&world);
}
END_TEST

TCase *vchan_pair_tests(void)
{
	TCase *cases = tcase_create("pair");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, every_combination_of_orders);
	tcase_add_test(cases, sizes_from_a_byte_to_sixteen_mebibytes);
	tcase_add_test(cases, indices_wrap);
	tcase_add_test(cases, rings_of_the_sizes_asked_for);
	tcase_add_test(cases, events_are_sent_when_asked_for_alone);
	tcase_add_test(cases, floods_on_threads);
	return cases;
}
