/* SPDX-License-Identifier: ISC */
/* The parser's items: what a list can be made of. */
#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/rules_parser.h"

int rules_pass_number(struct rules_parser *p, uint32_t limit, const char *what, uint32_t *number)
{
	if (p->token.kind != RULES_TOKEN_WORD ||
	    ip4_text_parse_number(p->token.text, p->token.length, limit, number))
		return rules_expected(p, what);
	return rules_advance(p);
}

int rules_parse_protocol(struct rules_parser *p, void *to)
{
	static const struct {
		const char *name;
		uint16_t number;
	} names[] = { { "icmp", 1 },   { "igmp", 2 },	    { "tcp", 6 },  { "udp", 17 },
		      { "icmp6", 58 }, { "ipv6-icmp", 58 }, { "gre", 47 }, { "esp", 50 },
		      { "ah", 51 },    { "sctp", 132 } };
	uint32_t number = RULES_ANY_PROTOCOL;

	(void)to;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (rules_at(p, names[i].name))
			number = names[i].number;
	if (number == RULES_ANY_PROTOCOL &&
	    (p->token.kind != RULES_TOKEN_WORD ||
	     ip4_text_parse_number(p->token.text, p->token.length, 255, &number)))
		return rules_expected(p, "a protocol (tcp, udp, icmp or a number)");
	if (p->protocol_count == RULES_LIST_MAX)
		return rules_fail_at(p, &p->token, "more than %u items in a list", RULES_LIST_MAX);
	p->protocols[p->protocol_count++] = (uint16_t)number;
	return rules_advance(p);
}

bool rules_token_address(const struct rules_token *token, struct ip_address *address,
			 uint8_t *prefix)
{
	uint8_t bytes[16];
	be32 four;

	if (token->kind != RULES_TOKEN_WORD)
		return false;
	if (ip4_text_parse_prefix(token->text, token->length, &four, prefix) == 0)
		*address = ip_address_of4(four);
	else if (ip6_text_parse_prefix(token->text, token->length, bytes, prefix) == 0)
		*address = ip_address_of6(bytes);
	else
		return false;
	ip_address_mask(address, *prefix);
	return true;
}

/* 0-9 and dots behind the last letter: a wrong address. */
static bool ends_in_digits(const char *text, size_t length)
{
	while (length && text[length - 1] >= '0' && text[length - 1] <= '9')
		length--;
	return length == 0 || text[length - 1] == '.';
}

int rules_token_name(struct rules_parser *p, uint16_t *name)
{
	const struct rules_token *t = &p->token;
	int error;

	if (t->kind != RULES_TOKEN_WORD || !memchr(t->text, '.', t->length) ||
	    ends_in_digits(t->text, t->text[t->length - 1] == '.' ? t->length - 1 : t->length))
		return 1;
	error = ruleset_add_name(p->set, t->text, t->length, name);
	if (error == -E2BIG)
		return rules_fail_at(p, t, "more than %u host names", RULES_NAMES_MAX);
	return error == -EINVAL ? 1 : error;
}

static int host_add(struct rules_parser *p, struct rules_hosts *list, const struct rules_host *host)
{
	if (list->count == RULES_LIST_MAX)
		return rules_fail_at(p, &p->token,
				     "more than %u items in a list; a table may have more",
				     RULES_LIST_MAX);
	list->items[list->count++] = *host;
	return 0;
}

static int host_table(struct rules_parser *p, struct rules_hosts *list, struct rules_host *host)
{
	struct rules_table *table;
	int error = rules_parse_table_name(p, &table);

	if (error)
		return error;
	host->kind = RULES_HOST_TABLE;
	host->table = (uint16_t)(table - p->set->tables);
	return host_add(p, list, host);
}

