/* SPDX-License-Identifier: ISC */
/* Host names in rules: the resolver client against a server played here, by a virtual clock. */
#include "net/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/unit.h"

#define CAPACITY 64u
#define SECOND 1000000000ull
#define MESSAGE_BYTES 1500u

static struct names names;
static struct wheel wheel;
static struct random numbers;
static void *memory;
static uint64_t now;
static struct names_address servers[2];

/* What was sent last, and how much. */
static uint32_t sent, changes;
static struct names_datagram last;
static uint8_t last_data[DNS_QUERY_BYTES];
/* The last query of each type, for names that ask for both. */
static struct names_datagram by_type[2];
static uint8_t by_type_data[2][DNS_QUERY_BYTES];

static void on_send(void *context, const struct names_datagram *datagram)
{
	struct dns_message message;
	struct dns_question question;
	uint32_t type;

	(void)context;
	sent++;
	last = *datagram;
	ck_assert_uint_le(datagram->bytes, sizeof(last_data));
	memcpy(last_data, datagram->data, datagram->bytes);
	ck_assert_int_eq(dns_message_read(&message, last_data, last.bytes, &question), 0);
	type = question.type == DNS_TYPE_AAAA;
	by_type[type] = *datagram;
	memcpy(by_type_data[type], datagram->data, datagram->bytes);
}

static void on_changed(void *context, uint16_t name)
{
	(void)context;
	(void)name;
	changes++;
}

static struct names_address ip4(uint32_t address)
{
	return names_address_ip4(be32_of(address));
}

static void setup(void)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	struct names_config config = {
		.capacity = CAPACITY,
		.wheel = &wheel,
		.random = &numbers,
		.output = { on_send, on_changed, NULL },
	};

	now = SECOND;
	sent = changes = 0;
	wheel_init(&wheel, now);
	random_init(&numbers, seed);
	memory = malloc(names_memory_bytes(CAPACITY));
	config.memory = memory;
	ck_assert_int_eq(names_init(&names, &config), 0);
	servers[0] = ip4(0x0a8b0101);
	servers[1] = ip4(0x0a8b0102);
	names_set_servers(&names, servers, 2, now);
}

static void teardown(void)
{
	free(memory);
}

static void advance(uint64_t ns)
{
	uint64_t end = now + ns;

	for (; now < end; now += 20000000ull)
		wheel_run(&wheel, now, 1000);
}

static int add(const char *text)
{
	return names_add(&names, text, strlen(text), now);
}

static uint8_t *put(uint8_t *at, const char *hex_free, size_t bytes)
{
	memcpy(at, hex_free, bytes);
	return at + bytes;
}

/* A record whose owner is the name at `owner` (a pointer). */
static uint8_t *put_record(uint8_t *at, uint32_t owner, uint16_t type, uint32_t ttl,
			   const void *data, uint16_t bytes)
{
	const uint8_t head[12] = {
		(uint8_t)(0xc0 | owner >> 8),
		(uint8_t)owner,
		(uint8_t)(type >> 8),
		(uint8_t)type,
		0,
		1,
		(uint8_t)(ttl >> 24),
		(uint8_t)(ttl >> 16),
		(uint8_t)(ttl >> 8),
		(uint8_t)ttl,
		(uint8_t)(bytes >> 8),
		(uint8_t)bytes,
	};

	at = put(at, (const char *)head, sizeof(head));
	return put(at, data, bytes);
}

/* The beginning of an answer to a query: its id and question. Returns where records go. */
static uint8_t *answer_begin(uint8_t *to, const uint8_t *query, uint8_t rcode, uint8_t answers,
			     uint8_t authorities)
{
	size_t end = DNS_HEADER_BYTES;

	while (query[end])
		end += 1u + query[end];
	end += 5;
	memcpy(to, query, end);
	to[2] = 0x81;
	to[3] = (uint8_t)(0x80 | rcode);
	to[7] = answers;
	to[9] = authorities;
	to[11] = 0;
	return to + end;
}

