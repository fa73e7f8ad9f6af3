/* SPDX-License-Identifier: ISC */
/*
 * Children differ in height by at most one. New ranges always go beside one that is there, so
 * nothing is searched for on insertion. Heights of 65,535 nodes stay below 24.
 */
#include "net/tcp_range_tree.h"

static uint8_t height_of(const struct tcp_range *ranges, uint16_t i)
{
	return i == TCP_RANGE_NONE ? 0 : ranges[i].height;
}

static uint8_t lost_below(const struct tcp_range *ranges, uint16_t i)
{
	return i == TCP_RANGE_NONE ? 0 : ranges[i].flags & TCP_RANGE_LOST_BELOW;
}

/* What a node knows of its children. True if that has changed. */
static bool refresh(struct tcp_range *ranges, uint16_t i)
{
	struct tcp_range *node = &ranges[i];
	uint8_t left = height_of(ranges, node->left), right = height_of(ranges, node->right);
	uint8_t height = (uint8_t)((left > right ? left : right) + 1);
	uint8_t lost = lost_below(ranges, node->left) | lost_below(ranges, node->right);
	bool changed;

	if (node->flags & TCP_RANGE_LOST)
		lost = TCP_RANGE_LOST_BELOW;
	changed = height != node->height || lost != (node->flags & TCP_RANGE_LOST_BELOW);
	node->height = height;
	node->flags = (uint8_t)((node->flags & ~TCP_RANGE_LOST_BELOW) | lost);
	return changed;
}

/* Puts `child` (or none) where `i` hangs. */
static void replace(struct tcp_range *ranges, uint16_t *root, uint16_t i, uint16_t child)
{
	uint16_t parent = ranges[i].parent;

	if (parent == TCP_RANGE_NONE)
		*root = child;
	else if (ranges[parent].left == i)
		ranges[parent].left = child;
	else
		ranges[parent].right = child;
	if (child != TCP_RANGE_NONE)
		ranges[child].parent = parent;
}

/* The right child comes up; returns it. */
static uint16_t rotate_left(struct tcp_range *ranges, uint16_t *root, uint16_t i)
{
	uint16_t up = ranges[i].right, middle = ranges[up].left;

	replace(ranges, root, i, up);
	ranges[i].right = middle;
	if (middle != TCP_RANGE_NONE)
		ranges[middle].parent = i;
	ranges[up].left = i;
	ranges[i].parent = up;
	refresh(ranges, i);
	refresh(ranges, up);
	return up;
}

static uint16_t rotate_right(struct tcp_range *ranges, uint16_t *root, uint16_t i)
{
	uint16_t up = ranges[i].left, middle = ranges[up].right;

	replace(ranges, root, i, up);
	ranges[i].left = middle;
	if (middle != TCP_RANGE_NONE)
		ranges[middle].parent = i;
	ranges[up].right = i;
	ranges[i].parent = up;
	refresh(ranges, i);
	refresh(ranges, up);
	return up;
}

/* Balances one node; returns what is on top there now. */
static uint16_t balance(struct tcp_range *ranges, uint16_t *root, uint16_t i)
{
	uint16_t left = ranges[i].left, right = ranges[i].right;
	int difference = height_of(ranges, left) - height_of(ranges, right);

	if (difference > 1) {
		if (height_of(ranges, ranges[left].left) < height_of(ranges, ranges[left].right))
			rotate_left(ranges, root, left);
		return rotate_right(ranges, root, i);
	}
	if (difference < -1) {
		if (height_of(ranges, ranges[right].right) < height_of(ranges, ranges[right].left))
			rotate_right(ranges, root, right);
		return rotate_left(ranges, root, i);
	}
	return i;
}

/* From a node whose child has changed up to where nothing changes. */
static void retrace(struct tcp_range *ranges, uint16_t *root, uint16_t i)
{
	while (i != TCP_RANGE_NONE) {
		bool changed = refresh(ranges, i);
		uint16_t top = balance(ranges, root, i);

		if (!changed && top == i)
			return;
		i = ranges[top].parent;
	}
}

void tcp_range_tree_insert(struct tcp_range *ranges, uint16_t *root, uint16_t index)
{
	struct tcp_range *node = &ranges[index];
	uint16_t prev = node->prev, parent;

	node->left = node->right = TCP_RANGE_NONE;
	/* Between neighbours either the lower has no right child or the higher no left one. */
	if (prev != TCP_RANGE_NONE && ranges[prev].right == TCP_RANGE_NONE) {
		ranges[prev].right = index;
		parent = prev;
	} else if (node->next != TCP_RANGE_NONE) {
		ranges[node->next].left = index;
		parent = node->next;
	} else {
		*root = index;
		parent = TCP_RANGE_NONE;
	}
	node->parent = parent;
	refresh(ranges, index);
	retrace(ranges, root, parent);
}

void tcp_range_tree_remove(struct tcp_range *ranges, uint16_t *root, uint16_t index)
{
	const struct tcp_range *node = &ranges[index];
	uint16_t heir = node->next, from;

	if (node->left == TCP_RANGE_NONE || node->right == TCP_RANGE_NONE) {
		from = node->parent;
		replace(ranges, root, index,
			node->left == TCP_RANGE_NONE ? node->right : node->left);
		retrace(ranges, root, from);
		return;
	}
	/* The next one is the lowest of the right side, and so has no left child. */
	from = heir;
	if (ranges[heir].parent != index) {
		from = ranges[heir].parent;
		replace(ranges, root, heir, ranges[heir].right);
		ranges[heir].right = node->right;
		ranges[node->right].parent = heir;
	}
	replace(ranges, root, index, heir);
	ranges[heir].left = node->left;
	ranges[node->left].parent = heir;
	/* Those above know what was true of the old one: any difference to that goes up. */
	ranges[heir].height = node->height;
	ranges[heir].flags = (uint8_t)((ranges[heir].flags & ~TCP_RANGE_LOST_BELOW) |
				       (node->flags & TCP_RANGE_LOST_BELOW));
	retrace(ranges, root, from);
	if (from != heir)
		retrace(ranges, root, heir);
}

void tcp_range_tree_touch(struct tcp_range *ranges, uint16_t index)
{
	while (index != TCP_RANGE_NONE && refresh(ranges, index))
		index = ranges[index].parent;
}

uint16_t tcp_range_tree_lowest_lost(const struct tcp_range *ranges, uint16_t root)
{
	uint16_t i = root;

	if (!lost_below(ranges, i))
		return TCP_RANGE_NONE;
	for (;;) {
		if (lost_below(ranges, ranges[i].left))
			i = ranges[i].left;
		else if (ranges[i].flags & TCP_RANGE_LOST)
			return i;
		else
			i = ranges[i].right;
	}
}

uint16_t tcp_range_tree_find(const struct tcp_range *ranges, uint16_t root, uint32_t una,
			     uint32_t sequence)
{
	uint32_t at = sequence - una;
	uint16_t i = root;

	while (i != TCP_RANGE_NONE) {
		if (at < ranges[i].begin - una)
			i = ranges[i].left;
		else if (at >= ranges[i].end - una)
			i = ranges[i].right;
		else
			return i;
	}
	return TCP_RANGE_NONE;
}
