/* SPDX-License-Identifier: ISC */
/*
 * A Xen guest of a station_app (configs/station.h): netfront, a router that has an uplink and
 * nothing else, the sockets as its service, and the loop's time for all of them.
 *
 *	ip= gw= ip6= dns= log= fault=	as of the firewall (lib/params.h)
 *	NAME...				words that begin with the application's name are its own
 *
 * What comes to us passes unless the ramdisk has rules. Rules that cannot be read let nothing
 * in, as in the firewall.
 */
#include "configs/station.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/params_lines.h"
#include "configs/pools.h"
#include "configs/rules_file.h"
#include "configs/stats_lines.h"
#include "configs/uplink.h"
#include "drivers/netfront.h"
#include "lib/log.h"
#include "lib/minmax.h"
#include "lib/panic.h"
#include "lib/params.h"
#include "net/router.h"
#include "net/router_sockets.h"
#include "net/rules.h"
#include "xen/console.h"
#include "xen/entropy.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

#define NS_PER_MS 1000000u
#define NS_PER_SECOND 1000000000ull
/* Nothing is forwarded, so no flow ever begins; the table cannot be empty. */
#define FLOWS 64u
/* Pages by purpose, in percent of what is free at the start; the rest is for heap and stacks. */
#define SOCKETS_SHARE 40u
#define RX_SHARE 16u
#define RX_PAGES_LEAST 320u
#define RX_PAGES_MOST 1024u
#define TX_SHARE 20u
#define TX_PAGES_LEAST 320u
#define TX_PAGES_MOST 1024u
/* Twice two: a net VM may keep the rings while another one takes its place. */
#define RING_PAGES 4u
#define SOCKETS_PAGES_MOST (1u << 18) /* memory is counted in 32 bits */
/* Of all memory for bytes, what one direction of one connection may have. */
#define BUFFER_SHARE 4u
#define BUFFER_MOST (1u << 20)
/* With addresses of one version we do not wait longer for those of the other. */
#define OTHER_VERSION_NS (4 * NS_PER_SECOND)
/* What is still under way when the application ends has so long to arrive. */
#define ENDING_NS (5 * NS_PER_SECOND)
#define SLEPT_NS (10 * NS_PER_SECOND)

static const char rules_default[] = "pass in on uplink from any to self no state\n";

static struct {
	struct iopage_pool pages;
	struct packet_pool packets;
	struct random random;
	struct params params;
	struct router router;
	struct sockets *sockets;
	struct station station;
	struct netfront *uplink;
	struct loop_timer timer;
	struct fiber_event ended;
	uint64_t first_address_ns; /* 0: there has been none */
	uint64_t ending_ns;	   /* when we go at the latest; 0: we stay */
	int status;
	bool attached, begun;
	bool more; /* the sockets have more to do at once */
} guest;

static void *memory_take(size_t bytes, const char *what)
{
	void *memory = memory_alloc_pages(bytes / PAGE_BYTES + 1);

	if (!memory)
		panic("not enough memory for %s: %zu KiB", what, bytes / 1024);
	return memory;
}

/* ---- what we are made of ---- */

static void packet_memory_make(uint32_t rx_pages, uint32_t tx_pages)
{
	uint32_t packet_count = rx_pages + tx_pages;
	uint32_t head_pages = packet_count * PACKET_HEAD_BYTES / IOPAGE_SIZE + 1;

	pools_make(&guest.pages, rx_pages + tx_pages + head_pages + RING_PAGES, &guest.packets,
		   packet_count);
}

static bool router_make(void)
{
	struct router_config config = {
		.ip4 = { guest.params.ip, guest.params.prefix, guest.params.gateway, 0 },
		.flows = FLOWS,
		.memory = memory_take(router_memory_bytes(FLOWS), "the router"),
		.packets = &guest.packets,
		.random = &guest.random,
		.now_ns = clock_now_ns(),
	};

	if (router_init(&guest.router, &config) == 0)
		return true;
	log_line(LOG_ERROR, station_app.name, "the addresses cannot be used together");
	return false;
}

/* As the application wants it, else what the memory allows. */
static struct sockets_config sockets_sizes(size_t free_pages)
{
	struct sockets_config config = station_app.sizes;
	uint32_t buffer;

	if (!config.memory_bytes)
		config.memory_bytes = (uint32_t)(PAGE_BYTES * pools_share(free_pages, SOCKETS_SHARE,
									  0, SOCKETS_PAGES_MOST));
	buffer = config.memory_bytes / BUFFER_SHARE;
	buffer = buffer < BUFFER_MOST ? buffer : BUFFER_MOST;
	if (!config.send_bytes)
		config.send_bytes = buffer;
	if (!config.receive_bytes)
		config.receive_bytes = buffer;
	return config;
}

static void sockets_make(size_t free_pages)
{
	struct sockets_config config = sockets_sizes(free_pages);

	config.links = router_socket_links(&guest.router);
	config.random = &guest.random;
	guest.sockets = sockets_init(&config, memory_take(sockets_memory_bytes(&config), "sockets"),
				     clock_now_ns());
	if (!guest.sockets)
		panic("the sockets cannot be made");
	router_add_service(&guest.router, sockets_service(guest.sockets));
}

