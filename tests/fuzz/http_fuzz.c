/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the HTTP server: the first byte says in which pieces the others come to it and
 * its answers leave. Whatever they are, the answers are those of a peer who sends all at once
 * and takes all at once; each is whole, and every connection comes to its end.
 */
#include "configs/http_server.h"
#include "tests/configs/fake_sockets.h"
#include "tests/fuzz/script.h"

#define WRITTEN_BYTES 7000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t now = 1;
static char memory[64 * 1024] __attribute__((aligned(16)));

static uint64_t now_ns(void *context)
{
	(void)context;
	return now;
}

static size_t write_page(void *context, struct http_cursor *cursor, char *to, size_t room)
{
	size_t left = WRITTEN_BYTES - cursor->item;
	size_t bytes = left < room ? left : room;

	(void)context;
	memset(to, 'w', bytes);
	cursor->item += (uint32_t)bytes;
	return bytes;
}

static const struct http_page root = {
	.path = "/", .type = "text/plain", .data = "hello", .bytes = 5, .etag = "\"e1\""
};
static const struct http_page written = { .path = "/w", .type = "text/plain", .write = write_page };
static const struct http_page *const pages[] = { &root, &written };

static struct http_server *server_make(void)
{
	struct http_server_config config = {
		.listen.own.port = 80,
		.pages = pages,
		.page_count = 2,
		.now_ns = now_ns,
		.connections = 4,
	};
	struct http_server *server = NULL;

	fuzz_assert(http_server_memory_bytes(&config) <= sizeof(memory));
	fuzz_assert(http_server_init(&config, memory, &server) == 0);
	return server;
}

static bool is_gone(const struct socket *socket)
{
	return socket->closed || socket->aborted;
}

/* What comes back for the bytes in pieces of `in`, taken in pieces of `out`; 0: all at once. */
static char *answer(const uint8_t *data, size_t size, size_t in, uint32_t out, size_t *bytes)
{
	struct http_server *server = server_make();
	struct socket *socket = fake_connect("10.0.0.2");
	char *result;

	if (out)
		socket->room = 0;
	socket->piece = (uint32_t)in;
	for (size_t at = 0; at < size && !is_gone(socket); at += in ? in : size)
		fake_write(socket, data + at, !in || size - at < in ? size - at : in);
	for (uint32_t left = FAKE_OUT_BYTES - 1; out && left >= out && !is_gone(socket);
	     left -= out)
		fake_take(socket, out);
	if (!is_gone(socket))
		fake_end(socket);
	*bytes = socket->out_bytes;
	result = malloc(*bytes + 1);
	memcpy(result, socket->out, *bytes + 1);
	/* Nobody is waited for without end. */
	for (unsigned int i = 0; i < 4 && !is_gone(socket); i++) {
		now += 60000000000ull;
		http_server_run(server, now);
	}
	fuzz_assert(is_gone(socket));
	fuzz_assert(http_server_stats(server)->open == 0);
	fake_sockets_reset();
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole_bytes, bytes, in;
	uint32_t out;
	char *whole, *pieces;

	if (size < 2)
		return 0;
	in = 1 + (data[0] & 15u) * (data[0] & 15u);
	out = 64 + (data[0] >> 4) * 999u;
	whole = answer(data + 1, size - 1, 0, 0, &whole_bytes);
	fuzz_assert(!whole_bytes || strncmp(whole, "HTTP/1.1 ", 9) == 0);
	pieces = answer(data + 1, size - 1, in, out, &bytes);
	/* A crowd of requests may want more than the peer ever takes. */
	if (whole_bytes < FAKE_OUT_BYTES - 16384)
		fuzz_assert(bytes == whole_bytes && memcmp(whole, pieces, bytes) == 0);
	free(whole);
	free(pieces);
	return 0;
}
