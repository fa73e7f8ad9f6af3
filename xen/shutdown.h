/* SPDX-License-Identifier: ISC */
/*
 * The toolstack's requests at control/shutdown (docs/misc/xenstore-paths): each
 * is acknowledged by writing it empty, then handed to the owner; unknown words
 * are acknowledged, said once, and otherwise ignored. control/feature-* nodes
 * are written at the start.
 */
#pragma once

#include "lib/compiler.h"

enum shutdown_request { SHUTDOWN_REQUEST_POWEROFF, SHUTDOWN_REQUEST_HALT, SHUTDOWN_REQUEST_REBOOT };

/*
 * Starts the fiber that serves control/shutdown. `requested` runs in that fiber,
 * closes what is open, and returns; then the domain is shut down with the
 * matching SCHEDOP reason. 0 or -ENOMEM.
 */
must_check int shutdown_start(void (*requested)(enum shutdown_request request, void *context),
			      void *context);

/* Ends the domain now. */
_Noreturn void shutdown_now(enum shutdown_request request);
