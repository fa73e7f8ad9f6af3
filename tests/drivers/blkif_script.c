/* SPDX-License-Identifier: ISC */
/* A backend whose disk does what a test says. */
#include "tests/drivers/blkif_script.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define PUMP_NS 50000u
#define DOMAIN_PAGES 256u
#define PATH 96

static uint64_t draw(struct blkif_script *script, uint64_t bound)
{
	return host_random(script->world->machine) % bound;
}

/* ---- requests ---- */

static uint8_t operation_of(const union blkif_slot *slot)
{
	return slot->request.operation == BLKIF_OP_INDIRECT ? slot->indirect.indirect_op
							    : slot->request.operation;
}

static void note(struct blkif_script *script, const struct script_event *event)
{
	ck_assert_uint_lt(script->event_count, SCRIPT_EVENTS_MOST);
	script->events[script->event_count++] = *event;
}

/* One segment between its page and the disk; 0 or -EIO. */
static int move_segment(struct blkif_script *script, uint64_t sector,
			const struct blkif_request_segment *segment, bool write)
{
	struct hostile_blkback *back = &script->back;
	uint32_t offset = segment->first_sect * BLKIF_SECTOR_BYTES;
	uint32_t bytes =
		(uint32_t)(segment->last_sect - segment->first_sect + 1) * BLKIF_SECTOR_BYTES;
	uint8_t *at = script->contents + sector * BLKIF_SECTOR_BYTES;
	struct gnttab_copy op = { .len = (uint16_t)bytes, .flags = GNTCOPY_dest_gref };

	if (write) {
		if (hostile_blkback_peek(back, segment->gref))
			return -EIO;
		memcpy(at, back->page + offset, bytes);
		return 0;
	}
	memcpy(back->page + offset, at, bytes);
	op.source.offset = op.dest.offset = (uint16_t)offset;
	op.source.domid = DOMID_SELF;
	op.source.u.gmfn = memory_frame_of(back->page);
	op.dest.domid = back->frontend_domid;
	op.dest.u.ref = segment->gref;
	gnttab_copy(&op, 1);
	return op.status == GNTST_okay ? 0 : -EIO;
}

static uint32_t sector_count(struct blkif_script *script, const union blkif_slot *slot)
{
	struct blkif_request_segment segments[HOSTILE_BLK_SEGMENTS_MOST];
	uint32_t count, sum = 0;

	if (operation_of(slot) == BLKIF_OP_DISCARD)
		return (uint32_t)slot->discard.nr_sectors;
	count = hostile_blkback_segments(&script->back, slot, segments);
	for (uint32_t i = 0; i < count; i++)
		sum += (uint32_t)(segments[i].last_sect - segments[i].first_sect + 1);
	return sum;
}

/* All that was written is stable. */
static void flush(struct blkif_script *script)
{
	memcpy(script->stable, script->contents, script->bytes);
	memset(script->unstable, 0, script->bytes / BLKIF_SECTOR_BYTES);
}

/* A flush is for what was answered before it came, and for nothing else. */
static void flush_begin(struct blkif_script *script, struct script_held *held)
{
	held->snapshot = malloc(script->bytes);
	ck_assert_ptr_nonnull(held->snapshot);
	memcpy(held->snapshot, script->contents, script->bytes);
	held->moment = script->moment;
}

static void flush_end(struct blkif_script *script, struct script_held *held)
{
	for (uint64_t i = 0; i < script->bytes / BLKIF_SECTOR_BYTES; i++) {
		uint64_t at = i * BLKIF_SECTOR_BYTES;

		if (!script->unstable[i] || script->stable_at[i] > held->moment)
			continue;
		memcpy(script->stable + at, held->snapshot + at, BLKIF_SECTOR_BYTES);
		script->stable_at[i] = held->moment;
		if (script->written_at[i] <= held->moment)
			script->unstable[i] = 0;
	}
}

/* A cache also writes back at moments of its own choice. */
static void mark_written(struct blkif_script *script, uint64_t sector, uint32_t count)
{
	script->moment++;
	for (uint64_t i = sector; i < sector + count; i++) {
		script->unstable[i] = script->forgets;
		script->written_at[i] = script->moment;
		if (script->forgets && draw(script, 4))
			continue;
		memcpy(script->stable + i * BLKIF_SECTOR_BYTES,
		       script->contents + i * BLKIF_SECTOR_BYTES, BLKIF_SECTOR_BYTES);
		script->stable_at[i] = script->moment;
	}
}

