/* SPDX-License-Identifier: ISC */
/*
 * The host names that rules mention and the addresses that each has now.
 *
 * A resolver client keeps every name's A and AAAA records fresh without anybody
 * waiting; names_contains() and names_of() only look. In addition, answers of the same servers that
 * pass to a client are learnt from, because big sites answer everyone differently.
 *
 * How long an address counts: its TTL, held between NAMES_TTL_MIN_S and NAMES_TTL_MAX_S,
 * and after that until a server has answered for that name and family again, but
 * NAMES_STALE_S at most: a server that is away for a while neither opens nor closes a
 * rule. A name with NAMES_ADDRESSES gives up the address that expires first for a new one.
 *
 * Against forged answers (RFC 5452): a random id, port and letters' case (0x20) for each
 * query; an answer counts only from the asked server to that port with the id and the
 * question in the same letters. Only the last attempts of a round use small letters, for
 * servers that do not give back the case. A truncated answer counts for the addresses it
 * holds: there is no retry by TCP.
 *
 * Memory is fixed at init. Time comes in with every call; timers run on the caller's wheel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "lib/wheel.h"
#include "net/dns_message.h"

#define NAMES_MAX 16384u
#define NAMES_ADDRESSES 32u /* a name, both families */
#define NAMES_SERVERS 4u
#define NAMES_QUERIES 32u    /* under way at one time */
#define NAMES_SEEN 256u	     /* clients' questions that wait for their answer */
#define NAMES_SEEN_SHARE 32u /* of one client: a flood of his pushes out only his own */
#define NAMES_FLOW_OWNER_SHIFT 32u
#define NAMES_CHAIN 8u /* CNAMEs followed, in one answer or by further queries */
#define NAMES_ROUND 6u /* attempts before the resolver gives up for a while */
#define NAMES_TTL_MIN_S 5u
#define NAMES_TTL_MAX_S 86400u
#define NAMES_NEGATIVE_MAX_S 3600u /* RFC 2308, 5 recommends 1 to 3 hours */
#define NAMES_NEGATIVE_S 60u	   /* without an SOA record */
#define NAMES_STALE_S 3600u
#define NAMES_SEEN_S 10u
#define NAMES_TIMEOUT_NS 1000000000ull /* of the first attempt; doubles to 4 s */
#define NAMES_PAUSE_S 5u	       /* after the first round that failed; doubles */
#define NAMES_PAUSE_MAX_S 300u
#define NAMES_NONE UINT16_MAX

/* IPv6, or IPv4 as ::ffff:a.b.c.d. */
struct names_address {
	uint8_t bytes[16];
};

/* A query to be sent: UDP from any address of ours. */
struct names_datagram {
	struct names_address server;
	uint16_t source_port;
	uint16_t destination_port;
	size_t bytes;
	const uint8_t *data; /* until the call returns */
};

struct names_output {
	void (*send)(void *context, const struct names_datagram *datagram);
	/*
	 * The set of a name has another address, or one less, or has become known or
	 * unknown: judge its flows again.
	 */
	void (*changed)(void *context, uint16_t name);
	void *context;
};

enum names_family { NAMES_IP4, NAMES_IP6, NAMES_FAMILIES };

struct names;
struct names_query;

/* (internal) The resolver's state for one family of a name. */
struct names_lookup {
	struct wheel_timer timer; /* the next round */
	struct names *names;
	struct names_query *query; /* NULL: none under way */
	uint16_t name;
	uint8_t family;
	uint8_t failures;  /* rounds without an answer */
	uint64_t known_ns; /* until when a server's word counts, also that there is nothing */
};

struct names_member {
	struct names_address address;
	uint64_t expires_ns; /* 0: free */
	uint32_t next;	     /* of those with addresses of one hash, or UINT32_MAX */
};

struct names_entry {
	uint32_t users; /* rules that mention it; 0: free */
	uint16_t next;	/* in its bucket, or NAMES_NONE */
	struct dns_name name;
	struct names_lookup lookups[NAMES_FAMILIES];
	struct names_member members[NAMES_ADDRESSES];
};

struct names_query {
	struct wheel_timer timer;
	struct names_lookup *lookup; /* NULL: free */
	struct dns_name question;    /* in the case that was sent */
	uint16_t id;
	uint16_t port;
	uint8_t server;
	uint8_t tries;
	uint8_t chain; /* CNAMEs that led here */
	bool plain;    /* the server does not know EDNS */
	uint32_t ttl;  /* the least of the CNAMEs that led here */
};

