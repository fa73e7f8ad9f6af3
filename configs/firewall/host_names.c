/* SPDX-License-Identifier: ISC */
#include "configs/firewall/host_names.h"

#include <inttypes.h>
#include <stdio.h>

#include "arch/x86/memory.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "net/names_udp.h"
#include "net/own_udp.h"
#include "net/rules_names.h"

static struct {
	struct router *router;
	struct names names;
	struct rules_names bound;
	struct own_udp udp;
	struct router_service service;
	struct names_udp tap;
	bool flows_kept;
} host_names;

static void send(void *context, const struct own_udp_datagram *datagram)
{
	router_send_udp(context, &datagram->peer, datagram->own_port, datagram->peer_port,
			datagram->data, datagram->bytes);
}

static void changed(void *context, struct ruleset *set)
{
	struct router *router = context;

	if (router->rules == set && !host_names.flows_kept)
		router_rejudge_soon(router);
}

static void ask(void *context, const struct names_datagram *datagram)
{
	(void)context;
	names_udp_send(&host_names.tap, datagram);
}

static void name_changed(void *context, uint16_t name)
{
	(void)context;
	rules_names_changed(&host_names.bound, name);
}

static uint16_t capacity_for(const struct ruleset *rules, uint32_t room)
{
	uint32_t count = rules ? ruleset_names_count(rules) : 0;

	count = count < room ? room : count;
	return (uint16_t)(count > NAMES_MAX ? NAMES_MAX : count);
}

void host_names_make(struct router *router, struct random *random, struct ruleset *rules,
		     uint32_t room)
{
	struct names_config config = {
		.capacity = capacity_for(rules, room),
		.wheel = &router->wheel,
		.random = random,
		.output = { ask, name_changed, NULL },
	};
	size_t pages = names_memory_bytes(config.capacity) / PAGE_BYTES + 1;

	host_names.router = router;
	config.memory = memory_alloc_pages(pages);
	if (!config.memory)
		panic("not enough memory for %u host names", config.capacity);
	own_udp_init(&host_names.udp, send, router);
	host_names.service = own_udp_service(&host_names.udp);
	if (names_init(&host_names.names, &config) ||
	    names_udp_init(&host_names.tap, &host_names.names, &host_names.udp, &router->now_ns))
		panic("host names cannot be kept");
	rules_names_init(&host_names.bound, &host_names.names, &router->now_ns, changed, router);
	if (rules && rules_names_bind(&host_names.bound, rules))
		log_line(LOG_ERROR, "rules", "too many host names: none of them is known");
	router_add_service(router, &host_names.service);
	router->names = &host_names.tap;
}

int host_names_bind(struct ruleset *rules)
{
	return rules ? rules_names_bind(&host_names.bound, rules) : 0;
}

void host_names_unbind(struct ruleset *rules)
{
	if (rules)
		rules_names_unbind(&host_names.bound, rules);
}

void host_names_keep_flows(void)
{
	host_names.flows_kept = true;
}

void host_names_set_servers(const struct ip_address *servers, uint32_t count)
{
	names_udp_set_servers(&host_names.tap, servers, count);
}

void host_names_print_stats(void (*line)(void *context, const char *text), void *context)
{
	const struct names_counters *counters = &host_names.names.counters;
	char text[160];

	if (!host_names.names.used)
		return;
	snprintf(text, sizeof(text),
		 "host names: %u, %" PRIu64 " asked, %" PRIu64 " answered, %" PRIu64
		 " refused, %" PRIu64 " timed out, %" PRIu64 " learnt from clients",
		 host_names.names.used, counters->sent, counters->answered, counters->refused,
		 counters->timeouts, counters->learnt);
	line(context, text);
}
