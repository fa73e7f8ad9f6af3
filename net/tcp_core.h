/* SPDX-License-Identifier: ISC */
/*
 * TCP end points (RFC 9293): the core. A segment and the time go in, segments and events come
 * out. No I/O, no globals, no clock, no allocation but from what the owner gives; several
 * stacks run in one process, and one for each CPU needs no lock. TCP.md tells the design.
 *
 *	tcp_input()	a segment came
 *	tcp_run()	time has passed: timers; tcp_next_ns() says when to call again
 *	tcp_next_event()	which connections have something for their owner
 *	config.send	a segment leaves, during any call that takes `now`
 *
 * A connection belongs to the stack until tcp_connect() or tcp_accept() gives it out, then to
 * the application until tcp_close() or tcp_abort(); from then on its pointer is invalid,
 * while the stack finishes what the protocol still has to say. All times are nanoseconds of
 * one clock that never goes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "lib/list.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "lib/wheel.h"
#include "net/bucket.h"
#include "net/tcp_core_buffer.h"
#include "net/tcp_core_segment.h"
#include "net/tcp_cookie.h"
#include "net/tcp_isn.h"
#include "net/tcp_reassembly.h"
#include "net/tcp_window.h"

/* RFC 9293, 3.3.2. TIME-WAIT has a table of its own and CLOSED is no connection. */
enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATE_COUNT
};

/* What tcp_next_event() gives, as bits. */
enum tcp_event {
	TCP_EVENT_CONNECTED = 1 << 0, /* tcp_connect()'s is established */
	TCP_EVENT_READABLE = 1 << 1,  /* bytes came, or the end of them */
	TCP_EVENT_WRITABLE = 1 << 2,  /* there is room again after tcp_send() was short */
	TCP_EVENT_CLOSED = 1 << 3,    /* it is over: tcp_error() says why; tcp_close() frees it */
};

/* Timers of a connection; one wheel timer serves all of them. */
enum tcp_timer {
	TCP_TIMER_AGAIN,    /* a SYN again; a probe of a window that is closed or small */
	TCP_TIMER_RECOVERY, /* RTO, RACK's reordering time or a tail loss probe (RFC 8985) */
	TCP_TIMER_ACK,	    /* a delayed acknowledgement (RFC 9293, 3.8.6.3) */
	TCP_TIMER_PACE,	    /* the next burst may leave; `send` or the memory had no room */
	TCP_TIMER_LIFE,	    /* keep-alive; an orphan in FIN-WAIT-2; the flight is given back */
	TCP_TIMER_COUNT
};

enum tcp_flags {
	TCP_FLAG_OWNED = 1 << 0,	/* the application has it */
	TCP_FLAG_PASSIVE = 1 << 1,	/* it began in a listener */
	TCP_FLAG_FIN_QUEUED = 1 << 2,	/* no more will be sent behind the send buffer */
	TCP_FLAG_FIN_SENT = 1 << 3,	/* and that has been said */
	TCP_FLAG_FIN_RECEIVED = 1 << 4, /* the peer's, in order */
	TCP_FLAG_ACK_NOW = 1 << 5,	/* an acknowledgement is due */
	TCP_FLAG_SCALE = 1 << 6,	/* both offered window scaling */
	TCP_FLAG_TIMESTAMPS = 1 << 7,	/* both offered timestamps */
	TCP_FLAG_SACK = 1 << 8,		/* both offered SACK */
	TCP_FLAG_ECN = 1 << 9,		/* both agreed to ECN */
	TCP_FLAG_ECE = 1 << 10,		/* a CE came: say so until CWR comes */
	TCP_FLAG_CWR = 1 << 11,		/* say that the window was reduced */
	TCP_FLAG_NO_DELAY = 1 << 12,	/* without Nagle */
	TCP_FLAG_KEEPALIVE = 1 << 13,	/* probe a silent peer */
	TCP_FLAG_WANTS_ROOM = 1 << 14,	/* tcp_send() was short */
	TCP_FLAG_PROBING = 1 << 15,	/* the peer's window is closed: probes, no RTO */
	TCP_FLAG_PUSH_SMALL = 1 << 16,	/* a segment that is not full may leave now */
	TCP_FLAG_WAITING = 1 << 17,	/* it is in its listener's queue, to be accepted */
	TCP_FLAG_LIVE = 1 << 18,	/* it is not in the free list */
	TCP_FLAG_FIN_SEEN = 1 << 19,	/* the peer's, perhaps before all of its data */
	TCP_FLAG_UNACCEPTED = 1 << 20,	/* it has a listener, and no application yet */
	TCP_FLAG_SYN_LOST = 1 << 21,	/* opening took more than one SYN (RFC 6298, 5.7) */
	TCP_FLAG_COOKIE = 1 << 22,	/* nothing is known of when its SYN+ACK left */
	TCP_FLAG_UNREACHABLE = 1 << 23, /* ICMP said so, and nothing has been acknowledged since */
};

