/* SPDX-License-Identifier: ISC */
#include "configs/http_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS 64u
#define REQUEST_MS 10000u
#define IDLE_MS 60000u
#define STALL_MS 20000u
#define SEND_BYTES 65536u
#define RECEIVE_BYTES 16384u
#define NS_PER_MS 1000000ull
/* How long, and how much, is listened to after the last answer (RFC 9112, 9.6). */
#define LINGER_MS 2000u
#define LINGER_BYTES 65536u
#define CHUNK_HEAD_BYTES 5u /* three hex digits and the end of the line */
#define CHUNK_END_BYTES 2u
#define PEEKED_PIECES 4u

enum http_phase {
	HTTP_IDLE,    /* between requests */
	HTTP_READING, /* a head that is not whole yet */
	HTTP_ANSWERING,
	HTTP_LINGERING, /* all is said; what still comes is thrown away */
};

/* The clients of one address, by which room is shared out. */
struct http_peer {
	struct ip_address address;
	uint32_t count; /* connections; 0: this place is free */
};

struct http_connection {
	struct socket *socket; /* NULL: this place is free */
	struct http_server *server;
	struct http_peer *peer;
	uint64_t until_ns;  /* then it is ended */
	uint64_t active_ns; /* when it last came on */
	struct http_scan scan;
	uint32_t filled, sent;	      /* of the buffer, while answering */
	uint32_t thrown_away;	      /* bytes, while lingering */
	const struct http_page *page; /* whose body goes behind the buffer; NULL: none */
	size_t page_sent;	      /* of a page that is bytes */
	struct http_cursor cursor;    /* of one that is written */
	uint8_t phase;		      /* enum http_phase */
	bool chunked;
	bool keep_alive;
	char buffer[HTTP_BUFFER_BYTES];
};

struct http_server {
	struct http_server_config config;
	struct socket *listener;
	struct http_stats stats;
	uint64_t next_ns;
	struct http_peer *peers; /* as many as connections */
	struct http_connection connections[];
};

_Static_assert(HTTP_HEAD_MAX <= HTTP_BUFFER_BYTES, "a head fits the buffer");

/* ---- places ---- */

static uint64_t now(const struct http_server *server)
{
	return server->config.now_ns(server->config.context);
}

static struct ip_address peer_key(const struct socket *socket)
{
	struct ip_address address = socket_peer(socket).ip;

	if (address.version == 6)
		ip_address_mask(&address, 64);
	return address;
}

static struct http_peer *peer_of(struct http_server *server, const struct ip_address *address)
{
	struct http_peer *unused = NULL;

	for (uint32_t i = 0; i < server->config.connections; i++) {
		struct http_peer *peer = &server->peers[i];

		if (!peer->count)
			unused = peer;
		else if (ip_address_equal(&peer->address, address))
			return peer;
	}
	if (unused)
		unused->address = *address;
	return unused;
}

static void forget(struct http_connection *connection)
{
	connection->socket = NULL;
	connection->peer->count--;
	connection->server->stats.open--;
}

static void end(struct http_connection *connection)
{
	socket_close(connection->socket);
	forget(connection);
}

static void cut(struct http_connection *connection)
{
	socket_abort(connection->socket);
	forget(connection);
}

static struct http_connection *free_place(struct http_server *server)
{
	for (uint32_t i = 0; i < server->config.connections; i++)
		if (!server->connections[i].socket)
			return &server->connections[i];
	return NULL;
}

/* The connection of the peer with most of them that has been silent longest. */
static struct http_connection *to_evict(struct http_server *server, uint32_t newcomers)
{
	struct http_connection *oldest = NULL;
	const struct http_peer *most = &server->peers[0];

	for (uint32_t i = 1; i < server->config.connections; i++)
		if (server->peers[i].count > most->count)
			most = &server->peers[i];
	if (most->count <= newcomers + 1)
		return NULL;
	for (uint32_t i = 0; i < server->config.connections; i++) {
		struct http_connection *connection = &server->connections[i];

		if (connection->peer == most &&
		    (!oldest || connection->active_ns < oldest->active_ns))
			oldest = connection;
	}
	return oldest;
}

