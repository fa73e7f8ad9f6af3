/* SPDX-License-Identifier: ISC */
/* DNS messages: names, compression, records, queries, and whatever a stranger may send. */
#include "net/dns_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"
#include "tests/host/unit.h"

/* www.Example.org A? -> CNAME cdn.example.org, A 192.0.2.1, AAAA; SOA in the authority. */
static const uint8_t answer[] = {
	0x12,
	0x34,
	0x81,
	0x80,
	0,
	1,
	0,
	3,
	0,
	1,
	0,
	0,
	/* 12 */ 3,
	'w',
	'w',
	'w',
	7,
	'E',
	'x',
	'a',
	'm',
	'p',
	'l',
	'e',
	3,
	'o',
	'r',
	'g',
	0,
	0,
	1,
	0,
	1,
	/* 33 */ 0xc0,
	12,
	0,
	5,
	0,
	1,
	0,
	0,
	0,
	60,
	0,
	6,
	3,
	'C',
	'd',
	'n',
	0xc0,
	16,
	/* 51 */ 0xc0,
	45,
	0,
	1,
	0,
	1,
	0,
	0,
	0,
	30,
	0,
	4,
	192,
	0,
	2,
	1,
	/* 67 */ 0xc0,
	45,
	0,
	28,
	0,
	1,
	0x80,
	0,
	0,
	30,
	0,
	16,
	0x20,
	1,
	0xd,
	0xb8,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	1,
	/* 95 */ 0xc0,
	16,
	0,
	6,
	0,
	1,
	0,
	0,
	2,
	0,
	0,
	24,
	0xc0,
	12,
	0xc0,
	45,
	0,
	0,
	0,
	1,
	0,
	0,
	0,
	2,
	0,
	0,
	0,
	3,
	0,
	0,
	0,
	4,
	0,
	0,
	1,
	0,
};

static struct dns_message message;
static struct dns_question question;
static struct dns_record record;

static bool text_is(const struct dns_name *name, const char *text)
{
	char out[DNS_NAME_BYTES + 1];

	dns_name_to_text(name, out, sizeof(out));
	return strcmp(out, text) == 0;
}

static int from_text(struct dns_name *name, const char *text)
{
	return dns_name_from_text(name, text, strlen(text));
}

START_TEST(rfc1035_4_1_message_with_compression)
{
	struct dns_name name;
	uint32_t ttl;

	ck_assert_int_eq(dns_message_read(&message, answer, sizeof(answer), &question), 0);
	ck_assert_uint_eq(message.id, 0x1234);
	ck_assert(message.flags & DNS_FLAG_RESPONSE);
	ck_assert(!(message.flags & DNS_FLAG_TRUNCATED));
	ck_assert(text_is(&question.name, "www.Example.org"));
	ck_assert_uint_eq(question.type, DNS_TYPE_A);
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert(text_is(&record.name, "www.example.org"));
	ck_assert_int_eq(dns_record_cname(&message, &record, &name), 0);
	ck_assert(text_is(&name, "cdn.example.org"));
	ck_assert_uint_eq(record.ttl, 60);
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert(dns_name_equal(&record.name, &name));
	ck_assert_uint_eq(record.bytes, 4);
	ck_assert_int_eq(record.data[3], 1);
	/* RFC 2181, 8: the top bit of a TTL makes it 0. */
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert_uint_eq(record.type, DNS_TYPE_AAAA);
	ck_assert_uint_eq(record.ttl, 0);
	/* RFC 2308, 5: the lesser of TTL and MINIMUM. */
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert_uint_eq(record.section, DNS_AUTHORITY);
	ck_assert_int_eq(dns_record_negative_ttl(&message, &record, &ttl), 0);
	ck_assert_uint_eq(ttl, 256);
	ck_assert_int_eq(dns_record_next(&message, &record), 0);
	ck_assert_int_eq(dns_record_next(&message, &record), 0);
	dns_record_rewind(&message);
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert_uint_eq(record.type, DNS_TYPE_CNAME);
}
END_TEST

START_TEST(rfc1035_4_1_4_pointers_only_backwards)
{
	static const struct {
		uint8_t at;
		uint8_t to;
	} wrong[] = {
		{ 12, 12 },			   /* to itself */
		{ 12, 20 },			   /* forwards */
		{ 33, 33 }, { 33, 51 }, { 33, 4 }, /* into the header */
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint8_t copy[sizeof(answer)];
		int result;

		memcpy(copy, answer, sizeof(copy));
		copy[wrong[i].at] = 0xc0;
		copy[wrong[i].at + 1] = wrong[i].to;
		result = dns_message_read(&message, copy, sizeof(copy), &question);
		if (result == 0)
			result = dns_record_next(&message, &record);
		ck_assert_int_eq(result, -EINVAL);
	}
}
END_TEST

START_TEST(rfc1035_4_1_4_other_label_kinds_are_refused)
{
	uint8_t copy[sizeof(answer)];

	memcpy(copy, answer, sizeof(copy));
	for (uint32_t kind = 0x40; kind <= 0x80; kind += 0x40) {
		copy[12] = (uint8_t)(kind | 3);
		ck_assert_int_eq(dns_message_read(&message, copy, sizeof(copy), &question),
				 -EINVAL);
	}
}
END_TEST

