/* SPDX-License-Identifier: ISC */
#include "tests/net/test_frames.h"

#include <string.h>

#include "lib/packet.h"
#include "tests/net/test_frames6.h"

#define ETH 14u
#define L4 34u

uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void put32(uint8_t *p, uint32_t value)
{
	put16(p, (uint16_t)(value >> 16));
	put16(p + 2, (uint16_t)value);
}

uint16_t naive_sum(const uint8_t *p, size_t bytes, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < bytes; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t naive_pseudo(const struct frame *frame)
{
	uint8_t pseudo[12];

	memcpy(pseudo, frame->bytes + 26, 8);
	pseudo[8] = 0;
	pseudo[9] = frame->bytes[23];
	put16(pseudo + 10, (uint16_t)(frame->length - L4));
	return naive_sum(pseudo, sizeof(pseudo), 0);
}

static uint8_t *checksum_field(struct frame *frame)
{
	switch (frame->bytes[23]) {
	case 1:
		return frame->bytes + L4 + 2;
	case 6:
		return frame->bytes + L4 + 16;
	case 17:
		return frame->bytes + L4 + 6;
	default:
		return NULL;
	}
}

void frame_finish(struct frame *frame)
{
	uint8_t *field = checksum_field(frame);
	uint16_t sum;

	put16(frame->bytes + 24, 0);
	put16(frame->bytes + 24, (uint16_t)~naive_sum(frame->bytes + ETH, 20, 0));
	if (!field)
		return;
	put16(field, 0);
	sum = naive_sum(frame->bytes + L4, frame->length - L4,
			frame->bytes[23] == 1 ? 0 : naive_pseudo(frame));
	put16(field, sum == 0xffff && frame->bytes[23] == 17 ? 0xffff : (uint16_t)~sum);
}

void frame_make_blank(struct frame *frame)
{
	put16(checksum_field(frame), naive_pseudo(frame));
	frame->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
}

void frame_ip4(struct frame *frame, const struct ends *ends, uint8_t protocol, uint32_t payload)
{
	uint8_t *ip = frame->bytes + ETH;

	memset(frame, 0, offsetof(struct frame, bytes) + L4);
	frame->length = L4 + payload;
	memcpy(frame->bytes, ends->to_mac, 6);
	memcpy(frame->bytes + 6, ends->from_mac, 6);
	put16(frame->bytes + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + payload));
	put16(ip + 4, 0x1234);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, ends->from);
	put32(ip + 16, ends->to);
	for (uint32_t i = 0; i < payload; i++)
		frame->bytes[L4 + i] = (uint8_t)(i * 7 + payload);
	if (protocol != 1 && protocol != 6 && protocol != 17)
		frame_finish(frame);
}

void frame_udp(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
	       uint32_t payload)
{
	frame_ip4(frame, ends, 17, 8 + payload);
	put16(frame->bytes + L4, from);
	put16(frame->bytes + L4 + 2, to);
	put16(frame->bytes + L4 + 4, (uint16_t)(8 + payload));
	frame_finish(frame);
}

void frame_tcp(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
	       uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint32_t payload)
{
	uint8_t *tcp = frame->bytes + L4;

	frame_ip4(frame, ends, 6, 20 + payload);
	put16(tcp, from);
	put16(tcp + 2, to);
	put32(tcp + 4, sequence);
	put32(tcp + 8, acknowledgement);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65000);
	put16(tcp + 18, 0);
	frame_finish(frame);
}

void frame_syn_scaled(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
		      uint32_t sequence, uint8_t scale)
{
	static const uint8_t nop_and_scale[] = { 1, 3, 3 };
	uint8_t *tcp = frame->bytes + L4;

	frame_tcp(frame, ends, from, to, SYN, sequence, 0, 4);
	memcpy(tcp + 20, nop_and_scale, sizeof(nop_and_scale));
	tcp[23] = scale;
	tcp[12] = 6 << 4;
	frame_finish(frame);
}

void frame_echo(struct frame *frame, const struct ends *ends, bool reply, uint16_t id,
		uint16_t sequence, uint32_t payload)
{
	frame_ip4(frame, ends, 1, 8 + payload);
	frame->bytes[L4] = reply ? 0 : 8;
	frame->bytes[L4 + 1] = 0;
	put16(frame->bytes + L4 + 4, id);
	put16(frame->bytes + L4 + 6, sequence);
	frame_finish(frame);
}

