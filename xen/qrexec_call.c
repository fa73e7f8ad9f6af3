/* SPDX-License-Identifier: ISC */
/*
 * Calls of our services. Each has a fiber and is the client of a vchan that the caller made.
 * What cannot be served is answered there as well, with a text on standard error and an exit
 * code; beyond a number of those the daemon is told that the call has ended, no more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/qrexec_internal.h"

/* An agent of another qube may be slow to serve; dom0 gives up after ten seconds. */
#define CONNECT_NS (30u * QREXEC_SECOND_NS)
#define CONNECT_AGAIN_NS (QREXEC_SECOND_NS / 5)
#define HELLO_NS (30u * QREXEC_SECOND_NS)
/* The callers' rings, each: what all known callers have. The window for mapping others' pages
 * is shared with the network, and some pages of it for each call must be enough. */
#define RING_BYTES_MAX 65536u
#define BUFFER_BYTES 256u
#define LINE_BYTES 256u

struct qrexec_call {
	struct list link; /* in the agent's list, unless it is refused */
	struct qrexec *agent;
	uint32_t session; /* in which it was asked for */
	struct qrexec_params params;
	struct qrexec_command command;
	bool just_exec;	     /* nobody gives input or hears output */
	const char *refusal; /* why it is not served; NULL: it is */
	int refusal_code;
	bool input_over, output_closed;
	bool heard;			     /* its exit code went out */
	bool told;			     /* the daemon knows that its channel is closed */
	uint32_t buffer_first, buffer_count; /* input that a line did not need */
	char buffer[BUFFER_BYTES];
	struct qrexec_data data;
};

/* ---- for services ---- */

const char *qrexec_call_argument(const struct qrexec_call *call)
{
	return call->command.argument;
}

const char *qrexec_call_source(const struct qrexec_call *call)
{
	return call->command.source;
}

/* Finds the next piece of input: 1 there is some, 0 at the end of it. */
static int input_find(struct qrexec_call *call, uint64_t deadline_ns)
{
	struct qrexec_data *data = &call->data;

	while (!data->left && !call->input_over) {
		int error = qrexec_data_next(data, deadline_ns);

		if (error)
			return error;
		if (data->header.type != QREXEC_STDIN) {
			data->error = -EPROTO;
			return -EPROTO;
		}
		call->input_over = data->header.length == 0;
	}
	return !call->input_over;
}

static size_t buffer_take(struct qrexec_call *call, void *to, size_t size)
{
	size_t count = size < call->buffer_count ? size : call->buffer_count;

	memcpy(to, call->buffer + call->buffer_first, count);
	call->buffer_first += (uint32_t)count;
	call->buffer_count -= (uint32_t)count;
	return count;
}

int64_t qrexec_call_read(struct qrexec_call *call, void *to, size_t size, uint64_t deadline_ns)
{
	int found;

	if (call->buffer_count && size)
		return (int64_t)buffer_take(call, to, size);
	if (!size)
		return -EINVAL;
	found = input_find(call, deadline_ns);
	return found > 0 ? qrexec_data_read(&call->data, to, size, deadline_ns) : found;
}

/* 1: the buffer has something, 0: the input is over. */
static int buffer_fill(struct qrexec_call *call, uint64_t deadline_ns)
{
	int64_t got;

	if (call->buffer_count)
		return 1;
	got = qrexec_call_read(call, call->buffer, BUFFER_BYTES, deadline_ns);
	if (got <= 0)
		return (int)got;
	call->buffer_first = 0;
	call->buffer_count = (uint32_t)got;
	return 1;
}

int qrexec_call_read_line(struct qrexec_call *call, char *to, size_t size, uint64_t deadline_ns)
{
	size_t used = 0;

	for (;;) {
		int found = buffer_fill(call, deadline_ns);
		char letter = '\n';

		if (found < 0)
			return found;
		if (!found && !used)
			return -ENODATA;
		if (found)
			buffer_take(call, &letter, 1);
		if (letter == '\n')
			break;
		if (used + 1 >= size)
			return -E2BIG;
		to[used++] = letter;
	}
	to[used] = '\0';
	return (int)used;
}

void qrexec_call_ignore_input(struct qrexec_call *call)
{
	call->data.discard = true;
}

static int output_send(struct qrexec_call *call, enum qrexec_type type, const void *from,
		       size_t size)
{
	if (!size || call->just_exec)
		return 0;
	return qrexec_data_send(&call->data, type, from, size);
}

