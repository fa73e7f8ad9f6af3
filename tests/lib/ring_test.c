/* SPDX-License-Identifier: ISC */
#include "lib/ring.h"

#include <errno.h>

#include "lib/compiler.h"
#include "tests/host/unit.h"

#define SIZE 64u

static struct ring_producer ring;

static void ring_at(uint32_t start)
{
	ring_producer_init(&ring, SIZE, start);
	ck_assert_int_eq(ring_advance(&ring, start + SIZE), 0);
}

START_TEST(every_count_from_every_wrap)
{
	for (uint32_t back = 0; back <= SIZE; back++)
		for (uint32_t count = 1; count <= SIZE; count++) {
			uint32_t first, old;

			ring_at(0u - back);
			ck_assert_int_eq(ring_reserve(&ring, count, &first), 0);
			ck_assert_uint_eq(first, 0u - back);
			ring_commit(&ring);
			ck_assert_uint_eq(ring_publish(&ring, &old), first + count);
			ck_assert_uint_eq(old, first);
			ck_assert_uint_eq(ring_free_slots(&ring), SIZE - count);
		}
}
END_TEST

START_TEST(all_or_nothing)
{
	uint32_t first;

	ring_at(0);
	ck_assert_int_eq(ring_reserve(&ring, 0, &first), -EINVAL);
	ck_assert_int_eq(ring_reserve(&ring, SIZE + 1, &first), -EMSGSIZE);
	ck_assert_int_eq(ring_reserve(&ring, SIZE - 1, &first), 0);
	ck_assert_int_eq(ring_reserve(&ring, 1, &first), -EBUSY);
	ring_commit(&ring);
	ck_assert_int_eq(ring_reserve(&ring, 2, &first), -EAGAIN);
	ck_assert_int_eq(ring_reserve(&ring, 1, &first), 0);
	ring_cancel(&ring);
	ck_assert_uint_eq(ring_free_slots(&ring), 1);
}
END_TEST

struct test_waiter {
	struct ring_waiter waiter;
	uint32_t order, first;
};

static uint32_t served;

static void waiter_granted(struct ring_waiter *waiter, uint32_t first)
{
	struct test_waiter *w = container_of(waiter, struct test_waiter, waiter);

	w->order = ++served;
	w->first = first;
	ring_commit(&ring);
}

static void wait_for(struct test_waiter *w, uint32_t count)
{
	*w = (struct test_waiter){ 0 };
	list_init(&w->waiter.link);
	w->waiter.count = count;
	w->waiter.granted = waiter_granted;
	ck_assert_int_eq(ring_reserve_queued(&ring, &w->waiter), 0);
}

START_TEST(large_is_not_starved_by_small)
{
	struct test_waiter large, small;
	uint32_t first, old;

	ring_at(10);
	served = 0;
	ck_assert_int_eq(ring_reserve(&ring, SIZE - 2, &first), 0);
	ring_commit(&ring);
	ck_assert_uint_eq(ring_publish(&ring, &old), 10 + SIZE - 2);
	wait_for(&large, 19);
	wait_for(&small, 1);
	/* Two slots are free, but the large one came first. */
	ck_assert_uint_eq(served, 0);
	ck_assert_int_eq(ring_reserve(&ring, 1, &first), -EAGAIN);
	ck_assert_int_eq(ring_advance(&ring, 10 + SIZE + 16), 0);
	ck_assert_uint_eq(served, 0);
	ck_assert_int_eq(ring_advance(&ring, 10 + SIZE + 18), 0);
	ck_assert_uint_eq(large.order, 1);
	ck_assert_uint_eq(large.first, 10 + SIZE - 2);
	ck_assert_uint_eq(small.order, 2);
	ck_assert_uint_eq(small.first, large.first + 19);
}
END_TEST

START_TEST(a_waiter_may_leave)
{
	struct test_waiter large, small;
	uint32_t first;

	ring_at(0);
	served = 0;
	ck_assert_int_eq(ring_reserve(&ring, SIZE - 2, &first), 0);
	ring_commit(&ring);
	wait_for(&large, 19);
	wait_for(&small, 2);
	ring_waiter_cancel(&ring, &large.waiter);
	ck_assert_uint_eq(small.order, 1);
	ck_assert_uint_eq(large.order, 0);
}
END_TEST

struct told_waiter {
	struct ring_waiter waiter;
	uint32_t told;
};

static void waiter_ready(struct ring_waiter *waiter)
{
	container_of(waiter, struct told_waiter, waiter)->told++;
}

static void wait_to_be_told(struct told_waiter *w, uint32_t count)
{
	*w = (struct told_waiter){ .waiter = { .count = count, .ready = waiter_ready } };
	ck_assert_int_eq(ring_reserve_queued(&ring, &w->waiter), 0);
}

START_TEST(who_is_told_has_the_slots_kept_for_him)
{
	struct told_waiter large, second;
	struct test_waiter small;
	uint32_t first, old;

	ring_at(7);
	served = 0;
	ck_assert_int_eq(ring_reserve(&ring, SIZE - 2, &first), 0);
	ring_commit(&ring);
	ck_assert_uint_eq(ring_publish(&ring, &old), 7 + SIZE - 2);
	wait_to_be_told(&large, 19);
	wait_to_be_told(&second, 1);
	wait_for(&small, 1);
	ck_assert_uint_eq(large.told, 0);
	ck_assert_int_eq(ring_take(&ring, &large.waiter, &first), -EAGAIN);
	ck_assert_int_eq(ring_advance(&ring, 7 + SIZE + 40), 0);
	ck_assert_int_eq(ring_advance(&ring, 7 + SIZE + 41), 0);
	ck_assert_uint_eq(large.told, 1); /* once */
	ck_assert_uint_eq(second.told, 0);
	ck_assert_uint_eq(small.order, 0);
	ck_assert_int_eq(ring_reserve(&ring, 1, &first), -EAGAIN);
	ck_assert_int_eq(ring_take(&ring, &second.waiter, &first), -EAGAIN);
	ck_assert_int_eq(ring_take(&ring, &large.waiter, &first), 0);
	ck_assert_uint_eq(first, 7 + SIZE - 2);
	ck_assert_uint_eq(second.told, 0); /* the large one's reservation is open */
	ring_commit(&ring);
	ck_assert_uint_eq(second.told, 1);
	/* He leaves instead: the next one's turn. */
	ring_waiter_cancel(&ring, &second.waiter);
	ck_assert_uint_eq(small.order, 1);
	ck_assert_uint_eq(small.first, 7 + SIZE - 2 + 19);
}
END_TEST

