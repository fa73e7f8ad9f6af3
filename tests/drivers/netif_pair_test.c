/* SPDX-License-Identifier: ISC */
/*
 * netfront against netback, both as they are, in guests of their own: the traffic,
 * byte by byte, and what happens when a ring is full or a peer sleeps. Each test runs
 * stepped under a virtual clock (_i 0) and on threads (_i 1).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"

/* Slots under way that no ring or queue on the path has to refuse. */
#define SAFE_WINDOW 120u

static enum host_mode mode_of(int i)
{
	return i ? HOST_THREADS : HOST_STEPPED;
}

static void one_client(struct world *world, int i)
{
	world_begin(world, mode_of(i));
	world_client_start(world, 0);
	ck_assert_int_eq(world_attach(world, 0), 0);
}

static void end_cleanly(struct world *world)
{
	ck_assert_int_eq(host_toolstack_detach_vif(world->clients[0].guest.domain, 0), 0);
	world_assert_clean(&world->server, "server");
	world_assert_clean(&world->clients[0].guest, "client");
	world_end(world);
}

/* ---- traffic ---- */

START_TEST(every_byte_arrives_in_order)
{
	struct world world;

	one_client(&world, _i);
	world_exchange(&world, 0, 1500, 1500);
	end_cleanly(&world);
}
END_TEST

START_TEST(one_byte_payloads_arrive)
{
	static const struct traffic_shape tiny = { .min_frame = 15, .max_frame = 74 };
	struct world world;

	one_client(&world, _i);
	world_set_shape(&world, 0, &tiny, SAFE_WINDOW);
	world_exchange(&world, 0, 4000, 4000);
	end_cleanly(&world);
}
END_TEST

START_TEST(gso_frames_up_to_64_kib_arrive)
{
	static const struct traffic_shape large = { .min_frame = 15,
						    .max_frame = 1514,
						    .gso_share = 100 };
	struct world world;

	one_client(&world, _i);
	world_set_shape(&world, 0, &large, SAFE_WINDOW);
	world_exchange(&world, 0, 400, 400);
	end_cleanly(&world);
}
END_TEST

/* Packets of another netfront's pool are copied: their grants are for another backend. */
START_TEST(packets_of_another_uplink_are_copied)
{
	struct world world;

	world_begin(&world, mode_of(_i));
	world.clients[0].guest.guest.sends_foreign = true;
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	world_exchange(&world, 0, 1500, 1500);
	ck_assert_int_eq(host_toolstack_detach_vif(world.clients[0].guest.domain, 0), 0);
	ck_assert_uint_eq(world_collect(&world.clients[0].guest)->packets_out, 0);
	world_assert_clean(&world.server, "server");
	world_assert_clean(&world.clients[0].guest, "client");
	world_end(&world);
}
END_TEST

START_TEST(traffic_of_one_direction_needs_none_of_the_other)
{
	struct world world;

	one_client(&world, _i);
	world_exchange(&world, 0, 1000, 0);
	world_exchange(&world, 0, 0, 1000);
	end_cleanly(&world);
}
END_TEST

START_TEST(eight_clients_at_once)
{
	struct world world;

	world_begin(&world, mode_of(_i));
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		world_client_start(&world, i);
		ck_assert_int_eq(world_attach(&world, i), 0);
		world_set_shape(&world, i, &world_mixed, 40);
	}
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++)
		world_send(&world, i, 200, 200);
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		ck_assert(world_wait_arrived(&world, i, 60 * WORLD_SECOND));
		world_assert_traffic(&world, i, true);
	}
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++)
		ck_assert_int_eq(host_toolstack_detach_vif(world.clients[i].guest.domain, 0), 0);
	world_assert_clean(&world.server, "server");
	world_end(&world);
}
END_TEST

/* ---- full rings ---- */

static bool has_sent_all(void *argument)
{
	const struct traffic_end *end = argument;

	return atomic_load(&end->sent) == end->send_count;
}

static uint32_t dropped_in(struct world_guest *guest, enum drop_reason reason)
{
	return (uint32_t)world_collect(guest)->drops[reason];
}

struct balance {
	const struct traffic_end *receiver;
	uint32_t dropped;
	uint32_t sent;
};

