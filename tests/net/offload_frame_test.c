/* SPDX-License-Identifier: ISC */
/*
 * Frames that are passed on unrouted to links without offloads: both families, headers of
 * every length, every set of features; and headers that do not bear out what was asked.
 */
#include <string.h>

#include "net/offload_frame.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define ETH 14u
#define TCP 6u
#define UDP 17u
#define TCP_BYTES 32u /* with a time stamp */
#define GSO_SIZE 1400u
#define SENT_MOST 64u
#define FEATURES_ALL                                                                             \
	(NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6 | NETDEV_TX_GSO_TCPV4 | NETDEV_TX_GSO_TCPV6 | \
	 NETDEV_TX_SG)

static struct {
	struct test_net *net;
	struct netdev netdev; /* the link that is sent on */
	struct frame sent[SENT_MOST];
	uint32_t pieces[SENT_MOST]; /* memory that each lay in */
	uint32_t count;
} world;

static struct frame frame;
static uint32_t l4; /* where the frame's transport header is */

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet = packet_alloc_page(&world.net->packets, IOPAGE_UPLINK_READ);

	ck_assert_ptr_eq(context, &world);
	ck_assert_ptr_eq(netdev, &world.netdev);
	ck_assert_uint_le(bytes, OWN_MAX_BYTES);
	memset(packet_append(packet, bytes), 0, bytes);
	return packet;
}

static void send(void *context, struct netdev *netdev, struct packet *packet)
{
	struct frame *kept = &world.sent[world.count];

	ck_assert_ptr_eq(context, &world);
	ck_assert_uint_lt(world.count, SENT_MOST);
	ck_assert(netdev_can_send(netdev, packet));
	kept->length = packet->length;
	kept->flags = packet->flags;
	kept->gso_type = packet->gso_type;
	kept->gso_size = packet->gso_size;
	ck_assert_int_eq(packet_copy_out(packet, 0, kept->bytes, packet->length), 0);
	world.pieces[world.count++] = packet->frag_count + 1u;
	packet_free(packet);
}

static const struct own own = { make, send, &world };

static void begin(uint32_t features)
{
	world.net = test_net_begin_cold(NULL, 8);
	world.netdev.features = features;
	world.count = 0;
}

static uint64_t drops(enum drop_reason reason)
{
	return world.net->packets.drops[reason];
}

/* ---- frames ---- */

static bool is_ip6(const struct frame *f)
{
	return get16(f->bytes + 12) == 0x86dd;
}

static uint8_t protocol_of(const struct frame *f)
{
	return is_ip6(f) ? l4 == ETH + 40 ? f->bytes[ETH + 6] : f->bytes[ETH + 40]
			 : f->bytes[ETH + 9];
}

/* The pseudo-header's sum, by the book (RFC 793, RFC 8200 section 8.1). */
static uint16_t pseudo(const struct frame *f)
{
	uint8_t bytes[40] = { 0 };

	memcpy(bytes, f->bytes + ETH + (is_ip6(f) ? 8 : 12), is_ip6(f) ? 32 : 8);
	put16(bytes + 34, (uint16_t)(f->length - l4));
	bytes[39] = protocol_of(f);
	return naive_sum(bytes, sizeof(bytes), 0);
}

static uint8_t *sum_field(struct frame *f)
{
	return f->bytes + l4 + (protocol_of(f) == TCP ? 16 : 6);
}

static void lengths_write(struct frame *f)
{
	if (is_ip6(f)) {
		put16(f->bytes + ETH + 4, (uint16_t)(f->length - ETH - 40));
		return;
	}
	put16(f->bytes + ETH + 2, (uint16_t)(f->length - ETH));
	put16(f->bytes + ETH + 10, 0);
	put16(f->bytes + ETH + 10, (uint16_t)~naive_sum(f->bytes + ETH, l4 - ETH, 0));
}

/* What a sender with offloads gives away. `extra`: bytes of options or extension headers. */
static void blank_make(bool ip6, uint8_t protocol, uint32_t extra, uint32_t payload)
{
	uint32_t header = protocol == TCP ? TCP_BYTES : 8;
	uint8_t *ip = frame.bytes + ETH;

	memset(&frame, 0, offsetof(struct frame, bytes) + 200);
	put16(frame.bytes + 12, ip6 ? 0x86dd : 0x0800);
	l4 = ETH + (ip6 ? 40 : 20) + extra;
	frame.length = l4 + header + payload;
	for (uint32_t i = 0; i < 32; i++)
		ip[i + 8] = (uint8_t)(0x10 + i * 7);
	if (ip6) {
		ip[0] = 0x60;
		ip[6] = extra ? 60 : protocol;
		ip[7] = 64;
	} else {
		ip[0] = (uint8_t)(0x40 | (5 + extra / 4));
		put16(ip + 4, 0xfffe);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = protocol;
		memset(ip + 20, 1, extra);
	}
	if (ip6 && extra) {
		ip[40] = protocol;
		ip[41] = (uint8_t)(extra / 8 - 1);
	}
	put16(frame.bytes + l4, 4000);
	put16(frame.bytes + l4 + 2, 80);
	if (protocol == TCP) {
		put32(frame.bytes + l4 + 4, 0xfffffff0);
		frame.bytes[l4 + 12] = TCP_BYTES / 4 << 4;
		frame.bytes[l4 + 13] = ACK | PSH | FIN | 0x80;
	} else {
		put16(frame.bytes + l4 + 4, (uint16_t)(8 + payload));
	}
	for (uint32_t i = 0; i < payload; i++)
		frame.bytes[l4 + header + i] = (uint8_t)(i * 31 + (i >> 8));
	lengths_write(&frame);
	put16(sum_field(&frame), pseudo(&frame));
	frame.flags = PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
}

