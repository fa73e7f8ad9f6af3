/* SPDX-License-Identifier: ISC */
/*
 * netfront against backends that break every rule. The victim's guest sends back
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
#include "tests/drivers/netif_suites.h"
#include "tests/drivers/netif_world.h"
#include "tests/host/hostile_backend.h"
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

/* ---- the victim's TX ring ---- */

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
 * would leave the victim more free slots than free ids.
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

/* ---- the victim's RX ring ---- */

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

/* Fewer slots than a large packet needs. */
#define FEW_SLOTS 6u
#define ATTACK_COUNT (int)(sizeof(attacks) / sizeof(attacks[0]))

/* ---- the scene ---- */

struct scene {
	struct world world;
	struct host_domain *attacker;
	struct hostile_backend back;
	struct host_vif vif;
	const struct attack *attack;
	uint64_t drops_before;
	uint32_t victim_pages;
	struct gnttab_mapping kept;
	bool stop;
};

static struct world_client *victim(struct scene *scene)
{
	return &scene->world.clients[0];
}

static void scene_prepare(struct scene *scene)
{
	world_client_start(&scene->world, 0);
	victim(scene)->link.echo = true;
	scene->victim_pages = world_collect(&victim(scene)->guest)->pages_out;
	scene->attacker = host_domain_create(scene->world.machine, "attacker", 64);
	scene->vif = (struct host_vif){ .frontend = victim(scene)->guest.domain,
					.backend = scene->attacker,
					.mac = "00:16:3e:00:00:01" };
	hostile_backend_init(&scene->back, scene->attacker, victim(scene)->guest.domain, 0);
}

static void scene_begin(struct scene *scene, enum host_mode mode, uint32_t variant)
{
	world_begin_variant(&scene->world, mode, variant);
	scene_prepare(scene);
}

static void offer_and_connect(void *argument)
{
	struct scene *scene = argument;

	while (hostile_backend_peer_state(&scene->back) != XenbusStateInitialising)
		fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_offer(&scene->back);
	hostile_backend_connect(&scene->back);
}

static void start_offering(void *argument)
{
	if (fiber_start("offer", offer_and_connect, argument))
		abort();
}

static bool victim_is_up(void *argument)
{
	return atomic_load(&victim(argument)->link.up);
}

static bool victim_is_down(void *argument)
{
	return !victim_is_up(argument);
}

static void attacker_connect(struct scene *scene)
{
	host_call(scene->attacker, start_offering, scene);
	ck_assert_int_eq(host_toolstack_attach_vif(&scene->vif), 0);
	ck_assert(host_run_until(scene->world.machine, victim_is_up, scene, 5 * WORLD_SECOND));
}

/* Frames of one slot, of which the ring fills before the pages run out. */
static const struct traffic_shape small = { .min_frame = TRAFFIC_MIN_FRAME,
					    .max_frame = 2 * TRAFFIC_MIN_FRAME };

static bool victim_is_done_sending(void *argument)
{
	return !atomic_load(&victim(argument)->link.end.sending);
}

/* The victim sends, without waiting for anybody but what it was sending before. */
static void victim_sends(struct scene *scene, uint32_t count)
{
	struct world_client *client = victim(scene);
	bool fill = scene->attack && scene->attack->reason == DROP_RING_FULL;

	if (!host_run_until(scene->world.machine, victim_is_done_sending, scene, WORLD_SECOND))
		return;
	world_set_shape(&scene->world, 0, fill ? &small : &world_mixed, UINT32_MAX);
	atomic_store(&client->link.end.sent, 0);
	client->link.end.send_count = count;
	host_call(client->guest.domain, client->guest.program->send, &client->link);
	host_run_for(scene->world.machine, 20 * WORLD_MS);
}

/* The attacker's domain goes as it is, holding what it holds. */
static void attacker_leaves(struct scene *scene)
{
	struct host_machine *machine = scene->world.machine;
	char path[64];

	host_domain_kill(scene->attacker);
	snprintf(path, sizeof(path), "/local/domain/%u", host_domid(scene->attacker));
	host_store_remove(machine, path);
	ck_assert(host_run_until(machine, victim_is_down, scene, 5 * WORLD_SECOND));
	ck_assert_int_eq(host_toolstack_detach_vif(victim(scene)->guest.domain, 0), 0);
	ck_assert(host_run_until(machine, victim_is_done_sending, scene, 5 * WORLD_SECOND));
}

