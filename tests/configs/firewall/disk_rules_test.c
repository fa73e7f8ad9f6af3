/* SPDX-License-Identifier: ISC */
/*
 * Rules that a disk brings: what of its coming, going, mistakes and failures opens the
 * firewall, and what leaves it as it was. Disk and fibers are played: whoever waits, waits until
 * nothing is left to be done.
 */
#include "configs/firewall/disk_rules.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/firewall/host_names.h"
#include "lib/log.h"
#include "tests/host/unit.h"
#include "tests/net/test_net.h"
#include "xen/fiber.h"

#define DISK_BYTES 32768u
#define ONE "block all\n# end\n"
#define THREE "block all\npass in proto icmp\npass out\n# end\n"

static struct test_net *net;
static void (*fiber)(void *argument);
static uint8_t content[DISK_BYTES];
static struct block_request *under_way;
static bool away; /* the disk does not answer */
static int answer;
static char said[4096];

uint64_t clock_now_ns(void)
{
	return net->now_ns;
}

void *memory_alloc_pages(size_t count)
{
	return calloc(count, 4096);
}

int fiber_start(const char *name, void (*entry)(void *argument), void *argument)
{
	(void)name;
	(void)argument;
	fiber = entry;
	return 0;
}

void fiber_event_init(struct fiber_event *event)
{
	event->signalled = false;
}

void fiber_event_signal(struct fiber_event *event)
{
	event->signalled = true;
}

static void answer_request(void)
{
	struct block_request *request = under_way;

	under_way = NULL;
	if (!answer)
		memcpy(request->data, content + request->sector * 512, request->count * 512);
	request->done(request, answer);
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	(void)deadline_ns;
	if (!event->signalled && under_way && !away)
		answer_request();
	if (!event->signalled)
		return -ETIMEDOUT;
	event->signalled = false;
	return 0;
}

static void submit(struct block_device *device, struct block_request *const *list, uint32_t count)
{
	(void)device;
	ck_assert_uint_eq(count, 1);
	under_way = list[0];
}

static const struct block_ops ops = { .submit = submit };
static struct block_device disk = { .name = "xvdb",
				    .ops = &ops,
				    .up = true,
				    .geometry = { .sectors = DISK_BYTES / 512,
						  .sector_bytes = 512,
						  .physical_sector_bytes = 512 } };

static void keep(const char *line, size_t length)
{
	size_t used = strlen(said);

	ck_assert_uint_lt(used + length, sizeof(said));
	memcpy(said + used, line, length);
	said[used + length] = '\0';
}

static void put(const char *text)
{
	memset(content, 0, sizeof(content));
	memcpy(content, text, strlen(text));
}

/* Lets the fiber do all that it has to do. */
static void run(void)
{
	said[0] = '\0';
	fiber(NULL);
}

static void begin(void)
{
	log_init(keep, NULL);
	net = test_net_begin(NULL, 64);
	router_set_rules(&net->router, NULL);
	host_names_make(&net->router, &net->random, NULL, 4);
	ck_assert_int_eq(disk_rules_start("xvdb", &net->router), 0);
	run();
	ck_assert_ptr_null(net->router.rules);
}

static uint32_t rules_in_use(void)
{
	return net->router.rules ? ruleset_count(net->router.rules) : 0;
}

/* The firewall has that many rules, 0 when it is closed, and said so. */
static void check(uint32_t rules, const char *word)
{
	run();
	ck_assert_uint_eq(rules_in_use(), rules);
	ck_assert_msg(strstr(said, word), "no \"%s\" in: %s", word, said);
}

START_TEST(a_disk_opens)
{
	begin();
	put(THREE);
	disk_rules_attached(&disk);
	check(3, "3 rules");
	ck_assert_int_eq(disk_rules_wait(0), 0);
	ck_assert_ptr_null(strstr(said, "loaded from")); /* whoever waits says that */
}
END_TEST

START_TEST(a_late_disk_opens)
{
	begin();
	ck_assert_int_eq(disk_rules_wait(0), -ETIMEDOUT);
	put(THREE);
	disk_rules_attached(&disk);
	check(3, "rules loaded from xvdb");
}
END_TEST

