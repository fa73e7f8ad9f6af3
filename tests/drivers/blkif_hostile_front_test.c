/* SPDX-License-Identifier: ISC */
/*
 * blkback against frontends that break every rule, while an honest client's load goes on.
 * Each attack says what must become of its requests: answered with an error, said not to be
 * supported, carried out, or the attacker disconnected. Nothing but its own disk may change.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "tests/drivers/blkif_front_scene.h"
#include "tests/drivers/blkif_suites.h"
#include "xen/gnttab.h"

enum outcome {
	REFUSED,     /* each request is answered with an error; the vbd lives */
	UNSUPPORTED, /* the same with the protocol's word for it */
	SERVED,	     /* each is carried out */
	BROKEN	     /* the vbd is disconnected */
};

struct blk_attack {
	const char *name;
	void (*run)(struct hostile_blkfront *front);
	enum outcome outcome;
	bool read_only; /* the attacker's vbd */
	bool changes;	/* its disk may */
};

/* ---- building blocks ---- */

static void send(struct hostile_blkfront *front, const struct blkif_request *request)
{
	hostile_blk_put(front, request, sizeof(*request));
	hostile_blk_publish(front);
}

/* One request of one segment, with what is wrong about it. */
static void send_segment(struct hostile_blkfront *front, uint8_t operation, uint32_t gref,
			 uint8_t first, uint8_t last)
{
	struct blkif_request request = hostile_blk_good(front, operation, 0);

	request.seg[0].gref = gref;
	request.seg[0].first_sect = first;
	request.seg[0].last_sect = last;
	send(front, &request);
}

static void send_both(struct hostile_blkfront *front, uint32_t gref, uint8_t first, uint8_t last)
{
	send_segment(front, BLKIF_OP_READ, gref, first, last);
	send_segment(front, BLKIF_OP_WRITE, gref, first, last);
}

static void send_at(struct hostile_blkfront *front, uint64_t sector)
{
	struct blkif_request read = hostile_blk_good(front, BLKIF_OP_READ, sector);
	struct blkif_request write = hostile_blk_good(front, BLKIF_OP_WRITE, sector);

	send(front, &read);
	send(front, &write);
}

static void send_count(struct hostile_blkfront *front, uint8_t operation, uint8_t segments)
{
	struct blkif_request request = hostile_blk_good(front, operation, 0);

	request.nr_segments = segments;
	for (uint32_t i = 1; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		request.seg[i] = request.seg[0];
	send(front, &request);
}

static void send_discard(struct hostile_blkfront *front, uint64_t sector, uint64_t count)
{
	struct blkif_request_discard request = { .operation = BLKIF_OP_DISCARD,
						 .id = front->next,
						 .sector_number = sector,
						 .nr_sectors = count };

	hostile_blk_put(front, &request, sizeof(request));
	hostile_blk_publish(front);
}

static void send_indirect(struct hostile_blkfront *front,
			  const struct blkif_request_indirect *request)
{
	hostile_blk_put(front, request, sizeof(*request));
	hostile_blk_publish(front);
}

static void send_indirect_count(struct hostile_blkfront *front, uint16_t segments)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_READ, 0, segments);

	send_indirect(front, &request);
}

/* ---- indices (XSA-39) ---- */

static void index_far_ahead(struct hostile_blkfront *front)
{
	hostile_blk_jump(front, front->next + front->ring.slots + 1);
}

static void index_backwards(struct hostile_blkfront *front)
{
	hostile_blk_jump(front, front->next - 1);
}

static void index_half_round(struct hostile_blkfront *front)
{
	hostile_blk_jump(front, front->next + 0x80000000u);
}

/* ---- segments ---- */

static void no_segments(struct hostile_blkfront *front)
{
	send_count(front, BLKIF_OP_READ, 0);
	send_count(front, BLKIF_OP_WRITE, 0);
}

/* XSA-432: more than the slot holds. */
static void twelve_segments(struct hostile_blkfront *front)
{
	send_count(front, BLKIF_OP_READ, 12);
	send_count(front, BLKIF_OP_WRITE, 12);
}

