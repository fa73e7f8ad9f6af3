/* SPDX-License-Identifier: ISC */
/* The arithmetic of a vchan's rings, against a model that counts in 64 bits. */
#include "xen/vchan_ring.h"

#include <string.h>

#include "tests/host/unit.h"
#include "tests/xen/vchan_suites.h"

#define STEPS 3000u

/* What libxenvchan's server of Xen 4.17 answers; sizes are in bytes. */
static const struct choice {
	uint32_t left_bytes, right_bytes, left, right;
} choices[] = {
	{ 0, 0, 10, 11 },
	{ 1024, 2048, 10, 11 },
	{ 1025, 1024, 11, 10 },
	{ 2048, 1024, 11, 10 },
	{ 2048, 2048, 11, 12 },
	{ 2048, 4096, 11, 12 },
	{ 4096, 2048, 12, 11 },
	{ 4096, 1024, 12, 11 },
	{ 4096, 4096, 12, 12 },
	{ 4097, 4096, 13, 12 },
	{ 65536, 65536, 16, 16 },
	{ 65537, 1, 17, 11 },
	{ 1u << 20, 1u << 20, 20, 20 },
	{ 1, 1u << 20, 11, 20 },
};

START_TEST(a_server_chooses_as_the_library_does)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		uint32_t left, right;

		vchan_ring_orders(choices[i].left_bytes, choices[i].right_bytes, &left, &right);
		ck_assert_msg(left == choices[i].left && right == choices[i].right,
			      "%u and %u bytes: orders %u and %u", choices[i].left_bytes,
			      choices[i].right_bytes, left, right);
		ck_assert(vchan_ring_orders_are_possible(left, right));
	}
}
END_TEST

/* By laying it out: nothing of a page may have two uses. */
static bool fits(uint32_t left, uint32_t right)
{
	uint8_t uses[4096] = { 0 };
	uint32_t orders[] = { left, right };
	uint32_t bytes = 24;

	for (uint32_t i = 0; i < 2; i++) {
		if (orders[i] < 10 || orders[i] > 20)
			return false;
		if (orders[i] >= 12)
			bytes += 4u << (orders[i] - 12);
		else
			for (uint32_t at = 1u << orders[i]; at < 2u << orders[i]; at++)
				uses[at]++;
	}
	for (uint32_t at = 0; at < bytes; at++)
		uses[at]++;
	for (uint32_t at = 0; at < sizeof(uses); at++)
		if (uses[at] > 1)
			return false;
	return true;
}

START_TEST(possible_orders_are_those_that_fit)
{
	for (uint32_t left = 0; left < 40; left++)
		for (uint32_t right = 0; right < 40; right++)
			ck_assert_msg(vchan_ring_orders_are_possible(left, right) ==
					      fits(left, right),
				      "orders %u and %u", left, right);
	ck_assert(!vchan_ring_orders_are_possible(65535, 12));
	ck_assert(!vchan_ring_orders_are_possible(12, 1u << 31));
}
END_TEST

START_TEST(impossible_indices_are_refused)
{
	static const uint32_t begins[] = { 0, 1, 0x7fffff00u, 0xfffffff0u };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		uint32_t at = begins[i];
		struct vchan_ring ring = { .order = 12, .ours = at, .theirs = at };

		ck_assert(!vchan_ring_take_prod(&ring, at + 4097));
		ck_assert(!vchan_ring_take_prod(&ring, at - 1));
		ck_assert(!vchan_ring_take_prod(&ring, at + 0x80000000u));
		ck_assert_uint_eq(vchan_ring_filled(&ring), 0);
		ck_assert(vchan_ring_take_prod(&ring, at + 4000));
		ck_assert_uint_eq(vchan_ring_filled(&ring), 4000);
		ck_assert(!vchan_ring_take_prod(&ring, at + 3999)); /* not back */
		ck_assert(vchan_ring_take_prod(&ring, at + 4096));
		ck_assert(!vchan_ring_take_prod(&ring, at + 4097));

		ring = (struct vchan_ring){ .order = 12, .ours = at, .theirs = at };
		ck_assert_uint_eq(vchan_ring_room(&ring), 4096);
		ck_assert(!vchan_ring_take_cons(&ring, at + 1)); /* nothing was written */
		ring.ours += 100;
		ck_assert_uint_eq(vchan_ring_room(&ring), 3996);
		ck_assert(!vchan_ring_take_cons(&ring, at + 101));
		ck_assert(!vchan_ring_take_cons(&ring, at - 1));
		ck_assert(vchan_ring_take_cons(&ring, at + 60));
		ck_assert(!vchan_ring_take_cons(&ring, at + 59));
		ck_assert_uint_eq(vchan_ring_room(&ring), 4056);
	}
}
END_TEST

static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 167 + (place >> 8) * 13);
}

static void copy_some(struct vchan_ring *in, struct vchan_ring *out, uint64_t *state,
		      uint64_t *written, uint64_t *consumed)
{
	uint8_t bytes[9000];
	uint32_t count = (uint32_t)(unit_random(state) % sizeof(bytes));

	if (count > vchan_ring_room(in))
		count = vchan_ring_room(in);
	for (uint32_t i = 0; i < count; i++)
		bytes[i] = byte_at(*written + i);
	vchan_ring_write(in, bytes, count);
	*written += count;
	ck_assert(vchan_ring_take_prod(out, in->ours));
	ck_assert_uint_eq(vchan_ring_filled(out), *written - *consumed);
	count = (uint32_t)(unit_random(state) % sizeof(bytes));
	if (count > vchan_ring_filled(out))
		count = vchan_ring_filled(out);
	vchan_ring_read(out, bytes, count);
	for (uint32_t i = 0; i < count; i++)
		if (bytes[i] != byte_at(*consumed + i))
			ck_abort_msg("byte %lu is wrong", *consumed + i);
	*consumed += count;
	ck_assert(vchan_ring_take_cons(in, out->ours));
}

/* Pieces lie apart, so that what runs over the end of one is found. */
START_TEST(bytes_come_out_as_they_went_in)
{
	static const uint32_t orders[] = { 10, 11, 12, 13, 15 };
	uint64_t state = unit_seed() | 1;

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		uint32_t count = vchan_ring_pages(orders[i]) ? vchan_ring_pages(orders[i]) : 1;
		uint32_t piece = orders[i] < 12 ? 1u << orders[i] : 4096;
		uint8_t *pieces[8];
		uint32_t at = 0u - 5000u;
		struct vchan_ring in = { pieces, orders[i], at, at };
		struct vchan_ring out = in;
		uint64_t written = 0, consumed = 0;

		for (uint32_t p = 0; p < count; p++)
			pieces[p] = malloc(piece);
		for (uint32_t step = 0; step < STEPS / count; step++)
			copy_some(&in, &out, &state, &written, &consumed);
		for (uint32_t p = 0; p < count; p++)
			free(pieces[p]);
	}
}
END_TEST

TCase *vchan_ring_tests(void)
{
	TCase *cases = tcase_create("ring");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, a_server_chooses_as_the_library_does);
	tcase_add_test(cases, possible_orders_are_those_that_fit);
	tcase_add_test(cases, impossible_indices_are_refused);
	tcase_add_test(cases, bytes_come_out_as_they_went_in);
	return cases;
}
