/* SPDX-License-Identifier: ISC */
/* A netback without manners. */
#include "tests/host/hostile_backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define WAIT_NS 1000000000u
#define STEP_NS 1000000u

void hostile_backend_init(struct hostile_backend *back, struct host_domain *domain,
			  const struct host_domain *frontend, uint32_t devid)
{
	*back = (struct hostile_backend){ .domain = domain,
					  .frontend_domid = host_domid(frontend),
					  .devid = devid };
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it acts when it is told to */
}

static void own_path(const struct hostile_backend *back, const char *key, char *to)
{
	snprintf(to, STORE_PATH_BYTES, "backend/vif/%u/%u/%s", back->frontend_domid, back->devid,
		 key);
}

static uint64_t peer_number(const struct hostile_backend *back, const char *key)
{
	char path[STORE_PATH_BYTES];
	uint64_t number;

	snprintf(path, sizeof(path), "/local/domain/%u/device/vif/%u/%s", back->frontend_domid,
		 back->devid, key);
	return store_read_u64(0, path, &number) ? 0 : number;
}

static uint32_t queue_number(const struct hostile_backend *back, const char *key)
{
	char path[48];

	snprintf(path, sizeof(path), "%s%s", back->queue ? back->queue : "", key);
	return (uint32_t)peer_number(back, path);
}

void hostile_backend_set_state(const struct hostile_backend *back, uint32_t state)
{
	char path[STORE_PATH_BYTES];

	own_path(back, "state", path);
	(void)!store_writef(0, path, "%u", state);
}

uint32_t hostile_backend_peer_state(const struct hostile_backend *back)
{
	return (uint32_t)peer_number(back, "state");
}

void hostile_backend_offer(void *argument)
{
	static const char *const features[] = { "feature-sg", "feature-gso-tcpv4",
						"feature-gso-tcpv6", "feature-rx-copy",
						"feature-ipv6-csum-offload" };
	struct hostile_backend *back = argument;
	char path[STORE_PATH_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		own_path(back, features[i], path);
		(void)!store_write(0, path, back->features ? back->features : "1");
	}
	own_path(back, "multi-queue-max-queues", path);
	if (back->max_queues)
		(void)!store_write(0, path, back->max_queues);
	hostile_backend_set_state(back, XenbusStateInitWait);
}

static int wait_frontend(const struct hostile_backend *back)
{
	uint64_t deadline = clock_now_ns() + WAIT_NS;

	for (;;) {
		uint32_t state = hostile_backend_peer_state(back);

		if (state == XenbusStateInitialised || state == XenbusStateConnected)
			return 0;
		if (clock_now_ns() >= deadline)
			return -ETIMEDOUT;
		fiber_sleep_until(clock_now_ns() + STEP_NS);
	}
}

/* Split event channels are not offered, so there is one port. */
void hostile_backend_connect(void *argument)
{
	struct hostile_backend *back = argument;
	uint16_t domid = back->frontend_domid;

	back->error = wait_frontend(back);
	if (!back->error)
		back->error =
			gnttab_map(domid, queue_number(back, "tx-ring-ref"), false, &back->tx_map);
	if (!back->error)
		back->error =
			gnttab_map(domid, queue_number(back, "rx-ring-ref"), false, &back->rx_map);
	if (!back->error)
		back->error = evtchn_bind_interdomain(domid, queue_number(back, "event-channel"),
						      event, back, &back->port);
	if (back->error)
		return;
	back->tx = back->tx_map.address;
	back->rx = back->rx_map.address;
	back->tx_answered = back->rx_answered = back->tx_seen = 0;
	back->tx_in_extras = false;
	hostile_backend_set_state(back, XenbusStateConnected);
}

void hostile_backend_remove(void *argument)
{
	const struct hostile_backend *back = argument;
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "backend/vif/%u/%u", back->frontend_domid, back->devid);
	(void)!store_remove(0, path);
}

void hostile_backend_release(void *argument)
{
	struct hostile_backend *back = argument;

	evtchn_close(back->port);
	back->port = EVTCHN_NONE;
	gnttab_unmap(&back->tx_map);
	gnttab_unmap(&back->rx_map);
	back->tx = NULL;
	back->rx = NULL;
}

/* ---- the rings ---- */

static uint32_t waiting(const uint32_t *req_prod, uint32_t answered)
{
	uint32_t count = __atomic_load_n(req_prod, __ATOMIC_ACQUIRE) - answered;

	return count > HOSTILE_RING ? 0 : count;
}

