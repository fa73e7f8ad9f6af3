/* SPDX-License-Identifier: ISC */
/* panic() in unit tests: says so and aborts, which Check can expect. */
#include "lib/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void panic_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "PANIC: %s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}
