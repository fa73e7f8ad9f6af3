/* SPDX-License-Identifier: ISC */
/* What a hosted domain holds and what it has cost, and the faults to inject into it. */
#include <stdio.h>

#include "tests/host/internal.h"

struct figures {
	struct host_domain *domain;
	struct host_counters counters;
	struct host_costs costs;
	const struct host_faults *faults;
};

static void figures_read(void *argument)
{
	struct figures *figures = argument;
	struct host_domain *domain = figures->domain;
	struct store_tree_usage usage = store_tree_usage(&domain->machine->store, domain->domid);
	struct host_counters *counters = &figures->counters;

	counters->nodes = usage.nodes;
	counters->watches = usage.watches;
	counters->transactions = usage.transactions;
	counters->fibers = domain->fiber_count;
	counters->allocations = host_heap_count(domain);
	counters->ports = domain->open_ports;
	pthread_mutex_lock(&domain->machine->memory_lock);
	counters->granted = domain->granted;
	counters->mapped = domain->mapped;
	counters->held = domain->held;
	pthread_mutex_unlock(&domain->machine->memory_lock);
	figures->costs = domain->costs;
}

static void figures_fetch(struct figures *figures)
{
	if (host_domain_is_alive(figures->domain))
		host_call(figures->domain, figures_read, figures);
	else
		figures_read(figures);
}

struct host_counters host_domain_counters(struct host_domain *domain)
{
	struct figures figures = { .domain = domain };

	figures_fetch(&figures);
	return figures.counters;
}

struct host_costs host_domain_costs(struct host_domain *domain)
{
	struct figures figures = { .domain = domain };

	figures_fetch(&figures);
	return figures.costs;
}

const char *host_counters_text(const struct host_counters *counters)
{
	static _Thread_local char text[256];

	snprintf(text, sizeof(text),
		 "granted %u mapped %u held %u ports %u watches %u transactions %u nodes %u "
		 "fibers %u allocations %u",
		 counters->granted, counters->mapped, counters->held, counters->ports,
		 counters->watches, counters->transactions, counters->nodes, counters->fibers,
		 counters->allocations);
	return text;
}

static void faults_set(void *argument)
{
	struct figures *figures = argument;

	figures->domain->faults = *figures->faults;
}

void host_domain_set_faults(struct host_domain *domain, const struct host_faults *faults)
{
	struct figures figures = { .domain = domain, .faults = faults };

	host_call(domain, faults_set, &figures);
}

static uint32_t length_of(const struct list *head)
{
	uint32_t length = 0;

	for (const struct list *link = head->next; link != head && length < 1000; link = link->next)
		length++;
	return length;
}

void host_machine_dump(struct host_machine *machine)
{
	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		fprintf(stderr,
			"%s (%u): alive %d paused %d kill %d stop %d calls %u store event %d; "
			"fibers %u, "
			"%u ready, %u sleeping; sources %u; rounds %lu idles %lu; ports %u\n",
			domain->name, domain->domid, domain->alive, domain->paused, domain->kill,
			domain->stop, length_of(&domain->calls), atomic_load(&domain->store_event),
			domain->fiber_count, length_of(&domain->fibers_ready),
			length_of(&domain->fibers_sleeping), length_of(&domain->sources),
			domain->loop_stats.rounds, domain->loop_stats.idles, domain->open_ports);
		for (uint32_t port = 1; port < HOST_PORTS; port++) {
			const struct host_port *p = &domain->ports[port];

			if (p->state != HOST_PORT_FREE)
				fprintf(stderr,
					"  port %u state %d peer %u.%u pending %d masked %d\n",
					port, (int)p->state, p->remote_domid, p->remote_port,
					(int)(domain->pending[port / 64] >> (port % 64) & 1),
					(int)(domain->masked[port / 64] >> (port % 64) & 1));
		}
	}
}
