/* SPDX-License-Identifier: ISC */
/*
 * Two TCP stacks and the link between them, for the fuzzer: each segment is a piece of memory
 * of its own that ends where its bytes do. What must hold of a stack whatever comes is checked
 * here, at each call into it.
 */
#pragma once

#include "net/tcp_core.h"
#include "tests/fuzz/script.h"

#define HOSTS_CONNECTIONS 6u
#define HOSTS_WAITS 3u
#define HOSTS_SPANS 96u
#define HOSTS_STREAMS 16u /* connections that the applications know, of both hosts */
#define HOSTS_WIRE 96u	  /* segments on their way; what is more is lost */
#define HOSTS_MS UINT64_C(1000000)
#define HOSTS_S (1000 * HOSTS_MS)

/* A segment on its way. */
struct hosts_segment {
	uint64_t at;
	unsigned int to;
	struct tcp_segment segment; /* its pieces and options are memory of their own */
};

/* One end of a connection, as its application sees it. */
struct hosts_stream {
	struct tcp_connection *connection; /* NULL: none, or given up */
	unsigned int host;
	uint32_t name; /* what its bytes are made of: the same at both ends */
	uint64_t sent, received;
	bool has_ended; /* the peer's end was read */
};

struct hosts_host {
	struct tcp_stack stack;
	struct tcp_listener listener;
	struct random random;
	struct tcp_connection connections[HOSTS_CONNECTIONS];
	struct tcp_time_wait waits[HOSTS_WAITS];
	struct tcp_end *buckets[8];
	struct tcp_span spans[HOSTS_SPANS];
	struct {
		uint32_t irs, right;
	} window[HOSTS_CONNECTIONS]; /* what was promised, which is never taken back */
	uint32_t sent;		     /* transmissions since the last call into the stack */
	uint32_t empty;		     /* of these, without payload */
	uint64_t bytes;
	bool is_busy; /* its link takes nothing */
	bool listens;
};

struct hosts {
	uint64_t now;
	uint64_t delay;
	struct hosts_host host[2];
	struct hosts_stream streams[HOSTS_STREAMS];
	struct hosts_segment *wire[HOSTS_WIRE];
	unsigned int on_wire;
	bool is_forged; /* somebody else has spoken: bytes may be any */
	bool has_lied;	/* an acknowledgement or a window was changed: streams may get stuck */
};

extern struct hosts hosts;

/* How a stack is made, out of the script's first bytes. */
void hosts_begin(struct script *script);
/* Everything must end, be given back and, unless somebody lied, have arrived. */
void hosts_end(void);

/* `name` as that of the connection's own port, seen from host 0; both IP versions by turns. */
struct tcp_key hosts_key(unsigned int host, uint16_t port);
void hosts_connect(unsigned int host, uint16_t port);
void hosts_accept(unsigned int host);
/* The n-th stream that has a connection, from `first` on; NULL: there is none. */
struct hosts_stream *hosts_stream(unsigned int first);
void hosts_send(struct hosts_stream *stream, uint32_t bytes);
void hosts_receive(struct hosts_stream *stream, uint32_t bytes, bool in_place);
/* Gives the connection up. */
void hosts_drop(struct hosts_stream *stream, bool abort);

/* Time passes; what is on the wire arrives when it is due. */
void hosts_run(uint64_t ns);
/* Segment n of the wire (of those there are) arrives now. */
void hosts_arrive(unsigned int n);
void hosts_lose(unsigned int n);
/* Once more, for later; NULL: there is no room or no segment. */
struct hosts_segment *hosts_again(unsigned int n);
/* A segment of somebody else's, to be filled in; NULL: no room. `bytes` of payload, any. */
struct hosts_segment *hosts_forge(unsigned int to, uint32_t bytes, uint8_t option_bytes);
/* As a link does that merges: n and what follows it at once. */
void hosts_merge(unsigned int n);
/* Calls a stack with a segment, or runs its timers. */
void hosts_check(unsigned int host);
