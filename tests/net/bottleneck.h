/* SPDX-License-Identifier: ISC */
/*
 * Bulk flows through one bottleneck in virtual time: a queue that drops or marks what does not
 * fit, fixed delays behind it, an ACK for each segment. Senders know what is lost as soon as a
 * segment arrives that left later (the path keeps the order) and send it again first: just
 * enough of a TCP for its congestion control to matter and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/tcp_cubic.h"
#include "net/tcp_pacing.h"
#include "tests/net/cubic_model.h"

#define BOTTLENECK_MSS 1448u
#define BOTTLENECK_WIRE 1514u /* of a full segment */
#define BOTTLENECK_FLOWS 4u
#define BOTTLENECK_RING (1u << 16) /* segments that a flow may have under way */

enum bottleneck_segment { SEGMENT_NONE, SEGMENT_SENT, SEGMENT_LOST, SEGMENT_DELIVERED };

struct bottleneck_sent {
	uint32_t segment;
	uint64_t order;
};

struct bottleneck_ack {
	uint64_t at_ns, sent_ns, order;
	uint32_t segment;
	bool marked;
};

struct bottleneck_ring {
	uint32_t head, tail;
};

struct bottleneck_flow {
	struct tcp_cubic cubic;
	struct tcp_pacing pacing;
	struct cubic_model model;
	bool has_model;	 /* from the first reduction on */
	bool no_samples; /* the window does not learn round trips */
	bool is_reno;	 /* RFC 5681 instead of CUBIC, from the first reduction on */
	uint64_t start_ns, delay_ns, srtt_ns, heard_ns;
	double reno_cwnd; /* in segments */
	uint32_t next, una, recover, pipe;
	bool recovering;
	uint64_t order;
	struct bottleneck_ring sent_ring, lost_ring, ack_ring;
	uint8_t state[BOTTLENECK_RING];
	struct bottleneck_sent sent[BOTTLENECK_RING];
	uint32_t lost[BOTTLENECK_RING];
	struct bottleneck_ack acks[BOTTLENECK_RING];
	/* What became of it. */
	uint64_t delivered, drops, marks, timeouts, reductions;
	double window_sum; /* over all ACKs, in segments */
	uint64_t window_count;
	double model_error; /* the largest |cwnd / model - 1| of a window of 10 segments or more */
};

struct bottleneck {
	uint64_t now_ns, free_ns, random;
	uint64_t rate;	       /* bytes a second */
	uint64_t buffer, mark; /* bytes; mark 0: no ECN */
	uint64_t drop_every;   /* one in so many segments, 0: none */
	uint64_t jitter_ns;    /* of each ACK, at most */
	uint64_t seen;
	unsigned int count;
	struct bottleneck_flow flow[BOTTLENECK_FLOWS];
};

/* A link of `rate` bytes a second with a queue of `buffer` bytes, and no flow yet. */
struct bottleneck *bottleneck_new(uint64_t rate, uint64_t buffer, uint64_t seed);

/* One more flow, from `start_ns` on, with a round trip of `rtt_ns` when the queue is empty. */
struct bottleneck_flow *bottleneck_add(struct bottleneck *link, uint64_t start_ns, uint64_t rtt_ns);

/* Lets time pass. */
void bottleneck_run(struct bottleneck *link, uint64_t until_ns);

/* Forgets what was delivered, dropped and averaged up to now. */
void bottleneck_reset(struct bottleneck *link);

/* Jain's index of what the flows have got: 1 is fair, 1/n is one for all. */
double bottleneck_fairness(const struct bottleneck *link);

/* All of it, as a part of what the link could carry in `span_ns`. */
double bottleneck_use(const struct bottleneck *link, uint64_t span_ns);
