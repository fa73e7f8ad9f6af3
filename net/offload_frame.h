/* SPDX-License-Identifier: ISC */
/*
 * Offloads for frames that are passed on without being routed, of either family: what the
 * sender left to others and the next link cannot do is done in software. Nobody has parsed
 * these frames, so their headers are found here.
 */
#pragma once

#include <stdbool.h>

#include "lib/compiler.h"
#include "lib/packet.h"
#include "net/netdev.h"
#include "net/own.h"

/* What a link takes as one piece when it has no scatter-gather. */
enum offload_piece {
	OFFLOAD_PIECE_MEMORY, /* contiguous memory: one slot of a frontend's ring */
	OFFLOAD_PIECE_PAGE,   /* up to a page of bytes, wherever they lie: a backend copies them */
};

/* Whether the frame cannot be given to `netdev` as it is. Cheap: for every frame. */
must_check bool offload_frame_is_needed(const struct netdev *netdev, enum offload_piece piece,
					const struct packet *packet);

/*
 * Makes of the frame what `netdev` can send, and gives that to own->send, in order.
 * Consumes it. What cannot be made is dropped: DROP_BAD_GSO and DROP_BAD_OFFLOAD when the
 * headers do not bear out what the sender asked for, DROP_NO_OFFLOAD, DROP_NO_MEMORY.
 */
void offload_frame_send(const struct own *own, struct netdev *netdev, enum offload_piece piece,
			struct packet *packet);
