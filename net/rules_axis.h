/* SPDX-License-Identifier: ISC */
/* Makes the axes of an index, one after the other, from where rules begin and end to match. */
#pragma once

#include "net/rules_paint.h"

/* Cuts an axis into ranges. `wide` for starts above 32 bits. -ENOMEM. */
must_check int rules_axis_make(const struct ruleset *set, const struct rules_index *index,
			       struct rules_painter *painter, enum rules_axis_name name,
			       struct rules_axis *axis);
