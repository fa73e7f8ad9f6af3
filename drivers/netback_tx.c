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

/* Scratch of one poll; polls of different clients never overlap. */
static struct gnttab_copy ops[MAX_OPS];
static uint32_t op_count;
static struct answer answers[MAX_ANSWERS];
static uint32_t answer_count;
static struct pending_packet pending[PACKET_VECTOR_MAX];

static void slot_read(const struct netback_vif *vif, uint32_t index, union netif_tx_slot *slot)
{
	netif_copy_out(slot, &vif->tx->ring[index & NETIF_SLOT_MASK].req, sizeof(*slot));
}

static void answer_add(uint16_t id, int16_t status)
{
	answers[answer_count++] = (struct answer){ id, status };
}

/* Only these were offered: a type that was not is a broken client. */
static int extra_take(struct netback_vif *vif, const struct netif_extra_info *extra,
		      struct chain *chain)
{
	uint8_t gso_type = netif_gso_type(extra);

	if (netback_multicast_is_change(&vif->multicast, extra)) {
		chain->multicast = true;
		chain->refused |= netback_multicast_change(&vif->multicast, extra) != 0;
		return 0;
	}
	if (!gso_type || chain->gso_type)
		return -EPROTO;
	chain->gso_type = gso_type;
	chain->gso_size = extra->u.gso.size;
	return 0;
}

