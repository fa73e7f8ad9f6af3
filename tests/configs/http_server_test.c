/* SPDX-License-Identifier: ISC */
#include "configs/http_server.h"

#include <errno.h>
#include <string.h>

#include "lib/compiler.h"
#include "tests/configs/fake_sockets.h"
#include "tests/host/unit.h"

#define MS 1000000ull
#define CONNECTIONS 8u
#define HOST "Host: 10.0.0.1\r\n"
#define END HOST "\r\n"
#define LONG_BYTES 10000u

static uint64_t now;
static struct http_server *server;
static struct http_server_config config;
static char long_page[LONG_BYTES];
static size_t written_bytes; /* of /written */

static uint64_t now_ns(void *context)
{
	(void)context;
	return now;
}

/* "abcdefghij" over and over, in pieces of as much as there is room for. */
static size_t write_page(void *context, struct http_cursor *cursor, char *to, size_t room)
{
	size_t left = written_bytes - cursor->item;
	size_t bytes = left < room ? left : room;

	(void)context;
	ck_assert_uint_ge(room, HTTP_PIECE_BYTES);
	for (size_t i = 0; i < bytes; i++)
		to[i] = (char)('a' + (cursor->item + i) % 10);
	cursor->item += (uint32_t)bytes;
	return bytes;
}

static const struct http_page small = {
	.path = "/", .type = "text/plain", .data = "hello", .bytes = 5, .etag = "\"e1\""
};
static const struct http_page empty = { .path = "/empty", .type = "text/plain", .data = "" };
static const struct http_page large = {
	.path = "/large", .type = "text/plain", .data = long_page, .bytes = LONG_BYTES
};
static const struct http_page written = { .path = "/written",
					  .type = "text/plain",
					  .write = write_page };
static const struct http_page *const pages[] = { &small, &empty, &large, &written };

static void start(void)
{
	fake_sockets_reset();
	now = 1000 * MS;
	written_bytes = 9000;
	memset(long_page, 'L', sizeof(long_page));
	memset(&config, 0, sizeof(config));
	config.listen.own.port = 80;
	config.pages = pages;
	config.page_count = ARRAY_SIZE(pages);
	config.now_ns = now_ns;
	config.connections = CONNECTIONS;
	free(server);
	ck_assert_int_eq(posix_memalign((void **)&server, 16, http_server_memory_bytes(&config)),
			 0);
	ck_assert_int_eq(http_server_init(&config, server, &server), 0);
}

static void stop(void)
{
	fake_sockets_reset();
	free(server);
	server = NULL;
}

static const char *body_of(const struct socket *socket)
{
	const char *end = strstr(socket->out, "\r\n\r\n");

	ck_assert_ptr_nonnull(end);
	return end + 4;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

START_TEST(a_page)
{
	struct socket *socket = fake_connect("10.0.0.2");

	fake_text(socket, "GET / HTTP/1.1\r\n" END);
	ck_assert(strncmp(socket->out, "HTTP/1.1 200 OK\r\n", 17) == 0);
	ck_assert_ptr_nonnull(strstr(socket->out, "Content-Length: 5\r\n"));
	ck_assert_ptr_nonnull(strstr(socket->out, "ETag: \"e1\"\r\n"));
	ck_assert_ptr_nonnull(strstr(socket->out, "Content-Security-Policy: default-src 'none'"));
	ck_assert_ptr_null(strstr(socket->out, "unsafe"));
	ck_assert_str_eq(body_of(socket), "hello");
	ck_assert(!socket->closed && !socket->shut);
	ck_assert_uint_eq(http_server_stats(server)->requests, 1);
	ck_assert_uint_eq(http_server_stats(server)->status[2], 1);
	ck_assert_uint_eq(http_server_stats(server)->bytes_out, socket->out_bytes);
}
END_TEST

START_TEST(no_body)
{
	static const char *const heads[] = { "HEAD / HTTP/1.1\r\n" END, "HEAD /x HTTP/1.1\r\n" END,
					     "HEAD /written HTTP/1.1\r\n" END,
					     "GET /empty HTTP/1.1\r\n" END,
					     "GET / HTTP/1.1\r\nIf-None-Match: \"e1\"\r\n" END };
	static const char *const status[] = { "200", "404", "200", "200", "304" };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct socket *socket = fake_connect("10.0.0.2");

		fake_text(socket, heads[i]);
		ck_assert(strncmp(socket->out + 9, status[i], 3) == 0);
		ck_assert_str_eq(body_of(socket), "");
		ck_assert(!socket->shut);
		fake_end(socket);
		ck_assert(socket->closed);
	}
}
END_TEST

