/* SPDX-License-Identifier: ISC */
/*
 * ICMPv6 of our own and refusals in both versions: what is said, about what nothing may be
 * said, and that nothing is said that was not in the packet. The frames that are asked
 * with and the golden ones were made by scapy.
 */
#include <stdlib.h>
#include <string.h>

#include "net/icmp6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/reject.h"
#include "tests/host/unit.h"
#include "tests/net/test_box6.h"

#define OWN "fd09:24ef:4179::a89:1"
#define PEER "fd09:24ef:4179::a89:7"
#define FAR "2001:4860:4860::8888"

static const uint8_t asked_udp[] = {
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0x86, 0xdd,
	0x60, 0x00, 0x00, 0x00, 0x00, 0x10, 0x11, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60,
	0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88,
	0x00, 0x35, 0x00, 0x10, 0x73, 0xf0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static const uint8_t golden_port_unreachable[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x6c,
	0x00, 0x00, 0x00, 0x00, 0x40, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x01, 0x04, 0xb1, 0x53, 0x00, 0x00,
	0x00, 0x00, 0x60, 0x00, 0x00, 0x00, 0x00, 0x10, 0x11, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41,
	0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60,
	0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88, 0x00,
	0x35, 0x00, 0x10, 0x73, 0xf0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static const uint8_t golden_prohibited[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x6c,
	0x00, 0x00, 0x00, 0x00, 0x40, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x01, 0x01, 0xb1, 0x56, 0x00, 0x00,
	0x00, 0x00, 0x60, 0x00, 0x00, 0x00, 0x00, 0x10, 0x11, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41,
	0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60,
	0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88, 0x00,
	0x35, 0x00, 0x10, 0x73, 0xf0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static const uint8_t golden_too_big[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x6c,
	0x00, 0x00, 0x00, 0x00, 0x40, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x02, 0x00, 0xab, 0x57, 0x00, 0x00,
	0x05, 0x00, 0x60, 0x00, 0x00, 0x00, 0x00, 0x10, 0x11, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41,
	0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60,
	0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88, 0x00,
	0x35, 0x00, 0x10, 0x73, 0xf0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static const uint8_t golden_bad_option[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x6c,
	0x00, 0x00, 0x00, 0x00, 0x40, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x04, 0x02, 0xae, 0x2b, 0x00, 0x00,
	0x00, 0x2a, 0x60, 0x00, 0x00, 0x00, 0x00, 0x10, 0x11, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41,
	0x79, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60,
	0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88, 0x00,
	0x35, 0x00, 0x10, 0x73, 0xf0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static const uint8_t asked_echo[] = {
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0x86, 0xdd, 0x62,
	0x80, 0x00, 0x00, 0x00, 0x11, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0x80, 0x00, 0x96, 0xe4, 0x12, 0x34,
	0x00, 0x07, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
};

static const uint8_t golden_echo[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x62,
	0x80, 0x00, 0x00, 0x00, 0x11, 0x3a, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x01, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x81, 0x00, 0x95, 0xe4, 0x12, 0x34,
	0x00, 0x07, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
};

static const uint8_t asked_tcp[] = {
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x14, 0x06, 0x40, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0x13, 0x88, 0x00, 0x50, 0x00, 0x00,
	0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x50, 0x02, 0xfd, 0xe8, 0xf2, 0xed, 0x00, 0x00,
};

static const uint8_t golden_reset[] = {
	0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60,
	0x00, 0x00, 0x00, 0x00, 0x14, 0x06, 0x40, 0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88, 0xfd, 0x09, 0x24, 0xef, 0x41, 0x79, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x89, 0x00, 0x07, 0x00, 0x50, 0x13, 0x88, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x03, 0xe9, 0x50, 0x14, 0x00, 0x00, 0xf0, 0xc3, 0x00, 0x00,
};

static struct box_frame frame;
static struct packet packet; /* in memory of exactly its length */
static struct packet_info info;

static void parse(void)
{
	ck_assert(box6_parse(&frame, &packet, &info));
}

static void ask_bytes(const uint8_t *asked, uint32_t bytes)
{
	memset(&frame, 0, sizeof(frame));
	memcpy(frame.bytes, asked, bytes);
	frame.length = bytes;
	parse();
}
#define ask(asked) ask_bytes(asked, sizeof(asked))

static void begin(void)
{
	box6_begin();
}

static void end(void)
{
	free(packet.data);
	packet.data = NULL;
	ck_assert_ptr_null(box6_take());
	box6_end();
}

static void send_error(uint8_t type, uint8_t code, uint32_t value)
{
	const struct ip6_address own = box6_address(OWN);

	icmp6_send_error(&box.own, &box.link[0], &packet, &own, type, code, value);
}

static void reject(enum reject_kind kind)
{
	const struct ip6_address own6 = box6_address(OWN);
	const struct ip_address own = info.key.version == 6 ? ip_address_of6(own6.bytes)
							    : ip_address_of4(be32_of(0x0a8a0001));

	reject_packet(&box.own, &box.link[0], &packet, &info, &own, kind);
}

START_TEST(errors_quote_the_packet)
{
	begin();
	ask(asked_udp);
	send_error(1, 4, 0);
	box6_expect(golden_port_unreachable);
	send_error(2, 0, 1280);
	box6_expect(golden_too_big);
	send_error(4, 2, 42);
	box6_expect(golden_bad_option);
	box.no_memory = true;
	send_error(1, 4, 0);
	/* What was quoted was only read. */
	ck_assert_mem_eq(packet.data, asked_udp, sizeof(asked_udp));
	end();
}
END_TEST

/* RFC 4443, 2.4 (c), and all 32 bits of what they say. */
START_TEST(errors_fit_the_smallest_link)
{
	static const uint32_t sizes[] = { 0, 1, 1183, 1184, 1185, 1400 };

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct box_frame *out;
		uint32_t quote = 40 + 8 + sizes[i];

		box6_frame(&frame, box_peer_mac, box_our_mac, PEER, FAR, 17);
		put32(box6_add(&frame, 8), 0x00010002);
		put16(frame.bytes + BOX_START + 4, (uint16_t)(8 + sizes[i]));
		for (uint32_t b = 0; b < sizes[i]; b++)
			*box6_add(&frame, 1) = (uint8_t)b;
		box6_finish(&frame);
		parse();
		send_error(2, 0, 0x12345678);
		out = box6_take();
		quote = quote > 1232 ? 1232 : quote;
		ck_assert_uint_eq(out->length, 14 + 40 + 8 + quote);
		ck_assert_uint_eq(get32(out->bytes + BOX_START + 4), 0x12345678);
		ck_assert_mem_eq(out->bytes + BOX_START + 8, frame.bytes + 14, quote);
		free(packet.data);
		packet.data = NULL;
	}
	end();
}
END_TEST

/* Of what the uplink may still write only the head, which is ours, is quoted; of padding
 * that came behind the packet nothing. */
START_TEST(errors_quote_nothing_else)
{
	const struct ip6_address own = box6_address(OWN);
	const struct box_frame *out;
	enum drop_reason reason;
	struct packet *long_one;

	begin();
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, FAR, 17);
	box6_append(&frame, "\0\1\0\2\1\xf4\0\0", 8);
	memset(box6_add(&frame, 492), 'x', 492);
	box6_finish(&frame);
	long_one = box6_packet(&frame, 192);
	ck_assert(parse_ip6(long_one, 1, &info, &reason));
	icmp6_send_error(&box.own, &box.link[0], long_one, &own, 1, 1, 0);
	out = box6_take();
	ck_assert_uint_eq(out->length, BOX_START + 8 + 192 - 14);
	ck_assert_mem_eq(out->bytes + BOX_START + 8, frame.bytes + 14, 192 - 14);
	packet_free(long_one);

	ask(asked_udp);
	free(packet.data);
	memset(box6_add(&frame, 100), 's', 100); /* somebody's secret */
	parse();
	send_error(1, 4, 0);
	box6_expect(golden_port_unreachable);
	end();
}
END_TEST

static bool may_report(uint8_t type, uint8_t code)
{
	return icmp6_may_report(&packet, &info, type, code);
}

static void expect_silence(void)
{
	ck_assert(!may_report(1, 0));
	ck_assert(!may_report(2, 0));
	ck_assert(!may_report(3, 0));
	ck_assert(!may_report(4, 2));
	free(packet.data);
	packet.data = NULL;
}

/* RFC 4443, 2.4 (e.3) and (e.4) */
START_TEST(to_many_only_what_all_should_know)
{
	const char *to = _i ? FAR : "ff0e::1";

	begin();
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, to, 17);
	box6_append(&frame, "\0\1\0\2\0\x08\0\0", 8);
	if (_i)
		frame.bytes[0] |= 1; /* to one address, but to all MACs */
	box6_finish(&frame);
	parse();
	ck_assert(!may_report(1, 4));
	ck_assert(!may_report(3, 0));
	ck_assert(!may_report(4, 0));
	ck_assert(!may_report(4, 1));
	ck_assert(may_report(4, 2));
	ck_assert(may_report(2, 0));
	reject(REJECT_RETURN);
	reject(REJECT_ADMIN_PROHIBITED);
	end();
}
END_TEST

static void icmp(uint8_t type)
{
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, FAR, 58);
	box6_add(&frame, 64)[0] = type;
	box6_finish(&frame);
	parse();
}

START_TEST(nothing_about_errors)
{
	static const uint8_t silent[] = { 1, 2, 3, 4, 0, 5, 100, 127, 133, 134, 135, 136, 137 };
	static const uint8_t others[] = { 128, 129, 130, 139, 200, 255 };

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		icmp(silent[i]);
		expect_silence();
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		icmp(others[i]);
		ck_assert(may_report(1, 1));
		free(packet.data);
		packet.data = NULL;
	}
	end();
}
END_TEST

