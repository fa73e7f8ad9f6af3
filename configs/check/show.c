/* SPDX-License-Identifier: ISC */
/* Rules as text again: one expanded rule a line, which the parser reads as the same rule. */
#include <inttypes.h>
#include <string.h>

#include "configs/check/check.h"
#include "lib/ip_text.h"

static const char *const timeout_names[RULES_TIMEOUTS] = {
	"tcp.first",  "tcp.opening", "tcp.established", "tcp.closing",	  "tcp.finwait",
	"tcp.closed", "udp.first",   "udp.single",	"udp.multiple",	  "icmp.first",
	"icmp.error", "other.first", "other.single",	"other.multiple", "frag",
};

static void show_address(FILE *to, const struct ip_address *address, unsigned int prefix)
{
	char text[IP_TEXT_BYTES];

	fputs(ip_text_format(address, text), to);
	if (prefix != ip_address_bits(address->version))
		fprintf(to, "/%u", prefix);
}

/* A name of one label needs the dot at its end to be read as a name. */
static void show_name(FILE *to, const char *name)
{
	fprintf(to, "%s%s", name, strchr(name, '.') ? "" : ".");
}

static void show_ports(FILE *to, const struct rules_ports *ports)
{
	if (!ports->outside && ports->low == 0 && ports->high == UINT16_MAX)
		return;
	if (ports->outside && ports->low == ports->high)
		fprintf(to, " port != %u", ports->low);
	else if (ports->outside && ports->high == UINT16_MAX)
		fprintf(to, " port < %u", ports->low);
	else if (ports->outside && ports->low == 0)
		fprintf(to, " port > %u", ports->high);
	else if (ports->outside)
		fprintf(to, " port %u <> %u", ports->low, ports->high);
	else if (ports->low == ports->high)
		fprintf(to, " port %u", ports->low);
	else
		fprintf(to, " port %u:%u", ports->low, ports->high);
}

static void show_end(FILE *to, const struct ruleset *set, const char *word,
		     const struct rules_host *host, const struct rules_ports *ports)
{
	fprintf(to, " %s %s", word, host->negated ? "! " : "");
	if (host->kind == RULES_HOST_ANY)
		fputs("any", to);
	else if (host->kind == RULES_HOST_SELF)
		fputs("self", to);
	else if (host->kind == RULES_HOST_TABLE)
		fprintf(to, "<%s>", set->tables[host->table].name);
	else if (host->kind == RULES_HOST_NAME)
		show_name(to, ruleset_name(set, host->name));
	else
		show_address(to, &host->address, host->prefix);
	show_ports(to, ports);
}

static void show_flags(FILE *to, const struct rules_rule *rule)
{
	static const char letters[] = "FSRPAUEW";

	if (rule->protocol != RULES_TCP)
		return;
	if (!rule->flags_mask) {
		fputs(" flags any", to);
		return;
	}
	fputs(" flags ", to);
	for (unsigned int i = 0; i < 8; i++)
		if (rule->flags_set >> i & 1)
			fputc(letters[i], to);
	fputc('/', to);
	for (unsigned int i = 0; i < 8; i++)
		if (rule->flags_mask >> i & 1)
			fputc(letters[i], to);
}

static void show_icmp(FILE *to, const struct rules_rule *rule)
{
	if (rule->icmp_type == RULES_ANY_ICMP)
		return;
	fprintf(to, " icmp%s-type %u", rule->protocol == RULES_ICMP6 ? "6" : "", rule->icmp_type);
	if (rule->icmp_code != RULES_ANY_ICMP)
		fprintf(to, " code %u", rule->icmp_code);
}

static void show_target(FILE *to, const char *word, const struct rules_target *target)
{
	if (!target)
		return;
	fprintf(to, " %s ", word);
	if (target->address.version)
		show_address(to, &target->address, target->prefix);
	else
		fputs("(uplink)", to);
	if (target->port_low)
		fprintf(to, " port %u", target->port_low);
	if (target->port_high != target->port_low)
		fprintf(to, ":%u", target->port_high);
	if (target->mode == RULES_TARGET_BITMASK)
		fputs(" bitmask", to);
	else if (target->mode == RULES_TARGET_NPTV6)
		fputs(" nptv6", to);
	else if (target->static_port)
		fputs(" static-port", to);
	if (target->mode == RULES_TARGET_SYMMETRIC)
		fputs(" symmetric", to);
}

static void show_limits(FILE *to, const struct rules_limits *limits)
{
	const char *between = " keep state (";

	if (!limits)
		return;
	fputs(between, to);
	if (limits->max_states)
		fprintf(to, " max %" PRIu32, limits->max_states);
	if (limits->max_source_states)
		fprintf(to, " max-src-states %" PRIu32, limits->max_source_states);
	for (unsigned int i = 0; i < RULES_TIMEOUTS; i++)
		if (limits->timeout[i])
			fprintf(to, " %s %" PRIu32, timeout_names[i], limits->timeout[i]);
	fputs(" )", to);
}

