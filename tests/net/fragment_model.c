/* SPDX-License-Identifier: ISC */
#include "tests/net/fragment_model.h"

#include <string.h>

#include "tests/host/unit.h"

void fragment_model_clear(struct fragment_model *n)
{
	memset(n, 0, sizeof(*n));
}

static bool any_byte(const struct fragment_model *n, uint32_t from, uint32_t to)
{
	return memchr(n->map + from, 1, to - from);
}

static bool ends_disagree(const struct fragment_model *n, const struct test_fragment *f)
{
	uint32_t end = f->offset + f->length;

	if (f->more)
		return n->total && end >= n->total;
	return (n->total && end != n->total) || any_byte(n, end, FRAGMENT_MODEL_SPACE) ||
	       (!n->total && n->ends_at[end]);
}

static enum drop_reason model_judge(const struct fragment_model *n, const struct test_fragment *f)
{
	uint32_t end = f->offset + f->length;

	if (ends_disagree(n, f))
		return DROP_FRAGMENT_BAD;
	for (uint32_t i = 0; i < n->pieces; i++) {
		if (n->start[i] == f->offset && n->end[i] == end)
			return DROP_FRAGMENT_TWICE;
	}
	if (any_byte(n, f->offset, end))
		return DROP_FRAGMENT_OVERLAP;
	return n->pieces == FRAGMENT_MODEL_PIECES ? DROP_FRAGMENT_MANY : DROP_REASON_COUNT;
}

static enum drop_reason model_sane(const struct test_fragment *f)
{
	uint32_t end = f->offset + f->length;

	if (f->length == 0 || (f->more && f->length % 8))
		return DROP_FRAGMENT_BAD;
	if (end + (f->version == 4 ? 20 : 0) > 65535)
		return DROP_FRAGMENT_LONG;
	if (f->offset == 0 && f->length < (f->protocol == IP_PROTOCOL_TCP ? 20 : 8))
		return DROP_FRAGMENT_TINY;
	if (f->version == 4 && f->protocol == IP_PROTOCOL_TCP && f->offset > 0 && f->offset < 20)
		return DROP_FRAGMENT_TINY;
	return DROP_REASON_COUNT;
}

static void model_add(struct fragment_model *n, const struct test_fragment *f)
{
	uint32_t end = f->offset + f->length;

	memset(n->map + f->offset, 1, f->length);
	n->start[n->pieces] = f->offset;
	n->end[n->pieces++] = end;
	n->received += f->length;
	n->ends_at[end] = n->ends_at[end] || f->more;
	if (!f->more)
		n->total = end;
}

static void expect_drop(struct test_fragments *box, enum fragment_result result,
			enum drop_reason reason)
{
	ck_assert_uint_eq(result, FRAGMENT_DROP);
	ck_assert_str_eq(drop_name(box->reason), drop_name(reason));
}

void fragment_model_step(struct test_fragments *box, struct fragment_model *n,
			 const struct test_fragment *f, enum fragment_result result)
{
	enum drop_reason reason;

	if (f->offset == 0 && !f->more) {
		ck_assert_uint_eq(result, FRAGMENT_WHOLE);
		return;
	}
	reason = model_sane(f);
	if (reason != DROP_REASON_COUNT) {
		expect_drop(box, result, reason);
		return;
	}
	if (f->version == 4 && n->decided && !n->dead && n->total && n->received == n->total)
		fragment_model_clear(n);
	if (n->dead) {
		expect_drop(box, result, n->reason);
		return;
	}
	reason = model_judge(n, f);
	if (reason != DROP_REASON_COUNT) {
		bool done = n->decided && n->total && n->received == n->total;

		expect_drop(box, result, reason);
		n->dead = reason != DROP_FRAGMENT_TWICE && !done;
		n->reason = reason;
		n->waiting = n->dead ? 0 : n->waiting;
		return;
	}
	model_add(n, f);
	if (f->offset == 0) {
		ck_assert_uint_eq(result, FRAGMENT_JUDGE);
		ck_assert_uint_eq(box->log_count, box->pass ? 1 + n->waiting : 0);
		n->decided = true;
		n->dead = !box->pass;
		n->reason = DROP_BLOCKED;
		n->waiting = 0;
	} else if (n->decided) {
		ck_assert_uint_eq(result, FRAGMENT_FOLLOW);
		ck_assert_uint_eq(box->log_count, 1);
	} else {
		ck_assert_uint_eq(result, FRAGMENT_HOLD);
		ck_assert_uint_eq(box->log_count, 0);
		n->waiting++;
	}
}