START_TEST(nothing_to_nobody)
{
	static const char *const nobody[] = { "::", "::1", "ff02::1" };

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		box6_frame(&frame, box_peer_mac, box_our_mac, nobody[i], FAR, 17);
		box6_append(&frame, "\0\1\0\2\0\x08\0\0", 8);
		box6_finish(&frame);
		parse();
		expect_silence();
	}
	/* A neighbour may talk to us from where only we can answer. */
	box6_frame(&frame, box_peer_mac, box_our_mac, "fe80::7", OWN, 17);
	box6_append(&frame, "\0\1\0\2\0\x08\0\0", 8);
	box6_finish(&frame);
	parse();
	ck_assert(may_report(1, 4));
	end();
}
END_TEST

/* `flags`: what stands in the low bits of the offset field. */
static void fragment(uint8_t protocol, uint16_t offset, bool more, const void *bytes,
		     uint32_t count)
{
	uint8_t *header;

	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, OWN, 44);
	header = box6_add(&frame, 8);
	header[0] = protocol;
	put16(header + 2, (uint16_t)(offset | more));
	box6_append(&frame, bytes, count);
	box6_finish(&frame);
	parse();
}

START_TEST(nothing_about_later_fragments)
{
	begin();
	fragment(17, 8, true, "12345678", 8);
	expect_silence();
	fragment(17, 0, true, "\0\1\0\2\0\x20\0\0", 8);
	ck_assert(may_report(1, 4));
	end();
}
END_TEST

