/* SPDX-License-Identifier: ISC */
#include "configs/http_request.h"

#include <string.h>

#include "lib/ip_text.h"

/* Empty lines before a request that are ignored. */
#define EMPTY_LINES_MAX 2u

/* ---- scanning ---- */

/* The end of a line; true: of the head, too. */
static bool line_ends(struct http_scan *scan)
{
	bool empty = scan->column == 0;

	scan->column = 0;
	scan->line++;
	return empty && scan->line > 1 && scan->bytes > 2u * scan->line;
}

static enum http_scan_result scan_byte(struct http_scan *scan, unsigned char byte)
{
	if (scan->bytes == HTTP_HEAD_MAX)
		return scan->line ? HTTP_SCAN_LONG : HTTP_SCAN_LONG_LINE;
	scan->bytes++;
	if (scan->cr) {
		scan->cr = false;
		if (byte != '\n')
			return HTTP_SCAN_BAD;
		if (line_ends(scan))
			return HTTP_SCAN_DONE;
		return scan->bytes > 2 * EMPTY_LINES_MAX && scan->bytes == 2u * scan->line
			       ? HTTP_SCAN_BAD
			       : HTTP_SCAN_MORE;
	}
	if (byte == '\r') {
		scan->cr = true;
		return HTTP_SCAN_MORE;
	}
	if ((byte < ' ' && byte != '\t') || byte == 0x7f)
		return HTTP_SCAN_BAD;
	scan->column++;
	return HTTP_SCAN_MORE;
}

enum http_scan_result http_scan(struct http_scan *scan, const char *text, size_t bytes,
				size_t *taken)
{
	enum http_scan_result result = HTTP_SCAN_MORE;
	size_t i = 0;

	while (i < bytes && result == HTTP_SCAN_MORE)
		result = scan_byte(scan, (unsigned char)text[i++]);
	*taken = i;
	return result;
}

