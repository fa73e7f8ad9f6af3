/* SPDX-License-Identifier: ISC */
/*
 * What all parts of iperf share: what is measured, and what they need of where they run.
 * The protocol is that of iperf3 3.12, seen from outside; README.md tells it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip_address.h"
#include "lib/random.h"
#include "net/socket.h"

#define IPERF_PORT 5201u
#define IPERF_STREAMS 128u /* of one direction, as iperf3 has it */
#define IPERF_BLOCK_MOST (1u << 20)
#define IPERF_COOKIE_BYTES 37u
#define IPERF_NS_PER_MS 1000000ull
#define IPERF_NS_PER_SECOND 1000000000ull
/* A phase other than the test itself; a test in which nothing comes any more. */
#define IPERF_PHASE_NS (30 * IPERF_NS_PER_SECOND)

/* The single bytes on the control connection. */
enum iperf_state {
	IPERF_TEST_START = 1,
	IPERF_TEST_RUNNING = 2,
	IPERF_TEST_END = 4,
	IPERF_PARAM_EXCHANGE = 9,
	IPERF_CREATE_STREAMS = 10,
	IPERF_SERVER_TERMINATE = 11,
	IPERF_CLIENT_TERMINATE = 12,
	IPERF_EXCHANGE_RESULTS = 13,
	IPERF_DISPLAY_RESULTS = 14,
	IPERF_DONE = 16,
	IPERF_ACCESS_DENIED = -1,
	IPERF_SERVER_ERROR = -2,
};

/* What a client asks for. */
struct iperf_settings {
	bool udp;
	bool reverse;
	bool bidirectional;
	bool no_delay;
	bool counters64;
	uint32_t parallel;
	uint32_t block_bytes; /* 0 in the options: by the kind */
	uint32_t seconds;     /* 0: by bytes or blocks */
	uint32_t omit_seconds;
	uint64_t bytes;
	uint64_t blocks;
	uint64_t rate; /* bit/s of each stream; 0: as fast as it goes */
	uint32_t window;
	uint32_t mss;
};

/* Where it runs. */
struct iperf_place {
	struct sockets *sockets;
	struct random *random;
	uint64_t (*now_ns)(void *context);
	void (*line)(void *context, const char *text);
	/* A client is done, or a server that serves once: 0, or 1 after an error. */
	void (*end)(void *context, int status);
	void *context;
};

static inline uint64_t iperf_now_ns(const struct iperf_place *place)
{
	return place->now_ns(place->context);
}
