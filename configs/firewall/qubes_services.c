/* SPDX-License-Identifier: ISC */
/* What dom0, or whom it lets, may call here. All else is told that there is no such service. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/firewall/qubes_parts.h"
#include "configs/lines_buffer.h"
#include "lib/log.h"
#include "lib/log_history.h"
#include "lib/time_text.h"
#include "xen/fiber.h"

#define STATUS_BYTES_MAX 131072u
#define TIME_BYTES_MAX 64u
#define INPUT_NS (10ull * 1000000000ull)
#define UPLINK_NS (9ull * 1000000000ull) /* dom0 waits ten seconds */
#define UPLINK_STEP_NS 50000000u

enum { DONE, FAILED };

/* The session of a qube is there as soon as it answers at all. */
static int done(struct qrexec_call *call, void *context)
{
	(void)call;
	(void)context;
	return DONE;
}

static int failed(struct qrexec_call *call, const char *text)
{
	if (qrexec_call_write_error(call, text, strlen(text)))
		log_line(LOG_DEBUG, "qrexec", "nobody reads an error");
	return FAILED;
}

static int set_date_time(struct qrexec_call *call, void *context)
{
	char text[TIME_BYTES_MAX], time[TIME_TEXT_BYTES];
	int length = qrexec_call_read_line(call, text, sizeof(text), clock_now_ns() + INPUT_NS);
	uint64_t wall_ns;

	(void)context;
	if (length < 0 || time_text_parse(text, (size_t)length, &wall_ns))
		return failed(call, "expected a time like 2026-11-21T15:15:55+00:00\n");
	clock_wall_set(wall_ns);
	/* Rules that end at some time may have ended. */
	qubes_lists_compile_again();
	log_line(LOG_INFO, "qubes", "it is %s", time_text_format(wall_ns, time));
	return DONE;
}

static bool uplink_is_up(void)
{
	const struct router *router = qubes.config.router;

	return router->uplink && router->uplink->netdev->up;
}

/* Called after dom0 has given a sleeping qube another net VM. */
static int wait_for_uplink(struct qrexec_call *call, void *context)
{
	uint64_t deadline = clock_now_ns() + UPLINK_NS;

	(void)context;
	while (!uplink_is_up()) {
		if (clock_now_ns() >= deadline)
			return failed(call, "there is no uplink\n");
		fiber_sleep_until(clock_now_ns() + UPLINK_STEP_NS);
	}
	return DONE;
}

static int notice(struct qrexec_call *call, void *context)
{
	char time[TIME_TEXT_BYTES];

	(void)call;
	(void)context;
	log_line(LOG_INFO, "qubes", "the host is about to sleep, or has slept; it is %s",
		 time_text_format(clock_wall_ns(), time));
	return DONE;
}

static int status(struct qrexec_call *call, void *context)
{
	struct lines_buffer lines;
	int error;

	(void)context;
	lines_buffer_init(&lines, STATUS_BYTES_MAX);
	qubes.config.print_stats(lines_buffer_add, &lines);
	error = qrexec_call_write(call, lines.text, lines.bytes);
	if (!error && lines.cut)
		error = failed(call, "there was more than fits\n");
	lines_buffer_free(&lines);
	return error ? FAILED : DONE;
}

static int log_show(struct qrexec_call *call, void *context)
{
	char *text = malloc(LOG_HISTORY_BYTES);
	int error;

	(void)context;
	if (!text)
		return failed(call, "no memory\n");
	error = qrexec_call_write(call, text, log_history_copy(text, LOG_HISTORY_BYTES));
	free(text);
	return error ? FAILED : DONE;
}

const struct qrexec_service qubes_services[] = {
	{ "qubes.WaitForSession", done },
	{ "qubes.SetDateTime", set_date_time },
	{ "qubes.WaitForNetworkUplink", wait_for_uplink },
	{ "qubes.SuspendPreAll", notice },
	{ "qubes.SuspendPre", notice },
	{ "qubes.SuspendPost", notice },
	{ "qubes.SuspendPostAll", notice },
	{ "ringwall.Status", status },
	{ "ringwall.Log", log_show },
};
const uint32_t qubes_services_count = ARRAY_SIZE(qubes_services);
