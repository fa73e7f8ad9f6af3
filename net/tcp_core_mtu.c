/* SPDX-License-Identifier: ISC */
/* What a path takes: what routers say of it, and what is found out by trying. */
#include "net/tcp_core_parts.h"

void tcp_mss_change(struct tcp_connection *c, uint16_t mss)
{
	c->mss = mss;
	if (!c->flight)
		return;
	tcp_recovery_set_mss(&c->flight->recovery, mss);
	tcp_cubic_set_mss(&c->flight->cubic, mss);
	tcp_pace(c);
}

/* Large segments may vanish on the way without a word (RFC 4821): try smaller ones. */
void tcp_mtu_suspect(struct tcp_connection *c)
{
	uint16_t least = (uint16_t)(c->end.key.version == 6 ? 1220 - TCP_TIMESTAMP_BYTES
							    : 536 - TCP_TIMESTAMP_BYTES);
	uint16_t mss = c->mss;

	if (c->backoff == 3 && mss > 1200)
		mss = 1200;
	else if (c->backoff == 5 && mss > least)
		mss = least;
	if (mss != c->mss)
		tcp_mss_change(c, mss);
}

/* RFC 5927: only what quotes something that is under way is believed, and no small MTU. */
void tcp_input_problem(struct tcp_stack *stack, const struct tcp_key *key, uint32_t sequence,
		       enum tcp_problem problem, uint16_t mtu, uint64_t now)
{
	const uint16_t least = key->version == 6 ? 1280 : 552;
	struct tcp_end *end = tcp_find(stack, key);
	struct tcp_connection *c;
	uint16_t mss;

	if (!end || end->state == TCP_TIME_WAIT)
		return;
	c = container_of(end, struct tcp_connection, end);
	if (!tcp_between(sequence, c->snd_una, c->snd_nxt) || sequence == c->snd_nxt)
		return;
	stack->now = now;
	if (problem == TCP_PROBLEM_HARD && end->state == TCP_SYN_SENT)
		tcp_connection_end(c, -EHOSTUNREACH);
	if (problem != TCP_PROBLEM_TOO_BIG || !c->flight)
		return;
	mtu = mtu < least ? least : mtu;
	mss = (uint16_t)(mtu - (key->version == 6 ? 60 : 40) -
			 (tcp_has(c, TCP_FLAG_TIMESTAMPS) ? TCP_TIMESTAMP_BYTES : 0));
	if (mss >= c->mss)
		return;
	tcp_mss_change(c, mss);
	/* What is under way was too big, too. */
	(void)!tcp_scoreboard_mark_first_lost(&c->flight->recovery.board, tcp_outstanding(c));
	tcp_output(c, now);
}
