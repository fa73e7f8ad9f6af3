/* SPDX-License-Identifier: ISC */
/* Addresses as callers of sockets have them, and as the stack has them. */
#include <errno.h>
#include <netinet/in.h>

#include "configs/library/rw_parts.h"

int rw_address_read(uint8_t version, const struct sockaddr *from, socklen_t bytes,
		    struct socket_address *to)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*to = (struct socket_address){ 0 };
	if (!from || bytes < sizeof(from->sa_family))
		return -EINVAL;
	if (from->sa_family != (version == 6 ? AF_INET6 : AF_INET))
		return -EAFNOSUPPORT;
	if (bytes < (version == 6 ? sizeof(in6) : sizeof(in)))
		return -EINVAL;
	if (version == 6) {
		memcpy(&in6, from, sizeof(in6));
		to->ip = ip_address_of6(in6.sin6_addr.s6_addr);
		to->port = ntohs(in6.sin6_port);
		return 0;
	}
	memcpy(&in, from, sizeof(in));
	to->ip = ip_address_of4((be32){ in.sin_addr.s_addr });
	to->port = ntohs(in.sin_port);
	return 0;
}

static void write_bytes(const void *from, socklen_t bytes, struct sockaddr *to, socklen_t *room)
{
	memcpy(to, from, *room < bytes ? *room : bytes);
	*room = bytes;
}

void rw_address_write(const struct socket_address *from, struct sockaddr *to, socklen_t *bytes)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(from->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(from->port) };

	if (!to || !bytes)
		return;
	if (from->ip.version == 6) {
		memcpy(&in6.sin6_addr, from->ip.bytes, sizeof(in6.sin6_addr));
		write_bytes(&in6, sizeof(in6), to, bytes);
		return;
	}
	in.sin_addr.s_addr = ip_address_get4(&from->ip).raw;
	write_bytes(&in, sizeof(in), to, bytes);
}
