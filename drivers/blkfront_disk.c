/* SPDX-License-Identifier: ISC */
/*
 * The control side of a disk: one fiber that connects, waits for the backend to go, takes
 * everything back, and starts again, for as long as the toolstack leaves the disk there.
 * A backend that goes while its disk stays keeps nobody's requests: they wait for the next.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/blkfront_internal.h"

#define BACKEND_LIMIT_NS 10000000000ull
#define DRAIN_LIMIT_NS 1000000000ull
#define DRAIN_STEP_NS 1000000ull
#define LOST_LOOK_NS 500000000ull
#define UNKNOWN_LOOK_NS 1000000000ull
#define CLOSED_LIMIT_NS 1000000000ull
#define RETRY_NS 100000000ull

void blkfront_break(struct blkfront_disk *disk, const char *why)
{
	if (disk->broken)
		return;
	disk->broken = true;
	disk->device.up = false;
	log_limited(&disk->log_limit, LOG_ERROR, disk->device.name, "disconnected: %s", why);
	fiber_event_signal(&disk->event);
}

/* ---- what the user is told ---- */

static bool geometry_is_same(const struct block_geometry *a, const struct block_geometry *b)
{
	return a->sectors == b->sectors && a->sector_bytes == b->sector_bytes &&
	       a->physical_sector_bytes == b->physical_sector_bytes &&
	       a->read_only == b->read_only && a->removable == b->removable &&
	       a->cdrom == b->cdrom && a->flush == b->flush && a->barrier == b->barrier &&
	       a->discard == b->discard && a->secure_discard == b->secure_discard &&
	       a->discard_bytes == b->discard_bytes && a->discard_alignment == b->discard_alignment;
}

static void told_set(struct blkfront_disk *disk)
{
	disk->told = disk->device.geometry;
	disk->told_up = disk->device.up;
	disk->told_gone = disk->device.gone;
}

static void tell(struct blkfront_disk *disk)
{
	struct block_device *device = &disk->device;

	if (!disk->attached || (geometry_is_same(&disk->told, &device->geometry) &&
				disk->told_up == device->up && disk->told_gone == device->gone))
		return;
	if (disk->told.sectors != device->geometry.sectors)
		log_limited(&disk->log_limit, LOG_INFO, device->name, "%llu sectors of %u bytes",
			    (unsigned long long)device->geometry.sectors,
			    device->geometry.sector_bytes);
	told_set(disk);
	if (device->changed)
		device->changed(device, device->context);
}

static void attach(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();

	disk->attached = true;
	told_set(disk);
	if (config->attached)
		config->attached(&disk->device, config->context);
	blkfront_progress();
}

/* The disk is gone for good; a later one of the same name is another. */
static void detach(struct blkfront_disk *disk)
{
	const struct blkfront_config *config = blkfront_config();

	disk->device.gone = true;
	disk->device.up = false;
	blkfront_requests_fail(disk, -ENODEV);
	tell(disk);
	if (disk->attached && config->detached)
		config->detached(&disk->device, config->context);
	disk->attached = false;
	disk->device.gone = false;
	disk->device.changed = NULL;
	disk->device.context = NULL;
	disk->device.geometry = (struct block_geometry){ .sectors = 0 };
	disk->flushed = disk->writes;
	disk->doubt = false;
	memset(&disk->device.stats, 0, sizeof(disk->device.stats));
	blkfront_pages_free(disk);
}

/* ---- the state machine ---- */

/* As netfront does: one that changes its state without end is asked now and then. */
static enum xenbus_state backend_state(struct blkfront_disk *disk)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t next_ns = store_pace_next_ns(&disk->backend_pace, now_ns);

	if (disk->backend_watch.fired) {
		disk->backend_watch.fired = false;
		disk->look = true;
		if (next_ns > now_ns)
			fiber_sleep_until(next_ns);
		store_pace_take(&disk->backend_pace, next_ns);
	}
	return bus_state_read(disk->backend);
}

/* The backend that the directory names; its path goes to `path`. */
static int backend_name(struct blkfront_disk *disk, char *path, size_t size)
{
	int length = bus_read_string(disk->directory, "backend", path, size);
	uint64_t id = bus_read_u64(disk->directory, "backend-id", UINT64_MAX);

	if (length < 0)
		return length;
	if (id >= DOMID_FIRST_RESERVED || (size_t)length + sizeof("/state") > size)
		return -EINVAL;
	disk->backend_id = (uint16_t)id;
	return 0;
}

