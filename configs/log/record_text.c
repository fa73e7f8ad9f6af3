/* SPDX-License-Identifier: ISC */
/* Records as text. What a disk holds must not reach a terminal as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "configs/log/log.h"
#include "lib/drop.h"
#include "lib/time_text.h"

#define WORD_BYTES 64u

void text_copy(const struct log_disk_text *text, char *to, size_t size)
{
	size_t length = text->length < size - 1 ? text->length : size - 1;

	for (size_t i = 0; i < length; i++)
		to[i] = text->bytes[i] >= ' ' && text->bytes[i] < 127 ? text->bytes[i] : '?';
	to[length] = '\0';
}

static const char *verdict_name(uint8_t verdict)
{
	switch (verdict) {
	case LOG_DISK_PASS:
		return "pass";
	case LOG_DISK_BLOCK:
		return "block";
	case LOG_DISK_BLOCK_RETURN:
		return "block return";
	case LOG_DISK_DROP:
		return "drop";
	default:
		return "?";
	}
}

/* What the name of a reason means; NULL: of a version that this one does not know. */
static const char *reason_meaning(const char *name)
{
	for (unsigned int i = 0; i < DROP_REASON_COUNT; i++)
		if (strcmp(drop_name((enum drop_reason)i), name) == 0)
			return drop_text((enum drop_reason)i);
	return NULL;
}

/* For example: line 12 "web": block (blocked: a rule said block) */
void packet_comment(const struct log_disk_packet *packet, char *to, size_t size)
{
	char label[WORD_BYTES], reason[WORD_BYTES], rule[WORD_BYTES + 32] = "", why[256] = "";
	char left_out[48] = "";
	const char *meaning;

	text_copy(&packet->label, label, sizeof(label));
	text_copy(&packet->reason, reason, sizeof(reason));
	meaning = reason_meaning(reason);
	if (packet->line)
		snprintf(rule, sizeof(rule), "line %" PRIu32 "%s%s%s: ", packet->line,
			 label[0] ? " \"" : "", label, label[0] ? "\"" : "");
	if (reason[0])
		snprintf(why, sizeof(why), " (%s%s%s)", reason, meaning ? ": " : "",
			 meaning ? meaning : "");
	if (packet->left_out)
		snprintf(left_out, sizeof(left_out), "; %" PRIu64 " were left out before",
			 packet->left_out);
	snprintf(to, size, "%s%s%s%s", rule, verdict_name(packet->verdict), why, left_out);
}

static const char *direction_name(uint8_t direction)
{
	return direction == LOG_DISK_IN ? "in" : direction == LOG_DISK_OUT ? "out" : "?";
}

/* "in on client1.0: line 3: block (...): tcp 10.0.0.5:4000 > ..., 60 bytes" */
static void packet_line(const struct log_disk_packet *packet, char *to, size_t size)
{
	char interface[WORD_BYTES], comment[COMMENT_BYTES], text[PACKET_TEXT_BYTES];

	text_copy(&packet->interface, interface, sizeof(interface));
	packet_comment(packet, comment, sizeof(comment));
	packet_text(packet->bytes, packet->captured, text, sizeof(text));
	snprintf(to, size, "%s on %s: %s, %" PRIu32 " bytes: %s", direction_name(packet->direction),
		 interface, text, packet->length, comment);
}

void record_text(const struct log_disk_record *record, char *to, size_t size)
{
	char time[TIME_TEXT_BYTES], text[LOG_DISK_LINE_MOST + 1] = "?";

	time_text_format(record->time_ns, time);
	if (record->kind == LOG_DISK_LINE)
		text_copy(&record->line, text, sizeof(text));
	else if (record->kind == LOG_DISK_PACKET)
		packet_line(&record->packet, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "a record of kind %u, of a later version",
			 record->kind);
	snprintf(to, size, "%s %s\n", time, text);
}
