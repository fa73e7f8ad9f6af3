/* SPDX-License-Identifier: ISC */
#include "net/martian6.h"

#include "lib/compiler.h"

struct prefix {
	uint8_t bytes[IP6_ADDRESS_BYTES];
	uint8_t bits;
};

/* All but multicast, which one byte tells. */
static const struct prefix martians[] = {
	{ { 0 }, 96 },			      /* ::, ::1, ::a.b.c.d */
	{ { [10] = 0xff, [11] = 0xff }, 96 }, /* ::ffff:a.b.c.d */
	{ { 0xfe, 0x80 }, 10 },		      /* link-local */
	{ { 0x20, 0x01, 0x00, 0x10 }, 28 },   /* ORCHID */
};

static bool prefix_holds(const struct prefix *prefix, const uint8_t *bytes)
{
	unsigned int whole = prefix->bits / 8;
	unsigned int rest = prefix->bits % 8;

	for (unsigned int i = 0; i < whole; i++) {
		if (bytes[i] != prefix->bytes[i])
			return false;
	}
	return !rest || (bytes[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

bool ip6_address_is_martian(const struct ip6_address *address)
{
	if (ip6_address_is_multicast(address))
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(martians); i++) {
		if (prefix_holds(&martians[i], address->bytes))
			return true;
	}
	return false;
}

bool ip6_address_is_unspecified(const struct ip6_address *address)
{
	static const struct ip6_address unspecified;

	return ip6_address_equal(address, &unspecified);
}

bool ip6_address_is_link_local(const struct ip6_address *address)
{
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool ip6_address_is_multicast(const struct ip6_address *address)
{
	return address->bytes[0] == 0xff;
}

bool ip6_address_is_one_host(const struct ip6_address *address)
{
	static const struct ip6_address loopback = { { [15] = 1 } };

	return !ip6_address_is_unspecified(address) && !ip6_address_is_multicast(address) &&
	       !ip6_address_equal(address, &loopback);
}
