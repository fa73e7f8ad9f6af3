/* SPDX-License-Identifier: ISC */
/*
 * The log on a disk as a guest has it: disks that it takes and refuses, packets and lines,
 * disks that are slow, fail, change and go. LOG_IMAGE=FILE in the environment gets a disk
 * with some of everything on it, FILE.before what it was in between, for tests of who reads it.
 */
#include "configs/log_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log_disk_reader.h"
#include "tests/configs/fake_block.h"
#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define MIB (1u << 20)
#define DISK_BYTES (4 * MIB)
#define WALL_NS (1700000000ull * SECOND)

static struct fake_block disk;
static struct log_disk log_disk;
static struct random numbers;
static uint8_t memory[4 * LOG_DISK_MEMORY_LEAST];
static struct packet_log packets;
static struct packet_log_record packet_memory[16];
static uint64_t now;
static char console[16384];

static uint64_t now_ns(void)
{
	return now;
}

static uint64_t wall_ns(void)
{
	return now + WALL_NS;
}

/* As a guest's sink does, the log keeps what it says itself. */
static void console_take(const char *line, size_t length)
{
	size_t used = strlen(console);

	ck_assert_uint_lt(used + length, sizeof(console));
	memcpy(console + used, line, length);
	console[used + length] = '\0';
	if (log_disk.config.memory)
		log_disk_line(&log_disk, line, length);
}

static bool says(const char *text)
{
	return strstr(console, text) != NULL;
}

static void begin(void)
{
	struct log_disk_config config = { .memory = memory,
					  .bytes = sizeof(memory),
					  .random = &numbers,
					  .now_ns = now_ns,
					  .wall_ns = wall_ns,
					  .packets = &packets };

	console[0] = '\0';
	log_disk_init(&log_disk, &config);
}

static void setup(void)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 1 };

	random_init(&numbers, seed);
	now = 5 * SECOND;
	fake_block_init(&disk, DISK_BYTES, 512, 4096, unit_seed());
	packet_log_init(&packets, packet_memory, sizeof(packet_memory), 1000, 1000, now);
	log_init(console_take, now_ns);
	begin();
}

static void teardown(void)
{
	log_disk_detach(&log_disk);
	log_init(NULL, NULL);
	fake_block_free(&disk);
}

static int attach(bool may_format)
{
	return log_disk_attach(&log_disk, &disk.device, 0, may_format);
}

/* Lets the log and the disk do what they want now. */
static void settle(void)
{
	for (uint32_t i = 0; i < 10000; i++) {
		if (log_disk_next_ns(&log_disk) <= now)
			log_disk_run(&log_disk, now);
		else if (!fake_block_step(&disk))
			return;
	}
	ck_abort_msg("it never comes to rest");
}

static void later(uint64_t ns)
{
	now += ns;
	settle();
}

static void say(const char *text)
{
	log_disk_line(&log_disk, text, strlen(text));
}

static void packet_give(uint32_t line, const char *label, bool pass)
{
	/* UDP from 10.137.0.10 port 4000 to 1.1.1.1 port 53. */
	static uint8_t bytes[60] = { 2,	   0,  0, 0,  0, 1, 2,	0,   0,	 0,  0, 2, 8,  0,
				     0x45, 0,  0, 46, 0, 0, 0,	0,   64, 17, 0, 0, 10, 137,
				     0,	   10, 1, 1,  1, 1, 15, 160, 0,	 53, 0, 26 };
	struct packet packet = { .data = bytes, .length = 1000, .head_length = sizeof(bytes) };
	struct packet_log_entry entry = { .packet = &packet,
					  .interface = pass ? "uplink0" : "client1.0",
					  .direction = pass ? RULES_OUT : RULES_IN,
					  .action = pass ? RULES_PASS : RULES_BLOCK_RETURN,
					  .reason = pass ? DROP_REASON_COUNT : DROP_BLOCKED,
					  .line = line,
					  .label = label };

	packet_log_add(&packets, &entry, now);
}

/* ---- what is on the disk ---- */

