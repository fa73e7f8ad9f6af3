/* SPDX-License-Identifier: ISC */
/*
 * netfront against netback with one, two and four queues: every byte in the order of its
 * connection, what a slow peer may cost, and how connections with another number of
 * queues follow one another with nothing left behind.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/netback_internal.h"
#include "drivers/netfront_internal.h"
#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"

#define SAFE_WINDOW 120u
#define FLOOD 6000u

static const uint32_t counts[] = { 1, 2, 4 };
#define COUNTS (int)ARRAY_SIZE(counts)

/* Frames of one slot each. */
static const struct traffic_shape small = {
	.min_frame = 60, .max_frame = 200, .blank_share = 90, .lanes = TRAFFIC_MOST_LANES
};

static uint32_t count_of(int i)
{
	return counts[i % COUNTS];
}

static enum host_mode mode_of(int i)
{
	return i < COUNTS ? HOST_STEPPED : HOST_THREADS;
}

/* ---- what is agreed ---- */

static int64_t frontend_number(struct world *world, const char *key)
{
	char directory[64], path[128];

	host_frontend_path(&world->clients[0].vif, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, key);
	return host_store_number(world->machine, path);
}

static void assert_agreed(struct world *world, uint32_t count)
{
	int64_t flat = frontend_number(world, "tx-ring-ref");

	ck_assert_int_eq(frontend_number(world, "multi-queue-num-queues"),
			 count == 1 ? -1 : (int64_t)count);
	ck_assert_msg((flat >= 0) == (count == 1), "tx-ring-ref is %ld", flat);
}

/* As <xen/io/netif.h> has it: either the keys of one queue, or folders and no such keys. */
static void assert_queues(struct world *world, uint32_t count)
{
	struct host_counters server = host_domain_counters(world->server.domain);
	struct host_counters client = host_domain_counters(world->clients[0].guest.domain);

	ck_assert_uint_eq(server.mapped, 2 * count);
	ck_assert_uint_eq(server.ports - world->server.clean.ports, 2 * count);
	ck_assert_uint_eq(client.ports - world->clients[0].guest.clean.ports, 2 * count);
	assert_agreed(world, count);
	for (uint32_t i = 0; i < 5; i++) {
		char key[40];

		snprintf(key, sizeof(key), "queue-%u/rx-ring-ref", i);
		ck_assert_msg((frontend_number(world, key) >= 0) == (count > 1 && i < count),
			      "%s with %u queues", key, count);
	}
}

static void one_client(struct world *world, enum host_mode mode, uint32_t count)
{
	world_begin(world, mode);
	world->clients[0].guest.guest.max_queues = count;
	world_client_start(world, 0);
	ck_assert_int_eq(world_attach(world, 0), 0);
	world_set_shape(world, 0, &world_laned, SAFE_WINDOW);
	assert_queues(world, count);
}

static void detach(struct world *world)
{
	ck_assert_int_eq(host_toolstack_detach_vif(world->clients[0].guest.domain, 0), 0);
}

static void end_cleanly(struct world *world)
{
	detach(world);
	world_assert_clean(&world->server, "server");
	world_assert_clean(&world->clients[0].guest, "client");
	ck_assert_uint_eq(world_collect(&world->server)->packets_out, 0);
	ck_assert_uint_eq(world_collect(&world->clients[0].guest)->packets_out, 0);
	ck_assert_uint_eq(world->clients[0].guest.guest.quarantined, 0);
	world_end(world);
}

START_TEST(connections_arrive_in_order)
{
	struct world world;

	one_client(&world, mode_of(_i), count_of(_i));
	world_exchange(&world, 0, 3000, 3000);
	end_cleanly(&world);
}
END_TEST

/* The least of what both sides can is used. */
START_TEST(the_backend_may_offer_fewer)
{
	struct world world;

	world_begin(&world, HOST_STEPPED);
	ck_assert_int_eq(host_toolstack_destroy_domain(world.server.domain), 0);
	world.server.guest.max_queues = 2;
	world_server_start(&world);
	world.clients[0].guest.guest.max_queues = 8;
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	assert_queues(&world, 2);
	world_exchange(&world, 0, 300, 300);
	end_cleanly(&world);
}
END_TEST

/* ---- a peer that takes nothing ---- */

