/* SPDX-License-Identifier: ISC */
/* Work for a disk, checked by a model. */
#include "tests/drivers/blkif_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "lib/panic.h"

#define WRITER 0xffu
#define GUARD_BYTES 1024u /* before and after ordinary memory; also room to shift it in */
#define GUARD 0x5a
#define SHIFT_BYTES 512u /* less than a sector: no part of ordinary memory is a whole page */
#define TRIES 16u

static uint64_t next(struct blkif_load *load)
{
	load->random ^= load->random >> 12;
	load->random ^= load->random << 25;
	load->random ^= load->random >> 27;
	return load->random * 0x2545f4914f6cdd1dull;
}

static uint64_t draw(struct blkif_load *load, uint64_t bound)
{
	return next(load) % bound;
}

static void wrong(struct blkif_load *load, const struct block_request *request, const char *what,
		  uint64_t at)
{
	if (atomic_fetch_add(&load->wrong, 1))
		return;
	snprintf(load->error, sizeof(load->error), "%s: op %d sector %llu count %llu: %s at %llu",
		 load->device->name, request->op, (unsigned long long)request->sector,
		 (unsigned long long)request->count, what, (unsigned long long)at);
}

/* ---- the model ---- */

static uint64_t first_byte(const struct load_slot *slot)
{
	return slot->request.sector * slot->load->device->geometry.sector_bytes;
}

static uint64_t byte_count(const struct load_slot *slot)
{
	return slot->request.count * slot->load->device->geometry.sector_bytes;
}

/* Whether a request may touch these bytes now. */
static bool is_free(const struct blkif_load *load, uint64_t at, uint64_t bytes, bool write)
{
	for (uint64_t i = at / LOAD_UNIT; i < (at + bytes) / LOAD_UNIT; i++) {
		if (load->busy[i] && (write || load->busy[i] >= WRITER - 1))
			return false;
	}
	return true;
}

static void claim(struct load_slot *slot, bool take)
{
	struct blkif_load *load = slot->load;
	uint64_t end = (first_byte(slot) + byte_count(slot)) / LOAD_UNIT;

	for (uint64_t i = first_byte(slot) / LOAD_UNIT; i < end; i++) {
		if (slot->request.op == BLOCK_READ)
			load->busy[i] += take ? 1 : -1;
		else
			load->busy[i] = take ? WRITER : 0;
	}
}

static void check_read(struct load_slot *slot)
{
	struct blkif_load *load = slot->load;
	uint64_t at = first_byte(slot);

	for (uint64_t i = 0; i < byte_count(slot); i += LOAD_UNIT) {
		if (load->doubt[(at + i) / LOAD_UNIT])
			continue;
		if (memcmp(slot->request.data + i, load->model + at + i, LOAD_UNIT))
			wrong(load, &slot->request, "other bytes than were written", at + i);
	}
}

static void set_doubt(struct load_slot *slot, bool doubt)
{
	memset(slot->load->doubt + first_byte(slot) / LOAD_UNIT, doubt,
	       byte_count(slot) / LOAD_UNIT);
}

static void apply(struct load_slot *slot, int error)
{
	uint8_t *at = slot->load->model + first_byte(slot);

	switch (slot->request.op) {
	case BLOCK_READ:
		if (!error)
			check_read(slot);
		return;
	case BLOCK_WRITE:
		memcpy(at, slot->request.data, byte_count(slot));
		set_doubt(slot, error != 0);
		return;
	case BLOCK_WRITE_ZEROES:
		memset(at, 0, byte_count(slot));
		set_doubt(slot, error != 0);
		return;
	case BLOCK_DISCARD:
		set_doubt(slot, true);
		return;
	default:
		return;
	}
}

/* ---- memory ---- */

/* Also where allocations fail at random. */
static void *allocate(size_t bytes)
{
	void *memory = NULL;

	for (uint32_t i = 0; i < 1000 && !memory; i++)
		memory = calloc(1, bytes);
	if (!memory)
		panic("the guest is too small for the load");
	return memory;
}