/* Reads the extras that follow the first slot. 0 or -EPROTO. */
static int extras_read(struct netback_vif *vif, uint32_t available, struct chain *chain)
{
	union netif_tx_slot slot;

	do {
		if (chain->ring_slots == available || chain->ring_slots > XEN_NETIF_EXTRA_TYPE_MAX)
			return -EPROTO;
		slot_read(vif, vif->tx_consumed + chain->ring_slots, &slot);
		chain->ring_slots++;
		answer_add(0, NETIF_RSP_NULL);
		if (extra_take(vif, &slot.extra, chain))
			return -EPROTO;
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/*
 * Copies one packet's slots out of the ring. 0: a chain that may be looked at further;
 * -EPROTO: the client is broken (a chain that ends nowhere, or is far too long).
 */
static int chain_read(struct netback_vif *vif, uint32_t available, struct chain *chain)
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
		slot_read(vif, vif->tx_consumed + chain->ring_slots, &slot);
		chain->ring_slots++;
		answer_add(slot.request.id, NETIF_RSP_ERROR);
		if (chain->slot_count < NETIF_LEGAL_SLOTS)
			chain->slots[chain->slot_count] = slot.request;
		else
			chain->too_long = true;
		chain->slot_count++;
		more = slot.request.flags & NETTXF_more_data;
		if (slot.request.flags & NETTXF_extra_info) {
			if (chain->slot_count > 1 || extras_read(vif, available, chain))
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

static void op_add(const struct netback_vif *vif, const struct netif_tx_request *slot,
		   uint32_t done, uint64_t frame, uint32_t offset, uint32_t bytes)
{
	struct gnttab_copy *op = &ops[op_count++];

	op->source.u.ref = slot->gref;
	op->source.domid = vif->client.domid;
	op->source.offset = (uint16_t)(slot->offset + done);
	op->dest.u.gmfn = frame;
	op->dest.domid = DOMID_SELF;
	op->dest.offset = (uint16_t)offset;
	op->len = (uint16_t)bytes;
	op->flags = GNTCOPY_source_gref;
	op->status = GNTST_general_error;
}

/* Fresh pages behind the head for all that does not fit into it. */
static int packet_add_pages(struct packet *packet, uint32_t total)
{
	uint32_t left = total > HEAD_CAPACITY ? total - HEAD_CAPACITY : 0;

	packet->head_length = (uint16_t)(total - left);
	packet->length = packet->head_length;
	while (left) {
		uint32_t part = left < IOPAGE_SIZE ? left : IOPAGE_SIZE;
		struct iopage *page = iopage_alloc(packet->pool->pages, IOPAGE_UPLINK_READ);

		if (!page)
			return -ENOMEM;
		if (packet_add_frag(packet, page, 0, (uint16_t)part)) {
			iopage_free(page);
			return -ENOSPC;
		}
		left -= part;
	}
	return 0;
}

/* Copy ops that lay the chain's bytes one after the other over the packet's pages. */
static void chain_plan(const struct netback_vif *vif, const struct chain *chain,
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
			op_add(vif, &chain->slots[i], done, frame, offset, part);
			done += part;
			offset += part;
			room -= part;
		}
	}
}

static struct packet *chain_to_packet(struct netback_vif *vif, struct chain *chain)
{
	struct packet_pool *pool = netback.config.packets;
	uint32_t total = chain->slots[0].size;
	uint16_t flags = chain->slots[0].flags;
	struct packet *packet;

	if (chain_check(chain)) {
		pool->drops[DROP_BAD_SLOTS]++;
		return NULL;
	}
	packet = packet_alloc_page(pool, IOPAGE_UPLINK_READ);
	if (!packet || packet_add_pages(packet, total)) {
		pool->drops[DROP_NO_MEMORY]++;
		packet_free(packet);
		return NULL;
	}
	packet->in = &vif->netdev;
	if (flags & NETTXF_csum_blank)
		packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
	if (flags & NETTXF_data_validated)
		packet->flags |= PACKET_CSUM_VALID;
	if (chain->gso_type) {
		packet->gso_type = chain->gso_type;
		packet->gso_size = chain->gso_size;
	}
	chain_plan(vif, chain, packet);
	return packet;
}

static void answers_accept(const struct pending_packet *entry)
{
	for (uint32_t i = 0; i < entry->answer_count; i++)
		if (answers[entry->first_answer + i].status != NETIF_RSP_NULL)
			answers[entry->first_answer + i].status = NETIF_RSP_OKAY;
}

/* Takes one packet's slots off the ring. -EPROTO: broken. */
static int packet_take(struct netback_vif *vif, uint32_t available, struct pending_packet *entry)
{
	struct chain chain;

	entry->first_answer = answer_count;
	entry->first_op = op_count;
	if (chain_read(vif, available, &chain))
		return -EPROTO;
	vif->tx_consumed += chain.ring_slots;
	entry->answer_count = answer_count - entry->first_answer;
	entry->packet = chain.multicast ? NULL : chain_to_packet(vif, &chain);
	if (chain.multicast && !chain.refused)
		answers_accept(entry);
	entry->op_count = op_count - entry->first_op;
	return 0;
}

static void packet_finish(struct netback_vif *vif, struct pending_packet *entry,
			  struct packet_vector *vector)
{
	if (!entry->packet)
		return;
	for (uint32_t i = 0; i < entry->op_count; i++)
		if (ops[entry->first_op + i].status != GNTST_okay) {
			packet_drop(entry->packet, DROP_COPY_FAILED);
			vif->netdev.stats.rx_dropped++;
			return;
		}
	answers_accept(entry);
	vif->netdev.stats.rx_packets++;
	vif->netdev.stats.rx_bytes += entry->packet->length;
	packet_vector_add(vector, entry->packet);
}

/* Answers every slot taken, in order, and wakes the client if it asked for that. */
static void answers_write(struct netback_vif *vif)
{
	uint32_t old = vif->tx_answered;

	for (uint32_t i = 0; i < answer_count; i++) {
		struct netif_tx_response response = { .id = answers[i].id,
						      .status = answers[i].status };

		vif->tx->ring[vif->tx_answered++ & NETIF_SLOT_MASK].rsp = response;
	}
	write_barrier();
	write_once(vif->tx->rsp_prod, vif->tx_answered);
	memory_barrier();
	if (ring_notify_needed(old, vif->tx_answered, read_once(vif->tx->rsp_event)))
		evtchn_notify(vif->tx_port);
}

static int64_t requests_waiting(struct netback_vif *vif)
{
	int64_t waiting =
		ring_pending(read_once(vif->tx->req_prod), vif->tx_consumed, NETIF_TX_SLOTS);

	read_barrier();
	return waiting;
}

bool netback_tx_poll(struct netback_vif *vif, uint32_t budget)
{
	struct packet_vector vector = { .count = 0 };
	int64_t waiting = requests_waiting(vif);
	uint32_t begun = vif->tx_consumed;
	uint32_t packets = 0;

	op_count = 0;
	answer_count = 0;
	while (waiting > 0 && packets < PACKET_VECTOR_MAX && vif->tx_consumed - begun < budget) {
		uint32_t before = vif->tx_consumed;

		if (packet_take(vif, (uint32_t)waiting, &pending[packets])) {
			waiting = -EPROTO;
			answer_count = pending[packets].first_answer;
			break;
		}
		waiting -= vif->tx_consumed - before;
		packets++;
	}
	if (op_count)
		gnttab_copy(ops, op_count);
	for (uint32_t i = 0; i < packets; i++)
		packet_finish(vif, &pending[i], &vector);
	if (answer_count)
		answers_write(vif);
	if (waiting < 0)
		netback_vif_break(vif, "impossible TX requests");
	if (vector.count && vif->netdev.input)
		vif->netdev.input(&vif->netdev, &vector);
	packet_vector_drop(&vector, DROP_LINK_DOWN);
	return waiting > 0;
}

bool netback_tx_arm(struct netback_vif *vif)
{
	write_once(vif->tx->req_event, vif->tx_consumed + 1);
	memory_barrier();
	return requests_waiting(vif) != 0;
}
