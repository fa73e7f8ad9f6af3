/* SPDX-License-Identifier: ISC */
/* What a backend can do to a frontend with its directory in the store. */
#include <stdio.h>

#include "configs/hostile/backend.h"

#define FLAPS 60u
#define WRITES 300u
#define CHILDREN 60u
#define STATES 9u

static void flaps(void)
{
	for (uint32_t i = 0; i < FLAPS; i++) {
		backend_set_state(hostile_draw(STATES));
		if (back.tx && hostile_draw(2))
			backend_serve();
		if (hostile_draw(4) == 0)
			hostile_pause_ms(hostile_draw(10));
	}
	back.fresh = false;
}

/* XSA-349 */
static void writes_its_state_without_end(void)
{
	for (uint32_t i = 0; i < WRITES; i++)
		backend_set_state(4);
}

/* As when the toolstack takes it away, and then it was not meant. */
static void pretends_to_be_removed(void)
{
	backend_write("online", "0");
	backend_set_state(5);
	hostile_pause_ms(100);
	backend_release();
	backend_set_state(6);
	hostile_pause_ms(200);
	backend_write("online", "1");
	backend_set_state(6);
}

static void changes_keys_when_connected(void)
{
	backend_write("feature-sg", hostile_huge);
	backend_write("mtu", "1");
	backend_write("online", "perhaps");
	backend_set_state(4);
	hostile_pause_ms(100);
	backend_write("online", "1");
}

static void fills_its_directory(void)
{
	char key[32];

	for (uint32_t i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof(key), "rubbish-%u", (unsigned int)i);
		backend_write(key, i % 8 ? "x" : hostile_huge);
	}
	backend_set_state(4);
	hostile_pause_ms(100);
	for (uint32_t i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof(key), "rubbish-%u", (unsigned int)i);
		backend_write(key, NULL);
	}
}

static void state_permissions_set(bool readable)
{
	char own[16], other[16], path[STORE_PATH_BYTES];
	const char *const permissions[] = { own, other };

	snprintf(own, sizeof(own), "n%u", store_domid());
	snprintf(other, sizeof(other), "r%u", back.frontend_id);
	snprintf(path, sizeof(path), "%.*s/state", (int)sizeof(path) - 8, back.directory);
	if (store_set_permissions(path, permissions, readable ? 2 : 1))
		hostile_unexpected("the permissions of the state are not set");
}

/* The frontend may not read the state any more, and then it may again. */
static void hides_its_state(void)
{
	state_permissions_set(false);
	backend_set_state(4);
	hostile_pause_ms(200);
	backend_release();
	state_permissions_set(true);
	backend_set_state(6);
}

/* XSA-396: for longer than the victim waits. */
static void keeps_the_rings(void)
{
	backend_set_state(6);
	hostile_pause_ms(3000);
}

/* Without a word; what comes after this is up to the toolstack. */
static void vanishes(void)
{
	if (store_remove(STORE_NO_TRANSACTION, back.directory))
		hostile_unexpected("its directory is not removed");
	back.gone = true;
	hostile_pause_ms(50);
	backend_release();
}

const struct hostile_attack backend_store_attacks[] = {
	{ .name = "features_are_words",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-gso-tcpv4", "many" } },
	{ .name = "features_are_huge",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-no-csum-offload", hostile_huge } },
	{ .name = "features_are_missing",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-gso-tcpv4", NULL } },
	{ .name = "features_are_negative",
	  .outcome = STAYS,
	  .lie = { "feature-rx-copy", "feature-sg", "-1" } },
	HOSTILE_LIE("split_ports_are_a_word", STAYS, "feature-split-event-channels", "yes"),
	HOSTILE_LIE("split_ports", STAYS, "feature-split-event-channels", "1"),
	HOSTILE_LIE("many_queues", STAYS, "multi-queue-max-queues", "4000000000"),
	HOSTILE_LIE("mtu_is_zero", STAYS, "mtu", "0"),
	HOSTILE_LIE("mtu_is_one", STAYS, "mtu", "1"),
	HOSTILE_LIE("mtu_is_large", STAYS, "mtu", "70000"),
	HOSTILE_LIE("mtu_is_huge", STAYS, "mtu", hostile_huge),
	HOSTILE_LIE("mtu_is_a_word", STAYS, "mtu", "large"),
	HOSTILE_LIE("state_is_missing", THROWN_OUT, "state", NULL),
	HOSTILE_LIE("state_is_empty", THROWN_OUT, "state", ""),
	HOSTILE_LIE("state_0", THROWN_OUT, "state", "0"),
	HOSTILE_LIE("state_7", THROWN_OUT, "state", "7"),
	HOSTILE_LIE("state_99", THROWN_OUT, "state", "99"),
	HOSTILE_LIE("state_is_negative", THROWN_OUT, "state", "-2"),
	HOSTILE_LIE("state_has_all_bits", THROWN_OUT, "state", "4294967295"),
	HOSTILE_LIE("state_is_a_word", THROWN_OUT, "state", "InitWait"),
	HOSTILE_LIE("state_is_huge", THROWN_OUT, "state", hostile_huge),
	HOSTILE_ATTACK(flaps, EITHER),
	HOSTILE_ATTACK(writes_its_state_without_end, STAYS),
	HOSTILE_ATTACK(pretends_to_be_removed, THROWN_OUT),
	HOSTILE_ATTACK(changes_keys_when_connected, STAYS),
	HOSTILE_ATTACK(fills_its_directory, STAYS),
	HOSTILE_ATTACK(hides_its_state, THROWN_OUT),
	HOSTILE_ATTACK(keeps_the_rings, THROWN_OUT),
	HOSTILE_ATTACK(vanishes, THROWN_OUT),
	{ 0 },
};
