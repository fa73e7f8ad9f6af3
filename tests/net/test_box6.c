/* SPDX-License-Identifier: ISC */
#include "tests/net/test_box6.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "net/parse6.h"

struct box6 box;
const uint8_t box_our_mac[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
const uint8_t box_peer_mac[6] = { 0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00 };
const uint8_t box_other_mac[6] = { 0x02, 0, 0, 0, 0, 0x66 };

static _Alignas(IOPAGE_SIZE) uint8_t arena[BOX_PAGES * IOPAGE_SIZE];
static struct iopage descriptors[BOX_PAGES];
static struct packet packets[BOX_PACKETS];
static uint32_t free_at_start[IOPAGE_CLASS_COUNT];

static uint64_t frame_of(const void *page)
{
	return (uint64_t)(uintptr_t)page / IOPAGE_SIZE;
}

static struct packet *own_frame(void *context, struct netdev *netdev, size_t bytes)
{
	struct packet *packet;
	uint8_t *data;

	(void)context;
	(void)netdev;
	if (box.no_memory)
		return NULL;
	packet = packet_alloc_page(&box.packets, IOPAGE_PRIVATE);
	ck_assert_ptr_nonnull(packet);
	data = packet_append(packet, bytes);
	ck_assert_ptr_nonnull(data);
	memset(data, 0, bytes);
	return packet;
}

static void keep(void *context, struct netdev *netdev, struct packet *packet)
{
	struct box_frame *frame = &box.kept[box.sent++ % BOX_KEEPS];

	(void)context;
	ck_assert(packet_is_valid(packet));
	ck_assert_uint_le(packet->length, BOX_FRAME_MAX);
	frame->length = packet->length;
	frame->link = netdev;
	frame->sent_ns = box.now_ns;
	ck_assert_int_eq(packet_copy_out(packet, 0, frame->bytes, packet->length), 0);
	packet_free(packet);
}

static void give_class(enum iopage_class class, uint32_t count)
{
	struct iopage *taken[BOX_PAGES];

	for (uint32_t i = 0; i < count; i++) {
		taken[i] = iopage_alloc(&box.pages, IOPAGE_PRIVATE);
		ck_assert_ptr_nonnull(taken[i]);
		iopage_reclass(taken[i], class);
	}
	for (uint32_t i = 0; i < count; i++)
		iopage_free(taken[i]);
}

void box6_begin(void)
{
	memset(&box, 0, sizeof(box));
	box.now_ns = 5 * BOX_SECOND;
	iopage_pool_init(&box.pages, arena, descriptors, BOX_PAGES, frame_of);
	give_class(IOPAGE_UPLINK_WRITE, 16);
	ck_assert_int_eq(packet_pool_init(&box.packets, &box.pages, packets, BOX_PACKETS), 0);
	memcpy(free_at_start, box.pages.free_count, sizeof(free_at_start));
	wheel_init(&box.wheel, box.now_ns);
	box.own = (struct own){ own_frame, keep, NULL };
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(box.link[i].mac, box_our_mac, 6);
		box.link[i].mtu = 1500;
		box.link[i].up = true;
	}
}

void box6_end(void)
{
	ck_assert_uint_eq(box.packets.free_count, BOX_PACKETS);
	for (unsigned int c = 0; c < IOPAGE_CLASS_COUNT; c++)
		ck_assert_uint_eq(box.pages.free_count[c], free_at_start[c]);
	ck_assert_uint_eq(box.wheel.armed, 0);
}

void box6_advance(uint64_t ns)
{
	uint64_t end = box.now_ns + ns;

	while (box.now_ns < end) {
		uint64_t next = wheel_next_ns(&box.wheel);

		if (next <= box.now_ns)
			next = box.now_ns + (1ull << WHEEL_TICK_SHIFT);
		box.now_ns = next < end ? next : end;
		wheel_run(&box.wheel, box.now_ns, 1000);
	}
}

/* Over the pseudo-header of RFC 8200, 8.1, without extension headers. */
static uint16_t sum_of(const struct box_frame *frame)
{
	uint8_t pseudo[40] = { 0 };

	memcpy(pseudo, frame->bytes + 22, 32);
	put32(pseudo + 32, frame->length - BOX_START);
	pseudo[39] = frame->bytes[20];
	return naive_sum(frame->bytes + BOX_START, frame->length - BOX_START,
			 naive_sum(pseudo, sizeof(pseudo), 0));
}

