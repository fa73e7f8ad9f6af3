/* SPDX-License-Identifier: ISC */
/* Traffic whose every byte can be checked. */
#include "tests/drivers/netif_traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "lib/checksum.h"
#include "xen/fiber.h"

#define ETHERNET 14u
#define HEADERS (ETHERNET + 20u + 20u)
#define SEGMENT 1448u
#define BLOCKED_NS 50000u
#define TX_HEAD_ROOM (IOPAGE_SIZE - PACKET_HEADROOM)

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t draw(struct traffic_end *end, uint32_t bound)
{
	end->random = mix(end->random);
	return (uint32_t)(end->random % bound);
}

/* The test's own buffers are there even when allocations are made to fail. */
static void *buffer_make(size_t bytes)
{
	void *buffer;

	do
		buffer = malloc(bytes);
	while (!buffer);
	return buffer;
}

void traffic_begin(struct traffic_end *end, struct netdev *netdev, struct packet_pool *packets,
		   uint64_t seed)
{
	end->netdev = netdev;
	end->packets = packets;
	end->seed = seed;
	end->random = mix(seed ^ end->send_flow);
	end->expected = buffer_make(sizeof(*end->expected));
	end->flat = buffer_make(TRAFFIC_MAX_FRAME);
	netdev->stack = end;
	netdev->input = traffic_input;
}

void traffic_end(struct traffic_end *end)
{
	free(end->expected);
	free(end->flat);
	end->expected = NULL;
	end->flat = NULL;
	end->netdev = NULL;
}

uint32_t traffic_slots(uint32_t length)
{
	return length / IOPAGE_SIZE + 3; /* the head's page, a short last one, an extra */
}

/* ---- frames ---- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void fill(uint8_t *at, uint32_t length, uint64_t key)
{
	while (length) {
		uint32_t part = length < 8 ? length : 8;

		key = mix(key);
		memcpy(at, &key, part);
		at += part;
		length -= part;
	}
}

/* IPv4 and TCP headers with the pseudo-header's sum in the checksum field. */
static void make_tcp(struct traffic_frame *frame, uint32_t lane)
{
	static const be32 source = { 0x0a00890a }, destination = { 0x01010101 };
	uint8_t *ip = frame->bytes + ETHERNET;
	uint8_t *tcp = ip + 20;
	uint16_t ip_length = (uint16_t)(frame->length - ETHERNET);
	be16 sum;

	memset(ip, 0, 40);
	put16(frame->bytes + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, ip_length);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, &source, 4);
	memcpy(ip + 16, &destination, 4);
	sum = checksum_finish(checksum_add(0, ip, 20));
	memcpy(ip + 10, &sum, 2);
	put16(tcp, 1234 + lane);
	put16(tcp + 2, 80);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	sum = checksum_fold(
		checksum_pseudo_ip4(source, destination, 6, (uint16_t)(ip_length - 20)));
	memcpy(tcp + 16, &sum, 2);
	frame->flags = PACKET_CSUM_BLANK;
}

static uint64_t frame_key(const struct traffic_end *end, uint8_t flow, uint32_t seq)
{
	return mix(end->seed ^ mix((uint64_t)flow << 32 | seq));
}

static uint32_t lane_of(const struct traffic_shape *shape, uint64_t key)
{
	if (!shape->lanes || key % 100 >= shape->gso_share + shape->blank_share)
		return 0;
	return 1 + (uint32_t)((key >> 32) % shape->lanes);
}

