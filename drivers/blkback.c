/* SPDX-License-Identifier: ISC */
/*
 * blkback's control side: one fiber finds the clients, gives each its disk or refuses it,
 * follows both state machines and decides when a client is connected and disconnected. The
 * data path only ever marks a client as broken.
 */
#include "drivers/blkback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback_internal.h"
#include "lib/minmax.h"

#define ROOT "backend/vbd"
#define LIST_MAX 256u
#define REMOVE_SOON_NS 300000000ull
#define REMOVE_LATE_NS 1500000000ull
/* A client that connects, closes and connects again changes its state five times. */
#define CLIENT_LOOKS 16u
#define CLIENT_LOOK_NS 100000000ull
/* For the toolstack, which no client's doings may keep waiting for long. */
#define LISTINGS 64u
#define LISTING_NS 20000000ull
#define QUEUES_MOST 8u
/* Of all clients' rings together: half of the window of foreign pages (arch/x86/paging.h). */
#define RING_PAGES 1024u
#define WORD_BYTES 16u

struct blkback blkback;

void blkback_vbd_break(struct blkback_vbd *vbd, const char *why)
{
	if (vbd->broken)
		return;
	vbd->broken = true;
	blkback.broken++;
	log_limited(&vbd->log_limit, LOG_WARNING, vbd->name, "disconnected: %s", why);
	fiber_event_signal(&blkback.event);
}

void blkback_vbd_limits(const struct blkback_vbd *vbd, struct blkback_limits *limits)
{
	const struct blkback_disk *disk = vbd->disk;

	limits->sectors = disk->bytes / BLKIF_SECTOR_BYTES;
	limits->unit = disk->sector_bytes / BLKIF_SECTOR_BYTES;
	limits->fail_first = disk->fail_sector;
	limits->fail_count = disk->fail_count;
	limits->read_only = vbd->read_only;
	limits->features = blkback.config.features;
	limits->features.discard = vbd->discard;
}

/* ---- disks ---- */

static struct blkback_disk *disk_find(const char *name)
{
	for (uint32_t i = 0; i < blkback.config.disk_count; i++)
		if (strcmp(blkback.config.disks[i].name, name) == 0)
			return &blkback.config.disks[i];
	return NULL;
}

/* Why the client cannot have it, or NULL: it has. */
static const char *disk_take(struct blkback_vbd *vbd, struct blkback_disk *disk)
{
	if (!disk)
		return "there is no such disk";
	/* Its clients are told; they need not have asked for no more. */
	if (disk->read_only)
		vbd->read_only = true;
	if (disk->writers || (!vbd->read_only && disk->readers))
		return "another client has the disk";
	if (vbd->read_only)
		disk->readers++;
	else
		disk->writers++;
	vbd->discard &= !vbd->read_only;
	vbd->disk = disk;
	return NULL;
}

static void disk_give_back(struct blkback_vbd *vbd)
{
	if (!vbd->disk)
		return;
	if (vbd->read_only)
		vbd->disk->readers--;
	else
		vbd->disk->writers--;
	vbd->disk = NULL;
}

int blkback_resize(struct blkback_disk *disk, uint64_t bytes)
{
	if (!bytes || bytes % disk->sector_bytes)
		return -EINVAL;
	disk->bytes = bytes;
	blkback.resized = true;
	if (blkback.running)
		fiber_event_signal(&blkback.event);
	return 0;
}

/* In the fiber, which alone changes the list while the store is asked. */
static void sizes_tell(void)
{
	if (!blkback.resized)
		return;
	blkback.resized = false;
	list_for_each(link, &blkback.vbds) {
		struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);

		if (vbd->disk && vbd->told_bytes && vbd->told_bytes != vbd->disk->bytes)
			blkback_vbd_tell_size(vbd);
	}
}

/* ---- the state machine ---- */

static void state_set(struct blkback_vbd *vbd, enum xenbus_state state)
{
	int error;

	if (vbd->state == state)
		return;
	error = bus_state_write(STORE_NO_TRANSACTION, vbd->backend, state);
	if (error && error != -ENOENT)
		log_limited(&vbd->log_limit, LOG_WARNING, vbd->name,
			    "state %s is not written: error %d", bus_state_name(state), error);
	vbd->state = state;
}

