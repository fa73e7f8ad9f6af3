/* SPDX-License-Identifier: ISC */
/* A blkback without manners. */
#include "tests/host/hostile_blkback.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "lib/minmax.h"
#include "tests/host/internal.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define WAIT_NS 1000000000u
#define STEP_NS 1000000u

void hostile_blkback_init(struct hostile_blkback *back, struct host_domain *domain,
			  const struct host_domain *frontend, uint32_t devid)
{
	*back = (struct hostile_blkback){
		.domain = domain,
		.frontend_domid = host_domid(frontend),
		.devid = devid,
		.offer = { .flush = "1",
			   .max_indirect = "64",
			   .sectors = "2048",
			   .sector_size = "512",
			   .info = "0" },
	};
}

/* ---- the handshake ---- */

static void event(void *context)
{
	(void)context; /* it acts when it is told to */
}

static void write_own(const struct hostile_blkback *back, const char *key, const char *value)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "backend/vbd/%u/%u/%s", back->frontend_domid, back->devid,
		 key);
	if (value)
		(void)!store_write(0, path, value);
	else
		(void)!store_remove(0, path);
}

static uint64_t peer_number(const struct hostile_blkback *back, const char *key)
{
	char path[STORE_PATH_BYTES];
	uint64_t number;

	snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%u/%s", back->frontend_domid,
		 back->devid, key);
	return store_read_u64(0, path, &number) ? 0 : number;
}

void hostile_blkback_set_state(const struct hostile_blkback *back, uint32_t state)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", state);
	write_own(back, "state", text);
}

uint32_t hostile_blkback_peer_state(const struct hostile_blkback *back)
{
	return (uint32_t)peer_number(back, "state");
}

void hostile_blkback_offer(void *argument)
{
	struct hostile_blkback *back = argument;
	const struct hostile_blk_offer *offer = &back->offer;

	write_own(back, "feature-persistent", offer->persistent);
	write_own(back, "feature-flush-cache", offer->flush);
	write_own(back, "feature-barrier", offer->barrier);
	write_own(back, "feature-discard", offer->discard);
	write_own(back, "discard-granularity", offer->discard_granularity);
	write_own(back, "discard-alignment", offer->discard_alignment);
	write_own(back, "discard-secure", offer->discard_secure);
	write_own(back, "feature-max-indirect-segments", offer->max_indirect);
	write_own(back, "max-ring-page-order", offer->max_ring_order);
	write_own(back, "multi-queue-max-queues", offer->max_queues);
	hostile_blkback_set_state(back, XenbusStateInitWait);
}

void hostile_blkback_tell_disk(const struct hostile_blkback *back)
{
	const struct hostile_blk_offer *offer = &back->offer;

	write_own(back, "sector-size", offer->sector_size);
	write_own(back, "physical-sector-size", offer->physical_sector_size);
	write_own(back, "info", offer->info);
	write_own(back, "sectors", offer->sectors);
}

static int wait_frontend(const struct hostile_blkback *back)
{
	uint64_t deadline = clock_now_ns() + WAIT_NS;

	for (;;) {
		uint32_t state = hostile_blkback_peer_state(back);

		if (state == XenbusStateInitialised || state == XenbusStateConnected)
			return 0;
		if (clock_now_ns() >= deadline)
			return -ETIMEDOUT;
		fiber_sleep_until(clock_now_ns() + STEP_NS);
	}
}

/* The keys of the only queue, or of the first of several. */
static uint64_t ring_number(const struct hostile_blkback *back, const char *key)
{
	char path[64];
	uint64_t number = peer_number(back, key);

	snprintf(path, sizeof(path), "queue-0/%s", key);
	return number ? number : peer_number(back, path);
}

int hostile_blkback_take(struct hostile_blkback *back, uint32_t order, const uint32_t *grefs,
			 evtchn_port port)
{
	int error = 0;

	hostile_blkback_release(back);
	back->ring.order = order;
	back->ring.slots = 32;
	while (sizeof(union blkif_slot) * 2 * back->ring.slots + BLKIF_RING_HEADER_BYTES <=
	       (size_t)BLKIF_PAGE_BYTES << order)
		back->ring.slots *= 2;
	for (uint32_t i = 0; i < 1u << order && !error; i++) {
		error = gnttab_map(back->frontend_domid, grefs[i], false, &back->maps[i]);
		back->ring.pages[i] = back->maps[i].address;
	}
	if (!error)
		error = evtchn_bind_interdomain(back->frontend_domid, port, event, back,
						&back->port);
	if (error)
		hostile_blkback_release(back);
	return error;
}

