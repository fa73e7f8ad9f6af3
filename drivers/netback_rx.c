/* SPDX-License-Identifier: ISC */
/*
 * From packets to a client's RX ring. Slots are reserved all or nothing, one grant
 * copy serves the whole vector, then the slots are answered in order with one notify.
 * What finds no slots waits in a short queue, and beyond that drops: a client that
 * posts no buffers costs nobody else anything.
 */
#include <errno.h>

#include "drivers/netback_internal.h"
#include "lib/frame_hash.h"

#define SLOTS_MAX 20u /* 65,553 bytes and an extra */
#define BATCH_SLOTS 96u
#define MAX_OPS (BATCH_SLOTS * 2u + PACKET_VECTOR_MAX * (PACKET_MAX_FRAGS + 1u))

struct sent_packet {
	struct netback_queue *queue;
	struct packet *packet;
	uint32_t first_slot; /* ring index */
	uint32_t slot_count;
	uint32_t first_op, op_count;
	uint32_t first_id; /* of the requests' ids in `ids` */
};

/* Scratch of one call; calls for different clients never overlap. */
static struct gnttab_copy ops[MAX_OPS];
static uint32_t op_count;
static struct sent_packet sent[PACKET_VECTOR_MAX];
static uint32_t sent_count;
static uint32_t slots_used;
static uint16_t ids[BATCH_SLOTS];

static uint32_t slots_needed(const struct packet *packet)
{
	return (packet->length + NETIF_PAGE_BYTES - 1) / NETIF_PAGE_BYTES +
	       (packet->gso_type ? 1 : 0);
}

/* Learns how many slots the client has posted. -EPROTO: broken. */
static int ring_refresh(struct netback_queue *queue)
{
	uint32_t produced = read_once(queue->rx->req_prod);

	read_barrier();
	return ring_advance(&queue->rx_ring, produced);
}

static int rings_refresh(struct netback_vif *vif)
{
	for (uint32_t i = 0; i < vif->queue_count; i++)
		if (ring_refresh(&vif->queues[i]))
			return -EPROTO;
	return 0;
}

/* A source of bytes: the head, then each fragment. */
struct cursor {
	const struct packet *packet;
	uint32_t next_frag;
	uint64_t frame;
	uint32_t offset;
	uint32_t left;
};

static void cursor_next(struct cursor *c)
{
	const struct packet_frag *frag = &c->packet->frags[c->next_frag++];

	c->frame = frag->page->frame;
	c->offset = frag->offset;
	c->left = frag->length;
}

static void slot_fill(const struct netback_vif *vif, struct cursor *c, grant_ref_t gref,
		      uint32_t bytes)
{
	uint32_t offset = 0;

	while (offset < bytes) {
		struct gnttab_copy *op = &ops[op_count++];
		uint32_t part = bytes - offset;

		if (c->left == 0)
			cursor_next(c);
		if (part > c->left)
			part = c->left;
		op->source.u.gmfn = c->frame;
		op->source.domid = DOMID_SELF;
		op->source.offset = (uint16_t)c->offset;
		op->dest.u.ref = gref;
		op->dest.domid = vif->client.domid;
		op->dest.offset = (uint16_t)offset;
		op->len = (uint16_t)part;
		op->flags = GNTCOPY_dest_gref;
		op->status = GNTST_general_error;
		c->offset += part;
		c->left -= part;
		offset += part;
	}
}

/* Plans the copies of one packet into the slots from index `first`. */
static void packet_plan(struct netback_queue *queue, struct packet *packet, uint32_t first,
			uint32_t slot_count)
{
	struct sent_packet *entry = &sent[sent_count++];
	struct cursor cursor = {
		.packet = packet,
		.frame = packet_head_frame(packet),
		.offset = packet_head_offset(packet),
		.left = packet->head_length,
	};
	uint32_t left = packet->length;

	*entry = (struct sent_packet){ .queue = queue,
				       .packet = packet,
				       .first_slot = first,
				       .slot_count = slot_count,
				       .first_op = op_count,
				       .first_id = slots_used };
	for (uint32_t i = 0; i < slot_count; i++) {
		uint32_t part = left < NETIF_PAGE_BYTES ? left : NETIF_PAGE_BYTES;
		struct netif_rx_request request;

		if (packet->gso_type && i == 1)
			continue; /* this slot carries the extra */
		netif_copy_out(&request, &queue->rx->ring[(first + i) & NETIF_SLOT_MASK].req,
			       sizeof(request));
		ids[slots_used + i] = request.id;
		slot_fill(queue->vif, &cursor, request.gref, part);
		left -= part;
	}
	entry->op_count = op_count - entry->first_op;
	slots_used += slot_count;
}

