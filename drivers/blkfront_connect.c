/* SPDX-License-Identifier: ISC */
/*
 * One connection of a disk: its rings and ports, as many as both sides can, what the
 * backend is told of them in the store, and what the backend says of itself. Everything
 * is read anew for each connection, when it is certain to be there: how many rings and
 * pages of them may be used from InitWait on, what the disk is like when it is Connected.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkfront_internal.h"
#include "lib/minmax.h"

#define TRANSACTION_TRIES 5u
#define QUEUES_KEY "multi-queue-num-queues"
#define QUEUE_NAME_BYTES 24u
#define PAGE_KEY_BYTES 24u

/* ---- queues ---- */

int blkfront_queues_make(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();
	uint32_t slots = blkif_ring_slots(config->ring_order);

	disk->queues = calloc(config->max_queues, sizeof(disk->queues[0]));
	if (!disk->queues)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->max_queues; i++) {
		struct blkfront_queue *queue = &disk->queues[i];

		queue->disk = disk;
		queue->shadows = calloc(slots, sizeof(queue->shadows[0]));
		queue->ids = calloc(slots, sizeof(queue->ids[0]));
		if (!queue->shadows || !queue->ids)
			return -ENOMEM;
	}
	return 0;
}

static void ring_page_free(struct iopage **page)
{
	if (!*page)
		return;
	iopage_reclass(*page, IOPAGE_PRIVATE);
	iopage_free(*page);
	*page = NULL;
}

void blkfront_queues_free(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();

	for (uint32_t i = 0; disk->queues && i < config->max_queues; i++) {
		for (uint32_t j = 0; j < BLKIF_RING_PAGES_MOST; j++)
			ring_page_free(&disk->queues[i].pages[j]);
		free(disk->queues[i].shadows);
		free(disk->queues[i].ids);
	}
	free(disk->queues);
	disk->queues = NULL;
}

static int ring_page_ready(struct blkfront_disk *disk, struct iopage **page)
{
	if (!*page) {
		*page = iopage_alloc(blkfront_config()->pages, IOPAGE_PRIVATE);
		if (!*page)
			return -ENOMEM;
		iopage_reclass(*page, IOPAGE_UPLINK_WRITE);
	}
	memset((*page)->data, 0, IOPAGE_SIZE);
	return blkfront_page_grant(disk, *page);
}

static int queue_make(struct blkfront_queue *queue)
{
	struct blkfront_disk *disk = queue->disk;

	for (uint32_t i = 0; i < 1u << disk->agreed.order; i++) {
		int error = ring_page_ready(disk, &queue->pages[i]);

		if (error)
			return error;
	}
	blkfront_ring_init(queue);
	queue->masked = false;
	return evtchn_alloc_unbound(disk->backend_id, blkfront_queue_event, queue, &queue->port);
}

/* ---- the store ---- */

static int key_remove(store_transaction t, const char *directory, const char *key)
{
	char path[STORE_PATH_BYTES];
	int length = snprintf(path, sizeof(path), "%s/%s", directory, key);
	int error;

	if (length < 0 || (size_t)length >= sizeof(path))
		return -E2BIG;
	error = store_remove(t, path);
	return error == -ENOENT ? 0 : error;
}

static void page_key(char name[PAGE_KEY_BYTES], uint32_t page)
{
	snprintf(name, PAGE_KEY_BYTES, "ring-ref%u", page);
}

/*
 * What an earlier connection has left, perhaps with other numbers of queues and pages: a
 * backend would take it for ours. An earlier kernel of this domain may have had more of
 * both than we ever have.
 */
static int details_clear(store_transaction t, const struct blkfront_disk *disk)
{
	static const char *const keys[] = { "ring-ref", "event-channel", "ring-page-order",
					    "num-ring-pages", QUEUES_KEY };
	char name[QUEUE_NAME_BYTES];
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !error; i++)
		error = key_remove(t, disk->directory, keys[i]);
	for (uint32_t i = 0; i < BLKIF_RING_PAGES_MOST && !error; i++) {
		page_key(name, i);
		error = key_remove(t, disk->directory, name);
	}
	for (uint32_t i = 0; i < blkfront_config()->max_queues && !error; i++) {
		snprintf(name, sizeof(name), "queue-%u", i);
		error = key_remove(t, disk->directory, name);
	}
	return error;
}

static int queue_write(store_transaction t, const struct blkfront_queue *queue,
		       const char *directory)
{
	uint32_t order = queue->disk->agreed.order;
	char name[PAGE_KEY_BYTES];
	int error = 0;

	if (!order)
		error = bus_write(t, directory, "ring-ref", "%u", queue->pages[0]->gref);
	for (uint32_t i = 0; order && i < 1u << order && !error; i++) {
		page_key(name, i);
		error = bus_write(t, directory, name, "%u", queue->pages[i]->gref);
	}
	return error ? error : bus_write(t, directory, "event-channel", "%u", queue->port);
}

/* With one queue, or one page, as if there were no such thing as several: any backend knows
 * that. */
static int queues_write(store_transaction t, const struct blkfront_disk *disk)
{
	const struct blkfront_agreed *agreed = &disk->agreed;
	int error = 0;

	if (agreed->order) {
		error = bus_write(t, disk->directory, "ring-page-order", "%u", agreed->order);
		if (!error)
			error = bus_write(t, disk->directory, "num-ring-pages", "%u",
					  1u << agreed->order);
	}
	if (error)
		return error;
	if (agreed->queues == 1)
		return queue_write(t, &disk->queues[0], disk->directory);
	error = bus_write(t, disk->directory, QUEUES_KEY, "%u", agreed->queues);
	for (uint32_t i = 0; i < agreed->queues && !error; i++) {
		char path[sizeof(disk->directory) + QUEUE_NAME_BYTES];

		snprintf(path, sizeof(path), "%s/queue-%u", disk->directory, i);
		error = queue_write(t, &disk->queues[i], path);
	}
	return error;
}