static bool balances(void *argument)
{
	const struct balance *balance = argument;

	return atomic_load(&balance->receiver->received) + balance->dropped == balance->sent;
}

/*
 * One end sends far more than any ring holds while the other sleeps. The rest is
 * dropped with its reason and counted; what was taken arrives in order, and
 * afterwards traffic flows as before.
 */
static void flood_a_sleeper(struct world *world, struct traffic_end *from, struct traffic_end *to,
			    struct world_guest *sender, struct world_guest *sleeper, bool up)
{
	struct balance balance = { .receiver = to, .sent = 3000 };
	uint64_t packets;

	world_set_shape(world, 0, &world_mixed, UINT32_MAX);
	host_domain_pause(sleeper->domain, true);
	host_run_for(world->machine, 10 * WORLD_MS);
	world_send(world, 0, up ? balance.sent : 0, up ? 0 : balance.sent);
	ck_assert(host_run_until(world->machine, has_sent_all, from, 60 * WORLD_SECOND));
	host_run_for(world->machine, 10 * WORLD_MS);
	balance.dropped = dropped_in(sender, DROP_RING_FULL) + atomic_load(&from->not_made);
	ck_assert_uint_gt(balance.dropped, 1000);
	host_domain_pause(sleeper->domain, false);
	packets = host_now_ns(world->machine);
	ck_assert(host_run_until(world->machine, balances, &balance, 20 * WORLD_SECOND));
	/* All of it at once, not by some timer's mercy. */
	ck_assert_uint_lt(host_now_ns(world->machine) - packets, 5 * WORLD_SECOND);
	world_assert_traffic(world, 0, false);
	world_set_shape(world, 0, &world_mixed, SAFE_WINDOW);
	world_exchange(world, 0, 300, 300);
}

START_TEST(a_sleeping_backend_fills_the_clients_ring)
{
	struct world world;

	one_client(&world, _i);
	flood_a_sleeper(&world, &world.clients[0].link.end, &world.server_links[0].end,
			&world.clients[0].guest, &world.server, true);
	end_cleanly(&world);
}
END_TEST

START_TEST(a_sleeping_client_fills_only_its_own_queue)
{
	struct world world;
	struct balance balance = { .receiver = &world.clients[0].link.end, .sent = 3000 };

	one_client(&world, _i);
	world_client_start(&world, 1);
	ck_assert_int_eq(world_attach(&world, 1), 0);
	host_domain_pause(world.clients[0].guest.domain, true);
	world_set_shape(&world, 0, &world_mixed, UINT32_MAX);
	world_send(&world, 0, 0, balance.sent);
	world_exchange(&world, 1, 500, 500);
	host_domain_pause(world.clients[0].guest.domain, false);
	ck_assert(host_run_until(world.machine, has_sent_all, &world.server_links[0].end,
				 60 * WORLD_SECOND));
	balance.dropped = dropped_in(&world.server, DROP_RING_FULL);
	ck_assert_uint_gt(balance.dropped, 0);
	balance.dropped += atomic_load(&world.server_links[0].end.not_made);
	ck_assert(host_run_until(world.machine, balances, &balance, 20 * WORLD_SECOND));
	world_assert_traffic(&world, 0, false);
	world_set_shape(&world, 0, &world_mixed, SAFE_WINDOW);
	world_exchange(&world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_detach_vif(world.clients[1].guest.domain, 0), 0);
	end_cleanly(&world);
}
END_TEST

START_TEST(a_client_that_wakes_gets_what_waited_for_it)
{
	struct world world;

	one_client(&world, _i);
	flood_a_sleeper(&world, &world.server_links[0].end, &world.clients[0].link.end,
			&world.server, &world.clients[0].guest, false);
	end_cleanly(&world);
}
END_TEST

/* ---- costs ---- */

