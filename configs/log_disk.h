/* SPDX-License-Identifier: ISC */
/*
 * Keeps the log on a disk: lines and packets, in the format of lib/log_disk.h, which
 * `ringwall-log` reads in dom0. What stats say is flushed is on the disk whatever happens
 * next, if the disk keeps what it promises.
 *
 * Whoever has something to keep gives it and goes on: it is copied into memory of a fixed
 * size, from where it goes to the disk in batches. While the disk is slow, away or failing
 * the oldest of it makes room, which is counted, and shows in the log. Nothing here waits.
 *
 *	log_disk_init(&log, &config);			before there is a disk
 *	log_disk_line(&log, line, length);		by the log's sink
 *	log_disk_run(&log, now), log_disk_next_ns(&log)	by a timer of the loop
 *	log_disk_attach(&log, device);			when there is one
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"
#include "lib/log.h"
#include "lib/log_disk.h"
#include "lib/random.h"
#include "net/packet_log.h"

#define LOG_DISK_FLUSH_NS 1000000000ull
#define LOG_DISK_FLUSH_BYTES 16384u
#define LOG_DISK_MEMORY_LEAST 8192u
#define LOG_DISK_READS 16u

struct log_disk_config {
	void *memory; /* for what waits; it lives as long as the log */
	size_t bytes; /* at least LOG_DISK_MEMORY_LEAST */
	struct random *random;
	uint64_t (*now_ns)(void);  /* as clock_now_ns() */
	uint64_t (*wall_ns)(void); /* as clock_wall_ns() */
	/* Its new records are kept, with times of now_ns(). NULL: no packets. */
	const struct packet_log *packets;
	uint64_t flush_ns;    /* nothing waits longer for its flush to begin; 0: a second */
	uint32_t flush_bytes; /* nor when so much waits; 0: LOG_DISK_FLUSH_BYTES */
};

struct log_disk_stats {
	uint64_t lines, packets; /* given */
	uint64_t dropped;	 /* of them: made room before they were written */
	uint64_t flushed;	 /* of them: on the disk */
	uint64_t flushes;
	uint64_t bytes; /* written, with all that surrounds records */
	uint64_t segments;
	uint64_t errors; /* requests that failed */
};

enum log_disk_state {
	LOG_DISK_NONE,	  /* no disk is attached */
	LOG_DISK_LOOKING, /* what is on it? */
	LOG_DISK_MAKING,  /* it gets a superblock */
	LOG_DISK_READY,
	LOG_DISK_REFUSED, /* it holds something else, or cannot be used; the console said why */
};

/* One log; about 2 KiB. Fields are for configs/log_disk*.c, but for `stats` and `state`. */
struct log_disk {
	struct log_disk_config config;
	struct log_disk_stats stats;
	enum log_disk_state state;

	/* Records that are not flushed yet: a ring of bytes. Numbers are those of this run. */
	size_t first, used;
	uint64_t first_number, next_number;
	uint64_t oldest_ns; /* beside a batch under way nothing is older; of now_ns() */
	uint64_t hurry_number;
	uint64_t packets_seen;
	uint64_t run;

	struct block_device *device;
	uint64_t offset;
	uint64_t sectors; /* that it had when it was looked at */
	bool may_format, leaving;
	bool no_flush;	/* it refused one though it offered it */
	bool unflushed; /* and nothing can be promised, which has been said */
	struct log_disk_super super;
	uint8_t *buffer;
	uint32_t buffers_held; /* that a backend did not give back */

	struct block_request requests[LOG_DISK_READS];
	int results[LOG_DISK_READS];
	uint32_t asked, under_way;
	uint64_t wait_ns; /* nothing is asked before; after an error */
	uint64_t backoff_ns;
	uint32_t tries; /* segments begun since something was flushed */
	struct log_limit limit;

	/* Looking: what comes now, what was found. */
	uint32_t step;
	uint64_t at;
	uint32_t found, unreadable, not_read;
	uint64_t oldest_sequence, since_ns;

	/* Writing. */
	struct log_disk_segment segment; /* the newest */
	uint64_t segment_at;		 /* bytes of it in use; 0: the next one has to be begun */
	struct log_disk_batch batch;	 /* under way */
};

/* Begins to collect. */
void log_disk_init(struct log_disk *log, const struct log_disk_config *config);

/*
 * Keeps a line (with or without its newline). Also from within log_line(), of which
 * these functions make use.
 */
void log_disk_line(struct log_disk *log, const char *line, size_t length);

/*
 * Uses a device, whose geometry is known, from byte `offset` on (a multiple of 4096 and of the
 * device's physical sectors). Looks what is on it and goes on behind the newest segment; or
 * formats it, if its beginning and its end are blank (a MiB of zeroes each), or if the caller
 * says that what is there, unless it is a log, may be overwritten: `may_format`. All else is
 * refused with a message.
 *
 * A log keeps the size that it was formatted with: on a disk that has grown the rest stays
 * unused; on one that has shrunk what is missing is passed over. When the size changes the
 * disk is looked at again, as it may be another one.
 *
 * 0: it goes on in the background. -EINVAL: no such offset, or sectors of more than
 * LOG_DISK_UNIT_MOST; -EROFS; -ENOSPC: too small; -ENOMEM; -ENODEV; -EALREADY: there is a disk.
 */
must_check int log_disk_attach(struct log_disk *log, struct block_device *device, uint64_t offset,
			       bool may_format);

/*
 * Leaves the device, at once when nothing is under way, else when the last request is
 * reported: `state` is LOG_DISK_NONE then and `device` NULL, and another one may be attached. Also
 * happens by itself when the device is gone. What waits goes on waiting.
 */
void log_disk_detach(struct log_disk *log);

/* Does what is to be done now; from the loop, every round or at log_disk_next_ns(). */
void log_disk_run(struct log_disk *log, uint64_t now_ns);

/* When it wants to run, of now_ns(); UINT64_MAX: not before something comes. */
uint64_t log_disk_next_ns(const struct log_disk *log);

/* What was given so far is to be flushed now, as before a shutdown. */
void log_disk_hurry(struct log_disk *log);

/* All that was given is flushed, or there is no disk where it could be. */
bool log_disk_is_clean(const struct log_disk *log);

/* "log disk xvdb: ready, ...": some lines for the console. */
void log_disk_print_stats(const struct log_disk *log, void (*line)(void *context, const char *text),
			  void *context);
