/* SPDX-License-Identifier: ISC */
/*
 * Fragments of IPv4 and IPv6 datagrams, judged by virtual reassembly: nothing is put
 * together, but what has passed is remembered, so that fragments pass exactly if the
 * datagram they make would, and the receiver can make no other of them.
 *
 * The first fragment decides: it must hold the whole transport header (RFC 1858, 3128,
 * 7112), is judged as a packet would be, and the others follow its verdict and its
 * translation at once. What comes before it is held, within bounds, for
 * FRAGMENT_SECONDS. Fragments that overlap end their datagram (RFC 5722; for IPv4 too,
 * where hosts disagree about which bytes win); exact repetitions are dropped and do
 * no harm.
 *
 * Every datagram and every held packet is charged to the interface it arrives on; one
 * that has used up its share loses its own oldest, never another's. When the sum of
 * the shares is not more than there is, nobody can be refused for what others do.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/drop.h"
#include "lib/list.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/siphash.h"
#include "lib/wheel.h"
#include "net/parse6.h"
#include "net/wire.h"

#define FRAGMENT_SECONDS 15u /* from a datagram's first arrival on; never prolonged */
#define FRAGMENT_RANGES 64u  /* fragments of one datagram; 54 carry 65,535 at an MTU of 1,280 */
#define FRAGMENT_OWNERS 256u /* interface indices are bytes */
#define FRAGMENT_ENTRIES_MAX (1u << 20)

/* An IPv4 address lies in the first four bytes, and the rest is 0. */
union fragment_address {
	be32 ip4;
	struct ip6_address ip6;
};

/* What tells datagrams apart (RFC 791: with the protocol; RFC 8200: without, 0 here). */
struct fragment_key {
	union fragment_address source;
	union fragment_address destination;
	uint32_t id;	    /* host order; IPv4's 16 bits */
	uint8_t protocol;   /* IPv4 only */
	uint8_t interface;  /* index of the interface that it arrives on */
	uint8_t ip_version; /* 4 or 6 */
	uint8_t zero;
};
static_assert(sizeof(struct fragment_key) == 40, "hashed and compared as five words");

/* What the table wants to know of a fragment. */
struct fragment_info {
	struct fragment_key key;
	uint16_t offset;   /* bytes, a multiple of 8 */
	uint16_t length;   /* bytes of the fragment behind its IP or fragment header */
	uint16_t overhead; /* bytes of IP header (IPv4) or extension headers (IPv6) before it */
	uint8_t protocol;  /* of the datagram; in later fragments of IPv6 not to be trusted */
	bool more;
};

/*
 * What the first fragment's judge found; the table only keeps it. The addresses and the
 * identification are those to leave with: nothing else of a later fragment is rewritten.
 */
struct fragment_verdict {
	bool pass;
	uint8_t out;		 /* index of the interface that all fragments leave by */
	enum drop_reason reason; /* when it does not pass */
	uint32_t id;		 /* host order */
	union fragment_address source;
	union fragment_address destination;
};

enum fragment_state {
	FRAGMENT_FREE,
	FRAGMENT_WAITING, /* the first is not here: its fragments are held */
	FRAGMENT_JUDGING, /* the first is with the caller */
	FRAGMENT_OPEN,	  /* passes, and something is missing */
	FRAGMENT_DONE,	  /* has passed as a whole */
	FRAGMENT_DEAD,	  /* nothing of it passes any more */
	FRAGMENT_STATES,
};

struct fragment_range {
	uint16_t start; /* bytes */
	uint16_t end;	/* first byte behind */
};

struct fragment_table;

/* One datagram. */
struct fragment_entry {
	struct fragment_key key;
	uint32_t next; /* in its bucket's chain, or of the free ones: index + 1, 0 at the end */
	uint8_t state; /* enum fragment_state */
	uint8_t range_count;
	uint16_t total;	       /* bytes of the whole; 0: its last fragment is not here */
	uint32_t received;     /* bytes */
	uint16_t reason;       /* enum drop_reason, when dead */
	uint16_t held_packets; /* or pieces */
	uint32_t held_bytes;
	struct list held;
	struct list link; /* in its owner's list for its state, the oldest first */
	struct fragment_table *table;
	struct wheel_timer timer;
	struct fragment_verdict verdict;	       /* OPEN and DONE */
	struct fragment_range ranges[FRAGMENT_RANGES]; /* in order, without overlap */
};