/* Answers the last A query with one address. */
static int answer_ip4(uint32_t address, uint32_t ttl)
{
	uint8_t message[MESSAGE_BYTES];
	be32 wire = be32_of(address);
	uint8_t *at = answer_begin(message, by_type_data[0], 0, 1, 0);

	at = put_record(at, 12, DNS_TYPE_A, ttl, &wire, 4);
	return names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port, message,
			   (size_t)(at - message), now);
}

static bool has(int name, uint32_t address)
{
	struct names_address wanted = ip4(address);

	return names_contains(&names, (uint16_t)name, &wanted, now);
}

START_TEST(a_name_is_asked_for_in_both_families)
{
	int name = add("www.example.org");
	uint8_t message[MESSAGE_BYTES];
	static const uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
	struct names_address wanted;
	uint8_t *at;

	ck_assert_int_ge(name, 0);
	ck_assert(!has(name, 0xc0000201));
	advance(SECOND / 5);
	ck_assert_uint_eq(sent, 2);
	ck_assert_int_eq(answer_ip4(0xc0000201, 300), 0);
	ck_assert(has(name, 0xc0000201));
	ck_assert(!has(name, 0xc0000202));
	ck_assert_uint_eq(changes, 1);
	at = answer_begin(message, by_type_data[1], 0, 1, 0);
	at = put_record(at, 12, DNS_TYPE_AAAA, 300, ip6, 16);
	ck_assert_int_eq(names_input(&names, &by_type[1].server, DNS_PORT, by_type[1].source_port,
				     message, (size_t)(at - message), now),
			 0);
	memcpy(wanted.bytes, ip6, 16);
	ck_assert(names_contains(&names, (uint16_t)name, &wanted, now));
	ck_assert_uint_eq(names.version, 2);
}
END_TEST

START_TEST(names_are_shared_and_counted)
{
	int name = add("Www.Example.org");

	ck_assert_int_eq(add("www.example.ORG."), name);
	ck_assert_int_ne(add("example.org"), name);
	ck_assert_int_eq(add("no such"), -EINVAL);
	advance(SECOND / 5);
	names_release(&names, (uint16_t)name);
	names_release(&names, (uint16_t)name);
	ck_assert_int_eq(add("other.example"), name);
	for (uint32_t i = 0; i < CAPACITY - 2; i++) {
		char text[16];

		snprintf(text, sizeof(text), "n%u.example", i);
		ck_assert_int_ge(add(text), 0);
	}
	ck_assert_int_eq(add("one.too.many"), -ENOSPC);
}
END_TEST

START_TEST(rfc5452_forged_answers_are_refused)
{
	int name = add("www.example.org");
	struct names_datagram true_one;
	uint8_t kept;
	struct names_address other = ip4(0x0a8b0109);
	uint8_t message[MESSAGE_BYTES];
	be32 wire = be32_of(0x06060606);
	size_t bytes;

	advance(SECOND / 5);
	true_one = by_type[0];
	by_type[0].source_port ^= 1;
	ck_assert_int_eq(answer_ip4(0x06060606, 60), -ENOENT);
	by_type[0] = true_one;
	by_type[0].server = other;
	ck_assert_int_eq(answer_ip4(0x06060606, 60), -ENOENT);
	by_type[0] = true_one;
	for (uint32_t i = 0; i < 2; i++) { /* id */
		by_type_data[0][i] ^= 1;
		ck_assert_int_eq(answer_ip4(0x06060606, 60), -ENOENT);
		by_type_data[0][i] ^= 1;
	}
	kept = by_type_data[0][13]; /* the case of a letter */
	by_type_data[0][13] ^= 0x20;
	ck_assert_int_eq(answer_ip4(0x06060606, 60), -ENOENT);
	by_type_data[0][13] = kept;
	bytes = (size_t)(put_record(answer_begin(message, by_type_data[0], 0, 1, 0), 12, DNS_TYPE_A,
				    60, &wire, 4) -
			 message);
	ck_assert_int_eq(names_input(&names, &true_one.server, 54, true_one.source_port, message,
				     bytes, now),
			 -ENOENT);
	message[2] &= 0x7f; /* a query */
	ck_assert_int_eq(names_input(&names, &true_one.server, DNS_PORT, true_one.source_port,
				     message, bytes, now),
			 -ENOENT);
	ck_assert(!has(name, 0x06060606));
	ck_assert_uint_eq(names.counters.refused, 7);
	ck_assert_int_eq(answer_ip4(0xc0000201, 60), 0);
	/* And a second answer to the same query. */
	ck_assert_int_eq(answer_ip4(0x06060606, 60), -ENOENT);
	ck_assert(!has(name, 0x06060606));
}
END_TEST

