/* SPDX-License-Identifier: ISC */
/* What is IPv6's own in rewriting: addresses of 16 bytes, and a header without a checksum. */
#include "net/nat_parts.h"

void nat6_set_addresses(struct ip6_header *ip, const struct ip6_address *source,
			const struct ip6_address *destination)
{
	__builtin_memcpy(ip->source, source, sizeof(ip->source));
	__builtin_memcpy(ip->destination, destination, sizeof(ip->destination));
}

static uint16_t sum_of(const void *source, const void *destination)
{
	uint32_t sum = checksum_add(0, source, IP6_ADDRESS_BYTES);

	return checksum_fold(checksum_add(sum, destination, IP6_ADDRESS_BYTES)).raw;
}

uint16_t nat6_delta(const void *source, const void *destination, const void *new_source,
		    const void *new_destination)
{
	uint32_t before = (uint16_t)~sum_of(source, destination);

	return checksum_fold(before + sum_of(new_source, new_destination)).raw;
}

void nat6_rewrite(struct packet *packet, const struct flow_addresses6 *to)
{
	struct ip6_header *ip = ip6_of(packet);

	nat6_set_addresses(ip, &to->destination, &to->source);
	ip->hop_limit--;
}
