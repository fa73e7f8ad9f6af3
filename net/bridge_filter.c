/* SPDX-License-Identifier: ISC */
#include "net/bridge_filter.h"

#include <inttypes.h>
#include <string.h>

#include "net/counters.h"
#include "net/flow_follow.h"
#include "net/icmp4.h"
#include "net/judge.h"
#include "net/parse.h"
#include "net/reject.h"

#define TIMER_BUDGET 256u
/* Resets and ICMP errors to one side: RFC 1812, 4.3.2.8 */
#define ANSWERS_PER_SECOND 200u
#define ANSWERS_BURST 50u

/* One vector's way through the filter. */
struct crossing {
	struct bridge_filter *filter;
	enum bridge_side side; /* that it comes from */
	struct netdev *in;
	const struct netdev *out;
};

static const char *const groups[BRIDGE_SIDES] = {
	[BRIDGE_UPLINK] = "uplink", [BRIDGE_CLIENTS] = "clients"
};

static enum bridge_side other(enum bridge_side side)
{
	return side == BRIDGE_UPLINK ? BRIDGE_CLIENTS : BRIDGE_UPLINK;
}

static bool refuse(struct packet *packet, enum drop_reason reason)
{
	packet_drop(packet, reason);
	return false;
}

/* ---- new flows ---- */

static void answer(const struct crossing *crossing, const struct packet *packet,
		   const struct packet_info *info, const struct rules_verdict *verdict)
{
	struct bridge_filter *filter = crossing->filter;
	const struct ip_address destination = ip_address_of4(info->key.destination);

	if (!bucket_take(&filter->answers[crossing->side], filter->now_ns)) {
		filter->answers_suppressed++;
		return;
	}
	reject_by_verdict(&filter->own, crossing->in, packet, info, &destination, verdict);
}

/* False: blocked, answered where the rule says so, and consumed. */
static bool judge(const struct crossing *crossing, enum rules_direction direction,
		  struct packet *packet, const struct packet_info *info, bool *keep_state)
{
	bool is_in = direction == RULES_IN;
	const struct netdev *on = is_in ? crossing->in : crossing->out;
	enum bridge_side side = is_in ? crossing->side : other(crossing->side);
	struct rules_query query = judge_query(info, direction, on->name, groups[side]);
	struct bridge_filter *filter = crossing->filter;
	const struct judge_log log = { &filter->log, filter->records, filter->now_ns };
	struct rules_verdict verdict = judge_ask(filter->rules, &query, packet, &log);

	*keep_state = *keep_state && verdict.keep_state;
	if (verdict.action == RULES_PASS)
		return true;
	if (verdict.action != RULES_BLOCK_DROP)
		answer(crossing, packet, info, &verdict);
	return refuse(packet, DROP_BLOCKED);
}

/* Neither side can take the other's half of the table. */
static uint32_t quota_of(const struct flow_table *table)
{
	uint32_t quota = table->total / BRIDGE_SIDES;

	return quota ? quota : 1;
}

static bool follow(struct bridge_filter *filter, struct flow *flow, enum flow_direction direction,
		   struct packet *packet, const struct packet_info *info)
{
	enum drop_reason reason;

	if (flow_follow(flow, direction, packet, info, filter->now_ns, &reason))
		return true;
	return refuse(packet, reason);
}

/* A packet that no flow claims. */
static bool pass_new(const struct crossing *crossing, struct packet *packet,
		     const struct packet_info *info)
{
	struct bridge_filter *filter = crossing->filter;
	struct flow_tuple reply = flow_tuple_reverse(&info->tuple, (uint8_t)other(crossing->side));
	const struct flow_request request = {
		.original = &info->tuple,
		.reply = &reply,
		.owner = (uint8_t)crossing->side,
		.state = flow_first_state(info),
		.quota = quota_of(&filter->flows),
	};
	bool keep_state = true;
	struct flow *flow;
	int error;

	if (!judge(crossing, RULES_IN, packet, info, &keep_state) ||
	    !judge(crossing, RULES_OUT, packet, info, &keep_state))
		return false;
	if (!keep_state)
		return true;
	if (!flow_may_begin(info))
		return refuse(packet, DROP_NO_FLOW);
	error = flow_create(&filter->flows, &request, filter->now_ns, &flow);
	if (error)
		return refuse(packet, flow_drop_reason(error));
	return follow(filter, flow, FLOW_ORIGINAL, packet, info);
}

/* ---- IPv4 ---- */

