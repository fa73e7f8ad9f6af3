/* SPDX-License-Identifier: ISC */
/*
 * Scenarios of TCP and UDP, packet by packet, on libringwall-net under a virtual clock: a test
 * says what the peer sends and what our stack must send, and when. In the manner of
 * packetdrill, in C.
 *
 *	START_TEST(rfc9293_3_8_1_a_lost_segment_is_sent_again)
 *	{
 *		struct script *s = script_begin(version_of(_i));
 *
 *		script_passive(s, "mss 1000");		// handshake and accept
 *		script_send(s, 1000);			// write(), all of it
 *		expect(s, "P. 1:1001(1000) ack 1");	// has been sent by now
 *		expect_nothing_for_ms(s, 150);
 *		expect_within_ms(s, 50, 900, "P. 1:1001(1000) ack 1");
 *		peer_sends(s, ". 1:1(0) ack 1001 win 500");
 *		script_end(s);				// nothing else may have been sent
 *	}
 *	END_TEST
 *
 * in a file tests/configs/library/NAME_test.c with `tcase_add_loop_test(cases, TEST, 0, 2)`
 * (once for each IP version, by version_of(_i)) and `unit_main("configs/library/NAME", ...)`.
 *
 * Files, with the RFC and the section in each test's name:
 *
 *	rfc9293_{open,segment,data,window,user,close}_test.c, rfc1122, rfc5961, rfc6191 (with
 *	1337), rfc4987, rfc6528 (with 6056), udp (RFC 768, 1122 4.1)
 *	rfc7323, rfc2018 (with 2883), rfc6675, rfc6298, rfc5682, rfc8985, rfc6937, rfc6582
 *	rfc5681, rfc6928, rfc9438, rfc9406, rfc3168, rfc896 (Nagle and delayed acknowledgements),
 *	rfc1191 (with 8201), rfc4821, rfc5482, keepalive, zero_window, silly_window, gso, pacing
 *
 * A packet is written as tcpdump and packetdrill do:
 *
 *	FLAGS SEQ:END(BYTES) [ack N] [win N] [urg N] [<OPTIONS>] [ect0|ect1|ce|not-ect] ...
 *
 * FLAGS are letters of SFRPUEW (E: ECE, W: CWR) and `.` for ACK. Numbers are relative: of our
 * side to our first sequence number (our SYN is 0:0(0), the first byte is 1), of the peer's to
 * the peer's. BYTES are of payload; `SEQ(BYTES)` will do. OPTIONS, with commas between:
 *
 *	mss N   wscale N   sackOK   TS val N ecr N   sack A:B C:D   nop   eol   raw HEX
 *
 * Of our timestamps val and the peer's ecr are relative to our first one (so they are
 * milliseconds since), the peer's own are as they stand: 1000 + milliseconds since
 * script_begin().
 *
 * In peer_sends(): without `win` the flow's peer_window, which is 65535 at first (always as it
 * stands in the header, not scaled); when both SYNs had timestamps one is added by itself
 * (echoing the last of ours), unless OPTIONS say TS or noTS. Payload is a pattern that
 * script_receive() knows; `junk`: other bytes. `badsum`: a wrong checksum. `ttl N`.
 *
 * In expect(): flags must be equal but for P, which counts only where it is written. ack is
 * required with `.`. What is not written of win, urg, OPTIONS and ECN is not compared; a `*`
 * instead of a number is any. Where there are OPTIONS they are all: others must not be there
 * (but nop, and timestamps outside of SYNs). Addresses, ports, checksums and our payload are
 * always checked.
 *
 * Other packets look so: "udp 8080>40000 (100)", "icmp 3/3 (56)" (type/code; bytes quoted).
 * Ports of UDP are as they stand.
 *
 * A failure prints what was expected and seen, and before that all packets and calls of the
 * scenario with their times.
 */
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "configs/library/ringwall_net.h"
#include "tests/host/unit.h"

#define SCRIPT_FLOWS 16u
#define SCRIPT_PORT 8080u	/* ours, where script_listen() listens */
#define SCRIPT_PEER_PORT 40000u /* of flow 0; of flow n: so much more */

/* Options of an up-to-date peer: what Linux sends. */
#define SCRIPT_FULL "mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7"

/* One connection as the peer has it. All may be changed by a scenario. */
struct script_flow {
	int fd; /* our socket; -1: none */
	uint16_t our_port, peer_port;
	bool our_iss_known; /* learnt from our first SYN */
	uint32_t our_iss, peer_iss;
	uint16_t peer_window; /* for what does not say it */
	bool ours_has_ts, peers_has_ts;
	uint32_t our_first_ts, our_last_ts;
	uint64_t written, read; /* bytes by script_send() and script_receive() */
};

struct script {
	struct rw_stack *stack;
	uint8_t version;
	uint64_t start_ns, now_ns;
	struct script_flow flows[SCRIPT_FLOWS];
	struct script_flow *flow; /* the one that calls are about */
	int listener;
	struct script_log *log;
};

/* Zero: the default beside it. */
struct script_how {
	uint8_t version;       /* 4 */
	uint16_t mtu;	       /* 1500 */
	uint32_t gso_bytes;    /* none */
	uint32_t sockets;      /* 64 */
	uint32_t memory_bytes; /* 8 MiB */
	uint32_t buffer_bytes; /* 1 MiB */
	uint64_t seed;	       /* 1 */
	uint32_t peer_iss;     /* 0xfffffc00, so numbers wrap soon */
};

