/* SPDX-License-Identifier: ISC */
#include "configs/iperf/client.h"

#include <errno.h>
#include <string.h>

#include "configs/iperf/greeting.h"
#include "configs/iperf/report.h"
#include "lib/minmax.h"

#define GREET_NS IPERF_NS_PER_SECOND
#define DEFAULT_TCP_BLOCK 131072u
#define DEFAULT_UDP_BLOCK 1448u /* as iperf3 on Ethernet: what a TCP segment takes */

static void phase_set(struct iperf_client *client, enum iperf_client_phase phase)
{
	client->phase = phase;
	client->deadline_ns = iperf_now_ns(client->place) + IPERF_PHASE_NS;
}

static void finish(struct iperf_client *client, int status)
{
	if (client->phase == IPERF_CLIENT_OVER)
		return;
	client->phase = IPERF_CLIENT_OVER;
	iperf_test_end(&client->test);
	iperf_control_end(&client->control);
	iperf_report_line(client->place, status ? "iperf: failed" : "iperf Done.");
	client->place->end(client->place->context, status);
}

static void give_up(struct iperf_client *client, const char *why)
{
	iperf_report_line(client->place, "iperf: %s", why);
	finish(client, 1);
}

static bool say(struct iperf_client *client, enum iperf_state state)
{
	if (iperf_control_send_state(&client->control, state) == 0)
		return true;
	give_up(client, "the server has gone");
	return false;
}

static bool text_send(struct iperf_client *client, size_t length)
{
	if (length && iperf_control_send_text(&client->control, client->text, length) == 0)
		return true;
	give_up(client, "the server has gone");
	return false;
}

/* ---- streams, one after the other ---- */

static void stream_next(struct iperf_client *client);

static void stream_there(struct iperf_stream *stream)
{
	struct iperf_client *client = socket_context(stream->socket);

	client->opening = NULL;
	client->greet_ns = 0;
	(void)iperf_test_there(stream);
	stream_next(client);
}

static void tcp_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_client *client = context;
	struct iperf_stream *stream = client->opening;

	if (!stream || stream->socket != socket)
		return;
	if (ready & SOCKET_OVER)
		give_up(client, "a stream could not be opened");
	else if (ready & SOCKET_WRITABLE &&
		 socket_send(socket, client->cookie, IPERF_COOKIE_BYTES) == IPERF_COOKIE_BYTES)
		stream_there(stream);
}

static void greet(struct iperf_client *client)
{
	struct socket *socket = client->opening->socket;

	client->greet_ns = iperf_now_ns(client->place) + GREET_NS;
	if (socket_send(socket, iperf_greeting, IPERF_GREETING_BYTES) < 0)
		return; /* it is said again */
}

static void udp_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_client *client = context;
	uint8_t data[IPERF_GREETING_BYTES];

	(void)ready;
	/* The data of a stream that runs already is an answer, too. */
	if (client->opening && client->opening->socket == socket &&
	    socket_receive(socket, data, sizeof(data)) > 0)
		stream_there(client->opening);
}

static struct socket *stream_open(struct iperf_client *client, int *error)
{
	const struct socket_address *peer = &client->options.peer;

	if (client->test.settings.udp)
		return socket_open_udp(client->place->sockets, NULL, peer, udp_ready, client,
				       error);
	return socket_connect(client->place->sockets, NULL, peer, tcp_ready, client, error);
}

static void stream_next(struct iperf_client *client)
{
	struct iperf_test *test = &client->test;
	struct socket *socket;
	int error;

	if (test->stream_count == iperf_test_streams(&test->settings))
		return;
	socket = stream_open(client, &error);
	if (!socket) {
		give_up(client, "no socket for a stream");
		return;
	}
	iperf_test_set_options(test, socket);
	client->opening = iperf_test_add(test, socket);
	if (test->settings.udp)
		greet(client);
}

/* ---- control ---- */

static void params_send(struct iperf_client *client)
{
	size_t length =
		iperf_params_write(&client->test.settings, client->text, sizeof(client->text));

	if (text_send(client, length))
		phase_set(client, IPERF_CLIENT_CREATE);
}

static void running_begin(struct iperf_client *client)
{
	struct iperf_test *test = &client->test;

	/* The server has them all, though its last answer was lost. */
	if (test->settings.udp && client->opening)
		(void)iperf_test_there(client->opening);
	client->opening = NULL;
	client->greet_ns = 0;
	if (test->there_count != iperf_test_streams(&test->settings)) {
		give_up(client, "the server begins before the streams are there");
		return;
	}
	phase_set(client, IPERF_CLIENT_RUNNING);
	iperf_test_watch(test);
	iperf_test_begin(test, client->options.interval_s);
}

static void results_send(struct iperf_client *client)
{
	iperf_test_results(&client->test, &client->results);
	if (!text_send(client,
		       iperf_results_write(&client->results, client->text, sizeof(client->text))))
		return;
	phase_set(client, IPERF_CLIENT_RESULTS);
	iperf_control_expect(&client->control, IPERF_READ_TEXT);
}

static void results_take(struct iperf_client *client, const struct iperf_event *event)
{
	if (iperf_results_read(event->text, event->length, &client->results)) {
		give_up(client, "the server's results cannot be read");
		return;
	}
	iperf_test_take_results(&client->test, &client->results);
	phase_set(client, IPERF_CLIENT_DISPLAY);
}

