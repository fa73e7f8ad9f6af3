/* SPDX-License-Identifier: ISC */
/*
 * Packets to the uplink's TX ring. Pages of class UPLINK_READ have a standing grant
 * and are sent as they are; anything else is copied into such pages first. A slot's
 * id is free, or names the packet under way: a response for a free id, or one more
 * response without an id than we sent extras, breaks the interface. So there is always
 * a free id where the ring has a free slot.
 */
#include <errno.h>
#include <string.h>

#include "drivers/netfront_internal.h"

#define NO_ID UINT16_MAX

void netfront_tx_init(struct netfront *front)
{
	struct netfront_tx *tx = &front->tx;

	tx->shared = (struct netif_tx_sring *)(void *)tx->page->data;
	memset(tx->shared, 0, NETIF_PAGE_BYTES);
	tx->shared->req_event = 1;
	tx->shared->rsp_event = 1;
	ring_producer_init(&tx->ring, NETIF_TX_SLOTS, 0);
	if (ring_advance(&tx->ring, NETIF_TX_SLOTS))
		netfront_break(front, "cannot open its ring");
	tx->consumed = 0;
	for (uint32_t i = 0; i < NETIF_TX_SLOTS; i++)
		tx->slots[i] = (struct netfront_tx_slot){
			.next_free = (uint16_t)(i + 1 < NETIF_TX_SLOTS ? i + 1 : NO_ID)
		};
	tx->first_free = 0;
	tx->extras = 0;
}

static uint16_t id_take(struct netfront_tx *tx)
{
	uint16_t id = tx->first_free;

	tx->first_free = tx->slots[id].next_free;
	return id;
}

static bool page_is_sendable(const struct iopage *page)
{
	return page && page->class == IOPAGE_UPLINK_READ && page->gref != IOPAGE_NO_GREF;
}

static bool packet_is_sendable(const struct packet *packet)
{
	if (!page_is_sendable(packet->head_page))
		return false;
	for (uint32_t i = 0; i < packet->frag_count; i++)
		if (!page_is_sendable(packet->frags[i].page))
			return false;
	return true;
}

/* A copy of `packet` in UPLINK_READ pages; consumes it. NULL: no memory, dropped. */
static struct packet *packet_to_sendable(struct packet *packet)
{
	struct packet *copy = packet_alloc_page(packet->pool, IOPAGE_UPLINK_READ);
	uint32_t done = 0;

	if (!copy)
		goto no_memory;
	while (done < packet->length) {
		uint32_t room = done ? IOPAGE_SIZE : IOPAGE_SIZE - PACKET_HEADROOM;
		uint32_t part = packet->length - done < room ? packet->length - done : room;
		struct iopage *page = done ? iopage_alloc(packet->pool->pages, IOPAGE_UPLINK_READ)
					   : copy->head_page;

		if (!page)
			goto no_memory;
		if (packet_copy_out(packet, done, done ? page->data : copy->data, part) ||
		    (done && packet_add_frag(copy, page, 0, (uint16_t)part))) {
			if (done)
				iopage_free(page);
			goto no_memory;
		}
		if (!done) {
			copy->head_length = (uint16_t)part;
			copy->length = part;
		}
		done += part;
	}
	copy->flags = packet->flags;
	copy->gso_type = packet->gso_type;
	copy->gso_size = packet->gso_size;
	copy->in = packet->in;
	packet_free(packet);
	return copy;
no_memory:
	packet_free(copy);
	packet_drop(packet, DROP_NO_MEMORY);
	return NULL;
}

static void slot_write(struct netfront_tx *tx, uint32_t index, struct packet *packet,
		       const struct iopage *page, struct netif_tx_request request)
{
	uint16_t id = id_take(tx);

	tx->slots[id].packet = packet;
	packet->slots_under_way++;
	request.gref = page->gref;
	request.id = id;
	tx->shared->ring[index & NETIF_SLOT_MASK].req = request;
}

static void extra_write(struct netfront_tx *tx, uint32_t index, const struct packet *packet)
{
	struct netif_extra_info extra = netif_gso_extra(packet);

	memcpy(&tx->shared->ring[index & NETIF_SLOT_MASK], &extra, sizeof(extra));
	tx->extras++;
}

static uint16_t first_flags(const struct packet *packet)
{
	uint16_t flags = 0;

	if (packet->flags & PACKET_CSUM_BLANK)
		flags |= NETTXF_csum_blank | NETTXF_data_validated;
	else if (packet->flags & PACKET_CSUM_VALID)
		flags |= NETTXF_data_validated;
	if (packet->gso_type)
		flags |= NETTXF_extra_info;
	if (packet->frag_count)
		flags |= NETTXF_more_data;
	return flags;
}

/* Fills the reserved slots from `index`. The first slot's size is the whole packet's. */
static void packet_write(struct netfront_tx *tx, uint32_t index, struct packet *packet)
{
	struct netif_tx_request request = { .offset = packet_head_offset(packet),
					    .flags = first_flags(packet),
					    .size = (uint16_t)packet->length };

	packet->slots_under_way = 0;
	slot_write(tx, index++, packet, packet->head_page, request);
	if (packet->gso_type)
		extra_write(tx, index++, packet);
	for (uint32_t i = 0; i < packet->frag_count; i++) {
		request.offset = packet->frags[i].offset;
		request.size = packet->frags[i].length;
		request.flags = i + 1 < packet->frag_count ? NETTXF_more_data : 0;
		slot_write(tx, index++, packet, packet->frags[i].page, request);
	}
}

