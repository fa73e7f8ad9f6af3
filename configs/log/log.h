/* SPDX-License-Identifier: ISC */
/* The parts of ringwall-log. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/log_disk_reader.h"

/* Exit statuses, as grep's. */
#define LOG_GOOD 0    /* there was something */
#define LOG_NOTHING 1 /* there was nothing */
#define LOG_TROUBLE 2 /* wrong words, or a disk that holds no log or cannot be read */

/* What the words say. */
struct log_options {
	const char *name;   /* of the disk */
	const char *output; /* of the capture; "-": the standard output */
	uint64_t offset;    /* of the log on the disk, bytes */
	uint64_t since_ns;  /* records from this time on; since 1970 */
	uint64_t until_ns;  /* and before this one */
	uint64_t count;	    /* of lines; 0: all */
	bool follow;
};

/* A disk, or an image of one in a file, which somebody else may be writing to. */
struct disk;

/* NULL, and why not on the standard error. */
must_check struct disk *disk_open(const char *name, uint64_t offset);
void disk_close(struct disk *disk);

/* The reader stands at the oldest segment; false, and why on the standard error. */
must_check bool disk_read_log(struct disk *disk, struct log_disk_reader *reader);

/* The record is of the time that the options ask for. */
bool options_want(const struct log_options *options, const struct log_disk_record *record);

/* What the disk holds, where the reader has been to its end. */
void reader_complain(const struct log_options *options, const struct log_disk_reader *reader);

/* One line for a record, with its newline; whatever it holds, only printable characters. */
#define RECORD_TEXT_BYTES 4096u
void record_text(const struct log_disk_record *record, char *to, size_t size);

/* A packet's comment: rule, verdict, reason. */
#define COMMENT_BYTES 512u
void packet_comment(const struct log_disk_packet *packet, char *to, size_t size);

/* The text, printable, with a NUL; what does not fit is cut. */
void text_copy(const struct log_disk_text *text, char *to, size_t size);

/* "tcp 10.0.0.5:4000 > 1.1.1.1:443 flags S": what the first bytes of a frame tell. */
#define PACKET_TEXT_BYTES 160u
void packet_text(const uint8_t *frame, uint32_t captured, char *to, size_t size);

/* The commands; exit statuses. */
int list_run(struct log_disk_reader *reader, const struct log_options *options);
int tail_run(struct log_disk_reader *reader, const struct log_options *options);
int export_run(struct log_disk_reader *reader, const struct log_options *options);
