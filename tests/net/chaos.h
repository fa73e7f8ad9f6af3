/* SPDX-License-Identifier: ISC */
/*
 * A router driven by a stream of bytes, for the random test and the fuzzer: frames of both
 * versions from every side, good, bent and broken, and parts of them; time; links, clients,
 * rules, translations and addresses that come and go. After every step nothing may be lost,
 * and an answer to what a client has sent comes back to it.
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

struct chaos {
	struct test_net *net;
	uint32_t answers; /* that came back */
	bool bends; /* else all frames that go in are good, and so must be those that come out */
};

/* A net for chaos, and what it does with the bytes until they are used up. */
struct chaos chaos_begin(struct chaos_bytes *bytes);
void chaos_run(struct chaos *chaos, struct chaos_bytes *bytes);

/* Aborts with a message when packets, pages or flows do not add up. */
void chaos_check(const struct test_net *net);
