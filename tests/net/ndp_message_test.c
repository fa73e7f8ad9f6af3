/* SPDX-License-Identifier: ISC */
/* Reading neighbour discovery: what is a message, what is none, and nothing beyond it. */
#include <stdlib.h>
#include <string.h>

#include "net/ndp_message.h"
#include "net/parse6.h"
#include "tests/host/unit.h"
#include "tests/net/test_box6.h"

#define PEER "fd09:24ef:4179::a89:7"
#define PEER_GROUP "ff02::1:ff89:7"
#define US "fe80::fcff:ffff:feff:ffff"
#define US_GROUP "ff02::1:ffff:ffff"
#define CODE 1u /* offsets in the message */
#define CHECKSUM 2u
#define FLAGS 4u
#define TARGET 8u
#define OPTION_OF_NEIGHBOUR 24u
#define OPTION_OF_SOLICITATION 8u
#define OPTION_OF_ROUTER 16u

static struct box_frame frame;
static struct ndp_message message;

static bool parse_with(uint8_t flags)
{
	struct packet packet;
	struct packet_info info;
	bool good;

	memset(&message, 0x5a, sizeof(message));
	if (!box6_parse(&frame, &packet, &info))
		return false;
	packet.flags |= flags;
	good = ndp_parse(&packet, &info, &message);
	free(packet.data);
	return good;
}

static bool parse(void)
{
	return parse_with(0);
}

static bool finish_and_parse(void)
{
	box6_finish(&frame);
	return parse();
}

static uint8_t *at(uint32_t offset)
{
	return frame.bytes + BOX_START + offset;
}

static void option_mac(uint8_t type, const uint8_t *mac)
{
	uint8_t *option = box6_add(&frame, 8);

	option[0] = type;
	option[1] = 1;
	memcpy(option + 2, mac, 6);
}

static void begin(uint8_t type, const char *from, const char *to, uint32_t fixed)
{
	box6_frame(&frame, box_peer_mac, box_our_mac, from, to, 58);
	box6_add(&frame, fixed)[0] = type;
}

static void set_target(const char *target)
{
	struct ip6_address address = box6_address(target);

	memcpy(at(TARGET), &address, 16);
}

static void solicitation(const char *from, const char *to, const char *target)
{
	begin(135, from, to, 24);
	set_target(target);
	if (strcmp(from, "::") != 0)
		option_mac(1, box_peer_mac);
	box6_finish(&frame);
}

static void advertisement(const char *from, const char *to, uint8_t flags)
{
	begin(136, from, to, 24);
	*at(FLAGS) = flags;
	set_target(from);
	option_mac(2, box_peer_mac);
	box6_finish(&frame);
}

static void router_solicitation(const char *from)
{
	begin(133, from, "ff02::2", 8);
	if (strcmp(from, "::") != 0)
		option_mac(1, box_peer_mac);
	box6_finish(&frame);
}

static void router_advertisement(const char *from)
{
	begin(134, from, "ff02::1", 16);
	put16(at(6), 1800);
	option_mac(1, box_peer_mac);
	box6_finish(&frame);
}

/* One of every kind, for the tests of what is common to them. */
static void any(int kind)
{
	switch (kind) {
	case 0:
		solicitation(PEER, US_GROUP, US);
		break;
	case 1:
		advertisement(PEER, US, 0x60);
		break;
	case 2:
		router_solicitation("fe80::7");
		break;
	default:
		router_advertisement("fe80::7");
		break;
	}
}
#define KINDS 4
static const uint32_t option_at[KINDS] = { OPTION_OF_NEIGHBOUR, OPTION_OF_NEIGHBOUR,
					   OPTION_OF_SOLICITATION, OPTION_OF_ROUTER };

