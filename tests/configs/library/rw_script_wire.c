/* SPDX-License-Identifier: ISC */
/* Packets as bytes: made for the peer, read from us. */
#include <string.h>

#include "lib/checksum.h"
#include "net/wire.h"
#include "tests/configs/library/rw_script_parts.h"

uint8_t script_pattern(uint64_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 16) * 3);
}

static size_t ip_bytes(const struct script *s)
{
	return s->version == 6 ? sizeof(struct ip6_header) : sizeof(struct ip4_header);
}

static void addresses(const struct script *s, bool ours, uint8_t to[16])
{
	struct sockaddr_storage address;

	if (ours)
		script_own_address(s, 0, &address);
	else
		script_peer_address(s, 0, &address);
	if (s->version == 6)
		memcpy(to, &((struct sockaddr_in6 *)&address)->sin6_addr, 16);
	else
		memcpy(to, &((struct sockaddr_in *)&address)->sin_addr, 4);
}

static uint32_t pseudo(const struct script *s, const uint8_t *ip, uint8_t protocol, size_t bytes)
{
	const struct ip6_header *ip6 = (const struct ip6_header *)ip;
	const struct ip4_header *ip4 = (const struct ip4_header *)ip;

	if (s->version == 6)
		return checksum_pseudo_ip6(ip6->source, ip6->destination, protocol,
					   (uint16_t)bytes);
	return checksum_pseudo_ip4(ip4->source, ip4->destination, protocol, (uint16_t)bytes);
}

static uint8_t protocol_of(const struct script *s, const uint8_t *packet)
{
	return s->version == 6 ? ((const struct ip6_header *)packet)->next_header
			       : ((const struct ip4_header *)packet)->protocol;
}

/* From the peer to us, with `bytes` behind it. */
static void put_ip(const struct script *s, uint8_t *to, uint8_t protocol, size_t bytes, uint8_t tos,
		   uint8_t ttl)
{
	struct ip6_header *ip6 = (struct ip6_header *)to;
	struct ip4_header *ip4 = (struct ip4_header *)to;
	uint8_t from[16], own[16];

	addresses(s, false, from);
	addresses(s, true, own);
	memset(to, 0, ip_bytes(s));
	if (s->version == 6) {
		ip6->version_class_flow = be32_of(6u << 28 | (uint32_t)tos << 20);
		ip6->payload_length = be16_of((uint16_t)bytes);
		ip6->next_header = protocol;
		ip6->hop_limit = ttl;
		memcpy(ip6->source, from, 16);
		memcpy(ip6->destination, own, 16);
		return;
	}
	ip4->version_length = IP4_VERSION_NO_OPTIONS;
	ip4->tos = tos;
	ip4->total_length = be16_of((uint16_t)(bytes + sizeof(*ip4)));
	ip4->fragment = be16_of(IP4_DONT_FRAGMENT);
	ip4->ttl = ttl;
	ip4->protocol = protocol;
	memcpy(&ip4->source, from, 4);
	memcpy(&ip4->destination, own, 4);
	ip4->checksum = checksum_finish(checksum_add(0, ip4, sizeof(*ip4)));
}

/* ---- what the peer sends ---- */

static uint32_t peer_clock(const struct script *s)
{
	return 1000 + (uint32_t)((s->now_ns - s->start_ns) / 1000000);
}

static void add_timestamps(const struct script *s, struct segment *segment)
{
	const struct script_flow *flow = s->flow;
	const uint8_t option[12] = { 1, 1, 8, 10 };

	if (segment->flags & TCP_SYN || segment->has & (HAS_TS | HAS_NO_TS) || !flow->ours_has_ts ||
	    !flow->peers_has_ts || segment->option_bytes > 28)
		return;
	memcpy(segment->option_raw + segment->option_bytes, option, sizeof(option));
	segment->option_bytes += sizeof(option);
	segment->has |= HAS_TS;
	segment->ts_value.value = peer_clock(s);
	segment->ts_echo.value = flow->our_last_ts - flow->our_first_ts;
}

static void put_be32(uint8_t *to, uint32_t value)
{
	be32 wire = be32_of(value);

	memcpy(to, &wire, sizeof(wire));
}