START_TEST(rfc5452_9_2_ids_and_ports_differ)
{
	uint16_t ports[64], id_or = 0, id_and = 0xffff;
	uint32_t same = 0;

	ck_assert_int_ge(add("www.example.org"), 0);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t before = sent;

		while (sent == before)
			advance(SECOND / 50);
		ports[i] = last.source_port;
		ck_assert(names_owns_port(&names, ports[i]));
		id_or |= (uint16_t)(last_data[0] << 8 | last_data[1]);
		id_and &= (uint16_t)(last_data[0] << 8 | last_data[1]);
		for (uint32_t j = 0; j < i; j++)
			same += ports[i] == ports[j];
	}
	ck_assert_uint_lt(same, 4);
	ck_assert_uint_eq(id_or, 0xffff);
	ck_assert_uint_eq(id_and, 0);
	ck_assert(!names_owns_port(&names, 53));
}
END_TEST

START_TEST(silent_servers_are_asked_in_turn_and_ever_less_often)
{
	uint32_t round;

	ck_assert_int_ge(add("www.example.org"), 0);
	advance(SECOND / 5);
	ck_assert_mem_eq(&last.server, &servers[0], 16);
	advance(SECOND + SECOND / 10);
	ck_assert_mem_eq(&last.server, &servers[1], 16);
	ck_assert_uint_eq(sent, 4);
	advance(16 * SECOND);
	round = sent;
	ck_assert_uint_ge(round, 2 * NAMES_ROUND);
	advance(3600 * SECOND);
	/* A round each 285 s or so for either family, after the first few. */
	ck_assert_uint_lt(sent - round, 2 * NAMES_ROUND * 22);
	ck_assert_uint_gt(sent - round, 2 * NAMES_ROUND * 8);
}
END_TEST

START_TEST(ttls_are_honoured_within_limits)
{
	int name = add("www.example.org");
	uint32_t before;

	advance(SECOND / 5);
	ck_assert_int_eq(answer_ip4(0xc0000201, 100), 0);
	before = sent;
	advance(60 * SECOND);
	by_type[0].source_port = 0;
	advance(16 * SECOND);
	ck_assert_uint_gt(sent, before); /* refreshed before it expired */
	ck_assert_uint_ne(by_type[0].source_port, 0);
	/* The new answer has another address: the old one goes after its time. */
	ck_assert_int_eq(answer_ip4(0xc0000202, 0), 0);
	ck_assert(has(name, 0xc0000201) && has(name, 0xc0000202));
	for (int i = 0; i < 12; i++) {
		advance(4 * SECOND);
		(void)answer_ip4(0xc0000202, 0); /* held to NAMES_TTL_MIN_S */
	}
	ck_assert(!has(name, 0xc0000201) && has(name, 0xc0000202));
}
END_TEST

START_TEST(what_expired_is_kept_while_no_server_answers)
{
	int name = add("www.example.org");

	advance(SECOND / 5);
	ck_assert_int_eq(answer_ip4(0xc0000201, 60), 0);
	advance((NAMES_STALE_S - 60) * SECOND);
	ck_assert(has(name, 0xc0000201));
	advance(130 * SECOND);
	ck_assert(!has(name, 0xc0000201));
	changes = 0;
	advance(NAMES_PAUSE_MAX_S * SECOND + 20 * SECOND);
	ck_assert_uint_eq(changes, 1); /* and its flows are judged again */
}
END_TEST

