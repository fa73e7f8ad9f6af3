/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on blkback against a frontend that does as the input says: slots of every
 * operation, segments in slots and in indirect pages, references, indices, keys and states
 * in the store, events, memory that changes between two loads, a toolstack that takes the
 * disk away, calls that fail. After every input the vbd goes, and nothing of it may stay;
 * nobody has read or written what lies beside a disk, or written to one for readers.
 */
#include <errno.h>
#include <string.h>

#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>

#include "arch/x86/memory.h"
#include "drivers/blkback.h"
#include "tests/fuzz/shared.h"
#include "tests/fuzz/world.h"
#include "tests/host/hostile_blkfront.h"
#include "tests/host/internal.h"
#include "xen/gnttab.h"

#define GUEST_PAGES 8u
#define DISK_PAGES 16u
#define MORE_PAGES 256u /* disks, what lies beside them, and what blkback takes for itself */
#define STEPS_MOST 400u
#define RING_ORDER 2u
#define SECRET 0x5ec2e75a1b8d3f96ull
#define SECTORS (DISK_PAGES * IOPAGE_SIZE / BLKIF_SECTOR_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct hostile_blkfront front;
static struct script script;
static bool asked;   /* the toolstack has begun a detach, and begins another at the end */
static bool meddled; /* the toolstack's directories are no more what it made of them */

/* ---- the victim ---- */

enum { DISK, DISK_LARGE, DISK_READONLY, DISKS };

static struct blkback_disk disks[DISKS] = {
	{ .name = "disk", .sector_bytes = 512, .bytes = DISK_PAGES * IOPAGE_SIZE },
	{ .name = "large", .sector_bytes = 4096, .bytes = DISK_PAGES * IOPAGE_SIZE },
	{ .name = "readonly",
	  .sector_bytes = 512,
	  .bytes = DISK_PAGES * IOPAGE_SIZE,
	  .read_only = true },
};

/* What the fuzzer sees compared it learns, and then it writes it. */
#define UNSEEN __attribute__((no_sanitize("coverage")))

UNSEEN static void beside(const uint8_t *page, bool fill)
{
	for (uint32_t i = 0; i < IOPAGE_SIZE / sizeof(uint64_t); i++) {
		if (fill)
			((uint64_t *)page)[i] = SECRET;
		fuzz_assert(((const uint64_t *)page)[i] == SECRET);
	}
}

static void blkback_begin(void *argument)
{
	struct blkback_config config = { .disks = disks,
					 .disk_count = DISKS,
					 .max_clients = 2,
					 .features = blkback_all_features };

	(void)argument;
	for (uint32_t i = 0; i < DISKS; i++) {
		uint8_t *memory = memory_alloc_pages(DISK_PAGES + 2);

		beside(memory, true);
		beside(memory + (DISK_PAGES + 1) * IOPAGE_SIZE, true);
		disks[i].memory = memory + IOPAGE_SIZE;
	}
	fuzz_assert(blkback_start(&config) == 0);
}

/* Where the attacker sees what blkback loads: the page behind one of its mappings. */
static uint8_t *resolve(uintptr_t address)
{
	const struct host_domain *victim = world.victim;
	uintptr_t offset = address - (uintptr_t)victim->map_window;
	const struct host_map *map = &victim->maps[offset / IOPAGE_SIZE];

	if (offset / IOPAGE_SIZE >= HOST_MAP_SLOTS || !map->owner)
		return NULL;
	return host_page_address(world.machine, map->owner->grants[map->gref].page) +
	       offset % IOPAGE_SIZE;
}

/* ---- the attacker's keys ---- */

struct key {
	const char *name;
	enum { RING, PORT, NUMBER } kind;
	uint32_t number; /* the truth, or the page of the ring */
};

static const struct key keys[] = {
	{ "ring-ref", RING, 0 },
	{ "ring-ref0", RING, 0 },
	{ "ring-ref1", RING, 1 },
	{ "ring-ref2", RING, 2 },
	{ "ring-ref3", RING, 3 },
	{ "ring-page-order", NUMBER, 1 },
	{ "num-ring-pages", NUMBER, 2 },
	{ "event-channel", PORT, 0 },
	{ "feature-persistent", NUMBER, 1 },
	{ "feature-large-sector-size", NUMBER, 1 },
	{ "multi-queue-num-queues", NUMBER, 1 },
	{ "protocol", NUMBER, 64 },
	{ "queue-0/ring-ref", RING, 0 },
	{ "queue-0/event-channel", PORT, 0 },
	{ "queue-1/ring-ref", RING, 1 },
	{ "queue-1/event-channel", PORT, 0 },
	{ "state", NUMBER, XenbusStateInitialised },
};

