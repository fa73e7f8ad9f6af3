/* SPDX-License-Identifier: ISC */
/*
 * Frontends and backends that lie about queues. A frontend that asks for what it does not
 * provide is not connected, or harms itself alone, while an honest client's transfer goes
 * on; a backend that offers nonsense is taken for one with a single queue.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"
#include "tests/host/hostile_backend.h"
#include "tests/host/hostile_frontend.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define QUEUES 2u

/* ---- a frontend that lies ---- */

/* Each half has the rings, grants and port of a queue. */
struct scene {
	struct world world;
	struct host_domain *attacker;
	struct hostile_frontend queues[QUEUES];
	struct host_vif vif;
	uint32_t server_pages;
	int error;
};

/* A key below device/vif/0. The value is its number when `text` is NULL. */
static void key_write(const char *key, const char *text, uint32_t number)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "device/vif/0/%s", key);
	if (text ? store_write(0, path, text) : store_writef(0, path, "%u", number))
		abort();
}

static void queue_keys_write(uint32_t index, uint32_t tx, uint32_t rx, evtchn_port port)
{
	char key[40];

	snprintf(key, sizeof(key), "queue-%u/tx-ring-ref", index);
	key_write(key, NULL, tx);
	snprintf(key, sizeof(key), "queue-%u/rx-ring-ref", index);
	key_write(key, NULL, rx);
	snprintf(key, sizeof(key), "queue-%u/event-channel", index);
	key_write(key, NULL, port);
}

static void queue_truth_write(struct scene *scene, uint32_t index)
{
	const struct hostile_frontend *queue = &scene->queues[index];

	queue_keys_write(index, queue->tx_gref, queue->rx_gref, queue->port);
}

/*
 * Rings and ports of all queues, and no more of the handshake than that: the keys are
 * left out and the state says that there is nothing yet.
 */
static void queues_make(struct scene *scene)
{
	for (uint32_t i = 0; i < QUEUES; i++) {
		struct hostile_frontend *queue = &scene->queues[i];

		hostile_frontend_init(queue, scene->attacker, scene->world.server.domain, 0);
		queue->keys.tx_ring_ref = queue->keys.rx_ring_ref = "";
		queue->keys.event_channel = "";
		queue->keys.state = XenbusStateInitialising;
		hostile_frontend_connect(queue);
		if (queue->error != -ETIMEDOUT)
			abort();
	}
}

static void connected_say(struct scene *scene)
{
	struct hostile_frontend *front = &scene->queues[0];
	uint64_t deadline = clock_now_ns() + WORLD_SECOND;

	hostile_frontend_set_state(front, XenbusStateConnected);
	scene->error = -ETIMEDOUT;
	while (scene->error && clock_now_ns() < deadline) {
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
		if (hostile_frontend_peer_state(front) == XenbusStateConnected)
			scene->error = 0;
	}
}

static void scene_begin(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	world_begin(&scene->world, HOST_STEPPED);
	scene->server_pages = world_collect(&scene->world.server)->pages_out;
	scene->world.clients[0].guest.guest.max_queues = QUEUES;
	world_client_start(&scene->world, 0);
	ck_assert_int_eq(world_attach(&scene->world, 0), 0);
	world_reset_traffic(&scene->world, 0);
	world_send(&scene->world, 0, 500, 500);
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = scene->attacker,
					.backend = scene->world.server.domain,
					.mac = "00:16:3e:66:66:66",
					.ip = "10.137.0.66" };
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
}

static uint32_t mapped_of_attacker(struct scene *scene)
{
	return host_domain_counters(scene->world.server.domain).mapped - 2 * QUEUES;
}

static void scene_end(struct scene *scene)
{
	struct world *world = &scene->world;

	world_attacker_leaves(world, scene->attacker, scene->server_pages);
	world_end(world);
}

/* What the store must hold for a connection; then each lie spoils one part of it. */
static void truth_write(struct scene *scene)
{
	key_write("multi-queue-num-queues", NULL, QUEUES);
	for (uint32_t i = 0; i < QUEUES; i++)
		queue_truth_write(scene, i);
}

