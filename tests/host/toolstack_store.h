/* SPDX-License-Identifier: ISC */
/* What the parts of the toolstack share: the store as domain 0 writes it and waits for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/host/internal.h"
#include "tests/host/toolstack.h"

#define TOOLSTACK_PATH_BYTES STORE_TREE_PATH_BYTES

/* Ends the test when domain 0 cannot do what it always can. */
void toolstack_must_succeed(int error, const char *what, const char *path);

/* Writes `directory`/`key`. */
void toolstack_write(struct host_machine *machine, uint32_t transaction, const char *directory,
		     const char *key, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Owner `owner` with nothing for others, and `reader` may read. */
void toolstack_set_rights(struct host_machine *machine, uint32_t transaction, const char *path,
			  uint16_t owner, uint16_t reader);
void toolstack_make_directory(struct host_machine *machine, uint32_t transaction, const char *path,
			      uint16_t owner, uint16_t reader);

struct toolstack_awaited {
	struct host_machine *machine;
	const char *path;
	int64_t number;
	int64_t seen;
};

/* Whether the node has the number; for host_run_until(). */
bool toolstack_has_number(void *awaited);
