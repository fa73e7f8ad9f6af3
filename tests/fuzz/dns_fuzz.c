/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on DNS: messages of any bytes are read to their end; and the resolver of host
 * names is asked and answered by servers that say anything, while rules come and go. An
 * address must only ever belong to a name when an answer of an asked server held it.
 */
#include "net/names.h"

#include "tests/fuzz/script.h"

#define CAPACITY 8u
#define STEPS 300u
#define SECOND 1000000000ull
#define MESSAGE_BYTES 1500u
#define SERVERS 2u
#define ASKED 64u
#define HONEST 0xc6120000u
#define FORGED 0xc6130000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct names names;
static struct names_entry memory[CAPACITY + 1];
static struct wheel wheel;
static uint64_t now_ns;
static uint32_t users[CAPACITY];
static const struct names_address servers[SERVERS + 1] = {
	{ { [10] = 0xff, 0xff, 10, 139, 1, 1 } },
	{ { [10] = 0xff, 0xff, 10, 139, 1, 2 } },
	{ { [10] = 0xff, 0xff, 192, 0, 2, 1 } }, /* nobody's server */
};
/* What the names asked, the newest at the end. */
static struct asked {
	struct names_address server;
	uint16_t port;
	size_t bytes;
	uint8_t data[DNS_QUERY_BYTES];
} asked[ASKED];
static uint32_t asked_count;
/*
 * Last bytes of the addresses that some answer held: 198.18.0.y and 2001:db8::y. What cannot
 * be an answer holds 198.19.0.y and 2001:db8::1:0:y, and 198.19.0.y is in AAAA records, too.
 */
static bool told4[256], told6[256];
static bool bent; /* a message was changed, perhaps to hold other addresses */

static void assert_name(const struct dns_name *name)
{
	uint32_t at = 0;

	fuzz_assert(name->length >= 1 && name->length <= DNS_NAME_BYTES);
	while (name->bytes[at]) {
		fuzz_assert(name->bytes[at] <= DNS_LABEL_BYTES);
		at += 1u + name->bytes[at];
		fuzz_assert(at < name->length);
	}
	fuzz_assert(at + 1 == name->length);
}

static void assert_text(const struct dns_name *name)
{
	char text[DNS_NAME_BYTES + 4];
	struct dns_name again, lower = *name;
	size_t length = dns_name_to_text(name, text, sizeof(text));

	fuzz_assert(length < sizeof(text) && text[length] == '\0' && strlen(text) == length);
	dns_name_lower(&lower);
	if (strchr(text, '?') || dns_name_from_text(&again, text, length))
		return;
	assert_name(&again);
}

/* All records of a message, from memory of just its size. */
static void message_walk(const uint8_t *bytes, size_t count)
{
	uint8_t *data = malloc(count ? count : 1);
	struct dns_message message;
	struct dns_question question;
	struct dns_record record;
	uint32_t records = 0, again = 0, ttl;
	struct dns_name name;

	memcpy(data, bytes, count);
	if (dns_message_read(&message, data, count, &question) == 0) {
		assert_name(&question.name);
		assert_text(&question.name);
		while (dns_record_next(&message, &record) == 1) {
			assert_name(&record.name);
			fuzz_assert(record.section <= DNS_ADDITIONAL);
			fuzz_assert(record.data >= data &&
				    record.data + record.bytes <= data + count);
			if (dns_record_cname(&message, &record, &name) == 0)
				assert_name(&name);
			(void)!dns_record_negative_ttl(&message, &record, &ttl);
			records++;
		}
		/* A record has eleven bytes at least. */
		fuzz_assert(records * 11 <= count);
		dns_record_rewind(&message);
		while (dns_record_next(&message, &record) == 1)
			again++;
		fuzz_assert(again == records);
	}
	free(data);
}

static void on_send(void *context, const struct names_datagram *datagram)
{
	struct asked *query;
	struct dns_message message;
	struct dns_question question;

	(void)context;
	if (asked_count == ASKED) {
		memmove(asked, asked + 1, (ASKED - 1) * sizeof(asked[0]));
		asked_count--;
	}
	query = &asked[asked_count++];
	fuzz_assert(datagram->bytes <= sizeof(query->data));
	query->server = datagram->server;
	query->port = datagram->source_port;
	query->bytes = datagram->bytes;
	memcpy(query->data, datagram->data, datagram->bytes);
	fuzz_assert(datagram->destination_port == DNS_PORT);
	fuzz_assert(dns_message_read(&message, query->data, query->bytes, &question) == 0);
	fuzz_assert(message.flags == DNS_FLAG_RECURSION_DESIRED);
	assert_name(&question.name);
	fuzz_assert(names_owns_port(&names, datagram->source_port));
}

static void on_changed(void *context, uint16_t name)
{
	(void)context;
	fuzz_assert(name < CAPACITY && users[name]);
}