static uint32_t count_of(const struct http_server *server, const struct ip_address *address)
{
	for (uint32_t i = 0; i < server->config.connections; i++)
		if (server->peers[i].count && ip_address_equal(&server->peers[i].address, address))
			return server->peers[i].count;
	return 0;
}

static void lasts(struct http_connection *connection, enum http_phase phase, uint32_t ms)
{
	struct http_server *server = connection->server;

	connection->phase = (uint8_t)phase;
	connection->active_ns = now(server);
	connection->until_ns = connection->active_ns + ms * NS_PER_MS;
	if (connection->until_ns < server->next_ns)
		server->next_ns = connection->until_ns;
}

/* ---- answers ---- */

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	default:
		return "HTTP Version Not Supported";
	}
}

/*
 * Pages load nothing but from here, and nobody else may show them within his own. A page that is
 * written is never the same again.
 */
static const char security[] = "X-Content-Type-Options: nosniff\r\n"
			       "Referrer-Policy: no-referrer\r\n"
			       "Content-Security-Policy: default-src 'none'; script-src 'self'; "
			       "style-src 'self'; img-src 'self'; connect-src 'self'; "
			       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

static void answer_begin(struct http_connection *connection, int status, bool keep_alive)
{
	struct http_stats *stats = &connection->server->stats;

	stats->status[status / 100]++;
	connection->keep_alive = keep_alive;
	connection->page = NULL;
	connection->page_sent = 0;
	connection->cursor = (struct http_cursor){ 0 };
	connection->chunked = false;
	connection->sent = 0;
	connection->filled =
		(uint32_t)snprintf(connection->buffer, sizeof(connection->buffer),
				   "HTTP/1.1 %d %s\r\nServer: ringwall\r\n%s", status,
				   status_text(status), keep_alive ? "" : "Connection: close\r\n");
	lasts(connection, HTTP_ANSWERING, connection->server->config.stall_ms);
}

