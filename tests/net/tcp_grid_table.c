/* SPDX-License-Identifier: ISC */
/*
 * RFC 9293, 3.10.7, as a table: its steps in its order, with what RFC 5961, RFC 1337 and RFC 6191
 * make of them. A rule that matches has its say; of each step the first one does. Where it says
 * `stop` the segment is done with.
 *
 * Where end points of today do something else than the text, and the text would break what
 * works, the rule says so with "but".
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "net/wire.h"
#include "tests/net/tcp_grid.h"

#define BIT(n) (1u << (n))
#define ANY 0xffffffffu

/* States */
#define OPENING (BIT(G_SYN_RECEIVED) | BIT(G_SYN_RECEIVED_PASSIVE))
#define RECEIVING (BIT(G_ESTABLISHED) | BIT(G_FIN_WAIT_1) | BIT(G_FIN_WAIT_2))
#define ENDED (BIT(G_CLOSE_WAIT) | BIT(G_CLOSING) | BIT(G_LAST_ACK)) /* by the peer */
#define SYNCHRONIZED (RECEIVING | ENDED)
#define WAITING BIT(G_TIME_WAIT)
#define BEGUN (OPENING | SYNCHRONIZED | WAITING)

/* Kinds */
#define RST (BIT(K_RST) | BIT(K_RST_ACK) | BIT(K_RST_DATA) | BIT(K_ALL_FLAGS))
#define SYN (BIT(K_SYN) | BIT(K_SYN_ACK) | BIT(K_SYN_DATA) | BIT(K_SYN_FIN))
#define ACK                                                                             \
	(BIT(K_ACK) | BIT(K_DATA) | BIT(K_URGENT_DATA) | BIT(K_FIN) | BIT(K_DATA_FIN) | \
	 BIT(K_RST_ACK) | BIT(K_SYN_ACK) | BIT(K_ALL_FLAGS))
#define TEXT (BIT(K_DATA) | BIT(K_URGENT_DATA) | BIT(K_DATA_FIN))
#define FIN (BIT(K_FIN) | BIT(K_DATA_FIN))

/* Acknowledgements */
#define NEW (BIT(A_PART) | BIT(A_ALL))
#define IN_RANGE (NEW | BIT(A_UNA) | BIT(A_OLD)) /* RFC 5961, 5.2 */

enum window { ANYWHERE, IN, OUT, SHUT }; /* by the four cases of 3.10.7.4, first */

struct rule {
	const char *why;
	uint8_t step;
	uint32_t states, kinds, places, acks;
	enum window window;
	enum grid_state next;
	uint8_t answers; /* 0: nothing is said */
	bool stop, text, fin, acknowledged;
	int error;
};

#define NOTHING ANSWER_NOTHING
#define DROP .answers = ANSWER_NOTHING, .stop = true
#define CHALLENGE .answers = ANSWER_ACK, .stop = true