/* An honest backend in the attacker's place, and nothing is missing in the end. */
static void scene_end(struct scene *scene)
{
	struct world *world = &scene->world;
	struct world_guest *guest = &victim(scene)->guest;

	attacker_leaves(scene);
	victim(scene)->link.echo = false;
	world_set_shape(world, 0, &world_mixed, 120);
	ck_assert_int_eq(world_attach(world, 0), 0);
	world_exchange(world, 0, 300, 300);
	ck_assert_int_eq(host_toolstack_detach_vif(guest->domain, 0), 0);
	world_assert_clean(guest, "victim");
	ck_assert_uint_eq(world_collect(guest)->packets_out, 0);
	ck_assert_uint_eq(guest->guest.quarantined, 0);
	ck_assert_uint_le(guest->guest.pages_out, scene->victim_pages + 2);
	world_end(world);
}

/* Not where the victim has broken off: then nothing waits for answers. */
static void attack_once(void *argument)
{
	struct scene *scene = argument;

	if (scene->back.tx && victim_is_up(scene))
		scene->attack->run(&scene->back);
}

static uint64_t drops_now(struct scene *scene)
{
	return world_collect(&victim(scene)->guest)->drops[scene->attack->reason];
}

static bool drops_are_counted(void *argument)
{
	struct scene *scene = argument;

	return drops_now(scene) > scene->drops_before;
}

static void assert_outcome(struct scene *scene, unsigned detached_before)
{
	const struct attack *attack = scene->attack;
	const struct guest_link *link = &victim(scene)->link;
	bool gone_down = atomic_load(&link->detached) != detached_before;

	if (attack->outcome == BROKEN)
		ck_assert_msg(gone_down, "%s: the victim stays connected", attack->name);
	else
		ck_assert_msg(!gone_down, "%s: the victim disconnected", attack->name);
	if (attack->outcome == DROPPED)
		ck_assert_msg(host_run_until(scene->world.machine, drops_are_counted, scene,
					     WORLD_SECOND),
			      "%s: no drop counted as %s", attack->name,
			      victim(scene)->guest.program->drop_name(attack->reason));
}

