/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on blkfront against a backend that does as the input says: responses with any
 * id, operation and status, in any order and number, indices, features, geometry and states
 * in the store, pages that it does not let go, memory that changes between two loads, calls
 * that fail. The guest meanwhile reads and writes with memory of every kind. Each request
 * must be reported once, nothing beside its memory be written, and the backend see nothing
 * but what it was sent. After every input the vbd goes, and nothing of it may stay.
 */
#include <errno.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/memory.h"
#include "drivers/blkfront.h"
#include "tests/fuzz/shared.h"
#include "tests/fuzz/world.h"
#include "tests/host/hostile_blkback.h"
#include "tests/host/internal.h"

#define GUEST_PAGES 128u
#define DISK_BUDGET 32u
#define STEPS_MOST 400u
#define HOLDS 4u
#define REQUESTS 32u
#define REQUEST_PAGES 4u
#define MEMORY_PAGES (REQUEST_PAGES + 2u)
#define MORE_PAGES (REQUESTS * MEMORY_PAGES + 64u)
#define SECRET 0x5ec2e75a1b8d3f96ull
/* It looks at much memory, and is itself none of what is tried. */
#define QUICK __attribute__((no_sanitize("address", "undefined", "coverage")))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct hostile_blkback back;
static struct script script;
static struct gnttab_mapping holds[HOLDS];

/* ---- the victim ---- */

/* A request and its memory, the rest of which is secret. */
struct job {
	struct block_request request;
	uint8_t *memory; /* MEMORY_PAGES of it */
	uint8_t *begin;	 /* where the request's lies in there */
	size_t bytes;
	bool out;  /* submitted, and not yet reported */
	bool lost; /* the backend has its memory for good */
	bool stubborn;
};

static struct job jobs[REQUESTS];
static struct block_device *device;
static uint8_t *lent; /* a buffer of the device's */
static bool is_direct;

QUICK static void fill_secret(struct job *job)
{
	for (uint32_t i = 0; i < MEMORY_PAGES * IOPAGE_SIZE / sizeof(uint64_t); i++)
		((uint64_t *)job->memory)[i] = SECRET;
}

/* What lies beside the request's bytes is as it was; both ends are multiples of 8. */
QUICK static bool only_its_memory_changed(const struct job *job)
{
	const uint64_t *begin = (const uint64_t *)(void *)job->begin;
	const uint64_t *end = begin + job->bytes / sizeof(*end);
	const uint64_t *at = (const uint64_t *)(void *)job->memory;
	const uint64_t *last = at + MEMORY_PAGES * IOPAGE_SIZE / sizeof(*at);

	for (; at < begin; at++)
		if (*at != SECRET)
			return false;
	for (at = end; at < last; at++)
		if (*at != SECRET)
			return false;
	return true;
}

static void reported(struct block_request *request, int error)
{
	struct job *job = request->context;

	fuzz_assert(job->out);
	job->out = false;
	fuzz_assert(!error || error == -EIO || error == -EOPNOTSUPP || error == -EROFS ||
		    error == -ENOSPC || error == -ENODEV || error == -EBUSY);
	job->lost = error == -EBUSY;
	if (job->begin && !job->lost)
		fuzz_assert(only_its_memory_changed(job));
	/* Some try again at once what has failed, for as long as there is a device. */
	if (error && job->stubborn && !job->lost && device) {
		struct block_request *again = &job->request;

		job->out = true;
		if (block_submit(device, &again, 1))
			job->out = false;
	}
}

static void attached(struct block_device *to, void *context)
{
	(void)context;
	fuzz_assert(!device);
	device = to;
}

static void detached(struct block_device *from, void *context)
{
	(void)context;
	fuzz_assert(device == from);
	if (lent)
		block_buffer_free(device, lent, IOPAGE_SIZE);
	lent = NULL;
	device = NULL;
}

static void blkfront_begin(void *argument)
{
	struct guest *guest = argument;
	struct blkfront_config config = {
		.pages = &guest->page_pool,
		.max_disks = 2,
		.max_queues = 2,
		.ring_order = 2,
		.disk_pages = DISK_BUDGET,
		.direct = is_direct,
		.attached = attached,
		.detached = detached,
	};

	for (uint32_t i = 0; i < REQUESTS; i++)
		jobs[i].memory = memory_alloc_pages(MEMORY_PAGES);
	fuzz_assert(blkfront_start(&config) == 0);
}

