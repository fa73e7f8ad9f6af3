/* SPDX-License-Identifier: ISC */
/* Ends at the wrong moment: callers that vanish, daemons that come and go. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/xen/qrexec/scene.h"
#include "xen/fiber.h"
#include "xen/qrexec.h"
#include "xen/store.h"

#define ECHO "user:QUBESRPC test.Echo dom0"
#define WRITE "user:QUBESRPC test.Write+1000000 dom0"

static void still_works(struct daemon *daemon)
{
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test.Lines dom0", "a\n"), 0);
	ck_assert_str_eq(caller.out, "[1 a]");
}

/* The next daemon is another process. One that came before the qube ran at all would take
 * the place of the first in the same vchan, and nobody could tell. */
static void restart(struct daemon *daemon)
{
	daemon_disconnect(daemon);
	scene_sleep(50 * DAEMON_MS);
	daemon_connect(daemon);
}

/* ---- callers ---- */

/* The server is gone before the agent looks, or closes without a word. */
static void gone_before_greetings(struct daemon *daemon)
{
	struct caller caller;

	caller_listen(&caller, daemon, 513, 4096);
	daemon_exec(daemon, 0x200, store_domid(), 513, ECHO);
	caller_close(&caller);
	daemon_await_end(daemon, 513);
	caller_listen(&caller, daemon, 514, 4096);
	daemon_exec(daemon, 0x200, store_domid(), 514, ECHO);
	ck_assert_int_eq(vchan_wait_client(caller.vchan, clock_now_ns() + 60 * DAEMON_SECOND), 0);
	caller_close(&caller);
	daemon_await_end(daemon, 514);
	still_works(daemon);
}

/* A caller that was killed leaves its nodes, and the next one with its port is not there yet
 * when the agent hears of it: the agent must not take the old nodes for an answer. */
static void nodes_of_a_killed_caller(struct daemon *daemon)
{
	char us[8], them[8], path[STORE_PATH_BYTES];
	const char *permissions[] = { us, them };
	struct caller caller;

	snprintf(us, sizeof(us), "n%u", store_domid());
	snprintf(them, sizeof(them), "r%u", daemon->qube);
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "data/vchan/%u/513/%s", daemon->qube,
			 i ? "event-channel" : "ring-ref");
		ck_assert_int_eq(store_writef(STORE_NO_TRANSACTION, path, "%u", 400 + i), 0);
		ck_assert_int_eq(store_set_permissions(path, permissions, 2), 0);
	}
	daemon_exec(daemon, 0x200, store_domid(), 513, "user:QUBESRPC test.Exit+3 dom0");
	scene_sleep(300 * DAEMON_MS);
	caller_listen(&caller, daemon, 513, 4096);
	caller_await_hello(&caller);
	ck_assert_int_eq(caller_finish(&caller), 3);
	daemon_await_end(daemon, 513);
	still_works(daemon);
}

static void never_there(struct daemon *daemon)
{
	daemon_exec(daemon, 0x200, store_domid(), 513, ECHO);
	daemon_exec(daemon, 0x201, store_domid(), 514, ECHO);
	daemon_exec(daemon, 0x200, store_domid(), 515, "nonsense");
	daemon_await_ends(daemon, 3);
	daemon->ended_count = 0;
	memset(daemon->ended, 0, sizeof(daemon->ended));
	still_works(daemon);
}

static void silent_caller(struct daemon *daemon)
{
	struct caller caller;
	char path[VCHAN_PATH_BYTES];

	snprintf(path, sizeof(path), "data/vchan/%u/513", daemon->qube);
	caller = (struct caller){ .daemon = daemon, .port = 513, .exit_code = -1 };
	ck_assert_int_eq(vchan_listen(daemon->qube, path, 4096, 4096, NULL, &caller.vchan), 0);
	daemon_exec(daemon, 0x200, store_domid(), 513, ECHO);
	daemon_await_end(daemon, 513);
	caller_close(&caller);
	still_works(daemon);
}

/* After so many bytes of: a message of five bytes, another, the end of input. */
static void gone_after(struct daemon *daemon, size_t bytes)
{
	static const uint8_t stream[] = { 0x90, 1,   0,	   0, 5, 0, 0, 0, 'h', 'e', 'l',
					  'l',	'o', 0x90, 1, 0, 0, 3, 0, 0,   0,   'y',
					  'o',	'u', 0x90, 1, 0, 0, 0, 0, 0,   0 };
	struct caller caller;

	ck_assert_uint_le(bytes, sizeof(stream));
	caller_begin(&caller, daemon, 513, ECHO);
	ck_assert(caller_send_raw(&caller, stream, bytes));
	caller_close(&caller);
	daemon_await_end(daemon, 513);
}

static void gone_in_the_middle_of_input(struct daemon *daemon)
{
	for (size_t bytes = 0; bytes <= 32; bytes++)
		gone_after(daemon, bytes);
	still_works(daemon);
}

static void gone_in_the_middle_of_output(struct daemon *daemon)
{
	struct caller caller;

	for (uint32_t messages = 0; messages < 40; messages += 3) {
		caller_begin(&caller, daemon, 513, WRITE);
		for (uint32_t i = 0; i < messages; i++)
			ck_assert(caller_read(&caller));
		caller_close(&caller);
		daemon_await_end(daemon, 513);
	}
	still_works(daemon);
}

/* Nobody reads what a call has to say: it ends in the end. */
static void stalled_caller(struct daemon *daemon)
{
	struct caller caller;

	caller_begin(&caller, daemon, 513, WRITE);
	for (int i = 0; i < 7; i++) /* longer than a call may stand still */
		daemon_drain(daemon, 100 * DAEMON_SECOND);
	ck_assert_uint_eq(daemon->ended_count, 1);
	daemon_await_end(daemon, 513);
	caller_close(&caller);
	still_works(daemon);
}

