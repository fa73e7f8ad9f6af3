/* SPDX-License-Identifier: ISC */
/* SYN cookies: what comes back with an ACK, for how long, and what does not pass for one. */
#include "net/tcp_cookie.h"

#include <string.h>

#include "tests/host/unit.h"

#define PERIOD TCP_COOKIE_PERIOD_NS

static struct random numbers;
static struct tcp_cookies cookies;
static struct tcp_key key;
static struct tcp_options syn;
static bool ecn;

static void begin(void)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	uint64_t number = unit_seed();

	memcpy(seed, &number, sizeof(number));
	random_init(&numbers, seed);
	tcp_cookies_init(&cookies, &numbers);
	key = (struct tcp_key){ .own = { 10, 1 },
				.peer = { 192, 2 },
				.own_port = be16_of(80),
				.peer_port = be16_of(40000),
				.version = 4 };
}

/* An ACK that echoes `timestamp`, if there is one. */
static struct tcp_options ack_of(bool timestamps, uint32_t timestamp)
{
	return (struct tcp_options){ .present = timestamps ? TCP_HAS_TIMESTAMPS : 0,
				     .ts_value = 77,
				     .ts_echo = timestamp };
}

static uint32_t make(const struct tcp_options *given, bool with_ecn, uint32_t *timestamp,
		     uint64_t now)
{
	return tcp_cookie_make(&cookies, &key, 1000, given, with_ecn, timestamp, now);
}

static bool check(uint32_t cookie, bool timestamps, uint32_t timestamp, uint64_t now)
{
	struct tcp_options ack = ack_of(timestamps, timestamp);

	memset(&syn, 0xee, sizeof(syn));
	return tcp_cookie_check(&cookies, &key, 1000, cookie, &ack, now, &syn, &ecn);
}

START_TEST(rfc4987_3_6_each_scale_and_flag_comes_back)
{
	begin();
	for (unsigned int scale = 0; scale < 16; scale++) {
		for (unsigned int flags = 0; flags < 4; flags++) {
			struct tcp_options given = { .present = TCP_HAS_MSS | TCP_HAS_TIMESTAMPS,
						     .mss = 1460 };
			uint32_t timestamp = 0x12345678 + scale, cookie;

			if (scale < 15)
				given.present |= TCP_HAS_SCALE;
			given.scale = (uint8_t)(scale % 15);
			if (flags & 1)
				given.present |= TCP_HAS_SACK_PERMITTED;
			cookie = make(&given, flags & 2, &timestamp, 5);
			ck_assert(check(cookie, true, timestamp, 6));
			ck_assert_uint_eq(syn.present, given.present);
			ck_assert_uint_eq(syn.mss, 1460);
			ck_assert_int_eq(ecn, (flags & 2) != 0);
			if (scale < 15)
				ck_assert_uint_eq(syn.scale, scale);
			ck_assert_uint_eq(syn.ts_value, 77);
			ck_assert_uint_eq(syn.ts_echo, timestamp);
		}
	}
}
END_TEST

START_TEST(rfc4987_3_6_without_timestamps_only_the_mss)
{
	struct tcp_options given = { .present =
					     TCP_HAS_MSS | TCP_HAS_SCALE | TCP_HAS_SACK_PERMITTED,
				     .mss = 1460,
				     .scale = 7 };
	uint32_t timestamp = 99;

	begin();
	ck_assert(check(make(&given, true, &timestamp, 5), false, 0, 6));
	ck_assert_uint_eq(timestamp, 99);
	ck_assert_uint_eq(syn.present, TCP_HAS_MSS);
	ck_assert(!ecn);
}
END_TEST

START_TEST(rfc4987_3_6_the_mss_is_never_above_the_one_announced)
{
	begin();
	for (uint32_t mss = 0; mss < 65536; mss += mss < 2000 ? 7 : 611) {
		struct tcp_options given = { .present = TCP_HAS_MSS, .mss = (uint16_t)mss };
		uint32_t timestamp = 0;

		ck_assert(check(make(&given, false, &timestamp, 5), false, 0, 6));
		if (mss >= TCP_MSS_MIN)
			ck_assert_uint_le(syn.mss, mss);
		else
			ck_assert_uint_eq(syn.mss, TCP_MSS_MIN);
		if (mss >= 536)
			ck_assert_uint_ge(syn.mss, mss < 9000 ? mss / 7 : 8940);
	}
}
END_TEST

START_TEST(rfc9293_3_7_1_none_announced_is_the_default)
{
	struct tcp_options given = { .present = 0 };
	uint32_t timestamp = 0;

	begin();
	ck_assert(check(make(&given, false, &timestamp, 5), false, 0, 6));
	ck_assert_uint_eq(syn.mss, 536);
	key.version = 6;
	ck_assert(check(make(&given, false, &timestamp, 5), false, 0, 6));
	ck_assert_uint_eq(syn.mss, 1220);
}
END_TEST

