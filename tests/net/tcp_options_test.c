/* SPDX-License-Identifier: ISC */
/* TCP options: each of them, lengths that lie, what a SYN alone may say, and back again. */
#include "net/tcp_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/wire.h"
#include "tests/host/unit.h"

static struct tcp_options options;

/* Parses a copy at the end of its memory, so that a byte too far is an error. */
static int parse(const uint8_t *bytes, size_t count, uint8_t flags)
{
	uint8_t *copy = malloc(count ? count : 1);
	int result;

	if (count)
		memcpy(copy, bytes, count);
	memset(&options, 0xee, sizeof(options));
	result = tcp_options_parse(count ? copy : copy + 1, count, flags, &options);
	free(copy);
	return result;
}

#define PARSE(flags, ...) \
	parse((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), flags)

START_TEST(rfc9293_3_7_1_mss)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 4, 0x05, 0xb4), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_MSS);
	ck_assert_uint_eq(options.mss, 1460);
	ck_assert_int_eq(PARSE(TCP_SYN | TCP_ACK, 2, 4, 0xff, 0xff), 0);
	ck_assert_uint_eq(options.mss, 65535);
	ck_assert_int_eq(PARSE(TCP_ACK, 2, 4, 0x05, 0xb4), 0);
	ck_assert_uint_eq(options.present, 0);
}
END_TEST

START_TEST(rfc9293_3_7_1_mss_to_send)
{
	ck_assert_int_eq(parse(NULL, 0, TCP_SYN), 0);
	ck_assert_uint_eq(tcp_options_mss(&options, 4, 1460), 536);
	ck_assert_uint_eq(tcp_options_mss(&options, 6, 1440), 1220);
	ck_assert_uint_eq(tcp_options_mss(&options, 6, 500), 500);
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 4, 0x05, 0xb4), 0);
	ck_assert_uint_eq(tcp_options_mss(&options, 4, 1400), 1400);
	ck_assert_uint_eq(tcp_options_mss(&options, 4, 8960), 1460);
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 4, 0, 0), 0);
	ck_assert_uint_eq(tcp_options_mss(&options, 4, 1460), TCP_MSS_MIN);
}
END_TEST

START_TEST(rfc7323_2_2_window_scale)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 1, 3, 3, 7), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_SCALE);
	ck_assert_uint_eq(options.scale, 7);
	ck_assert_int_eq(PARSE(TCP_ACK, 1, 3, 3, 7), 0);
	ck_assert_uint_eq(options.present, 0);
	ck_assert_int_eq(PARSE(TCP_SYN, 3, 3, 255), 0); /* 2.3: more than 14 is 14 */
	ck_assert_uint_eq(options.scale, 14);
	ck_assert_int_eq(PARSE(TCP_SYN, 3, 3, 0), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_SCALE);
	ck_assert_uint_eq(options.scale, 0);
}
END_TEST

START_TEST(rfc7323_3_2_timestamps)
{
	static const uint8_t flags[] = { TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_RST, TCP_FIN };

	for (unsigned int i = 0; i < sizeof(flags); i++) {
		ck_assert_int_eq(PARSE(flags[i], 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8), 0);
		ck_assert_uint_eq(options.present, TCP_HAS_TIMESTAMPS);
		ck_assert_uint_eq(options.ts_value, 0x01020304);
		ck_assert_uint_eq(options.ts_echo, 0x05060708);
		ck_assert_uint_eq(options.sack_count, 0);
		ck_assert_int_eq(PARSE(flags[i], 8, 10, 9, 2, 3, 4, 5, 6, 7, 8, 1, 1), 0);
		ck_assert_uint_eq(options.ts_value, 0x09020304);
	}
}
END_TEST

START_TEST(rfc2018_2_sack_permitted)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 4, 2, 1, 1), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_SACK_PERMITTED);
	ck_assert_int_eq(PARSE(TCP_ACK, 4, 2, 1, 1), 0);
	ck_assert_uint_eq(options.present, 0);
}
END_TEST

START_TEST(rfc2018_3_sack_blocks)
{
	ck_assert_int_eq(PARSE(TCP_ACK, 5, 10, 0, 0, 0, 1, 0, 0, 1, 0), 0);
	ck_assert_uint_eq(options.sack_count, 1);
	ck_assert_uint_eq(options.sacks[0].begin, 1);
	ck_assert_uint_eq(options.sacks[0].end, 256);
	/* around the end of the numbers; turned round; empty */
	ck_assert_int_eq(PARSE(TCP_ACK, 5, 26, 255, 255, 255, 255, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0,
			       8, 0, 0, 0, 7, 0, 0, 0, 7),
			 0);
	ck_assert_uint_eq(options.sack_count, 1);
	ck_assert_uint_eq(options.sacks[0].begin, UINT32_MAX);
	ck_assert_uint_eq(options.sacks[0].end, 5);
	ck_assert_int_eq(PARSE(TCP_SYN, 5, 10, 0, 0, 0, 1, 0, 0, 1, 0), 0);
	ck_assert_uint_eq(options.sack_count, 0);
	ck_assert_int_eq(PARSE(TCP_ACK, 5, 9, 0, 0, 0, 1, 0, 0, 1), 0);
	ck_assert_uint_eq(options.sack_count, 0);
	ck_assert_int_eq(PARSE(TCP_ACK, 5, 2), 0);
	ck_assert_uint_eq(options.sack_count, 0);
}
END_TEST

