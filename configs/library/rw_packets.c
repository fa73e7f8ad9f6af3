/* SPDX-License-Identifier: ISC */
/*
 * The least that a stack needs below TCP and UDP: a link whose other end is whoever calls, so
 * everybody is a neighbour and there are no routes. A packet of several fragments is not put
 * together.
 */
#include <errno.h>
#include <stdlib.h>

#include "configs/library/rw_parts.h"
#include "lib/checksum.h"
#include "net/icmp4.h"
#include "net/icmp6.h"
#include "net/martian6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/reject.h"
#include "net/udp.h"

#define ETHERNET_BYTES (uint32_t)sizeof(struct ethernet_header)
#define REFUSALS_A_SECOND 1000u

/* ---- out ---- */

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct rw_stack *stack = context;

	(void)netdev;
	return packet_append_zeroes(packet_alloc_page(&stack->packets, IOPAGE_PRIVATE), bytes);
}

/* As our link promises: here the bytes lie together, so this is the place to sum them. */
static void fill_checksum(uint8_t *ip, uint32_t bytes, uint32_t transport)
{
	const struct ip4_header *ip4 = (const struct ip4_header *)ip;
	const struct ip6_header *ip6 = (const struct ip6_header *)ip;
	bool six = ip4->version_length >> 4 == 6;
	uint8_t protocol = six ? ip6->next_header : ip4->protocol;
	be16 *field = protocol == IP_PROTOCOL_UDP
			      ? &((struct udp_header *)(ip + transport))->checksum
			      : &((struct tcp_header *)(ip + transport))->checksum;
	uint16_t length = (uint16_t)(bytes - transport);
	uint32_t sum = six ? checksum_pseudo_ip6(ip6->source, ip6->destination, protocol, length)
			   : checksum_pseudo_ip4(ip4->source, ip4->destination, protocol, length);

	field->raw = 0;
	*field = checksum_finish(checksum_add(sum, ip + transport, length));
	if (protocol == IP_PROTOCOL_UDP && field->raw == 0)
		field->raw = UINT16_MAX; /* RFC 768: 0 would mean none */
}

static void send_packet(void *context, struct netdev *netdev, struct packet *packet)
{
	struct rw_stack *stack = context;
	uint32_t bytes = packet->length - ETHERNET_BYTES;
	struct rw_queued *queued = NULL;

	(void)netdev;
	if (stack->queued < stack->config.queue_packets)
		queued = malloc(sizeof(*queued) + bytes);
	if (!queued || packet_copy_out(packet, ETHERNET_BYTES, queued->data, bytes)) {
		free(queued);
		packet_drop(packet, DROP_QUOTA);
		return;
	}
	queued->bytes = bytes;
	if (packet->flags & PACKET_CSUM_BLANK)
		fill_checksum(queued->data, bytes, packet->l4_offset - ETHERNET_BYTES);
	list_push_back(&stack->queue, &queued->link);
	stack->queued++;
	packet_free(packet);
}

int rw_packet_out(struct rw_stack *stack, void *packet, size_t room)
{
	struct rw_queued *queued;
	uint32_t bytes;

	if (list_is_empty(&stack->queue))
		return 0;
	queued = list_entry(stack->queue.next, struct rw_queued, link);
	bytes = queued->bytes;
	if (bytes > room)
		return -EMSGSIZE;
	memcpy(packet, queued->data, bytes);
	list_remove(&queued->link);
	stack->queued--;
	free(queued);
	return (int)bytes;
}

static struct netdev *way(void *context, const struct ip_address *peer, struct ip_address *own)
{
	struct rw_stack *stack = context;
	const struct ip_address *ours = rw_own_address(stack, peer->version);

	if (!ours->version)
		return NULL;
	if (own->version == 0)
		*own = *ours;
	return &stack->netdev;
}

static uint16_t mtu_to(void *context, const struct netdev *netdev, const struct ip_address *peer)
{
	(void)context;
	(void)peer;
	return netdev->mtu;
}

struct socket_links rw_socket_links(struct rw_stack *stack)
{
	return (struct socket_links){
		.own = stack->own,
		.way = way,
		.mtu = mtu_to,
		.context = stack,
	};
}

void rw_link_init(struct rw_stack *stack)
{
	const struct netdev netdev = {
		.name = "memory",
		.mtu = stack->config.mtu,
		.features = stack->config.gso_bytes ? NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6 |
							      NETDEV_TX_GSO_TCPV4 |
							      NETDEV_TX_GSO_TCPV6 | NETDEV_TX_SG
						    : 0,
		.up = true,
	};

	stack->netdev = netdev;
	stack->own = (struct own){ make, send_packet, stack };
	bucket_init(&stack->refusals, REFUSALS_A_SECOND, REFUSALS_A_SECOND, stack->now);
}

