/* SPDX-License-Identifier: ISC */
/* netfront, and the backend that is to be its end. */
#include "tests/drivers/netif_back_scene.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "xen/fiber.h"

struct world_client *back_victim(struct back_scene *scene)
{
	return &scene->world.clients[0];
}

void back_scene_prepare(struct back_scene *scene)
{
	world_client_start(&scene->world, 0);
	back_victim(scene)->link.echo = true;
	scene->victim_pages = world_collect(&back_victim(scene)->guest)->pages_out;
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = back_victim(scene)->guest.domain,
					.backend = scene->attacker,
					.mac = "00:16:3e:00:00:01" };
	hostile_backend_init(&scene->back, scene->attacker, back_victim(scene)->guest.domain, 0);
}

void back_scene_begin(struct back_scene *scene, enum host_mode mode, uint32_t variant)
{
	world_begin_variant(&scene->world, mode, variant);
	back_scene_prepare(scene);
}

void back_offer_and_connect(void *argument)
{
	struct back_scene *scene = argument;

	while (hostile_backend_peer_state(&scene->back) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_offer(&scene->back);
	hostile_backend_connect(&scene->back);
}

static void start_offering(void *argument)
{
	if (fiber_start("offer", back_offer_and_connect, argument))
		abort();
}

bool back_victim_is_up(void *argument)
{
	return atomic_load(&back_victim(argument)->link.up);
}

static bool victim_is_down(void *argument)
{
	return !back_victim_is_up(argument);
}

void back_scene_connect(struct back_scene *scene)
{
	host_call(scene->attacker, start_offering, scene);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	ck_assert(host_run_until(scene->world.machine, back_victim_is_up, scene, 5 * WORLD_SECOND));
}

static const struct traffic_shape small = { .min_frame = TRAFFIC_MIN_FRAME,
					    .max_frame = 2 * TRAFFIC_MIN_FRAME };

static bool victim_is_done_sending(void *argument)
{
	return !atomic_load(&back_victim(argument)->link.end.sending);
}

/* The back_victim sends, without waiting for anybody but what it was sending before. */
void back_victim_sends(struct back_scene *scene, uint32_t count)
{
	struct world_client *client = back_victim(scene);

	if (!host_run_until(scene->world.machine, victim_is_done_sending, scene, WORLD_SECOND))
		return;
	world_set_shape(&scene->world, 0, scene->fills_the_ring ? &small : &world_mixed,
			UINT32_MAX);
	atomic_store(&client->link.end.sent, 0);
	client->link.end.send_count = count;
	host_call(client->guest.domain, client->guest.program->send, &client->link);
	host_run_for(scene->world.machine, 20 * WORLD_MS);
}

/* The attacker's domain goes as it is, holding what it holds. */
static void attacker_leaves(struct back_scene *scene)
{
	struct host_machine *machine = scene->world.machine;
	char path[64];

	host_domain_kill(scene->attacker);
	snprintf(path, sizeof(path), "/local/domain/%u", host_domid(scene->attacker));
	host_store_remove(machine, path);
	ck_assert(host_run_until(machine, victim_is_down, scene, 5 * WORLD_SECOND));
	ck_assert_int_eq(host_toolstack_detach_vif(back_victim(scene)->guest.domain, 0), 0);
	ck_assert(host_run_until(machine, victim_is_done_sending, scene, 5 * WORLD_SECOND));
}

/* An honest backend in the attacker's place, and nothing is missing in the end. */
void back_scene_end(struct back_scene *scene)
{
	struct world *world = &scene->world;
	struct world_guest *guest = &back_victim(scene)->guest;

	attacker_leaves(scene);
	back_victim(scene)->link.echo = false;
	world_set_shape(world, 0, &world_mixed, 120);
	ck_assert_int_eq(world_attach(world, 0), 0);
	ck_assert_uint_eq(world_stale_pages(guest), 0);
	world_exchange(world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_detach_vif(guest->domain, 0), 0);
	world_assert_clean(guest, "back_victim");
	ck_assert_uint_eq(world_collect(guest)->packets_out, 0);
	ck_assert_uint_eq(guest->guest.quarantined, 0);
	ck_assert_uint_le(guest->guest.pages_out, scene->victim_pages + 2);
	world_end(world);
}
