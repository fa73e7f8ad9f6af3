/* SPDX-License-Identifier: ISC */
/* Connections that end, in good and bad ways, and what is made of that. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/xen/qubesdb_suites.h"
#include "tests/xen/qubesdb_world.h"

static void daemon_forgets(void *daemon)
{
	memset(((struct daemon *)daemon)->entries, 0, sizeof(((struct daemon *)daemon)->entries));
}

static void restart(struct world *world, bool empty)
{
	world_close(world);
	world_await_lost(world);
	if (empty)
		host_call(world->server, daemon_forgets, world->daemon);
}

START_TEST(a_new_daemon_that_knows_nothing)
{
	struct world world;

	world_begin(&world, _i);
	world_change(&world, "/name", "sys-firewall");
	world_change(&world, "/qubes-ip", "10.137.0.9");
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/handled/1", "1"), 0);
	ck_assert_int_eq(world_write(&world, "/handled/0", "2"), 0);
	world_settle(&world);
	restart(&world, true);
	/* Written while nobody is there, and more than once. */
	ck_assert_int_eq(world_write(&world, "/handled/2", "3"), 0);
	ck_assert_int_eq(world_write(&world, "/handled/2", "4"), 0);
	world_listen(&world);
	world_await_load(&world);
	world_settle(&world);
	/* What it did not tell stays, and it knows what is ours. */
	world_assert_entry(&world, "/name", "sys-firewall");
	world_assert_entry(&world, "/qubes-ip", "10.137.0.9");
	ck_assert(!world.client->said && world.client->drained);
	ck_assert_ptr_null(world_daemon_get(&world, "/name"));
	ck_assert_str_eq(world_daemon_get(&world, "/handled/1"), "1");
	ck_assert_str_eq(world_daemon_get(&world, "/handled/0"), "2");
	ck_assert_str_eq(world_daemon_get(&world, "/handled/2"), "4");
	ck_assert_uint_eq(world.daemon->writes, 5);
	ck_assert_str_eq(world.daemon->last_write, "/handled/2"); /* as they were written */
	ck_assert_uint_eq(world.client->changed, 0);
	ck_assert(world_is(&world, world.program->client_is_whole));
	/* Live again. */
	world_change(&world, "/name", "other");
	world_settle(&world);
	world_assert_entry(&world, "/name", "other");
	ck_assert(world.client->said);
	ck_assert_uint_eq(world.client->changed, 1);
	world_end(&world);
}
END_TEST

START_TEST(a_new_daemon_that_knows_more)
{
	struct world world;

	world_begin(&world, _i);
	world_change(&world, "/name", "sys-firewall");
	world_change(&world, "/gone", "soon");
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/handled", "7"), 0);
	world_settle(&world);
	restart(&world, false);
	world_change(&world, "/name", "other");
	world_change(&world, "/new", "1");
	world_change(&world, "/handled", "theirs");
	world_change(&world, "/gone", NULL);
	world_listen(&world);
	world_await_load(&world);
	world_settle(&world);
	ck_assert_uint_eq(world.client->loaded, 2);
	ck_assert_uint_eq(world.client->changed, 0);
	world_assert_entry(&world, "/name", "other");
	world_assert_entry(&world, "/new", "1");
	world_assert_entry(&world, "/gone", "soon");
	world_assert_entry(&world, "/handled", "7");
	ck_assert_str_eq(world_daemon_get(&world, "/handled"), "7");
	ck_assert_uint_eq(world.daemon->multireads, 2);
	world_end(&world);
}
END_TEST

/* It dies with so many bytes of a message said. */
START_TEST(a_daemon_that_dies_in_the_middle)
{
	static const uint32_t said[] = { 1, 60, 71, 72, 73, 171 };
	uint8_t bytes[172] = { 1, '/', 'n', 'a', 'm', 'e', [68] = 100 };
	struct world world;

	world_begin(&world, _i & 1);
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	memset(bytes + 72, 'v', 100);
	world_send(&world, bytes, said[_i / 2]);
	world_close(&world);
	world_await_lost(&world);
	world_assert_entry(&world, "/name", "sys-firewall");
	world_listen(&world);
	world_await_load(&world);
	world_change(&world, "/name", "again");
	world_settle(&world);
	world_assert_entry(&world, "/name", "again");
	ck_assert_uint_eq(world.client->changed, 1);
	world_end(&world);
}
END_TEST

static bool has_entries(void *argument)
{
	struct world *world = argument;

	world->client->path = "/b";
	world->program->client_get(world->client);
	return world->client->found;
}

