/* SPDX-License-Identifier: ISC */
#include "net/tcp_core_packet.h"

#include <string.h>

#include "lib/checksum.h"
#include "net/wire.h"

/* ---- out ---- */

/* A part of a transmission that becomes one packet. */
struct part {
	const struct tcp_transmission *t;
	struct netdev *netdev;
	uint32_t offset;
	uint32_t bytes;
	bool last;
};

static uint32_t headers_of(const struct tcp_transmission *t)
{
	return (uint32_t)(sizeof(struct ethernet_header) + sizeof(struct tcp_header)) +
	       t->option_bytes +
	       (uint32_t)(t->key.version == 6 ? sizeof(struct ip6_header)
					      : sizeof(struct ip4_header));
}

static bool has_checksum(const struct netdev *netdev, uint8_t version)
{
	return netdev->features & (version == 6 ? NETDEV_TX_CSUM_IPV6 : NETDEV_TX_CSUM_IPV4);
}

static bool has_gso(const struct netdev *netdev, uint8_t version)
{
	return has_checksum(netdev, version) && netdev->features & NETDEV_TX_SG &&
	       netdev->features & (version == 6 ? NETDEV_TX_GSO_TCPV6 : NETDEV_TX_GSO_TCPV4);
}

/* Copies the payload from `offset` on. */
static void copy(const struct tcp_transmission *t, uint32_t offset, uint8_t *to, uint32_t bytes)
{
	for (unsigned int i = 0; i < t->piece_count && bytes; i++) {
		const struct tcp_piece *piece = &t->pieces[i];
		uint32_t size;

		if (offset >= piece->bytes) {
			offset -= piece->bytes;
			continue;
		}
		size = piece->bytes - offset < bytes ? piece->bytes - offset : bytes;
		memcpy(to, piece->data + offset, size);
		to += size;
		bytes -= size;
		offset = 0;
	}
}

