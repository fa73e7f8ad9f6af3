/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/qrexec_vchan.h"

#include <errno.h>

#include "lib/list.h"

#define INPUT_BYTES 65536u
#define ROOM_FIRST 4096u

struct vchan {
	struct list link;
	bool is_control;
	enum vchan_state state;
	struct fiber_event wake, *event;
	uint32_t from, to; /* of the input */
	uint32_t room;
	struct fuzz_parser parser;
	uint8_t input[INPUT_BYTES];
};

bool fuzz_vchan_serves;
static struct list vchans = { &vchans, &vchans };
static uint32_t count;

struct vchan *fuzz_vchan_control(void)
{
	list_for_each(link, &vchans) {
		struct vchan *vchan = list_entry(link, struct vchan, link);

		if (vchan->is_control)
			return vchan;
	}
	return NULL;
}

struct vchan *fuzz_vchan_call(uint32_t number)
{
	list_for_each(link, &vchans) {
		struct vchan *vchan = list_entry(link, struct vchan, link);

		if (!vchan->is_control && number-- == 0)
			return vchan;
	}
	return NULL;
}

struct fuzz_parser *fuzz_vchan_parser(struct vchan *vchan)
{
	return &vchan->parser;
}

static void signal_all(struct vchan *vchan)
{
	fiber_event_signal(&vchan->wake);
	if (vchan->event)
		fiber_event_signal(vchan->event);
}

void fuzz_vchan_come(struct vchan *vchan)
{
	if (vchan->state == VCHAN_LISTENING)
		vchan->state = VCHAN_CONNECTED;
	signal_all(vchan);
}

void fuzz_vchan_give(struct vchan *vchan, const void *bytes, size_t size)
{
	if (vchan->from == vchan->to)
		vchan->from = vchan->to = 0;
	if (vchan->state != VCHAN_CONNECTED || size > INPUT_BYTES - vchan->to)
		return;
	memcpy(vchan->input + vchan->to, bytes, size);
	vchan->to += (uint32_t)size;
	signal_all(vchan);
}

void fuzz_vchan_grant(struct vchan *vchan, uint32_t room)
{
	vchan->room = room;
	signal_all(vchan);
}

void fuzz_vchan_end(struct vchan *vchan, bool is_broken)
{
	vchan->state = is_broken ? VCHAN_BROKEN : VCHAN_ENDED;
	signal_all(vchan);
}

/* ---- xen/vchan.h ---- */

static int vchan_make(bool is_control, enum vchan_state state, struct fiber_event *event,
		      struct vchan **made)
{
	struct vchan *vchan = calloc(1, sizeof(*vchan));

	if (!vchan)
		return -ENOMEM;
	vchan->is_control = is_control;
	vchan->state = state;
	vchan->event = event;
	vchan->room = ROOM_FIRST;
	fiber_event_init(&vchan->wake);
	list_push_back(&vchans, &vchan->link);
	count++;
	*made = vchan;
	return 0;
}

int vchan_listen(uint16_t peer, const char *path, uint32_t read_bytes, uint32_t write_bytes,
		 struct fiber_event *event, struct vchan **vchan)
{
	size_t length = strlen(path);

	(void)peer;
	fuzz_assert(read_bytes && write_bytes && length > 4 && length < VCHAN_PATH_BYTES);
	return vchan_make(strcmp(path + length - 4, "/512") == 0, VCHAN_LISTENING, event, vchan);
}

int vchan_connect_within(uint16_t peer, const char *path, uint32_t ring_bytes_max,
			 struct fiber_event *event, uint64_t deadline_ns, struct vchan **vchan)
{
	(void)peer;
	fuzz_assert(ring_bytes_max && strlen(path) < VCHAN_PATH_BYTES);
	if (fuzz_vchan_serves)
		return vchan_make(false, VCHAN_CONNECTED, event, vchan);
	fiber_sleep_until(deadline_ns);
	return -ETIMEDOUT;
}

void vchan_close(struct vchan *vchan)
{
	if (!vchan)
		return;
	fuzz_assert(list_is_empty(&vchan->wake.waiters));
	list_remove(&vchan->link);
	free(vchan);
	count--;
}

enum vchan_state vchan_state(struct vchan *vchan)
{
	return vchan->state;
}

static bool is_over(const struct vchan *vchan)
{
	return vchan->state == VCHAN_ENDED || vchan->state == VCHAN_BROKEN;
}

int vchan_wait_client(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && vchan->state == VCHAN_LISTENING)
		error = fiber_event_wait(&vchan->wake, deadline_ns);
	return error;
}

int64_t vchan_try_read(struct vchan *vchan, void *to, size_t size)
{
	uint32_t have = vchan->to - vchan->from;

	if (vchan->state == VCHAN_BROKEN)
		return -EPROTO;
	if (!have)
		return vchan->state == VCHAN_ENDED ? -EPIPE : 0;
	if (have > size)
		have = (uint32_t)size;
	memcpy(to, vchan->input + vchan->from, have);
	vchan->from += have;
	return have;
}

int64_t vchan_try_write(struct vchan *vchan, const void *from, size_t size)
{
	if (is_over(vchan))
		return vchan->state == VCHAN_ENDED ? -EPIPE : -EPROTO;
	if (size > vchan->room)
		size = vchan->room;
	fuzz_vchan_written(vchan, vchan->is_control, from, size);
	vchan->room -= (uint32_t)size;
	return (int64_t)size;
}

int vchan_wait_readable(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && vchan->from == vchan->to && !is_over(vchan))
		error = fiber_event_wait(&vchan->wake, deadline_ns);
	return error;
}

int vchan_wait_writable(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && !vchan->room && !is_over(vchan))
		error = fiber_event_wait(&vchan->wake, deadline_ns);
	return error;
}

uint32_t vchan_count(void)
{
	return count;
}
