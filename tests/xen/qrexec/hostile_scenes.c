/* SPDX-License-Identifier: ISC */
/* Daemons and callers that say what they must not. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/xen/qrexec/scene.h"
#include "xen/qrexec.h"
#include "xen/store.h"

#define ECHO "user:QUBESRPC test.Echo dom0"

static void still_works(struct daemon *daemon)
{
	struct caller caller;

	ck_assert_int_eq(scene_call(daemon, &caller, "user:QUBESRPC test.Lines dom0", "a\n"), 0);
	ck_assert_str_eq(caller.out, "[1 a]");
}

/* ---- the daemon ---- */

static void unknown_messages(struct daemon *daemon)
{
	static const uint32_t types[] = { 0, 0x190, 0x204, 0x210, 0x211, 0x213, 0x300, 0xffffffff };
	static uint8_t body[256 << 10];

	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		daemon_send(daemon, types[i], body, 0);
		daemon_send(daemon, types[i], body, 4);
		daemon_send(daemon, types[i], body, 4105);
		daemon_send(daemon, types[i], body, sizeof(body));
		still_works(daemon);
	}
	ck_assert_uint_eq(atomic_load(&daemon->agent->connected), 1);
}

static void wrong_lengths(struct daemon *daemon)
{
	static uint8_t body[5000];

	for (uint32_t length = 0; length < 50; length++) {
		/* Calls of domain 0 and port 0, which cannot be; answers to nothing. */
		daemon_send(daemon, 0x200, body, length);
		daemon_send(daemon, 0x201, body, length);
		daemon_send(daemon, 0x202, body, length);
		daemon_send(daemon, 0x203, body, length);
	}
	daemon_send(daemon, 0x202, body, sizeof(body));
	daemon_send(daemon, 0x203, body, sizeof(body));
	still_works(daemon);
	ck_assert_uint_eq(daemon->ended_count, 0);
}

static void absurd_ends(struct daemon *daemon)
{
	static const uint32_t ends[][2] = { { 0, 0 },		{ 0, 512 },	 { 0, 769 },
					    { 0, 0xffffffff },	{ 0x7ff0, 513 }, { 0x10000, 513 },
					    { 0xffffffff, 513 } };

	for (uint32_t i = 0; i < ARRAY_SIZE(ends); i++) {
		daemon_exec(daemon, 0x200, ends[i][0], ends[i][1], ECHO);
		daemon_exec(daemon, 0x201, ends[i][0], ends[i][1], ECHO);
		daemon_accept(daemon, "ringwall-0", ends[i][0], ends[i][1]);
	}
	still_works(daemon);
	ck_assert_uint_eq(daemon->ended_count, 0);
	/* Ourselves, by a port that can be: it is free again at once. */
	daemon_exec(daemon, 0x200, daemon->qube, 600, ECHO);
	daemon_await_end(daemon, 600);
}

static void breach(struct daemon *daemon, const void *bytes, size_t count)
{
	daemon_send_raw(daemon, bytes, count);
	daemon_await_close(daemon);
	daemon_connect(daemon);
	still_works(daemon);
}

static void longer_than_any(struct daemon *daemon)
{
	static const uint32_t lengths[] = { (256 << 10) + 1, 0x7fffffff, 0xffffffff };

	for (uint32_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t header[2] = { 0x200, lengths[i] };

		breach(daemon, header, sizeof(header));
	}
}

/* In the place of greetings. */
static void bad_greetings(struct daemon *daemon)
{
	static const uint32_t greetings[][3] = {
		{ 0x300, 4, 0 }, { 0x300, 4, 1 }, { 0x200, 4, 3 }, { 0x300, 3, 3 }
	};
	char path[VCHAN_PATH_BYTES];

	daemon_disconnect(daemon);
	snprintf(path, sizeof(path), "/local/domain/%u/data/vchan/%u/512", daemon->qube,
		 store_domid());
	for (uint32_t i = 0; i < ARRAY_SIZE(greetings); i++) {
		ck_assert_int_eq(vchan_connect(daemon->qube, path, NULL,
					       clock_now_ns() + 60 * DAEMON_SECOND, &daemon->vchan),
				 0);
		daemon_send_raw(daemon, greetings[i], 12);
		daemon_await_close(daemon);
	}
	/* Nothing at all. */
	ck_assert_int_eq(vchan_connect(daemon->qube, path, NULL,
				       clock_now_ns() + 60 * DAEMON_SECOND, &daemon->vchan),
			 0);
	daemon_await_close(daemon);
	daemon_connect(daemon);
	still_works(daemon);
}

