/* SPDX-License-Identifier: ISC */
#include "configs/params_lines.h"

#include "arch/x86/fault.h"
#include "lib/log.h"
#include "xen/console.h"

void params_lines_errors(const struct params *params)
{
	for (uint32_t i = 0; i < params->error_count && i < PARAMS_ERRORS_MAX; i++)
		log_line(LOG_ERROR, "cmdline", "1:%u: %s", params->errors[i].column,
			 params->errors[i].message);
}

void params_lines_fault(const struct params *params, const char *who)
{
	if (!params->fault[0])
		return;
	log_line(LOG_WARNING, who, "fault=%s", params->fault);
	console_flush();
	if (fault_force(params->fault))
		log_line(LOG_ERROR, "cmdline", "fault=%s: no such fault", params->fault);
}
