/* SPDX-License-Identifier: ISC */
/*
 * End points: TCP (RFC 9293) and UDP (RFC 768) that end on this machine, over IPv4 and IPv6
 * alike, by one small interface that never blocks.
 *
 *	sockets_init()		all end points of one instance, with their memory
 *	sockets_service()	gives packets to them, from the router or who else has packets
 *	sockets_run()		each round: timers, then calls whoever has something to do
 *	sockets_next_ns()	when that has to be at the latest
 *
 *	socket_listen()  socket_accept()  socket_connect()	TCP
 *	socket_open_udp()  socket_send_to()  socket_receive_from()  UDP
 *	socket_send()  socket_receive()  socket_peek()  socket_consume()
 *	socket_shutdown()  socket_close()  socket_abort()
 *	socket_ready()		what can be done now
 *
 * Three ways to use it. Ask: try, and on -EAGAIN come back when socket_ready() says so. Be
 * called: `ready` of a socket is called from sockets_run() alone, never from within a call of
 * the owner's or a packet's arrival, once for each change, with all that holds then; it may
 * do anything to any socket, also close its own. Wait: configs/socket_fiber.h does that in
 * fibers.
 *
 * No globals, no lock: each instance belongs to one CPU, and several run in one process.
 * Nothing is allocated but at sockets_init(); what a peer may cost is bounded there. Ports
 * are in host order. Times are nanoseconds of a clock that never goes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "net/own.h"
#include "net/service.h"
#include "net/tcp_core.h"

/* What can be done without waiting, as bits. */
enum socket_readiness {
	SOCKET_READABLE = 1 << 0,  /* socket_receive() gives bytes, a datagram or the end;
				    * of a listener: socket_accept() gives a connection */
	SOCKET_WRITABLE = 1 << 1,  /* socket_send() takes bytes; a connection is established */
	SOCKET_PEER_DONE = 1 << 2, /* the peer sends no more behind what is readable */
	SOCKET_OVER = 1 << 3,	   /* socket_error() says why; what is readable still is */
};

/* One end. version 0 for our own: any address of ours. */
struct socket_address {
	struct ip_address ip;
	uint16_t port; /* 0 for our own: one is chosen (RFC 6056) */
};

struct sockets;
struct socket;

/* Called from sockets_run(); `ready` are bits of socket_ready() as they are now. */
typedef void socket_callback(struct socket *socket, uint32_t ready, void *context);

/* How packets of ours leave. Whoever composes the stack fills it (router_socket_links()). */
struct socket_links {
	/*
	 * `make` as in own.h. `send` consumes frames complete but for MAC addresses; they may be
	 * of GSO and have a blank checksum as far as the netdev's features say so.
	 */
	struct own own;
	/*
	 * The link that leads to `peer`, and in *own the address of ours that goes with it when
	 * own->version is 0. NULL: there is none.
	 */
	struct netdev *(*way)(void *context, const struct ip_address *peer, struct ip_address *own);
	/*
	 * May a conversation of this protocol (IP_PROTOCOL_TCP or _UDP) have this own port, or has
	 * somebody else answers to it, address translation for example? Asked about ports that are
	 * chosen here; peer->ip.version 0: any peer. NULL: all may.
	 */
	bool (*port_is_free)(void *context, uint8_t protocol, const struct socket_address *own,
			     const struct socket_address *peer);
	/* Largest IP packet to `peer` by that link, bytes. */
	uint16_t (*mtu)(void *context, const struct netdev *netdev, const struct ip_address *peer);
	void *context;
};

/* Zero means the default beside it. */
struct sockets_config {
	struct socket_links links;
	struct random *random;
	uint32_t connections;	/* TCP, half open ones included: 1,024 */
	uint32_t listeners;	/* 16 */
	uint32_t udp_sockets;	/* 16 */
	uint32_t time_waits;	/* 4,096 */
	uint32_t memory_bytes;	/* for all that lies in buffers and queues: 4 MiB */
	uint32_t send_bytes;	/* most in one send buffer: 1 MiB */
	uint32_t receive_bytes; /* most in one receive buffer or queue: 1 MiB */
	uint32_t gso_bytes; /* most payload in one packet to a link that segments: TCP_GSO_MAX */
	struct tcp_options_set tcp; /* defaults of connections */
};

