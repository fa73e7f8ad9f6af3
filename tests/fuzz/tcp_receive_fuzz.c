/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on what TCP receives: options of any bytes, and segments in any order, held step by
 * step against a map of bytes; what is said of these goes through the options and back.
 */
#include <stdlib.h>
#include <string.h>

#include "net/tcp_options.h"
#include "net/wire.h"
#include "tests/fuzz/script.h"
#include "tests/net/tcp_reassembly_model.h"

#define SPANS 1024u
#define STEPS 1200u
#define LOADS 96u	  /* of a segment, whatever there is */
#define LOADS_A_LEVEL 32u /* of a tree: to go down it and up again, a few times */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tcp_span spans[SPANS];
static struct tcp_span_pool pool;
static struct tcp_reassembly_model model;

/* ---- what it costs ---- */

static uint64_t loads, allowed;
static bool is_counting;

void __sanitizer_cov_load1(uint8_t *address);
void __sanitizer_cov_load2(uint16_t *address);
void __sanitizer_cov_load4(uint32_t *address);
void __sanitizer_cov_load8(uint64_t *address);
void __sanitizer_cov_load16(__uint128_t *address);

#define COUNT_LOADS(bytes, type)                        \
	void __sanitizer_cov_load##bytes(type *address) \
	{                                               \
		(void)address;                          \
		loads += is_counting;                   \
	}
COUNT_LOADS(1, uint8_t)
COUNT_LOADS(2, uint16_t)
COUNT_LOADS(4, uint32_t)
COUNT_LOADS(8, uint64_t)
COUNT_LOADS(16, __uint128_t)

struct tcp_arrival __real_tcp_reassembly_add(struct tcp_reassembly *reassembly, uint32_t sequence,
					     uint32_t bytes, uint32_t right,
					     tcp_reassembly_write *write, void *context);
struct tcp_arrival __wrap_tcp_reassembly_add(struct tcp_reassembly *reassembly, uint32_t sequence,
					     uint32_t bytes, uint32_t right,
					     tcp_reassembly_write *write, void *context);

/*
 * In any order a segment costs O(log n) in the long run: the ranges that it takes away, each
 * O(log n), have come by segments before it.
 */
struct tcp_arrival __wrap_tcp_reassembly_add(struct tcp_reassembly *reassembly, uint32_t sequence,
					     uint32_t bytes, uint32_t right,
					     tcp_reassembly_write *write, void *context)
{
	struct tcp_arrival arrival;

	allowed += LOADS;
	for (uint32_t n = reassembly->count + 2u; n; n /= 2)
		allowed += LOADS_A_LEVEL;
	is_counting = true;
	arrival = __real_tcp_reassembly_add(reassembly, sequence, bytes, right, write, context);
	is_counting = false;
	fuzz_assert(loads <= allowed);
	return arrival;
}

/* Parses a copy that ends where its memory does. */
static int parse(const uint8_t *bytes, size_t count, uint8_t flags, struct tcp_options *options)
{
	uint8_t *copy = malloc(count + 1);
	int result;

	fuzz_assert(copy);
	memcpy(copy + 1, bytes, count);
	result = tcp_options_parse(copy + 1, count, flags, options);
	free(copy);
	return result;
}

/* What has been parsed is legal, and comes back when it is written. */
static void options_step(struct script *script)
{
	uint8_t flags = script_u8(script), bytes[TCP_OPTIONS_MAX + 4];
	size_t count = script_bytes(script, bytes, script_u8(script) % sizeof(bytes));
	struct tcp_options options, again;

	(void)!parse(bytes, count, flags, &options); /* what stood before a fault counts, too */
	fuzz_assert(options.sack_count <= TCP_SACK_BLOCKS_MAX);
	fuzz_assert(options.scale <= TCP_SCALE_MAX);
	fuzz_assert(options.fastopen_bytes <= TCP_FASTOPEN_COOKIE_MAX);
	fuzz_assert(flags & TCP_SYN ? options.sack_count == 0
				    : (options.present & ~TCP_HAS_TIMESTAMPS) == 0);
	fuzz_assert(tcp_options_mss(&options, 4, 1460) >= TCP_MSS_MIN);
	count = tcp_options_write(&options, bytes);
	fuzz_assert(count == tcp_options_bytes(&options) && count <= TCP_OPTIONS_MAX);
	fuzz_assert(count % 4 == 0);
	fuzz_assert(parse(bytes, count, flags, &again) == 0);
	/* Beside timestamps there is room for one block less. */
	if (options.sack_count > tcp_options_sack_room(&options))
		memset(&options.sacks[--options.sack_count], 0, sizeof(options.sacks[0]));
	fuzz_assert(memcmp(&options, &again, sizeof(options)) == 0);
}

static void segment_step(struct script *script, uint8_t step)
{
	int32_t at = (int32_t)model.next + (int16_t)script_u16(script) % 1024;
	uint32_t bytes = step & 1 ? script_u16(script) % 2048u : script_u8(script);

	if (step & 2)
		at = (int32_t)model.next;
	model.memory = step & 4 ? script_u8(script) : UINT32_MAX;
	tcp_reassembly_model_add(&model, at, bytes, step & 8 ? script_u16(script) : 600, step);
}

/* An acknowledgement: its blocks arrive as they left. */
static void acknowledge(bool timestamps)
{
	struct tcp_options options = { .present = timestamps ? TCP_HAS_TIMESTAMPS : 0 }, again;
	struct tcp_reassembly before = model.reassembly;
	uint8_t bytes[TCP_OPTIONS_MAX];
	unsigned int room = tcp_options_sack_room(&options);
	size_t count;

	options.sack_count = (uint8_t)tcp_reassembly_sacks(&before, options.sacks, room);
	tcp_reassembly_model_sacks(&model, room);
	count = tcp_options_write(&options, bytes);
	fuzz_assert(parse(bytes, count, TCP_ACK, &again) == 0);
	fuzz_assert(memcmp(&options, &again, sizeof(options)) == 0);
}

/* Ranges: few, or up to SPANS. */
static uint32_t some(struct script *script)
{
	uint8_t how = script_u8(script);

	return how < 128 ? how : (how - 127u) * 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, size };
	uint16_t limit;

	loads = allowed = 0;
	tcp_span_pool_init(&pool, spans, some(&script));
	limit = (uint16_t)some(&script);
	tcp_reassembly_model_begin(&model, &pool, limit, script_u32(&script));
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++) {
		uint8_t step = script_u8(&script);

		if (step >= 0xe0)
			options_step(&script);
		else if (step >= 0xa0)
			acknowledge(step & 1);
		else
			segment_step(&script, step);
	}
	tcp_reassembly_clear(&model.reassembly);
	fuzz_assert(pool.free_count == pool.total);
	return 0;
}
