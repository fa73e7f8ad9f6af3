/* SPDX-License-Identifier: ISC */
/* A machine with two guests for the vchan tests, and fibers that move bytes between them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/host/host.h"
#include "tests/host/image.h"
#include "tests/xen/vchan_guest.h"
#include "xen/fiber.h"

#define WORLD_MS 1000000ull
#define WORLD_SECOND 1000000000ull
#define WORLD_PATH "data/vchan/test"

struct vchan_side {
	struct vchan_world *world;
	const struct vchan_side *peer;
	struct host_image *image;
	const struct vchan_guest_program *program;
	struct host_domain *domain;
	uint16_t domid;
	struct fiber_event event;
	struct vchan *vchan;
	uint64_t wait_ns; /* how long connect and wait_client may take; 0: a minute */
	int error;
};

struct vchan_world {
	struct host_machine *machine;
	struct vchan_side server;
	struct vchan_side client;
	uint32_t left; /* orders, and where indices begin */
	uint32_t right;
	uint32_t index;
	struct host_image *retired[512];
	uint32_t retired_count;
};

enum job_way { JOB_WAITS, JOB_TRIES, JOB_EVENTS, JOB_WAYS };

/* One fiber that writes or reads `bytes` bytes of the stream that `seed` names. */
struct job {
	struct vchan_side *side;
	bool writes;
	enum job_way way;
	uint64_t bytes;
	uint32_t most; /* in one call; 0: 100,000 */
	uint64_t seed;
	uint64_t moved;
	bool wrong; /* a byte that was not sent */
	int error;  /* what ended it early */
	atomic_bool done;
};

/* Two guests; nothing is open. */
void world_begin(struct vchan_world *world, enum host_mode mode);

/* Kills a side and starts it anew with a new domain id, with nothing open. */
void world_restart(struct vchan_world *world, struct vchan_side *side);

/* Waits for what is put aside to come back, and finds that nobody holds anything. */
void world_end(struct vchan_world *world);

/* Whether both living guests hold nothing but nodes. */
void world_assert_clean(struct vchan_world *world);

/* To be run in a fiber of the side (`argument`), which gets `vchan` or `error`. */
void side_listen(void *argument);
void side_connect(void *argument);
void side_close(void *argument);

/* Where the server's nodes are, as the client names them: STORE_PATH_BYTES. */
void side_server_path(const struct vchan_side *side, char *to);

/* Both ends, which must succeed. */
void world_open(struct vchan_world *world, uint32_t left, uint32_t right, uint32_t index);
void world_close(struct vchan_world *world);

/* Starts each job in a fiber of its side; and waits until all are done or their side dead. */
void jobs_start(struct job *jobs, uint32_t count);
void jobs_wait(struct job *jobs, uint32_t count);

/* Both, and that all bytes came through as they were. */
void jobs_must(struct job *jobs, uint32_t count);