START_TEST(hostile_backend_attack)
{
	struct scene scene = { .attack = &attacks[_i % ATTACK_COUNT] };
	unsigned detached;

	scene_begin(&scene, _i < ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	attacker_connect(&scene);
	scene.drops_before = drops_now(&scene);
	detached = atomic_load(&victim(&scene)->link.detached);
	for (int i = 0; i < 8; i++) {
		victim_sends(&scene, 60);
		host_call(scene.attacker, attack_once, &scene);
		host_run_for(scene.world.machine, 10 * WORLD_MS);
	}
	assert_outcome(&scene, detached);
	scene_end(&scene);
}
END_TEST

/* ---- keeping what was lent ---- */

static void say_closed(void *argument)
{
	struct scene *scene = argument;

	hostile_backend_set_state(&scene->back, XenbusStateClosed);
}

static void offer_once_more(void *argument)
{
	struct scene *scene = argument;

	hostile_backend_offer(&scene->back);
}

/*
 * XSA-396: the backend closes and keeps the rings mapped. Two pages are out of use, and
 * said to be, until it dies; it is offered no others, and the next backend is.
 */
START_TEST(a_backend_that_keeps_the_rings_costs_two_pages_while_it_lives)
{
	struct scene scene = { 0 };
	struct world_guest *guest = &victim(&scene)->guest;

	scene_begin(&scene, HOST_STEPPED, 0);
	attacker_connect(&scene);
	victim_sends(&scene, 60);
	host_call_fiber_must(scene.attacker, say_closed, &scene);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(world_collect(guest)->quarantined, 2);
	ck_assert_uint_eq(host_domain_counters(guest->domain).held, 2);
	/* Written into for ever: nobody may mind. */
	memset(scene.back.tx, 0x99, 4096);
	memset(scene.back.rx, 0x99, 4096);
	host_call_fiber_must(scene.attacker, offer_once_more, &scene);
	host_run_for(scene.world.machine, 2 * WORLD_SECOND);
	ck_assert(!victim_is_up(&scene));
	ck_assert_uint_eq(world_collect(guest)->quarantined, 2);
	scene_end(&scene);
}
END_TEST

static void keep_a_posted_page(void *argument)
{
	struct scene *scene = argument;

	ck_assert_int_eq(gnttab_map(host_domid(victim(scene)->guest.domain),
				    hostile_rx_request(&scene->back, 0).gref, false, &scene->kept),
			 0);
}

static void deliver_one_and_close(void *argument)
{
	struct scene *scene = argument;

	ck_assert_int_eq(hostile_deliver(&scene->back, 1514, 0), 0);
	hostile_backend_publish(&scene->back);
	fiber_sleep_until(clock_now_ns() + WORLD_MS);
	hostile_backend_release(&scene->back);
	say_closed(scene);
}

/* XSA-396: a page of data, home already (0) or in a packet that is freed much later (1). */
START_TEST(a_backend_that_keeps_a_posted_page_costs_one_page_while_it_lives)
{
	struct scene scene = { 0 };
	struct world_client *client = victim(&scene);
	struct netif_guest *guest = &client->guest.guest;

	scene_begin(&scene, HOST_STEPPED, 0);
	client->link.echo = false;
	client->link.hold = true;
	attacker_connect(&scene);
	host_run_for(scene.world.machine, WORLD_MS);
	host_call(scene.attacker, keep_a_posted_page, &scene);
	host_call_fiber_must(scene.attacker, deliver_one_and_close, &scene);
	if (_i == 0)
		host_call(client->guest.domain, client->guest.program->release, &client->link);
	host_run_for(scene.world.machine, 5 * WORLD_SECOND);
	ck_assert_uint_eq(world_collect(&client->guest)->quarantined, _i == 0);
	if (_i == 1)
		host_call(client->guest.domain, client->guest.program->release, &client->link);
	ck_assert_uint_eq(world_collect(&client->guest)->quarantined, 1);
	ck_assert_uint_eq(guest->packets_out, 0);
	memset(scene.kept.address, 0x99, 4096);
	client->link.hold = false;
	scene_end(&scene);
}
END_TEST

/* ---- pages that come home ---- */

static void deliver_most(void *argument)
{
	struct scene *scene = argument;

	while (hostile_rx_waiting(&scene->back) > FEW_SLOTS)
		ck_assert_int_eq(hostile_deliver(&scene->back, 1514, 0), 0);
	hostile_backend_publish(&scene->back);
}

/*
 * All pages but a few are away in packets, and the backend waits for more slots than
 * are posted: no event will come, so the pages must be posted as they come home.
 */
START_TEST(pages_are_posted_again_before_the_ring_is_empty)
{
	struct scene scene = { 0 };
	struct world_client *client = victim(&scene);

	world_begin_variant(&scene.world, HOST_STEPPED, 0);
	client->guest.guest.rx_pages = HOSTILE_RING;
	scene_prepare(&scene);
	client->link.echo = false;
	client->link.hold = true;
	attacker_connect(&scene);
	host_run_for(scene.world.machine, WORLD_MS);
	host_call(scene.attacker, deliver_most, &scene);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_eq(hostile_rx_waiting(&scene.back), FEW_SLOTS);
	host_call(client->guest.domain, client->guest.program->release, &client->link);
	host_run_for(scene.world.machine, 10 * WORLD_MS);
	ck_assert_uint_ge(hostile_rx_waiting(&scene.back), HOSTILE_RING - FEW_SLOTS);
	client->link.hold = false;
	scene_end(&scene);
}
END_TEST

/* ---- lies in the store ---- */

static void lie_about_features(void *argument)
{
	static const char *const values[] = { "99999999999999999999", "-1", "yes", "" };
	struct scene *scene = argument;

	scene->back.features = values[host_random(scene->world.machine) % 4];
	offer_and_connect(scene);
}

static void start_lying(void *argument)
{
	if (fiber_start("lie", lie_about_features, argument))
		abort();
}

START_TEST(features_that_are_no_numbers_are_not_there)
{
	struct scene scene = { 0 };

	scene_begin(&scene, HOST_STEPPED, (uint32_t)_i);
	host_call(scene.attacker, start_lying, &scene);
	scene.vif.mtu = _i % 2 ? 1 : 70000;
	ck_assert_int_eq(host_toolstack_attach_vif(&scene.vif), 0);
	ck_assert(host_run_until(scene.world.machine, victim_is_up, &scene, 5 * WORLD_SECOND));
	host_call(victim(&scene)->guest.domain, victim(&scene)->guest.program->collect,
		  &victim(&scene)->guest.guest);
	ck_assert_uint_eq(victim(&scene)->link.features & ~(uint32_t)NETDEV_TX_CSUM_IPV4, 0);
	ck_assert_uint_eq(victim(&scene)->link.mtu, 1500);
	scene_end(&scene);
}
END_TEST

static void flap(void *argument)
{
	struct scene *scene = argument;

	for (int i = 0; i < 60; i++) {
		hostile_backend_set_state(&scene->back,
					  (uint32_t)(host_random(scene->world.machine) % 8));
		if (host_random(scene->world.machine) % 4 == 0)
			fiber_sleep_until(clock_now_ns() +
					  host_random(scene->world.machine) % 2000000);
	}
	hostile_backend_set_state(&scene->back, XenbusStateClosed);
}

START_TEST(hostile_backend_flaps)
{
	struct scene scene = { 0 };

	scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	attacker_connect(&scene);
	host_call(scene.attacker, hostile_backend_release, &scene.back);
	host_call_fiber_must(scene.attacker, flap, &scene);
	host_run_for(scene.world.machine, 3 * WORLD_SECOND);
	ck_assert_uint_eq(host_domain_counters(victim(&scene)->guest.domain).granted, 0);
	ck_assert_uint_eq(host_domain_counters(victim(&scene)->guest.domain).ports, 0);
	scene_end(&scene);
}
END_TEST

/* ---- rings that change under the frontend's eyes ---- */

static void answer_at_random(struct scene *scene)
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
	struct scene *scene = argument;

	for (int i = 0; i < 30 && scene->back.tx; i++)
		answer_at_random(scene);
}

