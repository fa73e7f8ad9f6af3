/* SPDX-License-Identifier: ISC */
#include "configs/http_request.h"

#include <string.h>

#include "lib/compiler.h"
#include "tests/host/unit.h"

/* A head in one piece: what http_scan() and http_request_parse() say; 0: 200. */
static int status_of(const char *text, struct http_request *request)
{
	struct http_scan scan = { 0 };
	size_t taken;

	switch (http_scan(&scan, text, strlen(text), &taken)) {
	case HTTP_SCAN_DONE:
		ck_assert_uint_eq(taken, scan.bytes);
		return http_request_parse(text, scan.bytes, request);
	case HTTP_SCAN_MORE:
		return -1;
	case HTTP_SCAN_BAD:
		return 400;
	case HTTP_SCAN_LONG:
		return 431;
	default:
		return 414;
	}
}

#define END "\r\nHost: a\r\n\r\n"

START_TEST(statuses)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{ "GET / HTTP/1.1" END, 0 },
		{ "HEAD /x HTTP/1.1" END, 0 },
		{ "GET / HTTP/1.0\r\n\r\n", 0 },
		{ "GET / HTTP/1.7" END, 0 },
		{ "GET /?a=b&c HTTP/1.1" END, 0 },
		{ "GET http://a/b HTTP/1.1" END, 0 },
		{ "GET HTTP://a HTTP/1.1" END, 0 },
		{ "\r\nGET / HTTP/1.1" END, 0 },
		{ "\r\n\r\nGET / HTTP/1.1" END, 0 },
		{ "GET / HTTP/1.1\r\nhOsT:a:80\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0 }, /* RFC 9112, 3.2: may be empty */
		{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nContent-Length: 0" END, 0 },
		{ "GET / HTTP/1.1\r\nX: \t y \t" END, 0 },
		{ "GET / HTTP/1.1\r\nX:" END, 0 },
		/* Not whole. */
		{ "", -1 },
		{ "GET / HTTP/1.1\r\n", -1 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n", -1 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r", -1 },
		/* The first line. */
		{ "GET /" END, 400 }, /* HTTP/0.9 */
		{ "GET  / HTTP/1.1" END, 400 },
		{ " GET / HTTP/1.1" END, 400 },
		{ "GET / HTTP/1.1 " END, 400 },
		{ "GET /a b HTTP/1.1" END, 400 },
		{ "GET / http/1.1" END, 400 },
		{ "GET / HTTP/11" END, 400 },
		{ "GET / HTTP/1.11" END, 400 },
		{ "GET / HTTP/2.0" END, 505 },
		{ "PRI * HTTP/2.0" END, 505 },
		{ "GET x HTTP/1.1" END, 400 },
		{ "GET * HTTP/1.1" END, 400 },
		{ "GET  HTTP/1.1" END, 400 },
		{ "GET https://a/ HTTP/1.1" END, 400 },
		{ "GET http:///a HTTP/1.1" END, 400 },
		{ "GET http://me@a/ HTTP/1.1" END, 400 },
		{ "GET /\\ HTTP/1.1" END, 400 },
		{ "GET /\xc3\xa4 HTTP/1.1" END, 400 },
		{ "GET /# HTTP/1.1" END, 400 },
		{ "G(T / HTTP/1.1" END, 400 },
		{ "\r\n\r\n\r\nGET / HTTP/1.1" END, 400 },
		{ "POST / HTTP/1.1" END, 405 },
		{ "CONNECT a:80 HTTP/1.1" END, 405 },
		{ "OPTIONS * HTTP/1.1" END, 405 },
		{ "BREW / HTTP/1.1" END, 501 },
		{ "get / HTTP/1.1" END, 501 },
		/* Paths. */
		{ "GET /%41%2e%2E HTTP/1.1" END, 0 },
		{ "GET /%2 HTTP/1.1" END, 400 },
		{ "GET /%g0 HTTP/1.1" END, 400 },
		{ "GET /%00 HTTP/1.1" END, 400 },
		{ "GET /%0d%0a HTTP/1.1" END, 400 },
		{ "GET /a%2fb HTTP/1.1" END, 400 },
		{ "GET /a%5cb HTTP/1.1" END, 400 },
		{ "GET /.. HTTP/1.1" END, 400 },
		{ "GET /../x HTTP/1.1" END, 400 },
		{ "GET /a/../x HTTP/1.1" END, 400 },
		{ "GET /a/./x HTTP/1.1" END, 400 },
		{ "GET /a/%2e%2e/x HTTP/1.1" END, 400 },
		{ "GET /%2e HTTP/1.1" END, 400 },
		{ "GET /... HTTP/1.1" END, 0 },
		/* Fields. */
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: b" END, 400 },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX: 1\r\n folded" END, 400 },
		{ "GET / HTTP/1.1\r\n: 1" END, 400 },
		{ "GET / HTTP/1.1\r\nX" END, 400 },
		{ "GET / HTTP/1.1\r\nX(: 1" END, 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 5" END, 413 },
		{ "POST / HTTP/1.1\r\nContent-Length: 5" END, 405 },
		{ "GET / HTTP/1.1\r\nContent-Length: +5" END, 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 5, 5" END, 400 },
		{ "GET / HTTP/1.1\r\nContent-Length:" END, 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0" END, 400 },
		{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked" END, 413 },
		{ "GET / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked" END, 400 },
		{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		/* Bytes. */
		{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
		{ "GET / HTTP/1.1\rHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX: \x01" END, 400 },
		{ "GET / HTTP/1.1\r\nX: \x7f" END, 400 },
		{ "\x16\x03\x01\x02", 400 }, /* TLS */
	};
	struct http_request request;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(status_of(cases[i].head, &request) == cases[i].status,
			      "%s: %d, not %d", cases[i].head, status_of(cases[i].head, &request),
			      cases[i].status);
}
END_TEST

START_TEST(paths_are_decoded)
{
	static const struct {
		const char *target, *path;
	} cases[] = {
		{ "/", "/" },
		{ "/a%41?x=/../y", "/aA" },
		{ "/%e4%25", "/\xe4%" },
		{ "http://host:80/b?c", "/b" },
		{ "http://host?c", "/" },
		{ "//x", "//x" },
	};
	struct http_request request;
	char head[200];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(head, sizeof(head), "GET %s HTTP/1.1" END, cases[i].target);
		ck_assert_int_eq(status_of(head, &request), 0);
		ck_assert_str_eq(request.path, cases[i].path);
	}
	/* The host of the target is the one that counts (RFC 9112, 3.2.2). */
	ck_assert_int_eq(status_of("GET http://b/ HTTP/1.1" END, &request), 0);
	ck_assert(request.host.bytes == 1 && request.host.text[0] == 'b');
}
END_TEST

START_TEST(persistence)
{
	static const struct {
		const char *head;
		bool keep_alive;
	} cases[] = {
		{ "GET / HTTP/1.1" END, true },
		{ "GET / HTTP/1.1\r\nConnection: close" END, false },
		{ "GET / HTTP/1.1\r\nConnection: x , CLOSE,y" END, false },
		{ "GET / HTTP/1.1\r\nConnection: closed" END, true },
		{ "GET / HTTP/1.0" END, false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive" END, true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close" END, false },
	};
	struct http_request request;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(status_of(cases[i].head, &request), 0);
		ck_assert_int_eq(request.keep_alive, cases[i].keep_alive);
	}
	/* Behind a body nobody knows where the next request begins. */
	ck_assert_int_eq(status_of("POST / HTTP/1.1\r\nContent-Length: 3" END, &request), 405);
	ck_assert(!request.keep_alive);
	ck_assert_int_eq(status_of("POST / HTTP/1.1" END, &request), 405);
	ck_assert(request.keep_alive);
}
END_TEST

START_TEST(limits)
{
	static char head[3 * HTTP_HEAD_MAX];
	struct http_request request;
	size_t length;

	/* The path, and the target. */
	length = (size_t)sprintf(head, "GET /");
	memset(head + length, 'a', HTTP_PATH_BYTES - 2);
	strcpy(head + length + HTTP_PATH_BYTES - 2, " HTTP/1.1" END);
	ck_assert_int_eq(status_of(head, &request), 0);
	strcpy(head + length + HTTP_PATH_BYTES - 2, "a HTTP/1.1" END);
	ck_assert_int_eq(status_of(head, &request), 414);
	length = (size_t)sprintf(head, "GET /?");
	memset(head + length, 'a', HTTP_TARGET_MAX - 2);
	strcpy(head + length + HTTP_TARGET_MAX - 2, " HTTP/1.1" END);
	ck_assert_int_eq(status_of(head, &request), 0);
	strcpy(head + length + HTTP_TARGET_MAX - 2, "a HTTP/1.1" END);
	ck_assert_int_eq(status_of(head, &request), 414);
	/* All of it: one byte more than fits, within the first line and behind it. */
	memset(head, 'a', sizeof(head) - 1);
	ck_assert_int_eq(status_of(head, &request), 414);
	length = (size_t)sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	memset(head + length, 'a', sizeof(head) - length - 1);
	strcpy(head + HTTP_HEAD_MAX - 4, "\r\n\r\n");
	ck_assert_int_eq(status_of(head, &request), 0);
	strcpy(head + HTTP_HEAD_MAX - 4, "a\r\n\r\n");
	ck_assert_int_eq(status_of(head, &request), 431);
	/* Fields. */
	strcpy(head, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned int i = 1; i < HTTP_FIELDS_MAX; i++)
		strcat(head, "a:b\r\n");
	length = strlen(head);
	strcpy(head + length, "\r\n");
	ck_assert_int_eq(status_of(head, &request), 0);
	strcpy(head + length, "a:b\r\n\r\n");
	ck_assert_int_eq(status_of(head, &request), 431);
}
END_TEST

START_TEST(byte_by_byte)
{
	static const char head[] = "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nGET";
	struct http_scan scan = { 0 };
	size_t taken;

	for (size_t i = 0; i < sizeof(head) - 1 - 4; i++) {
		ck_assert_int_eq(http_scan(&scan, head + i, 1, &taken), HTTP_SCAN_MORE);
		ck_assert_uint_eq(taken, 1);
	}
	/* What is behind the head is not taken. */
	ck_assert_int_eq(http_scan(&scan, head + sizeof(head) - 5, 4, &taken), HTTP_SCAN_DONE);
	ck_assert_uint_eq(taken, 1);
	ck_assert_uint_eq(scan.bytes, sizeof(head) - 4);
}
END_TEST

/* Whatever comes: no byte beyond the end is read, and the answer does not depend on pieces. */
START_TEST(any_bytes)
{
	static const char *const words[] = {
		"GET ",	      "/", " HTTP/1.1", "\r\n",	    "\r",   "\n",      "Host",
		":",	      " ", "a",		"%",	    "2e",   "..",      "Content-Length",
		"Connection", ",", "close",	"\r\n\r\n", "\xff", "http://", "[",
		"]",	      "?", "1"
	};
	uint64_t state = unit_seed() | 1;

	for (unsigned int round = 0; round < 20000; round++) {
		char *text = malloc(512);
		struct http_request request;
		struct http_scan whole = { 0 }, parts = { 0 };
		enum http_scan_result result, again = HTTP_SCAN_MORE;
		size_t length = 0, taken, all = 0;

		for (unsigned int i = 0; i < 30; i++) {
			const char *word = words[unit_random(&state) % ARRAY_SIZE(words)];

			memcpy(text + length, word, strlen(word));
			length += strlen(word);
		}
		text = realloc(text, length);
		result = http_scan(&whole, text, length, &taken);
		while (all < length && again == HTTP_SCAN_MORE) {
			size_t piece = 1 + unit_random(&state) % (length - all), part;

			again = http_scan(&parts, text + all, piece, &part);
			all += part;
		}
		ck_assert_int_eq(result, again);
		ck_assert_uint_eq(taken, all);
		if (result == HTTP_SCAN_DONE) {
			char *head = malloc(taken);

			memcpy(head, text, taken);
			ck_assert_int_ge(http_request_parse(head, taken, &request), 0);
			free(head);
		}
		free(text);
	}
}
END_TEST

static struct http_text text_of(const char *text)
{
	return (struct http_text){ text, (uint32_t)strlen(text) };
}

START_TEST(etags)
{
	ck_assert(http_etag_matches(text_of("\"ab\""), "\"ab\""));
	ck_assert(http_etag_matches(text_of("\"x\", W/\"ab\" ,\"y\""), "\"ab\""));
	ck_assert(http_etag_matches(text_of(" * "), "\"ab\""));
	ck_assert(!http_etag_matches(text_of("\"abc\""), "\"ab\""));
	ck_assert(!http_etag_matches(text_of("ab"), "\"ab\""));
	ck_assert(!http_etag_matches(text_of(""), "\"ab\""));
	ck_assert(!http_etag_matches(text_of(",,,"), "\"ab\""));
	ck_assert(!http_etag_matches((struct http_text){ 0 }, "\"ab\""));
}
END_TEST

START_TEST(hosts)
{
	static const char *const good[] = { "10.0.0.1",	      "10.0.0.1:80", "[::1]",
					    "[fe80::1]:8080", "localhost",   "LOCALHOST:80" };
	static const char *const bad[] = { "",	      "evil.example",	"10.0.0.1.evil.example",
					   "[::1",    "[10.0.0.1]",	"[::1]x",
					   "10.0.0.", "localhost.evil", ":80",
					   "fe80::1" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(http_host_is_address(text_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!http_host_is_address(text_of(bad[i])), "%s", bad[i]);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, statuses);
	tcase_add_test(cases, paths_are_decoded);
	tcase_add_test(cases, persistence);
	tcase_add_test(cases, limits);
	tcase_add_test(cases, byte_by_byte);
	tcase_add_test(cases, any_bytes);
	tcase_add_test(cases, etags);
	tcase_add_test(cases, hosts);
}

int main(void)
{
	return unit_main("configs/http_request", add_cases);
}