int qrexec_call_write(struct qrexec_call *call, const void *from, size_t size)
{
	if (call->output_closed)
		return -EINVAL;
	return output_send(call, QREXEC_STDOUT, from, size);
}

int qrexec_call_write_error(struct qrexec_call *call, const void *from, size_t size)
{
	return output_send(call, QREXEC_STDERR, from, size);
}

int qrexec_call_close_output(struct qrexec_call *call)
{
	if (call->output_closed)
		return 0;
	call->output_closed = true;
	return call->just_exec ? 0 : qrexec_data_send(&call->data, QREXEC_STDOUT, NULL, 0);
}

int qrexec_call_print(struct qrexec_call *call, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return -EINVAL;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;
	return qrexec_call_write(call, text, (size_t)length);
}

/* ---- the call's fiber ---- */

static const struct qrexec_service *service_find(const struct qrexec_call *call)
{
	const struct qrexec_config *config = &call->agent->config;

	for (uint32_t i = 0; call->command.is_service && i < config->service_count; i++)
		if (strcmp(config->services[i].name, call->command.service) == 0)
			return &config->services[i];
	return NULL;
}

static int no_service_say(struct qrexec_call *call)
{
	char text[LINE_BYTES];
	int length;

	call->agent->count.no_service++;
	if (call->command.is_service)
		length = snprintf(text, sizeof(text), "qrexec: there is no service %s here\n",
				  call->command.service);
	else
		length = snprintf(text, sizeof(text), "qrexec: there is no shell here\n");
	(void)!qrexec_call_write_error(call, text, (size_t)length);
	return QREXEC_NO_SERVICE;
}

static int call_answer(struct qrexec_call *call)
{
	const struct qrexec_service *service = service_find(call);

	if (call->refusal) {
		(void)!qrexec_call_write_error(call, call->refusal, strlen(call->refusal));
		return call->refusal_code;
	}
	return service ? service->run(call, call->agent->config.context) : no_service_say(call);
}

/* The caller is told that it has begun, which is all that it wants to know: no streams. */
static void just_exec_run(struct qrexec_call *call)
{
	int code = call->refusal ? call->refusal_code : service_find(call) ? 0 : QREXEC_NO_SERVICE;

	call->heard = !qrexec_data_send_exit(&call->data, false, false, code);
	qrexec_data_close(&call->data);
	qrexec_terminated(call->agent, call->session, &call->params);
	call->told = true;
	call->input_over = true;
	(void)call_answer(call);
}

static void call_run(struct qrexec_call *call)
{
	int code;

	if (call->just_exec) {
		just_exec_run(call);
		return;
	}
	code = call_answer(call);
	/* The caller may still have input for us, and be waiting to get rid of it. */
	call->data.discard = true;
	call->heard = !call->data.error &&
		      !qrexec_data_send_exit(&call->data, !call->output_closed, true, code);
}

/*
 * We may hear of the call before the caller's server is there. Then its nodes may be those of
 * one that was killed before anybody came, as ports are given out again: such a server has
 * ended, or what the nodes name is none any more.
 */
static int call_connect_vchan(struct qrexec_call *call)
{
	struct qrexec_data *data = &call->data;
	uint64_t deadline_ns = clock_now_ns() + CONNECT_NS;
	char path[VCHAN_PATH_BYTES];

	snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/data/vchan/%u/%" PRIu32,
		 call->params.domain, call->agent->domid, call->params.port);
	for (;;) {
		int error =
			vchan_connect_within((uint16_t)call->params.domain, path, RING_BYTES_MAX,
					     &data->event, deadline_ns, &data->vchan);

		if ((error != -EPIPE && error != -EINVAL) ||
		    clock_now_ns() + CONNECT_AGAIN_NS >= deadline_ns)
			return error;
		fiber_sleep_until(clock_now_ns() + CONNECT_AGAIN_NS);
	}
}

static int call_connect(struct qrexec_call *call)
{
	struct qrexec_data *data = &call->data;
	int error = call_connect_vchan(call);

	if (error) {
		data->vchan = NULL;
		return error;
	}
	error = qrexec_data_send_hello(data);
	return error ? error : qrexec_data_await_hello(data, clock_now_ns() + HELLO_NS);
}

