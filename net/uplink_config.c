/* SPDX-License-Identifier: ISC */
#include "net/uplink_config.h"

#include <assert.h>
#include <string.h>

#include "net/own.h"

static_assert(PARAMS_DNS_MAX <= UPLINK_DNS, "all resolvers of the command line fit");

static bool up(const struct uplink_config *config)
{
	return config->netdev != NULL;
}

static bool has_ip6(const struct uplink_config *config)
{
	return config->setup.ip6_auto ? config->conflicts6 <= UPLINK_IP6_TRIES
				      : config->setup.fixed.has6 && !config->conflicts6;
}

#define TELL_WAIT_NS 1000000000ull

/* ---- what is told ---- */

static void put_ip4(const struct uplink_config *config, struct uplink_address *now)
{
	const struct uplink_address *fixed = &config->setup.fixed;
	const struct dhcp_lease *lease = dhcp_client_lease(&config->dhcp);

	if (!config->setup.dhcp) {
		now->has4 = fixed->has4;
		now->address = fixed->address;
		now->prefix = fixed->prefix;
		now->gateway = fixed->gateway;
		return;
	}
	if (!lease || config->probe.state != ADDRESS_PROBE_OURS)
		return;
	now->has4 = true;
	now->address = lease->address;
	now->prefix = lease->prefix;
	/* A server that names us as our own gateway knows none. */
	if (!be32_equal(lease->gateway, lease->address))
		now->gateway = lease->gateway;
	now->mtu4 = lease->mtu;
}

/* A preferred prefix before one that is only valid; the one in use before others. */
static const struct slaac_prefix *best_prefix(const struct uplink_config *config)
{
	const struct slaac_prefix *best = NULL;
	uint32_t best_points = 0;

	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++) {
		const struct slaac_prefix *prefix = &config->slaac.prefixes[i];
		bool used = config->told.has6 &&
			    memcmp(prefix->address, config->told.address6.bytes, 16) == 0;
		uint32_t points =
			1 + (used ? 1 : 0) + (prefix->preferred_ns > config->now_ns ? 2 : 0);

		if (!prefix->valid_ns || points <= best_points)
			continue;
		best = prefix;
		best_points = points;
	}
	return best;
}

static void put_ip6(const struct uplink_config *config, struct uplink_address *now)
{
	const struct uplink_address *fixed = &config->setup.fixed;
	const struct slaac *slaac = &config->slaac;
	const struct slaac_prefix *prefix;

	if (!has_ip6(config))
		return;
	now->has_link6 = true;
	memcpy(now->link6.bytes, slaac->link_local, sizeof(now->link6));
	if (!config->setup.ip6_auto) {
		now->has6 = true;
		now->address6 = fixed->address6;
		now->prefix6 = fixed->prefix6;
		now->has_router = fixed->has_router;
		now->router6 = fixed->router6;
		return;
	}
	now->mtu6 = (uint16_t)slaac->mtu;
	if (slaac->router_ns) {
		now->has_router = now->has_router_mac = true;
		memcpy(now->router6.bytes, slaac->router, sizeof(now->router6));
		mac_copy(now->router_mac, slaac->router_mac);
	}
	prefix = best_prefix(config);
	if (!prefix)
		return;
	now->has6 = true;
	now->prefix6 = 64;
	memcpy(now->address6.bytes, prefix->address, sizeof(now->address6));
}

static void put_dns(const struct uplink_config *config, struct uplink_address *now)
{
	const struct uplink_address *fixed = &config->setup.fixed;
	const struct dhcp_lease *lease = dhcp_client_lease(&config->dhcp);

	if (fixed->dns_count) {
		now->dns_count = fixed->dns_count;
		memcpy(now->dns, fixed->dns, sizeof(now->dns));
		return;
	}
	for (uint32_t i = 0; now->has4 && lease && i < lease->dns_count; i++)
		now->dns[now->dns_count++] = ip_address_of4(lease->dns[i]);
	for (uint32_t i = 0; now->has6 && i < SLAAC_DNS_SERVERS && now->dns_count < UPLINK_DNS; i++)
		if (config->slaac.dns[i].until_ns)
			now->dns[now->dns_count++] = ip_address_of6(config->slaac.dns[i].address);
}

/* Tells what there is, if it is not what was told before, and if it is time. */
static void tell_when(struct uplink_config *config, bool at_once)
{
	struct uplink_address now;

	memset(&now, 0, sizeof(now));
	if (!up(config))
		return;
	put_ip4(config, &now);
	put_ip6(config, &now);
	put_dns(config, &now);
	config->tell_ns = 0;
	if (memcmp(&now, &config->told, sizeof(now)) == 0)
		return;
	/* What others do with it is dear, and a neighbour decides how often. */
	if (!bucket_take(&config->tells, config->now_ns) && !at_once) {
		config->tell_ns = config->now_ns + TELL_WAIT_NS;
		return;
	}
	config->told = now;
	config->setup.changed(config->setup.context, &config->told);
}

