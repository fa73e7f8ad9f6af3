/* SPDX-License-Identifier: ISC */
/* Our client against our server in everything that both can do. */
#include <string.h>

#include "tests/configs/iperf/world.h"
#include "tests/host/unit.h"

static const char *const modes[] = {
	"-c,10.0.0.2,-n,1M,-M,536",
	"-c,fd00::2,-t,1,-b,4M",
	"-c,10.0.0.2,-t,1,-R,-b,4M",
	"-c,fd00::2,-t,1,-R,-P,3,-b,2M",
	"-c,10.0.0.2,-n,1M,-P,4,-l,1000",
	"-c,10.0.0.2,-n,1M,--bidir,-P,2",
	"-c,10.0.0.2,-n,1M",
	"-c,10.0.0.2,-n,1M,-R",
	"-c,10.0.0.2,-k,10,-l,100K",
	"-c,10.0.0.2,-k,10,-l,100K,-R",
	"-c,10.0.0.2,-t,1,-b,2M,-N,-w,32K",
	"-c,10.0.0.2,-t,1,-O,1,-b,8M",
	"-c,10.0.0.2,-u,-t,1",
	"-c,fd00::2,-u,-t,1,-b,4M,-P,3",
	"-c,10.0.0.2,-u,-t,1,-b,10M,-R,--udp-counters-64bit",
	"-c,fd00::2,-u,-t,1,-b,5M,--bidir,-l,1000",
	"-c,10.0.0.2,-u,-t,1,-O,1,-b,5M",
	"-c,10.0.0.2,-u,-n,100K,-b,20M",
	"-c,10.0.0.2,-u,-k,50,-b,20M",
};

static const struct iperf_stream *twin_of(const struct iperf_stream *stream)
{
	const struct iperf_test *other =
		stream->test == &world_client.test ? &world_server.test : &world_client.test;

	return &other->streams[stream - stream->test->streams];
}

/* Both counted the same stream; what is not there yet is what the end cut off. */
static void expect_stream(const struct iperf_stream *stream, const char *mode)
{
	const struct iperf_stream *twin = twin_of(stream);
	uint64_t seconds = world_client.test.settings.seconds;
	uint64_t rate = world_client.test.settings.rate;
	/* Each side leaves out its own first second. */
	uint64_t slack = world_client.test.settings.omit_seconds ? 100000 : 0;

	ck_assert_uint_eq(stream->id, twin->id);
	ck_assert_msg(stream->sends != twin->sends, "%s", mode);
	ck_assert_msg(stream->counts.bytes > 0, "%s", mode);
	ck_assert(stream->other_known);
	ck_assert_uint_eq(stream->other.bytes, twin->counts.bytes);
	if (stream->sends)
		ck_assert_msg(stream->counts.bytes + slack >= twin->counts.bytes &&
				      stream->counts.bytes < twin->counts.bytes + 300000,
			      "%s: %lu of %lu", mode, twin->counts.bytes, stream->counts.bytes);
	if (rate && seconds)
		ck_assert_msg(stream->counts.bytes * 8 > rate * seconds * 8 / 10 &&
				      stream->counts.bytes * 8 < rate * seconds * 13 / 10 + 2000000,
			      "%s: %lu", mode, stream->counts.bytes);
	if (world_client.test.settings.udp)
		ck_assert_msg(stream->counts.errors == 0 && stream->counts.packets > 0, "%s", mode);
}

START_TEST(a_mode)
{
	const char *mode = modes[_i];
	const struct iperf_settings *settings = &world_client.test.settings;

	world_begin();
	world_client_begin(mode);
	world_run_out(5000);
	ck_assert_msg(world_status[0] == 0, "%s\n%s\n%s", mode, world_lines[0], world_lines[1]);
	ck_assert_uint_eq(world_server.failed, 0);
	ck_assert_uint_eq(world_client.test.stream_count, iperf_test_streams(settings));
	for (uint32_t i = 0; i < world_client.test.stream_count; i++) {
		expect_stream(&world_client.test.streams[i], mode);
		expect_stream(&world_server.test.streams[i], mode);
	}
	if (settings->bytes && !settings->reverse)
		ck_assert_uint_ge(world_server.test.received_bytes + 66000, settings->bytes);
	ck_assert_ptr_nonnull(strstr(world_lines[0], "sender"));
	ck_assert_ptr_nonnull(strstr(world_lines[1], "receiver"));
	world_end();
}
END_TEST

START_TEST(one_after_the_other)
{
	world_begin();
	for (int i = 0; i < 3; i++) {
		world_client_begin("-c,10.0.0.2,-n,200K");
		world_run_out(5000);
		ck_assert_int_eq(world_status[0], 0);
	}
	ck_assert_uint_eq(world_server.tests, 3);
	world_end();
}
END_TEST

START_TEST(nobody_listens)
{
	world_begin();
	world_client_begin("-c,10.0.0.2,-p,5999");
	world_run_out(60000);
	ck_assert_int_eq(world_status[0], 1);
	world_end();
}
END_TEST

static bool lose_some(struct packet *packet)
{
	static uint32_t count;

	if (++count % 20)
		return false;
	packet_free(packet);
	return true;
}

/* Every twentieth packet is lost, greetings and answers too. */
START_TEST(losses)
{
	static const char *const lossy[] = { "-c,10.0.0.2,-n,200K,-P,3",
					     "-c,fd00::2,-u,-t,1,-b,2M,-P,8",
					     "-c,10.0.0.2,-u,-t,1,-b,2M,-R,-P,8" };
	uint64_t lost = 0;

	world_begin();
	test_sides[0].filter = test_sides[1].filter = lose_some;
	world_client_begin(lossy[_i]);
	world_run_out(60000);
	ck_assert_msg(world_status[0] == 0, "%s\n%s", world_lines[0], world_lines[1]);
	for (uint32_t i = 0; i < world_client.test.stream_count; i++)
		lost += world_client.test.streams[i].counts.errors +
			world_server.test.streams[i].counts.errors +
			world_client.test.streams[i].counts.retransmissions;
	ck_assert_uint_gt(lost, 0);
	test_sides[0].filter = test_sides[1].filter = NULL;
	world_end();
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, a_mode, 0, sizeof(modes) / sizeof(modes[0]));
	tcase_add_test(cases, one_after_the_other);
	tcase_add_test(cases, nobody_listens);
	tcase_add_loop_test(cases, losses, 0, 3);
}

int main(void)
{
	return unit_main("configs/iperf/modes", add_cases);
}
