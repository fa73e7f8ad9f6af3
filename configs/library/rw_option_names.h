/* SPDX-License-Identifier: ISC */
/*
 * Socket options by names of our own: the host's <netinet/tcp.h> has states of TCP with the
 * names that net/tcp_core.h has, so only one file knows it.
 */
#pragma once

enum rw_option {
	RW_KEEPALIVE,
	RW_LINGER,
	RW_SEND_BYTES,
	RW_RECEIVE_BYTES,
	RW_PACING,
	RW_ERROR,
	RW_NO_DELAY,
	RW_KEEPALIVE_IDLE,
	RW_KEEPALIVE_INTERVAL,
	RW_KEEPALIVE_COUNT,
	RW_USER_TIMEOUT,
	RW_MSS,
	RW_INFO,
	RW_OPTION_COUNT
};

/* RW_OPTION_COUNT: none that we have. */
enum rw_option rw_option_named(int level, int option);
