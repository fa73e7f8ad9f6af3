/* SPDX-License-Identifier: ISC */
/*
 * The firewall as a qube of QubesOS: its addresses, its clients' and their rules come from
 * QubesDB, and dom0 asks for services by qrexec.
 *
 *	if (qubes_is_offered()) qubes_start(&config);
 *	qubes_wait_loaded(deadline);                 before clients are served
 *
 * qubes.c joins the parts: qubes_uplink.c, qubes_lists.c (the rules), qubes_clients.c and
 * qubes_services.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/params.h"
#include "net/netdev.h"
#include "net/router.h"

struct qubes_config {
	struct router *router; /* initialised, without rules and addresses */
	const struct params *params;
	/* Prints all counters; for the service that shows them. */
	void (*print_stats)(void (*line)(void *context, const char *text), void *context);
	uint64_t entry_ns; /* when the guest began */
};

/* Whether dom0 offers to configure this domain. From a fiber. */
bool qubes_is_offered(void);

/* Connects to QubesDB and offers services. -ENOMEM. */
must_check int qubes_start(const struct qubes_config *config);

/* Until QubesDB has been read once, or the deadline. From a fiber. */
void qubes_wait_loaded(uint64_t deadline_ns);

/*
 * Whether all that dom0 has said so far holds, above all the rules of a client that it has
 * just made. If not, clients_refresh() is called when it does.
 */
bool qubes_all_holds(void);

/* What the client of this address is shown instead; real is 0 when it is shown its own. */
void qubes_client_visible(be32 real, struct router_visible *visible);

/*
 * Who may look at the counters, by /vm-config/ringwall-manage as it was when QubesDB was read;
 * what `manage` says already counts more.
 */
void qubes_manage(struct params_manage *manage);

/* Lines for the counters. */
void qubes_print_stats(void (*line)(void *context, const char *text), void *context);
