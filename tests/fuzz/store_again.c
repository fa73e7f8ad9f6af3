/* SPDX-License-Identifier: ISC */
/* The store's operations as they are, and a way to begin anew. */
#include "tests/fuzz/store_again.h"

#include "xen/store.c"

void store_again(void)
{
	fuzz_assert(list_is_empty(&watches) && watch_count == 0);
	next_token = 1;
	store_connection_again();
}
