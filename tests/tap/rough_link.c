/* SPDX-License-Identifier: ISC */
#include "tests/tap/rough_link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAC_ADDRESSES_BYTES 12u
#define TYPE_AT 12u
#define IP_AT 14u
#define TYPE_IP4 0x0800u
#define TYPE_IP6 0x86ddu
#define WHOLE 10000u
#define QUEUE_DEFAULT 1000u
#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull
/* How much later a reordered frame comes: at least that, and at most four times. */
#define REORDER_NS 1000000u

struct rough_frame {
	struct rough_frame *next;
	uint64_t due_ns;
	size_t bytes;
	uint8_t data[];
};

/* ---- what the options say ---- */

static uint32_t chance_of(double percent)
{
	return percent < 0 || percent > 100 ? WHOLE + 1 : (uint32_t)(percent * (WHOLE / 100) + 0.5);
}

/* False: not a word, or not such a value. */
static bool word_read(struct rough_chances *to, const char *word)
{
	struct {
		const char *format;
		uint32_t *chance;
	} const chances[] = {
		{ "loss=%lf%c%c", &to->loss },	     { "duplicate=%lf%c%c", &to->duplicate },
		{ "corrupt=%lf%c%c", &to->corrupt }, { "reorder=%lf%c%c", &to->reorder },
		{ "mark=%lf%c%c", &to->mark },
	};
	double value;
	char unit[8], end;

	for (unsigned int i = 0; i < sizeof(chances) / sizeof(*chances); i++)
		if (sscanf(word, chances[i].format, &value, unit, &end) == 2 && unit[0] == '%') {
			*chances[i].chance = chance_of(value);
			return *chances[i].chance <= WHOLE;
		}
	if (sscanf(word, "delay=%lf%7s", &value, unit) == 2 && !strcmp(unit, "ms"))
		to->delay_ns = (uint64_t)(value * (double)NS_PER_MS);
	else if (sscanf(word, "rate=%lf%7s", &value, unit) == 2 && !strcmp(unit, "mbit"))
		to->rate = (uint64_t)(value * 1e6);
	else if (sscanf(word, "queue=%" SCNu32 "%c", &to->queue, &end) != 1)
		return false;
	return true;
}

