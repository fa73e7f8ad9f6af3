/* SPDX-License-Identifier: ISC */
#include "configs/iperf/control.h"

#include <errno.h>
#include <string.h>

#include "lib/byteorder.h"

void iperf_control_begin(struct iperf_control *control, struct socket *socket)
{
	control->socket = socket;
	control->reading = IPERF_READ_STATE;
	control->in_used = control->out_used = 0;
	/* A byte that waited for the acknowledgement of the last one would delay the test. */
	if (socket_set(socket, SOCKET_NO_DELAY, 1))
		return;
}

void iperf_control_end(struct iperf_control *control)
{
	if (control->socket)
		socket_close(control->socket);
	control->socket = NULL;
}

void iperf_control_expect(struct iperf_control *control, enum iperf_reading reading)
{
	control->reading = reading;
}

/* ---- out ---- */

int iperf_control_flush(struct iperf_control *control)
{
	while (control->out_used) {
		int sent = socket_send(control->socket, control->out, control->out_used);

		if (sent == -EAGAIN || sent == -ENOTCONN || sent == 0)
			return 0;
		if (sent < 0)
			return sent;
		control->out_used -= (uint32_t)sent;
		memmove(control->out, control->out + sent, control->out_used);
	}
	return 0;
}

static int queue(struct iperf_control *control, const void *data, size_t bytes)
{
	if (bytes > sizeof(control->out) - control->out_used)
		return -ENOBUFS;
	memcpy(control->out + control->out_used, data, bytes);
	control->out_used += (uint32_t)bytes;
	return 0;
}

int iperf_control_send(struct iperf_control *control, const void *data, uint32_t bytes)
{
	int error = queue(control, data, bytes);

	return error ? error : iperf_control_flush(control);
}

int iperf_control_send_state(struct iperf_control *control, enum iperf_state state)
{
	int8_t byte = (int8_t)state;

	return iperf_control_send(control, &byte, sizeof(byte));
}

int iperf_control_send_text(struct iperf_control *control, const char *text, size_t length)
{
	be32 size = be32_of((uint32_t)length);
	int error = queue(control, &size, sizeof(size));

	if (!error)
		error = queue(control, text, length);
	return error ? error : iperf_control_flush(control);
}

/* ---- in ---- */

static uint32_t number_at(const struct iperf_control *control, uint32_t offset)
{
	be32 number;

	memcpy(&number, control->in + offset, sizeof(number));
	return be32_get(number);
}

/* How many bytes the next thing has, as far as it is known by what is there. */
static uint32_t wanted(const struct iperf_control *control)
{
	if (control->reading == IPERF_READ_STATE)
		return 1;
	if (control->reading == IPERF_READ_ERROR)
		return 8;
	return control->in_used < 4 ? 4 : 4 + number_at(control, 0);
}

/* Reads no further than the thing that is wanted: nothing is left over, nor moved. */
static int fill(struct iperf_control *control)
{
	for (;;) {
		uint32_t bytes = wanted(control);
		int got;

		if (bytes > sizeof(control->in) || bytes < control->in_used)
			return -EMSGSIZE;
		if (bytes == control->in_used)
			return 1;
		got = socket_receive(control->socket, control->in + control->in_used,
				     bytes - control->in_used);
		if (got == -EAGAIN || got == -ENOTCONN)
			return 0;
		if (got <= 0)
			return got ? got : -ECONNRESET;
		control->in_used += (uint32_t)got;
	}
}

int iperf_control_next(struct iperf_control *control, struct iperf_event *event)
{
	int there = fill(control);

	memset(event, 0, sizeof(*event));
	if (there <= 0)
		return there;
	if (control->reading == IPERF_READ_TEXT) {
		event->text = (const char *)control->in + 4;
		event->length = control->in_used - 4;
	} else if (control->reading == IPERF_READ_ERROR) {
		event->error[0] = number_at(control, 0);
		event->error[1] = number_at(control, 4);
		event->text = "";
	} else {
		event->state = (int8_t)control->in[0];
	}
	control->reading = IPERF_READ_STATE;
	control->in_used = 0;
	return 1;
}
