/* SPDX-License-Identifier: ISC */
#include "net/slaac.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/checksum.h"

#define SECOND_NS 1000000000ull
#define PROTOCOL_ICMP6 58u
#define HOP_LIMIT 255u /* RFC 4861, 6.1: nobody off the link can send it */
#define SOLICITATION 133u
#define ADVERTISEMENT 134u
#define OPTION_SOURCE_MAC 1u
#define OPTION_PREFIX 3u
#define OPTION_MTU 5u
#define OPTION_DNS 25u
#define PREFIX_AUTONOMOUS 0x40u
#define PREFIX_BYTES 8u
#define MTU_MIN 1280u /* RFC 8200, 5 */
#define MTU_MAX 9216u
#define FOREVER_S UINT32_MAX

struct advertisement {
	struct ethernet_header ethernet;
	struct ip6_header ip;
	uint8_t type, code;
	be16 checksum;
	uint8_t hop_limit, flags;
	be16 lifetime; /* seconds */
	be32 reachable, retransmit;
};
static_assert(sizeof(struct advertisement) == 70, "RFC 4861, 4.2");

void slaac_init(struct slaac *slaac, const struct slaac_config *config)
{
	memset(slaac, 0, sizeof(*slaac));
	slaac->config = *config;
	slaac->solicit_ns = UINT64_MAX;
	slaac->link_local[0] = 0xfe;
	slaac->link_local[1] = 0x80;
	memcpy(slaac->link_local + PREFIX_BYTES, config->interface_id, 8);
}

void slaac_start(struct slaac *slaac, uint64_t now_ns)
{
	slaac->solicitations = 0;
	slaac->solicit_ns = now_ns + random_below(slaac->config.random, SLAAC_DELAY_NS);
}

/* RFC 4861, 4.1: to all routers, with our MAC. */
static void solicitation_send(struct slaac *slaac)
{
	static const uint8_t all_routers[IP6_ADDRESS_BYTES] = { 0xff, 2, [15] = 2 };
	static const uint8_t group_mac[MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 2 };
	uint8_t frame[SLAAC_FRAME_BYTES] = { 0 };
	struct ethernet_header *ethernet = (struct ethernet_header *)frame;
	struct ip6_header *ip = (struct ip6_header *)(ethernet + 1);
	uint8_t *icmp = (uint8_t *)(ip + 1);
	be16 checksum;

	mac_copy(ethernet->destination, group_mac);
	mac_copy(ethernet->source, slaac->config.mac);
	ethernet->type = be16_of(ETHERTYPE_IP6);
	ip->version_class_flow = be32_of(6u << 28);
	ip->payload_length = be16_of(16);
	ip->next_header = PROTOCOL_ICMP6;
	ip->hop_limit = HOP_LIMIT;
	memcpy(ip->source, slaac->link_local, IP6_ADDRESS_BYTES);
	memcpy(ip->destination, all_routers, IP6_ADDRESS_BYTES);
	icmp[0] = SOLICITATION;
	icmp[8] = OPTION_SOURCE_MAC;
	icmp[9] = 1;
	mac_copy(icmp + 10, slaac->config.mac);
	checksum = checksum_finish(checksum_add(
		checksum_pseudo_ip6(ip->source, ip->destination, PROTOCOL_ICMP6, 16), icmp, 16));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	slaac->config.send(slaac->config.context, frame, sizeof(frame));
}

static uint32_t get32(const uint8_t *at)
{
	be32 value;

	memcpy(&value, at, sizeof(value));
	return be32_get(value);
}

static uint64_t until_ns(uint32_t seconds, uint64_t now_ns)
{
	return seconds == FOREVER_S ? UINT64_MAX : now_ns + seconds * SECOND_NS;
}

