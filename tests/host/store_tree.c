/* SPDX-License-Identifier: ISC */
/*
 * The store's daemon. A transaction works on a copy of the tree and keeps a log of
 * what it looked at (path and generation) and of what it changed. At the end
 * it is refused when anything it looked at has another generation by then;
 * otherwise its changes are done again on the tree itself, where watches fire.
 */
#include "tests/host/store_tree.h"

#include <errno.h>
#include <string.h>

#include "tests/host/internal.h"
#include "tests/host/store_change.h"

/* ---- transactions ---- */

static struct store_transaction_copy *transaction_find(struct store_tree *tree, uint16_t domid,
						       uint32_t id)
{
	list_for_each(link, &tree->transactions) {
		struct store_transaction_copy *transaction =
			list_entry(link, struct store_transaction_copy, link);

		if (transaction->id == id && transaction->domid == domid)
			return transaction;
	}
	return NULL;
}

static void transaction_free(struct store_transaction_copy *transaction)
{
	list_for_each_safe(link, spare, &transaction->changes)
		store_change_free(list_entry(link, struct store_change, link));
	list_for_each_safe(link, spare, &transaction->accesses)
		host_alloc_free(list_entry(link, struct store_looked, link));
	list_remove(&transaction->link);
	store_node_free(transaction->root);
	host_alloc_free(transaction);
}

static uint32_t transaction_count(struct store_tree *tree, uint16_t domid)
{
	uint32_t count = 0;

	list_for_each(link, &tree->transactions)
		count += list_entry(link, struct store_transaction_copy, link)->domid == domid;
	return count;
}

int store_tree_begin(struct store_tree *tree, uint16_t domid, uint32_t *id)
{
	struct store_transaction_copy *transaction;
	int error = -ENOSPC;

	pthread_mutex_lock(&tree->lock);
	if (domid == 0 || transaction_count(tree, domid) < STORE_TREE_TRANSACTIONS_QUOTA) {
		transaction = host_alloc(sizeof(*transaction));
		transaction->id = ++tree->next_transaction;
		transaction->domid = domid;
		transaction->root = store_node_clone(tree->root);
		list_init(&transaction->changes);
		list_init(&transaction->accesses);
		list_push_back(&tree->transactions, &transaction->link);
		*id = transaction->id;
		error = 0;
	}
	pthread_mutex_unlock(&tree->lock);
	return error;
}

static bool has_conflict(struct store_tree *tree, struct store_transaction_copy *transaction)
{
	list_for_each(link, &transaction->accesses) {
		const struct store_looked *access = list_entry(link, struct store_looked, link);
		struct store_node *nearest;
		const struct store_node *node = store_node_find(tree->root, access->path, &nearest);

		if ((node ? node->generation : 0) != access->generation)
			return true;
	}
	return false;
}

static int commit_changes(struct store_tree *tree, struct store_transaction_copy *transaction)
{
	struct store_request request = { tree, NULL, transaction->domid, tree->root };

	if (has_conflict(tree, transaction))
		return -EAGAIN;
	list_for_each(link, &transaction->changes) {
		/* Its quota may be used up by now; what was checked before holds. */
		int error =
			store_change_apply(&request, list_entry(link, struct store_change, link));

		if (error)
			return error;
	}
	return 0;
}

int store_tree_end(struct store_tree *tree, uint16_t domid, uint32_t id, bool commit)
{
	struct store_transaction_copy *transaction;
	int error = -ENOENT;

	pthread_mutex_lock(&tree->lock);
	transaction = transaction_find(tree, domid, id);
	if (transaction) {
		error = commit ? commit_changes(tree, transaction) : 0;
		transaction_free(transaction);
	}
	pthread_mutex_unlock(&tree->lock);
	return error;
}

/* ---- requests ---- */

/* Takes the lock; -ENOENT for a transaction that is not open. */
static int request_begin(struct store_request *request, struct store_tree *tree, uint16_t domid,
			 uint32_t id)
{
	pthread_mutex_lock(&tree->lock);
	*request = (struct store_request){ tree, NULL, domid, tree->root };
	if (id == 0)
		return 0;
	request->transaction = transaction_find(tree, domid, id);
	if (!request->transaction)
		return -ENOENT;
	request->root = request->transaction->root;
	return 0;
}

