/* SPDX-License-Identifier: ISC */
/*
 * When rules or our addresses change: exactly those flows end whose first packet would now be
 * blocked or translated in another way. Random rules against a model of last match wins.
 */
#include <string.h>

#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define RULES 8u
#define FLOWS 40u
#define PORTS 3u
#define OTHER_IP IP(10, 137, 0, 77)
#define FIRST_INSIDE 8080u /* ports of ours that rules may lead inside */

enum side { ON_ANY, ON_UPLINK, ON_CLIENTS };
enum model_nat { NAT_NOT_SAID, NAT_OURS, NAT_OTHER, NAT_STATIC, NATS };

struct model_rule {
	bool pass, quick;
	enum rules_direction direction;
	enum side on;
	unsigned int version; /* 0: both */
	int client;	      /* as the source; -1: any */
	uint16_t port;	      /* destination; 0: any */
	enum model_nat nat;
	int rdr_client; /* -1: none */
	uint16_t rdr_port;
};

struct model_flow {
	unsigned int version;
	int client; /* that begins it; -1: the server */
	uint16_t from, port;
	uint32_t outer4; /* what it was translated to */
	struct six outer6;
	uint16_t outer_port;
	int inner; /* client that it was led to */
	uint16_t inner_port;
};

static struct frame frame;
static struct test_net *net;
static uint64_t state;
static struct model_rule rules[RULES];
static uint32_t rule_count;

static uint32_t below(uint32_t n)
{
	return (uint32_t)(unit_random(&state) >> 33) % n;
}

static struct model_rule random_rule(void)
{
	struct model_rule rule = {
		.pass = below(3) != 0,
		.quick = below(6) == 0,
		.direction = below(2) ? RULES_IN : RULES_OUT,
		.on = (enum side)below(3),
		.client = below(2) ? -1 : (int)below(TEST_CLIENTS),
		.port = below(2) ? 0 : (uint16_t)(50 + below(PORTS)),
		.rdr_client = -1,
	};

	if (below(3) == 0)
		rule.version = below(2) ? 6 : 4;
	if (rule.pass && rule.direction == RULES_OUT && rule.on == ON_UPLINK) {
		rule.nat = (enum model_nat)below(NATS);
		if (rule.nat)
			rule.version = rule.nat == NAT_OTHER || below(2) ? 4 : 6;
	} else if (rule.pass && rule.direction == RULES_IN && rule.on == ON_UPLINK) {
		rule.client = -1;
		rule.version = 4;
		rule.port = (uint16_t)(FIRST_INSIDE + below(PORTS));
		rule.rdr_client = (int)below(TEST_CLIENTS);
		rule.rdr_port = below(2) ? 0 : (uint16_t)(80 + below(2));
	}
	return rule;
}

static int print_source(char *to, size_t room, const struct model_rule *rule)
{
	if (rule->client < 0)
		return snprintf(to, room, " from any");
	return rule->version == 4   ? snprintf(to, room, " from 10.138.0.1%d", rule->client)
	       : rule->version == 6 ? snprintf(to, room, " from fd00:2::1%d", rule->client)
				    : snprintf(to, room, " from { 10.138.0.1%d fd00:2::1%d }",
					       rule->client, rule->client);
}

static int print_rule(char *to, size_t room, const struct model_rule *rule)
{
	static const char *const nats[] = { "", " nat-to (uplink)", " nat-to 10.137.0.77",
					    " nat-to (uplink) static-port" };
	static const char *const sides[] = { "", " on uplink", " on clients" };
	int n = snprintf(to, room, "%s %s%s%s%s proto udp", rule->pass ? "pass" : "block",
			 rule->direction == RULES_IN ? "in" : "out", rule->quick ? " quick" : "",
			 sides[rule->on],
			 rule->version == 4   ? " inet"
			 : rule->version == 6 ? " inet6"
					      : "");

	n += print_source(to + n, room - n, rule);
	n += snprintf(to + n, room - n, " to %s", rule->rdr_client >= 0 ? "self" : "any");
	if (rule->port)
		n += snprintf(to + n, room - n, " port %u", rule->port);
	if (rule->rdr_client >= 0)
		n += snprintf(to + n, room - n, " rdr-to 10.138.0.1%d", rule->rdr_client);
	if (rule->rdr_port)
		n += snprintf(to + n, room - n, " port %u", rule->rdr_port);
	return n + snprintf(to + n, room - n, "%s\n", nats[rule->nat]);
}

