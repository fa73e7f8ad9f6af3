/* SPDX-License-Identifier: ISC */
/* A machine for the vchan tests. */
#include "tests/xen/vchan_world.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/store.h"

#define GUEST_PAGES 2304u
#define JOB_BYTES 100000u
#define JOBS_NS (300 * WORLD_SECOND)
#define CLEAN_NS (20 * WORLD_SECOND)

/* ---- guests ---- */

static void side_start(struct vchan_side *side, const char *name)
{
	if (side->image)
		side->world->retired[side->world->retired_count++] = side->image;
	side->image = host_image_load(NULL);
	side->program = host_image_symbol(side->image, "vchan_guest_program");
	side->domain = host_domain_create(side->world->machine, name, GUEST_PAGES);
	side->domid = host_domid(side->domain);
	side->vchan = NULL;
	fiber_event_init(&side->event);
	host_call(side->domain, side->program->boot, NULL);
}

void world_begin(struct vchan_world *world, enum host_mode mode)
{
	struct host_options options = host_options_default(mode);

	memset(world, 0, sizeof(*world));
	world->machine = host_machine_create(&options);
	world->left = world->right = 12;
	world->server.world = world->client.world = world;
	world->server.peer = &world->client;
	world->client.peer = &world->server;
	side_start(&world->server, "server");
	side_start(&world->client, "client");
}

void world_restart(struct vchan_world *world, struct vchan_side *side)
{
	if (host_domain_is_alive(side->domain))
		host_domain_kill(side->domain);
	side_start(side, side == &world->server ? "server" : "client");
}

static bool is_clean(const struct vchan_side *side)
{
	struct host_counters c = host_domain_counters(side->domain);

	return !c.granted && !c.mapped && !c.held && !c.ports && !c.watches && !c.transactions &&
	       !c.fibers && !c.allocations;
}

static bool world_is_clean(void *argument)
{
	struct vchan_world *world = argument;

	return (!host_domain_is_alive(world->server.domain) || is_clean(&world->server)) &&
	       (!host_domain_is_alive(world->client.domain) || is_clean(&world->client));
}

static void side_assert_clean(const struct vchan_side *side, const char *name)
{
	struct host_counters counters = host_domain_counters(side->domain);

	if (!host_domain_is_alive(side->domain))
		return;
	ck_assert_msg(is_clean(side), "the %s holds: %s", name, host_counters_text(&counters));
	ck_assert_uint_eq(side->program->count(), 0);
	ck_assert_uint_eq(side->program->held_pages(), 0);
}

void world_assert_clean(struct vchan_world *world)
{
	(void)!host_run_until(world->machine, world_is_clean, world, CLEAN_NS);
	side_assert_clean(&world->server, "server");
	side_assert_clean(&world->client, "client");
}

void world_end(struct vchan_world *world)
{
	world_assert_clean(world);
	host_machine_destroy(world->machine);
	host_image_unload(world->server.image);
	host_image_unload(world->client.image);
	while (world->retired_count)
		host_image_unload(world->retired[--world->retired_count]);
}

/* ---- beginning and end ---- */

void side_server_path(const struct vchan_side *side, char *to)
{
	snprintf(to, STORE_PATH_BYTES, "/local/domain/%u/%s", side->world->server.domid,
		 WORLD_PATH);
}

static uint64_t side_deadline(const struct vchan_side *side)
{
	return clock_now_ns() + (side->wait_ns ? side->wait_ns : 60 * WORLD_SECOND);
}

void side_listen(void *argument)
{
	struct vchan_side *side = argument;
	const struct vchan_world *world = side->world;

	side->error = side->program->listen_orders(side->peer->domid, WORLD_PATH, world->left,
						   world->right, world->index, &side->event,
						   &side->vchan);
}

void side_connect(void *argument)
{
	struct vchan_side *side = argument;
	char path[STORE_PATH_BYTES];

	side_server_path(side, path);
	side->error = side->program->connect(side->peer->domid, path, &side->event,
					     side_deadline(side), &side->vchan);
}

void side_close(void *argument)
{
	struct vchan_side *side = argument;

	side->program->close(side->vchan);
	side->vchan = NULL;
}

void world_open(struct vchan_world *world, uint32_t left, uint32_t right, uint32_t index)
{
	world->left = left;
	world->right = right;
	world->index = index;
	host_call_fiber_must(world->server.domain, side_listen, &world->server);
	ck_assert_int_eq(world->server.error, 0);
	host_call_fiber_must(world->client.domain, side_connect, &world->client);
	ck_assert_int_eq(world->client.error, 0);
}

