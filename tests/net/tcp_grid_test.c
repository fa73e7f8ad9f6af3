/* SPDX-License-Identifier: ISC */
/* Does to a connection what the grid of tcp_grid.h says, a case at a time. */
#include <string.h>

#include "net/tcp_core_parts.h"
#include "net/wire.h"
#include "tests/host/unit.h"
#include "tests/net/tcp_grid.h"

#define BLOCKS 16u
#define CONNECTIONS 2u
#define PORT 80
#define PEER_ISS 0xfffffff0u /* what comes and its window lie on both sides of 0 */
#define PEER_WINDOW 10000u
#define FULL 2000u /* bytes that close a small window */
#define SENT 10u   /* bytes under way */

static struct world {
	struct tcp_stack stack;
	struct random random;
	struct tcp_listener listener;
	struct tcp_connection connections[CONNECTIONS];
	struct tcp_time_wait waits[2];
	struct tcp_end *buckets[4];
	struct tcp_span spans[8];
	_Alignas(16) uint8_t blocks[BLOCKS][TCP_BLOCK_BYTES];
	bool taken[BLOCKS];
	struct tcp_transmission sent;
	uint32_t sent_count;
	uint64_t now;
	uint8_t version;
	struct tcp_connection *c; /* the application's, or half open */
} world;

static void *take(void *context)
{
	(void)context;
	for (unsigned int i = 0; i < BLOCKS; i++) {
		if (world.taken[i])
			continue;
		world.taken[i] = true;
		return world.blocks[i];
	}
	return NULL;
}

static void give(void *context, void *block)
{
	(void)context;
	world.taken[((uint8_t *)block - world.blocks[0]) / TCP_BLOCK_BYTES] = false;
}

static bool sends(void *context, const struct tcp_transmission *t)
{
	(void)context;
	world.sent = *t;
	world.sent_count++;
	return true;
}

static struct tcp_key key(void)
{
	struct tcp_key k = { .version = world.version,
			     .own_port = be16_of(PORT),
			     .peer_port = be16_of(4000) };
	unsigned int last = k.version == 4 ? 3 : 15;

	k.own[0] = k.peer[0] = k.version == 4 ? 10 : 0xfd;
	k.own[last] = 1;
	k.peer[last] = 2;
	return k;
}

static void begin(uint8_t version, bool shut)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 7 };
	struct tcp_config config = {
		.send = sends,
		.random = &world.random,
		.memory = { .take = take, .give = give, .limit = BLOCKS },
		.connections = world.connections,
		.connection_count = CONNECTIONS,
		.time_waits = world.waits,
		.time_wait_count = 2,
		.buckets = world.buckets,
		.bucket_count = 4,
		.spans = world.spans,
		.span_count = 8,
		.receive_bytes = shut ? FULL : 60000,
	};

	memset(world.taken, 0, sizeof(world.taken));
	memset(world.waits, 0, sizeof(world.waits));
	world.version = version;
	world.now = 1000 * TCP_SECOND_NS;
	world.sent_count = 0;
	world.c = NULL;
	random_init(&world.random, seed);
	ck_assert_int_eq(tcp_stack_init(&world.stack, &config, world.now), 0);
}

static void arrives(uint32_t sequence, uint32_t acknowledgement, uint8_t flags, uint32_t bytes)
{
	static const uint8_t data[FULL] = "grid";
	struct tcp_segment segment = {
		.key = key(),
		.sequence = sequence,
		.acknowledgement = flags & TCP_ACK ? acknowledgement : 0,
		.window = PEER_WINDOW,
		.flags = flags,
		.bytes = bytes,
		.piece_count = bytes ? 1 : 0,
		.pieces = { { data, bytes } },
	};

	tcp_input(&world.stack, &segment, NULL, world.now);
}

/* ---- each state, by what leads there ---- */

static void listens(void)
{
	world.listener = (struct tcp_listener){ .port = PORT, .backlog = 2 };
	ck_assert_int_eq(tcp_listen(&world.stack, &world.listener), 0);
}

