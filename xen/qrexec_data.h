/* SPDX-License-Identifier: ISC */
/*
 * A call's own channel: greetings, messages in and out, on a vchan of either role. It belongs
 * to one fiber. Errors are -EPIPE (the peer is gone), -EPROTO and -ETIMEDOUT; the first two
 * are final.
 */
#pragma once

#include "xen/fiber.h"
#include "xen/qrexec_wire.h"
#include "xen/vchan.h"

struct qrexec_data {
	struct vchan *vchan;	  /* NULL: not open */
	struct fiber_event event; /* the vchan's; initialised before it opens */
	uint32_t version;
	struct qrexec_header header; /* of the message that is being read */
	uint8_t head[QREXEC_HEADER_BYTES];
	uint32_t head_have;
	uint32_t left;	/* bytes of its body that were not read yet */
	bool discard;	/* what comes while we wait to write is thrown away */
	int error;	/* what has ended it */
	uint32_t moved; /* work done since other fibers had their turn */
};

void qrexec_data_init(struct qrexec_data *data);
void qrexec_data_close(struct qrexec_data *data);

/* Our HELLO goes out, possibly before the peer is there. */
must_check int qrexec_data_send_hello(struct qrexec_data *data);
/* Waits for the peer's, and sets the version. */
must_check int qrexec_data_await_hello(struct qrexec_data *data, uint64_t deadline_ns);

/* Waits for a message, after the last one was read whole: then `header` and `left` say what
 * it is. After -ETIMEDOUT it can be asked again. */
must_check int qrexec_data_next(struct qrexec_data *data, uint64_t deadline_ns);

/* Up to `size` bytes of the message's body, of which some are left; waits for the first. */
must_check int64_t qrexec_data_read(struct qrexec_data *data, void *to, size_t size,
				    uint64_t deadline_ns);

/* Throws away what is left of the message. */
must_check int qrexec_data_drop(struct qrexec_data *data, uint64_t deadline_ns);

/*
 * All of it as messages of `type`, each of a bounded length; with `size` 0 one of length 0.
 * -ETIMEDOUT when the peer takes nothing for QREXEC_STALL_NS.
 */
#define QREXEC_STALL_NS (600ull * 1000000000ull)
must_check int qrexec_data_send(struct qrexec_data *data, enum qrexec_type type, const void *from,
				size_t size);

/* The end of a service's side: the ends of the streams that have none yet, and its exit code. */
must_check int qrexec_data_send_exit(struct qrexec_data *data, bool close_output, bool close_error,
				     int code);