/* Numbers that are relative in the text. */
static void fill_options(const struct script_flow *flow, struct segment *segment)
{
	uint8_t *at = segment->option_raw, *end = at + segment->option_bytes;

	if (segment->has & HAS_OTHER)
		return;
	while (at < end) {
		if (*at < 2) {
			at++;
			continue;
		}
		if (*at == 8) {
			put_be32(at + 2, segment->ts_value.value);
			put_be32(at + 6, segment->ts_echo.value + flow->our_first_ts);
		}
		for (unsigned int i = 0; *at == 5 && i < segment->sack_count; i++) {
			put_be32(at + 2 + 8 * i, segment->sacks[i][0].value + flow->our_iss);
			put_be32(at + 6 + 8 * i, segment->sacks[i][1].value + flow->our_iss);
		}
		at += at[1];
	}
}

static void put_tcp(struct script *s, struct segment *segment, uint8_t *to)
{
	struct script_flow *flow = s->flow;
	struct tcp_header *tcp = (struct tcp_header *)to;
	uint8_t *data = to + sizeof(*tcp) + segment->option_bytes;
	uint32_t first = segment->sequence.value - (segment->flags & TCP_SYN ? 0 : 1);

	*tcp = (struct tcp_header){
		.source_port = be16_of(flow->peer_port),
		.destination_port = be16_of(flow->our_port),
		.sequence = be32_of(segment->sequence.value + flow->peer_iss),
		.acknowledgement = be32_of(segment->ack.value + flow->our_iss),
		.data_offset = (uint8_t)((sizeof(*tcp) + segment->option_bytes) / 4 << 4),
		.flags = segment->flags,
		.window = be16_of((uint16_t)segment->window.value),
		.urgent = be16_of((uint16_t)segment->urgent.value),
	};
	if (!(segment->flags & TCP_ACK))
		tcp->acknowledgement = be32_of(0);
	memcpy(tcp + 1, segment->option_raw, segment->option_bytes);
	for (uint32_t i = 0; i < segment->bytes; i++)
		data[i] = segment->has & HAS_JUNK ? 0xee : script_pattern((uint32_t)(first + i));
}

size_t wire_make(struct script *s, struct segment *segment, uint8_t *to)
{
	uint8_t *transport = to + ip_bytes(s);
	struct tcp_header *tcp = (struct tcp_header *)transport;
	size_t bytes;

	if (!(segment->has & HAS_WINDOW)) {
		segment->window.value = s->flow->peer_window;
		segment->has |= HAS_WINDOW;
	}
	if (segment->flags & TCP_SYN)
		s->flow->peers_has_ts = segment->has & HAS_TS;
	add_timestamps(s, segment);
	fill_options(s->flow, segment);
	while (segment->option_bytes % 4)
		segment->option_raw[segment->option_bytes++] = 0;
	bytes = sizeof(*tcp) + segment->option_bytes + segment->bytes;
	put_tcp(s, segment, transport);
	put_ip(s, to, IP_PROTOCOL_TCP, bytes, segment->ecn, segment->ttl);
	tcp->checksum = checksum_finish(
		checksum_add(pseudo(s, to, IP_PROTOCOL_TCP, bytes), transport, bytes));
	if (segment->has & HAS_BAD_SUM)
		tcp->checksum.raw ^= 0x0101;
	return ip_bytes(s) + bytes;
}

size_t wire_make_udp(const struct script *s, uint16_t from, uint16_t to_port, uint32_t bytes,
		     uint8_t *to)
{
	struct udp_header *udp = (struct udp_header *)(to + ip_bytes(s));
	uint8_t *data = (uint8_t *)(udp + 1);
	size_t all = sizeof(*udp) + bytes;

	*udp = (struct udp_header){
		be16_of(from), be16_of(to_port), be16_of((uint16_t)all), { 0 }
	};
	for (uint32_t i = 0; i < bytes; i++)
		data[i] = script_pattern(i);
	put_ip(s, to, IP_PROTOCOL_UDP, all, 0, 64);
	udp->checksum =
		checksum_finish(checksum_add(pseudo(s, to, IP_PROTOCOL_UDP, all), udp, all));
	if (udp->checksum.raw == 0)
		udp->checksum.raw = UINT16_MAX;
	return ip_bytes(s) + all;
}

