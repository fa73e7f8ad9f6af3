/* SPDX-License-Identifier: ISC */
#include "net/fragments.h"

#include <string.h>

#include "net/fragments_parts.h"

#define DATAGRAM_BYTES 65535u
#define TRANSPORT_MINIMUM 8u /* UDP, ICMP, and of others what an ICMP error would quote */

static uint32_t end_of(const struct fragment_info *info)
{
	return (uint32_t)info->offset + info->length;
}

/* The first fragment shows all that rules and translation look at. */
static bool transport_is_whole(const struct packet *packet, const struct fragment_info *info)
{
	uint32_t bytes = packet->length - packet->l4_offset;
	const struct tcp_header *tcp;

	if (info->protocol == IP6_NO_NEXT_HEADER && info->key.ip_version == 6)
		return true;
	if (info->protocol != IP_PROTOCOL_TCP)
		return bytes >= TRANSPORT_MINIMUM;
	tcp = tcp_at(packet, packet->l4_offset);
	return tcp && bytes >= sizeof(*tcp) && bytes >= (tcp->data_offset >> 4) * 4u;
}

/* Later ones leave it alone; of IPv6 the overlap with the first tells that. */
static bool cuts_transport(const struct fragment_info *info)
{
	return info->key.ip_version == 4 && info->protocol == IP_PROTOCOL_TCP &&
	       info->offset < sizeof(struct tcp_header);
}

/* What a fragment says without looking at any other. */
static bool fragment_is_sane(const struct fragment_table *table, const struct packet *packet,
			     const struct fragment_info *info, enum drop_reason *reason)
{
	*reason = DROP_FRAGMENT_QUOTA;
	if (info->key.interface >= table->config.owners)
		return false;
	*reason = DROP_FRAGMENT_BAD;
	if (info->length == 0 || info->offset % 8 || (info->more && info->length % 8))
		return false;
	*reason = DROP_FRAGMENT_LONG;
	if (end_of(info) + info->overhead > DATAGRAM_BYTES)
		return false;
	*reason = DROP_FRAGMENT_TINY;
	return info->offset ? !cuts_transport(info) : transport_is_whole(packet, info);
}

