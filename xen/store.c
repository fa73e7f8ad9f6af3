/* SPDX-License-Identifier: ISC */
/*
 * One connection, shared by all fibers. A request is written whole under a lock that
 * fibers queue for; replies are taken off the ring by the event handler, matched by
 * their id to the request that waits on its fiber's stack, and wake it. A reply that
 * nobody waits for any more (it came after the time-out) is thrown away.
 */
#include "xen/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/evtchn.h"
#include "xen/store_wire.h"

/* A node's name in a listing, on average at most: bounds what a listing may cost. */
#define STORE_NAME_BYTES 64u

struct request {
	struct list link;
	uint32_t id;
	uint32_t type; /* of the reply */
	char *body;    /* malloc'd, NUL-terminated; the caller frees it */
	uint32_t length;
	bool done;
	int error;
	struct fiber_event event;
};

struct part {
	const void *data;
	uint32_t length;
};

static struct xenstore_domain_interface *ring;
static evtchn_port port;
static bool broken;
static uint32_t next_id = 1;
static uint32_t next_token = 1;
static uint32_t watch_count;
static struct list requests = { &requests, &requests };
static struct list watches = { &watches, &watches };

/* The lock of the writing side, and the wait for room in the ring. */
static bool writing;
static struct fiber_event writer_left;
static struct fiber_event room_made;

/* The message that is being received. */
static struct {
	struct xsd_sockmsg header;
	uint32_t received; /* bytes of header and body so far */
	char *body;
} incoming;

static void break_connection(const char *why)
{
	if (!broken)
		log_line(LOG_ERROR, "store", "connection given up: %s", why);
	broken = true;
	while (!list_is_empty(&requests)) {
		struct request *request =
			list_entry(list_pop_front(&requests), struct request, link);

		request->done = true;
		request->error = -EIO;
		fiber_event_signal(&request->event);
	}
	fiber_event_signal(&room_made);
}

/* ---- receiving ---- */

static void watch_fire(char *body, uint32_t length)
{
	uint32_t token;

	if (store_wire_parse_event(body, length, &token))
		return;
	list_for_each(link, &watches) {
		struct store_watch *watch = list_entry(link, struct store_watch, link);

		if (watch->token != token)
			continue;
		watch->fired = true;
		fiber_event_signal(watch->event);
		return;
	}
}

static void message_done(void)
{
	struct xsd_sockmsg *header = &incoming.header;

	incoming.body[header->len] = '\0';
	incoming.received = 0;
	if (header->type == XS_WATCH_EVENT) {
		watch_fire(incoming.body, header->len);
		free(incoming.body);
		incoming.body = NULL;
		return;
	}
	list_for_each(link, &requests) {
		struct request *request = list_entry(link, struct request, link);

		if (request->id != header->req_id)
			continue;
		list_remove(&request->link);
		request->type = header->type;
		request->body = incoming.body;
		request->length = header->len;
		request->done = true;
		incoming.body = NULL;
		fiber_event_signal(&request->event);
		return;
	}
	free(incoming.body);
	incoming.body = NULL;
}

/* Bytes that the message still lacks; 0 when it is whole. -EPROTO, -ENOMEM. */
static int64_t incoming_wanted(void)
{
	const uint32_t header_bytes = sizeof(incoming.header);

	if (incoming.received < header_bytes)
		return header_bytes - incoming.received;
	if (!incoming.body) {
		if (incoming.header.len > XENSTORE_PAYLOAD_MAX)
			return -EPROTO;
		incoming.body = malloc(incoming.header.len + 1);
		if (!incoming.body)
			return -ENOMEM;
	}
	return header_bytes + incoming.header.len - incoming.received;
}

static uint8_t *incoming_place(void)
{
	if (incoming.received < sizeof(incoming.header))
		return (uint8_t *)&incoming.header + incoming.received;
	return (uint8_t *)incoming.body + (incoming.received - sizeof(incoming.header));
}

