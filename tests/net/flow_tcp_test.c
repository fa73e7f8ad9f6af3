/* SPDX-License-Identifier: ISC */
/* Segments of TCP and what the flow makes of them: states, windows, resets, times. */
#include <string.h>

#include "net/flow_tcp.h"
#include "tests/net/test_flows.h"

#define OK (-1)

struct step {
	enum flow_direction direction;
	uint8_t flags;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t payload;
	int verdict; /* OK or why it is dropped */
	enum flow_state after;
};

#define O FLOW_ORIGINAL
#define R FLOW_REPLY
#define WINDOW DROP_TCP_WINDOW
#define STATE DROP_FLOW_STATE
#define OFFERED 5000u

static uint8_t options[128];

static int track(struct flow *flow, const struct step *step, uint16_t window, uint64_t now_ns)
{
	struct packet packet = { .data = options, .l3_offset = 14, .l4_offset = 34 };
	struct packet_info info = { .tcp_flags = step->flags,
				    .tcp_sequence = step->sequence,
				    .tcp_acknowledgement = step->acknowledgement,
				    .tcp_window = window,
				    .payload_length = step->payload,
				    .header_length = 40 };
	enum drop_reason reason;

	return flow_tcp_track(flow, step->direction, &packet, &info, now_ns, &reason) ? OK
										      : (int)reason;
}

static struct flow *tcp_flow(struct table_world *world)
{
	struct flow_tuple key = tuple_number(1, 4, 6, 1), reply = flow_tuple_reverse(&key, 2);
	const struct flow_request request = {
		.original = &key, .reply = &reply, .state = FLOW_TCP_SYN_SENT, .quota = 4
	};
	struct flow *flow;

	ck_assert_int_eq(flow_create(&world->table, &request, world->now_ns, &flow), 0);
	return flow;
}

static void run_steps(const struct step *steps, size_t count)
{
	static struct table_world world;
	struct flow *flow;

	world_begin(&world, 4, 0);
	flow = tcp_flow(&world);
	for (size_t i = 0; i < count; i++) {
		int verdict = track(flow, &steps[i], OFFERED, world.now_ns);

		ck_assert_msg(verdict == steps[i].verdict, "step %zu: %d instead of %d", i, verdict,
			      steps[i].verdict);
		ck_assert_msg(flow->state == steps[i].after, "step %zu: %s instead of %s", i,
			      flow_state_name(flow->state), flow_state_name(steps[i].after));
	}
	world_end(&world);
}

#define RUN(...)                                             \
	do {                                                 \
		const struct step steps[] = { __VA_ARGS__ }; \
		run_steps(steps, ARRAY_SIZE(steps));         \
	} while (0)

#define OPEN                                                              \
	{ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },                     \
		{ R, SYN | ACK, 900, 101, 0, OK, FLOW_TCP_SYN_RECEIVED }, \
	{                                                                 \
		O, ACK, 101, 901, 0, OK, FLOW_TCP_ESTABLISHED             \
	}

START_TEST(opens_and_closes)
{
	RUN(OPEN, { O, ACK | PSH, 101, 901, 50, OK, FLOW_TCP_ESTABLISHED },
	    { R, ACK, 901, 151, 0, OK, FLOW_TCP_ESTABLISHED },
	    { O, FIN | ACK, 151, 901, 0, OK, FLOW_TCP_CLOSING },
	    { R, ACK, 901, 152, 700, OK, FLOW_TCP_CLOSING }, /* half closed */
	    { O, ACK, 152, 1601, 0, OK, FLOW_TCP_CLOSING },
	    { R, FIN | ACK, 1601, 152, 0, OK, FLOW_TCP_FIN_WAIT },
	    { O, ACK, 152, 1602, 0, OK, FLOW_TCP_CLOSED },
	    { R, FIN | ACK, 1601, 152, 0, OK, FLOW_TCP_CLOSED }); /* sent once more */
}
END_TEST

