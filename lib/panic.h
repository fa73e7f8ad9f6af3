/* SPDX-License-Identifier: ISC */
/*
 * The end for a bug of our own: says where and why and crashes the domain. Never
 * for what a neighbour, a packet or a file did wrong.
 */
#pragma once

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
