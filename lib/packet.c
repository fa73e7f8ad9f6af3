/* SPDX-License-Identifier: ISC */
#include "lib/packet.h"

#include <errno.h>
#include <string.h>

#include "lib/panic.h"

#define HEADS_PER_PAGE (IOPAGE_SIZE / PACKET_HEAD_BYTES)

int packet_pool_init(struct packet_pool *pool, struct iopage_pool *pages, struct packet *packets,
		     uint32_t count)
{
	struct iopage *page = NULL;

	memset(pool, 0, sizeof(*pool));
	pool->pages = pages;
	pool->packets = packets;
	pool->total = count;
	list_init(&pool->free);
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &packets[i];

		if (i % HEADS_PER_PAGE == 0)
			page = iopage_alloc(pages, IOPAGE_PRIVATE);
		if (!page)
			return -ENOMEM;
		memset(packet, 0, sizeof(*packet));
		packet->pool = pool;
		packet->private_head = page->data + (i % HEADS_PER_PAGE) * PACKET_HEAD_BYTES;
		packet->private_frame = page->frame;
		list_push_back(&pool->free, &packet->link);
		pool->free_count++;
	}
	return 0;
}

struct packet *packet_alloc(struct packet_pool *pool)
{
	struct list *link = list_pop_front(&pool->free);
	struct packet *packet;

	if (!link)
		return NULL;
	packet = list_entry(link, struct packet, link);
	pool->free_count--;
	packet->data = packet->private_head + PACKET_HEADROOM;
	packet->length = 0;
	packet->head_length = 0;
	packet->frag_count = 0;
	packet->flags = 0;
	packet->gso_type = PACKET_GSO_NONE;
	packet->gso_size = 0;
	packet->l3_offset = 0;
	packet->l4_offset = 0;
	packet->in = NULL;
	packet->head_page = NULL;
	return packet;
}

struct packet *packet_alloc_page(struct packet_pool *pool, enum iopage_class class)
{
	struct packet *packet = packet_alloc(pool);

	if (!packet)
		return NULL;
	packet->head_page = iopage_alloc(pool->pages, class);
	if (!packet->head_page) {
		packet_free(packet);
		return NULL;
	}
	packet->data = packet->head_page->data + PACKET_HEADROOM;
	return packet;
}

/* Also what was pulled off the head: it lies between the page's start and the data. */
static void head_scrub(struct packet *packet)
{
	if (packet->head_page)
		iopage_scrub(packet->head_page, 0,
			     (uint32_t)packet_headroom(packet) + packet->head_length);
}

static void frag_scrub(const struct packet_frag *frag)
{
	iopage_scrub(frag->page, frag->offset, frag->length);
}

static void packet_scrub(struct packet *packet)
{
	head_scrub(packet);
	for (unsigned int i = 0; i < packet->frag_count; i++)
		frag_scrub(&packet->frags[i]);
}

void packet_free(struct packet *packet)
{
	if (!packet)
		return;
	if (!packet->data)
		panic("packet_free: packet %p is free already", (void *)packet);
	if (!(packet->flags & PACKET_SENT_UP))
		packet_scrub(packet);
	for (unsigned int i = 0; i < packet->frag_count; i++)
		iopage_free(packet->frags[i].page);
	if (packet->head_page)
		iopage_free(packet->head_page);
	packet->head_page = NULL;
	packet->frag_count = 0;
	packet->data = NULL; /* marks it as free */
	list_push_front(&packet->pool->free, &packet->link);
	packet->pool->free_count++;
}

void packet_drop(struct packet *packet, enum drop_reason reason)
{
	packet->pool->drops[reason]++;
	packet_free(packet);
}

void packet_vector_drop(struct packet_vector *vector, enum drop_reason reason)
{
	for (uint32_t i = 0; i < vector->count; i++)
		packet_drop(vector->packets[i], reason);
	vector->count = 0;
}

static uint8_t *head_start(const struct packet *packet)
{
	return packet->head_page ? packet->head_page->data : packet->private_head;
}

static size_t head_capacity(const struct packet *packet)
{
	return packet->head_page ? IOPAGE_SIZE : PACKET_HEAD_BYTES;
}

size_t packet_headroom(const struct packet *packet)
{
	return (size_t)(packet->data - head_start(packet));
}

size_t packet_tailroom(const struct packet *packet)
{
	return head_capacity(packet) - packet_headroom(packet) - packet->head_length;
}

