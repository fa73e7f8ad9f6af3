/* SPDX-License-Identifier: ISC */
/*
 * Sockets of a router, with a far end on the uplink (behind the gateway) or as a client: side 1
 * of test_sockets.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/router_sockets.h"
#include "net/socket_parts.h"
#include "net/wire.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"
#include "tests/net/test_sockets.h"

static struct test_net *net;
static struct sockets *ours, *far;
static void *memory;
static struct test_link *link_to_far;
static struct frame frame;
static uint32_t gso_seen;

static const struct sockets_config small = {
	.connections = 16,
	.time_waits = 16,
	.memory_bytes = 1u << 20,
	.receive_bytes = 65535,
	.send_bytes = 65535,
};

static void begin(const char *rules, bool on_uplink)
{
	struct sockets_config config = small;

	net = test_net_begin6(rules, 256);
	config.links = router_socket_links(&net->router);
	config.random = &net->random;
	memory = aligned_alloc(4096, sockets_memory_bytes(&config));
	ours = sockets_init(&config, memory, net->now_ns);
	ck_assert_ptr_nonnull(ours);
	router_add_service(&net->router, sockets_service(ours));
	test_sockets_begin(&small);
	far = test_sides[1].sockets;
	test_now = net->now_ns;
	sockets_set_now(far, test_now);
	(void)!sockets_run(far);
	link_to_far = on_uplink ? &net->uplink : &net->client[0];
	gso_seen = 0;
	if (!on_uplink) {
		struct router_address addresses[] = { { test_address(1, 4, 0).ip, 32 },
						      { test_address(1, 6, 0).ip, 128 } };

		router_detach(&net->router, &net->client[0].netdev);
		ck_assert_int_eq(
			router_attach_client(&net->router, &net->client[0].netdev, addresses, 2),
			0);
		net->client[0].taken = net->client[0].sent;
	}
}

static struct packet *packet_of(const struct frame *from)
{
	struct packet *packet = packet_alloc_page(&test_packet_pool, IOPAGE_PRIVATE);
	uint32_t head = from->length < 1600 ? from->length : 200, done = head;

	memcpy(packet_append(packet, head), from->bytes, head);
	while (done < from->length) {
		struct iopage *page = iopage_alloc(test_packet_pool.pages, IOPAGE_PRIVATE);
		uint32_t part = from->length - done;

		part = part < IOPAGE_SIZE ? part : IOPAGE_SIZE;
		memcpy(page->data, from->bytes + done, part);
		ck_assert_int_eq(packet_add_frag(packet, page, 0, (uint16_t)part), 0);
		done += part;
	}
	packet->flags = from->flags & (PACKET_CSUM_BLANK | PACKET_CSUM_VALID);
	packet->gso_type = from->gso_type;
	packet->gso_size = from->gso_size;
	return packet;
}

static void frame_of_packet(struct packet *packet)
{
	const uint8_t *to = link_to_far == &net->uplink ? our_uplink_mac : our_client_mac;
	const uint8_t *from = link_to_far == &net->uplink ? gateway_mac : client_mac[0];

	memset(&frame, 0, offsetof(struct frame, bytes));
	memcpy(ethernet_of(packet)->destination, to, 6);
	memcpy(ethernet_of(packet)->source, from, 6);
	frame.length = packet->length;
	ck_assert_int_eq(packet_copy_out(packet, 0, frame.bytes, packet->length), 0);
	packet_free(packet);
}

/* One way and the other; true: something moved. */
static bool step(void)
{
	struct test_side *side = &test_sides[1];
	const struct frame *out;
	bool moved = false;

	router_set_now(&net->router, net->now_ns);
	sockets_set_now(ours, net->now_ns);
	sockets_set_now(far, net->now_ns);
	for (uint32_t i = 0; i < side->queued; i++) {
		frame_of_packet(side->queue[i]);
		test_link_input(link_to_far, &frame);
		moved = true;
	}
	side->queued = 0;
	moved |= sockets_run(ours);
	router_run_timers(&net->router);
	while ((out = test_link_take(link_to_far))) {
		moved = true;
		gso_seen += out->gso_type != 0;
		if (!frame_is_arp(out))
			(void)!test_sockets_deliver(1, packet_of(out));
	}
	return moved | sockets_run(far);
}

