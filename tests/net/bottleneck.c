/* SPDX-License-Identifier: ISC */
#include "tests/net/bottleneck.h"

#include <math.h>
#include <stdlib.h>

#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define NEVER UINT64_MAX
#define AT(ring) ((ring) % BOTTLENECK_RING)

struct bottleneck *bottleneck_new(uint64_t rate, uint64_t buffer, uint64_t seed)
{
	struct bottleneck *link = calloc(1, sizeof(*link));

	link->rate = rate;
	link->buffer = buffer;
	link->random = seed | 1;
	link->now_ns = SECOND;
	link->jitter_ns = 100000;
	return link;
}

struct bottleneck_flow *bottleneck_add(struct bottleneck *link, uint64_t start_ns, uint64_t rtt_ns)
{
	struct bottleneck_flow *flow = &link->flow[link->count++];

	flow->start_ns = link->now_ns + start_ns;
	flow->delay_ns = rtt_ns;
	flow->srtt_ns = rtt_ns; /* as measured by the handshake */
	flow->heard_ns = flow->start_ns;
	tcp_cubic_init(&flow->cubic, BOTTLENECK_MSS, true, flow->start_ns);
	tcp_cubic_begin(&flow->cubic, BOTTLENECK_MSS, false, 0, flow->start_ns);
	tcp_pacing_init(&flow->pacing, BOTTLENECK_MSS);
	return flow;
}

static double window(const struct bottleneck_flow *flow)
{
	if (flow->is_reno && flow->reno_cwnd > 0)
		return flow->reno_cwnd;
	return (double)tcp_cubic_window(&flow->cubic) / BOTTLENECK_MSS;
}

static void pace(struct bottleneck_flow *flow)
{
	tcp_pacing_set(&flow->pacing, (uint32_t)(window(flow) * BOTTLENECK_MSS), BOTTLENECK_MSS,
		       flow->srtt_ns, tcp_cubic_in_slow_start(&flow->cubic));
}

/* ---- sending ---- */

static bool can_send(const struct bottleneck_flow *flow)
{
	return flow->pipe + 1 <= window(flow) && flow->next - flow->una < BOTTLENECK_RING / 2;
}

/* The queue: false if it drops. Gives when the segment has passed. */
static bool enqueue(struct bottleneck *link, uint64_t *passed_ns, bool *marked)
{
	uint64_t backlog = 0;

	if (link->free_ns > link->now_ns)
		backlog = (uint64_t)((double)(link->free_ns - link->now_ns) * 1e-9 *
				     (double)link->rate);
	link->seen++;
	if (backlog + BOTTLENECK_WIRE > link->buffer ||
	    (link->drop_every && link->seen % link->drop_every == 0))
		return false;
	*marked = link->mark && backlog > link->mark;
	if (link->free_ns < link->now_ns)
		link->free_ns = link->now_ns;
	link->free_ns += BOTTLENECK_WIRE * SECOND / link->rate;
	*passed_ns = link->free_ns;
	return true;
}

static void transmit(struct bottleneck *link, struct bottleneck_flow *flow)
{
	uint64_t passed_ns, last_ns = 0;
	bool marked;
	uint32_t segment;

	if (flow->lost_ring.head != flow->lost_ring.tail)
		segment = flow->lost[AT(flow->lost_ring.head++)];
	else
		segment = flow->next++;
	if (flow->pipe == 0)
		flow->heard_ns = link->now_ns;
	flow->state[AT(segment)] = SEGMENT_SENT;
	flow->pipe++;
	flow->sent[AT(flow->sent_ring.tail++)] = (struct bottleneck_sent){ segment, ++flow->order };
	tcp_pacing_on_send(&flow->pacing, BOTTLENECK_MSS, link->now_ns);
	if (!enqueue(link, &passed_ns, &marked)) {
		flow->drops++;
		return;
	}
	passed_ns += flow->delay_ns;
	if (link->jitter_ns)
		passed_ns += unit_random(&link->random) % link->jitter_ns;
	if (flow->ack_ring.head != flow->ack_ring.tail)
		last_ns = flow->acks[AT(flow->ack_ring.tail - 1)].at_ns;
	if (passed_ns < last_ns)
		passed_ns = last_ns;
	flow->acks[AT(flow->ack_ring.tail++)] =
		(struct bottleneck_ack){ passed_ns, link->now_ns, flow->order, segment, marked };
}

/* ---- reductions ---- */

static uint32_t in_flight(const struct bottleneck_flow *flow)
{
	return (flow->next - flow->una) * BOTTLENECK_MSS;
}

static void reno_reduce(struct bottleneck_flow *flow)
{
	flow->reno_cwnd = fmax((flow->reno_cwnd > 0 ? flow->reno_cwnd : window(flow)) / 2, 2);
}

