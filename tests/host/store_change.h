/* SPDX-License-Identifier: ISC */
/*
 * Requests to the store's tree: finding nodes with their rights, and changing
 * them, either on the tree itself or on the copy that a transaction works on. The
 * tree's lock is held.
 */
#pragma once

#include "tests/host/store_node.h"
#include "tests/host/store_tree.h"

enum store_change_kind {
	STORE_CHANGE_WRITE,
	STORE_CHANGE_MKDIR,
	STORE_CHANGE_REMOVE,
	STORE_CHANGE_PERMISSIONS
};

struct store_change {
	struct list link;
	enum store_change_kind kind;
	char path[STORE_TREE_PATH_BYTES];
	char *value;
	size_t length;
	uint32_t permission_count;
	struct store_permission permissions[STORE_TREE_PERMISSIONS];
};

/* What a transaction looked at: the first look counts. */
struct store_looked {
	struct list link;
	uint64_t generation; /* 0: there was no such node */
	char path[STORE_TREE_PATH_BYTES];
};

struct store_transaction_copy {
	struct list link;
	uint32_t id;
	uint16_t domid;
	struct store_node *root;
	struct list changes;
	struct list accesses;
};

/* One request: on the tree itself, or on a transaction's copy. */
struct store_request {
	struct store_tree *tree;
	struct store_transaction_copy *transaction; /* NULL: none */
	uint16_t domid;
	struct store_node *root;
};

/* -EINVAL, -ENOENT, or -EACCES also for what the domain may not know to be missing. */
must_check int store_request_find(struct store_request *request, const char *path,
				  enum store_access need, struct store_node **node);

struct store_change *store_change_make(enum store_change_kind kind);
void store_change_free(struct store_change *change);

/* Does the change; on the tree itself its watches fire. */
must_check int store_change_apply(struct store_request *request, const struct store_change *change);
