/* SPDX-License-Identifier: ISC */
#include "net/rules_axis.h"
#include "net/rules_index_names.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 64u
#define ROOTS_FROM 8u /* shorter axes are searched as fast without */

/*
 * Ranges of tables that an axis may have. A rule that would need more counts as matching
 * everywhere on this axis: the search then asks the table itself.
 */
#define TABLE_RANGES_MAX 65536u

/* From `at` on, the rule at `place` may match, or no longer. */
struct event {
	ip_number at;
	uint32_t place;
	bool in;
};

struct events {
	struct event *items;
	uint32_t count, room;
	uint32_t table_ranges; /* still allowed */
	uint32_t name_places;  /* the same, see rules_index_names.h */
	ip_number last;	       /* of the axis */
	bool failed;
};

static void event_add(struct events *events, ip_number at, uint32_t place, bool in)
{
	if (events->count == events->room) {
		uint32_t room = events->room ? events->room * 2 : FIRST_ROOM;
		struct event *grown = realloc(events->items, room * sizeof(*grown));

		if (!grown) {
			events->failed = true;
			return;
		}
		events->items = grown;
		events->room = room;
	}
	events->items[events->count++] = (struct event){ at, place, in };
}

/* first .. last changes the rule: it matches there if `in`, not there otherwise. */
static void add_range(struct events *events, uint32_t place, ip_number first, ip_number last,
		      bool in)
{
	event_add(events, first, place, in);
	if (last < events->last)
		event_add(events, last + 1, place, !in);
}

static void add_always(struct events *events, uint32_t place)
{
	event_add(events, 0, place, true);
}

static void add_table(struct events *events, uint32_t place, const struct rules_host *host,
		      const struct rules_table *table, uint8_t version)
{
	const struct rules_range *ranges = version == 4 ? table->ranges4 : table->ranges6;
	uint32_t count = version == 4 ? table->count4 : table->count6;

	if (count > events->table_ranges) {
		add_always(events, place);
		return;
	}
	events->table_ranges -= count;
	/* One event for each place and number: a range at 0 says it alone. */
	if (host->negated && (!count || ranges[0].first > 0))
		add_always(events, place);
	for (uint32_t i = 0; i < count; i++)
		add_range(events, place, ranges[i].first, ranges[i].last, !host->negated);
}

static void add_host(struct events *events, const struct ruleset *set, uint32_t place,
		     const struct rules_host *host, uint8_t version)
{
	ip_number first = ip_address_number(&host->address);

	if (host->kind == RULES_HOST_NAME && !host->negated)
		return;
	if (host->kind == RULES_HOST_TABLE) {
		add_table(events, place, host, &set->tables[host->table], version);
		return;
	}
	if (host->kind != RULES_HOST_PREFIX) {
		add_always(events, place);
		return;
	}
	if (host->negated && first > 0)
		add_always(events, place);
	if (host->address.version == version)
		add_range(events, place, first, first | ip_number_host_bits(version, host->prefix),
			  !host->negated);
}

static void add_ports(struct events *events, uint32_t place, const struct rules_ports *ports)
{
	if (ports->outside && ports->low > 0)
		add_always(events, place);
	add_range(events, place, ports->low, ports->high, !ports->outside);
}

static void add_protocol(struct events *events, uint32_t place, const struct rules_rule *rule)
{
	uint32_t base = rule->protocol == RULES_ICMP ? RULES_KEY_ICMP : RULES_KEY_ICMP6;

	if (rule->protocol == RULES_ANY_PROTOCOL)
		add_always(events, place);
	else if (rule->protocol != RULES_ICMP && rule->protocol != RULES_ICMP6)
		add_range(events, place, rule->protocol, rule->protocol, true);
	else if (rule->icmp_type == RULES_ANY_ICMP)
		add_range(events, place, base, base + 255, true);
	else
		add_range(events, place, base + rule->icmp_type, base + rule->icmp_type, true);
}

