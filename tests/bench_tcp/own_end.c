/* SPDX-License-Identifier: ISC */
#include "tests/bench_tcp/own_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "net/wire.h"

void *own_memory(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "bench-tcp: no memory for %zu bytes\n", bytes);
		exit(2);
	}
	return memory;
}

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page / IOPAGE_SIZE;
}

void own_pool_begin(struct own_pool *pool, uint32_t pages, uint32_t packets)
{
	iopage_pool_init(&pool->pages, own_memory((size_t)pages * IOPAGE_SIZE),
			 own_memory(pages * sizeof(struct iopage)), pages, frame_of);
	if (packet_pool_init(&pool->packets, &pool->pages,
			     own_memory(packets * sizeof(struct packet)), packets))
		exit(2);
}

static void *take(void *context)
{
	struct own_end *end = context;
	void **block = end->free_blocks;

	if (block)
		end->free_blocks = *block;
	return block;
}

static void give(void *context, void *block)
{
	struct own_end *end = context;

	*(void **)block = end->free_blocks;
	end->free_blocks = block;
}

static void make_blocks(struct own_end *end, uint32_t count)
{
	uint8_t *memory = own_memory((size_t)count * TCP_BLOCK_BYTES);

	for (uint32_t i = 0; i < count; i++)
		give(end, memory + (size_t)i * TCP_BLOCK_BYTES);
}

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct own_end *end = context;

	(void)netdev;
	return packet_append_zeroes(packet_alloc_page(&end->pool->packets, IOPAGE_PRIVATE), bytes);
}

static void send(void *context, struct netdev *netdev, struct packet *packet)
{
	struct own_end *end = context;

	(void)netdev;
	end->transmit(end->context, packet);
}

static struct netdev *way(void *context, const struct tcp_key *key)
{
	struct own_end *end = context;

	(void)key;
	return &end->netdev;
}

void own_end_begin(struct own_end *end, struct own_pool *pool,
		   const struct own_end_options *options, uint64_t now)
{
	static uint8_t seed[RANDOM_SEED_BYTES];
	uint32_t buckets = 64, spans = 65536;
	struct tcp_config config = {
		.send = tcp_packets_send,
		.context = &end->service,
		.random = &end->random,
		.memory = { take, give, end, options->blocks, 0 },
		.connection_count = options->connections,
		.time_wait_count = options->time_waits,
		.span_count = spans,
		.send_bytes = options->buffer_bytes,
		.receive_bytes = options->buffer_bytes,
		.gso_bytes = TCP_GSO_MAX, /* segmented by tcp_core_packet where the link does not */
	};

	while (buckets < options->connections + options->time_waits)
		buckets *= 2;
	config.bucket_count = buckets;
	config.connections = own_memory(options->connections * sizeof(*config.connections));
	config.time_waits = own_memory(options->time_waits * sizeof(*config.time_waits));
	config.buckets = own_memory(buckets * sizeof(*config.buckets));
	config.spans = own_memory(spans * sizeof(*config.spans));
	seed[0]++;
	random_init(&end->random, seed);
	end->pool = pool;
	end->free_blocks = NULL;
	make_blocks(end, options->blocks);
	end->netdev = (struct netdev){ .mtu = 1500, .features = options->features, .up = true };
	end->service = (struct tcp_packets){ .stack = &end->stack,
					     .own = { make, send, end },
					     .way = way,
					     .context = end,
					     .now = now,
					     .merges = true };
	if (tcp_stack_init(&end->stack, &config, now))
		exit(2);
}

void own_end_input(struct own_end *end, struct packet *packet, uint64_t now)
{
	struct router_service service = tcp_packets_service(&end->service);
	struct packet_info info;
	enum drop_reason reason;
	bool is_ip6 = be16_get(ethernet_of(packet)->type) == ETHERTYPE_IP6;

	end->service.now = now;
	if (!(is_ip6 ? parse_ip6(packet, 0, &info, &reason)
		     : parse_ip4(packet, 0, &info, &reason)) ||
	    !service_wants(&service, &info)) {
		packet_free(packet);
		return;
	}
	service_input(&service, &end->netdev, packet, &info);
}
