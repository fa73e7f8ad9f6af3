/* SPDX-License-Identifier: ISC */
/* The pages of counters, of a router and of sockets that are real: tests/net plays their nets. */
#include "configs/metrics.h"

#include <string.h>

#include "configs/status.h"
#include "configs/status_pages.h"
#include "configs/text_out.h"
#include "lib/compiler.h"
#include "lib/drop.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"

#define PAGE_BYTES_MOST (256u * 1024u)
#define START_NS UINT64_C(5000000000)

static struct test_net *net;
static struct metrics_source source;
static char page[PAGE_BYTES_MOST], again[PAGE_BYTES_MOST];
static uint64_t now;

static uint64_t now_ns(void)
{
	return now;
}

static void machine(struct metrics_machine *info)
{
	*info = (struct metrics_machine){ .free_bytes = 4096 * 7, .fibers = 3 };
}

static bool ring(uint32_t index, struct netif_info *info)
{
	static struct netdev uplink = { .name = "uplink0" }, client = { .name = "client\"1\\" };

	if (index > 1)
		return false;
	*info = (struct netif_info){ .netdev = index ? &client : &uplink,
				     .backend = index == 1,
				     .state = "connected",
				     .queues = 2,
				     .send_slots_free = 500 + index,
				     .connects = 9 };
	return true;
}

static void start(void)
{
	net = test_net_begin("block all\npass in on clients label \"a<b>&\"\npass out\n", 64);
	now = START_NS + UINT64_C(61002000000);
	source = (struct metrics_source){ .guest = "fire\"wall",
					  .version = "1.2.3",
					  .now_ns = now_ns,
					  .start_ns = START_NS,
					  .router = &net->router,
					  .machine = machine,
					  .ring = ring };
}

static void stop(void)
{
	test_net_end(net);
}

typedef size_t writer(void *context, struct http_cursor *cursor, char *to, size_t room);

/* All of a page, in pieces of at most `room`. */
static const char *write_all(writer *write, size_t room, char *to)
{
	struct http_cursor cursor = { 0 };
	size_t used = 0, bytes;

	while ((bytes = write(&source, &cursor, to + used, room)) != 0) {
		ck_assert_uint_lt(bytes, room);
		used += bytes;
		ck_assert_uint_lt(used + room, PAGE_BYTES_MOST);
	}
	to[used] = '\0';
	return to;
}

static void has(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "%s is not there", what);
}

static void has_not(const char *text, const char *what)
{
	ck_assert_msg(!strstr(text, what), "%s is there", what);
}

START_TEST(a_log_on_a_disk)
{
	const struct log_disk_stats stats = {
		.lines = 7, .packets = 8, .flushed = 14, .errors = 2
	};

	source.logdisk = &stats;
	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	has(page, "\nringwall_logdisk_lines_total 7\n");
	has(page, "\nringwall_logdisk_packets_total 8\n");
	has(page, "\nringwall_logdisk_flushed_total 14\n");
	has(page, "\nringwall_logdisk_dropped_total 0\n");
	has(page, "\nringwall_logdisk_errors_total 2\n");
}
END_TEST

START_TEST(numbers)
{
	net->packets.drops[DROP_BLOCKED] = 42;
	net->uplink.netdev.stats.rx_bytes = UINT64_MAX;
	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	has(page, "# HELP ringwall_build_info What runs here; always 1.\n"
		  "# TYPE ringwall_build_info gauge\n"
		  "ringwall_build_info{guest=\"fire\\\"wall\",version=\"1.2.3\"} 1\n");
	has(page, "\nringwall_uptime_seconds 61.002\n");
	has(page, "\nringwall_drop_total{reason=\"blocked\"} 42\n");
	has(page, "\nringwall_drop_total{reason=\"ttl\"} 0\n");
	has(page, "receive_bytes_total{interface=\"uplink0\"} 18446744073709551615\n");
	has(page, "\nringwall_flows{state=\"tcp\"} 0\n");
	has(page, "\nringwall_flows_limit 64\n");
	has(page, "\nringwall_rules 3\n");
	has(page, "\nringwall_memory_free_bytes 28672\n");
	has(page, "\nringwall_fibers 3\n");
	has(page, "\nringwall_ring_send_slots_free{interface=\"uplink0\"} 500\n"
		  "ringwall_ring_send_slots_free{interface=\"client\\\"1\\\\\"} 501\n");
	has(page, "\nringwall_ring_connects_total{interface=\"uplink0\"} 9\n# ");
	has(page, "\nringwall_pages_quarantined 0\n");
	/* What is not there is not told. */
	has_not(page, "ringwall_tcp_");
	has_not(page, "ringwall_http_");
	has_not(page, "ringwall_logdisk_");
	net->packets.drops[DROP_BLOCKED] = 0;
}
END_TEST

/* Every family: HELP, TYPE, then at least a sample or none, all of its own name. */
START_TEST(every_line_belongs)
{
	char name[100] = "", line[400];
	unsigned int families = 0;
	const char *end;

	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	for (const char *at = page; *at; at = end + 1) {
		end = strchr(at, '\n');
		ck_assert_ptr_nonnull(end);
		ck_assert_uint_lt((size_t)(end - at), sizeof(line));
		snprintf(line, sizeof(line), "%.*s", (int)(end - at), at);
		if (strncmp(line, "# HELP ", 7) == 0) {
			families++;
			ck_assert_int_eq(sscanf(line, "# HELP %99s", name), 1);
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			char type[20], of[100];

			ck_assert_int_eq(sscanf(line, "# TYPE %99s %19s", of, type), 2);
			ck_assert_str_eq(of, name);
		} else {
			ck_assert_msg(strncmp(line, name, strlen(name)) == 0, "%s", line);
			ck_assert_msg(strchr(" {", line[strlen(name)]) != NULL, "%s", line);
		}
	}
	ck_assert_uint_gt(families, 30);
}
END_TEST