START_TEST(both_close_at_once)
{
	RUN(OPEN, { O, FIN | ACK, 101, 901, 0, OK, FLOW_TCP_CLOSING },
	    { R, FIN | ACK, 901, 101, 0, OK, FLOW_TCP_FIN_WAIT },
	    { O, ACK, 102, 902, 0, OK, FLOW_TCP_FIN_WAIT },
	    { R, ACK, 902, 102, 0, OK, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(both_open_at_once)
{
	RUN({ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, SYN, 900, 0, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { O, SYN | ACK, 100, 901, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 900, 101, 0, OK, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(numbers_wrap)
{
	RUN({ O, SYN, UINT32_MAX, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, UINT32_MAX - 1, 0, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 0, UINT32_MAX, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, ACK | FIN, UINT32_MAX, 0, 10, OK, FLOW_TCP_CLOSING },
	    { O, ACK | FIN, 0, 10, 0, OK, FLOW_TCP_FIN_WAIT },
	    { R, ACK, 10, 1, 0, OK, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(a_refused_connection_is_closed)
{
	RUN({ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, RST | ACK, 0, 77, 0, WINDOW, FLOW_TCP_SYN_SENT }, /* a blind guess */
	    { R, RST, 101, 0, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, RST | ACK, 0, 101, 0, OK, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(the_client_gives_up)
{
	RUN({ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { O, RST, 50, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { O, RST, 101, 0, 0, OK, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(resets_must_fit)
{
	RUN(OPEN, { R, RST, 902, 0, 0, OK, FLOW_TCP_ESTABLISHED }, /* in the window, not exact */
	    { R, RST, 900, 0, 0, WINDOW, FLOW_TCP_ESTABLISHED },   /* before it */
	    { R, RST, 901 + 5001, 0, 0, WINDOW, FLOW_TCP_ESTABLISHED },
	    { O, RST, 4000000000u, 0, 0, WINDOW, FLOW_TCP_ESTABLISHED },
	    { R, ACK, 901, 101, 300, OK, FLOW_TCP_ESTABLISHED },
	    { R, RST, 1201, 0, 0, OK, FLOW_TCP_CLOSED }); /* after all that it has sent */
	RUN(OPEN, { R, RST, 901, 0, 0, OK, FLOW_TCP_CLOSED });
	RUN(OPEN, { O, RST | ACK, 101, 901, 0, OK, FLOW_TCP_CLOSED });
}
END_TEST

START_TEST(nobody_opens_backwards)
{
	RUN(OPEN, { R, SYN, 5, 0, 0, STATE, FLOW_TCP_ESTABLISHED },
	    { O, SYN, 5, 0, 0, OK, FLOW_TCP_ESTABLISHED }, /* the other end challenges it */
	    { R, ACK, 901, 101, 0, OK, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(an_old_connection_clears_the_way)
{
	/* The other end is still in one that nobody here knows: its challenge must pass. */
	RUN({ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, ACK, 7000, 8000, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, ACK, 7000, 8000, 1, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, ACK | FIN, 7000, 8000, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 7000, 8000, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { O, RST, 8000, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 101, 0, OK, FLOW_TCP_SYN_RECEIVED });
	/* It is here that the old one is known: who began opens once more. */
	RUN(OPEN, { O, SYN, 90000, 0, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, ACK, 901, 101, 0, OK, FLOW_TCP_ESTABLISHED }, /* the challenge */
	    { O, RST, 101, 0, 0, OK, FLOW_TCP_CLOSED });
	/* And the other end has forgotten it too. */
	RUN(OPEN, { O, SYN, 90000, 0, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 70000, 90001, 0, WINDOW, FLOW_TCP_CLOSED });
	RUN(OPEN, { O, SYN, 90000, 0, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, RST | ACK, 0, 90001, 0, OK, FLOW_TCP_CLOSED });
	/* Only then: not when it goes on, nor for a late SYN of its own. */
	RUN(OPEN, { O, SYN, 90000, 0, 0, OK, FLOW_TCP_ESTABLISHED },
	    { O, ACK, 101, 901, 5, OK, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 70000, 90001, 0, WINDOW, FLOW_TCP_ESTABLISHED });
	RUN(OPEN, { O, SYN, 100, 0, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, RST | ACK, 0, 90001, 0, WINDOW, FLOW_TCP_ESTABLISHED });
	/* In the window some would reset for it. */
	RUN(OPEN, { O, SYN, 101, 0, 0, STATE, FLOW_TCP_ESTABLISHED },
	    { O, SYN, 5101, 0, 0, STATE, FLOW_TCP_ESTABLISHED },
	    { O, SYN, 5102, 0, 0, OK, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(a_syn_is_repeated_or_tried_anew)
{
	RUN({ O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { O, SYN, 100, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { O, SYN, 5000, 0, 0, OK, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 101, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 5001, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { O, SYN, 5000, 0, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { R, SYN | ACK, 900, 5001, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { R, SYN, 77, 0, 0, STATE, FLOW_TCP_SYN_RECEIVED },
	    /* Without memory of its first answer (SYN cookies) it may answer otherwise. */
	    { R, SYN | ACK, 2000000, 5001, 0, OK, FLOW_TCP_SYN_RECEIVED },
	    { R, SYN | ACK, 3000000, 5000, 0, WINDOW, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 5001, 901, 0, WINDOW, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 5001, 2000000, 0, WINDOW, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 5001, 2000002, 0, WINDOW, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 5001, 2000001, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 2000000, 5001, 0, OK, FLOW_TCP_ESTABLISHED },
	    { R, SYN | ACK, 4000000, 5001, 0, WINDOW, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(data_may_come_with_the_syn)
{
	RUN({ O, SYN, 100, 0, 500, OK, FLOW_TCP_SYN_SENT },	      /* RFC 7413 */
	    { R, SYN | ACK, 900, 101, 0, OK, FLOW_TCP_SYN_RECEIVED }, /* not taken */
	    { R, ACK, 901, 101, 300, OK, FLOW_TCP_SYN_RECEIVED },
	    { R, ACK, 1201, 101, 300, OK, FLOW_TCP_SYN_RECEIVED },
	    { R, ACK, 901 + OFFERED + 2, 101, 300, WINDOW, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 101, 901, 500, OK, FLOW_TCP_ESTABLISHED });
	RUN({ O, SYN, 100, 0, 500, OK, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 602, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 100, 0, WINDOW, FLOW_TCP_SYN_SENT },
	    { R, SYN | ACK, 900, 601, 700, OK, FLOW_TCP_SYN_RECEIVED },
	    { O, ACK, 601, 1601, 0, OK, FLOW_TCP_ESTABLISHED });
}
END_TEST

START_TEST(flags_must_make_sense)
{
	for (unsigned int flags = 0; flags < 64; flags++) {
		unsigned int kind = flags & (SYN | ACK | FIN | RST);
		bool sense = kind == ACK || kind == (ACK | FIN) || kind == RST ||
			     kind == (RST | ACK) || kind == (SYN | ACK);

		/* A SYN in the window is no better. */
		if (!sense)
			RUN(OPEN, { O, (uint8_t)flags, 101, 901, 0, STATE, FLOW_TCP_ESTABLISHED });
	}
}
END_TEST

/* Kinds of segments against where they lie, seen from an end that has sent up to `next`
 * and may send up to `edge`; in every state in which both ends have spoken. */
struct cell {
	uint8_t flags;
	uint32_t payload;
	int32_t sequence;
	int32_t acknowledgement;
	bool passes;
};

static const struct cell grid[] = {
	/* in order, at the window's edges, beyond them */
	{ ACK, 0, 0, 0, true },
	{ ACK, 1000, 0, 0, true },
	{ ACK, 60000, 0, 0, true },
	{ ACK, 1000, 4000, 0, true },
	{ ACK, 1, OFFERED, 0, true },
	{ ACK, 0, OFFERED + 1, 0, true },
	{ ACK, 0, OFFERED + 2, 0, false },
	{ ACK, 1000, OFFERED + 2, 0, false },
	{ ACK, 0, -1, 0, true }, /* a keep-alive */
	{ ACK, 1, -1, 0, true },
	{ ACK, 0, -(int32_t)OFFERED - 1, 0, true },
	{ ACK, 0, -(int32_t)OFFERED - 2, 0, false },
	{ ACK, 1000, -(int32_t)OFFERED - 1001, 0, true },
	{ ACK, 1000, -(int32_t)OFFERED - 1002, 0, false },
	{ ACK, 1000, INT32_MAX, 0, false },
	{ ACK, 1000, INT32_MIN, 0, false },
	/* acknowledgements */
	{ ACK, 0, 0, 1, false },
	{ ACK, 1000, 0, 1, false },
	{ ACK, 0, 0, -66000, true },
	{ ACK, 0, 0, -66001, false },
	{ ACK, 0, 0, INT32_MAX, false },
	{ ACK | FIN, 0, 0, 1, false },
	{ ACK | FIN, 0, OFFERED + 2, 0, false },
	{ ACK | FIN, 0, -(int32_t)OFFERED - 3, 0, false },
	{ ACK | PSH, 1, 0, 1, false },
	{ SYN | ACK, 0, OFFERED + 2, 0, false },
	{ SYN | ACK, 0, 0, 1, false },
	/* resets */
	{ RST, 0, -1, 0, false },
	{ RST, 0, OFFERED + 1, 0, false },
	{ RST, 0, OFFERED, 0, true },
	{ RST, 0, 1, 0, true },
	{ RST, 0, 0, 0, true },
	{ RST | ACK, 0, -1, 0, false },
	{ RST | ACK, 0, INT32_MIN, 0, false },
	{ RST | ACK, 0, INT32_MAX, 0, false },
};

static void check_cell(const struct cell *cell, enum flow_state state, unsigned int d)
{
	static const struct step open[] = { OPEN };
	static struct table_world world;
	struct step step = { .direction = d,
			     .flags = cell->flags,
			     .sequence = (d == O ? 101 : 901) + (uint32_t)cell->sequence,
			     .acknowledgement =
				     (d == O ? 901 : 101) + (uint32_t)cell->acknowledgement,
			     .payload = (uint16_t)cell->payload };
	bool closes = cell->flags & RST && cell->sequence == 0;
	struct flow *flow, was;
	int verdict;

	world_begin(&world, 4, 0);
	flow = tcp_flow(&world);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		ck_assert_int_eq(track(flow, &open[i], OFFERED, world.now_ns), OK);
	flow_set_state(flow, state, world.now_ns);
	was = *flow;
	verdict = track(flow, &step, OFFERED, world.now_ns);
	ck_assert_msg((verdict == OK) == cell->passes, "%u at %d, %d: %d in %s", cell->flags,
		      cell->sequence, cell->acknowledgement, verdict, flow_state_name(state));
	if (!cell->passes) {
		ck_assert_int_eq(verdict, WINDOW);
		ck_assert_int_eq(memcmp(&was, flow, sizeof(was)), 0); /* and changes nothing */
	}
	ck_assert((flow->state == FLOW_TCP_CLOSED) == (closes || state == FLOW_TCP_CLOSED));
	world_end(&world);
}

START_TEST(segments_must_lie_in_the_window)
{
	static const enum flow_state states[] = { FLOW_TCP_ESTABLISHED, FLOW_TCP_CLOSING,
						  FLOW_TCP_FIN_WAIT, FLOW_TCP_CLOSED };

	for (size_t i = 0; i < ARRAY_SIZE(grid); i++)
		for (size_t s = 0; s < ARRAY_SIZE(states); s++)
			for (unsigned int d = 0; d < 2; d++)
				check_cell(&grid[i], states[s], d);
}
END_TEST

START_TEST(a_doubtful_reset_shortens_the_time)
{
	static const struct step open[] = { OPEN };
	const struct step doubtful = { R, RST, 902, 0, 0, OK, FLOW_TCP_ESTABLISHED };
	const struct step more = { O, ACK, 101, 901, 5, OK, FLOW_TCP_ESTABLISHED };
	static struct table_world world;
	struct flow *flow;

	world_begin(&world, 4, 0);
	for (unsigned int goes_on = 0; goes_on < 2; goes_on++) {
		flow = tcp_flow(&world);
		for (size_t i = 0; i < ARRAY_SIZE(open); i++)
			ck_assert_int_eq(track(flow, &open[i], OFFERED, world.now_ns), OK);
		ck_assert_int_eq(track(flow, &doubtful, OFFERED, world.now_ns), OK);
		world_advance(&world, 200 * TEST_SECOND);
		if (goes_on) /* whoever got it did not believe it */
			ck_assert_int_eq(track(flow, &more, OFFERED, world.now_ns), OK);
		world_advance(&world, 500 * TEST_SECOND);
		ck_assert_uint_eq(world.table.used, goes_on);
	}
	world_end(&world);
}
END_TEST

START_TEST(old_ports_are_used_again)
{
	static struct table_world world;
	struct packet_info syn = { .tcp_flags = SYN }, ack = { .tcp_flags = ACK };
	struct flow *flow;

	world_begin(&world, 4, 0);
	flow = tcp_flow(&world);
	for (enum flow_state state = FLOW_TCP_SYN_SENT; state <= FLOW_TCP_CLOSED; state++) {
		bool is_over = state == FLOW_TCP_CLOSED;

		flow_set_state(flow, state, world.now_ns);
		ck_assert_int_eq(flow_tcp_is_reuse(flow, O, &syn),
				 is_over || state == FLOW_TCP_FIN_WAIT);
		ck_assert_int_eq(flow_tcp_is_reuse(flow, R, &syn), is_over);
		ck_assert(!flow_tcp_is_reuse(flow, O, &ack));
	}
	world_end(&world);
}
END_TEST

/* Through the router: times of the states, the scaled window, a new SYN on old ports. */
static struct frame frame;

static void tcp_out(struct test_net *net, uint8_t flags, uint32_t sequence, uint32_t ack)
{
	struct ends ends = ends_out(0, CLIENT_IP(1));

	frame_tcp(&frame, &ends, 4000, 80, flags, sequence, ack, 0);
	test_pass(net, &net->client[0], &net->client[1], &frame);
}

static void tcp_back(struct test_net *net, uint8_t flags, uint32_t sequence, uint32_t ack)
{
	struct ends ends = ends_out(1, CLIENT_IP(0));

	frame_tcp(&frame, &ends, 80, 4000, flags, sequence, ack, 0);
	test_pass(net, &net->client[1], &net->client[0], &frame);
}

START_TEST(each_state_has_its_time)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	tcp_out(net, SYN, 100, 0);
	test_net_advance(net, 239 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);

	tcp_out(net, SYN, 100, 0);
	tcp_back(net, SYN | ACK, 900, 101);
	tcp_out(net, ACK, 101, 901);
	test_net_advance(net, 86300 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_out(net, FIN | ACK, 101, 901);
	test_net_advance(net, 899 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_back(net, FIN | ACK, 901, 102);
	tcp_out(net, ACK, 102, 902);
	test_net_advance(net, 239 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 1);
	tcp_out(net, ACK, 102, 902); /* a closed flow is not kept alive */
	test_net_advance(net, 2 * TEST_SECOND);
	ck_assert_uint_eq(net->router.flows.used, 0);
	test_net_end(net);
}
END_TEST

START_TEST(windows_are_scaled)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);
	struct ends out = ends_out(0, CLIENT_IP(1)), back = ends_out(1, CLIENT_IP(0));
	const struct flow *flow;

	frame_syn_scaled(&frame, &out, 4000, 80, 100, 7);
	test_pass(net, &net->client[0], &net->client[1], &frame);
	frame_syn_scaled(&frame, &back, 80, 4000, 900, 3);
	frame.bytes[47] = SYN | ACK;
	put32(frame.bytes + 42, 101);
	frame_finish(&frame);
	test_pass(net, &net->client[1], &net->client[0], &frame);
	tcp_out(net, ACK, 101, 901);
	tcp_back(net, ACK, 901, 101);
	flow = &net->router.flows.flows[0];
	for (uint32_t i = 0; flow->state == FLOW_FREE; i++)
		flow = &net->router.flows.flows[i];
	ck_assert_uint_eq(flow->side[FLOW_ORIGINAL].window, 65000u << 7);
	ck_assert_uint_eq(flow->side[FLOW_REPLY].window, 65000u << 3);
	test_net_end(net);
}
END_TEST

START_TEST(a_new_syn_begins_anew_and_is_judged)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 64);

	tcp_out(net, SYN, 100, 0);
	tcp_back(net, RST | ACK, 0, 101);
	tcp_out(net, SYN, 5000, 0);
	ck_assert_uint_eq(net->router.flows.created, 2 + 1); /* one before the test began */
	tcp_back(net, SYN | ACK, 1, 5001);
	tcp_out(net, ACK, 5001, 2);
	tcp_back(net, RST, 2, 0);
	test_net_set_rules(net, "block\n");
	{
		struct ends ends = ends_out(0, CLIENT_IP(1));

		frame_tcp(&frame, &ends, 4000, 80, SYN, 9000, 0, 0);
	}
	test_drop(net, &net->client[0], &frame, DROP_BLOCKED);
	test_net_end(net);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, opens_and_closes);
	tcase_add_test(cases, both_close_at_once);
	tcase_add_test(cases, both_open_at_once);
	tcase_add_test(cases, numbers_wrap);
	tcase_add_test(cases, a_refused_connection_is_closed);
	tcase_add_test(cases, the_client_gives_up);
	tcase_add_test(cases, resets_must_fit);
	tcase_add_test(cases, nobody_opens_backwards);
	tcase_add_test(cases, an_old_connection_clears_the_way);
	tcase_add_test(cases, a_syn_is_repeated_or_tried_anew);
	tcase_add_test(cases, data_may_come_with_the_syn);
	tcase_add_test(cases, flags_must_make_sense);
	tcase_add_test(cases, segments_must_lie_in_the_window);
	tcase_add_test(cases, a_doubtful_reset_shortens_the_time);
	tcase_add_test(cases, old_ports_are_used_again);
	tcase_add_test(cases, each_state_has_its_time);
	tcase_add_test(cases, windows_are_scaled);
	tcase_add_test(cases, a_new_syn_begins_anew_and_is_judged);
}

int main(void)
{
	return unit_main("net/flow_tcp", add_cases);
}
