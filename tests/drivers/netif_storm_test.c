/* SPDX-License-Identifier: ISC */
/*
 * Neighbours that send events or change their state without end: what they can cost is
 * bounded, what they mean is not lost, and nobody else is served later. All is stepped,
 * so times and counts are the same in every run.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_back_scene.h"
#include "tests/drivers/netif_front_scene.h"
#include "tests/drivers/netif_suites.h"
#include "xen/fiber.h"

#define STORM_NS (2 * WORLD_SECOND)
#define STORM_STEP_NS 100000u
/* One every 32 ms, and those before it comes to that: of 20,000. */
#define STORM_EVENTS (2000u / 32u + 32u)
/* The longest that ports stay masked, and a look at it. */
#define LONGEST_NS (33 * WORLD_MS)
#define AT_ONCE_NS WORLD_MS

static void pause_for(uint64_t ns)
{
	fiber_sleep_until(clock_now_ns() + ns);
}

static uint64_t upcalls(struct host_domain *domain)
{
	return host_domain_costs(domain).upcalls;
}

static uint64_t store_requests(struct host_domain *domain)
{
	return host_domain_costs(domain).store_requests;
}

static void storm(evtchn_port port)
{
	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		evtchn_notify(port);
		pause_for(STORM_STEP_NS);
	}
}

/* ---- events of a client ---- */

struct client {
	struct front_scene scene;
	uint64_t slowest_ns; /* from a request to its answer */
};

static void client_begin(struct client *client)
{
	front_scene_begin(&client->scene, HOST_STEPPED, 0);
	world_reset_traffic(&client->scene.world, 0);
	front_scene_connect(&client->scene);
}

static void client_storm(void *argument)
{
	struct client *client = argument;

	storm(client->scene.front.port);
}

/* Sends a frame that is answered, and learns how long that takes. */
static void send_and_wait(struct client *client)
{
	struct hostile_frontend *front = &client->scene.front;
	uint64_t begin = clock_now_ns();
	uint64_t took;

	front_put(front, front->grefs[HOSTILE_READ], 0, 100, 0);
	hostile_publish(front);
	while (*(volatile uint32_t *)&front->tx->rsp_prod != front->tx_next &&
	       clock_now_ns() < begin + WORLD_SECOND)
		pause_for(10000);
	took = clock_now_ns() - begin;
	client->slowest_ns = took > client->slowest_ns ? took : client->slowest_ns;
}

static void client_sends_once(void *argument)
{
	send_and_wait(argument);
}

static void client_sends_twenty(void *argument)
{
	for (int i = 0; i < 20; i++)
		send_and_wait(argument);
}

/* XSA-331, 332 */
START_TEST(a_client_that_only_notifies_is_heard_less_and_less)
{
	struct client client = { 0 };
	struct host_domain *server;
	uint64_t before;

	client_begin(&client);
	server = client.scene.world.server.domain;
	before = upcalls(server);
	host_call_fiber_must(client.scene.attacker, client_storm, &client);
	ck_assert_uint_le(upcalls(server) - before, STORM_EVENTS);
	front_scene_end(&client.scene);
}
END_TEST

START_TEST(work_is_found_after_a_storm_and_ends_it)
{
	struct client client = { 0 };

	client_begin(&client);
	for (int i = 0; i < 3; i++) {
		client.slowest_ns = 0;
		host_call_fiber_must(client.scene.attacker, client_storm, &client);
		host_call_fiber_must(client.scene.attacker, client_sends_once, &client);
		ck_assert_uint_lt(client.slowest_ns, LONGEST_NS);
		client.slowest_ns = 0;
		host_call_fiber_must(client.scene.attacker, client_sends_twenty, &client);
		ck_assert_uint_lt(client.slowest_ns, AT_ONCE_NS);
	}
	front_scene_end(&client.scene);
}
END_TEST

/* As one does that notifies for each slot, also when nobody asked. */
static void client_is_talkative(void *argument)
{
	struct client *client = argument;
	struct hostile_frontend *front = &client->scene.front;

	for (int i = 0; i < 100; i++) {
		send_and_wait(client);
		for (int more = 0; more < 6; more++) {
			evtchn_notify(front->port);
			pause_for(20000);
		}
	}
}

