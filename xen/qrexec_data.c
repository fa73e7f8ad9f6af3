/* SPDX-License-Identifier: ISC */
#include "xen/qrexec_data.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/clock.h"

#define CHUNK_BYTES 4096u     /* allowed in every version */
#define SMALL_BYTES 256u      /* sent together with their header */
#define TURN_BYTES 65536u     /* others have their turn after so many */
#define STEP_COST 64u	      /* a step that moves a byte is work, too */
#define LOOK_NS 1000000000ull /* how often a silent peer's life is looked at */

void qrexec_data_init(struct qrexec_data *data)
{
	memset(data, 0, sizeof(*data));
	fiber_event_init(&data->event);
}

void qrexec_data_close(struct qrexec_data *data)
{
	vchan_close(data->vchan);
	data->vchan = NULL;
	if (!data->error)
		data->error = -EPIPE;
}

static int fail(struct qrexec_data *data, int error)
{
	if (error != -ETIMEDOUT)
		data->error = error;
	return error;
}

/* A peer that never lets us wait must not keep the others from running. */
static void count_moved(struct qrexec_data *data, size_t bytes)
{
	data->moved += (uint32_t)bytes + STEP_COST;
	if (data->moved < TURN_BYTES)
		return;
	data->moved = 0;
	fiber_yield();
}

/* ---- reading ---- */

/* Some bytes, waiting for the first. */
static int64_t read_some(struct qrexec_data *data, void *to, size_t size, uint64_t deadline_ns)
{
	while (!data->error) {
		int64_t got = vchan_try_read(data->vchan, to, size);
		int error;

		if (got > 0) {
			count_moved(data, (size_t)got);
			return got;
		}
		error = got ? (int)got : vchan_wait_readable(data->vchan, deadline_ns);
		if (error)
			return fail(data, error);
	}
	return data->error;
}

/* What was read of a header; the message begins with its last byte. */
static int head_add(struct qrexec_data *data, size_t bytes)
{
	data->head_have += (uint32_t)bytes;
	if (data->head_have < QREXEC_HEADER_BYTES)
		return 0;
	data->head_have = 0;
	data->header = qrexec_wire_header(data->head);
	if (qrexec_wire_check_data(&data->header, data->version))
		return fail(data, -EPROTO);
	data->left = data->header.length;
	return 1;
}

int qrexec_data_next(struct qrexec_data *data, uint64_t deadline_ns)
{
	int whole = 0;

	while (!whole) {
		int64_t got = read_some(data, data->head + data->head_have,
					QREXEC_HEADER_BYTES - data->head_have, deadline_ns);

		whole = got < 0 ? (int)got : head_add(data, (size_t)got);
	}
	return whole < 0 ? whole : 0;
}

int64_t qrexec_data_read(struct qrexec_data *data, void *to, size_t size, uint64_t deadline_ns)
{
	int64_t got = read_some(data, to, size < data->left ? size : data->left, deadline_ns);

	if (got > 0)
		data->left -= (uint32_t)got;
	return got;
}

int qrexec_data_drop(struct qrexec_data *data, uint64_t deadline_ns)
{
	uint8_t bytes[SMALL_BYTES];

	while (data->left) {
		int64_t got = qrexec_data_read(data, bytes, sizeof(bytes), deadline_ns);

		if (got < 0)
			return (int)got;
	}
	return 0;
}

/* Throws away some of what has come: whether there was any, or an error. */
static int discard_some(struct qrexec_data *data)
{
	uint8_t bytes[SMALL_BYTES];
	int64_t got;

	if (data->left) {
		got = vchan_try_read(data->vchan, bytes,
				     data->left < sizeof(bytes) ? data->left : sizeof(bytes));
		data->left -= got > 0 ? (uint32_t)got : 0;
	} else {
		got = vchan_try_read(data->vchan, data->head + data->head_have,
				     QREXEC_HEADER_BYTES - data->head_have);
		if (got > 0 && head_add(data, (size_t)got) < 0)
			return data->error;
	}
	if (got > 0)
		count_moved(data, (size_t)got);
	return got < 0 ? (int)got : got > 0;
}

