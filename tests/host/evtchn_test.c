/* SPDX-License-Identifier: ISC */
/* Event channels of the hosted machine: binding, masks, and no lost wake-up. */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>

#include "tests/host/host.h"
#include "tests/host/suites.h"
#include "xen/evtchn.h"
#include "xen/loop.h"

#define MS 1000000ull
#define ROUNDS 20000u

struct end {
	struct host_domain *domain;
	uint16_t remote_domid;
	evtchn_port remote_port;
	evtchn_port port;
	uint32_t events;
	int error;
	/* for the ping-pong */
	struct end *peer;
	atomic_uint *rally;
	atomic_uint mailbox;
	uint32_t seen;
};

static void count_event(void *context)
{
	((struct end *)context)->events++;
}

static void end_offer(void *argument)
{
	struct end *end = argument;

	end->error = evtchn_alloc_unbound(end->remote_domid, count_event, end, &end->port);
}

static void end_bind(void *argument)
{
	struct end *end = argument;

	end->error = evtchn_bind_interdomain(end->remote_domid, end->remote_port, count_event, end,
					     &end->port);
}

static void end_notify(void *argument)
{
	evtchn_notify(((struct end *)argument)->port);
}

static void end_mask(void *argument)
{
	evtchn_mask(((struct end *)argument)->port);
}

static void end_unmask(void *argument)
{
	evtchn_unmask(((struct end *)argument)->port);
}

static void end_close(void *argument)
{
	evtchn_close(((struct end *)argument)->port);
}

struct pair {
	struct host_machine *machine;
	struct end front;
	struct end back;
};

static bool has_an_event(void *argument)
{
	return ((struct end *)argument)->events > 0;
}

static void pair_begin(struct pair *pair, int mode)
{
	struct host_options options = host_options_default(HOST_STEPPED);

	options.mode = mode ? HOST_THREADS : HOST_STEPPED;
	*pair = (struct pair){ .machine = host_machine_create(&options) };
	pair->front.domain = host_domain_create(pair->machine, "front", 8);
	pair->back.domain = host_domain_create(pair->machine, "back", 8);
	pair->front.remote_domid = host_domid(pair->back.domain);
	pair->back.remote_domid = host_domid(pair->front.domain);
	host_call(pair->front.domain, end_offer, &pair->front);
	ck_assert_int_eq(pair->front.error, 0);
	pair->back.remote_port = pair->front.port;
	host_call(pair->back.domain, end_bind, &pair->back);
	ck_assert_int_eq(pair->back.error, 0);
	host_run_for(pair->machine, 5 * MS);
}

START_TEST(an_event_arrives_once_and_a_bind_starts_with_one)
{
	struct pair pair;

	pair_begin(&pair, _i);
	ck_assert_uint_eq(pair.back.events, 1);
	ck_assert_uint_eq(pair.front.events, 0);
	host_call(pair.back.domain, end_notify, &pair.back);
	ck_assert(host_run_until_in(pair.front.domain, has_an_event, &pair.front, 10000 * MS));
	host_run_for(pair.machine, 5 * MS);
	ck_assert_uint_eq(pair.front.events, 1);
	host_machine_destroy(pair.machine);
}
END_TEST

START_TEST(a_masked_port_keeps_its_event)
{
	struct pair pair;

	pair_begin(&pair, _i);
	host_call(pair.front.domain, end_mask, &pair.front);
	host_call(pair.back.domain, end_notify, &pair.back);
	host_call(pair.back.domain, end_notify, &pair.back);
	host_run_for(pair.machine, 5 * MS);
	ck_assert_uint_eq(pair.front.events, 0);
	host_call(pair.front.domain, end_unmask, &pair.front);
	host_run_for(pair.machine, 5 * MS);
	ck_assert_uint_eq(pair.front.events, 1);
	host_machine_destroy(pair.machine);
}
END_TEST

START_TEST(only_the_domain_that_a_port_was_made_for_can_bind_it)
{
	struct pair pair;
	struct end thief = { 0 };

	pair_begin(&pair, _i);
	thief.domain = host_domain_create(pair.machine, "thief", 8);
	thief.remote_domid = host_domid(pair.front.domain);
	host_call(pair.back.domain, end_close, &pair.back);
	thief.remote_port = pair.front.port; /* unbound again, for `back` only */
	host_call(thief.domain, end_bind, &thief);
	ck_assert_int_eq(thief.error, -EINVAL);
	thief.remote_port = 999;
	host_call(thief.domain, end_bind, &thief);
	ck_assert_int_eq(thief.error, -EINVAL);
	thief.remote_domid = 77;
	host_call(thief.domain, end_bind, &thief);
	ck_assert_int_eq(thief.error, -ESRCH);
	host_call(pair.back.domain, end_bind, &pair.back);
	ck_assert_int_eq(pair.back.error, 0);
	ck_assert_uint_eq(host_domain_counters(thief.domain).ports, 0);
	host_machine_destroy(pair.machine);
}
END_TEST

