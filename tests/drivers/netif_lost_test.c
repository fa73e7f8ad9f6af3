/* SPDX-License-Identifier: ISC */
/*
 * Several queues and a backend that keeps what it was lent (XSA-396): what is left is
 * shared out among the queues anew, and what it lets go is found again. And a queue whose
 * pages come home posts them whatever the other one has.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"
#include "tests/host/hostile_backend.h"
#include "xen/fiber.h"

#define QUEUES 2u
#define RINGS (2u * QUEUES)
/* Fewer slots than a large packet needs. */
#define FEW_SLOTS 6u

struct scene {
	struct world world;
	struct host_domain *attacker;
	struct host_vif vif;
	struct hostile_backend queues[QUEUES];
	struct gnttab_mapping kept[HOSTILE_RING];
	uint32_t victim_pages;
};

static struct world_client *victim(struct scene *scene)
{
	return &scene->world.clients[0];
}

static uint32_t quarantined(struct scene *scene)
{
	return world_collect(&victim(scene)->guest)->quarantined;
}

/* ---- the backend ---- */

static void serve(void *argument)
{
	struct scene *scene = argument;
	struct hostile_backend *first = &scene->queues[0];

	while (hostile_backend_peer_state(first) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_offer(first);
	for (uint32_t i = 0; i < QUEUES; i++)
		hostile_backend_connect(&scene->queues[i]);
}

static void serve_begin(void *argument)
{
	if (fiber_start("serve", serve, argument))
		abort();
}

static bool victim_is_up(void *argument)
{
	return atomic_load(&victim(argument)->link.up);
}

/* Exactly as many pages as the rings have slots: all of them are posted. */
static void scene_begin(struct scene *scene)
{
	static const char *const names[QUEUES] = { "queue-0/", "queue-1/" };
	struct netif_guest *guest = &victim(scene)->guest.guest;

	world_begin(&scene->world, HOST_STEPPED);
	guest->max_queues = QUEUES;
	guest->rx_pages = QUEUES * HOSTILE_RING;
	world_client_start(&scene->world, 0);
	scene->victim_pages = world_collect(&victim(scene)->guest)->pages_out;
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = victim(scene)->guest.domain,
					.backend = scene->attacker,
					.mac = "00:16:3e:00:00:01" };
	for (uint32_t i = 0; i < QUEUES; i++) {
		hostile_backend_init(&scene->queues[i], scene->attacker,
				     victim(scene)->guest.domain, 0);
		scene->queues[i].queue = names[i];
	}
	scene->queues[0].max_queues = "2";
	victim(scene)->link.hold = true;
	host_call(scene->attacker, serve_begin, scene);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	ck_assert(host_run_until(scene->world.machine, victim_is_up, scene, 5 * WORLD_SECOND));
	host_run_for(scene->world.machine, 10 * WORLD_MS);
	for (uint32_t i = 0; i < QUEUES; i++) {
		ck_assert_int_eq(scene->queues[i].error, 0);
		ck_assert_uint_eq(hostile_rx_waiting(&scene->queues[i]), HOSTILE_RING);
	}
	victim(scene)->link.hold = false;
}

static void close_and_keep(void *argument)
{
	struct scene *scene = argument;

	for (uint32_t i = 0; i < QUEUES; i++)
		evtchn_close(scene->queues[i].port);
	hostile_backend_set_state(&scene->queues[0], XenbusStateClosed);
}

static void remove_directory(void *argument)
{
	struct scene *scene = argument;

	hostile_backend_remove(&scene->queues[0]);
}

/* An honest backend in the attacker's place. */
static void scene_replace(struct scene *scene)
{
	host_call_fiber_must(scene->attacker, remove_directory, scene);
	ck_assert_int_eq(host_toolstack_detach_vif(victim(scene)->guest.domain, 0), 0);
	world_reset_traffic(&scene->world, 0);
	ck_assert_int_eq(world_attach(&scene->world, 0), 0);
	ck_assert_uint_eq(host_domain_counters(scene->world.server.domain).mapped, RINGS);
	world_exchange(&scene->world, 0, 500, 500);
}

