/* SPDX-License-Identifier: ISC */
/* What the parts of the TCP core know of each other. Private to net/tcp_core*.c. */
#pragma once

#include <errno.h>

#include "lib/minmax.h"
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
#define TCP_OPEN_RETRIES 5u    /* of an answer to a SYN */
#define TCP_CONNECT_RETRIES 7u /* three minutes at least (RFC 9293, 3.8.3, MUST-23) */
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

	/* Path MTU: tcp_core_mtu.c */
	uint32_t probe_begin; /* the segment larger than `mss` that is under way */
	uint16_t probe_mss;   /* its bytes; 0: none is */
	uint8_t probe_fails;  /* of this size, in a row */
	bool probe_halves;    /* the largest was tried: now half way */
	bool probe_repair; /* the recovery under way is for segments too large, and nothing else */
	bool resized;	   /* what was too large counts as lost, to leave again */
	bool has_full;	   /* full_end holds */
	uint16_t said_mss; /* what a router has said that is not believed yet; 0: nothing */
	uint32_t said_sequence;
	uint32_t full_end; /* a full segment that is under way ends here */
	struct tcp_range ranges[];
};

#define TCP_FLIGHT_RANGES \
	((uint16_t)((TCP_BLOCK_BYTES - sizeof(struct tcp_flight)) / sizeof(struct tcp_range)))
static_assert(sizeof(struct tcp_flight) + 64 * sizeof(struct tcp_range) <= TCP_BLOCK_BYTES,
	      "a flight is one block");
/* With its socket an idle connection costs 512 bytes. */
static_assert(sizeof(struct tcp_connection) <= 464, "what an idle connection costs");

static inline bool tcp_has(const struct tcp_connection *c, uint32_t flags)
{
	return c->flags & flags;
}

/* Has the application given it up? */
static inline bool tcp_is_orphan(const struct tcp_connection *c)
{
	return !tcp_has(c, TCP_FLAG_OWNED | TCP_FLAG_UNACCEPTED);
}

/* Of the memory for buffers most is in use. */
static inline bool tcp_memory_is_short(const struct tcp_stack *stack)
{
	const struct tcp_memory *memory = &stack->config.memory;

	return memory->used > memory->limit / 4 * 3;
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

/*
 * Times that a connection keeps have 32 bits and wrap: milliseconds after 49 days, longer than
 * anything that is measured by them; ticks of the wheel after 13, and no deadline is set
 * further ahead than a quarter of that; what is later is set again on the way. Seconds never do.
 */
static inline uint32_t tcp_ms(uint64_t ns)
{
	return (uint32_t)(ns / TCP_MS_NS);
}

/* How long ago a time in milliseconds was, in ns. */
static inline uint64_t tcp_since(uint32_t then_ms, uint64_t now)
{
	return (tcp_ms(now) - then_ms) * TCP_MS_NS;
}

#define TCP_TICK_SHIFT (WHEEL_TICK_SHIFT - TCP_WHEEL_SHIFT)
#define TCP_TICKS_AHEAD (1u << 30)

/* Rounded up, and never 0. */
static inline uint32_t tcp_tick(uint64_t ns)
{
	uint32_t tick = (uint32_t)((ns + (1u << TCP_TICK_SHIFT) - 1) >> TCP_TICK_SHIFT);

	return tick ? tick : 1;
}

/* How many ticks until a deadline; 0 or less: it is due. */
static inline int32_t tcp_ticks_until(uint32_t tick, uint64_t now)
{
	return (int32_t)(tick - (uint32_t)(now >> TCP_TICK_SHIFT));
}

/* The application's, or else the stack's. */
static inline uint32_t tcp_or(uint32_t own, uint32_t common)
{
	return own ? own : common;
}

/* Why one is over that has waited too long. */
static inline int tcp_timeout_error(const struct tcp_connection *c)
{
	return tcp_has(c, TCP_FLAG_UNREACHABLE) ? -EHOSTUNREACH : -ETIMEDOUT;
}

static inline bool tcp_is_unaccepted(const struct tcp_connection *c)
{
	return tcp_has(c, TCP_FLAG_UNACCEPTED);
}

/* ---- tcp_core.c ---- */
struct tcp_end *tcp_find(const struct tcp_stack *stack, const struct tcp_key *key);
void tcp_end_insert(struct tcp_stack *stack, struct tcp_end *end);
void tcp_end_remove(struct tcp_stack *stack, struct tcp_end *end);
/* Is there a place for one more? */
bool tcp_connection_has_room(const struct tcp_stack *stack);
/* In the table, closed, without timers, perhaps in an orphan's place; NULL: none is free. */
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
/* The congestion window, or what the application wants, is another: so is the rate. */
void tcp_pace(struct tcp_connection *c);
/* A loss event: what congestion control makes of it. */
void tcp_loss_event(struct tcp_connection *c, const struct tcp_recovery_result *result,
		    uint32_t outstanding, uint64_t now);
/* The congestion window that holds after an acknowledgement or a timer. */
void tcp_window_now(struct tcp_connection *c, const struct tcp_recovery_result *result);
/* How much the send buffer may hold now. */
void tcp_send_tune(struct tcp_connection *c);
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

/* ---- tcp_core_mtu.c ---- */
/* Segments have another size from now on. */
void tcp_mss_change(struct tcp_connection *c, uint16_t mss);
/* `mss` is what both ends have said: now what is known of the way. */
void tcp_mtu_begin(struct tcp_connection *c, uint64_t now);
/* The largest IP packet that is sent now. */
uint16_t tcp_mtu_now(const struct tcp_connection *c);
/*
 * A larger segment is to be tried now, with so many bytes, by itself; 0: none. After it has left
 * tcp_mtu_probe_sent().
 */
must_check uint32_t tcp_mtu_probe_bytes(struct tcp_connection *c, uint64_t now);
void tcp_mtu_probe_sent(struct tcp_connection *c, uint32_t begin, uint32_t bytes);
/*
 * Something was found lost. True: nothing but a segment that was too large, which says
 * nothing of congestion (RFC 4821, 7.5).
 */
must_check bool tcp_mtu_probe_lost(struct tcp_connection *c, uint64_t now);
/* New data of `bytes` has left in one transmission. */
void tcp_mtu_sent(struct tcp_connection *c, uint32_t bytes);
/* SND.UNA has advanced. */
void tcp_mtu_acked(struct tcp_connection *c, uint64_t now);
/* The retransmission timer has run out, c->backoff times. */
void tcp_mtu_timed_out(struct tcp_connection *c, uint64_t now);

/* ---- tcp_core_open.c ---- */
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
/* What our links and the application let come: for the MSS of a SYN. */
uint16_t tcp_mss_offered(const struct tcp_stack *stack, const struct tcp_key *key,
			 const struct tcp_options_set *options, void *route);

/* ---- tcp_core_ack.c ---- */
/* When the timestamp was current that it echoes; 0: it has none, or none of ours. */
uint64_t tcp_echo_ns(const struct tcp_connection *c, const struct tcp_options *options,
		     uint64_t now);
/* What it says of our data and of the peer's window. */
void tcp_ack_input(struct tcp_connection *c, const struct tcp_segment *segment,
		   const struct tcp_options *options, uint64_t now);

/* ---- tcp_core_receive.c ---- */
/* echo_ns: when the timestamp that it echoes was sent; 0: not known. */
void tcp_payload_input(struct tcp_connection *c, const struct tcp_segment *segment,
		       uint64_t echo_ns, uint64_t now);

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