/* A message of which all but the ICMP checksum is there. */
static size_t finish_icmp(const struct script *s, size_t bytes, uint8_t *to)
{
	struct icmp4_header *icmp = (struct icmp4_header *)(to + ip_bytes(s));
	bool six = s->version == 6;

	put_ip(s, to, six ? IP_PROTOCOL_ICMP6 : IP_PROTOCOL_ICMP, bytes, 0, 64);
	icmp->checksum = checksum_finish(
		checksum_add(six ? pseudo(s, to, IP_PROTOCOL_ICMP6, bytes) : 0, icmp, bytes));
	return ip_bytes(s) + bytes;
}

size_t wire_make_echo(const struct script *s, uint32_t bytes, uint8_t *to)
{
	struct icmp4_header *icmp = (struct icmp4_header *)(to + ip_bytes(s));

	*icmp = (struct icmp4_header){
		.type = s->version == 6 ? ICMP6_ECHO_REQUEST : ICMP4_ECHO_REQUEST,
		.id = be16_of(7),
		.sequence = be16_of(1),
	};
	memset(icmp + 1, 0x5a, bytes);
	return finish_icmp(s, sizeof(*icmp) + bytes, to);
}

struct icmp_kind {
	uint8_t type4, code4, type6, code6;
};

static const struct icmp_kind icmp_kinds[] = {
	[SCRIPT_TOO_BIG] = { 3, 4, 2, 0 },	    [SCRIPT_NET_UNREACHABLE] = { 3, 0, 1, 0 },
	[SCRIPT_HOST_UNREACHABLE] = { 3, 1, 1, 3 }, [SCRIPT_PROTOCOL_UNREACHABLE] = { 3, 2, 4, 1 },
	[SCRIPT_PORT_UNREACHABLE] = { 3, 3, 1, 4 }, [SCRIPT_ADMIN_PROHIBITED] = { 3, 13, 1, 1 },
	[SCRIPT_TIME_EXCEEDED] = { 11, 0, 3, 0 },   [SCRIPT_SOURCE_QUENCH] = { 4, 0, 0, 0 },
};

size_t wire_make_icmp(const struct script *s, enum script_icmp what, uint16_t mtu,
		      const uint8_t *quoted, size_t bytes, uint8_t *to)
{
	const struct icmp_kind *kind = &icmp_kinds[what];
	struct icmp4_header *icmp = (struct icmp4_header *)(to + ip_bytes(s));
	bool six = s->version == 6;

	*icmp = (struct icmp4_header){
		.type = six ? kind->type6 : kind->type4,
		.code = six ? kind->code6 : kind->code4,
		.sequence = be16_of(what == SCRIPT_TOO_BIG ? mtu : 0),
	};
	memcpy(icmp + 1, quoted, bytes);
	return finish_icmp(s, sizeof(*icmp) + bytes, to);
}

void script_fix(struct script *s, uint8_t *packet, size_t bytes)
{
	uint8_t *transport = packet + ip_bytes(s);
	struct ip4_header *ip4 = (struct ip4_header *)packet;
	bool udp = protocol_of(s, packet) == IP_PROTOCOL_UDP;
	be16 *field = udp ? &((struct udp_header *)transport)->checksum
			  : &((struct tcp_header *)transport)->checksum;
	size_t all = bytes - ip_bytes(s);

	if (s->version == 4) {
		ip4->checksum = (be16){ 0 };
		ip4->checksum = checksum_finish(checksum_add(0, ip4, sizeof(*ip4)));
	}
	*field = (be16){ 0 };
	*field = checksum_finish(
		checksum_add(pseudo(s, packet, protocol_of(s, packet), all), transport, all));
}

void wire_set_sequence(const struct script *s, uint8_t *packet, uint32_t sequence)
{
	struct tcp_header *tcp = (struct tcp_header *)(packet + ip_bytes(s));

	tcp->sequence = be32_of(sequence);
}

/* ---- what we send ---- */

