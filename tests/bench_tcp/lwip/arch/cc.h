/* SPDX-License-Identifier: ISC */
/* What lwIP wants to know of the compiler and of the host. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(x) \
	do {                  \
	} while (0)
#define LWIP_PLATFORM_ASSERT(x) abort()
#define LWIP_RAND() ((uint32_t)rand())
