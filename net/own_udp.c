/* SPDX-License-Identifier: ISC */
#include "net/own_udp.h"

#include <errno.h>

#include "net/udp.h"

void own_udp_init(struct own_udp *udp,
		  void (*send)(void *context, const struct own_udp_datagram *datagram),
		  void *send_context)
{
	udp->send = send;
	udp->send_context = send_context;
	udp->user_count = 0;
	udp->received = 0;
	udp->sent = 0;
}

int own_udp_add(struct own_udp *udp, const struct own_udp_user *user)
{
	if (udp->user_count == OWN_UDP_USERS)
		return -ENOSPC;
	udp->users[udp->user_count++] = *user;
	return 0;
}

static const struct own_udp_user *user_of(const struct own_udp *udp, uint16_t own_port)
{
	for (uint32_t i = 0; i < udp->user_count; i++)
		if (udp->users[i].wants(udp->users[i].context, own_port))
			return &udp->users[i];
	return NULL;
}

bool own_udp_wants(const struct own_udp *udp, uint16_t own_port)
{
	return user_of(udp, own_port) != NULL;
}

bool own_udp_input(struct own_udp *udp, const struct own_udp_datagram *datagram)
{
	const struct own_udp_user *user = user_of(udp, datagram->own_port);

	if (!user)
		return false;
	udp->received++;
	user->input(user->context, datagram);
	return true;
}

void own_udp_send(struct own_udp *udp, const struct own_udp_datagram *datagram)
{
	udp->sent++;
	udp->send(udp->send_context, datagram);
}

/* Ports are 0 where there are none, as in later fragments. */
static bool wants(void *context, const struct packet_info *info)
{
	return info->key.protocol == IP_PROTOCOL_UDP && info->kind == PACKET_ORDINARY &&
	       info->key.destination_port.raw &&
	       own_udp_wants(context, be16_get(info->key.destination_port));
}

static void input(void *context, struct netdev *netdev, struct packet *packet,
		  const struct packet_info *info)
{
	struct own_udp *udp = context;
	int bytes = udp_copy(packet, info, udp->data, sizeof(udp->data));
	struct own_udp_datagram datagram = {
		.peer = packet_source(info),
		.peer_port = be16_get(info->key.source_port),
		.own_port = be16_get(info->key.destination_port),
		.data = udp->data,
	};

	(void)netdev;
	if (bytes < 0) {
		packet_drop(packet, bytes == -E2BIG ? DROP_TOO_BIG : DROP_BAD_CHECKSUM);
		return;
	}
	datagram.bytes = (size_t)bytes;
	packet_free(packet);
	own_udp_input(udp, &datagram);
}

struct router_service own_udp_service(struct own_udp *udp)
{
	return (struct router_service){
		.wants = wants, .input = input, .context = udp, .owns = wants
	};
}
