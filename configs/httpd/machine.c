/* SPDX-License-Identifier: ISC */
#include "configs/httpd/machine.h"

#include "arch/x86/boot.h"
#include "configs/machine_info.h"

uint64_t httpd_start_ns(void)
{
	return boot_info_get()->entry_ns;
}

void httpd_machine(struct metrics_machine *machine)
{
	machine_info(machine);
}
