/* SPDX-License-Identifier: ISC */
/*
 * A machine for the drivers' tests: one guest with netback, any number of clients
 * with netfront, vifs attached by the toolstack, and checked traffic on each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/drivers/netif_guest.h"
#include "tests/host/host.h"
#include "tests/host/image.h"
#include "tests/host/toolstack.h"

#define WORLD_CLIENTS 8u
#define WORLD_MS 1000000ull
#define WORLD_SECOND (1000u * WORLD_MS)

/* One guest: its domain, its copy of the image, its program's data. */
struct world_guest {
	struct host_domain *domain; /* NULL: never started */
	struct host_image *image;
	const struct netif_guest_program *program;
	struct netif_guest guest;
	struct host_counters clean; /* before any vif */
};

struct world_client {
	struct world_guest guest;
	struct guest_link link;	    /* of the client's netfront */
	struct guest_link *far_end; /* of the server's netback */
	struct host_vif vif;
	char mac[18];
	char ip[16];
};

struct world {
	struct host_machine *machine;
	struct host_image *retired[1024]; /* images of guests that are gone */
	uint32_t retired_count;
	struct world_guest server;
	struct guest_link server_links[WORLD_CLIENTS];
	struct world_client clients[WORLD_CLIENTS];
	uint64_t seed;
};

/* The shape of traffic with everything in it. */
extern const struct traffic_shape world_mixed;
/* The same for several queues: many connections, each in an order of its own. */
extern const struct traffic_shape world_laned;

/* A machine with the server running. `variant` changes the seed. */
void world_begin(struct world *world, enum host_mode mode);
void world_begin_variant(struct world *world, enum host_mode mode, uint32_t variant);
void world_end(struct world *world);

/* A new guest with the image in it, booted; `guest` settings are kept. */
void world_guest_start(struct world *world, struct world_guest *guest, const char *name);

/* The server: a new domain in the place of the one before, which must be dead. */
void world_server_start(struct world *world);

/* A client domain with netfront started, and both links prepared; no vif yet. */
void world_client_start(struct world *world, uint32_t index);

/* The server's end of the client's link from nothing, after the server was replaced. */
void world_prepare_links(struct world *world, uint32_t index);

/* Attaches the client's vif and waits until both ends are up. 0 or -ETIMEDOUT. */
must_check int world_attach(struct world *world, uint32_t index);

/* Waits until both ends of the client's vif are up (or both down). */
must_check bool world_wait_up(struct world *world, uint32_t index, uint64_t timeout_ns);
must_check bool world_wait_down(struct world *world, uint32_t index, uint64_t timeout_ns);

/* Starts sending: `up` frames from the client, `down` frames to it. */
void world_send(struct world *world, uint32_t index, uint32_t up, uint32_t down);

/* All frames of the client's traffic have arrived, or somebody found an error. */
bool world_has_arrived(struct world *world, uint32_t index);
must_check bool world_wait_arrived(struct world *world, uint32_t index, uint64_t timeout_ns);

/* Until neither end of the client's link sends any more; fails the test after 10 s. */
void world_wait_senders(struct world *world, uint32_t index);

/* Fails the test when a frame was wrong or (with `lossless`) missing. */
void world_assert_traffic(struct world *world, uint32_t index, bool lossless);

/* `world_send`, waiting, and asserting that every byte came in order. */
void world_exchange(struct world *world, uint32_t index, uint32_t up, uint32_t down);

/* Starts the counts of the client's traffic from nothing, with other bytes. */
void world_reset_traffic(struct world *world, uint32_t index);

/* Both ends' shape and window. */
void world_set_shape(struct world *world, uint32_t index, const struct traffic_shape *shape,
		     uint32_t window);

/* What the guest's program counts, read in its domain. */
const struct netif_guest *world_collect(struct world_guest *guest);

/* Free pages that the uplink's backend may read and that are not empty (XSA-403). */
uint32_t world_stale_pages(struct world_guest *guest);

/* Fails unless the guest holds again just what it held when it was clean. */
void world_assert_clean(struct world_guest *guest, const char *who);

/*
 * An attacker's domain goes: it holds nothing of anybody's, the honest client 0 gets all of
 * its traffic and goes too, and the server is as it was, with `server_pages` out.
 */
void world_attacker_leaves(struct world *world, struct host_domain *attacker,
			   uint32_t server_pages);
