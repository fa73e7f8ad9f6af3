/* SPDX-License-Identifier: ISC */
/*
 * Duplicate address detection (RFC 4862, 5.4; RFC 7527): before an address of ours is used,
 * everybody on the link is asked whether it is theirs. Until `done` says that it is not,
 * the caller neither answers for it nor sends from it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "net/ndp.h"

#define NDP_DAD_PROBES 1u /* RFC 4862, 5.1 */
#define NDP_DAD_INTERVAL_NS 1000000000ull
#define NDP_DAD_DELAY_NS                                                         \
	1000000000ull /* the first probe, at random, so that not all ask at once \
		       */

struct ndp_dad;

/*
 * `unique`: nobody has it. Else somebody has it or wants it at the same time, and it must not
 * be used. The detection is over, and may be started again from here.
 */
typedef void ndp_dad_done(struct ndp_dad *dad, bool unique, uint64_t now_ns);

/* One address. The caller's memory, zeroed or used before, for as long as it runs. */
struct ndp_dad {
	struct wheel_timer timer;
	struct list link; /* in ndp->detections while it runs */
	struct ndp *ndp;
	struct netdev *netdev;
	struct ip6_address address;
	ndp_dad_done *done;
	void *context;			/* for `done` */
	uint8_t left;			/* probes to send */
	uint8_t nonce[NDP_NONCE_BYTES]; /* tells our own probe that a link brings back */
};

/* Prepares a detection that does not run. */
void ndp_dad_init(struct ndp_dad *dad, struct ndp *ndp, ndp_dad_done *done, void *context);

/* Starts, or starts again, for `address` on a link that is up. */
void ndp_dad_start(struct ndp_dad *dad, struct netdev *netdev, const struct ip6_address *address,
		   struct random *random, uint64_t now_ns);

/* Ends it without a word; harmless when it does not run. */
void ndp_dad_stop(struct ndp_dad *dad);

bool ndp_dad_is_running(const struct ndp_dad *dad);

/*
 * To be given every neighbour message before it is answered or learnt from. True: it is about
 * an address that is under detection, and must not be answered or learnt from.
 */
must_check bool ndp_dad_hear(struct ndp *ndp, const struct netdev *netdev,
			     const struct ndp_message *message, uint64_t now_ns);