static struct log_disk_reader reader;
static uint8_t batch_memory[LOG_DISK_BATCH_MOST];

static int image_read(void *context, uint64_t at, void *to, size_t bytes)
{
	(void)context;
	memcpy(to, disk.durable + at, bytes);
	return 0;
}

/* The lines and packets that are on it, a letter each: of a line its first. */
static const char *letters(void)
{
	static char text[16384];
	struct log_disk_source source = { .read = image_read, .bytes = disk.bytes };
	struct log_disk_record record;
	uint32_t used = 0;

	text[0] = '\0';
	if (log_disk_reader_open(&reader, &source, batch_memory))
		return "none";
	while (log_disk_reader_next(&reader, &record)) {
		ck_assert_uint_lt(used, sizeof(text) - 1);
		if (record.kind == LOG_DISK_PACKET)
			text[used++] = record.packet.verdict == LOG_DISK_PASS ? '+' : '-';
		else if (record.line.bytes[0] != '[')
			text[used++] = record.line.bytes[0];
	}
	text[used] = '\0';
	return text;
}

START_TEST(empty_disk)
{
	say("a line from before\n");
	ck_assert_int_eq(attach(false), 0);
	ck_assert_int_eq(attach(false), -EALREADY);
	settle();
	ck_assert_int_eq(log_disk.state, LOG_DISK_READY);
	ck_assert(says("logdisk: xvdb is empty: 63 segments of 64 KiB\n"));
	ck_assert_str_eq(letters(), "");
	say("b");
	packet_give(3, "the web", false);
	packet_give(4, "", true);
	say("c");
	settle();
	ck_assert_str_eq(letters(), "");
	ck_assert(!log_disk_is_clean(&log_disk));
	later(LOG_DISK_FLUSH_NS);
	ck_assert_str_eq(letters(), "ab-+c");
	ck_assert(log_disk_is_clean(&log_disk));
	ck_assert_uint_eq(log_disk.stats.packets, 2);
	ck_assert_uint_eq(log_disk.stats.flushes, 1);
	ck_assert_uint_eq(log_disk_next_ns(&log_disk), UINT64_MAX);
	/* At once when it is asked for, and when much waits. */
	say("d");
	log_disk_hurry(&log_disk);
	settle();
	ck_assert_str_eq(letters(), "ab-+cd");
	/* Also what comes while that is written, if it is asked for again. */
	say("e");
	log_disk_hurry(&log_disk);
	log_disk_run(&log_disk, now);
	say("f");
	log_disk_hurry(&log_disk);
	settle();
	ck_assert(log_disk_is_clean(&log_disk));
	ck_assert_str_eq(letters(), "ab-+cdef");
	for (uint32_t i = 0; i < LOG_DISK_FLUSH_BYTES / 16; i++)
		say("e");
	settle();
	ck_assert_uint_gt(strlen(letters()), 100);
}
END_TEST

START_TEST(packet_record)
{
	struct log_disk_source source = { .read = image_read, .bytes = DISK_BYTES };
	struct log_disk_record record;

	ck_assert_int_eq(attach(false), 0);
	settle();
	for (uint32_t i = 0; i < 20; i++)
		packet_give(12, "the web", false);
	later(LOG_DISK_FLUSH_NS);
	ck_assert_int_eq(log_disk_reader_open(&reader, &source, batch_memory), 0);
	do
		ck_assert_int_eq(log_disk_reader_next(&reader, &record), 1);
	while (record.kind != LOG_DISK_PACKET);
	ck_assert_uint_eq(record.time_ns, WALL_NS + 5 * SECOND);
	/* Four had gone before the log could take them. */
	ck_assert_uint_eq(record.packet.left_out, 4);
	ck_assert_uint_eq(log_disk.stats.dropped, 4);
	ck_assert_uint_eq(record.packet.length, 1000);
	ck_assert_uint_eq(record.packet.captured, 60);
	ck_assert_uint_eq(record.packet.line, 12);
	ck_assert_uint_eq(record.packet.direction, LOG_DISK_IN);
	ck_assert_uint_eq(record.packet.verdict, LOG_DISK_BLOCK_RETURN);
	ck_assert_int_eq(memcmp(record.packet.interface.bytes, "client1.0", 9), 0);
	ck_assert_int_eq(memcmp(record.packet.label.bytes, "the web", 7), 0);
	ck_assert_int_eq(memcmp(record.packet.reason.bytes, "blocked", 7), 0);
}
END_TEST

