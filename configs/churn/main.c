/* SPDX-License-Identifier: ISC */
/*
 * The churn guest: a client that lives to be destroyed. It floods its gateway with
 * echo requests to `target=` from the moment it is connected, so that whenever it
 * dies there are packets under way on all rings. `burst=` packets leave every `pause=`
 * ms, of `flows=` echo identifiers in turn.
 */
#include <stdlib.h>
#include <string.h>

#include "configs/echo_frame.h"
#include "configs/pools.h"
#include "drivers/netfront.h"
#include "lib/byteorder.h"
#include "lib/ip4_text.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/params.h"
#include "xen/console.h"
#include "xen/fiber.h"
#include "xen/loop.h"
#include "xen/start.h"

#define PAGES 1024u
#define PACKETS 512u
#define RX_PAGES 320u
#define TX_PAGES 512u
#define BURST_MOST PACKET_VECTOR_MAX
#define FLOWS_MOST 65535u
#define PAUSE_MS 5u
#define PAUSE_MS_MOST 1000u
#define MS 1000000ull
#define SAY_FIRST 50u

static struct iopage_pool pages;
static struct packet_pool packets;
static struct netfront *front;
static struct netdev *uplink;
static struct params params;
static be32 target;
static uint32_t burst, pause_ms, flows, flow;
static uint16_t sequence;
static uint32_t answers, say_at = SAY_FIRST;

static struct packet *echo_make(void)
{
	struct packet *packet = packet_alloc_page(&packets, IOPAGE_UPLINK_READ);
	/* Ringwall's MAC on every client's link */
	static const uint8_t gateway[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct echo_frame frame = { .source = params.ip,
				    .destination = target,
				    .echo_id = be16_of((uint16_t)(flow + 1)),
				    .sequence = be16_of(sequence++) };
	uint8_t *to = packet ? packet_append(packet, sizeof(frame)) : NULL;

	flow = flow + 1 < flows ? flow + 1 : 0;
	if (!to) {
		packet_free(packet);
		return NULL;
	}
	echo_frame_make_request(&frame, uplink->mac, gateway);
	memcpy(to, &frame, sizeof(frame));
	return packet;
}

static void flood(void *argument)
{
	(void)argument;
	for (;;) {
		struct packet_vector vector = { .count = 0 };

		while (uplink && vector.count < burst) {
			struct packet *packet = echo_make();

			if (!packet)
				break;
			packet_vector_add(&vector, packet);
		}
		if (uplink)
			uplink->ops->transmit(uplink, &vector);
		fiber_sleep_until(loop_now_ns() + pause_ms * MS);
	}
}

static void input(struct netdev *netdev, struct packet_vector *vector)
{
	(void)netdev;
	for (uint32_t i = 0; i < vector->count; i++) {
		const struct packet *packet = vector->packets[i];
		struct echo_frame frame;

		if (packet->length < ECHO_FRAME_BYTES ||
		    packet_copy_out(packet, 0, &frame, sizeof(frame)) || frame.protocol != 1 ||
		    frame.type != 0)
			continue;
		if (++answers < say_at)
			continue;
		/* Rarely, because a measured flood shall not be a flood of console lines. */
		log_line(LOG_INFO, "churn", "%u answers", answers);
		say_at *= 2;
	}
	packet_vector_drop(vector, DROP_NOT_OURS);
}

static void attached(struct netdev *netdev, void *context)
{
	(void)context;
	uplink = netdev;
	netdev->input = input;
}

static void detached(struct netdev *netdev, void *context)
{
	(void)netdev;
	(void)context;
	uplink = NULL;
}

/* "burst=N", "pause=N" and "flows=N": a number from 1 to `most`, `usual` where it is missing. */
static uint32_t number_find(const char *cmdline, const char *name, uint32_t usual, uint32_t most)
{
	const char *word = strstr(cmdline, name);
	unsigned long value = word ? strtoul(word + strlen(name), NULL, 10) : usual;

	if (value < 1 || value > most)
		panic("%s1 to %u", name, most);
	return (uint32_t)value;
}

/* "target=A.B.C.D" is this guest's own word. */
static void target_find(const char *cmdline)
{
	const char *word = strstr(cmdline, "target=");
	const char *value = word ? word + strlen("target=") : "";

	if (ip4_text_parse(value, strcspn(value, " "), &target))
		panic("target= is missing");
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	struct netfront_config config = { .packets = &packets,
					  .rx_pages = RX_PAGES,
					  .tx_pages = TX_PAGES,
					  .attached = attached,
					  .detached = detached };

	(void)module;
	(void)module_bytes;
	if (params_parse(cmdline, &params) && !params.has_ip)
		panic("ip= is missing");
	target_find(cmdline);
	burst = number_find(cmdline, "burst=", BURST_MOST, BURST_MOST);
	pause_ms = number_find(cmdline, "pause=", PAUSE_MS, PAUSE_MS_MOST);
	flows = number_find(cmdline, "flows=", 1, FLOWS_MOST);
	pools_make(&pages, PAGES, &packets, PACKETS);
	if (netfront_start(&config, &front) || fiber_start("flood", flood, NULL))
		panic("not enough memory");
}
