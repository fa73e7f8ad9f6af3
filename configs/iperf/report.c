/* SPDX-License-Identifier: ISC */
#include "configs/iperf/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/ip_text.h"

#define LINE_BYTES 160u
#define NS_PER_10_MS (10 * IPERF_NS_PER_MS)

/* Which of the two ends a line speaks of. */
enum end { END_NOW, END_SENDER, END_RECEIVER };

void iperf_report_line(const struct iperf_place *place, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	place->line(place->context, text);
}

void iperf_report_peer(const struct iperf_place *place, const char *words,
		       const struct socket_address *peer)
{
	char address[IP_TEXT_BYTES];

	iperf_report_line(place, "%s %s, port %u", words, ip_text_format(&peer->ip, address),
			  peer->port);
}

char *iperf_report_scaled(uint64_t value, uint32_t step, char *to)
{
	static const char letters[] = " KMGTPE";
	uint64_t hundredths = value > UINT64_MAX / 100 ? UINT64_MAX : value * 100;
	unsigned int letter = 0;

	for (; hundredths / 100 >= step && letters[letter + 1]; letter++)
		hundredths /= step;
	if (hundredths < 1000)
		snprintf(to, IPERF_SCALED_BYTES, "%" PRIu64 ".%02u %c", hundredths / 100,
			 (unsigned int)(hundredths % 100), letters[letter]);
	else if (hundredths < 10000)
		snprintf(to, IPERF_SCALED_BYTES, "%" PRIu64 ".%u %c", hundredths / 100,
			 (unsigned int)(hundredths % 100 / 10), letters[letter]);
	else
		snprintf(to, IPERF_SCALED_BYTES, "%" PRIu64 " %c", hundredths / 100,
			 letters[letter]);
	return to;
}

static uint64_t rate_of(uint64_t bytes, uint64_t ns)
{
	return ns ? (uint64_t)((unsigned __int128)bytes * 8 * IPERF_NS_PER_SECOND / ns) : 0;
}

/* What follows the rate: TCP retransmissions of a sender, UDP packets and what was lost. */
static void details(char *to, size_t room, const struct iperf_test *test,
		    const struct iperf_counts *counts, bool sender, enum end end)
{
	uint64_t percent10 = counts->packets ? counts->errors * 1000 / counts->packets : 0;

	to[0] = '\0';
	if (!test->settings.udp && sender)
		snprintf(to, room, "  %" PRIu64, counts->retransmissions);
	else if (test->settings.udp && sender && end == END_NOW)
		snprintf(to, room, "  %" PRIu64, counts->packets);
	else if (test->settings.udp)
		snprintf(to, room,
			 "  %" PRIu64 ".%03u ms  %" PRIu64 "/%" PRIu64 " (%" PRIu64 ".%u%%)",
			 counts->jitter_ns / 1000000,
			 (unsigned int)(counts->jitter_ns / 1000 % 1000), counts->errors,
			 counts->packets, percent10 / 10, (unsigned int)(percent10 % 10));
}

static void line(const struct iperf_test *test, const char *name, bool sends,
		 const struct iperf_counts *counts, uint64_t begin_ns, uint64_t end_ns,
		 enum end end)
{
	static const char *const ends[] = { "", "  sender", "  receiver" };
	static const char *const roles[2][2] = { { "[RX-C]", "[TX-C]" }, { "[RX-S]", "[TX-S]" } };
	char bytes[IPERF_SCALED_BYTES], rate[IPERF_SCALED_BYTES], rest[64];
	bool sender = end == END_NOW ? sends : end == END_SENDER;

	details(rest, sizeof(rest), test, counts, sender, end);
	iperf_report_line(
		test->place,
		"[%s]%s %3" PRIu64 ".%02u-%" PRIu64 ".%02u sec  %sBytes  %sbits/sec%s%s%s", name,
		test->settings.bidirectional ? roles[test->server][sends] : "",
		(uint64_t)(begin_ns / IPERF_NS_PER_SECOND),
		(unsigned int)(begin_ns / NS_PER_10_MS % 100),
		(uint64_t)(end_ns / IPERF_NS_PER_SECOND),
		(unsigned int)(end_ns / NS_PER_10_MS % 100),
		iperf_report_scaled(counts->bytes, 1024, bytes),
		iperf_report_scaled(rate_of(counts->bytes, end_ns - begin_ns), 1000, rate), rest,
		test->omitting ? "  (omitted)" : "", ends[end]);
}

static void add(struct iperf_counts *sum, const struct iperf_counts *one)
{
	sum->bytes += one->bytes;
	sum->packets += one->packets;
	sum->errors += one->errors;
	sum->retransmissions += one->retransmissions;
	if (one->jitter_ns > sum->jitter_ns)
		sum->jitter_ns = one->jitter_ns;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static struct iperf_counts since_shown(const struct iperf_stream *stream)
{
	const struct iperf_counts *now = &stream->counts, *before = &stream->shown;

	return (struct iperf_counts){
		.bytes = grown(now->bytes, before->bytes),
		.packets = grown(now->packets, before->packets),
		.errors = grown(now->errors, before->errors),
		.retransmissions = grown(now->retransmissions, before->retransmissions),
		.jitter_ns = now->jitter_ns,
	};
}

/* Of one direction: each stream, and their sum. */
static void interval_of(struct iperf_test *test, bool sends, uint64_t begin_ns, uint64_t end_ns)
{
	struct iperf_counts sum = { 0 };
	uint32_t streams = 0;
	char name[8];

	for (uint32_t i = 0; i < test->stream_count; i++) {
		struct iperf_stream *stream = &test->streams[i];
		struct iperf_counts counts;

		if (stream->sends != sends)
			continue;
		iperf_stream_look(stream);
		counts = since_shown(stream);
		stream->shown = stream->counts;
		snprintf(name, sizeof(name), "%3u", stream->id);
		line(test, name, sends, &counts, begin_ns, end_ns, END_NOW);
		add(&sum, &counts);
		streams++;
	}
	if (streams > 1)
		line(test, "SUM", sends, &sum, begin_ns, end_ns, END_NOW);
}

void iperf_report_interval(struct iperf_test *test, uint64_t begin_ns, uint64_t end_ns)
{
	interval_of(test, true, begin_ns, end_ns);
	interval_of(test, false, begin_ns, end_ns);
}

/* ---- at the end ---- */

/* As one end has it; false: nobody has said. */
static bool counts_at(const struct iperf_stream *stream, enum end end, struct iperf_counts *counts)
{
	bool ours = stream->sends == (end == END_SENDER);

	*counts = ours ? stream->counts : stream->other;
	return ours || stream->other_known;
}

static void end_of(struct iperf_test *test, bool sends, enum end end)
{
	struct iperf_counts sum = { 0 };
	uint32_t streams = 0;
	char name[8];

	for (uint32_t i = 0; i < test->stream_count; i++) {
		struct iperf_stream *stream = &test->streams[i];
		struct iperf_counts counts;

		if (stream->sends != sends || !counts_at(stream, end, &counts))
			continue;
		snprintf(name, sizeof(name), "%3u", stream->id);
		line(test, name, sends, &counts, 0, test->ns, end);
		add(&sum, &counts);
		streams++;
	}
	if (streams > 1)
		line(test, "SUM", sends, &sum, 0, test->ns, end);
}

void iperf_report_end(struct iperf_test *test)
{
	iperf_report_line(test->place, "- - - - - - - - - - - - - - - - - - - - - - - - -");
	for (int sends = 1; sends >= 0; sends--) {
		end_of(test, sends, END_SENDER);
		end_of(test, sends, END_RECEIVER);
	}
}
