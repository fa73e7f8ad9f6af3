/* SPDX-License-Identifier: ISC */
/* A block of a SACK option (RFC 2018, 3): for who reads and writes them, on either side. */
#pragma once

#include <stdint.h>

#define TCP_SACK_BLOCKS_MAX 4u /* what the options of one segment can hold */

/* [begin, end) on the circle of sequence numbers; host order. */
struct tcp_sack_block {
	uint32_t begin, end;
};