static void segments_255(struct hostile_blkfront *front)
{
	send_count(front, BLKIF_OP_READ, 255);
	send_count(front, BLKIF_OP_WRITE, 255);
	send_count(front, BLKIF_OP_FLUSH_DISKCACHE, 255);
	send_count(front, BLKIF_OP_WRITE_BARRIER, 255);
}

static void first_behind_last(struct hostile_blkfront *front)
{
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 4, 3);
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 255, 0);
}

static void last_beyond_the_page(struct hostile_blkfront *front)
{
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 0, 8);
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 8, 8);
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 0, 255);
	send_both(front, front->grefs[HOSTILE_BLK_DATA], 255, 255);
}

static void one_bad_segment_among_good_ones(struct hostile_blkfront *front)
{
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_WRITE, 0);

	request.nr_segments = 3;
	request.seg[2] = request.seg[1] = request.seg[0];
	request.seg[1].last_sect = 9;
	send(front, &request);
}

/* ---- references ---- */

static void reference_zero(struct hostile_blkfront *front)
{
	send_both(front, 0, 0, 7);
}

static void reference_huge(struct hostile_blkfront *front)
{
	send_both(front, UINT32_MAX, 0, 7);
}

static void reference_never_granted(struct hostile_blkfront *front)
{
	send_both(front, 3000, 0, 7);
}

static void reference_revoked(struct hostile_blkfront *front)
{
	send_both(front, front->grefs[HOSTILE_BLK_REVOKED], 0, 7);
}

static void reference_for_another_domain(struct hostile_blkfront *front)
{
	send_both(front, front->grefs[HOSTILE_BLK_FOREIGN], 0, 7);
}

static void read_into_a_page_for_readers(struct hostile_blkfront *front)
{
	send_segment(front, BLKIF_OP_READ, front->grefs[HOSTILE_BLK_READONLY], 0, 7);
}

static void write_from_a_page_for_readers(struct hostile_blkfront *front)
{
	send_segment(front, BLKIF_OP_WRITE, front->grefs[HOSTILE_BLK_READONLY], 0, 7);
}

static void a_bad_reference_in_the_middle(struct hostile_blkfront *front)
{
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 0);

	request.nr_segments = 5;
	for (uint32_t i = 1; i < 5; i++)
		request.seg[i] = request.seg[0];
	request.seg[2].gref = 2999;
	send(front, &request);
}

/* ---- sectors ---- */

static void first_sector_behind_the_end(struct hostile_blkfront *front)
{
	send_at(front, FRONT_SECTORS);
}

static void across_the_end(struct hostile_blkfront *front)
{
	send_at(front, FRONT_SECTORS - 1);
}

static void far_behind_the_end(struct hostile_blkfront *front)
{
	send_at(front, FRONT_SECTORS * 64);
	send_at(front, 1ull << 32);
	send_at(front, 1ull << 63);
}

/* The byte offsets wrap to the disk's beginning, and the sum of sectors to 0 and to 7. */
static void sector_that_wraps(struct hostile_blkfront *front)
{
	send_at(front, 1ull << 55);
	send_at(front, UINT64_MAX - 7);
	send_at(front, UINT64_MAX);
}

static void discard_behind_the_end(struct hostile_blkfront *front)
{
	send_discard(front, FRONT_SECTORS, 1);
	send_discard(front, FRONT_SECTORS - 1, 2);
	send_discard(front, 0, FRONT_SECTORS + 1);
}

static void discard_that_wraps(struct hostile_blkfront *front)
{
	send_discard(front, 8, UINT64_MAX - 7);
	send_discard(front, UINT64_MAX, 2);
	send_discard(front, 1ull << 55, 8);
	send_discard(front, 8, 1ull << 55);
}

static void discard_of_nothing(struct hostile_blkfront *front)
{
	send_discard(front, 0, 0);
}

static void discard_of_everything(struct hostile_blkfront *front)
{
	send_discard(front, 0, FRONT_SECTORS);
}

/* ---- what is not allowed ---- */

