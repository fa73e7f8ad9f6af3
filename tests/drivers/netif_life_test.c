/* SPDX-License-Identifier: ISC */
/*
 * How a vif comes and goes: attach, detach, destroy, close, restart, reconnect and
 * death at either end, in mid-transfer and many times over, and nothing left behind.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"

#define CYCLES 200u

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

static void detach(struct world *world, uint32_t index)
{
	ck_assert_int_eq(host_toolstack_detach_vif(world->clients[index].guest.domain, 0), 0);
}

static bool both_have_received(void *argument)
{
	const struct world_client *client = argument;

	return atomic_load(&client->link.end.received) &&
	       atomic_load(&client->far_end->end.received);
}

/* Senders at both ends that do not stop before the vif does. */
static void send_without_end(struct world *world, uint32_t index)
{
	world_reset_traffic(world, index);
	world_send(world, index, 10000000, 10000000);
	ck_assert(host_run_until(world->machine, both_have_received, &world->clients[index],
				 10 * WORLD_SECOND));
	host_run_for(world->machine, 20 * WORLD_MS);
}

/* No page or packet is missing; what a packet's private head takes is out all along. */
static void assert_pools_whole(struct world_guest *guest, uint32_t pages_out, const char *who)
{
	const struct netif_guest *now = world_collect(guest);

	ck_assert_msg(now->packets_out == 0, "%s: %u packets lost", who, now->packets_out);
	ck_assert_msg(now->quarantined == 0, "%s: %u pages quarantined", who, now->quarantined);
	ck_assert_msg(now->pages_out == pages_out, "%s: %u pages out, not %u", who, now->pages_out,
		      pages_out);
}

/* ---- the ordinary ends ---- */

