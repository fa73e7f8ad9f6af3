/* SPDX-License-Identifier: ISC */
/* Nodes of the store's tree. */
#include "tests/host/store_node.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/host/internal.h"

static char *copy_text(const char *text, size_t length)
{
	char *copy = host_alloc(length + 1);

	if (length)
		memcpy(copy, text, length);
	return copy;
}

struct store_node *store_node_make(const char *name)
{
	struct store_node *node = host_alloc(sizeof(*node));

	list_init(&node->link);
	list_init(&node->children);
	node->name = copy_text(name, strlen(name));
	node->value = copy_text("", 0);
	return node;
}

void store_node_free(struct store_node *node)
{
	list_for_each_safe(link, spare, &node->children)
		store_node_free(list_entry(link, struct store_node, link));
	list_remove(&node->link);
	host_alloc_free(node->name);
	host_alloc_free(node->value);
	host_alloc_free(node);
}

struct store_node *store_node_clone(const struct store_node *node)
{
	struct store_node *copy = store_node_make(node->name);

	store_node_set_value(copy, node->value, node->length);
	copy->generation = node->generation;
	copy->permission_count = node->permission_count;
	memcpy(copy->permissions, node->permissions, sizeof(copy->permissions));
	list_for_each(link, &node->children)
		store_node_add_child(copy,
				     store_node_clone(list_entry(link, struct store_node, link)));
	return copy;
}

bool store_path_is_valid(const char *path)
{
	size_t length = strlen(path);

	if (length == 0 || length >= STORE_TREE_PATH_BYTES || path[0] != '/')
		return false;
	if (length > 1 && path[length - 1] == '/')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (path[i] == '/' && path[i + 1] == '/')
			return false;
		if (!isalnum((unsigned char)path[i]) && !strchr("-/_@", path[i]))
			return false;
	}
	return true;
}

bool store_path_is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	if (strcmp(above, "/") == 0)
		return true;
	return strncmp(path, above, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static struct store_node *child_of(struct store_node *node, const char *name, size_t length)
{
	list_for_each(link, &node->children) {
		struct store_node *child = list_entry(link, struct store_node, link);

		if (strlen(child->name) == length && memcmp(child->name, name, length) == 0)
			return child;
	}
	return NULL;
}

struct store_node *store_node_find(struct store_node *root, const char *path,
				   struct store_node **nearest)
{
	struct store_node *node = root;

	path++;
	while (*path) {
		size_t length = strcspn(path, "/");

		*nearest = node;
		node = child_of(node, path, length);
		if (!node)
			return NULL;
		path += length;
		path += *path == '/';
	}
	*nearest = node;
	return node;
}

void store_node_path(const struct store_node *node, char *to)
{
	char below[STORE_TREE_PATH_BYTES];

	to[0] = 0;
	for (; node->parent; node = node->parent) {
		strcpy(below, to);
		if (snprintf(to, STORE_TREE_PATH_BYTES, "/%s%s", node->name, below) >=
		    (int)STORE_TREE_PATH_BYTES)
			host_fatal("a store path is too long");
	}
	if (!to[0])
		strcpy(to, "/");
}

void store_node_set_value(struct store_node *node, const char *value, size_t length)
{
	host_alloc_free(node->value);
	node->value = copy_text(value, length);
	node->length = length;
}

void store_node_add_child(struct store_node *parent, struct store_node *child)
{
	child->parent = parent;
	list_push_back(&parent->children, &child->link);
}

bool store_node_allows(const struct store_node *node, uint16_t domid, enum store_access access)
{
	const struct store_permission *right = &node->permissions[0];

	if (domid == 0 || right->domid == domid)
		return true;
	for (uint32_t i = 1; i < node->permission_count; i++) {
		if (node->permissions[i].domid == domid) {
			right = &node->permissions[i];
			break;
		}
	}
	return access == STORE_READ ? right->read : right->write;
}

uint32_t store_node_count_owned(const struct store_node *node, uint16_t domid)
{
	uint32_t count = node->permissions[0].domid == domid;

	list_for_each(link, &node->children)
		count += store_node_count_owned(list_entry(link, struct store_node, link), domid);
	return count;
}
