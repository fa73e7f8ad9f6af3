/* SPDX-License-Identifier: ISC */
/*
 * The rules have changed: connections that others have begun and that could not begin now end.
 * In silence, as flows do: what still comes of them the rules judge. Cookies that are out end, too:
 * their ACKs would come in as parts of what was let in.
 */
#include <errno.h>

#include "net/socket_parts.h"
#include "net/wire.h"

/* The packet that began it, so far as rules can tell. */
static struct packet_info first_packet(const struct tcp_key *key)
{
	struct packet_info info = {
		.key = { .source_port = key->peer_port,
			 .destination_port = key->own_port,
			 .protocol = IP_PROTOCOL_TCP,
			 .version = key->version },
		.tcp_flags = TCP_SYN,
	};
	struct ip6_address address;

	if (key->version == 4) {
		memcpy(&info.key.source, key->peer, sizeof(info.key.source));
		memcpy(&info.key.destination, key->own, sizeof(info.key.destination));
		return info;
	}
	memcpy(address.bytes, key->peer, sizeof(address.bytes));
	flow_tuple_set_source6(&info.tuple, &address);
	memcpy(address.bytes, key->own, sizeof(address.bytes));
	flow_tuple_set_destination6(&info.tuple, &address);
	return info;
}

void socket_rejudge(void *context, service_may_begin *may_begin, void *judge)
{
	struct sockets *sockets = context;

	/* Nobody knows whom they were made for. */
	tcp_cookies_forget(&sockets->tcp.cookies);
	for (uint32_t i = 0; i < sockets->config.connections; i++) {
		struct tcp_connection *c = &sockets->connections[i];
		struct packet_info info;

		if ((c->flags & (TCP_FLAG_LIVE | TCP_FLAG_PASSIVE)) !=
			    (TCP_FLAG_LIVE | TCP_FLAG_PASSIVE) ||
		    c->end.state == TCP_CLOSED)
			continue;
		info = first_packet(&c->end.key);
		if (!may_begin(judge, &info))
			tcp_forget(c, -ECONNABORTED, sockets->now);
	}
}
