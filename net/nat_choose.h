/* SPDX-License-Identifier: ISC */
/*
 * Choosing a new flow's translation: what answers to it will look like.
 *
 * Mapping is endpoint independent (RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1): all
 * flows of one internal address and port have one external address and port, whatever
 * they go to, so that programs which learn their outside name from a third party can use
 * it. No two internal end points have one external one (REQ-3). The port stays what it was
 * where that is free; else it is random (RFC 6056), from the same half of 0-1023 and
 * 1024-65535, and for UDP of the same parity (REQ-3a, REQ-4), while such are left.
 *
 * Filtering is not part of it and stays address and port dependent (REQ-8 leaves that to
 * who wants security first): a packet comes in only if a flow or a rule lets it. A mapping
 * tells others where a client can be reached, never that it may be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "lib/random.h"
#include "net/flow.h"
#include "net/nat_mapping.h"
#include "net/nptv6.h"

#define NAT_FIRST_PORT 1024u
#define NAT_PROBES 64u /* ports tried at random, and then as many in a row */

enum nat_mode {
	NAT_NONE,		  /* the source stays */
	NAT_ENDPOINT_INDEPENDENT, /* see above */
	NAT_SYMMETRIC,		  /* a port is free if nobody has it towards that destination */
	NAT_STATIC_PORT,	  /* the same, and the port stays (binat-to; IKE, games) */
	NAT_PREFIX,		  /* prefix for prefix (RFC 6296), all ports stay */
};

struct nat {
	struct nat_mappings mappings;
	const struct flow_table *flows;
	struct random *random;
	/*
	 * Does something of the firewall itself take packets that look so? Set after nat_init();
	 * NULL: nothing does.
	 */
	bool (*is_ours)(void *context, const struct flow_tuple *reply);
	void *context;
};

/*
 * What is wanted for a flow's first packet. Both ends may be translated at once: a client
 * that addresses our external address where a port leads to another client must come
 * from that address too, or the answer would not come back through us (RFC 4787 REQ-9).
 * Addresses are of the original's version; ports are in host order.
 */
struct nat_request {
	const struct flow_tuple *original; /* as it arrived */
	uint8_t out_interface;		   /* it leaves by; answers arrive on it */
	enum nat_mode mode;
	struct ip_address source; /* the new one; version 0: stays */
	uint16_t source_port_low; /* the port must be from low to high; 0 and 0: any */
	uint16_t source_port_high;
	uint32_t quota;		       /* mappings its interface may own; 0: any number */
	const struct nptv6 *prefix;    /* of NAT_PREFIX */
	struct ip_address destination; /* the new one; version 0: stays */
	uint16_t destination_port_low; /* new port or range; 0: stays */
	uint16_t destination_port_high;
	/* The first port that the rule is for: the next one goes to low + 1, and so on. */
	uint16_t destination_port_base;
};

/* Bytes of memory for so many mappings; one more than there are flows is never too few. */
size_t nat_memory_bytes(uint32_t mappings);

/* Empty, over `memory` (aligned to 4 bytes). `flows`, `random` must live as long. */
void nat_init(struct nat *nat, void *memory, uint32_t mappings, const struct flow_table *flows,
	      struct random *random);

/* Port n of those that the rule is for goes to the n-th of the new ones, which there must be. */
be16 nat_redirected_port(const struct nat_request *request, be16 port);

/*
 * The tuple of answers, for flow_create(). A new source is held for the flow from here
 * on: until nat_flow_removed(), or nat_cancel() when no flow comes of it. Every
 * flow whose source address changes must have got its reply here.
 *
 * 0; -EADDRINUSE: no free port; -ENOSPC: the mapping table is full; -EDQUOT: the quota;
 * -EINVAL: an address of the other version, or one that the prefix cannot translate.
 */
must_check int nat_choose(struct nat *nat, const struct nat_request *request,
			  struct flow_tuple *reply);

/* Gives back what nat_choose() held. */
void nat_cancel(struct nat *nat, const struct flow_tuple *original, const struct flow_tuple *reply);

/* The same for a flow that is being removed; `context` is the struct nat. */
void nat_flow_removed(void *context, const struct flow *flow);

/*
 * The firewall's own use of an external end point: no flow is given it until
 * nat_unreserve(). -EADDRINUSE: it is taken already; -ENOSPC.
 */
must_check int nat_reserve(struct nat *nat, const struct nat_endpoint *external);
void nat_unreserve(struct nat *nat, const struct nat_endpoint *external);

/*
 * Whose external end point is it? For clients that address one another by their outside
 * names, if the rules let them: false: nobody's, or not one end point's alone.
 */
must_check bool nat_find_internal(const struct nat *nat, const struct nat_endpoint *external,
				  struct nat_endpoint *internal, uint8_t *interface);

/*
 * Symmetric and without memory of mappings: the reply to a flow that leaves by
 * `interface` with `address` as its source. 0, or -EADDRINUSE.
 */
must_check int nat_choose_reply(const struct flow_table *table, struct random *random,
				const struct flow_tuple *original, uint8_t interface, be32 address,
				struct flow_tuple *reply);
