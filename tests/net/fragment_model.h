/* SPDX-License-Identifier: ISC */
/*
 * A reassembler that knows nothing but a map of bytes, one for each datagram, and what
 * must become of each fragment according to it. Without limits and evictions.
 */
#pragma once

#include "tests/net/test_fragments.h"

#define FRAGMENT_MODEL_PIECES 64u
#define FRAGMENT_MODEL_SPACE 65536u

struct fragment_model {
	uint8_t map[FRAGMENT_MODEL_SPACE];
	uint32_t start[FRAGMENT_MODEL_PIECES], end[FRAGMENT_MODEL_PIECES];
	uint32_t pieces, total, received, waiting;
	bool ends_at[FRAGMENT_MODEL_SPACE + 1]; /* a fragment with more to come ends here */
	bool decided, dead;
	enum drop_reason reason;
};

/* Nothing of the datagram is known. */
void fragment_model_clear(struct fragment_model *model);

/*
 * `result` and what the box has noted must be what comes of the fragment; then the model
 * has seen it, too. A violation fails the test.
 */
void fragment_model_step(struct test_fragments *box, struct fragment_model *model,
			 const struct test_fragment *fragment, enum fragment_result result);
