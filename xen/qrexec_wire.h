/* SPDX-License-Identifier: ISC */
/*
 * What goes over the vchans of qrexec, versions 2 to 4, without any I/O: framing, the bodies
 * of messages, and the command lines that dom0 asks for. All integers are little-endian.
 *
 * Every message is type u32, length u32, body. The control channel (port 512, the qube is the
 * vchan's server) carries
 *
 *	HELLO 0x300			both ways, the server first: version u32
 *	EXEC_CMDLINE 0x200		to us: domain u32, port u32, command line with NUL
 *	JUST_EXEC 0x201			to us: the same; nobody wants its output
 *	SERVICE_CONNECT 0x202		to us: domain, port, ident[32] of our request
 *	SERVICE_REFUSED 0x203		to us: ident[32]
 *	TRIGGER_SERVICE 0x210		from us in version 2: service[64] target[32] ident[32]
 *	CONNECTION_TERMINATED 0x211	from us: domain, port; frees the port in dom0
 *	TRIGGER_SERVICE3 0x212		from us in version 3 and later: target[64] ident[32]
 *					service with NUL
 *
 * and each call's own channel: HELLO both ways, then STDIN 0x190, STDOUT 0x191, STDERR 0x192
 * (a length of 0 is the end of that stream) and EXIT_CODE 0x193 (i32).
 *
 * dom0's daemon exits on a message that it does not expect, so nothing else is ever sent.
 * Version 4's TRIGGER_SERVICE4 names another qube as the source, which is for relays only;
 * and a daemon that answers our HELLO may repeat our version whatever its own is, so a 4 of
 * its proves no more than 3.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "xen/qrexec.h"

#define QREXEC_VERSION_MIN 2u
#define QREXEC_VERSION_MAX 4u

#define QREXEC_HEADER_BYTES 8u
#define QREXEC_HELLO_BYTES 12u
#define QREXEC_PARAMS_BYTES 8u
#define QREXEC_TERMINATED_BYTES 16u
#define QREXEC_EXIT_BYTES 12u
#define QREXEC_IDENT_BYTES 32u
#define QREXEC_SERVICE_BYTES (QREXEC_NAME_BYTES + QREXEC_ARGUMENT_BYTES)
#define QREXEC_TRIGGER_BYTES \
	(QREXEC_HEADER_BYTES + QREXEC_NAME_BYTES + QREXEC_IDENT_BYTES + QREXEC_SERVICE_BYTES)

/* Ports that dom0's daemon gives to calls; it exits when it is told that another one ended. */
#define QREXEC_PORT_FIRST (QREXEC_PORT + 1u)
#define QREXEC_PORT_LAST (QREXEC_PORT + 256u)

#define QREXEC_COMMAND_BYTES 4096u	  /* longest command line that is looked at, with NUL */
#define QREXEC_MESSAGE_BYTES (256u << 10) /* longest body that is skipped */

enum qrexec_type {
	QREXEC_STDIN = 0x190,
	QREXEC_STDOUT = 0x191,
	QREXEC_STDERR = 0x192,
	QREXEC_EXIT_CODE = 0x193,
	QREXEC_EXEC_CMDLINE = 0x200,
	QREXEC_JUST_EXEC = 0x201,
	QREXEC_SERVICE_CONNECT = 0x202,
	QREXEC_SERVICE_REFUSED = 0x203,
	QREXEC_TRIGGER_SERVICE = 0x210,
	QREXEC_CONNECTION_TERMINATED = 0x211,
	QREXEC_TRIGGER_SERVICE3 = 0x212,
	QREXEC_HELLO = 0x300,
};

struct qrexec_header {
	uint32_t type;
	uint32_t length; /* of the body */
};

/* The far end of a call: (domain, port) name its vchan. */
struct qrexec_params {
	uint32_t domain;
	uint32_t port;
};

struct qrexec_ident {
	char text[QREXEC_IDENT_BYTES]; /* NUL-terminated, zeros behind it */
};

/* ---- reading ---- */

struct qrexec_header qrexec_wire_header(const uint8_t bytes[QREXEC_HEADER_BYTES]);

