/* SPDX-License-Identifier: ISC */
/*
 * What a client is offered, and what one connection of it holds: rings, ports and the
 * sources that poll them. It is made here from what the client has written into the store,
 * and taken apart here, in one place.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/blkback_internal.h"

#define QUEUES_KEY "multi-queue-num-queues"
#define TRANSACTION_TRIES 5u
#define KEY_BYTES 24u
#define WORD_BYTES 32u

/* ---- what is offered ---- */

struct offer {
	const char *key;
	uint64_t value;
};

#define OFFERS_MOST 20u
/* The first ones are what no frontend does without. */
#define OFFERS_NEEDED 3u

static uint32_t disk_info(const struct blkback_vbd *vbd)
{
	return (vbd->cdrom ? VDISK_CDROM : 0u) | (vbd->removable ? VDISK_REMOVABLE : 0u) |
	       (vbd->read_only ? VDISK_READONLY : 0u);
}

static uint64_t disk_sectors(const struct blkback_vbd *vbd)
{
	return vbd->disk->bytes / BLKIF_SECTOR_BYTES;
}

/* The most useful first: where xenstore's quota of nodes ends, the later ones are left out. */
static size_t offers_make(const struct blkback_vbd *vbd, struct offer offers[OFFERS_MOST])
{
	const struct blkback_features *features = &blkback.config.features;
	uint32_t unit = vbd->disk->sector_bytes;
	const struct offer all[] = {
		{ "sectors", disk_sectors(vbd) },
		{ "sector-size", unit },
		{ "info", disk_info(vbd) },
		{ "feature-flush-cache", features->flush },
		{ "feature-max-indirect-segments", features->indirect_segments },
		{ "feature-persistent", features->persistent },
		{ "max-ring-page-order", features->ring_order },
		{ "feature-discard", vbd->discard },
		{ "discard-granularity", vbd->discard ? unit : 0 },
		{ "discard-secure", vbd->discard },
		{ "feature-barrier", features->barrier },
		{ "multi-queue-max-queues", features->max_queues },
		{ "max-ring-pages", features->ring_order ? 1u << features->ring_order : 0 },
		{ "physical-sector-size", unit },
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value || i < OFFERS_NEEDED)
			offers[count++] = all[i];
	if (vbd->discard)
		offers[count++] = (struct offer){ "discard-alignment", 0 };
	return count;
}

/* Values first, then the state, in one step: libxl and the client look at the state. */
static int offer_write(const struct blkback_vbd *vbd, const struct offer *offers, size_t count)
{
	store_transaction t;
	int error = store_transaction_start(&t);

	if (error)
		return error;
	for (size_t i = 0; i < count && !error; i++)
		error = bus_write(t, vbd->backend, offers[i].key, "%llu",
				  (unsigned long long)offers[i].value);
	if (!error)
		error = bus_write(t, vbd->backend, "hotplug-status", "connected");
	if (!error)
		error = bus_state_write(t, vbd->backend, XenbusStateInitWait);
	if (error) {
		int aborted = store_transaction_end(t, false);

		return aborted ? aborted : error;
	}
	return store_transaction_end(t, true);
}

static int offer_try(const struct blkback_vbd *vbd, const struct offer *offers, size_t count)
{
	int error = -EAGAIN;

	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = offer_write(vbd, offers, count);
	return error;
}

void blkback_vbd_offer(struct blkback_vbd *vbd)
{
	struct offer offers[OFFERS_MOST];
	size_t count = offers_make(vbd, offers);
	uint64_t bytes = vbd->disk->bytes;
	int error = offer_try(vbd, offers, count);

	if (error) {
		log_limited(&vbd->log_limit, LOG_WARNING, vbd->name,
			    "cannot offer %zu features: error %d", count, error);
		error = offer_try(vbd, offers, OFFERS_NEEDED);
	}
	if (error) {
		log_limited(&vbd->log_limit, LOG_WARNING, vbd->name, "cannot be offered: error %d",
			    error);
		return;
	}
	vbd->told_bytes = bytes;
	vbd->state = XenbusStateInitWait;
}

void blkback_vbd_tell_size(struct blkback_vbd *vbd)
{
	uint64_t bytes = vbd->disk->bytes;
	int error = bus_write(STORE_NO_TRANSACTION, vbd->backend, "sectors", "%llu",
			      (unsigned long long)disk_sectors(vbd));

	/* A state that is written again makes frontends read the size again; but a Closing that
	 * the toolstack has written over it must stay to be seen. */
	if (!error && vbd->connected && bus_state_read(vbd->backend) == vbd->state)
		error = bus_state_write(STORE_NO_TRANSACTION, vbd->backend, vbd->state);
	if (error)
		log_limited(&vbd->log_limit, LOG_WARNING, vbd->name,
			    "its new size cannot be told: error %d", error);
	vbd->told_bytes = bytes;
}

