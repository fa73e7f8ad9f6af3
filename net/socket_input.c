/* SPDX-License-Identifier: ISC */
/* Packets for end points: whose they are, and the way to it. */
#include <string.h>

#include "net/socket_parts.h"
#include "net/udp.h"
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

	if (!sockets->only_used || tcp_state_of(&sockets->tcp, key) != TCP_CLOSED)
		return false;
	tcp = tcp_listener_of(&sockets->tcp, key);
	if (!tcp)
		return false;
	listener = tcp->context;
	return listener->only && listener->only != netdev;
}

static bool is_udp(const struct packet_info *info)
{
	/* Ports are 0 where there are none, as in later fragments. */
	return info->key.protocol == IP_PROTOCOL_UDP && info->kind == PACKET_ORDINARY &&
	       !packet_is_fragment(info) && info->key.destination_port.raw;
}

static bool wants_tcp(const struct sockets *sockets, const struct packet_info *info)
{
	struct tcp_key key = tcp_packets_key(info);

	return tcp_state_of(&sockets->tcp, &key) != TCP_CLOSED ||
	       tcp_listener_of(&sockets->tcp, &key);
}

static bool wants_udp(const struct sockets *sockets, const struct packet_info *info)
{
	struct udp_key key = socket_udp_key(info);
	struct ip_address own = packet_destination(info);

	return socket_udp_find(sockets, &own, &key);
}

static bool holds(void *context, const struct packet_info *info)
{
	const struct sockets *sockets = context;

	if (sockets->asking)
		return false;
	if (is_tcp(info))
		return wants_tcp(context, info);
	return is_udp(info) && wants_udp(context, info);
}

bool socket_port_is_free(struct sockets *sockets, uint8_t protocol,
			 const struct socket_address *own, const struct socket_address *peer)
{
	const struct socket_links *links = &sockets->config.links;
	bool is_free;

	if (!links->port_is_free)
		return true;
	sockets->asking = true;
	is_free = links->port_is_free(links->context, protocol, own, peer);
	sockets->asking = false;
	return is_free;
}

static bool wants(void *context, const struct packet_info *info)
{
	struct sockets *sockets = context;

	if (info->kind == PACKET_ICMP_ERROR || holds(context, info))
		return true;
	sockets->stats.udp_no_socket += is_udp(info);
	return false;
}

/*
 * The ACK that returns a cookie belongs to what was let in, of which nothing is kept: while
 * cookies are out, ACKs come in and are looked at.
 */
static bool may_be_cookie(const struct sockets *sockets, const struct tcp_key *key,
			  const struct packet_info *info)
{
	const struct tcp_cookies *cookies = &sockets->tcp.cookies;
	const struct tcp_listener *listener;

	if ((info->tcp_flags & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK || !cookies->made ||
	    sockets->now - cookies->last_ns > 2 * TCP_COOKIE_PERIOD_NS)
		return false;
	listener = tcp_listener_of(&sockets->tcp, key);
	return listener && listener->cookies;
}

static bool owns_tcp(const struct sockets *sockets, const struct packet_info *info)
{
	struct tcp_key key = tcp_packets_key(info);
	enum tcp_state state = tcp_state_of(&sockets->tcp, &key);

	if (state == TCP_CLOSED)
		return may_be_cookie(sockets, &key, info);
	/* A SYN to what is over would be something new. */
	return state != TCP_TIME_WAIT || (info->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
}

static bool owns_udp(const struct sockets *sockets, const struct packet_info *info)
{
	struct udp_key key = socket_udp_key(info);
	struct ip_address own = packet_destination(info);
	const struct udp_socket *udp = socket_udp_find(sockets, &own, &key);

	return udp && (udp->key.version || socket_udp_is_answer(sockets, &key));
}

static bool owns(void *context, const struct packet_info *info)
{
	if (is_tcp(info))
		return owns_tcp(context, info);
	if (is_udp(info))
		return owns_udp(context, info);
	return info->kind == PACKET_ICMP_ERROR;
}

/*
 * No link is remembered for answers: links come and go, and whoever composes the stack knows
 * the way.
 */
static void input_tcp(struct sockets *sockets, struct netdev *netdev, struct packet *packet,
		      const struct packet_info *info)
{
	const struct router_service tcp = tcp_packets_service(&sockets->packets);
	struct tcp_key key = tcp_packets_key(info);

	/* There is nobody in that zone: it is refused. */
	sockets->packets.zone = is_elsewhere(sockets, netdev, &key);
	service_input(&tcp, NULL, packet, info);
}

static void input(void *context, struct netdev *netdev, struct packet *packet,
		  const struct packet_info *info)
{
	if (info->kind == PACKET_ICMP_ERROR)
		socket_problem_input(context, packet, info);
	else if (info->key.protocol == IP_PROTOCOL_UDP)
		socket_udp_input(context, packet, info);
	else
		input_tcp(context, netdev, packet, info);
}

struct router_service socket_input_service(struct sockets *sockets)
{
	return (struct router_service){
		.wants = wants,
		.input = input,
		.context = sockets,
		.owns = owns,
		.holds = holds,
		.rejudge = socket_rejudge,
	};
}
