/* SPDX-License-Identifier: ISC */
/*
 * The firewall guest: one uplink, any number of clients, rules from the ramdisk or a disk.
 * This is the composition root: it alone knows both the drivers and the stack,
 * sizes the memory pools, and wires interfaces to the router as they come and go.
 *
 * Fail closed: while the command line or the rules are wrong, no packet passes, and
 * the reason stands on the console.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/capture_lines.h"
#include "configs/firewall/clients.h"
#include "configs/firewall/disk_rules.h"
#include "configs/firewall/disks.h"
#include "configs/firewall/host_names.h"
#include "configs/firewall/management.h"
#include "configs/firewall/qubes.h"
#include "configs/machine_info.h"
#include "configs/params_lines.h"
#include "configs/pools.h"
#include "configs/rules_file.h"
#include "configs/stats_lines.h"
#include "configs/uplink.h"
#include "configs/version.h"
#include "drivers/netback.h"
#include "drivers/netfront.h"
#include "lib/ip4_text.h"
#include "lib/log.h"
#include "lib/log_history.h"
#include "lib/panic.h"
#include "lib/params.h"
#include "lib/time_text.h"
#include "net/packet_log.h"
#include "net/router.h"
#include "net/rules.h"
#include "xen/console.h"
#include "xen/entropy.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/shutdown.h"
#include "xen/start.h"
#include "xen/stats.h"

#define NS_PER_MS 1000000u
#define NS_PER_SECOND 1000000000u
/*
 * Pages by purpose: flows get a share of what is free at the start, in percent, and
 * packets shares of what flows leave. A page in excess of the most that the data path can
 * use stays free for heap and stacks.
 *
 * Where memory is short flows get more, until 16 clients can have 1,000 each beside what
 * the router keeps for one more client and for what begins outside.
 */
#define FLOW_SHARE 20u
#define FLOW_SHARE_MOST 40u
#define FLOWS_WANTED 19456u
#define RX_SHARE 37u
#define TX_SHARE 31u
#define RX_PAGES_LEAST 320u
#define RX_PAGES_MOST (QUEUES_MOST * QUEUE_RX_PAGES)
#define TX_PAGES_LEAST 256u
#define TX_PAGES_MOST 2048u
#define FLOWS_LEAST 1024u
#define FLOWS_MOST 65536u
/* Host names that QubesOS's rules may have, in percent of the pages that are free by then. */
#define NAMES_LEAST 16u
#define NAMES_SHARE 5u
#define NAMES_MOST 1024u
/* A loop that is so late has not run, as far as the network goes. */
#define SLEPT_NS 10000000000ull
/* Clients are not served before QubesDB says what they may do, or dom0 takes too long. */
#define QUBES_WAIT_NS 5000000000ull
/* The same for a disk with rules; when it comes later they hold from then on. */
#define DISK_WAIT_NS 5000000000ull
#define FLOWS_SAMPLE 4096u /* to know what one costs */
/*
 * Each queue of the uplink is one more CPU of the net VM that works for us. It needs the
 * pages of a full ring, and more for packets that wait for slow clients.
 */
#define QUEUES_MOST 4u
#define QUEUE_RX_PAGES 1024u
/* Packets that rules log: what is kept of them, and how fast they may come. */
#define LOG_PAGES 16u
#define LOG_PER_SECOND 50u
#define LOG_BURST 200u
/* Twice two: a net VM may keep the rings while another one takes its place. */
#define RING_PAGES_PER_QUEUE 4u

static struct {
	struct iopage_pool pages;
	struct packet_pool packets;
	struct random random;
	struct params params;
	struct router router;
	struct packet_log packet_log;
	struct ruleset *rules;
	struct netfront *uplink;
	struct loop_timer timer;
	bool qubes;	 /* addresses and rules come from QubesDB, not from the command line */
	bool rules_disk; /* rules come from a disk */
	bool router_runs;
	bool ready_said;
} firewall;

static uint32_t uplink_queues(uint32_t rx_pages)
{
	return rx_pages < 2 * QUEUE_RX_PAGES ? 1 : rx_pages / QUEUE_RX_PAGES;
}

/* ---- memory ---- */

static void packet_memory_make(uint32_t rx_pages, uint32_t tx_pages)
{
	/* A packet for every page that can hold one, and private heads of 16 to a page. */
	uint32_t packet_count = rx_pages + tx_pages;
	uint32_t head_pages = packet_count * PACKET_HEAD_BYTES / IOPAGE_SIZE + 1;
	uint32_t ring_pages = uplink_queues(rx_pages) * RING_PAGES_PER_QUEUE;

	pools_make(&firewall.pages, rx_pages + tx_pages + head_pages + ring_pages,
		   &firewall.packets, packet_count);
}

