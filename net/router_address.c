/* SPDX-License-Identifier: ISC */
/* Who has an address: a client, we ourselves, or nobody. */
#include <string.h>

#include "net/martian6.h"
#include "net/parse.h"
#include "net/router_parts.h"

struct ip_address router_tuple_source(const struct flow_tuple *tuple)
{
	return tuple->key.version == 4 ? ip_address_of4(tuple->key.source)
				       : ip_address_of6(tuple->ip6.source.bytes);
}

struct ip_address router_tuple_destination(const struct flow_tuple *tuple)
{
	return tuple->key.version == 4 ? ip_address_of4(tuple->key.destination)
				       : ip_address_of6(tuple->ip6.destination.bytes);
}

struct ip_address router_source(const struct packet_info *info)
{
	return router_tuple_source(&info->tuple);
}

struct ip_address router_destination(const struct packet_info *info)
{
	return router_tuple_destination(&info->tuple);
}

static bool is_inside(const struct router_address *network, const struct ip_address *address)
{
	struct ip_address masked = *address;

	if (network->address.version != address->version)
		return false;
	ip_address_mask(&masked, network->prefix);
	return ip_address_equal(&masked, &network->address);
}

/* Bits of the narrowest of the client's networks with `address`, plus one; 0: none. */
static uint32_t match_of(const struct router_interface *client, const struct ip_address *address)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < client->address_count; i++)
		if (client->addresses[i].prefix + 1u > best &&
		    is_inside(&client->addresses[i], address))
			best = client->addresses[i].prefix + 1u;
	return best;
}

bool router_client_has(const struct router_interface *client, const struct ip_address *address)
{
	return match_of(client, address) != 0;
}

/*
 * Of two that have an address equally: the one that is up, then the later one. So do the
 * emulated and the paravirtual device of one guest, and the device of a guest that is started
 * again while its old one still goes away.
 */
static bool is_before(const struct router_interface *one, const struct router_interface *other)
{
	if (one->netdev->up != other->netdev->up)
		return one->netdev->up;
	return one->attached > other->attached;
}

struct router_interface *router_client_of(struct router *router, const struct ip_address *address)
{
	struct router_interface *found = NULL;
	uint32_t best = 0;

	for (uint32_t i = 0; i < router->interfaces_used; i++) {
		struct router_interface *client = &router->interfaces[i];
		uint32_t match;

		if (!client->netdev || client->kind != ROUTER_CLIENT)
			continue;
		match = match_of(client, address);
		if (match > best || (match && match == best && is_before(client, found))) {
			found = client;
			best = match;
		}
	}
	return found;
}

bool router_is_clients_own(const struct router *router, const struct ip_address *address)
{
	for (uint32_t i = 0; i < router->interfaces_used; i++) {
		const struct router_interface *client = &router->interfaces[i];

		if (!client->netdev || client->kind != ROUTER_CLIENT)
			continue;
		for (uint32_t a = 0; a < client->address_count; a++)
			if (client->addresses[a].prefix == ip_address_bits(address->version) &&
			    ip_address_equal(&client->addresses[a].address, address))
				return true;
	}
	return false;
}

bool router_is_own(const struct router *router, const struct router_interface *on,
		   const struct ip_address *address)
{
	if (address->version == 4)
		return router->has4 && be32_equal(ip_address_get4(address), router->ip4.address);
	if (router->has6 && memcmp(address->bytes, router->ip6.address.bytes, 16) == 0)
		return true;
	return memcmp(address->bytes, on->link_local.bytes, 16) == 0;
}

static bool is_on_uplink(const struct router *router, const struct ip_address *address)
{
	struct router_address network = { .prefix = router->ip6.prefix };

	if (address->version == 4)
		return router->has4 && ((ip_address_get4(address).raw ^ router->ip4.address.raw) &
					router->mask4.raw) == 0;
	network.address = ip_address_of6(router->ip6.address.bytes);
	ip_address_mask(&network.address, network.prefix);
	return router->has6 && is_inside(&network, address);
}

bool router_claims(struct router *router, const struct ip_address *address)
{
	struct ip_address gateway = address->version == 4
					    ? ip_address_of4(router->ip4.gateway)
					    : ip_address_of6(router->ip6.gateway.bytes);

	return is_on_uplink(router, address) && !router_is_martian(address) &&
	       ruleset_claims(router->rules, address, &gateway) &&
	       !router_client_of(router, address);
}

struct ip_address router_own_address(const struct router *router, const struct router_interface *on,
				     uint8_t version)
{
	if (version == 4)
		return router->has4 ? ip_address_of4(router->ip4.address)
				    : (struct ip_address){ 0 };
	return ip_address_of6(router->has6 ? router->ip6.address.bytes : on->link_local.bytes);
}

bool router_is_martian(const struct ip_address *address)
{
	struct ip6_address six;

	if (address->version == 4)
		return address_is_martian(ip_address_get4(address));
	memcpy(six.bytes, address->bytes, sizeof(six.bytes));
	return ip6_address_is_martian(&six);
}

bool router_is_multicast(const struct ip_address *address)
{
	return address->version == 4 ? address_is_multicast(ip_address_get4(address))
				     : address->bytes[0] == 0xff;
}