static int16_t packet_status(const struct sent_packet *entry)
{
	for (uint32_t i = 0; i < entry->op_count; i++)
		if (ops[entry->first_op + i].status != GNTST_okay)
			return NETIF_RSP_ERROR;
	return NETIF_RSP_OKAY;
}

static uint16_t first_flags(const struct packet *packet)
{
	uint16_t flags = 0;

	if (packet->flags & PACKET_CSUM_BLANK)
		flags |= NETRXF_csum_blank | NETRXF_data_validated;
	else if (packet->flags & PACKET_CSUM_VALID)
		flags |= NETRXF_data_validated;
	if (packet->gso_type)
		flags |= NETRXF_extra_info;
	return flags;
}

static void extra_write(struct netback_queue *queue, uint32_t index, const struct packet *packet)
{
	struct netif_extra_info extra = netif_gso_extra(packet);

	memcpy(&queue->rx->ring[index & NETIF_SLOT_MASK], &extra, sizeof(extra));
}

/* Each response lies in the slot of its request and carries that request's id. */
static void packet_answer(const struct sent_packet *entry)
{
	struct netback_queue *queue = entry->queue;
	const struct packet *packet = entry->packet;
	int16_t status = packet_status(entry);
	uint16_t flags = first_flags(packet);
	uint32_t left = packet->length;

	for (uint32_t i = 0; i < entry->slot_count; i++) {
		uint32_t index = entry->first_slot + i;
		uint32_t part = left < NETIF_PAGE_BYTES ? left : NETIF_PAGE_BYTES;
		struct netif_rx_response response = { 0 };

		if (packet->gso_type && i == 1) {
			extra_write(queue, index, packet);
			continue;
		}
		left -= part;
		response.id = ids[entry->first_id + i];
		response.flags = (uint16_t)(flags | (left ? NETRXF_more_data : 0));
		response.status = status == NETIF_RSP_OKAY ? (int16_t)part : status;
		queue->rx->ring[index & NETIF_SLOT_MASK].rsp = response;
		flags = 0;
	}
}

static void packet_account(const struct sent_packet *entry)
{
	struct netback_vif *vif = entry->queue->vif;

	if (packet_status(entry) != NETIF_RSP_OKAY) {
		vif->netdev.stats.tx_dropped++;
		packet_drop(entry->packet, DROP_COPY_FAILED);
		return;
	}
	vif->netdev.stats.tx_packets++;
	vif->netdev.stats.tx_bytes += entry->packet->length;
	packet_free(entry->packet);
}

/* Tells the client of what was answered on a queue, if anything was. */
static void queue_publish(struct netback_queue *queue)
{
	uint32_t old;
	uint32_t now = ring_publish(&queue->rx_ring, &old);

	if (old == now)
		return;
	write_barrier();
	write_once(queue->rx->rsp_prod, now);
	memory_barrier();
	if (ring_notify_needed(old, now, read_once(queue->rx->rsp_event)))
		evtchn_notify(queue->rx_port);
}

/* Copies and answers all that was planned, on any of the client's queues. */
static void batch_finish(struct netback_vif *vif)
{
	if (!sent_count)
		return;
	gnttab_copy(ops, op_count);
	for (uint32_t i = 0; i < sent_count; i++)
		packet_answer(&sent[i]);
	for (uint32_t i = 0; i < vif->queue_count; i++)
		queue_publish(&vif->queues[i]);
	for (uint32_t i = 0; i < sent_count; i++)
		packet_account(&sent[i]);
	sent_count = 0;
	op_count = 0;
	slots_used = 0;
}

/* 0: planned. -EAGAIN: no slots now. Other: it can never be sent. */
static int packet_send(struct netback_queue *queue, struct packet *packet)
{
	uint32_t count = slots_needed(packet);
	uint32_t first;
	int error;

	if (count > SLOTS_MAX)
		return -EMSGSIZE;
	if (sent_count == PACKET_VECTOR_MAX || slots_used + count > BATCH_SLOTS)
		batch_finish(queue->vif);
	error = ring_reserve(&queue->rx_ring, count, &first);
	if (error)
		return error;
	packet_plan(queue, packet, first, count);
	ring_commit(&queue->rx_ring);
	return 0;
}

static void packet_refuse(struct netback_vif *vif, struct packet *packet, enum drop_reason reason)
{
	vif->netdev.stats.tx_dropped++;
	packet_drop(packet, reason);
}

