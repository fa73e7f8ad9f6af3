/* SPDX-License-Identifier: ISC */
#include "xen/evtchn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "arch/x86/boot.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "lib/compiler.h"
#include "lib/panic.h"

#define PORT_COUNT EVTCHN_2L_NR_CHANNELS
#define WORD_BITS 64u
#define WORD_COUNT (PORT_COUNT / WORD_BITS)

struct port_handler {
	evtchn_handler *handler; /* NULL: the port is not ours */
	void *context;
};

/* A table for each word of ports, made when its first port is and kept. */
static struct port_handler *handlers[WORD_COUNT];
static uint32_t open_count;
static struct evtchn_send send_anywhere, *send_arguments = &send_anywhere;

static struct shared_info *shared(void)
{
	return boot_info_get()->shared;
}

static unsigned long port_bit(evtchn_port port)
{
	return 1ul << (port % WORD_BITS);
}

void evtchn_init(void)
{
	struct evtchn_send *arguments = memory_alloc_arguments();

	if (arguments)
		send_arguments = arguments;
	for (unsigned int i = 0; i < WORD_COUNT; i++)
		__atomic_store_n(&shared()->evtchn_mask[i], ~0ul, __ATOMIC_SEQ_CST);
}

/* NULL: the port is none that could be ours. */
static struct port_handler *port_entry(evtchn_port port)
{
	struct port_handler *table;

	if (port == EVTCHN_NONE || port >= PORT_COUNT)
		return NULL;
	table = handlers[port / WORD_BITS];
	return table ? &table[port % WORD_BITS] : NULL;
}

int evtchn_adopt(evtchn_port port, evtchn_handler *handler, void *context)
{
	struct port_handler **table;

	if (port == EVTCHN_NONE || port >= PORT_COUNT)
		return -EINVAL;
	table = &handlers[port / WORD_BITS];
	if (!*table)
		*table = calloc(WORD_BITS, sizeof(**table));
	if (!*table)
		return -ENOMEM;
	if (!port_entry(port)->handler)
		open_count++;
	*port_entry(port) = (struct port_handler){ handler, context };
	evtchn_unmask(port);
	return 0;
}

/* A new port of Xen's; it is given back when there is no memory for its handler. */
static int port_take(evtchn_port made, evtchn_handler *handler, void *context, evtchn_port *port)
{
	struct evtchn_close op = { .port = made };
	int error = evtchn_adopt(made, handler, context);

	if (error)
		(void)hypercall_event_channel_op(EVTCHNOP_close, &op);
	else
		*port = made;
	return error;
}

int evtchn_alloc_unbound(uint16_t remote_domid, evtchn_handler *handler, void *context,
			 evtchn_port *port)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote_domid };
	long error = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	if (error)
		return (int)error;
	return port_take(op.port, handler, context, port);
}

int evtchn_bind_interdomain(uint16_t remote_domid, evtchn_port remote_port, evtchn_handler *handler,
			    void *context, evtchn_port *port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote_domid,
					      .remote_port = remote_port };
	long error = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	if (error)
		return (int)error;
	return port_take(op.local_port, handler, context, port);
}

int evtchn_bind_virq(uint32_t virq, evtchn_handler *handler, void *context, evtchn_port *port)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = 0 };
	long error = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

	if (error)
		return (int)error;
	return port_take(op.port, handler, context, port);
}

void evtchn_close(evtchn_port port)
{
	struct evtchn_close op = { .port = port };
	struct port_handler *entry = port_entry(port);

	if (!entry || !entry->handler)
		return;
	evtchn_mask(port);
	entry->handler = NULL;
	open_count--;
	if (hypercall_event_channel_op(EVTCHNOP_close, &op))
		panic("event channel %u cannot be closed", port);
	__atomic_fetch_and(&shared()->evtchn_pending[port / WORD_BITS], ~port_bit(port),
			   __ATOMIC_SEQ_CST);
}

void evtchn_notify(evtchn_port port)
{
	send_arguments->port = port;
	(void)hypercall_event_channel_op(EVTCHNOP_send, send_arguments);
}

bool evtchn_is_connected(evtchn_port port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	return hypercall_event_channel_op(EVTCHNOP_status, &op) == 0 &&
	       op.status == EVTCHNSTAT_interdomain;
}

void evtchn_mask(evtchn_port port)
{
	__atomic_fetch_or(&shared()->evtchn_mask[port / WORD_BITS], port_bit(port),
			  __ATOMIC_SEQ_CST);
}

/*
 * An event that came while the port was masked set its pending bit and no more. We
 * look for pending bits ourselves before every wait, so it is enough to mark the word
 * for the next look; Xen need not be asked to raise the event again.
 */
void evtchn_unmask(evtchn_port port)
{
	unsigned int word = port / WORD_BITS;
	struct shared_info *s = shared();

	__atomic_fetch_and(&s->evtchn_mask[word], ~port_bit(port), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->evtchn_pending[word], __ATOMIC_SEQ_CST) & port_bit(port))
		__atomic_fetch_or(&s->vcpu_info[0].evtchn_pending_sel, 1ul << word,
				  __ATOMIC_SEQ_CST);
}

static uint32_t word_dispatch(unsigned int word)
{
	struct shared_info *s = shared();
	unsigned long pending = __atomic_load_n(&s->evtchn_pending[word], __ATOMIC_SEQ_CST) &
				~__atomic_load_n(&s->evtchn_mask[word], __ATOMIC_SEQ_CST);
	uint32_t ran = 0;

	if (!pending)
		return 0;
	__atomic_fetch_and(&s->evtchn_pending[word], ~pending, __ATOMIC_SEQ_CST);
	while (pending) {
		unsigned int port = word * WORD_BITS + (unsigned int)__builtin_ctzl(pending);
		const struct port_handler *entry = port_entry(port);

		pending &= pending - 1;
		if (!entry || !entry->handler)
			continue;
		entry->handler(entry->context);
		ran++;
	}
	return ran;
}

bool evtchn_is_pending(void)
{
	return read_once(shared()->vcpu_info[0].evtchn_pending_sel) != 0;
}

uint32_t evtchn_dispatch(void)
{
	struct vcpu_info *vcpu = &shared()->vcpu_info[0];
	unsigned long words;
	uint32_t ran = 0;

	if (!evtchn_is_pending())
		return 0;
	words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	for (; words; words &= words - 1)
		ran += word_dispatch((unsigned int)__builtin_ctzl(words));
	return ran;
}

uint32_t evtchn_open_count(void)
{
	return open_count;
}
