/* SPDX-License-Identifier: ISC */
#include "xen/qubesdb_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/panic.h"

/* The links from the root to a place, so that it can be balanced upwards without recursion. */
struct way {
	struct qubesdb_node **links[QUBESDB_TREE_DEPTH + 2];
	uint32_t depth;
};

static void way_push(struct way *way, struct qubesdb_node **link)
{
	if (way->depth == ARRAY_SIZE(way->links))
		panic("qubesdb: the tree is too deep");
	way->links[way->depth++] = link;
}

void qubesdb_tree_init(struct qubesdb_tree *tree)
{
	*tree = (struct qubesdb_tree){ 0 };
}

/* ---- balance ---- */

static int height_of(const struct qubesdb_node *node)
{
	return node ? node->height : 0;
}

static void height_update(struct qubesdb_node *node)
{
	int left = height_of(node->child[0]), right = height_of(node->child[1]);

	node->height = (uint8_t)((left > right ? left : right) + 1);
}

/* Lifts the child on `side` into its parent's place. */
static void rotate(struct qubesdb_node **link, int side)
{
	struct qubesdb_node *parent = *link, *child = parent->child[side];

	parent->child[side] = child->child[!side];
	child->child[!side] = parent;
	height_update(parent);
	height_update(child);
	*link = child;
}

static void balance(struct qubesdb_node **link)
{
	struct qubesdb_node *node = *link;
	int lean = height_of(node->child[1]) - height_of(node->child[0]);
	int side = lean > 0;
	struct qubesdb_node *child = node->child[side];

	if (!child || (lean >= -1 && lean <= 1)) {
		height_update(node);
		return;
	}
	if (height_of(child->child[!side]) > height_of(child->child[side]))
		rotate(&node->child[side], !side);
	rotate(link, side);
}

static void balance_upwards(struct way *way)
{
	while (way->depth)
		if (*way->links[--way->depth])
			balance(way->links[way->depth]);
}

/* ---- looking ---- */

/* The way to the link where `path` is, or would be. */
static struct qubesdb_node **way_find(struct qubesdb_tree *tree, const char *path, struct way *way)
{
	struct qubesdb_node **link = &tree->root;

	way->depth = 0;
	way_push(way, link);
	while (*link) {
		int order = strcmp(path, (*link)->path);

		if (order == 0)
			break;
		link = &(*link)->child[order > 0];
		way_push(way, link);
	}
	return link;
}

struct qubesdb_node *qubesdb_tree_find(const struct qubesdb_tree *tree, const char *path)
{
	struct qubesdb_node *node = tree->root;

	while (node) {
		int order = strcmp(path, node->path);

		if (order == 0)
			return node;
		node = node->child[order > 0];
	}
	return NULL;
}

struct qubesdb_node *qubesdb_tree_next(const struct qubesdb_tree *tree, const char *prefix,
				       const char *after)
{
	size_t bytes = strlen(prefix);
	struct qubesdb_node *node = tree->root, *best = NULL;

	/* The least that is greater than `after` and not less than `prefix`. */
	while (node) {
		if (strcmp(node->path, after) > 0 && strcmp(node->path, prefix) >= 0) {
			best = node;
			node = node->child[0];
		} else {
			node = node->child[1];
		}
	}
	return best && strncmp(best->path, prefix, bytes) == 0 ? best : NULL;
}

/* ---- changing ---- */

/* The new value in memory of its own, NUL-terminated. */
static char *value_copy(const void *value, size_t length)
{
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, value, length);
	copy[length] = '\0';
	return copy;
}

static struct qubesdb_node *node_create(const char *path)
{
	size_t bytes = strlen(path) + 1;
	struct qubesdb_node *node = calloc(1, sizeof(*node) + bytes);

	if (!node)
		return NULL;
	memcpy(node->path, path, bytes);
	node->entry.path = node->path;
	node->height = 1;
	list_init(&node->queue);
	return node;
}

static void node_set_value(struct qubesdb_node *node, char *value, size_t length)
{
	free((char *)(uintptr_t)node->entry.value);
	node->entry.value = value;
	node->entry.length = length;
}

static void node_free(struct qubesdb_node *node)
{
	free((char *)(uintptr_t)node->entry.value);
	free(node);
}

static struct qubesdb_node *put_new(struct qubesdb_tree *tree, struct way *way, const char *path)
{
	struct qubesdb_node *node = node_create(path);

	if (!node)
		return NULL;
	*way->links[way->depth - 1] = node;
	balance_upwards(way);
	tree->entries++;
	tree->bytes += (uint32_t)strlen(path);
	return node;
}

struct qubesdb_node *qubesdb_tree_put(struct qubesdb_tree *tree, const char *path,
				      const void *value, size_t length, int *error)
{
	struct way way;
	struct qubesdb_node *node = *way_find(tree, path, &way);
	size_t before = node ? node->entry.length : 0;
	size_t more = length + (node ? 0 : strlen(path));
	char *copy;

	*error = -E2BIG;
	if (!node && tree->entries >= QUBESDB_ENTRIES_MAX)
		return NULL;
	if (tree->bytes - before + more > QUBESDB_BYTES_MAX)
		return NULL;
	*error = -ENOMEM;
	copy = value_copy(value, length);
	if (!copy)
		return NULL;
	if (!node)
		node = put_new(tree, &way, path);
	if (!node) {
		free(copy);
		return NULL;
	}
	tree->bytes += (uint32_t)length - (uint32_t)before;
	node_set_value(node, copy, length);
	*error = 0;
	return node;
}

void qubesdb_tree_remove(struct qubesdb_tree *tree, struct qubesdb_node *node)
{
	struct way way;
	struct qubesdb_node **link = way_find(tree, node->path, &way);
	uint32_t at = way.depth - 1;

	if (!*link || *link != node || !list_is_empty(&node->queue))
		panic("qubesdb: %s cannot be removed", node->path);
	if (node->child[0] && node->child[1]) {
		/* The next greater one takes its place; it has no left child. */
		struct qubesdb_node **heir_link = &node->child[1], *heir;

		way_push(&way, heir_link);
		while ((*heir_link)->child[0]) {
			heir_link = &(*heir_link)->child[0];
			way_push(&way, heir_link);
		}
		heir = *heir_link;
		*heir_link = heir->child[1];
		heir->child[0] = node->child[0];
		heir->child[1] = node->child[1];
		*link = heir;
		way.links[at + 1] = &heir->child[1];
	} else {
		*link = node->child[!node->child[0]];
	}
	balance_upwards(&way);
	tree->entries--;
	tree->bytes -= (uint32_t)(strlen(node->path) + node->entry.length);
	node_free(node);
}

void qubesdb_tree_clear(struct qubesdb_tree *tree)
{
	struct qubesdb_node *node = tree->root;

	/* Unfolds the tree to a list by rotations, and frees that: no stack, each node once. */
	while (node) {
		struct qubesdb_node *left = node->child[0];

		if (left) {
			node->child[0] = left->child[1];
			left->child[1] = node;
			node = left;
			continue;
		}
		left = node->child[1];
		list_remove(&node->queue);
		node_free(node);
		node = left;
	}
	qubesdb_tree_init(tree);
}
