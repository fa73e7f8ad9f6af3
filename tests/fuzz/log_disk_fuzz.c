/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the reader of the log on a disk: what is on the disk is said by the input,
 * with checksums that are right, so that all of it is looked at. The reader does bounded
 * work, stays within its memory, and gives records in bounds and in order; ringwall-log makes
 * printable lines of them.
 *
 * First what kind of disk, then pieces: where, and what to put there.
 */
#include "lib/log_disk_reader.h"

#include <stdlib.h>
#include <string.h>

#include "configs/log/log.h"
#include "tests/fuzz/script.h"

#define SEGMENTS 4u
#define DISK_BYTES (LOG_DISK_HEAD_BYTES + SEGMENTS * LOG_DISK_SEGMENT_LEAST)
#define UNITS (DISK_BYTES / LOG_DISK_UNIT_LEAST)
/* A superblock, headers, and each unit as the beginning of a batch that is none, or is. */
#define BYTES_READ_MOST (20ull * DISK_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t disk[DISK_BYTES];
static struct log_disk_reader reader;
static struct log_disk_super super;
static uint64_t bytes_read;
static uint32_t bad_unit;

static int disk_read(void *context, uint64_t at, void *to, size_t bytes)
{
	(void)context;
	fuzz_assert(at % LOG_DISK_UNIT_LEAST == 0 && bytes % LOG_DISK_UNIT_LEAST == 0);
	fuzz_assert(bytes && at < DISK_BYTES && bytes <= DISK_BYTES - at);
	bytes_read += bytes;
	if (bad_unit == at / LOG_DISK_UNIT_LEAST)
		return -5;
	memcpy(to, disk + at, bytes);
	return 0;
}

static uint8_t *place(struct script *script)
{
	return disk + script_u8(script) % UNITS * LOG_DISK_UNIT_LEAST;
}

static void super_put(struct script *script)
{
	uint8_t how = script_u8(script);

	super = (struct log_disk_super){ .unit_bytes = LOG_DISK_UNIT_LEAST << (how & 1),
					 .segments = how & 2 ? script_u16(script) : SEGMENTS,
					 .segment_bytes = how & 4 ? 1ull << script_u8(script) % 64
								  : LOG_DISK_SEGMENT_LEAST,
					 .id = { how } };
	log_disk_super_write(&super, disk + (how & 8 ? LOG_DISK_SUPER_DISTANCE : 0));
}

static void segment_put(struct script *script)
{
	uint8_t how = script_u8(script);
	uint32_t index = how % SEGMENTS;
	struct log_disk_segment segment = { .sequence = script_u8(script),
					    .nonce = how >> 2 & 3,
					    .run = how >> 4 & 1,
					    .begun_ns = script_u8(script),
					    .index = how & 0x20 ? script_u32(script) : index };

	if (how & 0x40)
		segment.sequence = ~segment.sequence;
	log_disk_segment_write(&super, &segment,
			       disk + LOG_DISK_HEAD_BYTES + index * LOG_DISK_SEGMENT_LEAST);
}

static void record_put(struct script *script, uint8_t *to, uint32_t *used, uint32_t most)
{
	uint8_t how = script_u8(script), bytes[64];
	uint32_t count = (uint32_t)script_bytes(script, bytes, how >> 2 & 63);
	struct log_disk_text text = { (const char *)bytes, count };
	struct log_disk_record record = { .time_ns = how, .kind = how & 3, .line = text };

	if (record.kind == LOG_DISK_PACKET)
		record.packet = (struct log_disk_packet){ .length = script_u8(script),
							  .captured = (uint16_t)count,
							  .interface = text,
							  .label = text,
							  .reason = text,
							  .bytes = bytes };
	*used += (uint32_t)log_disk_record_write(&record, to + *used, most - *used);
}

