/* SPDX-License-Identifier: ISC */
/*
 * A router with its memory in an ordinary process: what configs/firewall/main.c is to the
 * guest. Everything that these programs know of how the router is set up stands in box.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/iopage.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "net/router.h"

struct box_address {
	be32 ip4; /* 0.0.0.0: none */
	bool has_ip6;
	uint8_t ip6[16];
};

struct box_config {
	struct box_address address, gateway; /* the uplink's */
	uint8_t prefix, prefix6;
	uint32_t flows;
	uint64_t seed; /* of everything random */
	uint64_t now_ns;
};

struct box {
	struct iopage_pool pages;
	struct packet_pool packets;
	struct random random;
	struct router router;
	struct ruleset *rules;
	void *arena, *flow_memory;
	struct iopage *page_array;
	struct packet *packet_array;
	uint32_t free_pages[IOPAGE_CLASS_COUNT]; /* when nothing was in use yet */
};

/* Does the router of this program forward IPv6? */
bool box_has_ip6(void);

/* 0, or a negative errno: the addresses cannot be used together. Aborts without memory. */
must_check int box_init(struct box *box, const struct box_config *config);

/* The netdev becomes the router's uplink, or a client with `address`. 0 or negative. */
must_check int box_attach_uplink(struct box *box, struct netdev *netdev);
must_check int box_attach_client(struct box *box, struct netdev *netdev,
				 const struct box_address *address);

/*
 * These rules from now on, all at once. 0, or -EINVAL: they cannot be used, as one line on
 * stderr says, and those before stay.
 */
must_check int box_set_rules(struct box *box, const char *text, size_t bytes);

/* 0, or the reason why the flow table is broken, as a word. */
const char *box_error(struct box *box);

/*
 * Ends it after its netdevs have been detached. Returns how many things are wrong: flows,
 * packets or pages that nobody has any more. Each is a line on stderr.
 */
must_check int box_end(struct box *box);
