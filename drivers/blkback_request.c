/* SPDX-License-Identifier: ISC */
#include "drivers/blkback_request.h"

const struct blkback_features blkback_all_features = {
	.max_queues = 4,
	.ring_order = BLKIF_RING_ORDER_MOST,
	.indirect_segments = BLKBACK_INDIRECT_SEGMENTS,
	.persistent = true,
	.flush = true,
	.barrier = true,
	.discard = true,
};

void blkback_job_refuse(struct blkback_job *job, int16_t status)
{
	job->action = BLKBACK_NOTHING;
	job->status = status;
}

/* ---- what it asks for ---- */

static void data_read(struct blkback_job *job, const union blkif_slot *slot,
		      enum blkback_action action)
{
	const struct blkif_request *request = &slot->request;

	job->action = action;
	job->sector = request->sector_number;
	job->segment_count = request->nr_segments;
	if (request->nr_segments == 0 || request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		blkback_job_refuse(job, BLKIF_RSP_ERROR);
		return;
	}
	for (uint32_t i = 0; i < request->nr_segments; i++)
		job->direct[i] = request->seg[i];
	job->segments = job->direct;
}

/* A flush or a barrier; Linux's backend writes what comes with either, and so do we. */
static void ordered_read(struct blkback_job *job, const union blkif_slot *slot, bool offered)
{
	job->ordered = true;
	if (!offered)
		blkback_job_refuse(job, BLKIF_RSP_EOPNOTSUPP);
	else if (slot->request.nr_segments)
		data_read(job, slot, BLKBACK_WRITE);
}

static void discard_read(struct blkback_job *job, const union blkif_slot *slot, bool offered)
{
	job->ordered = true;
	if (!offered) {
		blkback_job_refuse(job, BLKIF_RSP_EOPNOTSUPP);
		return;
	}
	job->action = BLKBACK_ZERO;
	job->sector = slot->discard.sector_number;
	job->sectors = slot->discard.nr_sectors;
}

static void indirect_read(struct blkback_job *job, const union blkif_slot *slot, uint32_t most)
{
	const struct blkif_request_indirect *request = &slot->indirect;

	if (!most) {
		blkback_job_refuse(job, BLKIF_RSP_EOPNOTSUPP);
		return;
	}
	/* The frontend asks for an answer to what it does, not to how it is described. */
	job->operation = request->indirect_op;
	job->sector = request->sector_number;
	job->segment_count = request->nr_segments;
	job->descriptors = request->indirect_grefs[0];
	job->indirect = true;
	job->action = request->indirect_op == BLKIF_OP_READ ? BLKBACK_READ : BLKBACK_WRITE;
	if (request->indirect_op != BLKIF_OP_READ && request->indirect_op != BLKIF_OP_WRITE)
		blkback_job_refuse(job, BLKIF_RSP_ERROR);
	if (request->nr_segments == 0 || request->nr_segments > most)
		blkback_job_refuse(job, BLKIF_RSP_ERROR);
}

void blkback_job_read(struct blkback_job *job, const union blkif_slot *slot,
		      const struct blkback_limits *limits)
{
	const struct blkback_features *features = &limits->features;

	job->id = slot->request.id;
	job->operation = slot->request.operation;
	job->status = BLKIF_RSP_OKAY;
	job->action = BLKBACK_NOTHING;
	job->ordered = false;
	job->indirect = false;
	job->sector = 0;
	job->sectors = 0;
	job->segment_count = 0;
	job->segments = NULL;
	switch (slot->request.operation) {
	case BLKIF_OP_READ:
		data_read(job, slot, BLKBACK_READ);
		break;
	case BLKIF_OP_WRITE:
		data_read(job, slot, BLKBACK_WRITE);
		break;
	case BLKIF_OP_WRITE_BARRIER:
		ordered_read(job, slot, features->barrier);
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		ordered_read(job, slot, features->flush);
		break;
	case BLKIF_OP_DISCARD:
		discard_read(job, slot, features->discard);
		break;
	case BLKIF_OP_INDIRECT:
		indirect_read(job, slot, features->indirect_segments);
		break;
	default:
		blkback_job_refuse(job, BLKIF_RSP_EOPNOTSUPP);
	}
}

/* ---- whether it may have it ---- */

/* The sectors that the segments hold together; 0: one of them is impossible. */
static uint64_t segments_sum(const struct blkback_job *job)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < job->segment_count; i++) {
		const struct blkif_request_segment *segment = &job->segments[i];

		if (segment->first_sect > segment->last_sect ||
		    segment->last_sect >= BLKBACK_PAGE_SECTORS)
			return 0;
		sum += segment->last_sect - segment->first_sect + 1u;
	}
	return sum;
}

static bool range_is_good(const struct blkback_job *job, const struct blkback_limits *limits)
{
	return job->sectors && job->sectors <= limits->sectors &&
	       job->sector <= limits->sectors - job->sectors &&
	       (job->sector | job->sectors) % limits->unit == 0;
}

/* Only of a good range, which cannot overflow. */
static bool range_fails(const struct blkback_job *job, const struct blkback_limits *limits)
{
	return limits->fail_count && job->sector < limits->fail_first + limits->fail_count &&
	       limits->fail_first < job->sector + job->sectors;
}

void blkback_job_check(struct blkback_job *job, const struct blkback_limits *limits)
{
	if (job->action == BLKBACK_NOTHING)
		return;
	if (job->action != BLKBACK_ZERO)
		job->sectors = segments_sum(job);
	if ((job->action != BLKBACK_READ && limits->read_only) || !range_is_good(job, limits) ||
	    range_fails(job, limits))
		blkback_job_refuse(job, BLKIF_RSP_ERROR);
}
