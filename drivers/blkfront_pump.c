/* SPDX-License-Identifier: ISC */
/*
 * What goes on the rings next: requests wait first come first served, and join those that
 * they follow on the disk; barriers and flushes stand where they must. What has no room
 * waits: slots, pages and pieces come free with answers.
 */
#include <errno.h>
#include <string.h>

#include "drivers/blkfront_build.h"

/* ---- onto the ring ---- */

static struct blkfront_queue *queue_pick(struct blkfront_disk *disk)
{
	for (uint32_t i = 0; i < disk->agreed.queues; i++) {
		uint32_t n = disk->next_queue + i;
		struct blkfront_queue *queue =
			&disk->queues[n < disk->agreed.queues ? n : n - disk->agreed.queues];

		if (ring_free_slots(&queue->producer) && queue->id_count)
			return queue;
	}
	return NULL;
}

/* Puts the slot on the ring; it is published at the end of the poll. */
static void slot_put(struct blkfront_queue *queue, uint16_t id, const union blkif_slot *slot,
		     size_t bytes)
{
	uint32_t index;

	if (ring_reserve(&queue->producer, 1, &index)) {
		blkfront_break(queue->disk, "no slot where there was one");
		return;
	}
	blkif_ring_write(&queue->ring, index, slot, bytes);
	ring_commit(&queue->producer);
	queue->shadows[id].under_way = true;
	queue->disk->under_way++;
	queue->disk->device.stats.ring_requests++;
}

static uint16_t id_take(struct blkfront_queue *queue, const struct blkfront_build *build,
			uint8_t operation)
{
	uint16_t id = queue->ids[--queue->id_count];

	queue->shadows[id].first = build->first;
	queue->shadows[id].operation = operation;
	return id;
}

static uint64_t to_ring_sectors(const struct blkfront_disk *disk, uint64_t sectors)
{
	return sectors * (disk->device.geometry.sector_bytes / BLKIF_SECTOR_BYTES);
}

static void data_put(struct blkfront_queue *queue, struct blkfront_build *build)
{
	struct blkfront_disk *disk = build->disk;
	uint8_t operation = build->span.write ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	uint16_t id = id_take(queue, build, operation);
	uint64_t sector = to_ring_sectors(disk, build->span.sector);
	struct blkif_request_indirect *indirect = &build->slot.indirect;

	if (build->segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		struct blkif_request *request = &build->slot.request;

		request->operation = operation;
		request->nr_segments = (uint8_t)build->segments;
		request->handle = (blkif_vdev_t)disk->number;
		request->id = id;
		request->sector_number = sector;
		slot_put(queue, id, &build->slot,
			 BLKFRONT_SEGMENT_OFFSET + build->segments * sizeof(request->seg[0]));
		return;
	}
	memset(indirect, 0, sizeof(*indirect));
	indirect->operation = BLKIF_OP_INDIRECT;
	indirect->indirect_op = operation;
	indirect->nr_segments = (uint16_t)build->segments;
	indirect->handle = (blkif_vdev_t)disk->number;
	indirect->id = id;
	indirect->sector_number = sector;
	memcpy(indirect->indirect_grefs, build->tables, sizeof(build->tables));
	slot_put(queue, id, &build->slot, sizeof(*indirect));
}

/* ---- what waits ---- */

static struct block_request *first_waiting(const struct blkfront_disk *disk)
{
	return list_is_empty(&disk->waiting)
		       ? NULL
		       : list_entry(disk->waiting.next, struct block_request, own.link);
}

/* The device may have changed since it was submitted. */
static int request_recheck(const struct blkfront_disk *disk, const struct block_request *request)
{
	const struct block_geometry *geometry = &disk->device.geometry;

	if (request->own.error)
		return request->own.error;
	if (request->own.planned)
		return 0;
	if (request->op == BLOCK_FLUSH)
		return geometry->flush ? 0 : -EOPNOTSUPP;
	if (request->sector > geometry->sectors ||
	    request->count > geometry->sectors - request->sector)
		return -ENOSPC;
	if (request->op == BLOCK_READ)
		return 0;
	if (geometry->read_only)
		return -EROFS;
	if ((request->flags & BLOCK_FUA) && !geometry->flush)
		return -EOPNOTSUPP;
	if (request->op == BLOCK_DISCARD &&
	    !(request->flags & BLOCK_SECURE ? geometry->secure_discard : geometry->discard))
		return -EOPNOTSUPP;
	return 0;
}

/* No more of it is put on a ring; it is reported when what is there has been answered. */
static void request_fail(struct blkfront_disk *disk, struct block_request *request, int error)
{
	list_remove(&request->own.link);
	request->own.error = error;
	request->own.planned = request->count;
	if (request->own.parts)
		list_push_back(&disk->running, &request->own.link);
	else
		blkfront_request_report(disk, request, error);
}

/* False: it waits for what is before it, or was put among those that are flushed. */
static bool barrier_passes(struct blkfront_disk *disk, struct block_request *request)
{
	if (disk->barrier)
		return disk->barrier == request;
	if (!(request->flags & BLOCK_BARRIER))
		return true;
	if (disk->under_way || !list_is_empty(&disk->flushing))
		return false;
	disk->barrier = request;
	if (disk->agreed.flush_operation == 0)
		return true;
	list_remove(&request->own.link);
	request->own.progress = BLKFRONT_STEP_BEFORE;
	list_push_back(&disk->flushing, &request->own.link);
	return false;
}

static void to_running(struct blkfront_disk *disk, struct block_request *request)
{
	list_remove(&request->own.link);
	list_push_back(&disk->running, &request->own.link);
}

