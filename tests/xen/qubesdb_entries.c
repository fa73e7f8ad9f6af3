/* SPDX-License-Identifier: ISC */
/* What dom0 and we write, while the connection stands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/xen/qubesdb_suites.h"
#include "tests/xen/qubesdb_world.h"

static const struct daemon_change firewall[] = {
	{ "/name", "sys-firewall" },
	{ "/qubes-block-devices", "" },
	{ "/qubes-firewall/10.137.0.5", "" },
	{ "/qubes-firewall/10.137.0.5/0001", "action=accept dst4=1.2.3.4/32" },
	{ "/qubes-firewall/10.137.0.5/0007", "action=drop" },
	{ "/qubes-firewall/10.137.0.5/policy", "drop" },
	{ "/qubes-firewall/10.137.0.50", "" },
	{ "/connected-ips", "10.137.0.5 10.137.0.50" },
};

static void assert_call(struct world *world, uint32_t number, const char *expected)
{
	ck_assert_uint_gt(world->client->call_count, number);
	ck_assert_str_eq(world->client->calls[number], expected);
}

START_TEST(everything_is_read_once)
{
	struct world world;

	world_begin(&world, _i);
	host_call_fiber_must(world.guest, world.program->client_offered, world.client);
	ck_assert(!world.client->offered);
	world_batch(&world, firewall, ARRAY_SIZE(firewall), true);
	world_listen(&world);
	host_call_fiber_must(world.guest, world.program->client_offered, world.client);
	ck_assert(world.client->offered);
	world_client_start(&world);
	world_await_load(&world);
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	ck_assert_uint_eq(world.client->entries, ARRAY_SIZE(firewall));
	ck_assert_uint_eq(world.daemon->multireads, 1);
	ck_assert_uint_eq(world.client->changed, 0);
	ck_assert_uint_eq(world.client->loaded, 1);
	ck_assert(world_is(&world, world.program->client_is_whole));
	world_assert_entry(&world, "/qubes-firewall", NULL);
	world_end(&world);
}
END_TEST

START_TEST(the_client_may_be_there_first)
{
	struct world world;

	world_begin(&world, _i);
	world_client_start(&world);
	host_run_for(world.machine, (_i ? 1 : 200) * SECOND);
	ck_assert(!world_is(&world, world.program->client_is_loaded));
	ck_assert(!world_is(&world, world.program->client_is_connected));
	ck_assert(!world_is(&world, world.program->client_is_whole));
	ck_assert_uint_eq(world.client->log_lines, 0);
	world_listen(&world);
	world_await_load(&world);
	ck_assert_uint_eq(world_entries(&world), 0);
	world_end(&world);
}
END_TEST

START_TEST(writes_of_dom0_arrive_in_order)
{
	struct world world;

	world_begin(&world, _i);
	world_connect(&world);
	world_batch(&world, firewall, ARRAY_SIZE(firewall), false);
	world_change(&world, "/name", "other");
	world_change(&world, "/name", "");
	world_settle(&world);
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	world_assert_entry(&world, "/name", "");
	ck_assert_uint_eq(world.client->changed, ARRAY_SIZE(firewall) + 2);
	ck_assert_uint_eq(world.client->removed, 0);
	assert_call(&world, 0, "/name=sys-firewall");
	assert_call(&world, 1, "/qubes-block-devices=");
	assert_call(&world, 8, "/name=other");
	assert_call(&world, 9, "/name=");
	world_end(&world);
}
END_TEST

START_TEST(the_longest_value_and_path)
{
	static const char path[] =
		"/23456789012345678901234567890123456789012345678901234567890123";
	char value[QUBESDB_VALUE_MAX + 1];
	struct world world;

	memset(value, 'v', sizeof(value));
	value[QUBESDB_VALUE_MAX] = '\0';
	world_begin(&world, _i);
	world_connect(&world);
	world_message(&world, 1, path, value, QUBESDB_VALUE_MAX, QUBESDB_VALUE_MAX);
	ck_assert_int_eq(world_write(&world, "/own", value), 0);
	world_settle(&world);
	world_assert_entry(&world, path, value);
	world_assert_entry(&world, "/own", value);
	world_end(&world);
}
END_TEST

START_TEST(removals_are_exact_or_of_all_below)
{
	struct world world;

	world_begin(&world, _i);
	world_batch(&world, firewall, ARRAY_SIZE(firewall), true);
	world_connect(&world);
	world_change(&world, "/qubes-firewall/10.137.0.5/0007", NULL);
	world_settle(&world);
	world_assert_entry(&world, "/qubes-firewall/10.137.0.5/0007", NULL);
	assert_call(&world, 0, "/qubes-firewall/10.137.0.5/0007");
	world_change(&world, "/qubes-firewall/10.137.0.5/", NULL);
	world_settle(&world);
	assert_call(&world, 1, "/qubes-firewall/10.137.0.5/0001");
	assert_call(&world, 2, "/qubes-firewall/10.137.0.5/policy");
	ck_assert_uint_eq(world.client->call_count, 3);
	/* What is only called alike stays, and so does the base. */
	world_assert_entry(&world, "/qubes-firewall/10.137.0.5", "");
	world_assert_entry(&world, "/qubes-firewall/10.137.0.50", "");
	/* What is not there is no fault of anybody's. */
	world_change(&world, "/nowhere", NULL);
	world_change(&world, "/nowhere/", NULL);
	world_settle(&world);
	ck_assert_uint_eq(world.client->call_count, 3);
	world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	world_change(&world, "/", NULL);
	world_settle(&world);
	ck_assert_uint_eq(world_entries(&world), 0);
	ck_assert_uint_eq(world.client->removed, 8);
	world_end(&world);
}
END_TEST

