/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on whole TCP end points: two stacks on a link that loses, repeats, turns round,
 * merges and changes segments, strangers who know the true numbers, applications that do
 * anything at any time. What an application reads is what the other wrote, unless a stranger
 * spoke; when nobody has, everything arrives in the end.
 */
#include "net/tcp_core_parts.h"
#include "tests/fuzz/tcp_hosts.h"

#define STEPS 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- applications ---- */

static void application_step(struct script *script, uint8_t what)
{
	struct hosts_stream *stream = hosts_stream(what >> 4);

	if (!stream)
		return;
	switch (what % 16) {
	case 0:
	case 1:
	case 2:
		hosts_send(stream, script_u16(script));
		break;
	case 3:
	case 4:
		hosts_send(stream, script_u8(script));
		break;
	case 5:
	case 6:
		hosts_receive(stream, script_u16(script), false);
		break;
	case 7:
		hosts_receive(stream, 1, true);
		break;
	case 8:
		tcp_shutdown(stream->connection, hosts.now);
		break;
	case 9:
		hosts_drop(stream, false);
		break;
	case 10:
		hosts_drop(stream, true);
		break;
	case 11:
		tcp_set_no_delay(stream->connection, script_u8(script) & 1, hosts.now);
		break;
	case 12:
		tcp_set_keepalive(stream->connection, script_u8(script) & 1, hosts.now);
		break;
	case 13:
		tcp_set_user_timeout(stream->connection, script_u8(script));
		break;
	default:
		hosts_send(stream, 20000);
		break;
	}
	hosts_check(stream->host);
}

static void host_step(struct script *script, uint8_t what)
{
	unsigned int h = what >> 4 & 1;
	struct hosts_host *host = &hosts.host[h];
	struct tcp_connection *c;
	uint8_t events;

	switch (what % 8) {
	case 0:
	case 1:
		hosts_connect(h, (uint16_t)(1024 + script_u8(script) % 8));
		break;
	case 2:
	case 3:
		hosts_accept(h);
		break;
	case 4:
		host->is_busy = !host->is_busy;
		break;
	case 5:
		host->stack.config.memory.limit = script_u16(script) % 700;
		break;
	case 6:
		for (unsigned int i = 0; i < 2 * HOSTS_CONNECTIONS; i++) {
			c = tcp_next_event(&host->stack, &events);
			if (!c)
				break;
			fuzz_assert(tcp_has(c, TCP_FLAG_OWNED));
		}
		break;
	default:
		if (host->listens)
			tcp_unlisten(&host->stack, &host->listener, hosts.now);
		else
			fuzz_assert(tcp_listen(&host->stack, &host->listener) == 0);
		host->listens = !host->listens;
		break;
	}
	hosts_check(h);
}

/* ---- the link ---- */

static uint32_t near(struct script *script, uint32_t value)
{
	uint8_t how = script_u8(script);

	if (how < 64)
		return value + how - 32;
	if (how < 128)
		return value + (uint32_t)((int)how - 96) * 536;
	return how & 1 ? value + (uint32_t)(int16_t)script_u16(script) : script_u32(script);
}

/* Cuts bytes off the end, as no link should but each retransmission may. */
static void shorten(struct tcp_segment *segment, uint32_t bytes)
{
	uint32_t left = bytes;

	if (bytes >= segment->bytes)
		return;
	for (unsigned int i = 0; i < segment->piece_count; i++) {
		segment->pieces[i].bytes = min32(segment->pieces[i].bytes, left);
		left -= segment->pieces[i].bytes;
	}
	segment->bytes = bytes;
	segment->flags &= (uint8_t)~TCP_FIN;
}

static uint8_t *options_of(struct tcp_segment *segment)
{
	return (uint8_t *)(uintptr_t)segment->options;
}

/* Changes one thing of a segment that is on its way. */
static void change(struct script *script, struct hosts_segment *flying)
{
	struct tcp_segment *segment = &flying->segment;
	uint8_t how = script_u8(script);

	switch (how % 8) {
	case 0:
		segment->flags ^= how & 16 ? TCP_ECE : TCP_CWR;
		break;
	case 1:
		segment->ecn = how >> 4 & 3;
		break;
	case 2:
		shorten(segment, script_u16(script));
		break;
	case 3:
		segment->acknowledgement = near(script, segment->acknowledgement);
		hosts.has_lied = true;
		break;
	case 4:
		segment->window = script_u16(script);
		hosts.has_lied = true;
		break;
	case 5:
		if (segment->option_bytes)
			options_of(segment)[script_u8(script) % segment->option_bytes] =
				script_u8(script);
		hosts.has_lied = true;
		break;
	case 6:
		segment->sequence = near(script, segment->sequence);
		hosts.is_forged = true;
		break;
	default:
		segment->flags ^= script_u8(script);
		hosts.is_forged = true;
		break;
	}
}

