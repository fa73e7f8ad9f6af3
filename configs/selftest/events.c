/* SPDX-License-Identifier: ISC */
/* Event channels whose both ends are ours. */
#include "configs/selftest/selftest.h"

#include <errno.h>
#include <stddef.h>

#include <xen/xen.h>

#include "xen/evtchn.h"
#include "xen/fiber.h"

#define PAIRS 200u
#define CYCLES 2000u
#define NO_SUCH_PORT 4000u

struct end {
	evtchn_port port;
	evtchn_port other; /* notified by ends that bounce */
	unsigned int count;
};

static struct end near_ends[PAIRS], far_ends[PAIRS];
static evtchn_port victim;

static void end_count(void *context)
{
	struct end *end = context;

	end->count++;
}

static void end_bounce(void *context)
{
	struct end *end = context;

	end->count++;
	evtchn_notify(end->other);
}

static void end_close_victim(void *context)
{
	end_count(context);
	evtchn_close(victim);
}

/* A pair of ports; the event that Xen sends for a new pair is already taken. */
static bool pair_make(uint16_t self, struct end *near, struct end *far, evtchn_handler *handler)
{
	if (!CHECK_EQUAL(evtchn_alloc_unbound(self, handler, near, &near->port), 0))
		return false;
	if (!CHECK_EQUAL(evtchn_bind_interdomain(self, near->port, handler, far, &far->port), 0))
		return false;
	near->other = near->port;
	far->other = far->port;
	selftest_settle();
	near->count = 0;
	far->count = 0;
	return true;
}

static void pair_close(struct end *near, struct end *far)
{
	evtchn_close(near->port);
	evtchn_close(far->port);
}

static void delivery(uint16_t self)
{
	struct end near, far;

	if (!pair_make(self, &near, &far, end_count))
		return;
	evtchn_notify(near.port);
	CHECK_EQUAL(far.count, 0); /* nothing interrupts us */
	selftest_settle();
	CHECK_EQUAL(far.count, 1);
	CHECK_EQUAL(near.count, 0);
	evtchn_notify(far.port);
	selftest_settle();
	CHECK_EQUAL(near.count, 1);
	for (unsigned int i = 0; i < 10; i++)
		evtchn_notify(near.port);
	selftest_settle();
	CHECK_EQUAL(far.count, 2);
	pair_close(&near, &far);
}

static void masking(uint16_t self)
{
	struct end near, far;

	if (!pair_make(self, &near, &far, end_count))
		return;
	evtchn_mask(far.port);
	evtchn_notify(near.port);
	selftest_settle();
	CHECK_EQUAL(far.count, 0);
	evtchn_unmask(far.port);
	selftest_settle();
	CHECK_EQUAL(far.count, 1);
	evtchn_mask(far.port);
	evtchn_unmask(far.port);
	selftest_settle();
	CHECK_EQUAL(far.count, 1);
	evtchn_notify(near.port);
	selftest_settle();
	CHECK_EQUAL(far.count, 2);
	pair_close(&near, &far);
}

static void closing(uint16_t self)
{
	struct end near, far;
	uint32_t before = evtchn_open_count();

	if (!pair_make(self, &near, &far, end_count))
		return;
	CHECK_EQUAL(evtchn_open_count(), before + 2);
	evtchn_notify(near.port);
	evtchn_close(far.port); /* pending */
	selftest_settle();
	CHECK_EQUAL(far.count, 0);
	evtchn_close(far.port);
	evtchn_close(near.port);
	evtchn_close(EVTCHN_NONE);
	CHECK_EQUAL(evtchn_open_count(), before);
	for (unsigned int i = 0; i < CYCLES; i++) {
		if (evtchn_alloc_unbound(self, end_count, &near, &near.port)) {
			CHECK(!"a port leaks");
			return;
		}
		evtchn_close(near.port);
	}
	CHECK_EQUAL(evtchn_open_count(), before);
}

/* Whichever comes first in a pass closes the other, which must not be called then. */
static void closing_in_a_handler(uint16_t self)
{
	struct end near[2], far[2];

	for (unsigned int i = 0; i < 2; i++)
		if (!pair_make(self, &near[i], &far[i], i ? end_count : end_close_victim))
			return;
	victim = far[1].port;
	if (far[0].port < far[1].port) {
		evtchn_notify(near[1].port);
		evtchn_notify(near[0].port);
		selftest_settle();
		CHECK_EQUAL(far[0].count, 1);
		CHECK_EQUAL(far[1].count, 0);
	}
	victim = far[0].port; /* itself */
	evtchn_notify(near[0].port);
	selftest_settle();
	evtchn_notify(near[0].port);
	selftest_settle();
	CHECK(far[0].count <= 2);
	for (unsigned int i = 0; i < 2; i++)
		pair_close(&near[i], &far[i]);
}

static void many(uint16_t self)
{
	uint32_t before = evtchn_open_count();
	unsigned int made = 0, wrong = 0;

	while (made < PAIRS && pair_make(self, &near_ends[made], &far_ends[made], end_count))
		made++;
	CHECK_EQUAL(made, PAIRS);
	for (unsigned int i = 0; i < made; i++)
		evtchn_notify(near_ends[i].port);
	selftest_settle();
	for (unsigned int i = 0; i < made; i++)
		wrong += far_ends[i].count != 1 || near_ends[i].count != 0;
	CHECK_EQUAL(wrong, 0);
	for (unsigned int i = 0; i < made; i++)
		pair_close(&near_ends[i], &far_ends[i]);
	CHECK_EQUAL(evtchn_open_count(), before);
}

/* Two handlers that notify each other for ever must leave others their turn. */
static void storm(uint16_t self)
{
	struct end near, far;

	if (!pair_make(self, &near, &far, end_bounce))
		return;
	evtchn_notify(near.port);
	for (unsigned int i = 0; i < 100; i++)
		fiber_yield();
	CHECK(near.count >= 30 && far.count >= 30);
	CHECK(near.count <= 101 && far.count <= 101);
	pair_close(&near, &far);
}

static void errors(uint16_t self)
{
	evtchn_port port = EVTCHN_NONE;

	CHECK(evtchn_bind_interdomain(self, NO_SUCH_PORT, end_count, NULL, &port) < 0);
	CHECK_EQUAL(port, EVTCHN_NONE);
	CHECK_EQUAL(evtchn_bind_virq(VIRQ_TIMER, end_count, NULL, &port), -EEXIST);
	CHECK_EQUAL(evtchn_adopt(EVTCHN_NONE, end_count, NULL), -EINVAL);
	CHECK_EQUAL(evtchn_adopt(UINT32_MAX, end_count, NULL), -EINVAL);
}

void selftest_events(uint16_t self)
{
	uint32_t before = evtchn_open_count();

	delivery(self);
	masking(self);
	closing(self);
	closing_in_a_handler(self);
	many(self);
	storm(self);
	errors(self);
	CHECK_EQUAL(evtchn_open_count(), before);
}
