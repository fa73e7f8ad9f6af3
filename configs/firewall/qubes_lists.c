/* SPDX-License-Identifier: ISC */
/*
 * Each client's list of rules in QubesDB, made into the router's rules. dom0 removes a list,
 * writes its new rules one after the other, and then the list's own entry: only that makes
 * the list hold ("commit"), so a list is copied then, and at the start.
 *
 * A fiber makes one rule set of all lists; commits that come while it is at work are taken
 * together next time. What it costs grows with all the rules, so it takes a bounded share of
 * the time, however often dom0 commits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/firewall/clients.h"
#include "configs/firewall/host_names.h"
#include "configs/firewall/qubes_parts.h"
#include "lib/ip_text.h"
#include "lib/log.h"
#include "net/qubes_rules.h"
#include "xen/fiber.h"

#define TREE "/qubes-firewall/"
#define HANDLED "/qubes-firewall-handled/"
#define PAUSE_SHARE 4u /* of the time that making rules took, before the next time */
#define PAUSE_LEAST_NS 1000000u
#define LISTS_KEPT 256u /* more than that, and those of clients that are gone go */
#define RETRY_NS 1000000000ull
#define NS_PER_SECOND 1000000000ull
#define DRAIN_NS 2000000u /* to look again whether QubesDB's messages have been read */

/* Lists that were committed and do not hold yet. */
struct pending {
	struct pending *next;
	char address[IP_TEXT_BYTES];
};

static struct {
	struct qubes_rules *rules;
	struct ruleset *set; /* in use */
	struct pending *pending;
	struct fiber_event event;
	bool loaded;	   /* QubesDB has been read */
	bool wanted;	   /* to compile */
	bool waiters;	   /* clients that may not pass before all of dom0's word holds */
	bool serving;	   /* them: what was said before they came holds */
	uint64_t expiry_s; /* of the rule that ends first; 0: none does */
	uint64_t commits, compiled, failed;
} lists;

static struct log_limit failed_log = LOG_LIMIT_INIT;

/* ---- from QubesDB ---- */

static bool address_read(const char *text, struct ip_address *address)
{
	return ip_text_parse(text, strlen(text), address) == 0;
}

static void wake(void)
{
	if (!lists.loaded)
		return;
	lists.wanted = true;
	fiber_event_signal(&lists.event);
}

/* Once for each address; without memory the counter in QubesDB is one behind. */
static void pending_add(const char *address)
{
	struct pending *pending;

	for (pending = lists.pending; pending; pending = pending->next)
		if (strcmp(pending->address, address) == 0)
			return;
	pending = calloc(1, sizeof(*pending));
	if (!pending)
		return;
	strncpy(pending->address, address, sizeof(pending->address) - 1);
	pending->next = lists.pending;
	lists.pending = pending;
}

/* All entries of the list as dom0 has them now. A mistake among them closes the source. */
static void list_copy(const char *text, const struct ip_address *address)
{
	const struct qubesdb_entry *entry;
	char prefix[QUBESDB_PATH_BYTES];
	const char *after = "";
	int error = qubes_rules_begin(lists.rules, address);

	if (error) {
		log_line(LOG_ERROR, "qubes", "rules of %s: error %d; it is closed", text, error);
		return;
	}
	snprintf(prefix, sizeof(prefix), TREE "%s/", text);
	while ((entry = qubesdb_next(qubes.db, prefix, after))) {
		after = entry->path;
		/* Of a list before this one, which its daemon has taken along. */
		if (!qubesdb_is_said(qubes.db, entry))
			continue;
		/* A mistake is the source's, and is said when the rules are used. */
		(void)qubes_rules_entry(lists.rules, entry->path, strlen(entry->path), entry->value,
					entry->length);
	}
	(void)qubes_rules_end(lists.rules);
}

/* Whether the address is a client's, or of one that dom0 would start behind us. */
static bool is_somebodys(const struct ip_address *address)
{
	struct router_visible visible = { 0 };

	if (address->version == 4)
		qubes_client_visible(ip_address_get4(address), &visible);
	return visible.real.raw || router_is_behind(qubes.config.router, address);
}

/*
 * dom0 never removes the list of a disposable qube that is gone, and makes another one for
 * each that comes: they would fill QubesDB's copy in time, and then all would be closed.
 */
