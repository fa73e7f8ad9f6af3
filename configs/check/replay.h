/* SPDX-License-Identifier: ISC */
/* What the firewall would do with one packet after another; the parts of `replay`. */
#pragma once

#include "lib/wheel.h"
#include "net/flow.h"
#include "net/fragments.h"
#include "net/rules_internal.h"

#define REPLAY_ADDRESSES 64u
#define REPLAY_PACKETS 1024u /* fragments that are held, at most, and the one at hand */
#define REPLAY_FLOWS 262144u
#define REPLAY_HEAD_BYTES 3072u /* of a packet; the firewall looks at less */

struct replay_prefix {
	struct ip_address address;
	uint8_t bits;
};

struct replay_addresses {
	uint32_t count;
	struct replay_prefix prefixes[REPLAY_ADDRESSES];
};

enum replay_kind {
	REPLAY_PASS,  /* rules said so */
	REPLAY_STATE, /* belongs to what has passed */
	REPLAY_BLOCK, /* a rule said so, or none said pass */
	REPLAY_DROP,  /* for a reason of its own */
	REPLAY_HOLD,  /* a fragment that waits for its first one */
	REPLAY_APART, /* ARP, neighbour discovery, the firewall's own: no rule is asked */
	REPLAY_KINDS,
};

struct replay_outcome {
	enum replay_kind kind;
	enum drop_reason reason;	  /* DROP */
	uint32_t judged;		  /* verdicts, 0 .. 2: in, then out */
	struct rules_verdict verdicts[2]; /* PASS and BLOCK */
	uint32_t since;			  /* STATE: the frame that began it */
	bool known;			  /* info holds at least the addresses */
	bool later;			  /* a later fragment: no ports */
	struct packet_info info;
};

struct replay {
	struct ruleset *rules;
	struct replay_addresses clients, self;
	uint64_t now_ns;
	uint32_t frame; /* number of the one at hand, from 1 */
	struct wheel wheel;
	struct flow_table flows;
	uint32_t *flow_frames; /* by a flow's place: the frame that began it */
	struct fragment_table fragments;
	struct iopage_pool pages;
	struct packet_pool packets;
	uint32_t packet_frames[REPLAY_PACKETS];
	void *memory[5];
	/* A fragment that was held goes on, or is lost with the others. */
	void (*released)(struct replay *replay, uint32_t frame);
	uint64_t counts[REPLAY_KINDS];
};

/* Rules and addresses are set. False: no memory. */
must_check bool replay_init(struct replay *replay);
void replay_end(struct replay *replay);

/*
 * The next frame: `captured` bytes of `length`, Ethernet (or bare IP), at a time that only
 * goes on.
 */
void replay_frame(struct replay *replay, const uint8_t *bytes, uint32_t captured, uint32_t length,
		  bool bare, uint64_t time_ns, struct replay_outcome *outcome);

/* One of the addresses has this one in it. */
bool replay_is_in(const struct replay_addresses *addresses, const struct ip_address *address);

/* The command: words behind `replay`, with the rules; the exit status. */
int replay_run(struct ruleset *rules, const struct replay_addresses *clients,
	       const struct replay_addresses *self, const char *capture);

/* Reads "10.0.0.0/8,fd00::/8". False: it is not that. */
must_check bool replay_addresses_parse(struct replay_addresses *addresses, const char *text);
