/* SPDX-License-Identifier: ISC */
#include "lib/log_disk_reader.h"

#include <errno.h>
#include <string.h>

#include "lib/minmax.h"

#define SEARCH_MOST (16ull << 20) /* bytes in which a good batch is looked for behind a bad one */

static int source_read(const struct log_disk_reader *reader, uint64_t at, size_t bytes, void *to)
{
	const struct log_disk_source *source = &reader->source;

	if (at > source->bytes || bytes > source->bytes - at)
		return -ENOSPC;
	return source->read(source->context, at, to, bytes);
}

/* ---- superblock and segments ---- */

static int super_find(struct log_disk_reader *reader)
{
	int error = -ENOENT;

	for (uint32_t i = 0; i < LOG_DISK_SUPERS; i++) {
		int result = source_read(reader, (uint64_t)i * LOG_DISK_SUPER_DISTANCE,
					 LOG_DISK_UNIT_LEAST, reader->memory);

		if (result == 0)
			result = log_disk_super_read(&reader->super, reader->memory);
		reader->second = i > 0;
		if (result == 0)
			return 0;
		/* What the first one says is worth more, unless it says nothing. */
		if (error == -ENOENT)
			error = result;
	}
	return error;
}

static void segment_insert(struct log_disk_reader *reader, const struct log_disk_segment *segment)
{
	uint32_t i = reader->count++;

	for (; i && reader->segments[i - 1].sequence > segment->sequence; i--)
		reader->segments[i] = reader->segments[i - 1];
	reader->segments[i] = *segment;
}

static void segments_find(struct log_disk_reader *reader)
{
	const struct log_disk_super *super = &reader->super;

	reader->count = reader->unreadable = reader->missing = 0;
	for (uint32_t i = 0; i < super->segments; i++) {
		uint64_t at = log_disk_segment_at(super, i);
		struct log_disk_segment segment;
		int error;

		if (at + super->segment_bytes > reader->source.bytes) {
			reader->missing++;
			continue;
		}
		error = source_read(reader, at, LOG_DISK_UNIT_LEAST, reader->memory);
		if (error == 0)
			error = log_disk_segment_read(super, i, &segment, reader->memory);
		if (error == 0)
			segment_insert(reader, &segment);
		else if (error != -ENOENT)
			reader->unreadable++;
	}
}

static void segment_enter(struct log_disk_reader *reader, uint32_t which)
{
	reader->which = which;
	reader->batch_at = 0;
	if (which >= reader->count)
		return;
	reader->now = reader->segments[which];
	reader->at = reader->super.unit_bytes;
	reader->next_batch = 0;
}

void log_disk_reader_begin(struct log_disk_reader *reader, uint32_t which)
{
	segment_enter(reader, which);
	reader->in_run = false;
	reader->records = reader->batches = 0;
	reader->left_out = reader->twice = reader->damaged = 0;
}

int log_disk_reader_open(struct log_disk_reader *reader, const struct log_disk_source *source,
			 uint8_t *memory)
{
	int error;

	memset(reader, 0, sizeof(*reader));
	reader->source = *source;
	reader->memory = memory;
	error = super_find(reader);
	if (error)
		return error;
	segments_find(reader);
	log_disk_reader_begin(reader, 0);
	return 0;
}

/*
 * Where it was, or at what has taken its place. Two segments have one number where a disk that had
 * shrunk has grown again.
 */
static void place_find(struct log_disk_reader *reader)
{
	const struct log_disk_segment *now = &reader->now;
	uint32_t i = 0;

	while (i < reader->count && (reader->segments[i].sequence != now->sequence ||
				     reader->segments[i].nonce != now->nonce))
		i++;
	reader->which = i;
	if (i < reader->count)
		return;
	for (i = 0; i < reader->count && reader->segments[i].sequence < now->sequence;)
		i++;
	segment_enter(reader, i);
}

void log_disk_reader_again(struct log_disk_reader *reader)
{
	struct log_disk_super before = reader->super;

	if (super_find(reader))
		reader->super = before;
	reader->batch_at = 0;
	segments_find(reader);
	if (memcmp(before.id, reader->super.id, sizeof(before.id)) != 0)
		log_disk_reader_begin(reader, 0);
	else
		place_find(reader);
}

/* ---- batches ---- */

