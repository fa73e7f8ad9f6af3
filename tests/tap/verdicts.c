/* SPDX-License-Identifier: ISC */
/*
 * The router as a function: frames in by stdin, what it makes of each out by stdout, on a
 * virtual clock. All numbers are little-endian.
 *
 *	in	'R' u32 bytes, text	rules, and every flow ends
 *		'P' u8 link, u16 bytes, frame
 *		'T' u32 milliseconds	time passes
 *		'F'			write what there is
 *	out	to R: u8 0, or 1 when they cannot be used
 *		to P: u8 count, and for each frame u8 link, u16 bytes, frame
 *
 * Link 0 is the uplink, the others are clients. Arguments: SEED, the uplink's
 * ADDRESS/PREFIX GATEWAY, and for IPv6 ADDRESS/PREFIX GATEWAY; then ADDRESS,ADDRESS6 of
 * each client. Everybody's MAC is known. Status 1 when anything was lost.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap/box.h"

#define LINKS 16u
#define FIRST_CLIENT_ARGUMENT 6
#define FRAME_BYTES 4000u
#define KEPT_MAX 64u
#define NS_PER_MS 1000000ull

static const uint8_t uplink_mac[] = { 0x00, 0x16, 0x3e, 0x01, 0x01, 0x01 };
static const uint8_t gateway_mac[] = { 0x00, 0x16, 0x3e, 0x0a, 0x0a, 0x0a };
static const uint8_t client_side_mac[] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };

static struct box box;
static struct netdev links[LINKS];
static unsigned int link_count;
static uint64_t now_ns = 5000 * NS_PER_MS;

/* What the frame being looked at has brought forth. */
static struct {
	unsigned int count;
	uint8_t link[KEPT_MAX];
	uint16_t bytes[KEPT_MAX];
	uint8_t frame[KEPT_MAX][FRAME_BYTES];
} kept;

static void die(const char *what)
{
	fprintf(stderr, "verdicts: %s\n", what);
	exit(2);
}

static void keep(uint8_t link, const struct packet *packet)
{
	if (kept.count == KEPT_MAX || packet->length > FRAME_BYTES ||
	    packet_copy_out(packet, 0, kept.frame[kept.count], packet->length))
		die("more than it can keep");
	kept.link[kept.count] = link;
	kept.bytes[kept.count++] = (uint16_t)packet->length;
}

static void transmit(struct netdev *netdev, struct packet_vector *vector)
{
	for (uint32_t i = 0; i < vector->count; i++) {
		keep((uint8_t)(netdev - links), vector->packets[i]);
		packet_free(vector->packets[i]);
	}
	vector->count = 0;
}

static const struct netdev_ops ops = { .transmit = transmit };

/* ---- in and out ---- */

/* False: the end, which may only come between commands. */
static bool take(void *to, size_t bytes)
{
	return fread(to, 1, bytes, stdin) == bytes;
}

static void give(const void *from, size_t bytes)
{
	if (fwrite(from, 1, bytes, stdout) != bytes)
		die("nobody listens");
}

static void rules_command(void)
{
	uint32_t bytes;
	char *text;
	uint8_t bad;

	if (!take(&bytes, sizeof(bytes)) || bytes > RULES_MAX_BYTES)
		die("rules of no size");
	text = malloc(bytes + 1ul);
	if (!text || !take(text, bytes))
		die("rules cut off");
	bad = box_set_rules(&box, text, bytes) != 0;
	free(text);
	router_flush_flows(&box.router);
	give(&bad, sizeof(bad));
}

static void frame_in(uint8_t link, uint16_t bytes)
{
	struct packet_vector vector = { .count = 0 };
	struct packet *packet = link ? packet_alloc_page(&box.packets, IOPAGE_UPLINK_READ)
				     : packet_alloc_page(&box.packets, IOPAGE_PRIVATE);
	uint8_t *data = packet ? packet_append(packet, bytes) : NULL;

	if (!data || !take(data, bytes))
		die("frame cut off, or too long");
	packet->in = &links[link];
	packet_vector_add(&vector, packet);
	links[link].input(&links[link], &vector);
}

