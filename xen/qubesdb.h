/* SPDX-License-Identifier: ISC */
/*
 * QubesDB, the configuration that QubesOS's dom0 keeps for each qube, as a client: a copy of
 * all entries, read once when the connection is made and kept up by dom0's later messages,
 * and entries of our own written back. A connection that is lost, or on which dom0 said
 * something impossible, is made again and read again, for ever.
 *
 * What was known stays known until dom0 says otherwise, also over a full read that does not
 * name it: a daemon that dom0 starts again begins empty and gets only what dom0 happens to
 * write, so that an entry is missing there says nothing. What we wrote ourselves is written
 * again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define QUBESDB_PORT 111u
#define QUBESDB_PATH_BYTES 64u	/* with the NUL */
#define QUBESDB_VALUE_MAX 3071u /* bytes, without our NUL */
#define QUBESDB_ENTRIES_MAX 8192u
#define QUBESDB_BYTES_MAX (1u << 20) /* of all paths and values */
#define QUBESDB_OWN_MAX 1024u	     /* of these entries, those that we wrote */

struct qubesdb;

struct qubesdb_entry {
	const char *path;  /* NUL-terminated */
	const char *value; /* NUL-terminated, holds no other NUL */
	size_t length;	   /* of the value */
};

struct qubesdb_config {
	uint16_t server; /* dom0 */
	/*
	 * dom0 wrote an entry, or (value NULL) removed it, after the first full read. For a
	 * recursive removal called once for each entry. Also with value NULL for an entry that
	 * was refused: qubesdb_is_whole() is false then. Runs in the client's fiber and must
	 * not wait for long; it may call everything here but qubesdb_flush(). `path` and
	 * `value` are valid until it returns. NULL: not wanted.
	 */
	void (*changed)(void *context, const char *path, const char *value, size_t length);
	/* A full read has ended: first, and after each reconnection (no `changed` calls while
	 * it is under way). NULL: not wanted. */
	void (*loaded)(void *context);
	void *context;
};

/* Starts the client's fiber. -ENOMEM. */
must_check int qubesdb_start(const struct qubesdb_config *config, struct qubesdb **db);

/*
 * Whether dom0 has a QubesDB for this domain at all, now: its vchan is in xenstore, and nobody
 * has connected (dom0 takes it away then). Blocks.
 */
bool qubesdb_is_offered(uint16_t server);

/* Whether a full read has ever ended; whether the connection stands now. */
bool qubesdb_is_loaded(const struct qubesdb *db);
bool qubesdb_is_connected(const struct qubesdb *db);

/*
 * True once a full read has ended in which, and since which, no entry of dom0's was refused,
 * be it over a limit or for lack of memory. Otherwise the copy lacks entries (a refused one
 * also in the form that it had before), and whatever rests on all of them must fail closed;
 * after half a minute all is read again, on another connection.
 */
bool qubesdb_is_whole(const struct qubesdb *db);

/*
 * False while dom0 has said something that has not been taken yet, or a full read is under
 * way. What it said before it did anything else has been taken when this is true.
 */
bool qubesdb_is_drained(struct qubesdb *db);

/* NULL: there is no such entry. The entry is valid until the fiber next waits. */
const struct qubesdb_entry *qubesdb_get(const struct qubesdb *db, const char *path);

/*
 * The first entry, in the order of strcmp(), whose path is greater than `after` and begins
 * with `prefix`; NULL: none. Begin with after = "". A loop over all is O(n log n).
 */
const struct qubesdb_entry *qubesdb_next(const struct qubesdb *db, const char *prefix,
					 const char *after);

/*
 * Whether dom0 has named the entry on the connection of now, or the last one. If not, it is
 * kept from an earlier one, and dom0 may have removed it since without a word: a daemon that
 * began empty does not pass on the removal of what it does not know.
 */
bool qubesdb_is_said(const struct qubesdb *db, const struct qubesdb_entry *entry);

/*
 * Writes an entry, here and (now, or when connected again) in dom0. Of an entry written
 * again before it was sent, only the last value is sent. Until dom0 has answered, what dom0
 * says of the same entry was said before it knew ours, and is not taken. Does not wait, and
 * may be called from anywhere. -EINVAL: a path or value that dom0's daemon would not take;
 * -ENOMEM; -E2BIG: a limit of this copy.
 */
must_check int qubesdb_write(struct qubesdb *db, const char *path, const char *value);

/*
 * Drops an entry from the copy, or with a '/' at the end of `path` all below it: nobody needs
 * it. dom0 is told nothing of it and `changed` is not called; when dom0 names it again it is
 * there again.
 */
void qubesdb_forget(struct qubesdb *db, const char *path);

/* Waits until dom0 has answered every write of ours: 0, or -ETIMEDOUT. Only in a fiber. */
must_check int qubesdb_flush(struct qubesdb *db, uint64_t deadline_ns);

/* "connected" or not, entries, bytes, messages, what was refused. */
void qubesdb_print_stats(const struct qubesdb *db, void (*line)(void *context, const char *text),
			 void *context);