static void vbd_free(struct blkback_vbd *vbd)
{
	blkback_vbd_release(vbd);
	disk_give_back(vbd);
	store_watch_remove(&vbd->watch);
	list_remove(&vbd->link);
	blkback.vbd_count--;
	free(vbd);
}

/*
 * The toolstack wants it gone: Closed, and then the directory, after libxl has looked. A
 * client that uses its disk is asked first: it sees the Closing that libxl has written, and
 * has what it still wants to write. By force libxl removes the frontend before.
 */
static void vbd_retire(struct blkback_vbd *vbd, enum xenbus_state frontend)
{
	bool frontend_left = frontend == XenbusStateUnknown || frontend == XenbusStateClosing ||
			     frontend == XenbusStateClosed;
	uint64_t age;

	if (vbd->connected && !vbd->broken && frontend == XenbusStateConnected)
		return;
	/* libxl may ask again before the directory is gone: it has to be answered again. */
	if (!vbd->closed_ns || bus_state_read(vbd->backend) == XenbusStateClosing) {
		blkback_vbd_release(vbd);
		/* libxl has written Closing over whatever stood there, and waits for this. */
		vbd->state = XenbusStateUnknown;
		state_set(vbd, XenbusStateClosed);
		vbd->closed_ns = loop_now_ns();
		return;
	}
	age = loop_now_ns() - vbd->closed_ns;
	if (age < (frontend_left ? REMOVE_SOON_NS : REMOVE_LATE_NS))
		return;
	if (store_remove(STORE_NO_TRANSACTION, vbd->backend))
		log_line(LOG_DEBUG, vbd->name, "its directory is gone already");
	vbd_free(vbd);
}

/* One that cannot connect is not tried again each time that another client changes the list. */
static void vbd_connect(struct blkback_vbd *vbd)
{
	blkback_vbd_connect(vbd);
	if (!vbd->connected)
		store_pace_take(&vbd->pace, loop_now_ns());
}

static void vbd_serve(struct blkback_vbd *vbd)
{
	enum xenbus_state frontend;
	uint64_t online;

	/* Before the answers, for what changes after them must be looked at once more. */
	if (vbd->watch.fired)
		store_pace_take(&vbd->pace, loop_now_ns());
	vbd->watch.fired = false;
	/* A store that does not answer is no wish to remove the client. */
	online = bus_read_u64(vbd->backend, "online", 1);
	frontend = bus_state_read(vbd->frontend);
	if (online == 0 || !vbd->disk) {
		vbd_retire(vbd, frontend);
		return;
	}
	vbd->closed_ns = 0;
	if (vbd->broken) {
		blkback_vbd_release(vbd);
		state_set(vbd, XenbusStateClosed);
		return;
	}
	switch (frontend) {
	case XenbusStateInitialising:
		if (vbd->connected)
			blkback_vbd_release(vbd);
		if (vbd->state != XenbusStateInitWait)
			blkback_vbd_offer(vbd);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (vbd->state == XenbusStateInitialising)
			blkback_vbd_offer(vbd);
		if (!vbd->connected && vbd->state == XenbusStateInitWait)
			vbd_connect(vbd);
		if (vbd->connected)
			state_set(vbd, XenbusStateConnected);
		break;
	case XenbusStateClosing:
		blkback_vbd_release(vbd);
		state_set(vbd, XenbusStateClosing);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		blkback_vbd_release(vbd);
		state_set(vbd, XenbusStateClosed);
		break;
	default:
		break;
	}
}

/* ---- finding clients ---- */

static struct blkback_vbd *vbd_find(uint16_t domid, uint32_t handle)
{
	list_for_each(link, &blkback.vbds) {
		struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);

		if (vbd->domid == domid && vbd->handle == handle)
			return vbd;
	}
	return NULL;
}

static bool word_is(const struct blkback_vbd *vbd, const char *key, const char *word)
{
	char text[WORD_BYTES];

	return bus_read_string(vbd->backend, key, text, sizeof(text)) >= 0 &&
	       strcmp(text, word) == 0;
}

