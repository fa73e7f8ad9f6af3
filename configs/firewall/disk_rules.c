/* SPDX-License-Identifier: ISC */
#include "configs/firewall/disk_rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "arch/x86/clock.h"
#include "configs/firewall/host_names.h"
#include "configs/rules_disk.h"
#include "configs/rules_file.h"
#include "lib/log.h"
#include "lib/minmax.h"
#include "xen/fiber.h"

#define NS_PER_SECOND 1000000000ull
#define AGAIN_LEAST_NS (2 * NS_PER_SECOND)
#define AGAIN_MOST_NS (64 * NS_PER_SECOND)

static struct {
	const char *disk;
	struct router *router;
	struct rules_disk_place place;
	struct ruleset *set; /* in use; NULL: none yet */
	struct fiber_event wanted_event, tried_event;
	bool wanted, tried;
	uint64_t again_ns; /* when to try again unasked; FIBER_FOREVER: not */
	uint64_t pause_ns; /* before that; 0: the last attempt found nothing wrong with the disk */
	bool waited;	   /* nobody waits any more who would say that there are rules */
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

/* 0 and `*set`, or an error as of rules_disk_read(); the console says which. */
static int set_read(struct ruleset **set)
{
	struct rules_error error;
	size_t bytes;
	char *text;
	int result = rules_disk_read(&disk_rules.place, &text, &bytes, &error);

	if (result) {
		if (error.line)
			log_line(LOG_ERROR, "rules", "%s: %u:%u: %s", disk_rules.disk, error.line,
				 error.column, error.message);
		else
			log_line(LOG_ERROR, "rules", "%s: %s", disk_rules.disk, error.message);
		return result;
	}
	*set = rules_file_read(text, bytes);
	free(text);
	return *set ? 0 : -EINVAL;
}

/*
 * A mistake in the text is for somebody to mend who then asks again, and a disk that has gone tells
 * when it comes. What else went wrong may pass, and nobody else notices when.
 */
static void again_plan(int error)
{
	disk_rules.again_ns = FIBER_FOREVER;
	if (disk_rules.set || error == -EINVAL || error == -E2BIG || error == -ENODEV) {
		disk_rules.pause_ns = 0;
		return;
	}
	disk_rules.pause_ns = disk_rules.pause_ns ? min64(2 * disk_rules.pause_ns, AGAIN_MOST_NS)
						  : AGAIN_LEAST_NS;
	disk_rules.again_ns = clock_now_ns() + disk_rules.pause_ns;
	log_line(LOG_INFO, "rules", "%s: again in %u s", disk_rules.disk,
		 (unsigned int)(disk_rules.pause_ns / NS_PER_SECOND));
}

static void attempt(void)
{
	struct ruleset *set = NULL;
	int error = set_read(&set);

	if (set)
		set_use(set);
	else if (disk_rules.set)
		log_line(LOG_ERROR, "firewall", "the rules stay as they were");
	else
		log_line(LOG_ERROR, "firewall", "CLOSED: nothing passes until this is mended");
	if (set && disk_rules.waited)
		log_line(LOG_INFO, "firewall", "rules loaded from %s", disk_rules.disk);
	again_plan(error);
	disk_rules.tried = true;
	fiber_event_signal(&disk_rules.tried_event);
}

static bool is_time_again(void)
{
	return clock_now_ns() >= disk_rules.again_ns;
}

static void serve(void *argument)
{
	(void)argument;
	while (fiber_event_wait(&disk_rules.wanted_event, disk_rules.again_ns) == 0 ||
	       is_time_again()) {
		if (!disk_rules.wanted && !is_time_again())
			continue;
		disk_rules.wanted = false;
		attempt();
	}
}

int disk_rules_start(const char *disk, struct router *router)
{
	disk_rules.disk = disk;
	disk_rules.router = router;
	disk_rules.again_ns = FIBER_FOREVER;
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
