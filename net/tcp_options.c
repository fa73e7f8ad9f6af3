/* SPDX-License-Identifier: ISC */
#include "net/tcp_options.h"

#include <errno.h>
#include <string.h>

#include "lib/byteorder.h"
#include "net/wire.h"

/* Beside END, NOP and WINDOW_SCALE in net/wire.h */
#define KIND_MSS 2u	       /* RFC 9293, 3.2 */
#define KIND_SACK_PERMITTED 4u /* RFC 2018, 2 */
#define KIND_SACK 5u	       /* RFC 2018, 3 */
#define KIND_TIMESTAMPS 8u     /* RFC 7323, 3.2 */
#define TIMESTAMPS_WORD 0x0101080au
#define TIMESTAMPS_BYTES 12u
#define KIND_FASTOPEN 34u  /* RFC 7413, 4.1.1 */
#define KIND_AND_LENGTH 2u /* bytes in front of an option's data */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	be32 wire;

	memcpy(&wire, at, sizeof(wire));
	return be32_get(wire);
}

static uint8_t *put8(uint8_t *at, uint8_t value)
{
	*at = value;
	return at + 1;
}

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	be16 wire = be16_of(value);

	memcpy(at, &wire, sizeof(wire));
	return at + sizeof(wire);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	be32 wire = be32_of(value);

	memcpy(at, &wire, sizeof(wire));
	return at + sizeof(wire);
}

/* ---- reading ---- */

int tcp_option_next(struct tcp_option_cursor *cursor, struct tcp_option *option)
{
	uint8_t length;

	while (cursor->left && *cursor->at == TCP_OPTION_NOP) {
		cursor->at++;
		cursor->left--;
	}
	if (!cursor->left || *cursor->at == TCP_OPTION_END) {
		cursor->left = 0;
		return 0;
	}
	if (cursor->left < KIND_AND_LENGTH || cursor->at[1] < KIND_AND_LENGTH ||
	    cursor->at[1] > cursor->left) {
		cursor->left = 0;
		return -EPROTO;
	}
	length = cursor->at[1];
	*option = (struct tcp_option){
		.kind = cursor->at[0],
		.bytes = (uint8_t)(length - KIND_AND_LENGTH),
		.data = cursor->at + KIND_AND_LENGTH,
	};
	cursor->at += length;
	cursor->left -= length;
	return 1;
}

/* A block that is empty or turned round says nothing. */
static void read_sacks(const struct tcp_option *option, struct tcp_options *options)
{
	if (options->sack_count || option->bytes % 8 || option->bytes > 8 * TCP_SACK_BLOCKS_MAX)
		return;
	for (unsigned int at = 0; at < option->bytes; at += 8) {
		struct tcp_sack_block block = { get32(option->data + at),
						get32(option->data + at + 4) };

		if (tcp_before(block.begin, block.end))
			options->sacks[options->sack_count++] = block;
	}
}

static void read_fastopen(const struct tcp_option *option, struct tcp_options *options)
{
	if (option->bytes % 2 || option->bytes > TCP_FASTOPEN_COOKIE_MAX ||
	    (option->bytes && option->bytes < TCP_FASTOPEN_COOKIE_MIN))
		return;
	options->fastopen_bytes = option->bytes;
	memcpy(options->fastopen, option->data, option->bytes);
	options->present |= TCP_HAS_FASTOPEN;
}

static void read_timestamps(const uint8_t *data, struct tcp_options *options)
{
	options->ts_value = get32(data);
	options->ts_echo = get32(data + 4);
	options->present |= TCP_HAS_TIMESTAMPS;
}

/* An option of a SYN that is not there yet. */
static void read_syn(const struct tcp_option *option, struct tcp_options *options)
{
	uint8_t present = options->present;

	if (option->kind == KIND_MSS && option->bytes == 2 && !(present & TCP_HAS_MSS)) {
		options->mss = get16(option->data);
		options->present |= TCP_HAS_MSS;
	} else if (option->kind == TCP_OPTION_WINDOW_SCALE && option->bytes == 1 &&
		   !(present & TCP_HAS_SCALE)) {
		options->scale = option->data[0] < TCP_SCALE_MAX ? option->data[0] : TCP_SCALE_MAX;
		options->present |= TCP_HAS_SCALE;
	} else if (option->kind == KIND_SACK_PERMITTED && option->bytes == 0) {
		options->present |= TCP_HAS_SACK_PERMITTED;
	} else if (option->kind == KIND_FASTOPEN && !(present & TCP_HAS_FASTOPEN)) {
		read_fastopen(option, options);
	}
}

int tcp_options_parse(const void *data, size_t bytes, uint8_t flags, struct tcp_options *options)
{
	struct tcp_option_cursor cursor = { data,
					    bytes < TCP_OPTIONS_MAX ? bytes : TCP_OPTIONS_MAX };
	struct tcp_option option;
	int result;

	*options = (struct tcp_options){ .present = 0 };
	/* What nearly all segments have (RFC 7323, appendix A). */
	if (bytes == TIMESTAMPS_BYTES && get32(data) == TIMESTAMPS_WORD) {
		read_timestamps((const uint8_t *)data + 4, options);
		return 0;
	}
	while ((result = tcp_option_next(&cursor, &option)) > 0) {
		if (option.kind == KIND_TIMESTAMPS) {
			if (option.bytes == 8 && !(options->present & TCP_HAS_TIMESTAMPS))
				read_timestamps(option.data, options);
		} else if (flags & TCP_SYN) {
			read_syn(&option, options);
		} else if (option.kind == KIND_SACK) {
			read_sacks(&option, options);
		}
	}
	return result;
}