struct tcp_stack;
struct tcp_listener;
struct tcp_flight; /* recovery and congestion control, while there is something to send */

/*
 * What an application may want of a connection; of the stack's, what holds where it says
 * nothing. 0: the stack's, and of that the default beside it.
 */
struct tcp_options_set {
	uint16_t keepalive_idle_s;     /* silence before the first probe: 7,200 */
	uint16_t keepalive_interval_s; /* between probes: 75 */
	uint8_t keepalive_count;       /* probes without answer before it is over: 9 */
	bool keepalive;		       /* probe at all */
	bool no_delay;		       /* without Nagle */
	uint16_t mss;		  /* largest segment, both ways, options included: the link's */
	uint32_t user_timeout_ms; /* unacknowledged so long: over (RFC 9293, 3.8.3): 900,000 */
	uint32_t send_bytes;	  /* most in the send buffer: tcp_config.send_bytes */
	uint32_t receive_bytes;	  /* most in the receive buffer: tcp_config.receive_bytes */
	uint32_t pacing;	  /* most bytes a second: as congestion control says */
};

/*
 * Common to connections and what is left of them in TIME-WAIT: a link of a bucket of the
 * table. The kind is the state.
 */
struct tcp_end {
	struct tcp_end *next;
	struct tcp_key key;
	uint8_t state; /* enum tcp_state */
};

/* TIME-WAIT, without the connection: what an answer and a reopening need (RFC 6191). */
struct tcp_time_wait {
	struct tcp_end end;
	uint8_t flags; /* tcp_core_wait.c's */
	uint8_t scale; /* of `window` */
	uint32_t next_send;
	uint32_t next_receive;
	uint32_t timestamp_recent;
	uint32_t timestamp_offset;
	uint16_t window;
	uint64_t until_ns;
	uint64_t answered_ns; /* the last acknowledgement: rationed */
	void *route;
	struct list link; /* in order of until_ns, or free */
};

struct tcp_connection {
	struct tcp_end end;
	struct tcp_stack *stack;
	union {
		struct tcp_listener *listener; /* with TCP_FLAG_UNACCEPTED */
		void *context;		       /* the application's, without */
	};
	void *route;	  /* the owner's of the stack: how to reach the peer */
	struct list link; /* free; half open; waiting to be accepted */
	struct list event_link;
	struct wheel_timer timer;
	uint32_t deadline[TCP_TIMER_COUNT]; /* in ticks (tcp_tick()); 0: off */

	uint32_t flags;	    /* enum tcp_flags */
	uint8_t events;	    /* enum tcp_event, not fetched yet */
	uint8_t probes;	    /* of keep-alive or of a zero window without answer */
	uint8_t backoff;    /* retransmissions of one thing in a row */
	uint8_t scale_send; /* of windows that the peer announces */
	int16_t error;	    /* negative errno, once it is over */
	uint16_t mss;	    /* payload bytes of a full segment, options taken off */
	uint16_t mss_high;  /* larger ones do not get through; between the two nobody knows */
	uint16_t mss_acked; /* full segments of so many bytes have been acknowledged */
	uint16_t mss_max;   /* what it could become: the peer's and our link's */

	/* RFC 9293, 3.3.1; names as there */
	uint32_t iss;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t snd_wnd; /* scaled */
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t snd_wnd_max; /* the largest ever seen */
	uint32_t snd_sml;     /* end of the last segment that was not full (Minshall) */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t peer_fin;     /* with TCP_FLAG_FIN_SEEN: where the peer's data ends */
	uint32_t acknowledged; /* the last ACK that was sent */
	uint32_t unanswered;   /* bytes that came since: two full segments are answered */
	uint16_t mss_receive;  /* the largest segment that came */

	/* What the application wants; 0: the stack's (struct tcp_options_set) */
	uint16_t keepalive_idle_s;
	uint16_t keepalive_interval_s;
	uint8_t keepalive_count;
	uint32_t user_timeout_ms;
	uint32_t send_max;
	uint32_t pacing;

