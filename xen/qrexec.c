/* SPDX-License-Identifier: ISC */
/*
 * The control channel. One fiber reads and writes it, never waiting in the middle of either,
 * so that a daemon that writes without reading is still read, and no message is cut by
 * another one. When the daemon ends, or breaks the protocol, the server is built anew for
 * the next one; calls go on, as each has a channel of its own.
 */
#include "xen/qrexec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include "arch/x86/clock.h"
#include "xen/qrexec_internal.h"
#include "xen/store.h"

#define RING_BYTES 4096u
/* Nobody makes us build servers faster than this: after a daemon that left at once, and
 * after one that did what it must not. */
#define AGAIN_NS (QREXEC_SECOND_NS / 5)
#define RETRY_NS QREXEC_SECOND_NS
#define LOOK_NS (10u * QREXEC_SECOND_NS) /* how often a silent daemon's life is asked for */
/* A client that comes and says nothing may wait for what another one has read. */
#define HELLO_NS (10u * QREXEC_SECOND_NS)
#define STEPS_PER_TURN 16u /* reads before other fibers have their turn */
#define ANSWER_BYTES QREXEC_TERMINATED_BYTES

/* ---- output ---- */

bool qrexec_output(struct qrexec *agent, const uint8_t *message, size_t bytes, size_t reserve)
{
	if (bytes + reserve > QREXEC_OUTPUT_BYTES - agent->output_bytes)
		return false;
	memcpy(agent->output + agent->output_bytes, message, bytes);
	agent->output_bytes += (uint32_t)bytes;
	fiber_event_signal(&agent->event);
	return true;
}

void qrexec_terminated(struct qrexec *agent, uint32_t session, const struct qrexec_params *params)
{
	uint8_t message[QREXEC_TERMINATED_BYTES];
	size_t bytes = qrexec_wire_put_terminated(message, params);

	/* The next daemon knows nothing of this call and may have given its port away again. */
	while (agent->session == session && agent->version &&
	       !qrexec_output(agent, message, bytes, ANSWER_BYTES))
		(void)!fiber_event_wait(&agent->room, FIBER_FOREVER);
}

/* The count that went out, or an error. */
static int64_t output_pump(struct qrexec *agent)
{
	int64_t put;

	if (!agent->output_bytes)
		return 0;
	put = vchan_try_write(agent->vchan, agent->output, agent->output_bytes);
	if (put <= 0)
		return put;
	agent->output_bytes -= (uint32_t)put;
	memmove(agent->output, agent->output + put, agent->output_bytes);
	fiber_event_signal(&agent->room);
	return put;
}

/* ---- input ---- */

static void path_write(const struct qrexec *agent, char to[VCHAN_PATH_BYTES])
{
	snprintf(to, VCHAN_PATH_BYTES, "data/vchan/%u/%u", agent->config.daemon, QREXEC_PORT);
}

/*
 * A client has come. The server takes no second one: a daemon that follows this one quickly
 * must not find it, or it would go on in the middle of what was said to the first.
 */
static void server_hide(struct qrexec *agent)
{
	char path[VCHAN_PATH_BYTES];

	if (agent->is_hidden || vchan_state(agent->vchan) == VCHAN_LISTENING)
		return;
	agent->is_hidden = true;
	agent->hello_by_ns = clock_now_ns() + HELLO_NS;
	path_write(agent, path);
	(void)!store_remove(STORE_NO_TRANSACTION, path);
}

static int hello_handle(struct qrexec *agent)
{
	int version = qrexec_wire_parse_hello(&agent->receiver.header, agent->receiver.body);

	if (version < 0)
		return version;
	agent->version = (uint32_t)version;
	agent->count.sessions++;
	log_limited(&agent->log_limit, LOG_INFO, "qrexec", "connected, version %d", version);
	if (agent->config.connected)
		agent->config.connected(agent->config.context);
	return 0;
}

static int message_handle(struct qrexec *agent)
{
	const struct qrexec_header *header = &agent->receiver.header;
	const uint8_t *body = agent->receiver.body;
	size_t kept = qrexec_receiver_kept(&agent->receiver);

	if (!agent->version)
		return hello_handle(agent);
	switch (header->type) {
	case QREXEC_EXEC_CMDLINE:
	case QREXEC_JUST_EXEC:
		qrexec_call_begin(agent, header, body, kept);
		return 0;
	case QREXEC_SERVICE_CONNECT:
		qrexec_trigger_connect(agent, body, header->length);
		return 0;
	case QREXEC_SERVICE_REFUSED:
		qrexec_trigger_refuse(agent, body, header->length);
		return 0;
	default:
		agent->count.strange++;
		log_limited(&agent->log_limit, LOG_WARNING, "qrexec",
			    "message 0x%" PRIx32 " of %" PRIu32 " bytes is not known, skipped",
			    header->type, header->length);
		return 0;
	}
}

/* One read: the count, 0 for nothing now, or an error. */
static int64_t input_step(struct qrexec *agent)
{
	uint8_t *to;
	size_t room = qrexec_receiver_room(&agent->receiver, &to);
	int64_t got = vchan_try_read(agent->vchan, to, room);
	int whole, error;

	if (got <= 0)
		return got;
	whole = qrexec_receiver_add(&agent->receiver, (size_t)got);
	if (whole < 0)
		return whole;
	if (whole) {
		error = message_handle(agent);
		qrexec_receiver_init(&agent->receiver);
		if (error)
			return error;
	}
	return got;
}

