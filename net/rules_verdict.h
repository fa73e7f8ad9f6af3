/* SPDX-License-Identifier: ISC */
/* How matching rules become a verdict; the same for the walk and for the index. */
#pragma once

#include <stdint.h>

#include "net/rules.h"

/* A `match` rule that matches, in the order of the file; or the parameters of any rule. */
void rules_verdict_apply(const struct ruleset *set, uint32_t rule, struct rules_verdict *verdict);

/* The rule that decides, RULES_NO_RULE when there is none; after all rules_verdict_apply(). */
void rules_verdict_decide(const struct ruleset *set, uint32_t rule, struct rules_verdict *verdict);
