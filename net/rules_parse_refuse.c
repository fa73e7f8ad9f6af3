/* SPDX-License-Identifier: ISC */
/*
 * What pf has and this language has not: each word is named, so that whoever brings a file
 * from pf knows what to write instead. And antispoof, of which little is left to do.
 */
#include "net/rules_parser.h"

struct refusal {
	enum rules_refusals where;
	const char *word;
	const char *why; /* NULL: that it is not supported is all there is to say */
};

static const struct refusal refusals[] = {
	{ RULES_REFUSE_STATEMENT, "anchor", "anchors are not supported: write the rules here" },
	{ RULES_REFUSE_STATEMENT, "load", "anchors are not supported: write the rules here" },
	{ RULES_REFUSE_STATEMENT, "nat-anchor", "anchors are not supported: write the rules here" },
	{ RULES_REFUSE_STATEMENT, "rdr-anchor", "anchors are not supported: write the rules here" },
	{ RULES_REFUSE_STATEMENT, "binat-anchor",
	  "anchors are not supported: write the rules here" },
	{ RULES_REFUSE_STATEMENT, "include", "there are no files to include" },
	{ RULES_REFUSE_STATEMENT, "altq", "queues are not supported" },
	{ RULES_REFUSE_STATEMENT, "queue", "queues are not supported" },
	{ RULES_REFUSE_STATEMENT, "nat", "write: match out on uplink from ... nat-to (uplink)" },
	{ RULES_REFUSE_STATEMENT, "rdr", "write: pass in on uplink ... to ... rdr-to ADDRESS" },
	{ RULES_REFUSE_STATEMENT, "binat", "write: match on uplink from ADDRESS binat-to ADDRESS" },
	{ RULES_REFUSE_STATEMENT, "no", "write: match out ... no nat, or: match in ... no rdr" },
	{ RULES_REFUSE_STATEMENT, "scrub", "write: match in scrub (max-mss N)" },

	{ RULES_REFUSE_SET, "debug", NULL },
	{ RULES_REFUSE_SET, "fingerprints", NULL },
	{ RULES_REFUSE_SET, "hostid", NULL },
	{ RULES_REFUSE_SET, "keepcounters", NULL },
	{ RULES_REFUSE_SET, "loginterface", "every interface has counters: leave out the line" },
	{ RULES_REFUSE_SET, "optimization", "not supported: write set timeout" },
	{ RULES_REFUSE_SET, "reassemble", "fragments are always checked: leave out the line" },
	{ RULES_REFUSE_SET, "require-order", "not supported: any order is right" },
	{ RULES_REFUSE_SET, "ruleset-optimization", "rules are always compiled: leave it out" },
	{ RULES_REFUSE_SET, "state-defaults", NULL },
	{ RULES_REFUSE_SET, "state-policy", NULL },
	{ RULES_REFUSE_SET, "syncookies", NULL },

	{ RULES_REFUSE_CLAUSE, "af-to", "not supported: the versions are not translated" },
	{ RULES_REFUSE_CLAUSE, "allow-opts", NULL },
	{ RULES_REFUSE_CLAUSE, "divert-packet", NULL },
	{ RULES_REFUSE_CLAUSE, "divert-reply", NULL },
	{ RULES_REFUSE_CLAUSE, "divert-to", NULL },
	{ RULES_REFUSE_CLAUSE, "dup-to", NULL },
	{ RULES_REFUSE_CLAUSE, "fragment", "fragments are judged as the whole packet" },
	{ RULES_REFUSE_CLAUSE, "group", "not supported: there are no users" },
	{ RULES_REFUSE_CLAUSE, "least-states", "pools of addresses are not supported" },
	{ RULES_REFUSE_CLAUSE, "max-pkt-rate", NULL },
	{ RULES_REFUSE_CLAUSE, "modulate", "not supported: write keep state" },
	{ RULES_REFUSE_CLAUSE, "once", NULL },
	{ RULES_REFUSE_CLAUSE, "os", "not supported: operating systems are not guessed" },
	{ RULES_REFUSE_CLAUSE, "prio", NULL },
	{ RULES_REFUSE_CLAUSE, "probability", "not supported: equal packets have equal verdicts" },
	{ RULES_REFUSE_CLAUSE, "queue", "queues are not supported" },
	{ RULES_REFUSE_CLAUSE, "random", "pools of addresses are not supported" },
	{ RULES_REFUSE_CLAUSE, "received-on", NULL },
	{ RULES_REFUSE_CLAUSE, "reply-to", NULL },
	{ RULES_REFUSE_CLAUSE, "round-robin", "pools of addresses are not supported" },
	{ RULES_REFUSE_CLAUSE, "route-to", NULL },
	{ RULES_REFUSE_CLAUSE, "rtable", NULL },
	{ RULES_REFUSE_CLAUSE, "set", NULL },
	{ RULES_REFUSE_CLAUSE, "source-hash", "pools of addresses are not supported" },
	{ RULES_REFUSE_CLAUSE, "sticky-address", "pools of addresses are not supported" },
	{ RULES_REFUSE_CLAUSE, "synproxy", "not supported: write keep state" },
	{ RULES_REFUSE_CLAUSE, "tag", NULL },
	{ RULES_REFUSE_CLAUSE, "tagged", NULL },
	{ RULES_REFUSE_CLAUSE, "tos", NULL },
	{ RULES_REFUSE_CLAUSE, "user", "not supported: there are no users" },

	{ RULES_REFUSE_HOST, "(", "an interface is no address: self is all of the firewall" },
	{ RULES_REFUSE_HOST, "no-route", "spoofed addresses are always dropped: leave it out" },
	{ RULES_REFUSE_HOST, "urpf-failed", "spoofed addresses are always dropped: leave it out" },
	{ RULES_REFUSE_HOST, "route", NULL },

	{ RULES_REFUSE_STATE, "adaptive.start", NULL },
	{ RULES_REFUSE_STATE, "adaptive.end", NULL },
	{ RULES_REFUSE_STATE, "floating", NULL },
	{ RULES_REFUSE_STATE, "flush", NULL },
	{ RULES_REFUSE_STATE, "if-bound", NULL },
	{ RULES_REFUSE_STATE, "max-src-conn", NULL },
	{ RULES_REFUSE_STATE, "max-src-conn-rate", NULL },
	{ RULES_REFUSE_STATE, "max-src-nodes", NULL },
	{ RULES_REFUSE_STATE, "no-sync", NULL },
	{ RULES_REFUSE_STATE, "overload", NULL },
	{ RULES_REFUSE_STATE, "pflow", NULL },
	{ RULES_REFUSE_STATE, "sloppy", "not supported: states are always checked in full" },
	{ RULES_REFUSE_STATE, "source-track", NULL },

	{ RULES_REFUSE_SCRUB, "min-ttl", NULL },
	{ RULES_REFUSE_SCRUB, "no-df", NULL },
	{ RULES_REFUSE_SCRUB, "random-id", NULL },
	{ RULES_REFUSE_SCRUB, "reassemble", NULL },
	{ RULES_REFUSE_SCRUB, "set-tos", NULL },
};