/* An ICMP error passes when the packet that it quotes went the other way in a flow. */
static bool pass_error(const struct bridge_filter *filter, struct packet *packet,
		       const struct packet_info *info)
{
	struct quoted_packet quoted;
	enum flow_direction direction;

	if (!parse_quoted(packet, info, &quoted))
		return refuse(packet, DROP_BAD_TRANSPORT);
	if (!be32_equal(info->key.destination, quoted.answer.key.destination) ||
	    !flow_find(&filter->flows, &quoted.answer, flow_hash(&filter->flows, &quoted.answer),
		       &direction))
		return refuse(packet, DROP_NO_FLOW);
	return true;
}

static bool pass_ip4(const struct crossing *crossing, struct packet *packet)
{
	struct bridge_filter *filter = crossing->filter;
	enum flow_direction direction = FLOW_ORIGINAL;
	struct packet_info info;
	enum drop_reason reason;
	struct flow *flow;

	if (!parse_ip4(packet, (uint8_t)crossing->side, &info, &reason))
		return refuse(packet, reason);
	if (unlikely(packet_is_fragment(&info)))
		return refuse(packet, DROP_FRAGMENT);
	if (unlikely(info.kind == PACKET_ICMP_ERROR))
		return pass_error(filter, packet, &info);
	info.hash = flow_hash(&filter->flows, &info.tuple);
	flow = flow_find(&filter->flows, &info.tuple, info.hash, &direction);
	if (flow && unlikely(info.key.protocol == IP_PROTOCOL_TCP &&
			     flow_tcp_is_reuse(flow, direction, &info))) {
		flow_remove(flow);
		flow = NULL;
	}
	if (likely(flow))
		return follow(filter, flow, direction, packet, &info);
	return pass_new(crossing, packet, &info);
}

/* ---- frames ---- */

/* True: it stays the caller's, and may cross. False: it has been consumed. */
static bool pass_frame(const struct crossing *crossing, struct packet *packet)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);

	if (!ethernet)
		return refuse(packet, DROP_SHORT);
	if (!crossing->filter->rules)
		return refuse(packet, DROP_NO_RULES);
	if (mac_is_group(ethernet->source))
		return refuse(packet, DROP_BAD_MAC);
	switch (be16_get(ethernet->type)) {
	case ETHERTYPE_IP4:
		return pass_ip4(crossing, packet);
	case ETHERTYPE_ARP:
		/* There is nothing in it to segment or to sum. */
		if (packet->gso_type || packet->flags & PACKET_CSUM_BLANK)
			return refuse(packet, DROP_BAD_OFFLOAD);
		return true;
	default:
		return refuse(packet, DROP_BAD_ETHERTYPE);
	}
}

void bridge_filter_run(struct bridge_filter *filter, enum bridge_side side, struct netdev *in,
		       const struct netdev *out, struct packet_vector *vector)
{
	const struct crossing crossing = { filter, side, in, out };
	uint32_t count = 0;

	for (uint32_t i = 0; i < vector->count; i++)
		if (pass_frame(&crossing, vector->packets[i]))
			vector->packets[count++] = vector->packets[i];
	vector->count = count;
}

/* ---- its life ---- */

void bridge_filter_init(struct bridge_filter *filter, const struct bridge_filter_config *config)
{
	memset(filter, 0, sizeof(*filter));
	filter->rules = config->rules;
	filter->own = config->own;
	filter->now_ns = config->now_ns;
	filter->records = config->records;
	filter->log = (struct log_limit)LOG_LIMIT_INIT;
	wheel_init(&filter->wheel, config->now_ns);
	flow_table_init(&filter->flows, config->memory, config->flows, 0, &filter->wheel,
			config->random);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++)
		bucket_init(&filter->answers[side], ANSWERS_PER_SECOND, ANSWERS_BURST,
			    config->now_ns);
}

void bridge_filter_flush(struct bridge_filter *filter)
{
	flow_purge_all(&filter->flows);
}

void bridge_filter_set_now(struct bridge_filter *filter, uint64_t now_ns)
{
	if (now_ns > filter->now_ns)
		filter->now_ns = now_ns;
}

void bridge_filter_run_timers(struct bridge_filter *filter)
{
	wheel_run(&filter->wheel, filter->now_ns, TIMER_BUDGET);
}

uint64_t bridge_filter_next_ns(const struct bridge_filter *filter)
{
	return wheel_next_ns(&filter->wheel);
}

void bridge_filter_print_stats(const struct bridge_filter *filter,
			       void (*line)(void *context, const char *text), void *context)
{
	const struct counters_printer printer = { line, context };

	counters_print_flows(&printer, &filter->flows);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++)
		counters_print(&printer, "flows begun by %s: %" PRIu32, groups[side],
			       flow_owned(&filter->flows, (uint8_t)side));
	counters_print(&printer, "answers: %" PRIu64 " suppressed", filter->answers_suppressed);
	counters_print_rules(&printer, filter->rules);
}
