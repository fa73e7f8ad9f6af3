/* SPDX-License-Identifier: ISC */
/*
 * netfront against backends that keep what they were lent, hold pages back, lie in the
 * store or run through states. Afterwards nothing is missing.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_back_scene.h"
#include "tests/drivers/netif_suites.h"
#include "xen/fiber.h"

/* Fewer slots than a large packet needs. */
#define FEW_SLOTS 6u

/* ---- keeping what was lent ---- */

static void say_closed(void *argument)
{
	struct back_scene *scene = argument;

	hostile_backend_set_state(&scene->back, XenbusStateClosed);
}

static void offer_once_more(void *argument)
{
	struct back_scene *scene = argument;

	hostile_backend_offer(&scene->back);
}

/*
 * XSA-396: the backend closes and keeps the rings mapped. Two pages are out of use, and
 * said to be, until it dies; it is offered no others, and the next backend is.
 */
START_TEST(a_backend_that_keeps_the_rings_costs_two_pages_while_it_lives)
{
	struct back_scene scene = { 0 };
	struct world_guest *guest = &back_victim(&scene)->guest;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_sends(&scene, 60);
	host_call_fiber_must(scene.attacker, say_closed, &scene);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(world_collect(guest)->quarantined, 2);
	ck_assert_uint_eq(host_domain_counters(guest->domain).held, 2);
	/* Written into for ever: nobody may mind. */
	memset(scene.back.tx, 0x99, 4096);
	memset(scene.back.rx, 0x99, 4096);
	host_call_fiber_must(scene.attacker, offer_once_more, &scene);
	host_run_for(scene.world.machine, 2 * WORLD_SECOND);
	ck_assert(!back_victim_is_up(&scene));
	ck_assert_uint_eq(world_collect(guest)->quarantined, 2);
	back_scene_end(&scene);
}
END_TEST

static void keep_a_posted_page(void *argument)
{
	struct back_scene *scene = argument;

	ck_assert_int_eq(gnttab_map(host_domid(back_victim(scene)->guest.domain),
				    hostile_rx_request(&scene->back, 0).gref, false, &scene->kept),
			 0);
}

static void deliver_one_and_close(void *argument)
{
	struct back_scene *scene = argument;

	ck_assert_int_eq(hostile_deliver(&scene->back, 1514, 0), 0);
	hostile_backend_publish(&scene->back);
	fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_release(&scene->back);
	say_closed(scene);
}

/* XSA-396: a page of data, home already (0) or in a packet that is freed much later (1). */
START_TEST(a_backend_that_keeps_a_posted_page_costs_one_page_while_it_lives)
{
	struct back_scene scene = { 0 };
	struct world_client *client = back_victim(&scene);
	struct netif_guest *guest = &client->guest.guest;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	client->link.echo = false;
	client->link.hold = true;
	back_scene_connect(&scene);
	host_run_for(scene.world.machine, WORLD_MS);
	host_call(scene.attacker, keep_a_posted_page, &scene);
	host_call_fiber_must(scene.attacker, deliver_one_and_close, &scene);
	if (_i == 0)
		host_call(client->guest.domain, client->guest.program->release, &client->link);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(world_collect(&client->guest)->quarantined, _i == 0);
	if (_i == 1)
		host_call(client->guest.domain, client->guest.program->release, &client->link);
	ck_assert_uint_eq(world_collect(&client->guest)->quarantined, 1);
	ck_assert_uint_eq(guest->packets_out, 0);
	memset(scene.kept.address, 0x99, 4096);
	client->link.hold = false;
	back_scene_end(&scene);
}
END_TEST

/* ---- pages that come home ---- */

static void deliver_most(void *argument)
{
	struct back_scene *scene = argument;

	while (hostile_rx_waiting(&scene->back) > FEW_SLOTS)
		ck_assert_int_eq(hostile_deliver(&scene->back, 1514, 0), 0);
	hostile_backend_publish(&scene->back);
}

/*
 * All pages but a few are away in packets, and the backend waits for more slots than
 * are posted: no event will come, so the pages must be posted as they come home.
 */
START_TEST(pages_are_posted_again_before_the_ring_is_empty)
{
	struct back_scene scene = { 0 };
	struct world_client *client = back_victim(&scene);

	world_begin_variant(&scene.world, HOST_STEPPED, 0);
	client->guest.guest.rx_pages = HOSTILE_RING;
	back_scene_prepare(&scene);
	client->link.echo = false;
	client->link.hold = true;
	back_scene_connect(&scene);
	host_run_for(scene.world.machine, WORLD_MS);
	host_call(scene.attacker, deliver_most, &scene);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_eq(hostile_rx_waiting(&scene.back), FEW_SLOTS);
	host_call(client->guest.domain, client->guest.program->release, &client->link);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_ge(hostile_rx_waiting(&scene.back), HOSTILE_RING - FEW_SLOTS);
	client->link.hold = false;
	back_scene_end(&scene);
}
END_TEST

/* ---- a backend that is slow to look ---- */

static void bind_anew(void *argument)
{
	struct back_scene *scene = argument;

	hostile_backend_release(&scene->back);
	hostile_backend_set_state(&scene->back, XenbusStateInitWait);
}

struct peer_look {
	struct back_scene *scene;
	uint32_t state;
};

