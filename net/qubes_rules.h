/* SPDX-License-Identifier: ISC */
/*
 * The firewall rules of QubesOS, as QubesDB has them (vm-interface in the QubesOS
 * documentation), made into the same rules as pf.conf gives. Every source address, which is
 * a client's, has a list of numbered rules, of which the first that matches decides, and a
 * policy for what none matches. A mistake in the list, or no policy, closes its source: all
 * it sends is blocked. What comes from a source that has no list is blocked too.
 *
 * A rule is "KEY=VALUE KEY=VALUE ...":
 *	action=accept | drop		drop answers ICMP "administratively prohibited"
 *	dst4=ADDRESS[/LEN]		the source must be of that version
 *	dst6=ADDRESS[/LEN]
 *	dsthost=NAME			all its addresses of the source's version, as they are
 *					when a packet comes; while the name is not known, accept
 *					does not match and drop does
 *	proto=tcp | udp | icmp		icmp is ICMPv6 when the source is an IPv6 address
 *	dstports=A | A-B		TCP and UDP unless proto says which
 *	icmptype=0-255
 *	specialtarget=dns		to our DNS servers, port 53; also when the client knows
 *					them by other addresses (router_set_dns())
 *	expire=SECONDS			from then on (since 1970, UTC) the rule does not count
 *	comment=TEXT			to the end of the rule
 */
#pragma once

#include "net/rules.h"

#define QUBES_RULES_SOURCES_MAX 1024u
#define QUBES_RULES_NUMBER_MAX 9999u
#define QUBES_RULES_TEXT_MAX 3071u /* what a value of QubesDB can hold */

/* Which entry of a source is wrong; `number` of one that is no rule. */
#define QUBES_RULES_POLICY UINT32_MAX

struct qubes_rules_error {
	uint32_t number; /* of the rule, or QUBES_RULES_POLICY */
	uint32_t column; /* from 1; 0: not in a text */
	char message[80];
};

struct qubes_rules_source {
	struct ip_address address;
	uint32_t rules;			       /* taken, expired ones too */
	const struct qubes_rules_error *error; /* the first; NULL: the source is not closed */
};

struct qubes_rules;

/* NULL: no memory. */
struct qubes_rules *qubes_rules_new(void);
void qubes_rules_free(struct qubes_rules *rules);

/*
 * Begins the list of a source, instead of the one it may have had. -E2BIG:
 * QUBES_RULES_SOURCES_MAX; -ENOMEM. Then the source is blocked like one without a list.
 */
must_check int qubes_rules_begin(struct qubes_rules *rules, const struct ip_address *source);

/*
 * One rule of the source begun last, in any order; `length` bytes. -EINVAL: it is wrong;
 * -ENOMEM. Either way the source is closed now, so that nobody needs to ask.
 */
int qubes_rules_add(struct qubes_rules *rules, uint32_t number, const char *text, size_t length);

/* "accept" or "drop". -EINVAL, and the source is closed. */
int qubes_rules_policy(struct qubes_rules *rules, const char *text, size_t length);

/* Nothing more comes for the source. -EINVAL: it is closed, now for want of a policy too. */
int qubes_rules_end(struct qubes_rules *rules);

/* A source that is gone. Without effect when it had no list. */
void qubes_rules_remove(struct qubes_rules *rules, const struct ip_address *source);

/*
 * One entry of QubesDB, by its path: /qubes-firewall/ADDRESS/NNNN, .../policy, or
 * /qubes-firewall/ADDRESS, which only says that the list is whole. In any order and of any
 * source; begins a list only where there is none. Any other name under an address closes it.
 * -ENOENT: not below /qubes-firewall/ADDRESS; -EINVAL, -E2BIG, -ENOMEM as above.
 */
int qubes_rules_entry(struct qubes_rules *rules, const char *path, size_t path_length,
		      const char *value, size_t length);

/* Sources that have a list, and the one at `index` of them. */
uint32_t qubes_rules_count(const struct qubes_rules *rules);
struct qubes_rules_source qubes_rules_source(const struct qubes_rules *rules, uint32_t index);

struct qubes_rules_compile {
	/*
	 * What holds beside the lists, in the language of pf.conf (RULES.md); it is read before
	 * them, so its `quick` rules come first. NULL: qubes_rules_base.
	 */
	const char *base;
	size_t base_bytes;
	/*
	 * Our DNS servers, of both versions, by the addresses that queries go to: the `own` of
	 * router_set_dns().
	 */
	const struct ip_address *dns;
	uint32_t dns_count;
	uint64_t now; /* seconds since 1970, UTC */
};

/*
 * What QubesOS has beside the lists: clients do not reach one another, nobody opens a
 * connection to a client, they may ping the firewall and not talk to it otherwise (nor at all
 * from link-local addresses), and what leaves by the uplink has its address. The rest of it is
 * the router's: router_set_dns(), router_set_downstream(), router_attach_client_visible().
 */
extern const char qubes_rules_base[];

/*
 * Makes one rule set of all lists. A list that does not fit any more (RULES_MAX) closes its
 * source. *expiry: when the first of the rules that count now expires, 0 for none; then it is
 * time to compile again. Rules have their number as ruleset_rule_line(), "ADDRESS NNNN",
 * "ADDRESS policy" or "ADDRESS closed" as label. -ENOMEM; -EINVAL, -E2BIG: `base` is wrong, see
 * error.
 */
must_check int qubes_rules_compile(struct qubes_rules *rules, const struct qubes_rules_compile *how,
				   struct ruleset **set, uint64_t *expiry,
				   struct rules_error *error);
