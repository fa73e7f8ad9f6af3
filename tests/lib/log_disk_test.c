/* SPDX-License-Identifier: ISC */
/* The format of the log on a disk, and its reader, byte by byte. */
#include "lib/log_disk.h"

#include <errno.h>
#include <string.h>

#include "lib/log_disk_reader.h"
#include "tests/host/unit.h"

#define SEGMENTS 4u
#define UNIT LOG_DISK_UNIT_LEAST
#define SEGMENT_BYTES ((uint64_t)LOG_DISK_SEGMENT_LEAST)
#define DISK_BYTES (LOG_DISK_HEAD_BYTES + SEGMENTS * LOG_DISK_SEGMENT_LEAST)

static const struct log_disk_super super = { .id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
						     15, 16 },
					     .unit_bytes = UNIT,
					     .segments = SEGMENTS,
					     .segment_bytes = SEGMENT_BYTES,
					     .made_ns = 1700000000000000000ull };

/* ---- the disk ---- */

START_TEST(plans)
{
	static const struct {
		uint64_t bytes;
		uint32_t physical, unit, segments;
		uint64_t segment;
	} cases[] = {
		{ DISK_BYTES, 512, 4096, 4, 64 << 10 },
		{ DISK_BYTES + 65535, 4096, 4096, 4, 64 << 10 },
		{ 16ull << 20, 512, 4096, 255, 64 << 10 },
		{ 1ull << 30, 16384, 16384, 255, 4 << 20 },
		{ 100ull << 30, 5000, 8192, 799, 128 << 20 },
		{ UINT64_MAX, 512, 4096, 1024, 1ull << 40 },
	};
	struct log_disk_super plan;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(log_disk_plan(&plan, cases[i].bytes, cases[i].physical), 0);
		ck_assert_uint_eq(plan.unit_bytes, cases[i].unit);
		ck_assert_uint_eq(plan.segments, cases[i].segments);
		ck_assert_uint_eq(plan.segment_bytes, cases[i].segment);
		ck_assert_uint_le(log_disk_bytes(&plan), cases[i].bytes);
	}
	ck_assert_int_eq(log_disk_plan(&plan, DISK_BYTES - 1, 512), -ENOSPC);
	ck_assert_int_eq(log_disk_plan(&plan, 0, 512), -ENOSPC);
	ck_assert_int_eq(log_disk_plan(&plan, 1ull << 30, LOG_DISK_UNIT_MOST + 1), -EINVAL);
}
END_TEST

