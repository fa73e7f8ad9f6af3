/* SPDX-License-Identifier: ISC */
/* Local ports: reserved ones, and ephemeral ones in an order that nobody can guess. */
#include "net/tcp_ports.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"

static struct random numbers;
static struct tcp_ports ports;
static bool taken[65536];
static uint32_t asked;

static void begin(uint16_t first, uint16_t last)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	uint64_t number = unit_seed();

	memcpy(seed, &number, sizeof(number));
	random_init(&numbers, seed);
	tcp_ports_init(&ports, &numbers, first, last);
	memset(taken, 0, sizeof(taken));
	asked = 0;
}

static bool is_free(void *context, const struct tcp_key *key)
{
	(void)context;
	asked++;
	return !taken[be16_get(key->own_port)];
}

/* A port for a connection to port 80 of peer `n`, or 0. */
static uint16_t choose(uint16_t n)
{
	struct tcp_key key = { .own = { 10, 1 },
			       .peer = { 192, 2, (uint8_t)(n >> 8), (uint8_t)n },
			       .own_port = be16_of(n), /* says nothing */
			       .peer_port = be16_of(80),
			       .version = 4 };
	int error = tcp_ports_choose(&ports, &key, is_free, NULL);

	if (!error)
		return be16_get(key.own_port);
	ck_assert_int_eq(error, -EADDRNOTAVAIL);
	return 0;
}

START_TEST(reserved_ports)
{
	begin(TCP_PORTS_FIRST, TCP_PORTS_LAST);
	ck_assert_int_eq(tcp_ports_reserve(&ports, 0), -EINVAL);
	ck_assert_int_eq(tcp_ports_reserve(&ports, 80), 0);
	ck_assert_int_eq(tcp_ports_reserve(&ports, 80), -EADDRINUSE);
	ck_assert_int_eq(tcp_ports_reserve(&ports, 65535), 0);
	ck_assert(tcp_ports_is_reserved(&ports, 80) && tcp_ports_is_reserved(&ports, 65535));
	ck_assert(!tcp_ports_is_reserved(&ports, 79) && !tcp_ports_is_reserved(&ports, 81));
	tcp_ports_release(&ports, 80);
	ck_assert(!tcp_ports_is_reserved(&ports, 80));
	ck_assert_int_eq(tcp_ports_reserve(&ports, 80), 0);
}
END_TEST

START_TEST(rfc6056_3_3_4_all_ports_come_and_each_once)
{
	begin(5000, 5099);
	for (unsigned int i = 0; i < 100; i++) {
		uint16_t port = choose(7);

		ck_assert_uint_ge(port, 5000);
		ck_assert_uint_le(port, 5099);
		ck_assert(!taken[port]);
		taken[port] = true;
	}
	asked = 0;
	ck_assert_uint_eq(choose(7), 0);
	ck_assert_uint_eq(asked, 100);
	taken[5042] = false;
	ck_assert_uint_eq(choose(7), 5042);
}
END_TEST

START_TEST(rfc6056_3_2_reserved_ports_are_left_out)
{
	begin(5000, 5009);
	for (uint16_t port = 5000; port < 5009; port++)
		ck_assert_int_eq(tcp_ports_reserve(&ports, port), 0);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_uint_eq(choose((uint16_t)i), 5009);
	ck_assert_int_eq(tcp_ports_reserve(&ports, 5009), 0);
	ck_assert_uint_eq(choose(1), 0);
}
END_TEST

START_TEST(rfc6056_2_2_a_port_comes_again_as_late_as_can_be)
{
	static uint32_t last_use[65536];
	uint32_t soonest = UINT32_MAX;

	begin(TCP_PORTS_FIRST, TCP_PORTS_LAST);
	memset(last_use, 0, sizeof(last_use));
	for (uint32_t i = 1; i < 100000; i++) {
		uint16_t port = choose(7);

		if (last_use[port] && i - last_use[port] < soonest)
			soonest = i - last_use[port];
		last_use[port] = i;
	}
	ck_assert_uint_ge(soonest, (TCP_PORTS_LAST - TCP_PORTS_FIRST + 1) / TCP_PORTS_STEP_MAX);
}
END_TEST

START_TEST(rfc6056_3_1_the_first_to_each_peer_is_anywhere)
{
	uint32_t classes[16] = { 0 }, close = 0;
	uint16_t last = 0;

	begin(TCP_PORTS_FIRST, TCP_PORTS_LAST);
	for (uint16_t n = 0; n < 16000; n++) {
		uint16_t port = choose(n);

		classes[(port - TCP_PORTS_FIRST) / 4032]++;
		close += port - last + 100u < 200;
		last = port;
	}
	for (unsigned int i = 0; i < 16; i++) { /* 1,000 +- 6 sigma */
		ck_assert_uint_gt(classes[i], 810);
		ck_assert_uint_lt(classes[i], 1190);
	}
	ck_assert_uint_lt(close, 120); /* 50 of 16,000 by chance */
}
END_TEST

START_TEST(rfc6056_3_3_4_steps_are_of_any_length)
{
	uint32_t steps[TCP_PORTS_STEP_MAX + 1] = { 0 };
	uint16_t last;

	begin(TCP_PORTS_FIRST, TCP_PORTS_LAST);
	last = choose(7);
	for (unsigned int i = 0; i < 4000; i++) {
		uint16_t port = choose(7);
		uint32_t step = port > last ? (uint32_t)port - last
					    : port + (TCP_PORTS_LAST - TCP_PORTS_FIRST + 1) - last;

		ck_assert_uint_ge(step, 1);
		ck_assert_uint_le(step, TCP_PORTS_STEP_MAX);
		steps[step]++;
		last = port;
	}
	for (unsigned int i = 1; i <= TCP_PORTS_STEP_MAX; i++)
		ck_assert_uint_gt(steps[i], 350);
}
END_TEST

START_TEST(one_port_and_all_ports)
{
	begin(1, 65535);
	for (uint16_t n = 0; n < 1000; n++)
		ck_assert_uint_gt(choose(n), 0);
	begin(65535, 65535);
	ck_assert_uint_eq(choose(1), 65535);
}
END_TEST

START_TEST(rfc6056_3_3_4_each_destination_has_a_place_of_its_own)
{
	uint16_t first;
	unsigned int same = 0;

	begin(TCP_PORTS_FIRST, TCP_PORTS_LAST);
	memset(ports.counters, 0, sizeof(ports.counters));
	first = choose(0);
	for (uint16_t n = 1; n < 8; n++) {
		memset(ports.counters, 0, sizeof(ports.counters));
		same += choose(n) == first;
	}
	ck_assert_uint_lt(same, 7);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc6056_3_3_4_each_destination_has_a_place_of_its_own);
	tcase_add_test(cases, reserved_ports);
	tcase_add_test(cases, rfc6056_3_3_4_all_ports_come_and_each_once);
	tcase_add_test(cases, rfc6056_3_2_reserved_ports_are_left_out);
	tcase_add_test(cases, rfc6056_2_2_a_port_comes_again_as_late_as_can_be);
	tcase_add_test(cases, rfc6056_3_1_the_first_to_each_peer_is_anywhere);
	tcase_add_test(cases, rfc6056_3_3_4_steps_are_of_any_length);
	tcase_add_test(cases, one_port_and_all_ports);
}

int main(void)
{
	return unit_main("net/tcp_ports", add_cases);
}