static void model_begin(struct bottleneck_flow *flow)
{
	if (flow->has_model)
		return;
	flow->has_model = true;
	flow->model = (struct cubic_model){ .cwnd = window(flow) };
}

/* Where a rule begins to hold a hair's breadth earlier or later in the model, that goes on. */
static void settle_tie(struct bottleneck_flow *flow)
{
	if (flow->model.tie < 0.01 * flow->model.cwnd_prior)
		flow->model.w_max = (double)flow->cubic.w_max / BOTTLENECK_MSS;
}

static void lose(struct bottleneck *link, struct bottleneck_flow *flow)
{
	double flight = (double)in_flight(flow) / BOTTLENECK_MSS;

	model_begin(flow);
	if (!tcp_cubic_on_loss(&flow->cubic, in_flight(flow), flow->una * BOTTLENECK_MSS,
			       flow->next * BOTTLENECK_MSS, link->now_ns))
		return;
	cubic_model_loss(&flow->model, flight);
	settle_tie(flow);
	reno_reduce(flow);
	flow->reductions++;
	flow->recovering = true;
	flow->recover = flow->next;
}

static void mark_lost(struct bottleneck_flow *flow, uint32_t segment)
{
	flow->state[AT(segment)] = SEGMENT_LOST;
	flow->lost[AT(flow->lost_ring.tail++)] = segment;
	flow->pipe--;
}

static void time_out(struct bottleneck *link, struct bottleneck_flow *flow)
{
	model_begin(flow);
	cubic_model_rto(&flow->model, (double)in_flight(flow) / BOTTLENECK_MSS);
	tcp_cubic_on_rto(&flow->cubic, in_flight(flow), false, flow->next * BOTTLENECK_MSS,
			 link->now_ns);
	reno_reduce(flow);
	flow->timeouts++;
	flow->reductions++;
	flow->recovering = false;
	flow->heard_ns = link->now_ns;
	while (flow->sent_ring.head != flow->sent_ring.tail) {
		uint32_t segment = flow->sent[AT(flow->sent_ring.head++)].segment;

		if (flow->state[AT(segment)] == SEGMENT_SENT)
			mark_lost(flow, segment);
	}
}

static void see_mark(struct bottleneck *link, struct bottleneck_flow *flow)
{
	double flight = (double)in_flight(flow) / BOTTLENECK_MSS;

	flow->marks++;
	model_begin(flow);
	if (tcp_cubic_on_ecn(&flow->cubic, in_flight(flow), flow->una * BOTTLENECK_MSS,
			     flow->next * BOTTLENECK_MSS, link->now_ns) == TCP_CUBIC_ECN_SEEN)
		return;
	cubic_model_ecn(&flow->model, flight);
	settle_tie(flow);
	flow->reductions++;
}

/* ---- what comes back ---- */

/* What left before what has arrived is lost. True if the segment is news. */
static bool deliver(struct bottleneck *link, struct bottleneck_flow *flow,
		    const struct bottleneck_ack *ack)
{
	bool lost = false;

	while (flow->sent_ring.head != flow->sent_ring.tail) {
		struct bottleneck_sent *sent = &flow->sent[AT(flow->sent_ring.head)];

		if (sent->order > ack->order)
			break;
		flow->sent_ring.head++;
		if (sent->order < ack->order && flow->state[AT(sent->segment)] == SEGMENT_SENT) {
			mark_lost(flow, sent->segment);
			lost = true;
		}
	}
	if (lost && !flow->recovering)
		lose(link, flow);
	if (flow->state[AT(ack->segment)] != SEGMENT_SENT)
		return false;
	flow->state[AT(ack->segment)] = SEGMENT_DELIVERED;
	flow->pipe--;
	flow->delivered += BOTTLENECK_MSS;
	return true;
}

static void check_model(struct bottleneck_flow *flow)
{
	double cwnd = window(flow), error;

	if (flow->model.margin < 0.01) {
		flow->model.cwnd = cwnd;
		flow->model.w_est = (double)flow->cubic.epoch.w_est / BOTTLENECK_MSS;
	}
	error = fabs(cwnd / flow->model.cwnd - 1);
	if (cwnd >= 10 && error > flow->model_error)
		flow->model_error = error;
}

