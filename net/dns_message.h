/* SPDX-License-Identifier: ISC */
/*
 * DNS messages (RFC 1035): reading what a stranger sent, writing queries.
 *
 * Reading never leaves the message: every function checks what it touches. A
 * compression pointer must lead backwards, to before the name that it is part of
 * began, so a name ends after a bounded number of steps (RFC 1035, 4.1.4).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define DNS_PORT 53u
#define DNS_NAME_BYTES 255u  /* RFC 1035, 3.1 */
#define DNS_LABEL_BYTES 63u  /* the same */
#define DNS_HEADER_BYTES 12u /* RFC 1035, 4.1.1 */
#define DNS_UDP_BYTES 1232u  /* what our OPT record says that we take */
#define DNS_QUERY_BYTES (DNS_HEADER_BYTES + DNS_NAME_BYTES + 4u + 11u)

#define DNS_TYPE_A 1u
#define DNS_TYPE_CNAME 5u
#define DNS_TYPE_SOA 6u
#define DNS_TYPE_AAAA 28u /* RFC 3596 */
#define DNS_TYPE_OPT 41u  /* RFC 6891 */
#define DNS_CLASS_IN 1u

#define DNS_FLAG_RESPONSE 0x8000u
#define DNS_FLAG_TRUNCATED 0x0200u
#define DNS_FLAG_RECURSION_DESIRED 0x0100u
#define DNS_OPCODE_MASK 0x7800u

#define DNS_RCODE_MASK 0x000fu
#define DNS_RCODE_OK 0u
#define DNS_RCODE_FORMAT 1u
#define DNS_RCODE_SERVER_FAILURE 2u
#define DNS_RCODE_NO_NAME 3u
#define DNS_RCODE_NOT_IMPLEMENTED 4u
#define DNS_RCODE_REFUSED 5u

/* A name as on the wire, not compressed, with the empty label at its end. */
struct dns_name {
	uint8_t length; /* bytes; 0: no name, 1: the root */
	uint8_t bytes[DNS_NAME_BYTES];
};

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

struct dns_question {
	struct dns_name name; /* in the letters' case of the message */
	uint16_t type;
	uint16_t class;
};

/* A record; data points into the message. */
struct dns_record {
	struct dns_name name; /* small letters only */
	uint16_t type;
	uint16_t class;
	uint32_t ttl; /* seconds; one with the top bit set reads as 0 (RFC 2181, 8) */
	uint16_t bytes;
	const uint8_t *data;
	uint8_t section; /* enum dns_section */
};

/* A message while it is read: the header's numbers, and how far reading has come. */
struct dns_message {
	const uint8_t *data; /* the caller's, until reading ends */
	size_t bytes;
	uint16_t id;
	uint16_t flags;
	uint16_t counts[3]; /* by enum dns_section */
	size_t records;	    /* where they begin */
	size_t at;
	uint16_t done; /* records of `section` read so far */
	uint8_t section;
};

/*
 * A host name as a person writes it ("www.example.org", one dot may follow) to small
 * letters on the wire. Letters, digits, "-" and "_", no label that begins or ends with
 * "-" (RFC 1123, 2.1; "_" because people use it). -EINVAL: it is not one.
 */
must_check int dns_name_from_text(struct dns_name *name, const char *text, size_t length);

/*
 * The name for a human, without the last dot, anything odd as "?", ended by a zero byte and
 * cut to `size` bytes. Returns the bytes written without the zero.
 */
size_t dns_name_to_text(const struct dns_name *name, char *text, size_t size);

/* To small letters (RFC 4343). */
void dns_name_lower(struct dns_name *name);

/* Byte for byte: lower both first for a comparison of names. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* Sets the case of each letter by a bit of `random`, used again after 64 letters. */
void dns_name_mix_case(struct dns_name *name, uint64_t random);

/*
 * Begins to read a message of one question, and reads it. 0; -EINVAL: malformed, or not one
 * question.
 */
must_check int dns_message_read(struct dns_message *message, const void *data, size_t bytes,
				struct dns_question *question);

/* The next record of all three sections: 1; 0: no more; -EINVAL: malformed. */
must_check int dns_record_next(struct dns_message *message, struct dns_record *record);

/* To the first record again. */
void dns_record_rewind(struct dns_message *message);

/* The name that a CNAME record's data is, in small letters. -EINVAL: malformed. */
must_check int dns_record_cname(const struct dns_message *message, const struct dns_record *record,
				struct dns_name *name);

/*
 * For how long an SOA record says that there is nothing, seconds (RFC 2308, 5). -EINVAL:
 * malformed.
 */
must_check int dns_record_negative_ttl(const struct dns_message *message,
				       const struct dns_record *record, uint32_t *ttl);

/*
 * Writes a query that asks for recursion, with an OPT record if `edns` (RFC 6891, 6.1.2).
 * `to` holds DNS_QUERY_BYTES. Returns the bytes written.
 */
size_t dns_query_write(uint8_t *to, uint16_t id, const struct dns_name *name, uint16_t type,
		       bool edns);
