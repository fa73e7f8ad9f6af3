/* SPDX-License-Identifier: ISC */
/* UDP of our own: datagrams laid and read, ports, and names on top of them. */
#include "net/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/names_udp.h"
#include "net/own_udp.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct test_net *net;
static struct own_udp udp;
static struct own_udp_datagram got, sent;
static uint8_t got_data[OWN_UDP_BYTES], sent_data[OWN_UDP_BYTES];
static uint32_t got_count, sent_count;

static void on_input(void *context, const struct own_udp_datagram *datagram)
{
	ck_assert_ptr_eq(context, &got);
	got = *datagram;
	memcpy(got_data, datagram->data, datagram->bytes);
	got_count++;
}

static bool on_wants(void *context, uint16_t port)
{
	(void)context;
	return port == 5000;
}

static void on_send(void *context, const struct own_udp_datagram *datagram)
{
	ck_assert_ptr_eq(context, &sent);
	sent = *datagram;
	memcpy(sent_data, datagram->data, datagram->bytes);
	sent_count++;
}

static void setup(void)
{
	struct own_udp_user user = { on_wants, on_input, &got };

	net = test_net_begin(RULES_OPEN, 16);
	got_count = sent_count = 0;
	own_udp_init(&udp, on_send, &sent);
	ck_assert_int_eq(own_udp_add(&udp, &user), 0);
}

static void teardown(void)
{
	test_net_end(net);
}

static struct udp_ends ends_of(bool six, uint16_t from, uint16_t to)
{
	struct udp_ends ends = { ip_address_of4(be32_of(GATEWAY_IP)),
				 ip_address_of4(be32_of(OUR_IP)), from, to };

	if (six) {
		ends.from = ends.to = (struct ip_address){ { 0x20, 1, 0xd, 0xb8 }, 6 };
		ends.from.bytes[15] = 1;
		ends.to.bytes[15] = 2;
	}
	return ends;
}

static struct packet *make(bool six, uint16_t from, uint16_t to, const void *data, size_t bytes)
{
	struct udp_ends ends = ends_of(six, from, to);

	return udp_make(&net->router.own, &net->uplink.netdev, &ends, data, bytes);
}

static bool parse(bool six, struct packet *packet, struct packet_info *info)
{
	enum drop_reason reason;

	return six ? parse_ip6(packet, 0, info, &reason) : parse_ip4(packet, 0, info, &reason);
}

/* Every length that fits, checked by the textbook's sum and by our own parser. */
START_TEST(laid_and_read)
{
	uint8_t data[1500], back[1500];
	bool six = _i;
	size_t most = 1500 - 8 - (six ? 40 : 20);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t bytes = 0; bytes <= most; bytes += 1 + bytes / 13) {
		struct packet *packet = make(six, 53, 5000, data, bytes);
		const uint8_t *ip = packet->data + 14;
		size_t length = 8 + bytes;
		struct packet_info info;

		ck_assert(packet_is_valid(packet));
		if (six)
			ck_assert_uint_eq(
				naive_sum(ip + 40, length,
					  naive_sum(ip + 8, 32, 0) + 17u + (uint32_t)length),
				0xffff);
		else
			ck_assert_uint_eq(
				naive_sum(ip + 20, length,
					  naive_sum(ip + 12, 8, 0) + 17u + (uint32_t)length),
				0xffff);
		ck_assert(parse(six, packet, &info));
		ck_assert_int_eq(udp_copy(packet, &info, back, sizeof(back)), (int)bytes);
		ck_assert_mem_eq(back, data, bytes);
		if (bytes)
			ck_assert_int_eq(udp_copy(packet, &info, back, bytes - 1), -E2BIG);
		packet_free(packet);
	}
	ck_assert_ptr_null(make(six, 53, 5000, data, most + 1));
}
END_TEST

/* A byte that changed on the way is seen, unless the sender vouches for it. */
START_TEST(wrong_checksums)
{
	uint8_t back[64];
	bool six = _i;

	for (uint32_t at = 0; at < 12; at++) {
		struct packet *packet = make(six, 53, 5000, "abcd", 4);
		uint8_t *wire = packet->data + packet->l4_offset;
		struct packet_info info;

		wire[at] ^= 0x10;
		ck_assert(packet != NULL);
		if (parse(six, packet, &info)) {
			ck_assert_int_eq(udp_copy(packet, &info, back, sizeof(back)), -EINVAL);
			packet->flags |= PACKET_CSUM_VALID;
			if (at < 4 || at >= 6)
				ck_assert_int_eq(udp_copy(packet, &info, back, sizeof(back)), 4);
		}
		packet_free(packet);
	}
}
END_TEST

START_TEST(no_checksum_is_for_ipv4_only)
{
	uint8_t back[64];

	for (int six = 0; six < 2; six++) {
		struct packet *packet = make(six, 53, 5000, "abcd", 4);
		struct packet_info info;

		memset(packet->data + packet->l4_offset + 6, 0, 2);
		ck_assert(parse(six, packet, &info));
		ck_assert_int_eq(udp_copy(packet, &info, back, sizeof(back)), six ? -EINVAL : 4);
		packet_free(packet);
	}
}
END_TEST