/* ---- data path entry ---- */

/* Masked until the ring is empty, and for longer when that was nothing but noise. */
static void queue_event(void *context)
{
	struct blkback_queue *queue = context;

	evtchn_mask(queue->port);
	event_storm_event(&queue->storm);
	loop_schedule(&queue->source);
}

static bool queue_poll(struct loop_source *source, uint32_t budget)
{
	struct blkback_queue *queue = container_of(source, struct blkback_queue, source);
	const struct blkback_vbd *vbd = queue->vbd;

	if (!vbd->connected || vbd->broken)
		return false;
	if (blkback_ring_poll(queue, budget))
		return !vbd->broken;
	if (vbd->broken)
		return false;
	if (blkback_ring_arm(queue))
		return true;
	if (event_storm_may_unmask(&queue->storm, queue->consumed))
		evtchn_unmask(queue->port);
	return false;
}

void blkback_vbd_init_queues(struct blkback_vbd *vbd)
{
	for (uint32_t i = 0; i < blkback.config.features.max_queues; i++) {
		vbd->queues[i].vbd = vbd;
		loop_source_init(&vbd->queues[i].source, queue_poll);
		event_storm_init(&vbd->queues[i].storm, &vbd->queues[i].source);
	}
}

/* ---- one queue ---- */

static int page_map(struct blkback_queue *queue, const char *directory, const char *key,
		    uint32_t index)
{
	uint64_t gref = bus_read_u64(directory, key, UINT64_MAX);
	int error;

	if (gref > UINT32_MAX)
		return -EINVAL;
	error = gnttab_map(queue->vbd->domid, (uint32_t)gref, false, &queue->pages[index]);
	queue->ring.pages[index] = queue->pages[index].address;
	return error;
}

static bool has_key(const char *directory, const char *key)
{
	char text[WORD_BYTES];

	return bus_read_string(directory, key, text, sizeof(text)) != -ENOENT;
}

/* A ring of one page has a key without a number, but not with every frontend. */
static int pages_map(struct blkback_queue *queue, const char *directory, uint32_t order)
{
	char key[KEY_BYTES];
	int error = 0;

	if (order == 0 && has_key(directory, "ring-ref"))
		return page_map(queue, directory, "ring-ref", 0);
	for (uint32_t i = 0; i < 1u << order && !error; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		error = page_map(queue, directory, key, i);
	}
	return error;
}

/* A frontend that connects again goes on with the indices that it finds in its page. */
static int ring_adopt(struct blkback_queue *queue, uint32_t order)
{
	const struct blkif_sring *shared = blkif_ring_shared(&queue->ring);
	int64_t waiting;

	queue->ring.order = order;
	queue->ring.slots = blkif_ring_slots(order);
	queue->consumed = read_once(shared->rsp_prod);
	queue->answered = queue->consumed;
	waiting = ring_pending(read_once(shared->req_prod), queue->consumed, queue->ring.slots);
	return waiting < 0 ? (int)waiting : 0;
}

static int queue_acquire(struct blkback_queue *queue, const char *directory, uint32_t order)
{
	uint64_t port = bus_read_u64(directory, "event-channel", 0);
	int error;

	if (!port || port > UINT32_MAX)
		return -EINVAL;
	error = pages_map(queue, directory, order);
	if (!error)
		error = ring_adopt(queue, order);
	if (!error)
		error = evtchn_bind_interdomain(queue->vbd->domid, (evtchn_port)port, queue_event,
						queue, &queue->port);
	if (!error)
		event_storm_begin(&queue->storm, queue->consumed);
	return error;
}

static void queue_release(struct blkback_queue *queue)
{
	loop_unschedule(&queue->source);
	event_storm_end(&queue->storm);
	evtchn_close(queue->port);
	queue->port = EVTCHN_NONE;
	queue->zeroing = false;
	queue->owed = 0;
	memset(&queue->ring, 0, sizeof(queue->ring));
	for (uint32_t i = 0; i < BLKIF_RING_PAGES_MOST; i++)
		gnttab_unmap(&queue->pages[i]);
}

/* ---- all of a client's ---- */

/* 1 .. max_queues; 0: something else was asked for. A client need not know of queues. */
static uint32_t queues_wanted(const struct blkback_vbd *vbd)
{
	uint64_t count;

	if (!has_key(vbd->frontend, QUEUES_KEY))
		return 1;
	count = bus_read_u64(vbd->frontend, QUEUES_KEY, 0);
	return count > blkback.config.features.max_queues ? 0 : (uint32_t)count;
}

