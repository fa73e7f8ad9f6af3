/* SPDX-License-Identifier: ISC */
/* Links as options name them: NAME@NAMESPACE=ADDRESS[/PREFIX][,ADDRESS6[/PREFIX]][,MAC]. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/netdev.h"
#include "tests/tap/box.h"

struct link_text {
	char name[NETDEV_NAME_BYTES];
	char space[64];
	struct box_address address;
	uint8_t prefix, prefix6;
	uint8_t mac[NETDEV_MAC_BYTES];
	bool has_mac;
	uint16_t mtu; /* 0: what it is */
};

/* Reads a link; changes `text`. NULL, or the part that is wrong. */
const char *link_text_read(char *text, struct link_text *link);

/* Reads addresses alone, separated by commas, into link->address. */
const char *link_text_read_addresses(char *text, struct link_text *link);
