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
	"pass proto tcp flags any\npass proto icmp\npass from { 10.138.0.11 fd00:2::11 }\n",
	"pass\nmatch out on uplink inet6 nat-to (uplink)\n",
	"pass\npass out on uplink inet nat-to 10.137.0.77 symmetric\n"
	"pass in proto { tcp udp } to self port 1024:1027 rdr-to 10.138.0.11 port 1026:1027\n",
	"pass\npass on uplink inet from 10.138.0.10 to any binat-to 10.137.0.9\n"
	"pass on uplink inet6 from fd00:2::/48 to any binat-to 2001:db8:1::/48 nptv6\n",
	"pass\npass out on uplink nat-to (uplink) static-port\nblock return in proto icmp6\n",
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
	require(fragments_check(&net->router.fragments), "the fragment table is not consistent");
	require(nat_mappings_are_valid(&net->router.nat.mappings),
		"the mappings are not consistent");
	require(net->router.nat.mappings.used <= net->router.flows.used, "a mapping is lost");
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

	return addresses[choice < 96 ? 0 : choice % ARRAY_SIZE(addresses)];
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

static struct six some_address6(uint8_t choice)
{
	static const char *const addresses[] = {
		SERVER_IP6,  "fd00:2::10",    "fd00:2::11", "fd00:2::12", OUR_IP6, "2001:db8::1",
		"fd00:1::9", "2001:db8:1::9", "ff02::1",    "fe80::77",	  "::",	   "fd00:1::1",
	};

	if (choice < 96)
		return six(SERVER_IP6);
	switch (choice % 16) {
	case 13:
		return six_link_local(our_uplink_mac);
	case 14:
		return six_link_local(our_client_mac);
	case 15:
		return six_link_local(gateway_mac);
	default:
		return six(addresses[choice % ARRAY_SIZE(addresses)]);
	}
}

static struct ends6 some_ends6(const struct test_net *net, const struct test_link *link,
			       struct chaos_bytes *bytes)
{
	struct ends6 ends = ends6_out(0, SERVER_IP6);
	uint8_t choice = chaos_byte(bytes);

	if (link == &net->uplink) {
		ends = ends6_in(SERVER_IP6, six(OUR_IP6));
		ends.from = some_address6(chaos_byte(bytes));
	} else {
		ends = ends6_out((unsigned int)(link - net->client), SERVER_IP6);
		ends.to = some_address6(chaos_byte(bytes));
	}
	if (choice % 4 == 0)
		ends.to = some_address6(chaos_byte(bytes));
	if (choice % 16 == 1)
		ends.from = some_address6(chaos_byte(bytes));
	return ends;
}

/* The last frame that came out of the link, as the one who received it would quote it. */
static const struct frame *last_of(const struct test_link *link)
{
	return link->sent ? link->kept[(link->sent - 1) % TEST_LINK_KEEPS] : NULL;
}

static void about_last(const struct test_link *link, struct frame *to, const struct ends *ends,
		       struct chaos_bytes *bytes)
{
	const struct frame *last = last_of(link);
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

static void about_last6(const struct test_link *link, struct frame *to, const struct ends6 *ends,
			struct chaos_bytes *bytes)
{
	const struct frame *last = last_of(link);
	uint32_t quote = 40 + chaos_byte(bytes);

	if (!last || !frame_is6(last)) {
		frame6_echo(to, ends, true, 1, 1, 0);
		return;
	}
	if (quote > last->length - 14)
		quote = last->length - 14;
	frame6_error(to, ends, 1 + quote % 4, chaos_byte(bytes) % 8, chaos_word(bytes), last,
		     quote);
}

static void some_packet4(struct frame *to, const struct test_link *link, const struct ends *ends,
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
		if (shape & 32) {
			put16(to->bytes + 20, 0);
			frame_finish(to);
		}
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
		frame_ip4(to, ends, chaos_byte(bytes), payload + 20);
		frame_finish(to);
		break;
	}
}