static const struct rule rules[] = {
	/* ---- 3.10.7.1, CLOSED ---- */
	{ "CLOSED: a reset is dropped", 1, BIT(G_CLOSED), RST, ANY, ANY, .next = G_SAME, DROP },
	{ "CLOSED: with ACK", 1, BIT(G_CLOSED), ACK, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_RESET, .stop = true },
	{ "CLOSED: without ACK", 1, BIT(G_CLOSED), ANY, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_RESET_ACK, .stop = true },

	/* ---- 3.10.7.2, LISTEN ---- */
	{ "LISTEN, first: RST", 1, BIT(G_LISTEN), RST, ANY, ANY, .next = G_SAME, DROP },
	{ "LISTEN, second: ACK", 1, BIT(G_LISTEN), ACK, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_RESET, .stop = true },
	{ "LISTEN, third: SYN; but one that ends at once is a scan", 1, BIT(G_LISTEN),
	  BIT(K_SYN_FIN), ANY, ANY, .next = G_SAME, DROP },
	{ "LISTEN, third: SYN", 1, BIT(G_LISTEN), SYN, ANY, ANY, .next = G_SYN_RECEIVED_PASSIVE,
	  .answers = ANSWER_SYN_ACK, .stop = true },
	{ "LISTEN, fourth: anything else", 1, BIT(G_LISTEN), ANY, ANY, ANY, .next = G_SAME, DROP },

	/* ---- 3.10.7.3, SYN-SENT ---- */
	{ "SYN-SENT, first: ACK of nothing we sent, with RST", 1, BIT(G_SYN_SENT), ACK &RST, ANY,
	  ~BIT(A_ALL), .next = G_SAME, DROP },
	{ "SYN-SENT, first: ACK of nothing we sent", 1, BIT(G_SYN_SENT), ACK, ANY, ~BIT(A_ALL),
	  .next = G_SAME, .answers = ANSWER_RESET, .stop = true },
	{ "SYN-SENT, second: RST with a good ACK", 2, BIT(G_SYN_SENT), ACK &RST, ANY, BIT(A_ALL),
	  .next = G_CLOSED, DROP, .error = -ECONNREFUSED },
	{ "SYN-SENT, second: RST without", 2, BIT(G_SYN_SENT), RST, ANY, ANY, .next = G_SAME,
	  DROP },
	{ "SYN-SENT, fourth: our SYN is acknowledged", 4, BIT(G_SYN_SENT), BIT(K_SYN_ACK), ANY,
	  BIT(A_ALL), .next = G_ESTABLISHED, .answers = ANSWER_ACK, .stop = true,
	  .acknowledged = true },
	{ "SYN-SENT, fourth: both at once", 4, BIT(G_SYN_SENT), SYN, ANY, ANY,
	  .next = G_SYN_RECEIVED, .answers = ANSWER_SYN_ACK, .stop = true },
	{ "SYN-SENT, fifth: neither SYN nor RST", 5, BIT(G_SYN_SENT), ANY, ANY, ANY, .next = G_SAME,
	  DROP },

	/* ---- 3.10.7.4, first: the sequence number ---- */
	{ "SYN-RECEIVED: the peer's SYN again, not acknowledged; but our answer again is better "
	  "than an ACK that it has no use for",
	  1, OPENING, BIT(K_SYN) | BIT(K_SYN_DATA), BIT(P_TOUCHING), ANY, .next = G_SAME,
	  .answers = ANSWER_SYN_ACK, .stop = true },
	{ "SYN-RECEIVED: the SYN+ACK of who began at once (figure 8), whose SYN has been seen", 1,
	  OPENING, BIT(K_SYN_ACK), BIT(P_TOUCHING), BIT(A_ALL), .next = G_ESTABLISHED,
	  .answers = ANSWER_NOTHING | ANSWER_ACK, .stop = true, .acknowledged = true },
	{ "SYN-RECEIVED: the same, of something else", 1, OPENING, BIT(K_SYN_ACK), BIT(P_TOUCHING),
	  ANY, .next = G_SAME, .answers = ANSWER_RESET, .stop = true },
	{ "TIME-WAIT: RST; but RFC 1337, 3 (F1)", 1, WAITING, RST, ANY, ANY, .next = G_SAME, DROP },
	{ "TIME-WAIT: a SYN that is newer begins anew (3.6.1, RFC 6191), at nobody's port here", 1,
	  WAITING, SYN & ~ACK,
	  BIT(P_EXACT) | BIT(P_INSIDE) | BIT(P_LAST) | BIT(P_EDGE) | BIT(P_BEYOND), ANY,
	  .next = G_CLOSED, .answers = ANSWER_RESET_ACK, .stop = true },
	{ "first: a closed window takes acknowledgements all the same; of our FIN", 1,
	  BIT(G_FIN_WAIT_1), TEXT | FIN, BIT(P_EXACT), BIT(A_ALL), SHUT, .next = G_FIN_WAIT_2,
	  .answers = ANSWER_ACK, .stop = true, .acknowledged = true },
	{ "first: a closed window takes acknowledgements all the same", 1, RECEIVING, TEXT | FIN,
	  BIT(P_EXACT), NEW, SHUT, .next = G_SAME, .answers = ANSWER_ACK, .stop = true,
	  .acknowledged = true },
	{ "first: not acceptable, RST", 1, BEGUN, RST, ANY, ANY, OUT, .next = G_SAME, DROP },
	{ "first: not acceptable", 1, BEGUN, ANY, ANY, ANY, OUT, .next = G_SAME, CHALLENGE },

	/* ---- second: RST (RFC 5961, 3.2) ---- */
	{ "second: RST in the window, not at RCV.NXT", 2, OPENING | SYNCHRONIZED, RST,
	  ~BIT(P_EXACT), ANY, .next = G_SAME, CHALLENGE },
	{ "second: RST, passive: back to LISTEN", 2, BIT(G_SYN_RECEIVED_PASSIVE), RST, ANY, ANY,
	  .next = G_LISTEN, DROP },
	{ "second: RST, active: refused", 2, BIT(G_SYN_RECEIVED), RST, ANY, ANY, .next = G_CLOSED,
	  DROP, .error = -ECONNREFUSED },
	{ "second: RST", 2,
	  BIT(G_ESTABLISHED) | BIT(G_FIN_WAIT_1) | BIT(G_FIN_WAIT_2) | BIT(G_CLOSE_WAIT), RST, ANY,
	  ANY, .next = G_CLOSED, DROP, .error = -ECONNRESET },
	{ "second: RST when all has been said", 2, BIT(G_CLOSING) | BIT(G_LAST_ACK), RST, ANY, ANY,
	  .next = G_CLOSED, DROP },

	/* ---- fourth: SYN (RFC 5961, 4.2) ---- */
	{ "fourth: SYN, passive: back to LISTEN", 4, BIT(G_SYN_RECEIVED_PASSIVE), SYN, ANY, ANY,
	  .next = G_LISTEN, DROP },
	{ "fourth: SYN", 4, BEGUN, SYN, ANY, ANY, .next = G_SAME, CHALLENGE },

	/* ---- fifth: ACK ---- */
	{ "fifth: no ACK", 5, BEGUN, ~ACK, ANY, ANY, .next = G_SAME, DROP },
	{ "fifth: SYN-RECEIVED, acknowledged", 5, OPENING, ANY, ANY, BIT(A_ALL),
	  .next = G_ESTABLISHED, .answers = ANSWER_NOTHING, .acknowledged = true },
	{ "fifth: SYN-RECEIVED, not acknowledged", 5, OPENING, ANY, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_RESET, .stop = true },
	{ "fifth: TIME-WAIT: only a FIN may come again; it is acknowledged", 5, WAITING, TEXT | FIN,
	  ANY, ANY, .next = G_SAME, .answers = ANSWER_ACK, .stop = true },
	{ "fifth: TIME-WAIT: an acknowledgement", 5, WAITING, ANY, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_NOTHING | ANSWER_ACK, .stop = true },
	{ "fifth: not of what we sent, or too old (RFC 5961, 5.2)", 5, SYNCHRONIZED, ANY, ANY,
	  ~IN_RANGE, .next = G_SAME, CHALLENGE },
	{ "fifth: FIN-WAIT-1: our FIN is acknowledged", 5, BIT(G_FIN_WAIT_1), ANY, ANY, BIT(A_ALL),
	  .next = G_FIN_WAIT_2, .answers = ANSWER_NOTHING, .acknowledged = true },
	{ "fifth: CLOSING: our FIN is acknowledged", 5, BIT(G_CLOSING), ANY, ANY, BIT(A_ALL),
	  .next = G_TIME_WAIT, .answers = ANSWER_NOTHING | ANSWER_ACK, .stop = true },
	{ "fifth: LAST-ACK: our FIN is acknowledged", 5, BIT(G_LAST_ACK), ANY, ANY, BIT(A_ALL),
	  .next = G_CLOSED, DROP },
	{ "fifth: new", 5, SYNCHRONIZED, ANY, ANY, NEW, .next = G_SAME, .answers = ANSWER_NOTHING,
	  .acknowledged = true },
	{ "fifth: a duplicate", 5, SYNCHRONIZED, ANY, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_NOTHING },

	/* ---- seventh: text ---- */
	{ "seventh: in order", 7, RECEIVING, TEXT, BIT(P_TOUCHING) | BIT(P_EXACT), ANY,
	  .next = G_SAME, .answers = ANSWER_ACK | ANSWER_LATER, .text = true },
	{ "seventh: out of order is told at once (RFC 5681, 4.2)", 7, RECEIVING, TEXT, ANY, ANY,
	  .next = G_SAME, .answers = ANSWER_ACK },
	{ "seventh: behind a FIN it is ignored", 7, ENDED, TEXT, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_NOTHING | ANSWER_ACK },

	/* ---- eighth: FIN ---- */
	{ "eighth: FIN that data is missing before", 8, RECEIVING, FIN, BIT(P_INSIDE) | BIT(P_LAST),
	  ANY, .next = G_SAME, .answers = ANSWER_NOTHING | ANSWER_ACK | ANSWER_LATER,
	  .stop = true },
	{ "eighth: FIN", 8, BIT(G_ESTABLISHED), FIN, ANY, ANY, .next = G_CLOSE_WAIT,
	  .answers = ANSWER_ACK, .stop = true, .fin = true },
	{ "eighth: FIN, ours is not acknowledged", 8, BIT(G_FIN_WAIT_1), FIN, ANY, ANY,
	  .next = G_CLOSING, .answers = ANSWER_ACK, .stop = true, .fin = true },
	{ "eighth: FIN, ours is", 8, BIT(G_FIN_WAIT_2), FIN, ANY, ANY, .next = G_TIME_WAIT,
	  .answers = ANSWER_ACK, .stop = true, .fin = true },
	{ "eighth: a second FIN", 8, ENDED, FIN, ANY, ANY, .next = G_SAME,
	  .answers = ANSWER_NOTHING | ANSWER_ACK, .stop = true },
};