/* Either way to say how many pages a ring has; -EINVAL: not so many, or no such number. */
static int order_wanted(const struct blkback_vbd *vbd, uint32_t *order)
{
	uint32_t most = blkback.config.features.ring_order;
	uint64_t pages;

	*order = 0;
	if (has_key(vbd->frontend, "ring-page-order")) {
		uint64_t wanted = bus_read_u64(vbd->frontend, "ring-page-order", UINT64_MAX);

		if (wanted > most)
			return -EINVAL;
		*order = (uint32_t)wanted;
		return 0;
	}
	if (!has_key(vbd->frontend, "num-ring-pages"))
		return 0;
	pages = bus_read_u64(vbd->frontend, "num-ring-pages", 0);
	while (*order < most && 1u << *order < pages)
		++*order;
	return pages == 1u << *order ? 0 : -EINVAL;
}

/* Slots of 32-bit guests look otherwise; they are none of ours. */
static bool protocol_is_ours(const struct blkback_vbd *vbd)
{
	char text[WORD_BYTES];
	int length = bus_read_string(vbd->frontend, "protocol", text, sizeof(text));

	return length == -ENOENT || (length >= 0 && strcmp(text, "x86_64-abi") == 0);
}

/* Where the client writes of queue `index`; with one queue that is its own directory. */
static int queue_directory(const struct blkback_vbd *vbd, uint32_t index, char *path, size_t size)
{
	int length = vbd->queue_count == 1
			     ? snprintf(path, size, "%s", vbd->frontend)
			     : snprintf(path, size, "%s/queue-%u", vbd->frontend, index);

	return length < 0 || (size_t)length >= size ? -E2BIG : 0;
}

/* Why it cannot be connected, or NULL. */
static const char *vbd_acquire(struct blkback_vbd *vbd, int *error)
{
	char directory[STORE_PATH_BYTES];
	uint32_t wanted = queues_wanted(vbd);
	uint32_t order;

	*error = -EPROTONOSUPPORT;
	if (!protocol_is_ours(vbd))
		return "it speaks another protocol than x86_64-abi";
	if (!wanted)
		return "it asks for queues that were not offered";
	if (order_wanted(vbd, &order))
		return "it asks for a ring that was not offered";
	vbd->queue_count = wanted;
	*error = 0;
	for (uint32_t i = 0; i < wanted && !*error; i++) {
		*error = queue_directory(vbd, i, directory, sizeof(directory));
		if (!*error)
			*error = queue_acquire(&vbd->queues[i], directory, order);
	}
	return *error ? "its ring or event channel is none" : NULL;
}

/* Both sides have to say so; ours may have been left out, which is no harm. */
static void cache_begin(struct blkback_vbd *vbd)
{
	uint32_t slots = vbd->queues[0].ring.slots * vbd->queue_count;

	if (blkback.config.features.persistent &&
	    bus_read_u64(vbd->frontend, "feature-persistent", 0) == 1)
		blkback_cache_begin(&vbd->cache, slots);
}

void blkback_vbd_release(struct blkback_vbd *vbd)
{
	if (vbd->connected) {
		vbd->connected = false;
		blkback.detached++;
		log_limited(&vbd->log_limit, LOG_INFO, vbd->name, "disconnected");
	}
	for (uint32_t i = 0; i < vbd->queue_count; i++)
		queue_release(&vbd->queues[i]);
	blkback_cache_end(&vbd->cache);
	vbd->queue_count = 0;
	vbd->broken = false;
}

void blkback_vbd_connect(struct blkback_vbd *vbd)
{
	int error;
	const char *why = vbd_acquire(vbd, &error);

	if (why) {
		log_limited(&vbd->log_limit, LOG_WARNING, vbd->name,
			    "cannot connect: %s (error %d)", why, error);
		blkback_vbd_release(vbd);
		return;
	}
	cache_begin(vbd);
	/* The disk may have grown since it was offered. */
	if (vbd->told_bytes != vbd->disk->bytes)
		blkback_vbd_tell_size(vbd);
	vbd->connected = true;
	blkback.attached++;
	log_limited(&vbd->log_limit, LOG_INFO, vbd->name,
		    "connected to %s, %s, %u queues of %u slots%s", vbd->disk->name,
		    vbd->read_only ? "read only" : "writable", vbd->queue_count,
		    vbd->queues[0].ring.slots, vbd->cache.pages ? ", grants are kept" : "");
	for (uint32_t i = 0; i < vbd->queue_count; i++)
		loop_schedule(&vbd->queues[i].source);
}
