/* SPDX-License-Identifier: ISC */
/*
 * A byte stream between two domains in shared memory, as libxenvchan speaks it, as server or
 * client. All calls are made from fibers; one fiber may read while another one writes.
 *
 * The protocol, from <xen/io/libxenvchan.h> (layout), the behaviour of Xen 4.17's libxenvchan
 * and, for the rendezvous, QubesOS's libvchan-xen. All numbers are little-endian.
 *
 * The server grants one page to the client, and further pages for rings that do not fit:
 *
 *	offset	bytes	field		written by
 *	0	4	left.cons	server		left: the client writes, the server reads
 *	4	4	left.prod	client
 *	8	4	right.cons	client		right: the server writes, the client reads
 *	12	4	right.prod	server
 *	16	2	left_order	server, once	log2 of the ring's bytes, 10 .. 20
 *	18	2	right_order	server, once
 *	20	1	cli_live	both		2 until a client comes (server), 1, 0 at its
 *end 21	1	srv_live	server		1, 0 at its end 22	1 cli_notify both
 *what the server wants to be told of
 *	23	1	srv_notify	both		what the client wants to be told of
 *	24	4 each	grants		server, once	left's pages, then right's
 *
 * A ring of order 10 lies at offset 1024 of that page, one of order 11 at offset 2048, larger
 * ones in 2^(order - 12) pages of their own. So the two orders may not both be 10 or both 11,
 * and the list of grants may not reach into a ring.
 *
 * Indices run freely and wrap at 2^32; a byte's place is its index modulo the ring's size.
 * prod - cons is what is in the ring, and more than the ring's size is impossible. The producer
 * writes the bytes, then prod; the consumer reads the bytes, then writes cons.
 *
 * Notifying costs a hypercall, so it is asked for. Bit 0 of a notify byte: tell me when you
 * have written; bit 1: tell me when you have read. Whoever wants to sleep sets the bit in the
 * byte that carries the other side's name, and then looks at the index again, because the
 * other side may have moved it just before. Whoever has moved an index clears the bit in the
 * other byte, in one atomic step, and sends an event when it was set. The server begins with
 * bit 0 set for itself, the client sets it for itself when it comes. An event is also sent when
 * the client comes and at either end, unasked.
 *
 * In xenstore the server writes PATH/ring-ref (the reference of the first page) and
 * PATH/event-channel (an unbound port for the client), decimal, in one transaction, both
 * readable by the client; in QubesOS PATH is data/vchan/CLIENT/PORT below the server's own
 * directory. The client waits for event-channel (it cannot see the directory), reads both,
 * maps, binds, writes cli_live. A server may write before that. It serves one client.
 *
 * Either side ends by clearing its live byte and sending an event; what it has written before
 * can still be read. A domain that dies says nothing, but then the event channel is not
 * connected any more, and while somebody waits Xen is asked for that about once a second.
 *
 * The peer is trusted with nothing: each field is read once; its indices are taken over only
 * when possible, and a vchan where they are not is broken for good, with one line in the log;
 * orders and grants are read once; our own indices live in private memory. A peer that sends
 * events without doing anything is masked for growing times, up to 32 ms. A client may keep
 * the pages that a server shared for as long as it lives: they stay out of use until then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "xen/fiber.h"

#define VCHAN_RING_BYTES_MAX (1u << 20)
#define VCHAN_PATH_BYTES 96u

struct vchan;

enum vchan_state {
	VCHAN_LISTENING, /* a server whose client has not come; it may write already */
	VCHAN_CONNECTED,
	VCHAN_ENDED,  /* the peer closed, died or was killed; what it wrote can still be read */
	VCHAN_BROKEN, /* the peer put impossible numbers into the ring: nothing more is read */
};

