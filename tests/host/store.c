/* SPDX-License-Identifier: ISC */
/*
 * The client's side of the store. A request costs the calling fiber some rounds
 * of the loop before and after it is done, as the ring to the daemon does, so that
 * other fibers and the data path run in between.
 */
#include "xen/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/host/internal.h"

#define STALL_STEP_NS 10000000ull

void host_store_add_domain(struct host_domain *domain)
{
	list_init(&domain->watches);
}

void host_store_remove_domain(struct host_domain *domain)
{
	store_tree_forget_domain(&domain->machine->store, domain->domid);
	list_init(&domain->watches);
}

int store_init(void)
{
	(void)host_self();
	return 0;
}

uint16_t store_domid(void)
{
	return host_self()->domid;
}

/* Sends a request: 0, or why it is not answered. */
static int request_send(struct host_domain *self)
{
	uint64_t deadline = clock_now_ns() + STORE_TIMEOUT_NS;

	if (!self->fiber_current)
		host_fatal("%s: the store may only be asked from a fiber", self->name);
	self->costs.store_requests++;
	for (uint64_t i = host_random(self->machine) % 3; i; i--)
		fiber_yield();
	while (self->faults.store_stalled) {
		if (clock_now_ns() >= deadline)
			return -ETIMEDOUT;
		fiber_sleep_until(clock_now_ns() + STALL_STEP_NS);
	}
	return host_fault(self, self->faults.store_one_in) ? -EIO : 0;
}

static int request_answer(struct host_domain *self, int result)
{
	for (uint64_t i = host_random(self->machine) % 3; i; i--)
		fiber_yield();
	return result;
}

static int absolute(const struct host_domain *self, const char *path, char *to)
{
	int length;

	if (path[0] == '/')
		length = snprintf(to, STORE_TREE_PATH_BYTES, "%s", path);
	else
		length = snprintf(to, STORE_TREE_PATH_BYTES, "/local/domain/%u/%s", self->domid,
				  path);
	return length >= (int)STORE_TREE_PATH_BYTES ? -EINVAL : 0;
}

/* Makes the path absolute and sends the request. */
static int begin(struct host_domain *self, const char *path, char *to)
{
	int error = absolute(self, path, to);

	return error ? error : request_send(self);
}

/* ---- values ---- */

int store_read(store_transaction t, const char *path, char *to, size_t size)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	char value[STORE_VALUE_BYTES + STORE_TREE_VALUE_BYTES];
	int length = begin(self, path, at);

	if (!length)
		length = store_tree_read(&self->machine->store, self->domid, t, at, value,
					 sizeof(value));
	length = request_answer(self, length);
	if (length < 0)
		return length;
	if ((size_t)length >= size || (size_t)length > sizeof(value))
		return -E2BIG;
	memcpy(to, value, (size_t)length);
	to[length] = 0;
	return length;
}

int store_read_u64(store_transaction t, const char *path, uint64_t *value)
{
	char text[32];
	uint64_t number = 0;
	int length = store_read(t, path, text, sizeof(text));

	if (length == -E2BIG)
		return -EINVAL;
	if (length < 0)
		return length;
	if (length == 0)
		return -EINVAL;
	for (int i = 0; i < length; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		number = number * 10 + digit;
	}
	*value = number;
	return 0;
}

int store_write(store_transaction t, const char *path, const char *value)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	int error = begin(self, path, at);

	if (!error)
		error = store_tree_write(&self->machine->store, self->domid, t, at, value,
					 strlen(value));
	return request_answer(self, error);
}

int store_writef(store_transaction t, const char *path, const char *format, ...)
{
	char value[STORE_VALUE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(value))
		return -E2BIG;
	return store_write(t, path, value);
}

int store_remove(store_transaction t, const char *path)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	int error = begin(self, path, at);

	if (!error)
		error = store_tree_remove(&self->machine->store, self->domid, t, at);
	return request_answer(self, error);
}

int store_mkdir(store_transaction t, const char *path)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	int error = begin(self, path, at);

	if (!error)
		error = store_tree_mkdir(&self->machine->store, self->domid, t, at);
	return request_answer(self, error);
}

/* One block: the array of pointers, then the names. */
static int list_make(struct store_list *list, const char *names, uint32_t count)
{
	size_t bytes = 0;
	char *text;

	for (uint32_t i = 0; i < count; i++)
		bytes += strlen(names + bytes) + 1;
	list->names = malloc(count * sizeof(*list->names) + bytes + 1);
	if (!list->names)
		return -ENOMEM;
	text = (char *)(list->names + count);
	memcpy(text, names, bytes);
	for (uint32_t i = 0; i < count; i++) {
		list->names[i] = text;
		text += strlen(text) + 1;
	}
	list->count = count;
	return 0;
}

int store_list(store_transaction t, const char *path, uint32_t max, struct store_list *list)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	char *names = NULL;
	int count = begin(self, path, at);

	if (!count)
		count = store_tree_list(&self->machine->store, self->domid, t, at, &names);
	if (count >= 0)
		count = (uint32_t)count > max ? -E2BIG : list_make(list, names, (uint32_t)count);
	/* While it waits the guest may be killed, and only its own blocks go with it. */
	host_alloc_free(names);
	return request_answer(self, count);
}

