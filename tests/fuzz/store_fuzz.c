/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the store's client against a xenstored that does as the input says:
 * answers to whom and as it likes, bytes without sense, indices, events, silence. Several
 * fibers ask at once. At the end of every input the store breaks the protocol for good,
 * and then nobody may wait and nothing be left.
 */
#include <stdint.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#include "arch/x86/boot.h"
#include "lib/iopage.h"
#include "tests/fuzz/shared.h"
#include "tests/fuzz/store_again.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/store_wire.h"

#define STEPS_MOST 300u
#define CLIENTS 6u
#define WATCHES 4u
#define REQUESTS 16u
#define LIST_MOST 64u
#define SECOND_NS 1000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static union {
	struct xenstore_domain_interface ring;
	uint8_t page[IOPAGE_SIZE];
} shared __attribute__((aligned(IOPAGE_SIZE)));

static struct host_machine *machine;
static struct host_domain *guest;
static struct host_counters clean;
static evtchn_port store_port;
static struct script script;

/* ---- in the place of the boot code, and of the machine's own store ---- */

static void nothing(void *context)
{
	(void)context;
}

/* The port that a domain builder makes. */
const struct boot_info *boot_info_get(void)
{
	static struct boot_info info;

	if (!store_port)
		fuzz_assert(evtchn_alloc_unbound(0, nothing, NULL, &store_port) == 0);
	info.store_ring = &shared.ring;
	info.store_evtchn = store_port;
	return &info;
}

void host_store_add_domain(struct host_domain *domain)
{
	(void)domain;
}

void host_store_remove_domain(struct host_domain *domain)
{
	(void)domain;
}

bool host_store_dispatch(void)
{
	return false;
}

/* ---- the guest: fibers that ask ---- */

enum question {
	READ,
	READ_U64,
	WRITE,
	REMOVE,
	MKDIR,
	LIST,
	GET_PERMISSIONS,
	SET_PERMISSIONS,
	TRANSACTION,
	WATCH,
	RESET_WATCHES,
	DOMID,
	QUESTIONS
};

struct client {
	bool busy;
	enum question question;
	uint8_t detail;
};

struct watch {
	struct store_watch store_watch;
	bool busy;
};

static struct client clients[CLIENTS];
static struct watch watches[WATCHES];
static struct fiber_event watch_event;

static void ask_read(uint8_t detail)
{
	size_t size = 1u + detail * 17u;
	char *to = malloc(size);
	int length;

	if (!to)
		return;
	length = store_read(STORE_NO_TRANSACTION, "some/node", to, size);
	if (length >= 0)
		fuzz_assert((size_t)length < size && to[length] == '\0');
	free(to);
}

static void ask_list(uint8_t detail)
{
	uint32_t max = detail % 4 ? detail % LIST_MOST : detail * 1000u;
	struct store_list list;
	size_t bytes = 0;

	if (store_list(STORE_NO_TRANSACTION, "some/directory", max, &list))
		return;
	fuzz_assert(list.count <= max);
	for (uint32_t i = 0; i < list.count; i++)
		bytes += strlen(list.names[i]);
	fuzz_assert(bytes < 2u << 20);
	store_list_free(&list);
}

static void ask_permissions(uint8_t detail)
{
	char text[64];
	const char *const permissions[] = { "n0", "r1", "w2", "b3" };

	if (detail & 1) {
		(void)!store_set_permissions("some/node", permissions, detail / 2 % 4);
		return;
	}
	if (store_get_permissions("some/node", text, sizeof(text)) == 0)
		fuzz_assert(strnlen(text, sizeof(text)) < sizeof(text));
}

static void ask_transaction(uint8_t detail)
{
	store_transaction t;

	if (store_transaction_start(&t))
		return;
	fuzz_assert(t != STORE_NO_TRANSACTION);
	(void)!store_write(t, "some/node", "value");
	(void)!store_transaction_end(t, detail & 1);
}

static void ask_watch(uint8_t detail)
{
	struct watch *watch = &watches[detail % WATCHES];

	if (watch->busy)
		return;
	watch->busy = true;
	if (list_is_empty(&watch->store_watch.link))
		(void)!store_watch_add(&watch->store_watch, "some/node", &watch_event);
	else
		store_watch_remove(&watch->store_watch);
	watch->busy = false;
}

