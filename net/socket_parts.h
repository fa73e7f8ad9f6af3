/* SPDX-License-Identifier: ISC */
/* What the parts of the end points know of each other. Private to net/socket*.c. */
#pragma once

#include "lib/list.h"
#include "net/socket.h"
#include "net/tcp_core_packet.h"
#include "net/tcp_ports.h"

enum socket_kind { SOCKET_TCP, SOCKET_LISTENER, SOCKET_UDP };

struct socket {
	struct sockets *sockets;
	socket_callback *ready;
	void *context;
	uint8_t kind;	 /* enum socket_kind */
	uint8_t starved; /* TCP: a send found no memory, though the buffer has room */
	uint16_t told;	 /* listener: how many of those that wait its owner has heard of */
	uint32_t index;	 /* of its array */
};

/* One for each connection of the core, with the same index. */
struct tcp_socket {
	struct socket socket;
	struct tcp_connection *connection;
};
static_assert(sizeof(struct tcp_connection) + sizeof(struct tcp_socket) <= 512,
	      "what an idle connection costs with its socket");

struct listener {
	struct socket socket;
	struct list link; /* free, or in use */
	const struct netdev *only;
	struct tcp_listener tcp;
};

#define SOCKET_UDP_BYTES 9000u /* the longest payload that is taken */
#define SOCKET_UDP_SENT 1024u  /* conversations that sockets without a peer have begun */
#define SOCKET_UDP_NS UINT64_C(60000000000) /* how long an answer may take */

/* What names a UDP conversation, or with zeros for the peer's part a socket. Hashed. */
struct udp_key {
	uint8_t peer[16];
	uint16_t own_port, peer_port;
	uint32_t version; /* of the peer's address, 0: any peer */
};
static_assert(sizeof(struct udp_key) == 24, "hashed as three words");

struct udp_socket {
	struct socket socket;
	struct list link;	 /* free, or in use */
	struct list pending;	 /* its callback is due, or it waits for memory to send with */
	struct udp_socket *next; /* in its bucket */
	struct udp_key key;
	struct ip_address own;	 /* version 0: any */
	struct tcp_buffer queue; /* struct udp_record and payload, one behind the other */
	uint32_t limit;		 /* bytes in it */
	int error;		 /* to be told once */
	uint64_t sent_ns;	 /* the last time; 0: never */
};

struct udp_record {
	struct ip_address peer;
	uint16_t port;
	uint16_t bytes;
};

struct udp_sent {
	uint64_t hash;
	uint64_t until_ns;
};

/* Blocks for all buffers and queues. */
struct socket_blocks {
	uint8_t *memory;
	uint32_t total;
	uint32_t fresh; /* those from here on have never been used */
	uint32_t used;
	void *free; /* given back: each points to the next */
};

struct sockets {
	struct sockets_config config;
	uint64_t now;
	struct router_service service;
	struct tcp_stack tcp;
	struct tcp_packets packets;
	struct tcp_ports tcp_ports;
	struct socket_blocks blocks;
	struct tcp_connection *connections;
	struct tcp_socket *tcp_sockets;
	struct listener *listeners;
	struct list free_listeners, live_listeners;
	uint32_t listener_used;
	uint32_t only_used; /* of them those for one link */
	struct udp_socket *udp_sockets;
	struct udp_socket **udp_buckets;
	uint32_t udp_bucket_count;
	uint32_t udp_used;
	struct list free_udp;
	struct list udp_pending;
	struct list udp_waiting;      /* for memory to send with */
	uint64_t udp_again_ns;	      /* when those try again */
	struct tcp_memory udp_memory; /* a part of the blocks */
	struct siphash_key udp_secret;
	struct udp_sent udp_sent[SOCKET_UDP_SENT];
	uint64_t udp_ports[65536 / 64]; /* a bit for each that a socket has */
	uint8_t datagram[SOCKET_UDP_BYTES];
	uint32_t starved; /* TCP sockets that wait for memory */
	uint32_t starved_at;
	uint64_t fed_ns; /* when they were last told that there is some */
	bool asking;	 /* somebody else about a port: what we have ourselves is no answer */
	struct socket_stats stats;
};

static inline struct tcp_socket *tcp_socket_of(const struct socket *socket)
{
	return container_of(socket, struct tcp_socket, socket);
}

static inline struct listener *listener_of(const struct socket *socket)
{
	return container_of(socket, struct listener, socket);
}

static inline struct udp_socket *udp_socket_of(const struct socket *socket)
{
	return container_of(socket, struct udp_socket, socket);
}

static inline struct tcp_connection *connection_of(const struct socket *socket)
{
	return tcp_socket_of(socket)->connection;
}

