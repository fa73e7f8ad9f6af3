/* SPDX-License-Identifier: ISC */
/*
 * What the parts of `ends` share: bytes with a sum behind them, and who is served or asks.
 *
 * A told stream is N bytes and then their CRC-32 (as zlib's), 4 bytes, least first; whoever
 * gets one knows whether all of it is what was sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "configs/station.h"

#define ENDS_PIECE 16384u

extern struct ends_counts {
	uint64_t accepted, closed, failed;
	uint64_t udp_echoed;
	uint64_t clients, clients_done, clients_failed, clients_bytes;
	int client_error; /* the last one's */
} ends_counts;

extern const struct station *ends_station;

/* CRC-32 of more bytes; begins with 0. */
uint32_t ends_crc(uint32_t crc, const void *data, size_t bytes);

/* "ADDRESS:PORT", an IPv6 address in brackets. False: it is none. */
bool ends_address_read(const char *text, struct socket_address *address);

/* Begins to serve as one word of the arguments says ("echo=7"). 0, or negative. */
int ends_serve(const char *word);
/* Those that read by the clock. */
void ends_serve_run(uint64_t now_ns);
uint64_t ends_serve_next_ns(void);

/* Begins to ask: "connect=ADDRESS:PORT,COUNT,BYTES" or "get=ADDRESS:PORT,PATH". */
int ends_ask(const char *word);
void ends_ask_print(void (*line)(void *context, const char *text), void *context);
