/* SPDX-License-Identifier: ISC */
/*
 * Packets of both IP versions, written from a description with every checksum summed up
 * from scratch: a rewritten packet must be byte for byte the one that its new
 * description gives. Offsets are numbers here, and nothing is shared with the product.
 */
#pragma once

#include "net/nat.h"
#include "tests/net/test_frames.h"

#define ETH 14u
#define TEST_SIDE_IN 1u /* interface of the original direction */
#define TEST_SIDE_OUT 2u

/* Protocols */
#define TCP 6u
#define UDP 17u
#define DCCP 33u
#define GRE 47u
#define ESP 50u
#define ICMP6 58u
#define SCTP 132u
#define UDP_LITE 136u

struct spec {
	uint8_t version;
	uint8_t protocol;   /* 1 or ICMP6 for ICMP, by the version */
	uint8_t source[16]; /* IPv4: the first four */
	uint8_t destination[16];
	uint16_t source_port;	   /* of an echo request: its identifier */
	uint16_t destination_port; /* of an echo reply */
	uint8_t icmp_type;	   /* 0: an echo */
	bool reply;		   /* of an echo */
	bool blank;
	bool no_checksum; /* UDP */
	uint8_t ttl;
	uint8_t options; /* IPv4: words of options; IPv6: extension headers of 8 bytes */
	uint16_t id;
	uint32_t payload; /* bytes behind the transport header */
	uint8_t seed;	  /* of the payload's pattern */
};

/* Bytes before the transport header, from the Ethernet header on. */
uint32_t spec_transport(const struct spec *spec);

/* Bytes of the transport header; where its checksum is in it, or 0 for none. */
uint32_t spec_header(const struct spec *spec);
uint32_t spec_checksum(const struct spec *spec);

void spec_build(struct frame *frame, const struct spec *spec);

/*
 * The ICMP error of `outer` (addresses, version, TTL, options) that quotes the first
 * `bytes` bytes of the packet in `about` from its IP header on.
 */
void spec_build_error(struct frame *frame, const struct spec *outer, uint8_t type, uint8_t code,
		      const struct frame *about, uint32_t bytes);

/* What arrives when the packet is answered. */
struct spec spec_mirror(const struct spec *spec);

struct flow_tuple spec_tuple(const struct spec *spec, uint8_t interface);

/* A random packet, of one of all protocols, of one to `longest` bytes of payload. */
struct spec spec_random(uint64_t *state, uint32_t longest);

/* The same with other addresses, and other ports where there are. */
struct spec spec_translate(uint64_t *state, const struct spec *spec);

/* A flow in `table`, or NULL. All tests of translation make theirs by this. */
struct flow *test_flow_create(struct flow_table *table, const struct flow_tuple *original,
			      const struct flow_tuple *reply);

/* The translated flow that makes `leaves` of `arrives`: one of two that live at once. */
struct flow *test_flow(unsigned int which, const struct spec *arrives, const struct spec *leaves);

/* `frame` as a packet whose head is `head` bytes of memory of its own. */
struct test_packet {
	struct packet packet;
	struct packet_info info;
};
void test_packet_begin(struct test_packet *packet, const struct frame *frame, uint32_t head);

/* Parses it as arriving on `interface`, which must succeed. */
void test_packet_parse(struct test_packet *packet, uint8_t interface);

/* Writes the head back, and frees it. */
void test_packet_end(struct test_packet *packet, struct frame *frame);

/* Fails with both packets when they differ. */
void expect_same(const struct frame *got, const struct frame *expected, const char *what);