static void check_ip(struct script *s, const uint8_t *packet, size_t bytes)
{
	const struct ip6_header *ip6 = (const struct ip6_header *)packet;
	const struct ip4_header *ip4 = (const struct ip4_header *)packet;
	uint8_t peer[16] = { 0 }, own[16] = { 0 };

	addresses(s, false, peer);
	addresses(s, true, own);
	if (s->version == 6) {
		ck_assert_uint_eq(be32_get(ip6->version_class_flow) >> 28, 6);
		ck_assert_uint_eq(be16_get(ip6->payload_length) + sizeof(*ip6), bytes);
		ck_assert_mem_eq(ip6->source, own, 16);
		ck_assert_mem_eq(ip6->destination, peer, 16);
		return;
	}
	ck_assert_uint_eq(ip4->version_length, IP4_VERSION_NO_OPTIONS);
	ck_assert_uint_eq(be16_get(ip4->total_length), bytes);
	ck_assert_uint_eq(be16_get(checksum_finish(checksum_add(0, ip4, sizeof(*ip4)))), 0);
	ck_assert_mem_eq(&ip4->source, own, 4);
	ck_assert_mem_eq(&ip4->destination, peer, 4);
}

static uint8_t tos_of(const struct script *s, const uint8_t *packet)
{
	const struct ip6_header *ip6 = (const struct ip6_header *)packet;

	if (s->version == 6)
		return (uint8_t)(be32_get(ip6->version_class_flow) >> 20);
	return ((const struct ip4_header *)packet)->tos;
}

/* By ports; what belongs to no flow is that of a flow whose port is not known yet. */
static unsigned int flow_of(struct script *s, const struct tcp_header *tcp)
{
	uint16_t own = be16_get(tcp->source_port), peer = be16_get(tcp->destination_port);

	for (unsigned int i = 0; i < SCRIPT_FLOWS; i++)
		if (s->flows[i].our_port == own && s->flows[i].peer_port == peer)
			return i;
	for (unsigned int i = 0; i < SCRIPT_FLOWS; i++) {
		if (s->flows[i].our_port || s->flows[i].peer_port != peer)
			continue;
		s->flows[i].our_port = own;
		return i;
	}
	script_fail(s, "a packet of ours from port %u to %u belongs to no flow", own, peer);
}

static uint32_t get_be32(const uint8_t *from)
{
	be32 wire;

	memcpy(&wire, from, sizeof(wire));
	return be32_get(wire);
}

static void read_option(const struct script_flow *flow, const uint8_t *option, struct segment *to)
{
	switch (option[0]) {
	case 2:
		to->has |= HAS_MSS;
		to->mss.value = (uint32_t)option[2] << 8 | option[3];
		break;
	case 3:
		to->has |= HAS_SCALE;
		to->scale.value = option[2];
		break;
	case 4:
		to->has |= HAS_SACK_PERMITTED;
		break;
	case 5:
		to->sack_count = (option[1] - 2u) / 8;
		for (unsigned int i = 0; i < to->sack_count; i++) {
			to->sacks[i][0].value = get_be32(option + 2 + 8 * i) - flow->peer_iss;
			to->sacks[i][1].value = get_be32(option + 6 + 8 * i) - flow->peer_iss;
		}
		break;
	case 8:
		to->has |= HAS_TS;
		to->ts_value.value = get_be32(option + 2);
		to->ts_echo.value = get_be32(option + 6);
		break;
	default:
		to->has |= HAS_OTHER;
		break;
	}
}

static void read_options(struct script *s, const struct script_flow *flow, const uint8_t *at,
			 size_t bytes, struct segment *to)
{
	while (bytes && *at) {
		if (*at == 1) {
			at++;
			bytes--;
			continue;
		}
		if (bytes < 2 || at[1] < 2 || at[1] > bytes)
			script_fail(s, "a packet of ours has malformed options");
		read_option(flow, at, to);
		bytes -= at[1];
		at += at[1];
	}
}

/* Numbers of a flow that begin with our SYN. */
static void learn(struct script_flow *flow, struct segment *to)
{
	if (!flow->our_iss_known && to->flags & TCP_SYN) {
		flow->our_iss_known = true;
		flow->our_iss = to->sequence.value;
		flow->ours_has_ts = to->has & HAS_TS;
		flow->our_first_ts = to->ts_value.value;
	}
	if (to->has & HAS_TS) {
		flow->our_last_ts = to->ts_value.value;
		to->ts_value.value -= flow->our_first_ts;
	}
	to->sequence.value -= flow->our_iss;
}

static void check_payload(struct script *s, const struct script_flow *flow,
			  const struct segment *segment, const uint8_t *data)
{
	uint32_t first = segment->sequence.value - 1;

	for (uint32_t i = 0; i < segment->bytes; i++) {
		if ((uint32_t)(first + i) >= (uint32_t)flow->written)
			script_fail(s, "byte %u was sent, but %llu were written", first + i,
				    (unsigned long long)flow->written);
		if (data[i] != script_pattern(first + i))
			script_fail(s, "byte %u was sent as 0x%02x instead of 0x%02x", first + i,
				    data[i], script_pattern(first + i));
	}
}

