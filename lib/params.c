/* SPDX-License-Identifier: ISC */
#include "lib/params.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"

#define MANAGE_PORT 80u

/* One "key=value"; `text` is the value. */
struct word {
	const char *text;
	size_t length;
	uint32_t column;
};

static void complain(struct params *params, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void complain(struct params *params, uint32_t column, const char *format, ...)
{
	struct params_error *error;
	va_list arguments;

	if (params->error_count++ >= PARAMS_ERRORS_MAX)
		return;
	error = &params->errors[params->error_count - 1];
	error->column = column;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

/* No network's or host's address: 0/8, loopback, multicast and above. */
static bool is_host_address(be32 address)
{
	uint32_t first = be32_get(address) >> 24;

	return first != 0 && first != 127 && first < 224;
}

static bool value_is(const struct word *value, const char *text)
{
	return value->length == strlen(text) && memcmp(value->text, text, value->length) == 0;
}

static void parse_ip(struct params *params, const struct word *value)
{
	params->dhcp = value_is(value, "dhcp");
	if (params->dhcp)
		return;
	if (ip4_text_parse_prefix(value->text, value->length, &params->ip, &params->prefix) ||
	    !is_host_address(params->ip)) {
		complain(params, value->column, "ip= is dhcp or an address like 10.137.0.5/24");
		return;
	}
	params->has_ip = true;
}

static void parse_gateway(struct params *params, const struct word *value)
{
	if (ip4_text_parse(value->text, value->length, &params->gateway) ||
	    !is_host_address(params->gateway)) {
		complain(params, value->column, "gw= needs an address like 10.137.0.1");
		return;
	}
	params->has_gateway = true;
}

/* No group's, not :: and not ::1. */
static bool is_host_address6(const uint8_t *bytes)
{
	static const uint8_t zero[15];

	return bytes[0] != 0xff && (memcmp(bytes, zero, sizeof(zero)) != 0 || bytes[15] > 1);
}

static bool is_link_local(const struct ip_address *address)
{
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

static bool parse_address6(const char *text, size_t length, struct ip_address *address,
			   uint8_t *prefix)
{
	uint8_t bytes[16];

	if ((prefix ? ip6_text_parse_prefix(text, length, bytes, prefix)
		    : ip6_text_parse(text, length, bytes)) ||
	    !is_host_address6(bytes))
		return false;
	*address = ip_address_of6(bytes);
	return true;
}

/* "auto", or A/LEN,GATEWAY; the gateway is mostly a link-local address, ours is not. */
static void parse_ip6(struct params *params, const struct word *value)
{
	const char *comma = memchr(value->text, ',', value->length);
	size_t first = comma ? (size_t)(comma - value->text) : value->length;

	params->ip6_auto = value_is(value, "auto");
	if (params->ip6_auto)
		return;
	if (!parse_address6(value->text, first, &params->ip6, &params->prefix6) ||
	    is_link_local(&params->ip6))
		complain(params, value->column, "ip6= is auto or like 2001:db8::5/64,fe80::1");
	else if (!comma ||
		 !parse_address6(comma + 1, value->length - first - 1, &params->gateway6, NULL))
		complain(params, value->column + (uint32_t)first,
			 "ip6= needs a gateway behind a comma, like fe80::1");
	else if (ip_address_equal(&params->ip6, &params->gateway6))
		complain(params, value->column, "ip6= and its gateway are the same address");
	else
		params->has_ip6 = true;
}

static bool parse_any_address(const char *text, size_t length, struct ip_address *address)
{
	be32 four;

	if (ip4_text_parse(text, length, &four))
		return parse_address6(text, length, address, NULL);
	*address = ip_address_of4(four);
	return is_host_address(four);
}

static void parse_dns(struct params *params, const struct word *value)
{
	size_t done = 0;

	while (done <= value->length) {
		const char *item = value->text + done;
		const char *comma = memchr(item, ',', value->length - done);
		size_t length = comma ? (size_t)(comma - item) : value->length - done;
		uint32_t column = value->column + (uint32_t)done;
		struct ip_address address;

		if (!parse_any_address(item, length, &address)) {
			complain(params, column, "dns= needs addresses like 10.139.1.1,10.139.1.2");
			return;
		}
		if (params->dns_count == PARAMS_DNS_MAX) {
			complain(params, column, "dns= takes at most %u addresses", PARAMS_DNS_MAX);
			return;
		}
		params->dns[params->dns_count++] = address;
		done += length + 1;
	}
}

static void parse_nat(struct params *params, const struct word *value)
{
	params->masquerade4 = value_is(value, "ip4") || value_is(value, "both");
	params->masquerade6 = value_is(value, "ip6") || value_is(value, "both");
	if (!params->masquerade4 && !params->masquerade6 && !value_is(value, "none"))
		complain(params, value->column, "nat= is ip4, ip6, both or none");
}

static void parse_log(struct params *params, const struct word *value)
{
	char text[8] = "";
	int level = -EINVAL;

	if (value->length < sizeof(text)) {
		memcpy(text, value->text, value->length);
		level = log_level_parse(text);
	}
	if (level < 0)
		complain(params, value->column, "log= is error, warn, info or debug");
	else
		params->log = (enum log_level)level;
}

/* 1 to 65535. */
static bool parse_port(const char *text, size_t length, uint16_t *port)
{
	uint32_t number = 0;

	if (length == 0 || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(text[i] - '0');
	}
	*port = (uint16_t)number;
	return number != 0 && number <= UINT16_MAX;
}

/* Where the address ends: "A", "A:PORT" of IPv4, "[A]" or "[A]:PORT"; NULL: nowhere. */
static const char *address_end(const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);

	if (length && text[0] == '[')
		return memchr(text, ']', length);
	if (!colon || memchr(colon + 1, ':', (size_t)(text + length - colon) - 1))
		return text + length;
	return colon;
}

int params_parse_manage(const char *text, size_t length, struct params_manage *manage)
{
	static const char uplink[] = ",uplink";
	const size_t uplink_bytes = sizeof(uplink) - 1;
	struct params_manage result = { .port = MANAGE_PORT };
	const char *begin = text, *end;
	size_t rest;

	if (length > uplink_bytes &&
	    memcmp(text + length - uplink_bytes, uplink, uplink_bytes) == 0) {
		result.uplink = true;
		length -= uplink_bytes;
	}
	end = address_end(text, length);
	if (!end)
		return -EINVAL;
	begin += text[0] == '[';
	if (!parse_any_address(begin, (size_t)(end - begin), &result.peer) ||
	    (text[0] == '[' && result.peer.version != 6) ||
	    (result.peer.version == 6 && is_link_local(&result.peer)))
		return -EINVAL;
	end += text[0] == '[';
	rest = (size_t)(text + length - end);
	if (rest && (*end != ':' || !parse_port(end + 1, rest - 1, &result.port)))
		return -EINVAL;
	*manage = result;
	return 0;
}

static void parse_manage(struct params *params, const struct word *value)
{
	if (params_parse_manage(value->text, value->length, &params->manage))
		complain(params, value->column,
			 "manage= is like 10.137.1.10, 10.137.1.10:8080 or 192.0.2.7,uplink");
}

static void parse_qubes(struct params *params, const struct word *value)
{
	params->qubes = !value_is(value, "no");
	if (params->qubes && !value_is(value, "auto"))
		complain(params, value->column, "qubes= is auto or no");
}

/* Letters first, like xvda, sdb1, vbd51728: other names could not be told from mistakes. */
static bool is_disk_name(const char *text, size_t length)
{
	if (length < 2 || length >= PARAMS_DISK_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool letter = text[i] >= 'a' && text[i] <= 'z';
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (!letter && !(digit && i))
			return false;
	}
	return true;
}

/* Whether it is one; then it is copied. */
static bool parse_disk(const char *text, size_t length, char name[PARAMS_DISK_BYTES])
{
	if (!is_disk_name(text, length))
		return false;
	memcpy(name, text, length);
	name[length] = '\0';
	return true;
}

static void parse_rules(struct params *params, const struct word *value)
{
	if (!parse_disk(value->text, value->length, params->rules_disk))
		complain(params, value->column, "rules= is a disk's name like xvdb");
}

static void parse_logdisk(struct params *params, const struct word *value)
{
	static const char format[] = ",format";
	size_t length = value->length, rest = sizeof(format) - 1;

	params->log_disk_format =
		length > rest && memcmp(value->text + length - rest, format, rest) == 0;
	length -= params->log_disk_format ? rest : 0;
	if (!parse_disk(value->text, length, params->log_disk))
		complain(params, value->column, "logdisk= is like xvda or xvda,format");
}

static void parse_fault(struct params *params, const struct word *value)
{
	if (value->length == 0 || value->length >= sizeof(params->fault)) {
		complain(params, value->column, "fault= needs a short word");
		return;
	}
	memcpy(params->fault, value->text, value->length);
	params->fault[value->length] = '\0';
}

static const struct {
	const char *name;
	void (*parse)(struct params *params, const struct word *value);
} keys[] = {
	{ "ip", parse_ip },	  { "gw", parse_gateway },	{ "dns", parse_dns },
	{ "nat", parse_nat },	  { "log", parse_log },		{ "fault", parse_fault },
	{ "ip6", parse_ip6 },	  { "qubes", parse_qubes },	{ "manage", parse_manage },
	{ "rules", parse_rules }, { "logdisk", parse_logdisk },
};

/* What toolstacks put on every Linux command line; matched to the '=' or to the end. */
static const char *const foreign[] = {
	"root",
	"ro",
	"rw",
	"nomodeset",
	"console",
	"quiet",
	"splash",
	"rd_NO_PLYMOUTH",
	"rd.plymouth.enable",
	"plymouth.enable",
	"clocksource",
	"xen_scrub_pages",
	"selinux",
	"swiotlb",
	"apparmor",
	"security",
	"rhgb",
	"rootflags",
	"earlyprintk",
	"noresume",
	"kernelopts",
	"init",
	"usbcore.authorized_default",
	"gpt",
};

static bool name_is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool is_foreign(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (name_is(word, length, foreign[i]))
			return true;
	return false;
}

/* Whether anybody knows it. */
static bool parse_word(struct params *params, const char *word, size_t length, uint32_t column,
		       uint32_t *seen)
{
	const char *equals = memchr(word, '=', length);
	size_t name = equals ? (size_t)(equals - word) : length;
	struct word value = { equals ? equals + 1 : word + length, equals ? length - name - 1 : 0,
			      column + (uint32_t)name + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!name_is(word, name, keys[i].name))
			continue;
		if (*seen & 1u << i)
			complain(params, column, "%s= is given twice", keys[i].name);
		else if (!equals)
			complain(params, column, "%s needs =VALUE", keys[i].name);
		else
			keys[i].parse(params, &value);
		*seen |= 1u << i;
		return true;
	}
	return is_foreign(word, name);
}

static bool begins_with(const char *word, size_t length, const char *own)
{
	return own && length >= strlen(own) && memcmp(word, own, strlen(own)) == 0;
}

static void unknown_word(struct params *params, const char *word, size_t length, uint32_t column,
			 bool tolerated)
{
	if (tolerated)
		params->unknown++;
	else
		complain(params, column, "unknown word \"%.*s\"", (int)(length < 40 ? length : 40),
			 word);
}

/*
 * Which of `keys` were there, by bits. Words that begin with `own` (NULL: none) are somebody
 * else's.
 */
static uint32_t parse_words(const char *cmdline, bool tolerant, const char *own,
			    struct params *params)
{
	const char *p = cmdline;
	uint32_t seen = 0;

	memset(params, 0, sizeof(*params));
	params->log = LOG_INFO;
	params->masquerade4 = true;
	params->qubes = true;
	while (*p) {
		size_t length = strcspn(p, " \t\n");
		uint32_t column = (uint32_t)(p - cmdline) + 1;

		if (length && !begins_with(p, length, own) &&
		    !parse_word(params, p, length, column, &seen))
			unknown_word(params, p, length, column, tolerant);
		p += length ? length : 1;
	}
	return seen;
}

/* The log would be written over the rules. */
static void check_disks(struct params *params)
{
	if (params->rules_disk[0] && strcmp(params->rules_disk, params->log_disk) == 0)
		complain(params, 1, "rules= and logdisk= are the same disk");
}

int params_parse_station(const char *cmdline, const char *own, struct params *params)
{
	uint32_t seen = parse_words(cmdline, false, own, params);
	uint32_t end = (uint32_t)strlen(cmdline) + 1;

	if (!(seen & 1u))
		complain(params, end, "ip= is missing");
	if (params->dhcp && (seen & 2u))
		complain(params, 1, "gw= comes by DHCP");
	else if (!params->dhcp && !(seen & 2u))
		complain(params, end, "gw= is missing");
	if (params->has_ip && params->has_gateway && be32_equal(params->ip, params->gateway))
		complain(params, 1, "ip= and gw= are the same address");
	check_disks(params);
	if (own && (params->rules_disk[0] || params->log_disk[0]))
		complain(params, 1, "only the firewall has disks");
	return params->error_count ? -EINVAL : 0;
}

int params_parse(const char *cmdline, struct params *params)
{
	return params_parse_station(cmdline, NULL, params);
}

int params_parse_qubes(const char *cmdline, struct params *params)
{
	(void)parse_words(cmdline, true, NULL, params);
	if (params->dhcp || params->ip6_auto)
		complain(params, 1, "under QubesOS addresses come from QubesDB");
	if (params->rules_disk[0])
		complain(params, 1, "under QubesOS rules come from QubesDB");
	if (params->has_ip && params->has_gateway && be32_equal(params->ip, params->gateway))
		complain(params, 1, "ip= and gw= are the same address");
	return params->error_count ? -EINVAL : 0;
}
