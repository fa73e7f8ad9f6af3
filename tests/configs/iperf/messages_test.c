/* SPDX-License-Identifier: ISC */
/* The texts of iperf3 3.12 as it writes them, options, and what a UDP receiver counts. */
#include <errno.h>
#include <string.h>

#include "configs/iperf/options.h"
#include "configs/iperf/report.h"
#include "configs/iperf/stream.h"
#include "configs/iperf/test.h"
#include "tests/host/unit.h"

START_TEST(params_of_iperf3)
{
	static const char text[] =
		"{\"udp\":true,\"omit\":2,\"time\":7,\"num\":0,\"blockcount\":0,\"MSS\":900,"
		"\"parallel\":3,\"bidirectional\":true,\"window\":65536,\"len\":1448,"
		"\"bandwidth\":1e+06,\"pacing_timer\":1000,\"udp_counters_64bit\":1,"
		"\"client_version\":\"3.12\"}";
	struct iperf_settings seen;

	ck_assert_int_eq(iperf_params_read(text, strlen(text), &seen), 0);
	ck_assert(seen.udp && seen.bidirectional && seen.counters64 && !seen.reverse);
	ck_assert_uint_eq(seen.omit_seconds, 2);
	ck_assert_uint_eq(seen.seconds, 7);
	ck_assert_uint_eq(seen.mss, 900);
	ck_assert_uint_eq(seen.parallel, 3);
	ck_assert_uint_eq(seen.window, 65536);
	ck_assert_uint_eq(seen.block_bytes, 1448);
	ck_assert_uint_eq(seen.rate, 1000000);
}
END_TEST

START_TEST(params_there_and_back)
{
	struct iperf_settings given = { .reverse = true,
					.no_delay = true,
					.parallel = 5,
					.block_bytes = 4096,
					.bytes = 1ull << 40,
					.rate = 10000000000ull,
					.window = 1000,
					.mss = 536 };
	struct iperf_settings seen;
	char text[512];
	size_t length = iperf_params_write(&given, text, sizeof(text));

	ck_assert_uint_gt(length, 0);
	ck_assert_int_eq(iperf_params_read(text, length, &seen), 0);
	ck_assert_uint_eq(seen.bytes, given.bytes);
	ck_assert_uint_eq(seen.rate, given.rate);
	ck_assert_uint_eq(seen.mss, given.mss);
	ck_assert(seen.reverse && seen.no_delay && !seen.udp);
	ck_assert_uint_eq(iperf_params_write(&given, text, length - 1), 0);
}
END_TEST

START_TEST(results_of_iperf3)
{
	static const char text[] =
		"{\"cpu_util_total\":1.4199191057983036,\"sender_has_retransmits\":1,"
		"\"congestion_used\":\"bbr\",\"streams\":[{\"id\":1,\"bytes\":1000,"
		"\"retransmits\":18446744073709551615,\"jitter\":1.5e-05,\"errors\":2,\"packets\":"
		"9,"
		"\"start_time\":0,\"end_time\":0.523073},{\"id\":3,\"bytes\":2,\"retransmits\":7}]"
		"}";
	static struct iperf_results seen, again;
	char out[1024];
	size_t length;

	ck_assert_int_eq(iperf_results_read(text, strlen(text), &seen), 0);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_uint_eq(seen.counts[0].jitter_ns, 15000);
	ck_assert_uint_eq(seen.counts[0].ns, 523073000);
	ck_assert_uint_eq(seen.counts[0].retransmissions, 0);
	ck_assert_uint_eq(seen.counts[1].retransmissions, 7);
	length = iperf_results_write(&seen, out, sizeof(out));
	ck_assert_int_eq(iperf_results_read(out, length, &again), 0);
	ck_assert_int_eq(memcmp(&seen, &again, sizeof(seen)), 0);
}
END_TEST

/* All streams that there can be fit a text. */
START_TEST(results_fit)
{
	static struct iperf_results results;
	static char text[65536];

	results.count = 2 * IPERF_STREAMS;
	memset(results.ids, 0x7f, sizeof(results.ids));
	memset(results.counts, 0x7f, sizeof(results.counts));
	ck_assert_uint_gt(iperf_results_write(&results, text, sizeof(text)), 0);
}
END_TEST