static void some_neighbour(struct frame *to, const struct ends6 *ends, uint8_t shape,
			   struct chaos_bytes *bytes)
{
	if (shape & 64)
		frame6_router(to, ends, shape & 128 ? 133 : 134);
	else
		frame6_neighbour(to, ends, shape & 128 ? 135 : 136, shape & 32 ? 0x60 : 0,
				 some_address6(chaos_byte(bytes)));
}

static void some_packet6(struct frame *to, const struct test_link *link, const struct ends6 *ends,
			 struct chaos_bytes *bytes)
{
	static const uint8_t extensions[] = { 0, 60, 43, 60, 135, 0, 51, 140 };
	uint8_t shape = chaos_byte(bytes);
	uint16_t from = (uint16_t)(1024 + chaos_byte(bytes) % 8);
	uint16_t port = (uint16_t)(1024 + chaos_byte(bytes) % 8);
	uint32_t payload = chaos_word(bytes) % 1600;

	switch (shape % 8) {
	case 0:
	case 1:
		frame6_udp(to, ends, from, port, payload);
		break;
	case 2:
	case 3:
		frame6_tcp(to, ends, from, port, chaos_byte(bytes) & 0x1f, chaos_byte(bytes),
			   chaos_byte(bytes), shape & 64 ? payload * 30 : payload);
		break;
	case 4:
		frame6_echo(to, ends, shape & 64, from, port, payload);
		break;
	case 5:
		about_last6(link, to, ends, bytes);
		break;
	case 6:
		some_neighbour(to, ends, shape, bytes);
		return;
	default:
		frame6_ip(to, ends, chaos_byte(bytes) | 1, payload + 20);
		frame6_finish(to);
		break;
	}
	if (shape % 32 == 1)
		frame6_extend(to, extensions[payload % ARRAY_SIZE(extensions)],
			      8 + 8 * (payload % 3));
}

/* One of four parts of one of four datagrams that the ends' sender has. */
static void some_part(struct frame *to, const struct frame *whole, struct chaos_bytes *bytes)
{
	uint8_t choice = chaos_byte(bytes);
	uint32_t headers = frame_is6(whole) ? 54 : 34, payload = whole->length - headers;
	uint32_t offset = choice % 4 * 512, length;

	if (choice / 16 == 1)
		offset += 8;
	length = payload - offset < 512 ? payload - offset : 512;
	if (choice / 16 == 2)
		length -= 8;
	if (choice / 16 == 3)
		length -= 3;
	frame_part(to, whole, offset, length, choice / 4 % 4);
}

/* A good frame of either version, perhaps a part of one. */
static void some_packet(struct test_net *net, struct frame *to, struct test_link *link,
			struct chaos_bytes *bytes)
{
	static struct frame whole;
	uint8_t choice = chaos_byte(bytes);
	struct ends ends;
	struct ends6 ends6;

	if (choice & 1) {
		ends6 = some_ends6(net, link, bytes);
		frame6_udp(&whole, &ends6, 1024, 1025, 1640);
		if (choice % 8 != 1)
			some_packet6(to, link, &ends6, bytes);
	} else {
		ends = some_ends(net, link, bytes);
		frame_udp(&whole, &ends, 1024, 1025, 1640);
		put16(whole.bytes + 20, 0);
		frame_finish(&whole);
		if (choice % 8 != 0)
			some_packet4(to, link, &ends, bytes);
	}
	if (choice % 8 < 2)
		some_part(to, &whole, bytes);
}

