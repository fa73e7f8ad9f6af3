/* SPDX-License-Identifier: ISC */
#include "xen/shutdown.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arch/x86/hypercall.h"
#include "lib/log.h"
#include "xen/console.h"
#include "xen/store.h"

#define REQUEST_BYTES 32u

static void (*owner)(enum shutdown_request request, void *context);
static void *owner_context;
static struct log_limit limit = LOG_LIMIT_INIT;

void shutdown_now(enum shutdown_request request)
{
	struct sched_shutdown op = { .reason = request == SHUTDOWN_REQUEST_REBOOT
						       ? SHUTDOWN_reboot
						       : SHUTDOWN_poweroff };

	console_flush();
	for (;;)
		(void)hypercall_sched_op(SCHEDOP_shutdown, &op);
}

/*
 * The toolstack may keep these nodes from us; then it does not need them. There is none for
 * suspending: a toolstack that finds no such node pauses us instead, which is what we want.
 */
static void features_write(void)
{
	static const char *const features[][2] = { { "control/feature-poweroff", "1" },
						   { "control/feature-reboot", "1" } };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		int error = store_write(STORE_NO_TRANSACTION, features[i][0], features[i][1]);

		if (error && error != -EACCES)
			log_line(LOG_WARNING, "shutdown", "%s: error %d", features[i][0], error);
	}
}

static int request_parse(const char *text, enum shutdown_request *request)
{
	if (strcmp(text, "poweroff") == 0)
		*request = SHUTDOWN_REQUEST_POWEROFF;
	else if (strcmp(text, "halt") == 0)
		*request = SHUTDOWN_REQUEST_HALT;
	else if (strcmp(text, "reboot") == 0)
		*request = SHUTDOWN_REQUEST_REBOOT;
	else
		return -EINVAL;
	return 0;
}

static void request_serve(void)
{
	char text[REQUEST_BYTES];
	enum shutdown_request request;
	int length = store_read(STORE_NO_TRANSACTION, "control/shutdown", text, sizeof(text));
	int error;

	if (length == 0 || length == -ENOENT)
		return; /* the watch's first firing, or our own acknowledgement */
	if (length < 0 && length != -E2BIG) {
		log_limited(&limit, LOG_WARNING, "shutdown", "cannot read: error %d", length);
		return;
	}
	error = store_write(STORE_NO_TRANSACTION, "control/shutdown", "");
	if (error)
		log_line(LOG_WARNING, "shutdown", "cannot acknowledge: error %d", error);
	if (length < 0 || request_parse(text, &request)) {
		log_limited(&limit, LOG_WARNING, "shutdown", "request \"%s\" is not supported",
			    length < 0 ? "(too long)" : text);
		return;
	}
	log_line(LOG_INFO, "shutdown", "%s requested", text);
	owner(request, owner_context);
	log_line(LOG_INFO, "shutdown", "done");
	shutdown_now(request);
}

/* Linux's keys: acknowledged, and nothing more. */
static void sysrq_serve(void)
{
	char text[REQUEST_BYTES];

	if (store_read(STORE_NO_TRANSACTION, "control/sysrq", text, sizeof(text)) > 0 &&
	    store_write(STORE_NO_TRANSACTION, "control/sysrq", ""))
		log_limited(&limit, LOG_WARNING, "shutdown", "cannot acknowledge a sysrq");
}

static void serve(void *argument)
{
	static struct fiber_event event;
	static struct store_watch shutdown_watch, sysrq_watch;

	(void)argument;
	fiber_event_init(&event);
	features_write();
	if (store_watch_add(&shutdown_watch, "control/shutdown", &event) ||
	    store_watch_add(&sysrq_watch, "control/sysrq", &event)) {
		log_line(LOG_ERROR, "shutdown", "control/shutdown cannot be watched");
		return;
	}
	while (fiber_event_wait(&event, FIBER_FOREVER) == 0) {
		if (shutdown_watch.fired) {
			shutdown_watch.fired = false;
			request_serve();
		}
		if (sysrq_watch.fired) {
			sysrq_watch.fired = false;
			sysrq_serve();
		}
	}
}

int shutdown_start(void (*requested)(enum shutdown_request request, void *context), void *context)
{
	owner = requested;
	owner_context = context;
	return fiber_start("shutdown", serve, NULL);
}
