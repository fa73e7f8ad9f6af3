/* SPDX-License-Identifier: ISC */
/* What an answer says about the name that was asked for. */
#include <errno.h>
#include <string.h>

#include "net/names_internal.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The CNAME of answer->name, if the answer holds one: 1; 0: none; -EINVAL. */
static int chain_step(struct dns_message *message, struct names_answer *answer)
{
	struct dns_record record;
	int result;

	dns_record_rewind(message);
	while ((result = dns_record_next(message, &record)) == 1) {
		if (record.section != DNS_ANSWER)
			return 0;
		if (record.type != DNS_TYPE_CNAME || record.class != DNS_CLASS_IN ||
		    !dns_name_equal(&record.name, &answer->name))
			continue;
		if (dns_record_cname(message, &record, &answer->name))
			return -EINVAL;
		answer->ttl = least(answer->ttl, record.ttl);
		return 1;
	}
	return result;
}

/*
 * An address record's address. An AAAA record with an IPv4 address inside (RFC 4291,
 * 2.5.5.2) is none: nothing on the wire may have it.
 */
static bool address_read(const struct dns_record *record, struct names_address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	be32 ip4;

	if (record->type == DNS_TYPE_A && record->bytes == sizeof(ip4)) {
		memcpy(&ip4, record->data, sizeof(ip4));
		*address = names_address_ip4(ip4);
		return true;
	}
	if (record->type != DNS_TYPE_AAAA || record->bytes != sizeof(address->bytes) ||
	    memcmp(record->data, mapped, sizeof(mapped)) == 0)
		return false;
	memcpy(address->bytes, record->data, sizeof(address->bytes));
	return true;
}

static int addresses_gather(struct dns_message *message, uint16_t type, struct names_answer *answer)
{
	struct dns_record record;
	int result;

	dns_record_rewind(message);
	while ((result = dns_record_next(message, &record)) == 1) {
		if (record.class != DNS_CLASS_IN)
			continue;
		if (record.section == DNS_AUTHORITY && record.type == DNS_TYPE_SOA &&
		    !answer->has_negative)
			answer->has_negative = dns_record_negative_ttl(message, &record,
								       &answer->negative_ttl) == 0;
		if (record.section != DNS_ANSWER || record.type != type ||
		    answer->count == NAMES_ADDRESSES ||
		    !dns_name_equal(&record.name, &answer->name) ||
		    !address_read(&record, &answer->addresses[answer->count]))
			continue;
		answer->count++;
		answer->ttl = least(answer->ttl, record.ttl);
	}
	return result;
}

int names_answer_read(struct dns_message *message, const struct dns_question *question,
		      struct names_answer *answer)
{
	int result;

	memset(answer, 0, sizeof(*answer));
	answer->name = question->name;
	answer->ttl = NAMES_TTL_MAX_S;
	dns_name_lower(&answer->name);
	while ((result = chain_step(message, answer)) == 1)
		if (++answer->chain > NAMES_CHAIN)
			return -ELOOP;
	if (!result)
		result = addresses_gather(message, question->type, answer);
	if (result)
		return result;
	if (answer->ttl < NAMES_TTL_MIN_S)
		answer->ttl = NAMES_TTL_MIN_S;
	return 0;
}
