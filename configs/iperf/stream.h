/* SPDX-License-Identifier: ISC */
/*
 * One stream: a TCP connection, or a UDP socket with a peer, that sends or receives as fast as
 * it may, and counts. What it sends is always the same bytes, so no byte is made.
 */
#pragma once

#include "configs/iperf/messages.h"

struct iperf_test;

struct iperf_stream {
	struct iperf_test *test;
	struct socket *socket; /* NULL: it is over */
	uint32_t id;
	bool sends;
	bool there;		    /* connected, cookie or greeting exchanged */
	bool ended;		    /* the peer has closed it */
	bool blocked;		    /* the socket takes no more; `ready` says when it does */
	uint32_t block_left;	    /* TCP: of the block under way */
	uint64_t due_ns;	    /* when the rate allows more */
	struct iperf_counts counts; /* without what was omitted */
	struct iperf_counts shown;  /* when the last line was printed */
	struct iperf_counts omitted;
	struct iperf_counts other; /* of the other end, from its results */
	bool other_known;
	bool first_seen;
	int64_t transit_ns;
	uint64_t out_of_order;
};

/* Sends what may be sent now, a bounded amount; true: it has not come to its end. */
bool iperf_stream_send(struct iperf_stream *stream, uint64_t now_ns);

/* Takes what has come, a bounded amount of datagrams; true: there may be more. */
bool iperf_stream_receive(struct iperf_stream *stream, uint64_t now_ns);

/* The counters of the socket, before it goes. */
void iperf_stream_look(struct iperf_stream *stream);

/* What counts from now on: all counters begin anew. */
void iperf_stream_omit(struct iperf_stream *stream);

/* The socket goes; what is queued is still sent. */
void iperf_stream_close(struct iperf_stream *stream);

/* The socket goes, with what is queued. */
void iperf_stream_end(struct iperf_stream *stream);

/* What is sent, also by whoever greets: at least `bytes` <= IPERF_PAYLOAD_BYTES bytes. */
#define IPERF_PAYLOAD_BYTES 131072u
/* Filled once, for good. */
void iperf_payload_make(struct random *random);

/* A datagram's header (iperf3: seconds, microseconds, number), and what a receiver makes of it. */
#define IPERF_DATAGRAM_BYTES 16u
void iperf_datagram_write(uint8_t *to, uint64_t now_ns, uint64_t number, bool counters64);
void iperf_datagram_count(struct iperf_stream *stream, const uint8_t *data, uint32_t bytes,
			  bool counters64, uint64_t now_ns);
