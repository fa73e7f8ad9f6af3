/* SPDX-License-Identifier: ISC */
/*
 * From a client's TX ring to packets. The requests of a whole vector are copied out
 * and checked first, then one grant copy brings all bytes into pages of ours, then
 * the requests are answered in order. A frame that fits in a page is contiguous;
 * a larger one is a byte stream over a head page and fragments.
 */
#include <errno.h>

#include "drivers/netback_internal.h"

#define MIN_FRAME_BYTES 14u
#define HEAD_CAPACITY (IOPAGE_SIZE - PACKET_HEADROOM)
/* What netdev->input is promised in one piece. */
#define HEADERS_BYTES 192u
/* A large frame of a client that fills its pages begins and ends within one. */
#define PAGES_MORE 2u
/* A slot of 4096 bytes may straddle two of our pages. */
#define MAX_OPS ((LOOP_BUDGET + NETIF_FATAL_SLOTS) * 2u)
#define MAX_ANSWERS (LOOP_BUDGET + NETIF_FATAL_SLOTS + XEN_NETIF_EXTRA_TYPE_MAX)

/* One chain of slots as the client described it. */
struct chain {
	struct netif_tx_request slots[NETIF_LEGAL_SLOTS];
	uint32_t slot_count; /* with data */
	uint32_t ring_slots; /* with extras */
	uint16_t gso_size;
	uint8_t gso_type;
	bool multicast; /* no packet, but a change of the multicast list */
	bool refused;	/* the list has no room for it */
	bool too_long;
};

struct pending_packet {
	struct packet *packet; /* NULL: refused */
	uint32_t first_op, op_count;
	uint32_t first_answer, answer_count;
};

struct answer {
	uint16_t id;
	int16_t status;
};

/* Scratch of one poll; polls of different queues never overlap. */
static struct gnttab_copy ops[MAX_OPS];
static uint32_t op_count;
static struct answer answers[MAX_ANSWERS];
static uint32_t answer_count;
static struct pending_packet pending[PACKET_VECTOR_MAX];

static void slot_read(const struct netback_queue *queue, uint32_t index, union netif_tx_slot *slot)
{
	netif_copy_out(slot, &queue->tx->ring[index & NETIF_SLOT_MASK].req, sizeof(*slot));
}

static void answer_add(uint16_t id, int16_t status)
{
	answers[answer_count++] = (struct answer){ id, status };
}

/* Only these were offered: a type that was not is a broken client. */
static int extra_take(struct netback_queue *queue, const struct netif_extra_info *extra,
		      struct chain *chain)
{
	uint8_t gso_type = netif_gso_type(extra);

	if (netback_multicast_is_change(&queue->vif->multicast, extra)) {
		chain->multicast = true;
		chain->refused |= netback_multicast_change(&queue->vif->multicast, extra) != 0;
		return 0;
	}
	if (!gso_type || chain->gso_type)
		return -EPROTO;
	chain->gso_type = gso_type;
	chain->gso_size = extra->u.gso.size;
	return 0;
}