static uint32_t key_truth(const struct key *key)
{
	switch (key->kind) {
	case RING:
		return front.ring_grefs[key->number];
	case PORT:
		return front.port;
	default:
		return key->number;
	}
}

static void key_lie(void)
{
	const struct key *key = &keys[script_u8(&script) % ARRAY_SIZE(keys)];

	world_write(&world, host_domid(world.attacker), world.front_path, key->name, key_truth(key),
		    &script);
}

static void key_write(const char *name, uint32_t number)
{
	world_write_number(&world, host_domid(world.attacker), world.front_path, name, number);
}

static void state_write(uint32_t state)
{
	key_write("state", state);
}

static void protocol_write(void)
{
	char path[STORE_TREE_PATH_BYTES + 16];

	snprintf(path, sizeof(path), "%s/protocol", world.front_path);
	(void)!store_tree_write(&world.machine->store, host_domid(world.attacker), 0, path,
				XEN_IO_PROTO_ABI_NATIVE, strlen(XEN_IO_PROTO_ABI_NATIVE));
}

/* A whole handshake, with true keys that the script may change before the state. */
static void connect(uint8_t how)
{
	front.order = how % (RING_ORDER + 1);
	hostile_blkfront_reset(&front);
	if (front.order) {
		key_write("ring-page-order", front.order);
		for (uint32_t i = 0; i < 1u << front.order; i++)
			key_write(keys[1 + i].name, front.ring_grefs[i]);
	} else {
		key_write("ring-ref", front.ring_grefs[0]);
	}
	key_write("event-channel", front.port);
	key_write("feature-persistent", how >> 4 & 1);
	key_write("feature-large-sector-size", how >> 5 & 1);
	protocol_write();
	if (how & 4)
		front.next = front.taken = script_u32(&script);
	blkif_ring_shared(&front.ring)->req_prod = front.next;
	blkif_ring_shared(&front.ring)->rsp_prod = front.next;
	if (how & 8)
		key_lie();
	state_write(XenbusStateInitialised);
	host_run_for(world.machine, WORLD_MS);
}

static void connect_again(void)
{
	uint8_t how = script_u8(&script);

	state_write(how & 0x80 ? XenbusStateClosed : XenbusStateInitialising);
	host_run_for(world.machine, (how & 0x40 ? 50 : 1) * WORLD_MS);
	connect(how);
}

/* ---- its requests ---- */

static uint32_t gref_draw(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 16) {
	case 11:
		return front.indirect_grefs[draw / 16 % HOSTILE_BLK_INDIRECT];
	case 12:
	case 13:
		return front.ring_grefs[draw / 16 % (1u << RING_ORDER)];
	case 14:
		return script_u8(&script);
	case 15:
		return script_u32(&script);
	default:
		return draw % 16 < 7 ? front.grefs[HOSTILE_BLK_DATA] : front.grefs[draw % 4];
	}
}

static uint64_t sector_draw(uint8_t how)
{
	uint64_t sector = script_u8(&script) % (SECTORS + 8);

	if (how & 1)
		sector |= (uint64_t)script_u32(&script) << 32;
	return how & 2 ? UINT64_MAX - sector : sector;
}

static struct blkif_request_segment segment_draw(void)
{
	uint8_t how = script_u8(&script);
	struct blkif_request_segment segment = { .gref = gref_draw(),
						 .first_sect = how % 8,
						 .last_sect = how / 8 % 8 };

	if (how & 0x80)
		segment.last_sect = script_u8(&script);
	return segment;
}

/* A request as it may come from an honest frontend, as far as the script is. */
static void request_put(void)
{
	uint8_t how = script_u8(&script);
	struct blkif_request request = { .operation = how % 8,
					 .nr_segments = script_u8(&script),
					 .id = front.next };

	if (!(how & 0x80))
		request.nr_segments %= 14;
	request.sector_number = sector_draw(how >> 5);
	for (uint32_t i = 0; i < request.nr_segments && i < 11; i++)
		request.seg[i] = segment_draw();
	hostile_blk_put(&front, &request, sizeof(request));
}

static void good_put(void)
{
	uint8_t how = script_u8(&script);
	uint8_t op = how & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	uint32_t count = 1 + (how >> 2) % 11;
	uint64_t sector = script_u8(&script);
	struct blkif_request request = hostile_blk_good(&front, op, sector);

	request.nr_segments = (uint8_t)count;
	for (uint32_t i = 1; i < count; i++)
		request.seg[i] = request.seg[0];
	if (how & 2)
		request.seg[0].first_sect = 3;
	hostile_blk_put(&front, &request, sizeof(request));
}