/* A client that does this is answered at once, from the first frame to the last. */
static void assert_not_slowed(void (*does)(void *client))
{
	struct client client = { 0 };

	client_begin(&client);
	host_call_fiber_must(client.scene.attacker, does, &client);
	ck_assert_uint_lt(client.slowest_ns, AT_ONCE_NS);
	front_scene_end(&client.scene);
}

START_TEST(events_too_many_do_not_slow_a_client_that_works)
{
	assert_not_slowed(client_is_talkative);
}
END_TEST

static void client_posts_one_by_one(void *argument)
{
	struct client *client = argument;

	for (int i = 0; i < 200; i++) {
		hostile_post_rx(&client->scene.front, 1);
		hostile_publish(&client->scene.front);
		pause_for(20000);
	}
	send_and_wait(client);
}

START_TEST(posted_buffers_are_work)
{
	assert_not_slowed(client_posts_one_by_one);
}
END_TEST

/* ---- events of the uplink's backend ---- */

static void backend_storm(void *argument)
{
	struct back_scene *scene = argument;

	storm(scene->back.port);
}

/* A frame, which the victim sends back; and soon. */
static void backend_delivers(void *argument)
{
	struct back_scene *scene = argument;
	uint32_t waiting = hostile_tx_waiting(&scene->back);
	uint64_t begin = clock_now_ns();

	ck_assert_int_eq(hostile_deliver(&scene->back, 100, 0), 0);
	hostile_backend_publish(&scene->back);
	while (hostile_tx_waiting(&scene->back) == waiting && clock_now_ns() < begin + WORLD_SECOND)
		pause_for(10000);
	ck_assert_uint_lt(clock_now_ns() - begin, LONGEST_NS);
}

START_TEST(a_backend_that_only_notifies_is_heard_less_and_less)
{
	struct back_scene scene = { 0 };
	struct host_domain *victim;
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	victim = back_victim(&scene)->guest.domain;
	before = upcalls(victim);
	host_call_fiber_must(scene.attacker, backend_storm, &scene);
	ck_assert_uint_le(upcalls(victim) - before, STORM_EVENTS);
	host_call_fiber_must(scene.attacker, backend_delivers, &scene);
	back_scene_end(&scene);
}
END_TEST

/* Says over and over that the first slot of a packet is there, and then that it is not. */
static void backend_index_swings(void *argument)
{
	struct back_scene *scene = argument;
	struct hostile_backend *back = &scene->back;
	uint32_t answered = back->rx_answered;
	struct netif_rx_response response = { .id = hostile_rx_request(back, 0).id,
					      .flags = NETRXF_more_data,
					      .status = 100 };

	hostile_answer_rx(back, &response);
	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		answered ^= 1;
		hostile_backend_jump(back, back->tx_answered, answered);
		pause_for(STORM_STEP_NS);
	}
}

START_TEST(an_index_that_swings_is_no_work)
{
	struct back_scene scene = { 0 };
	struct host_domain *victim;
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	host_run_for(scene.world.machine, WORLD_MS);
	victim = back_victim(&scene)->guest.domain;
	before = upcalls(victim);
	host_call_fiber_must(scene.attacker, backend_index_swings, &scene);
	ck_assert_uint_le(upcalls(victim) - before, STORM_EVENTS);
	back_scene_end(&scene);
}
END_TEST

/* ---- states ---- */

#define WRITE_STEP_NS 500000u
/* A burst of 16, then ten in a second, of two nodes each. */
#define LOOK_REQUESTS (2u * (16u + 20u + 2u))

static void client_writes_its_state(void *argument)
{
	struct front_scene *scene = argument;

	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		hostile_frontend_set_state(&scene->front, XenbusStateConnected);
		pause_for(WRITE_STEP_NS);
	}
}

static void client_says_connected(void *argument)
{
	struct front_scene *scene = argument;

	hostile_frontend_set_state(&scene->front, XenbusStateConnected);
}

static void client_closes(void *argument)
{
	struct front_scene *scene = argument;

	hostile_frontend_set_state(&scene->front, XenbusStateClosed);
}

