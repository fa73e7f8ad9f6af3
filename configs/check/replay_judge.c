/* SPDX-License-Identifier: ISC */
/*
 * The firewall's own flow table, fragments and rules, asked packet by packet as the router
 * asks them, without addresses being translated or anything being sent.
 */
#include <errno.h>
#include <stdlib.h>

#include "configs/check/replay.h"
#include "net/flow_follow.h"
#include "net/judge.h"
#include "net/martian6.h"

#define UPLINK 0u /* interface indices; all clients are behind one */
#define CLIENTS 1u
#define FRAGMENT_DATAGRAMS 1024u

/* ---- one packet's outcome ---- */

static void drop(struct replay_outcome *outcome, enum drop_reason reason)
{
	outcome->kind = REPLAY_DROP;
	outcome->reason = reason;
}

static struct ip_address source_of(const struct packet_info *info)
{
	return info->key.version == 6 ? ip_address_of6(info->ip6.source.bytes)
				      : ip_address_of4(info->key.source);
}

static struct ip_address destination_of(const struct packet_info *info)
{
	return info->key.version == 6 ? ip_address_of6(info->ip6.destination.bytes)
				      : ip_address_of4(info->key.destination);
}

bool replay_is_in(const struct replay_addresses *addresses, const struct ip_address *address)
{
	for (uint32_t i = 0; i < addresses->count; i++) {
		const struct replay_prefix *prefix = &addresses->prefixes[i];
		struct ip_address masked = *address;

		ip_address_mask(&masked, prefix->bits);
		if (ip_address_equal(&masked, &prefix->address))
			return true;
	}
	return false;
}

/* False: blocked. */
static bool judge(struct replay *replay, struct replay_outcome *outcome,
		  enum rules_direction direction, bool client, bool second)
{
	const char *name = !client ? "uplink0" : second ? "client2.0" : "client1.0";
	struct rules_query query =
		judge_query(&outcome->info, direction, name, client ? "clients" : "uplink");
	struct rules_verdict *verdict = &outcome->verdicts[outcome->judged++];

	query.source_is_self = replay_is_in(&replay->self, &query.source);
	query.destination_is_self = replay_is_in(&replay->self, &query.destination);
	*verdict = ruleset_judge(replay->rules, &query);
	outcome->kind = verdict->action == RULES_PASS ? REPLAY_PASS : REPLAY_BLOCK;
	return verdict->action == RULES_PASS;
}

static bool follow(struct replay *replay, struct replay_outcome *outcome, struct flow *flow,
		   enum flow_direction direction, const struct packet *packet)
{
	enum drop_reason reason;

	if (flow_follow(flow, direction, packet, &outcome->info, replay->now_ns, &reason))
		return true;
	drop(outcome, reason);
	return false;
}

/* A packet that no flow claims. */
static void judge_new(struct replay *replay, struct replay_outcome *outcome,
		      const struct packet *packet)
{
	const struct packet_info *info = &outcome->info;
	struct ip_address to = destination_of(info);
	bool from_client = info->key.interface == CLIENTS;
	bool to_client = replay_is_in(&replay->clients, &to);
	struct flow_tuple reply = flow_tuple_reverse(&info->tuple, to_client ? CLIENTS : UPLINK);
	struct ip_address from = source_of(info);
	struct flow_request request = {
		.original = &info->tuple,
		.reply = &reply,
		.state = flow_first_state(info),
		.quota = replay->flows.total,
		.quota6 = replay->flows.total6,
	};
	struct flow *flow;
	int error;

	if (replay_is_in(&replay->self, &from)) { /* what the firewall sends itself */
		outcome->kind = REPLAY_APART;
		return;
	}
	if (!judge(replay, outcome, RULES_IN, from_client, false))
		return;
	if (replay_is_in(&replay->self, &to)) /* it goes no further, and has no flow */
		return;
	if (!from_client && !to_client) {
		drop(outcome, DROP_NO_ROUTE);
		return;
	}
	if (!judge(replay, outcome, RULES_OUT, to_client, from_client))
		return;
	if (info->ttl <= 1) {
		drop(outcome, DROP_TTL);
		return;
	}
	if (!outcome->verdicts[0].keep_state || !outcome->verdicts[1].keep_state)
		return;
	if (!flow_may_begin(info)) {
		drop(outcome, DROP_NO_FLOW);
		return;
	}
	error = flow_create(&replay->flows, &request, replay->now_ns, &flow);
	if (error) {
		drop(outcome, flow_drop_reason(error));
		return;
	}
	replay->flow_frames[flow - replay->flows.flows] = replay->frame;
	(void)!follow(replay, outcome, flow, FLOW_ORIGINAL, packet);
}

static void belongs(struct replay *replay, struct replay_outcome *outcome, const struct flow *flow)
{
	outcome->kind = REPLAY_STATE;
	outcome->since = replay->flow_frames[flow - replay->flows.flows];
}

