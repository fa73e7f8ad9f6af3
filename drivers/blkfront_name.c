/* SPDX-License-Identifier: ISC */
/*
 * The names of disks, from the numbers that the toolstack gives them
 * (docs/misc/vbd-interface.txt). A scheme has a letter for each disk, and minor numbers
 * for the disk itself and its partitions.
 */
#include <stdio.h>

#include "drivers/blkfront.h"
#include "lib/compiler.h"

#define EXTENDED (1u << 28)
#define EXTENDED_SHIFT 8u
#define MAJOR_SHIFT 8u
#define MINOR_MASK 0xffu
#define LETTERS 26u

struct scheme {
	uint16_t major;
	uint8_t partition_bits; /* 6: of the old channels, with two disks each */
	uint8_t first;		/* the disk whose minor numbers are the major's first */
	char prefix[4];
};

static const struct scheme schemes[] = {
	{ 202, 4, 0, "xvd" },  { 3, 6, 0, "hd" },     { 22, 6, 2, "hd" },    { 33, 6, 4, "hd" },
	{ 34, 6, 6, "hd" },    { 56, 6, 8, "hd" },    { 57, 6, 10, "hd" },   { 88, 6, 12, "hd" },
	{ 89, 6, 14, "hd" },   { 90, 6, 16, "hd" },   { 91, 6, 18, "hd" },   { 8, 4, 0, "sd" },
	{ 65, 4, 16, "sd" },   { 66, 4, 32, "sd" },   { 67, 4, 48, "sd" },   { 68, 4, 64, "sd" },
	{ 69, 4, 80, "sd" },   { 70, 4, 96, "sd" },   { 71, 4, 112, "sd" },  { 128, 4, 128, "sd" },
	{ 129, 4, 144, "sd" }, { 130, 4, 160, "sd" }, { 131, 4, 176, "sd" }, { 132, 4, 192, "sd" },
	{ 133, 4, 208, "sd" }, { 134, 4, 224, "sd" }, { 135, 4, 240, "sd" },
};

/* a .. z, aa .. zz, aaa and so on. */
static void name_write(char name[BLOCK_NAME_BYTES], const char *prefix, uint32_t disk,
		       uint32_t partition)
{
	char letters[8];
	char *end = letters + sizeof(letters) - 1;

	*end = '\0';
	for (disk++; disk; disk /= LETTERS) {
		disk--;
		*--end = (char)('a' + disk % LETTERS);
	}
	if (partition)
		snprintf(name, BLOCK_NAME_BYTES, "%s%s%u", prefix, end, partition);
	else
		snprintf(name, BLOCK_NAME_BYTES, "%s%s", prefix, end);
}

void blkfront_name(uint32_t virtual_device, char name[BLOCK_NAME_BYTES])
{
	uint32_t major = virtual_device >> MAJOR_SHIFT;
	uint32_t minor = virtual_device & MINOR_MASK;

	if (virtual_device >> 28 == 1) {
		uint32_t number = virtual_device & (EXTENDED - 1);

		name_write(name, "xvd", number >> EXTENDED_SHIFT,
			   number & ((1u << EXTENDED_SHIFT) - 1));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		const struct scheme *scheme = &schemes[i];
		uint32_t disk = minor >> scheme->partition_bits;

		if (major != scheme->major || (scheme->partition_bits == 6 && disk > 1))
			continue;
		name_write(name, scheme->prefix, scheme->first + disk,
			   minor & ((1u << scheme->partition_bits) - 1));
		return;
	}
	snprintf(name, BLOCK_NAME_BYTES, "vbd%u", virtual_device);
}
