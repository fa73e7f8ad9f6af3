/* SPDX-License-Identifier: ISC */
#include "net/tcp_paws.h"

#include "net/tcp_core_segment.h"
#include "net/wire.h"

/* Is `ts_value` from before TS.Recent? After a long silence nobody can tell. */
static bool is_old(uint32_t ts_value, uint32_t recent, uint64_t recent_ns, uint64_t now_ns)
{
	return tcp_before(ts_value, recent) && now_ns - recent_ns <= TCP_PAWS_IDLE_NS;
}

enum tcp_paws tcp_paws_judge(uint8_t flags, bool has_timestamps, uint32_t ts_value, uint32_t recent,
			     uint64_t recent_ns, uint64_t now_ns)
{
	if (flags & TCP_RST)
		return TCP_PAWS_OK;
	if (!has_timestamps)
		return TCP_PAWS_MISSING;
	return is_old(ts_value, recent, recent_ns, now_ns) ? TCP_PAWS_OLD : TCP_PAWS_OK;
}

bool tcp_paws_updates(uint32_t sequence, uint32_t ts_value, uint32_t last_ack, uint32_t recent,
		      uint64_t recent_ns, uint64_t now_ns)
{
	return !tcp_after(sequence, last_ack) && !is_old(ts_value, recent, recent_ns, now_ns);
}

bool tcp_paws_reopens(uint32_t sequence, uint32_t next, bool has_timestamps, uint32_t ts_value,
		      bool had_timestamps, uint32_t recent)
{
	if (has_timestamps && !had_timestamps)
		return true;
	if (has_timestamps && ts_value != recent)
		return tcp_after(ts_value, recent);
	return !tcp_before(sequence, next); /* `next` is behind the last number that came */
}
