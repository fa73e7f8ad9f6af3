/* SPDX-License-Identifier: ISC */
#include "net/dns_message.h"

#include <errno.h>
#include <string.h>

#define LABEL_KIND 0xc0u
#define LABEL_POINTER 0xc0u
#define POINTERS 64u	       /* that one name may follow */
#define RECORD_FIXED_BYTES 10u /* type, class, TTL, length */
#define QUESTION_FIXED_BYTES 4u
#define SOA_FIXED_BYTES 20u
#define TTL_TOP_BIT 0x80000000u

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint8_t *put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_host_byte(uint8_t c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool label_is_valid(const char *label, size_t length)
{
	if (length == 0 || length > DNS_LABEL_BYTES)
		return false;
	if (label[0] == '-' || label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_host_byte((uint8_t)label[i]))
			return false;
	return true;
}

/* Appends a label; there must be room for the end's empty one behind it. */
static bool name_append(struct dns_name *name, const uint8_t *label, size_t length)
{
	if (name->length + 1 + length + 1 > DNS_NAME_BYTES)
		return false;
	name->bytes[name->length] = (uint8_t)length;
	memcpy(name->bytes + name->length + 1, label, length);
	name->length = (uint8_t)(name->length + 1 + length);
	return true;
}

static void name_end(struct dns_name *name)
{
	name->bytes[name->length++] = 0;
}

int dns_name_from_text(struct dns_name *name, const char *text, size_t length)
{
	size_t start = 0;

	name->length = 0;
	if (length > 1 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > DNS_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] != '.')
			continue;
		if (!label_is_valid(text + start, i - start) ||
		    !name_append(name, (const uint8_t *)text + start, i - start))
			return -EINVAL;
		start = i + 1;
	}
	name_end(name);
	dns_name_lower(name);
	return 0;
}

size_t dns_name_to_text(const struct dns_name *name, char *text, size_t size)
{
	size_t used = 0;
	size_t label_end = 0; /* where the next length byte lies */

	if (size == 0)
		return 0;
	for (size_t i = 0; i + 1 < name->length && used + 1 < size; i++) {
		if (i == label_end) {
			label_end += 1u + name->bytes[i];
			if (i)
				text[used++] = '.';
			continue;
		}
		text[used++] = is_host_byte(name->bytes[i]) ? (char)name->bytes[i] : '?';
	}
	text[used] = '\0';
	return used;
}

/*
 * Length bytes are below 64 and so no letters: case can be changed without a walk of the
 * labels.
 */