START_TEST(rfc1035_3_1_limits_of_names)
{
	struct dns_name name;
	char text[300];

	ck_assert_int_eq(from_text(&name, "Www.Example.ORG."), 0);
	ck_assert(text_is(&name, "www.example.org"));
	ck_assert_uint_eq(name.length, 17);
	ck_assert_int_eq(from_text(&name, "_dmarc.a-b.x1"), 0);
	ck_assert_int_eq(from_text(&name, ""), -EINVAL);
	ck_assert_int_eq(from_text(&name, "."), -EINVAL);
	ck_assert_int_eq(from_text(&name, "a..b"), -EINVAL);
	ck_assert_int_eq(from_text(&name, ".a"), -EINVAL);
	ck_assert_int_eq(from_text(&name, "-a.b"), -EINVAL);
	ck_assert_int_eq(from_text(&name, "a-.b"), -EINVAL);
	ck_assert_int_eq(from_text(&name, "a b"), -EINVAL);
	ck_assert_int_eq(from_text(&name, "*.example.org"), -EINVAL);
	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(dns_name_from_text(&name, text, 63), 0);
	ck_assert_int_eq(dns_name_from_text(&name, text, 64), -EINVAL);
	text[63] = text[127] = text[191] = '.';
	ck_assert_int_eq(dns_name_from_text(&name, text, 253), 0);
	ck_assert_uint_eq(name.length, 255);
	ck_assert_int_eq(dns_name_from_text(&name, text, 254), -EINVAL);
	/* Cut to what the caller has room for. */
	ck_assert_uint_eq(dns_name_to_text(&name, text, 5), 4);
	ck_assert_str_eq(text, "aaaa");
}
END_TEST

START_TEST(rfc6891_6_1_query_with_opt)
{
	uint8_t to[DNS_QUERY_BYTES];
	struct dns_name name;
	size_t bytes;

	ck_assert_int_eq(from_text(&name, "www.example.org"), 0);
	bytes = dns_query_write(to, 0xbeef, &name, DNS_TYPE_AAAA, true);
	ck_assert_uint_eq(bytes, 12 + 17 + 4 + 11);
	ck_assert_int_eq(dns_message_read(&message, to, bytes, &question), 0);
	ck_assert_uint_eq(message.id, 0xbeef);
	ck_assert_uint_eq(message.flags, DNS_FLAG_RECURSION_DESIRED);
	ck_assert(dns_name_equal(&question.name, &name));
	ck_assert_uint_eq(question.type, DNS_TYPE_AAAA);
	ck_assert_int_eq(dns_record_next(&message, &record), 1);
	ck_assert_uint_eq(record.section, DNS_ADDITIONAL);
	ck_assert_uint_eq(record.type, DNS_TYPE_OPT);
	ck_assert_uint_eq(record.class, DNS_UDP_BYTES);
	ck_assert_int_eq(dns_record_next(&message, &record), 0);
	bytes = dns_query_write(to, 1, &name, DNS_TYPE_A, false);
	ck_assert_int_eq(dns_message_read(&message, to, bytes, &question), 0);
	ck_assert_int_eq(dns_record_next(&message, &record), 0);
}
END_TEST

START_TEST(rfc4343_case)
{
	struct dns_name name, mixed;

	ck_assert_int_eq(from_text(&name, "abc.def"), 0);
	mixed = name;
	dns_name_mix_case(&mixed, 0x15); /* bits 1 0 1 0 1 0: small, capital, ... */
	ck_assert(text_is(&mixed, "aBc.DeF"));
	ck_assert(!dns_name_equal(&mixed, &name));
	dns_name_lower(&mixed);
	ck_assert(dns_name_equal(&mixed, &name));
}
END_TEST

/* Reads all there is of a message that lies at the end of its own allocation. */
static int read_all(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	struct dns_name name;
	uint32_t ttl;
	int result;

	memcpy(copy, data, bytes);
	result = dns_message_read(&message, copy, bytes, &question);
	while (result == 0 && (result = dns_record_next(&message, &record)) == 1) {
		volatile uint8_t sum = 0;

		for (size_t i = 0; i < record.bytes; i++)
			sum = (uint8_t)(sum + record.data[i]);
		result = dns_record_cname(&message, &record, &name) > 0 ||
			 dns_record_negative_ttl(&message, &record, &ttl) > 0;
	}
	free(copy);
	return result;
}

START_TEST(truncated_at_every_byte)
{
	for (size_t bytes = 0; bytes < sizeof(answer); bytes++)
		ck_assert_int_eq(read_all(answer, bytes), -EINVAL);
	ck_assert_int_eq(read_all(answer, sizeof(answer)), 0);
}
END_TEST

START_TEST(mutations)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 1 };
	struct random random;
	uint32_t good = 0;

	random_init(&random, seed);
	for (int round = 0; round < 100000; round++) {
		uint8_t copy[sizeof(answer)];

		memcpy(copy, answer, sizeof(copy));
		for (uint32_t n = 1 + random_below(&random, 4); n; n--)
			copy[random_below(&random, sizeof(copy))] = (uint8_t)random_u32(&random);
		good += read_all(copy, 1 + random_below(&random, sizeof(copy))) == 0;
	}
	ck_assert_uint_gt(good, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc1035_4_1_message_with_compression);
	tcase_add_test(cases, rfc1035_4_1_4_pointers_only_backwards);
	tcase_add_test(cases, rfc1035_4_1_4_other_label_kinds_are_refused);
	tcase_add_test(cases, rfc1035_3_1_limits_of_names);
	tcase_add_test(cases, rfc6891_6_1_query_with_opt);
	tcase_add_test(cases, rfc4343_case);
	tcase_add_test(cases, truncated_at_every_byte);
	tcase_add_test(cases, mutations);
}

int main(void)
{
	return unit_main("net/dns_message", add_cases);
}
