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
	char *text;
	size_t used, room;
	bool ended; /* with a NUL, or with the disk */
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

/* The next part of the disk, behind what there is. 0, or an error of the disk. */
static int piece_read(struct block_device *device, struct reading *reading)
{
	const struct block_geometry *geometry = &device->geometry;
	uint64_t sector = reading->used / geometry->sector_bytes;
	uint64_t count = PIECE_BYTES / geometry->sector_bytes;
	char *piece = reading->text + reading->used;
	size_t bytes, length;
	int result;

	if (sector >= geometry->sectors) {
		reading->ended = true;
		return 0;
	}
	if (count > geometry->sectors - sector)
		count = geometry->sectors - sector;
	bytes = count * geometry->sector_bytes;
	result = block_read(device, sector, count, piece);
	if (result)
		return result;
	length = strnlen(piece, bytes);
	reading->ended = length < bytes;
	reading->used += length;
	return 0;
}

static int disk_read(const struct rules_disk_place *place, struct reading *reading,
		     struct rules_error *error)
{
	struct block_device *device = place->device;
	uint32_t attached = place->attached;

	if (!device)
		return refuse(error, -ENODEV, 0, "the disk is not there");
	while (!reading->ended) {
		int result;

		if (!room_make(reading))
			return refuse(error, -ENOMEM, 0, "not enough memory for the rule file");
		result = piece_read(device, reading);
		if (place->device != device || place->attached != attached)
			return refuse(error, -ENODEV, 0, "the disk was taken away");
		if (result)
			return refuse(error, result, 0, "the disk cannot be read: %s",
				      block_error_name(result));
		if (reading->used > RULES_DISK_MOST)
			return refuse(error, -E2BIG, 0, "the rule file is longer than %u KiB",
				      RULES_DISK_MOST / 1024);
	}
	return 0;
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
	struct reading reading = { .ended = false };
	int result = disk_read(place, &reading, error);

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
