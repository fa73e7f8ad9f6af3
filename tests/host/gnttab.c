/* SPDX-License-Identifier: ISC */
/*
 * Grant tables of the hosted machine, with the checks and the status codes of
 * Xen's own (version 1). A mapping appears at an address of its own in a window of
 * the mapping domain, read-only if so granted; after the unmap the address faults
 * and is given out again as late as possible, so that a stale pointer shows.
 */
#include "xen/gnttab.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/iopage.h"
#include "tests/host/internal.h"

static void lock(struct host_domain *self)
{
	pthread_mutex_lock(&self->machine->memory_lock);
}

static void unlock(struct host_domain *self)
{
	pthread_mutex_unlock(&self->machine->memory_lock);
}

void host_gnttab_add_domain(struct host_domain *domain)
{
	uint32_t entries = domain->machine->options.grant_entries;

	domain->grant_entries = entries;
	domain->grants = host_alloc(entries * sizeof(*domain->grants));
	domain->maps = host_alloc(HOST_MAP_SLOTS * sizeof(*domain->maps));
	for (uint32_t i = HOST_FIRST_GREF; i < entries; i++)
		domain->grants[i].next_free = i + 1 < entries ? i + 1 : 0;
	domain->grant_free_first = HOST_FIRST_GREF;
	domain->grant_free_last = entries - 1;
	domain->map_window = mmap(NULL, (size_t)HOST_MAP_SLOTS * IOPAGE_SIZE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (domain->map_window == MAP_FAILED)
		host_fatal("no address space for grant mappings");
}

int gnttab_init(void)
{
	(void)host_self();
	return 0;
}

/* ---- giving ---- */

int64_t gnttab_grant_access(uint16_t domid, uint64_t frame, bool readonly)
{
	struct host_domain *self = host_self();
	int64_t page = host_page_of_frame(self, frame);
	int64_t gref = -ENOSPC;

	if (page < 0)
		host_fatal("%s: grants frame %#lx, which it does not own", self->name, frame);
	if (host_fault(self, self->faults.grant_one_in))
		return -ENOSPC;
	lock(self);
	if (self->grant_free_first) {
		struct host_grant *grant = &self->grants[self->grant_free_first];

		gref = self->grant_free_first;
		self->grant_free_first = grant->next_free;
		*grant = (struct host_grant){
			.used = true, .readonly = readonly, .domid = domid, .page = (uint32_t)page
		};
		self->granted++;
		self->costs.grants++;
	}
	unlock(self);
	return gref;
}

/* References are used again in the order they were freed: a stale one stays stale long. */
static void grant_release(struct host_domain *self, uint32_t gref)
{
	self->grants[gref] = (struct host_grant){ 0 };
	if (self->grant_free_first)
		self->grants[self->grant_free_last].next_free = gref;
	else
		self->grant_free_first = gref;
	self->grant_free_last = gref;
	self->granted--;
}

int gnttab_end_access(uint32_t gref)
{
	struct host_domain *self = host_self();
	int error = 0;

	lock(self);
	if (gref < HOST_FIRST_GREF || gref >= self->grant_entries || !self->grants[gref].used)
		host_fatal("%s: ends access of reference %u, which is not granted", self->name,
			   gref);
	if (self->grants[gref].readers || self->grants[gref].writers)
		error = -EBUSY;
	else
		grant_release(self, gref);
	unlock(self);
	return error;
}

/* ---- taking ---- */

/*
 * memory_lock held. The grant of `owner` that lets `self` read (and write) it:
 * GNTST_okay, or what Xen would answer.
 */
static int16_t grant_find(const struct host_domain *self, struct host_domain *owner, uint32_t gref,
			  bool write, struct host_grant **grant)
{
	if (gref >= owner->grant_entries)
		return GNTST_bad_gntref;
	*grant = &owner->grants[gref];
	if (!(*grant)->used || (*grant)->zombie || (*grant)->domid != self->domid)
		return GNTST_general_error;
	if (write && (*grant)->readonly)
		return GNTST_general_error;
	return GNTST_okay;
}

/* memory_lock held. A living domain, or NULL. */
static struct host_domain *domain_of(struct host_domain *self, uint16_t domid)
{
	list_for_each(link, &self->machine->domains) {
		struct host_domain *domain = list_entry(link, struct host_domain, link);

		if (domain->memory_alive && domain->domid == domid)
			return domain;
	}
	return NULL;
}

static uint8_t *map_at(struct host_domain *self, uint32_t slot, uint32_t page, bool readonly)
{
	uint8_t *address = self->map_window + (size_t)slot * IOPAGE_SIZE;

	if (mmap(address, IOPAGE_SIZE, readonly ? PROT_READ : PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, self->machine->memory_fd,
		 (off_t)page * IOPAGE_SIZE) != address)
		host_fatal("cannot map a page: %s", strerror(errno));
	return address;
}

static void unmap_at(struct host_domain *self, uint32_t slot)
{
	uint8_t *address = self->map_window + (size_t)slot * IOPAGE_SIZE;

	if (mmap(address, IOPAGE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != address)
		host_fatal("cannot unmap a page: %s", strerror(errno));
}

/* Slots go round, so that one just freed is the last to be used again. */
static int64_t map_slot(struct host_domain *self)
{
	for (uint32_t i = 0; i < HOST_MAP_SLOTS; i++) {
		uint32_t slot = (self->map_next + i) % HOST_MAP_SLOTS;

		if (self->maps[slot].owner)
			continue;
		self->map_next = slot + 1;
		return slot;
	}
	return -ENOSPC;
}

static int status_errno(int16_t status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_bad_domain:
		return -ESRCH;
	case GNTST_no_device_space:
		return -ENOSPC;
	default:
		return -EINVAL;
	}
}

static int16_t map_locked(struct host_domain *self, uint16_t domid, uint32_t gref, bool readonly,
			  struct gnttab_mapping *mapping)
{
	struct host_domain *owner = domain_of(self, domid);
	struct host_grant *grant = NULL;
	int64_t slot = map_slot(self);
	int16_t status;

	if (!owner)
		return GNTST_bad_domain;
	status = grant_find(self, owner, gref, !readonly, &grant);
	if (status != GNTST_okay)
		return status;
	if (slot < 0)
		return GNTST_no_device_space;
	if (readonly)
		grant->readers++;
	else
		grant->writers++;
	owner->held++;
	self->mapped++;
	self->costs.maps++;
	self->maps[slot] = (struct host_map){
		.owner = owner,
		.gref = gref,
		.readonly = readonly,
		.address = map_at(self, (uint32_t)slot, grant->page, readonly),
	};
	mapping->address = self->maps[slot].address;
	mapping->handle = (uint32_t)slot;
	return GNTST_okay;
}

int gnttab_map(uint16_t domid, uint32_t gref, bool readonly, struct gnttab_mapping *mapping)
{
	struct host_domain *self = host_self();
	int16_t status;

	if (host_fault(self, self->faults.map_one_in))
		return -ENOMEM;
	lock(self);
	status = map_locked(self, domid, gref, readonly, mapping);
	unlock(self);
	return status_errno(status);
}

static void map_release(struct host_domain *self, uint32_t slot)
{
	struct host_map *map = &self->maps[slot];
	struct host_grant *grant = &map->owner->grants[map->gref];

	if (map->readonly)
		grant->readers--;
	else
		grant->writers--;
	map->owner->held--;
	self->mapped--;
	unmap_at(self, slot);
	*map = (struct host_map){ 0 };
}

void gnttab_unmap(struct gnttab_mapping *mapping)
{
	struct host_domain *self = host_self();

	if (!mapping->address)
		return;
	lock(self);
	if (mapping->handle >= HOST_MAP_SLOTS || !self->maps[mapping->handle].owner ||
	    self->maps[mapping->handle].address != mapping->address)
		host_fatal("%s: unmaps what it has not mapped", self->name);
	map_release(self, mapping->handle);
	unlock(self);
	mapping->address = NULL;
}

/* ---- copying ---- */

struct copy_end {
	struct host_domain *owner;
	uint32_t page;
};

/* One end of a copy, resolved; `gref` tells which member of the union holds. */
static int16_t copy_end_find(struct host_domain *self, uint16_t domid, bool by_gref, uint32_t gref,
			     uint64_t frame, bool write, struct copy_end *end)
{
	struct host_grant *grant;
	int64_t page;
	int16_t status;

	if (!by_gref) {
		if (domid != DOMID_SELF && domid != self->domid)
			return GNTST_permission_denied;
		page = host_page_of_frame(self, frame);
		*end = (struct copy_end){ self, (uint32_t)page };
		return page < 0 ? GNTST_bad_page : GNTST_okay;
	}
	end->owner = domid == DOMID_SELF ? self : domain_of(self, domid);
	if (!end->owner)
		return GNTST_bad_domain;
	status = grant_find(self, end->owner, gref, write, &grant);
	if (status == GNTST_okay)
		end->page = grant->page;
	return status;
}

static int16_t copy_one(struct host_domain *self, const struct gnttab_copy *op)
{
	struct copy_end from = { 0 };
	struct copy_end to = { 0 };
	int16_t status;

	status = copy_end_find(self, op->source.domid, op->flags & GNTCOPY_source_gref,
			       op->source.u.ref, op->source.u.gmfn, false, &from);
	if (status != GNTST_okay)
		return status;
	status = copy_end_find(self, op->dest.domid, op->flags & GNTCOPY_dest_gref, op->dest.u.ref,
			       op->dest.u.gmfn, true, &to);
	if (status != GNTST_okay)
		return status;
	if (op->source.offset + op->len > IOPAGE_SIZE || op->dest.offset + op->len > IOPAGE_SIZE)
		return GNTST_bad_copy_arg;
	memmove(host_page_address(self->machine, to.page) + op->dest.offset,
		host_page_address(self->machine, from.page) + op->source.offset, op->len);
	self->costs.copy_bytes += op->len;
	return GNTST_okay;
}

void gnttab_copy(struct gnttab_copy *ops, uint32_t count)
{
	struct host_domain *self = host_self();

	if (count == 0)
		return;
	lock(self);
	self->costs.copy_calls++;
	self->costs.copy_ops += count;
	for (uint32_t i = 0; i < count; i++) {
		if (host_fault(self, self->faults.copy_one_in))
			ops[i].status = GNTST_general_error;
		else
			ops[i].status = copy_one(self, &ops[i]);
	}
	unlock(self);
}

/* ---- the end of a domain ---- */

/*
 * Its mappings end. Its own grants can be used by nobody any more; those that
 * somebody has mapped stay as zombies until they let go.
 */
void host_gnttab_remove_domain(struct host_domain *domain)
{
	lock(domain);
	for (uint32_t i = 0; i < HOST_MAP_SLOTS; i++) {
		if (domain->maps[i].owner)
			map_release(domain, i);
	}
	for (uint32_t i = HOST_FIRST_GREF; i < domain->grant_entries; i++)
		domain->grants[i].zombie = true;
	domain->granted = 0;
	domain->memory_alive = false;
	unlock(domain);
}

void host_gnttab_free_domain(struct host_domain *domain)
{
	if (domain->map_window)
		munmap(domain->map_window, (size_t)HOST_MAP_SLOTS * IOPAGE_SIZE);
	host_alloc_free(domain->grants);
	host_alloc_free(domain->maps);
	domain->map_window = NULL;
	domain->grants = NULL;
	domain->maps = NULL;
}

uint32_t gnttab_granted_count(void)
{
	struct host_domain *self = host_self();
	uint32_t count;

	lock(self);
	count = self->granted;
	unlock(self);
	return count;
}

uint32_t gnttab_mapped_count(void)
{
	struct host_domain *self = host_self();
	uint32_t count;

	lock(self);
	count = self->mapped;
	unlock(self);
	return count;
}
