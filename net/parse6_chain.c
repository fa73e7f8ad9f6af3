/* SPDX-License-Identifier: ISC */
#include "net/parse6_chain.h"

#include "net/wire.h"

#define UNASSIGNED 148u /* this protocol number and those above it */

enum seen {
	SEEN_ANY = 1 << 0,
	SEEN_ROUTING = 1 << 1,
	SEEN_FRAGMENT = 1 << 2,
	SEEN_AUTHENTICATION = 1 << 3,
	SEEN_DESTINATION = 1 << 4,
	SEEN_DESTINATION_TWICE = 1 << 5,
};

struct walk {
	const struct packet *packet;
	uint32_t start;
	uint32_t end;
	uint8_t seen; /* enum seen */
	struct parse6_chain *chain;
	enum drop_reason *reason;
};

static bool refuse(const struct walk *walk, enum drop_reason reason)
{
	*walk->reason = reason;
	return false;
}

static bool is_extension(uint8_t type)
{
	switch (type) {
	case IP6_HOP_BY_HOP:
	case IP6_ROUTING:
	case IP6_FRAGMENT:
	case IP6_AUTHENTICATION:
	case IP6_DESTINATION_OPTIONS:
		return true;
	default:
		return false;
	}
}

/*
 * Extension headers that nothing here reads, protocols of IPv4 alone, and numbers that mean
 * nothing yet: what stands behind cannot be known.
 */
static bool is_unknown(uint8_t protocol)
{
	switch (protocol) {
	case IP_PROTOCOL_ICMP:
	case IP_PROTOCOL_IGMP:
	case IP6_MOBILITY:
	case IP6_HIP:
	case IP6_SHIM6:
		return true;
	default:
		return protocol >= UNASSIGNED;
	}
}

/* `bytes` bytes where the walk stands, or NULL and the reason. */
static const uint8_t *header_at(const struct walk *walk, uint32_t bytes)
{
	const struct parse6_chain *chain = walk->chain;
	const uint8_t *header;

	*walk->reason = parse6_is_first_fragment(&chain->fragment) ? DROP_FRAGMENT_TINY
								   : DROP_IP6_EXTENSION;
	if (chain->transport > walk->end || bytes > walk->end - chain->transport)
		return NULL;
	*walk->reason = DROP_IP6_CHAIN;
	if (chain->transport - walk->start + bytes > PARSE6_CHAIN_BYTES)
		return NULL;
	header = wire_at(walk->packet, chain->transport, bytes);
	return header;
}

/* Notes that a header of `type` is here; false: here it must not be. */
static bool place(struct walk *walk, uint8_t type)
{
	uint8_t before = walk->seen;
	uint8_t now, never;

	switch (type) {
	case IP6_HOP_BY_HOP:
		now = 0;
		never = SEEN_ANY;
		break;
	case IP6_ROUTING:
		now = SEEN_ROUTING;
		never = SEEN_ROUTING | SEEN_FRAGMENT | SEEN_AUTHENTICATION;
		break;
	case IP6_FRAGMENT:
		now = SEEN_FRAGMENT;
		never = SEEN_FRAGMENT | SEEN_AUTHENTICATION;
		break;
	case IP6_AUTHENTICATION:
		now = SEEN_AUTHENTICATION;
		never = SEEN_AUTHENTICATION;
		break;
	default:
		now = before & SEEN_DESTINATION ? SEEN_DESTINATION_TWICE : SEEN_DESTINATION;
		never = SEEN_DESTINATION_TWICE;
		break;
	}
	walk->seen = before | SEEN_ANY | now;
	return !(before & never);
}

/* One hop-by-hop option; those that may be skipped are. */
static bool hop_option(const struct walk *walk, uint8_t type)
{
	if (type == IP6_OPTION_JUMBO)
		return refuse(walk, DROP_IP6_JUMBO);
	if (type & IP6_OPTION_MUST_KNOW)
		return refuse(walk, DROP_IP_OPTIONS);
	if (type == IP6_OPTION_ROUTER_ALERT)
		walk->chain->router_alert = true;
	return true;
}

