/* SPDX-License-Identifier: ISC */
/* The store's operations: each a request over the connection, its answer parsed. */
#include "xen/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>
#include <xen/xen.h>

#include "xen/store_connection.h"
#include "xen/store_wire.h"

/* A node's name in a listing, on average at most: bounds what a listing may cost. */
#define LISTING_NAME_BYTES 64u
#define LISTING_BYTES_MOST (1u << 20)
/* What a part of a listing brings at least, and how often one is begun anew. */
#define LISTING_PART_BYTES 512u
#define LISTING_RESTARTS 8u
#define GENERATION_BYTES 24u
#define PERMISSIONS_MOST 8u

static uint32_t next_token = 1;
static uint32_t watch_count;
static struct list watches = { &watches, &watches };

static struct store_part part_string(const char *text)
{
	return (struct store_part){ text, (uint32_t)strlen(text) + 1 };
}

static int call_path(uint32_t type, store_transaction t, const char *path, char **body)
{
	struct store_part part = part_string(path);

	return store_connection_call(type, t, &part, 1, body);
}

static int result_of(int length_or_error)
{
	return length_or_error < 0 ? length_or_error : 0;
}

static void watch_fire(uint32_t token)
{
	list_for_each(link, &watches) {
		struct store_watch *watch = list_entry(link, struct store_watch, link);

		if (watch->token != token)
			continue;
		watch->fired = true;
		fiber_event_signal(watch->event);
		return;
	}
}

int store_init(void)
{
	return store_connection_init(watch_fire);
}

int store_reset_watches(void)
{
	char value[4];
	struct store_part nothing = { "", 1 };

	if (store_read(STORE_NO_TRANSACTION, "control/platform-feature-xs_reset_watches", value,
		       sizeof(value)) != 1 ||
	    value[0] != '1')
		return 0;
	return result_of(
		store_connection_call(XS_RESET_WATCHES, STORE_NO_TRANSACTION, &nothing, 1, NULL));
}

uint16_t store_domid(void)
{
	static uint16_t domid = DOMID_INVALID;
	uint64_t value;

	if (domid == DOMID_INVALID && store_read_u64(STORE_NO_TRANSACTION, "domid", &value) == 0 &&
	    value < DOMID_FIRST_RESERVED)
		domid = (uint16_t)value;
	return domid;
}

int store_read(store_transaction t, const char *path, char *to, size_t size)
{
	char *body;
	int length = call_path(XS_READ, t, path, &body);

	if (length < 0)
		return length;
	if ((size_t)length >= size)
		length = -E2BIG;
	else
		memcpy(to, body, (size_t)length + 1);
	free(body);
	return length;
}

int store_read_u64(store_transaction t, const char *path, uint64_t *value)
{
	char text[24];
	int length = store_read(t, path, text, sizeof(text));

	if (length < 0)
		return length == -E2BIG ? -EINVAL : length;
	return store_wire_parse_u64(text, (uint32_t)length, value);
}

int store_write(store_transaction t, const char *path, const char *value)
{
	struct store_part parts[2] = { part_string(path), { value, (uint32_t)strlen(value) } };

	return result_of(store_connection_call(XS_WRITE, t, parts, 2, NULL));
}

int store_writef(store_transaction t, const char *path, const char *format, ...)
{
	char value[STORE_PATH_BYTES];
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
	return result_of(call_path(XS_RM, t, path, NULL));
}

int store_mkdir(store_transaction t, const char *path)
{
	return result_of(call_path(XS_MKDIR, t, path, NULL));
}

/* A listing that comes in parts, each "generation\0names...". */
struct listing {
	char generation[GENERATION_BYTES];
	char *names;
	uint32_t used;
	uint32_t most;
};

/* 1: the listing is whole, 0: there is more, -EAGAIN: it has changed meanwhile. */
static int listing_add(struct listing *listing, const char *body, uint32_t length)
{
	uint32_t skip = (uint32_t)strnlen(body, length) + 1;
	char *grown;

	if (skip > length || skip > sizeof(listing->generation))
		return -EIO;
	if (listing->used && strcmp(listing->generation, body) != 0)
		return -EAGAIN;
	memcpy(listing->generation, body, skip);
	length -= skip;
	if (length > listing->most - listing->used)
		return -E2BIG;
	grown = realloc(listing->names, listing->used + length + 1);
	if (!grown)
		return -ENOMEM;
	listing->names = grown;
	memcpy(grown + listing->used, body + skip, length);
	listing->used += length;
	if (length == 0)
		return 1;
	/* The last part ends with an empty name, which is no child's. */
	if (grown[listing->used - 1] != '\0' ||
	    (listing->used > 1 && grown[listing->used - 2] != '\0'))
		return 0;
	listing->used--;
	return 1;
}

static int listing_read_part(store_transaction t, const char *path, struct listing *listing)
{
	char offset[12];
	struct store_part parts[2] = { part_string(path), { offset, 0 } };
	char *body;
	int result;

	parts[1].length =
		(uint32_t)snprintf(offset, sizeof(offset), "%u", (unsigned int)listing->used) + 1;
	result = store_connection_call(XS_DIRECTORY_PART, t, parts, 2, &body);
	if (result < 0)
		return result;
	result = listing_add(listing, body, (uint32_t)result);
	free(body);
	return result;
}