START_TEST(etag_of_another_page)
{
	struct socket *socket = fake_connect("10.0.0.2");

	fake_text(socket, "GET / HTTP/1.1\r\nIf-None-Match: \"e0\"\r\n" END);
	ck_assert_str_eq(body_of(socket), "hello");
	socket = fake_connect("10.0.0.2");
	fake_text(socket, "GET /large HTTP/1.1\r\nIf-None-Match: *\r\n" END);
	ck_assert(strncmp(socket->out + 9, "200", 3) == 0); /* it has none */
}
END_TEST

/* Whatever the pieces in which it comes and goes. */
START_TEST(pipelining)
{
	static const char requests[] =
		"GET / HTTP/1.1\r\n" END "HEAD / HTTP/1.1\r\n" END "GET /nothing HTTP/1.1\r\n" END
		"GET /empty HTTP/1.1\r\n" END "GET /large HTTP/1.1\r\n" END
		"GET / HTTP/1.1\r\nConnection: close\r\n" END;
	char *wanted = NULL;

	for (unsigned int in = 1; in < sizeof(requests); in = in * 2 + 1)
		for (unsigned int out = 1; out < 20000; out = out * 5 + 2) {
			struct socket *socket = fake_connect("10.0.0.2");

			socket->room = 0;
			socket->piece = in % 7;
			for (size_t at = 0; at < sizeof(requests) - 1; at += in)
				fake_write(socket, requests + at,
					   in < sizeof(requests) - 1 - at
						   ? in
						   : sizeof(requests) - 1 - at);
			ck_assert_uint_eq(socket->out_bytes, 0);
			for (unsigned int i = 0; i < 20000 && !socket->shut; i += out)
				fake_take(socket, out);
			ck_assert(socket->shut);
			ck_assert_uint_eq(count(socket->out, "HTTP/1.1 200 OK"), 5);
			ck_assert_uint_eq(count(socket->out, "HTTP/1.1 404 "), 1);
			ck_assert_uint_eq(count(socket->out, "hello"), 2);
			ck_assert_uint_eq(count(socket->out, "LLLLLLLLLL"), LONG_BYTES / 10);
			if (wanted)
				ck_assert_str_eq(socket->out, wanted);
			else
				wanted = strdup(socket->out);
			fake_end(socket);
			ck_assert(socket->closed);
			fake_sockets_reset();
			start();
		}
	free(wanted);
}
END_TEST

/* The bytes of a chunked body; every chunk has its size. */
static size_t unchunk(const char *body, char *to)
{
	size_t all = 0;

	for (;;) {
		char *end;
		size_t bytes = strtoul(body, &end, 16);

		ck_assert(strncmp(end, "\r\n", 2) == 0);
		memcpy(to + all, end + 2, bytes);
		ck_assert(strncmp(end + 2 + bytes, "\r\n", 2) == 0);
		if (!bytes) {
			ck_assert_str_eq(end + 4, "");
			return all;
		}
		all += bytes;
		body = end + 2 + bytes + 2;
	}
}

START_TEST(written_in_chunks)
{
	static char all[FAKE_OUT_BYTES];
	static const size_t sizes[] = { 0, 1, 4089, 4090, 9000, 40000 };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
		for (uint32_t take = 1; take < 10000; take = take * 9 + 4) {
			struct socket *socket = fake_connect("10.0.0.2");

			written_bytes = sizes[s];
			socket->room = 0;
			fake_text(socket, "GET /written HTTP/1.1\r\n" END);
			for (unsigned int i = 0; i < FAKE_OUT_BYTES - 1 - take; i += take)
				fake_take(socket, take);
			ck_assert_ptr_nonnull(
				strstr(socket->out, "Transfer-Encoding: chunked\r\n"));
			ck_assert_ptr_null(strstr(socket->out, "Content-Length"));
			ck_assert_uint_eq(unchunk(body_of(socket), all), written_bytes);
			for (size_t i = 0; i < written_bytes; i++)
				ck_assert_int_eq(all[i], (int)('a' + i % 10));
			ck_assert(!socket->shut);
			start();
		}
}
END_TEST

