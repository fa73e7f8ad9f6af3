/* SPDX-License-Identifier: ISC */
/* What the files of a vchan share. Users include xen/vchan.h. */
#pragma once

#include <xen/io/libxenvchan.h>

#include "lib/list.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/vchan.h"
#include "xen/vchan_pages.h"
#include "xen/vchan_ring.h"

#define VCHAN_NEVER_CONNECTED 2u /* cli_live until a client comes */

struct vchan {
	uint16_t peer;
	bool is_server;
	enum vchan_state state;
	struct vchan_interface *page; /* shared with the peer */
	struct vchan_ring read;
	struct vchan_ring write;
	evtchn_port port;
	struct fiber_event wake;
	struct fiber_event *event; /* the owner's; NULL: none */
	uint64_t asked_ns;	   /* when Xen last said that the peer holds its end */

	/* Events that bring nothing: the port is masked for a while (vchan.c). */
	struct list muted;
	uint64_t unmute_ns;
	uint32_t work; /* a sum that grows with all that the peer does */
	uint32_t idle_events;

	struct vchan_share *share; /* a server's pages */
	char path[VCHAN_PATH_BYTES];
	bool is_published;

	struct gnttab_mapping shared; /* a client's */
	struct gnttab_mapping *mappings;
	uint32_t mapping_count;

	uint8_t *pieces[]; /* of the rings: left, then right */
};

/* A vchan whose rings have these orders, and nothing else yet; NULL: no memory. */
must_check struct vchan *vchan_make(uint16_t peer, bool is_server, uint32_t left, uint32_t right,
				    struct fiber_event *event);

/* Lets go of everything that was acquired, however far that went. */
void vchan_destroy(struct vchan *vchan);

/* Where the rings lie: in the page, or in the pages that `page_of` names, left ones first. */
void vchan_pieces_set(struct vchan *vchan, uint8_t *(*page_of)(struct vchan *vchan, uint32_t i));

/* The handler of the port. */
void vchan_event(void *context);

/* A server with rings of given orders whose indices begin at `index`, for tests of wrapping. */
must_check int vchan_listen_orders(uint16_t peer, const char *path, uint32_t left, uint32_t right,
				   uint32_t index, struct fiber_event *event, struct vchan **vchan);

/* A server's end: its nodes in the store, then its pages. */
void vchan_server_unpublish(struct vchan *vchan);

/* A client's: its mappings. */
void vchan_client_unmap(struct vchan *vchan);
