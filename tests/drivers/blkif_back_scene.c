/* SPDX-License-Identifier: ISC */
/* blkfront, and the backend that is to be its end. */
#include "tests/drivers/blkif_back_scene.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "xen/fiber.h"

#define MACHINE_PAGES 16384u
#define CLIENT_PAGES 384u
#define DISK_PAGES 160u
#define DISK_BYTES (1u << 20) /* of the honest one, as of the attacker's at first */

static const struct load_shape honest = {
	.depth = 4,
	.max_bytes = 16u << 10,
	.buffers = LOAD_ORDINARY | LOAD_DEVICE,
	.reads = 40,
	.writes = 40,
	.flushes = 4,
};

struct blkfront_config *back_config(struct back_scene *scene)
{
	return &scene->world.clients[0].guest.guest.front;
}

struct host_domain *back_victim(struct back_scene *scene)
{
	return scene->world.clients[0].guest.domain;
}

static void take_memory(void *argument)
{
	struct back_scene *scene = argument;

	scene->memory = memory_alloc_pages(BACK_REQUESTS);
	memset(scene->memory, BACK_MARK, BACK_REQUESTS * PAGE_BYTES);
}

void back_scene_begin(struct back_scene *scene, enum host_mode mode, uint32_t variant)
{
	struct blkif_world *world = &scene->world;
	struct blkfront_config config = *back_config(scene);

	blkif_world_prepare(world, mode, variant, MACHINE_PAGES);
	*back_config(scene) = config;
	if (!config.disk_pages)
		back_config(scene)->disk_pages = DISK_PAGES;
	world->clients[0].guest.guest.pages = CLIENT_PAGES;
	world->server.guest.back.disk_count = 1;
	world->server.guest.served[0].bytes = DISK_BYTES;
	/* For loads that begin before there is an honest backend. */
	world->models[0] = (struct blkif_model){ .bytes = calloc(1, DISK_BYTES),
						 .doubt = calloc(1, DISK_BYTES / LOAD_UNIT),
						 .size = DISK_BYTES };
	ck_assert(world->models[0].bytes && world->models[0].doubt);
	blkif_world_client_start(world, 0);
	host_call(back_victim(scene), take_memory, scene);
	scene->victim_pages = blkif_world_collect(&world->clients[0].guest)->pages_out;
	scene->attacker = host_domain_create(world->machine, "attacker", 64);
	scene->vbd = (struct host_vbd){ .frontend = back_victim(scene),
					.backend = scene->attacker,
					.devid = HOST_VBD_XVDA,
					.dev = "xvda",
					.target = "nothing" };
	hostile_blkback_init(&scene->back, scene->attacker, back_victim(scene), HOST_VBD_XVDA);
}

void back_offer_and_connect(void *argument)
{
	struct back_scene *scene = argument;

	while (hostile_blkback_peer_state(&scene->back) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + BLKIF_MS);
	hostile_blkback_offer(&scene->back);
	hostile_blkback_connect(&scene->back);
}

static void start_offering(void *argument)
{
	if (fiber_start("offer", back_offer_and_connect, argument))
		abort();
}

bool back_scene_try(struct back_scene *scene)
{
	host_call(scene->attacker, start_offering, scene);
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene->vbd), 0);
	return blkif_world_wait_up(&scene->world, 0, 0, 5 * BLKIF_SECOND);
}

void back_scene_connect(struct back_scene *scene)
{
	ck_assert(back_scene_try(scene));
}

/* ---- requests ---- */

static void notice(void *argument)
{
	struct back_scene *scene = argument;

	(void)hostile_blkback_waiting(&scene->back);
}

static bool all_are_seen(void *argument)
{
	struct back_scene *scene = argument;

	host_call(scene->attacker, notice, scene);
	return scene->back.seen - scene->back.answered >= 1 &&
	       (scene->batch.count == 1 || scene->back.seen - scene->back.answered > 1);
}

void back_victim_asks(struct back_scene *scene, uint32_t sectors)
{
	struct guest_batch *batch = &scene->batch;

	batch->disk = &scene->world.clients[0].disks[0];
	batch->count = BACK_REQUESTS;
	for (uint32_t i = 0; i < BACK_REQUESTS; i++) {
		struct block_request *request = &batch->entries[i].request;
		uint8_t *data = scene->memory + i * PAGE_BYTES;

		/* Far from each other, or they would be one. */
		*request = (struct block_request){ .op = i % 2 ? BLOCK_WRITE : BLOCK_READ,
						   .sector = 64 * i,
						   .count = sectors,
						   .data = data };
		memset(data, (int)i + 1, sectors * BLKIF_SECTOR_BYTES);
	}
	blkif_world_submit(&scene->world, 0, batch);
	ck_assert_int_eq(batch->error, 0);
	ck_assert(host_run_until(scene->world.machine, all_are_seen, scene, BLKIF_SECOND));
	host_run_for(scene->world.machine, BLKIF_MS);
	host_call(scene->attacker, notice, scene);
}

uint32_t back_reported(struct back_scene *scene)
{
	return atomic_load(&scene->batch.reported);
}

void back_assert_errors(struct back_scene *scene, int error)
{
	blkif_world_wait_batch(&scene->world, &scene->batch);
	for (uint32_t i = 0; i < scene->batch.count; i++)
		ck_assert_msg(scene->batch.entries[i].error == error,
			      "request %u: error %d in the place of %d", i,
			      scene->batch.entries[i].error, error);
}

bool back_victim_is_down(void *argument)
{
	struct back_scene *scene = argument;

	return !atomic_load(&scene->world.clients[0].disks[0].up);
}

/* ---- the end ---- */

void back_scene_replace(struct back_scene *scene)
{
	struct blkif_world *world = &scene->world;

	blkif_world_server_start(world);
	/* What the batch has written there, or not, no load knows. */
	memset(world->models[0].doubt, 1, world->models[0].size / LOAD_UNIT);
	ck_assert_int_eq(blkif_world_attach(world, 0, 0, 0), 0);
}

/* The attacker's domain goes as it is, holding what it holds. */
static void attacker_leaves(struct back_scene *scene)
{
	char path[64];

	host_domain_kill(scene->attacker);
	snprintf(path, sizeof(path), "/local/domain/%u", host_domid(scene->attacker));
	host_store_remove(scene->world.machine, path);
}

void back_scene_end(struct back_scene *scene)
{
	struct blkif_world *world = &scene->world;
	struct blkif_machine_guest *guest = &world->clients[0].guest;
	struct guest_operation flush = { .op = BLOCK_FLUSH };

	if (!world->server.domain)
		back_scene_replace(scene);
	attacker_leaves(scene);
	/* The first one after a change of backends may say that what was written is in doubt. */
	flush.disk = &world->clients[0].disks[0];
	(void)!blkif_world_operate(world, 0, &flush);
	blkif_world_run(world, 0, 0, &honest, 60);
	/* What was held comes back within its next look. */
	host_run_for(world->machine, 2 * BLKIF_SECOND);
	ck_assert_int_eq(blkif_world_detach(world, 0, 0), 0);
	ck_assert(blkif_world_wait_down(world, 0, 0, BLKIF_SECOND));
	blkif_world_assert_clean(guest, "client");
	ck_assert_uint_eq(blkif_world_collect(guest)->quarantined, 0);
	ck_assert_uint_le(guest->guest.pages_out, scene->victim_pages);
	blkif_world_end(world);
}