struct socket_listen {
	struct socket_address own;
	uint16_t backlog; /* half open, and as many waiting to be accepted: 128 */
	bool no_cookies;  /* beyond the backlog the oldest half open goes (RFC 4987, 3) */
	/* Only what comes by this link; NULL: any. */
	const struct netdev *only;
};

/* Counters, besides those of TCP in tcp_stats. */
struct socket_stats {
	uint64_t udp_in;
	uint64_t udp_out;
	uint64_t udp_no_socket;
	uint64_t udp_queue_full; /* dropped: the reader is too slow */
	uint64_t udp_malformed;
	uint64_t problems;	   /* ICMP errors that concerned one of ours */
	uint64_t problems_ignored; /* that named nothing under way (RFC 5927) */
	uint64_t no_way;
	uint64_t no_memory;
};

/* Bytes that sockets_init() needs for this configuration. */
size_t sockets_memory_bytes(const struct sockets_config *config);

/*
 * Makes an instance in `memory` (sockets_memory_bytes() bytes, aligned to 4096), which lives as
 * long as it does. NULL: something is missing in the configuration.
 */
must_check struct sockets *sockets_init(const struct sockets_config *config, void *memory,
					uint64_t now);

/* For the router, or another owner of packets. Lives as long as the instance. */
struct router_service *sockets_service(struct sockets *sockets);

/*
 * The time for all that follows; before packets of a round are given in. It never goes back: one
 * that is earlier than the last, as when a round began, says nothing.
 */
void sockets_set_now(struct sockets *sockets, uint64_t now);

/* Timers that are due, then callbacks, at most a bounded number; true: there is more. */
bool sockets_run(struct sockets *sockets);

/* When sockets_run() has to be called at the latest; now or before: at once. */
uint64_t sockets_next_ns(const struct sockets *sockets);

const struct tcp_stats *sockets_tcp_stats(const struct sockets *sockets);
const struct socket_stats *sockets_stats(const struct sockets *sockets);

/* Sockets in use, half open and in TIME-WAIT; bytes in buffers, of how many. */
struct sockets_use {
	uint32_t connections, connections_most;
	uint32_t time_waits, time_waits_most;
	uint32_t listeners, udp_sockets;
	uint64_t buffer_bytes, buffer_bytes_most;
};
struct sockets_use sockets_use(const struct sockets *sockets);

/* ---- making and ending ---- */

/*
 * Listens. NULL and *error: -EADDRINUSE, -EADDRNOTAVAIL (no port is free), -ENOBUFS. `ready` may
 * be NULL; it is called when there is something to accept.
 */
must_check struct socket *socket_listen(struct sockets *sockets, const struct socket_listen *how,
					socket_callback *ready, void *context, int *error);

/* The next connection; NULL: none waits. It inherits the listener's options. */
must_check struct socket *socket_accept(struct socket *listener, socket_callback *ready,
					void *context);

/*
 * Begins a TCP connection to `peer` from `own` (NULL: any address, any port). It is
 * SOCKET_WRITABLE when established, SOCKET_OVER when that failed. NULL and *error: -ENETUNREACH
 * (no way; there is none to ourselves), -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS.
 */
must_check struct socket *socket_connect(struct sockets *sockets, const struct socket_address *own,
					 const struct socket_address *peer, socket_callback *ready,
					 void *context, int *error);

/* The same with options from the first segment on; zero: the instance's. NULL: all of them. */
must_check struct socket *socket_connect_with(struct sockets *sockets,
					      const struct socket_address *own,
					      const struct socket_address *peer,
					      const struct tcp_options_set *options,
					      socket_callback *ready, void *context, int *error);

/*
 * A UDP socket at `own` (NULL: any address, any port). With `peer` only its datagrams and ICMP
 * errors come, and socket_send() goes there. Errors as above.
 */
must_check struct socket *socket_open_udp(struct sockets *sockets, const struct socket_address *own,
					  const struct socket_address *peer, socket_callback *ready,
					  void *context, int *error);

/* No more will be sent: FIN behind what is queued. Receiving goes on. */
void socket_shutdown(struct socket *socket);

/*
 * Gives the socket up, whatever it is. Of TCP what is queued is still sent, then FIN; bytes that
 * nobody has read make it a reset (RFC 2525, 2.17). No callback comes afterwards.
 */
