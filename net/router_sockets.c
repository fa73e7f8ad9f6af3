/* SPDX-License-Identifier: ISC */
#include "net/router_sockets.h"

#include "net/martian6.h"
#include "net/nat_mapping.h"
#include "net/router_parts.h"

static bool is_link_local(const struct ip_address *address)
{
	struct ip6_address six;

	if (address->version != 6)
		return false;
	memcpy(six.bytes, address->bytes, sizeof(six.bytes));
	return ip6_address_is_link_local(&six);
}

/* Neighbours by their link-local addresses: those on the uplink, for clients have none. */
static struct ip_address own_towards(const struct router *router,
				     const struct router_interface *out,
				     const struct ip_address *peer)
{
	if (is_link_local(peer))
		return ip_address_of6(out->link_local.bytes);
	return router_own_address(router, out, peer->version);
}

static struct router_interface *out_towards(struct router *router, const struct ip_address *peer)
{
	struct router_interface *out;

	if (router_is_multicast(peer) || (router_is_martian(peer) && !is_link_local(peer)))
		return NULL;
	out = router_client_of(router, peer);
	if (out)
		return out;
	return address_set_has(&router->downstream, peer) ? NULL : router->uplink;
}

/* As router_send_udp(). From an address that is no longer ours nothing leaves. */
static struct netdev *way(void *context, const struct ip_address *peer, struct ip_address *own)
{
	struct router *router = context;
	struct router_interface *out = out_towards(router, peer);

	if (!out || router_is_own(router, out, peer))
		return NULL;
	if (own->version == 0)
		*own = own_towards(router, out, peer);
	return own->version == peer->version && router_is_own(router, out, own) ? out->netdev
										: NULL;
}

static uint16_t mtu(void *context, const struct netdev *netdev, const struct ip_address *peer)
{
	(void)context;
	return router_mtu(netdev->stack, peer->version);
}

static void leave(void *context, struct netdev *netdev, struct packet *packet)
{
	router_egress(context, netdev->stack, packet, ip4_of(packet)->version_length >> 4);
}

/* ---- ports ---- */

/* The answers of such a conversation; addresses that are not known are 0. */
static struct flow_tuple answers(const struct router_interface *in, uint8_t protocol,
				 const struct socket_address *own,
				 const struct socket_address *peer)
{
	uint8_t version = own->ip.version ? own->ip.version : peer->ip.version;
	struct flow_tuple tuple = {
		.key = { .source_port = be16_of(peer->port),
			 .destination_port = be16_of(own->port),
			 .protocol = protocol,
			 .interface = in ? in->index : 0,
			 .version = version == 6 ? 6 : 4 },
	};
	struct ip6_address six;

	if (tuple.key.version == 4) {
		tuple.key.source = ip_address_get4(&peer->ip);
		tuple.key.destination = ip_address_get4(&own->ip);
		return tuple;
	}
	memcpy(six.bytes, peer->ip.bytes, sizeof(six.bytes));
	flow_tuple_set_source6(&tuple, &six);
	memcpy(six.bytes, own->ip.bytes, sizeof(six.bytes));
	flow_tuple_set_destination6(&tuple, &six);
	return tuple;
}

static bool is_mapped(const struct router *router, uint8_t protocol,
		      const struct ip_address *address, uint16_t port)
{
	struct nat_endpoint external = { .port = be16_of(port),
					 .protocol = protocol,
					 .version = address->version };

	memcpy(external.address.bytes, address->bytes, sizeof(external.address.bytes));
	return nat_mapping_find(&router->nat.mappings, &external);
}

static bool port_is_free(void *context, uint8_t protocol, const struct socket_address *own,
			 const struct socket_address *peer)
{
	struct router *router = context;
	const struct router_interface *in =
		peer->ip.version ? out_towards(router, &peer->ip) : NULL;
	struct packet_info info = { .tuple = answers(in, protocol, own, peer) };
	struct ip_address four = ip_address_of4(router->ip4.address);
	struct ip_address six = ip_address_of6(router->ip6.address.bytes);
	enum flow_direction direction;

	if (service_that_holds(router->service, &info))
		return false;
	if (own->ip.version != 6 && is_mapped(router, protocol, &four, own->port))
		return false;
	if (own->ip.version != 4 && is_mapped(router, protocol, &six, own->port))
		return false;
	return !in || !flow_find(&router->flows, &info.tuple,
				 flow_hash(&router->flows, &info.tuple), &direction);
}

struct socket_links router_socket_links(struct router *router)
{
	return (struct socket_links){
		.own = { router_own_make, leave, router },
		.way = way,
		.mtu = mtu,
		.port_is_free = port_is_free,
		.context = router,
	};
}