struct fragment_owner {
	struct list states[FRAGMENT_STATES];
	uint32_t entries;
	uint32_t held_packets;
	uint32_t held_bytes;
};

struct fragments_config {
	uint32_t entries;      /* datagrams in all, 1 .. FRAGMENT_ENTRIES_MAX */
	uint32_t owners;       /* interfaces, 1 .. FRAGMENT_OWNERS */
	uint32_t held_packets; /* in all; each piece of a packet counts (packet_pieces()) */
	uint32_t held_bytes;
	uint32_t owner_entries; /* of one interface */
	uint32_t owner_held_packets;
	uint32_t owner_held_bytes;
	uint32_t seconds; /* that a datagram may take, below FRAGMENT_SECONDS; else that */
};

struct fragment_table {
	struct fragments_config config;
	struct fragment_entry *entries;
	struct fragment_owner *owners;
	uint32_t *buckets; /* index + 1 */
	uint32_t bucket_mask;
	uint32_t used;
	uint32_t free; /* index + 1 of the first free entry */
	uint32_t held_packets;
	uint32_t held_bytes;
	struct siphash_key hash_key;
	struct wheel *wheel;
};

/* Bytes of memory for a table; and the table itself, with a random hash key, over them. */
size_t fragments_bytes(const struct fragments_config *config);
void fragments_init(struct fragment_table *table, void *memory,
		    const struct fragments_config *config, struct wheel *wheel,
		    struct random *random);

enum fragment_result {
	FRAGMENT_DROP,	 /* the caller drops it for `*reason` */
	FRAGMENT_HOLD,	 /* the table owns the packet now */
	FRAGMENT_FOLLOW, /* the caller sends it after `(*entry)->verdict` */
	FRAGMENT_JUDGE,	 /* a first one: the caller judges, then calls fragments_decide() */
	FRAGMENT_WHOLE,	 /* no fragment of anything (RFC 6946): the caller judges it alone */
};

/*
 * Looks at a fragment whose IP header has been checked, with l4_offset set to where its
 * payload begins (IPv6: for the first, to its transport header). `*entry` is set for
 * FOLLOW and JUDGE and holds until the next call.
 */
must_check enum fragment_result fragments_input(struct fragment_table *table, struct packet *packet,
						const struct fragment_info *info, uint64_t now_ns,
						struct fragment_entry **entry,
						enum drop_reason *reason);

/*
 * Ends FRAGMENT_JUDGE. When it passes, the packets that were held are appended to
 * `released` (linked by packet.link, in order of arrival), and the caller owns them and
 * sends them after the verdict, behind the first one. Else they are dropped for
 * the verdict's reason, as will be all that follow.
 */
void fragments_decide(struct fragment_entry *entry, const struct fragment_verdict *verdict,
		      struct list *released);

/* What an owner has has become less: what is too much goes, the oldest first. */
void fragments_trim(struct fragment_table *table);

/* Forgets all datagrams that came from the interface or leave by it (DROP_DETACHED). */
void fragments_purge_interface(struct fragment_table *table, uint8_t interface);

/* Ends all datagrams that pass and are under way, as when the rules have changed. */
void fragments_purge_all(struct fragment_table *table, enum drop_reason reason);

/*
 * The info of an IPv4 packet with MORE_FRAGMENTS or an offset, whose header is at
 * l3_offset, without options, has been checked, and says the packet's true length.
 */
void fragments_describe_ip4(const struct packet *packet, uint8_t interface,
			    struct fragment_info *info);

/* The same of a packet that parse_ip6() has accepted and found a fragment header in. */
void fragments_describe_ip6(const struct packet *packet, const struct packet_info *parsed,
			    struct fragment_info *info);

/* Is the table consistent? For tests: every chain, list, range and count. */
bool fragments_check(const struct fragment_table *table);
