/* SPDX-License-Identifier: ISC */
/*
 * Intrusive doubly linked list. A list is a circle through its head, so an
 * element can leave without knowing which list it is in, and an empty list
 * points at itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

/* The object of TYPE whose MEMBER is the given link. */
#define list_entry(link, type, member) container_of(link, type, member)

/* Walks from the first to the last link; the body must not remove `link`. */
#define list_for_each(link, head) \
	for (struct list *link = (head)->next; link != (head); link = link->next)

/* The same, and the body may remove or free `link`. */
#define list_for_each_safe(link, spare, head)                                       \
	for (struct list *link = (head)->next, *spare = link->next; link != (head); \
	     link = spare, spare = link->next)

/* Makes `l` an empty list, or a link that is in no list. */
static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

/* True for an empty list, and for a link that is in no list. */
static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Puts `link`, which must be in no list, at the end. */
static inline void list_push_back(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Puts `link`, which must be in no list, at the front. */
static inline void list_push_front(struct list *head, struct list *link)
{
	link->next = head->next;
	link->prev = head;
	head->next->prev = link;
	head->next = link;
}

/* Takes `link` out of its list; harmless when it is in none. */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Takes the first link out and returns it; NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *first = head->next;

	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}