START_TEST(solicitations_are_read)
{
	struct ip6_address peer = box6_address(PEER), us = box6_address(US);

	solicitation(PEER, US_GROUP, US);
	ck_assert(parse());
	ck_assert_uint_eq(message.type, 135);
	ck_assert_mem_eq(&message.source, &peer, 16);
	ck_assert_mem_eq(&message.target, &us, 16);
	ck_assert_mem_eq(message.sender_mac, box_peer_mac, 6);
	ck_assert(message.has_mac && !ndp_is_probe(&message) && !message.has_nonce);
	/* Also to the address itself: who knows us asks so whether we are still there. */
	solicitation(PEER, US, US);
	ck_assert(parse());
	ck_assert_mem_eq(&message.destination, &us, 16);
	/* And without its MAC in an option. */
	frame.length -= 8;
	ck_assert(finish_and_parse());
	ck_assert(!message.has_mac);
	ck_assert_mem_eq(message.sender_mac, box_peer_mac, 6);
}
END_TEST

START_TEST(solicitations_go_to_their_target)
{
	solicitation(PEER, "ff02::1", US);
	ck_assert(!parse());
	solicitation(PEER, PEER_GROUP, US);
	ck_assert(!parse());
	solicitation(PEER, "fe80::9", US);
	ck_assert(!parse());
}
END_TEST

START_TEST(probes_are_known)
{
	solicitation("::", PEER_GROUP, PEER);
	ck_assert(parse());
	ck_assert(ndp_is_probe(&message));
	box6_append(&frame, "\x0e\1abcdef", 8);
	ck_assert(finish_and_parse());
	ck_assert(message.has_nonce);
	ck_assert_mem_eq(message.nonce, "abcdef", 6);
	/* One of another length is allowed, and none of ours. */
	solicitation("::", PEER_GROUP, PEER);
	box6_append(&frame, "\x0e\2abcdefghijklmn", 16);
	ck_assert(finish_and_parse());
	ck_assert(!message.has_nonce);
	/* RFC 4861, 7.1.1: never by unicast, never with a MAC. */
	solicitation("::", PEER, PEER);
	ck_assert(!parse());
	solicitation("::", PEER_GROUP, PEER);
	option_mac(1, box_peer_mac);
	ck_assert(!finish_and_parse());
}
END_TEST

START_TEST(targets_and_sources_are_of_one_host)
{
	static const char *const nobody[] = { "::", "::1", "ff02::1", "ff0e::7" };

	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		advertisement(PEER, US, 0x20);
		set_target(nobody[i]);
		ck_assert(!finish_and_parse());
		advertisement(nobody[i], US, 0x20);
		set_target(PEER);
		ck_assert(!finish_and_parse());
		solicitation(PEER, US_GROUP, US);
		set_target(nobody[i]);
		ck_assert(!finish_and_parse());
		if (i == 0)
			continue; /* a probe */
		solicitation(nobody[i], US_GROUP, US);
		ck_assert(!parse());
		router_solicitation(nobody[i]);
		ck_assert(!parse());
	}
	/* To its group, so that nothing but the target is wrong. */
	solicitation(PEER, "ff02::1:ff00:1", "ff0e::1");
	ck_assert(!parse());
	solicitation(PEER, "ff02::1:ff00:0", "::");
	ck_assert(!parse());
}
END_TEST

START_TEST(advertisements_are_read)
{
	static const uint8_t flags[] = { 0x80, 0x40, 0x20 };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		advertisement(PEER, US, flags[i]);
		ck_assert(parse());
		ck_assert_uint_eq(message.type, 136);
		ck_assert_int_eq(message.router, i == 0);
		ck_assert_int_eq(message.solicited, i == 1);
		ck_assert_int_eq(message.override, i == 2);
		ck_assert(message.has_mac && !ndp_is_probe(&message));
	}
	/* RFC 4861, 7.1.2: nobody answers one host by telling all. */
	advertisement(PEER, "ff02::1", 0x20);
	ck_assert(parse());
	advertisement(PEER, "ff02::1", 0x60);
	ck_assert(!parse());
}
END_TEST

START_TEST(router_messages_are_read)
{
	router_solicitation("fe80::7");
	ck_assert(parse());
	ck_assert(message.type == 133 && message.has_mac && !ndp_is_probe(&message));
	router_solicitation("::");
	ck_assert(parse());
	ck_assert(ndp_is_probe(&message));
	option_mac(1, box_peer_mac);
	ck_assert(!finish_and_parse()); /* RFC 4861, 6.1.1 */
	router_advertisement("fe80::7");
	ck_assert(parse());
	ck_assert(message.type == 134 && message.has_mac && !ndp_is_probe(&message));
	ck_assert_uint_eq(message.lifetime_s, 1800);
	router_advertisement(PEER); /* RFC 4861, 6.1.2: from a link-local address */
	ck_assert(!parse());
	router_advertisement("::");
	ck_assert(!parse());
}
END_TEST

