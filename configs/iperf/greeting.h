/* SPDX-License-Identifier: ISC */
/*
 * How the two ends of a UDP stream come to know each other: the client's first datagram and the
 * server's answer, four bytes in the order of x86; and the cookie, by which a TCP stream and
 * its control connection do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "configs/iperf/iperf.h"

#define IPERF_GREETING_BYTES 4u
extern const uint8_t iperf_greeting[IPERF_GREETING_BYTES];
extern const uint8_t iperf_greeting_answer[IPERF_GREETING_BYTES];

/* A server takes those of iperf3 before 3.12, too. */
bool iperf_is_greeting(const uint8_t *data, int bytes);

/* 36 random letters and a NUL. */
void iperf_cookie_make(struct random *random, char *cookie);