/* What stands behind an optional "!". */
static int host_word(struct rules_parser *p, struct rules_host *host)
{
	if (rules_at(p, "any")) {
		if (host->negated)
			return rules_fail_at(p, &p->token, "\"! any\" matches nothing");
		host->kind = RULES_HOST_ANY;
	} else if (rules_at(p, "self")) {
		host->kind = RULES_HOST_SELF;
	} else if (rules_at(p, "{")) {
		return rules_fail_at(p, &p->token, "a list cannot be negated; a table can");
	} else if (!rules_token_address(&p->token, &host->address, &host->prefix)) {
		int error = rules_refuse(p, &p->token, RULES_REFUSE_HOST);

		if (error)
			return error;
		error = rules_token_name(p, &host->name);
		host->kind = RULES_HOST_NAME;
		return error == 1 ? rules_expected(p, "any, self, <table>, name or address like "
						      "10.0.0.0/8")
				  : error;
	}
	return 0;
}

int rules_parse_host(struct rules_parser *p, void *to)
{
	struct rules_host host = { .kind = RULES_HOST_PREFIX };
	int error;

	if (rules_at(p, "!")) {
		host.negated = true;
		error = rules_advance(p);
		if (error)
			return error;
	}
	if (rules_at(p, "<"))
		return host_table(p, to, &host);
	error = host_word(p, &host);
	if (!error)
		error = host_add(p, to, &host);
	return error ? error : rules_advance(p);
}

static int port_number(struct rules_parser *p, const char *text, size_t length, uint16_t *port)
{
	static const struct {
		const char *name;
		uint16_t number;
	} names[] = {
		{ "ftp", 21 },	     { "ssh", 22 },	      { "telnet", 23 },
		{ "smtp", 25 },	     { "domain", 53 },	      { "bootps", 67 },
		{ "bootpc", 68 },    { "tftp", 69 },	      { "http", 80 },
		{ "www", 80 },	     { "kerberos", 88 },      { "pop3", 110 },
		{ "auth", 113 },     { "ntp", 123 },	      { "imap", 143 },
		{ "snmp", 161 },     { "ldap", 389 },	      { "https", 443 },
		{ "isakmp", 500 },   { "syslog", 514 },	      { "submission", 587 },
		{ "ldaps", 636 },    { "imaps", 993 },	      { "pop3s", 995 },
		{ "openvpn", 1194 }, { "ipsec-nat-t", 4500 }, { "mdns", 5353 },
	};
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0) {
			*port = names[i].number;
			return 0;
		}
	if (ip4_text_parse_number(text, length, UINT16_MAX, &number))
		return rules_expected(p, "a port (0-65535, a range a:b, or a service name)");
	*port = (uint16_t)number;
	return 0;
}

/* "80", "http", "1024:65535", ":1023", "1024:*" is not one. */
static int port_word(struct rules_parser *p, struct rules_ports *ports)
{
	const char *text = p->token.text;
	size_t length = p->token.length;
	const char *colon = memchr(text, ':', length);
	size_t first = colon ? (size_t)(colon - text) : length;
	int error;

	if (p->token.kind != RULES_TOKEN_WORD)
		return rules_expected(p, "a port");
	error = port_number(p, text, first, &ports->low);
	ports->high = ports->low;
	if (!error && colon)
		error = port_number(p, colon + 1, length - first - 1, &ports->high);
	if (!error && ports->low > ports->high)
		return rules_fail_at(p, &p->token, "the range ends before it begins");
	return error ? error : rules_advance(p);
}

/* The forms with an operator in front: = != < <= > >= */
static int port_compare(struct rules_parser *p, struct rules_ports *ports)
{
	struct rules_token mark = p->token;
	struct rules_ports value = { 0 };
	int error = rules_advance(p);

	if (!error)
		error = port_word(p, &value);
	if (error)
		return error;
	if (value.low != value.high)
		return rules_fail_at(p, &mark, "a range takes no operator");
	*ports = value;
	if (rules_token_is(&mark, "!="))
		ports->outside = true;
	else if (rules_token_is(&mark, "<"))
		*ports = (struct rules_ports){ value.low, UINT16_MAX, true };
	else if (rules_token_is(&mark, "<="))
		ports->low = 0;
	else if (rules_token_is(&mark, ">"))
		*ports = (struct rules_ports){ 0, value.low, true };
	else if (rules_token_is(&mark, ">="))
		ports->high = UINT16_MAX;
	else if (!rules_token_is(&mark, "="))
		return rules_fail_at(p, &mark, "expected a port");
	return 0;
}

