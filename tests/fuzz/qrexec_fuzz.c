/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the qrexec agent: a daemon and callers that say anything, in messages and in
 * bytes, take what is written as they like, come, vanish and break their ends. Whatever they
 * do, the daemon only gets messages that it would accept, callers get well-formed streams,
 * and when all have gone nothing is left.
 */
#include "xen/qrexec.h"

#include <errno.h>

#include "tests/fuzz/qrexec_vchan.h"
#include "tests/host/host.h"
#include "xen/qrexec_wire.h"

#define STEPS 200u
#define SECOND_NS 1000000000ull
#define REST_NS (2000u * SECOND_NS) /* longer than any wait of the agent */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct host_machine *machine;
static struct host_domain *qube;
static struct host_counters clean;
static struct qrexec *agent;
static struct script script;
static uint32_t agreed; /* with this daemon; 0: no greeting yet */

/* Of the last requests, for answers that somebody waits for. */
static char idents[8][32];
static uint32_t ident_count;

/* ---- what is written ---- */

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return value;
}

static void control_check(const struct fuzz_parser *parser, uint32_t type, uint32_t length)
{
	const uint8_t *body = parser->bytes + 8;

	if (parser->messages == 0) {
		fuzz_assert(type == 0x300 && length == 4);
		return;
	}
	fuzz_assert(agreed != 0);
	switch (type) {
	case 0x210:
		fuzz_assert(agreed < 3 && length == 128);
		memcpy(idents[ident_count++ % 8], body + 96, 32);
		break;
	case 0x211:
		fuzz_assert(length == 8 && word(body + 4) >= 513 && word(body + 4) <= 768);
		break;
	case 0x212:
		fuzz_assert(agreed >= 3 && length > 97 && body[length - 1] == 0);
		memcpy(idents[ident_count++ % 8], body + 64, 32);
		break;
	default:
		fuzz_assert(!"a message that the daemon knows");
	}
}

static void call_check(const struct fuzz_parser *parser, uint32_t type, uint32_t length)
{
	if (parser->messages == 0)
		fuzz_assert(type == 0x300 && length == 4);
	else
		fuzz_assert((type >= 0x190 && type <= 0x192 && length <= 4096) ||
			    (type == 0x193 && length == 4));
}

void fuzz_vchan_written(struct vchan *vchan, bool is_control, const uint8_t *bytes, size_t count)
{
	struct fuzz_parser *parser = fuzz_vchan_parser(vchan);

	for (size_t i = 0; i < count; i++) {
		uint32_t length;

		fuzz_assert(parser->have < sizeof(parser->bytes));
		parser->bytes[parser->have++] = bytes[i];
		if (parser->have < 8)
			continue;
		length = word(parser->bytes + 4);
		fuzz_assert(length <= sizeof(parser->bytes) - 8);
		if (parser->have < 8 + length)
			continue;
		if (is_control)
			control_check(parser, word(parser->bytes), length);
		else
			call_check(parser, word(parser->bytes), length);
		parser->messages++;
		parser->have = 0;
	}
}

/* ---- the qube ---- */

static int echo(struct qrexec_call *call, void *context)
{
	char bytes[100];
	int64_t got;

	(void)context;
	while ((got = qrexec_call_read(call, bytes, sizeof(bytes), REST_NS)) > 0)
		if (qrexec_call_write(call, bytes, (size_t)got) ||
		    qrexec_call_write_error(call, bytes, (size_t)got))
			return 1;
	return got ? 2 : 0;
}

static int lines(struct qrexec_call *call, void *context)
{
	char line[20];

	(void)context;
	while (qrexec_call_read_line(call, line, sizeof(line), REST_NS) >= 0)
		if (qrexec_call_print(call, "%s %s %s\n", qrexec_call_source(call),
				      qrexec_call_argument(call), line))
			return 1;
	return qrexec_call_close_output(call) ? 2 : 0;
}

static int deaf(struct qrexec_call *call, void *context)
{
	static const uint8_t much[10000];

	(void)context;
	qrexec_call_ignore_input(call);
	return qrexec_call_write(call, much, sizeof(much)) ? 1 : 0;
}

static const struct qrexec_service services[] = { { "a", echo }, { "b", lines }, { "c", deaf } };

static void start(void *argument)
{
	struct qrexec_config config = { .daemon = 77,
					.services = services,
					.service_count = ARRAY_SIZE(services) };

	(void)argument;
	fuzz_assert(qrexec_start(&config, &agent) == 0);
}

static void done(void *context, int result)
{
	fuzz_assert(context == &agent);
	fuzz_assert(result <= 255);
}

/* ---- steps, all in the domain ---- */

static void give(struct vchan *vchan, uint32_t type, const void *body, size_t count)
{
	uint32_t header[2] = { type, (uint32_t)count };

	fuzz_vchan_give(vchan, header, sizeof(header));
	if (count)
		fuzz_vchan_give(vchan, body, count);
}

static void give_call(struct vchan *control)
{
	static const char *const names[] = { "u:QUBESRPC a+x dom0", "u:QUBESRPC b+y work name z",
					     "u:nogui:QUBESRPC c q", "u:QUBESRPC d dom0",
					     "u:shell" };
	struct {
		uint32_t domain, port;
		char line[300];
	} body;
	uint8_t how = script_u8(&script);
	size_t count = how & 64 ? script_bytes(&script, (uint8_t *)body.line, script_u8(&script))
				: (size_t)snprintf(body.line, sizeof(body.line), "%s",
						   names[how % ARRAY_SIZE(names)]) +
					  1;

	body.domain = how & 32 ? script_u32(&script) : how & 16 ? 77 : 5;
	body.port = how & 32 ? script_u32(&script) : 513u + script_u8(&script);
	give(control, how & 128 ? 0x201 : 0x200, &body, 8 + count);
}

