/* SPDX-License-Identifier: ISC */
/*
 * Level n has WHEEL_SLOTS slots of 64^n ticks each. A timer lies on the lowest level
 * that reaches its tick; when the tick count passes a multiple of 64^n, the timers of
 * that slot on level n move down. Stretches without timers are skipped whole.
 */
#include "lib/wheel.h"

#include "lib/compiler.h"

#define SLOT_BITS 6u
#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define SPAN_TICKS (1ull << (SLOT_BITS * WHEEL_LEVELS))

/* The first tick that is not before the deadline. */
static uint64_t tick_of(uint64_t deadline_ns)
{
	const uint64_t last = (1ull << WHEEL_TICK_SHIFT) - 1;

	if (deadline_ns > UINT64_MAX - last)
		return UINT64_MAX >> WHEEL_TICK_SHIFT;
	return (deadline_ns + last) >> WHEEL_TICK_SHIFT;
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	wheel->tick = now_ns >> WHEEL_TICK_SHIFT;
	wheel->armed = 0;
	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (unsigned int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

void wheel_timer_init(struct wheel_timer *timer,
		      void (*expired)(struct wheel_timer *timer, uint64_t now_ns))
{
	list_init(&timer->link);
	timer->deadline_ns = 0;
	timer->expired = expired;
}

/* `earliest`: the first tick that is still to be run. */
static void place(struct wheel *wheel, struct wheel_timer *timer, uint64_t earliest)
{
	uint64_t tick = tick_of(timer->deadline_ns);
	unsigned int level = 0;
	unsigned int slot;

	if (tick < earliest)
		tick = earliest;
	if (tick - wheel->tick >= SPAN_TICKS)
		tick = wheel->tick + SPAN_TICKS - 1;
	/* The highest digit in which the two ticks differ decides. */
	while (level < WHEEL_LEVELS - 1 &&
	       tick >> (SLOT_BITS * (level + 1)) != wheel->tick >> (SLOT_BITS * (level + 1)))
		level++;
	slot = tick >> (SLOT_BITS * level) & SLOT_MASK;
	list_push_back(&wheel->slots[level][slot], &timer->link);
	wheel->occupied[level] |= 1ull << slot;
}

void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ns)
{
	wheel_stop(wheel, timer);
	timer->deadline_ns = deadline_ns;
	place(wheel, timer, wheel->tick + 1);
	wheel->armed++;
}

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
	if (!wheel_timer_is_armed(timer))
		return;
	list_remove(&timer->link);
	wheel->armed--;
}

bool wheel_timer_is_armed(const struct wheel_timer *timer)
{
	return !list_is_empty(&timer->link);
}

/* The next tick after wheel->tick at which anything may have to be done. */
static uint64_t next_busy_tick(const struct wheel *wheel)
{
	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned int shift = SLOT_BITS * level;
		uint64_t here = wheel->tick >> shift;
		unsigned int slot = here & SLOT_MASK;
		uint64_t later = slot == SLOT_MASK ? 0 : wheel->occupied[level] >> (slot + 1);

		if (later)
			return (here + 1 + (unsigned int)__builtin_ctzll(later)) << shift;
	}
	/* Only slots that wrap round the top level are left. */
	return ((wheel->tick >> (SLOT_BITS * (WHEEL_LEVELS - 1))) + 1)
	       << (SLOT_BITS * (WHEEL_LEVELS - 1));
}

/* Timers of the slots that begin at wheel->tick move to lower levels. */
static void cascade(struct wheel *wheel)
{
	for (unsigned int level = WHEEL_LEVELS - 1; level > 0; level--) {
		unsigned int shift = SLOT_BITS * level;
		unsigned int slot = wheel->tick >> shift & SLOT_MASK;
		struct list moving;
		struct list *link;

		if (wheel->tick & ((1ull << shift) - 1))
			continue;
		list_init(&moving);
		while ((link = list_pop_front(&wheel->slots[level][slot])))
			list_push_back(&moving, link);
		wheel->occupied[level] &= ~(1ull << slot);
		while ((link = list_pop_front(&moving)))
			place(wheel, list_entry(link, struct wheel_timer, link), wheel->tick);
	}
}

static uint32_t expire_slot(struct wheel *wheel, uint64_t now_ns, uint32_t budget)
{
	unsigned int slot = wheel->tick & SLOT_MASK;
	struct list *due = &wheel->slots[0][slot];
	uint32_t ran = 0;

	while (ran < budget && !list_is_empty(due)) {
		struct wheel_timer *timer = list_entry(due->next, struct wheel_timer, link);

		wheel_stop(wheel, timer);
		timer->expired(timer, now_ns);
		ran++;
	}
	if (list_is_empty(due))
		wheel->occupied[0] &= ~(1ull << slot);
	return ran;
}

uint32_t wheel_run(struct wheel *wheel, uint64_t now_ns, uint32_t budget)
{
	uint64_t target = now_ns >> WHEEL_TICK_SHIFT;
	uint32_t ran = expire_slot(wheel, now_ns, budget);

	while (wheel->tick < target && ran < budget) {
		uint64_t next = next_busy_tick(wheel);

		if (wheel->armed == 0 || next > target) {
			wheel->tick = target;
			break;
		}
		wheel->tick = next;
		cascade(wheel);
		ran += expire_slot(wheel, now_ns, budget - ran);
	}
	return ran;
}

uint64_t wheel_next_ns(const struct wheel *wheel)
{
	if (wheel->armed == 0)
		return UINT64_MAX;
	if (wheel->occupied[0] & 1ull << (wheel->tick & SLOT_MASK))
		return 0;
	return next_busy_tick(wheel) << WHEEL_TICK_SHIFT;
}
