/* SPDX-License-Identifier: ISC */
/*
 * dom0's side of qrexec for the tests, with a codec of its own: the daemon of one qube, and
 * callers. All calls block and are made from fibers of dom0's domain. Whatever the agent
 * sends must be something that the real daemon accepts; else the test fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/xen/qrexec/agent.h"
#include "xen/vchan.h"

#define DAEMON_MS 1000000ull
#define DAEMON_SECOND (1000u * DAEMON_MS)
#define DAEMON_PORTS 256u
#define DAEMON_REQUESTS 16u

struct daemon_request {
	char service[128], target[64], ident[33];
};

struct daemon {
	/* set by the test */
	uint16_t qube;
	uint32_t version; /* that we speak */
	bool echoes;	  /* answers with the agent's number, as some daemons do */
	bool is_stepped;
	struct test_agent *agent;
	/* own */
	struct vchan *vchan;
	uint32_t agreed;
	uint32_t ended[DAEMON_PORTS]; /* CONNECTION_TERMINATED by port */
	uint32_t ended_count;
	struct daemon_request requests[DAEMON_REQUESTS];
	uint32_t request_count;
};

/* One call's far end. */
struct caller {
	struct daemon *daemon;
	uint32_t port;
	uint32_t version; /* that we say */
	struct vchan *vchan;
	uint64_t out_bytes;
	uint64_t out_sum;	 /* of the bytes with their places */
	char out[256], err[256]; /* the first of each, with a NUL */
	uint32_t err_bytes;
	bool out_over, err_over;
	int exit_code; /* -1: none yet */
};

/* ---- the daemon ---- */

/* As client of the agent's server, with greetings. */
void daemon_connect(struct daemon *daemon);
void daemon_disconnect(struct daemon *daemon);

/* The other half of it alone: the vchan, and no greeting. */
void daemon_attach(struct daemon *daemon);

/* Any message. */
void daemon_send(struct daemon *daemon, uint32_t type, const void *body, uint32_t length);
void daemon_send_raw(struct daemon *daemon, const void *bytes, size_t count);

/* EXEC_CMDLINE or JUST_EXEC of a NUL-terminated line. */
void daemon_exec(struct daemon *daemon, uint32_t type, uint32_t domain, uint32_t port,
		 const char *line);

/* Reads messages of the agent until the call on this port has ended, or one more request has
 * come, or so many calls have ended; fails the test after 100 s. */
void daemon_await_end(struct daemon *daemon, uint32_t port);
void daemon_await_ends(struct daemon *daemon, uint32_t count);
const struct daemon_request *daemon_await_request(struct daemon *daemon);

/* What the agent has sent so far is read; nothing is waited for but `ns`. */
void daemon_drain(struct daemon *daemon, uint64_t ns);

/* The answer to a request. */
void daemon_accept(struct daemon *daemon, const char *ident, uint32_t domain, uint32_t port);
void daemon_refuse(struct daemon *daemon, const char *ident);

/* The agent closes its end; fails after 100 s. */
void daemon_await_close(struct daemon *daemon);

/* ---- callers ---- */

/* A server for the call, with our HELLO in it. */
void caller_listen(struct caller *caller, struct daemon *daemon, uint32_t port, uint32_t ring);
/* ... and the call asked for, and greetings done. */
void caller_begin(struct caller *caller, struct daemon *daemon, uint32_t port, const char *line);
void caller_await_hello(struct caller *caller);

/* Sends so many bytes of a pattern in messages of at most `chunk`, a text, or the end of
 * input. An agent that has closed its end meanwhile is no error. */
void caller_send(struct caller *caller, uint64_t bytes, uint32_t chunk);
void caller_send_text(struct caller *caller, const char *text);
void caller_send_eof(struct caller *caller);
/* Any bytes; false when the agent has closed its end. */
bool caller_send_raw(struct caller *caller, const void *bytes, size_t count);

/* Reads one message; false: the agent has closed its end properly, all is read. */
bool caller_read(struct caller *caller);
/* Reads all, checks that both streams ended before the exit code, closes; the exit code. */
int caller_finish(struct caller *caller);
/* The agent closes its end without an exit code. */
void caller_await_close(struct caller *caller);
void caller_close(struct caller *caller);

/* The sum of out_sum for `bytes` bytes of the pattern. */
uint64_t pattern_sum(uint64_t bytes);
uint64_t service_pattern_sum(uint64_t bytes);
