/* SPDX-License-Identifier: ISC */
#include "tests/net/tcp_reassembly_model.h"

#include <check.h>
#include <string.h>

#include "net/tcp_core_segment.h"

void tcp_reassembly_model_begin(struct tcp_reassembly_model *model, struct tcp_span_pool *pool,
				uint16_t limit, uint32_t base)
{
	memset(model, 0, sizeof(*model));
	model->base = base;
	model->memory = UINT32_MAX;
	tcp_reassembly_init(&model->reassembly, pool, limit, base);
}

/* Only within the segment and the map, and never over what is there. */
static uint32_t write_bytes(void *context, uint32_t sequence, uint32_t offset, uint32_t bytes)
{
	struct tcp_reassembly_model *model = context;
	uint32_t at = sequence - model->base;

	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_eq(model->sequence + offset, sequence);
	ck_assert_uint_le(at, TCP_MODEL_BYTES);
	ck_assert_uint_le(bytes, TCP_MODEL_BYTES - at);
	if (bytes > model->memory) {
		bytes = model->memory;
		model->short_of_memory = true;
	}
	model->memory -= bytes;
	for (uint32_t i = at; i < at + bytes; i++)
		if (model->held[i])
			ck_abort_msg("byte %u is written again", i);
	memset(model->buffer + at, model->value, bytes);
	return bytes;
}

/* Has the byte at `at` come? */
static bool has_come(const struct tcp_reassembly_model *model, int32_t at)
{
	return at < 0 || ((uint32_t)at < TCP_MODEL_BYTES && model->held[at]);
}

/* The first run of bytes in [at, end) that have come before, and how many there are in all. */
static uint32_t find_twice(struct tcp_reassembly_model *model, int32_t at, int32_t end)
{
	uint32_t count = 0;
	bool is_in_first = false;

	for (; at < end; at++) {
		bool is = has_come(model, at);

		if (is && !count) {
			model->twice = (uint32_t)at;
			is_in_first = true;
		}
		is_in_first = is_in_first && is;
		if (is_in_first)
			model->twice_end = (uint32_t)at + 1;
		count += is;
	}
	return count;
}

/* Where the run of bytes around `at` begins and ends. */
static uint32_t run_begin(const struct tcp_reassembly_model *model, uint32_t at)
{
	while (at > 0 && model->held[at - 1])
		at--;
	return at;
}

static uint32_t run_end(const struct tcp_reassembly_model *model, uint32_t at)
{
	while (at < TCP_MODEL_BYTES && model->held[at])
		at++;
	return at;
}

static void stamp_run(struct tcp_reassembly_model *model, uint32_t at)
{
	model->stamp++;
	for (uint32_t i = run_begin(model, at); i < run_end(model, at); i++)
		model->stamps[i] = model->stamp;
}

/* [at, end) has come. */
static void hold(struct tcp_reassembly_model *model, int32_t at, int32_t end)
{
	for (int32_t i = at < 0 ? 0 : at; i < end; i++) {
		if (!model->held[i])
			model->wanted[i] = model->value;
		model->held[i] = true;
	}
	for (int32_t i = at < 0 ? 0 : at; i < end; i = (int32_t)run_end(model, (uint32_t)i) + 1)
		stamp_run(model, (uint32_t)i);
	model->next = run_end(model, 0);
}

static void check_state(const struct tcp_reassembly_model *model)
{
	const struct tcp_reassembly *reassembly = &model->reassembly;
	uint32_t held = 0;

	ck_assert(tcp_reassembly_is_valid(reassembly));
	ck_assert_uint_eq(reassembly->next, model->base + model->next);
	for (uint32_t i = 0; i < TCP_MODEL_BYTES; i++) {
		if (!model->held[i])
			continue;
		if (model->buffer[i] != model->wanted[i]) /* an assertion writes a file */
			ck_abort_msg("byte %u is not the first that came", i);
		held += i > model->next;
	}
	ck_assert_uint_eq(reassembly->held, held);
}