static void key_remove(const char *key)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "device/vif/0/%s", key);
	if (store_remove(0, path))
		abort();
}

static void no_first_queue(struct scene *scene)
{
	(void)scene;
	key_remove("queue-0");
}

static void no_second_queue(struct scene *scene)
{
	(void)scene;
	key_remove("queue-1");
}

static void no_rx_ring(struct scene *scene)
{
	(void)scene;
	key_remove("queue-1/rx-ring-ref");
}

static void no_port(struct scene *scene)
{
	(void)scene;
	key_remove("queue-1/event-channel");
}

/* As a frontend writes that knows nothing of queues. */
static void flat_keys_write(const struct scene *scene)
{
	key_write("tx-ring-ref", NULL, scene->queues[0].tx_gref);
	key_write("rx-ring-ref", NULL, scene->queues[0].rx_gref);
	key_write("event-channel", NULL, scene->queues[0].port);
}

static void keys_of_one_queue(struct scene *scene)
{
	no_first_queue(scene);
	no_second_queue(scene);
	flat_keys_write(scene);
}

/* With one queue the folder is not looked at. */
static void one_queue_in_a_folder(struct scene *scene)
{
	(void)scene;
	key_write("multi-queue-num-queues", NULL, 1);
}

static void the_same_port_twice(struct scene *scene)
{
	const struct hostile_frontend *queue = &scene->queues[1];

	queue_keys_write(1, queue->tx_gref, queue->rx_gref, scene->queues[0].port);
}

static void the_same_port_for_both_directions(struct scene *scene)
{
	key_write("queue-1/event-channel-tx", NULL, scene->queues[1].port);
	key_write("queue-1/event-channel-rx", NULL, scene->queues[1].port);
}

/* All that is needed for one queue is there too: a wrong number is no excuse for it. */
static void number_write(const struct scene *scene, const char *text)
{
	flat_keys_write(scene);
	key_write("multi-queue-num-queues", text, 0);
}

struct lie {
	const char *number; /* of queues, when it is the lie */
	void (*spoil)(struct scene *scene);
};

static const struct lie lies[] = {
	{ "0", NULL },
	{ "5", NULL },
	{ "4294967295", NULL },
	{ "4294967297", NULL },
	{ "4294967298", NULL },
	{ "18446744073709551618", NULL },
	{ "-1", NULL },
	{ "two", NULL },
	{ "2 of them", NULL },
	{ "", NULL },
	{ "222222222222222222222222222222222222222222222222222222222222", NULL },
	{ NULL, no_first_queue },
	{ NULL, no_second_queue },
	{ NULL, no_rx_ring },
	{ NULL, no_port },
	{ NULL, keys_of_one_queue },
	{ NULL, one_queue_in_a_folder },
	{ NULL, the_same_port_twice },
	{ NULL, the_same_port_for_both_directions },
};

struct telling {
	struct scene *scene;
	const struct lie *lie;
};

static void lie_tell(void *argument)
{
	struct telling *telling = argument;

	queues_make(telling->scene);
	truth_write(telling->scene);
	if (telling->lie->number)
		number_write(telling->scene, telling->lie->number);
	else
		telling->lie->spoil(telling->scene);
	connected_say(telling->scene);
}

START_TEST(lies_about_queues_are_refused)
{
	struct scene scene;
	struct telling telling = { &scene, &lies[_i] };

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, lie_tell, &telling);
	ck_assert_msg(scene.error == -ETIMEDOUT, "connected");
	ck_assert_uint_eq(mapped_of_attacker(&scene), 0);
	ck_assert_uint_eq(host_domain_counters(scene.attacker).held, 0);
	scene_end(&scene);
}
END_TEST

/* ---- connected, with several queues ---- */

static void connect_truly(void *argument)
{
	queues_make(argument);
	truth_write(argument);
	connected_say(argument);
}

/* All rings are one: whatever comes of it, it is the attacker's own loss. */
static void connect_with_one_page(void *argument)
{
	struct scene *scene = argument;
	uint32_t page;

	queues_make(scene);
	page = scene->queues[0].tx_gref;
	truth_write(scene);
	for (uint32_t i = 0; i < QUEUES; i++)
		queue_keys_write(i, page, page, scene->queues[i].port);
	connected_say(scene);
}

