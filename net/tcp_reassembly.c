/* SPDX-License-Identifier: ISC */
#include "net/tcp_reassembly.h"

#include <stddef.h>

#include "lib/minmax.h"
#include "net/tcp_core_segment.h"

/* A segment on its way to its place. */
struct arriving {
	uint32_t sequence; /* of its first byte */
	tcp_reassembly_write *write;
	void *context;
	struct tcp_arrival *arrival;
};

void tcp_reassembly_init(struct tcp_reassembly *reassembly, struct tcp_span_pool *pool,
			 uint16_t limit, uint32_t next)
{
	*reassembly = (struct tcp_reassembly){ .pool = pool, .next = next, .limit = limit };
}

/* ---- the list, newest first ---- */

static void list_add(struct tcp_reassembly *reassembly, struct tcp_span *span)
{
	span->newer = NULL;
	span->older = reassembly->newest;
	if (span->older)
		span->older->newer = span;
	reassembly->newest = span;
}

static void list_remove(struct tcp_reassembly *reassembly, struct tcp_span *span)
{
	if (span->newer)
		span->newer->older = span->older;
	else
		reassembly->newest = span->older;
	if (span->older)
		span->older->newer = span->newer;
}

static void make_newest(struct tcp_reassembly *reassembly, struct tcp_span *span)
{
	if (reassembly->newest == span)
		return;
	list_remove(reassembly, span);
	list_add(reassembly, span);
}

/* ---- spans ---- */

static void span_remove(struct tcp_reassembly *reassembly, struct tcp_span *span)
{
	tcp_spans_remove(&reassembly->root, span);
	list_remove(reassembly, span);
	tcp_span_give(reassembly->pool, span);
	reassembly->count--;
}

static bool may_have_another(const struct tcp_reassembly *reassembly)
{
	return reassembly->count < reassembly->limit &&
	       reassembly->count < reassembly->pool->free_count;
}

static bool span_add(struct tcp_reassembly *reassembly, uint32_t begin, uint32_t end)
{
	struct tcp_span *span = tcp_span_take(reassembly->pool, begin, end);

	if (!span)
		return false;
	tcp_spans_insert(&reassembly->root, span);
	list_add(reassembly, span);
	reassembly->count++;
	return true;
}

/* Only the first duplicate of a segment is told of (RFC 2883, 4.2). */
static void note_duplicate(struct tcp_reassembly *reassembly, struct tcp_arrival *arrival,
			   uint32_t begin, uint32_t bytes)
{
	if (!arrival->duplicate)
		reassembly->twice = (struct tcp_sack_block){ begin, begin + bytes };
	arrival->duplicate += bytes;
}

/* [begin, end) has been written; it goes on where RCV.NXT is, and up to `behind` if it touches. */
static void advance(struct tcp_reassembly *reassembly, uint32_t end, struct tcp_span *behind)
{
	reassembly->next = end;
	if (!behind || behind->begin != end)
		return;
	reassembly->held -= behind->end - behind->begin;
	reassembly->next = behind->end;
	span_remove(reassembly, behind);
}

/* The same where the span `before` ends. */
static void extend(struct tcp_reassembly *reassembly, struct tcp_span *before, uint32_t end,
		   struct tcp_span *behind)
{
	reassembly->held += end - before->end;
	before->end = end;
	if (behind && behind->begin == end) {
		before->end = behind->end;
		span_remove(reassembly, behind);
	}
	make_newest(reassembly, before);
}

/*
 * Fills a gap, or its beginning: nothing of [begin, begin + bytes) has come. `before` ends
 * where it begins or earlier, `behind` begins where it ends or later. Returns how many bytes
 * there are now.
 */
static uint32_t fill(struct tcp_reassembly *reassembly, const struct arriving *arriving,
		     uint32_t begin, uint32_t bytes, struct tcp_span *before,
		     struct tcp_span *behind)
{
	bool is_next = begin == reassembly->next;
	bool touches = before && before->end == begin;
	bool reaches = behind && behind->begin == begin + bytes;
	uint32_t written;

	if (!is_next && !touches && !reaches && !may_have_another(reassembly))
		return 0;
	written = arriving->write(arriving->context, begin, begin - arriving->sequence, bytes);
	if (!written)
		return 0;
	if (is_next) {
		advance(reassembly, begin + written, behind);
	} else if (touches) {
		extend(reassembly, before, begin + written, behind);
	} else if (reaches && written == bytes) {
		behind->begin = begin;
		reassembly->held += written;
		make_newest(reassembly, behind);
	} else if (may_have_another(reassembly) && span_add(reassembly, begin, begin + written)) {
		reassembly->held += written;
	} else {
		return 0; /* nobody knows of what was written */
	}
	return written;
}

