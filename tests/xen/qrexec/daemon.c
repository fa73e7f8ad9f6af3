/* SPDX-License-Identifier: ISC */
#include "tests/xen/qrexec/daemon.h"
#include "tests/xen/qrexec/scene.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define WAIT_NS (100 * DAEMON_SECOND)
#define FIRST_PORT 513u

static uint64_t later(void)
{
	return clock_now_ns() + WAIT_NS;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- the daemon ---- */

static void send_words(struct vchan *vchan, const uint32_t *words, uint32_t count)
{
	ck_assert_int_eq(vchan_write(vchan, words, count * 4, later()), 0);
}

static void read_words(struct vchan *vchan, uint32_t *words, uint32_t count)
{
	ck_assert_int_eq(vchan_read(vchan, words, count * 4, later()), 0);
}

/* The nodes of a server may be there a moment longer than itself. */
void daemon_attach(struct daemon *daemon)
{
	char path[VCHAN_PATH_BYTES];
	int error = -EAGAIN;

	snprintf(path, sizeof(path), "/local/domain/%u/data/vchan/%u/512", daemon->qube,
		 store_domid());
	for (uint32_t i = 0; error && i < 10; i++) {
		if (i)
			scene_sleep(100 * DAEMON_MS);
		error = vchan_connect(daemon->qube, path, NULL, later(), &daemon->vchan);
	}
	ck_assert_int_eq(error, 0);
}

/*
 * One that finds the server of an earlier daemon is let down, or on a busy machine hears
 * nothing, and comes again.
 */
static bool greeted(struct daemon *daemon, uint32_t hello[3])
{
	int error;

	daemon_attach(daemon);
	error = vchan_read(daemon->vchan, hello, 12, clock_now_ns() + 10 * DAEMON_SECOND);
	if (!error)
		return true;
	ck_assert(error == -EPIPE || error == -ETIMEDOUT);
	daemon_disconnect(daemon);
	return false;
}

void daemon_connect(struct daemon *daemon)
{
	uint32_t hello[3];

	for (uint32_t i = 0; !greeted(daemon, hello); i++)
		ck_assert_uint_lt(i, 5);
	ck_assert_uint_eq(hello[0], 0x300);
	ck_assert_uint_eq(hello[1], 4);
	ck_assert_uint_ge(hello[2], 2);
	daemon->agreed = min32(hello[2], daemon->version);
	if (!daemon->echoes)
		hello[2] = daemon->version;
	send_words(daemon->vchan, hello, 3);
	memset(daemon->ended, 0, sizeof(daemon->ended));
	daemon->ended_count = daemon->request_count = 0;
}

void daemon_disconnect(struct daemon *daemon)
{
	vchan_close(daemon->vchan);
	daemon->vchan = NULL;
}

void daemon_send_raw(struct daemon *daemon, const void *bytes, size_t count)
{
	ck_assert_int_eq(vchan_write(daemon->vchan, bytes, count, later()), 0);
}

void daemon_send(struct daemon *daemon, uint32_t type, const void *body, uint32_t length)
{
	uint32_t header[2] = { type, length };

	daemon_send_raw(daemon, header, sizeof(header));
	daemon_send_raw(daemon, body, length);
}

void daemon_exec(struct daemon *daemon, uint32_t type, uint32_t domain, uint32_t port,
		 const char *line)
{
	uint32_t head[4] = { type, (uint32_t)(8 + strlen(line) + 1), domain, port };

	daemon_send_raw(daemon, head, sizeof(head));
	daemon_send_raw(daemon, line, strlen(line) + 1);
}

static void check_ident(const char *ident)
{
	size_t length = strnlen(ident, 32);

	ck_assert_uint_lt(length, 32);
	ck_assert_uint_eq(strspn(ident, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_-. "),
			  length);
	for (size_t i = length; i < 32; i++)
		ck_assert_int_eq(ident[i], 0);
}

static void request_note(struct daemon *daemon, const char *service, size_t service_bytes,
			 const char *target, size_t target_bytes, const char *ident)
{
	struct daemon_request *request = &daemon->requests[daemon->request_count];

	ck_assert_uint_lt(daemon->request_count, DAEMON_REQUESTS);
	ck_assert_ptr_nonnull(memchr(service, 0, service_bytes));
	ck_assert_ptr_nonnull(memchr(target, 0, target_bytes));
	check_ident(ident);
	for (uint32_t i = 0; i < daemon->request_count; i++)
		ck_assert_str_ne(daemon->requests[i].ident, ident);
	snprintf(request->service, sizeof(request->service), "%s", service);
	snprintf(request->target, sizeof(request->target), "%s", target);
	snprintf(request->ident, sizeof(request->ident), "%s", ident);
	daemon->request_count++;
}

static void end_note(struct daemon *daemon, const uint8_t *body, uint32_t length)
{
	uint32_t params[2];

	ck_assert_uint_eq(length, 8);
	memcpy(params, body, 8);
	ck_assert_uint_ge(params[1], FIRST_PORT);
	ck_assert_uint_lt(params[1], FIRST_PORT + DAEMON_PORTS);
	daemon->ended[params[1] - FIRST_PORT]++;
	daemon->ended_count++;
}

/* Reads one message, as strictly as the real one does. */
static void daemon_read(struct daemon *daemon)
{
	uint32_t header[2];
	uint8_t body[300];
	const char *text = (const char *)body;

	read_words(daemon->vchan, header, 2);
	ck_assert_uint_le(header[1], sizeof(body));
	ck_assert_int_eq(vchan_read(daemon->vchan, body, header[1], later()), 0);
	switch (header[0]) {
	case 0x210:
		ck_assert_uint_lt(daemon->agreed, 3);
		ck_assert_uint_eq(header[1], 128);
		request_note(daemon, text, 64, text + 64, 32, text + 96);
		break;
	case 0x211:
		end_note(daemon, body, header[1]);
		break;
	case 0x212:
		ck_assert_uint_ge(daemon->agreed, 3);
		ck_assert_uint_gt(header[1], 97);
		ck_assert_uint_eq(strlen(text + 96) + 1, header[1] - 96);
		request_note(daemon, text + 96, header[1] - 96, text, 64, text + 64);
		break;
	default:
		ck_abort_msg("the daemon would exit on message %#x", header[0]);
	}
}

void daemon_await_end(struct daemon *daemon, uint32_t port)
{
	while (!daemon->ended[port - FIRST_PORT])
		daemon_read(daemon);
	ck_assert_uint_eq(daemon->ended[port - FIRST_PORT], 1);
	daemon->ended[port - FIRST_PORT] = 0;
	daemon->ended_count--;
}

void daemon_await_ends(struct daemon *daemon, uint32_t count)
{
	while (daemon->ended_count < count)
		daemon_read(daemon);
}

const struct daemon_request *daemon_await_request(struct daemon *daemon)
{
	uint32_t before = daemon->request_count;

	while (daemon->request_count == before)
		daemon_read(daemon);
	return &daemon->requests[before];
}

void daemon_drain(struct daemon *daemon, uint64_t ns)
{
	uint64_t until_ns = clock_now_ns() + ns;

	while (vchan_wait_readable(daemon->vchan, until_ns) == 0)
		daemon_read(daemon);
}

void daemon_accept(struct daemon *daemon, const char *ident, uint32_t domain, uint32_t port)
{
	uint32_t body[10] = { domain, port };

	strncpy((char *)(body + 2), ident, 31);
	daemon_send(daemon, 0x202, body, sizeof(body));
}

void daemon_refuse(struct daemon *daemon, const char *ident)
{
	char body[32] = "";

	strncpy(body, ident, 31);
	daemon_send(daemon, 0x203, body, sizeof(body));
}

void daemon_await_close(struct daemon *daemon)
{
	uint64_t until_ns = later();

	while (vchan_state(daemon->vchan) == VCHAN_CONNECTED) {
		ck_assert_uint_lt(clock_now_ns(), until_ns);
		fiber_sleep_until(clock_now_ns() + DAEMON_MS);
	}
	daemon_disconnect(daemon);
}

/* ---- callers ---- */

void caller_listen(struct caller *caller, struct daemon *daemon, uint32_t port, uint32_t ring)
{
	uint32_t hello[3] = { 0x300, 4, daemon->version };
	char path[VCHAN_PATH_BYTES];

	*caller = (struct caller){
		.daemon = daemon, .port = port, .version = daemon->version, .exit_code = -1
	};
	snprintf(path, sizeof(path), "data/vchan/%u/%u", daemon->qube, port);
	ck_assert_int_eq(vchan_listen(daemon->qube, path, ring, ring, NULL, &caller->vchan), 0);
	send_words(caller->vchan, hello, 3);
}

void caller_await_hello(struct caller *caller)
{
	uint32_t hello[3];

	read_words(caller->vchan, hello, 3);
	ck_assert_uint_eq(hello[0], 0x300);
	ck_assert_uint_eq(hello[1], 4);
	ck_assert_uint_ge(hello[2], 2);
	caller->version = min32(caller->version, hello[2]);
}

void caller_begin(struct caller *caller, struct daemon *daemon, uint32_t port, const char *line)
{
	caller_listen(caller, daemon, port, 65536);
	daemon_exec(daemon, 0x200, store_domid(), port, line);
	caller_await_hello(caller);
}

static uint8_t pattern(uint64_t place)
{
	return (uint8_t)(place * 13 + (place >> 9));
}

static uint8_t service_pattern(uint64_t place)
{
	return (uint8_t)(place % 100000 * 31 >> 3);
}

static uint64_t sum_step(uint64_t sum, uint8_t byte)
{
	return sum * 1099511628211ull + byte + 1;
}

uint64_t pattern_sum(uint64_t bytes)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum = sum_step(sum, pattern(i));
	return sum;
}

uint64_t service_pattern_sum(uint64_t bytes)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum = sum_step(sum, service_pattern(i));
	return sum;
}