START_TEST(another_start)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	say("a");
	later(LOG_DISK_FLUSH_NS);
	log_disk_detach(&log_disk);
	ck_assert_ptr_null(log_disk.device);
	ck_assert_uint_eq(disk.buffers, 0);
	begin();
	ck_assert_int_eq(attach(false), 0);
	settle();
	ck_assert(
		says("xvdb holds 1 of 63 segments of 64 KiB, from 2023-11-14T22:13:26.000Z on\n"));
	say("b");
	later(LOG_DISK_FLUSH_NS);
	ck_assert_str_eq(letters(), "ab");
	ck_assert_uint_eq(reader.count, 2);
	/* And of one that has lost its last segments, and one that has grown. */
	log_disk_detach(&log_disk);
	disk.device.geometry.sectors -= 1000;
	begin();
	ck_assert_int_eq(attach(false), 0);
	settle();
	ck_assert(says("xvdb has shrunk: the log's last 500 KiB are missing"));
	for (uint32_t i = 0; i < 70; i++) {
		log_disk.segment_at = 0; /* each in a segment of its own */
		say("c");
		later(LOG_DISK_FLUSH_NS);
	}
	ck_assert_uint_eq(log_disk.stats.errors, 0);
	ck_assert_uint_eq(strlen(letters()), 55);
}
END_TEST

/* Whatever stands at its beginning or end, not one byte of it changes. */
START_TEST(foreign_disk)
{
	static const uint32_t places[] = { 0,	      446,	     510,     1080,
					   4096,      65536,	     MIB - 1, DISK_BYTES - MIB,
					   33 * 1024, DISK_BYTES - 1 };
	uint8_t *before = malloc(DISK_BYTES);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		memset(disk.durable, 0, DISK_BYTES);
		disk.durable[places[i]] = 0x55;
		memcpy(before, disk.durable, DISK_BYTES);
		memcpy(disk.now, disk.durable, DISK_BYTES);
		begin();
		ck_assert_int_eq(attach(false), 0);
		settle();
		ck_assert_int_eq(log_disk.state, LOG_DISK_REFUSED);
		ck_assert(says("xvdb holds something else (at byte "));
		ck_assert_int_eq(memcmp(disk.now, before, DISK_BYTES), 0);
		ck_assert_uint_eq(disk.buffers, 0);
		ck_assert(log_disk_is_clean(&log_disk));
		ck_assert_uint_eq(log_disk_next_ns(&log_disk), UINT64_MAX);
	}
	free(before);
	/* In its midst nobody looks; and who may, overwrites. */
	memset(disk.now, 0, DISK_BYTES);
	disk.now[2 * MIB] = 1;
	ck_assert_int_eq(attach(false), 0);
	settle();
	ck_assert_int_eq(log_disk.state, LOG_DISK_READY);
	log_disk_detach(&log_disk);
	memset(disk.now, 0x55, DISK_BYTES);
	ck_assert_int_eq(attach(true), 0);
	settle();
	ck_assert_int_eq(log_disk.state, LOG_DISK_READY);
	say("a");
	later(LOG_DISK_FLUSH_NS);
	/* But not a log. */
	log_disk_detach(&log_disk);
	ck_assert_int_eq(attach(true), 0);
	settle();
	ck_assert_str_eq(letters(), "a");
	log_disk_detach(&log_disk);
	disk.now[20]++;
	ck_assert_int_eq(attach(true), 0);
	settle();
	ck_assert(says("holds a log whose superblock is damaged: it is left as it is"));
	ck_assert_str_eq(letters(), "a");
}
END_TEST

