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
#include "tests/drivers/netif_front_scene.h"
#include "tests/drivers/netif_suites.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"

#define ATTACKS_EACH 3

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

static void send_one(struct hostile_frontend *front, uint32_t gref, uint32_t offset, uint32_t size)
{
	front_put(front, gref, offset, size, 0);
	hostile_publish(front);
}

/* A chain of `count` slots of `each` bytes; the first says `total`. */
static void send_chain(struct hostile_frontend *front, uint32_t count, uint32_t total,
		       uint32_t each)
{
	for (uint32_t i = 0; i < count; i++)
		front_put(front, front->grefs[HOSTILE_READ], 0, i ? each : total,
			  i + 1 < count ? NETTXF_more_data : 0);
	hostile_publish(front);
}

static void send_extra(struct hostile_frontend *front, uint8_t type, uint8_t flags,
		       uint8_t gso_type, uint16_t gso_size)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };

	extra.u.gso.type = gso_type;
	extra.u.gso.size = gso_size;
	front_put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_extra_info);
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
	front_put(front, front->grefs[HOSTILE_READ], 0, 60, 0);
	hostile_jump(front, front->tx_next, front->rx_next + 3 * HOSTILE_RING);
}

static void rx_index_backwards(struct hostile_frontend *front)
{
	hostile_post_rx(front, 1);
	front_put(front, front->grefs[HOSTILE_READ], 0, 60, 0);
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
		front_put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_more_data);
	hostile_publish(front);
}

static void chain_into_nothing(struct hostile_frontend *front)
{
	front_put(front, front->grefs[HOSTILE_READ], 0, 200, NETTXF_more_data);
	hostile_publish(front);
}

/* XSA-432: as many slots as are legal, with a byte or two in each. */
static void eighteen_tiny_slots(struct hostile_frontend *front)
{
	send_chain(front, 18, 17 + 14, 1);
}

static void a_bad_slot_in_the_middle(struct hostile_frontend *front)
{
	front_put(front, front->grefs[HOSTILE_READ], 0, 3000, NETTXF_more_data);
	front_put(front, 2999, 0, 1000, NETTXF_more_data);
	front_put(front, front->grefs[HOSTILE_READ], 0, 1000, 0);
	hostile_publish(front);
}

/* ---- extras ---- */

static void extra_promised_not_sent(struct hostile_frontend *front)
{
	front_put(front, front->grefs[HOSTILE_READ], 0, 60, NETTXF_extra_info);
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
	front_put(front, front->grefs[HOSTILE_READ], 0, 60, NETTXF_extra_info);
	for (uint32_t i = 1; i < HOSTILE_RING; i++)
		hostile_put_extra(front, &extra);
	hostile_publish(front);
}

static void extra_behind_the_second_slot(struct hostile_frontend *front)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1000;
	front_put(front, front->grefs[HOSTILE_READ], 0, 200, NETTXF_more_data);
	front_put(front, front->grefs[HOSTILE_READ], 0, 100, NETTXF_extra_info);
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
	front_put(front, front->grefs[HOSTILE_READ], 0, 14, NETTXF_csum_blank);
	hostile_publish(front);
}

static void every_flag_that_there_is(struct hostile_frontend *front)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = 0xfe };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1;
	front_put(front, front->grefs[HOSTILE_READ], 0, 200, 0xffff);
	hostile_put_extra(front, &extra);
	front_put(front, front->grefs[HOSTILE_READ], 0, 100,
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
		front_put(front, front->grefs[HOSTILE_READ], 0, 1514, 0);
	hostile_publish(front);
}