static void gone_forget(const struct ip_address *newest)
{
	for (uint32_t i = qubes_rules_count(lists.rules); i-- > 0;) {
		struct ip_address address = qubes_rules_source(lists.rules, i).address;
		char text[IP_TEXT_BYTES], path[sizeof(HANDLED) + IP_TEXT_BYTES];

		if (ip_address_equal(&address, newest) || is_somebodys(&address))
			continue;
		qubes_rules_remove(lists.rules, &address);
		ip_text_format(&address, text);
		snprintf(path, sizeof(path), TREE "%s/", text);
		qubesdb_forget(qubes.db, path);
		path[strlen(path) - 1] = '\0';
		qubesdb_forget(qubes.db, path);
		snprintf(path, sizeof(path), HANDLED "%s", text);
		qubesdb_forget(qubes.db, path);
	}
}

static void commit(const char *text)
{
	struct ip_address address;

	if (!address_read(text, &address)) {
		log_line(LOG_WARNING, "qubes", "rules of \"%.40s\", which is no address", text);
		return;
	}
	lists.commits++;
	if (qubes_rules_count(lists.rules) >= LISTS_KEPT)
		gone_forget(&address);
	list_copy(text, &address);
	pending_add(text);
	wake();
}

static void forget(const char *text)
{
	struct ip_address address;

	if (!address_read(text, &address))
		return;
	qubes_rules_remove(lists.rules, &address);
	wake();
}

void qubes_lists_changed(const char *path, const char *value)
{
	const char *text = path + strlen(TREE);

	if (strchr(text, '/'))
		return; /* of a list that is being written */
	if (value)
		commit(text);
	else
		forget(text);
}

void qubes_lists_loaded(void)
{
	const struct qubesdb_entry *entry;
	const char *after = "";

	lists.loaded = true;
	while ((entry = qubesdb_next(qubes.db, TREE, after))) {
		after = entry->path;
		/* One that is not named this time holds on as it was committed last. */
		if (qubesdb_is_said(qubes.db, entry) && !strchr(entry->path + strlen(TREE), '/'))
			commit(entry->path + strlen(TREE));
	}
	wake(); /* also without any list: the base holds then */
}

void qubes_lists_compile_again(void)
{
	wake();
}

static bool all_holds(void)
{
	return lists.loaded && !lists.wanted && qubesdb_is_drained(qubes.db);
}

bool qubes_all_holds(void)
{
	if (lists.serving || all_holds())
		return true;
	lists.waiters = true;
	fiber_event_signal(&lists.event);
	return false;
}

/* ---- to the router ---- */

/* An entry that dom0 reads: how often the list has been applied. */
static void handled_write(const char *address)
{
	const struct qubesdb_entry *entry;
	char path[QUBESDB_PATH_BYTES], value[24];
	uint64_t count = 0;

	if (snprintf(path, sizeof(path), HANDLED "%s", address) >= (int)sizeof(path))
		return;
	entry = qubesdb_get(qubes.db, path);
	if (entry)
		count = strtoull(entry->value, NULL, 10);
	snprintf(value, sizeof(value), "%" PRIu64, count + 1);
	if (qubesdb_write(qubes.db, path, value))
		log_line(LOG_WARNING, "qubes", "%s cannot be written", path);
}

static void source_say(const struct qubes_rules_source *source, const char *text)
{
	const struct qubes_rules_error *error = source->error;

	if (!error)
		log_line(LOG_INFO, "qubes", "rules of %s applied (%u rules)", text, source->rules);
	else if (error->number == QUBES_RULES_POLICY)
		log_line(LOG_WARNING, "qubes", "rules of %s: closed: %s", text, error->message);
	else
		log_line(LOG_WARNING, "qubes", "rules of %s: closed: %04u:%u: %s", text,
			 error->number, error->column, error->message);
}

static void pending_done(struct pending *pending)
{
	struct ip_address address;

	if (address_read(pending->address, &address)) {
		for (uint32_t i = 0; i < qubes_rules_count(lists.rules); i++) {
			struct qubes_rules_source source = qubes_rules_source(lists.rules, i);

			if (ip_address_equal(&source.address, &address))
				source_say(&source, pending->address);
		}
		handled_write(pending->address);
	}
	free(pending);
}

