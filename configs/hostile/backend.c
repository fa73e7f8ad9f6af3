/* SPDX-License-Identifier: ISC */
/* A backend that knows the handshake, so that it is let in again and again. */
#include "configs/hostile/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "xen/bus.h"

#define ROOT "backend/vif"
#define LIST_MAX 16u
#define FIND_MS 120000u
#define CONNECT_TRIES 3u
#define CONNECT_MS 5000u
#define LEAVE_MS 5000u
#define PROVOKE_MS 1000u
#define SERVE_ROUNDS 10u

struct backend back;

static const uint8_t own_mac[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xfe };

/* ---- the store ---- */

void backend_write(const char *key, const char *value)
{
	char path[STORE_PATH_BYTES];
	int error;

	if (back.gone)
		return;
	snprintf(path, sizeof(path), "%.*s/%s", (int)sizeof(path) - 40, back.directory, key);
	error = value ? store_write(STORE_NO_TRANSACTION, path, value)
		      : store_remove(STORE_NO_TRANSACTION, path);
	if (error && error != -ENOENT)
		hostile_unexpected("%s is not written: error %d", key, error);
}

void backend_set_state(uint32_t state)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", (unsigned int)state);
	backend_write("state", text);
}

uint32_t backend_peer_state(void)
{
	return (uint32_t)bus_state_read(back.frontend);
}

bool backend_is_connected(void)
{
	return back.tx && backend_peer_state() == XenbusStateConnected;
}

static bool peer_is_ready(void)
{
	uint32_t state = backend_peer_state();

	return state == XenbusStateInitialised || state == XenbusStateConnected;
}

static bool peer_is_not_ready(void)
{
	return !peer_is_ready();
}

static bool peer_begins(void)
{
	return backend_peer_state() == XenbusStateInitialising;
}

/* The first name in the directory, as a number; UINT32_MAX: none. */
static uint32_t first_child(const char *path)
{
	uint32_t number = UINT32_MAX;
	struct store_list list;

	if (store_list(STORE_NO_TRANSACTION, path, LIST_MAX, &list))
		return number;
	if (list.count)
		number = (uint32_t)strtoul(list.names[0], NULL, 10);
	store_list_free(&list);
	return number;
}

static bool frontend_find(void)
{
	uint32_t domid = first_child(ROOT);
	char path[STORE_PATH_BYTES];
	uint32_t device;

	if (domid > UINT16_MAX)
		return false;
	snprintf(path, sizeof(path), ROOT "/%u", (unsigned int)domid);
	device = first_child(path);
	if (device > UINT16_MAX)
		return false;
	snprintf(back.directory, sizeof(back.directory), ROOT "/%u/%u", (unsigned int)domid,
		 (unsigned int)device);
	if (bus_read_string(back.directory, "frontend", back.frontend, sizeof(back.frontend)) < 0)
		return false;
	back.frontend_id = (uint16_t)domid;
	return true;
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it looks when it wants to */
}

static int port_bind(const char *key, evtchn_port *port)
{
	return evtchn_bind_interdomain(
		back.frontend_id, (evtchn_port)bus_read_u64(back.rings, key, 0), event, NULL, port);
}

static int ring_map(const char *key, struct gnttab_mapping *map)
{
	return gnttab_map(back.frontend_id, (uint32_t)bus_read_u64(back.rings, key, 0), false, map);
}

static int ports_bind(bool split)
{
	int error = port_bind(split ? "event-channel-tx" : "event-channel", &back.tx_port);

	back.rx_port = back.tx_port;
	if (error || !split)
		return error;
	return port_bind("event-channel-rx", &back.rx_port);
}

/* Of several queues it takes the first, and leaves the others lying. */
static void rings_find(void)
{
	bool several = bus_read_u64(back.frontend, "multi-queue-num-queues", 1) > 1;

	snprintf(back.rings, sizeof(back.rings), "%s%s", back.frontend, several ? "/queue-0" : "");
}

static bool parts_take(bool split)
{
	int error;

	rings_find();
	error = ring_map("tx-ring-ref", &back.tx_map);
	if (!error)
		error = ring_map("rx-ring-ref", &back.rx_map);
	if (!error)
		error = ports_bind(split);
	if (error) {
		backend_release();
		return false;
	}
	back.tx = back.tx_map.address;
	back.rx = back.rx_map.address;
	back.tx_answered = back.rx_answered = back.tx_seen = 0;
	back.tx_in_extras = false;
	return true;
}