START_TEST(rfc2308_5_negative_answers_are_cached)
{
	static const uint8_t soa[] = { 0xc0, 12, 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 2,
				       0,    0,	 0,    3,  0, 0, 0, 4, 0, 0, 3, 0xe8 };
	uint8_t message[MESSAGE_BYTES];

	ck_assert_int_ge(add("gone.example.org"), 0);
	advance(SECOND / 5);
	for (int i = 0; i < 2; i++) {
		uint8_t *at = answer_begin(message, by_type_data[i], DNS_RCODE_NO_NAME, 0, 1);

		at = put_record(at, 12, DNS_TYPE_SOA, 5000, soa, sizeof(soa));
		ck_assert_int_eq(names_input(&names, &by_type[i].server, DNS_PORT,
					     by_type[i].source_port, message,
					     (size_t)(at - message), now),
				 0);
	}
	ck_assert_uint_eq(sent, 2);
	advance(890 * SECOND);
	ck_assert_uint_eq(sent, 2);
	advance(120 * SECOND);
	ck_assert_uint_gt(sent, 2);
}
END_TEST

START_TEST(a_failing_server_passes_the_query_on)
{
	uint8_t message[MESSAGE_BYTES];
	uint8_t *at;
	uint32_t before;

	ck_assert_int_ge(add("www.example.org"), 0);
	advance(SECOND / 5);
	before = sent;
	at = answer_begin(message, by_type_data[0], DNS_RCODE_SERVER_FAILURE, 0, 0);
	ck_assert_int_eq(names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				     message, (size_t)(at - message), now),
			 0);
	ck_assert_uint_eq(sent, before + 1);
	ck_assert_mem_eq(&last.server, &servers[1], 16);
	/* RFC 6891, 7: the next query to one that does not know EDNS is without. */
	ck_assert_uint_eq(last_data[11], 1);
	at = answer_begin(message, by_type_data[0], DNS_RCODE_FORMAT, 0, 0);
	ck_assert_int_eq(names_input(&names, &last.server, DNS_PORT, last.source_port, message,
				     (size_t)(at - message), now),
			 0);
	ck_assert_uint_eq(last_data[11], 0);
}
END_TEST

/* A chain in one answer, its records in the wrong order. */
static size_t chain_answer(uint8_t *message, const uint8_t *query, uint32_t address)
{
	be32 wire = be32_of(address);
	uint8_t *at = answer_begin(message, query, 0, 3, 0);
	uint32_t a = (uint32_t)(at - message) + 12; /* where name "a" will stand */
	uint32_t b;

	at = put_record(at, 12, DNS_TYPE_CNAME, 50, "\1a\0", 3);
	b = (uint32_t)(at - message) + 12;
	at = put_record(at, a, DNS_TYPE_CNAME, 40, "\1b\0", 3);
	at = put_record(at, b, DNS_TYPE_A, 300, &wire, 4);
	return (size_t)(at - message);
}

START_TEST(rfc1034_3_6_2_chains_are_followed)
{
	int name = add("www.example.org");
	uint8_t message[MESSAGE_BYTES];
	uint32_t before;
	size_t bytes;
	uint8_t *at;
	be32 wire = be32_of(0xc0000209);

	advance(SECOND / 5);
	bytes = chain_answer(message, by_type_data[0], 0xc0000207);
	ck_assert_int_eq(names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				     message, bytes, now),
			 0);
	ck_assert(has(name, 0xc0000207));
	/* The least TTL of the chain, 40 s, is what counts. */
	before = sent;
	advance(31 * SECOND);
	ck_assert_uint_gt(sent, before);
	/* A server that stops in the chain is asked for the rest. */
	at = answer_begin(message, by_type_data[0], 0, 1, 0);
	at = put_record(at, 12, DNS_TYPE_CNAME, 50, "\3cdn\3net\0", 9);
	before = sent;
	ck_assert_int_eq(names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				     message, (size_t)(at - message), now),
			 0);
	ck_assert_uint_eq(sent, before + 1);
	ck_assert_uint_eq(last_data[12], 3);
	/* An address of a name outside the chain is none. */
	at = answer_begin(message, by_type_data[0], 0, 2, 0);
	at = put_record(at, 16, DNS_TYPE_A, 50, "\6\6\6\6", 4);
	at = put_record(at, 12, DNS_TYPE_A, 50, &wire, 4);
	ck_assert_int_eq(names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				     message, (size_t)(at - message), now),
			 0);
	ck_assert(has(name, 0xc0000209));
	ck_assert(!has(name, 0x06060606));
}
END_TEST