/* What the toolstack says of it, but for the disk. */
static int vbd_describe(struct blkback_vbd *vbd)
{
	int error = bus_read_string(vbd->backend, "frontend", vbd->frontend, sizeof(vbd->frontend));

	if (error < 0)
		return error;
	if (bus_read_u64(vbd->backend, "frontend-id", UINT64_MAX) != vbd->domid)
		return -EINVAL;
	vbd->cdrom = word_is(vbd, "device-type", "cdrom");
	vbd->read_only = vbd->cdrom || !word_is(vbd, "mode", "w");
	vbd->removable = bus_read_u64(vbd->backend, "removable", 0) == 1;
	vbd->discard = blkback.config.features.discard &&
		       bus_read_u64(vbd->backend, "discard-enable", 1) != 0;
	return 0;
}

/*
 * libxl waits for the state of what it has written, and gives up at once when that is gone.
 * So nothing of what cannot be served is left, and the same may be asked for again later.
 */
static void vbd_refuse(const struct blkback_vbd *vbd, const char *name, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;

	blkback.refused++;
	log_limited(&limit, LOG_WARNING, vbd->name, "no disk %s for it: %s", name, why);
	if (store_remove(STORE_NO_TRANSACTION, vbd->backend))
		log_line(LOG_DEBUG, vbd->name, "its directory is gone already");
}

/* 0: it has its disk. Else it has none, now (-EAGAIN) or for good (-ENOENT). */
static int vbd_take_disk(struct blkback_vbd *vbd)
{
	char name[BLKBACK_NAME_BYTES] = "";
	int length = bus_read_string(vbd->backend, "params", name, sizeof(name));
	const char *why;

	if (length < 0 && length != -ENOENT && length != -E2BIG)
		return -EAGAIN;
	/* What was closed already need not be refused to anybody. */
	if (bus_read_u64(vbd->backend, "online", 1) == 0)
		return 0;
	if (blkback.vbd_count >= blkback.config.max_clients)
		why = "there are no more clients served";
	else
		why = disk_take(vbd, disk_find(name));
	if (!why)
		return 0;
	vbd_refuse(vbd, name, why);
	return -ENOENT;
}

static struct blkback_vbd *vbd_alloc(uint16_t domid, uint32_t handle)
{
	uint32_t queues = blkback.config.features.max_queues;
	struct blkback_vbd *vbd = calloc(1, sizeof(*vbd) + queues * sizeof(vbd->queues[0]));

	if (!vbd)
		return NULL;
	vbd->domid = domid;
	vbd->handle = handle;
	vbd->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	vbd->state = XenbusStateInitialising;
	list_init(&vbd->watch.link);
	store_pace_init(&vbd->pace, CLIENT_LOOKS, CLIENT_LOOK_NS);
	blkback_vbd_init_queues(vbd);
	snprintf(vbd->name, sizeof(vbd->name), "disk%u.%u", domid, handle);
	snprintf(vbd->backend, sizeof(vbd->backend), ROOT "/%u/%u", domid, handle);
	return vbd;
}

static void vbd_create(uint16_t domid, uint32_t handle)
{
	struct blkback_vbd *vbd = vbd_alloc(domid, handle);
	char path[STORE_PATH_BYTES];

	if (!vbd)
		return;
	/* Half written or half removed: the watch tells when it is whole. */
	if (vbd_describe(vbd) || vbd_take_disk(vbd)) {
		free(vbd);
		return;
	}
	snprintf(path, sizeof(path), "%.*s/state", (int)(sizeof(path) - 8), vbd->frontend);
	if (store_watch_add(&vbd->watch, path, &blkback.event)) {
		disk_give_back(vbd);
		free(vbd);
		return;
	}
	list_push_back(&blkback.vbds, &vbd->link);
	blkback.vbd_count++;
	vbd->seen = true;
}

static int number_parse(const char *text, uint32_t limit, uint32_t *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value >= limit || text[0] == '-' || text[0] == '+')
		return -EINVAL;
	*number = (uint32_t)value;
	return 0;
}

