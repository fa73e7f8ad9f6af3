/* SPDX-License-Identifier: ISC */
/* Between fragments.c, which judges, and fragments_table.c, which keeps. Not for others. */
#pragma once

#include "net/fragments.h"

/* The datagram of a key, or NULL. */
struct fragment_entry *fragment_find(const struct fragment_table *table,
				     const struct fragment_key *key);

/*
 * A new one, WAITING, with its time running; the key is in no other. Its owner may lose an
 * older one for it. NULL: there is no room that is the owner's to have.
 */
must_check struct fragment_entry *fragment_create(struct fragment_table *table,
						  const struct fragment_key *key, uint64_t now_ns);

/* Forgets it; what it holds is dropped. */
void fragment_free(struct fragment_entry *entry, enum drop_reason reason);

/* Drops what it holds, and remembers that nothing more of it passes. */
void fragment_kill(struct fragment_entry *entry, enum drop_reason reason);

void fragment_set_state(struct fragment_entry *entry, enum fragment_state state);

/*
 * Makes room to hold the packet for the owner, out of what it holds for datagrams
 * other than `kept` (which may be NULL). False: there is no such room.
 */
must_check bool fragment_hold_room(struct fragment_table *table, struct fragment_owner *owner,
				   const struct fragment_entry *kept, const struct packet *packet);

/* Takes the packet; there is room. */
void fragment_hold(struct fragment_entry *entry, struct packet *packet);

/* Moves what is held to the end of `to`. */
void fragment_held_take(struct fragment_entry *entry, struct list *to);
