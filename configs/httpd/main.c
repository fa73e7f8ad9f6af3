/* SPDX-License-Identifier: ISC */
/*
 * A web server: the pages of configs/httpd/pages, and those of counters.
 *
 *	httpd-port=80		where it listens
 *	httpd-connections=256	how many there may be at once
 *	httpd-request-s=10	how long a request may take to be whole
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configs/http_server.h"
#include "configs/machine_info.h"
#include "configs/metrics_source.h"
#include "configs/pages/pages.h"
#include "configs/station.h"
#include "configs/status_pages.h"
#include "configs/version.h"
#include "lib/log.h"

#define PAGES_MOST 64u
#define PORT 80u
#define CONNECTIONS 256u
#define CONNECTIONS_MOST 4096u
#define REQUEST_S 10u
#define REQUEST_S_MOST 3600u

static struct {
	struct http_server *server;
	struct metrics_source source;
	const struct http_page *pages[PAGES_MOST];
	uint32_t page_count;
} httpd;

/* The number behind `word`, which ends in '='; `otherwise` when it is not there. */
static unsigned long number_of(const char *arguments, const char *word, unsigned long otherwise)
{
	const char *found = strstr(arguments, word);

	return found ? strtoul(found + strlen(word), NULL, 10) : otherwise;
}

static uint64_t now_ns(void *context)
{
	(void)context;
	return station_now_ns();
}

static void pages_collect(void)
{
	for (uint32_t i = 0; i < httpd_pages_count && i < PAGES_MOST - STATUS_PAGES_MOST; i++)
		httpd.pages[httpd.page_count++] = &httpd_pages[i];
	httpd.page_count = status_pages_add(httpd.pages, httpd.page_count);
}

static int begin(const struct station *station)
{
	unsigned long port = number_of(station->arguments, "httpd-port=", PORT);
	unsigned long connections =
		number_of(station->arguments, "httpd-connections=", CONNECTIONS);
	unsigned long request_s = number_of(station->arguments, "httpd-request-s=", REQUEST_S);
	struct http_server_config config = {
		.sockets = station->sockets,
		.listen.own.port = (uint16_t)port,
		.pages = httpd.pages,
		.context = &httpd.source,
		.now_ns = now_ns,
		.connections = (uint32_t)connections,
		.request_ms = (uint32_t)request_s * 1000,
	};
	void *memory;
	int error;

	if (!port || port > UINT16_MAX || !connections || connections > CONNECTIONS_MOST ||
	    !request_s || request_s > REQUEST_S_MOST) {
		log_line(LOG_ERROR, "httpd",
			 "httpd-port= is 1 to 65535, httpd-connections= 1 to %u, "
			 "httpd-request-s= 1 to %u",
			 CONNECTIONS_MOST, REQUEST_S_MOST);
		return -EINVAL;
	}
	pages_collect();
	config.page_count = httpd.page_count;
	memory = malloc(http_server_memory_bytes(&config));
	if (!memory)
		return -ENOMEM;
	error = http_server_init(&config, memory, &httpd.server);
	if (error)
		return error;
	httpd.source = (struct metrics_source){ .guest = "httpd",
						.version = ringwall_version,
						.now_ns = station_now_ns,
						.start_ns = machine_start_ns(),
						.router = station->router,
						.sockets = station->sockets,
						.http = httpd.server,
						.machine = machine_info };
	log_line(LOG_INFO, "httpd", "listens on port %lu, %" PRIu32 " pages", port,
		 httpd.page_count);
	return 0;
}

static void run(uint64_t now)
{
	http_server_run(httpd.server, now);
}

static uint64_t next_ns(void)
{
	return http_server_next_ns(httpd.server);
}

static void print_stats(void (*line)(void *context, const char *text), void *context)
{
	const struct http_stats *stats = httpd.server ? http_server_stats(httpd.server) : NULL;
	char text[160];

	if (!stats)
		return;
	snprintf(text, sizeof(text),
		 "http: open %" PRIu32 " connections %" PRIu64 " requests %" PRIu64
		 " bytes %" PRIu64 " timed-out %" PRIu64 " evicted %" PRIu64 " refused %" PRIu64,
		 stats->open, stats->connections, stats->requests, stats->bytes_out,
		 stats->timed_out, stats->evicted, stats->refused);
	line(context, text);
}

const struct station_app station_app = {
	.name = "httpd",
	.begin = begin,
	.run = run,
	.next_ns = next_ns,
	.print_stats = print_stats,
};
