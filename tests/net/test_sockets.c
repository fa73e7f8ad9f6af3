/* SPDX-License-Identifier: ISC */
#include "tests/net/test_sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "net/socket_parts.h"
#include "net/wire.h"

#define PAGES 16384u
#define PACKETS 16384u
#define QUEUE 8192u

struct test_side test_sides[TEST_SIDES];
uint64_t test_now;
struct packet_pool test_packet_pool;

static struct iopage_pool pages;
static struct iopage *descriptors;
static struct packet *packets;
static struct random random_source;

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page >> 12;
}

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet = packet_alloc_page(&test_packet_pool, IOPAGE_PRIVATE);
	uint8_t *data;

	(void)context;
	(void)netdev;
	if (!packet)
		return NULL;
	data = packet_append(packet, bytes);
	ck_assert_ptr_nonnull(data);
	memset(data, 0, bytes);
	return packet;
}

static void leave(void *context, struct netdev *netdev, struct packet *packet)
{
	struct test_side *side = context;

	ck_assert_ptr_eq(netdev, &side->netdev);
	ck_assert(packet_is_valid(packet));
	ck_assert(netdev_can_send(netdev, packet));
	if (!packet->gso_type)
		ck_assert_uint_le(packet->length, 14u + netdev->mtu);
	side->sent++;
	if (side->filter && side->filter(packet))
		return;
	ck_assert_uint_lt(side->queued, QUEUE);
	side->queue[side->queued++] = packet;
}

static struct netdev *way(void *context, const struct ip_address *peer, struct ip_address *own)
{
	struct test_side *side = context;

	if (side->no_way)
		return NULL;
	if (own->version == 0)
		*own = test_address((unsigned int)(side - test_sides), peer->version, 0).ip;
	return &side->netdev;
}

static uint16_t mtu_of(void *context, const struct netdev *netdev, const struct ip_address *peer)
{
	const struct test_side *side = context;

	(void)peer;
	return side->mtu ? side->mtu : netdev->mtu;
}

static void begin_side(struct test_side *side, const struct sockets_config *given)
{
	struct sockets_config config = *given;

	*side = (struct test_side){ .netdev = { .mtu = 1500, .up = true } };
	side->queue = calloc(QUEUE, sizeof(*side->queue));
	config.random = &random_source;
	config.links = (struct socket_links){
		.own = { make, leave, side }, .way = way, .mtu = mtu_of, .context = side
	};
	side->memory = aligned_alloc(4096, sockets_memory_bytes(&config));
	side->sockets = sockets_init(&config, side->memory, test_now);
	ck_assert_ptr_nonnull(side->sockets);
}

void test_sockets_begin(const struct sockets_config *config)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	void *arena = aligned_alloc(IOPAGE_SIZE, (size_t)PAGES * IOPAGE_SIZE);

	test_now = 1000000000;
	descriptors = calloc(PAGES, sizeof(*descriptors));
	packets = calloc(PACKETS, sizeof(*packets));
	iopage_pool_init(&pages, arena, descriptors, PAGES, frame_of);
	ck_assert_int_eq(packet_pool_init(&test_packet_pool, &pages, packets, PACKETS), 0);
	random_init(&random_source, seed);
	for (unsigned int i = 0; i < TEST_SIDES; i++)
		begin_side(&test_sides[i], config);
}

static void end_side(struct test_side *side)
{
	struct sockets_use use = sockets_use(side->sockets);

	for (uint32_t i = 0; i < side->queued; i++)
		packet_free(side->queue[i]);
	ck_assert(tcp_stack_is_valid(&side->sockets->tcp));
	ck_assert_uint_eq(use.connections, 0);
	ck_assert_uint_eq(use.listeners, 0);
	ck_assert_uint_eq(use.udp_sockets, 0);
	ck_assert_uint_eq(use.buffer_bytes, 0);
	ck_assert_uint_eq(side->sockets->starved, 0);
	free(side->queue);
	free(side->memory);
}

void test_sockets_end(void)
{
	/* Orphans finish, or give up. */
	for (unsigned int i = 0; i < 1000 && (sockets_use(test_sides[0].sockets).connections ||
					      sockets_use(test_sides[1].sockets).connections);
	     i++) {
		test_now += 1000 * TEST_MS;
		test_sockets_run(10);
	}
	for (unsigned int i = 0; i < TEST_SIDES; i++)
		end_side(&test_sides[i]);
	ck_assert_uint_eq(test_packet_pool.free_count, PACKETS);
	free(pages.arena);
	free(descriptors);
	free(packets);
}

