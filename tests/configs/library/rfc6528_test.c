/* SPDX-License-Identifier: ISC */
/* RFC 6528 (first sequence numbers) and RFC 6056 (ports). */
#include "tests/configs/library/rw_script.h"

/* Our first sequence number of a connection from port 5555, which ends at once. */
static uint32_t iss_of(struct script *s)
{
	struct sockaddr_storage own;
	socklen_t bytes = script_own_address(s, 5555, &own);

	script_again(s, s->flow->peer_iss);
	s->flow->fd = rw_socket(s->stack, own.ss_family, SOCK_STREAM);
	ck_assert_int_ge(s->flow->fd, 0);
	ck_assert_int_eq(rw_bind(s->stack, s->flow->fd, (struct sockaddr *)&own, bytes), 0);
	script_connect(s);
	expect(s, "SEW 0:0(0)");
	ck_assert_uint_eq(s->flow->our_port, 5555);
	script_abort(s);
	return s->flow->our_iss;
}

static struct script *begin_seeded(int i, uint64_t seed)
{
	return script_begin_with(&(struct script_how){ .version = version_of(i), .seed = seed });
}

/* One and the same pair of sockets: numbers grow with the clock of 4 us. */
START_TEST(rfc6528_3_a_new_incarnation_begins_later)
{
	struct script *s = begin_seeded(_i, 1);
	uint32_t first = iss_of(s), second;

	after_ms(s, 1000);
	second = iss_of(s);
	ck_assert_uint_ge(second - first, 250000);
	ck_assert_uint_le(second - first, 250000 + 1000);
	after_ms(s, 10000);
	ck_assert_uint_ge(iss_of(s) - second, 2500000);
	script_end(s);
}
END_TEST

START_TEST(rfc6528_3_other_pairs_of_sockets_begin_elsewhere)
{
	struct script *s = begin_seeded(_i, 1);
	uint32_t iss[8];

	script_listen(s, 16);
	for (unsigned int i = 0; i < 8; i++) {
		script_choose(s, i);
		peer_sends(s, "S 0:0(0)");
		expect(s, "S. 0:0(0) ack 1");
		iss[i] = s->flow->our_iss;
	}
	/* As if drawn: no two within a part in a thousand of the circle. */
	for (unsigned int i = 0; i < 8; i++)
		for (unsigned int j = 0; j < i; j++)
			ck_assert_uint_gt((uint32_t)(iss[i] - iss[j] + 4000000), 8000000);
	script_end(s);
}
END_TEST

START_TEST(rfc6528_3_who_does_not_know_the_secret_cannot_tell)
{
	struct script *a = begin_seeded(_i, 1), *b = begin_seeded(_i, 2), *c = begin_seeded(_i, 1);
	uint32_t of_a = iss_of(a), of_b = iss_of(b), of_c = iss_of(c);

	ck_assert_uint_ne(of_a, of_b);
	ck_assert_uint_eq(of_a, of_c); /* the same seed does the same again */
	script_end(a);
	script_end(b);
	script_end(c);
}
END_TEST

/* Timestamps begin anywhere, too (RFC 7323, 7.1), but of one pair of sockets they go on. */
START_TEST(rfc6528_3_timestamps_of_other_pairs_begin_elsewhere)
{
	struct script *s = begin_seeded(_i, 1);
	uint32_t first;

	script_listen(s, 16);
	peer_sends(s, "S 0:0(0) <TS val 1 ecr 0>");
	expect(s, "S. 0:0(0) ack 1");
	first = s->flow->our_first_ts;
	script_choose(s, 1);
	peer_sends(s, "S 0:0(0) <TS val 1 ecr 0>");
	expect(s, "S. 0:0(0) ack 1");
	ck_assert_uint_ne(s->flow->our_first_ts, first);
	script_choose(s, 0);
	peer_sends(s, "R 1:1(0)");
	after_ms(s, 400);
	(void)script_skip(s, NULL);
	script_again(s, 5);
	peer_sends(s, "S 0:0(0) <TS val 1000 ecr 0>");
	expect(s, "S. 0:0(0) ack 1");
	ck_assert_uint_eq(s->flow->our_first_ts - first, 400);
	script_end(s);
}
END_TEST