	/* Times that wrap: see tcp_core_parts.h */
	uint32_t timestamp_recent; /* TS.Recent (RFC 7323) */
	uint32_t timestamp_offset; /* ours begin anywhere */
	uint32_t timestamp_recent_s;
	uint32_t heard_ms;	/* the last segment that was acceptable, or keep-alive's probe */
	uint32_t progress_ms;	/* since when what is outstanding has not moved */
	uint32_t challenged_ms; /* RFC 5961, 5: the last challenge */
	union {
		uint32_t srtt_us; /* what is kept of it; 0: no round trip is known */
		uint32_t syn_us;  /* before it is established: when the SYN left */
	};
	uint32_t retransmissions; /* segments */
	uint32_t mss_since_s;	  /* when the search for a larger one ended */

	struct tcp_flight *flight; /* in a block of its own; NULL while idle */

	struct tcp_buffer sending;   /* from snd_una */
	struct tcp_buffer receiving; /* from the first that has not been read */
	struct tcp_reassembly reassembly;
	struct tcp_window window; /* what we offer */
};

struct tcp_listener {
	struct list link;
	struct ip_address own; /* version 0: any address of either version */
	uint16_t port;	       /* host order */
	uint8_t zone;
	uint16_t backlog; /* half open ones, and as many waiting to be accepted */
	uint16_t half_open;
	uint16_t waiting;
	bool cookies;			/* answer beyond the backlog with SYN cookies (RFC 4987) */
	struct tcp_options_set options; /* of its connections */
	struct list half_open_list;	/* oldest first */
	struct list ready;
	void *context;
};

/* Counters; each is a name in the metrics. */
struct tcp_stats {
	uint64_t segments_in;
	uint64_t segments_out;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t retransmissions;
	uint64_t timeouts;
	uint64_t out_of_window;
	uint64_t paws_dropped;
	uint64_t challenges;
	uint64_t challenges_withheld;
	uint64_t resets_in;
	uint64_t resets_out;
	uint64_t no_listener;
	uint64_t backlog_full;
	uint64_t cookies_sent;
	uint64_t cookies_taken;
	uint64_t no_connection_memory;
	uint64_t no_buffer_memory;
	uint64_t time_wait_evicted;
	uint64_t orphans_evicted; /* closed by their owner; they made room for another */
	uint64_t malformed;
	uint64_t mtu_probes;
	uint64_t mtu_black_holes; /* smaller segments after time-outs */
};

/* What a router has said of the way to a peer; forgotten after ten minutes. */
#define TCP_PATHS 64u
struct tcp_path {
	uint32_t tag;
	uint32_t learnt_s;
	uint16_t mtu;
	uint8_t version; /* 0: none */
};

/*
 * What a stack works with. All arrays live as long as it does. Zero in a number means its
 * default, written beside it.
 */
struct tcp_config {
	/*
	 * Sends a transmission: copies or maps what it points to, adds the lower headers and
	 * the checksum. false: no room now; the core tries again a little later.
	 */
	bool (*send)(void *context, const struct tcp_transmission *transmission);
	void *context;
	struct random *random;
	struct tcp_memory memory; /* for buffers */
	struct tcp_connection *connections;
	uint32_t connection_count;
	struct tcp_time_wait *time_waits;
	uint32_t time_wait_count;
	struct tcp_end **buckets;
	uint32_t bucket_count;	/* a power of two */
	struct tcp_span *spans; /* for what comes out of order, all connections together */
	uint32_t span_count;
	uint32_t send_bytes;	/* largest send buffer: 1 MiB */
	uint32_t receive_bytes; /* largest receive buffer, and window: 1 MiB */
	uint16_t mtu;		/* of the links, for the MSS that is offered: 1500 */
	/* The same for one peer by `route`, which may be NULL; NULL: `mtu`. */
	uint16_t (*mtu_to)(void *context, const struct tcp_key *key, void *route);
	uint32_t gso_bytes;	/* largest transmission's payload: one segment */
	uint32_t time_wait_ms;	/* 2 MSL: 60,000 */
	uint32_t fin_wait_2_ms; /* orphans: 60,000 */
	uint32_t orphan_ms;	/* without progress, also of a closed window (RFC 6429): 120,000 */
	struct tcp_options_set options;
};

struct tcp_stack {
	struct tcp_config config;
	struct siphash_key table_key;
	struct tcp_end *recent; /* that the last segment was for; NULL: none, or it has gone */
	struct tcp_isn isn;
	struct tcp_cookies cookies;
	struct tcp_span_pool spans;
	struct tcp_window_budget windows;
	struct wheel wheel;
	struct list free; /* connections */
	struct list free_waits;
	struct list orphans;	/* connections that their owner has closed, the oldest first */
	struct list time_waits; /* in order of their end */
	struct list events;	/* connections with events */
	struct list listeners;
	struct bucket challenge;
	struct bucket reset;
	uint64_t now;
	uint32_t connection_used;
	uint32_t time_wait_used;
	struct tcp_path paths[TCP_PATHS];
	struct tcp_stats stats;
};