START_TEST(rfc7413_4_1_1_fast_open)
{
	uint8_t bytes[20] = { 34, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

	ck_assert_int_eq(parse(bytes, 18, TCP_SYN), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_FASTOPEN);
	ck_assert_uint_eq(options.fastopen_bytes, 16);
	ck_assert_mem_eq(options.fastopen, bytes + 2, 16);
	for (uint8_t length = 2; length <= 20; length++) {
		bool good = length == 2 || (length >= 6 && length <= 18 && length % 2 == 0);

		bytes[1] = length;
		ck_assert_int_eq(parse(bytes, length, TCP_SYN), 0);
		ck_assert_uint_eq(options.present, good ? TCP_HAS_FASTOPEN : 0);
		ck_assert_uint_eq(options.fastopen_bytes, good ? length - 2u : 0);
	}
	bytes[1] = 6;
	ck_assert_int_eq(parse(bytes, 6, TCP_ACK), 0);
	ck_assert_uint_eq(options.present, 0);
}
END_TEST

START_TEST(rfc9293_3_1_unknown_options_are_passed_over)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 253, 5, 1, 2, 3, 19, 2, 2, 4, 1, 0), 0);
	ck_assert_uint_eq(options.mss, 256);
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 3, 1, 3, 4, 1, 2, 4, 3, 0, 8, 2, 2, 4, 1, 1), 0);
	ck_assert_uint_eq(options.present, TCP_HAS_MSS); /* the others have no such length */
	ck_assert_uint_eq(options.mss, 257);
}
END_TEST

START_TEST(rfc9293_3_1_the_end_ends)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 1, 0, 2, 4, 1, 0), 0);
	ck_assert_uint_eq(options.present, 0);
	ck_assert_int_eq(PARSE(TCP_SYN, 0, 7), 0);
}
END_TEST

START_TEST(rfc9293_3_1_illegal_lengths)
{
	ck_assert_int_eq(PARSE(TCP_SYN, 4, 2, 2, 0, 3, 3), -EPROTO);
	ck_assert_uint_eq(options.present, TCP_HAS_SACK_PERMITTED); /* what stood before */
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 1, 3, 3), -EPROTO);
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 1, 1, 1), -EPROTO); /* 1 and 0 lead nowhere */
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 0, 1, 1), -EPROTO);
	ck_assert_int_eq(PARSE(TCP_SYN, 2), -EPROTO);
	ck_assert_int_eq(PARSE(TCP_SYN, 2, 4, 1), -EPROTO);
	ck_assert_int_eq(PARSE(TCP_SYN, 1, 1, 254, 255), -EPROTO);
	ck_assert_uint_eq(options.present, 0);
}
END_TEST

START_TEST(rfc9293_3_1_every_cut_and_every_length)
{
	static const uint8_t whole[] = { 2, 4, 1, 0, 4, 2,  8, 10, 1, 2, 3, 4,	 5, 6, 7,
					 8, 1, 3, 3, 7, 34, 6, 1,  2, 3, 4, 253, 4, 9, 9 };

	for (size_t cut = 0; cut <= sizeof(whole); cut++)
		ck_assert_int_le(parse(whole, cut, TCP_SYN), 0);
	for (size_t at = 0; at < sizeof(whole); at++) {
		for (unsigned int value = 0; value < 256; value++) {
			uint8_t bytes[sizeof(whole)];
			int result;

			memcpy(bytes, whole, sizeof(whole));
			bytes[at] = (uint8_t)value;
			result = parse(bytes, sizeof(bytes), TCP_SYN);
			if (result && result != -EPROTO)
				ck_abort_msg("%d", result);
		}
	}
}
END_TEST

