/* SPDX-License-Identifier: ISC */
/* The command `list`: what a disk holds, segment by segment. */
#include <inttypes.h>
#include <stdio.h>

#include "configs/log/log.h"
#include "lib/time_text.h"

struct segment_sums {
	uint64_t lines, packets;
	uint64_t last_ns;
};

static struct segment_sums sums[LOG_DISK_SEGMENTS_MOST];

static void add(struct segment_sums *to, const struct log_disk_record *record)
{
	to->last_ns = record->time_ns;
	to->packets += record->kind == LOG_DISK_PACKET;
	to->lines += record->kind != LOG_DISK_PACKET;
}

static void segment_print(const struct log_disk_segment *segment, const struct segment_sums *of)
{
	char begun[TIME_TEXT_BYTES], last[TIME_TEXT_BYTES] = "-";

	time_text_format(segment->begun_ns, begun);
	if (of->lines + of->packets)
		time_text_format(of->last_ns, last);
	printf("%8" PRIu64 " %5" PRIu32 " %s %24s %8" PRIu64 " %8" PRIu64 "\n", segment->sequence,
	       segment->index, begun, last, of->lines, of->packets);
}

int list_run(struct log_disk_reader *reader, const struct log_options *options)
{
	const struct log_disk_super *super = &reader->super;
	struct log_disk_record record;
	char made[TIME_TEXT_BYTES];

	while (log_disk_reader_next(reader, &record))
		if (options_want(options, &record))
			add(&sums[reader->which], &record);
	printf("formatted %s, %" PRIu32 " of %" PRIu32 " segments of %" PRIu64
	       " KiB in use, units of %" PRIu32 " bytes\n",
	       time_text_format(super->made_ns, made), reader->count, super->segments,
	       super->segment_bytes / 1024, super->unit_bytes);
	if (!reader->count)
		return LOG_NOTHING;
	printf("%8s %5s %-24s %-24s %8s %8s\n", "segment", "place", "begun", "last record", "lines",
	       "packets");
	for (uint32_t i = 0; i < reader->count; i++)
		segment_print(&reader->segments[i], &sums[i]);
	return LOG_GOOD;
}
