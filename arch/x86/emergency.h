/* SPDX-License-Identifier: ISC */
/*
 * The console of last resort: written by the dying, so it takes no lock, allocates
 * nothing, and never waits. Goes to every sink there is: the hypervisor's console,
 * the domain's console ring, and the serial port when there is no Xen.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Starts a report. A fault inside a report ends the domain at once. */
void emergency_begin(void);

void emergency_write(const char *text, size_t length);
void emergency_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void emergency_vprint(const char *format, va_list arguments);

/* SCHEDOP_shutdown with reason crash. */
_Noreturn void emergency_crash(void);

/* Says on the serial port that Xen is needed, and stops. */
_Noreturn void emergency_stop_without_xen(void);
