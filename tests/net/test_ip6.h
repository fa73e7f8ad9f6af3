/* SPDX-License-Identifier: ISC */
/*
 * Builds one IPv6 packet header by header and parses it, from memory of exactly its
 * head's length. State of its own for each program that includes it.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "net/parse6.h"

#define START 54u /* Ethernet and IPv6 headers */
#define INTERFACE 7u

static uint8_t bytes[2048];
static uint32_t length;
static uint32_t next_at; /* where the next header's type belongs */

static struct packet packet;
static struct packet_info info;
static enum drop_reason reason;

static inline void put16(uint32_t at, uint32_t value)
{
	bytes[at] = (uint8_t)(value >> 8);
	bytes[at + 1] = (uint8_t)value;
}

static inline void begin(void)
{
	memset(bytes, 0, sizeof(bytes));
	put16(12, ETHERTYPE_IP6);
	bytes[14] = 0x6a;
	bytes[15] = 0xb1; /* class 0xab, label 0x12345 */
	put16(16, 0x2345);
	bytes[20] = IP6_NO_NEXT_HEADER;
	bytes[21] = 64;
	bytes[22] = 0xfd;
	bytes[37] = 1;
	bytes[38] = 0xfd;
	bytes[53] = 2;
	length = START;
	next_at = 20;
}

/* Appends a header of `size` zero bytes; returns it. */
static inline uint8_t *add(uint8_t type, uint32_t size)
{
	uint8_t *header = bytes + length;

	bytes[next_at] = type;
	next_at = length;
	length += size;
	return header;
}

static inline uint8_t *add_extension(uint8_t type, uint32_t size)
{
	uint8_t *header = add(type, size);

	header[0] = IP6_NO_NEXT_HEADER;
	if (type == IP6_AUTHENTICATION)
		header[1] = (uint8_t)(size / 4 - 2);
	else if (type != IP6_FRAGMENT)
		header[1] = (uint8_t)(size / 8 - 1);
	if (type == IP6_ROUTING)
		header[2] = 2;
	return header;
}

static inline void add_fragment(uint32_t offset, bool more)
{
	uint8_t *header = add_extension(IP6_FRAGMENT, 8);

	put16((uint32_t)(header - bytes) + 2, offset | more);
	put16((uint32_t)(header - bytes) + 6, 0xbeef);
}

static inline void add_tcp(uint32_t payload)
{
	uint8_t *tcp = add(IP_PROTOCOL_TCP, 20 + payload);

	tcp[1] = 9;
	tcp[3] = 80;
	tcp[7] = 5;
	tcp[11] = 6;
	tcp[12] = 0x50;
	tcp[13] = TCP_ACK;
	tcp[15] = 77;
}

static inline void add_udp(uint32_t payload)
{
	uint8_t *udp = add(IP_PROTOCOL_UDP, 8 + payload);

	udp[1] = 9;
	udp[3] = 53;
	put16((uint32_t)(udp - bytes) + 4, 8 + payload);
}

static inline void add_icmp(uint8_t type, uint32_t payload)
{
	uint8_t *icmp = add(IP_PROTOCOL_ICMP6, 8 + payload);

	icmp[0] = type;
	icmp[5] = 42;
}

/* Parses what was built, its first `head` bytes being all that can be read. */
static inline bool parse_head(uint32_t head, uint8_t flags, uint8_t gso_type, uint16_t gso_size)
{
	uint8_t *data = malloc(head ? head : 1);
	bool good;

	memcpy(data, bytes, head);
	packet = (struct packet){ .data = data,
				  .length = length,
				  .head_length = (uint16_t)head,
				  .flags = flags,
				  .gso_type = gso_type,
				  .gso_size = gso_size };
	reason = DROP_REASON_COUNT;
	good = parse_ip6(&packet, INTERFACE, &info, &reason);
	if (good)
		memcpy(bytes, data, packet.head_length);
	free(data);
	return good;
}

static inline bool parse(void)
{
	put16(18, length - START);
	return parse_head(length, 0, 0, 0);
}

static inline void add_quote(bool later)
{
	uint32_t start;

	add_icmp(ICMP6_TIME_EXCEEDED, 0);
	start = length;
	memcpy(bytes + start, bytes + 14, 40);
	bytes[start + 23] = 3;
	length += 40;
	next_at = start + 6;
	add_extension(IP6_DESTINATION_OPTIONS, 8);
	add_fragment(later ? 8 : 0, true);
	add_udp(0);
}
