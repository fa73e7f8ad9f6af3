/* SPDX-License-Identifier: ISC */
/*
 * From a client's ring to the disk's memory and back. The requests of a poll are copied out
 * and checked first; their sectors then move in one batch of grant copies, or through the
 * pages that the client lets us keep; then all of them are answered and the client is told
 * once.
 *
 * Requests are carried out in the order in which they came, but copies wait for their batch
 * while kept pages are read and written at once. So the batch ends before and after whatever
 * has to be ordered: a barrier, a flush or a discard. There is no cache behind the disk, and
 * a flush has nothing else to do.
 */
#include <string.h>

#include "drivers/blkback_internal.h"
#include "lib/minmax.h"

#define OPS_MOST 256u
/* Segments of one poll on average: 512 KiB. The last request may be larger, once in a while. */
#define POLL_SEGMENTS 128u
#define POLL_ZERO_BYTES (1u << 20)
#define DESCRIPTOR_BYTES (BLKBACK_INDIRECT_SEGMENTS * sizeof(struct blkif_request_segment))
_Static_assert(DESCRIPTOR_BYTES * 2 == BLKIF_PAGE_BYTES, "descriptors never cross a page");

/* Scratch of one poll; polls of different queues never overlap. */
static struct blkback_job jobs[LOOP_BUDGET];
static uint32_t job_count;
static uint32_t indirect_count;
static struct gnttab_copy ops[OPS_MOST];
static struct blkback_job *op_jobs[OPS_MOST];
static uint32_t op_count;

/* ---- copies ---- */

/* A copy that fails spoils its request, which may have copies still to be planned. */
static void ops_run(void)
{
	if (op_count)
		gnttab_copy(ops, op_count);
	for (uint32_t i = 0; i < op_count; i++)
		if (ops[i].status != GNTST_okay)
			op_jobs[i]->status = BLKIF_RSP_ERROR;
	op_count = 0;
}

static struct gnttab_copy *op_add(struct blkback_job *job, uint32_t bytes)
{
	struct gnttab_copy *op;

	if (op_count == OPS_MOST)
		ops_run();
	op_jobs[op_count] = job;
	op = &ops[op_count++];
	op->len = (uint16_t)bytes;
	op->status = GNTST_general_error;
	return op;
}

/* Between `offset` in the client's page and our memory; neither side crosses a page. */
static void op_plan(const struct blkback_vbd *vbd, struct blkback_job *job, uint32_t gref,
		    uint32_t offset, uint8_t *ours, uint32_t bytes, bool to_client)
{
	struct gnttab_copy *op = op_add(job, bytes);
	uint64_t frame = gnttab_frame_of(ours);
	uint16_t our_offset = (uint16_t)((uintptr_t)ours % BLKIF_PAGE_BYTES);

	op->flags = to_client ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	if (to_client) {
		op->source.u.gmfn = frame;
		op->source.domid = DOMID_SELF;
		op->source.offset = our_offset;
		op->dest.u.ref = gref;
		op->dest.domid = vbd->domid;
		op->dest.offset = (uint16_t)offset;
	} else {
		op->source.u.ref = gref;
		op->source.domid = vbd->domid;
		op->source.offset = (uint16_t)offset;
		op->dest.u.gmfn = frame;
		op->dest.domid = DOMID_SELF;
		op->dest.offset = our_offset;
	}
}

/* ---- taking requests ---- */

static int64_t requests_waiting(const struct blkback_queue *queue)
{
	const struct blkif_sring *shared = blkif_ring_shared(&queue->ring);
	int64_t waiting =
		ring_pending(read_once(shared->req_prod), queue->consumed, queue->ring.slots);

	read_barrier();
	return waiting;
}

/* The segments of an indirect request come into memory that the client cannot change. */
static void descriptors_fetch(const struct blkback_vbd *vbd, struct blkback_job *job)
{
	uint8_t *place = blkback.descriptors + indirect_count++ * DESCRIPTOR_BYTES;
	uint32_t bytes = job->segment_count * (uint32_t)sizeof(struct blkif_request_segment);

	job->segments = (const struct blkif_request_segment *)(void *)place;
	op_plan(vbd, job, job->descriptors, 0, place, bytes, false);
}

