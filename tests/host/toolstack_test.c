/* SPDX-License-Identifier: ISC */
/*
 * The toolstack's part and the two hostile peers, tried on one another: what they
 * do when they behave, and what libxl says when a backend does not.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/host/host.h"
#include "tests/host/hostile_backend.h"
#include "tests/host/hostile_frontend.h"
#include "tests/host/suites.h"
#include "tests/host/toolstack.h"
#include "xen/fiber.h"
#include "xen/store.h"

#define MS 1000000ull
#define PATH 128

struct scene {
	struct host_machine *machine;
	struct host_domain *client;
	struct host_domain *server;
	struct host_vif vif;
	struct hostile_frontend front;
	struct hostile_backend back;
};

static void scene_begin(struct scene *scene, int mode)
{
	struct host_options options = host_options_default(HOST_STEPPED);

	options.mode = mode ? HOST_THREADS : HOST_STEPPED;
	*scene = (struct scene){ .machine = host_machine_create(&options) };
	scene->server = host_domain_create(scene->machine, "server", 64);
	scene->client = host_domain_create(scene->machine, "client", 64);
	scene->vif = (struct host_vif){ .frontend = scene->client,
					.backend = scene->server,
					.mac = "00:16:3e:00:00:01",
					.ip = "10.137.0.10",
					.mtu = 1400 };
	hostile_frontend_init(&scene->front, scene->client, scene->server, 0);
	hostile_backend_init(&scene->back, scene->server, scene->client, 0);
}

/* The backend does its part by itself, as soon as the toolstack has written. */
static void server_fiber(void *argument)
{
	struct scene *scene = argument;

	while (hostile_backend_peer_state(&scene->back) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + MS);
	hostile_backend_offer(&scene->back);
	hostile_backend_connect(&scene->back);
}

/* Follows the toolstack's wish to close, waiting `waits` between 6 and the removal. */
static void closing_fiber(void *argument)
{
	struct scene *scene = argument;
	char path[PATH];
	uint64_t online = 1;

	snprintf(path, sizeof(path), "backend/vif/%u/0/online", host_domid(scene->client));
	while (online && store_read_u64(0, path, &online) == 0)
		fiber_sleep_until(clock_now_ns() + MS);
	if (scene->back.tx)
		hostile_backend_release(&scene->back);
	hostile_backend_set_state(&scene->back, XenbusStateClosed);
	fiber_sleep_until(clock_now_ns() + 100 * MS);
	hostile_backend_remove(&scene->back);
}

static void start_server(void *argument)
{
	ck_assert_int_eq(fiber_start("server", server_fiber, argument), 0);
}

static void start_closing(void *argument)
{
	ck_assert_int_eq(fiber_start("closing", closing_fiber, argument), 0);
}

static void connect_both(struct scene *scene)
{
	host_call(scene->server, start_server, scene);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	ck_assert_int_eq(host_call_fiber(scene->client, hostile_frontend_connect, &scene->front),
			 0);
	ck_assert_int_eq(scene->front.error, 0);
	ck_assert_int_eq(scene->back.error, 0);
}

static void assert_nothing_left(struct scene *scene)
{
	struct host_counters server = host_domain_counters(scene->server);
	char path[PATH];

	ck_assert_uint_eq(server.mapped, 0);
	ck_assert_uint_eq(server.ports, 0);
	ck_assert(!host_store_exists(scene->machine,
				     host_backend_path(&scene->vif, path, sizeof(path))));
	ck_assert(!host_store_exists(scene->machine,
				     host_frontend_path(&scene->vif, path, sizeof(path))));
	snprintf(path, sizeof(path), "/local/domain/%u/backend/vif", host_domid(scene->server));
	ck_assert(!host_store_exists(scene->machine, path));
}

/* ---- the store as libxl writes it ---- */

static void server_rights(void *argument)
{
	char path[PATH];
	char text[64];

	(void)argument;
	snprintf(path, sizeof(path), "backend/vif/2/0");
	ck_assert_int_eq(store_get_permissions(path, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "n1 r2");
	ck_assert_int_eq(store_write(0, "backend/vif/2/0/feature-sg", "1"), 0);
	ck_assert_int_eq(store_write(0, "backend/vif/2/1", "1"), -EACCES);
	ck_assert_int_eq(store_write(0, "/local/domain/2/device/vif/0/state", "4"), -EACCES);
	ck_assert_int_eq(store_read(0, "/local/domain/2/device/vif/0/state", text, sizeof(text)),
			 1);
	ck_assert_int_eq(store_write(0, "/local/domain/2/device/vif/0/mtu", "1300"), 0);
}

static void client_rights(void *argument)
{
	char text[64];

	(void)argument;
	ck_assert_int_eq(store_write(0, "device/vif/0/state", "4"), 0);
	ck_assert_int_eq(store_write(0, "device/vif/0/mtu", "9000"), -EACCES);
	ck_assert_int_eq(store_write(0, "/local/domain/1/backend/vif/2/0/state", "4"), -EACCES);
	ck_assert_int_eq(store_read(0, "/local/domain/1/backend/vif/2/0/state", text, sizeof(text)),
			 1);
}

START_TEST(a_vif_has_the_nodes_and_rights_that_libxl_gives)
{
	struct scene scene;
	char path[PATH];
	char text[64];

	scene_begin(&scene, 0);
	host_call(scene.server, start_server, &scene);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	snprintf(path, sizeof(path), "/local/domain/1/backend/vif/2/0/ip");
	ck_assert_int_gt(host_store_read(scene.machine, path, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "10.137.0.10");
	ck_assert_int_eq(host_call_fiber(scene.server, server_rights, NULL), 0);
	ck_assert_int_eq(host_call_fiber(scene.client, client_rights, NULL), 0);
	host_machine_destroy(scene.machine);
}
END_TEST

START_TEST(attaching_to_a_backend_that_sleeps_fails_after_ten_seconds)
{
	struct scene scene;
	uint64_t before;

	scene_begin(&scene, 0);
	before = host_now_ns(scene.machine);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), -ETIMEDOUT);
	ck_assert_uint_ge(host_now_ns(scene.machine) - before, HOST_ATTACH_NS);
	host_machine_destroy(scene.machine);
}
END_TEST

