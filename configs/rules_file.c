/* SPDX-License-Identifier: ISC */
#include "configs/rules_file.h"

#include <errno.h>

#include "lib/log.h"

struct ruleset *rules_file_read(const void *text, size_t bytes)
{
	struct ruleset *rules = NULL;
	struct rules_error error;
	int result = ruleset_parse(text, bytes, &rules, &error);

	if (result == -ENOMEM)
		log_line(LOG_ERROR, "rules", "not enough memory for the rules");
	else if (result)
		log_line(LOG_ERROR, "rules", "%u:%u: %s", error.line, error.column, error.message);
	else if (ruleset_names_count(rules))
		log_line(LOG_INFO, "rules", "%u rules, %u host names", ruleset_count(rules),
			 ruleset_names_count(rules));
	else
		log_line(LOG_INFO, "rules", "%u rules", ruleset_count(rules));
	return result ? NULL : rules;
}
