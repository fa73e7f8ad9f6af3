/* SPDX-License-Identifier: ISC */
/*
 * Peers that write what they like into the shared page: each lie by itself, with what must
 * come of it, and then everything at random, for as long as somebody reads and writes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/libxenvchan.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "tests/xen/vchan_suites.h"
#include "tests/xen/vchan_world.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/store.h"

#define ORDER 12u

/* The liar's own hold on the page: as client it maps it, as server it makes it. */
struct liar {
	struct vchan_side *side;
	struct vchan_side *victim;
	bool is_server;
	struct gnttab_mapping mapping;
	struct vchan_interface *page;
	uint32_t page_gref;
	uint32_t data_gref[2];
	uint8_t *data[2];
	evtchn_port port;
	uint16_t left, right; /* orders that a server claims */
	bool has_ended;	      /* a server of which only the nodes are left */
	uint32_t lies;
	atomic_bool stop;
};

static void nothing(void *context)
{
	(void)context;
}

/* ---- a client that lies ---- */

static uint32_t node_number(const struct liar *liar, const char *key)
{
	char path[STORE_PATH_BYTES];
	char node[STORE_PATH_BYTES + 16];
	uint64_t value = 0;

	side_server_path(liar->side, path);
	snprintf(node, sizeof(node), "%s/%s", path, key);
	ck_assert_int_eq(store_read_u64(STORE_NO_TRANSACTION, node, &value), 0);
	return (uint32_t)value;
}

static void liar_map(void *argument)
{
	struct liar *liar = argument;
	uint32_t gref = node_number(liar, "ring-ref");
	uint32_t port = node_number(liar, "event-channel");

	ck_assert_int_eq(gnttab_map(liar->victim->domid, gref, false, &liar->mapping), 0);
	liar->page = liar->mapping.address;
	ck_assert_int_eq(
		evtchn_bind_interdomain(liar->victim->domid, port, nothing, NULL, &liar->port), 0);
	liar->page->cli_live = 1;
	liar->page->srv_notify = 1;
	evtchn_notify(liar->port);
}

static void liar_unmap(void *argument)
{
	struct liar *liar = argument;

	gnttab_unmap(&liar->mapping);
	evtchn_close(liar->port);
	liar->port = EVTCHN_NONE;
}

/* ---- a server that lies ---- */

static void liar_page(struct liar *liar)
{
	liar->page = memory_alloc_pages(1);
	liar->page_gref = (uint32_t)gnttab_grant_access(liar->victim->domid,
							memory_frame_of(liar->page), false);
	for (uint32_t i = 0; i < 2; i++) {
		liar->data[i] = memory_alloc_pages(1);
		liar->data_gref[i] = (uint32_t)gnttab_grant_access(
			liar->victim->domid, memory_frame_of(liar->data[i]), false);
		liar->page->grants[i] = liar->data_gref[i];
	}
	liar->page->left_order = liar->left;
	liar->page->right_order = liar->right;
	liar->page->cli_live = 2;
	liar->page->srv_live = !liar->has_ended;
	liar->page->cli_notify = 1;
}

static void node_offer(const struct liar *liar, const char *key, uint32_t value)
{
	char us[8], them[8], path[STORE_PATH_BYTES];
	const char *rights[] = { us, them };

	snprintf(us, sizeof(us), "n%u", liar->side->domid);
	snprintf(them, sizeof(them), "r%u", liar->victim->domid);
	snprintf(path, sizeof(path), "%s/%s", WORLD_PATH, key);
	ck_assert_int_eq(store_writef(STORE_NO_TRANSACTION, path, "%u", value), 0);
	ck_assert_int_eq(store_set_permissions(path, rights, 2), 0);
}

static void liar_offer(void *argument)
{
	struct liar *liar = argument;

	liar_page(liar);
	ck_assert_int_eq(evtchn_alloc_unbound(liar->victim->domid, nothing, NULL, &liar->port), 0);
	node_offer(liar, "ring-ref", liar->page_gref);
	node_offer(liar, "event-channel", liar->port);
}

static void liar_withdraw(void *argument)
{
	struct liar *liar = argument;

	evtchn_close(liar->port);
	ck_assert_int_eq(gnttab_end_access(liar->page_gref), 0);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_int_eq(gnttab_end_access(liar->data_gref[i]), 0);
	(void)!store_remove(STORE_NO_TRANSACTION, WORLD_PATH);
}

