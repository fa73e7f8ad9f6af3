/* SPDX-License-Identifier: ISC */
#include "configs/firewall/qubes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/firewall/qubes_parts.h"
#include "lib/base64.h"
#include "lib/ip_text.h"
#include "lib/log.h"
#include "xen/fiber.h"

#define DOM0 0u
#define NS_PER_MS 1000000u
#define SEED_TEXT_MAX 256u

struct qubes qubes;

static struct fiber_event loaded_event;

/* ---- entries ---- */

static bool begins_with(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

bool qubes_read_address(const char *path, uint8_t version, struct ip_address *address)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, path);
	struct ip_address found;

	if (!entry || ip_text_parse(entry->value, entry->length, &found) ||
	    found.version != version)
		return false;
	*address = found;
	return true;
}

/* dom0's random bytes for us: what the machine has of its own is not left out. */
static void seed_read(void)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, "/qubes-random-seed");
	uint8_t seed[SEED_TEXT_MAX / 4 * 3];
	int bytes;

	if (!entry || entry->length > SEED_TEXT_MAX)
		return;
	bytes = base64_read(seed, entry->value, entry->length);
	if (bytes > 0)
		random_add(qubes.config.router->random, seed, (size_t)bytes);
	else
		log_line(LOG_WARNING, "qubes", "/qubes-random-seed is not base64");
}

static void level_read(void)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, "/vm-config/ringwall-log");
	int level;

	if (!entry)
		return;
	level = log_level_parse(entry->value);
	if (level < 0)
		log_line(LOG_WARNING, "qubes", "ringwall-log is error, warn, info or debug");
	else
		log_set_level((enum log_level)level);
}

void qubes_manage(struct params_manage *manage)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, "/vm-config/ringwall-manage");

	if (!entry || manage->peer.version)
		return;
	if (params_parse_manage(entry->value, entry->length, manage))
		log_line(LOG_WARNING, "qubes", "ringwall-manage is like 10.137.0.10:8080");
}

static void changed(void *context, const char *path, const char *value, size_t length)
{
	(void)context;
	(void)length;
	if (begins_with(path, "/qubes-firewall/"))
		qubes_lists_changed(path, value);
	else if (qubes_uplink_reads(path))
		qubes_uplink_apply();
	else if (qubes_clients_read(path))
		qubes_clients_apply();
	else if (strcmp(path, "/vm-config/ringwall-log") == 0)
		level_read();
}

/* ---- being connected ---- */

static void features_requested(void *context, int result)
{
	(void)context;
	if (result)
		log_line(LOG_INFO, "qubes", "qubes.FeaturesRequest: %d", result);
}

/* Tools show from it that a qube's rules are enforced here. */
static void features_request(void)
{
	if (qubesdb_write(qubes.db, "/features-request/qubes-firewall", "1") ||
	    qrexec_trigger(qubes.qrexec, "qubes.FeaturesRequest", "dom0", features_requested, NULL))
		log_line(LOG_WARNING, "qubes", "features cannot be requested");
}

static void connected_say(void)
{
	uint64_t now = clock_now_ns();

	if (qubes.connected_ns || !qubesdb_is_loaded(qubes.db) ||
	    !qrexec_is_connected(qubes.qrexec))
		return;
	qubes.connected_ns = now;
	log_line(LOG_INFO, "qubes", "agents connected in %" PRIu64 " ms",
		 (now - qubes.config.entry_ns) / NS_PER_MS);
	features_request();
}

static void loaded(void *context)
{
	(void)context;
	if (!qubesdb_is_whole(qubes.db))
		log_line(LOG_ERROR, "qubes", "not all of QubesDB could be kept");
	seed_read();
	level_read();
	qubes_uplink_apply();
	qubes_clients_apply();
	qubes_lists_loaded();
	fiber_event_signal(&loaded_event);
	connected_say();
}

static void daemon_connected(void *context)
{
	(void)context;
	connected_say();
}

bool qubes_is_offered(void)
{
	return qubesdb_is_offered(DOM0);
}

int qubes_start(const struct qubes_config *config)
{
	struct qubesdb_config db = { .server = DOM0, .changed = changed, .loaded = loaded };
	struct qrexec_config qrexec = { .daemon = DOM0,
					.services = qubes_services,
					.service_count = qubes_services_count,
					.connected = daemon_connected };
	int error;

	qubes.config = *config;
	fiber_event_init(&loaded_event);
	error = qubes_lists_start();
	if (!error)
		error = qrexec_start(&qrexec, &qubes.qrexec);
	return error ? error : qubesdb_start(&db, &qubes.db);
}

void qubes_wait_loaded(uint64_t deadline_ns)
{
	if (!qubesdb_is_loaded(qubes.db) && fiber_event_wait(&loaded_event, deadline_ns))
		log_line(LOG_WARNING, "qubes", "QubesDB has not been read yet");
}

void qubes_print_stats(void (*line)(void *context, const char *text), void *context)
{
	qubesdb_print_stats(qubes.db, line, context);
	qrexec_print_stats(qubes.qrexec, line, context);
	qubes_lists_print_stats(line, context);
}
