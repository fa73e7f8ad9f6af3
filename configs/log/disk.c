/* SPDX-License-Identifier: ISC */
/*
 * A disk or its image, read in whole sectors. A block device is read past the host's cache:
 * what a guest writes to it does not go through there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "configs/log/log.h"

struct disk {
	const char *name;
	int file;
	uint64_t offset, bytes;
	uint8_t *memory;
};

static int complain(const char *name, const char *what)
{
	fprintf(stderr, "ringwall-log: %s: %s\n", name, what);
	return -1;
}

static int file_open(const char *name)
{
	struct stat info;
	int file = stat(name, &info) ? -1 : 0;

	if (file == 0 && !S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
		return complain(name, "neither a disk nor a file");
	if (file == 0 && S_ISBLK(info.st_mode))
		file = open(name, O_RDONLY | O_CLOEXEC | O_DIRECT);
	else if (file == 0)
		file = open(name, O_RDONLY | O_CLOEXEC);
	return file < 0 ? complain(name, strerror(errno)) : file;
}

static struct disk *disk_make(const char *name, int file, uint64_t offset)
{
	off_t end = lseek(file, 0, SEEK_END);
	struct disk *disk = calloc(1, sizeof(*disk));
	void *memory = NULL;

	if (!disk || posix_memalign(&memory, LOG_DISK_UNIT_LEAST, LOG_DISK_BATCH_MOST)) {
		(void)complain(name, "no memory");
	} else if (end < 0 || (uint64_t)end < offset) {
		(void)complain(name, "it ends before the log");
	} else {
		*disk = (struct disk){ name, file, offset, (uint64_t)end - offset, memory };
		return disk;
	}
	free(memory);
	free(disk);
	return NULL;
}

struct disk *disk_open(const char *name, uint64_t offset)
{
	int file = file_open(name);
	struct disk *disk = file < 0 ? NULL : disk_make(name, file, offset);

	if (file >= 0 && !disk)
		close(file);
	return disk;
}

void disk_close(struct disk *disk)
{
	close(disk->file);
	free(disk->memory);
	free(disk);
}

static int disk_read(void *context, uint64_t at, void *to, size_t bytes)
{
	const struct disk *disk = context;
	size_t done = 0;

	while (done < bytes) {
		ssize_t part = pread(disk->file, (uint8_t *)to + done, bytes - done,
				     (off_t)(disk->offset + at + done));

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return -EIO;
		done += (size_t)part;
	}
	return 0;
}

bool disk_read_log(struct disk *disk, struct log_disk_reader *reader)
{
	struct log_disk_source source = { disk_read, disk, disk->bytes };

	switch (log_disk_reader_open(reader, &source, disk->memory)) {
	case 0:
		return true;
	case -ENOENT:
		(void)complain(disk->name, "holds no log");
		return false;
	case -EPROTONOSUPPORT:
		(void)complain(disk->name, "holds a log of another version");
		return false;
	case -EINVAL:
		(void)complain(disk->name, "the log's superblock is damaged");
		return false;
	case -ENOSPC:
		(void)complain(disk->name, "is too small to hold a log");
		return false;
	default:
		(void)complain(disk->name, "cannot be read");
		return false;
	}
}
