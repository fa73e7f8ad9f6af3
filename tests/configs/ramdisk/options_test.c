/* SPDX-License-Identifier: ISC */
/* The RAM disk's command line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "configs/ramdisk/options.h"
#include "tests/host/unit.h"

static struct ramdisk_options options;

START_TEST(disks)
{
	const struct blkback_disk *disk = options.disks;

	ck_assert_int_eq(ramdisk_options_parse("  disk=data:64M disk=log.1:8k:4096:ro\n"
					       "disk=x:1536 log=debug clients=3",
					       &options),
			 0);
	ck_assert_uint_eq(options.disk_count, 3);
	ck_assert_str_eq(disk[0].name, "data");
	ck_assert_uint_eq(disk[0].bytes, 64u << 20);
	ck_assert_uint_eq(disk[0].sector_bytes, 512);
	ck_assert(!disk[0].read_only && disk[1].read_only);
	ck_assert_str_eq(disk[1].name, "log.1");
	ck_assert_uint_eq(disk[1].bytes, 8192);
	ck_assert_uint_eq(disk[1].sector_bytes, 4096);
	ck_assert_uint_eq(disk[2].bytes, 1536);
	ck_assert_int_eq(options.log, LOG_DEBUG);
	ck_assert_uint_eq(options.clients, 3);
	ck_assert(memcmp(&options.features, &blkback_all_features, sizeof(options.features)) == 0);
}
END_TEST

START_TEST(features)
{
	ck_assert_int_eq(ramdisk_options_parse("persistent=no discard=no flush=yes barrier=no "
					       "indirect=32 order=1 queues=2 disk=a:1G",
					       &options),
			 0);
	ck_assert(!options.features.persistent && !options.features.discard);
	ck_assert(options.features.flush && !options.features.barrier);
	ck_assert_uint_eq(options.features.indirect_segments, 32);
	ck_assert_uint_eq(options.features.ring_order, 1);
	ck_assert_uint_eq(options.features.max_queues, 2);
	ck_assert_uint_eq(options.disks[0].bytes, 1u << 30);
}
END_TEST

START_TEST(mistakes)
{
	static const char *const wrong[] = {
		"disk=",
		"disk=:1M",
		"disk=a",
		"disk=a:",
		"disk=a:0",
		"disk=a:100",
		"disk=a:1M:513",
		"disk=a:1M:256",
		"disk=a:1M:8192",
		"disk=a:2K:4096",
		"disk=a:1M:rw",
		"disk=a/b:1M",
		"disk=a:-1",
		"disk=a:1T",
		"disk=a:99999999999999999999",
		"disk=a:17179869184G",
		"disk=a:M",
		"disk=abcdefghijklmnopqrstuvwxyzabcdef:1M",
		"disk",
		"nonsense",
		"x=1",
		"clients=0",
		"clients=33",
		"log=loud",
		"log=",
		"persistent=maybe",
		"indirect=257",
		"queues=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(ramdisk_options_parse(wrong[i], &options) == -EINVAL, "%s", wrong[i]);
		ck_assert_uint_eq(options.wrong, 1);
		ck_assert_ptr_eq(options.wrong_word, wrong[i]);
		ck_assert_uint_eq(options.wrong_bytes, strlen(wrong[i]));
	}
}
END_TEST

START_TEST(two_disks_of_a_name)
{
	ck_assert_int_eq(ramdisk_options_parse("disk=a:1M disk=a:2M", &options), -EINVAL);
	ck_assert_uint_eq(options.disk_count, 1);
	ck_assert_uint_eq(options.disks[0].bytes, 1u << 20);
}
END_TEST

START_TEST(seventeen_disks)
{
	char text[400] = "";

	for (unsigned int i = 0; i < 17; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " disk=d%u:1M", i);
	ck_assert_int_eq(ramdisk_options_parse(text, &options), -EINVAL);
	ck_assert_uint_eq(options.disk_count, RAMDISK_DISKS_MOST);
	ck_assert_uint_eq(options.wrong, 1);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, disks);
	tcase_add_test(cases, features);
	tcase_add_test(cases, mistakes);
	tcase_add_test(cases, two_disks_of_a_name);
	tcase_add_test(cases, seventeen_disks);
}

int main(void)
{
	return unit_main("configs/ramdisk/options", add_cases);
}