START_TEST(superblock)
{
	uint8_t sector[LOG_DISK_SECTOR_BYTES];
	struct log_disk_super read;

	log_disk_super_write(&super, sector);
	ck_assert_int_eq(log_disk_super_read(&read, sector), 0);
	ck_assert_int_eq(memcmp(read.id, super.id, sizeof(read.id)), 0);
	ck_assert_uint_eq(read.segment_bytes, super.segment_bytes);
	ck_assert_uint_eq(read.made_ns, super.made_ns);
	ck_assert(!log_disk_super_is_blank(sector, 0));
	ck_assert(log_disk_super_is_blank(sector, 1));
	/* Any bit. */
	for (uint32_t bit = 0; bit < 8 * sizeof(sector); bit++) {
		sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(log_disk_super_read(&read, sector),
				 bit / 8 < 16 ? -ENOENT : -EINVAL);
		ck_assert(!log_disk_super_is_blank(sector, 0));
		sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

/* Each with a good checksum. */
START_TEST(superblock_without_sense)
{
	static const struct log_disk_super bad[] = {
		{ .unit_bytes = UNIT / 2, .segments = 4, .segment_bytes = SEGMENT_BYTES },
		{ .unit_bytes = UNIT + 1, .segments = 4, .segment_bytes = SEGMENT_BYTES },
		{ .unit_bytes = 32768, .segments = 4, .segment_bytes = SEGMENT_BYTES },
		{ .unit_bytes = UNIT, .segments = 3, .segment_bytes = SEGMENT_BYTES },
		{ .unit_bytes = UNIT, .segments = 1025, .segment_bytes = SEGMENT_BYTES },
		{ .unit_bytes = UNIT, .segments = 4, .segment_bytes = SEGMENT_BYTES / 2 },
		{ .unit_bytes = UNIT, .segments = 4, .segment_bytes = SEGMENT_BYTES + 4096 },
		{ .unit_bytes = UNIT, .segments = 4, .segment_bytes = 1ull << 41 },
		{ .unit_bytes = UNIT, .segments = 4, .segment_bytes = 0 },
	};
	uint8_t sector[LOG_DISK_SECTOR_BYTES];
	struct log_disk_super read;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		log_disk_super_write(&bad[i], sector);
		ck_assert_int_eq(log_disk_super_read(&read, sector), -EINVAL);
	}
}
END_TEST

/* Over zeroes, cut anywhere: nobody's; over something else: somebody's. */
START_TEST(superblock_torn)
{
	uint8_t whole[LOG_DISK_SECTOR_BYTES], sector[LOG_DISK_SECTOR_BYTES];

	log_disk_super_write(&super, whole);
	for (uint32_t cut = 0; cut < sizeof(whole); cut++) {
		memset(sector, 0, sizeof(sector));
		memcpy(sector, whole, cut);
		ck_assert(log_disk_super_is_blank(sector, 0));
		memcpy(sector, whole, sizeof(sector));
		memset(sector, 0, cut ? cut : 1);
		ck_assert(log_disk_super_is_blank(sector, 0));
	}
	memset(sector, 0, sizeof(sector));
	for (uint32_t i = 0; i < sizeof(sector); i++) {
		sector[i] = 0xaa;
		ck_assert(!log_disk_super_is_blank(sector, 0));
		ck_assert(!log_disk_super_is_blank(sector, 1));
		sector[i] = 0;
	}
	/* A partition table in a log's first sector: its first part stays, as programs leave it. */
	memcpy(sector, whole, 440);
	sector[510] = 0x55;
	sector[511] = 0xaa;
	ck_assert(!log_disk_super_is_blank(sector, 0));
}
END_TEST

START_TEST(segment_header)
{
	static const struct log_disk_segment segment = { 7, 8, 9, 10, 3 };
	struct log_disk_super other = super;
	uint8_t sector[LOG_DISK_SECTOR_BYTES];
	struct log_disk_segment read;

	log_disk_segment_write(&super, &segment, sector);
	ck_assert_int_eq(log_disk_segment_read(&super, 3, &read, sector), 0);
	ck_assert_int_eq(memcmp(&read, &segment, sizeof(read)), 0);
	ck_assert_int_eq(log_disk_segment_read(&super, 2, &read, sector), -EINVAL);
	other.id[15]++;
	ck_assert_int_eq(log_disk_segment_read(&other, 3, &read, sector), -ENOENT);
	for (uint32_t bit = 0; bit < 8 * sizeof(sector); bit++) {
		sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_lt(log_disk_segment_read(&super, 3, &read, sector), 0);
		sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint64_t bad = 0; bad < 2; bad++) {
		read = segment;
		read.sequence = bad ? UINT64_MAX : 0;
		log_disk_segment_write(&super, &read, sector);
		ck_assert_int_eq(log_disk_segment_read(&super, 3, &read, sector), -EINVAL);
	}
}
END_TEST

/* Numbers that lead nowhere, in headers that are otherwise good. */
START_TEST(batch_header)
{
	static const struct log_disk_batch bad[] = {
		{ .nonce = 1, .bytes = LOG_DISK_BATCH_HEADER - 1 },
		{ .nonce = 1, .bytes = LOG_DISK_BATCH_MOST + 1 },
		{ .nonce = 1, .bytes = LOG_DISK_BATCH_HEADER + 31, .records = 2 },
		{ .nonce = 1,
		  .bytes = LOG_DISK_BATCH_HEADER + 32,
		  .records = 2,
		  .first_record = UINT64_MAX - 1 },
	};
	static uint8_t bytes[LOG_DISK_BATCH_MOST + 1];
	struct log_disk_batch read, good = { .nonce = 1, .bytes = LOG_DISK_BATCH_MOST };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		log_disk_batch_write(&bad[i], bytes);
		ck_assert_int_eq(log_disk_batch_read(1, &read, bytes), -EINVAL);
	}
	log_disk_batch_write(&good, bytes);
	ck_assert_int_eq(log_disk_batch_read(2, &read, bytes), -ENOENT);
	ck_assert_int_eq(log_disk_batch_read(1, &read, bytes), 0);
	ck_assert(log_disk_batch_is_good(&read, bytes));
	bytes[LOG_DISK_BATCH_MOST - 1] ^= 1;
	ck_assert(!log_disk_batch_is_good(&read, bytes));
}
END_TEST

