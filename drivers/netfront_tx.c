/* SPDX-License-Identifier: ISC */
/*
 * Packets to the uplink's TX ring. Pages of class UPLINK_READ have a standing grant
 * and are sent as they are; anything else is copied into such pages first, also a page
 * of another netfront's pool: its backend must not see this one's packets, nor may this
 * backend be told a reference of the other's. A slot's
 * id is free, or names the packet under way: a response for a free id, or one more
 * response without an id than we sent extras, breaks the interface. So there is always
 * a free id where the ring has a free slot.
 */
#include <errno.h>
#include <string.h>

#include "drivers/netfront_internal.h"
#include "lib/frame_hash.h"

#define NO_ID UINT16_MAX
/*
 * Answers free pages and ring slots, and nobody waits for either while there are others.
 * So they are taken along with the next packets; an event is asked for only when a part
 * of all slots is answered, and a timer looks for what no packet has taken along.
 */
#define LAZY_SLOTS (NETIF_TX_SLOTS / 4u)
#define REAP_NS 100000000ull

void netfront_tx_init(struct netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;

	tx->shared = (struct netif_tx_sring *)(void *)tx->page->data;
	memset(tx->shared, 0, NETIF_PAGE_BYTES);
	tx->shared->req_event = 1;
	tx->shared->rsp_event = 1;
	ring_producer_init(&tx->ring, NETIF_TX_SLOTS, 0);
	if (ring_advance(&tx->ring, NETIF_TX_SLOTS))
		netfront_break(queue->front, "cannot open its ring");
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

static bool page_is_sendable(const struct iopage_pool *pool, const struct iopage *page)
{
	return page && page->class == IOPAGE_UPLINK_READ && page->gref != IOPAGE_NO_GREF &&
	       page->pool == pool;
}

static bool packet_is_sendable(const struct iopage_pool *pool, const struct packet *packet)
{
	if (!page_is_sendable(pool, packet->head_page))
		return false;
	for (uint32_t i = 0; i < packet->frag_count; i++)
		if (!page_is_sendable(pool, packet->frags[i].page))
			return false;
	return true;
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Copies the next bytes of `packet` behind what `copy` has, to a page of their own. */
static int copy_add_page(struct packet *copy, const struct packet *packet)
{
	uint32_t part = least_of(packet->length - copy->length, IOPAGE_SIZE);
	struct iopage *page = iopage_alloc(copy->pool->pages, IOPAGE_UPLINK_READ);

	if (!page)
		return -ENOMEM;
	if (packet_add_frag(copy, page, 0, (uint16_t)part)) {
		iopage_free(page);
		return -ENOSPC;
	}
	/* The copy owns the page already: freed half made, it leaves nothing in there. */
	return packet_copy_out(packet, copy->length - part, page->data, part);
}

static int copy_fill(struct packet *copy, const struct packet *packet)
{
	uint32_t part = least_of(packet->length, (uint32_t)packet_tailroom(copy));
	uint8_t *head = packet_append(copy, part);
	int error = head ? packet_copy_out(packet, 0, head, part) : -ENOSPC;

	while (!error && copy->length < packet->length)
		error = copy_add_page(copy, packet);
	return error;
}

/* A copy of `packet` in UPLINK_READ pages of `pool`; consumes it. NULL: no memory, dropped. */
static struct packet *packet_to_sendable(struct packet_pool *pool, struct packet *packet)
{
	struct packet *copy = packet_alloc_page(pool, IOPAGE_UPLINK_READ);

	if (!copy || copy_fill(copy, packet))
		goto no_memory;
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
	packet->flags |= PACKET_SENT_UP;
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
static int packet_send(struct netfront_queue *queue, struct packet *packet)
{
	struct netdev_stats *stats = &queue->front->netdev.stats;
	uint32_t count = 1 + packet->frag_count + (packet->gso_type ? 1 : 0);
	uint32_t index;
	int error;

	if (packet->length > UINT16_MAX || 1u + packet->frag_count > NETIF_LEGAL_SLOTS)
		return -EMSGSIZE;
	error = ring_reserve(&queue->tx.ring, count, &index);
	if (error)
		return error;
	packet_write(&queue->tx, index, packet);
	ring_commit(&queue->tx.ring);
	stats->tx_packets++;
	stats->tx_bytes += packet->length;
	return 0;
}

static void packet_refuse(struct netfront *front, struct packet *packet, enum drop_reason reason)
{
	front->netdev.stats.tx_dropped++;
	packet_drop(packet, reason);
}

static void publish(struct netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;
	uint32_t old;
	uint32_t now = ring_publish(&tx->ring, &old);

	if (old == now)
		return;
	write_barrier();
	write_once(tx->shared->req_prod, now);
	memory_barrier();
	if (ring_notify_needed(old, now, read_once(tx->shared->req_event)))
		evtchn_notify(queue->tx_port);
}

static void waiting_send(struct netfront_queue *queue)
{
	struct list *waiting = &queue->tx.waiting;

	while (!list_is_empty(waiting)) {
		struct packet *packet = list_entry(waiting->next, struct packet, link);
		int error = packet_send(queue, packet);

		if (error == -EAGAIN)
			return;
		list_remove(&packet->link);
		queue->front->waiting_packets--;
		if (error)
			packet_refuse(queue->front, packet, DROP_TOO_BIG);
	}
}

/* Bounded for the interface, however many queues it has. */
static void packet_wait(struct netfront_queue *queue, struct packet *packet)
{
	struct netfront *front = queue->front;
	uint32_t most = front->config.max_waiting;

	if (front->waiting_packets >= (most ? most : NETFRONT_QUEUE_PACKETS)) {
		packet_refuse(front, packet, DROP_RING_FULL);
		return;
	}
	front->waiting_packets++;
	list_push_back(&queue->tx.waiting, &packet->link);
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
static void responses_take(struct netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;
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
		netfront_break(queue->front, "impossible TX responses");
}

/* Takes answers, and fills what they leave with packets that wait. */
static void queue_advance(struct netfront_queue *queue)
{
	responses_take(queue);
	if (!queue->front->broken)
		waiting_send(queue);
}

static void packet_transmit(struct netfront *front, struct packet *packet)
{
	struct netfront_queue *queue;
	int error;

	if (!netdev_can_send(&front->netdev, packet)) {
		packet_refuse(front, packet, DROP_NO_OFFLOAD);
		return;
	}
	queue = &front->queues[frame_hash(packet, front->queue_count)];
	if (!packet_is_sendable(front->config.packets->pages, packet))
		packet = packet_to_sendable(front->config.packets, packet);
	if (!packet)
		return;
	error = list_is_empty(&queue->tx.waiting) ? packet_send(queue, packet) : -EAGAIN;
	if (error == -EAGAIN)
		packet_wait(queue, packet);
	else if (error)
		packet_refuse(front, packet, DROP_TOO_BIG);
}

void netfront_tx_transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct netfront *front = netdev->driver;

	if (!front->connected || front->broken) {
		packet_vector_drop(vector, DROP_LINK_DOWN);
		return;
	}
	for (uint32_t i = 0; i < front->queue_count; i++)
		queue_advance(&front->queues[i]);
	for (uint32_t i = 0; i < vector->count; i++)
		packet_transmit(front, vector->packets[i]);
	vector->count = 0;
	for (uint32_t i = 0; i < front->queue_count; i++) {
		publish(&front->queues[i]);
		if (netfront_tx_arm(&front->queues[i]))
			loop_schedule(&front->queues[i].source);
	}
}

void netfront_tx_poll(struct netfront_queue *queue)
{
	queue_advance(queue);
	if (!queue->front->broken)
		publish(queue);
}

static uint64_t reap_next(struct loop_timer *timer)
{
	const struct netfront *front = container_of(timer, struct netfront, reap);

	return front->connected && front->reap_ns ? front->reap_ns : UINT64_MAX;
}

static void reap(struct loop_timer *timer, uint64_t now_ns)
{
	struct netfront *front = container_of(timer, struct netfront, reap);

	if (now_ns < reap_next(timer))
		return;
	front->reap_ns = 0;
	for (uint32_t i = 0; i < front->queue_count; i++)
		loop_schedule(&front->queues[i].source);
}

void netfront_tx_init_reaping(struct netfront *front)
{
	front->reap = (struct loop_timer){ .run = reap, .next_ns = reap_next };
	loop_add_timer(&front->reap);
}

/* Answers beyond which an event is wanted: half of those to come, or less than matters. */
static uint32_t answers_wanted(const struct netfront_queue *queue, uint32_t under_way)
{
	uint32_t lazy = LAZY_SLOTS / queue->front->queue_count;
	uint32_t half = under_way >> 1;

	return half < lazy && list_is_empty(&queue->tx.waiting) ? lazy : half;
}

bool netfront_tx_arm(struct netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;
	struct netfront *front = queue->front;
	uint32_t under_way = tx->ring.published - tx->consumed;
	uint32_t wanted = answers_wanted(queue, under_way);

	/* On a grid, so that the deadline is rarely a new one: setting it costs a hypercall. */
	if (under_way && !front->reap_ns)
		front->reap_ns = (loop_now_ns() / REAP_NS + 2) * REAP_NS;
	write_once(tx->shared->rsp_event, tx->consumed + wanted + 1);
	memory_barrier();
	return under_way && read_once(tx->shared->rsp_prod) - tx->consumed > wanted;
}

void netfront_tx_purge(struct netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;
	struct list *link;

	while ((link = list_pop_front(&tx->waiting))) {
		queue->front->waiting_packets--;
		packet_refuse(queue->front, list_entry(link, struct packet, link), DROP_DETACHED);
	}
	for (uint32_t id = 0; id < NETIF_TX_SLOTS; id++)
		if (tx->slots[id].packet && slot_answered(tx, (uint16_t)id))
			return;
}