/* ---- both ---- */

static void liar_begin(struct vchan_world *world, struct liar *liar, bool is_server)
{
	uint16_t left = liar->left, right = liar->right;
	bool has_ended = liar->has_ended;

	*liar = (struct liar){
		.side = is_server ? &world->server : &world->client,
		.victim = is_server ? &world->client : &world->server,
		.is_server = is_server,
		.left = left,
		.right = right,
		.has_ended = has_ended,
	};
	world->left = world->right = ORDER;
	world->index = 0;
	if (is_server) {
		host_call_fiber_must(liar->side->domain, liar_offer, liar);
		host_call_fiber_must(liar->victim->domain, side_connect, liar->victim);
		return;
	}
	host_call_fiber_must(liar->victim->domain, side_listen, liar->victim);
	host_call_fiber_must(liar->side->domain, liar_map, liar);
}

static void liar_end(struct liar *liar)
{
	if (liar->victim->vchan)
		host_call_fiber_must(liar->victim->domain, side_close, liar->victim);
	host_call_fiber_must(liar->side->domain, liar->is_server ? liar_withdraw : liar_unmap,
			     liar);
}

/* What the liar writes and reads itself, and what the victim does, by its indices. */
static struct ring_shared *liar_out(const struct liar *liar)
{
	return liar->is_server ? &liar->page->right : &liar->page->left;
}

static struct ring_shared *liar_in(const struct liar *liar)
{
	return liar->is_server ? &liar->page->left : &liar->page->right;
}

/* ---- one lie at a time ---- */

struct lie {
	const char *name;
	void (*tell)(struct liar *liar);
	int result;		/* of the victim's read */
	enum vchan_state state; /* and its state after that */
	uint32_t lines;
};

static void lie_prod_beyond(struct liar *liar)
{
	write_once(liar_out(liar)->prod, (1u << ORDER) + 1);
}

static void lie_prod_far(struct liar *liar)
{
	write_once(liar_out(liar)->prod, 0x80000000u);
}

static void lie_prod_before(struct liar *liar)
{
	write_once(liar_out(liar)->prod, 0u - 1u);
}

static void lie_cons_beyond(struct liar *liar)
{
	write_once(liar_in(liar)->cons, 1);
}

static void lie_cons_before(struct liar *liar)
{
	write_once(liar_in(liar)->cons, 0u - 4096u);
}

/* The victim's own indices: it has better ones. */
static void lie_of_the_other(struct liar *liar)
{
	write_once(liar_out(liar)->cons, 77);
	write_once(liar_in(liar)->prod, 77777);
}

static void lie_orders(struct liar *liar)
{
	write_once(liar->page->left_order, 65535);
	write_once(liar->page->right_order, 10);
}

static void lie_grants(struct liar *liar)
{
	for (uint32_t i = 0; i < 1000; i++)
		write_once(liar->page->grants[i], 0xdeadbeefu + i);
}

static void lie_notify(struct liar *liar)
{
	write_once(liar->page->cli_notify, 0xff);
	write_once(liar->page->srv_notify, 0xff);
}

static void lie_live(struct liar *liar)
{
	write_once(*(liar->is_server ? &liar->page->srv_live : &liar->page->cli_live), 0xff);
}

static void lie_dead(struct liar *liar)
{
	write_once(*(liar->is_server ? &liar->page->srv_live : &liar->page->cli_live), 0);
}

/* The end is for good: it is looked at in between, when the event comes. */
static void lie_dead_and_back(struct liar *liar)
{
	lie_dead(liar);
	evtchn_notify(liar->port);
	fiber_sleep_until(clock_now_ns() + 10 * WORLD_MS);
	lie_live(liar);
}

