/* SPDX-License-Identifier: ISC */
/* A netfront without manners. */
#include "tests/host/hostile_frontend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/store.h"

#define WAIT_NS 10000000000ull /* long enough for threads on a busy machine */
#define STEP_NS 1000000u

void hostile_frontend_init(struct hostile_frontend *front, struct host_domain *domain,
			   const struct host_domain *backend, uint32_t devid)
{
	*front = (struct hostile_frontend){
		.domain = domain,
		.backend_domid = host_domid(backend),
		.devid = devid,
		.keys = { .request_rx_copy = "1", .features = "1", .state = XenbusStateConnected },
	};
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it never looks at answers */
}

uint32_t hostile_frontend_peer_state(const struct hostile_frontend *front)
{
	char path[STORE_PATH_BYTES];
	uint64_t state;

	snprintf(path, sizeof(path), "/local/domain/%u/backend/vif/%u/%u/state",
		 front->backend_domid, store_domid(), front->devid);
	return store_read_u64(0, path, &state) ? 0 : (uint32_t)state;
}

static int wait_peer_state(const struct hostile_frontend *front, uint32_t state)
{
	uint64_t deadline = clock_now_ns() + WAIT_NS;

	while (hostile_frontend_peer_state(front) != state) {
		if (clock_now_ns() >= deadline)
			return -ETIMEDOUT;
		fiber_sleep_until(clock_now_ns() + STEP_NS);
	}
	return 0;
}

static uint32_t grant(uint16_t domid, const void *page, bool readonly)
{
	int64_t gref = gnttab_grant_access(domid, memory_frame_of(page), readonly);

	if (gref < 0)
		host_fatal("the attacker has no grants left");
	return (uint32_t)gref;
}

static void make_pages(struct hostile_frontend *front)
{
	front->tx = memory_alloc_pages(1);
	front->rx = memory_alloc_pages(1);
	for (int i = 0; i < HOSTILE_PAGES; i++)
		front->pages[i] = memory_alloc_pages(1);
}

static void reset_rings(struct hostile_frontend *front)
{
	memset(front->tx, 0, PAGE_BYTES);
	memset(front->rx, 0, PAGE_BYTES);
	front->tx->req_event = front->tx->rsp_event = 1;
	front->rx->req_event = front->rx->rsp_event = 1;
	front->tx_next = front->rx_next = 0;
}

static void make_grants(struct hostile_frontend *front)
{
	uint16_t backend = front->backend_domid;

	front->tx_gref = grant(backend, front->tx, false);
	front->rx_gref = grant(backend, front->rx, false);
	front->grefs[HOSTILE_READ] = grant(backend, front->pages[HOSTILE_READ], true);
	front->grefs[HOSTILE_WRITE] = grant(backend, front->pages[HOSTILE_WRITE], false);
	front->grefs[HOSTILE_FOREIGN] = grant(0, front->pages[HOSTILE_FOREIGN], false);
	front->grefs[HOSTILE_REVOKED] = grant(backend, front->pages[HOSTILE_REVOKED], false);
	if (gnttab_end_access(front->grefs[HOSTILE_REVOKED]))
		host_fatal("a fresh grant is busy");
}

static int write_key(const struct hostile_frontend *front, const char *key, const char *lie,
		     uint32_t truth)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "device/vif/%u/%s", front->devid, key);
	if (!lie)
		return store_writef(0, path, "%u", truth);
	return lie[0] ? store_write(0, path, lie) : store_remove(0, path);
}

void hostile_frontend_set_state(const struct hostile_frontend *front, uint32_t state)
{
	(void)!write_key(front, "state", NULL, state);
}

