/* SPDX-License-Identifier: ISC */
/* What the files of blkback share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback.h"
#include "drivers/blkback_request.h"
#include "drivers/blkif_ring.h"
#include "drivers/event_storm.h"
#include "drivers/store_pace.h"
#include "lib/list.h"
#include "lib/log.h"
#include "xen/bus.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

/* Indirect requests of one poll. */
#define BLKBACK_INDIRECT_MOST 16u
/* Of all clients together; the window of foreign pages is small. */
#define BLKBACK_PERSISTENT_PAGES 768u
/* A client that does not use a page for so long gets it back. */
#define BLKBACK_PERSISTENT_IDLE_NS 60000000000ull

/* One ring. All of it belongs to one connection. */
struct blkback_queue {
	struct blkback_vbd *vbd;
	struct gnttab_mapping pages[BLKIF_RING_PAGES_MOST];
	struct blkif_ring ring;
	uint32_t consumed; /* requests taken */
	uint32_t answered; /* responses written */
	uint32_t owed;	   /* segments beyond its share, which the next polls make good */
	evtchn_port port;
	struct loop_source source;
	struct event_storm storm;
	/* A discard under way, a part in each poll; nothing else is taken meanwhile. */
	bool zeroing;
	struct blkback_job discard;
};

/* A page of the client that stays mapped. */
struct blkback_page {
	struct list recent;	   /* of the client's, the one used last at the front */
	struct blkback_page *next; /* with the same hash, or free */
	uint64_t used_ns;
	uint32_t gref;
	struct gnttab_mapping mapping;
};

struct blkback_cache {
	struct blkback_page *pages; /* NULL: the client's grants are not kept */
	struct blkback_page **buckets;
	struct blkback_page *unused;
	struct list recent;
	uint32_t room, count;
	uint32_t refused; /* grants that could not be mapped */
};

struct blkback_counters {
	uint64_t reads, writes, flushes, discards; /* requests that were carried out */
	uint64_t read_bytes, written_bytes;
	uint64_t errors; /* answers that were none of success */
	uint64_t notifies;
	uint64_t kept_hits, copies; /* segments */
};

struct blkback_vbd {
	struct list link;
	uint16_t domid;
	uint32_t handle;
	char name[24];
	char backend[STORE_PATH_BYTES];
	char frontend[STORE_PATH_BYTES];
	struct store_watch watch; /* of the frontend's state */
	struct store_pace pace;	  /* of looks at what it changed */
	enum xenbus_state state;  /* ours, as last written */
	uint64_t closed_ns;	  /* when state became Closed with online=0 */
	bool seen;		  /* in the last listing of backend/vbd */
	bool due;		  /* to be served when its pace allows */

	struct blkback_disk *disk; /* one of its readers or its writer, as long as this lives */
	bool read_only, removable, cdrom, discard;
	uint64_t told_bytes; /* of the disk, as the store says */

	/* Connected only. */
	bool connected;
	bool broken; /* the client broke the protocol; the fiber disconnects it */
	struct blkback_cache cache;
	struct blkback_counters counters;
	struct log_limit log_limit;
	uint32_t queue_count;	       /* that the client uses */
	struct blkback_queue queues[]; /* features.max_queues */
};

/* The parts that all clients share; one blkback in a guest. */
struct blkback {
	struct blkback_config config;
	struct list vbds;
	uint32_t vbd_count;
	struct store_watch watch; /* of backend/vbd */
	struct store_pace pace;	  /* of listings of it: what we write there fires it too */
	struct fiber_event event;
	bool running;
	bool closing;
	bool closed;
	bool resized;	      /* some disk; its clients are to be told */
	uint8_t *descriptors; /* pages for those of indirect requests of one poll */
	uint32_t kept_pages;  /* persistent mappings of all clients */
	uint64_t attached, detached, broken, refused;
};

extern struct blkback blkback;

/* The client broke the protocol: stop using its rings now, let the fiber clean up. */
void blkback_vbd_break(struct blkback_vbd *vbd, const char *why);

/* What requests of this client may touch now. */
void blkback_vbd_limits(const struct blkback_vbd *vbd, struct blkback_limits *limits);

/* ---- blkback_connect.c ---- */

/* Writes what is offered, and InitWait. What does not fit the store's quota is left out. */
void blkback_vbd_offer(struct blkback_vbd *vbd);
/* The disk's size, for a frontend that knows it already. */
void blkback_vbd_tell_size(struct blkback_vbd *vbd);
/* Makes the queues of a new vbd, connects it and takes it apart. */
void blkback_vbd_init_queues(struct blkback_vbd *vbd);
void blkback_vbd_connect(struct blkback_vbd *vbd);
void blkback_vbd_release(struct blkback_vbd *vbd);

/* ---- blkback_ring.c ---- */

/* Carries out what the client asks for on a queue. True: there is more. */
bool blkback_ring_poll(struct blkback_queue *queue, uint32_t budget);
/* Asks for an event with the next request; true when some came in between. */
bool blkback_ring_arm(struct blkback_queue *queue);

/* ---- blkback_persistent.c ---- */

/* For a client whose rings have so many slots in all. Without memory it goes without. */
void blkback_cache_begin(struct blkback_cache *cache, uint32_t slots);
void blkback_cache_end(struct blkback_cache *cache);
/* The client's page, mapped now or before; NULL: copy by grant. */
uint8_t *blkback_cache_find(struct blkback_vbd *vbd, uint32_t gref);
/* Gives back what was not used for long; when to look again, FIBER_FOREVER: no need. */
uint64_t blkback_cache_age(struct blkback_cache *cache, uint64_t now_ns);
