/* SPDX-License-Identifier: ISC */
/*
 * The machine of the drivers' fuzzers: one victim with the driver, one attacker, made
 * once. Between two inputs there is no vif, and the victim holds just what it held at
 * the start; world_assert_clean() says so.
 */
#pragma once

#include <stdint.h>

#include "tests/fuzz/guest.h"
#include "tests/fuzz/script.h"
#include "tests/host/host.h"
#include "tests/host/store_tree.h"
#include "tests/host/toolstack.h"

#define WORLD_MS 1000000ull

struct world {
	struct host_machine *machine;
	struct host_domain *victim;
	struct host_domain *attacker;
	struct guest guest; /* of the victim */
	struct host_vif vif;
	struct host_vbd vbd; /* in its place in a world of disks: with a frontend */
	char front_path[STORE_TREE_PATH_BYTES]; /* the device's two directories */
	char back_path[STORE_TREE_PATH_BYTES];
	struct host_counters clean;
	uint32_t clean_pages_out;
};

/*
 * Victim and attacker, with the guest's pools of `pages`; `vif` is set up. The second makes
 * a world of disks: `vbd` is, and the victim has `more_pages` besides.
 */
void world_make(struct world *world, uint32_t pages, bool victim_is_backend);
void world_make_disks(struct world *world, uint32_t pages, uint32_t more_pages,
		      bool victim_is_backend);

/* The driver runs: what the victim holds now is what it holds when it is clean. */
void world_remember_clean(struct world *world);

/* Waits until the victim is as it was; aborts, with the figures, if it never is. */
void world_assert_clean(struct world *world);

/* The machine's chances from a fixed seed, and no faults: each input by itself. */
void world_begin_input(struct world *world);

/* Lets the machine run for a few microseconds, or some while, as the script says. */
void world_run(struct world *world, struct script *script);

/* Makes calls of the victim fail at random. */
void world_faults(struct world *world, struct script *script);

/*
 * Writes into a directory as `domid`, or removes the node: `truth` as a number, or some
 * lie. What the store refuses is not done.
 */
void world_write(struct world *world, uint16_t domid, const char *directory, const char *key,
		 uint32_t truth, struct script *script);

/* Writes a number. */
void world_write_number(struct world *world, uint16_t domid, const char *directory, const char *key,
			uint32_t number);

/*
 * Asks to close, as the first half of a detach does; the second comes with
 * world_detach(). False: there is nobody to ask any more.
 */
bool world_ask_to_close(struct world *world);

/* A step of the attacker's, in its domain. */
void world_as_attacker(struct world *world, void (*step)(void));

/* Takes the device away, as xl destroy does, with its errors. */
must_check int world_detach(struct world *world);