START_TEST(rfc6056_3_2_ports_are_of_the_whole_upper_range)
{
	uint16_t lowest = UINT16_MAX, highest = 0;

	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct script *s = begin_seeded(_i, seed);

		script_connect(s);
		expect(s, "SEW 0:0(0)");
		ck_assert_uint_ge(s->flow->our_port, 1024);
		lowest = s->flow->our_port < lowest ? s->flow->our_port : lowest;
		highest = s->flow->our_port > highest ? s->flow->our_port : highest;
		script_end(s);
	}
	ck_assert_uint_lt(lowest, 10000);
	ck_assert_uint_gt(highest, 56000);
}
END_TEST

START_TEST(rfc6056_3_3_ports_of_connections_are_not_one_after_another)
{
	struct script *s = begin_seeded(_i, 3);
	unsigned int neighbours = 0;

	for (unsigned int i = 0; i < SCRIPT_FLOWS; i++) {
		script_choose(s, i);
		script_connect(s);
		expect(s, "SEW 0:0(0)");
		for (unsigned int j = 0; j < i; j++) {
			int apart = s->flows[i].our_port - s->flows[j].our_port;

			ck_assert_int_ne(apart, 0);
			neighbours += apart == 1 || apart == -1;
		}
	}
	ck_assert_uint_le(neighbours, 2);
	script_end(s);
}
END_TEST

/* To one and the same peer a pair of ports comes again as late as can be. */
START_TEST(rfc6056_3_3_4_a_port_is_not_used_again_soon)
{
	struct script *s = begin_seeded(_i, 3);
	uint16_t ports[200];

	for (unsigned int i = 0; i < 200; i++) {
		script_again(s, 0);
		script_connect(s);
		expect(s, "SEW 0:0(0)");
		ports[i] = s->flow->our_port;
		for (unsigned int j = 0; j < i; j++)
			ck_assert_uint_ne(ports[i], ports[j]);
		script_abort(s);
	}
	script_end(s);
}
END_TEST

/* Two connections to one peer have two ports. */
START_TEST(rfc6056_3_1_a_port_in_use_is_not_chosen)
{
	struct script *s = begin_seeded(_i, 3);
	struct sockaddr_storage peer;
	socklen_t bytes = script_peer_address(s, SCRIPT_PEER_PORT, &peer);
	uint16_t ports[40];

	for (unsigned int i = 0; i < 40; i++) {
		struct sockaddr_storage own;
		socklen_t room = sizeof(own);
		int fd = rw_socket(s->stack, peer.ss_family, SOCK_STREAM);

		ck_assert_int_eq(rw_connect(s->stack, fd, (struct sockaddr *)&peer, bytes),
				 -EINPROGRESS);
		ck_assert_int_eq(rw_getsockname(s->stack, fd, (struct sockaddr *)&own, &room), 0);
		ports[i] = ntohs(((struct sockaddr_in *)&own)->sin_port);
		for (unsigned int j = 0; j < i; j++)
			ck_assert_uint_ne(ports[i], ports[j]);
		s->flow->our_port = ports[i];
		s->flow->our_iss_known = false;
		after_ms(s, 0);
		expect(s, "SEW 0:0(0)");
	}
	script_end(s);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, rfc6528_3_a_new_incarnation_begins_later, 0, 2);
	tcase_add_loop_test(cases, rfc6528_3_other_pairs_of_sockets_begin_elsewhere, 0, 2);
	tcase_add_loop_test(cases, rfc6528_3_who_does_not_know_the_secret_cannot_tell, 0, 2);
	tcase_add_loop_test(cases, rfc6528_3_timestamps_of_other_pairs_begin_elsewhere, 0, 2);
	tcase_add_loop_test(cases, rfc6056_3_2_ports_are_of_the_whole_upper_range, 0, 2);
	tcase_add_loop_test(cases, rfc6056_3_3_ports_of_connections_are_not_one_after_another, 0,
			    2);
	tcase_add_loop_test(cases, rfc6056_3_3_4_a_port_is_not_used_again_soon, 0, 2);
	tcase_add_loop_test(cases, rfc6056_3_1_a_port_in_use_is_not_chosen, 0, 2);
}

int main(void)
{
	return unit_main("configs/library/rfc6528", add_cases);
}
