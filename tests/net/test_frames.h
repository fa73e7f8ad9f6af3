/* SPDX-License-Identifier: ISC */
/*
 * Frames for the network tests, built and checked byte by byte. Nothing here is shared
 * with the product: offsets are numbers and the checksum is the textbook's, so that a
 * mistake in net/ is not repeated on this side.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 66000u

/* Addresses and ports are plain host-order numbers. */
#define IP(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

#define FIN 0x01u
#define SYN 0x02u
#define RST 0x04u
#define PSH 0x08u
#define ACK 0x10u

struct frame {
	uint32_t length;
	uint8_t flags;	  /* enum packet_flags */
	uint8_t gso_type; /* enum packet_gso */
	uint16_t gso_size;
	uint8_t bytes[FRAME_MAX];
};

/* Who talks to whom, and from which MAC to which. */
struct ends {
	const uint8_t *from_mac;
	const uint8_t *to_mac;
	uint32_t from;
	uint32_t to;
};

uint16_t get16(const uint8_t *p);
uint32_t get32(const uint8_t *p);
void put16(uint8_t *p, uint16_t value);
void put32(uint8_t *p, uint32_t value);

/* Sum of 16-bit words, folded, not complemented. */
uint16_t naive_sum(const uint8_t *p, size_t bytes, uint32_t start);
uint16_t naive_pseudo(const struct frame *frame);

/* An IPv4 packet with `payload` bytes of a pattern behind the 20 bytes of header. */
void frame_ip4(struct frame *frame, const struct ends *ends, uint8_t protocol, uint32_t payload);
void frame_udp(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
	       uint32_t payload);
void frame_tcp(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
	       uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint32_t payload);
/* A TCP SYN with a window scale option. */
void frame_syn_scaled(struct frame *frame, const struct ends *ends, uint16_t from, uint16_t to,
		      uint32_t sequence, uint8_t scale);
void frame_echo(struct frame *frame, const struct ends *ends, bool reply, uint16_t id,
		uint16_t sequence, uint32_t payload);
/* An ICMP error that quotes `bytes` bytes of `about` from its IPv4 header on. */
void frame_icmp_error(struct frame *frame, const struct ends *ends, uint8_t type, uint8_t code,
		      const struct frame *about, uint32_t bytes);
void frame_arp(struct frame *frame, const uint8_t *from_mac, const uint8_t *to_mac,
	       uint16_t operation, uint32_t sender, uint32_t target);

/* Writes right checksums, after something was changed. */
void frame_finish(struct frame *frame);

/* Leaves the transport checksum to others: pseudo-header sum and PACKET_CSUM_BLANK. */
void frame_make_blank(struct frame *frame);

/* What is wrong with the frame's lengths and header checksum, or NULL. */
const char *frame_header_error(const struct frame *frame);

/* The same and the transport checksum. */
const char *frame_error(const struct frame *frame);

/* Fields of an IPv4 frame. */
uint32_t frame_source(const struct frame *frame);
uint32_t frame_destination(const struct frame *frame);
uint16_t frame_source_port(const struct frame *frame); /* or ICMP identifier */
uint16_t frame_destination_port(const struct frame *frame);
uint8_t frame_ttl(const struct frame *frame);
uint8_t frame_protocol(const struct frame *frame);
uint8_t frame_tcp_flags(const struct frame *frame);
uint32_t frame_tcp_sequence(const struct frame *frame);
uint32_t frame_tcp_acknowledgement(const struct frame *frame);
uint8_t frame_icmp_type(const struct frame *frame);
uint8_t frame_icmp_code(const struct frame *frame);
bool frame_is_arp(const struct frame *frame);
