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

/* XSA-396: costs the victim the two pages of the rings, for ever. */
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

#define ATTACK(function, expected)                                           \
	{                                                                    \
		.name = #function, .run = (function), .outcome = (expected), \
	}
#define TAKEN(text, node, other, told)                                              \
	{                                                                           \
		.name = (text), .outcome = STAYS, .lie = {(node), (other), (told) } \
	}
#define REFUSED(text, told)                                                              \
	{                                                                                \
		.name = (text), .outcome = THROWN_OUT, .lie = { "state", NULL, (told) }, \
	}

const struct hostile_attack backend_store_attacks[] = {
	TAKEN("features_are_words", "feature-sg", "feature-gso-tcpv4", "many"),
	TAKEN("features_are_huge", "feature-sg", "feature-no-csum-offload", hostile_huge),
	TAKEN("features_are_missing", "feature-sg", "feature-gso-tcpv4", NULL),
	TAKEN("features_are_negative", "feature-rx-copy", "feature-sg", "-1"),
	TAKEN("split_ports_are_a_word", "feature-split-event-channels", NULL, "yes"),
	TAKEN("split_ports", "feature-split-event-channels", NULL, "1"),
	TAKEN("many_queues", "multi-queue-max-queues", NULL, "4000000000"),
	TAKEN("mtu_is_zero", "mtu", NULL, "0"),
	TAKEN("mtu_is_one", "mtu", NULL, "1"),
	TAKEN("mtu_is_large", "mtu", NULL, "70000"),
	TAKEN("mtu_is_huge", "mtu", NULL, hostile_huge),
	TAKEN("mtu_is_a_word", "mtu", NULL, "large"),
	REFUSED("state_is_missing", NULL),
	REFUSED("state_is_empty", ""),
	REFUSED("state_0", "0"),
	REFUSED("state_7", "7"),
	REFUSED("state_99", "99"),
	REFUSED("state_is_negative", "-2"),
	REFUSED("state_has_all_bits", "4294967295"),
	REFUSED("state_is_a_word", "InitWait"),
	REFUSED("state_is_huge", hostile_huge),
	ATTACK(flaps, EITHER),
	ATTACK(writes_its_state_without_end, STAYS),
	ATTACK(pretends_to_be_removed, THROWN_OUT),
	ATTACK(changes_keys_when_connected, STAYS),
	ATTACK(fills_its_directory, STAYS),
	ATTACK(hides_its_state, THROWN_OUT),
	{ .name = "keeps_the_rings",
	  .run = keeps_the_rings,
	  .outcome = THROWN_OUT,
	  .by_name_only = true },
	ATTACK(vanishes, THROWN_OUT),
	{ 0 },
};
