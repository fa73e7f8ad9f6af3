/* SPDX-License-Identifier: ISC */
/* Packets for end points: whose they are, and the way to it. */
#include <string.h>

#include "net/socket_parts.h"
#include "net/wire.h"

static bool is_tcp(const struct packet_info *info)
{
	return info->key.protocol == IP_PROTOCOL_TCP && info->kind == PACKET_ORDINARY &&
	       !packet_is_fragment(info);
}

/* Only what comes by one link? Then for any other nobody listens. */
static bool is_elsewhere(struct sockets *sockets, const struct netdev *netdev,
			 const struct tcp_key *key)
{
	const struct tcp_listener *tcp;
	const struct listener *listener;

	if (tcp_state_of(&sockets->tcp, key) != TCP_CLOSED)
		return false;
	tcp = tcp_listener_of(&sockets->tcp, key);
	if (!tcp)
		return false;
	listener = tcp->context;
	return listener->only && listener->only != netdev;
}

static bool wants(void *context, const struct packet_info *info)
{
	struct sockets *sockets = context;
	struct tcp_key key;

	if (!is_tcp(info))
		return false;
	key = tcp_packets_key(info);
	return tcp_state_of(&sockets->tcp, &key) != TCP_CLOSED ||
	       tcp_listener_of(&sockets->tcp, &key);
}

/*
 * No link is remembered for answers: links come and go, and whoever composes the stack knows
 * the way.
 */
static void input(void *context, struct netdev *netdev, struct packet *packet,
		  const struct packet_info *info)
{
	struct sockets *sockets = context;
	const struct router_service tcp = tcp_packets_service(&sockets->packets);
	struct tcp_key key = tcp_packets_key(info);

	if (is_elsewhere(sockets, netdev, &key)) {
		packet_drop(packet, DROP_NOT_OURS);
		return;
	}
	service_input(&tcp, NULL, packet, info);
}

struct router_service socket_input_service(struct sockets *sockets)
{
	return (struct router_service){ .wants = wants, .input = input, .context = sockets };
}
