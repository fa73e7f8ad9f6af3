/* SPDX-License-Identifier: ISC */
/*
 * From the uplink's RX ring to packets. The backend may write a posted page at any
 * time, also now, so the first bytes are copied to the packet's private head, and
 * only those are ever looked at; the rest travels as fragments that the hypervisor
 * copies onwards. A page goes home when its packet is freed, and is posted again.
 */
#include <errno.h>
#include <string.h>

#include "drivers/netfront_internal.h"

#define MIN_FRAME_BYTES 14u

/* One packet's responses as the backend wrote them. */
struct chain {
	struct netif_rx_response slots[NETIF_LEGAL_SLOTS];
	uint32_t index[NETIF_LEGAL_SLOTS]; /* ring index of each */
	uint32_t slot_count;
	uint32_t ring_slots; /* with extras */
	uint16_t gso_size;
	uint8_t gso_type;
	bool bad; /* to be dropped: an error status, a wrong size, a wrong extra */
};

void netfront_rx_init(struct netfront_queue *queue)
{
	struct netfront_rx *rx = &queue->rx;

	rx->shared = (struct netif_rx_sring *)(void *)rx->page->data;
	memset(rx->shared, 0, NETIF_PAGE_BYTES);
	rx->shared->req_event = 1;
	rx->shared->rsp_event = 1;
	rx->produced = 0;
	rx->consumed = 0;
	rx->seen = 0;
	rx->furthest = 0;
	memset(rx->posted, 0, sizeof(rx->posted));
}

/* A page belongs to the same queue for as long as the number of queues is the same. */
struct netfront_queue *netfront_rx_queue_of(struct netfront *front, const struct iopage *page)
{
	return &front->queues[page->tag % front->queue_count];
}

static void idle_add(struct netfront_queue *queue, struct iopage *page)
{
	list_push_back(&queue->rx.idle, &page->link);
	queue->rx.idle_count++;
}

static struct iopage *idle_take(struct netfront_queue *queue)
{
	struct list *link = list_pop_front(&queue->rx.idle);

	if (!link)
		return NULL;
	queue->rx.idle_count--;
	return list_entry(link, struct iopage, link);
}

/* Anew, for what a backend keeps may have been the pages of one queue. */
static void pages_number(struct netfront *front)
{
	uint16_t number = 0;

	for (uint32_t i = 0; i < front->config.rx_pages; i++)
		if (front->rx_pages[i])
			front->rx_pages[i]->tag = number++;
}

void netfront_rx_share_out(struct netfront *front, uint32_t queue_count)
{
	struct list all;

	list_init(&all);
	for (uint32_t i = 0; i < front->config.max_queues; i++) {
		struct iopage *page;

		while ((page = idle_take(&front->queues[i])))
			list_push_back(&all, &page->link);
	}
	front->queue_count = queue_count;
	pages_number(front);
	while (!list_is_empty(&all)) {
		struct iopage *page = list_entry(list_pop_front(&all), struct iopage, link);

		idle_add(netfront_rx_queue_of(front, page), page);
	}
}

void netfront_rx_page_home(struct iopage *page, void *context)
{
	struct netfront *front = context;
	struct netfront_queue *queue = netfront_rx_queue_of(front, page);

	idle_add(queue, page);
	/*
	 * A backend that waits for more slots than are posted answers nothing, so no event
	 * would ever come: post as soon as the ring may be too short for its next packet.
	 */
	if (front->connected && queue->rx.produced - queue->rx.consumed < NETIF_FATAL_SLOTS)
		loop_schedule(&queue->source);
}

void netfront_rx_refill(struct netfront_queue *queue)
{
	struct netfront_rx *rx = &queue->rx;
	uint32_t old = rx->produced;
	struct iopage *page;

	while (rx->produced - rx->consumed < NETIF_RX_SLOTS && (page = idle_take(queue))) {
		uint32_t slot = rx->produced & NETIF_SLOT_MASK;
		struct netif_rx_request request = { .id = (uint16_t)slot, .gref = page->gref };

		rx->posted[slot] = page;
		rx->shared->ring[slot].req = request;
		rx->produced++;
	}
	if (rx->produced == old)
		return;
	write_barrier();
	write_once(rx->shared->req_prod, rx->produced);
	memory_barrier();
	if (ring_notify_needed(old, rx->produced, read_once(rx->shared->req_event)))
		evtchn_notify(queue->rx_port);
}

