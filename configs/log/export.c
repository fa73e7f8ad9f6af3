/* SPDX-License-Identifier: ISC */
/*
 * The command `export`: a capture of one section, in which lines stand as entries of a
 * journal between the packets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "configs/log/log.h"
#include "lib/pcapng.h"

#define NAME_BYTES 64u
#define INTERFACES_MOST 1024u
#define BLOCK_BYTES 4096u
#define NS_PER_US 1000u

struct capture {
	FILE *to;
	uint64_t records;
	uint32_t count; /* of interfaces */
	char interfaces[INTERFACES_MOST][NAME_BYTES];
	uint8_t block[BLOCK_BYTES];
};

static void put(struct capture *capture, size_t bytes)
{
	(void)!fwrite(capture->block, 1, bytes, capture->to);
}

static void interface_put(struct capture *capture, const char *name)
{
	put(capture, pcapng_write_interface(capture->block, sizeof(capture->block), name,
					    PCAPNG_LINK_ETHERNET, 0));
}

/* The interface's number; a new one is described first. Beyond the most all are the last one. */
static uint32_t interface_number(struct capture *capture, const struct log_disk_text *text)
{
	char name[NAME_BYTES];
	uint32_t i = 0;

	text_copy(text, name, sizeof(name));
	while (i < capture->count && strcmp(capture->interfaces[i], name) != 0)
		i++;
	if (i == INTERFACES_MOST)
		return INTERFACES_MOST - 1;
	if (i < capture->count)
		return i;
	if (i == INTERFACES_MOST - 1)
		snprintf(name, sizeof(name), "others");
	memcpy(capture->interfaces[capture->count++], name, sizeof(name));
	interface_put(capture, name);
	return i;
}

static enum pcapng_direction direction_of(const struct log_disk_packet *packet)
{
	switch (packet->direction) {
	case LOG_DISK_IN:
		return PCAPNG_INBOUND;
	case LOG_DISK_OUT:
		return PCAPNG_OUTBOUND;
	default:
		return PCAPNG_NO_DIRECTION;
	}
}

static enum pcapng_verdict verdict_of(const struct log_disk_packet *packet)
{
	switch (packet->verdict) {
	case LOG_DISK_PASS:
		return PCAPNG_PASS;
	case LOG_DISK_BLOCK:
	case LOG_DISK_BLOCK_RETURN:
	case LOG_DISK_DROP:
		return PCAPNG_DROP;
	default:
		return PCAPNG_NO_VERDICT;
	}
}

static void packet_put(struct capture *capture, const struct log_disk_record *record)
{
	const struct log_disk_packet *from = &record->packet;
	char comment[COMMENT_BYTES];
	struct pcapng_packet packet = {
		.interface = interface_number(capture, &from->interface),
		.time_ns = record->time_ns,
		.bytes = from->bytes,
		.captured = from->captured,
		.length = from->length,
		.direction = direction_of(from),
		.verdict = verdict_of(from),
		.comment = comment,
	};

	packet_comment(from, comment, sizeof(comment));
	put(capture, pcapng_write_packet(capture->block, sizeof(capture->block), &packet));
}

/* syslog's numbers (RFC 5424, 6.2.1) for the words of lib/log.h. */
static unsigned int priority_of(const char *line)
{
	const char *level = strchr(line, ']');

	if (level && strncmp(level, "] error", 7) == 0)
		return 3;
	if (level && strncmp(level, "] warn", 6) == 0)
		return 4;
	return level && strncmp(level, "] debug", 7) == 0 ? 7 : 6;
}

static void line_put(struct capture *capture, const struct log_disk_record *record)
{
	char line[LOG_DISK_LINE_MOST + 1], entry[sizeof(line) + 128];
	int length;

	text_copy(&record->line, line, sizeof(line));
	length = snprintf(entry, sizeof(entry),
			  "__REALTIME_TIMESTAMP=%" PRIu64 "\nPRIORITY=%u\n"
			  "SYSLOG_IDENTIFIER=ringwall\nMESSAGE=%s\n",
			  record->time_ns / NS_PER_US, priority_of(line), line);
	if (length > 0)
		put(capture, pcapng_write_journal(capture->block, sizeof(capture->block), entry,
						  (size_t)length));
}

static bool is_standard(const char *name)
{
	return strcmp(name, "-") == 0;
}

/* The capture would be written over the log. */
static bool is_same_file(const char *name, const char *other)
{
	struct stat a, b;

	if (stat(name, &a) || stat(other, &b))
		return false;
	if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
		return a.st_rdev == b.st_rdev;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void all_put(struct capture *capture, struct log_disk_reader *reader,
		    const struct log_options *options)
{
	struct log_disk_record record;

	put(capture, pcapng_write_section(capture->block, sizeof(capture->block), "ringwall-log"));
	while (!ferror(capture->to) && log_disk_reader_next(reader, &record)) {
		if (!options_want(options, &record))
			continue;
		capture->records++;
		if (record.kind == LOG_DISK_PACKET)
			packet_put(capture, &record);
		else if (record.kind == LOG_DISK_LINE)
			line_put(capture, &record);
	}
	/* libpcap, and so tcpdump, opens no capture without one. */
	if (!capture->count)
		interface_put(capture, "none");
}

int export_run(struct log_disk_reader *reader, const struct log_options *options)
{
	static struct capture capture;
	bool good;

	if (is_standard(options->output) && isatty(STDOUT_FILENO)) {
		fputs("ringwall-log: a capture is nothing for a terminal: -o FILE\n", stderr);
		return LOG_TROUBLE;
	}
	if (!is_standard(options->output) && is_same_file(options->output, options->name)) {
		fprintf(stderr, "ringwall-log: %s: is the disk that is read\n", options->output);
		return LOG_TROUBLE;
	}
	capture.to = is_standard(options->output) ? stdout : fopen(options->output, "wb");
	if (!capture.to) {
		fprintf(stderr, "ringwall-log: %s: %s\n", options->output, strerror(errno));
		return LOG_TROUBLE;
	}
	all_put(&capture, reader, options);
	good = !ferror(capture.to);
	if ((capture.to == stdout ? fflush(stdout) : fclose(capture.to)) || !good) {
		fprintf(stderr, "ringwall-log: %s: cannot be written\n", options->output);
		return LOG_TROUBLE;
	}
	return capture.records ? LOG_GOOD : LOG_NOTHING;
}
