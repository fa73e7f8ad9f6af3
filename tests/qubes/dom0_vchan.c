/* SPDX-License-Identifier: ISC */
/* See dom0_vchan.h. */
#include "dom0_vchan.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

/* One connection for all: a child closes its parent's by opening its own. */
static struct xs_handle *store(void)
{
	static struct xs_handle *handle;
	static pid_t owner;

	if (!handle || owner != getpid()) {
		handle = xs_open(0);
		owner = getpid();
	}
	if (!handle) {
		fprintf(stderr, "no xenstore\n");
		exit(2);
	}
	return handle;
}

static bool write_node(xs_transaction_t t, const char *folder, const char *name, const char *value,
		       int reader)
{
	struct xs_permissions permissions[2] = { { .id = 0, .perms = XS_PERM_NONE },
						 { .id = (unsigned)reader,
						   .perms = XS_PERM_READ } };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return xs_write(store(), t, path, value, (unsigned)strlen(value)) &&
	       xs_set_permissions(store(), t, path, permissions, 2);
}

/* libxenvchan writes its nodes one after the other; QubesOS's library both at once. So the
 * former gets a place of its own, and what it has written there is published. */
static bool publish(struct dom0_vchan *vchan, const char *scratch, int client)
{
	char path[128], port[16];
	char *ref;
	bool good = false;

	snprintf(path, sizeof(path), "%s/ring-ref", scratch);
	snprintf(port, sizeof(port), "%u", vchan->chan->event_port);
	ref = xs_read(store(), XBT_NULL, path, NULL);
	if (!ref)
		return false;
	for (int i = 0; i < 50 && !good; i++) {
		xs_transaction_t t = xs_transaction_start(store());

		if (t == XBT_NULL)
			break;
		good = write_node(t, vchan->path, "ring-ref", ref, client) &&
		       write_node(t, vchan->path, "event-channel", port, client);
		good = xs_transaction_end(store(), t, !good) && good;
	}
	free(ref);
	return good;
}

bool dom0_vchan_serve(struct dom0_vchan *vchan, int client, int port, size_t bytes)
{
	char scratch[96];

	memset(vchan, 0, sizeof(*vchan));
	snprintf(scratch, sizeof(scratch), "/tool/ringwall-vchan/%d-%d-%d", client, port,
		 (int)getpid());
	vchan->chan = libxenvchan_server_init(NULL, client, scratch, bytes, bytes);
	if (!vchan->chan)
		return false;
	vchan->chan->blocking = 0;
	snprintf(vchan->path, sizeof(vchan->path), "/local/domain/0/data/vchan/%d/%d", client,
		 port);
	if (publish(vchan, scratch, client)) {
		xs_rm(store(), XBT_NULL, scratch);
		return true;
	}
	dom0_vchan_close(vchan);
	return false;
}

static bool exists(const char *folder, const char *name)
{
	char path[128];
	char *value;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	value = xs_read(store(), XBT_NULL, path, NULL);
	bool good = value && atoi(value) > 0;

	free(value);
	return good;
}

bool dom0_vchan_try_connect(struct dom0_vchan *vchan, int server, int port)
{
	char path[96];

	memset(vchan, 0, sizeof(*vchan));
	snprintf(path, sizeof(path), "/local/domain/%d/data/vchan/0/%d", server, port);
	if (!exists(path, "ring-ref") || !exists(path, "event-channel"))
		return false;
	vchan->chan = libxenvchan_client_init(NULL, server, path);
	if (!vchan->chan)
		return false;
	vchan->chan->blocking = 0;
	if (libxenvchan_is_open(vchan->chan) == 1)
		return true;
	dom0_vchan_close(vchan); /* nodes of one that has ended */
	return false;
}

static void remove_nodes(struct dom0_vchan *vchan)
{
	if (vchan->path[0])
		xs_rm(store(), XBT_NULL, vchan->path);
	vchan->path[0] = '\0';
}

void dom0_vchan_close(struct dom0_vchan *vchan)
{
	if (!vchan->chan)
		return;
	remove_nodes(vchan);
	libxenvchan_close(vchan->chan);
	vchan->chan = NULL;
}

int dom0_vchan_fd(const struct dom0_vchan *vchan)
{
	return vchan->chan ? libxenvchan_fd_for_select(vchan->chan) : -1;
}

void dom0_vchan_take_event(struct dom0_vchan *vchan)
{
	struct pollfd one = { .fd = dom0_vchan_fd(vchan), .events = POLLIN };

	if (one.fd >= 0 && poll(&one, 1, 0) == 1)
		libxenvchan_wait(vchan->chan);
}

int dom0_vchan_state(struct dom0_vchan *vchan)
{
	int state = vchan->chan ? libxenvchan_is_open(vchan->chan) : 0;

	if (state == 1)
		remove_nodes(vchan);
	return state;
}

size_t dom0_vchan_ready(struct dom0_vchan *vchan)
{
	int ready = vchan->chan ? libxenvchan_data_ready(vchan->chan) : 0;

	return ready > 0 ? (size_t)ready : 0;
}

bool dom0_vchan_get(struct dom0_vchan *vchan, void *to, size_t size)
{
	char *at = to;

	if (dom0_vchan_ready(vchan) < size)
		return false;
	while (size) {
		int got = libxenvchan_read(vchan->chan, at, size);

		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

int dom0_vchan_put(struct dom0_vchan *vchan, const void *from, size_t size)
{
	if (dom0_vchan_state(vchan) == 0)
		return -1;
	if (libxenvchan_buffer_space(vchan->chan) <= 0) {
		/* asks to be told when there is room */
		int put = libxenvchan_write(vchan->chan, from, size);

		return put < 0 ? -1 : put;
	}
	return libxenvchan_write(vchan->chan, from, size);
}

bool dom0_vchan_corrupt(struct dom0_vchan *vchan, const char *what)
{
	struct vchan_interface *page = vchan->chan ? vchan->chan->ring : NULL;
	struct ring_shared *ours, *theirs;

	if (!page)
		return false;
	ours = vchan->chan->is_server ? &page->right : &page->left;
	theirs = vchan->chan->is_server ? &page->left : &page->right;
	if (!strcmp(what, "prod"))
		ours->prod += 0x7fffff01u;
	else if (!strcmp(what, "cons"))
		theirs->cons += 0x12345679u;
	else if (!strcmp(what, "both"))
		memset(page, 0xa5, 16);
	else if (!strcmp(what, "peer"))
		theirs->prod = ours->cons = 0xdeadbeefu;
	else if (!strcmp(what, "order"))
		page->left_order = page->right_order = 0xffff;
	else if (!strcmp(what, "live"))
		page->cli_live = page->srv_live = 0x77;
	else if (!strcmp(what, "all"))
		memset(page, 0xff, 512);
	else
		return false;
	xenevtchn_notify(vchan->chan->event, vchan->chan->event_port);
	return true;
}
