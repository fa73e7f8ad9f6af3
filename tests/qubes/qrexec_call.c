/* SPDX-License-Identifier: ISC */
/* See qrexec_call.h. */
#include "qrexec_call.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"
#include "dom0_vchan.h"
#include "qrexec_wire.h"

#define CONNECT_MS 10000 /* how long dom0 waits for the domain */
#define SERVER_MS 5000	 /* and for its server */
#define CLOSE_MS 5000

static struct {
	const struct qrexec_call *call;
	struct dom0_vchan vchan;
	uint64_t begin, deadline;
	uint32_t chunk;
	struct message_header header; /* of the message that is being read */
	bool have_header, greeted, out_ended, err_ended, in_ended, finished;
	uint32_t left; /* of its body */
	int exit_code;
	unsigned long out_bytes, err_bytes, in_bytes;
	int in_fd, out_fd, err_fd;
	char queue[CHUNK_V3 * 2 + 64]; /* what waits for room in the ring */
	size_t queue_at, queue_end;
	char wrong[128];
} c;

static bool is_mode(const char *mode)
{
	return c.call->mode && !strcmp(c.call->mode, mode);
}

static void wrong(const char *format, ...)
{
	va_list arguments;

	if (c.wrong[0])
		return;
	va_start(arguments, format);
	vsnprintf(c.wrong, sizeof(c.wrong), format, arguments);
	va_end(arguments);
}

static void end(const char *result) __attribute__((noreturn));
static void end(const char *result)
{
	printf("%s %s code %d in %lu out %lu err %lu ms %u%s%s\n", c.call->name, result,
	       c.exit_code, c.in_bytes, c.out_bytes, c.err_bytes, (unsigned)(now_ms() - c.begin),
	       c.wrong[0] ? " WRONG: " : "", c.wrong);
	fflush(stdout);
	dom0_vchan_close(&c.vchan);
	_exit(0);
}

static void queue(const void *data, size_t size)
{
	if (c.queue_end + size > sizeof(c.queue))
		return;
	memcpy(c.queue + c.queue_end, data, size);
	c.queue_end += size;
}

static void queue_message(uint32_t type, const void *data, uint32_t length)
{
	struct message_header header = { type, length };

	queue(&header, sizeof(header));
	queue(data, length);
}

static void flush_queue(void)
{
	while (c.queue_at < c.queue_end) {
		int put = dom0_vchan_put(&c.vchan, c.queue + c.queue_at, c.queue_end - c.queue_at);

		if (put <= 0)
			return;
		c.queue_at += (size_t)put;
	}
	c.queue_at = c.queue_end = 0;
}

static void wait_event(int ms)
{
	struct pollfd one = { .fd = dom0_vchan_fd(&c.vchan), .events = POLLIN };

	if (poll(&one, 1, ms) > 0)
		dom0_vchan_take_event(&c.vchan);
	if (now_ms() > c.deadline)
		end("timeout");
}

static void send_hello(void)
{
	struct hello hello = { { MSG_HELLO, 4 }, c.call->version };

	if (is_mode("hello-type"))
		hello.header.type = MSG_DATA_STDIN;
	if (is_mode("hello-length"))
		hello.header.length = 4000;
	if (is_mode("hello-version"))
		hello.version = 1;
	if (is_mode("hello-none"))
		return;
	queue(&hello, sizeof(hello));
	flush_queue();
}

static void take_hello(void)
{
	struct hello hello;

	if (!dom0_vchan_get(&c.vchan, &hello, sizeof(hello)))
		return;
	if (hello.header.type != MSG_HELLO || hello.header.length != 4 ||
	    hello.version < VERSION_MIN) {
		wrong("hello type %x length %u version %u", hello.header.type, hello.header.length,
		      hello.version);
		end("refused");
	}
	c.greeted = true;
	c.chunk = hello.version < 3 || c.call->version < 3 ? CHUNK_V2 : CHUNK_V3;
}

/* ---- what comes ---- */

static void take_exit_code(void)
{
	int32_t code = 0;

	if (c.header.length != sizeof(code)) {
		wrong("an exit code of %u bytes", c.header.length);
		end("broken");
	}
	if (!dom0_vchan_get(&c.vchan, &code, sizeof(code)))
		return;
	c.left = 0;
	c.exit_code = code;
	c.finished = true;
	if (!c.call->just && (!c.out_ended || !c.err_ended))
		wrong("an exit code before the ends of the streams");
}

