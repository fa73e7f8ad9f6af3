/* SPDX-License-Identifier: ISC */
#include "configs/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "configs/text_out.h"
#include "lib/compiler.h"
#include "lib/drop.h"
#include "net/rules.h"

#define PREFIX "ringwall_"
#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct family;

/* Writes the lines of place `index`, perhaps none; false: there are no more places. */
typedef bool family_item(const struct metrics_source *source, const struct family *family,
			 uint32_t index, struct text_out *out);

/* One metric. */
struct family {
	const char *name; /* without PREFIX */
	const char *type;
	const char *help;
	family_item *item;
	/* For `single`: what its number lies in; NULL: this guest has none. */
	const void *(*holder)(const struct metrics_source *source);
	uint32_t offset; /* of a number, for those that read one from a struct */
	uint32_t bytes;	 /* of it: 4 or 8 */
};

static void add_value(struct text_out *out, const struct family *family, uint64_t value)
{
	text_add(out, PREFIX "%s %" PRIu64 "\n", family->name, value);
}

/* NAME{LABEL="TEXT"} */
static void add_labelled(struct text_out *out, const struct family *family, const char *label,
			 const char *text, uint64_t value)
{
	text_add(out, PREFIX "%s{%s=\"", family->name, label);
	text_add_label(out, text);
	text_add(out, "\"} %" PRIu64 "\n", value);
}

/* The number that the family is about. */
static uint64_t number_in(const void *holder, const struct family *family)
{
	const char *at = (const char *)holder + family->offset;
	uint64_t value = 0;

	/* The machine is little-endian: the low half comes first. */
	memcpy(&value, at, family->bytes);
	return value;
}

/* One number, without labels. */
static bool single(const struct metrics_source *source, const struct family *family, uint32_t index,
		   struct text_out *out)
{
	const void *holder = family->holder(source);

	if (index || !holder)
		return false;
	add_value(out, family, number_in(holder, family));
	return true;
}

/* ---- the guest ---- */

static bool build_info(const struct metrics_source *source, const struct family *family,
		       uint32_t index, struct text_out *out)
{
	if (index)
		return false;
	text_add(out, PREFIX "%s{guest=\"", family->name);
	text_add_label(out, source->guest);
	text_add(out, "\",version=\"");
	text_add_label(out, source->version);
	text_add(out, "\"} 1\n");
	return true;
}

static bool uptime(const struct metrics_source *source, const struct family *family, uint32_t index,
		   struct text_out *out)
{
	uint64_t ns = source->now_ns() - source->start_ns;

	if (index)
		return false;
	text_add(out, PREFIX "%s %" PRIu64 ".%03u\n", family->name, ns / NS_PER_SECOND,
		 (unsigned int)(ns % NS_PER_SECOND / NS_PER_MS));
	return true;
}

static const void *machine(const struct metrics_source *source)
{
	return source->machine ? &source->now : NULL;
}

/* ---- interfaces ---- */

/* False: no more places. NULL in *interface: this one is free. */
static bool interface_at(const struct metrics_source *source, uint32_t index,
			 const struct router_interface **interface)
{
	if (!source->router || index >= source->router->interfaces_used)
		return false;
	*interface = metrics_interface(source, index);
	return true;
}

static bool interface_stats(const struct metrics_source *source, const struct family *family,
			    uint32_t index, struct text_out *out)
{
	const struct router_interface *interface;

	if (!interface_at(source, index, &interface))
		return false;
	if (interface)
		add_labelled(out, family, "interface", interface->netdev->name,
			     number_in(&interface->netdev->stats, family));
	return true;
}

static bool interface_up(const struct metrics_source *source, const struct family *family,
			 uint32_t index, struct text_out *out)
{
	const struct router_interface *interface;

	if (!interface_at(source, index, &interface))
		return false;
	if (interface)
		add_labelled(out, family, "interface", interface->netdev->name,
			     interface->netdev->up);
	return true;
}

