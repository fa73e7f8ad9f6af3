/* SPDX-License-Identifier: ISC */
/* What the parts of net/names share: the table (names.c), the resolver client. */
#pragma once

#include "net/names.h"

#define SECOND_NS 1000000000ull

/* What one answer says about a name. */
struct names_answer {
	struct dns_name name; /* the end of the chain of CNAMEs */
	uint32_t chain;	      /* CNAMEs followed */
	uint32_t ttl;	      /* the least of the chain and its addresses, seconds */
	uint32_t count;
	struct names_address addresses[NAMES_ADDRESSES];
	bool has_negative;
	uint32_t negative_ttl;
};

/*
 * Follows the chain of CNAMEs from the question through the answer's records, wherever they
 * stand, and gathers the addresses of `type` at its end. 0; -EINVAL: malformed; -ELOOP: the
 * chain is longer than NAMES_CHAIN.
 */
must_check int names_answer_read(struct dns_message *message, const struct dns_question *question,
				 struct names_answer *answer);

/* The name's number, or NAMES_NONE. `lower` is in small letters. */
uint16_t names_find(const struct names *names, const struct dns_name *lower);

/* Counts it and tells the owner. */
void names_changed(struct names *names, uint16_t name);

/* Adds addresses, or lengthens their time. */
void names_put(struct names *names, uint16_t name, const struct names_answer *answer,
	       uint64_t now_ns);

/* Takes away the family's addresses that expired before `limit_ns`. */
void names_sweep(struct names *names, uint16_t name, uint8_t family, uint64_t limit_ns);

bool names_is_server(const struct names *names, const struct names_address *address);

void names_resolver_init(struct names *names);
void names_lookup_start(struct names *names, uint16_t name, uint64_t now_ns);
void names_lookup_stop(struct names *names, uint16_t name);
