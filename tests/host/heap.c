/* SPDX-License-Identifier: ISC */
/*
 * The heap of each domain: the linker sends malloc and its kin here (--wrap). A
 * block allocated while a domain runs is that domain's. It is counted, so that leaks
 * show, and freed with the domain, as a real guest's memory goes with it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/internal.h"

#define BUCKETS 4096u

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_memalign(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

struct block {
	struct block *next;
	void *address;
	struct host_domain *domain;
};

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *buckets[BUCKETS];

static struct block **bucket_of(const void *address)
{
	return &buckets[((uintptr_t)address >> 4) % BUCKETS];
}

static void *track(void *address)
{
	struct host_domain *domain = host_current();
	struct block *block;

	if (!domain || !address)
		return address;
	block = __real_malloc(sizeof(*block));
	if (!block)
		host_fatal("out of memory");
	pthread_mutex_lock(&heap_lock);
	*block = (struct block){ *bucket_of(address), address, domain };
	*bucket_of(address) = block;
	domain->allocations++;
	pthread_mutex_unlock(&heap_lock);
	return address;
}

static void untrack(const void *address)
{
	struct block *found = NULL;

	pthread_mutex_lock(&heap_lock);
	for (struct block **at = bucket_of(address); *at; at = &(*at)->next) {
		if ((*at)->address != address)
			continue;
		found = *at;
		*at = found->next;
		found->domain->allocations--;
		break;
	}
	pthread_mutex_unlock(&heap_lock);
	__real_free(found);
}

static bool is_refused(void)
{
	struct host_domain *domain = host_current();

	return domain && host_fault(domain, domain->faults.malloc_one_in);
}

void *__wrap_malloc(size_t bytes)
{
	return is_refused() ? NULL : track(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return is_refused() ? NULL : track(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *block, size_t bytes)
{
	void *moved;

	if (is_refused())
		return NULL;
	untrack(block);
	moved = __real_realloc(block, bytes);
	if (!moved && bytes)
		track(block);
	return track(moved);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	return is_refused() ? NULL : track(__real_aligned_alloc(alignment, bytes));
}

void *__wrap_memalign(size_t alignment, size_t bytes)
{
	return __wrap_aligned_alloc(alignment, bytes);
}

char *__wrap_strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = __wrap_malloc(bytes);

	return copy ? memcpy(copy, text, bytes) : NULL;
}

void __wrap_free(void *block)
{
	if (!block)
		return;
	untrack(block);
	__real_free(block);
}

void host_heap_free_domain(struct host_domain *domain)
{
	pthread_mutex_lock(&heap_lock);
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct block **at = &buckets[i];

		while (*at) {
			struct block *block = *at;

			if (block->domain != domain) {
				at = &block->next;
				continue;
			}
			*at = block->next;
			__real_free(block->address);
			__real_free(block);
		}
	}
	domain->allocations = 0;
	pthread_mutex_unlock(&heap_lock);
}

uint32_t host_heap_count(struct host_domain *domain)
{
	uint32_t count;

	pthread_mutex_lock(&heap_lock);
	count = domain->allocations;
	pthread_mutex_unlock(&heap_lock);
	return count;
}

void *host_alloc(size_t bytes)
{
	void *block = __real_calloc(1, bytes);

	if (!block)
		host_fatal("out of memory");
	return block;
}

void host_alloc_free(void *block)
{
	__real_free(block);
}
