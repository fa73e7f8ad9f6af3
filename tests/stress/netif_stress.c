/* SPDX-License-Identifier: ISC */
/*
 * netfront and netback back to back, each guest on a thread of its own: storms of the
 * smallest frames, of frames of 64 KiB in ragged fragments, and of both, from 1 to 8
 * clients and to them, with one to four queues each, while guests stall at random. Every
 * byte is compared, each flow's order and number too; in the end no grant, port, page or packet is
 *missing.
 *
 *	netif-stress [SECONDS]		SEED=n repeats the choices
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/compiler.h"
#include "tests/drivers/netif_world.h"
#include "tests/host/unit.h"

#define ROUND_FRAMES 600u
#define ROUND_LIMIT (120 * WORLD_SECOND)
#define STALLS 6u
#define MOST_QUEUES 4u

static const struct traffic_shape shapes[] = {
	{ .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MIN_FRAME + 59 },
	{ .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MIN_FRAME },
	{ .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MIN_FRAME + 59, .gso_share = 20 },
	{ .min_frame = TRAFFIC_MIN_FRAME, .max_frame = TRAFFIC_MTU_FRAME, .gso_share = 100 },
	{ .min_frame = TRAFFIC_MIN_FRAME,
	  .max_frame = TRAFFIC_MTU_FRAME,
	  .blank_share = 30,
	  .gso_share = 20 },
};

static double seconds = 10;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t draw(struct world *world, uint32_t bound)
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

static void stall_somebody(struct world *world, uint32_t clients)
{
	uint32_t who = draw(world, clients + 1);
	uint32_t microseconds = 1 + draw(world, 20000);
	struct host_domain *domain =
		who == clients ? world->server.domain : world->clients[who].guest.domain;

	host_call(domain, stall, &microseconds);
}

static void round_start(struct world *world, uint32_t clients)
{
	/* What is under way to all of them must find room in the queues. */
	uint32_t most = 120 / clients < 25 ? 25 : 120 / clients;

	for (uint32_t i = 0; i < clients; i++) {
		struct traffic_shape shape = shapes[draw(world, ARRAY_SIZE(shapes))];

		if (world->clients[i].guest.guest.max_queues > 1)
			shape.lanes = TRAFFIC_MOST_LANES;
		world_reset_traffic(world, i);
		world_set_shape(world, i, &shape, 25 + draw(world, most - 24));
		world_send(world, i, draw(world, ROUND_FRAMES), draw(world, ROUND_FRAMES));
	}
}

static void round_finish(struct world *world, uint32_t clients, uint64_t *packets, uint64_t *slots)
{
	for (uint32_t i = 0; i < clients; i++) {
		struct world_client *client = &world->clients[i];

		if (!world_wait_arrived(world, i, ROUND_LIMIT)) {
			host_machine_dump(world->machine);
			ck_abort_msg("client %u: %u of %u down, %u of %u up arrived", i,
				     atomic_load(&client->link.end.received),
				     client->far_end->end.send_count,
				     atomic_load(&client->far_end->end.received),
				     client->link.end.send_count);
		}
		world_assert_traffic(world, i, true);
		*packets += atomic_load(&client->link.end.received) +
			    atomic_load(&client->far_end->end.received);
		*slots += atomic_load(&client->link.end.taken_slots) +
			  atomic_load(&client->far_end->end.taken_slots);
	}
}

static void clients_end(struct world *world, uint32_t clients)
{
	for (uint32_t i = 0; i < clients; i++)
		ck_assert_int_eq(host_toolstack_detach_vif(world->clients[i].guest.domain, 0), 0);
	world_assert_clean(&world->server, "server");
	ck_assert_uint_eq(world_collect(&world->server)->packets_out, 0);
	for (uint32_t i = 0; i < clients; i++) {
		world_assert_clean(&world->clients[i].guest, "client");
		ck_assert_uint_eq(world_collect(&world->clients[i].guest)->packets_out, 0);
		ck_assert_uint_eq(world->clients[i].guest.guest.quarantined, 0);
	}
}

static const uint32_t client_counts[] = { 1, 2, 4, 8 };

START_TEST(storms)
{
	uint32_t clients = client_counts[_i];
	uint64_t packets = 0, slots = 0, rounds = 0, begin, end;
	struct world world;
	double took;

	world_begin_variant(&world, HOST_THREADS, (uint32_t)_i);
	for (uint32_t i = 0; i < clients; i++) {
		world.clients[i].guest.guest.max_queues = 1 + draw(&world, MOST_QUEUES);
		world_client_start(&world, i);
		ck_assert_int_eq(world_attach(&world, i), 0);
	}
	begin = now_ns();
	end = begin + (uint64_t)(seconds * 1e9 / ARRAY_SIZE(client_counts));
	do {
		round_start(&world, clients);
		for (uint32_t i = 0; i < STALLS; i++)
			stall_somebody(&world, clients);
		round_finish(&world, clients, &packets, &slots);
		rounds++;
	} while (now_ns() < end);
	took = (double)(now_ns() - begin) / 1e9;
	clients_end(&world, clients);
	world_end(&world);
	printf("netif: %u clients: %lu rounds, %.0f packets/s, %.0f slots/s\n", clients,
	       (unsigned long)rounds, (double)packets / took, (double)slots / took);
	fflush(stdout);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("netif-stress");
	TCase *tests = tcase_create("storms");

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	tcase_set_timeout(tests, seconds + 300);
	tcase_add_loop_test(tests, storms, 0, ARRAY_SIZE(client_counts));
	suite_add_tcase(suite, tests);
	return unit_run(suite, CK_NORMAL, "");
}
