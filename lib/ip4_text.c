/* SPDX-License-Identifier: ISC */
#include "lib/ip4_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int ip4_text_parse_number(const char *text, size_t length, uint32_t limit, uint32_t *number)
{
	uint64_t value = 0;

	if (length == 0 || (length > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > limit)
			return -EINVAL;
	}
	*number = (uint32_t)value;
	return 0;
}

int ip4_text_parse(const char *text, size_t length, be32 *address)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 4; i++) {
		const char *dot = i < 3 ? memchr(text, '.', length) : text + length;
		uint32_t part;
		size_t bytes;

		if (!dot)
			return -EINVAL;
		bytes = (size_t)(dot - text);
		if (ip4_text_parse_number(text, bytes, 255, &part))
			return -EINVAL;
		value = value << 8 | part;
		if (i < 3) {
			text = dot + 1;
			length -= bytes + 1;
		}
	}
	*address = be32_of(value);
	return 0;
}

int ip4_text_parse_prefix(const char *text, size_t length, be32 *address, uint8_t *prefix)
{
	const char *slash = memchr(text, '/', length);
	uint32_t bits = 32;

	if (slash) {
		size_t bytes = (size_t)(slash - text);

		if (ip4_text_parse_number(slash + 1, length - bytes - 1, 32, &bits))
			return -EINVAL;
		length = bytes;
	}
	*prefix = (uint8_t)bits;
	return ip4_text_parse(text, length, address);
}

be32 ip4_mask(uint8_t prefix)
{
	return be32_of(prefix == 0 ? 0 : ~0u << (32 - prefix));
}

char *ip4_text_format(be32 address, char *to)
{
	uint32_t a = be32_get(address);

	snprintf(to, IP4_TEXT_BYTES, "%u.%u.%u.%u", (unsigned int)(a >> 24),
		 (unsigned int)(a >> 16 & 255), (unsigned int)(a >> 8 & 255),
		 (unsigned int)(a & 255));
	return to;
}
