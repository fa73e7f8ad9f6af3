/* SPDX-License-Identifier: ISC */
#include "lib/random.h"

#include <string.h>

#include "lib/siphash.h"
#include "tests/host/unit.h"

/* RFC 8439, 2.3.2 */
START_TEST(chacha20_vector)
{
	static const uint8_t expected[16] = { 0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15,
					      0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4 };
	static const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0 };
	uint32_t key[8];
	uint8_t bytes[32], out[64];

	for (unsigned int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	memcpy(key, bytes, sizeof(key));
	random_chacha20_block(key, 1, nonce, out);
	ck_assert_mem_eq(out, expected, sizeof(expected));
}
END_TEST

/* The paper's appendix A: key 00..0f, message 00..0e */
START_TEST(siphash_vector)
{
	struct siphash_key key;
	uint8_t bytes[16];

	for (unsigned int i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	memcpy(&key, bytes, sizeof(key));
	ck_assert_uint_eq(siphash(&key, bytes, 15), 0xa129ca6149be45e5ull);
}
END_TEST

/* The same key and messages of 16 and 48 bytes; the values are those of OpenSSL 3. */
START_TEST(siphash13_vectors)
{
	struct siphash_key key;
	uint8_t bytes[49];

	for (unsigned int i = 0; i < 48; i++)
		bytes[i + 1] = (uint8_t)i;
	memcpy(&key, bytes + 1, sizeof(key));
	ck_assert_uint_eq(siphash13(&key, bytes + 1, 16), 0xcc4fdd1a7d908b66ull);
	ck_assert_uint_eq(siphash13(&key, bytes + 1, 48), 0x9f3143f8df074c46ull);
}
END_TEST

START_TEST(given_numbers_are_wiped_and_differ)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 1 };
	struct random one, two;
	uint64_t a, b;

	random_init(&one, seed);
	random_init(&two, seed);
	a = random_u64(&one);
	ck_assert_uint_eq(a, random_u64(&two));
	for (size_t i = 0; i + sizeof(a) <= RANDOM_BUFFER_BYTES; i++)
		ck_assert(memcmp(&one.buffer[i], &a, sizeof(a)) != 0);
	random_add(&two, "x", 1);
	b = random_u64(&two);
	ck_assert_uint_ne(random_u64(&one), b);
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert_uint_lt(random_below(&one, 7), 7);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, chacha20_vector);
	tcase_add_test(cases, siphash_vector);
	tcase_add_test(cases, siphash13_vectors);
	tcase_add_test(cases, given_numbers_are_wiped_and_differ);
}

int main(void)
{
	return unit_main("lib/random", add_cases);
}