static const struct lie lies[] = {
	{ "prod one beyond", lie_prod_beyond, -EPROTO, VCHAN_BROKEN, 1 },
	{ "prod far beyond", lie_prod_far, -EPROTO, VCHAN_BROKEN, 1 },
	{ "prod before", lie_prod_before, -EPROTO, VCHAN_BROKEN, 1 },
	{ "cons of what was not written", lie_cons_beyond, -EPROTO, VCHAN_BROKEN, 1 },
	{ "cons before", lie_cons_before, -EPROTO, VCHAN_BROKEN, 1 },
	{ "our own indices", lie_of_the_other, -ETIMEDOUT, VCHAN_CONNECTED, 0 },
	{ "orders", lie_orders, -ETIMEDOUT, VCHAN_CONNECTED, 0 },
	{ "grants", lie_grants, -ETIMEDOUT, VCHAN_CONNECTED, 0 },
	{ "notify bytes", lie_notify, -ETIMEDOUT, VCHAN_CONNECTED, 0 },
	{ "live byte", lie_live, -ETIMEDOUT, VCHAN_CONNECTED, 0 },
	{ "dead", lie_dead, -EPIPE, VCHAN_ENDED, 0 },
	{ "dead and back", lie_dead_and_back, -EPIPE, VCHAN_ENDED, 0 },
};

struct look {
	struct vchan_side *side;
	int result;
	int64_t written;
	enum vchan_state state;
};

static void victim_reads(void *argument)
{
	struct look *look = argument;
	uint8_t bytes[10];

	(void)look->side->program->writable(look->side->vchan);
	look->result = look->side->program->read(look->side->vchan, bytes, sizeof(bytes),
						 clock_now_ns() + 3 * WORLD_SECOND);
	look->state = look->side->program->state(look->side->vchan);
	look->written = look->side->program->try_write(look->side->vchan, bytes, sizeof(bytes));
}

struct telling {
	struct liar *liar;
	const struct lie *lie;
};

static void tell(void *argument)
{
	struct telling *telling = argument;

	telling->lie->tell(telling->liar);
	evtchn_notify(telling->liar->port);
}

static void lie_try(struct vchan_world *world, const struct lie *lie, bool is_server)
{
	struct liar liar = { .left = ORDER, .right = ORDER };
	struct telling telling = { &liar, lie };
	struct look look;
	uint32_t lines;

	liar_begin(world, &liar, is_server);
	look.side = liar.victim;
	lines = liar.victim->program->log_lines();
	host_call_fiber_must(liar.side->domain, tell, &telling);
	host_call_fiber_must(liar.victim->domain, victim_reads, &look);
	ck_assert_msg(look.result == lie->result && look.state == lie->state,
		      "%s: read %d, state %d", lie->name, look.result, look.state);
	if (lie->state == VCHAN_CONNECTED)
		ck_assert_int_eq(look.written, 10);
	else
		ck_assert_int_eq(look.written, lie->result);
	ck_assert_msg(liar.victim->program->log_lines() - lines == lie->lines,
		      "%s: %u lines in the log", lie->name,
		      liar.victim->program->log_lines() - lines);
	liar_end(&liar);
	world_assert_clean(world);
	host_run_for(world->machine, 2 * WORLD_SECOND); /* for the log's bucket */
}

START_TEST(a_lie_ends_one_vchan_with_one_line)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		lie_try(&world, &lies[i], false);
		lie_try(&world, &lies[i], true);
	}
	world_open(&world, 12, 12, 0); /* and the next is served */
	world_close(&world);
	world_end(&world);
}
END_TEST

START_TEST(a_server_with_impossible_orders_is_refused)
{
	static const uint16_t orders[][2] = {
		{ 9, 12 },  { 12, 9 },	{ 0, 0 },     { 21, 12 },      { 12, 21 },    { 10, 10 },
		{ 11, 11 }, { 10, 20 }, { 65535, 1 }, { 12, 32 + 12 }, { 32780, 12 },
	};
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct liar liar = { .left = orders[i][0], .right = orders[i][1] };
		uint32_t lines = world.client.program->log_lines();

		liar_begin(&world, &liar, true);
		ck_assert_msg(world.client.error == -EPROTO, "orders %u and %u: %d", orders[i][0],
			      orders[i][1], world.client.error);
		ck_assert_uint_eq(world.client.program->log_lines() - lines, 1);
		liar_end(&liar);
		world_assert_clean(&world);
		host_run_for(world.machine, 2 * WORLD_SECOND);
	}
	world_end(&world);
}
END_TEST

START_TEST(a_server_that_has_ended_is_none)
{
	struct vchan_world world;
	struct liar liar = { .left = 12, .right = 12, .has_ended = true };

	world_begin(&world, HOST_STEPPED);
	liar_begin(&world, &liar, true);
	ck_assert_int_eq(world.client.error, -EPIPE);
	ck_assert_uint_eq(liar.page->cli_live, 2);
	liar_end(&liar);
	world_end(&world);
}
END_TEST