void show_verdict(FILE *to, const struct rules_verdict *verdict)
{
	show_target(to, "nat-to", verdict->nat_to);
	show_target(to, "rdr-to", verdict->rdr_to);
	if (verdict->max_mss)
		fprintf(to, " scrub ( max-mss %u )", verdict->max_mss);
	show_limits(to, verdict->limits);
}

void show_action(FILE *to, uint8_t action, uint8_t icmp4_answer, uint8_t icmp6_answer)
{
	static const char *const actions[] = {
		[RULES_BLOCK_DROP] = "block drop",
		[RULES_BLOCK_RETURN] = "block return",
		[RULES_BLOCK_RST] = "block return-rst",
		[RULES_BLOCK_ICMP] = "block return-icmp",
		[RULES_PASS] = "pass",
		[RULES_MATCH] = "match",
	};

	fputs(actions[action], to);
	if (action == RULES_BLOCK_ICMP)
		fprintf(to, " ( %u, %u )", icmp4_answer, icmp6_answer);
}

static void show_start(FILE *to, const struct rules_rule *rule)
{
	show_action(to, rule->action, rule->icmp4_answer, rule->icmp6_answer);
	if (rule->directions != (RULES_IN | RULES_OUT))
		fputs(rule->directions == RULES_IN ? " in" : " out", to);
	if (rule->log)
		fputs(" log", to);
	if (rule->quick)
		fputs(" quick", to);
	if (rule->interface[0])
		fprintf(to, " on %s%s", rule->interface_negated ? "! " : "", rule->interface);
	if (rule->version)
		fputs(rule->version == 4 ? " inet" : " inet6", to);
	if (rule->protocol == RULES_TCP || rule->protocol == RULES_UDP)
		fprintf(to, " proto %s", rule->protocol == RULES_TCP ? "tcp" : "udp");
	else if (rule->protocol == RULES_ICMP || rule->protocol == RULES_ICMP6)
		fprintf(to, " proto %s", rule->protocol == RULES_ICMP ? "icmp" : "icmp6");
	else if (rule->protocol != RULES_ANY_PROTOCOL)
		fprintf(to, " proto %u", rule->protocol);
}

void show_rule(FILE *to, const struct ruleset *set, const struct rules_rule *rule)
{
	struct rules_verdict parameters = { 0 };

	show_start(to, rule);
	show_end(to, set, "from", &rule->source, &rule->source_ports);
	show_end(to, set, "to", &rule->destination, &rule->destination_ports);
	show_icmp(to, rule);
	show_flags(to, rule);
	if (rule->parameters) {
		const struct rules_parameters *p = &set->parameters[rule->parameters - 1];

		parameters.nat_to = p->has_nat ? &p->nat_to : NULL;
		parameters.rdr_to = p->has_rdr ? &p->rdr_to : NULL;
		if (p->no_nat || p->no_rdr)
			fputs(p->no_nat ? " no nat" : " no rdr", to);
		parameters.limits = p->has_limits ? &p->limits : NULL;
		parameters.max_mss = p->max_mss;
	}
	if (rule->action == RULES_PASS && !parameters.limits)
		fputs(rule->keep_state ? " keep state" : " no state", to);
	show_verdict(to, &parameters);
	if (rule->label[0])
		fprintf(to, " label \"%s\"", rule->label);
}

static void show_table(FILE *to, const struct ruleset *set, const struct rules_table *table)
{
	fprintf(to, "# table <%s>: %" PRIu32 " ranges of IPv4, %" PRIu32 " of IPv6", table->name,
		table->count4, table->count6);
	for (uint32_t i = 0; i < table->host_count; i++)
		fprintf(to, "%s %s%s", i ? "," : ", names:", table->hosts[i].negated ? "! " : "",
			ruleset_name(set, table->hosts[i].name));
	fputc('\n', to);
}

void show_options(FILE *to, const struct ruleset *set)
{
	const struct rules_options *options = ruleset_options(set);

	if (options->limit_states)
		fprintf(to, "set limit states %" PRIu32 "\n", options->limit_states);
	if (options->limit_fragments)
		fprintf(to, "set limit frags %" PRIu32 "\n", options->limit_fragments);
	for (unsigned int i = 0; i < RULES_TIMEOUTS; i++)
		if (options->timeout[i])
			fprintf(to, "set timeout %s %" PRIu32 "\n", timeout_names[i],
				options->timeout[i]);
	for (uint32_t i = 0; i < set->table_count; i++)
		show_table(to, set, &set->tables[i]);
}
