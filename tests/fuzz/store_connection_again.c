/* SPDX-License-Identifier: ISC */
/*
 * The store's connection as it is, and a way to begin anew: a kernel has one connection
 * in its life and gives it up for good after a breach; a fuzzer needs many.
 */
#include "tests/fuzz/store_again.h"

#include "xen/store_connection.c"

void store_connection_again(void)
{
	fuzz_assert(list_is_empty(&requests));
	free(incoming.body);
	memset(&incoming, 0, sizeof(incoming));
	memset(&outgoing, 0, sizeof(outgoing));
	list_remove(&receiver.link);
	broken = false;
	next_id = 1;
}

bool store_connection_is_broken(void)
{
	return broken;
}
