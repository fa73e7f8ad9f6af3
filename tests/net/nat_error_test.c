/* SPDX-License-Identifier: ISC */
/*
 * ICMP and ICMPv6 errors through a translation: what comes out is the error that would
 * have been built there about the packet as it was there, with all checksums right.
 */
#include <string.h>

#include "net/parse.h"
#include "net/parse6.h"
#include "tests/host/unit.h"
#include "tests/net/test_nat.h"

#define ROUNDS 20000u

static struct frame frame, expected, seen_packet, sent_packet;

/* An error about `seen`, as the packet is known here; it was sent as `sent`. */
struct error {
	const struct spec *seen;
	const struct spec *sent;
	enum flow_direction direction;
	bool from_end;	/* else from a router on the way */
	uint32_t bytes; /* quoted */
	uint32_t head;	/* bytes of the whole frame that are in the head */
};

/* The end's checksum as the quote shows it may be half cut off, and stays as it was then. */
static void keep_what_is_cut(const struct error *error, uint32_t quote)
{
	uint32_t field = spec_transport(error->seen) - ETH + spec_checksum(error->seen);
	uint32_t there = error->head - quote < error->bytes ? error->head - quote : error->bytes;

	if (spec_checksum(error->seen) && field + 2 > there)
		memcpy(sent_packet.bytes + ETH + field, seen_packet.bytes + ETH + field, 2);
}

static bool sides_differ(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 16) != 0;
}

static void pass(const struct flow *flow, const struct error *error, struct spec outer)
{
	uint8_t interface = error->direction == FLOW_ORIGINAL ? TEST_SIDE_IN : TEST_SIDE_OUT;
	struct flow_tuple answer = flow_tuple_of(flow, error->direction);
	uint8_t type = outer.version == 4 ? 3 : 1, code = 1;
	struct quoted_packet quoted;
	struct test_packet packet;

	spec_build(&seen_packet, error->seen);
	spec_build(&sent_packet, error->sent);
	keep_what_is_cut(error, spec_transport(&outer) + 8);
	memcpy(outer.destination, error->seen->source, 16);
	if (error->from_end)
		memcpy(outer.source, error->seen->destination, 16);
	spec_build_error(&frame, &outer, type, code, &seen_packet, error->bytes);

	memcpy(outer.destination, error->sent->source, 16);
	if (sides_differ(error->seen->destination, error->sent->destination))
		memcpy(outer.source, error->sent->destination, 16);
	outer.ttl--;
	spec_build_error(&expected, &outer, type, code, &sent_packet, error->bytes);

	test_packet_begin(&packet, &frame, error->head);
	test_packet_parse(&packet, interface);
	ck_assert_uint_eq(packet.info.kind, PACKET_ICMP_ERROR);
	ck_assert(outer.version == 4 ? parse_quoted(&packet.packet, &packet.info, &quoted)
				     : parse6_quoted(&packet.packet, &packet.info, &quoted));
	ck_assert(flow_tuple_equal(&quoted.answer, &answer));
	nat_rewrite_error(&packet.packet, &packet.info, &quoted, flow, error->direction);
	test_packet_end(&packet, &frame);
	expect_same(&frame, &expected, "error");
}

/* A checksum that happens to be the pseudo-header's sum cannot be told from a blank one. */
static bool looks_blank(const struct spec *spec)
{
	struct spec blank = *spec;
	uint32_t at = spec_transport(spec) + spec_checksum(spec);

	blank.blank = true;
	spec_build(&frame, spec);
	spec_build(&expected, &blank);
	return !spec->blank && get16(frame.bytes + at) == get16(expected.bytes + at);
}