static void scene_end(struct scene *scene)
{
	struct world_guest *guest = &victim(scene)->guest;

	world_exchange(&scene->world, 0, 500, 500);
	ck_assert_int_eq(host_toolstack_detach_vif(guest->domain, 0), 0);
	world_assert_clean(guest, "victim");
	ck_assert_uint_eq(world_collect(guest)->packets_out, 0);
	ck_assert_uint_eq(guest->guest.quarantined, 0);
	ck_assert_uint_eq(guest->guest.pages_out, scene->victim_pages + RINGS);
	world_end(&scene->world);
}

/* ---- pages that it keeps ---- */

static void keep_second_queue(void *argument)
{
	struct scene *scene = argument;

	for (uint32_t i = 0; i < HOSTILE_RING; i++)
		ck_assert_int_eq(gnttab_map(host_domid(victim(scene)->guest.domain),
					    hostile_rx_request(&scene->queues[1], i).gref, false,
					    &scene->kept[i]),
				 0);
}

/* All rings and every page of one queue: the next backend finds both queues served. */
START_TEST(a_backend_that_keeps_a_queue_leaves_none_without_pages)
{
	struct scene scene = { 0 };

	scene_begin(&scene);
	host_call(scene.attacker, keep_second_queue, &scene);
	host_call_fiber_must(scene.attacker, close_and_keep, &scene);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert(!victim_is_up(&scene));
	ck_assert_uint_eq(quarantined(&scene), RINGS + HOSTILE_RING);
	scene_replace(&scene);
	ck_assert_uint_eq(quarantined(&scene), RINGS + HOSTILE_RING);
	/* With it go its mappings, in the midst of the other's connection. */
	host_domain_kill(scene.attacker);
	host_run_for(scene.world.machine, 2 * WORLD_SECOND);
	ck_assert_uint_eq(quarantined(&scene), 0);
	scene_end(&scene);
}
END_TEST

/* It lets go before there is another: the rings are whole when that one comes. */
START_TEST(rings_of_all_queues_are_found_again)
{
	struct scene scene = { 0 };

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, close_and_keep, &scene);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(quarantined(&scene), RINGS);
	ck_assert_int_eq(host_toolstack_destroy_domain(scene.attacker), 0);
	host_run_for(scene.world.machine, 2 * WORLD_SECOND);
	ck_assert_int_eq(host_toolstack_detach_vif(victim(&scene)->guest.domain, 0), 0);
	ck_assert_int_eq(world_attach(&scene.world, 0), 0);
	ck_assert_uint_eq(quarantined(&scene), 0);
	scene_end(&scene);
}
END_TEST

/* ---- pages that come home ---- */

static void deliver_most(void *argument)
{
	struct hostile_backend *queue = argument;

	while (hostile_rx_waiting(queue) > FEW_SLOTS)
		ck_assert_int_eq(hostile_deliver(queue, 1514, 0), 0);
	hostile_backend_publish(queue);
}

static void release_and_close(void *argument)
{
	struct scene *scene = argument;

	for (uint32_t i = 0; i < QUEUES; i++)
		hostile_backend_release(&scene->queues[i]);
	hostile_backend_set_state(&scene->queues[0], XenbusStateClosed);
}

/* The first queue has all its slots, which are no help to the second. */
START_TEST(a_queue_posts_its_pages_whatever_another_has)
{
	struct scene scene = { 0 };
	struct world_client *client = victim(&scene);
	struct hostile_backend *second = &scene.queues[1];

	scene_begin(&scene);
	host_call(scene.attacker, deliver_most, second);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_eq(hostile_rx_waiting(second), FEW_SLOTS);
	host_call(client->guest.domain, client->guest.program->release, &client->link);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_ge(hostile_rx_waiting(second), HOSTILE_RING - FEW_SLOTS);
	ck_assert_uint_eq(hostile_rx_waiting(&scene.queues[0]), HOSTILE_RING);
	host_call_fiber_must(scene.attacker, release_and_close, &scene);
	host_run_for(scene.world.machine, 100 * WORLD_MS);
	scene_replace(&scene);
	scene_end(&scene);
}
END_TEST

TCase *netif_lost_tests(void)
{
	TCase *tests = tcase_create("lost");

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, a_backend_that_keeps_a_queue_leaves_none_without_pages, 1);
	MODES_TEST_STEPPED(tests, rings_of_all_queues_are_found_again, 1);
	MODES_TEST_STEPPED(tests, a_queue_posts_its_pages_whatever_another_has, 1);
	return tests;
}
