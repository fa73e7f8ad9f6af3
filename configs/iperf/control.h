/* SPDX-License-Identifier: ISC */
/* The control connection: single bytes, and JSON behind its length. */
#pragma once

#include "configs/iperf/iperf.h"

/* The longest text: results of all streams that there can be. */
#define IPERF_TEXT_BYTES 65536u

enum iperf_reading { IPERF_READ_STATE, IPERF_READ_TEXT, IPERF_READ_ERROR };

struct iperf_control {
	struct socket *socket; /* NULL: there is none */
	enum iperf_reading reading;
	uint32_t in_used, out_used;
	uint8_t in[4 + IPERF_TEXT_BYTES];
	uint8_t out[8 + IPERF_TEXT_BYTES];
};

/* Takes the socket, whose callback stays the caller's. */
void iperf_control_begin(struct iperf_control *control, struct socket *socket);

/* Closes what is there; what was queued still leaves. */
void iperf_control_end(struct iperf_control *control);

/* Queue and send. -ENOBUFS: the peer takes nothing; else the socket's error. */
must_check int iperf_control_send(struct iperf_control *control, const void *data, uint32_t bytes);
must_check int iperf_control_send_state(struct iperf_control *control, enum iperf_state state);
must_check int iperf_control_send_text(struct iperf_control *control, const char *text,
				       size_t length);

/* Sends what is queued; when the socket is writable. */
must_check int iperf_control_flush(struct iperf_control *control);

/* One thing that came: a state, a text, or both numbers of an error. */
struct iperf_event {
	int8_t state;
	const char *text; /* until the next call; NULL: a state */
	size_t length;
	uint32_t error[2];
};

/* 1: *event. 0: nothing whole yet. Else: -ECONNRESET the peer has gone, -EMSGSIZE. */
must_check int iperf_control_next(struct iperf_control *control, struct iperf_event *event);

/* What iperf_control_next() reads next; a state again after each text. */
void iperf_control_expect(struct iperf_control *control, enum iperf_reading reading);
