/* SPDX-License-Identifier: ISC */
/*
 * Two ends of one stack and what is between them, the same for every stack that is measured;
 * a program links one file that has these. The clock is the caller's, virtual or not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pair_options {
	bool gso; /* the link segments and sums up, as a virtual one does */
	uint64_t delay_ns;
	uint64_t rate; /* bytes a second, and of the queue in front of it */
	uint64_t queue;
	double loss;
	uint32_t buffer_bytes;
	uint32_t connections;
};

extern const char *const pair_name;
/* Can its link do without segments? */
extern const bool pair_has_gso;
/* For all calls that follow. */
extern uint64_t pair_now;

void pair_begin(const struct pair_options *options);
/* Delivers what has arrived and runs timers; returns how many frames were delivered. */
uint32_t pair_pump(void);
/* When something happens next. */
uint64_t pair_next(void);
void *pair_connect(void);
/* NULL: none waits. */
void *pair_accept(void);
bool pair_is_open(const void *connection);
/* The peer has closed, and all that came has been taken. */
bool pair_has_ended(const void *connection);
uint32_t pair_send(void *connection, const void *data, uint32_t bytes);
/* Takes all that has come, where it lies, and returns how much that was. */
uint32_t pair_take(void *connection);
/* The client's connections also free what stands for them. */
void pair_close(void *connection);
/* A line about the sender: window and such. */
void pair_trace(void *connection);
