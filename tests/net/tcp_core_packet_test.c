/* SPDX-License-Identifier: ISC */
/* Two stacks that speak in packets, over links that can more or less. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "net/tcp_core_packet.h"
#include "tests/host/unit.h"

#define PAGES 2048u
#define PACKETS 256u
#define QUEUE 256u

struct side {
	struct tcp_stack stack;
	struct tcp_packets packets;
	struct tcp_connection connections[4];
	struct tcp_time_wait waits[4];
	struct tcp_end *buckets[4];
	struct tcp_span spans[64];
	struct netdev netdev;
	struct packet *queue[QUEUE];
	uint32_t queued;
};

static struct side sides[2];
static struct iopage_pool pages;
static struct packet_pool pool;
static struct iopage descriptors[PAGES];
static struct packet packets[PACKETS];
static struct random random_source;
static uint64_t now;
static bool splits, merges;
static uint32_t gso_seen, blank_seen, flip; /* flip: a byte of a payload to be damaged */

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page >> 12;
}

static void *take(void *context)
{
	(void)context;
	return malloc(TCP_BLOCK_BYTES);
}

static void give(void *context, void *block)
{
	(void)context;
	free(block);
}

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet = packet_alloc_page(&pool, IOPAGE_PRIVATE);
	uint8_t *data;

	(void)context;
	(void)netdev;
	ck_assert_ptr_nonnull(packet);
	data = packet_append(packet, bytes);
	ck_assert_ptr_nonnull(data);
	memset(data, 0, bytes);
	return packet;
}

static void send(void *context, struct netdev *netdev, struct packet *packet)
{
	struct side *side = context;

	ck_assert(packet_is_valid(packet));
	ck_assert(netdev_can_send(netdev, packet));
	if (!packet->gso_type)
		ck_assert_uint_le(packet->length, 14u + netdev->mtu);
	gso_seen += packet->gso_type != PACKET_GSO_NONE;
	blank_seen += packet->flags & PACKET_CSUM_BLANK ? 1 : 0;
	ck_assert_uint_lt(side->queued, QUEUE);
	side->queue[side->queued++] = packet;
}

static struct netdev *way(void *context, const struct tcp_key *key)
{
	struct side *side = context;

	(void)key;
	return &side->netdev;
}

static void begin_side(struct side *side, uint32_t features)
{
	struct tcp_config config = {
		.send = tcp_packets_send,
		.context = &side->packets,
		.random = &random_source,
		.memory = { .take = take, .give = give, .limit = 1000 },
		.connections = side->connections,
		.connection_count = ARRAY_SIZE(side->connections),
		.time_waits = side->waits,
		.time_wait_count = ARRAY_SIZE(side->waits),
		.buckets = side->buckets,
		.bucket_count = ARRAY_SIZE(side->buckets),
		.spans = side->spans,
		.span_count = ARRAY_SIZE(side->spans),
		.gso_bytes = TCP_GSO_MAX,
	};

	side->queued = 0;
	side->netdev = (struct netdev){ .mtu = 1500, .features = features, .up = true };
	side->packets = (struct tcp_packets){ .stack = &side->stack,
					      .own = { make, send, side },
					      .way = way,
					      .context = side,
					      .now = now };
	ck_assert_int_eq(tcp_stack_init(&side->stack, &config, now), 0);
}

static void begin(uint32_t features)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 1 };
	void *arena = aligned_alloc(IOPAGE_SIZE, PAGES * IOPAGE_SIZE);

	now = 1000000000;
	gso_seen = 0;
	blank_seen = 0;
	flip = 0;
	splits = false;
	merges = false;
	memset(arena, 0, PAGES * IOPAGE_SIZE);
	iopage_pool_init(&pages, arena, descriptors, PAGES, frame_of);
	ck_assert_int_eq(packet_pool_init(&pool, &pages, packets, PACKETS), 0);
	random_init(&random_source, seed);
	begin_side(&sides[0], features);
	begin_side(&sides[1], features);
}

