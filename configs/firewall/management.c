/* SPDX-License-Identifier: ISC */
#include "configs/firewall/management.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "configs/http_server.h"
#include "configs/status_pages.h"
#include "lib/ip_text.h"
#include "lib/log.h"
#include "net/router_sockets.h"
#include "net/udp.h"
#include "net/wire.h"

/* One person with a browser, and a collector. */
#define CONNECTIONS 12u
#define TIME_WAITS 64u
#define MEMORY_BYTES (384u * 1024u)
#define SOCKET_BYTES (32u * 1024u)
#define RUNS_MOST 4u /* of the sockets, a round */

static struct {
	struct management_config config;
	struct sockets *sockets; /* NULL: off */
	struct http_server *server;
	struct router_service *inner; /* that of the sockets */
	struct router_service gate;
	const struct http_page *pages[STATUS_PAGES_MOST];
	uint64_t refused; /* attempts to connect by others */
	bool more;	  /* the sockets have more to do at once */
} management;

/* ---- who may ---- */

static bool is_tcp(const struct packet_info *info)
{
	return info->key.protocol == IP_PROTOCOL_TCP && info->kind == PACKET_ORDINARY &&
	       !packet_is_fragment(info);
}

static bool is_to_port(const struct packet_info *info)
{
	return be16_get(info->key.destination_port) == management.config.manage.port;
}

static bool is_from_peer(const struct packet_info *info)
{
	struct ip_address source = packet_source(info);

	return ip_address_equal(&source, &management.config.manage.peer);
}

/* A client's address may be taken by anybody out there while the client is away. */
static bool is_from_its_side(const struct packet_info *info)
{
	const struct router *router = management.config.router;
	const struct router_interface *in = &router->interfaces[info->key.interface];

	return (in->kind == ROUTER_UPLINK) == management.config.manage.uplink;
}

static bool may(const struct packet_info *info)
{
	return is_tcp(info) && is_to_port(info) && is_from_peer(info) && is_from_its_side(info);
}

/* Errors about what we have sent: the sockets know which are. */
static bool is_error(const struct packet_info *info)
{
	return info->kind == PACKET_ICMP_ERROR;
}

static bool wants(void *context, const struct packet_info *info)
{
	(void)context;
	return may(info) ||
	       (is_error(info) && management.inner->wants(management.inner->context, info));
}

/* Asked about all that comes to us, before the rules are. */
static bool owns(void *context, const struct packet_info *info)
{
	(void)context;
	if (may(info))
		return true;
	if (is_tcp(info) && is_to_port(info) &&
	    (info->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
		management.refused++;
	return is_error(info) && management.inner->owns(management.inner->context, info);
}

/* Side and kind are not known here. */
static bool holds(void *context, const struct packet_info *info)
{
	(void)context;
	return info->key.protocol == IP_PROTOCOL_TCP && is_to_port(info) && is_from_peer(info);
}

static void input(void *context, struct netdev *netdev, struct packet *packet,
		  const struct packet_info *info)
{
	(void)context;
	/* It may have been long since the last round that had something to do. */
	sockets_set_now(management.sockets, management.config.now_ns());
	management.inner->input(management.inner->context, netdev, packet, info);
}

/* ---- making it ---- */

static int sockets_make(void)
{
	struct sockets_config config = {
		.links = router_socket_links(management.config.router),
		.random = management.config.random,
		.connections = CONNECTIONS + 4,
		.listeners = 1,
		.udp_sockets = 1,
		.time_waits = TIME_WAITS,
		.memory_bytes = MEMORY_BYTES,
		.send_bytes = SOCKET_BYTES,
		.receive_bytes = SOCKET_BYTES,
	};
	void *memory = management.config.memory(sockets_memory_bytes(&config));

	if (!memory)
		return -ENOMEM;
	management.sockets = sockets_init(&config, memory, management.config.now_ns());
	return management.sockets ? 0 : -ENOMEM;
}

static uint64_t now_ns(void *context)
{
	(void)context;
	return management.config.now_ns();
}

static int server_make(void)
{
	struct http_server_config config = {
		.sockets = management.sockets,
		.listen = { .own.port = management.config.manage.port,
			    .backlog = CONNECTIONS,
			    .no_cookies = true },
		.pages = management.pages,
		.page_count = status_pages_add(management.pages, 0),
		.context = &management.config.source,
		.now_ns = now_ns,
		.hosts_are_addresses = true,
		.connections = CONNECTIONS,
		.socket_send_bytes = SOCKET_BYTES,
	};
	void *memory = management.config.memory(http_server_memory_bytes(&config));

	if (!memory)
		return -ENOMEM;
	return http_server_init(&config, memory, &management.server);
}

int management_start(const struct management_config *config)
{
	char text[IP_TEXT_BYTES];
	int error;

	management.config = *config;
	error = sockets_make();
	if (!error)
		error = server_make();
	if (error) {
		management.sockets = NULL;
		return error;
	}
	management.config.source.sockets = management.sockets;
	management.config.source.http = management.server;
	management.inner = sockets_service(management.sockets);
	management.gate = (struct router_service){
		.wants = wants, .input = input, .owns = owns, .holds = holds
	};
	router_add_service(config->router, &management.gate);
	log_line(LOG_INFO, "manage", "port %u is open to %s %s", config->manage.port,
		 config->manage.uplink ? "the host" : "the client",
		 ip_text_format(&config->manage.peer, text));
	return 0;
}

/* ---- running it ---- */

void management_run(uint64_t now)
{
	if (!management.sockets)
		return;
	sockets_set_now(management.sockets, now);
	management.more = true;
	for (uint32_t i = 0; i < RUNS_MOST && management.more; i++)
		management.more = sockets_run(management.sockets);
	http_server_run(management.server, now);
}

uint64_t management_next_ns(void)
{
	uint64_t sockets, server;

	if (!management.sockets)
		return UINT64_MAX;
	if (management.more)
		return 0;
	sockets = sockets_next_ns(management.sockets);
	server = http_server_next_ns(management.server);
	return sockets < server ? sockets : server;
}

void management_print_stats(void (*line)(void *context, const char *text), void *context)
{
	const struct http_stats *stats;
	char text[128];

	if (!management.sockets)
		return;
	stats = http_server_stats(management.server);
	snprintf(text, sizeof(text),
		 "manage: requests %" PRIu64 " connections %" PRIu64 " refused-others %" PRIu64,
		 stats->requests, stats->connections, management.refused);
	line(context, text);
}
