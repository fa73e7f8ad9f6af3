/* SPDX-License-Identifier: ISC */
#include "lib/ip6_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/ip4_text.h"

#define GROUPS 8

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One to four digits at *at, which moves behind them. */
static int group_parse(const char *text, size_t length, size_t *at, uint16_t *group)
{
	size_t start = *at;
	uint32_t value = 0;

	while (*at < length && hex_digit(text[*at]) >= 0 && *at - start < 4)
		value = value << 4 | (uint32_t)hex_digit(text[(*at)++]);
	*group = (uint16_t)value;
	return *at > start ? 0 : -EINVAL;
}

static int quad_parse(const char *text, size_t length, uint16_t *groups)
{
	be32 quad;

	if (ip4_text_parse(text, length, &quad))
		return -EINVAL;
	groups[0] = (uint16_t)(be32_get(quad) >> 16);
	groups[1] = (uint16_t)be32_get(quad);
	return 0;
}

/*
 * Groups with ':' between them, at most `room`, up to the end or to a "::", where *at
 * stops. The number of groups or -EINVAL.
 */
static int groups_parse(const char *text, size_t length, size_t *at, uint16_t *groups, int room)
{
	int count = 0;

	for (;;) {
		size_t start = *at;

		if (count == room || group_parse(text, length, at, &groups[count]))
			return -EINVAL;
		if (*at < length && text[*at] == '.') {
			if (count + 2 > room ||
			    quad_parse(text + start, length - start, groups + count))
				return -EINVAL;
			*at = length;
			return count + 2;
		}
		count++;
		if (*at == length)
			return count;
		if (text[*at] != ':')
			return -EINVAL;
		if (*at + 1 < length && text[*at + 1] == ':')
			return count;
		++*at;
	}
}

int ip6_text_parse(const char *text, size_t length, uint8_t *address)
{
	uint16_t head[GROUPS] = { 0 }, tail[GROUPS] = { 0 };
	int heads = 0, tails = 0;
	size_t at = 0;

	if (length < 2)
		return -EINVAL;
	if (text[0] != ':' || text[1] != ':')
		heads = groups_parse(text, length, &at, head, GROUPS);
	if (heads < 0 || (at == length && heads != GROUPS))
		return -EINVAL;
	if (at < length) {
		at += 2; /* the "::", which stands for at least one group */
		if (at < length)
			tails = groups_parse(text, length, &at, tail, GROUPS - 1 - heads);
		if (tails < 0 || at < length || heads == GROUPS)
			return -EINVAL;
	}
	memcpy(head + GROUPS - tails, tail, (size_t)tails * sizeof(tail[0]));
	for (int i = 0; i < GROUPS; i++) {
		address[2 * i] = (uint8_t)(head[i] >> 8);
		address[2 * i + 1] = (uint8_t)head[i];
	}
	return 0;
}

int ip6_text_parse_prefix(const char *text, size_t length, uint8_t *address, uint8_t *prefix)
{
	const char *slash = memchr(text, '/', length);
	uint32_t bits = 128;

	if (slash) {
		size_t bytes = (size_t)(slash - text);

		if (ip4_text_parse_number(slash + 1, length - bytes - 1, 128, &bits))
			return -EINVAL;
		length = bytes;
	}
	*prefix = (uint8_t)bits;
	return ip6_text_parse(text, length, address);
}

/* The longest run of zero groups; its length, and *first. 0 when no two stand together. */
static int zero_run(const uint16_t *groups, int *first)
{
	int best = 1;

	*first = GROUPS;
	for (int i = 0; i < GROUPS; i++) {
		int end = i;

		while (end < GROUPS && groups[end] == 0)
			end++;
		if (end - i > best) {
			best = end - i;
			*first = i;
		}
	}
	return best > 1 ? best : 0;
}

char *ip6_text_format(const uint8_t *address, char *to)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint16_t groups[GROUPS];
	int first, run;
	size_t at = 0;

	if (memcmp(address, mapped, sizeof(mapped)) == 0) {
		snprintf(to, IP6_TEXT_BYTES, "::ffff:%u.%u.%u.%u", address[12], address[13],
			 address[14], address[15]);
		return to;
	}
	for (int i = 0; i < GROUPS; i++)
		groups[i] = (uint16_t)(address[2 * i] << 8 | address[2 * i + 1]);
	run = zero_run(groups, &first);
	for (int i = 0; i < GROUPS; i++) {
		bool follows = i > 0 && i != first + run;

		if (run && i == first) {
			at += (size_t)snprintf(to + at, IP6_TEXT_BYTES - at, "::");
			i += run - 1;
		} else {
			at += (size_t)snprintf(to + at, IP6_TEXT_BYTES - at, "%s%x",
					       follows ? ":" : "", groups[i]);
		}
	}
	return to;
}