/* The next request, if it goes along with what is being built. */
static struct block_request *next_to_join(const struct blkfront_build *build)
{
	struct block_request *request = first_waiting(build->disk);

	if (!request || build->disk->barrier || !blkfront_plan_joins(&build->span, request) ||
	    request_recheck(build->disk, request))
		return NULL;
	return request;
}

/* True: something was put on the ring. */
static bool data_build(struct blkfront_queue *queue, struct block_request *request)
{
	struct blkfront_disk *disk = queue->disk;
	struct blkfront_build build;

	blkfront_build_begin(&build, disk);
	build.span.write = request->op != BLOCK_READ;
	build.span.sector = request->sector + request->own.planned;
	build.span.count = 0;
	build.span.sector_bytes = disk->device.geometry.sector_bytes;
	for (bool joined = false; request; joined = true) {
		uint64_t before = build.span.count;
		bool whole = blkfront_build_add(&build, request);

		if (joined && build.span.count != before)
			disk->device.stats.merged++;
		if (!whole)
			break;
		to_running(disk, request);
		request = next_to_join(&build);
	}
	disk->copied += build.copied;
	disk->device.stats.copied_bytes += build.copied;
	if (!build.segments)
		return false;
	data_put(queue, &build);
	return true;
}

static bool discard_build(struct blkfront_queue *queue, struct block_request *request)
{
	struct blkfront_disk *disk = queue->disk;
	struct blkfront_build build;
	struct blkif_request_discard *discard = &build.slot.discard;

	if (!blkfront_build_has_room(disk))
		return false;
	blkfront_build_begin(&build, disk);
	(void)blkfront_build_plain(&build, request);
	request->own.planned = request->count;
	to_running(disk, request);
	discard->operation = BLKIF_OP_DISCARD;
	discard->flag = request->flags & BLOCK_SECURE ? BLKIF_DISCARD_SECURE : 0;
	discard->handle = (blkif_vdev_t)disk->number;
	discard->id = queue->ids[queue->id_count - 1];
	discard->sector_number = to_ring_sectors(disk, request->sector);
	discard->nr_sectors = to_ring_sectors(disk, request->count);
	slot_put(queue, id_take(queue, &build, BLKIF_OP_DISCARD), &build.slot,
		 sizeof(build.slot.discard));
	return true;
}

/* All flushes that are wanted are one on the ring: it covers what was done before it. */
static bool flush_build(struct blkfront_queue *queue)
{
	struct blkfront_disk *disk = queue->disk;
	struct blkfront_build build;

	blkfront_build_begin(&build, disk);
	while (!list_is_empty(&disk->flushing) && blkfront_build_has_room(disk)) {
		struct block_request *request =
			list_entry(disk->flushing.next, struct block_request, own.link);

		blkfront_build_plain(&build, request)->bytes = disk->writes;
		to_running(disk, request);
		if (build.first != build.tail)
			disk->device.stats.merged++;
	}
	if (build.first == BLKFRONT_NONE)
		return false;
	build.slot.request.operation = disk->agreed.flush_operation;
	build.slot.request.handle = (blkif_vdev_t)disk->number;
	build.slot.request.id = queue->ids[queue->id_count - 1];
	slot_put(queue, id_take(queue, &build, disk->agreed.flush_operation), &build.slot,
		 BLKFRONT_SEGMENT_OFFSET);
	return true;
}

/* The backend has said since then that it flushes nothing. */
static void flushes_refuse(struct blkfront_disk *disk)
{
	struct list *link = list_pop_front(&disk->flushing);
	struct block_request *request = list_entry(link, struct block_request, own.link);

	if (request->own.progress == BLKFRONT_STEP_BEFORE) {
		request->own.progress = BLKFRONT_STEP_DATA;
		list_push_front(&disk->waiting, &request->own.link);
		return;
	}
	blkfront_request_report(disk, request, -EOPNOTSUPP);
}

static bool request_put(struct blkfront_queue *queue, struct block_request *request)
{
	struct blkfront_disk *disk = queue->disk;
	int error = request_recheck(disk, request);

	if (error) {
		request_fail(disk, request, error);
		return true;
	}
	if (!barrier_passes(disk, request))
		return !list_is_empty(&disk->flushing) && disk->barrier == request;
	switch (request->op) {
	case BLOCK_FLUSH:
		list_remove(&request->own.link);
		request->own.progress = BLKFRONT_STEP_FLUSH;
		list_push_back(&disk->flushing, &request->own.link);
		return true;
	case BLOCK_DISCARD:
		return discard_build(queue, request);
	default:
		return data_build(queue, request);
	}
}

/* Flushes go after all others that wait: a run of them is one. */
static bool flush_is_next(const struct blkfront_disk *disk)
{
	const struct block_request *request = first_waiting(disk);

	return !list_is_empty(&disk->flushing) &&
	       (!request || disk->barrier || request->op != BLOCK_FLUSH);
}

bool blkfront_pump(struct blkfront_disk *disk)
{
	while (disk->connected && !disk->broken) {
		struct blkfront_queue *queue = queue_pick(disk);
		struct block_request *request = first_waiting(disk);

		if (!queue || (!request && list_is_empty(&disk->flushing)))
			return false;
		if (disk->copied >= BLKFRONT_POLL_COPY_BYTES)
			return true;
		if (!flush_is_next(disk)) {
			if (!request || !request_put(queue, request))
				return false;
		} else if (!disk->agreed.flush_operation) {
			flushes_refuse(disk);
		} else if (!flush_build(queue)) {
			return false;
		}
		disk->next_queue = (uint32_t)(queue - disk->queues) + 1;
		if (disk->next_queue >= disk->agreed.queues)
			disk->next_queue = 0;
	}
	return false;
}
