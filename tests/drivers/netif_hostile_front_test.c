/* SPDX-License-Identifier: ISC */
/*
 * netback against frontends that break every rule, while an honest client's transfer
 * goes on. Each attack says what must become of it: the packets dropped for a named
 * reason, the attacker disconnected, or nothing. The server sends back what the
 * attacker sends, so its RX ring is used too.
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
#include "tests/host/hostile_frontend.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"

#define ATTACKS_EACH 3
#define LOG_BURST 5u /* of LOG_LIMIT_INIT */

enum outcome {
	DROPPED, /* for the reason given; the vif lives */
	BROKEN,	 /* the vif is disconnected */
	HARMLESS /* the vif lives; the packets may pass */
};

struct attack {
	const char *name;
	void (*run)(struct hostile_frontend *front);
	enum outcome outcome;
	enum drop_reason reason;
};

/* ---- building blocks ---- */

static void put(struct hostile_frontend *front, uint32_t gref, uint32_t offset, uint32_t size,
		uint16_t flags)
{
	struct netif_tx_request request = { .gref = gref,
					    .offset = (uint16_t)offset,
					    .size = (uint16_t)size,
					    .flags = flags,
					    .id = (uint16_t)front->tx_next };

	hostile_put_tx(front, &request);
}

static void send_one(struct hostile_frontend *front, uint32_t gref, uint32_t offset, uint32_t size)
{
	put(front, gref, offset, size, 0);
	hostile_publish(front);
}

/* A chain of `count` slots of `each` bytes; the first says `total`. */
static void send_chain(struct hostile_frontend *front, uint32_t count, uint32_t total,
		       uint32_t each)
{
	for (uint32_t i = 0; i < count; i++)
		put(front, front->grefs[HOSTILE_READ], 0, i ? each : total,
		    i + 1 < count ? NETTXF_more_data : 0);
	hostile_publish(front);
}

static void send_extra(struct hostile_frontend *front, uint8_t type, uint8_t flags,
		       uint8_t gso_type, uint16_t gso_size)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };

	extra.u.gso.type = gso_type;
	extra.u.gso.size = gso_size;
	put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_extra_info);
	hostile_put_extra(front, &extra);
	hostile_publish(front);
}

/* ---- indices ---- */

static void tx_index_far_ahead(struct hostile_frontend *front)
{
	hostile_jump(front, front->tx_next + HOSTILE_RING + 1, front->rx_next);
}

static void tx_index_backwards(struct hostile_frontend *front)
{
	hostile_jump(front, front->tx_next - 1, front->rx_next);
}

static void tx_index_half_round(struct hostile_frontend *front)
{
	hostile_jump(front, front->tx_next + 0x80000000u, front->rx_next);
}

static void rx_index_far_ahead(struct hostile_frontend *front)
{
	put(front, front->grefs[HOSTILE_READ], 0, 60, 0);
	hostile_jump(front, front->tx_next, front->rx_next + 3 * HOSTILE_RING);
}

static void rx_index_backwards(struct hostile_frontend *front)
{
	hostile_post_rx(front, 1);
	put(front, front->grefs[HOSTILE_READ], 0, 60, 0);
	hostile_jump(front, front->tx_next, front->rx_next - 2);
}

/* ---- single slots ---- */

static void beyond_the_page(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_READ], 4000, 97);
}

static void far_beyond_the_page(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_READ], 0xffff, 0xffff);
}

static void wrapping_sum(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_READ], 0xfff0, 60);
}

static void no_bytes(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_READ], 0, 0);
}

static void less_than_a_header(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_READ], 0, 13);
}

static void reference_zero(struct hostile_frontend *front)
{
	send_one(front, 0, 0, 60);
}

static void reference_huge(struct hostile_frontend *front)
{
	send_one(front, UINT32_MAX, 0, 60);
}

static void reference_never_granted(struct hostile_frontend *front)
{
	send_one(front, 3000, 0, 60);
}

static void reference_revoked(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_REVOKED], 0, 60);
}

static void reference_for_another_domain(struct hostile_frontend *front)
{
	send_one(front, front->grefs[HOSTILE_FOREIGN], 0, 60);
}

/* ---- chains ---- */

