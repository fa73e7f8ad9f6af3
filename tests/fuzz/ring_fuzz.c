/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on lib/ring: any sequence of operations, held against a model that counts
 * in 64 bits, where nothing wraps.
 */
#include <errno.h>
#include <string.h>

#include "lib/ring.h"
#include "tests/fuzz/script.h"

#define WAITERS 16u
#define NOBODY UINT32_MAX

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct waiter {
	struct ring_waiter ring_waiter;
	bool queued;
	bool told; /* that it is its turn: it may take its slots when it likes */
};

/* What the ring must be like: the same indices, and who waits, first come first. */
static struct {
	struct script script;
	struct ring_producer ring;
	uint64_t published, committed, reserved, limit;
	uint64_t size;
	bool open;
	struct waiter waiters[WAITERS];
	uint32_t queue[WAITERS];
	uint32_t queued;
} model;

static void assert_same(void)
{
	fuzz_assert(model.ring.published == (uint32_t)model.published);
	fuzz_assert(model.ring.committed == (uint32_t)model.committed);
	fuzz_assert(model.ring.reserved == (uint32_t)model.reserved);
	fuzz_assert(model.ring.limit == (uint32_t)model.limit);
	fuzz_assert(model.ring.open == model.open);
	fuzz_assert(list_is_empty(&model.ring.waiters) == (model.queued == 0));
	fuzz_assert(ring_free_slots(&model.ring) == model.limit - model.reserved);
	fuzz_assert(model.published <= model.committed && model.committed <= model.reserved);
	fuzz_assert(model.reserved <= model.limit && model.limit - model.published <= model.size);
}

/* Nobody waits who could be served, but for one who knows. */
static void assert_served(void)
{
	const struct waiter *first = &model.waiters[model.queue[0]];

	if (model.open || !model.queued)
		return;
	fuzz_assert(first->told || first->ring_waiter.count > model.limit - model.reserved);
}

static void open_expected(uint32_t first, uint32_t count)
{
	fuzz_assert(!model.open);
	fuzz_assert(first == (uint32_t)model.reserved);
	model.reserved += count;
	model.open = true;
	fuzz_assert(model.reserved <= model.limit);
}

static void close_expected(uint64_t used)
{
	model.committed += used;
	model.reserved = model.committed;
	model.open = false;
}

/* Ends the open reservation in one of the three ways; the ring may serve others at once. */
static void reservation_end(void)
{
	uint64_t count = model.reserved - model.committed;
	uint8_t draw = script_u8(&model.script);
	uint32_t part = (uint32_t)(draw >> 2) % (uint32_t)(count + 1);

	switch (draw % 4) {
	case 0:
		close_expected(0);
		ring_cancel(&model.ring);
		break;
	case 1:
		close_expected(part);
		ring_commit_part(&model.ring, part);
		break;
	default:
		close_expected(count);
		ring_commit(&model.ring);
		break;
	}
}

static void queue_remove(uint32_t at)
{
	model.waiters[model.queue[at]].queued = false;
	model.queued--;
	memmove(&model.queue[at], &model.queue[at + 1],
		(model.queued - at) * sizeof(model.queue[0]));
}

static void granted(struct ring_waiter *ring_waiter, uint32_t first)
{
	struct waiter *waiter = container_of(ring_waiter, struct waiter, ring_waiter);

	fuzz_assert(model.queued && &model.waiters[model.queue[0]] == waiter);
	queue_remove(0);
	open_expected(first, ring_waiter->count);
	reservation_end();
}

static void ready(struct ring_waiter *ring_waiter)
{
	struct waiter *waiter = container_of(ring_waiter, struct waiter, ring_waiter);

	fuzz_assert(model.queued && &model.waiters[model.queue[0]] == waiter);
	fuzz_assert(!model.open && !waiter->told);
	fuzz_assert(ring_waiter->count <= model.limit - model.reserved);
	waiter->told = true;
}

/* ---- operations ---- */

static uint32_t count_draw(void)
{
	uint8_t draw = script_u8(&model.script);

	return draw == UINT8_MAX ? script_u32(&model.script) : draw;
}

static void reserve(void)
{
	uint32_t count = count_draw();
	uint32_t first = 0;
	int expected = 0;

	if (count == 0)
		expected = -EINVAL;
	else if (count > model.size)
		expected = -EMSGSIZE;
	else if (model.open)
		expected = -EBUSY;
	else if (model.queued || count > model.limit - model.reserved)
		expected = -EAGAIN;
	fuzz_assert(ring_reserve(&model.ring, count, &first) == expected);
	if (!expected)
		open_expected(first, count);
}

static uint32_t waiter_free(void)
{
	for (uint32_t i = 0; i < WAITERS; i++)
		if (!model.waiters[i].queued)
			return i;
	return NOBODY;
}

