/* SPDX-License-Identifier: ISC */
#include "tests/xen/qrexec/agent.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/fiber.h"
#include "xen/qrexec.h"

#define MS 1000000ull
#define READ_NS (60000 * MS)

extern const struct test_agent_program qrexec_test_agent;

static uint64_t soon(void)
{
	return clock_now_ns() + READ_NS;
}

static int failed(struct test_agent *agent, int64_t error)
{
	atomic_store(&agent->last_error, (int)error);
	return QREXEC_PROBLEM;
}

static int number(const struct qrexec_call *call)
{
	return atoi(qrexec_call_argument(call));
}

/* ---- services ---- */

static int echo(struct qrexec_call *call, void *context)
{
	static uint8_t buffers[QREXEC_CALLS_MAX][5000];
	static uint32_t next;
	uint8_t *bytes = buffers[next++ % QREXEC_CALLS_MAX];
	int64_t got;

	while ((got = qrexec_call_read(call, bytes, sizeof(buffers[0]), soon())) > 0) {
		int error = qrexec_call_write(call, bytes, (size_t)got);

		if (error)
			return failed(context, error);
	}
	return got ? failed(context, got) : 0;
}

static int exit_with(struct qrexec_call *call, void *context)
{
	(void)context;
	return number(call);
}

static int who(struct qrexec_call *call, void *context)
{
	int error = qrexec_call_print(call, "source=%s argument=%s\n", qrexec_call_source(call),
				      qrexec_call_argument(call));

	return error ? failed(context, error) : 0;
}

static int lines(struct qrexec_call *call, void *context)
{
	char line[16];
	int length;

	while ((length = qrexec_call_read_line(call, line, sizeof(line), soon())) >= 0)
		if (qrexec_call_print(call, "[%d %s]", length, line))
			return failed(context, -EIO);
	return length == -ENODATA ? 0 : failed(context, length);
}

static int write_pattern(struct qrexec_call *call, void *context)
{
	static uint8_t pattern[100000];
	size_t left = (size_t)number(call);

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 >> 3);
	while (left) {
		size_t count = left < sizeof(pattern) ? left : sizeof(pattern);
		int error = qrexec_call_write(call, pattern, count);

		if (error)
			return failed(context, error);
		left -= count;
	}
	return 0;
}

static int write_then_read(struct qrexec_call *call, void *context)
{
	uint8_t bytes[512];
	int64_t got, sum = 0;
	int error = write_pattern(call, context);

	if (error)
		return error;
	while ((got = qrexec_call_read(call, bytes, sizeof(bytes), soon())) > 0)
		sum += got;
	return got || sum != number(call) ? failed(context, got) : 0;
}

static int write_deaf(struct qrexec_call *call, void *context)
{
	qrexec_call_ignore_input(call);
	return write_pattern(call, context);
}

static int both_streams(struct qrexec_call *call, void *context)
{
	int error = qrexec_call_write(call, "out", 3);

	if (!error)
		error = qrexec_call_write_error(call, "err", 3);
	if (!error)
		error = qrexec_call_write(call, "OUT", 3);
	return error ? failed(context, error) : 9;
}

static int close_early(struct qrexec_call *call, void *context)
{
	char bytes[64];
	int64_t got, sum = 0;
	int error = qrexec_call_close_output(call);

	ck_assert_int_eq(qrexec_call_close_output(call), 0);
	ck_assert_int_eq(qrexec_call_write(call, "x", 1), error ? error : -EINVAL);
	while ((got = qrexec_call_read(call, bytes, sizeof(bytes), soon())) > 0)
		sum += got;
	return got ? failed(context, got) : (int)sum;
}

static int sleep_for(struct qrexec_call *call, void *context)
{
	struct test_agent *agent = context;

	atomic_fetch_add(&agent->running, 1);
	fiber_sleep_until(clock_now_ns() + (uint64_t)number(call) * MS);
	atomic_fetch_sub(&agent->running, 1);
	return 0;
}

/* Patient for a short time only. */
static int read_once_soon(struct qrexec_call *call, void *context)
{
	char byte;
	int64_t got = qrexec_call_read(call, &byte, 1, clock_now_ns() + 50 * MS);

	(void)context;
	if (got != -ETIMEDOUT)
		return 1;
	got = qrexec_call_read(call, &byte, 1, soon());
	return got == 1 && byte == 'b' ? 0 : 2;
}

static int silent(struct qrexec_call *call, void *context)
{
	struct test_agent *agent = context;
	char byte;

	if (qrexec_call_read(call, &byte, 1, soon()) == 0 && !qrexec_call_write(call, "a", 1) &&
	    !qrexec_call_write_error(call, "b", 1) && !qrexec_call_close_output(call))
		atomic_fetch_add(&agent->silent_runs, 1);
	return 3;
}

static const struct qrexec_service services[] = {
	{ "test.Both", both_streams },
	{ "test.CloseEarly", close_early },
	{ "test.Echo", echo },
	{ "test.Exit", exit_with },
	{ "test.Lines", lines },
	{ "test.Patient", read_once_soon },
	{ "test.Silent", silent },
	{ "test.Sleep", sleep_for },
	{ "test.Who", who },
	{ "test.Write", write_pattern },
	{ "test.WriteDeaf", write_deaf },
	{ "test.WriteRead", write_then_read },
};

/* ---- the qube ---- */

static void connected(void *context)
{
	struct test_agent *agent = context;

	atomic_fetch_add(&agent->connected, 1);
}

static void log_show(const char *line, size_t length)
{
	if (getenv("QREXEC_LOG"))
		fwrite(line, 1, length, stderr);
}

static void start(void *argument)
{
	struct test_agent *agent = argument;
	struct qrexec_config config = {
		.daemon = agent->daemon,
		.services = services,
		.service_count = ARRAY_SIZE(services),
		.context = agent,
		.connected = connected,
	};
	struct qrexec *qrexec;

	log_init(log_show, clock_now_ns);
	ck_assert_int_eq(qrexec_start(&config, &qrexec), 0);
	agent->own = qrexec;
}

static void done(void *context, int result)
{
	struct test_agent *agent = context;
	uint32_t i = atomic_load(&agent->done_count);

	ck_assert_uint_lt(i, AGENT_TRIGGERS);
	atomic_store(&agent->done_results[i], result);
	atomic_store(&agent->done_count, i + 1);
}

static void trigger(void *argument)
{
	struct test_agent *agent = argument;

	if (!atomic_load(&agent->trigger_asked))
		return;
	atomic_store(&agent->trigger_error,
		     qrexec_trigger(agent->own, agent->service, agent->target, done, agent));
	atomic_store(&agent->trigger_asked, 0);
}

static void print_line(void *context, const char *text)
{
	(void)context;
	ck_assert_int_eq(strncmp(text, "qrexec: ", 8), 0);
	if (getenv("QREXEC_LOG"))
		fprintf(stderr, "%s\n", text);
}

static void print(void *argument)
{
	qrexec_print_stats(((struct test_agent *)argument)->own, print_line, NULL);
}

const struct test_agent_program qrexec_test_agent = { start, trigger, print };