static void packet_log_make(void)
{
	void *memory = memory_alloc_pages(LOG_PAGES);

	if (!memory)
		panic("not enough memory for the packet log");
	packet_log_init(&firewall.packet_log, memory, (size_t)LOG_PAGES * PAGE_BYTES,
			LOG_PER_SECOND, LOG_BURST, clock_now_ns());
}

static size_t flow_pages(uint32_t flows)
{
	return router_memory_bytes(flows) / PAGE_BYTES + 1;
}

static uint32_t flows_for(size_t free_pages)
{
	size_t bytes_per_flow = router_memory_bytes(FLOWS_SAMPLE) / FLOWS_SAMPLE;
	size_t flows_in_all = free_pages * PAGE_BYTES / (bytes_per_flow + 1);
	uint32_t flows = pools_share(flows_in_all, FLOW_SHARE, FLOWS_LEAST, FLOWS_MOST);

	if (flows >= FLOWS_WANTED)
		return flows;
	if (flow_pages(FLOWS_WANTED) <= free_pages * FLOW_SHARE_MOST / 100)
		return FLOWS_WANTED;
	return pools_share(flows_in_all, FLOW_SHARE_MOST, FLOWS_LEAST, FLOWS_WANTED);
}

static uint32_t names_room(void)
{
	return pools_share(memory_free_pages(), NAMES_SHARE, NAMES_LEAST, NAMES_MOST);
}

static void router_make(uint32_t flows)
{
	struct router_config config = {
		.ip4 = { firewall.params.ip, firewall.params.prefix, firewall.params.gateway, 0 },
		.masquerade4 = firewall.params.masquerade4,
		.masquerade6 = firewall.params.masquerade6 || firewall.qubes,
		.flows = flows,
		.memory = memory_alloc_pages(flow_pages(flows)),
		.packets = &firewall.packets,
		.packet_log = &firewall.packet_log,
		.random = &firewall.random,
		.now_ns = clock_now_ns(),
	};

	if (!config.memory)
		panic("not enough memory for %u flows", flows);
	if (router_init(&firewall.router, &config)) {
		log_line(LOG_ERROR, "router", "the addresses cannot be used together");
		return;
	}
	host_names_make(&firewall.router, &firewall.random, firewall.rules,
			firewall.qubes || firewall.rules_disk ? names_room() : NAMES_LEAST);
	if (firewall.qubes)
		host_names_keep_flows();
	else
		uplink_make(&firewall.router, &firewall.random, &firewall.params,
			    host_names_set_servers);
	firewall.router_runs = true;
}

/* ---- what we were given ---- */

static bool params_read(const char *cmdline)
{
	struct params *params = &firewall.params;
	int error = params_parse(cmdline, params);

	firewall.qubes = params->qubes && qubes_is_offered();
	if (firewall.qubes)
		error = params_parse_qubes(cmdline, params);
	if (error == 0)
		return true;
	params_lines_errors(params);
	return false;
}

static void rules_read(const void *module, size_t bytes)
{
	const char *disk = firewall.params.rules_disk;
	bool has_module = module && bytes;

	if (firewall.qubes)
		log_line(LOG_INFO, "rules", "they come from QubesDB");
	else if (disk[0] && has_module)
		log_line(LOG_ERROR, "rules", "rules=%s and a ramdisk: which of them?", disk);
	else if (disk[0])
		firewall.rules_disk = true;
	else if (!has_module)
		log_line(LOG_ERROR, "rules", "no rules: give a rule file as ramdisk=");
	else
		firewall.rules = rules_file_read(module, bytes);
}

/* ---- interfaces ---- */

static void ready_say(void)
{
	uint64_t now = clock_now_ns() - boot_info_get()->entry_ns;
	const struct router_uplink4 *ip4 = &firewall.router.ip4;
	char address[IP4_TEXT_BYTES], time[TIME_TEXT_BYTES];

	if (firewall.ready_said)
		return;
	firewall.ready_said = true;
	log_line(LOG_INFO, "firewall", "ready in %" PRIu64 " ms: %s/%u, %s", now / NS_PER_MS,
		 firewall.params.dhcp ? "dhcp" : ip4_text_format(ip4->address, address),
		 ip4->prefix,
		 firewall.router.rules ? "rules loaded" : "CLOSED: nothing passes without rules");
	log_line(LOG_INFO, "firewall", "it is %s", time_text_format(clock_wall_ns(), time));
}

