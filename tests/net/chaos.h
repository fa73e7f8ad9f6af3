/* SPDX-License-Identifier: ISC */
/*
 * A router driven by a stream of bytes, for the random test and the fuzzer: frames from
 * every side, good, bent and broken; time; links, clients and rules that come and go.
 * After every step nothing may be lost.
 */
#pragma once

#include "tests/net/test_net.h"

struct chaos_bytes {
	const uint8_t *next;
	size_t left;
};

/* Takes a number from the stream; 0 when it has run dry. */
uint8_t chaos_byte(struct chaos_bytes *bytes);
uint16_t chaos_word(struct chaos_bytes *bytes);

/* A net for chaos, and what it does with the bytes until they are used up. */
struct test_net *chaos_begin(void);
void chaos_run(struct test_net *net, struct chaos_bytes *bytes);

/* Aborts with a message when packets, pages or flows do not add up. */
void chaos_check(const struct test_net *net);
