/* SPDX-License-Identifier: ISC */
/*
 * A box for the IPv6 protocols of our own, without a router: memory, time, two links, and
 * what they send, kept. Frames are laid and checked with code of the tests' own.
 */
#pragma once

#include <check.h>

#include "lib/wheel.h"
#include "net/own.h"
#include "net/packet_info.h"
#include "tests/net/test_frames.h"

#define BOX_PACKETS 192u
#define BOX_PAGES 288u
#define BOX_KEEPS 512u
#define BOX_FRAME_MAX 2048u
#define BOX_SECOND 1000000000ull
#define BOX_START 54u /* Ethernet and IPv6 headers */

struct box_frame {
	uint32_t length;
	uint8_t bytes[BOX_FRAME_MAX];
	const struct netdev *link; /* that it was sent on */
	uint64_t sent_ns;
};

struct box6 {
	struct iopage_pool pages;
	struct packet_pool packets;
	struct wheel wheel;
	struct own own;
	struct netdev link[2]; /* a client's, the uplink */
	uint64_t now_ns;
	bool no_memory; /* nothing can be made */
	uint32_t sent, taken;
	struct box_frame kept[BOX_KEEPS];
};

extern struct box6 box;
extern const uint8_t box_our_mac[6], box_peer_mac[6], box_other_mac[6];

void box6_begin(void);

/* Checks that every packet and page is home and no timer runs. */
void box6_end(void);

/* Lets time pass, running timers. */
void box6_advance(uint64_t ns);

/*
 * The next frame that was sent, or NULL. It has been checked: lengths, version, checksum by the
 * textbook, no packet too long for what it says.
 */
const struct box_frame *box6_take(void);
void box6_skip(void);

/* The next frame is this one, byte by byte. */
#define box6_expect(golden) box6_expect_bytes(golden, sizeof(golden))
void box6_expect_bytes(const uint8_t *golden, size_t bytes);

/* An address from text. */
struct ip6_address box6_address(const char *text);

/* Starts a frame of which `box6_add` is to add what follows the IPv6 header. */
void box6_frame(struct box_frame *frame, const uint8_t *from_mac, const uint8_t *to_mac,
		const char *from, const char *to, uint8_t protocol);
/* Appends zero bytes; returns them. */
uint8_t *box6_add(struct box_frame *frame, uint32_t bytes);
/* Appends the given bytes. */
void box6_append(struct box_frame *frame, const void *from, uint32_t bytes);
/* Writes length and the ICMPv6, TCP or UDP checksum. */
void box6_finish(struct box_frame *frame);

/*
 * A packet as a driver brings it, with `head` bytes in its private head (at most 192) or, when
 * that is more, in one page, the rest in a page that the uplink can write.
 */
struct packet *box6_packet(const struct box_frame *frame, uint32_t head);

/*
 * Parses the frame with all of its bytes in memory of exactly that length, which the caller
 * frees as packet->data. False: parse_ip6() refused it, and the memory is freed.
 */
bool box6_parse(const struct box_frame *frame, struct packet *packet, struct packet_info *info);