static void link_step(struct script *script, uint8_t what)
{
	uint8_t n = script_u8(script);
	struct hosts_segment *again;

	switch (what % 8) {
	case 0:
	case 1:
		hosts_arrive(n);
		break;
	case 2:
	case 3:
		hosts_lose(n);
		break;
	case 4:
		again = hosts_again(n);
		if (again)
			again->at += script_u8(script) * HOSTS_MS * 8;
		break;
	case 5:
		hosts_merge(n);
		break;
	case 6:
		hosts_run((uint64_t)n * HOSTS_MS / 4);
		break;
	default:
		if (hosts.on_wire)
			change(script, hosts.wire[n % hosts.on_wire]);
		break;
	}
}

/* ---- strangers ---- */

static uint8_t put_blocks(struct script *script, const struct tcp_connection *c, uint8_t *to)
{
	struct tcp_options options = { .sack_count = (uint8_t)(script_u8(script) % 4) };

	if (tcp_has(c, TCP_FLAG_TIMESTAMPS)) {
		options.present = TCP_HAS_TIMESTAMPS;
		options.ts_value = near(script, c->timestamp_recent);
		options.ts_echo = near(script, tcp_timestamp(c->timestamp_offset, hosts.now));
	}
	for (unsigned int i = 0; i < options.sack_count; i++) {
		options.sacks[i].begin = near(script, c->snd_una);
		options.sacks[i].end = near(script, options.sacks[i].begin);
	}
	return (uint8_t)tcp_options_write(&options, to);
}

static const uint8_t kinds[16] = {
	TCP_ACK,	   TCP_ACK,	      TCP_ACK,		 TCP_ACK,
	TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN, TCP_RST,		 TCP_RST | TCP_ACK,
	TCP_SYN,	   TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, 0,
	TCP_ACK | TCP_ECE, TCP_ACK | TCP_CWR, TCP_ACK | TCP_URG, TCP_FIN,
};

/* A segment to a connection, mostly with its true numbers. */
static void stranger_step(struct script *script, uint8_t what)
{
	struct hosts_host *host = &hosts.host[what & 1];
	struct tcp_connection *c = &host->connections[script_u8(script) % HOSTS_CONNECTIONS];
	uint8_t options[TCP_OPTIONS_MAX], option_bytes = 0, shape = script_u8(script);
	struct hosts_segment *flying;

	if (!(c->flags & TCP_FLAG_LIVE))
		return;
	if (what & 2)
		option_bytes = put_blocks(script, c, options);
	else if (what & 4)
		option_bytes = (uint8_t)script_bytes(script, options, script_u8(script) % 41u);
	flying = hosts_forge(what & 1, shape & 128 ? script_u16(script) % 4000u : 0, option_bytes);
	if (!flying)
		return;
	memcpy(options_of(&flying->segment), options, option_bytes);
	flying->segment.key = c->end.key;
	flying->segment.flags = kinds[shape % 16];
	flying->segment.sequence = shape & 64 ? near(script, c->rcv_nxt) : c->rcv_nxt;
	flying->segment.acknowledgement =
		shape & 32 ? near(script, c->snd_una)
			   : c->snd_una + (shape & 16 ? tcp_outstanding(c) / 2 : 0);
	flying->segment.window = script_u16(script);
	hosts.is_forged = true;
	hosts_arrive(hosts.on_wire - 1);
}

static void problem_step(struct script *script, uint8_t what)
{
	struct tcp_connection *c =
		&hosts.host[what & 1].connections[script_u8(script) % HOSTS_CONNECTIONS];

	if (!(c->flags & TCP_FLAG_LIVE) || c->end.state == TCP_CLOSED)
		return;
	tcp_input_problem(&hosts.host[what & 1].stack, &c->end.key, near(script, c->snd_una),
			  (enum tcp_problem)(script_u8(script) % 3), script_u16(script), hosts.now);
	hosts_check(what & 1);
}

static void time_step(struct script *script, uint8_t what)
{
	uint64_t amount = script_u8(script);

	switch (what % 4) {
	case 0:
		hosts_run(amount * 1000);
		break;
	case 1:
		hosts_run(amount * HOSTS_MS);
		break;
	case 2:
		hosts_run(amount * 32 * HOSTS_MS);
		break;
	default: /* a link that is asked again each millisecond would take too long */
		hosts.host[0].is_busy = hosts.host[1].is_busy = false;
		hosts_run(amount * HOSTS_S / 4);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, size };

	hosts_begin(&script);
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++) {
		uint8_t step = script_u8(&script);

		if (step < 0x20)
			host_step(&script, step);
		else if (step < 0x70)
			application_step(&script, script_u8(&script));
		else if (step < 0x98)
			time_step(&script, step);
		else if (step < 0xd0)
			link_step(&script, step);
		else if (step < 0xf8)
			stranger_step(&script, step);
		else
			problem_step(&script, step);
	}
	hosts_end();
	return 0;
}
