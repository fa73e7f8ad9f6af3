/* SPDX-License-Identifier: ISC */
#include "tests/bench_net/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/checksum.h"
#include "net/ndp_wire.h"
#include "net/wire.h"

#define ADDRESS(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define OUR_ADDRESS ADDRESS(10, 137, 0, 5)
#define GATEWAY ADDRESS(10, 137, 0, 1)
#define CLIENT_ADDRESS(i) (ADDRESS(10, 138, 0, 10) + (i))
#define SERVERS ADDRESS(45, 0, 0, 0)
#define SERVER_BITS 24u
/* Odd, so that it maps the numbers of SERVER_BITS bits one to one. */
#define SERVER_STRIDE 0x9e3779u
/* Ports that one client sends from: no two clients want the same one outside. */
#define PORT_FIRST 1024u
#define PORT_COUNT 6000u
#define NEIGHBOUR_BYTES (sizeof(struct ndp_neighbour) + sizeof(struct ndp_option_mac))
#define ROUND_NS 10000u

static const uint8_t our_mac[MAC_BYTES] = { 0x00, 0x16, 0x3e, 0x01, 0x01, 0x01 };
static const uint8_t gateway_mac[MAC_BYTES] = { 0x00, 0x16, 0x3e, 0x0a, 0x0a, 0x0a };

/* In IPv6 all addresses are those of IPv4 behind one prefix. */
static struct ip6_address address6(uint32_t address)
{
	struct ip6_address address6 = { { 0x26, 0x00, 0x12, 0x34 } };
	be32 last = be32_of(address);

	memcpy(address6.bytes + 12, &last, sizeof(last));
	return address6;
}

static uint64_t frame_of(const void *page)
{
	return (uint64_t)(uintptr_t)page / IOPAGE_SIZE;
}

static void transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct world_link *link = netdev->driver;

	link->sent += vector->count;
	vector->count = 0;
}

static const struct netdev_ops ops = { .transmit = transmit };

static void link_init(struct world_link *link, const char *name)
{
	link->netdev.ops = &ops;
	link->netdev.driver = link;
	snprintf(link->netdev.name, sizeof(link->netdev.name), "%s", name);
	mac_copy(link->netdev.mac, our_mac);
	link->netdev.mtu = 1500;
	link->netdev.features = NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6 | NETDEV_TX_GSO_TCPV4 |
				NETDEV_TX_GSO_TCPV6 | NETDEV_TX_SG;
	link->netdev.up = true;
}

static void client_mac(uint8_t *mac, uint32_t client)
{
	mac_copy(mac, gateway_mac);
	mac[5] = (uint8_t)client;
}

static void make_packets(struct world *world)
{
	uint8_t *arena = bench_memory((size_t)WORLD_PAGES * IOPAGE_SIZE);

	world->descriptors = calloc(WORLD_PAGES, sizeof(*world->descriptors));
	world->packet_descriptors = calloc(WORLD_BATCH + 1, sizeof(*world->packet_descriptors));
	if (!world->descriptors || !world->packet_descriptors)
		bench_fail("no memory for packets");
	iopage_pool_init(&world->pages, arena, world->descriptors, WORLD_PAGES, frame_of);
	if (packet_pool_init(&world->packets, &world->pages, world->packet_descriptors,
			     WORLD_BATCH + 1))
		bench_fail("no packets");
	for (uint32_t i = 0; i < WORLD_BATCH; i++) {
		world->batch[i] = packet_alloc_page(&world->packets, IOPAGE_PRIVATE);
		if (!world->batch[i])
			bench_fail("no pages");
	}
}

/* What the gateway sends to us, behind an Ethernet header. */
static void gateway_sends(struct world *world, uint16_t type, const void *what, size_t bytes)
{
	struct packet_vector vector = { .count = 0 };
	struct packet *packet = packet_alloc(&world->packets);
	struct ethernet_header ethernet = { .type = be16_of(type) };

	mac_copy(ethernet.source, gateway_mac);
	mac_copy(ethernet.destination, our_mac);
	memcpy(packet_append(packet, sizeof(ethernet)), &ethernet, sizeof(ethernet));
	memcpy(packet_append(packet, bytes), what, bytes);
	packet->in = &world->uplink.netdev;
	packet_vector_add(&vector, packet);
	world->uplink.netdev.input(&world->uplink.netdev, &vector);
}