static void end(void)
{
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int c = 0; c < 4; c++)
			if (sides[i].connections[c].flags & TCP_FLAG_LIVE)
				tcp_abort(&sides[i].connections[c], now);
	for (unsigned int i = 0; i < 2; i++)
		for (uint32_t p = 0; p < sides[i].queued; p++)
			packet_free(sides[i].queue[p]);
	ck_assert_uint_eq(pool.free_count, PACKETS);
	ck_assert_uint_eq(sides[0].stack.config.memory.used, 0);
	ck_assert_uint_eq(sides[1].stack.config.memory.used, 0);
	free(pages.arena);
}

/* Puts the end of a packet into two fragments, the first of an odd size, as some links do. */
static void split(struct packet *packet)
{
	const uint16_t sizes[] = { 333, 100 };
	uint16_t at = (uint16_t)(packet->head_length - 433);

	packet->head_length = at;
	for (unsigned int i = 0; i < 2; i++) {
		struct iopage *page = iopage_alloc(&pages, IOPAGE_PRIVATE);

		memcpy(page->data, packet->data + at, sizes[i]);
		ck_assert_int_eq(packet_add_frag(packet, page, 0, sizes[i]), 0);
		at = (uint16_t)(at + sizes[i]);
	}
	/* What add_frag has counted was there already. */
	packet->length = packet->head_length + 433u;
	ck_assert(packet_is_valid(packet));
}

static void deliver(struct side *to, struct packet *packet)
{
	struct router_service service = tcp_packets_service(&to->packets);
	struct packet_info info;
	enum drop_reason reason;
	bool six = be16_get(ethernet_of(packet)->type) == ETHERTYPE_IP6;

	if (flip && packet->length > 500) {
		packet->data[packet->length - flip] ^= 0x10;
		flip = 0;
	}
	if (splits && packet->length > 700 && packet->frag_count == 0)
		split(packet);
	ck_assert(six ? parse_ip6(packet, 0, &info, &reason)
		      : parse_ip4(packet, 0, &info, &reason));
	ck_assert(service_wants(&service, &info));
	service_input(&service, &to->netdev, packet, &info);
}

static void run(uint64_t ns)
{
	for (uint64_t end_ns = now + ns; now < end_ns; now += 1000000) {
		for (unsigned int i = 0; i < 2; i++) {
			uint32_t count = sides[i].queued;

			sides[!i].packets.now = now;
			sides[!i].packets.merges = merges;
			for (uint32_t p = 0; p < count; p++)
				deliver(&sides[!i], sides[i].queue[p]);
			tcp_packets_flush(&sides[!i].packets);
			sides[i].queued -= count;
			memmove(sides[i].queue, sides[i].queue + count,
				sides[i].queued * sizeof(sides[i].queue[0]));
		}
		tcp_run(&sides[0].stack, now, 100);
		tcp_run(&sides[1].stack, now, 100);
	}
}

/* 200 kB from one to the other, over IPv4 or IPv6. */
static void transfer(uint8_t version)
{
	static uint8_t out[200000], in[200000];
	struct tcp_listener listener = { .port = 80, .backlog = 4 };
	struct tcp_key key = { .version = version,
			       .own = { [0] = version == 4 ? 10 : 0xfd, [3] = 1 },
			       .peer = { [0] = version == 4 ? 10 : 0xfd, [3] = 2 },
			       .own_port = be16_of(1000),
			       .peer_port = be16_of(80) };
	struct tcp_connection *client, *server;
	uint32_t sent = 0, got = 0;
	int error, part;

	ck_assert_int_eq(tcp_listen(&sides[1].stack, &listener), 0);
	client = tcp_connect(&sides[0].stack, &key, NULL, NULL, now, &error);
	ck_assert_ptr_nonnull(client);
	run(10000000);
	server = tcp_accept(&listener, NULL);
	ck_assert_ptr_nonnull(server);
	for (uint32_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 2654435761u >> 24);
	for (unsigned int i = 0; i < 5000 && got < sizeof(in); i++) {
		part = tcp_send(client, out + sent, (uint32_t)sizeof(out) - sent, now);
		ck_assert_int_ge(part, 0);
		sent += (uint32_t)part;
		run(1000000);
		part = tcp_receive(server, in + got, (uint32_t)sizeof(in) - got, now);
		got += part > 0 ? (uint32_t)part : 0;
	}
	ck_assert_uint_eq(got, sizeof(in));
	ck_assert_mem_eq(in, out, sizeof(in));
}