void store_list_free(struct store_list *list)
{
	free(list->names);
	list->names = NULL;
	list->count = 0;
}

/* ---- permissions ---- */

static char permission_letter(const struct store_permission *permission)
{
	if (permission->read)
		return permission->write ? 'b' : 'r';
	return permission->write ? 'w' : 'n';
}

static int permission_parse(const char *text, struct store_permission *to)
{
	char *end;
	unsigned long domid = strtoul(text + (text[0] != 0), &end, 10);

	if (!strchr("nrwb", text[0]) || !text[0] || end == text + 1 || *end || domid > UINT16_MAX)
		return -EINVAL;
	to->domid = (uint16_t)domid;
	to->read = text[0] == 'r' || text[0] == 'b';
	to->write = text[0] == 'w' || text[0] == 'b';
	return 0;
}

int store_get_permissions(const char *path, char *to, size_t size)
{
	struct host_domain *self = host_self();
	struct store_permission permissions[STORE_TREE_PERMISSIONS];
	char at[STORE_TREE_PATH_BYTES];
	char text[128] = "";
	size_t length = 0;
	int count = begin(self, path, at);

	if (!count)
		count = store_tree_get_permissions(&self->machine->store, self->domid, at,
						   permissions);
	count = request_answer(self, count);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%c%u",
					   i ? " " : "", permission_letter(&permissions[i]),
					   permissions[i].domid);
	if (length >= size)
		return -E2BIG;
	strcpy(to, text);
	return 0;
}

int store_set_permissions_in(store_transaction t, const char *path, const char *const *permissions,
			     size_t count)
{
	struct host_domain *self = host_self();
	struct store_permission parsed[STORE_TREE_PERMISSIONS] = { 0 };
	char at[STORE_TREE_PATH_BYTES];
	int error = 0;

	if (count > STORE_TREE_PERMISSIONS)
		return -ENOSPC;
	for (size_t i = 0; i < count && !error; i++)
		error = permission_parse(permissions[i], &parsed[i]);
	if (!error)
		error = begin(self, path, at);
	if (!error)
		error = store_tree_set_permissions(&self->machine->store, self->domid, t, at,
						   parsed, (uint32_t)count);
	return request_answer(self, error);
}

int store_set_permissions(const char *path, const char *const *permissions, size_t count)
{
	return store_set_permissions_in(STORE_NO_TRANSACTION, path, permissions, count);
}

/* ---- transactions ---- */

int store_transaction_start(store_transaction *t)
{
	struct host_domain *self = host_self();
	int error = request_send(self);

	if (!error)
		error = store_tree_begin(&self->machine->store, self->domid, t);
	return request_answer(self, error);
}

int store_transaction_end(store_transaction t, bool commit)
{
	struct host_domain *self = host_self();
	bool refuse = commit && host_fault(self, self->faults.commit_one_in);
	int error = request_send(self);

	/* A request that fails on its way must not leave the transaction open for ever. */
	if (error)
		(void)!store_tree_end(&self->machine->store, self->domid, t, false);
	else
		error = store_tree_end(&self->machine->store, self->domid, t, commit && !refuse);
	if (!error && refuse)
		error = -EAGAIN;
	return request_answer(self, error);
}

/* ---- watches ---- */

int store_watch_add(struct store_watch *watch, const char *path, struct fiber_event *event)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];
	int error;

	list_init(&watch->link);
	if (strlen(path) >= sizeof(watch->path))
		return -E2BIG;
	strcpy(watch->path, path);
	watch->event = event;
	watch->fired = false;
	error = begin(self, path, at);
	if (!error) {
		watch->token = ++self->next_token;
		list_push_back(&self->watches, &watch->link);
		self->watch_count++;
		error = store_tree_watch(&self->machine->store, self->domid, at, watch->token);
	}
	if (error && !list_is_empty(&watch->link)) {
		list_remove(&watch->link);
		self->watch_count--;
	}
	return request_answer(self, error);
}

/* Harmless for a watch that is not set, but its link must be an empty list then. */
void store_watch_remove(struct store_watch *watch)
{
	struct host_domain *self = host_self();
	char at[STORE_TREE_PATH_BYTES];

	if (list_is_empty(&watch->link))
		return;
	list_remove(&watch->link);
	self->watch_count--;
	if (absolute(self, watch->path, at) ||
	    store_tree_unwatch(&self->machine->store, self->domid, at, watch->token))
		host_fatal("%s: the watch of %s was not set", self->name, watch->path);
	(void)request_send(self);
	(void)request_answer(self, 0);
}

uint32_t store_watch_count(void)
{
	return host_self()->watch_count;
}

bool host_store_dispatch(void)
{
	struct host_domain *self = host_self();
	uint32_t bound = self->watch_count + 1;
	uint32_t token;

	if (!atomic_exchange(&self->store_event, false))
		return false;
	/* A neighbour may fire them as fast as we look: what is left comes next round. */
	while (bound-- && store_tree_take_fired(&self->machine->store, self->domid, &token)) {
		list_for_each(link, &self->watches) {
			struct store_watch *watch = list_entry(link, struct store_watch, link);

			if (watch->token != token)
				continue;
			watch->fired = true;
			fiber_event_signal(watch->event);
		}
	}
	if (bound == UINT32_MAX)
		atomic_store(&self->store_event, true);
	return true;
}
