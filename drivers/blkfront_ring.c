/* SPDX-License-Identifier: ISC */
/*
 * The rings: one poll takes answers, reports what they finish, puts on the rings what
 * waits (also what was submitted from the reports), and notifies each ring once. Of an
 * answer only the id and the status count; an id that is not under way breaks the disk.
 */
#include <errno.h>
#include <string.h>

#include "drivers/blkfront_internal.h"
#include "lib/minmax.h"

/*
 * With many requests under way an event is asked for when a part of them is answered, and
 * a timer looks for those that stay alone: an event costs more than a request does.
 */
#define LAZY_LEAST 8u
#define LAZY_SHIFT 2u
#define LAZY_MOST 16u
#define REAP_NS 1000000ull

void blkfront_ring_init(struct blkfront_queue *queue)
{
	const struct blkfront_disk *disk = queue->disk;
	struct blkif_sring *shared;
	uint32_t slots;

	queue->ring.order = disk->agreed.order;
	queue->ring.slots = slots = blkif_ring_slots(disk->agreed.order);
	for (uint32_t i = 0; i < 1u << queue->ring.order; i++) {
		queue->ring.pages[i] = queue->pages[i]->data;
		memset(queue->ring.pages[i], 0, BLKIF_PAGE_BYTES);
	}
	shared = blkif_ring_shared(&queue->ring);
	shared->req_event = 1;
	shared->rsp_event = 1;
	ring_producer_init(&queue->producer, slots, 0);
	if (ring_advance(&queue->producer, slots))
		blkfront_break(queue->disk, "cannot open its ring");
	queue->consumed = 0;
	memset(queue->shadows, 0, slots * sizeof(queue->shadows[0]));
	/* The lowest ids first: they are the ones in the cache. */
	for (uint32_t i = 0; i < slots; i++)
		queue->ids[i] = (uint16_t)(slots - 1 - i);
	queue->id_count = slots;
}

/* ---- answers ---- */

static int status_error(const struct blkfront_shadow *shadow, int16_t status)
{
	if (status == BLKIF_RSP_OKAY)
		return 0;
	if (status == BLKIF_RSP_EOPNOTSUPP && shadow->operation != BLKIF_OP_READ &&
	    shadow->operation != BLKIF_OP_WRITE)
		return -EOPNOTSUPP;
	return -EIO;
}

/* What it offered and does not do is not offered any more; the disk's fiber tells. */
static void offer_withdraw(struct blkfront_disk *disk, uint8_t operation)
{
	struct block_geometry *geometry = &disk->device.geometry;

	if (operation == BLKIF_OP_DISCARD) {
		geometry->discard = false;
		geometry->secure_discard = false;
	} else {
		geometry->flush = false;
		geometry->barrier = false;
		disk->agreed.flush_operation = 0;
	}
	fiber_event_signal(&disk->event);
}

/*
 * What an earlier backend in another domain had written and not flushed may be lost with
 * that domain: a flush cannot promise it, nor a barrier that it comes after it, and whoever
 * wanted that has to know: all that were submitted before one of them was told. A write that
 * must be stable by itself is.
 */
static void flush_end(struct blkfront_disk *disk, const struct blkfront_shadow *shadow)
{
	bool doubt = disk->doubt;

	disk->flushed = disk->pieces[shadow->first].bytes;
	for (uint16_t i = shadow->first; i != BLKFRONT_NONE; i = disk->pieces[i].next) {
		struct block_request *request = disk->pieces[i].request;

		if (request->op != BLOCK_FLUSH && !(request->flags & BLOCK_BARRIER))
			continue;
		if (!doubt && request->own.number > disk->doubted)
			continue;
		request->own.error = -EIO;
		if (disk->doubt)
			disk->doubted = disk->submitted;
		disk->doubt = false;
	}
}

static int response_take(struct blkfront_queue *queue, const struct blkif_response *response)
{
	struct blkfront_shadow *shadow;
	uint8_t operation;
	int error;

	if (response->id >= queue->ring.slots || !queue->shadows[response->id].under_way)
		return -EPROTO;
	shadow = &queue->shadows[response->id];
	operation = shadow->operation;
	error = status_error(shadow, response->status);
	if (!error &&
	    (operation == BLKIF_OP_FLUSH_DISKCACHE || operation == BLKIF_OP_WRITE_BARRIER))
		flush_end(queue->disk, shadow);
	if (unlikely(error == -EOPNOTSUPP))
		offer_withdraw(queue->disk, operation);
	blkfront_shadow_end(queue, (uint16_t)response->id, error);
	return 0;
}

/* True: there are more. */
static bool responses_take(struct blkfront_queue *queue, uint32_t budget)
{
	struct blkfront_disk *disk = queue->disk;
	int64_t waiting =
		ring_pending(read_once(blkif_ring_shared(&queue->ring)->rsp_prod), queue->consumed,
			     queue->producer.published - queue->consumed);

	read_barrier();
	for (; waiting > 0 && budget && disk->copied < BLKFRONT_POLL_COPY_BYTES;
	     waiting--, budget--) {
		struct blkif_response response;

		blkif_ring_read(&queue->ring, queue->consumed, &response, sizeof(response));
		queue->consumed++;
		disk->work++;
		if (response_take(queue, &response))
			waiting = -EPROTO;
	}
	if (waiting < 0 || ring_advance(&queue->producer, queue->consumed + queue->ring.slots)) {
		blkfront_break(disk, "impossible responses");
		return false;
	}
	return waiting > 0;
}