/* ---- daemons ---- */

static void daemon_again(struct daemon *daemon)
{
	for (uint32_t i = 1; i <= (daemon->is_stepped ? 40u : 10u); i++) {
		if (i % 2)
			still_works(daemon);
		restart(daemon);
	}
	still_works(daemon);
	ck_assert_uint_ge(atomic_load(&daemon->agent->connected), 6);
}

/* Calls go on without a daemon; the next one hears nothing of them. */
static void calls_outlive_the_daemon(struct daemon *daemon)
{
	struct caller caller, other;

	caller_begin(&caller, daemon, 513, ECHO);
	caller_begin(&other, daemon, 514, "user:QUBESRPC test.Sleep+200 dom0");
	caller_send_text(&caller, "one");
	while (caller.out_bytes < 3)
		ck_assert(caller_read(&caller));
	daemon_disconnect(daemon);
	ck_assert_int_eq(caller_finish(&other), 0);
	caller_send_text(&caller, "two");
	while (caller.out_bytes < 6)
		ck_assert(caller_read(&caller));
	daemon_connect(daemon);
	still_works(daemon);
	caller_send_eof(&caller);
	ck_assert_int_eq(caller_finish(&caller), 0);
	ck_assert_str_eq(caller.out, "onetwo");
	daemon_drain(daemon, 200 * DAEMON_MS);
	ck_assert_uint_eq(daemon->ended_count, 0);
}

/* A daemon that dies with half a message under way, or with calls just asked for. */
static void daemon_gone_in_the_middle(struct daemon *daemon)
{
	uint32_t head[4] = { 0x200, 100, store_domid(), 513 };
	struct caller caller;

	for (size_t bytes = 1; bytes <= sizeof(head); bytes += 5) {
		daemon_send_raw(daemon, head, bytes);
		restart(daemon);
	}
	caller_listen(&caller, daemon, 513, 4096);
	daemon_exec(daemon, 0x200, store_domid(), 513, "user:QUBESRPC test.Exit+3 dom0");
	restart(daemon);
	if (vchan_wait_client(caller.vchan, clock_now_ns() + 300 * DAEMON_MS) == 0) {
		caller_await_hello(&caller);
		ck_assert_int_eq(caller_finish(&caller), 3);
	} else {
		caller_close(&caller);
	}
	still_works(daemon);
}

/* It connects and leaves before any greeting. */
static void daemon_without_a_word(struct daemon *daemon)
{
	daemon_disconnect(daemon);
	for (uint32_t i = 0; i < 3; i++) {
		daemon_attach(daemon);
		scene_sleep(i * 20 * DAEMON_MS);
		daemon_disconnect(daemon);
		scene_sleep(20 * DAEMON_MS);
	}
	daemon_connect(daemon);
	still_works(daemon);
}

/* It asks and asks, and reads nothing for a while: nobody gets stuck. */
struct asker {
	struct daemon *daemon;
	bool over;
};

static void ask_much(void *argument)
{
	struct asker *asker = argument;

	for (uint32_t i = 0; i < 1000; i++)
		daemon_exec(asker->daemon, 0x200, 99, 513 + i % 256, ECHO);
	asker->over = true;
}

static void daemon_does_not_read(struct daemon *daemon)
{
	static struct asker asker;

	asker = (struct asker){ daemon, false };
	ck_assert_int_eq(fiber_start("asker", ask_much, &asker), 0);
	scene_sleep(2 * DAEMON_SECOND);
	daemon_await_ends(daemon, 1000);
	ck_assert(asker.over);
	ck_assert_uint_eq(daemon->ended_count, 1000);
	memset(daemon->ended, 0, sizeof(daemon->ended));
	daemon->ended_count = 0;
	still_works(daemon);
}

/* Xen, the store and the heap of the qube fail at times: each call is answered or ended. */
static void failing_calls(struct daemon *daemon)
{
	struct caller caller;

	for (uint32_t i = 0; i < 300; i++) {
		atomic_store(&daemon->agent->faults_one_in, 2 + i / 30);
		if (i % 30 == 0)
			scene_sleep(10 * DAEMON_MS);
		caller_listen(&caller, daemon, 513, 65536);
		daemon_exec(daemon, i % 5 ? 0x200 : 0x201, store_domid(), 513,
			    "user:QUBESRPC test.Both dom0");
		daemon_await_end(daemon, 513);
		caller_close(&caller);
		if (i % 30 != 29)
			continue;
		/* A server needs more that works than a call does. */
		atomic_store(&daemon->agent->faults_one_in, 10);
		restart(daemon);
	}
	atomic_store(&daemon->agent->faults_one_in, 0);
	scene_sleep(10 * DAEMON_MS);
	still_works(daemon);
}

const struct qrexec_scene qrexec_life_scenes[] = {
	{ "gone before greetings", gone_before_greetings, true },
	{ "nodes of a killed caller", nodes_of_a_killed_caller, true },
	{ "never there", never_there, true },
	{ "silent caller", silent_caller, true },
	{ "gone in the middle of input", gone_in_the_middle_of_input, false },
	{ "gone in the middle of output", gone_in_the_middle_of_output, false },
	{ "stalled caller", stalled_caller, true },
	{ "daemon again", daemon_again, false },
	{ "calls outlive the daemon", calls_outlive_the_daemon, false },
	{ "daemon gone in the middle", daemon_gone_in_the_middle, false },
	{ "daemon without a word", daemon_without_a_word, false },
	{ "daemon does not read", daemon_does_not_read, true },
	{ "failing calls", failing_calls, true },
	{ 0 },
};