static void check(const struct box_frame *frame)
{
	ck_assert_uint_ge(frame->length, BOX_START);
	ck_assert_uint_eq(get16(frame->bytes + 12), 0x86dd);
	ck_assert_mem_eq(frame->bytes + 6, box_our_mac, 6);
	ck_assert_uint_eq(frame->bytes[14] >> 4, 6);
	ck_assert_uint_eq(get16(frame->bytes + 18), frame->length - BOX_START);
	if (frame->bytes[20] == 58 || frame->bytes[20] == 6)
		ck_assert_uint_eq(sum_of(frame), 0xffff);
}

const struct box_frame *box6_take(void)
{
	const struct box_frame *frame = &box.kept[box.taken % BOX_KEEPS];

	ck_assert_uint_le(box.sent - box.taken, BOX_KEEPS);
	if (box.taken == box.sent)
		return NULL;
	box.taken++;
	check(frame);
	return frame;
}

void box6_skip(void)
{
	box.taken = box.sent;
}

void box6_expect_bytes(const uint8_t *golden, size_t bytes)
{
	const struct box_frame *frame = box6_take();

	ck_assert_ptr_nonnull(frame);
	ck_assert_uint_eq(frame->length, bytes);
	for (size_t i = 0; i < bytes; i++)
		if (frame->bytes[i] != golden[i])
			ck_abort_msg("byte %zu is %02x and not %02x", i, frame->bytes[i],
				     golden[i]);
}

struct ip6_address box6_address(const char *text)
{
	struct ip6_address address;

	ck_assert_int_eq(inet_pton(AF_INET6, text, &address), 1);
	return address;
}

void box6_frame(struct box_frame *frame, const uint8_t *from_mac, const uint8_t *to_mac,
		const char *from, const char *to, uint8_t protocol)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->bytes, to_mac, 6);
	memcpy(frame->bytes + 6, from_mac, 6);
	put16(frame->bytes + 12, 0x86dd);
	frame->bytes[14] = 0x60;
	frame->bytes[20] = protocol;
	frame->bytes[21] = protocol == 58 ? 255 : 64;
	ck_assert_int_eq(inet_pton(AF_INET6, from, frame->bytes + 22), 1);
	ck_assert_int_eq(inet_pton(AF_INET6, to, frame->bytes + 38), 1);
	frame->length = BOX_START;
}

uint8_t *box6_add(struct box_frame *frame, uint32_t bytes)
{
	uint8_t *at = frame->bytes + frame->length;

	ck_assert_uint_le(frame->length + bytes, BOX_FRAME_MAX);
	memset(at, 0, bytes);
	frame->length += bytes;
	return at;
}

void box6_append(struct box_frame *frame, const void *from, uint32_t bytes)
{
	memcpy(box6_add(frame, bytes), from, bytes);
}

void box6_finish(struct box_frame *frame)
{
	static const uint8_t fields[256] = { [58] = 2, [6] = 16, [17] = 6 };
	uint8_t field = fields[frame->bytes[20]];

	put16(frame->bytes + 18, (uint16_t)(frame->length - BOX_START));
	if (!field || frame->length < BOX_START + field + 2u)
		return;
	put16(frame->bytes + BOX_START + field, 0);
	put16(frame->bytes + BOX_START + field, (uint16_t)~sum_of(frame));
}

struct packet *box6_packet(const struct box_frame *frame, uint32_t head)
{
	struct packet *packet = head <= PACKET_HEAD_BYTES - PACKET_HEADROOM
					? packet_alloc(&box.packets)
					: packet_alloc_page(&box.packets, IOPAGE_PRIVATE);
	uint32_t rest = frame->length - head;

	ck_assert_ptr_nonnull(packet);
	memcpy(packet_append(packet, head), frame->bytes, head);
	if (rest) {
		struct iopage *page = iopage_alloc(&box.pages, IOPAGE_UPLINK_WRITE);

		ck_assert_ptr_nonnull(page);
		memcpy(page->data, frame->bytes + head, rest);
		ck_assert_int_eq(packet_add_frag(packet, page, 0, (uint16_t)rest), 0);
	}
	packet->in = &box.link[0];
	return packet;
}

bool box6_parse(const struct box_frame *frame, struct packet *packet, struct packet_info *info)
{
	uint8_t *data = malloc(frame->length ? frame->length : 1);
	enum drop_reason reason;

	memcpy(data, frame->bytes, frame->length);
	*packet = (struct packet){ .data = data,
				   .length = frame->length,
				   .head_length = (uint16_t)frame->length };
	if (frame->length >= 14 && parse_ip6(packet, 1, info, &reason))
		return true;
	free(data);
	return false;
}
