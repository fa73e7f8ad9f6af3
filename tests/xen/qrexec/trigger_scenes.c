/* SPDX-License-Identifier: ISC */
/* Calls that the qube asks dom0 for. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "tests/xen/qrexec/scene.h"
#include "xen/store.h"

/* dom0's end of an accepted request: client of the qube's server. */
static void answer(struct caller *caller, struct daemon *daemon, uint32_t port)
{
	uint32_t hello[3] = { 0x300, 4, daemon->version };
	char path[VCHAN_PATH_BYTES];

	*caller = (struct caller){ .daemon = daemon, .port = port, .version = daemon->version };
	snprintf(path, sizeof(path), "/local/domain/%u/data/vchan/%u/%u", daemon->qube,
		 store_domid(), port);
	ck_assert_int_eq(vchan_connect(daemon->qube, path, NULL, clock_now_ns() + 5 * DAEMON_SECOND,
				       &caller->vchan),
			 0);
	ck_assert(caller_send_raw(caller, hello, sizeof(hello)));
	caller_await_hello(caller);
}

static void end_of_input_await(struct caller *caller)
{
	uint32_t header[2];

	ck_assert_int_eq(vchan_read(caller->vchan, header, 8, clock_now_ns() + DAEMON_SECOND * 10),
			 0);
	ck_assert_uint_eq(header[0], 0x190);
	ck_assert_uint_eq(header[1], 0);
}

static void say(struct caller *caller, uint32_t type, const void *body, uint32_t length)
{
	uint32_t header[2] = { type, length };

	ck_assert(caller_send_raw(caller, header, 8));
	ck_assert(caller_send_raw(caller, body, length));
}

static const struct daemon_request *ask(struct daemon *daemon)
{
	const struct daemon_request *request;

	ck_assert_int_eq(scene_trigger(daemon, "qubes.FeaturesRequest", "dom0"), 0);
	request = daemon_await_request(daemon);
	ck_assert_str_eq(request->service, "qubes.FeaturesRequest");
	ck_assert_str_eq(request->target, "dom0");
	return request;
}

static void accepted(struct daemon *daemon)
{
	static uint8_t much[50000];
	struct caller caller;

	for (uint32_t code = 0; code < 3; code++) {
		daemon_accept(daemon, ask(daemon)->ident, store_domid(), 530);
		answer(&caller, daemon, 530);
		end_of_input_await(&caller);
		for (uint32_t at = 0; at < sizeof(much); at += 4000)
			say(&caller, 0x191 + at / 4000 % 2, much, 4000);
		say(&caller, 0x191, NULL, 0);
		say(&caller, 0x192, NULL, 0);
		say(&caller, 0x193, &code, 4);
		ck_assert_int_eq(scene_await_done(daemon, code + 1), (int)code);
		daemon_await_end(daemon, 530);
		caller_close(&caller);
	}
}

static void refused(struct daemon *daemon)
{
	for (uint32_t i = 1; i <= 3; i++) {
		daemon_refuse(daemon, ask(daemon)->ident);
		ck_assert_int_eq(scene_await_done(daemon, i), -EACCES);
	}
	ck_assert_uint_eq(daemon->ended_count, 0);
}

static void names(struct daemon *daemon)
{
	const struct daemon_request *request;

	ck_assert_int_eq(scene_trigger(daemon, "", "dom0"), -EINVAL);
	ck_assert_int_eq(scene_trigger(daemon, "a b", "dom0"), -EINVAL);
	ck_assert_int_eq(scene_trigger(daemon, "a", ""), -EINVAL);
	ck_assert_int_eq(scene_trigger(daemon, "a", "dom/0"), -EINVAL);
	ck_assert_int_eq(scene_trigger(daemon, "ringwall.Test+1", "@default"), 0);
	request = daemon_await_request(daemon);
	ck_assert_str_eq(request->service, "ringwall.Test+1");
	ck_assert_str_eq(request->target, "@default");
	daemon_refuse(daemon, request->ident);
	ck_assert_int_eq(scene_await_done(daemon, 1), -EACCES);
}

static void too_many(struct daemon *daemon)
{
	for (uint32_t i = 0; i < 8; i++)
		(void)ask(daemon);
	ck_assert_int_eq(scene_trigger(daemon, "a", "dom0"), -EBUSY);
	for (uint32_t i = 8; i-- > 0;)
		daemon_refuse(daemon, daemon->requests[i].ident);
	ck_assert_int_eq(scene_await_done(daemon, 8), -EACCES);
	daemon_refuse(daemon, ask(daemon)->ident);
	ck_assert_int_eq(scene_await_done(daemon, 9), -EACCES);
}