bool caller_send_raw(struct caller *caller, const void *bytes, size_t count)
{
	int error = vchan_write(caller->vchan, bytes, count, later());

	ck_assert_msg(!error || error == -EPIPE, "error %d", error);
	return !error;
}

void caller_send(struct caller *caller, uint64_t bytes, uint32_t chunk)
{
	uint8_t *body = malloc(chunk);

	for (uint64_t at = 0; at < bytes;) {
		uint32_t count = bytes - at < chunk ? (uint32_t)(bytes - at) : chunk;
		uint32_t header[2] = { 0x190, count };

		for (uint32_t i = 0; i < count; i++)
			body[i] = pattern(at + i);
		if (!caller_send_raw(caller, header, 8) || !caller_send_raw(caller, body, count))
			break;
		at += count;
	}
	free(body);
}

void caller_send_text(struct caller *caller, const char *text)
{
	uint32_t header[2] = { 0x190, (uint32_t)strlen(text) };

	if (caller_send_raw(caller, header, 8))
		(void)caller_send_raw(caller, text, strlen(text));
}

void caller_send_eof(struct caller *caller)
{
	uint32_t header[2] = { 0x190, 0 };

	(void)caller_send_raw(caller, header, 8);
}

static void out_note(struct caller *caller, const uint8_t *bytes, uint32_t count)
{
	ck_assert(!caller->out_over);
	caller->out_over = count == 0;
	for (uint32_t i = 0; i < count; i++, caller->out_bytes++) {
		caller->out_sum = sum_step(caller->out_sum, bytes[i]);
		if (caller->out_bytes < sizeof(caller->out) - 1)
			caller->out[caller->out_bytes] = (char)bytes[i];
	}
}

