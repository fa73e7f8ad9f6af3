/* SPDX-License-Identifier: ISC */
#include "tests/net/test_frames6.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/packet.h"

#define ETH 14u
#define L4 54u

struct six six(const char *text)
{
	struct six address;

	if (inet_pton(AF_INET6, text, address.bytes) != 1)
		abort();
	return address;
}

#define NO_NEXT_HEADER 59u /* RFC 8200, 4.7 */

bool six_equal(struct six a, struct six b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

struct six six_link_local(const uint8_t *mac)
{
	struct six address = { { 0xfe, 0x80 } };

	memcpy(address.bytes + 8, mac, 3);
	address.bytes[8] ^= 2;
	address.bytes[11] = 0xff;
	address.bytes[12] = 0xfe;
	memcpy(address.bytes + 13, mac + 3, 3);
	return address;
}

bool frame_is6(const struct frame *frame)
{
	return get16(frame->bytes + 12) == 0x86dd;
}

uint32_t frame6_transport(const struct frame *frame, uint8_t *protocol)
{
	uint32_t at = L4;

	*protocol = frame->bytes[20];
	while (at + 8 <= frame->length &&
	       (*protocol == 0 || *protocol == 43 || *protocol == 44 || *protocol == 60)) {
		uint32_t size = *protocol == 44 ? 8 : 8 * (frame->bytes[at + 1] + 1u);

		/* Made of anything it may lead out of the frame: then there is no transport. */
		if (size > frame->length - at) {
			*protocol = NO_NEXT_HEADER;
			return at;
		}
		*protocol = frame->bytes[at];
		at += size;
	}
	return at;
}

static uint16_t pseudo6(const struct frame *frame)
{
	uint8_t pseudo[40] = { 0 }, protocol;
	uint32_t at = frame6_transport(frame, &protocol);

	memcpy(pseudo, frame->bytes + 22, 32);
	put32(pseudo + 32, frame->length - at);
	pseudo[39] = protocol;
	return naive_sum(pseudo, sizeof(pseudo), 0);
}

static uint8_t *checksum_field(struct frame *frame)
{
	uint8_t protocol;
	uint32_t at = frame6_transport(frame, &protocol);

	if (at + 20 > frame->length && protocol == 6)
		return NULL;
	switch (protocol) {
	case 58:
		return frame->bytes + at + 2;
	case 6:
		return frame->bytes + at + 16;
	case 17:
		return frame->bytes + at + 6;
	default:
		return NULL;
	}
}

void frame6_finish(struct frame *frame)
{
	uint8_t *field, protocol;
	uint32_t at = frame6_transport(frame, &protocol);
	uint16_t sum;

	put16(frame->bytes + 18, (uint16_t)(frame->length - L4));
	field = checksum_field(frame);
	if (!field)
		return;
	put16(field, 0);
	sum = naive_sum(frame->bytes + at, frame->length - at, pseudo6(frame));
	put16(field, sum == 0xffff && protocol == 17 ? 0xffff : (uint16_t)~sum);
}

void frame6_make_blank(struct frame *frame)
{
	put16(checksum_field(frame), pseudo6(frame));
	frame->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
}

void frame6_ip(struct frame *frame, const struct ends6 *ends, uint8_t protocol, uint32_t payload)
{
	memset(frame, 0, offsetof(struct frame, bytes) + L4);
	frame->length = L4 + payload;
	memcpy(frame->bytes, ends->to_mac, 6);
	memcpy(frame->bytes + 6, ends->from_mac, 6);
	put16(frame->bytes + 12, 0x86dd);
	put32(frame->bytes + 14, 0x60012345);
	frame->bytes[20] = protocol;
	frame->bytes[21] = 64;
	memcpy(frame->bytes + 22, &ends->from, 16);
	memcpy(frame->bytes + 38, &ends->to, 16);
	for (uint32_t i = 0; i < payload; i++)
		frame->bytes[L4 + i] = (uint8_t)(i * 7 + payload);
	put16(frame->bytes + 18, (uint16_t)payload);
}

void frame6_udp(struct frame *frame, const struct ends6 *ends, uint16_t from, uint16_t to,
		uint32_t payload)
{
	frame6_ip(frame, ends, 17, 8 + payload);
	put16(frame->bytes + L4, from);
	put16(frame->bytes + L4 + 2, to);
	put16(frame->bytes + L4 + 4, (uint16_t)(8 + payload));
	frame6_finish(frame);
}

void frame6_tcp(struct frame *frame, const struct ends6 *ends, uint16_t from, uint16_t to,
		uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint32_t payload)
{
	uint8_t *tcp = frame->bytes + L4;

	frame6_ip(frame, ends, 6, 20 + payload);
	put16(tcp, from);
	put16(tcp + 2, to);
	put32(tcp + 4, sequence);
	put32(tcp + 8, acknowledgement);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65000);
	put16(tcp + 18, 0);
	frame6_finish(frame);
}

