/* SPDX-License-Identifier: ISC */
/* (internal to the qubes*.c files) What they tell one another. */
#pragma once

#include "configs/firewall/qubes.h"
#include "lib/ip_address.h"
#include "xen/qrexec.h"
#include "xen/qubesdb.h"

#define QUBES_DNS_MAX 4u

/* What all of them need; made by qubes_start(). */
struct qubes {
	struct qubes_config config;
	struct qubesdb *db;
	struct qrexec *qrexec;
	uint64_t connected_ns; /* QubesDB read and the daemon connected; 0: not yet */
};

extern struct qubes qubes;

/* The value of an entry as an address; false: there is none, or it is not one. */
bool qubes_read_address(const char *path, uint8_t version, struct ip_address *address);

/* ---- qubes_uplink.c: our addresses and resolvers ---- */

/* Applies what QubesDB says now. */
void qubes_uplink_apply(void);

/* Whether an entry is one of those that it reads. */
bool qubes_uplink_reads(const char *path);

/* Our resolvers, which clients reach by the addresses that they know (`shown`). */
struct qubes_dns {
	struct ip_address own[QUBES_DNS_MAX], shown[QUBES_DNS_MAX];
	uint32_t own_count, shown_count;
};

const struct qubes_dns *qubes_uplink_dns(void);

/* ---- qubes_lists.c: the rules ---- */

must_check int qubes_lists_start(void);

/* An entry below /qubes-firewall was written (value) or removed (NULL). */
void qubes_lists_changed(const char *path, const char *value);

/* All of QubesDB has been read: applies every list that is there. */
void qubes_lists_loaded(void);

/* Something else that the rules depend on has changed. */
void qubes_lists_compile_again(void);

void qubes_lists_print_stats(void (*line)(void *context, const char *text), void *context);

/* ---- qubes_clients.c: which addresses are ours to protect, and which are shown ---- */

bool qubes_clients_read(const char *path);
void qubes_clients_apply(void);

/* ---- qubes_services.c: what dom0 may call ---- */

extern const struct qrexec_service qubes_services[];
extern const uint32_t qubes_services_count;
