/* SPDX-License-Identifier: ISC */
/* The guest program of the vchan tests. */
#include "tests/xen/vchan_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/vchan_internal.h"

extern const struct vchan_guest_program vchan_guest_program;

static uint32_t log_lines;
static char log_last[256];

static void log_count(const char *line, size_t length)
{
	size_t part = length < sizeof(log_last) - 1 ? length : sizeof(log_last) - 1;

	log_lines++;
	memcpy(log_last, line, part);
	log_last[part] = '\0';
	if (getenv("LOG"))
		fwrite(line, 1, length, stderr);
}

static void boot(void *unused)
{
	(void)unused;
	log_init(log_count, clock_now_ns);
}

static uint32_t lines(void)
{
	return log_lines;
}

static const char *last(void)
{
	return log_last;
}

const struct vchan_guest_program vchan_guest_program = {
	.boot = boot,
	.log_lines = lines,
	.log_last = last,
	.listen = vchan_listen,
	.listen_orders = vchan_listen_orders,
	.connect = vchan_connect,
	.close = vchan_close,
	.state = vchan_state,
	.wait_client = vchan_wait_client,
	.readable = vchan_readable,
	.writable = vchan_writable,
	.try_read = vchan_try_read,
	.try_write = vchan_try_write,
	.read = vchan_read,
	.write = vchan_write,
	.wait_readable = vchan_wait_readable,
	.wait_writable = vchan_wait_writable,
	.count = vchan_count,
	.held_pages = vchan_held_pages,
};