static void connects(void)
{
	struct tcp_key k = key();
	int error;

	world.c = tcp_connect(&world.stack, &k, NULL, NULL, world.now, &error);
	ck_assert_ptr_nonnull(world.c);
}

static void established(bool with_data)
{
	uint8_t data[SENT] = { 0 };

	connects();
	arrives(PEER_ISS, world.c->snd_nxt, TCP_SYN | TCP_ACK, 0);
	ck_assert_uint_eq(world.c->end.state, TCP_ESTABLISHED);
	if (with_data)
		ck_assert_int_eq(tcp_send(world.c, data, SENT, world.now), SENT);
}

static void peer_ends(void)
{
	arrives(world.c->rcv_nxt, world.c->snd_una, TCP_FIN | TCP_ACK, 0);
}

static void reach(enum grid_state state)
{
	switch (state) {
	case G_LISTEN:
	case G_SYN_RECEIVED_PASSIVE:
		listens();
		break;
	case G_SYN_SENT:
	case G_SYN_RECEIVED:
		connects();
		break;
	case G_CLOSED:
		break;
	default:
		established(state != G_FIN_WAIT_2 && state != G_TIME_WAIT && state != G_CLOSING);
		break;
	}
	if (state == G_SYN_RECEIVED || state == G_SYN_RECEIVED_PASSIVE)
		arrives(PEER_ISS, 0, TCP_SYN, 0);
	if (state == G_SYN_RECEIVED_PASSIVE)
		world.c =
			list_entry(world.listener.half_open_list.next, struct tcp_connection, link);
	if (state == G_CLOSE_WAIT || state == G_LAST_ACK)
		peer_ends();
	if (state == G_FIN_WAIT_1 || state == G_FIN_WAIT_2 || state == G_CLOSING ||
	    state == G_LAST_ACK || state == G_TIME_WAIT)
		tcp_shutdown(world.c, world.now);
	if (state == G_FIN_WAIT_2 || state == G_TIME_WAIT)
		arrives(world.c->rcv_nxt, world.c->snd_nxt, TCP_ACK, 0);
	if (state == G_CLOSING || state == G_TIME_WAIT)
		peer_ends();
}

static const struct tcp_time_wait *waiting(void)
{
	struct tcp_key k = key();
	struct tcp_end *end = tcp_find(&world.stack, &k);

	return end && end->state == TCP_TIME_WAIT ? container_of(end, struct tcp_time_wait, end)
						  : NULL;
}

/* What has become of it. */
static enum grid_state state_now(void)
{
	static const uint8_t of[TCP_STATE_COUNT] = {
		[TCP_CLOSED] = G_CLOSED,
		[TCP_SYN_SENT] = G_SYN_SENT,
		[TCP_SYN_RECEIVED] = G_SYN_RECEIVED,
		[TCP_ESTABLISHED] = G_ESTABLISHED,
		[TCP_FIN_WAIT_1] = G_FIN_WAIT_1,
		[TCP_FIN_WAIT_2] = G_FIN_WAIT_2,
		[TCP_CLOSE_WAIT] = G_CLOSE_WAIT,
		[TCP_CLOSING] = G_CLOSING,
		[TCP_LAST_ACK] = G_LAST_ACK,
		[TCP_TIME_WAIT] = G_TIME_WAIT,
	};
	struct tcp_key k = key();
	struct tcp_end *end = tcp_find(&world.stack, &k);

	if (!end)
		return list_is_empty(&world.stack.listeners) ? G_CLOSED : G_LISTEN;
	if (end->state == TCP_SYN_RECEIVED &&
	    tcp_has(container_of(end, struct tcp_connection, end), TCP_FLAG_PASSIVE))
		return G_SYN_RECEIVED_PASSIVE;
	return of[end->state];
}

/* ---- one case ---- */

/* SND and RCV as they are, of whatever there is. */
struct numbers {
	uint32_t una, nxt, next, right, window_max;
};

