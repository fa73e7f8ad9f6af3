/* SPDX-License-Identifier: ISC */
#include "configs/iperf/test.h"

#include <string.h>

#include "configs/iperf/report.h"
#include "lib/minmax.h"

void iperf_test_init(struct iperf_test *test, const struct iperf_place *place, bool server)
{
	memset(test, 0, sizeof(*test));
	test->place = place;
	test->server = server;
}

uint32_t iperf_test_streams(const struct iperf_settings *settings)
{
	return settings->parallel * (settings->bidirectional ? 2 : 1);
}

/* iperf3 calls its streams 1, 3, 4, 5 ... */
static uint32_t id_of(uint32_t index)
{
	return index ? index + 2 : 1;
}

/* In both directions those that the client sends on come first. */
static bool client_sends(const struct iperf_settings *settings, uint32_t index)
{
	return settings->bidirectional ? index < settings->parallel : !settings->reverse;
}

struct iperf_stream *iperf_test_add(struct iperf_test *test, struct socket *socket)
{
	uint32_t index = test->stream_count;
	struct iperf_stream *stream = &test->streams[index];

	if (index == iperf_test_streams(&test->settings))
		return NULL;
	test->stream_count++;
	memset(stream, 0, sizeof(*stream));
	stream->test = test;
	stream->socket = socket;
	stream->id = id_of(index);
	stream->sends = client_sends(&test->settings, index) != test->server;
	return stream;
}

bool iperf_test_there(struct iperf_stream *stream)
{
	struct iperf_test *test = stream->test;

	if (!stream->there)
		test->there_count++;
	stream->there = true;
	return test->there_count == iperf_test_streams(&test->settings);
}

static void clock_begin(struct iperf_test *test, uint64_t now_ns)
{
	test->begin_ns = test->line_begin_ns = now_ns;
	test->line_ns = now_ns + test->interval_ns;
}

void iperf_test_begin(struct iperf_test *test, uint64_t interval_s)
{
	uint64_t now_ns = iperf_now_ns(test->place);

	test->running = test->more = true;
	test->omitting = test->settings.omit_seconds != 0;
	test->heard_ns = now_ns;
	test->interval_ns = interval_s * IPERF_NS_PER_SECOND;
	clock_begin(test, now_ns);
}

/* ---- while it runs ---- */

static void omit_end(struct iperf_test *test, uint64_t now_ns)
{
	if (!test->omitting ||
	    now_ns - test->begin_ns < test->settings.omit_seconds * IPERF_NS_PER_SECOND)
		return;
	test->omitting = false;
	for (uint32_t i = 0; i < test->stream_count; i++)
		iperf_stream_omit(&test->streams[i]);
	clock_begin(test, now_ns);
}

static void lines_print(struct iperf_test *test, uint64_t now_ns)
{
	if (!test->interval_ns || now_ns < test->line_ns)
		return;
	iperf_report_interval(test, test->line_begin_ns - test->begin_ns, now_ns - test->begin_ns);
	test->line_begin_ns = now_ns;
	while (test->line_ns <= now_ns)
		test->line_ns += test->interval_ns;
}

void iperf_test_run(struct iperf_test *test, uint64_t now_ns)
{
	bool all = test->more;

	if (!test->running)
		return;
	test->more = false;
	omit_end(test, now_ns);
	lines_print(test, now_ns);
	for (uint32_t i = 0; i < test->stream_count; i++) {
		struct iperf_stream *stream = &test->streams[i];

		if (stream->sends && (all || (stream->due_ns && stream->due_ns <= now_ns))) {
			stream->due_ns = 0;
			(void)iperf_stream_send(stream, now_ns);
		} else if (all && iperf_stream_receive(stream, now_ns)) {
			test->more = true;
		}
	}
}

uint64_t iperf_test_next_ns(const struct iperf_test *test)
{
	uint64_t next = UINT64_MAX;

	if (!test->running)
		return next;
	if (test->more)
		return 0;
	if (test->interval_ns)
		next = test->line_ns;
	if (test->omitting)
		next = min64(next,
			     test->begin_ns + test->settings.omit_seconds * IPERF_NS_PER_SECOND);
	else if (test->settings.seconds)
		next = min64(next, test->begin_ns + test->settings.seconds * IPERF_NS_PER_SECOND);
	/* Only what has a rate has a time. */
	for (uint32_t i = 0; (test->settings.rate || test->settings.udp) && i < test->stream_count;
	     i++)
		if (test->streams[i].due_ns)
			next = min64(next, test->streams[i].due_ns);
	return next;
}

