/* SPDX-License-Identifier: ISC */
/*
 * IPv6 prefix translation (RFC 6296): one prefix for another, one address for one
 * address, such that no checksum changes. No state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "net/wire.h"

#define NPTV6_LONGEST 64u /* bits of a prefix */

struct nptv6 {
	struct ip6_address internal;
	struct ip6_address external;
	uint8_t internal_bits;
	uint8_t external_bits;
	uint16_t adjustment; /* a ones' complement sum, as it lies in memory */
};

/*
 * A translation between two prefixes; bits behind them must be 0. The shorter one is
 * used as if it went on with zeros (RFC 6296, 3.3). -EINVAL: longer than NPTV6_LONGEST,
 * or bits behind it.
 */
must_check int nptv6_init(struct nptv6 *nptv6, const struct ip6_address *internal,
			  uint8_t internal_bits, const struct ip6_address *external,
			  uint8_t external_bits);

/*
 * The external address for an internal one, and the reverse. False: `from` has another
 * prefix, or is one that cannot be translated (subnet 0xffff of a /48, section 3.4; an
 * interface identifier of only ones, section 3.5), and the packet must be dropped.
 */
must_check bool nptv6_outward(const struct nptv6 *nptv6, const struct ip6_address *from,
			      struct ip6_address *to);
must_check bool nptv6_inward(const struct nptv6 *nptv6, const struct ip6_address *from,
			     struct ip6_address *to);
