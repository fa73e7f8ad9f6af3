/* SPDX-License-Identifier: ISC */
/* The resolver client: queries, their timers, and which answers count. */
#include <errno.h>
#include <string.h>

#include "net/names_internal.h"

#define PORT_FIRST 49152u /* RFC 6335, 6: the dynamic ports */
#define PORT_COUNT 16384u
#define MIXED_CASE_TRIES (NAMES_ROUND - 2u)
#define NO_QUERY_WAIT_NS 200000000ull
#define SPREAD_NS 50000000u /* over which many names' first queries are spread */

static bool port_is_used(const struct names *names, uint16_t port)
{
	for (uint32_t i = 0; i < NAMES_QUERIES; i++)
		if (names->queries[i].lookup && names->queries[i].port == port)
			return true;
	return false;
}

bool names_owns_port(const struct names *names, uint16_t port)
{
	return port >= PORT_FIRST && port_is_used(names, port);
}

/* A port of its own for each query; random enough even where the first choice was taken. */
static uint16_t port_pick(struct names *names)
{
	uint32_t offset = random_below(names->random, PORT_COUNT);

	while (port_is_used(names, (uint16_t)(PORT_FIRST + offset)))
		offset = (offset + 1) % PORT_COUNT;
	return (uint16_t)(PORT_FIRST + offset);
}

static struct names *names_asking(const struct names_query *query)
{
	return query->lookup->names;
}

static uint16_t type_of(const struct names_lookup *lookup)
{
	return lookup->family == NAMES_IP4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static void query_send(struct names_query *query, uint64_t now_ns)
{
	struct names *names = names_asking(query);
	uint32_t round = query->tries / names->servers_used;
	uint8_t message[DNS_QUERY_BYTES];
	struct names_datagram datagram;

	query->server = (uint8_t)(query->tries % names->servers_used);
	query->tries++;
	query->id = (uint16_t)random_u32(names->random);
	query->port = port_pick(names);
	dns_name_lower(&query->question);
	if (query->tries <= MIXED_CASE_TRIES)
		dns_name_mix_case(&query->question, random_u64(names->random));
	datagram.server = names->servers[query->server];
	datagram.source_port = query->port;
	datagram.destination_port = DNS_PORT;
	datagram.data = message;
	datagram.bytes = dns_query_write(message, query->id, &query->question,
					 type_of(query->lookup), !query->plain);
	wheel_start(names->wheel, &query->timer,
		    now_ns + (NAMES_TIMEOUT_NS << (round > 2 ? 2 : round)));
	names->counters.sent++;
	names->output.send(names->output.context, &datagram);
}

static void query_free(struct names_query *query)
{
	wheel_stop(names_asking(query)->wheel, &query->timer);
	query->lookup->query = NULL;
	query->lookup = NULL;
}

/* The next round at a random time in the last tenth of `seconds` from now. */
static void lookup_after(struct names_lookup *lookup, uint64_t seconds, uint64_t now_ns)
{
	uint64_t wait_ns = seconds * SECOND_NS;
	uint64_t spread = random_below(lookup->names->random, 1024) * (wait_ns / 10 / 1024);

	wheel_start(lookup->names->wheel, &lookup->timer, now_ns + wait_ns - spread);
}

static void lookup_failed(struct names_lookup *lookup, uint64_t now_ns)
{
	uint32_t doublings = lookup->failures < 6 ? lookup->failures : 6;
	uint32_t pause = NAMES_PAUSE_S << doublings;

	if (lookup->failures < UINT8_MAX)
		lookup->failures++;
	lookup_after(lookup, pause < NAMES_PAUSE_MAX_S ? pause : NAMES_PAUSE_MAX_S, now_ns);
}

/* This attempt came to nothing: the next server, or the end of the round. */
static void query_next(struct names_query *query, uint64_t now_ns)
{
	struct names_lookup *lookup = query->lookup;

	if (query->tries < NAMES_ROUND) {
		query_send(query, now_ns);
		return;
	}
	query_free(query);
	lookup_failed(lookup, now_ns);
}

static void query_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct names_query *query = container_of(timer, struct names_query, timer);

	names_asking(query)->counters.timeouts++;
	query_next(query, now_ns);
}