START_TEST(pings_are_answered)
{
	struct packet *request;
	enum drop_reason reason;

	begin();
	ask(asked_echo);
	request = box6_packet(&frame, frame.length);
	ck_assert(parse_ip6(request, 1, &info, &reason));
	icmp6_echo(&box.own, &box.link[0], request, &info);
	box6_expect(golden_echo);
	/* Wherever its bytes are. */
	request = box6_packet(&frame, 62);
	ck_assert(parse_ip6(request, 1, &info, &reason));
	icmp6_echo(&box.own, &box.link[0], request, &info);
	box6_expect(golden_echo);
	end();
}
END_TEST

/* Sends what is in `frame` as an echo request; the reason for its drop. */
static enum drop_reason echo_drop(void)
{
	uint32_t head = frame.length < 192 ? frame.length : 192;
	struct packet *request = box6_packet(&frame, head);
	enum drop_reason reason;
	uint64_t before[DROP_REASON_COUNT];

	memcpy(before, box.packets.drops, sizeof(before));
	ck_assert(parse_ip6(request, 1, &info, &reason));
	icmp6_echo(&box.own, &box.link[0], request, &info);
	for (unsigned int r = 0; r < DROP_REASON_COUNT; r++)
		if (box.packets.drops[r] != before[r])
			return r;
	return DROP_REASON_COUNT;
}

