/* SPDX-License-Identifier: ISC */
/*
 * A machine for the block drivers' tests: one guest with blkback that serves disks in its
 * memory, any number of clients with blkfront, vbds attached by the toolstack, and a model
 * of what each disk holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/blkif_guest.h"
#include "tests/host/host.h"
#include "tests/host/image.h"
#include "tests/host/toolstack.h"

#define BLKIF_CLIENTS 8u
#define BLKIF_MS 1000000ull
#define BLKIF_SECOND (1000u * BLKIF_MS)
#define BLKIF_DISK_BYTES (2u << 20) /* unless the test says otherwise */

/* One guest: its domain, its copy of the image, its program's data. */
struct blkif_machine_guest {
	struct host_domain *domain; /* NULL: never started */
	struct host_image *image;
	const struct blkif_guest_program *program;
	struct blkif_guest guest;
	struct host_counters clean; /* before any vbd */
};

/* What a served disk holds, as far as the clients' loads know. */
struct blkif_model {
	uint8_t *bytes;
	uint8_t *doubt; /* a byte for each LOAD_UNIT */
	uint64_t size;
};

struct blkif_client {
	struct blkif_machine_guest guest;
	struct guest_disk disks[BLKIF_CLIENT_DISKS];
	struct host_vbd vbds[BLKIF_CLIENT_DISKS]; /* the test may set fields before attaching */
	uint32_t served[BLKIF_CLIENT_DISKS];	  /* which of the server's disks it is */
};

struct blkif_world {
	struct host_machine *machine;
	struct host_image *retired[512]; /* images of guests that are gone */
	uint32_t retired_count;
	struct blkif_machine_guest server;
	struct blkif_model models[BLKIF_SERVER_DISKS]; /* of the disk of that number */
	uint8_t *survived[BLKIF_SERVER_DISKS];	       /* what it held when its server was killed */
	struct blkif_client clients[BLKIF_CLIENTS];
	uint64_t seed;
};

/* Everything at once. */
extern const struct load_shape blkif_mixed;

/*
 * A machine without guests, for tests that set sizes and features in `server.guest` before
 * blkif_world_server_start(). `variant` changes the seed.
 */
void blkif_world_prepare(struct blkif_world *world, enum host_mode mode, uint32_t variant,
			 uint32_t machine_pages);

/* A machine with the server running: as many disks as there are clients, all features. */
void blkif_world_begin(struct blkif_world *world, enum host_mode mode);
void blkif_world_begin_variant(struct blkif_world *world, enum host_mode mode, uint32_t variant);
void blkif_world_end(struct blkif_world *world);

/*
 * A new domain in the place of the one before, whose disks it serves; those of the first hold
 * what the models say.
 */
void blkif_world_server_start(struct blkif_world *world);

/*
 * Ends the server at once; its disks survive as they are then. Nothing is told to the
 * toolstack.
 */
void blkif_world_server_kill(struct blkif_world *world);

/* The same, and another domain serves them: the toolstack leads all vbds of `clients` to it. */
void blkif_world_server_replace(struct blkif_world *world, uint32_t clients);

/* A client domain with blkfront started; no vbd yet. `guest.front` settings are kept. */
void blkif_world_client_start(struct blkif_world *world, uint32_t index);

/* Gives disk `served` of the server to the client, and waits until it is up. 0, -ETIMEDOUT. */
must_check int blkif_world_attach(struct blkif_world *world, uint32_t client, uint32_t disk,
				  uint32_t served);
/* The same without waiting for the client. */
must_check int blkif_world_attach_only(struct blkif_world *world, uint32_t client, uint32_t disk,
				       uint32_t served);
must_check int blkif_world_detach(struct blkif_world *world, uint32_t client, uint32_t disk);

/* A machine with a client that has one disk; attached. */
void blkif_world_one(struct blkif_world *world, enum host_mode mode);

must_check bool blkif_world_wait_up(struct blkif_world *world, uint32_t client, uint32_t disk,
				    uint64_t timeout_ns);
must_check bool blkif_world_wait_down(struct blkif_world *world, uint32_t client, uint32_t disk,
				      uint64_t timeout_ns);

/* Starts the load of a disk: `count` requests of this shape. */
void blkif_world_load(struct blkif_world *world, uint32_t client, uint32_t disk,
		      const struct load_shape *shape, uint64_t count);
/* Until all is reported; false: not within the time. */
must_check bool blkif_world_wait_load(struct blkif_world *world, uint32_t client, uint32_t disk,
				      uint64_t timeout_ns);
/* Asks it to stop, and waits for it, at most 30 s. */
void blkif_world_stop_load(struct blkif_world *world, uint32_t client, uint32_t disk);

/* Nothing was wrong; with `all`: nothing failed either. */
void blkif_world_assert_load(struct blkif_world *world, uint32_t client, uint32_t disk, bool all);

/* Load, wait, assert that all of it was done, and that the server's memory agrees. */
void blkif_world_run(struct blkif_world *world, uint32_t client, uint32_t disk,
		     const struct load_shape *shape, uint64_t count);

/* The server's memory is what the model says. */
void blkif_world_check_disk(struct blkif_world *world, uint32_t served);

/* One operation by a fiber of the client; its error. */
must_check int blkif_world_operate(struct blkif_world *world, uint32_t client,
				   const struct guest_operation *operation);

/* Hands the batch over in the client; waits until all is reported, at most 30 s. */
void blkif_world_submit(struct blkif_world *world, uint32_t client, struct guest_batch *batch);
void blkif_world_wait_batch(struct blkif_world *world, struct guest_batch *batch);

/* What the guest's program counts, read in its domain. */
const struct blkif_guest *blkif_world_collect(struct blkif_machine_guest *guest);
/* The disk's stats and geometry as they are now. */
const struct guest_disk *blkif_world_look(struct blkif_world *world, uint32_t client,
					  uint32_t disk);

/* Fails unless the guest holds again just what it held when it was clean. */
void blkif_world_assert_clean(struct blkif_machine_guest *guest, const char *who);

/* Detaches the disk, and asserts that client and server are as they were before. */
void blkif_world_end_cleanly(struct blkif_world *world);
