/* SPDX-License-Identifier: ISC */
/*
 * Parts of datagrams. The first goes the way of an ordinary packet, past flows and rules,
 * and leaves a verdict behind that all others follow (net/fragments.h).
 *
 * A datagram whose source is translated gets another identification: two clients may
 * have chosen the same one for the same far end (RFC 6864, 5.3).
 */
#include <string.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "net/router_parts.h"

static void describe(const struct packet *packet, const struct packet_info *info,
		     struct fragment_info *fragment)
{
	if (info->key.version == 4)
		fragments_describe_ip4(packet, info->key.interface, fragment);
	else
		fragments_describe_ip6(packet, info, fragment);
}

/* A later fragment goes where the first one went. Consumes it. */
static void follow(struct router *router, struct router_interface *in, struct packet *packet,
		   const struct packet_info *info, const struct fragment_verdict *verdict)
{
	struct router_interface *out = &router->interfaces[verdict->out];

	if (!router_may_leave(router, in, out, packet, info))
		return;
	nat_rewrite_fragment(packet, info->key.version, info->fragment.header, &verdict->source,
			     &verdict->destination, verdict->id);
	router_egress(router, out, packet, info->key.version);
}

/* Those that came before the first: parsed once more, for they were only held. */
static void follow_held(struct router *router, struct list *released,
			const struct fragment_verdict *verdict)
{
	while (!list_is_empty(released)) {
		struct packet *packet = list_entry(released->next, struct packet, link);
		struct router_interface *in = packet->in->stack;
		enum drop_reason reason;
		struct packet_info info;
		bool good;

		list_remove(&packet->link);
		good = ip4_of(packet)->version_length >> 4 == 4
			       ? parse_ip4(packet, in->index, &info, &reason)
			       : parse_ip6(packet, in->index, &info, &reason);
		if (good)
			follow(router, in, packet, &info, verdict);
		else
			packet_drop(packet, reason);
	}
}

void router_fragment_passes(struct router *router, struct packet *packet,
			    const struct packet_info *info, const struct router_interface *out)
{
	struct fragment_verdict *verdict = router->judged;
	bool translated;

	verdict->pass = true;
	verdict->out = out->index;
	verdict->id = info->fragment.id;
	if (info->key.version == 4) {
		verdict->source.ip4 = ip4_of(packet)->source;
		verdict->destination.ip4 = ip4_of(packet)->destination;
		translated = !be32_equal(verdict->source.ip4, info->key.source);
	} else {
		memcpy(&verdict->source.ip6, ip6_of(packet)->source, IP6_ADDRESS_BYTES);
		memcpy(&verdict->destination.ip6, ip6_of(packet)->destination, IP6_ADDRESS_BYTES);
		translated = memcmp(&verdict->source.ip6, &info->ip6.source, IP6_ADDRESS_BYTES);
	}
	if (!translated)
		return;
	verdict->id = router->fragment_id++;
	if (info->key.version == 4)
		verdict->id &= 0xffff;
	nat_set_fragment_id(packet, info->key.version, info->fragment.header, verdict->id);
}

static void judge(struct router *router, struct router_interface *in, struct packet *packet,
		  const struct packet_info *info, struct fragment_entry *entry)
{
	struct fragment_verdict verdict = { .reason = DROP_FRAGMENT };
	struct list released;

	list_init(&released);
	router->judged = &verdict;
	router_forward(router, in, packet, info);
	router->judged = NULL;
	fragments_decide(entry, &verdict, &released);
	follow_held(router, &released, &verdict);
}

void router_fragment(struct router *router, struct router_interface *in, struct packet *packet,
		     const struct packet_info *info)
{
	struct fragment_info fragment;
	struct fragment_entry *entry;
	enum drop_reason reason;

	describe(packet, info, &fragment);
	switch (fragments_input(&router->fragments, packet, &fragment, router->now_ns, &entry,
				&reason)) {
	case FRAGMENT_DROP:
		packet_drop(packet, reason);
		return;
	case FRAGMENT_HOLD:
		return;
	case FRAGMENT_FOLLOW:
		follow(router, in, packet, info, &entry->verdict);
		return;
	case FRAGMENT_JUDGE:
		judge(router, in, packet, info, entry);
		return;
	case FRAGMENT_WHOLE:
		router_forward(router, in, packet, info);
		return;
	}
}
