/* SPDX-License-Identifier: ISC */
#include "tests/bench_tcp/wire.h"

#define SECOND_NS 1000000000u

void wire_init(struct wire *wire, uint64_t delay_ns, uint64_t rate, uint64_t queue, double loss,
	       uint64_t seed)
{
	wire->delay_ns = delay_ns;
	wire->rate = rate;
	wire->queue = queue;
	wire->loss = (uint32_t)(loss * 4294967296.0);
	wire->random = seed | 1;
	wire->free_ns = 0;
	wire->lost = 0;
	wire->overflowed = 0;
	wire->first = 0;
	wire->count = 0;
}

static bool is_lost(struct wire *wire)
{
	wire->random ^= wire->random << 13;
	wire->random ^= wire->random >> 7;
	wire->random ^= wire->random << 17;
	return (uint32_t)(wire->random >> 32) < wire->loss;
}

/* Waits in the queue of the rate; false: it is full. */
static bool pass_rate(struct wire *wire, uint32_t bytes, uint64_t *now)
{
	uint64_t waits = wire->free_ns > *now ? wire->free_ns - *now : 0;

	if (!wire->rate)
		return true;
	if (waits * wire->rate / SECOND_NS + bytes > wire->queue)
		return false;
	wire->free_ns = *now + waits + bytes * (uint64_t)SECOND_NS / wire->rate;
	*now = wire->free_ns;
	return true;
}

bool wire_put(struct wire *wire, void *item, uint32_t bytes, uint64_t now)
{
	uint32_t at = (wire->first + wire->count) % WIRE_RING;

	if (wire->loss && is_lost(wire)) {
		wire->lost++;
		return false;
	}
	if (wire->count == WIRE_RING || !pass_rate(wire, bytes, &now)) {
		wire->overflowed++;
		return false;
	}
	wire->ring[at].item = item;
	wire->ring[at].due = now + wire->delay_ns;
	wire->count++;
	return true;
}

void *wire_get(struct wire *wire, uint64_t now)
{
	void *item = wire->ring[wire->first].item;

	if (!wire->count || wire->ring[wire->first].due > now)
		return 0;
	wire->first = (wire->first + 1) % WIRE_RING;
	wire->count--;
	return item;
}

uint64_t wire_next(const struct wire *wire)
{
	return wire->count ? wire->ring[wire->first].due : UINT64_MAX;
}
