/* SPDX-License-Identifier: ISC */
/*
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of what is kept on disks: it
 * finds every burst of up to 32 bits, and of anything else all but one in four thousand
 * million. Not against somebody who wants to deceive.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of `bytes` bytes. `before` is that of what came before them, so that parts
 * make the same as the whole; 0 at the beginning.
 */
uint32_t crc32c(uint32_t before, const void *data, size_t bytes);
