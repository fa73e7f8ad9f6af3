/* SPDX-License-Identifier: ISC */
#include "configs/firewall/disk_rules.h"

#include <stdbool.h>
#include <stdlib.h>

#include "arch/x86/clock.h"
#include "configs/firewall/host_names.h"
#include "configs/rules_disk.h"
#include "configs/rules_file.h"
#include "lib/log.h"
#include "xen/fiber.h"

static struct {
	const char *disk;
	struct router *router;
	struct rules_disk_place place;
	struct ruleset *set; /* in use; NULL: none yet */
	struct fiber_event wanted_event, tried_event;
	bool wanted, tried;
	bool waited; /* nobody waits any more who would say that there are rules */
} disk_rules;

static void set_use(struct ruleset *set)
{
	struct ruleset *old = disk_rules.set;
	int error = host_names_bind(set);

	router_set_now(disk_rules.router, clock_now_ns());
	(void)router_set_rules(disk_rules.router, set);
	disk_rules.set = set;
	host_names_unbind(old);
	ruleset_free(old);
	/* There may only not have been room for those of both. */
	if (error && host_names_bind(set))
		log_line(LOG_ERROR, "rules", "too many host names: none of them is known");
}

/* NULL: the console says why. */
static struct ruleset *set_read(void)
{
	struct rules_error error;
	struct ruleset *set;
	size_t bytes;
	char *text;

	if (rules_disk_read(&disk_rules.place, &text, &bytes, &error)) {
		if (error.line)
			log_line(LOG_ERROR, "rules", "%s: %u:%u: %s", disk_rules.disk, error.line,
				 error.column, error.message);
		else
			log_line(LOG_ERROR, "rules", "%s: %s", disk_rules.disk, error.message);
		return NULL;
	}
	set = rules_file_read(text, bytes);
	free(text);
	return set;
}

static void attempt(void)
{
	struct ruleset *set = set_read();

	if (set)
		set_use(set);
	else if (disk_rules.set)
		log_line(LOG_ERROR, "firewall", "the rules stay as they were");
	else
		log_line(LOG_ERROR, "firewall", "CLOSED: nothing passes until this is mended");
	if (set && disk_rules.waited)
		log_line(LOG_INFO, "firewall", "rules loaded from %s", disk_rules.disk);
	disk_rules.tried = true;
	fiber_event_signal(&disk_rules.tried_event);
}

static void serve(void *argument)
{
	(void)argument;
	while (fiber_event_wait(&disk_rules.wanted_event, FIBER_FOREVER) == 0) {
		if (!disk_rules.wanted)
			continue;
		disk_rules.wanted = false;
		attempt();
	}
}

int disk_rules_start(const char *disk, struct router *router)
{
	disk_rules.disk = disk;
	disk_rules.router = router;
	fiber_event_init(&disk_rules.wanted_event);
	fiber_event_init(&disk_rules.tried_event);
	return fiber_start("rules", serve, NULL);
}

int disk_rules_wait(uint64_t deadline_ns)
{
	int error = 0;

	while (!disk_rules.tried && !error)
		error = fiber_event_wait(&disk_rules.tried_event, deadline_ns);
	disk_rules.waited = true;
	return error;
}

void disk_rules_attached(struct block_device *device)
{
	disk_rules.place.device = device;
	disk_rules.place.attached++;
	disk_rules_again();
}

void disk_rules_detached(void)
{
	disk_rules.place.device = NULL;
}

void disk_rules_again(void)
{
	disk_rules.wanted = true;
	fiber_event_signal(&disk_rules.wanted_event);
}