static void connect_with_rings_shared(void *argument)
{
	struct scene *scene = argument;

	queues_make(scene);
	truth_write(scene);
	queue_keys_write(1, scene->queues[0].tx_gref, scene->queues[0].rx_gref,
			 scene->queues[1].port);
	connected_say(scene);
}

/* UDP frames from `port`, which the server sends back. */
static void frames_send(struct hostile_frontend *queue, uint32_t count, uint8_t port)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *frame = queue->pages[HOSTILE_READ];
		struct netif_tx_request request = hostile_good_tx(queue, 100);

		frame[12] = 8;
		frame[13] = 0;
		frame[14] = 0x45;
		frame[20] = frame[21] = 0;
		frame[23] = 17;
		frame[35] = port;
		hostile_put_tx(queue, &request);
	}
	hostile_publish(queue);
}

/* Each is read before the next is made: they all lie in one page. */
static void frames_of_many_ports(void *argument)
{
	struct scene *scene = argument;

	for (uint32_t i = 0; i < QUEUES; i++)
		hostile_post_rx(&scene->queues[i], 100);
	for (uint32_t port = 0; port < 40; port++) {
		frames_send(&scene->queues[port % QUEUES], 1, (uint8_t)port);
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
	}
}

START_TEST(every_queue_carries_frames)
{
	struct scene scene;

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, connect_truly, &scene);
	ck_assert_int_eq(scene.error, 0);
	ck_assert_uint_eq(mapped_of_attacker(&scene), 2 * QUEUES);
	host_call_fiber_must(scene.attacker, frames_of_many_ports, &scene);
	host_run_for(scene.world.machine, 20 * WORLD_MS);
	ck_assert_uint_eq(scene.queues[0].tx->rsp_prod, 20);
	ck_assert_uint_eq(scene.queues[1].tx->rsp_prod, 20);
	ck_assert_uint_gt(scene.queues[0].rx->rsp_prod, 5);
	ck_assert_uint_gt(scene.queues[1].rx->rsp_prod, 5);
	ck_assert_uint_eq(scene.queues[0].rx->rsp_prod + scene.queues[1].rx->rsp_prod, 40);
	scene_end(&scene);
}
END_TEST

static void attack_every_queue(void *argument)
{
	struct scene *scene = argument;

	for (uint32_t i = 0; i < QUEUES; i++) {
		hostile_post_rx(&scene->queues[i], 100);
		frames_send(&scene->queues[i], 100, (uint8_t)i);
	}
}

START_TEST(rings_that_are_one_page_are_the_attackers_loss)
{
	static void (*const ways[])(void *) = { connect_with_one_page, connect_with_rings_shared };
	struct scene scene;

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, ways[_i], &scene);
	for (int i = 0; i < 5; i++) {
		host_call(scene.attacker, attack_every_queue, &scene);
		host_run_for(scene.world.machine, 20 * WORLD_MS);
	}
	scene_end(&scene);
}
END_TEST

/* One broken ring ends the connection, with all its queues. */
static void last_ring_jump(void *argument)
{
	struct scene *scene = argument;
	struct hostile_frontend *queue = &scene->queues[QUEUES - 1];

	hostile_jump(queue, queue->tx_next + 1000, queue->rx_next);
}

START_TEST(a_broken_queue_ends_the_connection)
{
	struct scene scene;

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, connect_truly, &scene);
	ck_assert_int_eq(scene.error, 0);
	host_call(scene.attacker, attack_every_queue, &scene);
	host_call(scene.attacker, last_ring_jump, &scene);
	host_run_for(scene.world.machine, 50 * WORLD_MS);
	ck_assert_uint_eq(mapped_of_attacker(&scene), 0);
	ck_assert_uint_eq(host_domain_counters(scene.attacker).held, 0);
	scene_end(&scene);
}
END_TEST