START_TEST(a_detach_in_mid_transfer_leaves_nothing)
{
	struct world world;
	uint32_t pages;

	one_client(&world, _i);
	detach(&world, 0);
	world_assert_clean(&world.server, "server");
	pages = world_collect(&world.server)->pages_out;
	ck_assert_int_eq(world_attach(&world, 0), 0);
	send_without_end(&world, 0);
	detach(&world, 0);
	ck_assert(world_wait_down(&world, 0, WORLD_SECOND));
	world_wait_senders(&world, 0);
	world_assert_traffic(&world, 0, false);
	world_assert_clean(&world.server, "server");
	world_assert_clean(&world.clients[0].guest, "client");
	assert_pools_whole(&world.server, pages, "server");
	ck_assert_uint_eq(world_collect(&world.clients[0].guest)->packets_out, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_destroyed_client_leaves_nothing)
{
	struct world world;
	uint32_t pages;

	world_begin(&world, mode_of(_i));
	pages = world_collect(&world.server)->pages_out;
	for (int i = 0; i < 5; i++) {
		struct host_domain *gone;

		world_client_start(&world, 0);
		ck_assert_int_eq(world_attach(&world, 0), 0);
		send_without_end(&world, 0);
		gone = world.clients[0].guest.domain;
		ck_assert_int_eq(host_toolstack_destroy_domain(gone), 0);
		world_assert_clean(&world.server, "server");
		assert_pools_whole(&world.server, pages, "server");
		ck_assert_uint_eq(host_domain_counters(gone).held, 0);
	}
	world_end(&world);
}
END_TEST

/* Crashed, and the toolstack comes to it only later. */
START_TEST(a_client_that_dies_in_mid_transfer_disturbs_nobody)
{
	struct world world;
	uint32_t pages;

	world_begin(&world, mode_of(_i));
	pages = world_collect(&world.server)->pages_out;
	world_client_start(&world, 0);
	world_client_start(&world, 1);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	ck_assert_int_eq(world_attach(&world, 1), 0);
	world_reset_traffic(&world, 1);
	world_send(&world, 1, 1500, 1500);
	send_without_end(&world, 0);
	host_domain_kill(world.clients[0].guest.domain);
	host_run_for(world.machine, 20 * WORLD_MS);
	ck_assert_int_eq(host_toolstack_destroy_domain(world.clients[0].guest.domain), 0);
	ck_assert(world_wait_arrived(&world, 1, 60 * WORLD_SECOND));
	world_assert_traffic(&world, 1, true);
	ck_assert_uint_eq(host_domain_counters(world.clients[0].guest.domain).held, 0);
	/* Another comes in its place. */
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	world_exchange(&world, 0, 200, 200);
	detach(&world, 0);
	detach(&world, 1);
	world_assert_clean(&world.server, "server");
	assert_pools_whole(&world.server, pages, "server");
	world_end(&world);
}
END_TEST

START_TEST(two_hundred_cycles_leave_nothing)
{
	struct world world;
	uint32_t server_pages, client_pages = 0;

	world_begin(&world, mode_of(_i));
	server_pages = world_collect(&world.server)->pages_out;
	world_client_start(&world, 0);
	for (uint32_t i = 0; i < CYCLES; i++) {
		ck_assert_int_eq(world_attach(&world, 0), 0);
		world_exchange(&world, 0, 5 + i % 7, 5 + i % 11);
		detach(&world, 0);
		world_assert_clean(&world.server, "server");
		world_assert_clean(&world.clients[0].guest, "client");
		if (i == 0)
			client_pages = world_collect(&world.clients[0].guest)->pages_out;
	}
	assert_pools_whole(&world.server, server_pages, "server");
	assert_pools_whole(&world.clients[0].guest, client_pages, "client");
	world_end(&world);
}
END_TEST

/* ---- closing by a driver ---- */

START_TEST(a_frontend_that_closes_can_start_again)
{
	struct world world;
	struct world_client *client = &world.clients[0];

	world_begin(&world, mode_of(_i));
	client->guest.guest.rx_pages = client->guest.guest.tx_pages = 300;
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	for (int i = 0; i < 2; i++) {
		send_without_end(&world, 0);
		host_call_fiber_must(client->guest.domain, client->guest.program->close_netfront,
				     &client->guest.guest);
		ck_assert(world_wait_down(&world, 0, 5 * WORLD_SECOND));
		world_wait_senders(&world, 0);
		/* The vif is still there: only the connection has ended. */
		ck_assert_uint_eq(host_domain_counters(world.server.domain).mapped, 0);
		ck_assert_uint_eq(host_domain_counters(client->guest.domain).granted, 0);
		host_call_fiber_must(client->guest.domain, client->guest.program->start_netfront,
				     &client->guest.guest);
		ck_assert(world_wait_up(&world, 0, 10 * WORLD_SECOND));
		world_exchange(&world, 0, 300, 300);
	}
	detach(&world, 0);
	world_assert_clean(&world.server, "server");
	world_end(&world);
}
END_TEST

START_TEST(a_backend_that_closes_lets_go_of_everything)
{
	struct world world;
	struct world_client *client = &world.clients[0];

	one_client(&world, _i);
	send_without_end(&world, 0);
	host_call_fiber_must(world.server.domain, world.server.program->close_netback,
			     &world.server.guest);
	ck_assert(world_wait_down(&world, 0, 5 * WORLD_SECOND));
	host_run_for(world.machine, 2 * WORLD_SECOND);
	ck_assert_uint_eq(host_domain_counters(world.server.domain).mapped, 0);
	ck_assert_uint_eq(host_domain_counters(world.server.domain).ports, 0);
	ck_assert_uint_eq(host_domain_counters(client->guest.domain).granted, 0);
	ck_assert_uint_eq(host_domain_counters(client->guest.domain).ports, 0);
	ck_assert_uint_eq(world_collect(&client->guest)->quarantined, 0);
	world_end(&world);
}
END_TEST

/* ---- a backend domain that is replaced ---- */

/* The network VM is shut down or dies, and another takes its place. */
static void replace_server(struct world *world, bool crash)
{
	struct world_client *client = &world->clients[0];

	if (!crash)
		host_call_fiber_must(world->server.domain, world->server.program->close_netback,
				     &world->server.guest);
	ck_assert_int_eq(host_toolstack_destroy_domain(world->server.domain), 0);
	host_run_for(world->machine, 2 * WORLD_SECOND);
	ck_assert(!atomic_load(&client->link.up));
	ck_assert_uint_eq(host_domain_counters(client->guest.domain).granted, 0);
	ck_assert_int_eq(host_toolstack_detach_vif(client->guest.domain, 0), 0);
	world_server_start(world);
	world_prepare_links(world, 0);
	ck_assert_int_eq(world_attach(world, 0), 0);
}

START_TEST(a_replaced_backend_is_found_again)
{
	struct world world;

	one_client(&world, _i & 1);
	for (int i = 0; i < 3; i++) {
		send_without_end(&world, 0);
		replace_server(&world, _i & 2);
		world_wait_senders(&world, 0);
		world_exchange(&world, 0, 300, 300);
	}
	ck_assert_uint_eq(world_collect(&world.clients[0].guest)->quarantined, 0);
	detach(&world, 0);
	world_assert_clean(&world.server, "server");
	world_assert_clean(&world.clients[0].guest, "client");
	world_end(&world);
}
END_TEST

/* Until the toolstack detaches, the frontend only waits: no polling, no storm. */
START_TEST(a_frontend_of_a_dead_backend_waits_in_peace)
{
	struct host_costs before, after;
	struct world world;
	struct host_domain *client;

	one_client(&world, 0);
	client = world.clients[0].guest.domain;
	host_domain_kill(world.server.domain);
	host_run_for(world.machine, 5 * WORLD_SECOND);
	host_store_remove(world.machine, "/local/domain/1");
	host_run_for(world.machine, 5 * WORLD_SECOND);
	before = host_domain_costs(client);
	host_run_for(world.machine, 60 * WORLD_SECOND);
	after = host_domain_costs(client);
	ck_assert_uint_le(after.store_requests - before.store_requests, 20);
	ck_assert_uint_eq(host_domain_counters(client).granted, 0);
	ck_assert_uint_eq(host_domain_counters(client).ports, 0);
	world_end(&world);
}
END_TEST

/* ---- faults ---- */

/* Whatever fails at random at either end: no crash, and it all works again afterwards. */
START_TEST(random_faults_end_with_a_working_vif)
{
	struct host_faults faults = { .malloc_one_in = 20,
				      .grant_one_in = 2000,
				      .map_one_in = 5,
				      .copy_one_in = 50,
				      .evtchn_one_in = 5,
				      .commit_one_in = 4 };
	const struct host_faults none = { 0 };
	struct world world;

	world_begin_variant(&world, HOST_STEPPED, (uint32_t)_i);
	world.clients[0].guest.guest.max_queues = 1u + (uint32_t)_i / 2;
	world_client_start(&world, 0);
	if (_i & 1)
		faults.store_one_in = 40;
	host_domain_set_faults(world.server.domain, &faults);
	host_domain_set_faults(world.clients[0].guest.domain, &faults);
	for (int i = 0; i < 4; i++) {
		if (world_attach(&world, 0) == 0) {
			world_send(&world, 0, 200, 200);
			host_run_for(world.machine, WORLD_SECOND);
			ck_assert_uint_eq(atomic_load(&world.clients[0].link.end.wrong), 0);
		}
		(void)!host_toolstack_detach_vif(world.clients[0].guest.domain, 0);
	}
	host_domain_set_faults(world.server.domain, &none);
	host_domain_set_faults(world.clients[0].guest.domain, &none);
	host_run_for(world.machine, 5 * WORLD_SECOND);
	(void)!host_toolstack_destroy_vif(world.clients[0].guest.domain, 0);
	host_run_for(world.machine, 15 * WORLD_SECOND);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	world_exchange(&world, 0, 300, 300);
	detach(&world, 0);
	world_assert_clean(&world.server, "server");
	world_assert_clean(&world.clients[0].guest, "client");
	world_end(&world);
}
END_TEST

TCase *netif_life_tests(void)
{
	TCase *tests = tcase_create("life");

	tcase_set_timeout(tests, 180);
	MODES_TEST_BOTH(tests, a_detach_in_mid_transfer_leaves_nothing);
	MODES_TEST_BOTH(tests, a_destroyed_client_leaves_nothing);
	MODES_TEST_BOTH(tests, a_client_that_dies_in_mid_transfer_disturbs_nobody);
	MODES_TEST_STEPPED(tests, two_hundred_cycles_leave_nothing, 1);
	MODES_TEST_BOTH(tests, a_frontend_that_closes_can_start_again);
	MODES_TEST_BOTH(tests, a_backend_that_closes_lets_go_of_everything);
	MODES_TEST_BY_TURNS(tests, a_replaced_backend_is_found_again, 4);
	MODES_TEST_STEPPED(tests, a_frontend_of_a_dead_backend_waits_in_peace, 1);
	MODES_TEST_STEPPED(tests, random_faults_end_with_a_working_vif, 8);
	return tests;
}
