/* SPDX-License-Identifier: ISC */
/* The router's life: start, interfaces that come and go, rules, time. */
#include "net/router.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "net/ip6_make.h"
#include "net/martian6.h"
#include "net/parse.h"
#include "net/router_parts.h"

#define TIMER_BUDGET 256u
/* ICMP errors and resets: RFC 1812, 4.3.2.8 */
#define ANSWERS_PER_SECOND 200u
#define ANSWERS_BURST 50u
#define ALL_ANSWERS_PER_SECOND 1000u
#define ALL_ANSWERS_BURST 200u
/* Packets of one interface to neighbours that are not known: each may push out a question. */
#define WAITS_PER_SECOND 100u
#define WAITS_BURST 256u
/* Datagrams in parts that are remembered, and packets that wait for their first part. */
#define FRAGMENTS_LEAST 256u
#define FRAGMENTS_MOST 2048u
#define FRAGMENTS_HELD 256u
#define FRAGMENTS_HELD_SHARE 8u /* of all packets at most such a part */
#define LIMITS_RULES 256u	/* that have flows counted for them at one time */
#define LIMITS_SOURCES_LEAST 256u

/* One block of memory holds, each at the start of a cache line: */
struct layout {
	size_t flows, nat, limits, fragments, total;
};

static size_t line_up(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

/* Sources whose flows are counted by rule. */
static uint32_t sources_of(uint32_t flows)
{
	return flows / 4 > LIMITS_SOURCES_LEAST ? flows / 4 : LIMITS_SOURCES_LEAST;
}

/* Every flow has one, and one is chosen for each owner before an old flow goes. */
static uint32_t mappings_of(uint32_t flows)
{
	return flows + ROUTER_INTERFACES;
}

static uint32_t flows6_of(uint32_t flows)
{
	return flows - flows / 2;
}

static struct fragments_config fragments_of(uint32_t flows)
{
	uint32_t entries = flows / 32;

	entries = entries < FRAGMENTS_LEAST  ? FRAGMENTS_LEAST
		  : entries > FRAGMENTS_MOST ? FRAGMENTS_MOST
					     : entries;
	return (struct fragments_config){
		.entries = entries,
		.owners = ROUTER_INTERFACES,
		.held_packets = FRAGMENTS_HELD,
		.held_bytes = FRAGMENTS_HELD * IOPAGE_SIZE,
		.owner_entries = entries,
		.owner_held_packets = FRAGMENTS_HELD,
		.owner_held_bytes = FRAGMENTS_HELD * IOPAGE_SIZE,
	};
}

/* What waits for its first part is kept from the rings: little where there is little. */
static void limit_held(struct fragments_config *config, const struct packet_pool *packets)
{
	uint32_t part = packets->total / FRAGMENTS_HELD_SHARE;

	if (part < config->held_packets)
		config->held_packets = part ? part : 1;
	config->held_bytes = config->held_packets * IOPAGE_SIZE;
}

static struct layout layout_of(uint32_t flows)
{
	struct fragments_config fragments = fragments_of(flows);
	struct layout layout = { .flows = 0 };

	layout.nat = layout.flows + line_up(flow_table_bytes(flows, flows6_of(flows)));
	layout.limits = layout.nat + line_up(nat_memory_bytes(mappings_of(flows)));
	layout.fragments =
		layout.limits + line_up(flow_limits_bytes(LIMITS_RULES, sources_of(flows)));
	/* And one line, for memory that does not begin with one. */
	layout.total = layout.fragments + line_up(fragments_bytes(&fragments)) + 64;
	return layout;
}

size_t router_memory_bytes(uint32_t flows)
{
	return layout_of(flows).total;
}

/* However many use up theirs, there is a share left for one more. */
static void share_fragments(struct router *router)
{
	const struct rules_options *options = ruleset_options(router->rules);
	struct fragments_config *config = &router->fragments.config;
	uint32_t limit = options->limit_fragments;
	uint32_t all = limit && limit < config->entries ? limit : config->entries;
	uint32_t sharers = router->clients + 2; /* the uplink, and who comes next */
	uint32_t entries = all / sharers, held = config->held_packets / sharers;

	config->seconds = options->timeout[RULES_FRAGMENT];
	config->owner_entries = entries ? entries : 1;
	config->owner_held_packets = held ? held : 1;
	config->owner_held_bytes = config->owner_held_packets * IOPAGE_SIZE;
	fragments_trim(&router->fragments);
}

/*
 * What one owner may have of `total`. However many use up theirs, there is a share left for
 * one more; the smaller part is for what is begun from outside.
 */
static uint32_t share_of(const struct router *router, uint32_t total, bool inbound)
{
	uint32_t limit = ruleset_options(router->rules)->limit_states;
	uint32_t all = limit && limit < total ? limit : total;
	uint32_t part = all / ROUTER_INBOUND_SHARE;
	uint32_t share = (inbound ? part : all - part) / (router->clients + 1);

	return share ? share : 1;
}

struct router_quota router_quota(const struct router *router, bool inbound)
{
	return (struct router_quota){
		.flows = share_of(router, router->flows.total, inbound),
		.flows6 = share_of(router, router->flows.total6, inbound),
	};
}

/* Shares have become smaller: nobody keeps more than what is left to him. */
static void share_flows(struct router *router)
{
	struct router_quota out = router_quota(router, false), in = router_quota(router, true);

	for (uint32_t i = 0; i < router->interfaces_used; i++) {
		flow_trim(&router->flows, (uint8_t)i, out.flows, out.flows6, UINT32_MAX,
			  router->now_ns);
		flow_trim(&router->flows, flow_owner_inbound((uint8_t)i), in.flows, in.flows6,
			  UINT32_MAX, router->now_ns);
	}
}

void router_share(struct router *router)
{
	share_fragments(router);
	share_flows(router);
}

/* For struct nat. Services take nothing that is to none of our own addresses. */
static bool is_ours(void *context, const struct flow_tuple *reply)
{
	const struct router *router = context;
	struct ip_address own;
	struct packet_info info;

	if (!router->service)
		return false;
	own = router_tuple_destination(reply);
	if (!router_is_own(router, &router->interfaces[reply->key.interface], &own))
		return false;
	info = (struct packet_info){ .tuple = *reply };
	return service_that_holds(router->service, &info);
}

static void memory_lay(struct router *router, const struct router_config *config)
{
	struct fragments_config fragments = fragments_of(config->flows);
	struct layout layout = layout_of(config->flows);
	uint8_t *memory = config->memory;

	limit_held(&fragments, config->packets);
	memory += -(uintptr_t)memory & 63;
	flow_table_init(&router->flows, memory + layout.flows, config->flows,
			flows6_of(config->flows), &router->wheel, config->random);
	nat_init(&router->nat, memory + layout.nat, mappings_of(config->flows), &router->flows,
		 config->random);
	router->nat.is_ours = is_ours;
	router->nat.context = router;
	flow_limits_init(&router->limits, memory + layout.limits, LIMITS_RULES,
			 sources_of(config->flows), config->random);
	router->flows.limits = &router->limits;
	router->flows.removed = nat_flow_removed;
	router->flows.removed_context = &router->nat;
	fragments_init(&router->fragments, memory + layout.fragments, &fragments, &router->wheel,
		       config->random);
	share_fragments(router);
}

static bool uplink4_is_good(const struct router_uplink4 *ip4)
{
	if (ip4->address.raw == 0)
		return true;
	return ip4->prefix <= 32 && !address_is_martian(ip4->address) &&
	       (ip4->gateway.raw == 0 || !address_is_martian(ip4->gateway)) &&
	       !be32_equal(ip4->address, ip4->gateway);
}

static bool uplink6_is_good(const struct router_uplink6 *ip6)
{
	if (ip6_address_is_unspecified(&ip6->address))
		return true;
	if (ip6_address_is_unspecified(&ip6->gateway))
		return ip6->prefix <= 128 && !ip6_address_is_martian(&ip6->address);
	return ip6->prefix <= 128 && !ip6_address_is_martian(&ip6->address) &&
	       !ip6_address_is_multicast(&ip6->gateway) &&
	       !ip6_address_equal(&ip6->address, &ip6->gateway);
}

static void set4(struct router *router, const struct router_uplink4 *ip4)
{
	router->ip4 = *ip4;
	router->mask4 = ip4_mask(ip4->prefix);
	router->has4 = ip4->address.raw != 0;
}

static void set6(struct router *router, const struct router_uplink6 *ip6)
{
	router->ip6 = *ip6;
	router->has6 = !ip6_address_is_unspecified(&ip6->address);
}

int router_init(struct router *router, const struct router_config *config)
{
	if (!uplink4_is_good(&config->ip4) || !uplink6_is_good(&config->ip6) ||
	    config->flows == 0 || config->flows > FLOWS_MAX)
		return -EINVAL;
	memset(router, 0, sizeof(*router));
	set4(router, &config->ip4);
	set6(router, &config->ip6);
	router->masquerade4 = config->masquerade4;
	router->masquerade6 = config->masquerade6;
	router->packets = config->packets;
	router->packet_log = config->packet_log;
	router->random = config->random;
	router->now_ns = config->now_ns;
	router->fragment_id = random_u32(config->random);
	list_init(&router->pending);
	router->log = (struct log_limit)LOG_LIMIT_INIT;
	router->own = (struct own){ router_own_make, router_own_send, router };
	wheel_init(&router->wheel, config->now_ns);
	arp_init(&router->arp, &router->own, &router->wheel);
	ndp_init(&router->ndp, &router->own, &router->wheel, config->now_ns);
	memory_lay(router, config);
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

struct router_interface *router_interface_begin(struct router *router, struct netdev *netdev,
						enum router_kind kind)
{
	struct router_interface *interface = free_place(router, kind);

	if (!interface)
		return NULL;
	interface->netdev = netdev;
	interface->router = router;
	interface->kind = kind;
	memcpy(interface->name, netdev->name, sizeof(interface->name));
	interface->address = (be32){ 0 };
	interface->is_visible = false;
	interface->address_count = 0;
	interface->link_local = ip6_link_local_of_mac(netdev->mac);
	interface->attached = ++router->attach_count;
	interface->peer_fixed = !mac_is_zero(netdev->peer_mac);
	interface->peer_known = interface->peer_fixed;
	mac_copy(interface->peer_mac, netdev->peer_mac);
	interface->out.count = 0;
	list_init(&interface->pending);
	bucket_init(&interface->answers, ANSWERS_PER_SECOND, ANSWERS_BURST, router->now_ns);
	bucket_init(&interface->waits, WAITS_PER_SECOND, WAITS_BURST, router->now_ns);
	netdev->stack = interface;
	netdev->input = router_input;
	return interface;
}

/* What we are called on the uplink's link, if not by our MAC. */
static void set_link_local(struct router *router)
{
	struct router_interface *uplink = router->uplink;

	if (!uplink)
		return;
	if (ip6_address_is_unspecified(&router->ip6.link_local))
		uplink->link_local = ip6_link_local_of_mac(uplink->netdev->mac);
	else
		uplink->link_local = router->ip6.link_local;
}

int router_attach_uplink(struct router *router, struct netdev *netdev)
{
	struct router_interface *interface = router_interface_begin(router, netdev, ROUTER_UPLINK);

	if (!interface)
		return -EBUSY;
	router->uplink = interface;
	set_link_local(router);
	router_link_changed(router, netdev);
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
	fragments_purge_interface(&router->fragments, interface->index);
	arp_forget(&router->arp, netdev);
	arp_drop_from(&router->arp, netdev);
	ndp_forget(&router->ndp, netdev);
	ndp_drop_from(&router->ndp, netdev);
	packet_vector_drop(&interface->out, DROP_DETACHED);
	list_remove(&interface->pending);
	if (interface->kind == ROUTER_UPLINK)
		router->uplink = NULL;
	else
		router->clients--;
	share_fragments(router);
	interface->netdev = NULL;
	netdev->stack = NULL;
	netdev->input = NULL;
}

/* Everybody on the uplink is told where our addresses are now. */
static void announce4(struct router *router)
{
	struct netdev *netdev = router->uplink->netdev;

	if (router->has4 && netdev->up)
		arp_announce(&router->arp, netdev, router->ip4.address, router->now_ns);
}

static void announce6(struct router *router)
{
	struct netdev *netdev = router->uplink->netdev;

	if (router->has6 && netdev->up)
		ndp_advertise(&router->ndp, netdev, &router->ip6.address, router->now_ns);
}

void router_link_changed(struct router *router, struct netdev *netdev)
{
	const struct router_interface *interface = interface_of(router, netdev);

	if (!interface)
		return;
	if (!netdev->up) {
		arp_forget(&router->arp, netdev);
		ndp_forget(&router->ndp, netdev);
	} else if (interface->kind == ROUTER_UPLINK) {
		announce4(router);
		announce6(router);
	}
	router_flush(router);
}

int router_set_uplink4(struct router *router, const struct router_uplink4 *ip4)
{
	const struct ip_address address = ip_address_of4(ip4->address);

	if (!uplink4_is_good(ip4) || router_is_clients_own(router, &address))
		return -EINVAL;
	set4(router, ip4);
	router_rejudge(router);
	if (router->uplink) { /* neighbours of the old address are not those of the new one */
		arp_forget(&router->arp, router->uplink->netdev);
		announce4(router);
		router_flush(router);
	}
	return 0;
}

int router_set_uplink6(struct router *router, const struct router_uplink6 *ip6)
{
	const struct ip_address address = ip_address_of6(ip6->address.bytes);

	if (!uplink6_is_good(ip6) || router_is_clients_own(router, &address))
		return -EINVAL;
	set6(router, ip6);
	set_link_local(router);
	router_rejudge(router);
	if (router->uplink) {
		ndp_forget(&router->ndp, router->uplink->netdev);
		announce6(router);
		router_flush(router);
	}
	return 0;
}

struct ruleset *router_set_rules(struct router *router, struct ruleset *rules)
{
	struct ruleset *old = router->rules;
	struct flow_timeouts timeouts;

	router->rules = rules;
	flow_limits_renew(&router->limits);
	timeouts = flow_timeouts_of_rules(ruleset_options(rules)->timeout);
	flow_table_set_timeouts(&router->flows, &timeouts);
	router_share(router);
	router_rejudge(router);
	return old;
}

void router_add_service(struct router *router, struct router_service *service)
{
	struct router_service **at = &router->service;

	while (*at)
		at = &(*at)->next;
	service->next = NULL;
	*at = service;
}

void router_flush_flows(struct router *router)
{
	flow_purge_all(&router->flows);
}

void router_set_gateway_mac(struct router *router, const uint8_t *mac)
{
	static const uint8_t none[NETDEV_MAC_BYTES];

	mac_copy(router->gateway_mac, mac ? mac : none);
}

void router_set_now(struct router *router, uint64_t now_ns)
{
	if (now_ns > router_clock_ns(router, router->now_ns))
		router->now_ns = now_ns - router->skipped_ns;
}

void router_time_jumped(struct router *router, uint64_t delta_ns)
{
	router->skipped_ns += delta_ns;
}

uint64_t router_late_ns(const struct router *router, uint64_t now_ns)
{
	uint64_t next_ns = router_next_ns(router),
		 last_ns = router_clock_ns(router, router->now_ns);

	if (next_ns < last_ns)
		next_ns = last_ns; /* it was due then already */
	return next_ns < now_ns ? now_ns - next_ns : 0;
}

void router_run_timers(struct router *router)
{
	wheel_run(&router->wheel, router->now_ns, TIMER_BUDGET);
	router_rejudge_run(router);
	router_flush(router);
}

/* The same by the router's own time. */
static uint64_t next_ns(const struct router *router)
{
	uint64_t next = wheel_next_ns(&router->wheel);

	if (router->rejudge_at)
		return router->now_ns;
	if (router->rejudge_wanted && router->rejudge_again_ns < next)
		return router->rejudge_again_ns;
	return next;
}

uint64_t router_next_ns(const struct router *router)
{
	return router_clock_ns(router, next_ns(router));
}