/*
 * Removed and written anew since the last listing: only the toolstack writes Initialising. It
 * may be another disk now, or for reading, and the client may act as if nothing had been.
 */
static bool vbd_is_another(const struct blkback_vbd *vbd)
{
	return vbd->state != XenbusStateInitialising &&
	       bus_state_read(vbd->backend) == XenbusStateInitialising;
}

static void device_found(uint16_t domid, uint32_t handle)
{
	struct blkback_vbd *vbd = vbd_find(domid, handle);

	if (vbd && vbd_is_another(vbd)) {
		vbd_free(vbd);
		vbd = NULL;
	}
	if (vbd)
		vbd->seen = true;
	else
		vbd_create(domid, handle);
}

static void devices_list(const char *frontend_name)
{
	struct store_list devices;
	char path[STORE_PATH_BYTES];
	uint32_t domid, handle;

	if (number_parse(frontend_name, DOMID_FIRST_RESERVED, &domid))
		return;
	snprintf(path, sizeof(path), ROOT "/%u", domid);
	if (store_list(STORE_NO_TRANSACTION, path, LIST_MAX, &devices))
		return; /* removed between the two listings */
	for (uint32_t i = 0; i < devices.count; i++)
		if (!number_parse(devices.names[i], UINT32_MAX, &handle))
			device_found((uint16_t)domid, handle);
	store_list_free(&devices);
}

static void clients_list(void)
{
	struct store_list frontends;
	int error = store_list(STORE_NO_TRANSACTION, ROOT, LIST_MAX, &frontends);

	if (error && error != -ENOENT)
		return; /* no news is not a sign that all clients went */
	list_for_each(link, &blkback.vbds) {
		list_entry(link, struct blkback_vbd, link)->seen = false;
	}
	if (error)
		return;
	for (uint32_t i = 0; i < frontends.count; i++)
		devices_list(frontends.names[i]);
	store_list_free(&frontends);
}

/* Those of which there is news, and all of them after a listing. */
static void clients_serve(bool all)
{
	struct list *link = blkback.vbds.next;

	while (link != &blkback.vbds) {
		struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);
		uint64_t now_ns = loop_now_ns();

		link = link->next; /* this one may be freed, and no other */
		vbd->due |= all || vbd->watch.fired || vbd->broken;
		if (!vbd->seen) {
			vbd_free(vbd);
		} else if (vbd->due && store_pace_next_ns(&vbd->pace, now_ns) <= now_ns) {
			vbd->due = false;
			vbd_serve(vbd);
		}
	}
}

/* ---- time ---- */

static bool any_is_closed(void)
{
	list_for_each(link, &blkback.vbds) {
		if (list_entry(link, struct blkback_vbd, link)->closed_ns)
			return true;
	}
	return false;
}

/* Gives pages back that were not used for long; when there may be more of them. */
static uint64_t caches_age(void)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t next_ns = FIBER_FOREVER;

	list_for_each(link, &blkback.vbds) {
		struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);

		next_ns = min64(next_ns, blkback_cache_age(&vbd->cache, now_ns));
	}
	return next_ns;
}

/* Those whose pace makes them wait, and what the toolstack has changed meanwhile. */
static uint64_t next_due(void)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t due = caches_age();

	if (blkback.watch.fired)
		due = min64(due, store_pace_next_ns(&blkback.pace, now_ns));
	list_for_each(link, &blkback.vbds) {
		const struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);

		if (vbd->due)
			due = min64(due, store_pace_next_ns(&vbd->pace, now_ns));
	}
	return due;
}

/* Directories wait to be removed for a moment after Closed. */
static uint64_t next_look(void)
{
	uint64_t removal = loop_now_ns() + REMOVE_SOON_NS / 2;
	uint64_t due = next_due();

	return any_is_closed() && removal < due ? removal : due;
}

/* True: the list of clients was read anew, and all of them are to be looked at. */
static bool clients_look(bool timed_out)
{
	uint64_t now_ns = loop_now_ns();

	if (!blkback.watch.fired && !(timed_out && any_is_closed()))
		return false;
	if (store_pace_next_ns(&blkback.pace, now_ns) > now_ns)
		return false;
	store_pace_take(&blkback.pace, now_ns);
	blkback.watch.fired = false;
	clients_list();
	return true;
}

