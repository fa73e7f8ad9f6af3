/* SPDX-License-Identifier: ISC */
/* Beginning anew with a store, which the product never does. */
#pragma once

#include <stdbool.h>

#include "tests/fuzz/script.h"

/*
 * All of xen/store.c and the connection below it as before store_init(). Nobody may
 * wait for an answer, and no watch be set.
 */
void store_again(void);

/* The connection's part of it. */
void store_connection_again(void);

/* The store broke the protocol. */
bool store_connection_is_broken(void);