static uint64_t mix(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* Anything, near enough to messages to be looked at. */
static void garbage(struct daemon *daemon)
{
	uint64_t state = 0x1234567 + daemon->version;

	for (uint32_t round = 0; round < 60; round++) {
		for (uint32_t i = 0; i < 30; i++) {
			uint8_t body[64];
			uint32_t length = (uint32_t)(mix(&state) % sizeof(body));

			for (uint32_t k = 0; k < length; k++)
				body[k] = (uint8_t)(mix(&state) >> 32);
			if (mix(&state) % 2 && length >= 8) {
				uint32_t params[2] = { 99, 513 + (uint32_t)(mix(&state) % 256) };

				memcpy(body, params, 8);
			}
			daemon_send(daemon, 0x1f0 + (uint32_t)(mix(&state) % 40), body, length);
		}
		daemon_drain(daemon, DAEMON_SECOND);
	}
	/* Those that connect to a domain that is not there end at last. */
	daemon_drain(daemon, 100 * DAEMON_SECOND);
	memset(daemon->ended, 0, sizeof(daemon->ended));
	daemon->ended_count = 0;
	still_works(daemon);
}

/* ---- callers ---- */

/* What a caller says after greetings, or in their place; the agent closes. */
static void call_breach(struct daemon *daemon, bool greeted, const uint32_t *words, uint32_t count)
{
	struct caller caller;
	char path[VCHAN_PATH_BYTES];

	if (greeted) {
		caller_begin(&caller, daemon, 513, ECHO);
	} else {
		snprintf(path, sizeof(path), "data/vchan/%u/513", daemon->qube);
		caller = (struct caller){ .daemon = daemon, .exit_code = -1 };
		ck_assert_int_eq(vchan_listen(daemon->qube, path, 4096, 4096, NULL, &caller.vchan),
				 0);
		daemon_exec(daemon, 0x200, store_domid(), 513, ECHO);
	}
	(void)caller_send_raw(&caller, words, count * 4);
	daemon_await_end(daemon, 513);
	caller_close(&caller);
}

static void callers_breaches(struct daemon *daemon)
{
	static const uint32_t first[][3] = {
		{ 0x300, 4, 1 }, { 0x300, 5, 3 }, { 0x190, 4, 3 }, { 0, 0, 0 }
	};
	uint32_t limit = daemon->agreed < 3 ? 4096 : 65536;
	uint32_t later[][2] = { { 0x190, limit + 1 }, { 0x190, 0xffffffff }, { 0x191, 4 },
				{ 0x192, 0 },	      { 0x193, 4 },	     { 0x193, 5 },
				{ 0x300, 4 },	      { 0x200, 0 } };

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++)
		call_breach(daemon, false, first[i], 3);
	for (uint32_t i = 0; i < ARRAY_SIZE(later); i++)
		call_breach(daemon, true, later[i], 2);
	still_works(daemon);
}

/* Rings as small as they go: no message fits whole. */
static void smallest_rings(struct daemon *daemon)
{
	struct caller caller;

	caller_listen(&caller, daemon, 513, 1024);
	daemon_exec(daemon, 0x200, store_domid(), 513, "user:QUBESRPC test.Write+100000 dom0");
	caller_await_hello(&caller);
	ck_assert_int_eq(caller_finish(&caller), 0);
	ck_assert_uint_eq(caller.out_sum, service_pattern_sum(100000));
	daemon_await_end(daemon, 513);
}

/* Rings larger than any caller needs would take the window that all mappings share. */
static void largest_rings(struct daemon *daemon)
{
	struct caller caller;

	caller_listen(&caller, daemon, 513, 1u << 20);
	daemon_exec(daemon, 0x200, store_domid(), 513, ECHO);
	daemon_await_end(daemon, 513);
	ck_assert_int_eq(vchan_state(caller.vchan), VCHAN_LISTENING);
	caller_close(&caller);
	caller_listen(&caller, daemon, 513, 65536);
	daemon_exec(daemon, 0x200, store_domid(), 513, "user:QUBESRPC test.Write+100000 dom0");
	caller_await_hello(&caller);
	ck_assert_int_eq(caller_finish(&caller), 0);
	ck_assert_uint_eq(caller.out_sum, service_pattern_sum(100000));
	daemon_await_end(daemon, 513);
}

const struct qrexec_scene qrexec_hostile_scenes[] = {
	{ "unknown messages", unknown_messages, false },
	{ "wrong lengths", wrong_lengths, false },
	{ "absurd ends", absurd_ends, false },
	{ "longer than any", longer_than_any, false },
	{ "bad greetings", bad_greetings, true },
	{ "garbage", garbage, true },
	{ "callers' breaches", callers_breaches, false },
	{ "smallest rings", smallest_rings, false },
	{ "largest rings", largest_rings, true },
	{ 0 },
};
