/* SPDX-License-Identifier: ISC */
/* The hosted machine and its domains: making, running and ending them. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/host/internal.h"
#include "tests/host/toolstack.h"
#include "xen/evtchn.h"
#include "xen/fiber.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

#define DEFAULT_PAGES 32768u
#define DEFAULT_GRANTS 4096u

static _Thread_local struct host_domain *current;

void host_fatal(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "hosted machine: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

struct host_domain *host_current(void)
{
	return current;
}

struct host_domain *host_self(void)
{
	if (!current)
		host_fatal("a call of the xen/ headers outside any domain");
	return current;
}

struct host_domain *host_enter(struct host_domain *domain)
{
	struct host_domain *before = current;

	current = domain;
	return before;
}

/* ---- numbers ---- */

/* splitmix64: a counter through a mixer, so threads can share it. */
uint64_t host_random(struct host_machine *machine)
{
	uint64_t z = atomic_fetch_add(&machine->random_state, 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

bool host_fault(struct host_domain *domain, uint32_t one_in)
{
	return one_in && host_random(domain->machine) % one_in == 0;
}

uint64_t host_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t host_now_ns(const struct host_machine *machine)
{
	uint64_t clock = atomic_load(&machine->clock_ns);

	return machine->options.mode == HOST_STEPPED ? clock : host_monotonic_ns() - clock;
}

struct host_options host_options_default(enum host_mode mode)
{
	struct host_options options = { .mode = mode, .seed = 1 };
	const char *seed = getenv("SEED");
	const char *word = getenv("HOST_MODE");

	if (seed)
		options.seed = strtoull(seed, NULL, 0);
	if (word)
		options.mode = strcmp(word, "threads") == 0 ? HOST_THREADS : HOST_STEPPED;
	return options;
}

/* ---- the machine ---- */

struct host_domain *host_find_domain(struct host_machine *machine, uint16_t domid)
{
	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		if (domain->alive && domain->domid == domid)
			return domain;
	}
	return NULL;
}

/* Called with the store's lock held; it is inside machine->lock. */
static void watch_fired(void *context, uint16_t domid)
{
	struct host_machine *machine = context;

	pthread_mutex_lock(&machine->lock);
	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		if (!domain->alive || domain->domid != domid)
			continue;
		atomic_store(&domain->store_event, true);
		host_domain_wake(domain);
	}
	pthread_mutex_unlock(&machine->lock);
}

struct host_machine *host_machine_create(const struct host_options *options)
{
	struct host_machine *machine = host_alloc(sizeof(*machine));
	pthread_condattr_t attributes;

	machine->options = *options;
	if (!machine->options.pages)
		machine->options.pages = DEFAULT_PAGES;
	if (!machine->options.grant_entries)
		machine->options.grant_entries = DEFAULT_GRANTS;
	pthread_mutex_init(&machine->lock, NULL);
	pthread_mutex_init(&machine->memory_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&machine->changed, &attributes);
	list_init(&machine->domains);
	machine->next_domid = 1;
	atomic_store(&machine->random_state, options->seed * 0x2545f4914f6cdd1du);
	atomic_store(&machine->clock_ns, options->mode == HOST_STEPPED ? 1 : host_monotonic_ns());
	host_memory_init(machine);
	store_tree_init(&machine->store, watch_fired, machine);
	host_toolstack_build_machine(machine);
	return machine;
}

static void domain_free(struct host_domain *domain)
{
	list_remove(&domain->link);
	host_memory_remove_domain(domain);
	host_gnttab_free_domain(domain);
	pthread_cond_destroy(&domain->wake);
	host_alloc_free(domain);
}

void host_machine_destroy(struct host_machine *machine)
{
	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		if (domain->alive)
			host_domain_kill(domain);
	}
	list_for_each_safe(link, spare, &machine->domains)
		domain_free(list_entry(link, struct host_domain, link));
	store_tree_done(&machine->store);
	host_memory_done(machine);
	pthread_cond_destroy(&machine->changed);
	pthread_mutex_destroy(&machine->memory_lock);
	pthread_mutex_destroy(&machine->lock);
	host_alloc_free(machine);
}

