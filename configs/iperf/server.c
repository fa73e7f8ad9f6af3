/* SPDX-License-Identifier: ISC */
#include "configs/iperf/server.h"

#include <errno.h>
#include <string.h>

#include "configs/iperf/greeting.h"
#include "configs/iperf/report.h"

#define COOKIE_NS (10 * IPERF_NS_PER_SECOND)
/* A client that does not say when its time is over. */
#define GRACE_NS (15 * IPERF_NS_PER_SECOND)
/* iperf3's numbers of what went wrong, which its client turns into words. */
#define ERROR_PARAMS 122u  /* IERECVPARAMS */
#define ERROR_RESULTS 117u /* IERECVRESULTS */
#define ERROR_STREAMS 203u /* IESTREAMACCEPT */

/* ---- phases ---- */

static void phase_set(struct iperf_server *server, enum iperf_server_phase phase)
{
	server->phase = phase;
	server->deadline_ns = iperf_now_ns(server->place) + IPERF_PHASE_NS;
}

static void greeter_close(struct iperf_server *server)
{
	if (server->greeter)
		socket_close(server->greeter);
	server->greeter = NULL;
}

/* The test is over, well or not. */
static void finish(struct iperf_server *server, int status)
{
	iperf_test_end(&server->test);
	iperf_control_end(&server->control);
	greeter_close(server);
	server->phase = IPERF_SERVER_IDLE;
	server->failed += status != 0;
	if (!server->once || server->over)
		return;
	server->over = true;
	server->place->end(server->place->context, status);
}

static void give_up(struct iperf_server *server, const char *why)
{
	iperf_report_line(server->place, "iperf: %s", why);
	finish(server, 1);
}

/* Says so to the client first. */
static void refuse(struct iperf_server *server, uint32_t error, const char *why)
{
	uint8_t message[9] = { (uint8_t)IPERF_SERVER_ERROR, 0, 0, (uint8_t)(error >> 8),
			       (uint8_t)error };

	if (iperf_control_send(&server->control, message, sizeof(message)))
		iperf_report_line(server->place, "iperf: the client takes no answer");
	give_up(server, why);
}

static bool say(struct iperf_server *server, enum iperf_state state)
{
	if (iperf_control_send_state(&server->control, state) == 0)
		return true;
	give_up(server, "the client has gone");
	return false;
}

/* ---- streams ---- */

static void streams_complete(struct iperf_server *server)
{
	greeter_close(server);
	if (!say(server, IPERF_TEST_START) || !say(server, IPERF_TEST_RUNNING))
		return;
	phase_set(server, IPERF_SERVER_RUNNING);
	iperf_test_watch(&server->test);
	iperf_test_begin(&server->test, server->interval_s);
}

static void stream_add(struct iperf_server *server, struct socket *socket)
{
	struct iperf_stream *stream = iperf_test_add(&server->test, socket);

	if (!stream) {
		socket_abort(socket);
		return;
	}
	socket_set_callback(socket, iperf_test_ready, stream);
	iperf_test_set_options(&server->test, socket);
	if (iperf_test_there(stream))
		streams_complete(server);
}

/* A greeting whose answer was lost comes once more, to the stream's own socket. */
static void greeted_again(struct socket *socket, uint32_t ready, void *context)
{
	uint8_t data[IPERF_GREETING_BYTES];

	(void)ready;
	(void)context;
	if (iperf_is_greeting(data, socket_receive(socket, data, sizeof(data))) &&
	    socket_send(socket, iperf_greeting_answer, IPERF_GREETING_BYTES) < 0)
		return; /* the next one asks again */
}

static void greeting_take(struct iperf_server *server, const struct socket_address *peer)
{
	struct socket_address own = { .port = server->port };
	struct iperf_stream *stream;
	struct socket *socket;
	int error;

	if (!ip_address_equal(&peer->ip, &server->client.ip))
		return;
	socket = socket_open_udp(server->place->sockets, &own, peer, greeted_again, NULL, &error);
	if (!socket) {
		refuse(server, ERROR_STREAMS, "no socket for a stream");
		return;
	}
	iperf_test_set_options(&server->test, socket);
	stream = iperf_test_add(&server->test, socket);
	if (!stream) {
		socket_close(socket);
		return;
	}
	if (socket_send(socket, iperf_greeting_answer, IPERF_GREETING_BYTES) < 0)
		iperf_report_line(server->place, "iperf: the answer to a greeting did not leave");
	if (iperf_test_there(stream))
		streams_complete(server);
}

