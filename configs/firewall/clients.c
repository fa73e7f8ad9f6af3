/* SPDX-License-Identifier: ISC */
#include "configs/firewall/clients.h"

#include "arch/x86/clock.h"
#include "configs/firewall/qubes.h"
#include "lib/compiler.h"
#include "lib/log.h"
#include "net/client_addresses.h"

struct client {
	struct netdev *netdev; /* NULL: this place is free */
	const struct netback_client *about;
	struct router_visible visible; /* as attached; real == 0: it is shown nothing else */
	bool waits;		       /* to be attached, for its rules or its address */
};

static struct {
	struct router *router;
	bool qubes;
	struct client list[CLIENTS_MAX];
} clients;

/* A client that has no address may connect as often as it likes. */
static struct log_limit refused_log = LOG_LIMIT_INIT;

void clients_make(struct router *router, bool qubes)
{
	clients.router = router;
	clients.qubes = qubes;
}

void clients_input_closed(struct netdev *netdev, struct packet_vector *vector)
{
	(void)netdev;
	packet_vector_drop(vector, DROP_NO_RULES);
}

static struct client *client_of(const struct netdev *netdev)
{
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		if (clients.list[i].netdev == netdev)
			return &clients.list[i];
	return NULL;
}

/* The router's addresses for it; how many. */
static uint32_t addresses_of(const struct client *client, struct router_address addresses[2])
{
	struct ip6_address address6;
	bool has_address, has_address6;
	uint32_t count = 0;
	be32 address;

	if (client_addresses_parse(client->about->ip, &address, &has_address, &address6,
				   &has_address6))
		return 0;
	if (has_address)
		addresses[count++] = (struct router_address){ ip_address_of4(address), 32 };
	if (has_address6)
		addresses[count++] = (struct router_address){ ip_address_of6(address6.bytes), 128 };
	return count;
}

/* What the client is shown instead of its address, which is the first one. */
static struct router_visible visible_of(const struct router_address *addresses, uint32_t count)
{
	struct router_visible visible = { 0 };

	if (clients.qubes && count && addresses[0].address.version == 4)
		qubes_client_visible(ip_address_get4(&addresses[0].address), &visible);
	return visible;
}

static void attach(struct client *client)
{
	struct router_address addresses[2];
	uint32_t count = addresses_of(client, addresses);
	int error;

	if (!count) {
		log_limited(&refused_log, LOG_WARNING, client->netdev->name,
			    "its vif has no ip=ADDRESS: nothing passes from or to it");
		return;
	}
	client->waits = clients.qubes && !qubes_all_holds();
	if (client->waits)
		return;
	client->visible = visible_of(addresses, count);
	router_set_now(clients.router, clock_now_ns());
	if (be32_get(client->visible.real))
		error = router_attach_client_visible(clients.router, client->netdev,
						     &client->visible);
	else
		error = router_attach_client(clients.router, client->netdev, addresses, count);
	client->waits = error != 0;
	if (error)
		log_limited(&refused_log, LOG_WARNING, client->netdev->name,
			    "%s cannot be a client's address", client->about->ip);
}

void clients_attached(struct netdev *netdev, const struct netback_client *about, void *context)
{
	struct client *client = client_of(NULL);

	(void)context;
	netdev->input = clients_input_closed;
	if (!clients.router || !client)
		return;
	*client = (struct client){ .netdev = netdev, .about = about };
	attach(client);
}

void clients_detached(struct netdev *netdev, void *context)
{
	struct client *client = client_of(netdev);

	(void)context;
	if (!clients.router || !client)
		return;
	router_detach(clients.router, netdev);
	client->netdev = NULL;
}

static bool same_visible(const struct router_visible *a, const struct router_visible *b)
{
	return be32_equal(a->real, b->real) && be32_equal(a->address, b->address) &&
	       be32_equal(a->gateway, b->gateway);
}

void clients_refresh(void)
{
	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &clients.list[i];
		struct router_address addresses[2];
		struct router_visible now;

		if (!client->netdev)
			continue;
		if (client->waits) {
			attach(client);
			continue;
		}
		now = visible_of(addresses, addresses_of(client, addresses));
		if (same_visible(&now, &client->visible))
			continue;
		router_detach(clients.router, client->netdev);
		client->netdev->input = clients_input_closed;
		attach(client);
	}
}
