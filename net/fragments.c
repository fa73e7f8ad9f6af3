/* SPDX-License-Identifier: ISC */
#include "net/fragments.h"

#include <string.h>

#define LINE_BYTES 64u
#define HOLD_NS (FRAGMENT_SECONDS * 1000000000ull)
#define DATAGRAM_BYTES 65535u
#define TRANSPORT_MINIMUM 8u /* UDP, ICMP, and of others what an ICMP error would quote */

/* ---- memory ---- */

static uint32_t bucket_count(const struct fragments_config *config)
{
	uint32_t buckets = 1;

	while (buckets < config->entries)
		buckets *= 2;
	return buckets;
}

size_t fragments_bytes(const struct fragments_config *config)
{
	return LINE_BYTES + config->entries * sizeof(struct fragment_entry) +
	       config->owners * sizeof(struct fragment_owner) +
	       bucket_count(config) * sizeof(uint32_t);
}

static void entry_expired(struct wheel_timer *timer, uint64_t now_ns);

void fragments_init(struct fragment_table *table, void *memory,
		    const struct fragments_config *config, struct wheel *wheel,
		    struct random *random)
{
	uintptr_t start = ((uintptr_t)memory + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);

	memset(memory, 0, fragments_bytes(config));
	memset(table, 0, sizeof(*table));
	table->config = *config;
	table->entries = (struct fragment_entry *)start;
	table->owners = (struct fragment_owner *)(table->entries + config->entries);
	table->buckets = (uint32_t *)(table->owners + config->owners);
	table->bucket_mask = bucket_count(config) - 1;
	table->wheel = wheel;
	random_bytes(random, &table->hash_key, sizeof(table->hash_key));
	for (uint32_t i = config->entries; i > 0; i--) {
		struct fragment_entry *entry = &table->entries[i - 1];

		entry->table = table;
		list_init(&entry->held);
		list_init(&entry->link);
		wheel_timer_init(&entry->timer, entry_expired);
		entry->next = table->free;
		table->free = i;
	}
	for (uint32_t i = 0; i < config->owners; i++) {
		for (unsigned int state = 0; state < FRAGMENT_STATES; state++)
			list_init(&table->owners[i].states[state]);
	}
}

/* ---- entries ---- */

static struct fragment_owner *owner_of(const struct fragment_entry *entry)
{
	return &entry->table->owners[entry->key.interface];
}

static uint32_t *bucket_of(const struct fragment_table *table, const struct fragment_key *key)
{
	uint64_t hash = siphash(&table->hash_key, key, sizeof(*key));

	return &table->buckets[hash & table->bucket_mask];
}

static struct fragment_entry *entry_find(const struct fragment_table *table,
					 const struct fragment_key *key)
{
	uint32_t reference = *bucket_of(table, key);

	while (reference) {
		struct fragment_entry *entry = &table->entries[reference - 1];

		if (memcmp(&entry->key, key, sizeof(*key)) == 0)
			return entry;
		reference = entry->next;
	}
	return NULL;
}

static void set_state(struct fragment_entry *entry, enum fragment_state state)
{
	entry->state = (uint8_t)state;
	list_remove(&entry->link);
	list_push_back(&owner_of(entry)->states[state], &entry->link);
}

/* What is held leaves the accounts and goes to the end of `to`. */
static void held_take(struct fragment_entry *entry, struct list *to)
{
	struct fragment_owner *owner = owner_of(entry);
	struct list *link;

	while ((link = list_pop_front(&entry->held)))
		list_push_back(to, link);
	owner->held_packets -= entry->held_packets;
	owner->held_bytes -= entry->held_bytes;
	entry->table->held_packets -= entry->held_packets;
	entry->table->held_bytes -= entry->held_bytes;
	entry->held_packets = 0;
	entry->held_bytes = 0;
}

static void held_drop(struct fragment_entry *entry, enum drop_reason reason)
{
	struct list dropped;
	struct list *link;

	list_init(&dropped);
	held_take(entry, &dropped);
	while ((link = list_pop_front(&dropped)))
		packet_drop(list_entry(link, struct packet, link), reason);
}

static void entry_free(struct fragment_entry *entry, enum drop_reason reason)
{
	struct fragment_table *table = entry->table;
	uint32_t reference = (uint32_t)(entry - table->entries) + 1;
	uint32_t *at = bucket_of(table, &entry->key);

	held_drop(entry, reason);
	wheel_stop(table->wheel, &entry->timer);
	list_remove(&entry->link);
	owner_of(entry)->entries--;
	while (*at != reference)
		at = &table->entries[*at - 1].next;
	*at = entry->next;
	entry->state = FRAGMENT_FREE;
	entry->next = table->free;
	table->free = reference;
	table->used--;
}

