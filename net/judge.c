/* SPDX-License-Identifier: ISC */
#include "net/judge.h"

#include <inttypes.h>

#include "lib/ip4_text.h"

struct rules_query judge_query(const struct packet_info *info, enum rules_direction direction,
			       const char *interface, const char *group)
{
	const struct flow_key *key = &info->key;
	bool has_ports = key->protocol == IP_PROTOCOL_TCP || key->protocol == IP_PROTOCOL_UDP;

	return (struct rules_query){
		.direction = direction,
		.interface = interface,
		.interface_group = group,
		.source = key->version == 4 ? ip_address_of4(key->source)
					    : ip_address_of6(info->ip6.source.bytes),
		.destination = key->version == 4 ? ip_address_of4(key->destination)
						 : ip_address_of6(info->ip6.destination.bytes),
		.protocol = key->protocol,
		.source_port = has_ports ? be16_get(key->source_port) : 0,
		.destination_port = has_ports ? be16_get(key->destination_port) : 0,
		.icmp_type = info->icmp_type,
		.icmp_code = info->icmp_code,
		.tcp_flags = info->tcp_flags,
	};
}

static void log_verdict(const struct ruleset *rules, const struct rules_query *query,
			const struct rules_verdict *verdict, struct log_limit *log)
{
	char from[IP4_TEXT_BYTES], to[IP4_TEXT_BYTES];

	log_limited(log, LOG_INFO, "rules", "line %" PRIu32 ": %s %s on %s proto %u %s:%u > %s:%u",
		    ruleset_rule_line(rules, verdict->rule),
		    verdict->action == RULES_PASS ? "pass" : "block",
		    query->direction == RULES_IN ? "in" : "out", query->interface, query->protocol,
		    ip4_text_format(ip_address_get4(&query->source), from), query->source_port,
		    ip4_text_format(ip_address_get4(&query->destination), to),
		    query->destination_port);
}

struct rules_verdict judge_ask(struct ruleset *rules, const struct rules_query *query,
			       struct log_limit *log)
{
	struct rules_verdict verdict = ruleset_judge(rules, query);

	if (verdict.log && verdict.rule != RULES_NO_RULE)
		log_verdict(rules, query, &verdict, log);
	return verdict;
}