static void uplink_attached(struct netdev *netdev, void *context)
{
	(void)context;
	netdev->input = clients_input_closed;
	if (!firewall.router_runs)
		return;
	router_set_now(&firewall.router, clock_now_ns());
	if (router_attach_uplink(&firewall.router, netdev))
		log_line(LOG_ERROR, netdev->name, "there is an uplink already");
	else if (!firewall.qubes)
		uplink_up(netdev);
	ready_say();
}

static void uplink_detached(struct netdev *netdev, void *context)
{
	(void)context;
	if (!firewall.router_runs)
		return;
	if (!firewall.qubes)
		uplink_down();
	router_detach(&firewall.router, netdev);
}

/* A host that was suspended did not let the network go on either: flows are still good. */
static void sleep_notice(uint64_t now_ns)
{
	uint64_t late_ns = router_late_ns(&firewall.router, now_ns);

	if (late_ns < SLEPT_NS)
		return;
	log_line(LOG_INFO, "firewall", "did not run for %" PRIu64 " s", late_ns / NS_PER_SECOND);
	router_time_jumped(&firewall.router, late_ns);
	if (!firewall.qubes)
		uplink_slept();
}

static void timer_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	sleep_notice(now_ns);
	router_set_now(&firewall.router, now_ns);
	if (!firewall.qubes)
		uplink_run(firewall.router.now_ns);
	management_run(now_ns);
	router_run_timers(&firewall.router);
}

static uint64_t timer_next(struct loop_timer *timer)
{
	uint64_t router = router_next_ns(&firewall.router);
	uint64_t management = management_next_ns();
	uint64_t uplink = UINT64_MAX;

	(void)timer;
	if (!firewall.qubes)
		uplink = router_clock_ns(&firewall.router, uplink_next_ns());
	router = router < management ? router : management;
	return router < uplink ? router : uplink;
}

/* ---- console ---- */

static void log_stats_print(void (*line)(void *context, const char *text), void *context)
{
	char text[96];

	snprintf(text, sizeof(text), "packets logged: %" PRIu64 ", left out %" PRIu64,
		 firewall.packet_log.written, firewall.packet_log.left_out);
	line(context, text);
}

static void stats_print(void (*line)(void *context, const char *text), void *context)
{
	stats_print_xen(line, context);
	stats_line_pools(line, context, "pool", &firewall.pages, &firewall.packets);
	netfront_print_stats(firewall.uplink, line, context);
	netback_print_stats(line, context);
	if (firewall.router_runs)
		router_print_stats(&firewall.router, line, context);
	if (firewall.router_runs)
		host_names_print_stats(line, context);
	if (firewall.qubes)
		qubes_print_stats(line, context);
	management_print_stats(line, context);
	disks_print_stats(line, context);
	log_stats_print(line, context);
	line(context, "end");
}

static void command(const char *line, void *context)
{
	(void)context;
	if (strcmp(line, "stats") == 0)
		stats_print(stats_line_print, NULL);
	else if (strcmp(line, "pcap") == 0)
		capture_lines_print(&firewall.packet_log);
	else if (strcmp(line, "rules") == 0 && firewall.rules_disk && firewall.router_runs)
		disk_rules_again();
	else if (strncmp(line, "log ", 4) == 0 && log_level_parse(line + 4) >= 0)
		log_set_level((enum log_level)log_level_parse(line + 4));
	else
		log_line(LOG_ERROR, "console", "commands: stats, pcap%s, log error|warn|info|debug",
			 firewall.rules_disk ? ", rules" : "");
}

static void shutdown_requested(enum shutdown_request request, void *context)
{
	(void)request;
	(void)context;
	if (firewall.router_runs && !firewall.qubes)
		uplink_release();
	netback_close_all();
	netfront_close(firewall.uplink);
	disks_close();
}

/* ---- start ---- */

static void loop_hook(void)
{
	if (!firewall.router_runs)
		return;
	firewall.timer.run = timer_run;
	firewall.timer.next_ns = timer_next;
	loop_add_timer(&firewall.timer);
}

static void drivers_start(uint32_t rx_pages, uint32_t tx_pages)
{
	uint32_t queues = uplink_queues(rx_pages);
	struct netfront_config front = { .packets = &firewall.packets,
					 .max_queues = queues,
					 .rx_pages = rx_pages,
					 .tx_pages = tx_pages,
					 .attached = uplink_attached,
					 .detached = uplink_detached };
	struct netback_config back = { .packets = &firewall.packets,
				       .mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
				       .max_clients = CLIENTS_MAX,
				       /* Half of a queue's share always comes home to it. */
				       .queue_pages = rx_pages / queues / 2,
				       .attached = clients_attached,
				       .detached = clients_detached };

	if (netfront_start(&front, &firewall.uplink) || netback_start(&back) ||
	    shutdown_start(shutdown_requested, NULL))
		panic("not enough memory for the drivers");
}