static void err_note(struct caller *caller, const uint8_t *bytes, uint32_t count)
{
	ck_assert(!caller->err_over);
	caller->err_over = count == 0;
	for (uint32_t i = 0; i < count && caller->err_bytes < sizeof(caller->err) - 1; i++)
		caller->err[caller->err_bytes++] = (char)bytes[i];
}

bool caller_read(struct caller *caller)
{
	uint32_t header[2], code;
	uint8_t *body;
	int error = vchan_read(caller->vchan, header, 8, later());

	if (error == -EPIPE)
		return false;
	ck_assert_int_eq(error, 0);
	ck_assert_uint_le(header[1], caller->version < 3 ? 4096 : 65536);
	body = malloc(header[1] + 1);
	ck_assert_int_eq(vchan_read(caller->vchan, body, header[1], later()), 0);
	ck_assert_int_eq(caller->exit_code, -1);
	switch (header[0]) {
	case 0x191:
		out_note(caller, body, header[1]);
		break;
	case 0x192:
		err_note(caller, body, header[1]);
		break;
	case 0x193:
		ck_assert_uint_eq(header[1], 4);
		memcpy(&code, body, 4);
		caller->exit_code = (int)code;
		break;
	default:
		ck_abort_msg("message %#x to a caller", header[0]);
	}
	free(body);
	return true;
}

void caller_close(struct caller *caller)
{
	vchan_close(caller->vchan);
	caller->vchan = NULL;
}

int caller_finish(struct caller *caller)
{
	while (caller_read(caller))
		;
	ck_assert_int_ge(caller->exit_code, 0);
	ck_assert(caller->out_over && caller->err_over);
	caller_close(caller);
	return caller->exit_code;
}

void caller_await_close(struct caller *caller)
{
	while (caller_read(caller))
		;
	ck_assert_int_eq(caller->exit_code, -1);
	caller_close(caller);
}
