/* SPDX-License-Identifier: ISC */
/*
 * The scene of the tests of netfront against bad backends: a back_victim that sends back what
 * it receives, and the attacker, which is replaced by an honest backend in the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/netif_world.h"
#include "tests/host/hostile_backend.h"

struct attack;

struct back_scene {
	struct world world;
	struct host_domain *attacker;
	struct hostile_backend back;
	struct host_vif vif;
	const struct attack *attack;
	uint64_t drops_before;
	uint32_t victim_pages;
	struct gnttab_mapping kept;
	bool fills_the_ring; /* the back_victim sends frames of one slot only */
};

/* The back_victim without a vif, and the attacker's domain; the second part of it alone. */
void back_scene_begin(struct back_scene *scene, enum host_mode mode, uint32_t variant);
void back_scene_prepare(struct back_scene *scene);

struct world_client *back_victim(struct back_scene *scene);

/* Attaches the back_victim's vif to the attacker, which follows the handshake. */
void back_scene_connect(struct back_scene *scene);

/* In a fiber of the attacker: waits for the back_victim, and connects. */
void back_offer_and_connect(void *scene);

/* A condition. */
bool back_victim_is_up(void *scene);

/* The back_victim sends, without waiting for anybody but what it was sending before. */
void back_victim_sends(struct back_scene *scene, uint32_t count);

/*
 * An honest backend in the attacker's place: it finds nothing of what the attacker was
 * sent, and nothing is missing in the end.
 */
void back_scene_end(struct back_scene *scene);
