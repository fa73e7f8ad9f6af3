/* SPDX-License-Identifier: ISC */
/*
 * The hosted machine: Xen, xenstored and a toolstack played by one Linux process,
 * so that drivers run unmodified against each other under the sanitizers.
 *
 *	struct host_machine	the hypervisor: memory, event channels, grants, store
 *	struct host_domain	one guest; the code that it runs finds it in a
 *				thread-local pointer, so the calls of xen/ headers need
 *				no context
 *
 * Two ways to run:
 *
 *	HOST_STEPPED	everything in the caller's thread under a virtual clock. The
 *			order in which domains get their turn comes from the seed, so
 *			a run repeats exactly. Waits of ten seconds cost nothing.
 *	HOST_THREADS	one thread a domain and CLOCK_MONOTONIC.
 *
 * Code of a test runs outside all domains. What it wants done in a domain it
 * hands to host_call() or host_call_fiber(); the same test then works both ways.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/compiler.h"

struct host_machine;
struct host_domain;

enum host_mode { HOST_STEPPED, HOST_THREADS };

struct host_options {
	enum host_mode mode;
	uint64_t seed;
	uint32_t pages;		/* memory of the whole machine; 0: 32,768 */
	uint32_t grant_entries; /* limit of one domain's table; 0: 4,096 */
};

/* HOST_MODE=threads|stepped and SEED=n of the environment, over these defaults. */
struct host_options host_options_default(enum host_mode mode);

struct host_machine *host_machine_create(const struct host_options *options);

/* Kills every domain and frees all. */
void host_machine_destroy(struct host_machine *machine);

enum host_mode host_machine_mode(const struct host_machine *machine);

/* A number that repeats with the seed; also usable from the test's own thread. */
uint64_t host_random(struct host_machine *machine);

/* Nanoseconds since the machine was made. */
uint64_t host_now_ns(const struct host_machine *machine);

/*
 * A guest with `pages` pages of memory, its nodes in the store as the domain
 * builder makes them, and its loop running. Never NULL (a test bug aborts).
 */
struct host_domain *host_domain_create(struct host_machine *machine, const char *name,
				       uint32_t pages);

uint16_t host_domid(const struct host_domain *domain);
struct host_machine *host_machine_of(const struct host_domain *domain);
bool host_domain_is_alive(const struct host_domain *domain);

/* The domain whose code is running now; NULL in the test's own code. */
struct host_domain *host_current(void);

/*
 * A paused domain does not run, also not for host_call(); its memory, grants and
 * ports stay.
 */
void host_domain_pause(struct host_domain *domain, bool paused);

/*
 * Ends the domain at once, wherever its code is, as a crash does: ports close,
 * grants end, and what it allocated is freed. Pages that others still map stay
 * until they let go. The struct lives on, for its counters, until the machine
 * goes. The store is left to the toolstack.
 */
void host_domain_kill(struct host_domain *domain);

/* Runs `function` between two rounds of the domain's loop and waits for it. */
void host_call(struct host_domain *domain, void (*function)(void *argument), void *argument);

/*
 * Runs `function` in a fiber of the domain and waits for its end: 0, or -ESHUTDOWN
 * when the domain died meanwhile. A fiber that has not ended after 60 s aborts.
 */
must_check int host_call_fiber(struct host_domain *domain, void (*function)(void *argument),
			       void *argument);

/* The same for a domain that must live through it; aborts otherwise. */
void host_call_fiber_must(struct host_domain *domain, void (*function)(void *argument),
			  void *argument);

/*
 * Runs the machine until `condition` holds, asked between rounds in the test's
 * own thread (use host_call() inside it to look into a domain). False: it did
 * not within `timeout_ns`.
 */
must_check bool host_run_until(struct host_machine *machine, bool (*condition)(void *argument),
			       void *argument, uint64_t timeout_ns);

/* Lets the machine run for a while. */
void host_run_for(struct host_machine *machine, uint64_t ns);

/*
 * The same with a condition that is asked inside the domain, in its own loop.
 * False also when the domain died.
 */
must_check bool host_run_until_in(struct host_domain *domain, bool (*condition)(void *argument),
				  void *argument, uint64_t timeout_ns);

/* What a domain holds now. All but `nodes` must be 0 again after a clean end. */
struct host_counters {
	uint32_t granted; /* grant references in use */
	uint32_t mapped;  /* foreign pages mapped */
	uint32_t held;	  /* own pages that others have mapped */
	uint32_t ports;	  /* event channels open */
	uint32_t watches;
	uint32_t transactions;
	uint32_t nodes; /* store nodes owned */
	uint32_t fibers;
	uint32_t allocations; /* blocks of malloc not freed */
};

struct host_counters host_domain_counters(struct host_domain *domain);

/* "granted 3 mapped 2 ..." in a buffer of the calling thread. */
const char *host_counters_text(const struct host_counters *counters);

/*
 * Prints what every domain holds and waits for, to stderr, without asking the domains:
 * for a test that hangs. Racy by nature.
 */
void host_machine_dump(struct host_machine *machine);

/*
 * Faults to inject into one domain. Each field makes one in that many calls
 * fail (0: none), drawn from the machine's seed.
 */
struct host_faults {
	uint32_t malloc_one_in;
	uint32_t grant_one_in;	/* gnttab_grant_access: -ENOSPC */
	uint32_t map_one_in;	/* gnttab_map: -ENOMEM */
	uint32_t copy_one_in;	/* one op: GNTST_general_error */
	uint32_t evtchn_one_in; /* alloc and bind: -ENOSPC */
	uint32_t store_one_in;	/* any request: -EIO */
	uint32_t commit_one_in; /* a commit: -EAGAIN */
	bool store_stalled;	/* requests are not answered: -ETIMEDOUT in the end */
};

void host_domain_set_faults(struct host_domain *domain, const struct host_faults *faults);

/* Counts of hypercalls and notifications, for figures per packet. */
struct host_costs {
	uint64_t copy_calls;
	uint64_t copy_ops;
	uint64_t copy_bytes;
	uint64_t notifies;
	uint64_t upcalls;
	uint64_t grants;
	uint64_t maps;
	uint64_t store_requests;
};

struct host_costs host_domain_costs(struct host_domain *domain);