/* The index of the first range that does not begin before `start`. */
static unsigned int range_place(const struct fragment_entry *entry, uint32_t start)
{
	unsigned int low = 0, high = entry->range_count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (entry->ranges[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Do the fragments agree on where the datagram ends? */
static bool ends_agree(const struct fragment_entry *entry, const struct fragment_info *info)
{
	uint32_t end = end_of(info);

	if (entry->total)
		return info->more ? end < entry->total : end == entry->total;
	return info->more || entry->range_count == 0 ||
	       entry->ranges[entry->range_count - 1].end < end;
}

/* DROP_REASON_COUNT: it fits between the others. */
static enum drop_reason range_judge(const struct fragment_entry *entry,
				    const struct fragment_info *info)
{
	unsigned int place = range_place(entry, info->offset);
	const struct fragment_range *next = &entry->ranges[place];
	uint32_t end = end_of(info);

	if (!ends_agree(entry, info))
		return DROP_FRAGMENT_BAD;
	if (place < entry->range_count && next->start == info->offset && next->end == end)
		return DROP_FRAGMENT_TWICE;
	if (place < entry->range_count && next->start < end)
		return DROP_FRAGMENT_OVERLAP;
	if (place > 0 && entry->ranges[place - 1].end > info->offset)
		return DROP_FRAGMENT_OVERLAP;
	if (entry->range_count == FRAGMENT_RANGES)
		return DROP_FRAGMENT_MANY;
	return DROP_REASON_COUNT;
}

static void range_add(struct fragment_entry *entry, const struct fragment_info *info)
{
	unsigned int place = range_place(entry, info->offset);
	struct fragment_range *at = &entry->ranges[place];

	memmove(at + 1, at, (entry->range_count - place) * sizeof(*at));
	*at = (struct fragment_range){ info->offset, (uint16_t)end_of(info) };
	entry->range_count++;
	entry->received += info->length;
	if (!info->more)
		entry->total = (uint16_t)end_of(info);
}

static bool is_complete(const struct fragment_entry *entry)
{
	return entry->total && entry->received == entry->total;
}

/* May it go on? Else `*reason`, and the datagram may have ended. */
static bool entry_accepts(struct fragment_entry *entry, const struct fragment_info *info,
			  enum drop_reason *reason)
{
	if (entry->state == FRAGMENT_DEAD) {
		*reason = (enum drop_reason)entry->reason;
		return false;
	}
	*reason = range_judge(entry, info);
	if (*reason == DROP_REASON_COUNT)
		return true;
	if (*reason != DROP_FRAGMENT_TWICE && entry->state != FRAGMENT_DONE)
		fragment_kill(entry, *reason);
	return false;
}

static bool is_held_in(const struct fragment_entry *entry)
{
	return !entry || entry->state == FRAGMENT_WAITING || entry->state == FRAGMENT_JUDGING;
}

enum fragment_result fragments_input(struct fragment_table *table, struct packet *packet,
				     const struct fragment_info *info, uint64_t now_ns,
				     struct fragment_entry **entry, enum drop_reason *reason)
{
	struct fragment_entry *found;
	bool holds;

	*entry = NULL;
	if (info->offset == 0 && !info->more)
		return FRAGMENT_WHOLE;
	if (!fragment_is_sane(table, packet, info, reason))
		return FRAGMENT_DROP;
	found = fragment_find(table, &info->key);
	/* 16 bits of identification come round soon (RFC 4963): this is another datagram. */
	if (found && found->state == FRAGMENT_DONE && info->key.ip_version == 4) {
		fragment_free(found, DROP_FRAGMENT_TWICE);
		found = NULL;
	}
	if (found && !entry_accepts(found, info, reason))
		return FRAGMENT_DROP;
	holds = info->offset && is_held_in(found);
	*reason = DROP_FRAGMENT_QUOTA;
	if (holds && !fragment_hold_room(table, &table->owners[info->key.interface], found, packet))
		return FRAGMENT_DROP;
	if (!found)
		found = fragment_create(table, &info->key, now_ns);
	if (!found)
		return FRAGMENT_DROP;
	range_add(found, info);
	if (holds) {
		fragment_hold(found, packet);
		return FRAGMENT_HOLD;
	}
	*entry = found;
	if (found->state != FRAGMENT_OPEN) {
		fragment_set_state(found, FRAGMENT_JUDGING);
		return FRAGMENT_JUDGE;
	}
	if (is_complete(found))
		fragment_set_state(found, FRAGMENT_DONE);
	return FRAGMENT_FOLLOW;
}

void fragments_decide(struct fragment_entry *entry, const struct fragment_verdict *verdict,
		      struct list *released)
{
	if (!verdict->pass) {
		fragment_kill(entry, verdict->reason);
		return;
	}
	entry->verdict = *verdict;
	fragment_held_take(entry, released);
	fragment_set_state(entry, is_complete(entry) ? FRAGMENT_DONE : FRAGMENT_OPEN);
}

void fragments_describe_ip4(const struct packet *packet, uint8_t interface,
			    struct fragment_info *info)
{
	const struct ip4_header *ip = ip4_of(packet);
	uint16_t fragment = be16_get(ip->fragment);

	memset(info, 0, sizeof(*info));
	info->key.source.ip4 = ip->source;
	info->key.destination.ip4 = ip->destination;
	info->key.id = be16_get(ip->id);
	info->key.protocol = ip->protocol;
	info->key.interface = interface;
	info->key.ip_version = 4;
	info->protocol = ip->protocol;
	info->offset = (uint16_t)((fragment & IP4_OFFSET_MASK) * 8u);
	info->more = fragment & IP4_MORE_FRAGMENTS;
	info->overhead = sizeof(*ip);
	info->length = (uint16_t)(packet->length - packet->l3_offset - sizeof(*ip));
}

void fragments_describe_ip6(const struct packet *packet, const struct packet_info *parsed,
			    struct fragment_info *info)
{
	uint32_t payload = parsed->fragment.header + (uint32_t)sizeof(struct ip6_fragment_header);
	uint32_t extensions = packet->l3_offset + (uint32_t)sizeof(struct ip6_header);

	memset(info, 0, sizeof(*info));
	info->key.source.ip6 = parsed->ip6.source;
	info->key.destination.ip6 = parsed->ip6.destination;
	info->key.id = parsed->fragment.id;
	info->key.interface = parsed->key.interface;
	info->key.ip_version = 6;
	info->protocol = parsed->key.protocol;
	info->offset = parsed->fragment.offset;
	info->more = parsed->fragment.more;
	info->overhead = (uint16_t)(parsed->fragment.header - extensions);
	info->length = (uint16_t)(packet->length - payload);
}