/* More pages than it grants: what was mapped before the first bad one is let go. */
START_TEST(a_server_with_bad_grants_is_refused)
{
	struct vchan_world world;

	world_begin(&world, HOST_STEPPED);
	for (uint16_t order = 13; order <= 20; order++) {
		struct liar liar = { .left = order, .right = 12 };

		liar_begin(&world, &liar, true);
		ck_assert_int_eq(world.client.error, -EINVAL);
		ck_assert_uint_eq(host_domain_counters(world.client.domain).mapped, 0);
		liar_end(&liar);
		world_assert_clean(&world);
	}
	world_end(&world);
}
END_TEST

/* It says that it is there and is not: found out by asking Xen. */
static void say_connected(void *argument)
{
	struct liar *liar = argument;
	uint32_t gref = node_number(liar, "ring-ref");

	ck_assert_int_eq(gnttab_map(liar->victim->domid, gref, false, &liar->mapping), 0);
	liar->page = liar->mapping.address;
	liar->page->cli_live = 1;
}

START_TEST(a_client_without_an_event_channel_is_none)
{
	struct vchan_world world;
	struct liar liar;
	struct look look;

	world_begin(&world, HOST_STEPPED);
	liar = (struct liar){ .side = &world.client, .victim = &world.server };
	look.side = &world.server;
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	host_call_fiber_must(world.client.domain, say_connected, &liar);
	host_call_fiber_must(world.server.domain, victim_reads, &look);
	ck_assert_int_eq(look.result, -EPIPE);
	liar_end(&liar);
	world_end(&world);
}
END_TEST

/* ---- pages kept ---- */

START_TEST(a_client_that_keeps_pages_gets_no_more_in_the_end)
{
	static struct liar liars[1100];
	struct vchan_world world;
	uint32_t count = 0;

	world_begin(&world, HOST_STEPPED);
	for (; count < ARRAY_SIZE(liars); count++) {
		liars[count] = (struct liar){ .side = &world.client, .victim = &world.server };
		host_call_fiber_must(world.server.domain, side_listen, &world.server);
		if (world.server.error)
			break;
		host_call_fiber_must(world.client.domain, say_connected, &liars[count]);
		host_call_fiber_must(world.server.domain, side_close, &world.server);
	}
	ck_assert_int_eq(world.server.error, -EBUSY);
	ck_assert_uint_eq(count, 1026); /* a page of each; the data's come back */
	ck_assert_uint_eq(world.server.program->held_pages(), count);
	while (count)
		host_call_fiber_must(world.client.domain, liar_unmap, &liars[--count]);
	host_run_for(world.machine, 3 * WORLD_SECOND);
	world_open(&world, 12, 12, 0);
	world_close(&world);
	world_end(&world);
}
END_TEST

/* What one client was sent is nothing for the next. */
static void page_look(void *argument)
{
	struct liar *liar = argument;
	struct gnttab_mapping data;

	say_connected(liar);
	ck_assert_uint_eq(liar->page->srv_notify, 0);
	for (uint32_t i = 2; i < 1000; i++)
		ck_assert_uint_eq(liar->page->grants[i], 0);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(
			gnttab_map(liar->victim->domid, liar->page->grants[i], false, &data), 0);
		for (uint32_t at = 0; at < 4096; at++)
			ck_assert_uint_eq(((uint8_t *)data.address)[at], 0);
		gnttab_unmap(&data);
	}
}

START_TEST(pages_are_empty_when_they_are_used_again)
{
	struct vchan_world world;
	struct liar liar = { 0 };
	struct job jobs[2];

	world_begin(&world, HOST_STEPPED);
	jobs[0] = (struct job){ .side = &world.server, .writes = true, .bytes = 40000 };
	jobs[1] = (struct job){ .side = &world.client, .bytes = 40000 };
	world_open(&world, 13, 14, 0);
	jobs_must(jobs, 2);
	world_close(&world);
	world_assert_clean(&world);
	world.left = world.right = ORDER;
	liar.side = &world.client;
	liar.victim = &world.server;
	host_call_fiber_must(world.server.domain, side_listen, &world.server);
	host_call_fiber_must(world.client.domain, page_look, &liar);
	liar_end(&liar);
	world_end(&world);
}
END_TEST

