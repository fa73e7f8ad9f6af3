/* SPDX-License-Identifier: ISC */
#include "lib/log_disk.h"

#include <errno.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/minmax.h"

#define MAGIC_BYTES 16u
#define END_BYTES 8u
#define SUPER_CRC_AT (LOG_DISK_SECTOR_BYTES - END_BYTES - 4)
#define SEGMENT_CRC_AT (LOG_DISK_SECTOR_BYTES - 4)
#define BATCH_CRC_FROM 8u /* behind the magic and the checksum */
#define RECORD_KIND_AT 4u
#define TEXT_MOST 63u
#define SEGMENTS_WANTED 256u
#define SEGMENT_WANTED (16u << 20)

static const char super_magic[MAGIC_BYTES + 1] = "RINGWALL DISKLOG";
static const char super_end[END_BYTES + 1] = "DISKLOG\n";
static const char segment_magic[8 + 1] = "RWLOGSEG";
static const char batch_magic[4 + 1] = "RWLB";

/* ---- little-endian fields, one behind the other, and never past the end ---- */

struct writer {
	uint8_t *to;
	size_t size;
	size_t used;
	bool overrun;
};

static void put(struct writer *writer, const void *bytes, size_t count)
{
	if (writer->overrun || count > writer->size - writer->used) {
		writer->overrun = true;
		return;
	}
	if (count)
		memcpy(writer->to + writer->used, bytes, count);
	writer->used += count;
}

static void put_le(struct writer *writer, uint64_t value, size_t count)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	put(writer, bytes, count);
}

static void put_le16(struct writer *writer, uint16_t value)
{
	put_le(writer, value, 2);
}

static void put_le32(struct writer *writer, uint32_t value)
{
	put_le(writer, value, 4);
}

static void put_le64(struct writer *writer, uint64_t value)
{
	put_le(writer, value, 8);
}

struct reader {
	const uint8_t *from;
	size_t left;
	bool overrun;
};

/* The next `count` bytes; NULL, and nothing is left, when there are fewer. */
static const uint8_t *take(struct reader *reader, size_t count)
{
	const uint8_t *bytes = reader->from;

	if (reader->overrun || count > reader->left) {
		reader->overrun = true;
		return NULL;
	}
	reader->from += count;
	reader->left -= count;
	return bytes;
}