static void key_write(const char *key, const char *truth, const struct hostile_lie *lie)
{
	bool lies =
		lie && (strcmp(lie->key, key) == 0 || (lie->also && strcmp(lie->also, key) == 0));

	backend_write(key, lies ? lie->value : truth);
}

static void keys_write(const struct hostile_lie *lie)
{
	static const char *const features[] = { "feature-rx-copy", "feature-sg",
						"feature-gso-tcpv4" };
	/* Written only as lies. */
	static const char *const others[] = { "feature-split-event-channels",
					      "feature-no-csum-offload", "multi-queue-max-queues",
					      "mtu" };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		key_write(features[i], "1", lie);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		key_write(others[i], NULL, lie);
	backend_write("hotplug-status", "connected");
	key_write("state", "2", lie);
}

static bool rx_is_posted(void)
{
	return backend_rx_waiting() > 0;
}

static bool offer(const struct hostile_lie *lie, uint32_t ms)
{
	bool split = lie && lie->value && strcmp(lie->key, "feature-split-event-channels") == 0 &&
		     strcmp(lie->value, "1") == 0;

	keys_write(lie);
	if (!hostile_wait(peer_is_ready, ms) || !parts_take(split))
		return false;
	backend_set_state(XenbusStateConnected);
	/* The first buffers come when it is up. */
	if (!hostile_wait(rx_is_posted, ms))
		return false;
	back.fresh = true;
	return true;
}

static void not_let_in_say(void)
{
	log_line(LOG_INFO, "hostile", "is not let in: the other says %s",
		 bus_state_name((enum xenbus_state)backend_peer_state()));
}

bool backend_connect(void)
{
	if (!back.directory[0] && !hostile_wait(frontend_find, FIND_MS))
		panic("nobody to attack");
	if (!back.page)
		back.page = memory_alloc_pages(1);
	if (!back.page)
		panic("no memory");
	if (back.fresh && backend_is_connected())
		return true;
	for (unsigned int i = 0; i < CONNECT_TRIES; i++) {
		backend_leave();
		if (!offer(NULL, CONNECT_MS)) {
			not_let_in_say();
			continue;
		}
		for (unsigned int n = 0; n < SERVE_ROUNDS; n++) {
			backend_serve();
			hostile_pause_ms(5);
		}
		back.fresh = true;
		return true;
	}
	return false;
}

void backend_lie(const struct hostile_lie *lie, uint32_t ms)
{
	backend_leave();
	(void)!offer(lie, ms);
	back.fresh = false;
}

void backend_release(void)
{
	if (back.rx_port != back.tx_port)
		evtchn_close(back.rx_port);
	evtchn_close(back.tx_port);
	back.tx_port = back.rx_port = EVTCHN_NONE;
	gnttab_unmap(&back.tx_map);
	gnttab_unmap(&back.rx_map);
	back.tx = NULL;
	back.rx = NULL;
	back.fresh = false;
}

void backend_leave(void)
{
	if (!back.directory[0])
		return;
	if (peer_is_ready() || back.tx) {
		backend_set_state(XenbusStateClosing);
		(void)hostile_wait(peer_is_not_ready, LEAVE_MS);
	}
	backend_release();
	if (back.gone)
		return;
	/* It begins again only where there is somebody. */
	backend_set_state(XenbusStateClosed);
	(void)hostile_wait(peer_begins, LEAVE_MS);
}

/* ---- the rings ---- */

static uint32_t waiting(uint32_t produced, uint32_t answered)
{
	uint32_t count = produced - answered;

	return count > HOSTILE_RING ? 0 : count;
}

uint32_t backend_tx_waiting(void)
{
	return back.tx ? waiting(read_once(back.tx->req_prod), back.tx_answered) : 0;
}

uint32_t backend_rx_waiting(void)
{
	return back.rx ? waiting(read_once(back.rx->req_prod), back.rx_answered) : 0;
}

struct netif_tx_request backend_tx_request(uint32_t ahead)
{
	return back.tx->ring[(back.tx_answered + ahead) % HOSTILE_RING].req;
}

struct netif_rx_request backend_rx_request(uint32_t ahead)
{
	return back.rx->ring[(back.rx_answered + ahead) % HOSTILE_RING].req;
}

/* An answer overwrites its request, so all that are there are noted first, in order. */
static void tx_note(void)
{
	uint32_t left = waiting(read_once(back.tx->req_prod), back.tx_seen);

	read_barrier();
	for (; left > 0; left--, back.tx_seen++) {
		uint32_t slot = back.tx_seen % HOSTILE_RING;
		struct netif_tx_request request = back.tx->ring[slot].req;
		struct netif_extra_info extra;

		memcpy(&extra, &back.tx->ring[slot], sizeof(extra));
		if (back.tx_in_extras) {
			back.tx_ids[slot] = BACKEND_NO_ID;
			back.tx_in_extras = extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
		} else {
			back.tx_ids[slot] = request.id;
			back.tx_in_extras = request.flags & NETTXF_extra_info;
		}
	}
}

