/* SPDX-License-Identifier: ISC */
/*
 * The whole grid of RFC 9293, 3.10.7: every state, every kind of segment, every place of it in
 * or about the window, every acknowledgement. tcp_grid_table.c says what is to happen, by the
 * steps of the RFC; tcp_grid_test.c does it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Two kinds of SYN-RECEIVED, for 3.10.7.4 tells between them. */
enum grid_state {
	G_CLOSED,
	G_LISTEN,
	G_SYN_SENT,
	G_SYN_RECEIVED, /* after SYN-SENT: both began at once */
	G_SYN_RECEIVED_PASSIVE,
	G_ESTABLISHED,
	G_FIN_WAIT_1,
	G_FIN_WAIT_2,
	G_CLOSE_WAIT,
	G_CLOSING,
	G_LAST_ACK,
	G_TIME_WAIT,
	G_STATES,
	G_SAME = G_STATES, /* in a rule: it stays */
};

enum grid_kind {
	K_NONE, /* no flag at all */
	K_ACK,
	K_DATA,
	K_URGENT_DATA,
	K_DATA_WITHOUT_ACK,
	K_FIN,
	K_FIN_WITHOUT_ACK,
	K_DATA_FIN,
	K_RST,
	K_RST_ACK,
	K_RST_DATA,
	K_SYN,
	K_SYN_ACK,
	K_SYN_DATA,
	K_SYN_FIN,
	K_ALL_FLAGS,
	G_KINDS,
};

/* Where the first sequence number lies. */
enum grid_place {
	P_BEFORE,   /* all of it left of the window, by 100 */
	P_TOUCHING, /* one before RCV.NXT */
	P_EXACT,    /* RCV.NXT */
	P_INSIDE,   /* 10 behind it */
	P_LAST,	    /* the last number of the window */
	P_EDGE,	    /* the first behind it */
	P_BEYOND,
	G_PLACES,
};

enum grid_ack {
	A_TOO_OLD, /* SND.UNA less the largest window, and one */
	A_OLD,	   /* SND.UNA - 1 */
	A_UNA,	   /* a duplicate */
	A_PART,	   /* the data, not the FIN behind it */
	A_ALL,	   /* SND.NXT */
	A_BEYOND,  /* SND.NXT + 1 */
	A_NONE,	   /* without the flag */
	G_ACKS,
};

#define GRID_DATA 4u /* bytes of those kinds that have any */

/* What may be sent; several bits: any of them will do. */
enum grid_answer {
	ANSWER_NOTHING = 1 << 0,
	ANSWER_ACK = 1 << 1,	   /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
	ANSWER_LATER = 1 << 2,	   /* the same, within half a second */
	ANSWER_RESET = 1 << 3,	   /* <SEQ=SEG.ACK><CTL=RST> */
	ANSWER_RESET_ACK = 1 << 4, /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
	ANSWER_SYN_ACK = 1 << 5,   /* <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> */
};

struct grid_case {
	enum grid_state state;
	enum grid_kind kind;
	enum grid_place place;
	enum grid_ack ack;
	uint8_t version;
	bool shut; /* the window is full, and closed */
};

struct grid_result {
	enum grid_state state;
	uint8_t answers;
	uint32_t text;	   /* bytes that the reader gets */
	bool fin;	   /* the peer's is taken */
	bool acknowledged; /* SND.UNA moves to SEG.ACK */
	int error;	   /* of a connection that is over */
	const char *why;   /* the last rule that said something */
};

/* Sequence numbers that a kind takes up, its flags, and the bytes of it. */
uint32_t grid_length(enum grid_kind kind);
uint8_t grid_flags(enum grid_kind kind);
uint32_t grid_text(enum grid_kind kind);

/* Is there such a case? Some acknowledgements are the same in some states. */
bool grid_has(const struct grid_case *c);

/* What the RFCs want. */
struct grid_result grid_expect(const struct grid_case *c);

const char *grid_name(const struct grid_case *c);
