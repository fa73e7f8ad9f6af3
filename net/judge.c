/* SPDX-License-Identifier: ISC */
#include "net/judge.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/ip_text.h"

#define END_BYTES (IP6_TEXT_BYTES + 8u) /* an address in brackets, ":" and a port */

static bool has_ports(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP;
}

struct rules_query judge_query(const struct packet_info *info, enum rules_direction direction,
			       const char *interface, const char *group)
{
	const struct flow_key *key = &info->key;
	bool six = key->version == 6, ports = has_ports(key->protocol);

	return (struct rules_query){
		.direction = direction,
		.interface = interface,
		.interface_group = group,
		.source =
			six ? ip_address_of6(info->ip6.source.bytes) : ip_address_of4(key->source),
		.destination = six ? ip_address_of6(info->ip6.destination.bytes)
				   : ip_address_of4(key->destination),
		.protocol = key->protocol,
		.source_port = ports ? be16_get(key->source_port) : 0,
		.destination_port = ports ? be16_get(key->destination_port) : 0,
		.icmp_type = info->icmp_type,
		.icmp_code = info->icmp_code,
		.tcp_flags = info->tcp_flags,
	};
}

/* 192.0.2.1:80, [2001:db8::1]:80, or the address alone where there are no ports. */
static const char *end_text(const struct ip_address *address, uint16_t port, bool ports, char *to)
{
	char text[IP_TEXT_BYTES];

	ip_text_format(address, text);
	if (!ports)
		snprintf(to, END_BYTES, "%s", text);
	else if (address->version == 6)
		snprintf(to, END_BYTES, "[%s]:%u", text, port);
	else
		snprintf(to, END_BYTES, "%s:%u", text, port);
	return to;
}

static void log_line_write(const struct ruleset *rules, const struct rules_query *query,
			   const struct rules_verdict *verdict, struct log_limit *limit)
{
	char from[END_BYTES], to[END_BYTES];
	bool ports = has_ports(query->protocol), ruled = verdict->rule != RULES_NO_RULE;
	const char *label = ruled ? ruleset_rule_label(rules, verdict->rule) : "";

	log_limited(limit, LOG_INFO, "rules",
		    "line %" PRIu32 "%s%s%s: %s %s on %s proto %u %s > %s",
		    ruled ? ruleset_rule_line(rules, verdict->rule) : 0, label[0] ? " \"" : "",
		    label, label[0] ? "\"" : "", verdict->action == RULES_PASS ? "pass" : "block",
		    query->direction == RULES_IN ? "in" : "out", query->interface, query->protocol,
		    end_text(&query->source, query->source_port, ports, from),
		    end_text(&query->destination, query->destination_port, ports, to));
}

static void log_packet(const struct ruleset *rules, const struct rules_query *query,
		       const struct rules_verdict *verdict, const struct packet *packet,
		       const struct judge_log *log)
{
	bool ruled = verdict->rule != RULES_NO_RULE; /* else `match log` asked for it */
	struct packet_log_entry entry = {
		.packet = packet,
		.interface = query->interface,
		.direction = query->direction,
		.action = verdict->action,
		.reason = verdict->action == RULES_PASS ? DROP_REASON_COUNT : DROP_BLOCKED,
		.line = ruled ? ruleset_rule_line(rules, verdict->rule) : 0,
		.label = ruled ? ruleset_rule_label(rules, verdict->rule) : "",
	};

	packet_log_add(log->records, &entry, log->now_ns);
}

struct rules_verdict judge_ask(struct ruleset *rules, const struct rules_query *query,
			       const struct packet *packet, const struct judge_log *log)
{
	struct rules_verdict verdict = ruleset_judge(rules, query);

	if (likely(!verdict.log))
		return verdict;
	log_line_write(rules, query, &verdict, log->lines);
	if (log->records)
		log_packet(rules, query, &verdict, packet, log);
	return verdict;
}