static void buffers_make(struct blkif_load *load)
{
	uint32_t size = load->shape.max_bytes;
	/* One more, to begin anywhere in the first. */
	uint64_t page_bytes = (size + 2 * PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

	if ((load->shape.buffers & LOAD_ALIGNED) &&
	    load->pages_bytes < page_bytes * load->shape.depth) {
		load->pages_bytes = page_bytes * load->shape.depth;
		load->pages = memory_alloc_pages(load->pages_bytes / PAGE_BYTES);
		if (!load->pages)
			panic("the guest is too small for the load");
	}
	for (uint32_t i = 0; i < load->shape.depth; i++) {
		struct load_slot *slot = &load->slots[i];

		/* The guest cannot name the frames of this. */
		slot->memory[0] = allocate(size + 2 * GUARD_BYTES);
		if (load->shape.buffers & LOAD_ALIGNED)
			slot->memory[1] = load->pages + i * page_bytes;
		if (load->shape.buffers & LOAD_DEVICE)
			slot->memory[2] = block_buffer_alloc(load->device, size);
	}
}

static void buffers_free(struct blkif_load *load)
{
	for (uint32_t i = 0; i < load->shape.depth; i++) {
		struct load_slot *slot = &load->slots[i];

		free(slot->memory[0]);
		block_buffer_free(load->device, slot->memory[2], load->shape.max_bytes);
	}
	free(load->busy);
}

/* Memory of a kind that the shape allows and there is; ordinary memory is shifted. */
static bool place(struct load_slot *slot, uint64_t bytes)
{
	struct blkif_load *load = slot->load;

	slot->kind = (uint32_t)draw(load, 3);
	for (uint32_t i = 0; i < 3; i++, slot->kind = (slot->kind + 1) % 3) {
		if ((load->shape.buffers & (1u << slot->kind)) && slot->memory[slot->kind])
			break;
	}
	if (!slot->memory[slot->kind])
		return false;
	slot->request.data = slot->memory[slot->kind];
	if (slot->kind == 1 && draw(load, 2))
		slot->request.data += draw(load, PAGE_BYTES / LOAD_UNIT) * LOAD_UNIT;
	if (slot->kind)
		return true;
	slot->request.data = slot->memory[0] + GUARD_BYTES - SHIFT_BYTES;
	slot->request.data += draw(load, SHIFT_BYTES);
	slot->request.data += (uintptr_t)slot->request.data % LOAD_UNIT == 0;
	memset(slot->memory[0], GUARD, (size_t)(slot->request.data - slot->memory[0]));
	memset(slot->request.data + bytes, GUARD, GUARD_BYTES);
	return true;
}

/* What lies before and after the data is as it was. */
static void check_guards(struct load_slot *slot)
{
	const uint8_t *data = slot->request.data;
	uint64_t bytes = byte_count(slot);

	if (slot->kind || !data)
		return;
	for (const uint8_t *at = slot->memory[0]; at < data; at++) {
		if (*at != GUARD)
			wrong(slot->load, &slot->request, "bytes written before the data", 0);
	}
	for (uint32_t i = 0; i < GUARD_BYTES; i++) {
		if (data[bytes + i] != GUARD)
			wrong(slot->load, &slot->request, "bytes written behind the data", i);
	}
}

static void fill(struct load_slot *slot)
{
	uint64_t bytes = byte_count(slot);

	for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t value = next(slot->load);

		memcpy(slot->request.data + i, &value, sizeof(value));
	}
}

/* ---- requests ---- */

static void count_error(struct blkif_load *load, const struct block_request *request, int error)
{
	if (!error)
		return;
	if (error == -EIO && (request->op == BLOCK_FLUSH || (request->flags & BLOCK_BARRIER)))
		atomic_fetch_add(&load->failed_flushes, 1);
	else if (error == -EIO)
		atomic_fetch_add(&load->failed_io, 1);
	else if (error == -ENODEV)
		atomic_fetch_add(&load->failed_gone, 1);
	else if (error == -EBUSY)
		atomic_fetch_add(&load->kept, 1);
	else
		atomic_fetch_add(&load->failed_other, 1);
}

static void done(struct block_request *request, int error)
{
	struct load_slot *slot = container_of(request, struct load_slot, request);
	struct blkif_load *load = slot->load;

	if (!slot->busy) {
		wrong(load, request, "reported twice", 0);
		return;
	}
	count_error(load, request, error);
	check_guards(slot);
	apply(slot, error);
	claim(slot, false);
	if (request->data && !error)
		atomic_fetch_add(&load->moved, byte_count(slot));
	if (error == -EBUSY)
		slot->memory[slot->kind] = NULL; /* never again */
	slot->busy = false;
	load->under_way--;
	atomic_fetch_add(&load->reported, 1);
	loop_schedule(&load->source);
}

static enum block_op draw_op(struct blkif_load *load)
{
	const struct load_shape *shape = &load->shape;
	const uint32_t shares[BLOCK_OP_COUNT] = { shape->reads, shape->writes, shape->flushes,
						  shape->discards, shape->zeroes };
	uint32_t sum =
		shape->reads + shape->writes + shape->flushes + shape->discards + shape->zeroes;
	uint64_t pick = draw(load, sum);
	enum block_op op = 0;

	while (pick >= shares[op])
		pick -= shares[op++];
	return op;
}

