/* SPDX-License-Identifier: ISC */
/*
 * The entries of QubesDB in the order of their paths: an AVL tree, so that no order in
 * which dom0 names them makes it deep. Every walk is a loop of at most
 * QUBESDB_TREE_DEPTH steps. How many entries there may be, and of how many bytes, is
 * bounded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "xen/qubesdb.h"

/* An AVL tree of QUBESDB_ENTRIES_MAX nodes is not deeper: 1.44 log2(8192 + 2) < 19. */
#define QUBESDB_TREE_DEPTH 20u

struct qubesdb_node {
	struct qubesdb_entry entry; /* its path and value are the tree's */
	struct qubesdb_node *child[2];
	uint8_t height;
	/* The client's, which the tree only initialises: in a queue, and when it left that. */
	struct list queue;
	uint64_t sent;
	uint64_t said; /* the connection on which dom0 named it last */
	char path[];   /* what entry.path points at */
};

struct qubesdb_tree {
	struct qubesdb_node *root;
	uint32_t entries;
	uint32_t bytes; /* of all paths and values, without their NULs */
};

void qubesdb_tree_init(struct qubesdb_tree *tree);

/* Removes and frees all. */
void qubesdb_tree_clear(struct qubesdb_tree *tree);

/* NULL: there is none. */
struct qubesdb_node *qubesdb_tree_find(const struct qubesdb_tree *tree, const char *path);

/* The first node whose path is greater than `after` and begins with `prefix`; NULL: none. */
struct qubesdb_node *qubesdb_tree_next(const struct qubesdb_tree *tree, const char *prefix,
				       const char *after);

/*
 * Puts an entry, whose path and value were checked (xen/qubesdb_wire.h), in place of one
 * with that path if there is one, which stays the same node. Both are copied. The node,
 * or NULL with *error = -E2BIG (a limit of the whole) or -ENOMEM: then nothing has changed.
 */
must_check struct qubesdb_node *qubesdb_tree_put(struct qubesdb_tree *tree, const char *path,
						 const void *value, size_t length, int *error);

/* Removes and frees a node of the tree, which must be in no queue. */
void qubesdb_tree_remove(struct qubesdb_tree *tree, struct qubesdb_node *node);
