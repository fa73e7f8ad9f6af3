/* SPDX-License-Identifier: ISC */
/* MSS clamping: options at every offset, with the checksum summed up from scratch. */
#include <stdlib.h>
#include <string.h>

#include "net/tcp_mss.h"
#include "tests/host/unit.h"
#include "tests/net/test_nat.h"

static struct frame frame, expected;
static uint32_t at; /* the TCP header */

/* A segment with `flags` and 40 bytes of options; returns them. */
static uint8_t *begin(uint8_t version, uint8_t flags)
{
	struct spec spec = { .version = version,
			     .protocol = TCP,
			     .ttl = 64,
			     .source = { 10, 1 },
			     .destination = { 192, 2 },
			     .source_port = 77,
			     .destination_port = 88,
			     .payload = 40 };

	spec_build(&frame, &spec);
	at = spec_transport(&spec);
	frame.bytes[at + 12] = 0xf0;
	frame.bytes[at + 13] = flags;
	memset(frame.bytes + at + 20, 1, 40);
	return frame.bytes + at + 20;
}

static void sum_up(struct frame *f)
{
	uint8_t pseudo[40] = { 0 };
	uint32_t size = f->bytes[14] >> 4 == 4 ? 4 : 16;

	memcpy(pseudo, f->bytes + (size == 4 ? 26 : 22), 2 * size);
	put16(pseudo + 2 * size, 60);
	pseudo[2 * size + 3] = 6;
	put16(f->bytes + at + 16, 0);
	put16(f->bytes + at + 16,
	      (uint16_t)~naive_sum(f->bytes + at, 60, naive_sum(pseudo, 2 * size + 4, 0)));
}

static void clamp(uint16_t max_mss)
{
	struct test_packet packet;

	test_packet_begin(&packet, &frame, frame.length);
	test_packet_parse(&packet, TEST_SIDE_IN);
	tcp_mss_clamp(&packet.packet, &packet.info, max_mss);
	test_packet_end(&packet, &frame);
}

static void keep_expected(void)
{
	expected.length = frame.length;
	memcpy(expected.bytes, frame.bytes, frame.length);
}

/* The option written at `offset` must become `wanted`. */
static void expect_clamped(uint32_t offset, uint16_t max_mss, uint16_t wanted)
{
	sum_up(&frame);
	keep_expected();
	put16(expected.bytes + at + 20 + offset + 2, wanted);
	sum_up(&expected);
	clamp(max_mss);
	expect_same(&frame, &expected, "clamped");
}

static void expect_untouched(void)
{
	sum_up(&frame);
	keep_expected();
	clamp(1000);
	expect_same(&frame, &expected, "untouched");
}

static void put_mss(uint8_t *options, uint32_t offset, uint16_t mss)
{
	options[offset] = 2;
	options[offset + 1] = 4;
	put16(options + offset + 2, mss);
}

START_TEST(clamps_at_every_offset)
{
	uint64_t state = unit_seed() | 1;

	for (uint8_t version = 4; version <= 6; version += 2) {
		for (uint32_t offset = 0; offset <= 36; offset++) {
			for (uint32_t round = 0; round < 50; round++) {
				uint16_t mss = (uint16_t)unit_random(&state);
				uint16_t max = (uint16_t)unit_random(&state);
				uint8_t flags = SYN | (unit_random(&state) % 2 ? ACK : 0);

				put_mss(begin(version, flags), offset, mss);
				expect_clamped(offset, max, mss < max ? mss : max);
			}
		}
	}
}
END_TEST

START_TEST(finds_it_behind_other_options)
{
	uint8_t *options = begin(6, SYN);

	memcpy(options, "\x03\x03\x07\x04\x02\x08\x0a________", 15);
	put_mss(options, 15, 1460);
	expect_clamped(15, 1220, 1220);
}
END_TEST

START_TEST(clamps_every_one)
{
	uint8_t *options = begin(4, SYN);

	put_mss(options, 0, 9000);
	put_mss(options, 5, 1400);
	put_mss(options, 9, 1000);
	sum_up(&frame);
	clamp(1200);
	ck_assert_uint_eq(get16(frame.bytes + at + 22), 1200);
	ck_assert_uint_eq(get16(frame.bytes + at + 27), 1200);
	ck_assert_uint_eq(get16(frame.bytes + at + 31), 1000);
}
END_TEST