/* The options of a header of `bytes` bytes; they must end where it ends. */
static bool options_walk(const struct walk *walk, const uint8_t *header, uint32_t bytes, bool hop)
{
	uint32_t at = 2;

	while (at < bytes) {
		uint8_t type = header[at];

		if (type == IP6_OPTION_PAD1) {
			at++;
			continue;
		}
		if (bytes - at < 2 || header[at + 1] > bytes - at - 2)
			return refuse(walk, DROP_IP6_EXTENSION);
		if (hop && !hop_option(walk, type))
			return false;
		at += 2u + header[at + 1];
	}
	return true;
}

static bool fragment_step(struct walk *walk)
{
	struct parse6_chain *chain = walk->chain;
	const uint8_t *bytes = header_at(walk, sizeof(struct ip6_fragment_header));
	struct ip6_fragment_header header;
	uint16_t offset;

	if (!bytes)
		return false;
	__builtin_memcpy(&header, bytes, sizeof(header));
	offset = be16_get(header.offset);
	chain->fragment.header = chain->transport;
	chain->fragment.offset = offset & IP6_OFFSET_MASK;
	chain->fragment.more = offset & IP6_MORE_FRAGMENTS;
	chain->fragment.id = be32_get(header.id);
	chain->protocol = header.next_header;
	chain->transport = (uint16_t)(chain->transport + sizeof(header));
	return true;
}

static bool content_is_good(const struct walk *walk, uint8_t type, const uint8_t *header,
			    uint32_t bytes)
{
	switch (type) {
	case IP6_HOP_BY_HOP:
	case IP6_DESTINATION_OPTIONS:
		return options_walk(walk, header, bytes, type == IP6_HOP_BY_HOP);
	case IP6_ROUTING:
		if (header[2] == IP6_ROUTING_SOURCE_ROUTE || header[3] != 0)
			return refuse(walk, DROP_IP6_ROUTING);
		return true;
	default: /* RFC 4302, 2.2: in IPv6 a multiple of 8, with a sequence number at least */
		walk->chain->authenticated = true;
		return (bytes >= 16 && bytes % IP6_EXTENSION_UNIT == 0) ||
		       refuse(walk, DROP_IP6_EXTENSION);
	}
}

static bool extension_step(struct walk *walk)
{
	struct parse6_chain *chain = walk->chain;
	uint8_t type = chain->protocol;
	const uint8_t *header = header_at(walk, IP6_EXTENSION_UNIT);
	uint32_t bytes;

	if (!header)
		return false;
	if (type == IP6_AUTHENTICATION)
		bytes = (header[1] + 2u) * 4u;
	else
		bytes = (header[1] + 1u) * IP6_EXTENSION_UNIT;
	header = header_at(walk, bytes);
	if (!header || !content_is_good(walk, type, header, bytes))
		return false;
	chain->protocol = header[0];
	chain->transport = (uint16_t)(chain->transport + bytes);
	return true;
}

bool parse6_chain_walk(const struct packet *packet, uint32_t start, uint32_t end,
		       uint8_t next_header, struct parse6_chain *chain, enum drop_reason *reason)
{
	struct walk walk = {
		.packet = packet, .start = start, .end = end, .chain = chain, .reason = reason
	};

	*chain = (struct parse6_chain){ .protocol = next_header, .transport = (uint16_t)start };
	while (is_extension(chain->protocol)) { /* each has one place, or two */
		if (!place(&walk, chain->protocol))
			return refuse(&walk, DROP_IP6_EXTENSION);
		if (chain->protocol == IP6_FRAGMENT ? !fragment_step(&walk)
						    : !extension_step(&walk))
			return false;
		if (parse6_is_later_fragment(&chain->fragment))
			return true;
	}
	return !is_unknown(chain->protocol) || refuse(&walk, DROP_IP6_UNKNOWN);
}
