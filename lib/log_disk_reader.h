/* SPDX-License-Identifier: ISC */
/*
 * Reads a log on a disk (lib/log_disk.h), whoever has written to that disk: all records
 * that are whole, once each, from the oldest to the newest. Also while it is written, and
 * again later for what has come since. What is in a segment behind 16 MiB of damage is passed
 * over.
 *
 * The work is bounded by the size of the disk, whatever it holds. Memory is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/log_disk.h"

/* Where the log is. All offsets and sizes asked for are multiples of LOG_DISK_UNIT_LEAST. */
struct log_disk_source {
	/* Reads from byte `at` of the log. 0, or a negative error: that part cannot be read. */
	int (*read)(void *context, uint64_t at, void *to, size_t bytes);
	void *context;
	uint64_t bytes; /* that there are */
};

/* About 41 KiB. Fields are for looking at. */
struct log_disk_reader {
	struct log_disk_source source;
	struct log_disk_super super;
	bool second; /* the first superblock is damaged */

	/* In the order of their sequence. */
	struct log_disk_segment segments[LOG_DISK_SEGMENTS_MOST];
	uint32_t count;
	uint32_t unreadable; /* segments whose header could not be read or is damaged */
	uint32_t missing;    /* beyond the end of the disk */

	/* Where the reading is: which segment of those, its bytes behind it. */
	uint32_t which;
	struct log_disk_segment now;
	uint64_t at;
	uint32_t next_batch; /* the least number that it may have */
	uint64_t run, next_record;
	bool in_run;

	struct log_disk_batch batch;
	uint32_t batch_at; /* of the record that comes now; 0: none is there */
	uint32_t skip;	   /* records of it that were read before */
	uint32_t left;	   /* that it still says it has */

	/* Found since it began. */
	uint64_t records, batches;
	uint64_t left_out; /* records that were never written, or are lost */
	uint64_t twice;	   /* that stood there a second time */
	uint64_t damaged;  /* batches */

	uint8_t *memory; /* LOG_DISK_BATCH_MOST bytes, aligned as the source likes it */
};

/*
 * Looks for a log and its segments, and begins at the oldest one. 0; -ENOENT: there is no
 * log; -EPROTONOSUPPORT: one of another version; -EINVAL: it is damaged; or an error of
 * the source's.
 */
must_check int log_disk_reader_open(struct log_disk_reader *reader,
				    const struct log_disk_source *source, uint8_t *memory);

/*
 * The next record: 1, and it stays until the next call; 0: there are no more now, but
 * log_disk_reader_again() may find some.
 */
must_check int log_disk_reader_next(struct log_disk_reader *reader, struct log_disk_record *record);

/* Looks for segments again; goes on where it was. */
void log_disk_reader_again(struct log_disk_reader *reader);

/* Begins with segment `which` of those found, and to count. */
void log_disk_reader_begin(struct log_disk_reader *reader, uint32_t which);
