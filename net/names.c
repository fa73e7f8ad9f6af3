/* SPDX-License-Identifier: ISC */
#include "net/names.h"

#include <errno.h>
#include <string.h>

#include "net/names_internal.h"

#define MEMBER_NONE UINT32_MAX

static uint32_t bucket_count(uint16_t capacity)
{
	uint32_t count = 1;

	while (count < capacity)
		count *= 2;
	return count;
}

/* A name has seldom more than a few addresses. */
static uint32_t member_buckets(uint16_t capacity)
{
	return bucket_count(capacity) * 4;
}

size_t names_memory_bytes(uint16_t capacity)
{
	return capacity * sizeof(struct names_entry) + member_buckets(capacity) * sizeof(uint32_t) +
	       bucket_count(capacity) * sizeof(uint16_t);
}

int names_init(struct names *names, const struct names_config *config)
{
	uint32_t buckets;

	if (config->capacity == 0 || config->capacity > NAMES_MAX)
		return -EINVAL;
	buckets = bucket_count(config->capacity);
	memset(names, 0, sizeof(*names));
	memset(config->memory, 0, names_memory_bytes(config->capacity));
	names->capacity = config->capacity;
	names->entries = config->memory;
	names->member_heads = (uint32_t *)(names->entries + config->capacity);
	names->member_mask = member_buckets(config->capacity) - 1;
	for (uint32_t i = 0; i <= names->member_mask; i++)
		names->member_heads[i] = MEMBER_NONE;
	names->buckets = (uint16_t *)(names->member_heads + names->member_mask + 1);
	names->bucket_mask = buckets - 1;
	for (uint32_t i = 0; i < buckets; i++)
		names->buckets[i] = NAMES_NONE;
	names->wheel = config->wheel;
	names->random = config->random;
	names->output = config->output;
	random_bytes(names->random, &names->key, sizeof(names->key));
	names_resolver_init(names);
	return 0;
}

static uint16_t *bucket_of(const struct names *names, const struct dns_name *name)
{
	uint64_t hash = siphash(&names->key, name->bytes, name->length);

	return &names->buckets[hash & names->bucket_mask];
}

uint16_t names_find(const struct names *names, const struct dns_name *lower)
{
	uint16_t i = *bucket_of(names, lower);

	while (i != NAMES_NONE && !dns_name_equal(&names->entries[i].name, lower))
		i = names->entries[i].next;
	return i;
}

int names_add(struct names *names, const char *text, size_t length, uint64_t now_ns)
{
	struct dns_name name;
	struct names_entry *entry;
	uint16_t i, *bucket;

	if (dns_name_from_text(&name, text, length))
		return -EINVAL;
	i = names_find(names, &name);
	if (i != NAMES_NONE) {
		names->entries[i].users++;
		return i;
	}
	for (i = names->first_free; i < names->capacity && names->entries[i].users; i++)
		;
	names->first_free = i;
	if (i == names->capacity)
		return -ENOSPC;
	entry = &names->entries[i];
	bucket = bucket_of(names, &name);
	entry->users = 1;
	names->used++;
	entry->name = name;
	entry->next = *bucket;
	*bucket = i;
	entry->lookups[NAMES_IP4].known_ns = 0;
	entry->lookups[NAMES_IP6].known_ns = 0;
	names_lookup_start(names, i, now_ns);
	return i;
}

