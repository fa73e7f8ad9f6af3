/* SPDX-License-Identifier: ISC */
/*
 * One call of a service over its own vchan, as QubesOS's qrexec-client in dom0 makes it.
 * Runs in a forked process and ends it: its result is a line on standard output.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct qrexec_call {
	const char *name; /* of the call, in lines and files */
	int domain;
	int port;
	uint32_t version;   /* that we offer */
	bool just;	    /* JUST_EXEC: no streams */
	const char *input;  /* a file, or NULL */
	const char *folder; /* NAME.out and NAME.err are written there */
	const char *mode;   /* how we misbehave, or NULL: README.md has the list */
	unsigned limit_ms;
	/* For a service that the domain asked for. */
	int exit_code;
	const char *text; /* its output */
};

/* dom0 calls a service of the domain. Never returns. */
void qrexec_call_run(const struct qrexec_call *call) __attribute__((noreturn));
/* The domain calls one of dom0. Never returns. */
void qrexec_call_serve(const struct qrexec_call *call) __attribute__((noreturn));