START_TEST(mistakes_leave_it_closed)
{
	begin();
	put("block al\n# end\n");
	disk_rules_attached(&disk);
	check(0, "1:7: \"al\"");
	ck_assert_ptr_nonnull(strstr(said, "CLOSED"));
	ck_assert_int_eq(disk_rules_wait(0), 0);
	put("block all\npass a");
	disk_rules_again();
	check(0, "xvdb: 2:1: cut?");
	ck_assert_ptr_nonnull(strstr(said, "CLOSED"));
	answer = -EIO;
	disk_rules_again();
	check(0, "input or output error");
	answer = 0;
	put(THREE);
	disk_rules_again();
	check(3, "rules loaded from xvdb");
}
END_TEST

START_TEST(rules_are_replaced_as_a_whole)
{
	static const char *const bad[] = { "block al\n# end\n", "block all\npass\n", "",
					   "# end\nx\n" };

	begin();
	put(THREE);
	disk_rules_attached(&disk);
	check(3, "3 rules");
	ck_assert_int_eq(disk_rules_wait(0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ruleset *before = net->router.rules;

		put(bad[i]);
		disk_rules_again();
		check(3, "the rules stay as they were");
		ck_assert_ptr_eq(net->router.rules, before);
		ck_assert_ptr_null(strstr(said, "CLOSED"));
	}
	put(ONE);
	disk_rules_again();
	check(1, "rules loaded from xvdb");
	/* More names than there is room for are those of no set, and no reason to keep the old. */
	put("pass to { a.test b.test c.test d.test }\n# end\n");
	disk_rules_again();
	check(4, "4 host names");
	put("pass to { e.test f.test g.test }\n# end\n");
	disk_rules_again();
	check(3, "3 host names");
	ck_assert_ptr_null(strstr(said, "too many"));
}
END_TEST

START_TEST(a_disk_that_is_away_or_goes)
{
	begin();
	put(THREE);
	away = true;
	disk_rules_attached(&disk);
	disk_rules_again();
	ck_assert_int_eq(disk_rules_wait(0), -ETIMEDOUT);
	ck_assert_ptr_null(net->router.rules);
	away = false;
	check(3, "3 rules");
	/* Without it the rules hold on, and there is none to read them from. */
	disk_rules_detached();
	disk_rules_again();
	check(3, "xvdb: the disk is not there");
	put(ONE);
	disk_rules_attached(&disk);
	check(1, "rules loaded from xvdb");
}
END_TEST

/* As long as it is closed it asks a disk that fails again by itself, less and less often. */
START_TEST(a_disk_that_fails_for_a_while)
{
	begin();
	put(THREE);
	answer = -EIO;
	disk_rules_attached(&disk);
	check(0, "xvdb: again in 2 s");
	check(0, ""); /* not before its time */
	ck_assert_str_eq(said, "");
	for (uint64_t seconds = 2; seconds <= 256; seconds *= 2) {
		net->now_ns += 64000000000ull;
		check(0, "input or output error");
		ck_assert_ptr_nonnull(strstr(said, seconds < 32 ? "again in" : "again in 64 s"));
	}
	answer = 0;
	net->now_ns += 64000000000ull;
	check(3, "3 rules");
	net->now_ns += 64000000000ull;
	check(3, "");
	ck_assert_str_eq(said, "");
	/* Who asks for other rules looks at what comes of it. */
	answer = -EIO;
	disk_rules_again();
	check(3, "the rules stay as they were");
	ck_assert_ptr_null(strstr(said, "again in"));
	answer = 0;
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_disk_opens);
	tcase_add_test(cases, a_late_disk_opens);
	tcase_add_test(cases, mistakes_leave_it_closed);
	tcase_add_test(cases, rules_are_replaced_as_a_whole);
	tcase_add_test(cases, a_disk_that_is_away_or_goes);
	tcase_add_test(cases, a_disk_that_fails_for_a_while);
}

int main(void)
{
	return unit_main("configs/firewall/disk_rules", add_cases);
}
