/* SPDX-License-Identifier: ISC */
/* Requests to the store's tree, with rights, quotas and the firing of watches. */
#include "tests/host/store_change.h"

#include <errno.h>
#include <string.h>

#include "tests/host/internal.h"

/* ---- watches ---- */

static void fire(struct store_tree *tree, const char *path, const struct store_node *node,
		 bool exact)
{
	list_for_each(link, &tree->watches) {
		struct store_tree_watch *watch = list_entry(link, struct store_tree_watch, link);
		bool hit = exact ? strcmp(path, watch->path) == 0
				 : store_path_is_below(path, watch->path);

		if (!hit || !store_node_allows(node, watch->domid, STORE_READ))
			continue;
		watch->fired = true;
		tree->fired(tree->context, watch->domid);
	}
}

/* A removed node also fires the watches of what was below it. */
static void fire_below(struct store_tree *tree, const struct store_node *node)
{
	list_for_each(link, &node->children) {
		const struct store_node *child = list_entry(link, struct store_node, link);
		char path[STORE_TREE_PATH_BYTES];

		store_node_path(child, path);
		fire(tree, path, child, true);
		fire_below(tree, child);
	}
}

/* ---- finding nodes, with rights ---- */

static void note_access(struct store_request *request, const char *path,
			const struct store_node *node)
{
	struct store_looked *access;

	if (!request->transaction)
		return;
	list_for_each(link, &request->transaction->accesses) {
		if (strcmp(list_entry(link, struct store_looked, link)->path, path) == 0)
			return; /* the first look counts */
	}
	access = host_alloc(sizeof(*access));
	access->generation = node ? node->generation : 0;
	strcpy(access->path, path);
	list_push_back(&request->transaction->accesses, &access->link);
}

/* Whoever may not read the parent does not learn that the node is missing. */
int store_request_find(struct store_request *request, const char *path, enum store_access need,
		       struct store_node **node)
{
	struct store_node *nearest;

	if (!store_path_is_valid(path))
		return -EINVAL;
	*node = store_node_find(request->root, path, &nearest);
	note_access(request, path, *node);
	if (!*node)
		return store_node_allows(nearest, request->domid, need) ? -ENOENT : -EACCES;
	return store_node_allows(*node, request->domid, need) ? 0 : -EACCES;
}

static void touch(struct store_request *request, struct store_node *node)
{
	node->generation = ++request->tree->generation;
}

/* Makes the missing nodes down to `path`; they inherit the rights above them. */
static int make_nodes(struct store_request *request, const char *path, struct store_node **made)
{
	struct store_node *nearest;
	struct store_node *node = store_node_find(request->root, path, &nearest);
	uint32_t owned;

	if (node)
		host_fatal("store: %s exists", path);
	if (!store_node_allows(nearest, request->domid, STORE_WRITE))
		return -EACCES;
	owned = request->domid ? store_node_count_owned(request->root, request->domid) : 0;
	while (!(node = store_node_find(request->root, path, &nearest))) {
		char above[STORE_TREE_PATH_BYTES];
		char name[STORE_TREE_PATH_BYTES];
		const char *rest;
		size_t length;

		if (request->domid && owned++ >= STORE_TREE_NODES_QUOTA)
			return -EDQUOT;
		store_node_path(nearest, above);
		note_access(request, above, nearest);
		rest = path + strlen(above) + (nearest->parent != NULL);
		length = strcspn(rest, "/");
		memcpy(name, rest, length);
		name[length] = 0;
		node = store_node_make(name);
		memcpy(node->permissions, nearest->permissions, sizeof(node->permissions));
		node->permission_count = nearest->permission_count;
		if (request->domid)
			node->permissions[0].domid = request->domid;
		store_node_add_child(nearest, node);
		touch(request, nearest);
		store_node_path(node, above);
		note_access(request, above, NULL);
		touch(request, node);
	}
	*made = node;
	return 0;
}

/* ---- changes ---- */

static int change_write(struct store_request *request, const struct store_change *change)
{
	struct store_node *node;
	int error = store_request_find(request, change->path, STORE_WRITE, &node);

	if (error == -ENOENT)
		error = make_nodes(request, change->path, &node);
	if (error)
		return error;
	store_node_set_value(node, change->value, change->length);
	touch(request, node);
	if (!request->transaction)
		fire(request->tree, change->path, node, false);
	return 0;
}

static int change_mkdir(struct store_request *request, const struct store_change *change)
{
	struct store_node *node;
	int error = store_request_find(request, change->path, STORE_WRITE, &node);

	if (error != -ENOENT)
		return error;
	error = make_nodes(request, change->path, &node);
	if (!error && !request->transaction)
		fire(request->tree, change->path, node, false);
	return error;
}

/* Removing what is not there is no error, when its parent is. */
static int remove_missing(struct store_request *request, const char *path)
{
	char above[STORE_TREE_PATH_BYTES];
	struct store_node *nearest;
	char *end;

	strcpy(above, path);
	end = strrchr(above, '/');
	end[end == above] = 0;
	return store_node_find(request->root, above, &nearest) ? 0 : -ENOENT;
}

/* What goes with a removed node was there before, whatever the copy says later. */
static void note_below(struct store_request *request, const struct store_node *node)
{
	char path[STORE_TREE_PATH_BYTES];

	store_node_path(node, path);
	note_access(request, path, node);
	list_for_each(link, &node->children)
		note_below(request, list_entry(link, struct store_node, link));
}

static void note_removal(struct store_request *request, const struct store_node *node)
{
	char path[STORE_TREE_PATH_BYTES];

	store_node_path(node->parent, path);
	note_access(request, path, node->parent);
	note_below(request, node);
}

static int change_remove(struct store_request *request, const struct store_change *change)
{
	struct store_node *node;
	int error = store_request_find(request, change->path, STORE_WRITE, &node);

	if (error == -ENOENT)
		return remove_missing(request, change->path);
	if (error)
		return error;
	if (!node->parent)
		return -EINVAL;
	note_removal(request, node);
	touch(request, node->parent);
	if (!request->transaction) {
		fire(request->tree, change->path, node, false);
		fire_below(request->tree, node);
	}
	store_node_free(node);
	return 0;
}

static int change_permissions(struct store_request *request, const struct store_change *change)
{
	struct store_node *node;
	int error = store_request_find(request, change->path, STORE_WRITE, &node);

	if (error)
		return error;
	if (request->domid && node->permissions[0].domid != request->domid)
		return -EACCES;
	if (request->domid && change->permissions[0].domid != request->domid)
		return -EPERM;
	memcpy(node->permissions, change->permissions, sizeof(node->permissions));
	node->permission_count = change->permission_count;
	touch(request, node);
	if (!request->transaction)
		fire(request->tree, change->path, node, false);
	return 0;
}

int store_change_apply(struct store_request *request, const struct store_change *change)
{
	switch (change->kind) {
	case STORE_CHANGE_WRITE:
		return change_write(request, change);
	case STORE_CHANGE_MKDIR:
		return change_mkdir(request, change);
	case STORE_CHANGE_REMOVE:
		return change_remove(request, change);
	default:
		return change_permissions(request, change);
	}
}

void store_change_free(struct store_change *change)
{
	host_alloc_free(change->value);
	host_alloc_free(change);
}

struct store_change *store_change_make(enum store_change_kind kind)
{
	struct store_change *change = host_alloc(sizeof(*change));

	list_init(&change->link);
	change->kind = kind;
	return change;
}
