/* SPDX-License-Identifier: ISC */
/* The store of QubesDB's entries, against a plain array that does the same. */
#include "xen/qubesdb_tree.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"

#define CHANGES 10000u
#define MODEL_MAX 600u

static struct qubesdb_tree tree;

/* What the array has; an entry that is not there has no path. */
static struct model {
	char path[QUBESDB_PATH_BYTES];
	char value[64];
} model[MODEL_MAX];

static int put_bytes(const char *path, const void *value, size_t length)
{
	int error = 7;
	struct qubesdb_node *node = qubesdb_tree_put(&tree, path, value, length, &error);

	ck_assert_int_eq(node != NULL, error == 0);
	if (node) {
		ck_assert_str_eq(node->entry.path, path);
		ck_assert_uint_eq(node->entry.length, length);
		ck_assert_mem_eq(node->entry.value, value, length);
		ck_assert_int_eq(node->entry.value[length], '\0');
	}
	return error;
}

static int put(const char *path, const char *value)
{
	return put_bytes(path, value, strlen(value));
}

static void removed(const char *path)
{
	qubesdb_tree_remove(&tree, qubesdb_tree_find(&tree, path));
}

/* The height of a subtree that is balanced and in order; recursion is for tests. */
static int assert_subtree(const struct qubesdb_node *node, const char *above, const char *below)
{
	int left, right;

	if (!node)
		return 0;
	ck_assert_int_gt(strcmp(node->path, above), 0);
	if (below)
		ck_assert_int_lt(strcmp(node->path, below), 0);
	left = assert_subtree(node->child[0], above, node->path);
	right = assert_subtree(node->child[1], node->path, below);
	ck_assert_int_le(left - right, 1);
	ck_assert_int_le(right - left, 1);
	ck_assert_int_eq(node->height, (left > right ? left : right) + 1);
	return node->height;
}

static void assert_shape(void)
{
	ck_assert_int_le(assert_subtree(tree.root, "", NULL), QUBESDB_TREE_DEPTH);
}

START_TEST(entries_come_are_replaced_and_go)
{
	struct qubesdb_node *node;
	int error;

	qubesdb_tree_init(&tree);
	ck_assert_ptr_null(qubesdb_tree_find(&tree, "/a"));
	ck_assert_ptr_null(qubesdb_tree_next(&tree, "", ""));
	ck_assert_int_eq(put("/a", ""), 0);
	ck_assert_int_eq(put("/b", "two"), 0);
	ck_assert_uint_eq(tree.entries, 2);
	ck_assert_uint_eq(tree.bytes, 2 + 2 + 3);
	node = qubesdb_tree_find(&tree, "/a");
	ck_assert_int_eq(put("/a", "more"), 0);
	ck_assert_ptr_eq(node, qubesdb_tree_find(&tree, "/a"));
	ck_assert_uint_eq(tree.entries, 2);
	ck_assert_uint_eq(tree.bytes, 2 + 4 + 2 + 3);
	/* From its own memory. */
	ck_assert_ptr_eq(qubesdb_tree_put(&tree, "/a", node->entry.value, 2, &error), node);
	ck_assert_str_eq(node->entry.value, "mo");
	removed("/a");
	ck_assert_ptr_null(qubesdb_tree_find(&tree, "/a"));
	ck_assert_uint_eq(tree.bytes, 2 + 3);
	removed("/b");
	ck_assert_ptr_null(tree.root);
	ck_assert_uint_eq(tree.entries + tree.bytes, 0);
}
END_TEST

