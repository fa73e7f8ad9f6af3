/* SPDX-License-Identifier: ISC */
/*
 * The disks that the toolstack gives us: one fiber watches where it names them and starts
 * one for each. A disk's own fiber notices when it is taken away.
 */
#include "drivers/blkfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkfront_internal.h"
#include "lib/minmax.h"

#define ROOT "device/vbd"
#define LIST_MAX 256u
#define CLOSE_STEP_NS 10000000ull
/* Listings, which our own writes cause too. */
#define LISTINGS 16u
#define LISTING_NS 20000000ull
/* A backend that comes, connects, closes and comes again changes its state ten times. */
#define BACKEND_LOOKS 16u
#define BACKEND_LOOK_NS 100000000ull
#define SPARE_PIECES 64u

static struct {
	struct blkfront_config config;
	struct list disks;
	struct store_watch watch;
	struct store_pace pace;
	struct fiber_event event, progress;
	struct log_limit log_limit;
	struct loop_timer reap;
	uint32_t disk_count;
	bool running, listed, closing;
} front;

static const struct block_ops ops = { .submit = blkfront_submit,
				      .buffer_alloc = blkfront_buffer_alloc,
				      .buffer_free = blkfront_buffer_free };

const struct blkfront_config *blkfront_config(void)
{
	return &front.config;
}

bool blkfront_is_closing(void)
{
	return front.closing;
}

void blkfront_progress(void)
{
	fiber_event_signal(&front.progress);
}

/* ---- disks come and go ---- */

static void disk_free(struct blkfront_disk *disk)
{
	blkfront_queues_free(disk);
	free(disk->pieces);
	free(disk->pages);
	free(disk);
}

/* It may have come again meanwhile. */
static void list_again(void)
{
	front.watch.fired = true;
	fiber_event_signal(&front.event);
}

void blkfront_retire(struct blkfront_disk *disk)
{
	disk->retired = true;
	list_again();
}

void blkfront_forget(struct blkfront_disk *disk)
{
	list_remove(&disk->link);
	front.disk_count--;
	disk_free(disk);
	list_again();
}

static uint32_t pieces_beside_loans(void)
{
	return front.config.max_queues * blkif_ring_slots(front.config.ring_order) + SPARE_PIECES;
}

static uint32_t pieces_wanted(void)
{
	return min32(2 * front.config.disk_pages + pieces_beside_loans(), BLKFRONT_NONE - 1u);
}

static int disk_memory_make(struct blkfront_disk *disk)
{
	uint32_t pieces = pieces_wanted();

	disk->pieces = calloc(pieces, sizeof(disk->pieces[0]));
	disk->pages = calloc(front.config.disk_pages, sizeof(disk->pages[0]));
	if (!disk->pieces || !disk->pages)
		return -ENOMEM;
	blkfront_pieces_init(disk, pieces);
	disk->loans_most = pieces - min32(pieces / 2, pieces_beside_loans());
	return blkfront_queues_make(disk);
}

static void disk_init(struct blkfront_disk *disk, uint32_t number)
{
	struct list *const lists[] = { &disk->waiting,
				       &disk->running,
				       &disk->flushing,
				       &disk->free,
				       &disk->directory_watch.link,
				       &disk->backend_watch.link };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		list_init(lists[i]);
	snprintf(disk->directory, sizeof(disk->directory), ROOT "/%u", number);
	disk->number = number;
	disk->reap_work = disk->work - 1;
	disk->initial = !front.listed;
	blkfront_name(number, disk->device.name);
	disk->device.ops = &ops;
	disk->device.driver = disk;
	disk->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	store_pace_init(&disk->backend_pace, BACKEND_LOOKS, BACKEND_LOOK_NS);
	fiber_event_init(&disk->event);
	loop_source_init(&disk->source, blkfront_poll);
	event_storm_init(&disk->storm, &disk->source);
}

static bool is_wanted(uint32_t number)
{
	char name[BLOCK_NAME_BYTES];

	if (!front.config.wanted)
		return true;
	blkfront_name(number, name);
	return front.config.wanted(name, front.config.context);
}

static void disk_create(uint32_t number)
{
	struct blkfront_disk *disk;

	if (!is_wanted(number))
		return;
	if (front.disk_count >= front.config.max_disks) {
		log_limited(&front.log_limit, LOG_WARNING, "blkfront",
			    "more than %u disks: %u is not looked at", front.config.max_disks,
			    number);
		return;
	}
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return;
	disk_init(disk, number);
	if (disk_memory_make(disk) || fiber_start(disk->device.name, blkfront_disk_serve, disk)) {
		log_limited(&front.log_limit, LOG_ERROR, "blkfront", "no memory for disk %u",
			    number);
		disk_free(disk);
		return;
	}
	front.disk_count++;
	list_push_back(&front.disks, &disk->link);
}

static struct blkfront_disk *disk_find(uint32_t number)
{
	list_for_each(link, &front.disks) {
		struct blkfront_disk *disk = list_entry(link, struct blkfront_disk, link);

		if (disk->number == number && !disk->retired)
			return disk;
	}
	return NULL;
}

static void disks_list(void)
{
	struct store_list names;
	int error = store_list(STORE_NO_TRANSACTION, ROOT, LIST_MAX, &names);

	for (uint32_t i = 0; !error && i < names.count; i++) {
		char *end;
		unsigned long number = strtoul(names.names[i], &end, 10);

		if (end != names.names[i] && !*end && number <= UINT32_MAX &&
		    !disk_find((uint32_t)number))
			disk_create((uint32_t)number);
	}
	if (!error)
		store_list_free(&names);
	front.listed = true;
	blkfront_progress();
}

