/* SPDX-License-Identifier: ISC */
/*
 * netback against frontends that lie in the store, run through states, begin again, or
 * write without end, while an honest client's transfer goes on.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_front_scene.h"
#include "tests/drivers/netif_suites.h"
#include "xen/fiber.h"

#define LOG_BURST 5u /* of LOG_LIMIT_INIT */

/* ---- lies in the store ---- */

struct lie {
	const char *name;
	struct hostile_keys keys;
};

#define KEYS .request_rx_copy = "1", .features = "1", .state = XenbusStateConnected

static const struct lie lies[] = {
	{ "no tx ring", { KEYS, .tx_ring_ref = "" } },
	{ "no rx ring", { KEYS, .rx_ring_ref = "" } },
	{ "no port", { KEYS, .event_channel = "" } },
	{ "ring is a word", { KEYS, .tx_ring_ref = "ring" } },
	{ "ring is negative", { KEYS, .rx_ring_ref = "-1" } },
	{ "ring has 33 bits", { KEYS, .tx_ring_ref = "4294967304" } },
	{ "ring has too many digits", { KEYS, .tx_ring_ref = "99999999999999999999999999" } },
	{ "ring is reserved", { KEYS, .tx_ring_ref = "0" } },
	{ "ring is not granted", { KEYS, .rx_ring_ref = "3999" } },
	{ "port 0", { KEYS, .event_channel = "0" } },
	{ "port of nobody", { KEYS, .event_channel = "900" } },
	{ "port is huge", { KEYS, .event_channel = "4294967295" } },
	{ "no rx copy", { .request_rx_copy = "0", .features = "1", .state = 4 } },
	{ "rx copy is a sentence",
	  { .request_rx_copy = "one or so", .features = "1", .state = 4 } },
	{ "no queue", { KEYS, .queues = "0" } },
	{ "two queues", { KEYS, .queues = "2" } },
	{ "queues are huge", { KEYS, .queues = "18446744073709551615" } },
	{ "features are words", { .request_rx_copy = "1", .features = "many", .state = 1 } },
	{ "state 0", { .request_rx_copy = "1", .features = "1", .state = 0 } },
	{ "state 7", { .request_rx_copy = "1", .features = "1", .state = 7 } },
	{ "state 99", { .request_rx_copy = "1", .features = "1", .state = 99 } },
	{ "state 4294967295", { .request_rx_copy = "1", .features = "1", .state = UINT32_MAX } },
};

START_TEST(hostile_frontend_lie)
{
	struct front_scene scene = { 0 };

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	scene.front.keys = lies[_i].keys;
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	host_call_fiber_must(scene.attacker, hostile_frontend_connect, &scene.front);
	ck_assert_msg(scene.front.error == -ETIMEDOUT, "%s: connected", lies[_i].name);
	ck_assert_uint_eq(host_domain_counters(scene.world.server.domain).mapped, 2);
	front_scene_end(&scene);
}
END_TEST

/* The RX ring is the TX ring: whatever comes of it, it is the attacker's own loss. */
static void connect_with_one_ring(void *argument)
{
	struct hostile_frontend *front = argument;

	hostile_frontend_connect(front);
	hostile_post_rx(front, 200);
	front_put(front, front->grefs[HOSTILE_READ], 0, 100, 0);
	hostile_publish(front);
}

START_TEST(hostile_frontend_with_one_page_for_both_rings)
{
	struct front_scene scene = { 0 };

	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.rx_ring_ref = "8"; /* the first reference, which is the TX ring's */
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	host_call_fiber_must(scene.attacker, connect_with_one_ring, &scene.front);
	host_run_for(scene.world.machine, 20 * WORLD_MS);
	front_scene_end(&scene);
}
END_TEST

/* ---- states ---- */