/* The version to speak with a peer that says `peer`; -EPROTO below the lowest one. */
must_check int qrexec_wire_version(uint32_t peer);

/* The version in a HELLO's body; -EPROTO. */
must_check int qrexec_wire_parse_hello(const struct qrexec_header *header, const uint8_t *body);

/*
 * Whether a message may stand on a call's channel: -EPROTO for a type that has no place there
 * and for lengths that the version forbids.
 */
must_check int qrexec_wire_check_data(const struct qrexec_header *header, uint32_t version);

/* Longest body of STDIN, STDOUT, STDERR. */
uint32_t qrexec_wire_chunk_bytes(uint32_t version);

/* The number in EXIT_CODE's body of 4 bytes as exit codes go, 0 .. 255. */
int qrexec_wire_exit_code(const uint8_t *body);

/* The first 8 bytes of a body of `bytes`; -EPROTO: it is shorter. */
must_check int qrexec_wire_parse_params(const uint8_t *body, size_t bytes,
					struct qrexec_params *params);

/* A domain that can exist and a port that dom0 gives: -EPROTO when not. */
must_check int qrexec_wire_check_params(const struct qrexec_params *params);

/* SERVICE_CONNECT's and SERVICE_REFUSED's whole bodies; -EPROTO. */
must_check int qrexec_wire_parse_connect(const uint8_t *body, size_t bytes,
					 struct qrexec_params *params, struct qrexec_ident *ident);
must_check int qrexec_wire_parse_refused(const uint8_t *body, size_t bytes,
					 struct qrexec_ident *ident);

/* What a command line asks for. */
struct qrexec_command {
	bool is_service; /* else a shell's command, and the rest is "" */
	char service[QREXEC_NAME_BYTES];
	char argument[QREXEC_ARGUMENT_BYTES];
	char source[QREXEC_NAME_BYTES];
};

/*
 * "user:[nogui:]QUBESRPC service[+argument] source [type target]" or "user:command", of
 * `bytes` with the NUL, which must be their last. -EINVAL: neither; -ENAMETOOLONG: a word of
 * it is longer than we have room for. The command is filled in as far as it was understood;
 * what is in it is printable.
 */
must_check int qrexec_wire_parse_command(const char *line, size_t bytes,
					 struct qrexec_command *command);

/* ---- writing: each returns the bytes written ---- */

size_t qrexec_wire_put_header(uint8_t *to, uint32_t type, uint32_t length);
size_t qrexec_wire_put_hello(uint8_t *to);
size_t qrexec_wire_put_terminated(uint8_t *to, const struct qrexec_params *params);
size_t qrexec_wire_put_exit_code(uint8_t *to, int code);

/*
 * A request to call `service` of `target`, at most QREXEC_TRIGGER_BYTES; 0: a name is empty,
 * too long for this version, or has characters that dom0 would replace.
 */
must_check size_t qrexec_wire_put_trigger(uint8_t *to, uint32_t version, const char *service,
					  const char *target, const struct qrexec_ident *ident);

/* ---- the stream of the control channel, put together to messages ---- */

struct qrexec_receiver {
	struct qrexec_header header;
	uint32_t received; /* bytes of the message so far, its header included */
	uint8_t head[QREXEC_HEADER_BYTES];
	uint8_t body[QREXEC_PARAMS_BYTES + QREXEC_COMMAND_BYTES];
	uint8_t skipped[256]; /* where longer bodies end */
};

/* Waits for a message from its first byte. */
void qrexec_receiver_init(struct qrexec_receiver *receiver);

/* Where the next bytes belong; how many there may be at most, never 0. */
size_t qrexec_receiver_room(struct qrexec_receiver *receiver, uint8_t **to);

/*
 * So many came there. 1: a message is complete in `header` and `body`, and
 * qrexec_receiver_init() comes next; 0: not yet; -EPROTO: it is longer than any.
 */
must_check int qrexec_receiver_add(struct qrexec_receiver *receiver, size_t bytes);

/* How much of the complete message is in `body`; a longer one lost its end. */
size_t qrexec_receiver_kept(const struct qrexec_receiver *receiver);
