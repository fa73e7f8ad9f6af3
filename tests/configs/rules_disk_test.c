/* SPDX-License-Identifier: ISC */
/*
 * Rule files on disks: which texts are taken for whole, and disks that fail, shrink or go in
 * the middle. The disk is played; a fiber that waits lets it do its work.
 */
#include "configs/rules_disk.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"
#include "xen/fiber.h"

#define MOST (RULES_DISK_MOST + 65536u)

static uint8_t content[MOST + 4096];
static struct block_request *under_way;
static uint32_t requests;
static void (*meanwhile)(void); /* before the disk answers */
static int answer;
static struct rules_disk_place place;
static struct rules_error error;
static char *text;
static size_t bytes;

static void submit(struct block_device *device, struct block_request *const *list, uint32_t count)
{
	(void)device;
	ck_assert_uint_eq(count, 1);
	ck_assert_ptr_null(under_way);
	under_way = list[0];
	requests++;
}

static const struct block_ops ops = { .submit = submit };
static struct block_device disk;

void fiber_event_init(struct fiber_event *event)
{
	event->signalled = false;
}

void fiber_event_signal(struct fiber_event *event)
{
	event->signalled = true;
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	struct block_request *request = under_way;
	uint32_t sector_bytes = disk.geometry.sector_bytes;

	(void)event;
	(void)deadline_ns;
	ck_assert_ptr_nonnull(request);
	under_way = NULL;
	if (meanwhile)
		meanwhile();
	if (!answer)
		memcpy(request->data, content + request->sector * sector_bytes,
		       request->count * sector_bytes);
	request->done(request, answer);
	return 0;
}

/* A disk of `size` bytes, rounded down as a loop device does, that begins with them. */
static void disk_make(const void *data, size_t size, uint32_t sector_bytes)
{
	memset(content, 0xee, sizeof(content)); /* what is behind the end of the disk */
	memcpy(content, data, size);
	disk = (struct block_device){ .name = "xvdb",
				      .ops = &ops,
				      .up = true,
				      .geometry = { .sectors = size / sector_bytes,
						    .sector_bytes = sector_bytes,
						    .physical_sector_bytes = sector_bytes } };
	place = (struct rules_disk_place){ .device = &disk, .attached = 1 };
	under_way = NULL;
	meanwhile = NULL;
	answer = 0;
	requests = 0;
	free(text);
	text = NULL;
}

static int disk_read(void)
{
	memset(&error, 0, sizeof(error));
	return rules_disk_read(&place, &text, &bytes, &error);
}

/* The string, and NULs up to `size`. */
static void disk_of(const char *string, size_t size)
{
	static char data[MOST];

	memset(data, 0, sizeof(data));
	memcpy(data, string, strlen(string));
	disk_make(data, size, 512);
}

START_TEST(whole_files)
{
	static const char *const good[] = { "block all\n# end\n", "block all\n# end", "# end\n",
					    "# end of clients\n#end\n # end\n# end \n# end\n" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		disk_of(good[i], 512);
		ck_assert_int_eq(disk_read(), 0);
		ck_assert_uint_eq(bytes, strlen(good[i]));
		ck_assert_mem_eq(text, good[i], bytes);
	}
}
END_TEST

/* Every length of a file that is cut, and of one that just fits. */
START_TEST(a_file_that_is_cut_is_refused)
{
	static char data[2048];

	for (size_t length = 7; length < sizeof(data); length++) {
		memset(data, '#', length);
		data[0] = '\n';
		memcpy(data + length - 7, "\n# end\n", 7);
		disk_make(data, length, 512);
		if (length % 512 == 0) {
			ck_assert_int_eq(disk_read(), 0);
			ck_assert_uint_eq(bytes, length);
		} else if (length % 512 == 1 && length > 1) {
			/* Only the last line's newline is missing. */
			ck_assert_int_eq(disk_read(), 0);
			ck_assert_uint_eq(bytes, length - 1);
		} else {
			ck_assert_int_eq(disk_read(), -EINVAL);
			ck_assert(error.message[0]);
		}
	}
}
END_TEST

START_TEST(what_an_older_file_left_is_refused)
{
	disk_of("block all\n# end\nss all\n# end\n", 512);
	ck_assert_int_eq(disk_read(), -EINVAL);
	ck_assert_uint_eq(error.line, 2);
	disk_of("block all\n# end\npass all\n", 512);
	ck_assert_int_eq(disk_read(), -EINVAL);
	disk_of("block all\n# end\n\n", 512);
	ck_assert_int_eq(disk_read(), -EINVAL);
}
END_TEST

START_TEST(no_text_is_refused)
{
	disk_of("", 4096);
	ck_assert_int_eq(disk_read(), -EINVAL);
	ck_assert_uint_eq(error.line, 0);
	disk_of("block all\npass all\n", 512);
	ck_assert_int_eq(disk_read(), -EINVAL);
	ck_assert_uint_eq(error.line, 2);
	disk_make("", 0, 512);
	ck_assert_int_eq(disk_read(), -EINVAL);
	/* All that follows a NUL is not text. */
	disk_of("block all\n?\n# end\n", 512);
	content[strlen("block all\n")] = '\0';
	ck_assert_int_eq(disk_read(), -EINVAL);
}
END_TEST

