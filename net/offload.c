/* SPDX-License-Identifier: ISC */
#include "net/offload.h"

#include <errno.h>
#include <string.h>

#include "lib/checksum.h"
#include "net/wire.h"

/* Replaces fragments that the uplink can write by private copies of them. */
static int own_fragments(struct packet *packet)
{
	for (unsigned int i = 0; i < packet->frag_count; i++) {
		struct packet_frag *frag = &packet->frags[i];
		struct iopage *copy;

		if (frag->page->class != IOPAGE_UPLINK_WRITE)
			continue;
		copy = iopage_alloc(packet->pool->pages, IOPAGE_PRIVATE);
		if (!copy)
			return -ENOMEM;
		memcpy(copy->data + frag->offset, frag->page->data + frag->offset, frag->length);
		iopage_free(frag->page);
		frag->page = copy;
	}
	return 0;
}

/* Adds bytes that follow `*odd` bytes: a part that begins at an odd place counts swapped. */
static uint32_t add_part(uint32_t sum, const uint8_t *data, uint32_t bytes, bool *odd)
{
	uint16_t part = checksum_fold(checksum_add(0, data, bytes)).raw;

	if (*odd)
		part = __builtin_bswap16(part);
	*odd ^= bytes & 1;
	return checksum_add_be16(sum, (be16){ part });
}

static uint32_t sum_from(const struct packet *packet, uint32_t offset, uint32_t sum)
{
	bool odd = false;

	sum = add_part(sum, packet->data + offset, packet->head_length - offset, &odd);
	for (unsigned int i = 0; i < packet->frag_count; i++) {
		const struct packet_frag *frag = &packet->frags[i];

		sum = add_part(sum, frag->page->data + frag->offset, frag->length, &odd);
	}
	return sum;
}

static bool is_ip6(const struct packet *packet)
{
	return ip4_of(packet)->version_length >> 4 == 6;
}

/* The pseudo-header's sum for a transport header and `bytes` in all from there. */
static uint32_t pseudo_sum(const struct packet *packet, uint8_t protocol, uint16_t bytes)
{
	const struct ip4_header *ip = ip4_of(packet);
	const struct ip6_header *ip6 = ip6_of(packet);

	if (is_ip6(packet))
		return checksum_pseudo_ip6(ip6->source, ip6->destination, protocol, bytes);
	return checksum_pseudo_ip4(ip->source, ip->destination, protocol, bytes);
}

int offload_checksum(struct packet *packet, uint8_t protocol)
{
	uint16_t bytes = (uint16_t)(packet->length - packet->l4_offset);
	bool udp = protocol == IP_PROTOCOL_UDP;
	be16 *field = udp ? &udp_of(packet)->checksum : &tcp_of(packet)->checksum;
	uint32_t sum;

	if (own_fragments(packet))
		return -ENOMEM;
	*field = (be16){ 0 };
	sum = pseudo_sum(packet, protocol, bytes);
	*field = checksum_finish(sum_from(packet, packet->l4_offset, sum));
	if (udp && field->raw == 0)
		*field = (be16){ 0xffff };
	packet->flags &= (uint8_t)~PACKET_CSUM_BLANK;
	return 0;
}

static void segment_ip4(const struct packet *segment, uint32_t index)
{
	struct ip4_header *ip = ip4_of(segment);

	ip->total_length = be16_of((uint16_t)(segment->length - segment->l3_offset));
	ip->id = be16_of((uint16_t)(be16_get(ip->id) + index));
	ip->checksum = (be16){ 0 };
	ip->checksum = checksum_finish(
		checksum_add(0, ip, (size_t)(segment->l4_offset - segment->l3_offset)));
}

static void segment_ip6(const struct packet *segment)
{
	uint32_t bytes = segment->length - segment->l3_offset - sizeof(struct ip6_header);

	ip6_of(segment)->payload_length = be16_of((uint16_t)bytes);
}

static void segment_headers(struct packet *segment, const struct packet *packet, uint32_t index,
			    uint32_t done, bool last)
{
	uint16_t bytes = (uint16_t)(segment->length - packet->l4_offset);
	struct tcp_header *tcp;

	segment->l3_offset = packet->l3_offset;
	segment->l4_offset = packet->l4_offset;
	if (is_ip6(segment))
		segment_ip6(segment);
	else
		segment_ip4(segment, index);
	tcp = tcp_of(segment);
	tcp->sequence = be32_of(be32_get(tcp->sequence) + done);
	if (!last)
		tcp->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index)
		tcp->flags &= (uint8_t)~TCP_CWR;
	tcp->checksum = (be16){ 0 };
	tcp->checksum = checksum_finish(
		checksum_add(pseudo_sum(segment, IP_PROTOCOL_TCP, bytes), tcp, bytes));
	segment->flags = PACKET_CSUM_VALID;
}

/* One segment: the headers and `bytes` of payload from `done` on. NULL: no memory. */
static struct packet *make_segment(const struct own *own, struct netdev *netdev,
				   const struct packet *packet, uint32_t headers, uint32_t done,
				   uint32_t bytes)
{
	struct packet *segment = own_make(own, netdev, headers + bytes);

	if (!segment)
		return NULL;
	memcpy(segment->data, packet->data, headers);
	if (packet_copy_out(packet, headers + done, segment->data + headers, bytes)) {
		packet_free(segment);
		return NULL;
	}
	return segment;
}

void offload_segment(const struct own *own, struct netdev *netdev, struct packet *packet)
{
	uint32_t headers = packet->l4_offset + (uint32_t)(tcp_of(packet)->data_offset >> 4) * 4;
	uint32_t payload = packet->length - headers;
	uint32_t size = packet->gso_size;
	uint32_t done = 0;

	if (size > OWN_MAX_BYTES - headers)
		size = (uint32_t)(OWN_MAX_BYTES - headers);
	if ((payload + size - 1) / size > OFFLOAD_SEGMENTS_MAX) {
		packet_drop(packet, DROP_NO_OFFLOAD);
		return;
	}
	for (uint32_t i = 0; done < payload; i++) {
		uint32_t bytes = payload - done < size ? payload - done : size;
		struct packet *segment = make_segment(own, netdev, packet, headers, done, bytes);

		if (!segment) {
			packet_drop(packet, DROP_NO_MEMORY);
			return;
		}
		segment->in = packet->in;
		segment_headers(segment, packet, i, done, done + bytes == payload);
		done += bytes;
		own_send(own, netdev, segment);
	}
	packet_free(packet);
}

struct packet *offload_linearise(const struct own *own, struct netdev *netdev,
				 struct packet *packet)
{
	struct packet *copy;

	if (packet->length > OWN_MAX_BYTES) {
		packet_drop(packet, DROP_NO_OFFLOAD);
		return NULL;
	}
	copy = own_make(own, netdev, packet->length);
	if (!copy || packet_copy_out(packet, 0, copy->data, packet->length)) {
		packet_free(copy);
		packet_drop(packet, DROP_NO_MEMORY);
		return NULL;
	}
	copy->in = packet->in;
	copy->flags = packet->flags;
	copy->l3_offset = packet->l3_offset;
	copy->l4_offset = packet->l4_offset;
	packet_free(packet);
	return copy;
}