/* Reads the batch at `at` of the segment. 0; -ENOENT: none of this segment; else an error. */
static int batch_load(struct log_disk_reader *reader, uint64_t at, struct log_disk_batch *batch)
{
	const struct log_disk_super *super = &reader->super;
	uint64_t from = log_disk_segment_at(super, reader->now.index) + at;
	uint32_t unit = super->unit_bytes, padded;
	int error = source_read(reader, from, unit, reader->memory);

	if (error == 0)
		error = log_disk_batch_read(reader->now.nonce, batch, reader->memory);
	if (error)
		return error;
	padded = (batch->bytes + unit - 1) / unit * unit;
	if (padded > super->segment_bytes - at || batch->number < reader->next_batch)
		return -EINVAL;
	if (padded > unit)
		error = source_read(reader, from + unit, padded - unit, reader->memory + unit);
	if (error)
		return error;
	return log_disk_batch_is_good(batch, reader->memory) ? 0 : -EINVAL;
}

/* What of it is new, and what is missing before it. */
static void batch_count(struct log_disk_reader *reader)
{
	const struct log_disk_batch *batch = &reader->batch;
	uint64_t end = batch->first_record + batch->records, expected = 0;

	if (reader->in_run && reader->run == reader->now.run)
		expected = reader->next_record;
	else if (!reader->in_run)
		expected = batch->first_record;
	reader->skip = 0;
	if (batch->first_record < expected)
		reader->skip = (uint32_t)min64(batch->records, expected - batch->first_record);
	else
		reader->left_out += batch->first_record - expected;
	reader->twice += reader->skip;
	reader->in_run = true;
	reader->run = reader->now.run;
	reader->next_record = end > expected ? end : expected;
}

static void batch_begin(struct log_disk_reader *reader, uint64_t at,
			const struct log_disk_batch *batch)
{
	uint32_t unit = reader->super.unit_bytes;

	reader->batch = *batch;
	reader->damaged += batch->number - reader->next_batch;
	reader->at = at + (batch->bytes + unit - 1) / unit * unit;
	reader->next_batch = batch->number + 1;
	reader->batch_at = LOG_DISK_BATCH_HEADER;
	reader->left = batch->records;
	reader->batches++;
	batch_count(reader);
}

/*
 * How far behind `at` another batch may begin, if the one there is none that is good. One is no
 * longer than the longest: farther away there is nothing, unless more than that is damaged. That is
 * looked for where nobody writes any more.
 */
static uint64_t search_end(const struct log_disk_reader *reader, bool damaged)
{
	bool newest = reader->which + 1 == reader->count;
	uint64_t most = damaged && !newest ? SEARCH_MOST : LOG_DISK_BATCH_MOST + 1;

	return min64(reader->super.segment_bytes, reader->at + most);
}

/* The next good batch of the segment. */
static bool batch_find(struct log_disk_reader *reader, bool *damaged)
{
	struct log_disk_batch batch;

	*damaged = false;
	for (uint64_t at = reader->at; at < search_end(reader, *damaged);
	     at += reader->super.unit_bytes) {
		int error = batch_load(reader, at, &batch);

		if (error == 0) {
			batch_begin(reader, at, &batch);
			return true;
		}
		*damaged |= at == reader->at && error != -ENOENT;
	}
	return false;
}

/* True: there is a batch; false: there are no more now. */
static bool batch_next(struct log_disk_reader *reader)
{
	while (reader->which < reader->count) {
		bool damaged;

		if (batch_find(reader, &damaged))
			return true;
		/* What is behind the newest is perhaps being written. */
		if (reader->which + 1 == reader->count)
			return false;
		reader->damaged += damaged;
		segment_enter(reader, reader->which + 1);
	}
	return false;
}

/* ---- records ---- */

/* The next one of the batch: 1, or 0: there are no more. */
static int record_next(struct log_disk_reader *reader, struct log_disk_record *record)
{
	int result = 0;

	if (reader->left)
		result = log_disk_record_read(record, reader->memory, reader->batch.bytes,
					      &reader->batch_at);
	if (result == 1) {
		reader->left--;
		return 1;
	}
	reader->damaged += result < 0 || reader->left;
	reader->batch_at = 0;
	return 0;
}

int log_disk_reader_next(struct log_disk_reader *reader, struct log_disk_record *record)
{
	for (;;) {
		if (!reader->batch_at && !batch_next(reader))
			return 0;
		if (!record_next(reader, record))
			continue;
		if (reader->skip) {
			reader->skip--;
			continue;
		}
		reader->records++;
		return 1;
	}
}