/* Of a loop test's index: 0 is IPv4, 1 is IPv6. */
static inline uint8_t version_of(int i)
{
	return i ? 6 : 4;
}

struct script *script_begin(uint8_t version);
struct script *script_begin_with(const struct script_how *how);
/* Fails when something was sent that nobody expected. */
void script_end(struct script *s);

/* ---- the peer and the wire ---- */

void peer_sends(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* It must have been sent by now, as the next one. */
void expect(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next packet must be sent from `low` to `high` ms from now, and be this one. */
void expect_within_ms(struct script *s, unsigned int low, unsigned int high, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));
/* Nothing that is not expected yet has been sent. */
void expect_nothing(struct script *s);
void expect_nothing_for_ms(struct script *s, unsigned int ms);
/* What was sent and not expected yet is forgotten; how many packets, and payload bytes. */
unsigned int script_skip(struct script *s, uint32_t *bytes);

/* Time passes: by so much, or until so long after script_begin(). */
void after_ms(struct script *s, unsigned int ms);
void at_ms(struct script *s, unsigned int ms);
/* Milliseconds since script_begin(). */
unsigned int script_ms(const struct script *s);

/* ICMP about the last packet of ours. `mtu` is for SCRIPT_TOO_BIG. */
enum script_icmp {
	SCRIPT_TOO_BIG,
	SCRIPT_NET_UNREACHABLE,
	SCRIPT_HOST_UNREACHABLE,
	SCRIPT_PROTOCOL_UNREACHABLE,
	SCRIPT_PORT_UNREACHABLE,
	SCRIPT_ADMIN_PROHIBITED,
	SCRIPT_TIME_EXCEEDED,
	SCRIPT_SOURCE_QUENCH, /* IPv4 only */
};
void peer_icmp(struct script *s, enum script_icmp what, uint16_t mtu);
/* The same, but as if our last packet had had this sequence number (relative). */
void peer_icmp_about(struct script *s, enum script_icmp what, uint16_t mtu, uint32_t sequence);

/* An echo request with so many bytes of data. */
void peer_echo(struct script *s, uint32_t bytes);
/*
 * The packet that peer_sends() would send, to be spoilt; its bytes. script_fix() makes its
 * checksums right again, and rw_packet_in() gives it to the stack.
 */
size_t script_packet(struct script *s, uint8_t *to, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void script_fix(struct script *s, uint8_t *packet, size_t bytes);
size_t script_datagram(struct script *s, uint8_t *to, uint16_t from, uint16_t to_port,
		       uint32_t bytes);
/* Byte `offset` of what is sent either way; of each datagram from 0 on. */
uint8_t script_pattern(uint64_t offset);

/* A UDP datagram of patterned bytes to port `to` of ours. */
void peer_datagram(struct script *s, uint16_t from, uint16_t to, uint32_t bytes);

/* ---- flows: 0 is chosen at first ---- */

void script_choose(struct script *s, unsigned int flow);
/* The same ports, a new connection: numbers are learnt anew; the peer begins at `peer_iss`. */
void script_again(struct script *s, uint32_t peer_iss);

/* ---- calls of the application; each fails the test where it should not ---- */

void script_listen(struct script *s, int backlog);
/* The next connection is the chosen flow's. */
void script_accept(struct script *s);
void script_accept_nothing(struct script *s);
/* Connects to the peer; nothing is expected yet. */
void script_connect(struct script *s);
/*
 * A whole handshake from either side, with the peer's options in its SYN ("" for none), to an
 * accepted or connected socket. Listens when nobody does.
 */
void script_passive(struct script *s, const char *options);
void script_active(struct script *s, const char *options);

void script_send(struct script *s, uint32_t bytes); /* all of them must be taken */
ssize_t script_send_some(struct script *s, uint32_t bytes);
void script_send_error(struct script *s, int error);   /* for example EPIPE */
void script_receive(struct script *s, uint32_t bytes); /* so many are there, and right */
void script_receive_nothing(struct script *s);
void script_receive_end(struct script *s);
void script_receive_error(struct script *s, int error);
void script_shutdown(struct script *s);
void script_close(struct script *s);
void script_abort(struct script *s); /* SO_LINGER of 0, close */
void script_set(struct script *s, int level, int option, int value);
int script_error(struct script *s); /* SO_ERROR */
struct rw_tcp_info script_info(struct script *s);
/* All that poll() says of POLLIN, POLLOUT, POLLERR and POLLHUP. */
short script_poll(struct script *s);
/* fd of a UDP socket at `port` of ours, the chosen flow's. */
int script_open_udp(struct script *s, uint16_t port);
/* The peer's address with this port; its bytes. */
socklen_t script_peer_address(const struct script *s, uint16_t port, struct sockaddr_storage *to);
socklen_t script_own_address(const struct script *s, uint16_t port, struct sockaddr_storage *to);

/* States of rw_tcp_info. */
enum script_state {
	STATE_CLOSED,
	STATE_SYN_SENT,
	STATE_SYN_RECEIVED,
	STATE_ESTABLISHED,
	STATE_FIN_WAIT_1,
	STATE_FIN_WAIT_2,
	STATE_CLOSE_WAIT,
	STATE_CLOSING,
	STATE_LAST_ACK,
	STATE_TIME_WAIT,
};
#define expect_state(s, expected) ck_assert_uint_eq(script_info(s).state, expected)
