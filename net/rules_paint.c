/* SPDX-License-Identifier: ISC */
#include "net/rules_paint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16u
#define BUCKETS_MIN 64u
#define BUCKETS_MAX 65536u
#define NO_BLOCK UINT32_MAX

int rules_painter_begin(struct rules_painter *p, struct rules_sets *sets, uint32_t count)
{
	memset(p, 0, sizeof(*p));
	p->sets = sets;
	sets->width = (count + RULES_BLOCK_BITS - 1) / RULES_BLOCK_BITS;
	p->buckets = BUCKETS_MIN;
	while (p->buckets < BUCKETS_MAX && p->buckets < 4 * count)
		p->buckets *= 2;
	p->block_heads = calloc(p->buckets, sizeof(*p->block_heads));
	p->set_heads = calloc(p->buckets, sizeof(*p->set_heads));
	rules_painter_clear(p);
	return p->block_heads && p->set_heads ? 0 : -ENOMEM;
}

/* The array cut to `count` elements; it stays as it is where that fails. */
static void *trim(void *array, uint32_t count, size_t size)
{
	void *cut = count ? realloc(array, count * size) : NULL;

	return cut ? cut : array;
}

void rules_painter_end(struct rules_painter *p)
{
	struct rules_sets *sets = p->sets;

	sets->blocks = trim(sets->blocks, sets->block_count, sizeof(*sets->blocks));
	sets->block_capacity = sets->block_count;
	sets->references =
		trim(sets->references, sets->count, sets->width * sizeof(*sets->references));
	sets->summaries = trim(sets->summaries, sets->count, sizeof(*sets->summaries));
	sets->capacity = sets->count;
	free(p->block_heads);
	free(p->set_heads);
	free(p->block_next);
	free(p->set_next);
}

void rules_painter_clear(struct rules_painter *p)
{
	memset(p->now, 0, sizeof(p->now));
	for (uint32_t b = 0; b < RULES_BLOCKS_MAX; b++)
		p->references[b] = NO_BLOCK;
	p->changed = p->sets->width < 32 ? (1u << p->sets->width) - 1 : ~0u;
	p->summary = 0;
	p->hash = 0;
}

void rules_painter_put(struct rules_painter *p, uint32_t place, bool in)
{
	uint32_t block = place / RULES_BLOCK_BITS;
	uint64_t *word = &p->now[block].words[place % RULES_BLOCK_BITS / 64];
	uint64_t bit = (uint64_t)1 << place % 64;

	*word = in ? *word | bit : *word & ~bit;
	p->changed |= 1u << block;
}

/* The array with room for element `count`: itself, or a larger one in its place. NULL: none. */
static void *with_room(void *array, uint32_t count, uint32_t *room, size_t size)
{
	uint32_t more = *room + *room / 2 + FIRST_ROOM;

	if (count < *room)
		return array;
	array = realloc(array, more * size);
	if (array)
		*room = more;
	return array;
}

static uint32_t bucket_of(const struct rules_painter *p, const struct rules_block *block)
{
	uint64_t hash = 0;

	for (uint32_t w = 0; w < RULES_BLOCK_WORDS; w++) {
		hash = (hash ^ block->words[w]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash >> 8) & (p->buckets - 1);
}

static int blocks_grow(struct rules_painter *p)
{
	struct rules_sets *sets = p->sets;
	struct rules_block *blocks =
		with_room(sets->blocks, sets->block_count, &sets->block_capacity, sizeof(*blocks));
	uint32_t *next;

	if (!blocks)
		return -ENOMEM;
	sets->blocks = blocks;
	next = with_room(p->block_next, sets->block_count, &p->block_room, sizeof(*next));
	if (!next)
		return -ENOMEM;
	p->block_next = next;
	return 0;
}

static int block_number(struct rules_painter *p, const struct rules_block *block, uint32_t *number)
{
	struct rules_sets *sets = p->sets;
	uint32_t *head = &p->block_heads[bucket_of(p, block)];

	for (uint32_t i = *head; i; i = p->block_next[i - 1])
		if (memcmp(&sets->blocks[i - 1], block, sizeof(*block)) == 0) {
			*number = i - 1;
			return 0;
		}
	if (blocks_grow(p))
		return -ENOMEM;
	sets->blocks[sets->block_count] = *block;
	p->block_next[sets->block_count] = *head;
	*number = sets->block_count++;
	*head = sets->block_count;
	return 0;
}

/* What block `number` in place `b` adds to a set's hash. */
static uint64_t hash_part(uint32_t b, uint32_t number)
{
	uint64_t hash = ((uint64_t)b << 32 | number) * 0x9e3779b97f4a7c15ull;

	hash ^= hash >> 32;
	return hash * 0xd6e8feb86659fd93ull;
}

/* Brings references, summary and hash up to date: costs what has changed, not the width. */
static int blocks_settle(struct rules_painter *p)
{
	static const struct rules_block empty;

	for (uint32_t changed = p->changed; changed; changed &= changed - 1) {
		uint32_t b = (uint32_t)__builtin_ctz(changed), *reference = &p->references[b];

		if (*reference != NO_BLOCK)
			p->hash ^= hash_part(b, *reference);
		if (block_number(p, &p->now[b], reference))
			return -ENOMEM;
		p->hash ^= hash_part(b, *reference);
		p->summary &= ~(1u << b);
		if (memcmp(&p->now[b], &empty, sizeof(empty)) != 0)
			p->summary |= 1u << b;
	}
	p->changed = 0;
	return 0;
}

static bool too_large(const struct rules_sets *sets)
{
	return sets->block_count * sizeof(*sets->blocks) +
		       (size_t)sets->count * sets->width * sizeof(*sets->references) >
	       RULES_SETS_BYTES_MAX;
}

static int sets_grow(struct rules_painter *p)
{
	struct rules_sets *sets = p->sets;
	uint32_t room = sets->capacity, *grown;

	grown = with_room(sets->references, sets->count, &room, sets->width * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sets->references = grown;
	grown = with_room(sets->summaries, sets->count, &sets->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sets->summaries = grown;
	grown = with_room(p->set_next, sets->count, &p->set_room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->set_next = grown;
	return 0;
}

int rules_painter_set(struct rules_painter *p, uint32_t *number)
{
	struct rules_sets *sets = p->sets;
	size_t bytes = sets->width * sizeof(uint32_t);
	uint32_t *head;

	if (blocks_settle(p))
		return -ENOMEM;
	head = &p->set_heads[(uint32_t)(p->hash >> 40) & (p->buckets - 1)];
	for (uint32_t i = *head; i; i = p->set_next[i - 1])
		if (memcmp(sets->references + (size_t)(i - 1) * sets->width, p->references,
			   bytes) == 0) {
			*number = i - 1;
			return 0;
		}
	if (too_large(sets) || sets_grow(p))
		return -ENOMEM;
	memcpy(sets->references + (size_t)sets->count * sets->width, p->references, bytes);
	sets->summaries[sets->count] = p->summary;
	p->set_next[sets->count] = *head;
	*number = sets->count++;
	*head = sets->count;
	return 0;
}
