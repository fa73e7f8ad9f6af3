/* SPDX-License-Identifier: ISC */
#include "tests/xen/qrexec/scene.h"

#include <check.h>
#include <errno.h>

#include "arch/x86/clock.h"
#include "xen/fiber.h"

#define STEP_NS (10 * DAEMON_MS)
#define DONE_NS (1000 * DAEMON_SECOND)

void scene_sleep(uint64_t ns)
{
	fiber_sleep_until(clock_now_ns() + ns);
}

int scene_call(struct daemon *daemon, struct caller *caller, const char *line, const char *input)
{
	int code;

	caller_begin(caller, daemon, 513, line);
	if (input && *input)
		caller_send_text(caller, input);
	if (input)
		caller_send_eof(caller);
	code = caller_finish(caller);
	daemon_await_end(daemon, 513);
	return code;
}

/* The test's own thread does what is asked for (main.c): no domain can run another's code. */
static int trigger_once(struct test_agent *agent)
{
	atomic_store(&agent->trigger_asked, 1);
	while (atomic_load(&agent->trigger_asked))
		scene_sleep(DAEMON_MS);
	return atomic_load(&agent->trigger_error);
}

int scene_trigger(struct daemon *daemon, const char *service, const char *target)
{
	struct test_agent *agent = daemon->agent;
	int error;

	agent->service = service;
	agent->target = target;
	error = trigger_once(agent);
	/* It may not have read our greeting yet. */
	for (uint32_t i = 0; i < 1000 && error == -ENOTCONN && daemon->vchan; i++)
		error = trigger_once(agent);
	return error;
}

int scene_await_done(struct daemon *daemon, uint32_t count)
{
	uint64_t until_ns = clock_now_ns() + DONE_NS;

	while (atomic_load(&daemon->agent->done_count) < count) {
		ck_assert_uint_lt(clock_now_ns(), until_ns);
		scene_sleep(STEP_NS);
	}
	ck_assert_uint_eq(atomic_load(&daemon->agent->done_count), count);
	return atomic_load(&daemon->agent->done_results[count - 1]);
}