void world_close(struct vchan_world *world)
{
	host_call_fiber_must(world->client.domain, side_close, &world->client);
	host_call_fiber_must(world->server.domain, side_close, &world->server);
}

/* ---- moving bytes ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static void stream_fill(uint64_t seed, uint64_t at, uint8_t *to, size_t count)
{
	uint64_t word = mix(seed + (at / 8) * 0x9e3779b97f4a7c15ull);

	for (size_t i = 0; i < count; i++, at++) {
		if (i && at % 8 == 0)
			word = mix(seed + (at / 8) * 0x9e3779b97f4a7c15ull);
		to[i] = (uint8_t)(word >> (at % 8 * 8));
	}
}

static int64_t job_wait(struct job *job)
{
	const struct vchan_guest_program *program = job->side->program;
	struct vchan *vchan = job->side->vchan;

	if (job->way == JOB_EVENTS)
		return fiber_event_wait(&job->side->event, clock_now_ns() + 60 * WORLD_SECOND);
	return job->writes ? program->wait_writable(vchan, FIBER_FOREVER)
			   : program->wait_readable(vchan, FIBER_FOREVER);
}

static int64_t job_try(struct job *job, uint8_t *buffer, size_t size)
{
	const struct vchan_guest_program *program = job->side->program;
	struct vchan *vchan = job->side->vchan;

	if (job->way != JOB_WAITS)
		return job->writes ? program->try_write(vchan, buffer, size)
				   : program->try_read(vchan, buffer, size);
	job->error = job->writes ? program->write(vchan, buffer, size, FIBER_FOREVER)
				 : program->read(vchan, buffer, size, FIBER_FOREVER);
	return job->error ? job->error : (int64_t)size;
}

/* Moves up to `size` bytes: how many, 0 after a wait, or an error. */
static int64_t job_step(struct job *job, uint8_t *buffer, uint8_t *right, size_t size)
{
	int64_t count;

	stream_fill(job->seed, job->moved, right, size);
	if (job->writes)
		memcpy(buffer, right, size);
	count = job_try(job, buffer, size);
	if (count == 0)
		return job_wait(job);
	if (count < 0)
		return count;
	if (!job->writes && memcmp(buffer, right, (size_t)count) != 0)
		job->wrong = true;
	job->moved += (uint64_t)count;
	return count;
}

static void job_main(void *argument)
{
	struct job *job = argument;
	struct host_machine *machine = job->side->world->machine;
	uint32_t most = job->most ? job->most : JOB_BYTES;
	uint8_t *buffer = NULL, *right = NULL;

	while (!buffer)
		buffer = malloc(most);
	while (!right)
		right = malloc(most);
	while (job->moved < job->bytes && !job->error && !job->wrong) {
		uint64_t size = 1 + host_random(machine) % most;
		int64_t result;

		if (size > job->bytes - job->moved)
			size = job->bytes - job->moved;
		result = job_step(job, buffer, right, size);
		if (result < 0)
			job->error = (int)result;
	}
	free(buffer);
	free(right);
	atomic_store(&job->done, true);
}

static void job_start(void *argument)
{
	while (fiber_start("job", job_main, argument))
		;
}

void jobs_start(struct job *jobs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		host_call(jobs[i].side->domain, job_start, &jobs[i]);
}

struct jobs {
	struct job *jobs;
	uint32_t count;
};

static bool jobs_are_done(void *argument)
{
	const struct jobs *all = argument;

	for (uint32_t i = 0; i < all->count; i++)
		if (!atomic_load(&all->jobs[i].done) &&
		    host_domain_is_alive(all->jobs[i].side->domain))
			return false;
	return true;
}

void jobs_wait(struct job *jobs, uint32_t count)
{
	struct jobs all = { jobs, count };

	if (host_run_until(jobs[0].side->world->machine, jobs_are_done, &all, JOBS_NS))
		return;
	for (uint32_t i = 0; i < count; i++)
		printf("job %u: %s %lu of %lu bytes, error %d, done %d\n", i,
		       jobs[i].writes ? "wrote" : "read", jobs[i].moved, jobs[i].bytes,
		       jobs[i].error, atomic_load(&jobs[i].done));
	ck_abort_msg("jobs hang");
}

void jobs_must(struct job *jobs, uint32_t count)
{
	jobs_start(jobs, count);
	jobs_wait(jobs, count);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_int_eq(jobs[i].error, 0);
		ck_assert(!jobs[i].wrong);
		ck_assert_uint_eq(jobs[i].moved, jobs[i].bytes);
	}
}
