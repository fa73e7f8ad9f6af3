/* SPDX-License-Identifier: ISC */
/* libringwall-net's own link: whatever comes by it, the stack lives on and serves others. */
#include <string.h>

#include "tests/configs/library/rw_script.h"

#define PACKETS 20000u

static uint64_t state;

static uint32_t below(uint32_t bound)
{
	return (uint32_t)(unit_random(&state) % bound);
}

/* A packet that could be, of what the stack knows at this moment. */
static size_t likely(struct script *s, uint8_t *to)
{
	static const char *const flags[] = { "S", ".", "P.", "F.", "R", "R.", "S.", "U.", "PF." };
	const char *flag = flags[below(9)];
	uint32_t bytes = below(3) ? below(1400) : 0;

	s->flow->our_port = SCRIPT_PORT;
	s->flow->peer_port = (uint16_t)(1000 + below(20));
	if (below(10) == 0)
		return script_datagram(s, to, s->flow->peer_port, 53, bytes);
	if (strchr(flag, '.'))
		return script_packet(s, to, "%s %u(%u) ack %u <%s>", flag, below(3000), bytes,
				     below(3000), below(2) ? "raw 05120000000100000100" : "nop");
	return script_packet(s, to, "%s %u(%u) <%s>", flag, below(3000), bytes,
			     below(2) ? SCRIPT_FULL : "mss 1");
}

static void spoil(uint8_t *packet, size_t *bytes)
{
	for (uint32_t i = below(6); i; i--)
		packet[below((uint32_t)*bytes)] = (uint8_t)below(256);
	if (below(8) == 0)
		*bytes = below((uint32_t)*bytes + 1);
}

static unsigned int drain(struct rw_stack *stack)
{
	uint8_t packet[2000];
	unsigned int count = 0;
	int bytes;

	while ((bytes = rw_packet_out(stack, packet, sizeof(packet))) > 0) {
		ck_assert_int_le(bytes, 1500);
		count++;
	}
	ck_assert_int_eq(bytes, 0);
	return count;
}

/* Serves and forgets at random. */
static void use_sockets(struct script *s, int *fds)
{
	uint8_t data[3000] = { 0 };

	for (unsigned int i = 0; i < 8; i++) {
		if (fds[i] < 0)
			fds[i] = rw_accept(s->stack, s->listener, NULL, NULL);
		if (fds[i] < 0)
			continue;
		(void)!rw_read(s->stack, fds[i], data, below(3000));
		(void)!rw_write(s->stack, fds[i], data, below(3000));
		if (below(40) == 0) {
			ck_assert_int_eq(rw_close(s->stack, fds[i]), 0);
			fds[i] = -1;
		}
	}
}

START_TEST(anything_may_come)
{
	struct script *s = script_begin(version_of(_i));
	int fds[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	uint8_t packet[2000];
	unsigned int answers = 0;

	state = unit_seed() | 1;
	script_listen(s, 8);
	script_open_udp(s, 53);
	for (unsigned int i = 0; i < PACKETS; i++) {
		size_t bytes = likely(s, packet);

		spoil(packet, &bytes);
		if (bytes > 60 && below(2))
			script_fix(s, packet, bytes);
		(void)rw_packet_in(s->stack, packet, bytes);
		if (below(20) == 0)
			use_sockets(s, fds);
		if (below(10) == 0)
			rw_now(s->stack, s->now_ns += below(1000000000));
		answers += drain(s->stack);
	}
	ck_assert_uint_ge(answers, PACKETS / 20);
	/* And who does it right is served. */
	rw_now(s->stack, s->now_ns += 1000000000000ull);
	(void)drain(s->stack);
	for (unsigned int i = 0; i < 8; i++)
		if (fds[i] >= 0)
			(void)rw_close(s->stack, fds[i]);
	for (int fd = rw_accept(s->stack, s->listener, NULL, NULL); fd >= 0;
	     fd = rw_accept(s->stack, s->listener, NULL, NULL))
		(void)rw_close(s->stack, fd);
	rw_now(s->stack, s->now_ns += 1000000000000ull);
	(void)drain(s->stack);
	script_choose(s, 1);
	script_passive(s, SCRIPT_FULL);
	script_send(s, 100);
	expect(s, "P. 1:101(100) ack 1");
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, anything_may_come, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rw_packets", add_cases);
}