START_TEST(a_client_dies_with_slots_on_every_queue)
{
	struct scene scene;

	scene_begin(&scene);
	host_call_fiber_must(scene.attacker, connect_truly, &scene);
	host_call(scene.attacker, attack_every_queue, &scene);
	host_domain_kill(scene.attacker);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	scene_end(&scene);
}
END_TEST

/* ---- a backend that lies ---- */

struct offer {
	const char *max_queues;
	uint32_t taken; /* of four that the frontend can */
};

static const struct offer offers[] = {
	{ NULL, 1 },   { "0", 1 },	    { "two", 1 },
	{ "-1", 1 },   { "3 perhaps", 1 },  { "99999999999999999999999999", 1 },
	{ "1", 1 },    { "3", 3 },	    { "4", 4 },
	{ "1000", 4 }, { "4294967295", 4 }, { "4294967297", 4 },
};

struct offering {
	struct world world;
	struct hostile_backend back;
};

static void offer_make(void *argument)
{
	struct hostile_backend *back = argument;

	while (hostile_backend_peer_state(back) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_offer(back);
}

static void offer_begin(void *argument)
{
	if (fiber_start("offer", offer_make, argument))
		abort();
}

START_TEST(nonsense_offers_are_one_queue)
{
	struct offering scene = { 0 };
	struct world_guest *guest = &scene.world.clients[0].guest;
	struct host_domain *attacker;
	struct host_vif vif;
	char path[96], directory[64];

	world_begin(&scene.world, HOST_STEPPED);
	guest->guest.max_queues = 4;
	world_client_start(&scene.world, 0);
	attacker = host_domain_create(scene.world.machine, "attacker", 64);
	vif = (struct host_vif){ .frontend = guest->domain,
				 .backend = attacker,
				 .mac = "00:16:3e:00:00:01" };
	hostile_backend_init(&scene.back, attacker, guest->domain, 0);
	scene.back.max_queues = offers[_i].max_queues;
	host_call(attacker, offer_begin, &scene.back);
	ck_assert_int_eq(host_toolstack_attach_vif(&vif), 0);
	host_frontend_path(&vif, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/state", directory);
	ck_assert_int_eq(host_store_wait_number(scene.world.machine, path, XenbusStateConnected,
						5 * WORLD_SECOND),
			 0);
	snprintf(path, sizeof(path), "%s/multi-queue-num-queues", directory);
	ck_assert_int_eq(host_store_number(scene.world.machine, path),
			 offers[_i].taken == 1 ? -1 : (int64_t)offers[_i].taken);
	ck_assert_uint_eq(host_domain_counters(guest->domain).ports - guest->clean.ports,
			  offers[_i].taken);
	host_domain_kill(attacker);
	snprintf(path, sizeof(path), "/local/domain/%u", host_domid(attacker));
	host_store_remove(scene.world.machine, path);
	host_run_for(scene.world.machine, 15 * WORLD_SECOND);
	ck_assert_int_eq(host_toolstack_detach_vif(guest->domain, 0), 0);
	ck_assert_int_eq(world_attach(&scene.world, 0), 0);
	world_exchange(&scene.world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_detach_vif(guest->domain, 0), 0);
	world_assert_clean(guest, "client");
	ck_assert_uint_eq(world_collect(guest)->quarantined, 0);
	world_end(&scene.world);
}
END_TEST

TCase *netif_hostile_queues_tests(void)
{
	TCase *tests = tcase_create("hostile-queues");

	tcase_set_timeout(tests, 120);
	MODES_TEST_STEPPED(tests, lies_about_queues_are_refused, (int)ARRAY_SIZE(lies));
	MODES_TEST_STEPPED(tests, every_queue_carries_frames, 1);
	MODES_TEST_STEPPED(tests, rings_that_are_one_page_are_the_attackers_loss, 2);
	MODES_TEST_STEPPED(tests, a_broken_queue_ends_the_connection, 1);
	MODES_TEST_STEPPED(tests, a_client_dies_with_slots_on_every_queue, 1);
	MODES_TEST_STEPPED(tests, nonsense_offers_are_one_queue, (int)ARRAY_SIZE(offers));
	return tests;
}
