/* SPDX-License-Identifier: ISC */
/* The router's life: start, interfaces that come and go, rules, time. */
#include "net/router.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "net/router_parts.h"

#define TIMER_BUDGET 256u
/* ICMP errors and resets: RFC 1812, 4.3.2.8 */
#define ANSWERS_PER_SECOND 200u
#define ANSWERS_BURST 50u
#define ALL_ANSWERS_PER_SECOND 1000u
#define ALL_ANSWERS_BURST 200u

size_t router_memory_bytes(uint32_t flows)
{
	return flow_table_bytes(flows, flows / 2);
}

int router_init(struct router *router, const struct router_config *config)
{
	if (config->prefix > 32 || config->flows == 0 || config->flows > FLOWS_MAX ||
	    address_is_martian(config->address) || address_is_martian(config->gateway) ||
	    be32_equal(config->address, config->gateway))
		return -EINVAL;
	memset(router, 0, sizeof(*router));
	router->address = config->address;
	router->gateway = config->gateway;
	router->mask = ip4_mask(config->prefix);
	router->packets = config->packets;
	router->random = config->random;
	router->now_ns = config->now_ns;
	list_init(&router->pending);
	router->log = (struct log_limit)LOG_LIMIT_INIT;
	router->own = (struct own){ router_own_make, router_own_send, router };
	wheel_init(&router->wheel, config->now_ns);
	arp_init(&router->arp, &router->own, &router->wheel);
	flow_table_init(&router->flows, config->memory, config->flows, config->flows / 2,
			&router->wheel, config->random);
	bucket_init(&router->answers, ALL_ANSWERS_PER_SECOND, ALL_ANSWERS_BURST, config->now_ns);
	return 0;
}

/* The uplink has a place of its own, so that its flows find it again when it returns. */
static struct router_interface *free_place(struct router *router, enum router_kind kind)
{
	uint32_t begin = kind == ROUTER_UPLINK ? 0 : 1;
	uint32_t end = kind == ROUTER_UPLINK ? 1 : ROUTER_INTERFACES;

	for (uint32_t i = begin; i < end; i++) {
		if (router->interfaces[i].netdev)
			continue;
		if (i >= router->interfaces_used)
			router->interfaces_used = i + 1;
		router->interfaces[i].index = (uint8_t)i;
		return &router->interfaces[i];
	}
	return NULL;
}

static void interface_begin(struct router *router, struct router_interface *interface,
			    struct netdev *netdev, enum router_kind kind, be32 address)
{
	interface->netdev = netdev;
	interface->router = router;
	interface->kind = kind;
	interface->address = address;
	interface->attached = ++router->attach_count;
	interface->peer_fixed = !mac_is_zero(netdev->peer_mac);
	interface->peer_known = interface->peer_fixed;
	mac_copy(interface->peer_mac, netdev->peer_mac);
	interface->out.count = 0;
	list_init(&interface->pending);
	bucket_init(&interface->answers, ANSWERS_PER_SECOND, ANSWERS_BURST, router->now_ns);
	netdev->stack = interface;
	netdev->input = router_input;
}

int router_attach_uplink(struct router *router, struct netdev *netdev)
{
	struct router_interface *interface = free_place(router, ROUTER_UPLINK);

	if (!interface)
		return -EBUSY;
	interface_begin(router, interface, netdev, ROUTER_UPLINK, router->address);
	router->uplink = interface;
	router_link_changed(router, netdev);
	return 0;
}

int router_attach_client(struct router *router, struct netdev *netdev, be32 address)
{
	struct router_interface *interface;

	if (address_is_martian(address) || be32_equal(address, router->address))
		return -EINVAL;
	interface = free_place(router, ROUTER_CLIENT);
	if (!interface)
		return -ENOSPC;
	interface_begin(router, interface, netdev, ROUTER_CLIENT, address);
	router->clients++;
	return 0;
}

static struct router_interface *interface_of(struct router *router, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < router->interfaces_used; i++)
		if (router->interfaces[i].netdev == netdev)
			return &router->interfaces[i];
	return NULL;
}

void router_detach(struct router *router, struct netdev *netdev)
{
	struct router_interface *interface = interface_of(router, netdev);

	if (!netdev || !interface)
		return;
	if (interface->kind == ROUTER_CLIENT)
		flow_purge_interface(&router->flows, interface->index);
	arp_forget(&router->arp, netdev);
	arp_drop_from(&router->arp, netdev);
	packet_vector_drop(&interface->out, DROP_DETACHED);
	list_remove(&interface->pending);
	if (interface->kind == ROUTER_UPLINK)
		router->uplink = NULL;
	else
		router->clients--;
	interface->netdev = NULL;
	netdev->stack = NULL;
	netdev->input = NULL;
}

void router_link_changed(struct router *router, struct netdev *netdev)
{
	const struct router_interface *interface = interface_of(router, netdev);

	if (!interface)
		return;
	if (!netdev->up)
		arp_forget(&router->arp, netdev);
	else if (interface->kind == ROUTER_UPLINK)
		arp_announce(&router->arp, netdev, router->address, router->now_ns);
	router_flush(router);
}

struct ruleset *router_set_rules(struct router *router, struct ruleset *rules)
{
	struct ruleset *old = router->rules;

	router->rules = rules;
	if (!rules)
		flow_purge_all(&router->flows);
	return old;
}

void router_flush_flows(struct router *router)
{
	flow_purge_all(&router->flows);
}

void router_set_now(struct router *router, uint64_t now_ns)
{
	if (now_ns > router->now_ns)
		router->now_ns = now_ns;
}

void router_run_timers(struct router *router)
{
	wheel_run(&router->wheel, router->now_ns, TIMER_BUDGET);
	router_flush(router);
}

uint64_t router_next_ns(const struct router *router)
{
	return wheel_next_ns(&router->wheel);
}