static void writes_to_a_disk_for_readers(struct hostile_blkfront *front)
{
	struct blkif_request_indirect indirect =
		hostile_blk_good_indirect(front, BLKIF_OP_WRITE, 0, 2);

	send_segment(front, BLKIF_OP_WRITE, front->grefs[HOSTILE_BLK_DATA], 0, 7);
	send_segment(front, BLKIF_OP_WRITE_BARRIER, front->grefs[HOSTILE_BLK_DATA], 0, 7);
	send_segment(front, BLKIF_OP_FLUSH_DISKCACHE, front->grefs[HOSTILE_BLK_DATA], 0, 7);
	send_indirect(front, &indirect);
}

static void discards_a_disk_for_readers(struct hostile_blkfront *front)
{
	send_discard(front, 0, 8);
}

static void unknown_operations(struct hostile_blkfront *front)
{
	send_segment(front, 4, front->grefs[HOSTILE_BLK_DATA], 0, 7);
	send_segment(front, 7, front->grefs[HOSTILE_BLK_DATA], 0, 7);
	send_segment(front, 255, front->grefs[HOSTILE_BLK_DATA], 0, 7);
}

/* ---- indirect ---- */

static void indirect_without_segments(struct hostile_blkfront *front)
{
	send_indirect_count(front, 0);
}

/* The last ones of one sector each, or they would not fit the disk either. */
static void indirect_with_too_many_segments(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request;

	send_indirect_count(front, 4096);
	send_indirect_count(front, 65535);
	request = hostile_blk_good_indirect(front, BLKIF_OP_READ, 0, 257);
	for (uint32_t i = 0; i < 257; i++)
		hostile_blk_segment(front, i)->last_sect = 0;
	send_indirect(front, &request);
}

static void indirect_of_other_operations(struct hostile_blkfront *front)
{
	static const uint8_t operations[] = { BLKIF_OP_INDIRECT, BLKIF_OP_DISCARD,
					      BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER,
					      255 };

	for (uint32_t i = 0; i < ARRAY_SIZE(operations); i++) {
		struct blkif_request_indirect request =
			hostile_blk_good_indirect(front, operations[i], 0, 2);

		send_indirect(front, &request);
	}
}

static void indirect_with_bad_pages(struct hostile_blkfront *front)
{
	const uint32_t grefs[] = { 0, 2999, UINT32_MAX, front->grefs[HOSTILE_BLK_REVOKED],
				   front->grefs[HOSTILE_BLK_FOREIGN] };

	for (uint32_t i = 0; i < ARRAY_SIZE(grefs); i++) {
		struct blkif_request_indirect request =
			hostile_blk_good_indirect(front, BLKIF_OP_WRITE, 0, 8);

		request.indirect_grefs[0] = grefs[i];
		send_indirect(front, &request);
	}
}

static void indirect_with_a_bad_segment(struct hostile_blkfront *front)
{
	static const struct blkif_request_segment bad[] = {
		{ .gref = 2999, .first_sect = 0, .last_sect = 7 },
		{ .gref = 0, .first_sect = 0, .last_sect = 7 },
	};

	/* A request each: they share the pages of descriptors. */
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_READ, 0, 8);

	*hostile_blk_segment(front, 3) = bad[front->next % 2];
	send_indirect(front, &request);
}

static void indirect_beyond_the_page(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_WRITE, 0, 8);

	hostile_blk_segment(front, 7)->last_sect = 8;
	send_indirect(front, &request);
}

static void indirect_first_behind_last(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_WRITE, 0, 8);

	hostile_blk_segment(front, 7)->first_sect = 255;
	send_indirect(front, &request);
}

static void indirect_across_the_end(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_WRITE, FRONT_SECTORS - 8, 2);

	send_indirect(front, &request);
	request = hostile_blk_good_indirect(front, BLKIF_OP_WRITE, UINT64_MAX - 7, 2);
	send_indirect(front, &request);
}

/* More pages than the segments need may be anything, for nobody needs them. */
static void indirect_with_pages_that_nobody_needs(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_READ, 0, 8);

	for (uint32_t i = 1; i < HOSTILE_BLK_INDIRECT; i++)
		request.indirect_grefs[i] = UINT32_MAX - i;
	send_indirect(front, &request);
}

