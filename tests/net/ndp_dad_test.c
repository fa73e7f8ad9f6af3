/* SPDX-License-Identifier: ISC */
/* Duplicate addresses: nobody says a word, somebody has it, somebody wants it too. */
#include <string.h>

#include "net/ndp_dad.h"
#include "tests/host/unit.h"
#include "tests/net/test_box6.h"

#define OWN "fd09:24ef:4179::a89:1"

/* Made by scapy, with a nonce of its own. */
static const uint8_t golden_dad[] = {
	0x33, 0x33, 0xff, 0x89, 0x00, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x01, 0xff, 0x89, 0x00, 0x01, 0x87, 0x00, 0x97, 0x7f, 0x00, 0x00,
	0x00, 0x00, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a,
	0x89, 0x00, 0x01, 0x0e, 0x01, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
};
#define NONCE (BOX_START + 26u)

static struct ndp ndp;
static struct ndp_dad dad;
static struct random numbers;
static unsigned int ends;
static bool last_unique;
static uint64_t end_ns;

static void on_done(struct ndp_dad *which, bool unique, uint64_t now_ns)
{
	ck_assert_ptr_eq(which, &dad);
	ck_assert_ptr_eq(which->context, &ends);
	ck_assert(!ndp_dad_is_running(which));
	ends++;
	last_unique = unique;
	end_ns = now_ns;
}

static void begin(void)
{
	const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	const struct ip6_address own = box6_address(OWN);

	box6_begin();
	random_init(&numbers, seed);
	ends = 0;
	ndp_init(&ndp, &box.own, &box.wheel, box.now_ns);
	ndp_dad_init(&dad, &ndp, on_done, &ends);
	ck_assert(!ndp_dad_is_running(&dad));
	ndp_dad_stop(&dad); /* harmless */
	ndp_dad_start(&dad, &box.link[1], &own, &numbers, box.now_ns);
	ck_assert(ndp_dad_is_running(&dad));
}

static struct ndp_message heard(uint8_t type, const char *from)
{
	struct ndp_message message = {
		.type = type,
		.source = box6_address(from),
		.target = box6_address(OWN),
	};

	memcpy(message.sender_mac, box_other_mac, 6);
	return message;
}

static bool hear(const struct ndp_message *message)
{
	return ndp_dad_hear(&ndp, &box.link[1], message, box.now_ns);
}

START_TEST(an_address_that_nobody_has)
{
	const struct box_frame *out;
	uint64_t start;

	begin();
	start = box.now_ns;
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	out = box6_take();
	ck_assert_ptr_nonnull(out);
	ck_assert_ptr_eq(out->link, &box.link[1]);
	ck_assert_uint_eq(out->length, sizeof(golden_dad));
	/* All but the checksum (which the box has looked at) and the nonce. */
	ck_assert_mem_eq(out->bytes, golden_dad, BOX_START + 2);
	ck_assert_mem_eq(out->bytes + BOX_START + 4, golden_dad + BOX_START + 4, 22);
	ck_assert_mem_ne(out->bytes + NONCE, "\0\0\0\0\0\0", 6);
	box6_advance(2 * BOX_SECOND);
	ck_assert_uint_eq(ends, 1);
	ck_assert(last_unique);
	ck_assert_uint_ge(end_ns, out->sent_ns + NDP_DAD_INTERVAL_NS);
	ck_assert_uint_le(end_ns, start + 2 * BOX_SECOND + BOX_SECOND / 4);
	ck_assert_ptr_null(box6_take());
	box6_end();
}
END_TEST

START_TEST(an_address_that_somebody_has)
{
	struct ndp_message message = heard(136, OWN);

	begin();
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	ck_assert(hear(&message));
	ck_assert_uint_eq(ends, 1);
	ck_assert(!last_unique);
	ck_assert(!hear(&message)); /* over */
	box6_advance(5 * BOX_SECOND);
	ck_assert_uint_eq(ends, 1);
	box6_end();
}
END_TEST

