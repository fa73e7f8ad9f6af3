/* SPDX-License-Identifier: ISC */
#include "tests/net/chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR 4u

static const char *const rule_files[] = {
	RULES_OPEN,
	"block return\npass proto udp\n",
	"pass no state\n",
	"pass proto tcp flags any\npass proto icmp\npass from 10.138.0.11\n",
};

uint8_t chaos_byte(struct chaos_bytes *bytes)
{
	if (!bytes->left)
		return 0;
	bytes->left--;
	return *bytes->next++;
}

uint16_t chaos_word(struct chaos_bytes *bytes)
{
	uint8_t high = chaos_byte(bytes);

	return (uint16_t)(high << 8 | chaos_byte(bytes));
}

static void require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "chaos: %s\n", what);
	abort();
}

static void check_link(const struct test_link *link)
{
	require(!link->error[0], link->error);
	require(link->netdev.stack == NULL || link->netdev.input == router_input, "a loose input");
}

static uint32_t fragments_waiting(const struct fragment_table *table)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->config.entries; i++)
		if (table->entries[i].state != FRAGMENT_FREE)
			list_for_each(link, &table->entries[i].held)
				count++;
	return count;
}

void chaos_check(const struct test_net *net)
{
	uint32_t queued = arp_waiting(&net->router.arp) + ndp_waiting(&net->router.ndp) +
			  fragments_waiting(&net->router.fragments);

	require(net->packets.free_count + queued == TEST_PACKETS, "a packet is lost");
	for (uint32_t i = 0; i < ARP_ENTRIES; i++)
		list_for_each(link, &net->router.arp.entries[i].queue)
			require(packet_is_valid(list_entry(link, struct packet, link)),
				"a waiting packet is not valid");
	if (!queued)
		for (unsigned int c = 0; c < IOPAGE_CLASS_COUNT; c++)
			require(net->pages.free_count[c] == net->free_pages[c], "a page is lost");
	check_link(&net->uplink);
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		check_link(&net->client[i]);
}

static struct test_link *some_link(struct test_net *net, uint8_t choice)
{
	unsigned int i = choice % (TEST_CLIENTS + 1);

	return i == TEST_CLIENTS ? &net->uplink : &net->client[i];
}

static uint32_t some_address(uint8_t choice)
{
	static const uint32_t addresses[] = {
		SERVER_IP,  CLIENT_IP(0),  CLIENT_IP(1),      CLIENT_IP(2),    OUR_IP,
		GATEWAY_IP, SERVER_IP + 1, IP(10, 137, 0, 9), IP(224, 0, 0, 1)
	};

	return addresses[choice % ARRAY_SIZE(addresses)];
}

static struct ends some_ends(const struct test_net *net, const struct test_link *link,
			     struct chaos_bytes *bytes)
{
	if (link == &net->uplink) {
		struct ends ends = ends_in(some_address(chaos_byte(bytes)));

		if (chaos_byte(bytes) % 4 == 0)
			ends.to = some_address(chaos_byte(bytes));
		return ends;
	}
	return ends_out((unsigned int)(link - net->client), some_address(chaos_byte(bytes)));
}

/* The last frame that came out of the link, as the one who received it would quote it. */
static void about_last(const struct test_link *link, struct frame *to, const struct ends *ends,
		       struct chaos_bytes *bytes)
{
	const struct frame *last =
		link->sent ? link->kept[(link->sent - 1) % TEST_LINK_KEEPS] : NULL;
	static const uint8_t types[] = { 3, 11, 12, 5, 3 };
	uint32_t quote = chaos_byte(bytes);

	if (!last || frame_is_arp(last)) {
		frame_echo(to, ends, true, 1, 1, 0);
		return;
	}
	if (quote > last->length - 14)
		quote = last->length - 14;
	frame_icmp_error(to, ends, types[quote % ARRAY_SIZE(types)], chaos_byte(bytes) % 16, last,
			 quote);
}

static void some_packet(struct frame *to, const struct test_link *link, const struct ends *ends,
			struct chaos_bytes *bytes)
{
	uint8_t shape = chaos_byte(bytes);
	uint16_t from = (uint16_t)(1024 + chaos_byte(bytes) % 8);
	uint16_t port = (uint16_t)(1024 + chaos_byte(bytes) % 8);
	uint32_t payload = chaos_word(bytes) % 1600;

