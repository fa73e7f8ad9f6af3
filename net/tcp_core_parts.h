/* SPDX-License-Identifier: ISC */
/* What the parts of the TCP core know of each other. Private to net/tcp_core*.c. */
#pragma once

#include <errno.h>

#include "lib/panic.h"

#include "net/tcp_core.h"
#include "net/tcp_cubic.h"
#include "net/tcp_options.h"
#include "net/tcp_paws.h"
#include "net/tcp_pacing.h"
#include "net/tcp_recovery.h"
#include "net/wire.h"

#define TCP_SECOND_NS UINT64_C(1000000000)
#define TCP_MS_NS UINT64_C(1000000)
/* The wheel counts this many times as fast as the clock: ticks of 0.26 ms. */
#define TCP_WHEEL_SHIFT 6u
#define TCP_TIMESTAMP_BYTES 12u /* of options, with padding */
#define TCP_SPANS_FOR_ONE 64u	/* holes in what one connection has received */
#define TCP_BUFFER_FIRST 65535u /* limits begin with it */
#define TCP_ACK_DELAY_NS (40 * TCP_MS_NS)
#define TCP_CHALLENGE_GAP_NS (500 * TCP_MS_NS)
#define TCP_OPEN_RETRIES 5u
#define TCP_PROBE_MAX_NS (60 * TCP_SECOND_NS)
#define TCP_SEND_AGAIN_NS (1 * TCP_MS_NS)
#define TCP_FLIGHT_IDLE_NS (10 * TCP_SECOND_NS)

/* What a connection has while something is under way, or was a short time ago: a block. */
struct tcp_flight {
	struct tcp_recovery recovery;
	struct tcp_cubic cubic;
	struct tcp_pacing pacing;
	uint32_t window;  /* the congestion window that holds now */
	uint32_t extra;	  /* bytes of new data that may leave whatever it says (F-RTO) */
	bool skip_lost;	  /* and nothing again before them */
	bool app_limited; /* the last attempt to send was not ended by the window */
	struct tcp_range ranges[];
};

#define TCP_FLIGHT_RANGES \
	((uint16_t)((TCP_BLOCK_BYTES - sizeof(struct tcp_flight)) / sizeof(struct tcp_range)))
static_assert(sizeof(struct tcp_flight) + 64 * sizeof(struct tcp_range) <= TCP_BLOCK_BYTES,
	      "a flight is one block");
static_assert(sizeof(struct tcp_connection) <= 512, "what an idle connection costs");

static inline uint32_t tcp_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tcp_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline bool tcp_has(const struct tcp_connection *c, uint32_t flags)
{
	return c->flags & flags;
}

/* Both SYNs have been seen and acknowledged. */
static inline bool tcp_is_synchronized(const struct tcp_connection *c)
{
	return c->end.state >= TCP_ESTABLISHED;
}

/* May the peer still send data? */
static inline bool tcp_may_receive(const struct tcp_connection *c)
{
	return c->end.state == TCP_ESTABLISHED || c->end.state == TCP_FIN_WAIT_1 ||
	       c->end.state == TCP_FIN_WAIT_2;
}

/* May we have something to send, or to send again? */
static inline bool tcp_may_send(const struct tcp_connection *c)
{
	return tcp_is_synchronized(c) && c->end.state != TCP_FIN_WAIT_2 &&
	       c->end.state != TCP_TIME_WAIT;
}

/* Bytes of the send buffer that have not been sent. */
static inline uint32_t tcp_unsent(const struct tcp_connection *c)
{
	return tcp_has(c, TCP_FLAG_FIN_SENT) ? 0 : c->sending.bytes - (c->snd_nxt - c->snd_una);
}

static inline uint32_t tcp_outstanding(const struct tcp_connection *c)
{
	return c->snd_nxt - c->snd_una;
}

/* ---- tcp_core.c ---- */
struct tcp_end *tcp_find(const struct tcp_stack *stack, const struct tcp_key *key);
void tcp_end_insert(struct tcp_stack *stack, struct tcp_end *end);
void tcp_end_remove(struct tcp_stack *stack, struct tcp_end *end);
/* In the table, closed, without timers; NULL: none is free. */
struct tcp_connection *tcp_connection_make(struct tcp_stack *stack, const struct tcp_key *key,
					   void *route, uint64_t now);
