/* SPDX-License-Identifier: ISC */
/*
 * A byte stream between two domains in shared memory, as libxenvchan speaks it
 * (<xen/io/libxenvchan.h>), as server or client. All calls are made from fibers; one
 * fiber may read while another one writes.
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
 * -EINVAL: sizes or path; -ENOMEM, -ENOSPC (grants), or the store's error.
 */
must_check int vchan_listen(uint16_t peer, const char *path, uint32_t read_bytes,
			    uint32_t write_bytes, struct fiber_event *event, struct vchan **vchan);

/*
 * The client of a server that is at `path` in xenstore, or comes there before the deadline.
 * -ETIMEDOUT: none came; -EPROTO: its ring orders or grants are impossible; -ENOMEM, or
 * what mapping and binding say.
 */
must_check int vchan_connect(uint16_t peer, const char *path, struct fiber_event *event,
			     uint64_t deadline_ns, struct vchan **vchan);

/* Ends it from our side and frees it; harmless for NULL. What we wrote stays readable for a
 * peer that has mapped it. */
void vchan_close(struct vchan *vchan);

/* As last seen; asks Xen whether the peer still holds its end when that was long ago. */
enum vchan_state vchan_state(struct vchan *vchan);

/* For a server: 0 once a client has connected; -ETIMEDOUT. */
must_check int vchan_wait_client(struct vchan *vchan, uint64_t deadline_ns);

/* Bytes that can be read, or written, without waiting. 0 also when it is broken. */
size_t vchan_readable(struct vchan *vchan);
size_t vchan_writable(struct vchan *vchan);

/*
 * What is there, up to `size` bytes, without waiting: the count, 0 for nothing now,
 * -EPIPE: the peer has ended and all is read; -EPROTO: broken.
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