/* HTTP/1.0 knows no chunks: the end of the connection is that of the page. */
START_TEST(written_to_the_end)
{
	struct socket *socket = fake_connect("10.0.0.2");

	fake_text(socket, "GET /written HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	ck_assert_ptr_null(strstr(socket->out, "chunked"));
	ck_assert_uint_eq(strlen(body_of(socket)), written_bytes);
	ck_assert(socket->shut);
	/* But a page that is bytes keeps it. */
	socket = fake_connect("10.0.0.2");
	fake_text(socket, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(socket->out, "Connection: keep-alive\r\n"));
	ck_assert(!socket->shut);
}
END_TEST

START_TEST(mistakes_end_it)
{
	static const struct {
		const char *head, *status;
		bool ends;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", "400", true },
		{ "GET /../x HTTP/1.1\r\n" END, "400", true },
		{ "\x16\x03\x01", "400", true },
		{ "GET / HTTP/3.0\r\n" END, "505", true },
		{ "GET / HTTP/1.1\r\nContent-Length: 3\r\n" END "abc", "413", true },
		{ "GET /nothing HTTP/1.1\r\n" END, "404", false },
		{ "DELETE / HTTP/1.1\r\n" END, "405", false },
		{ "BREW / HTTP/1.1\r\n" END, "501", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct socket *socket = fake_connect("10.0.0.2");

		fake_text(socket, cases[i].head);
		ck_assert_msg(strncmp(socket->out + 9, cases[i].status, 3) == 0, "%s: %s",
			      cases[i].head, socket->out);
		ck_assert_int_eq(socket->shut, cases[i].ends);
		ck_assert_int_eq(count(socket->out, "Connection: close\r\n"), cases[i].ends);
		ck_assert_int_eq(count(socket->out, "Allow: GET, HEAD\r\n"), i == 6);
		/* What still comes is read, so that our end is no reset, and not answered. */
		if (cases[i].ends) {
			fake_text(socket, "GET / HTTP/1.1\r\n" END);
			ck_assert_uint_eq(count(socket->out, "HTTP/1.1 "), 1);
			ck_assert_uint_eq(socket->in_bytes, 0);
		}
		fake_end(socket);
		ck_assert(socket->closed && !socket->aborted);
	}
	ck_assert_uint_eq(http_server_stats(server)->open, 0);
}
END_TEST

START_TEST(too_long)
{
	static char junk[HTTP_HEAD_MAX + 1];
	struct socket *socket = fake_connect("10.0.0.2");

	memset(junk, 'a', sizeof(junk));
	fake_write(socket, junk, HTTP_HEAD_MAX);
	ck_assert_uint_eq(socket->out_bytes, 0);
	fake_write(socket, junk, 1);
	ck_assert(strncmp(socket->out + 9, "414", 3) == 0);
	socket = fake_connect("10.0.0.2");
	fake_text(socket, "GET / HTTP/1.1\r\nX: ");
	fake_write(socket, junk, sizeof(junk));
	ck_assert(strncmp(socket->out + 9, "431", 3) == 0);
	ck_assert_uint_eq(http_server_stats(server)->status[4], 2);
	/* Who never stops is cut off. */
	for (unsigned int i = 0; i < 40 && !socket->aborted; i++)
		fake_write(socket, junk, sizeof(junk));
	ck_assert(socket->aborted);
}
END_TEST

static void later(uint64_t ms)
{
	now += ms * MS;
	http_server_run(server, now);
}

START_TEST(slow_requests)
{
	struct socket *silent = fake_connect("10.0.0.2");
	struct socket *slow = fake_connect("10.0.0.3");
	struct socket *idle = fake_connect("10.0.0.4");
	static const char request[] =
		"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

	ck_assert_uint_eq(http_server_next_ns(server), now + 10000 * MS);
	fake_text(idle, "GET / HTTP/1.1\r\n" END);
	/* A byte now and then wins no time. */
	for (unsigned int i = 0; i < 20; i++) {
		fake_write(slow, request + i, 1);
		later(500);
	}
	ck_assert(silent->closed);
	ck_assert(strncmp(slow->out + 9, "408", 3) == 0 && slow->shut);
	ck_assert(!idle->closed);
	later(2000);
	ck_assert(slow->closed);
	later(48000);
	ck_assert(idle->closed);
	ck_assert_uint_eq(http_server_stats(server)->open, 0);
	ck_assert_uint_eq(http_server_stats(server)->timed_out, 1);
	later(1);
	ck_assert_uint_eq(http_server_next_ns(server), UINT64_MAX);
}
END_TEST

START_TEST(slow_readers)
{
	struct socket *socket = fake_connect("10.0.0.2");

	socket->room = 0;
	fake_text(socket, "GET /large HTTP/1.1\r\n" END);
	for (unsigned int i = 0; i < 5; i++) {
		later(15000);
		fake_take(socket, 10);
	}
	ck_assert(!socket->aborted);
	later(19999);
	ck_assert(!socket->aborted);
	later(1);
	ck_assert(socket->aborted);
}
END_TEST

START_TEST(room_is_shared_by_address)
{
	struct socket *greedy[CONNECTIONS], *others[CONNECTIONS];

	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		greedy[i] = fake_connect("10.0.0.2");
		now += MS;
	}
	/* The one that has been silent longest is not the first. */
	fake_text(greedy[0], "G");
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		others[i] = fake_connect("10.0.0.3");
	ck_assert(greedy[1]->aborted && greedy[2]->aborted && !greedy[0]->aborted);
	/* Half and half, and no more for either. */
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		ck_assert_int_eq(others[i]->aborted, i >= CONNECTIONS / 2);
	ck_assert_uint_eq(http_server_stats(server)->evicted, CONNECTIONS / 2);
	ck_assert_uint_eq(http_server_stats(server)->refused, CONNECTIONS / 2);
	ck_assert_uint_eq(http_server_stats(server)->open, CONNECTIONS);
	/* A third one takes of them, and is served. */
	others[7] = fake_connect("2001:db8::1");
	fake_text(others[7], "GET / HTTP/1.1\r\n" END);
	ck_assert_str_eq(body_of(others[7]), "hello");
}
END_TEST

/* Who fills the buffers of few connections keeps nobody out either. */
START_TEST(memory_is_shared_like_places)
{
	struct socket *first = fake_connect("10.0.0.1"), *second = fake_connect("10.0.0.1");
	struct socket *other;

	fake_buffers(75);
	other = fake_connect("10.0.0.2");
	ck_assert(!first->aborted && !second->aborted && !other->aborted);
	fake_end(other);
	ck_assert(other->closed);
	fake_buffers(76);
	other = fake_connect("10.0.0.2");
	ck_assert(first->aborted && !second->aborted && !other->aborted);
	ck_assert_uint_eq(http_server_stats(server)->evicted, 1);
	/* Nobody has more than he: there is a place still. */
	ck_assert(!fake_connect("10.0.0.3")->aborted);
	ck_assert(!second->aborted && !other->aborted);
}
END_TEST

START_TEST(a_net_of_ipv6_is_one_address)
{
	struct socket *first = fake_connect("2001:db8::1");
	struct socket *last = NULL;
	char address[40];

	for (unsigned int i = 2; i <= CONNECTIONS; i++) {
		snprintf(address, sizeof(address), "2001:db8::%x", i);
		last = fake_connect(address);
	}
	ck_assert(!first->aborted && !last->aborted);
	last = fake_connect("2001:db8::ffff");
	ck_assert(last->aborted && !first->aborted);
	last = fake_connect("2001:db8:0:1::1");
	ck_assert(!last->aborted && first->aborted);
}
END_TEST

START_TEST(only_addresses_as_hosts)
{
	struct socket *socket;

	stop();
	start();
	config.hosts_are_addresses = true;
	free(server);
	ck_assert_int_eq(posix_memalign((void **)&server, 16, http_server_memory_bytes(&config)),
			 0);
	ck_assert_int_eq(http_server_init(&config, server, &server), 0);
	socket = fake_connect("10.0.0.2");
	fake_text(socket, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	ck_assert(strncmp(socket->out + 9, "421", 3) == 0);
	socket = fake_connect("10.0.0.2");
	fake_text(socket, "GET / HTTP/1.1\r\n" END);
	ck_assert(strncmp(socket->out + 9, "200", 3) == 0);
}
END_TEST

START_TEST(cannot_listen)
{
	config.listen.own.port = 0;
	ck_assert_int_eq(http_server_init(&config, server, &server), -EADDRINUSE);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, a_page);
	tcase_add_test(cases, no_body);
	tcase_add_test(cases, etag_of_another_page);
	tcase_add_test(cases, pipelining);
	tcase_add_test(cases, written_in_chunks);
	tcase_add_test(cases, written_to_the_end);
	tcase_add_test(cases, mistakes_end_it);
	tcase_add_test(cases, too_long);
	tcase_add_test(cases, slow_requests);
	tcase_add_test(cases, slow_readers);
	tcase_add_test(cases, room_is_shared_by_address);
	tcase_add_test(cases, memory_is_shared_like_places);
	tcase_add_test(cases, a_net_of_ipv6_is_one_address);
	tcase_add_test(cases, only_addresses_as_hosts);
	tcase_add_test(cases, cannot_listen);
}

int main(void)
{
	return unit_main("configs/http_server", add_cases);
}