static void run(uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		for (unsigned int n = 0; step() && n < 100; n++)
			;
		net->now_ns += TEST_MS;
		test_now = net->now_ns;
	}
}

static void end(void)
{
	for (unsigned int i = 0;
	     i < 300 && (sockets_use(ours).connections || sockets_use(far).connections); i++) {
		net->now_ns += 1000 * TEST_MS;
		run(2);
	}
	ck_assert_uint_eq(sockets_use(ours).connections, 0);
	ck_assert_uint_eq(sockets_use(ours).buffer_bytes, 0);
	ck_assert_uint_eq(sockets_use(ours).udp_sockets, 0);
	test_sockets_end();
	net->router.service = NULL;
	test_net_end(net);
	free(memory);
}

static struct socket_address our_address(uint8_t version, uint16_t port)
{
	struct six address = six(OUR_IP6);

	return (struct socket_address){ version == 4 ? ip_address_of4(be32_of(OUR_IP))
						     : ip_address_of6(address.bytes),
					port };
}

static struct socket *listen_at(struct sockets *sockets, uint16_t port)
{
	struct socket_listen how = { .own.port = port };
	int error;
	struct socket *listener = socket_listen(sockets, &how, NULL, NULL, &error);

	ck_assert_ptr_nonnull(listener);
	return listener;
}

static struct socket *connect_to(struct sockets *sockets, struct socket_address peer)
{
	int error;
	struct socket *socket = socket_connect(sockets, NULL, &peer, NULL, NULL, &error);

	ck_assert_ptr_nonnull(socket);
	return socket;
}

START_TEST(a_listener_is_reached_as_the_rules_say)
{
	bool on_uplink = _i & 1;
	uint8_t version = _i & 2 ? 6 : 4;
	struct socket *listener, *client, *server;

	begin(on_uplink ? "block\npass in on uplink proto tcp to self port 80\n"
			: "block\npass in on clients proto tcp to self port 80\n",
	      on_uplink);
	listener = listen_at(ours, 80);
	client = connect_to(far, our_address(version, 80));
	run(5);
	server = socket_accept(listener, NULL, NULL);
	ck_assert_ptr_nonnull(server);
	test_sockets_transfer(client, server, 100000, run);
	test_sockets_transfer(server, client, 200000, run);
	ck_assert_uint_gt(gso_seen, 0);
	ck_assert_uint_eq(net->router.flows.used, 0);
	socket_close(client);
	run(5);
	socket_close(server);
	socket_close(listener);
	end();
}
END_TEST

START_TEST(what_rules_block_is_not_reached)
{
	static const char *const rules[] = { NULL, "block\n",
					     "block\npass in on uplink proto tcp to "
					     "self port 81\n" };
	struct socket *listener, *client;

	begin(rules[_i], true);
	listener = listen_at(ours, 80);
	client = connect_to(far, our_address(4, 80));
	run(10);
	ck_assert_uint_eq(socket_ready(client), 0);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->segments_in, 0);
	ck_assert_uint_eq(test_net_drops(net, _i ? DROP_BLOCKED : DROP_NO_RULES), 1);
	socket_close(client);
	socket_close(listener);
	end();
}
END_TEST

START_TEST(without_a_socket_nothing_is_reached)
{
	struct socket *client, *udp;
	struct socket_address to = our_address(4, 9);
	int error;

	begin("pass\n", true);
	client = connect_to(far, our_address(4, 80));
	udp = socket_open_udp(far, NULL, &to, NULL, NULL, &error);
	ck_assert_int_eq(socket_send(udp, "x", 1), 1);
	run(10);
	ck_assert_int_eq(socket_error(client), -ECONNREFUSED);
	ck_assert_int_eq(socket_error(udp), -ECONNREFUSED);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->segments_in, 0);
	ck_assert_uint_eq(sockets_stats(ours)->udp_no_socket, 1);
	socket_close(client);
	socket_close(udp);
	end();
}
END_TEST

