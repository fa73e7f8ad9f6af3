/* SPDX-License-Identifier: ISC */
/* A machine for the block drivers' tests. */
#include "tests/drivers/blkif_world.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_SPARE_PAGES 2304u /* for whole pages that loads use, beside blkfront's */
#define SERVER_SPARE_PAGES 1024u /* for what blkback takes */
#define UP_NS (10 * BLKIF_SECOND)
#define PAGE 4096u

const struct load_shape blkif_mixed = {
	.depth = 16,
	.max_bytes = 128u << 10,
	.buffers = LOAD_ORDINARY | LOAD_ALIGNED | LOAD_DEVICE,
	.reads = 40,
	.writes = 40,
	.flushes = 4,
	.discards = 2,
	.zeroes = 4,
	.fua = 5,
	.barriers = 2,
};

/* ---- guests ---- */

static void guest_start(struct blkif_world *world, struct blkif_machine_guest *guest,
			const char *name, uint32_t pages)
{
	if (guest->image) {
		ck_assert_uint_lt(world->retired_count, 512);
		world->retired[world->retired_count++] = guest->image;
	}
	guest->image = host_image_load(NULL);
	guest->program = host_image_symbol(guest->image, "blkif_guest_program");
	guest->domain = host_domain_create(world->machine, name, pages);
	host_call(guest->domain, guest->program->boot, &guest->guest);
}

/* On threads and a busy machine that may take a while. */
static bool is_watching(void *argument)
{
	struct blkif_machine_guest *guest = argument;

	return host_domain_counters(guest->domain).watches > 0;
}

static void wait_started(struct blkif_world *world, struct blkif_machine_guest *guest)
{
	ck_assert_int_eq(guest->guest.error, 0);
	ck_assert(host_run_until(world->machine, is_watching, guest, UP_NS));
	host_run_for(world->machine, 50 * BLKIF_MS);
	guest->clean = host_domain_counters(guest->domain);
}

static uint64_t served_most(const struct blkif_guest *guest, uint32_t disk)
{
	uint64_t most = guest->served_most[disk];

	return most ? most : guest->served[disk].bytes;
}

static void model_make(struct blkif_model *model, uint64_t size)
{
	if (model->bytes)
		return;
	model->size = size;
	model->bytes = calloc(1, size);
	model->doubt = calloc(1, size / LOAD_UNIT);
	ck_assert(model->bytes && model->doubt);
}

void blkif_world_server_start(struct blkif_world *world)
{
	struct blkif_machine_guest *server = &world->server;
	struct blkif_guest *guest = &server->guest;
	uint32_t pages = SERVER_SPARE_PAGES;

	for (uint32_t i = 0; i < guest->back.disk_count; i++) {
		pages += (uint32_t)(served_most(guest, i) / PAGE + 1);
		guest->served[i].memory = NULL;
		guest->served[i].readers = guest->served[i].writers = 0;
	}
	guest_start(world, server, "server", pages);
	host_call(server->domain, server->program->start_back, guest);
	for (uint32_t i = 0; i < guest->back.disk_count; i++) {
		model_make(&world->models[i], served_most(guest, i));
		memcpy(guest->served[i].memory,
		       world->survived[i] ? world->survived[i] : world->models[i].bytes,
		       served_most(guest, i));
	}
	wait_started(world, server);
}

void blkif_world_prepare(struct blkif_world *world, enum host_mode mode, uint32_t variant,
			 uint32_t machine_pages)
{
	struct host_options options = host_options_default(mode);
	struct blkif_guest *guest = &world->server.guest;

	memset(world, 0, sizeof(*world));
	options.mode = mode;
	options.seed += variant * 1000003u;
	options.pages = machine_pages;
	world->machine = host_machine_create(&options);
	world->seed = options.seed;
	guest->back.disk_count = BLKIF_SERVER_DISKS;
	guest->back.features = (struct blkback_features){ .max_queues = 4,
							  .ring_order = 4,
							  .indirect_segments = 256,
							  .persistent = true,
							  .flush = true,
							  .barrier = true,
							  .discard = true };
	for (uint32_t i = 0; i < BLKIF_SERVER_DISKS; i++) {
		struct blkback_disk *disk = &guest->served[i];

		snprintf(disk->name, sizeof(disk->name), "disk%u", i);
		disk->bytes = BLKIF_DISK_BYTES;
		disk->sector_bytes = 512;
	}
}

