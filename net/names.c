/* SPDX-License-Identifier: ISC */
#include "net/names.h"

#include <errno.h>
#include <string.h>

#include "net/names_internal.h"

static uint32_t bucket_count(uint16_t capacity)
{
	uint32_t count = 1;

	while (count < capacity)
		count *= 2;
	return count;
}

size_t names_memory_bytes(uint16_t capacity)
{
	return capacity * sizeof(struct names_entry) + bucket_count(capacity) * sizeof(uint16_t);
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
	names->buckets = (uint16_t *)(names->entries + config->capacity);
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
	for (i = 0; i < names->capacity && names->entries[i].users; i++)
		;
	if (i == names->capacity)
		return -ENOSPC;
	entry = &names->entries[i];
	bucket = bucket_of(names, &name);
	entry->users = 1;
	entry->name = name;
	entry->next = *bucket;
	*bucket = i;
	memset(entry->members, 0, sizeof(entry->members));
	names_lookup_start(names, i, now_ns);
	return i;
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
	while (*link != name)
		link = &names->entries[*link].next;
	*link = entry->next;
	names_lookup_stop(names, name);
	seen_forget(names, name);
}

static bool address_equal(const struct names_address *a, const struct names_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
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
			return now_ns < member->expires_ns + NAMES_STALE_S * SECOND_NS;
	}
	return false;
}

static void changed(struct names *names, uint16_t name)
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
			place->address = *address;
			place->expires_ns = 0;
			news = true;
		}
		if (place->expires_ns < expires_ns)
			place->expires_ns = expires_ns;
	}
	if (news)
		changed(names, name);
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
		member->expires_ns = 0;
		news = true;
	}
	if (news)
		changed(names, name);
}

bool names_is_server(const struct names *names, const struct names_address *address)
{
	for (uint32_t i = 0; i < names->servers_used; i++)
		if (address_equal(&names->servers[i], address))
			return true;
	return false;
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
	seen = &names->seen[names->seen_next++ % NAMES_SEEN];
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
