/* SPDX-License-Identifier: ISC */
/*
 * Address translation: choosing a flow's second key, and rewriting packets from one
 * key to the other. Checksums change by the precomputed difference (RFC 1624); a
 * payload is never read.
 *
 * A flow is bound to its remote end (RFC 4787 calls mapping and filtering address and
 * port dependent): a firewall lets in nothing but answers.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "net/flow.h"
#include "net/parse.h"

#define NAT_FIRST_PORT 1024u
#define NAT_PROBES 64u /* random ports tried before giving up */

/*
 * The key of answers on `interface` to a flow that leaves there with `address` as its
 * source. The source port (or ICMP identifier) is kept where it is free, else random
 * (RFC 6056, 3.3.2). 0, or -EADDRINUSE: NAT_PROBES ports were taken.
 */
must_check int nat_choose_reply(const struct flow_table *table, struct random *random,
				const struct flow_tuple *original, uint8_t interface, be32 address,
				struct flow_tuple *reply);

/* Computes the differences for a flow whose keys are not mirror images. */
void nat_prepare(struct flow *flow);

/*
 * Rewrites a packet that arrived as flow->key[direction]: addresses, ports, TTL less
 * one, checksums.
 */
void nat_rewrite(struct packet *packet, const struct packet_info *info, const struct flow *flow,
		 enum flow_direction direction);

/* Takes one from the TTL and corrects the header checksum. */
void nat_decrement_ttl(struct packet *packet);

/*
 * The same for an ICMP error that arrived on the side of key[direction] and quotes a
 * packet that had gone the other way: the quoted headers inside out, then the outer
 * ones. Its length does not change.
 */
void nat_rewrite_error(struct packet *packet, const struct quoted_packet *quoted,
		       const struct flow *flow, enum flow_direction direction);
