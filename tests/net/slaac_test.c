/* SPDX-License-Identifier: ISC */
/* IPv6 address configuration against a router played here, by a virtual clock. */
#include "net/slaac.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/checksum.h"
#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define HOUR (3600 * SECOND)
#define OPTIONS 70u
#define FRAME_BYTES (OPTIONS + 32u + 24u + 8u)

static struct slaac slaac;
static struct random numbers;
static uint64_t now;
static uint32_t sent, changes;
static uint8_t out[SLAAC_FRAME_BYTES], frame[FRAME_BYTES];

static void on_send(void *context, const uint8_t *data, size_t bytes)
{
	(void)context;
	ck_assert_uint_eq(bytes, sizeof(out));
	memcpy(out, data, bytes);
	sent++;
}

static void on_changed(void *context)
{
	(void)context;
	changes++;
}

static void put32(uint8_t *at, uint32_t value)
{
	be32 wire = be32_of(value);

	memcpy(at, &wire, 4);
}

static void frame_end(void)
{
	be16 checksum;

	memset(frame + 56, 0, 2);
	checksum = checksum_finish(
		checksum_add(checksum_pseudo_ip6(frame + 22, frame + 38, 58, FRAME_BYTES - 54),
			     frame + 54, FRAME_BYTES - 54));
	memcpy(frame + 56, &checksum, 2);
}

/* An advertisement: router for half an hour, 2001:db8::/64, one name server, MTU 1400. */
static void setup(void)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 9 };
	struct slaac_config config = { .mac = { 2, 0, 0, 0, 0, 1 },
				       .interface_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
				       .random = &numbers,
				       .send = on_send,
				       .changed = on_changed };

	random_init(&numbers, seed);
	now = SECOND;
	sent = changes = 0;
	slaac_init(&slaac, &config);
	memset(frame, 0, sizeof(frame));
	memcpy(frame, "\x33\x33\0\0\0\1\2\0\0\0\0\2\x86\xdd\x60", 15);
	frame[19] = FRAME_BYTES - 54;
	frame[20] = 58;
	frame[21] = 255;
	frame[22] = 0xfe;
	frame[23] = 0x80;
	frame[37] = 2;
	memcpy(frame + 38, "\xff\2", 2);
	frame[53] = 1;
	frame[54] = 134;
	memcpy(frame + 60, "\x07\x08", 2); /* 1800 s */
	memcpy(frame + OPTIONS, "\3\4\x40\x40", 4);
	put32(frame + OPTIONS + 4, 86400);
	put32(frame + OPTIONS + 8, 3600);
	memcpy(frame + OPTIONS + 16, "\x20\1\x0d\xb8", 4);
	memcpy(frame + OPTIONS + 32, "\x19\3", 2);
	put32(frame + OPTIONS + 36, 600);
	memcpy(frame + OPTIONS + 40, "\x20\1\x0d\xb8", 4);
	memcpy(frame + OPTIONS + 56, "\5\1", 2);
	put32(frame + OPTIONS + 60, 1400);
	frame_end();
}

static int give(void)
{
	return slaac_input(&slaac, frame, sizeof(frame), false, now);
}

START_TEST(rfc4861_6_3_7_three_solicitations)
{
	slaac_start(&slaac, now);
	while (slaac_next_ns(&slaac) != UINT64_MAX) {
		now = slaac_next_ns(&slaac);
		slaac_run(&slaac, now);
	}
	ck_assert_uint_eq(sent, SLAAC_SOLICITATIONS);
	ck_assert_uint_eq(out[21], 255);
	ck_assert_uint_eq(out[54], 133);
	ck_assert_uint_eq(
		checksum_finish(
			checksum_add(checksum_pseudo_ip6(out + 22, out + 38, 58, 16), out + 54, 16))
			.raw,
		0);
}
END_TEST