/* Takes up to `waiting` requests, while `segments` last. A discard is the last one of a poll. */
static void requests_take(struct blkback_queue *queue, uint32_t waiting, uint32_t segments,
			  const struct blkback_limits *limits)
{
	uint32_t taken = 0;
	bool last = false;

	while (job_count < waiting && taken < segments && !last) {
		struct blkback_job *job = &jobs[job_count++];
		union blkif_slot slot;

		blkif_ring_read(&queue->ring, queue->consumed++, &slot, sizeof(slot));
		blkback_job_read(job, &slot, limits);
		if (job->action != BLKBACK_NOTHING)
			taken += job->segment_count;
		last = job->action == BLKBACK_ZERO;
		if (job->indirect && job->action != BLKBACK_NOTHING) {
			descriptors_fetch(queue->vbd, job);
			last = indirect_count == BLKBACK_INDIRECT_MOST;
		}
	}
	queue->owed += taken - min32(taken, segments);
	ops_run();
}

/* ---- carrying them out ---- */

static void segment_move(struct blkback_vbd *vbd, struct blkback_job *job,
			 const struct blkif_request_segment *segment, uint8_t *ours, uint32_t bytes)
{
	uint32_t offset = segment->first_sect * BLKIF_SECTOR_BYTES;
	bool to_client = job->action == BLKBACK_READ;
	uint32_t first =
		min32(bytes, (uint32_t)(BLKIF_PAGE_BYTES - (uintptr_t)ours % BLKIF_PAGE_BYTES));
	uint8_t *kept = blkback_cache_find(vbd, segment->gref);

	if (kept) {
		vbd->counters.kept_hits++;
		memcpy(to_client ? kept + offset : ours, to_client ? ours : kept + offset, bytes);
		return;
	}
	vbd->counters.copies++;
	op_plan(vbd, job, segment->gref, offset, ours, first, to_client);
	if (first < bytes)
		op_plan(vbd, job, segment->gref, offset + first, ours + first, bytes - first,
			to_client);
}

static void data_move(struct blkback_vbd *vbd, struct blkback_job *job)
{
	uint8_t *ours = vbd->disk->memory + job->sector * BLKIF_SECTOR_BYTES;

	for (uint32_t i = 0; i < job->segment_count; i++) {
		const struct blkif_request_segment *segment = &job->segments[i];
		uint32_t bytes =
			(segment->last_sect - segment->first_sect + 1u) * BLKIF_SECTOR_BYTES;

		segment_move(vbd, job, segment, ours, bytes);
		ours += bytes;
	}
}

/* Begins a discard, which goes on in the next polls, and is answered in one of them. */
static void zero_begin(struct blkback_queue *queue, struct blkback_job *job)
{
	queue->discard = *job;
	queue->zeroing = true;
	job_count--;
}

static void job_run(struct blkback_queue *queue, struct blkback_job *job,
		    const struct blkback_limits *limits)
{
	if (job->ordered)
		ops_run();
	if (job->status == BLKIF_RSP_OKAY)
		blkback_job_check(job, limits);
	if (job->status == BLKIF_RSP_OKAY && job->action == BLKBACK_ZERO)
		zero_begin(queue, job);
	else if (job->status == BLKIF_RSP_OKAY && job->action != BLKBACK_NOTHING)
		data_move(queue->vbd, job);
	if (job->ordered)
		ops_run();
}

static void jobs_run(struct blkback_queue *queue, const struct blkback_limits *limits)
{
	uint32_t count = job_count;

	for (uint32_t i = 0; i < count; i++)
		job_run(queue, &jobs[i], limits);
	ops_run();
}

/* ---- answers ---- */