START_TEST(we_connect_without_rules)
{
	uint8_t version = _i & 2 ? 6 : 4;
	struct socket *listener, *client, *server;

	begin(NULL, _i & 1);
	listener = listen_at(far, 80);
	client = connect_to(ours, test_address(1, version, 80));
	run(5);
	ck_assert_uint_eq(socket_ready(client), SOCKET_WRITABLE);
	server = socket_accept(listener, NULL, NULL);
	ck_assert_ptr_nonnull(server);
	test_sockets_transfer(client, server, 50000, run);
	test_sockets_transfer(server, client, 50000, run);
	socket_close(client);
	socket_close(server);
	socket_close(listener);
	end();
}
END_TEST

START_TEST(udp_answers_pass_and_the_rest_is_judged)
{
	uint8_t version = _i ? 6 : 4;
	struct socket_address to = test_address(1, version, 53), at = { .port = 53 }, from;
	struct socket_address own = { .port = 5000 };
	struct socket *server, *client;
	uint8_t bytes[8];
	int error;

	begin(NULL, true);
	server = socket_open_udp(far, &at, NULL, NULL, NULL, &error);
	client = socket_open_udp(ours, &own, NULL, NULL, NULL, &error);
	ck_assert_ptr_nonnull(client);
	/* Nobody has been asked yet. */
	own = our_address(version, 5000);
	ck_assert_int_eq(socket_send_to(server, &own, "uninvited", 9), 9);
	run(3);
	ck_assert_int_eq(socket_receive_from(client, NULL, bytes, 8), -EAGAIN);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_RULES), 1);
	/* A question and its answer. */
	ck_assert_int_eq(socket_send_to(client, &to, "question", 8), 8);
	run(3);
	ck_assert_int_eq(socket_receive_from(server, &from, bytes, 8), 8);
	ck_assert(ip_address_equal(&from.ip, &own.ip));
	ck_assert_uint_eq(from.port, 5000);
	ck_assert_int_eq(socket_send_to(server, &from, "answer", 6), 6);
	run(3);
	ck_assert_int_eq(socket_receive_from(client, &from, bytes, 8), 6);
	ck_assert(ip_address_equal(&from.ip, &to.ip));
	/* Too late. */
	net->now_ns += 61000 * TEST_MS;
	run(1);
	ck_assert_int_eq(socket_send_to(server, &own, "late", 4), 4);
	run(3);
	ck_assert_uint_eq(test_net_drops(net, DROP_NO_RULES), 2);
	/* But if the rules let it in. */
	test_net_set_rules(net, "block\npass in on uplink proto udp to self port 5000\n");
	ck_assert_int_eq(socket_send_to(server, &own, "late", 4), 4);
	run(3);
	ck_assert_int_eq(socket_receive(client, bytes, 8), 4);
	socket_close(client);
	socket_close(server);
	end();
}
END_TEST

/* The last frame to the uplink, quoted by an error from the gateway. */
static void quote_last(uint8_t version, uint8_t type, uint8_t code, uint32_t value)
{
	const struct frame *last = link_to_far->kept[(link_to_far->sent - 1) % TEST_LINK_KEEPS];
	struct ends ends = ends_in(GATEWAY_IP);
	struct ends6 ends6 = ends6_in("2001:db8::1", six(OUR_IP6));

	if (version == 6) {
		frame6_error(&frame, &ends6, type, code, value, last, 60);
	} else {
		frame_icmp_error(&frame, &ends, type, code, last, 28);
		put16(frame.bytes + 40, (uint16_t)value);
		frame_finish(&frame);
	}
	test_link_input(&net->uplink, &frame);
}

START_TEST(icmp_errors_reach_udp)
{
	uint8_t version = _i ? 6 : 4;
	struct socket_address to = test_address(1, version, 53);
	struct socket *socket, *other;
	int error;

	begin(NULL, true);
	socket = socket_open_udp(ours, NULL, &to, NULL, NULL, &error);
	to.port = 54;
	other = socket_open_udp(ours, NULL, &to, NULL, NULL, &error);
	ck_assert_int_eq(socket_send(socket, "12345678", 8), 8);
	run(1);
	quote_last(version, version == 4 ? 3 : 1, version == 4 ? 3 : 4, 0);
	run(1);
	ck_assert_int_eq(socket_error(socket), -ECONNREFUSED);
	ck_assert_int_eq(socket_error(other), 0);
	ck_assert_int_eq(socket_send(socket, "1", 1), -ECONNREFUSED);
	ck_assert_int_eq(socket_send(socket, "12345678", 8), 8);
	run(1);
	quote_last(version, version == 4 ? 3 : 2, version == 4 ? 4 : 0, 1280);
	ck_assert_int_eq(socket_error(socket), -EMSGSIZE);
	ck_assert_uint_eq(sockets_stats(ours)->problems, 2);
	/* A damaged one. */
	frame.bytes[frame.length - 1] ^= 1;
	test_link_input(&net->uplink, &frame);
	ck_assert_uint_eq(sockets_stats(ours)->problems, 2);
	ck_assert_uint_eq(sockets_stats(ours)->problems_ignored, 1);
	/* Long after anything was sent. */
	frame.bytes[frame.length - 1] ^= 1;
	net->now_ns += 61000 * TEST_MS;
	run(1);
	test_link_input(&net->uplink, &frame);
	ck_assert_uint_eq(sockets_stats(ours)->problems_ignored, 2);
	socket_close(socket);
	socket_close(other);
	end();
}
END_TEST