static uint64_t take_le(struct reader *reader, size_t count)
{
	const uint8_t *bytes = take(reader, count);
	uint64_t value = 0;

	for (size_t i = 0; bytes && i < count; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static uint8_t take_u8(struct reader *reader)
{
	return (uint8_t)take_le(reader, 1);
}

static uint16_t take_le16(struct reader *reader)
{
	return (uint16_t)take_le(reader, 2);
}

static uint32_t take_le32(struct reader *reader)
{
	return (uint32_t)take_le(reader, 4);
}

static uint64_t take_le64(struct reader *reader)
{
	return take_le(reader, 8);
}

static bool take_is(struct reader *reader, const void *wanted, size_t count)
{
	const uint8_t *bytes = take(reader, count);

	return bytes && memcmp(bytes, wanted, count) == 0;
}

static struct reader reader_of(const uint8_t *from, size_t bytes)
{
	return (struct reader){ .from = from, .left = bytes };
}

/* ---- the disk ---- */

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

int log_disk_plan(struct log_disk_super *super, uint64_t bytes, uint32_t physical_sector_bytes)
{
	uint64_t room = bytes - LOG_DISK_HEAD_BYTES, segment = LOG_DISK_SEGMENT_LEAST;
	uint32_t unit = LOG_DISK_UNIT_LEAST;

	while (unit < physical_sector_bytes && unit < LOG_DISK_UNIT_MOST)
		unit *= 2;
	if (unit < physical_sector_bytes)
		return -EINVAL;
	if (bytes < LOG_DISK_HEAD_BYTES ||
	    room < (uint64_t)LOG_DISK_SEGMENTS_LEAST * LOG_DISK_SEGMENT_LEAST)
		return -ENOSPC;
	while ((room / segment > SEGMENTS_WANTED && segment < SEGMENT_WANTED) ||
	       (room / segment > LOG_DISK_SEGMENTS_MOST && segment < LOG_DISK_SEGMENT_MOST))
		segment *= 2;
	super->unit_bytes = unit;
	super->segment_bytes = segment;
	super->segments = (uint32_t)min64(room / segment, LOG_DISK_SEGMENTS_MOST);
	return 0;
}

uint64_t log_disk_bytes(const struct log_disk_super *super)
{
	return log_disk_segment_at(super, super->segments);
}

uint64_t log_disk_segment_at(const struct log_disk_super *super, uint32_t index)
{
	return LOG_DISK_HEAD_BYTES + index * super->segment_bytes;
}

void log_disk_super_write(const struct log_disk_super *super, uint8_t *sector)
{
	struct writer writer = { .to = sector, .size = LOG_DISK_SECTOR_BYTES };

	memset(sector, 0, LOG_DISK_SECTOR_BYTES);
	put(&writer, super_magic, MAGIC_BYTES);
	put_le32(&writer, LOG_DISK_VERSION);
	put_le32(&writer, super->unit_bytes);
	put_le32(&writer, super->segments);
	put_le32(&writer, 0);
	put_le64(&writer, super->segment_bytes);
	put_le64(&writer, super->made_ns);
	put(&writer, super->id, LOG_DISK_ID_BYTES);
	writer.used = SUPER_CRC_AT;
	put_le32(&writer, crc32c(0, sector, SUPER_CRC_AT));
	put(&writer, super_end, END_BYTES);
}

static bool super_makes_sense(const struct log_disk_super *super)
{
	return is_power_of_two(super->unit_bytes) && super->unit_bytes >= LOG_DISK_UNIT_LEAST &&
	       super->unit_bytes <= LOG_DISK_UNIT_MOST && is_power_of_two(super->segment_bytes) &&
	       super->segment_bytes >= LOG_DISK_SEGMENT_LEAST &&
	       super->segment_bytes <= LOG_DISK_SEGMENT_MOST &&
	       super->segments >= LOG_DISK_SEGMENTS_LEAST &&
	       super->segments <= LOG_DISK_SEGMENTS_MOST;
}

int log_disk_super_read(struct log_disk_super *super, const uint8_t *sector)
{
	struct reader reader = reader_of(sector, LOG_DISK_SECTOR_BYTES);
	struct reader end = reader_of(sector + SUPER_CRC_AT, 4 + END_BYTES);

	if (!take_is(&reader, super_magic, MAGIC_BYTES))
		return -ENOENT;
	if (take_le32(&end) != crc32c(0, sector, SUPER_CRC_AT) ||
	    !take_is(&end, super_end, END_BYTES))
		return -EINVAL;
	if (take_le32(&reader) != LOG_DISK_VERSION)
		return -EPROTONOSUPPORT;
	super->unit_bytes = take_le32(&reader);
	super->segments = take_le32(&reader);
	(void)take_le32(&reader);
	super->segment_bytes = take_le64(&reader);
	super->made_ns = take_le64(&reader);
	memcpy(super->id, take(&reader, LOG_DISK_ID_BYTES), LOG_DISK_ID_BYTES);
	return super_makes_sense(super) ? 0 : -EINVAL;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Its beginning is there and its end is not. */
static bool has_only_head(const uint8_t *sector)
{
	size_t same = 0;

	while (same < MAGIC_BYTES && sector[same] == (uint8_t)super_magic[same])
		same++;
	if (same < MAGIC_BYTES)
		return is_zero(sector + same, LOG_DISK_SECTOR_BYTES - same);
	return !sector[LOG_DISK_SECTOR_BYTES - 1];
}

/* Its end is there and its beginning is not. */
static bool has_only_tail(const uint8_t *sector)
{
	const uint8_t *end = sector + LOG_DISK_SECTOR_BYTES;
	size_t same = 0;

	while (same < END_BYTES &&
	       end[-1 - (ptrdiff_t)same] == (uint8_t)super_end[END_BYTES - 1 - same])
		same++;
	if (same < END_BYTES)
		return is_zero(sector, LOG_DISK_SECTOR_BYTES - same);
	return !sector[0];
}

bool log_disk_super_is_blank(const uint8_t *sector, uint32_t which)
{
	if (which && memcmp(sector, super_magic, MAGIC_BYTES) == 0)
		return true;
	return has_only_head(sector) || has_only_tail(sector);
}

/* ---- segments ---- */

void log_disk_segment_write(const struct log_disk_super *super,
			    const struct log_disk_segment *segment, uint8_t *sector)
{
	struct writer writer = { .to = sector, .size = LOG_DISK_SECTOR_BYTES };

	memset(sector, 0, LOG_DISK_SECTOR_BYTES);
	put(&writer, segment_magic, 8);
	put_le32(&writer, LOG_DISK_VERSION);
	put_le32(&writer, segment->index);
	put(&writer, super->id, LOG_DISK_ID_BYTES);
	put_le64(&writer, segment->sequence);
	put_le64(&writer, segment->nonce);
	put_le64(&writer, segment->run);
	put_le64(&writer, segment->begun_ns);
	writer.used = SEGMENT_CRC_AT;
	put_le32(&writer, crc32c(0, sector, SEGMENT_CRC_AT));
}

int log_disk_segment_read(const struct log_disk_super *super, uint32_t index,
			  struct log_disk_segment *segment, const uint8_t *sector)
{
	struct reader reader = reader_of(sector, LOG_DISK_SECTOR_BYTES);
	struct reader end = reader_of(sector + SEGMENT_CRC_AT, 4);
	uint32_t version;

	if (!take_is(&reader, segment_magic, 8))
		return -ENOENT;
	version = take_le32(&reader);
	segment->index = take_le32(&reader);
	if (!take_is(&reader, super->id, LOG_DISK_ID_BYTES))
		return -ENOENT;
	segment->sequence = take_le64(&reader);
	segment->nonce = take_le64(&reader);
	segment->run = take_le64(&reader);
	segment->begun_ns = take_le64(&reader);
	if (take_le32(&end) != crc32c(0, sector, SEGMENT_CRC_AT))
		return -EINVAL;
	/* A sequence that has no successor was not counted. */
	if (version != LOG_DISK_VERSION || segment->index != index || !segment->sequence ||
	    segment->sequence > UINT64_MAX / 2)
		return -EINVAL;
	return 0;
}

/* ---- batches ---- */

void log_disk_batch_write(const struct log_disk_batch *batch, uint8_t *to)
{
	struct writer writer = { .to = to, .size = LOG_DISK_BATCH_HEADER };

	memset(to, 0, LOG_DISK_BATCH_HEADER);
	put(&writer, batch_magic, 4);
	put_le32(&writer, 0);
	put_le64(&writer, batch->nonce);
	put_le32(&writer, batch->number);
	put_le32(&writer, batch->bytes);
	put_le32(&writer, batch->records);
	put_le32(&writer, 0);
	put_le64(&writer, batch->first_record);
	put_le64(&writer, batch->written_ns);
	writer.used = 4;
	put_le32(&writer, crc32c(0, to + BATCH_CRC_FROM, batch->bytes - BATCH_CRC_FROM));
}

int log_disk_batch_read(uint64_t nonce, struct log_disk_batch *batch, const uint8_t *header)
{
	struct reader reader = reader_of(header, LOG_DISK_BATCH_HEADER);

	if (!take_is(&reader, batch_magic, 4))
		return -ENOENT;
	(void)take_le32(&reader);
	batch->nonce = take_le64(&reader);
	batch->number = take_le32(&reader);
	batch->bytes = take_le32(&reader);
	batch->records = take_le32(&reader);
	(void)take_le32(&reader);
	batch->first_record = take_le64(&reader);
	batch->written_ns = take_le64(&reader);
	if (batch->nonce != nonce)
		return -ENOENT;
	if (batch->bytes < LOG_DISK_BATCH_HEADER || batch->bytes > LOG_DISK_BATCH_MOST ||
	    batch->records > (batch->bytes - LOG_DISK_BATCH_HEADER) / LOG_DISK_RECORD_LEAST ||
	    batch->first_record > UINT64_MAX - batch->records)
		return -EINVAL;
	return 0;
}

bool log_disk_batch_is_good(const struct log_disk_batch *batch, const uint8_t *from)
{
	struct reader reader = reader_of(from + 4, 4);

	return take_le32(&reader) ==
	       crc32c(0, from + BATCH_CRC_FROM, batch->bytes - BATCH_CRC_FROM);
}

/* ---- records ---- */

static uint8_t text_length(const struct log_disk_text *text)
{
	return (uint8_t)min32(text->length, TEXT_MOST);
}

static void packet_write(struct writer *writer, const struct log_disk_packet *packet)
{
	const struct log_disk_text *texts[] = { &packet->interface, &packet->label,
						&packet->reason };
	uint32_t most = LOG_DISK_RECORD_MOST / 2; /* beside the texts */
	uint16_t captured = (uint16_t)min32(min32(packet->captured, packet->length), most);

	put_le64(writer, packet->left_out);
	put_le32(writer, packet->length);
	put_le32(writer, packet->line);
	put_le16(writer, captured);
	put_le(writer, packet->direction, 1);
	put_le(writer, packet->verdict, 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put_le(writer, text_length(texts[i]), 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put(writer, texts[i]->bytes, text_length(texts[i]));
	put(writer, packet->bytes, captured);
}

size_t log_disk_record_write(const struct log_disk_record *record, uint8_t *to, size_t size)
{
	struct writer writer = { .to = to, .size = size };
	struct writer length = { .to = to, .size = size };

	put_le32(&writer, 0);
	put_le16(&writer, record->kind);
	put_le16(&writer, 0);
	put_le64(&writer, record->time_ns);
	if (record->kind == LOG_DISK_PACKET)
		packet_write(&writer, &record->packet);
	else
		put(&writer, record->line.bytes, min32(record->line.length, LOG_DISK_LINE_MOST));
	if (writer.overrun)
		return 0;
	put_le32(&length, (uint32_t)writer.used);
	return writer.used;
}

uint32_t log_disk_record_bytes(const uint8_t *record)
{
	struct reader reader = reader_of(record, LOG_DISK_RECORD_LEAST);

	return take_le32(&reader);
}

static void packet_read(struct reader *reader, struct log_disk_packet *packet)
{
	struct log_disk_text *texts[] = { &packet->interface, &packet->label, &packet->reason };

	packet->left_out = take_le64(reader);
	packet->length = take_le32(reader);
	packet->line = take_le32(reader);
	packet->captured = take_le16(reader);
	packet->direction = take_u8(reader);
	packet->verdict = take_u8(reader);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		texts[i]->length = take_u8(reader);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		texts[i]->bytes = (const char *)take(reader, texts[i]->length);
	packet->bytes = take(reader, packet->captured);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		reader->overrun |= texts[i]->length > TEXT_MOST;
	reader->overrun |= packet->captured > packet->length;
}

int log_disk_record_read(struct log_disk_record *record, const uint8_t *batch, uint32_t bytes,
			 uint32_t *at)
{
	struct reader reader;
	uint32_t length;

	if (*at >= bytes)
		return 0;
	memset(record, 0, sizeof(*record));
	if (bytes - *at < LOG_DISK_RECORD_LEAST)
		return -EINVAL;
	length = log_disk_record_bytes(batch + *at);
	if (length < LOG_DISK_RECORD_LEAST || length > LOG_DISK_RECORD_MOST || length > bytes - *at)
		return -EINVAL;
	reader = reader_of(batch + *at + RECORD_KIND_AT, length - RECORD_KIND_AT);
	record->kind = take_le16(&reader);
	(void)take_le16(&reader);
	record->time_ns = take_le64(&reader);
	if (record->kind == LOG_DISK_PACKET)
		packet_read(&reader, &record->packet);
	else if (record->kind == LOG_DISK_LINE)
		record->line =
			(struct log_disk_text){ (const char *)reader.from, (uint32_t)reader.left };
	if (reader.overrun)
		return -EINVAL;
	*at += length;
	return 1;
}
