/* SPDX-License-Identifier: ISC */
/*
 * A receive window that knows nothing but a map of bytes, and what must become of each
 * segment and be said of it according to it. Positions count from the first byte of all.
 */
#pragma once

#include "net/tcp_reassembly.h"

#define TCP_MODEL_BYTES 2048u

struct tcp_reassembly_model {
	struct tcp_reassembly reassembly; /* what is tested */
	uint32_t base;			  /* sequence number of position 0 */
	uint32_t next;			  /* position of the first byte that has not come */
	uint32_t memory;		  /* bytes that may still be written */
	bool short_of_memory;		  /* in this step */
	uint32_t sequence;		  /* of the segment that is being added */
	uint8_t value;			  /* that all its bytes have */
	bool held[TCP_MODEL_BYTES];
	uint8_t wanted[TCP_MODEL_BYTES]; /* what came first */
	uint8_t buffer[TCP_MODEL_BYTES]; /* what was written */
	uint64_t stamp;
	uint64_t stamps[TCP_MODEL_BYTES]; /* when the byte's range was touched */
	uint32_t twice, twice_end;	  /* positions to tell of; equal: none */
};

void tcp_reassembly_model_begin(struct tcp_reassembly_model *model, struct tcp_span_pool *pool,
				uint16_t limit, uint32_t base);

/*
 * Adds a segment of `bytes` bytes `value` at position `at`, which may lie before 0, with
 * `window` bytes of room behind RCV.NXT (cut to the map), and checks all that comes of it.
 */
struct tcp_arrival tcp_reassembly_model_add(struct tcp_reassembly_model *model, int32_t at,
					    uint32_t bytes, uint32_t window, uint8_t value);

/* Takes up to `max` SACK blocks and checks them. */
void tcp_reassembly_model_sacks(struct tcp_reassembly_model *model, unsigned int max);
