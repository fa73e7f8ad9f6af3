/* SPDX-License-Identifier: ISC */
/*
 * A lock between CPUs that serves them in the order they came. Whoever holds it must
 * neither wait nor call anything of unbounded length: the others are spinning.
 */
#pragma once

#include <stdint.h>

#include "lib/relax.h"

struct ticket_lock {
	uint32_t next;	  /* the ticket that the next one to come draws */
	uint32_t serving; /* the ticket whose turn it is */
};

static inline void ticket_lock_init(struct ticket_lock *lock)
{
	lock->next = 0;
	lock->serving = 0;
}

static inline void ticket_lock_take(struct ticket_lock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	uint32_t spins = 0;

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		relax_cpu(spins++);
}

/* Only by its holder. */
static inline void ticket_lock_release(struct ticket_lock *lock)
{
	uint32_t mine = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);

	__atomic_store_n(&lock->serving, mine + 1, __ATOMIC_RELEASE);
}
