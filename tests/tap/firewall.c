/* SPDX-License-Identifier: ISC */
/*
 * The router between Linux network namespaces: one TAP device for the uplink, one for
 * each client. SIGUSR1 writes the counters to the stats file, SIGUSR2 ends every flow,
 * SIGHUP reads the rules again, SIGTERM ends it: status 1 when anything was lost or
 * anything was sent that a driver would not have stood for.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "configs/firewall/management.h"
#include "configs/version.h"
#include "lib/log.h"
#include "tests/tap/box.h"
#include "tests/tap/link_text.h"
#include "tests/tap/tap_netdev.h"

#define LINKS 32u
#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull
#define FLOWS 16384u
#define DRAIN_ROUNDS 1000u

static struct {
	struct box_config config;
	struct link_text links[LINKS]; /* the first is the uplink */
	unsigned int count;
	bool plain_uplink, plain_clients;
	const char *rules_file, *stats_file;
	struct params_manage manage;
} options = {
	.config.flows = FLOWS,
};

static struct box box;
static struct tap taps[LINKS];
static const uint8_t uplink_mac[] = { 0x00, 0x16, 0x3e, 0x01, 0x01, 0x01 };
static const uint8_t client_mac[] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
static volatile sig_atomic_t stats_wanted, rules_wanted, flush_wanted, end_wanted;

static const char usage[] =
	"firewall --uplink NAME@NAMESPACE=ADDRESS/PREFIX[,ADDRESS6/PREFIX]\n"
	"         --gateway ADDRESS[,ADDRESS6] --rules FILE [--stats FILE]\n"
	"         --client NAME@NAMESPACE=ADDRESS[,ADDRESS6][,MAC] ...\n"
	"         [--mtu NAME=BYTES] [--plain all|uplink|clients] [--flows N] [--log LEVEL]\n"
	"         [--manage ADDRESS[:PORT][,uplink]]\n";

/* ---- options ---- */

static void die(const char *what, const char *text)
{
	fprintf(stderr, "firewall: %s: %s\n%s", what, text, usage);
	exit(2);
}

static void link_read(char *text, struct link_text *link)
{
	const char *wrong = link_text_read(text, link);

	if (wrong)
		die("not NAME@NAMESPACE=ADDRESS", wrong);
}

static void mtu_read(char *text)
{
	char *equals = strchr(text, '=');
	bool found = false;

	if (equals)
		*equals = '\0';
	for (unsigned int i = 0; equals && i < options.count; i++)
		if (strcmp(options.links[i].name, text) == 0) {
			options.links[i].mtu = (uint16_t)atoi(equals + 1);
			found = true;
		}
	if (!found)
		die("no such link", text);
}

static void gateway_read(char *text)
{
	struct link_text gateway = { .name = "" };
	const char *wrong = link_text_read_addresses(text, &gateway);

	if (wrong)
		die("not an address", wrong);
	options.config.gateway = gateway.address;
}

static void plain_read(const char *text)
{
	options.plain_uplink = strcmp(text, "clients") != 0;
	options.plain_clients = strcmp(text, "uplink") != 0;
}

static void help(void)
{
	fputs(usage, stdout);
	printf("\nIPv6: %s\n", box_has_ip6() ? "yes" : "no");
	exit(0);
}

static void option_read(int option)
{
	switch (option) {
	case 'u':
		link_read(optarg, &options.links[0]);
		options.config.prefix = options.links[0].prefix;
		options.config.prefix6 = options.links[0].prefix6;
		options.config.address = options.links[0].address;
		break;
	case 'c':
		if (options.count == LINKS)
			die("too many clients", optarg);
		link_read(optarg, &options.links[options.count++]);
		break;
	case 'g':
		gateway_read(optarg);
		break;
	case 'm':
		mtu_read(optarg);
		break;
	case 'p':
		plain_read(optarg);
		break;
	case 'r':
		options.rules_file = optarg;
		break;
	case 's':
		options.stats_file = optarg;
		break;
	case 'f':
		options.config.flows = (uint32_t)atoi(optarg);
		break;
	case 'l':
		if (log_level_parse(optarg) < 0)
			die("no such level", optarg);
		log_set_level((enum log_level)log_level_parse(optarg));
		break;
	case 'a':
		if (params_parse_manage(optarg, strlen(optarg), &options.manage))
			die("not ADDRESS[:PORT][,uplink]", optarg);
		break;
	case 'h':
		help();
		break;
	default:
		die("cannot be used", "an option");
	}
}