START_TEST(notifying_a_dead_or_closed_end_does_nothing)
{
	struct pair pair;

	pair_begin(&pair, _i);
	host_domain_kill(pair.back.domain);
	host_call(pair.front.domain, end_notify, &pair.front);
	host_call(pair.front.domain, end_close, &pair.front);
	ck_assert_uint_eq(host_domain_counters(pair.front.domain).ports, 0);
	ck_assert_uint_eq(host_domain_counters(pair.back.domain).ports, 0);
	host_machine_destroy(pair.machine);
}
END_TEST

/*
 * A number goes to and fro in two mailboxes, each change told by one event. A
 * wake-up lost anywhere, for instance between the last look and the sleep, stops it.
 */
static void rally_event(void *context)
{
	struct end *end = context;
	uint32_t number = atomic_load(&end->mailbox);

	if (number == end->seen)
		return;
	end->seen = number;
	atomic_fetch_add(end->rally, 1);
	atomic_store(&end->peer->mailbox, number + 1);
	evtchn_notify(end->port);
}

static void rally_offer(void *argument)
{
	struct end *end = argument;

	end->error = evtchn_alloc_unbound(end->remote_domid, rally_event, end, &end->port);
}

static void rally_bind(void *argument)
{
	struct end *end = argument;

	end->error = evtchn_bind_interdomain(end->remote_domid, end->remote_port, rally_event, end,
					     &end->port);
}

static bool rally_is_long(void *argument)
{
	return atomic_load((atomic_uint *)argument) >= ROUNDS;
}

START_TEST(no_wake_up_is_lost)
{
	struct host_options options = host_options_default(HOST_STEPPED);
	struct host_machine *machine;
	struct end front = { 0 };
	struct end back = { 0 };
	atomic_uint rally = 0;

	options.mode = _i ? HOST_THREADS : HOST_STEPPED;
	machine = host_machine_create(&options);
	front.domain = host_domain_create(machine, "front", 8);
	back.domain = host_domain_create(machine, "back", 8);
	front.remote_domid = host_domid(back.domain);
	back.remote_domid = host_domid(front.domain);
	front.peer = &back;
	back.peer = &front;
	front.rally = &rally;
	back.rally = &rally;
	atomic_store(&back.mailbox, 1);
	host_call(front.domain, rally_offer, &front);
	back.remote_port = front.port;
	host_call(back.domain, rally_bind, &back);
	ck_assert(host_run_until(machine, rally_is_long, &rally, 60000 * MS));
	host_machine_destroy(machine);
}
END_TEST

/* A handler that closes another port of the same pass: that one is not called. */
struct closer {
	struct end victim;
	evtchn_port port;
};

static void close_victim(void *context)
{
	struct closer *closer = context;

	evtchn_close(closer->victim.port);
	closer->victim.port = EVTCHN_NONE;
}

static void closer_setup(void *argument)
{
	struct closer *closer = argument;
	uint16_t self = closer->victim.remote_domid;
	evtchn_port other;

	ck_assert_int_eq(evtchn_alloc_unbound(self, close_victim, closer, &closer->port), 0);
	ck_assert_int_eq(evtchn_alloc_unbound(self, count_event, &closer->victim, &other), 0);
	/* Binding to oneself makes both ends' events come in one pass. */
	ck_assert_int_eq(evtchn_bind_interdomain(self, closer->port, count_event, closer, &other),
			 0);
	evtchn_notify(other);
	closer->victim.port = other;
	evtchn_close(EVTCHN_NONE);
}

START_TEST(a_handler_may_close_a_port_of_the_same_pass)
{
	struct host_options options = host_options_default(HOST_STEPPED);
	struct host_machine *machine = host_machine_create(&options);
	struct closer closer = { 0 };
	struct host_domain *domain = host_domain_create(machine, "one", 8);

	closer.victim.remote_domid = host_domid(domain);
	host_call(domain, closer_setup, &closer);
	host_run_for(machine, 5 * MS);
	ck_assert_uint_eq(closer.victim.port, EVTCHN_NONE);
	ck_assert_uint_eq(closer.victim.events, 0);
	host_machine_destroy(machine);
}
END_TEST

static void notify_unopened(void *argument)
{
	(void)argument;
	evtchn_notify(17);
}

START_TEST(notifying_a_port_that_is_not_open_aborts)
{
	struct host_options options = host_options_default(HOST_STEPPED);
	struct host_machine *machine = host_machine_create(&options);

	host_call(host_domain_create(machine, "one", 8), notify_unopened, NULL);
}
END_TEST

TCase *host_evtchn_tests(void)
{
	TCase *tests = tcase_create("event channels");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, an_event_arrives_once_and_a_bind_starts_with_one, 0, 2);
	tcase_add_loop_test(tests, a_masked_port_keeps_its_event, 0, 2);
	tcase_add_loop_test(tests, only_the_domain_that_a_port_was_made_for_can_bind_it, 0, 2);
	tcase_add_loop_test(tests, notifying_a_dead_or_closed_end_does_nothing, 0, 2);
	tcase_add_loop_test(tests, no_wake_up_is_lost, 0, 2);
	tcase_add_test(tests, a_handler_may_close_a_port_of_the_same_pass);
	tcase_add_test_raise_signal(tests, notifying_a_port_that_is_not_open_aborts, 6);
	return tests;
}