static void reserve_queued(void)
{
	uint32_t count = count_draw();
	uint32_t index = waiter_free();
	bool is_told = script_u8(&model.script) % 2;
	int expected = 0;

	if (index == NOBODY)
		return;
	model.waiters[index].ring_waiter = (struct ring_waiter){ .count = count };
	if (is_told)
		model.waiters[index].ring_waiter.ready = ready;
	else
		model.waiters[index].ring_waiter.granted = granted;
	list_init(&model.waiters[index].ring_waiter.link);
	if (count == 0)
		expected = -EINVAL;
	else if (count > model.size)
		expected = -EMSGSIZE;
	if (!expected) {
		model.waiters[index].queued = true;
		model.waiters[index].told = false;
		model.queue[model.queued++] = index;
	}
	fuzz_assert(ring_reserve_queued(&model.ring, &model.waiters[index].ring_waiter) ==
		    expected);
}

/* Those whose turn it is get their slots, and nobody else does. */
static void take(void)
{
	struct waiter *waiter;
	uint32_t at, first;

	if (!model.queued)
		return;
	at = script_u8(&model.script) % model.queued;
	waiter = &model.waiters[model.queue[at]];
	if (at || model.open || waiter->ring_waiter.count > model.limit - model.reserved) {
		fuzz_assert(ring_take(&model.ring, &waiter->ring_waiter, &first) == -EAGAIN);
		return;
	}
	fuzz_assert(ring_take(&model.ring, &waiter->ring_waiter, &first) == 0);
	queue_remove(0);
	open_expected(first, waiter->ring_waiter.count);
}

static void waiter_cancel(void)
{
	struct waiter *waiter;
	uint32_t at;

	if (!model.queued)
		return;
	at = script_u8(&model.script) % model.queued;
	waiter = &model.waiters[model.queue[at]];
	queue_remove(at);
	ring_waiter_cancel(&model.ring, &waiter->ring_waiter);
	ring_waiter_cancel(&model.ring, &waiter->ring_waiter); /* harmless */
}

/* Impossible is a limit behind the old one, or that gives more slots than there are. */
static void advance(bool wild)
{
	int64_t step = wild ? (int32_t)script_u32(&model.script) : (int8_t)script_u8(&model.script);
	bool possible;

	if (wild && step == INT32_MIN)
		return; /* as far ahead as behind */
	possible = step >= 0 && model.limit + (uint64_t)step - model.published <= model.size;
	if (possible)
		model.limit += (uint64_t)step;
	if (possible)
		fuzz_assert(ring_advance(&model.ring, (uint32_t)model.limit) == 0);
	else
		fuzz_assert(ring_advance(&model.ring, (uint32_t)model.limit + (uint32_t)step) ==
			    -EPROTO);
}

static void advance_full(void)
{
	model.limit = model.published + model.size;
	fuzz_assert(ring_advance(&model.ring, (uint32_t)model.limit) == 0);
}

/* The peer hears of it if the index that it named is among the new ones. */
static bool is_named(uint64_t old, uint64_t now, uint32_t event)
{
	for (uint64_t index = old + 1; index <= now; index++)
		if ((uint32_t)index == event)
			return true;
	return false;
}

static void publish(void)
{
	uint32_t event = (uint32_t)model.published + (uint32_t)(int8_t)script_u8(&model.script);
	uint64_t before = model.published;
	uint32_t old;
	uint32_t now;

	model.published = model.committed;
	now = ring_publish(&model.ring, &old);
	fuzz_assert(old == (uint32_t)before && now == (uint32_t)model.published);
	fuzz_assert(ring_notify_needed(old, now, event) ==
		    is_named(before, model.published, event));
}

static void pending(void)
{
	uint32_t consumed = script_u32(&model.script);
	uint32_t waiting = script_u8(&model.script) % 2 ? script_u32(&model.script)
							: script_u16(&model.script);
	uint32_t size = (uint32_t)model.size;
	int64_t expected = waiting > size ? -EPROTO : (int64_t)waiting;

	fuzz_assert(ring_pending(consumed + waiting, consumed, size) == expected);
}

static void operate(void)
{
	switch (script_u8(&model.script) % 11) {
	case 0:
	case 1:
		reserve();
		break;
	case 2:
		reserve_queued();
		break;
	case 3:
		waiter_cancel();
		break;
	case 4:
	case 5:
		if (model.open)
			reservation_end();
		break;
	case 6:
		advance(script_u8(&model.script) % 4 == 0);
		break;
	case 7:
		advance_full();
		break;
	case 8:
		publish();
		break;
	case 9:
		take();
		break;
	default:
		pending();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t start;

	memset(&model, 0, sizeof(model));
	model.script = (struct script){ data, size };
	model.size = 1u << script_u8(&model.script) % 9;
	start = script_u32(&model.script);
	model.published = model.committed = model.reserved = model.limit = start;
	ring_producer_init(&model.ring, (uint32_t)model.size, start);
	while (!script_is_over(&model.script)) {
		operate();
		assert_same();
		assert_served();
	}
	return 0;
}
