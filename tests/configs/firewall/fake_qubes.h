/* SPDX-License-Identifier: ISC */
/*
 * What configs/firewall/qubes*.c stand on, for their tests: QubesDB as a list that the test
 * writes, calls of services with input and output in memory, one fiber that runs when the
 * test lets it, and a clock. All is global and new with each test's process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/router.h"

extern uint64_t fake_now_ns, fake_wall_ns;
extern bool fake_whole;	  /* what qubesdb_is_whole() says */
extern bool fake_drained; /* and qubesdb_is_drained() */

/* dom0 writes or removes an entry; after fake_loaded() the product is told. */
void fake_write(const char *path, const char *value);
void fake_remove(const char *path); /* with a '/' at the end: all below it */

/* QubesDB has been read. */
void fake_loaded(void);

/*
 * The daemon in dom0 has begun anew and knows nothing: what dom0 has written to the old one
 * stays with us, unsaid, and of what dom0 removes there the product is told nothing.
 */
void fake_restarted(void);

/* The qrexec daemon has connected. */
void fake_daemon(void);

/* Whether there is such an entry. */
bool fake_has(const char *path);

/* What the product wrote last to the entry; "" for nothing. */
const char *fake_written(const char *path);

/* The service that it asked dom0 to call, "" for none. */
const char *fake_triggered(void);

/* Lets the fiber run until it waits; false: it wants to sleep on (time must pass). */
void fake_run(void);

/* The same, but at most until it waits for the first time. */
void fake_step(void);

/* Calls a service: its exit code, 127 when there is none of that name. */
int fake_call(const char *service, const char *input);
const char *fake_output(void);
const char *fake_error(void);