static void lost_with_the_daemon(struct daemon *daemon)
{
	struct caller caller;
	uint32_t code = 5;

	daemon_accept(daemon, ask(daemon)->ident, store_domid(), 531);
	answer(&caller, daemon, 531);
	(void)ask(daemon);
	daemon_disconnect(daemon);
	ck_assert_int_eq(scene_await_done(daemon, 1), -EPIPE);
	ck_assert_int_eq(scene_trigger(daemon, "a", "dom0"), -ENOTCONN);
	daemon_connect(daemon);
	/* The one that had its channel goes on. */
	end_of_input_await(&caller);
	say(&caller, 0x193, &code, 4);
	ck_assert_int_eq(scene_await_done(daemon, 2), 5);
	caller_close(&caller);
	daemon_refuse(daemon, ask(daemon)->ident);
	ck_assert_int_eq(scene_await_done(daemon, 3), -EACCES);
	ck_assert_uint_eq(daemon->ended_count, 0);
}

static void never_answered(struct daemon *daemon)
{
	const struct daemon_request *request = ask(daemon);

	ck_assert_int_eq(scene_await_done(daemon, 1), -ETIMEDOUT);
	/* Too late: the port is free again, and nobody listens there. */
	daemon_accept(daemon, request->ident, store_domid(), 532);
	daemon_await_end(daemon, 532);
	daemon_refuse(daemon, request->ident);
	/* Accepted, and then nobody comes. */
	daemon_accept(daemon, ask(daemon)->ident, store_domid(), 533);
	ck_assert_int_eq(scene_await_done(daemon, 2), -ETIMEDOUT);
	daemon_await_end(daemon, 533);
}

static void answers_to_nothing(struct daemon *daemon)
{
	const struct daemon_request *request = ask(daemon);

	daemon_accept(daemon, "", store_domid(), 540);
	daemon_accept(daemon, "ringwall-77", store_domid(), 541);
	daemon_refuse(daemon, "ringwall-77");
	daemon_await_ends(daemon, 2);
	daemon_refuse(daemon, request->ident);
	daemon_refuse(daemon, request->ident);
	ck_assert_int_eq(scene_await_done(daemon, 1), -EACCES);
	ck_assert_int_eq(scene_trigger(daemon, "a", "dom0"), 0);
	request = daemon_await_request(daemon);
	daemon_refuse(daemon, request->ident);
	ck_assert_int_eq(scene_await_done(daemon, 2), -EACCES);
}

/* After so many bytes of greetings, output and an exit code. */
static void far_end_vanishes(struct daemon *daemon)
{
	static const uint8_t stream[] = { 0x91, 1,    0, 0, 3, 0, 0, 0, 'a', 'b',
					  'c',	0x91, 1, 0, 0, 0, 0, 0, 0,   0x93,
					  1,	0,    0, 4, 0, 0, 0, 7, 0,   0 };
	struct caller caller;
	uint32_t done = 0;

	for (size_t bytes = 0; bytes < sizeof(stream); bytes += 3) {
		daemon_accept(daemon, ask(daemon)->ident, store_domid(), 534);
		answer(&caller, daemon, 534);
		ck_assert(caller_send_raw(&caller, stream, bytes));
		caller_close(&caller);
		ck_assert_int_eq(scene_await_done(daemon, ++done), -EPIPE);
		daemon_await_end(daemon, 534);
	}
}

static void far_ends_breaches(struct daemon *daemon)
{
	static const uint32_t headers[][2] = {
		{ 0x190, 0 }, { 0x191, 0x10001 }, { 0x193, 0 }, { 0x300, 4 }, { 0, 0 }
	};
	struct caller caller;

	for (uint32_t i = 0; i < ARRAY_SIZE(headers); i++) {
		daemon_accept(daemon, ask(daemon)->ident, store_domid(), 535);
		answer(&caller, daemon, 535);
		(void)caller_send_raw(&caller, headers[i], 8);
		ck_assert_int_eq(scene_await_done(daemon, i + 1), -EPROTO);
		daemon_await_end(daemon, 535);
		caller_close(&caller);
	}
}

/* Output without end: it is not waited for for ever. */
static void endless_output(struct daemon *daemon)
{
	static uint8_t much[4000];
	struct caller caller;
	uint32_t header[2] = { 0x191, sizeof(much) };

	daemon_accept(daemon, ask(daemon)->ident, store_domid(), 536);
	answer(&caller, daemon, 536);
	while (caller_send_raw(&caller, header, 8) && caller_send_raw(&caller, much, sizeof(much)))
		scene_sleep(DAEMON_SECOND);
	ck_assert_int_eq(scene_await_done(daemon, 1), -ETIMEDOUT);
	daemon_await_end(daemon, 536);
	caller_close(&caller);
}

const struct qrexec_scene qrexec_trigger_scenes[] = {
	{ "accepted", accepted, false },
	{ "refused", refused, false },
	{ "names", names, false },
	{ "too many", too_many, false },
	{ "lost with the daemon", lost_with_the_daemon, false },
	{ "never answered", never_answered, true },
	{ "answers to nothing", answers_to_nothing, false },
	{ "far end vanishes", far_end_vanishes, false },
	{ "far end's breaches", far_ends_breaches, false },
	{ "endless output", endless_output, true },
	{ 0 },
};
