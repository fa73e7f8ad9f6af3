/* SPDX-License-Identifier: ISC */
/* Nodes of the store's tree: plain data without locks, rights' rules or watches. */
#pragma once

#include "tests/host/store_tree.h"

enum store_access { STORE_READ, STORE_WRITE };

/* A node without parent; its value is empty and its permissions unset. */
struct store_node *store_node_make(const char *name);

/* Frees the node and all below it, after taking it from its parent. */
void store_node_free(struct store_node *node);

/* A copy of the node and all below it, generations too. */
struct store_node *store_node_clone(const struct store_node *node);

/* Is `path` of the form that the store takes: absolute, legal letters, no empty part? */
bool store_path_is_valid(const char *path);

/* Is `path` the same as `above` or below it? */
bool store_path_is_below(const char *path, const char *above);

/* The node at `path`, or NULL. `*nearest` is the deepest one that exists on the way. */
struct store_node *store_node_find(struct store_node *root, const char *path,
				   struct store_node **nearest);

/* Writes the node's path to `to` (STORE_TREE_PATH_BYTES). */
void store_node_path(const struct store_node *node, char *to);

void store_node_set_value(struct store_node *node, const char *value, size_t length);
void store_node_add_child(struct store_node *parent, struct store_node *child);

/* May the domain do this with the node? Owner and domain 0: everything. */
bool store_node_allows(const struct store_node *node, uint16_t domid, enum store_access access);

/* Nodes at and below `node` that `domid` owns. */
uint32_t store_node_count_owned(const struct store_node *node, uint16_t domid);