static void check_refusal(const struct tcp_reassembly_model *model,
			  const struct tcp_arrival *arrival)
{
	const struct tcp_reassembly *reassembly = &model->reassembly;

	if (!arrival->refused)
		return;
	ck_assert(model->short_of_memory || reassembly->count >= reassembly->limit ||
		  reassembly->count >= reassembly->pool->free_count);
	/* What goes on in order is never refused for want of ranges. */
	if (!model->short_of_memory)
		ck_assert(arrival->advanced || !arrival->fresh ||
			  !tcp_reassembly_is_empty(reassembly));
}

struct tcp_arrival tcp_reassembly_model_add(struct tcp_reassembly_model *model, int32_t at,
					    uint32_t bytes, uint32_t window, uint8_t value)
{
	uint32_t next = model->next;
	bool had_holes = !tcp_reassembly_is_empty(&model->reassembly);
	struct tcp_arrival arrival;
	int32_t end = at + (int32_t)bytes;

	if (window > TCP_MODEL_BYTES - next)
		window = TCP_MODEL_BYTES - next;
	model->sequence = model->base + (uint32_t)at;
	model->value = value;
	model->short_of_memory = false;
	arrival = tcp_reassembly_add(&model->reassembly, model->sequence, bytes,
				     model->base + next + window, write_bytes, model);
	ck_assert_uint_eq(arrival.fresh + arrival.duplicate + arrival.outside + arrival.refused,
			  bytes);
	if (end > (int32_t)(next + window)) {
		uint32_t beyond = (uint32_t)(end - (int32_t)(next + window));

		ck_assert_uint_eq(arrival.outside, beyond < bytes ? beyond : bytes);
	} else {
		ck_assert_uint_eq(arrival.outside, 0);
	}
	check_refusal(model, &arrival);
	end -= (int32_t)(arrival.outside + arrival.refused);
	ck_assert_uint_eq(arrival.duplicate, find_twice(model, at, end));
	hold(model, at, end);
	ck_assert_uint_eq(arrival.advanced, model->next - next);
	ck_assert_int_eq(arrival.ack_now, bytes && (had_holes || arrival.fresh < bytes ||
						    !tcp_reassembly_is_empty(&model->reassembly)));
	if (at <= (int32_t)next && end > (int32_t)next)
		ck_assert_uint_gt(arrival.advanced, 0);
	check_state(model);
	return arrival;
}

/* The run behind RCV.NXT that was touched last but before `stamp`; its begin, or 0. */
static uint32_t newest_before(const struct tcp_reassembly_model *model, uint64_t stamp)
{
	uint32_t found = 0;

	for (uint32_t i = model->next; i < TCP_MODEL_BYTES; i++)
		if (model->held[i] && model->stamps[i] < stamp &&
		    (!found || model->stamps[i] > model->stamps[found]))
			found = i;
	return found ? run_begin(model, found) : 0;
}

void tcp_reassembly_model_sacks(struct tcp_reassembly_model *model, unsigned int max)
{
	struct tcp_sack_block blocks[TCP_SACK_BLOCKS_MAX];
	unsigned int count = tcp_reassembly_sacks(&model->reassembly, blocks, max), at = 0;
	uint64_t stamp = UINT64_MAX;

	ck_assert_uint_le(count, max);
	if (max && model->twice != model->twice_end) {
		ck_assert_uint_gt(count, 0);
		ck_assert_uint_eq(blocks[0].begin - model->base, model->twice);
		ck_assert_uint_eq(blocks[0].end - model->base, model->twice_end);
		model->twice = model->twice_end = 0;
		at = 1;
	}
	for (; at < max; at++) {
		uint32_t begin = newest_before(model, stamp);

		if (!begin)
			break;
		ck_assert_uint_lt(at, count);
		ck_assert_uint_eq(blocks[at].begin - model->base, begin);
		ck_assert_uint_eq(blocks[at].end - model->base, run_end(model, begin));
		stamp = model->stamps[begin];
	}
	ck_assert_uint_eq(count, at);
}
