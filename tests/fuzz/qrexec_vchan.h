/* SPDX-License-Identifier: ISC */
/*
 * In the place of xen/vchan: streams whose far end is a script. What comes is what was given,
 * there is as much room to write as was granted, and ends come when they are asked for.
 */
#pragma once

#include "tests/fuzz/script.h"
#include "xen/vchan.h"

/* The control channel's server, or the call's channel with this number; NULL: there is none. */
struct vchan *fuzz_vchan_control(void);
struct vchan *fuzz_vchan_call(uint32_t number);

/* Whether vchan_connect() finds a server; else it waits in vain. */
extern bool fuzz_vchan_serves;

/* All of these in the domain. Input that does not fit into 64 KiB is lost. */
void fuzz_vchan_come(struct vchan *vchan); /* a server's client */
void fuzz_vchan_give(struct vchan *vchan, const void *bytes, size_t count);
void fuzz_vchan_grant(struct vchan *vchan, uint32_t room);
void fuzz_vchan_end(struct vchan *vchan, bool is_broken);

/* Of the target: what was written, in pieces. */
void fuzz_vchan_written(struct vchan *vchan, bool is_control, const uint8_t *bytes, size_t count);
/* Bytes of the message under way: for the target to use. */
struct fuzz_parser {
	uint8_t bytes[8 + 4096 + 300];
	uint32_t have;
	uint32_t messages;
};
struct fuzz_parser *fuzz_vchan_parser(struct vchan *vchan);