static void first_smaller_than_the_rest(struct hostile_frontend *front)
{
	send_chain(front, 3, 100, 1000);
}

static void first_equal_to_the_rest(struct hostile_frontend *front)
{
	send_chain(front, 3, 200, 100);
}

/* XSA-448 */
static void empty_fragment(struct hostile_frontend *front)
{
	send_chain(front, 4, 500, 0);
}

static void nineteen_slots(struct hostile_frontend *front)
{
	send_chain(front, 19, 2000, 100);
}

static void twenty_slots(struct hostile_frontend *front)
{
	send_chain(front, 20, 2000, 100);
}

/* XSA-39 */
static void twenty_one_slots(struct hostile_frontend *front)
{
	send_chain(front, 21, 2200, 100);
}

static void more_without_end(struct hostile_frontend *front)
{
	for (uint32_t i = 0; i < HOSTILE_RING; i++)
		put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_more_data);
	hostile_publish(front);
}

static void chain_into_nothing(struct hostile_frontend *front)
{
	put(front, front->grefs[HOSTILE_READ], 0, 200, NETTXF_more_data);
	hostile_publish(front);
}

/* XSA-432: as many slots as are legal, with a byte or two in each. */
static void eighteen_tiny_slots(struct hostile_frontend *front)
{
	send_chain(front, 18, 17 + 14, 1);
}

static void a_bad_slot_in_the_middle(struct hostile_frontend *front)
{
	put(front, front->grefs[HOSTILE_READ], 0, 3000, NETTXF_more_data);
	put(front, 2999, 0, 1000, NETTXF_more_data);
	put(front, front->grefs[HOSTILE_READ], 0, 1000, 0);
	hostile_publish(front);
}

/* ---- extras ---- */

static void extra_promised_not_sent(struct hostile_frontend *front)
{
	put(front, front->grefs[HOSTILE_READ], 0, 60, NETTXF_extra_info);
	hostile_publish(front);
}

static void extra_of_type_none(struct hostile_frontend *front)
{
	send_extra(front, XEN_NETIF_EXTRA_TYPE_NONE, 0, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void extra_of_unknown_type(struct hostile_frontend *front)
{
	send_extra(front, 255, 0, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void gso_of_unknown_type(struct hostile_frontend *front)
{
	send_extra(front, XEN_NETIF_EXTRA_TYPE_GSO, 0, 77, 1000);
}

static void gso_of_size_zero(struct hostile_frontend *front)
{
	send_extra(front, XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void gso_larger_than_the_packet(struct hostile_frontend *front)
{
	send_extra(front, XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0xffff);
}

static void extras_without_end(struct hostile_frontend *front)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO,
					  .flags = XEN_NETIF_EXTRA_FLAG_MORE };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1000;
	put(front, front->grefs[HOSTILE_READ], 0, 60, NETTXF_extra_info);
	for (uint32_t i = 1; i < HOSTILE_RING; i++)
		hostile_put_extra(front, &extra);
	hostile_publish(front);
}

static void extra_behind_the_second_slot(struct hostile_frontend *front)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1000;
	put(front, front->grefs[HOSTILE_READ], 0, 200, NETTXF_more_data);
	put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_extra_info);
	hostile_put_extra(front, &extra);
	hostile_publish(front);
}

/* ---- what only looks wrong, and what must not cost others anything ---- */

static void the_same_id_again_and_again(struct hostile_frontend *front)
{
	hostile_post_rx(front, 10);
	for (uint32_t i = 0; i < 10; i++) {
		struct netif_tx_request request = hostile_good_tx(front, 100);

		request.id = 7;
		hostile_put_tx(front, &request);
	}
	hostile_publish(front);
}

static void blank_checksum_without_a_transport(struct hostile_frontend *front)
{
	put(front, front->grefs[HOSTILE_READ], 0, 14, NETTXF_csum_blank);
	hostile_publish(front);
}

static void every_flag_that_there_is(struct hostile_frontend *front)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = 0xfe };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1;
	put(front, front->grefs[HOSTILE_READ], 0, 200, 0xffff);
	hostile_put_extra(front, &extra);
	put(front, front->grefs[HOSTILE_READ], 0, 100,
	    0xffff & ~(NETTXF_more_data | NETTXF_extra_info));
	hostile_publish(front);
}

