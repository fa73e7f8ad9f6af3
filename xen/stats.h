/* SPDX-License-Identifier: ISC */
#pragma once

/* Takes one line of text without its end. */
typedef void stats_line(void *context, const char *text);

/*
 * What the Xen layer holds now: grants given, foreign pages mapped, ports, watches,
 * fibers, memory, console. One line each; the numbers that must come back to where
 * they were when a client has gone are in the line "xen:".
 */
void stats_print_xen(stats_line *line, void *context);