/* Takes the frame out of shape. */
static void bend(struct frame *frame, struct chaos_bytes *bytes)
{
	uint8_t how = chaos_byte(bytes);

	for (unsigned int i = 0; i < how % 4u; i++)
		frame->bytes[chaos_byte(bytes) % 100] = chaos_byte(bytes);
	if (how & 4)
		frame->length = 1 + chaos_word(bytes) % (frame->length + 20);
	if (how >= 224)
		frame->bytes[14]++; /* options, in IPv4 */
	if (how & 64 && frame->length >= 34)
		frame->bytes[frame_is6(frame) ? 21 : 22] = 1;
	if (how & 8 && frame->length >= 34 && !frame_is6(frame)) { /* past the first check */
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

static bool is_udp(const struct frame *frame)
{
	if (frame_is_arp(frame) || frame->length < 42)
		return false;
	if (frame_is6(frame))
		return frame->bytes[20] == 17;
	return frame->bytes[23] == 17 && !(get16(frame->bytes + 20) & 0x3fff);
}

/* Who received `seen` sends an answer. */
static void answer(struct test_link *link, const struct frame *seen)
{
	static struct frame frame;
	struct ends ends = { seen->bytes, seen->bytes + 6, frame_destination(seen),
			     frame_source(seen) };
	struct ends6 ends6 = { seen->bytes, seen->bytes + 6, frame6_destination(seen),
			       frame6_source(seen) };

	if (frame_is6(seen))
		frame6_udp(&frame, &ends6, frame6_destination_port(seen), frame6_source_port(seen),
			   9);
	else
		frame_udp(&frame, &ends, frame_destination_port(seen), frame_source_port(seen), 9);
	test_link_input(link, &frame);
}

/* Is it the answer that the sender of `asked` waits for? */
static bool is_answer(const struct frame *asked, const struct frame *answer)
{
	uint32_t ip = frame_is6(asked) ? 22 : 26, bytes = frame_is6(asked) ? 16 : 4;
	uint32_t l4 = frame_is6(asked) ? 54 : 34;

	return answer && is_udp(answer) && frame_is6(answer) == frame_is6(asked) &&
	       memcmp(answer->bytes + ip, asked->bytes + ip + bytes, bytes) == 0 &&
	       memcmp(answer->bytes + ip + bytes, asked->bytes + ip, bytes) == 0 &&
	       get16(answer->bytes + l4) == get16(asked->bytes + l4 + 2) &&
	       get16(answer->bytes + l4 + 2) == get16(asked->bytes + l4);
}

/* Sends a client's frame. What goes on somewhere can be answered, and the answer comes back. */
static void send_and_answer(struct chaos *chaos, struct test_link *from, const struct frame *sent)
{
	struct test_net *net = chaos->net;
	uint32_t before[TEST_CLIENTS + 1], received;
	struct test_link *to = NULL;

	for (unsigned int i = 0; i <= TEST_CLIENTS; i++)
		before[i] = some_link(net, (uint8_t)i)->sent;
	test_link_input(from, sent);
	for (unsigned int i = 0; i <= TEST_CLIENTS; i++)
		if (some_link(net, (uint8_t)i)->sent == before[i] + 1)
			to = some_link(net, (uint8_t)i);
	if (!to || to == from || !is_udp(last_of(to)) || last_of(to)->length != sent->length ||
	    last_of(to)->flags & PACKET_CSUM_BLANK)
		return;
	chaos->answers++;
	received = from->sent;
	answer(to, last_of(to));
	require(!from->netdev.up || from->sent == received + 1, "an answer does not come back");
	require(!from->netdev.up || is_answer(sent, last_of(from)),
		"what comes back is not the answer");
}

/* Tells a router that has asked on the uplink. */
static void tell(struct test_link *uplink, const struct frame *question)
{
	static struct frame frame;

	if (frame_is_arp(question) && question->bytes[21] == 1) {
		frame_arp(&frame, gateway_mac, question->bytes + 6, 2, get32(question->bytes + 38),
			  get32(question->bytes + 28));
		test_link_input(uplink, &frame);
	} else if (frame_is6(question) && question->bytes[20] == 58 && question->bytes[54] == 135) {
		struct ends6 ends = {
			gateway_mac, question->bytes + 6, { { 0 } }, frame6_source(question)
		};

		memcpy(&ends.from, question->bytes + 62, sizeof(ends.from));
		frame6_neighbour(&frame, &ends, 136, 0x60, ends.from);
		test_link_input(uplink, &frame);
	}
}

/* Else hardly anything would ever get out. */
static void tell_neighbours(struct test_net *net, bool silent)
{
	for (unsigned int i = 0; i < 2 * VECTOR; i++) {
		const struct frame *question = test_link_take(&net->uplink);

		if (!question || !net->uplink.netdev.input)
			return;
		if (!silent)
			tell(&net->uplink, question);
	}
}

static void send_some(struct chaos *chaos, struct chaos_bytes *bytes)
{
	static struct frame frames[VECTOR];
	struct test_net *net = chaos->net;
	uint8_t choice = chaos_byte(bytes);
	struct test_link *link = some_link(net, choice);
	unsigned int count = 1 + choice / 64u;

	if (!link->netdev.input)
		return;
	for (unsigned int i = 0; i < count; i++) {
		some_packet(net, &frames[i], link, bytes);
		if (chaos_byte(bytes) & 1 && chaos->bends)
			bend(&frames[i], bytes);
	}
	if (count == 1 && !chaos->bends && link != &net->uplink && is_udp(&frames[0]))
		send_and_answer(chaos, link, &frames[0]);
	else
		test_link_input_vector(link, frames, count);
	tell_neighbours(net, choice % 64 < 8);
}

static void attach(struct test_net *net, struct test_link *link)
{
	int error;

	if (link == &net->uplink)
		error = router_attach_uplink(&net->router, &link->netdev);
	else
		error = test_net_attach_client(net, (unsigned int)(link - net->client), true);
	require(error == 0, "cannot attach");
}

static void change_link(struct test_net *net, struct test_link *link, bool up)
{
	if (link->netdev.up == up)
		return;
	link->netdev.up = up;
	router_link_changed(&net->router, &link->netdev);
}

/* One of ours, another, or none; of either version. */
static void change_address(struct test_net *net, uint8_t what)
{
	struct router_uplink4 ip4 = { be32_of(OUR_IP), 24, be32_of(GATEWAY_IP), 0 };
	struct router_uplink6 ip6 = { .prefix = 64 };
	struct six ours = six(OUR_IP6), gateway = six_link_local(gateway_mac);
	uint8_t which = what / 16 % 4;
	int error;

	if (what & 8) {
		ip4.address = be32_of(which == 3 ? 0 : OUR_IP + (which == 2));
		error = router_set_uplink4(&net->router, &ip4);
	} else {
		ours.bytes[15] = (uint8_t)(ours.bytes[15] + (which == 2));
		if (which != 3)
			memcpy(&ip6.address, &ours, sizeof(ours));
		memcpy(&ip6.gateway, &gateway, sizeof(gateway));
		error = router_set_uplink6(&net->router, &ip6);
	}
	require(error == 0, "cannot change our address");
}

static void change_something(struct test_net *net, struct chaos_bytes *bytes)
{
	uint8_t what = chaos_byte(bytes);
	struct test_link *link = some_link(net, chaos_byte(bytes));
	bool rare = what >= 192; /* what makes everything else rare while it lasts */

	switch (what % 7) {
	case 0:
		if (!link->netdev.stack)
			attach(net, link);
		else if (rare)
			router_detach(&net->router, &link->netdev);
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
		change_link(net, link, !rare);
		break;
	case 4:
		test_net_set_rules(
			net, rare ? NULL : rule_files[chaos_byte(bytes) % ARRAY_SIZE(rule_files)]);
		break;
	case 5:
		change_address(net, what);
		break;
	default:
		test_net_advance(net, what * TEST_SECOND / 8);
		break;
	}
}

struct chaos chaos_begin(struct chaos_bytes *bytes)
{
	struct chaos chaos = { .net = test_net_begin6(RULES_OPEN, 32),
			       .bends = chaos_byte(bytes) & 1 };

	/* Where only good frames go in, only such come out. */
	chaos.net->uplink.damaged = chaos.bends;
	for (unsigned int i = 0; i < TEST_CLIENTS; i++)
		chaos.net->client[i].damaged = chaos.bends;
	return chaos;
}

void chaos_run(struct chaos *chaos, struct chaos_bytes *bytes)
{
	struct test_net *net = chaos->net;

	while (bytes->left) {
		if (chaos_byte(bytes) % 16 == 0)
			change_something(net, bytes);
		else
			send_some(chaos, bytes);
		chaos_check(net);
	}
	require(flow_table_is_valid(&net->router.flows), "the flow table is not consistent");
	/* Whatever has happened, the detached and closed may be opened again. */
	for (unsigned int i = 0; i <= TEST_CLIENTS; i++)
		some_link(net, (uint8_t)i)->netdev.up = true;
}