static struct names_query *query_take(struct names *names)
{
	for (uint32_t i = 0; i < NAMES_QUERIES; i++)
		if (!names->queries[i].lookup)
			return &names->queries[i];
	return NULL;
}

/* A round begins. */
static void lookup_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct names_lookup *lookup = container_of(timer, struct names_lookup, timer);
	struct names *names = lookup->names;
	struct names_query *query;
	uint64_t version = names->version;
	bool forgotten = lookup->known_ns && lookup->known_ns <= now_ns;

	if (forgotten)
		lookup->known_ns = 0;
	if (now_ns > NAMES_STALE_S * SECOND_NS)
		names_sweep(names, lookup->name, lookup->family,
			    now_ns - NAMES_STALE_S * SECOND_NS);
	if (forgotten && names->version == version)
		names_changed(names, lookup->name);
	if (!names->servers_used) {
		lookup_failed(lookup, now_ns);
		return;
	}
	query = query_take(names);
	if (!query) {
		wheel_start(names->wheel, timer, now_ns + NO_QUERY_WAIT_NS);
		return;
	}
	query->lookup = lookup;
	query->question = names->entries[lookup->name].name;
	query->tries = 0;
	query->chain = 0;
	query->plain = false;
	query->ttl = NAMES_TTL_MAX_S;
	lookup->query = query;
	query_send(query, now_ns);
}

void names_resolver_init(struct names *names)
{
	for (uint32_t i = 0; i < NAMES_QUERIES; i++)
		wheel_timer_init(&names->queries[i].timer, query_expired);
	for (uint32_t i = 0; i < names->capacity; i++) {
		for (uint32_t family = 0; family < NAMES_FAMILIES; family++) {
			struct names_lookup *lookup = &names->entries[i].lookups[family];

			lookup->names = names;
			lookup->name = (uint16_t)i;
			lookup->family = (uint8_t)family;
			wheel_timer_init(&lookup->timer, lookup_expired);
		}
	}
}

void names_lookup_start(struct names *names, uint16_t name, uint64_t now_ns)
{
	for (uint32_t family = 0; family < NAMES_FAMILIES; family++) {
		struct names_lookup *lookup = &names->entries[name].lookups[family];

		lookup->failures = 0;
		wheel_start(names->wheel, &lookup->timer,
			    now_ns + random_below(names->random, SPREAD_NS));
	}
}

void names_lookup_stop(struct names *names, uint16_t name)
{
	for (uint32_t family = 0; family < NAMES_FAMILIES; family++) {
		struct names_lookup *lookup = &names->entries[name].lookups[family];

		wheel_stop(names->wheel, &lookup->timer);
		if (lookup->query)
			query_free(lookup->query);
	}
}

void names_set_servers(struct names *names, const struct names_address *servers, uint32_t count,
		       uint64_t now_ns)
{
	names->servers_used = count < NAMES_SERVERS ? count : NAMES_SERVERS;
	memcpy(names->servers, servers, names->servers_used * sizeof(*servers));
	for (uint32_t i = 0; i < NAMES_SEEN; i++)
		names->seen[i].until_ns = 0;
	for (uint16_t i = 0; i < names->capacity; i++) {
		if (!names->entries[i].users)
			continue;
		names_lookup_stop(names, i);
		names_lookup_start(names, i, now_ns);
	}
}

/*
 * A server has answered for good, with addresses or none: what expired before is no more
 * (but see names.h). The next round is after `wait` seconds.
 */
static void lookup_answered(struct names_lookup *lookup, const struct names_answer *answer,
			    uint32_t ttl, uint32_t wait, uint64_t now_ns)
{
	struct names *names = lookup->names;
	uint64_t version = names->version;
	bool news = lookup->known_ns <= now_ns;

	lookup->failures = 0;
	lookup->known_ns = now_ns + (ttl + (uint64_t)NAMES_STALE_S) * SECOND_NS;
	names_put(names, lookup->name, answer, now_ns);
	names_sweep(names, lookup->name, lookup->family, now_ns);
	lookup_after(lookup, wait, now_ns);
	if (news && names->version == version)
		names_changed(names, lookup->name);
}