/* The descriptors lie in the ring itself, which answers will overwrite. */
static void indirect_within_the_ring(struct hostile_blkfront *front)
{
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(front, BLKIF_OP_WRITE, 0, 256);

	request.indirect_grefs[0] = front->ring_grefs[0];
	memset(front->ring.pages[0] + 2048, 0xff, 2048);
	send_indirect(front, &request);
}

/* ---- what only looks wrong ---- */

static void the_same_id_again_and_again(struct hostile_blkfront *front)
{
	for (uint32_t i = 0; i < 10; i++) {
		struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 8);

		request.id = UINT64_MAX;
		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
}

static void the_handle_of_another(struct hostile_blkfront *front)
{
	struct blkif_request request = hostile_blk_good(front, BLKIF_OP_READ, 0);

	request.handle = 7;
	send(front, &request);
}

/* The ring itself as memory: it is the attacker's own. */
static void reads_the_disk_into_its_ring(struct hostile_blkfront *front)
{
	send_segment(front, BLKIF_OP_READ, front->ring_grefs[0], 4, 7);
}

static void a_ring_full_of_large_requests(struct hostile_blkfront *front)
{
	for (uint32_t i = 0; i < front->ring.slots - 2; i++) {
		struct blkif_request_indirect request = hostile_blk_good_indirect(
			front, i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, 0, FRONT_SECTORS / 8);

		hostile_blk_put(front, &request, sizeof(request));
	}
	hostile_blk_publish(front);
}

/* XSA-332 */
static void storm_of_events(struct hostile_blkfront *front)
{
	for (uint32_t i = 0; i < 5000; i++)
		evtchn_notify(front->port);
}

static const struct blk_attack attacks[] = {
	{ "index_far_ahead", index_far_ahead, BROKEN, false, false },
	{ "index_backwards", index_backwards, BROKEN, false, false },
	{ "index_half_round", index_half_round, BROKEN, false, false },
	{ "no_segments", no_segments, REFUSED, false, false },
	{ "twelve_segments", twelve_segments, REFUSED, false, false },
	{ "segments_255", segments_255, REFUSED, false, false },
	{ "first_behind_last", first_behind_last, REFUSED, false, false },
	{ "last_beyond_the_page", last_beyond_the_page, REFUSED, false, false },
	{ "one_bad_segment_among_good_ones", one_bad_segment_among_good_ones, REFUSED, false,
	  false },
	{ "reference_zero", reference_zero, REFUSED, false, false },
	{ "reference_huge", reference_huge, REFUSED, false, false },
	{ "reference_never_granted", reference_never_granted, REFUSED, false, false },
	{ "reference_revoked", reference_revoked, REFUSED, false, false },
	{ "reference_for_another_domain", reference_for_another_domain, REFUSED, false, false },
	{ "read_into_a_page_for_readers", read_into_a_page_for_readers, REFUSED, false, false },
	{ "write_from_a_page_for_readers", write_from_a_page_for_readers, SERVED, false, true },
	{ "a_bad_reference_in_the_middle", a_bad_reference_in_the_middle, REFUSED, false, false },
	{ "first_sector_behind_the_end", first_sector_behind_the_end, REFUSED, false, false },
	{ "across_the_end", across_the_end, REFUSED, false, false },
	{ "far_behind_the_end", far_behind_the_end, REFUSED, false, false },
	{ "sector_that_wraps", sector_that_wraps, REFUSED, false, false },
	{ "discard_behind_the_end", discard_behind_the_end, REFUSED, false, false },
	{ "discard_that_wraps", discard_that_wraps, REFUSED, false, false },
	{ "discard_of_nothing", discard_of_nothing, REFUSED, false, false },
	{ "discard_of_everything", discard_of_everything, SERVED, false, true },
	{ "writes_to_a_disk_for_readers", writes_to_a_disk_for_readers, REFUSED, true, false },
	{ "discards_a_disk_for_readers", discards_a_disk_for_readers, UNSUPPORTED, true, false },
	{ "unknown_operations", unknown_operations, UNSUPPORTED, false, false },
	{ "indirect_without_segments", indirect_without_segments, REFUSED, false, false },
	{ "indirect_with_too_many_segments", indirect_with_too_many_segments, REFUSED, false,
	  false },
	{ "indirect_of_other_operations", indirect_of_other_operations, REFUSED, false, false },
	{ "indirect_with_bad_pages", indirect_with_bad_pages, REFUSED, false, false },
	{ "indirect_with_a_bad_segment", indirect_with_a_bad_segment, REFUSED, false, false },
	{ "indirect_beyond_the_page", indirect_beyond_the_page, REFUSED, false, false },
	{ "indirect_first_behind_last", indirect_first_behind_last, REFUSED, false, false },
	{ "indirect_across_the_end", indirect_across_the_end, REFUSED, false, false },
	{ "indirect_with_pages_that_nobody_needs", indirect_with_pages_that_nobody_needs, SERVED,
	  false, false },
	{ "indirect_within_the_ring", indirect_within_the_ring, REFUSED, false, false },
	{ "the_same_id_again_and_again", the_same_id_again_and_again, SERVED, false, false },
	{ "the_handle_of_another", the_handle_of_another, SERVED, false, false },
	{ "reads_the_disk_into_its_ring", reads_the_disk_into_its_ring, SERVED, false, false },
	{ "a_ring_full_of_large_requests", a_ring_full_of_large_requests, SERVED, false, true },
	{ "storm_of_events", storm_of_events, SERVED, false, false },
};

