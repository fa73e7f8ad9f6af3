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

#define ATTACK(function, expected)                                           \
	{                                                                    \
		.name = #function, .run = (function), .outcome = (expected), \
	}
#define REFUSED(text, node, told)                                                       \
	{                                                                               \
		.name = (text), .outcome = THROWN_OUT, .lie = { (node), NULL, (told) }, \
	}
#define TAKEN(text, node, other, told)                                              \
	{                                                                           \
		.name = (text), .outcome = STAYS, .lie = {(node), (other), (told) } \
	}

const struct hostile_attack frontend_store_attacks[] = {
	REFUSED("no_tx_ring", "tx-ring-ref", NULL),
	REFUSED("no_rx_ring", "rx-ring-ref", NULL),
	REFUSED("no_port", "event-channel", NULL),
	REFUSED("ring_is_empty", "tx-ring-ref", ""),
	REFUSED("ring_is_a_word", "tx-ring-ref", "ring"),
	REFUSED("ring_is_negative", "rx-ring-ref", "-1"),
	REFUSED("ring_has_33_bits", "tx-ring-ref", "4294967304"),
	REFUSED("ring_has_all_bits", "tx-ring-ref", "4294967295"),
	REFUSED("ring_is_huge", "rx-ring-ref", hostile_huge),
	REFUSED("ring_is_not_granted", "rx-ring-ref", "500"),
	REFUSED("port_0", "event-channel", "0"),
	REFUSED("port_of_nobody", "event-channel", "900"),
	REFUSED("port_has_all_bits", "event-channel", "4294967295"),
	REFUSED("port_is_huge", "event-channel", hostile_huge),
	REFUSED("no_rx_copy", "request-rx-copy", "0"),
	REFUSED("rx_copy_is_a_sentence", "request-rx-copy", "one or so"),
	REFUSED("many_queues", "multi-queue-num-queues", "4000000000"),
	REFUSED("state_is_missing", "state", NULL),
	REFUSED("state_is_empty", "state", ""),
	REFUSED("state_0", "state", "0"),
	REFUSED("state_7", "state", "7"),
	REFUSED("state_99", "state", "99"),
	REFUSED("state_is_negative", "state", "-4"),
	REFUSED("state_has_all_bits", "state", "4294967295"),
	REFUSED("state_is_a_word", "state", "Connected"),
	REFUSED("state_is_huge", "state", hostile_huge),
	TAKEN("features_are_words", "feature-sg", "feature-gso-tcpv4", "many"),
	TAKEN("features_are_huge", "feature-sg", "feature-no-csum-offload", hostile_huge),
	TAKEN("features_are_missing", "feature-sg", "feature-gso-tcpv4", NULL),
	TAKEN("half_of_split_ports", "event-channel-tx", NULL, "1"),
	{ .name = "split_ports_of_nobody",
	  .outcome = THROWN_OUT,
	  .lie = { "event-channel-tx", "event-channel-rx", "901" } },
	{ .name = "both_rings_are_one_reference",
	  .outcome = EITHER,
	  .lie = { "rx-ring-ref", NULL, "8" } },
	ATTACK(flaps, EITHER),
	ATTACK(writes_its_state_without_end, STAYS),
	ATTACK(begins_again_without_closing, STAYS),
	ATTACK(changes_keys_when_connected, STAYS),
	ATTACK(fills_its_directory, STAYS),
	ATTACK(hides_its_state, THROWN_OUT),
	{ 0 },
};