START_TEST(bad_pings_are_not_answered)
{
	begin();
	ask(asked_echo);
	frame.bytes[frame.length - 1] ^= 1;
	ck_assert_int_eq(echo_drop(), DROP_BAD_CHECKSUM);
	frame.bytes[frame.length - 1] ^= 1;
	frame.bytes[37] ^= 1; /* another sender */
	ck_assert_int_eq(echo_drop(), DROP_BAD_CHECKSUM);
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, "ff02::1", 58);
	box6_add(&frame, 8)[0] = 128;
	box6_finish(&frame);
	ck_assert_int_eq(echo_drop(), DROP_MULTICAST);
	box6_frame(&frame, box_peer_mac, box_our_mac, "::", OWN, 58);
	box6_add(&frame, 8)[0] = 128;
	box6_finish(&frame);
	ck_assert_int_eq(echo_drop(), DROP_MULTICAST);
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, OWN, 58);
	box6_add(&frame, 1460)[0] = 128;
	box6_finish(&frame);
	ck_assert_int_eq(echo_drop(), DROP_REASON_COUNT);
	ck_assert_uint_eq(box6_take()->length, frame.length);
	box.link[0].mtu = 1499;
	ck_assert_int_eq(echo_drop(), DROP_TOO_BIG);
	box.no_memory = true;
	box.link[0].mtu = 1500;
	ck_assert_int_eq(echo_drop(), DROP_NO_MEMORY);
	end();
}
END_TEST

START_TEST(pings_in_pieces_are_not_answered)
{
	static const uint8_t echo[16] = { 128 };
	struct packet *request;
	enum drop_reason reason;

	begin();
	fragment(58, 0, true, echo, sizeof(echo));
	ck_assert_int_eq(echo_drop(), DROP_FRAGMENT);
	request = box6_packet(&frame, frame.length);
	ck_assert(parse_ip6(request, 1, &info, &reason));
	info.fragment.offset = 8;
	info.fragment.more = false;
	icmp6_echo(&box.own, &box.link[0], request, &info);
	ck_assert_uint_eq(box.packets.drops[DROP_FRAGMENT], 2);
	end();
}
END_TEST

/* Extension headers of the request, and a fragment header of a whole one, stay behind. */
START_TEST(pings_are_answered_without_their_headers)
{
	const struct box_frame *out;
	struct packet *request;
	enum drop_reason reason;
	uint8_t echo[20] = { 128, 0, 0, 0, 0x12, 0x34, 0, 7, 'p', 'a', 'y', 'l', 'o', 'a', 'd' };
	uint8_t sum[60] = { 0 };
	struct ip6_address from = box6_address(PEER), to = box6_address(OWN);

	begin();
	memcpy(sum, &from, 16);
	memcpy(sum + 16, &to, 16);
	sum[35] = sizeof(echo);
	sum[39] = 58;
	memcpy(sum + 40, echo, sizeof(echo));
	put16(echo + 2, (uint16_t)~naive_sum(sum, sizeof(sum), 0));
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, OWN, 60);
	box6_append(&frame, "\x2c\0\1\4\0\0\0\0", 8);	/* destination options: padding */
	box6_append(&frame, "\x3a\0\0\0\0\0\0\x77", 8); /* an atomic fragment (RFC 6946) */
	box6_append(&frame, echo, sizeof(echo));
	box6_finish(&frame);
	request = box6_packet(&frame, frame.length);
	ck_assert(parse_ip6(request, 1, &info, &reason));
	icmp6_echo(&box.own, &box.link[0], request, &info);
	out = box6_take();
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->length, BOX_START + sizeof(echo));
	ck_assert_uint_eq(out->bytes[20], 58);
	ck_assert_uint_eq(out->bytes[BOX_START], 129);
	ck_assert_mem_eq(out->bytes + BOX_START + 4, echo + 4, sizeof(echo) - 4);
	packet.data = NULL;
	end();
}
END_TEST