/* Only the pseudo-header is in a blank checksum. */
START_TEST(blank_checksums_stay)
{
	put_mss(begin(4, SYN), 1, 1460);
	put16(frame.bytes + at + 16, 0xabcd);
	frame.flags = PACKET_CSUM_BLANK;
	clamp(1000);
	ck_assert_uint_eq(get16(frame.bytes + at + 16), 0xabcd);
	ck_assert_uint_eq(get16(frame.bytes + at + 23), 1000);
}
END_TEST

START_TEST(leaves_other_segments_alone)
{
	put_mss(begin(4, ACK), 0, 1460);
	expect_untouched();
	put_mss(begin(6, ACK | PSH), 0, 1460);
	expect_untouched();
	put_mss(begin(4, SYN), 0, 1000);
	expect_untouched();
}
END_TEST

START_TEST(leaves_malformed_options_alone)
{
	uint8_t *options = begin(4, SYN);

	options[0] = 0; /* the end comes first */
	put_mss(options, 1, 1460);
	expect_untouched();
	options = begin(4, SYN); /* no length, which would never end */
	options[0] = 3;
	options[1] = 0;
	put_mss(options, 2, 1460);
	expect_untouched();
	options = begin(4, SYN);
	options[0] = 3;
	options[1] = 1;
	put_mss(options, 2, 1460);
	expect_untouched();
	options = begin(4, SYN); /* longer than there is */
	put_mss(options, 37, 0xff);
	expect_untouched();
	options = begin(4, SYN);
	options[36] = 3;
	options[37] = 5;
	expect_untouched();
	options = begin(4, SYN); /* a kind without a length at the very end */
	options[39] = 2;
	expect_untouched();
	options = begin(4, SYN); /* a length that an MSS does not have */
	put_mss(options, 0, 1460);
	options[1] = 3;
	options[3] = 1;
	expect_untouched();
}
END_TEST

/* Random options never lead out of the header (the sanitizers see to it) or break a sum. */
START_TEST(random_options)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t round = 0; round < 20000; round++) {
		uint8_t *options = begin(round % 2 ? 4 : 6, SYN);
		uint32_t words = 5 + (uint32_t)(unit_random(&state) % 11);

		frame.bytes[at + 12] = (uint8_t)(words << 4);
		for (uint32_t i = 0; i < 40; i++)
			options[i] = (uint8_t)(unit_random(&state) % 6);
		sum_up(&frame);
		clamp((uint16_t)(unit_random(&state) % 1500));
		keep_expected();
		sum_up(&expected);
		expect_same(&frame, &expected, "random");
	}
}
END_TEST

START_TEST(what_is_authenticated_stays)
{
	struct packet_info info = { .key = { .protocol = TCP },
				    .tcp_flags = TCP_SYN,
				    .authenticated = true };
	struct packet packet;

	put_mss(begin(6, SYN), 0, 1460);
	packet = (struct packet){ .data = frame.bytes, .l4_offset = (uint16_t)at };
	tcp_mss_clamp(&packet, &info, 1000);
	ck_assert_uint_eq(get16(frame.bytes + at + 22), 1460);
	info.authenticated = false;
	info.key.protocol = UDP;
	tcp_mss_clamp(&packet, &info, 1000);
	ck_assert_uint_eq(get16(frame.bytes + at + 22), 1460);
}
END_TEST

START_TEST(largest_of_an_mtu)
{
	ck_assert_uint_eq(tcp_mss_of_mtu(4, 1500), 1460);
	ck_assert_uint_eq(tcp_mss_of_mtu(6, 1500), 1440);
	ck_assert_uint_eq(tcp_mss_of_mtu(6, 60), 0);
	ck_assert_uint_eq(tcp_mss_of_mtu(4, 0), 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, clamps_at_every_offset);
	tcase_add_test(cases, finds_it_behind_other_options);
	tcase_add_test(cases, clamps_every_one);
	tcase_add_test(cases, blank_checksums_stay);
	tcase_add_test(cases, leaves_other_segments_alone);
	tcase_add_test(cases, leaves_malformed_options_alone);
	tcase_add_test(cases, random_options);
	tcase_add_test(cases, what_is_authenticated_stays);
	tcase_add_test(cases, largest_of_an_mtu);
}

int main(void)
{
	return unit_main("net/tcp_mss", add_cases);
}
