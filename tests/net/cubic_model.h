/* SPDX-License-Identifier: ISC */
/*
 * CUBIC in real numbers, straight from the formulas of RFC 9438: windows in segments, times in
 * seconds, cbrt() and pow() of the C library. What net/tcp_cubic.c is compared with.
 */
#pragma once

#include <stdbool.h>

struct cubic_model {
	double cwnd, ssthresh, cwnd_prior;
	double w_max, k, w_est, t_epoch;
	double margin; /* how far the last ACK was from where one rule ends and the next begins
			  (4.3) */
	double tie;    /* how far the last reduction was from where 4.7 begins to hold */
	bool in_epoch;
	bool k_is_0; /* RFC 9438, 4.8 and 4.10 */
};

/* W_cubic(t) and K (RFC 9438, 4.2), by themselves. */
double cubic_model_k(double w_max, double cwnd_epoch);
double cubic_model_curve(double t, double k, double w_max);

/* An ACK of `acked` segments at time `now`, with a smoothed round trip of `rtt`. */
void cubic_model_ack(struct cubic_model *model, double acked, double now, double rtt);
void cubic_model_loss(struct cubic_model *model, double flight_size);
void cubic_model_ecn(struct cubic_model *model, double flight_size);
void cubic_model_rto(struct cubic_model *model, double flight_size);