START_TEST(a_loop_of_cnames_ends)
{
	uint8_t message[MESSAGE_BYTES];
	uint8_t *at;

	ck_assert_int_ge(add("www.example.org"), 0);
	advance(SECOND / 5);
	at = answer_begin(message, by_type_data[0], 0, 1, 0);
	at = put_record(at, 12, DNS_TYPE_CNAME, 50, "\xc0\x0c", 2);
	ck_assert_int_eq(names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				     message, (size_t)(at - message), now),
			 -ELOOP);
	/* And one across queries. */
	for (int i = 0; i < 40; i++) {
		char next[3] = { 1, (char)('a' + i % 26), 0 };
		uint32_t before = sent;

		at = answer_begin(message, by_type_data[0], 0, 1, 0);
		at = put_record(at, 12, DNS_TYPE_CNAME, 50, next, 3);
		if (names_input(&names, &by_type[0].server, DNS_PORT, by_type[0].source_port,
				message, (size_t)(at - message), now) ||
		    sent == before) {
			ck_assert_int_le(i, (int)NAMES_CHAIN);
			return;
		}
	}
	ck_abort_msg("it went on");
}
END_TEST

START_TEST(a_client_s_answer_is_learnt_from)
{
	int name = add("www.example.org");
	struct names_address stranger = ip4(0x06060606);
	uint8_t query[DNS_QUERY_BYTES], message[MESSAGE_BYTES];
	struct dns_name asked;
	size_t query_bytes, bytes;

	ck_assert_int_eq(dns_name_from_text(&asked, "www.example.org", 15), 0);
	dns_name_mix_case(&asked, 0x5555);
	query_bytes = dns_query_write(query, 77, &asked, DNS_TYPE_A, true);
	bytes = chain_answer(message, query, 0xc0000207);
	/* Nobody asked. */
	ck_assert_uint_eq(names_see_answer(&names, 5, &servers[0], message, bytes, now), 0);
	/* A server of the client's own choice. */
	names_see_query(&names, 5, &stranger, query, query_bytes, now);
	ck_assert_uint_eq(names_see_answer(&names, 5, &stranger, message, bytes, now), 0);
	names_see_query(&names, 5, &servers[0], query, query_bytes, now);
	ck_assert_uint_eq(names_see_answer(&names, 6, &servers[0], message, bytes, now), 0);
	message[1] ^= 1;
	ck_assert_uint_eq(names_see_answer(&names, 5, &servers[0], message, bytes, now), 0);
	message[1] ^= 1;
	ck_assert(!has(name, 0xc0000207));
	ck_assert_uint_eq(names_see_answer(&names, 5, &servers[0], message, bytes, now), 1);
	ck_assert(has(name, 0xc0000207));
	/* Once a question. */
	ck_assert_uint_eq(names_see_answer(&names, 5, &servers[0], message, bytes, now), 0);
	/* Too late. */
	names_see_query(&names, 5, &servers[0], query, query_bytes, now);
	now += (NAMES_SEEN_S + 1) * SECOND;
	ck_assert_uint_eq(names_see_answer(&names, 5, &servers[0], message, bytes, now), 0);
}
END_TEST

