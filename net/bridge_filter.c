/* SPDX-License-Identifier: ISC */
/* The filter's life, and what becomes of a frame by its type. */
#include "net/bridge_filter.h"

#include <inttypes.h>
#include <string.h>

#include "net/bridge_parts.h"
#include "net/counters.h"
#include "net/parse.h"
#include "net/parse6.h"

#define TIMER_BUDGET 256u
/* Resets and ICMP errors to one side: RFC 1812, 4.3.2.8 */
#define ANSWERS_PER_SECOND 200u
#define ANSWERS_BURST 50u
/* Datagrams in parts that are remembered, and packets that wait for their first part. */
#define FRAGMENTS_LEAST 256u
#define FRAGMENTS_MOST 2048u
#define FRAGMENTS_HELD 256u
#define LIMITS_RULES 256u /* that have flows counted for them at one time */
#define LIMITS_SOURCES_LEAST 256u

const char *const bridge_groups[BRIDGE_SIDES] = {
	[BRIDGE_UPLINK] = "uplink", [BRIDGE_CLIENTS] = "clients"
};

/* ---- frames ---- */

static bool pass_ip(const struct bridge_crossing *crossing, struct packet *packet, uint16_t type)
{
	uint8_t interface = (uint8_t)crossing->side;
	struct packet_info info;
	enum drop_reason reason;
	bool good = type == ETHERTYPE_IP4 ? parse_ip4(packet, interface, &info, &reason)
					  : parse_ip6(packet, interface, &info, &reason);

	if (!good)
		return bridge_refuse(packet, reason);
	if (unlikely(bridge_is_ndp(&info)))
		return bridge_pass_ndp(crossing->side, packet, &info);
	if (unlikely(bridge_is_listener_message(crossing->side, &info)))
		return true;
	if (unlikely(packet_is_fragment(&info)))
		return bridge_pass_fragment(crossing, packet, &info);
	return bridge_pass_packet(crossing, packet, &info);
}

/* True: it stays the caller's, and may cross. False: it has been consumed. */
static bool pass_frame(const struct bridge_crossing *crossing, struct packet *packet)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);
	uint16_t type;

	if (!ethernet)
		return bridge_refuse(packet, DROP_SHORT);
	if (!crossing->filter->rules)
		return bridge_refuse(packet, DROP_NO_RULES);
	if (mac_is_group(ethernet->source))
		return bridge_refuse(packet, DROP_BAD_MAC);
	type = be16_get(ethernet->type);
	switch (type) {
	case ETHERTYPE_IP4:
	case ETHERTYPE_IP6:
		return pass_ip(crossing, packet, type);
	case ETHERTYPE_ARP:
		return bridge_pass_arp(packet);
	default:
		return bridge_refuse(packet, DROP_BAD_ETHERTYPE);
	}
}

void bridge_filter_run(struct bridge_filter *filter, enum bridge_side side, struct netdev *in,
		       const struct netdev *out, struct packet_vector *vector)
{
	const struct bridge_crossing crossing = { filter, side, in, out };
	uint32_t count = 0;

	for (uint32_t i = 0; i < vector->count; i++)
		if (pass_frame(&crossing, vector->packets[i]))
			vector->packets[count++] = vector->packets[i];
	vector->count = count;
}

bool bridge_filter_more(struct bridge_filter *filter, struct packet_vector *vector)
{
	struct list *link;

	vector->count = 0;
	while (!packet_vector_is_full(vector) && (link = list_pop_front(&filter->released)))
		packet_vector_add(vector, list_entry(link, struct packet, link));
	return vector->count != 0;
}

/* ---- its memory ---- */

/* One block holds, each at the start of a cache line: */
struct layout {
	size_t flows, limits, fragments, total;
};

