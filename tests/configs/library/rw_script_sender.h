/* SPDX-License-Identifier: ISC */
/* For scenarios of a sender: a connection whose handshake took a known time. */
#pragma once

#include "tests/configs/library/rw_script.h"

/* An accepted connection; the peer's SYN has these options, and a round trip takes `rtt_ms`. */
static inline struct script *script_sender(uint8_t version, const char *options,
					   unsigned int rtt_ms)
{
	struct script *s = script_begin(version);

	script_listen(s, 5);
	peer_sends(s, "S 0:0(0) <%s>", options);
	script_skip(s, NULL);
	after_ms(s, rtt_ms);
	peer_sends(s, ". 1:1(0) ack 1");
	script_accept(s);
	return s;
}

/* Sends `bytes`, all of which leave within `ms` (they are paced) and are forgotten. */
static inline void script_sends_in(struct script *s, uint32_t bytes, unsigned int ms)
{
	uint32_t left = 0;

	script_send(s, bytes);
	after_ms(s, ms);
	(void)script_skip(s, &left);
	ck_assert_uint_eq(left, bytes);
}
