/* SPDX-License-Identifier: ISC */
#include "drivers/blkfront_plan.h"

#include <errno.h>

#include "lib/minmax.h"

static uint32_t to_page_end(const uint8_t *data)
{
	return BLKIF_PAGE_BYTES - (uint32_t)((uintptr_t)data % BLKIF_PAGE_BYTES);
}

struct blkfront_stretch blkfront_plan_stretch(const struct blkfront_memory *memory)
{
	bool aligned = ((uintptr_t)memory->data & (memory->sector_bytes - 1)) == 0;
	uint32_t room = aligned ? to_page_end(memory->data) : BLKIF_PAGE_BYTES;
	uint32_t bytes = (uint32_t)min64(memory->bytes, room);

	if (memory->own && aligned)
		return (struct blkfront_stretch){ BLKFRONT_OWN, bytes };
	if (memory->loans && bytes == BLKIF_PAGE_BYTES && aligned)
		return (struct blkfront_stretch){ BLKFRONT_LOAN, bytes };
	/* Up to where the next page begins, which may go another way. */
	if (memory->own || memory->loans)
		return (struct blkfront_stretch){ BLKFRONT_BOUNCE, bytes };
	return (struct blkfront_stretch){ BLKFRONT_BOUNCE,
					  (uint32_t)min64(memory->bytes, BLKIF_PAGE_BYTES) };
}

bool blkfront_plan_joins(const struct blkfront_span *span, const struct block_request *request)
{
	bool write = request->op == BLOCK_WRITE || request->op == BLOCK_WRITE_ZEROES;

	if (!write && request->op != BLOCK_READ)
		return false;
	if (write != span->write || (request->flags & BLOCK_BARRIER))
		return false;
	return request->sector == span->sector + span->count &&
	       (span->count + request->count) <= BLKFRONT_JOIN_BYTES / span->sector_bytes;
}

uint32_t blkfront_plan_segments(uint64_t offered)
{
	uint64_t most = BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * BLKIF_INDIRECT_PER_PAGE;

	if (offered <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_MAX_SEGMENTS_PER_REQUEST;
	return (uint32_t)min64(offered, most);
}

static bool is_sector_size(uint64_t bytes)
{
	return bytes >= BLOCK_SECTOR_LEAST && bytes <= BLOCK_SECTOR_MOST &&
	       (bytes & (bytes - 1)) == 0;
}

/* What cannot be is a mistake that harms nobody: as if nothing had been said. */
static void discard_learn(const struct blkfront_said *said, struct block_geometry *geometry)
{
	geometry->discard = said->discard;
	geometry->secure_discard = said->discard && said->secure;
	geometry->discard_bytes = geometry->sector_bytes;
	geometry->discard_alignment = 0;
	if (said->discard_bytes >= geometry->sector_bytes && said->discard_bytes <= UINT32_MAX &&
	    said->discard_bytes % geometry->sector_bytes == 0)
		geometry->discard_bytes = (uint32_t)said->discard_bytes;
	if (said->discard_alignment < geometry->discard_bytes)
		geometry->discard_alignment = (uint32_t)said->discard_alignment;
}

int blkfront_plan_geometry(const struct blkfront_said *said, struct block_geometry *geometry)
{
	uint64_t sector_bytes = said->sector_bytes ? said->sector_bytes : BLKIF_SECTOR_BYTES;
	uint64_t physical = said->physical_bytes;

	/* Bytes of the whole disk must have a number, also one behind its end. */
	if (!is_sector_size(sector_bytes) || said->sectors > INT64_MAX / BLKIF_SECTOR_BYTES)
		return -EINVAL;
	*geometry = (struct block_geometry){
		.sectors = said->sectors / (sector_bytes / BLKIF_SECTOR_BYTES),
		.sector_bytes = (uint32_t)sector_bytes,
		.physical_sector_bytes = (uint32_t)sector_bytes,
		.read_only = !said->write_mode || (said->info & VDISK_READONLY),
		.removable = (said->info & VDISK_REMOVABLE) != 0,
		.cdrom = (said->info & VDISK_CDROM) != 0,
		.flush = said->flush || said->barrier,
		.barrier = said->barrier,
	};
	if (physical > sector_bytes && physical <= (1u << 30) && physical % sector_bytes == 0)
		geometry->physical_sector_bytes = (uint32_t)physical;
	discard_learn(said, geometry);
	return 0;
}