uint8_t *packet_push(struct packet *packet, size_t bytes)
{
	if (bytes > packet_headroom(packet))
		return NULL;
	packet->data -= bytes;
	packet->head_length = (uint16_t)(packet->head_length + bytes);
	packet->length += (uint32_t)bytes;
	return packet->data;
}

uint8_t *packet_pull(struct packet *packet, size_t bytes)
{
	if (bytes > packet->head_length)
		return NULL;
	packet->data += bytes;
	packet->head_length = (uint16_t)(packet->head_length - bytes);
	packet->length -= (uint32_t)bytes;
	return packet->data;
}

uint8_t *packet_append(struct packet *packet, size_t bytes)
{
	uint8_t *end = packet->data + packet->head_length;

	if (packet->frag_count || bytes > packet_tailroom(packet))
		return NULL;
	packet->head_length = (uint16_t)(packet->head_length + bytes);
	packet->length += (uint32_t)bytes;
	return end;
}

struct packet *packet_append_zeroes(struct packet *packet, size_t bytes)
{
	uint8_t *data = packet ? packet_append(packet, bytes) : NULL;

	if (!data) {
		packet_free(packet);
		return NULL;
	}
	memset(data, 0, bytes);
	return packet;
}

static void head_trim(struct packet *packet, uint32_t length)
{
	if (packet->head_page)
		iopage_scrub(packet->head_page, packet_head_offset(packet) + length,
			     packet->head_length - length);
	packet->head_length = (uint16_t)length;
}

static void frag_trim(struct packet_frag *frag, uint32_t length)
{
	iopage_scrub(frag->page, frag->offset + length, frag->length - length);
	frag->length = (uint16_t)length;
}

static void last_frag_free(struct packet *packet)
{
	struct packet_frag *frag = &packet->frags[--packet->frag_count];

	frag_scrub(frag);
	iopage_free(frag->page);
}

void packet_trim(struct packet *packet, uint32_t length)
{
	uint32_t kept;
	unsigned int i;

	if (length >= packet->length)
		return;
	if (length < packet->head_length)
		head_trim(packet, length);
	kept = packet->head_length;
	for (i = 0; i < packet->frag_count && kept < length; i++) {
		if (packet->frags[i].length > length - kept)
			frag_trim(&packet->frags[i], length - kept);
		kept += packet->frags[i].length;
	}
	while (packet->frag_count > i)
		last_frag_free(packet);
	packet->length = length;
}

int packet_add_frag(struct packet *packet, struct iopage *page, uint16_t offset, uint16_t length)
{
	if (packet->frag_count == PACKET_MAX_FRAGS)
		return -ENOSPC;
	packet->frags[packet->frag_count++] = (struct packet_frag){ page, offset, length };
	packet->length += length;
	return 0;
}

uint64_t packet_head_frame(const struct packet *packet)
{
	return packet->head_page ? packet->head_page->frame : packet->private_frame;
}

uint16_t packet_head_offset(const struct packet *packet)
{
	return (uint16_t)((uintptr_t)packet->data % IOPAGE_SIZE);
}

int packet_copy_out(const struct packet *packet, uint32_t offset, void *to, size_t bytes)
{
	uint8_t *out = to;
	const uint8_t *from = packet->data;
	uint32_t available = packet->head_length;

	if (offset > packet->length || bytes > packet->length - offset)
		return -EINVAL;
	for (unsigned int i = 0; bytes; i++) {
		if (offset < available) {
			uint32_t part = available - offset;

			if (part > bytes)
				part = (uint32_t)bytes;
			memcpy(out, from + offset, part);
			out += part;
			bytes -= part;
			offset = 0;
		} else {
			offset -= available;
		}
		if (i == packet->frag_count)
			break;
		from = packet->frags[i].page->data + packet->frags[i].offset;
		available = packet->frags[i].length;
	}
	return 0;
}

bool packet_is_valid(const struct packet *packet)
{
	uint32_t sum = packet->head_length;

	if (!packet->data || packet->data < head_start(packet))
		return false;
	if (packet_headroom(packet) + packet->head_length > head_capacity(packet))
		return false;
	if (packet->frag_count > PACKET_MAX_FRAGS)
		return false;
	for (unsigned int i = 0; i < packet->frag_count; i++) {
		const struct packet_frag *frag = &packet->frags[i];

		if (!frag->page || frag->length == 0 || frag->offset + frag->length > IOPAGE_SIZE ||
		    frag->page->state != IOPAGE_OWNED)
			return false;
		sum += frag->length;
	}
	return sum == packet->length;
}