/* Nothing is lost or there twice, wherever a piece ends. */
START_TEST(pieces)
{
	static writer *const writers[] = { metrics_write, status_write_html, status_write_json };

	for (size_t w = 0; w < ARRAY_SIZE(writers); w++) {
		write_all(writers[w], PAGE_BYTES_MOST / 4, again);
		for (size_t room = 1000; room < 9000; room += 331)
			ck_assert_str_eq(write_all(writers[w], room, page), again);
	}
}
END_TEST

/* A part that can never fit is left out, and the rest is there. */
START_TEST(no_piece_is_endless)
{
	write_all(metrics_write, 60, page);
	write_all(status_write_json, 60, page);
	has(page, "}");
}
END_TEST

START_TEST(rules_that_decided)
{
	const struct rules_query query = { .direction = RULES_IN,
					   .interface = "client0.0",
					   .interface_group = "clients",
					   .source = ip_address_of4(be32_of(CLIENT_IP(0))),
					   .destination = ip_address_of4(be32_of(SERVER_IP)),
					   .protocol = 17 };

	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	has_not(page, "ringwall_rule_hits_total{");
	(void)ruleset_judge(net->rules, &query);
	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	has(page, "\nringwall_rule_hits_total{rule=\"1\",line=\"2\",label=\"a<b>&");
	has(write_all(status_write_html, HTTP_PIECE_BYTES, page), "a&lt;b&gt;&amp;");
	has_not(page, "a<b>");
}
END_TEST

START_TEST(closed)
{
	(void)router_set_rules(&net->router, NULL);
	has(write_all(metrics_write, HTTP_PIECE_BYTES, page), "\nringwall_rules 0\n");
	has(write_all(status_write_json, HTTP_PIECE_BYTES, page), "\"none: closed\"");
	(void)router_set_rules(&net->router, net->rules);
}
END_TEST

START_TEST(json)
{
	write_all(status_write_json, HTTP_PIECE_BYTES, page);
	ck_assert(strncmp(page,
			  "{\"guest\":\"fire\\\"wall\",\"version\":\"1.2.3\","
			  "\"uptime_seconds\":61.002,\"tables\":{",
			  60) == 0);
	has(page, "{\"name\":\"uplink0\",\"link\":\"up\",\"flows\":0,");
	has(page, "{\"name\":\"client\\\"1\\\\\",\"state\":\"connected\"");
	has_not(page, ",]");
	has_not(page, "[,");
	has_not(page, ",}");
	ck_assert_str_eq(page + strlen(page) - 4, "]}}\n");
}
END_TEST

START_TEST(nothing_is_there)
{
	source = (struct metrics_source){ .guest = "g", .version = "1", .now_ns = now_ns };
	has(write_all(metrics_write, HTTP_PIECE_BYTES, page), "ringwall_uptime_seconds 66.002\n");
	has(write_all(status_write_json, HTTP_PIECE_BYTES, page), "\"interfaces\":[]");
	has(write_all(status_write_html, HTTP_PIECE_BYTES, page), "</html>\n");
}
END_TEST

/* The walk over all flows is made once a second, however often somebody asks. */
START_TEST(flows_are_counted_seldom)
{
	write_all(metrics_write, HTTP_PIECE_BYTES, page);
	has(page, "ringwall_flows{state=\"udp\"} 0\n");
	net->router.flows.flows[5].state = FLOW_UDP_REPLIED;
	has(write_all(metrics_write, HTTP_PIECE_BYTES, page), "ringwall_flows{state=\"udp\"} 0\n");
	now += UINT64_C(1000000000);
	has(write_all(metrics_write, HTTP_PIECE_BYTES, page), "ringwall_flows{state=\"udp\"} 1\n");
	net->router.flows.flows[5].state = FLOW_FREE;
}
END_TEST

START_TEST(text)
{
	char to[16];
	struct text_out out = { .to = to, .room = sizeof(to) };

	text_add_label(&out, "a\"\\\n\xff%s");
	ck_assert_str_eq(to, "a\\\"\\\\??%s");
	ck_assert(!out.full);
	out = (struct text_out){ .to = to, .room = sizeof(to) };
	text_add_html(&out, "<&\"\x01>");
	ck_assert(out.full);
	out = (struct text_out){ .to = to, .room = sizeof(to) };
	text_add(&out, "%s", "123456789012345");
	ck_assert(!out.full && out.used == 15);
	text_add(&out, "6");
	ck_assert(out.full && out.used == 15);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, numbers);
	tcase_add_test(cases, a_log_on_a_disk);
	tcase_add_test(cases, every_line_belongs);
	tcase_add_test(cases, pieces);
	tcase_add_test(cases, no_piece_is_endless);
	tcase_add_test(cases, rules_that_decided);
	tcase_add_test(cases, closed);
	tcase_add_test(cases, json);
	tcase_add_test(cases, nothing_is_there);
	tcase_add_test(cases, flows_are_counted_seldom);
	tcase_add_test(cases, text);
}

int main(void)
{
	return unit_main("configs/metrics", add_cases);
}