uint8_t grid_flags(enum grid_kind kind)
{
	static const uint8_t flags[G_KINDS] = {
		[K_NONE] = 0,
		[K_ACK] = TCP_ACK,
		[K_DATA] = TCP_ACK | TCP_PSH,
		[K_URGENT_DATA] = TCP_ACK | TCP_URG,
		[K_DATA_WITHOUT_ACK] = TCP_PSH,
		[K_FIN] = TCP_FIN | TCP_ACK,
		[K_FIN_WITHOUT_ACK] = TCP_FIN,
		[K_DATA_FIN] = TCP_FIN | TCP_ACK | TCP_PSH,
		[K_RST] = TCP_RST,
		[K_RST_ACK] = TCP_RST | TCP_ACK,
		[K_RST_DATA] = TCP_RST,
		[K_SYN] = TCP_SYN,
		[K_SYN_ACK] = TCP_SYN | TCP_ACK,
		[K_SYN_DATA] = TCP_SYN,
		[K_SYN_FIN] = TCP_SYN | TCP_FIN,
		[K_ALL_FLAGS] = TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG,
	};

	return flags[kind];
}

uint32_t grid_text(enum grid_kind kind)
{
	return BIT(kind) & (TEXT | BIT(K_DATA_WITHOUT_ACK) | BIT(K_RST_DATA) | BIT(K_SYN_DATA))
		       ? GRID_DATA
		       : 0;
}

