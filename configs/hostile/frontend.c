/* SPDX-License-Identifier: ISC */
/*
 * A frontend that knows the handshake, so that it can be thrown out again and again.
 */
#include "configs/hostile/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "lib/log.h"
#include "xen/bus.h"
#include "xen/gnttab.h"

#define DIRECTORY "device/vif/0"
#define CONNECT_TRIES 3u
#define OFFER_MS 6000u
#define CONNECT_MS 3000u
#define LEAVE_MS 3000u
#define RELEASE_TRIES 100u
#define RELEASE_STEP_MS 20u
#define ROOM_MS 500u

struct frontend front;

static const uint8_t gateway_mac[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- the store ---- */

void frontend_write(const char *key, const char *value)
{
	char path[STORE_PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), DIRECTORY "/%s", key);
	error = value ? store_write(STORE_NO_TRANSACTION, path, value)
		      : store_remove(STORE_NO_TRANSACTION, path);
	if (error && error != -ENOENT)
		hostile_unexpected("%s is not written: error %d", key, error);
}

void frontend_set_state(uint32_t state)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", (unsigned int)state);
	frontend_write("state", text);
}

uint32_t frontend_peer_state(void)
{
	return front.backend[0] ? (uint32_t)bus_state_read(front.backend) : XenbusStateUnknown;
}

bool frontend_is_connected(void)
{
	return front.up && frontend_peer_state() == XenbusStateConnected;
}

static bool peer_is_connected(void)
{
	return frontend_peer_state() == XenbusStateConnected;
}

static bool peer_offers(void)
{
	return frontend_peer_state() == XenbusStateInitWait;
}

static bool peer_has_left(void)
{
	return frontend_peer_state() == XenbusStateClosed ||
	       frontend_peer_state() == XenbusStateUnknown;
}

static bool backend_find(void)
{
	uint64_t id = bus_read_u64(DIRECTORY, "backend-id", UINT64_MAX);

	if (id > UINT16_MAX ||
	    bus_read_string(DIRECTORY, "backend", front.backend, sizeof(front.backend)) < 0)
		return false;
	front.backend_id = (uint16_t)id;
	return true;
}

/* ---- what is lent ---- */

static bool loan_make(enum frontend_page which, uint16_t domid, bool readonly)
{
	struct frontend_loan *loan = &front.loans[which];
	int64_t gref;

	if (!loan->page)
		loan->page = memory_alloc_pages(1);
	if (!loan->page)
		return false;
	memset(loan->page, 0, PAGE_BYTES);
	gref = gnttab_grant_access(domid, memory_frame_of(loan->page), readonly);
	if (gref < 0)
		return false;
	loan->gref = (uint32_t)gref;
	return true;
}

/* A page that is still in use stays lent for ever, and another takes its place. */
static void loan_end(struct frontend_loan *loan)
{
	if (!loan->gref)
		return;
	for (unsigned int i = 0; gnttab_end_access(loan->gref); i++) {
		if (i == RELEASE_TRIES) {
			hostile_unexpected("a page is not given back");
			loan->page = NULL;
			break;
		}
		hostile_pause_ms(RELEASE_STEP_MS);
	}
	loan->gref = 0;
}

static bool reference_revoked_make(void)
{
	int64_t gref = gnttab_grant_access(front.backend_id,
					   memory_frame_of(front.loans[PAGE_READ].page), false);

	if (gref < 0 || gnttab_end_access((uint32_t)gref))
		return false;
	front.revoked = (uint32_t)gref;
	return true;
}

static bool loans_make(void)
{
	uint16_t backend = front.backend_id;

	if (!loan_make(PAGE_TX, backend, false) || !loan_make(PAGE_RX, backend, false) ||
	    !loan_make(PAGE_READ, backend, true) || !loan_make(PAGE_WRITE, backend, false) ||
	    !loan_make(PAGE_FOREIGN, 0, false))
		return false;
	return reference_revoked_make();
}

static void rings_reset(void)
{
	uint8_t mac[6] = { 0 };

	front.tx = (struct netif_tx_sring *)(void *)front.loans[PAGE_TX].page;
	front.rx = (struct netif_rx_sring *)(void *)front.loans[PAGE_RX].page;
	front.tx->req_event = front.tx->rsp_event = 1;
	front.rx->req_event = front.rx->rsp_event = 1;
	front.tx_next = front.rx_next = 0;
	(void)!bus_read_mac(DIRECTORY, "mac", mac);
	front.frame_bytes = frame_echo_request(front.loans[PAGE_READ].page, mac, gateway_mac);
}

void frontend_release(void)
{
	front.up = false;
	evtchn_close(front.port);
	front.port = EVTCHN_NONE;
	for (int i = 0; i < PAGE_COUNT; i++)
		loan_end(&front.loans[i]);
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it never waits for answers */
}

static bool parts_make(void)
{
	if (!loans_make() || evtchn_alloc_unbound(front.backend_id, event, NULL, &front.port))
		return false;
	rings_reset();
	front.up = true;
	return true;
}