static int request_end(struct store_request *request, int result)
{
	pthread_mutex_unlock(&request->tree->lock);
	return result;
}

/* Consumes `change`: a transaction keeps it for its end. */
static int request_change(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path,
			  struct store_change *change)
{
	struct store_request request;
	int error = request_begin(&request, tree, domid, id);

	if (!error && !store_path_is_valid(path))
		error = -EINVAL;
	if (!error) {
		strcpy(change->path, path);
		error = store_change_apply(&request, change);
	}
	if (!error && request.transaction)
		list_push_back(&request.transaction->changes, &change->link);
	else
		store_change_free(change);
	return request_end(&request, error);
}

int store_tree_read(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path,
		    char *to, size_t size)
{
	struct store_request request;
	struct store_node *node;
	int result = request_begin(&request, tree, domid, id);

	if (!result)
		result = store_request_find(&request, path, STORE_READ, &node);
	if (!result) {
		result = (int)node->length;
		memcpy(to, node->value, node->length < size ? node->length : size);
	}
	return request_end(&request, result);
}

int store_tree_write(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path,
		     const char *value, size_t length)
{
	struct store_change *change;

	if (domid && length > STORE_TREE_VALUE_BYTES)
		return -ENOSPC;
	change = store_change_make(STORE_CHANGE_WRITE);
	change->value = host_alloc(length + 1);
	memcpy(change->value, value, length);
	change->length = length;
	return request_change(tree, domid, id, path, change);
}

int store_tree_mkdir(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path)
{
	return request_change(tree, domid, id, path, store_change_make(STORE_CHANGE_MKDIR));
}

int store_tree_remove(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path)
{
	return request_change(tree, domid, id, path, store_change_make(STORE_CHANGE_REMOVE));
}

int store_tree_set_permissions(struct store_tree *tree, uint16_t domid, uint32_t id,
			       const char *path, const struct store_permission *permissions,
			       uint32_t count)
{
	struct store_change *change;

	if (count == 0)
		return -EINVAL;
	if (count > STORE_TREE_PERMISSIONS)
		return -ENOSPC;
	change = store_change_make(STORE_CHANGE_PERMISSIONS);
	memcpy(change->permissions, permissions, count * sizeof(*permissions));
	change->permission_count = count;
	return request_change(tree, domid, id, path, change);
}

int store_tree_get_permissions(struct store_tree *tree, uint16_t domid, const char *path,
			       struct store_permission *to)
{
	struct store_request request;
	struct store_node *node;
	int result = request_begin(&request, tree, domid, 0);

	if (!result)
		result = store_request_find(&request, path, STORE_READ, &node);
	if (!result) {
		result = (int)node->permission_count;
		memcpy(to, node->permissions, sizeof(node->permissions));
	}
	return request_end(&request, result);
}

static int list_names(const struct store_node *node, char **names)
{
	size_t bytes = 1;
	int count = 0;
	char *to;

	list_for_each(link, &node->children)
		bytes += strlen(list_entry(link, struct store_node, link)->name) + 1;
	*names = to = host_alloc(bytes);
	list_for_each(link, &node->children) {
		strcpy(to, list_entry(link, struct store_node, link)->name);
		to += strlen(to) + 1;
		count++;
	}
	return count;
}

int store_tree_list(struct store_tree *tree, uint16_t domid, uint32_t id, const char *path,
		    char **names)
{
	struct store_request request;
	struct store_node *node;
	int result = request_begin(&request, tree, domid, id);

	if (!result)
		result = store_request_find(&request, path, STORE_READ, &node);
	if (!result)
		result = list_names(node, names);
	return request_end(&request, result);
}

/* ---- watches' requests ---- */

static struct store_tree_watch *watch_find(struct store_tree *tree, uint16_t domid,
					   const char *path, uint32_t token, uint32_t *count)
{
	struct store_tree_watch *found = NULL;

	*count = 0;
	list_for_each(link, &tree->watches) {
		struct store_tree_watch *watch = list_entry(link, struct store_tree_watch, link);

		if (watch->domid != domid)
			continue;
		(*count)++;
		if (watch->token == token && strcmp(watch->path, path) == 0)
			found = watch;
	}
	return found;
}