/* XSA-349; and what it wrote last is seen. */
START_TEST(a_client_that_writes_its_state_without_end_is_looked_at_now_and_then)
{
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;
	uint64_t before;

	client_begin(&client);
	host_run_for(scene->world.machine, 2 * WORLD_SECOND);
	before = store_requests(scene->world.server.domain);
	host_call_fiber_must(scene->attacker, client_writes_its_state, scene);
	ck_assert_uint_le(store_requests(scene->world.server.domain) - before, LOOK_REQUESTS);
	host_call_fiber_must(scene->attacker, client_closes, scene);
	ck_assert(
		host_run_until(scene->world.machine, front_is_disconnected, scene, 200 * WORLD_MS));
	front_scene_end(scene);
}
END_TEST

static void client_runs_through_states(void *argument)
{
	struct front_scene *scene = argument;

	for (uint64_t end = clock_now_ns() + STORM_NS, i = 0; clock_now_ns() < end; i++) {
		hostile_frontend_set_state(&scene->front,
					   i % 2 ? XenbusStateConnected : XenbusStateInitialising);
		pause_for(WRITE_STEP_NS);
	}
}

/* Each of its changes makes us write, which lists all clients anew. */
START_TEST(a_client_that_runs_through_states_costs_as_little)
{
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;
	uint64_t before;

	client_begin(&client);
	host_run_for(scene->world.machine, 2 * WORLD_SECOND);
	before = store_requests(scene->world.server.domain);
	host_call_fiber_must(scene->attacker, client_runs_through_states, scene);
	/* Of 38 looks, each may connect it: with the listing some sixty requests. */
	ck_assert_uint_le(store_requests(scene->world.server.domain) - before, 38 * 60);
	front_scene_end(scene);
}
END_TEST

START_TEST(a_look_reads_the_nodes_of_one_client)
{
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;
	uint64_t before;

	client_begin(&client);
	host_run_for(scene->world.machine, 2 * WORLD_SECOND);
	before = store_requests(scene->world.server.domain);
	for (int i = 0; i < 5; i++) {
		host_call_fiber_must(scene->attacker, client_says_connected, scene);
		host_run_for(scene->world.machine, WORLD_MS);
	}
	ck_assert_uint_eq(store_requests(scene->world.server.domain) - before, 5 * 2);
	front_scene_end(scene);
}
END_TEST

static void begin_writing(void *argument)
{
	if (fiber_start("write", client_runs_through_states, argument))
		abort();
}

static uint64_t attach_ns(struct world *world, uint32_t index)
{
	uint64_t begin = host_now_ns(world->machine);

	world_client_start(world, index);
	ck_assert_int_eq(world_attach(world, index), 0);
	return host_now_ns(world->machine) - begin;
}

/* Another client with a frontend made for it, which comes up. */
static void other_connect(struct front_scene *scene, struct front_scene *other)
{
	other->world.machine = scene->world.machine;
	other->attacker = host_domain_create(scene->world.machine, "other", 64);
	other->vif = scene->vif;
	other->vif.frontend = other->attacker;
	hostile_frontend_init(&other->front, other->attacker, scene->world.server.domain, 0);
	front_scene_connect(other);
}

static uint64_t begin_again_ns(struct front_scene *scene)
{
	uint64_t begin = host_now_ns(scene->world.machine);

	host_call_fiber_must(scene->attacker, front_begin_again, scene);
	ck_assert_int_eq(scene->front.error, 0);
	return host_now_ns(scene->world.machine) - begin;
}

START_TEST(a_restless_client_keeps_nobody_else_waiting)
{
	static struct front_scene other;
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;
	struct world *world = &scene->world;
	uint64_t alone;

	client_begin(&client);
	alone = attach_ns(world, 1);
	other_connect(scene, &other);
	host_call(scene->attacker, begin_writing, scene);
	host_run_for(world->machine, WORLD_SECOND);
	ck_assert_uint_lt(attach_ns(world, 2), alone + 30 * WORLD_MS);
	ck_assert_uint_lt(begin_again_ns(&other), 20 * WORLD_MS);
	host_run_for(world->machine, WORLD_SECOND);
	ck_assert_int_eq(host_toolstack_destroy_domain(other.attacker), 0);
	for (uint32_t i = 1; i <= 2; i++)
		ck_assert_int_eq(host_toolstack_detach_vif(world->clients[i].guest.domain, 0), 0);
	front_scene_end(scene);
}
END_TEST

START_TEST(a_client_may_begin_again_at_once)
{
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;

	client_begin(&client);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_lt(begin_again_ns(scene), 20 * WORLD_MS);
	front_scene_end(scene);
}
END_TEST