/* XSA-332 */
static void storm_of_events(struct hostile_frontend *front)
{
	for (uint32_t i = 0; i < 5000; i++)
		evtchn_notify(front->port);
}

/* XSA-391 and 392: sends at full speed, and takes nothing. */
static void floods_and_posts_nothing(struct hostile_frontend *front)
{
	while (front->tx_next - *(volatile uint32_t *)&front->tx->rsp_prod < HOSTILE_RING)
		put(front, front->grefs[HOSTILE_READ], 0, 1514, 0);
	hostile_publish(front);
}

/* Answers do not fit: the pages it posts are read-only, revoked, or nobody's. */
static void rx_buffers_that_cannot_be_written(struct hostile_frontend *front)
{
	hostile_put_rx(front, 1, front->grefs[HOSTILE_READ]);
	hostile_put_rx(front, 1, front->grefs[HOSTILE_REVOKED]);
	hostile_put_rx(front, 0xffff, UINT32_MAX);
	for (uint32_t i = 0; i < 3; i++)
		put(front, front->grefs[HOSTILE_READ], 0, 100, 0);
	hostile_publish(front);
}

static const struct attack attacks[] = {
	{ "tx_index_far_ahead", tx_index_far_ahead, BROKEN, 0 },
	{ "tx_index_backwards", tx_index_backwards, BROKEN, 0 },
	{ "tx_index_half_round", tx_index_half_round, BROKEN, 0 },
	{ "rx_index_far_ahead", rx_index_far_ahead, BROKEN, 0 },
	{ "rx_index_backwards", rx_index_backwards, BROKEN, 0 },
	{ "beyond_the_page", beyond_the_page, DROPPED, DROP_BAD_SLOTS },
	{ "far_beyond_the_page", far_beyond_the_page, DROPPED, DROP_BAD_SLOTS },
	{ "wrapping_sum", wrapping_sum, DROPPED, DROP_BAD_SLOTS },
	{ "no_bytes", no_bytes, DROPPED, DROP_BAD_SLOTS },
	{ "less_than_a_header", less_than_a_header, DROPPED, DROP_BAD_SLOTS },
	{ "reference_zero", reference_zero, DROPPED, DROP_COPY_FAILED },
	{ "reference_huge", reference_huge, DROPPED, DROP_COPY_FAILED },
	{ "reference_never_granted", reference_never_granted, DROPPED, DROP_COPY_FAILED },
	{ "reference_revoked", reference_revoked, DROPPED, DROP_COPY_FAILED },
	{ "reference_for_another_domain", reference_for_another_domain, DROPPED, DROP_COPY_FAILED },
	{ "first_smaller_than_the_rest", first_smaller_than_the_rest, DROPPED, DROP_BAD_SLOTS },
	{ "first_equal_to_the_rest", first_equal_to_the_rest, DROPPED, DROP_BAD_SLOTS },
	{ "empty_fragment", empty_fragment, DROPPED, DROP_BAD_SLOTS },
	{ "nineteen_slots", nineteen_slots, DROPPED, DROP_BAD_SLOTS },
	{ "twenty_slots", twenty_slots, DROPPED, DROP_BAD_SLOTS },
	{ "twenty_one_slots", twenty_one_slots, BROKEN, 0 },
	{ "more_without_end", more_without_end, BROKEN, 0 },
	{ "chain_into_nothing", chain_into_nothing, BROKEN, 0 },
	{ "eighteen_tiny_slots", eighteen_tiny_slots, HARMLESS, 0 },
	{ "a_bad_slot_in_the_middle", a_bad_slot_in_the_middle, DROPPED, DROP_COPY_FAILED },
	{ "extra_promised_not_sent", extra_promised_not_sent, BROKEN, 0 },
	{ "extra_of_type_none", extra_of_type_none, BROKEN, 0 },
	{ "extra_of_unknown_type", extra_of_unknown_type, BROKEN, 0 },
	{ "gso_of_unknown_type", gso_of_unknown_type, BROKEN, 0 },
	{ "gso_of_size_zero", gso_of_size_zero, BROKEN, 0 },
	{ "gso_larger_than_the_packet", gso_larger_than_the_packet, HARMLESS, 0 },
	{ "extras_without_end", extras_without_end, BROKEN, 0 },
	{ "extra_behind_the_second_slot", extra_behind_the_second_slot, BROKEN, 0 },
	{ "the_same_id_again_and_again", the_same_id_again_and_again, HARMLESS, 0 },
	{ "blank_checksum_without_a_transport", blank_checksum_without_a_transport, HARMLESS, 0 },
	{ "every_flag_that_there_is", every_flag_that_there_is, HARMLESS, 0 },
	{ "storm_of_events", storm_of_events, HARMLESS, 0 },
	{ "floods_and_posts_nothing", floods_and_posts_nothing, DROPPED, DROP_RING_FULL },
	{ "rx_buffers_that_cannot_be_written", rx_buffers_that_cannot_be_written, DROPPED,
	  DROP_COPY_FAILED },
};

