/* SPDX-License-Identifier: ISC */
/*
 * The pages of counters for one address (manage= of lib/params.h): /status, /status.json and
 * /metrics, by HTTP, on the firewall's own address.
 *
 * No rule opens this and no rule closes it. Who has another address, or the right one on the
 * wrong side, finds what he finds without it; the stats count his attempts. Requests have to
 * name an address as host: a page that a browser there has from elsewhere cannot read them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "configs/metrics_source.h"
#include "lib/compiler.h"
#include "lib/params.h"
#include "lib/random.h"
#include "net/router.h"

struct management_config {
	struct params_manage manage;
	struct router *router;
	struct random *random;
	uint64_t (*now_ns)(void); /* as router_set_now() has it */
	struct metrics_source source;
	/* Memory aligned to pages that lives for ever; NULL: there is none. */
	void *(*memory)(size_t bytes);
};

/* Once. Without it nothing is made. -ENOMEM; else what socket_listen() says. */
must_check int management_start(const struct management_config *config);

/* Each round, after router_set_now(); when that is wanted at the latest. Nothing without start. */
void management_run(uint64_t now_ns);
uint64_t management_next_ns(void);

/* A line for the counters; none without start. */
void management_print_stats(void (*line)(void *context, const char *text), void *context);
