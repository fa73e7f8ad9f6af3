/* SPDX-License-Identifier: ISC */
/*
 * Two TCP ends talk through a flow, over a network that loses, doubles and reorders on
 * both sides of it, and send all that real ones send: large segments, retransmissions,
 * keep-alives, probes of closed windows. The flow may drop nothing that tells its
 * receiver anything, must let both streams come through, and must see them end.
 * Meanwhile a stranger guesses.
 */
#include <string.h>

#include "net/flow_tcp.h"
#include "tests/net/test_flows.h"

#define STREAM 200000u
#define QUEUE 64u
#define REACH 3u /* how often a packet may be overtaken */
#define BUFFER 200000u

struct segment {
	uint8_t flags;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window;
	uint16_t payload;
	uint32_t overtaken;
};

struct queue {
	struct segment segments[QUEUE];
	uint32_t count;
};

/* Positions count from the SYN, which is 0; the FIN is STREAM + 1. */
struct end {
	uint32_t first;	   /* sequence number of the SYN */
	uint32_t una;	   /* acknowledged */
	uint32_t next;	   /* sent */
	uint32_t edge;	   /* allowed */
	uint32_t expected; /* received in order */
	uint32_t offered;  /* the edge that it has given to the other */
	uint8_t scale;
	bool is_open;
	uint8_t got[STREAM + 2];
	struct queue before, after; /* what it has sent, on either side of the flow */
};

static struct table_world world;
static struct flow *flow;
static struct end ends[2];
static uint64_t seed;
static bool scaled;
static uint32_t dropped, guessed;

static uint32_t chance(uint32_t below)
{
	return (uint32_t)(unit_random(&seed) % below);
}

