/* SPDX-License-Identifier: ISC */
/* iperf as a station: a guest, or a program on a TAP device. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "configs/iperf/client.h"
#include "configs/iperf/options.h"
#include "configs/iperf/report.h"
#include "configs/iperf/server.h"
#include "configs/station.h"
#include "lib/log.h"

static struct {
	struct iperf_place place;
	struct iperf_options options;
	struct iperf_server server;
	struct iperf_client client;
} app;

static uint64_t place_now_ns(void *context)
{
	(void)context;
	return station_now_ns();
}

static void place_line(void *context, const char *text)
{
	(void)context;
	log_line(LOG_INFO, "iperf", "%s", text);
}

static void place_end(void *context, int status)
{
	(void)context;
	station_end(status);
}

static int begin(const struct station *station)
{
	const char *wrong = "";
	size_t wrong_bytes = 0;
	int error = iperf_options_parse(station->arguments, &app.options, &wrong, &wrong_bytes);

	if (error == -ENOENT)
		app.options.server = true;
	else if (error) {
		log_line(LOG_ERROR, "iperf", "not understood: %.*s", (int)wrong_bytes, wrong);
		return error;
	}
	app.place = (struct iperf_place){ .sockets = station->sockets,
					  .random = station->random,
					  .now_ns = place_now_ns,
					  .line = place_line,
					  .end = place_end };
	if (!app.options.server)
		return iperf_client_begin(&app.client, &app.place, &app.options);
	return iperf_server_begin(&app.server, &app.place, app.options.peer.port,
				  app.options.interval_s, app.options.once);
}

static void run(uint64_t now_ns)
{
	if (app.options.server)
		iperf_server_run(&app.server, now_ns);
	else
		iperf_client_run(&app.client, now_ns);
}

static uint64_t next_ns(void)
{
	return app.options.server ? iperf_server_next_ns(&app.server)
				  : iperf_client_next_ns(&app.client);
}

static void print_stats(void (*line)(void *context, const char *text), void *context)
{
	char text[96];

	snprintf(text, sizeof(text),
		 "iperf: tests %" PRIu64 ", refused %" PRIu64 ", failed %" PRIu64, app.server.tests,
		 app.server.refused, app.server.failed);
	line(context, text);
}

const struct station_app station_app = {
	.name = "iperf",
	.begin = begin,
	.run = run,
	.next_ns = next_ns,
	.print_stats = print_stats,
	.sizes = { .udp_sockets = 2 * IPERF_STREAMS + 1 },
};