static void answer_arp(struct world *world)
{
	struct arp_header arp = {
		.hardware_type = be16_of(1),
		.protocol_type = be16_of(ETHERTYPE_IP4),
		.hardware_bytes = MAC_BYTES,
		.protocol_bytes = 4,
		.operation = be16_of(ARP_REPLY),
		.sender = be32_of(GATEWAY),
		.target = be32_of(OUR_ADDRESS),
	};

	mac_copy(arp.sender_mac, gateway_mac);
	mac_copy(arp.target_mac, our_mac);
	gateway_sends(world, ETHERTYPE_ARP, &arp, sizeof(arp));
}

static void answer_ndp(struct world *world)
{
	const struct ip6_address gateway = address6(GATEWAY), own = address6(OUR_ADDRESS);
	struct {
		struct ip6_header ip;
		struct ndp_neighbour neighbour;
		struct ndp_option_mac option;
	} message = {
		.ip.version_class_flow = be32_of(6u << 28),
		.ip.payload_length = be16_of(NEIGHBOUR_BYTES),
		.ip.next_header = IP_PROTOCOL_ICMP6,
		.ip.hop_limit = 255,
		.neighbour.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
		.neighbour.flags = NDP_FLAG_SOLICITED | NDP_FLAG_OVERRIDE | NDP_FLAG_ROUTER,
		.option.option = { NDP_OPTION_TARGET_MAC, 1 },
	};
	uint32_t sum;

	memcpy(message.ip.source, &gateway, sizeof(gateway));
	memcpy(message.ip.destination, &own, sizeof(own));
	memcpy(message.neighbour.target, &gateway, sizeof(gateway));
	mac_copy(message.option.mac, gateway_mac);
	sum = checksum_pseudo_ip6(message.ip.source, message.ip.destination, IP_PROTOCOL_ICMP6,
				  NEIGHBOUR_BYTES);
	message.neighbour.checksum =
		checksum_finish(checksum_add(sum, &message.neighbour, NEIGHBOUR_BYTES));
	gateway_sends(world, ETHERTYPE_IP6, &message, sizeof(message));
}

static void attach(struct world *world)
{
	link_init(&world->uplink, "uplink0");
	if (router_attach_uplink(&world->router, &world->uplink.netdev))
		bench_fail("the uplink is refused");
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		const struct ip6_address six = address6(CLIENT_ADDRESS(i));
		const struct router_address addresses[] = {
			{ ip_address_of4(be32_of(CLIENT_ADDRESS(i))), 32 },
			{ ip_address_of6(six.bytes), 128 },
		};
		char name[NETDEV_NAME_BYTES];

		snprintf(name, sizeof(name), "client%u.0", i);
		link_init(&world->client[i], name);
		client_mac(world->client[i].netdev.peer_mac, i);
		if (router_attach_client(&world->router, &world->client[i].netdev, addresses,
					 ARRAY_SIZE(addresses)))
			bench_fail("client %u is refused", i);
	}
}

/* The first packet to the gateway waits for its address; the bench wants it known before. */
static void first_packet(struct world *world)
{
	const struct world_frame frame = { .protocol = IP_PROTOCOL_UDP, .bytes = 80 };
	struct world_flow flow = world_flow(world, WORLD_UP, 0);

	world_prepare(world, 0, &flow, &frame);
	world_input(world, flow.from, 0, 1);
	world->uplink.sent = 0; /* but for its question */
	if (world->version == 4)
		answer_arp(world);
	else
		answer_ndp(world);
	if (world->uplink.sent != 1)
		bench_fail("the gateway is not met");
	router_flush_flows(&world->router);
	world->uplink.sent = 0;
}

/*
 * Each client's share, one more for the next client, and beside these what is kept for
 * flows that begin outside. Half of all may be IPv6.
 */
static uint32_t room_for(uint32_t flows, uint8_t version)
{
	uint32_t shares = flows + flows / WORLD_CLIENTS + WORLD_CLIENTS + 1;
	uint32_t room = shares + shares / (ROUTER_INBOUND_SHARE - 1) + ROUTER_INBOUND_SHARE;

	return version == 4 ? room : 2 * room;
}

struct world *world_begin(uint32_t flows, uint8_t version, const char *rules)
{
	const uint8_t seed[RANDOM_SEED_BYTES] = { 1, 2, 3 };
	struct world *world = bench_memory(sizeof(*world));
	struct router_config config = {
		.ip4 = { be32_of(OUR_ADDRESS), 24, be32_of(GATEWAY) },
		.ip6 = { address6(OUR_ADDRESS), 120, address6(GATEWAY) },
		.masquerade4 = true,
		.masquerade6 = true,
		.flows = room_for(flows, version),
		.packets = &world->packets,
		.random = &world->random,
		.now_ns = 1000000000u,
	};