static void close_all(void)
{
	list_for_each(link, &blkback.vbds) {
		struct blkback_vbd *vbd = list_entry(link, struct blkback_vbd, link);

		blkback_vbd_release(vbd);
		state_set(vbd, XenbusStateClosed);
	}
}

static void serve(void *argument)
{
	(void)argument;
	if (store_watch_add(&blkback.watch, ROOT, &blkback.event)) {
		log_line(LOG_ERROR, "blkback", ROOT " cannot be watched");
		return;
	}
	while (!blkback.closing) {
		bool timed_out = fiber_event_wait(&blkback.event, next_look()) != 0;

		clients_serve(clients_look(timed_out));
		sizes_tell();
	}
	close_all();
	blkback.closed = true;
}

/* ---- from outside ---- */

/* What is offered to one client is there for as many as are served. */
static void features_bound(struct blkback_features *features, uint32_t clients)
{
	uint64_t rings;

	features->max_queues = min32(max32(features->max_queues, 1), QUEUES_MOST);
	features->ring_order = min32(features->ring_order, BLKIF_RING_ORDER_MOST);
	features->indirect_segments = min32(features->indirect_segments, BLKBACK_INDIRECT_SEGMENTS);
	rings = (uint64_t)clients * features->max_queues;
	while (features->ring_order && rings << features->ring_order > RING_PAGES)
		features->ring_order--;
}

int blkback_start(const struct blkback_config *config)
{
	blkback.config = *config;
	features_bound(&blkback.config.features, config->max_clients);
	blkback.descriptors = gnttab_alloc_pages(BLKBACK_INDIRECT_MOST / 2);
	if (!blkback.descriptors)
		return -ENOMEM;
	store_pace_init(&blkback.pace, LISTINGS, LISTING_NS);
	list_init(&blkback.vbds);
	fiber_event_init(&blkback.event);
	blkback.running = true;
	return fiber_start("blkback", serve, NULL);
}

void blkback_close_all(void)
{
	uint64_t end = loop_now_ns() + STORE_TIMEOUT_NS;

	if (!blkback.running)
		return;
	blkback.closing = true;
	fiber_event_signal(&blkback.event);
	while (!blkback.closed && loop_now_ns() < end)
		fiber_sleep_until(loop_now_ns() + REMOVE_SOON_NS / 30);
}

static void vbd_print(const struct blkback_vbd *vbd, void (*line)(void *context, const char *text),
		      void *context)
{
	const struct blkback_counters *c = &vbd->counters;
	char text[300];

	snprintf(text, sizeof(text),
		 "%s: %s %s %s reads %llu bytes %llu writes %llu bytes %llu flushes %llu discards "
		 "%llu errors %llu notifies %llu copies %llu kept %llu, %u pages kept, %u queues",
		 vbd->name, bus_state_name(vbd->state), vbd->disk ? vbd->disk->name : "-",
		 vbd->read_only ? "r" : "w", (unsigned long long)c->reads,
		 (unsigned long long)c->read_bytes, (unsigned long long)c->writes,
		 (unsigned long long)c->written_bytes, (unsigned long long)c->flushes,
		 (unsigned long long)c->discards, (unsigned long long)c->errors,
		 (unsigned long long)c->notifies, (unsigned long long)c->copies,
		 (unsigned long long)c->kept_hits, vbd->cache.count, vbd->queue_count);
	line(context, text);
}

void blkback_print_stats(void (*line)(void *context, const char *text), void *context)
{
	char text[200];

	if (!blkback.running)
		return;
	snprintf(text, sizeof(text),
		 "blkback: clients %u attached %llu detached %llu broken %llu refused %llu",
		 blkback.vbd_count, (unsigned long long)blkback.attached,
		 (unsigned long long)blkback.detached, (unsigned long long)blkback.broken,
		 (unsigned long long)blkback.refused);
	line(context, text);
	list_for_each(link, &blkback.vbds) {
		vbd_print(list_entry(link, struct blkback_vbd, link), line, context);
	}
}
