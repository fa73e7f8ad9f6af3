/* SPDX-License-Identifier: ISC */
/* Grant tables of the hosted machine: every check that Xen makes, and what follows an unmap. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "arch/x86/memory.h"
#include "tests/host/host.h"
#include "tests/host/suites.h"
#include "xen/gnttab.h"

struct share {
	struct host_machine *machine;
	struct host_domain *giver;
	struct host_domain *taker;
	uint16_t giver_domid;
	uint16_t taker_domid;
	uint8_t *page;	 /* of the giver */
	uint8_t *target; /* of the taker */
	uint32_t gref;
	bool readonly;
	bool map_readonly;
	struct gnttab_mapping mapping;
	int error;
};

static void share_grant(void *argument)
{
	struct share *share = argument;
	int64_t gref;

	if (!share->page)
		share->page = memory_alloc_pages(1);
	strcpy((char *)share->page, "the giver's words");
	gref = gnttab_grant_access(share->taker_domid, memory_frame_of(share->page),
				   share->readonly);
	ck_assert_int_ge(gref, 8);
	share->gref = (uint32_t)gref;
}

static void share_end(void *argument)
{
	struct share *share = argument;

	share->error = gnttab_end_access(share->gref);
}

static void share_map(void *argument)
{
	struct share *share = argument;

	share->error =
		gnttab_map(share->giver_domid, share->gref, share->map_readonly, &share->mapping);
}

static void share_unmap(void *argument)
{
	gnttab_unmap(&((struct share *)argument)->mapping);
}

static void share_begin(struct share *share, bool readonly)
{
	struct host_options options = host_options_default(HOST_STEPPED);

	options.grant_entries = 64;
	*share = (struct share){ .machine = host_machine_create(&options), .readonly = readonly };
	share->giver = host_domain_create(share->machine, "giver", 16);
	share->taker = host_domain_create(share->machine, "taker", 16);
	share->giver_domid = host_domid(share->giver);
	share->taker_domid = host_domid(share->taker);
	share->map_readonly = readonly;
	host_call(share->giver, share_grant, share);
}

/* ---- mapping ---- */

static void write_through(void *argument)
{
	struct share *share = argument;

	strcpy(share->mapping.address, "the taker's");
}

START_TEST(a_mapping_shows_the_same_page_at_another_address)
{
	struct share share;
	struct host_counters counters;

	share_begin(&share, false);
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, 0);
	ck_assert_ptr_ne(share.mapping.address, share.page);
	ck_assert_str_eq(share.mapping.address, "the giver's words");
	host_call(share.taker, write_through, &share);
	ck_assert_str_eq((char *)share.page, "the taker's");
	counters = host_domain_counters(share.giver);
	ck_assert_uint_eq(counters.granted, 1);
	ck_assert_uint_eq(counters.held, 1);
	ck_assert_uint_eq(host_domain_counters(share.taker).mapped, 1);
	host_call(share.giver, share_end, &share);
	ck_assert_int_eq(share.error, -EBUSY);
	host_call(share.taker, share_unmap, &share);
	ck_assert_ptr_null(share.mapping.address);
	host_call(share.taker, share_unmap, &share);
	host_call(share.giver, share_end, &share);
	ck_assert_int_eq(share.error, 0);
	ck_assert_uint_eq(host_domain_counters(share.giver).granted, 0);
	ck_assert_uint_eq(host_domain_counters(share.giver).held, 0);
	host_machine_destroy(share.machine);
}
END_TEST

START_TEST(mapping_is_refused_without_the_right)
{
	struct share share;
	struct share stranger;

	share_begin(&share, true);
	share.map_readonly = false;
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, -EINVAL);
	stranger = share;
	stranger.map_readonly = true;
	stranger.taker = host_domain_create(share.machine, "stranger", 8);
	host_call(stranger.taker, share_map, &stranger);
	ck_assert_int_eq(stranger.error, -EINVAL);
	share.map_readonly = true;
	share.gref = 64;
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, -EINVAL);
	share.gref = 3;
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, -EINVAL);
	share.giver_domid = 1234;
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, -ESRCH);
	ck_assert_ptr_null(share.mapping.address);
	ck_assert_uint_eq(host_domain_counters(share.taker).mapped, 0);
	host_machine_destroy(share.machine);
}
END_TEST

START_TEST(writing_through_a_readonly_mapping_faults)
{
	struct share share;

	share_begin(&share, true);
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, 0);
	signal(SIGSEGV, SIG_DFL); /* the sanitizer's report is not wanted */
	host_call(share.taker, write_through, &share);
}
END_TEST

