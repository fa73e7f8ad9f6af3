/* SPDX-License-Identifier: ISC */
/*
 * Where flows are found by the hash of a tuple. A line of memory holds up to FLOW_PLACES
 * references with a tag of 16 bits each, so that a look-up reads one line and then the flow
 * that it looks for: another one only where tags happen to be equal. A reference that finds
 * its line full goes into a chain behind it, through the flows themselves. That is rare: in
 * a full table a line has LOAD references on average, and who does not know the key of the
 * hash cannot choose a line.
 */
#include "net/flow_parts.h"

#include "lib/panic.h"

#define LOAD 6u

static_assert(sizeof(struct flow_line) == 64, "one cache line");

uint32_t flow_index_lines(uint32_t flows)
{
	return (uint32_t)(((uint64_t)flows * 2 + LOAD - 1) / LOAD);
}

uint32_t flow_hash(const struct flow_table *table, const struct flow_tuple *tuple)
{
	static_assert(sizeof(tuple->key) == 16 && sizeof(*tuple) == 48, "what is hashed");
	if (unlikely(tuple->key.version == 6))
		return (uint32_t)siphash13(&table->hash_key, tuple, sizeof(*tuple));
	return (uint32_t)siphash13(&table->hash_key, &tuple->key, sizeof(tuple->key));
}

/* By the high bits of the hash: the tag is the low ones. */
static struct flow_line *line_of(const struct flow_table *table, uint32_t hash)
{
	return &table->lines[(uint64_t)hash * table->line_count >> 32];
}

#define LOWEST 0x0001000100010001ull /* bits of four tags in a word */
#define HIGHEST (LOWEST << 15)
#define BEHIND (1ull << 34 | 1ull << 50) /* of places_of(): what follows the tags */

/* The highest bit of each tag in the `i`-th word of the line that equals that in `tags`. */
static inline uint64_t equal_tags(const struct flow_line *line, unsigned int i, uint64_t tags)
{
	uint64_t word = word64_at(line, i) ^ tags;

	return (word - LOWEST) & ~word & HIGHEST;
}

/*
 * The places whose tag is that of the hash, one bit for each, in any order. Four tags are
 * compared at once: what equals has no bit that differs, and there the subtraction borrows;
 * a borrow can reach the next tag, so that a place may be found that is none, or is empty.
 */
static inline uint64_t places_of(const struct flow_line *line, uint32_t hash)
{
	const uint64_t tags = LOWEST * (uint16_t)hash;

	static_assert(FLOW_PLACES == 10 && offsetof(struct flow_line, tags) == 0, "3 words");
	return (equal_tags(line, 0, tags) >> 15 | equal_tags(line, 1, tags) >> 14 |
		equal_tags(line, 2, tags) >> 13) &
	       ~BEHIND;
}

/* The reference at the first of these places. */
static uint32_t first_of(const struct flow_line *line, uint64_t places)
{
	unsigned int bit = (unsigned int)__builtin_ctzll(places);

	return line->references[bit % 16 * 4 + bit / 16];
}

void flow_prefetch_bucket(const struct flow_table *table, uint32_t hash)
{
	__builtin_prefetch(line_of(table, hash));
}

/* What a look-up will look at first; 0: there is none, or it is in a chain. */
static inline uint32_t likely_reference(const struct flow_table *table, uint32_t hash)
{
	const struct flow_line *line = line_of(table, hash);
	uint64_t places = places_of(line, hash);

	return places ? first_of(line, places) : 0;
}

void flow_prefetch_entry(const struct flow_table *table, uint32_t hash)
{
	uint32_t reference = likely_reference(table, hash);

	if (unlikely(!reference))
		return;
	__builtin_prefetch(flow_of_reference(table, reference));
	__builtin_prefetch(&flow_of_reference(table, reference)->index);
}

void flow_prefetch_addresses6(const struct flow_table *table, uint32_t hash)
{
	uint32_t reference = likely_reference(table, hash), line6;

	if (!reference)
		return;
	line6 = flow_of_reference(table, reference)->line6;
	if (line6)
		__builtin_prefetch(&table->lines6[line6 - 1]);
}

static inline bool is_flow_of(const struct flow_table *table, const struct flow *flow,
			      unsigned int direction, const struct flow_tuple *tuple)
{
	return flow_key_equal(&flow->key[direction], &tuple->key) &&
	       (!flow->line6 ||
		flow_addresses6_equal(&table->lines6[flow->line6 - 1].key[direction], &tuple->ip6));
}

/* Wherever it is. */
static __attribute__((noinline)) struct flow *find_anywhere(const struct flow_table *table,
							    const struct flow_line *line,
							    uint64_t places,
							    const struct flow_tuple *tuple,
							    enum flow_direction *direction)
{
	uint32_t reference;

