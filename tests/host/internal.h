/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the hosted machine know of each other. Tests include host.h,
 * not this.
 *
 * Locks, outermost first; none is held while code of a domain runs:
 *
 *	machine->store.lock	the store's tree, its watches and transactions
 *	machine->lock		domains, event channels, calls, pausing
 *	machine->memory_lock	pages and grant tables
 *
 * The parts of a domain marked (own) are touched by its own code only.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>

#include "arch/x86/context.h"
#include "lib/list.h"
#include "tests/host/host.h"
#include "tests/host/store_tree.h"
#include "xen/evtchn.h"
#include "xen/loop.h"

#define HOST_PORTS 1024u
#define HOST_PORT_WORDS (HOST_PORTS / 64u)
#define HOST_FIRST_GREF 8u /* <xen/grant_table.h>: 0 .. 7 are reserved */
#define HOST_MAP_SLOTS 4096u

enum host_port_state { HOST_PORT_FREE, HOST_PORT_UNBOUND, HOST_PORT_INTERDOMAIN, HOST_PORT_VIRQ };

struct host_port {
	enum host_port_state state;
	uint16_t remote_domid;
	uint32_t remote_port;
	uint32_t virq;
	evtchn_handler *handler; /* (own) */
	void *context;		 /* (own) */
};

struct host_grant {
	bool used;
	bool readonly;
	bool zombie; /* its domain is gone, a mapping is not */
	uint16_t domid;
	uint32_t page; /* index of the machine's page */
	uint32_t readers;
	uint32_t writers;
	uint32_t next_free;
};

struct host_map {
	struct host_domain *owner; /* NULL: free */
	uint32_t gref;
	bool readonly;
	void *address;
};

struct host_call {
	struct list link;
	void (*function)(void *argument);
	void *argument;
	int result;
	bool done;
};

struct fiber;

struct host_domain {
	struct host_machine *machine;
	struct list link; /* machine->domains */
	char name[24];
	uint16_t domid;
	bool alive;
	bool paused;
	bool threaded; /* a thread runs it */
	bool kill;     /* its thread is to end */
	pthread_t thread;
	pthread_cond_t wake;
	struct list calls; /* of struct host_call */

	/* memory.c, gnttab.c: under memory_lock */
	bool memory_alive; /* others find its grants */
	uint32_t first_page;
	uint32_t page_count;
	uint8_t *arena;
	uint64_t frame_base;
	uint8_t *page_used; /* (own) one byte a page */

	/* evtchn.c */
	struct host_port ports[HOST_PORTS];
	uint64_t pending[HOST_PORT_WORDS];
	uint64_t masked[HOST_PORT_WORDS];
	uint32_t open_ports;

	/* gnttab.c */
	struct host_grant *grants;
	uint32_t grant_entries;
	uint32_t grant_free_first;
	uint32_t grant_free_last;
	uint32_t granted;
	uint32_t held;
	struct host_map *maps;
	uint8_t *map_window;
	uint32_t map_next;
	uint32_t mapped;

	/* fiber.c (own) */
	struct list fibers_ready;
	struct list fibers_sleeping;
	struct list fibers_all;
	uint32_t fiber_count;
	struct fiber *fiber_current;
	struct context loop_context;
	void *loop_fake_stack;
	const void *loop_stack;
	size_t loop_stack_size;
	void *loop_tsan;

	/* loop.c (own) */
	struct list sources;
	struct list timers;
	struct loop_source *polling;
	bool polling_gone;
	bool stop;
	uint64_t now_ns;
	struct loop_stats loop_stats;

	/* store.c */
	struct list watches; /* (own) of struct store_watch */
	uint32_t next_token; /* (own) */
	uint32_t watch_count;
	atomic_bool store_event; /* a watch fired */

	/* heap.c: under heap_lock */
	uint32_t allocations;

	struct host_faults faults;
	struct host_costs costs;
};

struct host_machine {
	struct host_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something that a test may wait for */
	struct list domains;	/* dead ones too; changes under both locks */
	uint16_t next_domid;
	_Atomic uint64_t random_state;
	_Atomic uint64_t clock_ns; /* stepped: the time; threads: when we began */

	pthread_mutex_t memory_lock;
	int memory_fd;
	uint8_t *direct_map; /* the hypervisor's own view of all pages */
	uint32_t pages;
	uint8_t *page_taken;

	struct store_tree store;
};

/* Says what is wrong with the test or the driver and aborts. */
_Noreturn void host_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The domain that runs now; aborts when there is none. */
struct host_domain *host_self(void);

/* Makes `domain` the running one; NULL: none. Returns the one before. */
struct host_domain *host_enter(struct host_domain *domain);

/* Memory that is not counted as a domain's. Zeroed; never NULL. */
void *host_alloc(size_t bytes);
void host_alloc_free(void *block);

uint64_t host_monotonic_ns(void);

/* True one time in `one_in` (0: never). */
bool host_fault(struct host_domain *domain, uint32_t one_in);

/* machine->lock held. NULL when there is no such living domain. */
struct host_domain *host_find_domain(struct host_machine *machine, uint16_t domid);

/* machine->lock held. Is there a reason to leave the idle state? */
bool host_domain_is_woken(const struct host_domain *domain);

/* machine->lock held. Wakes the domain's thread, and tests that wait for anything. */
void host_domain_wake(struct host_domain *domain);

/* memory.c */
void host_memory_init(struct host_machine *machine);
void host_memory_done(struct host_machine *machine);
void host_memory_add_domain(struct host_domain *domain, uint32_t pages);
void host_memory_remove_domain(struct host_domain *domain);
/* The machine's page with the domain's frame number, or -1. */
int64_t host_page_of_frame(const struct host_domain *domain, uint64_t frame);
/* Where the hypervisor reads and writes a page. */
uint8_t *host_page_address(struct host_machine *machine, uint32_t page);

/* evtchn.c */
void host_evtchn_add_domain(struct host_domain *domain);
void host_evtchn_remove_domain(struct host_domain *domain); /* machine->lock held */

/* gnttab.c */
void host_gnttab_add_domain(struct host_domain *domain);
void host_gnttab_remove_domain(struct host_domain *domain);
void host_gnttab_free_domain(struct host_domain *domain);

/* fiber.c, loop.c, store.c: called as the domain */
void host_fiber_add_domain(struct host_domain *domain);
void host_fiber_remove_domain(struct host_domain *domain);
void host_loop_add_domain(struct host_domain *domain);
uint64_t host_loop_next_ns(struct host_domain *domain);
void host_store_add_domain(struct host_domain *domain);
void host_store_remove_domain(struct host_domain *domain);
/* Hands fired watches to their owners; true if there were any. */
bool host_store_dispatch(void);

/* heap.c */
void host_heap_free_domain(struct host_domain *domain);
uint32_t host_heap_count(struct host_domain *domain);

/* machine.c: runs what host_call() left; true if there was any. */
bool host_calls_run(struct host_domain *domain);
