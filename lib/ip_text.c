/* SPDX-License-Identifier: ISC */
#include "lib/ip_text.h"

#include <errno.h>

#include "lib/ip4_text.h"

int ip_text_parse(const char *text, size_t length, struct ip_address *address)
{
	uint8_t bytes[16];
	be32 four;

	if (ip4_text_parse(text, length, &four) == 0)
		*address = ip_address_of4(four);
	else if (ip6_text_parse(text, length, bytes) == 0)
		*address = ip_address_of6(bytes);
	else
		return -EINVAL;
	return 0;
}

char *ip_text_format(const struct ip_address *address, char *to)
{
	return address->version == 4 ? ip4_text_format(ip_address_get4(address), to)
				     : ip6_text_format(address->bytes, to);
}