#define ATTACK_COUNT (int)ARRAY_SIZE(attacks)
#define DEATHS 14 /* of so many of them */

/* ---- what becomes of it ---- */

/* A stepped machine that is never idle takes minutes of ours for seconds of its own. */
#define STEPPED_PATIENCE_NS (100 * BLKIF_MS)
#define THREADS_PATIENCE_NS (10 * BLKIF_SECOND)

static void attack_once(void *argument)
{
	struct front_scene *scene = argument;

	scene->attack->run(&scene->front);
}

static void assert_disconnected(struct front_scene *scene)
{
	struct host_machine *machine = scene->world.machine;
	uint64_t patience = host_machine_mode(machine) == HOST_STEPPED ? STEPPED_PATIENCE_NS
								       : THREADS_PATIENCE_NS;

	ck_assert_msg(host_run_until(machine, front_is_disconnected, scene, patience),
		      "%s: the attacker stays connected", scene->attack->name);
	ck_assert(host_run_until(machine, front_nothing_is_held, scene, BLKIF_SECOND));
}

static uint32_t answers_of(const struct front_scene *scene)
{
	switch (scene->attack->outcome) {
	case REFUSED:
		return scene->answers.error;
	case UNSUPPORTED:
		return scene->answers.unsupported;
	default:
		return scene->answers.okay;
	}
}

/* Whether the attacker's disk is as it was, which is empty. */
static void assert_disk_is_whole(struct front_scene *scene)
{
	if (!scene->attack->changes)
		blkif_world_check_disk(&scene->world, 1);
}

static void assert_outcome(struct front_scene *scene)
{
	const struct blk_attack *attack = scene->attack;
	uint32_t sent = scene->front.next;

	if (attack->outcome == BROKEN) {
		assert_disconnected(scene);
		assert_disk_is_whole(scene);
		return;
	}
	ck_assert_msg(front_wait_answers(scene, sent), "%s: %u answers to %u requests",
		      attack->name, scene->answers.all, sent);
	ck_assert_msg(answers_of(scene) == sent,
		      "%s: of %u requests %u were done, %u failed, %u not supported", attack->name,
		      sent, scene->answers.okay, scene->answers.error, scene->answers.unsupported);
	host_call_fiber_must(scene->attacker, front_read_peer_state, scene);
	ck_assert_msg(scene->peer_state == XenbusStateConnected, "%s: disconnected", attack->name);
	assert_disk_is_whole(scene);
	if (!attack->read_only)
		front_assert_served(scene);
}

/* Each stepped, then with grants that are kept; for ThreadSanitizer on threads. */
START_TEST(hostile_blkfront_attack)
{
	static struct front_scene scene;

	scene.attack = &attacks[_i % ATTACK_COUNT];
	front_scene_begin(&scene, _i < 2 * ATTACK_COUNT ? HOST_STEPPED : HOST_THREADS, 0);
	scene.vbd.read_only = scene.attack->read_only;
	if (_i / ATTACK_COUNT == 1)
		scene.front.keys.persistent = "1";
	front_scene_connect(&scene);
	host_call(scene.attacker, attack_once, &scene);
	assert_outcome(&scene);
	front_scene_end(&scene);
}
END_TEST

