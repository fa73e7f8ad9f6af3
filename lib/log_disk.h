/* SPDX-License-Identifier: ISC */
/*
 * A log on a disk: its format. Who writes it (configs/log_disk.h) and who reads it
 * (lib/log_disk_reader.h) share this; there is no I/O here.
 *
 *	0		the superblock, written once, when the disk is formatted
 *	32 KiB		the same again, for readers, should the first one be damaged
 *	64 KiB		the segments, all of one size, a ring: the next one to be written is
 *			the one behind the newest
 *
 * A segment is a header of one unit, then batches, each of which begins at a unit and is
 * padded with zeroes to the next one. A unit is no smaller than a physical sector, so no
 * sector that holds what has been flushed is ever written again before its segment's turn
 * comes again: what is torn or lost when the power fails was not flushed. A batch is a
 * header and records, and is good when its checksum is.
 *
 * What is old is never taken for new: a segment has the disk's identity, which is drawn
 * when it is formatted, and a number of its own, drawn when it is begun, which all of its
 * batches bear. Records are counted from 0 for each run of a writer, also those that it
 * had to leave out: a reader sees gaps, and what was written twice because the disk said
 * that it had failed.
 *
 * Numbers are little-endian; offsets count from the beginning of the log, in bytes. All
 * that is read may be anything: every function checks all that it is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define LOG_DISK_VERSION 1u
#define LOG_DISK_ID_BYTES 16u
#define LOG_DISK_SECTOR_BYTES 512u /* of which superblock and segment header have one */
#define LOG_DISK_SUPERS 2u
#define LOG_DISK_SUPER_DISTANCE 32768u /* bytes from one superblock to the next */
#define LOG_DISK_HEAD_BYTES 65536u     /* before the first segment */
#define LOG_DISK_UNIT_LEAST 4096u
#define LOG_DISK_UNIT_MOST 16384u
#define LOG_DISK_SEGMENTS_LEAST 4u
#define LOG_DISK_SEGMENTS_MOST 1024u
#define LOG_DISK_SEGMENT_LEAST 65536u /* bytes */
#define LOG_DISK_SEGMENT_MOST (1ull << 40)
#define LOG_DISK_BATCH_HEADER 64u
#define LOG_DISK_BATCH_MOST 32768u /* bytes, padding and all */
#define LOG_DISK_RECORD_LEAST 16u
#define LOG_DISK_RECORD_MOST 1024u
#define LOG_DISK_LINE_MOST (LOG_DISK_RECORD_MOST - LOG_DISK_RECORD_LEAST)

/* ---- the disk ---- */

struct log_disk_super {
	uint8_t id[LOG_DISK_ID_BYTES];
	uint32_t unit_bytes; /* a power of two */
	uint32_t segments;
	uint64_t segment_bytes; /* a power of two */
	uint64_t made_ns;	/* since 1970-01-01 00:00 UTC */
};

/*
 * Divides `bytes` of a disk with such physical sectors into segments: fills all in but id
 * and time. 0; -ENOSPC: too small; -EINVAL: sectors of more than LOG_DISK_UNIT_MOST.
 */
must_check int log_disk_plan(struct log_disk_super *super, uint64_t bytes,
			     uint32_t physical_sector_bytes);

/* All bytes of the log, from the superblock to the end of the last segment. */
uint64_t log_disk_bytes(const struct log_disk_super *super);

/* Where segment `index` begins. */
uint64_t log_disk_segment_at(const struct log_disk_super *super, uint32_t index);

/* Fills LOG_DISK_SECTOR_BYTES at `sector`. */
void log_disk_super_write(const struct log_disk_super *super, uint8_t *sector);

/*
 * Reads it from LOG_DISK_SECTOR_BYTES. 0: all of it makes sense; -ENOENT: it is none;
 * -EPROTONOSUPPORT: one of another version; -EINVAL: a damaged one.
 */
must_check int log_disk_super_read(struct log_disk_super *super, const uint8_t *sector);

/*
 * True for sector `which` (0: the first) of zeroes, or with what a superblock that was being
 * written over zeroes has left there when the power failed: nobody's data. The second one
 * is written first, so it may be whole.
 */
must_check bool log_disk_super_is_blank(const uint8_t *sector, uint32_t which);

/* ---- segments ---- */

struct log_disk_segment {
	uint64_t sequence; /* of segments begun on this disk, from 1 */
	uint64_t nonce;	   /* in all of its batches */
	uint64_t run;	   /* the same for all segments of one run of a writer, drawn by it */
	uint64_t begun_ns; /* since 1970-01-01 00:00 UTC */
	uint32_t index;	   /* its place */
};