START_TEST(unfit_disks)
{
	struct block_geometry *geometry = &disk.device.geometry;

	geometry->read_only = true;
	ck_assert_int_eq(attach(false), -EROFS);
	geometry->read_only = false;
	ck_assert_int_eq(log_disk_attach(&log_disk, &disk.device, 512, false), -EINVAL);
	ck_assert_int_eq(log_disk_attach(&log_disk, &disk.device, 2ull * DISK_BYTES, false),
			 -ENOSPC);
	geometry->physical_sector_bytes = 65536;
	ck_assert_int_eq(attach(false), -EINVAL);
	geometry->physical_sector_bytes = 16384;
	ck_assert_int_eq(log_disk_attach(&log_disk, &disk.device, 4096, false), -EINVAL);
	geometry->physical_sector_bytes = 512;
	geometry->sectors = 100;
	ck_assert_int_eq(attach(false), -ENOSPC);
	disk.device.gone = true;
	geometry->sectors = 10000;
	ck_assert_int_eq(attach(false), -ENODEV);
	ck_assert_ptr_null(log_disk.device);
	ck_assert_uint_eq(disk.buffers, 0);
}
END_TEST

/* From an offset on; what is before it stays. */
START_TEST(offset)
{
	memset(disk.now, 0x55, MIB);
	ck_assert_int_eq(log_disk_attach(&log_disk, &disk.device, MIB, false), 0);
	settle();
	say("a");
	later(LOG_DISK_FLUSH_NS);
	ck_assert_uint_eq(log_disk.stats.flushes, 1);
	for (uint32_t i = 0; i < MIB; i++)
		if (disk.now[i] != 0x55)
			ck_abort();
	memmove(disk.durable, disk.durable + MIB, DISK_BYTES - MIB);
	ck_assert_str_eq(letters(), "a");
}
END_TEST

START_TEST(no_flush)
{
	disk.device.geometry.flush = false;
	ck_assert_int_eq(attach(false), 0);
	settle();
	ck_assert(says("xvdb offers no flush"));
	say("a");
	later(LOG_DISK_FLUSH_NS);
	memcpy(disk.durable, disk.now, DISK_BYTES);
	ck_assert_str_eq(letters(), "a");
	/* One that says that it can, and cannot. */
	console[0] = '\0';
	disk.device.geometry.flush = true;
	disk.write_error = -EOPNOTSUPP;
	say("b");
	now += LOG_DISK_FLUSH_NS;
	log_disk_run(&log_disk, now);
	(void)fake_block_step(&disk);
	disk.write_error = 0;
	later(LOG_DISK_FLUSH_NS);
	memcpy(disk.durable, disk.now, DISK_BYTES);
	ck_assert_str_eq(letters(), "ab");
	ck_assert_uint_eq(log_disk.stats.errors, 0);
}
END_TEST

/* Errors: the next segment is tried, at longer and longer intervals; then all is there. */
START_TEST(write_errors)
{
	uint64_t writes;

	ck_assert_int_eq(attach(false), 0);
	settle();
	say("a");
	later(LOG_DISK_FLUSH_NS);
	disk.write_error = -EIO;
	say("b");
	for (uint32_t i = 0; i < 600; i++)
		later(SECOND);
	ck_assert(says("xvdb: cannot be written: input or output error; again in 1 s"));
	ck_assert(says("again in 64 s"));
	ck_assert_uint_gt(log_disk.stats.errors, 8);
	ck_assert_uint_lt(log_disk.stats.errors, 20);
	/* Few of the 63 places, and those in turn. */
	ck_assert_uint_gt(log_disk.segment.sequence, 8);
	ck_assert_uint_le(log_disk.segment.index, 3);
	disk.write_error = 0;
	say("c");
	writes = disk.writes;
	later(64 * SECOND);
	ck_assert_uint_gt(disk.writes, writes);
	ck_assert_str_eq(letters(), "abc");
	ck_assert_uint_eq(log_disk.stats.dropped, 0);
}
END_TEST

