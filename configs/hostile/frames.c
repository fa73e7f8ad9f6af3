/* SPDX-License-Identifier: ISC */
/* The good frames that the attacker knows: questions that bring answers, and one answer. */
#include <string.h>

#include "configs/echo_frame.h"
#include "configs/hostile/hostile.h"

#define ETHERTYPE_ARP 0x0806u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

struct __attribute__((packed)) ethernet {
	uint8_t to[6], from[6];
	be16 type;
};

struct __attribute__((packed)) arp {
	struct ethernet ethernet;
	be16 hardware, protocol;
	uint8_t hardware_bytes, protocol_bytes;
	be16 operation;
	uint8_t sender_mac[6];
	be32 sender;
	uint8_t target_mac[6];
	be32 target;
};

_Static_assert(ECHO_FRAME_BYTES == HOSTILE_FRAME_MAX, "an echo request as ping sends it");

static struct ethernet header(const uint8_t own_mac[6], const uint8_t to_mac[6], uint16_t type)
{
	struct ethernet ethernet = { .type = be16_of(type) };

	memcpy(ethernet.from, own_mac, sizeof(ethernet.from));
	memcpy(ethernet.to, to_mac, sizeof(ethernet.to));
	return ethernet;
}

uint16_t frame_echo_request(uint8_t *to, const uint8_t own_mac[6], const uint8_t to_mac[6])
{
	static uint16_t sequence;
	struct echo_frame frame = { .source = hostile_ip,
				    .destination = hostile_target,
				    .echo_id = be16_of(1),
				    .sequence = be16_of(sequence++) };

	echo_frame_make_request(&frame, own_mac, to_mac);
	memcpy(to, &frame, sizeof(frame));
	return sizeof(frame);
}

static struct arp arp_make(const uint8_t own_mac[6], const uint8_t to_mac[6], uint16_t operation)
{
	struct arp frame = {
		.ethernet = header(own_mac, to_mac, ETHERTYPE_ARP),
		.hardware = be16_of(1),
		.protocol = be16_of(0x0800),
		.hardware_bytes = 6,
		.protocol_bytes = 4,
		.operation = be16_of(operation),
		.sender = hostile_ip,
		.target = hostile_target,
	};

	memcpy(frame.sender_mac, own_mac, sizeof(frame.sender_mac));
	return frame;
}

uint16_t frame_arp_request(uint8_t *to, const uint8_t own_mac[6])
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct arp frame = arp_make(own_mac, everybody, ARP_REQUEST);

	memcpy(to, &frame, sizeof(frame));
	return sizeof(frame);
}

bool frame_asks_for_us(const uint8_t *from)
{
	struct arp frame;

	memcpy(&frame, from, sizeof(frame));
	return be16_get(frame.ethernet.type) == ETHERTYPE_ARP &&
	       be16_get(frame.operation) == ARP_REQUEST && be32_equal(frame.target, hostile_ip);
}

uint16_t frame_arp_reply(uint8_t *to, const uint8_t own_mac[6], const uint8_t *question)
{
	struct arp asked, frame;

	memcpy(&asked, question, sizeof(asked));
	frame = arp_make(own_mac, asked.sender_mac, ARP_REPLY);
	memcpy(frame.target_mac, asked.sender_mac, sizeof(frame.target_mac));
	frame.target = asked.sender;
	memcpy(to, &frame, sizeof(frame));
	return sizeof(frame);
}