void blkif_world_begin(struct blkif_world *world, enum host_mode mode)
{
	blkif_world_begin_variant(world, mode, 0);
}

void blkif_world_begin_variant(struct blkif_world *world, enum host_mode mode, uint32_t variant)
{
	blkif_world_prepare(world, mode, variant, 0);
	blkif_world_server_start(world);
}

static void image_drop(struct host_image *image)
{
	if (image)
		host_image_unload(image);
}

void blkif_world_end(struct blkif_world *world)
{
	host_machine_destroy(world->machine);
	for (uint32_t i = 0; i < world->retired_count; i++)
		image_drop(world->retired[i]);
	image_drop(world->server.image);
	for (uint32_t i = 0; i < BLKIF_CLIENTS; i++)
		image_drop(world->clients[i].guest.image);
	for (uint32_t i = 0; i < BLKIF_SERVER_DISKS; i++) {
		free(world->models[i].bytes);
		free(world->models[i].doubt);
		free(world->survived[i]);
	}
}

/* A dead domain's memory stays where it is until another domain is made. */
void blkif_world_server_kill(struct blkif_world *world)
{
	struct blkif_guest *guest = &world->server.guest;

	host_domain_kill(world->server.domain);
	for (uint32_t i = 0; i < guest->back.disk_count; i++) {
		if (!world->survived[i])
			world->survived[i] = malloc(served_most(guest, i));
		ck_assert_ptr_nonnull(world->survived[i]);
		memcpy(world->survived[i], guest->served[i].memory, served_most(guest, i));
	}
}

void blkif_world_client_start(struct blkif_world *world, uint32_t index)
{
	struct blkif_client *client = &world->clients[index];
	struct blkif_machine_guest *guest = &client->guest;
	uint32_t pages = guest->guest.pages ? guest->guest.pages : 1024;
	char name[16];

	memset(client->disks, 0, sizeof(client->disks));
	for (uint32_t i = 0; i < BLKIF_CLIENT_DISKS; i++)
		snprintf(client->disks[i].name, sizeof(client->disks[i].name), "xvd%c", 'a' + i);
	guest->guest.disks = client->disks;
	guest->guest.disk_count = BLKIF_CLIENT_DISKS;
	guest->guest.front.pages = NULL;
	snprintf(name, sizeof(name), "client%u", index);
	guest_start(world, guest, name, pages + CLIENT_SPARE_PAGES);
	host_call(guest->domain, guest->program->start_front, &guest->guest);
	wait_started(world, guest);
}

/* ---- vbds ---- */

int blkif_world_attach_only(struct blkif_world *world, uint32_t index, uint32_t disk,
			    uint32_t served)
{
	struct blkif_client *client = &world->clients[index];
	struct host_vbd *vbd = &client->vbds[disk];

	vbd->frontend = client->guest.domain;
	vbd->backend = world->server.domain;
	vbd->devid = HOST_VBD_XVDA + disk * HOST_VBD_STEP;
	vbd->dev = client->disks[disk].name;
	vbd->target = world->server.guest.served[served].name;
	client->served[disk] = served;
	return host_toolstack_attach_vbd(vbd);
}

int blkif_world_attach(struct blkif_world *world, uint32_t index, uint32_t disk, uint32_t served)
{
	int error = blkif_world_attach_only(world, index, disk, served);

	if (!error && !blkif_world_wait_up(world, index, disk, UP_NS))
		error = -ETIMEDOUT;
	if (error)
		host_machine_dump(world->machine);
	return error;
}

int blkif_world_detach(struct blkif_world *world, uint32_t client, uint32_t disk)
{
	return host_toolstack_detach_vbd(world->clients[client].guest.domain,
					 HOST_VBD_XVDA + disk * HOST_VBD_STEP);
}

void blkif_world_server_replace(struct blkif_world *world, uint32_t clients)
{
	if (host_domain_is_alive(world->server.domain))
		blkif_world_server_kill(world);
	ck_assert_int_eq(host_toolstack_destroy_domain(world->server.domain), 0);
	blkif_world_server_start(world);
	for (uint32_t i = 0; i < clients; i++) {
		for (uint32_t j = 0; j < BLKIF_CLIENT_DISKS; j++) {
			if (world->clients[i].vbds[j].frontend)
				ck_assert_int_eq(blkif_world_attach_only(
							 world, i, j, world->clients[i].served[j]),
						 0);
		}
	}
}