/* Copies what the ring holds, at most `bytes` and one contiguous run. */
static uint32_t ring_take(uint8_t *to, uint32_t bytes)
{
	XENSTORE_RING_IDX consumed = ring->rsp_cons;
	XENSTORE_RING_IDX produced = read_once(ring->rsp_prod);
	uint32_t offset = MASK_XENSTORE_IDX(consumed);
	uint32_t available = produced - consumed;

	if (available > XENSTORE_RING_SIZE) {
		break_connection("impossible index in the ring");
		return 0;
	}
	if (bytes > available)
		bytes = available;
	if (bytes > XENSTORE_RING_SIZE - offset)
		bytes = XENSTORE_RING_SIZE - offset;
	read_barrier();
	memcpy(to, &ring->rsp[offset], bytes);
	memory_barrier();
	write_once(ring->rsp_cons, consumed + bytes);
	return bytes;
}

static void ring_event(void *context)
{
	bool took = false;

	(void)context;
	while (!broken) {
		int64_t wanted = incoming_wanted();
		uint32_t got;

		if (wanted < 0) {
			break_connection(wanted == -EPROTO ? "a message is too long"
							   : "no memory for a message");
			return;
		}
		if (wanted == 0) {
			message_done();
			continue;
		}
		got = ring_take(incoming_place(), (uint32_t)wanted);
		if (!got)
			break;
		incoming.received += got;
		took = true;
	}
	if (took)
		evtchn_notify(port);
	fiber_event_signal(&room_made);
}

/* ---- sending ---- */

static int room_wait(uint64_t deadline)
{
	while (!broken) {
		uint32_t used = ring->req_prod - read_once(ring->req_cons);

		if (used > XENSTORE_RING_SIZE)
			break_connection("impossible index in the ring");
		else if (used < XENSTORE_RING_SIZE)
			return 0;
		else if (fiber_event_wait(&room_made, deadline))
			break_connection("the store does not read");
	}
	return -EIO;
}

static int bytes_send(const uint8_t *from, uint32_t bytes, uint64_t deadline)
{
	while (bytes) {
		XENSTORE_RING_IDX produced;
		uint32_t offset, part;
		int error = room_wait(deadline);

		if (error)
			return error;
		produced = ring->req_prod;
		offset = MASK_XENSTORE_IDX(produced);
		part = XENSTORE_RING_SIZE - (produced - read_once(ring->req_cons));
		if (part > XENSTORE_RING_SIZE)
			continue; /* room_wait() will give up */
		if (part > bytes)
			part = bytes;
		if (part > XENSTORE_RING_SIZE - offset)
			part = XENSTORE_RING_SIZE - offset;
		memory_barrier();
		memcpy(&ring->req[offset], from, part);
		write_barrier();
		write_once(ring->req_prod, produced + part);
		evtchn_notify(port);
		from += part;
		bytes -= part;
	}
	return 0;
}

static int message_send(const struct xsd_sockmsg *header, const struct part *parts,
			uint32_t part_count, uint64_t deadline)
{
	int error;

	while (writing)
		if (fiber_event_wait(&writer_left, deadline))
			return -ETIMEDOUT;
	writing = true;
	error = bytes_send((const uint8_t *)header, sizeof(*header), deadline);
	for (uint32_t i = 0; i < part_count && !error; i++)
		error = bytes_send(parts[i].data, parts[i].length, deadline);
	writing = false;
	fiber_event_signal(&writer_left);
	return error;
}

/*
 * Sends a request and waits for its answer. On success `*body` is the caller's to
 * free (NULL: not wanted) and the result is its length.
 */
