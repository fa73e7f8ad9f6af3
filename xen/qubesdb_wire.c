/* SPDX-License-Identifier: ISC */
#include "xen/qubesdb_wire.h"

#include <stdbool.h>
#include <string.h>

#define PATH_AT 1u
#define LENGTH_AT 68u

static bool is_path_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_/.:@-", c));
}

/* A path, perhaps with a slash at its end. */
static const char *check_tree(const char *path)
{
	size_t length = strnlen(path, QUBESDB_PATH_BYTES);

	if (length == QUBESDB_PATH_BYTES)
		return "a path without an end";
	if (path[0] != '/')
		return "a path without its first slash";
	for (size_t i = 0; i < length; i++)
		if (!is_path_byte(path[i]))
			return "a path with a byte that none may have";
	return NULL;
}

const char *qubesdb_wire_check_path(const char *path)
{
	const char *wrong = check_tree(path);

	if (wrong)
		return wrong;
	return path[strlen(path) - 1] == '/' ? "an entry whose path ends in a slash" : NULL;
}

const char *qubesdb_wire_check_value(const void *value, size_t length)
{
	if (length > QUBESDB_VALUE_MAX)
		return "a value that is too long";
	return memchr(value, '\0', length) ? "a value with a NUL" : NULL;
}

static const char *check_length(const struct qubesdb_header *header)
{
	if (header->length > QUBESDB_VALUE_MAX)
		return "a message that is too long";
	if (header->length == 0 || header->type == QUBESDB_WRITE)
		return NULL;
	if (header->type == QUBESDB_RESP_MULTIREAD && header->path[0])
		return NULL;
	return "a value where none belongs";
}

static const char *check_header(const struct qubesdb_header *header)
{
	switch (header->type) {
	case QUBESDB_WRITE:
		return qubesdb_wire_check_path(header->path);
	case QUBESDB_RM:
		return check_tree(header->path);
	case QUBESDB_RESP_MULTIREAD:
		return header->path[0] ? qubesdb_wire_check_path(header->path) : NULL;
	case QUBESDB_RESP_OK:
	case QUBESDB_RESP_ERROR:
		return header->path[0] ? check_tree(header->path) : NULL;
	case QUBESDB_MULTIREAD:
		break;
	}
	return "a message of a type that dom0 does not send";
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

const char *qubesdb_wire_decode(const uint8_t bytes[QUBESDB_HEADER_BYTES],
				struct qubesdb_header *header)
{
	const char *wrong;

	header->type = bytes[0];
	header->length = get_u32(bytes + LENGTH_AT);
	memcpy(header->path, bytes + PATH_AT, sizeof(header->path));
	wrong = check_header(header);
	return wrong ? wrong : check_length(header);
}

void qubesdb_wire_encode(uint8_t bytes[QUBESDB_HEADER_BYTES], enum qubesdb_type type,
			 const char *path, uint32_t length)
{
	memset(bytes, 0, QUBESDB_HEADER_BYTES);
	bytes[0] = (uint8_t)type;
	memcpy(bytes + PATH_AT, path, strnlen(path, QUBESDB_PATH_BYTES - 1));
	for (uint32_t i = 0; i < 4; i++)
		bytes[LENGTH_AT + i] = (uint8_t)(length >> 8 * i);
}
