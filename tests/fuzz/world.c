/* SPDX-License-Identifier: ISC */
/* A machine that lives as long as the fuzzer. */
#include "tests/fuzz/world.h"

#include <errno.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "tests/host/internal.h"

#define SEED 1u
#define MACHINE_PAGES 4096u
#define GRANTS 1024u
#define ATTACKER_PAGES 64u
#define VALUE_BYTES 40u

struct boot {
	struct guest *guest;
	uint32_t pages;
};

static void boot(void *argument)
{
	struct boot *boot = argument;

	guest_boot(boot->guest, boot->pages);
}

static void make(struct world *world, uint32_t pages, uint32_t more_pages)
{
	struct host_options options = {
		.mode = HOST_STEPPED, .seed = SEED, .pages = MACHINE_PAGES, .grant_entries = GRANTS
	};
	struct boot argument = { &world->guest, pages };

	memset(world, 0, sizeof(*world));
	world->machine = host_machine_create(&options);
	world->victim = host_domain_create(world->machine, "victim", pages + more_pages);
	world->attacker = host_domain_create(world->machine, "attacker", ATTACKER_PAGES);
	host_call(world->victim, boot, &argument);
}

void world_make(struct world *world, uint32_t pages, bool victim_is_backend)
{
	make(world, pages, 64);
	world->vif = (struct host_vif){
		.frontend = victim_is_backend ? world->attacker : world->victim,
		.backend = victim_is_backend ? world->victim : world->attacker,
		.mac = "00:16:3e:66:66:66",
		.ip = "10.137.0.66",
	};
	host_frontend_path(&world->vif, world->front_path, sizeof(world->front_path));
	host_backend_path(&world->vif, world->back_path, sizeof(world->back_path));
}

void world_make_disks(struct world *world, uint32_t pages, uint32_t more_pages,
		      bool victim_is_backend)
{
	make(world, pages, 64 + more_pages);
	world->vbd = (struct host_vbd){
		.frontend = victim_is_backend ? world->attacker : world->victim,
		.backend = victim_is_backend ? world->victim : world->attacker,
		.devid = HOST_VBD_XVDA,
		.dev = "xvda",
		.target = "disk",
	};
	host_vbd_frontend_path(&world->vbd, world->front_path, sizeof(world->front_path));
	host_vbd_backend_path(&world->vbd, world->back_path, sizeof(world->back_path));
}

/* ---- cleanness ---- */

void world_remember_clean(struct world *world)
{
	host_run_for(world->machine, 50 * WORLD_MS);
	world->clean = host_domain_counters(world->victim);
	world->clean_pages_out = guest_pages_out(&world->guest);
}

static bool is_clean(void *argument)
{
	struct world *world = argument;
	struct host_counters now = host_domain_counters(world->victim);

	return memcmp(&now, &world->clean, sizeof(now)) == 0;
}

void world_assert_clean(struct world *world)
{
	struct host_counters now;

	if (!host_run_until(world->machine, is_clean, world, 3000 * WORLD_MS)) {
		now = host_domain_counters(world->victim);
		fprintf(stderr, "now:   %s\n", host_counters_text(&now));
		fprintf(stderr, "clean: %s\n", host_counters_text(&world->clean));
		fuzz_assert(!"the victim is clean again");
	}
	fuzz_assert(!world->guest.netdev);
	fuzz_assert(guest_packets_out(&world->guest) == 0);
	fuzz_assert(guest_pages_out(&world->guest) == world->clean_pages_out);
	now = host_domain_counters(world->attacker);
	fuzz_assert(now.held == 0);
}

static void let_go(void *argument)
{
	guest_let_go(argument, false);
}

bool world_ask_to_close(struct world *world)
{
	if (!host_store_exists(world->machine, world->back_path))
		return false;
	world_write_number(world, 0, world->back_path, "online", 0);
	world_write_number(world, 0, world->back_path, "state", XenbusStateClosing);
	return true;
}

void world_as_attacker(struct world *world, void (*step)(void))
{
	host_enter(world->attacker);
	step();
	host_enter(NULL);
}

int world_detach(struct world *world)
{
	static const struct host_faults none;

	world->victim->faults = none;
	host_call(world->victim, let_go, &world->guest);
	world->guest.reaction = GUEST_DROP;
	if (world->vbd.frontend)
		return host_toolstack_destroy_vbd(world->vbd.frontend, world->vbd.devid);
	return host_toolstack_destroy_vif(world->vif.frontend, world->vif.devid);
}

void world_begin_input(struct world *world)
{
	atomic_store(&world->machine->random_state, SEED);
	world->guest.reaction = GUEST_ECHO;
}

/* ---- steps of a script ---- */

void world_run(struct world *world, struct script *script)
{
	uint8_t draw = script_u8(script);

	if (draw < 0xc0)
		host_run_for(world->machine, 1000u + draw * 200u);
	else
		host_run_for(world->machine, (draw & 0x3fu) * 20 * WORLD_MS);
}

static uint32_t one_in(struct script *script)
{
	uint8_t draw = script_u8(script);

	return draw & 1 ? 1u + draw / 8u : 0;
}

void world_faults(struct world *world, struct script *script)
{
	uint8_t which = script_u8(script);
	struct host_faults *faults = &world->victim->faults;

	*faults = (struct host_faults){ 0 };
	if (which & 1)
		faults->malloc_one_in = one_in(script);
	if (which & 2)
		faults->grant_one_in = one_in(script);
	if (which & 4)
		faults->map_one_in = one_in(script);
	if (which & 8)
		faults->copy_one_in = one_in(script);
	if (which & 16)
		faults->evtchn_one_in = one_in(script);
	if (which & 32)
		faults->store_one_in = one_in(script);
	if (which & 64)
		faults->commit_one_in = one_in(script);
	faults->store_stalled = which & 128;
}

static void write_text(struct world *world, uint16_t domid, const char *directory, const char *key,
		       const char *value, size_t length)
{
	char path[STORE_TREE_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, key);
	(void)!store_tree_write(&world->machine->store, domid, 0, path, value, length);
}

void world_write_number(struct world *world, uint16_t domid, const char *directory, const char *key,
			uint32_t number)
{
	char value[12];
	int length = snprintf(value, sizeof(value), "%u", (unsigned int)number);

	write_text(world, domid, directory, key, value, (size_t)length);
}

void world_write(struct world *world, uint16_t domid, const char *directory, const char *key,
		 uint32_t truth, struct script *script)
{
	char path[STORE_TREE_PATH_BYTES];
	uint8_t value[VALUE_BYTES];
	uint8_t draw = script_u8(script);

	switch (draw % 6) {
	case 0:
	case 1:
		world_write_number(world, domid, directory, key, truth);
		break;
	case 2:
		world_write_number(world, domid, directory, key, script_u8(script) % 16);
		break;
	case 3:
		world_write_number(world, domid, directory, key, script_u32(script));
		break;
	case 4:
		snprintf(path, sizeof(path), "%s/%s", directory, key);
		(void)!store_tree_remove(&world->machine->store, domid, 0, path);
		break;
	default:
		write_text(world, domid, directory, key, (const char *)value,
			   script_bytes(script, value, draw / 6 % sizeof(value)));
		break;
	}
}