	for (; places; places &= places - 1) {
		reference = first_of(line, places);
		*direction = flow_direction_of_reference(reference);
		if (reference &&
		    is_flow_of(table, flow_of_reference(table, reference), *direction, tuple))
			return flow_of_reference(table, reference);
	}
	for (reference = line->chain; reference;) {
		struct flow *flow = flow_of_reference(table, reference);

		*direction = flow_direction_of_reference(reference);
		if (is_flow_of(table, flow, *direction, tuple))
			return flow;
		reference = flow->next[*direction];
	}
	return NULL;
}

struct flow *flow_find(const struct flow_table *table, const struct flow_tuple *tuple,
		       uint32_t hash, enum flow_direction *direction)
{
	const struct flow_line *line = line_of(table, hash);
	uint64_t places = places_of(line, hash);
	uint32_t reference = likely(places) ? first_of(line, places) : 0;

	if (likely(reference)) {
		struct flow *flow = flow_of_reference(table, reference);
		unsigned int d = flow_direction_of_reference(reference);

		__builtin_prefetch(&flow->index); /* the other line, at the same time */
		if (likely(is_flow_of(table, flow, d, tuple))) {
			*direction = d;
			return flow;
		}
	}
	return find_anywhere(table, line, places, tuple, direction);
}

static uint32_t hash_of(const struct flow_table *table, const struct flow *flow,
			unsigned int direction)
{
	struct flow_tuple tuple = flow_tuple_of(flow, direction);

	return flow_hash(table, &tuple);
}

/* The place in the line that holds `reference` (0: a free one); FLOW_PLACES: none. */
static unsigned int place_of(const struct flow_line *line, uint32_t reference)
{
	unsigned int place = 0;

	while (place < FLOW_PLACES && line->references[place] != reference)
		place++;
	return place;
}

void flow_index_add(struct flow_table *table, struct flow *flow, unsigned int direction)
{
	uint32_t hash = hash_of(table, flow, direction);
	struct flow_line *line = line_of(table, hash);
	unsigned int place = place_of(line, 0);

	flow->next[direction] = 0;
	if (place < FLOW_PLACES) {
		line->tags[place] = (uint16_t)hash;
		line->references[place] = flow_reference(flow, direction);
		return;
	}
	flow->next[direction] = line->chain;
	line->chain = flow_reference(flow, direction);
}

/* A place is free again: the first of the chain takes it. */
static void refill(struct flow_table *table, struct flow_line *line, unsigned int place)
{
	uint32_t reference = line->chain;
	unsigned int direction = flow_direction_of_reference(reference);
	struct flow *flow;

	line->references[place] = reference;
	line->tags[place] = 0;
	if (!reference)
		return;
	flow = flow_of_reference(table, reference);
	line->tags[place] = (uint16_t)hash_of(table, flow, direction);
	line->chain = flow->next[direction];
	flow->next[direction] = 0;
}

void flow_index_remove(struct flow_table *table, struct flow *flow, unsigned int direction)
{
	struct flow_line *line = line_of(table, hash_of(table, flow, direction));
	uint32_t wanted = flow_reference(flow, direction), *link = &line->chain;
	unsigned int place = place_of(line, wanted);

	if (place < FLOW_PLACES) {
		refill(table, line, place);
		return;
	}
	while (*link != wanted) {
		if (!*link)
			panic("flow %u is not in its chain", flow->index);
		link = &flow_of_reference(table, *link)->next[flow_direction_of_reference(*link)];
	}
	*link = flow->next[direction];
}

/* Tags are right, and nothing is chained while there is room; counts what is there. */
static bool line_is_valid(const struct flow_table *table, const struct flow_line *line,
			  uint32_t *linked)
{
	for (unsigned int place = 0; place < FLOW_PLACES; place++) {
		uint32_t r = line->references[place], hash;

		if (!r && (line->chain || line->tags[place]))
			return false;
		if (!r)
			continue;
		hash = hash_of(table, flow_of_reference(table, r), flow_direction_of_reference(r));
		if (line->tags[place] != (uint16_t)hash || line_of(table, hash) != line)
			return false;
		++*linked;
	}
	for (uint32_t r = line->chain; r && *linked <= table->used * 2;
	     r = flow_of_reference(table, r)->next[flow_direction_of_reference(r)])
		++*linked;
	return true;
}

bool flow_index_is_valid(const struct flow_table *table)
{
	uint32_t linked = 0;

	for (uint32_t i = 0; i < table->line_count; i++)
		if (!line_is_valid(table, &table->lines[i], &linked))
			return false;
	return linked == table->used * 2;
}