const char *rough_link_read(struct rough_link *link, char *text)
{
	struct rough_chances chances = { 0 };
	char *colon = strchr(text, ':');
	char *rest = NULL;
	bool both;

	if (!colon)
		return text;
	*colon = '\0';
	for (char *word = strtok_r(colon + 1, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (!word_read(&chances, word))
			return word;
	both = !strcmp(text, "both");
	if (!both && strcmp(text, "in") != 0 && strcmp(text, "out") != 0)
		return text;
	if (both || text[0] == 'i')
		link->ways[ROUGH_IN].chances = chances;
	if (both || text[0] == 'o')
		link->ways[ROUGH_OUT].chances = chances;
	return NULL;
}

void rough_link_init(struct rough_link *link, uint64_t seed)
{
	uint8_t bytes[RANDOM_SEED_BYTES] = { 0 };

	memcpy(bytes, &seed, sizeof(seed));
	random_init(&link->random, bytes);
}

/* ---- what happens to a frame ---- */

static bool happens(struct rough_link *link, uint32_t chance)
{
	return chance && random_below(&link->random, WHOLE) < chance;
}

static void corrupt(struct rough_link *link, struct rough_frame *frame)
{
	uint32_t bits = (uint32_t)(frame->bytes - MAC_ADDRESSES_BYTES) * 8;
	uint32_t bit = random_below(&link->random, bits);

	frame->data[MAC_ADDRESSES_BYTES + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* One's complement sum of an IPv4 header over again. */
static void sum_header(uint8_t *ip)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (unsigned int i = 0; i < (ip[0] & 15u) * 4u; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(~sum >> 8);
	ip[11] = (uint8_t)~sum;
}

/* Congestion Experienced, when the packet says that its ends know what that means. */
static bool mark(struct rough_frame *frame)
{
	uint32_t type = (uint32_t)frame->data[TYPE_AT] << 8 | frame->data[TYPE_AT + 1];
	uint8_t *ip = frame->data + IP_AT;

	if (type == TYPE_IP4 && frame->bytes >= IP_AT + 20 && ip[1] & 3 && (ip[1] & 3) != 3) {
		ip[1] |= 3;
		sum_header(ip);
		return true;
	}
	if (type == TYPE_IP6 && frame->bytes >= IP_AT + 40 && ip[1] & 0x30 &&
	    (ip[1] & 0x30) != 0x30) {
		ip[1] |= 0x30;
		return true;
	}
	return false;
}

static void insert(struct rough_way *way, struct rough_frame *frame)
{
	struct rough_frame **at = &way->first;

	if (way->last && way->last->due_ns <= frame->due_ns)
		at = &way->last->next;
	while (*at && (*at)->due_ns <= frame->due_ns)
		at = &(*at)->next;
	frame->next = *at;
	*at = frame;
	if (!frame->next)
		way->last = frame;
	way->waiting++;
}

static struct rough_frame *copy(const void *data, size_t bytes, uint64_t due_ns)
{
	struct rough_frame *frame = malloc(sizeof(*frame) + bytes);

	if (!frame)
		abort();
	frame->due_ns = due_ns;
	frame->bytes = bytes;
	memcpy(frame->data, data, bytes);
	return frame;
}

/* When the wire is free again, a frame of so many bytes later. */
static uint64_t wire_time(struct rough_way *way, size_t bytes, uint64_t now)
{
	if (!way->chances.rate)
		return now;
	if (way->free_ns < now)
		way->free_ns = now;
	way->free_ns += bytes * 8 * NS_PER_SECOND / way->chances.rate;
	return way->free_ns;
}

static void send_one(struct rough_link *link, struct rough_way *way, const void *data, size_t bytes,
		     uint64_t now)
{
	const struct rough_chances *chances = &way->chances;
	struct rough_frame *frame;

	if (way->waiting >= (chances->queue ? chances->queue : QUEUE_DEFAULT)) {
		way->overflowed++;
		return;
	}
	frame = copy(data, bytes, wire_time(way, bytes, now) + chances->delay_ns);
	if (happens(link, chances->corrupt)) {
		corrupt(link, frame);
		way->corrupted++;
	}
	if (happens(link, chances->mark) && mark(frame))
		way->marked++;
	if (happens(link, chances->reorder)) {
		frame->due_ns += REORDER_NS + random_below(&link->random, 3 * REORDER_NS);
		way->reordered++;
	}
	way->passed++;
	insert(way, frame);
}

void rough_link_push(struct rough_link *link, enum rough_direction direction, const void *frame,
		     size_t bytes, uint64_t now)
{
	struct rough_way *way = &link->ways[direction];

	if (bytes <= IP_AT)
		return;
	if (happens(link, way->chances.loss)) {
		way->lost++;
		return;
	}
	send_one(link, way, frame, bytes, now);
	if (happens(link, way->chances.duplicate)) {
		way->doubled++;
		send_one(link, way, frame, bytes, now);
	}
}

size_t rough_link_pop(struct rough_link *link, enum rough_direction direction, void *frame,
		      size_t room, uint64_t now)
{
	struct rough_way *way = &link->ways[direction];
	struct rough_frame *first = way->first;
	size_t bytes;

	if (!first || first->due_ns > now)
		return 0;
	bytes = first->bytes < room ? first->bytes : room;
	memcpy(frame, first->data, bytes);
	way->first = first->next;
	if (!way->first)
		way->last = NULL;
	way->waiting--;
	free(first);
	return bytes;
}

uint64_t rough_link_next_ns(const struct rough_link *link)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < ROUGH_DIRECTIONS; i++) {
		const struct rough_frame *first = link->ways[i].first;

		if (first && first->due_ns < next)
			next = first->due_ns;
	}
	return next;
}

void rough_link_print(const struct rough_link *link, FILE *file)
{
	for (unsigned int i = 0; i < ROUGH_DIRECTIONS; i++) {
		const struct rough_way *way = &link->ways[i];

		fprintf(file,
			"rough %s passed %" PRIu64 " lost %" PRIu64 " doubled %" PRIu64
			" corrupted %" PRIu64 " reordered %" PRIu64 " marked %" PRIu64
			" overflowed %" PRIu64 "\n",
			i == ROUGH_IN ? "in" : "out", way->passed, way->lost, way->doubled,
			way->corrupted, way->reordered, way->marked, way->overflowed);
	}
}

void rough_link_end(struct rough_link *link)
{
	for (unsigned int i = 0; i < ROUGH_DIRECTIONS; i++)
		while (link->ways[i].first) {
			struct rough_frame *first = link->ways[i].first;

			link->ways[i].first = first->next;
			free(first);
		}
}
