/* SPDX-License-Identifier: ISC */
/*
 * blkfront against backends that answer what nobody asked. Each attack says what must become
 * of the client's requests: they fail by name, they are carried out, or the backend is left
 * and the next one carries them out; each is reported once in every case.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "tests/drivers/blkif_back_scene.h"
#include "tests/drivers/blkif_suites.h"

enum outcome {
	FAILED, /* with the error */
	SERVED, /* the disk stays, and all are done */
	BROKEN	/* the disk is disconnected */
};

struct back_attack {
	const char *name;
	void (*run)(struct hostile_blkback *back);
	enum outcome outcome;
	int error;
};

static struct back_scene scene;

/* ---- ids (XSA-376, 391) ---- */

/* An answer that is none of the requests', in the place of the first's. */
static void answer_id(struct hostile_blkback *back, uint64_t id)
{
	hostile_blkback_answer(back, id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	hostile_blkback_publish(back);
}

static void id_not_under_way(struct hostile_blkback *back)
{
	bool used[HOSTILE_BLK_SLOTS_MOST] = { false };
	uint32_t id = 0;

	for (uint32_t i = 0; i < hostile_blkback_waiting(back); i++)
		used[hostile_blkback_id(hostile_blkback_request(back, i)) %
		     HOSTILE_BLK_SLOTS_MOST] = true;
	while (used[id])
		id++;
	ck_assert_uint_lt(id, back->ring.slots);
	answer_id(back, id);
}

static void id_too_large(struct hostile_blkback *back)
{
	answer_id(back, back->ring.slots);
}

/* What is left of it when its upper half is forgotten is under way. */
static void id_of_33_bits(struct hostile_blkback *back)
{
	answer_id(back, hostile_blkback_id(hostile_blkback_request(back, 0)) | 1ull << 32);
}

static void id_of_17_bits(struct hostile_blkback *back)
{
	answer_id(back, hostile_blkback_id(hostile_blkback_request(back, 0)) | 1ull << 16);
}

static void id_of_all_bits(struct hostile_blkback *back)
{
	answer_id(back, UINT64_MAX);
}

static void id_twice(struct hostile_blkback *back)
{
	uint64_t id = hostile_blkback_id(hostile_blkback_request(back, 0));

	hostile_blkback_answer(back, id, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	hostile_blkback_answer(back, id, BLKIF_OP_READ, BLKIF_RSP_ERROR);
	hostile_blkback_publish(back);
}

/* ---- indices ---- */

static void index_far_ahead(struct hostile_blkback *back)
{
	hostile_blkback_jump(back, back->answered + back->ring.slots + 1);
}

/* No more than the ring, but more than was asked. */
static void more_answers_than_requests(struct hostile_blkback *back)
{
	hostile_blkback_jump(back, back->seen + 1);
}

static void index_backwards(struct hostile_blkback *back)
{
	hostile_blkback_jump(back, back->answered - 1);
}

static void index_half_round(struct hostile_blkback *back)
{
	hostile_blkback_jump(back, back->answered + 0x80000000u);
}

/* ---- statuses ---- */

static void answer_all(struct hostile_blkback *back, int16_t status)
{
	while (hostile_blkback_waiting(back))
		hostile_blkback_answer_to(back, hostile_blkback_request(back, 0), status);
	hostile_blkback_publish(back);
}

static void status_error(struct hostile_blkback *back)
{
	answer_all(back, BLKIF_RSP_ERROR);
}

static void status_unsupported(struct hostile_blkback *back)
{
	answer_all(back, BLKIF_RSP_EOPNOTSUPP);
}

static void status_of_nothing(struct hostile_blkback *back)
{
	answer_all(back, -3);
}

static void status_positive(struct hostile_blkback *back)
{
	answer_all(back, 1);
}

static void status_least(struct hostile_blkback *back)
{
	answer_all(back, INT16_MIN);
}

static void status_most(struct hostile_blkback *back)
{
	answer_all(back, INT16_MAX);
}

/* ---- what only looks wrong ---- */

static void in_any_order(struct hostile_blkback *back)
{
	uint32_t count = hostile_blkback_waiting(back);
	static union blkif_slot requests[HOSTILE_BLK_SLOTS_MOST];

	for (uint32_t i = 0; i < count; i++)
		requests[i] = *hostile_blkback_request(back, i);
	while (count--) {
		ck_assert_int_eq(hostile_blkback_move(back, &requests[count]), 0);
		hostile_blkback_answer_to(back, &requests[count], BLKIF_RSP_OKAY);
	}
	hostile_blkback_publish(back);
}

static void operations_of_others(struct hostile_blkback *back)
{
	while (hostile_blkback_waiting(back)) {
		const union blkif_slot *request = hostile_blkback_request(back, 0);

		ck_assert_int_eq(hostile_blkback_move(back, request), 0);
		hostile_blkback_answer(back, hostile_blkback_id(request), 0xee, BLKIF_RSP_OKAY);
	}
	hostile_blkback_publish(back);
}

/* Whatever stands in the ring's slots and behind answers is nobody's business. */
static void slots_full_of_garbage(struct hostile_blkback *back)
{
	uint32_t count = hostile_blkback_waiting(back);

	memset(back->ring.pages[0] + BLKIF_RING_HEADER_BYTES, 0xee,
	       BLKIF_PAGE_BYTES - BLKIF_RING_HEADER_BYTES);
	while (count--) {
		const union blkif_slot *request = hostile_blkback_request(back, 0);

		ck_assert_int_eq(hostile_blkback_move(back, request), 0);
		hostile_blkback_answer_to(back, request, BLKIF_RSP_OKAY);
	}
	hostile_blkback_publish(back);
}

/* XSA-391 */
static void storm_of_events(struct hostile_blkback *back)
{
	for (uint32_t i = 0; i < 5000; i++)
		evtchn_notify(back->port);
	hostile_blkback_serve(back);
}

static const struct back_attack attacks[] = {
	{ "id_not_under_way", id_not_under_way, BROKEN, 0 },
	{ "id_too_large", id_too_large, BROKEN, 0 },
	{ "id_of_33_bits", id_of_33_bits, BROKEN, 0 },
	{ "id_of_17_bits", id_of_17_bits, BROKEN, 0 },
	{ "id_of_all_bits", id_of_all_bits, BROKEN, 0 },
	{ "id_twice", id_twice, BROKEN, 0 },
	{ "index_far_ahead", index_far_ahead, BROKEN, 0 },
	{ "more_answers_than_requests", more_answers_than_requests, BROKEN, 0 },
	{ "index_backwards", index_backwards, BROKEN, 0 },
	{ "index_half_round", index_half_round, BROKEN, 0 },
	{ "status_error", status_error, FAILED, -EIO },
	{ "status_unsupported", status_unsupported, FAILED, -EIO },
	{ "status_of_nothing", status_of_nothing, FAILED, -EIO },
	{ "status_positive", status_positive, FAILED, -EIO },
	{ "status_least", status_least, FAILED, -EIO },
	{ "status_most", status_most, FAILED, -EIO },
	{ "in_any_order", in_any_order, SERVED, 0 },
	{ "operations_of_others", operations_of_others, SERVED, 0 },
	{ "slots_full_of_garbage", slots_full_of_garbage, SERVED, 0 },
	{ "storm_of_events", storm_of_events, SERVED, 0 },
};

#define ATTACK_COUNT (int)ARRAY_SIZE(attacks)

/* ---- what becomes of it ---- */

static void attack_once(void *argument)
{
	(void)argument;
	scene.attack->run(&scene.back);
}

/* The errors of the batch but for the first that were answered in an attack. */
static void assert_all_came_through(void)
{
	uint32_t failed = 0;

	blkif_world_wait_batch(&scene.world, &scene.batch);
	for (uint32_t i = 0; i < scene.batch.count; i++) {
		int error = scene.batch.entries[i].error;

		ck_assert_msg(error == 0 || error == -EIO, "%s: request %u has error %d",
			      scene.attack->name, i, error);
		failed += error != 0;
	}
	/* What was answered, once, may have been reported before the second answer. */
	ck_assert_uint_le(failed, 1);
}

static void assert_reads(void)
{
	for (uint32_t i = 0; i < BACK_REQUESTS; i += 2)
		for (uint32_t j = 0; j < BACK_REQUEST_SECTORS * BLKIF_SECTOR_BYTES; j++)
			ck_assert_uint_eq(scene.memory[i * BLKIF_PAGE_BYTES + j],
					  hostile_blkback_byte(64 * i + j / BLKIF_SECTOR_BYTES,
							       j % BLKIF_SECTOR_BYTES));
}

START_TEST(hostile_blkback_attack)
{
	const struct back_attack *attack = &attacks[_i % ATTACK_COUNT];

	scene.attack = attack;
	back_config(&scene)->direct = _i / ATTACK_COUNT == 1;
	back_scene_begin(&scene, _i < 2 * ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	scene.back.offer.persistent = _i % 2 ? "1" : NULL;
	back_scene_connect(&scene);
	back_victim_asks(&scene, BACK_REQUEST_SECTORS);
	host_call(scene.attacker, attack_once, NULL);
	if (attack->outcome == BROKEN) {
		ck_assert_msg(host_run_until(scene.world.machine, back_victim_is_down, &scene,
					     5 * BLKIF_SECOND),
			      "%s: the client stays connected", attack->name);
		host_call(scene.attacker, hostile_blkback_release, &scene.back);
		back_scene_replace(&scene);
		assert_all_came_through();
	} else {
		back_assert_errors(&scene, attack->error);
		ck_assert(!back_victim_is_down(&scene));
		if (attack->outcome == SERVED)
			assert_reads();
	}
	back_scene_end(&scene);
}
END_TEST

/* ---- answers and memory at random ---- */

static void mutate(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t draw = host_random(scene.world.machine);
		volatile uint32_t *word = (void *)(scene.back.ring.pages[0]);

		word[16 + (draw >> 8) % 512] =
			(uint32_t)(draw >> 40) % (draw % 3 ? 32 : UINT32_MAX);
	}
}

static void attack_at_random(void *argument)
{
	struct hostile_blkback *back = &scene.back;

	(void)argument;
	if (!back->ring.pages[0])
		return;
	for (uint32_t i = 0; i < 20; i++) {
		uint64_t draw = host_random(scene.world.machine);
		const union blkif_slot *request = hostile_blkback_request(back, (uint32_t)draw % 4);

		if (draw >> 8 & 1)
			mutate(3);
		if (draw >> 9 & 7)
			hostile_blkback_answer_to(back, request, (int16_t) - (draw >> 16 & 1));
		else
			hostile_blkback_answer(back, draw >> 32, (uint8_t)draw, (int16_t)draw);
		if ((draw >> 20) % 16 == 0)
			hostile_blkback_jump(back, (uint32_t)(draw >> 24));
		else
			hostile_blkback_publish(back);
		hostile_blkback_serve(back);
	}
}

static void mutate_for_long(void *argument)
{
	(void)argument;
	if (scene.back.ring.pages[0])
		mutate(50000);
}

static void offer_again(void *argument)
{
	(void)argument;
	hostile_blkback_release(&scene.back);
	hostile_blkback_set_state(&scene.back, XenbusStateClosed);
	back_offer_and_connect(&scene);
}

START_TEST(hostile_blkback_at_random)
{
	static const struct load_shape shape = {
		.depth = 8,
		.max_bytes = 64u << 10,
		.buffers = LOAD_ORDINARY | LOAD_DEVICE,
		.writes = 40,
		.flushes = 4,
	};

	back_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	back_scene_connect(&scene);
	blkif_world_load(&scene.world, 0, 0, &shape, 300);
	for (int i = 0; i < 12; i++) {
		host_call(scene.attacker, attack_at_random, NULL);
		if (_i & 1)
			host_call(scene.attacker, mutate_for_long, NULL);
		host_run_for(scene.world.machine, BLKIF_MS);
		if (back_victim_is_down(&scene))
			host_call_fiber_must(scene.attacker, offer_again, NULL);
	}
	host_call(scene.attacker, hostile_blkback_release, &scene.back);
	back_scene_replace(&scene);
	ck_assert(blkif_world_wait_load(&scene.world, 0, 0, 30 * BLKIF_SECOND));
	blkif_world_assert_load(&scene.world, 0, 0, false);
	back_scene_end(&scene);
}
END_TEST

TCase *blkif_hostile_back_tests(void)
{
	TCase *tests = tcase_create("hostile-back");

	tcase_set_timeout(tests, 240);
	MODES_TEST(tests, hostile_blkback_attack, MODES_STEPPED ? 0 : 2 * ATTACK_COUNT,
		   (MODES_STEPPED ? 2 : 3) * ATTACK_COUNT);
	MODES_TEST_BY_TURNS(tests, hostile_blkback_at_random, 6);
	return tests;
}
