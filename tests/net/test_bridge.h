/* SPDX-License-Identifier: ISC */
/*
 * A bridge's filter in a box, in the memory of test_box6: frames of both IP versions go in
 * on a side, and what may cross is kept, byte by byte. What the filter itself sends is
 * where box6_take() finds it.
 */
#pragma once

#include "net/bridge_filter.h"
#include "tests/net/test_box6.h"

#define BRIDGE_KEEPS 256u
#define BRIDGE_CLIENT4 "10.137.0.10"
#define BRIDGE_SERVER4 "192.0.2.80"
#define BRIDGE_CLIENT6 "fd00::10"
#define BRIDGE_SERVER6 "2001:db8::80"

struct test_bridge {
	struct bridge_filter filter;
	struct ruleset *rules;
	struct random random;
	void *memory;
	uint8_t flags, gso_type; /* of the packets to send, which have to keep them */
	uint16_t gso_size;
	uint32_t count, taken;
	struct box_frame crossed[BRIDGE_KEEPS];
};

extern struct test_bridge test_bridge;

/* rules NULL: closed. */
void test_bridge_begin(const char *rules, uint32_t flows);

/* Checks that every packet and page is home, and that nothing is left that runs. */
void test_bridge_end(void);

void test_bridge_advance(uint64_t ns);

/* Sends frames as one vector from that side. */
void test_bridge_send(enum bridge_side side, const struct box_frame *frames, uint32_t count);

/* The next frame that has crossed, or NULL. */
const struct box_frame *test_bridge_take(void);

/* It crosses alone and unchanged; or it is dropped for `reason`; or kept back. */
void test_bridge_crosses(enum bridge_side side, const struct box_frame *frame);
void test_bridge_stops(enum bridge_side side, const struct box_frame *frame,
		       enum drop_reason reason);
void test_bridge_waits(enum bridge_side side, const struct box_frame *frame);

/* The next that has crossed is this one. */
void test_bridge_expect(const struct box_frame *frame);

/*
 * Packets from somebody on `side`; addresses of either version as text. Length and checksums
 * are written by bridge_finish(), which all but bridge_ip() have called.
 */
void bridge_ip(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
	       uint8_t protocol);
void bridge_udp(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		uint16_t source, uint16_t destination, uint32_t payload);
void bridge_tcp(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		uint16_t source, uint16_t destination, uint8_t flags);
void bridge_echo(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		 bool reply, uint16_t id);
/* An error that quotes the first 64 bytes of `about`, from its IP header on. */
void bridge_error(struct box_frame *frame, enum bridge_side side, const char *from, const char *to,
		  uint8_t type, uint8_t code, const struct box_frame *about);
void bridge_finish(struct box_frame *frame);

/* The offset of what follows the IP header. */
uint32_t bridge_start(const struct box_frame *frame);

/* A fragment: `length` bytes at `offset` of what follows the whole's IP header. */
void bridge_cut(struct box_frame *fragment, const struct box_frame *whole, uint32_t id,
		uint32_t offset, uint32_t length);
