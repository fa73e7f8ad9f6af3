/* SPDX-License-Identifier: ISC */
/*
 * Requests of the ring: made out of pieces, and taken apart when they are answered. Each
 * has a list of pieces that says whose bytes it moves and which pages it holds.
 *
 * A page of the disk's own that the backend may use holds data of this disk alone, or
 * zeroes, so what is beside the bytes of a request is nothing that it may not see (XSA-403).
 */
#include "drivers/blkfront_build.h"

#include <errno.h>
#include <string.h>

#include "lib/minmax.h"

/* Bytes that one request of the ring copies. */
#define BUILD_COPY_BYTES (1u << 20)
/* Xen lets nobody map one grant more than 127 times at once. */
#define GREF_USES_MOST 64u

/* ---- pieces ---- */

void blkfront_pieces_init(struct blkfront_disk *disk, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		disk->pieces[i].next = (uint16_t)(i + 1 < count ? i + 1 : BLKFRONT_NONE);
	disk->free_piece = 0;
	disk->kept_loans = BLKFRONT_NONE;
}

void blkfront_piece_free(struct blkfront_disk *disk, uint16_t index)
{
	disk->pieces[index].next = disk->free_piece;
	disk->free_piece = index;
}

bool blkfront_build_has_room(const struct blkfront_disk *disk)
{
	return disk->free_piece != BLKFRONT_NONE &&
	       disk->pieces[disk->free_piece].next != BLKFRONT_NONE;
}

/* The caller knows that there is one. */
static struct blkfront_piece *piece_add(struct blkfront_build *build, uint8_t kind,
					struct block_request *request, uint16_t page)
{
	struct blkfront_disk *disk = build->disk;
	uint16_t index = disk->free_piece;
	struct blkfront_piece *piece = &disk->pieces[index];

	disk->free_piece = piece->next;
	piece->request = request;
	piece->kind = kind;
	piece->page = page;
	piece->next = BLKFRONT_NONE;
	if (build->tail == BLKFRONT_NONE)
		build->first = index;
	else
		disk->pieces[build->tail].next = index;
	build->tail = index;
	if (request)
		request->own.parts++;
	return piece;
}

static uint32_t page_gref(const struct blkfront_disk *disk, uint16_t page)
{
	return disk->pages[page].page->gref;
}

/* ---- segments ---- */

/* A page for further descriptors; the first takes those that stood in the slot. */
static bool table_add(struct blkfront_build *build)
{
	uint16_t page = blkfront_page_take(build->disk);

	if (page == BLKFRONT_NONE)
		return false;
	(void)piece_add(build, BLKFRONT_PIECE_TABLE, NULL, page);
	if (build->segments < BLKIF_INDIRECT_PER_PAGE)
		memset(build->tables, 0, sizeof(build->tables));
	build->table = (struct blkif_request_segment *)(void *)build->disk->pages[page].page->data;
	build->tables[build->segments / BLKIF_INDIRECT_PER_PAGE] = page_gref(build->disk, page);
	if (build->segments < BLKIF_INDIRECT_PER_PAGE)
		memcpy(build->table, build->slot.request.seg,
		       build->segments * sizeof(build->table[0]));
	return true;
}

/* Where the next segment goes; NULL: nowhere. */
static struct blkif_request_segment *segment_place(struct blkfront_build *build)
{
	uint32_t n = build->segments;

