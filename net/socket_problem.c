/* SPDX-License-Identifier: ISC */
/*
 * ICMP errors (RFC 792, RFC 4443) about what our own end points have sent. They are easily
 * forged (RFC 5927): none is believed but one that quotes a conversation of ours, of TCP a
 * sequence number that is under way, of UDP something sent not long ago. Only SYNs and UDP
 * learn that a host refuses (RFC 5461, RFC 9293 3.9.2.2).
 */
#include <errno.h>
#include <string.h>

#include "lib/checksum.h"
#include "net/icmp6.h"
#include "net/parse.h"
#include "net/parse6.h"
#include "net/socket_parts.h"
#include "net/udp.h"

/* What an error says. */
struct verdict {
	enum tcp_problem tcp;
	int udp; /* negative errno; 0: nothing worth telling */
};

static struct verdict judge4(const struct packet_info *info)
{
	if (info->icmp_type == ICMP4_TIME_EXCEEDED || info->icmp_type == ICMP4_PARAMETER_PROBLEM)
		return (struct verdict){ TCP_PROBLEM_SOFT, -EHOSTUNREACH };
	if (info->icmp_type != ICMP4_UNREACHABLE)
		return (struct verdict){ TCP_PROBLEM_SOFT, 0 }; /* source quench: RFC 6633 */
	switch (info->icmp_code) {
	case ICMP4_NET_UNREACHABLE:
		return (struct verdict){ TCP_PROBLEM_SOFT, -ENETUNREACH };
	case ICMP4_PROTOCOL_UNREACHABLE:
	case ICMP4_PORT_UNREACHABLE:
		return (struct verdict){ TCP_PROBLEM_HARD, -ECONNREFUSED };
	case ICMP4_FRAGMENTATION_NEEDED:
		return (struct verdict){ TCP_PROBLEM_TOO_BIG, -EMSGSIZE };
	case 9: /* prohibited: network, host, and at all (RFC 1812, 5.2.7.1) */
	case 10:
	case ICMP4_ADMIN_PROHIBITED:
		return (struct verdict){ TCP_PROBLEM_HARD, -EHOSTUNREACH };
	default:
		return (struct verdict){ TCP_PROBLEM_SOFT, -EHOSTUNREACH };
	}
}

static struct verdict judge6(const struct packet_info *info)
{
	switch (info->icmp_type) {
	case ICMP6_PACKET_TOO_BIG:
		return (struct verdict){ TCP_PROBLEM_TOO_BIG, -EMSGSIZE };
	case ICMP6_UNREACHABLE:
		break;
	case ICMP6_PARAMETER_PROBLEM:
		if (info->icmp_code == ICMP6_BAD_NEXT_HEADER)
			return (struct verdict){ TCP_PROBLEM_HARD, -ECONNREFUSED };
		return (struct verdict){ TCP_PROBLEM_SOFT, -EHOSTUNREACH };
	default:
		return (struct verdict){ TCP_PROBLEM_SOFT, -EHOSTUNREACH };
	}
	switch (info->icmp_code) {
	case ICMP6_NO_ROUTE:
		return (struct verdict){ TCP_PROBLEM_SOFT, -ENETUNREACH };
	case ICMP6_PORT_UNREACHABLE:
		return (struct verdict){ TCP_PROBLEM_HARD, -ECONNREFUSED };
	case ICMP6_ADMIN_PROHIBITED:
	case 5: /* the source address is not allowed; the route rejects (RFC 4443, 3.1) */
	case 6:
		return (struct verdict){ TCP_PROBLEM_HARD, -EHOSTUNREACH };
	default:
		return (struct verdict){ TCP_PROBLEM_SOFT, -EHOSTUNREACH };
	}
}

