/* SPDX-License-Identifier: ISC */
/* What a frontend can do to a backend with its directory in the store. */
#include <stdio.h>

#include "configs/hostile/frontend.h"

#define FLAPS 60u
#define WRITES 300u
#define CHILDREN 60u
#define BEGINNINGS 8u
#define STATES 9u

/* XSA-350: runs through the states without waiting for anybody, its rings in use. */
static void flaps(void)
{
	for (uint32_t i = 0; i < FLAPS; i++) {
		frontend_set_state(hostile_draw(STATES));
		if (front.up && hostile_draw(2))
			frontend_send_echoes(3);
		if (hostile_draw(4) == 0)
			hostile_pause_ms(hostile_draw(10));
	}
}

/* XSA-349 */
static void writes_its_state_without_end(void)
{
	for (uint32_t i = 0; i < WRITES; i++)
		frontend_set_state(4);
}

/* As after a kexec: begins again and has never closed. */
static void begins_again_without_closing(void)
{
	for (uint32_t i = 0; i < BEGINNINGS; i++) {
		frontend_set_state(1);
		frontend_release();
		if (!frontend_connect())
			hostile_unexpected("cannot begin again");
	}
}

static void changes_keys_when_connected(void)
{
	frontend_write("tx-ring-ref", "1");
	frontend_write("event-channel", NULL);
	frontend_write("request-rx-copy", "0");
	frontend_write("feature-sg", hostile_huge);
	frontend_set_state(4);
}

static void fills_its_directory(void)
{
	char key[32];

	for (uint32_t i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof(key), "rubbish-%u", (unsigned int)i);
		frontend_write(key, i % 8 ? "x" : hostile_huge);
	}
	frontend_set_state(4);
	hostile_pause_ms(100);
	for (uint32_t i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof(key), "rubbish-%u", (unsigned int)i);
		frontend_write(key, NULL);
	}
}

static void permissions_set(const char *key, const char *const *permissions, size_t count)
{
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "device/vif/0/%s", key);
	if (store_set_permissions(path, permissions, count))
		hostile_unexpected("the permissions of %s are not set", key);
}

/* The backend may not read the state any more, and then it may again. */
static void hides_its_state(void)
{
	char own[16], other[16];
	const char *const permissions[] = { own, other };

	snprintf(own, sizeof(own), "n%u", store_domid());
	snprintf(other, sizeof(other), "r%u", front.backend_id);
	permissions_set("state", permissions, 1);
	frontend_set_state(4);
	hostile_pause_ms(200);
	frontend_set_state(6);
	permissions_set("state", permissions, 2);
	frontend_set_state(6);
	frontend_leave();
}

const struct hostile_attack frontend_store_attacks[] = {
	HOSTILE_LIE("no_tx_ring", THROWN_OUT, "tx-ring-ref", NULL),
	HOSTILE_LIE("no_rx_ring", THROWN_OUT, "rx-ring-ref", NULL),
	HOSTILE_LIE("no_port", THROWN_OUT, "event-channel", NULL),
	HOSTILE_LIE("ring_is_empty", THROWN_OUT, "tx-ring-ref", ""),
	HOSTILE_LIE("ring_is_a_word", THROWN_OUT, "tx-ring-ref", "ring"),
	HOSTILE_LIE("ring_is_negative", THROWN_OUT, "rx-ring-ref", "-1"),
	HOSTILE_LIE("ring_has_33_bits", THROWN_OUT, "tx-ring-ref", "4294967304"),
	HOSTILE_LIE("ring_has_all_bits", THROWN_OUT, "tx-ring-ref", "4294967295"),
	HOSTILE_LIE("ring_is_huge", THROWN_OUT, "rx-ring-ref", hostile_huge),
	HOSTILE_LIE("ring_is_not_granted", THROWN_OUT, "rx-ring-ref", "500"),
	HOSTILE_LIE("port_0", THROWN_OUT, "event-channel", "0"),
	HOSTILE_LIE("port_of_nobody", THROWN_OUT, "event-channel", "900"),
	HOSTILE_LIE("port_has_all_bits", THROWN_OUT, "event-channel", "4294967295"),
	HOSTILE_LIE("port_is_huge", THROWN_OUT, "event-channel", hostile_huge),
	HOSTILE_LIE("no_rx_copy", THROWN_OUT, "request-rx-copy", "0"),
	HOSTILE_LIE("rx_copy_is_a_sentence", THROWN_OUT, "request-rx-copy", "one or so"),
	HOSTILE_LIE("many_queues", THROWN_OUT, "multi-queue-num-queues", "4000000000"),
	HOSTILE_LIE("state_is_missing", THROWN_OUT, "state", NULL),
	HOSTILE_LIE("state_is_empty", THROWN_OUT, "state", ""),
	HOSTILE_LIE("state_0", THROWN_OUT, "state", "0"),
	HOSTILE_LIE("state_7", THROWN_OUT, "state", "7"),
	HOSTILE_LIE("state_99", THROWN_OUT, "state", "99"),
	HOSTILE_LIE("state_is_negative", THROWN_OUT, "state", "-4"),
	HOSTILE_LIE("state_has_all_bits", THROWN_OUT, "state", "4294967295"),
	HOSTILE_LIE("state_is_a_word", THROWN_OUT, "state", "Connected"),
	HOSTILE_LIE("state_is_huge", THROWN_OUT, "state", hostile_huge),
	{ .name = "features_are_words",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-gso-tcpv4", "many" } },
	{ .name = "features_are_huge",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-no-csum-offload", hostile_huge } },
	{ .name = "features_are_missing",
	  .outcome = STAYS,
	  .lie = { "feature-sg", "feature-gso-tcpv4", NULL } },
	HOSTILE_LIE("half_of_split_ports", STAYS, "event-channel-tx", "1"),
	{ .name = "split_ports_of_nobody",
	  .outcome = THROWN_OUT,
	  .lie = { "event-channel-tx", "event-channel-rx", "901" } },
	{ .name = "both_rings_are_one_reference",
	  .outcome = EITHER,
	  .lie = { "rx-ring-ref", NULL, "8" } },
	HOSTILE_ATTACK(flaps, EITHER),
	HOSTILE_ATTACK(writes_its_state_without_end, STAYS),
	HOSTILE_ATTACK(begins_again_without_closing, STAYS),
	HOSTILE_ATTACK(changes_keys_when_connected, STAYS),
	HOSTILE_ATTACK(fills_its_directory, STAYS),
	HOSTILE_ATTACK(hides_its_state, THROWN_OUT),
	{ 0 },
};