	if (n >= build->limit)
		return NULL;
	if (n < BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return &build->slot.request.seg[n];
	if ((n == BLKIF_MAX_SEGMENTS_PER_REQUEST || n % BLKIF_INDIRECT_PER_PAGE == 0) &&
	    !table_add(build))
		return NULL;
	return &build->table[n % BLKIF_INDIRECT_PER_PAGE];
}

/* The whole of it, for what lies between its fields is the backend's to read too (XSA-216). */
static void last_write(struct blkfront_build *build)
{
	const struct blkif_request_segment *last = &build->last;
	uint64_t whole =
		last->gref | (uint64_t)last->first_sect << 32 | (uint64_t)last->last_sect << 40;

	_Static_assert(offsetof(struct blkif_request_segment, first_sect) == 4 &&
			       offsetof(struct blkif_request_segment, last_sect) == 5,
		       "a segment as one number");
	memcpy(build->last_at, &whole, sizeof(whole));
}

static void segment_put(struct blkfront_build *build, struct blkif_request_segment *place,
			uint32_t gref, uint32_t offset, uint32_t bytes)
{
	build->last_at = place;
	build->last = (struct blkif_request_segment){
		.gref = gref,
		.first_sect = (uint8_t)(offset / BLKIF_SECTOR_BYTES),
		.last_sect = (uint8_t)((offset + bytes) / BLKIF_SECTOR_BYTES - 1)
	};
	last_write(build);
	build->segments++;
}

static bool segment_add(struct blkfront_build *build, uint32_t gref, uint32_t offset,
			uint32_t bytes)
{
	struct blkif_request_segment *place = segment_place(build);

	if (place)
		segment_put(build, place, gref, offset, bytes);
	return place != NULL;
}

static void segment_extend(struct blkfront_build *build, uint32_t bytes)
{
	build->last.last_sect = (uint8_t)(build->last.last_sect + bytes / BLKIF_SECTOR_BYTES);
	last_write(build);
}

/* True when bytes from `offset` of the page follow the last segment within it. */
static bool segment_continues(const struct blkfront_build *build, uint32_t gref, uint32_t offset)
{
	return build->segments && build->last.gref == gref && offset &&
	       (build->last.last_sect + 1u) * BLKIF_SECTOR_BYTES == offset;
}

/* ---- the three ways, and zeroes: each true, or false when there is no room ---- */

static bool bounce_begin(struct blkfront_build *build, struct blkif_request_segment *place,
			 uint32_t bytes, uint16_t *page)
{
	struct blkfront_disk *disk = build->disk;

	*page = place ? blkfront_page_take(disk) : BLKFRONT_NONE;
	if (*page == BLKFRONT_NONE)
		return false;
	segment_put(build, place, page_gref(disk, *page), 0, bytes);
	build->fill = disk->pages[*page].page->data;
	build->fill_used = 0;
	return true;
}

/* Bytes that the last segment has room for, in a page that they begin or that others have begun. */
static uint32_t bounce_fill(struct blkfront_build *build, struct block_request *request,
			    uint8_t *data, uint32_t bytes, uint16_t page)
{
	struct blkfront_piece *piece = piece_add(build, BLKFRONT_PIECE_BOUNCE, request, page);

	piece->memory = data;
	piece->bounce = build->fill + build->fill_used;
	piece->bytes = bytes;
	build->fill_used += bytes;
	build->copied += bytes;
	if (build->span.write)
		memcpy(piece->bounce, data, bytes);
	return bytes;
}

static uint32_t bounce_add(struct blkfront_build *build, struct block_request *request,
			   uint8_t *data, uint32_t bytes)
{
	uint16_t page = BLKFRONT_NONE;

	if (build->copied >= BUILD_COPY_BYTES)
		return 0;
	if (build->fill && build->fill_used < BLKIF_PAGE_BYTES) {
		bytes = min32(bytes, BLKIF_PAGE_BYTES - build->fill_used);
		segment_extend(build, bytes);
	} else if (!bounce_begin(build, segment_place(build), bytes, &page)) {
		return 0;
	}
	return bounce_fill(build, request, data, bytes, page);
}

/*
 * A backend that keeps grants takes each once at a time, so each segment has a page of
 * its own; to others one page of zeroes can be shown as often as Xen lets them map it.
 */
static uint32_t zeroes_add(struct blkfront_build *build, struct block_request *request,
			   uint32_t bytes)
{
	struct blkfront_disk *disk = build->disk;
	struct blkfront_piece *piece;
	uint16_t page;

	if (build->copied >= BUILD_COPY_BYTES)
		return 0;
	build->copied += bytes;
	if (build->zero_gref != IOPAGE_NO_GREF && build->zero_uses++ < GREF_USES_MOST &&
	    disk->pieces[build->tail].request == request)
		return segment_add(build, build->zero_gref, 0, bytes) ? bytes : 0;
	if (!bounce_begin(build, segment_place(build), bytes, &page))
		return 0;
	memset(build->fill, 0, BLKIF_PAGE_BYTES);
	piece = piece_add(build, BLKFRONT_PIECE_BOUNCE, request, page);
	piece->memory = NULL;
	if (!disk->agreed.persistent)
		build->zero_gref = page_gref(disk, page);
	build->zero_uses = 1;
	build->fill = NULL;
	return bytes;
}

static bool own_continues(const struct blkfront_piece *piece, const struct block_request *request,
			  const uint8_t *data)
{
	return piece->request == request && piece->kind == BLKFRONT_PIECE_OWN &&
	       piece->memory + piece->bytes == data;
}

static uint32_t own_add(struct blkfront_build *build, struct block_request *request, uint8_t *data,
			uint16_t page, uint32_t bytes)
{
	struct blkfront_disk *disk = build->disk;
	struct blkfront_piece *piece;
	uint16_t tail = build->tail;
	uint32_t offset = (uint32_t)((uintptr_t)data % BLKIF_PAGE_BYTES);

	if (segment_continues(build, page_gref(disk, page), offset))
		segment_extend(build, bytes);
	else if (!segment_add(build, page_gref(disk, page), offset, bytes))
		return 0;
	build->fill = NULL;
	disk->pages[page].users++;
	/* A page of descriptors may have come between; then it is another piece. */
	if (tail != BLKFRONT_NONE && build->tail == tail &&
	    own_continues(&disk->pieces[tail], request, data)) {
		disk->pieces[tail].bytes += bytes;
		return bytes;
	}
	piece = piece_add(build, BLKFRONT_PIECE_OWN, request, BLKFRONT_NONE);
	piece->memory = data;
	piece->bytes = bytes;
	return bytes;
}

/* With a full table of grants nobody would come back to it. */
static uint32_t loan_refused(struct blkfront_build *build, struct blkif_request_segment *place,
			     struct block_request *request, uint8_t *data)
{
	uint16_t page;

