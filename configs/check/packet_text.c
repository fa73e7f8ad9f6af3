/* SPDX-License-Identifier: ISC */
/* Packets as text. */
#include <string.h>

#include "configs/check/check.h"
#include "lib/ip4_text.h"
#include "lib/ip_text.h"

#define TCP_SYN 0x02u

struct word {
	const char *text;
	size_t length;
};

/* The next word; an empty one at the end. */
static struct word word_next(const char **at)
{
	struct word word = { .text = *at + strspn(*at, " \t") };

	word.length = strcspn(word.text, " \t");
	*at = word.text + word.length;
	return word;
}

static bool word_is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

static bool word_number(const struct word *word, uint32_t limit, uint32_t *number)
{
	return ip4_text_parse_number(word->text, word->length, limit, number) == 0;
}

static bool protocol_parse(const struct word *word, uint8_t *protocol)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = { { "icmp", 1 }, { "igmp", 2 }, { "tcp", 6 },    { "udp", 17 },  { "gre", 47 },
		      { "esp", 50 }, { "ah", 51 },  { "icmp6", 58 }, { "sctp", 132 } };
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (word_is(word, names[i].name)) {
			*protocol = names[i].number;
			return true;
		}
	if (!word_number(word, 255, &number))
		return false;
	*protocol = (uint8_t)number;
	return true;
}

/* A, A:PORT, or [A]:PORT; IPv6 needs brackets for a port. */
static bool end_parse(const struct word *word, bool has_port, struct ip_address *address,
		      uint16_t *port)
{
	struct word host = *word, tail = { 0 };
	const char *mark;
	uint32_t number;

	if (!has_port)
		return ip_text_parse(host.text, host.length, address) == 0;
	mark = host.length ? memchr(host.text, host.text[0] == '[' ? ']' : ':', host.length) : NULL;
	if (!mark)
		return false;
	tail.text = *mark == ']' ? mark + 2 : mark + 1;
	if (tail.text > word->text + word->length || tail.text[-1] != ':')
		return false;
	tail.length = (size_t)(word->text + word->length - tail.text);
	host.text += *mark == ']';
	host.length = (size_t)(mark - host.text);
	if (ip_text_parse(host.text, host.length, address) ||
	    !word_number(&tail, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool flags_parse(const struct word *word, uint8_t *flags)
{
	static const char letters[] = "FSRPAUEW";

	*flags = 0;
	for (size_t i = 0; i < word->length; i++) {
		const char *letter = memchr(letters, word->text[i], sizeof(letters) - 1);

		if (!letter)
			return false;
		*flags |= (uint8_t)(1u << (letter - letters));
	}
	return word->length > 0;
}

static const char *interface_parse(const struct word *word, struct packet_text *packet)
{
	if (word->length == 0 || word->length >= sizeof(packet->interface))
		return "expected an interface behind \"on\"";
	memcpy(packet->interface, word->text, word->length);
	packet->interface[word->length] = '\0';
	packet->query.interface = packet->interface;
	packet->query.interface_group =
		strncmp(packet->interface, "uplink", 6) == 0 ? "uplink" : "clients";
	return NULL;
}

/* One word behind the addresses, with its value. */
static const char *option_parse(const struct word *word, const char **at,
				struct packet_text *packet)
{
	struct rules_query *query = &packet->query;
	struct word value;
	uint32_t number;

	if (word_is(word, "in") || word_is(word, "out")) {
		query->direction = word_is(word, "in") ? RULES_IN : RULES_OUT;
		packet->has_direction = true;
		return NULL;
	}
	if (word_is(word, "from-self") || word_is(word, "to-self")) {
		query->source_is_self |= word_is(word, "from-self");
		query->destination_is_self |= word_is(word, "to-self");
		return NULL;
	}
	value = word_next(at);
	if (word_is(word, "on"))
		return interface_parse(&value, packet);
	if (word_is(word, "flags"))
		return flags_parse(&value, &query->tcp_flags) ? NULL : "expected flags such as SA";
	if (!word_is(word, "type") && !word_is(word, "code"))
		return "expected in, out, on, type, code, flags, from-self or to-self";
	if (!word_number(&value, 255, &number))
		return "expected a number up to 255";
	if (word_is(word, "type"))
		query->icmp_type = (uint8_t)number;
	else
		query->icmp_code = (uint8_t)number;
	return NULL;
}

static const char *ends_parse(const char **at, struct rules_query *query)
{
	bool has_port = query->protocol == RULES_TCP || query->protocol == RULES_UDP;
	struct word from = word_next(at), arrow = word_next(at), to = word_next(at);

	if (!end_parse(&from, has_port, &query->source, &query->source_port))
		return "expected ADDRESS:PORT, or ADDRESS where there are no ports";
	if (!word_is(&arrow, ">"))
		return "expected \">\" between the addresses";
	if (!end_parse(&to, has_port, &query->destination, &query->destination_port))
		return "expected ADDRESS:PORT behind \">\"";
	return query->source.version == query->destination.version
		       ? NULL
		       : "the addresses are of different versions";
}

const char *packet_text_parse(const char *text, struct packet_text *packet)
{
	struct word word = word_next(&text);
	const char *wrong;

	memset(packet, 0, sizeof(*packet));
	if (!protocol_parse(&word, &packet->query.protocol))
		return "expected a protocol first";
	wrong = ends_parse(&text, &packet->query);
	if (packet->query.protocol == RULES_TCP)
		packet->query.tcp_flags = TCP_SYN;
	while (!wrong && (word = word_next(&text)).length)
		wrong = option_parse(&word, &text, packet);
	if (!wrong && packet->interface[0] && !packet->has_direction)
		return "\"on\" needs in or out";
	return wrong;
}