/* XSA-350: connects, sends, and runs through states without waiting for anybody. */
static void flap(void *argument)
{
	struct front_scene *scene = argument;
	struct host_machine *machine = scene->world.machine;

	for (int i = 0; i < 60; i++) {
		hostile_frontend_set_state(&scene->front, (uint32_t)(host_random(machine) % 8));
		if (scene->front.tx && host_random(machine) % 2) {
			front_put(&scene->front, scene->front.grefs[HOSTILE_READ], 0, 100, 0);
			hostile_publish(&scene->front);
		}
		if (host_random(machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() + host_random(machine) % 2000000);
	}
	hostile_frontend_set_state(&scene->front, XenbusStateClosed);
}

START_TEST(hostile_frontend_flaps)
{
	struct front_scene scene = { 0 };

	front_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	front_scene_connect(&scene);
	for (int i = 0; i < 5; i++) {
		host_call_fiber_must(scene.attacker, flap, &scene);
		host_run_for(scene.world.machine, 20 * WORLD_MS);
	}
	ck_assert(host_run_until(scene.world.machine, front_two_are_mapped, &scene,
				 10 * WORLD_SECOND));
	front_scene_end(&scene);
}
END_TEST

START_TEST(a_frontend_may_begin_again_without_closing)
{
	struct front_scene scene = { 0 };

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	front_scene_connect(&scene);
	for (int i = 0; i < 10; i++) {
		host_call_fiber_must(scene.attacker, front_begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
		ck_assert_uint_eq(host_domain_counters(scene.world.server.domain).mapped, 4);
		ck_assert_uint_le(host_domain_counters(scene.attacker).held, 2);
	}
	front_scene_end(&scene);
}
END_TEST

/* XSA-300: what all clients together may have mapped is bounded by their number. */
START_TEST(one_domain_with_many_vifs_gets_no_more_than_there_are)
{
	struct front_scene scene = { 0 };
	uint32_t attached = 0;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	while (attached < 2 * NETIF_GUEST_CLIENTS && !host_toolstack_attach_vif(&scene.vif)) {
		attached++;
		scene.vif.devid++;
	}
	ck_assert_uint_eq(attached, NETIF_GUEST_CLIENTS - 1);
	/* The one too many is served when there is room for it. */
	ck_assert_int_eq(host_toolstack_detach_vif(scene.attacker, 0), 0);
	ck_assert_int_eq(host_toolstack_detach_vif(scene.attacker, scene.vif.devid), 0);
	front_scene_end(&scene);
}
END_TEST

/* XSA-43: each line that a client causes costs it a token of its own bucket. */
START_TEST(a_frontend_that_begins_again_and_again_fills_no_log)
{
	struct front_scene scene = { 0 };
	uint32_t lines;
	uint64_t begin;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	front_scene_connect(&scene);
	lines = world_collect(&scene.world.server)->log_lines;
	begin = host_now_ns(scene.world.machine);
	for (int i = 0; i < 40; i++)
		host_call_fiber_must(scene.attacker, front_begin_again, &scene);
	ck_assert_uint_lt(host_now_ns(scene.world.machine) - begin, 10 * WORLD_SECOND);
	ck_assert_uint_le(world_collect(&scene.world.server)->log_lines - lines,
			  2 * (LOG_BURST + 10));
	front_scene_end(&scene);
}
END_TEST

/* XSA-349: a neighbour that writes a watched node in a loop. */
static void write_states(void *argument)
{
	struct front_scene *scene = argument;

	for (int i = 0; i < 2000; i++)
		hostile_frontend_set_state(&scene->front, XenbusStateConnected);
}

START_TEST(hostile_frontend_writes_its_state_without_end)
{
	struct front_scene scene = { 0 };
	struct host_counters before, after;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	front_scene_connect(&scene);
	world_send(&scene.world, 0, 500, 500);
	before = host_domain_counters(scene.world.server.domain);
	host_call_fiber_must(scene.attacker, write_states, &scene);
	after = host_domain_counters(scene.world.server.domain);
	ck_assert_uint_eq(after.allocations, before.allocations);
	front_scene_end(&scene);
}
END_TEST

TCase *netif_hostile_front_life_tests(void)
{
	TCase *tests = tcase_create("hostile-front-life");

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, hostile_frontend_lie, (int)(sizeof(lies) / sizeof(lies[0])));
	MODES_TEST_STEPPED(tests, hostile_frontend_with_one_page_for_both_rings, 1);
	MODES_TEST_BY_TURNS(tests, hostile_frontend_flaps, 6);
	MODES_TEST_STEPPED(tests, a_frontend_may_begin_again_without_closing, 1);
	MODES_TEST_STEPPED(tests, one_domain_with_many_vifs_gets_no_more_than_there_are, 1);
	MODES_TEST_STEPPED(tests, a_frontend_that_begins_again_and_again_fills_no_log, 1);
	MODES_TEST_STEPPED(tests, hostile_frontend_writes_its_state_without_end, 1);
	return tests;
}