START_TEST(a_flood_of_questions_pushes_out_nobody_elses)
{
	const uint64_t flooder = 1ull << NAMES_FLOW_OWNER_SHIFT, other = 2 * flooder + 5;
	int name = add("www.example.org");
	uint8_t query[DNS_QUERY_BYTES], message[MESSAGE_BYTES];
	struct dns_name asked;
	size_t query_bytes, bytes;

	ck_assert_int_eq(dns_name_from_text(&asked, "www.example.org", 15), 0);
	query_bytes = dns_query_write(query, 77, &asked, DNS_TYPE_A, true);
	bytes = chain_answer(message, query, 0xc0000207);
	names_see_query(&names, other, &servers[0], query, query_bytes, now);
	for (uint32_t i = 0; i < 4 * NAMES_SEEN; i++)
		names_see_query(&names, flooder + i, &servers[0], query, query_bytes, now + i);
	now += SECOND;
	/* His own latest ones are there too, and no more than his share. */
	ck_assert_uint_eq(names_see_answer(&names, flooder + 4 * NAMES_SEEN - NAMES_SEEN_SHARE - 1,
					   &servers[0], message, bytes, now),
			  0);
	ck_assert_uint_eq(names_see_answer(&names, flooder + 4 * NAMES_SEEN - NAMES_SEEN_SHARE,
					   &servers[0], message, bytes, now),
			  1);
	ck_assert_uint_eq(names_see_answer(&names, other, &servers[0], message, bytes, now), 1);
	ck_assert(has(name, 0xc0000207));
}
END_TEST

START_TEST(a_set_is_bounded)
{
	int name = add("www.example.org");
	uint32_t count = 0;

	advance(SECOND / 5);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(answer_ip4(0xc0000200 + i, 1000 + i), 0);
		names_set_servers(&names, servers, 2, now);
		advance(SECOND / 5);
	}
	for (uint32_t i = 0; i < 100; i++)
		count += has(name, 0xc0000200 + i);
	ck_assert_uint_eq(count, NAMES_ADDRESSES);
	ck_assert(has(name, 0xc0000200 + 99) && !has(name, 0xc0000200)); /* the first to expire */
}
END_TEST

START_TEST(more_names_than_queries_take_turns)
{
	uint32_t answered = 0;
	char text[32];

	for (uint32_t i = 0; i < CAPACITY; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		ck_assert_int_eq(add(text), (int)i);
	}
	for (uint32_t i = 0; i < 30000 && answered < CAPACITY; i++) {
		advance(SECOND / 50);
		(void)answer_ip4(0xc0000201, 80000);
		answered = 0;
		for (uint32_t j = 0; j < CAPACITY; j++)
			answered += has((int)j, 0xc0000201);
	}
	ck_assert_uint_eq(answered, CAPACITY);
}
END_TEST

/* The index by address agrees with the names' own lists, whatever comes and goes. */
START_TEST(the_names_of_an_address)
{
	uint16_t found[8];
	char text[24];

	for (uint32_t i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		ck_assert_int_eq(add(text), (int)i);
	}
	for (uint32_t round = 0; round < 4000; round++) {
		uint32_t address = 0xc0000200 + random_below(&numbers, 60);
		struct names_address asked = ip4(address);
		uint32_t count, expected = 0;

		advance(SECOND / 4);
		(void)answer_ip4(address, 1 + random_below(&numbers, 300));
		if (random_below(&numbers, 10) == 0) {
			uint16_t name = (uint16_t)random_below(&numbers, 6);

			snprintf(text, sizeof(text), "n%u.example", name);
			names_release(&names, name);
			ck_assert_int_eq(add(text), name);
		}
		if (random_below(&numbers, 500) == 0)
			advance(2 * NAMES_STALE_S * SECOND);
		count = names_of(&names, &asked, found, 8, now);
		for (uint32_t i = 0; i < 6; i++)
			expected += has((int)i, address);
		ck_assert_uint_eq(count, expected);
		for (uint32_t i = 0; i < count; i++)
			ck_assert(has(found[i], address));
		if (count > 2)
			ck_assert_uint_eq(names_of(&names, &asked, found, 1, now), 2);
	}
}
END_TEST