START_TEST(icmp_errors_reach_tcp)
{
	uint8_t version = _i ? 6 : 4;
	struct socket *listener, *client, *server;
	struct socket_tcp_info info;
	static struct frame again;
	uint32_t mss;

	begin(NULL, true);
	client = connect_to(ours, test_address(1, version, 81));
	router_run_timers(&net->router);
	quote_last(version, version == 4 ? 3 : 1, version == 4 ? 13 : 1, 0);
	ck_assert_int_eq(socket_error(client), -EHOSTUNREACH);
	socket_close(client);
	listener = listen_at(far, 80);
	client = connect_to(ours, test_address(1, version, 80));
	run(5);
	server = socket_accept(listener, NULL, NULL);
	socket_tcp_info(client, &info);
	mss = info.mss;
	ck_assert_uint_ge(mss, 1400);
	ck_assert_int_eq(socket_send(client, memory, 1000), 1000);
	router_run_timers(&net->router);
	quote_last(version, version == 4 ? 3 : 2, version == 4 ? 4 : 0, 1300);
	socket_tcp_info(client, &info);
	ck_assert_uint_eq(info.mss, 1300 - (version == 4 ? 52 : 72));
	ck_assert_uint_eq(sockets_stats(ours)->problems, 2);
	/* The same when what it quotes has arrived (RFC 5927). */
	again = frame;
	run(50);
	test_link_input(&net->uplink, &again);
	socket_tcp_info(client, &info);
	ck_assert_uint_eq(info.mss, 1300 - (version == 4 ? 52 : 72));
	ck_assert_uint_eq(sockets_stats(ours)->problems, 2);
	ck_assert_uint_eq(sockets_stats(ours)->problems_ignored, 1);
	socket_close(client);
	socket_close(server);
	socket_close(listener);
	end();
}
END_TEST