int hostile_blkback_acquire(struct hostile_blkback *back)
{
	uint64_t order = peer_number(back, "ring-page-order");
	uint32_t grefs[BLKIF_RING_PAGES_MOST];
	char key[24] = "ring-ref";

	if (order > BLKIF_RING_ORDER_MOST)
		return -EINVAL;
	for (uint32_t i = 0; i < 1u << order; i++) {
		if (order)
			snprintf(key, sizeof(key), "ring-ref%u", i);
		grefs[i] = (uint32_t)ring_number(back, key);
	}
	return hostile_blkback_take(back, (uint32_t)order, grefs,
				    (evtchn_port)ring_number(back, "event-channel"));
}

void hostile_blkback_connect(void *argument)
{
	struct hostile_blkback *back = argument;

	back->error = wait_frontend(back);
	if (!back->error)
		back->error = hostile_blkback_acquire(back);
	if (back->error)
		return;
	hostile_blkback_tell_disk(back);
	hostile_blkback_set_state(back, XenbusStateConnected);
}

void hostile_blkback_remove(void *argument)
{
	const struct hostile_blkback *back = argument;
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "backend/vbd/%u/%u", back->frontend_domid, back->devid);
	(void)!store_remove(0, path);
}

void hostile_blkback_release(void *argument)
{
	struct hostile_blkback *back = argument;

	evtchn_close(back->port);
	back->port = EVTCHN_NONE;
	for (uint32_t i = 0; i < BLKIF_RING_PAGES_MOST; i++) {
		gnttab_unmap(&back->maps[i]);
		back->maps[i] = (struct gnttab_mapping){ 0 };
		back->ring.pages[i] = NULL;
	}
	back->answered = back->seen = 0;
}

/* ---- the ring ---- */

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

static uint32_t produced(const struct hostile_blkback *back)
{
	return __atomic_load_n(&blkif_ring_shared(&back->ring)->req_prod, __ATOMIC_ACQUIRE);
}

/* An answer overwrites a request, so all that are there are noted first. */
static void note(struct hostile_blkback *back)
{
	uint32_t count = produced(back) - back->seen;

	if (count > back->ring.slots)
		return;
	for (; count--; back->seen++)
		copy_slot(&back->ring, back->seen,
			  (uint8_t *)&back->requests[back->seen & (back->ring.slots - 1)], false);
}

uint32_t hostile_blkback_waiting(struct hostile_blkback *back)
{
	uint32_t count = produced(back) - back->answered;

	note(back);
	return count > back->ring.slots ? 0 : count;
}

const union blkif_slot *hostile_blkback_request(struct hostile_blkback *back, uint32_t ahead)
{
	note(back);
	return &back->requests[(back->answered + ahead) & (back->ring.slots - 1)];
}

uint64_t hostile_blkback_id(const union blkif_slot *request)
{
	return request->request.operation == BLKIF_OP_INDIRECT ? request->indirect.id
							       : request->request.id;
}

void hostile_blkback_answer(struct hostile_blkback *back, uint64_t id, uint8_t operation,
			    int16_t status)
{
	uint8_t slot[sizeof(union blkif_slot)] = { 0 };
	struct blkif_response response = { .id = id, .operation = operation, .status = status };

	note(back);
	memcpy(slot, &response, sizeof(response));
	copy_slot(&back->ring, back->answered++, slot, true);
}

void hostile_blkback_answer_to(struct hostile_blkback *back, const union blkif_slot *request,
			       int16_t status)
{
	hostile_blkback_answer(back, hostile_blkback_id(request), request->request.operation,
			       status);
}

void hostile_blkback_jump(struct hostile_blkback *back, uint32_t rsp_prod)
{
	struct blkif_sring *shared = blkif_ring_shared(&back->ring);

	__atomic_store_n(&shared->rsp_prod, rsp_prod, __ATOMIC_RELEASE);
	/* It asks to hear of the next request, or it would never be told. */
	shared->req_event = back->seen + 1;
	evtchn_notify(back->port);
}

void hostile_blkback_publish(struct hostile_blkback *back)
{
	hostile_blkback_jump(back, back->answered);
}

/* ---- data ---- */

