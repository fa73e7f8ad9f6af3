/* SPDX-License-Identifier: ISC */
#include "net/rules_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct binding {
	struct list link;
	struct rules_names *bound;
	struct ruleset *set;
	uint32_t count;
	uint16_t *numbers; /* the names' numbers of the set's names, `count` */
	uint16_t *indices; /* and back, or NAMES_NONE; names->capacity of them */
};

void rules_names_init(struct rules_names *bound, struct names *names, const uint64_t *now_ns,
		      void (*changed)(void *context, struct ruleset *set), void *context)
{
	bound->names = names;
	bound->now_ns = now_ns;
	bound->changed = changed;
	bound->context = context;
	list_init(&bound->bindings);
}

/* ---- what a rule set asks ---- */

static bool contains(void *context, uint16_t name, const struct ip_address *address)
{
	const struct binding *b = context;
	struct names_address asked = names_address_of(address);

	return names_contains(b->bound->names, b->numbers[name], &asked, *b->bound->now_ns);
}

static bool known(void *context, uint16_t name, uint8_t version)
{
	const struct binding *b = context;

	return names_known(b->bound->names, b->numbers[name], version == 4 ? NAMES_IP4 : NAMES_IP6,
			   *b->bound->now_ns);
}

/* Names that only other sets have take room too: then it says that there are more. */
static uint32_t of_address(void *context, const struct ip_address *address, uint16_t *names,
			   uint32_t room)
{
	const struct binding *b = context;
	struct names_address asked = names_address_of(address);
	uint32_t found = names_of(b->bound->names, &asked, names, room, *b->bound->now_ns);
	uint32_t count = 0;

	if (found > room)
		return found;
	for (uint32_t i = 0; i < found; i++)
		if (b->indices[names[i]] != NAMES_NONE)
			names[count++] = b->indices[names[i]];
	return count;
}

/* ---- binding ---- */

static void release(struct binding *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		names_release(b->bound->names, b->numbers[i]);
	free(b->numbers);
	free(b->indices);
	free(b);
}

static struct binding *binding_make(struct rules_names *bound, struct ruleset *set)
{
	struct binding *b = calloc(1, sizeof(*b));
	uint32_t count = ruleset_names_count(set);

	if (!b)
		return NULL;
	b->bound = bound;
	b->set = set;
	b->numbers = malloc((size_t)count * sizeof(*b->numbers));
	b->indices = malloc(bound->names->capacity * sizeof(*b->indices));
	if (!b->numbers || !b->indices) {
		release(b);
		return NULL;
	}
	for (uint32_t i = 0; i < bound->names->capacity; i++)
		b->indices[i] = NAMES_NONE;
	return b;
}

int rules_names_bind(struct rules_names *bound, struct ruleset *set)
{
	struct rules_resolver resolver = { contains, known, of_address, NULL };
	uint32_t count = ruleset_names_count(set);
	struct binding *b;

	if (!count)
		return 0;
	b = binding_make(bound, set);
	if (!b)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const char *text = ruleset_name(set, i);
		int number = names_add(bound->names, text, strlen(text), *bound->now_ns);

		if (number < 0) {
			release(b);
			return number;
		}
		b->numbers[i] = (uint16_t)number;
		b->indices[number] = (uint16_t)i;
		b->count++;
	}
	list_push_back(&bound->bindings, &b->link);
	resolver.context = b;
	ruleset_set_resolver(set, &resolver);
	return 0;
}

void rules_names_unbind(struct rules_names *bound, struct ruleset *set)
{
	list_for_each_safe(link, spare, &bound->bindings) {
		struct binding *b = list_entry(link, struct binding, link);

		if (b->set != set)
			continue;
		ruleset_set_resolver(set, NULL);
		list_remove(&b->link);
		release(b);
	}
}

void rules_names_changed(void *bound, uint16_t name)
{
	struct rules_names *self = bound;

	list_for_each(link, &self->bindings) {
		struct binding *b = list_entry(link, struct binding, link);

		if (b->indices[name] != NAMES_NONE)
			self->changed(self->context, b->set);
	}
}
