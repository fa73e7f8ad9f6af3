/* SPDX-License-Identifier: ISC */
/* Neighbour discovery and listener reports over the bridge's filter: from whom, and how. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_bridge.h"

#define FLOWS 64u
#define RS 133u
#define RA 134u
#define NS 135u
#define NA 136u
#define REDIRECT 137u

static struct box_frame frame;

/* A message of `bytes` bytes from the address, whose hop limit box6_frame() makes 255. */
static uint8_t *message(enum bridge_side side, const char *from, const char *to, uint8_t type,
			uint32_t bytes)
{
	uint8_t *icmp;

	bridge_ip(&frame, side, from, to, 58);
	icmp = box6_add(&frame, bytes);
	icmp[0] = type;
	return icmp;
}

static void add_mac(uint8_t option, const uint8_t *mac)
{
	uint8_t *bytes = box6_add(&frame, 8);

	bytes[0] = option;
	bytes[1] = 1;
	memcpy(bytes + 2, mac, 6);
}

static const uint8_t *mac_of(enum bridge_side side)
{
	return side == BRIDGE_CLIENTS ? box_peer_mac : box_other_mac;
}

static void solicit(enum bridge_side side, const char *from, const char *to, const char *target)
{
	uint8_t *icmp = message(side, from, to, NS, 24);

	ck_assert_int_eq(inet_pton(AF_INET6, target, icmp + 8), 1);
	if (strcmp(from, "::"))
		add_mac(1, mac_of(side));
	bridge_finish(&frame);
}

static void advertise(enum bridge_side side, const char *from, const char *to)
{
	uint8_t *icmp = message(side, from, to, NA, 24);

	icmp[4] = 0x60;
	ck_assert_int_eq(inet_pton(AF_INET6, from, icmp + 8), 1);
	add_mac(2, mac_of(side));
	bridge_finish(&frame);
}

static void advertise_router(enum bridge_side side, const char *from)
{
	uint8_t *icmp = message(side, from, "ff02::1", RA, 16);

	icmp[6] = 7;
	add_mac(1, mac_of(side));
	bridge_finish(&frame);
}

/* In either direction, even where the rules let nothing pass. */
START_TEST(neighbours_find_each_other)
{
	test_bridge_begin("block all\n", FLOWS);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++) {
		solicit(side, "fe80::1", "ff02::1:ff00:2", "fd00::2");
		test_bridge_crosses(side, &frame);
		solicit(side, "fd00::1", "fd00::2", "fd00::2");
		test_bridge_crosses(side, &frame);
		solicit(side, "::", "ff02::1:ff00:1", "fe80::1");
		test_bridge_crosses(side, &frame);
		advertise(side, "fd00::2", "fe80::1");
		test_bridge_crosses(side, &frame);
		message(side, "fe80::1", "ff02::2", RS, 8);
		bridge_finish(&frame);
		test_bridge_crosses(side, &frame);
	}
	ck_assert_uint_eq(test_bridge.filter.flows.used, 0);
	test_bridge_end();
}
END_TEST

START_TEST(malformed_messages_stay_out)
{
	test_bridge_begin("pass no state\n", FLOWS);
	solicit(BRIDGE_CLIENTS, "fe80::1", "ff02::1:ff00:2", "fd00::2");
	frame.bytes[BOX_START + 2] ^= 1; /* its checksum */
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_NDP);
	solicit(BRIDGE_CLIENTS, "fe80::1", "ff02::1:ff00:2", "fd00::2");
	frame.bytes[21] = 254; /* it has crossed a router */
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_NDP);
	solicit(BRIDGE_UPLINK, "fe80::1", "ff02::1:ff00:2", "fd00::2");
	memcpy(frame.bytes + frame.length - 6, box_our_mac, 6); /* somebody else's MAC */
	bridge_finish(&frame);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BAD_NDP);
	solicit(BRIDGE_UPLINK, "fe80::1", "ff02::1:ff00:3", "fd00::2"); /* not the target's group */
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BAD_NDP);
	advertise(BRIDGE_UPLINK, "fd00::2", "ff02::1"); /* an answer, and to everybody */
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BAD_NDP);
	message(BRIDGE_CLIENTS, "fe80::1", "fe80::2", NS, 16); /* cut off */
	bridge_finish(&frame);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_NDP);
	test_bridge_end();
}
END_TEST

