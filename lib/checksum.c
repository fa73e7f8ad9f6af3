/* SPDX-License-Identifier: ISC */
#include "lib/checksum.h"

static uint32_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	return (uint32_t)sum;
}

static uint16_t fold32(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

uint32_t checksum_add(uint32_t sum, const void *data, size_t bytes)
{
	return fold64(checksum_bytes(sum, data, bytes));
}

uint32_t checksum_add_be16(uint32_t sum, be16 value)
{
	return fold64((uint64_t)sum + value.raw);
}

uint32_t checksum_add_be32(uint32_t sum, be32 value)
{
	return fold64((uint64_t)sum + value.raw);
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

be16 checksum_fold(uint32_t sum)
{
	return (be16){ fold32(sum) };
}

be16 checksum_finish(uint32_t sum)
{
	return (be16){ (uint16_t)~fold32(sum) };
}

/* HC' = ~(~HC + ~m + m') */
be16 checksum_replace_be16(be16 field, be16 from, be16 to)
{
	uint32_t sum = (uint16_t)~field.raw;

	sum += (uint16_t)~from.raw;
	sum += to.raw;
	return checksum_finish(sum);
}

be16 checksum_replace_be32(be16 field, be32 from, be32 to)
{
	uint64_t sum = (uint16_t)~field.raw;

	sum += (uint32_t)~from.raw;
	sum += to.raw;
	return checksum_finish(fold64(sum));
}