static size_t line_up(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static uint32_t flows6_of(uint32_t flows)
{
	return flows - flows / 2;
}

/* Sources whose flows are counted by rule. */
static uint32_t sources_of(uint32_t flows)
{
	return flows / 4 > LIMITS_SOURCES_LEAST ? flows / 4 : LIMITS_SOURCES_LEAST;
}

static uint32_t half(uint32_t count)
{
	return count < BRIDGE_SIDES ? 1 : count / BRIDGE_SIDES;
}

/* Halves, as with flows: neither side can take the other's. */
static struct fragments_config fragments_of(uint32_t flows)
{
	uint32_t entries = flows / 32;

	entries = entries < FRAGMENTS_LEAST  ? FRAGMENTS_LEAST
		  : entries > FRAGMENTS_MOST ? FRAGMENTS_MOST
					     : entries;
	return (struct fragments_config){
		.entries = entries,
		.owners = BRIDGE_SIDES,
		.held_packets = FRAGMENTS_HELD,
		.held_bytes = FRAGMENTS_HELD * IOPAGE_SIZE,
		.owner_entries = half(entries),
		.owner_held_packets = half(FRAGMENTS_HELD),
		.owner_held_bytes = half(FRAGMENTS_HELD) * IOPAGE_SIZE,
	};
}

static struct layout layout_of(uint32_t flows)
{
	struct fragments_config fragments = fragments_of(flows);
	struct layout layout = { .flows = 0 };

	layout.limits = layout.flows + line_up(flow_table_bytes(flows, flows6_of(flows)));
	layout.fragments =
		layout.limits + line_up(flow_limits_bytes(LIMITS_RULES, sources_of(flows)));
	/* And one line, for memory that does not begin with one. */
	layout.total = layout.fragments + line_up(fragments_bytes(&fragments)) + 64;
	return layout;
}

size_t bridge_filter_memory_bytes(uint32_t flows)
{
	return layout_of(flows).total;
}

static void memory_lay(struct bridge_filter *filter, const struct bridge_filter_config *config)
{
	uint32_t limit = ruleset_options(config->rules)->limit_fragments;
	struct fragments_config fragments = fragments_of(config->flows);
	struct layout layout = layout_of(config->flows);
	uint8_t *memory = config->memory;

	if (limit && limit < fragments.entries)
		fragments.owner_entries = half(limit);
	fragments.seconds = ruleset_options(config->rules)->timeout[RULES_FRAGMENT];
	memory += -(uintptr_t)memory & 63;
	flow_table_init(&filter->flows, memory + layout.flows, config->flows,
			flows6_of(config->flows), &filter->wheel, config->random);
	flow_limits_init(&filter->limits, memory + layout.limits, LIMITS_RULES,
			 sources_of(config->flows), config->random);
	filter->flows.limits = &filter->limits;
	fragments_init(&filter->fragments, memory + layout.fragments, &fragments, &filter->wheel,
		       config->random);
}

/* ---- its life ---- */

void bridge_filter_init(struct bridge_filter *filter, const struct bridge_filter_config *config)
{
	struct flow_timeouts timeouts =
		flow_timeouts_of_rules(ruleset_options(config->rules)->timeout);

	memset(filter, 0, sizeof(*filter));
	filter->rules = config->rules;
	filter->own = config->own;
	filter->now_ns = config->now_ns;
	filter->records = config->records;
	filter->log = (struct log_limit)LOG_LIMIT_INIT;
	list_init(&filter->released);
	wheel_init(&filter->wheel, config->now_ns);
	memory_lay(filter, config);
	flow_table_set_timeouts(&filter->flows, &timeouts);
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++)
		bucket_init(&filter->answers[side], ANSWERS_PER_SECOND, ANSWERS_BURST,
			    config->now_ns);
}

void bridge_filter_flush(struct bridge_filter *filter)
{
	flow_purge_all(&filter->flows);
	bridge_filter_forget_fragments(filter);
}

void bridge_filter_forget_fragments(struct bridge_filter *filter)
{
	for (unsigned int side = 0; side < BRIDGE_SIDES; side++)
		fragments_purge_interface(&filter->fragments, (uint8_t)side);
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
		counters_print(&printer, "flows begun by %s: %" PRIu32, bridge_groups[side],
			       flow_owned(&filter->flows, (uint8_t)side));
	counters_print(&printer, "fragments: %" PRIu32 " datagrams, %" PRIu32 " packets wait",
		       filter->fragments.used, filter->fragments.held_packets);
	counters_print(&printer, "answers: %" PRIu64 " suppressed", filter->answers_suppressed);
	counters_print_rules(&printer, filter->rules);
}