START_TEST(refusals_fit_the_protocol)
{
	begin();
	ask(asked_udp);
	reject(REJECT_RETURN);
	box6_expect(golden_port_unreachable);
	reject(REJECT_ADMIN_PROHIBITED);
	box6_expect(golden_prohibited);
	free(packet.data);
	ask(asked_tcp);
	reject(REJECT_RETURN);
	box6_expect(golden_reset);
	reject(REJECT_ADMIN_PROHIBITED);
	ck_assert_mem_eq(box6_take()->bytes + BOX_START, "\1\1", 2);
	ck_assert_mem_eq(packet.data, asked_tcp, sizeof(asked_tcp));
	free(packet.data);
	ask(asked_echo);
	reject(REJECT_RETURN);
	ck_assert_mem_eq(box6_take()->bytes + BOX_START, "\1\1", 2);
	box.no_memory = true;
	reject(REJECT_RETURN);
	free(packet.data);
	ask(asked_tcp);
	reject(REJECT_RETURN);
	end();
}
END_TEST

START_TEST(resets_answer_what_was_sent)
{
	static const uint8_t tcp[] = { 0x13, 0x88, 0, 80, 0, 0, 0, 9, 0,   0,	0x12, 0x34,
				       0x50, 0x11, 1, 0,  0, 0, 0, 0, 'd', 'a', 't',  'a' };
	const struct box_frame *out;

	begin();
	box6_frame(&frame, box_peer_mac, box_our_mac, PEER, FAR, 6);
	box6_append(&frame, tcp, sizeof(tcp));
	box6_finish(&frame);
	parse();
	reject(REJECT_RETURN);
	out = box6_take();
	ck_assert_uint_eq(out->bytes[BOX_START + 13], RST);
	ck_assert_uint_eq(get32(out->bytes + BOX_START + 4), 0x1234);
	free(packet.data);
	frame.bytes[BOX_START + 13] = SYN; /* without ACK: all that it sent is acknowledged */
	box6_finish(&frame);
	parse();
	reject(REJECT_RETURN);
	out = box6_take();
	ck_assert_uint_eq(out->bytes[BOX_START + 13], RST | ACK);
	ck_assert_uint_eq(get32(out->bytes + BOX_START + 8), 9 + 4 + 1);
	free(packet.data);
	/* Never a reset for a reset (RFC 9293, 3.10.7.1). */
	frame.bytes[BOX_START + 13] = RST | ACK;
	box6_finish(&frame);
	parse();
	reject(REJECT_RETURN);
	ck_assert_ptr_null(box6_take());
	free(packet.data);
	/* Nor for a part of a segment. */
	fragment(6, 0, true, tcp, sizeof(tcp));
	reject(REJECT_RETURN);
	end();
}
END_TEST

