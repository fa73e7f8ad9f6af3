/* SPDX-License-Identifier: ISC */
/*
 * lwIP at both ends: its raw interface, without threads. It has one stack in a process, so
 * both ends belong to one stack with two links: what leaves by one comes in by the other. What it
 * sends belongs to its queue until it is acknowledged, so the link copies, as its own loop does.
 */
#include <stdlib.h>
#include <string.h>

#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "tests/bench_tcp/pair.h"
#include "tests/bench_tcp/wire.h"

#define SERVER_PORT 80u
#define MS_NS 1000000u
#define ACCEPTED_MAX 1024u

const char *const pair_name = "lwip";
const bool pair_has_gso = false;
uint64_t pair_now;

struct end {
	struct tcp_pcb *pcb; /* NULL: it is over */
	struct pbuf *came;
	bool open, ended;
};

static struct netif links[2]; /* of the client, of the server */
static struct wire wires[2];  /* to the server, to the client */
static struct end *accepted[ACCEPTED_MAX];
static uint32_t accepted_count;
static uint16_t next_port;
static bool begun;

uint32_t sys_now(void)
{
	return (uint32_t)(pair_now / MS_NS);
}

static err_t output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
	struct wire *wire = netif->state;
	struct pbuf *copy = pbuf_alloc(PBUF_LINK, packet->tot_len, PBUF_POOL);

	(void)to;
	if (!copy)
		return ERR_MEM;
	pbuf_copy(copy, packet);
	if (!wire_put(wire, copy, packet->tot_len + 14u, pair_now))
		pbuf_free(copy);
	return ERR_OK;
}

static err_t link_begin(struct netif *netif)
{
	netif->mtu = 1500;
	netif->output = output;
	return ERR_OK;
}

static err_t came(void *context, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
	struct end *end = context;

	(void)pcb;
	(void)error;
	if (!packet)
		end->ended = true;
	else if (end->came)
		pbuf_cat(end->came, packet);
	else
		end->came = packet;
	return ERR_OK;
}

static void failed(void *context, err_t error)
{
	struct end *end = context;

	(void)error;
	end->pcb = NULL;
	end->ended = true;
}

static struct end *end_of(struct tcp_pcb *pcb)
{
	struct end *end = calloc(1, sizeof(*end));

	end->pcb = pcb;
	tcp_arg(pcb, end);
	tcp_recv(pcb, came);
	tcp_err(pcb, failed);
	return end;
}

static err_t comes(void *context, struct tcp_pcb *pcb, err_t error)
{
	(void)context;
	(void)error;
	if (!pcb || accepted_count == ACCEPTED_MAX)
		return ERR_MEM;
	accepted[accepted_count] = end_of(pcb);
	accepted[accepted_count++]->open = true;
	return ERR_OK;
}

static err_t is_there(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct end *end = context;

	(void)pcb;
	(void)error;
	end->open = true;
	return ERR_OK;
}

static void add_link(unsigned int i, uint8_t last)
{
	ip4_addr_t address, mask, none;

	IP4_ADDR(&address, 10, 0, last, 1);
	IP4_ADDR(&mask, 255, 255, 255, 0);
	IP4_ADDR(&none, 0, 0, 0, 0);
	/* What goes to the server's address leaves by the server's link. */
	netif_add(&links[i], &address, &mask, &none, &wires[!i], link_begin, ip4_input);
	netif_set_up(&links[i]);
	netif_set_link_up(&links[i]);
}

void pair_begin(const struct pair_options *options)
{
	struct tcp_pcb *pcb;

	wire_init(&wires[0], options->delay_ns, options->rate, options->queue, options->loss, 77);
	wire_init(&wires[1], 0, 0, 0, 0, 1);
	accepted_count = 0;
	if (begun)
		return;
	begun = true;
	lwip_init();
	add_link(0, 0);
	add_link(1, 1);
	pcb = tcp_new();
	if (tcp_bind(pcb, IP_ADDR_ANY, SERVER_PORT))
		exit(2);
	pcb = tcp_listen_with_backlog(pcb, 255);
	tcp_accept(pcb, comes);
}

uint32_t pair_pump(void)
{
	uint32_t delivered = 0;
	struct pbuf *packet;

	for (unsigned int i = 0; i < 2; i++)
		for (; (packet = wire_get(&wires[i], pair_now)); delivered++)
			if (links[!i].input(packet, &links[!i]))
				pbuf_free(packet);
	sys_check_timeouts();
	return delivered;
}

uint64_t pair_next(void)
{
	uint64_t timer = pair_now + (uint64_t)sys_timeouts_sleeptime() * MS_NS;

	for (unsigned int i = 0; i < 2; i++)
		if (wire_next(&wires[i]) < timer)
			timer = wire_next(&wires[i]);
	return timer;
}

void *pair_connect(void)
{
	struct tcp_pcb *pcb = tcp_new();
	ip_addr_t from, to;
	struct end *end;

	IP4_ADDR(&from, 10, 0, 0, 1);
	IP4_ADDR(&to, 10, 0, 1, 1);
	if (!pcb)
		return NULL;
	pcb->so_options |= SOF_REUSEADDR;
	end = end_of(pcb);
	if (tcp_bind(pcb, &from, (uint16_t)(5000 + next_port++ % 60000u)) ||
	    tcp_connect(pcb, &to, SERVER_PORT, is_there))
		return NULL;
	return end;
}

void *pair_accept(void)
{
	return accepted_count ? accepted[--accepted_count] : NULL;
}

bool pair_is_open(const void *connection)
{
	const struct end *end = connection;

	return end->open && end->pcb;
}

bool pair_has_ended(const void *connection)
{
	const struct end *end = connection;

	return end->ended && !end->came;
}

uint32_t pair_send(void *connection, const void *data, uint32_t bytes)
{
	struct end *end = connection;
	uint32_t room = end->pcb ? tcp_sndbuf(end->pcb) : 0;

	/* Whole segments, and its queue has a limit of its own. */
	if (bytes > 1448)
		bytes = (bytes < room ? bytes : room) / 1448 * 1448;
	if (bytes == 0 || bytes > room ||
	    tcp_write(end->pcb, data, (uint16_t)bytes, TCP_WRITE_FLAG_COPY))
		return 0;
	tcp_output(end->pcb);
	return bytes;
}

uint32_t pair_take(void *connection)
{
	struct end *end = connection;
	uint32_t bytes = 0;

	/* tot_len has 16 bits, and chains of packets may have more. */
	for (const struct pbuf *part = end->came; part; part = part->next)
		bytes += part->len;
	if (!bytes)
		return 0;
	pbuf_free(end->came);
	end->came = NULL;
	for (uint32_t left = bytes; left && end->pcb;) {
		uint16_t part = (uint16_t)(left < 65535 ? left : 65535);

		tcp_recved(end->pcb, part);
		left -= part;
	}
	return bytes;
}

void pair_close(void *connection)
{
	struct end *end = connection;

	if (end->pcb) {
		tcp_arg(end->pcb, NULL);
		tcp_recv(end->pcb, NULL);
		tcp_err(end->pcb, NULL);
		tcp_close(end->pcb);
	}
	if (end->came)
		pbuf_free(end->came);
	free(end);
}

void pair_trace(void *connection)
{
	(void)connection;
}