static void options_read(int argc, char **argv)
{
	static const struct option names[] = {
		{ "uplink", required_argument, NULL, 'u' },
		{ "client", required_argument, NULL, 'c' },
		{ "gateway", required_argument, NULL, 'g' },
		{ "mtu", required_argument, NULL, 'm' },
		{ "plain", required_argument, NULL, 'p' },
		{ "rules", required_argument, NULL, 'r' },
		{ "stats", required_argument, NULL, 's' },
		{ "flows", required_argument, NULL, 'f' },
		{ "log", required_argument, NULL, 'l' },
		{ "manage", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	options.count = 1;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		option_read(option);
	if (!options.links[0].name[0] || !options.rules_file)
		die("missing", "--uplink or --rules");
}

/* ---- time, log, files ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void sink(const char *line, size_t length)
{
	fwrite(line, 1, length, stderr);
}

static int rules_load(void)
{
	static char text[RULES_MAX_BYTES];
	FILE *file = fopen(options.rules_file, "r");
	size_t bytes;
	int error;

	if (!file) {
		perror(options.rules_file);
		return -ENOENT;
	}
	bytes = fread(text, 1, sizeof(text), file);
	fclose(file);
	error = box_set_rules(&box, text, bytes);
	fprintf(stderr, "rules: %s\n", error ? "not used" : "in use");
	return error;
}

static void stats_line(void *context, const char *text)
{
	fprintf(context, "%s\n", text);
}

static void taps_print(FILE *file)
{
	for (unsigned int i = 0; i < options.count; i++)
		fprintf(file,
			"tap %s gso in %" PRIu64 " out %" PRIu64 ", blank in %" PRIu64
			" out %" PRIu64 ", lost %" PRIu64 "\n",
			taps[i].netdev.name, taps[i].gso_in, taps[i].gso_out, taps[i].blank_in,
			taps[i].blank_out,
			taps[i].netdev.stats.rx_dropped + taps[i].netdev.stats.tx_dropped);
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
	management_print_stats(stats_line, file);
	taps_print(file);
	fprintf(file, "valid %s\n", box_error(&box) ? box_error(&box) : "yes");
	fclose(file);
	if (rename(path, options.stats_file))
		perror(path);
}

/* ---- signals ---- */

static void signalled(int number)
{
	if (number == SIGUSR1)
		stats_wanted = 1;
	else if (number == SIGUSR2)
		flush_wanted = 1;
	else if (number == SIGHUP)
		rules_wanted = 1;
	else
		end_wanted = 1;
}

/* They come only while we wait; `waiting` is the mask for that. */
static void signals_start(sigset_t *waiting)
{
	static const int numbers[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT };
	struct sigaction action = { .sa_handler = signalled };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&blocked, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, waiting);
}

static void signals_serve(void)
{
	if (rules_wanted) {
		rules_wanted = 0;
		/* A mistake in them is on stderr, and the others stay. */
		if (rules_load())
			fprintf(stderr, "rules: the ones before stay\n");
	}
	if (flush_wanted) {
		flush_wanted = 0;
		router_flush_flows(&box.router);
	}
	if (stats_wanted) {
		stats_wanted = 0;
		stats_write();
	}
}

/* ---- the loop ---- */

static struct timespec time_to_wait(void)
{
	uint64_t router = router_next_ns(&box.router), management = management_next_ns();
	uint64_t next = router < management ? router : management;
	uint64_t now = now_ns();
	uint64_t wait = next > now ? next - now : 0;

	if (wait > NS_PER_SECOND)
		wait = NS_PER_SECOND;
	/* A timer that is due this instant and a clock that stands are no reason to spin. */
	if (wait < NS_PER_MS)
		wait = NS_PER_MS;
	return (struct timespec){ .tv_nsec = (long)(wait % NS_PER_SECOND),
				  .tv_sec = (time_t)(wait / NS_PER_SECOND) };
}

/* One vector of every link that has frames. False: none had. */
static bool links_poll(struct pollfd *polled)
{
	bool any = false;

	for (unsigned int i = 0; i < options.count; i++)
		if (polled[i].revents & POLLIN) {
			tap_poll(&taps[i]);
			any = true;
		}
	return any;
}

/* What was sent before a signal is served before it: whoever asks knows that it is done. */
static void links_drain(struct pollfd *polled)
{
	for (unsigned int rounds = 0; rounds < DRAIN_ROUNDS; rounds++)
		if (poll(polled, options.count, 0) <= 0 || !links_poll(polled))
			return;
}

static void run(const sigset_t *waiting)
{
	struct pollfd polled[LINKS];

	for (unsigned int i = 0; i < options.count; i++)
		polled[i] = (struct pollfd){ .fd = taps[i].fd, .events = POLLIN };
	while (!end_wanted) {
		struct timespec wait = time_to_wait();
		int ready = ppoll(polled, options.count, &wait, waiting);

		router_set_now(&box.router, now_ns());
		if (ready < 0)
			links_drain(polled);
		else if (ready > 0)
			links_poll(polled);
		management_run(now_ns());
		signals_serve();
		router_run_timers(&box.router);
	}
}

/* ---- life ---- */

static void link_start(unsigned int i)
{
	const struct link_text *link = &options.links[i];
	bool plain = i ? options.plain_clients : options.plain_uplink;
	int error = tap_open(&taps[i], &box.packets, link->name, link->space, i == 0, !plain,
			     i ? client_mac : uplink_mac, link->has_mac ? link->mac : NULL);

	if (error)
		die(link->name, strerror(-error));
	if (link->mtu)
		taps[i].netdev.mtu = link->mtu;
	if (i == 0)
		error = box_attach_uplink(&box, &taps[i].netdev);
	else
		error = box_attach_client(&box, &taps[i].netdev, &link->address);
	if (error)
		die(link->name, "cannot be attached");
}

static void *management_memory(size_t bytes)
{
	void *memory = NULL;

	if (posix_memalign(&memory, IOPAGE_SIZE, bytes))
		return NULL;
	return memset(memory, 0, bytes);
}

static void management_begin(void)
{
	struct management_config config = {
		.manage = options.manage,
		.router = &box.router,
		.random = &box.random,
		.now_ns = now_ns,
		.source = { .guest = "firewall",
			    .version = ringwall_version,
			    .now_ns = now_ns,
			    .start_ns = now_ns(),
			    .router = &box.router },
		.memory = management_memory,
	};

	if (options.manage.peer.version && management_start(&config))
		die("the management page", "cannot be made");
}

int main(int argc, char **argv)
{
	uint64_t errors = 0;
	sigset_t waiting;

	log_init(sink, now_ns);
	options_read(argc, argv);
	signals_start(&waiting);
	options.config.now_ns = options.config.seed = now_ns();
	if (box_init(&box, &options.config))
		die("the addresses", "cannot be used together");
	if (rules_load())
		return 2;
	for (unsigned int i = 0; i < options.count; i++)
		link_start(i);
	management_begin();
	fprintf(stderr, "ready\n");
	run(&waiting);
	stats_write();
	for (unsigned int i = 0; i < options.count; i++) {
		router_detach(&box.router, &taps[i].netdev);
		tap_close(&taps[i]);
		errors += taps[i].errors;
	}
	errors += (uint64_t)box_end(&box);
	fprintf(stderr, "end: %" PRIu64 " errors\n", errors);
	return errors != 0;
}
