/* SPDX-License-Identifier: ISC */
/*
 * Our own calls of services of dom0 or other qubes. dom0 answers a request with the far end's
 * domain and port, for which we then serve a vchan, or refuses it. Each has a fiber, from the
 * request to its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/qrexec_internal.h"

/* dom0 may have to ask its user first. */
#define ANSWER_NS (300u * QREXEC_SECOND_NS)
#define CLIENT_NS (30u * QREXEC_SECOND_NS)
#define RUN_NS (300u * QREXEC_SECOND_NS)
#define RING_BYTES 4096u
/* Ends of calls come before new requests. */
#define OUTPUT_RESERVE 1024u

enum trigger_state { TRIGGER_ASKED, TRIGGER_ACCEPTED, TRIGGER_REFUSED, TRIGGER_LOST };

struct qrexec_trigger {
	struct list link; /* in the agent's triggers while it is asked for */
	struct qrexec *agent;
	uint32_t session;
	enum trigger_state state;
	struct qrexec_ident ident;
	struct qrexec_params params; /* once it is accepted */
	struct fiber_event event;    /* the state has changed */
	struct qrexec_data data;
	void (*done)(void *context, int result);
	void *context;
};

/* ---- what the daemon answers ---- */

static void trigger_answer(struct qrexec_trigger *trigger, enum trigger_state state)
{
	list_remove(&trigger->link);
	trigger->state = state;
	fiber_event_signal(&trigger->event);
}

static struct qrexec_trigger *trigger_find(const struct qrexec *agent,
					   const struct qrexec_ident *ident)
{
	list_for_each(link, &agent->triggers) {
		struct qrexec_trigger *trigger = list_entry(link, struct qrexec_trigger, link);

		if (memcmp(&trigger->ident, ident, sizeof(*ident)) == 0)
			return trigger;
	}
	return NULL;
}

static void strange_answer(struct qrexec *agent, const char *what)
{
	agent->count.strange++;
	log_limited(&agent->log_limit, LOG_WARNING, "qrexec", "%s", what);
}

/* One that we do not wait for any more is over before it began. */
static void connect_nobody(struct qrexec *agent, const struct qrexec_params *params)
{
	uint8_t message[QREXEC_TERMINATED_BYTES];

	strange_answer(agent, "an answer to a request that nobody waits for");
	(void)!qrexec_output(agent, message, qrexec_wire_put_terminated(message, params), 0);
}

void qrexec_trigger_connect(struct qrexec *agent, const uint8_t *body, size_t bytes)
{
	struct qrexec_trigger *trigger;
	struct qrexec_params params;
	struct qrexec_ident ident;

	if (qrexec_wire_parse_connect(body, bytes, &params, &ident) ||
	    qrexec_wire_check_params(&params) || params.domain == agent->domid) {
		strange_answer(agent, "an answer to a request cannot be understood");
		return;
	}
	trigger = trigger_find(agent, &ident);
	if (!trigger) {
		connect_nobody(agent, &params);
		return;
	}
	trigger->params = params;
	trigger_answer(trigger, TRIGGER_ACCEPTED);
}

void qrexec_trigger_refuse(struct qrexec *agent, const uint8_t *body, size_t bytes)
{
	struct qrexec_trigger *trigger;
	struct qrexec_ident ident;

	if (qrexec_wire_parse_refused(body, bytes, &ident)) {
		strange_answer(agent, "a refusal cannot be understood");
		return;
	}
	trigger = trigger_find(agent, &ident);
	if (trigger)
		trigger_answer(trigger, TRIGGER_REFUSED);
	else
		strange_answer(agent, "a refusal of a request that nobody waits for");
}

void qrexec_trigger_lose_all(struct qrexec *agent)
{
	list_for_each_safe(link, spare, &agent->triggers) {
		trigger_answer(list_entry(link, struct qrexec_trigger, link), TRIGGER_LOST);
	}
}

/* ---- the request's fiber ---- */

/* Until the far end tells its exit code: that, or an error. */
static int exit_code_await(struct qrexec_data *data, uint64_t deadline_ns)
{
	uint8_t code[4];

	for (;;) {
		int error = clock_now_ns() < deadline_ns ? qrexec_data_next(data, deadline_ns)
							 : -ETIMEDOUT;

		if (!error && data->header.type == QREXEC_EXIT_CODE)
			break;
		if (!error && data->header.type == QREXEC_STDIN)
			error = -EPROTO;
		if (!error)
			error = qrexec_data_drop(data, deadline_ns);
		if (error)
			return error;
	}
	for (size_t have = 0; have < sizeof(code);) {
		int64_t got = qrexec_data_read(data, code + have, sizeof(code) - have, deadline_ns);

		if (got < 0)
			return (int)got;
		have += (size_t)got;
	}
	return qrexec_wire_exit_code(code);
}

