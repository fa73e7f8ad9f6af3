/* SPDX-License-Identifier: ISC */
/* netback, an honest client, and an attacker. */
#include "tests/drivers/netif_front_scene.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

void front_put(struct hostile_frontend *front, uint32_t gref, uint32_t offset, uint32_t size,
	       uint16_t flags)
{
	struct netif_tx_request request = { .gref = gref,
					    .offset = (uint16_t)offset,
					    .size = (uint16_t)size,
					    .flags = flags,
					    .id = (uint16_t)front->tx_next };

	hostile_put_tx(front, &request);
}

void front_scene_begin(struct front_scene *scene, enum host_mode mode, uint32_t variant)
{
	world_begin_variant(&scene->world, mode, variant);
	scene->server_pages = world_collect(&scene->world.server)->pages_out;
	world_client_start(&scene->world, 0);
	ck_assert_int_eq(world_attach(&scene->world, 0), 0);
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = scene->attacker,
					.backend = scene->world.server.domain,
					.mac = "00:16:3e:66:66:66",
					.ip = "10.137.0.66" };
	hostile_frontend_init(&scene->front, scene->attacker, scene->world.server.domain, 0);
}

void front_scene_connect(struct front_scene *scene)
{
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	host_call_fiber_must(scene->attacker, hostile_frontend_connect, &scene->front);
	ck_assert_int_eq(scene->front.error, 0);
}

void front_read_peer_state(void *argument)
{
	struct front_scene *scene = argument;

	scene->peer_state = hostile_frontend_peer_state(&scene->front);
}

bool front_is_disconnected(void *argument)
{
	struct front_scene *scene = argument;
	char path[128];

	return host_store_number(scene->world.machine,
				 strcat((char *)host_backend_path(&scene->vif, path, 100),
					"/state")) >= XenbusStateClosing;
}

/* Nothing of the attacker's pages is held any more: only the honest client's rings. */
bool front_two_are_mapped(void *argument)
{
	struct front_scene *scene = argument;

	return host_domain_counters(scene->world.server.domain).mapped == 2;
}

/* A kexec: the same domain begins again without having closed. */
void front_begin_again(void *argument)
{
	struct front_scene *scene = argument;

	hostile_frontend_set_state(&scene->front, XenbusStateInitialising);
	hostile_frontend_connect(&scene->front);
}

/* The attacker goes, the honest client too, and the server is as it was. */
void front_scene_end(struct front_scene *scene)
{
	struct world *world = &scene->world;

	world_attacker_leaves(world, scene->attacker, scene->server_pages);
	ck_assert_uint_eq(world_stale_pages(&world->server), 0);
	world_end(world);
}