/* An ICMP error passes when the packet that it quotes went the other way in a flow. */
static void judge_error(struct replay *replay, struct replay_outcome *outcome,
			const struct packet *packet)
{
	const struct packet_info *info = &outcome->info;
	struct quoted_packet quoted;
	enum flow_direction direction;
	struct flow *flow;

	if (info->key.version == 6 ? !parse6_quoted(packet, info, &quoted)
				   : !parse_quoted(packet, info, &quoted)) {
		drop(outcome, DROP_BAD_TRANSPORT);
		return;
	}
	flow = flow_find(&replay->flows, &quoted.answer, flow_hash(&replay->flows, &quoted.answer),
			 &direction);
	if (flow)
		belongs(replay, outcome, flow);
	else
		drop(outcome, DROP_NO_FLOW);
}

/* A packet whose transport header is known. */
static void judge_packet(struct replay *replay, struct replay_outcome *outcome,
			 const struct packet *packet)
{
	const struct packet_info *info = &outcome->info;
	enum flow_direction direction = FLOW_ORIGINAL;
	struct flow *flow;

	if (info->kind == PACKET_ICMP_ERROR) {
		judge_error(replay, outcome, packet);
		return;
	}
	flow = flow_find(&replay->flows, &info->tuple, flow_hash(&replay->flows, &info->tuple),
			 &direction);
	if (flow && info->key.protocol == IP_PROTOCOL_TCP &&
	    flow_tcp_is_reuse(flow, direction, info)) {
		flow_remove(flow);
		flow = NULL;
	}
	if (!flow)
		judge_new(replay, outcome, packet);
	else if (info->ttl <= 1)
		drop(outcome, DROP_TTL);
	else if (follow(replay, outcome, flow, direction, packet))
		belongs(replay, outcome, flow);
}

/* ---- fragments ---- */

static void decide(struct replay *replay, struct replay_outcome *outcome,
		   struct fragment_entry *entry, const struct packet *packet)
{
	struct fragment_verdict verdict = { .id = replay->frame };
	struct list released, *link;

	judge_packet(replay, outcome, packet);
	verdict.pass = outcome->kind == REPLAY_PASS || outcome->kind == REPLAY_STATE;
	verdict.reason = outcome->kind == REPLAY_DROP ? outcome->reason : DROP_BLOCKED;
	list_init(&released);
	fragments_decide(entry, &verdict, &released);
	while ((link = list_pop_front(&released))) {
		struct packet *held = list_entry(link, struct packet, link);

		replay->released(replay, replay->packet_frames[held - replay->packets.packets]);
		packet_free(held);
	}
}

/* True: the packet is the table's now. */
static bool judge_fragment(struct replay *replay, struct replay_outcome *outcome,
			   struct packet *packet)
{
	struct packet_info *info = &outcome->info;
	struct fragment_info fragment;
	struct fragment_entry *entry;
	enum drop_reason reason;

	if (info->key.version == 6)
		fragments_describe_ip6(packet, info, &fragment);
	else
		fragments_describe_ip4(packet, info->key.interface, &fragment);
	outcome->later = fragment.offset != 0;
	switch (fragments_input(&replay->fragments, packet, &fragment, replay->now_ns, &entry,
				&reason)) {
	case FRAGMENT_HOLD:
		outcome->kind = REPLAY_HOLD;
		return true;
	case FRAGMENT_FOLLOW:
		outcome->kind = REPLAY_STATE;
		outcome->since = entry->verdict.id;
		return false;
	case FRAGMENT_JUDGE:
		decide(replay, outcome, entry, packet);
		return false;
	case FRAGMENT_WHOLE:
		judge_packet(replay, outcome, packet);
		return false;
	default:
		drop(outcome, reason);
		return false;
	}
}

/* ---- frames ---- */

/* A group is nobody's client, and answers to nobody. */
static bool addresses_are_good(const struct packet_info *info, enum drop_reason *reason)
{
	bool six = info->key.version == 6;

	*reason = DROP_MULTICAST;
	if (six ? ip6_address_is_multicast(&info->ip6.destination)
		: address_is_multicast(info->key.destination))
		return false;
	*reason = DROP_MARTIAN;
	if (six)
		return !ip6_address_is_martian(&info->ip6.source) &&
		       !ip6_address_is_martian(&info->ip6.destination);
	return !address_is_martian(info->key.source) && !address_is_martian(info->key.destination);
}

static bool is_neighbour_discovery(const struct packet_info *info)
{
	return info->key.version == 6 && info->key.protocol == IP_PROTOCOL_ICMP6 &&
	       info->icmp_type >= ICMP6_ROUTER_SOLICITATION && info->icmp_type <= ICMP6_REDIRECT;
}

/* True: the packet is the fragments' now. */
static bool judge_ip(struct replay *replay, struct replay_outcome *outcome, struct packet *packet,
		     bool six)
{
	struct packet_info *info = &outcome->info;
	enum drop_reason reason;
	struct ip_address source;
	bool good = six ? parse_ip6(packet, UPLINK, info, &reason)
			: parse_ip4(packet, UPLINK, info, &reason);

	if (!good) {
		drop(outcome, reason);
		return false;
	}
	outcome->known = true;
	if (is_neighbour_discovery(info)) {
		outcome->kind = REPLAY_APART;
		return false;
	}
	if (!addresses_are_good(info, &reason)) {
		drop(outcome, reason);
		return false;
	}
	source = source_of(info);
	info->key.interface = replay_is_in(&replay->clients, &source) ? CLIENTS : UPLINK;
	if (info->fragment.header)
		return judge_fragment(replay, outcome, packet);
	judge_packet(replay, outcome, packet);
	return false;
}