int rules_refuse(struct rules_parser *p, const struct rules_token *word, enum rules_refusals where)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];

		if (r->where == where && rules_token_is(word, r->word))
			return rules_fail_at(p, word, "\"%s\": %s", r->word,
					     r->why ? r->why : "not supported");
	}
	return 0;
}

/*
 * "antispoof [ log ] [ quick ] for INTERFACES [ inet | inet6 ]". In pf that is two rules for
 * each interface. The one, against the networks of the interface from elsewhere, holds always
 * and for every interface; the other is against our own addresses, from wherever.
 */
int rules_parse_antispoof(struct rules_parser *p)
{
	int error;

	rules_begin(p);
	p->rule.action = RULES_BLOCK_DROP;
	p->rule.directions = RULES_IN;
	error = rules_advance(p);
	while (!error && (rules_at(p, "log") || rules_at(p, "quick"))) {
		p->rule.log |= rules_at(p, "log");
		p->rule.quick |= rules_at(p, "quick");
		error = rules_advance(p);
	}
	if (!error)
		error = rules_pass_word(p, "for");
	if (!error)
		error = rules_parse_list(p, rules_parse_interface, NULL);
	if (!error && (rules_at(p, "inet") || rules_at(p, "inet6"))) {
		p->rule.version = rules_at(p, "inet") ? 4 : 6;
		error = rules_advance(p);
	}
	p->interface_count = 0;
	p->sources.items[p->sources.count++] = (struct rules_host){ .kind = RULES_HOST_SELF };
	return error ? error : rules_expand(p);
}