/* Fills LOG_DISK_SECTOR_BYTES at `sector`. */
void log_disk_segment_write(const struct log_disk_super *super,
			    const struct log_disk_segment *segment, uint8_t *sector);

/*
 * Reads the header at place `index`. 0; -ENOENT: there is none, or one of an earlier life of
 * the disk; -EINVAL: a damaged one, or one of another place.
 */
must_check int log_disk_segment_read(const struct log_disk_super *super, uint32_t index,
				     struct log_disk_segment *segment, const uint8_t *sector);

/* ---- batches ---- */

struct log_disk_batch {
	uint64_t nonce;	       /* the segment's */
	uint64_t first_record; /* its number in this run */
	uint64_t written_ns;   /* since 1970-01-01 00:00 UTC */
	uint32_t number;       /* in its segment, from 0 */
	uint32_t records;
	uint32_t bytes; /* header and records, without padding */
};

/*
 * Makes a batch of the records that stand behind LOG_DISK_BATCH_HEADER bytes at `to`:
 * header, checksum.
 */
void log_disk_batch_write(const struct log_disk_batch *batch, uint8_t *to);

/*
 * Reads a header from LOG_DISK_BATCH_HEADER bytes: 0, and `batch->bytes` is how many
 * make the batch, between LOG_DISK_BATCH_HEADER and LOG_DISK_BATCH_MOST; -ENOENT: no batch
 * of a segment with this nonce; -EINVAL: a damaged one.
 */
must_check int log_disk_batch_read(uint64_t nonce, struct log_disk_batch *batch,
				   const uint8_t *header);

/* The checksum of all of `batch->bytes` at `from` is right. */
must_check bool log_disk_batch_is_good(const struct log_disk_batch *batch, const uint8_t *from);

/* ---- records ---- */

enum log_disk_kind { LOG_DISK_LINE = 1, LOG_DISK_PACKET = 2 };
enum log_disk_direction { LOG_DISK_IN = 1, LOG_DISK_OUT = 2 };
enum log_disk_verdict {
	LOG_DISK_PASS = 1,
	LOG_DISK_BLOCK = 2,
	LOG_DISK_BLOCK_RETURN = 3, /* it was answered */
	LOG_DISK_DROP = 4,	   /* no rule decided */
};

/* Text without a NUL, of whatever bytes: who prints it makes them printable. */
struct log_disk_text {
	const char *bytes;
	uint32_t length;
};

struct log_disk_packet {
	uint64_t left_out;		/* that were not kept, between the one before and this */
	uint32_t length;		/* that it had, with its Ethernet header */
	uint32_t line;			/* of the rule; 0: no rule decided */
	uint16_t captured;		/* bytes, no more than length */
	uint8_t direction;		/* enum log_disk_direction, or a later one */
	uint8_t verdict;		/* enum log_disk_verdict, or a later one */
	struct log_disk_text interface; /* each of at most 63 bytes */
	struct log_disk_text label;
	struct log_disk_text reason; /* name of a drop reason; empty when it passed */
	const uint8_t *bytes;
};

struct log_disk_record {
	uint64_t time_ns;	       /* since 1970-01-01 00:00 UTC */
	uint16_t kind;		       /* enum log_disk_kind, or a later one */
	struct log_disk_text line;     /* of a LOG_DISK_LINE, without its newline */
	struct log_disk_packet packet; /* of a LOG_DISK_PACKET */
};

/*
 * Writes a record at `to`, which has `size` bytes; returns its bytes, or 0 when it does not
 * fit. No record is longer than LOG_DISK_RECORD_MOST: lines and packets are cut.
 */
size_t log_disk_record_write(const struct log_disk_record *record, uint8_t *to, size_t size);

/* How long the record is that begins with LOG_DISK_RECORD_LEAST bytes written by the above. */
uint32_t log_disk_record_bytes(const uint8_t *record);

/*
 * Reads the record at `*at` of a batch's `bytes` bytes at `batch` (at first, `*at` is
 * LOG_DISK_BATCH_HEADER) and moves `*at` behind it. 1; 0: there are no more; -EINVAL: the
 * rest is no record. What it points to is in the batch.
 */
must_check int log_disk_record_read(struct log_disk_record *record, const uint8_t *batch,
				    uint32_t bytes, uint32_t *at);