static void ask(struct client *client)
{
	uint64_t number;

	switch (client->question) {
	case READ:
		ask_read(client->detail);
		break;
	case READ_U64:
		(void)!store_read_u64(STORE_NO_TRANSACTION, "some/number", &number);
		break;
	case WRITE:
		(void)!store_writef(STORE_NO_TRANSACTION, "some/node", "%u", client->detail);
		break;
	case REMOVE:
		(void)!store_remove(STORE_NO_TRANSACTION, "some/node");
		break;
	case MKDIR:
		(void)!store_mkdir(STORE_NO_TRANSACTION, "some/directory");
		break;
	case LIST:
		ask_list(client->detail);
		break;
	case GET_PERMISSIONS:
	case SET_PERMISSIONS:
		ask_permissions(client->detail);
		break;
	case TRANSACTION:
		ask_transaction(client->detail);
		break;
	case WATCH:
		ask_watch(client->detail);
		break;
	case RESET_WATCHES:
		(void)!store_reset_watches();
		break;
	default:
		(void)store_domid();
		break;
	}
}

static void client_main(void *argument)
{
	struct client *client = argument;

	ask(client);
	client->busy = false;
}

static void client_start(void *argument)
{
	struct client *client = argument;

	client->busy = fiber_start("client", client_main, client) == 0;
}

static void client_begin(void)
{
	uint8_t draw = script_u8(&script);
	uint8_t detail = script_u8(&script);

	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (clients[i].busy)
			continue;
		clients[i].question = draw % QUESTIONS;
		clients[i].detail = detail;
		host_call(guest, client_start, &clients[i]);
		return;
	}
}

/* ---- the store ---- */

static struct {
	uint32_t taken;	   /* bytes of requests */
	uint32_t produced; /* bytes of answers */
	struct {
		struct xsd_sockmsg header;
		uint32_t received; /* with the body */
	} incoming;
	struct xsd_sockmsg requests[REQUESTS]; /* not answered, a ring */
	uint32_t first, count;
} store;

static uint8_t *resolve(uintptr_t address)
{
	uintptr_t offset = address - (uintptr_t)shared.page;

	return offset < IOPAGE_SIZE ? shared.page + offset : NULL;
}

static void run(void)
{
	uint8_t draw = script_u8(&script);

	shared_forget_loads();
	guest->pending[store_port / 64] |= 1ull << store_port % 64;
	host_run_for(machine, 1000u + draw * 100u);
}

static void request_note(const struct xsd_sockmsg *header)
{
	if (store.count == REQUESTS)
		return;
	store.requests[(store.first + store.count++) % REQUESTS] = *header;
}

/* Reads what the guest has written, as a store would. */
static void requests_take(void)
{
	uint32_t waiting = shared.ring.req_prod - store.taken;

	if (waiting > XENSTORE_RING_SIZE)
		return;
	for (; waiting; waiting--, store.taken++) {
		uint8_t byte = (uint8_t)shared.ring.req[MASK_XENSTORE_IDX(store.taken)];

		if (store.incoming.received < sizeof(store.incoming.header))
			((uint8_t *)&store.incoming.header)[store.incoming.received] = byte;
		store.incoming.received++;
		if (store.incoming.received < sizeof(store.incoming.header) ||
		    store.incoming.received - sizeof(store.incoming.header) <
			    store.incoming.header.len)
			continue;
		request_note(&store.incoming.header);
		store.incoming.received = 0;
	}
	shared.ring.req_cons = store.taken;
}

static void publish(void)
{
	shared.ring.rsp_prod = store.produced;
}

/* Waits for room once; a guest that takes nothing has its bytes written over. */
static void send(const void *bytes, uint32_t count)
{
	const uint8_t *from = bytes;

	while (count--) {
		if (store.produced - shared.ring.rsp_cons == XENSTORE_RING_SIZE) {
			publish();
			guest->pending[store_port / 64] |= 1ull << store_port % 64;
			host_run_for(machine, 3000);
		}
		shared.ring.rsp[MASK_XENSTORE_IDX(store.produced++)] = (char)*from++;
	}
}