enum host_mode host_machine_mode(const struct host_machine *machine)
{
	return machine->options.mode;
}

/* ---- domains ---- */

static void domain_boot(void)
{
	evtchn_init();
	loop_init();
	if (gnttab_init() || store_init())
		host_fatal("a domain cannot start");
}

static void *domain_main(void *argument)
{
	host_enter(argument);
	domain_boot();
	loop_run();
	return NULL;
}

static void domain_start(struct host_domain *domain)
{
	if (domain->machine->options.mode == HOST_STEPPED) {
		struct host_domain *before = host_enter(domain);

		domain_boot();
		host_enter(before);
		return;
	}
	domain->threaded = true;
	if (pthread_create(&domain->thread, NULL, domain_main, domain))
		host_fatal("no thread for a domain");
}

struct host_domain *host_domain_create(struct host_machine *machine, const char *name,
				       uint32_t pages)
{
	struct host_domain *domain = host_alloc(sizeof(*domain));
	pthread_condattr_t attributes;

	domain->machine = machine;
	snprintf(domain->name, sizeof(domain->name), "%s", name);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&domain->wake, &attributes);
	list_init(&domain->calls);
	host_fiber_add_domain(domain);
	host_loop_add_domain(domain);
	host_store_add_domain(domain);
	host_evtchn_add_domain(domain);
	host_gnttab_add_domain(domain);
	pthread_mutex_lock(&machine->lock);
	domain->domid = machine->next_domid++;
	host_memory_add_domain(domain, pages);
	pthread_mutex_lock(&machine->memory_lock);
	domain->alive = true;
	domain->memory_alive = true;
	list_push_back(&machine->domains, &domain->link);
	pthread_mutex_unlock(&machine->memory_lock);
	pthread_mutex_unlock(&machine->lock);
	host_toolstack_build_domain(domain, name);
	domain_start(domain);
	return domain;
}

uint16_t host_domid(const struct host_domain *domain)
{
	return domain->domid;
}

struct host_machine *host_machine_of(const struct host_domain *domain)
{
	return domain->machine;
}

bool host_domain_is_alive(const struct host_domain *domain)
{
	bool alive;

	pthread_mutex_lock(&domain->machine->lock);
	alive = domain->alive;
	pthread_mutex_unlock(&domain->machine->lock);
	return alive;
}

void host_domain_wake(struct host_domain *domain)
{
	pthread_cond_signal(&domain->wake);
	pthread_cond_broadcast(&domain->machine->changed);
}

void host_domain_pause(struct host_domain *domain, bool paused)
{
	pthread_mutex_lock(&domain->machine->lock);
	domain->paused = paused;
	host_domain_wake(domain);
	pthread_mutex_unlock(&domain->machine->lock);
}

void host_domain_kill(struct host_domain *domain)
{
	struct host_machine *machine = domain->machine;

	if (current)
		host_fatal("a domain cannot kill from inside");
	pthread_mutex_lock(&machine->lock);
	domain->kill = true;
	host_domain_wake(domain);
	pthread_mutex_unlock(&machine->lock);
	if (domain->threaded)
		pthread_join(domain->thread, NULL);
	pthread_mutex_lock(&machine->lock);
	domain->alive = false;
	host_evtchn_remove_domain(domain);
	while (!list_is_empty(&domain->calls)) {
		struct list *link = list_pop_front(&domain->calls);
		struct host_call *call = list_entry(link, struct host_call, link);

		call->result = -ESHUTDOWN;
		call->done = true;
	}
	pthread_cond_broadcast(&machine->changed);
	pthread_mutex_unlock(&machine->lock);
	host_store_remove_domain(domain);
	host_gnttab_remove_domain(domain);
	host_fiber_remove_domain(domain);
	host_heap_free_domain(domain);
	list_init(&domain->sources);
	list_init(&domain->timers);
}