static void grow(struct bottleneck *link, struct bottleneck_flow *flow, uint64_t rtt_ns,
		 bool marked, uint32_t flight)
{
	struct tcp_cubic_ack ack = {
		.now_ns = link->now_ns,
		.rtt_ns = flow->no_samples ? 0 : rtt_ns,
		.srtt_ns = flow->srtt_ns,
		.delivered = BOTTLENECK_MSS,
		.in_flight = flight,
		.una = flow->una * BOTTLENECK_MSS,
		.nxt = flow->next * BOTTLENECK_MSS,
		.recovering = flow->recovering || marked,
	};

	tcp_cubic_on_ack(&flow->cubic, &ack);
	if (flow->is_reno && flow->reno_cwnd > 0 && !ack.recovering)
		flow->reno_cwnd += 1 / flow->reno_cwnd;
	if (flow->has_model && !flow->is_reno) {
		if (!ack.recovering)
			cubic_model_ack(&flow->model, 1, (double)link->now_ns / 1e9,
					(double)flow->srtt_ns / 1e9);
		check_model(flow);
	}
}

static void hear(struct bottleneck *link, struct bottleneck_flow *flow)
{
	struct bottleneck_ack ack = flow->acks[AT(flow->ack_ring.head++)];
	uint64_t rtt_ns = link->now_ns - ack.sent_ns;
	uint32_t una = flow->una, flight = in_flight(flow);

	flow->heard_ns = link->now_ns;
	flow->srtt_ns += (rtt_ns >> 3) - (flow->srtt_ns >> 3);
	if (!deliver(link, flow, &ack))
		return;
	while (flow->una != flow->next && flow->state[AT(flow->una)] == SEGMENT_DELIVERED)
		flow->state[AT(flow->una++)] = SEGMENT_NONE;
	if (flow->recovering && (int32_t)(flow->una - flow->recover) >= 0)
		flow->recovering = false;
	if (ack.marked)
		see_mark(link, flow);
	if (flow->una != una)
		grow(link, flow, rtt_ns, ack.marked, flight);
	pace(flow);
	flow->window_sum += window(flow);
	flow->window_count++;
}

/* ---- time ---- */

static uint64_t send_time(const struct bottleneck *link, const struct bottleneck_flow *flow)
{
	uint64_t at_ns = tcp_pacing_next(&flow->pacing);

	if (!can_send(flow))
		return NEVER;
	if (at_ns < flow->start_ns)
		at_ns = flow->start_ns;
	return at_ns > link->now_ns ? at_ns : link->now_ns;
}

static uint64_t ack_time(const struct bottleneck_flow *flow)
{
	if (flow->ack_ring.head == flow->ack_ring.tail)
		return NEVER;
	return flow->acks[AT(flow->ack_ring.head)].at_ns;
}

static uint64_t timer_time(const struct bottleneck_flow *flow)
{
	if (flow->pipe == 0)
		return NEVER;
	return flow->heard_ns + 2 * flow->srtt_ns + SECOND / 5;
}

/* The next event of all flows; false if there is none before `until_ns`. */
static bool step(struct bottleneck *link, uint64_t until_ns)
{
	void (*event)(struct bottleneck *, struct bottleneck_flow *) = NULL;
	struct bottleneck_flow *chosen = NULL;
	uint64_t first_ns = until_ns;

	for (unsigned int i = 0; i < link->count; i++) {
		struct bottleneck_flow *flow = &link->flow[i];
		uint64_t send_ns = send_time(link, flow), ack_ns = ack_time(flow);
		uint64_t timer_ns = timer_time(flow);

		if (ack_ns < first_ns)
			first_ns = ack_ns, event = hear, chosen = flow;
		if (send_ns < first_ns)
			first_ns = send_ns, event = transmit, chosen = flow;
		if (timer_ns < first_ns)
			first_ns = timer_ns, event = time_out, chosen = flow;
	}
	if (!event)
		return false;
	link->now_ns = first_ns;
	event(link, chosen);
	return true;
}

void bottleneck_run(struct bottleneck *link, uint64_t until_ns)
{
	until_ns += SECOND; /* time begins at one second */
	while (step(link, until_ns))
		;
	link->now_ns = until_ns;
}

void bottleneck_reset(struct bottleneck *link)
{
	for (unsigned int i = 0; i < link->count; i++) {
		struct bottleneck_flow *flow = &link->flow[i];

		flow->delivered = flow->drops = flow->marks = 0;
		flow->timeouts = flow->reductions = 0;
		flow->window_sum = 0;
		flow->window_count = 0;
	}
}

double bottleneck_fairness(const struct bottleneck *link)
{
	double sum = 0, squares = 0;

	for (unsigned int i = 0; i < link->count; i++) {
		double share = (double)link->flow[i].delivered;

		sum += share;
		squares += share * share;
	}
	return sum * sum / (link->count * squares);
}

double bottleneck_use(const struct bottleneck *link, uint64_t span_ns)
{
	double segments = 0;

	for (unsigned int i = 0; i < link->count; i++)
		segments += (double)link->flow[i].delivered / BOTTLENECK_MSS;
	return segments * BOTTLENECK_WIRE / ((double)link->rate * (double)span_ns / 1e9);
}