static bool has_sent_all(void *argument)
{
	const struct traffic_end *end = argument;

	return atomic_load(&end->sent) == end->send_count;
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

/* Sends far more than all rings hold; `sleeper` wakes up when `sender` has been looked at. */
static void flood(struct world *world, struct world_guest *sleeper, struct world_guest *sender,
		  struct traffic_end *from, uint32_t most)
{
	bool up = from == &world->clients[0].link.end;
	struct balance balance = { .receiver = from->peer, .sent = FLOOD };

	world_set_shape(world, 0, &small, UINT32_MAX);
	host_domain_pause(sleeper->domain, true);
	host_run_for(world->machine, 10 * WORLD_MS);
	world_send(world, 0, up ? FLOOD : 0, up ? 0 : FLOOD);
	ck_assert(host_run_until(world->machine, has_sent_all, from, 60 * WORLD_SECOND));
	host_run_for(world->machine, 10 * WORLD_MS);
	ck_assert_uint_eq(world_collect(sender)->packets_out, most);
	balance.dropped =
		(uint32_t)sender->guest.drops[DROP_RING_FULL] + atomic_load(&from->not_made);
	ck_assert_uint_gt(balance.dropped, FLOOD / 2);
	host_domain_pause(sleeper->domain, false);
	ck_assert(host_run_until(world->machine, balances, &balance, 20 * WORLD_SECOND));
	world_assert_traffic(world, 0, false);
	world_set_shape(world, 0, &world_laned, SAFE_WINDOW);
	world_exchange(world, 0, 300, 300);
}

/* XSA-392: what waits is bounded for the client, not for each of its queues. */
START_TEST(queues_do_not_multiply_what_waits_for_a_client)
{
	struct world world;

	one_client(&world, mode_of(_i), count_of(_i));
	flood(&world, &world.clients[0].guest, &world.server, &world.server_links[0].end,
	      NETBACK_QUEUE_PACKETS);
	end_cleanly(&world);
}
END_TEST

START_TEST(queues_do_not_multiply_what_waits_for_the_uplink)
{
	struct world world;
	uint32_t count = count_of(_i) / 2 + 1; /* 1 .. 3: the guest has pages for no more */

	world_begin(&world, mode_of(_i));
	world.clients[0].guest.guest.max_queues = count;
	world.clients[0].guest.guest.tx_pages = 1000;
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	flood(&world, &world.server, &world.clients[0].guest, &world.clients[0].link.end,
	      count * NETIF_TX_SLOTS + NETFRONT_QUEUE_PACKETS);
	end_cleanly(&world);
}
END_TEST

/* ---- coming and going ---- */

static bool both_have_received(void *argument)
{
	const struct world_client *client = argument;

	return atomic_load(&client->link.end.received) &&
	       atomic_load(&client->far_end->end.received);
}

static void send_without_end(struct world *world)
{
	world_reset_traffic(world, 0);
	world_send(world, 0, 10000000, 10000000);
	ck_assert(host_run_until(world->machine, both_have_received, &world->clients[0],
				 10 * WORLD_SECOND));
	host_run_for(world->machine, 20 * WORLD_MS);
}

START_TEST(a_detach_in_mid_transfer_leaves_nothing)
{
	struct world world;

	one_client(&world, mode_of(_i), count_of(_i));
	send_without_end(&world);
	detach(&world);
	ck_assert(world_wait_down(&world, 0, WORLD_SECOND));
	world_wait_senders(&world, 0);
	world_assert_traffic(&world, 0, false);
	world_assert_clean(&world.server, "server");
	world_assert_clean(&world.clients[0].guest, "client");
	ck_assert_int_eq(world_attach(&world, 0), 0);
	assert_queues(&world, count_of(_i));
	world_exchange(&world, 0, 300, 300);
	end_cleanly(&world);
}
END_TEST

/* One after the other in the same place, each with another number of queues. */
START_TEST(clients_that_die_leave_nothing)
{
	struct world world;

	world_begin(&world, _i ? HOST_THREADS : HOST_STEPPED);
	for (int i = 0; i < 2 * COUNTS; i++) {
		struct host_domain *gone;

		world.clients[0].guest.guest.max_queues = count_of(i);
		world_client_start(&world, 0);
		ck_assert_int_eq(world_attach(&world, 0), 0);
		assert_queues(&world, count_of(i));
		send_without_end(&world);
		gone = world.clients[0].guest.domain;
		host_domain_kill(gone);
		host_run_for(world.machine, 10 * WORLD_MS);
		ck_assert_int_eq(host_toolstack_destroy_domain(gone), 0);
		world_assert_clean(&world.server, "server");
		ck_assert_uint_eq(world_collect(&world.server)->packets_out, 0);
		ck_assert_uint_eq(host_domain_counters(gone).held, 0);
	}
	world_end(&world);
}
END_TEST

/*
 * The vif stays; the client's driver starts again with another number. The pages of the
 * driver before are not granted any more, so there must be enough of the new one's.
 */
START_TEST(a_frontend_may_come_back_with_another_number)
{
	static const uint32_t again[] = { 4, 1 };
	struct world world;
	struct world_guest *guest = &world.clients[0].guest;

	world_begin(&world, _i ? HOST_THREADS : HOST_STEPPED);
	guest->guest.max_queues = 2;
	guest->guest.rx_pages = 200;
	guest->guest.tx_pages = 420;
	world_client_start(&world, 0);
	ck_assert_int_eq(world_attach(&world, 0), 0);
	assert_queues(&world, 2);
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		send_without_end(&world);
		host_call_fiber_must(guest->domain, guest->program->close_netfront, &guest->guest);
		ck_assert(world_wait_down(&world, 0, 5 * WORLD_SECOND));
		world_wait_senders(&world, 0);
		ck_assert_uint_eq(host_domain_counters(world.server.domain).mapped, 0);
		ck_assert_uint_eq(host_domain_counters(guest->domain).granted, 0);
		guest->guest.max_queues = again[i];
		host_call_fiber_must(guest->domain, guest->program->start_netfront, &guest->guest);
		ck_assert(world_wait_up(&world, 0, 10 * WORLD_SECOND));
		assert_agreed(&world, again[i]);
		ck_assert_uint_eq(host_domain_counters(world.server.domain).mapped, 2 * again[i]);
		world_exchange(&world, 0, 300, 300);
	}
	detach(&world);
	world_assert_clean(&world.server, "server");
	world_end(&world);
}
END_TEST

