/* SPDX-License-Identifier: ISC */
/* What packets leave behind in pages that the uplink's backend may read. */
#include "lib/packet.h"

#include <string.h>

#include "tests/host/unit.h"

#define PAGES 8u
#define PACKETS 4u
#define HEAD_BYTES 1000u
#define FRAG_OFFSET 100u
#define FRAG_BYTES 3000u
#define FILLING 0x5a

static uint8_t arena[PAGES * IOPAGE_SIZE] __attribute__((aligned(4096)));
static struct iopage descriptors[PAGES];
static struct iopage_pool pages;
static struct packet packets[PACKETS];
static struct packet_pool pool;

static uint64_t frame_of(const void *page)
{
	return (uint64_t)((const uint8_t *)page - arena) / IOPAGE_SIZE;
}

/* A pool with two free pages of the class. */
static void pool_begin(enum iopage_class class)
{
	struct iopage *exposed[2];

	memset(arena, 0, sizeof(arena));
	iopage_pool_init(&pages, arena, descriptors, PAGES, frame_of);
	ck_assert_int_eq(packet_pool_init(&pool, &pages, packets, PACKETS), 0);
	for (int i = 0; i < 2; i++) {
		exposed[i] = iopage_alloc(&pages, IOPAGE_PRIVATE);
		if (class != IOPAGE_PRIVATE)
			iopage_reclass(exposed[i], class);
	}
	iopage_free(exposed[0]);
	iopage_free(exposed[1]);
}

/* A packet of a head and a fragment, in two pages of the class. */
static struct packet *packet_make(enum iopage_class class)
{
	struct packet *packet = packet_alloc_page(&pool, class);
	struct iopage *page = iopage_alloc(&pages, class);

	ck_assert_ptr_nonnull(packet);
	ck_assert_ptr_nonnull(page);
	memset(packet_append(packet, HEAD_BYTES), FILLING, HEAD_BYTES);
	memset(page->data + FRAG_OFFSET, FILLING, FRAG_BYTES);
	ck_assert_int_eq(packet_add_frag(packet, page, FRAG_OFFSET, FRAG_BYTES), 0);
	return packet;
}

static uint32_t bytes_left(void)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < sizeof(arena); i++)
		left += arena[i] != 0;
	return left;
}

START_TEST(zeroes_are_appended_or_the_packet_is_gone)
{
	struct packet *packet;
	uint32_t left;

	pool_begin(IOPAGE_PRIVATE);
	left = pool.free_count;
	packet = packet_append_zeroes(packet_alloc_page(&pool, IOPAGE_PRIVATE), HEAD_BYTES);
	ck_assert_ptr_nonnull(packet);
	ck_assert_uint_eq(packet->head_length, HEAD_BYTES);
	for (uint32_t i = 0; i < HEAD_BYTES; i++)
		ck_assert_uint_eq(packet->data[i], 0);
	packet_free(packet);
	packet = packet_append_zeroes(packet_alloc_page(&pool, IOPAGE_PRIVATE), IOPAGE_SIZE);
	ck_assert_ptr_null(packet);
	ck_assert_ptr_null(packet_append_zeroes(NULL, 1));
	ck_assert_uint_eq(pool.free_count, left);
}
END_TEST

/* XSA-403 */
START_TEST(a_dropped_packet_leaves_nothing_in_readable_pages)
{
	pool_begin(IOPAGE_UPLINK_READ);
	packet_drop(packet_make(IOPAGE_UPLINK_READ), DROP_NO_RULES);
	ck_assert_uint_eq(bytes_left(), 0);
}
END_TEST

START_TEST(what_was_pulled_off_the_head_does_not_stay)
{
	struct packet *packet;

	pool_begin(IOPAGE_UPLINK_READ);
	packet = packet_make(IOPAGE_UPLINK_READ);
	ck_assert_ptr_nonnull(packet_pull(packet, 14));
	packet_free(packet);
	ck_assert_uint_eq(bytes_left(), 0);
}
END_TEST

/* It may be sent after that: only what is left of it is what the uplink may see. */
START_TEST(what_is_cut_off_is_gone_at_once)
{
	struct packet *packet;

	pool_begin(IOPAGE_UPLINK_READ);
	packet = packet_make(IOPAGE_UPLINK_READ);
	packet_trim(packet, HEAD_BYTES + 10);
	ck_assert_uint_eq(bytes_left(), HEAD_BYTES + 10);
	packet_trim(packet, 60);
	ck_assert_uint_eq(bytes_left(), 60);
	packet->flags |= PACKET_SENT_UP;
	packet_free(packet);
	ck_assert_uint_eq(bytes_left(), 60);
}
END_TEST

/* The uplink has what it was sent; and nobody else can look into private pages. */
START_TEST(nothing_is_wiped_that_need_not_be)
{
	struct packet *packet;

	pool_begin(IOPAGE_UPLINK_READ);
	packet = packet_make(IOPAGE_UPLINK_READ);
	packet->flags |= PACKET_SENT_UP;
	packet_free(packet);
	ck_assert_uint_eq(bytes_left(), HEAD_BYTES + FRAG_BYTES);
	pool_begin(IOPAGE_PRIVATE);
	packet_free(packet_make(IOPAGE_PRIVATE));
	ck_assert_uint_eq(bytes_left(), HEAD_BYTES + FRAG_BYTES);
}
END_TEST

/* A descriptor that carried a packet to the uplink says nothing of the next one. */
START_TEST(the_next_packet_is_not_sent_yet)
{
	struct packet *packet;

	pool_begin(IOPAGE_UPLINK_READ);
	packet = packet_make(IOPAGE_UPLINK_READ);
	packet->flags |= PACKET_SENT_UP;
	packet_free(packet);
	packet = packet_make(IOPAGE_UPLINK_READ);
	packet_free(packet);
	ck_assert_uint_eq(bytes_left(), 0);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, zeroes_are_appended_or_the_packet_is_gone);
	tcase_add_test(cases, a_dropped_packet_leaves_nothing_in_readable_pages);
	tcase_add_test(cases, what_was_pulled_off_the_head_does_not_stay);
	tcase_add_test(cases, what_is_cut_off_is_gone_at_once);
	tcase_add_test(cases, nothing_is_wiped_that_need_not_be);
	tcase_add_test(cases, the_next_packet_is_not_sent_yet);
}

int main(void)
{
	return unit_main("lib/packet", add_cases);
}
