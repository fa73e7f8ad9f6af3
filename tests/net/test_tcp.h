/* SPDX-License-Identifier: ISC */
/*
 * Two TCP stacks on a wire under a virtual clock. What one sends is cut into segments as a
 * link would, may be lost or changed by a function of the test, and reaches the other after a
 * delay. A test may also speak for a host itself: lab_inject().
 */
#pragma once

#include "net/tcp_core.h"
#include "net/wire.h"
#include "tests/host/unit.h"

#define LAB_CONNECTIONS 64u
#define LAB_WAITS 8u
#define LAB_BUCKETS 64u
#define LAB_SPANS 256u
#define LAB_LOG 256u
#define LAB_MS UINT64_C(1000000)
#define LAB_S (1000 * LAB_MS)

/* What was sent, in order. */
struct lab_sent {
	uint64_t at;
	uint32_t sequence, acknowledgement, bytes;
	uint16_t window;
	uint8_t flags, ecn, option_bytes;
	uint8_t options[TCP_OPTIONS_MAX];
};

struct lab;

struct lab_host {
	struct lab *lab;
	struct tcp_stack stack;
	struct tcp_listener listener;
	struct random random;
	struct tcp_connection connections[LAB_CONNECTIONS];
	struct tcp_time_wait waits[LAB_WAITS];
	struct tcp_end *buckets[LAB_BUCKETS];
	struct tcp_span spans[LAB_SPANS];
	struct lab_sent log[LAB_LOG];
	uint32_t sent; /* entries of the log that were written; the oldest are overwritten */
	bool cut_off;  /* what it sends goes nowhere, but into the log */
	bool busy;     /* its link has no room */
};

struct lab {
	uint64_t now;
	uint64_t delay; /* one way */
	struct lab_host host[2];
	/* May change a segment from host `from`; false: it is lost. */
	bool (*filter)(struct lab *lab, unsigned int from, struct tcp_segment *segment);
	void *context;
	struct list wire;
	uint64_t random;
	uint32_t in_flight;
};

/* Two hosts with the same configuration but for what `change` (may be NULL) does to it. */
struct lab *lab_begin(void (*change)(struct tcp_config *config));
/* Checks that nothing has leaked and both stacks are consistent. */
void lab_end(struct lab *lab);

/* Lets time pass, delivering and running timers. */
void lab_run(struct lab *lab, uint64_t ns);

/* The tuple as `host` sees it, for port `client` of host 0 and `server` of host 1. */
struct tcp_key lab_key(unsigned int host, uint8_t version, uint16_t client, uint16_t server);

/* Host 1 listens at port 80. */
void lab_listen(struct lab *lab, uint16_t backlog, bool cookies);
/* Host 0 connects from `port` to it. */
struct tcp_connection *lab_connect(struct lab *lab, uint16_t port);
/* Both ends of an established connection. */
void lab_pair(struct lab *lab, uint16_t port, struct tcp_connection **client,
	      struct tcp_connection **server);

/* A segment to host `to` now, as from the other one. `options` may be NULL. */
void lab_inject(struct lab *lab, unsigned int to, uint16_t port, uint32_t sequence,
		uint32_t acknowledgement, uint8_t flags, uint16_t window, const void *data,
		uint32_t bytes);
/* The same with options, as bytes. */
void lab_inject_options(struct lab *lab, unsigned int to, uint16_t port, uint32_t sequence,
			uint32_t acknowledgement, uint8_t flags, uint16_t window,
			const uint8_t *options, uint8_t option_bytes);

/* The last segment that a host sent, or the n-th before it. */
const struct lab_sent *lab_last(const struct lab *lab, unsigned int host, unsigned int n);