static bool judge_frame(struct replay *replay, struct replay_outcome *outcome,
			struct packet *packet)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);

	if (!ethernet) {
		drop(outcome, DROP_SHORT);
		return false;
	}
	switch (be16_get(ethernet->type)) {
	case ETHERTYPE_IP4:
		return judge_ip(replay, outcome, packet, false);
	case ETHERTYPE_IP6:
		return judge_ip(replay, outcome, packet, true);
	case ETHERTYPE_ARP:
		outcome->kind = REPLAY_APART;
		return false;
	default:
		drop(outcome, DROP_BAD_ETHERTYPE);
		return false;
	}
}

/* An IP packet gets the Ethernet header that it must have had. */
static struct packet *packet_make(struct replay *replay, const uint8_t *bytes, uint32_t captured,
				  uint32_t length, bool bare)
{
	struct packet *packet = packet_alloc_page(&replay->packets, IOPAGE_PRIVATE);
	uint32_t before = bare ? (uint32_t)sizeof(struct ethernet_header) : 0;
	uint32_t head = captured < REPLAY_HEAD_BYTES ? captured : REPLAY_HEAD_BYTES;
	uint8_t *data = packet ? packet_append(packet, before + head) : NULL;

	if (!data)
		return NULL;
	memset(data, 0, before);
	if (head)
		memcpy(data + before, bytes, head);
	if (bare)
		((struct ethernet_header *)data)->type =
			be16_of(head && bytes[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	packet->length = before + length;
	replay->packet_frames[packet - replay->packets.packets] = replay->frame;
	return packet;
}

void replay_frame(struct replay *replay, const uint8_t *bytes, uint32_t captured, uint32_t length,
		  bool bare, uint64_t time_ns, struct replay_outcome *outcome)
{
	struct packet *packet;

	if (time_ns > replay->now_ns)
		replay->now_ns = time_ns;
	while (wheel_run(&replay->wheel, replay->now_ns, 1024) == 1024)
		;
	*outcome = (struct replay_outcome){ .kind = REPLAY_DROP };
	replay->frame++;
	packet = packet_make(replay, bytes, captured, length, bare);
	if (!packet)
		drop(outcome, DROP_NO_MEMORY);
	else if (!judge_frame(replay, outcome, packet))
		packet_free(packet);
	replay->counts[outcome->kind]++;
}

/* ---- its life ---- */

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page / IOPAGE_SIZE;
}

bool replay_init(struct replay *replay)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 1 }; /* nobody attacks a file's table */
	static const struct fragments_config fragments = {
		.entries = FRAGMENT_DATAGRAMS,
		.owners = 2,
		.held_packets = REPLAY_PACKETS - 1,
		.held_bytes = 64u << 20,
		.owner_entries = FRAGMENT_DATAGRAMS / 2,
		.owner_held_packets = REPLAY_PACKETS / 2 - 1,
		.owner_held_bytes = 32u << 20,
	};
	/* A page for each packet and the private heads of 16 in one. */
	const uint32_t pages = REPLAY_PACKETS + REPLAY_PACKETS / 16;
	struct random random;

	random_init(&random, seed);
	replay->memory[0] = malloc(flow_table_bytes(REPLAY_FLOWS, REPLAY_FLOWS));
	replay->memory[1] = calloc(REPLAY_FLOWS, sizeof(uint32_t));
	replay->memory[2] = malloc(fragments_bytes(&fragments));
	replay->memory[3] = aligned_alloc(IOPAGE_SIZE, (size_t)pages * IOPAGE_SIZE);
	replay->memory[4] =
		calloc(REPLAY_PACKETS, sizeof(struct packet) + 2 * sizeof(struct iopage));
	for (uint32_t i = 0; i < ARRAY_SIZE(replay->memory); i++)
		if (!replay->memory[i])
			return false;
	wheel_init(&replay->wheel, 0);
	flow_table_init(&replay->flows, replay->memory[0], REPLAY_FLOWS, REPLAY_FLOWS,
			&replay->wheel, &random);
	replay->flow_frames = replay->memory[1];
	fragments_init(&replay->fragments, replay->memory[2], &fragments, &replay->wheel, &random);
	memset(replay->memory[3], 0, (size_t)pages * IOPAGE_SIZE);
	iopage_pool_init(&replay->pages, replay->memory[3],
			 (struct iopage *)((struct packet *)replay->memory[4] + REPLAY_PACKETS),
			 pages, frame_of);
	return packet_pool_init(&replay->packets, &replay->pages, replay->memory[4],
				REPLAY_PACKETS) == 0;
}

void replay_end(struct replay *replay)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(replay->memory); i++)
		free(replay->memory[i]);
}
