/* SPDX-License-Identifier: ISC */
/*
 * An end point on a TAP device: the hosted half of configs/station.h. SIGUSR1 writes the
 * counters to the stats file; SIGTERM ends it: status 1 when anything was lost, when
 * anything was sent that a driver would not have stood for, or as the application says.
 */
#include "configs/station.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "net/router_sockets.h"
#include "net/socket_parts.h"
#include "tests/tap/box.h"
#include "tests/tap/link_text.h"
#include "tests/tap/station.h"
#include "tests/tap/tap_netdev.h"

#define NS_PER_SECOND 1000000000ull
#define WAIT_LEAST_NS 50000ull
#define FLOWS 64u
#define POLLS 16u
#define DRAIN_ROUNDS 1000u
#define LINGER_NS (2 * NS_PER_SECOND)
#define ARGUMENTS_BYTES 4096u

static struct {
	struct box_config config;
	struct link_text uplink;
	bool plain, is_rough;
	struct rough_link rough;
	const char *stats_file, *capture_file;
	char arguments[ARGUMENTS_BYTES];
} options = {
	.config.flows = FLOWS,
};

static struct box box;
static struct tap tap;
static struct sockets *sockets;
static struct station station;
static uint64_t round_ns;
static bool app_ends;
static int app_status;
static uint64_t end_ns; /* when it ends at the latest */
static const uint8_t uplink_mac[] = { 0x00, 0x16, 0x3e, 0x01, 0x01, 0x01 };
static volatile sig_atomic_t stats_wanted, end_wanted;

static const char usage[] =
	"[option ...] [-- argument ...]\n"
	"  --uplink NAME@NAMESPACE=ADDRESS/PREFIX[,ADDRESS6/PREFIX]\n"
	"  --gateway ADDRESS[,ADDRESS6]\n"
	"  [--mtu BYTES] [--plain] [--seed N] [--stats FILE] [--capture FILE] [--log LEVEL]\n"
	"  [--rough in|out|both:loss=1%,duplicate=1%,reorder=1%,corrupt=1%,mark=1%,delay=5ms,\n"
	"           rate=20mbit,queue=1000] ...   (with --plain)\n";

/* ---- options ---- */

static void die(const char *what, const char *text)
{
	fprintf(stderr, "%s: %s: %s\n%s", station_app.name, what, text, usage);
	exit(2);
}

static void uplink_read(char *text)
{
	const char *wrong = link_text_read(text, &options.uplink);

	if (wrong)
		die("not NAME@NAMESPACE=ADDRESS", wrong);
	options.config.address = options.uplink.address;
	options.config.prefix = options.uplink.prefix;
	options.config.prefix6 = options.uplink.prefix6;
}

static void gateway_read(char *text)
{
	struct link_text gateway = { .name = "" };
	const char *wrong = link_text_read_addresses(text, &gateway);

	if (wrong)
		die("not an address", wrong);
	options.config.gateway = gateway.address;
}

static void rough_read(char *text)
{
	const char *wrong = rough_link_read(&options.rough, text);

	if (wrong)
		die("not a kind of roughness", wrong);
	options.is_rough = true;
}

static void option_read(int option)
{
	switch (option) {
	case 'u':
		uplink_read(optarg);
		break;
	case 'g':
		gateway_read(optarg);
		break;
	case 'm':
		options.uplink.mtu = (uint16_t)atoi(optarg);
		break;
	case 'p':
		options.plain = true;
		break;
	case 'r':
		rough_read(optarg);
		break;
	case 'd':
		options.config.seed = strtoull(optarg, NULL, 0);
		break;
	case 's':
		options.stats_file = optarg;
		break;
	case 'c':
		options.capture_file = optarg;
		break;
	case 'l':
		if (log_level_parse(optarg) < 0)
			die("no such level", optarg);
		log_set_level((enum log_level)log_level_parse(optarg));
		break;
	default:
		die("cannot be used", "an option");
	}
}

static void arguments_read(int argc, char **argv)
{
	size_t used = 0;

	for (int i = optind; i < argc; i++) {
		int bytes = snprintf(options.arguments + used, sizeof(options.arguments) - used,
				     "%s%s", i == optind ? "" : " ", argv[i]);

		used += (size_t)bytes;
		if (used >= sizeof(options.arguments))
			die("too many arguments", argv[i]);
	}
}

