/* SPDX-License-Identifier: ISC */
/* IPv6 packets that chance has built and spoiled; and which addresses are martians. */
#include "net/martian6.h"
#include "tests/host/unit.h"
#include "tests/net/test_ip6.h"

static struct ip6_address address(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	be32 words[4] = { be32_of(a), be32_of(b), be32_of(c), be32_of(d) };
	struct ip6_address result;

	memcpy(&result, words, sizeof(result));
	return result;
}

START_TEST(martians)
{
	static const uint32_t bad[][4] = {
		{ 0, 0, 0, 0 },		 { 0, 0, 0, 1 },	  { 0, 0, 0, 0x0a000001 },
		{ 0, 0, 0xffff, 1 },	 { 0xfe800000, 0, 0, 1 }, { 0xfebfffff, 0, 0, 1 },
		{ 0x20010010, 0, 0, 1 }, { 0x2001001f, 0, 0, 1 }, { 0xff020000, 0, 0, 1 },
	};
	static const uint32_t good[][4] = {
		{ 0, 0, 1, 0 },		 { 0xfec00000, 0, 0, 1 }, { 0xfd000000, 0, 0, 1 },
		{ 0x20010db8, 0, 0, 1 }, { 0x20010020, 0, 0, 1 }, { 0x20010000, 0, 0, 1 },
		{ 0x3fff0fff, 0, 0, 1 }, { 0x0064ff9b, 0, 0, 1 }, { 0x20020a00, 0, 0, 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ip6_address a = address(bad[i][0], bad[i][1], bad[i][2], bad[i][3]);

		ck_assert_msg(ip6_address_is_martian(&a), "bad %u", i);
		ck_assert_uint_eq(ip6_address_is_unspecified(&a), i == 0);
		ck_assert_uint_eq(ip6_address_is_link_local(&a), i == 4 || i == 5);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		struct ip6_address a = address(good[i][0], good[i][1], good[i][2], good[i][3]);

		ck_assert_msg(!ip6_address_is_martian(&a), "good %u", i);
	}
}
END_TEST

static void build_random(uint64_t *state)
{
	static const uint8_t types[] = { IP6_HOP_BY_HOP, IP6_ROUTING, IP6_FRAGMENT,
					 IP6_AUTHENTICATION, IP6_DESTINATION_OPTIONS };

	begin();
	for (uint64_t n = unit_random(state) % 5; n > 0; n--) {
		uint8_t type = types[unit_random(state) % ARRAY_SIZE(types)];

		if (type == IP6_FRAGMENT)
			add_fragment(unit_random(state) % 2 * 8, unit_random(state) % 2);
		else
			add_extension(type, 8 + (uint32_t)(unit_random(state) % 4) * 8);
	}
	switch (unit_random(state) % 4) {
	case 0:
		add_tcp((uint32_t)(unit_random(state) % 20));
		break;
	case 1:
		add_udp((uint32_t)(unit_random(state) % 20));
		break;
	case 2:
		add_icmp((uint8_t)unit_random(state), 20);
		break;
	default:
		add_quote(unit_random(state) % 2);
		break;
	}
	put16(18, length - START);
}

/* Whatever is accepted is inside what is there, and says of itself what is so. */
START_TEST(random_lies)
{
	uint64_t state = unit_seed() * 2 + 1;
	unsigned int accepted = 0;

	for (unsigned int i = 0; i < 200000; i++) {
		struct quoted_packet quoted;
		uint32_t head, whole;
		uint8_t *data;

		build_random(&state);
		for (uint64_t n = unit_random(&state) % 4; n > 0; n--)
			bytes[14 + unit_random(&state) % (length - 14)] =
				(uint8_t)unit_random(&state);
		whole = length;
		head = unit_random(&state) % 4 ? length
					       : (uint32_t)(unit_random(&state) % (length + 1));
		if (!parse_head(head, unit_random(&state) % 8 == 0, unit_random(&state) % 9 == 0,
				(uint16_t)(unit_random(&state) % 50))) {
			ck_assert_uint_lt(reason, DROP_REASON_COUNT);
			continue;
		}
		accepted++;
		ck_assert_uint_le(packet.length, whole);
		ck_assert_uint_eq(packet.length, START + ((uint32_t)bytes[18] << 8 | bytes[19]));
		ck_assert_uint_eq(info.ip_length, packet.length - 14);
		ck_assert_uint_ge(packet.l4_offset, START);
		ck_assert_uint_le(packet.l4_offset, packet.length);
		ck_assert_uint_le(packet.l4_offset, START + PARSE6_CHAIN_BYTES);
		ck_assert_uint_eq(info.transport_length, packet.length - packet.l4_offset);
		ck_assert_uint_eq(info.header_length + info.payload_length, info.ip_length);
		if (packet.gso_type)
			ck_assert_uint_gt(info.payload_length, packet.gso_size);
		data = malloc(packet.head_length);
		memcpy(data, bytes, packet.head_length);
		packet.data = data;
		if (info.kind == PACKET_ICMP_ERROR && parse6_quoted(&packet, &info, &quoted))
			ck_assert_uint_le(quoted.transport_offset, packet.head_length);
		free(data);
	}
	ck_assert_uint_gt(accepted, 10000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, martians);
	tcase_add_test(cases, random_lies);
}

int main(void)
{
	return unit_main("parse6-random", add_cases);
}