void traffic_make(const struct traffic_end *end, const struct traffic_shape *shape, uint8_t flow,
		  uint32_t seq, struct traffic_frame *frame)
{
	uint64_t key = frame_key(end, flow, seq);
	uint32_t kind = (uint32_t)(key % 100);
	uint64_t size = mix(key);

	frame->flags = 0;
	frame->gso_type = PACKET_GSO_NONE;
	frame->gso_size = 0;
	if (kind < shape->gso_share)
		frame->length = HEADERS + SEGMENT + 1 +
				(uint32_t)(size % (TRAFFIC_MAX_FRAME - HEADERS - SEGMENT));
	else if (kind < shape->gso_share + shape->blank_share)
		frame->length = HEADERS + (uint32_t)(size % (TRAFFIC_MTU_FRAME - HEADERS + 1));
	else
		frame->length = shape->min_frame +
				(uint32_t)(size % (shape->max_frame - shape->min_frame + 1));
	fill(frame->bytes, frame->length, key);
	frame->bytes[0] = 2;
	frame->bytes[1] = flow;
	put32(frame->bytes + 2, seq);
	put16(frame->bytes + 12, 0x88b5);
	if (kind < shape->gso_share + shape->blank_share)
		make_tcp(frame, lane_of(shape, key));
	if (kind < shape->gso_share) {
		frame->gso_type = PACKET_GSO_TCPV4;
		frame->gso_size = SEGMENT;
	}
}

/* ---- receiving ---- */

static void complain(struct traffic_end *end, const char *what, uint32_t seq, uint64_t seen,
		     uint64_t wanted)
{
	if (atomic_fetch_add(&end->wrong, 1) == 0)
		snprintf(end->error, sizeof(end->error), "flow %u frame %u: %s %lu, not %lu",
			 end->receive_flow, seq, what, seen, wanted);
}

static void compare_bytes(struct traffic_end *end, uint32_t seq)
{
	const struct traffic_frame *frame = end->expected;

	for (uint32_t i = 0; i < frame->length; i++) {
		char what[40];

		if (end->flat[i] == frame->bytes[i])
			continue;
		snprintf(what, sizeof(what), "byte %u of %u is", i, frame->length);
		complain(end, what, seq, end->flat[i], frame->bytes[i]);
		return;
	}
}

/* The frames of a lane from `next`, which was expected, to `seq`, which has come. */
static uint32_t skipped(const struct traffic_end *end, uint32_t lane, uint32_t next, uint32_t seq)
{
	uint32_t count = 0;

	for (; next < seq; next++)
		if (lane_of(&end->peer->shape, frame_key(end, end->receive_flow, next)) == lane)
			count++;
	return count;
}

static void check_order(struct traffic_end *end, uint32_t seq)
{
	uint32_t lane = lane_of(&end->peer->shape, frame_key(end, end->receive_flow, seq));
	uint32_t *next = &end->next_seq[lane];

	if (seq < *next)
		complain(end, "came late or twice, number", seq, seq, *next);
	else
		atomic_fetch_add(&end->missing, skipped(end, lane, *next, seq));
	*next = seq + 1;
}

static void check(struct traffic_end *end, const struct packet *packet)
{
	const struct traffic_frame *frame = end->expected;
	uint32_t seq;

	if (!packet_is_valid(packet) || packet->in != end->netdev)
		complain(end, "the packet is inconsistent", end->next_seq[0], 0, 0);
	if (packet->length < ETHERNET || packet->length > TRAFFIC_MAX_FRAME ||
	    packet_copy_out(packet, 0, end->flat, packet->length)) {
		complain(end, "length", end->next_seq[0], packet->length, ETHERNET);
		return;
	}
	seq = get32(end->flat + 2);
	if (end->flat[0] != 2 || end->flat[1] != end->receive_flow)
		complain(end, "the flow is", seq, end->flat[1], end->receive_flow);
	check_order(end, seq);
	traffic_make(end, &end->peer->shape, end->receive_flow, seq, end->expected);
	if (packet->length != frame->length)
		complain(end, "length", seq, packet->length, frame->length);
	else
		compare_bytes(end, seq);
	if ((packet->flags & PACKET_CSUM_BLANK) != (frame->flags & PACKET_CSUM_BLANK))
		complain(end, "flags", seq, packet->flags, frame->flags);
	if (packet->gso_type != frame->gso_type)
		complain(end, "GSO type", seq, packet->gso_type, frame->gso_type);
	if (packet->gso_type && packet->gso_size != frame->gso_size)
		complain(end, "GSO size", seq, packet->gso_size, frame->gso_size);
	if (packet->head_length < (packet->length < 192 ? packet->length : 192))
		complain(end, "head length", seq, packet->head_length, 192);
	atomic_fetch_add(&end->taken_slots, traffic_slots(frame->length));
	atomic_fetch_add(&end->received, 1);
}