/* ---- records ---- */

static struct log_disk_record line_of(const char *text)
{
	return (struct log_disk_record){ .time_ns = 5,
					 .kind = LOG_DISK_LINE,
					 .line = { text, (uint32_t)strlen(text) } };
}

static const uint8_t frame[] = { 1, 2, 3, 4, 5 };
static const struct log_disk_record packet = {
	.time_ns = 6,
	.kind = LOG_DISK_PACKET,
	.packet = { .left_out = 11,
		    .length = 1514,
		    .line = 12,
		    .captured = sizeof(frame),
		    .direction = LOG_DISK_OUT,
		    .verdict = LOG_DISK_BLOCK,
		    .interface = { "client1.0", 9 },
		    .label = { "the web", 7 },
		    .reason = { "blocked", 7 },
		    .bytes = frame },
};

START_TEST(records)
{
	uint8_t bytes[LOG_DISK_BATCH_HEADER + 512];
	struct log_disk_record line = line_of("hello"), later = { .time_ns = 7, .kind = 99 }, read;
	uint32_t at = LOG_DISK_BATCH_HEADER, end = at;

	end += (uint32_t)log_disk_record_write(&line, bytes + end, sizeof(bytes) - end);
	end += (uint32_t)log_disk_record_write(&packet, bytes + end, sizeof(bytes) - end);
	end += (uint32_t)log_disk_record_write(&later, bytes + end, sizeof(bytes) - end);
	ck_assert_int_eq(log_disk_record_read(&read, bytes, end, &at), 1);
	ck_assert_uint_eq(read.kind, LOG_DISK_LINE);
	ck_assert_uint_eq(read.line.length, 5);
	ck_assert_int_eq(memcmp(read.line.bytes, "hello", 5), 0);
	ck_assert_int_eq(log_disk_record_read(&read, bytes, end, &at), 1);
	ck_assert_uint_eq(read.time_ns, 6);
	ck_assert_uint_eq(read.packet.left_out, 11);
	ck_assert_uint_eq(read.packet.length, 1514);
	ck_assert_uint_eq(read.packet.line, 12);
	ck_assert_uint_eq(read.packet.direction, LOG_DISK_OUT);
	ck_assert_uint_eq(read.packet.verdict, LOG_DISK_BLOCK);
	ck_assert_int_eq(memcmp(read.packet.interface.bytes, "client1.0the webblocked", 23), 0);
	ck_assert_uint_eq(read.packet.captured, sizeof(frame));
	ck_assert_int_eq(memcmp(read.packet.bytes, frame, sizeof(frame)), 0);
	ck_assert_int_eq(log_disk_record_read(&read, bytes, end, &at), 1);
	ck_assert_uint_eq(read.kind, 99);
	ck_assert_int_eq(log_disk_record_read(&read, bytes, end, &at), 0);
}
END_TEST

/* More bytes than the packet had. */
START_TEST(packet_too_short)
{
	uint8_t bytes[256];
	struct log_disk_record record = packet, read;
	uint32_t length, at = 0;

	record.packet.length = sizeof(frame);
	length = (uint32_t)log_disk_record_write(&record, bytes, sizeof(bytes));
	ck_assert_int_eq(log_disk_record_read(&read, bytes, length, &at), 1);
	bytes[LOG_DISK_RECORD_LEAST + 8]--;
	at = 0;
	ck_assert_int_eq(log_disk_record_read(&read, bytes, length, &at), -EINVAL);
}
END_TEST

