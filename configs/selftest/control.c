/* SPDX-License-Identifier: ISC */
/* The toolstack's requests, played by ourselves: these nodes are a guest's to write. */
#include "configs/selftest/selftest.h"

#include <string.h>

#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/fiber.h"
#include "xen/shutdown.h"
#include "xen/store.h"

#define MS 1000000ull
#define LIMIT_NS (3000 * MS)
#define STEP_NS (10 * MS)

static unsigned int served;

static void requested(enum shutdown_request request, void *context)
{
	(void)context;
	served++;
	log_line(LOG_INFO, "selftest", "request %d is served", (int)request);
}

/* Writes the word and waits until it is acknowledged. */
static bool acknowledged(const char *path, const char *word)
{
	uint64_t end = clock_now_ns() + LIMIT_NS;
	char text[32] = "?";

	if (store_write(STORE_NO_TRANSACTION, path, word))
		return false;
	while (text[0] && clock_now_ns() < end) {
		fiber_sleep_until(clock_now_ns() + STEP_NS);
		if (store_read(STORE_NO_TRANSACTION, path, text, sizeof(text)) < 0)
			text[0] = '?';
	}
	return text[0] == '\0';
}

/* Waits until the node is there, as shutdown_start() works in a fiber of its own. */
static bool becomes(const char *path, const char *value)
{
	uint64_t end = clock_now_ns() + LIMIT_NS;
	char text[8];

	do {
		if (store_read(STORE_NO_TRANSACTION, path, text, sizeof(text)) > 0)
			return strcmp(text, value) == 0;
		fiber_sleep_until(clock_now_ns() + STEP_NS);
	} while (clock_now_ns() < end);
	return false;
}

void selftest_control(void)
{
	static char endless[200];

	CHECK_EQUAL(shutdown_start(requested, NULL), 0);
	CHECK(becomes("control/feature-poweroff", "1"));
	CHECK(becomes("control/feature-reboot", "1"));
	CHECK(acknowledged("control/shutdown", "nonsense"));
	CHECK(acknowledged("control/shutdown", "suspend"));
	memset(endless, 'x', sizeof(endless) - 1);
	CHECK(acknowledged("control/shutdown", endless));
	CHECK(acknowledged("control/sysrq", "h"));
	CHECK_EQUAL(served, 0);
}