static void take_data(void)
{
	bool is_err = c.header.type == MSG_DATA_STDERR;
	bool *ended = is_err ? &c.err_ended : &c.out_ended;
	unsigned long *bytes = is_err ? &c.err_bytes : &c.out_bytes;
	char data[4096];

	if (c.call->just)
		wrong("data of a call without streams");
	if (*ended)
		wrong("data after the end of a stream");
	if (!c.header.length)
		*ended = true;
	while (c.left) {
		size_t size = dom0_vchan_ready(&c.vchan);

		if (size > c.left)
			size = c.left;
		if (size > sizeof(data))
			size = sizeof(data);
		if (!size || !dom0_vchan_get(&c.vchan, data, size))
			return;
		if (write(is_err ? c.err_fd : c.out_fd, data, size) != (ssize_t)size)
			wrong("the output cannot be kept");
		c.left -= (uint32_t)size;
		*bytes += size;
	}
}

static void take_body(void)
{
	if (c.header.type == MSG_DATA_EXIT_CODE)
		take_exit_code();
	else
		take_data();
	c.have_header = c.left > 0;
}

static bool take_message(void)
{
	size_t before = dom0_vchan_ready(&c.vchan);

	if (!c.have_header) {
		if (!dom0_vchan_get(&c.vchan, &c.header, sizeof(c.header)))
			return false;
		if (c.finished)
			wrong("a message after the exit code");
		c.have_header = true;
		c.left = c.header.length;
		if (c.header.type != MSG_DATA_STDOUT && c.header.type != MSG_DATA_STDERR &&
		    c.header.type != MSG_DATA_EXIT_CODE) {
			wrong("message type %x", c.header.type);
			end("broken");
		}
		if (c.header.length > c.chunk) {
			wrong("a message of %u bytes", c.header.length);
			end("broken");
		}
	}
	take_body();
	return before != dom0_vchan_ready(&c.vchan);
}

/* ---- what we send ---- */

static void misbehave(void)
{
	static char much[4096];
	struct message_header bad = { MSG_DATA_STDIN, 1u << 20 };

	if (is_mode("length")) {
		queue(&bad, sizeof(bad));
	} else if (is_mode("length-max")) {
		bad.length = 0xffffffff;
		queue(&bad, sizeof(bad));
	} else if (is_mode("type")) {
		queue_message(0x1ff, "what", 4);
	} else if (is_mode("short")) {
		queue(&bad, 3);
	} else if (is_mode("output")) {
		queue_message(MSG_DATA_STDOUT, "what", 4);
	} else if (is_mode("vanish")) {
		printf("%s vanished\n", c.call->name);
		fflush(stdout);
		_exit(0); /* like kill -9: the kernel cleans up */
	} else if (is_mode("close")) {
		end("closed");
	} else if (c.call->mode && !strncmp(c.call->mode, "corrupt-", 8)) {
		dom0_vchan_corrupt(&c.vchan, c.call->mode + 8);
	} else if (is_mode("after-end")) {
		queue_message(MSG_DATA_STDIN, "", 0);
		queue_message(MSG_DATA_STDIN, "x", 1);
	} else if (is_mode("flood")) {
		queue_message(MSG_DATA_STDIN, much, sizeof(much));
	}
	flush_queue();
}

static void send_input(void)
{
	static char data[CHUNK_V3];
	ssize_t got;

	if (c.in_ended || c.queue_end || c.call->just || is_mode("no-end"))
		return;
	if (is_mode("flood") && c.in_bytes < 4u << 20) {
		got = (ssize_t)c.chunk;
	} else {
		got = c.in_fd < 0 ? 0 : read(c.in_fd, data, c.chunk);
		if (got < 0)
			got = 0;
	}
	queue_message(MSG_DATA_STDIN, data, (uint32_t)got);
	c.in_bytes += (unsigned long)got;
	c.in_ended = got == 0;
	flush_queue();
}

/* ---- the two roles ---- */

static void start(const struct qrexec_call *call)
{
	char path[512];

	signal(SIGPIPE, SIG_IGN);
	c.call = call;
	c.begin = now_ms();
	c.exit_code = -1;
	c.in_fd = call->input ? open(call->input, O_RDONLY) : -1;
	snprintf(path, sizeof(path), "%s/%s.out", call->folder, call->name);
	c.out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	snprintf(path, sizeof(path), "%s/%s.err", call->folder, call->name);
	c.err_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
}