/*
 * Prepares a stack; -EINVAL when something of the configuration is missing. The stack keeps
 * a copy of it.
 */
must_check int tcp_stack_init(struct tcp_stack *stack, const struct tcp_config *config,
			      uint64_t now);

/*
 * A segment for this end came. RFC 9293, 3.10.7 and RFC 5961. The segment stays the caller's.
 * `route` is what answers carry (tcp_transmission) and what a new connection keeps.
 */
void tcp_input(struct tcp_stack *stack, const struct tcp_segment *segment, void *route,
	       uint64_t now);

/*
 * ICMP said that something of ours did not arrive. False: `sequence` is not under way, nothing was
 * done (RFC 5927). A hard problem ends what only begins (RFC 5461, 4.1); any other makes the
 * error of a time-out -EHOSTUNREACH (RFC 9293, 3.9.2.2). `mtu`, of what was too big: the largest
 * IP packet that the router passes on; 0: it does not say (RFC 1191, 5).
 */
enum tcp_problem { TCP_PROBLEM_NONE, TCP_PROBLEM_SOFT, TCP_PROBLEM_HARD, TCP_PROBLEM_TOO_BIG };

bool tcp_input_problem(struct tcp_stack *stack, const struct tcp_key *key, uint32_t sequence,
		       enum tcp_problem problem, uint16_t mtu, uint64_t now);

/* Runs timers that are due, at most `budget`; returns how many. */
uint32_t tcp_run(struct tcp_stack *stack, uint64_t now, uint32_t budget);

/* A time at or before which tcp_run() has to be called; UINT64_MAX: none. */
uint64_t tcp_next_ns(const struct tcp_stack *stack);

/*
 * The next connection with events, which are taken off; NULL: there is none. Listeners have
 * none of their own: see tcp_accept().
 */
must_check struct tcp_connection *tcp_next_event(struct tcp_stack *stack, uint8_t *events);

/*
 * The state of what has this name, TIME-WAIT included; TCP_CLOSED: nothing has it. And who
 * listens for it, one for this very address before one for any; NULL: nobody.
 */
enum tcp_state tcp_state_of(const struct tcp_stack *stack, const struct tcp_key *key);
struct tcp_listener *tcp_listener_of(const struct tcp_stack *stack, const struct tcp_key *key);

/*
 * Listens; the listener's fields own, port, zone, backlog, cookies, options and context are
 * the caller's, set before, and the struct lives until tcp_unlisten(). Its options may be
 * changed at any time, for connections that begin later. -EADDRINUSE, -EINVAL.
 */
must_check int tcp_listen(struct tcp_stack *stack, struct tcp_listener *listener);

/* Ends it: those not accepted yet are reset. */
void tcp_unlisten(struct tcp_stack *stack, struct tcp_listener *listener, uint64_t now);

/* The next established connection of the listener, now the caller's; NULL: none waits. */
must_check struct tcp_connection *tcp_accept(struct tcp_listener *listener, void *context);

/*
 * Begins a connection; `key` says all addresses and ports (tcp_ports chooses one). It is the
 * caller's. NULL and *error: -EADDRINUSE (the tuple is taken), -ENOBUFS (no connection free).
 */
must_check struct tcp_connection *tcp_connect(struct tcp_stack *stack, const struct tcp_key *key,
					      void *route, void *context, uint64_t now, int *error);

/* The same with options of its own; NULL: the stack's. */
must_check struct tcp_connection *tcp_connect_with(struct tcp_stack *stack,
						   const struct tcp_key *key,
						   const struct tcp_options_set *options,
						   void *route, void *context, uint64_t now,
						   int *error);

/*
 * Copies bytes into the send buffer and sends what may be sent. Returns how many were taken,
 * perhaps 0: TCP_EVENT_WRITABLE comes when there is room. -EPIPE: after tcp_shutdown();
 * or tcp_error() when it is over.
 */
must_check int tcp_send(struct tcp_connection *connection, const void *data, uint32_t bytes,
			uint64_t now);

/*
 * The same without a copy: where *bytes bytes are to be written by the caller, in at most `max`
 * rooms, and then how many of them have been. *bytes becomes what there is room for, perhaps 0, as
 * above. Rooms hold until the next call of anything of this stack, which is to be
 * tcp_commit(): of 0 bytes, when none are to be sent after all. Returns how many rooms; errors as
 * above.
 */
