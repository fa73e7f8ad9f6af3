/* SPDX-License-Identifier: ISC */
/*
 * The server: one test at a time; whoever comes meanwhile is told that it is busy. A client that
 * vanishes, says nothing or says nonsense costs a bounded time and nothing else.
 */
#pragma once

#include "configs/iperf/control.h"
#include "configs/iperf/test.h"

#define IPERF_NEWCOMERS 16u

enum iperf_server_phase {
	IPERF_SERVER_IDLE,
	IPERF_SERVER_PARAMS,  /* what is to be measured is awaited */
	IPERF_SERVER_STREAMS, /* the streams are */
	IPERF_SERVER_RUNNING,
	IPERF_SERVER_RESULTS, /* the client's are awaited */
	IPERF_SERVER_DONE,    /* its last byte is */
};

/* A connection whose cookie has not come. */
struct iperf_newcomer {
	struct iperf_server *server;
	struct socket *socket; /* NULL: this place is free */
	uint64_t since_ns;
	uint64_t number; /* in order of arrival */
	uint32_t used;
	char cookie[IPERF_COOKIE_BYTES];
};

struct iperf_server {
	const struct iperf_place *place;
	uint16_t port;
	uint32_t interval_s;
	bool once;
	bool over;
	enum iperf_server_phase phase;
	uint64_t deadline_ns; /* of the phase */
	uint64_t tests, refused, failed;
	uint64_t arrivals;
	uint32_t waiting; /* newcomers */
	struct socket *listener;
	struct socket *greeter; /* UDP, while streams are awaited */
	struct socket_address client;
	char cookie[IPERF_COOKIE_BYTES];
	struct iperf_newcomer newcomers[IPERF_NEWCOMERS];
	struct iperf_control control;
	struct iperf_test test;
	struct iperf_results results;
	char text[IPERF_TEXT_BYTES];
};

/* Listens; the server lives for good. 0 or as socket_listen(). */
must_check int iperf_server_begin(struct iperf_server *server, const struct iperf_place *place,
				  uint16_t port, uint32_t interval_s, bool once);

void iperf_server_run(struct iperf_server *server, uint64_t now_ns);
uint64_t iperf_server_next_ns(const struct iperf_server *server);