void traffic_input(struct netdev *netdev, struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++) {
		check(netdev->stack, vector->packets[i]);
		packet_free(vector->packets[i]);
	}
	vector->count = 0;
}

/* ---- sending ---- */

/* Cuts the rest of the frame into fragments, ragged ones while there is room for it. */
static bool add_frags(struct traffic_end *end, struct packet *packet,
		      const struct traffic_frame *frame)
{
	uint32_t done = packet->head_length;

	while (done < frame->length) {
		uint32_t rest = frame->length - done;
		uint32_t left = PACKET_MAX_FRAGS - packet->frag_count;
		uint32_t most = rest < IOPAGE_SIZE ? rest : IOPAGE_SIZE;
		/* What the fragments after this one can still carry. */
		uint32_t later = (left - 1) * IOPAGE_SIZE;
		uint32_t least = rest > later ? rest - later : 1;
		uint32_t length = least + draw(end, most - least + 1);
		uint32_t offset = draw(end, IOPAGE_SIZE - length + 1);
		struct iopage *page = iopage_alloc(end->packets->pages, end->send_class);

		if (!page)
			return false;
		if (packet_add_frag(packet, page, (uint16_t)offset, (uint16_t)length)) {
			iopage_free(page);
			return false;
		}
		memcpy(page->data + offset, frame->bytes + done, length);
		done += length;
	}
	return true;
}

static struct packet *make_packet(struct traffic_end *end, const struct traffic_frame *frame)
{
	struct packet *packet = packet_alloc_page(end->packets, end->send_class);
	uint32_t most = frame->length < TX_HEAD_ROOM ? frame->length : TX_HEAD_ROOM;
	uint32_t least = frame->length <= TRAFFIC_MTU_FRAME ? frame->length : 192;
	uint8_t *head;

	if (!packet)
		return NULL;
	head = packet_append(packet, least + draw(end, most - least + 1));
	if (head)
		memcpy(head, frame->bytes, packet->head_length);
	if (!head || !add_frags(end, packet, frame)) {
		packet_free(packet);
		return NULL;
	}
	packet->flags = frame->flags;
	packet->gso_type = frame->gso_type;
	packet->gso_size = frame->gso_size;
	return packet;
}

static bool window_is_open(const struct traffic_end *end)
{
	uint64_t under_way;

	if (end->window == UINT32_MAX)
		return true;
	under_way = atomic_load(&end->sent_slots) - atomic_load(&end->peer->taken_slots);
	return under_way + traffic_slots(TRAFFIC_MAX_FRAME) <= end->window;
}

/* Fills a vector with up to `most` frames; fewer when the window shuts or pages end. */
static void fill_vector(struct traffic_end *end, struct packet_vector *vector,
			struct traffic_frame *frame, uint32_t most)
{
	while (vector->count < most && atomic_load(&end->sent) < end->send_count &&
	       window_is_open(end)) {
		struct packet *packet;

		traffic_make(end, &end->shape, end->send_flow, atomic_load(&end->sent), frame);
		packet = make_packet(end, frame);
		if (!packet && end->window != UINT32_MAX)
			return;
		atomic_fetch_add(&end->sent, 1);
		if (!packet) {
			atomic_fetch_add(&end->not_made, 1);
			return;
		}
		packet_vector_add(vector, packet);
		atomic_fetch_add(&end->sent_slots, traffic_slots(frame->length));
	}
}

void traffic_send(void *argument)
{
	struct traffic_end *end = argument;
	struct traffic_frame *frame = buffer_make(sizeof(*frame));

	/* The driver takes its netdev away when the interface goes. */
	while (atomic_load(&end->sent) < end->send_count && end->netdev && end->netdev->up) {
		struct packet_vector vector = { 0 };

		fill_vector(end, &vector, frame, 1 + draw(end, PACKET_VECTOR_MAX));
		if (vector.count) {
			end->netdev->ops->transmit(end->netdev, &vector);
			fiber_yield();
		} else {
			fiber_sleep_until(clock_now_ns() + BLOCKED_NS);
		}
	}
	free(frame);
	atomic_store(&end->sending, false);
}