static bool parse(struct packet *packet, struct packet_info *info)
{
	bool six = be16_get(ethernet_of(packet)->type) == ETHERTYPE_IP6;
	enum drop_reason reason;

	return six ? parse_ip6(packet, 0, info, &reason) : parse_ip4(packet, 0, info, &reason);
}

static bool give(unsigned int side, struct packet *packet, const struct packet_info *info)
{
	const struct router_service *service = sockets_service(test_sides[side].sockets);

	if (!service_wants(service, info)) {
		test_sides[side].unwanted++;
		packet_free(packet);
		return false;
	}
	service_input(service, &test_sides[side].netdev, packet, info);
	return true;
}

bool test_sockets_deliver(unsigned int side, struct packet *packet)
{
	struct packet_info info;

	ck_assert(parse(packet, &info));
	return give(side, packet, &info);
}

bool test_sockets_deliver_any(unsigned int side, struct packet *packet)
{
	struct packet_info info;

	if (parse(packet, &info))
		return give(side, packet, &info);
	packet_free(packet);
	return false;
}

static bool step(void)
{
	bool moved = false;

	for (unsigned int i = 0; i < TEST_SIDES; i++) {
		struct test_side *from = &test_sides[i];
		uint32_t count = from->queued;

		sockets_set_now(test_sides[!i].sockets, test_now);
		for (uint32_t p = 0; p < count; p++)
			(void)!test_sockets_deliver(!i, from->queue[p]);
		from->queued -= count;
		memmove(from->queue, from->queue + count, from->queued * sizeof(from->queue[0]));
		moved |= count != 0;
	}
	for (unsigned int i = 0; i < TEST_SIDES; i++) {
		sockets_set_now(test_sides[i].sockets, test_now);
		moved |= sockets_run(test_sides[i].sockets);
	}
	return moved;
}

void test_sockets_run(uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		step();
		test_now += TEST_MS;
	}
}

void test_sockets_settle(void)
{
	for (unsigned int i = 0; step(); i++)
		ck_assert_uint_lt(i, 10000);
}

struct socket_address test_address(unsigned int side, uint8_t version, uint16_t port)
{
	struct socket_address address = { .ip.version = version, .port = port };
	uint8_t *bytes = address.ip.bytes;

	bytes[0] = version == 4 ? 10 : 0xfd;
	bytes[version == 4 ? 3 : 15] = (uint8_t)(1 + side);
	return address;
}

struct socket *test_sockets_pair(uint8_t version, struct socket **server)
{
	struct socket_listen how = { .own.port = 80 };
	struct socket_address peer = test_address(1, version, 80);
	int error;
	struct socket *client, *listener;

	listener = socket_listen(test_sides[1].sockets, &how, NULL, NULL, &error);
	ck_assert_ptr_nonnull(listener);
	client = socket_connect(test_sides[0].sockets, NULL, &peer, NULL, NULL, &error);
	ck_assert_ptr_nonnull(client);
	test_sockets_settle();
	*server = socket_accept(listener, NULL, NULL);
	ck_assert_ptr_nonnull(*server);
	socket_close(listener);
	return client;
}

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

void test_sockets_transfer(struct socket *from, struct socket *to, uint32_t bytes,
			   void (*run)(uint32_t ms))
{
	static uint8_t buffer[20000];
	uint32_t sent = 0, got = 0;

	for (unsigned int i = 0; i < 20000 && got < bytes; i++) {
		uint32_t part = bytes - sent < sizeof(buffer) ? bytes - sent : sizeof(buffer);
		int result;

		for (uint32_t b = 0; b < part; b++)
			buffer[b] = byte_at(sent + b);
		result = part ? socket_send(from, buffer, part) : 0;
		ck_assert(result >= 0 || result == -EAGAIN);
		sent += result > 0 ? (uint32_t)result : 0;
		run(1);
		while ((result = socket_receive(to, buffer, sizeof(buffer))) > 0) {
			bool right = true;

			for (int b = 0; b < result; b++)
				right &= buffer[b] == byte_at(got++);
			ck_assert(right);
		}
		ck_assert_int_eq(result, -EAGAIN);
	}
	ck_assert_uint_eq(got, bytes);
}
