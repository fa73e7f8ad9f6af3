/* SPDX-License-Identifier: ISC */
#include "configs/ramdisk/options.h"

#include <errno.h>
#include <string.h>

#define SIZE_MOST (1ull << 40)
#define BLANKS " \t\r\n"

struct item {
	const char *text;
	size_t length;
};

static bool item_is(const struct item *item, const char *text)
{
	return item->length == strlen(text) && memcmp(item->text, text, item->length) == 0;
}

static bool number_parse(const struct item *item, uint64_t most, uint64_t *number)
{
	uint64_t sum = 0;

	if (!item->length)
		return false;
	for (size_t i = 0; i < item->length; i++) {
		if (item->text[i] < '0' || item->text[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(item->text[i] - '0');
		if (sum > most)
			return false;
	}
	*number = sum;
	return true;
}

int ramdisk_size_parse(const char *text, size_t length, uint64_t *bytes)
{
	static const char letters[] = "KMG";
	struct item item = { text, length };
	const char *letter = length ? strchr(letters, text[length - 1] & ~0x20) : NULL;
	uint32_t shift = 0;

	if (letter && *letter) {
		shift = 10 * (uint32_t)(letter - letters + 1);
		item.length--;
	}
	if (!number_parse(&item, SIZE_MOST >> shift, bytes))
		return -EINVAL;
	*bytes <<= shift;
	return 0;
}

/* ---- disks ---- */

/* What stands before the next colon, or the end. */
static struct item part_take(struct item *rest)
{
	const char *colon = memchr(rest->text, ':', rest->length);
	struct item part = { rest->text, colon ? (size_t)(colon - rest->text) : rest->length };
	size_t used = part.length + (colon ? 1 : 0);

	rest->text += used;
	rest->length -= used;
	return part;
}

static bool name_is_good(const struct item *name)
{
	if (!name->length || name->length >= BLKBACK_NAME_BYTES)
		return false;
	for (size_t i = 0; i < name->length; i++) {
		char c = name->text[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (!letter && !(c >= '0' && c <= '9') && !strchr("-_.", c))
			return false;
	}
	return true;
}

static bool name_is_taken(const struct ramdisk_options *options, const struct item *name)
{
	for (uint32_t i = 0; i < options->disk_count; i++)
		if (item_is(name, options->disks[i].name))
			return true;
	return false;
}

static bool sector_parse(const struct item *part, uint32_t *sector_bytes)
{
	uint64_t bytes;

	if (!number_parse(part, BLOCK_SECTOR_MOST, &bytes) || bytes < BLOCK_SECTOR_LEAST ||
	    bytes & (bytes - 1))
		return false;
	*sector_bytes = (uint32_t)bytes;
	return true;
}

/* Why it is none, or NULL. */
static const char *disk_parse(struct ramdisk_options *options, struct item value)
{
	struct blkback_disk disk = { .sector_bytes = BLOCK_SECTOR_LEAST };
	struct item name = part_take(&value);
	struct item size = part_take(&value);

	if (options->disk_count == RAMDISK_DISKS_MOST)
		return "there are too many disks";
	if (!name_is_good(&name))
		return "a name is up to 31 letters, digits and -_.";
	if (name_is_taken(options, &name))
		return "another disk has that name";
	while (value.length) {
		struct item part = part_take(&value);

		if (item_is(&part, "ro"))
			disk.read_only = true;
		else if (!sector_parse(&part, &disk.sector_bytes))
			return "behind the size stand 512, 1024, 2048 or 4096, and ro";
	}
	if (ramdisk_size_parse(size.text, size.length, &disk.bytes) || !disk.bytes ||
	    disk.bytes % disk.sector_bytes)
		return "its size is no multiple of its sectors";
	memcpy(disk.name, name.text, name.length);
	options->disks[options->disk_count++] = disk;
	return NULL;
}

/* ---- words ---- */

static const char *log_parse(struct ramdisk_options *options, const struct item *value)
{
	char word[8] = "";
	int level;

	if (value->length < sizeof(word))
		memcpy(word, value->text, value->length);
	level = log_level_parse(word);
	if (level < 0)
		return "error, warn, info or debug";
	options->log = (enum log_level)level;
	return NULL;
}

static const char *clients_parse(struct ramdisk_options *options, const struct item *value)
{
	uint64_t number;

	if (!number_parse(value, RAMDISK_CLIENTS_MOST, &number) || !number)
		return "1 to 32";
	options->clients = (uint32_t)number;
	return NULL;
}

static const char *switch_parse(const struct item *value, bool *offered)
{
	if (!item_is(value, "no") && !item_is(value, "yes"))
		return "yes or no";
	*offered = item_is(value, "yes");
	return NULL;
}

static const char *count_parse(const struct item *value, uint32_t *count)
{
	uint64_t number;

	if (!number_parse(value, BLKBACK_INDIRECT_SEGMENTS, &number))
		return "0 to 256";
	*count = (uint32_t)number;
	return NULL;
}

static const char *word_parse(struct ramdisk_options *options, const struct item *key,
			      const struct item *value)
{
	struct blkback_features *features = &options->features;
	const struct {
		const char *key;
		bool *offered;
		uint32_t *count;
	} table[] = {
		{ "persistent", &features->persistent, NULL },
		{ "discard", &features->discard, NULL },
		{ "flush", &features->flush, NULL },
		{ "barrier", &features->barrier, NULL },
		{ "indirect", NULL, &features->indirect_segments },
		{ "order", NULL, &features->ring_order },
		{ "queues", NULL, &features->max_queues },
	};

	if (item_is(key, "disk"))
		return disk_parse(options, *value);
	if (item_is(key, "clients"))
		return clients_parse(options, value);
	if (item_is(key, "log"))
		return log_parse(options, value);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (item_is(key, table[i].key))
			return table[i].offered ? switch_parse(value, table[i].offered)
						: count_parse(value, table[i].count);
	return "there is no such word";
}

static void word_take(struct ramdisk_options *options, const struct item *word)
{
	const char *equals = memchr(word->text, '=', word->length);
	struct item key = { word->text, equals ? (size_t)(equals - word->text) : word->length };
	struct item value = { key.text + key.length, 0 };
	const char *why;

	if (equals)
		value = (struct item){ equals + 1, word->length - key.length - 1 };
	why = word_parse(options, &key, &value);
	if (!why || options->wrong++)
		return;
	options->wrong_word = word->text;
	options->wrong_bytes = word->length;
	options->wrong_why = why;
}

int ramdisk_options_parse(const char *cmdline, struct ramdisk_options *options)
{
	memset(options, 0, sizeof(*options));
	options->features = blkback_all_features;
	options->clients = RAMDISK_CLIENTS;
	options->log = LOG_INFO;
	for (const char *p = cmdline + strspn(cmdline, BLANKS); *p; p += strspn(p, BLANKS)) {
		struct item word = { p, strcspn(p, BLANKS) };

		word_take(options, &word);
		p += word.length;
	}
	return options->wrong ? -EINVAL : 0;
}