static void greeter_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_server *server = context;
	struct socket_address peer;
	uint8_t data[IPERF_GREETING_BYTES];

	(void)ready;
	for (uint32_t i = 0; i < 2 * IPERF_STREAMS && server->greeter == socket; i++) {
		int got = socket_receive_from(socket, &peer, data, sizeof(data));

		if (got < 0)
			return;
		if (iperf_is_greeting(data, got))
			greeting_take(server, &peer);
	}
}

static bool greeter_open(struct iperf_server *server)
{
	struct socket_address own = { .port = server->port };
	int error;

	server->greeter =
		socket_open_udp(server->place->sockets, &own, NULL, greeter_ready, server, &error);
	return server->greeter != NULL;
}

/* ---- control ---- */

static void params_take(struct iperf_server *server, const struct iperf_event *event)
{
	struct iperf_test *test = &server->test;

	if (iperf_params_read(event->text, event->length, &test->settings)) {
		refuse(server, ERROR_PARAMS, "the client asks for what cannot be read or done");
		return;
	}
	if (test->settings.udp && !greeter_open(server)) {
		refuse(server, ERROR_STREAMS, "no socket for greetings");
		return;
	}
	if (say(server, IPERF_CREATE_STREAMS))
		phase_set(server, IPERF_SERVER_STREAMS);
}

static void test_end_take(struct iperf_server *server)
{
	iperf_test_stop(&server->test);
	iperf_test_hang_up(&server->test);
	if (!say(server, IPERF_EXCHANGE_RESULTS))
		return;
	phase_set(server, IPERF_SERVER_RESULTS);
	iperf_control_expect(&server->control, IPERF_READ_TEXT);
}

static void results_take(struct iperf_server *server, const struct iperf_event *event)
{
	size_t length;

	if (iperf_results_read(event->text, event->length, &server->results)) {
		refuse(server, ERROR_RESULTS, "the client's results cannot be read");
		return;
	}
	iperf_test_take_results(&server->test, &server->results);
	iperf_test_results(&server->test, &server->results);
	length = iperf_results_write(&server->results, server->text, sizeof(server->text));
	if (!length || iperf_control_send_text(&server->control, server->text, length)) {
		give_up(server, "the client has gone");
		return;
	}
	if (!say(server, IPERF_DISPLAY_RESULTS))
		return;
	iperf_report_end(&server->test);
	iperf_test_end(&server->test);
	phase_set(server, IPERF_SERVER_DONE);
}

static void event_take(struct iperf_server *server, const struct iperf_event *event)
{
	if (event->text && server->phase == IPERF_SERVER_PARAMS)
		params_take(server, event);
	else if (event->text && server->phase == IPERF_SERVER_RESULTS)
		results_take(server, event);
	else if (event->state == IPERF_TEST_END && server->phase == IPERF_SERVER_RUNNING)
		test_end_take(server);
	else if (event->state == IPERF_DONE && server->phase == IPERF_SERVER_DONE)
		finish(server, 0);
	else if (event->state == IPERF_CLIENT_TERMINATE)
		give_up(server, "the client was told to stop");
	else
		give_up(server, "the client says what does not belong here");
}

static void control_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_server *server = context;
	struct iperf_event event;
	int there = 0;

	(void)ready;
	/* Whatever is said ends the test or brings it one phase further. */
	while (server->control.socket == socket && there >= 0) {
		if (iperf_control_flush(&server->control))
			break;
		there = iperf_control_next(&server->control, &event);
		if (there == 0)
			return;
		if (there > 0)
			event_take(server, &event);
	}
	if (server->control.socket != socket)
		return;
	if (server->phase == IPERF_SERVER_DONE)
		finish(server, 0);
	else
		give_up(server,
			there == -EMSGSIZE ? "the client says too much" : "the client has gone");
}