START_TEST(a_daemon_that_dies_in_the_full_read)
{
	struct world world;

	world_begin(&world, _i);
	world.daemon->mute = true;
	world_listen(&world);
	world_client_start(&world);
	world_message(&world, 11, "/b", "1", 1, 1);
	ck_assert(host_run_until_in(world.guest, has_entries, &world, 10 * SECOND));
	ck_assert(!world_is(&world, world.program->client_is_loaded));
	ck_assert(!world_is(&world, world.program->client_is_whole));
	world_close(&world);
	world_await_lost(&world);
	ck_assert_uint_eq(world.client->loaded, 0);
	world.daemon->mute = false;
	world_listen(&world);
	world_await_load(&world);
	ck_assert_uint_eq(world.client->changed, 0);
	world_assert_entry(&world, "/b", "1");
	world_end(&world);
}
END_TEST

/* What it said before it went is taken. */
START_TEST(last_words_are_heard)
{
	struct world world;

	world_begin(&world, _i);
	world_connect(&world);
	for (uint32_t i = 0; i < 20; i++)
		world_message(&world, 1, "/count", "12345678901234567890", i + 1, i + 1);
	world_close(&world);
	world_await_lost(&world);
	world_listen(&world);
	world_await_load(&world);
	ck_assert_uint_eq(world.client->changed, 20);
	world_assert_entry(&world, "/count", "12345678901234567890");
	world_end(&world);
}
END_TEST

START_TEST(a_domain_that_is_killed)
{
	struct world world;

	world_begin(&world, _i);
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	host_domain_kill(world.server);
	world_await_lost(&world);
	host_run_for(world.machine, (_i ? 1 : 600) * SECOND);
	world_assert_entry(&world, "/name", "sys-firewall");
	ck_assert_int_eq(world_write(&world, "/handled", "1"), 0);
	/* Nothing is left of it, and trying again says little. */
	ck_assert_uint_eq(host_domain_counters(world.guest).mapped, 0);
	ck_assert_uint_le(world.client->log_lines, 60);
	world_end(&world);
}
END_TEST

/* ---- garbage ---- */

static const struct {
	uint8_t type;
	const char *path; /* 64 bytes of 'p' for NULL */
	uint32_t claimed;
	uint32_t length;
	const char *said;
} garbage[] = {
	{ 0, "/name", 0, 0, "a type that dom0 does not send (type 0, 0 bytes)" },
	{ 2, "", 0, 0, "a type that dom0 does not send (type 2" },
	{ 3, "/name", 0, 0, "a type that dom0 does not send (type 3" },
	{ 5, "/name", 0, 0, "a type that dom0 does not send" },
	{ 8, "/name", 0, 0, "a type that dom0 does not send (type 8" },
	{ 10, "/name", 1, 1, "a type that dom0 does not send" },
	{ 255, "/name", 0, 0, "a type that dom0 does not send (type 255" },
	{ 1, "/name", 3072, 3072, "a message that is too long (type 1, 3072 bytes)" },
	{ 1, "/name", 0xffffffff, 0, "a message that is too long" },
	{ 11, "/name", 0x80000001, 0, "a message that is too long" },
	{ 1, NULL, 0, 0, "a path without" },
	{ 4, NULL, 0, 0, "a path without" },
	{ 1, "/na me", 1, 1, "a path with a byte that none may have" },
	{ 1, "name", 1, 1, "a path without its first slash" },
	{ 1, "/name/", 1, 1, "an entry whose path ends in a slash" },
	{ 1, "", 0, 0, "a path without its first slash" },
	{ 1, "/name", 5, 5, "a value with a NUL" },
	{ 4, "/name", 1, 1, "a value where none belongs" },
	{ 7, "/name", 1, 1, "a value where none belongs" },
	{ 11, "/name", 1, 1, "an entry that nobody asked for" },
	{ 11, "", 0, 0, "an entry that nobody asked for" },
};

START_TEST(garbage_ends_the_connection_only)
{
	char path[65], value[3072];
	struct world world;
	uint32_t kind = _i / 2;

	memset(path, 'p', 64);
	path[0] = '/';
	path[64] = '\0';
	memset(value, 'v', sizeof(value));
	if (strstr(garbage[kind].said, "NUL"))
		value[2] = '\0';
	world_begin(&world, _i & 1);
	world_change(&world, "/name", "sys-firewall");
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/handled", "1"), 0);
	world_settle(&world);
	world.daemon->expected_count = 0;
	world_message(&world, garbage[kind].type, garbage[kind].path ? garbage[kind].path : path,
		      value, garbage[kind].length, garbage[kind].claimed);
	world_await_lost(&world);
	ck_assert_uint_eq(world.client->log_lines, 2);
	ck_assert_ptr_nonnull(strstr(world.client->first_log, garbage[kind].said));
	world_assert_entry(&world, "/name", "sys-firewall");
	ck_assert_uint_eq(world.client->changed, 0);
	/* And again from the beginning. */
	world_listen(&world);
	world_await_load(&world);
	world_change(&world, "/name", "again");
	world_settle(&world);
	world_assert_entry(&world, "/name", "again");
	ck_assert_str_eq(world_daemon_get(&world, "/handled"), "1");
	world_end(&world);
}
END_TEST

