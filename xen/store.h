/* SPDX-License-Identifier: ISC */
/*
 * xenstore client (<xen/io/xs_wire.h>). Calls block the calling fiber and may
 * only be made from fibers; each waits at most STORE_TIMEOUT_NS and then fails
 * with -ETIMEDOUT. Several fibers may call at once. Paths are absolute or
 * relative to /local/domain/<own id>. Values are bytes; what we read is
 * NUL-terminated for convenience, and may come from an untrusted domain.
 *
 * Errors: the store's own (ENOENT, EACCES, EINVAL, EAGAIN, EQUOTA as -EDQUOT,
 * ...) as negative errno, -E2BIG (does not fit), -ETIMEDOUT, -EIO (no store, or
 * a broken answer).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "xen/fiber.h"

#define STORE_TIMEOUT_NS (10ull * 1000000000ull)
#define STORE_PATH_BYTES 128u	/* longest path we build, with its NUL */
#define STORE_VALUE_BYTES 2049u /* longest value of a node, with our NUL */

typedef uint32_t store_transaction;
#define STORE_NO_TRANSACTION 0u

/* Maps the ring that the boot code found. 0, or -ENODEV: there is no store. */
must_check int store_init(void);

/*
 * Forgets watches that an earlier kernel of this domain left (kexec), when the store
 * can do that. Call once, first of all calls.
 */
must_check int store_reset_watches(void);

/* Our own domain id; read from the store by the first call, which blocks the fiber.
 * DOMID_INVALID when the store does not say. */
uint16_t store_domid(void);

/*
 * Reads a value into `to` (NUL-terminated). Its length without the NUL, or an
 * error; -E2BIG when it does not fit (nothing is written then).
 */
must_check int store_read(store_transaction t, const char *path, char *to, size_t size);

/* Reads an unsigned decimal number that fills the whole value; -EINVAL otherwise. */
must_check int store_read_u64(store_transaction t, const char *path, uint64_t *value);

must_check int store_write(store_transaction t, const char *path, const char *value);
must_check int store_writef(store_transaction t, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
must_check int store_remove(store_transaction t, const char *path);
must_check int store_mkdir(store_transaction t, const char *path);

/* Names of children, in one allocation that the caller frees with free(). Bounded by
 * `max` (-E2BIG beyond). Large directories are read in parts. */
struct store_list {
	uint32_t count;
	const char **names;
};
must_check int store_list(store_transaction t, const char *path, uint32_t max,
			  struct store_list *list);
void store_list_free(struct store_list *list);

/* Permission strings as xenstore has them, e.g. "n0", "r3"; joined by blanks. */
must_check int store_get_permissions(const char *path, char *to, size_t size);
must_check int store_set_permissions(const char *path, const char *const *permissions,
				     size_t count);
must_check int store_set_permissions_in(store_transaction t, const char *path,
					const char *const *permissions, size_t count);

/* Transactions: on -EAGAIN from commit, do all of it again (a bounded number of times). */
must_check int store_transaction_start(store_transaction *t);
must_check int store_transaction_end(store_transaction t, bool commit);

/*
 * A watch. `event` is signalled for each firing; firings in between coalesce, so
 * a neighbour that writes in a loop costs one flag (XSA-349). Fires once at the start.
 */
struct store_watch {
	struct list link;
	uint32_t token;
	char path[STORE_PATH_BYTES];
	struct fiber_event *event;
	bool fired; /* set with the signal; the owner clears it */
};

must_check int store_watch_add(struct store_watch *watch, const char *path,
			       struct fiber_event *event);
/* Harmless for a watch that is gone, or whose link is only initialised. */
void store_watch_remove(struct store_watch *watch);

/* Watches set now, for the stats and leak tests. */
uint32_t store_watch_count(void);
