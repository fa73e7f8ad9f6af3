/* SPDX-License-Identifier: ISC */
#include "configs/rules_disk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of any size of sectors a whole number. */
#define PIECE_BYTES 16384u

static const char end_line[] = "# end";

static int refuse(struct rules_error *error, int result, uint32_t line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct rules_error *error, int result, uint32_t line, const char *format, ...)
{
	va_list arguments;

	*error = (struct rules_error){ .line = line, .column = line ? 1 : 0 };
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return result;
}

/* ---- what is on the disk ---- */

struct reading {
	const struct rules_disk_place *place;
	struct block_device *device; /* that was there at first */
	uint32_t attached;
	char *text;
	size_t used, room;
	struct rules_error *error;
};

static bool room_make(struct reading *reading)
{
	size_t room = reading->room ? reading->room * 2 : PIECE_BYTES;
	char *text;

	if (reading->used + PIECE_BYTES <= reading->room)
		return true;
	text = realloc(reading->text, room);
	if (!text)
		return false;
	reading->text = text;
	reading->room = room;
	return true;
}

/* As many as there are of PIECE_BYTES from byte `at` on, and how many are text. */
static int sectors_read(struct block_device *device, size_t at, char *piece, size_t *length)
{
	const struct block_geometry *geometry = &device->geometry;
	uint64_t sector = at / geometry->sector_bytes;
	uint64_t count = PIECE_BYTES / geometry->sector_bytes;
	int result;

	*length = 0;
	if (sector >= geometry->sectors)
		return 0;
	if (count > geometry->sectors - sector)
		count = geometry->sectors - sector;
	result = block_read(device, sector, count, piece);
	if (!result)
		*length = strnlen(piece, count * geometry->sector_bytes);
	return result;
}

/* The text from byte `at` on: `*length` is less than PIECE_BYTES where it ends. */
static int piece_read(const struct reading *reading, size_t at, char *piece, size_t *length)
{
	const struct rules_disk_place *place = reading->place;
	int result = sectors_read(reading->device, at, piece, length);

	if (place->device != reading->device || place->attached != reading->attached)
		return refuse(reading->error, -ENODEV, 0, "the disk was taken away");
	if (result)
		return refuse(reading->error, result, 0, "the disk cannot be read: %s",
			      block_error_name(result));
	return 0;
}

static int disk_read(struct reading *reading)
{
	size_t length = PIECE_BYTES;

	while (length == PIECE_BYTES) {
		int result;

		if (!room_make(reading))
			return refuse(reading->error, -ENOMEM, 0,
				      "not enough memory for the rule file");
		result = piece_read(reading, reading->used, reading->text + reading->used, &length);
		if (result)
			return result;
		reading->used += length;
		if (reading->used > RULES_DISK_MOST)
			return refuse(reading->error, -E2BIG, 0,
				      "the rule file is longer than %u KiB",
				      RULES_DISK_MOST / 1024);
	}
	return 0;
}

/*
 * Reads it once more: while somebody writes to the disk, or a backend takes the place of one that
 * served another file, the first half can be of one text and the second of another.
 */
static int same_check(const struct reading *reading)
{
	size_t at = 0, length = PIECE_BYTES;
	char *piece = malloc(PIECE_BYTES);
	int result = 0;

	if (!piece)
		return refuse(reading->error, -ENOMEM, 0, "not enough memory for the rule file");
	while (!result && length == PIECE_BYTES) {
		result = piece_read(reading, at, piece, &length);
		if (!result &&
		    (length > reading->used - at || memcmp(piece, reading->text + at, length) != 0))
			break;
		at += length;
	}
	free(piece);
	if (!result && at != reading->used)
		return refuse(reading->error, -EAGAIN, 0, "the disk changed while it was read");
	return result;
}

/* ---- whether it is all of a file ---- */

static bool is_end(const char *line, size_t length)
{
	return length == sizeof(end_line) - 1 && memcmp(line, end_line, length) == 0;
}

static int whole_check(const char *text, size_t bytes, struct rules_error *error)
{
	uint32_t number = 0;
	size_t at = 0;

	if (bytes == 0)
		return refuse(error, -EINVAL, 0, "the disk has no text at its beginning");
	while (at < bytes) {
		const char *line = text + at;
		const char *newline = memchr(line, '\n', bytes - at);
		size_t length = newline ? (size_t)(newline - line) : bytes - at;

		number++;
		at += length + 1;
		if (!is_end(line, length))
			continue;
		if (at < bytes)
			return refuse(error, -EINVAL, number,
				      "there are lines after \"%s\": fill the rest with NULs",
				      end_line);
		return 0;
	}
	return refuse(error, -EINVAL, number, "cut? the last line of a file on a disk is \"%s\"",
		      end_line);
}

int rules_disk_read(const struct rules_disk_place *place, char **text, size_t *bytes,
		    struct rules_error *error)
{
	struct reading reading = {
		.place = place, .device = place->device, .attached = place->attached, .error = error
	};
	int result;

	if (!reading.device)
		return refuse(error, -ENODEV, 0, "the disk is not there");
	result = disk_read(&reading);
	if (!result)
		result = same_check(&reading);
	if (!result)
		result = whole_check(reading.text, reading.used, error);
	if (result) {
		free(reading.text);
		return result;
	}
	*text = reading.text;
	*bytes = reading.used;
	return 0;
}
