/* SPDX-License-Identifier: ISC */
/* The parts of ringwall-check. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/compiler.h"
#include "net/dns_message.h"
#include "net/rules_internal.h"

/* Exit statuses, as grep's. */
#define CHECK_GOOD 0	/* the rules are good, the packet passes, there was something */
#define CHECK_NOTHING 1 /* a mistake in the rules, the packet is blocked, there was nothing */
#define CHECK_TROUBLE 2 /* wrong words, or a file that cannot be read */

/* Makes the file `capture` of the text `console`; the exit status. */
int decode(const char *console, const char *capture);

struct file {
	char *text;
	size_t bytes;
};

/* The line, to the standard error, and under it a caret at the column; both from 1. */
void show_caret(const struct file *file, uint32_t line, uint32_t column);

/*
 * Compiles entries of QubesDB, a line each: "/qubes-firewall/10.137.0.10/0000 = action=drop".
 * CHECK_NOTHING: a mistake closed a source, and the set is there; CHECK_TROUBLE: there is no set.
 */
must_check int qubes_read(const char *name, const struct file *file, struct ruleset **set);

/* Writes one rule as the language has it, without a line end. */
void show_rule(FILE *to, const struct ruleset *set, const struct rules_rule *rule);

/* Writes what `set` and `table` lines said. */
void show_options(FILE *to, const struct ruleset *set);

/* "pass", "block return-icmp ( 13, 1 )" and so on. */
void show_action(FILE *to, uint8_t action, uint8_t icmp4_answer, uint8_t icmp6_answer);

/* The verdict's translations and limits, each behind a blank. */
void show_verdict(FILE *to, const struct rules_verdict *verdict);

#define PACKET_INTERFACE_BYTES RULES_INTERFACE_BYTES

/* A packet as it is written on the command line. */
struct packet_text {
	struct rules_query query; /* its names point into this */
	char interface[PACKET_INTERFACE_BYTES];
	bool has_direction; /* otherwise: in from a client and out by the uplink */
};

/*
 * Reads "tcp 10.0.0.5:4000 > 192.0.2.1:443", "udp [2001:db8::1]:5 > [2001:db8::2]:53",
 * "icmp 10.0.0.5 > 192.0.2.1 type 8", and behind that any of: in, out, on INTERFACE, type N,
 * code N, flags LETTERS, from-self, to-self. NULL, or what is wrong with it.
 */
must_check const char *packet_text_parse(const char *text, struct packet_text *packet);

struct name_address {
	char name[DNS_NAME_BYTES]; /* as rules have it, in small letters */
	struct ip_address address;
};

#define NAME_ADDRESSES_MAX 256u

/* What the command line says that names resolve to; a name that it does not say is not known. */
struct name_list {
	const struct ruleset *set; /* whose names are asked for */
	uint32_t count;
	struct name_address items[NAME_ADDRESSES_MAX];
};

/* Adds NAME=ADDRESS. NULL, or what is wrong with it. */
must_check const char *name_list_add(struct name_list *list, const char *text);

/* Answers for `set` from the list; both live as long as the set is asked. */
void name_list_resolve(struct name_list *list, struct ruleset *set);
