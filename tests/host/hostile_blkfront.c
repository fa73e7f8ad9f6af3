/* SPDX-License-Identifier: ISC */
/* A blkfront without manners. */
#include "tests/host/hostile_blkfront.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/store.h"

#define WAIT_NS 10000000000ull /* long enough for threads on a busy machine */
#define STEP_NS 1000000u
#define LAST_SECTOR (BLKIF_PAGE_BYTES / BLKIF_SECTOR_BYTES - 1)

void hostile_blkfront_init(struct hostile_blkfront *front, struct host_domain *domain,
			   const struct host_domain *backend, uint32_t devid)
{
	*front = (struct hostile_blkfront){
		.domain = domain,
		.backend_domid = host_domid(backend),
		.devid = devid,
		.keys = { .protocol = XEN_IO_PROTO_ABI_NATIVE, .state = XenbusStateInitialised },
	};
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it looks at answers when it is told to */
}

uint32_t hostile_blkfront_peer_state(const struct hostile_blkfront *front)
{
	char path[STORE_PATH_BYTES];
	uint64_t state;

	snprintf(path, sizeof(path), "/local/domain/%u/backend/vbd/%u/%u/state",
		 front->backend_domid, store_domid(), front->devid);
	return store_read_u64(0, path, &state) ? 0 : (uint32_t)state;
}

static int wait_peer_state(const struct hostile_blkfront *front, uint32_t state)
{
	uint64_t deadline = clock_now_ns() + WAIT_NS;

	while (hostile_blkfront_peer_state(front) != state) {
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

static void make_pages(struct hostile_blkfront *front)
{
	for (uint32_t i = 0; i < 1u << front->order; i++)
		front->ring.pages[i] = memory_alloc_pages(1);
	for (uint32_t i = 0; i < HOSTILE_BLK_PAGES; i++)
		front->pages[i] = memory_alloc_pages(1);
	for (uint32_t i = 0; i < HOSTILE_BLK_INDIRECT; i++)
		front->indirect[i] = memory_alloc_pages(1);
}

static void make_grants(struct hostile_blkfront *front)
{
	uint16_t backend = front->backend_domid;

	for (uint32_t i = 0; i < 1u << front->order; i++)
		front->ring_grefs[i] = grant(backend, front->ring.pages[i], false);
	for (uint32_t i = 0; i < HOSTILE_BLK_INDIRECT; i++)
		front->indirect_grefs[i] = grant(backend, front->indirect[i], true);
	for (uint32_t i = 0; i < HOSTILE_BLK_PAGES; i++)
		front->grefs[i] = grant(i == HOSTILE_BLK_FOREIGN ? 0 : backend, front->pages[i],
					i == HOSTILE_BLK_READONLY);
	if (gnttab_end_access(front->grefs[HOSTILE_BLK_REVOKED]))
		host_fatal("a fresh grant is busy");
}

void hostile_blkfront_prepare(struct hostile_blkfront *front)
{
	if (front->ring.pages[0])
		return;
	make_pages(front);
	make_grants(front);
}

void hostile_blkfront_reset(struct hostile_blkfront *front)
{
	front->ring.order = front->order;
	front->ring.slots = 32;
	while (sizeof(union blkif_slot) * 2 * front->ring.slots + BLKIF_RING_HEADER_BYTES <=
	       (size_t)BLKIF_PAGE_BYTES << front->order)
		front->ring.slots *= 2;
	for (uint32_t i = 0; i < 1u << front->order; i++)
		memset(front->ring.pages[i], 0, BLKIF_PAGE_BYTES);
	blkif_ring_shared(&front->ring)->req_event = 1;
	blkif_ring_shared(&front->ring)->rsp_event = 1;
	front->next = front->taken = 0;
}

static int write_key(const struct hostile_blkfront *front, const char *queue, const char *key,
		     const char *lie, uint32_t truth)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "device/vbd/%u/%s%s", front->devid, queue, key);
	if (!lie)
		return store_writef(0, path, "%u", truth);
	return lie[0] ? store_write(0, path, lie) : store_remove(0, path);
}

/* A node that is there only with a value. */
static int write_optional(const struct hostile_blkfront *front, const char *key, const char *value)
{
	int error = write_key(front, "", key, value ? value : "", 0);

	return error == -ENOENT ? 0 : error;
}

void hostile_blkfront_set_state(const struct hostile_blkfront *front, uint32_t state)
{
	(void)!write_key(front, "", "state", NULL, state);
}

static int write_ring(const struct hostile_blkfront *front, const char *queue, evtchn_port port)
{
	const struct hostile_blk_keys *keys = &front->keys;
	char key[24] = "ring-ref";
	int error = 0;

	for (uint32_t i = 0; i < 1u << front->order && !error; i++) {
		if (front->order || keys->ring_order)
			snprintf(key, sizeof(key), "ring-ref%u", i);
		error = write_key(front, queue, key, keys->ring_ref, front->ring_grefs[i]);
		error = error == -ENOENT ? 0 : error;
	}
	if (!error)
		error = write_key(front, queue, "event-channel", keys->event_channel, port);
	return error == -ENOENT ? 0 : error;
}