static void log_keep(const char *line, size_t length)
{
	console_write(line, length);
	log_history_add(line, length);
	disks_log_line(line, length);
}

static void qubes_begin(void)
{
	struct qubes_config config = { .router = &firewall.router,
				       .params = &firewall.params,
				       .print_stats = stats_print,
				       .entry_ns = boot_info_get()->entry_ns };

	if (qubes_start(&config))
		panic("not enough memory to be a qube");
	qubes_wait_loaded(clock_now_ns() + QUBES_WAIT_NS);
}

static void *management_memory(size_t bytes)
{
	return memory_alloc_pages(bytes / PAGE_BYTES + 1);
}

/* The uplink's rings, then those of clients. */
static bool management_ring(uint32_t index, struct netif_info *info)
{
	if (index)
		return netback_info(index - 1, info);
	netfront_info(firewall.uplink, info);
	return true;
}

/* Who asks for it without memory for it gets a firewall all the same. */
static void management_begin(void)
{
	struct management_config config = {
		.manage = firewall.params.manage,
		.router = &firewall.router,
		.random = &firewall.random,
		.now_ns = clock_now_ns,
		.source = { .guest = "firewall",
			    .version = ringwall_version,
			    .now_ns = clock_now_ns,
			    .start_ns = boot_info_get()->entry_ns,
			    .router = &firewall.router,
			    .machine = machine_info,
			    .logdisk = disks_log_stats(),
			    .ring = management_ring },
		.memory = management_memory,
	};
	int error;

	if (firewall.qubes)
		qubes_manage(&config.manage);
	if (!firewall.router_runs || !config.manage.peer.version)
		return;
	error = management_start(&config);
	if (error)
		log_line(LOG_ERROR, "manage", "the page cannot be made: error %d", -error);
}

static void disks_begin(void)
{
	struct disks_config config = { .params = &firewall.params,
				       .packets = &firewall.packet_log,
				       .random = &firewall.random };

	if (firewall.router_runs && firewall.rules_disk)
		config.router = &firewall.router;
	if (disks_start(&config) == 0)
		return;
	log_line(LOG_ERROR, "disks", "not enough memory for them");
	firewall.rules_disk = false;
}

static void disk_rules_begin(void)
{
	if (disk_rules_wait(clock_now_ns() + DISK_WAIT_NS))
		log_line(LOG_ERROR, "firewall", "CLOSED: nothing passes until %s can be read",
			 firewall.params.rules_disk);
}

/* Rules by the file, or in a while by the disk or QubesDB. */
static void rules_use(void)
{
	if (firewall.router_runs && firewall.qubes)
		qubes_begin();
	else if (firewall.router_runs && firewall.rules_disk)
		disk_rules_begin();
	else if (firewall.router_runs)
		router_set_rules(&firewall.router, firewall.rules);
	if (!firewall.router_runs || !(firewall.rules || firewall.qubes || firewall.rules_disk))
		log_line(LOG_ERROR, "firewall", "CLOSED: nothing passes until this is mended");
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	uint32_t flows, rx_pages, tx_pages;
	uint8_t seed[RANDOM_SEED_BYTES];
	size_t left = memory_free_pages();
	bool params_good;

	log_init(log_keep, clock_now_ns);
	params_good = params_read(cmdline);
	left -= disks_pages(&firewall.params);
	flows = flows_for(left);
	left -= flow_pages(flows);
	rx_pages = pools_share(left, RX_SHARE, RX_PAGES_LEAST, RX_PAGES_MOST);
	tx_pages = pools_share(left, TX_SHARE, TX_PAGES_LEAST, TX_PAGES_MOST);
	log_set_level(firewall.params.log);
	params_lines_fault(&firewall.params, "firewall");
	entropy_gather(seed);
	random_init(&firewall.random, seed);
	packet_memory_make(rx_pages, tx_pages);
	packet_log_make();
	rules_read(module, module_bytes);
	if (params_good)
		router_make(flows);
	clients_make(firewall.router_runs ? &firewall.router : NULL, firewall.qubes);
	loop_hook();
	console_set_input(command, NULL);
	disks_begin();
	rules_use();
	drivers_start(rx_pages, tx_pages);
	management_begin();
}