void frame_icmp_error(struct frame *frame, const struct ends *ends, uint8_t type, uint8_t code,
		      const struct frame *about, uint32_t bytes)
{
	frame_ip4(frame, ends, 1, 8 + bytes);
	memset(frame->bytes + L4, 0, 8);
	frame->bytes[L4] = type;
	frame->bytes[L4 + 1] = code;
	memcpy(frame->bytes + L4 + 8, about->bytes + ETH, bytes);
	frame_finish(frame);
}

void frame_arp(struct frame *frame, const uint8_t *from_mac, const uint8_t *to_mac,
	       uint16_t operation, uint32_t sender, uint32_t target)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4 };
	uint8_t *arp = frame->bytes + ETH;

	memset(frame, 0, offsetof(struct frame, bytes) + ETH + 28);
	frame->length = ETH + 28;
	memcpy(frame->bytes, to_mac, 6);
	memcpy(frame->bytes + 6, from_mac, 6);
	put16(frame->bytes + 12, 0x0806);
	memcpy(arp, fixed, sizeof(fixed));
	put16(arp + 6, operation);
	memcpy(arp + 8, from_mac, 6);
	put32(arp + 14, sender);
	if (operation == 2)
		memcpy(arp + 18, to_mac, 6);
	put32(arp + 24, target);
}

static const char *transport_error(const struct frame *frame)
{
	struct frame *writable = (struct frame *)(uintptr_t)frame;
	const uint8_t *field = checksum_field(writable);
	uint32_t start = frame->bytes[23] == 1 ? 0 : naive_pseudo(frame);

	if (!field)
		return NULL;
	if (frame->flags & PACKET_CSUM_BLANK) {
		uint16_t held = get16(field);

		/* 0 and 0xffff are the same number in ones' complement. */
		if (held != start && !(held == 0xffff && start == 0))
			return "the blank checksum is not the pseudo-header's sum";
		return NULL;
	}
	if (frame->bytes[23] == 17 && get16(field) == 0)
		return NULL;
	if (naive_sum(frame->bytes + L4, frame->length - L4, start) != 0xffff)
		return "wrong transport checksum";
	return NULL;
}

const char *frame_header_error(const struct frame *frame)
{
	if (frame->length < ETH)
		return "no Ethernet header";
	if (frame_is_arp(frame))
		return frame->length == ETH + 28 ? NULL : "wrong ARP length";
	if (frame_is6(frame))
		return frame6_header_error(frame);
	if (frame->length < L4 || frame->bytes[ETH] != 0x45)
		return "no IPv4 header";
	if (get16(frame->bytes + 16) != frame->length - ETH)
		return "wrong total length";
	if (naive_sum(frame->bytes + ETH, 20, 0) != 0xffff)
		return "wrong header checksum";
	if (frame->gso_type && !(frame->flags & PACKET_CSUM_BLANK))
		return "segmentation without a blank checksum";
	return NULL;
}

/* Its transport checksum is that of a whole that is not here. */
static bool is_fragment(const struct frame *frame)
{
	if (frame_is6(frame))
		return frame6_is_fragment(frame);
	return get16(frame->bytes + 12) == 0x0800 && get16(frame->bytes + 20) & 0x3fff;
}

const char *frame_error(const struct frame *frame)
{
	const char *error = frame_header_error(frame);

	if (error || frame_is_arp(frame) || is_fragment(frame))
		return error;
	return frame_is6(frame) ? frame6_transport_error(frame) : transport_error(frame);
}

uint32_t frame_source(const struct frame *frame)
{
	return get32(frame->bytes + 26);
}

uint32_t frame_destination(const struct frame *frame)
{
	return get32(frame->bytes + 30);
}

uint16_t frame_source_port(const struct frame *frame)
{
	return get16(frame->bytes + L4 + (frame->bytes[23] == 1 ? 4 : 0));
}

uint16_t frame_destination_port(const struct frame *frame)
{
	return get16(frame->bytes + L4 + 2);
}

uint8_t frame_ttl(const struct frame *frame)
{
	return frame->bytes[22];
}

uint8_t frame_protocol(const struct frame *frame)
{
	return frame->bytes[23];
}

uint8_t frame_tcp_flags(const struct frame *frame)
{
	return frame->bytes[L4 + 13];
}

uint32_t frame_tcp_sequence(const struct frame *frame)
{
	return get32(frame->bytes + L4 + 4);
}

uint32_t frame_tcp_acknowledgement(const struct frame *frame)
{
	return get32(frame->bytes + L4 + 8);
}

uint8_t frame_icmp_type(const struct frame *frame)
{
	return frame->bytes[L4];
}

uint8_t frame_icmp_code(const struct frame *frame)
{
	return frame->bytes[L4 + 1];
}

bool frame_is_arp(const struct frame *frame)
{
	return get16(frame->bytes + 12) == 0x0806;
}