/* The MTU that it names; what does not fit 16 bits is as good as none. */
static uint16_t mtu_of(const struct packet *packet, const struct packet_info *info)
{
	const struct icmp4_header *icmp4;
	const struct icmp6_header *icmp6;

	if (info->key.version == 4) {
		icmp4 = icmp4_of(packet);
		return be16_get(icmp4->sequence);
	}
	icmp6 = icmp6_at(packet, packet->l4_offset);
	if (!icmp6)
		return 0;
	return be16_get(icmp6->id) ? UINT16_MAX : be16_get(icmp6->sequence);
}

static bool checksum_is_right(struct sockets *sockets, const struct packet *packet,
			      const struct packet_info *info)
{
	uint32_t sum = 0;

	if (info->transport_length > sizeof(sockets->datagram) ||
	    packet_copy_out(packet, packet->l4_offset, sockets->datagram, info->transport_length))
		return false;
	if (info->key.version == 6)
		sum = checksum_pseudo_ip6(info->ip6.source.bytes, info->ip6.destination.bytes,
					  IP_PROTOCOL_ICMP6, info->transport_length);
	sum = checksum_add(sum, sockets->datagram, info->transport_length);
	return checksum_fold(sum).raw == UINT16_MAX;
}

static bool tell_tcp(struct sockets *sockets, const struct packet *packet,
		     const struct packet_info *answer, uint16_t quoted_offset,
		     enum tcp_problem problem, uint16_t mtu)
{
	struct tcp_key key = tcp_packets_key(answer);
	be32 sequence;

	/* The 8 bytes that every error quotes. */
	memcpy(&sequence, packet->data + quoted_offset + 4, sizeof(sequence));
	return tcp_input_problem(&sockets->tcp, &key, be32_get(sequence), problem, mtu,
				 sockets->now);
}

static bool tell_udp(struct sockets *sockets, const struct packet_info *answer, int error)
{
	struct udp_key key = socket_udp_key(answer);
	struct ip_address own = packet_destination(answer);
	struct udp_socket *udp = socket_udp_find(sockets, &own, &key);

	/* One without a peer has no use for it: it could not know what it is about. */
	if (!udp || !udp->key.version || !udp->sent_ns ||
	    sockets->now - udp->sent_ns > SOCKET_UDP_NS)
		return false;
	if (!error)
		return true;
	udp->error = error;
	socket_udp_raise(udp);
	return true;
}

/* What was quoted, as a packet that answers it would be described. */
static bool find_quoted(const struct packet *packet, const struct packet_info *info,
			struct quoted_packet *quoted, struct packet_info *answer)
{
	struct ip_address to, own = packet_destination(info);

	if (info->key.version == 4 ? !parse_quoted(packet, info, quoted)
				   : !parse6_quoted(packet, info, quoted))
		return false;
	*answer = (struct packet_info){ .tuple = quoted->answer };
	to = packet_destination(answer);
	/* It comes to who sent the packet, and to nobody else. */
	return ip_address_equal(&to, &own) && packet->head_length >= quoted->transport_offset + 8u;
}

static bool tell(struct sockets *sockets, const struct packet *packet,
		 const struct packet_info *info)
{
	struct quoted_packet quoted;
	struct packet_info answer;
	struct verdict verdict;

	if (!find_quoted(packet, info, &quoted, &answer) ||
	    !checksum_is_right(sockets, packet, info))
		return false;
	verdict = info->key.version == 4 ? judge4(info) : judge6(info);
	if (answer.key.protocol == IP_PROTOCOL_TCP)
		return tell_tcp(sockets, packet, &answer, quoted.transport_offset, verdict.tcp,
				mtu_of(packet, info));
	if (answer.key.protocol == IP_PROTOCOL_UDP)
		return tell_udp(sockets, &answer, verdict.udp);
	return false;
}

void socket_problem_input(struct sockets *sockets, struct packet *packet,
			  const struct packet_info *info)
{
	if (tell(sockets, packet, info)) {
		sockets->stats.problems++;
		packet_free(packet);
		return;
	}
	sockets->stats.problems_ignored++;
	packet_drop(packet, DROP_NO_FLOW);
}
