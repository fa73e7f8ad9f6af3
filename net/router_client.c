/* SPDX-License-Identifier: ISC */
/* Clients that come, with their addresses. */
#include <errno.h>
#include <string.h>

#include "net/parse.h"
#include "net/router_parts.h"

static bool is_usable(const struct router *router, const struct router_address *address)
{
	const struct ip_address *a = &address->address;

	if (a->version != 4 && a->version != 6)
		return false;
	if (address->prefix > ip_address_bits(a->version) || router_is_martian(a))
		return false;
	if (a->version == 4)
		return !router->has4 || !be32_equal(ip_address_get4(a), router->ip4.address);
	return !router->has6 || memcmp(a->bytes, router->ip6.address.bytes, sizeof(a->bytes)) != 0;
}

static void give_address(struct router_interface *client, const struct router_address *address)
{
	struct router_address *place = &client->addresses[client->address_count++];

	*place = *address;
	ip_address_mask(&place->address, place->prefix);
	if (client->address.raw == 0 && address->address.version == 4 && address->prefix == 32)
		client->address = ip_address_get4(&address->address);
}

/* Has it one of the newcomer's whole addresses? */
static bool is_twin(const struct router_interface *client, const struct router_interface *newcomer)
{
	for (uint32_t i = 0; i < newcomer->address_count; i++) {
		const struct router_address *address = &newcomer->addresses[i];

		for (uint32_t a = 0; a < client->address_count; a++)
			if (address->prefix == ip_address_bits(address->address.version) &&
			    client->addresses[a].prefix == address->prefix &&
			    ip_address_equal(&client->addresses[a].address, &address->address))
				return true;
	}
	return false;
}

/* Who had the address before has been replaced: nobody goes on with his conversations. */
static void end_older_flows(struct router *router, const struct router_interface *newcomer)
{
	for (uint32_t i = 0; i < router->interfaces_used; i++) {
		struct router_interface *client = &router->interfaces[i];

		if (client != newcomer && client->netdev && client->kind == ROUTER_CLIENT &&
		    is_twin(client, newcomer))
			flow_purge_interface(&router->flows, client->index);
	}
}

int router_attach_client(struct router *router, struct netdev *netdev,
			 const struct router_address *addresses, uint32_t count)
{
	struct router_interface *interface;

	if (count == 0 || count > ROUTER_CLIENT_ADDRESSES)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (!is_usable(router, &addresses[i]))
			return -EINVAL;
	interface = router_interface_begin(router, netdev, ROUTER_CLIENT);
	if (!interface)
		return -ENOSPC;
	for (uint32_t i = 0; i < count; i++)
		give_address(interface, &addresses[i]);
	router->clients++;
	end_older_flows(router, interface);
	router_share(router);
	return 0;
}

int router_attach_client4(struct router *router, struct netdev *netdev, be32 address)
{
	const struct router_address whole = { ip_address_of4(address), 32 };

	return router_attach_client(router, netdev, &whole, 1);
}

int router_attach_client_visible(struct router *router, struct netdev *netdev,
				 const struct router_visible *visible)
{
	struct router_interface *interface;
	int error;

	if (address_is_martian(visible->address) ||
	    be32_equal(visible->address, visible->gateway) ||
	    (visible->gateway.raw && address_is_martian(visible->gateway)))
		return -EINVAL;
	error = router_attach_client4(router, netdev, visible->real);
	if (error)
		return error;
	interface = netdev->stack;
	interface->visible = *visible;
	interface->is_visible = true;
	return 0;
}
