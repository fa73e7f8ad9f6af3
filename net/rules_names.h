/* SPDX-License-Identifier: ISC */
/*
 * Joins rule sets to the host names that they mention: while a set is bound, its names are
 * resolved, and it asks for their addresses here.
 *
 *	rules_names_init(&bound, &names, &now_ns, changed, context);
 *	names' output: .changed = rules_names_changed, .context = &bound
 *	rules_names_bind(&bound, set);           before the set is used
 *	rules_names_unbind(&bound, old_set);     after it is not any more, before it is freed
 *
 * Binding the new set before the old one is unbound keeps the addresses of common names.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "net/names.h"
#include "net/rules.h"

struct rules_names {
	struct names *names;
	const uint64_t *now_ns;
	/*
	 * Names of the set have changed: judge its flows again. Called from within the names'
	 * calls and for one change after the other: only note it, and judge later.
	 */
	void (*changed)(void *context, struct ruleset *set);
	void *context;
	struct list bindings;
};

/* `names` and `now_ns`, the time that judging reads, must live as long as sets are bound. */
void rules_names_init(struct rules_names *bound, struct names *names, const uint64_t *now_ns,
		      void (*changed)(void *context, struct ruleset *set), void *context);

/*
 * Adds the set's names and answers for it. A set without names needs nothing; binding it
 * does no harm. 0, or, with nothing changed: -ENOSPC, more names than there is room for;
 * -ENOMEM; -EINVAL, not a host name.
 */
must_check int rules_names_bind(struct rules_names *bound, struct ruleset *set);

/* Releases its names; none of them has an address for it now. Harmless when not bound. */
void rules_names_unbind(struct rules_names *bound, struct ruleset *set);

/* For names_output.changed; `bound` is a struct rules_names. */
void rules_names_changed(void *bound, uint16_t name);

static inline struct names_address names_address_of(const struct ip_address *address)
{
	struct names_address six;

	if (address->version == 4)
		return names_address_ip4(ip_address_get4(address));
	memcpy(six.bytes, address->bytes, sizeof(six.bytes));
	return six;
}
