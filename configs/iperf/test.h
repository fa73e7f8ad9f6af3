/* SPDX-License-Identifier: ISC */
/* A test under way, on whichever side: its streams, when it is over, what is printed of it. */
#pragma once

#include "configs/iperf/stream.h"

struct iperf_test {
	const struct iperf_place *place;
	struct iperf_settings settings;
	bool server;
	bool running;
	bool more;				      /* something was left for the next round */
	bool omitting;				      /* what is counted will not count */
	bool results_known;			      /* the other side's */
	bool broken;				      /* a stream has failed */
	uint64_t begin_ns;			      /* of what counts */
	uint64_t heard_ns;			      /* when something moved last */
	uint64_t ns;				      /* how long it was, once it is over */
	uint64_t interval_ns, line_ns, line_begin_ns; /* 0: no lines */
	uint64_t sent_bytes, received_bytes, blocks;  /* of all streams, also what is omitted */
	uint32_t stream_count, there_count;
	struct iperf_stream streams[2 * IPERF_STREAMS];
};

/* Empties it; streams of before must have ended. */
void iperf_test_init(struct iperf_test *test, const struct iperf_place *place, bool server);

/* How many streams there will be. */
uint32_t iperf_test_streams(const struct iperf_settings *settings);

/* The next stream, with its direction and id; NULL: all are there. */
struct iperf_stream *iperf_test_add(struct iperf_test *test, struct socket *socket);

/* The stream can be used. True: it was the last one. */
bool iperf_test_there(struct iperf_stream *stream);

void iperf_test_begin(struct iperf_test *test, uint64_t interval_s);

/* Sends and prints what is due. */
void iperf_test_run(struct iperf_test *test, uint64_t now_ns);
uint64_t iperf_test_next_ns(const struct iperf_test *test);

/* For the client: has it lasted, or sent or had, as much as it should? */
bool iperf_test_is_over(const struct iperf_test *test, uint64_t now_ns);

/* No more is sent or counted; what has come is. */
void iperf_test_stop(struct iperf_test *test);

/*
 * For the server, when the client has said that the test is over: its TCP streams end behind what
 * is queued. iperf3 reads whole blocks, and would wait for the rest of one for ever.
 */
void iperf_test_hang_up(struct iperf_test *test);

void iperf_test_results(const struct iperf_test *test, struct iperf_results *results);
void iperf_test_take_results(struct iperf_test *test, const struct iperf_results *results);

/* Closes all streams. */
void iperf_test_end(struct iperf_test *test);

/* From now on all streams call iperf_test_ready(). */
void iperf_test_watch(struct iperf_test *test);

/* What the settings say of a stream's socket. */
void iperf_test_set_options(struct iperf_test *test, struct socket *socket);

/* The callback of every stream that is there. */
void iperf_test_ready(struct socket *socket, uint32_t ready, void *context);
