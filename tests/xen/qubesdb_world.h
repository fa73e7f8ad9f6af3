/* SPDX-License-Identifier: ISC */
/* A machine with a daemon and a client of QubesDB, and what tests ask of the two. */
#pragma once

#include "tests/host/host.h"
#include "tests/host/image.h"
#include "tests/xen/qubesdb_guest.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

struct world {
	struct host_machine *machine;
	struct host_domain *server;
	struct host_domain *guest;
	struct host_image *images[2];
	const struct qubesdb_guest_program *program; /* the client's image */
	const struct qubesdb_guest_program *daemon_program;
	struct daemon *daemon;
	struct client *client;
	uint64_t random;
	uint32_t loaded; /* full reads that were waited for */
};

/* `threads` as enum host_mode. Neither is started. */
void world_begin(struct world *world, int threads);
/* Asserts that the daemon never had a reason to exit. */
void world_end(struct world *world);

uint32_t world_draw(struct world *world, uint32_t below);

void world_listen(struct world *world);
void world_close(struct world *world);
void world_client_start(struct world *world);
/* Both, and the first read. */
void world_connect(struct world *world);
/* Until one more full read has ended. */
void world_await_load(struct world *world);
void world_await_lost(struct world *world);

/* Changes by dom0: WRITE, RM (`value` NULL); several. */
void world_change(struct world *world, const char *path, const char *value);
void world_batch(struct world *world, const struct daemon_change *changes, uint32_t count,
		 bool together);
void world_send(struct world *world, const void *bytes, size_t count);
/* A message of any kind, with so many bytes of data that says it has `claimed`; for a good
 * WRITE or RM an answer is expected. */
void world_message(struct world *world, uint8_t type, const char *path, const void *data,
		   size_t length, uint32_t claimed);

/* Until everything that either side has said is answered. */
void world_settle(struct world *world);

int world_write(struct world *world, const char *path, const char *value);
/* The client's value; NULL: it has none. Valid until the next call. */
const char *world_get(struct world *world, const char *path);
void world_assert_entry(struct world *world, const char *path, const char *value);
/* The client has these and no others. */
void world_assert_same(struct world *world, const struct daemon_entry *entries, uint32_t count);
uint32_t world_entries(struct world *world);
/* In the daemon's memory. */
const char *world_daemon_get(struct world *world, const char *path);
bool world_is(struct world *world, bool (*question)(void *client));