START_TEST(translation_and_sockets_share_no_port)
{
	struct ends out = ends_out(1, IP(10, 0, 0, 2));
	struct socket_address peer = test_address(1, 4, 80), own = { .port = 4000 };
	const struct frame *sent;
	struct socket *socket;
	int error;

	begin("pass\n", true);
	socket = socket_connect(ours, &own, &peer, NULL, NULL, &error);
	ck_assert_ptr_nonnull(socket);
	router_run_timers(&net->router);
	test_link_skip(&net->uplink);
	frame_tcp(&frame, &out, 4000, 80, SYN, 1, 0, 0);
	sent = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(sent), OUR_IP);
	ck_assert_uint_ne(frame_source_port(sent), 4000);
	/* And a port that translation has is not ours. */
	own.port = frame_source_port(sent);
	ck_assert_ptr_null(socket_connect(ours, &own, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	socket_abort(socket);
	frame_udp(&frame, &out, 4001, 80, 10);
	ck_assert_uint_eq(frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame)),
			  4001);
	own.port = 4001;
	ck_assert_ptr_null(socket_open_udp(ours, &own, NULL, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	own.port = 4002;
	socket = socket_open_udp(ours, &own, NULL, NULL, NULL, &error);
	ck_assert_ptr_nonnull(socket);
	frame_udp(&frame, &out, 4002, 80, 10);
	ck_assert_uint_ne(frame_source_port(test_pass(net, &net->client[1], &net->uplink, &frame)),
			  4002);
	socket_close(socket);
	end();
}
END_TEST

/* Ports of ours are those of our own addresses. */
START_TEST(translation_to_other_addresses_has_all_ports)
{
	struct socket_address own = { .port = 4002 };
	struct ends out = ends_out(1, IP(192, 0, 2, 1));
	const struct frame *sent;
	struct socket *socket;
	int error;

	begin("pass\npass out on uplink nat-to 10.137.0.9 static-port\n", true);
	socket = socket_open_udp(ours, &own, NULL, NULL, NULL, &error);
	ck_assert_ptr_nonnull(socket);
	frame_udp(&frame, &out, 4002, 80, 10);
	sent = test_pass(net, &net->client[1], &net->uplink, &frame);
	ck_assert_uint_eq(frame_source(sent), IP(10, 137, 0, 9));
	ck_assert_uint_eq(frame_source_port(sent), 4002);
	socket_close(socket);
	end();
}
END_TEST

START_TEST(nothing_leaves_from_an_address_of_the_past)
{
	struct router_uplink4 other = { be32_of(OUR_IP + 1), 24, be32_of(GATEWAY_IP), 0 };
	struct socket *listener, *client;
	struct socket_address nowhere = { .ip = ip_address_of4(be32_of(IP(224, 0, 0, 1))),
					  .port = 1 };
	uint64_t sent;
	int error;

	begin(NULL, true);
	listener = listen_at(far, 80);
	client = connect_to(ours, test_address(1, 4, 80));
	run(5);
	ck_assert_uint_eq(socket_ready(client), SOCKET_WRITABLE);
	ck_assert_int_eq(router_set_uplink4(&net->router, &other), 0);
	router_run_timers(&net->router);
	test_link_skip(&net->uplink);
	sent = net->uplink.sent;
	ck_assert_int_eq(socket_send(client, "x", 1), 1);
	router_run_timers(&net->router);
	ck_assert_uint_eq(net->uplink.sent, sent);
	ck_assert_ptr_null(socket_connect(ours, NULL, &nowhere, NULL, NULL, &error));
	ck_assert_int_eq(error, -ENETUNREACH);
	socket_abort(client);
	socket_close(listener);
	end();
}
END_TEST

START_TEST(a_listener_for_one_link_hears_no_other)
{
	struct socket_listen how = { .own.port = 80 };
	struct socket *listener, *client;
	int error;

	begin("pass\n", true);
	how.only = _i ? &net->uplink.netdev : &net->client[1].netdev;
	listener = socket_listen(ours, &how, NULL, NULL, &error);
	client = connect_to(far, our_address(4, 80));
	run(5);
	ck_assert_uint_eq(socket_ready(client),
			  _i ? SOCKET_WRITABLE : SOCKET_READABLE | SOCKET_OVER);
	ck_assert_int_eq(socket_error(client), _i ? 0 : -ECONNREFUSED);
	socket_abort(client);
	run(2);
	socket_close(listener);
	end();
}
END_TEST

/* The ACK that returns a cookie belongs to a SYN that the rules let in. */
START_TEST(cookies_pass_rules_for_syns)
{
	struct socket_listen how = { .own.port = 80, .backlog = 1 };
	struct ends ends = ends_in(IP(192, 0, 2, 1));
	struct socket *listener, *client;
	int error;

	begin("block\npass in on uplink proto tcp to self port 80\n", true);
	listener = socket_listen(ours, &how, NULL, NULL, &error);
	frame_tcp(&frame, &ends, 1000, 80, SYN, 1, 0, 0); /* stays half open */
	test_link_input(&net->uplink, &frame);
	/* Without cookies under way an ACK to nothing is the rules' affair. */
	frame_tcp(&frame, &ends, 1001, 80, ACK, 1, 0, 0);
	test_drop(net, &net->uplink, &frame, DROP_BLOCKED);
	test_link_skip(&net->uplink);
	client = connect_to(far, our_address(4, 80));
	run(5);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->cookies_sent, 1);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->cookies_taken, 1);
	ck_assert_uint_eq(socket_ready(listener), SOCKET_READABLE);
	socket_abort(client);
	run(2);
	socket_close(listener);
	end();
}
END_TEST