/*
 * A server for `peer`: rings of at least these sizes (bytes, at most VCHAN_RING_BYTES_MAX;
 * `read_bytes` for what the peer writes), published in xenstore at `path`/ring-ref and
 * `path`/event-channel, which are made readable by the peer. `event` is signalled whenever
 * anything changes, beside what the calls below wait for; NULL: not wanted.
 * -EINVAL: sizes, path, or the peer is ourselves; -ENOMEM, -ENOSPC (grants); -EBUSY: the peer
 * holds too many pages of earlier ones; or the store's error.
 */
must_check int vchan_listen(uint16_t peer, const char *path, uint32_t read_bytes,
			    uint32_t write_bytes, struct fiber_event *event, struct vchan **vchan);

/*
 * The client of a server that is at `path` in xenstore, or comes there before the deadline.
 * -ETIMEDOUT: none came; -EPIPE: it has ended, and its nodes are still there; -EPROTO: its
 * ring orders or indices are impossible; -EINVAL also for a grant or port that is none (any
 * more); -ENOMEM, or what else mapping and binding say. Whoever tries again should wait a
 * little: the nodes of a server that has gone may be there until the next one comes.
 */
must_check int vchan_connect(uint16_t peer, const char *path, struct fiber_event *event,
			     uint64_t deadline_ns, struct vchan **vchan);

/*
 * The same, but -E2BIG for rings larger than `ring_bytes_max` each. The server chooses how
 * large they are, and address space for mapping others' pages is short: whoever connects to
 * servers that are not trusted says what it can spare.
 */
must_check int vchan_connect_within(uint16_t peer, const char *path, uint32_t ring_bytes_max,
				    struct fiber_event *event, uint64_t deadline_ns,
				    struct vchan **vchan);

/*
 * Ends it from our side and frees it; harmless for NULL. What we wrote stays readable for a
 * peer that has mapped it. No other fiber may be in a call on it. A server's nodes are removed
 * from the store, which may take as long as a request to it.
 */
void vchan_close(struct vchan *vchan);

/* As last seen; asks Xen whether the peer still holds its end when that was long ago. */
enum vchan_state vchan_state(struct vchan *vchan);

/* For a server: 0 once a client has connected (look whether it is still there); -ETIMEDOUT. */
must_check int vchan_wait_client(struct vchan *vchan, uint64_t deadline_ns);

/*
 * Bytes that can be read, or written, without waiting; 0 also when it is broken, and for
 * writing when the peer has ended. The peer is asked to tell when there are more.
 */
size_t vchan_readable(struct vchan *vchan);
size_t vchan_writable(struct vchan *vchan);

/*
 * What is there, up to `size` bytes, without waiting: the count, 0 for nothing now,
 * -EPIPE: the peer has ended and all is read; -EPROTO: broken. Where it is less than `size`,
 * `event` is signalled when there is more.
 */
must_check int64_t vchan_try_read(struct vchan *vchan, void *to, size_t size);
/* What fits of it; as above, -EPIPE as soon as the peer has ended. */
must_check int64_t vchan_try_write(struct vchan *vchan, const void *from, size_t size);

/*
 * All `size` bytes, or an error: -EPIPE, -EPROTO, -ETIMEDOUT. After an error an unknown part
 * of them has gone; the stream is of no use any more.
 */
must_check int vchan_read(struct vchan *vchan, void *to, size_t size, uint64_t deadline_ns);
must_check int vchan_write(struct vchan *vchan, const void *from, size_t size,
			   uint64_t deadline_ns);

/*
 * Waits until something can be read (or the peer has ended), until something can be written
 * (the same), with -ETIMEDOUT at the deadline. Look again after 0.
 */
must_check int vchan_wait_readable(struct vchan *vchan, uint64_t deadline_ns);
must_check int vchan_wait_writable(struct vchan *vchan, uint64_t deadline_ns);

/* Open now, for the stats and leak tests. */
uint32_t vchan_count(void);

/* Pages of ended servers that their clients have not let go of, out of use. */
uint32_t vchan_held_pages(void);