START_TEST(part_of_a_reservation_goes_back)
{
	uint32_t first;

	ring_at(UINT32_MAX - 3);
	ck_assert_int_eq(ring_reserve(&ring, 20, &first), 0);
	ring_commit_part(&ring, 7);
	ck_assert_uint_eq(ring_free_slots(&ring), SIZE - 7);
	ck_assert_int_eq(ring_reserve(&ring, SIZE - 7, &first), 0);
	ck_assert_uint_eq(first, 3);
	ring_cancel(&ring);
	ck_assert_uint_eq(ring_free_slots(&ring), SIZE - 7);
}
END_TEST

/* Whoever waits for the whole ring gets it when all who were before are answered. */
START_TEST(every_count_waits_its_turn_over_the_wrap)
{
	for (uint32_t back = 0; back <= SIZE; back++)
		for (uint32_t count = 1; count <= SIZE; count++) {
			struct test_waiter large, small;
			uint32_t first, limit, old;

			ring_at(0u - back);
			served = 0;
			ck_assert_int_eq(ring_reserve(&ring, SIZE, &first), 0);
			ring_commit(&ring);
			ck_assert_uint_eq(ring_publish(&ring, &old), first + SIZE);
			wait_for(&large, count);
			wait_for(&small, 1);
			limit = first + SIZE + count;
			for (uint32_t at = first + SIZE; at != limit; at++) {
				ck_assert_uint_eq(served, 0);
				ck_assert_int_eq(ring_advance(&ring, at + 1), 0);
			}
			ck_assert_uint_eq(large.order, 1);
			ck_assert_uint_eq(large.first, first + SIZE);
			ck_assert_uint_eq(small.order, 0);
			ck_assert_uint_eq(ring_publish(&ring, &old), limit);
			ck_assert_int_eq(ring_advance(&ring, limit + 1), 0);
			ck_assert_uint_eq(small.order, 2);
		}
}
END_TEST

START_TEST(impossible_limits_are_refused)
{
	uint32_t first, old;

	ring_at(100);
	ck_assert_int_eq(ring_reserve(&ring, 10, &first), 0);
	ring_commit(&ring);
	ck_assert_int_eq(ring_advance(&ring, 100 + SIZE - 1), -EPROTO);
	/* What is not published cannot have been consumed. */
	ck_assert_int_eq(ring_advance(&ring, 100 + SIZE + 1), -EPROTO);
	ck_assert_uint_eq(ring_publish(&ring, &old), 110);
	ck_assert_int_eq(ring_advance(&ring, 110 + SIZE + 1), -EPROTO);
	ck_assert_int_eq(ring_advance(&ring, 110 + SIZE), 0);
}
END_TEST

START_TEST(slots_given_back_are_not_free_twice)
{
	uint32_t first;

	ring_at(0);
	ck_assert_int_eq(ring_reserve(&ring, SIZE, &first), 0);
	ck_assert_int_eq(ring_advance(&ring, 2 * SIZE), -EPROTO);
	ring_cancel(&ring);
	ck_assert_uint_eq(ring_free_slots(&ring), SIZE);
}
END_TEST

START_TEST(pending_refuses_more_than_the_ring)
{
	ck_assert_int_eq(ring_pending(5, 5, SIZE), 0);
	ck_assert_int_eq(ring_pending(3, UINT32_MAX - 3, SIZE), 7);
	ck_assert_int_eq(ring_pending(SIZE + 6, 5, SIZE), -EPROTO);
	ck_assert_int_eq(ring_pending(4, 5, SIZE), -EPROTO);
}
END_TEST

START_TEST(notify_when_the_event_index_is_crossed)
{
	for (uint32_t base = UINT32_MAX - 4; base != 4; base++) {
		ck_assert(ring_notify_needed(base, base + 1, base + 1));
		ck_assert(ring_notify_needed(base, base + 5, base + 3));
		ck_assert(!ring_notify_needed(base, base + 5, base + 6));
		ck_assert(!ring_notify_needed(base, base + 5, base));
		ck_assert(!ring_notify_needed(base, base, base + 1));
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, every_count_from_every_wrap);
	tcase_add_test(cases, all_or_nothing);
	tcase_add_test(cases, large_is_not_starved_by_small);
	tcase_add_test(cases, a_waiter_may_leave);
	tcase_add_test(cases, who_is_told_has_the_slots_kept_for_him);
	tcase_add_test(cases, part_of_a_reservation_goes_back);
	tcase_add_test(cases, every_count_waits_its_turn_over_the_wrap);
	tcase_add_test(cases, impossible_limits_are_refused);
	tcase_add_test(cases, slots_given_back_are_not_free_twice);
	tcase_add_test(cases, pending_refuses_more_than_the_ring);
	tcase_add_test(cases, notify_when_the_event_index_is_crossed);
}

int main(void)
{
	return unit_main("lib/ring", add_cases);
}
