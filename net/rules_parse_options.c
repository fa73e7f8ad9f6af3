/* SPDX-License-Identifier: ISC */
/* What rules ask to be done (scrub, limits of states), and `set`. */
#include <stdint.h>

#include "lib/compiler.h"
#include "net/rules_parser.h"

#define STATES_MAX 100000000u
#define SECONDS_MAX 31536000u /* a year */

/* `word` NUMBER, at the word. 0 is refused: it would mean no limit. */
static int pass_limit(struct rules_parser *p, uint32_t limit, uint32_t *number)
{
	struct rules_token at;
	int error = rules_advance(p);

	at = p->token;
	if (!error)
		error = rules_pass_number(p, limit, "a number", number);
	if (!error && *number == 0)
		return rules_fail_at(p, &at, "must be at least 1");
	return error;
}

int rules_parse_timeout(struct rules_parser *p, void *to)
{
	static const char *const names[RULES_TIMEOUTS] = {
		[RULES_TCP_FIRST] = "tcp.first",
		[RULES_TCP_OPENING] = "tcp.opening",
		[RULES_TCP_ESTABLISHED] = "tcp.established",
		[RULES_TCP_CLOSING] = "tcp.closing",
		[RULES_TCP_FINWAIT] = "tcp.finwait",
		[RULES_TCP_CLOSED] = "tcp.closed",
		[RULES_UDP_FIRST] = "udp.first",
		[RULES_UDP_SINGLE] = "udp.single",
		[RULES_UDP_MULTIPLE] = "udp.multiple",
		[RULES_ICMP_FIRST] = "icmp.first",
		[RULES_ICMP_ERROR] = "icmp.error",
		[RULES_OTHER_FIRST] = "other.first",
		[RULES_OTHER_SINGLE] = "other.single",
		[RULES_OTHER_MULTIPLE] = "other.multiple",
		[RULES_FRAGMENT] = "frag",
	};
	uint32_t *timeouts = to;

	for (uint32_t i = 0; i < RULES_TIMEOUTS; i++)
		if (rules_at(p, names[i]))
			return pass_limit(p, SECONDS_MAX, &timeouts[i]);
	return rules_expected(p, "a time-out such as tcp.established");
}

/* "( max N, max-src-states N, tcp.established N ... )", at the bracket. */
int rules_parse_state_options(struct rules_parser *p)
{
	struct rules_limits *limits = &p->parameters.limits;
	int error = rules_advance(p);

	p->parameters.has_limits = true;
	while (!error && !rules_at(p, ")")) {
		error = rules_refuse(p, &p->token, RULES_REFUSE_STATE);
		if (error)
			return error;
		if (rules_at(p, "max"))
			error = pass_limit(p, STATES_MAX, &limits->max_states);
		else if (rules_at(p, "max-src-states"))
			error = pass_limit(p, STATES_MAX, &limits->max_source_states);
		else
			error = rules_parse_timeout(p, limits->timeout);
		if (!error && rules_at(p, ","))
			error = rules_advance(p);
	}
	return error ? error : rules_advance(p);
}

/* scrub ( max-mss N ) */
int rules_parse_scrub(struct rules_parser *p)
{
	uint32_t mss = 0;
	int error = rules_pass_word(p, "(");

	if (!error)
		error = rules_refuse(p, &p->token, RULES_REFUSE_SCRUB);
	if (!error && !rules_at(p, "max-mss"))
		return rules_expected(p, "max-mss");
	if (!error)
		error = pass_limit(p, UINT16_MAX, &mss);
	p->parameters.max_mss = (uint16_t)mss;
	return error ? error : rules_pass_word(p, ")");
}

static int set_block_policy(struct rules_parser *p)
{
	if (!rules_at(p, "drop") && !rules_at(p, "return"))
		return rules_expected(p, "drop or return");
	p->block_returns = rules_at(p, "return");
	return rules_advance(p);
}

static int parse_limit(struct rules_parser *p, void *to)
{
	struct rules_options *options = to;

	if (rules_at(p, "states"))
		return pass_limit(p, STATES_MAX, &options->limit_states);
	if (rules_at(p, "frags"))
		return pass_limit(p, STATES_MAX, &options->limit_fragments);
	return rules_expected(p, "states or frags");
}

/* There is no loopback interface: what pf is often told about it holds by itself. */
static int set_skip(struct rules_parser *p)
{
	int error = rules_pass_word(p, "on");

	if (error)
		return error;
	if (!rules_at(p, "lo") && !rules_at(p, "lo0"))
		return rules_fail_at(
			p, &p->token, "set skip is only for lo: write pass quick on %.*s",
			(int)(p->token.length < 24 ? p->token.length : 24), p->token.text);
	return rules_advance(p);
}

int rules_parse_set(struct rules_parser *p)
{
	struct rules_options *options = &p->set->options;
	struct rules_token word;
	int error = rules_advance(p);

	word = p->token;
	if (!error)
		error = rules_refuse(p, &word, RULES_REFUSE_SET);
	if (error)
		return error;
	if (!rules_at(p, "block-policy") && !rules_at(p, "limit") && !rules_at(p, "timeout") &&
	    !rules_at(p, "skip"))
		return rules_expected(p, "block-policy, limit, timeout or skip");
	error = rules_advance(p);
	if (error)
		return error;
	if (rules_token_is(&word, "limit"))
		return rules_parse_list(p, parse_limit, options);
	if (rules_token_is(&word, "timeout"))
		return rules_parse_list(p, rules_parse_timeout, options->timeout);
	return rules_token_is(&word, "skip") ? set_skip(p) : set_block_policy(p);
}
