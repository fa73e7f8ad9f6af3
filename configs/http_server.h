/* SPDX-License-Identifier: ISC */
/*
 * A small HTTP/1.1 server (RFC 9110, RFC 9112) on net/socket.h: GET and HEAD of pages that are
 * bytes, and of pages that are written anew for everybody who asks. Connections persist and
 * requests may be pipelined.
 *
 * What a peer costs is bounded when the server is made: so many connections, each with one
 * buffer, which holds its request and then its answer; a page of any length goes through it
 * piece by piece. When all are in use, or most of the memory of sockets is, a new connection takes
 * the place of one of the address that has most, if it has more than the newcomer's would; /64s of
 * IPv6 count as one address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "configs/http_request.h"
#include "lib/compiler.h"
#include "net/socket.h"

#define HTTP_BUFFER_BYTES 4096u
#define HTTP_PIECE_BYTES 3072u /* that a written page can always have at once */
#define HTTP_ETAG_BYTES 20u    /* with quotes and NUL */

/* Where a written page is; zero at its beginning. The page's own. */
struct http_cursor {
	uint32_t part;
	uint32_t item;
};

struct http_page {
	const char *path; /* "/metrics" */
	const char *type; /* Content-Type */
	/* Bytes that stay as they are; or, when data is NULL, `write`. */
	const void *data;
	size_t bytes;
	char etag[HTTP_ETAG_BYTES]; /* with its quotes; "": none */
	/*
	 * Writes what comes next of the page, at most `room` (HTTP_PIECE_BYTES or more), moves
	 * the cursor on and returns how much it was; 0: that was all.
	 */
	size_t (*write)(void *context, struct http_cursor *cursor, char *to, size_t room);
};

struct http_server_config {
	struct sockets *sockets;
	struct socket_listen listen;
	const struct http_page *const *pages; /* page_count of them; they live as long as it does */
	uint32_t page_count;
	void *context;			   /* of the pages */
	uint64_t (*now_ns)(void *context); /* the time, by a clock that never goes back */
	/* Only requests that name an address as host: no name of others leads here. */
	bool hosts_are_addresses;
	/* Zero means the default beside it. */
	uint32_t connections;	    /* 64 */
	uint32_t request_ms;	    /* for a whole request, from its first byte: 10,000 */
	uint32_t idle_ms;	    /* between requests: 60,000 */
	uint32_t stall_ms;	    /* an answer of which nobody takes anything: 20,000 */
	uint32_t socket_send_bytes; /* send buffer of a connection: 65,536 */
};

struct http_stats {
	uint64_t connections;
	uint64_t requests;
	uint64_t status[6]; /* answers by the first digit of their status */
	uint64_t bytes_out;
	uint64_t timed_out; /* before a request was whole, or in an answer */
	uint64_t evicted;   /* made room for another address */
	uint64_t refused;   /* no room */
	uint32_t open;	    /* now */
};

struct http_server;

/* Bytes that http_server_init() needs. */
size_t http_server_memory_bytes(const struct http_server_config *config);

/*
 * Listens, in memory of that size, aligned to 16, which lives as long as the server does. 0, or
 * what socket_listen() says.
 */
must_check int http_server_init(const struct http_server_config *config, void *memory,
				struct http_server **server);

/* Ends what has taken too long; each round, after sockets_run(). */
void http_server_run(struct http_server *server, uint64_t now_ns);

/* When http_server_run() is wanted at the latest; UINT64_MAX: no need. */
uint64_t http_server_next_ns(const struct http_server *server);

const struct http_stats *http_server_stats(const struct http_server *server);