/* ---- memory that changes under the backend's eyes (XSA-155) ---- */

static void mutate(struct front_scene *scene, uint32_t count)
{
	struct hostile_blkfront *front = &scene->front;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t draw = host_random(scene->world.machine);
		volatile uint32_t *word = (void *)(front->ring.pages[0] + BLKIF_RING_HEADER_BYTES);

		if (draw % 3 == 0)
			word = (void *)front->indirect[0];
		word[(draw >> 8) % 512] =
			draw % 5 ? (uint32_t)(draw >> 40) : front->grefs[draw % HOSTILE_BLK_PAGES];
	}
}

static void attack_at_random(void *argument)
{
	struct front_scene *scene = argument;
	struct hostile_blkfront *front = &scene->front;
	struct host_machine *machine = scene->world.machine;

	for (uint32_t i = 0; i < 50; i++) {
		uint64_t draw = host_random(machine);
		struct blkif_request request =
			hostile_blk_good(front, draw % 8, (draw >> 8) % FRONT_SECTORS);
		struct blkif_request_indirect indirect = hostile_blk_good_indirect(
			front, draw % 2, (draw >> 8) % FRONT_SECTORS, (draw >> 16) % 256);

		if (draw & 1u << 30)
			hostile_blk_put(front, &request, sizeof(request));
		else
			hostile_blk_put(front, &indirect, sizeof(indirect));
		mutate(scene, (uint32_t)(host_random(machine) % 3));
		if (host_random(machine) % 50 == 0)
			hostile_blk_jump(front, (uint32_t)host_random(machine));
		else
			hostile_blk_publish(front);
	}
}

/* A thread of the attacker that writes while the backend reads. */
static void mutate_for_long(void *argument)
{
	mutate(argument, 100000);
}

START_TEST(hostile_blkfront_at_random)
{
	static struct front_scene scene;

	front_scene_begin(&scene, _i & 1 ? HOST_THREADS : HOST_STEPPED, (uint32_t)_i);
	scene.front.keys.persistent = _i & 2 ? "1" : NULL;
	front_scene_connect(&scene);
	for (int i = 0; i < 20; i++) {
		host_call(scene.attacker, attack_at_random, &scene);
		if (_i & 1)
			host_call(scene.attacker, mutate_for_long, &scene);
		host_run_for(scene.world.machine, BLKIF_MS);
		if (!front_is_disconnected(&scene))
			continue;
		host_call_fiber_must(scene.attacker, front_begin_again, &scene);
		ck_assert_int_eq(scene.front.error, 0);
	}
	front_scene_end(&scene);
}
END_TEST

/* ---- dying ---- */

START_TEST(hostile_blkfront_dies_with_requests_on_the_ring)
{
	static struct front_scene scene;

	scene.attack = &attacks[_i * ATTACK_COUNT / DEATHS];
	front_scene_begin(&scene, HOST_STEPPED, 0);
	scene.front.keys.persistent = _i % 2 ? "1" : NULL;
	scene.vbd.read_only = scene.attack->read_only;
	front_scene_connect(&scene);
	host_call(scene.attacker, attack_once, &scene);
	host_domain_kill(scene.attacker);
	host_run_for(scene.world.machine, 10 * BLKIF_MS);
	front_scene_end(&scene);
}
END_TEST

TCase *blkif_hostile_front_tests(void)
{
	TCase *tests = tcase_create("hostile-front");

	tcase_set_timeout(tests, 240);
	MODES_TEST(tests, hostile_blkfront_attack, MODES_STEPPED ? 0 : 2 * ATTACK_COUNT,
		   (MODES_STEPPED ? 2 : 3) * ATTACK_COUNT);
	MODES_TEST_BY_TURNS(tests, hostile_blkfront_at_random, 8);
	MODES_TEST_STEPPED(tests, hostile_blkfront_dies_with_requests_on_the_ring, DEATHS);
	return tests;
}