static bool address_equal(const struct names_address *a, const struct names_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- from addresses to the names that have them ---- */

static uint32_t *member_bucket(const struct names *names, const struct names_address *address)
{
	uint64_t hash = siphash(&names->key, address->bytes, sizeof(address->bytes));

	return &names->member_heads[hash & names->member_mask];
}

/* Members are numbered through all entries. */
static uint32_t member_number(const struct names *names, const struct names_member *member)
{
	size_t entry = (size_t)((const uint8_t *)member - (const uint8_t *)names->entries) /
		       sizeof(*names->entries);

	return (uint32_t)(entry * NAMES_ADDRESSES +
			  (size_t)(member - names->entries[entry].members));
}

static struct names_member *member_of(const struct names *names, uint32_t number)
{
	return &names->entries[number / NAMES_ADDRESSES].members[number % NAMES_ADDRESSES];
}

static void member_take(struct names *names, struct names_member *member,
			const struct names_address *address)
{
	uint32_t *head = member_bucket(names, address);

	member->address = *address;
	member->next = *head;
	*head = member_number(names, member);
}

static void member_free(struct names *names, struct names_member *member)
{
	uint32_t number = member_number(names, member);
	uint32_t *link = member_bucket(names, &member->address);

	while (*link != number)
		link = &member_of(names, *link)->next;
	*link = member->next;
	member->expires_ns = 0;
}

static bool member_counts(const struct names_member *member, uint64_t now_ns)
{
	return now_ns < member->expires_ns + NAMES_STALE_S * SECOND_NS;
}

uint32_t names_of(const struct names *names, const struct names_address *address, uint16_t *to,
		  uint32_t room, uint64_t now_ns)
{
	uint32_t count = 0;

	for (uint32_t i = *member_bucket(names, address); i != MEMBER_NONE && count <= room;
	     i = member_of(names, i)->next) {
		const struct names_member *member = member_of(names, i);

		if (!address_equal(&member->address, address) || !member_counts(member, now_ns))
			continue;
		if (count < room)
			to[count] = (uint16_t)(i / NAMES_ADDRESSES);
		count++;
	}
	return count;
}

/* Questions of clients for a name that is no more. */
static void seen_forget(struct names *names, uint16_t name)
{
	for (uint32_t i = 0; i < NAMES_SEEN; i++)
		if (names->seen[i].name == name)
			names->seen[i].until_ns = 0;
}

void names_release(struct names *names, uint16_t name)
{
	struct names_entry *entry = &names->entries[name];
	uint16_t *link = bucket_of(names, &entry->name);

	if (--entry->users)
		return;
	names->used--;
	if (name < names->first_free)
		names->first_free = name;
	while (*link != name)
		link = &names->entries[*link].next;
	*link = entry->next;
	names_lookup_stop(names, name);
	seen_forget(names, name);
	for (uint32_t i = 0; i < NAMES_ADDRESSES; i++)
		if (entry->members[i].expires_ns)
			member_free(names, &entry->members[i]);
}

static uint8_t family_of(const struct names_address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address->bytes, mapped, sizeof(mapped)) == 0 ? NAMES_IP4 : NAMES_IP6;
}

bool names_contains(const struct names *names, uint16_t name, const struct names_address *address,
		    uint64_t now_ns)
{
	const struct names_entry *entry = &names->entries[name];

	for (uint32_t i = 0; i < NAMES_ADDRESSES; i++) {
		const struct names_member *member = &entry->members[i];

		if (member->expires_ns && address_equal(&member->address, address))
			return member_counts(member, now_ns);
	}
	return false;
}

bool names_known(const struct names *names, uint16_t name, enum names_family family,
		 uint64_t now_ns)
{
	return now_ns < names->entries[name].lookups[family].known_ns;
}

void names_changed(struct names *names, uint16_t name)
{
	names->version++;
	names->output.changed(names->output.context, name);
}

/* The address's own place, a free one, or that of whoever expires first. */
static struct names_member *member_place(struct names_entry *entry,
					 const struct names_address *address)
{
	struct names_member *place = &entry->members[0];

	for (uint32_t i = 0; i < NAMES_ADDRESSES; i++) {
		struct names_member *member = &entry->members[i];

		if (member->expires_ns && address_equal(&member->address, address))
			return member;
		if (member->expires_ns < place->expires_ns)
			place = member;
	}
	return place;
}

void names_put(struct names *names, uint16_t name, const struct names_answer *answer,
	       uint64_t now_ns)
{
	uint64_t expires_ns = now_ns + answer->ttl * SECOND_NS;
	bool news = false;

	for (uint32_t i = 0; i < answer->count; i++) {
		const struct names_address *address = &answer->addresses[i];
		struct names_member *place = member_place(&names->entries[name], address);

		if (!place->expires_ns || !address_equal(&place->address, address)) {
			if (place->expires_ns)
				member_free(names, place);
			member_take(names, place, address);
			news = true;
		}
		if (place->expires_ns < expires_ns)
			place->expires_ns = expires_ns;
	}
	if (news)
		names_changed(names, name);
}