/* Answers do not fit: the pages it posts are read-only, revoked, or nobody's. */
static void rx_buffers_that_cannot_be_written(struct hostile_frontend *front)
{
	hostile_put_rx(front, 1, front->grefs[HOSTILE_READ]);
	hostile_put_rx(front, 1, front->grefs[HOSTILE_REVOKED]);
	hostile_put_rx(front, 0xffff, UINT32_MAX);
	for (uint32_t i = 0; i < 3; i++)
		front_put(front, front->grefs[HOSTILE_READ], 0, 100, 0);
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
/* ---- what becomes of it ---- */

static void attack_once(void *argument)
{
	struct front_scene *scene = argument;

	scene->attack->run(&scene->front);
}

static uint64_t drops_now(struct front_scene *scene)
{
	return world_collect(&scene->world.server)->drops[scene->attack->reason];
}

static bool drops_are_counted(void *argument)
{
	struct front_scene *scene = argument;

	return drops_now(scene) > scene->drops_before;
}

/* A busy machine may not have come to it: the attack goes on until it has. */
static bool drops_in_the_end(struct front_scene *scene)
{
	for (int i = 0; i < 100; i++) {
		if (host_run_until(scene->world.machine, drops_are_counted, scene, 100 * WORLD_MS))
			return true;
		host_call(scene->attacker, attack_once, scene);
	}
	return false;
}

static void assert_outcome(struct front_scene *scene)
{
	const struct attack *attack = scene->attack;

	if (attack->outcome == BROKEN) {
		ck_assert_msg(host_run_until(scene->world.machine, front_is_disconnected, scene,
					     10 * WORLD_SECOND),
			      "%s: the attacker stays connected", attack->name);
		host_run_for(scene->world.machine, 20 * WORLD_MS);
		ck_assert(front_two_are_mapped(scene));
		return;
	}
	host_call_fiber_must(scene->attacker, front_read_peer_state, scene);
	ck_assert_msg(scene->peer_state == XenbusStateConnected, "%s: disconnected", attack->name);
	if (attack->outcome == DROPPED)
		ck_assert_msg(drops_in_the_end(scene), "%s: no drop counted as %s", attack->name,
			      scene->world.server.program->drop_name(attack->reason));
}

START_TEST(hostile_frontend_attack)
{
	struct front_scene scene = { .attack = &attacks[_i % ATTACK_COUNT] };

	front_scene_begin(&scene, _i < ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	front_scene_connect(&scene);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	scene.drops_before = drops_now(&scene);
	for (int i = 0; i < (scene.attack->outcome == BROKEN ? 1 : ATTACKS_EACH); i++) {
		host_call(scene.attacker, attack_once, &scene);
		host_run_for(scene.world.machine, 10 * WORLD_MS);
	}
	assert_outcome(&scene);
	front_scene_end(&scene);
}
END_TEST

/* ---- what an honest large frame costs ---- */

#define FULL_SLOTS 15u

/* As Linux sends 60 KiB: the headers by themselves, then whole pages. */
static void send_full_slots(void *argument)
{
	struct front_scene *scene = argument;
	struct hostile_frontend *front = &scene->front;
	uint32_t gref = front->grefs[HOSTILE_READ];

	front_put(front, gref, 64, 66 + FULL_SLOTS * IOPAGE_SIZE, NETTXF_more_data);
	for (uint32_t i = 1; i <= FULL_SLOTS; i++)
		front_put(front, gref, 0, IOPAGE_SIZE, i < FULL_SLOTS ? NETTXF_more_data : 0);
	hostile_publish(front);
}

static uint64_t server_copies(struct front_scene *scene)
{
	return host_domain_costs(scene->world.server.domain).copy_ops;
}

/* Each slot is one copy, but for the one that ends what headers may lie in. */
START_TEST(full_slots_are_one_copy_each)
{
	struct front_scene scene = { 0 };
	uint64_t before;

	front_scene_begin(&scene, HOST_STEPPED, 0);
	front_scene_connect(&scene);
	before = server_copies(&scene);
	host_call(scene.attacker, send_full_slots, &scene);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_ge(server_copies(&scene) - before, FULL_SLOTS + 1);
	ck_assert_uint_le(server_copies(&scene) - before, FULL_SLOTS + 2);
	front_scene_end(&scene);
}
END_TEST

/* ---- rings that change under the backend's eyes ---- */

static void mutate(struct front_scene *scene, uint32_t count)
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
	struct front_scene *scene = argument;
	struct hostile_frontend *front = &scene->front;
	struct host_machine *machine = scene->world.machine;

	for (int i = 0; i < 50; i++) {
		uint32_t slots = 1 + (uint32_t)(host_random(machine) % 20);

		hostile_post_rx(front, (uint32_t)(host_random(machine) % 8));
		while (slots--) {
			uint64_t draw = host_random(machine);

			front_put(front, front->grefs[draw % 3], (uint32_t)(draw >> 8) % 4200,
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
	struct front_scene scene = { 0 };

	front_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 500, 500);
	front_scene_connect(&scene);
	for (int i = 0; i < 20; i++) {
		host_call(scene.attacker, attack_at_random, &scene);
		if (_i & 1)
			host_call(scene.attacker, mutate_for_long, &scene);
		host_run_for(scene.world.machine, WORLD_MS);
		if (!front_is_disconnected(&scene))
			continue;
		host_call_fiber_must(scene.attacker, front_begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
	}
	front_scene_end(&scene);
}
END_TEST

/* ---- dying ---- */

START_TEST(hostile_frontend_dies_with_slots_on_the_ring)
{
	struct front_scene scene = { .attack = &attacks[_i] };

	front_scene_begin(&scene, HOST_STEPPED, 0);
	world_reset_traffic(&scene.world, 0);
	world_send(&scene.world, 0, 300, 300);
	front_scene_connect(&scene);
	host_call(scene.attacker, attack_once, &scene);
	host_domain_kill(scene.attacker);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	front_scene_end(&scene);
}
END_TEST

TCase *netif_hostile_front_tests(void)
{
	TCase *tests = tcase_create("hostile-front");

	tcase_set_timeout(tests, 120);
	MODES_TEST_TWICE(tests, hostile_frontend_attack, ATTACK_COUNT);
	MODES_TEST_BY_TURNS(tests, hostile_frontend_at_random, 8);
	MODES_TEST_STEPPED(tests, hostile_frontend_dies_with_slots_on_the_ring, ATTACK_COUNT);
	MODES_TEST_STEPPED(tests, full_slots_are_one_copy_each, 1);
	return tests;
}