static void display(struct iperf_client *client)
{
	iperf_report_end(&client->test);
	if (say(client, IPERF_DONE))
		finish(client, 0);
}

static void state_take(struct iperf_client *client, int8_t state)
{
	enum iperf_client_phase phase = client->phase;

	if (state == IPERF_PARAM_EXCHANGE && phase == IPERF_CLIENT_PARAMS) {
		params_send(client);
	} else if (state == IPERF_CREATE_STREAMS && phase == IPERF_CLIENT_CREATE) {
		phase_set(client, IPERF_CLIENT_STREAMS);
		stream_next(client);
	} else if (state == IPERF_TEST_START && phase == IPERF_CLIENT_STREAMS) {
		phase_set(client, IPERF_CLIENT_STREAMS);
	} else if (state == IPERF_TEST_RUNNING && phase == IPERF_CLIENT_STREAMS) {
		running_begin(client);
	} else if (state == IPERF_EXCHANGE_RESULTS && phase == IPERF_CLIENT_EXCHANGE) {
		results_send(client);
	} else if (state == IPERF_DISPLAY_RESULTS && phase == IPERF_CLIENT_DISPLAY) {
		display(client);
	} else if (state == IPERF_ACCESS_DENIED) {
		give_up(client, "the server is busy with another test");
	} else if (state == IPERF_SERVER_TERMINATE) {
		give_up(client, "the server was told to stop");
	} else if (state == IPERF_SERVER_ERROR) {
		iperf_control_expect(&client->control, IPERF_READ_ERROR);
	} else {
		give_up(client, "the server says what does not belong here");
	}
}

static void event_take(struct iperf_client *client, const struct iperf_event *event)
{
	if (!event->text) {
		state_take(client, event->state);
	} else if (client->phase == IPERF_CLIENT_RESULTS) {
		results_take(client, event);
	} else {
		iperf_report_line(client->place, "iperf: the server's error %u, %u",
				  event->error[0], event->error[1]);
		finish(client, 1);
	}
}

static void control_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_client *client = context;
	struct iperf_event event;
	int there = 0;

	if (client->phase == IPERF_CLIENT_CONNECTING && ready & SOCKET_WRITABLE) {
		phase_set(client, IPERF_CLIENT_PARAMS);
		there = iperf_control_send(&client->control, client->cookie, IPERF_COOKIE_BYTES);
	}
	/* Whatever is said ends the test or brings it one phase further. */
	while (client->control.socket == socket && there >= 0) {
		there = iperf_control_flush(&client->control);
		if (there < 0)
			break;
		there = iperf_control_next(&client->control, &event);
		if (there == 0)
			break;
		if (there > 0)
			event_take(client, &event);
	}
	if (client->control.socket == socket && (there < 0 || ready & SOCKET_OVER))
		give_up(client, client->phase == IPERF_CLIENT_CONNECTING
					? "the server cannot be reached"
					: "the server has gone");
}

/* ---- time ---- */

static void over_check(struct iperf_client *client, uint64_t now_ns)
{
	if (client->phase != IPERF_CLIENT_RUNNING)
		return;
	if (client->test.broken) {
		give_up(client, "a stream has ended");
		return;
	}
	if (!iperf_test_is_over(&client->test, now_ns))
		return;
	iperf_test_stop(&client->test);
	if (say(client, IPERF_TEST_END))
		phase_set(client, IPERF_CLIENT_EXCHANGE);
}

static uint64_t limit_ns(const struct iperf_client *client)
{
	if (client->phase == IPERF_CLIENT_OVER)
		return UINT64_MAX;
	if (client->phase == IPERF_CLIENT_RUNNING)
		return client->test.settings.seconds ? UINT64_MAX
						     : client->test.heard_ns + IPERF_PHASE_NS;
	return client->deadline_ns;
}

void iperf_client_run(struct iperf_client *client, uint64_t now_ns)
{
	if (limit_ns(client) <= now_ns)
		give_up(client, "the server has said nothing for too long");
	if (client->greet_ns && client->greet_ns <= now_ns && client->opening)
		greet(client);
	iperf_test_run(&client->test, now_ns);
	over_check(client, now_ns);
}

uint64_t iperf_client_next_ns(const struct iperf_client *client)
{
	uint64_t next = min64(iperf_test_next_ns(&client->test), limit_ns(client));

	return client->greet_ns ? min64(next, client->greet_ns) : next;
}

int iperf_client_begin(struct iperf_client *client, const struct iperf_place *place,
		       const struct iperf_options *options)
{
	struct iperf_settings *settings = &client->test.settings;
	struct socket *socket;
	int error;

	memset(client, 0, sizeof(*client));
	client->place = place;
	client->options = *options;
	iperf_payload_make(place->random);
	iperf_cookie_make(place->random, client->cookie);
	iperf_test_init(&client->test, place, false);
	*settings = options->settings;
	if (!settings->block_bytes)
		settings->block_bytes = settings->udp ? DEFAULT_UDP_BLOCK : DEFAULT_TCP_BLOCK;
	phase_set(client, IPERF_CLIENT_CONNECTING);
	iperf_report_peer(place, "Connecting to host", &options->peer);
	socket =
		socket_connect(place->sockets, NULL, &options->peer, control_ready, client, &error);
	if (!socket)
		return error;
	iperf_control_begin(&client->control, socket);
	return 0;
}