must_check int tcp_reserve(struct tcp_connection *connection, struct tcp_room *rooms,
			   unsigned int max, uint32_t *bytes);
void tcp_commit(struct tcp_connection *connection, uint32_t bytes, uint64_t now);

/*
 * Copies at most `bytes` received bytes. 0: the peer has ended; -EAGAIN: none are there now;
 * other errors as tcp_error().
 */
must_check int tcp_receive(struct tcp_connection *connection, void *to, uint32_t bytes,
			   uint64_t now);

/* The same without a copy: where the bytes lie, and then how many of them are done with. */
must_check int tcp_peek(const struct tcp_connection *connection, struct tcp_piece *pieces,
			unsigned int max, uint32_t *bytes);
void tcp_consume(struct tcp_connection *connection, uint32_t bytes, uint64_t now);

/* No more will be sent: FIN behind what is queued. Receiving goes on. */
void tcp_shutdown(struct tcp_connection *connection, uint64_t now);

/*
 * Gives the connection up. What is queued is still sent, then FIN; bytes that nobody has
 * read make it a reset (RFC 9293, 3.10.4; RFC 2525, 2.17).
 */
void tcp_close(struct tcp_connection *connection, uint64_t now);

/* Ends any connection in silence; whoever has it hears of `error`, and closes it. */
void tcp_forget(struct tcp_connection *connection, int error, uint64_t now);

/* Gives it up with a reset. */
void tcp_abort(struct tcp_connection *connection, uint64_t now);

/* Bytes that tcp_send() would take, and that tcp_receive() would give. */
uint32_t tcp_send_room(const struct tcp_connection *connection);
uint32_t tcp_receivable(const struct tcp_connection *connection);

/* Why it is over: 0, -ECONNRESET, -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH; or tcp_forget()'s. */
int tcp_error(const struct tcp_connection *connection);

/* Nagle off or on; a change sends what waits. */
void tcp_set_no_delay(struct tcp_connection *connection, bool no_delay, uint64_t now);
/* Keep-alive off or on (RFC 9293, 3.8.4: off at first). */
void tcp_set_keepalive(struct tcp_connection *connection, bool on, uint64_t now);
/* Its seconds and probes as in struct tcp_options_set; 0: the stack's. Silence counts anew. */
void tcp_set_keepalive_idle(struct tcp_connection *connection, uint16_t seconds, uint64_t now);
void tcp_set_keepalive_interval(struct tcp_connection *connection, uint16_t seconds, uint64_t now);
void tcp_set_keepalive_count(struct tcp_connection *connection, uint8_t count);
/* Milliseconds without progress before it is over; 0: the stack's. */
void tcp_set_user_timeout(struct tcp_connection *connection, uint32_t ms);
/*
 * Most bytes in the send or the receive buffer, at most the stack's; 0: that. What is in a
 * buffer stays, and a window that was offered is kept (RFC 9293, 3.8.6).
 */
void tcp_set_send_bytes(struct tcp_connection *connection, uint32_t bytes);
void tcp_set_receive_bytes(struct tcp_connection *connection, uint32_t bytes);
/*
 * The largest segment that we send from now on, bytes of payload and options; at least
 * TCP_MSS_MIN. It is never raised: for both ways set it before (struct tcp_options_set).
 */
void tcp_set_mss(struct tcp_connection *connection, uint16_t mss);
/* Most bytes a second; 0: as congestion control says. */
void tcp_set_pacing(struct tcp_connection *connection, uint32_t bytes_a_second);

/* How a connection does. */
struct tcp_info {
	enum tcp_state state;
	uint32_t rtt_us;		  /* 0: not known */
	uint32_t congestion_window;	  /* bytes; 0: nothing has been sent for a while */
	uint32_t slow_start_threshold;	  /* bytes; UINT32_MAX: none yet; 0 as above */
	uint32_t retransmissions;	  /* segments */
	uint16_t mss;			  /* payload of a full segment now */
	uint16_t path_mtu;		  /* what `mss` comes from: bytes of an IP packet */
	uint32_t send_window;		  /* the peer's */
	uint32_t receive_window;	  /* what the peer may still send */
	uint32_t unacknowledged, unsent;  /* bytes; SYN and FIN count when sent */
	uint32_t send_most, receive_most; /* what the buffers may hold as they are tuned now */
};
void tcp_get_info(const struct tcp_connection *connection, struct tcp_info *info);

/* Is everything about the stack consistent? For tests. */
bool tcp_stack_is_valid(const struct tcp_stack *stack);