/* What is too long is cut, and what has no room is not begun. */
START_TEST(record_limits)
{
	static char text[2 * LOG_DISK_RECORD_MOST];
	static uint8_t bytes[2 * LOG_DISK_RECORD_MOST];
	struct log_disk_record record, read;
	uint32_t at = 0;

	memset(text, 'x', sizeof(text) - 1);
	record = line_of(text);
	ck_assert_uint_eq(log_disk_record_write(&record, bytes, sizeof(bytes)),
			  LOG_DISK_RECORD_MOST);
	ck_assert_int_eq(log_disk_record_read(&read, bytes, LOG_DISK_RECORD_MOST, &at), 1);
	ck_assert_uint_eq(read.line.length, LOG_DISK_LINE_MOST);
	record = packet;
	record.packet.label = (struct log_disk_text){ text, sizeof(text) - 1 };
	record.packet.reason = record.packet.interface = record.packet.label;
	record.packet.bytes = (const uint8_t *)text;
	record.packet.captured = record.packet.length = sizeof(text) - 1;
	at = (uint32_t)log_disk_record_write(&record, bytes, sizeof(bytes));
	ck_assert_uint_gt(at, 0);
	ck_assert_uint_le(at, LOG_DISK_RECORD_MOST);
	for (size_t size = 0; size < at; size++)
		ck_assert_uint_eq(log_disk_record_write(&record, bytes, size), 0);
	ck_assert_uint_eq(log_disk_record_write(&record, bytes, at), at);
	at = 0;
	ck_assert_int_eq(log_disk_record_read(&read, bytes, sizeof(bytes), &at), 1);
	ck_assert_uint_eq(read.packet.label.length, 63);
}
END_TEST

/* Every byte changed to anything, every length: it is read or refused, within its bytes. */
START_TEST(records_bent)
{
	uint8_t bytes[256], *exact;
	size_t whole = log_disk_record_write(&packet, bytes, sizeof(bytes));
	struct log_disk_record read;

	for (size_t length = 0; length <= whole; length++) {
		exact = malloc(length ? length : 1);
		for (size_t i = 0; i < length; i++) {
			for (unsigned int value = 0; value < 256; value += i < 40 ? 1 : 51) {
				uint32_t at = 0;
				int result;

				memcpy(exact, bytes, length);
				exact[i] = (uint8_t)value;
				result = log_disk_record_read(&read, exact, (uint32_t)length, &at);
				if (result == 1 && (at > length || at < LOG_DISK_RECORD_LEAST))
					ck_abort();
				if (result == 1 && read.packet.captured)
					result += read.packet.bytes[read.packet.captured - 1];
				if (result == 0 || (result < 0 && result != -EINVAL))
					ck_abort();
			}
		}
		free(exact);
	}
}
END_TEST

/* ---- a whole disk ---- */

static uint8_t disk[DISK_BYTES];
static uint8_t batch_memory[LOG_DISK_BATCH_MOST];
static struct log_disk_reader reader;
static uint64_t reads, bad_at = UINT64_MAX;

static int disk_read(void *context, uint64_t at, void *to, size_t bytes)
{
	(void)context;
	reads++;
	ck_assert_uint_eq(at % UNIT, 0);
	ck_assert_uint_eq(bytes % UNIT, 0);
	if (bad_at >= at && bad_at < at + bytes)
		return -EIO;
	memcpy(to, disk + at, bytes);
	return 0;
}

static int disk_open(void)
{
	struct log_disk_source source = { .read = disk_read, .bytes = DISK_BYTES };

	return log_disk_reader_open(&reader, &source, batch_memory);
}

static void supers_put(void)
{
	memset(disk, 0, sizeof(disk));
	log_disk_super_write(&super, disk);
	log_disk_super_write(&super, disk + LOG_DISK_SUPER_DISTANCE);
}

static void segment_put(uint32_t index, uint64_t sequence, uint64_t nonce, uint64_t run)
{
	struct log_disk_segment segment = { sequence, nonce, run, 0, index };

	log_disk_segment_write(&super, &segment, disk + log_disk_segment_at(&super, index));
}

static uint8_t *unit_of(uint32_t index, uint32_t unit)
{
	return disk + log_disk_segment_at(&super, index) + unit * UNIT;
}

/* A batch of `count` lines, whose text is the record's number, a letter each. */
static void batch_put(uint32_t index, uint32_t unit, uint64_t nonce, uint32_t number,
		      uint64_t first, uint32_t count)
{
	uint8_t *to = unit_of(index, unit);
	struct log_disk_batch batch = { .nonce = nonce,
					.first_record = first,
					.number = number,
					.records = count,
					.bytes = LOG_DISK_BATCH_HEADER };

	for (uint32_t i = 0; i < count; i++) {
		char text[2] = { (char)('a' + first + i), '\0' };
		struct log_disk_record record = line_of(text);

		batch.bytes += (uint32_t)log_disk_record_write(&record, to + batch.bytes, 64);
	}
	log_disk_batch_write(&batch, to);
}

