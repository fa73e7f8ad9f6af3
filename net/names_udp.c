/* SPDX-License-Identifier: ISC */
#include "net/names_udp.h"

#include <string.h>

#include "net/names_internal.h"
#include "net/rules_names.h"
#include "net/udp.h"

static struct ip_address ip_of(const struct names_address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	be32 four;

	if (memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
		return ip_address_of6(address->bytes);
	memcpy(&four, address->bytes + 12, sizeof(four));
	return ip_address_of4(four);
}

static bool wants(void *context, uint16_t own_port)
{
	const struct names_udp *tap = context;

	return names_owns_port(tap->names, own_port);
}

static void input(void *context, const struct own_udp_datagram *datagram)
{
	struct names_udp *tap = context;
	struct names_address from = names_address_of(&datagram->peer);

	/* Forged and late ones are counted there. */
	(void)!names_input(tap->names, &from, datagram->peer_port, datagram->own_port,
			   datagram->data, datagram->bytes, *tap->now_ns);
}

int names_udp_init(struct names_udp *tap, struct names *names, struct own_udp *udp,
		   const uint64_t *now_ns)
{
	struct own_udp_user user = { wants, input, tap };

	tap->names = names;
	tap->udp = udp;
	tap->now_ns = now_ns;
	return own_udp_add(udp, &user);
}

void names_udp_send(void *context, const struct names_datagram *query)
{
	struct names_udp *tap = context;
	struct own_udp_datagram datagram = {
		.peer = ip_of(&query->server),
		.peer_port = query->destination_port,
		.own_port = query->source_port,
		.bytes = query->bytes,
		.data = query->data,
	};

	own_udp_send(tap->udp, &datagram);
}

void names_udp_forwarded(struct names_udp *tap, uint64_t flow, const struct ip_address *server,
			 const struct packet *packet, const struct packet_info *info)
{
	struct names_address address;
	int bytes;

	if (!names_udp_cares(tap, info) || info->kind != PACKET_ORDINARY)
		return;
	address = names_address_of(server);
	if (!names_is_server(tap->names, &address))
		return;
	bytes = udp_copy(packet, info, tap->data, sizeof(tap->data));
	if (bytes < 0)
		return;
	if (be16_get(info->key.destination_port) == DNS_PORT)
		names_see_query(tap->names, flow, &address, tap->data, (size_t)bytes, *tap->now_ns);
	else
		(void)names_see_answer(tap->names, flow, &address, tap->data, (size_t)bytes,
				       *tap->now_ns);
}