static void options_read(int argc, char **argv)
{
	static const struct option names[] = {
		{ "uplink", required_argument, NULL, 'u' },
		{ "gateway", required_argument, NULL, 'g' },
		{ "mtu", required_argument, NULL, 'm' },
		{ "plain", no_argument, NULL, 'p' },
		{ "rough", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'd' },
		{ "stats", required_argument, NULL, 's' },
		{ "capture", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		option_read(option);
	if (!options.uplink.name[0])
		die("missing", "--uplink");
	if (options.is_rough && !options.plain)
		die("missing", "--plain, for --rough");
	arguments_read(argc, argv);
}

/* ---- what an application may ask ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t station_now_ns(void)
{
	return round_ns;
}

uint64_t station_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void station_end(int status)
{
	app_ends = true;
	app_status = status;
	end_ns = now_ns() + LINGER_NS;
}

uint64_t station_seed(void)
{
	return options.config.seed;
}

/* ---- counters ---- */

static void stats_line(void *context, const char *text)
{
	fprintf(context, "%s\n", text);
}

static void use_print(FILE *file)
{
	struct sockets_use use = sockets_use(sockets);

	fprintf(file,
		"use connections %" PRIu32 " most %" PRIu32 " time_waits %" PRIu32 " most %" PRIu32
		" listeners %" PRIu32 " udp_sockets %" PRIu32 " buffer_bytes %" PRIu64
		" most %" PRIu64 "\n",
		use.connections, use.connections_most, use.time_waits, use.time_waits_most,
		use.listeners, use.udp_sockets, use.buffer_bytes, use.buffer_bytes_most);
}

static void tcp_print(FILE *file)
{
	const struct tcp_stats *tcp = sockets_tcp_stats(sockets);
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "segments_in", tcp->segments_in },
		{ "segments_out", tcp->segments_out },
		{ "bytes_in", tcp->bytes_in },
		{ "bytes_out", tcp->bytes_out },
		{ "retransmissions", tcp->retransmissions },
		{ "timeouts", tcp->timeouts },
		{ "out_of_window", tcp->out_of_window },
		{ "paws_dropped", tcp->paws_dropped },
		{ "challenges", tcp->challenges },
		{ "challenges_withheld", tcp->challenges_withheld },
		{ "resets_in", tcp->resets_in },
		{ "resets_out", tcp->resets_out },
		{ "no_listener", tcp->no_listener },
		{ "backlog_full", tcp->backlog_full },
		{ "cookies_sent", tcp->cookies_sent },
		{ "cookies_taken", tcp->cookies_taken },
		{ "no_connection_memory", tcp->no_connection_memory },
		{ "no_buffer_memory", tcp->no_buffer_memory },
		{ "time_wait_evicted", tcp->time_wait_evicted },
		{ "orphans_evicted", tcp->orphans_evicted },
		{ "malformed", tcp->malformed },
	};

	for (unsigned int i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		fprintf(file, "tcp %s %" PRIu64 "\n", counters[i].name, counters[i].value);
}

static void udp_print(FILE *file)
{
	const struct socket_stats *stats = sockets_stats(sockets);

	fprintf(file,
		"udp in %" PRIu64 " out %" PRIu64 " no_socket %" PRIu64 " queue_full %" PRIu64
		" malformed %" PRIu64 "\nproblems %" PRIu64 " ignored %" PRIu64 "\nno_way %" PRIu64
		" no_memory %" PRIu64 "\n",
		stats->udp_in, stats->udp_out, stats->udp_no_socket, stats->udp_queue_full,
		stats->udp_malformed, stats->problems, stats->problems_ignored, stats->no_way,
		stats->no_memory);
}

/* Whoever waits for the file never sees half of it. */
static void stats_write(void)
{
	char path[512];
	FILE *file;

	if (!options.stats_file)
		return;
	snprintf(path, sizeof(path), "%s.new", options.stats_file);
	file = fopen(path, "w");
	if (!file)
		return;
	router_print_stats(&box.router, stats_line, file);
	tcp_print(file);
	udp_print(file);
	use_print(file);
	if (options.is_rough)
		rough_link_print(&options.rough, file);
	fprintf(file,
		"tap gso in %" PRIu64 " out %" PRIu64 ", blank in %" PRIu64 " out %" PRIu64
		", lost %" PRIu64 "\n",
		tap.gso_in, tap.gso_out, tap.blank_in, tap.blank_out,
		tap.netdev.stats.rx_dropped + tap.netdev.stats.tx_dropped);
	if (station_app.print_stats)
		station_app.print_stats(stats_line, file);
	fprintf(file, "valid %s\n", tcp_stack_is_valid(&sockets->tcp) ? "yes" : "no");
	fclose(file);
	if (rename(path, options.stats_file))
		perror(path);
}

/* ---- signals ---- */

static void signalled(int number)
{
	if (number == SIGUSR1)
		stats_wanted = 1;
	else
		end_wanted = 1;
}

/* They come only while we wait; `waiting` is the mask for that. */
static void signals_start(sigset_t *waiting)
{
	static const int numbers[] = { SIGUSR1, SIGTERM, SIGINT };
	struct sigaction action = { .sa_handler = signalled };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&blocked, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, waiting);
}

/* ---- the loop ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_ns(void)
{
	uint64_t next = least(router_next_ns(&box.router), sockets_next_ns(sockets));

	if (options.is_rough)
		next = least(next, rough_link_next_ns(&options.rough));
	if (station_app.next_ns)
		next = least(next, station_app.next_ns());
	return app_ends ? least(next, end_ns) : next;
}

static struct timespec time_to_wait(bool more)
{
	uint64_t next = more ? 0 : next_ns();
	uint64_t now = now_ns();
	uint64_t wait = next > now ? next - now : 0;

	if (wait > NS_PER_SECOND)
		wait = NS_PER_SECOND;
	/* A timer that is due this instant and a clock that stands are no reason to spin. */
	if (!more && wait < WAIT_LEAST_NS)
		wait = WAIT_LEAST_NS;
	return (struct timespec){ .tv_nsec = (long)(wait % NS_PER_SECOND),
				  .tv_sec = (time_t)(wait / NS_PER_SECOND) };
}

