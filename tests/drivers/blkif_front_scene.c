/* SPDX-License-Identifier: ISC */
/* blkback, an honest client, and an attacker. */
#include "tests/drivers/blkif_front_scene.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "xen/fiber.h"

#define MACHINE_PAGES 16384u
#define HONEST_PAGES 384u

static const struct load_shape honest = {
	.depth = 4,
	.max_bytes = 16u << 10,
	.buffers = LOAD_ORDINARY | LOAD_DEVICE,
	.reads = 40,
	.writes = 40,
	.flushes = 4,
	.zeroes = 2,
};

static void begin(struct front_scene *scene, enum host_mode mode, uint32_t variant,
		  uint32_t max_clients, uint64_t disk_bytes)
{
	struct blkif_world *world = &scene->world;
	struct blkif_guest *client = &world->clients[0].guest.guest;

	blkif_world_prepare(world, mode, variant, MACHINE_PAGES);
	world->server.guest.back.disk_count = 3;
	world->server.guest.back.max_clients = max_clients;
	for (uint32_t i = 0; i < 3; i++)
		world->server.guest.served[i].bytes = i == 1 ? disk_bytes : FRONT_DISK_BYTES;
	blkif_world_server_start(world);
	client->pages = HONEST_PAGES;
	client->front.disk_pages = HONEST_PAGES / 2;
	blkif_world_client_start(world, 0);
	ck_assert_int_eq(blkif_world_attach(world, 0, 0, 0), 0);
	scene->attacker = host_domain_create(world->machine, "attacker", 64);
	scene->vbd = (struct host_vbd){ .frontend = scene->attacker,
					.backend = world->server.domain,
					.devid = HOST_VBD_XVDA,
					.dev = "xvda",
					.target = world->server.guest.served[1].name };
	hostile_blkfront_init(&scene->front, scene->attacker, world->server.domain, HOST_VBD_XVDA);
	blkif_world_load(world, 0, 0, &honest, FRONT_HONEST_LOAD);
}

void front_scene_begin(struct front_scene *scene, enum host_mode mode, uint32_t variant)
{
	begin(scene, mode, variant, 0, FRONT_DISK_BYTES);
}

void front_scene_begin_bounded(struct front_scene *scene, uint32_t max_clients)
{
	begin(scene, HOST_STEPPED, 0, max_clients, FRONT_DISK_BYTES);
}

void front_scene_begin_large(struct front_scene *scene, uint64_t disk_bytes)
{
	begin(scene, HOST_STEPPED, 0, 0, disk_bytes);
}

void front_scene_connect(struct front_scene *scene)
{
	ck_assert_int_eq(host_toolstack_attach_vbd(&scene->vbd), 0);
	host_call_fiber_must(scene->attacker, hostile_blkfront_connect, &scene->front);
	ck_assert_int_eq(scene->front.error, 0);
	scene->answers = (struct front_answers){ 0 };
}

/* ---- answers ---- */

static void take(void *argument)
{
	struct front_scene *scene = argument;
	union blkif_slot answer;

	while (hostile_blk_take(&scene->front, &answer)) {
		scene->answers.all++;
		scene->answers.okay += answer.response.status == BLKIF_RSP_OKAY;
		scene->answers.error += answer.response.status == BLKIF_RSP_ERROR;
		scene->answers.unsupported += answer.response.status == BLKIF_RSP_EOPNOTSUPP;
	}
}

static bool all_are_there(void *argument)
{
	struct front_scene *scene = argument;

	host_call(scene->attacker, take, scene);
	return scene->answers.all >= scene->expected;
}

bool front_wait_answers(struct front_scene *scene, uint32_t count)
{
	scene->expected = count;
	return host_run_until(scene->world.machine, all_are_there, scene, 10 * BLKIF_SECOND);
}

static void put_write(void *argument)
{
	struct front_scene *scene = argument;
	struct blkif_request request = hostile_blk_good(&scene->front, BLKIF_OP_WRITE, 8);

	memset(scene->front.pages[HOSTILE_BLK_DATA], 0x3c, BLKIF_PAGE_BYTES);
	hostile_blk_put(&scene->front, &request, sizeof(request));
	hostile_blk_publish(&scene->front);
}

static void put_read(void *argument)
{
	struct front_scene *scene = argument;
	struct blkif_request request = hostile_blk_good(&scene->front, BLKIF_OP_READ, 8);

	memset(scene->front.pages[HOSTILE_BLK_DATA], 0, BLKIF_PAGE_BYTES);
	hostile_blk_put(&scene->front, &request, sizeof(request));
	hostile_blk_publish(&scene->front);
}

static void assert_was_read(void *argument)
{
	struct front_scene *scene = argument;

	for (uint32_t i = 0; i < BLKIF_PAGE_BYTES; i++)
		ck_assert_uint_eq(scene->front.pages[HOSTILE_BLK_DATA][i], 0x3c);
}

void front_assert_served(struct front_scene *scene)
{
	uint32_t okay = scene->answers.okay;

	host_call(scene->attacker, put_write, scene);
	ck_assert(front_wait_answers(scene, scene->answers.all + 1));
	host_call(scene->attacker, put_read, scene);
	ck_assert(front_wait_answers(scene, scene->answers.all + 1));
	ck_assert_uint_eq(scene->answers.okay, okay + 2);
	host_call(scene->attacker, assert_was_read, scene);
}

/* ---- states ---- */

void front_read_peer_state(void *argument)
{
	struct front_scene *scene = argument;

	scene->peer_state = hostile_blkfront_peer_state(&scene->front);
}

bool front_is_disconnected(void *argument)
{
	struct front_scene *scene = argument;
	char path[128];

	return host_store_number(scene->world.machine,
				 strcat((char *)host_vbd_backend_path(&scene->vbd, path, 100),
					"/state")) >= XenbusStateClosing;
}

bool front_nothing_is_held(void *argument)
{
	struct front_scene *scene = argument;

	return host_domain_counters(scene->attacker).held == 0;
}

/* A kexec: the same domain begins again without having closed. */
void front_begin_again(void *argument)
{
	struct front_scene *scene = argument;

	hostile_blkfront_set_state(&scene->front, XenbusStateInitialising);
	hostile_blkfront_connect(&scene->front);
}

/* ---- the end ---- */

void front_scene_end(struct front_scene *scene)
{
	struct blkif_world *world = &scene->world;

	if (host_domain_is_alive(scene->attacker))
		host_call(scene->attacker, hostile_blkfront_release, &scene->front);
	ck_assert_int_eq(host_toolstack_destroy_domain(scene->attacker), 0);
	ck_assert(host_run_until(world->machine, front_nothing_is_held, scene, BLKIF_SECOND));
	ck_assert(blkif_world_wait_load(world, 0, 0, 30 * BLKIF_SECOND));
	blkif_world_assert_load(world, 0, 0, true);
	blkif_world_check_disk(world, 0);
	blkif_world_check_disk(world, 2);
	blkif_world_end_cleanly(world);
}