/* ---- entries of ours ---- */

static void forget(struct world *world, const char *path)
{
	world->client->path = path;
	host_call(world->guest, world->program->client_forget, world->client);
}

START_TEST(what_is_forgotten_is_our_own_affair)
{
	struct world world;

	world_begin(&world, _i);
	world_batch(&world, firewall, ARRAY_SIZE(firewall), true);
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/handled/10.137.0.5", "1"), 0);
	forget(&world, "/handled/10.137.0.5"); /* on threads perhaps sent already */
	forget(&world, "/qubes-firewall/10.137.0.5/");
	forget(&world, "/qubes-firewall/10.137.0.50");
	forget(&world, "/not-there");
	forget(&world, "/not-there/");
	world_settle(&world);
	ck_assert_uint_eq(world_entries(&world), ARRAY_SIZE(firewall) - 4);
	world_assert_entry(&world, "/qubes-firewall/10.137.0.5", "");
	ck_assert_uint_eq(world.client->changed, 0);
	ck_assert(_i || !world_daemon_get(&world, "/handled/10.137.0.5"));
	ck_assert_ptr_nonnull(world_daemon_get(&world, "/qubes-firewall/10.137.0.50"));
	/* It is there again when dom0 says it, and what dom0 removes is no loss. */
	world_change(&world, "/qubes-firewall/10.137.0.50", "");
	world_change(&world, "/qubes-firewall/10.137.0.5/0001", NULL);
	world_settle(&world);
	world_assert_entry(&world, "/qubes-firewall/10.137.0.50", "");
	ck_assert_int_eq(world_write(&world, "/handled/10.137.0.5", "1"), 0);
	world_settle(&world);
	forget(&world, "/handled/10.137.0.5"); /* told */
	ck_assert_str_eq(world_daemon_get(&world, "/handled/10.137.0.5"), "1");
	world_end(&world);
}
END_TEST

START_TEST(our_writes_reach_dom0)
{
	struct world world;

	world_begin(&world, _i);
	world_client_start(&world);
	ck_assert_int_eq(world_write(&world, "/early", "1"), 0);
	ck_assert_int_eq(world_write(&world, "/early", "2"), 0);
	world_assert_entry(&world, "/early", "2");
	world_listen(&world);
	world_await_load(&world);
	ck_assert_int_eq(world_write(&world, "/late", ""), 0);
	world_settle(&world);
	ck_assert_str_eq(world_daemon_get(&world, "/early"), "2");
	ck_assert_str_eq(world_daemon_get(&world, "/late"), "");
	ck_assert_uint_eq(world.daemon->writes, 2);
	ck_assert_str_eq(world.daemon->last_write, "/late");
	/* The same again is said again: somebody may wait for it. */
	ck_assert_int_eq(world_write(&world, "/late", ""), 0);
	world_settle(&world);
	ck_assert_uint_eq(world.daemon->writes, 3);
	ck_assert_uint_eq(world.client->changed, 0);
	world_end(&world);
}
END_TEST