/* Sectors that nobody is at; false: not found this time. */
static bool choose_sectors(struct load_slot *slot)
{
	struct blkif_load *load = slot->load;
	uint32_t unit = load->device->geometry.sector_bytes;
	uint64_t least = load->shape.min_bytes ? load->shape.min_bytes / unit : 1;
	uint64_t most = load->shape.max_bytes / unit;
	uint64_t sectors = load->bytes / unit;

	for (uint32_t i = 0; i < TRIES; i++) {
		/* Small ones as often as large ones. */
		uint64_t limit = least + (most - least) / (1u << draw(load, 8));

		slot->request.count = least + draw(load, limit - least + 1);
		slot->request.sector = draw(load, sectors - slot->request.count + 1);
		if (is_free(load, first_byte(slot), byte_count(slot),
			    slot->request.op != BLOCK_READ))
			return true;
	}
	return false;
}

static uint32_t draw_flags(struct blkif_load *load, enum block_op op)
{
	uint32_t flags = 0;

	if (op != BLOCK_WRITE)
		return 0;
	if (load->device->geometry.flush && draw(load, 100) < load->shape.fua)
		flags |= BLOCK_FUA;
	if (draw(load, 100) < load->shape.barriers)
		flags |= BLOCK_BARRIER;
	return flags;
}

static bool prepare(struct load_slot *slot)
{
	struct blkif_load *load = slot->load;
	const struct block_geometry *geometry = &load->device->geometry;
	struct block_request *request = &slot->request;

	*request = (struct block_request){ .op = draw_op(load), .done = done };
	if ((request->op == BLOCK_FLUSH && !geometry->flush) ||
	    (request->op == BLOCK_DISCARD && !geometry->discard))
		request->op = BLOCK_READ;
	if (request->op != BLOCK_FLUSH && !choose_sectors(slot))
		return false;
	request->flags = draw_flags(load, request->op);
	if (request->op != BLOCK_READ && request->op != BLOCK_WRITE)
		return true;
	if (!place(slot, byte_count(slot)))
		return false;
	if (request->op == BLOCK_WRITE)
		fill(slot);
	return true;
}

static void submit(struct blkif_load *load, struct load_slot *const *slots, uint32_t count)
{
	struct block_request *requests[LOAD_DEPTH_MOST];

	for (uint32_t i = 0; i < count; i++)
		requests[i] = &slots[i]->request;
	if (!count)
		return;
	if (block_submit(load->device, requests, count) == 0) {
		load->under_way += count;
		atomic_fetch_add(&load->submitted, count);
		return;
	}
	/* The disk is gone, or has changed since. */
	for (uint32_t i = 0; i < count; i++) {
		claim(slots[i], false);
		slots[i]->busy = false;
	}
	atomic_fetch_add(&load->refused, count);
	atomic_store(&load->stop, true);
}

static void finish(struct blkif_load *load)
{
	loop_unschedule(&load->source);
	buffers_free(load);
	atomic_store(&load->running, false);
}

static bool poll(struct loop_source *source, uint32_t budget)
{
	struct blkif_load *load = container_of(source, struct blkif_load, source);
	struct load_slot *slots[LOAD_DEPTH_MOST];
	uint32_t most = load->shape.batch ? load->shape.batch : LOAD_DEPTH_MOST;
	uint32_t count = 0;

	for (uint32_t i = 0; i < load->shape.depth && count < most && count < budget; i++) {
		if (atomic_load(&load->stop) ||
		    atomic_load(&load->submitted) + count >= load->count)
			break;
		if (load->slots[i].busy || !prepare(&load->slots[i]))
			continue;
		load->slots[i].busy = true;
		claim(&load->slots[i], true);
		slots[count++] = &load->slots[i];
	}
	submit(load, slots, count);
	if (!load->under_way && (!count || atomic_load(&load->stop)) &&
	    (atomic_load(&load->stop) || atomic_load(&load->submitted) >= load->count)) {
		finish(load);
		return false;
	}
	/* What found no room may find some next time, when nothing is there that would end. */
	return count || !load->under_way;
}

void load_detach(struct blkif_load *load)
{
	if (!atomic_load(&load->running))
		return;
	if (load->under_way)
		wrong(load, &load->slots[0].request, "detached with requests under way",
		      load->under_way);
	atomic_store(&load->stop, true);
	finish(load);
}

void load_start(struct blkif_load *load, struct block_device *device)
{
	load->device = device;
	load->random = load->seed * 2 + 1;
	load->busy = allocate(load->bytes / LOAD_UNIT);
	load->under_way = 0;
	if (!load->shape.buffers)
		load->shape.buffers = LOAD_ORDINARY;
	memset(load->slots, 0, sizeof(load->slots));
	for (uint32_t i = 0; i < load->shape.depth; i++)
		load->slots[i].load = load;
	buffers_make(load);
	loop_source_init(&load->source, poll);
	atomic_store(&load->running, true);
	loop_schedule(&load->source);
}