void names_sweep(struct names *names, uint16_t name, uint8_t family, uint64_t limit_ns)
{
	struct names_entry *entry = &names->entries[name];
	bool news = false;

	for (uint32_t i = 0; i < NAMES_ADDRESSES; i++) {
		struct names_member *member = &entry->members[i];

		if (!member->expires_ns || member->expires_ns > limit_ns ||
		    family_of(&member->address) != family)
			continue;
		member_free(names, member);
		news = true;
	}
	if (news)
		names_changed(names, name);
}

bool names_is_server(const struct names *names, const struct names_address *address)
{
	for (uint32_t i = 0; i < names->servers_used; i++)
		if (address_equal(&names->servers[i], address))
			return true;
	return false;
}

/*
 * Where another question is remembered: in place of the owner's oldest one when he has his
 * share, else of the oldest of all; what has expired or is free is older than any.
 */
static struct names_seen *seen_take(struct names *names, uint64_t flow, uint64_t now_ns)
{
	struct names_seen *oldest = &names->seen[0], *his_oldest = NULL;
	uint32_t his = 0;

	for (uint32_t i = 0; i < NAMES_SEEN; i++) {
		struct names_seen *seen = &names->seen[i];

		if (seen->until_ns < oldest->until_ns)
			oldest = seen;
		if (seen->until_ns <= now_ns ||
		    seen->flow >> NAMES_FLOW_OWNER_SHIFT != flow >> NAMES_FLOW_OWNER_SHIFT)
			continue;
		his++;
		if (!his_oldest || seen->until_ns < his_oldest->until_ns)
			his_oldest = seen;
	}
	return his >= NAMES_SEEN_SHARE ? his_oldest : oldest;
}

void names_see_query(struct names *names, uint64_t flow, const struct names_address *server,
		     const void *data, size_t bytes, uint64_t now_ns)
{
	struct dns_message message;
	struct dns_question question;
	struct names_seen *seen;
	uint16_t name;

	if (!names_is_server(names, server) || dns_message_read(&message, data, bytes, &question) ||
	    (message.flags & (DNS_FLAG_RESPONSE | DNS_OPCODE_MASK)) ||
	    question.class != DNS_CLASS_IN ||
	    (question.type != DNS_TYPE_A && question.type != DNS_TYPE_AAAA))
		return;
	dns_name_lower(&question.name);
	name = names_find(names, &question.name);
	if (name == NAMES_NONE)
		return;
	seen = seen_take(names, flow, now_ns);
	seen->until_ns = now_ns + NAMES_SEEN_S * SECOND_NS;
	seen->flow = flow;
	seen->id = message.id;
	seen->type = question.type;
	seen->name = name;
}

static struct names_seen *seen_find(struct names *names, uint64_t flow, uint16_t id, uint16_t type,
				    uint64_t now_ns)
{
	for (uint32_t i = 0; i < NAMES_SEEN; i++) {
		struct names_seen *seen = &names->seen[i];

		if (now_ns < seen->until_ns && seen->flow == flow && seen->id == id &&
		    seen->type == type)
			return seen;
	}
	return NULL;
}

uint32_t names_see_answer(struct names *names, uint64_t flow, const struct names_address *server,
			  const void *data, size_t bytes, uint64_t now_ns)
{
	struct dns_message message;
	struct dns_question question;
	struct names_answer answer;
	struct names_seen *seen;

	if (!names_is_server(names, server) || dns_message_read(&message, data, bytes, &question) ||
	    (message.flags & (DNS_FLAG_RESPONSE | DNS_OPCODE_MASK | DNS_RCODE_MASK)) !=
		    DNS_FLAG_RESPONSE ||
	    question.class != DNS_CLASS_IN)
		return 0;
	seen = seen_find(names, flow, message.id, question.type, now_ns);
	if (!seen)
		return 0;
	dns_name_lower(&question.name);
	if (!dns_name_equal(&question.name, &names->entries[seen->name].name) ||
	    names_answer_read(&message, &question, &answer))
		return 0;
	seen->until_ns = 0;
	if (answer.count) {
		names->counters.learnt++;
		names_put(names, seen->name, &answer, now_ns);
	}
	return answer.count;
}
