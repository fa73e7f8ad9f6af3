/* SPDX-License-Identifier: ISC */
/* Calls of services: streams, exit codes, what is refused, many at once. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/qrexec/scene.h"
#include "xen/fiber.h"
#include "xen/qrexec.h"
#include "xen/store.h"

#define MANY 40u

static void names_and_arguments(struct daemon *daemon)
{
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test.Who dom0", ""), 0);
	ck_assert_str_eq(caller.out, "source=dom0 argument=\n");
	ck_assert_int_eq(
		scene_call(daemon, &caller, "root:nogui:QUBESRPC test.Who+a+b work name fw", ""),
		0);
	ck_assert_str_eq(caller.out, "source=work argument=a+b\n");
	ck_assert_str_eq(caller.err, "");
}

static void exit_codes(struct daemon *daemon)
{
	static const int codes[] = { 0, 1, 42, 127, 255 };
	struct caller caller;
	char line[64];

	for (uint32_t i = 0; i < ARRAY_SIZE(codes); i++) {
		snprintf(line, sizeof(line), "user:QUBESRPC test.Exit+%d dom0", codes[i]);
		ck_assert_int_eq(scene_call(daemon, &caller, line, i % 2 ? "" : NULL), codes[i]);
	}
}

static void both_streams(struct daemon *daemon)
{
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test.Both dom0", NULL), 9);
	ck_assert_str_eq(caller.out, "outOUT");
	ck_assert_str_eq(caller.err, "err");
}

static void lines(struct daemon *daemon)
{
	static const char line[] = "user:QUBESRPC test.Lines dom0";
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, line, "one\n\nthree"), 0);
	ck_assert_str_eq(caller.out, "[3 one][0 ][5 three]");
	ck_assert_int_eq(scene_call(daemon, &caller, line, ""), 0);
	ck_assert_str_eq(caller.out, "");
	ck_assert_int_eq(scene_call(daemon, &caller, line, "123456789012345\n"), 0);
	ck_assert_str_eq(caller.out, "[15 123456789012345]");
	ck_assert_int_eq(scene_call(daemon, &caller, line, "1234567890123456\n"), QREXEC_PROBLEM);
}

static void reading_may_time_out(struct daemon *daemon)
{
	struct caller caller;

	caller_begin(&caller, daemon, 513, "user:QUBESRPC test.Patient dom0");
	scene_sleep(200 * DAEMON_MS);
	caller_send_text(&caller, "b");
	ck_assert_int_eq(caller_finish(&caller), 0);
	daemon_await_end(daemon, 513);
}

/* ---- much ---- */

struct sender {
	struct caller *caller;
	uint64_t bytes;
	uint32_t chunk;
	bool over;
};

static void send_all(void *argument)
{
	struct sender *sender = argument;

	caller_send(sender->caller, sender->bytes, sender->chunk);
	caller_send_eof(sender->caller);
	sender->over = true;
}

static void sender_start(struct sender *sender, struct caller *caller, uint64_t bytes,
			 uint32_t chunk)
{
	*sender = (struct sender){ caller, bytes, chunk, false };
	ck_assert_int_eq(fiber_start("sender", send_all, sender), 0);
}

static int finish_both(struct sender *sender)
{
	struct caller *caller = sender->caller;

	while (caller->exit_code < 0)
		ck_assert(caller_read(caller));
	while (!sender->over)
		scene_sleep(DAEMON_MS);
	return caller_finish(caller);
}

static void echo_of(struct daemon *daemon, uint64_t bytes, uint32_t chunk)
{
	struct sender sender;
	struct caller caller;

	caller_begin(&caller, daemon, 520, "user:QUBESRPC test.Echo dom0");
	sender_start(&sender, &caller, bytes, chunk);
	ck_assert_int_eq(finish_both(&sender), 0);
	ck_assert_uint_eq(caller.out_bytes, bytes);
	ck_assert_uint_eq(caller.out_sum, pattern_sum(bytes));
	daemon_await_end(daemon, 520);
}

static void echoes(struct daemon *daemon)
{
	uint32_t most = daemon->agreed < 3 ? 4096 : 65536;

	echo_of(daemon, 0, 1);
	echo_of(daemon, 1, 1);
	echo_of(daemon, 300, 1);
	echo_of(daemon, 4095, most);
	echo_of(daemon, 4096, most);
	echo_of(daemon, 4097, most);
	echo_of(daemon, 65537, most);
	echo_of(daemon, 1 << 20, most);
	echo_of(daemon, 1 << 20, 993);
}