	memset(world, 0, sizeof(*world));
	world->now_ns = config.now_ns;
	world->flows = flows;
	world->version = version;
	make_packets(world);
	random_init(&world->random, seed);
	config.memory = bench_memory(router_memory_bytes(config.flows));
	if (router_init(&world->router, &config))
		bench_fail("the router does not start");
	world_set_rules(world, "pass\n");
	attach(world);
	first_packet(world);
	world_set_rules(world, rules);
	return world;
}

/* Memory of tables and packets is the process's until it ends. */
void world_end(struct world *world)
{
	ruleset_free(router_set_rules(&world->router, NULL));
	free(world->descriptors);
	free(world->packet_descriptors);
}

void world_set_rules(struct world *world, const char *text)
{
	struct rules_error error;

	if (ruleset_parse(text, strlen(text), &world->rules, &error))
		bench_fail("rules, line %u: %s", error.line, error.message);
	ruleset_free(router_set_rules(&world->router, world->rules));
}

struct world_flow world_flow(struct world *world, enum world_traffic traffic, uint32_t index)
{
	uint32_t client = index % WORLD_CLIENTS, number = index / WORLD_CLIENTS;
	struct world_flow flow = {
		.source = CLIENT_ADDRESS(client),
		.destination = SERVERS | ((index * SERVER_STRIDE) & ((1u << SERVER_BITS) - 1)),
		.source_port = (uint16_t)(PORT_FIRST + client * PORT_COUNT + number % PORT_COUNT),
		.destination_port = 443,
		.from = &world->client[client],
	};

	if (traffic == WORLD_ACROSS) {
		flow.destination =
			CLIENT_ADDRESS((client + 1 + number % (WORLD_CLIENTS - 1)) % WORLD_CLIENTS);
		flow.destination_port = (uint16_t)(443 + number / PORT_COUNT);
	} else if (traffic == WORLD_DOWN) {
		/* No other client has its port, so that it could be kept. */
		flow.source = flow.destination;
		flow.destination = OUR_ADDRESS;
		flow.destination_port = flow.source_port;
		flow.source_port = 443;
		flow.from = &world->uplink;
	}
	return flow;
}

/* The IP header; returns what follows it. */
static void *write_ip4(struct ip4_header *ip, const struct world_flow *flow,
		       const struct world_frame *frame)
{
	*ip = (struct ip4_header){
		.version_length = IP4_VERSION_NO_OPTIONS,
		.total_length = be16_of((uint16_t)(frame->bytes - sizeof(struct ethernet_header))),
		.fragment = be16_of(IP4_DONT_FRAGMENT),
		.ttl = 64,
		.protocol = frame->protocol,
		.source = be32_of(flow->source),
		.destination = be32_of(flow->destination),
	};
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
	return ip + 1;
}

static void *write_ip6(struct ip6_header *ip, const struct world_flow *flow,
		       const struct world_frame *frame)
{
	const struct ip6_address source = address6(flow->source);
	const struct ip6_address destination = address6(flow->destination);
	size_t headers = sizeof(struct ethernet_header) + sizeof(*ip);

	*ip = (struct ip6_header){
		.version_class_flow = be32_of(6u << 28),
		.payload_length = be16_of((uint16_t)(frame->bytes - headers)),
		.next_header = frame->protocol,
		.hop_limit = 64,
	};
	memcpy(ip->source, &source, sizeof(source));
	memcpy(ip->destination, &destination, sizeof(destination));
	return ip + 1;
}

static void write_tcp(struct tcp_header *tcp, const struct world_flow *flow,
		      const struct world_frame *frame)
{
	*tcp = (struct tcp_header){
		.source_port = be16_of(flow->source_port),
		.destination_port = be16_of(flow->destination_port),
		.sequence = be32_of(frame->sequence),
		.acknowledgement = be32_of(frame->acknowledgement),
		.data_offset = 5 << 4,
		.flags = frame->tcp_flags,
		.window = be16_of(65535),
		.checksum = be16_of(0x1234), /* nobody on the way verifies it */
	};
}

static void write_udp(struct udp_header *udp, const struct world_flow *flow, size_t bytes)
{
	*udp = (struct udp_header){
		.source_port = be16_of(flow->source_port),
		.destination_port = be16_of(flow->destination_port),
		.length = be16_of((uint16_t)bytes),
		.checksum = be16_of(0x1234),
	};
}