static void batch_put(struct script *script)
{
	uint8_t *to = place(script), how = script_u8(script), bent = script_u8(script);
	uint32_t left = (uint32_t)(disk + DISK_BYTES - to);
	uint32_t most = left < LOG_DISK_BATCH_MOST ? left : LOG_DISK_BATCH_MOST;
	struct log_disk_batch batch = { .nonce = how & 3,
					.number = script_u8(script),
					.first_record = script_u8(script),
					.records = how >> 2 & 15,
					.bytes = LOG_DISK_BATCH_HEADER };

	for (uint32_t i = 0; i < batch.records; i++)
		record_put(script, to, &batch.bytes, most);
	if (how & 0x40 && batch.bytes < most)
		batch.bytes += script_u16(script) % (most - batch.bytes);
	if (bent & 1)
		to[LOG_DISK_BATCH_HEADER + script_u8(script)] = script_u8(script);
	if (bent & 2)
		batch.records = script_u32(script);
	if (bent & 4)
		batch.first_record = ~batch.first_record;
	log_disk_batch_write(&batch, to);
	if (bent & 8)
		to[script_u8(script) % LOG_DISK_BATCH_HEADER] ^= script_u8(script);
}

/* In the batch, behind its header. */
static void bytes_check(const void *bytes, uint32_t count)
{
	const uint8_t *from = bytes, *batch = reader.memory;

	fuzz_assert(!count || (from >= batch + LOG_DISK_BATCH_HEADER &&
			       from + count <= batch + reader.batch.bytes));
}

static void text_check(const struct log_disk_text *text, uint32_t most)
{
	fuzz_assert(text->length <= most);
	bytes_check(text->bytes, text->length);
}

/* What reaches a terminal: one line, printable. Its frame is in memory of just its size. */
static void line_check(struct log_disk_record record)
{
	uint32_t captured = record.packet.captured;
	uint8_t *frame = malloc(captured ? captured : 1);
	char text[RECORD_TEXT_BYTES];
	size_t length;

	if (captured)
		memcpy(frame, record.packet.bytes, captured);
	record.packet.bytes = frame;
	record_text(&record, text, sizeof(text));
	free(frame);
	length = strlen(text);
	fuzz_assert(length && length < sizeof(text) && text[length - 1] == '\n');
	for (size_t i = 0; i + 1 < length; i++)
		fuzz_assert(text[i] >= ' ' && text[i] < 127);
}

static void record_check(const struct log_disk_record *record)
{
	const struct log_disk_packet *packet = &record->packet;

	text_check(&record->line, LOG_DISK_LINE_MOST);
	text_check(&packet->interface, 63);
	text_check(&packet->label, 63);
	text_check(&packet->reason, 63);
	fuzz_assert(packet->captured <= packet->length);
	bytes_check(packet->bytes, packet->captured);
	line_check(*record);
}

/* All records; what a run has given once does not come again. */
static void all_read(void)
{
	struct log_disk_record record;
	uint64_t sequence = 0, records = 0, number;
	uint64_t run = 0, next = 0;

	while (log_disk_reader_next(&reader, &record)) {
		record_check(&record);
		fuzz_assert(++records <= DISK_BYTES / LOG_DISK_RECORD_LEAST);
		fuzz_assert(reader.now.sequence >= sequence);
		number = reader.batch.first_record + reader.batch.records - reader.left - 1;
		if (sequence && reader.now.run == run)
			fuzz_assert(number >= next);
		sequence = reader.now.sequence;
		run = reader.now.run;
		next = number + 1;
	}
	fuzz_assert(bytes_read <= BYTES_READ_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_disk_source source = { .read = disk_read, .bytes = DISK_BYTES };
	struct script script = { data, size };
	uint8_t *memory;

	memset(disk, 0, sizeof(disk));
	bad_unit = script_u8(&script);
	while (script.left) {
		switch (script_u8(&script) % 4) {
		case 0:
			super_put(&script);
			break;
		case 1:
			segment_put(&script);
			break;
		case 2:
			batch_put(&script);
			break;
		default:
			(void)script_bytes(&script, place(&script), script_u8(&script));
		}
	}
	bytes_read = 0;
	memory = malloc(LOG_DISK_BATCH_MOST);
	if (log_disk_reader_open(&reader, &source, memory) == 0) {
		all_read();
		bytes_read = 0;
		log_disk_reader_again(&reader);
		all_read();
	}
	free(memory);
	return 0;
}
