/* SPDX-License-Identifier: ISC */
/* The part of an index that finds rules by host names. */
#pragma once

#include "net/rules_paint.h"

/*
 * How often names may stand in the rules of an index on one side, the names of tables
 * counted for each rule. A rule that would need more counts as matching everywhere on its
 * axis: the search then asks for its names.
 */
#define RULES_NAME_PLACES_MAX 65536u

/*
 * Takes what the host needs from `places`; false: there are not enough left, and nothing is
 * taken. An axis and the sets of the names come to the same result as they ask for the same
 * rules in the same order.
 */
bool rules_host_fits(const struct ruleset *set, const struct rules_host *host, uint32_t *places);

/* Fills index->names. -ENOMEM. */
must_check int rules_index_names_make(const struct ruleset *set, struct rules_index *index,
				      struct rules_painter *painter);
