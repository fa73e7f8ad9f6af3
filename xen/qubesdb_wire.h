/* SPDX-License-Identifier: ISC */
/*
 * QubesDB's messages, made and checked without any I/O. A message is a header of 72 bytes,
 * little-endian, and `length` bytes of data:
 *
 *	0	type, one byte
 *	1	path, 64 bytes with at least one NUL
 *	65	padding, 3 bytes (what is in it, and behind the path's NUL, means nothing)
 *	68	length, 4 bytes
 *
 * Between two domains only six types are legal; dom0's daemon exits on any other, and this
 * side says no more than it must: MULTIREAD once, WRITE, and RESP_OK. RM is left out, for
 * dom0 answers that of an entry that it lacks with a message that ends its own daemon.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "xen/qubesdb.h"

#define QUBESDB_HEADER_BYTES 72u
#define QUBESDB_MESSAGE_BYTES (QUBESDB_HEADER_BYTES + QUBESDB_VALUE_MAX)

enum qubesdb_type {
	QUBESDB_WRITE = 1,
	QUBESDB_MULTIREAD = 2,
	QUBESDB_RM = 4,
	QUBESDB_RESP_OK = 7,
	QUBESDB_RESP_ERROR = 9,
	QUBESDB_RESP_MULTIREAD = 11,
};

struct qubesdb_header {
	enum qubesdb_type type;
	char path[QUBESDB_PATH_BYTES]; /* NUL-terminated */
	uint32_t length;	       /* of the data that follows */
};

/*
 * What is wrong with the path of an entry (a slash, then letters, digits and "_/.:@-", at
 * most 63 bytes, no slash at the end), in a few words; NULL: nothing. `path` need not have
 * a NUL within its first QUBESDB_PATH_BYTES bytes.
 */
must_check const char *qubesdb_wire_check_path(const char *path);

/* The same for a value of `length` bytes: at most QUBESDB_VALUE_MAX, no NUL. */
must_check const char *qubesdb_wire_check_value(const void *value, size_t length);

/*
 * Reads a header that dom0 sent. NULL, or what is wrong with it: a type that dom0 has no
 * business to send to us, a path that is none, a length that its type does not have.
 * A path may be empty only in RESP_MULTIREAD (the end) and in the answers, and end in a
 * slash only in RM (with all below it). `header` is valid only after NULL.
 */
must_check const char *qubesdb_wire_decode(const uint8_t bytes[QUBESDB_HEADER_BYTES],
					   struct qubesdb_header *header);

/* Makes a header; `path` is at most QUBESDB_PATH_BYTES - 1 bytes long. */
void qubesdb_wire_encode(uint8_t bytes[QUBESDB_HEADER_BYTES], enum qubesdb_type type,
			 const char *path, uint32_t length);
