/* SPDX-License-Identifier: ISC */
/* A guest that does to packets whatever a script says. */
#include "tests/fuzz/guest.h"

#include <string.h>

#include "arch/x86/memory.h"

#define KEPT_MOST 48u

void guest_boot(struct guest *guest, uint32_t pages)
{
	uint32_t packets = pages / 4;

	memset(guest, 0, sizeof(*guest));
	list_init(&guest->kept);
	iopage_pool_init(&guest->page_pool, memory_alloc_pages(pages),
			 calloc(pages, sizeof(struct iopage)), pages, memory_frame_of);
	fuzz_assert(packet_pool_init(&guest->packet_pool, &guest->page_pool,
				     calloc(packets, sizeof(struct packet)), packets) == 0);
}

/* Nobody may keep packets of an interface that is gone. */
static void kept_free(struct guest *guest)
{
	struct list *link;

	while ((link = list_pop_front(&guest->kept)))
		packet_free(list_entry(link, struct packet, link));
	guest->kept_count = 0;
}

static void keep(struct guest *guest, struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++) {
		if (guest->kept_count == KEPT_MOST) {
			packet_drop(vector->packets[i], DROP_RING_FULL);
			continue;
		}
		list_push_back(&guest->kept, &vector->packets[i]->link);
		guest->kept_count++;
	}
	vector->count = 0;
}

/* A stack parses the head, and nothing else, of what it receives. */
static void parse(const struct netdev *netdev, const struct packet *packet)
{
	uint32_t least = packet->length < 192 ? packet->length : 192;
	volatile uint8_t sum = 0;

	fuzz_assert(packet_is_valid(packet));
	fuzz_assert(packet->in == netdev);
	fuzz_assert(packet->length >= 14 && packet->length <= PACKET_MAX_BYTES);
	fuzz_assert(packet->head_length >= least);
	fuzz_assert(!packet->gso_type || packet->gso_size);
	for (uint32_t i = 0; i < packet->head_length; i++)
		sum = (uint8_t)(sum + packet->data[i]);
}

static void assert_copied(struct guest *guest, const struct packet_vector *vector)
{
	uint64_t bytes = 0;

	if (!guest->copied)
		return;
	for (uint32_t i = 0; i < vector->count; i++)
		bytes += vector->packets[i]->length;
	fuzz_assert(*guest->copied - guest->copied_before >= bytes);
}

static void react(struct guest *guest, struct netdev *netdev, struct packet_vector *vector)
{
	if (guest->reaction == GUEST_ECHO)
		netdev->ops->transmit(netdev, vector);
	else if (guest->reaction == GUEST_KEEP)
		keep(guest, vector);
	packet_vector_drop(vector, DROP_NO_RULES);
}

static void input(struct netdev *netdev, struct packet_vector *vector)
{
	struct guest *guest = netdev->stack;

	fuzz_assert(vector->count && vector->count <= PACKET_VECTOR_MAX);
	fuzz_assert(guest->netdev == netdev);
	for (uint32_t i = 0; i < vector->count; i++)
		parse(netdev, vector->packets[i]);
	assert_copied(guest, vector);
	react(guest, netdev, vector);
	if (guest->copied)
		guest->copied_before = *guest->copied;
}

void guest_up(struct guest *guest, struct netdev *netdev)
{
	fuzz_assert(!guest->netdev);
	netdev->stack = guest;
	netdev->input = input;
	guest->netdev = netdev;
}

void guest_down(struct guest *guest)
{
	fuzz_assert(guest->netdev);
	guest->netdev = NULL;
}

void guest_let_go(struct guest *guest, bool send)
{
	struct packet_vector vector = { .count = 0 };

	if (!send || !guest->netdev) {
		kept_free(guest);
		return;
	}
	while (!list_is_empty(&guest->kept)) {
		packet_vector_add(&vector,
				  list_entry(list_pop_front(&guest->kept), struct packet, link));
		if (!packet_vector_is_full(&vector))
			continue;
		guest->netdev->ops->transmit(guest->netdev, &vector);
		fuzz_assert(vector.count == 0);
	}
	guest->kept_count = 0;
	if (vector.count)
		guest->netdev->ops->transmit(guest->netdev, &vector);
}

/* ---- packets of its own ---- */

/* A head in a page or a private one, of 14 bytes at least. */
static struct packet *head_make(struct guest *guest, struct script *script, uint8_t shape)
{
	struct packet *packet = NULL;
	uint32_t bytes = 14;
	size_t room;

	if (shape & 1)
		packet = packet_alloc(&guest->packet_pool);
	else
		packet = packet_alloc_page(&guest->packet_pool,
					   shape & 2 ? IOPAGE_PRIVATE : IOPAGE_UPLINK_READ);
	if (!packet)
		return NULL;
	room = packet_tailroom(packet);
	bytes += script_u16(script) % (uint32_t)(room - bytes + 1);
	memset(packet_append(packet, bytes), 0x5a, bytes);
	if (shape & 128) { /* to a group of which the script may have spoken */
		memset(packet->data, 0, 6);
		packet->data[0] = 1;
		packet->data[5] = (uint8_t)(bytes % 4);
	}
	return packet;
}

static bool frag_add(struct guest *guest, struct script *script, struct packet *packet,
		     uint8_t shape)
{
	struct iopage *page =
		iopage_alloc(&guest->page_pool, shape & 4 ? IOPAGE_PRIVATE : IOPAGE_UPLINK_READ);
	uint32_t offset = script_u16(script) % IOPAGE_SIZE;
	uint32_t length = 1 + script_u16(script) % (IOPAGE_SIZE - offset);

	if (!page)
		return false;
	if (packet->length + length <= PACKET_MAX_BYTES &&
	    packet_add_frag(packet, page, (uint16_t)offset, (uint16_t)length) == 0)
		return true;
	iopage_free(page);
	return false;
}

static struct packet *packet_make(struct guest *guest, struct script *script)
{
	uint8_t shape = script_u8(script);
	struct packet *packet = head_make(guest, script, shape);
	uint32_t frags = shape & 8 ? script_u8(script) % (PACKET_MAX_FRAGS + 1) : 0;

	if (!packet)
		return NULL;
	while (frags && frag_add(guest, script, packet, shape))
		frags--;
	if (shape & 16)
		packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
	if (shape & 32) {
		packet->gso_type = shape & 64 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4;
		packet->gso_size = (uint16_t)(1 + script_u8(script) * 6);
	}
	fuzz_assert(packet_is_valid(packet));
	return packet;
}

void guest_send(struct guest *guest, struct script *script)
{
	uint32_t count = 1 + script_u8(script) % PACKET_VECTOR_MAX;
	struct packet_vector vector = { .count = 0 };

	while (count--) {
		struct packet *packet = packet_make(guest, script);

		if (packet)
			packet_vector_add(&vector, packet);
	}
	if (!vector.count)
		return;
	if (guest->netdev)
		guest->netdev->ops->transmit(guest->netdev, &vector);
	packet_vector_drop(&vector, DROP_LINK_DOWN);
}

/* ---- figures ---- */

uint32_t guest_pages_out(const struct guest *guest)
{
	uint32_t out = guest->page_pool.total;

	for (int i = 0; i < IOPAGE_CLASS_COUNT; i++)
		out -= guest->page_pool.free_count[i];
	return out;
}

uint32_t guest_packets_out(const struct guest *guest)
{
	return guest->packet_pool.total - guest->packet_pool.free_count;
}
