/* SPDX-License-Identifier: ISC */
/*
 * The console: Xen's ring to xenconsoled (<xen/io/console.h>), and the
 * hypervisor's own console when we are the initial domain. Output never blocks:
 * lines wait in a bounded buffer, and what does not fit is dropped and counted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

/* Finds the ring; output before this goes to the arch's emergency writer. */
void console_init(void);

/* Queues whole lines; '\n' becomes "\r\n" as a terminal wants. Never blocks. */
void console_write(const char *text, size_t length);

/* Takes one finished input line (without its end, NUL-terminated), called from the loop. */
typedef void console_line(const char *line, void *context);
void console_set_input(console_line *handler, void *context);

/* Waits a bounded time until the peer has taken what is queued; before a shutdown. */
void console_flush(void);

/* Bytes that wait because nobody has read the ring yet; never much for a reader that keeps up. */
size_t console_backlog(void);

/* Bytes dropped since boot because nobody read the ring. */
uint64_t console_dropped_bytes(void);