static int details_write(struct blkfront_disk *disk)
{
	store_transaction t;
	int error = store_transaction_start(&t);
	int ended;

	if (error)
		return error;
	error = details_clear(t, disk);
	if (!error)
		error = queues_write(t, disk);
	if (!error)
		error = bus_write(t, disk->directory, "protocol", "x86_64-abi");
	if (!error)
		error = bus_write(t, disk->directory, "feature-persistent", "%u",
				  blkfront_config()->no_persistent ? 0 : 1);
	if (!error)
		error = bus_state_write(t, disk->directory, XenbusStateInitialised);
	ended = store_transaction_end(t, !error);
	return error ? error : ended;
}

/* ---- what the backend says ---- */

static uint64_t said_u64(const struct blkfront_disk *disk, const char *key)
{
	return bus_read_u64(disk->backend, key, 0);
}

static bool said_yes(const struct blkfront_disk *disk, const char *key)
{
	return said_u64(disk, key) == 1;
}

/* As many as both sides can; a backend that says nothing, or nonsense, has one. */
static void transport_agree(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();
	uint64_t queues = said_u64(disk, "multi-queue-max-queues");
	uint64_t order = said_u64(disk, "max-ring-page-order");
	uint64_t pages = said_u64(disk, "max-ring-pages");

	while (order < BLKIF_RING_ORDER_MOST && pages >> (order + 1))
		order++;
	disk->agreed = (struct blkfront_agreed){
		.queues = queues < 1 ? 1 : (uint32_t)min64(queues, config->max_queues),
		.order = (uint32_t)min64(order, config->ring_order),
	};
}

static void said_read(const struct blkfront_disk *disk, struct blkfront_said *said)
{
	char mode[8] = "";

	*said = (struct blkfront_said){
		.sectors = said_u64(disk, "sectors"),
		.sector_bytes = said_u64(disk, "sector-size"),
		.physical_bytes = said_u64(disk, "physical-sector-size"),
		.info = said_u64(disk, "info"),
		.discard_bytes = said_u64(disk, "discard-granularity"),
		.discard_alignment = said_u64(disk, "discard-alignment"),
		.flush = said_yes(disk, "feature-flush-cache"),
		.barrier = said_yes(disk, "feature-barrier"),
		.discard = said_yes(disk, "feature-discard"),
		.secure = said_yes(disk, "discard-secure"),
	};
	/* Linux's says it only here, and in `info`; one that says nothing means "w". */
	said->write_mode =
		bus_read_string(disk->backend, "mode", mode, sizeof(mode)) < 0 || mode[0] == 'w';
}

int blkfront_features_learn(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();
	struct blkfront_agreed *agreed = &disk->agreed;
	struct block_geometry geometry;
	struct blkfront_said said;
	int error;

	said_read(disk, &said);
	error = blkfront_plan_geometry(&said, &geometry);
	if (error)
		return error;
	/* The user, and what waits, counts in the sectors that it was told of at first. */
	if (disk->attached && disk->device.geometry.sector_bytes != geometry.sector_bytes)
		return -EPROTO;
	disk->device.geometry = geometry;
	agreed->persistent = !config->no_persistent && said_yes(disk, "feature-persistent");
	agreed->loans = config->direct && !agreed->persistent && !disk->loan_kept;
	agreed->segments = blkfront_plan_segments(
		config->no_indirect ? 0 : said_u64(disk, "feature-max-indirect-segments"));
	agreed->flush_operation = said.flush	 ? BLKIF_OP_FLUSH_DISKCACHE
				  : said.barrier ? BLKIF_OP_WRITE_BARRIER
						 : 0;
	return 0;
}

/* Of what may change while connected, the size alone counts: the rest was agreed on. */
void blkfront_geometry_refresh(struct blkfront_disk *disk)
{
	struct block_geometry geometry;
	struct blkfront_said said;

	said_read(disk, &said);
	if (blkfront_plan_geometry(&said, &geometry) ||
	    geometry.sector_bytes != disk->device.geometry.sector_bytes) {
		blkfront_break(disk, "a size that cannot be");
		return;
	}
	disk->device.geometry.sectors = geometry.sectors;
}

/* ---- all of it ---- */

int blkfront_connection_make(struct blkfront_disk *disk)
{
	int error = 0;

	transport_agree(disk);
	for (uint32_t i = 0; i < disk->agreed.queues && !error; i++)
		error = queue_make(&disk->queues[i]);
	if (!error)
		error = blkfront_pages_grant(disk);
	if (error)
		return error;
	event_storm_begin(&disk->storm, disk->work);
	error = -EAGAIN;
	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = details_write(disk);
	return error;
}

/* Undoes whatever part of a connection there is. */
void blkfront_connection_end(struct blkfront_disk *disk, enum xenbus_state say)
{
	disk->connected = false;
	disk->device.up = false;
	disk->reap_ns = 0;
	disk->reap_work = disk->work - 1;
	loop_unschedule(&disk->source);
	event_storm_end(&disk->storm);
	if (bus_state_write(STORE_NO_TRANSACTION, disk->directory, say))
		log_line(LOG_DEBUG, disk->device.name, "its directory is gone");
	for (uint32_t i = 0; i < disk->agreed.queues; i++) {
		evtchn_close(disk->queues[i].port);
		disk->queues[i].port = EVTCHN_NONE;
	}
	blkfront_grants_end(disk);
	blkfront_requests_recover(disk);
	disk->agreed = (struct blkfront_agreed){ .queues = 0 };
	disk->broken = false;
}
