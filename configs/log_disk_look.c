/* SPDX-License-Identifier: ISC */
/*
 * What is on a disk: a log, of which the newest segment is looked for in the headers alone;
 * nothing, and it is formatted; or something else, which is left alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "configs/log_disk_parts.h"
#include "lib/minmax.h"
#include "lib/time_text.h"

#define CHUNK_BYTES LOG_DISK_SUPER_DISTANCE /* a superblock is at its beginning, or none */
/* So much at either end tells of partition tables, file systems, volumes and arrays. */
#define BLANK_BYTES (1u << 20)
/* Segments that cannot be read are looked at again until the pauses are so long. */
#define LOOK_AGAIN_NS 4000000000ull

enum step { STEP_SUPER, STEP_BLANK, STEP_SECOND, STEP_FIRST, STEP_SEGMENTS };

static void refuse(struct log_disk *log, const char *why)
{
	log_limited(&log->limit, LOG_ERROR, "logdisk",
		    "%s %s: it is left as it is, and no log is kept", log->device->name, why);
	log_disk_refuse(log);
}

/* ---- is it blank? ---- */

static uint64_t blank_end(const struct log_disk *log)
{
	return log_disk_room(log) / LOG_DISK_UNIT_LEAST * LOG_DISK_UNIT_LEAST;
}

static void blank_ask(struct log_disk *log, uint64_t at)
{
	log->at = at;
	log_disk_ask(log, BLOCK_READ, at, (uint32_t)min64(CHUNK_BYTES, blank_end(log) - at),
		     log->buffer);
	log_disk_submit(log);
}

/* The first byte that is somebody's, of `bytes` at the buffer; `bytes` when there is none. */
static uint32_t first_used(const struct log_disk *log, uint32_t bytes)
{
	uint8_t sector[LOG_DISK_SECTOR_BYTES];
	uint64_t super = log->at / LOG_DISK_SUPER_DISTANCE;
	uint32_t i = 0;

	if (log->at % LOG_DISK_SUPER_DISTANCE == 0 && super < LOG_DISK_SUPERS) {
		memcpy(sector, log->buffer, sizeof(sector));
		if (!log_disk_super_is_blank(sector, (uint32_t)super))
			return 0;
		i = sizeof(sector);
	}
	while (i < bytes && !log->buffer[i])
		i++;
	return i;
}

/* ---- formatting ---- */

static void super_send(struct log_disk *log, enum step step)
{
	uint64_t at = step == STEP_SECOND ? LOG_DISK_SUPER_DISTANCE : 0;

	log->step = step;
	memset(log->buffer, 0, log->super.unit_bytes);
	log_disk_super_write(&log->super, log->buffer);
	log_disk_ask(log, BLOCK_WRITE, at, log->super.unit_bytes, log->buffer);
	log_disk_submit(log);
}

/* The second one first: as long as the first one is not whole, there is no log. */
static void make(struct log_disk *log)
{
	if (log_disk_plan(&log->super, log_disk_room(log),
			  log->device->geometry.physical_sector_bytes)) {
		refuse(log, "is too small for a log");
		return;
	}
	log->state = LOG_DISK_MAKING;
	random_bytes(log->config.random, log->super.id, sizeof(log->super.id));
	log->super.made_ns = log->config.wall_ns();
	super_send(log, STEP_SECOND);
}

static void blank_look_at(struct log_disk *log)
{
	uint64_t end = blank_end(log), next;
	uint32_t bytes = (uint32_t)min64(CHUNK_BYTES, end - log->at);
	uint32_t used = first_used(log, bytes);

	if (used < bytes) {
		log_limited(&log->limit, LOG_ERROR, "logdisk",
			    "%s holds something else (at byte %" PRIu64
			    "): it is left as it is, and no log is kept",
			    log->device->name, log->offset + log->at + used);
		log_disk_refuse(log);
		return;
	}
	next = log->at + bytes;
	if (next >= BLANK_BYTES && end > BLANK_BYTES && next < end - BLANK_BYTES)
		next = end - BLANK_BYTES;
	if (next < end)
		blank_ask(log, next);
	else
		make(log);
}

/* ---- segments ---- */

static void ready(struct log_disk *log)
{
	char time[TIME_TEXT_BYTES];

	/* No number twice, also if one that cannot be read now can be read later. */
	log->segment.sequence += log->unreadable;
	log->segment_at = 0;
	log->state = LOG_DISK_READY;
	log->backoff_ns = 0;
	if (log->found)
		log_limited(&log->limit, LOG_INFO, "logdisk",
			    "%s holds %" PRIu32 " of %" PRIu32 " segments of %" PRIu64
			    " KiB, from %s on",
			    log->device->name, log->found, log->super.segments,
			    log->super.segment_bytes / 1024, time_text_format(log->since_ns, time));
	else
		log_limited(&log->limit, LOG_INFO, "logdisk",
			    "%s is empty: %" PRIu32 " segments of %" PRIu64 " KiB",
			    log->device->name, log->super.segments,
			    log->super.segment_bytes / 1024);
	if (log->unreadable)
		log_limited(&log->limit, LOG_WARNING, "logdisk",
			    "%s: %" PRIu32 " segments cannot be read", log->device->name,
			    log->unreadable);
}