void blkif_world_one(struct blkif_world *world, enum host_mode mode)
{
	blkif_world_begin(world, mode);
	blkif_world_client_start(world, 0);
	ck_assert_int_eq(blkif_world_attach(world, 0, 0, 0), 0);
}

static bool is_up(void *argument)
{
	return atomic_load(&((struct guest_disk *)argument)->up);
}

static bool is_down(void *argument)
{
	return !is_up(argument);
}

bool blkif_world_wait_up(struct blkif_world *world, uint32_t client, uint32_t disk,
			 uint64_t timeout_ns)
{
	return host_run_until(world->machine, is_up, &world->clients[client].disks[disk],
			      timeout_ns);
}

bool blkif_world_wait_down(struct blkif_world *world, uint32_t client, uint32_t disk,
			   uint64_t timeout_ns)
{
	return host_run_until(world->machine, is_down, &world->clients[client].disks[disk],
			      timeout_ns);
}

/* ---- work ---- */

void blkif_world_load(struct blkif_world *world, uint32_t index, uint32_t disk,
		      const struct load_shape *shape, uint64_t count)
{
	struct blkif_client *client = &world->clients[index];
	struct blkif_model *model = &world->models[client->served[disk]];
	struct blkif_load *load = &client->disks[disk].load;

	/* The pages of LOAD_ALIGNED stay with the load. */
	load->shape = *shape;
	load->seed = host_random(world->machine);
	load->count = count;
	load->model = model->bytes;
	load->doubt = model->doubt;
	load->bytes = world->server.guest.served[client->served[disk]].bytes;
	atomic_store(&load->stop, false);
	atomic_store(&load->submitted, 0);
	atomic_store(&load->refused, 0);
	atomic_store(&load->reported, 0);
	atomic_store(&load->wrong, 0);
	atomic_store(&load->failed_flushes, 0);
	atomic_store(&load->failed_io, 0);
	atomic_store(&load->failed_gone, 0);
	atomic_store(&load->failed_other, 0);
	atomic_store(&load->kept, 0);
	atomic_store(&load->moved, 0);
	load->error[0] = 0;
	host_call(client->guest.domain, client->guest.program->load, &client->disks[disk]);
}

static bool load_is_done(void *argument)
{
	return !atomic_load(&((struct blkif_load *)argument)->running);
}

bool blkif_world_wait_load(struct blkif_world *world, uint32_t client, uint32_t disk,
			   uint64_t timeout_ns)
{
	return host_run_until(world->machine, load_is_done,
			      &world->clients[client].disks[disk].load, timeout_ns);
}

void blkif_world_stop_load(struct blkif_world *world, uint32_t client, uint32_t disk)
{
	struct blkif_load *load = &world->clients[client].disks[disk].load;

	atomic_store(&load->stop, true);
	if (blkif_world_wait_load(world, client, disk, 30 * BLKIF_SECOND))
		return;
	host_machine_dump(world->machine);
	ck_abort_msg("client %u: %u of %u requests reported", client, atomic_load(&load->reported),
		     atomic_load(&load->submitted));
}

void blkif_world_assert_load(struct blkif_world *world, uint32_t client, uint32_t disk, bool all)
{
	struct blkif_load *load = &world->clients[client].disks[disk].load;

	ck_assert_msg(!atomic_load(&load->wrong), "client %u, seed %llu: %s (%u times)", client,
		      (unsigned long long)world->seed, load->error, atomic_load(&load->wrong));
	ck_assert_uint_eq(atomic_load(&load->reported), atomic_load(&load->submitted));
	if (!all)
		return;
	ck_assert_uint_eq(atomic_load(&load->refused), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_flushes), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_io), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_gone), 0);
	ck_assert_uint_eq(atomic_load(&load->failed_other), 0);
	ck_assert_uint_eq(atomic_load(&load->kept), 0);
	ck_assert_uint_eq(atomic_load(&load->reported), load->count);
}