static int write_keys(const struct hostile_blkfront *front)
{
	const struct hostile_blk_keys *keys = &front->keys;
	int error = write_ring(front, keys->as_queues ? "queue-0/" : "", front->port);

	if (!error && keys->as_queues)
		error = write_ring(front, "queue-1/", front->other_port);
	if (!error && (front->order || keys->ring_order))
		error = write_key(front, "", "ring-page-order", keys->ring_order, front->order);
	if (!error)
		error = write_optional(front, "protocol", keys->protocol);
	if (!error)
		error = write_optional(front, "multi-queue-num-queues", keys->queues);
	if (!error)
		error = write_optional(front, "feature-persistent", keys->persistent);
	if (!error)
		error = write_optional(front, "feature-large-sector-size", keys->large_sectors);
	return error ? error : write_key(front, "", "state", NULL, keys->state);
}

static void ports_close(struct hostile_blkfront *front)
{
	evtchn_close(front->port);
	evtchn_close(front->other_port);
	front->port = front->other_port = EVTCHN_NONE;
}

void hostile_blkfront_connect(void *argument)
{
	struct hostile_blkfront *front = argument;

	front->error = wait_peer_state(front, XenbusStateInitWait);
	if (front->error)
		return;
	hostile_blkfront_prepare(front);
	hostile_blkfront_reset(front);
	ports_close(front);
	front->error = evtchn_alloc_unbound(front->backend_domid, event, front, &front->port);
	if (!front->error && front->keys.as_queues)
		front->error = evtchn_alloc_unbound(front->backend_domid, event, front,
						    &front->other_port);
	if (!front->error)
		front->error = write_keys(front);
	if (!front->error)
		front->error = wait_peer_state(front, XenbusStateConnected);
}

void hostile_blkfront_release(void *argument)
{
	struct hostile_blkfront *front = argument;

	if (!front->ring.pages[0])
		return;
	ports_close(front);
	for (uint32_t i = 0; i < BLKIF_RING_PAGES_MOST && front->ring.pages[i]; i++)
		(void)!gnttab_end_access(front->ring_grefs[i]);
	for (uint32_t i = 0; i < HOSTILE_BLK_INDIRECT; i++)
		(void)!gnttab_end_access(front->indirect_grefs[i]);
	for (uint32_t i = 0; i < HOSTILE_BLK_PAGES; i++) {
		if (i != HOSTILE_BLK_REVOKED)
			(void)!gnttab_end_access(front->grefs[i]);
	}
}

/* ---- requests ---- */

struct blkif_request hostile_blk_good(const struct hostile_blkfront *front, uint8_t operation,
				      uint64_t sector)
{
	struct blkif_request request = { .operation = operation,
					 .nr_segments = 1,
					 .handle = (uint16_t)front->devid,
					 .id = front->next,
					 .sector_number = sector };

	request.seg[0].gref = front->grefs[HOSTILE_BLK_DATA];
	request.seg[0].last_sect = LAST_SECTOR;
	return request;
}

struct blkif_request_segment *hostile_blk_segment(struct hostile_blkfront *front, uint32_t index)
{
	return (struct blkif_request_segment *)front->indirect[index / BLKIF_INDIRECT_PER_PAGE] +
	       index % BLKIF_INDIRECT_PER_PAGE;
}

struct blkif_request_indirect hostile_blk_good_indirect(struct hostile_blkfront *front,
							uint8_t operation, uint64_t sector,
							uint16_t segments)
{
	struct blkif_request_indirect request = { .operation = BLKIF_OP_INDIRECT,
						  .indirect_op = operation,
						  .nr_segments = segments,
						  .id = front->next,
						  .sector_number = sector,
						  .handle = (uint16_t)front->devid };

	for (uint32_t i = 0; i < HOSTILE_BLK_INDIRECT; i++)
		request.indirect_grefs[i] = front->indirect_grefs[i];
	for (uint32_t i = 0; i < segments && i < HOSTILE_BLK_INDIRECT * BLKIF_INDIRECT_PER_PAGE;
	     i++)
		*hostile_blk_segment(front, i) =
			(struct blkif_request_segment){ .gref = front->grefs[HOSTILE_BLK_DATA],
							.last_sect = LAST_SECTOR };
	return request;
}

/* ---- the ring ---- */

/* A slot may lie across two pages. */
static void copy_slot(const struct blkif_ring *ring, uint32_t index, uint8_t *slot, bool write)
{
	size_t at =
		BLKIF_RING_HEADER_BYTES + (index & (ring->slots - 1)) * sizeof(union blkif_slot);

	for (size_t i = 0; i < sizeof(union blkif_slot); i++, at++) {
		uint8_t *byte = &ring->pages[at / BLKIF_PAGE_BYTES][at % BLKIF_PAGE_BYTES];

		if (write)
			*byte = slot[i];
		else
			slot[i] = *byte;
	}
}

void hostile_blk_put(struct hostile_blkfront *front, const void *request, size_t bytes)
{
	uint8_t slot[sizeof(union blkif_slot)] = { 0 };

	memcpy(slot, request, bytes < sizeof(slot) ? bytes : sizeof(slot));
	copy_slot(&front->ring, front->next++, slot, true);
}

void hostile_blk_jump(struct hostile_blkfront *front, uint32_t req_prod)
{
	__atomic_store_n(&blkif_ring_shared(&front->ring)->req_prod, req_prod, __ATOMIC_RELEASE);
	evtchn_notify(front->port);
}

void hostile_blk_publish(struct hostile_blkfront *front)
{
	hostile_blk_jump(front, front->next);
}

bool hostile_blk_take(struct hostile_blkfront *front, union blkif_slot *answer)
{
	struct blkif_sring *shared = blkif_ring_shared(&front->ring);

	if (__atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE) == front->taken)
		return false;
	copy_slot(&front->ring, front->taken++, (uint8_t *)answer, false);
	return true;
}
