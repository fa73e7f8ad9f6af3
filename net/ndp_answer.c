/* SPDX-License-Identifier: ISC */
/* What neighbour discovery says of ourselves: advertisements, as a neighbour and a router. */
#include <string.h>

#include "net/ip6_make.h"
#include "net/martian6.h"
#include "net/ndp.h"
#include "net/ndp_send.h"

/* `to_mac` NULL: to everybody. */
static void advertise(const struct ndp *ndp, struct netdev *netdev, const uint8_t *to_mac,
		      const struct ip6_address *source, const struct ip6_address *destination,
		      const struct ip6_address *target, uint8_t flags)
{
	struct ndp_neighbour *advertisement;
	struct packet *packet = ndp_make(ndp->own, netdev, to_mac, source, destination,
					 ICMP6_NEIGHBOUR_ADVERTISEMENT,
					 sizeof(*advertisement) + sizeof(struct ndp_option_mac));

	if (!packet)
		return;
	advertisement = ndp_of(packet);
	advertisement->flags = flags;
	memcpy(advertisement->target, target, sizeof(advertisement->target));
	ndp_fill_mac((struct ndp_option_mac *)(advertisement + 1), NDP_OPTION_TARGET_MAC, netdev);
	ndp_send(ndp->own, netdev, packet);
}

void ndp_answer(const struct ndp *ndp, struct netdev *netdev, const struct ndp_message *message,
		enum ndp_claim claim)
{
	const struct ip6_address link_local = ip6_link_local_of_mac(netdev->mac);
	const struct ip6_address *source = claim == NDP_OWN ? &message->target : &link_local;
	uint8_t flags = NDP_FLAG_ROUTER | NDP_FLAG_SOLICITED;

	if (!ndp_is_probe(message)) {
		if (claim == NDP_OWN) /* RFC 4861, 7.2.8: a proxy does not override */
			flags |= NDP_FLAG_OVERRIDE;
		advertise(ndp, netdev, message->sender_mac, source, &message->source,
			  &message->target, flags);
	} else if (claim == NDP_OWN) {
		advertise(ndp, netdev, NULL, source, &ip6_all_nodes, &message->target,
			  NDP_FLAG_ROUTER | NDP_FLAG_OVERRIDE);
	}
}

static void announcement_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct ndp_announcement *announcement = container_of(timer, struct ndp_announcement, timer);

	advertise(announcement->ndp, announcement->netdev, NULL, &announcement->address,
		  &ip6_all_nodes, &announcement->address, NDP_FLAG_ROUTER | NDP_FLAG_OVERRIDE);
	if (--announcement->left)
		wheel_start(announcement->ndp->wheel, timer, now_ns + NDP_ANNOUNCE_INTERVAL_NS);
	else
		announcement->netdev = NULL;
}

void ndp_announcements_init(struct ndp *ndp)
{
	for (uint32_t i = 0; i < NDP_ANNOUNCED; i++) {
		ndp->announcements[i].ndp = ndp;
		wheel_timer_init(&ndp->announcements[i].timer, announcement_expired);
	}
}

void ndp_announcements_forget(struct ndp *ndp, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < NDP_ANNOUNCED; i++) {
		struct ndp_announcement *announcement = &ndp->announcements[i];

		if (announcement->netdev != netdev)
			continue;
		wheel_stop(ndp->wheel, &announcement->timer);
		announcement->netdev = NULL;
	}
}

/* The place of an address that is being told already, a free one, or the oldest. */
static struct ndp_announcement *announcement_take(struct ndp *ndp, const struct netdev *netdev,
						  const struct ip6_address *address)
{
	struct ndp_announcement *free = NULL;

	for (uint32_t i = 0; i < NDP_ANNOUNCED; i++) {
		struct ndp_announcement *announcement = &ndp->announcements[i];

		if (announcement->netdev == netdev &&
		    ip6_address_equal(&announcement->address, address))
			return announcement;
		if (!announcement->netdev)
			free = announcement;
	}
	return free ? free : &ndp->announcements[ndp->next_announcement++ % NDP_ANNOUNCED];
}

void ndp_advertise(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *address,
		   uint64_t now_ns)
{
	struct ndp_announcement *announcement = announcement_take(ndp, netdev, address);

	wheel_stop(ndp->wheel, &announcement->timer);
	announcement->netdev = netdev;
	announcement->address = *address;
	announcement->left = NDP_ANNOUNCEMENTS;
	announcement_expired(&announcement->timer, now_ns);
}

static size_t router_bytes(const struct ndp_router *router)
{
	return sizeof(struct ndp_router_advertisement) + sizeof(struct ndp_option_mac) +
	       (router->mtu ? sizeof(struct ndp_option_mtu) : 0) +
	       (router->prefix ? sizeof(struct ndp_option_prefix) : 0);
}

static void fill_mtu(struct ndp_option_mtu *option, uint32_t mtu)
{
	option->option.type = NDP_OPTION_MTU;
	option->option.units = sizeof(*option) / NDP_OPTION_UNIT;
	option->mtu = be32_of(mtu);
}

/* RFC 4861, 4.6.2: the bits behind the prefix are 0. */
static void fill_prefix(struct ndp_option_prefix *option, const struct ndp_prefix *prefix)
{
	option->option.type = NDP_OPTION_PREFIX;
	option->option.units = sizeof(*option) / NDP_OPTION_UNIT;
	option->length = prefix->length;
	option->flags = (prefix->on_link ? NDP_PREFIX_ON_LINK : 0) |
			(prefix->autonomous ? NDP_PREFIX_AUTONOMOUS : 0);
	option->valid = be32_of(prefix->valid_s);
	option->preferred = be32_of(prefix->preferred_s);
	for (unsigned int bit = 0; bit < prefix->length && bit < 8 * IP6_ADDRESS_BYTES; bit++)
		option->prefix[bit / 8] |=
			prefix->prefix.bytes[bit / 8] & (uint8_t)(0x80u >> bit % 8);
}

static void fill_router(struct packet *packet, const struct netdev *netdev,
			const struct ndp_router *router)
{
	struct ndp_router_advertisement *advertisement = ndp_of(packet);
	uint8_t *end = (uint8_t *)(advertisement + 1);

	advertisement->hop_limit = router->hop_limit;
	advertisement->flags =
		(router->managed ? NDP_FLAG_MANAGED : 0) | (router->other ? NDP_FLAG_OTHER : 0);
	advertisement->lifetime = be16_of(router->lifetime_s);
	ndp_fill_mac((struct ndp_option_mac *)end, NDP_OPTION_SOURCE_MAC, netdev);
	end += sizeof(struct ndp_option_mac);
	if (router->mtu) {
		fill_mtu((struct ndp_option_mtu *)end, router->mtu);
		end += sizeof(struct ndp_option_mtu);
	}
	if (router->prefix)
		fill_prefix((struct ndp_option_prefix *)end, router->prefix);
}

void ndp_answer_router(const struct ndp *ndp, struct netdev *netdev,
		       const struct ndp_message *message, const struct ndp_router *router)
{
	const struct ip6_address source = ip6_link_local_of_mac(netdev->mac);
	bool to_one = message && !ndp_is_probe(message);
	struct packet *packet = ndp_make(ndp->own, netdev, to_one ? message->sender_mac : NULL,
					 &source, to_one ? &message->source : &ip6_all_nodes,
					 ICMP6_ROUTER_ADVERTISEMENT, router_bytes(router));

	if (!packet)
		return;
	fill_router(packet, netdev, router);
	ndp_send(ndp->own, netdev, packet);
}
