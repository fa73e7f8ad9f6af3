/* SPDX-License-Identifier: ISC */
/*
 * netfront against backends that break every rule. The back_victim's guest sends back
 * what it receives. After each attack the attacker is replaced by an honest backend:
 * the traffic flows, and no page, grant or port is missing.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/clock.h"
#include "tests/drivers/netif_back_scene.h"
#include "tests/drivers/netif_suites.h"
#include "xen/fiber.h"
#include "xen/store.h"

enum outcome {
	DROPPED, /* for the reason given; the interface lives */
	BROKEN,	 /* the interface goes down */
	HARMLESS /* the interface lives */
};

struct attack {
	const char *name;
	void (*run)(struct hostile_backend *back);
	enum outcome outcome;
	enum drop_reason reason;
};

/* ---- the back_victim's TX ring ---- */

static void tx_answers_too_many(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered + hostile_tx_waiting(back) + 1,
			     back->rx_answered);
}

static void tx_index_backwards(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered - 1, back->rx_answered);
}

static void tx_index_half_round(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered + 0x80000000u, back->rx_answered);
}

static void tx_id_out_of_range(struct hostile_backend *back)
{
	hostile_answer_tx(back, 0xffff, NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

static void tx_id_just_out_of_range(struct hostile_backend *back)
{
	hostile_answer_tx(back, HOSTILE_RING, NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

static void tx_id_not_under_way(struct hostile_backend *back)
{
	hostile_answer_tx(back, 250, NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

static void tx_id_twice(struct hostile_backend *back)
{
	uint32_t id = hostile_tx_id(back, 0);

	hostile_answer_tx(back, id, NETIF_RSP_OKAY);
	hostile_answer_tx(back, id, NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

static void tx_all_failed(struct hostile_backend *back)
{
	while (hostile_tx_waiting(back))
		hostile_answer_tx(back, hostile_tx_id(back, 0), NETIF_RSP_ERROR);
	hostile_backend_publish(back);
}

static void tx_unknown_status(struct hostile_backend *back)
{
	while (hostile_tx_waiting(back))
		hostile_answer_tx(back, hostile_tx_id(back, 0), 0x7fff);
	hostile_backend_publish(back);
}

/*
 * NULL is the answer for an extra's slot; here it is given for slots with data, which
 * would leave the back_victim more free slots than free ids.
 */
static void tx_all_null(struct hostile_backend *back)
{
	while (hostile_tx_waiting(back))
		hostile_answer_tx(back, HOSTILE_NO_ID, NETIF_RSP_NULL);
	hostile_backend_publish(back);
}

static void tx_backwards_order(struct hostile_backend *back)
{
	uint32_t count = hostile_tx_waiting(back);
	uint32_t ids[HOSTILE_RING];

	for (uint32_t i = 0; i < count; i++)
		ids[i] = hostile_tx_id(back, i);
	while (count)
		hostile_answer_tx(back, ids[--count], NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

/*
 * Half of the requests, so that packets of several slots are answered in part and
 * their first ids are free while their other slots are still under way.
 */
static void tx_in_part(struct hostile_backend *back)
{
	uint32_t count = (hostile_tx_waiting(back) + 1) / 2;

	while (count--)
		hostile_answer_tx(back, hostile_tx_id(back, 0), NETIF_RSP_OKAY);
	hostile_backend_publish(back);
}

static void tx_never_answered(struct hostile_backend *back)
{
	(void)back;
}

/* ---- the back_victim's RX ring ---- */

static void respond(struct hostile_backend *back, uint32_t offset, int status, uint16_t flags)
{
	struct netif_rx_response response = { .id = hostile_rx_request(back, 0).id,
					      .offset = (uint16_t)offset,
					      .flags = flags,
					      .status = (int16_t)status };

	hostile_answer_rx(back, &response);
}

static void respond_alone(struct hostile_backend *back, uint32_t offset, int status)
{
	respond(back, offset, status, 0);
	hostile_backend_publish(back);
}

static void rx_answers_too_many(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered,
			     back->rx_answered + hostile_rx_waiting(back) + 1);
}

static void rx_index_backwards(struct hostile_backend *back)
{
	hostile_backend_jump(back, back->tx_answered, back->rx_answered - 1);
}

static void rx_beyond_the_page(struct hostile_backend *back)
{
	respond_alone(back, 4000, 97);
}

static void rx_far_beyond_the_page(struct hostile_backend *back)
{
	respond_alone(back, 0xffff, 0x7fff);
}

static void rx_of_no_bytes(struct hostile_backend *back)
{
	respond_alone(back, 0, 0);
}

static void rx_of_less_than_a_header(struct hostile_backend *back)
{
	respond_alone(back, 0, 13);
}

static void rx_error(struct hostile_backend *back)
{
	respond_alone(back, 0, NETIF_RSP_ERROR);
}

static void rx_most_negative(struct hostile_backend *back)
{
	respond_alone(back, 0, -32768);
}

static void rx_of_another_id(struct hostile_backend *back)
{
	struct netif_rx_response response = { .id = 200, .status = 60 };

	hostile_answer_rx(back, &response);
	hostile_backend_publish(back);
}

static void rx_of_a_huge_id(struct hostile_backend *back)
{
	struct netif_rx_response response = { .id = 0xffff, .status = 60 };

	hostile_answer_rx(back, &response);
	hostile_backend_publish(back);
}

static void rx_chain(struct hostile_backend *back, uint32_t count, int each)
{
	for (uint32_t i = 0; i < count; i++)
		respond(back, 0, each, i + 1 < count ? NETRXF_more_data : 0);
	hostile_backend_publish(back);
}

static void rx_of_eighteen_tiny_slots(struct hostile_backend *back)
{
	rx_chain(back, 18, 1);
}

static void rx_of_eighteen_full_pages(struct hostile_backend *back)
{
	rx_chain(back, 18, 4096);
}

static void rx_of_seventeen_full_pages(struct hostile_backend *back)
{
	rx_chain(back, 17, 4096);
}

static void rx_of_nineteen_slots(struct hostile_backend *back)
{
	rx_chain(back, 19, 100);
}

static void rx_more_without_end(struct hostile_backend *back)
{
	while (hostile_rx_waiting(back))
		respond(back, 0, 100, NETRXF_more_data);
	hostile_backend_publish(back);
}

static void rx_never_finished(struct hostile_backend *back)
{
	respond(back, 0, 100, NETRXF_more_data);
	hostile_backend_publish(back);
}

static void rx_extra(struct hostile_backend *back, uint8_t type, uint8_t gso_type, uint16_t size)
{
	struct netif_extra_info extra = { .type = type };

	extra.u.gso.type = gso_type;
	extra.u.gso.size = size;
	respond(back, 0, 200, NETRXF_extra_info);
	hostile_answer_rx_extra(back, &extra);
	hostile_backend_publish(back);
}

static void rx_extra_promised_not_sent(struct hostile_backend *back)
{
	respond(back, 0, 100, NETRXF_extra_info);
	hostile_backend_publish(back);
}

static void rx_extra_of_unknown_type(struct hostile_backend *back)
{
	rx_extra(back, 200, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void rx_gso_of_size_zero(struct hostile_backend *back)
{
	rx_extra(back, XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void rx_gso_of_unknown_type(struct hostile_backend *back)
{
	rx_extra(back, XEN_NETIF_EXTRA_TYPE_GSO, 99, 1000);
}

static void rx_gso_larger_than_the_packet(struct hostile_backend *back)
{
	rx_extra(back, XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0xffff);
}

static void rx_extras_without_end(struct hostile_backend *back)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO,
					  .flags = XEN_NETIF_EXTRA_FLAG_MORE };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1000;
	respond(back, 0, 100, NETRXF_extra_info);
	while (hostile_rx_waiting(back))
		hostile_answer_rx_extra(back, &extra);
	hostile_backend_publish(back);
}

static void rx_every_flag(struct hostile_backend *back)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = 0xfe };

	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra.u.gso.size = 1;
	respond(back, 0, 100, 0xffff);
	hostile_answer_rx_extra(back, &extra);
	respond(back, 0, 100, 0xffff & ~(NETRXF_more_data | NETRXF_extra_info));
	hostile_backend_publish(back);
}

static void rx_floods(struct hostile_backend *back)
{
	while (hostile_deliver(back, 1514, NETRXF_data_validated) == 0)
		;
	hostile_backend_publish(back);
}

/* XSA-391 */
static void storm_of_events(struct hostile_backend *back)
{
	for (uint32_t i = 0; i < 5000; i++)
		evtchn_notify(back->port);
}

static const struct attack attacks[] = {
	{ "tx_answers_too_many", tx_answers_too_many, BROKEN, 0 },
	{ "tx_index_backwards", tx_index_backwards, BROKEN, 0 },
	{ "tx_index_half_round", tx_index_half_round, BROKEN, 0 },
	{ "tx_id_out_of_range", tx_id_out_of_range, BROKEN, 0 },
	{ "tx_id_just_out_of_range", tx_id_just_out_of_range, BROKEN, 0 },
	{ "tx_id_not_under_way", tx_id_not_under_way, BROKEN, 0 },
	{ "tx_id_twice", tx_id_twice, BROKEN, 0 },
	{ "tx_all_failed", tx_all_failed, HARMLESS, 0 },
	{ "tx_unknown_status", tx_unknown_status, HARMLESS, 0 },
	{ "tx_all_null", tx_all_null, BROKEN, 0 },
	{ "tx_backwards_order", tx_backwards_order, HARMLESS, 0 },
	{ "tx_in_part", tx_in_part, HARMLESS, 0 },
	{ "tx_never_answered", tx_never_answered, DROPPED, DROP_RING_FULL },
	{ "rx_answers_too_many", rx_answers_too_many, BROKEN, 0 },
	{ "rx_index_backwards", rx_index_backwards, BROKEN, 0 },
	{ "rx_beyond_the_page", rx_beyond_the_page, DROPPED, DROP_PEER_STATUS },
	{ "rx_far_beyond_the_page", rx_far_beyond_the_page, DROPPED, DROP_PEER_STATUS },
	{ "rx_of_no_bytes", rx_of_no_bytes, DROPPED, DROP_PEER_STATUS },
	{ "rx_of_less_than_a_header", rx_of_less_than_a_header, DROPPED, DROP_SHORT },
	{ "rx_error", rx_error, DROPPED, DROP_PEER_STATUS },
	{ "rx_most_negative", rx_most_negative, DROPPED, DROP_PEER_STATUS },
	{ "rx_of_another_id", rx_of_another_id, BROKEN, 0 },
	{ "rx_of_a_huge_id", rx_of_a_huge_id, BROKEN, 0 },
	{ "rx_of_eighteen_tiny_slots", rx_of_eighteen_tiny_slots, HARMLESS, 0 },
	{ "rx_of_eighteen_full_pages", rx_of_eighteen_full_pages, DROPPED, DROP_BAD_SLOTS },
	{ "rx_of_seventeen_full_pages", rx_of_seventeen_full_pages, HARMLESS, 0 },
	{ "rx_of_nineteen_slots", rx_of_nineteen_slots, BROKEN, 0 },
	{ "rx_more_without_end", rx_more_without_end, BROKEN, 0 },
	{ "rx_never_finished", rx_never_finished, HARMLESS, 0 },
	{ "rx_extra_promised_not_sent", rx_extra_promised_not_sent, HARMLESS, 0 },
	{ "rx_extra_of_unknown_type", rx_extra_of_unknown_type, DROPPED, DROP_PEER_STATUS },
	{ "rx_gso_of_size_zero", rx_gso_of_size_zero, DROPPED, DROP_PEER_STATUS },
	{ "rx_gso_of_unknown_type", rx_gso_of_unknown_type, DROPPED, DROP_PEER_STATUS },
	{ "rx_gso_larger_than_the_packet", rx_gso_larger_than_the_packet, HARMLESS, 0 },
	{ "rx_extras_without_end", rx_extras_without_end, BROKEN, 0 },
	{ "rx_every_flag", rx_every_flag, HARMLESS, 0 },
	{ "rx_floods", rx_floods, HARMLESS, 0 },
	{ "storm_of_events", storm_of_events, HARMLESS, 0 },
};

#define ATTACK_COUNT (int)(sizeof(attacks) / sizeof(attacks[0]))

/* ---- what becomes of it ---- */

/* Not where the back_victim has broken off: then nothing waits for answers. */
static void attack_once(void *argument)
{
	struct back_scene *scene = argument;

	if (scene->back.tx && back_victim_is_up(scene))
		scene->attack->run(&scene->back);
}

static uint64_t drops_now(struct back_scene *scene)
{
	return world_collect(&back_victim(scene)->guest)->drops[scene->attack->reason];
}

static bool drops_are_counted(void *argument)
{
	struct back_scene *scene = argument;

	return drops_now(scene) > scene->drops_before;
}

static void assert_outcome(struct back_scene *scene, unsigned detached_before)
{
	const struct attack *attack = scene->attack;
	const struct guest_link *link = &back_victim(scene)->link;
	bool gone_down = atomic_load(&link->detached) != detached_before;

	if (attack->outcome == BROKEN)
		ck_assert_msg(gone_down, "%s: the back_victim stays connected", attack->name);
	else
		ck_assert_msg(!gone_down, "%s: the back_victim disconnected", attack->name);
	if (attack->outcome == DROPPED)
		ck_assert_msg(host_run_until(scene->world.machine, drops_are_counted, scene,
					     WORLD_SECOND),
			      "%s: no drop counted as %s", attack->name,
			      back_victim(scene)->guest.program->drop_name(attack->reason));
}

START_TEST(hostile_backend_attack)
{
	struct back_scene scene = { .attack = &attacks[_i % ATTACK_COUNT] };
	unsigned detached;

	scene.fills_the_ring = scene.attack->reason == DROP_RING_FULL;
	back_scene_begin(&scene, _i < ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	back_scene_connect(&scene);
	scene.drops_before = drops_now(&scene);
	detached = atomic_load(&back_victim(&scene)->link.detached);
	for (int i = 0; i < 8; i++) {
		back_victim_sends(&scene, 60);
		host_call(scene.attacker, attack_once, &scene);
		host_run_for(scene.world.machine, 10 * WORLD_MS);
	}
	assert_outcome(&scene, detached);
	back_scene_end(&scene);
}
END_TEST

/* ---- rings that change under the frontend's eyes ---- */

static void answer_at_random(struct back_scene *scene)
{
	struct hostile_backend *back = &scene->back;
	struct host_machine *machine = scene->world.machine;
	uint64_t draw = host_random(machine);
	volatile uint32_t *word = draw & 1 ? (void *)back->tx->ring : (void *)back->rx->ring;

	if (draw % 7 == 0)
		tx_in_part(back);
	else if (draw % 7 < 4)
		hostile_backend_drain(back);
	if (hostile_rx_waiting(back) && draw % 5)
		(void)!hostile_deliver(back, (uint16_t)(60 + (draw >> 8) % 4000),
				       (uint16_t)(draw >> 24) & 0x0f);
	if (draw % 11 == 0)
		word[(draw >> 32) % 512] = (uint32_t)host_random(machine);
	if (draw % 97 == 0)
		hostile_backend_jump(back, (uint32_t)(draw >> 20), back->rx_answered);
	else
		hostile_backend_publish(back);
}

static void attack_at_random(void *argument)
{
	struct back_scene *scene = argument;

	for (int i = 0; i < 30 && scene->back.tx; i++)
		answer_at_random(scene);
}

static void connect_again(void *argument)
{
	struct back_scene *scene = argument;

	hostile_backend_set_state(&scene->back, XenbusStateClosed);
	back_offer_and_connect(scene);
}

START_TEST(hostile_backend_at_random)
{
	struct back_scene scene = { 0 };

	back_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	back_scene_connect(&scene);
	for (int i = 0; i < 60; i++) {
		if (!atomic_load(&back_victim(&scene)->link.end.sending))
			back_victim_sends(&scene, 30);
		host_call(scene.attacker, attack_at_random, &scene);
		host_run_for(scene.world.machine, 2 * WORLD_MS);
		if (back_victim_is_up(&scene))
			continue;
		host_call(scene.attacker, hostile_backend_release, &scene.back);
		host_call_fiber_must(scene.attacker, connect_again, &scene);
		(void)!host_run_until(scene.world.machine, back_victim_is_up, &scene, WORLD_SECOND);
	}
	host_call(scene.attacker, hostile_backend_release, &scene.back);
	back_scene_end(&scene);
}
END_TEST

TCase *netif_hostile_back_tests(void)
{
	TCase *tests = tcase_create("hostile-back");

	tcase_set_timeout(tests, 120);
	MODES_TEST_TWICE(tests, hostile_backend_attack, ATTACK_COUNT);
	MODES_TEST_BY_TURNS(tests, hostile_backend_at_random, 8);
	return tests;
}