/* A bad place is passed over. */
START_TEST(bad_segment)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	disk.write_error = -EIO;
	disk.bad_from = LOG_DISK_HEAD_BYTES + LOG_DISK_SEGMENT_LEAST + 8192;
	disk.bad_to = disk.bad_from + 4096;
	for (uint32_t i = 0; i < 40; i++) {
		char text[2] = { (char)(i < 26 ? 'A' + i : 'a' + i - 26), '\0' };

		say(text);
		later(3 * SECOND);
	}
	ck_assert_uint_eq(log_disk.stats.errors, 1);
	ck_assert_str_eq(letters(), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn");
}
END_TEST

/* Headers that cannot be read: no number is given twice, and it does not wait for ever. */
START_TEST(read_errors)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	for (uint32_t i = 0; i < 5; i++) {
		log_disk.segment_at = 0;
		say("a");
		later(LOG_DISK_FLUSH_NS);
	}
	log_disk_detach(&log_disk);
	begin();
	disk.read_error = -EIO;
	ck_assert_int_eq(attach(false), 0);
	for (uint32_t i = 0; i < 20; i++)
		later(SECOND);
	ck_assert_int_eq(log_disk.state, LOG_DISK_LOOKING);
	ck_assert(says("cannot be used: input or output error"));
	/* The newest one alone. */
	disk.bad_from = LOG_DISK_HEAD_BYTES + 4 * LOG_DISK_SEGMENT_LEAST;
	disk.bad_to = disk.bad_from + 512;
	for (uint32_t i = 0; i < 200; i++)
		later(SECOND);
	ck_assert_int_eq(log_disk.state, LOG_DISK_READY);
	ck_assert(says("1 segments cannot be read"));
	say("b");
	later(LOG_DISK_FLUSH_NS);
	ck_assert_uint_eq(log_disk.segment.sequence, 6);
}
END_TEST

/* Memory that the backend keeps is not used again, and not for ever replaced. */
START_TEST(kept_memory)
{
	void *kept[8];
	uint32_t count = 0;

	ck_assert_int_eq(attach(false), 0);
	settle();
	say("a");
	disk.write_error = -EBUSY;
	while (log_disk.device && count < 8) {
		kept[count] = log_disk.buffer;
		now += 64 * SECOND;
		log_disk_run(&log_disk, now);
		ck_assert(fake_block_step(&disk));
		log_disk_run(&log_disk, now);
		ck_assert(!log_disk.device || log_disk.buffer != kept[count]);
		count++;
	}
	ck_assert_uint_eq(count, 5);
	ck_assert_int_eq(log_disk.state, LOG_DISK_REFUSED);
	ck_assert(says("keeps the log's memory"));
	ck_assert_uint_eq(disk.buffers, count);
	while (count)
		free(kept[--count]);
}
END_TEST

/* A disk that answers nothing: the newest lines wait, in memory of a fixed size. */
START_TEST(slow_disk)
{
	char text[2] = "a";
	uint64_t dropped;

	ck_assert_int_eq(attach(false), 0);
	settle();
	say("0");
	now += LOG_DISK_FLUSH_NS;
	log_disk_run(&log_disk, now);
	for (uint32_t i = 0; i < 10000; i++) {
		text[0] = (char)('a' + i % 26);
		say(text);
		log_disk_run(&log_disk, now);
	}
	dropped = log_disk.stats.dropped;
	ck_assert_uint_gt(dropped, 5000);
	ck_assert_uint_eq(disk.queued, 1);
	later(LOG_DISK_FLUSH_NS);
	later(LOG_DISK_FLUSH_NS);
	ck_assert_int_eq(letters()[0], '0');
	ck_assert_int_eq(letters()[strlen(letters()) - 1], text[0]);
	ck_assert_uint_eq(log_disk.stats.lines, log_disk.stats.flushed + log_disk.stats.dropped);
	ck_assert_uint_eq(log_disk.stats.dropped, dropped); /* that never goes back */
	(void)letters();
	ck_assert_uint_eq(reader.left_out, log_disk.stats.dropped);
}
END_TEST