/* Its lines are ours, and all of them together much shorter than the buffer. */
static void answer_add(struct http_connection *connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void answer_add(struct http_connection *connection, const char *format, ...)
{
	size_t room = sizeof(connection->buffer) - connection->filled;
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(connection->buffer + connection->filled, room, format, arguments);
	va_end(arguments);
	connection->filled += (uint32_t)bytes;
}

/* An answer that is no page. `body`: not to a HEAD. */
static void answer_status(struct http_connection *connection, int status, bool keep_alive,
			  bool body)
{
	char text[64];
	int bytes = snprintf(text, sizeof(text), "%d %s\n", status, status_text(status));

	answer_begin(connection, status, keep_alive);
	if (status == 405)
		answer_add(connection, "Allow: GET, HEAD\r\n");
	answer_add(connection, "%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		   security, bytes, body ? text : "");
}

static void answer_page(struct http_connection *connection, const struct http_page *page,
			const struct http_request *request)
{
	/* Its end is that of the connection where chunks are not known. */
	bool chunks = !page->data && request->minor >= 1;
	bool keep_alive = request->keep_alive && (page->data || chunks);
	bool same = page->etag[0] && http_etag_matches(request->if_none_match, page->etag);

	answer_begin(connection, same ? 304 : 200, keep_alive);
	if (request->minor == 0 && keep_alive)
		answer_add(connection, "Connection: keep-alive\r\n");
	answer_add(connection, "%s", security);
	if (page->etag[0])
		answer_add(connection, "ETag: %s\r\nCache-Control: no-cache\r\n", page->etag);
	else
		answer_add(connection, "Cache-Control: no-store\r\n");
	if (!same)
		answer_add(connection, "Content-Type: %s\r\n", page->type);
	if (!same && page->data)
		answer_add(connection, "Content-Length: %zu\r\n", page->bytes);
	else if (!same && chunks)
		answer_add(connection, "Transfer-Encoding: chunked\r\n");
	answer_add(connection, "\r\n");
	if (same || request->method == HTTP_HEAD)
		return;
	connection->page = page;
	connection->chunked = chunks;
}

static const struct http_page *page_of(const struct http_server *server, const char *path)
{
	for (uint32_t i = 0; i < server->config.page_count; i++)
		if (strcmp(server->config.pages[i]->path, path) == 0)
			return server->config.pages[i];
	return NULL;
}

static void answer_request(struct http_connection *connection)
{
	const struct http_server *server = connection->server;
	struct http_request request;
	int status = http_request_parse(connection->buffer, connection->scan.bytes, &request);
	const struct http_page *page = NULL;

	if (!status && server->config.hosts_are_addresses && !http_host_is_address(request.host))
		status = 421;
	if (!status)
		page = page_of(server, request.path);
	if (page)
		answer_page(connection, page, &request);
	else
		answer_status(connection, status ? status : 404, request.keep_alive,
			      request.method != HTTP_HEAD);
}

/* ---- sending ---- */

/* The next piece of a written page; false: there was no more. */
static bool fill_written(struct http_connection *connection)
{
	const struct http_server *server = connection->server;
	uint32_t head = connection->chunked ? CHUNK_HEAD_BYTES : 0;
	size_t room = sizeof(connection->buffer) - CHUNK_HEAD_BYTES - CHUNK_END_BYTES;
	size_t bytes = connection->page->write(server->config.context, &connection->cursor,
					       connection->buffer + head, room);
	char text[CHUNK_HEAD_BYTES + 1];

	connection->sent = 0;
	connection->filled = (uint32_t)bytes;
	if (!bytes)
		connection->page = NULL;
	if (!connection->chunked)
		return bytes != 0;
	if (!bytes) {
		memcpy(connection->buffer, "0\r\n\r\n", 5);
		connection->filled = 5;
		return true;
	}
	snprintf(text, sizeof(text), "%03x\r\n", (unsigned int)bytes);
	memcpy(connection->buffer, text, CHUNK_HEAD_BYTES);
	memcpy(connection->buffer + head + bytes, "\r\n", CHUNK_END_BYTES);
	connection->filled = (uint32_t)(head + bytes + CHUNK_END_BYTES);
	return true;
}

/* The next bytes of the answer; 0: that was all. */
static uint32_t piece_next(struct http_connection *connection, const char **piece)
{
	const struct http_page *page = connection->page;

	if (connection->sent == connection->filled && page && page->data) {
		size_t left = page->bytes - connection->page_sent;

		*piece = (const char *)page->data + connection->page_sent;
		return left > UINT16_MAX ? UINT16_MAX : (uint32_t)left;
	}
	if (connection->sent == connection->filled && page && !fill_written(connection))
		return 0;
	*piece = connection->buffer + connection->sent;
	return connection->filled - connection->sent;
}

static void piece_sent(struct http_connection *connection, uint32_t bytes)
{
	if (connection->sent == connection->filled)
		connection->page_sent += bytes;
	else
		connection->sent += bytes;
	connection->server->stats.bytes_out += bytes;
	lasts(connection, HTTP_ANSWERING, connection->server->config.stall_ms);
}

/* Nothing is left of the answer: the next request, or the end. */
static void answered(struct http_connection *connection)
{
	connection->scan = (struct http_scan){ 0 };
	if (connection->keep_alive) {
		lasts(connection, HTTP_IDLE, connection->server->config.idle_ms);
		return;
	}
	socket_shutdown(connection->socket);
	connection->thrown_away = 0;
	lasts(connection, HTTP_LINGERING, LINGER_MS);
}

/* True: something else can be done at once. */
static bool send_answer(struct http_connection *connection)
{
	const char *piece;
	uint32_t bytes;

	while ((bytes = piece_next(connection, &piece)) != 0) {
		int sent = socket_send(connection->socket, piece, bytes);

		if (sent == -EAGAIN || sent == 0)
			return false;
		if (sent < 0) {
			cut(connection);
			return false;
		}
		piece_sent(connection, (uint32_t)sent);
	}
	answered(connection);
	return true;
}

/* ---- receiving ---- */

/* Takes what belongs to the head out of the socket, and nothing behind it. */
static enum http_scan_result take_head(struct http_connection *connection, uint32_t *all)
{
	struct tcp_piece pieces[PEEKED_PIECES];
	enum http_scan_result result = HTTP_SCAN_MORE;
	uint32_t bytes = 0;
	int count = socket_peek(connection->socket, pieces, PEEKED_PIECES, &bytes);

	*all = 0;
	for (int i = 0; i < count && result == HTTP_SCAN_MORE; i++) {
		uint32_t at = connection->scan.bytes;
		size_t taken;

		result = http_scan(&connection->scan, (const char *)pieces[i].data, pieces[i].bytes,
				   &taken);
		*all += (uint32_t)taken;
		memcpy(connection->buffer + at, pieces[i].data, connection->scan.bytes - at);
	}
	if (*all)
		socket_consume(connection->socket, *all);
	return result;
}

/* True: something else can be done at once. */
static bool read_request(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	uint32_t taken;
	enum http_scan_result result = take_head(connection, &taken);

	if (taken && connection->phase == HTTP_IDLE)
		lasts(connection, HTTP_READING, server->config.request_ms);
	switch (result) {
	case HTTP_SCAN_MORE:
		return taken != 0;
	case HTTP_SCAN_DONE:
		server->stats.requests++;
		answer_request(connection);
		return true;
	case HTTP_SCAN_BAD:
		answer_status(connection, 400, false, true);
		return true;
	case HTTP_SCAN_LONG:
		answer_status(connection, 431, false, true);
		return true;
	default:
		answer_status(connection, 414, false, true);
		return true;
	}
}

/*
 * Closing with something unread would be a reset, which can take the answer away from a client
 * that has not read it yet.
 */
static void linger(struct http_connection *connection)
{
	int bytes;

	do {
		bytes = socket_receive(connection->socket, connection->buffer,
				       sizeof(connection->buffer));
		connection->thrown_away += bytes > 0 ? (uint32_t)bytes : 0;
	} while (bytes > 0 && connection->thrown_away < LINGER_BYTES);
	if (bytes == -EAGAIN)
		return;
	if (bytes == 0)
		end(connection);
	else
		cut(connection);
}

/* The peer says no more, and nothing of a request is there. */
static bool is_deserted(const struct http_connection *connection)
{
	return connection->phase <= HTTP_READING && !socket_receivable(connection->socket) &&
	       (socket_ready(connection->socket) & (SOCKET_PEER_DONE | SOCKET_OVER));
}

static void come_on(struct http_connection *connection)
{
	bool more = true;

	while (more && connection->socket) {
		if (connection->phase == HTTP_LINGERING) {
			linger(connection);
			return;
		}
		more = connection->phase == HTTP_ANSWERING ? send_answer(connection)
							   : read_request(connection);
	}
	if (connection->socket && is_deserted(connection))
		end(connection);
}

static void connection_ready(struct socket *socket, uint32_t ready, void *context)
{
	struct http_connection *connection = context;

	(void)socket;
	if (ready & SOCKET_OVER && socket_error(connection->socket))
		cut(connection);
	else
		come_on(connection);
}

/* ---- the server ---- */

/* Of the listener: for all connections, whose windows are what they are to be from the SYN on. */
static void set_options(const struct http_server *server, struct socket *socket)
{
	/* What is refused stays at its default, which is safe. */
	(void)!socket_set(socket, SOCKET_NO_DELAY, 1);
	(void)!socket_set(socket, SOCKET_SEND_BYTES, server->config.socket_send_bytes);
	(void)!socket_set(socket, SOCKET_RECEIVE_BYTES, RECEIVE_BYTES);
}

/* What connections hold in buffers may run out before their places do. */
static bool memory_is_short(const struct http_server *server)
{
	struct sockets_use use = sockets_use(server->config.sockets);

	return use.buffer_bytes > use.buffer_bytes_most / 4 * 3;
}

/* A place for a connection of that address; NULL: there is none. */
static struct http_connection *make_room(struct http_server *server,
					 const struct ip_address *address)
{
	struct http_connection *unused = free_place(server), *evicted;

	if (unused && !memory_is_short(server))
		return unused;
	evicted = to_evict(server, count_of(server, address));
	if (!evicted)
		return unused;
	server->stats.evicted++;
	cut(evicted);
	return evicted;
}

static void take_connection(struct http_server *server, struct socket *socket)
{
	struct ip_address address = peer_key(socket);
	struct http_connection *connection = make_room(server, &address);

	server->stats.connections++;
	if (!connection) {
		server->stats.refused++;
		socket_abort(socket);
		return;
	}
	connection->socket = socket;
	connection->peer = peer_of(server, &address);
	connection->peer->count++;
	connection->scan = (struct http_scan){ 0 };
	server->stats.open++;
	socket_set_callback(socket, connection_ready, connection);
	/* Who connects and says nothing has no longer than who says a little. */
	lasts(connection, HTTP_IDLE, server->config.request_ms);
	come_on(connection);
}

static void listener_ready(struct socket *listener, uint32_t ready, void *context)
{
	struct http_server *server = context;
	struct socket *socket;

	(void)ready;
	while ((socket = socket_accept(listener, NULL, NULL)) != NULL)
		take_connection(server, socket);
}

static void time_out(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	if (connection->phase == HTTP_IDLE || connection->phase == HTTP_LINGERING) {
		end(connection);
		return;
	}
	server->stats.timed_out++;
	if (connection->phase == HTTP_ANSWERING) {
		cut(connection);
		return;
	}
	answer_status(connection, 408, false, true);
	come_on(connection);
}

void http_server_run(struct http_server *server, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	if (now_ns < server->next_ns)
		return;
	for (uint32_t i = 0; i < server->config.connections; i++) {
		struct http_connection *connection = &server->connections[i];

		if (connection->socket && connection->until_ns <= now_ns)
			time_out(connection);
		if (connection->socket && connection->until_ns < next)
			next = connection->until_ns;
	}
	server->next_ns = next;
}

uint64_t http_server_next_ns(const struct http_server *server)
{
	return server->next_ns;
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
	return &server->stats;
}

static struct http_server_config with_defaults(const struct http_server_config *config)
{
	struct http_server_config result = *config;

	result.connections = config->connections ? config->connections : CONNECTIONS;
	result.request_ms = config->request_ms ? config->request_ms : REQUEST_MS;
	result.idle_ms = config->idle_ms ? config->idle_ms : IDLE_MS;
	result.stall_ms = config->stall_ms ? config->stall_ms : STALL_MS;
	result.socket_send_bytes =
		config->socket_send_bytes ? config->socket_send_bytes : SEND_BYTES;
	return result;
}

size_t http_server_memory_bytes(const struct http_server_config *config)
{
	size_t each = sizeof(struct http_connection) + sizeof(struct http_peer);

	return sizeof(struct http_server) + with_defaults(config).connections * each;
}

int http_server_init(const struct http_server_config *config, void *memory,
		     struct http_server **made)
{
	struct http_server *server = memory;
	int error = 0;

	memset(memory, 0, http_server_memory_bytes(config));
	server->config = with_defaults(config);
	server->next_ns = UINT64_MAX;
	server->peers = (void *)&server->connections[server->config.connections];
	for (uint32_t i = 0; i < server->config.connections; i++)
		server->connections[i].server = server;
	server->listener =
		socket_listen(config->sockets, &config->listen, listener_ready, server, &error);
	if (!server->listener)
		return error;
	set_options(server, server->listener);
	*made = server;
	return 0;
}
