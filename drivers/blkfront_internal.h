/* SPDX-License-Identifier: ISC */
/* What the files of blkfront share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkfront.h"
#include "drivers/blkfront_plan.h"
#include "drivers/blkif_ring.h"
#include "drivers/event_storm.h"
#include "drivers/store_pace.h"
#include "lib/iopage.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "xen/bus.h"
#include "xen/evtchn.h"
#include "xen/gnttab.h"
#include "xen/loop.h"
#include "xen/store.h"

#define BLKFRONT_QUEUES_MOST 16u
#define BLKFRONT_NONE UINT16_MAX
/* Bytes that one poll copies, but for the last answer or request; others want the CPU too. */
#define BLKFRONT_POLL_COPY_BYTES (512u << 10)
#define BLKFRONT_DIRECTORY_BYTES 32u

/* Where a request is: request.own.progress. */
enum blkfront_step {
	BLKFRONT_STEP_DATA,   /* its own work; from here all begin */
	BLKFRONT_STEP_BEFORE, /* of a barrier: what came before must be stable */
	BLKFRONT_STEP_FLUSH,  /* the flush that it is, or that makes it stable */
};

enum blkfront_piece_kind {
	BLKFRONT_PIECE_BOUNCE, /* `bounce` holds the bytes; the page is given back */
	BLKFRONT_PIECE_OWN,    /* in place, in pages of the disk's own */
	BLKFRONT_PIECE_LOAN,   /* a page of the request's memory, granted for it */
	BLKFRONT_PIECE_TABLE,  /* no request's: a page of descriptors */
	BLKFRONT_PIECE_PLAIN,  /* nothing but the request */
};

/* A part of one request that travels in one request of the ring. */
struct blkfront_piece {
	struct block_request *request;
	uint8_t *memory; /* the request's; NULL: zeroes */
	uint8_t *bounce;
	uint32_t bytes;
	uint32_t gref;	/* of a loan */
	uint16_t page;	/* to be given back, or BLKFRONT_NONE */
	uint16_t next;	/* of the same request of the ring, or of the free ones */
	uint16_t domid; /* that keeps a loan */
	uint8_t kind;
};

/* A request of the ring, by id. */
struct blkfront_shadow {
	uint16_t first; /* its pieces */
	uint8_t operation;
	bool under_way;
};

struct blkfront_queue {
	struct blkfront_disk *disk;
	struct blkif_ring ring;
	struct iopage *pages[BLKIF_RING_PAGES_MOST];
	struct ring_producer producer;
	uint32_t consumed; /* responses taken */
	evtchn_port port;
	bool masked;
	struct blkfront_shadow *shadows;
	uint16_t *ids; /* the free ones, last freed last */
	uint32_t id_count;
};

enum blkfront_page_use { BLKFRONT_PAGE_FREE, BLKFRONT_PAGE_BUSY, BLKFRONT_PAGE_BUFFER };

/* A page of the disk's share. Where it lies in the table of pages is its tag. */
struct blkfront_page {
	struct iopage *page;
	uint16_t users; /* pieces under way that are in place in it */
	uint8_t use;
	bool lost;	/* an earlier backend holds it */
	uint16_t domid; /* that one */
};

/* Agreed with the backend for a connection. */
struct blkfront_agreed {
	uint32_t queues;
	uint32_t order;
	uint32_t segments;
	bool persistent;
	bool loans;
	uint8_t flush_operation; /* BLKIF_OP_*; 0: none */
};

struct blkfront_disk {
	struct block_device device;
	struct list link;
	uint32_t number; /* virtual-device */
	char directory[BLKFRONT_DIRECTORY_BYTES];
	char backend[STORE_PATH_BYTES];
	uint16_t backend_id;
	struct store_watch directory_watch, backend_watch;
	struct store_pace backend_pace;
	struct fiber_event event;
	struct log_limit log_limit;
	bool connected, broken, closing, attached, ended;
	bool retired; /* only waits for what a backend keeps */
	bool initial; /* was there at the start */
	bool look;    /* the backend has touched its state */
	bool loan_kept;
	struct block_geometry told; /* what the user was told last */
	bool told_up, told_gone;
	uint64_t connects;

	struct blkfront_agreed agreed;
	struct loop_source source;
	struct event_storm storm;
	bool polling;
	uint32_t work; /* responses taken, in all */
	uint32_t next_queue;
	uint64_t reap_ns;	       /* when the timer looks; 0: not */
	uint32_t reap_work;	       /* what there was when it was set the last time */
	struct blkfront_queue *queues; /* config.max_queues */

	uint64_t submitted;   /* the last number given */
	struct list waiting;  /* requests not all of which is on the ring, in order */
	struct list running;  /* all of which is */
	struct list flushing; /* that wait for a flush to be put on the ring */
	struct block_request *barrier;
	uint32_t under_way; /* requests of the ring */

	uint32_t writes;  /* reported */
	uint32_t flushed; /* of them, known to be stable */
	bool doubt;	  /* others were another backend's, and nobody knows what became of them */
	uint64_t doubted; /* requests up to that number were submitted before anybody was told so */

