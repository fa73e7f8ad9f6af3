/* SPDX-License-Identifier: ISC */
/*
 * IPv6 frames for the network tests, as test_frames.h has them for IPv4; and the parts of a
 * datagram of either version, cut and put together again.
 */
#pragma once

#include "tests/net/test_frames.h"

struct six {
	uint8_t bytes[16];
};

struct ends6 {
	const uint8_t *from_mac;
	const uint8_t *to_mac;
	struct six from;
	struct six to;
};

/* An address from text. */
struct six six(const char *text);
bool six_equal(struct six a, struct six b);
/* fe80:: and the interface identifier of a MAC. */
struct six six_link_local(const uint8_t *mac);

/* An IPv6 packet with `payload` bytes of a pattern behind its 40 bytes of header. */
void frame6_ip(struct frame *frame, const struct ends6 *ends, uint8_t protocol, uint32_t payload);
void frame6_udp(struct frame *frame, const struct ends6 *ends, uint16_t from, uint16_t to,
		uint32_t payload);
void frame6_tcp(struct frame *frame, const struct ends6 *ends, uint16_t from, uint16_t to,
		uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint32_t payload);
void frame6_echo(struct frame *frame, const struct ends6 *ends, bool reply, uint16_t id,
		 uint16_t sequence, uint32_t payload);
/* An ICMPv6 error that quotes `bytes` bytes of `about` from its IPv6 header on. */
void frame6_error(struct frame *frame, const struct ends6 *ends, uint8_t type, uint8_t code,
		  uint32_t value, const struct frame *about, uint32_t bytes);
/* A neighbour message about `target`: 135 with our MAC as source, 136 with it as target. */
void frame6_neighbour(struct frame *frame, const struct ends6 *ends, uint8_t type, uint8_t flags,
		      struct six target);
/* A router solicitation (133) or advertisement (134). */
void frame6_router(struct frame *frame, const struct ends6 *ends, uint8_t type);

/* Puts an extension header of `size` bytes right behind the IPv6 header. */
void frame6_extend(struct frame *frame, uint8_t type, uint32_t size);

/* Writes the length and the right checksum, after something was changed. */
void frame6_finish(struct frame *frame);

/* Leaves the transport checksum to others. */
void frame6_make_blank(struct frame *frame);

bool frame_is6(const struct frame *frame);
const char *frame6_header_error(const struct frame *frame);
const char *frame6_transport_error(const struct frame *frame);

/* Where the transport header begins, behind extension headers, and its protocol. */
uint32_t frame6_transport(const struct frame *frame, uint8_t *protocol);
bool frame6_is_fragment(const struct frame *frame);

struct six frame6_source(const struct frame *frame);
struct six frame6_destination(const struct frame *frame);
uint8_t frame6_hop_limit(const struct frame *frame);
uint16_t frame6_source_port(const struct frame *frame); /* or an echo's identifier */
uint16_t frame6_destination_port(const struct frame *frame);
uint8_t frame6_icmp_type(const struct frame *frame);
uint8_t frame6_icmp_code(const struct frame *frame);

/*
 * Of a whole datagram of either version, the part with `bytes` bytes of its payload from
 * `offset` on (a multiple of 8, as `bytes` must be but for the last part).
 */
void frame_part(struct frame *part, const struct frame *whole, uint32_t offset, uint32_t bytes,
		uint32_t id);
/* A part's place in its datagram, and its identification. */
uint32_t frame_part_offset(const struct frame *part);
uint32_t frame_part_id(const struct frame *part);

/* Puts parts together: the last addition's `whole` is checked with frame_error(). */
struct assembly {
	struct frame whole; /* headers of the first part, payload as it came */
	uint32_t have;	    /* bytes of payload */
	uint32_t total;	    /* 0: the last part is not here */
};
void assembly_begin(struct assembly *assembly);
void assembly_add(struct assembly *assembly, const struct frame *part);
/* What is wrong with it, or NULL when it is a whole datagram with right checksums. */
const char *assembly_error(struct assembly *assembly);
