/* SPDX-License-Identifier: ISC */
/* What the guest itself holds, as metrics_source.machine wants it. */
#pragma once

#include "configs/metrics_source.h"

void machine_info(struct metrics_machine *machine);