/* ---- answers ---- */

struct writer {
	uint8_t bytes[MESSAGE_BYTES];
	size_t used;
	struct script *script;
	bool forged;
};

static void put8(struct writer *writer, uint32_t value)
{
	if (writer->used < sizeof(writer->bytes))
		writer->bytes[writer->used++] = (uint8_t)value;
}

static void put16(struct writer *writer, uint32_t value)
{
	put8(writer, value >> 8);
	put8(writer, value);
}

static void put32(struct writer *writer, uint32_t value)
{
	put16(writer, value >> 16);
	put16(writer, value);
}

/* A pointer to the question or elsewhere, or labels, or one label and a pointer. */
static void put_name(struct writer *writer)
{
	uint8_t how = script_u8(writer->script);

	if (how & 1) {
		uint8_t length = script_u8(writer->script) % 80;

		put8(writer, length);
		for (uint32_t i = 0; i < length; i++)
			put8(writer, 'a' + (how >> 4));
	}
	if (how & 2)
		put8(writer, 0);
	else
		put16(writer, 0xc000u | (how & 4 ? script_u16(writer->script) & 0x3fff : 12));
}

static void put_record(struct writer *writer)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_CNAME, DNS_TYPE_SOA,
					  DNS_TYPE_OPT };
	uint8_t how = script_u8(writer->script), last;
	uint16_t type = types[how % 5];
	size_t length_at, length;

	put_name(writer);
	put16(writer, how & 0x80 ? script_u16(writer->script) : type);
	put16(writer, how & 0x40 ? script_u16(writer->script) : DNS_CLASS_IN);
	put32(writer, how & 0x20 ? script_u32(writer->script) : 300);
	length_at = writer->used;
	put16(writer, 0);
	last = script_u8(writer->script);
	if (type == DNS_TYPE_A) {
		put32(writer, (writer->forged ? FORGED : HONEST) | last);
		told4[last] |= !writer->forged;
	} else if (type == DNS_TYPE_AAAA && how & 0x10) {
		put32(writer, 0);
		put32(writer, 0);
		put32(writer, 0xffff);
		put32(writer, FORGED | last);
	} else if (type == DNS_TYPE_AAAA) {
		put32(writer, 0x20010db8);
		put32(writer, 0);
		put32(writer, writer->forged);
		put32(writer, last);
		told6[last] |= !writer->forged;
	} else if (type == DNS_TYPE_CNAME) {
		put_name(writer);
	} else if (type == DNS_TYPE_SOA) {
		put_name(writer);
		put_name(writer);
		for (uint32_t i = 0; i < 5; i++)
			put32(writer, last * 16u);
	}
	length = writer->used - length_at - 2;
	if (writer->used >= length_at + 2) {
		writer->bytes[length_at] = (uint8_t)(length >> 8);
		writer->bytes[length_at + 1] = (uint8_t)length;
	}
}

/* An answer to what was asked: right in everything, but for what the script bends. */
static void answer_make(struct writer *writer, const struct asked *query)
{
	uint8_t how = script_u8(writer->script),
		rcode = how & 1 ? script_u8(writer->script) & 15 : 0;
	uint32_t sections[3] = { script_u8(writer->script) % 6, how & 2 ? 1 : 0, how & 4 ? 1 : 0 };
	size_t end = DNS_HEADER_BYTES;

	while (query->data[end])
		end += 1u + query->data[end];
	end += 5;
	memcpy(writer->bytes, query->data, end);
	writer->used = end;
	writer->bytes[2] = how & 8 ? 0x83 : 0x81;
	writer->bytes[3] = 0x80 | rcode;
	for (uint32_t i = 0; i < 3; i++) {
		writer->bytes[7 + 2 * i] = (uint8_t)sections[i];
		for (uint32_t k = 0; k < sections[i]; k++)
			put_record(writer);
	}
	if (how & 16) { /* one byte, anywhere */
		writer->bytes[script_u16(writer->script) % writer->used] =
			script_u8(writer->script);
		bent = true;
	}
	if (how & 32)
		writer->used = script_u16(writer->script) % (writer->used + 1);
}

/* From memory of just its size. */
static void give(const struct names_address *from, uint16_t port, uint16_t to_port,
		 const uint8_t *bytes, size_t count)
{
	uint8_t *data = malloc(count ? count : 1);

	memcpy(data, bytes, count);
	(void)!names_input(&names, from, port, to_port, data, count, now_ns);
	free(data);
}

static void answer(struct script *script)
{
	struct writer writer = { .script = script };
	uint8_t which = script_u8(script);
	const struct names_address *from;
	const struct asked *query;

	if (!asked_count)
		return;
	query = &asked[asked_count - 1 - which % 4 % asked_count];
	from = which & 0x10 ? &servers[which >> 5 & 1] : &query->server;
	writer.forged = which & 0x80 || memcmp(from, &query->server, sizeof(*from)) != 0;
	answer_make(&writer, query);
	message_walk(writer.bytes, writer.used);
	give(from, which & 0x80 ? 54 : DNS_PORT, query->port, writer.bytes, writer.used);
}

