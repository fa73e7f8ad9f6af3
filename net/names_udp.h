/* SPDX-License-Identifier: ISC */
/* Joins the host names to the network: their own queries, and those of clients that pass. */
#pragma once

#include "net/names.h"
#include "net/own_udp.h"

#define NAMES_TAP_BYTES 4096u /* of one message; longer ones are not learnt from */

struct names_udp {
	struct names *names;
	struct own_udp *udp;
	const uint64_t *now_ns;
	uint8_t data[NAMES_TAP_BYTES];
};

/* All live for ever. 0, or -ENOSPC: own_udp has no place. */
must_check int names_udp_init(struct names_udp *tap, struct names *names, struct own_udp *udp,
			      const uint64_t *now_ns);

/* For names_output.send; `tap` is a struct names_udp. */
void names_udp_send(void *tap, const struct names_datagram *datagram);

/*
 * A packet that is being forwarded, after the rules have passed it. `flow` is a number that
 * the packets of its flow have in common and no other flow has at the same time; `server`
 * the far end's address as it really is (after rdr-to, before any translation of the
 * answer). Does nothing but for UDP port 53 of a server of ours while there are names. Does
 * not consume the packet.
 */
void names_udp_forwarded(struct names_udp *tap, uint64_t flow, const struct ip_address *server,
			 const struct packet *packet, const struct packet_info *info);

/* Worth a call of the above? Cheap enough for every packet. */
static inline bool names_udp_cares(const struct names_udp *tap, const struct packet_info *info)
{
	be16 dns = be16_of(DNS_PORT);

	return info->key.protocol == 17 && tap->names->used &&
	       (info->key.destination_port.raw == dns.raw || info->key.source_port.raw == dns.raw);
}