static int store_call(uint32_t type, store_transaction t, const struct part *parts,
		      uint32_t part_count, char **body)
{
	struct request request = { .id = next_id++ };
	struct xsd_sockmsg header = { .type = type, .req_id = request.id, .tx_id = t };
	uint64_t deadline = clock_now_ns() + STORE_TIMEOUT_NS;
	int result;

	if (!ring || broken)
		return -EIO;
	for (uint32_t i = 0; i < part_count; i++)
		header.len += parts[i].length;
	if (header.len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	fiber_event_init(&request.event);
	list_push_back(&requests, &request.link);
	result = message_send(&header, parts, part_count, deadline);
	if (!result)
		while (!request.done && !result)
			result = fiber_event_wait(&request.event, deadline);
	list_remove(&request.link);
	if (!request.done)
		return result ? result : -EIO;
	if (request.error)
		return request.error;
	result = request.type == XS_ERROR ? store_wire_errno(request.body)
		 : request.type == type	  ? (int)request.length
					  : -EIO;
	if (result >= 0 && body)
		*body = request.body;
	else
		free(request.body);
	return result;
}

static struct part part_string(const char *text)
{
	return (struct part){ text, (uint32_t)strlen(text) + 1 };
}

static int call_path(uint32_t type, store_transaction t, const char *path, char **body)
{
	struct part part = part_string(path);

	return store_call(type, t, &part, 1, body);
}

static int result_of(int length_or_error)
{
	return length_or_error < 0 ? length_or_error : 0;
}

/* ---- the interface ---- */

int store_init(void)
{
	const struct boot_info *info = boot_info_get();

	fiber_event_init(&writer_left);
	fiber_event_init(&room_made);
	if (!info->store_ring || !info->store_evtchn)
		return -ENODEV;
	ring = info->store_ring;
	port = info->store_evtchn;
	return evtchn_adopt(port, ring_event, NULL);
}

int store_reset_watches(void)
{
	char value[4];
	struct part nothing = { "", 1 };

	if (store_read(STORE_NO_TRANSACTION, "control/platform-feature-xs_reset_watches", value,
		       sizeof(value)) != 1 ||
	    value[0] != '1')
		return 0;
	return result_of(store_call(XS_RESET_WATCHES, STORE_NO_TRANSACTION, &nothing, 1, NULL));
}

uint16_t store_domid(void)
{
	static uint16_t domid;
	static bool known;
	uint64_t value;

	if (!known && store_read_u64(STORE_NO_TRANSACTION, "domid", &value) == 0) {
		domid = (uint16_t)value;
		known = true;
	}
	return domid;
}

int store_read(store_transaction t, const char *path, char *to, size_t size)
{
	char *body;
	int length = call_path(XS_READ, t, path, &body);

	if (length < 0)
		return length;
	if ((size_t)length >= size)
		length = -E2BIG;
	else
		memcpy(to, body, (size_t)length + 1);
	free(body);
	return length;
}

int store_read_u64(store_transaction t, const char *path, uint64_t *value)
{
	char text[24];
	int length = store_read(t, path, text, sizeof(text));

	if (length < 0)
		return length == -E2BIG ? -EINVAL : length;
	return store_wire_parse_u64(text, (uint32_t)length, value);
}

int store_write(store_transaction t, const char *path, const char *value)
{
	struct part parts[2] = { part_string(path), { value, (uint32_t)strlen(value) } };

	return result_of(store_call(XS_WRITE, t, parts, 2, NULL));
}

int store_writef(store_transaction t, const char *path, const char *format, ...)
{
	char value[STORE_PATH_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(value))
		return -E2BIG;
	return store_write(t, path, value);
}

int store_remove(store_transaction t, const char *path)
{
	return result_of(call_path(XS_RM, t, path, NULL));
}

int store_mkdir(store_transaction t, const char *path)
{
	return result_of(call_path(XS_MKDIR, t, path, NULL));
}

/*
 * A directory too large for one message comes in parts, each "generation\0names...",
 * the last ending in an empty name. It is read again from the start when it changed.
 */
static int directory_read_parts(store_transaction t, const char *path, uint32_t max_bytes,
				char **names)
{
	char generation[24] = "";
	char *all = NULL;
	uint32_t used = 0;

	for (uint32_t calls = 0; calls < max_bytes; calls++) {
		char offset[12];
		struct part parts[2] = { part_string(path), { offset, 0 } };
		char *body, *grown;
		uint32_t skip;
		int length;

		parts[1].length = (uint32_t)snprintf(offset, sizeof(offset), "%u", used) + 1;
		length = store_call(XS_DIRECTORY_PART, t, parts, 2, &body);
		if (length < 0) {
			free(all);
			return length;
		}
		skip = (uint32_t)strnlen(body, (size_t)length) + 1;
		if (skip > (uint32_t)length || skip > sizeof(generation)) {
			free(body);
			free(all);
			return -EIO;
		}
		if (used && strcmp(generation, body) != 0) {
			free(body);
			used = 0;
			continue;
		}
		memcpy(generation, body, skip);
		length -= (int)skip;
		grown = used + (uint32_t)length > max_bytes
				? NULL
				: realloc(all, used + (uint32_t)length + 1);
		if (!grown) {
			free(body);
			free(all);
			return used + (uint32_t)length > max_bytes ? -E2BIG : -ENOMEM;
		}
		all = grown;
		memcpy(all + used, body + skip, (size_t)length);
		used += (uint32_t)length;
		free(body);
		/* The last part ends with an empty name. */
		if (length == 0 ||
		    (used >= 1 && all[used - 1] == '\0' && (used == 1 || all[used - 2] == '\0'))) {
			*names = all;
			return used ? (int)used - 1 : 0;
		}
	}
	free(all);
	return -E2BIG;
}

int store_list(store_transaction t, const char *path, uint32_t max, struct store_list *list)
{
	char *body = NULL;
	int length = call_path(XS_DIRECTORY, t, path, &body);
	int error;

	if (length == -E2BIG)
		length = directory_read_parts(t, path, max * STORE_NAME_BYTES, &body);
	if (length < 0) {
		free(body);
		return length;
	}
	error = store_wire_parse_list(body, (uint32_t)length, max, list);
	free(body);
	return error;
}

void store_list_free(struct store_list *list)
{
	free(list->names);
	list->names = NULL;
	list->count = 0;
}

int store_get_permissions(const char *path, char *to, size_t size)
{
	char *body;
	int length = call_path(XS_GET_PERMS, STORE_NO_TRANSACTION, path, &body);

	if (length < 0)
		return length;
	for (int i = 0; i + 1 < length; i++)
		if (body[i] == '\0')
			body[i] = ' ';
	if ((size_t)length >= size)
		length = -E2BIG;
	else
		memcpy(to, body, (size_t)length + 1);
	free(body);
	return result_of(length);
}

int store_set_permissions(const char *path, const char *const *permissions, size_t count)
{
	struct part parts[6];

	if (count + 1 > sizeof(parts) / sizeof(parts[0]))
		return -E2BIG;
	parts[0] = part_string(path);
	for (size_t i = 0; i < count; i++)
		parts[i + 1] = part_string(permissions[i]);
	return result_of(
		store_call(XS_SET_PERMS, STORE_NO_TRANSACTION, parts, (uint32_t)count + 1, NULL));
}

int store_transaction_start(store_transaction *t)
{
	struct part nothing = { "", 1 };
	char *body;
	uint64_t id;
	int length = store_call(XS_TRANSACTION_START, STORE_NO_TRANSACTION, &nothing, 1, &body);
	int error;

	if (length < 0)
		return length;
	error = store_wire_parse_u64(body, (uint32_t)strnlen(body, (size_t)length), &id);
	free(body);
	if (error || id == 0 || id > UINT32_MAX)
		return -EIO;
	*t = (store_transaction)id;
	return 0;
}

int store_transaction_end(store_transaction t, bool commit)
{
	struct part part = part_string(commit ? "T" : "F");

	return result_of(store_call(XS_TRANSACTION_END, t, &part, 1, NULL));
}

static int watch_call(uint32_t type, const struct store_watch *watch)
{
	char token[12];
	struct part parts[2] = { part_string(watch->path), { token, 0 } };

	parts[1].length = (uint32_t)snprintf(token, sizeof(token), "%u", watch->token) + 1;
	return result_of(store_call(type, STORE_NO_TRANSACTION, parts, 2, NULL));
}

int store_watch_add(struct store_watch *watch, const char *path, struct fiber_event *event)
{
	size_t bytes = strlen(path) + 1;
	int error;

	if (bytes > sizeof(watch->path))
		return -E2BIG;
	memcpy(watch->path, path, bytes);
	watch->event = event;
	watch->fired = false;
	watch->token = next_token++;
	list_push_back(&watches, &watch->link);
	error = watch_call(XS_WATCH, watch);
	if (error) {
		list_remove(&watch->link);
		return error;
	}
	watch_count++;
	return 0;
}

void store_watch_remove(struct store_watch *watch)
{
	if (list_is_empty(&watch->link))
		return;
	list_remove(&watch->link);
	watch_count--;
	(void)watch_call(XS_UNWATCH, watch);
}

uint32_t store_watch_count(void)
{
	return watch_count;
}