/* 0; -EAGAIN: no slots now; -EMSGSIZE: no backend takes this. */
static int packet_send(struct netfront *front, struct packet *packet)
{
	uint32_t count = 1 + packet->frag_count + (packet->gso_type ? 1 : 0);
	uint32_t index;
	int error;

	if (packet->length > UINT16_MAX || 1u + packet->frag_count > NETIF_LEGAL_SLOTS)
		return -EMSGSIZE;
	error = ring_reserve(&front->tx.ring, count, &index);
	if (error)
		return error;
	packet_write(&front->tx, index, packet);
	ring_commit(&front->tx.ring);
	front->netdev.stats.tx_packets++;
	front->netdev.stats.tx_bytes += packet->length;
	return 0;
}

static void packet_refuse(struct netfront *front, struct packet *packet, enum drop_reason reason)
{
	front->netdev.stats.tx_dropped++;
	packet_drop(packet, reason);
}

static void publish(struct netfront *front)
{
	uint32_t old;
	uint32_t now = ring_publish(&front->tx.ring, &old);

	if (old == now)
		return;
	write_barrier();
	write_once(front->tx.shared->req_prod, now);
	memory_barrier();
	if (ring_notify_needed(old, now, read_once(front->tx.shared->req_event)))
		evtchn_notify(front->tx_port);
}

static void queue_send(struct netfront *front)
{
	struct netfront_tx *tx = &front->tx;

	while (!list_is_empty(&tx->queue)) {
		struct packet *packet = list_entry(tx->queue.next, struct packet, link);
		int error = packet_send(front, packet);

		if (error == -EAGAIN)
			return;
		list_remove(&packet->link);
		tx->queue_packets--;
		if (error)
			packet_refuse(front, packet, DROP_TOO_BIG);
	}
}

static void packet_queue(struct netfront *front, struct packet *packet)
{
	if (front->tx.queue_packets >= NETFRONT_QUEUE_PACKETS) {
		packet_refuse(front, packet, DROP_RING_FULL);
		return;
	}
	front->tx.queue_packets++;
	list_push_back(&front->tx.queue, &packet->link);
}

/* Frees an id and, with the packet's last one, the packet. */
static int slot_answered(struct netfront_tx *tx, uint16_t id)
{
	struct netfront_tx_slot *slot;
	struct packet *packet;

	if (id >= NETIF_TX_SLOTS || !tx->slots[id].packet)
		return -EPROTO;
	slot = &tx->slots[id];
	packet = slot->packet;
	slot->packet = NULL;
	slot->next_free = tx->first_free;
	tx->first_free = id;
	if (--packet->slots_under_way == 0)
		packet_free(packet);
	return 0;
}

static int extra_answered(struct netfront_tx *tx)
{
	if (!tx->extras)
		return -EPROTO;
	tx->extras--;
	return 0;
}

static int response_take(struct netfront_tx *tx, const struct netif_tx_response *response)
{
	if (response->status == NETIF_RSP_NULL)
		return extra_answered(tx);
	return slot_answered(tx, response->id);
}

/* Takes the backend's answers and opens the slots for new packets. */
static void responses_take(struct netfront *front)
{
	struct netfront_tx *tx = &front->tx;
	int64_t waiting = ring_pending(read_once(tx->shared->rsp_prod), tx->consumed,
				       tx->ring.published - tx->consumed);

	read_barrier();
	for (; waiting > 0; waiting--) {
		struct netif_tx_response response;

		netif_copy_out(&response, &tx->shared->ring[tx->consumed & NETIF_SLOT_MASK].rsp,
			       sizeof(response));
		tx->consumed++;
		if (response_take(tx, &response))
			waiting = -EPROTO;
	}
	if (waiting < 0 || ring_advance(&tx->ring, tx->consumed + NETIF_TX_SLOTS))
		netfront_break(front, "impossible TX responses");
}

void netfront_tx_transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct netfront *front = netdev->driver;

	if (!front->connected || front->broken) {
		packet_vector_drop(vector, DROP_LINK_DOWN);
		return;
	}
	responses_take(front);
	if (!front->broken)
		queue_send(front);
	for (uint32_t i = 0; i < vector->count; i++) {
		struct packet *packet = vector->packets[i];
		int error;

		if (!netdev_can_send(netdev, packet)) {
			packet_refuse(front, packet, DROP_NO_OFFLOAD);
			continue;
		}
		if (!packet_is_sendable(packet))
			packet = packet_to_sendable(packet);
		if (!packet)
			continue;
		error = list_is_empty(&front->tx.queue) ? packet_send(front, packet) : -EAGAIN;
		if (error == -EAGAIN)
			packet_queue(front, packet);
		else if (error)
			packet_refuse(front, packet, DROP_TOO_BIG);
	}
	vector->count = 0;
	publish(front);
	if (netfront_tx_arm(front))
		loop_schedule(&front->source);
}

void netfront_tx_poll(struct netfront *front)
{
	responses_take(front);
	if (front->broken)
		return;
	queue_send(front);
	publish(front);
}

bool netfront_tx_arm(struct netfront *front)
{
	struct netfront_tx *tx = &front->tx;
	uint32_t under_way = tx->ring.published - tx->consumed;

	write_once(tx->shared->rsp_event, tx->consumed + (under_way >> 1) + 1);
	memory_barrier();
	return under_way && read_once(tx->shared->rsp_prod) - tx->consumed > under_way >> 1;
}

void netfront_tx_purge(struct netfront *front)
{
	struct netfront_tx *tx = &front->tx;
	struct list *link;

	while ((link = list_pop_front(&tx->queue)))
		packet_refuse(front, list_entry(link, struct packet, link), DROP_DETACHED);
	tx->queue_packets = 0;
	for (uint32_t id = 0; id < NETIF_TX_SLOTS; id++)
		if (tx->slots[id].packet && slot_answered(tx, (uint16_t)id))
			return;
}
