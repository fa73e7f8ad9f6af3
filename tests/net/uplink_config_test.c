/* SPDX-License-Identifier: ISC */
/* The uplink's addresses against a DHCP server, a router and rivals, all played here. */
#include "net/uplink_config.h"

#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define ADDRESS 0x0a000032u
#define SERVER 0x0a000001u

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACKNOWLEDGE, NAK, RELEASE };

static struct test_net *net;
static struct own own;
static struct uplink_config uplink;
static struct uplink_config_setup setup_of;
static struct uplink_address told;
static uint32_t changes, arps, dhcps, solicitations;
static uint8_t dhcp_out[600], arp_out[60];
static uint64_t now;
static const uint8_t rival[6] = { 2, 0, 0, 0, 0, 9 };

static struct packet *on_make(void *context, struct netdev *netdev, size_t bytes)
{
	return net->router.own.make(context, netdev, bytes);
}

static void on_send(void *context, struct netdev *netdev, struct packet *packet)
{
	(void)context;
	ck_assert_ptr_eq(netdev, &net->uplink.netdev);
	ck_assert(packet_is_valid(packet));
	if (packet->data[12] == 8 && packet->data[13] == 6) {
		memcpy(arp_out, packet->data, sizeof(arp_out));
		arps++;
	} else if (packet->data[12] == 8) {
		memcpy(dhcp_out, packet->data, packet->length);
		dhcps++;
	} else {
		solicitations++;
	}
	packet_free(packet);
}

static void on_changed(void *context, const struct uplink_address *address)
{
	ck_assert_ptr_eq(context, &told);
	told = *address;
	changes++;
}

static void setup(void)
{
	net = test_net_begin(RULES_OPEN, 16);
	changes = arps = dhcps = solicitations = 0;
	memset(&told, 0, sizeof(told));
	memset(&setup_of, 0, sizeof(setup_of));
	own = (struct own){ on_make, on_send, &net->router };
	setup_of.own = &own;
	setup_of.random = &net->random;
	setup_of.changed = on_changed;
	setup_of.context = &told;
	now = 5 * TEST_SECOND;
}

static void teardown(void)
{
	test_net_end(net);
}

static void begin(bool dhcp, bool ip6)
{
	setup_of.dhcp = dhcp;
	setup_of.ip6_auto = ip6;
	uplink_config_init(&uplink, &setup_of);
	uplink_config_up(&uplink, &net->uplink.netdev, now);
}

/* As the router calls it. */
static bool give(const void *bytes, uint32_t length, uint8_t flags)
{
	static struct frame frame;
	struct packet *packet;

	frame.length = length;
	frame.flags = flags;
	memcpy(frame.bytes, bytes, length);
	packet = test_link_packet(&net->uplink, &frame);
	if (uplink_config_wants(packet) && uplink_config_packet(&uplink, packet, now))
		return true;
	packet_free(packet);
	return false;
}

static void run_to(uint64_t end)
{
	while (uplink_config_next_ns(&uplink) <= end) {
		now = uplink_config_next_ns(&uplink);
		uplink_config_run(&uplink, now);
	}
	now = end;
}