/* ---- newcomers ---- */

/* Its place is free; the socket is somebody else's, or gone. */
static void newcomer_leave(struct iperf_newcomer *newcomer)
{
	newcomer->socket = NULL;
	newcomer->server->waiting--;
}

static void newcomer_drop(struct iperf_newcomer *newcomer)
{
	if (!newcomer->socket)
		return;
	socket_abort(newcomer->socket);
	newcomer_leave(newcomer);
}

static void newcomer_refuse(struct iperf_newcomer *newcomer)
{
	int8_t denied = IPERF_ACCESS_DENIED;

	newcomer->server->refused++;
	if (socket_send(newcomer->socket, &denied, sizeof(denied)) == (int)sizeof(denied)) {
		socket_close(newcomer->socket);
		newcomer_leave(newcomer);
	}
	newcomer_drop(newcomer);
}

static void test_begin(struct iperf_server *server, struct iperf_newcomer *newcomer)
{
	struct socket *socket = newcomer->socket;

	newcomer_leave(newcomer);
	memcpy(server->cookie, newcomer->cookie, sizeof(server->cookie));
	server->client = socket_peer(socket);
	server->tests++;
	iperf_report_peer(server->place, "Accepted connection from", &server->client);
	iperf_test_init(&server->test, server->place, true);
	iperf_control_begin(&server->control, socket);
	socket_set_callback(socket, control_ready, server);
	phase_set(server, IPERF_SERVER_PARAMS);
	if (say(server, IPERF_PARAM_EXCHANGE))
		iperf_control_expect(&server->control, IPERF_READ_TEXT);
}

/* Streams count in the order in which they came, so an earlier one of the client is awaited. */
static bool is_first(const struct iperf_newcomer *newcomer)
{
	const struct iperf_server *server = newcomer->server;

	for (uint32_t i = 0; i < IPERF_NEWCOMERS; i++) {
		const struct iperf_newcomer *other = &server->newcomers[i];
		struct socket_address peer;

		if (!other->socket || other->number >= newcomer->number)
			continue;
		peer = socket_peer(other->socket);
		if (ip_address_equal(&peer.ip, &server->client.ip))
			return false;
	}
	return true;
}

/* May this be a stream of the test that is being prepared? */
static bool is_stream(const struct iperf_newcomer *newcomer)
{
	const struct iperf_server *server = newcomer->server;

	return server->phase == IPERF_SERVER_STREAMS && !server->test.settings.udp &&
	       memcmp(newcomer->cookie, server->cookie, sizeof(server->cookie)) == 0;
}

/* Its cookie is there: what it is for. */
static void newcomer_take(struct iperf_newcomer *newcomer)
{
	struct iperf_server *server = newcomer->server;
	struct socket *socket = newcomer->socket;

	if (server->phase == IPERF_SERVER_IDLE && !server->over) {
		test_begin(server, newcomer);
	} else if (!is_stream(newcomer)) {
		newcomer_refuse(newcomer);
	} else if (is_first(newcomer)) {
		newcomer_leave(newcomer);
		stream_add(server, socket);
	}
}

static void newcomers_take(struct iperf_server *server)
{
	bool again = true;

	/* Each that is taken may be what another one waits for. */
	for (uint32_t round = 0; again && round < IPERF_NEWCOMERS; round++) {
		again = false;
		for (uint32_t i = 0; i < IPERF_NEWCOMERS; i++) {
			struct iperf_newcomer *newcomer = &server->newcomers[i];

			if (!newcomer->socket || newcomer->used != IPERF_COOKIE_BYTES)
				continue;
			newcomer_take(newcomer);
			again |= newcomer->socket == NULL;
		}
	}
}

static void newcomer_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_newcomer *newcomer = context;
	int got;

	(void)ready;
	if (newcomer->used == IPERF_COOKIE_BYTES)
		return;
	got = socket_receive(socket, newcomer->cookie + newcomer->used,
			     IPERF_COOKIE_BYTES - newcomer->used);
	if (got == -EAGAIN)
		return;
	if (got <= 0) {
		newcomer_drop(newcomer);
		return;
	}
	newcomer->used += (uint32_t)got;
	newcomers_take(newcomer->server);
}

