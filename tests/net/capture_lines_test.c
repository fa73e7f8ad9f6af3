/* SPDX-License-Identifier: ISC */
/*
 * A packet log on a console whose reader is slow: nothing is dropped, and log lines find
 * room. The console, the clock and the loop are played here, so the file itself is included.
 * CONSOLE=FILE in the environment gets what came out.
 */
#include <string.h>

#include "configs/capture_lines.c"
#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define RECORDS 200u

static char text[1 << 20];
static size_t text_bytes, backlog, backlog_most;
static struct loop_timer *timer;
static uint32_t timers;
static uint64_t now_ns;

void console_write(const char *bytes, size_t length)
{
	ck_assert_uint_lt(text_bytes + length, sizeof(text));
	memcpy(text + text_bytes, bytes, length);
	text_bytes += length;
	text[text_bytes] = '\0';
	backlog += length;
	backlog_most = backlog > backlog_most ? backlog : backlog_most;
}

size_t console_backlog(void)
{
	return backlog;
}

uint64_t clock_now_ns(void)
{
	return now_ns;
}

uint64_t clock_wall_ns(void)
{
	return now_ns + 1700000000ull * SECOND;
}

void loop_add_timer(struct loop_timer *added)
{
	timer = added;
	timers++;
}

static struct packet_log_record memory[RECORDS];
static struct packet_log packet_log;

static void setup(void)
{
	uint8_t bytes[60];
	struct packet packet = { .data = bytes, .length = 60, .head_length = 60 };
	struct packet_log_entry entry = { .packet = &packet,
					  .interface = "uplink0",
					  .direction = RULES_IN,
					  .action = RULES_BLOCK_DROP,
					  .reason = DROP_BLOCKED,
					  .line = 1,
					  .label = "" };

	memset(bytes, 0x42, sizeof(bytes));
	packet_log_init(&packet_log, memory, sizeof(memory), 1000, 1000, 0);
	for (uint32_t i = 0; i < RECORDS; i++)
		packet_log_add(&packet_log, &entry, i);
	now_ns = SECOND;
	text_bytes = backlog = backlog_most = 0;
}

/* The loop runs at each deadline; the reader takes `rate` bytes between two. True: it ends. */
static bool run(size_t rate, uint32_t turns)
{
	while (timer->next_ns(timer) != UINT64_MAX && turns--) {
		now_ns = timer->next_ns(timer) > now_ns ? timer->next_ns(timer) : now_ns;
		timer->run(timer, now_ns);
		backlog = backlog > rate ? backlog - rate : 0;
	}
	return timer->next_ns(timer) == UINT64_MAX;
}

static uint32_t count(const char *word)
{
	uint32_t n = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void keep_console(void)
{
	const char *name = getenv("CONSOLE");
	FILE *to = name ? fopen(name, "wb") : NULL;

	if (!to)
		return;
	ck_assert_uint_eq(fwrite(text, 1, text_bytes, to), text_bytes);
	fclose(to);
}

START_TEST(no_faster_than_it_is_read)
{
	setup();
	capture_lines_print(&packet_log);
	ck_assert(run(300, 10000));
	ck_assert_uint_lt(backlog_most, BACKLOG_MOST + 256);
	ck_assert_uint_eq(count("BEGIN"), 1);
	ck_assert_uint_eq(count("pcap: END "), 1);
	ck_assert_uint_eq(count(" 0\n"), 1); /* nothing was lost */
	ck_assert_uint_eq(count("pcap: "), capture.lines + 2);
	keep_console();
}
END_TEST

START_TEST(nobody_reads)
{
	setup();
	capture_lines_print(&packet_log);
	ck_assert(!run(0, 10000));
	ck_assert_uint_lt(text_bytes, BACKLOG_MOST + 256);
	timer->run(timer, now_ns); /* not before its time */
	ck_assert(run(100000, 1000));
	ck_assert_uint_eq(count("pcap: END "), 1);
}
END_TEST

/* However fast the reader is, a turn of the loop is short. */
START_TEST(a_turn_is_short)
{
	setup();
	capture_lines_print(&packet_log);
	ck_assert(!run(1 << 20, 1));
	ck_assert_uint_le(count("pcap: "), LINES_A_TURN + 1);
}
END_TEST

START_TEST(asked_again)
{
	setup();
	capture_lines_print(&packet_log);
	ck_assert(!run(1000, 3));
	capture_lines_print(&packet_log);
	ck_assert(run(1000, 10000));
	capture_lines_print(&packet_log);
	ck_assert(run(1000, 10000));
	ck_assert_uint_eq(timers, 1);
	ck_assert_uint_eq(count("BEGIN"), 3);
	ck_assert_uint_eq(count("pcap: END "), 2);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, no_faster_than_it_is_read);
	tcase_add_test(cases, nobody_reads);
	tcase_add_test(cases, a_turn_is_short);
	tcase_add_test(cases, asked_again);
}

int main(void)
{
	return unit_main("configs/capture_lines", add_cases);
}