/* A new watch fires at once, so one that is right already stays. */
static int backend_find(struct blkfront_disk *disk)
{
	char path[STORE_PATH_BYTES];
	int error = backend_name(disk, path, sizeof(path));

	if (!error && strcmp(path, disk->backend) == 0)
		return 0;
	store_watch_remove(&disk->backend_watch);
	disk->backend[0] = '\0';
	if (error)
		return error;
	memcpy(disk->backend, path, sizeof(path));
	snprintf(path, sizeof(path), "%.*s/state", (int)sizeof(path) - 8, disk->backend);
	error = store_watch_add(&disk->backend_watch, path, &disk->event);
	if (error)
		disk->backend[0] = '\0';
	return error;
}

static bool backend_is_same(const struct blkfront_disk *disk)
{
	char path[STORE_PATH_BYTES];

	if (bus_read_string(disk->directory, "backend", path, sizeof(path)) < 0)
		return false;
	return strcmp(path, disk->backend) == 0;
}

/*
 * The toolstack takes the disk away. A backend that has vanished is another thing: its
 * domain may have died, and then there will be another backend.
 */
static bool state_is_leaving(const struct blkfront_disk *disk, enum xenbus_state state)
{
	return (state == XenbusStateClosing || state == XenbusStateClosed) &&
	       bus_read_u64(disk->backend, "online", 0) == 0;
}

static bool must_end(const struct blkfront_disk *disk)
{
	return disk->closing || blkfront_is_closing();
}

/* Until the backend offers itself, or time is up. */
static int backend_wait_for(struct blkfront_disk *disk, enum xenbus_state wanted)
{
	uint64_t deadline = loop_now_ns() + BACKEND_LIMIT_NS;

	while (!must_end(disk) && !disk->broken) {
		enum xenbus_state state = backend_state(disk);

		if (state == wanted)
			return 0;
		if (wanted == XenbusStateConnected && state >= XenbusStateClosing)
			return -ECONNRESET;
		if (state == XenbusStateUnknown || !backend_is_same(disk) ||
		    state_is_leaving(disk, state))
			return -ENODEV;
		if (fiber_event_wait(&disk->event, deadline))
			return -ETIMEDOUT;
	}
	return -ECANCELED;
}

static uint64_t lost_look(const struct blkfront_disk *disk)
{
	return blkfront_lost_any(disk) ? loop_now_ns() + LOST_LOOK_NS : FIBER_FOREVER;
}

/* No more is taken on; what was is given a while to be answered. */
static void drain(struct blkfront_disk *disk)
{
	uint64_t end = loop_now_ns() + DRAIN_LIMIT_NS;

	disk->device.gone = true;
	tell(disk);
	while (!disk->broken && !blkfront_is_idle(disk) && loop_now_ns() < end)
		fiber_sleep_until(loop_now_ns() + DRAIN_STEP_NS);
}

static void connection_serve(struct blkfront_disk *disk)
{
	const struct block_geometry *geometry = &disk->device.geometry;

	disk->connected = true;
	disk->device.up = true;
	disk->look = false;
	disk->connects++;
	log_limited(&disk->log_limit, LOG_INFO, disk->device.name,
		    "connected to domain %u: %llu sectors of %u bytes%s, queues %u, ring pages %u, "
		    "segments %u%s",
		    disk->backend_id, (unsigned long long)geometry->sectors, geometry->sector_bytes,
		    geometry->read_only ? ", read-only" : "", disk->agreed.queues,
		    1u << disk->agreed.order, disk->agreed.segments,
		    disk->agreed.persistent ? ", persistent grants" : "");
	loop_schedule(&disk->source);
	if (!disk->attached)
		attach(disk);
	while (!disk->broken) {
		enum xenbus_state state = backend_state(disk);

		if (must_end(disk) || state_is_leaving(disk, state)) {
			drain(disk);
			return;
		}
		if (state != XenbusStateConnected || !backend_is_same(disk))
			return;
		if (disk->look) {
			disk->look = false;
			blkfront_geometry_refresh(disk);
		}
		tell(disk);
		(void)!fiber_event_wait(&disk->event, lost_look(disk));
		if (blkfront_lost_any(disk))
			(void)blkfront_lost_find(disk);
	}
}

static int connection_make(struct blkfront_disk *disk)
{
	int error = blkfront_connection_make(disk);

	if (!error)
		error = backend_wait_for(disk, XenbusStateConnected);
	if (!error)
		error = blkfront_features_learn(disk);
	if (!error)
		error = bus_state_write(STORE_NO_TRANSACTION, disk->directory,
					XenbusStateConnected);
	return error;
}

/*
 * A backend that has not seen us Closed yet takes what we write next for the connection
 * of before, which it may have made anew already from what we had written for that: we
 * would wait on two different rings. One that never says Closed is not waited for long.
 */
