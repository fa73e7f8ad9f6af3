/* SPDX-License-Identifier: ISC */
/* Which IPv6 addresses mean something other than one host that can be routed to. */
#pragma once

#include <stdbool.h>

#include "net/wire.h"

/*
 * Never a sender, never forwarded to (RFC 6890 and its registry: what is not a source, a
 * destination or forwardable there): unspecified, loopback, IPv4-mapped and the retired
 * IPv4-compatible addresses, link-local, the retired ORCHIDs (RFC 4843), and multicast. What
 * is for documentation is left to the rules, in IPv4 too: people build test nets of it.
 */
bool ip6_address_is_martian(const struct ip6_address *address);

/* ::, the sender of what has no address yet. */
bool ip6_address_is_unspecified(const struct ip6_address *address);

/* fe80::/10: neighbours talk so; never crosses a router (RFC 4291, 2.5.6). */
bool ip6_address_is_link_local(const struct ip6_address *address);

/* Somebody on a link: not ::, not ::1, not a group. */
bool ip6_address_is_one_host(const struct ip6_address *address);

/* ff00::/8 */
bool ip6_address_is_multicast(const struct ip6_address *address);

static inline bool ip6_address_equal(const struct ip6_address *a, const struct ip6_address *b)
{
	return ((word64_at(a, 0) ^ word64_at(b, 0)) | (word64_at(a, 1) ^ word64_at(b, 1))) == 0;
}