static void job_count_in(struct blkback_counters *counters, const struct blkback_job *job)
{
	uint64_t bytes = job->sectors * BLKIF_SECTOR_BYTES;

	if (job->status != BLKIF_RSP_OKAY) {
		counters->errors++;
		return;
	}
	if (job->action == BLKBACK_READ) {
		counters->reads++;
		counters->read_bytes += bytes;
	} else if (job->action == BLKBACK_WRITE) {
		counters->writes++;
		counters->written_bytes += bytes;
	} else if (job->action == BLKBACK_ZERO) {
		counters->discards++;
	}
	counters->flushes += job->operation == BLKIF_OP_FLUSH_DISKCACHE;
}

/* The whole response is written, and nothing of ours but the response. */
static void answer_write(struct blkback_queue *queue, const struct blkback_job *job)
{
	struct blkif_response response;

	memset(&response, 0, sizeof(response));
	response.id = job->id;
	response.operation = job->operation;
	response.status = job->status;
	blkif_ring_write(&queue->ring, queue->answered++, &response, sizeof(response));
	job_count_in(&queue->vbd->counters, job);
}

/* What was written since `old` is shown to the client, which is woken if it asked for that. */
static void answers_publish(struct blkback_queue *queue, uint32_t old)
{
	struct blkif_sring *shared = blkif_ring_shared(&queue->ring);

	if (old == queue->answered)
		return;
	write_barrier();
	write_once(shared->rsp_prod, queue->answered);
	memory_barrier();
	if (ring_notify_needed(old, queue->answered, read_once(shared->rsp_event))) {
		evtchn_notify(queue->port);
		queue->vbd->counters.notifies++;
	}
}

/* ---- a poll ---- */

/* The queues share what a client may have: its part of the CPU does not grow with them. */
static uint32_t share_of(const struct blkback_vbd *vbd, uint32_t budget)
{
	return (budget + vbd->queue_count - 1) / vbd->queue_count;
}

/* What is left of its share in this poll, after what the last request of an earlier one took. */
static uint32_t segments_left(struct blkback_queue *queue)
{
	uint32_t share = share_of(queue->vbd, POLL_SEGMENTS);
	uint32_t paid = min32(queue->owed, share);

	queue->owed -= paid;
	return share - paid;
}

/* A part of the discard under way. True: it is done, and answered. */
static bool zero_step(struct blkback_queue *queue)
{
	struct blkback_job *job = &queue->discard;
	uint64_t sectors =
		min64(job->sectors, share_of(queue->vbd, POLL_ZERO_BYTES / BLKIF_SECTOR_BYTES));
	uint32_t old = queue->answered;

	memset(queue->vbd->disk->memory + job->sector * BLKIF_SECTOR_BYTES, 0,
	       (size_t)(sectors * BLKIF_SECTOR_BYTES));
	job->sector += sectors;
	job->sectors -= sectors;
	if (job->sectors)
		return false;
	queue->zeroing = false;
	answer_write(queue, job);
	answers_publish(queue, old);
	return true;
}

bool blkback_ring_poll(struct blkback_queue *queue, uint32_t budget)
{
	struct blkback_vbd *vbd = queue->vbd;
	uint32_t old = queue->answered;
	struct blkback_limits limits;
	uint32_t segments;
	int64_t waiting;

	if (queue->zeroing)
		return !zero_step(queue) || requests_waiting(queue) != 0;
	waiting = requests_waiting(queue);
	if (waiting < 0) {
		blkback_vbd_break(vbd, "impossible requests");
		return false;
	}
	segments = segments_left(queue);
	if (waiting && !segments)
		return true;
	blkback_vbd_limits(vbd, &limits);
	job_count = 0;
	indirect_count = 0;
	budget = min32(share_of(vbd, budget), LOOP_BUDGET);
	requests_take(queue, min32((uint32_t)waiting, budget), segments, &limits);
	waiting -= job_count;
	jobs_run(queue, &limits);
	for (uint32_t i = 0; i < job_count; i++)
		answer_write(queue, &jobs[i]);
	answers_publish(queue, old);
	return waiting > 0 || queue->zeroing;
}

bool blkback_ring_arm(struct blkback_queue *queue)
{
	struct blkif_sring *shared = blkif_ring_shared(&queue->ring);

	write_once(shared->req_event, queue->consumed + 1);
	memory_barrier();
	return requests_waiting(queue) != 0;
}