struct names_seen {
	uint64_t until_ns; /* 0: free */
	uint64_t flow;
	uint16_t id;
	uint16_t type;
	uint16_t name;
};

struct names_counters {
	uint64_t sent;
	uint64_t answered;
	uint64_t refused; /* answers that were forged, late or malformed */
	uint64_t learnt;  /* clients' answers that gave addresses */
	uint64_t timeouts;
};

struct names_config {
	uint16_t capacity; /* names, 1 .. NAMES_MAX */
	void *memory;	   /* names_memory_bytes(capacity) bytes that live for ever */
	struct wheel *wheel;
	struct random *random;
	struct names_output output;
};

struct names {
	uint16_t capacity;
	uint16_t first_free; /* no entry before it is free */
	uint16_t used;	     /* names that there are */
	uint32_t bucket_mask;
	struct names_entry *entries;
	uint16_t *buckets;
	uint32_t member_mask; /* buckets of addresses, less 1 */
	uint32_t *member_heads;
	struct wheel *wheel;
	struct random *random;
	struct names_output output;
	struct siphash_key key;
	uint32_t servers_used;
	struct names_address servers[NAMES_SERVERS];
	uint64_t version; /* counts every change of a set */
	struct names_counters counters;
	struct names_query queries[NAMES_QUERIES];
	struct names_seen seen[NAMES_SEEN];
};

size_t names_memory_bytes(uint16_t capacity);

/* 0, or -EINVAL: the capacity. The memory must be aligned as by malloc(). */
must_check int names_init(struct names *names, const struct names_config *config);

/*
 * The servers to ask, in order; only the first NAMES_SERVERS count. All names are asked for
 * again soon.
 */
void names_set_servers(struct names *names, const struct names_address *servers, uint32_t count,
		       uint64_t now_ns);

/*
 * A rule mentions a name: its number (the same for the same name), whose resolution begins.
 * -EINVAL: not a host name; -ENOSPC.
 */
must_check int names_add(struct names *names, const char *text, size_t length, uint64_t now_ns);

/* The rule is gone; with the last one the name and its addresses are. */
void names_release(struct names *names, uint16_t name);

/* Does the name have this address now? Looks at most at NAMES_ADDRESSES entries. */
bool names_contains(const struct names *names, uint16_t name, const struct names_address *address,
		    uint64_t now_ns);

/*
 * The names that have this address now, in no order: up to `room` in `to`. Returns how many;
 * room + 1 when there are more. Costs one look-up whatever the number of names.
 */
uint32_t names_of(const struct names *names, const struct names_address *address, uint16_t *to,
		  uint32_t room, uint64_t now_ns);

/*
 * Has a server told which addresses of the family the name has, be it none, not so long ago
 * that the addresses would not count any more?
 */
bool names_known(const struct names *names, uint16_t name, enum names_family family,
		 uint64_t now_ns);

/* Is this a port that we have asked from? Then names_input() wants what comes to it. */
bool names_owns_port(const struct names *names, uint16_t port);

/*
 * A UDP datagram to one of our ports. 0: it was the answer to a query; -ENOENT: to none
 * (forged or late); -EINVAL: malformed. Ports in host order.
 */
must_check int names_input(struct names *names, const struct names_address *from,
			   uint16_t from_port, uint16_t to_port, const void *data, size_t bytes,
			   uint64_t now_ns);

/*
 * A client's query (the UDP payload) passes to `server`; `flow` is whatever tells the
 * answer's flow, and above NAMES_FLOW_OWNER_SHIFT whose it is. Only servers of ours count: any
 * other could say what the client likes.
 */
void names_see_query(struct names *names, uint64_t flow, const struct names_address *server,
		     const void *data, size_t bytes, uint64_t now_ns);

/* The answer passes back. Returns how many addresses it told us. */
uint32_t names_see_answer(struct names *names, uint64_t flow, const struct names_address *server,
			  const void *data, size_t bytes, uint64_t now_ns);

static inline struct names_address names_address_ip4(be32 address)
{
	struct names_address out = { { [10] = 0xff, [11] = 0xff } };

	memcpy(out.bytes + 12, &address, 4);
	return out;
}
