/* SPDX-License-Identifier: ISC */
/*
 * What becomes of requests: the steps of one, its report, and how those that an earlier
 * backend did not answer begin again. They are carried out whole once more: what was
 * answered of a request that was not reported is nothing that anybody could rely on.
 */
#include <errno.h>

#include "drivers/blkfront_internal.h"

void blkfront_request_report(struct blkfront_disk *disk, struct block_request *request, int error)
{
	struct block_stats *stats = &disk->device.stats;

	list_remove(&request->own.link);
	if (disk->barrier == request)
		disk->barrier = NULL;
	stats->requests[request->op]++;
	stats->bytes[request->op] += request->count * disk->device.geometry.sector_bytes;
	stats->errors += error != 0;
	stats->waiting--;
	if (!error && request->op != BLOCK_READ && request->op != BLOCK_FLUSH)
		disk->writes++;
	request->done(request, error);
}

/*
 * Only a flush makes a write stable. Linux's backend takes a barrier with data for a
 * flush before it, so a write that must be stable is a write and then a flush, whichever
 * of both operations the backend offers for that.
 */
static bool is_to_be_flushed(const struct blkfront_disk *disk, const struct block_request *request)
{
	if (request->flags & BLOCK_FUA)
		return true;
	return (request->flags & BLOCK_BARRIER) && disk->agreed.flush_operation;
}

void blkfront_request_step(struct blkfront_disk *disk, struct block_request *request)
{
	if (request->own.error && request->own.progress == BLKFRONT_STEP_DATA &&
	    request->own.planned < request->count)
		return; /* it waits to be looked at again, and is not continued then */
	if (request->own.error) {
		blkfront_request_report(disk, request, request->own.error);
		return;
	}
	if (request->own.progress == BLKFRONT_STEP_BEFORE) {
		list_remove(&request->own.link);
		request->own.progress = BLKFRONT_STEP_DATA;
		list_push_front(&disk->waiting, &request->own.link);
		return;
	}
	if (request->own.planned < request->count)
		return;
	if (request->own.progress == BLKFRONT_STEP_DATA && request->op == BLOCK_WRITE &&
	    (request->flags & (BLOCK_FUA | BLOCK_BARRIER)) && is_to_be_flushed(disk, request)) {
		list_remove(&request->own.link);
		request->own.progress = BLKFRONT_STEP_FLUSH;
		list_push_back(&disk->flushing, &request->own.link);
		return;
	}
	blkfront_request_report(disk, request, 0);
}

/* ---- again ---- */

/* From behind, for most come in order. */
static void insert_in_order(struct list *list, struct block_request *request)
{
	struct list *after = list->prev;

	while (after != list &&
	       list_entry(after, struct block_request, own.link)->own.number > request->own.number)
		after = after->prev;
	list_push_front(after, &request->own.link);
}

static void all_in_order(struct blkfront_disk *disk, struct list *all)
{
	struct list *const lists[] = { &disk->running, &disk->flushing, &disk->waiting };
	struct list *link;

	list_init(all);
	for (uint32_t i = 0; i < ARRAY_SIZE(lists); i++)
		while ((link = list_pop_front(lists[i])))
			insert_in_order(all, list_entry(link, struct block_request, own.link));
}

/* No backend works on them any more: their pages are home, or lost. */
static void shadows_end(struct blkfront_disk *disk)
{
	for (uint32_t i = 0; i < disk->agreed.queues; i++) {
		struct blkfront_queue *queue = &disk->queues[i];

		for (uint32_t id = 0; queue->shadows && id < queue->ring.slots; id++)
			if (queue->shadows[id].under_way)
				blkfront_shadow_drop(queue, (uint16_t)id);
	}
}

static void request_again(struct blkfront_disk *disk, struct block_request *request)
{
	bool begun = request->own.planned || request->own.progress != BLKFRONT_STEP_DATA;

	list_push_back(&disk->waiting, &request->own.link);
	if (begun)
		disk->device.stats.reissued++;
	request->own.planned = 0;
	request->own.progress = BLKFRONT_STEP_DATA;
}

void blkfront_requests_recover(struct blkfront_disk *disk)
{
	struct list all, failed;
	struct list *link;

	shadows_end(disk);
	all_in_order(disk, &all);
	list_init(&failed);
	disk->barrier = NULL;
	while ((link = list_pop_front(&all))) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		if (request->own.error)
			list_push_back(&failed, link);
		else
			request_again(disk, request);
	}
	/* Only now: who is told of one may submit others. */
	while ((link = list_pop_front(&failed))) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		blkfront_request_report(disk, request, request->own.error);
	}
}

void blkfront_requests_fail(struct blkfront_disk *disk, int error)
{
	struct list *link;

	blkfront_requests_recover(disk);
	/* Who is told may submit no more, or only to a device that is there. */
	while ((link = list_pop_front(&disk->waiting))) {
		struct block_request *request = list_entry(link, struct block_request, own.link);

		blkfront_request_report(disk, request, error);
	}
}

bool blkfront_is_idle(const struct blkfront_disk *disk)
{
	return list_is_empty(&disk->waiting) && list_is_empty(&disk->running) &&
	       list_is_empty(&disk->flushing);
}