void frame6_echo(struct frame *frame, const struct ends6 *ends, bool reply, uint16_t id,
		 uint16_t sequence, uint32_t payload)
{
	frame6_ip(frame, ends, 58, 8 + payload);
	frame->bytes[L4] = reply ? 129 : 128;
	frame->bytes[L4 + 1] = 0;
	put16(frame->bytes + L4 + 4, id);
	put16(frame->bytes + L4 + 6, sequence);
	frame6_finish(frame);
}

void frame6_error(struct frame *frame, const struct ends6 *ends, uint8_t type, uint8_t code,
		  uint32_t value, const struct frame *about, uint32_t bytes)
{
	frame6_ip(frame, ends, 58, 8 + bytes);
	frame->bytes[L4] = type;
	frame->bytes[L4 + 1] = code;
	put32(frame->bytes + L4 + 4, value);
	memcpy(frame->bytes + L4 + 8, about->bytes + ETH, bytes);
	frame6_finish(frame);
}

void frame6_neighbour(struct frame *frame, const struct ends6 *ends, uint8_t type, uint8_t flags,
		      struct six target)
{
	static const struct six nobody;
	bool probe = type == 135 && six_equal(ends->from, nobody);

	frame6_ip(frame, ends, 58, probe ? 24 : 32);
	memset(frame->bytes + L4, 0, probe ? 24 : 32);
	frame->bytes[21] = 255;
	frame->bytes[L4] = type;
	frame->bytes[L4 + 4] = flags;
	memcpy(frame->bytes + L4 + 8, &target, 16);
	if (!probe) {
		frame->bytes[L4 + 24] = type == 135 ? 1 : 2;
		frame->bytes[L4 + 25] = 1;
		memcpy(frame->bytes + L4 + 26, ends->from_mac, 6);
	}
	frame6_finish(frame);
}

void frame6_router(struct frame *frame, const struct ends6 *ends, uint8_t type)
{
	frame6_ip(frame, ends, 58, type == 133 ? 8 : 16);
	memset(frame->bytes + L4, 0, 16);
	frame->bytes[21] = 255;
	frame->bytes[L4] = type;
	if (type == 134)
		put16(frame->bytes + L4 + 6, 1800);
	frame6_finish(frame);
}

void frame6_extend(struct frame *frame, uint8_t type, uint32_t size)
{
	uint8_t *at = frame->bytes + L4;

	memmove(at + size, at, frame->length - L4);
	memset(at, 0, size);
	at[0] = frame->bytes[20];
	if (type != 44) {
		at[1] = (uint8_t)(size / 8 - 1);
		at[2] = type == 43 ? 4 : 1; /* PadN, or a routing type that is done */
		at[3] = type == 43 ? 0 : (uint8_t)(size - 4);
	}
	frame->bytes[20] = type;
	frame->length += size;
	put16(frame->bytes + 18, (uint16_t)(frame->length - L4));
}

const char *frame6_header_error(const struct frame *frame)
{
	if (frame->length < L4 || frame->bytes[ETH] >> 4 != 6)
		return "no IPv6 header";
	if (get16(frame->bytes + 18) != frame->length - L4)
		return "wrong payload length";
	if (frame->gso_type && !(frame->flags & PACKET_CSUM_BLANK))
		return "segmentation without a blank checksum";
	return NULL;
}

bool frame6_is_fragment(const struct frame *frame)
{
	uint8_t protocol = frame->bytes[20];
	uint32_t at = L4;

	while (at + 8 <= frame->length && (protocol == 0 || protocol == 43 || protocol == 60)) {
		uint32_t size = 8 * (frame->bytes[at + 1] + 1u);

		protocol = frame->bytes[at];
		at += size;
	}
	return protocol == 44 && at + 8 <= frame->length && get16(frame->bytes + at + 2) != 0;
}

const char *frame6_transport_error(const struct frame *frame)
{
	struct frame *writable = (struct frame *)(uintptr_t)frame;
	const uint8_t *field = checksum_field(writable);
	uint16_t start = pseudo6(frame);
	uint8_t protocol;
	uint32_t at = frame6_transport(frame, &protocol);

	if (!field)
		return NULL;
	if (frame->flags & PACKET_CSUM_BLANK) {
		uint16_t held = get16(field);

		if (held != start && !(held == 0xffff && start == 0))
			return "the blank checksum is not the pseudo-header's sum";
		return NULL;
	}
	if (protocol == 17 && get16(field) == 0)
		return "no checksum in IPv6";
	if (naive_sum(frame->bytes + at, frame->length - at, start) != 0xffff)
		return "wrong transport checksum";
	return NULL;
}