	if (build->copied >= BUILD_COPY_BYTES ||
	    !bounce_begin(build, place, BLKIF_PAGE_BYTES, &page))
		return 0;
	return bounce_fill(build, request, data, BLKIF_PAGE_BYTES, page);
}

/*
 * Lent when nothing else can be missing: a backend can find a grant that it was not told of,
 * and keep it when that is taken back; the request would not know.
 */
static uint32_t loan_add(struct blkfront_build *build, struct block_request *request, uint8_t *data)
{
	struct blkfront_disk *disk = build->disk;
	struct blkif_request_segment *place = segment_place(build);
	struct blkfront_piece *piece;
	int64_t gref;

	if (!place)
		return 0;
	gref = gnttab_grant_access(disk->backend_id, gnttab_frame_of(data), build->span.write);
	if (gref < 0)
		return loan_refused(build, place, request, data);
	segment_put(build, place, (uint32_t)gref, 0, BLKIF_PAGE_BYTES);
	build->fill = NULL;
	piece = piece_add(build, BLKFRONT_PIECE_LOAN, request, BLKFRONT_NONE);
	disk->loans++;
	piece->memory = data;
	piece->bytes = BLKIF_PAGE_BYTES;
	piece->gref = (uint32_t)gref;
	return BLKIF_PAGE_BYTES;
}

/* The page of a buffer of the disk's own that can be used in place, or BLKFRONT_NONE. */
static uint16_t own_page(const struct blkfront_build *build, const uint8_t *data)
{
	struct blkfront_disk *disk = build->disk;
	uint16_t index = blkfront_page_of(disk, data);
	const struct blkfront_page *page;

	if (index == BLKFRONT_NONE)
		return index;
	page = &disk->pages[index];
	if (page->use != BLKFRONT_PAGE_BUFFER || page->lost || page->users >= GREF_USES_MOST)
		return BLKFRONT_NONE;
	/* A backend that keeps grants takes each once at a time. */
	if (disk->agreed.persistent && page->users &&
	    !segment_continues(build, page->page->gref,
			       (uint32_t)((uintptr_t)data % BLKIF_PAGE_BYTES)))
		return BLKFRONT_NONE;
	return index;
}

/* Bytes of the request from `data` that found room; 0: none. */
static uint32_t stretch_add(struct blkfront_build *build, struct block_request *request,
			    uint8_t *data, uint64_t left)
{
	struct blkfront_disk *disk = build->disk;
	struct blkfront_memory memory = { .data = data,
					  .bytes = left,
					  .sector_bytes = build->span.sector_bytes };
	struct blkfront_stretch stretch;
	uint16_t page;

	if (!blkfront_build_has_room(disk))
		return 0;
	if (!data)
		return zeroes_add(build, request, (uint32_t)min64(left, BLKIF_PAGE_BYTES));
	page = own_page(build, data);
	memory.own = page != BLKFRONT_NONE;
	memory.loans = disk->agreed.loans && disk->loans < disk->loans_most &&
		       blkfront_page_of(disk, data) == BLKFRONT_NONE;
	stretch = blkfront_plan_stretch(&memory);
	switch (stretch.way) {
	case BLKFRONT_OWN:
		return own_add(build, request, data, page, stretch.bytes);
	case BLKFRONT_LOAN:
		return loan_add(build, request, data);
	case BLKFRONT_BOUNCE:
	default:
		return bounce_add(build, request, data, stretch.bytes);
	}
}

bool blkfront_build_add(struct blkfront_build *build, struct block_request *request)
{
	uint32_t sector_bytes = build->span.sector_bytes;

	while (request->own.planned < request->count) {
		uint64_t done = request->own.planned * sector_bytes;
		uint32_t bytes =
			stretch_add(build, request, request->data ? request->data + done : NULL,
				    request->count * sector_bytes - done);

		if (!bytes)
			return false;
		request->own.planned += bytes / sector_bytes;
		build->span.count += bytes / sector_bytes;
	}
	return true;
}

void blkfront_build_begin(struct blkfront_build *build, struct blkfront_disk *disk)
{
	build->disk = disk;
	build->first = BLKFRONT_NONE;
	build->tail = BLKFRONT_NONE;
	build->limit = disk->agreed.segments;
	build->segments = 0;
	build->copied = 0;
	build->fill = NULL;
	build->zero_gref = IOPAGE_NO_GREF;
	memset(&build->slot, 0, BLKFRONT_SEGMENT_OFFSET);
}

struct blkfront_piece *blkfront_build_plain(struct blkfront_build *build,
					    struct block_request *request)
{
	return piece_add(build, BLKFRONT_PIECE_PLAIN, request, BLKFRONT_NONE);
}

/* ---- off the ring ---- */

static void users_leave(struct blkfront_disk *disk, const struct blkfront_piece *piece)
{
	uint32_t first = blkfront_page_of(disk, piece->memory);
	uint32_t last = blkfront_page_of(disk, piece->memory + piece->bytes - 1);

	for (uint32_t i = first; i <= last; i++)
		disk->pages[i].users--;
}

/* The memory is the backend's until it lets go, and the piece remembers it. */
static int loan_end(struct blkfront_disk *disk, uint16_t index)
{
	struct blkfront_piece *piece = &disk->pieces[index];

	if (piece->gref == IOPAGE_NO_GREF || gnttab_end_access(piece->gref) == 0) {
		disk->loans--;
		return 0;
	}
	piece->domid = disk->backend_id;
	piece->next = disk->kept_loans;
	disk->kept_loans = index;
	disk->agreed.loans = false;
	disk->loan_kept = true;
	return -EBUSY;
}

static int piece_end(struct blkfront_disk *disk, uint16_t index)
{
	struct blkfront_piece *piece = &disk->pieces[index];

	switch (piece->kind) {
	case BLKFRONT_PIECE_OWN:
		users_leave(disk, piece);
		break;
	case BLKFRONT_PIECE_LOAN:
		return loan_end(disk, index);
	default:
		break;
	}
	if (piece->page != BLKFRONT_NONE)
		blkfront_page_free(disk, piece->page);
	return 0;
}

/*
 * All of them before the first page is given back: several requests may share one, and
 * who is told of his may take it as a buffer at once.
 */
static void bounces_read(struct blkfront_disk *disk, uint16_t index)
{
	for (; index != BLKFRONT_NONE; index = disk->pieces[index].next) {
		const struct blkfront_piece *piece = &disk->pieces[index];

		if (piece->kind != BLKFRONT_PIECE_BOUNCE)
			continue;
		memcpy(piece->memory, piece->bounce, piece->bytes);
		disk->copied += piece->bytes;
	}
}

void blkfront_shadow_end(struct blkfront_queue *queue, uint16_t id, int error)
{
	struct blkfront_disk *disk = queue->disk;
	struct blkfront_shadow *shadow = &queue->shadows[id];
	uint16_t index = shadow->first;

	shadow->under_way = false;
	queue->ids[queue->id_count++] = id;
	disk->under_way--;
	if (!error && shadow->operation == BLKIF_OP_READ)
		bounces_read(disk, index);
	while (index != BLKFRONT_NONE) {
		struct blkfront_piece *piece = &disk->pieces[index];
		struct block_request *request = piece->request;
		uint16_t next = piece->next;
		int kept = piece_end(disk, index);

		if (!kept)
			blkfront_piece_free(disk, index);
		index = next;
		if (!request)
			continue;
		request->own.parts--;
		if (kept || (error && !request->own.error))
			request->own.error = kept ? kept : error;
		if (!request->own.parts)
			blkfront_request_step(disk, request);
	}
}

/* There is no answer, and none will come. */
void blkfront_shadow_drop(struct blkfront_queue *queue, uint16_t id)
{
	struct blkfront_disk *disk = queue->disk;
	struct blkfront_shadow *shadow = &queue->shadows[id];
	uint16_t index = shadow->first;

	shadow->under_way = false;
	disk->under_way--;
	while (index != BLKFRONT_NONE) {
		struct block_request *request = disk->pieces[index].request;
		uint16_t next = disk->pieces[index].next;
		int kept = piece_end(disk, index);

		if (!kept)
			blkfront_piece_free(disk, index);
		if (request) {
			request->own.parts--;
			if (kept)
				request->own.error = kept;
		}
		index = next;
	}
}