static bool interface_flows(const struct metrics_source *source, const struct family *family,
			    uint32_t index, struct text_out *out)
{
	const struct router_interface *interface;

	if (!interface_at(source, index, &interface))
		return false;
	if (interface)
		add_labelled(out, family, "interface", interface->netdev->name,
			     flow_owned(&source->router->flows, interface->index));
	return true;
}

static bool ring(const struct metrics_source *source, const struct family *family, uint32_t index,
		 struct text_out *out)
{
	struct netif_info info;

	if (!source->ring || !source->ring(index, &info))
		return false;
	add_labelled(out, family, "interface", info.netdev->name, number_in(&info, family));
	return true;
}

static bool ring_connects(const struct metrics_source *source, const struct family *family,
			  uint32_t index, struct text_out *out)
{
	struct netif_info info;

	if (!source->ring || !source->ring(index, &info))
		return false;
	if (!info.backend)
		add_labelled(out, family, "interface", info.netdev->name, info.connects);
	return true;
}

static bool drops(const struct metrics_source *source, const struct family *family, uint32_t index,
		  struct text_out *out)
{
	if (!source->router || index >= DROP_REASON_COUNT)
		return false;
	add_labelled(out, family, "reason", drop_name((enum drop_reason)index),
		     source->router->packets->drops[index]);
	return true;
}

/* ---- the router ---- */

static bool flow_states(const struct metrics_source *source, const struct family *family,
			uint32_t index, struct text_out *out)
{
	if (!source->router || index + 1 >= FLOW_STATE_COUNT)
		return false;
	add_labelled(out, family, "state", flow_state_name((enum flow_state)(index + 1)),
		     source->flows[index + 1]);
	return true;
}

static const void *router(const struct metrics_source *source)
{
	return source->router;
}

static bool neighbours(const struct metrics_source *source, const struct family *family,
		       uint32_t index, struct text_out *out)
{
	if (index || !source->router)
		return false;
	add_value(out, family, arp_count(&source->router->arp));
	return true;
}

static bool rules_loaded(const struct metrics_source *source, const struct family *family,
			 uint32_t index, struct text_out *out)
{
	if (index || !source->router)
		return false;
	add_value(out, family, source->router->rules ? ruleset_count(source->router->rules) : 0);
	return true;
}

/* Those that decided about something; a list in a rule makes several of one line. */
static bool rule_hits(const struct metrics_source *source, const struct family *family,
		      uint32_t index, struct text_out *out)
{
	const struct ruleset *rules = source->router ? source->router->rules : NULL;
	uint64_t hits;

	if (!rules || index >= ruleset_count(rules))
		return false;
	hits = ruleset_rule_hits(rules, index);
	if (!hits)
		return true;
	text_add(out, PREFIX "%s{rule=\"%" PRIu32 "\",line=\"%" PRIu32 "\",label=\"", family->name,
		 index, ruleset_rule_line(rules, index));
	text_add_label(out, ruleset_rule_label(rules, index));
	text_add(out, "\"} %" PRIu64 "\n", hits);
	return true;
}

/* ---- pools ---- */

static const char *const class_names[IOPAGE_CLASS_COUNT] = {
	[IOPAGE_PRIVATE] = "private",
	[IOPAGE_UPLINK_READ] = "uplink-read",
	[IOPAGE_UPLINK_WRITE] = "uplink-write",
};

static bool pool_classes(const struct metrics_source *source, const struct family *family,
			 uint32_t index, struct text_out *out)
{
	if (!source->router || index >= IOPAGE_CLASS_COUNT)
		return false;
	/* The family is about the first of an array. */
	add_labelled(out, family, "class", class_names[index],
		     number_in((const char *)source->router->packets->pages + index * family->bytes,
			       family));
	return true;
}

static const void *pages(const struct metrics_source *source)
{
	return source->router ? source->router->packets->pages : NULL;
}

static const void *packets(const struct metrics_source *source)
{
	return source->router ? source->router->packets : NULL;
}

/* ---- end points ---- */

static const void *tcp(const struct metrics_source *source)
{
	return source->sockets ? sockets_tcp_stats(source->sockets) : NULL;
}