/* IPv4, in the same words. */
START_TEST(refusals_in_the_old_version)
{
	static struct frame old;
	static uint8_t bytes[256];
	const struct ends ends = { box_peer_mac, box_our_mac, 0x0a8a000a, 0xc0000250 };
	enum drop_reason reason;

	begin();
	for (unsigned int i = 0; i < 4; i++) {
		const uint8_t *out;

		if (i % 2)
			frame_tcp(&old, &ends, 5000, 80, SYN, 1000, 0, 0);
		else
			frame_udp(&old, &ends, 5000, 53, 8);
		memcpy(bytes, old.bytes, old.length);
		packet = (struct packet){ .data = bytes,
					  .length = old.length,
					  .head_length = (uint16_t)old.length };
		ck_assert(parse_ip4(&packet, 1, &info, &reason));
		reject(i < 2 ? REJECT_RETURN : REJECT_ADMIN_PROHIBITED);
		ck_assert_uint_eq(box.sent, i + 1);
		box6_skip(); /* its checks are IPv6's */
		out = box.kept[i].bytes;
		memcpy(old.bytes, out, box.kept[i].length);
		old.length = box.kept[i].length;
		ck_assert_ptr_null(frame_error(&old));
		ck_assert_uint_eq(frame_destination(&old), ends.from);
		if (i == 1) {
			ck_assert_uint_eq(frame_tcp_flags(&old), RST | ACK);
			ck_assert_uint_eq(frame_source(&old), ends.to);
			continue;
		}
		ck_assert_uint_eq(frame_source(&old), 0x0a8a0001);
		ck_assert_uint_eq(frame_icmp_type(&old), 3);
		ck_assert_uint_eq(frame_icmp_code(&old), i == 0 ? 3 : 13);
	}
	packet.data = NULL;
	end();
}
END_TEST

/* Whatever parses can be refused, reported and answered without a byte beyond it. */
START_TEST(random_bytes_do_no_harm)
{
	uint64_t state = unit_seed() * 2 + 1;
	uint32_t parsed = 0;

	begin();
	for (unsigned int i = 0; i < 60000; i++) {
		static const struct {
			const uint8_t *bytes;
			uint32_t count;
		} seeds[] = { { asked_udp, sizeof(asked_udp) },
			      { asked_tcp, sizeof(asked_tcp) },
			      { asked_echo, sizeof(asked_echo) },
			      { golden_too_big, sizeof(golden_too_big) } };
		uint32_t which = (uint32_t)(unit_random(&state) % ARRAY_SIZE(seeds));

		memcpy(frame.bytes, seeds[which].bytes, seeds[which].count);
		frame.length = seeds[which].count;
		for (uint64_t n = unit_random(&state) % 5; n; n--)
			frame.bytes[14 + unit_random(&state) % (frame.length - 14)] =
				(uint8_t)unit_random(&state);
		if (unit_random(&state) % 4 == 0)
			frame.length -= (uint32_t)(unit_random(&state) % 40);
		if (!box6_parse(&frame, &packet, &info))
			continue;
		parsed++;
		reject(unit_random(&state) % 2);
		if (may_report(2, 0))
			send_error(2, 0, 1280);
		if (info.key.protocol == 58 && info.icmp_type == 128 &&
		    !parse6_is_later_fragment(&info.fragment))
			echo_drop();
		while (box6_take())
			;
		free(packet.data);
	}
	packet.data = NULL;
	ck_assert_uint_gt(parsed, 1000);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, errors_quote_the_packet);
	tcase_add_test(cases, errors_fit_the_smallest_link);
	tcase_add_test(cases, errors_quote_nothing_else);
	tcase_add_loop_test(cases, to_many_only_what_all_should_know, 0, 2);
	tcase_add_test(cases, nothing_about_errors);
	tcase_add_test(cases, nothing_to_nobody);
	tcase_add_test(cases, nothing_about_later_fragments);
	tcase_add_test(cases, pings_are_answered);
	tcase_add_test(cases, bad_pings_are_not_answered);
	tcase_add_test(cases, pings_in_pieces_are_not_answered);
	tcase_add_test(cases, pings_are_answered_without_their_headers);
	tcase_add_test(cases, refusals_fit_the_protocol);
	tcase_add_test(cases, resets_answer_what_was_sent);
	tcase_add_test(cases, refusals_in_the_old_version);
	tcase_add_test(cases, random_bytes_do_no_harm);
}

int main(void)
{
	return unit_main("net/icmp6", add_cases);
}