static void key_write(const char *key, const char *truth, const struct hostile_lie *lie)
{
	bool lies =
		lie && (strcmp(lie->key, key) == 0 || (lie->also && strcmp(lie->also, key) == 0));

	frontend_write(key, lies ? lie->value : truth);
}

static void keys_write(const struct hostile_lie *lie)
{
	static const char *const features[] = { "request-rx-copy", "feature-rx-notify",
						"feature-sg", "feature-gso-tcpv4",
						"request-multicast-control" };
	/* Written only as lies. */
	static const char *const others[] = { "event-channel-tx", "event-channel-rx",
					      "multi-queue-num-queues", "feature-no-csum-offload" };
	char text[16];

	snprintf(text, sizeof(text), "%u", (unsigned int)frontend_gref(PAGE_TX));
	key_write("tx-ring-ref", text, lie);
	snprintf(text, sizeof(text), "%u", (unsigned int)frontend_gref(PAGE_RX));
	key_write("rx-ring-ref", text, lie);
	snprintf(text, sizeof(text), "%u", (unsigned int)front.port);
	key_write("event-channel", text, lie);
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		key_write(features[i], "1", lie);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		key_write(others[i], NULL, lie);
	snprintf(text, sizeof(text), "%d", XenbusStateConnected);
	key_write("state", text, lie);
}

static bool offer(const struct hostile_lie *lie, uint32_t ms)
{
	if (!backend_find())
		return false;
	frontend_set_state(XenbusStateInitialising);
	if (!hostile_wait(peer_offers, OFFER_MS) || !parts_make())
		return false;
	keys_write(lie);
	return hostile_wait(peer_is_connected, ms);
}

static void not_let_in_say(void)
{
	log_line(LOG_INFO, "hostile", "is not let in: the other says %s",
		 bus_state_name((enum xenbus_state)frontend_peer_state()));
}

bool frontend_connect(void)
{
	if (frontend_is_connected())
		return true;
	for (unsigned int i = 0; i < CONNECT_TRIES; i++) {
		frontend_leave();
		if (offer(NULL, CONNECT_MS))
			return true;
		not_let_in_say();
	}
	return false;
}

void frontend_lie(const struct hostile_lie *lie, uint32_t ms)
{
	frontend_leave();
	(void)!offer(lie, ms);
}

void frontend_leave(void)
{
	frontend_set_state(XenbusStateClosed);
	if (front.up)
		(void)hostile_wait(peer_has_left, LEAVE_MS);
	frontend_release();
}

/* ---- the rings ---- */

static bool room_for(uint32_t count)
{
	return front.tx_next - read_once(front.tx->rsp_prod) + count <= HOSTILE_RING;
}

void frontend_tx_room(uint32_t count)
{
	for (uint32_t i = 0; i < ROOM_MS && !room_for(count); i++)
		hostile_pause_ms(1);
}

void frontend_put(uint32_t gref, uint32_t offset, uint32_t size, uint16_t flags)
{
	struct netif_tx_request request = { .gref = gref,
					    .offset = (uint16_t)offset,
					    .size = (uint16_t)size,
					    .flags = flags,
					    .id = (uint16_t)front.tx_next };

	front.tx->ring[front.tx_next++ % HOSTILE_RING].req = request;
}

void frontend_put_extra(const struct netif_extra_info *extra)
{
	memcpy(&front.tx->ring[front.tx_next++ % HOSTILE_RING], extra, sizeof(*extra));
}

void frontend_put_rx(uint16_t id, uint32_t gref)
{
	front.rx->ring[front.rx_next++ % HOSTILE_RING].req =
		(struct netif_rx_request){ .id = id, .gref = gref };
}

void frontend_post_rx(uint32_t count)
{
	while (count-- && front.rx_next - read_once(front.rx->rsp_prod) < HOSTILE_RING)
		frontend_put_rx((uint16_t)(front.rx_next % HOSTILE_RING),
				frontend_gref(PAGE_WRITE));
}

void frontend_jump(uint32_t tx_prod, uint32_t rx_prod)
{
	write_barrier();
	write_once(front.tx->req_prod, tx_prod);
	write_once(front.rx->req_prod, rx_prod);
	evtchn_notify(front.port);
}

void frontend_publish(void)
{
	frontend_jump(front.tx_next, front.rx_next);
}

void frontend_send_echoes(uint32_t count)
{
	frontend_tx_room(count);
	while (count-- && room_for(1))
		frontend_put(frontend_gref(PAGE_READ), 0, front.frame_bytes, 0);
	frontend_publish();
}

const struct hostile_role hostile_frontend = {
	.name = "frontend",
	.rings = frontend_ring_attacks,
	.store = frontend_store_attacks,
	.connect = frontend_connect,
	.is_connected = frontend_is_connected,
	.lie = frontend_lie,
	.leave = frontend_leave,
};
