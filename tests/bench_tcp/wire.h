/* SPDX-License-Identifier: ISC */
/*
 * One direction of a link: a queue in front of a rate, loss by chance, a delay. What passes
 * is only pointed to, so packets of any stack do. Real time or virtual, as the caller's clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WIRE_RING 65536u

struct wire {
	uint64_t delay_ns;
	uint64_t rate;	/* bytes a second; 0: without limit */
	uint64_t queue; /* bytes that may wait for the rate */
	uint32_t loss;	/* of 2^32 */
	uint64_t random;
	uint64_t free_ns; /* when the rate's queue is empty */
	uint64_t lost;
	uint64_t overflowed;
	uint32_t first, count;
	struct {
		void *item;
		uint64_t due;
	} ring[WIRE_RING];
};

/* `loss` as a fraction. */
void wire_init(struct wire *wire, uint64_t delay_ns, uint64_t rate, uint64_t queue, double loss,
	       uint64_t seed);
/* False: it is lost, and still the caller's. */
bool wire_put(struct wire *wire, void *item, uint32_t bytes, uint64_t now);
/* The next that has arrived, or NULL. */
void *wire_get(struct wire *wire, uint64_t now);
/* When the next arrives; UINT64_MAX: none is under way. */
uint64_t wire_next(const struct wire *wire);
