/* SPDX-License-Identifier: ISC */
/*
 * build/libringwall-net.so: Ringwall's TCP and UDP as an ordinary shared library with entry
 * points like those of sockets, for whoever wants to drive the stack packet by packet with a
 * virtual clock: a script runner such as packetdrill, a simulator, a fuzzer, another test.
 *
 * A stack knows no device and no clock. rw_packet_in() gives it an IP packet, rw_packet_out()
 * takes what it wants sent, rw_now() sets the time and runs what is due, rw_next() says when
 * that has to be. Nothing blocks: where a socket would wait the answer is -EAGAIN. With the
 * same seed, packets and times it does the same things again, byte by byte.
 *
 * All calls return a negative errno value on failure and leave errno alone. A stack is not
 * shared between threads; several stacks are independent.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct rw_stack;

/* Zero means the default beside it. */
struct rw_config {
	struct sockaddr_storage address4; /* our IPv4 address; family 0: none */
	struct sockaddr_storage address6;
	uint64_t seed;		/* of all that is random */
	uint64_t now_ns;	/* the time at first */
	uint16_t mtu;		/* 1500 */
	uint32_t gso_bytes;	/* largest packet that may come out, for a link that segments;
				 * 0: never more than the MTU */
	uint32_t sockets;	/* of each kind: 1,024 */
	uint32_t memory_bytes;	/* for buffers: 64 MiB */
	uint32_t buffer_bytes;	/* most in one direction of one connection: 4 MiB */
	uint32_t queue_packets; /* that wait for rw_packet_out(); beyond it they are lost: 4,096 */
	bool checksums_are_right; /* do not verify those of packets in */
};

/* A stack of its own, or NULL: no memory, or nothing can be made of the configuration. */
struct rw_stack *rw_new(const struct rw_config *config);
void rw_free(struct rw_stack *stack);

/* ---- time and packets ---- */

/* It is `now_ns`, which never goes back; runs timers that are due. */
void rw_now(struct rw_stack *stack, uint64_t now_ns);
/* When rw_now() has to be called at the latest; UINT64_MAX: nothing waits. */
uint64_t rw_next(struct rw_stack *stack);
/* An IPv4 or IPv6 packet came. Copied. 0, or -EINVAL: not one, or not for us. */
int rw_packet_in(struct rw_stack *stack, const void *packet, size_t bytes);
/* The next packet to be sent; its bytes; 0: none; -EMSGSIZE: `room` is too small for it. */
int rw_packet_out(struct rw_stack *stack, void *packet, size_t room);

/* ---- sockets: small numbers, from 0 ---- */

int rw_socket(struct rw_stack *stack, int family, int type); /* AF_INET(6), SOCK_STREAM/DGRAM */
int rw_bind(struct rw_stack *stack, int fd, const struct sockaddr *address, socklen_t bytes);
int rw_listen(struct rw_stack *stack, int fd, int backlog);
int rw_accept(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes);
/* -EINPROGRESS: poll for POLLOUT; then SO_ERROR says how it went. */
int rw_connect(struct rw_stack *stack, int fd, const struct sockaddr *address, socklen_t bytes);
ssize_t rw_read(struct rw_stack *stack, int fd, void *to, size_t bytes);
ssize_t rw_write(struct rw_stack *stack, int fd, const void *data, size_t bytes);
ssize_t rw_sendto(struct rw_stack *stack, int fd, const void *data, size_t bytes,
		  const struct sockaddr *address, socklen_t address_bytes);
ssize_t rw_recvfrom(struct rw_stack *stack, int fd, void *to, size_t bytes,
		    struct sockaddr *address, socklen_t *address_bytes);
/* SHUT_RD, SHUT_WR, SHUT_RDWR */
int rw_shutdown(struct rw_stack *stack, int fd, int how);
/* With SO_LINGER {1, 0}: a reset. */
int rw_close(struct rw_stack *stack, int fd);
/*
 * SOL_SOCKET: SO_KEEPALIVE, SO_LINGER, SO_SNDBUF, SO_RCVBUF, SO_MAX_PACING_RATE (bytes a
 * second, 32 bits), SO_ERROR (get);
 * IPPROTO_TCP: TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT,
 * TCP_MAXSEG, TCP_INFO (get, struct rw_tcp_info).
 */
int rw_setsockopt(struct rw_stack *stack, int fd, int level, int option, const void *value,
		  socklen_t bytes);
int rw_getsockopt(struct rw_stack *stack, int fd, int level, int option, void *value,
		  socklen_t *bytes);
int rw_getsockname(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes);
int rw_getpeername(struct rw_stack *stack, int fd, struct sockaddr *address, socklen_t *bytes);
/* Fills revents as poll(2) would with a time-out of 0; how many have any. */
int rw_poll(struct rw_stack *stack, struct pollfd *fds, unsigned int count);

/*
 * TCP_INFO of a connection. `state` by RFC 9293, 3.3.2: 0 CLOSED, 1 SYN-SENT, 2 SYN-RECEIVED,
 * 3 ESTABLISHED, 4 FIN-WAIT-1, 5 FIN-WAIT-2, 6 CLOSE-WAIT, 7 CLOSING, 8 LAST-ACK, 9 TIME-WAIT.
 */
struct rw_tcp_info {
	uint32_t state;
	uint32_t rtt_us;
	uint32_t congestion_window; /* bytes */
	uint32_t slow_start_threshold;
	uint32_t retransmissions;
	uint32_t mss;
	uint32_t send_window;
	uint32_t receive_window;
	uint32_t unacknowledged, unsent;
};

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
