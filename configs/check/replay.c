/* SPDX-License-Identifier: ISC */
/* The command `replay`: one line for each packet of a capture. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "configs/check/capture_file.h"
#include "configs/check/check.h"
#include "configs/check/replay.h"
#include "lib/ip4_text.h"
#include "lib/ip6_text.h"

#define NS_PER_US 1000u
#define US_PER_SECOND 1000000u

bool replay_addresses_parse(struct replay_addresses *addresses, const char *text)
{
	addresses->count = 0;
	while (*text) {
		struct replay_prefix *prefix = &addresses->prefixes[addresses->count++];
		size_t length = strcspn(text, ",");
		uint8_t six[16];
		be32 four;

		if (addresses->count == REPLAY_ADDRESSES)
			return false;
		if (ip4_text_parse_prefix(text, length, &four, &prefix->bits) == 0)
			prefix->address = ip_address_of4(four);
		else if (ip6_text_parse_prefix(text, length, six, &prefix->bits) == 0)
			prefix->address = ip_address_of6(six);
		else
			return false;
		ip_address_mask(&prefix->address, prefix->bits);
		text += length;
		text += *text == ',';
	}
	return true;
}

/* ---- lines ---- */

static void print_end(bool six, be32 four, const struct ip6_address *address, be16 port, bool ports)
{
	char text[IP6_TEXT_BYTES];

	if (six)
		ip6_text_format(address->bytes, text);
	else
		ip4_text_format(four, text);
	if (!ports)
		fputs(text, stdout);
	else
		printf(six ? "[%s]:%u" : "%s:%u", text, be16_get(port));
}

static void print_protocol(uint8_t protocol)
{
	switch (protocol) {
	case RULES_TCP:
		fputs("tcp ", stdout);
		break;
	case RULES_UDP:
		fputs("udp ", stdout);
		break;
	case RULES_ICMP:
		fputs("icmp ", stdout);
		break;
	case RULES_ICMP6:
		fputs("icmp6 ", stdout);
		break;
	default:
		printf("%u ", protocol);
	}
}

/* As `test` takes it, where it can. */
static void print_tuple(const struct replay_outcome *outcome)
{
	static const char letters[] = "FSRPAUEW";
	const struct packet_info *info = &outcome->info;
	const struct flow_key *key = &info->key;
	bool six = key->version == 6, tcp = key->protocol == RULES_TCP;
	bool ports = (tcp || key->protocol == RULES_UDP) && !outcome->later;

	if (!outcome->known) {
		fputs(outcome->kind == REPLAY_APART ? "arp" : "-", stdout);
		return;
	}
	print_protocol(key->protocol);
	print_end(six, key->source, &info->ip6.source, key->source_port, ports);
	fputs(" > ", stdout);
	print_end(six, key->destination, &info->ip6.destination, key->destination_port, ports);
	if (outcome->later)
		fputs(" fragment", stdout);
	else if (key->protocol == RULES_ICMP || key->protocol == RULES_ICMP6)
		printf(" type %u code %u", info->icmp_type, info->icmp_code);
	if (!tcp || !info->tcp_flags)
		return;
	fputs(" flags ", stdout);
	for (uint32_t i = 0; i < 8; i++)
		if (info->tcp_flags & 1u << i)
			putchar(letters[i]);
}

static void print_verdict(const struct ruleset *rules, const struct rules_verdict *verdict,
			  bool first)
{
	printf("%s ", first ? "" : ",");
	if (verdict->rule == RULES_NO_RULE)
		fputs("no rule", stdout);
	else
		printf("line %" PRIu32, ruleset_rule_line(rules, verdict->rule));
	show_verdict(stdout, verdict);
}

static void print_outcome(const struct replay *replay, const struct replay_outcome *outcome,
			  bool cut)
{
	const struct rules_verdict *last =
		&outcome->verdicts[outcome->judged ? outcome->judged - 1 : 0];

	switch (outcome->kind) {
	case REPLAY_PASS:
		fputs(": pass", stdout);
		for (uint32_t i = 0; i < outcome->judged; i++)
			print_verdict(replay->rules, &outcome->verdicts[i], i == 0);
		break;
	case REPLAY_STATE:
		printf(": state, frame %" PRIu32, outcome->since);
		break;
	case REPLAY_BLOCK:
		fputs(last->action == RULES_BLOCK_RETURN ? ": block return" : ": block", stdout);
		print_verdict(replay->rules, last, true);
		break;
	case REPLAY_HOLD:
		fputs(": hold until the first fragment comes", stdout);
		break;
	case REPLAY_APART:
		fputs(": not judged", stdout);
		break;
	default:
		printf(": drop %s, %s%s", drop_name(outcome->reason), drop_text(outcome->reason),
		       cut ? " (the capture has only its beginning)" : "");
	}
	putchar('\n');
}

static void released(struct replay *replay, uint32_t frame)
{
	printf("%" PRIu32 " goes on with frame %" PRIu32 "\n", frame, replay->frame);
	replay->counts[REPLAY_HOLD]--;
	replay->counts[REPLAY_STATE]++;
}

static void print_sum(const struct replay *replay)
{
	static const char *const names[REPLAY_KINDS] = { "passed",  "by state", "blocked",
							 "dropped", "held",	"not judged" };

	printf("# %" PRIu32 " packets:", replay->frame);
	for (uint32_t i = 0; i < REPLAY_KINDS; i++)
		printf("%s %" PRIu64 " %s", i ? "," : "", replay->counts[i], names[i]);
	putchar('\n');
}

/* ---- the capture ---- */

static int play(struct replay *replay, struct capture_file *file)
{
	struct capture_frame frame;
	struct replay_outcome outcome;
	uint64_t begin_ns = 0;
	int result;

	while ((result = capture_file_next(file, &frame)) == 1) {
		uint64_t us;

		if (replay->frame == 0)
			begin_ns = frame.time_ns;
		us = frame.time_ns > begin_ns ? (frame.time_ns - begin_ns) / NS_PER_US : 0;
		replay_frame(replay, frame.bytes, frame.captured, frame.length,
			     capture_file_is_bare(file), frame.time_ns, &outcome);
		printf("%" PRIu32 " %" PRIu64 ".%06" PRIu64 " ", replay->frame, us / US_PER_SECOND,
		       us % US_PER_SECOND);
		print_tuple(&outcome);
		print_outcome(replay, &outcome, frame.captured < frame.length);
	}
	print_sum(replay);
	if (result < 0)
		return CHECK_TROUBLE;
	return replay->counts[REPLAY_PASS] + replay->counts[REPLAY_STATE] ? CHECK_GOOD
									  : CHECK_NOTHING;
}

int replay_run(struct ruleset *rules, const struct replay_addresses *clients,
	       const struct replay_addresses *self, const char *capture)
{
	struct capture_file *file = capture_file_open(capture);
	struct replay *replay = calloc(1, sizeof(*replay));
	int result = CHECK_TROUBLE;

	if (file && replay) {
		replay->rules = rules;
		replay->clients = *clients;
		replay->self = *self;
		replay->released = released;
		if (replay_init(replay))
			result = play(replay, file);
		else
			fputs("ringwall-check: not enough memory\n", stderr);
		replay_end(replay);
	}
	if (file)
		capture_file_close(file);
	free(replay);
	return result;
}
