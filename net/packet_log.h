/* SPDX-License-Identifier: ISC */
/*
 * The newest packets that a rule with `log` decided about, or that somebody wished to be
 * remembered for another reason: the beginning of each, when, where, and what became of it.
 * A fixed number of records, the oldest of which make room; how many may be added in a
 * second is rationed, and what that leaves out is counted in the record that comes next.
 *
 * A reader gets them as a capture in the pcapng format. Nothing here blocks or allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/drop.h"
#include "lib/packet.h"
#include "lib/pcapng.h"
#include "net/bucket.h"
#include "net/netdev.h"
#include "net/rules.h"

#define PACKET_LOG_SNAP 128u	  /* bytes of a packet that are kept, at most */
#define PACKET_LOG_INTERFACES 32u /* in one section of a capture */
#define PACKET_LOG_COMMENT_BYTES 224u
#define PACKET_LOG_BLOCK_BYTES PCAPNG_PACKET_BYTES(PACKET_LOG_SNAP, PACKET_LOG_COMMENT_BYTES)

struct packet_log_record {
	uint64_t now_ns;
	uint64_t left_out; /* between the record before and this one */
	uint32_t length;   /* of the packet, with its Ethernet header */
	uint32_t line;	   /* of the rule; 0: no rule decided */
	uint16_t captured; /* bytes */
	uint16_t reason;   /* enum drop_reason; DROP_REASON_COUNT: it passed */
	uint8_t direction; /* enum rules_direction */
	uint8_t action;	   /* enum rules_action */
	char interface[NETDEV_NAME_BYTES];
	char label[RULES_LABEL_BYTES];
	uint8_t bytes[PACKET_LOG_SNAP];
};

struct packet_log {
	struct packet_log_record *records;
	uint32_t capacity;
	uint64_t written;  /* record n is at n % capacity */
	uint64_t left_out; /* in all */
	uint64_t left_out_unsaid;
	struct bucket bucket;
};

/* What is to be remembered; pointers are only looked at during the call. */
struct packet_log_entry {
	const struct packet *packet; /* data at the Ethernet header */
	const char *interface;	     /* a netdev's name */
	enum rules_direction direction;
	enum rules_action action;
	enum drop_reason reason; /* DROP_REASON_COUNT when it passes */
	uint32_t line;		 /* of the rule that decided; 0: none did */
	const char *label;	 /* its label, or "" */
};

/*
 * Lays an empty log over `memory` of `bytes` (at least one record; it lives as long as the
 * log), which takes `per_second` (1 ..) records in a second and `burst` at once.
 */
void packet_log_init(struct packet_log *log, void *memory, size_t bytes, uint32_t per_second,
		     uint32_t burst, uint64_t now_ns);

/* Adds a record, or counts it as left out. Reads the head of the packet only. */
void packet_log_add(struct packet_log *log, const struct packet_log_entry *entry, uint64_t now_ns);

/* One reader. About 1.2 KiB; may be forgotten at any moment. */
struct packet_log_reader {
	const struct packet_log *log;
	uint64_t next; /* number of the record that comes now */
	uint64_t end;  /* and of the first that came too late */
	uint64_t wall_offset_ns;
	uint64_t lost; /* records that went while they waited to be read */
	bool in_section;
	uint32_t interface_count;
	uint32_t block_used;
	uint32_t block_at;
	char interfaces[PACKET_LOG_INTERFACES][NETDEV_NAME_BYTES];
	uint8_t block[PACKET_LOG_BLOCK_BYTES];
};

/*
 * Begins to read the records that are there now. `wall_offset_ns` and a record's time make
 * nanoseconds since 1970-01-01 00:00 UTC.
 */
void packet_log_open(struct packet_log_reader *reader, const struct packet_log *log,
		     uint64_t wall_offset_ns);

/*
 * The next at most `bytes` bytes of the capture: how many were written to `to`; 0 at its
 * end. Whatever is added meanwhile, all that is read is one whole pcapng stream: records
 * that are overwritten before their turn are missing from it and counted in `lost`.
 */
size_t packet_log_read(struct packet_log_reader *reader, void *to, size_t bytes);