uint32_t hostile_tx_waiting(const struct hostile_backend *back)
{
	return waiting(&back->tx->req_prod, back->tx_answered);
}

uint32_t hostile_rx_waiting(const struct hostile_backend *back)
{
	return waiting(&back->rx->req_prod, back->rx_answered);
}

struct netif_tx_request hostile_tx_request(const struct hostile_backend *back, uint32_t ahead)
{
	return back->tx->ring[(back->tx_answered + ahead) % HOSTILE_RING].req;
}

/* An answer overwrites its request, so all that are there are noted first, in order. */
static void tx_note(struct hostile_backend *back)
{
	uint32_t produced = __atomic_load_n(&back->tx->req_prod, __ATOMIC_ACQUIRE);

	for (; back->tx_seen != produced; back->tx_seen++) {
		const union netif_tx_sring_entry *slot =
			&back->tx->ring[back->tx_seen % HOSTILE_RING];
		struct netif_extra_info extra;

		memcpy(&extra, slot, sizeof(extra));
		if (back->tx_in_extras) {
			back->tx_ids[back->tx_seen % HOSTILE_RING] = HOSTILE_NO_ID;
			back->tx_in_extras = extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
		} else {
			back->tx_ids[back->tx_seen % HOSTILE_RING] = slot->req.id;
			back->tx_in_extras = slot->req.flags & NETTXF_extra_info;
		}
	}
}

uint32_t hostile_tx_id(struct hostile_backend *back, uint32_t ahead)
{
	tx_note(back);
	return back->tx_ids[(back->tx_answered + ahead) % HOSTILE_RING];
}

struct netif_rx_request hostile_rx_request(const struct hostile_backend *back, uint32_t ahead)
{
	return back->rx->ring[(back->rx_answered + ahead) % HOSTILE_RING].req;
}

void hostile_answer_tx(struct hostile_backend *back, uint32_t id, int16_t status)
{
	struct netif_tx_response response = { .id = (uint16_t)id, .status = status };

	tx_note(back);
	if (id == HOSTILE_NO_ID)
		response.status = NETIF_RSP_NULL;
	back->tx->ring[back->tx_answered++ % HOSTILE_RING].rsp = response;
}

void hostile_answer_rx(struct hostile_backend *back, const struct netif_rx_response *response)
{
	back->rx->ring[back->rx_answered++ % HOSTILE_RING].rsp = *response;
}

void hostile_answer_rx_extra(struct hostile_backend *back, const struct netif_extra_info *extra)
{
	void *slot = &back->rx->ring[back->rx_answered++ % HOSTILE_RING];

	memcpy(slot, extra, sizeof(*extra));
}

void hostile_backend_jump(struct hostile_backend *back, uint32_t tx_prod, uint32_t rx_prod)
{
	__atomic_store_n(&back->tx->rsp_prod, tx_prod, __ATOMIC_RELEASE);
	__atomic_store_n(&back->rx->rsp_prod, rx_prod, __ATOMIC_RELEASE);
	/* A backend asks to hear of the next request, or it would never be told. */
	back->tx->req_event = back->tx_answered + 1;
	back->rx->req_event = back->rx_answered + 1;
	evtchn_notify(back->port);
}

void hostile_backend_publish(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered, back->rx_answered);
}

void hostile_backend_drain(struct hostile_backend *back)
{
	while (hostile_tx_waiting(back))
		hostile_answer_tx(back, hostile_tx_id(back, 0), NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

int hostile_deliver(struct hostile_backend *back, uint16_t size, uint16_t flags)
{
	struct netif_rx_request request;
	struct gnttab_copy op = { .len = size, .flags = GNTCOPY_dest_gref };

	if (!hostile_rx_waiting(back))
		return -EAGAIN;
	request = hostile_rx_request(back, 0);
	if (!back->page)
		back->page = memory_alloc_pages(1);
	memset(back->page, 0xa5, PAGE_BYTES);
	op.source.u.gmfn = memory_frame_of(back->page);
	op.source.domid = DOMID_SELF;
	op.dest.u.ref = request.gref;
	op.dest.domid = back->frontend_domid;
	gnttab_copy(&op, 1);
	hostile_answer_rx(back, &(struct netif_rx_response){ .id = request.id,
							     .flags = flags,
							     .status = (int16_t)size });
	return op.status == GNTST_okay ? 0 : -EIO;
}
