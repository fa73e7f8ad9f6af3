/* SPDX-License-Identifier: ISC */
#include "lib/drop.h"

#include <stddef.h>

#include "lib/compiler.h"

static const struct {
	const char *name;
	const char *text;
} reasons[DROP_REASON_COUNT] = {
#define DROP_ENTRY(constant, name, text) [DROP_##constant] = { name, text },
	DROP_REASONS(DROP_ENTRY)
#undef DROP_ENTRY
};

const char *drop_name(enum drop_reason reason)
{
	return (unsigned int)reason < DROP_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *drop_text(enum drop_reason reason)
{
	return (unsigned int)reason < DROP_REASON_COUNT ? reasons[reason].text : "unknown";
}
