/* SPDX-License-Identifier: ISC */
#include "configs/capture_lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "arch/x86/clock.h"
#include "lib/base64.h"
#include "xen/console.h"
#include "xen/loop.h"

#define LINE_DATA_BYTES 96u
#define LINES_A_TURN 16u
#define TURN_NS 10000000ull
/* Beyond it the console's reader is behind; log lines must find room, too. */
#define BACKLOG_MOST 4096u

static struct {
	struct packet_log_reader reader;
	struct loop_timer timer;
	uint64_t next_ns; /* UINT64_MAX: nothing to print */
	uint32_t lines;
	bool in_loop;
} capture;

static void say(const char *text, int length)
{
	if (length > 0)
		console_write(text, (size_t)length);
}

/* False: that was the last one. */
static bool line_print(void)
{
	uint8_t data[LINE_DATA_BYTES];
	char base64[BASE64_LENGTH(LINE_DATA_BYTES) + 1], text[sizeof(base64) + 32];
	size_t bytes = packet_log_read(&capture.reader, data, sizeof(data));

	if (bytes == 0) {
		say(text, snprintf(text, sizeof(text), "pcap: END %" PRIu32 " %" PRIu64 "\n",
				   capture.lines, capture.reader.lost));
		return false;
	}
	base64_write(base64, data, bytes);
	say(text, snprintf(text, sizeof(text), "pcap: %" PRIu32 " %s\n", capture.lines++, base64));
	return true;
}

static void turn(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	if (now_ns < capture.next_ns)
		return;
	capture.next_ns = now_ns + TURN_NS;
	for (uint32_t i = 0; i < LINES_A_TURN && console_backlog() < BACKLOG_MOST; i++) {
		if (line_print())
			continue;
		capture.next_ns = UINT64_MAX;
		return;
	}
}

static uint64_t turn_next(struct loop_timer *timer)
{
	(void)timer;
	return capture.next_ns;
}

void capture_lines_print(const struct packet_log *log)
{
	packet_log_open(&capture.reader, log, clock_wall_ns() - clock_now_ns());
	capture.lines = 0;
	capture.next_ns = 0;
	console_write("pcap: BEGIN\n", 12);
	if (capture.in_loop)
		return;
	capture.in_loop = true;
	capture.timer.run = turn;
	capture.timer.next_ns = turn_next;
	loop_add_timer(&capture.timer);
}