static void large_make(bool ip6, uint32_t extra, uint32_t payload)
{
	blank_make(ip6, TCP, extra, payload);
	frame.gso_type = ip6 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4;
	frame.gso_size = GSO_SIZE;
}

static void pass(const struct frame *f, enum offload_piece piece)
{
	offload_frame_send(&own, &world.netdev, piece, test_link_packet(&world.net->uplink, f));
}

/* ---- what comes out ---- */

static void expect_whole(const struct frame *f)
{
	struct frame copy = *f;

	if (!is_ip6(f)) {
		ck_assert_uint_eq(get16(f->bytes + ETH + 2), f->length - ETH);
		ck_assert_uint_eq(naive_sum(f->bytes + ETH, l4 - ETH, 0), 0xffff);
	} else {
		ck_assert_uint_eq(get16(f->bytes + ETH + 4), f->length - ETH - 40);
	}
	ck_assert_uint_eq(naive_sum(copy.bytes + l4, f->length - l4, pseudo(f)), 0xffff);
	ck_assert_uint_eq(f->flags & PACKET_CSUM_BLANK, 0);
	ck_assert_uint_eq(f->gso_type, PACKET_GSO_NONE);
}

static const uint32_t extras4[] = { 0, 4, 40 };
static const uint32_t extras6[] = { 0, 8, 64 };

START_TEST(large_frames_are_cut)
{
	bool ip6 = _i & 1;
	uint32_t extra = ip6 ? extras6[_i / 2] : extras4[_i / 2];
	uint32_t headers, done = 0, payload = 20000;

	begin(FEATURES_ALL & ~(ip6 ? NETDEV_TX_GSO_TCPV6 : NETDEV_TX_GSO_TCPV4));
	large_make(ip6, extra, payload);
	headers = l4 + TCP_BYTES;
	pass(&frame, OFFLOAD_PIECE_MEMORY);
	ck_assert_uint_eq(world.count, (payload + GSO_SIZE - 1) / GSO_SIZE);
	for (uint32_t i = 0; i < world.count; i++) {
		const struct frame *f = &world.sent[i];
		bool last = i + 1 == world.count;

		expect_whole(f);
		ck_assert_uint_eq(get32(f->bytes + l4 + 4), 0xfffffff0u + done);
		ck_assert_uint_eq(f->bytes[l4 + 13] & (FIN | PSH), last ? FIN | PSH : 0);
		ck_assert_uint_eq(f->bytes[l4 + 13] & 0x80, i ? 0 : 0x80);
		if (!ip6)
			ck_assert_uint_eq(get16(f->bytes + ETH + 4), (0xfffe + i) & 0xffff);
		ck_assert_mem_eq(f->bytes + headers, frame.bytes + headers + done,
				 f->length - headers);
		done += f->length - headers;
	}
	ck_assert_uint_eq(done, payload);
	test_net_end(world.net);
}
END_TEST

START_TEST(blank_checksums_are_filled)
{
	static const uint32_t payloads[] = { 0, 1, 999, 1000, 1400 };
	uint8_t protocol = _i & 2 ? UDP : TCP;
	bool ip6 = _i & 1;

	begin(FEATURES_ALL & ~(ip6 ? NETDEV_TX_CSUM_IPV6 : NETDEV_TX_CSUM_IPV4));
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		blank_make(ip6, protocol, ip6 ? extras6[i % 3] : extras4[i % 3], payloads[i]);
		pass(&frame, OFFLOAD_PIECE_MEMORY);
		ck_assert_uint_eq(world.count, i + 1);
		ck_assert_uint_eq(world.sent[i].length, frame.length);
		expect_whole(&world.sent[i]);
		put16(sum_field(&world.sent[i]), pseudo(&frame));
		ck_assert_mem_eq(world.sent[i].bytes, frame.bytes, frame.length);
	}
	test_net_end(world.net);
}
END_TEST

/* Padding of a short frame belongs to no checksum. */
START_TEST(padding_is_not_summed)
{
	begin(FEATURES_ALL & ~NETDEV_TX_CSUM_IPV4);
	blank_make(false, UDP, 0, 2);
	memset(frame.bytes + frame.length, 0xee, 20);
	frame.length += 20;
	pass(&frame, OFFLOAD_PIECE_MEMORY);
	ck_assert_uint_eq(world.count, 1);
	ck_assert_uint_eq(world.sent[0].length, frame.length - 20);
	expect_whole(&world.sent[0]);
	test_net_end(world.net);
}
END_TEST

