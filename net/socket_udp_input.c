/* SPDX-License-Identifier: ISC */
/* A UDP datagram that came, and its place in the queue of a socket. */
#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"
#include "net/udp.h"

struct udp_key socket_udp_key(const struct packet_info *info)
{
	struct ip_address peer = packet_source(info);
	struct udp_key key = { .own_port = be16_get(info->key.destination_port),
			       .peer_port = be16_get(info->key.source_port),
			       .version = peer.version };

	memcpy(key.peer, peer.bytes, sizeof(key.peer));
	return key;
}

/* Behind what waits; false: there is no room. What was written of one that did not fit is
 * written over by the next. */
static bool enqueue(struct udp_socket *udp, const struct udp_record *record, const void *data)
{
	struct tcp_memory *memory = &udp->socket.sockets->udp_memory;
	uint32_t at = udp->queue.bytes, bytes = (uint32_t)sizeof(*record) + record->bytes;

	if (at > udp->limit || bytes > udp->limit - at)
		return false;
	if (tcp_buffer_write(&udp->queue, memory, at, record, sizeof(*record)) != sizeof(*record) ||
	    tcp_buffer_write(&udp->queue, memory, at + (uint32_t)sizeof(*record), data,
			     record->bytes) != record->bytes) {
		if (at == 0)
			tcp_buffer_free(&udp->queue, memory);
		return false;
	}
	tcp_buffer_extend(&udp->queue, bytes);
	return true;
}

void socket_udp_input(struct sockets *sockets, struct packet *packet,
		      const struct packet_info *info)
{
	struct udp_key key = socket_udp_key(info);
	struct ip_address own = packet_destination(info);
	struct udp_socket *udp = socket_udp_find(sockets, &own, &key);
	struct udp_record record = { .peer = packet_source(info), .port = key.peer_port };
	int bytes = udp_copy(packet, info, sockets->datagram, sizeof(sockets->datagram));

	if (bytes < 0) {
		sockets->stats.udp_malformed++;
		packet_drop(packet, bytes == -E2BIG ? DROP_TOO_BIG : DROP_BAD_CHECKSUM);
		return;
	}
	if (!udp) {
		sockets->stats.udp_no_socket++;
		packet_drop(packet, DROP_NOT_OURS);
		return;
	}
	packet_free(packet);
	sockets->stats.udp_in++;
	record.bytes = (uint16_t)bytes;
	if (enqueue(udp, &record, sockets->datagram))
		socket_udp_raise(udp);
	else
		sockets->stats.udp_queue_full++;
}
