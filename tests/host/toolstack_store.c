/* SPDX-License-Identifier: ISC */
/* The store of the hosted machine as domain 0 sees it. */
#include "tests/host/toolstack_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int host_store_read(struct host_machine *machine, const char *path, char *to, size_t size)
{
	int length = store_tree_read(&machine->store, 0, 0, path, to, size - 1);

	if (length < 0)
		return length;
	to[(size_t)length < size ? (size_t)length : size - 1] = 0;
	return length;
}

void toolstack_must_succeed(int error, const char *what, const char *path)
{
	if (error)
		host_fatal("toolstack: %s %s: %s", what, path, strerror(-error));
}

void toolstack_write(struct host_machine *machine, uint32_t transaction, const char *directory,
		     const char *key, const char *format, ...)
{
	char path[TOOLSTACK_PATH_BYTES];
	char value[STORE_TREE_VALUE_BYTES];
	va_list arguments;
	int length;

	snprintf(path, sizeof(path), "%s/%s", directory, key);
	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	toolstack_must_succeed(
		store_tree_write(&machine->store, 0, transaction, path, value, (size_t)length),
		"write", path);
}

void host_store_write(struct host_machine *machine, const char *path, const char *format, ...)
{
	char value[2 * STORE_TREE_VALUE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	toolstack_must_succeed(store_tree_write(&machine->store, 0, 0, path, value, (size_t)length),
			       "write", path);
}

void host_store_remove(struct host_machine *machine, const char *path)
{
	(void)!store_tree_remove(&machine->store, 0, 0, path);
}

bool host_store_exists(struct host_machine *machine, const char *path)
{
	char byte[1];

	return store_tree_read(&machine->store, 0, 0, path, byte, 0) >= 0;
}

int64_t host_store_number(struct host_machine *machine, const char *path)
{
	char text[32];
	char *end;
	long long number;

	if (host_store_read(machine, path, text, sizeof(text)) <= 0)
		return -1;
	number = strtoll(text, &end, 10);
	return *end || number < 0 ? -1 : number;
}

void toolstack_set_rights(struct host_machine *machine, uint32_t transaction, const char *path,
			  uint16_t owner, uint16_t reader)
{
	struct store_permission permissions[] = { { .domid = owner },
						  { .domid = reader, .read = true } };

	toolstack_must_succeed(
		store_tree_set_permissions(&machine->store, 0, transaction, path, permissions, 2),
		"set permissions of", path);
}

void toolstack_make_directory(struct host_machine *machine, uint32_t transaction, const char *path,
			      uint16_t owner, uint16_t reader)
{
	toolstack_must_succeed(store_tree_mkdir(&machine->store, 0, transaction, path), "mkdir",
			       path);
	toolstack_set_rights(machine, transaction, path, owner, reader);
}

bool toolstack_has_number(void *argument)
{
	struct toolstack_awaited *awaited = argument;

	awaited->seen = host_store_number(awaited->machine, awaited->path);
	return awaited->seen == awaited->number;
}

int host_store_wait_number(struct host_machine *machine, const char *path, int64_t number,
			   uint64_t timeout_ns)
{
	struct toolstack_awaited awaited = { machine, path, number, -1 };

	return host_run_until(machine, toolstack_has_number, &awaited, timeout_ns) ? 0 : -ETIMEDOUT;
}
