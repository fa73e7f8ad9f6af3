/* SPDX-License-Identifier: ISC */
/*
 * The balanced tree of a scoreboard's ranges by sequence number (an AVL tree over indices).
 * Private to net/tcp_scoreboard.c. Each node also knows whether anything below it is lost, so
 * that the lowest lost range is found without a walk.
 */
#pragma once

#include <stdint.h>

#include "net/tcp_scoreboard.h"

/* Puts a range in, whose prev and next are set and whose neighbours are in. */
void tcp_range_tree_insert(struct tcp_range *ranges, uint16_t *root, uint16_t index);

/* Takes a range out, whose next still holds. */
void tcp_range_tree_remove(struct tcp_range *ranges, uint16_t *root, uint16_t index);

/* A range's TCP_RANGE_LOST has changed. */
void tcp_range_tree_touch(struct tcp_range *ranges, uint16_t index);

uint16_t tcp_range_tree_lowest_lost(const struct tcp_range *ranges, uint16_t root);

/* The range that holds `sequence`; all of them lie within 2^31 after `una`. */
uint16_t tcp_range_tree_find(const struct tcp_range *ranges, uint16_t root, uint32_t una,
			     uint32_t sequence);
