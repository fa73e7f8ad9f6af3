/* SPDX-License-Identifier: ISC */
#include "configs/iperf/messages.h"

#include <errno.h>
#include <string.h>

#define VERSION "3.12" /* of iperf3, which we speak like */
#define PACING_TIMER_US 1000
#define DEFAULT_TCP_BLOCK 131072u
#define UDP_BLOCK_LEAST 16u /* what its header takes */

static int64_t narrowed(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* ---- what is to be measured ---- */

size_t iperf_params_write(const struct iperf_settings *settings, char *to, size_t room)
{
	struct json_writer w;

	json_writer_init(&w, to, room);
	json_open(&w, NULL, '{');
	json_add_true(&w, settings->udp ? "udp" : "tcp");
	json_add_number(&w, "omit", settings->omit_seconds, 0);
	json_add_number(&w, "time", settings->seconds, 0);
	json_add_number(&w, "num", narrowed(settings->bytes), 0);
	json_add_number(&w, "blockcount", narrowed(settings->blocks), 0);
	if (settings->mss)
		json_add_number(&w, "MSS", settings->mss, 0);
	if (settings->no_delay)
		json_add_true(&w, "nodelay");
	json_add_number(&w, "parallel", settings->parallel, 0);
	if (settings->reverse)
		json_add_true(&w, "reverse");
	if (settings->bidirectional)
		json_add_true(&w, "bidirectional");
	if (settings->window)
		json_add_number(&w, "window", settings->window, 0);
	json_add_number(&w, "len", settings->block_bytes, 0);
	if (settings->rate)
		json_add_number(&w, "bandwidth", narrowed(settings->rate), 0);
	json_add_number(&w, "pacing_timer", PACING_TIMER_US, 0);
	if (settings->counters64)
		json_add_number(&w, "udp_counters_64bit", 1, 0);
	json_add_string(&w, "client_version", VERSION);
	json_close(&w, '}');
	return json_end(&w);
}

/* A number that is not there is 0; false: it is none, or negative. */
static bool number_of(const struct json *object, const char *name, unsigned int decimals,
		      uint64_t *number)
{
	struct json value;
	int64_t seen;

	*number = 0;
	if (!json_member(object, name, &value))
		return true;
	if (!json_number(&value, decimals, &seen) || seen < 0)
		return false;
	*number = (uint64_t)seen;
	return true;
}

static bool small_of(const struct json *object, const char *name, uint32_t most, uint32_t *number)
{
	uint64_t wide;

	if (!number_of(object, name, 0, &wide) || wide > most)
		return false;
	*number = (uint32_t)wide;
	return true;
}

static bool is_set(const struct json *object, const char *name)
{
	struct json value;
	int64_t number;

	if (!json_member(object, name, &value))
		return false;
	return json_is_true(&value) || (json_number(&value, 0, &number) && number != 0);
}

static bool read_numbers(const struct json *object, struct iperf_settings *s)
{
	return small_of(object, "omit", 60, &s->omit_seconds) &&
	       small_of(object, "time", 86400, &s->seconds) &&
	       number_of(object, "num", 0, &s->bytes) &&
	       number_of(object, "blockcount", 0, &s->blocks) &&
	       small_of(object, "MSS", UINT16_MAX, &s->mss) &&
	       small_of(object, "parallel", IPERF_STREAMS, &s->parallel) &&
	       small_of(object, "window", 1u << 30, &s->window) &&
	       small_of(object, "len", IPERF_BLOCK_MOST, &s->block_bytes) &&
	       number_of(object, "bandwidth", 0, &s->rate);
}

int iperf_params_read(const char *text, size_t length, struct iperf_settings *settings)
{
	struct json object;

	memset(settings, 0, sizeof(*settings));
	if (json_parse(text, length, &object) || object.text[0] != '{' ||
	    !read_numbers(&object, settings))
		return -EINVAL;
	settings->udp = is_set(&object, "udp");
	settings->reverse = is_set(&object, "reverse");
	settings->bidirectional = is_set(&object, "bidirectional");
	settings->no_delay = is_set(&object, "nodelay");
	settings->counters64 = is_set(&object, "udp_counters_64bit");
	if (!settings->udp && !is_set(&object, "tcp"))
		return -EINVAL;
	if (!settings->parallel)
		settings->parallel = 1;
	if (!settings->block_bytes && !settings->udp)
		settings->block_bytes = DEFAULT_TCP_BLOCK;
	if (settings->reverse && settings->bidirectional)
		return -EINVAL;
	return settings->udp && settings->block_bytes < UDP_BLOCK_LEAST ? -EINVAL : 0;
}

/* ---- what came of it ---- */

static void write_stream(struct json_writer *w, uint32_t id, const struct iperf_counts *counts,
			 bool retransmissions)
{
	json_open(w, NULL, '{');
	json_add_number(w, "id", id, 0);
	json_add_number(w, "bytes", narrowed(counts->bytes), 0);
	json_add_number(w, "retransmits", retransmissions ? narrowed(counts->retransmissions) : -1,
			0);
	json_add_number(w, "jitter", narrowed(counts->jitter_ns), 9);
	json_add_number(w, "errors", narrowed(counts->errors), 0);
	json_add_number(w, "packets", narrowed(counts->packets), 0);
	json_add_number(w, "start_time", 0, 0);
	json_add_number(w, "end_time", narrowed(counts->ns), 9);
	json_close(w, '}');
}

/* How busy the CPU was nobody has measured: its share is 0. */
size_t iperf_results_write(const struct iperf_results *results, char *to, size_t room)
{
	struct json_writer w;

	json_writer_init(&w, to, room);
	json_open(&w, NULL, '{');
	json_add_number(&w, "cpu_util_total", 0, 0);
	json_add_number(&w, "cpu_util_user", 0, 0);
	json_add_number(&w, "cpu_util_system", 0, 0);
	json_add_number(&w, "sender_has_retransmits", results->sends ? 1 : -1, 0);
	json_open(&w, "streams", '[');
	for (uint32_t i = 0; i < results->count; i++)
		write_stream(&w, results->ids[i], &results->counts[i], results->sends);
	json_close(&w, ']');
	json_close(&w, '}');
	return json_end(&w);
}

/* iperf3 writes a count that it does not have as 2^64 - 1 or as a negative number. */
static uint64_t count_of(const struct json *object, const char *name, unsigned int decimals)
{
	struct json value;
	int64_t number;

	if (!json_member(object, name, &value) || !json_number(&value, decimals, &number) ||
	    number < 0 || number == INT64_MAX)
		return 0;
	return (uint64_t)number;
}

static bool read_stream(const struct json *stream, uint32_t *id, struct iperf_counts *counts)
{
	if (!small_of(stream, "id", UINT16_MAX, id) || !*id)
		return false;
	counts->bytes = count_of(stream, "bytes", 0);
	counts->packets = count_of(stream, "packets", 0);
	counts->errors = count_of(stream, "errors", 0);
	counts->jitter_ns = count_of(stream, "jitter", 9);
	counts->retransmissions = count_of(stream, "retransmits", 0);
	counts->ns = count_of(stream, "end_time", 9);
	return true;
}

int iperf_results_read(const char *text, size_t length, struct iperf_results *results)
{
	struct json object, streams, stream, has;
	int64_t number = 0;
	size_t at = 0;

	memset(results, 0, sizeof(*results));
	if (json_parse(text, length, &object) || !json_member(&object, "streams", &streams))
		return -EINVAL;
	if (json_member(&object, "sender_has_retransmits", &has) && json_number(&has, 0, &number))
		results->sends = number == 1;
	while (results->count < 2 * IPERF_STREAMS && json_element(&streams, &at, &stream)) {
		if (!read_stream(&stream, &results->ids[results->count],
				 &results->counts[results->count]))
			return -EINVAL;
		results->count++;
	}
	return 0;
}