static struct job *job_free(void)
{
	for (uint32_t i = 0; i < REQUESTS; i++)
		if (!jobs[i].out && !jobs[i].lost)
			return &jobs[i];
	return NULL;
}

/* As many bytes as a script wants, page-aligned or not. */
static void job_memory(struct job *job, uint8_t how)
{
	uint64_t bytes = job->request.count * device->geometry.sector_bytes;

	fill_secret(job);
	job->begin = job->memory + IOPAGE_SIZE + (how & 1 ? script_u8(&script) * 8 : 0);
	if (bytes > REQUEST_PAGES * IOPAGE_SIZE - 2048) {
		job->request.count = 1;
		bytes = device->geometry.sector_bytes;
	}
	job->bytes = bytes;
	memset(job->begin, 0x42, bytes);
	job->request.data = job->begin;
	if (!(how & 2) || !lent || bytes > IOPAGE_SIZE)
		return;
	/* The device's own memory, of which no more than a page is there. */
	job->begin = NULL;
	job->request.data = lent;
}

static void job_draw(struct job *job)
{
	uint8_t how = script_u8(&script);

	job->begin = NULL;
	job->stubborn = how & 0x08;
	job->request = (struct block_request){ .op = how % BLOCK_OP_COUNT,
					       .done = reported,
					       .context = job };
	if (how & 0x80)
		job->request.flags = script_u8(&script) % 8;
	if (job->request.op == BLOCK_FLUSH)
		return;
	job->request.sector = script_u8(&script);
	job->request.count = 1 + script_u8(&script) % 32;
	if (how & 0x40)
		job->request.sector = script_u32(&script) | (uint64_t)script_u32(&script) << 32;
	if (job->request.op == BLOCK_READ || job->request.op == BLOCK_WRITE)
		job_memory(job, how >> 4);
}

/* Adjacent ones at once, for merging. */
static void submit_adjacent(uint32_t most)
{
	struct block_request *requests[8];
	uint32_t count = 0;
	struct job *job;

	while (count < most && device && (job = job_free())) {
		job->request = (struct block_request){ .op = BLOCK_WRITE,
						       .sector = count,
						       .count = 1,
						       .done = reported,
						       .context = job };
		job->stubborn = false;
		job_memory(job, 0);
		job->out = true;
		requests[count++] = &job->request;
	}
	if (count && block_submit(device, requests, count))
		for (uint32_t i = 0; i < count; i++)
			((struct job *)requests[i]->context)->out = false;
}

static void victim_submit(void *argument)
{
	uint32_t count = 1 + script_u8(&script) % 8;
	struct block_request *request;
	struct job *job;

	(void)argument;
	for (uint32_t i = 0; i < count && device && (job = job_free()); i++) {
		job_draw(job);
		job->out = true;
		request = &job->request;
		if (block_submit(device, &request, 1))
			job->out = false;
	}
	submit_adjacent(count);
}

static void victim_buffer(void *argument)
{
	(void)argument;
	if (!device)
		return;
	if (lent) {
		for (uint32_t i = 0; i < REQUESTS; i++)
			if (jobs[i].out && jobs[i].request.data == lent)
				return;
		block_buffer_free(device, lent, IOPAGE_SIZE);
		lent = NULL;
		return;
	}
	lent = block_buffer_alloc(device, IOPAGE_SIZE);
}

static bool victim_stats_line_seen;

static void stats_line(void *context, const char *text)
{
	(void)context;
	victim_stats_line_seen |= text[0] != 0;
}

static void victim_prints(void *argument)
{
	(void)argument;
	blkfront_print_stats(stats_line, NULL);
}

/* Memory that the victim has granted to the attacker. */
static uint8_t *resolve(uintptr_t address)
{
	struct iopage *page = iopage_of(&world.guest.page_pool, (const void *)address);

	if (!page || (address >= (uintptr_t)lent && address < (uintptr_t)lent + IOPAGE_SIZE))
		return NULL;
	return page->data + address % IOPAGE_SIZE;
}