/* ---- writing ---- */

static int wait_room(struct qrexec_data *data, uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();
	int some;

	if (!data->discard)
		return vchan_wait_writable(data->vchan, deadline_ns);
	if (now_ns >= deadline_ns)
		return -ETIMEDOUT;
	some = discard_some(data);
	if (some)
		return some < 0 ? some : 0;
	(void)!fiber_event_wait(&data->event, now_ns + LOOK_NS);
	return 0;
}

static int write_all(struct qrexec_data *data, const uint8_t *from, size_t size)
{
	uint64_t deadline_ns = clock_now_ns() + QREXEC_STALL_NS;
	int error = data->error;

	while (size && !error) {
		int64_t put = vchan_try_write(data->vchan, from, size);

		if (put > 0) {
			from += put;
			size -= (size_t)put;
			count_moved(data, (size_t)put);
			deadline_ns = clock_now_ns() + QREXEC_STALL_NS;
			continue;
		}
		error = put ? (int)put : wait_room(data, deadline_ns);
	}
	/* Half a message may be out: nothing can follow it. */
	if (error)
		data->error = error;
	return error;
}

static int send_message(struct qrexec_data *data, enum qrexec_type type, const uint8_t *from,
			size_t size)
{
	uint8_t bytes[QREXEC_HEADER_BYTES + SMALL_BYTES];
	size_t used = qrexec_wire_put_header(bytes, type, (uint32_t)size);
	int error;

	if (size && size <= SMALL_BYTES) {
		memcpy(bytes + used, from, size);
		return write_all(data, bytes, used + size);
	}
	error = write_all(data, bytes, used);
	if (error || !size)
		return error;
	return write_all(data, from, size);
}

int qrexec_data_send(struct qrexec_data *data, enum qrexec_type type, const void *from, size_t size)
{
	const uint8_t *at = from;
	int error = size ? 0 : send_message(data, type, NULL, 0);

	while (size && !error) {
		size_t chunk = size < CHUNK_BYTES ? size : CHUNK_BYTES;

		error = send_message(data, type, at, chunk);
		at += chunk;
		size -= chunk;
	}
	return error;
}

int qrexec_data_send_exit(struct qrexec_data *data, bool close_output, bool close_error, int code)
{
	uint8_t bytes[2 * QREXEC_HEADER_BYTES + QREXEC_EXIT_BYTES];
	size_t used = 0;

	if (close_output)
		used += qrexec_wire_put_header(bytes, QREXEC_STDOUT, 0);
	if (close_error)
		used += qrexec_wire_put_header(bytes + used, QREXEC_STDERR, 0);
	used += qrexec_wire_put_exit_code(bytes + used, code);
	return write_all(data, bytes, used);
}

/* ---- greetings ---- */

int qrexec_data_send_hello(struct qrexec_data *data)
{
	uint8_t bytes[QREXEC_HELLO_BYTES];

	return write_all(data, bytes, qrexec_wire_put_hello(bytes));
}

int qrexec_data_await_hello(struct qrexec_data *data, uint64_t deadline_ns)
{
	uint8_t bytes[QREXEC_HELLO_BYTES];
	struct qrexec_header header;
	int version;

	for (size_t have = 0; have < sizeof(bytes);) {
		int64_t got = read_some(data, bytes + have, sizeof(bytes) - have, deadline_ns);

		if (got < 0)
			return (int)got;
		have += (size_t)got;
	}
	header = qrexec_wire_header(bytes);
	version = qrexec_wire_parse_hello(&header, bytes + QREXEC_HEADER_BYTES);
	if (version < 0)
		return fail(data, version);
	data->version = (uint32_t)version;
	return 0;
}
