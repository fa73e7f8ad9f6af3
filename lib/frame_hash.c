/* SPDX-License-Identifier: ISC */
/* The frame layouts are those of RFC 894, RFC 791, 3.1 and RFC 8200, 3. */
#include "lib/frame_hash.h"

#include <string.h>

#define ETHERNET_BYTES 14u
#define TYPE_IP4 0x0800u
#define TYPE_IP6 0x86ddu
#define IP4_BYTES 20u
#define IP6_BYTES 40u
#define IP4_FRAGMENT_BITS 0x3fffu /* more fragments, and the offset */
#define PORTS_BYTES 4u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
/* An odd number without a pattern: 2^64 over the golden ratio. */
#define MULTIPLIER 0x9e3779b97f4a7c15ull

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * MULTIPLIER;
	return sum ^ (sum >> 32);
}

static uint32_t load16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* `offset` is where the transport header begins. */
static uint64_t mix_transport(uint64_t sum, const struct packet *packet, uint32_t offset,
			      uint8_t protocol)
{
	uint32_t ports;

	sum = mix(sum, protocol);
	if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
		return sum;
	if (packet->head_length < offset + PORTS_BYTES)
		return sum;
	memcpy(&ports, packet->data + offset, sizeof(ports));
	return mix(sum, ports);
}

static uint64_t hash_ip4(const struct packet *packet)
{
	const uint8_t *ip = packet->data + ETHERNET_BYTES;
	uint64_t sum;

	if (packet->head_length < ETHERNET_BYTES + IP4_BYTES)
		return 0;
	sum = mix(0, load64(ip + 12));
	if (load16(ip + 6) & IP4_FRAGMENT_BITS)
		return mix(sum, ip[9]);
	return mix_transport(sum, packet, ETHERNET_BYTES + (ip[0] & 15u) * 4u, ip[9]);
}

/* Extension headers, and so fragments, go by what is in the first header. */
static uint64_t hash_ip6(const struct packet *packet)
{
	const uint8_t *ip = packet->data + ETHERNET_BYTES;
	uint64_t sum = 0;

	if (packet->head_length < ETHERNET_BYTES + IP6_BYTES)
		return 0;
	for (uint32_t at = 8; at < IP6_BYTES; at += 8)
		sum = mix(sum, load64(ip + at));
	return mix_transport(sum, packet, ETHERNET_BYTES + IP6_BYTES, ip[6]);
}

uint32_t frame_hash(const struct packet *packet, uint32_t bound)
{
	uint64_t sum = 0;
	uint32_t type;

	if (bound == 1 || packet->head_length < ETHERNET_BYTES)
		return 0;
	type = load16(packet->data + 12);
	if (type == TYPE_IP4)
		sum = hash_ip4(packet);
	else if (type == TYPE_IP6)
		sum = hash_ip6(packet);
	return (uint32_t)((sum & UINT32_MAX) * bound >> 32);
}