QUICK static bool has_secret(const uint64_t *words)
{
	for (uint32_t i = 0; i < IOPAGE_SIZE / sizeof(*words); i++)
		if (words[i] == SECRET)
			return true;
	return false;
}

/* XSA-403: whatever the backend may read is nothing of what lies beside requests. */
static void assert_no_secret(void)
{
	const struct host_domain *victim = world.victim;

	for (uint32_t gref = HOST_FIRST_GREF; gref < victim->grant_entries; gref++) {
		const struct host_grant *grant = &victim->grants[gref];

		if (grant->used)
			fuzz_assert(!has_secret((const uint64_t *)(void *)host_page_address(
				world.machine, grant->page)));
	}
}

/* ---- the attacker ---- */

static void write_own(const char *key, uint32_t truth, bool lie)
{
	uint16_t domid = host_domid(world.attacker);

	if (lie)
		world_write(&world, domid, world.back_path, key, truth, &script);
	else
		world_write_number(&world, domid, world.back_path, key, truth);
}

struct key {
	const char *name;
	uint32_t truth;
};

/* The last ones are the disk's. */
static const struct key keys[] = {
	{ "feature-persistent", 1 },
	{ "feature-flush-cache", 1 },
	{ "feature-barrier", 1 },
	{ "feature-discard", 1 },
	{ "discard-granularity", 512 },
	{ "discard-alignment", 0 },
	{ "discard-secure", 1 },
	{ "feature-max-indirect-segments", 64 },
	{ "max-ring-page-order", 2 },
	{ "multi-queue-max-queues", 1 },
	{ "physical-sector-size", 4096 },
	{ "info", 0 },
	{ "sector-size", 512 },
	{ "sectors", 128 },
	{ "state", XenbusStateConnected },
};

enum { KEY_DISK = 10, KEY_STATE = 14 };

static void key_lie(void)
{
	const struct key *key = &keys[script_u8(&script) % ARRAY_SIZE(keys)];

	write_own(key->name, key->truth, true);
}

static void state_write(uint32_t state)
{
	write_own("state", state, false);
}

/* Changes the size, as a backend may while it is connected. */
static void resize(void)
{
	uint8_t how = script_u8(&script);

	write_own("sectors", script_u8(&script), how & 1);
	if (how & 2)
		write_own("sector-size", 4096, how & 4);
	state_write(XenbusStateConnected);
}

static void release(void)
{
	hostile_blkback_release(&back);
	for (uint32_t i = 0; i < HOLDS; i++)
		gnttab_unmap(&holds[i]);
}

/* Of the only queue, or of the first of two. */
static uint32_t front_number(const char *key)
{
	static const char *const queues[] = { "", "queue-0/" };
	int64_t number = -1;

	for (uint32_t i = 0; i < ARRAY_SIZE(queues) && number < 0; i++) {
		char path[STORE_TREE_PATH_BYTES + 40];

		snprintf(path, sizeof(path), "%s/%s%s", world.front_path, queues[i], key);
		number = host_store_number(world.machine, path);
	}
	return number < 0 || number > UINT32_MAX ? 0 : (uint32_t)number;
}

/* The ring as the frontend's keys name it now. Before that there is none. */
static void acquire(void)
{
	uint32_t order = front_number("ring-page-order") % (BLKIF_RING_ORDER_MOST + 1);
	uint32_t grefs[BLKIF_RING_PAGES_MOST];
	char key[24] = "ring-ref";

	for (uint32_t i = 0; i < 1u << order; i++) {
		if (order)
			snprintf(key, sizeof(key), "ring-ref%u", i);
		grefs[i] = front_number(key);
	}
	(void)!hostile_blkback_take(&back, order, grefs, front_number("event-channel"));
}

static bool is_connected(void)
{
	return back.ring.pages[0] && back.port != EVTCHN_NONE;
}