/* A SYN that the old rules let in is no way past the new ones. */
START_TEST(cookies_do_not_outlive_rules)
{
	static const char allowing[] = "block\npass in on uplink proto tcp to self port 80\n";
	struct socket_listen how = { .own.port = 80, .backlog = 1 };
	struct ends ends = ends_in(IP(192, 0, 2, 1));
	struct socket *listener;
	uint32_t cookie;
	int error;

	begin(allowing, true);
	listener = socket_listen(ours, &how, NULL, NULL, &error);
	frame_tcp(&frame, &ends, 1000, 80, SYN, 1, 0, 0); /* stays half open */
	test_link_input(&net->uplink, &frame);
	test_link_skip(&net->uplink);
	frame_tcp(&frame, &ends, 1001, 80, SYN, 1, 0, 0);
	test_link_input(&net->uplink, &frame);
	router_run_timers(&net->router);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->cookies_sent, 1);
	cookie = frame_tcp_sequence(test_link_take(&net->uplink));
	test_net_set_rules(net, _i ? allowing : "block\n");
	frame_tcp(&frame, &ends, 1001, 80, ACK, 2, cookie + 1, 0);
	test_drop(net, &net->uplink, &frame, DROP_BLOCKED);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->cookies_taken, 0);
	socket_close(listener);
	end();
}
END_TEST

/* As with flows: what new rules forbid ends, what they allow notices nothing. */
START_TEST(new_rules_end_what_they_forbid)
{
	static const char *const forbidding[] = { NULL, "block\n",
						  "pass\npass in on uplink proto tcp to self port "
						  "80 rdr-to 10.138.0.11\n" };
	struct socket *listener, *far_listener, *client, *server, *own;
	uint64_t sent;

	begin("pass\n", true);
	listener = listen_at(ours, 80);
	far_listener = listen_at(far, 81);
	client = connect_to(far, our_address(4, 80));
	own = connect_to(ours, test_address(1, 4, 81));
	run(5);
	server = socket_accept(listener, NULL, NULL);
	test_net_set_rules(net, "block\npass in on uplink proto tcp to self port 80\n");
	test_sockets_transfer(client, server, 10000, run);
	ck_assert_uint_eq(socket_ready(server), SOCKET_WRITABLE);
	(void)connect_to(far, our_address(4, 80)); /* waits to be accepted */
	run(5);
	ck_assert_uint_eq(socket_ready(listener), SOCKET_READABLE);
	sent = net->uplink.sent;
	test_net_set_rules(net, forbidding[_i]);
	ck_assert_int_eq(socket_error(server), -ECONNABORTED);
	ck_assert_uint_eq(socket_ready(server), SOCKET_READABLE | SOCKET_OVER);
	ck_assert_uint_eq(socket_ready(listener), 0);
	ck_assert_uint_eq(net->uplink.sent, sent);
	ck_assert_int_eq(socket_send(client, "x", 1), 1);
	run(2);
	ck_assert_int_eq(socket_error(client), 0);
	ck_assert_uint_eq(socket_ready(own), SOCKET_WRITABLE); /* we have begun it */
	socket_close(server);
	socket_abort(client);
	socket_abort(own);
	socket_close(listener);
	socket_close(far_listener);
	for (uint32_t i = 0; i < far->config.connections; i++)
		if (far->connections[i].flags & TCP_FLAG_OWNED)
			tcp_abort(&far->connections[i], net->now_ns);
	end();
}
END_TEST

/* Servers of UDP take each peer to a socket of its own at the port that they listen at. */
START_TEST(our_own_sockets_may_share_a_port)
{
	struct socket_address own = { .port = 5000 }, peer = test_address(1, 4, 6000);
	struct socket *any, *one, *listener, *tcp;
	int error;

	begin("pass\n", true);
	any = socket_open_udp(ours, &own, NULL, NULL, NULL, &error);
	one = socket_open_udp(ours, &own, &peer, NULL, NULL, &error);
	ck_assert_ptr_nonnull(one);
	ck_assert_ptr_null(socket_open_udp(ours, &own, &peer, NULL, NULL, &error));
	ck_assert_int_eq(error, -EADDRINUSE);
	listener = listen_at(ours, 5000);
	tcp = socket_connect(ours, &own, &peer, NULL, NULL, &error);
	ck_assert_ptr_nonnull(tcp);
	socket_close(any);
	socket_close(one);
	socket_close(tcp);
	socket_close(listener);
	end();
}
END_TEST