static void message_send(uint32_t type, uint32_t id, const void *body, uint32_t length)
{
	struct xsd_sockmsg header = { .type = type, .req_id = id, .len = length };

	send(&header, sizeof(header));
	send(body, length);
	publish();
}

/* A generation and many names, as a part of a listing is. */
static uint32_t listing_fill(uint8_t *to, uint32_t size)
{
	uint32_t used = (uint32_t)snprintf((char *)to, 8, "%u", script_u8(&script) % 4u) + 1;
	uint32_t names = script_u8(&script);
	uint8_t shape = script_u8(&script);

	for (; names-- && used + 40 < size; to[used++] = 0) {
		uint32_t length = shape % 32;

		memset(to + used, 'n', length);
		used += length;
	}
	if (shape & 0x80)
		to[used++] = 0;
	return used;
}

static uint32_t body_fill(uint8_t *to, uint32_t size)
{
	static const char *const errors[] = { "ENOENT", "E2BIG", "EAGAIN", "EQUOTA", "?" };
	uint8_t draw = script_u8(&script);
	uint32_t length;

	switch (draw % 6) {
	case 0:
		return (uint32_t)script_bytes(&script, to, draw);
	case 1:
		return (uint32_t)snprintf((char *)to, size, "%u", script_u16(&script)) +
		       (draw >> 7);
	case 2:
		return (uint32_t)snprintf((char *)to, size, "%s",
					  errors[draw / 6 % ARRAY_SIZE(errors)]) +
		       1;
	case 3:
		return listing_fill(to, size);
	case 4:
		memcpy(to, "OK", 3);
		return 3;
	default:
		length = script_u16(&script) % (XENSTORE_PAYLOAD_MAX + 2);
		memset(to, draw / 6, length);
		return length;
	}
}

/* An answer to a request that waits: a good one, an error, or of a wrong type. */
static void answer(void)
{
	static uint8_t body[XENSTORE_PAYLOAD_MAX + 64];
	uint8_t how = script_u8(&script);
	struct xsd_sockmsg request;
	uint32_t length;

	requests_take();
	if (!store.count)
		return;
	request = store.requests[store.first % REQUESTS];
	if (!(how & 0x80)) {
		store.first++;
		store.count--;
	}
	if (how % 4 == 1)
		request.type = XS_ERROR;
	if (how % 4 == 2)
		request.type = script_u8(&script);
	if (how & 0x40)
		request.req_id += script_u8(&script);
	length = body_fill(body, sizeof(body));
	message_send(request.type, request.req_id, body, length);
}

static void watch_fire(void)
{
	char body[40];
	int length = snprintf(body, sizeof(body), "some/node%c%u", 0, script_u8(&script) % 12u);

	message_send(XS_WATCH_EVENT, 0, body, (uint32_t)length + 1);
}

static void watch_lie(void)
{
	uint8_t body[64];
	uint8_t most = script_u8(&script) % sizeof(body);

	message_send(XS_WATCH_EVENT, script_u8(&script), body,
		     (uint32_t)script_bytes(&script, body, most));
}

static void header_lie(void)
{
	struct xsd_sockmsg header;

	header.type = script_u8(&script);
	header.req_id = script_u8(&script);
	header.tx_id = script_u8(&script);
	header.len = script_u16(&script) % 5000;
	send(&header, sizeof(header));
	publish();
}

static void raw(void)
{
	uint8_t bytes[64];
	uint8_t most = script_u8(&script) % sizeof(bytes);

	send(bytes, (uint32_t)script_bytes(&script, bytes, most));
	publish();
}

/* Half of what was sent is not there yet, or more is than was sent. */
static void jump(void)
{
	uint8_t how = script_u8(&script);
	uint32_t step =
		how & 1 ? script_u32(&script) : (uint32_t)(int32_t)(int8_t)script_u8(&script);

	if (how & 2)
		shared.ring.req_cons += step;
	else
		shared.ring.rsp_prod += step;
	if (how & 4)
		store.produced += step;
}

static void poke(void)
{
	uint32_t offset = script_u16(&script) % (IOPAGE_SIZE / 4) * 4;
	uint32_t value = script_u32(&script);

	memcpy(shared.page + offset, &value, sizeof(value));
}

/* ---- the script ---- */