void world_prepare(struct world *world, uint32_t slot, const struct world_flow *flow,
		   const struct world_frame *frame)
{
	struct packet *packet = world->batch[slot];
	struct ethernet_header *ethernet = (struct ethernet_header *)packet->data;
	uint8_t *transport;

	if (!packet->data)
		bench_fail("packet %u was dropped", slot);
	packet->length = frame->bytes;
	packet->head_length = (uint16_t)frame->bytes;
	packet->flags = 0;
	packet->in = &flow->from->netdev;
	mac_copy(ethernet->destination, our_mac);
	if (flow->from == &world->uplink)
		mac_copy(ethernet->source, gateway_mac);
	else
		mac_copy(ethernet->source, flow->from->netdev.peer_mac);
	ethernet->type = be16_of(world->version == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
	transport = world->version == 4 ? write_ip4((void *)(ethernet + 1), flow, frame)
					: write_ip6((void *)(ethernet + 1), flow, frame);
	if (frame->protocol == IP_PROTOCOL_TCP)
		write_tcp((struct tcp_header *)transport, flow, frame);
	else
		write_udp((struct udp_header *)transport, flow,
			  (size_t)(packet->data + frame->bytes - transport));
}

void world_input(struct world *world, struct world_link *from, uint32_t first, uint32_t count)
{
	struct packet_vector vector;

	vector.count = count;
	memcpy(vector.packets, &world->batch[first], count * sizeof(vector.packets[0]));
	from->netdev.input(&from->netdev, &vector);
}

void world_check(struct world *world, uint32_t sent)
{
	uint32_t seen = world->uplink.sent;

	world->uplink.sent = 0;
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		seen += world->client[i].sent;
		world->client[i].sent = 0;
	}
	world->now_ns += ROUND_NS;
	router_set_now(&world->router, world->now_ns);
	if (seen == sent)
		return;
	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		if (world->packets.drops[r])
			fprintf(stderr, "bench-net: dropped: %s %llu\n", drop_name(r),
				(unsigned long long)world->packets.drops[r]);
	bench_fail("%u frames left of %u", seen, sent);
}

static void pass_one(struct world *world, enum world_traffic traffic, uint32_t index,
		     const struct world_frame *frame)
{
	struct world_flow flow = world_flow(world, traffic, index);

	world_prepare(world, 0, &flow, frame);
	world_input(world, flow.from, 0, 1);
	world_check(world, 1);
}

/* The answer of a flow between clients. */
static void pass_answer_across(struct world *world, uint32_t index, const struct world_frame *frame)
{
	struct world_flow flow = world_flow(world, WORLD_ACROSS, index);
	struct world_flow answer = {
		.source = flow.destination,
		.destination = flow.source,
		.source_port = flow.destination_port,
		.destination_port = flow.source_port,
		.from = &world->client[flow.destination - CLIENT_ADDRESS(0)],
	};

	world_prepare(world, 0, &answer, frame);
	world_input(world, answer.from, 0, 1);
	world_check(world, 1);
}

uint32_t world_least_bytes(const struct world *world, uint8_t protocol)
{
	size_t ip = world->version == 4 ? sizeof(struct ip4_header) : sizeof(struct ip6_header);
	size_t transport =
		protocol == IP_PROTOCOL_TCP ? sizeof(struct tcp_header) : sizeof(struct udp_header);

	return (uint32_t)(sizeof(struct ethernet_header) + ip + transport);
}

void world_establish(struct world *world, bool translated, uint8_t protocol)
{
	const uint32_t bytes = world_least_bytes(world, protocol);
	const struct world_frame syn = { protocol, TCP_SYN, 0, 0, bytes };
	const struct world_frame answer = { protocol, TCP_SYN | TCP_ACK, 0, 1, bytes };
	const struct world_frame ack = { protocol, TCP_ACK, 1, 1, bytes };

	for (uint32_t i = 0; i < world->flows; i++) {
		pass_one(world, translated ? WORLD_UP : WORLD_ACROSS, i, &syn);
		if (translated)
			pass_one(world, WORLD_DOWN, i, &answer);
		else
			pass_answer_across(world, i, &answer);
		pass_one(world, translated ? WORLD_UP : WORLD_ACROSS, i, &ack);
	}
	if (world->router.flows.used != world->flows)
		bench_fail("%u flows of %u", world->router.flows.used, world->flows);
}
