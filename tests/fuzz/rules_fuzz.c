/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the rule language: the input is a rule file up to its first zero byte, and
 * then packets. Whatever parses must be judged by the index as by a walk over all rules;
 * packets are made from the rules' own addresses and ports, so that they come near.
 */
#include "net/rules_index.h"
#include "tests/fuzz/script.h"

#define QUERIES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ip_address moved(struct ip_address address, uint8_t by)
{
	unsigned int last = address.version == 4 ? 3 : 15;

	if (by & 0x80) /* another bit of it, so that longer prefixes end */
		address.bytes[(by >> 3) % (last + 1)] ^= (uint8_t)(1u << (by & 7));
	else
		address.bytes[last] = (uint8_t)(address.bytes[last] + (by & 3) - 1);
	return address;
}

/* An address near the one that the rule or a table has; of `version` in any case. */
static struct ip_address address_near(const struct ruleset *set, const struct rules_host *host,
				      uint8_t version, struct script *script)
{
	struct ip_address address = { .version = version };

	if (host->kind == RULES_HOST_PREFIX && host->address.version == version)
		address = host->address;
	if (host->kind == RULES_HOST_TABLE) {
		const struct rules_table *table = &set->tables[host->table];
		uint32_t count = version == 4 ? table->count4 : table->count6;
		const struct rules_range *ranges = version == 4 ? table->ranges4 : table->ranges6;

		if (count) {
			ip_number number = ranges[script_u8(script) % count].last;
			unsigned int bytes = version == 4 ? 4 : 16;

			for (unsigned int i = 0; i < bytes; i++)
				address.bytes[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
		}
	}
	return moved(address, script_u8(script));
}

static uint16_t port_near(const struct rules_ports *ports, uint8_t how)
{
	return (uint16_t)((how & 4 ? ports->high : ports->low) + (how & 3) - 1);
}

static struct rules_query query_take(const struct ruleset *set, struct script *script)
{
	static const char *const others[] = { "client1.0", "uplink0", "a", "clients" };
	static const uint8_t protocols[] = { 6, 17, 1, 58, 47, 0, 255, 132 };
	uint8_t shape = script_u8(script), kind = script_u8(script);
	uint32_t which = script_u16(script);
	const struct rules_rule *rule = &set->rules[which % set->count];
	uint8_t version = rule->version ? rule->version : kind & 1 ? 6 : 4;

	/* Now and then one of the other version, and one that no rule knows. */
	if (shape == 0xff)
		version = version == 4 ? 6 : 4;
	return (struct rules_query){
		.direction = shape & 1 ? RULES_IN : RULES_OUT,
		.interface =
			rule->interface[0] && kind & 2 ? rule->interface : others[kind >> 2 & 3],
		.interface_group = shape & 2 ? "uplink" : "clients",
		.source = address_near(set, &rule->source, version, script),
		.destination = address_near(set, &rule->destination, version, script),
		.protocol = (uint8_t)(rule->protocol != RULES_ANY_PROTOCOL && kind & 16
					      ? rule->protocol
					      : protocols[kind >> 5]),
		.source_port = port_near(&rule->source_ports, script_u8(script)),
		.destination_port = port_near(&rule->destination_ports, script_u8(script)),
		.icmp_type = (uint8_t)(rule->icmp_type != RULES_ANY_ICMP && shape & 4
					       ? rule->icmp_type
					       : script_u8(script)),
		.icmp_code = (uint8_t)(shape & 8 ? rule->icmp_code : 1),
		.tcp_flags = shape & 16 ? 0x02 : script_u8(script),
		.source_is_self = shape & 32,
		.destination_is_self = shape & 64,
	};
}

static void assert_agreed(struct ruleset *set, const struct rules_query *query)
{
	struct rules_verdict walk = rules_walk(set, query), index;
	uint64_t hits = walk.rule == RULES_NO_RULE ? 0 : ruleset_rule_hits(set, walk.rule);

	index = ruleset_judge(set, query);
	fuzz_assert(index.rule == walk.rule);
	fuzz_assert(index.action == walk.action && index.keep_state == walk.keep_state);
	fuzz_assert(index.log == walk.log && index.max_mss == walk.max_mss);
	fuzz_assert(index.nat_to == walk.nat_to && index.rdr_to == walk.rdr_to);
	fuzz_assert(index.rdr_port == walk.rdr_port && index.limits == walk.limits);
	fuzz_assert(index.rule == RULES_NO_RULE || ruleset_rule_hits(set, index.rule) == hits + 1);
	fuzz_assert(index.rule != RULES_NO_RULE || index.action == RULES_BLOCK_DROP);
}

/* Where the mistake is: inside of the text, or just behind it. */
static void assert_error(const struct rules_error *error, const char *text, size_t bytes)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	fuzz_assert(memchr(error->message, '\0', sizeof(error->message)));
	fuzz_assert(error->message[0] != '\0');
	fuzz_assert(error->line <= lines);
	fuzz_assert(error->column <= bytes + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t bytes = end ? (size_t)(end - data) : size;
	struct script script = { data + bytes, size - bytes };
	char *text = malloc(bytes ? bytes : 1); /* of its own, so that its end is guarded */
	struct ruleset *set = NULL;
	struct rules_error error = { 0 };

	if (bytes)
		memcpy(text, data, bytes);
	if (ruleset_parse(text, bytes, &set, &error))
		assert_error(&error, text, bytes);
	free(text);
	(void)script_u8(&script); /* the zero byte */
	if (set && ruleset_count(set))
		for (uint32_t i = 0; i < QUERIES; i++) {
			struct rules_query query = query_take(set, &script);

			assert_agreed(set, &query);
			if (script_is_over(&script))
				break;
		}
	ruleset_free(set);
	return 0;
}