/* False: not for this client, or not in this form; consumed. */
static bool packet_is_welcome(struct netback_vif *vif, struct packet *packet)
{
	if (!netdev_can_send(&vif->netdev, packet)) {
		packet_refuse(vif, packet, DROP_NO_OFFLOAD);
		return false;
	}
	if (!netback_multicast_wants(&vif->multicast, packet)) {
		packet_refuse(vif, packet, DROP_MULTICAST);
		return false;
	}
	return true;
}

static uint32_t pages_of(const struct packet *packet)
{
	return packet->frag_count + 1u;
}

/*
 * Bounded for each client, however many queues it has, and in pages for all of them
 * together: clients that take nothing must not hold the pages that the uplink receives
 * into (XSA-392).
 */
static void packet_wait(struct netback_queue *queue, struct packet *packet)
{
	struct netback_vif *vif = queue->vif;

	if (vif->waiting_packets >= NETBACK_QUEUE_PACKETS ||
	    vif->waiting_bytes + packet->length > NETBACK_QUEUE_BYTES ||
	    netback.queued_pages + pages_of(packet) > netback.config.queue_pages) {
		packet_refuse(vif, packet, DROP_RING_FULL);
		return;
	}
	vif->waiting_packets++;
	vif->waiting_bytes += packet->length;
	netback.queued_pages += pages_of(packet);
	list_push_back(&queue->waiting, &packet->link);
}

static void packet_wait_no_more(struct netback_vif *vif, struct packet *packet)
{
	list_remove(&packet->link);
	vif->waiting_packets--;
	vif->waiting_bytes -= packet->length;
	netback.queued_pages -= pages_of(packet);
}

/* Sends what waits, from the front, for as long as there are slots. */
static void waiting_send(struct netback_queue *queue)
{
	while (!list_is_empty(&queue->waiting)) {
		struct packet *packet = list_entry(queue->waiting.next, struct packet, link);
		int error = packet_send(queue, packet);

		if (error == -EAGAIN)
			return;
		packet_wait_no_more(queue->vif, packet);
		if (error)
			packet_refuse(queue->vif, packet, DROP_TOO_BIG);
	}
}

static void packet_transmit(struct netback_vif *vif, struct packet *packet)
{
	struct netback_queue *queue = &vif->queues[frame_hash(packet, vif->queue_count)];
	int error = list_is_empty(&queue->waiting) ? packet_send(queue, packet) : -EAGAIN;

	if (error == -EAGAIN)
		packet_wait(queue, packet);
	else if (error)
		packet_refuse(vif, packet, DROP_TOO_BIG);
}

void netback_rx_transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct netback_vif *vif = netdev->driver;

	if (!vif->connected || vif->broken) {
		packet_vector_drop(vector, DROP_LINK_DOWN);
		return;
	}
	if (rings_refresh(vif)) {
		netback_vif_break(vif, "impossible RX index");
		packet_vector_drop(vector, DROP_LINK_DOWN);
		return;
	}
	for (uint32_t i = 0; i < vif->queue_count; i++)
		waiting_send(&vif->queues[i]);
	for (uint32_t i = 0; i < vector->count; i++)
		if (packet_is_welcome(vif, vector->packets[i]))
			packet_transmit(vif, vector->packets[i]);
	vector->count = 0;
	batch_finish(vif);
	for (uint32_t i = 0; i < vif->queue_count; i++)
		if (netback_rx_arm(&vif->queues[i]))
			loop_schedule(&vif->queues[i].source);
}

void netback_rx_look(struct netback_queue *queue)
{
	if (ring_refresh(queue))
		netback_vif_break(queue->vif, "impossible RX index");
}

void netback_rx_poll(struct netback_queue *queue)
{
	if (list_is_empty(&queue->waiting))
		return;
	netback_rx_look(queue);
	if (queue->vif->broken)
		return;
	waiting_send(queue);
	batch_finish(queue->vif);
}

/* An event is wanted only while packets wait. */
bool netback_rx_arm(struct netback_queue *queue)
{
	if (list_is_empty(&queue->waiting))
		return false;
	write_once(queue->rx->req_event, queue->rx_ring.limit + 1);
	memory_barrier();
	return read_once(queue->rx->req_prod) != queue->rx_ring.limit;
}

void netback_rx_purge(struct netback_queue *queue)
{
	while (!list_is_empty(&queue->waiting)) {
		struct packet *packet = list_entry(queue->waiting.next, struct packet, link);

		packet_wait_no_more(queue->vif, packet);
		packet_refuse(queue->vif, packet, DROP_DETACHED);
	}
}