static int watch_add(struct store_tree *tree, uint16_t domid, const char *path, uint32_t token)
{
	struct store_tree_watch *watch;
	uint32_t count;

	if (watch_find(tree, domid, path, token, &count))
		return -EEXIST;
	if (domid && count >= STORE_TREE_WATCHES_QUOTA)
		return -E2BIG;
	watch = host_alloc(sizeof(*watch));
	watch->domid = domid;
	watch->token = token;
	watch->fired = true;
	strcpy(watch->path, path);
	list_push_back(&tree->watches, &watch->link);
	tree->fired(tree->context, domid);
	return 0;
}

int store_tree_watch(struct store_tree *tree, uint16_t domid, const char *path, uint32_t token)
{
	int error;

	if (!store_path_is_valid(path))
		return -EINVAL;
	pthread_mutex_lock(&tree->lock);
	error = watch_add(tree, domid, path, token);
	pthread_mutex_unlock(&tree->lock);
	return error;
}

static void watch_free(struct store_tree_watch *watch)
{
	list_remove(&watch->link);
	host_alloc_free(watch);
}

int store_tree_unwatch(struct store_tree *tree, uint16_t domid, const char *path, uint32_t token)
{
	struct store_tree_watch *watch;
	uint32_t count;

	pthread_mutex_lock(&tree->lock);
	watch = watch_find(tree, domid, path, token, &count);
	if (watch)
		watch_free(watch);
	pthread_mutex_unlock(&tree->lock);
	return watch ? 0 : -ENOENT;
}

bool store_tree_take_fired(struct store_tree *tree, uint16_t domid, uint32_t *token)
{
	bool found = false;

	pthread_mutex_lock(&tree->lock);
	list_for_each(link, &tree->watches) {
		struct store_tree_watch *watch = list_entry(link, struct store_tree_watch, link);

		if (watch->domid != domid || !watch->fired)
			continue;
		watch->fired = false;
		*token = watch->token;
		found = true;
		break;
	}
	pthread_mutex_unlock(&tree->lock);
	return found;
}

/* ---- the tree's life ---- */

void store_tree_forget_domain(struct store_tree *tree, uint16_t domid)
{
	pthread_mutex_lock(&tree->lock);
	list_for_each_safe(link, spare, &tree->watches) {
		struct store_tree_watch *watch = list_entry(link, struct store_tree_watch, link);

		if (watch->domid == domid)
			watch_free(watch);
	}
	list_for_each_safe(link, spare, &tree->transactions) {
		struct store_transaction_copy *transaction =
			list_entry(link, struct store_transaction_copy, link);

		if (transaction->domid == domid)
			transaction_free(transaction);
	}
	pthread_mutex_unlock(&tree->lock);
}

struct store_tree_usage store_tree_usage(struct store_tree *tree, uint16_t domid)
{
	struct store_tree_usage usage = { 0 };

	pthread_mutex_lock(&tree->lock);
	usage.nodes = store_node_count_owned(tree->root, domid);
	usage.transactions = transaction_count(tree, domid);
	(void)watch_find(tree, domid, "", 0, &usage.watches);
	pthread_mutex_unlock(&tree->lock);
	return usage;
}

void store_tree_init(struct store_tree *tree, void (*fired)(void *context, uint16_t domid),
		     void *context)
{
	*tree = (struct store_tree){ .fired = fired, .context = context };
	pthread_mutex_init(&tree->lock, NULL);
	list_init(&tree->watches);
	list_init(&tree->transactions);
	tree->root = store_node_make("");
	tree->root->permission_count = 1;
	tree->root->permissions[0] = (struct store_permission){ .domid = 0, .read = true };
	tree->root->generation = ++tree->generation;
}

void store_tree_done(struct store_tree *tree)
{
	list_for_each_safe(link, spare, &tree->transactions)
		transaction_free(list_entry(link, struct store_transaction_copy, link));
	list_for_each_safe(link, spare, &tree->watches)
		watch_free(list_entry(link, struct store_tree_watch, link));
	store_node_free(tree->root);
	pthread_mutex_destroy(&tree->lock);
}