/* A free place, else that of the one who has said nothing for longest. */
static struct iperf_newcomer *newcomer_place(struct iperf_server *server)
{
	struct iperf_newcomer *found = &server->newcomers[0];

	for (uint32_t i = 0; i < IPERF_NEWCOMERS; i++) {
		struct iperf_newcomer *newcomer = &server->newcomers[i];

		if (!newcomer->socket)
			return newcomer;
		if (newcomer->number < found->number)
			found = newcomer;
	}
	newcomer_drop(found);
	return found;
}

static void listener_ready(struct socket *listener, uint32_t ready, void *context)
{
	struct iperf_server *server = context;

	(void)ready;
	for (uint32_t i = 0; i < 2 * IPERF_STREAMS; i++) {
		struct iperf_newcomer *newcomer;
		struct socket *socket = socket_accept(listener, newcomer_ready, NULL);

		if (!socket)
			return;
		newcomer = newcomer_place(server);
		*newcomer = (struct iperf_newcomer){ .server = server,
						     .socket = socket,
						     .since_ns = iperf_now_ns(server->place),
						     .number = server->arrivals++ };
		server->waiting++;
		socket_set_callback(socket, newcomer_ready, newcomer);
		/* What came before it was accepted is told by no call. */
		newcomer_ready(socket, 0, newcomer);
	}
}

/* ---- time ---- */

static uint64_t newcomers_next_ns(const struct iperf_server *server)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; server->waiting && i < IPERF_NEWCOMERS; i++)
		if (server->newcomers[i].socket && server->newcomers[i].since_ns + COOKIE_NS < next)
			next = server->newcomers[i].since_ns + COOKIE_NS;
	return next;
}

/* When the phase has lasted too long. */
static uint64_t limit_ns(const struct iperf_server *server)
{
	const struct iperf_test *test = &server->test;
	const struct iperf_settings *settings = &test->settings;
	uint64_t quiet_ns = test->heard_ns + IPERF_PHASE_NS, end_ns;

	if (server->phase == IPERF_SERVER_IDLE)
		return UINT64_MAX;
	if (server->phase != IPERF_SERVER_RUNNING)
		return server->deadline_ns;
	if (!settings->seconds)
		return quiet_ns;
	end_ns = test->begin_ns + GRACE_NS +
		 (settings->seconds + settings->omit_seconds) * IPERF_NS_PER_SECOND;
	return end_ns > quiet_ns ? quiet_ns : end_ns;
}

void iperf_server_run(struct iperf_server *server, uint64_t now_ns)
{
	if (newcomers_next_ns(server) <= now_ns) {
		for (uint32_t i = 0; i < IPERF_NEWCOMERS; i++)
			if (now_ns - server->newcomers[i].since_ns >= COOKIE_NS)
				newcomer_drop(&server->newcomers[i]);
		newcomers_take(server);
	}
	if (limit_ns(server) <= now_ns)
		give_up(server, "the client has said nothing for too long");
	iperf_test_run(&server->test, now_ns);
}

uint64_t iperf_server_next_ns(const struct iperf_server *server)
{
	uint64_t next = iperf_test_next_ns(&server->test);
	uint64_t newcomers = newcomers_next_ns(server);
	uint64_t limit = limit_ns(server);

	next = newcomers < next ? newcomers : next;
	return limit < next ? limit : next;
}

int iperf_server_begin(struct iperf_server *server, const struct iperf_place *place, uint16_t port,
		       uint32_t interval_s, bool once)
{
	struct socket_listen how = { .own.port = port, .backlog = 2 * IPERF_STREAMS };
	int error;

	memset(server, 0, sizeof(*server));
	server->place = place;
	server->port = port;
	server->interval_s = interval_s;
	server->once = once;
	iperf_payload_make(place->random);
	iperf_test_init(&server->test, place, true);
	server->listener = socket_listen(place->sockets, &how, listener_ready, server, &error);
	if (!server->listener)
		return error;
	iperf_report_line(place, "Server listening on %u", port);
	return 0;
}
