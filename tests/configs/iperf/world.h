/* SPDX-License-Identifier: ISC */
/* A client of ours on side 0 and a server on side 1, in memory (tests/net/test_sockets.h). */
#pragma once

#include "configs/iperf/client.h"
#include "configs/iperf/server.h"
#include "tests/net/test_sockets.h"

#define WORLD_UNENDED (-1)

extern struct iperf_client world_client;
extern struct iperf_server world_server;
extern struct iperf_place world_places[TEST_SIDES];
extern int world_status[TEST_SIDES];	    /* what end() was told, or WORLD_UNENDED */
extern char world_lines[TEST_SIDES][32768]; /* what was printed */

/* Both sides, and a server that serves for ever. */
void world_begin(void);
/* Closes the server and all of its memory; fails when anything is left. */
void world_end(void);

/* A client with options like "-c,10.0.0.2,-R". */
void world_client_begin(const char *options);
void world_run(uint32_t ms);
/* Until the client has ended and the server is idle; fails after `ms`. */
void world_run_out(uint32_t ms);