START_TEST(routers_are_before_the_relay_and_not_behind)
{
	test_bridge_begin("pass no state\n", FLOWS);
	advertise_router(BRIDGE_UPLINK, "fe80::1");
	test_bridge_crosses(BRIDGE_UPLINK, &frame);
	advertise_router(BRIDGE_CLIENTS, "fe80::1");
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BAD_NDP);
	advertise_router(BRIDGE_UPLINK, "fd00::1"); /* only link-local ones are routers */
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BAD_NDP);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++) {
		message(side, "fe80::1", "fe80::2", REDIRECT, 40);
		bridge_finish(&frame);
		test_bridge_stops(side, &frame, DROP_BAD_NDP);
	}
	test_bridge_end();
}
END_TEST

/* A listener message, with the hop-by-hop option that routers look for. */
static void listener(enum bridge_side side, const char *from, uint8_t type)
{
	static const uint8_t alert[8] = { 58, 0, 5, 2, 0, 0, 1, 0 };

	bridge_ip(&frame, side, from, "ff02::16", 0);
	frame.bytes[21] = 1;
	box6_append(&frame, alert, sizeof(alert));
	box6_add(&frame, 24)[0] = type;
	bridge_finish(&frame);
}

/* The same with a fragment header, though it is whole. */
static void listener_in_one_piece(void)
{
	static const uint8_t alert[8] = { 44, 0, 5, 2, 0, 0, 1, 0 };
	static const uint8_t fragment[8] = { 58, 0, 0, 0, 0, 0, 0, 9 };

	bridge_ip(&frame, BRIDGE_CLIENTS, "fe80::1", "ff02::16", 0);
	frame.bytes[21] = 1;
	box6_append(&frame, alert, sizeof(alert));
	box6_append(&frame, fragment, sizeof(fragment));
	box6_add(&frame, 24)[0] = 143;
	bridge_finish(&frame);
}

START_TEST(clients_say_which_groups_they_hear)
{
	static const struct {
		uint8_t type;
		enum bridge_side side;
	} rows[] = { { 130, BRIDGE_UPLINK },
		     { 131, BRIDGE_CLIENTS },
		     { 132, BRIDGE_CLIENTS },
		     { 143, BRIDGE_CLIENTS } };

	test_bridge_begin("block all\n", FLOWS);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		listener(rows[i].side, "fe80::1", rows[i].type);
		test_bridge_crosses(rows[i].side, &frame);
		listener(!rows[i].side, "fe80::1", rows[i].type);
		test_bridge_stops(!rows[i].side, &frame, DROP_BLOCKED);
		listener(rows[i].side, "fd00::1", rows[i].type);
		test_bridge_stops(rows[i].side, &frame, DROP_BLOCKED);
		listener(rows[i].side, "fe80::1", rows[i].type);
		frame.bytes[21] = 2;
		test_bridge_stops(rows[i].side, &frame, DROP_BLOCKED);
		listener(rows[i].side, "fe80::1", rows[i].type);
		frame.bytes[BOX_START + 9] = 1; /* a code */
		test_bridge_stops(rows[i].side, &frame, DROP_BLOCKED);
		listener(rows[i].side, "fe80::1", rows[i].type);
		memset(frame.bytes + BOX_START + 2, 0, 6); /* no router alert */
		test_bridge_stops(rows[i].side, &frame, DROP_BLOCKED);
	}
	listener(BRIDGE_CLIENTS, "::", 143);
	test_bridge_crosses(BRIDGE_CLIENTS, &frame);
	listener(BRIDGE_UPLINK, "::", 130);
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_BLOCKED);
	listener_in_one_piece();
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	listener(BRIDGE_CLIENTS, "fe80::1", 144); /* of another protocol */
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_BLOCKED);
	test_bridge_end();
}
END_TEST

START_TEST(without_rules_nothing_passes)
{
	test_bridge_begin(NULL, FLOWS);
	advertise_router(BRIDGE_UPLINK, "fe80::1");
	test_bridge_stops(BRIDGE_UPLINK, &frame, DROP_NO_RULES);
	listener(BRIDGE_CLIENTS, "fe80::1", 143);
	test_bridge_stops(BRIDGE_CLIENTS, &frame, DROP_NO_RULES);
	test_bridge_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, neighbours_find_each_other);
	tcase_add_test(cases, malformed_messages_stay_out);
	tcase_add_test(cases, routers_are_before_the_relay_and_not_behind);
	tcase_add_test(cases, clients_say_which_groups_they_hear);
	tcase_add_test(cases, without_rules_nothing_passes);
}

int main(void)
{
	return unit_main("net/bridge_link", add_cases);
}