void dns_name_lower(struct dns_name *name)
{
	for (size_t i = 0; i < name->length; i++)
		name->bytes[i] = lower(name->bytes[i]);
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

void dns_name_mix_case(struct dns_name *name, uint64_t random)
{
	for (size_t i = 0; i < name->length; i++) {
		if (!is_letter(name->bytes[i]))
			continue;
		name->bytes[i] = (uint8_t)((name->bytes[i] & ~0x20u) | (random & 1 ? 0x20u : 0));
		random = random >> 1 | random << 63;
	}
}

/*
 * Reads a name at `*at` and moves `*at` behind it. Each pointer leads to before the part
 * that holds it began, and there are not more than POINTERS, so that many records which
 * name chains of pointers cost little.
 */
static bool name_read(const struct dns_message *message, size_t *at, struct dns_name *name)
{
	size_t place = *at;
	size_t part = *at; /* where the present part began */
	uint32_t pointers = 0;

	name->length = 0;
	for (;;) {
		uint8_t length;

		if (place >= message->bytes)
			return false;
		length = message->data[place];
		if ((length & LABEL_KIND) == LABEL_POINTER) {
			if (message->bytes - place < 2)
				return false;
			if (pointers++ == 0)
				*at = place + 2;
			place = get16(message->data + place) & 0x3fffu;
			if (place >= part || place < DNS_HEADER_BYTES || pointers > POINTERS)
				return false;
			part = place;
			continue;
		}
		if (length & LABEL_KIND)
			return false;
		if (length == 0)
			break;
		if (message->bytes - place <= length ||
		    !name_append(name, message->data + place + 1, length))
			return false;
		place += 1u + length;
	}
	name_end(name);
	if (pointers == 0)
		*at = place + 1;
	return true;
}

int dns_message_read(struct dns_message *message, const void *data, size_t bytes,
		     struct dns_question *question)
{
	memset(message, 0, sizeof(*message));
	message->data = data;
	message->bytes = bytes;
	if (bytes < DNS_HEADER_BYTES)
		return -EINVAL;
	message->id = get16(message->data);
	message->flags = get16(message->data + 2);
	for (size_t i = 0; i < 3; i++)
		message->counts[i] = get16(message->data + 6 + 2 * i);
	if (get16(message->data + 4) != 1)
		return -EINVAL;
	message->records = DNS_HEADER_BYTES;
	if (!name_read(message, &message->records, &question->name) ||
	    bytes - message->records < QUESTION_FIXED_BYTES)
		return -EINVAL;
	question->type = get16(message->data + message->records);
	question->class = get16(message->data + message->records + 2);
	message->records += QUESTION_FIXED_BYTES;
	dns_record_rewind(message);
	return 0;
}

void dns_record_rewind(struct dns_message *message)
{
	message->at = message->records;
	message->done = 0;
	message->section = DNS_ANSWER;
}

int dns_record_next(struct dns_message *message, struct dns_record *record)
{
	const uint8_t *fixed;

	while (message->done == message->counts[message->section]) {
		if (message->section == DNS_ADDITIONAL)
			return 0;
		message->section++;
		message->done = 0;
	}
	if (!name_read(message, &message->at, &record->name) ||
	    message->bytes - message->at < RECORD_FIXED_BYTES)
		return -EINVAL;
	dns_name_lower(&record->name);
	fixed = message->data + message->at;
	record->type = get16(fixed);
	record->class = get16(fixed + 2);
	record->ttl = get32(fixed + 4);
	if (record->ttl & TTL_TOP_BIT)
		record->ttl = 0;
	record->bytes = get16(fixed + 8);
	record->data = fixed + RECORD_FIXED_BYTES;
	record->section = message->section;
	message->at += RECORD_FIXED_BYTES;
	if (message->bytes - message->at < record->bytes)
		return -EINVAL;
	message->at += record->bytes;
	message->done++;
	return 1;
}

/* A name inside a record's data, which must not run out of it. */
static bool name_in_record(const struct dns_message *message, const struct dns_record *record,
			   size_t *at, struct dns_name *name)
{
	size_t end = (size_t)(record->data - message->data) + record->bytes;

	return name_read(message, at, name) && *at <= end;
}

int dns_record_cname(const struct dns_message *message, const struct dns_record *record,
		     struct dns_name *name)
{
	size_t at = (size_t)(record->data - message->data);

	if (!name_in_record(message, record, &at, name) ||
	    at != (size_t)(record->data - message->data) + record->bytes)
		return -EINVAL;
	dns_name_lower(name);
	return 0;
}

int dns_record_negative_ttl(const struct dns_message *message, const struct dns_record *record,
			    uint32_t *ttl)
{
	size_t at = (size_t)(record->data - message->data);
	size_t end = at + record->bytes;
	struct dns_name name;
	uint32_t minimum;

	for (int i = 0; i < 2; i++)
		if (!name_in_record(message, record, &at, &name))
			return -EINVAL;
	if (end - at != SOA_FIXED_BYTES)
		return -EINVAL;
	minimum = get32(message->data + end - 4);
	if (minimum & TTL_TOP_BIT)
		minimum = 0;
	*ttl = minimum < record->ttl ? minimum : record->ttl;
	return 0;
}

static uint8_t *opt_write(uint8_t *at)
{
	*at++ = 0; /* the root */
	at = put16(at, DNS_TYPE_OPT);
	at = put16(at, DNS_UDP_BYTES);
	at = put16(at, 0); /* extended RCODE, version */
	at = put16(at, 0); /* flags */
	return put16(at, 0);
}

size_t dns_query_write(uint8_t *to, uint16_t id, const struct dns_name *name, uint16_t type,
		       bool edns)
{
	uint8_t *at = to;

	at = put16(at, id);
	at = put16(at, DNS_FLAG_RECURSION_DESIRED);
	at = put16(at, 1);
	at = put16(at, 0);
	at = put16(at, 0);
	at = put16(at, edns ? 1 : 0);
	memcpy(at, name->bytes, name->length);
	at += name->length;
	at = put16(at, type);
	at = put16(at, DNS_CLASS_IN);
	if (edns)
		at = opt_write(at);
	return (size_t)(at - to);
}