static int parse(const char *text, struct iperf_options *options)
{
	const char *wrong;
	size_t bytes;

	return iperf_options_parse(text, options, &wrong, &bytes);
}

START_TEST(options)
{
	static const char *const bad[] = {
		"iperf=-c",
		"iperf=-c,x",
		"iperf=-P,3",
		"iperf=-c,10.0.0.1,-P,0",
		"iperf=-s,-q",
		"iperf=-s,-p,0",
		"iperf=-c,10.0.0.1,-t,1,-n,1",
		"iperf=",
		"iperf=-s,-c,10.0.0.1",
		"iperf=-c,10.0.0.1,-l,2M",
		"iperf=-c,10.0.0.1,-R,--bidir",
	};
	struct iperf_options o;

	ck_assert_int_eq(parse("ip=10.0.0.1/24 x=iperf=-s", &o), -ENOENT);
	ck_assert_int_eq(parse("ip=dhcp iperf=-s,-1,-p,5300 log=info", &o), 0);
	ck_assert(o.server && o.once);
	ck_assert_uint_eq(o.peer.port, 5300);
	ck_assert_int_eq(parse("iperf=-c,fd00::2,-u,-b,10M,-P,8,-l,1K,-i,0,-n,2G", &o), 0);
	ck_assert_uint_eq(o.settings.rate, 10000000);
	ck_assert_uint_eq(o.settings.bytes, 2ull << 30);
	ck_assert_uint_eq(o.settings.block_bytes, 1024);
	ck_assert_uint_eq(o.peer.ip.version, 6);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i], &o) == -EINVAL, "%s", bad[i]);
}
END_TEST

static void datagram(struct iperf_stream *stream, uint64_t sent_ns, uint64_t came_ns,
		     uint64_t number)
{
	uint8_t data[IPERF_DATAGRAM_BYTES];

	iperf_datagram_write(data, sent_ns, number, true);
	iperf_datagram_count(stream, data, sizeof(data), true, came_ns);
}

START_TEST(datagrams)
{
	static struct iperf_test test;
	struct iperf_stream stream = { .test = &test };

	datagram(&stream, 1000000, 5000000, 1);
	datagram(&stream, 2000000, 6000000, 2);
	ck_assert_uint_eq(stream.counts.jitter_ns, 0);
	datagram(&stream, 5000000, 9016000, 5);
	ck_assert_uint_eq(stream.counts.jitter_ns, 1000);
	ck_assert_uint_eq(stream.counts.errors, 2);
	datagram(&stream, 4000000, 9016000, 4);
	ck_assert_uint_eq(stream.counts.errors, 1);
	ck_assert_uint_eq(stream.out_of_order, 1);
	ck_assert_uint_eq(stream.counts.packets, 5);
	ck_assert_uint_eq(stream.counts.bytes, 64);
	datagram(&stream, 4000000, 9016000, UINT64_MAX);
	datagram(&stream, UINT64_MAX, 0, 0);
}
END_TEST

START_TEST(scaled)
{
	static const struct {
		uint64_t value;
		uint32_t step;
		const char *text;
	} cases[] = {
		{ 0, 1000, "0.00  " },	       { 999, 1000, "999  " },
		{ 1000, 1000, "1.00 K" },      { 941234567, 1000, "941 M" },
		{ 1048576, 1024, "1.00 M" },   { 12345678, 1000, "12.3 M" },
		{ UINT64_MAX, 1000, "184 P" },
	};
	char text[IPERF_SCALED_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(iperf_report_scaled(cases[i].value, cases[i].step, text),
				 cases[i].text);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, params_of_iperf3);
	tcase_add_test(cases, params_there_and_back);
	tcase_add_test(cases, results_of_iperf3);
	tcase_add_test(cases, results_fit);
	tcase_add_test(cases, options);
	tcase_add_test(cases, datagrams);
	tcase_add_test(cases, scaled);
}

int main(void)
{
	return unit_main("configs/iperf/messages", add_cases);
}