/* A whole handshake; the script may change the offer. `how`: a bit for each of the first. */
static void connect(uint8_t how)
{
	for (uint32_t i = 0; i < KEY_DISK; i++)
		write_own(keys[i].name, how >> (i % 8) & 1 ? keys[i].truth : 0, false);
	if (how & 1)
		key_lie();
	state_write(XenbusStateInitWait);
	host_run_for(world.machine, WORLD_MS);
	world_as_attacker(&world, acquire);
	for (uint32_t i = KEY_DISK; i < KEY_STATE; i++)
		write_own(keys[i].name, keys[i].truth, false);
	if (how & 2)
		key_lie();
	state_write(XenbusStateConnected);
	host_run_for(world.machine, WORLD_MS);
}

static void release_ring(void)
{
	hostile_blkback_release(&back);
}

static void connect_again(void)
{
	uint8_t how = script_u8(&script);

	state_write(how & 0x80 ? XenbusStateClosing : XenbusStateClosed);
	if (how & 0x40)
		world_as_attacker(&world, release_ring);
	host_run_for(world.machine, (how & 0x20 ? 200 : 1) * WORLD_MS);
	connect(how);
}

/* One answer, good as far as the script is. */
static void answer(void)
{
	uint8_t how = script_u8(&script);
	const union blkif_slot *request = hostile_blkback_request(&back, how & 7);
	uint64_t id = hostile_blkback_id(request);
	uint8_t operation = request->request.operation;
	int16_t status = how & 0x10 ? (int16_t)((int)script_u8(&script) - 128) : BLKIF_RSP_OKAY;

	if (how & 0x20)
		operation = script_u8(&script);
	if (how & 0x40)
		id ^= script_u16(&script);
	if (how & 0x80)
		id |= (uint64_t)script_u32(&script) << 32;
	hostile_blkback_answer(&back, id, operation, status);
}

/* All that wait but a few, the last ones first. */
static void answer_backwards(void)
{
	uint32_t count = hostile_blkback_waiting(&back);
	union blkif_slot requests[HOSTILE_BLK_SLOTS_MOST];

	for (uint32_t i = 0; i < count; i++)
		requests[i] = *hostile_blkback_request(&back, i);
	while (count-- > 0)
		hostile_blkback_answer_to(&back, &requests[count], BLKIF_RSP_OKAY);
	hostile_blkback_publish(&back);
}

static void serve(void)
{
	hostile_blkback_serve(&back);
}

static void publish(void)
{
	hostile_blkback_publish(&back);
}

static void jump(void)
{
	struct script_jump step = script_jump(&script);

	hostile_blkback_jump(&back, back.answered + step.tx);
	if (step.keep_tx)
		back.answered += step.tx;
}

static void poke(void)
{
	script_poke(&script, back.ring.pages[0], back.ring.pages[0], IOPAGE_SIZE);
}

static void raw_put(void)
{
	uint8_t slot[sizeof(struct blkif_response)] = { 0 };
	struct blkif_response response;

	(void)script_bytes(&script, slot, sizeof(slot));
	memcpy(&response, slot, sizeof(response));
	hostile_blkback_answer(&back, response.id, response.operation, response.status);
}

/* Maps a page of the frontend's, or lets one go; those it has keep their grants busy. */
static void hold(void)
{
	uint8_t draw = script_u8(&script);
	struct gnttab_mapping *mapping = &holds[draw % HOLDS];
	uint32_t gref = script_u16(&script);

	if (draw & 0x80)
		gref = hostile_blkback_request(&back, 0)->request.seg[0].gref;
	if (mapping->address)
		gnttab_unmap(mapping);
	else
		(void)!gnttab_map(host_domid(world.victim), gref, draw & 0x40, mapping);
}

/* ---- the toolstack ---- */

static void meddle(void)
{
	static const char *const nodes[] = { "backend", "backend-id", "virtual-device", "state" };
	uint8_t draw = script_u8(&script);

	if (draw & 0x80)
		host_store_remove(world.machine, draw & 1 ? world.front_path : world.back_path);
	else
		world_write(&world, 0, world.front_path, nodes[draw % ARRAY_SIZE(nodes)],
			    host_domid(world.attacker), &script);
}

static void toolstack(void)
{
	if (script_u8(&script) % 2)
		(void)world_ask_to_close(&world);
	else
		meddle();
}

