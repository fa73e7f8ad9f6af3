/* SPDX-License-Identifier: ISC */
#include "net/tcp_core_merge.h"

#include <stddef.h>
#include <string.h>

#include "net/wire.h"

/* Payload, and nothing that has a meaning of its own. PSH ends what is merged. */
static bool is_plain(const struct tcp_segment *segment)
{
	return segment->bytes && segment->segments <= 1 && segment->piece_count &&
	       (segment->flags & (uint8_t)~TCP_PSH) == TCP_ACK;
}

bool tcp_merge_begin(struct tcp_merge *merge, struct netdev *netdev, struct packet *packet,
		     const struct tcp_segment *segment)
{
	if (!is_plain(segment) || segment->flags & TCP_PSH)
		return false;
	memcpy(&merge->segment, segment, offsetof(struct tcp_segment, pieces));
	memcpy(merge->segment.pieces, segment->pieces,
	       segment->piece_count * sizeof(segment->pieces[0]));
	merge->netdev = netdev;
	merge->each = segment->bytes;
	merge->packets[0] = packet;
	merge->count = 1;
	return true;
}

static bool says_the_same(const struct tcp_segment *a, const struct tcp_segment *b)
{
	return a->acknowledgement == b->acknowledgement && a->window == b->window &&
	       a->ecn == b->ecn && a->option_bytes == b->option_bytes &&
	       tcp_key_equal(&a->key, &b->key) &&
	       memcmp(a->options, b->options, a->option_bytes) == 0;
}

bool tcp_merge_join(struct tcp_merge *merge, const struct netdev *netdev, struct packet *packet,
		    const struct tcp_segment *segment)
{
	struct tcp_segment *whole = &merge->segment;

	if (!merge->count || tcp_merge_is_complete(merge) || merge->netdev != netdev ||
	    !is_plain(segment) || segment->sequence != whole->sequence + whole->bytes ||
	    segment->bytes > merge->each || whole->bytes % merge->each ||
	    whole->piece_count + segment->piece_count > TCP_PIECES_MAX ||
	    !says_the_same(whole, segment))
		return false;
	for (unsigned int i = 0; i < segment->piece_count; i++)
		whole->pieces[whole->piece_count++] = segment->pieces[i];
	whole->bytes += segment->bytes;
	whole->flags |= segment->flags;
	merge->packets[merge->count++] = packet;
	whole->segments = (uint16_t)merge->count;
	return true;
}

bool tcp_merge_is_complete(const struct tcp_merge *merge)
{
	return merge->segment.flags & TCP_PSH || merge->segment.piece_count == TCP_PIECES_MAX ||
	       merge->segment.bytes % merge->each;
}

void tcp_merge_end(struct tcp_merge *merge)
{
	for (uint32_t i = 0; i < merge->count; i++)
		packet_free(merge->packets[i]);
	merge->count = 0;
}