static void note_peer_state(void *argument)
{
	struct peer_look *look = argument;

	look->state = hostile_backend_peer_state(&look->scene->back);
}

static uint32_t peer_state(struct back_scene *scene)
{
	struct peer_look look = { .scene = scene };

	host_call_fiber_must(scene->attacker, note_peer_state, &look);
	return look.state;
}

/*
 * One that is bound anew connects to what is in the store from before unless it has seen
 * Closed: nothing new may be there until it has said so itself.
 */
START_TEST(a_backend_that_was_bound_anew_has_seen_closed)
{
	struct back_scene scene = { 0 };

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	host_call_fiber_must(scene.attacker, bind_anew, &scene);
	host_run_for(scene.world.machine, 500 * WORLD_MS);
	ck_assert_uint_eq(peer_state(&scene), XenbusStateClosed);
	host_call_fiber_must(scene.attacker, say_closed, &scene);
	host_run_for(scene.world.machine, 50 * WORLD_MS);
	ck_assert_uint_eq(peer_state(&scene), XenbusStateInitialising);
	host_call_fiber_must(scene.attacker, back_offer_and_connect, &scene);
	ck_assert(host_run_until(scene.world.machine, back_victim_is_up, &scene, 5 * WORLD_SECOND));
	back_victim_sends(&scene, 60);
	ck_assert_uint_gt(hostile_tx_waiting(&scene.back), 0);
	host_call(scene.attacker, hostile_backend_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

/* ---- lies in the store ---- */

static void lie_about_features(void *argument)
{
	static const char *const values[] = { "99999999999999999999", "-1", "yes", "" };
	struct back_scene *scene = argument;

	scene->back.features = values[host_random(scene->world.machine) % 4];
	back_offer_and_connect(scene);
}

static void start_lying(void *argument)
{
	if (fiber_start("lie", lie_about_features, argument))
		abort();
}

START_TEST(features_that_are_no_numbers_are_not_there)
{
	struct back_scene scene = { 0 };

	back_scene_begin(&scene, HOST_STEPPED, (uint32_t)_i);
	host_call(scene.attacker, start_lying, &scene);
	scene.vif.mtu = _i % 2 ? 1 : 70000;
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	ck_assert(host_run_until(scene.world.machine, back_victim_is_up, &scene, 5 * WORLD_SECOND));
	host_call(back_victim(&scene)->guest.domain, back_victim(&scene)->guest.program->collect,
		  &back_victim(&scene)->guest.guest);
	ck_assert_uint_eq(back_victim(&scene)->link.features & ~(uint32_t)NETDEV_TX_CSUM_IPV4, 0);
	ck_assert_uint_eq(back_victim(&scene)->link.mtu, 1500);
	back_scene_end(&scene);
}
END_TEST

static void flap(void *argument)
{
	struct back_scene *scene = argument;

	for (int i = 0; i < 60; i++) {
		hostile_backend_set_state(&scene->back,
					  (uint32_t)(host_random(scene->world.machine) % 8));
		if (host_random(scene->world.machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() +
					  host_random(scene->world.machine) % 2000000);
	}
	hostile_backend_set_state(&scene->back, XenbusStateClosed);
}

START_TEST(hostile_backend_flaps)
{
	struct back_scene scene = { 0 };

	back_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	back_scene_connect(&scene);
	host_call(scene.attacker, hostile_backend_release, &scene.back);
	host_call_fiber_must(scene.attacker, flap, &scene);
	host_run_for(scene.world.machine, 3 * WORLD_SECOND);
	ck_assert_uint_eq(host_domain_counters(back_victim(&scene)->guest.domain).granted, 0);
	ck_assert_uint_eq(host_domain_counters(back_victim(&scene)->guest.domain).ports, 0);
	back_scene_end(&scene);
}
END_TEST

static void drain(void *argument)
{
	struct back_scene *scene = argument;

	hostile_backend_drain(&scene->back);
}

/* XSA-403: its pages are wiped for the next backend, and not for each packet. */
START_TEST(a_new_backend_finds_nothing_of_what_the_last_was_sent)
{
	struct back_scene scene = { 0 };

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	back_victim_sends(&scene, 60);
	host_call(scene.attacker, drain, &scene);
	host_run_for(scene.world.machine, WORLD_MS);
	ck_assert_uint_gt(world_stale_pages(&back_victim(&scene)->guest), 0);
	back_scene_end(&scene);
}
END_TEST

TCase *netif_hostile_back_life_tests(void)
{
	TCase *tests = tcase_create("hostile-back-life");

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_the_rings_costs_two_pages_while_it_lives, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_a_posted_page_costs_one_page_while_it_lives,
			   2);
	MODES_TEST_STEPPED(tests, pages_are_posted_again_before_the_ring_is_empty, 1);
	MODES_TEST_STEPPED(tests, features_that_are_no_numbers_are_not_there, 4);
	MODES_TEST_STEPPED(tests, a_backend_that_was_bound_anew_has_seen_closed, 1);
	MODES_TEST_BY_TURNS(tests, hostile_backend_flaps, 6);
	MODES_TEST_STEPPED(tests, a_new_backend_finds_nothing_of_what_the_last_was_sent, 1);
	return tests;
}