START_TEST(rfc9293_3_1_one_option_after_the_other)
{
	static const uint8_t bytes[] = { 1, 254, 3, 7, 1, 1, 8, 2, 99, 1, 5, 5 };
	struct tcp_option_cursor cursor = { bytes, sizeof(bytes) };
	struct tcp_option option;

	ck_assert_int_eq(tcp_option_next(&cursor, &option), 1);
	ck_assert_uint_eq(option.kind, 254);
	ck_assert_uint_eq(option.bytes, 1);
	ck_assert_ptr_eq(option.data, bytes + 3);
	ck_assert_int_eq(tcp_option_next(&cursor, &option), 1);
	ck_assert_uint_eq(option.kind, 8);
	ck_assert_uint_eq(option.bytes, 0);
	ck_assert_int_eq(tcp_option_next(&cursor, &option), -EPROTO);
	ck_assert_int_eq(tcp_option_next(&cursor, &option), 0);
}
END_TEST

START_TEST(the_first_of_two_counts)
{
	ck_assert_int_eq(
		PARSE(TCP_SYN, 2, 4, 1, 0, 2, 4, 2, 0, 3, 3, 4, 3, 3, 5, 34, 2, 34, 6, 1, 2, 3, 4),
		0);
	ck_assert_uint_eq(options.mss, 256);
	ck_assert_uint_eq(options.scale, 4);
	ck_assert_uint_eq(options.fastopen_bytes, 0);
}
END_TEST

START_TEST(no_more_than_forty_bytes_are_read)
{
	uint8_t bytes[60];

	memset(bytes, TCP_OPTION_NOP, sizeof(bytes));
	memcpy(bytes + 40, (const uint8_t[]){ 2, 4, 1, 0 }, 4);
	ck_assert_int_eq(parse(bytes, 60, TCP_SYN), 0);
	ck_assert_uint_eq(options.present, 0);
}
END_TEST

/* ---- writing ---- */

START_TEST(rfc7323_a_layout)
{
	static const uint8_t syn[] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
				       0, 1, 0, 0,    0, 2, 1, 3,  3, 9 };
	static const uint8_t ack[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2,
				       1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4 };
	uint8_t bytes[TCP_OPTIONS_MAX];
	struct tcp_options o = { .present = TCP_HAS_MSS | TCP_HAS_SCALE | TCP_HAS_SACK_PERMITTED |
					    TCP_HAS_TIMESTAMPS,
				 .mss = 1460,
				 .scale = 9,
				 .ts_value = 1,
				 .ts_echo = 2 };

	ck_assert_uint_eq(tcp_options_write(&o, bytes), sizeof(syn));
	ck_assert_mem_eq(bytes, syn, sizeof(syn));
	o.present = TCP_HAS_TIMESTAMPS;
	o.sack_count = 1;
	o.sacks[0] = (struct tcp_sack_block){ 3, 4 };
	ck_assert_uint_eq(tcp_options_write(&o, bytes), sizeof(ack));
	ck_assert_mem_eq(bytes, ack, sizeof(ack));
}
END_TEST

START_TEST(rfc2018_3_as_many_blocks_as_fit)
{
	uint8_t bytes[TCP_OPTIONS_MAX];
	struct tcp_options o = { .sack_count = 4 };

	for (uint32_t i = 0; i < 4; i++)
		o.sacks[i] = (struct tcp_sack_block){ 10 * i, 10 * i + 5 };
	ck_assert_uint_eq(tcp_options_sack_room(&o), 4);
	ck_assert_uint_eq(tcp_options_write(&o, bytes), 36);
	ck_assert_int_eq(parse(bytes, 36, TCP_ACK), 0);
	ck_assert_uint_eq(options.sack_count, 4);
	o.present = TCP_HAS_TIMESTAMPS;
	ck_assert_uint_eq(tcp_options_sack_room(&o), 3);
	ck_assert_uint_eq(tcp_options_write(&o, bytes), 40);
	ck_assert_int_eq(parse(bytes, 40, TCP_ACK), 0);
	ck_assert_uint_eq(options.sack_count, 3);
	ck_assert_mem_eq(options.sacks, o.sacks, 3 * sizeof(o.sacks[0]));
}
END_TEST

START_TEST(rfc7413_4_1_1_all_of_a_syn_fits_with_the_longest_cookie)
{
	struct tcp_options o = { .present = 31, .fastopen_bytes = 16 };

	ck_assert_uint_eq(tcp_options_bytes(&o), TCP_OPTIONS_MAX);
	ck_assert_uint_eq(tcp_options_sack_room(&o), 0);
}
END_TEST

/* Any options, as a SYN or another segment may have them. */
static struct tcp_options random_options(uint64_t *state, bool syn)
{
	struct tcp_options o = { .present = unit_random(state) & TCP_HAS_TIMESTAMPS };

