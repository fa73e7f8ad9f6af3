/* SPDX-License-Identifier: ISC */
/* First sequence numbers and timestamp offsets. */
#include "net/tcp_isn.h"

#include <string.h>

#include "tests/host/unit.h"

static struct random numbers;
static struct tcp_isn isn;

static void begin(uint64_t number)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };

	memcpy(seed, &number, sizeof(number));
	random_init(&numbers, seed);
	tcp_isn_init(&isn, &numbers);
}

static struct tcp_key key_of(uint16_t own_port, uint16_t peer_port)
{
	return (struct tcp_key){ .own = { 10, 1 },
				 .peer = { 192, 2 },
				 .own_port = be16_of(own_port),
				 .peer_port = be16_of(peer_port),
				 .version = 4 };
}

START_TEST(rfc9293_3_4_1_the_clock_ticks_each_4_us)
{
	struct tcp_key key = key_of(1, 2);
	uint32_t first;

	begin(unit_seed());
	first = tcp_isn_make(&isn, &key, 0);
	ck_assert_uint_eq(tcp_isn_make(&isn, &key, 3999) - first, 0);
	ck_assert_uint_eq(tcp_isn_make(&isn, &key, 4000) - first, 1);
	ck_assert_uint_eq(tcp_isn_make(&isn, &key, 1000000000) - first, 250000);
	/* around in 4.77 hours */
	ck_assert_uint_eq(tcp_isn_make(&isn, &key, (1ull << 32) * 4000), first);
}
END_TEST

START_TEST(rfc6528_3_each_part_of_the_name_counts)
{
	struct tcp_key key = key_of(1, 2);
	const uint8_t *bytes = (const uint8_t *)&key;
	uint32_t first;

	begin(unit_seed());
	first = tcp_isn_make(&isn, &key, 0);
	for (size_t i = 0; i < sizeof(key); i++) {
		struct tcp_key other;

		memcpy(&other, bytes, sizeof(other));
		((uint8_t *)&other)[i] ^= 1;
		ck_assert_uint_ne(tcp_isn_make(&isn, &other, 0), first);
		ck_assert_uint_ne(tcp_isn_timestamp_offset(&isn, &other),
				  tcp_isn_timestamp_offset(&isn, &key));
	}
}
END_TEST

START_TEST(rfc6528_3_the_secret_counts)
{
	struct tcp_key key = key_of(1, 2);
	uint32_t first;

	begin(1);
	first = tcp_isn_make(&isn, &key, 0);
	begin(2);
	ck_assert_uint_ne(tcp_isn_make(&isn, &key, 0), first);
	begin(1);
	ck_assert_uint_eq(tcp_isn_make(&isn, &key, 0), first);
}
END_TEST

/* What it says of one connection says nothing of the next: bits are even, steps not alike. */
START_TEST(rfc6528_3_numbers_of_neighbours_have_nothing_in_common)
{
	uint32_t ones[32] = { 0 }, last = 0, similar = 0;

	begin(unit_seed());
	for (uint32_t i = 0; i < 20000; i++) {
		struct tcp_key key = key_of((uint16_t)i, 80);
		uint32_t number = tcp_isn_make(&isn, &key, 0);

		for (unsigned int bit = 0; bit < 32; bit++)
			ones[bit] += number >> bit & 1;
		similar += number - last + 65536 < 131072;
		last = number;
	}
	for (unsigned int bit = 0; bit < 32; bit++) { /* 10,000 +- 6 sigma */
		ck_assert_uint_gt(ones[bit], 9570);
		ck_assert_uint_lt(ones[bit], 10430);
	}
	ck_assert_uint_lt(similar, 10);
}
END_TEST

START_TEST(rfc7323_7_1_timestamps_and_numbers_have_keys_of_their_own)
{
	struct tcp_key key = key_of(1, 2);

	begin(unit_seed());
	ck_assert_uint_ne(tcp_isn_timestamp_offset(&isn, &key), tcp_isn_make(&isn, &key, 0));
	ck_assert_uint_eq(tcp_isn_timestamp_offset(&isn, &key),
			  tcp_isn_timestamp_offset(&isn, &key));
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc9293_3_4_1_the_clock_ticks_each_4_us);
	tcase_add_test(cases, rfc6528_3_each_part_of_the_name_counts);
	tcase_add_test(cases, rfc6528_3_the_secret_counts);
	tcase_add_test(cases, rfc6528_3_numbers_of_neighbours_have_nothing_in_common);
	tcase_add_test(cases, rfc7323_7_1_timestamps_and_numbers_have_keys_of_their_own);
}

int main(void)
{
	return unit_main("net/tcp_isn", add_cases);
}
