/* SPDX-License-Identifier: ISC */
#include "net/tcp_isn.h"

void tcp_isn_init(struct tcp_isn *isn, struct random *random)
{
	random_bytes(random, isn, sizeof(*isn));
}

uint32_t tcp_isn_make(const struct tcp_isn *isn, const struct tcp_key *key, uint64_t now_ns)
{
	return (uint32_t)siphash(&isn->sequence, key, sizeof(*key)) +
	       (uint32_t)(now_ns / TCP_ISN_TICK_NS);
}

uint32_t tcp_isn_timestamp_offset(const struct tcp_isn *isn, const struct tcp_key *key)
{
	return (uint32_t)siphash(&isn->timestamp, key, sizeof(*key));
}