void blkif_world_check_disk(struct blkif_world *world, uint32_t served)
{
	const struct blkif_model *model = &world->models[served];
	const uint8_t *memory = world->server.guest.served[served].memory;

	if (world->server.program)
		(void)blkif_world_collect(&world->server);
	for (uint64_t i = 0; i < world->server.guest.served[served].bytes; i += LOAD_UNIT) {
		ck_assert_msg(model->doubt[i / LOAD_UNIT] ||
				      memcmp(memory + i, model->bytes + i, LOAD_UNIT) == 0,
			      "disk %u, seed %llu: other bytes at %llu than were written", served,
			      (unsigned long long)world->seed, (unsigned long long)i);
	}
}

void blkif_world_run(struct blkif_world *world, uint32_t client, uint32_t disk,
		     const struct load_shape *shape, uint64_t count)
{
	struct blkif_load *load = &world->clients[client].disks[disk].load;

	blkif_world_load(world, client, disk, shape, count);
	if (!blkif_world_wait_load(world, client, disk, 60 * BLKIF_SECOND)) {
		host_machine_dump(world->machine);
		ck_abort_msg("client %u, seed %llu: %u of %u requests reported", client,
			     (unsigned long long)world->seed, atomic_load(&load->reported),
			     atomic_load(&load->submitted));
	}
	blkif_world_assert_load(world, client, disk, true);
	blkif_world_check_disk(world, world->clients[client].served[disk]);
}

int blkif_world_operate(struct blkif_world *world, uint32_t client,
			const struct guest_operation *operation)
{
	struct guest_operation copy = *operation;
	struct blkif_machine_guest *guest = &world->clients[client].guest;

	host_call_fiber_must(guest->domain, guest->program->operate, &copy);
	return copy.error;
}

void blkif_world_submit(struct blkif_world *world, uint32_t client, struct guest_batch *batch)
{
	struct blkif_machine_guest *guest = &world->clients[client].guest;

	host_call(guest->domain, guest->program->submit, batch);
}

static bool batch_is_done(void *argument)
{
	struct guest_batch *batch = argument;

	return atomic_load(&batch->reported) >= batch->count;
}

void blkif_world_wait_batch(struct blkif_world *world, struct guest_batch *batch)
{
	ck_assert_int_eq(batch->error, 0);
	if (!host_run_until(world->machine, batch_is_done, batch, 30 * BLKIF_SECOND)) {
		host_machine_dump(world->machine);
		ck_abort_msg("%u of %u requests reported", atomic_load(&batch->reported),
			     batch->count);
	}
	for (uint32_t i = 0; i < batch->count; i++)
		ck_assert_uint_eq(atomic_load(&batch->entries[i].times), 1);
}

/* ---- figures ---- */

const struct blkif_guest *blkif_world_collect(struct blkif_machine_guest *guest)
{
	host_call(guest->domain, guest->program->collect, &guest->guest);
	return &guest->guest;
}

const struct guest_disk *blkif_world_look(struct blkif_world *world, uint32_t client, uint32_t disk)
{
	(void)blkif_world_collect(&world->clients[client].guest);
	return &world->clients[client].disks[disk];
}

static bool is_clean(void *argument)
{
	struct blkif_machine_guest *guest = argument;
	struct host_counters now = host_domain_counters(guest->domain);

	return memcmp(&now, &guest->clean, sizeof(now)) == 0;
}

void blkif_world_assert_clean(struct blkif_machine_guest *guest, const char *who)
{
	struct host_counters now;
	char was[256];

	/* The toolstack sees the directory go a moment before the driver frees the rest. */
	if (host_run_until(host_machine_of(guest->domain), is_clean, guest, 2 * BLKIF_SECOND))
		return;
	now = host_domain_counters(guest->domain);
	snprintf(was, sizeof(was), "%s", host_counters_text(&guest->clean));
	ck_abort_msg("%s: %s; clean was: %s", who, host_counters_text(&now), was);
}

void blkif_world_end_cleanly(struct blkif_world *world)
{
	ck_assert_int_eq(blkif_world_detach(world, 0, 0), 0);
	ck_assert(blkif_world_wait_down(world, 0, 0, BLKIF_SECOND));
	blkif_world_assert_clean(&world->server, "server");
	blkif_world_assert_clean(&world->clients[0].guest, "client");
	ck_assert_uint_eq(blkif_world_collect(&world->clients[0].guest)->quarantined, 0);
	blkif_world_end(world);
}
