/* SPDX-License-Identifier: ISC */
/*
 * A request is copied whole into one buffer, and from there moves into the ring as the
 * store makes room; so a fiber that gives up waiting never leaves half a message
 * behind. Answers are taken off the ring by a source of the loop, matched by their id
 * to the request that waits on its fiber's stack, and wake it. An answer that nobody
 * waits for any more (it came after the time-out) is thrown away.
 *
 * The store is not trusted: our own indices are kept here, its indices are read once
 * and checked, and what one look at the ring may take is bounded. After a breach of
 * the protocol there is no way back into step: every call fails from then on.
 */
#include "xen/store_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/evtchn.h"
#include "xen/loop.h"
#include "xen/store_wire.h"

#define HEADER_BYTES ((uint32_t)sizeof(struct xsd_sockmsg))

struct request {
	struct list link;
	uint32_t id;
	uint32_t type; /* of the answer */
	char *body;    /* malloc'd, NUL-terminated */
	uint32_t length;
	bool done;
	int error;
	struct fiber_event event;
};

static struct xenstore_domain_interface *ring;
static XENSTORE_RING_IDX req_prod, rsp_cons;
static evtchn_port port;
static bool broken;
static void (*watch_fire)(uint32_t token);
static uint32_t next_id = 1;
static struct list requests = { &requests, &requests };
static struct loop_source receiver;

/* The message on its way out; length 0: none. */
static struct {
	uint8_t bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	uint32_t length;
	uint32_t sent;
} outgoing;
static struct fiber_event outgoing_left;

/* The message that is being received. */
static struct {
	struct xsd_sockmsg header;
	uint32_t received; /* bytes of header and body so far */
	char *body;
} incoming;

static void connection_break(const char *why)
{
	log_line(LOG_ERROR, "store", "connection given up: %s", why);
	broken = true;
	evtchn_mask(port);
	outgoing.length = 0;
	fiber_event_signal(&outgoing_left);
	while (!list_is_empty(&requests)) {
		struct request *request =
			list_entry(list_pop_front(&requests), struct request, link);

		request->done = true;
		request->error = -EIO;
		fiber_event_signal(&request->event);
	}
}

/* ---- receiving ---- */

static void answer_deliver(void)
{
	list_for_each(link, &requests) {
		struct request *request = list_entry(link, struct request, link);

		if (request->id != incoming.header.req_id)
			continue;
		list_remove(&request->link);
		request->type = incoming.header.type;
		request->body = incoming.body;
		request->length = incoming.header.len;
		request->done = true;
		incoming.body = NULL;
		fiber_event_signal(&request->event);
		return;
	}
}

static void message_done(void)
{
	uint32_t token;

	incoming.body[incoming.header.len] = '\0';
	if (incoming.header.type != XS_WATCH_EVENT)
		answer_deliver();
	else if (store_wire_parse_event(incoming.body, incoming.header.len, &token) == 0)
		watch_fire(token);
	free(incoming.body);
	incoming.body = NULL;
	incoming.received = 0;
}

/* Copies what the ring holds, at most `bytes` and one contiguous run. */
static uint32_t ring_take(void *to, uint32_t bytes)
{
	uint32_t available = read_once(ring->rsp_prod) - rsp_cons;
	uint32_t offset = MASK_XENSTORE_IDX(rsp_cons);

	if (available > XENSTORE_RING_SIZE) {
		connection_break("impossible index in the ring");
		return 0;
	}
	if (bytes > available)
		bytes = available;
	if (bytes > XENSTORE_RING_SIZE - offset)
		bytes = XENSTORE_RING_SIZE - offset;
	read_barrier();
	memcpy(to, &ring->rsp[offset], bytes);
	memory_barrier();
	rsp_cons += bytes;
	write_once(ring->rsp_cons, rsp_cons);
	return bytes;
}

static uint32_t header_receive(void)
{
	uint32_t got = ring_take((uint8_t *)&incoming.header + incoming.received,
				 HEADER_BYTES - incoming.received);

	incoming.received += got;
	if (incoming.received < HEADER_BYTES)
		return got;
	if (incoming.header.len > XENSTORE_PAYLOAD_MAX) {
		connection_break("a message is too long");
		return 0;
	}
	incoming.body = malloc(incoming.header.len + 1);
	if (!incoming.body) {
		connection_break("no memory for a message");
		return 0;
	}
	if (incoming.header.len == 0)
		message_done();
	return got;
}

static uint32_t body_receive(void)
{
	uint32_t have = incoming.received - HEADER_BYTES;
	uint32_t got = ring_take(incoming.body + have, incoming.header.len - have);

	incoming.received += got;
	if (have + got == incoming.header.len)
		message_done();
	return got;
}