/* The server's answer to what was sent last. */
static bool answer(uint8_t type, uint32_t address)
{
	static const uint8_t options[] = { 99, 130,  83,  99,  54,  4, 10,   0,	   0,  1,
					   1,  4,    255, 255, 255, 0, 3,    4,	   10, 0,
					   0,  1,    6,	  4,   10,  0, 0,    5,	   26, 2,
					   5,  0x78, 51,  4,   0,   0, 0x0e, 0x10, 53, 1 };
	uint8_t f[42 + 236 + sizeof(options) + 2] = { 0 };
	uint8_t *boot = f + 42;

	memcpy(f, net->uplink.netdev.mac, 6);
	memcpy(f + 6, gateway_mac, 6);
	put16(f + 12, 0x0800);
	f[14] = 0x45;
	put16(f + 16, sizeof(f) - 14);
	f[22] = 64;
	f[23] = 17;
	put32(f + 26, SERVER);
	put32(f + 30, address);
	put16(f + 34, 67);
	put16(f + 36, 68);
	put16(f + 38, sizeof(f) - 34);
	boot[0] = 2;
	boot[1] = 1;
	boot[2] = 6;
	memcpy(boot + 4, dhcp_out + 42 + 4, 4);
	put32(boot + 16, address);
	memcpy(boot + 28, net->uplink.netdev.mac, 6);
	memcpy(boot + 236, options, sizeof(options));
	boot[236 + sizeof(options)] = type;
	boot[236 + sizeof(options) + 1] = 255;
	put16(f + 24, (uint16_t)~naive_sum(f + 14, 20, 0));
	return give(f, sizeof(f), PACKET_CSUM_VALID);
}

static uint8_t dhcp_type(void)
{
	return dhcp_out[42 + 236 + 4 + 2];
}

static bool arp(uint16_t operation, const uint8_t *from, uint32_t sender, uint32_t target)
{
	static struct frame frame;

	frame_arp(&frame, from, our_uplink_mac, operation, sender, target);
	return give(frame.bytes, frame.length, 0);
}

static void get_lease(void)
{
	ck_assert_uint_eq(dhcp_type(), DISCOVER);
	ck_assert(answer(OFFER, ADDRESS));
	ck_assert_uint_eq(dhcp_type(), REQUEST);
	ck_assert(answer(ACKNOWLEDGE, ADDRESS));
}

START_TEST(rfc5227_2_1_a_lease_is_probed_first)
{
	begin(true, false);
	get_lease();
	ck_assert(!told.has4);
	run_to(now + 8 * TEST_SECOND);
	ck_assert_uint_eq(arps, ADDRESS_PROBE_COUNT);
	ck_assert_uint_eq(get32(arp_out + 28), 0);
	ck_assert_uint_eq(get32(arp_out + 38), ADDRESS);
	ck_assert_mem_eq(arp_out + 22, net->uplink.netdev.mac, 6);
	ck_assert(told.has4);
	ck_assert_uint_eq(be32_get(told.address), ADDRESS);
	ck_assert_uint_eq(told.prefix, 24);
	ck_assert_uint_eq(be32_get(told.gateway), SERVER);
	ck_assert_uint_eq(told.mtu4, 1400);
	ck_assert_uint_eq(told.dns_count, 1);
	ck_assert_uint_eq(be32_get(ip_address_get4(&told.dns[0])), 0x0a000005);
	ck_assert(!told.has_link6 && !told.has6);
	ck_assert_uint_eq(changes, 1);
	/* Renewal with the same contents tells nothing and probes nothing. */
	run_to(now + 1850 * TEST_SECOND);
	ck_assert_uint_eq(dhcp_type(), REQUEST);
	ck_assert(answer(ACKNOWLEDGE, ADDRESS));
	run_to(now + 10 * TEST_SECOND);
	ck_assert_uint_eq(changes, 1);
	ck_assert_uint_eq(arps, ADDRESS_PROBE_COUNT);
	/* And its end is told. */
	run_to(now + 3700 * TEST_SECOND);
	ck_assert(!told.has4);
	ck_assert_uint_eq(told.dns_count, 0);
	ck_assert_uint_eq(changes, 2);
}
END_TEST

