/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the whole forwarding path: the input is the stream of bytes that drives a
 * router through frames and events, and anything lost or invalid aborts.
 */
#include "tests/net/chaos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chaos_bytes bytes = { data, size };
	struct chaos chaos = chaos_begin(&bytes);

	chaos_run(&chaos, &bytes);
	test_net_end(chaos.net);
	return 0;
}
