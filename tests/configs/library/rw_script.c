/* SPDX-License-Identifier: ISC */
/* A scenario: its clock, its log, and what must have been sent. */
#include "tests/configs/library/rw_script.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/configs/library/rw_script_parts.h"

#define MS UINT64_C(1000000)
#define START_NS (1000 * 1000 * MS)
#define LINE_BYTES 200u
#define STEPS_MAX 10000000u /* of the clock in one call: beyond it the stack runs on the spot */

/* A packet of ours that has not been expected yet. */
struct sent {
	uint64_t at;
	unsigned int flow;
	struct segment segment;
};

struct script_log {
	char (*lines)[LINE_BYTES];
	unsigned int line_count, line_room;
	struct sent *sent; /* from `first` on */
	unsigned int first, sent_count, sent_room;
	uint8_t last[SEGMENT_RAW]; /* our last packet */
	size_t last_bytes;
	uint8_t packet[WIRE_MAX];
};

/* ---- log ---- */

static unsigned int ms_of(const struct script *s, uint64_t ns)
{
	return (unsigned int)((ns - s->start_ns) / MS);
}

static void note_at(struct script *s, uint64_t at, const char *text)
{
	struct script_log *log = s->log;

	if (log->line_count == log->line_room) {
		log->line_room = log->line_room ? 2 * log->line_room : 64;
		log->lines = realloc(log->lines, log->line_room * sizeof(*log->lines));
		ck_assert_ptr_nonnull(log->lines);
	}
	snprintf(log->lines[log->line_count++], LINE_BYTES, "%6u.%03u  %.180s", ms_of(s, at) / 1000,
		 ms_of(s, at) % 1000, text);
}

void script_note(struct script *s, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	note_at(s, s->now_ns, text);
}

void script_fail(struct script *s, const char *format, ...)
{
	const struct script_log *log = s->log;
	unsigned int skip = log->line_count > 300 ? log->line_count - 300 : 0;
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("---- IPv%u: %s\n", s->version, text);
	for (unsigned int i = skip; i < log->line_count; i++)
		printf("%s\n", log->lines[i]);
	fflush(stdout);
	ck_abort_msg("IPv%u, at %u ms: %s", s->version, script_ms(s), text);
	abort();
}

static void note_packet(struct script *s, const char *arrow, unsigned int flow,
			const struct segment *segment)
{
	char text[LINE_BYTES];

	segment_print(segment, text, sizeof(text));
	if (flow)
		script_note(s, "%s [%u] %s", arrow, flow, text);
	else
		script_note(s, "%s %s", arrow, text);
}

/* ---- what we send ---- */

static void keep(struct script *s, unsigned int flow, const struct segment *segment)
{
	struct script_log *log = s->log;

	if (log->sent_count == log->sent_room) {
		log->sent_room = log->sent_room ? 2 * log->sent_room : 64;
		log->sent = realloc(log->sent, log->sent_room * sizeof(*log->sent));
		ck_assert_ptr_nonnull(log->sent);
	}
	log->sent[log->sent_count++] = (struct sent){ s->now_ns, flow, *segment };
}

void script_collect(struct script *s)
{
	struct script_log *log = s->log;
	struct segment segment;
	unsigned int flow;
	int bytes;

	while ((bytes = rw_packet_out(s->stack, log->packet, sizeof(log->packet))) > 0) {
		log->last_bytes = (size_t)bytes < SEGMENT_RAW ? (size_t)bytes : SEGMENT_RAW;
		memcpy(log->last, log->packet, log->last_bytes);
		wire_read(s, log->packet, (size_t)bytes, &segment, &flow);
		note_packet(s, ">", flow, &segment);
		keep(s, flow, &segment);
	}
	ck_assert_int_eq(bytes, 0);
}

static const struct sent *next_sent(const struct script *s)
{
	return s->log->first < s->log->sent_count ? &s->log->sent[s->log->first] : NULL;
}

/* Compares what was sent next with the text. */
static void judge(struct script *s, const char *text)
{
	const struct sent *sent = next_sent(s);
	struct segment expected;
	char seen[LINE_BYTES];

	segment_parse(s, text, &expected);
	if (!sent)
		script_fail(s, "expected \"%s\", but nothing was sent", text);
	segment_print(&sent->segment, seen, sizeof(seen));
	if (sent->flow != (unsigned int)(s->flow - s->flows))
		script_fail(s, "expected \"%s\", seen in flow %u \"%s\"", text, sent->flow, seen);
	if (!segment_matches(&expected, &sent->segment))
		script_fail(s, "expected \"%s\", seen \"%s\"", text, seen);
	s->log->first++;
}

