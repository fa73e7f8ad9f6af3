/* SPDX-License-Identifier: ISC */
/*
 * The selftest guest: everything that the lower layers promise, tried on the real
 * hypervisor; with a toolstack also on the real xenstore and console. Says
 * "selftest: N passed, N failed" and powers off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "configs/selftest/selftest.h"
#include "lib/log.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"
#include "xen/store.h"

#define LINE_BYTES 200u

static unsigned int passed, failed;

static void say(const char *text)
{
	char line[LINE_BYTES];
	int length = snprintf(line, sizeof(line), "selftest: %s\n", text);

	console_write(line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

bool selftest_check(bool good, const char *what, const char *file, int line)
{
	char text[LINE_BYTES];

	if (good) {
		passed++;
		return true;
	}
	failed++;
	snprintf(text, sizeof(text), "FAIL %s:%d: %s", file, line, what);
	say(text);
	return false;
}

bool selftest_check_equal(int64_t a, int64_t b, const char *what, const char *file, int line)
{
	char text[LINE_BYTES];

	if (selftest_check(a == b, what, file, line))
		return true;
	snprintf(text, sizeof(text), "     %" PRId64 " and %" PRId64, a, b);
	say(text);
	return false;
}

void selftest_settle(void)
{
	fiber_yield();
	fiber_yield();
}

static void suite_said(const char *name, unsigned int passed_before, unsigned int failed_before)
{
	char text[LINE_BYTES];

	snprintf(text, sizeof(text), "%-8s %u good, %u bad", name, passed - passed_before,
		 failed - failed_before);
	say(text);
}

#define SUITE(name, call)                                       \
	do {                                                    \
		unsigned int passed_before = passed;            \
		unsigned int failed_before = failed;            \
                                                                \
		call;                                           \
		suite_said(name, passed_before, failed_before); \
	} while (0)

static void stats_say(void *context, const char *text)
{
	(void)context;
	say(text);
}

static void all_suites(bool has_store)
{
	uint16_t self = has_store ? store_domid() : 0;

	CHECK(self != DOMID_INVALID);
	SUITE("events", selftest_events(self));
	SUITE("grants", selftest_grants(self));
	SUITE("fibers", selftest_fibers());
	SUITE("time", selftest_time());
	SUITE("memory", selftest_memory());
	if (has_store) {
		SUITE("store", selftest_store(self));
		SUITE("watches", selftest_watches());
		SUITE("control", selftest_control());
	} else {
		say("no xenstore here: its suites are left out");
	}
	SUITE("console", selftest_console(boot_info_get()->console_ring != NULL));
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	char text[LINE_BYTES];
	bool has_store = !boot_info_get()->initial_domain;

	(void)cmdline;
	(void)module;
	(void)module_bytes;
	all_suites(has_store);
	stats_print_xen(stats_say, NULL);
	snprintf(text, sizeof(text), "%u passed, %u failed", passed, failed);
	say(text);
	/* With a toolstack the suite "control" has started to listen: the way of xl. */
	if (has_store && store_write(STORE_NO_TRANSACTION, "control/shutdown", "poweroff") == 0)
		return;
	shutdown_now(SHUTDOWN_REQUEST_POWEROFF);
}