static const char *letters(void)
{
	static char text[128];
	struct log_disk_record record;
	uint32_t used = 0;

	while (log_disk_reader_next(&reader, &record)) {
		ck_assert_uint_eq(record.line.length, 1);
		ck_assert_uint_lt(used, sizeof(text) - 1);
		text[used++] = record.line.bytes[0];
	}
	text[used] = '\0';
	return text;
}

/* Two segments of one run; the second one was begun as the first one had failed. */
static void story(void)
{
	supers_put();
	segment_put(2, 5, 100, 1);
	batch_put(2, 1, 100, 0, 0, 3);
	batch_put(2, 2, 100, 1, 3, 2);
	batch_put(2, 3, 100, 2, 5, 1);
	segment_put(3, 6, 101, 1);
	batch_put(3, 1, 101, 0, 5, 2);
	batch_put(3, 2, 101, 1, 9, 1);
}

START_TEST(reads_in_order_once)
{
	story();
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_uint_eq(reader.count, 2);
	ck_assert_str_eq(letters(), "abcdefgj");
	ck_assert_uint_eq(reader.twice, 1);
	ck_assert_uint_eq(reader.left_out, 2);
	ck_assert_uint_eq(reader.damaged, 0);
	/* An older segment elsewhere comes first, and is of another run. */
	segment_put(0, 4, 99, 7);
	batch_put(0, 1, 99, 0, 20, 2);
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "uvabcdefgj");
}
END_TEST

START_TEST(goes_on)
{
	struct log_disk_super other = super;

	story();
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "abcdefgj");
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "");
	batch_put(3, 3, 101, 2, 10, 1);
	ck_assert_str_eq(letters(), "k");
	segment_put(0, 7, 102, 1);
	batch_put(0, 1, 102, 0, 11, 1);
	ck_assert_str_eq(letters(), "");
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "l");
	/* The ring has gone round before it looked again. */
	segment_put(0, 11, 103, 1);
	batch_put(0, 1, 103, 0, 16, 1);
	segment_put(1, 12, 104, 1);
	batch_put(1, 1, 104, 0, 17, 1);
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "qr");
	ck_assert_uint_eq(reader.left_out, 2 + 4);
	/* Formatted anew. */
	other.id[3]++;
	log_disk_super_write(&other, disk);
	log_disk_reader_again(&reader);
	ck_assert_uint_eq(reader.count, 0);
	ck_assert_str_eq(letters(), "");
}
END_TEST

/* Old batches and headers, at the right places, with good checksums. */
START_TEST(old_is_not_new)
{
	struct log_disk_super other = super;
	struct log_disk_segment segment = { 9, 100, 1, 0, 1 };

	story();
	batch_put(3, 3, 100, 2, 10, 1); /* of what the segment was before */
	batch_put(2, 4, 100, 1, 10, 1); /* a number that has been there */
	other.id[0]++;
	log_disk_segment_write(&other, &segment, disk + log_disk_segment_at(&super, 1));
	batch_put(1, 1, 100, 0, 20, 1);
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "abcdefgj");
	ck_assert_uint_eq(reader.unreadable, 0);
}
END_TEST

/* A damaged batch costs its own records, whichever byte it is. */
START_TEST(damaged_batch)
{
	for (uint32_t i = 0; i < LOG_DISK_BATCH_HEADER + 2 * 17; i++) {
		story();
		unit_of(2, 2)[i] ^= 0x10;
		ck_assert_int_eq(disk_open(), 0);
		ck_assert_str_eq(letters(), "abcfgj");
		ck_assert_uint_eq(reader.damaged, 1);
		ck_assert_uint_eq(reader.left_out, 4);
	}
	story();
	bad_at = log_disk_segment_at(&super, 2) + 2 * UNIT;
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "abcfgj");
	bad_at = log_disk_segment_at(&super, 2);
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_uint_eq(reader.unreadable, 1);
	ck_assert_str_eq(letters(), "fgj");
	bad_at = UINT64_MAX;
}
END_TEST