/* The service has ended: it must close by itself. */
static void wait_close(void)
{
	c.deadline = now_ms() + (c.call->limit_ms < CLOSE_MS ? c.call->limit_ms : CLOSE_MS);
	while (dom0_vchan_state(&c.vchan) == 1 && now_ms() + 100 < c.deadline) {
		if (dom0_vchan_ready(&c.vchan))
			wrong("bytes after the exit code");
		wait_event(50);
	}
	if (dom0_vchan_state(&c.vchan) == 1)
		wrong("not closed after the exit code");
}

static void talk(void)
{
	bool misbehaved = false;

	while (!c.finished) {
		flush_queue();
		if (!c.greeted) {
			take_hello();
		} else {
			if (!misbehaved)
				misbehave();
			misbehaved = true;
			send_input();
			if (!is_mode("deaf"))
				while (!c.finished && dom0_vchan_ready(&c.vchan) && take_message())
					;
		}
		if (c.finished)
			break;
		if (dom0_vchan_state(&c.vchan) == 0 && !dom0_vchan_ready(&c.vchan))
			end("lost");
		wait_event(c.queue_end || c.in_ended ? 100 : 10);
	}
}

void qrexec_call_run(const struct qrexec_call *call)
{
	start(call);
	if (is_mode("nobody")) {
		printf("%s nobody\n", call->name);
		fflush(stdout);
		_exit(0);
	}
	if (!dom0_vchan_serve(&c.vchan, call->domain, call->port, RING_BYTES_DATA))
		end("no-vchan");
	if (is_mode("orders"))
		dom0_vchan_corrupt(&c.vchan, "order");
	if (is_mode("close-early"))
		end("closed");
	if (is_mode("vanish-early"))
		_exit(0);
	send_hello();
	c.deadline = now_ms() + (call->limit_ms < CONNECT_MS ? call->limit_ms : CONNECT_MS);
	while (dom0_vchan_state(&c.vchan) == 2)
		wait_event(100);
	c.deadline = now_ms() + call->limit_ms;
	talk();
	wait_close();
	end("done");
}

/* Standard input of a service in dom0: read and thrown away; true at its end. */
static bool drain_input(void)
{
	static char data[CHUNK_V3];

	for (;;) {
		if (!c.have_header && !dom0_vchan_get(&c.vchan, &c.header, sizeof(c.header)))
			return false;
		c.have_header = true;
		if (c.header.type != MSG_DATA_STDIN || c.header.length > c.chunk) {
			wrong("message %x of %u bytes", c.header.type, c.header.length);
			end("broken");
		}
		if (!c.header.length)
			return true;
		if (!dom0_vchan_get(&c.vchan, data, c.header.length))
			return false;
		c.in_bytes += c.header.length;
		c.have_header = false;
	}
}

void qrexec_call_serve(const struct qrexec_call *call)
{
	int32_t code = call->exit_code;

	start(call);
	c.deadline = now_ms() + SERVER_MS;
	while (!dom0_vchan_try_connect(&c.vchan, call->domain, call->port)) {
		usleep(50000);
		if (now_ms() > c.deadline)
			end("no-server");
	}
	c.deadline = now_ms() + call->limit_ms;
	send_hello();
	while (!c.greeted) {
		take_hello();
		if (!c.greeted && dom0_vchan_state(&c.vchan) == 0)
			end("lost");
		if (!c.greeted)
			wait_event(100);
	}
	misbehave();
	while (!drain_input()) {
		if (dom0_vchan_state(&c.vchan) == 0)
			break; /* who does not want the result */
		wait_event(100);
	}
	if (call->text[0])
		queue_message(MSG_DATA_STDOUT, call->text, (uint32_t)strlen(call->text));
	queue_message(MSG_DATA_STDOUT, "", 0);
	queue_message(MSG_DATA_STDERR, "", 0);
	queue_message(MSG_DATA_EXIT_CODE, &code, sizeof(code));
	while (c.queue_end && dom0_vchan_state(&c.vchan) == 1) {
		flush_queue();
		if (c.queue_end)
			wait_event(50);
	}
	c.exit_code = code;
	end("served");
}