uint32_t backend_tx_id(uint32_t ahead)
{
	tx_note();
	return back.tx_ids[(back.tx_answered + ahead) % HOSTILE_RING];
}

void backend_answer_tx(uint32_t id, int16_t status)
{
	struct netif_tx_response response = { .id = (uint16_t)id, .status = status };

	tx_note();
	if (id == BACKEND_NO_ID)
		response.status = NETIF_RSP_NULL;
	back.tx->ring[back.tx_answered++ % HOSTILE_RING].rsp = response;
}

void backend_answer_rx(const struct netif_rx_response *response)
{
	back.rx->ring[back.rx_answered++ % HOSTILE_RING].rsp = *response;
}

void backend_answer_rx_extra(const struct netif_extra_info *extra)
{
	memcpy(&back.rx->ring[back.rx_answered++ % HOSTILE_RING], extra, sizeof(*extra));
}

void backend_jump(uint32_t tx_prod, uint32_t rx_prod)
{
	back.fresh = false;
	write_barrier();
	write_once(back.tx->rsp_prod, tx_prod);
	write_once(back.rx->rsp_prod, rx_prod);
	/* A backend asks to hear of the next request, or it would never be told. */
	write_once(back.tx->req_event, back.tx_answered + 1);
	write_once(back.rx->req_event, back.rx_answered + 1);
	evtchn_notify(back.tx_port);
	if (back.rx_port != back.tx_port)
		evtchn_notify(back.rx_port);
}

void backend_publish(void)
{
	backend_jump(back.tx_answered, back.rx_answered);
}

/* Delivers the frame of `bytes` in our page. */
static void deliver(uint16_t bytes)
{
	struct gnttab_copy op = { .len = bytes, .flags = GNTCOPY_dest_gref };
	struct netif_rx_response response = { .status = (int16_t)bytes };
	struct netif_rx_request request;

	if (!backend_rx_waiting())
		return;
	request = backend_rx_request(0);
	response.id = request.id;
	op.source.u.gmfn = memory_frame_of(back.page);
	op.source.domid = DOMID_SELF;
	op.dest.u.ref = request.gref;
	op.dest.domid = back.frontend_id;
	gnttab_copy(&op, 1);
	if (op.status != GNTST_okay)
		hostile_unexpected("a posted buffer cannot be written: %d", op.status);
	backend_answer_rx(&response);
}

static void question_answer(const struct netif_tx_request *request)
{
	struct gnttab_copy op = { .len = request->size, .flags = GNTCOPY_source_gref };
	uint8_t frame[HOSTILE_FRAME_MAX];

	if (request->size > sizeof(frame))
		return;
	op.source.u.ref = request->gref;
	op.source.domid = back.frontend_id;
	op.source.offset = request->offset;
	op.dest.u.gmfn = memory_frame_of(back.page);
	op.dest.domid = DOMID_SELF;
	gnttab_copy(&op, 1);
	memcpy(frame, back.page, sizeof(frame));
	if (op.status == GNTST_okay && frame_asks_for_us(frame))
		deliver(frame_arp_reply(back.page, own_mac, frame));
}

void backend_serve(void)
{
	while (backend_tx_waiting()) {
		uint32_t id = backend_tx_id(0);
		struct netif_tx_request request = backend_tx_request(0);

		if (id != BACKEND_NO_ID)
			question_answer(&request);
		backend_answer_tx(id, NETIF_RSP_OKAY);
	}
	backend_publish();
}

static bool tx_is_waiting(void)
{
	return backend_tx_waiting() > 0;
}

void backend_provoke(uint32_t count)
{
	uint16_t bytes = frame_arp_request(back.page, own_mac);

	while (count-- && backend_rx_waiting())
		deliver(bytes);
	backend_publish();
	if (!hostile_wait(tx_is_waiting, PROVOKE_MS))
		hostile_unexpected("it sends nothing that could be answered");
}

const struct hostile_role hostile_backend = {
	.name = "backend",
	.rings = backend_ring_attacks,
	.store = backend_store_attacks,
	.connect = backend_connect,
	.is_connected = backend_is_connected,
	.lie = backend_lie,
	.leave = backend_leave,
};
