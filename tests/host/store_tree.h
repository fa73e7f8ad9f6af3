/* SPDX-License-Identifier: ISC */
/*
 * The store's daemon: the tree with its permissions, transactions, quotas and
 * watches, as docs/misc/xenstore.txt and xenstored's behaviour have them. Domain
 * 0 is the toolstack and may do everything.
 *
 * Paths are absolute here. Errors are negative errno, as the protocol names them.
 * Every function takes the tree's lock itself.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define STORE_TREE_PERMISSIONS 5u
#define STORE_TREE_NODES_QUOTA 1000u
#define STORE_TREE_WATCHES_QUOTA 128u
#define STORE_TREE_TRANSACTIONS_QUOTA 10u
#define STORE_TREE_VALUE_BYTES 2048u
#define STORE_TREE_PATH_BYTES 256u

struct store_permission {
	uint16_t domid;
	bool read;
	bool write;
};

struct store_node {
	struct list link; /* parent->children, in the order of making */
	struct list children;
	struct store_node *parent;
	char *name;
	char *value;
	size_t length;
	uint64_t generation; /* of the last change of value, permissions or children */
	uint32_t permission_count;
	struct store_permission permissions[STORE_TREE_PERMISSIONS]; /* [0]: owner, others */
};

struct store_tree_watch {
	struct list link;
	uint16_t domid;
	uint32_t token;
	bool fired;
	char path[STORE_TREE_PATH_BYTES];
};

struct store_tree {
	pthread_mutex_t lock;
	struct store_node *root;
	uint64_t generation;
	struct list watches;
	struct list transactions;
	uint32_t next_transaction;
	/* Called with the lock held when a watch of `domid` fired. */
	void (*fired)(void *context, uint16_t domid);
	void *context;
};

void store_tree_init(struct store_tree *tree, void (*fired)(void *context, uint16_t domid),
		     void *context);
void store_tree_done(struct store_tree *tree);

/* The length, or an error; at most `size` bytes are stored and no NUL is added. */
must_check int store_tree_read(struct store_tree *tree, uint16_t domid, uint32_t transaction,
			       const char *path, char *to, size_t size);
must_check int store_tree_write(struct store_tree *tree, uint16_t domid, uint32_t transaction,
				const char *path, const char *value, size_t length);
must_check int store_tree_mkdir(struct store_tree *tree, uint16_t domid, uint32_t transaction,
				const char *path);
must_check int store_tree_remove(struct store_tree *tree, uint16_t domid, uint32_t transaction,
				 const char *path);

/* The children's names, each with its NUL, in a block for host_alloc_free(). Their count. */
must_check int store_tree_list(struct store_tree *tree, uint16_t domid, uint32_t transaction,
			       const char *path, char **names);

must_check int store_tree_get_permissions(struct store_tree *tree, uint16_t domid, const char *path,
					  struct store_permission *to);
must_check int store_tree_set_permissions(struct store_tree *tree, uint16_t domid,
					  uint32_t transaction, const char *path,
					  const struct store_permission *permissions,
					  uint32_t count);

must_check int store_tree_begin(struct store_tree *tree, uint16_t domid, uint32_t *transaction);
/* -EAGAIN: what it looked at has changed meanwhile, and nothing was done. */
must_check int store_tree_end(struct store_tree *tree, uint16_t domid, uint32_t transaction,
			      bool commit);

/* A watch fires once at its start. -EEXIST for the same path and token again. */
must_check int store_tree_watch(struct store_tree *tree, uint16_t domid, const char *path,
				uint32_t token);
must_check int store_tree_unwatch(struct store_tree *tree, uint16_t domid, const char *path,
				  uint32_t token);

/* Takes the token of one fired watch of the domain; false when there is none. */
bool store_tree_take_fired(struct store_tree *tree, uint16_t domid, uint32_t *token);

/* The domain is gone: its watches and transactions go too. */
void store_tree_forget_domain(struct store_tree *tree, uint16_t domid);

struct store_tree_usage {
	uint32_t nodes;
	uint32_t watches;
	uint32_t transactions;
};

struct store_tree_usage store_tree_usage(struct store_tree *tree, uint16_t domid);