static void read_tcp(struct script *s, const uint8_t *packet, size_t bytes, struct segment *to,
		     unsigned int *flow_index)
{
	const struct tcp_header *tcp = (const struct tcp_header *)(packet + ip_bytes(s));
	size_t all = bytes - ip_bytes(s), header = (tcp->data_offset >> 4) * 4u;
	struct script_flow *flow;

	ck_assert_uint_ge(header, sizeof(*tcp));
	ck_assert_uint_le(header, all);
	if (checksum_fold32(checksum_add(pseudo(s, packet, IP_PROTOCOL_TCP, all), tcp, all)) !=
	    UINT16_MAX)
		script_fail(s, "a TCP packet of ours has a wrong checksum");
	*flow_index = flow_of(s, tcp);
	flow = &s->flows[*flow_index];
	to->has = HAS_WINDOW | HAS_ECN | HAS_OPTIONS;
	to->flags = tcp->flags;
	to->sequence.value = be32_get(tcp->sequence);
	to->window.value = be16_get(tcp->window);
	to->bytes = (uint32_t)(all - header);
	to->ecn = tos_of(s, packet) & 3;
	if (tcp->flags & TCP_URG) {
		to->has |= HAS_URGENT;
		to->urgent.value = be16_get(tcp->urgent);
	}
	if (tcp->flags & TCP_ACK) {
		to->has |= HAS_ACK;
		to->ack.value = be32_get(tcp->acknowledgement) - flow->peer_iss;
	}
	read_options(s, flow, (const uint8_t *)(tcp + 1), header - sizeof(*tcp), to);
	learn(flow, to);
	check_payload(s, flow, to, (const uint8_t *)tcp + header);
}

static void read_udp(struct script *s, const uint8_t *packet, size_t bytes, struct segment *to)
{
	const struct udp_header *udp = (const struct udp_header *)(packet + ip_bytes(s));
	size_t all = bytes - ip_bytes(s);
	const uint8_t *data = (const uint8_t *)(udp + 1);

	ck_assert_uint_eq(be16_get(udp->length), all);
	if (udp->checksum.raw == 0 ||
	    checksum_fold32(checksum_add(pseudo(s, packet, IP_PROTOCOL_UDP, all), udp, all)) !=
		    UINT16_MAX)
		script_fail(s, "a UDP packet of ours has a wrong checksum");
	for (size_t i = 0; i < all - sizeof(*udp); i++)
		ck_assert_uint_eq(data[i], script_pattern(i));
	snprintf(to->text, sizeof(to->text), "udp %u>%u (%zu)", be16_get(udp->source_port),
		 be16_get(udp->destination_port), all - sizeof(*udp));
}

static void read_icmp(struct script *s, const uint8_t *packet, size_t bytes, struct segment *to)
{
	const struct icmp4_header *icmp = (const struct icmp4_header *)(packet + ip_bytes(s));
	size_t all = bytes - ip_bytes(s);
	uint32_t sum = s->version == 6 ? pseudo(s, packet, IP_PROTOCOL_ICMP6, all) : 0;

	if (checksum_fold32(checksum_add(sum, icmp, all)) != UINT16_MAX)
		script_fail(s, "an ICMP packet of ours has a wrong checksum");
	snprintf(to->text, sizeof(to->text), "icmp %u/%u (%zu)", icmp->type, icmp->code,
		 all - sizeof(*icmp));
}

void wire_read(struct script *s, const uint8_t *packet, size_t bytes, struct segment *to,
	       unsigned int *flow)
{
	*to = (struct segment){ 0 };
	*flow = (unsigned int)(s->flow - s->flows);
	check_ip(s, packet, bytes);
	switch (protocol_of(s, packet)) {
	case IP_PROTOCOL_TCP:
		read_tcp(s, packet, bytes, to, flow);
		return;
	case IP_PROTOCOL_UDP:
		read_udp(s, packet, bytes, to);
		break;
	default:
		read_icmp(s, packet, bytes, to);
		break;
	}
	to->other = true;
}
