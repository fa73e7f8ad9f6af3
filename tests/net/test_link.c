/* SPDX-License-Identifier: ISC */
#include "tests/net/test_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPLINK_HEAD_BYTES 192u

static void complain(struct test_link *link, const char *what)
{
	if (!link->error[0])
		snprintf(link->error, sizeof(link->error), "%s: frame %u: %s", link->netdev.name,
			 link->sent, what);
}

/* The uplink's backend sees only pages of its class, and those only to read. */
static void check_pages(struct test_link *link, const struct packet *packet)
{
	for (unsigned int i = 0; i < packet->frag_count; i++)
		if (packet->frags[i].page->class == IOPAGE_UPLINK_WRITE) {
			link->shared++;
			break;
		}
	if (!link->is_uplink)
		return;
	if (!packet->head_page || packet->head_page->class != IOPAGE_UPLINK_READ)
		complain(link, "head in a page that the uplink may not read");
	for (unsigned int i = 0; i < packet->frag_count; i++)
		if (packet->frags[i].page->class != IOPAGE_UPLINK_READ)
			complain(link, "fragment in a page that the uplink may not read");
}

static void check_features(struct test_link *link, const struct packet *packet)
{
	uint32_t features = link->netdev.features;
	bool six = packet->length > 13 && packet->data[12] == 0x86;
	uint32_t csum = six ? NETDEV_TX_CSUM_IPV6 : NETDEV_TX_CSUM_IPV4;
	uint32_t gso = six ? NETDEV_TX_GSO_TCPV6 : NETDEV_TX_GSO_TCPV4;

	if (packet->flags & PACKET_CSUM_BLANK && !(features & csum))
		complain(link, "blank checksum, and no such feature");
	if (packet->gso_type && !(features & gso))
		complain(link, "segmentation, and no such feature");
	if (packet->gso_type && (packet->gso_type == PACKET_GSO_TCPV6) != six)
		complain(link, "segmentation of the other version");
	if (!packet->gso_type && packet->length > link->netdev.mtu + 14u)
		complain(link, "larger than the MTU");
	if (!(features & NETDEV_TX_SG) &&
	    (link->is_uplink ? packet->frag_count != 0 : packet->length > IOPAGE_SIZE))
		complain(link, "more than one piece, and no such feature");
	if (!link->sends_for_others && memcmp(packet->data + 6, link->netdev.mac, 6) != 0)
		complain(link, "not from our MAC");
}

static void keep(struct test_link *link, const struct packet *packet)
{
	struct frame **place = &link->kept[link->sent % TEST_LINK_KEEPS];
	const char *error;

	if (!*place)
		*place = malloc(sizeof(**place));
	(*place)->length = packet->length;
	(*place)->flags = packet->flags;
	(*place)->gso_type = packet->gso_type;
	(*place)->gso_size = packet->gso_size;
	if (packet_copy_out(packet, 0, (*place)->bytes, packet->length))
		complain(link, "cannot be copied out");
	error = link->damaged ? frame_header_error(*place) : frame_error(*place);
	if (error)
		complain(link, error);
	link->sent++;
}

static void transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct test_link *link = netdev->driver;

	link->transmits++;
	if (vector->count == 0 || vector->count > PACKET_VECTOR_MAX)
		complain(link, "vector of a wrong size");
	if (!netdev->up)
		complain(link, "the link is down");
	for (uint32_t i = 0; i < vector->count; i++) {
		struct packet *packet = vector->packets[i];

		if (!packet_is_valid(packet))
			complain(link, "not a valid packet");
		check_pages(link, packet);
		check_features(link, packet);
		keep(link, packet);
		packet_free(packet);
	}
	vector->count = 0;
}

static const struct netdev_ops ops = { .transmit = transmit };

void test_link_init(struct test_link *link, struct packet_pool *packets, const char *name,
		    bool is_uplink, const uint8_t *mac)
{
	memset(link, 0, sizeof(*link));
	link->packets = packets;
	link->is_uplink = is_uplink;
	link->netdev.ops = &ops;
	link->netdev.driver = link;
	snprintf(link->netdev.name, sizeof(link->netdev.name), "%s", name);
	memcpy(link->netdev.mac, mac, 6);
	link->uplink_head = UPLINK_HEAD_BYTES;
	link->netdev.mtu = 1500;
	link->netdev.features = TEST_ALL_FEATURES;
	link->netdev.up = true;
}

void test_link_end(struct test_link *link)
{
	for (uint32_t i = 0; i < TEST_LINK_KEEPS; i++)
		free(link->kept[i]);
}

static int add_pages(struct packet *packet, const struct frame *frame, uint32_t done,
		     enum iopage_class class)
{
	while (done < frame->length) {
		uint32_t part = frame->length - done;
		struct iopage *page = iopage_alloc(packet->pool->pages, class);

		if (!page)
			return -1;
		if (part > IOPAGE_SIZE)
			part = IOPAGE_SIZE;
		memcpy(page->data, frame->bytes + done, part);
		if (packet_add_frag(packet, page, 0, (uint16_t)part)) {
			iopage_free(page);
			return -1;
		}
		done += part;
	}
	return 0;
}

struct packet *test_link_packet(struct test_link *link, const struct frame *frame)
{
	uint32_t room = link->is_uplink ? link->uplink_head : IOPAGE_SIZE - PACKET_HEADROOM;
	uint32_t head = frame->length < room ? frame->length : room;
	struct packet *packet = link->is_uplink
					? packet_alloc(link->packets)
					: packet_alloc_page(link->packets, IOPAGE_UPLINK_READ);

	if (!packet)
		return NULL;
	memcpy(packet_append(packet, head), frame->bytes, head);
	packet->in = &link->netdev;
	packet->flags = frame->flags;
	packet->gso_type = frame->gso_type;
	packet->gso_size = frame->gso_size;
	if (add_pages(packet, frame, head,
		      link->is_uplink ? IOPAGE_UPLINK_WRITE : IOPAGE_UPLINK_READ)) {
		packet_free(packet);
		return NULL;
	}
	return packet;
}

void test_link_input_vector(struct test_link *link, const struct frame *frames, uint32_t count)
{
	struct packet_vector vector = { .count = 0 };

	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = test_link_packet(link, &frames[i]);

		if (packet)
			packet_vector_add(&vector, packet);
	}
	link->netdev.input(&link->netdev, &vector);
	if (vector.count)
		complain(link, "input left packets in the vector");
}

void test_link_input(struct test_link *link, const struct frame *frame)
{
	test_link_input_vector(link, frame, 1);
}

const struct frame *test_link_take(struct test_link *link)
{
	if (link->taken == link->sent)
		return NULL;
	if (link->sent - link->taken > TEST_LINK_KEEPS)
		link->taken = link->sent - TEST_LINK_KEEPS;
	return link->kept[link->taken++ % TEST_LINK_KEEPS];
}

void test_link_skip(struct test_link *link)
{
	link->taken = link->sent;
}
