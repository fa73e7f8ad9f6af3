/* SPDX-License-Identifier: ISC */
#include "lib/frame_hash.h"

#include <string.h>

#include "tests/host/unit.h"

#define FRAME_BYTES 100u
#define FLOWS 4000u

static uint8_t frame[FRAME_BYTES];
static struct packet packet;

static void frame_of_type(uint8_t high, uint8_t low)
{
	memset(frame, 0, sizeof(frame));
	frame[12] = high;
	frame[13] = low;
	packet =
		(struct packet){ .data = frame, .length = FRAME_BYTES, .head_length = FRAME_BYTES };
}

/* From 10.0.0.`from` and `port`, by `protocol`. */
static void frame_of_ip4(uint8_t from, uint16_t port, uint8_t protocol)
{
	static const uint8_t addresses[] = { 10, 0, 0, 0, 192, 0, 2, 1 };

	frame_of_type(8, 0);
	frame[14] = 0x45;
	frame[23] = protocol;
	memcpy(frame + 26, addresses, sizeof(addresses));
	frame[29] = from;
	frame[34] = (uint8_t)(port >> 8);
	frame[35] = (uint8_t)port;
}

static void frame_of_ip6(uint8_t from, uint16_t port, uint8_t next_header)
{
	frame_of_type(0x86, 0xdd);
	frame[14] = 0x60;
	frame[20] = next_header;
	frame[22] = frame[38] = 0x20;
	frame[37] = from;
	frame[53] = 1;
	frame[54] = (uint8_t)(port >> 8);
	frame[55] = (uint8_t)port;
}

static void assert_even(const uint32_t *counts, uint32_t bound)
{
	for (uint32_t i = 0; i < bound; i++) {
		ck_assert_uint_gt(counts[i], FLOWS / bound * 8 / 10);
		ck_assert_uint_lt(counts[i], FLOWS / bound * 12 / 10);
	}
}

/* What distinguishes them is one number that counts up, as a kernel gives out ports. */
START_TEST(flows_spread_evenly)
{
	uint32_t by_port[4] = { 0 }, by_port6[4] = { 0 }, by_address[4] = { 0 };

	for (uint32_t i = 0; i < FLOWS; i++) {
		frame_of_ip4(1, (uint16_t)(32768 + i), 6);
		by_port[frame_hash(&packet, (uint32_t)_i)]++;
		frame_of_ip6(1, (uint16_t)(32768 + i), 17);
		by_port6[frame_hash(&packet, (uint32_t)_i)]++;
		frame_of_ip4((uint8_t)i, 0, 1);
		frame[28] = (uint8_t)(i >> 8);
		by_address[frame_hash(&packet, (uint32_t)_i)]++;
	}
	assert_even(by_port, (uint32_t)_i);
	assert_even(by_port6, (uint32_t)_i);
	assert_even(by_address, (uint32_t)_i);
}
END_TEST

/* Whatever in a frame changes from one packet of a flow to the next. */
START_TEST(a_flow_stays_where_it_is)
{
	for (uint16_t port = 0; port < 200; port++) {
		uint32_t first;

		frame_of_ip4(1, port, 6);
		first = frame_hash(&packet, 1000);
		frame[5] ^= 7;		      /* MAC */
		frame[16] ^= 0x11;	      /* length */
		frame[19] ^= 0x33;	      /* id */
		frame[20] = 0x40;	      /* do not fragment */
		frame[22]--;		      /* TTL */
		memset(frame + 38, port, 16); /* sequence numbers, flags, checksum */
		packet.head_length = (uint16_t)(38 + port % 60);
		ck_assert_uint_eq(frame_hash(&packet, 1000), first);
		frame_of_ip6(1, port, 6);
		first = frame_hash(&packet, 1000);
		frame[18] ^= 0x11; /* length */
		frame[21]--;	   /* hop limit */
		memset(frame + 58, port, 16);
		ck_assert_uint_eq(frame_hash(&packet, 1000), first);
	}
}
END_TEST

START_TEST(fragments_stay_together)
{
	uint32_t first;

	frame_of_ip4(1, 1000, 17);
	frame[20] = 0x20; /* more fragments */
	first = frame_hash(&packet, 1000);
	frame_of_ip4(1, 2000, 17);
	frame[21] = 185; /* offset */
	ck_assert_uint_eq(frame_hash(&packet, 1000), first);
	frame_of_ip6(1, 1000, 44);
	first = frame_hash(&packet, 1000);
	frame_of_ip6(1, 2000, 44);
	ck_assert_uint_eq(frame_hash(&packet, 1000), first);
}
END_TEST

START_TEST(options_move_the_ports)
{
	uint32_t first;

	frame_of_ip4(1, 1000, 6);
	first = frame_hash(&packet, 1000);
	frame[14] = 0x46;
	memmove(frame + 38, frame + 34, 4);
	memset(frame + 34, 1, 4);
	ck_assert_uint_eq(frame_hash(&packet, 1000), first);
}
END_TEST

START_TEST(what_is_not_ip_is_first)
{
	frame_of_type(8, 6); /* ARP */
	memset(frame + 14, 0x55, FRAME_BYTES - 14);
	ck_assert_uint_eq(frame_hash(&packet, 1000), 0);
	frame_of_type(0x88, 0xb5);
	ck_assert_uint_eq(frame_hash(&packet, 1000), 0);
}
END_TEST

/* Heads of every length and bytes of every value: always in bounds, never read beyond. */
START_TEST(short_heads_are_no_trouble)
{
	uint8_t short_frame[FRAME_BYTES];

	for (uint32_t length = 0; length < sizeof(short_frame); length++)
		for (uint32_t version = 0; version < 256; version++) {
			uint8_t *end = short_frame + sizeof(short_frame);

			frame_of_ip4(1, 99, 17);
			frame[14] = (uint8_t)version;
			if (version & 1)
				frame_of_ip6(1, 99, 6);
			packet.data = memcpy(end - length, frame, length);
			packet.head_length = (uint16_t)length;
			ck_assert_uint_lt(frame_hash(&packet, 4), 4);
			ck_assert_uint_eq(frame_hash(&packet, 1), 0);
		}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, flows_spread_evenly, 1, 5);
	tcase_add_test(cases, a_flow_stays_where_it_is);
	tcase_add_test(cases, fragments_stay_together);
	tcase_add_test(cases, options_move_the_ports);
	tcase_add_test(cases, what_is_not_ip_is_first);
	tcase_add_test(cases, short_heads_are_no_trouble);
}

int main(void)
{
	return unit_main("lib/frame_hash", add_cases);
}