static uint32_t negative_ttl(const struct names_answer *answer)
{
	uint32_t ttl = answer->has_negative ? answer->negative_ttl : NAMES_NEGATIVE_S;

	if (ttl < NAMES_TTL_MIN_S)
		return NAMES_TTL_MIN_S;
	return ttl < NAMES_NEGATIVE_MAX_S ? ttl : NAMES_NEGATIVE_MAX_S;
}

/* The server stopped in the middle of a chain: ask for the rest. */
static void query_follow(struct names_query *query, const struct names_answer *answer,
			 uint64_t now_ns)
{
	if (query->chain + answer->chain > NAMES_CHAIN) {
		query->tries = NAMES_ROUND;
		query_next(query, now_ns);
		return;
	}
	query->chain = (uint8_t)(query->chain + answer->chain);
	query->question = answer->name;
	query->ttl = answer->ttl < query->ttl ? answer->ttl : query->ttl;
	query->tries = 0;
	query_send(query, now_ns);
}

/* NOERROR or "no such name", of the answer that was asked for. */
static void query_answered(struct names_query *query, uint32_t rcode, struct names_answer *answer,
			   uint64_t now_ns)
{
	struct names_lookup *lookup = query->lookup;
	uint32_t ttl, wait;

	lookup->names->counters.answered++;
	if (answer->count) {
		ttl = answer->ttl = answer->ttl < query->ttl ? answer->ttl : query->ttl;
		wait = ttl - ttl / 4; /* before the first expires, with time for a round */
	} else if (answer->chain && rcode == DNS_RCODE_OK && !answer->has_negative) {
		query_follow(query, answer, now_ns);
		return;
	} else {
		ttl = wait = negative_ttl(answer);
	}
	query_free(query);
	lookup_answered(lookup, answer, ttl, wait, now_ns);
}

static struct names_query *query_find(struct names *names, const struct names_address *from,
				      uint16_t to_port, const struct dns_message *message,
				      const struct dns_question *question)
{
	for (uint32_t i = 0; i < NAMES_QUERIES; i++) {
		struct names_query *query = &names->queries[i];

		if (!query->lookup || query->port != to_port || query->id != message->id)
			continue;
		if (memcmp(from, &names->servers[query->server], sizeof(*from)) != 0 ||
		    question->class != DNS_CLASS_IN || question->type != type_of(query->lookup) ||
		    !dns_name_equal(&question->name, &query->question))
			continue;
		return query;
	}
	return NULL;
}

int names_input(struct names *names, const struct names_address *from, uint16_t from_port,
		uint16_t to_port, const void *data, size_t bytes, uint64_t now_ns)
{
	struct dns_message message;
	struct dns_question question;
	struct names_answer answer;
	struct names_query *query = NULL;
	uint32_t rcode;
	int result = dns_message_read(&message, data, bytes, &question);

	if (!result && from_port == DNS_PORT &&
	    (message.flags & (DNS_FLAG_RESPONSE | DNS_OPCODE_MASK)) == DNS_FLAG_RESPONSE)
		query = query_find(names, from, to_port, &message, &question);
	if (!query) {
		names->counters.refused++;
		return result ? result : -ENOENT;
	}
	rcode = message.flags & DNS_RCODE_MASK;
	if (rcode == DNS_RCODE_FORMAT || rcode == DNS_RCODE_NOT_IMPLEMENTED)
		query->plain = true; /* RFC 6891, 7 */
	if (rcode != DNS_RCODE_OK && rcode != DNS_RCODE_NO_NAME) {
		query_next(query, now_ns);
		return 0;
	}
	result = names_answer_read(&message, &question, &answer);
	/* A partial answer may be cut in the middle of a record, and so may its chain. */
	if (result || ((message.flags & DNS_FLAG_TRUNCATED) && !answer.count)) {
		names->counters.refused++;
		query_next(query, now_ns);
		return result;
	}
	query_answered(query, rcode, &answer, now_ns);
	return 0;
}
