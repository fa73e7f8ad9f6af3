/* SPDX-License-Identifier: ISC */
/*
 * The bodies of xenstore messages (<xen/io/xs_wire.h>), parsed without any I/O.
 * Every body is NUL-terminated behind `length` by whoever received it.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"
#include "xen/store.h"

/* The name in an error message ("ENOENT") as a negative errno; -EIO for others. */
int store_wire_errno(const char *body);

/* A decimal number that fills all `length` bytes; -EINVAL otherwise. */
must_check int store_wire_parse_u64(const char *body, uint32_t length, uint64_t *value);

/* The token of a watch event "path\0token\0"; -EINVAL when it is malformed. */
must_check int store_wire_parse_event(const char *body, uint32_t length, uint32_t *token);

/* NUL-separated names into a list that the caller frees; -E2BIG above `max`, -ENOMEM. */
must_check int store_wire_parse_list(const char *body, uint32_t length, uint32_t max,
				     struct store_list *list);