static int copy_page(struct hostile_blkback *back, uint32_t gref, uint32_t offset, uint32_t length,
		     bool to_frontend)
{
	struct gnttab_copy op = { .len = (uint16_t)length,
				  .flags = to_frontend ? GNTCOPY_dest_gref : GNTCOPY_source_gref };
	uint64_t frame;

	if (!back->page)
		back->page = memory_alloc_pages(1);
	frame = memory_frame_of(back->page);
	op.source.offset = op.dest.offset = (uint16_t)offset;
	op.source.domid = to_frontend ? DOMID_SELF : back->frontend_domid;
	op.dest.domid = to_frontend ? back->frontend_domid : DOMID_SELF;
	if (to_frontend) {
		op.source.u.gmfn = frame;
		op.dest.u.ref = gref;
	} else {
		op.source.u.ref = gref;
		op.dest.u.gmfn = frame;
	}
	gnttab_copy(&op, 1);
	return op.status == GNTST_okay ? 0 : -EIO;
}

int hostile_blkback_peek(struct hostile_blkback *back, uint32_t gref)
{
	return copy_page(back, gref, 0, BLKIF_PAGE_BYTES, false);
}

uint32_t hostile_blkback_segments(struct hostile_blkback *back, const union blkif_slot *request,
				  struct blkif_request_segment *segments)
{
	bool indirect = request->request.operation == BLKIF_OP_INDIRECT;
	uint32_t count = indirect ? request->indirect.nr_segments : request->request.nr_segments;

	if (request->request.operation == BLKIF_OP_DISCARD)
		return 0;
	if (!indirect) {
		count = min32(count, BLKIF_MAX_SEGMENTS_PER_REQUEST);
		memcpy(segments, request->request.seg, count * sizeof(*segments));
		return count;
	}
	/* One page of them is all that is offered. */
	count = min32(count, HOSTILE_BLK_SEGMENTS_MOST);
	if (hostile_blkback_peek(back, request->indirect.indirect_grefs[0]))
		return 0;
	memcpy(segments, back->page, count * sizeof(*segments));
	return count;
}

uint64_t hostile_blkback_sector(const union blkif_slot *request)
{
	return request->request.operation == BLKIF_OP_INDIRECT ? request->indirect.sector_number
							       : request->request.sector_number;
}

bool hostile_blkback_writes(const union blkif_slot *request)
{
	uint8_t op = request->request.operation == BLKIF_OP_INDIRECT ? request->indirect.indirect_op
								     : request->request.operation;

	return op == BLKIF_OP_WRITE || op == BLKIF_OP_WRITE_BARRIER;
}

uint8_t hostile_blkback_byte(uint64_t sector, uint32_t offset)
{
	return (uint8_t)(sector * 31 + offset * 7 + 1);
}

static void fill(struct hostile_blkback *back, uint64_t sector,
		 const struct blkif_request_segment *segment)
{
	for (uint32_t i = segment->first_sect; i <= segment->last_sect; i++, sector++)
		for (uint32_t j = 0; j < BLKIF_SECTOR_BYTES; j++)
			back->page[i * BLKIF_SECTOR_BYTES + j] = hostile_blkback_byte(sector, j);
}

int hostile_blkback_move(struct hostile_blkback *back, const union blkif_slot *request)
{
	struct blkif_request_segment segments[HOSTILE_BLK_SEGMENTS_MOST];
	uint32_t count = hostile_blkback_segments(back, request, segments);
	uint64_t sector = hostile_blkback_sector(request);
	int error = 0;

	if (!back->page)
		back->page = memory_alloc_pages(1);
	for (uint32_t i = 0; i < count && !error; i++) {
		uint32_t first = segments[i].first_sect;
		uint32_t last = segments[i].last_sect;

		if (first > last || last >= BLKIF_PAGE_BYTES / BLKIF_SECTOR_BYTES)
			return -EIO;
		if (!hostile_blkback_writes(request))
			fill(back, sector, &segments[i]);
		error = copy_page(back, segments[i].gref, first * BLKIF_SECTOR_BYTES,
				  (last - first + 1) * BLKIF_SECTOR_BYTES,
				  !hostile_blkback_writes(request));
		sector += last - first + 1;
	}
	return error;
}

void hostile_blkback_serve(struct hostile_blkback *back)
{
	while (hostile_blkback_waiting(back)) {
		const union blkif_slot *request = hostile_blkback_request(back, 0);

		hostile_blkback_answer_to(back, request,
					  hostile_blkback_move(back, request) ? BLKIF_RSP_ERROR
									      : BLKIF_RSP_OKAY);
	}
	hostile_blkback_publish(back);
}