/* Over the pieces that are read, for both sizes of sectors. */
START_TEST(long_files)
{
	static char data[MOST];
	static const uint32_t sectors[] = { 512, 4096 };

	for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
		for (size_t length = 4096; length <= RULES_DISK_MOST; length *= 2) {
			memset(data, 0, sizeof(data));
			for (size_t at = 0; at + 7 < length; at++)
				data[at] = at % 64 == 63 ? '\n' : (char)('a' + at % 26);
			memcpy(data + length - 7, "\n# end\n", 7);
			disk_make(data, length + (i ? 65536 : 0), sectors[i]);
			ck_assert_int_eq(disk_read(), 0);
			ck_assert_uint_eq(bytes, length);
			ck_assert_mem_eq(text, data, length);
			/* Twice; and the rest of the disk is not looked at. */
			ck_assert_uint_le(requests, 2 * (length / 16384 + 1));
		}
		memset(data, '\n', sizeof(data));
		memcpy(data + RULES_DISK_MOST - 5, "# end\n", 7);
		disk_make(data, RULES_DISK_MOST + 8192, sectors[i]);
		ck_assert_int_eq(disk_read(), -E2BIG);
	}
}
END_TEST

static void shrink(void)
{
	disk.geometry.sectors = 40;
}

static void take_away(void)
{
	place.device = NULL;
	answer = -ENODEV;
}

/* The memory of the device that was there may be that of the next one. */
static void replace(void)
{
	place.attached++;
}

START_TEST(disks_that_fail_or_go)
{
	static char data[65536];

	memset(data, '\n', sizeof(data));
	memcpy(data + sizeof(data) - 6, "# end\n", 6);
	disk_make(data, sizeof(data), 512);
	answer = -EIO;
	ck_assert_int_eq(disk_read(), -EIO);
	ck_assert_str_eq(error.message, "the disk cannot be read: input or output error");
	disk_make(data, sizeof(data), 512);
	meanwhile = shrink;
	ck_assert_int_eq(disk_read(), -EINVAL); /* its text ends without the last line */
	ck_assert_ptr_null(text);
	disk_make(data, sizeof(data), 512);
	meanwhile = take_away;
	ck_assert_int_eq(disk_read(), -ENODEV);
	ck_assert_uint_eq(requests, 1);
	disk_make(data, sizeof(data), 512);
	meanwhile = replace;
	ck_assert_int_eq(disk_read(), -ENODEV);
	ck_assert_uint_eq(requests, 1);
	disk_make(data, sizeof(data), 512);
	disk.gone = true;
	ck_assert_int_eq(disk_read(), -ENODEV);
	place.device = NULL;
	ck_assert_int_eq(disk_read(), -ENODEV);
	disk_make(data, sizeof(data), 512);
	ck_assert_int_eq(disk_read(), 0);
	free(text);
	text = NULL;
}
END_TEST

static uint32_t change_at; /* the request before whose answer another text is there */

static void change(void)
{
	if (requests != change_at)
		return;
	memset(content, ' ', 65536);
	memcpy(content + 65536 - 7, "\n# end\n", 7);
}

static void shorten(void)
{
	if (requests == change_at)
		content[9] = '\0';
}

/* Half of one text and half of another, with a last line: no mixture is ever taken. */
START_TEST(a_disk_that_changes_while_it_is_read)
{
	static char data[65536];

	memset(data, '\n', sizeof(data));
	memcpy(data + sizeof(data) - 6, "# end\n", 6);
	for (change_at = 1; change_at < 10; change_at++) {
		disk_make(data, sizeof(data), 512);
		meanwhile = change;
		if (change_at > 1 && change_at <= 8) {
			ck_assert_int_eq(disk_read(), -EAGAIN);
			ck_assert_str_eq(error.message, "the disk changed while it was read");
			continue;
		}
		ck_assert_int_eq(disk_read(), 0);
		ck_assert_uint_eq(bytes, sizeof(data));
		ck_assert_int_eq(text[0], change_at == 1 ? ' ' : '\n');
	}
	/* Also one that is longer or shorter at the second look. */
	change_at = 2;
	disk_of("block all\n# end\n", 512);
	meanwhile = change;
	ck_assert_int_eq(disk_read(), -EAGAIN);
	disk_of("block all\n# end\n", 512);
	meanwhile = shorten;
	ck_assert_int_eq(disk_read(), -EAGAIN);
	free(text);
	text = NULL;
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, whole_files);
	tcase_add_test(cases, a_file_that_is_cut_is_refused);
	tcase_add_test(cases, what_an_older_file_left_is_refused);
	tcase_add_test(cases, no_text_is_refused);
	tcase_add_test(cases, long_files);
	tcase_add_test(cases, disks_that_fail_or_go);
	tcase_add_test(cases, a_disk_that_changes_while_it_is_read);
}

int main(void)
{
	return unit_main("configs/rules_disk", add_cases);
}
