/* SPDX-License-Identifier: ISC */
#include "net/tcp_spans.h"

#include <stddef.h>

#include "lib/panic.h"
#include "net/tcp_core_segment.h"

void tcp_span_pool_init(struct tcp_span_pool *pool, struct tcp_span *spans, uint32_t count)
{
	*pool = (struct tcp_span_pool){ .total = count };
	for (uint32_t i = count; i > 0; i--)
		tcp_span_give(pool, &spans[i - 1]);
}

struct tcp_span *tcp_span_take(struct tcp_span_pool *pool, uint32_t begin, uint32_t end)
{
	struct tcp_span *span = pool->free;

	if (!span)
		return NULL;
	pool->free = span->right;
	pool->free_count--;
	*span = (struct tcp_span){ .begin = begin, .end = end, .height = 1 };
	return span;
}

void tcp_span_give(struct tcp_span_pool *pool, struct tcp_span *span)
{
	span->right = pool->free;
	pool->free = span;
	pool->free_count++;
}

struct tcp_span *tcp_spans_at(struct tcp_span *root, uint32_t sequence)
{
	struct tcp_span *found = NULL;

	while (root)
		if (tcp_after(root->begin, sequence)) {
			root = root->left;
		} else {
			found = root;
			root = root->right;
		}
	return found;
}

struct tcp_span *tcp_spans_behind(struct tcp_span *root, uint32_t sequence)
{
	struct tcp_span *found = NULL;

	while (root)
		if (tcp_after(root->begin, sequence)) {
			found = root;
			root = root->left;
		} else {
			root = root->right;
		}
	return found;
}

/* ---- balance ---- */

static int height(const struct tcp_span *span)
{
	return span ? span->height : 0;
}

static void measure(struct tcp_span *span)
{
	int left = height(span->left), right = height(span->right);

	span->height = (uint8_t)(1 + (left > right ? left : right));
}

static struct tcp_span *rotate_right(struct tcp_span *span)
{
	struct tcp_span *up = span->left;

	span->left = up->right;
	up->right = span;
	measure(span);
	measure(up);
	return up;
}

static struct tcp_span *rotate_left(struct tcp_span *span)
{
	struct tcp_span *up = span->right;

	span->right = up->left;
	up->left = span;
	measure(span);
	measure(up);
	return up;
}

/* The root of what `span` was the root of, whose sides differ by two at most. */
static struct tcp_span *balance(struct tcp_span *span)
{
	int lean = height(span->left) - height(span->right);

	if (lean > 1) {
		if (height(span->left->left) < height(span->left->right))
			span->left = rotate_left(span->left);
		return rotate_right(span);
	}
	if (lean < -1) {
		if (height(span->right->right) < height(span->right->left))
			span->right = rotate_right(span->right);
		return rotate_left(span);
	}
	measure(span);
	return span;
}

/* The pointers on the way down from the root: what points to each span on it. */
struct path {
	struct tcp_span **links[TCP_SPANS_HEIGHT_MAX + 1];
	uint32_t length;
};

static void path_add(struct path *path, struct tcp_span **link)
{
	if (path->length == TCP_SPANS_HEIGHT_MAX + 1)
		panic("a tree of sequence numbers is too high");
	path->links[path->length++] = link;
}

static void path_balance(struct path *path)
{
	while (path->length > 0) {
		struct tcp_span **link = path->links[--path->length];

		*link = balance(*link);
	}
}

void tcp_spans_insert(struct tcp_span **root, struct tcp_span *span)
{
	struct path path = { .length = 0 };

	while (*root) {
		path_add(&path, root);
		root = tcp_after((*root)->begin, span->begin) ? &(*root)->left : &(*root)->right;
	}
	*root = span;
	path_balance(&path);
}

/* Puts the first span behind `*link`, which has one, into its place. */
static void replace_by_next(struct path *path, struct tcp_span **link)
{
	struct tcp_span *span = *link, *next;
	struct tcp_span **at = &span->right;
	uint32_t below = path->length + 1; /* the link that will be the successor's */

	path_add(path, link);
	while ((*at)->left) {
		path_add(path, at);
		at = &(*at)->left;
	}
	next = *at;
	*at = next->right;
	next->left = span->left;
	next->right = span->right;
	*link = next;
	if (path->length > below)
		path->links[below] = &next->right;
}

void tcp_spans_remove(struct tcp_span **root, struct tcp_span *span)
{
	struct path path = { .length = 0 };

	while (*root != span) {
		path_add(&path, root);
		root = tcp_after((*root)->begin, span->begin) ? &(*root)->left : &(*root)->right;
	}
	if (span->left && span->right)
		replace_by_next(&path, root);
	else
		*root = span->left ? span->left : span->right;
	path_balance(&path);
}

/* ---- for tests ---- */

/* Checks what is below `span`, all of it in [low, high]; its height, or -1. */
static int check(const struct tcp_span *span, uint32_t low, uint32_t high)
{
	int left, right;

	if (!span)
		return 0;
	if (!tcp_before(span->begin, span->end) || tcp_before(span->begin, low) ||
	    tcp_after(span->end, high))
		return -1;
	left = check(span->left, low, span->begin - 1);
	right = check(span->right, span->end + 1, high);
	if (left < 0 || right < 0 || left - right > 1 || right - left > 1)
		return -1;
	return span->height == 1 + (left > right ? left : right) ? span->height : -1;
}

bool tcp_spans_are_valid(const struct tcp_span *root)
{
	const struct tcp_span *first = root, *last = root;

	if (!root)
		return true;
	while (first->left)
		first = first->left;
	while (last->right)
		last = last->right;
	return check(root, first->begin, last->end) > 0;
}