void iperf_test_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct iperf_stream *stream = context;
	struct iperf_test *test = stream->test;
	uint64_t now_ns = iperf_now_ns(test->place);

	(void)socket;
	(void)ready;
	if (!test->running)
		return;
	if (stream->sends)
		(void)iperf_stream_send(stream, now_ns);
	else if (iperf_stream_receive(stream, now_ns))
		test->more = true;
}

bool iperf_test_is_over(const struct iperf_test *test, uint64_t now_ns)
{
	const struct iperf_settings *settings = &test->settings;
	uint64_t bytes = settings->reverse ? test->received_bytes : test->sent_bytes;

	if (!test->running || test->omitting)
		return false;
	if (settings->seconds)
		return now_ns - test->begin_ns >= settings->seconds * IPERF_NS_PER_SECOND;
	if (settings->bytes)
		return bytes >= settings->bytes;
	if (settings->reverse)
		return bytes / settings->block_bytes >= settings->blocks;
	return test->blocks >= settings->blocks;
}

void iperf_test_watch(struct iperf_test *test)
{
	for (uint32_t i = 0; i < test->stream_count; i++)
		if (test->streams[i].socket)
			socket_set_callback(test->streams[i].socket, iperf_test_ready,
					    &test->streams[i]);
}

static void option_set(struct iperf_test *test, struct socket *socket, enum socket_option option,
		       uint32_t value, const char *name)
{
	int error = value ? socket_set(socket, option, value) : 0;

	if (error)
		iperf_report_line(test->place, "%s %u: not possible, error %d", name, value,
				  -error);
}

void iperf_test_set_options(struct iperf_test *test, struct socket *socket)
{
	const struct iperf_settings *settings = &test->settings;

	if (!settings->udp) {
		option_set(test, socket, SOCKET_NO_DELAY, settings->no_delay, "-N");
		option_set(test, socket, SOCKET_MSS, settings->mss, "-M");
		option_set(test, socket, SOCKET_SEND_BYTES, settings->window, "-w");
	}
	option_set(test, socket, SOCKET_RECEIVE_BYTES, settings->window, "-w");
}

/* ---- its end ---- */

void iperf_test_stop(struct iperf_test *test)
{
	uint64_t now_ns = iperf_now_ns(test->place);

	if (!test->running)
		return;
	for (uint32_t i = 0; i < test->stream_count; i++) {
		struct iperf_stream *stream = &test->streams[i];

		(void)iperf_stream_receive(stream, now_ns);
		iperf_stream_look(stream);
		stream->counts.ns = now_ns - test->begin_ns;
	}
	test->running = false;
	test->ns = now_ns - test->begin_ns;
	/* What is left of an interval, unless it is next to nothing. */
	if (test->interval_ns && now_ns - test->line_begin_ns > test->interval_ns / 10)
		iperf_report_interval(test, test->line_begin_ns - test->begin_ns, test->ns);
}

void iperf_test_hang_up(struct iperf_test *test)
{
	for (uint32_t i = 0; i < test->stream_count && !test->settings.udp; i++)
		iperf_stream_close(&test->streams[i]);
}

void iperf_test_results(const struct iperf_test *test, struct iperf_results *results)
{
	results->count = test->stream_count;
	results->sends = false;
	for (uint32_t i = 0; i < test->stream_count; i++) {
		const struct iperf_stream *stream = &test->streams[i];

		results->ids[i] = stream->id;
		results->counts[i] = stream->counts;
		/* Numbers of datagrams go on through what was omitted, as iperf3 has it. */
		results->counts[i].packets += stream->omitted.packets;
		results->sends |= stream->sends && !test->settings.udp;
	}
}

void iperf_test_take_results(struct iperf_test *test, const struct iperf_results *results)
{
	for (uint32_t i = 0; i < results->count; i++) {
		for (uint32_t k = 0; k < test->stream_count; k++) {
			if (test->streams[k].id != results->ids[i])
				continue;
			test->streams[k].other = results->counts[i];
			test->streams[k].other_known = true;
		}
	}
	test->results_known = true;
}

void iperf_test_end(struct iperf_test *test)
{
	test->running = false;
	for (uint32_t i = 0; i < test->stream_count; i++)
		iperf_stream_end(&test->streams[i]);
}