/* RFC 4862, 5.5.3 (e): nobody ends an address at once by a forged short lifetime. */
static uint64_t valid_until_ns(const struct slaac_prefix *prefix, uint32_t seconds, uint64_t now_ns)
{
	uint64_t wanted_ns = until_ns(seconds, now_ns);
	uint64_t floor_ns = now_ns + SLAAC_TWO_HOURS_NS;

	if (wanted_ns > floor_ns || wanted_ns > prefix->valid_ns)
		return wanted_ns;
	return prefix->valid_ns < floor_ns ? prefix->valid_ns : floor_ns;
}

static struct slaac_prefix *prefix_place(struct slaac *slaac, const uint8_t *prefix)
{
	struct slaac_prefix *empty = NULL;

	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++) {
		struct slaac_prefix *place = &slaac->prefixes[i];

		if (place->valid_ns && memcmp(place->address, prefix, PREFIX_BYTES) == 0)
			return place;
		if (!place->valid_ns && !empty)
			empty = place;
	}
	return empty;
}

static void prefix_input(struct slaac *slaac, const uint8_t *option, uint64_t now_ns)
{
	uint32_t valid = get32(option + 4), preferred = get32(option + 8);
	const uint8_t *prefix = option + 16;
	struct slaac_prefix *place;

	if (!(option[3] & PREFIX_AUTONOMOUS) || option[2] != 64 || preferred > valid ||
	    prefix[0] == 0xff || (prefix[0] == 0xfe && (prefix[1] & 0xc0) == 0x80))
		return;
	place = prefix_place(slaac, prefix);
	if (!place || (!place->valid_ns && !valid))
		return;
	if (!place->valid_ns) {
		memcpy(place->address, prefix, PREFIX_BYTES);
		memcpy(place->address + PREFIX_BYTES, slaac->config.interface_id, 8);
		place->valid_ns = until_ns(valid, now_ns);
	} else {
		place->valid_ns = valid_until_ns(place, valid, now_ns);
	}
	place->preferred_ns = until_ns(preferred, now_ns);
}

static void dns_put(struct slaac *slaac, const uint8_t *address, uint64_t end_ns)
{
	struct slaac_dns *place = NULL;

	for (uint32_t i = 0; i < SLAAC_DNS_SERVERS; i++) {
		struct slaac_dns *dns = &slaac->dns[i];

		if (dns->until_ns && memcmp(dns->address, address, IP6_ADDRESS_BYTES) == 0) {
			dns->until_ns = end_ns;
			return;
		}
		if (!dns->until_ns && !place)
			place = dns;
	}
	if (!place || address[0] == 0xff)
		return;
	memcpy(place->address, address, IP6_ADDRESS_BYTES);
	place->until_ns = end_ns;
}

/* RFC 8106, 5.1; a lifetime of 0 takes a server away. */
static void dns_input(struct slaac *slaac, const uint8_t *option, size_t bytes, uint64_t now_ns)
{
	uint32_t seconds = get32(option + 4);

	for (size_t at = 8; at + IP6_ADDRESS_BYTES <= bytes; at += IP6_ADDRESS_BYTES)
		dns_put(slaac, option + at, seconds ? until_ns(seconds, now_ns) : 0);
}

static void option_input(struct slaac *slaac, const uint8_t *option, size_t bytes, uint64_t now_ns)
{
	if (option[0] == OPTION_PREFIX && bytes == 32)
		prefix_input(slaac, option, now_ns);
	else if (option[0] == OPTION_DNS && bytes >= 24)
		dns_input(slaac, option, bytes, now_ns);
	else if (option[0] == OPTION_MTU && bytes == 8 && get32(option + 4) >= MTU_MIN &&
		 get32(option + 4) <= MTU_MAX)
		slaac->mtu = get32(option + 4);
}

/* RFC 4861, 6.1.2: an option without length makes the whole invalid. */
static bool options_are_valid(const uint8_t *at, size_t bytes)
{
	while (bytes) {
		if (bytes < 8 || at[1] == 0 || at[1] * 8u > bytes)
			return false;
		bytes -= at[1] * 8u;
		at += at[1] * 8u;
	}
	return true;
}

