/* SPDX-License-Identifier: ISC */
#include "xen/store_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EINVAL", EINVAL },	    { "EACCES", EACCES },
	{ "EEXIST", EEXIST },	    { "EISDIR", EISDIR },
	{ "ENOENT", ENOENT },	    { "ENOMEM", ENOMEM },
	{ "ENOSPC", ENOSPC },	    { "EIO", EIO },
	{ "ENOSYS", ENOSYS },	    { "EROFS", EROFS },
	{ "EBUSY", EBUSY },	    { "EAGAIN", EAGAIN },
	{ "EISCONN", EISCONN },	    { "E2BIG", E2BIG },
	{ "EPERM", EPERM },	    { "EQUOTA", EDQUOT },
	{ "ENOTEMPTY", ENOTEMPTY },
};

int store_wire_errno(const char *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(body, errors[i].name) == 0)
			return -errors[i].number;
	return -EIO;
}

int store_wire_parse_u64(const char *body, uint32_t length, uint64_t *value)
{
	uint64_t sum = 0;

	if (length == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < length; i++) {
		if (body[i] < '0' || body[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(body[i] - '0'), &sum))
			return -EINVAL;
	}
	*value = sum;
	return 0;
}

int store_wire_parse_event(const char *body, uint32_t length, uint32_t *token)
{
	uint32_t path = (uint32_t)strnlen(body, length);
	uint64_t value;
	uint32_t bytes;

	if (path == length)
		return -EINVAL;
	bytes = (uint32_t)strnlen(body + path + 1, length - path - 1);
	if (store_wire_parse_u64(body + path + 1, bytes, &value) || value > UINT32_MAX)
		return -EINVAL;
	*token = (uint32_t)value;
	return 0;
}

int store_wire_parse_list(const char *body, uint32_t length, uint32_t max, struct store_list *list)
{
	uint32_t count = 0;
	char *text;

	for (uint32_t i = 0; i < length; i++)
		if (body[i] == '\0')
			count++;
	if (length && body[length - 1] != '\0')
		count++;
	if (count > max)
		return -E2BIG;
	list->names = malloc(count * sizeof(*list->names) + length + 1);
	if (!list->names)
		return -ENOMEM;
	text = (char *)(list->names + count);
	memcpy(text, body, length);
	text[length] = '\0';
	list->count = count;
	for (uint32_t i = 0; i < count; i++) {
		list->names[i] = text;
		text += strlen(text) + 1;
	}
	return 0;
}
