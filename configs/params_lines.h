/* SPDX-License-Identifier: ISC */
/* What a guest says of the words on its command line, and the fault that one may ask for. */
#pragma once

#include "lib/params.h"

/* A line for each error, with its column. */
void params_lines_errors(const struct params *params);

/* The fault that `fault=` names happens now; without one, nothing. `who` says so in the log. */
void params_lines_fault(const struct params *params, const char *who);