static bool params_read(const char *cmdline)
{
	struct params *params = &guest.params;

	if (params_parse_station(cmdline, station_app.name, params) == 0)
		return true;
	params_lines_errors(params);
	return false;
}

static void rules_use(const void *module, size_t bytes)
{
	struct ruleset *rules;

	if (module && bytes)
		rules = rules_file_read(module, bytes);
	else
		rules = rules_file_read(rules_default, sizeof(rules_default) - 1);
	router_set_rules(&guest.router, rules);
	if (!rules)
		log_line(LOG_ERROR, station_app.name,
			 "CLOSED: nothing passes until this is mended");
}

/* ---- the uplink ---- */

static void dns_ignored(const struct ip_address *servers, uint32_t count)
{
	(void)servers;
	(void)count;
}

static void time_set(uint64_t now_ns)
{
	router_set_now(&guest.router, now_ns);
	sockets_set_now(guest.sockets, now_ns);
}

/* Packets are given in with the time of their round: round trips are measured by it. */
static void input(struct netdev *netdev, struct packet_vector *vector)
{
	time_set(loop_now_ns());
	router_input(netdev, vector);
}

static void uplink_attached(struct netdev *netdev, void *context)
{
	(void)context;
	time_set(clock_now_ns());
	if (router_attach_uplink(&guest.router, netdev)) {
		log_line(LOG_ERROR, netdev->name, "there is an uplink already");
		return;
	}
	netdev->input = input;
	uplink_up(netdev);
	guest.attached = true;
}

static void uplink_detached(struct netdev *netdev, void *context)
{
	(void)context;
	guest.attached = false;
	uplink_down();
	router_detach(&guest.router, netdev);
}

/* ---- the application ---- */

/* Both versions that were asked for, or one and a while. */
static bool has_addresses(uint64_t now_ns)
{
	bool wants4 = guest.params.dhcp || guest.params.has_ip;
	bool wants6 = guest.params.ip6_auto || guest.params.has_ip6;
	bool has4 = guest.router.has4, has6 = guest.router.has6;

	if (!guest.attached || !(has4 || has6))
		return false;
	if (!guest.first_address_ns)
		guest.first_address_ns = now_ns;
	return ((has4 || !wants4) && (has6 || !wants6)) ||
	       now_ns - guest.first_address_ns >= OTHER_VERSION_NS;
}

static void begin(uint64_t now_ns)
{
	uint64_t since_ns = now_ns - boot_info_get()->entry_ns;
	int error;

	guest.begun = true;
	log_line(LOG_INFO, station_app.name, "ready in %" PRIu64 " ms", since_ns / NS_PER_MS);
	error = station_app.begin(&guest.station);
	if (!error)
		return;
	log_line(LOG_ERROR, station_app.name, "cannot begin: error %d", -error);
	station_end(1);
}

uint64_t station_now_ns(void)
{
	return loop_now_ns();
}

uint64_t station_wall_ns(void)
{
	return clock_wall_ns();
}

void station_end(int status)
{
	if (guest.ending_ns)
		return;
	guest.status = status;
	guest.ending_ns = loop_now_ns() + ENDING_NS;
}

/* Has all that was queued left? TIME-WAIT needs nobody. */
static bool is_over(uint64_t now_ns)
{
	return guest.ending_ns &&
	       (now_ns >= guest.ending_ns || sockets_use(guest.sockets).connections == 0);
}

/* ---- the loop ---- */

/* A host that was suspended did not let the network go on either. */
static void sleep_notice(uint64_t now_ns)
{
	uint64_t late_ns = router_late_ns(&guest.router, now_ns);

	if (late_ns < SLEPT_NS)
		return;
	log_line(LOG_INFO, station_app.name, "did not run for %" PRIu64 " s",
		 (uint64_t)(late_ns / NS_PER_SECOND));
	router_time_jumped(&guest.router, late_ns);
	uplink_slept();
}

static void timer_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	sleep_notice(now_ns);
	time_set(now_ns);
	uplink_run(guest.router.now_ns);
	if (!guest.begun && !guest.ending_ns && has_addresses(now_ns))
		begin(now_ns);
	guest.more = sockets_run(guest.sockets);
	if (guest.begun && station_app.run)
		station_app.run(now_ns);
	router_run_timers(&guest.router);
	if (is_over(now_ns))
		fiber_event_signal(&guest.ended);
}

static uint64_t timer_next(struct loop_timer *timer)
{
	uint64_t next;

	(void)timer;
	if (guest.more || is_over(loop_now_ns()))
		return 0;
	next = min64(router_next_ns(&guest.router),
		     router_clock_ns(&guest.router, uplink_next_ns()));
	next = min64(next, sockets_next_ns(guest.sockets));
	if (guest.ending_ns)
		next = min64(next, guest.ending_ns);
	if (guest.first_address_ns && !guest.begun)
		next = min64(next, guest.first_address_ns + OTHER_VERSION_NS);
	if (guest.begun && station_app.next_ns)
		next = min64(next, station_app.next_ns());
	return next;
}