/* Over: off the table, timers and memory gone. The application's stays, closed, to be read. */
void tcp_connection_end(struct tcp_connection *c, int error);
/* To the free list; it must be over. */
void tcp_connection_release(struct tcp_connection *c);
void tcp_raise(struct tcp_connection *c, uint8_t events);
void tcp_timer_set(struct tcp_connection *c, enum tcp_timer timer, uint64_t deadline);
static inline void tcp_timer_stop(struct tcp_connection *c, enum tcp_timer timer)
{
	c->deadline[timer] = 0;
}

/* ---- tcp_core_flight.c ---- */
/* The connection's, made if there is none; NULL: no memory. */
struct tcp_flight *tcp_flight_get(struct tcp_connection *c, uint64_t now);
void tcp_flight_release(struct tcp_connection *c);
/* A round trip was measured where there is no flight: in the handshake. */
void tcp_flight_sample(struct tcp_connection *c, uint64_t rtt_ns);
uint64_t tcp_rto_now(const struct tcp_connection *c);

/* ---- tcp_core_header.c: what a connection's segments look like ---- */
/*
 * Sends [sequence, sequence + bytes) of the buffer, and what is due with it. False: no room in
 * the link.
 */
must_check bool tcp_transmit(struct tcp_connection *c, uint32_t sequence, uint32_t bytes,
			     uint8_t flags, uint16_t gso_size, uint64_t now);
/* A SYN or a SYN with ACK. */
bool tcp_transmit_syn(struct tcp_connection *c, uint64_t now);
void tcp_send_ack(struct tcp_connection *c, uint64_t now);
/* An acknowledgement that attackers could ask for at will: rationed (RFC 5961, 7). */
void tcp_send_challenge(struct tcp_connection *c, uint64_t now);
/* RST of a connection. */
void tcp_send_reset(struct tcp_connection *c, uint64_t now);
/* RST as the answer to a segment that belongs to nothing (RFC 9293, 3.10.7.1). Rationed. */
void tcp_refuse(struct tcp_stack *stack, const struct tcp_segment *segment, void *route,
		uint64_t now);
must_check bool tcp_challenge_allowed(struct tcp_stack *stack, uint64_t now);

/* ---- tcp_core_open.c ---- */
struct tcp_listener *tcp_listener_of(struct tcp_stack *stack, const struct tcp_key *key);
void tcp_listen_input(struct tcp_stack *stack, struct tcp_listener *listener,
		      const struct tcp_segment *segment, const struct tcp_options *options,
		      void *route, uint64_t now);
void tcp_syn_sent_input(struct tcp_connection *c, const struct tcp_segment *segment,
			const struct tcp_options *options, uint64_t now);
/* The handshake is complete; false: its listener has no place now. */
must_check bool tcp_established(struct tcp_connection *c, uint64_t now);
void tcp_open_again(struct tcp_connection *c, uint64_t now);
/* Out of the queues of its listener, if it is in one. */
void tcp_listener_forget(struct tcp_connection *c);
uint16_t tcp_mss_offered(const struct tcp_stack *stack, uint8_t version);

/* ---- tcp_core_ack.c ---- */
/* What it says of our data and of the peer's window. */
void tcp_ack_input(struct tcp_connection *c, const struct tcp_segment *segment,
		   const struct tcp_options *options, uint64_t now);
/* Recovery has found a loss: the window shrinks, and the peer is told with CWR. */
void tcp_reduce(struct tcp_connection *c, const struct tcp_recovery_result *result, uint64_t now);

/* ---- tcp_core_receive.c ---- */
void tcp_payload_input(struct tcp_connection *c, const struct tcp_segment *segment, uint64_t now);

/* ---- tcp_core_output.c ---- */
/* Sends what may be sent, an acknowledgement that is due, and sets the timers. */
void tcp_output(struct tcp_connection *c, uint64_t now);
/* What a timer of recovery wants. */
void tcp_recovery_due(struct tcp_connection *c, uint64_t now);
/* The probe of a window that is closed, or a small segment at last. */
void tcp_window_due(struct tcp_connection *c, uint64_t now);

/* ---- tcp_core_timer.c ---- */
void tcp_timers_due(struct tcp_connection *c, uint64_t now);
void tcp_life_set(struct tcp_connection *c, uint64_t now);

/* ---- tcp_core_wait.c ---- */
/* The connection is over but for TIME-WAIT. */
void tcp_wait_begin(struct tcp_connection *c, uint64_t now);
/* False: the segment is a SYN that reopens the pair of sockets; the entry is gone. */
must_check bool tcp_wait_input(struct tcp_stack *stack, struct tcp_time_wait *wait,
			       const struct tcp_segment *segment, const struct tcp_options *options,
			       uint64_t now);
uint32_t tcp_wait_run(struct tcp_stack *stack, uint64_t now, uint32_t budget);