static int channel_open(struct qrexec_trigger *trigger)
{
	struct qrexec_data *data = &trigger->data;
	uint64_t deadline_ns = clock_now_ns() + CLIENT_NS;
	char path[VCHAN_PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), "data/vchan/%" PRIu32 "/%" PRIu32, trigger->params.domain,
		 trigger->params.port);
	error = vchan_listen((uint16_t)trigger->params.domain, path, RING_BYTES, RING_BYTES,
			     &data->event, &data->vchan);
	if (error) {
		data->vchan = NULL;
		return error;
	}
	error = qrexec_data_send_hello(data);
	if (!error)
		error = vchan_wait_client(data->vchan, deadline_ns);
	return error ? error : qrexec_data_await_hello(data, deadline_ns);
}

static int channel_run(struct qrexec_trigger *trigger)
{
	int result = channel_open(trigger);

	if (!result) /* no input */
		result = qrexec_data_send(&trigger->data, QREXEC_STDIN, NULL, 0);
	if (!result)
		result = exit_code_await(&trigger->data, clock_now_ns() + RUN_NS);
	qrexec_data_close(&trigger->data);
	qrexec_terminated(trigger->agent, trigger->session, &trigger->params);
	return result;
}

static int trigger_run(struct qrexec_trigger *trigger)
{
	uint64_t deadline_ns = clock_now_ns() + ANSWER_NS;

	while (trigger->state == TRIGGER_ASKED)
		if (fiber_event_wait(&trigger->event, deadline_ns) &&
		    trigger->state == TRIGGER_ASKED)
			return -ETIMEDOUT;
	switch (trigger->state) {
	case TRIGGER_ACCEPTED:
		return channel_run(trigger);
	case TRIGGER_REFUSED:
		return -EACCES;
	default:
		return -EPIPE;
	}
}

static void trigger_fiber(void *argument)
{
	struct qrexec_trigger *trigger = argument;
	int result = trigger_run(trigger);

	list_remove(&trigger->link);
	trigger->agent->trigger_count--;
	if (trigger->done)
		trigger->done(trigger->context, result);
	free(trigger);
}

static struct qrexec_trigger *trigger_create(struct qrexec *agent)
{
	struct qrexec_trigger *trigger = calloc(1, sizeof(*trigger));

	if (!trigger)
		return NULL;
	trigger->agent = agent;
	trigger->session = agent->session;
	list_init(&trigger->link);
	fiber_event_init(&trigger->event);
	qrexec_data_init(&trigger->data);
	snprintf(trigger->ident.text, sizeof(trigger->ident.text), "ringwall-%" PRIu64,
		 agent->next_ident++);
	return trigger;
}

/* Its fiber finds it in the agent's list only after the request is in the output. */
static int trigger_ask(struct qrexec_trigger *trigger, const uint8_t *message, size_t bytes)
{
	struct qrexec *agent = trigger->agent;
	int error;

	if (bytes + OUTPUT_RESERVE > QREXEC_OUTPUT_BYTES - agent->output_bytes)
		return -EBUSY;
	error = fiber_start("trigger", trigger_fiber, trigger);
	if (error)
		return error;
	(void)!qrexec_output(agent, message, bytes, OUTPUT_RESERVE);
	list_push_back(&agent->triggers, &trigger->link);
	agent->trigger_count++;
	agent->count.triggers++;
	return 0;
}

int qrexec_trigger(struct qrexec *qrexec, const char *service, const char *target,
		   void (*done)(void *context, int result), void *context)
{
	uint8_t message[QREXEC_TRIGGER_BYTES];
	struct qrexec_trigger *trigger;
	size_t bytes;
	int error;

	if (!qrexec->version)
		return -ENOTCONN;
	if (qrexec->trigger_count >= QREXEC_TRIGGERS_MAX)
		return -EBUSY;
	trigger = trigger_create(qrexec);
	if (!trigger)
		return -ENOMEM;
	trigger->done = done;
	trigger->context = context;
	bytes = qrexec_wire_put_trigger(message, qrexec->version, service, target, &trigger->ident);
	error = bytes ? trigger_ask(trigger, message, bytes) : -EINVAL;
	if (error)
		free(trigger);
	return error;
}