/* A reply, a request, and a probe of somebody else: each is a conflict. */
START_TEST(rfc5227_2_1_1_conflicts_decline)
{
	begin(true, false);
	get_lease();
	run_to(now + 2 * TEST_SECOND);
	/* None: another address, another's question for ours, our own echo. */
	arp(2, rival, ADDRESS + 1, OUR_IP);
	arp(1, rival, ADDRESS + 1, ADDRESS);
	arp(1, net->uplink.netdev.mac, 0, ADDRESS);
	ck_assert_uint_eq(dhcp_type(), REQUEST);
	ck_assert(!arp(_i == 0 ? 2 : 1, rival, _i == 2 ? 0 : ADDRESS, _i == 2 ? ADDRESS : OUR_IP));
	ck_assert_uint_eq(dhcp_type(), DECLINE);
	run_to(now + 5 * TEST_SECOND);
	ck_assert(!told.has4);
	ck_assert_uint_eq(changes, 0);
	/* After a while it begins again. */
	run_to(now + 6 * TEST_SECOND);
	get_lease();
	run_to(now + 8 * TEST_SECOND);
	ck_assert(told.has4);
}
END_TEST

START_TEST(rfc5227_2_4_ours_is_defended_not_given_up)
{
	begin(true, false);
	get_lease();
	run_to(now + 8 * TEST_SECOND);
	arps = 0;
	for (int i = 0; i < 5; i++)
		ck_assert(!arp(2, rival, ADDRESS, OUR_IP));
	ck_assert_uint_eq(arps, 1);
	ck_assert_uint_eq(get32(arp_out + 28), ADDRESS);
	now += 11 * TEST_SECOND;
	ck_assert(!arp(2, rival, ADDRESS, OUR_IP));
	ck_assert_uint_eq(arps, 2);
	/* Another's probe for it is answered by ARP itself. */
	ck_assert(!arp(1, rival, 0, ADDRESS));
	ck_assert(told.has4);
}
END_TEST

START_TEST(a_link_that_comes_again)
{
	begin(true, false);
	get_lease();
	run_to(now + 8 * TEST_SECOND);
	uplink_config_down(&uplink);
	ck_assert_uint_eq(uplink_config_next_ns(&uplink), UINT64_MAX);
	ck_assert(!answer(ACKNOWLEDGE, ADDRESS));
	uplink_config_up(&uplink, &net->uplink.netdev, now);
	ck_assert(!told.has4);
	ck_assert_uint_eq(dhcp_type(), REQUEST); /* INIT-REBOOT */
	ck_assert(answer(ACKNOWLEDGE, ADDRESS));
	run_to(now + 8 * TEST_SECOND);
	ck_assert(told.has4);
	uplink_config_release(&uplink, now);
	ck_assert_uint_eq(dhcp_type(), RELEASE);
	ck_assert(!told.has4);
}
END_TEST

/* An advertisement of 2001:db8:N::/64 for `preferred` seconds with one name server. */
static bool advertise(uint8_t subnet, uint32_t preferred)
{
	uint8_t f[70 + 32 + 24] = { 0 };

	memcpy(f, "\x33\x33\0\0\0\1\2\0\0\0\0\2\x86\xdd\x60", 15);
	f[19] = sizeof(f) - 54;
	f[20] = 58;
	f[21] = 255;
	memcpy(f + 22, "\xfe\x80", 2);
	f[37] = 2;
	memcpy(f + 38, "\xff\2", 2);
	f[53] = 1;
	f[54] = 134;
	put16(f + 60, 9000);
	memcpy(f + 70, "\3\4\x40\x40", 4);
	put32(f + 74, 86400);
	put32(f + 78, preferred);
	memcpy(f + 86, "\x20\1\x0d\xb8", 4);
	f[91] = subnet;
	memcpy(f + 102, "\x19\3", 2);
	put32(f + 106, 86400);
	memcpy(f + 110, "\x20\1\x0d\xb8", 4);
	put16(f + 56, (uint16_t)~naive_sum(f + 54, sizeof(f) - 54,
					   naive_sum(f + 22, 32, 0) + 58u + sizeof(f) - 54));
	return give(f, sizeof(f), 0);
}

