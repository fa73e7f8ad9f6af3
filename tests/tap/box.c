/* SPDX-License-Identifier: ISC */
#include "tests/tap/box.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for two full vectors of the largest packets on every link, and some that wait. */
#define PAGES 8192u
#define PAGES_READ (PAGES / 2)
#define PAGES_WRITE (PAGES / 4)
#define PACKETS 4096u

static uint64_t frame_of(const void *page)
{
	return (uint64_t)(uintptr_t)page / IOPAGE_SIZE;
}

static void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(IOPAGE_SIZE, (bytes + IOPAGE_SIZE - 1) & ~(IOPAGE_SIZE - 1ul));

	if (!memory)
		abort();
	return memset(memory, 0, bytes);
}

static void give_class(struct iopage_pool *pool, enum iopage_class class, uint32_t count)
{
	struct iopage *taken[PAGES];

	for (uint32_t i = 0; i < count; i++) {
		taken[i] = iopage_alloc(pool, IOPAGE_PRIVATE);
		if (!taken[i])
			abort();
		iopage_reclass(taken[i], class);
	}
	for (uint32_t i = 0; i < count; i++)
		iopage_free(taken[i]);
}

static void make_memory(struct box *box)
{
	box->arena = zeroed((size_t)PAGES * IOPAGE_SIZE);
	box->page_array = zeroed(PAGES * sizeof(*box->page_array));
	box->packet_array = zeroed(PACKETS * sizeof(*box->packet_array));
	iopage_pool_init(&box->pages, box->arena, box->page_array, PAGES, frame_of);
	give_class(&box->pages, IOPAGE_UPLINK_READ, PAGES_READ);
	give_class(&box->pages, IOPAGE_UPLINK_WRITE, PAGES_WRITE);
	if (packet_pool_init(&box->packets, &box->pages, box->packet_array, PACKETS))
		abort();
	memcpy(box->free_pages, box->pages.free_count, sizeof(box->free_pages));
}

bool box_has_ip6(void)
{
	return true;
}

int box_init(struct box *box, const struct box_config *config)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	struct router_config router = {
		.ip4 = { config->address.ip4, config->prefix, config->gateway.ip4, 0 },
		.masquerade4 = true,
		.flows = config->flows,
		.packets = &box->packets,
		.random = &box->random,
		.now_ns = config->now_ns,
	};

	if (config->address.has_ip6) {
		memcpy(router.ip6.address.bytes, config->address.ip6, 16);
		router.ip6.prefix = config->prefix6;
	}
	if (config->gateway.has_ip6)
		memcpy(router.ip6.gateway.bytes, config->gateway.ip6, 16);
	memset(box, 0, sizeof(*box));
	memcpy(seed, &config->seed, sizeof(config->seed));
	random_init(&box->random, seed);
	make_memory(box);
	box->flow_memory = zeroed(router_memory_bytes(config->flows));
	router.memory = box->flow_memory;
	return router_init(&box->router, &router);
}

int box_attach_uplink(struct box *box, struct netdev *netdev)
{
	return router_attach_uplink(&box->router, netdev);
}

int box_attach_client(struct box *box, struct netdev *netdev, const struct box_address *address)
{
	struct router_address addresses[2];
	uint32_t count = 0;

	if (address->ip4.raw)
		addresses[count++] = (struct router_address){ ip_address_of4(address->ip4), 32 };
	if (address->has_ip6)
		addresses[count++] = (struct router_address){ ip_address_of6(address->ip6), 128 };
	return router_attach_client(&box->router, netdev, addresses, count);
}

int box_set_rules(struct box *box, const char *text, size_t bytes)
{
	struct ruleset *rules = NULL;
	struct rules_error error;
	int result = ruleset_parse(text, bytes, &rules, &error);

	if (result) {
		fprintf(stderr, "rules: %" PRIu32 ":%" PRIu32 ": %s\n", error.line, error.column,
			error.message);
		return result;
	}
	ruleset_free(router_set_rules(&box->router, rules));
	box->rules = rules;
	return 0;
}

const char *box_error(struct box *box)
{
	return flow_table_is_valid(&box->router.flows) ? NULL : "flow table";
}

static int wrong(const char *what, uint32_t seen, uint32_t expected)
{
	if (seen == expected)
		return 0;
	fprintf(stderr, "LEAK: %s: %" PRIu32 " instead of %" PRIu32 "\n", what, seen, expected);
	return 1;
}

int box_end(struct box *box)
{
	static const char *const names[] = { "free pages, private", "free pages, uplink reads",
					     "free pages, uplink writes" };
	int errors = 0;

	if (box_error(box)) {
		fprintf(stderr, "BROKEN: %s\n", box_error(box));
		errors++;
	}
	/* Without rules no flow goes on. */
	ruleset_free(router_set_rules(&box->router, NULL));
	errors += wrong("flows", box->router.flows.used, 0);
	errors += wrong("free packets", box->packets.free_count, PACKETS);
	for (unsigned int c = 0; c < IOPAGE_CLASS_COUNT; c++)
		errors += wrong(names[c], box->pages.free_count[c], box->free_pages[c]);
	free(box->arena);
	free(box->page_array);
	free(box->packet_array);
	free(box->flow_memory);
	return errors;
}
