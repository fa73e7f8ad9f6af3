/* SPDX-License-Identifier: ISC */
/*
 * The head of an HTTP request (RFC 9110, RFC 9112), read strictly: what two programs could
 * understand differently is refused. No allocation, no state but what stands here.
 *
 *	http_scan()		bytes as they come, each looked at once, until the head is whole
 *	http_request_parse()	a whole head
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

#define HTTP_HEAD_MAX 4096u   /* bytes of a head; more is 431, or 414 within the first line */
#define HTTP_PATH_BYTES 128u  /* with the NUL; a longer path is 414 */
#define HTTP_FIELDS_MAX 64u   /* header lines; more is 431 */
#define HTTP_TARGET_MAX 1024u /* bytes between method and version; more is 414 */

/* Part of the head; NULL: it was not there. */
struct http_text {
	const char *text;
	uint32_t bytes;
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_request {
	uint8_t method;	 /* enum http_method */
	uint8_t minor;	 /* of HTTP/1 */
	bool keep_alive; /* the client would send another one */
	bool has_body;
	char path[HTTP_PATH_BYTES]; /* decoded, begins with '/', no segment is "." or ".." */
	struct http_text host;	    /* of the target, else of the field; may be empty */
	struct http_text if_none_match;
};

/* Where a head is; zero at its beginning. */
struct http_scan {
	uint32_t bytes;	 /* of the head, so far */
	uint16_t column; /* of this line */
	uint16_t line;	 /* lines before this one */
	bool cr;	 /* the last byte was one */
};

enum http_scan_result {
	HTTP_SCAN_MORE,
	HTTP_SCAN_DONE,	    /* the head ends with the last byte taken */
	HTTP_SCAN_BAD,	    /* 400: a control character, or an end of line that is none */
	HTTP_SCAN_LONG,	    /* 431 */
	HTTP_SCAN_LONG_LINE /* 414: the first line does not end */
};

/*
 * Takes bytes until the head ends, something is wrong or there are no more; *taken says how
 * many. Nothing is kept of them: the caller has them all when it is done. Empty lines before
 * the first one count to the head, as RFC 9112, 2.2 allows.
 */
must_check enum http_scan_result http_scan(struct http_scan *scan, const char *text, size_t bytes,
					   size_t *taken);

/*
 * Parses a head that http_scan() has found whole. 0, or the status that says what is wrong:
 * 400, 405 (a method that is known, but is neither GET nor HEAD), 413 (it has a body), 414, 431,
 * 501 (a method that nobody knows), 505. `request` points into `text`, and is filled as
 * far as it goes: keep_alive is false unless the next request begins behind this head.
 */
must_check int http_request_parse(const char *text, size_t bytes, struct http_request *request);

/* Does an If-None-Match field (RFC 9110, 13.1.2) name this entity tag, which has its quotes? */
must_check bool http_etag_matches(struct http_text field, const char *etag);

/* Is a Host field an address of either version, with or without a port; or "localhost"? */
must_check bool http_host_is_address(struct http_text host);