/* Fills what all sockets have. */
static inline void socket_begin(struct socket *socket, struct sockets *sockets,
				enum socket_kind kind, socket_callback *ready, void *context)
{
	*socket = (struct socket){
		.sockets = sockets, .ready = ready, .context = context, .kind = (uint8_t)kind
	};
}

/* ---- socket_blocks.c ---- */
void socket_blocks_init(struct socket_blocks *blocks, void *memory, uint32_t total);
/* For struct tcp_memory. */
void *socket_blocks_take(void *context);
void socket_blocks_give(void *context, void *block);

/* ---- socket_tcp.c ---- */
int socket_tcp_send(struct socket *socket, const void *data, uint32_t bytes);
int socket_tcp_receive(struct socket *socket, void *to, uint32_t bytes);
uint32_t socket_tcp_ready(const struct socket *socket);
void socket_tcp_close(struct socket *socket, bool abort);
/* It is called in the next round, if anything holds. */
void socket_tcp_raise(struct socket *socket);
/* Callbacks of TCP, at most `budget`; true: there are more. */
bool socket_tcp_run(struct sockets *sockets, uint32_t budget);
/* Those that found no memory try again when there is some, but not all the time. */
void socket_tcp_feed(struct sockets *sockets, uint32_t budget);
/* When that is wanted; UINT64_MAX: it is not. */
uint64_t socket_tcp_feed_ns(const struct sockets *sockets);

struct socket_address socket_tcp_own(const struct socket *socket);
struct socket_address socket_tcp_peer(const struct socket *socket);

/* ---- socket_listen.c ---- */
uint32_t socket_listen_ready(const struct socket *socket);
void socket_listen_close(struct socket *socket);
/* Callbacks of listeners that have more to accept than they know of. */
void socket_listen_run(struct sockets *sockets);
/* Does one have more? */
bool socket_listen_is_due(const struct sockets *sockets);

/* ---- socket_udp.c ---- */
int socket_udp_send(struct socket *socket, const void *data, uint32_t bytes);
int socket_udp_receive(struct socket *socket, void *to, uint32_t bytes);
uint32_t socket_udp_ready(const struct socket *socket);
void socket_udp_close(struct socket *socket);
struct socket_address socket_udp_peer(const struct socket *socket);
/* Payload of the next datagram. */
uint32_t socket_udp_receivable(const struct socket *socket);
/* The most payload that one datagram to the peer may have; 0: no peer, or no way. */
uint32_t socket_udp_room(const struct socket *socket);
/* Its callback is called in the next round, if anything holds. */
void socket_udp_raise(struct udp_socket *udp);
/* Callbacks, at most `budget`. */
void socket_udp_run(struct sockets *sockets, uint32_t budget);
/* When that is wanted; UINT64_MAX: it is not. */
uint64_t socket_udp_next_ns(const struct sockets *sockets);

/* ---- socket_udp_table.c ---- */
void socket_udp_insert(struct udp_socket *udp);
void socket_udp_remove(struct udp_socket *udp);
/* Whose is a datagram to `own` of this name? NULL: nobody's. */
struct udp_socket *socket_udp_find(const struct sockets *sockets, const struct ip_address *own,
				   const struct udp_key *key);
/* Is there one with the same name and own address, or has somebody else this port? */
bool socket_udp_is_taken(struct sockets *sockets, const struct ip_address *own,
			 const struct udp_key *key);
/* Chooses an own port that no socket has; 0, or -EADDRNOTAVAIL. */
must_check int socket_udp_choose(struct sockets *sockets, const struct ip_address *own,
				 struct udp_key *key);
/* Something was sent by a socket without a peer: answers are welcome. */
void socket_udp_note(struct sockets *sockets, const struct udp_key *key);
/* Is it an answer to such? */
bool socket_udp_is_answer(const struct sockets *sockets, const struct udp_key *key);

/* ---- socket_udp_input.c ---- */
/* The name of the conversation that a packet which came belongs to. */
struct udp_key socket_udp_key(const struct packet_info *info);
/* A datagram for a socket. Consumes it. */
void socket_udp_input(struct sockets *sockets, struct packet *packet,
		      const struct packet_info *info);

/* ---- socket_problem.c ---- */
/* An ICMP error to an address of ours. Consumes it. */
void socket_problem_input(struct sockets *sockets, struct packet *packet,
			  const struct packet_info *info);

/* ---- socket_rejudge.c: for struct router_service ---- */
void socket_rejudge(void *context, service_may_begin *may_begin, void *judge);

/* ---- socket_input.c ---- */
/* Has nobody else answers to such a conversation? */
bool socket_port_is_free(struct sockets *sockets, uint8_t protocol,
			 const struct socket_address *own, const struct socket_address *peer);
struct router_service socket_input_service(struct sockets *sockets);
