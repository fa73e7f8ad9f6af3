/* SPDX-License-Identifier: ISC */
/* IPv6 prefix translation: the RFC's example, edges, and what must hold for all addresses. */
#include <errno.h>
#include <string.h>

#include "net/nptv6.h"
#include "tests/host/unit.h"
#include "tests/net/test_frames.h"

/* Eight words as they are written. */
static struct ip6_address words(uint16_t a, uint16_t b, uint16_t c, uint16_t d, uint16_t e,
				uint16_t f, uint16_t g, uint16_t h)
{
	const uint16_t all[8] = { a, b, c, d, e, f, g, h };
	struct ip6_address address;

	for (uint32_t i = 0; i < 8; i++)
		put16(address.bytes + i * 2, all[i]);
	return address;
}

static bool same(const struct ip6_address *a, const struct ip6_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void expect_pair(const struct nptv6 *nptv6, struct ip6_address internal,
			struct ip6_address external)
{
	struct ip6_address result;

	ck_assert(nptv6_outward(nptv6, &internal, &result));
	ck_assert(same(&result, &external));
	ck_assert(nptv6_inward(nptv6, &external, &result));
	ck_assert(same(&result, &internal));
}

static struct nptv6 make(struct ip6_address internal, uint8_t internal_bits,
			 struct ip6_address external, uint8_t external_bits)
{
	struct nptv6 nptv6;

	ck_assert_int_eq(nptv6_init(&nptv6, &internal, internal_bits, &external, external_bits), 0);
	return nptv6;
}

/* RFC 6296, section 3.1 and figure 1 */
START_TEST(example_of_the_rfc)
{
	struct nptv6 nptv6 = make(words(0xfd01, 0x0203, 0x0405, 0, 0, 0, 0, 0), 48,
				  words(0x2001, 0x0db8, 0x0001, 0, 0, 0, 0, 0), 48);

	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x0001, 0, 0, 0, 0x1234),
		    words(0x2001, 0x0db8, 0x0001, 0xd550, 0, 0, 0, 0x1234));
}
END_TEST

/* Subnets whose image is at the ends: 0x2ab0 is what makes d54f into ffff, which is 0. */
START_TEST(subnets_wrap_around)
{
	struct nptv6 nptv6 = make(words(0xfd01, 0x0203, 0x0405, 0, 0, 0, 0, 0), 48,
				  words(0x2001, 0x0db8, 0x0001, 0, 0, 0, 0, 0), 48);

	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0, 9, 9, 9, 9),
		    words(0x2001, 0x0db8, 0x0001, 0xd54f, 9, 9, 9, 9));
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x2aaf, 9, 9, 9, 9),
		    words(0x2001, 0x0db8, 0x0001, 0xfffe, 9, 9, 9, 9));
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x2ab0, 9, 9, 9, 9),
		    words(0x2001, 0x0db8, 0x0001, 0, 9, 9, 9, 9));
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0xfffe, 9, 9, 9, 9),
		    words(0x2001, 0x0db8, 0x0001, 0xd54e, 9, 9, 9, 9));
}
END_TEST

/* A longer prefix leaves the interface identifier to take it up: the first word not ffff. */
START_TEST(long_prefixes_change_the_identifier)
{
	struct nptv6 nptv6 = make(words(0xfd01, 0x0203, 0x0405, 0x0600, 0, 0, 0, 0), 56,
				  words(0x2001, 0x0db8, 0x0001, 0x0700, 0, 0, 0, 0), 56);

	/* The subnet's own eight bits stay; d54f + 0600 - 0700 = d44f. */
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x0642, 1, 2, 3, 4),
		    words(0x2001, 0x0db8, 0x0001, 0x0742, 0xd450, 2, 3, 4));
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x0642, 0xffff, 2, 3, 4),
		    words(0x2001, 0x0db8, 0x0001, 0x0742, 0xffff, 0xd451, 3, 4));
	expect_pair(&nptv6, words(0xfd01, 0x0203, 0x0405, 0x06ff, 0xffff, 0xffff, 0xffff, 0),
		    words(0x2001, 0x0db8, 0x0001, 0x07ff, 0xffff, 0xffff, 0xffff, 0xd44f));
}
END_TEST

START_TEST(prefixes_of_two_lengths)
{
	struct nptv6 nptv6 = make(words(0xfd00, 0, 0, 0, 0, 0, 0, 0), 8,
				  words(0x2001, 0x0db8, 0x0001, 0x0002, 0, 0, 0, 0), 64);
	struct ip6_address inside = words(0xfd00, 0, 0, 0, 0, 0, 0, 1), outside;

	ck_assert(nptv6_outward(&nptv6, &inside, &outside));
	ck_assert_mem_eq(outside.bytes, nptv6.external.bytes, 8);
	expect_pair(&nptv6, inside, outside);
	/* The short one is as long as the other, with zeros. */
	inside = words(0xfd00, 0, 0, 1, 0, 0, 0, 1);
	ck_assert(!nptv6_outward(&nptv6, &inside, &outside));
}
END_TEST