static int move(struct blkif_script *script, const union blkif_slot *slot)
{
	struct blkif_request_segment segments[HOSTILE_BLK_SEGMENTS_MOST];
	uint32_t count = hostile_blkback_segments(&script->back, slot, segments);
	uint64_t first = hostile_blkback_sector(slot), sector = first;
	bool write = hostile_blkback_writes(slot);
	int error = 0;

	if ((sector + sector_count(script, slot)) * BLKIF_SECTOR_BYTES > script->bytes)
		return -EIO;
	for (uint32_t i = 0; i < count && !error; i++) {
		error = move_segment(script, sector, &segments[i], write);
		sector += (uint64_t)segments[i].last_sect - segments[i].first_sect + 1;
	}
	if (write)
		mark_written(script, first, (uint32_t)(sector - first));
	return error;
}

/* A barrier that has bytes is a write between two flushes, with nothing beside it. */
static int16_t carry_out(struct blkif_script *script, struct script_held *held)
{
	const union blkif_slot *slot = &held->slot;
	uint8_t op = operation_of(slot);

	if (op == BLKIF_OP_FLUSH_DISKCACHE && script->flush_status)
		return script->flush_status;
	if (script->error_one_in && draw(script, script->error_one_in) == 0) {
		script->errors++;
		return BLKIF_RSP_ERROR;
	}
	if (op == BLKIF_OP_FLUSH_DISKCACHE)
		flush_end(script, held);
	if (op == BLKIF_OP_WRITE_BARRIER)
		flush(script);
	if (op != BLKIF_OP_DISCARD && move(script, slot))
		return BLKIF_RSP_ERROR;
	if (op == BLKIF_OP_WRITE_BARRIER)
		flush(script);
	return BLKIF_RSP_OKAY;
}

/* ---- the pump ---- */

static void take_new(struct blkif_script *script)
{
	struct hostile_blkback *back = &script->back;
	/* What is held has not been answered, and so is still ahead in the ring's count. */
	uint32_t waiting = hostile_blkback_waiting(back);

	while (script->held_count < waiting) {
		const union blkif_slot *slot = hostile_blkback_request(back, script->held_count);
		uint32_t number = ++script->arrived;

		script->held[script->held_count] =
			(struct script_held){ .slot = *slot, .number = number };
		if (operation_of(slot) == BLKIF_OP_FLUSH_DISKCACHE)
			flush_begin(script, &script->held[script->held_count]);
		script->held_count++;
		note(script, &(struct script_event){
				     .op = operation_of(slot),
				     .sector = hostile_blkback_sector(slot),
				     .sectors = sector_count(script, slot),
				     .request = number,
			     });
	}
}

/* The next `k`th answer overwrites what came as that; so the notes are kept in arrival order. */
static void answer(struct blkif_script *script, uint32_t pick)
{
	struct script_held held = script->held[pick];
	int16_t status = carry_out(script, &held);

	memmove(&script->held[pick], &script->held[pick + 1],
		(--script->held_count - pick) * sizeof(script->held[0]));
	note(script, &(struct script_event){ .answer = true,
					     .op = operation_of(&held.slot),
					     .status = status,
					     .sector = hostile_blkback_sector(&held.slot),
					     .request = held.number });
	hostile_blkback_answer_to(&script->back, &held.slot, status);
	free(held.snapshot);
}

/* Not past a barrier, neither way. */
static uint32_t choose(struct blkif_script *script)
{
	uint32_t limit = 0;

	while (limit < script->held_count &&
	       operation_of(&script->held[limit].slot) != BLKIF_OP_WRITE_BARRIER)
		limit++;
	return script->reorder && limit ? (uint32_t)draw(script, limit) : 0;
}

static void pump(struct blkif_script *script)
{
	uint32_t most = script->most_answers ? script->most_answers : HOSTILE_BLK_SLOTS_MOST;
	uint32_t done = 0;

	take_new(script);
	while (!script->silent && script->held_count && done++ < most)
		answer(script, choose(script));
	script->unanswered = script->held_count;
	/* Also without an answer: it asks to hear of the next request. */
	if (done)
		hostile_blkback_publish(&script->back);
}

static uint64_t own_number(const struct blkif_script *script, const char *key)
{
	char path[PATH];
	uint64_t number = 0;

	snprintf(path, sizeof(path), "backend/vbd/%u/%u/%s", script->back.frontend_domid,
		 script->back.devid, key);
	return store_read_u64(0, path, &number) ? 0 : number;
}