START_TEST(an_unmapped_page_faults)
{
	struct share share;
	volatile uint8_t *stale;

	share_begin(&share, false);
	host_call(share.taker, share_map, &share);
	stale = share.mapping.address;
	ck_assert_uint_eq(stale[0], 't');
	host_call(share.taker, share_unmap, &share);
	signal(SIGSEGV, SIG_DFL);
	ck_assert_uint_eq(stale[0], 't');
}
END_TEST

START_TEST(a_dead_givers_page_stays_until_it_is_let_go)
{
	struct share share;

	share_begin(&share, false);
	host_call(share.taker, share_map, &share);
	host_domain_kill(share.giver);
	ck_assert_str_eq(share.mapping.address, "the giver's words");
	ck_assert_uint_eq(host_domain_counters(share.giver).held, 1);
	ck_assert_uint_eq(host_domain_counters(share.giver).granted, 0);
	/* New domains must not get the page while it is held. */
	host_domain_create(share.machine, "next", 1000);
	ck_assert_str_eq(share.mapping.address, "the giver's words");
	host_call(share.taker, share_unmap, &share);
	ck_assert_uint_eq(host_domain_counters(share.giver).held, 0);
	share.map_readonly = false;
	host_call(share.taker, share_map, &share);
	ck_assert_int_eq(share.error, -ESRCH);
	host_machine_destroy(share.machine);
}
END_TEST

START_TEST(a_dead_takers_mapping_ends)
{
	struct share share;

	share_begin(&share, false);
	host_call(share.taker, share_map, &share);
	host_domain_kill(share.taker);
	ck_assert_uint_eq(host_domain_counters(share.giver).held, 0);
	host_call(share.giver, share_end, &share);
	ck_assert_int_eq(share.error, 0);
	host_machine_destroy(share.machine);
}
END_TEST

static void fill_table(void *argument)
{
	struct share *share = argument;
	uint64_t frame = memory_frame_of(share->page);
	uint32_t first = share->gref;

	for (uint32_t i = 0; i < 64 - 8 - 1; i++)
		ck_assert_int_ge(gnttab_grant_access(share->taker_domid, frame, true), 8);
	ck_assert_int_eq(gnttab_grant_access(share->taker_domid, frame, true), -ENOSPC);
	ck_assert_uint_eq(gnttab_granted_count(), 64 - 8);
	ck_assert_int_eq(gnttab_end_access(first + 5), 0);
	ck_assert_int_eq(gnttab_end_access(first), 0);
	ck_assert_int_eq(gnttab_grant_access(share->taker_domid, frame, true), first + 5);
	ck_assert_int_eq(gnttab_grant_access(share->taker_domid, frame, true), first);
}

START_TEST(a_full_table_refuses_and_reuses_the_longest_free)
{
	struct share share;

	share_begin(&share, true);
	host_call(share.giver, fill_table, &share);
	host_machine_destroy(share.machine);
}
END_TEST

static void grant_a_pointer(void *argument)
{
	struct share *share = argument;

	(void)!gnttab_grant_access(1, (uintptr_t)share->page / PAGE_BYTES, true);
}

START_TEST(granting_what_is_no_frame_aborts)
{
	struct share share;

	share_begin(&share, true);
	host_call(share.giver, grant_a_pointer, &share);
}
END_TEST

/* ---- copying ---- */

enum wrong {
	RIGHT,
	WRONG_DOMID,
	WRONG_DEAD_DOMID,
	WRONG_GREF,
	WRONG_HUGE_GREF,
	WRONG_REVOKED,
	WRONG_SOURCE_OFFSET,
	WRONG_TARGET_OFFSET,
	WRONG_FRAME,
	WRONG_OTHERS_FRAME,
	WRONG_DIRECTION,
	WRONG_COUNT
};

static const int16_t wrong_status[WRONG_COUNT] = {
	[RIGHT] = GNTST_okay,
	[WRONG_DOMID] = GNTST_bad_domain,
	[WRONG_DEAD_DOMID] = GNTST_bad_domain,
	[WRONG_GREF] = GNTST_general_error,
	[WRONG_HUGE_GREF] = GNTST_bad_gntref,
	[WRONG_REVOKED] = GNTST_general_error,
	[WRONG_SOURCE_OFFSET] = GNTST_bad_copy_arg,
	[WRONG_TARGET_OFFSET] = GNTST_bad_copy_arg,
	[WRONG_FRAME] = GNTST_bad_page,
	[WRONG_OTHERS_FRAME] = GNTST_permission_denied,
	[WRONG_DIRECTION] = GNTST_general_error,
};

struct copy_case {
	struct share *share;
	enum wrong wrong;
	uint16_t dead_domid;
	int16_t status;
};