static void pass_random(uint64_t *state, const struct flow *flow, const struct spec *seen,
			const struct spec *sent, enum flow_direction direction)
{
	struct error error = { .seen = seen, .sent = sent, .direction = direction };
	struct spec outer = spec_random(state, 0);
	uint32_t least = spec_transport(seen) - ETH + 8, quote;
	uint32_t whole = spec_transport(seen) - ETH + spec_header(seen) + seen->payload;

	if (looks_blank(seen))
		return;
	outer.version = seen->version;
	outer.protocol = seen->version == 4 ? 1 : ICMP6;
	outer.blank = outer.no_checksum = false;
	outer.options = seen->version == 4 ? 0 : (uint8_t)(unit_random(state) % 3);
	quote = spec_transport(&outer) + 8;
	error.from_end = unit_random(state) % 2;
	error.bytes = least + (uint32_t)(unit_random(state) % (whole - least + 1));
	error.head = quote + least + (uint32_t)(unit_random(state) % (error.bytes - least + 1));
	pass(flow, &error, outer);
}

START_TEST(errors_are_translated_inside_out)
{
	uint64_t state = unit_seed() | 1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct spec arrives = spec_random(&state, 60), leaves, answer, back;
		struct flow *flow;

		if (arrives.version == 4)
			arrives.options = (uint8_t)(unit_random(&state) % 3);
		leaves = spec_translate(&state, &arrives);
		answer = spec_mirror(&leaves);
		back = spec_mirror(&arrives);
		flow = test_flow(0, &arrives, &leaves);
		/* From outside about what went out, and from inside about an answer. */
		pass_random(&state, flow, &leaves, &arrives, FLOW_REPLY);
		pass_random(&state, flow, &back, &answer, FLOW_ORIGINAL);
	}
}
END_TEST

/* Every length of a quote of a TCP packet, and every end of the head in it. */
START_TEST(every_cut_of_a_quote)
{
	uint64_t state = unit_seed() | 1;

	for (uint8_t version = 4; version <= 6; version += 2) {
		struct spec arrives = { .version = version,
					.protocol = TCP,
					.ttl = 9,
					.source = { 10, 1 },
					.destination = { 192, 2 },
					.source_port = 77,
					.destination_port = 88,
					.payload = 9 };
		struct spec leaves = spec_translate(&state, &arrives);
		struct spec outer = { .version = version,
				      .protocol = version == 4 ? 1 : ICMP6,
				      .ttl = 64,
				      .source = { 172, 16 } };
		uint32_t headers = version == 4 ? 20 : 40;
		uint32_t quote = spec_transport(&outer) + 8;
		struct flow *flow;

		flow = test_flow(0, &arrives, &leaves);
		for (uint32_t bytes = headers + 8; bytes <= headers + 29; bytes++) {
			for (uint32_t head = headers + 8; head <= bytes; head++) {
				struct error error = { .seen = &leaves,
						       .sent = &arrives,
						       .direction = FLOW_REPLY,
						       .bytes = bytes,
						       .head = quote + head };

				pass(flow, &error, outer);
			}
		}
	}
}
END_TEST

/* Without a translation an error loses one hop and nothing else. */
START_TEST(untranslated_errors_stay)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct spec spec = { .version = version,
				     .protocol = UDP,
				     .ttl = 9,
				     .source = { 10, 1 },
				     .destination = { 192, 2 },
				     .source_port = 77,
				     .destination_port = 88,
				     .payload = 9 };
		struct spec outer = { .version = version,
				      .protocol = version == 4 ? 1 : ICMP6,
				      .ttl = 64,
				      .source = { 172, 16 } };
		struct error error = { .seen = &spec,
				       .sent = &spec,
				       .direction = FLOW_REPLY,
				       .bytes = version == 4 ? 28 : 48 };
		struct flow *flow;

		error.head = spec_transport(&outer) + 8 + error.bytes;
		flow = test_flow(0, &spec, &spec);
		flow->flags = 0;
		pass(flow, &error, outer);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, errors_are_translated_inside_out);
	tcase_add_test(cases, every_cut_of_a_quote);
	tcase_add_test(cases, untranslated_errors_stay);
}

int main(void)
{
	return unit_main("net/nat_error", add_cases);
}