/* A link that can do what is needed gets the frame as it came, whatever it is. */
START_TEST(what_a_link_can_do_is_left_to_it)
{
	bool ip6 = _i & 1;

	begin(FEATURES_ALL);
	large_make(ip6, 0, 20000);
	pass(&frame, OFFLOAD_PIECE_MEMORY);
	blank_make(ip6, UDP, 0, 100);
	world.netdev.features &= ~(uint32_t)(ip6 ? NETDEV_TX_CSUM_IPV4 : NETDEV_TX_CSUM_IPV6);
	pass(&frame, OFFLOAD_PIECE_MEMORY);
	ck_assert_uint_eq(world.count, 2);
	ck_assert_uint_eq(world.sent[0].gso_size, GSO_SIZE);
	ck_assert_uint_eq(world.sent[0].length, ETH + (ip6 ? 40 : 20) + TCP_BYTES + 20000);
	ck_assert_uint_ne(world.sent[1].flags & PACKET_CSUM_BLANK, 0);
	ck_assert_mem_eq(world.sent[1].bytes, frame.bytes, frame.length);
	test_net_end(world.net);
}
END_TEST

START_TEST(without_scatter_gather_a_frame_is_one_piece)
{
	begin(NETDEV_TX_CSUM_IPV4);
	blank_make(false, UDP, 0, 1400);
	pass(&frame, OFFLOAD_PIECE_MEMORY);
	pass(&frame, OFFLOAD_PIECE_PAGE);
	ck_assert_uint_eq(world.count, 2);
	ck_assert_uint_eq(world.pieces[0], 1);
	ck_assert_uint_eq(world.pieces[1], 2);
	ck_assert_mem_eq(world.sent[0].bytes, frame.bytes, frame.length);
	ck_assert_mem_eq(world.sent[1].bytes, frame.bytes, frame.length);
	test_net_end(world.net);
}
END_TEST

/* ---- what nobody can do ---- */

static void is_refused(enum drop_reason reason)
{
	uint64_t before = drops(reason);

	pass(&frame, OFFLOAD_PIECE_MEMORY);
	ck_assert_msg(world.count == 0 && drops(reason) == before + 1, "%u sent, drops of %s: %lu",
		      world.count, drop_name(reason), drops(reason) - before);
}

START_TEST(headers_that_lie_are_refused)
{
	bool ip6 = _i;

	begin(NETDEV_TX_SG);
	large_make(ip6, 0, 3000);
	frame.gso_type = ip6 ? PACKET_GSO_TCPV4 : PACKET_GSO_TCPV6;
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 3000);
	frame.gso_size = 0;
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 3000);
	frame.bytes[l4 + 13] |= SYN;
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 3000);
	frame.bytes[l4 + 12] = 4 << 4;
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 0);
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 3000);
	put16(frame.bytes + ETH + (ip6 ? 4 : 2), 3100);
	is_refused(DROP_BAD_GSO);
	large_make(ip6, 0, 3000);
	put16(frame.bytes + ETH + (ip6 ? 4 : 2), 10);
	is_refused(DROP_BAD_GSO);
	blank_make(ip6, 47, 0, 100);
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(ip6, UDP, 0, 100);
	put16(frame.bytes + 12, 0x8100);
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(ip6, UDP, 0, 100);
	frame.bytes[ETH] ^= 0x20;
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(ip6, TCP, 0, 0);
	frame.length = l4 + 10;
	is_refused(DROP_BAD_OFFLOAD);
	test_net_end(world.net);
}
END_TEST

START_TEST(headers_of_one_family_that_lie_are_refused)
{
	begin(NETDEV_TX_SG);
	blank_make(false, TCP, 0, 100);
	frame.bytes[ETH] = 0x44;
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(false, TCP, 0, 100);
	put16(frame.bytes + ETH + 6, 0x2000);
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(true, TCP, 8, 100);
	frame.bytes[ETH + 41] = 255; /* an extension header longer than what is looked at */
	is_refused(DROP_BAD_OFFLOAD);
	blank_make(true, TCP, 0, 300);
	frame.bytes[ETH + 6] = 0;
	memset(frame.bytes + ETH + 40, 0, 300); /* extension headers without end */
	is_refused(DROP_BAD_OFFLOAD);
	test_net_end(world.net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, large_frames_are_cut, 0, 6);
	tcase_add_loop_test(cases, blank_checksums_are_filled, 0, 4);
	tcase_add_test(cases, padding_is_not_summed);
	tcase_add_loop_test(cases, what_a_link_can_do_is_left_to_it, 0, 2);
	tcase_add_test(cases, without_scatter_gather_a_frame_is_one_piece);
	tcase_add_loop_test(cases, headers_that_lie_are_refused, 0, 2);
	tcase_add_test(cases, headers_of_one_family_that_lie_are_refused);
}

int main(void)
{
	return unit_main("net/offload_frame", add_cases);
}
