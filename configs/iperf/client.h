/* SPDX-License-Identifier: ISC */
/* The client: one test with one server, then it is over. */
#pragma once

#include "configs/iperf/control.h"
#include "configs/iperf/options.h"
#include "configs/iperf/test.h"

enum iperf_client_phase {
	IPERF_CLIENT_CONNECTING,
	IPERF_CLIENT_PARAMS,  /* the server has our cookie, and asks for what is to be measured */
	IPERF_CLIENT_CREATE,  /* it has that, and wants streams */
	IPERF_CLIENT_STREAMS, /* one after the other */
	IPERF_CLIENT_RUNNING,
	IPERF_CLIENT_EXCHANGE, /* the test is over; the server wants our results */
	IPERF_CLIENT_RESULTS,  /* and gives its own */
	IPERF_CLIENT_DISPLAY,
	IPERF_CLIENT_OVER,
};

struct iperf_client {
	const struct iperf_place *place;
	struct iperf_options options;
	enum iperf_client_phase phase;
	uint64_t deadline_ns; /* of the phase */
	uint64_t greet_ns;    /* UDP: when a greeting is said again; 0: none is under way */
	struct iperf_stream *opening;
	char cookie[IPERF_COOKIE_BYTES];
	struct iperf_control control;
	struct iperf_test test;
	struct iperf_results results;
	char text[IPERF_TEXT_BYTES];
};

/* Begins; place->end() is called when it is over. 0 or as socket_connect(). */
must_check int iperf_client_begin(struct iperf_client *client, const struct iperf_place *place,
				  const struct iperf_options *options);

void iperf_client_run(struct iperf_client *client, uint64_t now_ns);
uint64_t iperf_client_next_ns(const struct iperf_client *client);
