/* SPDX-License-Identifier: ISC */
/* The client's side of a vchan's beginning: finding the server, and mapping what it shares. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "xen/loop.h"
#include "xen/store.h"
#include "xen/vchan_internal.h"

/* A server that writes its nodes without end is looked at so often, then ten times a second. */
#define LOOKS_AT_ONCE 8u
#define LOOK_STEP_NS 100000000ull

static struct log_limit log_limit = LOG_LIMIT_INIT;

/* ---- finding the server ---- */

struct rendezvous {
	uint32_t gref;
	evtchn_port port;
};

static int node_read(const char *path, const char *key, uint32_t *value)
{
	char node[STORE_PATH_BYTES];
	uint64_t number;
	int length = snprintf(node, sizeof(node), "%s/%s", path, key);
	int error;

	if (length < 0 || (size_t)length >= sizeof(node))
		return -EINVAL;
	error = store_read_u64(STORE_NO_TRANSACTION, node, &number);
	if (error)
		return error;
	if (number == 0 || number > UINT32_MAX)
		return -EINVAL;
	*value = (uint32_t)number;
	return 0;
}

/* 0; 1: it is not there yet, or not yet for us to read, or no number yet; or an error. */
static int rendezvous_look(const char *path, struct rendezvous *found)
{
	int error = node_read(path, "ring-ref", &found->gref);

	if (!error)
		error = node_read(path, "event-channel", &found->port);
	return error == -ENOENT || error == -EACCES || error == -EINVAL ? 1 : error;
}

static int look_until(const char *path, struct fiber_event *changed, uint64_t deadline_ns,
		      struct rendezvous *found)
{
	int result;

	for (unsigned int looks = 0; (result = rendezvous_look(path, found)) == 1; looks++) {
		int error = fiber_event_wait(changed, deadline_ns);

		if (error)
			return error;
		if (looks >= LOOKS_AT_ONCE)
			fiber_sleep_until(loop_now_ns() + LOOK_STEP_NS);
	}
	return result;
}

/* The node is watched, not its directory: that may be closed to us. */
static int rendezvous_wait(const char *path, uint64_t deadline_ns, struct rendezvous *found)
{
	char node[STORE_PATH_BYTES];
	struct fiber_event changed;
	struct store_watch watch;
	int length = snprintf(node, sizeof(node), "%s/event-channel", path);
	int result;

	if (length < 0 || (size_t)length >= sizeof(node))
		return -EINVAL;
	fiber_event_init(&changed);
	result = store_watch_add(&watch, node, &changed);
	if (result)
		return result;
	result = look_until(path, &changed, deadline_ns, found);
	store_watch_remove(&watch);
	return result;
}

/* ---- mapping ---- */

void vchan_client_unmap(struct vchan *vchan)
{
	while (vchan->mapping_count)
		gnttab_unmap(&vchan->mappings[--vchan->mapping_count]);
	free(vchan->mappings);
	vchan->mappings = NULL;
	gnttab_unmap(&vchan->shared);
}

static uint8_t *client_page_of(struct vchan *vchan, uint32_t i)
{
	return vchan->mappings[i].address;
}

static int rings_map(struct vchan *vchan)
{
	uint32_t count = vchan_ring_pages(vchan->read.order) + vchan_ring_pages(vchan->write.order);
	int error = 0;

	if (count) {
		vchan->mappings = calloc(count, sizeof(*vchan->mappings));
		if (!vchan->mappings)
			return -ENOMEM;
	}
	while (vchan->mapping_count < count && !error) {
		uint32_t gref = read_once(vchan->page->grants[vchan->mapping_count]);

		error = gnttab_map(vchan->peer, gref, false,
				   &vchan->mappings[vchan->mapping_count]);
		vchan->mapping_count += !error;
	}
	if (!error)
		vchan_pieces_set(vchan, client_page_of);
	return error;
}

/*
 * A server that takes one client after the other goes on with the indices that it has. Each
 * is read once; what cannot be true is found out at the first look at the ring.
 */
