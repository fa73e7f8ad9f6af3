/* SPDX-License-Identifier: ISC */
/*
 * A guest that is no router but an end: one uplink, its addresses (fixed, DHCP, SLAAC), a
 * router that has no clients, and sockets. An application is a struct station_app and knows
 * nothing of where it runs: configs/station.c makes a Xen guest of it, tests/tap/station.c a
 * program on a TAP device.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/random.h"
#include "net/socket.h"

struct router;

struct station {
	struct sockets *sockets;
	struct router *router; /* for counters */
	struct random *random;
	const char *arguments; /* the command line, or in a program its arguments, as words */
};

struct station_app {
	const char *name; /* a short word, for lines of the log */
	/*
	 * The uplink is attached and an address is there; called once, from the loop. Sockets and
	 * timers of the application do the rest. An error ends the guest.
	 */
	must_check int (*begin)(const struct station *station);
	/* Each round after the sockets; NULL: none. */
	void (*run)(uint64_t now_ns);
	/* When `run` is wanted next at the latest; NULL: only after something has happened. */
	uint64_t (*next_ns)(void);
	/* Its counters, for the console and SIGUSR1; NULL: none. */
	void (*print_stats)(void (*line)(void *context, const char *text), void *context);
	/* 0: as it sees fit. */
	struct sockets_config sizes;
};

/* The application of this program; each has exactly one. */
extern const struct station_app station_app;

/* Time for all that the application does in this round. */
uint64_t station_now_ns(void);
/* The date, nanoseconds since 1970, or 0: not known. */
uint64_t station_wall_ns(void);
/* Ends the guest (powers off) or the program, after what is queued has left. */
void station_end(int status);
