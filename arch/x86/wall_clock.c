/* SPDX-License-Identifier: ISC */
#include "arch/x86/wall_clock.h"

#define NS_PER_SECOND 1000000000ull
#define SECONDS_MOST 16725225600ull /* 2500-01-01; as nanoseconds it fits into 64 bits */
#define RETRIES 1000u

/* Xen makes `wc_version` odd while it writes, perhaps on another CPU. */
bool wall_clock_read(const struct shared_info *shared, uint64_t *base_ns)
{
	for (unsigned int i = 0; i < RETRIES; i++) {
		uint32_t version = read_once(shared->wc_version);
		uint64_t seconds;
		uint32_t nanoseconds;

		read_barrier();
		seconds = (uint64_t)read_once(shared->wc_sec_hi) << 32 | read_once(shared->wc_sec);
		nanoseconds = read_once(shared->wc_nsec);
		read_barrier();
		if ((version & 1) || version != read_once(shared->wc_version))
			continue;
		if (seconds >= SECONDS_MOST || nanoseconds >= NS_PER_SECOND)
			return false;
		*base_ns = seconds * NS_PER_SECOND + nanoseconds;
		return true;
	}
	return false;
}