START_TEST(ip6_by_advertisements)
{
	struct ip6_address first;

	begin(false, true);
	ck_assert(told.has_link6 && !told.has6 && !told.has4);
	ck_assert_uint_eq(told.link6.bytes[0], 0xfe);
	run_to(now + 10 * TEST_SECOND);
	ck_assert_uint_eq(solicitations, SLAAC_SOLICITATIONS);
	ck_assert(advertise(1, 1000));
	ck_assert(told.has6 && told.has_router && told.has_router_mac);
	ck_assert_uint_eq(told.prefix6, 64);
	ck_assert_uint_eq(told.address6.bytes[5], 1);
	ck_assert_mem_eq(told.address6.bytes + 8, told.link6.bytes + 8, 8);
	ck_assert_uint_eq(told.router6.bytes[15], 2);
	ck_assert_uint_eq(told.router_mac[5], 2);
	ck_assert_uint_eq(told.dns_count, 1);
	ck_assert_uint_eq(told.dns[0].version, 6);
	changes = 0;
	ck_assert(advertise(1, 1000));
	ck_assert_uint_eq(changes, 0); /* the same again */
	/* Another prefix is used when the first is not preferred any more. */
	ck_assert(advertise(2, 5000));
	ck_assert_uint_eq(told.address6.bytes[5], 1);
	run_to(now + 1001 * TEST_SECOND);
	ck_assert_uint_eq(told.address6.bytes[5], 2);
	/* A conflict: another identifier, and routers are asked again. */
	first = told.link6;
	solicitations = 0;
	uplink_config_conflict6(&uplink, now);
	ck_assert(!told.has6 && told.has_link6);
	ck_assert_mem_ne(told.link6.bytes, first.bytes, 16);
	run_to(now + 2 * TEST_SECOND);
	ck_assert_uint_eq(solicitations, 1);
	ck_assert(advertise(1, 1000));
	ck_assert(told.has6);
	for (uint32_t i = 0; i < UPLINK_IP6_TRIES; i++)
		uplink_config_conflict6(&uplink, now);
	ck_assert(!told.has_link6 && !told.has6);
	ck_assert(!advertise(1, 1000));
	ck_assert(!told.has6);
}
END_TEST

/* A router that says other things a thousand times a second: they are told at our pace. */
START_TEST(a_flood_of_changes_is_told_slowly)
{
	begin(false, true);
	for (uint32_t i = 0; i < 10000; i++) {
		advertise(1, i % 2 ? 5000 : 0);
		advertise(2, i % 2 ? 0 : 5000);
		run_to(now + TEST_SECOND / 1000);
	}
	ck_assert_uint_gt(changes, UPLINK_TELLS_BURST);
	ck_assert_uint_le(changes, UPLINK_TELLS_BURST + 12);
	/* What was said last holds. */
	advertise(1, 0);
	advertise(2, 5000);
	run_to(now + 2 * TEST_SECOND);
	ck_assert_uint_eq(told.address6.bytes[5], 2);
	advertise(2, 0);
	advertise(1, 5000);
	run_to(now + 2 * TEST_SECOND);
	ck_assert_uint_eq(told.address6.bytes[5], 1);
	/* An address that somebody else has is given up at once. */
	for (uint32_t i = 0; i < 2 * UPLINK_TELLS_BURST; i++) {
		advertise(1, i % 2 ? 5000 : 0);
		advertise(2, i % 2 ? 0 : 5000);
	}
	uplink_config_conflict6(&uplink, now);
	ck_assert(!told.has6);
}
END_TEST

START_TEST(what_is_fixed_is_told_at_once)
{
	setup_of.fixed.has4 = true;
	setup_of.fixed.address = be32_of(ADDRESS);
	setup_of.fixed.gateway = be32_of(SERVER);
	setup_of.fixed.prefix = 8;
	setup_of.fixed.has6 = true;
	setup_of.fixed.address6.bytes[0] = 0x20;
	setup_of.fixed.has_router = true;
	setup_of.fixed.dns_count = 1;
	setup_of.fixed.dns[0] = ip_address_of4(be32_of(0x09090909));
	begin(false, false);
	ck_assert_uint_eq(changes, 1);
	ck_assert(told.has4 && told.has6 && told.has_router && told.has_link6);
	ck_assert_uint_eq(told.prefix, 8);
	ck_assert_uint_eq(told.dns_count, 1);
	ck_assert_uint_eq(uplink_config_next_ns(&uplink), UINT64_MAX);
	ck_assert(!advertise(1, 1000));
	ck_assert(!answer(OFFER, ADDRESS));
	ck_assert_uint_eq(changes, 1);
	uplink_config_conflict6(&uplink, now);
	ck_assert(told.has4 && !told.has6 && !told.has_link6);
}
END_TEST