static void set_random_rules(void)
{
	static char text[8192];
	int n = 0;

	rule_count = 1 + below(RULES);
	rules[0] = (struct model_rule){
		.pass = true, .direction = RULES_IN, .client = -1, .rdr_client = -1
	};
	if (rule_count > 1)
		rules[1] = (struct model_rule){
			.pass = true, .direction = RULES_OUT, .client = -1, .rdr_client = -1
		};
	for (uint32_t i = 2; i < rule_count; i++)
		rules[i] = random_rule();
	for (uint32_t i = 0; i < rule_count; i++)
		n += print_rule(text + n, sizeof(text) - (size_t)n, &rules[i]);
	test_net_set_rules(net, text);
}

/* Addresses are told apart by kind: a client's source, and ourselves as destination. */
static const struct model_rule *model_judge(const struct model_flow *flow,
					    enum rules_direction direction, enum side on)
{
	static const struct model_rule none;
	const struct model_rule *found = &none;

	for (uint32_t i = 0; i < rule_count; i++) {
		const struct model_rule *rule = &rules[i];

		if (rule->direction != direction || (rule->on && rule->on != on) ||
		    (rule->version && rule->version != flow->version) ||
		    (rule->client >= 0 && rule->client != flow->client) ||
		    (rule->port && rule->port != flow->port) ||
		    (rule->rdr_client >= 0 && flow->client >= 0))
			continue;
		found = rule;
		if (rule->quick)
			break;
	}
	return found;
}

static bool outwards_is_kept(const struct model_flow *flow, const struct model_rule *out)
{
	static const struct six nothing;

	if (flow->version == 6) {
		bool translated = !six_equal(flow->outer6, nothing);

		return translated == (out->nat != NAT_NOT_SAID) &&
		       (out->nat != NAT_STATIC || flow->outer_port == flow->from);
	}
	return flow->outer4 == (out->nat == NAT_OTHER ? OTHER_IP : OUR_IP) &&
	       (out->nat != NAT_STATIC || flow->outer_port == flow->from);
}

/* Would the flow begin, as it is, by the rules of now? */
static bool model_keeps(const struct model_flow *flow)
{
	enum side from = flow->client < 0 ? ON_UPLINK : ON_CLIENTS;
	enum side to = flow->client < 0 ? ON_CLIENTS : ON_UPLINK;
	const struct model_rule *in = model_judge(flow, RULES_IN, from);
	const struct model_rule *out = model_judge(flow, RULES_OUT, to);

	if (!in->pass || !out->pass)
		return false;
	if (flow->client >= 0)
		return outwards_is_kept(flow, out);
	return in->rdr_client == flow->inner &&
	       (in->rdr_port ? in->rdr_port : flow->port) == flow->inner_port;
}

static void begin_outwards(struct model_flow *flow)
{
	struct test_link *link = &net->client[flow->client];
	struct ends ends = ends_out((unsigned int)flow->client, SERVER_IP);
	struct ends6 ends6 = ends6_out((unsigned int)flow->client, SERVER_IP6);

	if (flow->version == 6)
		frame6_udp(&frame, &ends6, flow->from, flow->port, 20);
	else
		frame_udp(&frame, &ends, flow->from, flow->port, 20);
	test_link_input(link, &frame);
}

static bool note_outwards(struct model_flow *flow)
{
	const struct frame *out = test_link_take(&net->uplink);

	if (!out)
		return false;
	if (flow->version == 4) {
		flow->outer4 = frame_source(out);
		flow->outer_port = frame_source_port(out);
		return true;
	}
	flow->outer6 = frame6_source(out);
	flow->outer_port = frame6_source_port(out);
	if (six_equal(flow->outer6, client_ip6((unsigned int)flow->client)))
		memset(&flow->outer6, 0, sizeof(flow->outer6));
	return true;
}

static bool note_inwards(struct model_flow *flow)
{
	test_link_skip(&net->uplink); /* what we said to it */
	for (flow->inner = 0; flow->inner < (int)TEST_CLIENTS; flow->inner++) {
		const struct frame *out = test_link_take(&net->client[flow->inner]);

		if (!out)
			continue;
		flow->inner_port = frame_destination_port(out);
		return true;
	}
	return false;
}

