/* SPDX-License-Identifier: ISC */
/*
 * The same conversations with and without a fake address: what leaves by the uplink must be the
 * same to the byte, and what the client gets the same but for its address.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define SEEN_IP IP(172, 16, 255, 3)
#define STEPS 300u
#define KEPT 2000u /* frames of a run */

static struct frame frame, part, last;
static struct frame *out[2][KEPT], *in[2][KEPT];
static uint32_t outs[2], ins[2];
static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

static void keep(struct test_link *link, struct frame **frames, uint32_t *count)
{
	const struct frame *got;

	while ((got = test_link_take(link)) != NULL) {
		ck_assert_uint_lt(*count, KEPT);
		frames[*count] = malloc(offsetof(struct frame, bytes) + got->length);
		memcpy(frames[(*count)++], got, offsetof(struct frame, bytes) + got->length);
		last = *got;
	}
}

/* A packet from client 2 as `from`, or from the server to our port of something before. */
static void make(uint32_t from, bool outward, uint16_t port)
{
	struct ends there = { client_mac[2], our_client_mac, from, SERVER_IP };
	struct ends back = ends_in(SERVER_IP);
	const struct ends *ends = outward ? &there : &back;
	uint16_t source = outward ? (uint16_t)(5000 + pick(8)) : 53;
	uint16_t destination = outward ? 53 : port;

	switch (pick(5)) {
	case 0:
		frame_udp(&frame, ends, source, destination, pick(1400));
		break;
	case 1:
		frame_tcp(&frame, ends, source, destination, outward ? SYN : SYN | ACK,
			  pick(UINT16_MAX), outward ? 0 : 1, 0);
		break;
	case 2:
		frame_echo(&frame, ends, !outward, outward ? source : port, 1, pick(1400));
		break;
	case 3:
		frame_ip4(&frame, ends, 132, 8 + pick(1000));
		break;
	default: /* about the last frame that came out towards it, if that is one to quote */
		frame_icmp_error(&frame, ends, 3, (uint8_t)pick(4), &last,
				 last.length - 14 < 40 ? last.length - 14 : 28 + pick(12));
		break;
	}
	if (pick(4) == 0)
		frame.bytes[22] = (uint8_t)pick(3); /* the TTL */
	frame_finish(&frame);
	if ((frame_protocol(&frame) == 6 || frame_protocol(&frame) == 17) && pick(3) == 0)
		frame_make_blank(&frame);
	else if (frame_protocol(&frame) == 17 && pick(5) == 0)
		frame.bytes[40] = frame.bytes[41] = 0;
}

static void send(struct test_link *link)
{
	uint32_t bytes = frame.length - 34, middle = bytes / 16 * 8;

	if (frame.flags || middle < 64 || pick(3)) {
		test_link_input(link, &frame);
		return;
	}
	frame_part(&part, &frame, 0, middle, state & 0xffff);
	test_link_input(link, &part);
	frame_part(&part, &frame, middle, bytes - middle, state & 0xffff);
	test_link_input(link, &part);
}

static void run(unsigned int which, uint64_t seed)
{
	const struct router_visible visible = { be32_of(CLIENT_IP(2)), be32_of(SEEN_IP), { 0 } };
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	uint16_t port = 5000;

	state = seed | 1;
	memset(&last, 0, sizeof(last));
	last.length = 14 + 40;
	if (which) {
		router_detach(&net->router, &net->client[2].netdev);
		ck_assert_int_eq(router_attach_client_visible(&net->router, &net->client[2].netdev,
							      &visible),
				 0);
	}
	for (uint32_t step = 0; step < STEPS; step++) {
		bool outward = pick(2) || !outs[which];

		make(which ? SEEN_IP : CLIENT_IP(2), outward, port);
		send(outward ? &net->client[2] : &net->uplink);
		keep(&net->uplink, out[which], &outs[which]);
		if (last.length > 38)
			port = frame_source_port(&last) ? frame_source_port(&last) : 5000;
		keep(&net->client[2], in[which], &ins[which]);
		test_net_advance(net, TEST_SECOND / 50);
	}
	test_net_end(net);
}

/* Every place where the address can stand, by the sum of which no checksum depends. */
static void as_if_seen(struct frame *plain, const struct frame *seen)
{
	static const uint32_t places[] = { 26, 30, 54, 58 };
	bool error = frame_protocol(plain) == 1 && plain->bytes[34] == 3;

	error |= frame_protocol(plain) == 1 && plain->bytes[34] == 11;
	for (unsigned int i = 0; i < (error ? 4 : 2); i++)
		if (places[i] + 4 <= plain->length &&
		    get32(plain->bytes + places[i]) == CLIENT_IP(2))
			put32(plain->bytes + places[i], SEEN_IP);
	/* Checksums are checked where frames come out (test_link.h). */
	memcpy(plain->bytes + 24, seen->bytes + 24, 2);
	if (error)
		memcpy(plain->bytes + 52, seen->bytes + 52, 2);
	if (frame_protocol(plain) == 17)
		memcpy(plain->bytes + 40, seen->bytes + 40, 2);
	if (frame_protocol(plain) == 6)
		memcpy(plain->bytes + 50, seen->bytes + 50, 2);
	if (error && plain->length >= 70) {
		memcpy(plain->bytes + 36, seen->bytes + 36, 2);
		if (plain->bytes[51] == 17)
			memcpy(plain->bytes + 68, seen->bytes + 68, 2);
		if (plain->bytes[51] == 6 && plain->length >= 80)
			memcpy(plain->bytes + 78, seen->bytes + 78, 2);
	}
}

START_TEST(the_same_but_for_the_address)
{
	uint64_t seed = unit_seed() + (uint64_t)_i * 7919u;

	outs[0] = outs[1] = ins[0] = ins[1] = 0;
	run(0, seed);
	run(1, seed);
	ck_assert_uint_gt(outs[0], STEPS / 4);
	ck_assert_uint_gt(ins[0], 5);
	ck_assert_uint_eq(outs[0], outs[1]);
	ck_assert_uint_eq(ins[0], ins[1]);
	for (uint32_t i = 0; i < outs[0]; i++) {
		ck_assert_uint_eq(out[0][i]->length, out[1][i]->length);
		ck_assert_msg(!memcmp(out[0][i]->bytes, out[1][i]->bytes, out[0][i]->length),
			      "frame %u out differs", i);
	}
	for (uint32_t i = 0; i < ins[0]; i++) {
		static struct frame plain;

		ck_assert_uint_eq(in[0][i]->length, in[1][i]->length);
		memcpy(&plain, in[0][i], offsetof(struct frame, bytes) + in[0][i]->length);
		as_if_seen(&plain, in[1][i]);
		ck_assert_msg(!memcmp(plain.bytes, in[1][i]->bytes, plain.length),
			      "frame %u in differs", i);
	}
	for (unsigned int which = 0; which < 2; which++) {
		for (uint32_t i = 0; i < outs[which]; i++)
			free(out[which][i]);
		for (uint32_t i = 0; i < ins[which]; i++)
			free(in[which][i]);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, the_same_but_for_the_address, 0, 20);
}

int main(void)
{
	return unit_main("net/visible_random", add_cases);
}