static void entry_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	entry_free(container_of(timer, struct fragment_entry, timer), DROP_FRAGMENT_TIMEOUT);
}

/* From now on nothing of it passes; it is remembered so that nothing is held either. */
static void entry_kill(struct fragment_entry *entry, enum drop_reason reason)
{
	held_drop(entry, reason);
	entry->reason = (uint16_t)reason;
	set_state(entry, FRAGMENT_DEAD);
}

/* The one whose loss matters least; false: there is none. */
static bool owner_evict(struct fragment_owner *owner)
{
	static const uint8_t order[] = { FRAGMENT_DONE, FRAGMENT_DEAD, FRAGMENT_WAITING,
					 FRAGMENT_OPEN };

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		struct list *list = &owner->states[order[i]];

		if (list_is_empty(list))
			continue;
		entry_free(list_entry(list->next, struct fragment_entry, link),
			   DROP_FRAGMENT_QUOTA);
		return true;
	}
	return false;
}

static struct fragment_entry *entry_create(struct fragment_table *table,
					   const struct fragment_key *key, uint64_t now_ns)
{
	struct fragment_owner *owner = &table->owners[key->interface];
	struct fragment_entry *entry;
	uint32_t reference;
	uint32_t *bucket;

	if ((owner->entries >= table->config.owner_entries || !table->free) && !owner_evict(owner))
		return NULL;
	reference = table->free;
	entry = &table->entries[reference - 1];
	table->free = entry->next;
	table->used++;
	owner->entries++;
	bucket = bucket_of(table, key);
	entry->key = *key;
	entry->next = *bucket;
	*bucket = reference;
	entry->range_count = 0;
	entry->total = 0;
	entry->received = 0;
	set_state(entry, FRAGMENT_WAITING);
	wheel_start(table->wheel, &entry->timer, now_ns + HOLD_NS);
	return entry;
}

/* ---- holding ---- */

static bool hold_fits(const struct fragment_table *table, const struct fragment_owner *owner,
		      uint32_t bytes)
{
	const struct fragments_config *config = &table->config;

	return owner->held_packets < config->owner_held_packets &&
	       owner->held_bytes + bytes <= config->owner_held_bytes &&
	       table->held_packets < config->held_packets &&
	       table->held_bytes + bytes <= config->held_bytes;
}

/* Makes room for a packet of `kept`'s owner out of what that one holds for others. */
static bool hold_make_room(struct fragment_table *table, struct fragment_owner *owner,
			   const struct fragment_entry *kept, uint32_t bytes)
{
	struct list *waiting = &owner->states[FRAGMENT_WAITING];

	if (bytes > table->config.owner_held_bytes)
		return false;
	list_for_each_safe(link, spare, waiting) {
		struct fragment_entry *entry = list_entry(link, struct fragment_entry, link);

		if (hold_fits(table, owner, bytes))
			return true;
		if (entry != kept)
			entry_free(entry, DROP_FRAGMENT_QUOTA);
	}
	return hold_fits(table, owner, bytes);
}

static void hold(struct fragment_entry *entry, struct packet *packet)
{
	struct fragment_owner *owner = owner_of(entry);

	list_push_back(&entry->held, &packet->link);
	entry->held_packets++;
	entry->held_bytes += packet->length;
	owner->held_packets++;
	owner->held_bytes += packet->length;
	entry->table->held_packets++;
	entry->table->held_bytes += packet->length;
}

/* ---- judging ---- */

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
		entry_kill(entry, *reason);
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
	found = entry_find(table, &info->key);
	/* 16 bits of identification come round soon (RFC 4963): this is another datagram. */
	if (found && found->state == FRAGMENT_DONE && info->key.ip_version == 4) {
		entry_free(found, DROP_FRAGMENT_TWICE);
		found = NULL;
	}
	if (found && !entry_accepts(found, info, reason))
		return FRAGMENT_DROP;
	holds = info->offset && is_held_in(found);
	*reason = DROP_FRAGMENT_QUOTA;
	if (holds &&
	    !hold_make_room(table, &table->owners[info->key.interface], found, packet->length))
		return FRAGMENT_DROP;
	if (!found)
		found = entry_create(table, &info->key, now_ns);
	if (!found)
		return FRAGMENT_DROP;
	range_add(found, info);
	if (holds) {
		hold(found, packet);
		return FRAGMENT_HOLD;
	}
	*entry = found;
	if (found->state != FRAGMENT_OPEN) {
		set_state(found, FRAGMENT_JUDGING);
		return FRAGMENT_JUDGE;
	}
	if (is_complete(found))
		set_state(found, FRAGMENT_DONE);
	return FRAGMENT_FOLLOW;
}