/* ---- writing ---- */

static uint8_t cookie_bytes(const struct tcp_options *options)
{
	return options->fastopen_bytes < TCP_FASTOPEN_COOKIE_MAX ? options->fastopen_bytes
								 : TCP_FASTOPEN_COOKIE_MAX;
}

/* Bytes without SACK blocks: 4 and 12 and 4 and 20 at most. */
static size_t fixed_bytes(const struct tcp_options *options)
{
	size_t bytes = 0;

	if (options->present & TCP_HAS_MSS)
		bytes += 4;
	if (options->present & TCP_HAS_TIMESTAMPS)
		bytes += TIMESTAMPS_BYTES; /* SACK permitted takes the place of its padding */
	else if (options->present & TCP_HAS_SACK_PERMITTED)
		bytes += 4;
	if (options->present & TCP_HAS_SCALE)
		bytes += 4;
	if (options->present & TCP_HAS_FASTOPEN)
		bytes += (KIND_AND_LENGTH + cookie_bytes(options) + 3u) & ~3u;
	return bytes;
}

unsigned int tcp_options_sack_room(const struct tcp_options *options)
{
	size_t room = TCP_OPTIONS_MAX - fixed_bytes(options);

	return room < 4 ? 0 : (unsigned int)(room - 4) / 8;
}

static unsigned int sacks_written(const struct tcp_options *options)
{
	unsigned int room = tcp_options_sack_room(options);

	return options->sack_count < room ? options->sack_count : room;
}

size_t tcp_options_bytes(const struct tcp_options *options)
{
	unsigned int sacks = sacks_written(options);

	return fixed_bytes(options) + (sacks ? 4 + 8 * sacks : 0);
}

/* Two bytes that say nothing, or SACK permitted. */
static uint8_t *put_pair(uint8_t *at, const struct tcp_options *options)
{
	bool permitted = options->present & TCP_HAS_SACK_PERMITTED;

	at = put8(at, permitted ? KIND_SACK_PERMITTED : TCP_OPTION_NOP);
	return put8(at, permitted ? KIND_AND_LENGTH : TCP_OPTION_NOP);
}

static uint8_t *put_timestamps(uint8_t *at, const struct tcp_options *options)
{
	at = put_pair(at, options);
	at = put8(at, KIND_TIMESTAMPS);
	at = put8(at, KIND_AND_LENGTH + 8);
	at = put32(at, options->ts_value);
	return put32(at, options->ts_echo);
}

static uint8_t *put_fastopen(uint8_t *at, const struct tcp_options *options)
{
	uint8_t bytes = cookie_bytes(options);

	at = put8(at, KIND_FASTOPEN);
	at = put8(at, (uint8_t)(KIND_AND_LENGTH + bytes));
	memcpy(at, options->fastopen, bytes);
	at += bytes;
	for (unsigned int pad = KIND_AND_LENGTH + bytes; pad % 4; pad++)
		at = put8(at, TCP_OPTION_NOP);
	return at;
}

static uint8_t *put_sacks(uint8_t *at, const struct tcp_options *options, unsigned int count)
{
	at = put8(at, TCP_OPTION_NOP);
	at = put8(at, TCP_OPTION_NOP);
	at = put8(at, KIND_SACK);
	at = put8(at, (uint8_t)(KIND_AND_LENGTH + 8 * count));
	for (unsigned int i = 0; i < count; i++) {
		at = put32(at, options->sacks[i].begin);
		at = put32(at, options->sacks[i].end);
	}
	return at;
}

size_t tcp_options_write(const struct tcp_options *options, uint8_t to[static TCP_OPTIONS_MAX])
{
	unsigned int sacks = sacks_written(options);
	uint8_t *at = to;

	if (options->present & TCP_HAS_MSS) {
		at = put8(at, KIND_MSS);
		at = put8(at, KIND_AND_LENGTH + 2);
		at = put16(at, options->mss);
	}
	if (options->present & TCP_HAS_TIMESTAMPS) {
		at = put_timestamps(at, options);
	} else if (options->present & TCP_HAS_SACK_PERMITTED) {
		at = put8(at, TCP_OPTION_NOP);
		at = put8(at, TCP_OPTION_NOP);
		at = put_pair(at, options);
	}
	if (options->present & TCP_HAS_SCALE) {
		at = put8(at, TCP_OPTION_NOP);
		at = put8(at, TCP_OPTION_WINDOW_SCALE);
		at = put8(at, KIND_AND_LENGTH + 1);
		at = put8(at, options->scale);
	}
	if (options->present & TCP_HAS_FASTOPEN)
		at = put_fastopen(at, options);
	if (sacks)
		at = put_sacks(at, options, sacks);
	return (size_t)(at - to);
}

uint16_t tcp_options_mss(const struct tcp_options *options, uint8_t version, uint16_t own)
{
	uint16_t mss = version == 6 ? TCP_MSS_DEFAULT6 : TCP_MSS_DEFAULT4;

	if (options->present & TCP_HAS_MSS)
		mss = options->mss > TCP_MSS_MIN ? options->mss : TCP_MSS_MIN;
	return mss < own ? mss : own;
}
