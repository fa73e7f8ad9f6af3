/* SPDX-License-Identifier: ISC */
/*
 * Is an IPv4 address free on the link, before it is used (RFC 5227)? Afterwards it is
 * defended, and never given up: somebody who forges ARP shall not take it away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/random.h"
#include "net/wire.h"

#define ADDRESS_PROBE_FRAME_BYTES 60u
/* RFC 5227, 1.1 */
#define ADDRESS_PROBE_WAIT_NS 1000000000ull
#define ADDRESS_PROBE_COUNT 3u
#define ADDRESS_PROBE_MIN_NS 1000000000ull
#define ADDRESS_PROBE_MAX_NS 2000000000ull
#define ADDRESS_PROBE_ANNOUNCE_WAIT_NS 2000000000ull
#define ADDRESS_PROBE_DEFEND_NS 10000000000ull

enum address_probe_state { ADDRESS_PROBE_IDLE, ADDRESS_PROBE_PROBING, ADDRESS_PROBE_OURS };

struct address_probe {
	uint8_t mac[MAC_BYTES];
	uint8_t state; /* enum address_probe_state */
	uint8_t sent;
	be32 address;
	uint64_t next_ns; /* UINT64_MAX: nothing to do */
	uint64_t defended_ns;
	uint64_t conflicts;
	struct random *random;
	void (*send)(void *context, const uint8_t *frame, size_t bytes);
	void *context;
};

void address_probe_init(struct address_probe *probe, const uint8_t *mac, struct random *random,
			void (*send)(void *context, const uint8_t *frame, size_t bytes),
			void *context);

/* Begins with another address. Takes 4 to 7 seconds. */
void address_probe_start(struct address_probe *probe, be32 address, uint64_t now_ns);
void address_probe_stop(struct address_probe *probe);

/* Does what is due; true: the address has just become ours. */
bool address_probe_run(struct address_probe *probe, uint64_t now_ns);

/*
 * An Ethernet frame with ARP, contiguous. True: somebody has the address, or wants it at the
 * same time; probing has ended. Of an address that is ours the others are told so instead.
 */
bool address_probe_input(struct address_probe *probe, const void *frame, size_t bytes,
			 uint64_t now_ns);
