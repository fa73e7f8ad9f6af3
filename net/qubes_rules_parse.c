/* SPDX-License-Identifier: ISC */
/* The text of one QubesOS rule. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/qubes_rules_internal.h"
#include "net/rules_internal.h"

enum key {
	KEY_ACTION,
	KEY_DST4,
	KEY_DST6,
	KEY_DSTHOST,
	KEY_PROTO,
	KEY_DSTPORTS,
	KEY_ICMPTYPE,
	KEY_SPECIALTARGET,
	KEY_EXPIRE,
	KEY_COMMENT,
	KEYS,
};

struct reader {
	const char *text;
	uint8_t version;
	struct qubes_rule *rule;
	struct qubes_rules_error *error;
	uint32_t seen;		/* bit k: enum key k was there */
	uint32_t columns[KEYS]; /* of the values */
};

/* The value that is being read. */
struct value {
	const char *text;
	size_t length;
	uint32_t column;
};

static int fail(struct reader *r, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct reader *r, uint32_t column, const char *format, ...)
{
	va_list arguments;

	r->error->column = column;
	va_start(arguments, format);
	vsnprintf(r->error->message, sizeof(r->error->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool is(const struct value *value, const char *word)
{
	return value->length == strlen(word) && memcmp(value->text, word, value->length) == 0;
}

static bool seen(const struct reader *r, enum key key)
{
	return r->seen >> key & 1;
}

static int take_action(struct reader *r, const struct value *value)
{
	r->rule->accept = is(value, "accept");
	if (!r->rule->accept && !is(value, "drop"))
		return fail(r, value->column, "expected accept or drop");
	return 0;
}

static int take_dst4(struct reader *r, const struct value *value)
{
	struct qubes_rule *rule = r->rule;
	be32 address;

	if (r->version != 4)
		return fail(r, value->column, "dst4 in a list of an IPv6 address");
	if (ip4_text_parse_prefix(value->text, value->length, &address, &rule->prefix))
		return fail(r, value->column, "expected an IPv4 address like 10.0.0.0/8");
	rule->destination = ip_address_of4(address);
	ip_address_mask(&rule->destination, rule->prefix);
	return 0;
}

static int take_dst6(struct reader *r, const struct value *value)
{
	struct qubes_rule *rule = r->rule;
	uint8_t bytes[16];

	if (r->version != 6)
		return fail(r, value->column, "dst6 in a list of an IPv4 address");
	if (ip6_text_parse_prefix(value->text, value->length, bytes, &rule->prefix))
		return fail(r, value->column, "expected an IPv6 address like 2001:db8::/32");
	rule->destination = ip_address_of6(bytes);
	ip_address_mask(&rule->destination, rule->prefix);
	return 0;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static int take_dsthost(struct reader *r, const struct value *value)
{
	if (value->length == 0 || value->length > QUBES_RULES_NAME_MAX)
		return fail(r, value->column, "a host name has 1 to %u bytes",
			    QUBES_RULES_NAME_MAX);
	for (size_t i = 0; i < value->length; i++)
		if (!is_name_byte(value->text[i]))
			return fail(r, value->column + (uint32_t)i, "expected a host name");
	r->rule->name = malloc(value->length + 1);
	if (!r->rule->name) {
		(void)fail(r, 0, "no memory");
		return -ENOMEM;
	}
	memcpy(r->rule->name, value->text, value->length);
	r->rule->name[value->length] = '\0';
	return 0;
}

static int take_proto(struct reader *r, const struct value *value)
{
	if (is(value, "tcp"))
		r->rule->protocol = RULES_TCP;
	else if (is(value, "udp"))
		r->rule->protocol = RULES_UDP;
	else if (is(value, "icmp"))
		r->rule->protocol = r->version == 4 ? RULES_ICMP : RULES_ICMP6;
	else
		return fail(r, value->column, "expected tcp, udp or icmp");
	return 0;
}

static int take_dstports(struct reader *r, const struct value *value)
{
	const char *dash = memchr(value->text, '-', value->length);
	size_t first = dash ? (size_t)(dash - value->text) : value->length;
	uint32_t low, high;

	if (ip4_text_parse_number(value->text, first, UINT16_MAX, &low))
		return fail(r, value->column, "expected a port or a range like 80-90");
	high = low;
	if (dash && ip4_text_parse_number(dash + 1, value->length - first - 1, UINT16_MAX, &high))
		return fail(r, value->column + (uint32_t)first + 1, "expected a port");
	if (high < low)
		return fail(r, value->column, "the range ends before it begins");
	r->rule->has_ports = true;
	r->rule->port_low = (uint16_t)low;
	r->rule->port_high = (uint16_t)high;
	return 0;
}

static int take_icmptype(struct reader *r, const struct value *value)
{
	uint32_t type;

	if (ip4_text_parse_number(value->text, value->length, 255, &type))
		return fail(r, value->column, "expected an ICMP type, 0 to 255");
	r->rule->icmp_type = (uint16_t)type;
	return 0;
}

static int take_specialtarget(struct reader *r, const struct value *value)
{
	if (!is(value, "dns"))
		return fail(r, value->column, "expected dns");
	r->rule->dns = true;
	return 0;
}

static int take_expire(struct reader *r, const struct value *value)
{
	uint32_t seconds;

	if (ip4_text_parse_number(value->text, value->length, UINT32_MAX, &seconds) || !seconds)
		return fail(r, value->column, "expected a time in seconds");
	r->rule->expire = seconds;
	return 0;
}

static int take_comment(struct reader *r, const struct value *value)
{
	(void)r;
	(void)value;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct reader *r, const struct value *value);
} keys[KEYS] = {
	[KEY_ACTION] = { "action", take_action },
	[KEY_DST4] = { "dst4", take_dst4 },
	[KEY_DST6] = { "dst6", take_dst6 },
	[KEY_DSTHOST] = { "dsthost", take_dsthost },
	[KEY_PROTO] = { "proto", take_proto },
	[KEY_DSTPORTS] = { "dstports", take_dstports },
	[KEY_ICMPTYPE] = { "icmptype", take_icmptype },
	[KEY_SPECIALTARGET] = { "specialtarget", take_specialtarget },
	[KEY_EXPIRE] = { "expire", take_expire },
	[KEY_COMMENT] = { "comment", take_comment },
};

static enum key key_find(const char *text, size_t length)
{
	unsigned int key = 0;

	while (key < KEYS &&
	       (strlen(keys[key].name) != length || memcmp(keys[key].name, text, length) != 0))
		key++;
	return (enum key)key;
}

/* "key=value" at text[at .. end). */
static int take_word(struct reader *r, size_t at, size_t end)
{
	const char *word = r->text + at;
	const char *equals = memchr(word, '=', end - at);
	uint32_t column = (uint32_t)at + 1;
	size_t length = equals ? (size_t)(equals - word) : 0;
	int shown = length < 16 ? (int)length : 16;
	struct value value;
	enum key key;

	if (!equals)
		return fail(r, column, "expected KEY=VALUE");
	key = key_find(word, length);
	if (key == KEYS)
		return fail(r, column, "\"%.*s\" is not known", shown, word);
	if (seen(r, key))
		return fail(r, column, "%s is said twice", keys[key].name);
	value = (struct value){ equals + 1, end - at - length - 1, column + (uint32_t)length + 1 };
	r->seen |= 1u << key;
	r->columns[key] = value.column;
	return keys[key].take(r, &value);
}

/* What must fit together. */
static int check(struct reader *r, size_t length)
{
	struct qubes_rule *rule = r->rule;
	bool is_icmp = rule->protocol == RULES_ICMP || rule->protocol == RULES_ICMP6;
	uint32_t destinations = (seen(r, KEY_DST4) ? 1u : 0) + (seen(r, KEY_DST6) ? 1u : 0) +
				(seen(r, KEY_DSTHOST) ? 1u : 0);

	if (!seen(r, KEY_ACTION))
		return fail(r, (uint32_t)length + 1, "there is no action");
	if (destinations > 1 || (rule->dns && seen(r, KEY_DSTHOST)))
		return fail(r, r->columns[KEY_DSTHOST], "more than one destination");
	if (rule->has_ports && is_icmp)
		return fail(r, r->columns[KEY_DSTPORTS], "dstports needs proto tcp or udp");
	if (rule->dns && is_icmp)
		return fail(r, r->columns[KEY_SPECIALTARGET], "dns needs proto tcp or udp");
	if (!seen(r, KEY_ICMPTYPE))
		return 0;
	if (rule->has_ports || rule->dns || (seen(r, KEY_PROTO) && !is_icmp))
		return fail(r, r->columns[KEY_ICMPTYPE], "icmptype needs proto icmp");
	rule->protocol = r->version == 4 ? RULES_ICMP : RULES_ICMP6;
	return 0;
}

static int take_all(struct reader *r, size_t length)
{
	size_t at = 0;

	while (at < length) {
		const char *blank = memchr(r->text + at, ' ', length - at);
		size_t end = blank ? (size_t)(blank - r->text) : length;
		int error;

		if (strncmp(r->text + at, "comment=", end - at < 8 ? end - at : 8) == 0 &&
		    end - at >= 8)
			end = length;
		/* Several blanks in a row, or around the rule, are as good as one. */
		error = end > at ? take_word(r, at, end) : 0;
		if (error)
			return error;
		at = end + 1;
	}
	return check(r, length);
}

int qubes_rule_parse(const char *text, size_t length, uint8_t version, struct qubes_rule *rule,
		     struct qubes_rules_error *error)
{
	struct reader r = { .text = text, .version = version, .rule = rule, .error = error };
	int result;

	*rule = (struct qubes_rule){ .protocol = RULES_ANY_PROTOCOL, .icmp_type = RULES_ANY_ICMP };
	if (length > QUBES_RULES_TEXT_MAX)
		return fail(&r, QUBES_RULES_TEXT_MAX + 1, "more than %u bytes",
			    QUBES_RULES_TEXT_MAX);
	if (memchr(text, '\0', length))
		return fail(&r, 1, "a zero byte in the rule");
	result = take_all(&r, length);
	if (result) {
		free(rule->name);
		rule->name = NULL;
	}
	return result;
}
