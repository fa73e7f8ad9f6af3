/* SPDX-License-Identifier: ISC */
#include "configs/library/rw_option_names.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

static const struct {
	int level;
	int option;
	enum rw_option is;
} names[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, RW_KEEPALIVE },
	{ SOL_SOCKET, SO_LINGER, RW_LINGER },
	{ SOL_SOCKET, SO_SNDBUF, RW_SEND_BYTES },
	{ SOL_SOCKET, SO_RCVBUF, RW_RECEIVE_BYTES },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, RW_PACING },
	{ SOL_SOCKET, SO_ERROR, RW_ERROR },
	{ IPPROTO_TCP, TCP_NODELAY, RW_NO_DELAY },
	{ IPPROTO_TCP, TCP_KEEPIDLE, RW_KEEPALIVE_IDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL, RW_KEEPALIVE_INTERVAL },
	{ IPPROTO_TCP, TCP_KEEPCNT, RW_KEEPALIVE_COUNT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, RW_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_MAXSEG, RW_MSS },
	{ IPPROTO_TCP, TCP_INFO, RW_INFO },
};

enum rw_option rw_option_named(int level, int option)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].level == level && names[i].option == option)
			return names[i].is;
	return RW_OPTION_COUNT;
}
