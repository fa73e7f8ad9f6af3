/* SPDX-License-Identifier: ISC */
/* The lists of rules that QubesOS gives, as they come in. */
#include "net/qubes_rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip_text.h"
#include "net/qubes_rules_internal.h"

#define FIRST_CAPACITY 8u
#define NUMBER_DIGITS 4u

struct qubes_rules *qubes_rules_new(void)
{
	return calloc(1, sizeof(struct qubes_rules));
}

static void source_clear(struct qubes_source *source)
{
	for (uint32_t i = 0; i < source->count; i++)
		free(source->rules[i].name);
	free(source->rules);
	*source = (struct qubes_source){ .address = source->address };
}

void qubes_rules_free(struct qubes_rules *rules)
{
	if (!rules)
		return;
	for (uint32_t i = 0; i < rules->count; i++)
		source_clear(&rules->sources[i]);
	free(rules->sources);
	free(rules);
}

void qubes_source_close(struct qubes_source *source, uint32_t number, uint32_t column,
			const char *format, ...)
{
	va_list arguments;

	if (source->closed)
		return;
	source->closed = true;
	source->error.number = number;
	source->error.column = column;
	va_start(arguments, format);
	vsnprintf(source->error.message, sizeof(source->error.message), format, arguments);
	va_end(arguments);
}

/* Makes the source the current one; false: it has no list. */
static bool source_find(struct qubes_rules *rules, const struct ip_address *address)
{
	if (rules->current < rules->count &&
	    ip_address_equal(&rules->sources[rules->current].address, address))
		return true;
	for (uint32_t i = 0; i < rules->count; i++)
		if (ip_address_equal(&rules->sources[i].address, address)) {
			rules->current = i;
			return true;
		}
	return false;
}

static int source_make(struct qubes_rules *rules, const struct ip_address *address)
{
	if (rules->count == QUBES_RULES_SOURCES_MAX)
		return -E2BIG;
	if (rules->count == rules->capacity) {
		uint32_t capacity = rules->capacity ? rules->capacity * 2 : FIRST_CAPACITY;
		struct qubes_source *grown = realloc(rules->sources, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		rules->sources = grown;
		rules->capacity = capacity;
	}
	rules->current = rules->count;
	rules->sources[rules->count++] = (struct qubes_source){ .address = *address };
	return 0;
}

int qubes_rules_begin(struct qubes_rules *rules, const struct ip_address *source)
{
	int error;

	if (source_find(rules, source)) {
		source_clear(&rules->sources[rules->current]);
		return 0;
	}
	error = source_make(rules, source);
	/* What comes next must not land in another source's list. */
	if (error)
		rules->current = UINT32_MAX;
	return error;
}

static struct qubes_source *current_of(struct qubes_rules *rules)
{
	return rules->current < rules->count ? &rules->sources[rules->current] : NULL;
}

static struct qubes_rule *rule_room(struct qubes_source *source)
{
	if (source->count == source->capacity) {
		uint32_t capacity = source->capacity ? source->capacity * 2 : FIRST_CAPACITY;
		struct qubes_rule *grown = realloc(source->rules, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		source->rules = grown;
		source->capacity = capacity;
	}
	return &source->rules[source->count];
}

int qubes_rules_add(struct qubes_rules *rules, uint32_t number, const char *text, size_t length)
{
	struct qubes_source *source = current_of(rules);
	struct qubes_rules_error wrong = { 0 };
	struct qubes_rule *rule;
	int error;

	if (!source)
		return -EINVAL;
	if (number > QUBES_RULES_NUMBER_MAX || source->count > QUBES_RULES_NUMBER_MAX) {
		qubes_source_close(source, number, 0, "more than %u rules",
				   QUBES_RULES_NUMBER_MAX + 1);
		return -EINVAL;
	}
	rule = rule_room(source);
	if (!rule) {
		qubes_source_close(source, number, 0, "no memory");
		return -ENOMEM;
	}
	error = qubes_rule_parse(text, length, source->address.version, rule, &wrong);
	if (error) {
		qubes_source_close(source, number, wrong.column, "%s", wrong.message);
		return error;
	}
	rule->number = (uint16_t)number;
	source->count++;
	return 0;
}

int qubes_rules_policy(struct qubes_rules *rules, const char *text, size_t length)
{
	struct qubes_source *source = current_of(rules);

	if (!source)
		return -EINVAL;
	if (length == 6 && memcmp(text, "accept", 6) == 0) {
		source->policy = QUBES_POLICY_ACCEPT;
	} else if (length == 4 && memcmp(text, "drop", 4) == 0) {
		source->policy = QUBES_POLICY_DROP;
	} else {
		qubes_source_close(source, QUBES_RULES_POLICY, 1, "expected accept or drop");
		return -EINVAL;
	}
	return 0;
}

int qubes_rules_end(struct qubes_rules *rules)
{
	struct qubes_source *source = current_of(rules);

	if (!source)
		return -EINVAL;
	if (source->policy == QUBES_POLICY_NONE)
		qubes_source_close(source, QUBES_RULES_POLICY, 0, "there is no policy");
	return source->closed ? -EINVAL : 0;
}

void qubes_rules_remove(struct qubes_rules *rules, const struct ip_address *source)
{
	if (!source_find(rules, source))
		return;
	source_clear(&rules->sources[rules->current]);
	rules->sources[rules->current] = rules->sources[--rules->count];
	rules->current = UINT32_MAX;
}

/* What stands behind the address: "policy", or the four digits of a rule. */
static int entry_put(struct qubes_rules *rules, const char *name, size_t name_length,
		     const char *value, size_t length)
{
	struct qubes_source *source = current_of(rules);
	uint32_t number = 0;

	if (name_length == 6 && memcmp(name, "policy", 6) == 0)
		return qubes_rules_policy(rules, value, length);
	for (size_t i = 0; i < name_length && i < NUMBER_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			name_length = 0;
		number = number * 10 + (uint32_t)(name[i] - '0');
	}
	if (name_length == NUMBER_DIGITS)
		return qubes_rules_add(rules, number, value, length);
	qubes_source_close(source, QUBES_RULES_POLICY, 0, "neither the policy nor a rule's number");
	return -EINVAL;
}

int qubes_rules_entry(struct qubes_rules *rules, const char *path, size_t path_length,
		      const char *value, size_t length)
{
	static const char tree[] = "/qubes-firewall/";
	const size_t skip = sizeof(tree) - 1;
	struct ip_address address;
	const char *slash;
	size_t bytes;
	int error;

	if (path_length <= skip || memcmp(path, tree, skip) != 0)
		return -ENOENT;
	path += skip;
	path_length -= skip;
	slash = memchr(path, '/', path_length);
	bytes = slash ? (size_t)(slash - path) : path_length;
	if (ip_text_parse(path, bytes, &address))
		return -ENOENT;
	error = source_find(rules, &address) ? 0 : source_make(rules, &address);
	if (error || !slash)
		return error;
	return entry_put(rules, slash + 1, path_length - bytes - 1, value, length);
}

uint32_t qubes_rules_count(const struct qubes_rules *rules)
{
	return rules->count;
}

struct qubes_rules_source qubes_rules_source(const struct qubes_rules *rules, uint32_t index)
{
	const struct qubes_source *source = &rules->sources[index];

	return (struct qubes_rules_source){ source->address, source->count,
					    source->closed ? &source->error : NULL };
}
