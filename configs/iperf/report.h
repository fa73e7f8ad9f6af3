/* SPDX-License-Identifier: ISC */
/* What people read: the lines of iperf3, of each stream and of all of one direction together. */
#pragma once

#include "configs/iperf/test.h"

/* What was counted since the last such lines; begin and end in nanoseconds of the test. */
void iperf_report_interval(struct iperf_test *test, uint64_t begin_ns, uint64_t end_ns);

/* At the end, with what the other side says. */
void iperf_report_end(struct iperf_test *test);

/* A line by printf's rules. */
void iperf_report_line(const struct iperf_place *place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "Accepted connection from ADDRESS, port N" and such: `words` and the peer. */
void iperf_report_peer(const struct iperf_place *place, const char *words,
		       const struct socket_address *peer);

#define IPERF_SCALED_BYTES 24u
/* A number as "9.41 G": three digits and a letter, in steps of 1000 or 1024. Returns `to`. */
char *iperf_report_scaled(uint64_t value, uint32_t step, char *to);