/* ---- noise ---- */

static void make_noise(void *argument)
{
	struct liar *liar = argument;

	while (!atomic_load(&liar->stop)) {
		evtchn_notify(liar->port);
		liar->lies++;
		fiber_yield();
	}
}

static void start_noise(void *argument)
{
	ck_assert_int_eq(fiber_start("noise", make_noise, argument), 0);
}

static void work_late(void *argument)
{
	struct liar *liar = argument;

	fiber_sleep_until(clock_now_ns() + 300 * WORLD_MS);
	write_once(liar_out(liar)->prod, 10);
	evtchn_notify(liar->port);
}

/* Before it would be time to ask Xen for the peer. */
static void heard_must(struct vchan_world *world, struct liar *liar)
{
	struct job read = { .side = liar->victim, .bytes = 10 };
	uint64_t began = host_now_ns(world->machine);

	jobs_start(&read, 1);
	host_call_fiber_must(liar->side->domain, work_late, liar);
	jobs_wait(&read, 1);
	ck_assert_uint_eq(read.moved, 10);
	ck_assert_uint_lt(host_now_ns(world->machine) - began, 400 * WORLD_MS);
}

START_TEST(a_peer_that_only_notifies_is_heard_less_and_less)
{
	struct vchan_world world;
	struct liar liar = { 0 };
	uint64_t before;

	world_begin(&world, HOST_STEPPED);
	liar_begin(&world, &liar, false);
	host_call(world.client.domain, start_noise, &liar);
	host_run_for(world.machine, 200 * WORLD_MS);
	before = host_domain_costs(world.server.domain).upcalls;
	host_run_for(world.machine, WORLD_SECOND);
	ck_assert_uint_le(host_domain_costs(world.server.domain).upcalls - before, 40);
	ck_assert_uint_gt(liar.lies, 10000);
	atomic_store(&liar.stop, true);
	host_run_for(world.machine, 100 * WORLD_MS);
	heard_must(&world, &liar);
	liar_end(&liar);
	world_end(&world);
}
END_TEST

TCase *vchan_hostile_tests(void)
{
	TCase *cases = tcase_create("hostile");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, a_lie_ends_one_vchan_with_one_line);
	tcase_add_test(cases, a_server_with_impossible_orders_is_refused);
	tcase_add_test(cases, a_server_that_has_ended_is_none);
	tcase_add_test(cases, a_server_with_bad_grants_is_refused);
	tcase_add_test(cases, a_client_without_an_event_channel_is_none);
	tcase_add_test(cases, a_client_that_keeps_pages_gets_no_more_in_the_end);
	tcase_add_test(cases, pages_are_empty_when_they_are_used_again);
	tcase_add_test(cases, a_peer_that_only_notifies_is_heard_less_and_less);
	return cases;
}

/* ---- everything at random ---- */

/* Small steps look like a peer that works, so that lies are told in the middle of it. */
static uint32_t number_near(struct host_machine *machine, uint32_t now)
{
	uint64_t random = host_random(machine);

	switch (random % 8) {
	case 0:
		return (uint32_t)(random >> 32);
	case 1:
		return now - (uint32_t)(random >> 32) % 5000;
	default:
		return now + (uint32_t)(random >> 32) % 300;
	}
}

/* Mostly what an honest peer would do with its own fields, now and then anything anywhere. */
static void lie_at_random(struct liar *liar)
{
	struct host_machine *machine = liar->side->world->machine;
	uint64_t random = host_random(machine);
	uint8_t *bytes = (uint8_t *)liar->page;

	switch (random % 64) {
	case 0:
		write_once(bytes[(random >> 8) % 24], (uint8_t)(random >> 32));
		break;
	case 1:
		write_once(bytes[(random >> 8) % 4096], (uint8_t)(random >> 32));
		break;
	case 2:
		write_once(liar_out(liar)->prod, number_near(machine, liar_out(liar)->prod));
		break;
	case 3:
		write_once(liar_in(liar)->cons, number_near(machine, liar_in(liar)->cons));
		break;
	case 4 ... 9:
		write_once(liar->page->cli_notify, (uint8_t)random % 4);
		write_once(liar->page->srv_notify, (uint8_t)(random >> 8) % 4);
		break;
	case 10 ... 30:
		write_once(liar_in(liar)->cons, liar_in(liar)->prod);
		break;
	case 31 ... 50:
		write_once(liar_out(liar)->prod,
			   liar_out(liar)->cons + (uint32_t)(random >> 8) % 4097);
		break;
	default:
		evtchn_notify(liar->port);
	}
	liar->lies++;
}