START_TEST(rfc4862_5_5_3_an_address_is_made_and_expires)
{
	static const uint8_t address[16] = {
		0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8
	};

	slaac_start(&slaac, now);
	ck_assert_int_eq(give(), 0);
	ck_assert_uint_eq(changes, 1);
	ck_assert_mem_eq(slaac.prefixes[0].address, address, 16);
	ck_assert_uint_eq(slaac.mtu, 1400);
	/* RFC 8106, 5.1, then the router, then the prefix. */
	ck_assert_uint_eq(slaac_next_ns(&slaac), now + 600 * SECOND);
	slaac_run(&slaac, now + 600 * SECOND);
	ck_assert_uint_eq(slaac.dns[0].until_ns, 0);
	ck_assert_uint_eq(slaac_next_ns(&slaac), now + 1800 * SECOND);
	slaac_run(&slaac, now + 1800 * SECOND);
	ck_assert_uint_eq(slaac.router_ns, 0);
	ck_assert_uint_eq(slaac_next_ns(&slaac), now + 24 * HOUR);
	slaac_run(&slaac, now + 24 * HOUR);
	ck_assert_uint_eq(slaac.prefixes[0].valid_ns, 0);
	ck_assert_uint_eq(sent, 0);
	ck_assert_uint_eq(slaac_next_ns(&slaac), UINT64_MAX);
}
END_TEST

START_TEST(rfc4862_5_5_3_e_two_hours)
{
	ck_assert_int_eq(give(), 0);
	put32(frame + OPTIONS + 4, 1);
	put32(frame + OPTIONS + 8, 1);
	frame_end();
	ck_assert_int_eq(give(), 0);
	ck_assert_uint_eq(slaac.prefixes[0].valid_ns, now + 2 * HOUR);
	now += HOUR;
	ck_assert_int_eq(give(), 0);
	ck_assert_uint_eq(slaac.prefixes[0].valid_ns, now + HOUR);
}
END_TEST

START_TEST(rfc4861_6_1_2_invalid_advertisements)
{
	static const uint8_t wrong[][2] = {
		{ 21, 254 },	     /* hop limit */
		{ 22, 0x20 },	     /* not link-local */
		{ 55, 1 },	     /* code */
		{ 19, 15 },	     /* short */
		{ 19, 81 },	     /* longer than the frame */
		{ OPTIONS + 1, 0 },  /* option length */
		{ OPTIONS + 57, 2 }, /* beyond the end */
		{ 6, 3 },	     /* from a group */
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint8_t kept = frame[wrong[i][0]];

		frame[wrong[i][0]] = wrong[i][1];
		frame_end();
		ck_assert_int_eq(slaac_input(&slaac, frame, sizeof(frame), true, now), -EINVAL);
		frame[wrong[i][0]] = kept;
	}
	frame_end();
	frame[56] ^= 1;
	ck_assert_int_eq(give(), -EINVAL);
	ck_assert_uint_eq(changes, 0);
	ck_assert_uint_eq(slaac.router_ns, 0);
}
END_TEST

START_TEST(truncation_and_mutations)
{
	uint8_t first[FRAME_BYTES];
	uint32_t good = 0;

	memcpy(first, frame, sizeof(first));
	for (uint32_t round = 0; round < 100000; round++) {
		size_t bytes = round < FRAME_BYTES ? round : FRAME_BYTES;
		uint8_t *copy = malloc(bytes + 1);
		int result;

		memcpy(frame, first, sizeof(frame));
		for (uint32_t n = round < FRAME_BYTES ? 0 : random_below(&numbers, 4); n; n--)
			frame[random_below(&numbers, FRAME_BYTES)] = (uint8_t)random_u32(&numbers);
		memcpy(copy + 1, frame, bytes);
		result = slaac_input(&slaac, copy + 1, bytes, true, now);
		ck_assert(round >= FRAME_BYTES || result != 0);
		good += result == 0;
		free(copy);
		now += SECOND;
		slaac_run(&slaac, now);
	}
	ck_assert_uint_gt(good, 1000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, rfc4861_6_3_7_three_solicitations);
	tcase_add_test(cases, rfc4862_5_5_3_an_address_is_made_and_expires);
	tcase_add_test(cases, rfc4862_5_5_3_e_two_hours);
	tcase_add_test(cases, rfc4861_6_1_2_invalid_advertisements);
	tcase_add_test(cases, truncation_and_mutations);
}

int main(void)
{
	return unit_main("net/slaac", add_cases);
}