static void serve(void *argument)
{
	struct blkif_script *script = argument;
	struct hostile_blkback *back = &script->back;

	while (own_number(script, "state") != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + BLKIF_MS);
	hostile_blkback_offer(back);
	hostile_blkback_connect(back);
	if (back->error)
		return;
	for (uint32_t round = 0; round % 32 || own_number(script, "online"); round++) {
		pump(script);
		fiber_sleep_until(clock_now_ns() + PUMP_NS);
	}
	hostile_blkback_release(back);
	hostile_blkback_set_state(back, XenbusStateClosed);
	fiber_sleep_until(clock_now_ns() + BLKIF_MS);
	hostile_blkback_remove(back);
}

static void serve_start(void *argument)
{
	struct blkif_script *script = argument;

	script->back.page = memory_alloc_pages(1);
	ck_assert_int_eq(fiber_start("script", serve, script), 0);
}

void blkif_script_serve(struct blkif_script *script)
{
	struct blkif_world *world = script->world;

	hostile_blkback_init(&script->back, world->server.domain, world->clients[0].guest.domain,
			     HOST_VBD_XVDA);
	script->back.offer = script->offer;
	/* Their memory went with the domain that had them. */
	script->held_count = script->unanswered = 0;
	host_call(world->server.domain, serve_start, script);
}

/* ---- the machine ---- */

static void domain_make(struct blkif_script *script)
{
	struct blkif_world *world = script->world;

	world->server.domain = host_domain_create(world->machine, "script", DOMAIN_PAGES);
	world->server.guest.served[0].bytes = script->bytes;
	world->server.guest.served[0].memory = script->contents;
}

void blkif_script_begin(struct blkif_script *script, struct blkif_world *world, uint32_t variant)
{
	static char sectors[24];

	blkif_world_prepare(world, HOST_STEPPED, variant, 0);
	memset(script, 0, sizeof(*script));
	script->world = world;
	script->bytes = SCRIPT_DISK_BYTES;
	script->contents = calloc(1, script->bytes);
	script->stable = calloc(1, script->bytes);
	script->unstable = calloc(1, script->bytes / BLKIF_SECTOR_BYTES);
	script->written_at = calloc(script->bytes / BLKIF_SECTOR_BYTES, sizeof(uint32_t));
	script->stable_at = calloc(script->bytes / BLKIF_SECTOR_BYTES, sizeof(uint32_t));
	ck_assert(script->contents && script->stable && script->unstable);
	ck_assert(script->written_at && script->stable_at);
	snprintf(sectors, sizeof(sectors), "%llu",
		 (unsigned long long)script->bytes / BLKIF_SECTOR_BYTES);
	script->offer = (struct hostile_blk_offer){ .flush = "1",
						    .max_indirect = "64",
						    .max_ring_order = "2",
						    .sectors = sectors,
						    .sector_size = "512",
						    .info = "0" };
	world->models[0].size = script->bytes;
	world->models[0].bytes = calloc(1, script->bytes);
	world->models[0].doubt = calloc(1, script->bytes / LOAD_UNIT);
	domain_make(script);
	blkif_world_client_start(world, 0);
}

void blkif_script_end(struct blkif_script *script)
{
	blkif_world_end(script->world);
	free(script->stable_at);
	free(script->written_at);
	free(script->contents);
	free(script->stable);
	free(script->unstable);
}

void blkif_script_replace(struct blkif_script *script)
{
	struct blkif_world *world = script->world;

	if (host_domain_is_alive(world->server.domain))
		host_domain_kill(world->server.domain);
	ck_assert_int_eq(host_toolstack_destroy_domain(world->server.domain), 0);
	domain_make(script);
	blkif_script_serve(script);
	ck_assert_int_eq(blkif_world_attach_only(world, 0, 0, 0), 0);
}

void blkif_script_lose_power(struct blkif_script *script)
{
	if (host_domain_is_alive(script->world->server.domain))
		host_domain_kill(script->world->server.domain);
	for (uint64_t i = 0; i < script->bytes / BLKIF_SECTOR_BYTES; i++) {
		uint64_t at = i * BLKIF_SECTOR_BYTES;

		if (!script->unstable[i] || draw(script, 2))
			continue;
		script->lost +=
			memcmp(script->contents + at, script->stable + at, BLKIF_SECTOR_BYTES) != 0;
		memcpy(script->contents + at, script->stable + at, BLKIF_SECTOR_BYTES);
	}
	flush(script);
	blkif_script_replace(script);
}