static void give_answer(struct vchan *control)
{
	struct {
		uint32_t domain, port;
		char ident[32];
	} body = { 5, 513u + script_u8(&script), "" };
	uint8_t how = script_u8(&script);

	memcpy(body.ident, idents[how % 8u], sizeof(body.ident));
	if (how & 128)
		give(control, 0x203, body.ident, how & 64 ? script_u8(&script) % 33u : 32);
	else
		give(control, 0x202, &body, how & 64 ? script_u8(&script) % 41u : 40);
}

static void give_greeting(struct vchan *vchan, bool is_control)
{
	uint32_t version = script_u8(&script);

	if (is_control && !agreed && version >= 2)
		agreed = version < 4 ? version : 4;
	give(vchan, 0x300, &version, 4);
}

static void give_stream(struct vchan *vchan, uint32_t type)
{
	uint8_t bytes[256];
	size_t count = script_bytes(&script, bytes, script_u8(&script));

	give(vchan, type, bytes, count);
}

/* The daemon's greeting is the first that it says, or the agent gives up: so `agreed` is known. */
static void control_step(void *argument)
{
	struct vchan *control = fuzz_vchan_control();
	uint8_t bytes[256], step = *(uint8_t *)argument;

	if (!control)
		return;
	if (vchan_state(control) == VCHAN_LISTENING) {
		agreed = 0;
		fuzz_vchan_come(control);
		give_greeting(control, true);
		return;
	}
	switch (step) {
	case 0:
	case 1:
	case 2:
		give_call(control);
		break;
	case 3:
		give_answer(control);
		break;
	case 4:
		give_stream(control, script_u16(&script));
		break;
	case 5:
		fuzz_vchan_give(control, bytes, script_bytes(&script, bytes, script_u8(&script)));
		break;
	case 6:
		fuzz_vchan_grant(control, script_u16(&script) % 8192u);
		break;
	case 7:
		fuzz_vchan_end(control, script_u8(&script) & 1);
		break;
	default:
		(void)!qrexec_trigger(agent, script_u8(&script) & 1 ? "a.B+c" : "a b", "dom0", done,
				      &agent);
	}
}

static void call_step(void *argument)
{
	struct vchan *call = fuzz_vchan_call(script_u8(&script) % 32u);
	uint8_t bytes[256], step = *(uint8_t *)argument;

	if (!call)
		return;
	if (vchan_state(call) == VCHAN_LISTENING)
		fuzz_vchan_come(call);
	switch (step) {
	case 16:
	case 17:
		give_greeting(call, false);
		break;
	case 18:
	case 19:
		give_stream(call, 0x190u + script_u8(&script) % 4u);
		break;
	case 20:
		give(call, 0x190u + script_u8(&script) % 5u, NULL, 0);
		break;
	case 21:
		fuzz_vchan_give(call, bytes, script_bytes(&script, bytes, script_u8(&script)));
		break;
	case 22:
		fuzz_vchan_end(call, script_u8(&script) & 1);
		break;
	default:
		fuzz_vchan_grant(call, script_u16(&script));
	}
}

static void operate(void)
{
	uint8_t step = script_u8(&script) % 32u;
	struct host_faults faults = { 0 };

	if (step < 12) {
		host_call(qube, control_step, &step);
	} else if (step < 14) {
		host_run_for(machine, SECOND_NS / 10 * script_u8(&script));
	} else if (step == 14) {
		fuzz_vchan_serves = script_u8(&script) & 3;
	} else if (step == 15) {
		faults.malloc_one_in = script_u8(&script) % 8u;
		host_domain_set_faults(qube, &faults);
	} else {
		host_call(qube, call_step, &step);
	}
	if (script_u8(&script) & 1)
		host_run_for(machine, 100000);
}

/* ---- one input ---- */

static void end_all(void *argument)
{
	struct vchan *call;

	(void)argument;
	for (uint32_t i = 0; (call = fuzz_vchan_call(i)); i++)
		fuzz_vchan_end(call, false);
	if (vchan_state(fuzz_vchan_control()) != VCHAN_LISTENING)
		fuzz_vchan_end(fuzz_vchan_control(), false);
}

static void assert_clean(void)
{
	static const struct host_faults none;
	struct host_counters now;

	host_domain_set_faults(qube, &none);
	fuzz_vchan_serves = false;
	host_run_for(machine, 2 * SECOND_NS); /* the server is there again */
	host_call(qube, end_all, NULL);
	host_run_for(machine, REST_NS);
	now = host_domain_counters(qube);
	if (memcmp(&now, &clean, sizeof(now)) != 0)
		fprintf(stderr, "left: %s\n", host_counters_text(&now));
	fuzz_assert(memcmp(&now, &clean, sizeof(now)) == 0);
	fuzz_assert(vchan_count() == 1 && !qrexec_is_connected(agent));
}

static void make(void)
{
	struct host_options options = { .mode = HOST_STEPPED, .seed = 1, .pages = 64 };

	machine = host_machine_create(&options);
	qube = host_domain_create(machine, "qube", 16);
	host_call(qube, start, NULL);
	host_run_for(machine, SECOND_NS);
	clean = host_domain_counters(qube);
	fuzz_assert(vchan_count() == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!machine)
		make();
	script = (struct script){ data, size };
	agreed = 0;
	ident_count = 0;
	memset(idents, 0, sizeof(idents));
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++)
		operate();
	assert_clean();
	return 0;
}