/* ---- requests ---- */

static void publish(struct blkfront_queue *queue)
{
	struct blkif_sring *shared = blkif_ring_shared(&queue->ring);
	uint32_t old;
	uint32_t now = ring_publish(&queue->producer, &old);

	if (old == now)
		return;
	write_barrier();
	write_once(shared->req_prod, now);
	memory_barrier();
	if (!ring_notify_needed(old, now, read_once(shared->req_event)))
		return;
	queue->disk->device.stats.notifies++;
	evtchn_notify(queue->port);
}

/*
 * Whether an event may come later than it could: the timer looks meanwhile. Where it has
 * found nothing, it does not look again: a backend that is slow, or never answers, costs
 * an event for what it answers, and nothing for the time that it takes.
 */
static bool may_be_lazy(struct blkfront_disk *disk, uint32_t under_way)
{
	if (under_way < LAZY_LEAST)
		return false;
	if (disk->reap_ns)
		return true;
	if (disk->work == disk->reap_work)
		return false;
	disk->reap_work = disk->work;
	/* On a grid, so that the deadline is rarely a new one. */
	disk->reap_ns = (loop_now_ns() / REAP_NS + 2) * REAP_NS;
	return true;
}

/* Asks for an event; true: what it would be sent for is there already. */
static bool arm(struct blkfront_queue *queue)
{
	struct blkif_sring *shared = blkif_ring_shared(&queue->ring);
	uint32_t under_way = queue->producer.published - queue->consumed;
	uint32_t lazy = 0;

	if (may_be_lazy(queue->disk, under_way))
		lazy = min32(under_way >> LAZY_SHIFT, LAZY_MOST) - 1;
	write_once(shared->rsp_event, queue->consumed + lazy + 1);
	memory_barrier();
	return under_way && read_once(shared->rsp_prod) - queue->consumed > lazy;
}

void blkfront_queue_event(void *context)
{
	struct blkfront_queue *queue = context;

	evtchn_mask(queue->port);
	queue->masked = true;
	event_storm_event(&queue->disk->storm);
	loop_schedule(&queue->disk->source);
}

static void ports_unmask(struct blkfront_disk *disk)
{
	for (uint32_t i = 0; i < disk->agreed.queues; i++) {
		struct blkfront_queue *queue = &disk->queues[i];

		if (!queue->masked)
			continue;
		queue->masked = false;
		evtchn_unmask(queue->port);
	}
}

static bool rings_serve(struct blkfront_disk *disk, uint32_t budget)
{
	uint32_t share = (budget + disk->agreed.queues - 1) / disk->agreed.queues;
	bool more = false;

	for (uint32_t i = 0; i < disk->agreed.queues && !disk->broken; i++)
		more |= responses_take(&disk->queues[i], share);
	more |= blkfront_pump(disk);
	for (uint32_t i = 0; i < disk->agreed.queues && !disk->broken; i++)
		publish(&disk->queues[i]);
	return more;
}

bool blkfront_poll(struct loop_source *source, uint32_t budget)
{
	struct blkfront_disk *disk = container_of(source, struct blkfront_disk, source);
	bool more;

	if (!disk->connected || disk->broken)
		return false;
	disk->copied = 0;
	disk->polling = true;
	more = rings_serve(disk, budget);
	disk->polling = false;
	if (disk->broken)
		return false;
	for (uint32_t i = 0; i < disk->agreed.queues && !more; i++)
		more = arm(&disk->queues[i]);
	if (more)
		return true;
	if (event_storm_may_unmask(&disk->storm, disk->work))
		ports_unmask(disk);
	return false;
}

uint64_t blkfront_reap_next(const struct blkfront_disk *disk)
{
	return disk->connected && disk->reap_ns ? disk->reap_ns : UINT64_MAX;
}

void blkfront_pages_came(struct blkfront_disk *disk)
{
	if (disk->connected && !disk->polling && !list_is_empty(&disk->waiting))
		loop_schedule(&disk->source);
}

/*
 * What is submitted goes on the rings in the next poll, which is in this round or the
 * next one: so all that is submitted meanwhile can be joined, and is told with one event.
 */
void blkfront_submit(struct block_device *device, struct block_request *const *requests,
		     uint32_t count)
{
	struct blkfront_disk *disk = device->driver;

	for (uint32_t i = 0; i < count; i++) {
		struct block_request *request = requests[i];

		request->own.number = ++disk->submitted;
		request->own.planned = 0;
		request->own.parts = 0;
		request->own.error = 0;
		request->own.progress = BLKFRONT_STEP_DATA;
		list_push_back(&disk->waiting, &request->own.link);
	}
	device->stats.waiting += count;
	if (disk->connected && !disk->polling)
		loop_schedule(&disk->source);
}
