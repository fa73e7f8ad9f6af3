/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the agent know of each other: qrexec.c has the control channel,
 * qrexec_call.c the calls of our services, qrexec_trigger.c our calls of others.
 */
#pragma once

#include "lib/list.h"
#include "lib/log.h"
#include "xen/fiber.h"
#include "xen/qrexec.h"
#include "xen/qrexec_data.h"
#include "xen/qrexec_wire.h"
#include "xen/vchan.h"

#define QREXEC_SECOND_NS 1000000000ull
#define QREXEC_OUTPUT_BYTES 4096u

/* Calls that only get a text and an exit code, because there are too many of the others. */
#define QREXEC_REFUSALS_MAX 8u
/* Of the calls, so many are kept for the daemon's own domain. */
#define QREXEC_CALLS_RESERVED 4u
/* One of the other domains has at most so many of them, and leaves some for a third one. */
#define QREXEC_CALLS_OF_ONE 6u
#define QREXEC_TRIGGERS_MAX 8u

struct qrexec {
	struct qrexec_config config;
	uint16_t domid;	      /* our own */
	struct vchan *vchan;  /* of the control channel; NULL: none now */
	bool is_hidden;	      /* a client came, and no other one finds the server any more */
	uint64_t hello_by_ns; /* when that one must have said HELLO */
	uint32_t version;     /* 0: no greeting yet */
	uint32_t session;     /* counts the control channels; what belongs to an old one is void */
	struct qrexec_receiver receiver;
	/* Whole messages on their way out: this fiber alone writes them to the vchan. */
	uint8_t output[QREXEC_OUTPUT_BYTES];
	uint32_t output_bytes;
	struct fiber_event event; /* the vchan, or new output */
	struct fiber_event room;  /* output went out, or the session has ended */
	struct list triggers;	  /* that wait for dom0's answer */
	uint32_t trigger_count;	  /* all of them, also when answered */
	uint64_t next_ident;
	uint32_t calls, refusals; /* now */
	struct list call_list;	  /* those calls, without refusals */
	struct {
		uint64_t sessions, calls, no_service, refused, dropped, lost, triggers, strange;
	} count;
	struct log_limit log_limit;
};

/* Puts a whole message into the output and keeps `reserve` bytes of it free; false: full. */
must_check bool qrexec_output(struct qrexec *agent, const uint8_t *message, size_t bytes,
			      size_t reserve);

/* Tells the daemon of that session that a call has ended. Waits for room if it must. */
void qrexec_terminated(struct qrexec *agent, uint32_t session, const struct qrexec_params *params);

/* EXEC_CMDLINE and JUST_EXEC: a body that was `length` long, of which `kept` are here. There
 * is room for one CONNECTION_TERMINATED in the output. */
void qrexec_call_begin(struct qrexec *agent, const struct qrexec_header *header,
		       const uint8_t *body, size_t kept);

/* SERVICE_CONNECT and SERVICE_REFUSED; room as above. */
void qrexec_trigger_connect(struct qrexec *agent, const uint8_t *body, size_t bytes);
void qrexec_trigger_refuse(struct qrexec *agent, const uint8_t *body, size_t bytes);

/* The session has ended: nobody will answer those that wait. */
void qrexec_trigger_lose_all(struct qrexec *agent);