void socket_close(struct socket *socket);

/* The same, TCP with a reset. */
void socket_abort(struct socket *socket);

/* ---- bytes ---- */

/*
 * TCP: copies bytes into the send buffer and sends what may be sent; returns how many it took.
 * UDP with a peer: one datagram, whole. -EAGAIN: no room now; -ENOTCONN: not established yet;
 * -EPIPE: after socket_shutdown(); -EMSGSIZE: larger than a packet may be; else as
 * socket_error(), which for UDP is told once, by the next call that sends or receives
 * (-ECONNREFUSED after an ICMP error); until then it is SOCKET_READABLE.
 */
must_check int socket_send(struct socket *socket, const void *data, uint32_t bytes);

/*
 * Copies at most `bytes`; of a datagram the rest is lost. 0: the peer has ended (TCP), or an
 * empty datagram. -EAGAIN: nothing there; else as socket_send().
 */
must_check int socket_receive(struct socket *socket, void *to, uint32_t bytes);

/* TCP, without a copy: where bytes lie, at most `max` runs; and then how many are done with. */
must_check int socket_peek(struct socket *socket, struct tcp_piece *pieces, unsigned int max,
			   uint32_t *bytes);
void socket_consume(struct socket *socket, uint32_t bytes);

/* UDP, one datagram to or from anybody. Errors as above; -ENETUNREACH: no way. */
must_check int socket_send_to(struct socket *socket, const struct socket_address *peer,
			      const void *data, uint32_t bytes);
must_check int socket_receive_from(struct socket *socket, struct socket_address *peer, void *to,
				   uint32_t bytes);

/* ---- asking ---- */

uint32_t socket_ready(const struct socket *socket);

/*
 * Why it is over: 0 (both sides have ended), -ECONNRESET, -ECONNREFUSED, -ETIMEDOUT,
 * -EHOSTUNREACH, -ENETUNREACH; -ECONNABORTED: new rules do not let such a connection in.
 */
int socket_error(const struct socket *socket);

struct socket_address socket_own(const struct socket *socket);
struct socket_address socket_peer(const struct socket *socket);

/* Bytes that socket_send() would take now, and that socket_receive() would give. */
uint32_t socket_send_room(const struct socket *socket);
uint32_t socket_receivable(const struct socket *socket);

/* Of a TCP connection, for metrics and for who wants to know how it goes. */
struct socket_tcp_info {
	enum tcp_state state;
	uint32_t rtt_us;
	uint32_t congestion_window; /* bytes; 0: nothing has been sent for a while */
	uint32_t slow_start_threshold;
	uint32_t retransmissions; /* segments */
	uint32_t mss;
	uint32_t send_window; /* the peer's */
	uint32_t receive_window;
	uint32_t unacknowledged, unsent; /* bytes */
};
void socket_tcp_info(const struct socket *socket, struct socket_tcp_info *info);

/* ---- options ---- */

enum socket_option {
	SOCKET_NO_DELAY,	     /* 1: without Nagle's algorithm */
	SOCKET_KEEPALIVE,	     /* 1: probe a silent peer (off at first) */
	SOCKET_KEEPALIVE_IDLE_S,     /* before the first probe */
	SOCKET_KEEPALIVE_INTERVAL_S, /* between probes */
	SOCKET_KEEPALIVE_COUNT,	     /* probes without answer */
	SOCKET_USER_TIMEOUT_MS,	     /* without progress; 0: the default */
	SOCKET_SEND_BYTES,	     /* most in the send buffer; at most the configured */
	SOCKET_RECEIVE_BYTES,	     /* most in the receive buffer or queue */
	SOCKET_MSS,		     /* largest segment that we send */
	SOCKET_PACING,		     /* most bytes a second; 0: as congestion control says */
};

/*
 * Of a connection from now on, of a listener for its connections that begin later; of UDP
 * SOCKET_RECEIVE_BYTES only. What is to be agreed on with the peer (the MSS both ways) is
 * socket_connect_with()'s. 0; -ENOPROTOOPT: not for this kind of socket; -EINVAL: not such a value.
 */
must_check int socket_set(struct socket *socket, enum socket_option option, uint32_t value);

/* Another callback and context from now on. */
void socket_set_callback(struct socket *socket, socket_callback *ready, void *context);
void *socket_context(const struct socket *socket);