START_TEST(the_command_line)
{
	struct params params;

	ck_assert_int_eq(params_parse("ip=10.0.0.50/8 gw=10.0.0.1 ip6=2001:db8::5/64,fe80::1 "
				      "dns=9.9.9.9,2620:fe::fe",
				      &params),
			 0);
	uplink_config_from_params(&setup_of, &params);
	begin(setup_of.dhcp, setup_of.ip6_auto);
	ck_assert(told.has4 && told.has6 && told.has_router && !told.has_router_mac);
	ck_assert_uint_eq(be32_get(told.address), ADDRESS);
	ck_assert_uint_eq(be32_get(told.gateway), SERVER);
	ck_assert_uint_eq(told.prefix6, 64);
	ck_assert_uint_eq(told.router6.bytes[15], 1);
	ck_assert_uint_eq(told.dns_count, 2);
	ck_assert_int_eq(params_parse("ip=dhcp ip6=auto", &params), 0);
	uplink_config_from_params(&setup_of, &params);
	ck_assert(setup_of.dhcp && setup_of.ip6_auto && !setup_of.fixed.has4 &&
		  !setup_of.fixed.has6 && !setup_of.fixed.dns_count);
}
END_TEST

/* Resolvers on the command line are the only ones. */
START_TEST(fixed_resolvers)
{
	setup_of.fixed.dns_count = 1;
	setup_of.fixed.dns[0] = ip_address_of4(be32_of(0x09090909));
	begin(true, false);
	get_lease();
	run_to(now + 8 * TEST_SECOND);
	ck_assert(told.has4);
	ck_assert_uint_eq(told.dns_count, 1);
	ck_assert_uint_eq(be32_get(ip_address_get4(&told.dns[0])), 0x09090909);
}
END_TEST

/* Damaged and cut messages of all kinds: nothing is told, nothing is lost. */
START_TEST(mutations)
{
	uint8_t bytes[200];

	begin(true, true);
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t length = 14 + random_below(&net->random, sizeof(bytes) - 14);

		random_bytes(&net->random, bytes, sizeof(bytes));
		memcpy(bytes + 12,
		       round % 3 == 0	? "\x08\x00\x45"
		       : round % 3 == 1 ? "\x08\x06\0"
					: "\x86\xdd\x60",
		       3);
		if (round % 3 == 0) {
			bytes[23] = 17;
			put16(bytes + 36, 68);
		} else if (round % 3 == 2) {
			bytes[20] = 58;
			bytes[54] = 134;
			bytes[21] = 255;
		}
		give(bytes, length, 0);
	}
	ck_assert(!told.has4 && !told.has6);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, rfc5227_2_1_a_lease_is_probed_first);
	tcase_add_loop_test(cases, rfc5227_2_1_1_conflicts_decline, 0, 3);
	tcase_add_test(cases, rfc5227_2_4_ours_is_defended_not_given_up);
	tcase_add_test(cases, a_link_that_comes_again);
	tcase_add_test(cases, ip6_by_advertisements);
	tcase_add_test(cases, a_flood_of_changes_is_told_slowly);
	tcase_add_test(cases, what_is_fixed_is_told_at_once);
	tcase_add_test(cases, the_command_line);
	tcase_add_test(cases, fixed_resolvers);
	tcase_add_test(cases, mutations);
}

int main(void)
{
	return unit_main("net/uplink_config", add_cases);
}