/* ---- the script ---- */

static void (*const attacker_steps[])(void) = { answer, answer, answer_backwards,
						serve,	serve,	serve,
						jump,	poke,	raw_put };

static void as_attacker(void (*step)(void))
{
	if (!is_connected())
		return;
	world_as_attacker(&world, step);
}

static void run(void)
{
	shared_forget_loads();
	world_run(&world, &script);
	assert_no_secret();
}

static void operate(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 32) {
	case 9:
	case 10:
	case 11:
		as_attacker(publish);
		break;
	case 12:
	case 13:
	case 14:
	case 15:
		as_attacker(publish);
		run();
		break;
	case 16:
		run();
		break;
	case 17:
	case 18:
	case 19:
	case 20:
	case 21:
		host_call(world.victim, victim_submit, NULL);
		break;
	case 22:
		host_call(world.victim, victim_buffer, NULL);
		break;
	case 23:
		host_call(world.victim, victim_prints, NULL);
		break;
	case 24:
		shared_plan(&script, resolve);
		break;
	case 25:
		resize();
		break;
	case 26:
		key_lie();
		break;
	case 27:
		state_write(script_u8(&script) % 10);
		break;
	case 28:
		connect_again();
		break;
	case 29:
		toolstack();
		break;
	case 30:
		world_faults(&world, &script);
		break;
	case 31:
		as_attacker(hold);
		break;
	default:
		as_attacker(attacker_steps[draw % 32]);
		break;
	}
}

/* ---- one input ---- */

/* What the frontend could not end are the grants of memory that it has given up. */
static bool frontend_let_go(void *argument)
{
	struct host_counters now = host_domain_counters(world.victim);

	(void)argument;
	return now.granted == world.guest.page_pool.quarantined && now.ports == 0 && !device;
}

/* Nobody offers by himself, so the toolstack's wait ends in vain. */
static void attach(void)
{
	(void)!host_toolstack_attach_vbd(&world.vbd);
}

/* The backend lets go and removes its directory, the toolstack the frontend's. */
static void detach(void)
{
	shared_reset();
	(void)world_ask_to_close(&world);
	world_as_attacker(&world, release);
	state_write(XenbusStateClosed);
	(void)!store_tree_remove(&world.machine->store, host_domid(world.attacker), 0,
				 world.back_path);
	fuzz_assert(world_detach(&world) == 0);
	fuzz_assert(host_run_until(world.machine, frontend_let_go, NULL, 60000 * WORLD_MS));
	for (uint32_t i = 0; i < REQUESTS; i++)
		fuzz_assert(!jobs[i].out);
}

/* What is taken at the first connection, and kept, is there before the first input. */
static void world_start(void)
{
	world_make_disks(&world, GUEST_PAGES, MORE_PAGES, false);
	memset(jobs, 0, sizeof(jobs));
	host_call(world.victim, blkfront_begin, &world.guest);
	hostile_blkback_init(&back, world.attacker, world.victim, world.vbd.devid);
	attach();
	connect(0xfc);
	fuzz_assert(device);
	detach();
	world_remember_clean(&world);
}

/* Lost pages stay lost: that needs a new machine. */
static void input_end(void)
{
	bool lost = false;

	detach();
	for (uint32_t i = 0; i < REQUESTS; i++)
		lost |= jobs[i].lost;
	if (lost || world.guest.page_pool.quarantined) {
		host_machine_destroy(world.machine);
		world_start();
		return;
	}
	world_assert_clean(&world);
}

/* One input in eight or so has a guest that lends its memory as it is. */
static void machine_for(uint8_t how)
{
	bool direct = how >= 0xe0;

	if (world.machine && is_direct == direct)
		return;
	if (world.machine)
		host_machine_destroy(world.machine);
	is_direct = direct;
	world_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t steps = 0;

	script = (struct script){ data, size };
	machine_for(script_u8(&script));
	world_begin_input(&world);
	attach();
	connect(script_u8(&script));
	while (!script_is_over(&script) && steps++ < STEPS_MOST)
		operate();
	input_end();
	return 0;
}