/* The same, and then it fails (0), goes (1), or does both (2): each line is counted once. */
START_TEST(slow_disk_that_fails)
{
	struct log_disk_stats *stats = &log_disk.stats;

	ck_assert_int_eq(attach(false), 0);
	settle();
	for (uint32_t i = 0; i < 20; i++)
		say("0");
	now += LOG_DISK_FLUSH_NS;
	log_disk_run(&log_disk, now);
	for (uint32_t i = 0; i < 10000; i++)
		say("a");
	disk.write_error = -EIO;
	if (_i != 1)
		ck_assert(fake_block_step(&disk));
	if (_i > 0)
		fake_block_remove(&disk);
	log_disk_run(&log_disk, now);
	ck_assert(!disk.queued);
	if (_i > 0)
		log_disk_detach(&log_disk);
	ck_assert_uint_eq(stats->flushed, 0);
	ck_assert_uint_eq(stats->lines - stats->dropped,
			  log_disk.next_number - log_disk.first_number);
	if (_i > 0)
		return;
	disk.write_error = 0;
	later(SECOND);
	later(LOG_DISK_FLUSH_NS);
	ck_assert(log_disk_is_clean(&log_disk));
	ck_assert_uint_eq(stats->lines, stats->flushed + stats->dropped);
}
END_TEST

/*
 * Lines that come one by one while the disk writes: they are collected as others are, and do not
 * take a sector each.
 */
START_TEST(lines_while_it_writes)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	say("a");
	later(LOG_DISK_FLUSH_NS);
	for (uint32_t i = 0; i < 20; i++) {
		say("b");
		now += LOG_DISK_FLUSH_NS / 10;
		log_disk_run(&log_disk, now);
		say("c");
		settle();
		ck_assert(!log_disk_is_clean(&log_disk));
		ck_assert_uint_le(log_disk_next_ns(&log_disk), now + LOG_DISK_FLUSH_NS);
	}
	ck_assert_uint_le(log_disk.stats.flushes, 3);
	later(LOG_DISK_FLUSH_NS);
	ck_assert(log_disk_is_clean(&log_disk));
	ck_assert_uint_eq(strlen(letters()), 41);
}
END_TEST

/* Under way, and with less room than the newest segment needs. */
START_TEST(shrinks)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	for (uint32_t i = 0; i < 30; i++) {
		log_disk.segment_at = 0;
		say("a");
		later(LOG_DISK_FLUSH_NS);
	}
	disk.device.geometry.sectors /= 4;
	say("b");
	later(LOG_DISK_FLUSH_NS);
	ck_assert(says("xvdb has shrunk"));
	ck_assert(log_disk_is_clean(&log_disk));
	ck_assert_uint_eq(log_disk.segment.index, 0);
	ck_assert_uint_eq(log_disk.stats.errors, 0);
	/* Another one of another size in its place. */
	memset(disk.now, 0x55, DISK_BYTES);
	disk.device.geometry.sectors *= 2;
	say("c");
	later(LOG_DISK_FLUSH_NS);
	ck_assert_int_eq(log_disk.state, LOG_DISK_REFUSED);
	for (uint32_t i = 0; i < DISK_BYTES; i++)
		if (disk.now[i] != 0x55)
			ck_abort();
}
END_TEST

/* At every step of a look: it begins again, and nobody's data is overwritten. */
START_TEST(changes_while_looked_at)
{
	for (uint32_t steps = 0; steps < 70; steps++) {
		memset(disk.now, 0, DISK_BYTES);
		disk.now[DISK_BYTES / 2 - 1] = 0x55;
		disk.device.geometry.sectors = DISK_BYTES / 512;
		begin();
		ck_assert_int_eq(attach(false), 0);
		for (uint32_t i = 0; i < steps; i++) {
			log_disk_run(&log_disk, now);
			(void)fake_block_step(&disk);
		}
		ck_assert_int_eq(log_disk.state, steps < 65 ? LOG_DISK_LOOKING : LOG_DISK_MAKING);
		disk.device.geometry.sectors /= 2;
		settle();
		if (steps < 65)
			ck_assert_int_eq(log_disk.state, LOG_DISK_REFUSED);
		ck_assert_uint_eq(disk.now[DISK_BYTES / 2 - 1], 0x55);
		log_disk_detach(&log_disk);
	}
	begin();
	disk.device.geometry.sectors = DISK_BYTES / 512;
	ck_assert_int_eq(attach(false), 0);
	disk.device.geometry.sectors = 1;
	settle();
	ck_assert(says("xvdb: cannot be used: past the end of the device; again in 1 s"));
}
END_TEST