#define FORMAT(text)                                      \
	char text[LINE_BYTES];                            \
	va_list arguments;                                \
                                                          \
	va_start(arguments, format);                      \
	vsnprintf(text, sizeof(text), format, arguments); \
	va_end(arguments)

void expect(struct script *s, const char *format, ...)
{
	FORMAT(text);
	judge(s, text);
}

void expect_nothing(struct script *s)
{
	const struct sent *sent = next_sent(s);
	char seen[LINE_BYTES];

	if (!sent)
		return;
	segment_print(&sent->segment, seen, sizeof(seen));
	script_fail(s, "expected nothing, seen in flow %u at %u ms \"%s\"", sent->flow,
		    ms_of(s, sent->at), seen);
}

unsigned int script_skip(struct script *s, uint32_t *bytes)
{
	unsigned int count = 0;

	if (bytes)
		*bytes = 0;
	for (const struct sent *sent = next_sent(s); sent; sent = next_sent(s)) {
		if (bytes)
			*bytes += sent->segment.bytes;
		s->log->first++;
		count++;
	}
	return count;
}

/* ---- time ---- */

/* Until `target`, or until something has been sent where that is wanted. */
static void run(struct script *s, uint64_t target, bool until_sent)
{
	for (unsigned int i = 0; i < STEPS_MAX; i++) {
		uint64_t next = rw_next(s->stack);

		if (until_sent && next_sent(s))
			return;
		if (next >= target)
			break;
		/* What is due now has been done: the stack may be a little early, not at once. */
		s->now_ns = next > s->now_ns ? next : s->now_ns + 1000;
		rw_now(s->stack, s->now_ns);
		script_collect(s);
	}
	if (rw_next(s->stack) < target && s->now_ns < target)
		script_fail(s, "the clock does not come to %u ms", ms_of(s, target));
	s->now_ns = target;
	rw_now(s->stack, target);
	script_collect(s);
}

void after_ms(struct script *s, unsigned int ms)
{
	run(s, s->now_ns + ms * MS, false);
}

void at_ms(struct script *s, unsigned int ms)
{
	uint64_t target = s->start_ns + ms * MS;

	if (target < s->now_ns)
		script_fail(s, "scenario: it is past %u ms", ms);
	run(s, target, false);
}

unsigned int script_ms(const struct script *s)
{
	return ms_of(s, s->now_ns);
}

void expect_nothing_for_ms(struct script *s, unsigned int ms)
{
	expect_nothing(s);
	run(s, s->now_ns + ms * MS, true);
	expect_nothing(s);
}

void expect_within_ms(struct script *s, unsigned int low, unsigned int high, const char *format,
		      ...)
{
	uint64_t from = s->now_ns;
	const struct sent *sent;
	uint64_t after;

	FORMAT(text);
	run(s, from + high * MS, true);
	sent = next_sent(s);
	if (!sent)
		script_fail(s, "expected within %u to %u ms \"%s\", but nothing was sent", low,
			    high, text);
	after = sent->at > from ? sent->at - from : 0;
	if (after < low * MS || after > high * MS)
		script_fail(s, "expected within %u to %u ms \"%s\", seen after %llu ms", low, high,
			    text, (unsigned long long)(after / MS));
	judge(s, text);
}

/* ---- the peer ---- */

void script_inject(struct script *s, const uint8_t *packet, size_t bytes)
{
	(void)rw_packet_in(s->stack, packet, bytes);
	script_collect(s);
}

void peer_sends(struct script *s, const char *format, ...)
{
	struct segment segment;
	size_t bytes;

	FORMAT(text);
	segment_parse(s, text, &segment);
	ck_assert_uint_le(segment.bytes, WIRE_MAX - 200);
	bytes = wire_make(s, &segment, s->log->packet);
	note_packet(s, "<", (unsigned int)(s->flow - s->flows), &segment);
	script_inject(s, s->log->packet, bytes);
}

size_t script_packet(struct script *s, uint8_t *to, const char *format, ...)
{
	struct segment segment;

	FORMAT(text);
	segment_parse(s, text, &segment);
	script_note(s, "< %s, spoilt", text);
	return wire_make(s, &segment, to);
}

