/* SPDX-License-Identifier: ISC */
/*
 * The scene of the tests of blkfront against bad backends: a client with requests under way,
 * and the attacker, which is replaced by an honest backend in the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/blkif_world.h"
#include "tests/host/hostile_blkback.h"

#define BACK_REQUESTS 8u
#define BACK_REQUEST_SECTORS 8u /* of each, unless the test says otherwise */
#define BACK_MARK 0x5e		/* what lies beside the memory of requests */

struct back_attack;

struct back_scene {
	struct blkif_world world;
	struct host_domain *attacker;
	struct hostile_blkback back;
	struct host_vbd vbd;
	const struct back_attack *attack;
	struct guest_batch batch;
	uint8_t *memory; /* of the client: BACK_REQUESTS pages, full of BACK_MARK */
	uint32_t victim_pages;
	struct gnttab_mapping kept[BACK_REQUESTS];
	uint32_t kept_count;
	uint32_t marks; /* that the attacker has seen */
};

/*
 * The client without a disk, and the attacker's domain. `scene` is zero but for settings of
 * the client's blkfront.
 */
void back_scene_begin(struct back_scene *scene, enum host_mode mode, uint32_t variant);

/* The settings of the client's blkfront, to be changed before back_scene_begin(). */
struct blkfront_config *back_config(struct back_scene *scene);

struct host_domain *back_victim(struct back_scene *scene);

/* Attaches the disk to the attacker, which offers; whether the client comes up. */
must_check bool back_scene_try(struct back_scene *scene);
/* The same; the client must come up. */
void back_scene_connect(struct back_scene *scene);

/* In a fiber of the attacker: waits for the client, and connects. */
void back_offer_and_connect(void *scene);

/*
 * The client hands BACK_REQUESTS requests of `sectors` each over, every other one a write,
 * and the attacker sees them all.
 */
void back_victim_asks(struct back_scene *scene, uint32_t sectors);

/* Of the batch, so many were reported; and those all with this error. */
uint32_t back_reported(struct back_scene *scene);
void back_assert_errors(struct back_scene *scene, int error);

/* A condition: the client has disconnected. */
bool back_victim_is_down(void *scene);

/* An honest backend takes the attacker's place while that lives, and the client is up. */
void back_scene_replace(struct back_scene *scene);

/* The attacker goes, what it held comes back, and the client is as it was before. */
void back_scene_end(struct back_scene *scene);
