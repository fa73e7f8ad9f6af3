/* SPDX-License-Identifier: ISC */
#include "net/visible.h"

#include "net/nat.h"
#include "net/parse.h"

/* Two addresses that become two others; a first one of 0 is none. */
struct exchange {
	be32 from[2], to[2];
};

static be32 exchanged(const struct exchange *exchange, be32 address)
{
	for (unsigned int i = 0; i < 2; i++)
		if (exchange->from[i].raw && be32_equal(address, exchange->from[i]))
			return exchange->to[i];
	return address;
}

static void readdress(struct packet *packet, const struct packet_info *info,
		      const struct exchange *exchange)
{
	be32 source = exchanged(exchange, info->key.source);
	be32 destination = exchanged(exchange, info->key.destination);
	struct quoted_packet quoted;

	nat_readdress(packet, info, source, destination);
	if (info->kind != PACKET_ICMP_ERROR || parse6_is_later_fragment(&info->fragment))
		return;
	/* Its addresses can be read, and change, also where nothing else makes sense. */
	if (!parse_quoted(packet, info, &quoted) && !quoted.ip_offset)
		return;
	nat_readdress_quote(packet, &quoted, exchanged(exchange, quoted.answer.key.destination),
			    exchanged(exchange, quoted.answer.key.source));
}

bool visible_enter(struct packet *packet, struct packet_info *info,
		   const struct router_visible *visible, be32 own)
{
	struct exchange exchange = { .from = { visible->address }, .to = { visible->real, own } };

	if (!be32_equal(info->key.source, visible->address))
		return false;
	if (own.raw)
		exchange.from[1] = visible->gateway;
	readdress(packet, info, &exchange);
	info->key.source = ip4_of(packet)->source;
	info->key.destination = ip4_of(packet)->destination;
	return true;
}

bool visible_leave(struct packet *packet, const struct router_visible *visible, be32 own)
{
	struct exchange exchange = { .from = { visible->real },
				     .to = { visible->address, visible->gateway } };
	uint16_t type = be16_get(ethernet_of(packet)->type);
	enum drop_reason reason;
	struct packet_info info;

	if (type != ETHERTYPE_IP4)
		return type == ETHERTYPE_ARP;
	if (!parse_ip4(packet, 0, &info, &reason))
		return false;
	if (visible->gateway.raw)
		exchange.from[1] = own;
	readdress(packet, &info, &exchange);
	return true;
}
