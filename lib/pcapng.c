/* SPDX-License-Identifier: ISC */
#include "lib/pcapng.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define BLOCK_JOURNAL 9u
#define BYTE_ORDER 0x1a2b3c4du
#define LENGTH_AT 4u /* of the block's length in it */

#define OPTION_END 0u
#define OPTION_COMMENT 1u
#define SECTION_APPLICATION 4u
#define INTERFACE_NAME 2u
#define INTERFACE_RESOLUTION 9u
#define PACKET_FLAGS 2u
#define PACKET_VERDICT 7u

#define RESOLUTION_NS 9u /* 10^-9 s */
#define VERDICT_TRAFFIC_CONTROL 1u
#define ACTION_OK 0u
#define ACTION_SHOT 2u

/* A block that is being written. */
struct block {
	uint8_t *to;
	size_t size;
	size_t used;
	bool overrun;
};

static void put(struct block *block, const void *bytes, size_t count)
{
	size_t padded = (count + 3) / 4 * 4;

	if (block->overrun || padded < count || padded > block->size - block->used) {
		block->overrun = true;
		return;
	}
	if (count)
		memcpy(block->to + block->used, bytes, count);
	memset(block->to + block->used + count, 0, padded - count);
	block->used += padded;
}

static void put32(struct block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

static void put16s(struct block *block, uint16_t first, uint16_t second)
{
	uint16_t pair[2] = { first, second };

	put(block, pair, sizeof(pair));
}

static void put_option(struct block *block, uint16_t code, const void *bytes, size_t count)
{
	if (count > UINT16_MAX) {
		block->overrun = true;
		return;
	}
	put16s(block, code, (uint16_t)count);
	put(block, bytes, count);
}

static struct block begin(void *to, size_t size, uint32_t type)
{
	struct block block = { .to = to, .size = size };

	put32(&block, type);
	put32(&block, 0);
	return block;
}

static size_t end_without_options(struct block *block)
{
	uint32_t length = (uint32_t)block->used + 4;

	put32(block, length);
	if (block->overrun)
		return 0;
	memcpy(block->to + LENGTH_AT, &length, sizeof(length));
	return block->used;
}

static size_t end(struct block *block)
{
	put16s(block, OPTION_END, 0);
	return end_without_options(block);
}

size_t pcapng_write_section(void *to, size_t size, const char *application)
{
	static const uint64_t length_unknown = UINT64_MAX;
	struct block block = begin(to, size, BLOCK_SECTION);

	put32(&block, BYTE_ORDER);
	put16s(&block, 1, 0);
	put(&block, &length_unknown, sizeof(length_unknown));
	put_option(&block, SECTION_APPLICATION, application, strlen(application));
	return end(&block);
}

size_t pcapng_write_interface(void *to, size_t size, const char *name, uint16_t link_type,
			      uint32_t snap)
{
	static const uint8_t resolution = RESOLUTION_NS;
	struct block block = begin(to, size, BLOCK_INTERFACE);

	put16s(&block, link_type, 0);
	put32(&block, snap);
	put_option(&block, INTERFACE_NAME, name, strlen(name));
	put_option(&block, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	return end(&block);
}

static void put_verdict(struct block *block, enum pcapng_verdict verdict)
{
	uint64_t action = verdict == PCAPNG_PASS ? ACTION_OK : ACTION_SHOT;
	uint8_t value[1 + sizeof(action)] = { VERDICT_TRAFFIC_CONTROL };

	memcpy(value + 1, &action, sizeof(action));
	put_option(block, PACKET_VERDICT, value, sizeof(value));
}

size_t pcapng_write_packet(void *to, size_t size, const struct pcapng_packet *packet)
{
	struct block block = begin(to, size, BLOCK_PACKET);
	uint32_t flags = packet->direction;

	put32(&block, packet->interface);
	put32(&block, (uint32_t)(packet->time_ns >> 32));
	put32(&block, (uint32_t)packet->time_ns);
	put32(&block, packet->captured);
	put32(&block, packet->length);
	put(&block, packet->bytes, packet->captured);
	if (packet->comment)
		put_option(&block, OPTION_COMMENT, packet->comment, strlen(packet->comment));
	if (packet->direction != PCAPNG_NO_DIRECTION)
		put_option(&block, PACKET_FLAGS, &flags, sizeof(flags));
	if (packet->verdict != PCAPNG_NO_VERDICT)
		put_verdict(&block, packet->verdict);
	return end(&block);
}

size_t pcapng_write_journal(void *to, size_t size, const char *entry, size_t length)
{
	struct block block = begin(to, size, BLOCK_JOURNAL);

	put(&block, entry, length);
	return end_without_options(&block);
}