/* The same netfront, and backends that offer 4, then 1, 2, 3 and 4 queues. */
START_TEST(a_frontend_follows_what_backends_offer)
{
	static const uint32_t offers[] = { 1, 2, 3, 4 };
	struct world world;
	struct world_client *client = &world.clients[0];

	one_client(&world, _i ? HOST_THREADS : HOST_STEPPED, 4);
	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		send_without_end(&world);
		ck_assert_int_eq(host_toolstack_destroy_domain(world.server.domain), 0);
		host_run_for(world.machine, 2 * WORLD_SECOND);
		ck_assert(!atomic_load(&client->link.up));
		ck_assert_uint_eq(host_domain_counters(client->guest.domain).granted, 0);
		ck_assert_int_eq(host_toolstack_detach_vif(client->guest.domain, 0), 0);
		world.server.guest.max_queues = offers[i];
		world_server_start(&world);
		world_prepare_links(&world, 0);
		ck_assert_int_eq(world_attach(&world, 0), 0);
		world_wait_senders(&world, 0);
		assert_queues(&world, offers[i]);
		world_exchange(&world, 0, 300, 300);
	}
	end_cleanly(&world);
}
END_TEST

TCase *netif_queues_tests(void)
{
	TCase *tests = tcase_create("queues");

	tcase_set_timeout(tests, 180);
	MODES_TEST_TWICE(tests, connections_arrive_in_order, COUNTS);
	MODES_TEST_STEPPED(tests, the_backend_may_offer_fewer, 1);
	MODES_TEST_TWICE(tests, queues_do_not_multiply_what_waits_for_a_client, COUNTS);
	MODES_TEST_TWICE(tests, queues_do_not_multiply_what_waits_for_the_uplink, COUNTS);
	MODES_TEST_TWICE(tests, a_detach_in_mid_transfer_leaves_nothing, COUNTS);
	MODES_TEST_BOTH(tests, clients_that_die_leave_nothing);
	MODES_TEST_BOTH(tests, a_frontend_may_come_back_with_another_number);
	MODES_TEST_BOTH(tests, a_frontend_follows_what_backends_offer);
	return tests;
}