static void set_now(void)
{
	round_ns = now_ns();
	router_set_now(&box.router, round_ns);
	sockets_set_now(sockets, round_ns);
}

/* One round: frames, timers, then whoever has something to do. True: there is more. */
static bool run_round(void)
{
	bool more;

	set_now();
	/* All that has come, before a timer believes that it has not. */
	for (unsigned int i = 0; i < POLLS && tap_poll(&tap); i++)
		;
	router_run_timers(&box.router);
	more = sockets_run(sockets);
	if (station_app.run)
		station_app.run(round_ns);
	/* What these sent leaves now. */
	router_run_timers(&box.router);
	return more;
}

/* What was sent before a signal is served before it: whoever asks knows that it is done. */
static void drain(struct pollfd *polled)
{
	for (unsigned int rounds = 0; rounds < DRAIN_ROUNDS && poll(polled, 1, 0) > 0; rounds++)
		run_round();
}

/* After station_end(): has all that was queued left? */
static bool is_over(void)
{
	return app_ends && (now_ns() >= end_ns || sockets_use(sockets).connections == 0);
}

static void run(const sigset_t *waiting)
{
	struct pollfd polled = { .fd = tap.fd, .events = POLLIN };
	bool more = true;

	while (!end_wanted && !is_over()) {
		struct timespec wait = time_to_wait(more);

		if (ppoll(&polled, 1, &wait, waiting) < 0 && errno == EINTR)
			drain(&polled);
		more = run_round();
		if (stats_wanted) {
			stats_wanted = 0;
			stats_write();
		}
	}
}

/* ---- life ---- */

static void sockets_start(void)
{
	struct sockets_config config = station_app.sizes;
	size_t bytes;
	void *memory;

	config.links = router_socket_links(&box.router);
	config.random = &box.random;
	bytes = sockets_memory_bytes(&config);
	memory = aligned_alloc(IOPAGE_SIZE, (bytes + IOPAGE_SIZE - 1) & ~(IOPAGE_SIZE - 1ul));
	if (!memory)
		die("no memory", "for sockets");
	sockets = sockets_init(&config, memory, round_ns);
	if (!sockets)
		die("the sizes", "cannot be used");
	router_add_service(&box.router, sockets_service(sockets));
	station = (struct station){
		.sockets = sockets,
		.router = &box.router,
		.random = &box.random,
		.arguments = options.arguments,
	};
}

static void link_start(void)
{
	int error = tap_open(&tap, &box.packets, options.uplink.name, options.uplink.space, true,
			     !options.plain, uplink_mac,
			     options.uplink.has_mac ? options.uplink.mac : NULL);

	if (error)
		die(options.uplink.name, strerror(-error));
	if (options.uplink.mtu)
		tap.netdev.mtu = options.uplink.mtu;
	if (options.is_rough) {
		rough_link_init(&options.rough, options.config.seed);
		tap.rough = &options.rough;
	}
	if (options.capture_file && tap_capture(&tap, options.capture_file))
		die("not a file", options.capture_file);
	if (box_attach_uplink(&box, &tap.netdev))
		die(options.uplink.name, "cannot be attached");
}

static uint64_t finish(void)
{
	uint64_t errors = tap.errors;

	stats_write();
	if (!tcp_stack_is_valid(&sockets->tcp)) {
		fprintf(stderr, "BROKEN: sockets\n");
		errors++;
	}
	router_detach(&box.router, &tap.netdev);
	tap_close(&tap);
	rough_link_end(&options.rough);
	errors += (uint64_t)box_end(&box);
	/* The memory of sockets stays: what the application hangs on them is no leak. */
	fprintf(stderr, "end: %" PRIu64 " errors\n", errors);
	return errors;
}

static void sink(const char *line, size_t length)
{
	fwrite(line, 1, length, stderr);
}

int main(int argc, char **argv)
{
	/* Pings are answered, and refused is what nobody listens on. */
	static const char rules[] = "pass in on uplink\n";
	sigset_t waiting;

	log_init(sink, now_ns);
	options.config.seed = now_ns();
	options_read(argc, argv);
	signals_start(&waiting);
	/* Timers of a pace are finer than what the kernel adds to each sleep at first. */
	prctl(PR_SET_TIMERSLACK, 1000);
	round_ns = options.config.now_ns = now_ns();
	if (box_init(&box, &options.config) || box_set_rules(&box, rules, strlen(rules)))
		die("the addresses", "cannot be used together");
	sockets_start();
	link_start();
	set_now();
	if (station_app.begin(&station))
		die("it", "cannot begin");
	fprintf(stderr, "ready\n");
	run(&waiting);
	return finish() || app_status ? 1 : 0;
}
