/* SPDX-License-Identifier: ISC */
/*
 * Event channels of the hosted machine. Ports lie in the domain; the machine's
 * lock guards them, so that both ends of a channel change together. Handlers are
 * called without it.
 */
#include "xen/evtchn.h"

#include <errno.h>

#include "tests/host/internal.h"

static bool is_pending(const struct host_domain *domain, uint32_t port)
{
	return domain->pending[port / 64] >> (port % 64) & 1;
}

static void set_bit(uint64_t *words, uint32_t port, bool value)
{
	uint64_t bit = 1ull << (port % 64);

	if (value)
		words[port / 64] |= bit;
	else
		words[port / 64] &= ~bit;
}

static bool has_upcall(const struct host_domain *domain)
{
	for (uint32_t i = 0; i < HOST_PORT_WORDS; i++) {
		if (domain->pending[i] & ~domain->masked[i])
			return true;
	}
	return false;
}

bool host_domain_is_woken(const struct host_domain *domain)
{
	return domain->kill || !list_is_empty(&domain->calls) ||
	       atomic_load(&domain->store_event) || has_upcall(domain);
}

void host_evtchn_add_domain(struct host_domain *domain)
{
	for (uint32_t i = 0; i < HOST_PORT_WORDS; i++)
		domain->masked[i] = UINT64_MAX;
}

/* A domain that dies leaves its peers with ports that lead nowhere. */
void host_evtchn_remove_domain(struct host_domain *domain)
{
	for (uint32_t port = 1; port < HOST_PORTS; port++) {
		struct host_port *mine = &domain->ports[port];
		struct host_domain *remote;

		if (mine->state == HOST_PORT_INTERDOMAIN) {
			remote = host_find_domain(domain->machine, mine->remote_domid);
			if (remote)
				remote->ports[mine->remote_port].state = HOST_PORT_UNBOUND;
		}
		mine->state = HOST_PORT_FREE;
	}
	domain->open_ports = 0;
}

void evtchn_init(void)
{
	struct host_domain *self = host_self();

	pthread_mutex_lock(&self->machine->lock);
	for (uint32_t i = 0; i < HOST_PORT_WORDS; i++)
		self->masked[i] = UINT64_MAX;
	pthread_mutex_unlock(&self->machine->lock);
}

/* Lock held. A free port in the given state, unmasked; 0: there is none. */
static evtchn_port port_take(struct host_domain *self, enum host_port_state state,
			     evtchn_handler *handler, void *context)
{
	for (uint32_t port = 1; port < HOST_PORTS; port++) {
		if (self->ports[port].state != HOST_PORT_FREE)
			continue;
		self->ports[port] = (struct host_port){ .state = state,
							.handler = handler,
							.context = context };
		set_bit(self->pending, port, false);
		set_bit(self->masked, port, false);
		self->open_ports++;
		return port;
	}
	return EVTCHN_NONE;
}

int evtchn_alloc_unbound(uint16_t remote_domid, evtchn_handler *handler, void *context,
			 evtchn_port *port)
{
	struct host_domain *self = host_self();
	evtchn_port taken;

	if (host_fault(self, self->faults.evtchn_one_in))
		return -ENOSPC;
	pthread_mutex_lock(&self->machine->lock);
	taken = port_take(self, HOST_PORT_UNBOUND, handler, context);
	self->ports[taken].remote_domid = remote_domid;
	pthread_mutex_unlock(&self->machine->lock);
	if (taken == EVTCHN_NONE)
		return -ENOSPC;
	*port = taken;
	return 0;
}

/* Lock held. The port that `remote_domid` offers to us, or NULL. */
static struct host_port *offered_port(struct host_domain *self, uint16_t remote_domid,
				      evtchn_port remote_port)
{
	struct host_domain *remote = host_find_domain(self->machine, remote_domid);
	struct host_port *theirs;

	if (!remote || remote_port == EVTCHN_NONE || remote_port >= HOST_PORTS)
		return NULL;
	theirs = &remote->ports[remote_port];
	if (theirs->state != HOST_PORT_UNBOUND || theirs->remote_domid != self->domid)
		return NULL;
	return theirs;
}

static int bind_locked(struct host_domain *self, uint16_t remote_domid, evtchn_port remote_port,
		       evtchn_handler *handler, void *context, evtchn_port *port)
{
	struct host_port *theirs = offered_port(self, remote_domid, remote_port);
	evtchn_port taken;

	if (!host_find_domain(self->machine, remote_domid))
		return -ESRCH;
	if (!theirs)
		return -EINVAL;
	taken = port_take(self, HOST_PORT_INTERDOMAIN, handler, context);
	if (taken == EVTCHN_NONE)
		return -ENOSPC;
	self->ports[taken].remote_domid = remote_domid;
	self->ports[taken].remote_port = remote_port;
	theirs->state = HOST_PORT_INTERDOMAIN;
	theirs->remote_port = taken;
	/* What was sent before the bind may be lost, so Xen starts with an event. */
	set_bit(self->pending, taken, true);
	*port = taken;
	return 0;
}

int evtchn_bind_interdomain(uint16_t remote_domid, evtchn_port remote_port, evtchn_handler *handler,
			    void *context, evtchn_port *port)
{
	struct host_domain *self = host_self();
	int error;

	if (host_fault(self, self->faults.evtchn_one_in))
		return -ENOSPC;
	pthread_mutex_lock(&self->machine->lock);
	error = bind_locked(self, remote_domid, remote_port, handler, context, port);
	pthread_mutex_unlock(&self->machine->lock);
	return error;
}