/*
 * A directory too large for one message. Whoever owns it may change it all the time,
 * so the number of calls is bounded: -EAGAIN then. Its bytes go to `*names`.
 */
static int listing_read(store_transaction t, const char *path, uint32_t max, char **names)
{
	struct listing listing = { .most = LISTING_BYTES_MOST };
	uint32_t restarts = 0;
	uint32_t calls;
	int result = 0;

	if (max < LISTING_BYTES_MOST / LISTING_NAME_BYTES)
		listing.most = max * LISTING_NAME_BYTES;
	calls = listing.most / LISTING_PART_BYTES + LISTING_RESTARTS;
	while (result == 0 && calls--) {
		result = listing_read_part(t, path, &listing);
		if (result != -EAGAIN || restarts++ == LISTING_RESTARTS)
			continue;
		listing.used = 0;
		result = 0;
	}
	if (result <= 0) {
		free(listing.names);
		return result ? result : -EAGAIN;
	}
	*names = listing.names;
	return (int)listing.used;
}

int store_list(store_transaction t, const char *path, uint32_t max, struct store_list *list)
{
	char *body = NULL;
	int length = call_path(XS_DIRECTORY, t, path, &body);
	int error;

	if (length == -E2BIG)
		length = listing_read(t, path, max, &body);
	if (length < 0) {
		free(body);
		return length;
	}
	error = store_wire_parse_list(body, (uint32_t)length, max, list);
	free(body);
	return error;
}

void store_list_free(struct store_list *list)
{
	free(list->names);
	list->names = NULL;
	list->count = 0;
}

int store_get_permissions(const char *path, char *to, size_t size)
{
	char *body;
	int length = call_path(XS_GET_PERMS, STORE_NO_TRANSACTION, path, &body);

	if (length < 0)
		return length;
	for (int i = 0; i + 1 < length; i++)
		if (body[i] == '\0')
			body[i] = ' ';
	if ((size_t)length >= size)
		length = -E2BIG;
	else
		memcpy(to, body, (size_t)length + 1);
	free(body);
	return result_of(length);
}

int store_set_permissions_in(store_transaction t, const char *path, const char *const *permissions,
			     size_t count)
{
	struct store_part parts[1 + PERMISSIONS_MOST];

	if (count > PERMISSIONS_MOST)
		return -E2BIG;
	parts[0] = part_string(path);
	for (size_t i = 0; i < count; i++)
		parts[i + 1] = part_string(permissions[i]);
	return result_of(store_connection_call(XS_SET_PERMS, t, parts, (uint32_t)count + 1, NULL));
}

int store_set_permissions(const char *path, const char *const *permissions, size_t count)
{
	return store_set_permissions_in(STORE_NO_TRANSACTION, path, permissions, count);
}

int store_transaction_start(store_transaction *t)
{
	struct store_part nothing = { "", 1 };
	char *body;
	uint64_t id;
	int length = store_connection_call(XS_TRANSACTION_START, STORE_NO_TRANSACTION, &nothing, 1,
					   &body);
	int error;

	if (length < 0)
		return length;
	error = store_wire_parse_u64(body, (uint32_t)strnlen(body, (size_t)length), &id);
	free(body);
	if (error || id == 0 || id > UINT32_MAX)
		return -EIO;
	*t = (store_transaction)id;
	return 0;
}

int store_transaction_end(store_transaction t, bool commit)
{
	struct store_part part = part_string(commit ? "T" : "F");

	return result_of(store_connection_call(XS_TRANSACTION_END, t, &part, 1, NULL));
}

static int watch_call(uint32_t type, const struct store_watch *watch)
{
	char token[12];
	struct store_part parts[2] = { part_string(watch->path), { token, 0 } };

	parts[1].length = (uint32_t)snprintf(token, sizeof(token), "%u", watch->token) + 1;
	return result_of(store_connection_call(type, STORE_NO_TRANSACTION, parts, 2, NULL));
}

int store_watch_add(struct store_watch *watch, const char *path, struct fiber_event *event)
{
	size_t bytes = strlen(path) + 1;
	int error;

	if (bytes > sizeof(watch->path))
		return -E2BIG;
	memcpy(watch->path, path, bytes);
	watch->event = event;
	watch->fired = false;
	watch->token = next_token++;
	list_push_back(&watches, &watch->link);
	error = watch_call(XS_WATCH, watch);
	if (error) {
		list_remove(&watch->link);
		return error;
	}
	watch_count++;
	return 0;
}

void store_watch_remove(struct store_watch *watch)
{
	if (list_is_empty(&watch->link))
		return;
	list_remove(&watch->link);
	watch_count--;
	(void)watch_call(XS_UNWATCH, watch);
}

uint32_t store_watch_count(void)
{
	return watch_count;
}