/* Counts of hypercalls are the same on any machine, so they can be asserted. */
START_TEST(copies_and_notifications_are_batched)
{
	static const struct traffic_shape frames = { .min_frame = 1000, .max_frame = 1514 };
	struct host_costs before, after;
	struct world world;

	one_client(&world, 0);
	world_set_shape(&world, 0, &frames, SAFE_WINDOW);
	before = host_domain_costs(world.server.domain);
	world_exchange(&world, 0, 2000, 0);
	after = host_domain_costs(world.server.domain);
	ck_assert_uint_le(after.copy_ops - before.copy_ops, 2000 + 50);
	ck_assert_uint_le(after.copy_calls - before.copy_calls, 500);
	ck_assert_uint_le(after.notifies - before.notifies, 500);
	before = after;
	world_exchange(&world, 0, 0, 2000);
	after = host_domain_costs(world.server.domain);
	ck_assert_uint_le(after.copy_ops - before.copy_ops, 2000 + 50);
	ck_assert_uint_le(after.copy_calls - before.copy_calls, 500);
	ck_assert_uint_eq(after.grants + after.maps, before.grants + before.maps);
	end_cleanly(&world);
}
END_TEST

/* One frame now and then is one event each way, and none for its answer. */
START_TEST(answers_wake_nobody_while_there_are_slots)
{
	static const struct traffic_shape frames = { .min_frame = 100, .max_frame = 100 };
	const struct netif_guest *client;
	struct host_costs before, after;
	struct world world;

	one_client(&world, 0);
	world_set_shape(&world, 0, &frames, SAFE_WINDOW);
	before = host_domain_costs(world.server.domain);
	for (uint32_t i = 0; i < 60; i++)
		world_exchange(&world, 0, 1, 0);
	after = host_domain_costs(world.server.domain);
	ck_assert_uint_le(after.notifies - before.notifies, 4);
	client = world_collect(&world.clients[0].guest);
	ck_assert_uint_gt(client->packets_out, 0);
	/* What no later packet takes along is taken all the same. */
	host_run_for(world.machine, WORLD_SECOND);
	client = world_collect(&world.clients[0].guest);
	ck_assert_uint_eq(client->packets_out, 0);
	end_cleanly(&world);
}
END_TEST

/* An idle guest uses no CPU: no request, no event, hardly a round in a minute. */
static void assert_idle(struct world *world, struct world_guest *guest, const char *who)
{
	struct host_costs before = host_domain_costs(guest->domain);
	struct host_costs after;

	host_run_for(world->machine, 60 * WORLD_SECOND);
	after = host_domain_costs(guest->domain);
	ck_assert_msg(after.store_requests - before.store_requests < 50, "%s: %lu store requests",
		      who, after.store_requests - before.store_requests);
	ck_assert_msg(after.notifies - before.notifies < 10, "%s: %lu notifications", who,
		      after.notifies - before.notifies);
}

START_TEST(idle_guests_do_nothing)
{
	struct world world;

	one_client(&world, 0);
	world_exchange(&world, 0, 100, 100);
	host_run_for(world.machine, WORLD_SECOND);
	assert_idle(&world, &world.server, "server");
	assert_idle(&world, &world.clients[0].guest, "client");
	ck_assert_int_eq(host_toolstack_detach_vif(world.clients[0].guest.domain, 0), 0);
	host_run_for(world.machine, WORLD_SECOND);
	assert_idle(&world, &world.clients[0].guest, "client without vif");
	assert_idle(&world, &world.server, "server without vif");
	world_end(&world);
}
END_TEST

TCase *netif_pair_tests(void)
{
	TCase *tests = tcase_create("pair");

	tcase_set_timeout(tests, 120);
	MODES_TEST_BOTH(tests, every_byte_arrives_in_order);
	MODES_TEST_BOTH(tests, one_byte_payloads_arrive);
	MODES_TEST_BOTH(tests, gso_frames_up_to_64_kib_arrive);
	MODES_TEST_BOTH(tests, packets_of_another_uplink_are_copied);
	MODES_TEST_BOTH(tests, traffic_of_one_direction_needs_none_of_the_other);
	MODES_TEST_BOTH(tests, eight_clients_at_once);
	MODES_TEST_BOTH(tests, a_sleeping_backend_fills_the_clients_ring);
	MODES_TEST_BOTH(tests, a_sleeping_client_fills_only_its_own_queue);
	MODES_TEST_BOTH(tests, a_client_that_wakes_gets_what_waited_for_it);
	MODES_TEST_STEPPED(tests, copies_and_notifications_are_batched, 1);
	MODES_TEST_STEPPED(tests, answers_wake_nobody_while_there_are_slots, 1);
	MODES_TEST_STEPPED(tests, idle_guests_do_nothing, 1);
	return tests;
}