/* Both write all before either reads: it goes on as soon as one of them does. */
static void simultaneous_writes(struct daemon *daemon)
{
	struct sender sender;
	struct caller caller;

	caller_begin(&caller, daemon, 513, "user:QUBESRPC test.WriteRead+1048576 dom0");
	sender_start(&sender, &caller, 1 << 20, 993);
	scene_sleep(500 * DAEMON_MS);
	ck_assert(!sender.over);
	ck_assert_int_eq(finish_both(&sender), 0);
	ck_assert_uint_eq(caller.out_bytes, 1 << 20);
	ck_assert_uint_eq(caller.out_sum, service_pattern_sum(1 << 20));
	daemon_await_end(daemon, 513);
}

/* A caller that writes all of its input before it reads a byte. */
static void unwanted_input(struct daemon *daemon)
{
	struct caller caller;

	caller_begin(&caller, daemon, 513, "user:QUBESRPC test.WriteDeaf+1048576 dom0");
	caller_send(&caller, 1 << 20, 4096);
	caller_send_eof(&caller);
	ck_assert_int_eq(caller_finish(&caller), 0);
	ck_assert_uint_eq(caller.out_bytes, 1 << 20);
	daemon_await_end(daemon, 513);
	caller_begin(&caller, daemon, 513, "user:QUBESRPC test.Exit+7 dom0");
	caller_send(&caller, 1 << 20, 4096);
	ck_assert_int_eq(caller_finish(&caller), 7);
	daemon_await_end(daemon, 513);
}

static void ends_of_streams(struct daemon *daemon)
{
	struct caller caller;

	caller_begin(&caller, daemon, 513, "user:QUBESRPC test.CloseEarly dom0");
	while (!caller.out_over)
		ck_assert(caller_read(&caller));
	caller_send_text(&caller, "hello");
	caller_send_eof(&caller);
	ck_assert_int_eq(caller_finish(&caller), 5);
	daemon_await_end(daemon, 513);
}

/* ---- what is not served ---- */

static void no_service(struct daemon *daemon)
{
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC qubes.VMShell dom0", "ls\n"),
			 127);
	ck_assert_str_eq(caller.err, "qrexec: there is no service qubes.VMShell here\n");
	ck_assert_str_eq(caller.out, "");
	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test dom0", NULL), 127);
	ck_assert_int_eq(scene_call(daemon, &caller, "root:cat /etc/passwd", NULL), 127);
	ck_assert_str_eq(caller.err, "qrexec: there is no shell here\n");
}

static void odd_commands(struct daemon *daemon)
{
	static char line[70000];
	struct caller caller;
	uint32_t head[4] = { 0x200, 8 + 5, store_domid(), 514 };

	ck_assert_int_eq(scene_call(daemon, &caller, "no colon", NULL), 125);
	ck_assert_str_eq(caller.err, "qrexec: the command is not understood\n");
	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC ", NULL), 125);
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "user:QUBESRPC test.Who+", 23);
	ck_assert_int_eq(scene_call(daemon, &caller, line, NULL), 125);
	ck_assert_str_eq(caller.err, "qrexec: the command is too long\n");
	line[100] = '\0';
	ck_assert_int_eq(scene_call(daemon, &caller, line, NULL), 125);
	caller_listen(&caller, daemon, 514, 4096); /* no NUL */
	daemon_send_raw(daemon, head, sizeof(head));
	daemon_send_raw(daemon, "u:cmd", 5);
	caller_await_hello(&caller);
	ck_assert_int_eq(caller_finish(&caller), 125);
	daemon_await_end(daemon, 514);
}

static void just_exec_of(struct daemon *daemon, const char *line, int code)
{
	struct caller caller;

	caller_listen(&caller, daemon, 700, 65536);
	daemon_exec(daemon, 0x201, store_domid(), 700, line);
	caller_await_hello(&caller);
	while (caller_read(&caller))
		;
	ck_assert_int_eq(caller.exit_code, code);
	ck_assert(!caller.out_over && !caller.err_over);
	ck_assert_uint_eq(caller.out_bytes + caller.err_bytes, 0);
	caller_close(&caller);
	daemon_await_end(daemon, 700);
}

