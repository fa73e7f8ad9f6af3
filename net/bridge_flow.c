/* SPDX-License-Identifier: ISC */
/* Packets of both IP versions: those of flows cross, others are judged by the rules. */
#include "net/bridge_parts.h"
#include "net/flow_follow.h"
#include "net/judge.h"
#include "net/martian6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/reject.h"

/* ---- new flows ---- */

/* What the rules said on either side. */
struct verdicts {
	struct rules_verdict in, out;
};

static void answer(const struct bridge_crossing *crossing, const struct packet *packet,
		   const struct packet_info *info, const struct rules_verdict *verdict)
{
	struct bridge_filter *filter = crossing->filter;
	const struct ip_address destination = info->key.version == 4
						      ? ip_address_of4(info->key.destination)
						      : ip_address_of6(info->ip6.destination.bytes);

	if (!bucket_take(&filter->answers[crossing->side], filter->now_ns)) {
		filter->answers_suppressed++;
		return;
	}
	reject_by_verdict(&filter->own, crossing->in, packet, info, &destination, verdict);
}

/* What crosses is not changed: a rule that wants that wants what cannot be. */
static bool is_to_be_changed(const struct packet_info *info, const struct rules_verdict *verdict)
{
	return verdict->nat_to || verdict->rdr_to ||
	       (verdict->max_mss && info->tcp_flags & TCP_SYN);
}

/* False: blocked, answered where the rule says so, and consumed. */
static bool judge(const struct bridge_crossing *crossing, enum rules_direction direction,
		  struct packet *packet, const struct packet_info *info,
		  struct rules_verdict *verdict)
{
	bool is_in = direction == RULES_IN;
	const struct netdev *on = is_in ? crossing->in : crossing->out;
	enum bridge_side side = is_in ? crossing->side : bridge_other(crossing->side);
	struct rules_query query = judge_query(info, direction, on->name, bridge_groups[side]);
	struct bridge_filter *filter = crossing->filter;
	const struct judge_log log = { &filter->log, filter->records, filter->now_ns };

	*verdict = judge_ask(filter->rules, &query, packet, &log);
	if (verdict->action == RULES_PASS)
		return !is_to_be_changed(info, verdict) ||
		       bridge_refuse(packet, DROP_NO_TRANSLATION);
	if (verdict->action != RULES_BLOCK_DROP)
		answer(crossing, packet, info, verdict);
	return bridge_refuse(packet, DROP_BLOCKED);
}

/* Neither side can take the other's half of the table. */
static uint32_t quota_of(const struct bridge_filter *filter, uint32_t total)
{
	uint32_t limit = ruleset_options(filter->rules)->limit_states;
	uint32_t quota = (limit && limit < total ? limit : total) / BRIDGE_SIDES;

	return quota ? quota : 1;
}

static bool follow(struct bridge_filter *filter, struct flow *flow, enum flow_direction direction,
		   struct packet *packet, const struct packet_info *info)
{
	enum drop_reason reason;

	if (flow_follow(flow, direction, packet, info, filter->now_ns, &reason))
		return true;
	return bridge_refuse(packet, reason);
}

static bool begin_flow(const struct bridge_crossing *crossing, struct packet *packet,
		       const struct packet_info *info, const struct verdicts *verdicts)
{
	struct bridge_filter *filter = crossing->filter;
	struct flow_tuple reply =
		flow_tuple_reverse(&info->tuple, (uint8_t)bridge_other(crossing->side));
	const struct flow_request request = {
		.original = &info->tuple,
		.reply = &reply,
		.owner = (uint8_t)crossing->side,
		.state = flow_first_state(info),
		.quota = quota_of(filter, filter->flows.total),
		.quota6 = quota_of(filter, filter->flows.total6),
		.limit = { { verdicts->in.limits, verdicts->in.rule },
			   { verdicts->out.limits, verdicts->out.rule } },
	};
	struct flow *flow;
	int error;

	if (!flow_may_begin(info))
		return bridge_refuse(packet, DROP_NO_FLOW);
	error = flow_create(&filter->flows, &request, filter->now_ns, &flow);
	if (error)
		return bridge_refuse(packet, flow_drop_reason(error));
	return follow(filter, flow, FLOW_ORIGINAL, packet, info);
}

/* A packet that no flow claims. */
static bool pass_new(const struct bridge_crossing *crossing, struct packet *packet,
		     const struct packet_info *info)
{
	struct verdicts verdicts;

	if (!judge(crossing, RULES_IN, packet, info, &verdicts.in) ||
	    !judge(crossing, RULES_OUT, packet, info, &verdicts.out))
		return false;
	return !(verdicts.in.keep_state && verdicts.out.keep_state) ||
	       begin_flow(crossing, packet, info, &verdicts);
}

/* ---- errors ---- */

static bool parse_quote(const struct packet *packet, const struct packet_info *info,
			struct quoted_packet *quoted)
{
	return info->key.version == 4 ? parse_quoted(packet, info, quoted)
				      : parse6_quoted(packet, info, quoted);
}

static bool is_for_sender(const struct packet_info *info, const struct quoted_packet *quoted)
{
	return be32_equal(info->key.destination, quoted->answer.key.destination) &&
	       (info->key.version == 4 ||
		ip6_address_equal(&info->ip6.destination, &quoted->answer.ip6.destination));
}

/* An ICMP error passes to who sent the packet that it quotes, in a flow, the other way. */
static bool pass_error(const struct bridge_filter *filter, struct packet *packet,
		       const struct packet_info *info)
{
	struct quoted_packet quoted;
	enum flow_direction direction;

	if (!parse_quote(packet, info, &quoted))
		return bridge_refuse(packet, DROP_BAD_TRANSPORT);
	if (!is_for_sender(info, &quoted) ||
	    !flow_find(&filter->flows, &quoted.answer, flow_hash(&filter->flows, &quoted.answer),
		       &direction))
		return bridge_refuse(packet, DROP_NO_FLOW);
	return true;
}

bool bridge_pass_packet(const struct bridge_crossing *crossing, struct packet *packet,
			struct packet_info *info)
{
	struct bridge_filter *filter = crossing->filter;
	enum flow_direction direction = FLOW_ORIGINAL;
	struct flow *flow;

	if (unlikely(info->kind == PACKET_ICMP_ERROR))
		return pass_error(filter, packet, info);
	info->hash = flow_hash(&filter->flows, &info->tuple);
	flow = flow_find(&filter->flows, &info->tuple, info->hash, &direction);
	if (flow && unlikely(info->key.protocol == IP_PROTOCOL_TCP &&
			     flow_tcp_is_reuse(flow, direction, info))) {
		flow_remove(flow);
		flow = NULL;
	}
	if (likely(flow))
		return follow(filter, flow, direction, packet, info);
	return pass_new(crossing, packet, info);
}