/* What many restless clients together can make us do, for we write there for each. */
START_TEST(listings_have_a_pace_of_their_own)
{
	struct client client = { 0 };
	struct front_scene *scene = &client.scene;
	struct host_machine *machine;
	uint64_t before;
	char path[128];

	client_begin(&client);
	machine = scene->world.machine;
	host_run_for(machine, 2 * WORLD_SECOND);
	host_backend_path(&scene->vif, path, 100);
	strcat(path, "/hotplug-status");
	before = store_requests(scene->world.server.domain);
	for (uint64_t end = host_now_ns(machine) + STORM_NS; host_now_ns(machine) < end;) {
		host_store_write(machine, path, "connected");
		host_run_for(machine, WRITE_STEP_NS);
	}
	/* A burst of 64, then fifty in a second, of the three directories and two vifs. */
	ck_assert_uint_le(store_requests(scene->world.server.domain) - before,
			  (64 + 100 + 2) * (3 + 2 * 2));
	front_scene_end(scene);
}
END_TEST

/* Both drivers as they are, so neither's pace is in the way of a handshake. */
START_TEST(an_honest_pair_connects_again_at_once)
{
	struct world world;
	uint64_t begin;

	world_begin(&world, HOST_STEPPED);
	world_client_start(&world, 0);
	for (int i = 0; i < 4; i++) {
		begin = host_now_ns(world.machine);
		ck_assert_int_eq(world_attach(&world, 0), 0);
		ck_assert_uint_lt(host_now_ns(world.machine) - begin, 20 * WORLD_MS);
		ck_assert_int_eq(host_toolstack_detach_vif(world.clients[0].guest.domain, 0), 0);
	}
	world_end(&world);
}
END_TEST

static void backend_writes_its_state(void *argument)
{
	struct back_scene *scene = argument;

	for (uint64_t end = clock_now_ns() + STORM_NS; clock_now_ns() < end;) {
		hostile_backend_set_state(&scene->back, XenbusStateConnected);
		pause_for(WRITE_STEP_NS);
	}
}

START_TEST(a_backend_that_writes_its_state_without_end_is_looked_at_now_and_then)
{
	struct back_scene scene = { 0 };
	struct host_domain *victim;
	uint64_t before;

	back_scene_begin(&scene, HOST_STEPPED, 0);
	back_scene_connect(&scene);
	victim = back_victim(&scene)->guest.domain;
	host_run_for(scene.world.machine, 2 * WORLD_SECOND);
	before = store_requests(victim);
	host_call_fiber_must(scene.attacker, backend_writes_its_state, &scene);
	ck_assert_uint_le(store_requests(victim) - before, LOOK_REQUESTS);
	ck_assert(back_victim_is_up(&scene));
	back_scene_end(&scene);
}
END_TEST

TCase *netif_storm_tests(void)
{
	TCase *tests = tcase_create("storm");

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, a_client_that_only_notifies_is_heard_less_and_less, 1);
	MODES_TEST_STEPPED(tests, work_is_found_after_a_storm_and_ends_it, 1);
	MODES_TEST_STEPPED(tests, events_too_many_do_not_slow_a_client_that_works, 1);
	MODES_TEST_STEPPED(tests, posted_buffers_are_work, 1);
	MODES_TEST_STEPPED(tests, a_backend_that_only_notifies_is_heard_less_and_less, 1);
	MODES_TEST_STEPPED(tests, an_index_that_swings_is_no_work, 1);
	MODES_TEST_STEPPED(tests,
			   a_client_that_writes_its_state_without_end_is_looked_at_now_and_then, 1);
	MODES_TEST_STEPPED(tests, a_client_that_runs_through_states_costs_as_little, 1);
	MODES_TEST_STEPPED(tests, a_look_reads_the_nodes_of_one_client, 1);
	MODES_TEST_STEPPED(tests, a_restless_client_keeps_nobody_else_waiting, 1);
	MODES_TEST_STEPPED(tests, a_client_may_begin_again_at_once, 1);
	MODES_TEST_STEPPED(tests, listings_have_a_pace_of_their_own, 1);
	MODES_TEST_STEPPED(tests, an_honest_pair_connects_again_at_once, 1);
	MODES_TEST_STEPPED(
		tests, a_backend_that_writes_its_state_without_end_is_looked_at_now_and_then, 1);
	return tests;
}