uint32_t grid_length(enum grid_kind kind)
{
	uint8_t flags = grid_flags(kind);

	return grid_text(kind) + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
}

/*
 * 3.10.7.4, first: two of its four cases for a window that is closed, and two for one that is not.
 * But a segment that takes up nothing may also lie at the right edge: there a peer is that has
 * filled the window, and whose last segments are lost; its acknowledgements are good, and so is its
 * reset, which is challenged.
 */
static bool is_acceptable(const struct grid_case *c)
{
	/* RFC 5961, 3.2 looks at the sequence number of a reset alone. */
	uint32_t length = BIT(c->kind) & RST ? 0 : grid_length(c->kind);

	if (c->shut)
		return length == 0 && c->place == P_EXACT;
	switch (c->place) {
	case P_BEFORE:
		return false;
	case P_TOUCHING:
		return length > 1;
	case P_EDGE:
		return length == 0;
	case P_BEYOND:
		return false;
	default:
		return true;
	}
}

bool grid_has(const struct grid_case *c)
{
	bool has_ack = BIT(c->kind) & ACK;

	if (has_ack == (c->ack == A_NONE))
		return false;
	if (c->shut && (!(BIT(c->state) & RECEIVING) || c->place == P_INSIDE ||
			c->place == P_LAST || c->place == P_EDGE))
		return false;
	/* Where nothing has been received, every place is the same. */
	if (c->state <= G_SYN_SENT && c->place != P_EXACT && c->place != P_BEFORE)
		return false;
	if (c->state <= G_LISTEN && has_ack && c->ack != A_UNA && c->ack != A_BEYOND)
		return false;
	if (c->ack == A_PART)
		return c->state == G_ESTABLISHED || c->state == G_FIN_WAIT_1 ||
		       c->state == G_CLOSE_WAIT || c->state == G_LAST_ACK;
	/* All has been acknowledged. */
	if (c->ack == A_UNA)
		return c->state != G_FIN_WAIT_2 && c->state != G_TIME_WAIT;
	return true;
}