START_TEST(walks_with_a_prefix)
{
	static const char *const paths[] = { "/q",	  "/q-x",	 "/q/1",  "/q/1/0001",
					     "/q/1/0010", "/q/1/policy", "/q/10", "/q0" };
	const struct qubesdb_node *node = NULL;
	uint32_t count = 0;

	qubesdb_tree_init(&tree);
	for (uint32_t i = 0; i < ARRAY_SIZE(paths); i++)
		ck_assert_int_eq(put(paths[i * 5 % 8], "x"), 0);
	for (const char *after = ""; (node = qubesdb_tree_next(&tree, "", after));
	     after = node->path)
		ck_assert_str_eq(node->path, paths[count++]);
	ck_assert_uint_eq(count, 8);
	count = 3;
	for (const char *after = ""; (node = qubesdb_tree_next(&tree, "/q/1/", after));
	     after = node->path)
		ck_assert_str_eq(node->path, paths[count++]);
	ck_assert_uint_eq(count, 6);
	ck_assert_str_eq(qubesdb_tree_next(&tree, "/q", "")->path, "/q");
	ck_assert_str_eq(qubesdb_tree_next(&tree, "/q", "/q")->path, "/q-x");
	ck_assert_str_eq(qubesdb_tree_next(&tree, "/q/1", "/q/1/zzz")->path, "/q/10");
	ck_assert_ptr_null(qubesdb_tree_next(&tree, "/q/2", ""));
	ck_assert_ptr_null(qubesdb_tree_next(&tree, "/q", "/r"));
	ck_assert_str_eq(qubesdb_tree_next(&tree, "/q/1/", "/0")->path, "/q/1/0001");
	qubesdb_tree_clear(&tree);
	ck_assert_ptr_null(tree.root);
}
END_TEST

/* ---- limits ---- */

/* Orders in which a tree without balance would become a list, or nearly so. */
static uint32_t number_of(uint32_t i, int order)
{
	if (order == 0)
		return i;
	if (order == 1)
		return QUBESDB_ENTRIES_MAX - 1 - i;
	return i & 1 ? QUBESDB_ENTRIES_MAX - 1 - i / 2 : i / 2;
}

START_TEST(entries_are_bounded_and_balanced)
{
	char path[16];

	qubesdb_tree_init(&tree);
	for (uint32_t i = 0; i < QUBESDB_ENTRIES_MAX; i++) {
		snprintf(path, sizeof(path), "/%05u", number_of(i, _i));
		ck_assert_int_eq(put(path, "v"), 0);
	}
	assert_shape();
	ck_assert_int_eq(put("/more", ""), -E2BIG);
	ck_assert_ptr_null(qubesdb_tree_find(&tree, "/more"));
	ck_assert_int_eq(put("/00000", "changed"), 0);
	for (uint32_t i = 0; i < QUBESDB_ENTRIES_MAX; i++) {
		snprintf(path, sizeof(path), "/%05u", number_of(i, (_i + 1) % 3));
		removed(path);
		if (i % 512 == 0)
			assert_shape();
		if (i == 0)
			ck_assert_int_eq(put("/more", ""), 0);
	}
	ck_assert_uint_eq(tree.entries, 1);
	ck_assert_uint_eq(tree.bytes, 5);
	qubesdb_tree_clear(&tree);
}
END_TEST

START_TEST(bytes_are_bounded)
{
	static const char value[QUBESDB_VALUE_MAX + 1];
	uint32_t count = QUBESDB_BYTES_MAX / (QUBESDB_VALUE_MAX + 4) - 1;
	uint32_t rest = QUBESDB_BYTES_MAX - count * (QUBESDB_VALUE_MAX + 4);
	char path[16];

	qubesdb_tree_init(&tree);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/%03u", i);
		ck_assert_int_eq(put_bytes(path, value, QUBESDB_VALUE_MAX), 0);
	}
	ck_assert_uint_ge(rest, 8);
	ck_assert_int_eq(put_bytes("/abc", value, QUBESDB_VALUE_MAX - 1000), 0);
	rest -= QUBESDB_VALUE_MAX - 1000 + 4;
	ck_assert_int_eq(put_bytes("/xyz", value, rest - 3), -E2BIG);
	ck_assert_int_eq(put_bytes("/xyz", value, rest - 4), 0);
	ck_assert_uint_eq(tree.bytes, QUBESDB_BYTES_MAX);
	/* Replacing counts what it frees. */
	ck_assert_int_eq(put_bytes("/xyz", value, rest - 3), -E2BIG);
	ck_assert_uint_eq(qubesdb_tree_find(&tree, "/xyz")->entry.length, rest - 4);
	ck_assert_int_eq(put_bytes("/000", value, QUBESDB_VALUE_MAX), 0);
	ck_assert_int_eq(put_bytes("/000", value, QUBESDB_VALUE_MAX - 1), 0);
	ck_assert_int_eq(put_bytes("/xyz", value, rest - 3), 0);
	ck_assert_uint_eq(tree.bytes, QUBESDB_BYTES_MAX);
	qubesdb_tree_clear(&tree);
	ck_assert_uint_eq(tree.entries + tree.bytes, 0);
}
END_TEST

