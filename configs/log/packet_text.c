/* SPDX-License-Identifier: ISC */
/* What the beginning of a frame tells, in a few words; of any bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "configs/log/log.h"

#define ETHERNET_BYTES 14u
#define TYPE_IP4 0x0800u
#define TYPE_ARP 0x0806u
#define TYPE_IP6 0x86ddu
#define IP4_BYTES 20u
#define IP6_BYTES 40u
#define ICMP 1u
#define TCP 6u
#define UDP 17u
#define ICMP6 58u
#define END_BYTES (INET6_ADDRSTRLEN + 10u)

/* What is left of a packet. */
struct rest {
	const uint8_t *at;
	uint32_t bytes;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* False: so many are not there. */
static bool skip(struct rest *rest, uint32_t bytes)
{
	if (bytes > rest->bytes)
		return false;
	rest->at += bytes;
	rest->bytes -= bytes;
	return true;
}

static void end_write(char *to, int family, const uint8_t *address, const uint8_t *port)
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(family, address, text, sizeof(text));
	if (!port)
		snprintf(to, END_BYTES, "%s", text);
	else
		snprintf(to, END_BYTES, family == AF_INET6 ? "[%s]:%" PRIu32 : "%s:%" PRIu32, text,
			 get16(port));
}

static void flags_write(char *to, uint8_t flags)
{
	static const char letters[] = "FSRPAUEW";

	for (uint32_t i = 0; i < 8; i++)
		if (flags & 1u << i)
			*to++ = letters[i];
	*to = '\0';
}

static void protocol_write(char *to, size_t size, uint8_t protocol)
{
	switch (protocol) {
	case ICMP:
		snprintf(to, size, "icmp");
		break;
	case TCP:
		snprintf(to, size, "tcp");
		break;
	case UDP:
		snprintf(to, size, "udp");
		break;
	case ICMP6:
		snprintf(to, size, "icmp6");
		break;
	default:
		snprintf(to, size, "%u", protocol);
	}
}

/* Both ends and what stands behind the IP header, unless a fragment before has it. */
static void transport_text(int family, const uint8_t *source, const uint8_t *destination,
			   uint8_t protocol, bool later, const struct rest *rest, char *to,
			   size_t size)
{
	bool ports = (protocol == TCP || protocol == UDP) && !later && rest->bytes >= 4;
	bool icmp = (protocol == ICMP || protocol == ICMP6) && !later && rest->bytes >= 2;
	char name[8], from[END_BYTES], there[END_BYTES], more[32] = "", flags[9];

	protocol_write(name, sizeof(name), protocol);
	end_write(from, family, source, ports ? rest->at : NULL);
	end_write(there, family, destination, ports ? rest->at + 2 : NULL);
	if (later) {
		snprintf(more, sizeof(more), " fragment");
	} else if (icmp) {
		snprintf(more, sizeof(more), " type %u code %u", rest->at[0], rest->at[1]);
	} else if (protocol == TCP && rest->bytes >= 14) {
		flags_write(flags, rest->at[13]);
		snprintf(more, sizeof(more), " flags %s", flags);
	}
	snprintf(to, size, "%s %s > %s%s", name, from, there, more);
}

static bool ip4_text(struct rest rest, char *to, size_t size)
{
	const uint8_t *ip = rest.at;
	uint32_t head;

	if (rest.bytes < IP4_BYTES || ip[0] >> 4 != 4)
		return false;
	head = (ip[0] & 15u) * 4;
	if (head < IP4_BYTES)
		return false;
	if (!skip(&rest, head))
		rest.bytes = 0;
	transport_text(AF_INET, ip + 12, ip + 16, ip[9], get16(ip + 6) & 0x1fff, &rest, to, size);
	return true;
}

/* Extension headers are few, and each is at least 8 bytes of those that there are. */
static bool ip6_text(struct rest rest, char *to, size_t size)
{
	const uint8_t *ip = rest.at;
	bool later = false;
	uint8_t next;

	if (!skip(&rest, IP6_BYTES) || ip[0] >> 4 != 6)
		return false;
	next = ip[6];
	while (rest.bytes >= 8 && (next == 0 || next == 43 || next == 44 || next == 60)) {
		const uint8_t *header = rest.at;

		later |= next == 44 && get16(header + 2) >> 3;
		if (!skip(&rest, next == 44 ? 8 : 8 + header[1] * 8u))
			rest.bytes = 0;
		next = header[0];
	}
	transport_text(AF_INET6, ip + 8, ip + 24, next, later, &rest, to, size);
	return true;
}

void packet_text(const uint8_t *frame, uint32_t captured, char *to, size_t size)
{
	struct rest rest = { frame, captured };
	uint32_t type = captured >= ETHERNET_BYTES ? get16(frame + 12) : 0;

	if (!skip(&rest, ETHERNET_BYTES))
		snprintf(to, size, "-");
	else if (type == TYPE_ARP)
		snprintf(to, size, "arp");
	else if (!(type == TYPE_IP4 && ip4_text(rest, to, size)) &&
		 !(type == TYPE_IP6 && ip6_text(rest, to, size)))
		snprintf(to, size, "ethertype 0x%04" PRIx32, type);
}
