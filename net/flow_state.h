/* SPDX-License-Identifier: ISC */
/*
 * The states of flows: how long each may be idle, which of the rules' time-outs sets
 * that, and in which of its owner's lists it stands.
 */
#pragma once

#include <stdint.h>

#include "net/rules.h"

/* The lists of one owner; what is in an earlier one goes sooner. */
enum flow_list_index {
	FLOW_LIST_HALF_OPEN,   /* TCP that has not been answered in full */
	FLOW_LIST_UNPROVED,    /* not answered, or closed */
	FLOW_LIST_REPLIED,     /* answered, but no open TCP connection */
	FLOW_LIST_ESTABLISHED, /* goes only when abandoned */
	FLOW_LISTS
};

/*
 * FLOW_STATE(constant, name, idle seconds, time-out of the rules, list).
 * TCP: RFC 5382, REQ-5; UDP: RFC 4787, REQ-5; ICMP: RFC 5508, REQ-1.
 */
#define FLOW_STATES(FLOW_STATE)                                                   \
	FLOW_STATE(FREE, "free", 0, TIMEOUTS, UNPROVED)                           \
	FLOW_STATE(TCP_SYN_SENT, "tcp-syn", 240, TCP_FIRST, HALF_OPEN)            \
	FLOW_STATE(TCP_SYN_RECEIVED, "tcp-opening", 240, TCP_OPENING, HALF_OPEN)  \
	FLOW_STATE(TCP_ESTABLISHED, "tcp", 86400, TCP_ESTABLISHED, ESTABLISHED)   \
	FLOW_STATE(TCP_CLOSING, "tcp-half-closed", 900, TCP_CLOSING, REPLIED)     \
	FLOW_STATE(TCP_FIN_WAIT, "tcp-closing", 240, TCP_FINWAIT, UNPROVED)       \
	FLOW_STATE(TCP_CLOSED, "tcp-closed", 240, TCP_CLOSED, UNPROVED)           \
	FLOW_STATE(UDP_NEW, "udp-new", 120, UDP_FIRST, UNPROVED)                  \
	FLOW_STATE(UDP_SINGLE, "udp-unanswered", 120, UDP_SINGLE, UNPROVED)       \
	FLOW_STATE(UDP_REPLIED, "udp", 300, UDP_MULTIPLE, REPLIED)                \
	FLOW_STATE(ICMP, "icmp", 60, ICMP_FIRST, UNPROVED)                        \
	FLOW_STATE(ICMP_REPLIED, "icmp-answered", 60, ICMP_ERROR, UNPROVED)       \
	FLOW_STATE(OTHER, "other-new", 120, OTHER_FIRST, UNPROVED)                \
	FLOW_STATE(OTHER_SINGLE, "other-unanswered", 120, OTHER_SINGLE, UNPROVED) \
	FLOW_STATE(OTHER_REPLIED, "other", 300, OTHER_MULTIPLE, REPLIED)

enum flow_state {
#define FLOW_ENUM(constant, name, seconds, timeout, list) FLOW_##constant,
	FLOW_STATES(FLOW_ENUM)
#undef FLOW_ENUM
		FLOW_STATE_COUNT
};

/* Seconds that a flow may be idle in each state; 0: the default. */
struct flow_timeouts {
	uint32_t seconds[FLOW_STATE_COUNT];
};

/* The same in the order of the rules (`set timeout`, `keep state (...)`). */
struct flow_timeouts flow_timeouts_of_rules(const uint32_t seconds[RULES_TIMEOUTS]);

/* In ticks of the wheel; more than FLOW_IDLE_SECONDS_MAX counts as that. */
#define FLOW_IDLE_SECONDS_MAX (1u << 23) /* half a deadline's range is 2^31 ticks */
uint32_t flow_idle_ticks(uint32_t seconds);

/* The default in ticks. */
uint32_t flow_idle_default(enum flow_state state);

/* Where the owner lists flows in this state. */
enum flow_list_index flow_list_of_state(enum flow_state state);
