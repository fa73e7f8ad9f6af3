/* SPDX-License-Identifier: ISC */
/*
 * Writes captures in the pcapng format (draft-ietf-opsawg-pcapng), which Wireshark and
 * tcpdump read: a section header, then a description of each interface, numbered from 0 in
 * the order written, then packets. In the byte order of this machine, as the format
 * allows; times are nanoseconds.
 *
 * Every function writes one block at `to`, which has room for `size` bytes, and returns its
 * bytes, a multiple of 4; 0 when it does not fit, and nothing holds then.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_LINK_ETHERNET 1u
/* No block of a packet with so many bytes and so long a comment is larger. */
#define PCAPNG_PACKET_BYTES(captured, comment) (64u + (captured) + 3u + (comment) + 3u)

enum pcapng_direction { PCAPNG_NO_DIRECTION, PCAPNG_INBOUND, PCAPNG_OUTBOUND };
enum pcapng_verdict { PCAPNG_NO_VERDICT, PCAPNG_PASS, PCAPNG_DROP };

struct pcapng_packet {
	uint32_t interface; /* its number in this section */
	uint64_t time_ns;   /* since 1970-01-01 00:00 UTC */
	const void *bytes;
	uint32_t captured; /* of them */
	uint32_t length;   /* that it had on the wire */
	enum pcapng_direction direction;
	/*
	 * In the numbers of Linux's traffic control (TC_ACT_OK, TC_ACT_SHOT): the format has
	 * none of its own.
	 */
	enum pcapng_verdict verdict;
	const char *comment; /* UTF-8; NULL: none */
};

/* `application` made the capture. */
size_t pcapng_write_section(void *to, size_t size, const char *application);

/* At most `snap` bytes of each packet are captured; 0: all. */
size_t pcapng_write_interface(void *to, size_t size, const char *name, uint16_t link_type,
			      uint32_t snap);

size_t pcapng_write_packet(void *to, size_t size, const struct pcapng_packet *packet);

/*
 * An entry of systemd's journal (draft-richardson-opsawg-pcapng-extras), which a capture may
 * have between its packets: `length` bytes of lines NAME=value, each with its newline, of
 * which __REALTIME_TIMESTAMP, microseconds since 1970, is one.
 */
size_t pcapng_write_journal(void *to, size_t size, const char *entry, size_t length);
