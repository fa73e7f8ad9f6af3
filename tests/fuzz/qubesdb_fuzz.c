/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on QubesDB: messages of any bytes are read as the client reads them, and what is
 * good in them changes the tree of entries, as do shorter ways to say the same. Allocations
 * fail when the script says so. The tree must have what an array has that was told the same.
 */
#include <errno.h>

#include "tests/fuzz/script.h"
#include "xen/qubesdb_tree.h"
#include "xen/qubesdb_wire.h"

#define STEPS 200u
#define COMPARISONS 4u
#define MANY_PUTS 700u
#define MODEL_MAX 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

static struct qubesdb_tree tree;
static struct model {
	char path[QUBESDB_PATH_BYTES]; /* "": none */
	uint8_t fill;		       /* what the value consists of */
	uint32_t length;
	uint8_t *value; /* NULL: of `fill` alone */
} model[MODEL_MAX];
static uint32_t compared, many; /* how often so far */
static uint32_t fail_in;	/* so many allocations from now one fails; 0: none */

static bool is_refused(void)
{
	return fail_in && --fail_in == 0;
}

void *__wrap_malloc(size_t bytes)
{
	return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return is_refused() ? NULL : __real_calloc(count, bytes);
}

/* ---- the array ---- */

/* Asked often, and nothing for the fuzzer to learn from. */
__attribute__((no_sanitize("address", "undefined", "coverage"))) static struct model *model_find(
	const char *path)
{
	for (uint32_t i = 0; i < MODEL_MAX; i++) {
		uint32_t at = 0;

		while (model[i].path[at] && model[i].path[at] == path[at])
			at++;
		if (model[i].path[at] == path[at])
			return &model[i];
	}
	return NULL;
}

static void model_remove(struct model *entry)
{
	entry->path[0] = '\0';
	free(entry->value);
	entry->value = NULL;
}

static uint32_t model_bytes(uint32_t *count)
{
	uint32_t bytes = 0;

	*count = 0;
	for (uint32_t i = 0; i < MODEL_MAX; i++) {
		if (!model[i].path[0])
			continue;
		bytes += (uint32_t)strlen(model[i].path) + model[i].length;
		++*count;
	}
	return bytes;
}

static void assert_entry(const struct model *entry)
{
	static uint8_t fill[QUBESDB_VALUE_MAX];
	const struct qubesdb_node *node = qubesdb_tree_find(&tree, entry->path);

	fuzz_assert(node && node->entry.length == entry->length);
	fuzz_assert(strcmp(node->entry.path, entry->path) == 0);
	fuzz_assert(node->entry.value[entry->length] == '\0');
	memset(fill, entry->fill, entry->length);
	fuzz_assert(memcmp(node->entry.value, entry->value ? entry->value : fill, entry->length) ==
		    0);
}

static int assert_balance(const struct qubesdb_node *node, uint32_t depth)
{
	int left, right;

	fuzz_assert(depth <= QUBESDB_TREE_DEPTH);
	if (!node)
		return 0;
	left = assert_balance(node->child[0], depth + 1);
	right = assert_balance(node->child[1], depth + 1);
	fuzz_assert(left - right <= 1 && right - left <= 1);
	fuzz_assert(node->height == (left > right ? left : right) + 1);
	return node->height;
}

static void assert_same(void)
{
	const struct qubesdb_node *node = NULL;
	uint32_t count, walked = 0, bytes = model_bytes(&count);

	fuzz_assert(tree.entries == count && tree.bytes == bytes);
	for (const char *after = ""; (node = qubesdb_tree_next(&tree, "", after));
	     after = node->path) {
		fuzz_assert(strcmp(node->path, after) > 0);
		walked++;
	}
	fuzz_assert(walked == count);
	for (uint32_t i = 0; i < MODEL_MAX; i++)
		if (model[i].path[0])
			assert_entry(&model[i]);
	(void)assert_balance(tree.root, 0);
}

/* ---- changes ---- */

static void put(const char *path, const uint8_t *value, uint32_t length, bool is_fill)
{
	struct model *entry = model_find(path);
	uint32_t entries = tree.entries, bytes = tree.bytes, before = entry ? entry->length : 0;
	bool fits = (entry || entries < QUBESDB_ENTRIES_MAX) &&
		    bytes - before + length + (entry ? 0 : strlen(path)) <= QUBESDB_BYTES_MAX;
	bool may_fail = fail_in != 0;
	int error = 7;

	if (!entry)
		entry = model_find("");
	if (!entry)
		return;
	if (!qubesdb_tree_put(&tree, path, value, length, &error)) {
		fuzz_assert(error == (fits ? -ENOMEM : -E2BIG));
		fuzz_assert(!fits || may_fail);
		fuzz_assert(tree.entries == entries && tree.bytes == bytes);
		return;
	}
	fuzz_assert(fits && error == 0);
	model_remove(entry);
	memcpy(entry->path, path, strlen(path) + 1);
	entry->length = length;
	entry->fill = length ? value[0] : 0;
	if (is_fill)
		return;
	entry->value = __real_malloc(length + 1);
	memcpy(entry->value, value, length);
}

