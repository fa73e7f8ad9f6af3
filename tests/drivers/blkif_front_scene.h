/* SPDX-License-Identifier: ISC */
/*
 * The scene of the tests of blkback against bad frontends: a server, an honest client whose
 * load goes on, and the attacker with a disk of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/blkif_world.h"
#include "tests/host/hostile_blkfront.h"

#define FRONT_DISK_BYTES (256u << 10)
#define FRONT_SECTORS (FRONT_DISK_BYTES / BLKIF_SECTOR_BYTES)
#define FRONT_HONEST_LOAD 60u

struct blk_attack;

/* Answers that the attacker has taken. */
struct front_answers {
	uint32_t all, okay, error, unsupported;
};

struct front_scene {
	struct blkif_world world;
	struct host_domain *attacker;
	struct hostile_blkfront front;
	struct host_vbd vbd;
	const struct blk_attack *attack;
	struct front_answers answers;
	uint32_t expected; /* answers, before the machine stops running */
	uint32_t peer_state;
};

/* The server and the honest client, whose disk is the first; the attacker has the second. */
void front_scene_begin(struct front_scene *scene, enum host_mode mode, uint32_t variant);

/* The same, stepped, where no more clients than that are served. */
void front_scene_begin_bounded(struct front_scene *scene, uint32_t max_clients);

/* The same, stepped, where the attacker's disk has so many bytes. */
void front_scene_begin_large(struct front_scene *scene, uint64_t disk_bytes);

/* Attaches the attacker's vbd; its frontend must come up. */
void front_scene_connect(struct front_scene *scene);

/* Lets the machine run until so many answers were taken in all; false: they do not come. */
must_check bool front_wait_answers(struct front_scene *scene, uint32_t count);

/* A good write and a read of the same sectors are served, and say the same. */
void front_assert_served(struct front_scene *scene);

/*
 * The attacker goes, the honest client gets all that it asked for and goes too, and the
 * server is as it was.
 */
void front_scene_end(struct front_scene *scene);

/* Conditions, of the scene. */
bool front_is_disconnected(void *scene);
bool front_nothing_is_held(void *scene);

/* In fibers of the attacker: reads the backend's state; begins again without closing. */
void front_read_peer_state(void *scene);
void front_begin_again(void *scene);