static void indirect_put(void)
{
	uint8_t how = script_u8(&script);
	uint16_t count = how & 0x80 ? script_u16(&script) : (uint16_t)(script_u8(&script) % 40);
	struct blkif_request_indirect request =
		hostile_blk_good_indirect(&front, how & 3, 0, count);

	if (how & 4)
		request.indirect_op = script_u8(&script);
	request.sector_number = sector_draw(how >> 5);
	if (how & 8)
		request.indirect_grefs[how / 16 % HOSTILE_BLK_INDIRECT] = gref_draw();
	hostile_blk_put(&front, &request, sizeof(request));
}

/* Changes segments in the indirect pages, also while a request is under way. */
static void segment_put(void)
{
	uint32_t index = script_u16(&script) % (HOSTILE_BLK_INDIRECT * BLKIF_INDIRECT_PER_PAGE);

	*hostile_blk_segment(&front, index) = segment_draw();
}

static void discard_put(void)
{
	uint8_t how = script_u8(&script);
	struct blkif_request_discard request = { .operation = BLKIF_OP_DISCARD,
						 .flag = how & 4,
						 .id = front.next,
						 .sector_number = sector_draw(how),
						 .nr_sectors = sector_draw(how >> 4) };

	hostile_blk_put(&front, &request, sizeof(request));
}

static void flush_put(void)
{
	struct blkif_request request = hostile_blk_good(&front, BLKIF_OP_FLUSH_DISKCACHE, 0);
	uint8_t how = script_u8(&script);

	request.operation = how & 1 ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_FLUSH_DISKCACHE;
	request.nr_segments = how & 2 ? 1 : 0;
	hostile_blk_put(&front, &request, sizeof(request));
}

static void raw_put(void)
{
	uint8_t slot[sizeof(union blkif_slot)];
	size_t bytes = script_bytes(&script, slot, script_u8(&script) % sizeof(slot));

	hostile_blk_put(&front, slot, bytes);
}

static void jump(void)
{
	struct script_jump step = script_jump(&script);

	hostile_blk_jump(&front, front.next + step.tx);
	if (step.keep_tx)
		front.next += step.tx;
}

static void poke(void)
{
	script_poke(&script, front.ring.pages[0], front.indirect[0], IOPAGE_SIZE);
}

/* The page of data gets another reference, if nobody keeps the old one. */
static void grant_again(void)
{
	int64_t gref;

	if (gnttab_end_access(front.grefs[HOSTILE_BLK_DATA]))
		return;
	gref = gnttab_grant_access(front.backend_domid,
				   memory_frame_of(front.pages[HOSTILE_BLK_DATA]), false);
	fuzz_assert(gref > 0);
	front.grefs[HOSTILE_BLK_DATA] = (uint32_t)gref;
}

static void nothing(void *context)
{
	(void)context;
}

static void port_again(void)
{
	evtchn_close(front.port);
	fuzz_assert(evtchn_alloc_unbound(front.backend_domid, nothing, NULL, &front.port) == 0);
}

static void publish(void)
{
	hostile_blk_publish(&front);
}

/* ---- the toolstack ---- */

/* What no toolstack does, but an administrator may: whatever he waits for then may not come. */
static void meddle(void)
{
	static const char *const nodes[] = { "online", "state", "frontend-id", "params", "mode" };
	uint8_t draw = script_u8(&script);

	meddled = true;
	if (draw & 0x80)
		host_store_remove(world.machine, draw & 1 ? world.front_path : world.back_path);
	else
		world_write(&world, 0, world.back_path, nodes[draw % ARRAY_SIZE(nodes)], draw & 1,
			    &script);
}

static void toolstack(void)
{
	if (script_u8(&script) % 2)
		asked |= world_ask_to_close(&world);
	else
		meddle();
}

static uint64_t wanted_bytes;

static void resize(void *argument)
{
	struct blkback_disk *disk = argument;

	/* Whether its clients heard of it is another matter. */
	(void)!blkback_resize(disk, wanted_bytes);
}

static void victim_resizes(void)
{
	struct blkback_disk *disk = &disks[script_u8(&script) % DISKS];
	uint32_t malloc_one_in;

	wanted_bytes = (uint64_t)(1 + script_u8(&script) % DISK_PAGES) * IOPAGE_SIZE;
	/* The fiber that asks for it is no part of what is tried, and needs memory. */
	malloc_one_in = world.victim->faults.malloc_one_in;
	world.victim->faults.malloc_one_in = 0;
	host_call_fiber_must(world.victim, resize, disk);
	world.victim->faults.malloc_one_in = malloc_one_in;
}

/* ---- the script ---- */

static void (*const attacker_steps[])(void) = { request_put, request_put,  good_put,
						good_put,    indirect_put, indirect_put,
						segment_put, discard_put,  flush_put,
						raw_put,     jump,	   poke };