/* ---- any changes ---- */

static uint64_t state;

static uint32_t draw(uint32_t below)
{
	return (uint32_t)(unit_random(&state) >> 16) % below;
}

static void draw_path(char path[QUBESDB_PATH_BYTES])
{
	if (draw(3))
		snprintf(path, QUBESDB_PATH_BYTES, "/q/%u/%04u", draw(6), draw(60));
	else
		snprintf(path, QUBESDB_PATH_BYTES, "/q/%u", draw(12));
}

static struct model *model_find(const char *path)
{
	for (uint32_t i = 0; i < MODEL_MAX; i++)
		if (strcmp(model[i].path, path) == 0)
			return &model[i];
	return NULL;
}

static void change_put(void)
{
	struct model *entry;
	char path[QUBESDB_PATH_BYTES];

	draw_path(path);
	entry = model_find(path);
	if (!entry)
		entry = model_find("");
	ck_assert_ptr_nonnull(entry);
	memcpy(entry->path, path, sizeof(path));
	snprintf(entry->value, sizeof(entry->value), "%.*s", (int)draw(40),
		 "a value of forty bytes, or the head of it");
	ck_assert_int_eq(put(path, entry->value), 0);
}

static void change_remove(void)
{
	struct model *entry;
	char path[QUBESDB_PATH_BYTES];

	draw_path(path);
	entry = model_find(path);
	ck_assert_int_eq(entry != NULL, qubesdb_tree_find(&tree, path) != NULL);
	if (!entry)
		return;
	removed(path);
	entry->path[0] = '\0';
}

static void change_remove_below(void)
{
	char prefix[QUBESDB_PATH_BYTES];
	struct qubesdb_node *node;

	snprintf(prefix, sizeof(prefix), "/q/%u/", draw(6));
	while ((node = qubesdb_tree_next(&tree, prefix, "")))
		qubesdb_tree_remove(&tree, node);
	for (uint32_t i = 0; i < MODEL_MAX; i++)
		if (strncmp(model[i].path, prefix, strlen(prefix)) == 0)
			model[i].path[0] = '\0';
}

static void assert_same(void)
{
	const struct qubesdb_node *node;
	uint32_t count = 0, bytes = 0;

	for (uint32_t i = 0; i < MODEL_MAX; i++) {
		if (!model[i].path[0])
			continue;
		node = qubesdb_tree_find(&tree, model[i].path);
		ck_assert_ptr_nonnull(node);
		ck_assert_str_eq(node->entry.value, model[i].value);
		bytes += (uint32_t)(strlen(model[i].path) + strlen(model[i].value));
		count++;
	}
	ck_assert_uint_eq(tree.entries, count);
	ck_assert_uint_eq(tree.bytes, bytes);
	for (const char *after = ""; (node = qubesdb_tree_next(&tree, "", after));
	     after = node->path, count--)
		ck_assert_int_gt(strcmp(node->path, after), 0);
	ck_assert_uint_eq(count, 0);
	assert_shape();
}

START_TEST(ten_thousand_changes_as_an_array_has_them)
{
	state = unit_seed() | 1;
	qubesdb_tree_init(&tree);
	memset(model, 0, sizeof(model));
	for (uint32_t i = 0; i < CHANGES; i++) {
		uint32_t kind = draw(64);

		if (kind == 0)
			change_remove_below();
		else if (kind < 24)
			change_remove();
		else
			change_put();
		if (i % 16 == 0)
			assert_same();
	}
	assert_same();
	qubesdb_tree_clear(&tree);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, entries_come_are_replaced_and_go);
	tcase_add_test(cases, walks_with_a_prefix);
	tcase_add_loop_test(cases, entries_are_bounded_and_balanced, 0, 3);
	tcase_add_test(cases, bytes_are_bounded);
	tcase_add_test(cases, ten_thousand_changes_as_an_array_has_them);
}

int main(void)
{
	return unit_main("xen/qubesdb_tree", add_cases);
}