static void advertised_router_input(struct slaac *slaac, const struct advertisement *ra,
				    uint64_t now_ns)
{
	uint32_t seconds = be16_get(ra->lifetime);
	bool ours = slaac->router_ns && memcmp(slaac->router, ra->ip.source, 16) == 0;

	if (slaac->router_ns && !ours)
		return;
	slaac->router_ns = seconds ? now_ns + seconds * SECOND_NS : 0;
	memcpy(slaac->router, ra->ip.source, IP6_ADDRESS_BYTES);
	mac_copy(slaac->router_mac, ra->ethernet.source);
	if (seconds)
		slaac->solicit_ns = UINT64_MAX; /* RFC 4861, 6.3.7 */
}

/* RFC 4861, 6.1.2. */
static bool advertisement_is_valid(const struct advertisement *ra, size_t payload, bool vouched)
{
	uint32_t sum = checksum_pseudo_ip6(ra->ip.source, ra->ip.destination, PROTOCOL_ICMP6,
					   (uint16_t)payload);

	if (ra->ip.hop_limit != HOP_LIMIT || ra->code != 0 || ra->ip.source[0] != 0xfe ||
	    (ra->ip.source[1] & 0xc0) != 0x80 || mac_is_group(ra->ethernet.source))
		return false;
	return vouched || checksum_finish(checksum_add(sum, &ra->type, payload)).raw == 0;
}

int slaac_input(struct slaac *slaac, const void *frame, size_t bytes, bool vouched, uint64_t now_ns)
{
	const struct advertisement *ra = frame;
	const uint8_t *option = (const uint8_t *)(ra + 1);
	size_t payload, left;

	if (bytes < sizeof(*ra) || be16_get(ra->ethernet.type) != ETHERTYPE_IP6 ||
	    be32_get(ra->ip.version_class_flow) >> 28 != 6 ||
	    ra->ip.next_header != PROTOCOL_ICMP6 || ra->type != ADVERTISEMENT)
		return -ENOENT;
	payload = be16_get(ra->ip.payload_length);
	if (payload < 16 || payload > bytes - 54 || !advertisement_is_valid(ra, payload, vouched) ||
	    !options_are_valid(option, payload - 16)) {
		slaac->malformed++;
		return -EINVAL;
	}
	advertised_router_input(slaac, ra, now_ns);
	for (left = payload - 16; left; left -= option[1] * 8u, option += option[1] * 8u)
		option_input(slaac, option, option[1] * 8u, now_ns);
	slaac->config.changed(slaac->config.context);
	return 0;
}

static bool expire(uint64_t *end_ns, uint64_t now_ns)
{
	if (*end_ns == 0 || now_ns < *end_ns)
		return false;
	*end_ns = 0;
	return true;
}

void slaac_run(struct slaac *slaac, uint64_t now_ns)
{
	bool news = expire(&slaac->router_ns, now_ns);

	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++)
		news |= expire(&slaac->prefixes[i].valid_ns, now_ns);
	for (uint32_t i = 0; i < SLAAC_DNS_SERVERS; i++)
		news |= expire(&slaac->dns[i].until_ns, now_ns);
	if (now_ns >= slaac->solicit_ns) {
		slaac->solicitations++;
		slaac->solicit_ns = slaac->solicitations < SLAAC_SOLICITATIONS
					    ? now_ns + SLAAC_SOLICITATION_NS
					    : UINT64_MAX;
		solicitation_send(slaac);
	}
	if (news)
		slaac->config.changed(slaac->config.context);
}

static void earlier(uint64_t *next_ns, uint64_t end_ns)
{
	if (end_ns && end_ns < *next_ns)
		*next_ns = end_ns;
}

uint64_t slaac_next_ns(const struct slaac *slaac)
{
	uint64_t next_ns = slaac->solicit_ns;

	earlier(&next_ns, slaac->router_ns);
	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++)
		earlier(&next_ns, slaac->prefixes[i].valid_ns);
	for (uint32_t i = 0; i < SLAAC_DNS_SERVERS; i++)
		earlier(&next_ns, slaac->dns[i].until_ns);
	return next_ns;
}