static void call_end(struct qrexec_call *call)
{
	struct qrexec *agent = call->agent;

	qrexec_data_close(&call->data);
	list_remove(&call->link);
	if (call->refusal)
		agent->refusals--;
	else
		agent->calls--;
	if (!call->told)
		qrexec_terminated(agent, call->session, &call->params);
	free(call);
}

static void call_fiber(void *argument)
{
	struct qrexec_call *call = argument;
	struct qrexec *agent = call->agent;
	int error = call_connect(call);

	if (!error)
		call_run(call);
	if (!call->heard) {
		agent->count.lost++;
		log_limited(&agent->log_limit, LOG_INFO, "qrexec",
			    "call of %s from domain %" PRIu32 " lost: error %d",
			    call->command.is_service ? call->command.service : "a shell",
			    call->params.domain, error ? error : call->data.error);
	}
	call_end(call);
}

/* ---- asked for by the daemon ---- */

static uint32_t calls_of(const struct qrexec *agent, uint32_t domain)
{
	uint32_t count = 0;

	list_for_each(link, &agent->call_list)
		count += list_entry(link, const struct qrexec_call, link)->params.domain == domain;
	return count;
}

/*
 * dom0 gets through also when other qubes have taken all that they may, and so does a qube
 * when another one has.
 */
static bool is_place_free(const struct qrexec *agent, uint32_t domain)
{
	if (domain == agent->config.daemon)
		return agent->calls < QREXEC_CALLS_MAX;
	return agent->calls < QREXEC_CALLS_MAX - QREXEC_CALLS_RESERVED &&
	       calls_of(agent, domain) < QREXEC_CALLS_OF_ONE;
}

static void call_judge(struct qrexec_call *call, const uint8_t *body, size_t kept, size_t length)
{
	const char *line = (const char *)body + QREXEC_PARAMS_BYTES;
	int error = qrexec_wire_parse_command(line, kept - QREXEC_PARAMS_BYTES, &call->command);

	call->refusal_code = QREXEC_PROBLEM;
	if (kept < length || error == -ENAMETOOLONG)
		call->refusal = "qrexec: the command is too long\n";
	else if (error)
		call->refusal = "qrexec: the command is not understood\n";
	else if (!is_place_free(call->agent, call->params.domain))
		call->refusal = "qrexec: too many calls at once\n";
}

static int call_start(struct qrexec_call *call)
{
	struct qrexec *agent = call->agent;
	uint32_t *places = call->refusal ? &agent->refusals : &agent->calls;
	int error;

	if (call->refusal && agent->refusals >= QREXEC_REFUSALS_MAX)
		return -EBUSY;
	error = fiber_start("call", call_fiber, call);
	if (error)
		return error;
	(*places)++;
	if (call->refusal) {
		agent->count.refused++;
	} else {
		agent->count.calls++;
		list_push_back(&agent->call_list, &call->link);
	}
	return 0;
}

static int call_create(struct qrexec *agent, const struct qrexec_params *params,
		       const struct qrexec_header *header, const uint8_t *body, size_t kept)
{
	struct qrexec_call *call = calloc(1, sizeof(*call));
	int error;

	if (!call)
		return -ENOMEM;
	list_init(&call->link);
	call->agent = agent;
	call->session = agent->session;
	call->params = *params;
	call->just_exec = header->type == QREXEC_JUST_EXEC;
	qrexec_data_init(&call->data);
	call_judge(call, body, kept, header->length);
	error = call_start(call);
	if (error)
		free(call);
	return error;
}

void qrexec_call_begin(struct qrexec *agent, const struct qrexec_header *header,
		       const uint8_t *body, size_t kept)
{
	uint8_t message[QREXEC_TERMINATED_BYTES];
	struct qrexec_params params;
	int error = qrexec_wire_parse_params(body, kept, &params);

	if (!error)
		error = qrexec_wire_check_params(&params);
	if (error) {
		agent->count.strange++;
		log_limited(&agent->log_limit, LOG_WARNING, "qrexec",
			    "a call names no domain and port that can be");
		return;
	}
	error = params.domain == agent->domid ? -EINVAL
					      : call_create(agent, &params, header, body, kept);
	if (!error)
		return;
	agent->count.dropped++;
	log_limited(&agent->log_limit, LOG_WARNING, "qrexec",
		    "a call from domain %" PRIu32 " is dropped: error %d", params.domain, error);
	(void)!qrexec_output(agent, message, qrexec_wire_put_terminated(message, &params), 0);
}