/* A rule may send somebody's packets to our address, but a socket has only its own. */
START_TEST(what_was_for_others_is_for_no_socket)
{
	struct ends out = ends_out(1, SERVER_IP);
	struct socket *listener;

	begin("pass\npass in on clients proto tcp to 192.0.2.80 port 80 rdr-to 10.137.0.5\n", true);
	listener = listen_at(ours, 80);
	frame_tcp(&frame, &out, 4000, 80, SYN, 1, 0, 0);
	test_drop(net, &net->client[1], &frame, DROP_NOT_OURS);
	ck_assert_uint_eq(sockets_use(ours).connections, 0);
	ck_assert_uint_eq(sockets_tcp_stats(ours)->segments_in, 0);
	socket_close(listener);
	end();
}
END_TEST

/* A SYN that would reopen a pair of ports is something new; all else of TIME-WAIT is not. */
START_TEST(time_wait_is_ours_but_for_syns)
{
	struct socket_address own = { .port = 1234 }, to;
	struct socket *listener, *client, *server;
	uint32_t blocked;
	int error;

	begin("pass\n", true);
	to = our_address(4, 80);
	listener = listen_at(ours, 80);
	client = socket_connect(far, &own, &to, NULL, NULL, &error);
	run(5);
	server = socket_accept(listener, NULL, NULL);
	socket_close(server);
	run(5);
	ck_assert_uint_eq(sockets_use(ours).time_waits, 0); /* FIN-WAIT-2 */
	test_net_set_rules(net, "block\n");
	ck_assert_uint_eq(sockets_use(ours).connections, 0);
	test_net_set_rules(net, "pass\n");
	socket_abort(client);
	client = socket_connect(far, &own, &to, NULL, NULL, &error);
	run(5);
	server = socket_accept(listener, NULL, NULL);
	socket_close(server);
	run(5);
	socket_close(client);
	run(5);
	ck_assert_uint_eq(sockets_use(ours).time_waits, 1);
	test_net_set_rules(net, "block\n");
	client = socket_connect(far, &own, &to, NULL, NULL, &error);
	ck_assert_ptr_nonnull(client);
	blocked = (uint32_t)test_net_drops(net, DROP_BLOCKED);
	run(5);
	ck_assert_uint_eq(test_net_drops(net, DROP_BLOCKED), blocked + 1);
	ck_assert_uint_eq(socket_ready(client), 0);
	test_net_set_rules(net, "pass\n");
	net->now_ns += 2000 * TEST_MS;
	run(20);
	ck_assert_uint_eq(socket_ready(client), SOCKET_WRITABLE);
	ck_assert_uint_eq(sockets_use(ours).time_waits, 0);
	socket_abort(client);
	run(2);
	socket_close(listener);
	end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, a_listener_is_reached_as_the_rules_say, 0, 4);
	tcase_add_loop_test(cases, what_rules_block_is_not_reached, 0, 3);
	tcase_add_test(cases, without_a_socket_nothing_is_reached);
	tcase_add_loop_test(cases, we_connect_without_rules, 0, 4);
	tcase_add_loop_test(cases, udp_answers_pass_and_the_rest_is_judged, 0, 2);
	tcase_add_loop_test(cases, icmp_errors_reach_udp, 0, 2);
	tcase_add_loop_test(cases, icmp_errors_reach_tcp, 0, 2);
	tcase_add_test(cases, translation_and_sockets_share_no_port);
	tcase_add_test(cases, translation_to_other_addresses_has_all_ports);
	tcase_add_test(cases, nothing_leaves_from_an_address_of_the_past);
	tcase_add_loop_test(cases, a_listener_for_one_link_hears_no_other, 0, 2);
	tcase_add_loop_test(cases, new_rules_end_what_they_forbid, 0, 3);
	tcase_add_test(cases, our_own_sockets_may_share_a_port);
	tcase_add_test(cases, what_was_for_others_is_for_no_socket);
	tcase_add_test(cases, time_wait_is_ours_but_for_syns);
	tcase_add_test(cases, cookies_pass_rules_for_syns);
	tcase_add_loop_test(cases, cookies_do_not_outlive_rules, 0, 2);
}

int main(void)
{
	return unit_main("net/router_sockets", add_cases);
}