static const void *sockets(const struct metrics_source *source)
{
	return source->sockets ? sockets_stats(source->sockets) : NULL;
}

static const void *use(const struct metrics_source *source)
{
	return source->sockets ? &source->use : NULL;
}

static const void *http(const struct metrics_source *source)
{
	return source->http ? http_server_stats(source->http) : NULL;
}

static bool http_status(const struct metrics_source *source, const struct family *family,
			uint32_t index, struct text_out *out)
{
	static const char *const codes[] = { "2xx", "3xx", "4xx", "5xx" };

	if (!source->http || index >= ARRAY_SIZE(codes))
		return false;
	add_labelled(out, family, "code", codes[index],
		     http_server_stats(source->http)->status[index + 2]);
	return true;
}

static const void *logdisk(const struct metrics_source *source)
{
	return source->logdisk;
}

/* ---- all of them ---- */

/* The number that is this member of a struct. */
#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define SINGLE(name, type, help, holder, ...)                     \
	{                                                         \
		name, type, help, single, holder, AT(__VA_ARGS__) \
	}
#define TCP(name, help, member) \
	SINGLE("tcp_" name "_total", "counter", help, tcp, tcp_stats, member)
#define SOCKET(name, help, member) \
	SINGLE(name "_total", "counter", help, sockets, socket_stats, member)
#define USE(name, help, member) SINGLE(name, "gauge", help, use, sockets_use, member)
#define HTTP(name, help, member) \
	SINGLE("http_" name "_total", "counter", help, http, http_stats, member)
#define LOGDISK(name, help, member) \
	SINGLE("logdisk_" name "_total", "counter", help, logdisk, log_disk_stats, member)
#define MACHINE(name, type, help, member) SINGLE(name, type, help, machine, metrics_machine, member)
#define ROUTER(name, type, help, member) SINGLE(name, type, help, router, router, member)
/* Several lines, with labels; what they are about is the function's business, or AT(). */
#define LISTED(name, type, help, item, ...)               \
	{                                                 \
		name, type, help, item, NULL, __VA_ARGS__ \
	}
#define INTERFACE(name, help, member) \
	LISTED("interface_" name, "counter", help, interface_stats, AT(netdev_stats, member))

