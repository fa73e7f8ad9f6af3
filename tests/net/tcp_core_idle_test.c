/* SPDX-License-Identifier: ISC */
/* What connections cost that have nothing to do: themselves, and no buffer. */
#include "tests/net/test_tcp.h"

#define COUNT 32u
#define BYTES 20000u

static struct tcp_connection *clients[COUNT], *servers[COUNT];

static void drain(struct tcp_connection *c, uint64_t now, uint32_t *got)
{
	static uint8_t to[BYTES];
	int part;

	while ((part = tcp_receive(c, to, sizeof(to), now)) > 0)
		*got += (uint32_t)part;
}

/* Each way over each connection. */
static void exchange(struct lab *lab)
{
	static const uint8_t from[BYTES];
	uint32_t there = 0, back = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		ck_assert_int_eq(tcp_send(clients[i], from, BYTES, lab->now), BYTES);
		ck_assert_int_eq(tcp_send(servers[i], from, BYTES, lab->now), BYTES);
	}
	lab_run(lab, 2 * LAB_S);
	for (uint32_t i = 0; i < COUNT; i++) {
		drain(servers[i], lab->now, &there);
		drain(clients[i], lab->now, &back);
	}
	ck_assert_uint_eq(there, COUNT * BYTES);
	ck_assert_uint_eq(back, COUNT * BYTES);
}

static void open_all(struct lab *lab)
{
	for (uint32_t i = 0; i < COUNT; i++)
		lab_pair(lab, (uint16_t)(2000 + i), &clients[i], &servers[i]);
}

START_TEST(an_idle_connection_is_512_bytes_and_no_block)
{
	struct lab *lab = lab_begin(NULL);

	ck_assert_uint_le(sizeof(struct tcp_connection), 512);
	ck_assert_uint_le(sizeof(struct tcp_time_wait), 128);
	open_all(lab);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 0);
	ck_assert_uint_eq(lab->host[1].stack.config.memory.used, 0);
	exchange(lab);
	/* What each still has of its round trips, for a while. */
	ck_assert_uint_le(lab->host[0].stack.config.memory.used, COUNT);
	lab_run(lab, 11 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 0);
	ck_assert_uint_eq(lab->host[1].stack.config.memory.used, 0);
	ck_assert_uint_eq(lab->host[0].stack.spans.free_count, LAB_SPANS);
	/* And they are as good as new. */
	exchange(lab);
	lab_end(lab);
}
END_TEST

/* Bytes that nobody reads are what they are, in blocks, and nothing besides. */
START_TEST(a_buffer_in_use_is_its_blocks)
{
	static const uint8_t from[BYTES];
	struct lab *lab = lab_begin(NULL);
	uint32_t blocks = (BYTES + TCP_BLOCK_BYTES - 1) / TCP_BLOCK_BYTES + 1;

	open_all(lab);
	for (uint32_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(tcp_send(clients[i], from, BYTES, lab->now), BYTES);
	lab_run(lab, 13 * LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.config.memory.used, 0);
	ck_assert_uint_le(lab->host[1].stack.config.memory.used, COUNT * blocks);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_idle_connection_is_512_bytes_and_no_block);
	tcase_add_test(cases, a_buffer_in_use_is_its_blocks);
}

int main(void)
{
	return unit_main("net/tcp_core_idle", add_cases);
}
