/* SPDX-License-Identifier: ISC */
/*
 * A backend whose disk does what a test says: it answers late, in another order or with
 * errors, and it has a cache that forgets. What it was asked, and when it answered, is noted
 * in order. One queue; served by a fiber of a domain of its own, in stepped machines.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/blkif_world.h"
#include "tests/host/hostile_blkback.h"

#define SCRIPT_EVENTS_MOST 65536u
#define SCRIPT_DISK_BYTES (1u << 20)

/* Something that happened at the ring. */
struct script_event {
	bool answer;	/* else it came */
	uint8_t op;	/* BLKIF_OP_*, of an indirect request that which it stands for */
	int16_t status; /* of an answer */
	uint64_t sector;
	uint32_t sectors;
	uint32_t request; /* which came as the how manieth */
};

/* A request that waits for its answer. */
struct script_held {
	union blkif_slot slot;
	uint32_t number;
	uint8_t *snapshot; /* of a flush: what was written when it came, and when that was */
	uint32_t moment;
};

struct blkif_script {
	/* set by the test, at any time */
	struct hostile_blk_offer offer;
	bool silent;	       /* answers nothing */
	bool reorder;	       /* answers in any order */
	bool forgets;	       /* has a cache: what is written is safe only after a flush */
	uint32_t most_answers; /* in 50 us; 0: all */
	uint32_t error_one_in; /* of the answers; 0: none */
	int16_t flush_status;  /* of all flushes, if not 0 */
	/* for the test to read between runs of the machine */
	struct script_event events[SCRIPT_EVENTS_MOST];
	uint32_t event_count;
	uint32_t unanswered;
	uint32_t errors;   /* answered */
	uint32_t lost;	   /* sectors that went back to what they were, with the power */
	uint8_t *contents; /* what a read gets */
	uint8_t *stable;   /* what would be there after a loss of power, at least */
	uint64_t bytes;
	/* own */
	struct blkif_world *world;
	struct hostile_blkback back;
	uint8_t *unstable;		  /* a byte for each sector: written since the last flush */
	uint32_t moment;		  /* writes carried out */
	uint32_t *written_at, *stable_at; /* of each sector: the moment of what is there */
	struct script_held held[HOSTILE_BLK_SLOTS_MOST];
	uint32_t held_count, arrived;
};

/*
 * A machine with a client and the script's domain, in the place of the world's server. The
 * test sets what it likes, and attaches with blkif_world_attach(world, 0, 0, 0).
 */
void blkif_script_begin(struct blkif_script *script, struct blkif_world *world, uint32_t variant);
/* Starts to wait for the vbd of client 0; before attaching. */
void blkif_script_serve(struct blkif_script *script);
/* Ends the world, too. */
void blkif_script_end(struct blkif_script *script);

/*
 * The power fails: the domain ends, and of what was written and not flushed each sector is
 * there or is not. `contents` is what is left. Another domain serves it, and the toolstack
 * leads the client there.
 */
void blkif_script_lose_power(struct blkif_script *script);
/* The domain ends, and nothing of the contents is lost; another one serves them. */
void blkif_script_replace(struct blkif_script *script);
