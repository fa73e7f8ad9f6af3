/* SPDX-License-Identifier: ISC */
/* What the compiler can do for us, under names that say it. */
#pragma once

#include <stddef.h>

#define must_check __attribute__((warn_unused_result))
#define always_inline inline __attribute__((always_inline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* One load or store of shared memory that the compiler may not repeat or split. */
#define read_once(lvalue) (*(const volatile __typeof__(lvalue) *)&(lvalue))
#define write_once(lvalue, value) (*(volatile __typeof__(lvalue) *)&(lvalue) = (value))

/* Barriers against another CPU. */
static inline void memory_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void read_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void write_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}