/* a >< b: between, without the ends; a <> b: outside. `ports` holds a. */
static int port_between(struct rules_parser *p, struct rules_ports *ports)
{
	struct rules_token mark = p->token;
	struct rules_ports end = { 0 };
	int error = rules_advance(p);

	if (!error)
		error = port_word(p, &end);
	if (error)
		return error;
	if (ports->low != ports->high || end.low != end.high || end.low < ports->low)
		return rules_fail_at(p, &mark, "expected two ports in order");
	ports->high = end.low;
	ports->outside = rules_token_is(&mark, "<>");
	if (ports->outside)
		return 0;
	if (ports->high - ports->low < 2)
		return rules_fail_at(p, &mark, "no port lies between");
	ports->low++;
	ports->high--;
	return 0;
}

int rules_parse_port(struct rules_parser *p, void *to)
{
	struct rules_port_list *list = to;
	struct rules_ports ports = { 0 };
	int error;

	if (list->count == RULES_LIST_MAX)
		return rules_fail_at(p, &p->token, "more than %u items in a list", RULES_LIST_MAX);
	if (p->token.kind == RULES_TOKEN_MARK)
		error = port_compare(p, &ports);
	else
		error = port_word(p, &ports);
	if (!error && (rules_at(p, "><") || rules_at(p, "<>")))
		error = port_between(p, &ports);
	if (!error)
		list->items[list->count++] = ports;
	return error;
}

struct icmp_name {
	const char *name;
	uint16_t type;
};

static int parse_icmp(struct rules_parser *p, const struct icmp_name *names, size_t count)
{
	struct rules_icmp icmp = { RULES_ANY_ICMP, RULES_ANY_ICMP };
	uint32_t number = RULES_ANY_ICMP;
	int error;

	for (size_t i = 0; i < count; i++)
		if (rules_at(p, names[i].name))
			number = names[i].type;
	if (number == RULES_ANY_ICMP &&
	    ip4_text_parse_number(p->token.text, p->token.length, 255, &number))
		return rules_expected(p, "an ICMP type");
	if (p->icmp_count == RULES_LIST_MAX)
		return rules_fail_at(p, &p->token, "more than %u items in a list", RULES_LIST_MAX);
	icmp.type = (uint16_t)number;
	error = rules_advance(p);
	if (!error && rules_at(p, "code")) {
		error = rules_advance(p);
		if (!error)
			error = rules_pass_number(p, 255, "an ICMP code", &number);
		icmp.code = (uint16_t)number;
	}
	p->icmps[p->icmp_count++] = icmp;
	return error;
}

int rules_parse_icmp4(struct rules_parser *p, void *to)
{
	static const struct icmp_name names[] = {
		{ "echorep", 0 }, { "unreach", 3 },    { "redir", 5 },	  { "echoreq", 8 },
		{ "timex", 11 },  { "paramprob", 12 }, { "timereq", 13 }, { "timerep", 14 },
	};

	(void)to;
	p->has_icmp = true;
	return parse_icmp(p, names, ARRAY_SIZE(names));
}

/* RFC 4443, RFC 4861, RFC 2710. */
int rules_parse_icmp6(struct rules_parser *p, void *to)
{
	static const struct icmp_name names[] = {
		{ "unreach", 1 },      { "toobig", 2 },	     { "timex", 3 },
		{ "paramprob", 4 },    { "echoreq", 128 },   { "echorep", 129 },
		{ "groupqry", 130 },   { "grouprep", 131 },  { "groupterm", 132 },
		{ "routersol", 133 },  { "routeradv", 134 }, { "neighbrsol", 135 },
		{ "neighbradv", 136 }, { "redir", 137 },
	};

	(void)to;
	p->has_icmp6 = true;
	return parse_icmp(p, names, ARRAY_SIZE(names));
}
