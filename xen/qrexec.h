/* SPDX-License-Identifier: ISC */
/*
 * The agent of qrexec, by which QubesOS's dom0 and other qubes call services of this one and
 * this one calls theirs: versions 2 to 4 of the protocol, any number of calls at once up to a
 * limit, each with a vchan and a fiber of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define QREXEC_PORT 512u
#define QREXEC_NAME_BYTES 64u	  /* of a service or qube, with the NUL */
#define QREXEC_ARGUMENT_BYTES 64u /* what follows '+' */
#define QREXEC_CALLS_MAX 16u

/* Exit codes with a meaning of their own. */
#define QREXEC_PROBLEM 125
#define QREXEC_REFUSED 126
#define QREXEC_NO_SERVICE 127

struct qrexec;
struct qrexec_call;

struct qrexec_service {
	const char *name;
	/* Runs in the call's fiber; what it returns is the exit code. Output that was not
	 * closed is closed after it. */
	int (*run)(struct qrexec_call *call, void *context);
};

/* What is known of a call. */
const char *qrexec_call_argument(const struct qrexec_call *call); /* "": none */
const char *qrexec_call_source(const struct qrexec_call *call);	  /* the calling qube */

/*
 * Reads standard input, waiting for it: bytes (1 .. size), 0 at its end, -EPIPE: the caller is
 * gone; -EPROTO; -ETIMEDOUT.
 */
must_check int64_t qrexec_call_read(struct qrexec_call *call, void *to, size_t size,
				    uint64_t deadline_ns);

/* Writes all of it to standard output or standard error, waiting for room. As above. */
must_check int qrexec_call_write(struct qrexec_call *call, const void *from, size_t size);
must_check int qrexec_call_write_error(struct qrexec_call *call, const void *from, size_t size);
/* A formatted line of at most 255 bytes to standard output. */
must_check int qrexec_call_print(struct qrexec_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads a line of standard input into `to`, NUL-terminated and without its newline, which the
 * last line need not have. Its length; -ENODATA: there is no further line; -E2BIG: it has
 * `size` bytes or more, and the input is of no use any more; or as qrexec_call_read().
 */
must_check int qrexec_call_read_line(struct qrexec_call *call, char *to, size_t size,
				     uint64_t deadline_ns);

/* The end of standard output; -EINVAL for what is written there later. As above. */
must_check int qrexec_call_close_output(struct qrexec_call *call);

/* No more input is wanted: what comes while we wait to write is thrown away, so that a
 * caller which writes all of it before it reads anything cannot hold us up. */
void qrexec_call_ignore_input(struct qrexec_call *call);

struct qrexec_config {
	uint16_t daemon;		       /* dom0 */
	const struct qrexec_service *services; /* as long as the agent lives */
	uint32_t service_count;
	void *context; /* of the services */
	/* The daemon and we have exchanged greetings: at first, and after each time that either
	 * of them came again. NULL: not wanted. */
	void (*connected)(void *context);
};

/* Starts the agent's fiber. -ENOMEM. */
must_check int qrexec_start(const struct qrexec_config *config, struct qrexec **qrexec);

/*
 * Asks dom0 to call a service of `target` ("dom0", "@default", a qube) for us, without input;
 * what it writes is thrown away. `done` (may be NULL, and runs in a fiber of the call) is told
 * its exit code, 0 to 255, or a negative errno when it was refused (-EACCES), lost (-EPIPE) or did
 * not end in time (-ETIMEDOUT). May be called from anywhere, also by `connected`; does not wait.
 * -ENOTCONN: no daemon; -EBUSY: too many at once; -EINVAL: a name that dom0 would not take.
 */
must_check int qrexec_trigger(struct qrexec *qrexec, const char *service, const char *target,
			      void (*done)(void *context, int result), void *context);

bool qrexec_is_connected(const struct qrexec *qrexec);

/* Version, calls now and in all, what was refused. */
void qrexec_print_stats(const struct qrexec *qrexec, void (*line)(void *context, const char *text),
			void *context);