static void put_ip4(struct packet *packet, const struct tcp_transmission *t)
{
	struct ip4_header *ip = ip4_of(packet);

	ip->version_length = IP4_VERSION_NO_OPTIONS;
	ip->tos = t->ecn;
	ip->total_length = be16_of((uint16_t)(packet->length - packet->l3_offset));
	ip->fragment = be16_of(IP4_DONT_FRAGMENT);
	ip->ttl = IP4_DEFAULT_TTL;
	ip->protocol = IP_PROTOCOL_TCP;
	memcpy(&ip->source, t->key.own, sizeof(ip->source));
	memcpy(&ip->destination, t->key.peer, sizeof(ip->destination));
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

static void put_ip6(struct packet *packet, const struct tcp_transmission *t)
{
	struct ip6_header *ip = ip6_of(packet);

	ip->version_class_flow = be32_of(6u << 28 | (uint32_t)t->ecn << 20);
	ip->payload_length = be16_of((uint16_t)(packet->length - packet->l4_offset));
	ip->next_header = IP_PROTOCOL_TCP;
	ip->hop_limit = IP4_DEFAULT_TTL;
	memcpy(ip->source, t->key.own, sizeof(ip->source));
	memcpy(ip->destination, t->key.peer, sizeof(ip->destination));
}

static uint32_t pseudo_sum(const struct tcp_key *key, const uint8_t *from, const uint8_t *to,
			   uint16_t length)
{
	be32 from4, to4;

	if (key->version == 6)
		return checksum_pseudo_ip6(from, to, IP_PROTOCOL_TCP, length);
	memcpy(&from4, from, sizeof(from4));
	memcpy(&to4, to, sizeof(to4));
	return checksum_pseudo_ip4(from4, to4, IP_PROTOCOL_TCP, length);
}

static void put_tcp(struct packet *packet, const struct part *part)
{
	const struct tcp_transmission *t = part->t;
	struct tcp_header *tcp = tcp_of(packet);
	uint16_t length = (uint16_t)(packet->length - packet->l4_offset);
	uint32_t sum = pseudo_sum(&t->key, t->key.own, t->key.peer, length);

	tcp->source_port = t->key.own_port;
	tcp->destination_port = t->key.peer_port;
	tcp->sequence = be32_of(t->sequence + part->offset);
	tcp->acknowledgement = be32_of(t->acknowledgement);
	tcp->data_offset = (uint8_t)((sizeof(*tcp) + t->option_bytes) / 4 << 4);
	tcp->flags = t->flags;
	if (!part->last)
		tcp->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (part->offset)
		tcp->flags &= (uint8_t)~TCP_CWR;
	tcp->window = be16_of(t->window);
	memcpy(tcp + 1, t->options, t->option_bytes);
	if (has_checksum(part->netdev, t->key.version)) {
		tcp->checksum = checksum_fold(sum);
		packet->flags |= PACKET_CSUM_BLANK;
		return;
	}
	/* All of it is in the head: there are fragments only where the link sums up. */
	tcp->checksum = checksum_finish(checksum_add(sum, tcp, length));
}

/* The payload that the head has no room for, in pages that the link can send from. */
static bool add_pages(struct packet *packet, const struct part *part, uint32_t done)
{
	enum iopage_class class = packet->head_page ? packet->head_page->class : IOPAGE_PRIVATE;

	while (done < part->bytes) {
		struct iopage *page = iopage_alloc(packet->pool->pages, class);
		uint32_t size = part->bytes - done;

		if (!page)
			return false;
		size = size < IOPAGE_SIZE ? size : IOPAGE_SIZE;
		copy(part->t, part->offset + done, page->data, size);
		if (packet_add_frag(packet, page, 0, (uint16_t)size)) {
			iopage_free(page);
			return false;
		}
		done += size;
	}
	return true;
}

static bool send_part(struct tcp_packets *packets, const struct part *part)
{
	const struct tcp_transmission *t = part->t;
	uint32_t headers = headers_of(t);
	uint32_t in_head = part->bytes;
	struct packet *packet;

	if (in_head > OWN_MAX_BYTES - headers)
		in_head = part->netdev->features & NETDEV_TX_SG &&
					  has_checksum(part->netdev, t->key.version)
				  ? 0
				  : OWN_MAX_BYTES - headers;
	packet = own_make(&packets->own, part->netdev, headers + in_head);
	if (!packet)
		return false;
	copy(t, part->offset, packet->data + headers, in_head);
	if (in_head == 0 && !add_pages(packet, part, 0)) {
		packet_free(packet);
		return false;
	}
	packet->l3_offset = sizeof(struct ethernet_header);
	packet->l4_offset = (uint16_t)(headers - t->option_bytes - sizeof(struct tcp_header));
	ethernet_of(packet)->type = be16_of(t->key.version == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	if (t->key.version == 6)
		put_ip6(packet, t);
	else
		put_ip4(packet, t);
	put_tcp(packet, part);
	if (t->gso_size && part->bytes > t->gso_size) {
		packet->gso_type = t->key.version == 6 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4;
		packet->gso_size = t->gso_size;
	}
	own_send(&packets->own, part->netdev, packet);
	return true;
}

bool tcp_packets_send(void *context, const struct tcp_transmission *t)
{
	struct tcp_packets *packets = context;
	struct part part = { .t = t, .netdev = t->route };
	uint32_t step = t->bytes;

	if (!part.netdev)
		part.netdev = packets->way(packets->context, &t->key);
	if (!part.netdev || !part.netdev->up) {
		packets->no_way++;
		return true;
	}
	if (t->gso_size && !has_gso(part.netdev, t->key.version))
		step = t->gso_size;
	do {
		part.bytes = t->bytes - part.offset < step ? t->bytes - part.offset : step;
		part.last = part.offset + part.bytes == t->bytes;
		if (!send_part(packets, &part)) {
			packets->no_memory++;
			/* What is left of one that has begun counts as lost. */
			return part.offset != 0;
		}
		part.offset += part.bytes;
	} while (part.offset < t->bytes);
	return true;
}

/* ---- in ---- */

static bool wants(void *context, const struct packet_info *info)
{
	(void)context;
	return info->key.protocol == IP_PROTOCOL_TCP && info->kind == PACKET_ORDINARY &&
	       !packet_is_fragment(info);
}

struct tcp_key tcp_packets_key(const struct packet_info *info)
{
	struct tcp_key key = {
		.own_port = info->key.destination_port,
		.peer_port = info->key.source_port,
		.version = info->key.version,
	};

	if (key.version == 6) {
		memcpy(key.own, info->ip6.destination.bytes, sizeof(key.own));
		memcpy(key.peer, info->ip6.source.bytes, sizeof(key.peer));
	} else {
		memcpy(key.own, &info->key.destination, sizeof(info->key.destination));
		memcpy(key.peer, &info->key.source, sizeof(info->key.source));
	}
	return key;
}

/* The payload where it lies: the rest of the head, and fragments. */
static void find_pieces(const struct packet *packet, const struct packet_info *info,
			struct tcp_segment *segment)
{
	uint32_t skip = (uint32_t)packet->l3_offset + info->header_length;
	uint32_t left = info->payload_length;

	for (int i = -1; i < packet->frag_count && left; i++) {
		const struct packet_frag *frag = i < 0 ? NULL : &packet->frags[i];
		uint32_t size = frag ? frag->length : packet->head_length;
		const uint8_t *data = frag ? frag->page->data + frag->offset : packet->data;

		if (skip >= size) {
			skip -= size;
			continue;
		}
		size = size - skip < left ? size - skip : left;
		segment->pieces[segment->piece_count++] = (struct tcp_piece){ data + skip, size };
		segment->bytes += size;
		left -= size;
		skip = 0;
	}
}

/* Pieces may have odd sizes; then those behind them are summed with their bytes changed over. */
static bool checksum_is_right(const struct packet *packet, const struct packet_info *info,
			      const struct tcp_segment *segment)
{
	uint32_t headers = info->header_length + (uint32_t)packet->l3_offset - packet->l4_offset;
	uint32_t sum = pseudo_sum(&segment->key, segment->key.peer, segment->key.own,
				  (uint16_t)(headers + segment->bytes));
	bool odd = false;

	if (packet->flags & (PACKET_CSUM_BLANK | PACKET_CSUM_VALID))
		return true;
	sum = checksum_fold32(checksum_add(sum, packet->data + packet->l4_offset, headers));
	for (unsigned int i = 0; i < segment->piece_count; i++) {
		const struct tcp_piece *piece = &segment->pieces[i];
		uint16_t part = checksum_fold32(checksum_add(0, piece->data, piece->bytes));

		sum += odd ? __builtin_bswap16(part) : part;
		odd ^= piece->bytes & 1;
	}
	return checksum_fold32(sum) == UINT16_MAX;
}

void tcp_packets_flush(struct tcp_packets *packets)
{
	struct tcp_merge *merge = &packets->merge;

	if (!merge->count)
		return;
	tcp_input(packets->stack, &merge->segment, merge->netdev, packets->now);
	tcp_merge_end(merge);
}

/* To the core, or to what is held for it. The order in which packets came stays. */
static void give(struct tcp_packets *packets, struct netdev *netdev, struct packet *packet,
		 const struct tcp_segment *segment)
{
	if (tcp_merge_join(&packets->merge, netdev, packet, segment)) {
		if (tcp_merge_is_complete(&packets->merge))
			tcp_packets_flush(packets);
		return;
	}
	tcp_packets_flush(packets);
	if (packets->merges && tcp_merge_begin(&packets->merge, netdev, packet, segment))
		return;
	tcp_input(packets->stack, segment, netdev, packets->now);
	packet_free(packet);
}

static void input(void *context, struct netdev *netdev, struct packet *packet,
		  const struct packet_info *info)
{
	struct tcp_packets *packets = context;
	uint32_t options = packet->l4_offset + (uint32_t)sizeof(struct tcp_header);
	uint32_t end = (uint32_t)packet->l3_offset + info->header_length;
	struct tcp_segment segment;

	if (end < options || end - options > TCP_OPTIONS_MAX || end > packet->head_length) {
		packet_drop(packet, DROP_BAD_TRANSPORT);
		return;
	}
	segment.key = tcp_packets_key(info);
	segment.key.zone = packets->zone;
	segment.sequence = info->tcp_sequence;
	segment.acknowledgement = info->tcp_acknowledgement;
	segment.window = info->tcp_window;
	segment.flags = info->tcp_flags;
	segment.ecn = (info->key.version == 6 ? info->traffic_class : ip4_of(packet)->tos) & 3;
	segment.option_bytes = (uint8_t)(end - options);
	segment.options = packet->data + options;
	segment.piece_count = 0;
	segment.bytes = 0;
	find_pieces(packet, info, &segment);
	segment.segments =
		packet->gso_size
			? (uint16_t)((segment.bytes + packet->gso_size - 1) / packet->gso_size)
			: 1;
	if (segment.bytes != info->payload_length || !checksum_is_right(packet, info, &segment)) {
		packet_drop(packet,
			    segment.bytes != info->payload_length ? DROP_SHORT : DROP_BAD_CHECKSUM);
		return;
	}
	give(packets, netdev, packet, &segment);
}

struct router_service tcp_packets_service(struct tcp_packets *packets)
{
	return (struct router_service){ .wants = wants, .input = input, .context = packets };
}