/* The same bytes, and fewer acknowledgements: of rounds rather than of segments. */
START_TEST(segments_of_a_round_merge)
{
	uint64_t plain, merged;

	begin(0);
	transfer(_i ? 6 : 4);
	plain = sides[1].stack.stats.segments_out;
	end();
	begin(0);
	merges = true;
	transfer(_i ? 6 : 4);
	merged = sides[1].stack.stats.segments_out;
	ck_assert_uint_eq(sides[0].stack.stats.retransmissions, 0);
	ck_assert_uint_eq(sides[1].stack.stats.bytes_in, 200000);
	ck_assert_uint_ge(sides[1].stack.stats.segments_in, 200000 / 1460);
	ck_assert_uint_lt(merged * 3, plain * 2);
	end();
}
END_TEST

START_TEST(a_damaged_segment_ends_a_merge)
{
	begin(0);
	merges = true;
	flip = 100;
	transfer(4);
	ck_assert_uint_eq(pool.drops[DROP_BAD_CHECKSUM], 1);
	ck_assert_uint_gt(sides[0].stack.stats.retransmissions, 0);
	end();
}
END_TEST

static const uint32_t links[] = {
	0,
	NETDEV_TX_SG,
	NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6,
	NETDEV_TX_SG | NETDEV_TX_GSO_TCPV4 | NETDEV_TX_GSO_TCPV6 | NETDEV_TX_CSUM_IPV4 |
		NETDEV_TX_CSUM_IPV6,
};

START_TEST(bytes_pass_every_link)
{
	begin(links[_i / 2]);
	transfer(_i % 2 ? 6 : 4);
	ck_assert_uint_eq(gso_seen > 0, _i / 2 == 3);
	ck_assert_uint_eq(blank_seen > 0, _i / 2 >= 2);
	ck_assert_uint_eq(pool.drops[DROP_BAD_CHECKSUM], 0);
	ck_assert_uint_eq(sides[0].stack.stats.retransmissions, 0);
	end();
}
END_TEST

START_TEST(rfc9293_3_1_damaged_segments_are_dropped)
{
	begin(0);
	flip = 1 + (uint32_t)_i * 77;
	transfer(4);
	ck_assert_uint_eq(pool.drops[DROP_BAD_CHECKSUM], 1);
	ck_assert_uint_ge(sides[0].stack.stats.retransmissions, 1);
	end();
}
END_TEST

START_TEST(payload_in_odd_pieces)
{
	begin(0);
	splits = true;
	transfer(_i ? 6 : 4);
	ck_assert_uint_eq(pool.drops[DROP_BAD_CHECKSUM], 0);
	ck_assert_uint_eq(sides[0].stack.stats.retransmissions, 0);
	end();
}
END_TEST

START_TEST(no_way_is_a_loss)
{
	struct tcp_key key = { .version = 4,
			       .own = { 10, 0, 0, 1 },
			       .peer = { 10, 0, 0, 2 },
			       .own_port = be16_of(1000),
			       .peer_port = be16_of(80) };
	int error;

	begin(0);
	sides[0].netdev.up = false;
	ck_assert_ptr_nonnull(tcp_connect(&sides[0].stack, &key, NULL, NULL, now, &error));
	run(1500000000);
	ck_assert_uint_eq(sides[0].packets.no_way, 2);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, bytes_pass_every_link, 0, 2 * (int)ARRAY_SIZE(links));
	tcase_add_loop_test(cases, segments_of_a_round_merge, 0, 2);
	tcase_add_test(cases, a_damaged_segment_ends_a_merge);
	tcase_add_loop_test(cases, rfc9293_3_1_damaged_segments_are_dropped, 0, 4);
	tcase_add_loop_test(cases, payload_in_odd_pieces, 0, 2);
	tcase_add_test(cases, no_way_is_a_loss);
}

int main(void)
{
	return unit_main("net/tcp_core_packet", add_cases);
}