/* ---- the end of a vif ---- */

START_TEST(detach_and_destroy_leave_nothing)
{
	struct scene scene;

	scene_begin(&scene, _i & 1);
	connect_both(&scene);
	ck_assert_uint_eq(host_domain_counters(scene.server).mapped, 2);
	host_call(scene.server, start_closing, &scene);
	if (_i & 2)
		ck_assert_int_eq(host_toolstack_destroy_domain(scene.client), 0);
	else
		ck_assert_int_eq(host_toolstack_detach_vif(scene.client, 0), 0);
	assert_nothing_left(&scene);
	ck_assert_uint_eq(host_domain_counters(scene.client).held, 0);
	host_machine_destroy(scene.machine);
}
END_TEST

static void vanish(void *argument)
{
	struct scene *scene = argument;

	hostile_backend_remove(&scene->back);
}

static void vanish_on_closing(void *argument)
{
	struct scene *scene = argument;
	char path[PATH];
	uint64_t online = 1;

	snprintf(path, sizeof(path), "backend/vif/%u/0/online", host_domid(scene->client));
	while (online && store_read_u64(0, path, &online) == 0)
		fiber_yield();
	vanish(scene);
}

static void start_vanishing(void *argument)
{
	ck_assert_int_eq(fiber_start("vanish", vanish_on_closing, argument), 0);
}

START_TEST(a_backend_that_skips_the_state_6_fails_the_detach)
{
	struct scene scene;

	scene_begin(&scene, 0);
	connect_both(&scene);
	host_call(scene.server, start_vanishing, &scene);
	ck_assert_int_eq(host_toolstack_detach_vif(scene.client, 0), -EINVAL);
	host_machine_destroy(scene.machine);
}
END_TEST

START_TEST(a_backend_that_does_not_close_fails_the_detach_after_ten_seconds)
{
	struct scene scene;
	char path[PATH];

	scene_begin(&scene, 0);
	connect_both(&scene);
	ck_assert_int_eq(host_toolstack_detach_vif(scene.client, 0), -ETIMEDOUT);
	host_frontend_path(&scene.vif, path, sizeof(path));
	ck_assert(host_store_exists(scene.machine, path));
	/* By force everything goes all the same. */
	ck_assert_int_eq(host_toolstack_destroy_domain(scene.client), -ETIMEDOUT);
	ck_assert(!host_store_exists(scene.machine, path));
	ck_assert_uint_eq(host_domain_counters(scene.client).held, 2);
	host_machine_destroy(scene.machine);
}
END_TEST

/* ---- the hostile peers behave, if they are told to ---- */

static void send_one(void *argument)
{
	struct hostile_frontend *front = argument;
	struct netif_tx_request request = hostile_good_tx(front, 60);

	hostile_post_rx(front, 4);
	hostile_put_tx(front, &request);
	hostile_publish(front);
}

static void serve_one(void *argument)
{
	struct hostile_backend *back = argument;

	ck_assert_uint_eq(hostile_tx_waiting(back), 1);
	ck_assert_uint_eq(hostile_tx_request(back, 0).size, 60);
	ck_assert_uint_eq(hostile_rx_waiting(back), 4);
	hostile_backend_drain(back);
	ck_assert_int_eq(hostile_deliver(back, 100, 0), 0);
	hostile_backend_publish(back);
	ck_assert_uint_eq(hostile_rx_waiting(back), 3);
}

START_TEST(hostile_peers_can_talk)
{
	struct scene scene;

	scene_begin(&scene, _i);
	connect_both(&scene);
	host_call(scene.client, send_one, &scene.front);
	host_call(scene.server, serve_one, &scene.back);
	ck_assert_uint_eq(scene.front.tx->rsp_prod, 1);
	ck_assert_uint_eq(scene.front.rx->rsp_prod, 1);
	ck_assert_int_eq(scene.front.rx->ring[0].rsp.status, 100);
	ck_assert_uint_eq(scene.front.pages[HOSTILE_WRITE][99], 0xa5);
	ck_assert_uint_eq(scene.front.pages[HOSTILE_WRITE][100], 0);
	host_call(scene.server, hostile_backend_release, &scene.back);
	host_call(scene.client, hostile_frontend_release, &scene.front);
	ck_assert_uint_eq(host_domain_counters(scene.client).granted, 0);
	ck_assert_uint_eq(host_domain_counters(scene.client).ports, 0);
	host_machine_destroy(scene.machine);
}
END_TEST

TCase *host_toolstack_tests(void)
{
	TCase *tests = tcase_create("toolstack");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_vif_has_the_nodes_and_rights_that_libxl_gives);
	tcase_add_test(tests, attaching_to_a_backend_that_sleeps_fails_after_ten_seconds);
	tcase_add_loop_test(tests, detach_and_destroy_leave_nothing, 0, 4);
	tcase_add_test(tests, a_backend_that_skips_the_state_6_fails_the_detach);
	tcase_add_test(tests, a_backend_that_does_not_close_fails_the_detach_after_ten_seconds);
	tcase_add_loop_test(tests, hostile_peers_can_talk, 0, 2);
	return tests;
}
