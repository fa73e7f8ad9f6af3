/* SPDX-License-Identifier: ISC */
/*
 * The chain of IPv6 extension headers (RFC 8200 section 4): walked once, with bounds,
 * and stricter than a host would: what stands where it should not, or leads elsewhere, is
 * no packet that a firewall has judged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/packet.h"

#define PARSE6_CHAIN_BYTES 256u /* of all headers; by their places there are at most six */

/* What a fragment header says, in host order. `header` is 0 when there is none. */
struct parse6_fragment {
	uint16_t header; /* offset of the fragment header from data */
	uint16_t offset; /* bytes, a multiple of 8 */
	uint32_t id;
	bool more;
};

struct parse6_chain {
	uint8_t protocol;   /* of what follows the chain; in a later fragment as it claims */
	bool router_alert;  /* RFC 2711 */
	bool authenticated; /* an authentication header covers what follows */
	uint16_t transport; /* offset of what follows from data */
	struct parse6_fragment fragment;
};

/* Part of a packet, and not the whole of it (RFC 6946). */
static inline bool parse6_is_first_fragment(const struct parse6_fragment *fragment)
{
	return fragment->header && fragment->offset == 0 && fragment->more;
}

static inline bool parse6_is_later_fragment(const struct parse6_fragment *fragment)
{
	return fragment->header && fragment->offset != 0;
}

/*
 * Walks the chain that begins at offset `start` with a header of type `next_header`, in
 * a packet whose last byte is before offset `end`. A later fragment's chain ends with
 * its fragment header. False: `*reason`.
 *
 * Refused: hop-by-hop options anywhere but first, other headers more often than RFC 8200
 * 4.1 has them, routing headers of type 0 (RFC 5095) or with segments left (what was
 * judged would not be where it goes), jumbo payload (RFC 2675), hop-by-hop options that who
 * does not know them must not pass on, options that run over, a first fragment
 * without the whole chain (RFC 7112), headers that have no judgeable end.
 */
must_check bool parse6_chain_walk(const struct packet *packet, uint32_t start, uint32_t end,
				  uint8_t next_header, struct parse6_chain *chain,
				  enum drop_reason *reason);