void rw_link_free(struct rw_stack *stack)
{
	list_for_each_safe(link, spare, &stack->queue)
		free(list_entry(link, struct rw_queued, link));
}

/* ---- in ---- */

/* The bytes behind what the head holds. */
static bool add_pages(struct packet *packet, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		size_t part = bytes < IOPAGE_SIZE ? bytes : IOPAGE_SIZE;
		struct iopage *page = iopage_alloc(packet->pool->pages, IOPAGE_PRIVATE);

		if (!page)
			return false;
		memcpy(page->data, data, part);
		if (packet_add_frag(packet, page, 0, (uint16_t)part)) {
			iopage_free(page);
			return false;
		}
		data += part;
		bytes -= part;
	}
	return true;
}

static struct packet *packet_of(struct rw_stack *stack, const uint8_t *data, size_t bytes)
{
	size_t in_head =
		bytes < OWN_MAX_BYTES - ETHERNET_BYTES ? bytes : OWN_MAX_BYTES - ETHERNET_BYTES;
	struct packet *packet = make(stack, &stack->netdev, ETHERNET_BYTES + in_head);

	if (!packet)
		return NULL;
	memcpy(packet->data + ETHERNET_BYTES, data, in_head);
	ethernet_of(packet)->type = be16_of(data[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	packet->in = &stack->netdev;
	if (stack->config.checksums_are_right)
		packet->flags |= PACKET_CSUM_VALID;
	if (!add_pages(packet, data + in_head, bytes - in_head)) {
		packet_free(packet);
		return NULL;
	}
	return packet;
}

/* RFC 1122, 3.2.1.3 and 4.2.3.10: to us alone, and from one host. */
static bool addresses_are_right(const struct rw_stack *stack, const struct packet_info *info)
{
	struct ip_address to = packet_destination(info);

	if (!ip_address_equal(&to, rw_own_address(stack, info->key.version)))
		return false;
	if (info->key.version == 6)
		return ip6_address_is_one_host(&info->ip6.source);
	return !address_is_martian(info->key.source);
}

/* RFC 9293, 3.10.7.1; RFC 1122, 4.1.3.1: nobody is at that port. */
static void refuse(struct rw_stack *stack, struct packet *packet, const struct packet_info *info)
{
	const struct ip_address own = packet_destination(info);

	if (bucket_take(&stack->refusals, stack->now))
		reject_packet(&stack->own, &stack->netdev, packet, info, &own, REJECT_RETURN);
	packet_drop(packet, DROP_NOT_OURS);
}

static void input(struct rw_stack *stack, struct packet *packet, const struct packet_info *info)
{
	const struct router_service *service = sockets_service(stack->sockets);
	bool six = info->key.version == 6;

	if (service_wants(service, info))
		service_input(service, &stack->netdev, packet, info);
	else if (packet_is_fragment(info))
		packet_drop(packet, DROP_FRAGMENT);
	else if (info->key.protocol == IP_PROTOCOL_TCP || info->key.protocol == IP_PROTOCOL_UDP)
		refuse(stack, packet, info);
	else if (!six && info->key.protocol == IP_PROTOCOL_ICMP &&
		 info->icmp_type == ICMP4_ECHO_REQUEST)
		icmp4_echo(&stack->own, &stack->netdev, packet);
	else if (six && info->key.protocol == IP_PROTOCOL_ICMP6 &&
		 info->icmp_type == ICMP6_ECHO_REQUEST)
		icmp6_echo(&stack->own, &stack->netdev, packet, info);
	else
		packet_drop(packet, DROP_NOT_OURS);
}

int rw_packet_in(struct rw_stack *stack, const void *data, size_t bytes)
{
	struct packet_info info;
	enum drop_reason reason;
	struct packet *packet;
	uint8_t version;
	bool parsed;

	if (bytes < sizeof(struct ip4_header) || bytes > UINT16_MAX)
		return -EINVAL;
	version = *(const uint8_t *)data >> 4;
	if (version != 4 && version != 6)
		return -EINVAL;
	packet = packet_of(stack, data, bytes);
	if (!packet)
		return -ENOMEM;
	parsed = version == 6 ? parse_ip6(packet, 0, &info, &reason)
			      : parse_ip4(packet, 0, &info, &reason);
	if (!parsed || !addresses_are_right(stack, &info)) {
		packet_free(packet);
		return -EINVAL;
	}
	input(stack, packet, &info);
	rw_run(stack);
	return 0;
}