START_TEST(what_is_known_and_what_not)
{
	uint8_t message[MESSAGE_BYTES];
	uint8_t *at;
	int name = add("www.example.org");
	uint16_t n = (uint16_t)name;

	advance(SECOND / 5);
	ck_assert(!names_known(&names, n, NAMES_IP4, now));
	ck_assert_int_eq(answer_ip4(0xc0000201, 60), 0);
	ck_assert(names_known(&names, n, NAMES_IP4, now));
	ck_assert(!names_known(&names, n, NAMES_IP6, now));
	/* That there is nothing is known too, and told. */
	changes = 0;
	at = answer_begin(message, by_type_data[1], DNS_RCODE_NO_NAME, 0, 0);
	ck_assert_int_eq(names_input(&names, &by_type[1].server, DNS_PORT, by_type[1].source_port,
				     message, (size_t)(at - message), now),
			 0);
	ck_assert(names_known(&names, n, NAMES_IP6, now));
	ck_assert_uint_eq(changes, 1);
	/* Not for ever. */
	advance((NAMES_STALE_S + 61) * SECOND);
	ck_assert(!names_known(&names, n, NAMES_IP4, now));
	advance(NAMES_PAUSE_MAX_S * SECOND + 20 * SECOND);
	ck_assert_uint_eq(changes, 3);
	ck_assert(!names_known(&names, n, NAMES_IP6, now));
	/* And not of another name in the same place. */
	advance(SECOND);
	(void)answer_ip4(0xc0000201, 60);
	names_release(&names, n);
	ck_assert_int_eq(add("other.example.org"), name);
	ck_assert(!names_known(&names, n, NAMES_IP4, now));
	ck_assert(!has(name, 0xc0000201));
}
END_TEST

START_TEST(truncation_and_mutations)
{
	uint8_t message[MESSAGE_BYTES];
	uint32_t taken = 0;

	ck_assert_int_ge(add("www.example.org"), 0);
	advance(SECOND / 5);
	for (int round = 0; round < 20000; round++) {
		size_t bytes = chain_answer(message, by_type_data[round & 1], 0xc0000207);
		uint8_t *copy;

		if (round & 2)
			bytes = random_below(&numbers, (uint32_t)bytes + 1);
		for (uint32_t n = random_below(&numbers, 4); n; n--)
			message[2 + random_below(&numbers, 120)] = (uint8_t)random_u32(&numbers);
		copy = malloc(bytes + 1);
		memcpy(copy + 1, message, bytes);
		taken += names_input(&names, &by_type[round & 1].server, DNS_PORT,
				     by_type[round & 1].source_port, copy + 1, bytes, now) == 0;
		names_see_query(&names, 1, &servers[0], copy + 1, bytes, now);
		(void)names_see_answer(&names, 1, &servers[0], copy + 1, bytes, now);
		free(copy);
		if (round % 16 == 0)
			advance(SECOND);
	}
	ck_assert_uint_gt(taken, 10);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, a_name_is_asked_for_in_both_families);
	tcase_add_test(cases, names_are_shared_and_counted);
	tcase_add_test(cases, rfc5452_forged_answers_are_refused);
	tcase_add_test(cases, rfc5452_9_2_ids_and_ports_differ);
	tcase_add_test(cases, silent_servers_are_asked_in_turn_and_ever_less_often);
	tcase_add_test(cases, ttls_are_honoured_within_limits);
	tcase_add_test(cases, what_expired_is_kept_while_no_server_answers);
	tcase_add_test(cases, rfc2308_5_negative_answers_are_cached);
	tcase_add_test(cases, a_failing_server_passes_the_query_on);
	tcase_add_test(cases, rfc1034_3_6_2_chains_are_followed);
	tcase_add_test(cases, a_loop_of_cnames_ends);
	tcase_add_test(cases, a_client_s_answer_is_learnt_from);
	tcase_add_test(cases, a_flood_of_questions_pushes_out_nobody_elses);
	tcase_add_test(cases, a_set_is_bounded);
	tcase_add_test(cases, more_names_than_queries_take_turns);
	tcase_add_test(cases, the_names_of_an_address);
	tcase_add_test(cases, what_is_known_and_what_not);
	tcase_add_test(cases, truncation_and_mutations);
}

int main(void)
{
	return unit_main("net/names", add_cases);
}
