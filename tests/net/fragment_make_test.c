/* SPDX-License-Identifier: ISC */
/* Cutting one packet: every size and every MTU gives parts that fit and make it whole. */
#include <string.h>

#include "net/fragment_make.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

static struct frame frame, out;
static struct assembly assembly;
static struct test_net *net;
static uint32_t parts, largest;
static uint32_t memory_for; /* parts */

static struct packet *make(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet;

	(void)context;
	(void)netdev;
	ck_assert_uint_le(bytes, OWN_MAX_BYTES);
	if (parts == memory_for)
		return NULL;
	packet = packet_alloc_page(&net->packets, IOPAGE_PRIVATE);
	ck_assert_ptr_nonnull(packet);
	memset(packet_append(packet, bytes), 0, bytes);
	return packet;
}

static void send(void *context, struct netdev *netdev, struct packet *packet)
{
	(void)context;
	ck_assert_uint_le(packet->length, netdev->mtu + 14u);
	ck_assert_ptr_eq(packet->in, &net->client[0].netdev);
	out.length = packet->length;
	out.flags = out.gso_type = 0;
	ck_assert_int_eq(packet_copy_out(packet, 0, out.bytes, packet->length), 0);
	ck_assert_ptr_null(frame_error(&out));
	ck_assert_uint_eq(frame_part_id(&out), frame_part_id(&frame));
	if (parts == 0)
		assembly_begin(&assembly);
	assembly_add(&assembly, &out);
	if (packet->length > largest)
		largest = packet->length;
	parts++;
	packet_free(packet);
}

static const struct own own = { make, send, NULL };

static void setup(void)
{
	net = test_net_begin(RULES_OPEN, 16);
	memory_for = UINT32_MAX;
}

static void teardown(void)
{
	test_net_end(net);
}

static void cut(uint16_t mtu)
{
	struct packet *packet = test_link_packet(&net->client[0], &frame);

	ck_assert_ptr_nonnull(packet);
	packet->l3_offset = 14;
	packet->l4_offset = 34;
	net->uplink.netdev.mtu = mtu;
	parts = largest = 0;
	fragment_make4(&own, &net->uplink.netdev, mtu, packet);
	net->uplink.netdev.mtu = 1500;
}

static void build(uint32_t payload)
{
	struct ends ends = ends_out(0, SERVER_IP);

	frame_udp(&frame, &ends, 5000, 53, payload);
	put16(frame.bytes + 20, 0);
	frame_finish(&frame);
}

START_TEST(parts_fit_and_make_the_whole)
{
	static const uint16_t mtus[] = { 68,   69,   76,   500,	 576,  1279, 1280, 1499,
					 1500, 3999, 4010, 4032, 4050, 4096, 9000, 65535 };

	for (size_t i = 0; i < sizeof(mtus) / sizeof(*mtus); i++)
		for (uint32_t payload = 1; payload < 14000; payload += 1 + payload / 3) {
			uint32_t step = (mtus[i] - 20u) & ~7u;

			build(payload);
			cut(mtus[i]);
			ck_assert_ptr_null(assembly_error(&assembly));
			ck_assert_uint_eq(assembly.whole.length, frame.length);
			ck_assert_mem_eq(assembly.whole.bytes + 34, frame.bytes + 34,
					 frame.length - 34);
			/* Not smaller than need be, while a page can hold them. */
			if (mtus[i] < 4000)
				ck_assert_uint_eq(parts, (payload + 8 + step - 1) / step);
			else
				ck_assert_uint_le(parts, (payload + 8) / 3900 + 1);
		}
}
END_TEST

/* The last part of a datagram stays the last, and no other is. */
START_TEST(a_part_becomes_parts_of_the_same)
{
	struct frame *whole = calloc(1, sizeof(*whole));
	struct assembly *all = calloc(1, sizeof(*all));

	build(5000);
	*whole = frame;
	for (uint32_t offset = 0; offset < 5008; offset += 1200) {
		uint32_t bytes = 5008 - offset < 1200 ? 5008 - offset : 1200;

		frame_part(&frame, whole, offset, bytes, 99);
		cut(500);
		ck_assert_uint_eq(parts, (bytes + 479) / 480);
		ck_assert_uint_eq(frame_part_id(&out), 99);
		ck_assert(offset + bytes == 5008 || assembly.total == 0);
		if (offset == 0)
			*all = assembly;
		else
			memcpy(all->whole.bytes + 34 + offset, assembly.whole.bytes + 34 + offset,
			       bytes);
	}
	ck_assert_uint_eq(assembly.total, 5008);
	ck_assert_mem_eq(all->whole.bytes + 34, whole->bytes + 34, 5008);
	free(all);
	free(whole);
}
END_TEST

START_TEST(what_may_not_be_cut_is_dropped)
{
	build(1000);
	put16(frame.bytes + 20, 0x4000);
	frame_finish(&frame);
	cut(500);
	ck_assert_uint_eq(parts, 0);
	build(1000);
	cut(67);
	ck_assert_uint_eq(parts, 0);
	frame.bytes[14] = 0x60;
	cut(500);
	ck_assert_uint_eq(parts, 0);
	ck_assert_uint_eq(test_net_drops(net, DROP_TOO_BIG), 3);
}
END_TEST

START_TEST(memory_may_run_out)
{
	build(5000);
	memory_for = 2;
	cut(500);
	ck_assert_uint_eq(parts, 2);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_MEMORY), 1);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, parts_fit_and_make_the_whole);
	tcase_add_test(cases, a_part_becomes_parts_of_the_same);
	tcase_add_test(cases, what_may_not_be_cut_is_dropped);
	tcase_add_test(cases, memory_may_run_out);
}

int main(void)
{
	return unit_main("net/fragment_make", add_cases);
}
