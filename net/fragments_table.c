/* SPDX-License-Identifier: ISC */
/*
 * The table of datagrams: memory, accounts, who must go. What is charged to an owner is
 * changed here and nowhere else.
 */
#include "net/fragments_parts.h"

#include <string.h>

#define LINE_BYTES 64u
#define NS_PER_SECOND 1000000000ull

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

static bool key_equal(const struct fragment_key *a, const struct fragment_key *b)
{
	uint64_t x[5], y[5];

	__builtin_memcpy(x, a, sizeof(x)); /* never calls, also where freestanding */
	__builtin_memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

struct fragment_entry *fragment_find(const struct fragment_table *table,
				     const struct fragment_key *key)
{
	uint32_t reference = *bucket_of(table, key);

	while (reference) {
		struct fragment_entry *entry = &table->entries[reference - 1];

		if (key_equal(&entry->key, key))
			return entry;
		reference = entry->next;
	}
	return NULL;
}

void fragment_set_state(struct fragment_entry *entry, enum fragment_state state)
{
	entry->state = (uint8_t)state;
	list_remove(&entry->link);
	list_push_back(&owner_of(entry)->states[state], &entry->link);
}

/* What is held leaves the accounts and goes to the end of `to`. */
void fragment_held_take(struct fragment_entry *entry, struct list *to)
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
	fragment_held_take(entry, &dropped);
	while ((link = list_pop_front(&dropped)))
		packet_drop(list_entry(link, struct packet, link), reason);
}

void fragment_free(struct fragment_entry *entry, enum drop_reason reason)
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
	fragment_free(container_of(timer, struct fragment_entry, timer), DROP_FRAGMENT_TIMEOUT);
}

/* From now on nothing of it passes; it is remembered so that nothing is held either. */
void fragment_kill(struct fragment_entry *entry, enum drop_reason reason)
{
	held_drop(entry, reason);
	entry->reason = (uint16_t)reason;
	fragment_set_state(entry, FRAGMENT_DEAD);
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
		fragment_free(list_entry(list->next, struct fragment_entry, link),
			      DROP_FRAGMENT_QUOTA);
		return true;
	}
	return false;
}

/* No longer than is safe, whatever is asked for. */
static uint64_t hold_ns(const struct fragments_config *config)
{
	uint32_t seconds = config->seconds;

	return (seconds && seconds < FRAGMENT_SECONDS ? seconds : FRAGMENT_SECONDS) * NS_PER_SECOND;
}

struct fragment_entry *fragment_create(struct fragment_table *table, const struct fragment_key *key,
				       uint64_t now_ns)
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
	fragment_set_state(entry, FRAGMENT_WAITING);
	wheel_start(table->wheel, &entry->timer, now_ns + hold_ns(&table->config));
	return entry;
}

/* ---- holding ---- */

static bool hold_fits(const struct fragment_table *table, const struct fragment_owner *owner,
		      const struct packet *packet)
{
	const struct fragments_config *config = &table->config;
	uint32_t pieces = packet_pieces(packet), bytes = packet->length;

	return owner->held_packets + pieces <= config->owner_held_packets &&
	       owner->held_bytes + bytes <= config->owner_held_bytes &&
	       table->held_packets + pieces <= config->held_packets &&
	       table->held_bytes + bytes <= config->held_bytes;
}

/*
 * Makes room for a packet of `kept`'s owner out of what that one holds for others. Small
 * packets in many pieces keep as much memory from others as large ones.
 */
bool fragment_hold_room(struct fragment_table *table, struct fragment_owner *owner,
			const struct fragment_entry *kept, const struct packet *packet)
{
	struct list *waiting = &owner->states[FRAGMENT_WAITING];

	if (packet->length > table->config.owner_held_bytes ||
	    packet_pieces(packet) > table->config.owner_held_packets)
		return false;
	list_for_each_safe(link, spare, waiting) {
		struct fragment_entry *entry = list_entry(link, struct fragment_entry, link);

		if (hold_fits(table, owner, packet))
			return true;
		if (entry != kept)
			fragment_free(entry, DROP_FRAGMENT_QUOTA);
	}
	return hold_fits(table, owner, packet);
}

static bool holds_too_much(const struct fragments_config *config,
			   const struct fragment_owner *owner)
{
	return owner->held_packets > config->owner_held_packets ||
	       owner->held_bytes > config->owner_held_bytes;
}

void fragments_trim(struct fragment_table *table)
{
	const struct fragments_config *config = &table->config;

	for (uint32_t i = 0; i < config->owners; i++) {
		struct fragment_owner *owner = &table->owners[i];
		const struct list *waiting = &owner->states[FRAGMENT_WAITING];

		while (owner->entries > config->owner_entries && owner_evict(owner))
			;
		while (holds_too_much(config, owner) && !list_is_empty(waiting))
			fragment_free(list_entry(waiting->next, struct fragment_entry, link),
				      DROP_FRAGMENT_QUOTA);
	}
}

void fragment_hold(struct fragment_entry *entry, struct packet *packet)
{
	struct fragment_owner *owner = owner_of(entry);
	uint32_t pieces = packet_pieces(packet);

	list_push_back(&entry->held, &packet->link);
	entry->held_packets = (uint16_t)(entry->held_packets + pieces);
	entry->held_bytes += packet->length;
	owner->held_packets += pieces;
	owner->held_bytes += packet->length;
	entry->table->held_packets += pieces;
	entry->table->held_bytes += packet->length;
}

void fragments_purge_interface(struct fragment_table *table, uint8_t interface)
{
	for (uint32_t i = 0; i < table->config.entries; i++) {
		struct fragment_entry *entry = &table->entries[i];
		bool decided = entry->state == FRAGMENT_OPEN || entry->state == FRAGMENT_DONE;

		if (entry->state == FRAGMENT_FREE)
			continue;
		if (entry->key.interface == interface ||
		    (decided && entry->verdict.out == interface))
			fragment_free(entry, DROP_DETACHED);
	}
}

void fragments_purge_all(struct fragment_table *table, enum drop_reason reason)
{
	for (uint32_t i = 0; i < table->config.entries; i++) {
		struct fragment_entry *entry = &table->entries[i];

		if (entry->state == FRAGMENT_OPEN)
			fragment_kill(entry, reason);
	}
}

/* ---- for tests ---- */

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
		const struct packet *packet = list_entry(link, struct packet, link);

		packets += packet_pieces(packet);
		bytes += packet->length;
	}
	return received == entry->received && packets == entry->held_packets &&
	       bytes == entry->held_bytes && wheel_timer_is_armed(&entry->timer) &&
	       fragment_find(entry->table, &entry->key) == entry &&
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