static void operate(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 16) {
	case 0:
	case 1:
	case 2:
		client_begin();
		break;
	case 3:
	case 4:
	case 5:
		answer();
		break;
	case 6:
		watch_fire();
		break;
	case 7:
		watch_lie();
		break;
	case 8:
		header_lie();
		break;
	case 9:
		raw();
		break;
	case 10:
		jump();
		break;
	case 11:
		poke();
		break;
	case 12:
		shared_plan(&script, resolve);
		break;
	case 13:
		host_run_for(machine, (1 + draw / 16) * SECOND_NS);
		break;
	default:
		run();
		break;
	}
}

/* ---- one input ---- */

static void watches_remove(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < WATCHES; i++)
		store_watch_remove(&watches[i].store_watch);
}

static void begin_again(void *argument)
{
	(void)argument;
	store_again();
	fuzz_assert(store_init() == 0);
}

static bool everybody_is_back(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (clients[i].busy)
			return false;
	return true;
}

/* Whatever its own index is, one of the two is impossible. */
static void connection_break(void)
{
	shared_reset();
	for (uint32_t i = 0; i < 2; i++) {
		shared.ring.rsp_prod += 0x80000000u;
		guest->pending[store_port / 64] |= 1ull << store_port % 64;
		host_run_for(machine, 10000);
	}
	fuzz_assert(store_connection_is_broken());
}

static void input_end(void)
{
	struct host_counters now;

	connection_break();
	fuzz_assert(host_run_until(machine, everybody_is_back, NULL, SECOND_NS));
	host_call_fiber_must(guest, watches_remove, NULL);
	memset(&shared, 0, sizeof(shared));
	memset(&store, 0, sizeof(store));
	host_call(guest, begin_again, NULL);
	now = host_domain_counters(guest);
	if (memcmp(&now, &clean, sizeof(now)) != 0) {
		fprintf(stderr, "left: %s\n", host_counters_text(&now));
		abort();
	}
}

static void machine_start(void)
{
	struct host_options options = {
		.mode = HOST_STEPPED, .seed = 1, .pages = 64, .grant_entries = 64
	};

	machine = host_machine_create(&options);
	guest = host_domain_create(machine, "guest", 16);
	for (uint32_t i = 0; i < WATCHES; i++)
		list_init(&watches[i].store_watch.link);
	fiber_event_init(&watch_event);
	clean = host_domain_counters(guest);
}

/* ---- the parsers alone ---- */

static void parse_number(const char *body, uint32_t length)
{
	bool is_number = length > 0;
	uint64_t value = 0;

	for (uint32_t i = 0; i < length; i++)
		is_number &= body[i] >= '0' && body[i] <= '9';
	if (store_wire_parse_u64(body, length, &value))
		fuzz_assert(!is_number || length >= 20);
	else
		fuzz_assert(is_number && value == strtoull(body, NULL, 10));
}

static void parse_list(const char *body, uint32_t length, uint32_t max)
{
	struct store_list list;
	uint32_t at = 0;

	if (store_wire_parse_list(body, length, max, &list))
		return;
	fuzz_assert(list.count <= max);
	for (uint32_t i = 0; i < list.count; i++) {
		fuzz_assert(strcmp(list.names[i], body + at) == 0);
		at += (uint32_t)strlen(list.names[i]) + 1;
	}
	fuzz_assert(at == length || at == length + 1);
	free(list.names);
}

/* In a block that ends where the receiver's does, behind the NUL. */
static void parse(void)
{
	uint8_t max = script_u8(&script);
	uint32_t length = (uint32_t)script.left;
	char *body = malloc(length + 1);
	uint32_t token;

	fuzz_assert(body);
	(void)script_bytes(&script, (uint8_t *)body, length);
	body[length] = '\0';
	fuzz_assert(store_wire_errno(body) < 0);
	parse_number(body, length);
	parse_list(body, length, max);
	if (store_wire_parse_event(body, length, &token) == 0)
		fuzz_assert(strlen(body) < length);
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t steps = 0;

	if (!machine)
		machine_start();
	script = (struct script){ data, size };
	if (script_u8(&script) % 8 == 0) {
		parse();
		return 0;
	}
	atomic_store(&machine->random_state, 1);
	while (!script_is_over(&script) && steps++ < STEPS_MOST)
		operate();
	input_end();
	return 0;
}
