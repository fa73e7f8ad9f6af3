/* SPDX-License-Identifier: ISC */
#include "net/address_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int order4(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static int order6(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct ip6_address));
}

int address_set_fill(struct address_set *set, const struct ip_address *addresses, uint32_t count)
{
	uint32_t count4 = 0, count6 = 0;

	for (uint32_t i = 0; i < count; i++) {
		count4 += addresses[i].version == 4;
		count6 += addresses[i].version == 6;
	}
	if (count4 > ADDRESS_SET_MAX || count6 > ADDRESS_SET_MAX)
		return -E2BIG;
	set->count4 = set->count6 = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (addresses[i].version == 4)
			set->four[set->count4++] = be32_get(ip_address_get4(&addresses[i]));
		else if (addresses[i].version == 6)
			memcpy(&set->six[set->count6++], addresses[i].bytes, IP6_ADDRESS_BYTES);
	}
	qsort(set->four, set->count4, sizeof(set->four[0]), order4);
	qsort(set->six, set->count6, sizeof(set->six[0]), order6);
	return 0;
}

bool address_set_has(const struct address_set *set, const struct ip_address *address)
{
	uint32_t four;

	if (address->version == 6)
		return bsearch(address->bytes, set->six, set->count6, sizeof(set->six[0]),
			       order6) != NULL;
	four = be32_get(ip_address_get4(address));
	return bsearch(&four, set->four, set->count4, sizeof(four), order4) != NULL;
}