	switch (shape % 8) {
	case 0:
	case 1:
		frame_udp(to, ends, from, port, payload);
		break;
	case 2:
	case 3:
		frame_tcp(to, ends, from, port, chaos_byte(bytes) & 0x1f, chaos_byte(bytes),
			  chaos_byte(bytes), shape & 64 ? payload * 30 : payload);
		break;
	case 4:
		frame_echo(to, ends, shape & 64, from, port, payload);
		break;
	case 5:
		about_last(link, to, ends, bytes);
		break;
	case 6:
		frame_arp(to, ends->from_mac, ends->to_mac, shape & 64 ? 1 : 2, ends->from,
			  ends->to);
		break;
	default:
		frame_ip4(to, ends, chaos_byte(bytes), payload);
		break;
	}
}

/* Takes the frame out of shape. */
static void bend(struct frame *frame, struct chaos_bytes *bytes)
{
	uint8_t how = chaos_byte(bytes);

	for (unsigned int i = 0; i < how % 4u; i++)
		frame->bytes[chaos_byte(bytes) % 100] = chaos_byte(bytes);
	if (how & 4)
		frame->length = 1 + chaos_word(bytes) % (frame->length + 20);
	if (how & 8 && frame->length >= 34) { /* past the first check */
		put16(frame->bytes + 24, 0);
		put16(frame->bytes + 24, (uint16_t)~naive_sum(frame->bytes + 14, 20, 0));
	}
	if (how & 16)
		frame->flags = chaos_byte(bytes) & 3;
	if (how & 32) {
		frame->gso_type = chaos_byte(bytes) % 3;
		frame->gso_size = chaos_word(bytes);
	}
}

static void send_some(struct test_net *net, struct chaos_bytes *bytes)
{
	static struct frame frames[VECTOR];
	uint8_t choice = chaos_byte(bytes);
	struct test_link *link = some_link(net, choice);
	unsigned int count = 1 + choice / 64u;

	if (!link->netdev.input)
		return;
	for (unsigned int i = 0; i < count; i++) {
		struct ends ends = some_ends(net, link, bytes);

		some_packet(&frames[i], link, &ends, bytes);
		if (chaos_byte(bytes) & 1)
			bend(&frames[i], bytes);
	}
	test_link_input_vector(link, frames, count);
}

static void toggle_attached(struct test_net *net, struct test_link *link)
{
	int error = 0;

	if (link->netdev.stack)
		router_detach(&net->router, &link->netdev);
	else if (link == &net->uplink)
		error = router_attach_uplink(&net->router, &link->netdev);
	else
		error = router_attach_client4(&net->router, &link->netdev,
					      be32_of(CLIENT_IP((uint32_t)(link - net->client))));
	require(error == 0, "cannot attach");
}

static void change_something(struct test_net *net, struct chaos_bytes *bytes)
{
	uint8_t what = chaos_byte(bytes);
	struct test_link *link = some_link(net, chaos_byte(bytes));

	switch (what % 6) {
	case 0:
		toggle_attached(net, link);
		break;
	case 1:
		link->netdev.features = what / 8u;
		break;
	case 2:
		/* Fixed for as long as it is attached, as the drivers do it. */
		if (!link->netdev.stack)
			link->netdev.mtu = (uint16_t)(576 + what * 8u);
		break;
	case 3:
		link->netdev.up = !link->netdev.up;
		router_link_changed(&net->router, &link->netdev);
		break;
	case 4:
		test_net_set_rules(net, what & 64 ? NULL : rule_files[what / 8u % 4]);
		break;
	default:
		test_net_advance(net, what * TEST_SECOND / 8);
		break;
	}
}

struct test_net *chaos_begin(void)
{
	struct test_net *net = test_net_begin(RULES_OPEN, 32);

	net->uplink.damaged = true;
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		net->client[i].damaged = true;
	return net;
}

void chaos_run(struct test_net *net, struct chaos_bytes *bytes)
{
	while (bytes->left) {
		if (chaos_byte(bytes) % 16 == 0)
			change_something(net, bytes);
		else
			send_some(net, bytes);
		chaos_check(net);
	}
	require(flow_table_is_valid(&net->router.flows), "the flow table is not consistent");
	/* Whatever has happened, the detached and closed may be opened again. */
	for (unsigned int i = 0; i <= TEST_CLIENTS; i++)
		some_link(net, (uint8_t)i)->netdev.up = true;
}
