/* SPDX-License-Identifier: ISC */
/*
 * A packet log on the console, as text that `ringwall-check decode` makes a capture file of:
 *
 *	pcap: BEGIN
 *	pcap: 0 Cg0NChwAAABNPCsaAQAAAP//...
 *	pcap: END 1 0
 *
 * Lines are numbered from 0, so that a missing one is noticed; at the end stand how many
 * there were, and how many records were lost while the console was slow. Other output may
 * come between them.
 */
#pragma once

#include "net/packet_log.h"

/*
 * Prints what the log holds now, no faster than somebody reads the console; from the loop,
 * in the background. Asked again before the end, it begins again. `log` lives for ever.
 */
void capture_lines_print(const struct packet_log *log);