static void make_wrong(struct gnttab_copy *op, const struct copy_case *test)
{
	switch (test->wrong) {
	case WRONG_DOMID:
		op->source.domid = 4321;
		break;
	case WRONG_DEAD_DOMID:
		op->source.domid = test->dead_domid;
		break;
	case WRONG_GREF:
		op->source.u.ref++;
		break;
	case WRONG_HUGE_GREF:
		op->source.u.ref = UINT32_MAX;
		break;
	case WRONG_SOURCE_OFFSET:
		op->source.offset = 4090;
		break;
	case WRONG_TARGET_OFFSET:
		op->dest.offset = 4095;
		break;
	case WRONG_FRAME:
		op->dest.u.gmfn = (uintptr_t)test->share->target / PAGE_BYTES;
		break;
	case WRONG_OTHERS_FRAME:
		op->dest.domid = test->share->giver_domid;
		op->dest.u.gmfn = memory_frame_of(test->share->target);
		break;
	default:
		break;
	}
}

static void copy_body(void *argument)
{
	struct copy_case *test = argument;
	struct share *share = test->share;
	struct gnttab_copy op = {
		.source = { .u.ref = share->gref, .domid = share->giver_domid, .offset = 4 },
		.dest = { .domid = DOMID_SELF, .offset = 100 },
		.len = 7,
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};

	if (!share->target)
		share->target = memory_alloc_pages(1);
	memset(share->target, 0, PAGE_BYTES);
	op.dest.u.gmfn = memory_frame_of(share->target);
	make_wrong(&op, test);
	if (test->wrong == WRONG_DIRECTION) {
		/* into a page that was granted read-only */
		op.flags = GNTCOPY_dest_gref;
		op.source.u.gmfn = memory_frame_of(share->target);
		op.source.domid = DOMID_SELF;
		op.dest.u.ref = share->gref;
		op.dest.domid = share->giver_domid;
	}
	gnttab_copy(&op, 1);
	test->status = op.status;
	if (op.status == GNTST_okay) {
		ck_assert_mem_eq(share->target + 100, "giver's", 7);
		ck_assert_uint_eq(share->target[107], 0);
		return;
	}
	for (uint32_t i = 0; i < PAGE_BYTES; i++)
		ck_assert_uint_eq(share->target[i], 0);
}

START_TEST(a_copy_is_checked_as_xen_does)
{
	struct share share;
	struct copy_case test = { .share = &share, .wrong = (enum wrong)_i };
	struct host_domain *dead;

	share_begin(&share, true);
	dead = host_domain_create(share.machine, "dead", 8);
	test.dead_domid = host_domid(dead);
	host_domain_kill(dead);
	if (test.wrong == WRONG_REVOKED)
		host_call(share.giver, share_end, &share);
	host_call(share.taker, copy_body, &test);
	ck_assert_int_eq(test.status, wrong_status[_i]);
	ck_assert_str_eq((char *)share.page, "the giver's words");
	host_machine_destroy(share.machine);
}
END_TEST

static void copy_into(void *argument)
{
	struct share *share = argument;
	struct gnttab_copy ops[2];

	share->target = memory_alloc_pages(1);
	strcpy((char *)share->target, "from afar");
	for (int i = 0; i < 2; i++)
		ops[i] = (struct gnttab_copy){
			.source = { .u.gmfn = memory_frame_of(share->target), .domid = DOMID_SELF },
			.dest = { .u.ref = share->gref, .domid = share->giver_domid },
			.len = 10,
			.flags = GNTCOPY_dest_gref,
		};
	ops[0].len = 4097;
	gnttab_copy(ops, 2);
	ck_assert_int_eq(ops[0].status, GNTST_bad_copy_arg);
	ck_assert_int_eq(ops[1].status, GNTST_okay);
}

START_TEST(ops_of_one_call_fail_alone)
{
	struct share share;

	share_begin(&share, false);
	host_call(share.taker, copy_into, &share);
	ck_assert_str_eq((char *)share.page, "from afar");
	host_machine_destroy(share.machine);
}
END_TEST

TCase *host_gnttab_tests(void)
{
	TCase *tests = tcase_create("grant tables");

	tcase_add_test(tests, a_mapping_shows_the_same_page_at_another_address);
	tcase_add_test(tests, mapping_is_refused_without_the_right);
	tcase_add_test_raise_signal(tests, writing_through_a_readonly_mapping_faults, SIGSEGV);
	tcase_add_test_raise_signal(tests, an_unmapped_page_faults, SIGSEGV);
	tcase_add_test(tests, a_dead_givers_page_stays_until_it_is_let_go);
	tcase_add_test(tests, a_dead_takers_mapping_ends);
	tcase_add_test(tests, a_full_table_refuses_and_reuses_the_longest_free);
	tcase_add_test_raise_signal(tests, granting_what_is_no_frame_aborts, SIGABRT);
	tcase_add_loop_test(tests, a_copy_is_checked_as_xen_does, 0, WRONG_COUNT);
	tcase_add_test(tests, ops_of_one_call_fail_alone);
	return tests;
}