/* Moves what fits of the outgoing message into the ring. */
static void outgoing_pump(void)
{
	uint32_t used = req_prod - read_once(ring->req_cons);
	uint32_t before = outgoing.sent;

	if (used > XENSTORE_RING_SIZE) {
		connection_break("impossible index in the ring");
		return;
	}
	memory_barrier();
	while (outgoing.sent < outgoing.length && used < XENSTORE_RING_SIZE) {
		uint32_t offset = MASK_XENSTORE_IDX(req_prod);
		uint32_t bytes = outgoing.length - outgoing.sent;

		if (bytes > XENSTORE_RING_SIZE - used)
			bytes = XENSTORE_RING_SIZE - used;
		if (bytes > XENSTORE_RING_SIZE - offset)
			bytes = XENSTORE_RING_SIZE - offset;
		memcpy(&ring->req[offset], outgoing.bytes + outgoing.sent, bytes);
		outgoing.sent += bytes;
		req_prod += bytes;
		used += bytes;
	}
	if (outgoing.sent == before)
		return;
	write_barrier();
	write_once(ring->req_prod, req_prod);
	evtchn_notify(port);
	if (outgoing.sent < outgoing.length)
		return;
	outgoing.length = 0;
	fiber_event_signal(&outgoing_left);
}

/* One unit of the budget is one run of bytes, so a store that never stops is no trap. */
static bool receiver_poll(struct loop_source *source, uint32_t budget)
{
	uint32_t got = 0;
	bool took = false;

	(void)source;
	for (; budget && !broken; budget--) {
		got = incoming.received < HEADER_BYTES ? header_receive() : body_receive();
		if (!got)
			break;
		took = true;
	}
	if (broken)
		return false;
	if (took)
		evtchn_notify(port);
	outgoing_pump();
	return got != 0 && !broken;
}

static void ring_event(void *context)
{
	(void)context;
	if (!broken)
		loop_schedule(&receiver);
}

int store_connection_init(void (*fire)(uint32_t token))
{
	const struct boot_info *info = boot_info_get();

	fiber_event_init(&outgoing_left);
	loop_source_init(&receiver, receiver_poll);
	if (!info->store_ring || !info->store_evtchn)
		return -ENODEV;
	ring = info->store_ring;
	port = info->store_evtchn;
	watch_fire = fire;
	/* An earlier kernel of this domain (kexec) may have used the ring. */
	req_prod = read_once(ring->req_prod);
	rsp_cons = read_once(ring->rsp_cons);
	return evtchn_adopt(port, ring_event, NULL);
}

/* ---- calling ---- */

static void outgoing_put(const void *data, uint32_t length)
{
	memcpy(outgoing.bytes + outgoing.length, data, length);
	outgoing.length += length;
}

static int message_send(const struct xsd_sockmsg *header, const struct store_part *parts,
			uint32_t part_count, uint64_t deadline)
{
	while (outgoing.length && !broken)
		if (fiber_event_wait(&outgoing_left, deadline))
			return -ETIMEDOUT;
	if (broken)
		return -EIO;
	outgoing.sent = 0;
	outgoing_put(header, sizeof(*header));
	for (uint32_t i = 0; i < part_count; i++)
		outgoing_put(parts[i].data, parts[i].length);
	outgoing_pump();
	return 0;
}

static int answer_take(const struct request *request, uint32_t type, char **body)
{
	int result;

	if (request->error)
		return request->error;
	if (request->type == XS_ERROR)
		result = store_wire_errno(request->body);
	else
		result = request->type == type ? (int)request->length : -EIO;
	if (result >= 0 && body)
		*body = request->body;
	else
		free(request->body);
	return result;
}

int store_connection_call(uint32_t type, store_transaction t, const struct store_part *parts,
			  uint32_t part_count, char **body)
{
	struct request request = { .id = next_id++ };
	struct xsd_sockmsg header = { .type = type, .req_id = request.id, .tx_id = t };
	uint64_t deadline = clock_now_ns() + STORE_TIMEOUT_NS;
	int error;

	if (!ring || broken)
		return -EIO;
	for (uint32_t i = 0; i < part_count; i++) {
		if (parts[i].length > XENSTORE_PAYLOAD_MAX - header.len)
			return -E2BIG;
		header.len += parts[i].length;
	}
	fiber_event_init(&request.event);
	list_push_back(&requests, &request.link);
	error = message_send(&header, parts, part_count, deadline);
	while (!request.done && !error)
		error = fiber_event_wait(&request.event, deadline);
	list_remove(&request.link);
	return request.done ? answer_take(&request, type, body) : error;
}