/* Many batches one behind the other, as of a part of the disk that cannot be read. */
START_TEST(damaged_stretch)
{
	const uint32_t last = (uint32_t)(SEGMENT_BYTES / UNIT) - 1;

	supers_put();
	segment_put(2, 5, 100, 1);
	for (uint32_t i = 1; i <= last; i++)
		batch_put(2, i, 100, i - 1, i - 1, 1);
	for (uint32_t i = 2; i < last; i++)
		unit_of(2, i)[LOG_DISK_BATCH_HEADER] ^= 1;
	segment_put(3, 6, 101, 1);
	batch_put(3, 1, 101, 0, last, 1);
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "aop");
	ck_assert_uint_eq(reader.damaged, last - 2);
	ck_assert_uint_eq(reader.left_out, last - 2);
}
END_TEST

/* It stays behind what it has read. */
START_TEST(one_number_twice)
{
	story();
	segment_put(0, 6, 99, 3);
	batch_put(0, 1, 99, 0, 20, 1);
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_str_eq(letters(), "abcdefufgj");
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "");
	segment_put(1, 7, 102, 2);
	batch_put(1, 1, 102, 0, 0, 1);
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "a");
	log_disk_reader_again(&reader);
	ck_assert_str_eq(letters(), "");
}
END_TEST

START_TEST(superblocks)
{
	story();
	disk[20]++;
	ck_assert_int_eq(disk_open(), 0);
	ck_assert(reader.second);
	ck_assert_str_eq(letters(), "abcdefgj");
	disk[LOG_DISK_SUPER_DISTANCE + 20]++;
	ck_assert_int_eq(disk_open(), -EINVAL);
	memset(disk, 0, sizeof(disk));
	ck_assert_int_eq(disk_open(), -ENOENT);
	bad_at = 0;
	ck_assert_int_eq(disk_open(), -EIO);
	bad_at = UINT64_MAX;
}
END_TEST

/* A disk of a hostile size, lengths that lead nowhere, and every unit a promise. */
START_TEST(bounded_work)
{
	struct log_disk_batch batch = { .nonce = 100, .records = 1, .bytes = LOG_DISK_BATCH_MOST };
	struct log_disk_source source = { .read = disk_read, .bytes = DISK_BYTES };
	struct log_disk_super huge = super;
	struct log_disk_record record;

	supers_put();
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		segment_put(i, i + 1, 100, 1);
		for (uint32_t k = 1; k < SEGMENT_BYTES / UNIT - 8; k++) {
			log_disk_batch_write(&batch, unit_of(i, k));
			unit_of(i, k)[LOG_DISK_BATCH_MOST - 1] ^= 1;
		}
	}
	reads = 0;
	ck_assert_int_eq(disk_open(), 0);
	ck_assert_int_eq(log_disk_reader_next(&reader, &record), 0);
	ck_assert_uint_lt(reads, 100);
	huge.segments = LOG_DISK_SEGMENTS_MOST;
	huge.segment_bytes = LOG_DISK_SEGMENT_MOST;
	log_disk_super_write(&huge, disk);
	ck_assert_int_eq(log_disk_reader_open(&reader, &source, batch_memory), 0);
	ck_assert_uint_eq(reader.missing, LOG_DISK_SEGMENTS_MOST);
	ck_assert_int_eq(log_disk_reader_next(&reader, &record), 0);
	source.bytes = 100;
	ck_assert_int_eq(log_disk_reader_open(&reader, &source, batch_memory), -ENOSPC);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, plans);
	tcase_add_test(cases, superblock);
	tcase_add_test(cases, superblock_without_sense);
	tcase_add_test(cases, superblock_torn);
	tcase_add_test(cases, segment_header);
	tcase_add_test(cases, batch_header);
	tcase_add_test(cases, records);
	tcase_add_test(cases, packet_too_short);
	tcase_add_test(cases, record_limits);
	tcase_add_test(cases, records_bent);
	tcase_add_test(cases, reads_in_order_once);
	tcase_add_test(cases, goes_on);
	tcase_add_test(cases, old_is_not_new);
	tcase_add_test(cases, damaged_batch);
	tcase_add_test(cases, damaged_stretch);
	tcase_add_test(cases, one_number_twice);
	tcase_add_test(cases, superblocks);
	tcase_add_test(cases, bounded_work);
}

int main(void)
{
	return unit_main("lib/log_disk", add_cases);
}
