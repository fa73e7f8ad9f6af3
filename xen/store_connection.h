/* SPDX-License-Identifier: ISC */
/*
 * The connection below xen/store.h: one ring (<xen/io/xs_wire.h>), shared by all
 * fibers. Only xen/store.c includes this.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"
#include "xen/store.h"

/* A piece of a request's body. */
struct store_part {
	const void *data;
	uint32_t length;
};

/*
 * Takes the ring that the boot code found. `fire` is called from the loop with the
 * token of each watch event. 0, -ENODEV: there is no store, or as evtchn_adopt().
 */
must_check int store_connection_init(void (*fire)(uint32_t token));

/*
 * Sends a request and blocks the fiber until its answer is there. The length of the
 * answer's body, NUL-terminated behind it, which goes to `*body` (NULL: not wanted)
 * and is the caller's to free; or an error as in xen/store.h, and no body.
 */
must_check int store_connection_call(uint32_t type, store_transaction t,
				     const struct store_part *parts, uint32_t part_count,
				     char **body);