/* Also before we have asked. */
START_TEST(an_address_that_somebody_wants_too)
{
	struct ndp_message message = heard(135, "::");

	begin();
	ck_assert(hear(&message));
	ck_assert(ends == 1 && !last_unique);
	box6_advance(5 * BOX_SECOND);
	ck_assert_uint_eq(box.sent, 0);
	box6_end();
}
END_TEST

START_TEST(our_own_echo_is_nobody)
{
	struct ndp_message message = heard(135, "::");

	begin();
	box6_advance(BOX_SECOND + BOX_SECOND / 4);
	message.has_nonce = true;
	memcpy(message.nonce, box6_take()->bytes + NONCE, 6);
	ck_assert(hear(&message));
	ck_assert_uint_eq(ends, 0);
	message.nonce[0] ^= 1;
	ck_assert(hear(&message));
	ck_assert(ends == 1 && !last_unique);
	box6_end();
}
END_TEST

START_TEST(other_messages_change_nothing)
{
	struct ndp_message message = heard(135, "fe80::7");

	begin();
	ck_assert(hear(&message)); /* asks for it: not to be answered, and no conflict */
	message = heard(136, OWN);
	ck_assert(!ndp_dad_hear(&ndp, &box.link[0], &message, box.now_ns));
	message.target.bytes[15]++;
	ck_assert(!hear(&message));
	message = heard(133, "::");
	ck_assert(!hear(&message));
	message = heard(134, "fe80::7");
	ck_assert(!hear(&message));
	ck_assert_uint_eq(ends, 0);
	box6_advance(3 * BOX_SECOND);
	ck_assert(ends == 1 && last_unique);
	box6_end();
}
END_TEST

START_TEST(it_may_be_started_again_and_stopped)
{
	struct ip6_address other = box6_address("fd09:24ef:4179::2");
	uint8_t first[6];

	begin();
	memcpy(first, dad.nonce, 6);
	ndp_dad_start(&dad, &box.link[1], &other, &numbers, box.now_ns);
	ck_assert_mem_ne(dad.nonce, first, 6);
	box6_advance(3 * BOX_SECOND);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(box.sent, 1);
	ck_assert_mem_eq(box6_take()->bytes + BOX_START + 8, &other, 16);
	ndp_dad_start(&dad, &box.link[1], &other, &numbers, box.now_ns);
	ndp_dad_stop(&dad);
	ndp_dad_start(&dad, &box.link[1], &other, &numbers, box.now_ns);
	ndp_forget(&ndp, &box.link[0]); /* another link */
	ck_assert(ndp_dad_is_running(&dad));
	ndp_forget(&ndp, &box.link[1]);
	ck_assert(!ndp_dad_is_running(&dad));
	box6_advance(3 * BOX_SECOND);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(box.sent, 1);
	box6_end();
}
END_TEST

/* The first probe comes at a random time of the first second (RFC 4861, 10). */
START_TEST(not_all_ask_at_once)
{
	uint64_t earliest = UINT64_MAX, latest = 0;

	for (unsigned int i = 0; i < 50; i++) {
		uint64_t start, wait;

		begin();
		for (unsigned int j = 0; j < i; j++)
			random_u64(&numbers);
		ndp_dad_start(&dad, &box.link[1], &dad.address, &numbers, box.now_ns);
		start = box.now_ns;
		box6_advance(3 * BOX_SECOND);
		wait = box6_take()->sent_ns - start;
		earliest = wait < earliest ? wait : earliest;
		latest = wait > latest ? wait : latest;
		box6_end();
	}
	ck_assert_uint_lt(earliest, BOX_SECOND / 4);
	ck_assert_uint_gt(latest, BOX_SECOND * 3 / 4);
	ck_assert_uint_lt(latest, BOX_SECOND + BOX_SECOND / 4);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_address_that_nobody_has);
	tcase_add_test(cases, an_address_that_somebody_has);
	tcase_add_test(cases, an_address_that_somebody_wants_too);
	tcase_add_test(cases, our_own_echo_is_nobody);
	tcase_add_test(cases, other_messages_change_nothing);
	tcase_add_test(cases, it_may_be_started_again_and_stopped);
	tcase_add_test(cases, not_all_ask_at_once);
}

int main(void)
{
	return unit_main("net/ndp_dad", add_cases);
}