static int track(unsigned int d, const struct segment *segment, enum drop_reason *reason)
{
	static uint8_t head[64] = { [54] = 1, 3, 3, 0 };
	bool has_option = scaled && segment->flags & SYN;
	struct packet packet = { .data = head, .l3_offset = 14, .l4_offset = 34 };
	struct packet_info info = { .tcp_flags = segment->flags,
				    .tcp_sequence = segment->sequence,
				    .tcp_acknowledgement = segment->acknowledgement,
				    .tcp_window = segment->window,
				    .payload_length = segment->payload,
				    .header_length = has_option ? 44 : 40 };

	head[57] = ends[d].scale;
	return flow_tcp_track(flow, d, &packet, &info, world.now_ns, reason);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void push(struct queue *queue, const struct segment *segment)
{
	if (queue->count < QUEUE)
		queue->segments[queue->count++] = *segment;
}

static struct segment take(struct queue *queue)
{
	uint32_t at = queue->segments[0].overtaken < REACH ? chance(least(queue->count, 2)) : 0;
	struct segment segment = queue->segments[at];

	segment.overtaken = 0;
	queue->segments[0].overtaken++;

	memmove(&queue->segments[at], &queue->segments[at + 1],
		(--queue->count - at) * sizeof(segment));
	return segment;
}

/* ---- an end ---- */

static void send_at(struct end *end, uint32_t position, uint32_t bytes, uint8_t flags)
{
	const struct end *other = &ends[end == &ends[0]];
	uint32_t room = BUFFER - chance(4) * (BUFFER / 3), scale = end->scale;
	struct segment segment = { .flags = flags,
				   .sequence = end->first + position,
				   .payload = (uint16_t)bytes };
	uint32_t window;

	if (flags & ACK)
		segment.acknowledgement = other->first + end->expected;
	if (flags & SYN || !scaled)
		scale = 0;
	/* The edge never goes back; a window may close all the same. */
	if (chance(4) == 0)
		room = 0;
	window = room >> scale < 65535 ? room >> scale : 65535;
	if (end->offered > end->expected + (window << scale)) {
		window = (end->offered - end->expected + (1u << scale) - 1) >> scale;
		if (window > 65535)
			window = 65535;
	}
	if (end->offered < end->expected + (window << scale))
		end->offered = end->expected + (window << scale);
	segment.window = (uint16_t)window;
	push(&end->before, &segment);
}

static void send_range(struct end *end, uint32_t from, uint32_t to)
{
	uint8_t flags = ACK;

	if (to > STREAM + 1) {
		flags |= FIN;
		to = STREAM + 1;
	}
	send_at(end, from, to > from ? to - from : 0, flags);
}

static void act(struct end *end)
{
	uint32_t size = chance(3) ? 1460 : 1 + chance(65000), to;

	if (!end->is_open)
		return;
	switch (chance(12)) {
	case 0:
		send_at(end, end->next, 0, ACK);
		break;
	case 1: /* once more, from what is not acknowledged */
		if (end->una < end->next)
			send_range(end, end->una, least(end->next, end->una + size));
		break;
	case 2: /* some segment in the middle */
		if (end->una < end->next) {
			uint32_t from = end->una + chance(end->next - end->una);

			send_range(end, from, least(end->next, from + size));
		}
		break;
	case 3: /* are you still there? */
		if (end->una == end->next && end->next <= STREAM)
			send_at(end, end->next - 1, chance(2), ACK);
		break;
	case 4: /* has it opened? */
		if (end->next == end->edge && end->next <= STREAM)
			send_at(end, end->next++, 1, ACK);
		else
			send_at(end, end->una - 1, 0, ACK);
		break;
	default:
		to = least(least(end->next + size, end->edge), STREAM + 1);
		if (to == STREAM + 1 && end->next <= STREAM + 1)
			to = STREAM + 2; /* a FIN needs no room */
		if (to > end->next) {
			send_range(end, end->next, to);
			end->next = to;
		}
		break;
	}
}

static void receive(struct end *end, const struct segment *segment)
{
	const struct end *other = &ends[end == &ends[0]];
	uint32_t position = segment->sequence - other->first;
	uint32_t acknowledged = segment->acknowledgement - end->first;
	uint32_t scale = scaled && !(segment->flags & SYN) ? other->scale : 0;
	uint32_t length = segment->payload + (segment->flags & (SYN | FIN) ? 1u : 0u);

	for (uint32_t i = 0; i < length && position + i < STREAM + 2; i++)
		if (position + i < end->offered + 1)
			end->got[position + i] = 1;
	while (end->expected < STREAM + 2 && end->got[end->expected])
		end->expected++;
	if (segment->flags & ACK && acknowledged <= end->next) {
		if (acknowledged > end->una)
			end->una = acknowledged;
		if (acknowledged + ((uint32_t)segment->window << scale) > end->edge)
			end->edge = acknowledged + ((uint32_t)segment->window << scale);
	}
	if (segment->flags & SYN)
		end->is_open = true;
	if (length && chance(3))
		send_at(end, end->next, 0, ACK);
}

/* ---- the network ---- */

/* Would the receiver take it (RFC 9293, 3.10.7.4), and learn anything from it? */
static bool is_news(const struct end *from, const struct end *to, const struct segment *segment)
{
	uint32_t position = segment->sequence - from->first;
	uint32_t end = position + segment->payload + (segment->flags & FIN ? 1u : 0u);
	bool has_data = end > position;

	if (has_data ? end <= to->expected : position < to->expected)
		return false;
	return has_data || segment->acknowledgement - to->first > to->una;
}

static void move(struct end *from)
{
	struct end *to = &ends[from == &ends[0]];
	unsigned int d = from == &ends[0] ? FLOW_ORIGINAL : FLOW_REPLY;
	enum drop_reason reason;
	struct segment segment;

	if (from->before.count && chance(2)) {
		segment = take(&from->before);
		if (chance(20) == 0)
			return;
		if (chance(30) == 0)
			push(&from->before, &segment);
		if (track(d, &segment, &reason))
			push(&from->after, &segment);
		else if (++dropped && is_news(from, to, &segment))
			ck_abort_msg("%s: %u from %u, %u bytes at %u, acknowledges %u; %u of %u, "
				     "expected %u, edge %u",
				     drop_name(reason), segment.flags, d, segment.payload,
				     segment.sequence - from->first,
				     segment.acknowledgement - to->first, from->una, from->next,
				     to->expected, from->edge);
	}
	if (from->after.count && chance(2)) {
		segment = take(&from->after);
		if (chance(20))
			receive(to, &segment);
	}
}

/* A stranger who knows the ports: nothing that he could do may be believed. */
static void guess(void)
{
	static const uint8_t kinds[] = { RST, RST | ACK, ACK, ACK | FIN, SYN | ACK, ACK | PSH };
	unsigned int d = chance(2);
	const struct end *from = &ends[d], *to = &ends[!d];
	struct segment segment = { .flags = kinds[chance(ARRAY_SIZE(kinds))],
				   .sequence = (uint32_t)unit_random(&seed),
				   .acknowledgement = (uint32_t)unit_random(&seed),
				   .window = (uint16_t)unit_random(&seed),
				   .payload = (uint16_t)chance(1460) };
	struct flow was = *flow;
	enum drop_reason reason;

	/* Far from everything, for this is not about luck. */
	if (segment.sequence - from->first + (1u << 26) < 1u << 27 ||
	    segment.acknowledgement - to->first + (1u << 26) < 1u << 27)
		return;
	if (track(d, &segment, &reason))
		ck_abort_msg("%u from %u in %s: at %u, acknowledges %u", segment.flags, d,
			     flow_state_name(flow->state), segment.sequence - from->first,
			     segment.acknowledgement - to->first);
	ck_assert_int_eq(reason, DROP_TCP_WINDOW);
	ck_assert(memcmp(&was, flow, sizeof(was)) == 0);
	guessed++;
}

static void begin(void)
{
	struct flow_tuple key = tuple_number(1, 4, 6, 1), reply = flow_tuple_reverse(&key, 2);
	const struct flow_request request = {
		.original = &key, .reply = &reply, .state = FLOW_TCP_SYN_SENT, .quota = 4
	};

	world_begin(&world, 4, 0);
	ck_assert_int_eq(flow_create(&world.table, &request, world.now_ns, &flow), 0);
	scaled = chance(3) != 0;
	for (unsigned int d = 0; d < 2; d++) {
		memset(&ends[d], 0, sizeof(ends[d]));
		ends[d].first = chance(3) ? (uint32_t)unit_random(&seed) : 0u - chance(STREAM);
		ends[d].scale = (uint8_t)chance(15);
		ends[d].next = 1;
		ends[d].una = 1;
	}
}

/* SYN, SYN and ACK, ACK; each as often as it takes. */
static void shake_hands(void)
{
	for (uint32_t i = 0; flow->state != FLOW_TCP_ESTABLISHED; i++) {
		ck_assert_uint_lt(i, 1000);
		if (!ends[0].is_open)
			send_at(&ends[0], 0, 0, SYN);
		else if (!chance(3))
			send_at(&ends[0], 1, 0, ACK);
		if (ends[1].is_open && !chance(3))
			send_at(&ends[1], 0, 0, SYN | ACK);
		move(&ends[chance(2)]);
		move(&ends[chance(2)]);
	}
}

static bool is_done(void)
{
	return ends[0].expected == STREAM + 2 && ends[1].expected == STREAM + 2 &&
	       ends[0].una == STREAM + 2 && ends[1].una == STREAM + 2;
}

START_TEST(real_ends_are_not_harmed)
{
	seed = (unit_seed() + (uint64_t)_i * 7919) | 1;
	begin();
	shake_hands();
	for (uint32_t i = 0; !is_done(); i++) {
		ck_assert_msg(i < 300000, "%u and %u of %u, %u and %u", ends[0].expected,
			      ends[1].expected, STREAM, ends[0].una, ends[1].una);
		act(&ends[chance(2)]);
		move(&ends[chance(2)]);
		move(&ends[chance(2)]);
		guess();
	}
	ck_assert_uint_eq(flow->state, FLOW_TCP_CLOSED);
	ck_assert_uint_gt(guessed, 10);
	world_end(&world);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, real_ends_are_not_harmed, 0, 16);
}

int main(void)
{
	return unit_main("net/flow_tcp_ends", add_cases);
}