START_TEST(other_messages_are_none)
{
	begin(137, "fe80::7", US, 40); /* a redirect */
	ck_assert(!finish_and_parse());
	begin(128, PEER, US, 24);
	ck_assert(!finish_and_parse());
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, US, 17);
	box6_append(&frame, "\0\1\0\2\0\x18", 6);
	box6_add(&frame, 18);
	ck_assert(!finish_and_parse());
}
END_TEST

/* What parse_ip6() has to see to, looked at again: everything rests on it. */
START_TEST(nothing_comes_from_beyond_the_link)
{
	struct packet packet;
	struct packet_info info, good;

	any(_i);
	ck_assert(parse());
	frame.bytes[21] = 254;
	ck_assert(!finish_and_parse());
	any(_i);
	*at(CODE) = 1;
	ck_assert(!finish_and_parse());
	any(_i);
	ck_assert(box6_parse(&frame, &packet, &good));
	ck_assert(ndp_parse(&packet, &good, &message));
	info = good;
	info.ttl = 64;
	ck_assert(!ndp_parse(&packet, &info, &message));
	info = good;
	info.icmp_code = 1;
	ck_assert(!ndp_parse(&packet, &info, &message));
	info = good;
	info.fragment.header = 54; /* RFC 6980, also when it is the only one */
	ck_assert(!ndp_parse(&packet, &info, &message));
	info = good;
	info.key.protocol = 17;
	ck_assert(!ndp_parse(&packet, &info, &message));
	free(packet.data);
}
END_TEST

START_TEST(the_checksum_counts)
{
	any(_i);
	*at(CHECKSUM) ^= 0x10;
	ck_assert(!parse());
	/* Unless a neighbour on this machine vouches for it. */
	ck_assert(parse_with(PACKET_CSUM_VALID));
	ck_assert(parse_with(PACKET_CSUM_BLANK));
	any(_i);
	frame.bytes[30] ^= 1; /* addresses are in the sum */
	ck_assert(!parse());
}
END_TEST

START_TEST(the_mac_is_the_senders)
{
	any(_i);
	*at(option_at[_i] + 7) ^= 1;
	ck_assert(!finish_and_parse());
	/* Of two options as well. */
	any(_i);
	option_mac(_i == 1 ? 2 : 1, box_peer_mac);
	ck_assert(finish_and_parse());
	*at(option_at[_i] + 15) ^= 1;
	ck_assert(!finish_and_parse());
	/* And a group sends nothing. */
	any(_i);
	frame.bytes[6] |= 1;
	*at(option_at[_i] + 2) |= 1;
	ck_assert(!finish_and_parse());
	/* An Ethernet address is six bytes. */
	any(_i);
	*at(option_at[_i] + 1) = 2;
	box6_add(&frame, 8);
	ck_assert(!finish_and_parse());
}
END_TEST

START_TEST(options_have_bounds)
{
	any(_i);
	*at(option_at[_i] + 1) = 0;
	ck_assert(!finish_and_parse());
	any(_i);
	box6_append(&frame, "\x63\0\0\0\0\0\0\0", 8); /* also one that we do not know */
	ck_assert(!finish_and_parse());
	any(_i);
	box6_append(&frame, "\x63\2\0\0\0\0\0\0", 8); /* beyond the message */
	ck_assert(!finish_and_parse());
	any(_i);
	box6_append(&frame, "\x63\1\0\0\0\0\0\0", 8);
	ck_assert(finish_and_parse());
	ck_assert(message.has_mac);
	any(_i);
	box6_append(&frame, "\x63", 1); /* half of an option's header */
	ck_assert(!finish_and_parse());
}
END_TEST