START_TEST(a_service_takes_its_ports)
{
	struct router_service service = own_udp_service(&udp);

	for (int six = 0; six < 2; six++) {
		struct udp_ends ends = ends_of(six, 53, 5000);
		struct packet *packet = make(six, 53, 5000, "abcd", 4);
		struct packet_info info;

		ck_assert(parse(six, packet, &info));
		ck_assert(service_wants(&service, &info));
		service_input(&service, &net->uplink.netdev, packet, &info);
		ck_assert_uint_eq(got_count, six + 1u);
		ck_assert(ip_address_equal(&got.peer, &ends.from));
		ck_assert_uint_eq(got.peer_port, 53);
		ck_assert_uint_eq(got.own_port, 5000);
		ck_assert_uint_eq(got.bytes, 4);
		ck_assert_mem_eq(got_data, "abcd", 4);
		/* Another port. */
		packet = make(six, 53, 5001, "abcd", 4);
		ck_assert(parse(six, packet, &info));
		ck_assert(!service_wants(&service, &info));
		packet_free(packet);
		/* Damaged. */
		packet = make(six, 53, 5000, "abcd", 4);
		packet->data[packet->length - 1] ^= 1;
		ck_assert(parse(six, packet, &info));
		service_input(&service, &net->uplink.netdev, packet, &info);
		ck_assert_uint_eq(got_count, six + 1u);
		ck_assert_uint_eq(test_net_drops(net, DROP_BAD_CHECKSUM), six + 1u);
	}
	ck_assert(!service_wants(NULL, NULL));
}
END_TEST

/* ---- names ---- */

static struct names names;
static struct names_udp tap;
static struct wheel wheel;
static uint64_t now;
static uint8_t memory[64 * 1024] __attribute__((aligned(16)));

static void on_changed(void *context, uint16_t name)
{
	(void)context;
	(void)name;
}

static void names_begin(void)
{
	struct names_config config = {
		.capacity = 8,
		.memory = memory,
		.wheel = &wheel,
		.random = &net->random,
		.output = { names_udp_send, on_changed, &tap },
	};
	struct ip_address server = ip_address_of4(be32_of(GATEWAY_IP));

	now = TEST_SECOND;
	wheel_init(&wheel, now);
	ck_assert_uint_le(names_memory_bytes(8), sizeof(memory));
	ck_assert_int_eq(names_init(&names, &config), 0);
	ck_assert_int_eq(names_udp_init(&tap, &names, &udp, &now), 0);
	names_udp_set_servers(&tap, &server, 1);
}

/* Makes an answer of one A record out of a query. Its bytes. */
static size_t answer(uint8_t *message, size_t query_bytes, uint32_t address)
{
	static const uint8_t record[12] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4 };
	size_t end = query_bytes;

	if (message[11]) /* OPT */
		end -= 11;
	message[2] = 0x81;
	message[3] = 0x80;
	message[7] = 1;
	message[11] = 0;
	memcpy(message + end, record, sizeof(record));
	for (uint32_t i = 0; i < 4; i++)
		message[end + 12 + i] = (uint8_t)(address >> (24 - 8 * i));
	return end + 16;
}

static bool has(int name, uint32_t address)
{
	struct names_address asked = names_address_ip4(be32_of(address));

	return names_contains(&names, (uint16_t)name, &asked, now);
}

START_TEST(names_ask_and_hear)
{
	struct router_service service = own_udp_service(&udp);
	int name;

	names_begin();
	name = names_add(&names, "www.example.com", 15, now);
	/* Until the query for an A record was the last. */
	for (uint32_t i = 0; i < 20 && (!sent_count || sent_data[sent.bytes - 11 - 3] != 1); i++) {
		now += TEST_SECOND / 50;
		wheel_run(&wheel, now, 1);
	}
	ck_assert_uint_eq(sent.peer_port, 53);
	ck_assert_uint_eq(be32_get(ip_address_get4(&sent.peer)), GATEWAY_IP);
	ck_assert(own_udp_wants(&udp, sent.own_port));
	ck_assert(!own_udp_wants(&udp, 53));
	for (int right = 0; right < 2; right++) {
		uint8_t message[512];
		struct packet_info info;
		struct packet *packet;
		size_t bytes;

		memcpy(message, sent_data, sent.bytes);
		bytes = answer(message, sent.bytes, 0xc0000201);
		packet = make(false, right ? 53 : 54, sent.own_port, message, bytes);
		ck_assert(parse(false, packet, &info));
		ck_assert(service_wants(&service, &info));
		service_input(&service, &net->uplink.netdev, packet, &info);
		ck_assert_int_eq(has(name, 0xc0000201), right);
	}
}
END_TEST