static void backend_wait_closed(struct blkfront_disk *disk)
{
	uint64_t deadline = loop_now_ns() + CLOSED_LIMIT_NS;

	while (!must_end(disk) && backend_is_same(disk)) {
		enum xenbus_state state = backend_state(disk);

		if (state == XenbusStateClosed || state == XenbusStateUnknown ||
		    fiber_event_wait(&disk->event, deadline))
			return;
	}
}

/* Then what it did not say may be so all the same, and no watch will tell. */
static bool store_has_failed(const struct blkfront_disk *disk, int error)
{
	char text[8];
	int length = error ? error : bus_read_string(disk->backend, "state", text, sizeof(text));

	return length < 0 && length != -ENOENT && length != -EINVAL && length != -E2BIG;
}

static void connect_once(struct blkfront_disk *disk)
{
	int error = backend_find(disk);
	enum xenbus_state state = error ? XenbusStateUnknown : backend_state(disk);
	bool failed;

	if (disk->device.gone || (!error && state_is_leaving(disk, state)))
		detach(disk);
	if (state == XenbusStateUnknown || state_is_leaving(disk, state)) {
		(void)!fiber_event_wait(&disk->event, store_has_failed(disk, error)
							      ? loop_now_ns() + UNKNOWN_LOOK_NS
							      : FIBER_FOREVER);
		return;
	}
	if (blkfront_pages_take(disk)) {
		log_limited(&disk->log_limit, LOG_ERROR, disk->device.name, "no pages for it");
		fiber_sleep_until(loop_now_ns() + LOST_LOOK_NS);
		return;
	}
	/* One that keeps what it was lent gets nothing more. */
	if (blkfront_lost_find(disk)) {
		(void)!fiber_event_wait(&disk->event, lost_look(disk));
		return;
	}
	if (bus_state_write(STORE_NO_TRANSACTION, disk->directory, XenbusStateInitialising) ||
	    backend_wait_for(disk, XenbusStateInitWait))
		return;
	error = connection_make(disk);
	if (!error)
		connection_serve(disk);
	else if (!must_end(disk))
		log_limited(&disk->log_limit, LOG_WARNING, disk->device.name,
			    "cannot connect: error %d", error);
	failed = error || disk->broken;
	blkfront_connection_end(disk, failed ? XenbusStateClosing : XenbusStateClosed);
	tell(disk);
	if (bus_state_write(STORE_NO_TRANSACTION, disk->directory, XenbusStateClosed))
		log_line(LOG_DEBUG, disk->device.name, "its directory is gone");
	backend_wait_closed(disk);
	/* What failed may fail again, and the store is everybody's. */
	if (failed && !must_end(disk))
		fiber_sleep_until(loop_now_ns() + RETRY_NS);
}

static bool directory_is_there(const struct blkfront_disk *disk)
{
	return bus_state_read(disk->directory) != XenbusStateUnknown;
}

/* At the end of the guest its users keep what they have of it. */
static void close_for_good(struct blkfront_disk *disk)
{
	disk->device.gone = true;
	disk->device.up = false;
	blkfront_requests_fail(disk, -ENODEV);
	tell(disk);
}

/* Without it nobody would tell us that the disk is taken away. */
static bool directory_watch(struct blkfront_disk *disk)
{
	if (store_watch_add(&disk->directory_watch, disk->directory, &disk->event) == 0)
		return true;
	log_limited(&disk->log_limit, LOG_ERROR, disk->device.name, "%s cannot be watched",
		    disk->directory);
	fiber_sleep_until(loop_now_ns() + LOST_LOOK_NS);
	return false;
}

void blkfront_disk_serve(void *argument)
{
	struct blkfront_disk *disk = argument;
	bool watched = directory_watch(disk);

	while (!must_end(disk) && directory_is_there(disk)) {
		if (watched)
			connect_once(disk);
		else
			watched = directory_watch(disk);
	}
	store_watch_remove(&disk->backend_watch);
	store_watch_remove(&disk->directory_watch);
	disk->ended = true;
	blkfront_progress();
	if (blkfront_is_closing()) {
		close_for_good(disk);
		return;
	}
	detach(disk);
	blkfront_retire(disk);
	/* References of memory that was given up: they come back as long as we look. */
	while (disk->kept_loans != BLKFRONT_NONE && !blkfront_is_closing()) {
		fiber_sleep_until(loop_now_ns() + LOST_LOOK_NS);
		(void)blkfront_lost_find(disk);
	}
	blkfront_forget(disk);
}