/* Every truncation but to the end of an option is no message, and nothing is read beyond. */
START_TEST(every_truncation_is_seen)
{
	uint32_t whole;

	any(_i);
	box6_append(&frame, "\x0e\1abcdef", 8);
	box6_finish(&frame);
	ck_assert(parse());
	whole = frame.length;
	for (uint32_t length = BOX_START; length < whole; length++) {
		uint32_t fixed = BOX_START + option_at[_i];
		bool good = length >= fixed && (length - fixed) % 8 == 0;

		frame.length = length;
		ck_assert_int_eq(finish_and_parse(), good);
	}
	/* The frame is shorter than it says. */
	any(_i);
	whole = frame.length;
	for (uint32_t length = 0; length < whole; length++) {
		frame.length = length;
		ck_assert(!parse());
	}
}
END_TEST

/* The uplink's driver brings 192 bytes to look at; the rest is looked at in a copy. */
START_TEST(long_messages_are_read_from_a_copy)
{
	struct packet_info info;
	enum drop_reason reason;
	struct packet *packet;

	box6_begin();
	router_advertisement("fe80::7");
	for (unsigned int i = 0; i < 20; i++)
		box6_append(&frame,
			    "\x63\2three of eleven"
			    "s",
			    16);
	option_mac(1, box_peer_mac);
	box6_finish(&frame);
	packet = box6_packet(&frame, 192);
	ck_assert(parse_ip6(packet, 1, &info, &reason));
	ck_assert(ndp_parse(packet, &info, &message));
	packet_free(packet);
	frame.bytes[frame.length - 1] ^= 1; /* another MAC, far behind */
	box6_finish(&frame);
	packet = box6_packet(&frame, 192);
	ck_assert(parse_ip6(packet, 1, &info, &reason));
	ck_assert(!ndp_parse(packet, &info, &message));
	packet_free(packet);
	/* No message is longer than a link's packet. */
	frame.bytes[frame.length - 1] ^= 1;
	while (frame.length < BOX_START + 1464)
		box6_append(&frame, "\x63\1......", 8);
	box6_finish(&frame);
	packet = box6_packet(&frame, 192);
	ck_assert(parse_ip6(packet, 1, &info, &reason));
	ck_assert(!ndp_parse(packet, &info, &message));
	packet_free(packet);
	box6_end();
}
END_TEST

START_TEST(random_bytes_do_no_harm)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t read = 0;

	for (unsigned int i = 0; i < 50000; i++) {
		uint32_t changes = (uint32_t)(unit_random(&state) % 6);

		any((int)(unit_random(&state) % KINDS));
		for (uint64_t n = unit_random(&state) % 4; n; n--) {
			uint64_t words[2] = { unit_random(&state), unit_random(&state) };

			box6_append(&frame, words, (uint32_t)(unit_random(&state) % 17));
		}
		box6_finish(&frame);
		for (; changes; changes--)
			frame.bytes[BOX_START + unit_random(&state) % (frame.length - BOX_START)] =
				(uint8_t)unit_random(&state);
		read += parse_with(PACKET_CSUM_VALID);
	}
	ck_assert_uint_gt(read, 500); /* both kinds were there */
	ck_assert_uint_lt(read, 49000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, solicitations_are_read);
	tcase_add_test(cases, solicitations_go_to_their_target);
	tcase_add_test(cases, probes_are_known);
	tcase_add_test(cases, targets_and_sources_are_of_one_host);
	tcase_add_test(cases, advertisements_are_read);
	tcase_add_test(cases, router_messages_are_read);
	tcase_add_test(cases, other_messages_are_none);
	tcase_add_loop_test(cases, nothing_comes_from_beyond_the_link, 0, KINDS);
	tcase_add_loop_test(cases, the_checksum_counts, 0, KINDS);
	tcase_add_loop_test(cases, the_mac_is_the_senders, 0, KINDS);
	tcase_add_loop_test(cases, options_have_bounds, 0, KINDS);
	tcase_add_loop_test(cases, every_truncation_is_seen, 0, KINDS);
	tcase_add_test(cases, long_messages_are_read_from_a_copy);
	tcase_add_test(cases, random_bytes_do_no_harm);
}

int main(void)
{
	return unit_main("net/ndp_message", add_cases);
}