/* The same servers again disturb nothing, others are asked at once. */
START_TEST(servers_change)
{
	struct ip_address servers[6];

	for (uint32_t i = 0; i < 6; i++)
		servers[i] = ip_address_of4(be32_of(0x0a000001 + i));
	names_begin();
	ck_assert_int_ge(names_add(&names, "www.example.com", 15, now), 0);
	for (uint32_t round = 0; round < 40; round++) {
		now += TEST_SECOND / 50;
		wheel_run(&wheel, now, 10);
		servers[5] = ip_address_of4(be32_of(GATEWAY_IP));
		names_udp_set_servers(&tap, &servers[5], 1);
	}
	ck_assert_uint_eq(names.counters.sent, 2); /* one for each family */
	names_udp_set_servers(&tap, servers, 5);
	ck_assert_uint_eq(names.servers_used, NAMES_SERVERS);
	for (uint32_t round = 0; round < 10; round++) {
		now += TEST_SECOND / 50;
		wheel_run(&wheel, now, 10);
	}
	ck_assert_uint_eq(names.counters.sent, 4);
	ck_assert_uint_eq(be32_get(ip_address_get4(&sent.peer)), 0x0a000001);
	names_udp_set_servers(&tap, NULL, 0);
	ck_assert_uint_eq(names.servers_used, 0);
}
END_TEST

/* A packet between a client and the server passes. */
static void forward(bool query, const void *message, size_t bytes, uint32_t server, bool damaged)
{
	struct packet *packet = make(false, query ? 4000 : 53, query ? 53 : 4000, message, bytes);
	struct ip_address peer = ip_address_of4(be32_of(server));
	struct packet_info info;

	if (damaged)
		packet->data[packet->length - 1] ^= 1;
	ck_assert(parse(false, packet, &info));
	names_udp_forwarded(&tap, 7, &peer, packet, &info);
	packet_free(packet);
}

START_TEST(clients_answers_are_learnt)
{
	uint8_t query[DNS_QUERY_BYTES], message[512];
	struct dns_name asked;
	size_t bytes, query_bytes;
	int name;

	names_begin();
	ck_assert_int_eq(dns_name_from_text(&asked, "www.example.com", 15), 0);
	query_bytes = dns_query_write(query, 77, &asked, DNS_TYPE_A, true);
	memcpy(message, query, query_bytes);
	bytes = answer(message, query_bytes, 0xc0000207);
	/* Without names nothing is looked at. */
	forward(true, query, query_bytes, GATEWAY_IP, false);
	name = names_add(&names, "www.example.com", 15, now);
	forward(false, message, bytes, GATEWAY_IP, false);
	ck_assert(!has(name, 0xc0000207));
	/* A server that is none of ours; then a damaged answer. */
	forward(true, query, query_bytes, SERVER_IP, false);
	forward(false, message, bytes, SERVER_IP, false);
	forward(false, message, bytes, GATEWAY_IP, false);
	forward(true, query, query_bytes, GATEWAY_IP, false);
	forward(false, message, bytes, GATEWAY_IP, true);
	ck_assert(!has(name, 0xc0000207));
	forward(false, message, bytes, GATEWAY_IP, false);
	ck_assert(has(name, 0xc0000207));
}
END_TEST

/* A client that asks the same server from every port would else get the answers for us. */
START_TEST(answers_to_us_go_to_no_client)
{
	struct router_service service = own_udp_service(&udp);
	struct ends out = ends_out(0, GATEWAY_IP), back = ends_in(GATEWAY_IP);
	struct frame *frame = calloc(1, sizeof(*frame));

	names_begin();
	ck_assert_int_ge(names_add(&names, "a.example", 9, now), 0);
	net->router.names = &tap;
	frame_udp(frame, &out, 5000, 53, 4);
	ck_assert_uint_eq(frame_source_port(test_pass(net, &net->client[0], &net->uplink, frame)),
			  5000);
	router_add_service(&net->router, &service);
	frame_udp(frame, &out, 5001, 53, 4);
	ck_assert_uint_eq(frame_source_port(test_pass(net, &net->client[0], &net->uplink, frame)),
			  5001);
	frame_udp(frame, &back, 53, 5000, 4);
	test_link_input(&net->uplink, frame);
	ck_assert_ptr_null(test_link_take(&net->client[0]));
	ck_assert_uint_eq(got_count, 1);
	frame_udp(frame, &back, 53, 5001, 4);
	test_pass(net, &net->uplink, &net->client[0], frame);
	ck_assert_uint_eq(got_count, 1);
	net->router.names = NULL;
	net->router.service = NULL;
	free(frame);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, laid_and_read, 0, 2);
	tcase_add_loop_test(cases, wrong_checksums, 0, 2);
	tcase_add_test(cases, no_checksum_is_for_ipv4_only);
	tcase_add_test(cases, a_service_takes_its_ports);
	tcase_add_test(cases, names_ask_and_hear);
	tcase_add_test(cases, servers_change);
	tcase_add_test(cases, clients_answers_are_learnt);
	tcase_add_test(cases, answers_to_us_go_to_no_client);
}

int main(void)
{
	return unit_main("net/udp", add_cases);
}