/* Reads the extras that follow the first slot. 0 or -EPROTO. */
static int extras_read(struct netback_queue *queue, uint32_t available, struct chain *chain)
{
	union netif_tx_slot slot;

	do {
		if (chain->ring_slots == available || chain->ring_slots > XEN_NETIF_EXTRA_TYPE_MAX)
			return -EPROTO;
		slot_read(queue, queue->tx_consumed + chain->ring_slots, &slot);
		chain->ring_slots++;
		answer_add(0, NETIF_RSP_NULL);
		if (extra_take(queue, &slot.extra, chain))
			return -EPROTO;
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/*
 * Copies one packet's slots out of the ring. 0: a chain that may be looked at further;
 * -EPROTO: the client is broken (a chain that ends nowhere, or is far too long).
 */
static int chain_read(struct netback_queue *queue, uint32_t available, struct chain *chain)
{
	union netif_tx_slot slot;
	bool more;

	chain->slot_count = 0;
	chain->ring_slots = 0;
	chain->gso_type = PACKET_GSO_NONE;
	chain->multicast = false;
	chain->refused = false;
	chain->too_long = false;
	do {
		if (chain->ring_slots == available || chain->slot_count == NETIF_FATAL_SLOTS)
			return -EPROTO;
		slot_read(queue, queue->tx_consumed + chain->ring_slots, &slot);
		chain->ring_slots++;
		answer_add(slot.request.id, NETIF_RSP_ERROR);
		if (chain->slot_count < NETIF_LEGAL_SLOTS)
			chain->slots[chain->slot_count] = slot.request;
		else
			chain->too_long = true;
		chain->slot_count++;
		more = slot.request.flags & NETTXF_more_data;
		if (slot.request.flags & NETTXF_extra_info) {
			if (chain->slot_count > 1 || extras_read(queue, available, chain))
				return -EPROTO;
		}
	} while (more);
	return 0;
}

/* The first slot's size is the whole packet's; its own share is what the others leave. */
static int chain_check(struct chain *chain)
{
	uint32_t total = chain->slots[0].size;
	uint32_t rest = 0;

	if (chain->too_long || total < MIN_FRAME_BYTES)
		return -EINVAL;
	for (uint32_t i = 1; i < chain->slot_count; i++) {
		if (chain->slots[i].size == 0)
			return -EINVAL;
		rest += chain->slots[i].size;
	}
	if (rest >= total)
		return -EINVAL;
	chain->slots[0].size = (uint16_t)(total - rest);
	for (uint32_t i = 0; i < chain->slot_count; i++)
		if ((uint32_t)chain->slots[i].offset + chain->slots[i].size > NETIF_PAGE_BYTES)
			return -EINVAL;
	return 0;
}

static void op_add(const struct netback_queue *queue, const struct netif_tx_request *slot,
		   uint32_t done, uint64_t frame, uint32_t offset, uint32_t bytes)
{
	struct gnttab_copy *op = &ops[op_count++];

	op->source.u.ref = slot->gref;
	op->source.domid = queue->vif->client.domid;
	op->source.offset = (uint16_t)(slot->offset + done);
	op->dest.u.gmfn = frame;
	op->dest.domid = DOMID_SELF;
	op->dest.offset = (uint16_t)offset;
	op->len = (uint16_t)bytes;
	op->flags = GNTCOPY_source_gref;
	op->status = GNTST_general_error;
}

/* How a packet's bytes lie: in the head, then in a page for each part. */
struct layout {
	uint32_t head;
	uint32_t part_count;
	uint16_t parts[NETIF_LEGAL_SLOTS];
};

static uint32_t least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* As few pages as can be. */
static void layout_dense(struct layout *layout, uint32_t total)
{
	uint32_t left;

	layout->head = least_of(total, HEAD_CAPACITY);
	layout->part_count = 0;
	for (left = total - layout->head; left; left -= least_of(left, IOPAGE_SIZE))
		layout->parts[layout->part_count++] = (uint16_t)least_of(left, IOPAGE_SIZE);
}

/*
 * A page for each slot behind the first, so that each is one copy and not two. The head
 * has the first slot, and of the next ones what headers may still lie in.
 */
static void layout_by_slot(struct layout *layout, const struct chain *chain)
{
	layout->head = 0;
	layout->part_count = 0;
	for (uint32_t i = 0; i < chain->slot_count; i++) {
		uint32_t size = chain->slots[i].size;
		uint32_t room = i == 0			       ? HEAD_CAPACITY
				: layout->head < HEADERS_BYTES ? HEADERS_BYTES - layout->head
							       : 0;
		uint32_t head = least_of(size, room);

		layout->head += head;
		if (size > head && layout->part_count < NETIF_LEGAL_SLOTS)
			layout->parts[layout->part_count++] = (uint16_t)(size - head);
	}
}

/* By slot where that costs few pages more, and the uplink has slots for all. */
static void layout_choose(struct layout *layout, const struct chain *chain, uint32_t total)
{
	struct layout dense;

	layout_by_slot(layout, chain);
	layout_dense(&dense, total);
	if (layout->part_count > dense.part_count + PAGES_MORE ||
	    layout->part_count + 1 > NETIF_LEGAL_SLOTS)
		*layout = dense;
}

static int packet_add_pages(struct packet *packet, const struct layout *layout)
{
	packet->head_length = (uint16_t)layout->head;
	packet->length = packet->head_length;
	for (uint32_t i = 0; i < layout->part_count; i++) {
		struct iopage *page = iopage_alloc(packet->pool->pages, IOPAGE_UPLINK_READ);

		if (!page)
			return -ENOMEM;
		if (packet_add_frag(packet, page, 0, layout->parts[i])) {
			iopage_free(page);
			return -ENOSPC;
		}
	}
	return 0;
}

/* Copy ops that lay the chain's bytes one after the other over the packet's pages. */
static void chain_plan(const struct netback_queue *queue, const struct chain *chain,
		       const struct packet *packet)
{
	uint64_t frame = packet_head_frame(packet);
	uint32_t offset = packet_head_offset(packet);
	uint32_t room = packet->head_length;
	uint32_t next_frag = 0;

	for (uint32_t i = 0; i < chain->slot_count; i++) {
		uint32_t done = 0;

		while (done < chain->slots[i].size) {
			uint32_t part = chain->slots[i].size - done;

			if (room == 0) {
				const struct packet_frag *frag = &packet->frags[next_frag++];

				frame = frag->page->frame;
				offset = 0;
				room = frag->length;
			}
			if (part > room)
				part = room;
			op_add(queue, &chain->slots[i], done, frame, offset, part);
			done += part;
			offset += part;
			room -= part;
		}
	}
}

static struct packet *chain_to_packet(struct netback_queue *queue, struct chain *chain)
{
	struct packet_pool *pool = netback.config.packets;
	uint32_t total = chain->slots[0].size;
	uint16_t flags = chain->slots[0].flags;
	struct layout layout;
	struct packet *packet;

	if (chain_check(chain)) {
		pool->drops[DROP_BAD_SLOTS]++;
		return NULL;
	}
	layout_choose(&layout, chain, total);
	packet = packet_alloc_page(pool, IOPAGE_UPLINK_READ);
	if (!packet || packet_add_pages(packet, &layout)) {
		pool->drops[DROP_NO_MEMORY]++;
		packet_free(packet);
		return NULL;
	}
	packet->in = &queue->vif->netdev;
	if (flags & NETTXF_csum_blank)
		packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
	if (flags & NETTXF_data_validated)
		packet->flags |= PACKET_CSUM_VALID;
	if (chain->gso_type) {
		packet->gso_type = chain->gso_type;
		packet->gso_size = chain->gso_size;
	}
	chain_plan(queue, chain, packet);
	return packet;
}

static void answers_accept(const struct pending_packet *entry)
{
	for (uint32_t i = 0; i < entry->answer_count; i++)
		if (answers[entry->first_answer + i].status != NETIF_RSP_NULL)
			answers[entry->first_answer + i].status = NETIF_RSP_OKAY;
}

/* Takes one packet's slots off the ring. -EPROTO: broken. */
static int packet_take(struct netback_queue *queue, uint32_t available,
		       struct pending_packet *entry)
{
	struct chain chain;

	entry->first_answer = answer_count;
	entry->first_op = op_count;
	if (chain_read(queue, available, &chain))
		return -EPROTO;
	queue->tx_consumed += chain.ring_slots;
	entry->answer_count = answer_count - entry->first_answer;
	entry->packet = chain.multicast ? NULL : chain_to_packet(queue, &chain);
	if (chain.multicast && !chain.refused)
		answers_accept(entry);
	entry->op_count = op_count - entry->first_op;
	return 0;
}

static void packet_finish(struct netback_queue *queue, struct pending_packet *entry,
			  struct packet_vector *vector)
{
	if (!entry->packet)
		return;
	for (uint32_t i = 0; i < entry->op_count; i++)
		if (ops[entry->first_op + i].status != GNTST_okay) {
			packet_drop(entry->packet, DROP_COPY_FAILED);
			queue->vif->netdev.stats.rx_dropped++;
			return;
		}
	answers_accept(entry);
	queue->vif->netdev.stats.rx_packets++;
	queue->vif->netdev.stats.rx_bytes += entry->packet->length;
	packet_vector_add(vector, entry->packet);
}

/* Answers every slot taken, in order, and wakes the client if it asked for that. */
static void answers_write(struct netback_queue *queue)
{
	uint32_t old = queue->tx_answered;

	for (uint32_t i = 0; i < answer_count; i++) {
		struct netif_tx_response response = { .id = answers[i].id,
						      .status = answers[i].status };

		queue->tx->ring[queue->tx_answered++ & NETIF_SLOT_MASK].rsp = response;
	}
	write_barrier();
	write_once(queue->tx->rsp_prod, queue->tx_answered);
	memory_barrier();
	if (ring_notify_needed(old, queue->tx_answered, read_once(queue->tx->rsp_event)))
		evtchn_notify(queue->tx_port);
}

static int64_t requests_waiting(struct netback_queue *queue)
{
	int64_t waiting =
		ring_pending(read_once(queue->tx->req_prod), queue->tx_consumed, NETIF_TX_SLOTS);

	read_barrier();
	return waiting;
}

bool netback_tx_poll(struct netback_queue *queue, uint32_t budget)
{
	struct packet_vector vector = { .count = 0 };
	int64_t waiting = requests_waiting(queue);
	uint32_t begun = queue->tx_consumed;
	uint32_t packets = 0;

	op_count = 0;
	answer_count = 0;
	while (waiting > 0 && packets < PACKET_VECTOR_MAX && queue->tx_consumed - begun < budget) {
		uint32_t before = queue->tx_consumed;

		if (packet_take(queue, (uint32_t)waiting, &pending[packets])) {
			waiting = -EPROTO;
			answer_count = pending[packets].first_answer;
			break;
		}
		waiting -= queue->tx_consumed - before;
		packets++;
	}
	if (op_count)
		gnttab_copy(ops, op_count);
	for (uint32_t i = 0; i < packets; i++)
		packet_finish(queue, &pending[i], &vector);
	if (answer_count)
		answers_write(queue);
	if (waiting < 0)
		netback_vif_break(queue->vif, "impossible TX requests");
	if (vector.count && queue->vif->netdev.input)
		queue->vif->netdev.input(&queue->vif->netdev, &vector);
	packet_vector_drop(&vector, DROP_LINK_DOWN);
	return waiting > 0;
}

bool netback_tx_arm(struct netback_queue *queue)
{
	write_once(queue->tx->req_event, queue->tx_consumed + 1);
	memory_barrier();
	return requests_waiting(queue) != 0;
}
