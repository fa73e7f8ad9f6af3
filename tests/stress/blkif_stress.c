/* SPDX-License-Identifier: ISC */
/*
 * blkfront and blkback back to back, each guest on a thread of its own: storms of single
 * sectors, of requests of hundreds of KiB in memory of every kind, and of all operations,
 * from 1 to 8 clients with one to four queues each, while guests stall at random and the
 * server is replaced. Every byte is compared; in the end no grant, port or page is missing.
 *
 *	blkif-stress [SECONDS]		SEED=n repeats the choices
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/compiler.h"
#include "tests/drivers/blkif_world.h"
#include "tests/host/unit.h"

#define ROUND_REQUESTS 400u
#define ROUND_LIMIT (120 * BLKIF_SECOND)
#define STALLS 6u
#define MOST_QUEUES 4u
#define MOST_SERVERS 40u /* each leaves its image */
#define ALL_BUFFERS (LOAD_ORDINARY | LOAD_ALIGNED | LOAD_DEVICE)

static const struct load_shape shapes[] = {
	{ .depth = 128, .max_bytes = 512, .reads = 1, .writes = 1 },
	{ .depth = 32, .max_bytes = 4096, .buffers = LOAD_DEVICE, .reads = 1, .writes = 1 },
	{ .depth = 4,
	  .min_bytes = 128u << 10,
	  .max_bytes = 512u << 10,
	  .buffers = ALL_BUFFERS,
	  .reads = 1,
	  .writes = 1 },
	{ .depth = 24,
	  .max_bytes = 64u << 10,
	  .buffers = ALL_BUFFERS,
	  .reads = 40,
	  .writes = 40,
	  .flushes = 4,
	  .discards = 2,
	  .zeroes = 4,
	  .fua = 10,
	  .barriers = 4 },
};

static double seconds = 10;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t draw(struct blkif_world *world, uint32_t bound)
{
	return (uint32_t)(host_random(world->machine) % bound);
}

/* Holds up the guest whose thread runs it, as another guest would that has its CPU. */
static void stall(void *argument)
{
	const uint32_t *microseconds = argument;
	struct timespec t = { .tv_nsec = (long)*microseconds * 1000 };

	nanosleep(&t, NULL);
}

static void stall_somebody(struct blkif_world *world, uint32_t clients)
{
	uint32_t who = draw(world, clients + 1);
	uint32_t microseconds = 1 + draw(world, 20000);
	struct host_domain *domain =
		who == clients ? world->server.domain : world->clients[who].guest.domain;

	host_call(domain, stall, &microseconds);
}

static void round_start(struct blkif_world *world, uint32_t clients)
{
	for (uint32_t i = 0; i < clients; i++)
		blkif_world_load(world, i, 0, &shapes[draw(world, ARRAY_SIZE(shapes))],
				 1 + draw(world, ROUND_REQUESTS));
}

static void round_finish(struct blkif_world *world, uint32_t clients, uint64_t *requests,
			 uint64_t *bytes)
{
	for (uint32_t i = 0; i < clients; i++) {
		struct blkif_load *load = &world->clients[i].disks[0].load;

		if (!blkif_world_wait_load(world, i, 0, ROUND_LIMIT)) {
			host_machine_dump(world->machine);
			ck_abort_msg("client %u: %u of %u requests reported", i,
				     atomic_load(&load->reported), atomic_load(&load->submitted));
		}
		/* Flushes may have to say that a server was replaced. */
		blkif_world_assert_load(world, i, 0, false);
		ck_assert_uint_eq(atomic_load(&load->reported), load->count);
		ck_assert_uint_eq(atomic_load(&load->failed_io) + atomic_load(&load->failed_gone) +
					  atomic_load(&load->failed_other) +
					  atomic_load(&load->kept),
				  0);
		blkif_world_check_disk(world, i);
		*requests += atomic_load(&load->reported);
		*bytes += atomic_load(&load->moved);
	}
}

static void clients_end(struct blkif_world *world, uint32_t clients)
{
	for (uint32_t i = 0; i < clients; i++)
		ck_assert_int_eq(blkif_world_detach(world, i, 0), 0);
	blkif_world_assert_clean(&world->server, "server");
	for (uint32_t i = 0; i < clients; i++) {
		blkif_world_assert_clean(&world->clients[i].guest, "client");
		ck_assert_uint_eq(blkif_world_collect(&world->clients[i].guest)->quarantined, 0);
	}
}

static const uint32_t client_counts[] = { 1, 2, 4, 8 };

START_TEST(storms)
{
	uint32_t clients = client_counts[_i];
	uint64_t requests = 0, bytes = 0, rounds = 0, begin, end;
	struct blkif_world world;
	double took;

	blkif_world_begin_variant(&world, HOST_THREADS, (uint32_t)_i);
	for (uint32_t i = 0; i < clients; i++) {
		struct blkfront_config *front = &world.clients[i].guest.guest.front;

		front->max_queues = 1 + draw(&world, MOST_QUEUES);
		front->ring_order = draw(&world, 5);
		front->direct = draw(&world, 2);
		front->no_persistent = draw(&world, 2);
		blkif_world_client_start(&world, i);
		ck_assert_int_eq(blkif_world_attach(&world, i, 0, i), 0);
	}
	begin = now_ns();
	end = begin + (uint64_t)(seconds * 1e9 / ARRAY_SIZE(client_counts));
	do {
		round_start(&world, clients);
		for (uint32_t i = 0; i < STALLS; i++)
			stall_somebody(&world, clients);
		if (rounds % 4 == 3 && world.retired_count < MOST_SERVERS)
			blkif_world_server_replace(&world, clients);
		round_finish(&world, clients, &requests, &bytes);
		rounds++;
	} while (now_ns() < end);
	took = (double)(now_ns() - begin) / 1e9;
	clients_end(&world, clients);
	blkif_world_end(&world);
	printf("blkif: %u clients: %lu rounds, %.0f requests/s, %.1f MB/s\n", clients,
	       (unsigned long)rounds, (double)requests / took, (double)bytes / took / 1e6);
	fflush(stdout);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("blkif-stress");
	TCase *tests = tcase_create("storms");

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	tcase_set_timeout(tests, seconds + 300);
	tcase_add_loop_test(tests, storms, 0, ARRAY_SIZE(client_counts));
	suite_add_tcase(suite, tests);
	return unit_run(suite, CK_NORMAL, "");
}
