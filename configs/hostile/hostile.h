/* SPDX-License-Identifier: ISC */
/*
 * The hostile guest: a neighbour that breaks every rule of the network protocol, as a
 * frontend or as a backend. What the files share: attacks, roles, and how an attack
 * waits and draws. All of it runs in the main fiber, and every wait has a limit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "lib/byteorder.h"

#define HOSTILE_RING 256u
#define HOSTILE_FRAME_MAX 98u

/* What a sound victim does. */
enum hostile_outcome {
	STAYS,	    /* the connection lives */
	THROWN_OUT, /* it ends, or does not come about */
	EITHER
};

/* One node, or two, that say something else than the truth. */
struct hostile_lie {
	const char *key;
	const char *also;  /* NULL: none */
	const char *value; /* NULL: no such node */
};

/* `run`, or where that is NULL a handshake with the lie in it. */
struct hostile_attack {
	const char *name;
	void (*run)(void);
	enum hostile_outcome outcome;
	struct hostile_lie lie;
};

#define HOSTILE_ATTACK(function, expected)                                   \
	{                                                                    \
		.name = #function, .run = (function), .outcome = (expected), \
	}

/* A handshake that says `told` for the node `node`. */
#define HOSTILE_LIE(text, expected, node, told)                                                 \
	{                                                                                       \
		.name = (text), .outcome = (expected), .lie = {.key = (node), .value = (told) } \
	}

struct hostile_role {
	const char *name;
	const struct hostile_attack *rings, *store; /* each ends with one without a name */
	/* Honest; from whatever state things are in. False: not within some seconds. */
	bool (*connect)(void);
	bool (*is_connected)(void);
	/* A handshake with a lie in it; waits `ms` for the other to take it. */
	void (*lie)(const struct hostile_lie *lie, uint32_t ms);
	void (*leave)(void); /* closes well and lets go of everything */
};

extern const struct hostile_role hostile_frontend, hostile_backend;

/* From the command line: our own address, and the one that what we send is for. */
extern be32 hostile_ip, hostile_target;

/* A value that no node should have. */
extern char hostile_huge[];

void hostile_pause_ms(uint32_t ms);

/* Polls until the condition holds; false after `ms`. */
bool hostile_wait(bool (*condition)(void), uint32_t ms);

/* Uniform in [0, bound), from seed=. */
uint32_t hostile_draw(uint32_t bound);

/* Says that the victim, or the attack, did not do what it should have. */
void hostile_unexpected(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes random words into the ring from slot 0 on, for `ms`, without a pause. */
void hostile_scribble(volatile uint32_t *ring, uint32_t words, uint32_t ms);

/* frames.c: each writes a frame to `to` and returns its size. */
uint16_t frame_echo_request(uint8_t *to, const uint8_t own_mac[6], const uint8_t to_mac[6]);
uint16_t frame_arp_request(uint8_t *to, const uint8_t own_mac[6]);

/* Whether HOSTILE_FRAME_MAX bytes begin with an ARP request for our address; its answer. */
bool frame_asks_for_us(const uint8_t *from);
uint16_t frame_arp_reply(uint8_t *to, const uint8_t own_mac[6], const uint8_t *question);