/* Reads only while there is room for what may have to be answered. */
static int64_t input_pump(struct qrexec *agent)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < STEPS_PER_TURN; i++) {
		int64_t got;

		if (QREXEC_OUTPUT_BYTES - agent->output_bytes < ANSWER_BYTES)
			break;
		got = input_step(agent);
		if (got < 0)
			return got;
		if (!got)
			break;
		sum += got;
	}
	return sum;
}

/* ---- sessions ---- */

static int session_open(struct qrexec *agent)
{
	uint8_t hello[QREXEC_HELLO_BYTES];
	char path[VCHAN_PATH_BYTES];
	int error;

	agent->domid = store_domid();
	path_write(agent, path);
	qrexec_receiver_init(&agent->receiver);
	error = vchan_listen(agent->config.daemon, path, RING_BYTES, RING_BYTES, &agent->event,
			     &agent->vchan);
	if (error) {
		agent->vchan = NULL;
		return error;
	}
	/* It is there when the daemon comes: so long nothing else is in the output. */
	return qrexec_output(agent, hello, qrexec_wire_put_hello(hello), 0) ? 0 : -ENOSPC;
}

/* Until something happens or it is time to look at the daemon's life. */
static int session_wait(struct qrexec *agent)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t until_ns = now_ns + LOOK_NS;

	if (!agent->is_hidden)
		until_ns = FIBER_FOREVER;
	else if (!agent->version && now_ns >= agent->hello_by_ns)
		return -ETIMEDOUT;
	if (fiber_event_wait(&agent->event, until_ns) == -ETIMEDOUT)
		(void)vchan_state(agent->vchan); /* the next read tells of what it saw */
	return 0;
}

/* Until the daemon has gone (-EPIPE) or done what it must not. */
static int session_run(struct qrexec *agent)
{
	for (;;) {
		int64_t in, out;
		int error = 0;

		server_hide(agent);
		in = input_pump(agent);
		out = in < 0 ? in : output_pump(agent);
		if (out < 0)
			return (int)out;
		if (in > 0 || out > 0)
			fiber_yield();
		else
			error = session_wait(agent);
		if (error)
			return error;
	}
}

static void session_close(struct qrexec *agent)
{
	vchan_close(agent->vchan);
	agent->vchan = NULL;
	agent->is_hidden = false;
	agent->version = 0;
	agent->session++;
	agent->output_bytes = 0;
	qrexec_trigger_lose_all(agent);
	fiber_event_signal(&agent->room);
}

static void session_log(struct qrexec *agent, int error)
{
	if (error == -EPIPE)
		log_limited(&agent->log_limit, LOG_INFO, "qrexec",
			    "the daemon has gone; the next one may come");
	else
		log_limited(&agent->log_limit, LOG_WARNING, "qrexec",
			    "control channel given up: error %d", error);
}

static void agent_serve(void *argument)
{
	struct qrexec *agent = argument;

	for (;;) {
		uint64_t began_ns = clock_now_ns();
		int error = session_open(agent);

		if (!error)
			error = session_run(agent);
		session_log(agent, error);
		session_close(agent);
		if (error != -EPIPE)
			fiber_sleep_until(clock_now_ns() + RETRY_NS);
		else if (clock_now_ns() - began_ns < AGAIN_NS)
			fiber_sleep_until(began_ns + AGAIN_NS);
	}
}

int qrexec_start(const struct qrexec_config *config, struct qrexec **qrexec)
{
	struct qrexec *agent = calloc(1, sizeof(*agent));
	int error;

	if (!agent)
		return -ENOMEM;
	agent->config = *config;
	agent->domid = DOMID_INVALID;
	agent->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	list_init(&agent->triggers);
	list_init(&agent->call_list);
	fiber_event_init(&agent->event);
	fiber_event_init(&agent->room);
	error = fiber_start("qrexec", agent_serve, agent);
	if (error) {
		free(agent);
		return error;
	}
	*qrexec = agent;
	return 0;
}

/* ---- what is told ---- */

bool qrexec_is_connected(const struct qrexec *qrexec)
{
	return qrexec->version != 0;
}

void qrexec_print_stats(const struct qrexec *qrexec, void (*line)(void *context, const char *text),
			void *context)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "qrexec: version %" PRIu32 " (0: not connected), connected %" PRIu64
		 " times, strange messages %" PRIu64,
		 qrexec->version, qrexec->count.sessions, qrexec->count.strange);
	line(context, text);
	snprintf(text, sizeof(text),
		 "qrexec: calls %" PRIu32 " now, %" PRIu64 " in all, no service %" PRIu64
		 ", refused %" PRIu64 ", dropped %" PRIu64 ", lost %" PRIu64,
		 qrexec->calls, qrexec->count.calls, qrexec->count.no_service,
		 qrexec->count.refused, qrexec->count.dropped, qrexec->count.lost);
	line(context, text);
	snprintf(text, sizeof(text), "qrexec: own calls %" PRIu32 " now, %" PRIu64 " in all",
		 qrexec->trigger_count, qrexec->count.triggers);
	line(context, text);
}
