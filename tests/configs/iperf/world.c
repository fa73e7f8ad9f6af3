/* SPDX-License-Identifier: ISC */
#include "tests/configs/iperf/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct iperf_client world_client;
struct iperf_server world_server;
struct iperf_place world_places[TEST_SIDES];
int world_status[TEST_SIDES];
char world_lines[TEST_SIDES][32768];

static struct random randoms[TEST_SIDES];

static uint64_t now_ns(void *context)
{
	(void)context;
	return test_now;
}

static unsigned int side_of(const void *context)
{
	return (unsigned int)((const struct iperf_place *)context - world_places);
}

static void line(void *context, const char *text)
{
	char *lines = world_lines[side_of(context)];
	size_t used = strlen(lines);

	snprintf(lines + used, sizeof(world_lines[0]) - used, "%s\n", text);
}

static void end(void *context, int status)
{
	ck_assert_int_eq(world_status[side_of(context)], WORLD_UNENDED);
	world_status[side_of(context)] = status;
}

void world_begin(void)
{
	static const struct sockets_config config = { .send_bytes = 1 << 14,
						      .receive_bytes = 1 << 14,
						      .udp_sockets = 64 };
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 9 };

	test_sockets_begin(&config);
	for (unsigned int i = 0; i < TEST_SIDES; i++) {
		random_init(&randoms[i], seed);
		world_status[i] = WORLD_UNENDED;
		world_lines[i][0] = '\0';
		world_places[i] =
			(struct iperf_place){ test_sides[i].sockets, &randoms[i], now_ns, line, end,
					      &world_places[i] };
	}
	memset(&world_client, 0, sizeof(world_client));
	world_client.phase = IPERF_CLIENT_OVER;
	ck_assert_int_eq(iperf_server_begin(&world_server, &world_places[1], IPERF_PORT, 1, false),
			 0);
}

void world_client_begin(const char *text)
{
	struct iperf_options options;
	const char *wrong = "";
	char word[128];
	size_t bytes = 0;

	snprintf(word, sizeof(word), "iperf=%s", text);
	ck_assert_msg(iperf_options_parse(word, &options, &wrong, &bytes) == 0, "%s: %s", text,
		      wrong);
	world_status[0] = WORLD_UNENDED;
	ck_assert_int_eq(iperf_client_begin(&world_client, &world_places[0], &options), 0);
}

void world_run(uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		test_sockets_run(1);
		iperf_server_run(&world_server, test_now);
		if (world_client.place)
			iperf_client_run(&world_client, test_now);
	}
}

void world_run_out(uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		if (world_client.phase == IPERF_CLIENT_OVER &&
		    world_server.phase == IPERF_SERVER_IDLE)
			return;
		world_run(1);
	}
	ck_abort_msg("client %d, server %d\n%s\n%s", world_client.phase, world_server.phase,
		     world_lines[0], world_lines[1]);
}

void world_end(void)
{
	for (uint32_t i = 0; i < IPERF_NEWCOMERS; i++)
		ck_assert_ptr_null(world_server.newcomers[i].socket);
	ck_assert_ptr_null(world_server.greeter);
	socket_close(world_server.listener);
	test_sockets_end();
}