static int write_keys(const struct hostile_frontend *front)
{
	const struct hostile_keys *keys = &front->keys;
	int error = write_key(front, "tx-ring-ref", keys->tx_ring_ref, front->tx_gref);

	if (!error)
		error = write_key(front, "rx-ring-ref", keys->rx_ring_ref, front->rx_gref);
	if (!error)
		error = write_key(front, "event-channel", keys->event_channel, front->port);
	if (!error)
		error = write_key(front, "request-rx-copy", keys->request_rx_copy, 1);
	if (!error && keys->queues)
		error = write_key(front, "multi-queue-num-queues", keys->queues, 1);
	if (!error)
		error = write_key(front, "feature-sg", keys->features, 1);
	if (!error)
		error = write_key(front, "feature-gso-tcpv4", keys->features, 1);
	if (!error)
		error = write_key(front, "feature-rx-notify", keys->features, 1);
	return error ? error : write_key(front, "state", NULL, keys->state);
}

void hostile_frontend_connect(void *argument)
{
	struct hostile_frontend *front = argument;

	front->error = wait_peer_state(front, XenbusStateInitWait);
	if (front->error)
		return;
	if (!front->tx)
		make_pages(front);
	reset_rings(front);
	make_grants(front);
	front->error = evtchn_alloc_unbound(front->backend_domid, event, front, &front->port);
	if (!front->error)
		front->error = write_keys(front);
	if (!front->error)
		front->error = wait_peer_state(front, XenbusStateConnected);
}

void hostile_frontend_release(void *argument)
{
	struct hostile_frontend *front = argument;

	if (!front->tx)
		return;
	evtchn_close(front->port);
	front->port = EVTCHN_NONE;
	(void)!gnttab_end_access(front->tx_gref);
	(void)!gnttab_end_access(front->rx_gref);
	for (int i = 0; i < HOSTILE_PAGES; i++) {
		if (i != HOSTILE_REVOKED)
			(void)!gnttab_end_access(front->grefs[i]);
	}
}

/* ---- the rings ---- */

void hostile_put_tx(struct hostile_frontend *front, const struct netif_tx_request *request)
{
	front->tx->ring[front->tx_next++ % HOSTILE_RING].req = *request;
}

void hostile_put_extra(struct hostile_frontend *front, const struct netif_extra_info *extra)
{
	void *slot = &front->tx->ring[front->tx_next++ % HOSTILE_RING];

	_Static_assert(sizeof(*extra) <= sizeof(union netif_tx_sring_entry), "extra in a slot");
	memcpy(slot, extra, sizeof(*extra));
}

void hostile_put_rx(struct hostile_frontend *front, uint16_t id, uint32_t gref)
{
	front->rx->ring[front->rx_next++ % HOSTILE_RING].req =
		(struct netif_rx_request){ .id = id, .gref = gref };
}

void hostile_jump(struct hostile_frontend *front, uint32_t tx_prod, uint32_t rx_prod)
{
	__atomic_store_n(&front->tx->req_prod, tx_prod, __ATOMIC_RELEASE);
	__atomic_store_n(&front->rx->req_prod, rx_prod, __ATOMIC_RELEASE);
	evtchn_notify(front->port);
}

void hostile_publish(struct hostile_frontend *front)
{
	hostile_jump(front, front->tx_next, front->rx_next);
}

void hostile_post_rx(struct hostile_frontend *front, uint32_t count)
{
	while (count--)
		hostile_put_rx(front, (uint16_t)(front->rx_next % HOSTILE_RING),
			       front->grefs[HOSTILE_WRITE]);
}

/* An Ethernet frame that says nothing in particular (type 0x88b5, for experiments). */
struct netif_tx_request hostile_good_tx(struct hostile_frontend *front, uint16_t size)
{
	uint8_t *frame = front->pages[HOSTILE_READ];

	memset(frame, 0x5a, PAGE_BYTES);
	memset(frame, 0xff, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	return (struct netif_tx_request){ .gref = front->grefs[HOSTILE_READ],
					  .id = (uint16_t)(front->tx_next % HOSTILE_RING),
					  .size = size };
}