/* The device goes while a write is under way; another one gets what waited. */
START_TEST(removed)
{
	ck_assert_int_eq(attach(false), 0);
	settle();
	say("a");
	now += LOG_DISK_FLUSH_NS;
	log_disk_run(&log_disk, now);
	ck_assert_uint_eq(disk.queued, 1);
	log_disk_detach(&log_disk);
	ck_assert_ptr_nonnull(log_disk.device);
	fake_block_remove(&disk);
	log_disk_run(&log_disk, now);
	ck_assert_ptr_null(log_disk.device);
	ck_assert_int_eq(log_disk.state, LOG_DISK_NONE);
	ck_assert_uint_eq(disk.buffers, 0);
	fake_block_free(&disk);
	fake_block_init(&disk, DISK_BYTES, 4096, 4096, 1);
	say("b");
	ck_assert_int_eq(attach(false), 0);
	settle();
	later(LOG_DISK_FLUSH_NS);
	ck_assert_str_eq(letters(), "ab");
}
END_TEST

static void stats_line(void *context, const char *text)
{
	(void)context;
	say(text);
}

static void image_keep(const char *end)
{
	const char *begin = getenv("LOG_IMAGE");
	char name[512];
	FILE *to;

	if (!begin)
		return;
	snprintf(name, sizeof(name), "%s%s", begin, end);
	to = fopen(name, "wb");
	ck_assert_ptr_nonnull(to);
	ck_assert_uint_eq(fwrite(disk.durable, 1, DISK_BYTES, to), DISK_BYTES);
	fclose(to);
}

/* Lines of every level, packets, two starts, a loss of power in between. */
START_TEST(image)
{
	uint8_t *after = malloc(DISK_BYTES);

	ck_assert_int_eq(attach(false), 0);
	settle();
	log_line(LOG_ERROR, "rules", "no rules");
	packet_give(12, "the web", true);
	packet_give(3, "", false);
	later(LOG_DISK_FLUSH_NS);
	log_line(LOG_INFO, "firewall", "never flushed");
	now += LOG_DISK_FLUSH_NS;
	log_disk_run(&log_disk, now);
	memcpy(after, disk.durable, DISK_BYTES);
	image_keep(".before");
	free(log_disk.buffer);
	fake_block_restart(&disk, after);
	now = 100 * SECOND;
	begin();
	ck_assert_int_eq(attach(false), 0);
	settle();
	log_line(LOG_WARNING, "firewall", "it is %s", "later");
	packet_give(0, "", false);
	say("\x1b[31mred\x07");
	log_disk_print_stats(&log_disk, stats_line, NULL);
	later(LOG_DISK_FLUSH_NS);
	(void)letters();
	ck_assert_uint_eq(reader.count, 2);
	image_keep("");
	free(after);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, empty_disk);
	tcase_add_test(cases, packet_record);
	tcase_add_test(cases, another_start);
	tcase_add_test(cases, foreign_disk);
	tcase_add_test(cases, unfit_disks);
	tcase_add_test(cases, offset);
	tcase_add_test(cases, no_flush);
	tcase_add_test(cases, write_errors);
	tcase_add_test(cases, bad_segment);
	tcase_add_test(cases, read_errors);
	tcase_add_test(cases, kept_memory);
	tcase_add_test(cases, slow_disk);
	tcase_add_loop_test(cases, slow_disk_that_fails, 0, 3);
	tcase_add_test(cases, lines_while_it_writes);
	tcase_add_test(cases, shrinks);
	tcase_add_test(cases, changes_while_looked_at);
	tcase_add_test(cases, removed);
	tcase_add_test(cases, image);
}

int main(void)
{
	return unit_main("configs/log_disk", add_cases);
}