/* Sends a first packet and notes what became of it. */
static bool begin(struct model_flow *flow)
{
	struct ends ends = ends_in(SERVER_IP);

	if (flow->client >= 0) {
		begin_outwards(flow);
		return note_outwards(flow);
	}
	frame_udp(&frame, &ends, flow->from, flow->port, 20);
	test_link_input(&net->uplink, &frame);
	return note_inwards(flow);
}

static bool is_there(const struct model_flow *flow)
{
	const struct test_link *link = flow->client < 0 ? &net->uplink : &net->client[flow->client];
	const struct router_interface *interface = link->netdev.stack;
	struct flow_tuple tuple = { .key = { .protocol = 17,
					     .version = (uint8_t)flow->version,
					     .interface = interface->index,
					     .source_port = be16_of(flow->from),
					     .destination_port = be16_of(flow->port) } };
	enum flow_direction direction;

	if (flow->version == 6) {
		struct six from = client_ip6((unsigned int)flow->client), to = six(SERVER_IP6);
		struct ip6_address wire;

		memcpy(&wire, &from, sizeof(wire));
		flow_tuple_set_source6(&tuple, &wire);
		memcpy(&wire, &to, sizeof(wire));
		flow_tuple_set_destination6(&tuple, &wire);
	} else if (flow->client < 0) {
		tuple.key.source = be32_of(SERVER_IP);
		tuple.key.destination = be32_of(OUR_IP);
	} else {
		tuple.key.source = be32_of(CLIENT_IP((uint32_t)flow->client));
		tuple.key.destination = be32_of(SERVER_IP);
	}
	return flow_find(&net->router.flows, &tuple, flow_hash(&net->router.flows, &tuple),
			 &direction) != NULL;
}

static struct model_flow random_flow(uint32_t i)
{
	struct model_flow flow = { .version = below(3) ? 4 : 6,
				   .client = (int)below(TEST_CLIENTS),
				   .from = (uint16_t)(5000 + below(8)),
				   .port = (uint16_t)(50 + below(PORTS)) };

	if (below(4) == 0) {
		flow.version = 4;
		flow.client = -1;
		flow.from = (uint16_t)(6000 + i);
		flow.port = (uint16_t)(FIRST_INSIDE + below(PORTS));
	}
	return flow;
}

START_TEST(new_rules_end_what_they_would_not_begin)
{
	uint32_t begun = 0, ended = 0;

	state = unit_seed() | 1;
	net = test_net_begin6(RULES_OPEN, 512);
	for (uint32_t round = 0; round < 400; round++) {
		struct model_flow flows[FLOWS];
		uint32_t count = 0, kept = 0;

		set_random_rules();
		for (uint32_t i = 0; i < FLOWS; i++) {
			struct model_flow *flow = &flows[count];

			*flow = random_flow(i);
			if (is_there(flow))
				continue;
			if (begin(flow)) {
				ck_assert_msg(model_keeps(flow), "a flow that the model blocks");
				count++;
			}
		}
		ck_assert_uint_eq(net->router.flows.used, count);
		begun += count;
		set_random_rules();
		for (uint32_t i = 0; i < count; i++) {
			bool keeps = model_keeps(&flows[i]);

			ck_assert_msg(is_there(&flows[i]) == keeps,
				      "round %u: a flow of client %d should %s", round,
				      flows[i].client, keeps ? "go on" : "end");
			kept += keeps;
		}
		ended += count - kept;
		ck_assert_uint_eq(net->router.flows.used, kept);
		ck_assert(nat_mappings_are_valid(&net->router.nat.mappings));
		router_flush_flows(&net->router);
		ck_assert_uint_eq(net->router.nat.mappings.used, 0);
	}
	ck_assert_uint_gt(begun, 2000);
	ck_assert_uint_gt(ended, 500);
	ck_assert_uint_gt(begun - ended, 500);
	test_net_end(net);
}
END_TEST

/* ---- our addresses change ---- */

static struct model_flow udp4, udp6, other;

static void begin_four(const char *text)
{
	struct ends ends = ends_out(2, CLIENT_IP(0));

	net = test_net_begin6(text, 64);
	udp4 = (struct model_flow){ .version = 4, .client = 0, .from = 5000, .port = 50 };
	udp6 = (struct model_flow){ .version = 6, .client = 0, .from = 5000, .port = 50 };
	other = (struct model_flow){ .version = 4, .client = 1, .from = 5000, .port = 50 };
	ck_assert(begin(&udp4) && begin(&udp6) && begin(&other));
	frame_udp(&frame, &ends, 5000, 50, 20);
	test_pass(net, &net->client[2], &net->client[0], &frame);
	ck_assert_uint_eq(net->router.flows.used, 4);
}