/* A client asks the same server, and its answer passes. */
static void client_asks(struct script *script)
{
	struct writer writer = { .script = script };
	uint8_t which = script_u8(script);
	const struct names_address *server = &servers[which % 3];
	const struct asked *query;

	if (!asked_count)
		return;
	query = &asked[asked_count - 1 - (which >> 2) % 4 % asked_count];
	writer.forged = server == &servers[2];
	names_see_query(&names, which >> 4, server, query->data, query->bytes, now_ns);
	answer_make(&writer, query);
	(void)names_see_answer(&names, which & 1 ? which >> 4 : which >> 5, server, writer.bytes,
			       writer.used, now_ns);
}

static void raw(struct script *script)
{
	uint8_t bytes[256];
	size_t count = script_bytes(script, bytes, script_u8(script));

	/* Addresses in it are not known: only what cannot be an answer. */
	message_walk(bytes, count);
	give(&servers[2], DNS_PORT, script_u16(script), bytes, count);
}

/* ---- rules ---- */

static void add(struct script *script)
{
	static const char *const texts[] = { "www.example.org", "example.org", "a.b",
					     "aaaa.a.b",	"x",	       "cdn.example.net" };
	char text[64];
	size_t length;
	uint8_t which = script_u8(script);
	int name;

	if (which < 0xc0) {
		length = strlen(texts[which % 6]);
		memcpy(text, texts[which % 6], length);
	} else {
		length = script_bytes(script, (uint8_t *)text, which & 63);
	}
	name = names_add(&names, text, length, now_ns);
	if (name < 0)
		return;
	fuzz_assert(name < (int)CAPACITY);
	users[name]++;
	assert_name(&names.entries[name].name);
}

static void release(uint8_t which)
{
	uint16_t name = which % CAPACITY;

	if (!users[name])
		return;
	users[name]--;
	names_release(&names, name);
}

/* An address of a name is one that an honest answer held. */
static void assert_honest(const struct names_address *address)
{
	struct names_address four = names_address_ip4(be32_of(HONEST));
	struct names_address six = { { 0x20, 1, 0x0d, 0xb8 } };
	uint8_t last = address->bytes[15];

	four.bytes[15] = six.bytes[15] = last;
	if (memcmp(address, &four, sizeof(four)) == 0)
		fuzz_assert(told4[last]);
	else
		fuzz_assert(memcmp(address, &six, sizeof(six)) == 0 && told6[last]);
}

static void assert_told(void)
{
	for (uint16_t i = 0; i < CAPACITY && !bent; i++)
		for (uint32_t k = 0; users[i] && k < NAMES_ADDRESSES; k++)
			if (names.entries[i].members[k].expires_ns)
				assert_honest(&names.entries[i].members[k].address);
}

/* At most one timer for each lookup and each query. */
static void assert_bounds(void)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < CAPACITY; i++)
		used += users[i] > 0;
	fuzz_assert(wheel.armed <= used * 2);
}

static void operate(struct script *script)
{
	uint8_t step = script_u8(script);

	switch (step % 8) {
	case 0:
		add(script);
		break;
	case 1:
		release(step >> 3);
		break;
	case 2:
		names_set_servers(&names, servers, (step >> 3) % (SERVERS + 1), now_ns);
		break;
	case 3:
		raw(script);
		break;
	case 4:
		client_asks(script);
		break;
	case 5:
		now_ns += (uint64_t)script_u16(script) << (step >> 3 & 15) << 12;
		(void)wheel_run(&wheel, now_ns, 64);
		break;
	default:
		answer(script);
	}
	assert_bounds();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	struct script script = { data, size };
	struct random numbers;
	struct names_config config = { .capacity = CAPACITY,
				       .memory = memory,
				       .wheel = &wheel,
				       .random = &numbers,
				       .output = { on_send, on_changed, NULL } };

	fuzz_assert(names_memory_bytes(CAPACITY) <= sizeof(memory));
	message_walk(data, size);
	now_ns = SECOND;
	asked_count = 0;
	memset(users, 0, sizeof(users));
	memset(told4, 0, sizeof(told4));
	memset(told6, 0, sizeof(told6));
	bent = false;
	wheel_init(&wheel, now_ns);
	random_init(&numbers, seed);
	fuzz_assert(names_init(&names, &config) == 0);
	names_set_servers(&names, servers, SERVERS, now_ns);
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++)
		operate(&script);
	assert_told();
	for (uint16_t i = 0; i < CAPACITY; i++)
		while (users[i])
			release((uint8_t)i);
	fuzz_assert(wheel.armed == 0);
	return 0;
}
