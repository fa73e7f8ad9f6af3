/* SPDX-License-Identifier: ISC */
/*
 * What is said of ourselves: as a neighbour, as one who stands for others, as a router.
 * The golden frames were made by scapy.
 */
#include <stdlib.h>
#include <string.h>

#include "net/ip6_make.h"
#include "net/ndp.h"
#include "tests/host/unit.h"
#include "tests/net/test_box6.h"

#define US "fe80::fcff:ffff:feff:ffff"
#define OWN "fd09:24ef:4179::a89:1"
#define PEER "fd09:24ef:4179::a89:7"
#define FAR "2001:4860:4860::8888"

static const uint8_t golden_own[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x88, 0x00, 0x33, 0x9f, 0xe0, 0x00,
	0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfc, 0xff, 0xff, 0xff, 0xfe,
	0xff, 0xff, 0xff, 0x02, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static const uint8_t golden_proxy[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x88, 0x00, 0x14, 0xd6, 0xc0, 0x00,
	0x00, 0x00, 0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x88, 0x88, 0x02, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static const uint8_t golden_defence[] = {
	0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x88, 0x00, 0xfb, 0xa6, 0xa0, 0x00,
	0x00, 0x00, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a,
	0x89, 0x00, 0x01, 0x02, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static const uint8_t golden_router[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x86, 0x00, 0xbf, 0x3b, 0x40, 0x00,
	0x07, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01, 0xfe, 0xff, 0xff,
	0xff, 0xff, 0xff, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00, 0x05, 0xdc,
};

static const uint8_t golden_router_prefix[] = {
	0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x40, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x86, 0x00, 0xdc, 0xf7, 0x00, 0xc0,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01, 0xfe, 0xff, 0xff,
	0xff, 0xff, 0xff, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00, 0x05, 0x78, 0x03, 0x04, 0x3c, 0xc0,
	0x00, 0x00, 0x1c, 0x20, 0x00, 0x00, 0x0e, 0x10, 0x00, 0x00, 0x00, 0x00, 0x20, 0x01, 0x0d,
	0xb8, 0x00, 0x01, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static struct ndp ndp;

static void begin(void)
{
	box6_begin();
	ndp_init(&ndp, &box.own, &box.wheel, box.now_ns);
}

static void end(void)
{
	ndp_forget(&ndp, &box.link[0]);
	ndp_forget(&ndp, &box.link[1]);
	box6_end();
}

static struct ndp_message asks(uint8_t type, const char *from, const char *target)
{
	struct ndp_message message = {
		.type = type,
		.source = box6_address(from),
		.target = box6_address(target),
	};

	message.destination = ip6_solicited_node(&message.target);
	memcpy(message.sender_mac, box_peer_mac, 6);
	return message;
}

START_TEST(our_address_is_answered_for)
{
	struct ndp_message message = asks(135, PEER, US);

	begin();
	ndp_answer(&ndp, &box.link[0], &message, NDP_OWN);
	box6_expect(golden_own);
	ck_assert_ptr_null(box6_take());
	end();
}
END_TEST

START_TEST(others_are_stood_for)
{
	struct ndp_message message = asks(135, PEER, FAR);

	begin();
	ndp_answer(&ndp, &box.link[0], &message, NDP_PROXY);
	box6_expect(golden_proxy);
	end();
}
END_TEST

/* A host may win its own address, but not ours. */
START_TEST(probes_are_answered_for_our_own)
{
	struct ndp_message message = asks(135, "::", PEER);

	begin();
	ndp_answer(&ndp, &box.link[0], &message, NDP_PROXY);
	ck_assert_ptr_null(box6_take());
	message = asks(135, "::", OWN);
	ndp_answer(&ndp, &box.link[0], &message, NDP_OWN);
	box6_expect(golden_defence);
	end();
}
END_TEST

START_TEST(a_new_address_is_told)
{
	const struct ip6_address own = box6_address(OWN);
	uint64_t start;

	begin();
	start = box.now_ns;
	ndp_advertise(&ndp, &box.link[1], &own, box.now_ns);
	box6_advance(10 * BOX_SECOND);
	for (unsigned int i = 0; i < NDP_ANNOUNCEMENTS; i++) {
		const struct box_frame *out = box6_take();

		ck_assert_ptr_nonnull(out);
		ck_assert_mem_eq(out->bytes, golden_defence, sizeof(golden_defence));
		ck_assert_ptr_eq(out->link, &box.link[1]);
		ck_assert_uint_ge(out->sent_ns, start + i * BOX_SECOND);
		ck_assert_uint_le(out->sent_ns, start + i * BOX_SECOND + BOX_SECOND / 4);
	}
	ck_assert_ptr_null(box6_take());
	end();
}
END_TEST

START_TEST(many_addresses_are_told_in_a_bounded_way)
{
	struct ip6_address own = box6_address(OWN);

	begin();
	/* The same again starts again, and takes no second place. */
	for (unsigned int i = 0; i < 2 * NDP_ANNOUNCED; i++)
		ndp_advertise(&ndp, &box.link[1], &own, box.now_ns);
	ck_assert_uint_eq(box.wheel.armed, 1);
	ck_assert_uint_eq(box.sent, 2 * NDP_ANNOUNCED);
	for (unsigned int i = 0; i < 4 * NDP_ANNOUNCED; i++) {
		own.bytes[15]++;
		ndp_advertise(&ndp, &box.link[i % 2], &own, box.now_ns);
		ck_assert_uint_le(box.wheel.armed, NDP_ANNOUNCED);
	}
	ck_assert_uint_eq(box.sent, 6 * NDP_ANNOUNCED); /* all of them at least once */
	box6_skip();
	/* Of a link that is gone nothing is told. */
	ndp_forget(&ndp, &box.link[0]);
	box6_advance(5 * BOX_SECOND);
	for (const struct box_frame *out; (out = box6_take());)
		ck_assert_ptr_eq(out->link, &box.link[1]);
	ck_assert_uint_eq(box.sent,
			  6 * NDP_ANNOUNCED + (NDP_ANNOUNCEMENTS - 1) * NDP_ANNOUNCED / 2);
	/* Places are free again. */
	own.bytes[15]++;
	ndp_advertise(&ndp, &box.link[0], &own, box.now_ns);
	ck_assert_uint_eq(box.wheel.armed, 1);
	end();
}
END_TEST

START_TEST(hosts_find_their_router)
{
	const struct ndp_router router = { .lifetime_s = 1800, .hop_limit = 64, .mtu = 1500 };
	struct ndp_message message = asks(133, PEER, "::");

	begin();
	ndp_answer_router(&ndp, &box.link[0], &message, &router);
	box6_expect(golden_router);
	end();
}
END_TEST

START_TEST(prefixes_are_announced)
{
	const struct ndp_prefix prefix = {
		.prefix = box6_address("2001:db8:1:2f::1"),
		.length = 60,
		.on_link = true,
		.autonomous = true,
		.valid_s = 7200,
		.preferred_s = 3600,
	};
	const struct ndp_router router = {
		.managed = true, .other = true, .mtu = 1400, .prefix = &prefix
	};
	struct ndp_message probe = asks(133, "::", "::");

	begin();
	/* To everybody, and to who has no address yet. */
	ndp_answer_router(&ndp, &box.link[0], NULL, &router);
	box6_expect(golden_router_prefix);
	ndp_answer_router(&ndp, &box.link[0], &probe, &router);
	box6_expect(golden_router_prefix);
	end();
}
END_TEST

START_TEST(what_is_not_known_is_not_said)
{
	const struct ndp_prefix all = { .length = 255 };
	struct ndp_router router = { .lifetime_s = 60 };
	const struct box_frame *out;

	begin();
	ndp_answer_router(&ndp, &box.link[0], NULL, &router);
	out = box6_take();
	ck_assert_uint_eq(out->length, BOX_START + 16 + 8);
	ck_assert_uint_eq(out->bytes[BOX_START + 5], 0);
	router.prefix = &all; /* a length out of bounds reads nothing out of bounds */
	ndp_answer_router(&ndp, &box.link[0], NULL, &router);
	out = box6_take();
	ck_assert_uint_eq(out->length, BOX_START + 16 + 8 + 32);
	ck_assert_uint_eq(out->bytes[BOX_START + 24], 3);
	ck_assert_uint_eq(out->bytes[BOX_START + 27], 0); /* neither on link nor autonomous */
	end();
}
END_TEST

/* What we say is what we would read. */
START_TEST(we_understand_ourselves)
{
	const struct ndp_router router = { .lifetime_s = 1800, .mtu = 1500 };
	struct ndp_message message = asks(135, PEER, US), read;
	const struct box_frame *out;
	struct packet_info info;
	struct packet packet;

	begin();
	ndp_answer(&ndp, &box.link[0], &message, NDP_OWN);
	ndp_answer(&ndp, &box.link[0], &message, NDP_PROXY);
	ndp_answer_router(&ndp, &box.link[0], &message, &router);
	while ((out = box6_take())) {
		ck_assert(box6_parse(out, &packet, &info));
		ck_assert(ndp_parse(&packet, &info, &read));
		ck_assert(read.has_mac);
		free(packet.data);
	}
	end();
}
END_TEST

START_TEST(without_memory_nothing_is_said)
{
	const struct ip6_address own = box6_address(OWN);
	const struct ndp_router router = { .lifetime_s = 1800 };
	struct ndp_message message = asks(135, PEER, US);

	begin();
	box.no_memory = true;
	ndp_answer(&ndp, &box.link[0], &message, NDP_OWN);
	ndp_answer_router(&ndp, &box.link[0], &message, &router);
	ndp_advertise(&ndp, &box.link[0], &own, box.now_ns);
	ck_assert_uint_eq(box.sent, 0);
	end();
}
END_TEST

START_TEST(addresses_follow_from_others)
{
	static const uint8_t mac[6] = { 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x07 };
	struct ip6_address made = ip6_link_local_of_mac(mac);
	struct ip6_address wanted = box6_address("fe80::216:3eff:fe5e:6c07");
	uint8_t group_mac[6];

	ck_assert_mem_eq(&made, &wanted, 16);
	made = ip6_link_local_of_mac(box_our_mac);
	wanted = box6_address(US);
	ck_assert_mem_eq(&made, &wanted, 16);
	made = box6_address("2001:db8::1234:5678:9abc");
	made = ip6_solicited_node(&made);
	wanted = box6_address("ff02::1:ff78:9abc");
	ck_assert_mem_eq(&made, &wanted, 16);
	ip6_multicast_mac(&made, group_mac);
	ck_assert_mem_eq(group_mac, "\x33\x33\xff\x78\x9a\xbc", 6);
	ip6_multicast_mac(&ip6_all_routers, group_mac);
	ck_assert_mem_eq(group_mac, "\x33\x33\0\0\0\2", 6);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, our_address_is_answered_for);
	tcase_add_test(cases, others_are_stood_for);
	tcase_add_test(cases, probes_are_answered_for_our_own);
	tcase_add_test(cases, a_new_address_is_told);
	tcase_add_test(cases, many_addresses_are_told_in_a_bounded_way);
	tcase_add_test(cases, hosts_find_their_router);
	tcase_add_test(cases, prefixes_are_announced);
	tcase_add_test(cases, what_is_not_known_is_not_said);
	tcase_add_test(cases, we_understand_ourselves);
	tcase_add_test(cases, without_memory_nothing_is_said);
	tcase_add_test(cases, addresses_follow_from_others);
}

int main(void)
{
	return unit_main("net/ndp_answer", add_cases);
}
