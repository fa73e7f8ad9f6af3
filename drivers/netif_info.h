/* SPDX-License-Identifier: ISC */
/* What an interface's rings look like now, for counters: the same for both ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/netdev.h"

struct netif_info {
	const struct netdev *netdev;
	bool backend;	   /* we are the backend: it is a client's */
	const char *state; /* of the connection, one word */
	uint32_t queues;   /* pairs of rings */
	uint32_t waiting_packets;
	/* Of all queues: */
	uint32_t send_slots_free;    /* in which the peer would take something now */
	uint32_t receive_slots_busy; /* frontend: buffers posted; backend: requests in hand */
	uint64_t connects;	     /* frontend */
};
