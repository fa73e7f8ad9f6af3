/* SPDX-License-Identifier: ISC */
/*
 * Parts of datagrams. The first is judged as an ordinary packet is, and all others follow it
 * (net/fragments.h). Nothing of them is changed, so nothing of the verdict is needed but
 * that there is one.
 */
#include "net/bridge_parts.h"
#include "net/fragments.h"

static void describe(const struct packet *packet, const struct packet_info *info,
		     struct fragment_info *fragment)
{
	if (info->key.version == 4)
		fragments_describe_ip4(packet, info->key.interface, fragment);
	else
		fragments_describe_ip6(packet, info, fragment);
}

static bool judge(const struct bridge_crossing *crossing, struct packet *packet,
		  struct packet_info *info, struct fragment_entry *entry)
{
	const struct fragment_verdict verdict = {
		.pass = bridge_pass_packet(crossing, packet, info),
		.out = (uint8_t)bridge_other(crossing->side),
		.reason = DROP_FRAGMENT,
	};

	fragments_decide(entry, &verdict, &crossing->filter->released);
	return verdict.pass;
}

bool bridge_pass_fragment(const struct bridge_crossing *crossing, struct packet *packet,
			  struct packet_info *info)
{
	struct bridge_filter *filter = crossing->filter;
	struct fragment_info fragment;
	struct fragment_entry *entry;
	enum drop_reason reason;

	describe(packet, info, &fragment);
	switch (fragments_input(&filter->fragments, packet, &fragment, filter->now_ns, &entry,
				&reason)) {
	case FRAGMENT_DROP:
		return bridge_refuse(packet, reason);
	case FRAGMENT_HOLD:
		return false;
	case FRAGMENT_FOLLOW:
		return true;
	case FRAGMENT_JUDGE:
		return judge(crossing, packet, info, entry);
	case FRAGMENT_WHOLE:
		break;
	}
	return bridge_pass_packet(crossing, packet, info);
}
