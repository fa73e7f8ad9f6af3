/* SPDX-License-Identifier: ISC */
/* The ring of blocks against an array, with a limit on memory. */
#include <stdlib.h>
#include <string.h>

#include "net/tcp_core_buffer.h"
#include "tests/host/unit.h"

static void *take(void *context)
{
	(void)context;
	return malloc(TCP_BLOCK_BYTES);
}

static void give(void *context, void *block)
{
	(void)context;
	free(block);
}

static struct tcp_memory memory;
static struct tcp_buffer buffer;
static uint8_t data[TCP_BUFFER_MAX], copy[TCP_BUFFER_MAX];

static void begin(uint32_t blocks)
{
	memory = (struct tcp_memory){ .take = take, .give = give, .limit = blocks };
	tcp_buffer_init(&buffer, UINT32_MAX);
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
}

static void end(void)
{
	tcp_buffer_free(&buffer, &memory);
	ck_assert_uint_eq(memory.used, 0);
	ck_assert_ptr_null(buffer.root);
}

START_TEST(small_one_is_one_block)
{
	begin(10);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 0, data, 4096), 4096);
	tcp_buffer_extend(&buffer, 4096);
	ck_assert_uint_eq(memory.used, 1);
	tcp_buffer_release(&buffer, &memory, 4095, true);
	ck_assert_uint_eq(memory.used, 1);
	tcp_buffer_read(&buffer, 0, copy, 1);
	ck_assert_uint_eq(copy[0], data[4095]);
	tcp_buffer_release(&buffer, &memory, 1, true);
	ck_assert_uint_eq(memory.used, 0);
	end();
}
END_TEST

START_TEST(gaps_take_no_memory)
{
	begin(10);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 1000000, data, 100), 100);
	ck_assert_uint_eq(memory.used, 2); /* with the directory */
	tcp_buffer_read(&buffer, 1000000, copy, 100);
	ck_assert_mem_eq(copy, data, 100);
	end();
}
END_TEST

START_TEST(writes_as_far_as_memory_goes)
{
	begin(4);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 0, data, 20000), 3 * 4096);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 3 * 4096, data, 1), 0);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 100, data, 5000), 5000);
	end();
}
END_TEST

START_TEST(what_is_out_of_order_survives_an_empty_front)
{
	begin(10);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 0, data, 100), 100);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 5000, data + 5000, 100), 100);
	tcp_buffer_extend(&buffer, 100);
	tcp_buffer_release(&buffer, &memory, 100, false);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 0, data + 100, 4900), 4900);
	tcp_buffer_extend(&buffer, 5000);
	tcp_buffer_read(&buffer, 0, copy, 5000);
	ck_assert_mem_eq(copy, data + 100, 5000);
	end();
}
END_TEST

START_TEST(goes_round_when_full)
{
	begin(600);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, 0, data, TCP_BUFFER_MAX),
			  TCP_BUFFER_MAX);
	tcp_buffer_extend(&buffer, TCP_BUFFER_MAX);
	tcp_buffer_release(&buffer, &memory, 5001, true);
	ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, buffer.bytes, data, 5001), 5001);
	tcp_buffer_extend(&buffer, 5001);
	tcp_buffer_read(&buffer, 0, copy, TCP_BUFFER_MAX);
	ck_assert_mem_eq(copy, data + 5001, TCP_BUFFER_MAX - 5001);
	ck_assert_mem_eq(copy + TCP_BUFFER_MAX - 5001, data, 5001);
	end();
}
END_TEST

/* A stream through it for several rounds of the ring, in parts of any size. */
START_TEST(random_stream)
{
	uint64_t random = unit_seed() | 1;
	uint32_t in = 0, out = 0, wrong = 0;

	begin(600);
	while (out < 20000000) {
		uint32_t part = (uint32_t)(unit_random(&random) % 60000);
		struct tcp_piece pieces[TCP_PIECES_MAX];
		unsigned int count;

		if (part > TCP_BUFFER_MAX / 2 - buffer.bytes)
			part = TCP_BUFFER_MAX / 2 - buffer.bytes;
		for (uint32_t i = 0; i < part; i++)
			copy[i] = (uint8_t)((in + i) * 2654435761u >> 24);
		ck_assert_uint_eq(tcp_buffer_write(&buffer, &memory, buffer.bytes, copy, part),
				  part);
		tcp_buffer_extend(&buffer, part);
		in += part;
		part = (uint32_t)(unit_random(&random) % 70000);
		part = part < buffer.bytes ? part : buffer.bytes;
		count = tcp_buffer_pieces(&buffer, 0, &part, pieces, TCP_PIECES_MAX);
		for (unsigned int p = 0, at = 0; p < count; at += pieces[p++].bytes)
			for (uint32_t i = 0; i < pieces[p].bytes; i++)
				wrong += pieces[p].data[i] !=
					 (uint8_t)((out + at + i) * 2654435761u >> 24);
		ck_assert_uint_eq(wrong, 0);
		tcp_buffer_release(&buffer, &memory, part, true);
		out += part;
		ck_assert_uint_le(memory.used, buffer.bytes / TCP_BLOCK_BYTES + 3);
	}
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, small_one_is_one_block);
	tcase_add_test(cases, gaps_take_no_memory);
	tcase_add_test(cases, writes_as_far_as_memory_goes);
	tcase_add_test(cases, what_is_out_of_order_survives_an_empty_front);
	tcase_add_test(cases, goes_round_when_full);
	tcase_add_test(cases, random_stream);
}

int main(void)
{
	return unit_main("net/tcp_core_buffer", add_cases);
}