static void segments_ask(struct log_disk *log)
{
	uint64_t room = log_disk_room(log);

	for (uint32_t i = 0; i < LOG_DISK_READS && log->at + i < log->super.segments; i++) {
		uint64_t at = log_disk_segment_at(&log->super, (uint32_t)log->at + i);

		if (at + log->super.segment_bytes > room)
			break;
		log_disk_ask(log, BLOCK_READ, at, LOG_DISK_UNIT_LEAST,
			     log->buffer + i * LOG_DISK_UNIT_LEAST);
	}
	if (log->asked)
		log_disk_submit(log);
	else if (log->not_read && (!log->found || log->backoff_ns < LOOK_AGAIN_NS))
		log_disk_back_off(log, -EIO, "cannot be read");
	else
		ready(log);
}

static void segment_look_at(struct log_disk *log, const struct log_disk_segment *segment)
{
	if (segment->sequence > log->segment.sequence)
		log->segment = *segment;
	if (!log->found || segment->sequence < log->oldest_sequence) {
		log->oldest_sequence = segment->sequence;
		log->since_ns = segment->begun_ns;
	}
	log->found++;
}

static void segments_look_at(struct log_disk *log, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t sector[LOG_DISK_SECTOR_BYTES];
		struct log_disk_segment segment;
		int error = log->results[i];

		log->not_read += error != 0;
		memcpy(sector, log->buffer + i * LOG_DISK_UNIT_LEAST, sizeof(sector));
		if (!error)
			error = log_disk_segment_read(&log->super, (uint32_t)log->at + i, &segment,
						      sector);
		if (!error)
			segment_look_at(log, &segment);
		else if (error != -ENOENT)
			log->unreadable++;
	}
	log->at += count;
	segments_ask(log);
}

static void size_say(struct log_disk *log)
{
	uint64_t room = log_disk_room(log), bytes = log_disk_bytes(&log->super);

	if (room < bytes)
		log_limited(&log->limit, LOG_WARNING, "logdisk",
			    "%s has shrunk: the log's last %" PRIu64 " KiB are missing",
			    log->device->name, (bytes - room) / 1024);
	else if (room - bytes >= log->super.segment_bytes &&
		 log->super.segments < LOG_DISK_SEGMENTS_MOST)
		log_limited(&log->limit, LOG_INFO, "logdisk",
			    "%s has grown: the log keeps its size, %" PRIu64 " KiB are not used",
			    log->device->name, (room - bytes) / 1024);
	if (log->device->geometry.physical_sector_bytes > log->super.unit_bytes)
		log_limited(&log->limit, LOG_WARNING, "logdisk",
			    "%s was formatted for smaller sectors: a loss of power may damage more "
			    "than what was not flushed",
			    log->device->name);
}

static void segments_begin(struct log_disk *log)
{
	log->step = STEP_SEGMENTS;
	log->at = 0;
	log->found = log->unreadable = log->not_read = 0;
	log->segment = (struct log_disk_segment){ .index = log->super.segments - 1 };
	size_say(log);
	segments_ask(log);
}

/* ---- in order ---- */

static void super_look_at(struct log_disk *log)
{
	uint8_t sector[LOG_DISK_SECTOR_BYTES];
	int error;

	memcpy(sector, log->buffer, sizeof(sector));
	error = log_disk_super_read(&log->super, sector);
	log->step = STEP_BLANK;
	if (!error)
		segments_begin(log);
	else if (error == -EPROTONOSUPPORT)
		refuse(log, "holds a log of another version");
	else if (error == -EINVAL && !log_disk_super_is_blank(sector, 0))
		refuse(log, "holds a log whose superblock is damaged");
	else if (log->may_format)
		make(log);
	else
		blank_look_at(log);
}

void log_disk_look(struct log_disk *log)
{
	log->state = LOG_DISK_LOOKING;
	log->step = STEP_SUPER;
	log->sectors = log->device->geometry.sectors;
	if (log_disk_room(log) < LOG_DISK_HEAD_BYTES)
		log_disk_back_off(log, -ENOSPC, "cannot be used");
	else
		blank_ask(log, 0);
}

void log_disk_look_on(struct log_disk *log)
{
	int error = log_disk_result(log);
	uint32_t asked = log->asked;

	log->asked = 0;
	if (log->sectors != log->device->geometry.sectors) {
		log_disk_look(log);
		return;
	}
	if (!asked && log->state == LOG_DISK_MAKING) {
		super_send(log, STEP_SECOND);
		return;
	}
	if (!asked) {
		log_disk_look(log);
		return;
	}
	/* A segment that cannot be read is none; without the rest there is nothing to do. */
	if (error && (log->step != STEP_SEGMENTS || log_disk_any_result(log, -EBUSY))) {
		log_disk_back_off(log, error, "cannot be used");
		return;
	}
	switch ((enum step)log->step) {
	case STEP_SUPER:
		super_look_at(log);
		break;
	case STEP_BLANK:
		blank_look_at(log);
		break;
	case STEP_SECOND:
		super_send(log, STEP_FIRST);
		break;
	case STEP_FIRST:
		segments_begin(log);
		break;
	case STEP_SEGMENTS:
		segments_look_at(log, asked);
		break;
	}
}
