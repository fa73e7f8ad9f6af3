/* SPDX-License-Identifier: ISC */
/*
 * The scene of the tests of netback against bad frontends: a server that sends back what
 * the attacker sends, an honest client, and the attacker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/netif_world.h"
#include "tests/host/hostile_frontend.h"

struct attack;

struct front_scene {
	struct world world;
	struct host_domain *attacker;
	struct hostile_frontend front;
	struct host_vif vif;
	const struct attack *attack;
	uint64_t drops_before;
	uint32_t server_pages;
	uint32_t peer_state;
};

/* The server with the honest client attached, and the attacker's domain. */
void front_scene_begin(struct front_scene *scene, enum host_mode mode, uint32_t variant);

/* Attaches the attacker's vif; its frontend must come up. */
void front_scene_connect(struct front_scene *scene);

/*
 * The attacker goes, the honest client too, and the server is as it was: nothing of
 * anybody's is left in pages that an uplink's backend could read.
 */
void front_scene_end(struct front_scene *scene);

/* Puts one request on the attacker's TX ring, as the attacker. */
void front_put(struct hostile_frontend *front, uint32_t gref, uint32_t offset, uint32_t size,
	       uint16_t flags);

/* Conditions, of the scene. Two pages mapped are the honest client's rings. */
bool front_is_disconnected(void *scene);
bool front_two_are_mapped(void *scene);

/* In fibers of the attacker: reads the backend's state; begins again without closing. */
void front_read_peer_state(void *scene);
void front_begin_again(void *scene);