static void tell(struct uplink_config *config)
{
	tell_when(config, false);
}

const struct uplink_address *uplink_config_now(const struct uplink_config *config)
{
	return &config->told;
}

/* ---- what the parts say ---- */

static void on_send(void *context, const uint8_t *frame, size_t bytes)
{
	struct uplink_config *config = context;
	struct packet *packet;

	if (!up(config))
		return;
	packet = own_make(config->setup.own, config->netdev, bytes);
	if (!packet)
		return;
	memcpy(packet->data, frame, bytes);
	packet->l3_offset = sizeof(struct ethernet_header);
	own_send(config->setup.own, config->netdev, packet);
}

static void on_lease(void *context, const struct dhcp_lease *lease)
{
	struct uplink_config *config = context;

	if (!lease)
		address_probe_stop(&config->probe);
	else if (config->probe.state == ADDRESS_PROBE_IDLE ||
		 !be32_equal(config->probe.address, lease->address))
		address_probe_start(&config->probe, lease->address, config->now_ns);
	if (lease)
		config->remembered = lease->address;
	tell(config);
}

static void on_routers(void *context)
{
	tell(context);
}

/* ---- interface identifiers ---- */

/* RFC 5453: the routers' anycast address, and the range of others. */
static bool is_reserved(const uint8_t *id)
{
	static const uint8_t zero[8];
	static const uint8_t anycast[7] = { 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t iana[5] = { 0x02, 0x00, 0x5e, 0xff, 0xfe };

	return memcmp(id, zero, 8) == 0 || memcmp(id, iana, 5) == 0 ||
	       (memcmp(id, anycast, 7) == 0 && id[7] >= 0x80);
}

/*
 * After RFC 7217, but one for all prefixes of the link: the same at each start while the
 * MAC and the secret are, another one after a conflict.
 */
static void identifier_make(const struct uplink_config *config, uint8_t *id)
{
	uint8_t seed[MAC_BYTES + 2];
	uint64_t hash;

	mac_copy(seed, config->netdev->mac);
	seed[MAC_BYTES] = (uint8_t)config->conflicts6;
	seed[MAC_BYTES + 1] = 0;
	do {
		hash = siphash(&config->setup.secret, seed, sizeof(seed));
		memcpy(id, &hash, sizeof(hash));
		seed[MAC_BYTES + 1]++;
	} while (is_reserved(id) && seed[MAC_BYTES + 1]);
}

/* ---- up and down ---- */

static void slaac_begin(struct uplink_config *config)
{
	struct slaac_config slaac = {
		.random = config->setup.random,
		.send = on_send,
		.changed = on_routers,
		.context = config,
	};

	mac_copy(slaac.mac, config->netdev->mac);
	identifier_make(config, slaac.interface_id);
	slaac_init(&config->slaac, &slaac);
	if (config->setup.ip6_auto && has_ip6(config))
		slaac_start(&config->slaac, config->now_ns);
}

void uplink_config_from_params(struct uplink_config_setup *setup, const struct params *params)
{
	struct uplink_address *fixed = &setup->fixed;

	setup->dhcp = params->dhcp;
	setup->ip6_auto = params->ip6_auto;
	memset(fixed, 0, sizeof(*fixed));
	if (params->has_ip && params->has_gateway) {
		fixed->has4 = true;
		fixed->address = params->ip;
		fixed->prefix = params->prefix;
		fixed->gateway = params->gateway;
	}
	if (params->has_ip6) {
		fixed->has6 = fixed->has_router = true;
		fixed->prefix6 = params->prefix6;
		memcpy(fixed->address6.bytes, params->ip6.bytes, sizeof(fixed->address6));
		memcpy(fixed->router6.bytes, params->gateway6.bytes, sizeof(fixed->router6));
	}
	fixed->dns_count = params->dns_count;
	memcpy(fixed->dns, params->dns, sizeof(params->dns));
}

void uplink_config_init(struct uplink_config *config, const struct uplink_config_setup *setup)
{
	static const struct dhcp_config none;

	memset(config, 0, sizeof(*config));
	config->setup = *setup;
	dhcp_client_init(&config->dhcp, &none);
}

void uplink_config_up(struct uplink_config *config, struct netdev *netdev, uint64_t now_ns)
{
	struct dhcp_config dhcp = {
		.random = config->setup.random,
		.output = { on_send, on_lease, config },
	};

	config->netdev = netdev;
	config->now_ns = now_ns;
	config->conflicts6 = 0;
	bucket_init(&config->tells, UPLINK_TELLS_PER_SECOND, UPLINK_TELLS_BURST, now_ns);
	mac_copy(dhcp.mac, netdev->mac);
	dhcp_client_init(&config->dhcp, &dhcp);
	address_probe_init(&config->probe, netdev->mac, config->setup.random, on_send, config);
	slaac_begin(config);
	if (config->setup.dhcp)
		dhcp_client_start(&config->dhcp, config->remembered, now_ns);
	tell(config);
}

void uplink_config_down(struct uplink_config *config)
{
	config->netdev = NULL;
}

void uplink_config_release(struct uplink_config *config, uint64_t now_ns)
{
	if (!up(config) || !config->setup.dhcp)
		return;
	config->now_ns = now_ns;
	dhcp_client_stop(&config->dhcp, now_ns);
}

/* ---- packets and time ---- */

bool uplink_config_wants(const struct packet *packet)
{
	const size_t behind = sizeof(struct ethernet_header);
	const struct ethernet_header *ethernet = ethernet_at(packet);
	uint16_t type = ethernet ? be16_get(ethernet->type) : 0;

	if (type == ETHERTYPE_IP4) {
		const struct ip4_header *ip = ip4_at(packet, behind);
		const struct udp_header *udp;

		if (!ip || ip->protocol != IP_PROTOCOL_UDP)
			return false;
		udp = udp_at(packet, behind + (ip->version_length & 15u) * 4u);
		return udp && be16_get(udp->destination_port) == DHCP_CLIENT_PORT;
	}
	if (type == ETHERTYPE_IP6) {
		const struct ip6_header *ip = ip6_at(packet, behind);
		const struct icmp6_header *icmp = icmp6_at(packet, behind + sizeof(*ip));

		return ip && icmp && ip->next_header == IP_PROTOCOL_ICMP6 &&
		       icmp->type == ICMP6_ROUTER_ADVERTISEMENT;
	}
	return type == ETHERTYPE_ARP;
}

/* True: a whole message for us. `bytes` of config->frame. */
static bool frame_input(struct uplink_config *config, size_t bytes, bool vouched)
{
	const struct ethernet_header *ethernet = (const void *)config->frame;
	uint16_t type = be16_get(ethernet->type);

	if (type == ETHERTYPE_ARP) {
		if (config->setup.dhcp &&
		    address_probe_input(&config->probe, config->frame, bytes, config->now_ns))
			dhcp_client_decline(&config->dhcp, config->now_ns);
		return false;
	}
	if (type == ETHERTYPE_IP4)
		return config->setup.dhcp && dhcp_client_input(&config->dhcp, config->frame, bytes,
							       vouched, config->now_ns) == 0;
	return config->setup.ip6_auto && has_ip6(config) &&
	       slaac_input(&config->slaac, config->frame, bytes, vouched, config->now_ns) == 0;
}

void uplink_config_time_jumped(struct uplink_config *config, uint64_t now_ns)
{
	if (up(config) && config->setup.dhcp)
		dhcp_client_renew(&config->dhcp, now_ns);
}

bool uplink_config_packet(struct uplink_config *config, struct packet *packet, uint64_t now_ns)
{
	bool vouched = packet->flags & (PACKET_CSUM_BLANK | PACKET_CSUM_VALID);

	config->now_ns = now_ns;
	if (!up(config) || packet->length < sizeof(struct ethernet_header) ||
	    packet->length > sizeof(config->frame) ||
	    packet_copy_out(packet, 0, config->frame, packet->length) ||
	    !frame_input(config, packet->length, vouched))
		return false;
	packet_free(packet);
	return true;
}

void uplink_config_run(struct uplink_config *config, uint64_t now_ns)
{
	if (!up(config))
		return;
	config->now_ns = now_ns;
	if (config->setup.dhcp) {
		dhcp_client_run(&config->dhcp, now_ns);
		if (address_probe_run(&config->probe, now_ns))
			tell(config);
	}
	if (config->setup.ip6_auto && has_ip6(config)) {
		slaac_run(&config->slaac, now_ns);
		tell(config); /* a prefix that is not preferred any more */
	}
	if (config->tell_ns && now_ns >= config->tell_ns)
		tell(config);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When a prefix is not preferred any more, another one may be. */
static uint64_t deprecated_ns(const struct uplink_config *config)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++) {
		const struct slaac_prefix *prefix = &config->slaac.prefixes[i];

		if (prefix->valid_ns && prefix->preferred_ns > config->now_ns)
			next_ns = least(next_ns, prefix->preferred_ns);
	}
	return next_ns;
}

uint64_t uplink_config_next_ns(const struct uplink_config *config)
{
	uint64_t next_ns = UINT64_MAX;

	if (!up(config))
		return next_ns;
	if (config->setup.dhcp)
		next_ns = least(dhcp_client_next_ns(&config->dhcp), config->probe.next_ns);
	if (config->setup.ip6_auto && has_ip6(config))
		next_ns =
			least(next_ns, least(slaac_next_ns(&config->slaac), deprecated_ns(config)));
	if (config->tell_ns)
		next_ns = least(next_ns, config->tell_ns);
	return next_ns;
}

void uplink_config_conflict6(struct uplink_config *config, uint64_t now_ns)
{
	if (!up(config) || !has_ip6(config))
		return;
	config->now_ns = now_ns;
	config->conflicts6++;
	if (config->setup.ip6_auto)
		slaac_begin(config);
	tell_when(config, true); /* not so often: UPLINK_IP6_TRIES */
}
