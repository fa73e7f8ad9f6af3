/* SPDX-License-Identifier: ISC */
#include "tests/net/test_fragments.h"

#include <string.h>

#include "tests/host/unit.h"

#define HEAD 54u
#define TRANSPORT_SHOWN 60u

static uint8_t arena[TEST_PACKETS / 16 * IOPAGE_SIZE] __attribute__((aligned(4096)));
static struct iopage descriptors[TEST_PACKETS / 16];
static struct iopage_pool pages;
static struct packet packets[TEST_PACKETS];
static struct test_fragments box_memory;
static void *table_memory;

static const struct fragments_config generous = {
	.entries = 256,
	.owners = TEST_OWNERS,
	.held_packets = 400,
	.held_bytes = 1 << 20,
	.owner_entries = 64,
	.owner_held_packets = 100,
	.owner_held_bytes = 1 << 18,
};

static uint64_t frame_of(const void *page)
{
	return (uint64_t)((const uint8_t *)page - arena) / IOPAGE_SIZE;
}

struct test_fragments *test_fragments_begin(const struct fragments_config *config)
{
	struct test_fragments *box = &box_memory;
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7, 1, 5 };
	struct random random;

	memset(box, 0, sizeof(*box));
	random_init(&random, seed);
	iopage_pool_init(&pages, arena, descriptors, ARRAY_SIZE(descriptors), frame_of);
	ck_assert_int_eq(packet_pool_init(&box->pool, &pages, packets, TEST_PACKETS), 0);
	box->now_ns = 1000000000;
	box->pass = true;
	wheel_init(&box->wheel, box->now_ns);
	config = config ? config : &generous;
	free(table_memory);
	table_memory = malloc(fragments_bytes(config));
	fragments_init(&box->table, table_memory, config, &box->wheel, &random);
	ck_assert(fragments_check(&box->table));
	return box;
}

void test_wait_ns(struct test_fragments *box, uint64_t ns)
{
	box->now_ns += ns;
	while (wheel_run(&box->wheel, box->now_ns, 64) == 64)
		;
}

void test_fragments_end(struct test_fragments *box)
{
	test_wait_ns(box, 16000000000ull);
	ck_assert(fragments_check(&box->table));
	ck_assert_uint_eq(box->table.used, 0);
	ck_assert_uint_eq(box->table.held_packets, 0);
	ck_assert_uint_eq(box->pool.free_count, TEST_PACKETS);
	free(table_memory);
	table_memory = NULL;
}

static struct packet *make(struct test_fragments *box, const struct test_fragment *fragment)
{
	uint32_t shown = fragment->length < TRANSPORT_SHOWN ? fragment->length : TRANSPORT_SHOWN;
	struct packet *packet = packet_alloc(&box->pool);
	uint8_t *data;

	ck_assert_ptr_nonnull(packet);
	data = packet_append(packet, HEAD + shown);
	memset(data, 0, HEAD + shown);
	memcpy(data, &fragment->offset, sizeof(fragment->offset));
	if (shown > 12)
		data[HEAD + 12] = (uint8_t)((fragment->tcp_words ? fragment->tcp_words : 5) << 4);
	packet->l3_offset = 14;
	packet->l4_offset = HEAD;
	return packet;
}

static void goes_on(struct test_fragments *box, struct packet *packet)
{
	ck_assert_uint_lt(box->log_count, TEST_LOG);
	memcpy(&box->log[box->log_count++], packet->data, sizeof(uint32_t));
	packet_free(packet);
}

static void decide(struct test_fragments *box, struct packet *first)
{
	struct fragment_verdict verdict = {
		.pass = box->pass, .reason = DROP_BLOCKED, .out = 2, .id = 99
	};
	struct list released;
	struct list *link;

	list_init(&released);
	fragments_decide(box->entry, &verdict, &released);
	if (!box->pass) {
		ck_assert(list_is_empty(&released));
		packet_drop(first, DROP_BLOCKED);
		return;
	}
	goes_on(box, first);
	while ((link = list_pop_front(&released)))
		goes_on(box, list_entry(link, struct packet, link));
}

enum fragment_result test_send(struct test_fragments *box, const struct test_fragment *fragment)
{
	struct packet *packet = make(box, fragment);
	struct fragment_info info = {
		.key = { .id = fragment->id,
			 .protocol = fragment->version == 4 ? fragment->protocol : 0,
			 .interface = fragment->owner,
			 .ip_version = fragment->version },
		.offset = (uint16_t)fragment->offset,
		.length = (uint16_t)fragment->length,
		.overhead = fragment->version == 4 ? 20 : 0,
		.protocol = fragment->protocol,
		.more = fragment->more,
	};
	enum fragment_result result =
		fragments_input(&box->table, packet, &info, box->now_ns, &box->entry, &box->reason);

	if (result == FRAGMENT_DROP)
		packet_drop(packet, box->reason);
	else if (result == FRAGMENT_JUDGE)
		decide(box, packet);
	else if (result != FRAGMENT_HOLD)
		goes_on(box, packet);
	ck_assert_uint_eq(box->entry != NULL,
			  result == FRAGMENT_FOLLOW || result == FRAGMENT_JUDGE);
	return result;
}

void test_send_dropped(struct test_fragments *box, const struct test_fragment *fragment,
		       enum drop_reason reason)
{
	ck_assert_uint_eq(test_send(box, fragment), FRAGMENT_DROP);
	ck_assert_str_eq(drop_name(box->reason), drop_name(reason));
}

struct test_fragment udp_fragment(uint8_t version, uint32_t id, uint32_t offset, uint32_t length,
				  bool more)
{
	return (struct test_fragment){ .version = version,
				       .protocol = IP_PROTOCOL_UDP,
				       .id = id,
				       .offset = offset,
				       .length = length,
				       .more = more };
}