static void lie_on(void *argument)
{
	struct liar *liar = argument;

	while (!atomic_load(&liar->stop)) {
		lie_at_random(liar);
		if (host_random(liar->side->world->machine) % 4 == 0)
			fiber_yield();
	}
}

static void start_lying(void *argument)
{
	ck_assert_int_eq(fiber_start("liar", lie_on, argument), 0);
}

struct victim_turn {
	struct vchan_side *side;
	bool writes;
	uint64_t moved;
	atomic_bool done;
};

/* Whatever the answers are; they must come by the deadline, and be possible. */
static void victim_main(void *argument)
{
	struct victim_turn *turn = argument;
	const struct vchan_guest_program *program = turn->side->program;
	struct vchan *vchan = turn->side->vchan;
	uint64_t deadline = clock_now_ns() + 20 * WORLD_MS;
	uint8_t bytes[512];

	memset(bytes, 0x77, sizeof(bytes));
	while (clock_now_ns() < deadline) {
		uint64_t size = 1 + host_random(turn->side->world->machine) % sizeof(bytes);
		int64_t count = turn->writes ? program->try_write(vchan, bytes, size)
					     : program->try_read(vchan, bytes, size);

		ck_assert_int_le(count, (int64_t)size);
		if (count < 0)
			break;
		turn->moved += (uint64_t)count;
		if (count == 0 && turn->writes)
			(void)!program->wait_writable(vchan, deadline);
		else if (count == 0)
			(void)!program->wait_readable(vchan, deadline);
		else
			fiber_yield();
	}
	atomic_store(&turn->done, true);
}

static void start_victim(void *argument)
{
	ck_assert_int_eq(fiber_start("victim", victim_main, argument), 0);
}

static bool victims_are_done(void *argument)
{
	struct victim_turn *turns = argument;

	return atomic_load(&turns[0].done) && atomic_load(&turns[1].done);
}

static bool fibers_are_gone(void *argument)
{
	return host_domain_counters(((struct liar *)argument)->side->domain).fibers == 0;
}

static uint64_t random_round(struct vchan_world *world, bool is_server)
{
	struct liar liar = { .left = ORDER, .right = ORDER };
	struct victim_turn turns[2] = { { .writes = true }, { .writes = false } };

	liar_begin(world, &liar, is_server);
	ck_assert_int_eq(liar.victim->error, 0);
	for (uint32_t i = 0; i < 2; i++) {
		turns[i].side = liar.victim;
		host_call(liar.victim->domain, start_victim, &turns[i]);
	}
	host_call(liar.side->domain, start_lying, &liar);
	ck_assert(host_run_until(world->machine, victims_are_done, turns, 30 * WORLD_SECOND));
	atomic_store(&liar.stop, true);
	ck_assert(host_run_until(world->machine, fibers_are_gone, &liar, 30 * WORLD_SECOND));
	liar_end(&liar);
	world_assert_clean(world);
	return turns[0].moved + turns[1].moved;
}

static void random_rounds(enum host_mode mode, uint32_t rounds)
{
	struct vchan_world world;
	uint64_t moved = 0;

	world_begin(&world, mode);
	for (uint32_t i = 0; i < rounds; i++)
		moved += random_round(&world, i % 2);
	ck_assert_uint_gt(moved, rounds * 100); /* lies were told in the middle of work */
	world_open(&world, 12, 12, 0);
	world_close(&world);
	world_end(&world);
}

START_TEST(a_peer_that_writes_anything_at_any_time)
{
	random_rounds(HOST_STEPPED, 400);
}
END_TEST

START_TEST(a_peer_that_writes_anything_at_any_time_on_threads)
{
	random_rounds(HOST_THREADS, 60);
}
END_TEST

TCase *vchan_hostile_random_tests(void)
{
	TCase *cases = tcase_create("hostile-random");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, a_peer_that_writes_anything_at_any_time);
	tcase_add_test(cases, a_peer_that_writes_anything_at_any_time_on_threads);
	return cases;
}
