/* SPDX-License-Identifier: ISC */
/* The addresses that a client may use, as the toolstack writes them. */
#pragma once

#include <stdbool.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "net/wire.h"

/*
 * Reads the `ip` node of a vif: addresses with blanks between them, at most one of either
 * version ("10.137.0.10 fd09::a"). 0, or -EINVAL and neither: nothing there, something that
 * is no address of a host, or two of one version. A link-local address is none to give out.
 */
must_check int client_addresses_parse(const char *text, be32 *ip4, bool *has4,
				      struct ip6_address *ip6, bool *has6);