/* No virtual interrupt is ever raised here: time comes from the loop. */
int evtchn_bind_virq(uint32_t virq, evtchn_handler *handler, void *context, evtchn_port *port)
{
	struct host_domain *self = host_self();
	evtchn_port taken = EVTCHN_NONE;
	int error = 0;

	pthread_mutex_lock(&self->machine->lock);
	for (uint32_t i = 1; i < HOST_PORTS; i++) {
		if (self->ports[i].state == HOST_PORT_VIRQ && self->ports[i].virq == virq)
			error = -EEXIST;
	}
	if (!error) {
		taken = port_take(self, HOST_PORT_VIRQ, handler, context);
		self->ports[taken].virq = virq;
		error = taken == EVTCHN_NONE ? -ENOSPC : 0;
	}
	pthread_mutex_unlock(&self->machine->lock);
	if (!error)
		*port = taken;
	return error;
}

int evtchn_adopt(evtchn_port port, evtchn_handler *handler, void *context)
{
	struct host_domain *self = host_self();
	int error = -EINVAL;

	pthread_mutex_lock(&self->machine->lock);
	if (port < HOST_PORTS && self->ports[port].state != HOST_PORT_FREE) {
		self->ports[port].handler = handler;
		self->ports[port].context = context;
		set_bit(self->masked, port, false);
		error = 0;
	}
	pthread_mutex_unlock(&self->machine->lock);
	return error;
}

/* A port that is not open is a bug of the caller: Xen would refuse, and we stop. */
static struct host_port *own_port(struct host_domain *self, evtchn_port port, const char *what)
{
	if (port == EVTCHN_NONE || port >= HOST_PORTS || self->ports[port].state == HOST_PORT_FREE)
		host_fatal("%s: %s of port %u, which is not open", self->name, what, port);
	return &self->ports[port];
}

void evtchn_close(evtchn_port port)
{
	struct host_domain *self = host_self();
	struct host_domain *remote;
	struct host_port *mine;

	if (port == EVTCHN_NONE)
		return;
	pthread_mutex_lock(&self->machine->lock);
	mine = own_port(self, port, "close");
	if (mine->state == HOST_PORT_INTERDOMAIN) {
		remote = host_find_domain(self->machine, mine->remote_domid);
		if (remote)
			remote->ports[mine->remote_port].state = HOST_PORT_UNBOUND;
	}
	*mine = (struct host_port){ .state = HOST_PORT_FREE };
	set_bit(self->pending, port, false);
	set_bit(self->masked, port, true);
	self->open_ports--;
	pthread_mutex_unlock(&self->machine->lock);
}

void evtchn_notify(evtchn_port port)
{
	struct host_domain *self = host_self();
	struct host_domain *remote;
	const struct host_port *mine;

	pthread_mutex_lock(&self->machine->lock);
	self->costs.notifies++;
	mine = own_port(self, port, "notify");
	if (mine->state == HOST_PORT_INTERDOMAIN) {
		remote = host_find_domain(self->machine, mine->remote_domid);
		if (remote && !is_pending(remote, mine->remote_port)) {
			set_bit(remote->pending, mine->remote_port, true);
			host_domain_wake(remote);
		}
	}
	pthread_mutex_unlock(&self->machine->lock);
}

bool evtchn_is_connected(evtchn_port port)
{
	struct host_domain *self = host_self();
	bool connected;

	pthread_mutex_lock(&self->machine->lock);
	connected = own_port(self, port, "status")->state == HOST_PORT_INTERDOMAIN;
	pthread_mutex_unlock(&self->machine->lock);
	return connected;
}

void evtchn_mask(evtchn_port port)
{
	struct host_domain *self = host_self();

	pthread_mutex_lock(&self->machine->lock);
	own_port(self, port, "mask");
	set_bit(self->masked, port, true);
	pthread_mutex_unlock(&self->machine->lock);
}

void evtchn_unmask(evtchn_port port)
{
	struct host_domain *self = host_self();

	pthread_mutex_lock(&self->machine->lock);
	own_port(self, port, "unmask");
	set_bit(self->masked, port, false);
	pthread_mutex_unlock(&self->machine->lock);
}

/*
 * The pass takes a copy of what is pending; a handler may close or mask ports that
 * come later in it, so each is looked at again just before its call.
 */
static bool take_event(struct host_domain *self, uint32_t port, evtchn_handler **handler,
		       void **context)
{
	bool taken;

	pthread_mutex_lock(&self->machine->lock);
	taken = is_pending(self, port) && !(self->masked[port / 64] >> (port % 64) & 1);
	if (taken) {
		set_bit(self->pending, port, false);
		*handler = self->ports[port].handler;
		*context = self->ports[port].context;
	}
	pthread_mutex_unlock(&self->machine->lock);
	return taken && *handler;
}

uint32_t evtchn_dispatch(void)
{
	struct host_domain *self = host_self();
	uint64_t found[HOST_PORT_WORDS];
	uint32_t calls = 0;

	pthread_mutex_lock(&self->machine->lock);
	self->costs.upcalls += has_upcall(self);
	for (uint32_t i = 0; i < HOST_PORT_WORDS; i++)
		found[i] = self->pending[i] & ~self->masked[i];
	pthread_mutex_unlock(&self->machine->lock);
	for (uint32_t i = 0; i < HOST_PORT_WORDS; i++) {
		for (; found[i]; found[i] &= found[i] - 1) {
			uint32_t port = i * 64 + (uint32_t)__builtin_ctzll(found[i]);
			evtchn_handler *handler = NULL;
			void *context = NULL;

			if (!take_event(self, port, &handler, &context))
				continue;
			handler(context);
			calls++;
		}
	}
	return calls;
}

uint32_t evtchn_open_count(void)
{
	struct host_domain *self = host_self();
	uint32_t count;

	pthread_mutex_lock(&self->machine->lock);
	count = self->open_ports;
	pthread_mutex_unlock(&self->machine->lock);
	return count;
}