	struct blkfront_piece *pieces;
	uint16_t free_piece;
	uint16_t kept_loans; /* pieces whose page a backend did not let go */
	/* Pieces of loans, those kept too. The rest is for the next backend, whatever one keeps. */
	uint32_t loans, loans_most;

	struct blkfront_page *pages;
	uint32_t page_count;
	struct list free;
	uint32_t free_count;
	uint32_t reserve;     /* pages that buffers may not take */
	uint32_t pages_domid; /* whom they were lent to last */
	uint32_t copied;      /* bytes, in this poll */
};

/* ---- blkfront.c ---- */

const struct blkfront_config *blkfront_config(void);
bool blkfront_is_closing(void);
/* Somebody may wait for this disk. */
void blkfront_progress(void);
/* The disk is gone, and may come again as another; its fiber still waits for what it lent. */
void blkfront_retire(struct blkfront_disk *disk);
/* The disk's fiber is about to end. */
void blkfront_forget(struct blkfront_disk *disk);

/* ---- blkfront_disk.c: the state machine, a fiber a disk ---- */

void blkfront_disk_serve(void *disk);
/* From anywhere: the backend broke the protocol. */
void blkfront_break(struct blkfront_disk *disk, const char *why);

/* ---- blkfront_connect.c: what a connection holds ---- */

must_check int blkfront_queues_make(struct blkfront_disk *disk);
void blkfront_queues_free(struct blkfront_disk *disk);
must_check int blkfront_connection_make(struct blkfront_disk *disk);
/* Reads what the backend says when it is Connected. */
must_check int blkfront_features_learn(struct blkfront_disk *disk);
/* Reads the size anew. */
void blkfront_geometry_refresh(struct blkfront_disk *disk);
void blkfront_connection_end(struct blkfront_disk *disk, enum xenbus_state say);

/* ---- blkfront_pages.c ---- */

/* Once, before all others. */
void blkfront_pages_init(void);
must_check int blkfront_pages_take(struct blkfront_disk *disk);
/* Gives them back to the pool; what is lost goes to the list of all disks. */
void blkfront_pages_free(struct blkfront_disk *disk);
must_check int blkfront_page_grant(const struct blkfront_disk *disk, struct iopage *page);
must_check int blkfront_pages_grant(struct blkfront_disk *disk);
/* Ends every grant of the connection, which may take a while; what is kept is lost. */
void blkfront_grants_end(struct blkfront_disk *disk);
/* Takes back what was let go. True: the disk's present backend still holds something. */
bool blkfront_lost_find(struct blkfront_disk *disk);
bool blkfront_lost_any(const struct blkfront_disk *disk);
void *blkfront_buffer_alloc(struct block_device *device, size_t bytes);
void blkfront_buffer_free(struct block_device *device, void *buffer, size_t bytes);
/* Index of the page of the disk that holds `p`, or BLKFRONT_NONE. */
uint16_t blkfront_page_of(const struct blkfront_disk *disk, const void *p);
/* A free page, the one freed last; BLKFRONT_NONE. */
uint16_t blkfront_page_take(struct blkfront_disk *disk);
void blkfront_page_free(struct blkfront_disk *disk, uint16_t index);

/* ---- blkfront_build.c: requests of the ring, and their pieces; see also blkfront_build.h ---- */

void blkfront_pieces_init(struct blkfront_disk *disk, uint32_t count);
/* Ends a request of the ring: `error` is what the backend said. */
void blkfront_shadow_end(struct blkfront_queue *queue, uint16_t id, int error);
/* The same when the connection has ended without an answer. */
void blkfront_shadow_drop(struct blkfront_queue *queue, uint16_t id);
void blkfront_piece_free(struct blkfront_disk *disk, uint16_t index);

/* ---- blkfront_pump.c: what goes on the rings next ---- */

/* Puts what waits on the rings, as far as there is room. True: there is more to do now. */
bool blkfront_pump(struct blkfront_disk *disk);

/* ---- blkfront_ring.c ---- */

void blkfront_ring_init(struct blkfront_queue *queue);
bool blkfront_poll(struct loop_source *source, uint32_t budget);
void blkfront_submit(struct block_device *device, struct block_request *const *requests,
		     uint32_t count);
void blkfront_queue_event(void *queue);
/* Pages or pieces are free that no answer has freed: what waits for them may go on. */
void blkfront_pages_came(struct blkfront_disk *disk);
/* For the timer of all disks. */
uint64_t blkfront_reap_next(const struct blkfront_disk *disk);

/* ---- blkfront_recover.c: what becomes of requests ---- */

/* A part, or all, of the request is answered: goes on with it or reports it. */
void blkfront_request_step(struct blkfront_disk *disk, struct block_request *request);
void blkfront_request_report(struct blkfront_disk *disk, struct block_request *request, int error);
/* After a connection: what was under way waits again, in the order of submission. */
void blkfront_requests_recover(struct blkfront_disk *disk);
/* Reports all with `error`. */
void blkfront_requests_fail(struct blkfront_disk *disk, int error);
bool blkfront_is_idle(const struct blkfront_disk *disk);