size_t script_datagram(struct script *s, uint8_t *to, uint16_t from, uint16_t to_port,
		       uint32_t bytes)
{
	script_note(s, "< udp %u>%u (%u), spoilt", from, to_port, bytes);
	return wire_make_udp(s, from, to_port, bytes, to);
}

void peer_echo(struct script *s, uint32_t bytes)
{
	size_t all = wire_make_echo(s, bytes, s->log->packet);

	script_note(s, "< echo request (%u)", bytes);
	script_inject(s, s->log->packet, all);
}

void peer_icmp(struct script *s, enum script_icmp what, uint16_t mtu)
{
	size_t bytes =
		wire_make_icmp(s, what, mtu, s->log->last, s->log->last_bytes, s->log->packet);

	script_note(s, "< icmp %u mtu %u", what, mtu);
	script_inject(s, s->log->packet, bytes);
}

void peer_icmp_about(struct script *s, enum script_icmp what, uint16_t mtu, uint32_t sequence)
{
	uint8_t quoted[SEGMENT_RAW];
	size_t bytes;

	memcpy(quoted, s->log->last, sizeof(quoted));
	wire_set_sequence(s, quoted, s->flow->our_iss + sequence);
	bytes = wire_make_icmp(s, what, mtu, quoted, s->log->last_bytes, s->log->packet);
	script_note(s, "< icmp %u mtu %u about %u", what, mtu, sequence);
	script_inject(s, s->log->packet, bytes);
}

void peer_datagram(struct script *s, uint16_t from, uint16_t to, uint32_t bytes)
{
	size_t all = wire_make_udp(s, from, to, bytes, s->log->packet);

	script_note(s, "< udp %u>%u (%u)", from, to, bytes);
	script_inject(s, s->log->packet, all);
}

/* ---- begin and end ---- */

void script_choose(struct script *s, unsigned int flow)
{
	ck_assert_uint_lt(flow, SCRIPT_FLOWS);
	s->flow = &s->flows[flow];
}

void script_again(struct script *s, uint32_t peer_iss)
{
	s->flow->our_iss_known = false;
	s->flow->our_iss = 0;
	s->flow->peer_iss = peer_iss;
	s->flow->written = 0;
	s->flow->read = 0;
	s->flow->fd = -1;
}

static void begin_flows(struct script *s, uint32_t peer_iss)
{
	for (unsigned int i = 0; i < SCRIPT_FLOWS; i++)
		s->flows[i] = (struct script_flow){
			.fd = -1,
			.peer_port = (uint16_t)(SCRIPT_PEER_PORT + i),
			.peer_iss = peer_iss,
			.peer_window = UINT16_MAX,
		};
	s->flow = &s->flows[0];
	s->listener = -1;
}

struct script *script_begin_with(const struct script_how *how)
{
	struct script *s = calloc(1, sizeof(*s));
	struct rw_config config = {
		.seed = how->seed ? how->seed : 1,
		.now_ns = START_NS,
		.mtu = how->mtu,
		.gso_bytes = how->gso_bytes,
		.sockets = how->sockets ? how->sockets : 64,
		.memory_bytes = how->memory_bytes ? how->memory_bytes : 8u << 20,
		.buffer_bytes = how->buffer_bytes ? how->buffer_bytes : 1u << 20,
	};

	ck_assert_ptr_nonnull(s);
	s->version = how->version ? how->version : 4;
	s->start_ns = START_NS;
	s->now_ns = START_NS;
	s->log = calloc(1, sizeof(*s->log));
	ck_assert_ptr_nonnull(s->log);
	begin_flows(s, how->peer_iss ? how->peer_iss : 0xfffffc00u);
	if (s->version == 6)
		script_own_address(s, 0, &config.address6);
	else
		script_own_address(s, 0, &config.address4);
	s->stack = rw_new(&config);
	ck_assert_ptr_nonnull(s->stack);
	return s;
}

struct script *script_begin(uint8_t version)
{
	return script_begin_with(&(struct script_how){ .version = version });
}

void script_end(struct script *s)
{
	script_collect(s);
	expect_nothing(s);
	rw_free(s->stack);
	free(s->log->lines);
	free(s->log->sent);
	free(s->log);
	free(s);
}