static void frame_command(void)
{
	uint8_t link, count;
	uint16_t bytes;

	if (!take(&link, sizeof(link)) || !take(&bytes, sizeof(bytes)) || link >= link_count)
		die("no frame");
	kept.count = 0;
	frame_in(link, bytes);
	count = (uint8_t)kept.count;
	give(&count, sizeof(count));
	for (unsigned int i = 0; i < kept.count; i++) {
		give(&kept.link[i], sizeof(kept.link[i]));
		give(&kept.bytes[i], sizeof(kept.bytes[i]));
		give(kept.frame[i], kept.bytes[i]);
	}
}

static void time_command(void)
{
	uint32_t ms;

	if (!take(&ms, sizeof(ms)))
		die("no time");
	now_ns += ms * NS_PER_MS;
	router_set_now(&box.router, now_ns);
	router_run_timers(&box.router);
}

static void serve(void)
{
	char command;

	while (take(&command, 1)) {
		switch (command) {
		case 'R':
			rules_command();
			break;
		case 'P':
			frame_command();
			break;
		case 'T':
			time_command();
			break;
		case 'F':
			fflush(stdout);
			break;
		default:
			die("no such command");
		}
	}
}

/* ---- start ---- */

/* "ADDRESS" or "ADDRESS/PREFIX" of either version. */
static void address_read(char *text, struct box_address *address, uint8_t *prefix)
{
	char *slash = strchr(text, '/');

	if (slash) {
		*slash = '\0';
		*prefix = (uint8_t)atoi(slash + 1);
	}
	if (inet_pton(AF_INET, text, &address->ip4) == 1)
		return;
	if (inet_pton(AF_INET6, text, address->ip6) != 1)
		die(text);
	address->has_ip6 = true;
}

static void link_start(const char *name, const uint8_t *mac, const uint8_t *peer)
{
	struct netdev *netdev = &links[link_count++];

	netdev->ops = &ops;
	snprintf(netdev->name, sizeof(netdev->name), "%s", name);
	memcpy(netdev->mac, mac, sizeof(netdev->mac));
	memcpy(netdev->peer_mac, peer, sizeof(netdev->peer_mac));
	netdev->mtu = 1500;
	netdev->up = true;
}

static void client_start(char *text)
{
	uint8_t mac[] = { 0x00, 0x16, 0x3e, 0x5e, 0x6c, (uint8_t)link_count };
	struct box_address address = { .has_ip6 = false };
	char *comma = strchr(text, ',');
	uint8_t prefix;
	char name[NETDEV_NAME_BYTES];

	if (link_count == LINKS)
		die("too many clients");
	if (comma) {
		*comma = '\0';
		address_read(comma + 1, &address, &prefix);
	}
	address_read(text, &address, &prefix);
	snprintf(name, sizeof(name), "client%u.0", link_count);
	link_start(name, client_side_mac, mac);
	if (box_attach_client(&box, &links[link_count - 1], &address))
		die("a client's address");
}

int main(int argc, char **argv)
{
	struct box_config config = { .flows = 16384, .now_ns = now_ns };
	int errors;

	if (argc <= FIRST_CLIENT_ARGUMENT)
		die("SEED ADDRESS/PREFIX GATEWAY ADDRESS6/PREFIX GATEWAY6 CLIENT...");
	setvbuf(stdout, NULL, _IOFBF, 4 << 20);
	config.seed = strtoull(argv[1], NULL, 10);
	address_read(argv[2], &config.address, &config.prefix);
	address_read(argv[3], &config.gateway, &config.prefix);
	if (box_has_ip6()) {
		address_read(argv[4], &config.address, &config.prefix6);
		address_read(argv[5], &config.gateway, &config.prefix6);
	}
	if (box_init(&box, &config))
		die("the addresses");
	link_start("uplink0", uplink_mac, gateway_mac);
	if (box_attach_uplink(&box, &links[0]))
		die("the uplink");
	for (int i = FIRST_CLIENT_ARGUMENT; i < argc; i++)
		client_start(argv[i]);
	kept.count = 0;
	serve();
	for (unsigned int i = 0; i < link_count; i++)
		router_detach(&box.router, &links[i]);
	errors = box_end(&box);
	return errors != 0;
}
