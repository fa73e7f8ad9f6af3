/* SPDX-License-Identifier: ISC */
/* A bounded set of addresses of both versions: sorted, and looked up by halves. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "net/wire.h"

#define ADDRESS_SET_MAX 1024u /* of a version */

struct address_set {
	uint32_t count4, count6;
	uint32_t four[ADDRESS_SET_MAX]; /* in host order */
	struct ip6_address six[ADDRESS_SET_MAX];
};

/*
 * Fills the set with `addresses` instead of what it has; in any order, and more than once is
 * as good as once. 0, or -E2BIG: more than ADDRESS_SET_MAX of a version; nothing has changed.
 */
must_check int address_set_fill(struct address_set *set, const struct ip_address *addresses,
				uint32_t count);

must_check bool address_set_has(const struct address_set *set, const struct ip_address *address);