static struct numbers numbers(enum grid_state state)
{
	const struct tcp_time_wait *wait = waiting();

	if (wait)
		return (struct numbers){ wait->next_send, wait->next_send, wait->next_receive,
					 wait->next_receive + wait->window, PEER_WINDOW };
	if (state <= G_LISTEN)
		return (struct numbers){ 7000, 7000, PEER_ISS, PEER_ISS, 0 };
	return (struct numbers){ world.c->snd_una, world.c->snd_nxt, world.c->rcv_nxt,
				 state == G_SYN_SENT ? world.c->rcv_nxt
						     : tcp_window_right(&world.c->window),
				 world.c->snd_wnd_max };
}

static uint32_t sequence_of(const struct grid_case *c, const struct numbers *n)
{
	switch (c->place) {
	case P_BEFORE:
		return n->next - 100;
	case P_TOUCHING:
		return n->next - 1;
	case P_INSIDE:
		return n->next + 10;
	case P_LAST:
		return n->right - 1;
	case P_EDGE:
		return n->right;
	case P_BEYOND:
		return n->right + 1;
	default:
		return n->next;
	}
}

static uint32_t acknowledgement_of(const struct grid_case *c, const struct numbers *n)
{
	switch (c->ack) {
	case A_TOO_OLD:
		return n->una - n->window_max - 1;
	case A_OLD:
		return n->una - 1;
	case A_PART:
		return n->una + (c->state == G_ESTABLISHED || c->state == G_CLOSE_WAIT ? 5 : SENT);
	case A_ALL:
		return n->nxt;
	case A_BEYOND:
		return n->nxt + 1;
	default:
		return n->una;
	}
}

/* As a bit of enum grid_answer; 0: none of them. */
static uint8_t answer_given(enum grid_state state, uint32_t sequence, uint32_t acknowledgement,
			    uint32_t length)
{
	const struct tcp_transmission *t = &world.sent;
	struct numbers n;

	if (world.sent_count == 0)
		return state > G_LISTEN && state != G_TIME_WAIT && world.c->end.state &&
				       world.c->deadline[TCP_TIMER_ACK] &&
				       tcp_ticks_until(world.c->deadline[TCP_TIMER_ACK],
						       world.now + TCP_SECOND_NS / 2) <= 0
			       ? ANSWER_LATER
			       : ANSWER_NOTHING;
	if (world.sent_count > 1 || t->bytes)
		return 0;
	if (t->flags == TCP_RST && t->sequence == acknowledgement)
		return ANSWER_RESET;
	if (t->flags == (TCP_RST | TCP_ACK) && t->sequence == 0 &&
	    t->acknowledgement == sequence + length)
		return ANSWER_RESET_ACK;
	if (state <= G_LISTEN)
		return 0;
	if (state == G_SYN_RECEIVED_PASSIVE && !world.c)
		world.c =
			list_entry(world.listener.half_open_list.next, struct tcp_connection, link);
	n = numbers(state);
	if (t->acknowledgement != n.next)
		return 0;
	if (t->flags == (TCP_SYN | TCP_ACK) && t->sequence == world.c->iss)
		return ANSWER_SYN_ACK;
	return t->flags == TCP_ACK && t->sequence == n.nxt ? ANSWER_ACK : 0;
}

static uint8_t events_of(const struct grid_case *c, const struct grid_result *want)
{
	uint8_t events = 0;

	if (c->state == G_SYN_RECEIVED_PASSIVE || c->state == G_LISTEN || c->state == G_CLOSED ||
	    c->state == G_TIME_WAIT)
		return 0;
	if (c->state <= G_SYN_RECEIVED && want->state >= G_ESTABLISHED)
		events |= TCP_EVENT_CONNECTED;
	if (want->text || want->fin)
		events |= TCP_EVENT_READABLE;
	if (want->state == G_CLOSED || want->state == G_TIME_WAIT)
		events |= TCP_EVENT_CLOSED | TCP_EVENT_READABLE;
	return events;
}