static void slot_read(const struct netfront_rx *rx, uint32_t index, union netif_rx_slot *slot)
{
	netif_copy_out(slot, &rx->shared->ring[index & NETIF_SLOT_MASK], sizeof(*slot));
}

/* 0; -EAGAIN: not all of it is there yet; -EPROTO: it never can be. */
static int extras_read(const struct netfront_rx *rx, uint32_t available, struct chain *chain)
{
	union netif_rx_slot slot;

	do {
		if (chain->ring_slots > XEN_NETIF_EXTRA_TYPE_MAX)
			return -EPROTO;
		if (chain->ring_slots == available)
			return -EAGAIN;
		slot_read(rx, rx->consumed + chain->ring_slots++, &slot);
		if (chain->gso_type)
			chain->bad = true;
		chain->gso_type = netif_gso_type(&slot.extra);
		chain->gso_size = slot.extra.u.gso.size;
		if (!chain->gso_type)
			chain->bad = true;
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

static int chain_read(const struct netfront_rx *rx, uint32_t available, struct chain *chain)
{
	union netif_rx_slot slot;

	chain->slot_count = 0;
	chain->ring_slots = 0;
	chain->gso_type = PACKET_GSO_NONE;
	chain->bad = false;
	do {
		uint32_t index = rx->consumed + chain->ring_slots;

		if (chain->slot_count == NETIF_LEGAL_SLOTS)
			return -EPROTO;
		if (chain->ring_slots == available)
			return -EAGAIN;
		slot_read(rx, index, &slot);
		chain->ring_slots++;
		if (slot.response.id != (index & NETIF_SLOT_MASK))
			return -EPROTO;
		if (slot.response.status <= 0 ||
		    (uint32_t)slot.response.offset + (uint32_t)slot.response.status >
			    NETIF_PAGE_BYTES)
			chain->bad = true;
		chain->index[chain->slot_count] = index;
		chain->slots[chain->slot_count++] = slot.response;
		if ((slot.response.flags & NETRXF_extra_info) && chain->slot_count == 1) {
			int error = extras_read(rx, available, chain);

			if (error)
				return error;
		}
	} while (slot.response.flags & NETRXF_more_data);
	return 0;
}

static struct iopage *page_take(struct netfront_rx *rx, uint32_t index)
{
	struct iopage *page = rx->posted[index & NETIF_SLOT_MASK];

	rx->posted[index & NETIF_SLOT_MASK] = NULL;
	return page;
}

/*
 * One slot's bytes: a private copy for as long as the head has room, also when the
 * backend spreads the headers over several slots, and the rest as a fragment.
 */
static int bytes_add(struct packet *packet, struct iopage *page,
		     const struct netif_rx_response *response)
{
	uint32_t room = packet->frag_count ? 0 : NETFRONT_HEAD_BYTES - packet->head_length;
	uint32_t bytes = (uint32_t)response->status;
	uint32_t head = bytes < room ? bytes : room;

	memcpy(packet->data + packet->head_length, page->data + response->offset, head);
	packet->head_length = (uint16_t)(packet->head_length + head);
	packet->length += head;
	if (bytes == head) {
		iopage_free(page);
		return 0;
	}
	return packet_add_frag(packet, page, (uint16_t)(response->offset + head),
			       (uint16_t)(bytes - head));
}

static void flags_set(struct packet *packet, const struct chain *chain)
{
	uint16_t flags = chain->slots[0].flags;

	if (flags & NETRXF_csum_blank)
		packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
	if (flags & NETRXF_data_validated)
		packet->flags |= PACKET_CSUM_VALID;
	if (chain->gso_type) {
		packet->gso_type = chain->gso_type;
		packet->gso_size = chain->gso_size;
	}
}

/* Takes the chain's pages off the ring; they belong to the packet or go home. */
static struct packet *chain_to_packet(struct netfront_queue *queue, const struct chain *chain)
{
	struct netfront *front = queue->front;
	struct packet_pool *pool = front->config.packets;
	struct packet *packet = chain->bad ? NULL : packet_alloc(pool);
	enum drop_reason reason = chain->bad ? DROP_PEER_STATUS : DROP_NO_MEMORY;

	for (uint32_t i = 0; i < chain->ring_slots; i++) {
		uint32_t index = queue->rx.consumed + i;
		struct iopage *page = page_take(&queue->rx, index);
		uint32_t n = 0;
		int error = -EINVAL;

		while (n < chain->slot_count && chain->index[n] != index)
			n++;
		if (packet && n < chain->slot_count)
			error = bytes_add(packet, page, &chain->slots[n]);
		else if (packet)
			error = 1; /* an extra's slot: its page carries nothing */
		if (error)
			iopage_free(page);
		if (error < 0 && packet) {
			packet_free(packet);
			packet = NULL;
			reason = DROP_BAD_SLOTS;
		}
	}
	if (packet && (packet->length < MIN_FRAME_BYTES || packet->length > PACKET_MAX_BYTES)) {
		reason = packet->length < MIN_FRAME_BYTES ? DROP_SHORT : DROP_BAD_SLOTS;
		packet_free(packet);
		packet = NULL;
	}
	if (!packet) {
		pool->drops[reason]++;
		front->netdev.stats.rx_dropped++;
		return NULL;
	}
	packet->in = &front->netdev;
	flags_set(packet, chain);
	return packet;
}

static int64_t responses_waiting(struct netfront_rx *rx)
{
	int64_t waiting;

	rx->seen = read_once(rx->shared->rsp_prod);
	read_barrier();
	/* There can be no more answers than we have posted. */
	waiting = ring_pending(rx->seen, rx->consumed, rx->produced - rx->consumed);
	/* An index that goes back and forth brings nothing, a packet in parts does. */
	if (waiting > (int64_t)(rx->furthest - rx->consumed))
		rx->furthest = rx->seen;
	return waiting;
}

bool netfront_rx_poll(struct netfront_queue *queue, uint32_t budget)
{
	struct netfront *front = queue->front;
	struct netfront_rx *rx = &queue->rx;
	struct packet_vector vector = { .count = 0 };
	int64_t waiting = responses_waiting(rx);
	uint32_t begun = rx->consumed;

	while (waiting > 0 && !packet_vector_is_full(&vector) && rx->consumed - begun < budget) {
		struct chain chain;
		struct packet *packet;
		int error = chain_read(rx, (uint32_t)waiting, &chain);

		if (error) {
			waiting = error == -EAGAIN ? 0 : error;
			break;
		}
		packet = chain_to_packet(queue, &chain);
		rx->consumed += chain.ring_slots;
		waiting -= chain.ring_slots;
		if (!packet)
			continue;
		front->netdev.stats.rx_packets++;
		front->netdev.stats.rx_bytes += packet->length;
		packet_vector_add(&vector, packet);
	}
	if (waiting < 0)
		netfront_break(front, "impossible RX responses");
	if (vector.count && front->netdev.input)
		front->netdev.input(&front->netdev, &vector);
	packet_vector_drop(&vector, DROP_LINK_DOWN);
	if (!front->broken)
		netfront_rx_refill(queue);
	return waiting > 0;
}

/* Relative to what the last poll saw: the rest of a packet that was not whole counts. */
bool netfront_rx_arm(struct netfront_queue *queue)
{
	struct netfront_rx *rx = &queue->rx;

	write_once(rx->shared->rsp_event, rx->seen + 1);
	memory_barrier();
	return read_once(rx->shared->rsp_prod) != rx->seen;
}

void netfront_rx_purge(struct netfront_queue *queue)
{
	struct netfront_rx *rx = &queue->rx;

	for (uint32_t slot = 0; slot < NETIF_RX_SLOTS; slot++) {
		struct iopage *page = page_take(rx, slot);

		if (page)
			iopage_free(page);
	}
	rx->consumed = rx->produced;
}