static const struct family families[] = {
	LISTED("build_info", "gauge", "What runs here; always 1.", build_info, 0, 0),
	LISTED("uptime_seconds", "gauge", "Time since the guest began.", uptime, 0, 0),

	LISTED("interface_up", "gauge", "Whether the interface is connected.", interface_up, 0, 0),
	LISTED("interface_flows", "gauge", "Flows that count against the interface.",
	       interface_flows, 0, 0),
	INTERFACE("receive_packets_total", "Packets that came by the interface.", rx_packets),
	INTERFACE("receive_bytes_total", "Bytes that came by the interface.", rx_bytes),
	INTERFACE("receive_drop_total", "Of those that came, dropped by the driver.", rx_dropped),
	INTERFACE("transmit_packets_total", "Packets that left by the interface.", tx_packets),
	INTERFACE("transmit_bytes_total", "Bytes that left by the interface.", tx_bytes),
	INTERFACE("transmit_drop_total", "Packets that could not leave by it.", tx_dropped),
	LISTED("drop_total", "counter", "Packets dropped on all interfaces, by reason.", drops, 0,
	       0),

	LISTED("ring_queues", "gauge", "Pairs of rings in use.", ring, AT(netif_info, queues)),
	LISTED("ring_send_slots_free", "gauge", "Slots in which the peer would take something.",
	       ring, AT(netif_info, send_slots_free)),
	LISTED("ring_receive_slots_busy", "gauge",
	       "Uplink: buffers posted to the backend. Client: its requests in hand.", ring,
	       AT(netif_info, receive_slots_busy)),
	LISTED("ring_waiting_packets", "gauge", "Packets that wait for slots.", ring,
	       AT(netif_info, waiting_packets)),
	LISTED("ring_connects_total", "counter", "Times that an uplink was connected.",
	       ring_connects, 0, 0),

	LISTED("flows", "gauge", "Flows by state.", flow_states, 0, 0),
	ROUTER("flows_used", "gauge", "Flows in the table.", flows.used),
	ROUTER("flows_limit", "gauge", "Flows that the table holds.", flows.total),
	ROUTER("flows_created_total", "counter", "Flows that began.", flows.created),
	ROUTER("flows_expired_total", "counter", "Flows that were idle for too long.",
	       flows.expired),
	ROUTER("flows_evicted_total", "counter", "Flows that made room for another of their owner.",
	       flows.evicted),
	ROUTER("answers_suppressed_total", "counter", "ICMP errors and resets that were rationed.",
	       answers_suppressed),
	LISTED("arp_entries", "gauge", "Neighbours known by ARP.", neighbours, 0, 0),
	LISTED("rules", "gauge", "Rules in force; 0: closed, nothing passes.", rules_loaded, 0, 0),
	LISTED("rule_hits_total", "counter", "Decisions by a rule, of rules that made any.",
	       rule_hits, 0, 0),

	LISTED("pages", "gauge", "io-pages by class.", pool_classes,
	       AT(iopage_pool, class_count[0])),
	LISTED("pages_free", "gauge", "Those of them that are free.", pool_classes,
	       AT(iopage_pool, free_count[0])),
	SINGLE("pages_quarantined", "gauge", "io-pages that a neighbour does not let go.", pages,
	       iopage_pool, quarantined),
	SINGLE("packets", "gauge", "Packet descriptors.", packets, packet_pool, total),
	SINGLE("packets_free", "gauge", "Those of them that are free.", packets, packet_pool,
	       free_count),
	MACHINE("memory_free_bytes", "gauge", "Memory that nobody has.", free_bytes),
	MACHINE("memory_heap_bytes", "gauge", "Memory in use on the heap.", heap_bytes),
	MACHINE("console_dropped_bytes_total", "counter", "Log that the console did not take.",
		console_dropped_bytes),
	MACHINE("loop_rounds_total", "counter", "Rounds of the loop.", loop_rounds),
	MACHINE("loop_idles_total", "counter", "Times that it had nothing to do.", loop_idles),
	MACHINE("loop_polls_total", "counter", "Polls of sources in it.", loop_polls),
	MACHINE("xen_grants", "gauge", "Pages granted to others.", grants),
	MACHINE("xen_mappings", "gauge", "Pages of others that are mapped.", mappings),
	MACHINE("xen_event_channels", "gauge", "Event channels open.", event_channels),
	MACHINE("xen_watches", "gauge", "Watches on the store.", watches),
	MACHINE("fibers", "gauge", "Fibers.", fibers),

	LOGDISK("lines", "Lines for the log on a disk.", lines),
	LOGDISK("packets", "Packets for it.", packets),
	LOGDISK("flushed", "Those of both that are safe on the disk.", flushed),
	LOGDISK("dropped", "Those that the disk was too slow for.", dropped),
	LOGDISK("errors", "Requests to the disk that failed.", errors),

	USE("tcp_connections", "TCP connections, half open ones included.", connections),
	USE("tcp_connections_limit", "TCP connections that there can be.", connections_most),
	USE("tcp_time_waits", "Connections in TIME-WAIT.", time_waits),
	USE("tcp_time_waits_limit", "How many of those there can be.", time_waits_most),
	USE("tcp_listeners", "Listening sockets.", listeners),
	USE("udp_sockets", "UDP sockets.", udp_sockets),
	USE("socket_buffer_bytes", "Bytes in buffers and queues of sockets.", buffer_bytes),
	USE("socket_buffer_limit_bytes", "How many there can be.", buffer_bytes_most),
	TCP("segments_in", "Segments that came.", segments_in),
	TCP("segments_out", "Segments that left.", segments_out),
	TCP("bytes_in", "Bytes that came.", bytes_in),
	TCP("bytes_out", "Bytes that left.", bytes_out),
	TCP("retransmissions", "Segments that were sent again.", retransmissions),
	TCP("timeouts", "Retransmission timers that ran out.", timeouts),
	TCP("out_of_window", "Segments outside the window.", out_of_window),
	TCP("paws_dropped", "Segments with an old timestamp.", paws_dropped),
	TCP("challenges", "Challenge acknowledgements.", challenges),
	TCP("challenges_withheld", "Those that were rationed.", challenges_withheld),
	TCP("resets_in", "Resets that came.", resets_in),
	TCP("resets_out", "Resets that left.", resets_out),
	TCP("no_listener", "Segments that nobody listens for.", no_listener),
	TCP("backlog_full", "Connections that found a backlog full.", backlog_full),
	TCP("cookies_sent", "SYN cookies that left.", cookies_sent),
	TCP("cookies_taken", "SYN cookies that came back.", cookies_taken),
	TCP("no_connection_memory", "Connections that found no place.", no_connection_memory),
	TCP("no_buffer_memory", "Segments that found no buffer.", no_buffer_memory),
	TCP("time_wait_evicted", "TIME-WAITs that made room for another.", time_wait_evicted),
	TCP("orphans_evicted", "Closed connections that made room for another.", orphans_evicted),
	TCP("malformed", "Segments that made no sense.", malformed),
	SOCKET("udp_in", "Datagrams that came.", udp_in),
	SOCKET("udp_out", "Datagrams that left.", udp_out),
	SOCKET("udp_no_socket", "Datagrams that nobody listens for.", udp_no_socket),
	SOCKET("udp_queue_full", "Datagrams that found a queue full.", udp_queue_full),
	SOCKET("udp_malformed", "Datagrams that made no sense.", udp_malformed),
	SOCKET("socket_problems", "ICMP errors about something of ours.", problems),
	SOCKET("socket_problems_ignored", "ICMP errors about nothing under way.", problems_ignored),
	SOCKET("socket_no_way", "Packets that no link leads to.", no_way),
	SOCKET("socket_no_memory", "Packets that found no memory.", no_memory),

	SINGLE("http_connections", "gauge", "HTTP connections open.", http, http_stats, open),
	HTTP("connections", "HTTP connections that came.", connections),
	HTTP("requests", "Requests that were whole.", requests),
	LISTED("http_responses_total", "counter", "Answers by kind.", http_status, 0, 0),
	HTTP("bytes_out", "Bytes of answers.", bytes_out),
	HTTP("timed_out", "Connections that took too long.", timed_out),
	HTTP("evicted", "Connections that made room for another address.", evicted),
	HTTP("refused", "Connections that found no room.", refused),
};