struct six frame6_source(const struct frame *frame)
{
	struct six address;

	memcpy(&address, frame->bytes + 22, sizeof(address));
	return address;
}

struct six frame6_destination(const struct frame *frame)
{
	struct six address;

	memcpy(&address, frame->bytes + 38, sizeof(address));
	return address;
}

uint8_t frame6_hop_limit(const struct frame *frame)
{
	return frame->bytes[21];
}

uint16_t frame6_source_port(const struct frame *frame)
{
	uint8_t protocol;
	uint32_t at = frame6_transport(frame, &protocol);

	return get16(frame->bytes + at + (protocol == 58 ? 4 : 0));
}

uint16_t frame6_destination_port(const struct frame *frame)
{
	uint8_t protocol;

	return get16(frame->bytes + frame6_transport(frame, &protocol) + 2);
}

uint8_t frame6_icmp_type(const struct frame *frame)
{
	uint8_t protocol;

	return frame->bytes[frame6_transport(frame, &protocol)];
}

uint8_t frame6_icmp_code(const struct frame *frame)
{
	uint8_t protocol;

	return frame->bytes[frame6_transport(frame, &protocol) + 1];
}

/* ---- parts ---- */

static uint32_t payload_at(const struct frame *frame)
{
	return frame_is6(frame) ? L4 : 34;
}

static void part4(struct frame *part, uint32_t offset, bool more, uint32_t id)
{
	put16(part->bytes + 16, (uint16_t)(part->length - ETH));
	put16(part->bytes + 18, (uint16_t)id);
	put16(part->bytes + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
	put16(part->bytes + 24, 0);
	put16(part->bytes + 24, (uint16_t)~naive_sum(part->bytes + ETH, 20, 0));
}

static void part6(struct frame *part, uint32_t offset, bool more, uint32_t id)
{
	frame6_extend(part, 44, 8);
	put16(part->bytes + L4 + 2, (uint16_t)(offset | more));
	put32(part->bytes + L4 + 4, id);
}

void frame_part(struct frame *part, const struct frame *whole, uint32_t offset, uint32_t bytes,
		uint32_t id)
{
	uint32_t at = payload_at(whole);
	bool more = offset + bytes < whole->length - at;

	memcpy(part, whole, offsetof(struct frame, bytes) + at);
	memcpy(part->bytes + at, whole->bytes + at + offset, bytes);
	part->length = at + bytes;
	if (frame_is6(whole))
		part6(part, offset, more, id);
	else
		part4(part, offset, more, id);
}

uint32_t frame_part_offset(const struct frame *part)
{
	if (frame_is6(part))
		return get16(part->bytes + L4 + 2) & 0xfff8u;
	return (get16(part->bytes + 20) & 0x1fffu) * 8;
}

uint32_t frame_part_id(const struct frame *part)
{
	return frame_is6(part) ? get32(part->bytes + L4 + 4) : get16(part->bytes + 18);
}

void assembly_begin(struct assembly *assembly)
{
	assembly->have = assembly->total = 0;
	memset(&assembly->whole, 0, offsetof(struct frame, bytes) + L4);
}

void assembly_add(struct assembly *assembly, const struct frame *part)
{
	uint32_t offset = frame_part_offset(part), at = payload_at(part);
	uint32_t from = frame_is6(part) ? at + 8 : at, bytes = part->length - from;
	bool more = frame_is6(part) ? part->bytes[L4 + 3] & 1 : part->bytes[20] & 0x20;

	if (offset == 0) {
		memcpy(assembly->whole.bytes, part->bytes, at);
		if (frame_is6(part))
			assembly->whole.bytes[20] = part->bytes[L4];
	}
	memcpy(assembly->whole.bytes + at + offset, part->bytes + from, bytes);
	assembly->have += bytes;
	if (!more) {
		assembly->total = offset + bytes;
		assembly->whole.length = at + offset + bytes;
	}
}

const char *assembly_error(struct assembly *assembly)
{
	struct frame *whole = &assembly->whole;

	if (!assembly->total || assembly->have != assembly->total)
		return "something is missing";
	if (frame_is6(whole))
		put16(whole->bytes + 18, (uint16_t)(whole->length - L4));
	else
		part4(whole, 0, false, get16(whole->bytes + 18));
	return frame_error(whole);
}