/* ---- console ---- */

static void sockets_print(void (*line)(void *context, const char *text), void *context)
{
	struct sockets_use use = sockets_use(guest.sockets);
	const struct tcp_stats *tcp = sockets_tcp_stats(guest.sockets);
	const struct socket_stats *other = sockets_stats(guest.sockets);
	char text[192];

	snprintf(text, sizeof(text),
		 "sockets: tcp %u of %u, time-wait %u of %u, listeners %u, udp %u, buffers %" PRIu64
		 " of %" PRIu64 " KiB",
		 use.connections, use.connections_most, use.time_waits, use.time_waits_most,
		 use.listeners, use.udp_sockets, use.buffer_bytes / 1024,
		 use.buffer_bytes_most / 1024);
	line(context, text);
	snprintf(text, sizeof(text),
		 "tcp: in %" PRIu64 " segments %" PRIu64 " bytes, out %" PRIu64 " segments %" PRIu64
		 " bytes, again %" PRIu64 ", timeouts %" PRIu64 ", no-memory %" PRIu64,
		 tcp->segments_in, tcp->bytes_in, tcp->segments_out, tcp->bytes_out,
		 tcp->retransmissions, tcp->timeouts, tcp->no_buffer_memory);
	line(context, text);
	snprintf(text, sizeof(text),
		 "udp: in %" PRIu64 ", out %" PRIu64 ", no-socket %" PRIu64 ", queue-full %" PRIu64
		 ", no-memory %" PRIu64,
		 other->udp_in, other->udp_out, other->udp_no_socket, other->udp_queue_full,
		 other->no_memory);
	line(context, text);
}

static void stats_print(void (*line)(void *context, const char *text), void *context)
{
	stats_print_xen(line, context);
	stats_line_pools(line, context, "pool", &guest.pages, &guest.packets);
	netfront_print_stats(guest.uplink, line, context);
	router_print_stats(&guest.router, line, context);
	sockets_print(line, context);
	if (station_app.print_stats)
		station_app.print_stats(line, context);
	line(context, "end");
}

static void command(const char *line, void *context)
{
	(void)context;
	if (strcmp(line, "stats") == 0)
		stats_print(stats_line_print, NULL);
	else if (strncmp(line, "log ", 4) == 0 && log_level_parse(line + 4) >= 0)
		log_set_level((enum log_level)log_level_parse(line + 4));
	else
		log_line(LOG_ERROR, "console", "commands: stats, log error|warn|info|debug");
}

/* ---- the end ---- */

static void links_close(void)
{
	uplink_release();
	netfront_close(guest.uplink);
}

static void shutdown_requested(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	links_close();
}

/* A fiber, for closing an interface waits for its backend. */
static void end_wait(void *argument)
{
	(void)argument;
	while (fiber_event_wait(&guest.ended, FIBER_FOREVER))
		;
	log_line(LOG_INFO, station_app.name, "ended: status %d", guest.status);
	links_close();
	shutdown_now(SHUTDOWN_REQUEST_POWEROFF);
}

/* ---- start ---- */

static void drivers_start(uint32_t rx_pages, uint32_t tx_pages)
{
	struct netfront_config front = { .packets = &guest.packets,
					 .max_queues = 1,
					 .rx_pages = rx_pages,
					 .tx_pages = tx_pages,
					 .max_waiting = tx_pages,
					 .attached = uplink_attached,
					 .detached = uplink_detached };

	fiber_event_init(&guest.ended);
	if (netfront_start(&front, &guest.uplink) || shutdown_start(shutdown_requested, NULL) ||
	    fiber_start("end", end_wait, NULL))
		panic("not enough memory for the drivers");
}

static void loop_begin(void)
{
	guest.timer.run = timer_run;
	guest.timer.next_ns = timer_next;
	loop_add_timer(&guest.timer);
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	size_t free_pages = memory_free_pages();
	uint32_t rx_pages = pools_share(free_pages, RX_SHARE, RX_PAGES_LEAST, RX_PAGES_MOST);
	uint32_t tx_pages = pools_share(free_pages, TX_SHARE, TX_PAGES_LEAST, TX_PAGES_MOST);
	uint8_t seed[RANDOM_SEED_BYTES];
	bool params_good;

	log_init(console_write, clock_now_ns);
	params_good = params_read(cmdline);
	log_set_level(guest.params.log);
	params_lines_fault(&guest.params, station_app.name);
	entropy_gather(seed);
	random_init(&guest.random, seed);
	packet_memory_make(rx_pages, tx_pages);
	if (!params_good || !router_make()) {
		log_line(LOG_ERROR, station_app.name, "nothing begins until this is mended");
		return;
	}
	sockets_make(free_pages);
	uplink_make(&guest.router, &guest.random, &guest.params, dns_ignored);
	rules_use(module, module_bytes);
	guest.station = (struct station){ guest.sockets, &guest.router, &guest.random, cmdline };
	console_set_input(command, NULL);
	loop_begin();
	drivers_start(rx_pages, tx_pages);
}