static void serve(void *argument)
{
	(void)argument;
	if (store_watch_add(&front.watch, ROOT, &front.event))
		log_line(LOG_ERROR, "blkfront", ROOT " cannot be watched");
	while (!front.closing) {
		uint64_t now_ns = loop_now_ns();
		uint64_t next_ns = store_pace_next_ns(&front.pace, now_ns);

		if (next_ns > now_ns)
			fiber_sleep_until(next_ns);
		store_pace_take(&front.pace, next_ns);
		front.watch.fired = false;
		disks_list();
		while (!front.closing && !front.watch.fired)
			(void)!fiber_event_wait(&front.event, FIBER_FOREVER);
	}
	store_watch_remove(&front.watch);
}

/* ---- answers that no event was asked for ---- */

static uint64_t reap_next(struct loop_timer *timer)
{
	uint64_t next_ns = UINT64_MAX;

	(void)timer;
	list_for_each(link, &front.disks) {
		next_ns = min64(next_ns,
				blkfront_reap_next(list_entry(link, struct blkfront_disk, link)));
	}
	return next_ns;
}

static void reap(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	list_for_each(link, &front.disks) {
		struct blkfront_disk *disk = list_entry(link, struct blkfront_disk, link);

		if (blkfront_reap_next(disk) > now_ns)
			continue;
		disk->reap_ns = 0;
		loop_schedule(&disk->source);
	}
}

/* ---- the interface ---- */

int blkfront_start(const struct blkfront_config *config)
{
	front.config = *config;
	front.config.max_queues =
		min32(config->max_queues ? config->max_queues : 1, BLKFRONT_QUEUES_MOST);
	front.config.ring_order = min32(config->ring_order, BLKIF_RING_ORDER_MOST);
	front.config.disk_pages = min32(config->disk_pages, BLKFRONT_NONE - 1u);
	front.closing = front.listed = false;
	front.disk_count = 0;
	front.log_limit = (struct log_limit)LOG_LIMIT_INIT;
	store_pace_init(&front.pace, LISTINGS, LISTING_NS);
	list_init(&front.disks);
	blkfront_pages_init();
	list_init(&front.watch.link);
	fiber_event_init(&front.event);
	fiber_event_init(&front.progress);
	front.reap = (struct loop_timer){ .run = reap, .next_ns = reap_next };
	loop_add_timer(&front.reap);
	front.running = true;
	return fiber_start("blkfront", serve, NULL);
}

static bool all_attached(void)
{
	if (!front.listed)
		return false;
	list_for_each(link, &front.disks) {
		struct blkfront_disk *disk = list_entry(link, struct blkfront_disk, link);

		if (disk->initial && !disk->connects && !disk->ended)
			return false;
	}
	return true;
}

int blkfront_wait_attached(uint64_t deadline_ns)
{
	while (!all_attached())
		if (fiber_event_wait(&front.progress, deadline_ns))
			return all_attached() ? 0 : -ETIMEDOUT;
	return 0;
}

struct block_device *blkfront_find(const char *name)
{
	if (!front.running)
		return NULL;
	list_for_each(link, &front.disks) {
		struct blkfront_disk *disk = list_entry(link, struct blkfront_disk, link);

		if (disk->attached && strcmp(disk->device.name, name) == 0)
			return &disk->device;
	}
	return NULL;
}

static bool all_ended(void)
{
	list_for_each(link, &front.disks) {
		if (!list_entry(link, struct blkfront_disk, link)->ended)
			return false;
	}
	return true;
}

void blkfront_close_all(void)
{
	uint64_t end = loop_now_ns() + STORE_TIMEOUT_NS;

	if (!front.running)
		return;
	front.closing = true;
	fiber_event_signal(&front.event);
	list_for_each(link, &front.disks) {
		fiber_event_signal(&list_entry(link, struct blkfront_disk, link)->event);
	}
	while (!all_ended() && loop_now_ns() < end)
		fiber_sleep_until(loop_now_ns() + CLOSE_STEP_NS);
}

static void disk_print(const struct blkfront_disk *disk,
		       void (*line)(void *context, const char *text), void *context)
{
	const struct block_stats *s = &disk->device.stats;
	char text[320];

	snprintf(text, sizeof(text),
		 "%s: %s connects %llu reads %llu (%llu bytes) writes %llu (%llu bytes) flushes "
		 "%llu discards %llu zeroed %llu errors %llu, on the ring %llu merged %llu copied "
		 "%llu notifies %llu reissued %llu, waiting %llu, pages free %u of %u",
		 disk->device.name, disk->connected ? "connected" : "down",
		 (unsigned long long)disk->connects, (unsigned long long)s->requests[BLOCK_READ],
		 (unsigned long long)s->bytes[BLOCK_READ],
		 (unsigned long long)s->requests[BLOCK_WRITE],
		 (unsigned long long)s->bytes[BLOCK_WRITE],
		 (unsigned long long)s->requests[BLOCK_FLUSH],
		 (unsigned long long)s->requests[BLOCK_DISCARD],
		 (unsigned long long)s->requests[BLOCK_WRITE_ZEROES], (unsigned long long)s->errors,
		 (unsigned long long)s->ring_requests, (unsigned long long)s->merged,
		 (unsigned long long)s->copied_bytes, (unsigned long long)s->notifies,
		 (unsigned long long)s->reissued, (unsigned long long)s->waiting, disk->free_count,
		 disk->page_count);
	line(context, text);
}

void blkfront_print_stats(void (*line)(void *context, const char *text), void *context)
{
	if (!front.running)
		return;
	list_for_each(link, &front.disks) {
		disk_print(list_entry(link, struct blkfront_disk, link), line, context);
	}
}