static void check(const struct grid_case *c)
{
	struct grid_result want = grid_expect(c);
	uint32_t length = grid_length(c->kind), sequence, acknowledgement;
	const char *name = grid_name(c);
	struct tcp_connection *told;
	struct numbers before;
	uint8_t events = 0, given;

	begin(c->version, c->shut);
	reach(c->state);
	if (c->shut)
		arrives(world.c->rcv_nxt, world.c->snd_una, TCP_ACK, FULL);
	ck_assert_msg(state_now() == c->state, "%s: the state was not reached", name);
	while ((told = tcp_next_event(&world.stack, &events)))
		;
	world.sent_count = 0;
	before = numbers(c->state);
	sequence = sequence_of(c, &before);
	acknowledgement = acknowledgement_of(c, &before);
	arrives(sequence, acknowledgement, grid_flags(c->kind), grid_text(c->kind));

	ck_assert_msg(state_now() == want.state, "%s: state %u instead of %u (%s)", name,
		      state_now(), want.state, want.why);
	if (c->shut)
		ck_assert_msg(before.right == before.next, "%s: the window is not closed", name);
	given = answer_given(want.state, sequence, acknowledgement, length);
	ck_assert_msg(given & want.answers,
		      "%s: answer %#x instead of %#x, %u sent, flags %#x (%s)", name, given,
		      want.answers, world.sent_count, world.sent.flags, want.why);
	events = 0;
	told = tcp_next_event(&world.stack, &events);
	events &= (uint8_t)~TCP_EVENT_WRITABLE;
	ck_assert_msg(events == events_of(c, &want), "%s: events %#x instead of %#x (%s)", name,
		      events, events_of(c, &want), want.why);
	ck_assert(!told || told == world.c);
	if (world.c && c->state != G_TIME_WAIT) {
		uint32_t una = want.acknowledged ? acknowledgement : before.una;
		uint32_t text =
			tcp_receivable(world.c) - (c->shut && world.c->error == 0 ? FULL : 0);

		ck_assert_msg(text == want.text, "%s: %u bytes instead of %u (%s)", name, text,
			      want.text, want.why);
		ck_assert_msg(c->state == G_LISTEN || want.state == G_CLOSED ||
				      want.state == G_LISTEN || want.state == G_TIME_WAIT ||
				      world.c->snd_una == una,
			      "%s: SND.UNA (%s)", name, want.why);
		ck_assert_msg(want.state != G_CLOSED || tcp_error(world.c) == want.error,
			      "%s: error %d instead of %d (%s)", name, tcp_error(world.c),
			      want.error, want.why);
	}
	ck_assert_msg(tcp_stack_is_valid(&world.stack), "%s: the stack is not valid", name);
}

/* ---- all of them ---- */

static struct grid_case cases_of[G_STATES * G_KINDS * G_PLACES * G_ACKS * 2 * 2];
static int case_count;

static void enumerate(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(cases_of); i++) {
		struct grid_case c = {
			.version = i % 2 ? 6 : 4,
			.shut = i / 2 % 2,
			.ack = i / 4 % G_ACKS,
			.place = i / 4 / G_ACKS % G_PLACES,
			.kind = i / 4 / G_ACKS / G_PLACES % G_KINDS,
			.state = i / 4 / G_ACKS / G_PLACES / G_KINDS,
		};

		if (grid_has(&c))
			cases_of[case_count++] = c;
	}
}

START_TEST(rfc9293_3_10_7)
{
	check(&cases_of[_i]);
}
END_TEST

static void add_cases(TCase *cases)
{
	enumerate();
	tcase_add_loop_test(cases, rfc9293_3_10_7, 0, case_count);
}

/* In one process: thousands of them would take a minute. */
int main(void)
{
	setenv("CK_FORK", "no", 1);
	return unit_main("net/tcp_grid", add_cases);
}
