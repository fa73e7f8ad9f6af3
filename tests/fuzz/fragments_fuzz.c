/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the fragment table: streams of fragments of both IP versions, some of them
 * in time and some too late, held step by step against a map of bytes.
 */
#include <string.h>

#include "tests/fuzz/script.h"
#include "tests/net/fragment_model.h"

#define KEYS 6u	   /* the even ones are IPv4 */
#define STEPS 400u /* no more than the table can hold: evictions are not in the model */
#define SECOND 1000000000ull
#define WAIT_SECONDS 4u /* a divisor of 16, when all that came at 0 is gone, and not of 15 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fragments_config roomy = {
	.entries = 64,
	.owners = TEST_OWNERS,
	.held_packets = TEST_PACKETS,
	.held_bytes = 1u << 30,
	.owner_entries = 64,
	.owner_held_packets = TEST_PACKETS,
	.owner_held_bytes = 1u << 30,
};

static struct fragment_model models[KEYS];
static uint64_t born_ns[KEYS]; /* the first fragment that counts; 0: none */

static bool is_known(const struct fragment_model *model)
{
	return model->pieces || model->dead;
}

static struct test_fragment fragment_take(struct script *script, uint32_t key)
{
	struct test_fragment fragment = { .version = key % 2 ? 6 : 4, .id = key };
	uint8_t shape = script_u8(script);

	fragment.protocol = key % 3 ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
	fragment.more = shape & 1;
	if (shape & 2) { /* any place and length */
		fragment.offset = script_u16(script) & 0xfff8;
		fragment.length = script_u16(script);
	} else { /* pieces that fit together */
		fragment.offset = (shape >> 2) * 64u;
		fragment.length = 64;
	}
	return fragment;
}

static void wait(struct test_fragments *box)
{
	test_wait_ns(box, WAIT_SECONDS * SECOND);
	for (uint32_t key = 0; key < KEYS; key++)
		if (born_ns[key] && box->now_ns - born_ns[key] > FRAGMENT_SECONDS * SECOND) {
			fragment_model_clear(&models[key]);
			born_ns[key] = 0;
		}
}

static void send(struct test_fragments *box, struct script *script, uint8_t step)
{
	uint32_t key = step % 8 % KEYS, pieces = models[key].pieces;
	struct test_fragment fragment = fragment_take(script, key);
	bool was_known = is_known(&models[key]);

	box->pass = !(step & 0x40);
	box->log_count = 0;
	fragment_model_step(box, &models[key], &fragment, test_send(box, &fragment));
	/* One that is whole makes room for another of the same number. */
	if (is_known(&models[key]) && (!was_known || models[key].pieces < pieces))
		born_ns[key] = box->now_ns;
	fuzz_assert(fragments_check(&box->table));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, size };
	struct test_fragments *box = test_fragments_begin(&roomy);

	for (uint32_t key = 0; key < KEYS; key++)
		if (is_known(&models[key]))
			fragment_model_clear(&models[key]);
	memset(born_ns, 0, sizeof(born_ns));
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++) {
		uint8_t step = script_u8(&script);

		if (step >= 0xf0)
			wait(box);
		else
			send(box, &script, step);
	}
	test_fragments_end(box);
	return 0;
}
