/* SPDX-License-Identifier: ISC */
/*
 * Local ports: those that somebody has taken for himself, and ephemeral ones for connections
 * that we begin, by algorithm 4 of RFC 6056 (double hash, 3.3.4): to one destination they come
 * one after another from a place that only the key knows, so that a pair of ports comes again
 * as late as can be; and how far one destination has come says nothing of any other that does
 * not share its counter. Steps are of random length (as in 3.3.5), so that not even who owns
 * two destinations of one counter can count what goes to a third (Kol, Klein, Gilad, 2022).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "net/tcp_core_segment.h"

#define TCP_PORTS_FIRST 1024u /* RFC 6056, 3.2: as many as possible */
#define TCP_PORTS_LAST 65535u
#define TCP_PORTS_COUNTERS 1024u
#define TCP_PORTS_STEP_MAX 8u

struct tcp_ports {
	struct random *random;
	struct siphash_key offset_key, counter_key;
	uint16_t first, last; /* ephemeral ones, both included */
	uint16_t counters[TCP_PORTS_COUNTERS];
	uint64_t reserved[65536 / 64]; /* a bit for each port */
};

/* Ephemeral ports from `first` to `last`, TCP_PORTS_FIRST and _LAST if nothing else is wanted. */
void tcp_ports_init(struct tcp_ports *ports, struct random *random, uint16_t first, uint16_t last);

/* Takes a port for a listener or who else wants just that one. -EADDRINUSE, -EINVAL for 0. */
must_check int tcp_ports_reserve(struct tcp_ports *ports, uint16_t port);

/* Gives it back. */
void tcp_ports_release(struct tcp_ports *ports, uint16_t port);

bool tcp_ports_is_reserved(const struct tcp_ports *ports, uint16_t port);

/* Can the connection of this name be made, is there no other of the same one? */
typedef bool tcp_ports_is_free(void *context, const struct tcp_key *key);

/*
 * Sets key->own_port, the only part of `key` that is not given, to a port that nobody has
 * reserved and for which `is_free` says yes. Asks for each port at most once.
 * 0, or -EADDRNOTAVAIL: none is free.
 */
must_check int tcp_ports_choose(struct tcp_ports *ports, struct tcp_key *key,
				tcp_ports_is_free *is_free, void *context);