START_TEST(writes_that_dom0_would_not_take_are_refused_here)
{
	static const char *const paths[] = { "",     "name",	   "/name/", "/",
					     "/a b", "/a\xc3\xa4", "-/name" };
	char value[QUBESDB_VALUE_MAX + 2], path[80] = "/";
	struct world world;

	world_begin(&world, _i);
	world_client_start(&world);
	for (uint32_t i = 0; i < ARRAY_SIZE(paths); i++)
		ck_assert_int_eq(world_write(&world, paths[i], "x"), -EINVAL);
	memset(path + 1, 'p', 63);
	ck_assert_int_eq(world_write(&world, path, "x"), -EINVAL);
	path[63] = '\0';
	ck_assert_int_eq(world_write(&world, path, "x"), 0);
	memset(value, 'v', sizeof(value));
	value[QUBESDB_VALUE_MAX + 1] = '\0';
	ck_assert_int_eq(world_write(&world, "/long", value), -EINVAL);
	value[QUBESDB_VALUE_MAX] = '\0';
	ck_assert_int_eq(world_write(&world, "/long", value), 0);
	for (uint32_t i = 2; i < QUBESDB_OWN_MAX; i++) {
		snprintf(path, sizeof(path), "/own/%u", i);
		ck_assert_int_eq(world_write(&world, path, ""), 0);
	}
	ck_assert_int_eq(world_write(&world, "/own/more", ""), -E2BIG);
	ck_assert_int_eq(world_write(&world, "/own/2", "again"), 0);
	ck_assert_uint_eq(world_entries(&world), QUBESDB_OWN_MAX);
	world_end(&world);
}
END_TEST

START_TEST(an_error_for_an_answer_is_counted)
{
	struct world world;

	world_begin(&world, _i);
	world.daemon->refuses_writes = true;
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/handled", "1"), 0);
	world_settle(&world);
	ck_assert_ptr_nonnull(strstr(world.client->last_log, "dom0 does not take \"/handled\""));
	host_call(world.guest, world.program->client_stats, world.client);
	ck_assert_uint_eq(world.client->stats_lines, 3);
	ck_assert_ptr_nonnull(strstr(world.client->stats[0], "qubesdb: connected, entries 1 "));
	ck_assert_ptr_nonnull(strstr(world.client->stats[2], " not-taken 1 "));
	world_end(&world);
}
END_TEST

START_TEST(dom0_may_take_an_entry_over)
{
	struct world world;

	world_begin(&world, _i);
	world_connect(&world);
	ck_assert_int_eq(world_write(&world, "/a", "ours"), 0);
	ck_assert_int_eq(world_write(&world, "/b", "ours"), 0);
	world_settle(&world);
	world_change(&world, "/a", "theirs");
	world_change(&world, "/b", NULL);
	world_settle(&world);
	world_assert_entry(&world, "/a", "theirs");
	world_assert_entry(&world, "/b", NULL);
	/* Neither is ours now: a new daemon does not hear of them. */
	world_listen(&world);
	world_await_load(&world);
	host_run_for(world.machine, 100 * MS);
	ck_assert_uint_eq(world.daemon->writes, 2);
	world_end(&world);
}
END_TEST

/* Both write and remove the same entries at once. In the end both have the same. */
START_TEST(writes_that_cross_come_out_the_same)
{
	struct daemon_change changes[24];
	char path[16], value[16];
	struct world world;

	world_begin(&world, _i & 1);
	world_connect(&world);
	for (uint32_t round = 0; round < 60; round++) {
		for (uint32_t i = 0; i < ARRAY_SIZE(changes); i++) {
			uint32_t entry = world_draw(&world, 10);

			snprintf(changes[i].path, sizeof(changes[i].path),
				 entry == 9 ? "/x/" : "/x/%u", entry);
			changes[i].value = entry < 9 && world_draw(&world, 3) ? "theirs" : NULL;
		}
		for (uint32_t i = 0; i < 12; i++) {
			snprintf(path, sizeof(path), "/x/%u", world_draw(&world, 9));
			snprintf(value, sizeof(value), "ours-%u", round * 12 + i);
			ck_assert_int_eq(world_write(&world, path, value), 0);
		}
		world_batch(&world, changes, ARRAY_SIZE(changes), round & 1);
		world_settle(&world);
		world_assert_same(&world, world.daemon->entries, DAEMON_ENTRIES);
	}
	world_end(&world);
}
END_TEST

TCase *qubesdb_entries_tests(void)
{
	TCase *tests = tcase_create("entries");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, everything_is_read_once, 0, 2);
	tcase_add_loop_test(tests, the_client_may_be_there_first, 0, 2);
	tcase_add_loop_test(tests, writes_of_dom0_arrive_in_order, 0, 2);
	tcase_add_loop_test(tests, the_longest_value_and_path, 0, 2);
	tcase_add_loop_test(tests, removals_are_exact_or_of_all_below, 0, 2);
	tcase_add_loop_test(tests, what_is_forgotten_is_our_own_affair, 0, 2);
	tcase_add_loop_test(tests, our_writes_reach_dom0, 0, 2);
	tcase_add_test(tests, writes_that_dom0_would_not_take_are_refused_here);
	tcase_add_loop_test(tests, an_error_for_an_answer_is_counted, 0, 2);
	tcase_add_loop_test(tests, dom0_may_take_an_entry_over, 0, 2);
	tcase_add_loop_test(tests, writes_that_cross_come_out_the_same, 0, 2);
	return tests;
}
