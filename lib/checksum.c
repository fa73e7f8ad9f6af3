/* SPDX-License-Identifier: ISC */
#include "lib/checksum.h"

uint32_t checksum_add(uint32_t sum, const void *data, size_t bytes)
{
	return checksum_fold64(checksum_bytes(sum, data, bytes));
}

uint32_t checksum_pseudo_ip4(be32 source, be32 destination, uint8_t protocol, uint16_t length)
{
	uint32_t sum = checksum_add_be32(0, source);

	sum = checksum_add_be32(sum, destination);
	sum = checksum_add_be16(sum, be16_of(protocol));
	return checksum_add_be16(sum, be16_of(length));
}

uint32_t checksum_pseudo_ip6(const uint8_t *source, const uint8_t *destination, uint8_t protocol,
			     uint16_t length)
{
	uint32_t sum = checksum_add(0, source, 16);

	sum = checksum_add(sum, destination, 16);
	sum = checksum_add_be16(sum, be16_of(protocol));
	return checksum_add_be16(sum, be16_of(length));
}