#define ATTACK_COUNT (int)(sizeof(attacks) / sizeof(attacks[0]))

/* ---- the scene ---- */

struct scene {
	struct world world;
	struct host_domain *attacker;
	struct hostile_frontend front;
	struct host_vif vif;
	const struct attack *attack;
	uint64_t drops_before;
	uint32_t server_pages;
	uint32_t peer_state;
};

static void scene_begin(struct scene *scene, enum host_mode mode, uint32_t variant)
{
	world_begin_variant(&scene->world, mode, variant);
	scene->server_pages = world_collect(&scene->world.server)->pages_out;
	world_client_start(&scene->world, 0);
	ck_assert_int_eq(world_attach(&scene->world, 0), 0);
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = scene->attacker,
					.backend = scene->world.server.domain,
					.mac = "00:16:3e:66:66:66",
					.ip = "10.137.0.66" };
	hostile_frontend_init(&scene->front, scene->attacker, scene->world.server.domain, 0);
}

static void attacker_connect(struct scene *scene)
{
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	host_call_fiber_must(scene->attacker, hostile_frontend_connect, &scene->front);
	ck_assert_int_eq(scene->front.error, 0);
}

static void read_peer_state(void *argument)
{
	struct scene *scene = argument;

	scene->peer_state = hostile_frontend_peer_state(&scene->front);
}

static bool is_disconnected(void *argument)
{
	struct scene *scene = argument;
	char path[128];

	return host_store_number(scene->world.machine,
				 strcat((char *)host_backend_path(&scene->vif, path, 100),
					"/state")) >= XenbusStateClosing;
}

/* The attacker goes, the honest client too, and the server is as it was. */
static void scene_end(struct scene *scene)
{
	struct world *world = &scene->world;

	ck_assert_int_eq(host_toolstack_destroy_domain(scene->attacker), 0);
	ck_assert_uint_eq(host_domain_counters(scene->attacker).held, 0);
	ck_assert(world_wait_arrived(world, 0, 60 * WORLD_SECOND));
	world_assert_traffic(world, 0, true);
	world_exchange(world, 0, 100, 100);
	ck_assert_int_eq(host_toolstack_detach_vif(world->clients[0].guest.domain, 0), 0);
	world_assert_clean(&world->server, "server");
	ck_assert_uint_eq(world_collect(&world->server)->packets_out, 0);
	ck_assert_uint_eq(world_collect(&world->server)->pages_out, scene->server_pages);
	world_end(world);
}

static void attack_once(void *argument)
{
	struct scene *scene = argument;

	scene->attack->run(&scene->front);
}

static uint64_t drops_now(struct scene *scene)
{
	return world_collect(&scene->world.server)->drops[scene->attack->reason];
}

static bool drops_are_counted(void *argument)
{
	struct scene *scene = argument;

	return drops_now(scene) > scene->drops_before;
}

/* Nothing of the attacker's pages is held any more: only the honest client's rings. */
static bool two_are_mapped(void *argument)
{
	struct scene *scene = argument;

	return host_domain_counters(scene->world.server.domain).mapped == 2;
}

