/* SPDX-License-Identifier: ISC */
/* A stack: its memory, its time, its link in memory. */
#include <stdlib.h>

#include "configs/library/rw_parts.h"

#define MTU_LEAST 1280u /* RFC 8200, 5 */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void set_defaults(struct rw_config *config)
{
	config->mtu = config->mtu ? config->mtu : 1500;
	config->sockets = or_default(config->sockets, 1024);
	config->memory_bytes = or_default(config->memory_bytes, 64u << 20);
	config->buffer_bytes = or_default(config->buffer_bytes, 4u << 20);
	config->queue_packets = or_default(config->queue_packets, 4096);
}

static bool read_address(uint8_t version, const struct sockaddr_storage *from,
			 struct ip_address *to)
{
	struct socket_address address;

	*to = (struct ip_address){ 0 };
	if (from->ss_family == AF_UNSPEC)
		return true;
	if (rw_address_read(version, (const struct sockaddr *)from, sizeof(*from), &address))
		return false;
	*to = address.ip;
	return true;
}

static void seed(struct rw_stack *stack)
{
	uint8_t bytes[RANDOM_SEED_BYTES] = { 0 };

	memcpy(bytes, &stack->config.seed, sizeof(stack->config.seed));
	random_init(&stack->random, bytes);
}

/* Aligned to a page, and not touched: most of it may never be needed. NULL: no memory. */
static void *pages_of(size_t bytes)
{
	return aligned_alloc(IOPAGE_SIZE, (bytes + IOPAGE_SIZE - 1) / IOPAGE_SIZE * IOPAGE_SIZE);
}

/* What lies in one place until it is handed on: few are ever under way at once. */
#define PACKETS 64u
#define PAGES (PACKETS + 8u * PACKET_MAX_FRAGS)

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page / IOPAGE_SIZE;
}

static bool make_packets(struct rw_stack *stack)
{
	stack->arena = pages_of((size_t)PAGES * IOPAGE_SIZE);
	stack->page_descriptors = calloc(PAGES, sizeof(*stack->page_descriptors));
	stack->packet_descriptors = calloc(PACKETS, sizeof(*stack->packet_descriptors));
	if (!stack->arena || !stack->page_descriptors || !stack->packet_descriptors)
		return false;
	memset(stack->arena, 0, (size_t)PAGES * IOPAGE_SIZE);
	iopage_pool_init(&stack->pages, stack->arena, stack->page_descriptors, PAGES, frame_of);
	return packet_pool_init(&stack->packets, &stack->pages, stack->packet_descriptors,
				PACKETS) == 0;
}

static bool make_sockets(struct rw_stack *stack)
{
	const struct rw_config *config = &stack->config;
	struct sockets_config sockets = {
		.links = rw_socket_links(stack),
		.random = &stack->random,
		.connections = config->sockets,
		.listeners = config->sockets,
		.udp_sockets = config->sockets,
		.memory_bytes = config->memory_bytes,
		.send_bytes = config->buffer_bytes,
		.receive_bytes = config->buffer_bytes,
	};

	stack->table_size = 3 * config->sockets;
	stack->table = calloc(stack->table_size, sizeof(*stack->table));
	stack->sockets_memory = pages_of(sockets_memory_bytes(&sockets));
	if (!stack->table || !stack->sockets_memory)
		return false;
	stack->sockets = sockets_init(&sockets, stack->sockets_memory, stack->now);
	return stack->sockets != NULL;
}

struct rw_stack *rw_new(const struct rw_config *config)
{
	struct rw_stack *stack;

	if (config->sockets > 1u << 20 ||
	    (config->mtu && config->mtu < MTU_LEAST && config->address6.ss_family != AF_UNSPEC))
		return NULL;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return NULL;
	stack->config = *config;
	stack->now = config->now_ns;
	set_defaults(&stack->config);
	list_init(&stack->queue);
	seed(stack);
	if (!read_address(4, &config->address4, &stack->address[0]) ||
	    !read_address(6, &config->address6, &stack->address[1]) || !make_packets(stack)) {
		rw_free(stack);
		return NULL;
	}
	rw_link_init(stack);
	if (!make_sockets(stack)) {
		rw_free(stack);
		return NULL;
	}
	return stack;
}

void rw_free(struct rw_stack *stack)
{
	if (!stack)
		return;
	rw_link_free(stack);
	free(stack->table);
	free(stack->sockets_memory);
	free(stack->packet_descriptors);
	free(stack->page_descriptors);
	free(stack->arena);
	free(stack);
}

const struct ip_address *rw_own_address(const struct rw_stack *stack, uint8_t version)
{
	return &stack->address[version == 6];
}

void rw_run(struct rw_stack *stack)
{
	while (sockets_run(stack->sockets))
		;
}

void rw_now(struct rw_stack *stack, uint64_t now_ns)
{
	if (now_ns > stack->now)
		stack->now = now_ns;
	sockets_set_now(stack->sockets, stack->now);
	rw_run(stack);
}

uint64_t rw_next(struct rw_stack *stack)
{
	return sockets_next_ns(stack->sockets);
}