static void just_exec(struct daemon *daemon)
{
	just_exec_of(daemon, "user:QUBESRPC test.Silent dom0", 0);
	for (int i = 0; i < 100 && !atomic_load(&daemon->agent->silent_runs); i++)
		scene_sleep(10 * DAEMON_MS);
	ck_assert_uint_eq(atomic_load(&daemon->agent->silent_runs), 1);
	just_exec_of(daemon, "user:touch /tmp/x", 127);
	just_exec_of(daemon, "user:QUBESRPC test.Nothing dom0", 127);
	just_exec_of(daemon, "nonsense", 125);
	/* The caller does not wait for it. */
	just_exec_of(daemon, "user:QUBESRPC test.Sleep+300 dom0", 0);
	scene_sleep(500 * DAEMON_MS);
}

/* ---- many ---- */

static void many_at_once(struct daemon *daemon)
{
	static struct caller callers[MANY];
	uint32_t served = 0, refused = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		caller_listen(&callers[i], daemon, 513 + i, 4096);
		daemon_exec(daemon, 0x200, store_domid(), 513 + i,
			    "user:QUBESRPC test.Sleep+3000 dom0");
	}
	/* Sixteen run; the others are told that there are too many, or are only ended. */
	daemon_await_ends(daemon, MANY - QREXEC_CALLS_MAX);
	for (uint32_t i = 0; i < MANY; i++) {
		if (daemon->ended[i] && vchan_state(callers[i].vchan) == VCHAN_LISTENING) {
			caller_close(&callers[i]);
			continue;
		}
		caller_await_hello(&callers[i]);
		switch (caller_finish(&callers[i])) {
		case 0:
			served++;
			break;
		case 125:
			refused++;
			ck_assert_str_eq(callers[i].err, "qrexec: too many calls at once\n");
		}
	}
	ck_assert_uint_eq(served, QREXEC_CALLS_MAX);
	ck_assert_uint_gt(refused, 0);
	daemon_await_ends(daemon, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		ck_assert_uint_eq(daemon->ended[i], 1);
	memset(daemon->ended, 0, sizeof(daemon->ended));
	daemon->ended_count = 0;
	ck_assert_int_eq(scene_call(daemon, &callers[0], "user:QUBESRPC test.Both dom0", NULL), 9);
}

/* Sixteen that all have much to say, and callers that come and go on one port. */
static void many_echoes(struct daemon *daemon)
{
	static struct caller callers[QREXEC_CALLS_MAX];
	static struct sender senders[QREXEC_CALLS_MAX];

	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < QREXEC_CALLS_MAX; i++) {
			caller_begin(&callers[i], daemon, 513 + i, "user:QUBESRPC test.Echo dom0");
			sender_start(&senders[i], &callers[i], 30000 + i * 1000, 993 + i);
		}
		for (uint32_t i = 0; i < QREXEC_CALLS_MAX; i++) {
			ck_assert_int_eq(finish_both(&senders[i]), 0);
			ck_assert_uint_eq(callers[i].out_sum, pattern_sum(30000 + i * 1000));
			daemon_await_end(daemon, 513 + i);
		}
	}
}

/* A qube whose calls hang keeps neither dom0, nor another qube, nor the others' ends waiting. */
static void another_qube_takes_all(struct daemon *daemon)
{
	struct caller caller;

	for (uint32_t i = 0; i < 30; i++)
		daemon_exec(daemon, 0x200, 99, 600 + i, "user:QUBESRPC test.Who dom0");
	daemon_await_ends(daemon, 30 - 6 - 8);
	for (uint32_t i = 0; i < 8; i++)
		daemon_exec(daemon, 0x200, 98, 640 + i, "user:QUBESRPC test.Who dom0");
	daemon_await_ends(daemon, 30 - 6 - 8 + 2);
	daemon_drain(daemon, DAEMON_SECOND);
	ck_assert_uint_eq(daemon->ended_count, 30 - 6 - 8 + 2);
	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test.Both dom0", NULL), 9);
	daemon_await_ends(daemon, 38);
}

const struct qrexec_scene qrexec_call_scenes[] = {
	{ "names and arguments", names_and_arguments, false },
	{ "exit codes", exit_codes, false },
	{ "both streams", both_streams, false },
	{ "lines", lines, false },
	{ "reading may time out", reading_may_time_out, false },
	{ "echoes", echoes, false },
	{ "simultaneous writes", simultaneous_writes, false },
	{ "unwanted input", unwanted_input, false },
	{ "ends of streams", ends_of_streams, false },
	{ "no service", no_service, false },
	{ "odd commands", odd_commands, false },
	{ "just exec", just_exec, false },
	{ "many at once", many_at_once, false },
	{ "many echoes", many_echoes, false },
	{ "another qube takes all", another_qube_takes_all, true },
	{ 0 },
};