START_TEST(refuses_what_has_no_image)
{
	struct nptv6 nptv6 = make(words(0xfd01, 0x0203, 0x0405, 0, 0, 0, 0, 0), 48,
				  words(0x2001, 0x0db8, 0x0001, 0, 0, 0, 0, 0), 48);
	struct ip6_address from, to;

	from = words(0xfd01, 0x0203, 0x0405, 0xffff, 0, 0, 0, 1);
	ck_assert(!nptv6_outward(&nptv6, &from, &to));
	from = words(0x2001, 0x0db8, 0x0001, 0xffff, 0, 0, 0, 1);
	ck_assert(!nptv6_inward(&nptv6, &from, &to));
	from = words(0xfd01, 0x0203, 0x0406, 0, 0, 0, 0, 1);
	ck_assert(!nptv6_outward(&nptv6, &from, &to));
	ck_assert(!nptv6_inward(&nptv6, &from, &to));
	nptv6 = make(words(0xfd01, 0x0203, 0x0405, 1, 0, 0, 0, 0), 64,
		     words(0x2001, 0x0db8, 0x0001, 1, 0, 0, 0, 0), 64);
	from = words(0xfd01, 0x0203, 0x0405, 1, 0xffff, 0xffff, 0xffff, 0xffff);
	ck_assert(!nptv6_outward(&nptv6, &from, &to));
}
END_TEST

START_TEST(refuses_bad_prefixes)
{
	struct ip6_address good = words(0xfd01, 0x0203, 0x0405, 0, 0, 0, 0, 0);
	struct ip6_address bad = words(0xfd01, 0x0203, 0x0405, 0, 0, 0, 0, 1);
	struct nptv6 nptv6;

	ck_assert_int_eq(nptv6_init(&nptv6, &good, 48, &good, 65), -EINVAL);
	ck_assert_int_eq(nptv6_init(&nptv6, &good, 65, &good, 48), -EINVAL);
	ck_assert_int_eq(nptv6_init(&nptv6, &good, 47, &good, 48), -EINVAL);
	ck_assert_int_eq(nptv6_init(&nptv6, &good, 48, &bad, 64), -EINVAL);
	ck_assert_int_eq(nptv6_init(&nptv6, &good, 48, &good, 64), 0);
}
END_TEST

static struct ip6_address random_address(uint64_t *state)
{
	struct ip6_address address;

	for (uint32_t i = 0; i < 16; i++) /* ff and 0 often */
		address.bytes[i] = unit_random(state) % 2
					   ? (uint8_t)unit_random(state)
					   : (uint8_t) - (int)(unit_random(state) % 2);
	return address;
}

static struct ip6_address random_prefix(uint64_t *state, uint32_t bits)
{
	struct ip6_address prefix = random_address(state);

	for (uint32_t i = bits; i < 128; i++)
		prefix.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return prefix;
}

/* Outward and inward undo each other, no sum changes, and every bit but 16 stays. */
START_TEST(translation_is_neutral_and_reversible)
{
	uint64_t state = unit_seed() | 1;
	uint32_t refused = 0;

	for (uint32_t round = 0; round < 100000; round++) {
		uint8_t inner = (uint8_t)(unit_random(&state) % 65);
		uint8_t outer = (uint8_t)(unit_random(&state) % 65);
		uint8_t bits = inner > outer ? inner : outer;
		struct nptv6 nptv6 = make(random_prefix(&state, inner), inner,
					  random_prefix(&state, outer), outer);
		struct ip6_address from = random_address(&state), to, back;
		uint16_t before, after;

		for (uint32_t i = 0; i < bits; i++) {
			from.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
			from.bytes[i / 8] |= nptv6.internal.bytes[i / 8] & (0x80 >> i % 8);
		}
		if (!nptv6_outward(&nptv6, &from, &to)) {
			bool ones = bits <= 48 ? get16(from.bytes + 6) == 0xffff
					       : memcmp(from.bytes + 8,
							"\xff\xff\xff\xff\xff\xff\xff\xff", 8) == 0;

			if (!ones)
				ck_abort_msg("round %u refused", round);
			refused++;
			continue;
		}
		before = naive_sum(from.bytes, 16, 0);
		after = naive_sum(to.bytes, 16, 0);
		if (before % 0xffff != after % 0xffff)
			ck_abort_msg("round %u: sum %04x became %04x", round, before, after);
		if (!nptv6_inward(&nptv6, &to, &back) || !same(&back, &from))
			ck_abort_msg("round %u: does not come back", round);
		for (uint32_t i = 0; i < outer; i++)
			if ((to.bytes[i / 8] ^ nptv6.external.bytes[i / 8]) & (0x80 >> i % 8))
				ck_abort_msg("round %u: prefix bit %u", round, i);
	}
	ck_assert_uint_gt(refused, 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, example_of_the_rfc);
	tcase_add_test(cases, subnets_wrap_around);
	tcase_add_test(cases, long_prefixes_change_the_identifier);
	tcase_add_test(cases, prefixes_of_two_lengths);
	tcase_add_test(cases, refuses_what_has_no_image);
	tcase_add_test(cases, refuses_bad_prefixes);
	tcase_add_test(cases, translation_is_neutral_and_reversible);
}

int main(void)
{
	return unit_main("net/nptv6", add_cases);
}