void fragments_decide(struct fragment_table *table, struct fragment_entry *entry,
		      const struct fragment_verdict *verdict, struct list *released)
{
	(void)table;
	if (!verdict->pass) {
		entry_kill(entry, verdict->reason);
		return;
	}
	entry->verdict = *verdict;
	held_take(entry, released);
	set_state(entry, is_complete(entry) ? FRAGMENT_DONE : FRAGMENT_OPEN);
}

/* ---- the rest ---- */

void fragments_purge_interface(struct fragment_table *table, uint8_t interface)
{
	for (uint32_t i = 0; i < table->config.entries; i++) {
		struct fragment_entry *entry = &table->entries[i];
		bool decided = entry->state == FRAGMENT_OPEN || entry->state == FRAGMENT_DONE;

		if (entry->state == FRAGMENT_FREE)
			continue;
		if (entry->key.interface == interface ||
		    (decided && entry->verdict.out == interface))
			entry_free(entry, DROP_DETACHED);
	}
}

void fragments_purge_all(struct fragment_table *table, enum drop_reason reason)
{
	for (uint32_t i = 0; i < table->config.entries; i++) {
		struct fragment_entry *entry = &table->entries[i];

		if (entry->state == FRAGMENT_OPEN)
			entry_kill(entry, reason);
	}
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

void fragments_describe_ip6(const struct packet *packet, const struct packet6_info *parsed,
			    struct fragment_info *info)
{
	uint32_t payload = parsed->fragment.header + (uint32_t)sizeof(struct ip6_fragment_header);
	uint32_t extensions = packet->l3_offset + (uint32_t)sizeof(struct ip6_header);

	memset(info, 0, sizeof(*info));
	info->key.source.ip6 = parsed->key.source;
	info->key.destination.ip6 = parsed->key.destination;
	info->key.id = parsed->fragment.id;
	info->key.interface = parsed->key.interface;
	info->key.ip_version = 6;
	info->protocol = parsed->key.protocol;
	info->offset = parsed->fragment.offset;
	info->more = parsed->fragment.more;
	info->overhead = (uint16_t)(parsed->fragment.header - extensions);
	info->length = (uint16_t)(packet->length - payload);
}

static bool entry_check(const struct fragment_entry *entry)
{
	uint32_t packets = 0, bytes = 0, received = 0;

	for (unsigned int i = 0; i < entry->range_count; i++) {
		const struct fragment_range *range = &entry->ranges[i];

		if (range->end <= range->start || (i > 0 && range[-1].end > range->start))
			return false;
		received += range->end - range->start;
	}
	list_for_each(link, &entry->held) {
		packets++;
		bytes += list_entry(link, struct packet, link)->length;
	}
	return received == entry->received && packets == entry->held_packets &&
	       bytes == entry->held_bytes && wheel_timer_is_armed(&entry->timer) &&
	       entry_find(entry->table, &entry->key) == entry &&
	       (!packets || entry->state == FRAGMENT_WAITING || entry->state == FRAGMENT_JUDGING);
}

static bool owner_check(const struct fragment_table *table, uint32_t index, uint32_t *entries)
{
	const struct fragment_owner *owner = &table->owners[index];
	uint32_t packets = 0, bytes = 0, count = 0;

	for (unsigned int state = 0; state < FRAGMENT_STATES; state++) {
		list_for_each(link, &owner->states[state]) {
			struct fragment_entry *entry =
				list_entry(link, struct fragment_entry, link);

			if (entry->state != state || entry->key.interface != index ||
			    !entry_check(entry))
				return false;
			packets += entry->held_packets;
			bytes += entry->held_bytes;
			count++;
		}
	}
	*entries += count;
	return count == owner->entries && packets == owner->held_packets &&
	       bytes == owner->held_bytes && count <= table->config.owner_entries &&
	       packets <= table->config.owner_held_packets &&
	       bytes <= table->config.owner_held_bytes;
}

bool fragments_check(const struct fragment_table *table)
{
	uint32_t entries = 0, packets = 0, bytes = 0;

	for (uint32_t i = 0; i < table->config.owners; i++) {
		if (!owner_check(table, i, &entries))
			return false;
		packets += table->owners[i].held_packets;
		bytes += table->owners[i].held_bytes;
	}
	return entries == table->used && entries <= table->config.entries &&
	       packets == table->held_packets && bytes == table->held_bytes &&
	       packets <= table->config.held_packets && bytes <= table->config.held_bytes;
}