/* NULL: nothing passes. */
static void set_use(struct ruleset *set)
{
	struct ruleset *old = lists.set;
	int error = host_names_bind(set);

	router_set_now(qubes.config.router, clock_now_ns());
	(void)router_set_rules(qubes.config.router, set);
	lists.set = set;
	host_names_unbind(old);
	ruleset_free(old);
	/* There may only not have been room for those of both. */
	if (error && host_names_bind(set))
		log_line(LOG_ERROR, "qubes", "too many host names: none of them is known");
}

static int set_make(struct ruleset **set)
{
	const struct qubes_dns *dns = qubes_uplink_dns();
	struct qubes_rules_compile how = { .dns = dns->own,
					   .dns_count = dns->own_count,
					   .now = clock_wall_ns() / NS_PER_SECOND };
	struct rules_error error = { 0 };
	int result;

	/* What is missing of a list could be what forbids. */
	if (!qubesdb_is_whole(qubes.db)) {
		log_limited(&failed_log, LOG_ERROR, "qubes", "CLOSED: not all rules could be kept");
		return -E2BIG;
	}
	result = qubes_rules_compile(lists.rules, &how, set, &lists.expiry_s, &error);
	if (result)
		log_limited(&failed_log, LOG_ERROR, "qubes", "CLOSED: rules: error %d %s", result,
			    error.message);
	return result;
}

/* Commits that come while this runs need another round. */
static bool compile(void)
{
	struct pending *pending = lists.pending, *next;
	struct ruleset *set = NULL;

	lists.wanted = false;
	if (set_make(&set)) {
		lists.failed++;
		set_use(NULL);
		return false;
	}
	lists.pending = NULL;
	lists.compiled++;
	set_use(set);
	for (; pending; pending = next) {
		next = pending->next;
		pending_done(pending);
	}
	return true;
}

/* When a rule ends, on the clock of deadlines. */
static uint64_t expiry_ns(void)
{
	uint64_t wall = clock_wall_ns(), end = lists.expiry_s * NS_PER_SECOND;

	if (!lists.expiry_s)
		return FIBER_FOREVER;
	return clock_now_ns() + (end > wall ? end - wall : 0);
}

static void waiters_serve(void)
{
	lists.waiters = false;
	lists.serving = true;
	clients_refresh();
	lists.serving = false;
}

static bool has_expired(void)
{
	return lists.expiry_s && clock_wall_ns() >= lists.expiry_s * NS_PER_SECOND;
}

/* Until there is something to compile; what else there is to do meanwhile is done. */
static void wait_for_work(void)
{
	while (!lists.wanted && !has_expired()) {
		uint64_t deadline = expiry_ns(), drain = clock_now_ns() + DRAIN_NS;

		if (lists.waiters && all_holds())
			waiters_serve();
		if (lists.waiters && drain < deadline)
			deadline = drain;
		(void)!fiber_event_wait(&lists.event, deadline);
	}
}

static void run(void *argument)
{
	(void)argument;
	for (;;) {
		uint64_t begin, took;
		bool drained;

		wait_for_work();
		drained = qubesdb_is_drained(qubes.db);
		begin = clock_now_ns();
		if (!compile()) {
			lists.wanted = true; /* memory may come back */
			fiber_sleep_until(clock_now_ns() + RETRY_NS);
			continue;
		}
		/* However much dom0 may have said in the meantime. */
		if (lists.waiters && drained)
			waiters_serve();
		took = clock_now_ns() - begin;
		fiber_sleep_until(clock_now_ns() + PAUSE_LEAST_NS + PAUSE_SHARE * took);
	}
}

int qubes_lists_start(void)
{
	lists.rules = qubes_rules_new();
	if (!lists.rules)
		return -ENOMEM;
	fiber_event_init(&lists.event);
	return fiber_start("rules", run, NULL);
}

void qubes_lists_print_stats(void (*line)(void *context, const char *text), void *context)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "qubes rules: %u lists, %" PRIu64 " commits, %" PRIu64 " compiled, %" PRIu64
		 " failed",
		 qubes_rules_count(lists.rules), lists.commits, lists.compiled, lists.failed);
	line(context, text);
}
