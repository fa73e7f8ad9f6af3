/* SPDX-License-Identifier: ISC */
/* The two JSON texts that both sides exchange: what is to be measured, and what came of it. */
#pragma once

#include "configs/iperf/iperf.h"
#include "lib/json.h"

/* What one end of a stream has counted. */
struct iperf_counts {
	uint64_t bytes;
	uint64_t packets; /* UDP: the sender's, and the highest number that the receiver saw */
	uint64_t errors;  /* UDP: lost */
	uint64_t jitter_ns;
	uint64_t retransmissions;
	uint64_t ns; /* how long */
};

/* Bytes written, or 0: not enough room. */
must_check size_t iperf_params_write(const struct iperf_settings *settings, char *to, size_t room);

/* 0, or -EINVAL: no such text, or something that nobody here can do. */
must_check int iperf_params_read(const char *text, size_t length, struct iperf_settings *settings);

struct iperf_results {
	bool sends; /* TCP: retransmissions are known */
	uint32_t count;
	uint32_t ids[2 * IPERF_STREAMS];
	struct iperf_counts counts[2 * IPERF_STREAMS];
};

must_check size_t iperf_results_write(const struct iperf_results *results, char *to, size_t room);

/* 0 or -EINVAL; streams beyond what there can be are left out. */
must_check int iperf_results_read(const char *text, size_t length, struct iperf_results *results);