static void rm(const char *path)
{
	size_t length = strlen(path);
	struct qubesdb_node *node;

	if (path[length - 1] != '/') {
		node = qubesdb_tree_find(&tree, path);
		fuzz_assert(!node == !model_find(path));
		if (!node)
			return;
		qubesdb_tree_remove(&tree, node);
		model_remove(model_find(path));
		return;
	}
	while ((node = qubesdb_tree_next(&tree, path, ""))) {
		fuzz_assert(strncmp(node->path, path, length) == 0);
		qubesdb_tree_remove(&tree, node);
	}
	for (uint32_t i = 0; i < MODEL_MAX; i++)
		if (model[i].path[0] && strncmp(model[i].path, path, length) == 0)
			model_remove(&model[i]);
}

static void assert_good_path(const char *path)
{
	fuzz_assert(path[0] == '/' && memchr(path, 0, QUBESDB_PATH_BYTES));
}

/* A message whose data is in memory of just its size. */
static void message(const uint8_t bytes[QUBESDB_HEADER_BYTES], struct script *script)
{
	struct qubesdb_header header;
	uint8_t *value;

	if (qubesdb_wire_decode(bytes, &header))
		return;
	fuzz_assert(header.length <= QUBESDB_VALUE_MAX);
	value = __real_malloc(header.length ? header.length : 1);
	memset(value, 'm', header.length);
	(void)script_bytes(script, value, header.length);
	if (qubesdb_wire_check_value(value, header.length)) {
		fuzz_assert(memchr(value, 0, header.length));
	} else if (header.type == QUBESDB_WRITE ||
		   (header.type == QUBESDB_RESP_MULTIREAD && header.path[0])) {
		assert_good_path(header.path);
		fuzz_assert(!qubesdb_wire_check_path(header.path));
		put(header.path, value, header.length, false);
	} else if (header.type == QUBESDB_RM) {
		assert_good_path(header.path);
		fuzz_assert(header.length == 0);
		rm(header.path);
	} else {
		fuzz_assert(header.length == 0);
	}
	free(value);
}

/* Any bytes; or a good header that the script bends in one place or none. */
static void any_message(struct script *script)
{
	static const uint8_t types[] = { 1, 4, 7, 9, 11 };
	uint8_t bytes[QUBESDB_HEADER_BYTES] = { 0 }, path[QUBESDB_PATH_BYTES] = "/";
	uint8_t how = script_u8(script);

	if (how & 1) {
		(void)script_bytes(script, bytes, sizeof(bytes));
		message(bytes, script);
		return;
	}
	(void)script_bytes(script, path + 1, (how >> 1) % 63);
	qubesdb_wire_encode(bytes, types[script_u8(script) % 5], (const char *)path,
			    how & 0x80 ? script_u16(script) : script_u8(script) % 32);
	if (how & 0x40)
		bytes[script_u8(script) % sizeof(bytes)] = script_u8(script);
	message(bytes, script);
}

static void path_draw(struct script *script, char path[QUBESDB_PATH_BYTES])
{
	uint8_t a = script_u8(script), b = script_u8(script);

	if (a & 0x80)
		snprintf(path, QUBESDB_PATH_BYTES, "/q/%u", a & 7);
	else
		snprintf(path, QUBESDB_PATH_BYTES, "/q/%u/%u", a & 7, b);
}

static void operate(struct script *script)
{
	static uint8_t fill[QUBESDB_VALUE_MAX];
	char path[QUBESDB_PATH_BYTES];
	uint8_t step = script_u8(script);

	switch (step % 8) {
	case 0:
	case 1:
		any_message(script);
		break;
	case 2:
	case 3:
		path_draw(script, path);
		memset(fill, 'a' + step % 26, sizeof(fill));
		put(path, fill, step & 0x40 ? QUBESDB_VALUE_MAX : step >> 3, true);
		break;
	case 4:
		path_draw(script, path);
		rm(path);
		break;
	case 5:
		snprintf(path, sizeof(path), "/q/%u/", step >> 3 & 7);
		rm(step & 0x80 ? "/" : path);
		break;
	case 6: /* many at once */
		memset(fill, 'z', sizeof(fill));
		for (uint32_t i = 0, from = script_u8(script); i < step && many++ < MANY_PUTS;
		     i++) {
			snprintf(path, sizeof(path), "/q/%u/%u", from & 7,
				 from & 8 ? 255 - i : i * 7 % 256);
			put(path, fill, from & 0x80 ? QUBESDB_VALUE_MAX : from >> 3, true);
		}
		break;
	default:
		fail_in = step >> 3 & 7;
	}
	if (step & 0x20 && compared++ < COMPARISONS)
		assert_same();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, size };
	uint32_t count;

	fail_in = compared = many = 0;
	qubesdb_tree_init(&tree);
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++)
		operate(&script);
	assert_same();
	qubesdb_tree_clear(&tree);
	for (uint32_t i = 0; i < MODEL_MAX; i++)
		model_remove(&model[i]);
	fuzz_assert(tree.entries == 0 && tree.bytes == 0 && !tree.root && model_bytes(&count) == 0);
	return 0;
}