/* Stray answers, and changes before the end of the read, hurt nobody. */
START_TEST(odd_but_harmless)
{
	struct world world;

	world_begin(&world, _i);
	world.daemon->mute = true;
	world_listen(&world);
	world_client_start(&world);
	world_message(&world, 1, "/a", "1", 1, 1);
	world_message(&world, 11, "/b", "1", 1, 1);
	world_message(&world, 4, "/a", NULL, 0, 0);
	world_message(&world, 7, "/x", NULL, 0, 0);
	world_message(&world, 11, "", NULL, 0, 0);
	world_await_load(&world);
	world_message(&world, 7, "", NULL, 0, 0);
	world_message(&world, 9, "/x", NULL, 0, 0);
	world_message(&world, 4, "/", NULL, 0, 0);
	world_settle(&world);
	ck_assert_uint_eq(world_entries(&world), 0);
	ck_assert_uint_eq(world.client->changed, 1);
	host_call(world.guest, world.program->client_stats, world.client);
	ck_assert_ptr_nonnull(strstr(world.client->stats[2], " strays 3 garbage 0"));
	world_end(&world);
}
END_TEST

static bool is_connected_at_all(void *argument)
{
	struct world *world = argument;

	return world->program->client_is_connected(world->client);
}

/* An error instead of all entries: what can be done is to ask again, on a new connection. */
START_TEST(a_read_that_is_refused)
{
	struct world world;

	world_begin(&world, _i);
	world.daemon->mute = true;
	world_listen(&world);
	world_client_start(&world);
	ck_assert(host_run_until_in(world.guest, is_connected_at_all, &world, 10 * SECOND));
	world_assert_entry(&world, "/name", NULL);
	ck_assert(!world.client->drained); /* all of it is to come */
	world_message(&world, 9, "", NULL, 0, 0);
	world_await_lost(&world);
	ck_assert_ptr_nonnull(strstr(world.client->first_log, "a refusal to tell its entries"));
	world.daemon->mute = false;
	world_listen(&world);
	world_await_load(&world);
	world_end(&world);
}
END_TEST

/* A daemon that says garbage each time is asked less and less often. */
START_TEST(garbage_for_ever_costs_nothing)
{
	uint64_t lost_ns = 0, expected = 100 * MS;
	struct world world;

	world_begin(&world, 0);
	world_listen(&world);
	world_client_start(&world);
	for (uint32_t i = 0; i < 14; i++) {
		uint64_t waited;

		world_await_load(&world);
		waited = host_now_ns(world.machine) - lost_ns;
		if (i) {
			ck_assert_uint_ge(waited, expected - 50 * MS);
			ck_assert_uint_le(waited, expected + 500 * MS);
			expected = expected * 2 < 30 * SECOND ? expected * 2 : 30 * SECOND;
		}
		world_message(&world, 99, "", NULL, 0, 0);
		world_await_lost(&world);
		lost_ns = host_now_ns(world.machine);
		world_listen(&world);
	}
	world_await_load(&world);
	host_run_for(world.machine, 61 * SECOND);
	world_close(&world);
	world_await_lost(&world);
	lost_ns = host_now_ns(world.machine);
	world_listen(&world);
	world_await_load(&world);
	ck_assert_uint_le(host_now_ns(world.machine) - lost_ns, 200 * MS);
	world_end(&world);
}
END_TEST

TCase *qubesdb_connection_tests(void)
{
	TCase *tests = tcase_create("connection");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, a_new_daemon_that_knows_nothing, 0, 2);
	tcase_add_loop_test(tests, a_new_daemon_that_knows_more, 0, 2);
	tcase_add_loop_test(tests, a_daemon_that_dies_in_the_middle, 0, 12);
	tcase_add_loop_test(tests, a_daemon_that_dies_in_the_full_read, 0, 2);
	tcase_add_loop_test(tests, last_words_are_heard, 0, 2);
	tcase_add_loop_test(tests, a_domain_that_is_killed, 0, 2);
	tcase_add_loop_test(tests, garbage_ends_the_connection_only, 0,
			    2 * (int)ARRAY_SIZE(garbage));
	tcase_add_loop_test(tests, odd_but_harmless, 0, 2);
	tcase_add_loop_test(tests, a_read_that_is_refused, 0, 2);
	tcase_add_test(tests, garbage_for_ever_costs_nothing);
	return tests;
}
