/* SPDX-License-Identifier: ISC */
/*
 * The neighbour cache: who is asked, who is believed, what waits and for how long. The golden
 * frames were made by scapy.
 */
#include <string.h>

#include "net/ndp.h"
#include "tests/host/unit.h"
#include "tests/net/test_box6.h"

#define US "fe80::fcff:ffff:feff:ffff"
#define PEER "fd09:24ef:4179::a89:7"

static const uint8_t golden_solicitation[] = {
	0x33, 0x33, 0xff, 0x89, 0x00, 0x07, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x01, 0xff, 0x89, 0x00, 0x07, 0x87, 0x00, 0x11, 0x8c, 0x00, 0x00,
	0x00, 0x00, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a,
	0x89, 0x00, 0x07, 0x01, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static const uint8_t golden_unicast[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xfc, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x87, 0x00, 0xa2, 0x1e, 0x00, 0x00,
	0x00, 0x00, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a,
	0x89, 0x00, 0x07, 0x01, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static struct ndp ndp;
static struct box_frame data;

/* Another host of the same network for every number. */
static struct ip6_address host(uint32_t number)
{
	struct ip6_address address = box6_address("fd09:24ef:4179::");

	put32(address.bytes + 12, 0x0a890000 + number);
	return address;
}

static void begin(void)
{
	box6_begin();
	ndp_init(&ndp, &box.own, &box.wheel, box.now_ns);
	box6_frame(&data, box_our_mac, box_other_mac, "2001:db8::1", PEER, 17);
	box6_append(&data, "\0\1\0\2\0\x0c\0\0four", 12);
	box6_finish(&data);
}

static void end(void)
{
	ndp_forget(&ndp, &box.link[0]);
	ndp_forget(&ndp, &box.link[1]);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	ck_assert_uint_eq(ndp.queued, 0);
	ck_assert_uint_eq(ndp.resolved_count, 0);
	box6_end();
}

static void send_to(struct netdev *link, uint32_t number, bool pin)
{
	const struct ip6_address own = box6_address(US), to = host(number);

	ndp_queue(&ndp, link, &own, &to, pin, box6_packet(&data, data.length), box.now_ns);
}

static const uint8_t *mac_of(uint32_t number)
{
	const struct ip6_address address = host(number);

	return ndp_find(&ndp, &box.link[0], &address);
}

static struct ndp_message answer(uint32_t number, const uint8_t *mac)
{
	struct ndp_message message = {
		.type = 136,
		.source = host(number),
		.target = host(number),
		.destination = box6_address(US),
		.has_mac = true,
		.solicited = true,
	};

	memcpy(message.sender_mac, mac, 6);
	return message;
}

static void learn(const struct ndp_message *message)
{
	ndp_learn(&ndp, &box.link[0], message, box.now_ns);
}

static void resolve(uint32_t number, const uint8_t *mac)
{
	struct ndp_message message = answer(number, mac);

	send_to(&box.link[0], number, false);
	learn(&message);
	ck_assert_ptr_nonnull(mac_of(number));
	box6_skip();
}

static uint64_t drops(enum drop_reason reason)
{
	return box.packets.drops[reason];
}

START_TEST(packets_wait_for_an_answer)
{
	struct ndp_message message = answer(7, box_peer_mac);

	begin();
	for (unsigned int i = 0; i < 3; i++)
		send_to(&box.link[0], 7, false);
	box6_expect(golden_solicitation);
	ck_assert_ptr_null(box6_take()); /* one question is enough */
	ck_assert_uint_eq(ndp_waiting(&ndp), 3);
	ck_assert_ptr_null(mac_of(7));
	learn(&message);
	for (unsigned int i = 0; i < 3; i++) {
		const struct box_frame *out = box6_take();

		ck_assert_ptr_nonnull(out);
		ck_assert_mem_eq(out->bytes, box_peer_mac, 6);
		ck_assert_mem_eq(out->bytes + 6, data.bytes + 6, data.length - 6);
	}
	ck_assert_uint_eq(ndp_waiting(&ndp), 0);
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	end();
}
END_TEST

/* One address on two links is two neighbours. */
START_TEST(links_are_apart)
{
	const struct ip6_address seven = host(7);
	struct ndp_message message = answer(7, box_peer_mac);

	begin();
	resolve(7, box_peer_mac);
	ck_assert_ptr_null(ndp_find(&ndp, &box.link[1], &seven));
	send_to(&box.link[1], 7, false);
	ck_assert_uint_eq(ndp_count(&ndp), 2);
	ck_assert_ptr_eq(box6_take()->link, &box.link[1]);
	memcpy(message.sender_mac, box_other_mac, 6);
	ndp_learn(&ndp, &box.link[1], &message, box.now_ns);
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	ck_assert_mem_eq(ndp_find(&ndp, &box.link[1], &seven), box_other_mac, 6);
	end();
}
END_TEST

START_TEST(the_silent_are_asked_ever_less_often)
{
	static const uint32_t seconds[] = { 0, 1, 3, 7, 15 };
	uint64_t start;

	begin();
	start = box.now_ns;
	send_to(&box.link[0], 7, false);
	box6_advance(40 * BOX_SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		const struct box_frame *out = box6_take();

		ck_assert_ptr_nonnull(out);
		ck_assert_mem_eq(out->bytes, golden_solicitation, sizeof(golden_solicitation));
		ck_assert_uint_ge(out->sent_ns, start + seconds[i] * BOX_SECOND);
		ck_assert_uint_le(out->sent_ns, start + seconds[i] * BOX_SECOND + BOX_SECOND / 4);
	}
	ck_assert_ptr_null(box6_take());
	ck_assert_uint_eq(drops(DROP_NO_NEIGHBOUR), 1);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	send_to(&box.link[0], 7, false); /* asked again when there is a reason */
	box6_expect(golden_solicitation);
	end();
}
END_TEST

START_TEST(queues_are_bounded)
{
	begin();
	for (unsigned int i = 0; i < 40; i++)
		send_to(&box.link[0], 7, false);
	ck_assert_uint_eq(ndp_waiting(&ndp), NDP_QUEUE_ENTRY);
	ck_assert_uint_eq(drops(DROP_QUOTA), 40 - NDP_QUEUE_ENTRY);
	for (unsigned int i = 0; i < 40; i++)
		for (unsigned int j = 0; j < 4; j++)
			send_to(&box.link[0], 8 + i, false);
	ck_assert_uint_eq(ndp_waiting(&ndp), NDP_QUEUE_TOTAL);
	/* The gateway's queue is its own. */
	for (unsigned int i = 0; i < 40; i++)
		send_to(&box.link[0], 1, true);
	ck_assert_uint_eq(ndp_waiting(&ndp), NDP_QUEUE_TOTAL + NDP_QUEUE_ENTRY);
	end();
}
END_TEST

/* RFC 6583: somebody tries the addresses of the network, one after the other. */
START_TEST(a_scan_pushes_out_nobody)
{
	uint32_t asked;

	begin();
	for (unsigned int i = 0; i < NDP_RESOLVED_MAX; i++) {
		resolve(1000 + i, box_peer_mac);
		box6_advance(BOX_SECOND / 100);
	}
	send_to(&box.link[0], 1, true);
	for (unsigned int i = 0; i < 5000; i++) {
		send_to(&box.link[0], 20000 + i, false);
		box6_advance(BOX_SECOND / 1000);
		ck_assert_uint_le(ndp_count(&ndp), NDP_ENTRIES);
		ck_assert_uint_le(ndp_waiting(&ndp), NDP_QUEUE_TOTAL + 1);
	}
	for (unsigned int i = 0; i < NDP_RESOLVED_MAX; i++)
		ck_assert_ptr_nonnull(mac_of(1000 + i));
	ck_assert_uint_gt(drops(DROP_RATE_LIMIT), 3000);
	/* And the gateway, whom nobody has answered for yet, is still asked. */
	ck_assert_uint_eq(ndp_count(&ndp), NDP_ENTRIES);
	box6_skip();
	box6_advance(4 * BOX_SECOND);
	asked = 0;
	for (const struct box_frame *out; (out = box6_take());)
		asked += out->bytes[77] == 1 && out->bytes[76] == 0;
	ck_assert_uint_ge(asked, 1);
	end();
}
END_TEST

START_TEST(questions_are_rationed)
{
	begin();
	for (unsigned int i = 0; i < 100; i++)
		send_to(&box.link[0], 20 + i, false);
	ck_assert_uint_eq(box.sent, NDP_NEW_BURST);
	ck_assert_uint_eq(drops(DROP_RATE_LIMIT), 100 - NDP_NEW_BURST);
	send_to(&box.link[0], 1, true); /* but not after the gateway */
	ck_assert_uint_eq(box.sent, NDP_NEW_BURST + 1);
	send_to(&box.link[0], 20, false); /* nor for whom is asked for already */
	ck_assert_uint_eq(drops(DROP_RATE_LIMIT), 100 - NDP_NEW_BURST);
	end();
}
END_TEST

/* The same when somebody answers for every address: used ones stay, and the gateway. */
START_TEST(a_crowd_pushes_out_only_the_unused)
{
	struct ndp_message message;

	begin();
	send_to(&box.link[0], 1, true);
	message = answer(1, box_peer_mac);
	learn(&message);
	resolve(2, box_peer_mac);
	resolve(3, box_peer_mac);
	for (unsigned int i = 0; i < 1000; i++) {
		box6_advance(BOX_SECOND / 100);
		send_to(&box.link[0], 20000 + i, false);
		message = answer(20000 + i, box_other_mac);
		learn(&message);
		ck_assert_uint_le(ndp.resolved_count, NDP_RESOLVED_MAX);
		if (i % 50 == 0)
			ck_assert_ptr_nonnull(mac_of(2));
	}
	ck_assert_ptr_nonnull(mac_of(2));
	ck_assert_ptr_nonnull(mac_of(1));
	ck_assert_ptr_null(mac_of(3)); /* it was not used */
	end();
}
END_TEST

START_TEST(an_entry_in_use_is_confirmed_by_unicast)
{
	struct ndp_message message = answer(7, box_peer_mac);

	begin();
	resolve(7, box_peer_mac);
	box6_advance(29 * BOX_SECOND);
	ck_assert_ptr_null(box6_take());
	box6_advance(2 * BOX_SECOND - BOX_SECOND / 2);
	box6_expect(golden_unicast);
	ck_assert_ptr_nonnull(mac_of(7)); /* used all the same, until there is no hope */
	message.has_mac = false;	  /* it need not say what we know */
	learn(&message);
	box6_advance(10 * BOX_SECOND);
	ck_assert_ptr_null(box6_take());
	/* Unused: forgotten without a question. */
	box6_advance(30 * BOX_SECOND);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	ck_assert_ptr_null(box6_take());
	end();
}
END_TEST

START_TEST(who_is_gone_is_forgotten)
{
	begin();
	resolve(7, box_peer_mac);
	box6_advance(35 * BOX_SECOND);
	for (unsigned int i = 0; i < NDP_PROBE_TRIES; i++)
		box6_expect(golden_unicast);
	ck_assert_ptr_null(box6_take());
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	end();
}
END_TEST

START_TEST(what_nobody_asked_for_fills_nothing)
{
	struct ndp_message message = answer(7, box_other_mac);

	begin();
	learn(&message); /* no entry */
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	send_to(&box.link[0], 7, false);
	message.solicited = false;
	message.override = true;
	message.destination = box6_address("ff02::1");
	learn(&message);
	message.destination = box6_address(US);
	learn(&message);
	ck_assert_ptr_null(mac_of(7));
	/* To another address than the one that asked. */
	message = answer(7, box_other_mac);
	message.destination = box6_address("fe80::1");
	learn(&message);
	ck_assert_ptr_null(mac_of(7));
	/* Without a MAC: RFC 4861, 7.2.5. */
	message = answer(7, box_other_mac);
	message.has_mac = false;
	learn(&message);
	ck_assert_ptr_null(mac_of(7));
	ck_assert_uint_eq(ndp_waiting(&ndp), 1);
	end();
}
END_TEST

START_TEST(without_override_nobody_moves)
{
	struct ndp_message message = answer(7, box_other_mac);

	begin();
	resolve(7, box_peer_mac);
	learn(&message);
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	/* But the one that we know is asked soon. */
	box6_advance(2 * BOX_SECOND - BOX_SECOND / 2);
	box6_expect(golden_unicast);
	learn(&message); /* and does not count as an answer */
	box6_advance(5 * BOX_SECOND);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	end();
}
END_TEST

START_TEST(with_override_who_is_known_moves)
{
	struct ndp_message message = answer(7, box_other_mac);

	begin();
	resolve(7, box_peer_mac);
	message.override = true;
	learn(&message);
	ck_assert_mem_eq(mac_of(7), box_other_mac, 6);
	box6_advance(20 * BOX_SECOND);
	ck_assert_ptr_null(box6_take()); /* it answered us: confirmed */
	/* One that was not asked is asked soon, however often it says so. */
	message = answer(7, box_peer_mac);
	message.solicited = false;
	message.override = true;
	for (unsigned int i = 0; i < 100; i++) {
		memcpy(message.sender_mac, i % 2 ? box_peer_mac : box_other_mac, 6);
		learn(&message);
		box6_advance(BOX_SECOND / 100);
	}
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	box6_advance(BOX_SECOND / 4);
	box6_expect(golden_unicast);
	ck_assert_ptr_null(box6_take());
	end();
}
END_TEST

START_TEST(a_stranger_confirms_nobody)
{
	struct ndp_message message = answer(7, box_other_mac);

	begin();
	resolve(7, box_peer_mac);
	box6_advance(30 * BOX_SECOND + BOX_SECOND / 2);
	message.has_mac = false;
	message.override = true;
	learn(&message);
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	/* Nor does the neighbour itself, when it answers another. */
	message = answer(7, box_peer_mac);
	message.destination = box6_address("fe80::1");
	learn(&message);
	box6_advance(5 * BOX_SECOND);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	end();
}
END_TEST

/* RFC 4861, 7.2.3, 6.2.6, 6.3.4 */
START_TEST(requests_say_where_their_sender_is)
{
	static const uint8_t types[] = { 133, 134, 135 };
	struct ndp_message message = answer(7, box_peer_mac);

	message.type = types[_i];
	message.solicited = false;
	message.target = box6_address(US);
	begin();
	learn(&message);
	ck_assert_uint_eq(ndp_count(&ndp), 0); /* nobody is remembered for asking */
	send_to(&box.link[0], 7, false);
	box6_skip();
	message.has_mac = false;
	learn(&message);
	ck_assert_ptr_null(mac_of(7));
	message.has_mac = true;
	learn(&message);
	ck_assert_mem_eq(mac_of(7), box_peer_mac, 6);
	ck_assert_uint_eq(box6_take()->length, data.length); /* what waited */
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	box6_expect(golden_unicast); /* believed, and asked */
	message = answer(7, box_peer_mac);
	learn(&message);
	/* The same again changes nothing; another MAC is believed and asked. */
	message.type = types[_i];
	learn(&message);
	box6_advance(2 * BOX_SECOND);
	ck_assert_ptr_null(box6_take());
	memcpy(message.sender_mac, box_other_mac, 6);
	learn(&message);
	ck_assert_mem_eq(mac_of(7), box_other_mac, 6);
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	ck_assert_mem_eq(box6_take()->bytes, box_other_mac, 6);
	end();
}
END_TEST

START_TEST(what_waits_goes_with_its_interface)
{
	begin();
	for (unsigned int i = 0; i < 4; i++) {
		send_to(&box.link[1], 7, i % 2);
		send_to(&box.link[1], 8, true);
	}
	ndp_drop_from(&ndp, &box.link[1]);
	ck_assert_uint_eq(ndp_waiting(&ndp), 8); /* they came from the other */
	ndp_drop_from(&ndp, &box.link[0]);
	ck_assert_uint_eq(ndp_waiting(&ndp), 0);
	ck_assert_uint_eq(drops(DROP_DETACHED), 8);
	ck_assert_uint_eq(ndp_count(&ndp), 2);
	send_to(&box.link[1], 7, false);
	ndp_forget(&ndp, &box.link[0]);
	ck_assert_uint_eq(ndp_count(&ndp), 2);
	ndp_forget(&ndp, &box.link[1]);
	ck_assert_uint_eq(ndp_count(&ndp), 0);
	ck_assert_uint_eq(drops(DROP_DETACHED), 9);
	end();
}
END_TEST

/* Gateways of their own links may fill the cache: then nothing else finds a place. */
START_TEST(the_pinned_stay)
{
	begin();
	for (unsigned int i = 0; i < NDP_ENTRIES; i++)
		send_to(&box.link[0], 100 + i, true);
	send_to(&box.link[0], 7, false);
	ck_assert_uint_eq(drops(DROP_NO_NEIGHBOUR), 1);
	for (unsigned int i = 0; i < NDP_ENTRIES; i++) {
		struct ndp_message message = answer(100 + i, box_peer_mac);

		learn(&message);
	}
	for (unsigned int i = 0; i < NDP_ENTRIES; i++)
		ck_assert_ptr_nonnull(mac_of(100 + i));
	end();
}
END_TEST

START_TEST(without_memory_it_is_asked_again)
{
	begin();
	box.no_memory = true;
	send_to(&box.link[0], 7, false);
	ck_assert_uint_eq(box.sent, 0);
	box.no_memory = false;
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	box6_expect(golden_solicitation);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, packets_wait_for_an_answer);
	tcase_add_test(cases, links_are_apart);
	tcase_add_test(cases, the_silent_are_asked_ever_less_often);
	tcase_add_test(cases, queues_are_bounded);
	tcase_add_test(cases, a_scan_pushes_out_nobody);
	tcase_add_test(cases, questions_are_rationed);
	tcase_add_test(cases, a_crowd_pushes_out_only_the_unused);
	tcase_add_test(cases, an_entry_in_use_is_confirmed_by_unicast);
	tcase_add_test(cases, who_is_gone_is_forgotten);
	tcase_add_test(cases, what_nobody_asked_for_fills_nothing);
	tcase_add_test(cases, without_override_nobody_moves);
	tcase_add_test(cases, with_override_who_is_known_moves);
	tcase_add_test(cases, a_stranger_confirms_nobody);
	tcase_add_loop_test(cases, requests_say_where_their_sender_is, 0, 3);
	tcase_add_test(cases, what_waits_goes_with_its_interface);
	tcase_add_test(cases, the_pinned_stay);
	tcase_add_test(cases, without_memory_it_is_asked_again);
}

int main(void)
{
	return unit_main("net/ndp", add_cases);
}