static void connect_again(void *argument)
{
	struct scene *scene = argument;

	hostile_backend_set_state(&scene->back, XenbusStateClosed);
	offer_and_connect(scene);
}

START_TEST(hostile_backend_at_random)
{
	struct scene scene = { 0 };

	scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	attacker_connect(&scene);
	for (int i = 0; i < 60; i++) {
		if (!atomic_load(&victim(&scene)->link.end.sending))
			victim_sends(&scene, 30);
		host_call(scene.attacker, attack_at_random, &scene);
		host_run_for(scene.world.machine, 2 * WORLD_MS);
		if (victim_is_up(&scene))
			continue;
		host_call(scene.attacker, hostile_backend_release, &scene.back);
		host_call_fiber_must(scene.attacker, connect_again, &scene);
		(void)!host_run_until(scene.world.machine, victim_is_up, &scene, WORLD_SECOND);
	}
	host_call(scene.attacker, hostile_backend_release, &scene.back);
	scene_end(&scene);
}
END_TEST

TCase *netif_hostile_back_tests(void)
{
	TCase *tests = tcase_create("hostile-back");

	tcase_set_timeout(tests, 120);
	NETIF_TEST_TWICE(tests, hostile_backend_attack, ATTACK_COUNT);
	NETIF_TEST_STEPPED(tests, a_backend_that_keeps_the_rings_costs_two_pages_while_it_lives, 1);
	NETIF_TEST_STEPPED(tests, a_backend_that_keeps_a_posted_page_costs_one_page_while_it_lives,
			   2);
	NETIF_TEST_STEPPED(tests, pages_are_posted_again_before_the_ring_is_empty, 1);
	NETIF_TEST_STEPPED(tests, features_that_are_no_numbers_are_not_there, 4);
	NETIF_TEST_BY_TURNS(tests, hostile_backend_flaps, 6);
	NETIF_TEST_BY_TURNS(tests, hostile_backend_at_random, 8);
	return tests;
}
