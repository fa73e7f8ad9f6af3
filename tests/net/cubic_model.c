/* SPDX-License-Identifier: ISC */
#include "tests/net/cubic_model.h"

#include <math.h>

static const double BETA = 0.7;
static const double C = 0.4;

double cubic_model_k(double w_max, double cwnd_epoch)
{
	return cbrt((w_max - cwnd_epoch) / C);
}

double cubic_model_curve(double t, double k, double w_max)
{
	return C * pow(t - k, 3) + w_max;
}

static void begin(struct cubic_model *model, double now)
{
	model->in_epoch = true;
	model->t_epoch = now;
	model->w_est = model->cwnd;
	if (model->k_is_0 || model->w_max <= model->cwnd) {
		model->w_max = model->cwnd;
		model->k = 0;
	} else {
		model->k = cubic_model_k(model->w_max, model->cwnd);
	}
	model->k_is_0 = false;
}

void cubic_model_ack(struct cubic_model *model, double acked, double now, double rtt)
{
	double alpha = 3 * (1 - BETA) / (1 + BETA), t, target, margin;

	model->margin = HUGE_VAL;
	if (model->cwnd < model->ssthresh) {
		double room = model->ssthresh - model->cwnd;

		if (acked <= room) {
			model->cwnd += acked;
			return;
		}
		model->cwnd = model->ssthresh;
		acked -= room;
	}
	if (!model->in_epoch)
		begin(model, now);
	margin = fabs(model->w_est - model->cwnd_prior);
	if (model->w_est >= model->cwnd_prior)
		alpha = 1;
	model->w_est += alpha * acked / model->cwnd;
	t = now - model->t_epoch;
	model->margin =
		fmin(margin, fabs(cubic_model_curve(t, model->k, model->w_max) - model->w_est));
	if (cubic_model_curve(t, model->k, model->w_max) < model->w_est) {
		model->cwnd = fmax(model->cwnd, model->w_est);
		return;
	}
	target = cubic_model_curve(t + rtt, model->k, model->w_max);
	target = fmin(fmax(target, model->cwnd), 1.5 * model->cwnd);
	model->cwnd += acked * (target - model->cwnd) / model->cwnd;
}

static double reduce(struct cubic_model *model, double flight_size)
{
	double reduced = fmin(flight_size, model->cwnd) * BETA;

	model->tie = fabs(model->cwnd - model->w_max);
	model->w_max = model->cwnd < model->w_max ? model->cwnd * (1 + BETA) / 2 : model->cwnd;
	model->cwnd_prior = model->cwnd;
	model->ssthresh = fmax(reduced, 2);
	model->in_epoch = false;
	model->k_is_0 = false;
	return reduced;
}

void cubic_model_loss(struct cubic_model *model, double flight_size)
{
	model->cwnd = fmax(reduce(model, flight_size), 2);
}

void cubic_model_ecn(struct cubic_model *model, double flight_size)
{
	model->cwnd = fmax(reduce(model, flight_size), 1);
}

void cubic_model_rto(struct cubic_model *model, double flight_size)
{
	reduce(model, flight_size);
	model->cwnd = 1;
	model->w_max = 0; /* not known before congestion avoidance begins */
	model->k_is_0 = true;
}
