/* SPDX-License-Identifier: ISC */
#include "net/packet_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void packet_log_init(struct packet_log *log, void *memory, size_t bytes, uint32_t per_second,
		     uint32_t burst, uint64_t now_ns)
{
	memset(log, 0, sizeof(*log));
	log->records = memory;
	log->capacity = (uint32_t)(bytes / sizeof(struct packet_log_record));
	bucket_init(&log->bucket, per_second, burst, now_ns);
}

void packet_log_add(struct packet_log *log, const struct packet_log_entry *entry, uint64_t now_ns)
{
	const struct packet *packet = entry->packet;
	struct packet_log_record *record = &log->records[log->written % log->capacity];

	if (!bucket_take(&log->bucket, now_ns)) {
		log->left_out++;
		log->left_out_unsaid++;
		return;
	}
	*record = (struct packet_log_record){
		.now_ns = now_ns,
		.left_out = log->left_out_unsaid,
		.length = packet->length,
		.line = entry->line,
		.captured = packet->head_length < PACKET_LOG_SNAP ? packet->head_length
								  : PACKET_LOG_SNAP,
		.reason = (uint16_t)entry->reason,
		.direction = (uint8_t)entry->direction,
		.action = (uint8_t)entry->action,
	};
	memcpy(record->bytes, packet->data, record->captured);
	snprintf(record->interface, sizeof(record->interface), "%s", entry->interface);
	snprintf(record->label, sizeof(record->label), "%s", entry->label);
	log->left_out_unsaid = 0;
	log->written++;
}

/* ---- reading ---- */

void packet_log_open(struct packet_log_reader *reader, const struct packet_log *log,
		     uint64_t wall_offset_ns)
{
	memset(reader, 0, sizeof(*reader));
	reader->log = log;
	reader->wall_offset_ns = wall_offset_ns;
	reader->end = log->written;
	reader->next = log->written > log->capacity ? log->written - log->capacity : 0;
}

static const char *word_of(const struct packet_log_record *record)
{
	if (record->action == RULES_PASS)
		return "pass";
	return record->action == RULES_BLOCK_RETURN ? "block return" : "block";
}

/* For example: line 12 "web": block (blocked: a rule said block) */
static void comment_write(const struct packet_log_record *record, char *to, size_t size)
{
	bool dropped = record->reason < DROP_REASON_COUNT;
	char line[RULES_LABEL_BYTES + 24] = "", left_out[48] = "", why[96] = "";

	if (record->line)
		snprintf(line, sizeof(line), "line %" PRIu32 "%s%s%s: ", record->line,
			 record->label[0] ? " \"" : "", record->label,
			 record->label[0] ? "\"" : "");
	if (dropped)
		snprintf(why, sizeof(why), " (%s: %s)", drop_name(record->reason),
			 drop_text(record->reason));
	if (record->left_out)
		snprintf(left_out, sizeof(left_out), "; %" PRIu64 " were left out before",
			 record->left_out);
	snprintf(to, size, "%s%s%s%s", line, record->line || !dropped ? word_of(record) : "drop",
		 why, left_out);
}

/* The interface's number in this section; the count of those when it has none yet. */
static uint32_t interface_find(const struct packet_log_reader *reader, const char *name)
{
	uint32_t i = 0;

	while (i < reader->interface_count && strcmp(reader->interfaces[i], name) != 0)
		i++;
	return i;
}

static size_t section_begin(struct packet_log_reader *reader)
{
	reader->in_section = true;
	reader->interface_count = 0;
	return pcapng_write_section(reader->block, sizeof(reader->block), "ringwall");
}

static size_t interface_describe(struct packet_log_reader *reader, const char *name)
{
	memcpy(reader->interfaces[reader->interface_count++], name, NETDEV_NAME_BYTES);
	return pcapng_write_interface(reader->block, sizeof(reader->block), name,
				      PCAPNG_LINK_ETHERNET, PACKET_LOG_SNAP);
}

static size_t record_write(struct packet_log_reader *reader, const struct packet_log_record *record,
			   uint32_t interface)
{
	char comment[PACKET_LOG_COMMENT_BYTES];
	struct pcapng_packet packet = {
		.interface = interface,
		.time_ns = record->now_ns + reader->wall_offset_ns,
		.bytes = record->bytes,
		.captured = record->captured,
		.length = record->length,
		.direction = record->direction == RULES_IN ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
		.verdict = record->reason < DROP_REASON_COUNT ? PCAPNG_DROP : PCAPNG_PASS,
		.comment = comment,
	};

	comment_write(record, comment, sizeof(comment));
	reader->next++;
	return pcapng_write_packet(reader->block, sizeof(reader->block), &packet);
}

/* The next block's bytes; 0 when there is none. */
static size_t block_make(struct packet_log_reader *reader)
{
	const struct packet_log *log = reader->log;
	const struct packet_log_record *record;
	uint32_t interface;

	if (!reader->in_section)
		return section_begin(reader);
	if (log->written > reader->next + log->capacity) {
		uint64_t first = log->written - log->capacity;

		first = first < reader->end ? first : reader->end;
		reader->lost += first - reader->next;
		reader->next = first;
	}
	if (reader->next == reader->end)
		return 0;
	record = &log->records[reader->next % log->capacity];
	interface = interface_find(reader, record->interface);
	if (interface < reader->interface_count)
		return record_write(reader, record, interface);
	if (interface == PACKET_LOG_INTERFACES)
		return section_begin(reader);
	return interface_describe(reader, record->interface);
}

size_t packet_log_read(struct packet_log_reader *reader, void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t part = reader->block_used - reader->block_at;

		if (part == 0) {
			reader->block_at = 0;
			reader->block_used = (uint32_t)block_make(reader);
			if (reader->block_used == 0)
				break;
			continue;
		}
		part = part < bytes - done ? part : bytes - done;
		memcpy((uint8_t *)to + done, reader->block + reader->block_at, part);
		reader->block_at += (uint32_t)part;
		done += part;
	}
	return done;
}