static void add_rule(struct events *events, const struct ruleset *set, uint32_t place,
		     const struct rules_rule *rule, enum rules_axis_name name)
{
	bool source = name == RULES_AXIS_SOURCE4 || name == RULES_AXIS_SOURCE6;
	uint8_t version = name == RULES_AXIS_SOURCE4 || name == RULES_AXIS_DESTINATION4 ? 4 : 6;

	if (name == RULES_AXIS_PROTOCOL)
		add_protocol(events, place, rule);
	else if (name == RULES_AXIS_SOURCE_PORT)
		add_ports(events, place, &rule->source_ports);
	else if (name == RULES_AXIS_DESTINATION_PORT)
		add_ports(events, place, &rule->destination_ports);
	else if (!rules_host_fits(set, source ? &rule->source : &rule->destination,
				  &events->name_places))
		add_always(events, place);
	else if (!rule->version || rule->version == version)
		add_host(events, set, place, source ? &rule->source : &rule->destination, version);
}

static int event_order(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static ip_number last_of(enum rules_axis_name name)
{
	switch (name) {
	case RULES_AXIS_PROTOCOL:
		return RULES_KEYS - 1;
	case RULES_AXIS_SOURCE4:
	case RULES_AXIS_DESTINATION4:
		return UINT32_MAX;
	case RULES_AXIS_SOURCE_PORT:
	case RULES_AXIS_DESTINATION_PORT:
		return UINT16_MAX;
	default:
		return ~(ip_number)0;
	}
}

static bool axis_allocate(struct rules_axis *axis, uint32_t ranges, bool wide)
{
	axis->sets = malloc(ranges * sizeof(*axis->sets));
	if (wide)
		axis->wide = malloc(ranges * sizeof(*axis->wide));
	else
		axis->narrow = calloc(ranges, sizeof(*axis->narrow));
	return axis->sets && (wide ? axis->wide != NULL : axis->narrow != NULL);
}

static uint32_t count_starts(const struct events *events)
{
	uint32_t ranges = 1;

	for (uint32_t i = 0; i < events->count; i++)
		if (events->items[i].at != (i ? events->items[i - 1].at : 0))
			ranges++;
	return ranges;
}

/* One range for each number at which something changes; equal neighbours become one. */
static int axis_fill(struct rules_axis *axis, struct rules_painter *painter,
		     const struct events *events)
{
	ip_number start = 0;
	uint32_t i = 0;

	rules_painter_clear(painter);
	for (;;) {
		uint32_t number;

		for (; i < events->count && events->items[i].at == start; i++)
			rules_painter_put(painter, events->items[i].place, events->items[i].in);
		if (rules_painter_set(painter, &number))
			return -ENOMEM;
		if (!axis->count || axis->sets[axis->count - 1] != number) {
			if (axis->wide)
				axis->wide[axis->count] = start;
			else
				axis->narrow[axis->count] = (uint32_t)start;
			axis->sets[axis->count++] = number;
		}
		if (i == events->count)
			return 0;
		start = events->items[i].at;
	}
}

/* Roots for the starts that were filled in. */
static int axis_make_roots(struct rules_axis *axis)
{
	uint32_t span, at = 1;

	if (axis->wide || axis->count < ROOTS_FROM)
		return 0;
	span = axis->narrow[axis->count - 1] - axis->narrow[1];
	while (span >> axis->shift >= axis->count)
		axis->shift++;
	axis->steps = (span >> axis->shift) + 1;
	axis->roots = malloc((axis->steps + 1) * sizeof(*axis->roots));
	if (!axis->roots)
		return -ENOMEM;
	for (uint32_t step = 0; step < axis->steps; step++) {
		uint32_t start = axis->narrow[1] + (step << axis->shift);

		while (at + 1 < axis->count && axis->narrow[at + 1] <= start)
			at++;
		axis->roots[step] = at;
	}
	axis->roots[axis->steps] = axis->count - 1;
	return 0;
}

int rules_axis_make(const struct ruleset *set, const struct rules_index *index,
		    struct rules_painter *painter, enum rules_axis_name name,
		    struct rules_axis *axis)
{
	struct events events = { .table_ranges = TABLE_RANGES_MAX,
				 .name_places = RULES_NAME_PLACES_MAX,
				 .last = last_of(name) };
	int error = -ENOMEM;

	for (uint32_t place = 0; place < index->count && !events.failed; place++)
		add_rule(&events, set, place, &set->rules[index->ids[place]], name);
	if (events.count)
		qsort(events.items, events.count, sizeof(*events.items), event_order);
	if (!events.failed && axis_allocate(axis, count_starts(&events), events.last > UINT32_MAX))
		error = axis_fill(axis, painter, &events);
	if (!error)
		error = axis_make_roots(axis);
	free(events.items);
	return error;
}