static void assert_outcome(struct scene *scene)
{
	const struct attack *attack = scene->attack;

	if (attack->outcome == BROKEN) {
		ck_assert_msg(host_run_until(scene->world.machine, is_disconnected, scene,
					     10 * WORLD_SECOND),
			      "%s: the attacker stays connected", attack->name);
		host_run_for(scene->world.machine, 20 * WORLD_MS);
		ck_assert(two_are_mapped(scene));
		return;
	}
	host_call_fiber_must(scene->attacker, read_peer_state, scene);
	ck_assert_msg(scene->peer_state == XenbusStateConnected, "%s: disconnected", attack->name);
	if (attack->outcome == DROPPED)
		ck_assert_msg(host_run_until(scene->world.machine, drops_are_counted, scene,
					     WORLD_SECOND),
			      "%s: no drop counted as %s", attack->name,
			      scene->world.server.program->drop_name(attack->reason));
}

START_TEST(hostile_frontend_attack)
{
	struct scene scene = { .attack = &attacks[_i % ATTACK_COUNT] };

	scene_begin(&scene, _i < ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	attacker_connect(&scene);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	scene.drops_before = drops_now(&scene);
	for (int i = 0; i < (scene.attack->outcome == BROKEN ? 1 : ATTACKS_EACH); i++) {
		host_call(scene.attacker, attack_once, &scene);
		host_run_for(scene.world.machine, 10 * WORLD_MS);
	}
	assert_outcome(&scene);
	scene_end(&scene);
}
END_TEST

/* ---- lies in the store ---- */

struct lie {
	const char *name;
	struct hostile_keys keys;
};

#define KEYS .request_rx_copy = "1", .features = "1", .state = XenbusStateConnected

static const struct lie lies[] = {
	{ "no tx ring", { KEYS, .tx_ring_ref = "" } },
	{ "no rx ring", { KEYS, .rx_ring_ref = "" } },
	{ "no port", { KEYS, .event_channel = "" } },
	{ "ring is a word", { KEYS, .tx_ring_ref = "ring" } },
	{ "ring is negative", { KEYS, .rx_ring_ref = "-1" } },
	{ "ring has 33 bits", { KEYS, .tx_ring_ref = "4294967304" } },
	{ "ring has too many digits", { KEYS, .tx_ring_ref = "99999999999999999999999999" } },
	{ "ring is reserved", { KEYS, .tx_ring_ref = "0" } },
	{ "ring is not granted", { KEYS, .rx_ring_ref = "3999" } },
	{ "port 0", { KEYS, .event_channel = "0" } },
	{ "port of nobody", { KEYS, .event_channel = "900" } },
	{ "port is huge", { KEYS, .event_channel = "4294967295" } },
	{ "no rx copy", { .request_rx_copy = "0", .features = "1", .state = 4 } },
	{ "rx copy is a sentence",
	  { .request_rx_copy = "one or so", .features = "1", .state = 4 } },
	{ "no queue", { KEYS, .queues = "0" } },
	{ "two queues", { KEYS, .queues = "2" } },
	{ "queues are huge", { KEYS, .queues = "18446744073709551615" } },
	{ "features are words", { .request_rx_copy = "1", .features = "many", .state = 1 } },
	{ "state 0", { .request_rx_copy = "1", .features = "1", .state = 0 } },
	{ "state 7", { .request_rx_copy = "1", .features = "1", .state = 7 } },
	{ "state 99", { .request_rx_copy = "1", .features = "1", .state = 99 } },
	{ "state 4294967295", { .request_rx_copy = "1", .features = "1", .state = UINT32_MAX } },
};

START_TEST(hostile_frontend_lie)
{
	struct scene scene = { 0 };

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	scene.front.keys = lies[_i].keys;
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	host_call_fiber_must(scene.attacker, hostile_frontend_connect, &scene.front);
	ck_assert_msg(scene.front.error == -ETIMEDOUT, "%s: connected", lies[_i].name);
	ck_assert_uint_eq(host_domain_counters(scene.world.server.domain).mapped, 2);
	scene_end(&scene);
}
END_TEST

/* The RX ring is the TX ring: whatever comes of it, it is the attacker's own loss. */
static void connect_with_one_ring(void *argument)
{
	struct hostile_frontend *front = argument;

	hostile_frontend_connect(front);
	hostile_post_rx(front, 200);
	put(front, front->grefs[HOSTILE_READ], 0, 100, 0);
	hostile_publish(front);
}

START_TEST(hostile_frontend_with_one_page_for_both_rings)
{
	struct scene scene = { 0 };

	scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.rx_ring_ref = "8"; /* the first reference, which is the TX ring's */
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	host_call_fiber_must(scene.attacker, connect_with_one_ring, &scene.front);
	host_run_for(scene.world.machine, 20 * WORLD_MS);
	scene_end(&scene);
}
END_TEST

/* ---- states ---- */

/* XSA-350: connects, sends, and runs through states without waiting for anybody. */
static void flap(void *argument)
{
	struct scene *scene = argument;
	struct host_machine *machine = scene->world.machine;

	for (int i = 0; i < 60; i++) {
		hostile_frontend_set_state(&scene->front, (uint32_t)(host_random(machine) % 8));
		if (scene->front.tx && host_random(machine) % 2) {
			put(&scene->front, scene->front.grefs[HOSTILE_READ], 0, 100, 0);
			hostile_publish(&scene->front);
		}
		if (host_random(machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() + host_random(machine) % 2000000);
	}
	hostile_frontend_set_state(&scene->front, XenbusStateClosed);
}

START_TEST(hostile_frontend_flaps)
{
	struct scene scene = { 0 };

	scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	attacker_connect(&scene);
	for (int i = 0; i < 5; i++) {
		host_call_fiber_must(scene.attacker, flap, &scene);
		host_run_for(scene.world.machine, 20 * WORLD_MS);
	}
	ck_assert(host_run_until(scene.world.machine, two_are_mapped, &scene, 10 * WORLD_SECOND));
	scene_end(&scene);
}
END_TEST

/* A kexec: the same domain begins again without having closed. */
static void begin_again(void *argument)
{
	struct scene *scene = argument;

	hostile_frontend_set_state(&scene->front, XenbusStateInitialising);
	hostile_frontend_connect(&scene->front);
}

START_TEST(a_frontend_may_begin_again_without_closing)
{
	struct scene scene = { 0 };

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	attacker_connect(&scene);
	for (int i = 0; i < 10; i++) {
		host_call_fiber_must(scene.attacker, begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
		ck_assert_uint_eq(host_domain_counters(scene.world.server.domain).mapped, 4);
		ck_assert_uint_le(host_domain_counters(scene.attacker).held, 2);
	}
	scene_end(&scene);
}
END_TEST

/* XSA-300: what all clients together may have mapped is bounded by their number. */
START_TEST(one_domain_with_many_vifs_gets_no_more_than_there_are)
{
	struct scene scene = { 0 };
	uint32_t attached = 0;

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	while (attached < 2 * NETIF_GUEST_CLIENTS && !host_toolstack_attach_vif(&scene.vif)) {
		attached++;
		scene.vif.devid++;
	}
	ck_assert_uint_eq(attached, NETIF_GUEST_CLIENTS - 1);
	/* The one too many is served when there is room for it. */
	ck_assert_int_eq(host_toolstack_detach_vif(scene.attacker, 0), 0);
	ck_assert_int_eq(host_toolstack_detach_vif(scene.attacker, scene.vif.devid), 0);
	scene_end(&scene);
}
END_TEST

/* XSA-43: each line that a client causes costs it a token of its own bucket. */
START_TEST(a_frontend_that_begins_again_and_again_fills_no_log)
{
	struct scene scene = { 0 };
	uint32_t lines;
	uint64_t begin;

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	attacker_connect(&scene);
	lines = world_collect(&scene.world.server)->log_lines;
	begin = host_now_ns(scene.world.machine);
	for (int i = 0; i < 100; i++)
		host_call_fiber_must(scene.attacker, begin_again, &scene);
	ck_assert_uint_lt(host_now_ns(scene.world.machine) - begin, 10 * WORLD_SECOND);
	ck_assert_uint_le(world_collect(&scene.world.server)->log_lines - lines,
			  2 * (LOG_BURST + 10));
	scene_end(&scene);
}
END_TEST

/* XSA-349: a neighbour that writes a watched node in a loop. */
static void write_states(void *argument)
{
	struct scene *scene = argument;

	for (int i = 0; i < 2000; i++)
		hostile_frontend_set_state(&scene->front, XenbusStateConnected);
}

START_TEST(hostile_frontend_writes_its_state_without_end)
{
	struct scene scene = { 0 };
	struct host_counters before, after;

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	attacker_connect(&scene);
	world_send(&scene.world, 0, 500, 500);
	before = host_domain_counters(scene.world.server.domain);
	host_call_fiber_must(scene.attacker, write_states, &scene);
	after = host_domain_counters(scene.world.server.domain);
	ck_assert_uint_eq(after.allocations, before.allocations);
	scene_end(&scene);
}
END_TEST

/* ---- rings that change under the backend's eyes ---- */

static void mutate(struct scene *scene, uint32_t count)
{
	struct host_machine *machine = scene->world.machine;
	struct hostile_frontend *front = &scene->front;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t draw = host_random(machine);
		volatile uint32_t *word = (void *)&front->tx->ring[0];

		/* Mostly fields of slots near those in use, now and then anything. */
		if (draw % 3 == 0)
			word = (void *)&front->rx->ring[0];
		word[(draw >> 8) % 768] =
			draw % 5 ? (uint32_t)(draw >> 40) : front->grefs[draw % 3];
	}
}

static void attack_at_random(void *argument)
{
	struct scene *scene = argument;
	struct hostile_frontend *front = &scene->front;
	struct host_machine *machine = scene->world.machine;

	for (int i = 0; i < 50; i++) {
		uint32_t slots = 1 + (uint32_t)(host_random(machine) % 20);

		hostile_post_rx(front, (uint32_t)(host_random(machine) % 8));
		while (slots--) {
			uint64_t draw = host_random(machine);

			put(front, front->grefs[draw % 3], (uint32_t)(draw >> 8) % 4200,
			    (uint32_t)(draw >> 24) % 2000, (uint16_t)((draw >> 40) & 0x0f));
		}
		mutate(scene, (uint32_t)(host_random(machine) % 3));
		if (host_random(machine) % 50 == 0)
			hostile_jump(front, (uint32_t)host_random(machine), front->rx_next);
		else
			hostile_publish(front);
	}
}

/* A thread of the attacker that writes while the backend reads: double fetches show. */
static void mutate_for_long(void *argument)
{
	mutate(argument, 200000);
}

START_TEST(hostile_frontend_at_random)
{
	struct scene scene = { 0 };

	scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	attacker_connect(&scene);
	for (int i = 0; i < 20; i++) {
		host_call(scene.attacker, attack_at_random, &scene);
		if (_i & 1)
			host_call(scene.attacker, mutate_for_long, &scene);
		host_run_for(scene.world.machine, WORLD_MS);
		if (!is_disconnected(&scene))
			continue;
		host_call_fiber_must(scene.attacker, begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
	}
	scene_end(&scene);
}
END_TEST

/* ---- dying ---- */

START_TEST(hostile_frontend_dies_with_slots_on_the_ring)
{
	struct scene scene = { .attack = &attacks[_i] };

	scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	attacker_connect(&scene);
	host_call(scene.attacker, attack_once, &scene);
	host_domain_kill(scene.attacker);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	scene_end(&scene);
}
END_TEST

TCase *netif_hostile_front_tests(void)
{
	TCase *tests = tcase_create("hostile-front");

	tcase_set_timeout(tests, 120);
	NETIF_TEST_TWICE(tests, hostile_frontend_attack, ATTACK_COUNT);
	NETIF_TEST_STEPPED(tests, hostile_frontend_lie, (int)(sizeof(lies) / sizeof(lies[0])));
	NETIF_TEST_STEPPED(tests, hostile_frontend_with_one_page_for_both_rings, 1);
	NETIF_TEST_BY_TURNS(tests, hostile_frontend_flaps, 6);
	NETIF_TEST_STEPPED(tests, a_frontend_may_begin_again_without_closing, 1);
	NETIF_TEST_STEPPED(tests, one_domain_with_many_vifs_gets_no_more_than_there_are, 1);
	NETIF_TEST_STEPPED(tests, a_frontend_that_begins_again_and_again_fills_no_log, 1);
	NETIF_TEST_STEPPED(tests, hostile_frontend_writes_its_state_without_end, 1);
	NETIF_TEST_BY_TURNS(tests, hostile_frontend_at_random, 8);
	NETIF_TEST_STEPPED(tests, hostile_frontend_dies_with_slots_on_the_ring, ATTACK_COUNT);
	return tests;
}