static bool matches(const struct rule *rule, const struct grid_case *c, enum grid_state state)
{
	return rule->states & BIT(state) && rule->kinds & BIT(c->kind) &&
	       rule->places & BIT(c->place) && rule->acks & BIT(c->ack) &&
	       (rule->window == ANYWHERE || (rule->window == SHUT && c->shut) ||
		rule->window == (is_acceptable(c) ? IN : OUT));
}

struct grid_result grid_expect(const struct grid_case *c)
{
	struct grid_result result = { .state = c->state, .answers = NOTHING };
	uint8_t done = 0;

	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];

		if (rule->step <= done || !matches(rule, c, result.state))
			continue;
		done = rule->step;
		result.why = rule->why;
		if (rule->next != G_SAME)
			result.state = rule->next;
		if (rule->answers)
			result.answers = rule->answers;
		if (rule->text)
			result.text = GRID_DATA - (c->place == P_TOUCHING ? 1 : 0);
		result.fin |= rule->fin;
		result.acknowledged |= rule->acknowledged;
		result.error = rule->error;
		if (rule->stop)
			break;
	}
	return result;
}

const char *grid_name(const struct grid_case *c)
{
	static const char *const states[] = {
		"CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED", "SYN-RECEIVED(passive)",
		"ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",   "CLOSING",
		"LAST-ACK",    "TIME-WAIT"
	};
	static const char *const kinds[] = {
		"no flags",	   "ACK",      "data",	  "urgent data", "data without ACK", "FIN",
		"FIN without ACK", "data+FIN", "RST",	  "RST+ACK",	 "RST+data",	     "SYN",
		"SYN+ACK",	   "SYN+data", "SYN+FIN", "all flags"
	};
	static const char *const places[] = { "before",	    "touching",	      "RCV.NXT", "inside",
					      "last place", "the right edge", "beyond" };
	static const char *const acks[] = { "too old", "old",	 "SND.UNA", "part",
					    "SND.NXT", "beyond", "none" };
	static char name[160];

	snprintf(name, sizeof(name), "%s, %s, sequence %s%s, acknowledgement %s, IPv%u",
		 states[c->state], kinds[c->kind], places[c->place],
		 c->shut ? " of a closed window" : "", acks[c->ack], c->version);
	return name;
}