static int indices_adopt(struct vchan *vchan)
{
	struct vchan_ring *read = &vchan->read;
	struct vchan_ring *write = &vchan->write;

	write->ours = read_once(vchan->page->left.prod);
	write->theirs = write->ours - vchan_ring_size(write);
	read->ours = read_once(vchan->page->right.cons);
	read->theirs = read->ours;
	return vchan_ring_take_cons(write, read_once(vchan->page->left.cons)) &&
			       vchan_ring_take_prod(read, read_once(vchan->page->right.prod))
		       ? 0
		       : -EPROTO;
}

static int client_begin(struct vchan *vchan, evtchn_port server_port)
{
	int error = read_once(vchan->page->srv_live) ? 0 : -EPIPE;

	if (!error)
		error = rings_map(vchan);
	if (!error)
		error = indices_adopt(vchan);
	if (!error)
		error = evtchn_bind_interdomain(vchan->peer, server_port, vchan_event, vchan,
						&vchan->port);
	if (error)
		return error;
	vchan->state = VCHAN_CONNECTED;
	vchan->asked_ns = loop_now_ns();
	write_once(vchan->page->cli_live, 1);
	__atomic_fetch_or(&vchan->page->srv_notify, VCHAN_NOTIFY_WRITE, __ATOMIC_SEQ_CST);
	evtchn_notify(vchan->port);
	return 0;
}

/* 0; -EPROTO: no server has such rings; -E2BIG: larger than wanted. */
static int orders_check(uint16_t peer, uint32_t left, uint32_t right, uint32_t ring_bytes_max)
{
	if (!vchan_ring_orders_are_possible(left, right)) {
		log_limited(&log_limit, LOG_WARNING, "vchan",
			    "domain %u offers rings of the impossible orders %u and %u", peer, left,
			    right);
		return -EPROTO;
	}
	if (1u << left <= ring_bytes_max && 1u << right <= ring_bytes_max)
		return 0;
	log_limited(&log_limit, LOG_WARNING, "vchan",
		    "domain %u offers rings of the orders %u and %u, larger than wanted", peer,
		    left, right);
	return -E2BIG;
}

/* `shared` is the vchan's from here on, or unmapped. */
static int client_make(uint16_t peer, struct gnttab_mapping shared, evtchn_port server_port,
		       uint32_t ring_bytes_max, struct fiber_event *event, struct vchan **made)
{
	struct vchan_interface *page = shared.address;
	uint32_t left = read_once(page->left_order);
	uint32_t right = read_once(page->right_order);
	int error = orders_check(peer, left, right, ring_bytes_max);
	struct vchan *vchan = error ? NULL : vchan_make(peer, false, left, right, event);

	if (!vchan) {
		gnttab_unmap(&shared);
		return error ? error : -ENOMEM;
	}
	vchan->shared = shared;
	vchan->page = page;
	error = client_begin(vchan, server_port);
	if (error == -EPROTO)
		log_limited(&log_limit, LOG_WARNING, "vchan",
			    "domain %u offers rings with impossible indices", peer);
	if (error)
		vchan_destroy(vchan);
	else
		*made = vchan;
	return error;
}

int vchan_connect_within(uint16_t peer, const char *path, uint32_t ring_bytes_max,
			 struct fiber_event *event, uint64_t deadline_ns, struct vchan **vchan)
{
	struct rendezvous found;
	struct gnttab_mapping shared;
	int error;

	if (strlen(path) >= VCHAN_PATH_BYTES || path[0] == '\0' || peer == store_domid())
		return -EINVAL;
	error = rendezvous_wait(path, deadline_ns, &found);
	if (!error)
		error = gnttab_map(peer, found.gref, false, &shared);
	if (error)
		return error;
	return client_make(peer, shared, found.port, ring_bytes_max, event, vchan);
}

int vchan_connect(uint16_t peer, const char *path, struct fiber_event *event, uint64_t deadline_ns,
		  struct vchan **vchan)
{
	return vchan_connect_within(peer, path, VCHAN_RING_BYTES_MAX, event, deadline_ns, vchan);
}