/* The lines of one place; false: no more. */
static bool add_item(const struct metrics_source *source, const struct family *family,
		     uint32_t index, struct text_out *out)
{
	size_t used = out->used;

	if (index == 0)
		text_add(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", family->name,
			 family->help, family->name, family->type);
	if (family->item(source, family, index, out))
		return true;
	out->used = used;
	return false;
}

size_t metrics_write(void *context, struct http_cursor *cursor, char *to, size_t room)
{
	struct metrics_source *source = context;
	struct text_out out = { .to = to, .room = room };

	if (!cursor->part && !cursor->item)
		metrics_source_refresh(source);
	while (cursor->part < ARRAY_SIZE(families)) {
		size_t used = out.used;
		bool more = add_item(source, &families[cursor->part], cursor->item, &out);

		if (out.full) {
			/* The next piece begins with it; a single one is never so long. */
			out.used = used;
			if (used)
				break;
			out.full = false;
		}
		cursor->item = more ? cursor->item + 1 : 0;
		cursor->part += more ? 0 : 1;
	}
	return out.used;
}

const char *metrics_socket_counter(const struct metrics_source *source, uint32_t index,
				   uint64_t *value)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *family = &families[i];

		if ((family->holder != tcp && family->holder != sockets) || index--)
			continue;
		*value = number_in(family->holder(source), family);
		return family->name;
	}
	return NULL;
}