/* Places [begin, end), which lies in the window. */
static void place(struct tcp_reassembly *reassembly, const struct arriving *arriving,
		  uint32_t begin, uint32_t end)
{
	struct tcp_arrival *arrival = arriving->arrival;

	while (begin != end) {
		struct tcp_span *before = tcp_spans_at(reassembly->root, begin);
		struct tcp_span *behind;
		uint32_t bytes = end - begin, filled;

		if (before && tcp_after(before->end, begin)) {
			bytes = min32(bytes, before->end - begin);
			note_duplicate(reassembly, arrival, begin, bytes);
			make_newest(reassembly, before);
			begin += bytes;
			continue;
		}
		behind = tcp_spans_behind(reassembly->root, begin);
		if (behind)
			bytes = min32(bytes, behind->begin - begin);
		filled = fill(reassembly, arriving, begin, bytes, before, behind);
		arrival->fresh += filled;
		begin += filled;
		if (filled < bytes) {
			arrival->refused = end - begin;
			return;
		}
		if (tcp_after(reassembly->next, begin)) { /* it has swallowed what came then */
			bytes = min32(end - begin, reassembly->next - begin);
			if (bytes)
				note_duplicate(reassembly, arrival, begin, bytes);
			begin += bytes;
		}
	}
}

struct tcp_arrival tcp_reassembly_add(struct tcp_reassembly *reassembly, uint32_t sequence,
				      uint32_t bytes, uint32_t right, tcp_reassembly_write *write,
				      void *context)
{
	struct tcp_arrival arrival = { .fresh = 0 };
	struct arriving arriving = { sequence, write, context, &arrival };
	uint32_t next = reassembly->next, begin = sequence, end = sequence + bytes;
	uint32_t ahead, room;
	bool had_holes = !tcp_reassembly_is_empty(reassembly);

	if (!bytes)
		return arrival;
	if (tcp_before(sequence, next)) {
		uint32_t old = min32(next - sequence, bytes);

		note_duplicate(reassembly, &arrival, sequence, old);
		begin += old;
	}
	if (begin != end) {
		ahead = begin - next;
		room = right - next > ahead ? right - next - ahead : 0;
		if (end - begin > room) {
			arrival.outside = end - begin - room;
			end = begin + room;
		}
		place(reassembly, &arriving, begin, end);
	}
	arrival.advanced = reassembly->next - next;
	arrival.ack_now = had_holes || reassembly->root || arrival.fresh < bytes;
	return arrival;
}

unsigned int tcp_reassembly_sacks(struct tcp_reassembly *reassembly, struct tcp_sack_block *blocks,
				  unsigned int max)
{
	const struct tcp_span *span = reassembly->newest;
	unsigned int count = 0;

	if (!max)
		return 0;
	if (reassembly->twice.begin != reassembly->twice.end) {
		blocks[count++] = reassembly->twice;
		reassembly->twice = (struct tcp_sack_block){ 0, 0 };
	}
	for (; span && count < max; span = span->older)
		blocks[count++] = (struct tcp_sack_block){ span->begin, span->end };
	return count;
}

void tcp_reassembly_clear(struct tcp_reassembly *reassembly)
{
	struct tcp_span *span = reassembly->newest;

	while (span) {
		struct tcp_span *older = span->older;

		tcp_span_give(reassembly->pool, span);
		span = older;
	}
	reassembly->root = NULL;
	reassembly->newest = NULL;
	reassembly->count = 0;
	reassembly->held = 0;
	reassembly->twice = (struct tcp_sack_block){ 0, 0 };
}

/* How many spans there are below `root`; its height is bounded. */
static uint32_t count_below(const struct tcp_span *root)
{
	return root ? 1 + count_below(root->left) + count_below(root->right) : 0;
}

bool tcp_reassembly_is_valid(const struct tcp_reassembly *reassembly)
{
	const struct tcp_span *newer = NULL;
	uint32_t listed = 0, held = 0;

	if (!tcp_spans_are_valid(reassembly->root) || reassembly->count > reassembly->limit ||
	    count_below(reassembly->root) != reassembly->count)
		return false;
	for (const struct tcp_span *span = reassembly->newest; span; span = span->older) {
		if (span->newer != newer || !tcp_after(span->begin, reassembly->next) ||
		    tcp_spans_at(reassembly->root, span->begin) != span ||
		    ++listed > reassembly->count)
			return false;
		held += span->end - span->begin;
		newer = span;
	}
	return listed == reassembly->count && held == reassembly->held;
}