/* ---- characters ---- */

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110, 5.6.2. */
static bool is_token(char c)
{
	return is_alpha(c) || is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* What stands in a target as it is: RFC 3986, 3.3 and 3.4. */
static bool is_target(char c)
{
	return is_alpha(c) || is_digit(c) || (c && strchr("-._~!$&'()*+,;=:@/?%", c));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool text_is(struct http_text text, const char *what)
{
	return text.bytes == strlen(what) && memcmp(text.text, what, text.bytes) == 0;
}

/* Of any case; `what` is in small letters. */
static bool text_is_any_case(struct http_text text, const char *what)
{
	if (text.bytes != strlen(what))
		return false;
	for (uint32_t i = 0; i < text.bytes; i++)
		if (lower(text.text[i]) != what[i])
			return false;
	return true;
}

static struct http_text trimmed(struct http_text text)
{
	while (text.bytes && is_blank(text.text[0])) {
		text.text++;
		text.bytes--;
	}
	while (text.bytes && is_blank(text.text[text.bytes - 1]))
		text.bytes--;
	return text;
}

/* Takes what stands before `end`, and that; false: there is none. */
static bool take_until(struct http_text *rest, char end, struct http_text *taken)
{
	const char *found = rest->bytes ? memchr(rest->text, end, rest->bytes) : NULL;

	if (!found)
		return false;
	*taken = (struct http_text){ rest->text, (uint32_t)(found - rest->text) };
	rest->text = found + 1;
	rest->bytes -= taken->bytes + 1;
	return true;
}

/* The next item of a list by commas, trimmed; false: there is no more. */
static bool take_item(struct http_text *rest, struct http_text *item)
{
	if (!rest->bytes)
		return false;
	if (!take_until(rest, ',', item)) {
		*item = *rest;
		rest->bytes = 0;
	}
	*item = trimmed(*item);
	return true;
}

/* ---- the first line ---- */

static int parse_version(struct http_text version, struct http_request *request)
{
	const char *p = version.text;

	if (version.bytes != strlen("HTTP/1.1") || memcmp(p, "HTTP/", 5) != 0 || !is_digit(p[5]) ||
	    p[6] != '.' || !is_digit(p[7]))
		return 400;
	if (p[5] != '1')
		return 505;
	request->minor = p[7] == '0' ? 0 : 1;
	return 0;
}

/* 0, or why there will be no answer to it. */
static int parse_method(struct http_text method, struct http_request *request)
{
	static const char *const known[] = {
		"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH",
	};

	request->method = HTTP_OTHER;
	for (uint32_t i = 0; i < method.bytes; i++)
		if (!is_token(method.text[i]))
			return 400;
	if (!method.bytes)
		return 400;
	if (text_is(method, "GET"))
		request->method = HTTP_GET;
	else if (text_is(method, "HEAD"))
		request->method = HTTP_HEAD;
	else {
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (text_is(method, known[i]))
				return 405;
		return 501;
	}
	return 0;
}

/* "/a/../b" and its like: nobody who means well sends them, after what URLs go through. */
static bool has_dot_segment(const char *path)
{
	while ((path = strchr(path, '/')) != NULL) {
		size_t length;

		path++;
		length = strcspn(path, "/");
		if ((length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return true;
	}
	return false;
}

/* One character of a path at text[*at], decoded; -1: it may not be there. */
static int decode_one(struct http_text text, uint32_t *at)
{
	char c = text.text[(*at)++];
	int high, low, value;

	if (c != '%')
		return (unsigned char)c;
	if (text.bytes - *at < 2)
		return -1;
	high = hex(text.text[*at]);
	low = hex(text.text[*at + 1]);
	*at += 2;
	if (high < 0 || low < 0)
		return -1;
	value = high << 4 | low;
	return value < ' ' || value == 0x7f || value == '/' || value == '\\' ? -1 : value;
}

static int parse_path(struct http_text path, struct http_request *request)
{
	uint32_t length = 0;

	for (uint32_t at = 0; at < path.bytes;) {
		int c = decode_one(path, &at);

		if (c < 0)
			return 400;
		if (length == HTTP_PATH_BYTES - 1)
			return 414;
		request->path[length++] = (char)c;
	}
	request->path[length] = '\0';
	return has_dot_segment(request->path) ? 400 : 0;
}

/* RFC 9112, 3.2.1 and 3.2.2; the other forms go with other methods. */
static int parse_target(struct http_text target, struct http_request *request)
{
	static const char scheme[] = "http://";
	const size_t scheme_bytes = sizeof(scheme) - 1;
	struct http_text path = target, host;

	for (uint32_t i = 0; i < target.bytes; i++)
		if (!is_target(target.text[i]) && target.text[i] != '[' && target.text[i] != ']')
			return 400;
	if (target.bytes > scheme_bytes &&
	    text_is_any_case((struct http_text){ target.text, (uint32_t)scheme_bytes }, scheme)) {
		path.text += scheme_bytes;
		path.bytes -= (uint32_t)scheme_bytes;
		host = path;
		host.bytes = 0;
		while (host.bytes < path.bytes && !strchr("/?", host.text[host.bytes]))
			host.bytes++;
		if (!host.bytes || memchr(host.text, '@', host.bytes))
			return 400;
		request->host = host;
		path.text += host.bytes;
		path.bytes -= host.bytes;
		if (!path.bytes || path.text[0] == '?')
			path = (struct http_text){ "/", 1 };
	}
	if (!path.bytes || path.text[0] != '/')
		return 400;
	(void)take_until(&(struct http_text){ path.text, path.bytes }, '?', &path);
	if (memchr(path.text, '[', path.bytes) || memchr(path.text, ']', path.bytes))
		return 400;
	return parse_path(path, request);
}

static int parse_first_line(struct http_text line, struct http_request *request)
{
	struct http_text method, target;
	int status, method_status;

	if (!take_until(&line, ' ', &method) || !take_until(&line, ' ', &target))
		return 400;
	method_status = parse_method(method, request);
	if (method_status == 400)
		return 400;
	status = parse_version(line, request);
	if (status)
		return status;
	if (target.bytes > HTTP_TARGET_MAX)
		return 414;
	if (method_status)
		return method_status;
	return parse_target(target, request);
}

/* ---- fields ---- */

/* What the fields of one head have said. */
struct fields {
	struct http_text host, if_none_match;
	uint32_t hosts, lengths, codings, matches;
	bool body, close, keep_alive;
};

/* RFC 3986, 3.2.2, without user information; a port may follow. */
static bool is_host(struct http_text host)
{
	for (uint32_t i = 0; i < host.bytes; i++)
		if (!is_target(host.text[i]) && host.text[i] != '[' && host.text[i] != ']')
			return false;
	return !host.bytes ||
	       (!memchr(host.text, '/', host.bytes) && !memchr(host.text, '@', host.bytes) &&
		!memchr(host.text, '?', host.bytes));
}

static bool parse_length(struct http_text value, struct fields *fields)
{
	if (!value.bytes)
		return false;
	for (uint32_t i = 0; i < value.bytes; i++) {
		if (!is_digit(value.text[i]))
			return false;
		fields->body |= value.text[i] != '0';
	}
	return fields->lengths++ == 0;
}

static void parse_connection(struct http_text value, struct fields *fields)
{
	struct http_text item;

	while (take_item(&value, &item)) {
		fields->close |= text_is_any_case(item, "close");
		fields->keep_alive |= text_is_any_case(item, "keep-alive");
	}
}

/* False: it is nonsense. */
static bool parse_field(struct http_text line, struct fields *fields)
{
	struct http_text name, value = line;

	if (!take_until(&value, ':', &name) || !name.bytes)
		return false;
	for (uint32_t i = 0; i < name.bytes; i++)
		if (!is_token(name.text[i])) /* also a blank: a folded line, or before ':' */
			return false;
	value = trimmed(value);
	if (text_is_any_case(name, "host")) {
		fields->host = value;
		return fields->hosts++ == 0 && is_host(value);
	}
	if (text_is_any_case(name, "content-length"))
		return parse_length(value, fields);
	if (text_is_any_case(name, "transfer-encoding")) {
		fields->codings++;
		fields->body = true;
	} else if (text_is_any_case(name, "connection")) {
		parse_connection(value, fields);
	} else if (text_is_any_case(name, "if-none-match")) {
		/* Several are one list, which is not put together here: they match nothing. */
		if (fields->matches++)
			value.bytes = 0;
		fields->if_none_match = value;
	}
	return true;
}

static int parse_fields(struct http_text rest, struct fields *fields)
{
	struct http_text line;
	uint32_t count = 0;

	while (take_until(&rest, '\r', &line)) {
		if (!line.bytes)
			return 0;
		if (count++ == HTTP_FIELDS_MAX)
			return 431;
		if (!parse_field(line, fields))
			return 400;
		rest.text++; /* the line feed */
		rest.bytes--;
	}
	return 400;
}

/* RFC 9112, 3.2 (Host), 6.1 and 6.3 (bodies), 9.3 (persistence). */
static int judge_fields(const struct fields *fields, struct http_request *request)
{
	if (request->minor >= 1 && !fields->hosts)
		return 400;
	if (fields->codings && (fields->lengths || request->minor == 0))
		return 400;
	if (!request->host.text)
		request->host = fields->host;
	request->if_none_match = fields->if_none_match;
	request->has_body = fields->body;
	request->keep_alive =
		!fields->body && !fields->close && (request->minor >= 1 || fields->keep_alive);
	return 0;
}

int http_request_parse(const char *text, size_t bytes, struct http_request *request)
{
	struct http_text rest = { text, (uint32_t)bytes }, line;
	struct fields fields = { 0 };
	int status, fields_status;

	memset(request, 0, sizeof(*request));
	request->method = HTTP_OTHER;
	while (rest.bytes >= 2 && rest.text[0] == '\r') {
		rest.text += 2;
		rest.bytes -= 2;
	}
	if (!take_until(&rest, '\r', &line) || !rest.bytes)
		return 400;
	rest.text++;
	rest.bytes--;
	status = parse_first_line(line, request);
	if (status && status != 405 && status != 501)
		return status;
	fields_status = parse_fields(rest, &fields);
	if (!fields_status)
		fields_status = judge_fields(&fields, request);
	if (fields_status || status)
		return fields_status ? fields_status : status;
	return request->has_body ? 413 : 0;
}

/* ---- what fields say ---- */

bool http_etag_matches(struct http_text field, const char *etag)
{
	struct http_text item;

	if (!field.text)
		return false;
	if (text_is(trimmed(field), "*"))
		return true;
	while (take_item(&field, &item)) {
		if (item.bytes > 2 && memcmp(item.text, "W/", 2) == 0) {
			item.text += 2;
			item.bytes -= 2;
		}
		if (text_is(item, etag))
			return true;
	}
	return false;
}

bool http_host_is_address(struct http_text host)
{
	struct http_text name = host, rest = host;
	struct ip_address address;

	if (!host.bytes)
		return false;
	if (host.text[0] == '[') {
		rest.text++;
		rest.bytes--;
		if (!take_until(&rest, ']', &name) || (rest.bytes && rest.text[0] != ':'))
			return false;
		return ip_text_parse(name.text, name.bytes, &address) == 0 && address.version == 6;
	}
	(void)take_until(&rest, ':', &name);
	if (text_is_any_case(name, "localhost"))
		return true;
	return ip_text_parse(name.text, name.bytes, &address) == 0 && address.version == 4;
}