static void run(void)
{
	shared_forget_loads();
	world_run(&world, &script);
}

static void operate(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 32) {
	case 12:
	case 13:
		world_as_attacker(&world, publish);
		break;
	case 14:
	case 15:
	case 16:
	case 17:
		world_as_attacker(&world, publish);
		run();
		break;
	case 18:
		run();
		break;
	case 19:
	case 20:
	case 21:
		world_as_attacker(&world, good_put);
		break;
	case 22:
		victim_resizes();
		break;
	case 23:
	case 24:
		shared_plan(&script, resolve);
		break;
	case 25:
		key_lie();
		break;
	case 26:
		state_write(script_u8(&script) % 10);
		break;
	case 27:
		connect_again();
		break;
	case 28:
		toolstack();
		break;
	case 29:
		world_faults(&world, &script);
		break;
	case 30:
		world_as_attacker(&world, grant_again);
		break;
	case 31:
		world_as_attacker(&world, port_again);
		break;
	default:
		world_as_attacker(&world, attacker_steps[draw % 32]);
		break;
	}
}

/* ---- one input ---- */

static void world_start(void)
{
	world_make_disks(&world, GUEST_PAGES, MORE_PAGES, true);
	host_call(world.victim, blkback_begin, NULL);
	world_remember_clean(&world);
	hostile_blkfront_init(&front, world.attacker, world.victim, world.vbd.devid);
	front.order = RING_ORDER;
	fuzz_assert(host_toolstack_attach_vbd(&world.vbd) == 0);
	host_call_fiber_must(world.attacker, hostile_blkfront_connect, &front);
	fuzz_assert(front.error == 0);
	fuzz_assert(world_detach(&world) == 0);
	world_assert_clean(&world);
}

/* Each input by itself: the disks, and the attacker's pages, are empty. */
static void input_begin(uint8_t how)
{
	asked = meddled = false;
	for (uint32_t i = 0; i < DISKS; i++) {
		disks[i].bytes = DISK_PAGES * IOPAGE_SIZE;
		memset(disks[i].memory, 0, DISK_PAGES * IOPAGE_SIZE);
	}
	for (uint32_t i = 0; i < HOSTILE_BLK_PAGES; i++)
		memset(front.pages[i], 0x77, IOPAGE_SIZE);
	for (uint32_t i = 0; i < HOSTILE_BLK_INDIRECT; i++)
		memset(front.indirect[i], 0, IOPAGE_SIZE);
	world_begin_input(&world);
	world.vbd.target = disks[how % DISKS].name;
	world.vbd.read_only = how % DISKS == DISK_READONLY || how & 0x80;
	fuzz_assert(host_toolstack_attach_vbd(&world.vbd) == 0);
	hostile_blkfront_reset(&front);
}

UNSEEN static void assert_no_secret(const uint8_t *page)
{
	for (uint32_t i = 0; i < IOPAGE_SIZE / sizeof(uint64_t); i++)
		fuzz_assert(((const uint64_t *)page)[i] != SECRET);
}

/* XSA-155, 216: nothing was read or written but the disk that was asked for. */
static void assert_disks_are_whole(void)
{
	static const uint8_t zeros[IOPAGE_SIZE];
	const uint8_t *readonly = disks[DISK_READONLY].memory;

	for (uint32_t i = 0; i < DISKS; i++) {
		beside(disks[i].memory - IOPAGE_SIZE, false);
		beside(disks[i].memory + DISK_PAGES * IOPAGE_SIZE, false);
	}
	for (uint32_t i = 0; i < DISK_PAGES; i++)
		fuzz_assert(memcmp(readonly + i * IOPAGE_SIZE, zeros, IOPAGE_SIZE) == 0);
	for (uint32_t i = 0; i < HOSTILE_BLK_PAGES; i++)
		assert_no_secret(front.pages[i]);
	for (uint32_t i = 0; i < 1u << RING_ORDER; i++)
		assert_no_secret(front.ring.pages[i]);
}

static void input_end(void)
{
	int error;

	shared_reset();
	error = world_detach(&world);
	/* The second detach may begin just when the first one's directory goes. */
	fuzz_assert(!error || meddled || (asked && error == -EINVAL));
	world_assert_clean(&world);
	assert_disks_are_whole();
	for (uint32_t i = 0; i < DISKS; i++)
		fuzz_assert(!disks[i].readers && !disks[i].writers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t steps = 0;

	if (!world.machine)
		world_start();
	script = (struct script){ data, size };
	input_begin(script_u8(&script));
	connect(script_u8(&script));
	while (!script_is_over(&script) && steps++ < STEPS_MOST)
		operate();
	input_end();
	return 0;
}
