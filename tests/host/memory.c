/* SPDX-License-Identifier: ISC */
/*
 * Memory of the hosted machine: one memfd. A page can be seen at three addresses:
 * in its owner's arena, in the window of a domain that mapped its grant (gnttab.c),
 * and in the hypervisor's direct map, which grant copies use.
 *
 * Frame numbers fit the 32 bits of a grant entry, are far from any page number of this
 * process, and differ from domain to domain, so that a pointer, a page index or a
 * neighbour's frame is never a valid one.
 */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include "arch/x86/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/panic.h"
#include "tests/host/internal.h"

#define FRAME_BASE 0x40000000ull
#define FRAMES_PER_DOMAIN 0x8000ull

void panic_at(const char *file, int line, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	host_fatal("panic at %s:%d: %s", file, line, text);
}

void host_memory_init(struct host_machine *machine)
{
	size_t bytes = (size_t)machine->options.pages * PAGE_BYTES;

	machine->pages = machine->options.pages;
	machine->page_taken = host_alloc(machine->pages);
	machine->memory_fd = memfd_create("hosted-machine", MFD_CLOEXEC);
	if (machine->memory_fd < 0 || ftruncate(machine->memory_fd, (off_t)bytes))
		host_fatal("no memory for the machine: %s", strerror(errno));
	machine->direct_map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, machine->memory_fd, 0);
	if (machine->direct_map == MAP_FAILED)
		host_fatal("no address space for the machine");
}

void host_memory_done(struct host_machine *machine)
{
	munmap(machine->direct_map, (size_t)machine->pages * PAGE_BYTES);
	close(machine->memory_fd);
	host_alloc_free(machine->page_taken);
}

uint8_t *host_page_address(struct host_machine *machine, uint32_t page)
{
	return machine->direct_map + (size_t)page * PAGE_BYTES;
}

/* machine->lock held. The first run of `count` pages that nobody has. */
static uint32_t take_run(struct host_machine *machine, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < machine->pages; i++) {
		run = machine->page_taken[i] ? 0 : run + 1;
		if (run < count)
			continue;
		memset(machine->page_taken + i + 1 - count, 1, count);
		return i + 1 - count;
	}
	host_fatal("the machine has no %u pages left", count);
}

/* A dead domain's pages come back when nobody has one of them mapped any more. */
static void reap_dead(struct host_machine *machine)
{
	list_for_each(link, &machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);
		uint32_t held;

		pthread_mutex_lock(&machine->memory_lock);
		held = domain->held;
		pthread_mutex_unlock(&machine->memory_lock);
		if (domain->alive || held)
			continue;
		host_memory_remove_domain(domain);
		host_gnttab_free_domain(domain);
	}
}

void host_memory_add_domain(struct host_domain *domain, uint32_t pages)
{
	struct host_machine *machine = domain->machine;
	size_t bytes = (size_t)pages * PAGE_BYTES;

	if (pages == 0 || pages > FRAMES_PER_DOMAIN)
		host_fatal("a domain cannot have %u pages", pages);
	reap_dead(machine);
	domain->first_page = take_run(machine, pages);
	domain->page_count = pages;
	domain->page_used = host_alloc(pages);
	domain->frame_base = FRAME_BASE + domain->domid * FRAMES_PER_DOMAIN;
	domain->arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, machine->memory_fd,
			     (off_t)domain->first_page * (off_t)PAGE_BYTES);
	if (domain->arena == MAP_FAILED)
		host_fatal("no address space for a domain");
}

void host_memory_remove_domain(struct host_domain *domain)
{
	if (!domain->arena)
		return;
	munmap(domain->arena, (size_t)domain->page_count * PAGE_BYTES);
	/* Like Xen, give out no page with another domain's bytes in it. */
	if (fallocate(domain->machine->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)domain->first_page * (off_t)PAGE_BYTES,
		      (off_t)domain->page_count * (off_t)PAGE_BYTES))
		host_fatal("cannot clear a domain's pages: %s", strerror(errno));
	memset(domain->machine->page_taken + domain->first_page, 0, domain->page_count);
	host_alloc_free(domain->page_used);
	domain->arena = NULL;
	domain->page_used = NULL;
	domain->page_count = 0;
}

int64_t host_page_of_frame(const struct host_domain *domain, uint64_t frame)
{
	if (frame < domain->frame_base || frame - domain->frame_base >= domain->page_count)
		return -1;
	return domain->first_page + (int64_t)(frame - domain->frame_base);
}

/* ---- arch/x86/memory.h ---- */

void *memory_alloc_pages(size_t count)
{
	struct host_domain *self = host_self();
	size_t run = 0;

	for (uint32_t i = 0; i < self->page_count; i++) {
		run = self->page_used[i] ? 0 : run + 1;
		if (run < count)
			continue;
		memset(self->page_used + i + 1 - count, 1, count);
		return self->arena + (i + 1 - count) * PAGE_BYTES;
	}
	return NULL;
}

size_t memory_free_pages(void)
{
	const struct host_domain *self = host_self();
	size_t free = 0;

	for (uint32_t i = 0; i < self->page_count; i++)
		free += !self->page_used[i];
	return free;
}

size_t memory_largest_run(void)
{
	const struct host_domain *self = host_self();
	size_t largest = 0;
	size_t run = 0;

	for (uint32_t i = 0; i < self->page_count; i++) {
		run = self->page_used[i] ? 0 : run + 1;
		largest = run > largest ? run : largest;
	}
	return largest;
}

uint64_t memory_frame_of(const void *p)
{
	const struct host_domain *self = host_self();
	uintptr_t offset = (uintptr_t)p - (uintptr_t)self->arena;

	if (offset / PAGE_BYTES >= self->page_count)
		host_fatal("%s: the frame of %p, which is no page of its own", self->name, p);
	return self->frame_base + offset / PAGE_BYTES;
}