/* RFC 7323, 5.4: a timestamp never goes back, even if connections follow one another. */
START_TEST(rfc7323_5_4_the_timestamp_is_never_ahead)
{
	begin();
	for (uint32_t low = 0; low < 128; low++) {
		for (uint8_t scale = 0; scale < 15; scale++) {
			struct tcp_options given = { .present = TCP_HAS_TIMESTAMPS | TCP_HAS_SCALE,
						     .scale = scale };
			uint32_t now = UINT32_MAX - 64 + low, timestamp = now;

			(void)make(&given, low & 1, &timestamp, 5);
			ck_assert_uint_lt(now - timestamp, 64);
		}
	}
}
END_TEST

START_TEST(rfc4987_3_6_a_cookie_lives_for_one_to_two_periods)
{
	struct tcp_options given = { .present = TCP_HAS_MSS, .mss = 1460 }, other = given;
	uint32_t timestamp = 0, cookie;

	begin();
	cookie = make(&given, false, &timestamp, 10 * PERIOD);
	ck_assert(check(cookie, false, 0, 10 * PERIOD));
	ck_assert(check(cookie, false, 0, 11 * PERIOD - 1));
	ck_assert_uint_eq(make(&given, false, &timestamp, 11 * PERIOD - 1), cookie);
	ck_assert_uint_ne(make(&other, false, &timestamp, 11 * PERIOD), cookie);
	ck_assert(check(cookie, false, 0, 12 * PERIOD - 1));
	ck_assert(!check(cookie, false, 0, 12 * PERIOD));
	cookie = make(&given, false, &timestamp, 20 * PERIOD);
	(void)make(&given, false, &timestamp, 22 * PERIOD); /* keys are renewed twice */
	ck_assert(!check(cookie, false, 0, 22 * PERIOD));
}
END_TEST

/* What a twin with the same keys has made. */
START_TEST(rfc4987_3_6_nothing_passes_when_none_was_made)
{
	struct tcp_options given = { .present = TCP_HAS_MSS, .mss = 1460 };
	struct tcp_cookies twin;
	uint32_t timestamp = 0, cookie;

	begin();
	twin = cookies;
	cookie = tcp_cookie_make(&twin, &key, 1000, &given, false, &timestamp, 5);
	ck_assert(!check(cookie, false, 0, 5));
	(void)make(&given, false, &timestamp, 6);
	ck_assert(check(cookie, false, 0, 6));
	cookies.period = twin.period = 3; /* without new keys */
	cookie = tcp_cookie_make(&twin, &key, 1000, &given, false, &timestamp, 3 * PERIOD);
	ck_assert(!check(cookie, false, 0, 3 * PERIOD));
}
END_TEST

START_TEST(rfc4987_3_6_any_change_is_found)
{
	struct tcp_options given = { .present = TCP_HAS_MSS | TCP_HAS_TIMESTAMPS, .mss = 1460 };
	uint32_t timestamp = 5000, cookie;
	struct tcp_options ack;

	begin();
	cookie = make(&given, false, &timestamp, 5);
	ack = ack_of(true, timestamp);
	ck_assert(check(cookie, true, timestamp, 5));
	for (unsigned int bit = 0; bit < 32; bit++)
		ck_assert(!check(cookie ^ 1u << bit, true, timestamp, 5));
	for (unsigned int bit = 0; bit < TCP_COOKIE_TIMESTAMP_BITS; bit++)
		ck_assert(!check(cookie, true, timestamp ^ 1u << bit, 5));
	ck_assert(!check(cookie, false, 0, 5));
	ck_assert(!tcp_cookie_check(&cookies, &key, 1001, cookie, &ack, 5, &syn, &ecn));
	for (size_t i = 0; i < sizeof(key); i++) {
		((uint8_t *)&key)[i] ^= 4;
		ck_assert(!check(cookie, true, timestamp, 5));
		((uint8_t *)&key)[i] ^= 4;
	}
	ck_assert(check(cookie, true, timestamp, 5));
}
END_TEST

/* Guesses: 2 in 2^29 would be right; a million of them hit by a chance of 1 in 256. */
START_TEST(rfc4987_3_6_guessing_is_in_vain)
{
	struct tcp_options given = { .present = TCP_HAS_MSS, .mss = 1460 };
	uint32_t timestamp = 0, hits = 0;
	uint64_t state = unit_seed() * 2 + 1;

	begin();
	(void)make(&given, false, &timestamp, 5);
	for (uint32_t i = 0; i < 1000000; i++)
		hits += check((uint32_t)unit_random(&state), false, 0, 5);
	ck_assert_uint_lt(hits, 3);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc4987_3_6_each_scale_and_flag_comes_back);
	tcase_add_test(cases, rfc4987_3_6_without_timestamps_only_the_mss);
	tcase_add_test(cases, rfc4987_3_6_the_mss_is_never_above_the_one_announced);
	tcase_add_test(cases, rfc9293_3_7_1_none_announced_is_the_default);
	tcase_add_test(cases, rfc7323_5_4_the_timestamp_is_never_ahead);
	tcase_add_test(cases, rfc4987_3_6_a_cookie_lives_for_one_to_two_periods);
	tcase_add_test(cases, rfc4987_3_6_nothing_passes_when_none_was_made);
	tcase_add_test(cases, rfc4987_3_6_any_change_is_found);
	tcase_add_test(cases, rfc4987_3_6_guessing_is_in_vain);
}

int main(void)
{
	return unit_main("net/tcp_cookie", add_cases);
}