	if (o.present) {
		o.ts_value = (uint32_t)unit_random(state);
		o.ts_echo = (uint32_t)unit_random(state);
	}
	if (!syn) {
		o.sack_count = (uint8_t)(unit_random(state) % 5);
		for (unsigned int i = 0; i < o.sack_count; i++) {
			o.sacks[i].begin = (uint32_t)unit_random(state);
			o.sacks[i].end =
				o.sacks[i].begin + 1 + (uint32_t)(unit_random(state) % 0x7ffffffe);
		}
		return o;
	}
	o.present |= unit_random(state) & 31 & ~TCP_HAS_TIMESTAMPS;
	if (o.present & TCP_HAS_MSS)
		o.mss = (uint16_t)unit_random(state);
	if (o.present & TCP_HAS_SCALE)
		o.scale = (uint8_t)(unit_random(state) % 15);
	if (o.present & TCP_HAS_FASTOPEN && unit_random(state) % 3) {
		o.fastopen_bytes = (uint8_t)(4 + 2 * (unit_random(state) % 7));
		for (unsigned int i = 0; i < o.fastopen_bytes; i++)
			o.fastopen[i] = (uint8_t)unit_random(state);
	}
	return o;
}

START_TEST(random_options_come_back)
{
	uint64_t state = unit_seed() * 2 + 1;

	for (unsigned int round = 0; round < 5000; round++) {
		bool syn = round % 2;
		struct tcp_options o = random_options(&state, syn);
		uint8_t bytes[TCP_OPTIONS_MAX];
		size_t count = tcp_options_write(&o, bytes);

		ck_assert_uint_eq(count, tcp_options_bytes(&o));
		ck_assert_uint_eq(count % 4, 0);
		ck_assert_int_eq(parse(bytes, count, syn ? TCP_SYN : TCP_ACK), 0);
		if (o.sack_count > tcp_options_sack_room(&o))
			memset(&o.sacks[--o.sack_count], 0, sizeof(o.sacks[0]));
		ck_assert_mem_eq(&options, &o, sizeof(o));
	}
}
END_TEST

START_TEST(random_bytes_make_legal_options)
{
	uint64_t state = unit_seed() * 2 + 1;

	for (unsigned int round = 0; round < 200000; round++) {
		uint8_t bytes[44], again[TCP_OPTIONS_MAX];
		size_t count = unit_random(&state) % 45;
		struct tcp_options first;

		for (size_t i = 0; i < count; i++)
			bytes[i] = (uint8_t)(unit_random(&state) % (i % 2 ? 12 : 36));
		(void)!parse(bytes, count, round % 2 ? TCP_SYN : TCP_ACK);
		if (options.sack_count > TCP_SACK_BLOCKS_MAX || options.scale > TCP_SCALE_MAX ||
		    options.fastopen_bytes > TCP_FASTOPEN_COOKIE_MAX)
			ck_abort_msg("round %u", round);
		first = options;
		count = tcp_options_write(&first, again);
		if (parse(again, count, round % 2 ? TCP_SYN : TCP_ACK) ||
		    memcmp(&first, &options, sizeof(first)) != 0)
			ck_abort_msg("round %u", round);
	}
}
END_TEST

START_TEST(rfc2018_3_of_two_options_the_first_counts)
{
	ck_assert_int_eq(
		PARSE(TCP_ACK, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4), 0);
	ck_assert_uint_eq(options.sack_count, 1);
	ck_assert_uint_eq(options.sacks[0].begin, 1);
	ck_assert_uint_eq(options.sacks[0].end, 2);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc2018_3_of_two_options_the_first_counts);
	tcase_add_test(cases, rfc9293_3_7_1_mss);
	tcase_add_test(cases, rfc9293_3_7_1_mss_to_send);
	tcase_add_test(cases, rfc7323_2_2_window_scale);
	tcase_add_test(cases, rfc7323_3_2_timestamps);
	tcase_add_test(cases, rfc2018_2_sack_permitted);
	tcase_add_test(cases, rfc2018_3_sack_blocks);
	tcase_add_test(cases, rfc7413_4_1_1_fast_open);
	tcase_add_test(cases, rfc9293_3_1_unknown_options_are_passed_over);
	tcase_add_test(cases, rfc9293_3_1_the_end_ends);
	tcase_add_test(cases, rfc9293_3_1_illegal_lengths);
	tcase_add_test(cases, rfc9293_3_1_every_cut_and_every_length);
	tcase_add_test(cases, rfc9293_3_1_one_option_after_the_other);
	tcase_add_test(cases, the_first_of_two_counts);
	tcase_add_test(cases, no_more_than_forty_bytes_are_read);
	tcase_add_test(cases, rfc7323_a_layout);
	tcase_add_test(cases, rfc2018_3_as_many_blocks_as_fit);
	tcase_add_test(cases, rfc7413_4_1_1_all_of_a_syn_fits_with_the_longest_cookie);
	tcase_add_test(cases, random_options_come_back);
	tcase_add_test(cases, random_bytes_make_legal_options);
}

int main(void)
{
	return unit_main("net/tcp_options", add_cases);
}