static const char nat_rules[] =
	"pass\npass out on uplink inet from 10.138.0.11 nat-to 10.137.0.77\n"
	"pass out on uplink inet6 nat-to (uplink)\n";

START_TEST(another_address_ends_what_had_the_old_one)
{
	struct router_uplink4 ip4 = { be32_of(OUR_IP + 1), 24, be32_of(GATEWAY_IP), 0 };

	begin_four(nat_rules);
	ck_assert_int_eq(router_set_uplink4(&net->router, &ip4), 0);
	ck_assert(!is_there(&udp4));
	ck_assert(is_there(&udp6) && is_there(&other));
	ck_assert_uint_eq(net->router.flows.used, 3);
	test_net_end(net);
}
END_TEST

START_TEST(the_same_address_again_ends_nothing)
{
	struct router_uplink4 ip4 = { be32_of(OUR_IP), 16, be32_of(GATEWAY_IP + 7), 0 };
	struct router_uplink6 ip6;

	begin_four(nat_rules);
	ip6 = net->router.ip6;
	ip6.gateway.bytes[15] ^= 1;
	ck_assert_int_eq(router_set_uplink4(&net->router, &ip4), 0);
	ck_assert_int_eq(router_set_uplink6(&net->router, &ip6), 0);
	ck_assert_uint_eq(net->router.flows.used, 4);
	test_net_end(net);
}
END_TEST

START_TEST(no_address_ends_what_had_one)
{
	const struct router_uplink4 none = { .prefix = 0 };

	begin_four(nat_rules);
	ck_assert_int_eq(router_set_uplink4(&net->router, &none), 0);
	ck_assert(!is_there(&udp4));
	ck_assert(is_there(&udp6));
	test_net_end(net);
}
END_TEST

START_TEST(another_address_of_ip6_ends_what_had_the_old_one)
{
	struct router_uplink6 ip6;

	for (unsigned int nat = 0; nat < 2; nat++) {
		begin_four(nat ? nat_rules : "pass\n");
		ip6 = net->router.ip6;
		ip6.address.bytes[15] ^= 1;
		ck_assert_int_eq(router_set_uplink6(&net->router, &ip6), 0);
		ck_assert(is_there(&udp6) == !nat);
		ck_assert(is_there(&udp4) && is_there(&other));
		test_net_end(net);
	}
}
END_TEST

START_TEST(other_prefixes_end_what_had_the_old_ones)
{
	static const char old[] = "pass\npass out on uplink inet6 from fd00:2::/48 nat-to "
				  "2001:db8:1::/48 nptv6\n";
	static const char new[] = "pass\npass out on uplink inet6 from fd00:2::/48 nat-to "
				  "2001:db8:2::/48 nptv6\n";
	static const char bits[] = "pass\npass out on uplink inet6 from fd00:2::/48 nat-to "
				   "2001:db8:1::/48 bitmask\n";

	begin_four(old);
	test_net_set_rules(net, old);
	ck_assert(is_there(&udp6));
	test_net_set_rules(net, new);
	ck_assert(!is_there(&udp6));
	ck_assert(begin(&udp6));
	test_net_set_rules(net, bits);
	ck_assert(!is_there(&udp6));
	ck_assert_uint_eq(net->router.flows.used, 3);
	test_net_end(net);
}
END_TEST

START_TEST(no_rules_end_everything)
{
	begin_four(nat_rules);
	test_net_set_rules(net, NULL);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, new_rules_end_what_they_would_not_begin);
	tcase_add_test(cases, another_address_ends_what_had_the_old_one);
	tcase_add_test(cases, the_same_address_again_ends_nothing);
	tcase_add_test(cases, no_address_ends_what_had_one);
	tcase_add_test(cases, another_address_of_ip6_ends_what_had_the_old_one);
	tcase_add_test(cases, other_prefixes_end_what_had_the_old_ones);
	tcase_add_test(cases, no_rules_end_everything);
}

int main(void)
{
	return unit_main("net/rejudge", add_cases);
}
