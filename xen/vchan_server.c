/* SPDX-License-Identifier: ISC */
/* The server's side of a vchan's beginning and end: pages, grants, and nodes in the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "xen/store.h"
#include "xen/vchan_internal.h"

#define TRANSACTION_TRIES 5u
#define REMOVE_TRIES 3u

static struct log_limit log_limit = LOG_LIMIT_INIT;

/* ---- the store ---- */

static int node_path(const struct vchan *vchan, const char *key, char *to)
{
	int length = snprintf(to, STORE_PATH_BYTES, "%s/%s", vchan->path, key);

	return length < 0 || (size_t)length >= STORE_PATH_BYTES ? -E2BIG : 0;
}

static int node_write(store_transaction t, const struct vchan *vchan, const char *key,
		      uint32_t value)
{
	char path[STORE_PATH_BYTES];
	char us[8], them[8];
	const char *permissions[] = { us, them };
	int error = node_path(vchan, key, path);

	snprintf(us, sizeof(us), "n%u", store_domid());
	snprintf(them, sizeof(them), "r%u", vchan->peer);
	if (!error)
		error = store_writef(t, path, "%u", value);
	if (!error)
		error = store_set_permissions_in(t, path, permissions, ARRAY_SIZE(permissions));
	return error;
}

static int publish_once(const struct vchan *vchan)
{
	store_transaction t;
	int error = store_transaction_start(&t);

	if (error)
		return error;
	error = node_write(t, vchan, "ring-ref", vchan->share->pages[0].gref);
	if (!error)
		error = node_write(t, vchan, "event-channel", vchan->port);
	if (error) {
		int aborted = store_transaction_end(t, false);

		return aborted ? aborted : error;
	}
	return store_transaction_end(t, true);
}

static int publish(struct vchan *vchan)
{
	int error = -EAGAIN;

	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = publish_once(vchan);
	/* An answer that got lost may have been a yes. */
	vchan->is_published = error == 0 || error == -ETIMEDOUT || error == -EIO;
	return error;
}

/* A newer server at the same path has nodes of its own there. */
static bool nodes_are_ours(const struct vchan *vchan)
{
	char path[STORE_PATH_BYTES];
	uint64_t port;

	if (node_path(vchan, "event-channel", path))
		return false;
	return store_read_u64(STORE_NO_TRANSACTION, path, &port) != 0 || port == vchan->port;
}

void vchan_server_unpublish(struct vchan *vchan)
{
	int error = -EIO;

	if (!vchan->is_published || !nodes_are_ours(vchan))
		return;
	for (unsigned int i = 0; i < REMOVE_TRIES && error && error != -ENOENT; i++)
		error = store_remove(STORE_NO_TRANSACTION, vchan->path);
	if (error && error != -ENOENT)
		log_limited(&log_limit, LOG_WARNING, "vchan", "%s cannot be removed: error %d",
			    vchan->path, error);
	vchan->is_published = false;
}

/* ---- the pages ---- */

static uint8_t *server_page_of(struct vchan *vchan, uint32_t i)
{
	return vchan->share->pages[1 + i].data;
}

static void indices_begin(struct vchan *vchan, uint32_t index)
{
	vchan->page->left.prod = vchan->page->left.cons = index;
	vchan->page->right.prod = vchan->page->right.cons = index;
	vchan->read.ours = vchan->read.theirs = index;
	vchan->write.ours = vchan->write.theirs = index;
}

/* All is in place when the first page is granted: the peer may guess its reference. */
static int pages_share(struct vchan *vchan, uint32_t index)
{
	uint32_t count = vchan_ring_pages(vchan->read.order) + vchan_ring_pages(vchan->write.order);
	int error = vchan_share_make(vchan->peer, 1 + count, &vchan->share);

	if (error)
		return error;
	vchan->page = (struct vchan_interface *)(void *)vchan->share->pages[0].data;
	vchan_pieces_set(vchan, server_page_of);
	for (uint32_t i = 0; i < count && !error; i++) {
		error = vchan_share_grant(vchan->share, 1 + i);
		vchan->page->grants[i] = vchan->share->pages[1 + i].gref;
	}
	if (error)
		return error;
	indices_begin(vchan, index);
	vchan->page->left_order = (uint16_t)vchan->read.order;
	vchan->page->right_order = (uint16_t)vchan->write.order;
	vchan->page->cli_live = VCHAN_NEVER_CONNECTED;
	vchan->page->srv_live = 1;
	vchan->page->cli_notify = VCHAN_NOTIFY_WRITE;
	return vchan_share_grant(vchan->share, 0);
}

static int server_begin(struct vchan *vchan, uint32_t index)
{
	int error = pages_share(vchan, index);

	if (!error)
		error = evtchn_alloc_unbound(vchan->peer, vchan_event, vchan, &vchan->port);
	if (!error)
		error = publish(vchan);
	return error;
}

/* ---- beginning ---- */

int vchan_listen_orders(uint16_t peer, const char *path, uint32_t left, uint32_t right,
			uint32_t index, struct fiber_event *event, struct vchan **made)
{
	struct vchan *vchan;
	int error;

	if (!vchan_ring_orders_are_possible(left, right) || strlen(path) >= VCHAN_PATH_BYTES ||
	    path[0] == '\0' || peer == store_domid())
		return -EINVAL;
	vchan = vchan_make(peer, true, left, right, event);
	if (!vchan)
		return -ENOMEM;
	memcpy(vchan->path, path, strlen(path) + 1);
	error = server_begin(vchan, index);
	if (error)
		vchan_destroy(vchan);
	else
		*made = vchan;
	return error;
}

int vchan_listen(uint16_t peer, const char *path, uint32_t read_bytes, uint32_t write_bytes,
		 struct fiber_event *event, struct vchan **vchan)
{
	uint32_t left, right;

	if (read_bytes > VCHAN_RING_BYTES_MAX || write_bytes > VCHAN_RING_BYTES_MAX)
		return -EINVAL;
	vchan_ring_orders(read_bytes, write_bytes, &left, &right);
	return vchan_listen_orders(peer, path, left, right, 0, event, vchan);
}
